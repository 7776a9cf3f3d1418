/**
 * Hashes of strings that are the same in every process, and on every machine. Not for secrets: keys that collide can be
 * made. They have a sign, since V8 allocates memory for integers from 2³¹ on.
 */

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over the UTF-16 code units, and a final mix: 32 bits with a sign, each of which depends on each character. */
export function hashOf(text: string, seed = 0): number {
  let hash = FNV_BASIS ^ seed;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  return mixed(hash);
}

/** The final mix of MurmurHash3: numbers that are near each other become numbers that are not. */
export function mixed(number: number): number {
  let hash = number;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** From 0 to `count - 1`. */
export const within = (hash: number, count: number): number => (hash >>> 0) % count;
