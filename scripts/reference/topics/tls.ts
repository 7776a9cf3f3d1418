/**
 * TLS: the option `tls` of a listening address and of a server. `docs/tls.md` is the guide.
 *
 * @module
 */
export type { ListenTls, ServerTls, TlsCertificate, TlsContext } from 'sockchart';
