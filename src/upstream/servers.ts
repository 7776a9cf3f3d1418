import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
// biome-ignore lint/style/noRestrictedImports: hooks of the user's are given the client; only its type is known here.
import type { Client } from '../adapters/client.js';
import type { CheckedChecks } from '../checks/checks.js';
import { OptionError } from '../errors.js';
import { namesOf, SERVERS_LIMITS } from '../machines/limits.js';
import { type Cause, NEVER_MS, type Report } from '../machines/vocabulary.js';
import { type Member, MemberList } from '../members.js';
import {
  clock as checkClock,
  count,
  everyOption,
  flag,
  hook,
  integer,
  limits,
  onlyKnown,
  port,
  type Timeout,
  text,
} from '../options.js';
import { type ServerProxyProtocol, serverProxyProtocol } from '../proxy-protocol.js';
import { type Clock, systemClock, type Timer } from '../runtime/clock.js';
import { inNoContext } from '../runtime/context.js';
import { isShortage } from '../shortage.js';
import { hostAndPort } from '../text.js';
import { type CheckedServerTls, type ServerTls, serverTls } from '../tls.js';
import { Backoff, type ServersBackoffOptions } from './backoff.js';
import { type Balance, balancerOf } from './balance/balance.js';
import type { Balancer, Wanted } from './balance/balancer.js';
import { weightOf } from './balance/weight.js';
import { RetryBudget, type RetryBudgetOptions } from './budget.js';
import { type ChecksOptions, checksOf, sharedChecks } from './check-options.js';
import { guarded, lookUp } from './lookup.js';

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
}

const SERVER_OPTIONS = everyOption<ServerOptions>()(
  'host',
  'port',
  'path',
  'name',
  'connectionsMax',
  'weight',
  'connect',
  'lookup',
  'localAddress',
  'family',
  'autoSelectFamilyAttemptTimeout',
  'tls',
  'proxyProtocol',
  'checks',
);

/** Options that `net.connect` takes together with a host. */
const HOST_OPTIONS = ['lookup', 'localAddress', 'family', 'autoSelectFamilyAttemptTimeout'] as const;

/** A name that has several addresses gives each at least this time, in milliseconds, as Node does by itself. */
const ADDRESS_LEAST_MS = 250;
/** Where nothing bounds an attempt, an address that does not answer must not keep the others from being tried. */
const ADDRESS_MOST_MS = 10_000;

/** One server of a set, with what is remembered of it. */
export class Server {
  /** Name or address. */
  readonly host: string;
  /** TCP port; nothing for a path, or where `connect` needs none. */
  readonly port: number | undefined;
  /** Unix socket. */
  readonly path: string | undefined;
  /** Connections at once; `Infinity` for no limit. */
  readonly connectionsMax: number;
  /** Opens the connection in place of `net.connect`. */
  readonly connect: ConnectHook | undefined;
  /** The local address that connections come from, if one was given. */
  readonly localAddress: string | undefined;
  /** The version of IP that addresses must have, if one was given. */
  readonly family: 4 | 6 | undefined;
  /** @internal The set that it belongs to. */
  set: Servers | undefined = undefined;
  /** @internal What a connection chooses from that may go to this server alone. */
  readonly alone: readonly Server[] = [this];
  /** @internal */
  readonly tls: CheckedServerTls | undefined;
  /** @internal */
  readonly proxyProtocol: ServerProxyProtocol | undefined;
  /** @internal How it is checked, if it is. */
  readonly checks: CheckedChecks | undefined;
  /** @internal Looks a host up that is no address. */
  readonly lookup: LookupFunction | undefined;
  /** The name that it was given; or `host:port`, or the path. */
  readonly name: string;
  /** @internal The weight as it counts now: a number from 0 on, which may be a fraction. */
  share: number;
  /** Connections that are open or being opened. */
  connections = 0;
  /** Connections that wait in the queue, and may go to this server alone. */
  waiting = 0;
  /** Attempts that failed in a row. */
  failures = 0;
  /** True once it has answered an attempt. */
  hasAnswered = false;
  /** When it may be chosen again before the others, in milliseconds of the set's clock; 0 while it is not down. */
  downUntil = 0;
  /** Why it is not chosen at present, if it is not. */
  excluded: Cause | undefined;
  /** @internal When it may be chosen again although it was excluded. */
  excludedUntil = 0;
  /** @internal The one connection that tries it after it was down; the others wait for what becomes of that. */
  trial: Requester | undefined = undefined;
  /** @internal Where the backoff is shared: when the next trial may begin, and how many have failed in a row. */
  trialAt = 0;
  /** @internal */
  trialsFailed = 0;

