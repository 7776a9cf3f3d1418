/**
 * What an answer means for the servers of a name. It depends on what was found, and when, and not on the order in which an
 * answer lists it.
 */
import { NEVER_MS } from '../machines/vocabulary.js';
import type { Found, Place } from '../names/found.js';

/** @internal A server of the name. */
export interface Known {
  /** When an answer had its address for the last time. */
  readonly seenAt: number;
  /** It is being removed, for good. */
  readonly isEnding: boolean;
}

/** @internal */
export interface Plan {
  /** Those whose address was found, with what was found. */
  readonly found: readonly Place[];
  /** Those whose address is not there any more, by their keys. */
  readonly gone: readonly string[];
  readonly added: readonly Place[];
}

/**
 * @internal
 * @param holdMsOf how long an address that is not found any more still counts
 * @param serversMax those that leave do not count
 */
export function planOf<T extends Known>(
  known: ReadonlyMap<string, T>,
  { places }: Pick<Found, 'places'>,
  now: number,
  holdMsOf: (one: T) => number,
  serversMax: number,
): Plan {
  const keys = new Set(places.map(({ key }) => key));
  const gone: string[] = [];
  let count = 0;
  for (const [key, one] of known) {
    if (one.isEnding) continue;
    if (!keys.has(key) && isOver(now - one.seenAt, holdMsOf(one))) gone.push(key);
    else count++;
  }
  const found = places.filter(({ key }) => known.get(key)?.isEnding === false);
  const fresh = places.filter(({ key }) => !known.has(key));
  return { found, gone, added: fresh.slice(0, Math.max(0, serversMax - count)) };
}

const isOver = (forMs: number, holdMs: number): boolean => holdMs !== NEVER_MS && forMs >= holdMs;
