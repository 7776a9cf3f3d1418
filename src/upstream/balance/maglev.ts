/**
 * The lookup table of Maglev (Eisenbud and others, NSDI 2016, section 3.4), with weights as Envoy has them. Each server
 * has its own order of all places, made of its name, and takes the first free one of them when it is its turn. So the
 * table depends on nothing but the names and weights of the servers.
 */
import type { Server } from '../server.js';
import { hashOf, within } from './string-hash.js';

/** Places of the table: a prime number, so that each step leads to each place. */
export const PLACES = 65_537;

/** For each place the index of its server in the list. */
export type Table = Uint32Array;

const FREE = 0xffffffff;
/** Seeds of the hashes of where a server begins, and of its step. */
const BEGIN_SEED = 0;
const STEP_SEED = 0x9e3779b9;

/** @param servers in the same order in every process (see {@link inNameOrder}), each with a share */
export function maglevTable(servers: readonly Server[]): Table {
  const table = new Uint32Array(PLACES);
  const count = servers.length;
  if (count <= 1) return table;
  table.fill(FREE);
  const ids = uniqueNames(servers);
  const places = Uint32Array.from(ids, (id) => within(hashOf(id, BEGIN_SEED), PLACES));
  const steps = Uint32Array.from(ids, (id) => 1 + within(hashOf(id, STEP_SEED), PLACES - 1));
  let most = 0;
  for (const { share } of servers) most = Math.max(most, share);
  const weights = Float64Array.from(servers, ({ share }) => share / most);
  /** Turns that each has had. */
  const turns = new Uint32Array(count);
  let taken = 0;
  for (let round = 1; ; round++) {
    for (let index = 0; index < count; index++) {
      if (round * (weights[index] as number) < (turns[index] as number)) continue;
      (turns[index] as number)++;
      const step = steps[index] as number;
      let place = places[index] as number;
      while (table[place] !== FREE) place = (place + step) % PLACES;
      table[place] = index;
      places[index] = (place + step) % PLACES;
      if (++taken === PLACES) return table;
    }
  }
}

/** The names tell servers apart; servers of the same name are told apart by their order. */
function uniqueNames(servers: readonly Server[]): readonly string[] {
  let same = 0;
  return servers.map(({ name }, index) => {
    same = servers[index - 1]?.name === name ? same + 1 : 0;
    return same === 0 ? name : `${name}\n${same}`;
  });
}

/** By name, and by address where the name is the same; not by the language of this machine. */
export const inNameOrder = (servers: readonly Server[]): readonly Server[] =>
  [...servers].sort(
    (one, other) =>
      compare(one.name, other.name) ||
      compare(one.path ?? one.host, other.path ?? other.host) ||
      (one.port ?? 0) - (other.port ?? 0),
  );

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
