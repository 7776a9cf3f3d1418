/**
 * What a connection begins with: the PROXY header, versions 1 and 2, and the ClientHello of TLS.
 *
 * @module
 */
export {
  type ClientHello,
  ClientHelloParser,
  encodeProxyHeader,
  type ListenProxyProtocol,
  type ParsedProxyHeader,
  type ProxyFields,
  type ProxyHeader,
  type ProxyHeaderOptions,
  ProxyHeaderParser,
  type ProxySsl,
  type ProxyTlv,
  type ServerProxyProtocol,
  type Via,
} from 'sockchart';
