/** The words of the client's machine, and its functions that no other machine shares. */
import type { CLIENT_LIMITS, SettingsOf } from '../limits.js';
import type { Cause, Report, Sent, Words } from '../vocabulary.js';
import { type ConnectionContext, connectionStart, type SocketCommand, type SocketEvent } from './connection.js';

export { willBeRefused } from './outcome.js';

/** What all clients of one listener share. */
export interface ClientSettings extends SettingsOf<typeof CLIENT_LIMITS> {
  /** A TLS handshake comes before admission. Default `false`. */
  readonly speaksTls?: boolean;
  /** A PROXY header comes first. Default `false`. */
  readonly isProxied?: boolean;
}

export interface ClientInput {
  readonly settings: ClientSettings;
}

export type ClientContext = ConnectionContext<ClientSettings>;

export type ClientEvent =
  /** The owner ends the client, gracefully. */
  | { type: 'client.close'; timeoutMs?: number; cause?: Report }
  /**
   * The owner ends the client at once. With `deliver` it is not the owner's wish, but a deadline or the loss of the
   * backend: a stream that is complete is then let go of, and not reset.
   */
  | { type: 'client.abort'; cause?: Report; deliver?: boolean }
  /** The owner turns the client away; with words, which are sent before its end. */
  | { type: 'client.refuse'; words?: Words; cause?: Report }
  /** The owner gives the socket to other code. */
  | { type: 'client.handOver' }
  | SocketEvent
  /** The PROXY header is read: the client's address is known, and what follows are its first bytes. */
  | { type: 'header.done' }
  | { type: 'header.failed'; cause: Report }
  /** The TLS socket is there: it takes the place of the socket that was accepted. */
  | { type: 'handshake.done' }
  | { type: 'handshake.failed'; cause: Report }
  | { type: 'owner.admitted' }
  | { type: 'owner.refused'; cause: Report };

export type ClientCommand =
  | SocketCommand
  /** Read the PROXY header. */
  | { type: 'header.begin' }
  /** The last words to a client that is turned away. */
  | { type: 'socket.write'; words: Words }
  | { type: 'handshake.begin' }
  /** The handshake has failed: destroy the socket once the alert that says why is sent. */
  | { type: 'handshake.end' }
  /** A client was accepted; what happens before its admission follows. */
  | { type: 'owner.accept' }
  /** Decide whether this client may stay. */
  | { type: 'owner.admit' }
  | { type: 'owner.establish' }
  | { type: 'owner.drop'; cause: Cause }
  | { type: 'owner.release' }
  /** Give the socket to its new owner: no listener of the old one is on it. */
  | { type: 'socket.give' };

export const startOf = ({ input: { settings } }: { readonly input: ClientInput }): ClientContext =>
  connectionStart(settings);

interface Given {
  readonly context: ClientContext;
}

interface GivenWords {
  readonly event: { readonly type: string; readonly words?: Words };
}

/** The hook may have written before the client was established, and has perhaps sent its last byte. */
export const someOrAll = ({ context }: Given): Sent => (context.sent === 'all' ? 'all' : 'some');
export const drop = ({ context }: Given): ClientCommand => ({ type: 'owner.drop', cause: context.cause as Cause });
export const writeWords = ({ event }: GivenWords): ClientCommand => ({
  type: 'socket.write',
  words: event.words as Words,
});

export const isProxied = ({ context }: Given): boolean => context.settings.isProxied === true;
export const hasWords = ({ event }: GivenWords): boolean => event.words !== undefined;
export const speaksTls = ({ context }: Given): boolean => context.settings.speaksTls === true;

export const proxyHeaderTimeout = ({ context }: Given): number => context.settings.proxyHeaderTimeout;
export const acceptTimeout = ({ context }: Given): number => context.settings.acceptTimeout;
