import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { NotEstablishedError, NotSupportedError, OptionError } from '../errors.js';
import { clientInstance } from '../generated/client.js';
import {
  type Environment,
  environmentOf,
  HANDLE_OPTIONS,
  type HandleKind,
  type HandleOptions,
  kindOf,
} from '../handle.js';
import type { ClientCommand, ClientEvent, ClientSettings } from '../machines/client.js';
import { CLIENT_LIMITS, namesOf } from '../machines/limits.js';
import { type Cause, NEVER_MS, type Outcome, type Report, type Words } from '../machines/vocabulary.js';
import { signal as checkSignal, everyOption, hook, integer, limits, onlyKnown, type Timeout } from '../options.js';
import type { Trusts, Via } from '../proxy-protocol.js';
import type { Description } from '../runtime/instance.js';
import { type ClientHello, ClientHelloParser, BYTES_MAX as HELLO_BYTES_MAX } from '../sockets/client-hello.js';
import { FirstBytes } from '../sockets/first-bytes.js';
import { inObjectMode, isStream } from '../sockets/given.js';
import type { Handshakes } from '../sockets/handshake.js';
import { HeaderReader } from '../sockets/header-reader.js';
import { type Peer, peerOf } from '../sockets/peer.js';
import type { ProxyHeader } from '../sockets/proxy-header.js';
import {
  abandon,
  commandCauseOf,
  destroy,
  endAgain,
  forget,
  hookReportOf,
  isBelowTls,
  isOwned,
  lend,
  link,
  listenersOf,
  ownerOf,
  rawOf,
  setRef,
  TAKEN_OVER,
  takeBack,
  unlinkOwner,
} from '../sockets/socket.js';
import { UnreadReader } from '../sockets/unread.js';
import { Peek, type PeekOptions, peekTime } from './peek.js';
import { SocketHandle } from './socket-handle.js';

/** What a hook that decides about a client gets besides the client. */
export interface AdmitContext {
  /** Fires when the decision is no longer wanted: the client is gone, was closed, or took too long. */
  readonly signal: AbortSignal;
}

/** How a client is admitted, and the limits of its life. `Data` is the type of {@link Client.data}. */
export interface ClientLimits<Data = unknown> {
  /**
   * Decides whether a client may stay: returning `false` or throwing refuses it. Until then its bytes are unread.
   *
   * It may return, or promise, the stream to go on with in place of the client's socket: a `tls.TLSSocket` over it
   * (STARTTLS; the library waits for its handshake), a WebSocket stream, or another `Duplex` of bytes. Users see that stream
   * as `client.socket`, and a proxy relays it. A reset is then one of the socket below, and the two are closed together.
   * Anything else that it returns admits the client.
   *
   * @example
   * ```ts
   * async admit({ socket }, { signal }) {
   *   socket.resume();
   *   await once(socket, 'data', { signal });
   *   socket.write('S');
   *   return new tls.TLSSocket(socket, { isServer: true, key, cert });
   * }
   * ```
   */
  readonly admit?: ((client: Client<Data>, context: AdmitContext) => unknown) | undefined;
  /** Time for admission, the PROXY header and the TLS handshake of a listener included, in milliseconds. Default 10 000. */
  readonly acceptTimeout?: Timeout | undefined;
  /**
   * Time for the PROXY header, where the listener has `proxyProtocol`, in milliseconds. Default 5 000. The protocol asks for
   * 3 000 at least, so that a lost packet can be sent again.
   */
  readonly proxyHeaderTimeout?: Timeout | undefined;
  /**
   * Time without a byte in either direction until an established client is reset, at most a quarter later, in
   * milliseconds. Default: no limit. A client of a proxy is bounded by its session instead.
   */
  readonly idleTimeout?: Timeout | undefined;
  /**
   * The same once one side has ended, in milliseconds. Default 60 000. Where it was our side, the client is not reset but
   * let go of: see `lingerTimeout`.
   */
  readonly halfCloseTimeout?: Timeout | undefined;
  /**
   * Time for a graceful close, in milliseconds. Default 10 000. Then the client is reset, unless every byte and our FIN
   * were sent: in that case it is let go of (see `lingerTimeout`).
   */
  readonly closeTimeout?: Timeout | undefined;
  /** Time for a reset socket to close, in milliseconds. Default 1 000. */
  readonly abortTimeout?: Timeout | undefined;
  /**
   * A deadline never resets a stream whose last byte and FIN are sent: the system delivers them, however slowly the
   * client reads. But it would reset a socket that is closed while the client still sends; so what comes is read and
   * thrown away, and the socket is closed when nothing has come for this time, in milliseconds. Default 5 000.
   */
  readonly lingerTimeout?: Timeout | undefined;
  /** How long that may take in all, until the client is reset after all, in milliseconds. Default 30 000. */
  readonly lingerMax?: Timeout | undefined;
}

