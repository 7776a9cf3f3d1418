/** What a backend can be told, and the checks of that. */

import type { Socket } from 'node:net';
import { OptionError } from '../errors.js';
import { HANDLE_OPTIONS, type HandleOptions } from '../handle.js';
import type { BackendSettings } from '../machines/backend.js';
import { BACKEND_LIMITS, namesOf } from '../machines/limits.js';
import { NEVER_MS } from '../machines/vocabulary.js';
import { everyOption, flag, hook, keepAlive, limits, type Timeout, timeout } from '../options.js';
import type { Server } from '../upstream/server.js';
import type { ServerOptions } from '../upstream/server-options.js';
import { Servers } from '../upstream/servers.js';
import { SERVERS_OPTIONS, type ServersOptions } from '../upstream/servers-options.js';
import { BOUNDED_BY_SESSION, type Client } from './client.js';

/**
 * What a hook that makes a fresh connection ready gets besides the socket. `For` is the type of its client: `undefined`
 * for a backend of your own.
 */
export interface PrepareContext<For extends Client | undefined = Client | undefined> {
  /** The number of the socket, counted by this backend from 1. */
  readonly incarnation: number;
  /** The server that the connection goes to. */
  readonly server: Server;
  /** The client that the connection is for; nothing for a backend of your own, which serves no client. */
  readonly client: For;
  /** Fires when the connection is no longer wanted: it is lost, was closed, or took too long. */
  readonly signal: AbortSignal;
}

/**
 * Makes a fresh connection ready. A stream that it returns, or promises, is the one to go on with, in place of the socket
 * that it was given: see {@link BackendOptions.prepare}. Anything else that it returns means nothing.
 */
export type PrepareHook<For extends Client | undefined = Client | undefined> = (
  socket: Socket,
  context: PrepareContext<For>,
) => unknown;

/** The limits of attempts to connect. */
export interface DialLimits {
  /**
   * Attempts in a row that may fail. Default: no limit if persistent, and none for a session whose
   * `sessionConnectTimeout` bounds them; else one per server and at least 3.
   */
  readonly attemptsMax?: number | undefined;
  /** Time to wait for a place when every server is full, in milliseconds. Default 10 000. */
  readonly queueTimeout?: Timeout | undefined;
  /** Time for one attempt to connect, the TLS handshake included, in milliseconds. Default 5 000. */
  readonly connectTimeout?: Timeout | undefined;
  /** Time for a destroyed socket to close, in milliseconds. Default 1 000. */
  readonly disposeTimeout?: Timeout | undefined;
  /** Time for the hooks `prepare` and `repair` together, in milliseconds. Default 10 000. */
  readonly prepareTimeout?: Timeout | undefined;
  /** Time for holders and hooks to let go after they were told, in milliseconds. Default 5 000. */
  readonly holdTimeout?: Timeout | undefined;
}

export interface BackendLimits extends DialLimits {
  /**
   * Time without a byte in either direction until an established connection is reset, at most a quarter later, in
   * milliseconds; a persistent backend then connects anew. Default: no limit. A session bounds its backend by itself.
   */
  readonly idleTimeout?: Timeout | undefined;
  /**
   * The same once one side has ended, in milliseconds; that is the end of the backend. Default 60 000. Where it was our
   * side, the server is not reset but let go of: see `lingerTimeout`.
   */
  readonly halfCloseTimeout?: Timeout | undefined;
  /**
   * Time for a graceful close, in milliseconds. Default 10 000. Then the connection is reset, unless every byte and our
   * FIN were sent: in that case it is let go of (see `lingerTimeout`).
   */
  readonly closeTimeout?: Timeout | undefined;
  /** Time for an aborted socket to close, in milliseconds. Default 1 000. */
  readonly abortTimeout?: Timeout | undefined;
  /**
   * A deadline never resets a stream whose last byte and FIN are sent: the system delivers them, however slowly the
   * server reads. But it would reset a socket that is closed while the server still sends; so what comes is read and
   * thrown away, and the socket is closed when nothing has come for this time, in milliseconds. Default 5 000.
   */
  readonly lingerTimeout?: Timeout | undefined;
  /** How long that may take in all, until the connection is reset after all, in milliseconds. Default 30 000. */
  readonly lingerMax?: Timeout | undefined;
  /** How long a connection must stay up until failures are counted anew, in milliseconds. Default 10 000. */
  readonly stableAfter?: Timeout | undefined;
}

/** Options of the socket to a server. */
export interface BackendSocketOptions {
  /** `TCP_NODELAY` on the socket; with false it stays as a server's own `connect` has left it. Default true. */
  readonly noDelay?: boolean | undefined;
  /**
   * TCP keep-alive with this idle time, in milliseconds (at least 1 000; whole seconds count); `false` for none. A peer
   * that vanished is found out 10 seconds later. Default false: it stays as a server's own `connect` has left it.
   */
  readonly keepAlive?: number | false | undefined;
}

