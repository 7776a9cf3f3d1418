import type { Socket } from 'node:net';
import { OptionError } from '../errors.js';
import type { Cause, Report } from '../machines/vocabulary.js';
import { clock as checkClock, count, hook, onlyKnown, port, type Timeout, text, timeout } from '../options.js';
import { type Clock, systemClock } from '../runtime/clock.js';
import { type CheckedServerTls, type ServerTls, serverTls } from '../tls.js';
import { Backoff, type BackoffOptions } from './backoff.js';
import { type Balance, type Balancer, balancerOf } from './balance.js';
import { RetryBudget, type RetryBudgetOptions } from './budget.js';

/** Where a server is, and what it may be asked for. */
export interface ServerOptions {
  /** Name or address. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** TCP port; either this or `path`. */
  readonly port?: number | undefined;
  /** Unix socket. */
  readonly path?: string | undefined;
  /** Connections at once, attempts included; who comes later waits for a place. Default: no limit. */
  readonly connectionsMax?: number | undefined;
  /**
   * Opens the socket in place of `net.connect`: for a tunnel, or a local address. It returns a socket that is
   * connecting; a `tls.TLSSocket` counts as connected after its handshake.
   */
  readonly connect?: ((server: Server) => Socket) | undefined;
  /** Speak TLS: `true`, or with what is to be different. The certificate is verified unless told otherwise. */
  readonly tls?: boolean | ServerTls | undefined;
}

const SERVER_OPTIONS = ['host', 'port', 'path', 'connectionsMax', 'connect', 'tls'] as const;

/** One server of a set, with what is remembered of it. */
export class Server {
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string | undefined;
  readonly connectionsMax: number;
  readonly connect: ((server: Server) => Socket) | undefined;
  /** @internal */
  readonly tls: CheckedServerTls | undefined;
  /** `host:port` or the path. */
  readonly name: string;
  /** Connections that are open or being opened. */
  connections = 0;
  /** Attempts that failed in a row. */
  failures = 0;
  /** When it may be chosen again before the others, in milliseconds of the set's clock. */
  downUntil = 0;
  /** Why it is never chosen, if it is not. */
  excluded: Cause | undefined;

