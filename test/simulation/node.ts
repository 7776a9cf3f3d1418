/**
 * Node's own `net` on the simulated network. Its sockets and servers are the real ones, all their code included; only the
 * handles below, where Node calls libuv, are answered by the network. A handle does what libuv does on Linux: it reads as
 * long as there is something to read, writes what there is room for and the rest when there is more, and calls back.
 *
 * The methods are put on the prototype of the handles of TCP sockets, so that nothing in `net`, and no import of it, has
 * to be replaced. The protocol between the two is internal to Node; it is the same in 20, 22 and 24, and 26 differs in how a
 * write is asked for.
 */
import dns from 'node:dns';
import { isIP } from 'node:net';
import { constants } from 'node:os';
import { forgetNames } from '../../src/upstream/lookup.js';
import type { Random } from '../runtime/random.js';
import type { Address, Attempt, Endpoint, Errno, Listener, Network, Way } from './network.js';
import type { Time } from './time.js';

interface Request {
  oncomplete(status: number, ...rest: unknown[]): void;
}

/** What Node knows of a handle. */
interface TcpHandle {
  [HANDLE]?: SimulatedHandle;
  onread(bytes?: ArrayBuffer): Buffer | undefined;
  onconnection(status: number, client: TcpHandle): void;
  close(closed?: () => void): void;
}

interface TcpBinding {
  readonly TCP: { new (type: number): TcpHandle; readonly prototype: object };
  readonly constants: { readonly SOCKET: number };
}

interface StreamBinding {
  readonly WriteWrap: new () => Request;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kArrayBufferOffset: number;
  readonly kBytesWritten: number;
  readonly kLastWriteWasAsync?: number;
  readonly kLastWriteErr?: number;
}

const binding = (process as unknown as { binding(name: string): unknown }).binding;
const { TCP, constants: TYPES } = binding('tcp_wrap') as TcpBinding;
const stream = binding('stream_wrap') as StreamBinding;
const state = stream.streamBaseState;

const HANDLE = Symbol('simulated');
const UV_EOF = -4095;
/** The most that one read takes where the socket has no buffer of its own, and the most reads in a row. */
const READ_BYTES = 65_536;
const READS_MAX = 32;

const uv = (error: Errno): number => -constants.errno[error];

/** Before Node 24, libuv takes a reset that is polled together with data for an end. */
const hidesReset = Number.parseInt(process.versions.node, 10) < 24;

/** The process that the proxy lives in, as the network sees it. */
export class SimulatedProcess {
  /** How many sockets it may have open, and how many it has. */
  filesMax = Number.POSITIVE_INFINITY;
  files = 0;
  /** How a name is answered; addresses need no answer. */
  lookup: (name: string) => { readonly afterUs: number; readonly answer: string | { code: string } } | undefined = () =>
    undefined;
  /** What the system says at once to a connect, or a bind. */
  refuseConnect: (to: Address) => Errno | undefined = () => undefined;
  refuseBind: (at: Address) => Errno | undefined = () => undefined;
  /** Hears of every connect that Node asks for, and of what it accepts. */
  onConnect: (from: Address, to: Address) => void = () => {};
  onAccept: (endpoint: Endpoint) => void = () => {};
  /** Endpoints whose reset was reported as an end after they had sent their own FIN, or tried to, where nobody can tell. */
  readonly mistaken = new Set<Endpoint>();
  /** Connections that were accepted only to be closed, since no more files may be open. */
  readonly starved = new Set<Endpoint>();
  readonly handles = new Set<SimulatedHandle>();

  constructor(
    readonly time: Time,
    readonly network: Network,
    readonly host: string,
    readonly random: Random,
    /** Of the connections that it opens. */
    readonly way: (to: Address) => Way,
  ) {}

  /** Microseconds until the process hears of something: it polls, and may be busy. */
  latency(): number {
    return this.random.percent(70) ? this.random.below(20) : this.random.below(3_000);
  }
}

interface Write {
  readonly request: Request;
  /** What is left of it, not copied: whoever changes it before it is written changes what is sent. */
  rest: Buffer[];
}