  readonly #addressMs: number | undefined;
  #weight: number;
  /** How many addresses its name had the last time; one of its own needs no look-up. */
  #addresses = 0;
  /** The address that a connection came up at. */
  #good: string | undefined = undefined;

  constructor(options: ServerOptions, name: string, lookup?: LookupFunction, checks?: ChecksOptions) {
    onlyKnown(name, options, SERVER_OPTIONS, `${name}.`);
    if (options.path !== undefined && options.port !== undefined) {
      throw new OptionError(`${name}.path`, options.path, 'left out when a port is given');
    }
    this.path = options.path === undefined ? undefined : text(`${name}.path`, options.path);
    const hasNoAddress = this.path !== undefined || (options.connect !== undefined && options.port === undefined);
    this.port = hasNoAddress ? undefined : port(`${name}.port`, options.port, 1);
    this.host = options.host === undefined ? '127.0.0.1' : text(`${name}.host`, options.host);
    this.connectionsMax = count(`${name}.connectionsMax`, options.connectionsMax, Number.POSITIVE_INFINITY);
    this.#weight = options.weight === undefined ? 1 : weightOf(`${name}.weight`, options.weight);
    this.share = this.#weight;
    this.connect = hook(`${name}.connect`, options.connect);
    this.tls = serverTls(`${name}.tls`, options.tls, this.path === undefined ? this.host : 'localhost');
    if (this.tls !== undefined && this.connect !== undefined) {
      throw new OptionError(`${name}.tls`, 'given', 'left out where connect is given, which opens the socket');
    }
    this.proxyProtocol = serverProxyProtocol(`${name}.proxyProtocol`, options.proxyProtocol);
    for (const option of HOST_OPTIONS) {
      if (options[option] === undefined || (this.path === undefined && this.connect === undefined)) continue;
      throw new OptionError(`${name}.${option}`, options[option], 'left out where path or connect is given');
    }
    this.localAddress = localAddressOf(name, options, isIP(this.host));
    this.family = familyOf(name, options, isIP(this.host));
    this.#addressMs = addressMsOf(name, options);
    const own = hook(`${name}.lookup`, options.lookup);
    this.lookup = isIP(this.host) === 0 ? this.#noting(own ?? lookup) : undefined;
    this.name = options.name === undefined ? this.#address : text(`${name}.name`, options.name);
    this.checks = checksOf(name, this, options.checks, checks, own ?? lookup);
  }

  /**
   * How many connections it gets, in proportion to the weights of the others: a whole number from 0 to 256. A change counts from
   * the next choice on; what is connected stays. With 0 it gets no new connection.
   *
   * @example
   * ```ts
   * const [old, replacement] = proxy.servers.list;
   * replacement.weight = 10;
   * old.weight = 0; // drains: its last connection may be far away
   * ```
   *
   * @throws OptionError
   */
  get weight(): number {
    return this.#weight;
  }

  set weight(weight: number) {
    this.#weight = weightOf('weight', weight);
    this.share = this.#weight;
    this.set?.sharesChanged();
  }

