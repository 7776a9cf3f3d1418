import { number, onlyKnown } from '../../options.js';
import type { Server } from '../server.js';
import { type Balancer, BuiltIn, sharing, type Wanted } from './balancer.js';
import { inNameOrder, maglevTable, PLACES, type Table } from './maglev.js';
import { hashOf, mixed, within } from './string-hash.js';

/** Options of {@link hash}. */
export interface HashOptions {
  /**
   * How many times its fair share of connections a server may have, from 1 to 100; connections beyond that go where the
   * key would lead if this server were gone. A fair share is that by weight. 1.25 is what the authors of "Consistent
   * Hashing with Bounded Loads" use. Default `false`: a key that many connections have may fill its server.
   */
  readonly loadFactor?: number | false | undefined;
}

/** How many places a key has that are tried before all servers are looked at. */
const PROBES = 32;
/** The golden ratio in 32 bits, which leads from one place of a key to the next. */
const PROBE_STEP = 0x9e3779b9;
/** The connections of all servers are counted again after this part of as many choices as there are servers. */
const COUNT_PART = 16;

class Hash extends BuiltIn {
  readonly #loadFactor: number;
  /** All servers of the set; those that were given last if it has not told of them. */
  #members: readonly Server[] = [];
  #isTold = false;
  /** The servers of the table, in the order of their names. */
  #servers: readonly Server[] = [];
  /** Nothing where the members, or their shares, are others now. */
  #table: Table | undefined = undefined;
  /** Whether each may be chosen at present. */
  #isListed = new Uint8Array(0);
  /** The shares of those that may be chosen, together. */
  #shares = 0;
  /** The connections of all servers, as of the last count, and the choices since. */
  #connections = 0;
  #choices = 0;
  #countAgainAt = 0;

  constructor(loadFactor: number) {
    super();
    this.#loadFactor = loadFactor;
  }

  override fresh(): BuiltIn {
    return new Hash(this.#loadFactor);
  }

  override changed(servers: readonly Server[]): void {
    super.changed(servers);
    this.#members = servers;
    this.#isTold = true;
    this.#table = undefined;
  }

  /** The table stays as it is while servers are down or full, so that only their own keys lead elsewhere. */
  protected override adapt(servers: readonly Server[]): void {
    const listed = new Set(servers);
    if (!isPart(listed, this.#members) || (!this.#isTold && listed.size < this.#members.length)) {
      this.#members = servers;
      this.#table = undefined;
    }
    if (this.#table === undefined) {
      this.#servers = inNameOrder(sharing(this.#members));
      this.#table = maglevTable(this.#servers);
    }
    this.#isListed = Uint8Array.from(this.#servers, (server) => (listed.has(server) ? 1 : 0));
    this.#shares = 0;
    for (const { share } of listed) this.#shares += share;
    this.#countAgainAt = 0;
  }

  protected override pick(isUsable: (server: Server) => boolean, wanted: Wanted): Server | undefined {
    const count = this.#servers.length;
    if (count === 0) return undefined;
    const table = this.#table as Table;
    const hash = hashFor(wanted);
    const limit = this.#loadFactor === 0 ? 0 : this.#limitPerShare();
    let full: Server | undefined;
    for (let step = 0; step < PROBES + count; step++) {
      const index = this.#indexAt(table, hash, step);
      const server = this.#servers[index] as Server;
      if (this.#isListed[index] === 0 || !isUsable(server)) continue;
      if (limit === 0 || server.connections < Math.ceil(limit * server.share)) return server;
      // Where all have more than their shares, the key has its own server.
      full ??= server;
    }
    return full;
  }

  /** Where a key leads first, second, and so on: some places of the table, and then through all servers. */
  #indexAt(table: Table, hash: number, step: number): number {
    if (step === 0) return table[within(hash, PLACES)] as number;
    if (step < PROBES) return table[within(mixed(hash + Math.imul(step, PROBE_STEP)), PLACES)] as number;
    return (within(mixed(hash), this.#servers.length) + step) % this.#servers.length;
  }

  /** How many connections a server may have for each unit of its share, this one included. */
  #limitPerShare(): number {
    if (this.#choices >= this.#countAgainAt) {
      this.#connections = 0;
      for (let index = 0; index < this.#servers.length; index++) {
        this.#connections += (this.#servers[index] as Server).connections;
      }
      this.#choices = 0;
      this.#countAgainAt = this.#servers.length / COUNT_PART;
    }
    this.#choices++;
    return (this.#loadFactor * (this.#connections + this.#choices)) / this.#shares;
  }
}

const isPart = (part: ReadonlySet<Server>, whole: readonly Server[]): boolean => {
  let found = 0;
  for (const server of whole) if (part.has(server)) found++;
  return found === part.size;
};

function hashFor({ key, client, random }: Wanted): number {
  const text = key ?? client?.peer?.address;
  return text === undefined ? (random() * 2 ** 32) | 0 : hashOf(text);
}

/**
 * The same server for the same key, in every process that has the same servers: by a table of 65 537 places that depends
 * only on the names and weights of the servers (Maglev). A connection without a key goes by the address of its client, and
 * one without both at random.
 *
 * While a server is down, full or not to be chosen, its keys are spread over the others, and all other keys stay. When a
 * server is added or removed, or its weight changes, the table is made again: of the keys that need not move, at most
 * about 3 in 100 do. A ring of hashes would move none, but it spreads keys unevenly, and takes longer to search. A
 * choice costs the same for any number of servers; more than some thousand servers get uneven parts.
 *
 * @example
 * ```ts
 * createProxy({ listen, servers, balance: 'hash', key: (client) => client.data.tenant });
 * createProxy({ listen, servers, balance: hash({ loadFactor: 1.25 }) }); // by the client's address, and bounded
 * ```
 *
 * @throws OptionError
 */
export function hash(options: HashOptions = {}): Balancer {
  onlyKnown('hash', options, ['loadFactor'], 'hash.');
  const { loadFactor } = options;
  return new Hash(loadFactor === false ? 0 : number('hash.loadFactor', loadFactor, 0, 1, 100));
}