/** What libuv knows of a TCP handle. */
class SimulatedHandle {
  readonly process: SimulatedProcess;
  isClosing = false;
  isReading = false;
  bytesRead = 0;
  bytesWritten = 0;
  userBuffer: Buffer | undefined;
  address: Address | undefined;
  /** Where it was told to connect. */
  target: Address | undefined;
  endpoint: Endpoint | undefined;
  listener: Listener | undefined;
  #attempt: { readonly request: Request; readonly attempt: Attempt } | undefined;
  #writes: Write[] = [];
  #shutdown: Request | undefined;
  /** Node believes that its FIN is out; where the connection was reset before, it is not told. */
  #hasShutdown = false;
  #isPolling = false;
  #hasFile = false;
  /** A read has failed: libuv then takes it for neither readable nor writable. */
  #isBroken = false;

  constructor(readonly tcp: TcpHandle) {
    this.process = current();
    this.process.handles.add(this);
  }

  #open(): void {
    this.#hasFile = true;
    this.process.files++;
  }

  get #isStarved(): boolean {
    return this.process.files >= this.process.filesMax;
  }

  bind(host: string, port: number): number {
    if (this.#isStarved) return uv('EMFILE');
    this.#open();
    const { network, refuseBind } = this.process;
    const address = { host, port: port === 0 ? network.freePort() : port };
    const refusal = refuseBind(address);
    this.address = address;
    return refusal === undefined ? 0 : uv(refusal);
  }

  listen(backlog: number): number {
    const listener = this.process.network.listen(this.address as Address, backlog);
    if (typeof listener === 'string') return uv(listener);
    this.listener = listener;
    listener.wake = () => this.#poll();
    return 0;
  }

  connect(request: Request, host: string, port: number): number {
    const { network, time, random } = this.process;
    const to = { host, port };
    this.address ??= { host: this.process.host, port: network.freePort() };
    this.target = to;
    this.process.onConnect(this.address, to);
    if (this.#isStarved) return uv('EMFILE');
    this.#open();
    const refusal = this.process.refuseConnect(to);
    if (refusal !== undefined) return uv(refusal);
    const attempt = network.connect(this.address, to, this.process.way(to), random.fork(), (error) => {
      time.after(this.process.latency(), () => {
        if (this.isClosing) return;
        this.#attempt = undefined;
        if (error === undefined) this.adopt(attempt.endpoint as Endpoint);
        request.oncomplete(error === undefined ? 0 : uv(error), this.tcp, request, true, true);
      });
    });
    this.#attempt = { request, attempt };
    return 0;
  }

  adopt(endpoint: Endpoint): void {
    if (!this.#hasFile) this.#open();
    this.endpoint = endpoint;
    endpoint.wake = () => this.#poll();
  }

  readStart(): number {
    if (this.isClosing) return uv('EINVAL');
    if (this.#isBroken) return uv('ENOTCONN');
    this.isReading = true;
    this.#poll();
    return 0;
  }

  readStop(): number {
    this.isReading = false;
    return 0;
  }

  /** Returns what Node wants: an error, zero if all was written, or else the request that will complete. */
  write(asked: Request | null, data: readonly Buffer[]): number | Request {
    const total = data.reduce((sum, { length }) => sum + length, 0);
    state[stream.kBytesWritten] = total;
    if (stream.kLastWriteErr !== undefined) state[stream.kLastWriteErr] = 0;
    this.#noteAsync(false);
    let rest = [...data];
    if (this.endpoint === undefined || this.#isBroken) return uv('EPIPE');
    if (this.#writes.length === 0) {
      const error = this.#send(rest);
      if (error !== undefined) return uv(error);
    }
    rest = rest.filter(({ length }) => length > 0);
    if (rest.length === 0) return 0;
    const request = asked ?? new stream.WriteWrap();
    this.#writes.push({ request, rest });
    this.#noteAsync(true);
    this.#poll();
    return asked === null ? request : 0;
  }

  #noteAsync(isAsync: boolean): void {
    if (stream.kLastWriteWasAsync !== undefined) state[stream.kLastWriteWasAsync] = isAsync ? 1 : 0;
  }

  /** Sends what there is room for; what is left stays in the list. */
  #send(rest: Buffer[]): Errno | undefined {
    while (rest[0] !== undefined) {
      const sent = (this.endpoint as Endpoint).send(rest[0]);
      if (typeof sent === 'string') return sent;
      this.bytesWritten += sent;
      if (sent < rest[0].length) {
        rest[0] = rest[0].subarray(sent);
        return undefined;
      }
      rest.shift();
    }
    return undefined;
  }

  shutdown(request: Request): number {
    if (this.endpoint === undefined || this.#isBroken || this.endpoint.isFinQueued || this.#shutdown !== undefined)
      return uv('ENOTCONN');
    this.#shutdown = request;
    this.#poll();
    return 0;
  }

  /** The system has made it a socket. */
  get hasSocket(): boolean {
    return !this.isClosing && (this.endpoint !== undefined || this.#attempt !== undefined);
  }

  reset(closed?: () => void): number {
    if (this.#shutdown !== undefined) return uv('EINVAL');
    (this.endpoint ?? this.#attempt?.attempt.endpoint)?.reset();
    this.close(closed);
    return 0;
  }

  close(closed?: () => void): void {
    if (this.isClosing) return;
    this.isClosing = true;
    nativeClose.call(this.tcp);
    if (this.#hasFile) this.process.files--;
    this.process.handles.delete(this);
    this.#attempt?.attempt.cancel();
    this.endpoint?.close();
    this.listener?.close();
    // At the end of this turn of the loop, after what else it has polled.
    this.process.time.after(this.process.random.below(30), () => this.#finish(closed));
  }

  *#finish(closed: (() => void) | undefined): Generator<void> {
    const cancelled = uv('ECANCELED');
    if (this.#attempt !== undefined) {
      this.#attempt.request.oncomplete(cancelled, this.tcp, this.#attempt.request, true, true);
      yield;
    }
    for (const { request } of this.#writes.splice(0)) {
      request.oncomplete(cancelled);
      yield;
    }
    if (this.#shutdown !== undefined) {
      this.#shutdown.oncomplete(cancelled);
      yield;
    }
    closed?.();
  }

  get #wantsRead(): boolean {
    return this.isReading && this.endpoint?.isReadable === true;
  }

  get #wantsWrite(): boolean {
    return (this.#writes.length > 0 && this.endpoint?.isWritable === true) || this.#wantsShutdown;
  }

  get #wantsShutdown(): boolean {
    return this.#shutdown !== undefined && this.#writes.length === 0;
  }

  get #wants(): boolean {
    if (this.isClosing) return false;
    return (this.listener?.queue.length ?? 0) > 0 || this.#wantsRead || this.#wantsWrite;
  }

  #poll(): void {
    if (this.#isPolling || !this.#wants) return;
    this.#isPolling = true;
    this.process.time.after(this.process.latency(), () => {
      this.#isPolling = false;
      if (this.#wants) return this.#io();
    });
  }

  *#io(): Generator<void> {
    if (this.listener !== undefined) yield* this.#accept();
    else yield* this.#transfer();
    this.#poll();
  }

  *#accept(): Generator<void> {
    const { starved } = this.process;
    for (;;) {
      const endpoint = this.isClosing ? undefined : this.listener?.accept();
      if (endpoint === undefined) return;
      if (this.#isStarved) {
        // libuv keeps one file in reserve, to accept and close those whom it cannot serve.
        starved.add(endpoint);
        endpoint.close();
        continue;
      }
      this.process.onAccept(endpoint);
      const client = new TCP(TYPES.SOCKET);
      handleOf(client).adopt(endpoint);
      this.tcp.onconnection(0, client);
      yield;
    }
  }

  /** As `uv__stream_io`: what was polled is what it was then, whatever happens meanwhile. */
  *#transfer(): Generator<void> {
    const endpoint = this.endpoint as Endpoint;
    const { isHungUp } = endpoint;
    const isPartial = yield* this.#read(endpoint);
    if (this.isClosing) return;
    if (isHungUp && isPartial && this.isReading && (hidesReset || !endpoint.isDead)) {
      if (endpoint.isDead && this.#hasShutdown) this.process.mistaken.add(endpoint);
      yield* this.#end();
      if (this.isClosing) return;
    }
    while (this.#writes[0] !== undefined && endpoint.isWritable) {
      const { request, rest } = this.#writes[0];
      const error = this.#send(rest);
      if (error === undefined && rest.length > 0) break;
      this.#writes.shift();
      request.oncomplete(error === undefined ? 0 : uv(error));
      yield;
      if (this.isClosing) return;
    }
    if (this.#wantsShutdown) {
      const request = this.#shutdown as Request;
      this.#shutdown = undefined;
      this.#hasShutdown = true;
      const error = endpoint.shutdown();
      request.oncomplete(error === undefined ? 0 : uv(error));
      yield;
    }
  }

  /** True if the last read did not fill its buffer. */
  *#read(endpoint: Endpoint): Generator<void, boolean> {
    for (let reads = 0; this.isReading && !this.isClosing && reads < READS_MAX; reads++) {
      const room = this.userBuffer?.length ?? READ_BYTES;
      const data = endpoint.receive(room);
      if (data === undefined) return false;
      if (data === null) {
        if (endpoint.isDead && this.#hasShutdown && !endpoint.isFinReceived) this.process.mistaken.add(endpoint);
        yield* this.#end();
        return false;
      }
      if (typeof data === 'string') {
        this.#isBroken = true;
        this.#report(uv(data));
        this.isReading = false;
        yield;
        return false;
      }
      this.bytesRead += data.length;
      this.#reportData(data);
      yield;
      if (data.length < room) return true;
    }
    return false;
  }

  *#end(): Generator<void> {
    this.isReading = false;
    this.#report(UV_EOF);
    yield;
  }

  #report(status: number): void {
    state[stream.kReadBytesOrError] = status;
    state[stream.kArrayBufferOffset] = 0;
    this.tcp.onread();
  }

  #reportData(data: Buffer): void {
    const own = this.userBuffer;
    state[stream.kReadBytesOrError] = data.length;
    state[stream.kArrayBufferOffset] = 0;
    if (own === undefined) {
      this.tcp.onread(new Uint8Array(data).buffer);
      return;
    }
    data.copy(own);
    const next = this.tcp.onread();
    if (next !== undefined) this.userBuffer = next;
  }
}

