/**
 * Memory that sockets read into. What a socket reads into must be its own until its bytes are written out, but who is
 * idle must not own any. Hence two kinds:
 *
 * - One buffer shared by all sockets that wait: what is read into it is copied out at once, and it is small, so that a
 *   copy is cheap.
 * - Large ones from a pool, acquired for the next read by a socket that has filled its buffer, for it has more to come.
 *   Their bytes are not copied. They are given back after a read that does not fill them.
 */

/** Also the most that is copied per read. */
const SHARED_BYTES = 16_384;
/** Measured: 128 KiB cost half as much again per byte, 1 MiB hardly less. */
const POOLED_BYTES = 524_288;
/** The most that are acquired at the same time: further sockets read into the shared one. 32 MiB. */
const ACQUIRED_MAX = 64;
/** The most that are kept for later. 4 MiB. */
const SPARE_MAX = 8;

/** Where sockets read that have no buffer of their own: its bytes are gone with the next read of any of them. */
export const SHARED: Buffer = Buffer.allocUnsafeSlow(SHARED_BYTES);

const spare: Buffer[] = [];
const acquired: Buffer[] = [];

/** A buffer of one's own, if there is one left. */
export function acquire(): Buffer | undefined {
  if (acquired.length >= ACQUIRED_MAX) return undefined;
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES);
  acquired.push(buffer);
  return buffer;
}

/** Gives a buffer back that no socket reads into any more, and whose bytes are written out. */
export function release(buffer: Buffer): void {
  // One that was given up may still be in use, and never comes back.
  if (forget(buffer) && spare.length < SPARE_MAX) spare.push(buffer);
}

/** Gives one up that may still be in use: it must not be used again. */
export function discard(buffer: Buffer): void {
  forget(buffer);
}

/** Returns false for a buffer that was not acquired, or was given up. */
function forget(buffer: Buffer): boolean {
  const index = acquired.lastIndexOf(buffer);
  if (index < 0) return false;
  const last = acquired.pop() as Buffer;
  if (last !== buffer) acquired[index] = last;
  return true;
}

/** How many are acquired now. */
export function buffersAcquired(): number {
  return acquired.length;
}
