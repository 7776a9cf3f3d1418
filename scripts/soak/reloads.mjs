// @ts-check
/** A cluster is reloaded again and again, while clients come all the time: none of them may be lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Child } from './child.mjs';

/** @typedef {{ host: string, port: number }} Address */

/** Clients at the same time. */
const CONCURRENCY = 12;
/** Connections for each reload. */
const EACH = 334;
/** A client that waits so long was lost. */
const LOST_MS = 30_000;
/** Each address of loopback has ports of its own: those of connections that have just closed are not free yet. */
const ADDRESSES = 20;

/** One conversation. @param {Address} address @param {number} number @returns {Promise<string | undefined>} how it was lost */
function talk({ host, port }, number) {
  const word = `hello ${number}\n`;
  const socket = connect({ host, port, localAddress: `127.97.0.${1 + (number % ADDRESSES)}` });
  let text = '';
  let hasEnded = false;
  /** @type {string | undefined} */
  let code;
  socket.setTimeout(LOST_MS, () => {
    code = 'no answer';
    socket.destroy();
  });
  socket.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    code = error.code;
  });
  socket.on('data', (chunk) => {
    text += chunk;
    if (text === word) socket.end();
  });
  socket.on('end', () => {
    hasEnded = true;
  });
  socket.write(word);
  return once(socket, 'close').then(() => code ?? (text === word && hasEnded ? undefined : `ended after "${text}"`));
}

/**
 * @param {{ scheduling: 'roundRobin' | 'system', busyMs: number, everyMs: number }} primary how busy it is, and who
 *   gives connections to workers
 * @returns {(options: { reloads: number }) => Promise<string>}
 */
export const reloads =
  (primary) =>
  async ({ reloads: count }) => {
    const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
    await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening');
    const child = new Child('cluster.mjs');
    /** @type {Map<string, number>} */
    const lost = new Map();
    let begun = 0;
    let done = 0;
    let isOver = false;
    /** @type {() => void} */
    let onDone = () => {};
    try {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      const wanted = { servers: [{ host: '127.0.0.1', port }], ...primary };
      const [address] = /** @type {[Address]} */ (await child.call('start', wanted));
      const client = async () => {
        while (!isOver) {
          const why = await talk(address, begun++);
          done++;
          onDone();
          if (why !== undefined) lost.set(why, (lost.get(why) ?? 0) + 1);
        }
      };
      const clients = Array.from({ length: CONCURRENCY }, client);
      for (let reload = 1; reload <= count; reload++) {
        await child.call('reload');
        while (done < reload * EACH) {
          await /** @type {Promise<void>} */ (
            new Promise((resolve) => {
              onDone = resolve;
            })
          );
        }
      }
      isOver = true;
      await Promise.all(clients);
      await child.call('stop').catch(() => {});
      assert.deepEqual(await child.exited, { code: 0, signal: null });
    } finally {
      isOver = true;
      child.kill();
      server.close();
    }
    const what = `${done} connections, ${count} reloads`;
    assert.deepEqual(Object.fromEntries(lost), {}, `${what}: lost ${JSON.stringify(Object.fromEntries(lost))}`);
    return `${what}, none lost`;
  };
