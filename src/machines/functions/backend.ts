/** The words of the backend's machine, and its functions that no other machine shares. */
import type { BACKEND_LIMITS, SettingsOf } from '../limits.js';
import { type Cause, type CauseHint, causeOf, type Report } from '../vocabulary.js';
import type { ConnectionContext, SocketCommand, SocketEvent } from './connection.js';

/** What all connections of one configuration share. */
export interface BackendSettings extends SettingsOf<typeof BACKEND_LIMITS> {
  /** True: a drop is followed by a new connection. False: one conversation, whose end or drop is final. */
  readonly persistent: boolean;
  /** True: after a drop, a persistent backend connects again only when its owner asks. */
  readonly onDemand: boolean;
  /** How long an exhausted persistent backend waits before it tries again, in milliseconds. */
  readonly cooldown: number;
}

export interface BackendInput {
  readonly settings: BackendSettings;
}

export interface BackendContext extends ConnectionContext<BackendSettings> {
  /** Numbers the sockets of this backend, from 1. */
  incarnation: number;
  /** Attempts since the last stable connection. */
  attempts: number;
  /**
   * What follows a drop, until the next connection is offered: that must be repaired first (`repair`). Where it reconnects
   * on demand, no attempt is made before its owner asks (`rest`). `none` without a drop.
   */
  loss: 'none' | 'rest' | 'repair';
  backoffMs: number;
}

export type BackendEvent =
  /** The owner asks for a connection. */
  | { type: 'backend.connect' }
  /** The owner wants the next attempt now. */
  | { type: 'backend.retry' }
  /** The owner wants another connection in place of the present one, or a connection if there is none. */
  | { type: 'backend.renew' }
  /** The owner ends the backend, gracefully. */
  | { type: 'backend.close'; timeoutMs?: number; cause?: Report }
  /**
   * The owner ends the backend at once. With `deliver` it is not the owner's wish, but a deadline or the loss of the
   * client: a stream that is complete is then let go of, and not reset.
   */
  | { type: 'backend.abort'; cause?: Report; deliver?: boolean }
  /** An abort took too long. */
  | { type: 'backend.expired' }
  | { type: 'server.chosen' }
  | { type: 'server.deferred'; delayMs: number }
  | { type: 'server.exhausted'; cause: Report }
  | { type: 'socket.connected' }
  | SocketEvent
  | { type: 'owner.prepared' }
  | { type: 'owner.failed'; cause: Report }
  | { type: 'holds.emptied' };

export type BackendCommand =
  /** Choose a server for the next attempt; `cause` says why the last one was not the last. */
  | { type: 'server.choose'; attempt: number; cause: Cause | undefined }
  /** The choice is no longer wanted. */
  | { type: 'server.forget' }
  /** The owner starts afresh: servers that were excluded may be tried again. */
  | { type: 'server.restore' }
  /** An established connection is gone: the other servers are tried first. It is no failed attempt. */
  | { type: 'server.drop' }
  /** The owner wants this connection replaced: that is no failed attempt. */
  | { type: 'server.renew' }
  /** No attempt follows until the owner asks; `cause` says what became of the last one. */
  | { type: 'server.rest'; attempt: number; cause: Cause | undefined }
  | { type: 'socket.open'; incarnation: number }
  | SocketCommand
  | { type: 'owner.prepare'; incarnation: number; repair: boolean }
  | { type: 'owner.establish'; incarnation: number }
  | { type: 'owner.drop'; incarnation: number; cause: Cause }
  | { type: 'owner.release'; incarnation: number }
  | { type: 'owner.retry'; attempt: number; delayMs: number; cause: Cause }
  | { type: 'owner.exhaust'; cause: Cause }
  /**
   * Report `holds.emptied` as soon as this incarnation has no holder, which may be now. A holder is code of the owner's that
   * uses the connection; a hook that prepares it is one, too.
   */
  | { type: 'holds.await' }
  /** The same, and tell the holders to let go. */
  | { type: 'holds.revoke' };

interface Given {
  readonly context: BackendContext;
}

interface GivenEvent extends Given {
  readonly event: { readonly type: string; readonly delayMs?: number };
}

/** All fields at once: a spread would make an object for each backend that nothing keeps. */
export const startOf = ({ input: { settings } }: { readonly input: BackendInput }): BackendContext => ({
  settings,
  sent: 'nothing',
  ending: 'aborted',
  closeTimeoutMs: settings.closeTimeout,
  cause: undefined,
  incarnation: 0,
  attempts: 0,
  loss: 'none',
  backoffMs: 0,
});

// Context.
export const deferredMs = ({ event }: GivenEvent): number => event.delayMs ?? 0;
export const nextIncarnation = ({ context }: Given): number => context.incarnation + 1;
export const nextAttempt = ({ context }: Given): number => context.attempts + 1;
export const lossOf = ({ context }: Given): BackendContext['loss'] => (context.settings.onDemand ? 'rest' : 'repair');
export const lossOnceAsked = ({ context: { loss } }: Given): BackendContext['loss'] =>
  loss === 'rest' ? 'repair' : loss;
const CONNECTING: CauseHint = { phase: 'connecting' };
/** A socket may close without an error. */
export const closedUnexplained = ({ context, event }: GivenEvent): Cause => context.cause ?? causeOf(event, CONNECTING);

// Commands.
/** `attempt`: how many attempts were made; of `retry`: the number of the next one. */
export const choose = ({ context }: Given): BackendCommand => ({
  type: 'server.choose',
  attempt: context.attempts,
  cause: context.cause,
});
export const rest = ({ context }: Given): BackendCommand => ({
  type: 'server.rest',
  attempt: context.attempts,
  cause: context.cause,
});
export const open = ({ context }: Given): BackendCommand => ({ type: 'socket.open', incarnation: context.incarnation });
export const prepare = ({ context }: Given): BackendCommand => ({
  type: 'owner.prepare',
  incarnation: context.incarnation,
  repair: context.loss !== 'none',
});
export const establish = ({ context }: Given): BackendCommand => ({
  type: 'owner.establish',
  incarnation: context.incarnation,
});
export const drop = ({ context }: Given): BackendCommand => ({
  type: 'owner.drop',
  incarnation: context.incarnation,
  cause: context.cause as Cause,
});
export const release = ({ context }: Given): BackendCommand => ({
  type: 'owner.release',
  incarnation: context.incarnation,
});
export const retry = ({ context }: Given): BackendCommand => ({
  type: 'owner.retry',
  attempt: context.attempts + 1,
  delayMs: context.backoffMs,
  cause: context.cause as Cause,
});
export const exhaust = ({ context }: Given): BackendCommand => ({
  type: 'owner.exhaust',
  cause: context.cause as Cause,
});

// Guards.
export const isPersistent = ({ context }: Given): boolean => context.settings.persistent;
export const isUnwanted = ({ context }: Given): boolean => context.loss === 'rest';
export const hasAttemptsLeft = ({ context }: Given): boolean => context.attempts < context.settings.attemptsMax;

// Delays.
export const queueTimeout = ({ context }: Given): number => context.settings.queueTimeout;
export const connectTimeout = ({ context }: Given): number => context.settings.connectTimeout;
export const prepareTimeout = ({ context }: Given): number => context.settings.prepareTimeout;
export const disposeTimeout = ({ context }: Given): number => context.settings.disposeTimeout;
export const holdTimeout = ({ context }: Given): number => context.settings.holdTimeout;
export const stableAfter = ({ context }: Given): number => context.settings.stableAfter;
export const cooldown = ({ context }: Given): number => context.settings.cooldown;
export const backoff = ({ context }: Given): number => context.backoffMs;
