/** What the handles of clients and backends have in common: how a command ends the socket, and what the socket reports. */
import type { Socket } from 'node:net';
import { type CommandTable, type Events, Handle } from '../handle.js';
import type { SocketCommand, SocketEvent } from '../machines/functions/connection.js';
import type { Cause, Outcome, Report, Words } from '../machines/vocabulary.js';
import type { Instance } from '../runtime/instance.js';
import { checkedStream, connected, isStream } from '../sockets/given.js';
import { closeWith, linkOver } from '../sockets/over.js';
import {
  CLOSED_ABOVE,
  CUT_SHORT,
  endGracefully,
  isCutShort,
  lend,
  listenersOf,
  progressOf,
  readsOf,
  reset,
  takeBack,
} from '../sockets/socket.js';

const ENDED = { type: 'socket.ended' } as const;
const FINISHED = { type: 'socket.finished' } as const;
const CLOSED = { type: 'socket.closed' } as const;
const IDLED = { type: 'socket.idled' } as const;

/** @internal The session of a leg. It is called before the events are emitted, and at a lower cost. */
export interface LegOwner {
  /** The peer has sent its last byte. */
  legEnded(leg: Leg): void;
  /** Our last byte and FIN are with the system. */
  legFinished(leg: Leg): void;
  /** False where it is certain that something else was read since the leg's last byte. */
  legReadLast(leg: Leg): boolean;
  /** The socket is no longer the owner's. */
  legUnlinked(leg: Leg): void;
  legClosed(leg: Leg, outcome: Outcome): void;
  /** The client is to be given to other code; false where its bytes may be relayed already. */
  legHandedOver(): boolean;
  /** The owner turns the client away. */
  legRefused(words: Words | undefined): void;
  /**
   * The first bytes of the client, `bytesMax` of them at least, are shown as they come, and still relayed.
   *
   * @throws NotSupportedError once bytes are relayed
   */
  legPeeked(bytesMax: number, seen: (chunk: Buffer) => void): { stop(): void };
}

/** @internal What a session needs of its client and its backend. */
export type Leg = Pick<Handle<never, Events>, 'id' | 'abort' | 'cut' | 'closeBy'> & {
  readonly socket: Socket | undefined;
};

/** Events that a client and a backend have in common. */
export type LegEvents = {
  /** Lost after it was established. */
  dropped: [{ cause: Cause }];
  /** The owner's resources for it can be given back. */
  released: [];
  /** It has ended. */
  closed: [Outcome];
};

/**
 * What a client and a backend have in common: both are a leg of a session.
 *
 * @example
 * ```ts
 * const watch = (leg: LegHandle) => leg.on('dropped', ({ cause }) => console.log(leg.id, cause));
 * proxy.on('established', ({ client, backend }) => [client, backend].forEach(watch));
 * ```
 */
export type LegHandle = SocketHandle<never, LegEvents>;

/** A handle with a socket. */
export abstract class SocketHandle<V extends { readonly type: string }, E extends Events> extends Handle<V, E> {
  /** @internal What these commands do, for the table of a kind. */
  static readonly socketCommands: CommandTable<SocketHandle<never, Events>, SocketCommand> = {
    'socket.end': (handle) => handle.endSocket(),
    'socket.linger': (handle) => handle.lingerSocket(),
    'socket.probe': (handle, { bytes, times }) => handle.probeSocket(bytes, times),
    'socket.destroy': (handle) => handle.destroySocket(),
    'socket.reset': (handle) => handle.resetSocket(),
    'socket.unlink': (handle) => handle.unlinkSocket(),
    'socket.abandon': (handle) => handle.abandonSocket(),
  };

  /**
   * Calls `listener` whenever `event` happens.
   *
   * @throws OptionError for an event that there is not
   */
  override on<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this;
  // `Client | Backend` has this overload only, for it is the same in both: so it returns no `this`.
  override on<K extends keyof LegEvents>(event: K, listener: (...args: LegEvents[K]) => void): LegHandle;
  override on(event: string, listener: () => void): this {
    return super.on(event, listener);
  }

  /**
   * Calls `listener` the next time that `event` happens.
   *
   * @throws OptionError for an event that there is not
   */
  override once<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this;
  override once<K extends keyof LegEvents>(event: K, listener: (...args: LegEvents[K]) => void): LegHandle;
  override once(event: string, listener: () => void): this {
    return super.once(event, listener);
  }

  /** Calls `listener` no more. */
  override off<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this;
  override off<K extends keyof LegEvents>(event: K, listener: (...args: LegEvents[K]) => void): LegHandle;
  override off(event: string, listener: () => void): this {
    return super.off(event, listener);
  }

