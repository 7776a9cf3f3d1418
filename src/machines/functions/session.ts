/** The words of the session's machine, and its functions. */
import type { SESSION_LIMITS, SettingsOf } from '../limits.js';
import {
  type Cause,
  type CauseHint,
  causeOf,
  type Ending,
  type Outcome,
  probeEvery,
  type Report,
  type Words,
} from '../vocabulary.js';

export { willBeAborted, willBeClosed, willBeDropped, willBeHandedOver, willBeRefused } from './outcome.js';

/** What all sessions of one proxy share. */
export interface SessionSettings extends SettingsOf<typeof SESSION_LIMITS> {
  /** The `drainTimeout` of the proxy. */
  readonly closeTimeout: number;
  /** Whether a hook says where each client goes; otherwise all go to the same servers. */
  readonly asksRoute: boolean;
}

export interface SessionInput {
  readonly settings: SessionSettings;
}

export interface SessionContext {
  readonly settings: SessionSettings;
  closeTimeoutMs: number;
  /** How it will have ended once both legs are gone. */
  ending: Ending;
  /** True once it was closed before there was a backend to relay to: the client's bytes were thrown away. */
  isClosedEarly: boolean;
  /** Why the last thing happened that needs a reason; undefined at first. */
  cause: Cause | undefined;
}

export type SessionEvent =
  /** The owner wants it to end by itself soon; a session that lasts longer is cut. */
  | { type: 'session.close'; timeoutMs?: number; cause?: Report }
  /** The owner cuts it; with `deliver`, a deadline of the proxy's. */
  | { type: 'session.abort'; cause?: Report; deliver?: boolean }
  /** The owner turns the client away, perhaps with words. */
  | { type: 'session.refuse'; words?: Words; cause?: Report }
  /** The client has sent its last byte, and the relay has passed on all before it. */
  | { type: 'client.ended' }
  /** What was written to the client, and the FIN, are with the system. Reported where half-open streams are not wanted. */
  | { type: 'client.finished' }
  /** The client has ended for good. */
  | { type: 'client.closed'; ending: Ending; cause: Cause; flushed: boolean }
  /** The client was given to other code: it is no leg of this session any more. */
  | { type: 'client.handedOver' }
  /** The owner has said where the client goes. */
  | { type: 'route.chosen' }
  /** The owner turns the client away. */
  | { type: 'route.refused'; cause: Report }
  | { type: 'backend.established' }
  | { type: 'backend.ended' }
  | { type: 'backend.finished' }
  | { type: 'backend.closed'; ending: Ending; cause: Cause; flushed: boolean }
  /** The relay was probed and has made no progress for the whole timeout. */
  | { type: 'relay.idled' };

export type SessionCommand =
  /** Report `route.chosen` or `route.refused`, which may be now. */
  | { type: 'client.route' }
  /** A route is no longer wanted. */
  | { type: 'route.revoke' }
  /** No backend comes up for the client: it is turned away, with these words or those of the owner’s hook. */
  | { type: 'client.turnAway'; cause: Cause; words: Words | undefined }
  | { type: 'backend.connect' }
  | { type: 'relay.start' }
  /** Compare the byte counters; report `relay.idled` if they have stood still for too long. */
  | { type: 'relay.probe' }
  /** Pass a FIN on. */
  | { type: 'client.end' }
  | { type: 'backend.end' }
  /** Close the leg: what its peer still sends is read and thrown away. */
  | { type: 'client.close'; cause: Cause }
  | { type: 'backend.close'; cause: Cause }
  /** Reset the leg, after what was read for it is written out; let its socket linger if its FIN is sent by then. */
  | { type: 'client.reset'; cause: Cause }
  | { type: 'backend.reset'; cause: Cause }
  /** Reset the leg at once; with `deliver`, let its socket linger if its last byte and FIN are sent. */
  | { type: 'client.abort'; cause: Cause; deliver: boolean }
  | { type: 'backend.abort'; cause: Cause; deliver: boolean };

interface Given {
  readonly context: SessionContext;
}

interface GivenEvent extends Given {
  readonly event: {
    readonly type: string;
    readonly timeoutMs?: number;
    readonly deliver?: boolean;
    readonly ending?: Ending;
    readonly flushed?: boolean;
    readonly cause?: Report;
    readonly words?: Words;
  };
}

