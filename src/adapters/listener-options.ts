/** Where a listener listens and what it can be told, and the checks of that. */

import type { Server as NetServer, ServerOpts } from 'node:net';
import { OptionError } from '../errors.js';
import { HANDLE_OPTIONS, type HandleOptions } from '../handle.js';
import { CLIENT_LIMITS, LISTENER_LIMITS, namesOf } from '../machines/limits.js';
import type { ListenerSettings } from '../machines/listener.js';
import { everyOption, flag, integer, keepAlive, limits, port, type Timeout, text } from '../options.js';
import { type ListenProxyProtocol, listenProxyProtocol } from '../proxy-protocol.js';
import { openFilesMax } from '../sockets/files.js';
import { bindingName, isFile } from '../sockets/unix.js';
import { type ListenTls, listenTls } from '../tls.js';
import { type ClientConfig, type ClientLimits, clientConfig } from './client.js';

/** Where to listen: a TCP port, a Unix path, an open file descriptor, or a server of your own. */
export interface ListenAddress {
  /** Address of the interface. Default: all. */
  readonly host?: string | undefined;
  /** TCP port; 0 for any free one. */
  readonly port?: number | undefined;
  /** Unix socket. A path that nothing answers on is taken over; another server's never. */
  readonly path?: string | undefined;
  /** A file descriptor that listens, as from a service manager. */
  readonly fd?: number | undefined;
  /**
   * A server that exists: listening, or with one of the above. Where your own code calls its `listen()` later, make the
   * listener or proxy in its `listening` event. It is closed with the listener.
   */
  readonly server?: NetServer | undefined;
  /** Length of the queue of connections that were not accepted yet. Default 511, as Node's. */
  readonly backlog?: number | undefined;
  /** Serve only IPv6 on `::`. Default false. */
  readonly ipv6Only?: boolean | undefined;
  /**
   * Speak TLS. The handshake is a part of a client's admission: one that fails it, or takes longer than
   * `acceptTimeout`, is refused.
   */
  readonly tls?: ListenTls | undefined;
  /**
   * Proxies whose connections begin with a PROXY header, of version 1 or 2, before TLS. The address that the header tells is
   * `client.peer`, and `client.via` has the rest. A client is refused whose header is invalid, or takes longer than
   * `proxyHeaderTimeout`. Default: no header is read.
   *
   * @example
   * ```ts
   * createProxy({ listen: { port: 443, tls, proxyProtocol: { from: ['10.0.0.0/8'] } }, servers });
   * ```
   */
  readonly proxyProtocol?: ListenProxyProtocol | undefined;
}

export const LISTEN_ADDRESS = [
  'host',
  'port',
  'path',
  'fd',
  'server',
  'backlog',
  'ipv6Only',
  'tls',
  'proxyProtocol',
] as const;

/** The limits of a listener and of its clients. */
export interface ListenerLimits<Data = unknown> extends ClientLimits<Data> {
  /**
   * Clients at once; newcomers beyond are accepted, reset and counted in `refused`. Default: what the limit on open
   * files permits.
   */
  readonly clientsMax?: number | undefined;
  /** Attempts to bind. Default 1: fail at once. */
  readonly bindAttempts?: number | undefined;
  /** Time between attempts to bind, in milliseconds. Default 1 000. */
  readonly bindBackoff?: number | undefined;
  /**
   * Time that a close waits for the clients until it cuts them, in milliseconds. Default 30 000. Clients that are still
   * being admitted get `acceptTimeout` of it, and 10 000 at most.
   */
  readonly drainTimeout?: Timeout | undefined;
  /** `TCP_NODELAY` on clients. Default true. A `server` that was given has options of its own. */
  readonly noDelay?: boolean | undefined;
  /**
   * TCP keep-alive on clients with this idle time, in milliseconds (at least 1 000; whole seconds count); `false` for
   * none. A peer that vanished is found out 10 seconds later. Default false. A `server` that was given has options of its
   * own.
   */
  readonly keepAlive?: number | false | undefined;
}

/** Options of `createListener`. `Data` is the type of `client.data`. */
export interface ListenerOptions<Data = unknown> extends ListenAddress, ListenerLimits<Data>, HandleOptions {}

/** The options of {@link ListenerLimits}. */
export const SHARED_LISTENER_OPTIONS = [
  ...namesOf(LISTENER_LIMITS),
  'noDelay',
  'keepAlive',
  'admit',
  ...namesOf(CLIENT_LIMITS),
] as const;

export const LISTENER_OPTIONS = everyOption<ListenerOptions>()(
  ...LISTEN_ADDRESS,
  ...SHARED_LISTENER_OPTIONS,
  ...HANDLE_OPTIONS,
);

