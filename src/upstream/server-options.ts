/** What a server of a set is told, and the checks of its address. */

import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
// biome-ignore lint/style/noRestrictedImports: hooks of the user's are given the client; only its type is known here.
import type { Client } from '../adapters/client.js';
import { OptionError } from '../errors.js';
import { NEVER_MS } from '../machines/vocabulary.js';
import { port as checkedPort, count, everyOption, flag, hook, integer, onlyKnown, text } from '../options.js';
import { type ServerProxyProtocol, serverProxyProtocol } from '../proxy-protocol.js';
import { hostAndPort } from '../text.js';
import { type CheckedServerTls, type ServerTls, serverTls } from '../tls.js';
import { weightOf } from './balance/weight.js';
import type { ChecksOptions } from './check-options.js';
import type { AddressesOptions } from './name-options.js';
import type { Server } from './server.js';

/** What a hook that opens the socket to a server gets besides the server. */
export interface ConnectContext {
  /** Fires when the attempt is over and its socket has not connected: it was closed, aborted, failed or took too long. */
  readonly signal: AbortSignal;
  /** The client that the connection is for; nothing for a backend of your own, which serves no client. */
  readonly client: Client | undefined;
}

/** Opens a connection to a server: a `net.Socket`, or another `Duplex`. */
export type ConnectHook = (server: Server, context: ConnectContext) => Duplex | PromiseLike<Duplex>;

/** Where a server is, and what it may be asked for. */
export interface ServerOptions {
  /** Name or address. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** TCP port; either this or `path`, or neither where `connect` needs none. */
  readonly port?: number | undefined;
  /** Unix socket. */
  readonly path?: string | undefined;
  /** What it is called in messages and on the page. Default: `host:port`, or the path. */
  readonly name?: string | undefined;
  /** Connections at once, attempts included; later connections wait for a place. Default: no limit. */
  readonly connectionsMax?: number | undefined;
  /**
   * How many connections may wait for this server alone, as a `route` to one server makes them wait. One more is refused at once, with
   * `serverQueueMax` as the code of its cause. {@link Server.queueMax} changes it later. Default: `queueMax` of the set.
   */
  readonly queueMax?: number | undefined;
  /**
   * How many connections it gets, in proportion to the weights of the others: a whole number from 0 to 256. With 0 it gets
   * no new connection, and keeps those that it has. {@link Server.weight} changes it later. Default 1.
   */
  readonly weight?: number | undefined;
  /**
   * Opens the connection in place of `net.connect`, for a tunnel. It returns, or promises, a
   * `net.Socket` or another `Duplex` of bytes (a WebSocket stream, an SSH channel) that no other code uses. A socket may
   * still be connecting, and a `tls.TLSSocket` counts as connected after its handshake; any other stream counts as
   * connected. If the promise rejects, the attempt has failed, with the error in `cause.error`. A stream that comes, or
   * connects, after `signal` has fired is reset.
   *
   * A stream that cannot be reset is destroyed with an error instead, and the outcome says `truncated`.
   *
   * @example
   * ```ts
   * connect: ({ host, port }, { signal }) => openTunnel(host, port, { signal }),
   * connect: async ({ host, port }) => (await SocksClient.createConnection({ … })).socket,
   * ```
   */
  readonly connect?: ConnectHook | undefined;
  /**
   * Looks the host up in place of the library, for each attempt: a function as `net.connect` takes one. What it throws
   * is an answer. Default: as `dns.lookup`, once for all attempts that wait, and with the last good answer where a name
   * is not answered.
   */
  readonly lookup?: LookupFunction | undefined;
  /**
   * The address of this machine to connect from, as `net.connect` takes it. Each attempt then goes to one address of the
   * host, the next attempt to the next one; only addresses of its family count.
   */
  readonly localAddress?: string | undefined;
  /** Look up only IPv4 addresses (4) or IPv6 addresses (6) of the host. Default: both. */
  readonly family?: 4 | 6 | undefined;
  /**
   * How long each address of a host that has several may take, in milliseconds, before `net.connect` goes on to the next;
   * at least 10. Default: a fair share of `connectTimeout`, at least 250 and at most 10 000.
   */
  readonly autoSelectFamilyAttemptTimeout?: number | undefined;
  /** Speak TLS: `true`, or with what is to be different. The certificate is verified unless told otherwise. */
  readonly tls?: boolean | ServerTls | undefined;
  /**
   * Send a PROXY header of this version as the first bytes, before TLS: it tells the server the client's address. A backend
   * of your own, which serves no client, says so. Where `connect` is given, the header comes first on the stream that it
   * gives. Default: none.
   *
   * @example
   * ```ts
   * servers: [{ port: 8443, proxyProtocol: { version: 2, fields: (client) => ({ uniqueId: Buffer.from(client.id) }) } }],
   * ```
   */
  readonly proxyProtocol?: 1 | 2 | ServerProxyProtocol | undefined;
  /**
   * How this server is checked: an option that is left out is that of {@link ServersOptions.checks}. `true`: with the
   * defaults; `false`: not at all. Default: as the set says.
   */
  readonly checks?: boolean | ChecksOptions | undefined;
  /**
   * The host is a name that is as many servers as it has addresses: it is looked up all the time, and each of its addresses is a server of
   * the set. `true`, or how. Default: the name is one server, whose address is looked up for each attempt.
   *
   * @example
   * ```ts
   * servers: [{ host: 'db.internal', port: 5432, addresses: { interval: 10_000, hold: { obsolete: 30_000 } } }],
   * ```
   */
  readonly addresses?: boolean | AddressesOptions | undefined;
  /**
   * True: new connections go there only while no server without this option can be chosen. While those are full, connections wait.
   * Default false.
   */
  readonly backup?: boolean | undefined;
}

