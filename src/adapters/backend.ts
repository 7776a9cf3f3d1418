import type { OnReadOpts, Socket } from 'node:net';
import { ClosedError, ConnectError, NotEstablishedError, NotSupportedError } from '../errors.js';
import { backendInstance } from '../generated/backend.js';
import { type Environment, environmentOf, type HandleKind, kindOf } from '../handle.js';
import type { BackendCommand, BackendEvent } from '../machines/backend.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { signal as checkSignal, flag, onlyKnown } from '../options.js';
import { proxyHeaderFor, type ServerProxyProtocol } from '../proxy-protocol.js';
import type { Description } from '../runtime/instance.js';
import { dial, secure, tune } from '../sockets/dial.js';
import { checkedStream, discard, isConnected, isPromise } from '../sockets/given.js';
import {
  abandon,
  commandCauseOf,
  cut,
  forget,
  hookReportOf,
  ignore,
  linkConnecting,
  listenersOf,
  refuse,
  reportOf,
  reset,
  setRef,
  TAKEN_OVER,
  unlinkOwner,
} from '../sockets/socket.js';
import type { CheckedServerTls } from '../tls.js';
import type { Server } from '../upstream/server.js';
import type { Servers } from '../upstream/servers.js';
import { Attempts } from './attempts.js';
import {
  BACKEND_OPTIONS,
  type BackendConfig,
  type BackendOptions,
  backendConfig,
  type PrepareContext,
  type PrepareHook,
  serversOf,
} from './backend-options.js';
import type { Client } from './client.js';
import { type Connection, type Hold, Holders } from './holds.js';
import { type LegOwner, SocketHandle } from './socket-handle.js';
import { checkReady, type ReadyOptions, Waiters } from './waiters.js';

/** Events of a backend. */
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
  /** It has ended, and connects no more. */
  closed: [Outcome];
};

/** @internal The session of a backend: see {@link LegOwner}. */
export interface BackendOwner extends LegOwner {
  /** The client that the backend is for. */
  readonly client: Client;
  /**
   * A socket is about to be opened: by the library itself, to be read in the way that is returned, or by a hook.
   */
  backendDials(byUs: boolean): OnReadOpts | undefined;
  /** The socket that was dialled as {@link backendDials} says, before it has connected. */
  backendDialled(socket: Socket): void;
  backendEstablished(): void;
  /** Its server goes: with `deliver`, what is complete is delivered. */
  serverLost(cause: Cause, deliver: boolean): void;
  backendRetry(attempt: number, delayMs: number, cause: Cause): void;
  backendFailover(from: Server, to: Server, cause: Cause): void;
}

const CONNECT = { type: 'backend.connect' } as const;
const RENEW = { type: 'backend.renew' } as const;
const CONNECTED = { type: 'socket.connected' } as const;
const FINISHED = { type: 'socket.finished' } as const;
const CLOSED = { type: 'socket.closed' } as const;
const CHOSEN = { type: 'server.chosen' } as const;
const PREPARED = { type: 'owner.prepared' } as const;
const UNRELAYED = { type: 'owner.failed', cause: TAKEN_OVER } as const;
const EMPTIED = { type: 'holds.emptied' } as const;

const BACKGROUND: ReadonlySet<string> = new Set(['stableAfter', 'idleProbe', 'halfCloseProbe']);

