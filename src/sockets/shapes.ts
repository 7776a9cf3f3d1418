/**
 * Works around what the V8 of Node 20 makes of `new net.Socket(options)`. The constructor copies its options by
 * `{ ...options }`, and as long as that place has seen few shapes of options V8 gives every copy a hidden class of its
 * own, so that all that looks at the copy misses its inline cache. Once the place has seen more than four shapes, V8
 * copies in the general way, and the copies share their classes: measured, 0.9 µs for a socket in place of 16. That is
 * a tenth of the CPU time of a short proxied connection. Node 22 has a newer V8, which does not do that.
 */
import { Socket } from 'node:net';

const SHAPES = 8;
/** The first calls of a function are not taken note of; four are enough. */
const ROUNDS = 8;

let isNeeded = Number.parseInt(process.versions.node, 10) < 22;

/** The first call makes some sockets of many shapes, which are never opened: about 3 ms. */
export function showManyShapes(): void {
  if (!isNeeded) return;
  isNeeded = false;
  for (let round = 0; round < ROUNDS; round++) {
    for (let shape = 0; shape < SHAPES; shape++) new Socket({ [`shape${shape}`]: undefined } as object);
  }
}
