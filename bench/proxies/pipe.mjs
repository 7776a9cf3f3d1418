/** A proxy as most are written. A reset of one side is passed on as an end, and a half-closed connection is cut. */
import net from 'node:net';
import { backend, listen } from './report.mjs';

listen(
  net.createServer((client) => {
    const socket = net.connect(backend);
    client.on('error', () => socket.destroy());
    socket.on('error', () => client.destroy());
    client.pipe(socket);
    socket.pipe(client);
  }),
);
