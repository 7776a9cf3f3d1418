/** What a client and a backend have in common: one socket at a time, its two streams, and the ways in which it ends. */
import type { CONNECTION_LIMITS, SettingsOf } from '../limits.js';
import {
  type Cause,
  type Ending,
  nothingLost,
  type Outcome,
  probeEvery,
  type Report,
  type Sent,
} from '../vocabulary.js';

export { willBeClosed } from './outcome.js';

export type ConnectionSettings = SettingsOf<typeof CONNECTION_LIMITS>;

export interface ConnectionContext<S extends ConnectionSettings> {
  readonly settings: S;
  sent: Sent;
  /** How the connection will have ended once a socket that lingers has closed. */
  ending: Ending;
  closeTimeoutMs: number;
  /** Why the last thing happened that needs a reason; undefined at first. */
  cause: Cause | undefined;
}

export type SocketEvent =
  /** The peer has sent its FIN, and every byte before it was read. */
  | { type: 'socket.ended' }
  /** Our own FIN, and every byte before it, is with the system. */
  | { type: 'socket.finished' }
  /** Reset, or failed in another way: `socket.closed` follows. */
  | { type: 'socket.failed'; cause: Report }
  | { type: 'socket.closed' }
  /** The socket was probed as often as the command said, and no byte has moved. */
  | { type: 'socket.idled' };

/** After `socket.end`, `socket.destroy` and `socket.reset` comes `socket.closed`: once more where the socket had closed before. */
export type SocketCommand =
  /** FIN after the last byte written; what still arrives is read and thrown away. */
  | { type: 'socket.end' }
  /** What still arrives is read and thrown away, and counts for the next probe. */
  | { type: 'socket.linger' }
  /** Compare a byte counter; report `socket.idled` if it has stood still for this many probes in a row. */
  | { type: 'socket.probe'; bytes: 'all' | 'read'; times: number }
  /** Close it at once: as a reset, unless our FIN is out, or the peer has ended and nothing waits to be written. */
  | { type: 'socket.destroy' }
  /** Close it by a reset. `socket.destroy` follows for a kind of socket that has none. */
  | { type: 'socket.reset' }
  /** Take the owner's listeners off the socket. */
  | { type: 'socket.unlink' }
  /** The socket's close never came: forget it. */
  | { type: 'socket.abandon' };

/** What the functions below read of an event: the time of a close, and whether an abort is a deadline's. */
interface EndEvent {
  readonly type: string;
  readonly timeoutMs?: number;
  readonly deliver?: boolean;
}

interface Given {
  readonly context: ConnectionContext<ConnectionSettings>;
  readonly event: EndEvent;
}

export const connectionStart = <S extends ConnectionSettings>(settings: S): ConnectionContext<S> => ({
  settings,
  sent: 'nothing',
  ending: 'aborted',
  closeTimeoutMs: settings.closeTimeout,
  cause: undefined,
});

export const outcomeOf = ({
  context,
  event,
}: {
  readonly context: ConnectionContext<ConnectionSettings>;
  readonly event: { readonly output?: unknown };
}): Outcome => ({
  ending: event.output as Ending,
  cause: context.cause as Cause,
  flushed: nothingLost(context.sent),
});

// Context.
export const askedCloseTimeout = ({ context, event }: Given): number =>
  event.timeoutMs ?? context.settings.closeTimeout;
export const flushedOrLost = ({ context }: Given): Sent => (context.sent === 'lost' ? 'lost' : 'all');

// Guards.
export const isDeadline = ({ event }: Given): boolean => event.deliver === true;
export const isFlushed = ({ context }: Given): boolean => context.sent === 'all';
export const isToBeDelivered = (given: Given): boolean => given.context.sent === 'all' && isDeadline(given);
export const wasReadForLong = ({ context }: Given): boolean => context.closeTimeoutMs >= context.settings.lingerTimeout;

// Delays.
export const idleProbe = ({ context }: Given): number => probeEvery(context.settings.idleTimeout);
export const halfCloseProbe = ({ context }: Given): number => probeEvery(context.settings.halfCloseTimeout);
export const lingerTimeout = ({ context }: Given): number => context.settings.lingerTimeout;
export const lingerMax = ({ context }: Given): number => context.settings.lingerMax;
export const closeTimeout = ({ context }: Given): number => context.closeTimeoutMs;
export const abortTimeout = ({ context }: Given): number => context.settings.abortTimeout;

/** The cause of an abort that a deadline of the library's brings about. */
export const deadline = (code: string): Cause => ({ initiator: 'library', manner: 'timeout', phase: 'closing', code });