let living: SimulatedProcess | undefined;

function current(): SimulatedProcess {
  if (living === undefined) throw new Error('No process is simulated now.');
  return living;
}

function handleOf(tcp: TcpHandle): SimulatedHandle {
  tcp[HANDLE] ??= new SimulatedHandle(tcp);
  return tcp[HANDLE];
}

/** The endpoint of a socket of Node's, as long as it has a handle. */
export function endpointOf(socket: object): Endpoint | undefined {
  const { _handle: tcp } = socket as { _handle?: TcpHandle | null };
  return tcp?.[HANDLE]?.endpoint;
}

const nativeClose = (TCP.prototype as TcpHandle).close;

const buffersOf = (chunks: readonly unknown[], areBuffers: boolean): Buffer[] => {
  if (areBuffers) return chunks as Buffer[];
  const buffers: Buffer[] = [];
  for (let index = 0; index < chunks.length; index += 2) {
    const chunk = chunks[index];
    buffers.push(
      typeof chunk === 'string' ? Buffer.from(chunk, chunks[index + 1] as BufferEncoding) : (chunk as Buffer),
    );
  }
  return buffers;
};

const writeString = (encoding: BufferEncoding) =>
  function (this: TcpHandle, request: Request | null, text: string): number | Request {
    return handleOf(this).write(request, [Buffer.from(text, encoding)]);
  };

