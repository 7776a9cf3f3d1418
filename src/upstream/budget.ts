import { number, onlyKnown } from '../options.js';

/**
 * How many retries all connections to a set of servers may make together, so that an outage is not answered with a
 * storm. A retry is another attempt at a server that this connection has tried before. Where none is left, a retry
 * waits until it is earned, at most for the slowest pace (`backoff.maxMs`). Every first attempt earns `ratio` of a retry, `perSecond` are earned by waiting, and `burst` is the most that
 * is kept. The defaults are those of Finagle's `RetryBudget`: 20 %, 10 a second, ten seconds' worth.
 */
export interface RetryBudgetOptions {
  /** Retries earned by each first attempt. Default 0.2. */
  readonly ratio?: number | undefined;
  /** Retries earned each second. Default 10. */
  readonly perSecond?: number | undefined;
  /** The most that is kept. Default 100. */
  readonly burst?: number | undefined;
}

/** A bucket of retries; see {@link RetryBudgetOptions}. */
export class RetryBudget {
  readonly ratio: number;
  readonly perSecond: number;
  readonly burst: number;
  #tokens: number;
  #filledAt = 0;

  /** @throws OptionError */
  constructor(options: RetryBudgetOptions = {}) {
    onlyKnown('retryBudget', options, ['ratio', 'perSecond', 'burst'], 'retryBudget.');
    this.ratio = number('retryBudget.ratio', options.ratio, 0.2, 0, 1_000);
    this.perSecond = number('retryBudget.perSecond', options.perSecond, 10, 0, 1_000_000);
    this.burst = number('retryBudget.burst', options.burst, 100, 1, 1_000_000_000);
    this.#tokens = this.burst;
  }

  /** A first attempt was made. */
  deposit(): void {
    this.#tokens = Math.min(this.burst, this.#tokens + this.ratio);
  }

  /**
   * Takes one retry at `now`, in milliseconds. Returns how long to wait until it is earned, after those that were taken
   * before; takes none, and returns nothing, if that is longer than `mostMs`.
   */
  withdraw(now: number, mostMs: number): number | undefined {
    this.#tokens = Math.min(this.burst, this.#tokens + ((now - this.#filledAt) / 1_000) * this.perSecond);
    this.#filledAt = now;
    const missing = 1 - this.#tokens;
    const waitMs = missing <= 0 ? 0 : Math.ceil((missing / this.perSecond) * 1_000);
    if (waitMs > mostMs) return undefined;
    this.#tokens -= 1;
    return waitMs;
  }
}
