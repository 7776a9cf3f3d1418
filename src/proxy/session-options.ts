/** What a session can be told, and the checks of that: for a client of your own, by {@link createSession}. */
import {
  type BackendConfig,
  type BackendOptions,
  type BackendSocketOptions,
  backendConfig,
  type DialLimits,
  type PrepareHook,
} from '../adapters/backend-options.js';
import type { Client } from '../adapters/client.js';
import { NotEstablishedError, OptionError } from '../errors.js';
import { environmentOf, HANDLE_OPTIONS, type HandleOptions } from '../handle.js';
import { BUFFER_LIMITS, DIAL_LIMITS, namesOf, SESSION_LIMITS } from '../machines/limits.js';
import type { SessionSettings } from '../machines/session.js';
import { NEVER_MS } from '../machines/vocabulary.js';
import {
  signal as checkSignal,
  everyOption,
  flag,
  hook,
  limits,
  onlyKnown,
  type Timeout,
  timeout,
} from '../options.js';
import { TAKEN_OVER } from '../sockets/socket.js';
import { SERVERS_OPTIONS, type ServersOptions } from '../upstream/servers-options.js';
import { Session, type SessionConfig, type SessionOwner } from './session.js';
import { checkedKey, checkedTarget, type RefusalHook, type Target } from './target.js';
import { checkedTransforms, type TransformHooks } from './transform.js';

/** The limits of sessions. */
export interface SessionLimits {
  /** Time for all attempts to connect a backend for one client, in milliseconds. Default 15 000. */
  readonly sessionConnectTimeout?: Timeout | undefined;
  /** Time without a byte in either direction until a session is cut, at most a quarter later. Default 600 000 ms. */
  readonly idleTimeout?: Timeout | undefined;
  /** The same once one side has ended, in milliseconds. Default 60 000. */
  readonly halfCloseTimeout?: Timeout | undefined;
  /**
   * False ends both sides when one has sent its FIN: what it sent is delivered, and so is what was read of the other side
   * until then; what the other side sends later is thrown away. Default true: the other side sends on, until it ends too.
   */
  readonly halfClose?: boolean | undefined;
  /** How long a session may take, in milliseconds. Default: none. */
  readonly durationMax?: Timeout | undefined;
  /**
   * Bytes to read from a client before its backend is there, at most one read more. A client that resets meanwhile
   * leaves at once, unless it has sent more than that; with 0 nothing is read, and the reset is noticed only afterwards.
   * Default 16 384.
   */
  readonly connectBufferBytes?: number | undefined;
}

/** What is called for each session. */
export interface SessionHooks<Data = unknown> {
  /**
   * Makes each connection to a server ready before the first byte is relayed: a PROXY header, STARTTLS, an upstream
   * CONNECT, a login. Throwing fails the attempt, and the next one follows. It may return, or promise, the stream to go on
   * with: see {@link BackendOptions.prepare}. Bytes that it has read too many of it gives back by
   * `socket.pause().unshift(rest)`.
   *
   * @example
   * ```ts
   * prepare: (socket, { client }) => void socket.write(`PROXY TCP4 ${client.peer?.address} …\r\n`),
   * ```
   */
  readonly prepare?: PrepareHook<Client<Data>> | undefined;
  /**
   * Changes the bytes of one direction, or of both. (Code that only looks at them listens to `data` on `client.socket` or
   * `backend.connection.socket`: that changes nothing.)
   *
   * @example
   * ```ts
   * transform: { fromBackend: () => zlib.createGzip() },
   * ```
   */
  readonly transform?: TransformHooks<Data> | undefined;
  /**
   * The last words to a client that gets no backend: its route was refused, no server could be connected, or a time was up
   * (`cause` says which). They are sent, and a FIN after them: see {@link Client.refuse}. Without words the client is reset,
   * and so it is where the hook throws; the error is then in the cause of the client (`outcome.cause.error`).
   *
   * @example
   * ```ts
   * refusal: (cause) => `HTTP/1.1 ${cause.manner === 'timeout' ? '504 Gateway Timeout' : '502 Bad Gateway'}\r\n\r\n`,
   * ```
   */
  readonly refusal?: RefusalHook<Data> | undefined;
}

/** What a session of your own is told. */
export interface SessionOptions<Data = unknown>
  extends SessionHooks<Data>,
    SessionLimits,
    DialLimits,
    BackendSocketOptions,
    Omit<ServersOptions, 'clock'>,
    HandleOptions {
  /** Where the client goes. */
  readonly to: Target;
  /** For the balancer of the servers: see {@link Balancer}. */
  readonly key?: string | undefined;
  /** How long {@link Session.close} waits for the session to end by itself until it cuts it, in milliseconds. Default 30 000. */
  readonly drainTimeout?: Timeout | undefined;
}