export interface BackendOptions extends BackendLimits, BackendSocketOptions, ServersOptions, HandleOptions {
  /** Where to connect: a list, or a {@link Servers} shared with other backends. */
  readonly servers: readonly ServerOptions[] | Servers;
  /** True: a drop is followed by a new connection. False: one conversation. Default true. */
  readonly persistent?: boolean | undefined;
  /**
   * When a persistent backend connects again after a drop: `always`, or `onDemand`, which is after the next
   * {@link Backend.connect}. Until then it rests, and makes no attempt; `ready()` waits. On demand, `attemptsMax` is one
   * per server and at least 3 by default, and an exhausted backend waits for `connect()`. For loggers and RPC clients.
   * Default `always`.
   */
  readonly reconnect?: 'always' | 'onDemand' | undefined;
  /**
   * What a persistent backend does when it is exhausted: try on at the slowest pace (default), or wait for `connect()`.
   * A server that was excluded until it is restored is tried again only after `connect()` or {@link Servers.restore}.
   */
  readonly whenExhausted?: 'continue' | 'wait' | undefined;
  /**
   * Makes each fresh connection ready (STARTTLS, a PROXY header, an upstream CONNECT, a login) before it is offered.
   * Throwing fails the attempt.
   *
   * It may return, or promise, the stream to go on with: a `tls.TLSSocket` over the socket that it was given (the library
   * waits for its handshake), a WebSocket stream, or another `Duplex` of bytes. Users see that stream as
   * `connection.socket`. A reset is then one of the socket below, and the two are closed together.
   *
   * @example
   * ```ts
   * async prepare(socket, { signal }) {
   *   socket.write('STARTTLS\r\n');
   *   await once(socket, 'data', { signal });
   *   return tls.connect({ socket, servername: 'db.example.com' });
   * }
   * ```
   */
  readonly prepare?: PrepareHook | undefined;
  /** Runs after `prepare` on the first connection after a drop: replays what was unanswered. */
  readonly repair?: PrepareHook | undefined;
}

export const BACKEND_OPTIONS = everyOption<BackendOptions>()(
  'servers',
  'persistent',
  'reconnect',
  'whenExhausted',
  'prepare',
  'repair',
  'noDelay',
  'keepAlive',
  ...namesOf(BACKEND_LIMITS),
  ...SERVERS_OPTIONS,
  ...HANDLE_OPTIONS,
);

/** @internal What all backends of one configuration share. */
export interface BackendConfig {
  readonly input: { readonly settings: BackendSettings };
  readonly servers: Servers;
  /** The set was made for this backend alone, and ends with it. */
  readonly ownsServers: boolean;
  readonly prepare: PrepareHook | undefined;
  readonly repair: PrepareHook | undefined;
  readonly noDelay: boolean;
  readonly keepAlive: number | false;
  /** True when the owner takes its own listeners off: then they need not be compared. */
  readonly ownerUnlinks: boolean;
}

/**
 * @internal Checks the options of a backend, once for all that share them.
 *
 * @param isBounded true where attempts need no limit by default, since something else ends them
 */
export function backendConfig(
  options: BackendLimits &
    BackendSocketOptions &
    Pick<BackendOptions, 'reconnect' | 'whenExhausted' | 'repair'> & {
      readonly prepare?: PrepareHook<never> | undefined;
    },
  servers: Servers,
  persistent: boolean,
  ownerUnlinks: boolean,
  isBounded = persistent,
): BackendConfig {
  const { reconnect = 'always' } = options;
  if (reconnect !== 'always' && reconnect !== 'onDemand') {
    throw new OptionError('reconnect', reconnect, '"always" or "onDemand"');
  }
  const onDemand = reconnect === 'onDemand';
  if (onDemand && !persistent) throw new OptionError('reconnect', reconnect, 'left out where persistent is false');
  const { whenExhausted = onDemand ? 'wait' : 'continue' } = options;
  if (onDemand && whenExhausted === 'continue') {
    throw new OptionError('whenExhausted', whenExhausted, '"wait", or left out, where reconnect is "onDemand"');
  }
  if (whenExhausted !== 'continue' && whenExhausted !== 'wait') {
    throw new OptionError('whenExhausted', whenExhausted, '"continue" or "wait"');
  }
  return {
    input: {
      settings: {
        ...limits(BACKEND_LIMITS, options, {
          attemptsMax: isBounded && !onDemand ? Number.POSITIVE_INFINITY : Math.max(3, servers.list.length),
        }),
        ...(ownerUnlinks && BOUNDED_BY_SESSION),
        // A conversation is never dialled again once it was established: there is nothing to count anew.
        ...(!persistent && { stableAfter: NEVER_MS }),
        persistent,
        onDemand,
        cooldown: timeout('cooldown', whenExhausted === 'wait' ? false : servers.slowestPaceMs, 0),
      },
    },
    servers,
    ownsServers: false,
    prepare: hook('prepare', options.prepare as PrepareHook | undefined),
    repair: hook('repair', options.repair),
    noDelay: flag('noDelay', options.noDelay, true),
    keepAlive: keepAlive('keepAlive', options.keepAlive),
    ownerUnlinks,
  };
}

/** @internal The set of servers that options name, or the one that they share. */
export function serversOf(options: ServersOptions & { readonly servers: BackendOptions['servers'] }): Servers {
  const own: Record<string, unknown> = {};
  for (const name of SERVERS_OPTIONS) if (options[name] !== undefined) own[name] = options[name];
  if (!(options.servers instanceof Servers)) return new Servers(options.servers, own);
  for (const name of Object.keys(own)) {
    if (name !== 'clock' && name !== 'runtime')
      throw new OptionError(name, own[name], 'given to the Servers that are shared');
  }
  return options.servers;
}
