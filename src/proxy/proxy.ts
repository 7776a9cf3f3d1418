import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Backend } from '../adapters/backend.js';
import { type BackendSocketOptions, backendConfig, type DialLimits, serversOf } from '../adapters/backend-options.js';
import { Client, type ClientConfig, clientOf } from '../adapters/client.js';
import { type Address, Listener } from '../adapters/listener.js';
import {
  checkAddress,
  LISTEN_ADDRESS,
  type ListenAddress,
  type ListenerLimits,
  listenerLimits,
  SHARED_LISTENER_OPTIONS,
} from '../adapters/listener-options.js';
import { ClosedError, NotSupportedError, OptionError } from '../errors.js';
import { proxyInstance } from '../generated/proxy.js';
import { environmentOf, HANDLE_OPTIONS, Handle, type HandleKind, type HandleOptions, kindOf } from '../handle.js';
import { BUFFER_LIMITS, namesOf, PROXY_LIMITS, SESSION_LIMITS } from '../machines/limits.js';
import type { ProxyCommand, ProxyEvent } from '../machines/proxy.js';
import { type Cause, type Ending, NEVER_MS, type Outcome, type Report } from '../machines/vocabulary.js';
import { MemberList } from '../members.js';
import { signal as checkSignal, everyOption, hook, limits, onlyKnown, type Timeout } from '../options.js';
import { type Deferred, optionalDeferred } from '../promise.js';
import type { Peer } from '../sockets/peer.js';
import { commandCauseOf, each } from '../sockets/socket.js';
import { governorOf } from '../upstream/governor.js';
import type { Server } from '../upstream/server.js';
import type { ServerOptions } from '../upstream/server-options.js';
import { Servers } from '../upstream/servers.js';
import { SERVERS_OPTIONS, type ServersOptions } from '../upstream/servers-options.js';
import { Adopted, type AdoptOptions, checkAdopt } from './adopted.js';
import { type LogEntry, logEntry } from './log.js';
import { type ConnectionInfo, Session, type SessionConfig, timersOf } from './session.js';
import { endsOf, type SessionHooks, type SessionLimits } from './session-options.js';
import type { KeyHook, RouteHook } from './target.js';
import { checkedTransforms } from './transform.js';

/** Options of {@link createProxy}. `Data` is the type of {@link Client.data}. */
export interface ProxyOptions<Data = unknown>
  extends ListenerLimits<Data>,
    DialLimits,
    BackendSocketOptions,
    SessionHooks<Data>,
    SessionLimits,
    ServersOptions,
    HandleOptions {
  /** Where to listen: one place, or several. Without it, the proxy serves the sockets that you {@link TcpProxy.adopt}. */
  readonly listen?: ListenAddress | readonly ListenAddress[] | undefined;
  /** Where to connect: a list, or a {@link Servers} shared with others. Either this or `route`. */
  readonly servers?: readonly ServerOptions[] | Servers | undefined;
  /**
   * Says where each client goes: see {@link Target}. It may answer at once, or promise an answer; `false` turns the client
   * away, and so does an error, which is then in the cause (`outcome.cause.error`). Bounded by `routeTimeout`. Options such
   * as `balance`, `backoff` and `downFor` hold for the sets of servers that it names by their addresses.
   *
   * @example
   * ```ts
   * route: async (client, { signal }) => ({ host: await lookUpTenant(client.peer, { signal }), port: 5432 }),
   * ```
   */
  readonly route?: RouteHook<Data> | undefined;
  /** Time for the hook `route`, in milliseconds. Default 10 000. */
  readonly routeTimeout?: Timeout | undefined;
  /** What should lead a client to the same server each time, for a {@link Balancer} of yours; with `servers`. */
  readonly key?: KeyHook<Data> | undefined;
  /** Persistent backends that live with the proxy: connected before it listens, closed after its last session. */
  readonly backends?: readonly Backend[] | undefined;
}

const PROXY_OPTIONS = everyOption<ProxyOptions>()(
  'listen',
  'servers',
  'route',
  'key',
  'prepare',
  'transform',
  'refusal',
  'backends',
  'halfClose',
  ...SHARED_LISTENER_OPTIONS,
  ...namesOf(PROXY_LIMITS),
  ...SERVERS_OPTIONS,
  ...HANDLE_OPTIONS,
);

