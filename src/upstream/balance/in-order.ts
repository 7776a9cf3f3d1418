import type { Server } from '../server.js';
import { type Balancer, BuiltIn, sharing } from './balancer.js';

class InOrder extends BuiltIn {
  #servers: readonly Server[] = [];

  override fresh(): BuiltIn {
    return new InOrder();
  }

  protected override adapt(servers: readonly Server[]): void {
    this.#servers = sharing(servers);
  }

  protected override pick(isUsable: (server: Server) => boolean): Server | undefined {
    for (const server of this.#servers) if (isUsable(server)) return server;
    return undefined;
  }
}

/**
 * Always the first usable one, as HAProxy's `first`: with `connectionsMax`, one server fills up before the next is used.
 * Weights do not matter, but a server of weight 0 is not chosen.
 *
 * @example
 * ```ts
 * new Servers([{ port: 5432, connectionsMax: 50 }, { port: 5433 }], { balance: inOrder() }); // or 'inOrder'
 * ```
 */
export function inOrder(): Balancer {
  return new InOrder();
}