function name(this: TcpHandle, address: Address | undefined, out: Record<string, unknown>): number {
  if (address === undefined) return uv('ENOTCONN');
  Object.assign(out, { address: address.host, port: address.port, family: 'IPv4' });
  return 0;
}

const METHODS = {
  bind(this: TcpHandle, host: string, port: number) {
    return handleOf(this).bind(host, port);
  },
  bind6(this: TcpHandle, host: string, port: number) {
    return handleOf(this).bind(host, port);
  },
  listen(this: TcpHandle, backlog: number) {
    return handleOf(this).listen(backlog);
  },
  connect(this: TcpHandle, request: Request, host: string, port: number) {
    return handleOf(this).connect(request, host, port);
  },
  readStart(this: TcpHandle) {
    return handleOf(this).readStart();
  },
  readStop(this: TcpHandle) {
    return handleOf(this).readStop();
  },
  useUserBuffer(this: TcpHandle, buffer: Buffer) {
    handleOf(this).userBuffer = buffer;
  },
  writeBuffer(this: TcpHandle, request: Request | null, data: Buffer) {
    return handleOf(this).write(request, [data]);
  },
  writev(this: TcpHandle, request: Request | null, chunks: readonly unknown[], areBuffers: boolean) {
    return handleOf(this).write(request, buffersOf(chunks, areBuffers));
  },
  writeUtf8String: writeString('utf8'),
  writeLatin1String: writeString('latin1'),
  writeAsciiString: writeString('latin1'),
  writeUcs2String: writeString('utf16le'),
  shutdown(this: TcpHandle, request: Request) {
    return handleOf(this).shutdown(request);
  },
  reset(this: TcpHandle, closed?: () => void) {
    return handleOf(this).reset(closed);
  },
  close(this: TcpHandle, closed?: () => void) {
    handleOf(this).close(closed);
  },
  getsockname(this: TcpHandle, out: Record<string, unknown>) {
    const { endpoint, address } = handleOf(this);
    return name.call(this, endpoint?.local ?? address, out);
  },
  getpeername(this: TcpHandle, out: Record<string, unknown>) {
    const { endpoint } = handleOf(this);
    return name.call(this, endpoint?.isDead || endpoint?.isOver ? undefined : endpoint?.remote, out);
  },
  setNoDelay: () => 0,
  setKeepAlive: () => 0,
} as const;

