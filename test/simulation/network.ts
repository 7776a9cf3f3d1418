/**
 * A network of TCP endpoints, as Linux shows them to a process: bounded buffers on both sides, bytes that arrive in order
 * after a while, FIN after the last byte, RST that drops what was not sent yet. No process, and nothing of Node, is in here.
 */
import type { Random } from '../runtime/random.js';
import type { Time } from './time.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export type Errno =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'EPIPE'
  | 'ETIMEDOUT'
  | 'ENOTCONN'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EACCES'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'EMFILE'
  | 'EINVAL'
  | 'ECANCELED';

/** What the system makes of a peer that never answers. */
const SYN_TIMEOUT_US = 127_000_000;
const RETRANSMIT_TIMEOUT_US = 100_000_000;
const SYN_RETRIES_US = [1_000_000, 3_000_000, 7_000_000, 15_000_000, 31_000_000, 63_000_000];

/** What one connection's way is like. */
export interface Way {
  /** Microseconds that a segment takes, at least and at most. */
  readonly latency: readonly [number, number];
  readonly segmentBytes: number;
  readonly sendBytes: number;
  readonly receiveBytes: number;
}

/** What is between the two endpoints of a connection. */
class Link {
  isCut = false;
  stalledUntil = 0;
  constructor(
    readonly time: Time,
    readonly way: Way,
    readonly random: Random,
  ) {}
}

/** One side of a connection. */
export class Endpoint {
  peer!: Endpoint;
  /** The process has closed it: nobody reads any more. */
  isClosed = false;
  /** Reset, by either side, or timed out. */
  isDead = false;
  isFinQueued = false;
  isFinReceived = false;
  /** Bytes that the process has written, and read, ever. */
  bytesSent = 0;
  bytesReceived = 0;
  /** Called when something may have become possible. */
  wake: () => void = () => {};
  #isFinSent = false;
  #isFinAcknowledged = false;
  #error: Errno | undefined;
  readonly #sending: Buffer[] = [];
  #sendingBytes = 0;
  #flyingBytes = 0;
  readonly #received: Buffer[] = [];
  #receivedBytes = 0;
  #lastArrival = 0;
  #isTimingOut = false;

  constructor(
    readonly local: Address,
    readonly remote: Address,
    readonly link: Link,
  ) {}

  /** Both sides have ended and know it. */
  get isOver(): boolean {
    return this.#isFinAcknowledged && this.isFinReceived;
  }

  get isReadable(): boolean {
    return this.#receivedBytes > 0 || this.isFinReceived || this.isDead;
  }

  get isWritable(): boolean {
    return this.isDead || 3 * this.#free >= this.link.way.sendBytes;
  }

  /** What a poll calls HUP. */
  get isHungUp(): boolean {
    return this.isDead || (this.isFinQueued && this.isFinReceived);
  }

  get unread(): number {
    return this.#receivedBytes;
  }

