// @ts-check
/**
 * A server that answers lines as Redis does: `PING` by `+PONG`, all else by its port. Messages of the parent process say what
 * it does with connections: `accept`, `refuse` or `reset`.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const [host = '', port = ''] = process.argv.slice(2);
let deed = 'accept';

const server = createServer((socket) => {
  if (deed === 'reset') {
    socket.resetAndDestroy();
    return;
  }
  let text = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.endsWith('\r\n')) socket.write(text.startsWith('PING') ? '+PONG\r\n' : `${port}\r\n`);
  });
});

process.on('message', async (next) => {
  deed = String(next);
  if (deed === 'refuse') server.close();
  else if (!server.listening) {
    server.listen(Number(port), host);
    await once(server, 'listening');
  }
  process.send?.(deed);
});
server.listen(Number(port), host);
await once(server, 'listening');
process.send?.('accept');
