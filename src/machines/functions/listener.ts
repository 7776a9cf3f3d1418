/** Events, commands and context of the listener's machine, and its functions. */
import type { CLIENT_LIMITS, LISTENER_LIMITS, SettingsOf } from '../limits.js';
import { type Cause, type Ending, NEVER_MS, type Outcome, type Report } from '../vocabulary.js';

/** What all listeners of one configuration share; the limits of its clients bound the end of a cut, too. */
export interface ListenerSettings
  extends SettingsOf<typeof LISTENER_LIMITS>,
    Pick<SettingsOf<typeof CLIENT_LIMITS>, 'abortTimeout' | 'lingerMax'> {
  /** How long a drain waits for clients that were not admitted before it, in milliseconds. */
  readonly admissionTimeout: number;
}

export interface ListenerInput {
  readonly settings: ListenerSettings;
}

export interface ListenerContext {
  readonly settings: ListenerSettings;
  /** Clients alive. */
  clients: number;
  /** Attempts to bind since it last listened. */
  attempts: number;
  drainTimeoutMs: number;
  /** False once its clients were cut. */
  flushed: boolean;
  /** Why the last thing happened that needs a reason; undefined at first. */
  cause: Cause | undefined;
}

export type ListenerEvent =
  | { type: 'listener.start' }
  /** Stop accepting for a while; clients live on. */
  | { type: 'listener.suspend' }
  | { type: 'listener.resume' }
  /** The owner ends the listener when the clients are gone. */
  | { type: 'listener.close'; timeoutMs?: number; cause?: Report }
  /** The owner ends the listener and cuts its clients; with `deliver`, a deadline of the proxy's. */
  | { type: 'listener.abort'; cause?: Report; deliver?: boolean }
  | { type: 'server.listening' }
  | { type: 'server.failed'; cause: Report }
  /** The server was closed by other code than the listener. */
  | { type: 'server.closed' }
  | { type: 'client.arrived'; socket: unknown }
  | { type: 'client.closed' }
  /** The clients that were not admitted have been turned away, and there are others. */
  | { type: 'clients.served' };

export type ListenerCommand =
  | { type: 'server.listen' }
  /** Close the handle, and do it even if that throws. */
  | { type: 'server.close' }
  /** Remove the path of a Unix socket whose handle is closed; if that fails, tell the owner, and no more. */
  | { type: 'path.unlink' }
  | { type: 'client.adopt'; socket: unknown }
  | { type: 'client.refuse'; socket: unknown }
  /** Turn away the clients that were not admitted yet, and report `clients.served` if there are others. */
  | { type: 'admissions.refuse'; cause: Report }
  /** Reset them at once; with `deliver`, let the sockets of those linger whose last byte and FIN are sent. */
  | { type: 'clients.abort'; cause: Cause; deliver: boolean }
  | { type: 'owner.listening' }
  | { type: 'owner.retry'; attempt: number; delayMs: number; cause: Cause }
  | { type: 'owner.warn'; cause: Cause };

interface Given {
  readonly context: ListenerContext;
}

interface GivenEvent extends Given {
  readonly event: {
    readonly type: string;
    readonly timeoutMs?: number;
    readonly deliver?: boolean;
    readonly socket?: unknown;
  };
}

export const startOf = ({ input: { settings } }: { readonly input: ListenerInput }): ListenerContext => ({
  settings,
  clients: 0,
  attempts: 0,
  drainTimeoutMs: settings.drainTimeout,
  flushed: true,
  cause: undefined,
});

export const outcomeOf = ({ context, event }: Given & { readonly event: { readonly output?: unknown } }): Outcome => ({
  ending: event.output as Ending,
  cause: context.cause as Cause,
  flushed: context.flushed,
});

// Context.
export const askedDrainTimeout = ({ context, event }: GivenEvent): number =>
  event.timeoutMs ?? context.settings.drainTimeout;
export const nextAttempt = ({ context }: Given): number => context.attempts + 1;
export const oneMore = ({ context }: Given): number => context.clients + 1;
export const oneLess = ({ context }: Given): number => context.clients - 1;

// Commands.
export const adopt = ({ event }: GivenEvent): ListenerCommand => ({ type: 'client.adopt', socket: event.socket });
export const refuse = ({ event }: GivenEvent): ListenerCommand => ({ type: 'client.refuse', socket: event.socket });
export const refuseAdmissions = (code: string): ListenerCommand => ({
  type: 'admissions.refuse',
  cause: { initiator: 'library', manner: 'timeout', code },
});
export const abort = ({ context }: Given): ListenerCommand => ({
  type: 'clients.abort',
  cause: context.cause as Cause,
  deliver: false,
});
export const cut = ({ context }: Given): ListenerCommand => ({
  type: 'clients.abort',
  cause: context.cause as Cause,
  deliver: true,
});
export const retry = ({ context }: Given): ListenerCommand => ({
  type: 'owner.retry',
  attempt: context.attempts + 1,
  delayMs: context.settings.bindBackoff,
  cause: context.cause as Cause,
});
export const warn = ({ context }: Given): ListenerCommand => ({ type: 'owner.warn', cause: context.cause as Cause });

// Guards.
export const hasBindAttemptsLeft = ({ context }: Given): boolean => context.attempts < context.settings.bindAttempts;
export const hasClients = ({ context }: Given): boolean => context.clients > 0;
export const isDeadline = ({ event }: GivenEvent): boolean => event.deliver === true;
export const hasClientsAtDeadline = (given: GivenEvent): boolean => isDeadline(given) && hasClients(given);
export const isFull = ({ context }: Given): boolean => context.clients >= context.settings.clientsMax;
export const isLastPlace = ({ context }: Given): boolean => context.clients + 1 >= context.settings.clientsMax;
export const isLastClient = ({ context }: Given): boolean => context.clients === 1;

// Delays.
export const bindBackoff = ({ context }: Given): number => context.settings.bindBackoff;
export const drainTimeout = ({ context }: Given): number => context.drainTimeoutMs;
export const admissionTimeout = ({ context }: Given): number => context.settings.admissionTimeout;
export const abortTimeout = ({ context }: Given): number => context.settings.abortTimeout;
export const cutTimeout = ({ context: { settings } }: Given): number =>
  Math.min(NEVER_MS, settings.lingerMax + settings.abortTimeout);