/** Options of {@link adoptClient}. */
export interface ClientOptions<Data = unknown> extends ClientLimits<Data>, HandleOptions {}

const CLIENT_OPTIONS = everyOption<ClientOptions>()(...namesOf(CLIENT_LIMITS), 'admit', ...HANDLE_OPTIONS);

/** @internal A session bounds its client and its backend by itself. */
export const BOUNDED_BY_SESSION = { idleTimeout: NEVER_MS, halfCloseTimeout: NEVER_MS };

/** @internal What the clients of one listener share. */
export interface ClientConfig {
  readonly input: { readonly settings: ClientSettings };
  readonly admit: ClientLimits['admit'];
  /** True when the owner takes its own listeners off: then they need not be compared. */
  readonly ownerUnlinks: boolean;
  /** The TLS handshake comes first where the listener speaks TLS. */
  readonly handshakes: Handshakes | undefined;
  /** What differs for clients behind a proxy whose header comes first. */
  readonly proxied: { readonly trusts: Trusts; readonly input: ClientConfig['input'] } | undefined;
}

/** @internal The listener of a client: it is called before the events are emitted, and at a lower cost. */
export interface ClientOwner {
  clientEstablished(client: Client): void;
  clientClosed(client: Client, outcome: Outcome): void;
}

/** Events of a client. */
export type ClientEvents<Data = unknown> = {
  /** Admitted: it can be read and written. */
  established: [Client<Data>];
  /** Lost after it was established. */
  dropped: [{ cause: Cause }];
  /** The owner's resources for it can be given back. */
  released: [];
  /** It has ended, whether it was established or not. */
  closed: [Outcome];
};

const FINISHED = { type: 'socket.finished' } as const;
const CLOSED = { type: 'socket.closed' } as const;
const ADMITTED = { type: 'owner.admitted' } as const;
const UNRELAYED = { type: 'owner.refused', cause: TAKEN_OVER } as const;
const HAND_OVER = { type: 'client.handOver' } as const;
const HEADER_DONE = { type: 'header.done' } as const;
const HANDSHAKE_DONE = { type: 'handshake.done' } as const;

const BACKGROUND: ReadonlySet<string> = new Set(['idleProbe', 'halfCloseProbe']);

/** How many bytes can be asked for before they are relayed. */
const PEEK_MAX = 65_536;

/** An accepted client. Made by {@link adoptClient} and by listeners. `Data` is the type of {@link Client.data}. */
export class Client<Data = unknown> extends SocketHandle<ClientEvent, ClientEvents<Data>> {
  /** @internal */
  static readonly kind: HandleKind<Client, ClientCommand, ClientEvents> = {
    ...kindOf('client', clientInstance),
    events: { established: true, dropped: true, released: true, closed: true },
    commands: {
      ...SocketHandle.socketCommands,
      'header.begin': (client) => client.#beginHeader(),
      'socket.write': (client, { words }) => client.#write(words),
      'handshake.begin': (client) => client.#beginHandshake(),
      'handshake.end': (client) => client.endHandshake(),
      'owner.accept': () => {},
      'owner.admit': (client) => client.#admitOwner(),
      'owner.establish': (client) => client.#establishOwner(),
      'owner.drop': (client, { cause }) => client.notify('dropped', { cause }),
      'owner.release': (client) => client.notify('released'),
      'socket.give': (client) => client.#give(),
    },
  };

