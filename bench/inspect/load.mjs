// @ts-check
/** Real clients and the server that they are proxied to: idle ones, and short conversations at an even pace. */
import { connect, createServer } from 'node:net';

const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.pipe(socket);
});
let failed = 0;

/** @param {number} port @returns {Promise<void>} one byte there and back, and the end */
const talk = (port) =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('data', () => socket.end());
    socket.on('error', () => failed++);
    socket.on('close', () => resolve());
    socket.write('x');
  });

/** @param {number} port @returns {Promise<void>} one byte there and back: its session relays */
const stay = (port) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('data', () => resolve());
    socket.on('error', reject);
    socket.write('x');
  });

/** @type {NodeJS.Timeout | undefined} */
let pace;

/** @type {Record<string, (task: any) => unknown>} */
const commands = {
  serve: () =>
    new Promise((resolve) => {
      server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 }, () =>
        resolve(/** @type {import('node:net').AddressInfo} */ (server.address()).port),
      );
    }),
  async idle({ port, count }) {
    for (let opened = 0; opened < count; opened += 100) {
      await Promise.all(Array.from({ length: Math.min(100, count - opened) }, () => stay(port)));
    }
  },
  /** So many conversations, some at a time. */
  async talk({ port, count, atOnce }) {
    let left = count;
    const one = async () => {
      while (left-- > 0) await talk(port);
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    return failed;
  },
  /** So many conversations a second, until told otherwise. */
  pace({ port, perSecond }) {
    clearInterval(pace);
    if (perSecond === 0) return;
    let owed = 0;
    let before = performance.now();
    pace = setInterval(() => {
      const now = performance.now();
      owed += ((now - before) * perSecond) / 1_000;
      before = now;
      for (; owed >= 1; owed--) void talk(port);
    }, 10);
  },
};

process.on('message', async (/** @type {any} */ { command, ...task }) => {
  process.send?.({ answer: await commands[command]?.(task) });
});