/** Events of a proxy. */
export type ProxyEvents<Data = unknown> = {
  /** Every listener is bound. */
  running: [];
  /** A client was paired with a backend. */
  established: [Session<Data>];
  /** A session's connect failed; the next attempt follows after `delayMs`. */
  retry: [{ session: Session<Data>; attempt: number; delayMs: number; cause: Cause }];
  /** A session's next attempt goes to another server. */
  failover: [{ session: Session<Data>; from: Server; to: Server; cause: Cause }];
  /** A session lost a leg that was established. */
  dropped: [{ session: Session<Data>; leg: 'client' | 'backend'; cause: Cause }];
  /** A client has ended, whether it got a session or not: `outcome.cause` says why one was refused. */
  clientClosed: [{ client: Client<Data>; outcome: Outcome }];
  /** A session has ended. */
  sessionClosed: [{ session: Session<Data>; outcome: Outcome }];
  /** A client has ended, with or without a session: one record of it, as for an access log. */
  log: [LogEntry];
  /** A listener had a failure that it outlives, cannot listen again and only waits for its clients, or could not remove its path. */
  warning: [{ listener: Listener<Data>; cause: Cause }];
  /** A newcomer was turned away at the limit. `peer` is where it comes from. */
  refused: [{ total: number; peer: Peer | undefined }];
  /** It has ended: its listeners, its sessions and its backends are over. */
  closed: [Outcome];
};

const BOUND = { type: 'listeners.bound' } as const;
const LISTENERS_CLOSED = { type: 'listeners.closed' } as const;
const SERVED = { type: 'sessions.served' } as const;
const EMPTIED = { type: 'sessions.emptied' } as const;
const BACKENDS_CLOSED = { type: 'backends.closed' } as const;
const BACKENDS_ESTABLISHED = { type: 'backends.established' } as const;