  /** @internal The session that it is a leg of. */
  session: LegOwner | undefined = undefined;
  /** @internal The listeners that the socket had before its owner saw it; nothing where the owner takes its own off. */
  protected before: ReturnType<typeof listenersOf> | undefined = undefined;
  /** @internal The peer may take a cut for an end. */
  protected truncated = false;
  /** What the last probe found, and how many before it found the same. */
  #progress = -1;
  #quiet = 0;

  /** @internal A hook has put TLS over the socket, and has not returned it. */
  isTakenOver = false;

  /** @internal The socket, in whatever state. */
  abstract get socket(): Socket | undefined;

  /** @internal The socket, until it has closed. */
  protected abstract get openSocket(): Socket | undefined;

  /** @internal From now on this is its socket. */
  protected abstract setSocket(socket: Socket): void;

  /**
   * @internal Calls a hook with the socket, and goes on with the stream that the hook has put over it, if it returns one.
   * Returns what the hook returned.
   *
   * @throws what the hook throws, and what {@link checkedStream} throws of its stream
   */
  protected async callHook(name: string, hook: (socket: Socket) => unknown, signal: AbortSignal): Promise<unknown> {
    const socket = this.openSocket;
    if (socket === undefined || signal.aborted) return undefined;
    lend(socket);
    let upper: Socket | undefined;
    let given: unknown;
    try {
      given = await hook(socket);
      if (given !== socket && isStream(given)) upper = given;
    } finally {
      const isTakenOver = takeBack(socket) && upper === undefined;
      if (!signal.aborted) this.isTakenOver = isTakenOver;
    }
    if (upper === undefined) return given;
    if (signal.aborted) {
      closeWith(upper, socket);
    } else {
      this.#goOnWith(checkedStream(name, upper), socket);
      await connected(upper, signal);
    }
    return given;
  }

  #goOnWith(upper: Socket, lower: Socket): void {
    this.setSocket(upper);
    linkOver(upper, lower, this);
    if (this.before !== undefined) this.before = listenersOf(upper);
    if (upper.readableEnded) this.socketEnded();
  }

  /** @internal */
  abstract socketConnected(): void;

  /** @internal */
  abstract socketClosed(): void;

  /** @internal */
  protected report(event: SocketEvent): void {
    (this.instance as unknown as Instance<SocketEvent>).send(event);
  }

  /** @internal */
  socketEnded(): void {
    this.report(ENDED);
    // The bytes before a close's end were thrown away: that is no end of a stream.
    if (this.hasTag('linked')) this.session?.legEnded(this);
  }

  /** @internal */
  wasReadLast(): boolean {
    return this.session?.legReadLast(this) ?? true;
  }

  /** @internal */
  socketFinished(): void {
    this.report(FINISHED);
    this.session?.legFinished(this);
  }

  /** @internal */
  socketFailed(cause: Report): void {
    this.report({ type: 'socket.failed', cause });
  }

  /** A socket may close without an error though it is a loss. */
  protected reportUntold(socket: Socket | undefined): void {
    if (this.isTakenOver) this.socketFailed(CLOSED_ABOVE);
    else if (socket !== undefined && isCutShort(socket) && this.hasTag('linked')) this.socketFailed(CUT_SHORT);
  }

  /** @internal */
  override finish(outcome: Outcome): void {
    super.finish(this.truncated ? { ...outcome, truncated: true } : outcome);
  }

  /** @internal */
  endSocket(): void {
    const socket = this.openSocket;
    if (socket === undefined) {
      this.report(CLOSED);
      return;
    }
    this.#startProbes(socket);
    endGracefully(socket);
    if (socket.writableFinished) this.report(FINISHED);
  }

  /** @internal */
  lingerSocket(): void {
    const socket = this.openSocket;
    if (socket === undefined) {
      this.report(CLOSED);
      return;
    }
    this.#startProbes(socket);
    socket.resume();
  }

  /** What is read from now on counts for the next probe. */
  #startProbes(socket: Socket): void {
    this.#progress = readsOf(socket);
    this.#quiet = 0;
  }

  /** @internal */
  probeSocket(bytes: 'all' | 'read', times: number): void {
    const socket = this.openSocket;
    // Its close is on its way to the machine.
    if (socket === undefined) return;
    // Whether a leg is idle is for its session to say, which sees both.
    if (bytes === 'all' && this.session !== undefined) return;
    const progress = bytes === 'all' ? progressOf(socket) : readsOf(socket);
    this.#quiet = progress === this.#progress ? this.#quiet + 1 : 0;
    this.#progress = progress;
    if (this.#quiet >= times) this.report(IDLED);
  }

  /** @internal */
  abstract destroySocket(): void;

  /** @internal */
  resetSocket(): void {
    const socket = this.openSocket;
    if (socket !== undefined && !reset(socket)) this.truncated = true;
  }

  /** @internal */
  abstract unlinkSocket(): void;

  /** @internal */
  abstract abandonSocket(): void;
}
