import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { checkAddress } from '../adapters/listener-options.js';

/**
 * A server that listens on a Unix path which all workers share, to be given to `listen` or `createListener` as `server`.
 * A path given there directly is bound by one process for itself, and so for the first worker only.
 *
 * Start what uses it without waiting for anything else: a client that comes before that is turned
 * away. The path is removed with the last worker. If the primary was killed, its path is left, and you have to remove it.
 *
 * @throws OptionError
 * @throws Error what Node says, such as `EADDRINUSE`
 * @example
 * ```ts
 * // worker.mjs
 * export default async ({ data }) =>
 *   createProxy({ listen: { server: await sharedServer('/run/proxy.sock') }, servers: data.servers });
 * ```
 */
export async function sharedServer(path: string): Promise<Server> {
  checkAddress({ path }, '');
  // As the library makes its own: the peer's end is not ours, and nothing is read before it is wanted.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(path);
  await once(server, 'listening');
  return server;
}