/** A TCP proxy: listeners, servers, and a session for each client. Made by {@link createProxy}. */
export class TcpProxy<Data = unknown> extends Handle<ProxyEvent, ProxyEvents<Data>> {
  /** @internal */
  static readonly kind: HandleKind<TcpProxy, ProxyCommand, ProxyEvents> = {
    ...kindOf('proxy', proxyInstance),
    events: {
      running: true,
      established: true,
      retry: true,
      failover: true,
      dropped: true,
      clientClosed: true,
      sessionClosed: true,
      log: true,
      warning: true,
      refused: true,
      closed: true,
    },
    commands: {
      'backends.connect': (proxy) => proxy.#connectBackends(),
      'backends.close': (proxy) => proxy.#closeBackends(),
      'backends.abort': (proxy, { cause, deliver }) => abortAll(proxy.backends, cause, deliver),
      'listeners.start': (proxy) => proxy.#startListeners(),
      'listeners.close': (proxy) => proxy.closeListeners(),
      'listeners.abort': (proxy, { cause, deliver }) => abortAll(proxy.#acceptors, cause, deliver),
      'listeners.await': (proxy) => proxy.#awaitListeners(),
      'sessions.await': (proxy) => proxy.#awaitSessions(),
      'admissions.refuse': (proxy, { cause }) => proxy.#refuseAdmissions(cause),
      'sessions.abort': (proxy, { cause, deliver }) => abortAll(proxy.sessions, cause, deliver),
      'owner.running': (proxy) => proxy.#announceRunning(),
    },
  };

  /** One for each address of `listen`, in that order. */
  readonly listeners: readonly Listener<Data>[];
  /** Where it connects; a set without servers where `route` decides. */
  readonly servers: Servers;
  /** The persistent backends of the option `backends`. */
  readonly backends: readonly Backend[];
  readonly #clientConfig: ClientConfig;
  readonly #sessionConfig: SessionConfig;
  /** Clients that were accepted elsewhere. */
  readonly #adopted: Adopted<Data>;
  readonly #sessions = new MemberList<Session<Data>>();
  readonly #bound = new Set<Listener<Data>>();
  #listenersLeft: number;
  #listenersAwaited = false;
  #sessionsAwaited = false;
  #started: Deferred<void> | undefined;
  #startError: unknown;
  #keepAlive = true;
  readonly #ownsServers: boolean;

  /** @internal */
  constructor(options: ProxyOptions<Data>) {
    const { listen, listener, servers, session, backends, settings } = checkedProxy(options as ProxyOptions);
    const signal = checkSignal('signal', options.signal);
    super(TcpProxy.kind, { settings }, session.environment, undefined);
    this.servers = servers;
    this.#ownsServers = options.servers !== servers;
    servers.share(this.id);
    this.backends = backends;
    this.#clientConfig = listener.client;
    this.#sessionConfig = session;
    this.#adopted = new Adopted(this, listener.settings.clientsMax);
    this.listeners = listen.map((where) => new Listener<Data>(where, listener, session.environment, this, this));
    this.#listenersLeft = this.listeners.length;
    for (const listener of this.listeners) {
      listener.on('refused', ({ peer }) => this.notify('refused', { total: this.refused, peer }));
      listener.on('warning', ({ cause }) => this.notify('warning', { listener, cause }));
    }
    this.begin(signal);
  }

  /** Where it listens, with the real ports; listeners that are not bound are left out. */
  get addresses(): Address[] {
    return this.listeners.flatMap((listener) => (listener.hasTag('listening') && listener.address) || []);
  }

  /** Newcomers that were turned away, over all listeners, and of those that were adopted. */
  get refused(): number {
    return this.#acceptors.reduce((total, { refused }) => total + refused, 0);
  }

  /**
   * Takes over a socket that was accepted elsewhere, as a client like any other: it is admitted, gets a session, counts
   * towards a limit of its own (`clientsMax` sockets that were adopted), and is waited for by a close. Call it in the tick
   * of the accept, or of the event that hands the socket over. A proxy that has ended, or is about to end, turns it away,
   * as it does with newcomers.
   *
   * @param socket a `net.Socket`, a `tls.TLSSocket` whose handshake is done, or another `Duplex`
   * @throws OptionError for what is no stream, or is owned by another handle
   * @throws NotSupportedError before {@link start}
   * @example
   * ```ts
   * const server = http.createServer();
   * server.on('connect', ({ url }, socket, head) => proxy.adopt(socket, { head, data: url }));
   * // Once there is a server; until then, `refusal` may say that there is none.
   * proxy.on('established', ({ client }) => client.socket.write('HTTP/1.1 200 Connection Established\r\n\r\n'));
   * ```
   */
  adopt(socket: Duplex, options: AdoptOptions<Data> = {}): Client<Data> {
    checkAdopt(socket, options);
    if (!this.hasTag('serving') && !this.hasTag('ending'))
      throw new NotSupportedError(`${this.id} was not started yet: call start() first.`);
    const { head, data } = options;
    clientOf(socket)?.leave();
    if (head !== undefined && head.length > 0) socket.unshift(head);
    const client = new Client<Data>(
      socket as Socket,
      this.#clientConfig,
      this.#sessionConfig.environment,
      this.#adopted,
      this,
    );
    client.data = data as Data;
    if (!this.#keepAlive) client.unref();
    this.#adopted.add(client, this.hasTag('ending'));
    return client;
  }

  /** @internal */
  get isLogging(): boolean {
    return this.hasListeners('log');
  }

  /** The sessions that live, in the order in which they began. */
  get sessions(): Session<Data>[] {
    return [...this.#sessions];
  }

  /**
   * Connects the persistent backends, if there are any, and listens. A listener that you closed through its own handle
   * is left out.
   *
   * @throws BindError when a listener cannot bind; those already bound are closed
   * @throws ConnectError when a persistent backend is exhausted; one whose `attemptsMax` is not limited is waited for
   * @throws ClosedError when the proxy is over, when every listener was closed, or when a persistent backend was; its
   * message names which, and its cause says why
   */
  start(): Promise<void> {
    if (this.hasTag('ending')) return Promise.reject(this.#endError());
    if (this.#started === undefined) {
      this.#started = optionalDeferred();
      this.instance.send({ type: 'proxy.start' });
    }
    return this.#started.promise;
  }

  /**
   * Stops accepting on every listener; sessions live on. Listeners that you closed through their own handles are left out.
   *
   * @throws NotSupportedError before it was started
   * @throws NotSupportedError where one of them could not listen again: on a file descriptor
   * @throws ClosedError when it has ended, or is about to end
   */
  suspend(): void {
    const listeners = this.#serving();
    for (const listener of listeners) listener.checkSuspend();
    for (const listener of listeners) listener.suspend();
  }

  /**
   * Listens again, on the ports that it had.
   *
   * @throws ClosedError when it has ended, or is about to end
   */
  resume(): void {
    for (const listener of this.#serving()) listener.resume();
  }

  /** What clients come from. */
  get #acceptors(): readonly (Listener<Data> | Adopted<Data>)[] {
    return [...this.listeners, this.#adopted];
  }

  /** The listeners that go on. */
  #serving(): Listener<Data>[] {
    if (this.listeners.length === 0) throw new NotSupportedError(`${this.id} has no listener.`);
    const listeners = this.listeners.filter((listener) => listener.goesOn);
    if (listeners.length > 0 && !this.hasTag('ending')) return listeners;
    throw new ClosedError(this.id, this.outcome?.cause);
  }

  /** What can be seen of every live connection: what a transition does not tell. */
  connections(): ConnectionInfo[] {
    const infos: ConnectionInfo[] = [];
    for (const { clients } of this.#acceptors) {
      for (const client of clients)
        if (client.session === undefined || client.hasTag('lent')) infos.push(infoOf(client));
    }
    for (const session of this.#sessions) infos.push(session.info());
    return infos;
  }

  override toJSON(): Record<string, unknown> {
    return {
      ...super.toJSON(),
      listeners: this.listeners.map((listener) => listener.toJSON()),
      servers: this.servers.toJSON(),
      sessions: this.#sessions.size,
    };
  }

  /** @internal */
  listenerBound(listener: Listener<Data>): void {
    // One that was suspended and resumed meanwhile is bound twice.
    this.#bound.add(listener);
    this.#reportBound();
  }

  /** @internal */
  listenerClosed(listener: Listener<Data>, outcome: Outcome): void {
    this.#listenersLeft--;
    this.#bound.delete(listener);
    // One that was closed through its own handle is not missed while there are others.
    const isLost = outcome.ending === 'failed' || outcome.cause.manner === 'destroy';
    if (isLost || this.#listenersLeft === 0) {
      // The first that is missed is why the proxy fails, if it fails; the others are closed because of that.
      this.#startError ??= listener.endError(outcome);
      this.instance.send({ type: 'listeners.failed', cause: outcome.cause });
    } else {
      this.#reportBound();
    }
    this.#reportListeners();
    this.#reportSessions();
  }

  /** @internal */
  clientEstablished(client: Client<Data>, parent: { readonly id: string }): void {
    // A drain serves the clients that were being admitted when it began.
    if (!this.hasTag('serving')) {
      void client.abort({ initiator: 'library', manner: 'refusal', code: 'draining' });
      return;
    }
    const session = new Session<Data>(client, this.#sessionConfig, this, parent);
    client.session = session;
    this.#sessions.add(session);
    if (!this.#keepAlive) session.unref();
    session.begin();
    // It may have sent its last byte while it was being admitted: the session was not there to hear of it.
    if (client.socket.readableEnded) session.legEnded(client);
  }

  /** @internal */
  adoptedEstablished(client: Client<Data>): void {
    this.clientEstablished(client, this);
  }

  /** @internal */
  adoptedRefused({ peer }: Client<Data>): void {
    this.notify('refused', { total: this.refused, peer });
  }

  /** @internal */
  clientClosed(client: Client<Data>, outcome: Outcome): void {
    if (this.hasListeners('clientClosed')) this.notify('clientClosed', { client, outcome });
    if (client.session === undefined && this.isLogging) this.notify('log', logEntry(client, undefined, outcome));
    this.#reportSessions();
  }

  /** @internal */
  sessionClosed(session: Session<Data>, outcome: Outcome): void {
    this.#sessions.delete(session);
    if (this.hasListeners('sessionClosed')) this.notify('sessionClosed', { session, outcome });
    if (this.isLogging) this.notify('log', logEntry(session.client, session, outcome));
    this.#reportSessions();
  }

  /** @internal */
  override commandFailed(command: string, error: unknown): void {
    const cause = commandCauseOf(error);
    if (command === 'backends.connect' || command === 'listeners.start') {
      this.#startError ??= error;
      this.instance.send({ type: command === 'backends.connect' ? 'backends.failed' : 'listeners.failed', cause });
    } else {
      this.instance.send({ type: 'proxy.abort', cause });
    }
  }

  /** @internal */
  protected override finished(): void {
    this.#started?.reject(this.#endError());
    if (this.#ownsServers) this.servers.end();
  }

  /** Why it cannot be started, or did not start. */
  #endError(): unknown {
    const { ending } = this.instance.context as { readonly ending: Ending };
    const error = ending === 'failed' ? this.#startError : undefined;
    return error ?? new ClosedError(this.id, this.outcome?.cause);
  }

  /** @internal */
  protected override refSocket(keepAlive: boolean): void {
    this.#keepAlive = keepAlive;
    for (const part of [...this.listeners, ...this.#adopted.clients, ...this.#sessions, ...this.backends]) {
      if (keepAlive) part.ref();
      else part.unref();
    }
  }

  #connectBackends(): void {
    const { backends } = this;
    Promise.all(backends.map((backend) => backend.connect()))
      // One may be over again before the last one is established.
      .then(() => Promise.all(backends.map((backend) => backend.goesOn || backend.ready())))
      .then(
        () => this.instance.send(BACKENDS_ESTABLISHED),
        (error: Error & { cause?: Cause }) => {
          this.#startError ??= error;
          this.instance.send({ type: 'backends.failed', cause: error.cause as Cause });
        },
      );
  }

  #closeBackends(): void {
    const closed = this.backends.map(async (backend) => backend.close());
    Promise.allSettled(closed).then(() => this.instance.send(BACKENDS_CLOSED));
  }

  #startListeners(): void {
    // How each of them fares is told by listenerBound() and listenerClosed().
    for (const listener of this.listeners) if (listener.goesOn) listener.start().catch(ignore);
    // Those that were started through their own handles may be bound already.
    this.#reportBound();
  }

  /** @internal */
  closeListeners(): void {
    // The deadline is the proxy's: its listeners wait as long as it does.
    each(this.listeners, (listener) => void listener.close({ timeoutMs: false }));
  }

  #awaitListeners(): void {
    this.#listenersAwaited = true;
    this.#reportListeners();
  }

  #awaitSessions(): void {
    this.#sessionsAwaited = true;
    this.#reportSessions();
  }

  #refuseAdmissions(cause: Report): void {
    each(this.#acceptors, (acceptor) => acceptor.refuseAdmissions(cause));
    // Other code may have them, or they may still be getting their last words.
    const areServed = this.#acceptors.some(({ clients }) => [...clients].some((client) => client.hasTag('served')));
    if (this.#sessions.size > 0 || areServed) this.instance.send(SERVED);
  }

  #announceRunning(): void {
    this.#started?.resolve();
    this.notify('running');
  }

  #reportBound(): void {
    const hasNone = this.listeners.length === 0;
    if ((hasNone || this.#listenersLeft > 0) && this.#bound.size === this.#listenersLeft) this.instance.send(BOUND);
  }

  #reportListeners(): void {
    if (this.#listenersAwaited && this.#listenersLeft === 0) this.instance.send(LISTENERS_CLOSED);
  }

  #reportSessions(): void {
    if (!this.#sessionsAwaited || this.#sessions.size > 0) return;
    if (this.#acceptors.every(({ clients }) => clients.size === 0)) this.instance.send(EMPTIED);
  }
}

function ignore(): void {}

/** A part of a proxy that can be ended at once. */
interface Part {
  cut(cause: Cause): void;
  abort(cause: Cause): unknown;
}

function abortAll(parts: readonly Part[], cause: Cause, deliver: boolean): void {
  each(parts, (part) => (deliver ? part.cut(cause) : void part.abort(cause)));
}

/** A client has no session while it is being admitted, and once it was handed over. */
function infoOf(client: Client): ConnectionInfo {
  return {
    id: client.id,
    state: client.state,
    ageMs: client.clock.now() - client.since,
    client: { id: client.id, state: client.state, peer: client.peer?.toString() },
    backend: undefined,
    bytes: { fromClient: 0, fromBackend: 0 },
    timers: timersOf('client', client.timers()),
    accepts: client.accepts(),
  };
}

/** Where clients go: to servers that are known, or where a hook says. */
function checkedWhere(options: ProxyOptions) {
  const { servers } = options;
  const route = hook('route', options.route);
  const key = hook('key', options.key);
  if (route === undefined && servers === undefined) {
    throw new OptionError('servers', servers, 'given, such as [{ port: 5432 }], unless route is');
  }
  if (route === undefined)
    return { servers: serversOf({ ...options, servers: servers as Servers }), sets: {}, route, key };
  if (servers !== undefined)
    throw new OptionError('servers', servers, 'left out where route is given, which may answer with them');
  if (key !== undefined)
    throw new OptionError('key', key, 'left out where route is given, whose answer may have one: { to, key }');
  const named: Record<string, unknown> = {};
  for (const name of SERVERS_OPTIONS) if (options[name] !== undefined) named[name] = options[name];
  // All sets of a route share one governor.
  const sets = { ...named, ...(options.governor !== undefined && { governor: governorOf(options.governor) }) };
  // What is wrong with these is said now, and not to the first client.
  return { servers: new Servers(Servers.none, sets), sets, route, key };
}

function checkedProxy(options: ProxyOptions) {
  onlyKnown('createProxy', options, PROXY_OPTIONS);
  const { listen: at = [] } = options;
  const listen: readonly ListenAddress[] = Array.isArray(at) ? at : [at];
  if (listen.length === 0 && options.listen !== undefined) {
    throw new OptionError('listen', at, 'at least one address, such as { port: 8080 }, or left out');
  }
  for (const [index, where] of listen.entries()) {
    onlyKnown(`listen[${index}]`, where, LISTEN_ADDRESS, `listen[${index}].`);
    checkAddress(where, `listen[${index}].`);
  }
  const { backends = [] } = options;
  if (!Array.isArray(backends) || !backends.every((backend) => backend instanceof Backend)) {
    throw new OptionError('backends', backends, 'a list of what createBackend() returns');
  }
  const { servers, sets, route, key } = checkedWhere(options);
  // Two files per client: its own socket and its backend's.
  const listener = listenerLimits(options, 2, true);
  const settings = {
    ...limits(SESSION_LIMITS, options),
    closeTimeout: listener.settings.drainTimeout,
    asksRoute: route !== undefined || key !== undefined,
  };
  const backend = backendConfig(options, servers, false, true, settings.sessionConnectTimeout < NEVER_MS);
  const session: SessionConfig = {
    input: { settings },
    environment: environmentOf(options),
    backend,
    ...limits(BUFFER_LIMITS, options),
    route,
    key,
    transform: checkedTransforms(options.transform),
    refusal: hook('refusal', options.refusal),
    servers: sets,
    ...endsOf(options, settings, backend),
  };
  return {
    listen,
    listener,
    servers,
    session,
    backends,
    settings: {
      drainTimeout: listener.settings.drainTimeout,
      abortTimeout: listener.settings.abortTimeout,
      lingerMax: listener.settings.lingerMax,
    },
  };
}

/**
 * Makes a TCP proxy, which does nothing until {@link TcpProxy.start} is called. For every client that it admits it
 * connects one of the servers, retrying and failing over until one answers, and relays bytes both ways.
 *
 * @throws OptionError
 * @example
 * ```ts
 * const proxy = createProxy({
 *   listen: [{ host: '127.0.0.1', port: 8080 }],
 *   servers: [{ host: '127.0.0.1', port: 5432 }, { host: '127.0.0.1', port: 5433 }],
 * });
 * proxy.on('failover', ({ from, to, cause }) => console.log(`${from} → ${to}`, cause));
 * await proxy.start();
 * console.log(proxy.addresses);
 * // …
 * await proxy.close({ timeoutMs: 5_000 });
 * ```
 */
export function createProxy<Data = unknown>(options: ProxyOptions<Data>): TcpProxy<Data> {
  return new TcpProxy(options);
}