  get #address(): string {
    return this.path ?? (this.port === undefined ? this.host : hostAndPort(this.host, this.port));
  }

  /** @internal How long each but the last of several addresses may take: a fair share of the whole attempt. */
  addressMs(connectTimeout: number): number {
    if (this.#addressMs !== undefined) return this.#addressMs;
    const share = Math.floor(connectTimeout / Math.max(2, this.#addresses));
    return Math.min(ADDRESS_MOST_MS, Math.max(ADDRESS_LEAST_MS, share));
  }

  /** @internal A connection has come up: the address that it goes to is tried first from now on. */
  cameUp(socket: Socket): void {
    if (this.#addresses > 1) this.#good = socket.remoteAddress;
  }

  /** Notes how many addresses are found, and puts the one that worked first. */
  #noting(lookup: LookupFunction | undefined): LookupFunction {
    const ask = lookup === undefined ? lookUp : guarded(lookup);
    const { family } = this;
    const own: object | undefined = family === undefined ? undefined : { family, hints: 0, all: true };
    return (host, options, callback) =>
      ask(host, own === undefined ? options : { ...options, ...own }, (error, found, foundFamily) => {
        if (error !== null || !Array.isArray(found)) {
          callback(error, found, foundFamily);
          return;
        }
        this.#addresses = found.length;
        const good = found.findIndex(({ address }) => address === this.#good);
        if (good > 0) found.unshift(...found.splice(good, 1));
        // From a local address Node tries one address: after each failure it is another one.
        const next = options.all === true ? undefined : found[this.failures % found.length];
        if (next === undefined) callback(null, found);
        else callback(null, next.address, next.family);
      });
  }

  /** Its name. */
  toString(): string {
    return this.name;
  }

  /** A snapshot that can be logged. */
  toJSON() {
    const { name, weight, connections, failures } = this;
    return { name, weight, connections, failures, excluded: this.excluded };
  }
}

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

function familyOf(name: string, { family, localAddress }: ServerOptions, host: number): 4 | 6 | undefined {
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

/** Options of a set of servers. */
export interface ServersOptions {
  /** How the next server is chosen. Default `roundRobin`. */
  readonly balance?: Balance | undefined;
  /** Waits between rounds of attempts. Default: from 100 ms to 10 s, twice as long each time. */
  readonly backoff?: ServersBackoffOptions | undefined;
  /** Retries of all connections together. Default: 20 % of the first attempts and 10 a second, at most 100 at once. */
  readonly retryBudget?: RetryBudgetOptions | undefined;
  /**
   * How long a server whose connect failed is chosen only if no other can be, in milliseconds; `false` to forget at
   * once. Default 10 000, as nginx's `fail_timeout`.
   */
  readonly downFor?: Timeout | undefined;
  /**
   * Says which failures no later attempt can mend: such a failure excludes the server until {@link Servers.restore}.
   * Default {@link isPermanent}.
   */
  readonly isPermanent?: ((cause: Cause) => boolean) | undefined;
  /** How the hosts of all servers are looked up that have no `lookup` of their own. Default: see {@link ServerOptions.lookup}. */
  readonly lookup?: LookupFunction | undefined;
  /**
   * Check each server all the time, also without clients: `true`, or how. See {@link ServerOptions.checks} for one
   * server. Default `false`.
   */
  readonly checks?: boolean | ChecksOptions | undefined;
  /** Where time comes from. Default: the process's own. */
  readonly clock?: Clock | undefined;
  /** Randomness from 0 to 1, for jitter and for balancers. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export const SERVERS_OPTIONS = [
  ...namesOf(SERVERS_LIMITS),
  'balance',
  'backoff',
  'retryBudget',
  'isPermanent',
  'lookup',
  'checks',
  'clock',
  'random',
] as const satisfies readonly (keyof ServersOptions)[];

/**
 * True for a failure that no later attempt can mend: an option that Node refuses. All other failures may pass by
 * themselves: a certificate is renewed, a Unix path gets the right mode. A server that is excluded so is chosen again
 * after {@link Servers.restore}.
 *
 * @example
 * ```ts
 * // A server whose certificate was revoked is not tried again either.
 * const servers = new Servers(list, {
 *   isPermanent: (cause) => isPermanent(cause) || cause.code === 'CERT_REVOKED',
 * });
 * ```
 */
export function isPermanent({ phase, code = '' }: Cause): boolean {
  return phase === 'command' && (code === 'ERR_SOCKET_BAD_PORT' || code.startsWith('ERR_INVALID_'));
}

/** What Node calls a certificate, or a list of revoked ones, that it does not take. */
const BAD_CERTIFICATE =
  /^(?:CERT_|CRL_|ERROR_IN_C(?:ERT|RL)_|UNABLE_TO_(?:GET|DECRYPT|DECODE|VERIFY)_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|ERR_TLS_CERT_ALTNAME_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$)/;

/** A connection that asks for a server. */
export interface Requester extends Wanted {
  /** The one server of the set that it may go to; nothing where any will do. */
  readonly only: Server | undefined;
  /** Called when a place is free, or another attempt may be made, after an answer of `full`. */
  serverFreed(): void;
  /** Kept by {@link Servers}: what is remembered of its attempts. */
  memory: RequesterMemory | undefined;
  /** Kept by {@link Servers}: the server that it alone tries, after that was down. */
  trial: Server | undefined;
  /** Kept by {@link Servers}: its place in the queue, while it waits for a server. */
  queued: Queued | undefined;
  /** Kept by {@link Servers}: when its server was chosen, where the balancer wants to know connect times. */
  chosenAt: number;
}

/** A requester that waits for a place at a server. */
interface Queued extends Member<Queued> {
  readonly requester: Requester;
  /** Counts those that have ever waited. */
  readonly order: number;
  /** Of one that may be called before there is a place. */
  timer: Timer | undefined;
}

/** What is remembered of a connection between its attempts. */
interface RequesterMemory {
  /** Servers that failed in this round. */
  readonly tried: Set<Server>;
  /** Rounds in which every server that could be tried failed. */
  round: number;
  /** The wait after the last failure is over. */
  rested: boolean;
  /** The server that is tried again, since the last attempt failed for want of something of this process. */
  again: Server | undefined;
  /** When its last attempt failed, or its connection was lost. */
  failedAt: number;
  /** While it waits for a place: when the servers that failed may be tried again. */
  retryAt: number | undefined;
}

/** What a set of servers answers: one of them, a wait, or that there is none. */
export type Choice =
  | { readonly kind: 'chosen'; readonly server: Server }
  | { readonly kind: 'deferred'; readonly delayMs: number }
  | { readonly kind: 'full' }
  | { readonly kind: 'exhausted'; readonly cause: Report };

const FULL: Choice = { kind: 'full' };

/**
 * A set of servers: which is next, which are down, and how many retries there may be. Share one object between all
 * connections that go to the same servers.
 *
 * @example
 * ```ts
 * const servers = new Servers([{ port: 5432 }, { port: 5433, connectionsMax: 50 }], { balance: 'inOrder' });
 * const a = createBackend({ servers, persistent: true });
 * const b = createBackend({ servers, persistent: true });
 * ```
 */
export class Servers {
  /** @internal The list of a set without servers, which no connection asks. */
  static readonly none: readonly ServerOptions[] = [];
  /** The servers, in the order in which they were given. */
  readonly list: readonly Server[];
  /** Where its time comes from. */
  readonly clock: Clock;
  readonly #balancer: Balancer;
  /** The balancer wants to know connect times. */
  readonly #isTimed: boolean;
  readonly #backoff: Backoff;
  /** All connections back off together. */
  readonly #isShared: boolean;
  readonly #budget: RetryBudget;
  readonly #downFor: number;
  readonly #isPermanent: (cause: Cause) => boolean;
  /** @internal Where its randomness comes from. */
  readonly random: () => number;
  /** The requesters that wait for a place, the longest first. */
  readonly #queue = new MemberList<Queued>();
  /** How many have ever waited. */
  #queuedEver = 0;
  /** When the first server that is excluded for a time may be chosen again. */
  #readmitAt = Number.POSITIVE_INFINITY;
  /** The timer of the next trial of a server, while connections wait for it. */
  #trialTimer: Timer | undefined = undefined;
  #isServing = false;

  /** @throws OptionError */
  constructor(servers: readonly ServerOptions[], options: ServersOptions = {}) {
    if (!Array.isArray(servers) || (servers.length === 0 && servers !== Servers.none)) {
      throw new OptionError('servers', servers, 'a list of at least one server, such as [{ port: 5432 }]');
    }
    onlyKnown('Servers', options, SERVERS_OPTIONS);
    const lookup = hook('lookup', options.lookup);
    const checks = sharedChecks(options.checks);
    this.list = servers.map((server, index) => new Server(server, `servers[${index}]`, lookup, checks));
    for (const server of this.list) server.set = this;
    this.clock = checkClock('clock', options.clock) ?? systemClock;
    this.#balancer = balancerOf(options.balance);
    this.#isTimed = this.#balancer.connected !== undefined;
    this.#balancer.changed?.(this.list);
    this.#backoff = new Backoff(options.backoff, 'backoff', ['shared']);
    this.#isShared = flag('backoff.shared', options.backoff?.shared, false);
    if (this.#isShared) this.#isOpen = this.#isOpenForTrial;
    this.#budget = new RetryBudget(options.retryBudget);
    this.#downFor = options.downFor === false ? 0 : limits(SERVERS_LIMITS, options).downFor;
    this.#isPermanent = hook('isPermanent', options.isPermanent) ?? isPermanent;
    this.random = hook('random', options.random) ?? Math.random;
  }

  /** The cool-down of a connection that has used up its attempts, in milliseconds. */
  get slowestPaceMs(): number {
    return this.#backoff.maxMs;
  }

  /**
   * Answers a connection that wants a server. A chosen one counts the connection until {@link leave}; after `full`,
   * the requester is called when there is a place, or when those that failed may be tried again, unless it {@link forget}s.
   * Where the backoff is shared, a server that has failed is as good as full, but for one connection at a time.
   */
  choose(requester: Requester): Choice {
    const { memory } = requester;
    // A trial that may begin is for the connection that has waited longest, and not for a newcomer.
    if (this.#isShared && requester.queued === undefined) this.#serve();
    this.#now = this.clock.now();
    if (this.#now >= this.#readmitAt) this.#readmit();
    if (memory === undefined) {
      if (requester.queued === undefined) this.#budget.deposit();
    } else if (!memory.rested) {
      return this.#defer(requester, memory);
    }
    let server = this.#pick(requester);
    if (server === undefined && this.#mayRetry(memory)) {
      memory.tried.clear();
      memory.retryAt = undefined;
      server = this.#pick(requester);
    }
    if (server === undefined && !this.#isExhausted(requester)) {
      if (memory !== undefined && memory.tried.size > 0 && this.#isRoundOver(requester, memory)) {
        // Those that this one had yet to try have been excluded meanwhile.
        this.#leaveQueue(requester);
        return { kind: 'deferred', delayMs: this.#endRound(memory) };
      }
      this.#enterQueue(requester);
      return FULL;
    }
    if (server !== undefined && !(server instanceof Server)) {
      throw new OptionError('balance', server, 'a balancer that chooses one of the servers it is given');
    }
    this.#leaveQueue(requester);
    if (server === undefined) return this.#allExcluded(requester);
    if (memory !== undefined) {
      memory.rested = false;
      memory.again = undefined;
      memory.retryAt = undefined;
    }
    // Was it down, and may be tried again: by this connection, and by no other until that is over.
    if (server.failures > 0 && server.trial === undefined && (this.#isShared || this.#wasDown(server))) {
      server.trial = requester;
      requester.trial = server;
    }
    server.connections++;
    if (this.#isTimed) requester.chosenAt = this.#now;
    return { kind: 'chosen', server };
  }

  /** The connection no longer wants a server, or is over: its place in the queue, and a trial, are given up. */
  forget(requester: Requester): void {
    this.#leaveQueue(requester);
    if (requester.trial === undefined) return;
    this.#endTrial(requester);
    if (this.#isShared) this.#serve();
  }

  /** @internal The share of a server has changed. */
  sharesChanged(): void {
    this.#balancer.changed?.(this.list);
    this.#serve();
  }

  /** The connection, or the attempt, is over: its place is free for the connection that has waited longest. */
  leave(server: Server): void {
    server.connections--;
    this.#serve();
  }

  /** Those that wait for a place get one while there is one, the longest first. */
  #serve(): void {
    // A requester that fails at once frees its place again, here inside: the loop that runs already serves it.
    if (this.#isServing) return;
    this.#isServing = true;
    try {
      this.#callQueue(true);
    } finally {
      this.#isServing = false;
    }
  }

  /** Calls each requester in the queue once, also those that enter it meanwhile. */
  #callQueue(onlyWhileOpen: boolean): void {
    let called = 0;
    let queued = this.#queue.first;
    while (queued !== undefined) {
      if (queued.order > called) {
        if (onlyWhileOpen && !this.list.some(this.#isOpen)) return;
        called = queued.order;
        queued.requester.serverFreed();
      }
      // Where it has left the queue, the next is behind those that were called and wait on.
      queued = queued.requester.queued === queued ? queued.next : this.#queue.first;
    }
  }

  /** An attempt has come up: that of this requester. */
  succeeded(server: Server, requester?: Requester): void {
    if (this.#isTimed && requester !== undefined)
      this.#balancer.connected?.(server, this.clock.now() - requester.chosenAt);
    server.hasAnswered = true;
    server.failures = 0;
    server.downUntil = 0;
    server.trialsFailed = 0;
    if (server.trial !== undefined) this.#endTrial(server.trial);
    if (this.#isShared) this.#serve();
  }

  /**
   * An attempt has failed. The server is chosen last for a while; it is not chosen at all for the slowest pace if its
   * certificate is bad, and until it is restored if no attempt can mend the failure. What is no fault of the server
   * changes nothing for the others.
   */
  failed(requester: Requester, server: Server, cause: Cause): void {
    const wasTrial = requester.trial === server;
    this.#endTrial(requester);
    const memory = this.#memoryOf(requester);
    if (wasTrial) this.#delayTrial(server, memory.failedAt);
    const isBacklogFull = cause.code === 'EAGAIN' && server.path !== undefined;
    if (!isBacklogFull && isShortage(cause, server)) {
      memory.again = server;
      return;
    }
    memory.tried.add(server);
    // A Unix socket whose backlog is full lives, and has no room for the moment.
    if (isBacklogFull) return;
    const now = memory.failedAt;
    // Attempts that began before the first failure are not counted as trials.
    if (++server.failures === 1) this.#delayTrial(server, now);
    server.downUntil = this.#downFor === 0 ? 0 : now + this.#downFor;
    let reason = cause;
    let until = now;
    try {
      if (this.#isPermanent(cause)) until = Number.POSITIVE_INFINITY;
      else if (BAD_CERTIFICATE.test(cause.code ?? '')) until = now + this.#backoff.longestMs(this.random());
    } catch (error) {
      // A hook that cannot tell must neither hang the connection nor hide its own mistake.
      reason = { initiator: 'owner', manner: 'error', phase: cause.phase, code: 'isPermanent', error };
      until = Number.POSITIVE_INFINITY;
    }
    if (until <= now) return;
    server.excluded = reason;
    server.excludedUntil = until;
    this.#readmitAt = Math.min(this.#readmitAt, until);
    // Those that wait for a place there must not wait for it in vain.
    this.#callQueue(false);
  }

  /** An established connection was lost: this requester tries the others first. */
  dropped(requester: Requester, server: Server): void {
    this.#memoryOf(requester).tried.add(server);
  }

  /** What was remembered of this connection no longer counts: it is, or was, stable. */
  settled(requester: Requester): void {
    requester.memory = undefined;
  }

  /**
   * Servers that were excluded may be chosen again, all or one: what no retry could mend was mended. A new connection
   * goes there, and those that wait for a place; a persistent backend that is exhausted tries again by itself at its
   * slowest pace, and at once by `connect()`, which restores them all.
   */
  restore(server?: Server): void {
    for (const one of server === undefined ? this.list : [server]) {
      one.excluded = undefined;
      one.excludedUntil = 0;
      one.downUntil = 0;
      one.trialAt = 0;
    }
    this.#serve();
  }

  /** A snapshot that can be logged. */
  toJSON() {
    return this.list.map((server) => server.toJSON());
  }

  #memoryOf(requester: Requester): RequesterMemory {
    const failedAt = this.clock.now();
    requester.memory ??= { tried: new Set(), round: 0, rested: false, again: undefined, failedAt, retryAt: undefined };
    requester.memory.rested = false;
    requester.memory.failedAt = failedAt;
    return requester.memory;
  }

  /** A trial that is over without an answer, or has failed, leaves its place to another connection. */
  #endTrial(requester: Requester): void {
    if (requester.trial === undefined) return;
    requester.trial.trial = undefined;
    requester.trial = undefined;
  }

  /** Those that were excluded for a time, which is over: as after `downFor`, one connection tries each first. */
  #readmit(): void {
    this.#readmitAt = Number.POSITIVE_INFINITY;
    for (const server of this.list) {
      if (server.excluded === undefined) continue;
      if (server.excludedUntil > this.#now) {
        this.#readmitAt = Math.min(this.#readmitAt, server.excludedUntil);
        continue;
      }
      server.excluded = undefined;
      server.downUntil = Math.max(1, Math.min(server.downUntil, this.#now));
    }
  }

  #pick(requester: Requester): Server | undefined {
    const { memory, only } = requester;
    this.#tried = memory?.tried;
    const again = memory?.again;
    if (again !== undefined && this.#isUsable(again)) return again;
    if (only !== undefined) return this.#isUsable(only) ? only : undefined;
    const { list } = this;
    return this.#balancer.choose(list, this.#isUp, requester) ?? this.#balancer.choose(list, this.#isUsable, requester);
  }

  /** What a connection chooses from. */
  #listFor({ only }: Requester): readonly Server[] {
    return only === undefined ? this.list : only.alone;
  }

  #enterQueue(requester: Requester): void {
    const { memory } = requester;
    // Those that have failed are not tried again at once in place of one that is full, but after their rest.
    if (memory !== undefined && memory.tried.size > 0 && memory.retryAt === undefined) {
      memory.retryAt = this.#now + this.#restMs(memory);
    }
    const wakeAt = Math.min(memory?.retryAt ?? Number.POSITIVE_INFINITY, this.#readmitAt);
    let { queued } = requester;
    // A connection that waits already keeps its place in the queue.
    if (queued === undefined) {
      queued = { requester, order: ++this.#queuedEver, timer: undefined, previous: undefined, next: undefined };
      requester.queued = queued;
      this.#queue.add(queued);
      if (requester.only !== undefined) requester.only.waiting++;
    }
    if (queued.timer !== undefined) this.clock.clearTimeout(queued.timer);
    queued.timer =
      wakeAt === Number.POSITIVE_INFINITY ? undefined : this.#wake(() => requester.serverFreed(), wakeAt - this.#now);
    if (this.#isShared && this.#trialTimer === undefined) this.#awaitTrial();
  }

  #wake(callback: () => void, afterMs: number): Timer {
    const timer = inNoContext(() => this.clock.setTimeout(callback, Math.max(0, Math.ceil(afterMs))));
    timer.unref();
    return timer;
  }

  /** Where the backoff is shared: a trial has failed, or the first attempt. The next trial follows after a wait. */
  #delayTrial(server: Server, now: number): void {
    if (!this.#isShared) return;
    server.trialAt = now + this.#backoff.delayMs(server.trialsFailed++, this.random());
    this.#awaitTrial();
  }

  /** The next trial is for the connection that has waited longest. */
  #awaitTrial(): void {
    this.#stopAwaitingTrial();
    if (this.#queue.size === 0) return;
    const now = this.clock.now();
    let trialAt = Number.POSITIVE_INFINITY;
    for (const { failures, trial, trialAt: at } of this.list) {
      // The end of a trial wakes the queue by itself. A server whose trial is due, and has not begun, suits none of the queue.
      if (failures > 0 && trial === undefined && at > now) trialAt = Math.min(trialAt, at);
    }
    if (trialAt === Number.POSITIVE_INFINITY) return;
    this.#trialTimer = this.#wake(() => {
      this.#trialTimer = undefined;
      this.#serve();
      this.#awaitTrial();
    }, trialAt - now);
  }

  #stopAwaitingTrial(): void {
    if (this.#trialTimer === undefined) return;
    this.clock.clearTimeout(this.#trialTimer);
    this.#trialTimer = undefined;
  }

  /** How long until a server may be tried; nothing while one of them has answered its last attempt. */
  #untilTrialMs(requester: Requester): number | undefined {
    let trialAt = Number.POSITIVE_INFINITY;
    for (const server of this.#listFor(requester)) {
      if (server.excluded !== undefined) continue;
      if (server.failures === 0) return undefined;
      if (server.trial === undefined) trialAt = Math.min(trialAt, server.trialAt);
    }
    // While all of them are being tried, it waits in the queue.
    return trialAt === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Math.ceil(trialAt - this.#now));
  }

  #leaveQueue(requester: Requester): void {
    const { queued } = requester;
    if (queued !== undefined) {
      if (queued.timer !== undefined) this.clock.clearTimeout(queued.timer);
      this.#queue.delete(queued);
      requester.queued = undefined;
      if (requester.only !== undefined) requester.only.waiting--;
    }
    if (this.#queue.size === 0) this.#stopAwaitingTrial();
  }

  #mayRetry(memory: RequesterMemory | undefined): memory is RequesterMemory {
    return memory?.retryAt !== undefined && this.#now >= memory.retryAt;
  }

  #defer(requester: Requester, memory: RequesterMemory): Choice {
    if (this.#isExhausted(requester)) return this.#allExcluded(requester);
    memory.rested = true;
    if (memory.again !== undefined) return { kind: 'deferred', delayMs: this.#restMs(memory) };
    const untilTrialMs = this.#isShared ? this.#untilTrialMs(requester) : undefined;
    if (untilTrialMs !== undefined) {
      // It waits for its failure once, and with the others: neither its own backoff nor the budget adds to that.
      memory.tried.clear();
      memory.retryAt = undefined;
      return { kind: 'deferred', delayMs: untilTrialMs };
    }
    if (this.#isRoundOver(requester, memory)) return { kind: 'deferred', delayMs: this.#endRound(memory) };
    // The first attempt at each server is no repeat.
    return { kind: 'deferred', delayMs: memory.round === 0 ? 0 : this.#bounded(memory, this.#budgetMs()) };
  }

  /** One that was not tried is waited for, also while it is full: those that have failed are not tried again instead. */
  #isRoundOver(requester: Requester, { tried }: RequesterMemory): boolean {
    return this.#listFor(requester).every((server) => server.excluded !== undefined || tried.has(server));
  }

  #endRound(memory: RequesterMemory): number {
    const { retryAt } = memory;
    memory.tried.clear();
    memory.retryAt = undefined;
    return retryAt === undefined ? this.#restMs(memory) : Math.max(0, retryAt - this.#now);
  }

  /** How long to rest before the next round, which counts as begun; the budget included. */
  #restMs(memory: RequesterMemory): number {
    const paceMs = this.#backoff.delayMs(memory.round++, this.random());
    // A backend that reconnects on demand has rested since its last failure, perhaps for long enough.
    const backoffMs = Math.ceil(paceMs - (this.#now - memory.failedAt));
    return this.#bounded(memory, Math.max(backoffMs, this.#budgetMs()));
  }

  /** No connection rests for more than the slowest pace after a failure, for any reason. */
  #bounded({ failedAt }: RequesterMemory, restMs: number): number {
    return Math.max(0, Math.min(restMs, Math.ceil(failedAt + this.#backoff.maxMs - this.#now)));
  }

  /** How long a repeat waits for its turn: an empty budget slows down, and refuses nothing. */
  #budgetMs(): number {
    return this.#budget.withdraw(this.#now, this.#backoff.maxMs) ?? this.#backoff.longestMs(this.random());
  }

  #isExhausted(requester: Requester): boolean {
    return this.#listFor(requester).every((server) => server.excluded !== undefined);
  }

  #allExcluded(requester: Requester): Choice {
    return { kind: 'exhausted', cause: (this.#listFor(requester)[0] as Server).excluded as Cause };
  }

  // Asked once per server and attempt: fields in place of closures.
  #now = 0;
  #tried: Set<Server> | undefined;
  readonly #hasPlace = (server: Server): boolean =>
    server.excluded === undefined && server.share > 0 && server.connections < server.connectionsMax;
  /** Where the backoff is shared, a server that has failed is open to one connection at a time, after a wait. */
  readonly #isOpenForTrial = (server: Server): boolean =>
    this.#hasPlace(server) &&
    (server.failures === 0 || (server.trial === undefined && server.trialAt <= this.clock.now()));
  #isOpen = this.#hasPlace;
  readonly #isUsable = (server: Server): boolean => this.#isOpen(server) && this.#tried?.has(server) !== true;
  readonly #isUp = (server: Server): boolean =>
    this.#isUsable(server) && (server.downUntil === 0 || (this.#wasDown(server) && server.trial === undefined));

  #wasDown({ downUntil }: Server): boolean {
    return downUntil > 0 && downUntil <= this.#now;
  }
}
