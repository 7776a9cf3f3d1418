import { integer } from '../../options.js';
import type { Server } from '../server.js';
import { areEqual, type Balancer, BuiltIn, sharing, type Wanted } from './balancer.js';

/** How often a draw is repeated whose server is not usable, or was drawn before. */
const REDRAWS = 4;

/** The less loaded of several that are drawn by weight. */
export class Random extends BuiltIn {
  readonly #draws: number;
  #servers: readonly Server[] = [];
  /** Where the weights differ: see {@link aliasTable}. */
  #table: AliasTable | undefined = undefined;

  constructor(draws: number) {
    super();
    this.#draws = draws;
  }

  override fresh(): BuiltIn {
    return new Random(this.#draws);
  }

  protected override adapt(servers: readonly Server[]): void {
    this.#servers = sharing(servers);
    this.#table = areEqual(this.#servers) ? undefined : aliasTable(this.#servers);
  }

  protected override pick(isUsable: (server: Server) => boolean, wanted: Wanted): Server | undefined {
    let best = this.#draw(isUsable, wanted, undefined);
    for (let draw = 1; draw < this.#draws; draw++) {
      const other = this.#draw(isUsable, wanted, best);
      if (best === undefined || other === undefined) return best;
      if (this.loadOf(other) * best.share < this.loadOf(best) * other.share) best = other;
    }
    return best;
  }

  protected loadOf(server: Server): number {
    return server.connections + server.waiting;
  }

  /** A usable server, but not this one. */
  #draw(isUsable: (server: Server) => boolean, wanted: Wanted, but: Server | undefined): Server | undefined {
    const servers = this.#servers;
    const count = servers.length;
    for (let redraw = 0; redraw <= REDRAWS; redraw++) {
      const at = wanted.random() * count;
      // A source of randomness that gives 1, or no number, must not lead out of the list.
      let index = Math.max(0, Math.min(count - 1, Math.trunc(at))) || 0;
      if (this.#table !== undefined && at - index >= (this.#table.parts[index] as number)) {
        index = this.#table.aliases[index] as number;
      }
      const server = servers[index];
      if (server === undefined || (server !== but && isUsable(server))) return server;
    }
    return this.#search(isUsable, wanted, but);
  }

  /** Looks at all servers, where few are usable, or one has nearly all the weight. */
  #search(isUsable: (server: Server) => boolean, wanted: Wanted, but: Server | undefined): Server | undefined {
    let found: Server | undefined;
    let shares = 0;
    for (const server of this.#servers) {
      if (server === but || !isUsable(server)) continue;
      shares += server.share;
      if (found === undefined || wanted.random() * shares < server.share) found = server;
    }
    return found;
  }
}

/** Each place belongs to its own server up to its part, and to its alias beyond. */
interface AliasTable {
  readonly parts: Float64Array;
  readonly aliases: Uint32Array;
}

/** Draws by weight with one random number and no search (Walker's method, built as Vose does). */
function aliasTable(servers: readonly Server[]): AliasTable {
  const count = servers.length;
  let total = 0;
  for (const { share } of servers) total += share;
  const parts = Float64Array.from(servers, ({ share }) => (share * count) / total);
  const aliases = Uint32Array.from(servers, (_server, index) => index);
  const small: number[] = [];
  const large: number[] = [];
  for (let index = 0; index < count; index++) ((parts[index] as number) < 1 ? small : large).push(index);
  while (small.length > 0 && large.length > 0) {
    const poor = small.pop() as number;
    const rich = large[large.length - 1] as number;
    aliases[poor] = rich;
    const left = (parts[rich] as number) + (parts[poor] as number) - 1;
    parts[rich] = left;
    if (left < 1) small.push(large.pop() as number);
  }
  // What rounding has left over is an alias of itself.
  return { parts, aliases };
}

/**
 * Draws servers at random by their weights, and takes the one with the fewest connections for its weight. Two draws spread
 * connections nearly as evenly as {@link leastConnections}, at a cost that does not grow with the number of servers; and
 * many proxies that know nothing of each other do not choose the same server at once.
 *
 * @param draws how many servers are drawn, from 1 (the number of connections does not matter) to 100. Default 2
 * @throws OptionError
 *
 * @example
 * ```ts
 * new Servers([{ port: 5432 }, { port: 5433 }, { port: 5434 }], { balance: random(3) }); // 'random': two draws
 * ```
 */
export function random(draws?: number): Balancer {
  return new Random(integer('draws', draws, 2, 1, 100));
}
