/** What has happened to a server, for those who look after it. It decides nothing: the machine does. */
import type { Cause } from '../machines/vocabulary.js';
import { type Clock, timeOf } from '../runtime/clock.js';
import type { ServerChange } from './server.js';

/** Results of checks, and changes, that are kept. */
const KEPT_MAX = 20;

/** How a check of a server ended. */
export interface CheckResult {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** `undecided`: this process lacked a descriptor, memory or a port, which is no verdict. */
  readonly result: 'passed' | 'failed' | 'undecided';
  /** How long it took, in milliseconds; nothing where that is not known. */
  readonly tookMs: number | undefined;
  /** Why it did not pass. */
  readonly cause: Cause | undefined;
}

/** A failure of a server. */
export interface ServerFailure {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** What failed: a check, an attempt to connect, or a connection that was lost within `lostWithin`. */
  readonly of: 'check' | 'attempt' | 'connection';
  /** Why. */
  readonly cause: Cause;
}

/** A change of a server, and when it was. */
export interface PastChange extends ServerChange {
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** @internal */
export class ServerHistory {
  /** When it entered its state, in milliseconds since 1970. */
  since: number;
  /** Attempts that failed, all in all. */
  failed = 0;
  lastFailure: ServerFailure | undefined = undefined;
  /** Oldest first, as the checks. */
  readonly changes: PastChange[] = [];
  readonly checks: CheckResult[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.since = timeOf(clock);
  }

  noteChange({ from, to, cause }: ServerChange): void {
    this.since = timeOf(this.#clock);
    this.changes.push({ at: this.since, from, to, cause });
    if (this.changes.length > KEPT_MAX) this.changes.shift();
  }

  noteFailure(of: 'attempt' | 'connection', cause: Cause): void {
    if (of === 'attempt') this.failed++;
    this.lastFailure = { at: timeOf(this.#clock), of, cause };
  }

  noteCheck(result: CheckResult['result'], tookMs: number | undefined, cause?: Cause): void {
    const at = timeOf(this.#clock);
    this.checks.push({ at, result, tookMs, cause });
    if (this.checks.length > KEPT_MAX) this.checks.shift();
    if (result === 'failed' && cause !== undefined) this.lastFailure = { at, of: 'check', cause };
  }
}
