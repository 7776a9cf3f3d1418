import type { Clock, Timer } from '../runtime/clock.js';
import type { RunningTimer } from '../runtime/instance.js';
import { type Step, shortName } from './graph.js';

class ManualTimer implements Timer {
  constructor(
    readonly callback: () => void,
    readonly dueAt: number,
  ) {}
  ref(): void {}
  unref(): void {}
}

/**
 * A clock that stands still until it is told to go on: hours pass in no time, and nothing fires in between.
 *
 * @example
 * ```ts
 * const clock = new ManualClock();
 * const backend = createBackend({ servers, clock, connectTimeout: 5_000 });
 * backend.connect();
 * clock.advance(5_000); // the attempt has timed out
 * ```
 */
export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<ManualTimer>();

  /** How many timers are set: nothing may be left at the end of an instance. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds that have passed. */
  now(): number {
    return this.#now;
  }

  /** Calls `callback` once that many milliseconds have passed. */
  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = new ManualTimer(callback, this.#now + delayMs);
    this.#timers.add(timer);
    return timer;
  }

  /** Takes a timer back. */
  clearTimeout(timer: Timer): void {
    this.#timers.delete(timer as ManualTimer);
  }

  /** Lets `ms` milliseconds pass: what is due fires in its order, also what was set on the way. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      let next: ManualTimer | undefined;
      for (const timer of this.#timers) {
        if (timer.dueAt <= until && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
      }
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.callback();
    }
    this.#now = until;
  }
}

/**
 * For a driver: lets the time pass until the timer of a step fires, `xstate.after.<timer>.<state id>`.
 *
 * @param instance what has the timers: a run of a machine, or `attached.instance`
 * @param clock the clock that the instance was given
 * @param step the step that the driver performs
 * @returns nothing; or why the timer cannot fire, which is what the driver's `perform` returns then
 * @example
 * ```ts
 * perform: (step) => (step.event.type === 'user.close' ? run.send(step.event) : fireTimer(run, clock, step)),
 * ```
 */
export function fireTimer(instance: { timers(): RunningTimer[] }, clock: ManualClock, step: Step): string | undefined {
  const name = shortName(step.event.type);
  const timers = instance.timers();
  const timer = timers.find((one) => one.name === name);
  if (timer === undefined) return `${name} does not run`;
  const earlier = timers.find(({ remainingMs }) => remainingMs < timer.remainingMs);
  if (earlier !== undefined) return `${earlier.name} is due before ${name}`;
  clock.advance(timer.remainingMs);
  return undefined;
}
