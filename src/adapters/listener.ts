import { type AddressInfo, createServer, type ListenOptions, Server as NetServer, type Socket } from 'node:net';
import { builtin } from '../builtin.js';
import { BindError, ClosedError, NotSupportedError } from '../errors.js';
import { listenerInstance } from '../generated/listener.js';
import { type Environment, environmentOf, Handle, type HandleKind, kindOf } from '../handle.js';
import type { ListenerCommand, ListenerEvent } from '../machines/listener.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { type Member, MemberList, type Members } from '../members.js';
import { signal as checkSignal, onlyKnown } from '../options.js';
import { type Deferred, optionalDeferred } from '../promise.js';
import { listenProxyProtocol } from '../proxy-protocol.js';
import { Handshakes } from '../sockets/handshake.js';
import { type Peer, peerOf } from '../sockets/peer.js';
import { commandCauseOf, each, rawOf, reportOf, reset } from '../sockets/socket.js';
import { bindingName, isFile, lockPath, type PathLock, unlockPath } from '../sockets/unix.js';
import { hostAndPort } from '../text.js';
import type { ListenTls } from '../tls.js';
import { behindProxies, Client, type ClientConfig, overTls } from './client.js';
import {
  type CheckedListenerLimits,
  checkAddress,
  LISTENER_OPTIONS,
  type ListenAddress,
  type ListenerOptions,
  listenerLimits,
} from './listener-options.js';

/** Events of a listener. */
export type ListenerEvents<Data = unknown> = {
  /** Bound, for the first time or again. */
  listening: [Address];
  /** A client was admitted. */
  client: [Client<Data>];
  /** A client has ended, whether it was admitted or not: `outcome.cause` says why one was refused. */
  clientClosed: [{ client: Client<Data>; outcome: Outcome }];
  /** A newcomer was turned away because it is full or no longer serves. `peer` is where it comes from. */
  refused: [{ total: number; peer: Peer | undefined }];
  /** It could not bind, and tries again after `delayMs`. */
  retry: [{ attempt: number; delayMs: number; cause: Cause }];
  /**
   * An accept failed, and it listens on; or it could not listen again, and only waits for its clients; or it is closed or
   * suspended, and could not remove its Unix path (`cause.error` says why).
   */
  warning: [{ cause: Cause }];
  /** It has ended: it no longer listens, and its clients are over. */
  closed: [Outcome];
};

/** Where a listener listens: a host and a port, or a Unix path. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** @internal The proxy of a listener: it is called before the events are emitted. */
export interface ListenerOwner {
  /** @internal */
  clientEstablished(client: Client, listener: Listener): void;
  /** @internal */
  clientClosed(client: Client, outcome: Outcome): void;
  listenerBound(listener: Listener): void;
  listenerClosed(listener: Listener, outcome: Outcome): void;
}

/** A socket whose TLS handshake is not over. */
interface Handshaking extends Member<Handshaking> {
  readonly socket: Socket;
}

const LISTENING = { type: 'server.listening' } as const;
const SERVER_CLOSED = { type: 'server.closed' } as const;
const CLIENTS_SERVED = { type: 'clients.served' } as const;
const CLIENT_CLOSED = { type: 'client.closed' } as const;

/** Listens and adopts what is accepted. Made by {@link createListener}. */
export class Listener<Data = unknown> extends Handle<ListenerEvent, ListenerEvents<Data>> {
  /** @internal */
  static readonly kind: HandleKind<Listener, ListenerCommand, ListenerEvents> = {
    ...kindOf('listener', listenerInstance),
    events: {
      listening: true,
      client: true,
      clientClosed: true,
      refused: true,
      retry: true,
      warning: true,
      closed: true,
    },
    commands: {
      'server.listen': (listener) => listener.listen(),
      'server.close': (listener) => listener.closeServer(),
      'path.unlink': (listener) => listener.#unlinkPath(),
      'client.adopt': (listener, { socket }) => listener.#adopt(socket as Socket),
      'client.refuse': (listener, { socket }) => listener.#refuse(socket as Socket),
      'admissions.refuse': (listener, { cause }) => listener.refuseAdmissions(cause),
      'clients.abort': (listener, { cause, deliver }) => listener.#abortClients(cause, deliver),
      'owner.listening': (listener) => listener.#announceListening(),
      'owner.retry': (listener, { attempt, delayMs, cause }) => listener.#announceRetry(attempt, delayMs, cause),
      'owner.warn': (listener, { cause }) => listener.warn(cause),
    },
  };

