/** The addresses that the host of a server has: how long each may take, and which one is tried first. */
import type { LookupFunction } from 'node:net';
import { guarded, lookUp } from './lookup.js';

/** A name that has several addresses gives each at least this time, in milliseconds, as Node does by itself. */
const ADDRESS_LEAST_MS = 250;
/** Where nothing bounds an attempt, an address that does not answer must not keep the others from being tried. */
const ADDRESS_MOST_MS = 10_000;

export class Addresses {
  readonly #attemptMs: number | undefined;
  /** How many the name had the last time; an address needs no look-up. */
  #count = 0;
  /** The one that a connection came up at. */
  #good: string | undefined = undefined;

  /** @param attemptMs how long each may take, where the user has said so */
  constructor(attemptMs: number | undefined) {
    this.#attemptMs = attemptMs;
  }

  /** How long each but the last of several may take: a fair share of the whole attempt. */
  attemptMs(connectTimeout: number): number {
    if (this.#attemptMs !== undefined) return this.#attemptMs;
    const share = Math.floor(connectTimeout / Math.max(2, this.#count));
    return Math.min(ADDRESS_MOST_MS, Math.max(ADDRESS_LEAST_MS, share));
  }

  /** A connection has come up at this one, which is tried first from now on. */
  cameUp(address: string | undefined): void {
    if (this.#count > 1) this.#good = address;
  }

  /**
   * Notes how many are found, and puts the one that worked first.
   *
   * @param failures how many attempts have failed in a row
   */
  noting(lookup: LookupFunction | undefined, family: 4 | 6 | undefined, failures: () => number): LookupFunction {
    const ask = lookup === undefined ? lookUp : guarded(lookup);
    const own: object | undefined = family === undefined ? undefined : { family, hints: 0, all: true };
    return (host, options, callback) =>
      ask(host, own === undefined ? options : { ...options, ...own }, (error, found, foundFamily) => {
        if (error !== null || !Array.isArray(found)) {
          callback(error, found, foundFamily);
          return;
        }
        this.#count = found.length;
        const good = found.findIndex(({ address }) => address === this.#good);
        if (good > 0) found.unshift(...found.splice(good, 1));
        // From a local address Node tries one address: after each failure it is another one.
        const next = options.all === true ? undefined : found[failures() % found.length];
        if (next === undefined) callback(null, found);
        else callback(null, next.address, next.family);
      });
  }
}
