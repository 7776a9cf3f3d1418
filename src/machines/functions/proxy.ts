/** Events, commands and context of the proxy's machine, and its functions. */
import type { PROXY_LIMITS, SettingsOf } from '../limits.js';
import { type Cause, type Ending, NEVER_MS, type Outcome, type Report } from '../vocabulary.js';

export { willBeAborted, willBeClosed } from './outcome.js';

export type ProxySettings = Pick<SettingsOf<typeof PROXY_LIMITS>, 'drainTimeout' | 'abortTimeout' | 'lingerMax'>;

export interface ProxyInput {
  readonly settings: ProxySettings;
}

export interface ProxyContext {
  readonly settings: ProxySettings;
  drainTimeoutMs: number;
  /** How it will have ended once all parts are gone. */
  ending: Ending;
  /** Why the last thing happened that needs a reason; undefined at first. */
  cause: Cause | undefined;
}

export type ProxyEvent =
  | { type: 'proxy.start' }
  /** The owner stops it when its sessions have ended. */
  | { type: 'proxy.close'; timeoutMs?: number; cause?: Report }
  /** The owner stops it now. */
  | { type: 'proxy.abort'; cause?: Report }
  /** Every backend that stays up is established; there may be none. */
  | { type: 'backends.established' }
  | { type: 'backends.failed'; cause: Report }
  | { type: 'backends.closed' }
  /** Every listener is bound but for those that were closed through their own handles. */
  | { type: 'listeners.bound' }
  /** A listener was lost, or the last one was closed through its own handle. */
  | { type: 'listeners.failed'; cause: Report }
  | { type: 'listeners.closed' }
  /** The last client and the last session are gone. */
  | { type: 'sessions.emptied' }
  /** The clients that had no session have been turned away, and there are sessions. */
  | { type: 'sessions.served' };

export type ProxyCommand =
  | { type: 'backends.connect' }
  /** Report `backends.closed` when the last one is, which may be now. */
  | { type: 'backends.close' }
  /** As the other aborts: with `deliver`, complete streams are not reset; their sockets linger. */
  | { type: 'backends.abort'; cause: Cause; deliver: boolean }
  | { type: 'listeners.start' }
  | { type: 'listeners.close' }
  | { type: 'listeners.abort'; cause: Cause; deliver: boolean }
  /** Report `listeners.closed` when the last one is, which may be now. */
  | { type: 'listeners.await' }
  /** Report `sessions.emptied` when the last one has ended, which may be now. */
  | { type: 'sessions.await' }
  /** Turn away the clients that were not admitted yet, and report `sessions.served` if there are sessions. */
  | { type: 'admissions.refuse'; cause: Report }
  | { type: 'sessions.abort'; cause: Cause; deliver: boolean }
  | { type: 'owner.running' };

interface Given {
  readonly context: ProxyContext;
}

interface GivenEvent extends Given {
  readonly event: { readonly type: string; readonly timeoutMs?: number };
}

export const startOf = ({ input: { settings } }: { readonly input: ProxyInput }): ProxyContext => ({
  settings,
  drainTimeoutMs: settings.drainTimeout,
  ending: 'closed',
  cause: undefined,
});

export const outcomeOf = ({ context, event }: Given & { readonly event: { readonly output?: unknown } }): Outcome => ({
  ending: event.output as Ending,
  cause: context.cause as Cause,
  flushed: context.ending === 'closed',
});

// Context.
export const askedDrainTimeout = ({ context, event }: GivenEvent): number =>
  event.timeoutMs ?? context.settings.drainTimeout;

// Commands.
/** Only the owner's own abort resets a stream that is complete. */
const delivers = ({ type }: GivenEvent['event']): boolean => type !== 'proxy.abort';
export const abortBackends = ({ context, event }: GivenEvent): ProxyCommand => ({
  type: 'backends.abort',
  cause: context.cause as Cause,
  deliver: delivers(event),
});
export const abortListeners = ({ context, event }: GivenEvent): ProxyCommand => ({
  type: 'listeners.abort',
  cause: context.cause as Cause,
  deliver: delivers(event),
});
export const abortSessions = ({ context, event }: GivenEvent): ProxyCommand => ({
  type: 'sessions.abort',
  cause: context.cause as Cause,
  deliver: delivers(event),
});

// Delays.
export const drainTimeout = ({ context }: Given): number => context.drainTimeoutMs;
export const abortTimeout = ({ context }: Given): number => context.settings.abortTimeout;
export const cutTimeout = ({ context: { settings } }: Given): number =>
  Math.min(NEVER_MS, settings.lingerMax + settings.abortTimeout);
