import { NEVER_MS } from '../machines/vocabulary.js';

/** A timer that was set: whether it keeps the process alive can be changed. */
export interface Timer {
  /** It keeps the process alive. */
  ref(): unknown;
  /** It does not keep the process alive. */
  unref(): unknown;
}

/**
 * Where time comes from. Every wait of the library goes through one of these, so that a test can own the time.
 *
 * @example
 * ```ts
 * import { createBackend } from 'sockchart';
 * import { ManualClock } from 'sockchart/testing';
 *
 * const clock = new ManualClock();
 * const backend = createBackend({ servers: [{ port: 5432 }], clock });
 * clock.advance(10_000); // ten seconds have passed
 * ```
 */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /**
   * When that moment was, in milliseconds since 1970: what is published or printed then has the time of the world, as
   * `performance.timeOrigin` is for `performance.now()`. Default 0.
   */
  readonly timeOrigin?: number | undefined;
  /** Calls `callback` once, after `delayMs` milliseconds. */
  setTimeout(callback: () => void, delayMs: number): Timer;
  /** Takes a timer back, so that it does not fire. */
  clearTimeout(timer: Timer): void;
}

const ownSetTimeout = setTimeout;
const ownPerformance = performance;
const ownTimeOrigin = performance.timeOrigin;

/**
 * The process's own time, or that of code that has replaced the global timers. To look at `performance` itself each time
 * would cost more than to ask for the time: it is a getter of the global object.
 */
export const systemClock: Clock = {
  now: () => (setTimeout === ownSetTimeout ? ownPerformance.now() : performance.now()),
  get timeOrigin() {
    return setTimeout === ownSetTimeout ? ownTimeOrigin : performance.timeOrigin;
  },
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** The time of this clock, in milliseconds since 1970 if it knows when it began. */
export const timeOf = (clock: Clock): number => (clock.timeOrigin ?? 0) + clock.now();

/** True for a delay that never comes: no timer is set for it. */
export const isNever = (delayMs: number): boolean => delayMs >= NEVER_MS;