  /** Newcomers that were turned away. */
  refused = 0;
  /** Clients at once: the option `clientsMax`, or what the limit on open files permits. */
  readonly clientsMax: number;
  readonly #clients = new MemberList<Client<Data>>();
  readonly #where: ListenAddress;
  readonly #server: NetServer;
  readonly #clientConfig: ClientConfig;
  readonly #environment: Environment;
  readonly #owner: ListenerOwner | undefined;
  #address: Address | undefined;
  #pathLock: PathLock | undefined;
  #binding: string | undefined;
  /** Counts what was asked of the server, so that what an earlier listen still finds out is not taken for news. */
  #turn = 0;
  /** Under a TLS server that was given: sockets whose handshake is not over. */
  readonly #handshaking = new MemberList<Handshaking>();
  readonly #handshakes: Handshakes | undefined;
  #started: Deferred<Address> | undefined;
  #keepAlive = true;

  /** @internal */
  constructor(
    where: ListenAddress,
    limits: CheckedListenerLimits,
    environment: Environment,
    owner?: ListenerOwner,
    parent?: { readonly id: string },
    signal?: AbortSignal,
  ) {
    super(Listener.kind, { settings: limits.settings }, environment, parent);
    this.#environment = environment;
    this.#where = where;
    this.clientsMax = limits.settings.clientsMax;
    this.#owner = owner;
    this.#handshakes = where.tls === undefined ? undefined : new Handshakes(where.tls, () => this.clock.now());
    const config = this.#handshakes === undefined ? limits.client : overTls(limits.client, this.#handshakes);
    const { proxyProtocol, port } = where;
    this.#clientConfig =
      proxyProtocol === undefined
        ? config
        : behindProxies(config, listenProxyProtocol('proxyProtocol', proxyProtocol, port !== undefined));
    this.#server = where.server ?? createServer(limits.serverOptions);
    if ('setSecureContext' in this.#server) {
      this.#server.on('secureConnection', this.#onConnection);
      this.#server.on('connection', this.#onHandshake);
      this.#server.on('tlsClientError', this.#onHandshakeFailed);
    } else {
      this.#server.on('connection', this.#onConnection);
    }
    this.#server.on('listening', this.#onListening);
    this.#server.on('error', this.#onError);
    this.#server.on('close', this.#onClose);
    this.begin(signal);
  }

  /** The clients that live, in the order in which they were accepted. */
  get clients(): Members<Client<Data>> {
    return this.#clients;
  }

  /** Where it listens, with the real port; nothing before it has listened. */
  get address(): Address | undefined {
    return this.#address;
  }

  /** Where it listens, as text: `127.0.0.1:8080`, or a path; its id before it has listened. */
  override toString(): string {
    const address = this.#address;
    if (address === undefined) return this.id;
    return 'path' in address ? address.path : hostAndPort(address.host, address.port);
  }

  /**
   * Listens.
   *
   * @throws BindError when it cannot bind
   * @throws ClosedError when it has ended
   */
  start(): Promise<Address> {
    if (this.outcome !== undefined) return Promise.reject(this.endError(this.outcome));
    if (!this.goesOn) return Promise.reject(new ClosedError(this.id));
    if (this.#started === undefined) {
      this.#started = optionalDeferred();
      this.instance.send({ type: 'listener.start' });
    }
    return this.#started.promise;
  }

  /**
   * Stops accepting; the clients live on. A `start()` that has not bound yet then waits for {@link resume}.
   *
   * @throws NotSupportedError before it was started
   * @throws NotSupportedError where it could not listen again: on a file descriptor
   * @throws ClosedError when it has ended, or is about to end
   */
  suspend(): void {
    this.checkSuspend();
    this.instance.send({ type: 'listener.suspend' });
  }

  /**
   * Listens again, on the port that it had.
   *
   * @throws ClosedError when it has ended, or is about to end
   */
  resume(): void {
    this.#refuseWhenOver();
    this.instance.send({ type: 'listener.resume' });
  }

  /**
   * Takes other certificates (and `ca`, `names`, ciphers, versions) for handshakes that begin from now on; connections
   * keep what they have. What is left out stays as it is; `names` that are given take the place of all that there were.
   * `ALPNProtocols`, `requestCert` and `rejectUnauthorized` must be as they were: for others another listener is needed.
   *
   * @throws OptionError for what cannot be right; nothing has changed then
   * @throws NotSupportedError where it does not speak TLS by itself
   * @example
   * ```ts
   * process.on('SIGHUP', () => listener.renewTls({ key: readFileSync(key), cert: readFileSync(cert) }));
   * ```
   */
  renewTls(tls: ListenTls): void {
    if (this.#handshakes === undefined) throw new NotSupportedError(`${this.id} does not speak TLS by itself.`);
    this.#handshakes.renew(tls);
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), address: this.#address, clients: this.#clients.size, refused: this.refused };
  }

