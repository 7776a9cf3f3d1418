/** TLS as most write it: `tls` and `pipe`, at the listener or to the server. */
import net from 'node:net';
import tls from 'node:tls';
import { backend, listen, task } from './report.mjs';

const { listenTls, serverTls } = task;
const secureContext = serverTls && tls.createSecureContext({ ca: serverTls.cert });

/** @param {net.Socket} client */
function onClient(client) {
  const socket = secureContext
    ? tls.connect({ ...backend, secureContext, servername: 'localhost' })
    : net.connect(backend);
  client.on('error', () => socket.destroy());
  socket.on('error', () => client.destroy());
  client.pipe(socket);
  socket.pipe(client);
}

listen(
  listenTls ? tls.createServer({ key: listenTls.key, cert: listenTls.cert }, onClient) : net.createServer(onClient),
);
