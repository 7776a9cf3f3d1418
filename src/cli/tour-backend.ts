/**
 * A small server for the tour, in a process of its own so that it can really be killed: it answers each line with its
 * name and the line. After the line `upload` it reads no more until it is told to hurry.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const [name = '', port = '0'] = process.argv.slice(2);
const uploads = new Set<Socket>();

const server = createServer((socket) => {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('close', () => uploads.delete(socket));
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === 'upload') {
        socket.removeAllListeners('data').pause();
        uploads.add(socket);
      } else if (!uploads.has(socket)) {
        socket.write(`${name}: ${line}\n`);
      }
    }
  });
});

// The port of a server that was killed may be taken for a moment.
let attemptsLeft = 50;
const listen = (): void => void server.listen(Number(port), '127.0.0.1');
server.on('error', (error) => {
  if (attemptsLeft-- === 0) throw error;
  setTimeout(listen, 100);
});
server.on('listening', () => process.send?.({ port: (server.address() as AddressInfo).port }));

process.on('message', () => {
  for (const socket of uploads) socket.resume();
  uploads.clear();
});
// A Ctrl-C is meant for the tour, which ends its servers last; without the tour there is nothing to serve.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit());
listen();
