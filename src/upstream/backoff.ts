import { number, onlyKnown } from '../options.js';

/**
 * How long to wait between rounds of attempts: `initialMs × factor^round`, at most `maxMs`, less a random part.
 *
 * The random part is at most `jitter` of the wait: 0.5 is what the article "Exponential Backoff And Jitter" (AWS
 * Architecture Blog, 2015) calls equal jitter, 1 its full jitter. The defaults start fast, since a proxy's client is
 * waiting, and stay far below the 120 s of gRPC's connection backoff, since a proxy's server is near.
 */
export interface BackoffOptions {
  /** First wait, in milliseconds. Default 100. */
  readonly initialMs?: number | undefined;
  /** Growth per round. Default 2. */
  readonly factor?: number | undefined;
  /** Longest wait, in milliseconds. Default 10 000. */
  readonly maxMs?: number | undefined;
  /** Part of the wait that is random, from 0 to 1. Default 0.5. */
  readonly jitter?: number | undefined;
}

/** The backoff of a set of servers. */
export interface ServersBackoffOptions extends BackoffOptions {
  /**
   * True: all connections that share the set back off together. While a server has not answered since its last failure, one
   * connection at a time tries it, one wait after the last of these attempts has failed; the waits grow as above. A
   * connection that finds no other server waits in a queue, as for a server that is full, for at most its
   * `queueTimeout`. When an attempt succeeds, all connections in the queue go on at once. A connection whose own attempt
   * has failed is not in the queue: it waits until the next attempt was due. This is meant for programs that make a backend
   * for each request: a new backend knows nothing of the failures of the others, and connects at once otherwise. Default
   * `false`.
   */
  readonly shared?: boolean | undefined;
}

const OPTIONS = ['initialMs', 'factor', 'maxMs', 'jitter'] as const satisfies readonly (keyof BackoffOptions)[];

/** The waits between rounds of attempts; see {@link BackoffOptions}. */
export class Backoff {
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
  readonly jitter: number;

  /** @throws OptionError */
  constructor(options: BackoffOptions = {}, name = 'backoff', more: readonly string[] = []) {
    onlyKnown(name, options, [...OPTIONS, ...more], `${name}.`);
    this.initialMs = number(`${name}.initialMs`, options.initialMs, 100, 1, 3_600_000);
    this.factor = number(`${name}.factor`, options.factor, 2, 1, 100);
    this.maxMs = number(`${name}.maxMs`, options.maxMs, Math.max(10_000, this.initialMs), this.initialMs, 86_400_000);
    this.jitter = number(`${name}.jitter`, options.jitter, 0.5, 0, 1);
  }

  /** Milliseconds to wait after `round` full rounds, from 0; `random` is from 0 to 1. */
  delayMs(round: number, random: number): number {
    return this.#jittered(Math.min(this.maxMs, this.initialMs * this.factor ** round), random);
  }

  /** The longest wait, less its random part: so that connections that wait for the same server do not come back together. */
  longestMs(random: number): number {
    return this.#jittered(this.maxMs, random);
  }

  #jittered(delayMs: number, random: number): number {
    return Math.round(delayMs * (1 - this.jitter * random));
  }
}
