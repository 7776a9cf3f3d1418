/** The proxy of that name from npm, as its README starts it. It knows no back-pressure and no half-closed connection. */
import { once } from 'node:events';
import tcpProxy from 'node-tcp-proxy';
import { backend, listening } from './report.mjs';

const options = { hostname: '127.0.0.1', quiet: true };
// Its types do not tell of the server; there is no other way to learn the port.
const { server } = /** @type {{ server: import('node:net').Server }} */ (
  /** @type {unknown} */ (tcpProxy.createProxy(0, backend.host, backend.port, options))
);
await once(server, 'listening');
listening(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