  constructor(options: ServerOptions, name: string) {
    onlyKnown(name, options, SERVER_OPTIONS, `${name}.`);
    if (options.path !== undefined && options.port !== undefined) {
      throw new OptionError(`${name}.path`, options.path, 'left out when a port is given');
    }
    this.path = options.path === undefined ? undefined : text(`${name}.path`, options.path);
    this.port = this.path === undefined ? port(`${name}.port`, options.port, 1) : undefined;
    this.host = options.host === undefined ? '127.0.0.1' : text(`${name}.host`, options.host);
    this.connectionsMax = count(`${name}.connectionsMax`, options.connectionsMax, Number.POSITIVE_INFINITY);
    this.connect = hook(`${name}.connect`, options.connect);
    this.tls = serverTls(`${name}.tls`, options.tls, this.path === undefined ? this.host : 'localhost');
    if (this.tls !== undefined && this.connect !== undefined) {
      throw new OptionError(`${name}.tls`, 'given', 'left out where connect is given, which opens the socket');
    }
    this.name = this.path ?? (this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`);
  }

  toString(): string {
    return this.name;
  }

  toJSON() {
    const { name, connections, failures } = this;
    return { name, connections, failures, excluded: this.excluded };
  }
}

export interface ServersOptions {
  /** How the next server is chosen. Default `roundRobin`. */
  readonly balance?: Balance | undefined;
  /** Waits between rounds of attempts. */
  readonly backoff?: BackoffOptions | undefined;
  /** Retries of all connections together. */
  readonly retryBudget?: RetryBudgetOptions | undefined;
  /**
   * How long a server whose connect failed is chosen only if no other can be, in milliseconds; `false` to forget at
   * once. Default 10 000, as nginx's `fail_timeout`.
   */
  readonly downFor?: Timeout | undefined;
  /** Tells failures that no retry can mend: the server is excluded. Default {@link isPermanent}. */
  readonly isPermanent?: ((cause: Cause) => boolean) | undefined;
  readonly clock?: Clock | undefined;
  /** Randomness from 0 to 1, for jitter. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export const SERVERS_OPTIONS = [
  'balance',
  'backoff',
  'retryBudget',
  'downFor',
  'isPermanent',
  'clock',
  'random',
] as const;

/** What Node calls a certificate, or a list of revoked ones, that it does not take. */
const BAD_CERTIFICATE =
  /^(?:CERT_|CRL_|ERROR_IN_C(?:ERT|RL)_|UNABLE_TO_(?:GET|DECRYPT|DECODE|VERIFY)_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|ERR_TLS_CERT_ALTNAME_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$)/;

/**
 * Failures that stay however often one tries: a certificate that cannot be trusted, also one that has expired; a path
 * that may not be opened; an option that Node refuses. What was mended is told by {@link Servers.restore}.
 *
 * @example
 * ```ts
 * // Somebody else renews their certificate in time, or soon after: goes on trying, at the pace of the backoff.
 * const servers = new Servers(list, {
 *   isPermanent: (cause) => cause.code !== 'CERT_HAS_EXPIRED' && isPermanent(cause),
 * });
 * ```
 */
export function isPermanent(cause: Cause): boolean {
  const { code } = cause;
  if (code === undefined) return cause.phase === 'command';
  return (
    code === 'EACCES' ||
    code === 'EPERM' ||
    code === 'ERR_SOCKET_BAD_PORT' ||
    code.startsWith('ERR_INVALID_') ||
    BAD_CERTIFICATE.test(code)
  );
}

/** What one connection remembers between its attempts. */
export interface Asker {
  /** True where no later attempt can help: a conversation whose client waits. */
  readonly persistent: boolean;
  /** Called when a place is free after an answer of `full`. */
  serverFreed(): void;
  /** Kept by {@link Servers}. */
  memory: AskerMemory | undefined;
}

interface AskerMemory {
  /** Servers that failed in this round. */
  readonly tried: Set<Server>;
  /** Rounds in which every server failed. */
  round: number;
  /** The wait after the last failure is over. */
  rested: boolean;
}

/** What a set of servers answers: one of them, a wait, or that there is none. */
export type Choice =
  | { readonly kind: 'chosen'; readonly server: Server }
  | { readonly kind: 'deferred'; readonly delayMs: number }
  | { readonly kind: 'full' }
  | { readonly kind: 'exhausted'; readonly cause: Report };

const FULL: Choice = { kind: 'full' };
const BUDGET_EMPTY: Choice = {
  kind: 'exhausted',
  cause: { initiator: 'library', manner: 'limit', code: 'retryBudget' },
};

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
  readonly list: readonly Server[];
  readonly clock: Clock;
  readonly #balancer: Balancer;
  readonly #backoff: Backoff;
  readonly #budget: RetryBudget;
  readonly #downFor: number;
  readonly #isPermanent: (cause: Cause) => boolean;
  readonly #random: () => number;
  readonly #queue = new Set<Asker>();
  #isServing = false;

  /** @throws OptionError */
  constructor(servers: readonly ServerOptions[], options: ServersOptions = {}) {
    if (!Array.isArray(servers) || servers.length === 0) {
      throw new OptionError('servers', servers, 'a list of at least one server, such as [{ port: 5432 }]');
    }
    onlyKnown('Servers', options, SERVERS_OPTIONS);
    this.list = servers.map((server, index) => new Server(server, `servers[${index}]`));
    this.clock = checkClock('clock', options.clock) ?? systemClock;
    this.#balancer = balancerOf(options.balance);
    this.#backoff = new Backoff(options.backoff);
    this.#budget = new RetryBudget(options.retryBudget);
    this.#downFor = options.downFor === false ? 0 : timeout('downFor', options.downFor, 10_000);
    this.#isPermanent = hook('isPermanent', options.isPermanent) ?? isPermanent;
    this.#random = hook('random', options.random) ?? Math.random;
  }

  /** How long a connection that has used up its attempts rests, in milliseconds. */
  get slowestPaceMs(): number {
    return this.#backoff.maxMs;
  }

  /**
   * Answers a connection that wants a server. A chosen one counts the connection until {@link leave}; after `full`,
   * the asker is called when there is a place, unless it {@link forget}s.
   */
  choose(asker: Asker): Choice {
    const { memory } = asker;
    if (memory === undefined) {
      if (!this.#queue.has(asker)) this.#budget.deposit();
    } else if (!memory.rested) {
      return this.#defer(asker, memory);
    }
    this.#now = this.clock.now();
    this.#tried = memory?.tried;
    const server = this.#balancer.choose(this.list, this.#isUp) ?? this.#balancer.choose(this.list, this.#isUsable);
    if (server === undefined && !this.#isExhausted()) {
      if (memory !== undefined && this.#isRoundOver(memory)) {
        // Those that this one had yet to try have been excluded meanwhile.
        this.#queue.delete(asker);
        return { kind: 'deferred', delayMs: this.#endRound(memory) };
      }
      // Who waits already keeps its place in the queue.
      this.#queue.add(asker);
      return FULL;
    }
    if (server !== undefined && !(server instanceof Server)) {
      throw new OptionError('balance', server, 'a balancer that chooses one of the servers it is given');
    }
    this.#queue.delete(asker);
    if (server === undefined) return this.#allExcluded();
    if (memory !== undefined) memory.rested = false;
    server.connections++;
    return { kind: 'chosen', server };
  }

  /** The connection no longer waits for a place. */
  forget(asker: Asker): void {
    this.#queue.delete(asker);
  }

  /** The connection, or the attempt, is over: its place is free for whoever has waited longest. */
  leave(server: Server): void {
    server.connections--;
    this.#serve();
  }

  /** Those who wait for a place get one while there is one, the longest first. */
  #serve(): void {
    // An asker that fails at once frees its place again, here inside: the loop that runs already serves it.
    if (this.#isServing) return;
    this.#isServing = true;
    try {
      for (const asker of this.#queue) {
        if (!this.list.some(this.#isOpen)) return;
        asker.serverFreed();
      }
    } finally {
      this.#isServing = false;
    }
  }

  /** An attempt has come up. */
  succeeded(server: Server): void {
    server.failures = 0;
    server.downUntil = 0;
  }

  /** An attempt has failed: the server is chosen last for a while, or never if that cannot mend. */
  failed(asker: Asker, server: Server, cause: Cause): void {
    server.failures++;
    server.downUntil = this.clock.now() + this.#downFor;
    this.#remember(asker, server);
    let reason = cause;
    try {
      if (!this.#isPermanent(cause)) return;
    } catch (error) {
      // A hook that cannot tell must neither hang the connection nor hide its own mistake.
      reason = { initiator: 'owner', manner: 'error', phase: cause.phase, code: 'isPermanent', error };
    }
    server.excluded = reason;
    // Those who wait for a place there will never get one: they are told so now.
    for (const waiting of this.#queue) waiting.serverFreed();
  }

  /** An established connection was lost: this asker tries the others first. */
  dropped(asker: Asker, server: Server): void {
    this.#remember(asker, server);
  }

  /** What was remembered of this connection no longer counts: it is, or was, stable. */
  settled(asker: Asker): void {
    asker.memory = undefined;
  }

  /**
   * Servers that were excluded may be chosen again, all or one: what no retry could mend was mended, such as a certificate
   * that was renewed. Who asks next is served, and who waits for a place; a persistent backend that is exhausted tries
   * again by itself at its slowest pace, and at once by `connect()`, which restores them all.
   */
  restore(server?: Server): void {
    for (const one of server === undefined ? this.list : [server]) {
      one.excluded = undefined;
      one.downUntil = 0;
    }
    this.#serve();
  }

  toJSON() {
    return this.list.map((server) => server.toJSON());
  }

  #remember(asker: Asker, server: Server): void {
    asker.memory ??= { tried: new Set(), round: 0, rested: false };
    asker.memory.tried.add(server);
    asker.memory.rested = false;
  }

  #defer(asker: Asker, memory: AskerMemory): Choice {
    if (this.#isExhausted()) return this.#allExcluded();
    memory.rested = true;
    let delayMs = this.#isRoundOver(memory) ? this.#endRound(memory) : 0;
    if (!this.#budget.withdraw(this.clock.now())) {
      if (!asker.persistent) return BUDGET_EMPTY;
      delayMs = this.#backoff.longestMs(this.#random());
    }
    return { kind: 'deferred', delayMs };
  }

  /** One that was not tried is waited for, also while it is full: those that have failed are not tried again instead. */
  #isRoundOver({ tried }: AskerMemory): boolean {
    return this.list.every((server) => server.excluded !== undefined || tried.has(server));
  }

  #endRound(memory: AskerMemory): number {
    memory.tried.clear();
    return this.#backoff.delayMs(memory.round++, this.#random());
  }

  #isExhausted(): boolean {
    return this.list.every((server) => server.excluded !== undefined);
  }

  #allExcluded(): Choice {
    return { kind: 'exhausted', cause: (this.list[0] as Server).excluded as Cause };
  }

  // Asked once per server and attempt: fields in place of closures.
  #now = 0;
  #tried: Set<Server> | undefined;
  readonly #isOpen = (server: Server): boolean =>
    server.excluded === undefined && server.connections < server.connectionsMax;
  readonly #isUsable = (server: Server): boolean => this.#isOpen(server) && this.#tried?.has(server) !== true;
  readonly #isUp = (server: Server): boolean => this.#isUsable(server) && server.downUntil <= this.#now;
}
