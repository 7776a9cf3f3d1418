import { OptionError } from '../errors.js';
import { integer, number, onlyKnown } from '../options.js';

/**
 * How many connections to servers may be dialled a second, over all sets that share the governor. It is for the moment when a
 * server comes back and everybody wants it at once. What is over the limit waits in the queue of its set, in order.
 *
 * While dials succeed, the whole second may be used at once. After one has failed, dials are spread: they begin at a tenth
 * of the limit, and the rate grows to the limit over `rampMs` without a failure, less a random part of each gap.
 */
export interface GovernorOptions {
  /** Dials in any second, at most; at least 1. */
  readonly perSecond: number;
  /** How long the rate grows after the last failure, in milliseconds; 0: dials are never spread. Default 2 000. */
  readonly rampMs?: number | undefined;
  /** Part of each gap between spread dials that is random, from 0 to 1. Default 0.2. */
  readonly jitter?: number | undefined;
}

/** @internal What the governors of several processes have together. */
export interface SharedGovernor {
  /** A dial has begun. */
  began(): void;
  failed(now: number): void;
}

/** Right after a failure this part of the limit is used. */
const LEAST = 0.1;

/**
 * Limits how many connections are dialled a second: see {@link GovernorOptions}. Give one to several proxies, sets of
 * servers or backends, and they share its limit.
 *
 * @example
 * ```ts
 * const governor = new Governor({ perSecond: 100 });
 * const a = createProxy({ listen: { port: 5432 }, servers: primary, governor });
 * const b = createProxy({ listen: { port: 6379 }, servers: cache, governor });
 * ```
 */
export class Governor {
  /** The limit. */
  readonly perSecond: number;
  readonly #rampMs: number;
  readonly #jitter: number;
  /** When each of the last dials began, as many as a second may have, the oldest first; a ring. */
  readonly #began: Float64Array;
  #at = 0;
  /** How many of them this process may use: all, but in a worker of a cluster. */
  #count: number;
  /** @internal In a worker of a cluster: what the governors of all workers have together. */
  shared: SharedGovernor | undefined = undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  /** What jitter leaves of the next gap. */
  #shrink = 1;
  /** When the next dial may begin while dials are spread. */
  #nextAt = Number.NEGATIVE_INFINITY;

  /** @throws OptionError */
  constructor(options: GovernorOptions) {
    onlyKnown('governor', options, ['perSecond', 'rampMs', 'jitter'], 'governor.');
    if (options.perSecond === undefined) {
      throw new OptionError('governor.perSecond', undefined, 'a whole number from 1 to 1000000');
    }
    this.perSecond = integer('governor.perSecond', options.perSecond, 0, 1, 1_000_000);
    this.#rampMs = number('governor.rampMs', options.rampMs, 2_000, 0, 3_600_000);
    this.#jitter = number('governor.jitter', options.jitter, 0.2, 0, 1);
    this.#began = new Float64Array(this.perSecond).fill(Number.NEGATIVE_INFINITY);
    this.#count = this.perSecond;
  }

  /** How long until a dial may begin, in milliseconds at `now`; 0 or less: now. */
  waitMs(now: number): number {
    // Until it is lent some.
    if (this.#count === 0) return 1_000;
    // The oldest one of a full second.
    return Math.max((this.#began[this.#at] as number) + 1_000, this.#nextAt) - now;
  }

  /**
   * A dial begins at `now`, as {@link waitMs} permits.
   *
   * @param random from 0 to 1
   */
  begin(now: number, random: number): void {
    this.#at = (this.#at + 1) % this.perSecond;
    this.#began[(this.#at + this.#count - 1) % this.perSecond] = now;
    this.#lastAt = now;
    this.#shrink = 1 - this.#jitter * random;
    this.#spread(now - this.#failedAt);
    this.shared?.began();
  }

  /** A dial has failed at `now`: the next ones are spread. */
  failed(now: number): void {
    this.#failedAt = now;
    this.#spread(0);
    this.shared?.failed(now);
  }

  /** @internal A dial of another process has failed. */
  failedElsewhere(now: number): void {
    this.#failedAt = now;
    this.#spread(0);
  }

  /** @internal How many dials may begin at `now`; where they are spread, one or none. */
  open(now: number): number {
    if (this.waitMs(now) > 0) return 0;
    if (now - this.#failedAt < this.#rampMs) return 1;
    // They are in order: those that rest come first.
    let least = 1;
    let most = this.#count;
    while (least < most) {
      const middle = (least + most + 1) >> 1;
      const began = this.#began[(this.#at + middle - 1) % this.perSecond] as number;
      if (began + 1_000 <= now) least = middle;
      else most = middle - 1;
    }
    return least;
  }

  /** @internal How many dials of a second this process may begin. */
  get share(): number {
    return this.#count;
  }

  /** @internal Takes away the oldest of them; returns how long ago those began that began within the last second. */
  take(dials: number, now: number): number[] {
    const agoMs: number[] = [];
    for (let left = Math.min(dials, this.#count); left > 0; left--) {
      const ago = now - (this.#began[this.#at] as number);
      if (ago < 1_000) agoMs.push(Math.max(0, ago));
      this.#at = (this.#at + 1) % this.perSecond;
      this.#count--;
    }
    return agoMs;
  }

  /** @internal Adds some, of which some began so long ago. */
  put(dials: number, agoMs: readonly number[], now: number): void {
    for (let index = 0; index < dials && this.#count < this.perSecond; index++) {
      const at = now - (agoMs[index] ?? Number.POSITIVE_INFINITY);
      let place = this.#count++;
      // The oldest one stays the first.
      for (; place > 0; place--) {
        const before = this.#began[(this.#at + place - 1) % this.perSecond] as number;
        if (before <= at) break;
        this.#began[(this.#at + place) % this.perSecond] = before;
      }
      this.#began[(this.#at + place) % this.perSecond] = at;
    }
  }

  /** How far the next dial is from the last one. */
  #spread(calmMs: number): void {
    if (calmMs >= this.#rampMs) return;
    const part = LEAST + (1 - LEAST) * (calmMs / this.#rampMs);
    this.#nextAt = this.#lastAt + (1_000 / (Math.max(1, this.#count) * part)) * this.#shrink;
  }
}

/** @internal @throws OptionError */
export function governorOf(governor: Governor | GovernorOptions | undefined): Governor | undefined {
  return governor === undefined || governor instanceof Governor ? governor : new Governor(governor);
}