  /** @internal */
  clientEstablished(client: Client<Data>): void {
    this.#owner?.clientEstablished(client, this);
    this.notify('client', client);
  }

  /** @internal */
  clientClosed(client: Client<Data>, outcome: Outcome): void {
    this.#clients.delete(client);
    client.session?.legClosed(client, outcome);
    this.#owner?.clientClosed(client, outcome);
    if (this.hasListeners('clientClosed')) this.notify('clientClosed', { client, outcome });
    this.instance.send(CLIENT_CLOSED);
  }

  /** @internal */
  override commandFailed(command: string, error: unknown): void {
    // Only a bind that fails ends the listener; every other error is reported, also by a listener that has ended.
    if (command === 'server.listen') {
      this.instance.send({ type: 'server.failed', cause: { ...reportOf(error), phase: 'command', error } });
    } else {
      this.warn(commandCauseOf(error));
    }
  }

  /** @internal */
  protected override finished(outcome: Outcome): void {
    const server = this.#server;
    server.off('connection', this.#onConnection);
    server.off('secureConnection', this.#onConnection);
    server.off('connection', this.#onHandshake);
    server.off('tlsClientError', this.#onHandshakeFailed);
    // Its clients are gone: what is left has not shaken hands.
    for (const { socket } of this.#handshaking) socket.destroy();
    server.off('listening', this.#onListening);
    server.off('close', this.#onClose);
    // A server of our own may still fail: that no longer matters.
    if (this.#where.server !== undefined) server.off('error', this.#onError);
    this.#started?.reject(this.endError(outcome));
    this.#owner?.listenerClosed(this, outcome);
  }

  /** @internal */
  protected override refSocket(keepAlive: boolean): void {
    this.#keepAlive = keepAlive;
    for (const part of [this.#server, ...this.#clients]) {
      if (keepAlive) part.ref();
      else part.unref();
    }
  }

  /** @internal */
  listen(): void {
    this.#turn++;
    this.inContext(() => this.#listen());
  }

  #listen(): void {
    const { server, host, port, path, fd, backlog, ipv6Only } = this.#where;
    if (server?.listening) {
      this.instance.send(LISTENING);
      return;
    }
    const options: ListenOptions = { ...(backlog !== undefined && { backlog }) };
    if (fd !== undefined) {
      this.#server.listen({ ...options, fd } as ListenOptions);
      return;
    }
    const again = this.#address;
    if (path !== undefined || (again !== undefined && 'path' in again)) {
      const target = path ?? (again as { path: string }).path;
      this.#binding = isFile(target) ? bindingName(target) : undefined;
      this.#server.listen({ ...options, path: this.#binding ?? target });
      return;
    }
    // Workers of node:cluster that ask for any port share one; by its number, none of them would get it again.
    const isShared = port === 0 && builtin.cluster.isWorker;
    this.#server.listen({
      ...options,
      port: again === undefined || isShared ? (port as number) : (again as { port: number }).port,
      ...(host !== undefined && { host }),
      ...(host === undefined && server !== undefined && again !== undefined && 'host' in again && { host: again.host }),
      ...(ipv6Only !== undefined && { ipv6Only }),
    });
  }

  readonly #onConnection = (socket: Socket): void => {
    this.instance.send({ type: 'client.arrived', socket });
  };

  /** A socket has no client until its TLS handshake is over, but it must not outlive the listener. */
  readonly #onHandshake = (socket: Socket): void => {
    const handshaking: Handshaking = { socket, previous: undefined, next: undefined };
    this.#handshaking.add(handshaking);
    socket.once('close', () => this.#handshaking.delete(handshaking));
  };

  /** Node leaves it open, such as one that has said nothing for `handshakeTimeout`; once the alert is out. */
  readonly #onHandshakeFailed = (_error: Error, socket: Socket): void => {
    setImmediate(() => rawOf(socket)?.destroy());
  };

  readonly #onError = (error: Error): void => this.#failed(error);

  readonly #onClose = (): void => {
    // It also comes late, when the last socket of an earlier listen dies.
    if (!this.#server.listening) this.instance.send(SERVER_CLOSED);
  };

  readonly #onListening = (): void => {
    const binding = this.#binding;
    const turn = this.#turn;
    if (binding === undefined) {
      this.instance.send(LISTENING);
      return;
    }
    this.#binding = undefined;
    lockPath(binding, this.#where.path ?? (this.#address as { path: string }).path).then(
      (lock) => {
        const newer = this.#pathLock;
        this.#pathLock = lock;
        if (turn === this.#turn) {
          this.instance.send(LISTENING);
          return;
        }
        // It is no longer wanted.
        this.perform({ type: 'path.unlink' });
        this.#pathLock = newer;
      },
      (error) => {
        if (turn !== this.#turn) return;
        this.perform({ type: 'server.close' });
        this.#failed(error);
      },
    );
  };

  #failed(error: unknown): void {
    this.instance.send({ type: 'server.failed', cause: reportOf(error) });
  }

  /** @internal */
  closeServer(): void {
    this.#turn++;
    try {
      this.#server.close();
    } catch (error) {
      // A server that was given may have a `close` of its own.
      if (this.#server.listening) NetServer.prototype.close.call(this.#server);
      throw error;
    }
  }

  #unlinkPath(): void {
    const lock = this.#pathLock;
    this.#pathLock = undefined;
    if (lock !== undefined) unlockPath(lock);
  }

  #adopt(socket: Socket): void {
    let client: Client<Data> | undefined;
    try {
      client = new Client<Data>(socket, this.#clientConfig, this.#environment, this, this);
      this.#clients.add(client);
      if (!this.#keepAlive) client.unref();
    } catch (error) {
      // It was counted, and will not be heard of.
      if (client !== undefined) this.#clients.delete(client);
      socket.on('error', ignore);
      reset(socket);
      this.instance.send(CLIENT_CLOSED);
      throw error;
    }
    client.begin();
  }

  #refuse(socket: Socket): void {
    this.refused++;
    socket.on('error', () => {});
    const peer = this.hasListeners('refused') ? peerOf(socket) : undefined;
    reset(socket);
    this.notify('refused', { total: this.refused, peer });
  }

  /** @internal */
  refuseAdmissions(cause: Report): void {
    each(this.#clients, (client) => client.refuseAdmission(cause));
    for (const client of this.#clients) {
      if (!client.hasTag('served')) continue;
      this.instance.send(CLIENTS_SERVED);
      return;
    }
  }

  #abortClients(cause: Cause, deliver: boolean): void {
    each(this.#clients, (client) => (deliver ? client.cut(cause) : void client.abort(cause)));
  }

  #announceListening(): void {
    this.#address = this.#where.path === undefined ? addressOf(this.#server) : { path: this.#where.path };
    if (!this.#keepAlive) this.#server.unref();
    this.#started?.resolve(this.#address as Address);
    this.#owner?.listenerBound(this);
    this.notify('listening', this.#address as Address);
  }

  #announceRetry(attempt: number, delayMs: number, cause: Cause): void {
    this.notify('retry', { attempt, delayMs, cause });
  }

  /** @internal */
  warn(cause: Cause): void {
    this.notify('warning', { cause });
  }

  /** @internal False once it is over, or about to be. */
  get goesOn(): boolean {
    return !this.hasTag('ending');
  }

  /** @internal Throws what {@link suspend} would. */
  checkSuspend(): void {
    this.#refuseWhenOver();
    if (this.hasTag('idle'))
      throw new NotSupportedError(`${this.id} was not started yet: there is nothing to suspend.`);
    if (this.#where.fd === undefined) return;
    throw new NotSupportedError('A listener on a file descriptor cannot be suspended: the descriptor would be closed.');
  }

  #refuseWhenOver(): void {
    if (!this.goesOn) throw new ClosedError(this.id, this.outcome?.cause);
  }

  /** @internal Why it cannot be started, or did not start. */
  endError(outcome: Outcome): Error {
    return outcome.ending === 'failed'
      ? new BindError(describeAddress(this.#where), outcome.cause)
      : new ClosedError(this.id, outcome.cause);
  }
}

function ignore(): void {}

function addressOf(server: NetServer): Address | undefined {
  const address = server.address();
  if (typeof address === 'string') return { path: address };
  return address === null ? undefined : { host: (address as AddressInfo).address, port: address.port };
}

function describeAddress({ host, port, path, fd }: ListenAddress): string {
  if (path !== undefined) return path;
  if (fd !== undefined) return `file descriptor ${fd}`;
  return port === undefined ? 'its server' : `${host ?? '*'}:${port}`;
}

/**
 * Makes a listener, which does nothing until {@link Listener.start} is called. What it accepts are clients: see
 * {@link adoptClient}.
 *
 * @throws OptionError
 * @example
 * ```ts
 * const listener = createListener({ host: '127.0.0.1', port: 8080, clientsMax: 100 });
 * listener.on('client', ({ socket }) => socket.pipe(socket));
 * await listener.start();
 * // …
 * await listener.close({ timeoutMs: 5_000 });
 * ```
 */
export function createListener<Data = unknown>(options: ListenerOptions<Data>): Listener<Data> {
  onlyKnown('createListener', options, LISTENER_OPTIONS);
  checkAddress(options, '');
  const signal = checkSignal('signal', options.signal);
  const limits = listenerLimits(options as ListenerOptions, 1, false);
  return new Listener(options, limits, environmentOf(options), undefined, undefined, signal);
}
