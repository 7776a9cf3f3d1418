import { number, onlyKnown } from '../options.js';

/**
 * How many retries all connections to a set of servers may make together, so that an outage is not answered with a
 * storm. Every first attempt earns `ratio` of a retry, `perSecond` are earned by waiting, and `burst` is the most that
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

  /** Takes one retry; false if there is none left at `now`, in milliseconds. */
  withdraw(now: number): boolean {
    this.#tokens = Math.min(this.burst, this.#tokens + ((now - this.#filledAt) / 1_000) * this.perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
