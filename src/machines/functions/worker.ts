/** Events, commands and context of the worker's machine, and its functions. */
import type { SettingsOf, WORKER_LIMITS } from '../limits.js';
import type { Cause, Ending, Outcome, Report } from '../vocabulary.js';

export {
  outcomeOfProcesses as outcomeOf,
  toldCause,
  toldFlushed,
  toldTruncated,
  willBeAborted,
  willBeClosed,
} from './outcome.js';

/** What all workers of a cluster share. */
export type WorkerSettings = SettingsOf<typeof WORKER_LIMITS>;

export interface WorkerInput {
  readonly settings: WorkerSettings;
}

export interface WorkerContext {
  readonly settings: WorkerSettings;
  /** Processes so far: the number of the present one. */
  incarnation: number;
  /** Processes since one was stable. */
  attempts: number;
  backoffMs: number;
  drainTimeoutMs: number;
  /** How it will have ended once its process is gone. */
  ending: Ending;
  /** What the process said about its bytes, if it was there to say it. */
  flushed: boolean;
  truncated: boolean;
  /** Why the last thing happened that needs a reason; undefined at first. */
  cause: Cause | undefined;
}

export type WorkerEvent =
  | { type: 'worker.start' }
  /** The owner ends it when its connections have ended. */
  | { type: 'worker.close'; timeoutMs?: number; cause?: Report }
  /** The owner ends it now. */
  | { type: 'worker.abort'; cause?: Report }
  /** The handle that the module made has started. */
  | { type: 'process.ready' }
  /** What the module made could not start, or there was nothing to start; the process waits for its release. */
  | { type: 'process.failed'; cause: Report }
  /** What the module made has ended; the process waits for its release. */
  | { type: 'process.closed'; outcome: Outcome }
  | { type: 'process.exited'; cause: Report }
  /** The answer to `restart.choose`. */
  | { type: 'restart.deferred'; delayMs: number };

export type WorkerCommand =
  | { type: 'process.fork'; incarnation: number }
  | { type: 'process.drain'; timeoutMs: number }
  /** Tell it to cut its connections and exit. */
  | { type: 'process.abort'; cause: Cause }
  /** It may exit: everything that was sent to it before has arrived when this does. */
  | { type: 'process.release' }
  | { type: 'process.kill' }
  /** When to fork again, after so many attempts; answered by `restart.deferred`. */
  | { type: 'restart.choose'; attempts: number }
  | { type: 'owner.running'; incarnation: number }
  | { type: 'owner.exited'; cause: Cause }
  | { type: 'owner.retry'; attempt: number; delayMs: number; cause: Cause };

interface Given {
  readonly context: WorkerContext;
}

interface GivenEvent extends Given {
  readonly event: {
    readonly type: string;
    readonly timeoutMs?: number;
    readonly delayMs?: number;
    readonly outcome?: Outcome;
  };
}

export const startOf = ({ input: { settings } }: { readonly input: WorkerInput }): WorkerContext => ({
  settings,
  incarnation: 0,
  attempts: 0,
  backoffMs: 0,
  drainTimeoutMs: settings.drainTimeout,
  ending: 'closed',
  flushed: true,
  truncated: false,
  cause: undefined,
});

// Context.
export const askedDrainTimeout = ({ context, event }: GivenEvent): number =>
  event.timeoutMs ?? context.settings.drainTimeout;
export const deferredMs = ({ event }: GivenEvent): number => event.delayMs ?? 0;
export const nextIncarnation = ({ context }: Given): number => context.incarnation + 1;
export const nextAttempt = ({ context }: Given): number => context.attempts + 1;
/** How the process says that its close went. */
export const toldEnding = ({ event: { outcome } }: GivenEvent): Ending =>
  outcome?.ending === 'closed' || outcome?.ending === 'ended' ? 'closed' : 'aborted';

// Commands.
export const fork = ({ context }: Given): WorkerCommand => ({ type: 'process.fork', incarnation: context.incarnation });
export const drain = ({ context }: Given): WorkerCommand => ({
  type: 'process.drain',
  timeoutMs: context.drainTimeoutMs,
});
export const abort = ({ context }: Given): WorkerCommand => ({ type: 'process.abort', cause: context.cause as Cause });
export const chooseRestart = ({ context }: Given): WorkerCommand => ({
  type: 'restart.choose',
  attempts: context.attempts,
});
export const running = ({ context }: Given): WorkerCommand => ({
  type: 'owner.running',
  incarnation: context.incarnation,
});
export const exited = ({ context }: Given): WorkerCommand => ({ type: 'owner.exited', cause: context.cause as Cause });
export const retry = ({ context }: Given): WorkerCommand => ({
  type: 'owner.retry',
  attempt: context.attempts + 1,
  delayMs: context.backoffMs,
  cause: context.cause as Cause,
});

// Guards.
export const hasAttemptsLeft = ({ context }: Given): boolean => context.attempts < context.settings.attemptsMax;

// Delays.
export const startTimeout = ({ context }: Given): number => context.settings.startTimeout;
export const stableAfter = ({ context }: Given): number => context.settings.stableAfter;
export const backoff = ({ context }: Given): number => context.backoffMs;
export const drainTimeout = ({ context }: Given): number => context.drainTimeoutMs;
export const abortTimeout = ({ context }: Given): number => context.settings.abortTimeout;
