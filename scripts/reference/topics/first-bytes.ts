/**
 * What a connection begins with: the PROXY header, versions 1 and 2, and the ClientHello of TLS.
 *
 * @module
 */
export {
  type ClientHello,
  ClientHelloParser,
  encodeProxyHeader,
  type ParsedProxyHeader,
  type ProxyHeader,
  type ProxyHeaderOptions,
  ProxyHeaderParser,
  type ProxySsl,
  type ProxyTlv,
} from 'sockchart';
