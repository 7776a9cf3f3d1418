// @ts-check
/** The library's proxy in a process of its own. A Unix socket answers how often each server was chosen. */
import { createServer } from 'node:net';
import { createProxy } from 'sockchart';

const { admin, ...options } = JSON.parse(process.argv[2] ?? '');
const proxy = createProxy(options);
await proxy.start();
createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.resume().end(JSON.stringify(proxy.servers.list.map((server) => server.info().chosen)));
}).listen(admin);
