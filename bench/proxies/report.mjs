/** How a proxy under test talks to the benchmark: where it listens, and garbage collected on request. */
import { addressOf, serversOf } from '../load/addresses.mjs';

/**
 * What the benchmark tells a proxy.
 *
 * @typedef {object} Task
 * @property {number} port where the backend listens
 * @property {number} first the number of its first address
 * @property {number} [count] how many addresses it is to be taken for; most proxies know only the first
 * @property {{ host: string, port: number }[]} [servers] backends of their own instead
 * @property {boolean} [inOrder] the first server that works, instead of each in turn
 * @property {string} [observer] who watches the transitions
 * @property {number} [workers] processes or threads
 * @property {'roundRobin' | 'system'} [scheduling] what gives connections to them
 * @property {Certificate} [listenTls] TLS at the listener
 * @property {Certificate} [serverTls] TLS to the server, without resumption
 * @property {boolean} [route] a function chooses for each client, and answers at once
 */

/** For `localhost`: as text, and in files. @typedef {{ key: string, cert: string, certFile: string, keyFile: string, bothFile: string }} Certificate */

/** @type {Task} */
export const task = JSON.parse(process.argv[2] ?? '{"port":0,"first":0}');

export const servers = serversOf(task);

export const backend = { host: addressOf(task.first), port: task.port };

/** @param {number} port */
export function listening(port) {
  process.send?.({ port });
}

/** @param {import('node:net').Server} server */
export function listen(server) {
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
    listening(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
  });
}

process.on('message', () => {
  // Twice: what finalizers of the first let go, the second collects.
  globalThis.gc?.();
  setImmediate(() => {
    globalThis.gc?.();
    process.send?.({ collected: true });
  });
});
process.once('disconnect', () => process.exit());