  get #free(): number {
    return this.link.way.sendBytes - this.#sendingBytes - this.#flyingBytes;
  }

  /** How much of it was taken. */
  send(data: Buffer): number | Errno {
    if (this.#error !== undefined) return this.#takeError();
    if (this.isDead || this.isFinQueued) return 'EPIPE';
    const taken = Math.min(Math.max(0, this.#free), data.length);
    if (taken > 0) {
      this.#sending.push(Buffer.from(data.subarray(0, taken)));
      this.#sendingBytes += taken;
      this.bytesSent += taken;
      this.#pump();
    }
    return taken;
  }

  /** Bytes; null at the end; undefined where it would have to wait. */
  receive(bytesMax: number): Buffer | null | undefined | Errno {
    const first = this.#received[0];
    if (first !== undefined) {
      // As much as fits is taken at once, as a system call does.
      const parts: Buffer[] = [];
      let room = bytesMax;
      while (room > 0 && this.#received[0] !== undefined) {
        const part = this.#received[0];
        if (part.length <= room) this.#received.shift();
        else this.#received[0] = part.subarray(room);
        parts.push(part.subarray(0, room));
        room -= Math.min(room, part.length);
      }
      const data = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      this.#receivedBytes -= data.length;
      this.bytesReceived += data.length;
      // There is room again; whoever sends later looks for itself.
      if (!this.isDead && this.peer.#sendingBytes > 0) this.#arrive((peer) => peer.#pump());
      return data;
    }
    if (this.isFinReceived) return null;
    if (this.#error !== undefined) return this.#takeError();
    return this.isDead ? null : undefined;
  }

  /** FIN after the last byte. */
  shutdown(): Errno | undefined {
    if (this.isDead) return 'ENOTCONN';
    this.isFinQueued = true;
    this.#pump();
    return undefined;
  }

  /** What was written still arrives; but whoever has not read all resets. */
  close(): void {
    if (this.isClosed) return;
    if (this.#receivedBytes > 0) {
      this.reset();
      return;
    }
    this.isClosed = true;
    this.wake = () => {};
    if (!this.isDead) this.shutdown();
  }

  reset(): void {
    if (!this.isDead && !this.isOver) this.#arrive((peer) => peer.#reset());
    this.isClosed = true;
    this.wake = () => {};
    this.#die(undefined);
  }

  /** Nothing arrives any more, in either direction, and nobody is told. */
  cut(): void {
    this.link.isCut = true;
    for (const end of [this, this.peer]) end.#awaitTimeout();
  }

  /** Nothing arrives for a while. */
  stall(microseconds: number): void {
    this.link.stalledUntil = Math.max(this.link.stalledUntil, this.link.time.now + microseconds);
  }

  /** Sends what there is room for on the other side. */
  #pump(): void {
    const { segmentBytes, receiveBytes } = this.link.way;
    if (this.isDead) return;
    for (;;) {
      const window = receiveBytes - this.peer.#receivedBytes - this.#flyingBytes;
      const first = this.#sending[0];
      if (first === undefined || window <= 0) break;
      const size = Math.min(first.length, window, segmentBytes);
      const segment = first.subarray(0, size);
      if (size === first.length) this.#sending.shift();
      else this.#sending[0] = first.subarray(size);
      this.#sendingBytes -= size;
      this.#flyingBytes += size;
      this.#arrive((peer) => {
        this.#flyingBytes -= size;
        peer.#take(segment);
        if (this.isWritable) this.wake();
      });
    }
    if (this.isFinQueued && !this.#isFinSent && this.#sendingBytes === 0) {
      this.#isFinSent = true;
      this.#arrive((peer) => {
        this.#isFinAcknowledged = true;
        peer.#end();
      });
    }
    this.#awaitTimeout();
  }

  #take(segment: Buffer): void {
    if (this.isClosed || this.isDead) {
      // Nobody will read it: whoever has sent it is told so.
      this.#arrive((peer) => peer.#reset());
      this.#die(undefined);
      return;
    }
    this.#received.push(segment);
    this.#receivedBytes += segment.length;
    this.wake();
  }

  #end(): void {
    if (this.isDead) return;
    this.isFinReceived = true;
    this.wake();
  }

  #reset(): void {
    if (this.isDead) return;
    // Whoever was told of the end already is told of a broken pipe.
    this.#die(this.isFinReceived && !this.#isFinSent ? 'EPIPE' : 'ECONNRESET');
  }

  #die(error: Errno | undefined): void {
    this.isDead = true;
    this.#error = error;
    this.#sending.length = 0;
    this.#sendingBytes = 0;
    this.wake();
  }

  #takeError(): Errno {
    const error = this.#error as Errno;
    this.#error = undefined;
    return error;
  }

  /** Has something arrive at the other side, after all that was sent before. */
  #arrive(arrive: (peer: Endpoint) => void): void {
    const { link } = this;
    const { time, way, random } = link;
    const [least, most] = way.latency;
    this.#lastArrival = Math.max(this.#lastArrival, time.now + random.between(least, most), link.stalledUntil);
    time.at(this.#lastArrival, () => {
      if (!link.isCut) arrive(this.peer);
    });
  }

  #awaitTimeout(): void {
    if (!this.link.isCut || this.#isTimingOut || this.isDead) return;
    if (this.#sendingBytes + this.#flyingBytes === 0 && (!this.isFinQueued || this.#isFinAcknowledged)) return;
    this.#isTimingOut = true;
    this.link.time.after(RETRANSMIT_TIMEOUT_US, () => {
      if (!this.isDead) this.#die('ETIMEDOUT');
    });
  }
}