  /** Milliseconds of its clock when it was adopted. */
  readonly since: number;
  /**
   * Yours: what your hooks and listeners want to know of it later. The library does not look at it. It is `undefined` until
   * a hook sets it, or {@link TcpProxy.adopt} does.
   *
   * @example
   * ```ts
   * const proxy = createProxy<Tenant>({
   *   listen: { port: 5432 },
   *   admit: async (client) => void (client.data = await tenantOf(client)),
   *   route: ({ data }) => data.servers,
   * });
   * ```
   */
  data = undefined as Data;
  /** @internal A list links its members by these two fields: that of its listener, or of the proxy that has adopted the client. */
  previous: Client<Data> | undefined = undefined;
  /** @internal */
  next: Client<Data> | undefined = undefined;
  #peer: Peer | undefined;
  #via: Via | undefined = undefined;
  #headerReader: HeaderReader | undefined = undefined;
  readonly #config: ClientConfig;
  readonly #owner: ClientOwner | undefined;
  #socket: Socket;
  #admission: AbortController | undefined = undefined;
  #peek: Peek | undefined = undefined;
  #take: ((socket: Socket) => unknown) | undefined = undefined;
  #socketClosed = false;
  /** Other code has the socket. Its end is still looked at, since it may hide a reset, but it may come twice: it is not told. */
  #isGiven = false;

  /** @internal */
  constructor(
    socket: Socket,
    config: ClientConfig,
    environment: Environment,
    owner?: ClientOwner,
    parent?: { readonly id: string },
  ) {
    const peer = peerOf(socket);
    const { input } = config.proxied?.trusts(peer) === true ? config.proxied : config;
    super(Client.kind, input, environment, parent);
    this.#socket = socket;
    this.#peer = peer;
    this.since = this.clock.now();
    this.#config = config;
    this.#owner = owner;
    // A FIN is answered by the owner of the stream, not by the socket.
    socket.allowHalfOpen = true;
    socket.pause();
    link(socket, this);
    if (!config.ownerUnlinks) this.before = listenersOf(socket);
  }

  /** @internal */
  override get backgroundTimers(): ReadonlySet<string> {
    return BACKGROUND;
  }

  /**
   * The socket; where its listener speaks TLS, the `tls.TLSSocket` once the handshake is done. Where an `admit` hook gave
   * another stream, or you adopted one, that `Duplex`, which lacks what only sockets have.
   */
  override get socket(): Socket {
    return this.#socket;
  }

  /**
   * Where it comes from: known until its end and after, however that comes. Nothing for a Unix socket, which has no
   * address, nor for a client that had reset the connection before it was accepted. Of a client behind a proxy (see
   * `proxyProtocol` of a listener) it is the address that the PROXY header tells, and the proxy's own until then, or where
   * the header tells none.
   */
  get peer(): Peer | undefined {
    return this.#peer;
  }

  /** The proxy that a client came by, and its PROXY header; nothing before that is read, and for all other clients. */
  get via(): Via | undefined {
    return this.#via;
  }

