// biome-ignore lint/style/noRestrictedImports: a balancer of the user's is given the client; only its type is known here.
import type { Client } from '../adapters/client.js';
import { OptionError } from '../errors.js';
import { bound } from '../runtime/context.js';
import type { Server } from './servers.js';

/**
 * Chooses among servers. It is asked once per attempt and must not keep `isUsable`.
 *
 * @example
 * ```ts
 * // At random, so that several proxies do not go through the servers in step.
 * const atRandom: Balancer = {
 *   choose: (servers, isUsable) => {
 *     const usable = servers.filter(isUsable);
 *     return usable[Math.floor(Math.random() * usable.length)];
 *   },
 * };
 * ```
 */
export interface Balancer {
  /**
   * One of `servers` for which `isUsable` is true, or nothing if there is none.
   *
   * @param wanted the connection that the server is for: its client and its key, if it has them
   */
  choose(servers: readonly Server[], isUsable: (server: Server) => boolean, wanted: Wanted): Server | undefined;
}

/** What a balancer may know of the connection that a server is for. */
export interface Wanted {
  /** The client that the connection is for; nothing for a backend that is for none. */
  readonly client: Client | undefined;
  /** What should lead to the same server each time: see `key` of `createProxy` and of a `route`'s answer. */
  readonly key: string | undefined;
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

/** The server with the fewest connections, attempts included; each in turn among those that have equally few. */
export function leastConnections(): Balancer {
  let next = 0;
  return {
    choose(servers, isUsable) {
      let best: Server | undefined;
      let bestIndex = 0;
      for (let step = 0; step < servers.length; step++) {
        const index = (next + step) % servers.length;
        const server = servers[index] as Server;
        if ((best !== undefined && server.connections >= best.connections) || !isUsable(server)) continue;
        best = server;
        bestIndex = index;
      }
      if (best !== undefined) next = bestIndex + 1;
      return best;
    },
  };
}

/** How the next server is chosen: by the name of a balancer of the library, or by one of your own. */
export type Balance = 'roundRobin' | 'inOrder' | 'leastConnections' | Balancer;

export function balancerOf(balance: Balance | undefined): Balancer {
  if (balance === undefined || balance === 'roundRobin') return roundRobin();
  if (balance === 'inOrder') return inOrder();
  if (balance === 'leastConnections') return leastConnections();
  if (typeof balance === 'object' && typeof balance?.choose === 'function') {
    return {
      choose: bound<Balancer['choose']>((servers, isUsable, wanted) => balance.choose(servers, isUsable, wanted)),
    };
  }
  throw new OptionError('balance', balance, '"roundRobin", "inOrder", "leastConnections" or an object with choose()');
}
