/** Events, commands and context of the cluster's machine, and its functions. */
import type { Cause, Ending, Outcome, Report } from '../vocabulary.js';

export { outcomeOfProcesses as outcomeOf, toldCause, toldFlushed, toldTruncated, willBeAborted } from './outcome.js';

export interface ClusterContext {
  /** How it will have ended once all workers are gone, if it was aborted. */
  ending: Ending;
  timeoutMs: number | undefined;
  /** How long the old workers of the present reload may drain; by their own settings, if undefined. */
  reloadTimeoutMs: number | undefined;
  /** The reload that was asked for during this one, if one was. */
  again: { readonly timeoutMs: number | undefined } | undefined;
  flushed: boolean;
  truncated: boolean;
  /** Why the last thing happened that needs a reason; undefined at first. */
  cause: Cause | undefined;
}

export type ClusterEvent =
  | { type: 'cluster.start' }
  /** Replace every process by a new one. */
  | { type: 'cluster.reload'; timeoutMs?: number }
  /** The owner stops it when the connections of all workers have ended. */
  | { type: 'cluster.close'; timeoutMs?: number; cause?: Report }
  /** The owner stops it now. */
  | { type: 'cluster.abort'; cause?: Report }
  /** Every worker has started. */
  | { type: 'workers.running' }
  /** A worker could not start; or the last one was given up. */
  | { type: 'workers.failed'; cause: Report }
  /** Every new worker of a reload serves. */
  | { type: 'newWorkers.running' }
  /** A new worker could not start, or died too often before all of them served. */
  | { type: 'newWorkers.failed'; cause: Report }
  /** The last new worker is gone, after they were withdrawn. */
  | { type: 'newWorkers.closed' }
  /** The last old worker is gone, after they were replaced. */
  | { type: 'oldWorkers.closed' }
  /** The last one is gone. The outcome is the worst of theirs. */
  | { type: 'workers.closed'; outcome: Outcome };

export type ClusterCommand =
  | { type: 'workers.start' }
  /** Start a new worker beside each; report `newWorkers.running` or `newWorkers.failed`. */
  | { type: 'newWorkers.start' }
  /** Close the new workers; report `newWorkers.closed` when the last one is gone, which may be now. */
  | { type: 'newWorkers.close'; timeoutMs: number | undefined }
  /** The new workers take the places of the old ones, which close; report `oldWorkers.closed`, which may be now. */
  | { type: 'oldWorkers.close'; timeoutMs: number | undefined }
  | { type: 'workers.close'; timeoutMs: number | undefined }
  | { type: 'workers.abort'; cause: Cause }
  /** Report `workers.closed` when the last one is, which may be now. */
  | { type: 'workers.await' }
  | { type: 'owner.running' }
  | { type: 'owner.reloaded' }
  | { type: 'owner.reloadFailed'; cause: Cause };

interface Given {
  readonly context: ClusterContext;
}

interface GivenEvent extends Given {
  readonly event: { readonly type: string; readonly timeoutMs?: number; readonly outcome?: Outcome };
}

export const START: ClusterContext = {
  ending: 'closed',
  timeoutMs: undefined,
  reloadTimeoutMs: undefined,
  again: undefined,
  flushed: true,
  truncated: false,
  cause: undefined,
};

// Context.
export const askedTimeout = ({ event }: GivenEvent): number | undefined => event.timeoutMs;
export const askedAgain = ({ event }: GivenEvent): ClusterContext['again'] => ({ timeoutMs: event.timeoutMs });
export const timeoutOfAgain = ({ context }: Given): number | undefined => context.again?.timeoutMs;

// Commands.
export const closeNewWorkers = ({ context }: Given): ClusterCommand => ({
  type: 'newWorkers.close',
  timeoutMs: context.reloadTimeoutMs,
});
export const closeOldWorkers = ({ context }: Given): ClusterCommand => ({
  type: 'oldWorkers.close',
  timeoutMs: context.reloadTimeoutMs,
});
export const closeWorkers = ({ context }: Given): ClusterCommand => ({
  type: 'workers.close',
  timeoutMs: context.timeoutMs,
});
export const abortWorkers = ({ context }: Given): ClusterCommand => ({
  type: 'workers.abort',
  cause: context.cause as Cause,
});
export const reloadFailed = ({ context }: Given): ClusterCommand => ({
  type: 'owner.reloadFailed',
  cause: context.cause as Cause,
});

// Guards. An event that is only asked about (`can`) has a type and no outcome.
export const wereClosed = ({ event: { outcome } }: GivenEvent): boolean => outcome?.ending === 'closed';
export const wereAborted = ({ event: { outcome } }: GivenEvent): boolean => outcome?.ending === 'aborted';
export const isAskedAgain = ({ context }: Given): boolean => context.again !== undefined;
