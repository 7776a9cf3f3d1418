// @ts-check
/**
 * Clients at a steady rate: each sends one request and waits for the answer, at most so long. A program of its own; it
 * prints what became of each client.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../net/actor.mjs';
import { randomOf } from '../real/random.mjs';

/**
 * @typedef {object} Load
 * @property {string} host
 * @property {number} port
 * @property {string} request
 * @property {number} beginAt by the clock that all processes share, in milliseconds
 * @property {number} count clients
 * @property {number} gapMs from one client to the next, on average
 * @property {number} patienceMs how long a client waits
 * @property {number} seed of the moments in which clients come
 */

/** What became of a client; `why` is missing if it was served. @typedef {{ at: number, tookMs: number, why?: string }} Served */

/** The port of the server, on the last line of the answer. */
const ANSWER = /(?:^|\r\n)\d{4,5}\r\n$/;

/** @type {Load} */
const { host, port, request, beginAt, count, gapMs, patienceMs, seed } = JSON.parse(process.argv[2] ?? '');
const random = randomOf(seed);

/** @returns {Promise<Served>} */
function client() {
  return new Promise((resolve) => {
    const at = now();
    const socket = connect({ host, port, noDelay: true });
    let answer = '';
    /** @param {string} [why] */
    const settle = (why) => {
      clearTimeout(timer);
      resolve({ at, tookMs: now() - at, ...(why !== undefined && { why }) });
    };
    const timer = setTimeout(() => {
      settle('timeout');
      socket.destroy();
    }, patienceMs);
    socket.on('data', (chunk) => {
      answer += chunk;
      if (!ANSWER.test(answer)) return;
      settle();
      socket.end();
    });
    socket.on('error', (error) => settle(/** @type {NodeJS.ErrnoException} */ (error).code ?? error.message));
    socket.on('end', () => settle('end'));
    socket.write(request);
  });
}

/** @type {Promise<Served>[]} */
const clients = [];
for (let index = 0; index < count; index++) {
  // Not in step with the checks of a proxy.
  const due = beginAt + (index + random() / 2 ** 32) * gapMs;
  const wait = due - now();
  if (wait > 0) await sleep(wait);
  clients.push(client());
}
process.stdout.write(JSON.stringify(await Promise.all(clients)));