const SESSION_OPTIONS = everyOption<SessionOptions>()(
  'to',
  'key',
  'prepare',
  'transform',
  'refusal',
  'drainTimeout',
  'halfClose',
  'noDelay',
  'keepAlive',
  ...namesOf(DIAL_LIMITS),
  ...namesOf(SESSION_LIMITS).filter((name) => name !== 'routeTimeout'),
  ...namesOf(BUFFER_LIMITS),
  ...SERVERS_OPTIONS.filter((name) => name !== 'clock'),
  ...HANDLE_OPTIONS,
);

const DRAIN_MS = 30_000;

/** No proxy is told what becomes of the session: its own events say that. */
const NO_PROXY: SessionOwner = { notify() {}, sessionClosed() {}, isLogging: false };

/**
 * Joins an established client of your own, of {@link createListener} or {@link adoptClient}, to a target, as a proxy joins
 * its clients: it connects a server, retrying and failing over, and relays bytes both ways; resets, ends and deadlines of
 * one side reach the other as what they are. From now on the client is the session's: it ends with it, and the session
 * alone says when the two are idle.
 *
 * Your own listeners on the client's socket should be off by now; what you have read too much goes back by
 * `client.socket.unshift(bytes)`.
 *
 * @throws OptionError
 * @throws NotEstablishedError for a client that is not admitted yet, or is over
 * @throws NotSupportedError for a client whose `admit` has put TLS over its socket, and has not returned it
 * @example
 * ```ts
 * const listener = createListener({ port: 8080 });
 * listener.on('client', (client) => {
 *   const session = createSession(client, { to: [{ port: 5432 }, { port: 5433 }] });
 *   session.closed.then(({ ending, cause }) => console.log(ending, cause));
 * });
 * ```
 */
export function createSession<Data>(client: Client<Data>, options: SessionOptions<Data>): Session<Data> {
  onlyKnown('createSession', options, SESSION_OPTIONS);
  const { signal: given, to, key, drainTimeout, clock = client?.clock, ...own } = options;
  const signal = checkSignal('signal', given);
  const sets: Record<string, unknown> = {};
  for (const name of SERVERS_OPTIONS) if (name in own) sets[name] = own[name as keyof typeof own];
  const target = checkedTarget('to', to, { ...sets, clock });
  const { servers } = target;
  const settings = limits(SESSION_LIMITS, options as SessionLimits & { routeTimeout?: Timeout });
  const closeTimeout = timeout('drainTimeout', drainTimeout, DRAIN_MS);
  const backend = backendConfig(options, servers, false, true, settings.sessionConnectTimeout < NEVER_MS);
  const config: SessionConfig = {
    input: { settings: { ...settings, closeTimeout, asksRoute: false } },
    environment: environmentOf({ ...options, clock }),
    backend,
    ...limits(BUFFER_LIMITS, options),
    ...endsOf(options, { ...settings, closeTimeout }, backend),
    route: undefined,
    key: undefined,
    transform: checkedTransforms(options.transform as TransformHooks | undefined),
    refusal: hook('refusal', options.refusal as RefusalHook | undefined),
    servers: {},
  };
  checkClient(client);
  const session = new Session(client, config, NO_PROXY, client);
  session.goTo({ ...target, key: checkedKey('key', key) });
  // Nothing must be emitted to listeners that are gone while the session connects.
  client.socket.pause();
  client.session = session;
  session.begin(signal);
  // It may have sent its last byte already: the session was not there to be called.
  if (client.socket.readableEnded) session.legEnded(client);
  return session;
}

/** @internal What a session does when one side has ended. */
export function endsOf(
  { halfClose }: Pick<SessionLimits, 'halfClose'>,
  { halfCloseTimeout, closeTimeout }: Pick<SessionSettings, 'halfCloseTimeout' | 'closeTimeout'>,
  { input: { settings } }: BackendConfig,
): Pick<SessionConfig, 'halfClose' | 'legCloseTimeout'> {
  return {
    halfClose: flag('halfClose', halfClose, true),
    // Before the session finds that nothing moves any more.
    legCloseTimeout: Math.min(settings.closeTimeout, halfCloseTimeout, closeTimeout),
  };
}

function checkClient(client: Client): void {
  if (typeof client?.hasTag !== 'function' || !('socket' in client)) {
    throw new OptionError('client', client, 'a client of createListener() or adoptClient()');
  }
  if (client.session !== undefined) throw new OptionError('client', client, 'a client that has no session yet');
  if (client.isTakenOver) throw TAKEN_OVER.error;
  if (client.socket.readableEncoding) {
    throw new OptionError('client', client, 'a client whose socket gives bytes, without setEncoding()');
  }
  if (!client.hasTag('linked') || !client.hasTag('served')) {
    throw new NotEstablishedError(client.id, client.state, 'call createSession() once it is established');
  }
}
