import { OptionError } from '../errors.js';
import { bound } from '../runtime/context.js';
import type { Server } from './servers.js';

/**
 * Chooses among servers. It is asked once per attempt and must not keep `isUsable`.
 *
 * @example
 * ```ts
 * // The server with the fewest connections.
 * const leastConnections: Balancer = {
 *   choose: (servers, isUsable) =>
 *     servers.filter(isUsable).sort((a, b) => a.connections - b.connections)[0],
 * };
 * ```
 */
export interface Balancer {
  /** One of `servers` for which `isUsable` is true, or nothing if there is none. */
  choose(servers: readonly Server[], isUsable: (server: Server) => boolean): Server | undefined;
}

/** Each server in turn; the cost does not grow with how many there are, as long as most are usable. */
export function roundRobin(): Balancer {
  let next = 0;
  return {
    choose(servers, isUsable) {
      for (let step = 0; step < servers.length; step++) {
        const index = (next + step) % servers.length;
        const server = servers[index] as Server;
        if (isUsable(server)) {
          next = index + 1;
          return server;
        }
      }
      return undefined;
    },
  };
}

/** Always the first usable one: the others are its spares. */
export function inOrder(): Balancer {
  return { choose: (servers, isUsable) => servers.find(isUsable) };
}

export type Balance = 'roundRobin' | 'inOrder' | Balancer;

export function balancerOf(balance: Balance | undefined): Balancer {
  if (balance === undefined || balance === 'roundRobin') return roundRobin();
  if (balance === 'inOrder') return inOrder();
  if (typeof balance === 'object' && typeof balance?.choose === 'function') {
    return { choose: bound<Balancer['choose']>((servers, isUsable) => balance.choose(servers, isUsable)) };
  }
  throw new OptionError('balance', balance, '"roundRobin", "inOrder" or an object with choose()');
}