/** A connection to one of several servers. Made by {@link createBackend}. */
export class Backend extends SocketHandle<BackendEvent, BackendEvents> {
  /** @internal */
  static readonly kind: HandleKind<Backend, BackendCommand, BackendEvents> = {
    ...kindOf('backend', backendInstance),
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
      ...SocketHandle.socketCommands,
      'server.choose': (backend, { attempt, cause }) => backend.#chooseServer(attempt, cause),
      'server.forget': (backend) => backend.#attempts.forget(),
      'server.restore': (backend) => backend.#restoreServers(),
      'server.drop': (backend) => backend.#attempts.dropped(),
      'server.renew': (backend) => backend.#attempts.renewed(),
      'server.rest': (backend, { attempt, cause }) => backend.#settleLast(attempt, cause),
      'socket.open': (backend, { incarnation }) => backend.dialServer(incarnation),
      'owner.prepare': (backend, { repair }) => backend.prepareOwner(repair),
      'owner.establish': (backend) => backend.#establishOwner(),
      'owner.drop': (backend, { cause }) => backend.dropOwner(cause),
      'owner.release': (backend, { incarnation }) => backend.releaseOwner(incarnation),
      'owner.retry': (backend, { attempt, delayMs, cause }) => backend.#announceRetry(attempt, delayMs, cause),
      'owner.exhaust': (backend, { cause }) => backend.#exhaustOwner(cause),
      'holds.await': (backend) => backend.#announceClosing(),
      'holds.revoke': (backend) => backend.revokeHolds(),
    },
  };

  /** The number of its socket, from 1: how many it has opened. */
  incarnation = 0;
  readonly #config: BackendConfig;
  readonly #owner: BackendOwner | undefined;
  readonly #attempts: Attempts;
  #socket: Socket | undefined = undefined;
  /** Tells a `connect` hook that its attempt is over; nothing once its socket has connected. */
  #dialling: AbortController | undefined = undefined;
  #holders: Holders | undefined = undefined;
  #waiters: Waiters | undefined = undefined;
  #keepAlive = true;

  /** @internal */
  constructor(config: BackendConfig, environment: Environment, owner?: BackendOwner, parent?: { readonly id: string }) {
    super(Backend.kind, config.input, environment, parent);
    this.#config = config;
    this.#owner = owner;
    this.session = owner;
    this.#attempts = new Attempts(config.servers, this);
  }

  /** The servers that it may go to. */
  get servers(): Servers {
    return this.#attempts.servers;
  }

  /** @internal Where it goes is known: before it is asked to connect. */
  goTo(servers: Servers, only: Server | undefined, key: string | undefined): void {
    this.#attempts.servers = servers;
    this.#attempts.only = only;
    this.#attempts.key = key;
  }

  /** The client that it is for; nothing for a backend of your own. */
  get client(): Client | undefined {
    return this.#owner?.client;
  }

  /** @internal */
  override get backgroundTimers(): ReadonlySet<string> {
    return BACKGROUND;
  }

  /** True: a drop is followed by a new connection. */
  get persistent(): boolean {
    return this.#config.input.settings.persistent;
  }

  /** The name of the server that it goes to, if one is chosen; or that it waits for, if it may go to that one alone. */
  get server(): string | undefined {
    const { current, last, only } = this.#attempts;
    return (current ?? last ?? only)?.name;
  }

  /** @internal The peer is the client that it is for, if it is for one. */
  override describe(): Description {
    return { server: this.server, peer: this.#owner?.client.peer?.toString() };
  }

  /**
   * The present connection, while it is established and can be written to. It is undefined once its owner has ended it
   * (`socket.end()`). When only the server has ended, the connection can still be written to and read.
   */
  get connection(): Connection | undefined {
    if (this.#socket?.writable !== true || !this.hasTag('offered')) return undefined;
    return this.#current(this.#socket);
  }

  #current(socket: Socket): Connection {
    return { socket, incarnation: this.incarnation, server: this.#attempts.current as Server };
  }

  /** Its owner has ended the connection: no other follows, unless this one is lost, or is being destroyed. */
  get #isEnded(): boolean {
    const socket = this.#socket;
    return socket?.writableEnded === true && !socket.destroyed && this.hasTag('offered');
  }

  #endedError(): NotEstablishedError {
    const advice = 'its owner has ended the connection. Close the backend, or destroy the socket to connect anew';
    return new NotEstablishedError(this.id, this.state, advice);
  }

  /** @internal False once it is over, or about to be. */
  get goesOn(): boolean {
    return !this.hasTag('ending');
  }

  /** @internal The socket, in whatever state. */
  override get socket(): Socket | undefined {
    return this.#socket;
  }

  /** @internal */
  protected override get openSocket(): Socket | undefined {
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
    // A caller that does not await it gets failures by events.
    ready.catch(() => {});
    return ready;
  }

  /** @internal Asks for a connection, for an owner that is called. */
  dial(): void {
    this.instance.send(CONNECT);
  }

  /**
   * Waits until it is established; the backend goes on also if this promise rejects.
   *
   * @throws ConnectError when it is exhausted, or `failuresMax` attempts have failed
   * @throws NotEstablishedError when its owner has ended the connection (`socket.end()`)
   * @throws ClosedError when the backend is over
   * @throws the signal's reason
   */
  ready(options: ReadyOptions = {}): Promise<Connection> {
    checkReady(options);
    if (this.hasTag('exhausted')) {
      return Promise.reject(new ConnectError(`${this.id} is exhausted`, this.#attempts.lastCause as Cause));
    }
    return this.#wait(options);
  }

  /** @param after an incarnation that will not do */
  #wait(options: ReadyOptions, after = 0): Promise<Connection> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.outcome?.ending === 'failed') return Promise.reject(this.#gaveUp(this.outcome.cause));
    if (!this.goesOn) {
      const { cause } = this.instance.context as { cause?: Cause };
      return Promise.reject(new ClosedError(this.id, this.outcome?.cause ?? cause));
    }
    const { connection } = this;
    if (connection !== undefined && connection.incarnation !== after) return Promise.resolve(connection);
    if (this.#isEnded && this.incarnation !== after) return Promise.reject(this.#endedError());
    this.#waiters ??= new Waiters();
    return this.#waiters.add(options);
  }

  /**
   * Replaces the connection: the present holders finish (they hear `closing`), it is flushed and ended as by a close, and
   * then the next incarnation is established, which `prepare` makes ready. Each of the two has `closeTimeout`, after which
   * holders are told to let go and the connection is cut. The old connection ends first: so a server never has two of
   * this backend, and what was written to the old one comes before the new one. To have the new one first, use two
   * backends. It is no drop; where there is no connection, it is as {@link connect}.
   *
   * @returns as {@link ready}: the new connection; it need not be awaited
   * @throws NotSupportedError where `persistent` is false
   * @example
   * ```ts
   * setInterval(() => backend.renew(), 3_600_000).unref(); // follow the DNS, or a new password
   * ```
   */
  renew(options: ReadyOptions = {}): Promise<Connection> {
    checkReady(options);
    if (!this.persistent) throw new NotSupportedError(`${this.id} is for one conversation, which is not renewed.`);
    const ready = this.#wait(options, this.incarnation);
    ready.catch(() => {});
    this.instance.send(RENEW);
    return ready;
  }

  /** Makes the next attempt now instead of after the backoff. Does nothing unless it waits. */
  retryNow(): void {
    this.instance.send({ type: 'backend.retry' });
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
    this.#holders ??= new Holders(this);
    return this.#holders.add(connection);
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), server: this.server, incarnation: this.incarnation };
  }

  /** @internal */
  socketConnected(): void {
    const raw = this.#socket;
    const server = this.#attempts.current;
    const tls = server?.tls;
    this.#dialling = undefined;
    if (raw !== undefined && server?.connect !== undefined) tune(raw, this.#config);
    const isFirst = raw !== undefined && (tls === undefined || !('encrypted' in raw));
    if (isFirst && server?.proxyProtocol !== undefined && !this.#introduce(raw, server.proxyProtocol)) return;
    if (raw === undefined || tls === undefined || 'encrypted' in raw) this.instance.send(CONNECTED);
    else this.#secure(raw, tls);
  }

  /** Sends the PROXY header. Returns false where the fields of its owner have thrown: then the attempt has failed. */
  #introduce(raw: Socket, proxyProtocol: ServerProxyProtocol): boolean {
    try {
      raw.write(proxyHeaderFor(proxyProtocol, this.#owner?.client));
      return true;
    } catch (error) {
      forget(raw);
      reset(raw);
      this.socketFailed(hookReportOf(error));
      this.socketClosed();
      return false;
    }
  }

  #secure(raw: Socket, tls: CheckedServerTls): void {
    forget(raw);
    try {
      const socket = this.inContext(secure, raw, tls, this.clock.now());
      this.#socket = socket;
      this.#linkDialled(socket);
    } catch (error) {
      reset(raw);
      this.socketFailed({ ...reportOf(error), phase: 'command' });
      this.socketClosed();
    }
  }

  #linkDialled(socket: Socket): void {
    // A FIN is answered by the owner of the stream, not by the socket.
    socket.allowHalfOpen = true;
    linkConnecting(socket, this);
    if (!this.#keepAlive) setRef(socket, false);
    if (!this.#config.ownerUnlinks) this.before = listenersOf(socket);
  }

  /** @internal */
  socketClosed(): void {
    this.#refuseLate();
    const socket = this.#socket;
    this.#socket = undefined;
    this.#attempts.leave();
    this.reportUntold(socket);
    this.instance.send(CLOSED);
  }

  /** @internal */
  serverFreed(): void {
    this.#answerChoice();
  }

  /** @internal Its server is removed, down, or needed no more. A conversation is cut; anything else goes on elsewhere. */
  serverLost(cause: Report, deliver: boolean): void {
    if (this.hasTag('offered') && !this.persistent) {
      const why: Cause = { ...cause, phase: 'established' };
      if (this.#owner !== undefined) this.#owner.serverLost(why, deliver);
      else if (deliver) this.cut(why);
      else void this.abort(why);
      return;
    }
    this.#loseSocket(cause);
  }

  /** @internal */
  override commandFailed(command: string, error: unknown): void {
    if (command === 'server.choose') {
      this.instance.send({ type: 'server.exhausted', cause: hookReportOf(error) });
      return;
    }
    // It may have been left undone: the socket must neither stay open nor end as if all were well, and its close follows.
    this.#loseSocket(commandCauseOf(error));
  }

  #loseSocket(cause: Report): void {
    const isOpen = this.#socket !== undefined;
    this.resetSocket();
    this.socketFailed(cause);
    if (!isOpen) this.socketClosed();
  }

  /** @internal */
  override finish(outcome: Outcome): void {
    const cause = this.#explained(outcome.cause);
    super.finish(cause === outcome.cause ? outcome : { ...outcome, cause });
  }

  /** @internal Why the last attempt failed, the present one included; nothing if none has. */
  get lastFailure(): ConnectError | undefined {
    const { cause } = this.instance.context as { cause?: Cause };
    return this.#attempts.lastFailure(this.goesOn ? cause : undefined);
  }

  /** A wait for a place that ends without one says what became of the last attempt. */
  #explained(cause: Cause): Cause {
    if (cause.code !== 'queueTimeout' || cause.initiator !== 'library') return cause;
    const error = this.#attempts.lastFailure();
    return error === undefined ? cause : { ...cause, error };
  }

  /** @internal */
  protected override finished(outcome: Outcome): void {
    if (outcome.ending === 'failed') this.#settleAttempt(outcome.cause);
    this.#attempts.leave();
    if (this.#attempts.trial !== undefined) this.#attempts.forget();
    this.#waiters?.reject(
      outcome.ending === 'failed' ? this.#gaveUp(outcome.cause) : new ClosedError(this.id, outcome.cause),
    );
    this.#owner?.legClosed(this, outcome);
    if (this.#config.ownsServers) this.servers.end();
  }

  /** @internal */
  protected override refSocket(keepAlive: boolean): void {
    this.#keepAlive = keepAlive;
    if (this.#socket !== undefined) setRef(this.#socket, keepAlive);
  }

  #chooseServer(attempt: number, cause: Cause | undefined): void {
    this.#settleLast(attempt, cause);
    this.#answerChoice();
  }

  #settleLast(attempt: number, cause: Cause | undefined): void {
    // It was stable, or starts afresh: what is remembered of earlier attempts no longer counts.
    if (attempt === 0 && this.#attempts.isUnsettled) this.#attempts.forgive();
    if (cause !== undefined) this.#settleAttempt(cause);
  }

  #answerChoice(): void {
    const choice = this.#attempts.choose();
    switch (choice.kind) {
      case 'chosen':
        this.instance.send(CHOSEN);
        return;
      case 'deferred':
        this.instance.send({ type: 'server.deferred', delayMs: choice.delayMs });
        return;
      case 'exhausted':
        this.instance.send({ type: 'server.exhausted', cause: choice.cause });
        return;
      case 'full': // The set calls back when there is a place.
    }
  }

  /** Its owner starts afresh. */
  #restoreServers(): void {
    this.servers.restore();
    this.#attempts.forgive();
  }

  /** @internal */
  dialServer(incarnation: number): void {
    this.incarnation = incarnation;
    this.truncated = false;
    this.isTakenOver = false;
    const from = this.#attempts.begin();
    const server = this.#attempts.current as Server;
    if (from !== undefined) this.#announceFailover(from, server);
    try {
      const { connect } = server;
      const onread = this.#owner?.backendDials(
        connect === undefined && server.tls === undefined && this.#config.prepare === undefined,
      );
      if (connect !== undefined) {
        this.#askHook(connect, server);
        return;
      }
      const socket = this.inContext(dial, server, this.#config, this.#config.input.settings.connectTimeout, onread);
      if (onread !== undefined) this.#owner?.backendDialled(socket);
      this.#opened(socket);
    } catch (error) {
      this.#notOpened(error);
    }
  }

  #opened(socket: Socket): void {
    this.#socket = socket;
    try {
      this.#linkDialled(socket);
    } catch (error) {
      forget(socket);
      socket.on('error', ignore).destroy();
      throw error;
    }
    if (isConnected(socket)) queueMicrotask(() => this.#socket === socket && this.#foundConnected(socket));
  }

  #notOpened(error: unknown): void {
    this.socketFailed({ ...reportOf(error), phase: 'command' });
    this.socketClosed();
  }

  /** A socket that was connected before it was returned. */
  #foundConnected(socket: Socket): void {
    this.socketConnected();
    if (socket.readableEnded) this.socketEnded();
  }

  #askHook(connect: NonNullable<Server['connect']>, server: Server): void {
    const dialling = new AbortController();
    this.#dialling = dialling;
    const given: unknown = connect.call(server, server, { signal: dialling.signal, client: this.#owner?.client });
    if (isPromise(given)) this.inContext(() => this.#await(given, dialling, server));
    else this.#opened(checkedStream(`connect of ${server}`, given));
  }

  /** The attempt may be over before a hook keeps its promise. */
  #await(promised: PromiseLike<unknown>, dialling: AbortController, server: Server): void {
    Promise.resolve(promised)
      .then((given) => {
        if (this.#dialling === dialling) this.#opened(checkedStream(`connect of ${server}`, given));
        else discard(given);
      })
      .catch((error) => {
        if (this.#dialling === dialling) this.#notOpened(error);
      });
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
  override destroySocket(): void {
    const socket = this.#socket;
    if (socket !== undefined && !cut(socket)) this.truncated = true;
    this.#refuseLate();
    if (socket !== undefined) return;
    // A `connect` hook that has promised a stream no longer counts as a connection to its server.
    this.#attempts.leave();
    this.instance.send(CLOSED);
  }

  /** @internal */
  override resetSocket(): void {
    super.resetSocket();
    this.#refuseLate();
  }

  /** @internal */
  override unlinkSocket(): void {
    if (this.#socket !== undefined && this.before !== undefined) unlinkOwner(this.#socket, this.before);
    this.#owner?.legUnlinked(this);
  }

  /** @internal */
  override abandonSocket(): void {
    this.#refuseLate();
    if (this.#socket !== undefined) abandon(this.#socket);
    this.#socket = undefined;
    this.#attempts.leave();
  }

  /** @internal */
  prepareOwner(repair: boolean): void {
    const { prepare } = this.#config;
    const repairHook = repair ? this.#config.repair : undefined;
    if (prepare === undefined && repairHook === undefined) {
      this.instance.send(PREPARED);
      return;
    }
    const holders = new Holders(this);
    const signal = holders.addHook();
    this.#holders = holders;
    const context: PrepareContext = {
      incarnation: this.incarnation,
      server: this.#attempts.current as Server,
      client: this.#owner?.client,
      signal,
    };
    const settled = (event: typeof PREPARED | { type: 'owner.failed'; cause: Report }): void => {
      if (holders.hookSettled()) this.instance.send(event);
    };
    Promise.resolve(context)
      .then(() => this.#callHook('prepare', prepare, context))
      .then(() => this.#callHook('repair', repairHook, context))
      .then(
        // A session would relay the socket below TLS.
        () => settled(this.isTakenOver && this.#owner !== undefined ? UNRELAYED : PREPARED),
        (error) => settled({ type: 'owner.failed', cause: hookReportOf(error) }),
      );
  }

  #callHook(name: string, hook: PrepareHook | undefined, context: PrepareContext): unknown {
    return hook && this.callHook(name, (socket) => hook(socket, context), context.signal);
  }

  /** @internal */
  protected override setSocket(socket: Socket): void {
    this.#socket = socket;
    if (!this.#keepAlive) setRef(socket, false);
  }

  #establishOwner(): void {
    const socket = this.#socket as Socket;
    this.#attempts.succeeded(socket);
    // The hook may have sent the last word already.
    if (socket.writableFinished) this.instance.send(FINISHED);
    this.#owner?.backendEstablished();
    if (this.#waiters === undefined && !this.hasListeners('established')) return;
    const connection = this.#current(socket);
    if (socket.writable) this.#waiters?.resolve(connection);
    else this.#waiters?.reject(this.#endedError());
    this.notify('established', connection);
  }

  /** @internal */
  dropOwner(cause: Cause): void {
    this.#attempts.lost(cause);
    this.notify('dropped', { incarnation: this.incarnation, server: this.#attempts.last as Server, cause });
  }

  /** @internal */
  releaseOwner(incarnation: number): void {
    this.#holders = undefined;
    if (this.hasListeners('released')) this.notify('released', { incarnation });
  }

  #announceRetry(attempt: number, delayMs: number, cause: Cause): void {
    this.#owner?.backendRetry(attempt, delayMs, cause);
    this.notify('retry', { attempt, delayMs, server: this.#attempts.last as Server, cause });
  }

  #announceFailover(from: Server, to: Server): void {
    const cause = this.#attempts.lastCause as Cause;
    this.#owner?.backendFailover(from, to, cause);
    this.notify('failover', { from, to, cause });
  }

  #exhaustOwner(why: Cause): void {
    const cause = this.#explained(why);
    this.#settleAttempt(cause);
    this.#waiters?.reject(new ConnectError(`${this.id} is exhausted`, cause));
    this.notify('exhausted', { cause });
  }

  #announceClosing(): void {
    if (this.#holders !== undefined && this.#holders.size > 0) this.notify('closing');
    this.#awaitHolds();
  }

  #awaitHolds(): void {
    if (this.#holders === undefined) this.instance.send(EMPTIED);
    else this.#holders.await();
  }

  /** @internal */
  revokeHolds(): void {
    this.#holders?.revoke();
    this.#awaitHolds();
  }

  /** @internal The holders of an older incarnation may let go late: they no longer count. */
  holdersGone(holders: Holders): void {
    if (holders === this.#holders) this.instance.send(EMPTIED);
  }

  #settleAttempt(cause: Cause): void {
    if (!this.#attempts.settle(cause)) return;
    this.#waiters?.attemptFailed(() => new ConnectError(`${this.id} failed to connect`, cause));
  }

  #gaveUp(cause: Cause): ConnectError {
    return new ConnectError(`${this.id} gave up`, cause);
  }
}

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
  const config = {
    ...backendConfig(options, servers, flag('persistent', options.persistent, true), false),
    ownsServers: options.servers !== servers,
  };
  const signal = checkSignal('signal', options.signal);
  const backend = new Backend(config, environmentOf(options));
  backend.begin(signal);
  return backend;
}
