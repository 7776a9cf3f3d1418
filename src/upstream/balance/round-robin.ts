import type { Server } from '../server.js';
import { areEqual, type Balancer, BuiltIn, sharing } from './balancer.js';
import { Turns } from './turns.js';

class RoundRobin extends BuiltIn {
  #servers: readonly Server[] = [];
  /** The place of the next server, where all have the same weight. */
  #next = 0;
  /** Where the weights differ. */
  #turns: Turns | undefined = undefined;

  override fresh(): BuiltIn {
    return new RoundRobin();
  }

  protected override adapt(servers: readonly Server[]): void {
    const after = sharing(servers);
    // It goes on after the last one that had its turn and is still there.
    let next = 0;
    for (let index = this.#next - 1; index >= 0 && next === 0; index--) {
      next = after.indexOf(this.#servers[index] as Server) + 1;
    }
    this.#servers = after;
    this.#next = next;
    if (areEqual(after)) this.#turns = undefined;
    else if (this.#turns !== undefined) this.#turns.follow(after);
    else this.#turns = new Turns([...after.slice(this.#next), ...after.slice(0, this.#next)]);
  }

  protected override pick(isUsable: (server: Server) => boolean): Server | undefined {
    if (this.#turns !== undefined) return this.#turns.next(isUsable);
    const servers = this.#servers;
    const count = servers.length;
    for (let step = 0; step < count; step++) {
      const index = (this.#next + step) % count;
      const server = servers[index] as Server;
      if (isUsable(server)) {
        this.#next = index + 1;
        return server;
      }
    }
    return undefined;
  }
}

/**
 * Each server in turn, as often as its weight says, in the order of HAProxy's `roundrobin`: with the weights 2 and 1,
 * `a a b`. A choice costs the same for any number of servers of equal weight, and the logarithm of the number of servers
 * otherwise, as long as most are usable.
 *
 * @example
 * ```ts
 * new Servers([{ port: 5432, weight: 3 }, { port: 5433 }], { balance: roundRobin() }); // or 'roundRobin'
 * ```
 */
export function roundRobin(): Balancer {
  return new RoundRobin();
}
