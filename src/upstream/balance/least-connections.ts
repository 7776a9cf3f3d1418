import type { Server } from '../server.js';
import { type Balancer, BuiltIn, sharing, sixteenths } from './balancer.js';

const WEIGHT_MAX = 4096;

class LeastConnections extends BuiltIn {
  #servers: readonly Server[] = [];
  #weights = new Float64Array(0);
  /** When each was chosen last, in choices. */
  #turns = new Float64Array(0);
  #choices = 0;

  override fresh(): BuiltIn {
    return new LeastConnections();
  }

  protected override adapt(servers: readonly Server[]): void {
    const before = new Map(this.#servers.map((server, index) => [server, this.#turns[index]]));
    const after = sharing(servers);
    this.#servers = after;
    this.#weights = Float64Array.from(after, sixteenths);
    this.#turns = Float64Array.from(after, (server) => before.get(server) ?? ++this.#choices);
  }

  protected override pick(isUsable: (server: Server) => boolean): Server | undefined {
    const servers = this.#servers;
    const weights = this.#weights;
    const turns = this.#turns;
    let best = -1;
    let bestLoad = 0;
    let bestTurn = 0;
    for (let index = 0; index < servers.length; index++) {
      const server = servers[index] as Server;
      const count = server.connections + server.waiting;
      // As HAProxy: the load that this connection would make, but a server without connections comes before all others.
      const load = count === 0 ? 0 : Math.floor(((count + 1) * WEIGHT_MAX) / (weights[index] as number));
      const turn = turns[index] as number;
      if (best >= 0 && (load > bestLoad || (load === bestLoad && turn > bestTurn))) continue;
      if (!isUsable(server)) continue;
      best = index;
      bestLoad = load;
      bestTurn = turn;
    }
    if (best === -1) return undefined;
    turns[best] = ++this.#choices;
    return servers[best];
  }
}

/**
 * The server with the fewest connections for its weight, in the order of HAProxy's `leastconn`: with the weights 2 and 1,
 * `a b a a b a`. Attempts count, and connections that wait for this server alone; among equals, the server that was chosen
 * longest ago. A choice looks at each server.
 *
 * @example
 * ```ts
 * new Servers([{ port: 5432, weight: 2 }, { port: 5433 }], { balance: leastConnections() }); // or 'leastConnections'
 * ```
 */
export function leastConnections(): Balancer {
  return new LeastConnections();
}
