/** What several machines compute alike: how they end, and what their parts say of that. */
import { type Cause, type CauseHint, causeOf, type Ending, type Outcome } from '../vocabulary.js';

interface Given {
  readonly context: { readonly ending: Ending };
}

interface Told {
  readonly context: { readonly cause: Cause | undefined };
  readonly event: { readonly type: string; readonly outcome?: Outcome };
}

// Guards: the ending was decided before the last part had ended.
export const willBeClosed = ({ context }: Given): boolean => context.ending === 'closed';
export const willBeHandedOver = ({ context }: Given): boolean => context.ending === 'handedOver';
export const willBeRefused = ({ context }: Given): boolean => context.ending === 'refused';
export const willBeDropped = ({ context }: Given): boolean => context.ending === 'dropped';
export const willBeAborted = ({ context }: Given): boolean => context.ending === 'aborted';

// Context: the cause that an event carries, or is.
export const causeNoted = ({ event }: { readonly event: { readonly type: string } }, hint: CauseHint): Cause =>
  causeOf(event, hint);

// Context: what a process, or the last worker, says of its bytes.
export const toldFlushed = ({ event: { outcome } }: Told): boolean => outcome?.flushed === true;
export const toldTruncated = ({ event: { outcome } }: Told): boolean => outcome?.truncated === true;
export const toldCause = ({ context, event: { outcome } }: Told): Cause | undefined =>
  outcome === undefined ? context.cause : outcome.cause;

/** The outcome of a worker or a cluster, which may be truncated. */
export const outcomeOfProcesses = ({
  context,
  event,
}: {
  readonly context: { readonly cause: Cause | undefined; readonly flushed: boolean; readonly truncated: boolean };
  readonly event: { readonly output?: unknown };
}): Outcome => ({
  ending: event.output as Ending,
  cause: context.cause as Cause,
  flushed: context.flushed,
  ...(context.truncated && { truncated: true }),
});
