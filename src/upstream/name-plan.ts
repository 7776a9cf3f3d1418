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
  /** Addresses for which there is no room. */
  readonly left: number;
}

/**
 * @internal
 * @param holdMs how long an address that is not found any more still counts
 * @param serversMax those that leave do not count
 */
export function planOf(
  known: ReadonlyMap<string, Known>,
  { places }: Pick<Found, 'places'>,
  now: number,
  holdMs: number,
  serversMax: number,
): Plan {
  const keys = new Set(places.map(({ key }) => key));
  const gone: string[] = [];
  let count = 0;
  for (const [key, { seenAt, isEnding }] of known) {
    if (isEnding) continue;
    if (!keys.has(key) && holdMs !== NEVER_MS && now - seenAt >= holdMs) gone.push(key);
    else count++;
  }
  const found = places.filter(({ key }) => known.get(key)?.isEnding === false);
  const fresh = places.filter(({ key }) => !known.has(key));
  const added = fresh.slice(0, Math.max(0, serversMax - count));
  return { found, gone, added, left: fresh.length - added.length };
}