  /** @internal */
  override describe(): Description {
    return { peer: this.peer?.toString() };
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), peer: this.peer?.toString() };
  }

  /** @internal Starts the instance; separate from the constructor, so that its owner knows it first. */
  override begin(signal?: AbortSignal): void {
    super.begin(signal);
    // A socket that had closed before it was adopted reports nothing any more.
    if (this.socket.readableEnded) this.socketEnded();
    if (!this.socket.closed) return;
    forget(this.socket);
    this.socketClosed();
  }

  /** @internal The socket, until it has closed. */
  protected override get openSocket(): Socket | undefined {
    return this.#socketClosed ? undefined : this.#socket;
  }

  /** @internal */
  socketConnected(): void {}

  /** @internal */
  override socketEnded(): void {
    if (this.#isGiven) return;
    this.endPeek();
    super.socketEnded();
  }

  /** @internal */
  socketClosed(): void {
    this.#socketClosed = true;
    this.reportUntold(this.#socket);
    // Why the handshake has failed comes after the close, in the same turn.
    if (this.#config.handshakes !== undefined && this.hasTag('handshaking'))
      setImmediate(() => this.instance.send(CLOSED));
    else this.instance.send(CLOSED);
  }

  /** @internal */
  headerDone(header: ProxyHeader): void {
    this.#headerReader = undefined;
    this.#via = { peer: this.#peer, header };
    this.#peer = header.source ?? this.#peer;
    this.instance.send(HEADER_DONE);
  }

  /** @internal */
  headerFailed(cause: Report): void {
    this.instance.send({ type: 'header.failed', cause });
  }

  /** @internal */
  handshakeDone(socket: TLSSocket): void {
    if (!this.hasTag('handshaking')) {
      // It was closed or aborted meanwhile: where the raw socket is being destroyed, that takes this one along.
      if (!this.#socket.destroyed) socket.destroy();
      return;
    }
    // What becomes of the raw socket is told by the one above it.
    forget(this.#socket);
    this.#socket = socket;
    socket.allowHalfOpen = true;
    socket.pause();
    link(socket, this);
    if (!this.#config.ownerUnlinks) this.before = listenersOf(socket);
    this.instance.send(HANDSHAKE_DONE);
  }

  /** @internal */
  handshakeFailed(cause: Report): void {
    if (this.hasTag('handshaking')) {
      this.instance.send({ type: 'handshake.failed', cause });
    } else if (!this.#socketClosed) {
      this.endHandshake();
      this.socketFailed(cause);
    }
  }

  /**
   * The first bytes of the client. They stay where they are: you read them, or the session relays them, as if nothing had
   * seen them. Call it in `admit`, in `route` and in the other hooks until the session relays bytes; for a client of your
   * own, before you read its socket or make a session. What a listener reads itself is not among the bytes: a PROXY header,
   * and what TLS that is terminated here adds. No other code may read the socket until the promise has settled.
   *
   * The promise resolves to fewer bytes, perhaps none, if the client ends, is reset or is closed before, and if it has
   * not sent enough in time: a client that waits for the server to speak first sends nothing.
   *
   * @param bytes how many are needed, from 1 to 65,536. Default 1.
   * @param options how long to wait for them
   * @returns a copy of the first bytes: as many as you asked for, and the bytes that arrived together with these
   * @throws OptionError
   * @throws NotEstablishedError before `admit` is called
   * @throws NotSupportedError if the bytes are relayed, or read by other code, or if an earlier call has not settled
   * @example
   * ```ts
   * admit: async (client) => (await client.peek(4)).toString('latin1', 0, 4) === 'SSH-',
   * ```
   */
  async peek(bytes = 1, options: PeekOptions = {}): Promise<Buffer> {
    integer('bytes', bytes, 1, 1, PEEK_MAX);
    const timeoutMs = peekTime('peek', options);
    const seen = new FirstBytes();
    const isEnough = (chunk: Buffer): boolean => {
      seen.add(chunk);
      return seen.length >= bytes;
    };
    await this.#look(isEnough, bytes, timeoutMs);
    return seen.bytes;
  }

  /**
   * Reads the first message of a client whose TLS goes through to the server: the name of the server that the client wants,
   * and the application protocols and versions that it offers. The bytes stay where they are; it can be called where
   * {@link peek} can.
   *
   * @param options how long to wait for the message
   * @returns the message; `undefined` if the client does not speak TLS, and if it ends, is reset or is closed before its
   *   message is complete, or does not send it in time
   * @throws ClientHelloError for a message that is malformed, or longer than 16,384 bytes
   * @throws OptionError
   * @throws NotEstablishedError before `admit` is called
   * @throws NotSupportedError as {@link peek}, and if the client's TLS is terminated here: `client.socket` has `servername`
   *   and `alpnProtocol` then
   * @example
   * ```ts
   * const sites = new Map([['one.example.com', new Servers([{ port: 7443 }])]]);
   * const proxy = createProxy({
   *   listen: { port: 8443 },
   *   route: async (client) => sites.get((await client.clientHello())?.serverName ?? '') ?? false,
   * });
   * ```
   */
  async clientHello(options: PeekOptions = {}): Promise<ClientHello | undefined> {
    const timeoutMs = peekTime('clientHello', options);
    if ('encrypted' in this.#socket) {
      throw new NotSupportedError(
        `The TLS of ${this.id} is terminated here: see servername and alpnProtocol of its socket.`,
      );
    }
    const parser = new ClientHelloParser();
    let hello: ClientHello | undefined;
    const isEnough = (chunk: Buffer): boolean => {
      const found = parser.push(chunk);
      if (typeof found === 'object') hello = found;
      return found !== 'incomplete';
    };
    // The parser refuses what is longer.
    await this.#look(isEnough, HELLO_BYTES_MAX + 1, timeoutMs);
    return hello;
  }

  async #look(isEnough: (chunk: Buffer) => boolean, bytesMax: number, timeoutMs: number): Promise<void> {
    const socket = this.#socket;
    if (!this.hasTag('linked')) return;
    this.#checkPeek(socket);
    const peek = new Peek(isEnough, this.clock);
    const { session } = this;
    this.#peek = peek;
    try {
      const over = peek.begin(timeoutMs, () =>
        session === undefined ? new UnreadReader(socket, peek.see, peek.end) : session.legPeeked(bytesMax, peek.see),
      );
      if (socket.readableEnded || socket.destroyed) peek.end();
      await over;
    } finally {
      if (this.#peek === peek) this.#peek = undefined;
      // As it was before, unless another one reads it now.
      if (this.session === undefined && socket === this.#socket && this.hasTag('linked')) socket.pause();
    }
  }

  #checkPeek(socket: Socket): void {
    if (this.#headerReader !== undefined || this.hasTag('handshaking')) {
      throw new NotEstablishedError(this.id, this.state, 'peek in admit, or later');
    }
    if (this.#take !== undefined) throw new NotSupportedError(`${this.id} was handed over.`);
    if (this.#peek !== undefined) throw new NotSupportedError(`${this.id} is peeked at already: await that first.`);
    if (isBelowTls(socket)) throw new NotSupportedError(`TLS was put over the socket of ${this.id}, and reads it.`);
    if (this.session !== undefined) return;
    const { readableFlowing, readableEncoding } = socket;
    if (readableFlowing === true || socket.listenerCount('data') + socket.listenerCount('readable') > 0) {
      throw new NotSupportedError(
        `The socket of ${this.id} is read by other code: pause it, and take its listeners off.`,
      );
    }
    if (readableEncoding) throw new NotSupportedError(`The socket of ${this.id} has an encoding (setEncoding).`);
  }

  /** @internal What has come must do. */
  endPeek(): void {
    this.#peek?.end();
    this.#peek = undefined;
  }

  /**
   * Turns the client away, in `admit`, in `route`, or while its session connects; a client of your own also later, unless
   * it has a session. With words, these are sent, and a FIN after them; what the client still sends is thrown away until
   * it is silent (`lingerTimeout`), and a client that does not read them is reset after `closeTimeout`. Empty words, `''`,
   * are a FIN alone. Without words it is reset, unless its proxy has a hook `refusal` which has some. Final; what `admit`
   * or `route` answers no longer matters.
   *
   * The client and its session end as `refused`, and the outcome of the client says whether all words were sent
   * (`flushed`).
   *
   * @param words as text (UTF-8) or bytes
   * @returns {@link closed}
   * @throws OptionError for words that are neither
   * @throws NotSupportedError once its session relays bytes
   * @example
   * ```ts
   * admit: (client) => {
   *   if (isBlocked(client.peer)) client.refuse('421 4.7.0 Try again later.\r\n');
   * },
   * ```
   */
  refuse(words?: string | Uint8Array): Promise<Outcome> {
    checkWords('words', words);
    if (this.session === undefined) this.turnAway(undefined, words);
    else this.session.legRefused(words);
    return this.closed;
  }

  /**
   * Gives the socket to other code, such as an HTTP server: in `admit`, in `route`, or once it is established; not while a
   * session relays it. The library takes its listeners and limits off, and calls `take` with the socket: at once. Only
   * within a listener of this client, and in a `route` that has awaited nothing yet, it does so right after that code.
   * What was read of it already (`peek`, `connectBufferBytes`) is read again. What `admit` or `route` answers no longer
   * matters.
   *
   * The client counts towards `clientsMax`, and a close of its listener or proxy waits for it, until the socket closes:
   * then it ends as `handedOver`, and its session, if it had one in `route`, has ended so before. {@link clientOf} finds it
   * by its socket. `close()` waits for the new owner to end the socket, and resets it when the time is up; `abort()` resets
   * it. The socket is half open: `allowHalfOpen` is true. It can be adopted again, which ends this client.
   *
   * @param take gets the socket, paused; it is resumed if it has a `data` listener then. If it throws, or its
   * promise rejects, the client is aborted, with the error in its cause
   * @returns {@link closed}
   * @throws OptionError if `take` is not a function
   * @throws NotSupportedError before it can be admitted, once its session has a route, and once it has ended
   * @example
   * ```ts
   * const http = createServer((request, response) => response.end(`hello ${clientOf(request.socket)?.peer}`));
   * http.emit('listening'); // it never listens itself: this starts its list of connections
   * const proxy = createProxy({
   *   listen: { port: 8080 },
   *   route: async (client) => {
   *     if ((await client.clientHello()) !== undefined) return { host: '10.0.0.1', port: 443 };
   *     client.handOver((socket) => http.emit('connection', socket));
   *     return false;
   *   },
   * });
   * ```
   */
  handOver(take: (socket: Socket) => unknown): Promise<Outcome> {
    if (typeof take !== 'function') throw new OptionError('take', take, 'a function, which gets the socket');
    if (this.#take !== undefined) throw new NotSupportedError(`${this.id} was handed over already.`);
    this.endPeek();
    if (!this.hasTag('givable') || this.session?.legHandedOver() === false) {
      throw new NotSupportedError(
        `${this.id} cannot be handed over: it ${this.hasTag('ending') ? 'has ended' : `is ${this.state}`}. It can be in admit, in route, and while it is established without a session.`,
      );
    }
    this.#take = take;
    this.instance.send(HAND_OVER);
    return this.closed;
  }

  /** @internal */
  turnAway(cause: Report | undefined, words: Words | undefined): void {
    this.instance.send({ type: 'client.refuse', ...(cause && { cause }), ...(words !== undefined && { words }) });
  }

  /** @internal Turns it away if it is still being admitted. */
  refuseAdmission(cause: Report): void {
    this.instance.send({ type: 'owner.refused', cause });
  }

  /** @internal */
  override commandFailed(_command: string, error: unknown): void {
    const cause = commandCauseOf(error);
    // It may have been left undone: then the socket must neither stay open nor end as if all were well.
    this.resetSocket();
    this.socketFailed(cause);
    // One that is being closed waits for its socket alone: it is aborted, and so says why.
    this.instance.send({ type: 'client.abort', cause });
  }

  /** @internal */
  protected override finished(outcome: Outcome): void {
    // A listener forgets the client first, and then tells its session.
    if (this.#owner === undefined) this.session?.legClosed(this, outcome);
    else this.#owner.clientClosed(this, outcome);
  }

  /** @internal */
  protected override refSocket(keepAlive: boolean): void {
    setRef(this.#socket, keepAlive);
  }

  /** @internal */
  override destroySocket(): void {
    if (this.#socketClosed) this.instance.send(CLOSED);
    else destroy(this.#socket);
  }

  /** @internal */
  endHandshake(): void {
    if (this.#socketClosed) this.instance.send(CLOSED);
    else setImmediate(destroy, this.#socket);
  }

  /** @internal */
  override unlinkSocket(): void {
    this.endPeek();
    this.abortSignal(this.#admission);
    this.#headerReader?.stop();
    this.#headerReader = undefined;
    if (this.before !== undefined) unlinkOwner(this.#socket, this.before);
    this.session?.legUnlinked(this);
  }

  /** @internal */
  override abandonSocket(): void {
    abandon(this.#socket);
  }

  /** @internal Its socket, which it has given away, is adopted again. */
  leave(): void {
    forget(this.#socket);
    this.socketClosed();
  }

  #give(): void {
    const take = this.#take;
    this.#take = undefined;
    const socket = this.#socket;
    const failed = (error: unknown): void => void this.abort(hookReportOf(error));
    this.#isGiven = true;
    // The end may have been seen here: its new owner has not.
    if (socket.readableEnded) endAgain(socket);
    lend(socket);
    try {
      Promise.resolve(take?.(socket)).catch(failed);
      // It was paused, and so does not start to flow by itself.
      if (socket.listenerCount('data') > 0) socket.resume();
    } catch (error) {
      failed(error);
    } finally {
      takeBack(socket);
    }
  }

  #beginHeader(): void {
    this.#headerReader = new HeaderReader(this.#socket, this);
  }

  #write(words: Words): void {
    const socket = this.openSocket;
    // Its owner may have ended it.
    if (socket?.writable && words.length > 0) socket.write(words);
  }

  #beginHandshake(): void {
    this.#config.handshakes?.begin(this.#socket, this);
  }

  #admitOwner(): void {
    // Without an owner, the code that adopted it must first be able to add listeners.
    if (this.#config.admit === undefined && this.#owner !== undefined) this.instance.send(ADMITTED);
    else this.#askHook();
  }

  #askHook(): void {
    const { admit } = this.#config;
    const admission = new AbortController();
    this.#admission = admission;
    const { signal } = admission;
    const settle = (event: { type: 'owner.admitted' } | { type: 'owner.refused'; cause: Report }): void => {
      this.#admission = undefined;
      this.instance.send(event);
    };
    Promise.resolve(admit)
      .then((hook) => hook && this.callHook('admit', () => hook(this, { signal }), signal))
      .then(
        (verdict) => {
          if (verdict === false) settle({ type: 'owner.refused', cause: { initiator: 'owner', manner: 'refusal' } });
          // A proxy would relay the socket below TLS.
          else settle(this.isTakenOver && this.#config.ownerUnlinks ? UNRELAYED : ADMITTED);
        },
        (error) => settle({ type: 'owner.refused', cause: hookReportOf(error) }),
      );
  }

  /** @internal */
  protected override setSocket(socket: Socket): void {
    this.endPeek();
    this.#socket = socket;
    socket.pause();
  }

  #establishOwner(): void {
    const { socket } = this;
    // The hook may have read: what comes now is the owner's.
    socket.pause();
    this.#owner?.clientEstablished(this);
    this.notify('established', this);
    // It was paused, and so does not start to flow by itself for listeners that were just put on. A session starts it
    // when its bytes have somewhere to go; until then they must not be lost to a `data` listener that only watches.
    if (this.session === undefined && socket.listenerCount('data') > 0) socket.resume();
    // The hook may have sent the last word already.
    if (socket.writableFinished) this.instance.send(FINISHED);
  }
}

/** @internal @throws OptionError for what cannot be written */
export function checkWords(name: string, words: unknown): Words | undefined {
  if (words === undefined || typeof words === 'string' || words instanceof Uint8Array) return words;
  throw new OptionError(name, words, 'a string, a Buffer or another Uint8Array, or undefined for none');
}

/**
 * The client that owns this socket, or the socket below its TLS; nothing for a socket that was never adopted, or has
 * closed. It also finds a client that was handed over: an HTTP server knows by it where a request comes from.
 *
 * @example
 * ```ts
 * createServer((request, response) => response.end(`${clientOf(request.socket)?.peer}`));
 * ```
 */
export function clientOf<Data = unknown>(socket: Duplex): Client<Data> | undefined {
  for (let at: Socket | undefined = socket as Socket; at !== undefined; at = rawOf(at)) {
    const owner = ownerOf(at);
    if (owner instanceof Client) return owner as unknown as Client<Data>;
  }
  return undefined;
}

/** @internal @throws OptionError for what is no socket, or has an owner */
export function checkAdoptable(socket: Duplex): void {
  if (!isStream(socket) || inObjectMode(socket)) {
    throw new OptionError('socket', socket, 'a net.Socket, or another Duplex of bytes');
  }
  if (socket.readableEncoding) throw new OptionError('socket', socket, 'one of bytes, without setEncoding()');
  if (isOwned(socket as Socket) && clientOf(socket)?.hasTag('lent') !== true) {
    throw new OptionError('socket', socket, 'a socket that was not adopted already, or was handed over');
  }
}

/** @internal Checks the options of a client, once for all that share them. */
export function clientConfig(options: ClientLimits, ownerUnlinks: boolean): ClientConfig {
  return {
    input: { settings: { ...limits(CLIENT_LIMITS, options), ...(ownerUnlinks && BOUNDED_BY_SESSION) } },
    admit: hook('admit', options.admit),
    ownerUnlinks,
    handshakes: undefined,
    proxied: undefined,
  };
}

/** @internal The same for the clients of a listener that speaks TLS. */
export function overTls(config: ClientConfig, handshakes: Handshakes): ClientConfig {
  return { ...config, input: { settings: { ...config.input.settings, speaksTls: true } }, handshakes };
}

/** @internal The same for a listener behind proxies; what differs over TLS is in the configuration already. */
export function behindProxies(config: ClientConfig, trusts: Trusts): ClientConfig {
  return { ...config, proxied: { trusts, input: { settings: { ...config.input.settings, isProxied: true } } } };
}

/**
 * Takes over an accepted socket: a `net.Socket`, a `tls.TLSSocket`, or what another library accepted. Call it in the
 * tick of the accept, for a socket may be reset already.
 *
 * The socket is paused until the client is established, and is left half open when the peer ends (`allowHalfOpen`),
 * so that the last bytes can still be sent.
 *
 * @throws OptionError
 * @example
 * ```ts
 * const local = new net.BlockList(); // which here says which addresses may come in, by IPv4 also as `::ffff:127.0.0.1`
 * local.addSubnet('127.0.0.0', 8);
 * local.addAddress('::1', 'ipv6');
 * const admit = ({ socket: { remoteAddress = '' } }) => local.check(remoteAddress, net.isIPv6(remoteAddress) ? 'ipv6' : 'ipv4');
 * const server = net.createServer({ pauseOnConnect: true }, (socket) => {
 *   const client = adoptClient(socket, { admit });
 *   client.on('established', ({ socket }) => socket.pipe(socket));
 *   client.closed.then(({ ending, cause }) => console.log(ending, cause));
 * });
 * ```
 */
export function adoptClient<Data = unknown>(socket: Duplex, options: ClientOptions<Data> = {}): Client<Data> {
  checkAdoptable(socket);
  onlyKnown('adoptClient', options, CLIENT_OPTIONS);
  const signal = checkSignal('signal', options.signal);
  const config = clientConfig(options as ClientOptions, false);
  const environment = environmentOf(options);
  clientOf(socket)?.leave();
  const client = new Client<Data>(socket as Socket, config, environment);
  client.begin(signal);
  return client;
}