/** @internal What all listeners of one configuration share. */
export interface CheckedListenerLimits {
  readonly settings: ListenerSettings;
  readonly client: ClientConfig;
  readonly serverOptions: ServerOpts;
}

/** Files that a process needs besides its connections. */
const FILES_RESERVED = 64;

/** The longest that a drain waits for an admission: a client that has said nothing yet must not hold a stop for ever. */
const DRAIN_ADMISSION_MS = 10_000;

/**
 * @internal Checks the limits of a listener, once for all that share them.
 *
 * @param filesPerClient how many files a client costs, by which its limit is compared with the process's
 */
export function listenerLimits(
  options: ListenerLimits,
  filesPerClient: number,
  ownerUnlinks: boolean,
): CheckedListenerLimits {
  const idleMs = keepAlive('keepAlive', options.keepAlive);
  const filesMax = openFilesMax();
  const permitted =
    filesMax === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(1, Math.floor((filesMax - FILES_RESERVED) / filesPerClient));
  const own = limits(LISTENER_LIMITS, options, { clientsMax: permitted });
  const { clientsMax } = own;
  if (options.clientsMax !== undefined && clientsMax > permitted) {
    process.emitWarning(
      `clientsMax is ${clientsMax}, but this process may open ${filesMax} files, enough for ${permitted} clients. ` +
        'Beyond that, accepts fail without a word: raise the limit (ulimit -n) or lower clientsMax.',
      { code: 'SOCKCHART_CLIENTS_MAX' },
    );
  }
  const client = clientConfig(options, ownerUnlinks);
  return {
    settings: {
      ...own,
      admissionTimeout: Math.min(client.input.settings.acceptTimeout, DRAIN_ADMISSION_MS),
      abortTimeout: client.input.settings.abortTimeout,
      lingerMax: client.input.settings.lingerMax,
    },
    client,
    serverOptions: {
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: flag('noDelay', options.noDelay, true),
      ...(idleMs !== false && { keepAlive: true, keepAliveInitialDelay: idleMs }),
    },
  };
}

/** @internal Checks where to listen; `name` is the option's path, ending in a dot if it has one. */
export function checkAddress(where: ListenAddress, name: string): void {
  const given = (['port', 'path', 'fd'] as const).filter((option) => where[option] !== undefined);
  if (given.length > 1) {
    throw new OptionError(`${name}${given[1]}`, where[given[1] as 'port'], `left out when ${given[0]} is given`);
  }
  if (where.server !== undefined) {
    if (typeof where.server?.listen !== 'function')
      throw new OptionError(`${name}server`, where.server, 'a net.Server');
    if (where.server.listening && given.length > 0) {
      throw new OptionError(`${name}${given[0]}`, where[given[0] as 'port'], 'left out: the server listens already');
    }
  }
  if (given.length === 0 && where.server?.listening !== true) {
    throw new OptionError(
      `${name}port`,
      undefined,
      'a port from 0 to 65535, unless path, fd or a listening server is given',
    );
  }
  if (where.port !== undefined) port(`${name}port`, where.port);
  if (where.path !== undefined) {
    const path = text(`${name}path`, where.path);
    // Longer paths are cut without a word by Node 20 and 22; what is bound is longer by a suffix.
    const most = isFile(path) ? SUN_PATH_MAX - bindingName(path).length + path.length : SUN_PATH_MAX;
    if (process.platform !== 'win32' && Buffer.byteLength(path) > most) {
      throw new OptionError(`${name}path`, path, `a path of at most ${most} bytes`);
    }
  }
  integer(`${name}fd`, where.fd, 0, 0, 2 ** 31 - 1);
  if (where.host !== undefined) text(`${name}host`, where.host);
  integer(`${name}backlog`, where.backlog, 511, 1, 2 ** 31 - 1);
  flag(`${name}ipv6Only`, where.ipv6Only, false);
  if (where.proxyProtocol !== undefined) {
    if (where.server !== undefined && 'setSecureContext' in where.server) {
      throw new OptionError(`${name}proxyProtocol`, 'given', 'left out: the server begins with TLS by itself');
    }
    listenProxyProtocol(`${name}proxyProtocol`, where.proxyProtocol, where.port !== undefined);
  }
  if (where.tls === undefined) return;
  if (where.server !== undefined && 'setSecureContext' in where.server) {
    throw new OptionError(`${name}tls`, 'given', 'left out: the server speaks TLS by itself');
  }
  listenTls(`${name}tls`, where.tls);
}

/** The longest path of a Unix socket on the BSDs, and so on macOS; Linux takes three more. */
const SUN_PATH_MAX = 103;
