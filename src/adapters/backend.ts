import { connect as netConnect, type OnReadOpts, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { ClosedError, ConnectError, NotEstablishedError, OptionError } from '../errors.js';
import { type BackendCommand, backendMachine } from '../machines/backend.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { signal as checkSignal, count, flag, onlyKnown } from '../options.js';
import type { Asker, Choice, Server, Servers } from '../policies/servers.js';
import type { CheckedServerTls } from '../tls.js';
import {
  BACKEND_OPTIONS,
  type BackendConfig,
  type BackendOptions,
  backendConfig,
  type PrepareContext,
  serversOf,
} from './backend-options.js';
import { type Environment, environmentOf, Handle, type Kind } from './handle.js';
import type { Peer } from './peer.js';
import { follow, type SignalFollower, unfollow } from './signals.js';
import {
  CLOSED_ABOVE,
  commandCauseOf,
  cut,
  endGracefully,
  forget,
  hookReportOf,
  ignore,
  isOwned,
  lend,
  linkConnecting,
  listenersOf,
  progressOf,
  refuse,
  reportOf,
  reset,
  type SocketOwner,
  takeBack,
  unlinkOwner,
} from './socket.js';

/** An established connection. */
export interface Connection {
  readonly socket: Socket;
  readonly incarnation: number;
  readonly server: Server;
}

/** A claim on a connection: it is not released before its holders have let go, or `holdTimeout` has passed. */
export interface Hold extends Connection, Disposable {
  /** Fires when the connection is lost or closed: let go. */
  readonly signal: AbortSignal;
  /** Lets go. Calling it again does nothing. */
  release(): void;
}

export interface ReadyOptions {
  /** Gives up waiting; the backend goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Gives up waiting after this many failed attempts. Default: no limit. */
  readonly failuresMax?: number | undefined;
}

export type BackendEvents = {
  /** Offered: it can be written to, and held. */
  established: [Connection];
  /** An established connection was lost. */
  dropped: [{ incarnation: number; server: Server; cause: Cause }];
  /** The next attempt goes to another server. */
  failover: [{ from: Server; to: Server; cause: Cause }];
  /** An attempt follows after `delayMs`, because of what became of the last one, to `server`. */
  retry: [{ attempt: number; delayMs: number; server: Server; cause: Cause }];
  /** A graceful close waits for the holders: let go soon. Their signals fire only when it runs out of time. */
  closing: [];
  /** The owner's resources for this incarnation can be given back. */
  released: [{ incarnation: number }];
  /** Attempts are used up, or every server is excluded. */
  exhausted: [{ cause: Cause }];
  closed: [Outcome];
};

/** @internal Who hears of a backend without listening: cheaper than events, and before them. */
export interface BackendOwner {
  /** Where the client comes from that it is for. */
  readonly peer: Peer | undefined;
  /**
   * A socket is about to be opened: by the library itself, to be read in the way that is returned, or by a hook.
   */
  backendDials(backend: Backend, byUs: boolean): OnReadOpts | undefined;
  backendEstablished(backend: Backend): void;
  backendEnded(backend: Backend): void;
  backendReadLast(backend: Backend): boolean;
  backendUnlinked(backend: Backend): void;
  backendRetry(backend: Backend, attempt: number, delayMs: number, cause: Cause): void;
  backendFailover(backend: Backend, from: Server, to: Server, cause: Cause): void;
  backendClosed(backend: Backend, outcome: Outcome): void;
}

const CONNECT = { type: 'backend.connect' } as const;
const CONNECTED = { type: 'socket.connected' } as const;
const ENDED = { type: 'socket.ended' } as const;
const FINISHED = { type: 'socket.finished' } as const;
const CLOSED = { type: 'socket.closed' } as const;
const CHOSEN = { type: 'server.chosen' } as const;
const PREPARED = { type: 'owner.prepared' } as const;
const IDLED = { type: 'socket.idled' } as const;
const EMPTIED = { type: 'holds.emptied' } as const;

const BACKGROUND: ReadonlySet<string> = new Set(['stableAfter', 'idleProbe', 'halfCloseProbe']);

const KIND: Kind<Backend, BackendCommand, BackendEvents> = {
  name: 'backend',
  made: 0,
  events: {
    established: true,
    dropped: true,
    failover: true,
    retry: true,
    closing: true,
    released: true,
    exhausted: true,
    closed: true,
  },
  commands: {
    'server.choose': (backend, { attempt, cause }) => backend.chooseServer(attempt, cause),
    'server.forget': (backend) => backend.forgetServer(),
    'server.restore': (backend) => backend.restoreServers(),
    'socket.open': (backend, { incarnation }) => backend.openSocket(incarnation),
    'socket.end': (backend) => backend.endSocket(),
    'socket.linger': (backend) => backend.lingerSocket(),
    'socket.probe': (backend, { bytes, times }) => backend.probeSocket(bytes, times),
    'socket.destroy': (backend) => backend.destroySocket(),
    'socket.reset': (backend) => backend.resetSocket(),
    'socket.unlink': (backend) => backend.unlinkSocket(),
    'socket.abandon': (backend) => backend.abandonSocket(),
    'owner.prepare': (backend, { repair }) => backend.prepareOwner(repair),
    'owner.establish': (backend) => backend.establishOwner(),
    'owner.drop': (backend, { cause }) => backend.dropOwner(cause),
    'owner.release': (backend, { incarnation }) => backend.releaseOwner(incarnation),
    'owner.retry': (backend, { attempt, delayMs, cause }) => backend.announceRetry(attempt, delayMs, cause),
    'owner.exhaust': (backend, { cause }) => backend.exhaustOwner(cause),
    'holds.await': (backend) => backend.announceClosing(),
    'holds.revoke': (backend) => backend.revokeHolds(),
  },
};

/** Who uses one incarnation: its hook while it is prepared, then its holders. */
class Tenancy {
  readonly holds = new Set<AbortController>();
  hook: AbortController | undefined;
  awaited = false;
}

interface Waiter extends SignalFollower {
  failuresLeft: number;
  resolve(connection: Connection): void;
  reject(error: Error): void;
}

/** A connection to one of several servers. Made by {@link createBackend}. */
export class Backend extends Handle<typeof backendMachine, BackendEvents> implements SocketOwner, Asker {
  readonly servers: Servers;
  incarnation = 0;
  /** @internal Kept by the set of servers. */
  memory: Asker['memory'] = undefined;
  /** @internal Kept by the set of servers. */
  trial: Asker['trial'] = undefined;
  readonly #config: BackendConfig;
  readonly #owner: BackendOwner | undefined;
  /** Where the current socket goes: it takes a place there. */
  #target: Server | undefined = undefined;
  /** Where the last socket went, and whether the set of servers has yet to hear what became of it. */
  #lastTarget: Server | undefined = undefined;
  #lastCause: Cause | undefined = undefined;
  /** The last attempt that failed, or connection that was lost. */
  #lastFailure: { readonly server: Server; readonly cause: Cause } | undefined = undefined;
  #isUnsettled = false;
  #wasDropped = false;
  #socket: Socket | undefined = undefined;
  /** Tells a `connect` hook that its attempt is over; nothing once its socket has connected. */
  #dialling: AbortController | undefined = undefined;
  #before: ReturnType<typeof listenersOf> | undefined = undefined;
  #tenancy: Tenancy | undefined = undefined;
  #waiters: Set<Waiter> | undefined = undefined;
  #truncated = false;
  #isUnlinked = false;
  /** A hook has put TLS over the socket. */
  #isTakenOver = false;
  #keepAlive = true;
  /** What the last probe found, and how many before it found the same. */
  #progress = -1;
  #quiet = 0;

  /** @internal */
  constructor(
    config: BackendConfig,
    environment: Environment,
    owner?: BackendOwner,
    parent?: { readonly id: string },
    signal?: AbortSignal,
  ) {
    super(KIND, backendMachine, config.input, environment, parent);
    this.#config = config;
    this.#owner = owner;
    this.servers = config.servers;
    this.begin(signal);
  }

  override get backgroundTimers(): ReadonlySet<string> {
    return BACKGROUND;
  }

  get persistent(): boolean {
    return this.#config.input.settings.persistent;
  }

  /** The name of the server that it goes to, if one is chosen. */
  get server(): string | undefined {
    return (this.#target ?? this.#lastTarget)?.name;
  }

  /** @internal Where the client comes from that it is for, if it is for one. */
  get peer(): Peer | undefined {
    return this.#owner?.peer;
  }

  /**
   * The connection, while there is an established one that can be written to: not after its owner has ended it
   * (`socket.end()`). One whose server has ended can still be written to, and what came can be read.
   */
  get connection(): Connection | undefined {
    if (this.#socket?.writable !== true || !this.matches('active.established')) return undefined;
    return this.#current(this.#socket);
  }

  #current(socket: Socket): Connection {
    return { socket, incarnation: this.incarnation, server: this.#target as Server };
  }

  /** Its owner has ended the connection: no other follows, unless this one is lost, or is being destroyed. */
  get #isEnded(): boolean {
    const socket = this.#socket;
    return socket?.writableEnded === true && !socket.destroyed && this.matches('active.established');
  }

  #endedError(): NotEstablishedError {
    const advice = 'its owner has ended the connection. Close the backend, or destroy the socket to connect anew';
    return new NotEstablishedError(this.id, this.state, advice);
  }

  /** @internal False once it is over, or about to be. */
  get goesOn(): boolean {
    return this.matches('idle', 'active');
  }

  /** @internal The socket, in whatever state. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  /**
   * Asks for a connection and waits until it is established; starts afresh if it was exhausted.
   *
   * @returns as {@link ready}; it need not be awaited
   */
  connect(options: ReadyOptions = {}): Promise<Connection> {
    checkReady(options);
    this.dial();
    const ready = this.#wait(options);
    // Whoever only asks for a connection hears of failures by events.
    ready.catch(() => {});
    return ready;
  }

  /** @internal Asks for a connection, for an owner that is told. */
  dial(): void {
    this.life.send(CONNECT);
  }

  /**
   * Waits until it is established; the backend goes on whatever becomes of this promise.
   *
   * @throws ConnectError when it is exhausted, or `failuresMax` attempts have failed
   * @throws NotEstablishedError when its owner has ended the connection (`socket.end()`)
   * @throws ClosedError when its life is over
   * @throws the signal's reason
   */
  ready(options: ReadyOptions = {}): Promise<Connection> {
    checkReady(options);
    if (this.matches('active.exhausted')) {
      return Promise.reject(new ConnectError(`${this.id} is exhausted`, this.#lastCause as Cause));
    }
    return this.#wait(options);
  }

  #wait(options: ReadyOptions): Promise<Connection> {
    const { signal, failuresMax: failuresLeft = Number.POSITIVE_INFINITY } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.outcome?.ending === 'failed') return Promise.reject(this.#gaveUp(this.outcome.cause));
    if (!this.goesOn) {
      const { cause } = this.life.context as { cause?: Cause };
      return Promise.reject(new ClosedError(this.id, this.outcome?.cause ?? cause));
    }
    const { connection } = this;
    if (connection !== undefined) return Promise.resolve(connection);
    if (this.#isEnded) return Promise.reject(this.#endedError());
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters?.delete(waiter);
        if (signal !== undefined) unfollow(signal, waiter);
      };
      const waiter: Waiter = {
        failuresLeft,
        resolve: (established) => {
          settle();
          resolve(established);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        signalAborted: ({ reason }) => waiter.reject(reason),
      };
      this.#waiters ??= new Set();
      this.#waiters.add(waiter);
      if (signal !== undefined) follow(signal, waiter);
    });
  }

  /** Makes the next attempt now instead of after the backoff. Does nothing unless it waits. */
  retryNow(): void {
    this.life.send({ type: 'backend.retry' });
  }

  /**
   * Claims the connection: it is not released before every holder has let go.
   *
   * @throws NotEstablishedError while there is no connection, or none that can be written to
   * @example
   * ```ts
   * using hold = backend.hold();
   * hold.socket.write(request);
   * await answer(hold.socket, hold.signal);
   * ```
   */
  hold(): Hold {
    const { connection } = this;
    if (connection === undefined)
      throw this.#isEnded ? this.#endedError() : new NotEstablishedError(this.id, this.state);
    this.#tenancy ??= new Tenancy();
    const tenancy = this.#tenancy;
    const claim = new AbortController();
    tenancy.holds.add(claim);
    const release = (): void => {
      if (tenancy.holds.delete(claim)) this.#reportHolds(tenancy);
    };
    return { ...connection, signal: claim.signal, release, [Symbol.dispose]: release };
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), server: this.server, incarnation: this.incarnation };
  }

  socketConnected(): void {
    const raw = this.#socket;
    const tls = this.#target?.tls;
    this.#dialling = undefined;
    if (raw === undefined || tls === undefined || 'encrypted' in raw) this.life.send(CONNECTED);
    else this.#secure(raw, tls);
  }

  /**
   * TLS over a socket of ours, so that a cut can be a reset of that; only now that it has connected, for while Node tries
   * one address after the other it changes what is below.
   */
  #secure(raw: Socket, tls: CheckedServerTls): void {
    forget(raw);
    try {
      const socket = this.inContext(secure, raw, tls);
      this.#socket = socket;
      this.#linkDialled(socket);
    } catch (error) {
      reset(raw);
      this.socketFailed({ ...reportOf(error), phase: 'command' });
      this.socketClosed();
    }
  }

  #linkDialled(socket: Socket): void {
    // A FIN is answered by whoever owns the stream, not by the socket.
    socket.allowHalfOpen = true;
    linkConnecting(socket, this);
    if (!this.#keepAlive) socket.unref();
    if (!this.#config.ownerUnlinks) this.#before = listenersOf(socket);
  }

  socketEnded(): void {
    this.life.send(ENDED);
    // One that is being closed is read to its end for nobody: what it said last was thrown away, and is no end of a stream.
    if (!this.#isUnlinked) this.#owner?.backendEnded(this);
  }

  socketFinished(): void {
    this.life.send(FINISHED);
  }

  socketFailed(cause: Report): void {
    this.life.send({ type: 'socket.failed', cause });
  }

  socketClosed(): void {
    this.#refuseLate();
    this.#socket = undefined;
    this.#leaveServer();
    if (this.#isTakenOver) this.socketFailed(CLOSED_ABOVE);
    this.life.send(CLOSED);
  }

  wasReadLast(): boolean {
    return this.#owner?.backendReadLast(this) ?? true;
  }

  serverFreed(): void {
    this.#answerChoice();
  }

  protected override requestClose(timeoutMs: number | undefined): void {
    this.life.send({ type: 'backend.close', ...(timeoutMs !== undefined && { timeoutMs }) });
  }

  protected override requestAbort(cause: Report | undefined, deliver?: true): void {
    this.life.send({ type: 'backend.abort', ...(cause !== undefined && { cause }), ...(deliver && { deliver }) });
  }

  /** @internal */
  override commandFailed(command: string, error: unknown): void {
    if (command === 'server.choose') this.life.send({ type: 'server.exhausted', cause: hookReportOf(error) });
    else this.#commandFailed(commandCauseOf(error));
  }

  /** It may have been left undone: the socket must neither stay open nor end as if all were well, and its close follows. */
  #commandFailed(cause: Cause): void {
    const isOpen = this.#socket !== undefined;
    this.resetSocket();
    this.socketFailed(cause);
    if (!isOpen) this.socketClosed();
  }

  override finish(outcome: Outcome): void {
    const cause = this.#explained(outcome.cause);
    const isPlain = cause === outcome.cause && !this.#truncated;
    super.finish(isPlain ? outcome : { ...outcome, cause, ...(this.#truncated && { truncated: true }) });
  }

  /** @internal Why the last attempt failed, the present one included; nothing if none has. */
  get lastFailure(): ConnectError | undefined {
    const { cause } = this.life.context as { cause?: Cause };
    if (cause !== undefined && this.matches('active') && this.#lastTarget !== undefined) {
      return failureAt(this.#lastTarget, cause);
    }
    const failure = this.#lastFailure;
    return failure === undefined ? undefined : failureAt(failure.server, failure.cause);
  }

  /** A wait for a place that ends without one says what became of the last attempt. */
  #explained(cause: Cause): Cause {
    const failure = this.#lastFailure;
    if (failure === undefined || cause.code !== 'chooseTimeout' || cause.initiator !== 'library') return cause;
    return { ...cause, error: failureAt(failure.server, failure.cause) };
  }

  protected override finished(outcome: Outcome): void {
    if (outcome.ending === 'failed') this.#settleAttempt(outcome.cause);
    this.#leaveServer();
    if (this.trial !== undefined) this.servers.forget(this);
    if (this.#waiters !== undefined) {
      this.#rejectWaiters(
        outcome.ending === 'failed' ? this.#gaveUp(outcome.cause) : new ClosedError(this.id, outcome.cause),
      );
    }
    this.#owner?.backendClosed(this, outcome);
  }

  protected override refSocket(keepAlive: boolean): void {
    this.#keepAlive = keepAlive;
    if (keepAlive) this.#socket?.ref();
    else this.#socket?.unref();
  }

  /** @internal */
  chooseServer(attempt: number, cause: Cause | undefined): void {
    // It was stable, or starts afresh: what is remembered of earlier attempts no longer counts.
    if (attempt === 0 && this.#isUnsettled) this.servers.settled(this);
    if (cause !== undefined) this.#settleAttempt(cause);
    this.#answerChoice();
  }

  #answerChoice(): void {
    let choice: Choice;
    try {
      choice = this.servers.choose(this);
    } catch (error) {
      // Somebody else's balancer.
      this.servers.forget(this);
      choice = { kind: 'exhausted', cause: hookReportOf(error) };
    }
    switch (choice.kind) {
      case 'chosen':
        this.#target = choice.server;
        this.life.send(CHOSEN);
        return;
      case 'deferred':
        this.life.send({ type: 'server.deferred', delayMs: choice.delayMs });
        return;
      case 'exhausted':
        this.life.send({ type: 'server.exhausted', cause: choice.cause });
        return;
      case 'full': // The set calls back when there is a place.
    }
  }

  /** @internal */
  forgetServer(): void {
    this.servers.forget(this);
  }

  /** @internal The owner starts afresh. */
  restoreServers(): void {
    this.servers.restore();
    this.servers.settled(this);
  }

  /** @internal */
  openSocket(incarnation: number): void {
    this.incarnation = incarnation;
    this.#wasDropped = false;
    this.#truncated = false;
    this.#isUnlinked = false;
    this.#isTakenOver = false;
    const server = this.#target as Server;
    const from = this.#lastTarget;
    this.#lastTarget = server;
    if (from !== undefined && from !== server) this.#announceFailover(from, server);
    let made: Socket | undefined;
    try {
      const { connect } = server;
      const onread = this.#owner?.backendDials(
        this,
        connect === undefined && server.tls === undefined && this.#config.prepare === undefined,
      );
      const socket =
        connect === undefined ? this.inContext(dial, server, this.#config, onread) : this.#askHook(connect, server);
      made = socket;
      this.#socket = socket;
      this.#linkDialled(socket);
      if (isConnected(socket)) queueMicrotask(() => this.#socket === socket && this.#foundConnected(socket));
    } catch (error) {
      if (made !== undefined) {
        forget(made);
        made.on('error', ignore).destroy();
      }
      this.socketFailed({ ...reportOf(error), phase: 'command' });
      this.socketClosed();
    }
  }

  /** A socket that was connected before it was returned. */
  #foundConnected(socket: Socket): void {
    this.socketConnected();
    if (socket.readableEnded) this.socketEnded();
  }

  #askHook(connect: NonNullable<Server['connect']>, server: Server): Socket {
    const dialling = new AbortController();
    this.#dialling = dialling;
    return checkedSocket(connect.call(server, server, { signal: dialling.signal }), server);
  }

  /** The attempt of a `connect` hook is over: its socket may not connect any more. */
  #refuseLate(): void {
    const dialling = this.#dialling;
    if (dialling === undefined) return;
    this.#dialling = undefined;
    if (this.#socket !== undefined) refuse(this.#socket);
    this.abortSignal(dialling);
  }

  /** @internal */
  endSocket(): void {
    const socket = this.#socket;
    if (socket === undefined) {
      this.life.send(CLOSED);
      return;
    }
    this.#progress = socket.bytesRead;
    this.#quiet = 0;
    endGracefully(socket);
    if (socket.writableFinished) this.life.send(FINISHED);
  }

  /** @internal */
  lingerSocket(): void {
    const socket = this.#socket;
    if (socket === undefined) {
      this.life.send(CLOSED);
      return;
    }
    this.#progress = socket.bytesRead;
    this.#quiet = 0;
    socket.resume();
  }

  /** @internal */
  probeSocket(bytes: 'all' | 'read', times: number): void {
    const socket = this.#socket;
    // Its close is on its way to the machine.
    if (socket === undefined) return;
    const progress = bytes === 'all' ? progressOf(socket) : socket.bytesRead;
    this.#quiet = progress === this.#progress ? this.#quiet + 1 : 0;
    this.#progress = progress;
    if (this.#quiet >= times) this.life.send(IDLED);
  }

  /** @internal */
  destroySocket(): void {
    const socket = this.#socket;
    if (socket !== undefined && !cut(socket)) this.#truncated = true;
    this.#refuseLate();
    if (socket === undefined) this.life.send(CLOSED);
  }

  /** @internal */
  resetSocket(): void {
    if (this.#socket !== undefined && !reset(this.#socket)) this.#truncated = true;
    this.#refuseLate();
  }

  /** @internal */
  unlinkSocket(): void {
    this.#isUnlinked = true;
    if (this.#socket !== undefined && this.#before !== undefined) unlinkOwner(this.#socket, this.#before);
    this.#owner?.backendUnlinked(this);
  }

  /** @internal */
  abandonSocket(): void {
    this.#refuseLate();
    if (this.#socket !== undefined) {
      this.#socket.destroy();
      forget(this.#socket);
    }
    this.#socket = undefined;
    this.#leaveServer();
  }

  /** @internal */
  prepareOwner(repair: boolean): void {
    const { prepare } = this.#config;
    const repairHook = repair ? this.#config.repair : undefined;
    if (prepare === undefined && repairHook === undefined) {
      this.life.send(PREPARED);
      return;
    }
    const socket = this.#socket as Socket;
    const hook = new AbortController();
    const context: PrepareContext = {
      incarnation: this.incarnation,
      server: this.#target as Server,
      signal: hook.signal,
    };
    const tenancy = new Tenancy();
    tenancy.hook = hook;
    this.#tenancy = tenancy;
    const settled = (event: typeof PREPARED | { type: 'owner.failed'; cause: Report }): void => {
      tenancy.hook = undefined;
      // A hook that was told to stop says nothing any more; whoever waits for it is told that it has settled.
      if (hook.signal.aborted) {
        this.#reportHolds(tenancy);
        return;
      }
      this.#isTakenOver = takeBack(socket);
      this.life.send(event);
    };
    lend(socket);
    Promise.resolve(socket)
      .then((fresh) => prepare?.(fresh, context))
      .then(() => (hook.signal.aborted ? undefined : repairHook?.(socket, context)))
      .then(
        () => settled(PREPARED),
        (error) => settled({ type: 'owner.failed', cause: hookReportOf(error) }),
      );
  }

  /** @internal */
  establishOwner(): void {
    const server = this.#target as Server;
    this.servers.succeeded(server);
    if (server.lookup !== undefined && this.#socket !== undefined) server.cameUp(this.#socket);
    // The hook may have sent the last word already.
    if (this.#socket?.writableFinished) this.life.send(FINISHED);
    this.#owner?.backendEstablished(this);
    if (this.#waiters === undefined && !this.hears('established')) return;
    const connection = this.#current(this.#socket as Socket);
    if (this.#waiters !== undefined) {
      const isOpen = connection.socket.writable;
      for (const waiter of this.#waiters) {
        if (isOpen) waiter.resolve(connection);
        else waiter.reject(this.#endedError());
      }
    }
    this.notify('established', connection);
  }

  /** @internal */
  dropOwner(cause: Cause): void {
    this.#wasDropped = true;
    this.notify('dropped', { incarnation: this.incarnation, server: this.#lastTarget as Server, cause });
  }

  /** @internal */
  releaseOwner(incarnation: number): void {
    this.#tenancy = undefined;
    if (this.hears('released')) this.notify('released', { incarnation });
  }

  /** @internal */
  announceRetry(attempt: number, delayMs: number, cause: Cause): void {
    this.#owner?.backendRetry(this, attempt, delayMs, cause);
    this.notify('retry', { attempt, delayMs, server: this.#lastTarget as Server, cause });
  }

  /** @internal */
  exhaustOwner(why: Cause): void {
    const cause = this.#explained(why);
    this.#settleAttempt(cause);
    if (this.#waiters !== undefined) this.#rejectWaiters(new ConnectError(`${this.id} is exhausted`, cause));
    this.notify('exhausted', { cause });
  }

  /** @internal */
  announceClosing(): void {
    if (this.#tenancy !== undefined && this.#tenancy.holds.size > 0) this.notify('closing');
    this.#awaitHolds();
  }

  #awaitHolds(): void {
    if (this.#tenancy === undefined) {
      this.life.send(EMPTIED);
      return;
    }
    this.#tenancy.awaited = true;
    this.#reportHolds(this.#tenancy);
  }

  /** @internal */
  revokeHolds(): void {
    const tenancy = this.#tenancy;
    if (tenancy !== undefined) {
      tenancy.awaited = false;
      this.abortSignal(tenancy.hook);
      for (const claim of [...tenancy.holds]) this.abortSignal(claim);
    }
    this.#awaitHolds();
  }

  /** A tenancy of an older incarnation may empty late: it no longer counts. */
  #reportHolds(tenancy: Tenancy): void {
    if (tenancy !== this.#tenancy || !tenancy.awaited) return;
    if (tenancy.hook !== undefined || tenancy.holds.size > 0) return;
    tenancy.awaited = false;
    this.life.send(EMPTIED);
  }

  #announceFailover(from: Server, to: Server): void {
    const cause = this.#lastCause as Cause;
    this.#owner?.backendFailover(this, from, to, cause);
    this.notify('failover', { from, to, cause });
  }

  /** What became of the last attempt is remembered for the next choice, of this connection and of the others. */
  #settleAttempt(cause: Cause): void {
    this.#lastCause = cause;
    if (!this.#isUnsettled) return;
    this.#isUnsettled = false;
    const server = this.#lastTarget as Server;
    this.#lastFailure = { server, cause };
    if (this.#wasDropped) {
      this.servers.dropped(this, server);
      return;
    }
    this.servers.failed(this, server, cause);
    if (this.#waiters === undefined) return;
    for (const waiter of this.#waiters) {
      waiter.failuresLeft--;
      if (waiter.failuresLeft <= 0) waiter.reject(new ConnectError(`${this.id} failed to connect`, cause));
    }
  }

  #leaveServer(): void {
    const server = this.#target;
    if (server === undefined) return;
    this.#target = undefined;
    this.#isUnsettled = true;
    this.servers.leave(server);
  }

  #gaveUp(cause: Cause): ConnectError {
    return new ConnectError(`${this.id} gave up`, cause);
  }

  #rejectWaiters(error: Error): void {
    if (this.#waiters === undefined) return;
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}

function failureAt(server: Server, cause: Cause): ConnectError {
  return new ConnectError(`The last attempt, at ${server}, failed`, cause);
}

function dial(server: Server, config: BackendConfig, onread: OnReadOpts | undefined): Socket {
  const { host, port, path, lookup } = server;
  if (path !== undefined) return netConnect({ path, allowHalfOpen: true, onread });
  const { noDelay, keepAlive } = config;
  const where = { host, port: port as number, allowHalfOpen: true, noDelay, onread };
  if (lookup !== undefined) {
    const { connectTimeout } = config.input.settings;
    Object.assign(where, { lookup, autoSelectFamilyAttemptTimeout: server.addressMs(connectTimeout) });
  }
  if (keepAlive === false) return netConnect(where);
  return netConnect({ ...where, keepAlive: true, keepAliveInitialDelay: keepAlive });
}

function secure(raw: Socket, tls: CheckedServerTls): Socket {
  return tlsConnect({ ...tls, socket: raw });
}

function checkReady(options: ReadyOptions): void {
  onlyKnown('ready', options, ['signal', 'failuresMax']);
  count('failuresMax', options.failuresMax, Number.POSITIVE_INFINITY);
  checkSignal('signal', options.signal);
}

/** What somebody else's `connect` returned must be a socket: a promise would be waited for in vain. */
function checkedSocket(socket: Socket, server: Server): Socket {
  if (typeof socket?.destroy !== 'function' || typeof socket.on !== 'function') {
    // What a promise opens nevertheless must not be left open.
    if (typeof (socket as unknown as Promise<Socket>)?.then === 'function') {
      Promise.resolve(socket).then(discard).catch(ignore);
    }
    throw new OptionError(`connect of ${server}`, socket, 'a function that returns a net.Socket');
  }
  if (isOwned(socket)) {
    throw new OptionError(`connect of ${server}`, socket, 'a function that returns a socket that is not in use');
  }
  if (socket.destroyed) {
    // What it was destroyed for is told in a later tick, and nobody else may hear it.
    refuse(socket);
    throw Object.assign(new Error('The socket is destroyed already.'), { code: 'ERR_SOCKET_CLOSED' });
  }
  return socket;
}

function discard(late: Socket | undefined): void {
  if (typeof late?.destroy !== 'function' || isOwned(late)) return;
  refuse(late);
  cut(late);
}

/** A socket that somebody else connected reports nothing any more; a TLS socket is connected after its handshake. */
function isConnected(socket: Socket): boolean {
  const { readyState } = socket;
  if (socket.connecting || socket.pending || typeof readyState !== 'string' || readyState === 'closed') return false;
  return !('encrypted' in socket) || (socket as Shaken).secureConnecting === false;
}

type Shaken = Socket & { readonly secureConnecting?: unknown };

/**
 * Makes a connection to one of several servers. It does nothing until {@link Backend.connect}.
 *
 * @throws OptionError
 * @example
 * ```ts
 * const backend = createBackend({
 *   servers: [{ port: 6379 }, { port: 6380 }],
 *   prepare: (socket, { signal }) => login(socket, signal),
 * });
 * backend.on('dropped', ({ cause }) => console.log('lost', cause));
 * const { socket } = await backend.connect();
 * // …
 * await backend.close();
 * ```
 */
export function createBackend(options: BackendOptions): Backend {
  onlyKnown('createBackend', options, BACKEND_OPTIONS);
  const servers = serversOf(options);
  const config = backendConfig(options, servers, flag('persistent', options.persistent, true), false);
  const signal = checkSignal('signal', options.signal);
  return new Backend(config, environmentOf(options), undefined, undefined, signal);
}