/** Who listens at an address, and the connections that it has yet to accept. */
export class Listener {
  readonly queue: Endpoint[] = [];
  isClosed = false;
  wake: () => void = () => {};
  readonly #network: Network;

  constructor(
    network: Network,
    readonly address: Address,
    readonly backlog: number,
  ) {
    this.#network = network;
  }

  accept(): Endpoint | undefined {
    return this.queue.shift();
  }

  /** Those who were not accepted yet are reset. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.wake = () => {};
    this.#network.unbind(this.address);
    for (const end of this.queue.splice(0)) end.reset();
  }
}

/** A connect under way. */
export class Attempt {
  endpoint: Endpoint | undefined;
  isCancelled = false;

  /** Whoever answers late finds nobody. */
  cancel(): void {
    this.isCancelled = true;
    this.endpoint?.close();
  }
}

const nameOf = ({ host, port }: Address): string => `${host}:${port}`;

const FIRST_FREE_PORT = 32_768;

export class Network {
  /** Hosts that answer nothing. */
  readonly silent = new Set<string>();
  readonly #listeners = new Map<string, Listener>();
  #nextPort = FIRST_FREE_PORT;

  constructor(readonly time: Time) {}

  freePort(): number {
    return this.#nextPort++;
  }

  listen(address: Address, backlog: number): Listener | Errno {
    if (this.#listeners.has(nameOf(address))) return 'EADDRINUSE';
    const listener = new Listener(this, address, backlog);
    this.#listeners.set(nameOf(address), listener);
    return listener;
  }

  /** @internal */
  unbind(address: Address): void {
    this.#listeners.delete(nameOf(address));
  }

  /** Addresses that somebody listens on. */
  get listening(): string[] {
    return [...this.#listeners.keys()];
  }

  /** Dials; `settled` hears how that went, unless it is cancelled. */
  connect(from: Address, to: Address, way: Way, random: Random, settled: (error: Errno | undefined) => void): Attempt {
    const attempt = new Attempt();
    const { time } = this;
    const [least, most] = way.latency;
    const answer = (error: Errno | undefined): void => {
      time.after(random.between(least, most), () => {
        if (!attempt.isCancelled) settled(error);
      });
    };
    const sentAt = time.now;
    let tries = 0;
    const syn = (): void => {
      if (attempt.isCancelled) return;
      const listener = this.#listeners.get(nameOf(to));
      const isLost = this.silent.has(to.host) || (listener !== undefined && listener.queue.length >= listener.backlog);
      if (isLost) {
        const next = SYN_RETRIES_US[tries++];
        if (next === undefined) time.at(sentAt + SYN_TIMEOUT_US, () => answer('ETIMEDOUT'));
        else time.at(sentAt + next, syn);
        return;
      }
      if (listener === undefined) {
        answer('ECONNREFUSED');
        return;
      }
      const link = new Link(time, way, random);
      const here = new Endpoint(from, to, link);
      const there = new Endpoint(to, from, link);
      here.peer = there;
      there.peer = here;
      attempt.endpoint = here;
      answer(undefined);
      time.after(random.between(least, most), () => {
        if (listener.isClosed) {
          there.reset();
          return;
        }
        listener.queue.push(there);
        listener.wake();
      });
    };
    time.after(random.between(least, most), syn);
    return attempt;
  }
}
