/** Asks balancers and sets of servers, without a socket. */
import { type Server, Servers, type ServersOptions } from '../../src/index.js';
import type { Requester } from '../../src/upstream/requester.js';

/** A connection that asks a set for a server. */
export class Asker implements Requester {
  memory: Requester['memory'] = undefined;
  readonly only: Requester['only'];
  readonly client: Requester['client'] = undefined;
  readonly key: Requester['key'];
  trial: Requester['trial'] = undefined;
  queued: Requester['queued'] = undefined;
  chosenAt = 0;
  /** How often it was called while it waited. */
  called = 0;
  readonly random: Requester['random'];

  constructor(
    readonly set: Servers,
    { only, key }: Partial<Pick<Requester, 'only' | 'key'>> = {},
  ) {
    this.random = set.random;
    this.only = only;
    this.key = key;
  }

  serverFreed(): void {
    this.called++;
  }

  /** The server that it gets; nothing if it waits in the queue. */
  ask(): Server | undefined {
    const choice = this.set.choose(this);
    if (choice.kind === 'chosen') return choice.server;
    if (choice.kind === 'full') return undefined;
    throw new Error(`It answers ${choice.kind}.`);
  }
}

/** Servers with these weights, whose names are a, b, c … */
export const setOf = (weights: readonly number[], options: ServersOptions = {}): Servers =>
  new Servers(
    weights.map((weight, index) => ({ port: index + 1, name: nameOf(index), weight })),
    options,
  );

/** a, b, …, z, s26, s27, … */
export const nameOf = (index: number): string => (index < 26 ? String.fromCharCode(97 + index) : `s${index}`);

export const named = (set: Servers, name: string): Server => {
  const server = set.list.find((one) => one.name === name);
  if (server === undefined) throw new Error(`There is no ${name}.`);
  return server;
};

/** The names of those that are chosen one after another: held, or each left before the next. */
export function chosenBy(set: Servers, count: number, isHeld = false): string[] {
  return Array.from({ length: count }, () => {
    const server = new Asker(set).ask();
    if (server === undefined) return '-';
    if (!isHeld) set.leave(server);
    return server.name;
  });
}

/** How often each was chosen. */
export function counted(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** A repeatable source of randomness from 0 to 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The probability that counts that follow these weights are at least as far from them (χ², by Wilson and Hilferty). */
export function likelihood(counts: readonly number[], weights: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const chi2 = counts.reduce((sum, count, index) => {
    const expected = (total * (weights[index] as number)) / whole;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  const degrees = counts.length - 1;
  const spread = 2 / (9 * degrees);
  return upperTail((Math.cbrt(chi2 / degrees) - (1 - spread)) / Math.sqrt(spread));
}

/** Of the normal distribution (Abramowitz and Stegun 26.2.17). */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
}