/** Reads what libuv would count, and what it would call the socket. */
const COUNTERS = {
  bytesRead(this: TcpHandle) {
    return handleOf(this).bytesRead;
  },
  bytesWritten(this: TcpHandle) {
    return handleOf(this).bytesWritten;
  },
  fd(this: TcpHandle) {
    return handleOf(this).hasSocket ? 1_000 : -1;
  },
} as const;

/** Puts Node's TCP sockets on the simulated network of this process, until the function that is returned is called. */
export function inhabit(process: SimulatedProcess): () => void {
  if (living === undefined) install();
  living = process;
  // A run knows nothing of the one before it, whose questions may never be answered.
  forgetNames();
  return () => {
    living = undefined;
    uninstall();
  };
}

const nativeLookup = dns.lookup;

function install(): void {
  for (const [method, value] of Object.entries(METHODS)) define(method, { value, writable: true });
  for (const [counter, get] of Object.entries(COUNTERS)) define(counter, { get });
  define('onread', { value: undefined, writable: true });
  dns.lookup = lookup as typeof dns.lookup;
}

function define(property: string, descriptor: PropertyDescriptor): void {
  Object.defineProperty(TCP.prototype, property, { ...descriptor, configurable: true });
}

const before = Object.getOwnPropertyDescriptors(TCP.prototype) as Record<string, PropertyDescriptor>;

function uninstall(): void {
  for (const property of [...Object.keys(METHODS), ...Object.keys(COUNTERS), 'onread']) {
    const own = before[property];
    if (own === undefined) Reflect.deleteProperty(TCP.prototype, property);
    else Object.defineProperty(TCP.prototype, property, own);
  }
  dns.lookup = nativeLookup;
}

type Looked = (error: Error | null, address?: unknown, family?: number) => void;

function lookup(host: string, options: { all?: boolean } | Looked, looked?: Looked): void {
  const done = (typeof options === 'function' ? options : looked) as Looked;
  const isAll = typeof options === 'object' && options.all === true;
  const tell = (address: string): void => {
    if (isAll) done(null, [{ address, family: 4 }]);
    else done(null, address, 4);
  };
  if (isIP(host) !== 0) {
    process.nextTick(tell, host);
    return;
  }
  const { time, lookup: ask } = current();
  const found = ask(host);
  // One that is never answered.
  if (found === undefined) return;
  time.after(found.afterUs, () => {
    const { answer } = found;
    if (typeof answer === 'string') tell(answer);
    else done(Object.assign(new Error(`getaddrinfo ${answer.code} ${host}`), { ...answer, syscall: 'getaddrinfo' }));
  });
}