const CLOSING: CauseHint = { phase: 'closing' };

export const startOf = ({ input: { settings } }: { readonly input: SessionInput }): SessionContext => ({
  settings,
  closeTimeoutMs: settings.closeTimeout,
  ending: 'ended',
  isClosedEarly: false,
  cause: undefined,
});

/** True while every byte may still arrive. */
const isIntact = ({ ending, isClosedEarly }: SessionContext): boolean =>
  (ending === 'ended' || ending === 'closed') && !isClosedEarly;

export const outcomeOf = ({ context, event }: Given & { readonly event: { readonly output?: unknown } }): Outcome => ({
  ending: event.output as Ending,
  cause: context.cause as Cause,
  flushed: isIntact(context),
});

// Context.
export const askedCloseTimeout = ({ context, event }: GivenEvent): number =>
  event.timeoutMs ?? context.settings.closeTimeout;
/** A leg that was closed or aborted through its own handle was not lost. */
export const endingOfLoss = ({ event }: GivenEvent): Ending => (event.ending === 'dropped' ? 'dropped' : 'aborted');
/** A leg has ended with every byte: its streams are over, or it was closed. */
const hasEndedWell = ({ ending, flushed }: GivenEvent['event']): boolean =>
  ending === 'ended' || (ending === 'closed' && flushed === true);
/** Both streams had ended, but one could not be delivered to its end. What was cut or lost before stays so. */
export const undelivered = (given: GivenEvent): Partial<SessionContext> =>
  isIntact(given.context) && given.event.ending !== undefined && !hasEndedWell(given.event)
    ? { ending: endingOfLoss(given), cause: causeOf(given.event, CLOSING) }
    : {};
export const cutShort = ({ context, event }: GivenEvent): Partial<SessionContext> =>
  isIntact(context) ? { ending: 'aborted', cause: causeOf(event, CLOSING) } : {};

// Commands.
export const closeClient = ({ context }: Given): SessionCommand => ({
  type: 'client.close',
  cause: context.cause as Cause,
});
export const closeBackend = ({ context }: Given): SessionCommand => ({
  type: 'backend.close',
  cause: context.cause as Cause,
});
/** Only the owner's own abort resets a stream that is complete. */
const delivers = (event: GivenEvent['event']): boolean => event.type !== 'session.abort' || event.deliver === true;
export const turnAwayClient = ({ context, event }: GivenEvent): SessionCommand => ({
  type: 'client.turnAway',
  cause: context.cause as Cause,
  words: event.words,
});
export const resetClient = ({ context }: Given): SessionCommand => ({
  type: 'client.reset',
  cause: context.cause as Cause,
});
export const resetBackend = ({ context }: Given): SessionCommand => ({
  type: 'backend.reset',
  cause: context.cause as Cause,
});
export const abortClient = ({ context, event }: GivenEvent): SessionCommand => ({
  type: 'client.abort',
  cause: context.cause as Cause,
  deliver: delivers(event),
});
export const abortBackend = ({ context, event }: GivenEvent): SessionCommand => ({
  type: 'backend.abort',
  cause: context.cause as Cause,
  deliver: delivers(event),
});

// Guards.
export const asksRoute = ({ context }: Given): boolean => context.settings.asksRoute;

// Delays.
export const routeTimeout = ({ context }: Given): number => context.settings.routeTimeout;
export const sessionConnectTimeout = ({ context }: Given): number => context.settings.sessionConnectTimeout;
export const idleProbe = ({ context }: Given): number => probeEvery(context.settings.idleTimeout);
export const halfCloseProbe = ({ context }: Given): number => probeEvery(context.settings.halfCloseTimeout);
/** What is only left to be delivered has no reason to stand still, also where half-open streams may. */
export const finishProbe = ({ context: { settings } }: Given): number =>
  probeEvery(Math.min(settings.halfCloseTimeout, settings.closeTimeout));
export const durationMax = ({ context }: Given): number => context.settings.durationMax;
export const closeTimeout = ({ context }: Given): number => context.closeTimeoutMs;