const SERVER_OPTIONS = everyOption<ServerOptions>()(
  'host',
  'port',
  'path',
  'name',
  'connectionsMax',
  'queueMax',
  'weight',
  'connect',
  'lookup',
  'localAddress',
  'family',
  'autoSelectFamilyAttemptTimeout',
  'tls',
  'proxyProtocol',
  'checks',
  'addresses',
  'backup',
);

/** A name that is as many servers as it has addresses. */
export const isNamed = ({ addresses }: ServerOptions): boolean => addresses !== undefined && addresses !== false;

/** Options that `net.connect` takes together with a host. */
const HOST_OPTIONS = ['lookup', 'localAddress', 'family', 'autoSelectFamilyAttemptTimeout'] as const;

/** IPv4 or IPv6: of the two, only one can be connected. */
function mustBeOfFamily(name: string, value: unknown, family: number, host: number): void {
  if (host === 0 || host === family) return;
  throw new OptionError(name, value, `of the family of the host, which is an IPv${host} address`);
}

function localAddressOf(name: string, { localAddress }: ServerOptions, host: number): string | undefined {
  if (localAddress === undefined) return undefined;
  const family = isIP(localAddress);
  if (family === 0) {
    throw new OptionError(`${name}.localAddress`, localAddress, 'an IP address of this machine, such as 192.0.2.1');
  }
  mustBeOfFamily(`${name}.localAddress`, localAddress, family, host);
  return localAddress;
}

export function familyOf(name: string, { family, localAddress }: ServerOptions, host: number): 4 | 6 | undefined {
  const local = localAddress === undefined ? undefined : (isIP(localAddress) as 4 | 6);
  if (family === undefined) return local;
  if (family !== 4 && family !== 6) throw new OptionError(`${name}.family`, family, '4 or 6');
  mustBeOfFamily(`${name}.family`, family, family, host);
  if (local !== undefined && local !== family) {
    throw new OptionError(`${name}.family`, family, `${local}, the family of localAddress, or left out`);
  }
  return family;
}

function addressMsOf(name: string, options: ServerOptions): number | undefined {
  const { autoSelectFamilyAttemptTimeout: value, localAddress } = options;
  if (value === undefined) return undefined;
  const path = `${name}.autoSelectFamilyAttemptTimeout`;
  if (localAddress !== undefined) {
    throw new OptionError(path, value, 'left out where localAddress is given: an attempt goes to one address then');
  }
  return integer(path, value, value, 10, NEVER_MS);
}

/** @internal What a server is made of, checked; the checks are not, since they depend on what it is. */
export interface CheckedServer {
  readonly path: string | undefined;
  readonly port: number | undefined;
  readonly host: string;
  readonly connectionsMax: number;
  readonly queueMax: number;
  readonly backup: boolean;
  readonly weight: number;
  readonly connect: ConnectHook | undefined;
  readonly tls: CheckedServerTls | undefined;
  readonly proxyProtocol: ServerProxyProtocol | undefined;
  readonly localAddress: string | undefined;
  readonly family: 4 | 6 | undefined;
  readonly addressMs: number | undefined;
  readonly lookup: LookupFunction | undefined;
  readonly name: string;
}

/**
 * @internal
 * @param name what the server is called in errors
 * @param queueMax that of its set
 * @throws OptionError
 */
export function checkedServer(name: string, options: ServerOptions, queueMax: number): CheckedServer {
  onlyKnown(name, options, SERVER_OPTIONS, `${name}.`);
  if (isNamed(options)) {
    throw new OptionError(`${name}.addresses`, options.addresses, 'given in a list of servers, or to addName()');
  }
  if (options.path !== undefined && options.port !== undefined) {
    throw new OptionError(`${name}.path`, options.path, 'left out when a port is given');
  }
  const path = options.path === undefined ? undefined : text(`${name}.path`, options.path);
  const hasNoAddress = path !== undefined || (options.connect !== undefined && options.port === undefined);
  const port = hasNoAddress ? undefined : checkedPort(`${name}.port`, options.port, 1);
  const host = options.host === undefined ? '127.0.0.1' : text(`${name}.host`, options.host);
  const connectionsMax = count(`${name}.connectionsMax`, options.connectionsMax, Number.POSITIVE_INFINITY);
  const ownQueueMax = count(`${name}.queueMax`, options.queueMax, queueMax, 0);
  const backup = flag(`${name}.backup`, options.backup, false);
  const weight = options.weight === undefined ? 1 : weightOf(`${name}.weight`, options.weight);
  const connect = hook(`${name}.connect`, options.connect);
  const tls = serverTls(`${name}.tls`, options.tls, path === undefined ? host : 'localhost');
  if (tls !== undefined && connect !== undefined) {
    throw new OptionError(`${name}.tls`, 'given', 'left out where connect is given, which opens the socket');
  }
  const proxyProtocol = serverProxyProtocol(`${name}.proxyProtocol`, options.proxyProtocol);
  for (const option of HOST_OPTIONS) {
    if (options[option] === undefined || (path === undefined && connect === undefined)) continue;
    throw new OptionError(`${name}.${option}`, options[option], 'left out where path or connect is given');
  }
  const hostFamily = isIP(host);
  const address = path ?? (port === undefined ? host : hostAndPort(host, port));
  return {
    path,
    port,
    host,
    connectionsMax,
    queueMax: ownQueueMax,
    backup,
    weight,
    connect,
    tls,
    proxyProtocol,
    localAddress: localAddressOf(name, options, hostFamily),
    family: familyOf(name, options, hostFamily),
    addressMs: addressMsOf(name, options),
    lookup: hook(`${name}.lookup`, options.lookup),
    name: options.name === undefined ? address : text(`${name}.name`, options.name),
  };
}
