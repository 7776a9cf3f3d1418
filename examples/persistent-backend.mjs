// A connection that outlives its sockets: it logs in on each, and after a drop it repeats what was not answered.
// node examples/persistent-backend.mjs 7001 7002 < questions.txt
// Its servers answer HELLO with WELCOME, and every other line with a line.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createBackend } from 'sockchart';

const ports = process.argv.slice(2).map(Number);

/** Questions that are not answered yet, in their order. */
const unanswered = [];

const backend = createBackend({
  servers: ports.map((port) => ({ host: '127.0.0.1', port })),
  persistent: true,

  // Runs on every fresh socket, before anybody else may use it.
  async prepare(socket, { signal }) {
    socket.write('HELLO\n');
    const [answer] = await once(socket, 'data', { signal });
    if (String(answer) !== 'WELCOME\n') throw new Error(`not welcome: ${answer}`);
  },

  // Runs after a drop only: the server may never have seen these.
  repair(socket) {
    for (const { question } of unanswered) socket.write(`${question}\n`);
  },
});

backend.on('established', ({ socket, server, incarnation }) => {
  console.log(`established ${incarnation} with ${server.name}`);
  createInterface({ input: socket })
    .on('line', (line) => unanswered.shift()?.resolve(line))
    .on('error', () => {}); // readline passes the socket's errors on; the backend has dealt with them
});
backend.on('dropped', ({ cause }) => console.log(`dropped: ${cause.code ?? cause.manner}`));
backend.on('failover', ({ from, to }) => console.log(`failover from ${from} to ${to}`));
backend.on('retry', ({ server, delayMs, cause }) => {
  if (cause.error) console.log(`${server} failed: ${cause.error.message}; next attempt in ${delayMs} ms`);
});

/** Asks the server, whichever it is and however often it changes. */
function ask(question) {
  return new Promise((resolve) => {
    unanswered.push({ question, resolve });
    backend.connection?.socket.write(`${question}\n`);
  });
}

await backend.connect();
for await (const line of createInterface({ input: process.stdin })) console.log(await ask(line));
const { ending } = await backend.close();
console.log(ending);
