/** How long a connection rests between its attempts: the backoff of its rounds, and the budget of all. */
import type { Clock, Timer } from '../runtime/clock.js';
import { inNoContext } from '../runtime/context.js';
import type { Backoff } from './backoff.js';
import type { RetryBudget } from './budget.js';
import type { RequesterMemory } from './requester.js';

/** A timer of a set, which keeps no process alive. */
export function wake(clock: Clock, callback: () => void, afterMs: number): Timer {
  const timer = inNoContext(() => clock.setTimeout(callback, Math.max(0, Math.ceil(afterMs))));
  timer.unref();
  return timer;
}

export class Pacing {
  readonly #backoff: Backoff;
  readonly #budget: RetryBudget;
  readonly #random: () => number;

  constructor(backoff: Backoff, budget: RetryBudget, random: () => number) {
    this.#backoff = backoff;
    this.#budget = budget;
    this.#random = random;
  }

  /** A round is over: until the next one. */
  endRound(memory: RequesterMemory, now: number): number {
    const { retryAt } = memory;
    memory.tried.clear();
    memory.retryAt = undefined;
    return retryAt === undefined ? this.rest(memory, now) : Math.max(0, retryAt - now);
  }

  /** How long to rest before the next round, which counts as begun; the budget included. */
  rest(memory: RequesterMemory, now: number): number {
    const paceMs = this.#backoff.delayMs(memory.round++, this.#random());
    // A backend that reconnects on demand has rested since its last failure, perhaps for long enough.
    const backoffMs = Math.ceil(paceMs - (now - memory.failedAt));
    return this.#bounded(memory, now, Math.max(backoffMs, this.#budgetMs(now)));
  }

  /** Before an attempt at another server of the round: the first attempt at each is no repeat. */
  next(memory: RequesterMemory, now: number): number {
    return memory.round === 0 ? 0 : this.#bounded(memory, now, this.#budgetMs(now));
  }

  /** No connection rests for more than the slowest pace after a failure, for any reason. */
  #bounded({ failedAt }: RequesterMemory, now: number, restMs: number): number {
    return Math.max(0, Math.min(restMs, Math.ceil(failedAt + this.#backoff.maxMs - now)));
  }

  /** How long a repeat waits for its turn: an empty budget slows down, and refuses nothing. */
  #budgetMs(now: number): number {
    return this.#budget.withdraw(now, this.#backoff.maxMs) ?? this.#backoff.longestMs(this.#random());
  }
}
