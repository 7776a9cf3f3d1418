/**
 * One direction of a relay: what is read from a socket is written to the other, no faster than that takes it. A socket
 * is read in the fastest of three ways that it has:
 *
 * - one that the library dials reads into buffers of ours, by `net.connect({ onread })`;
 * - an accepted one, one with TLS, and one that a hook has made, do the same where this Node can be told to, though it has
 *   no public way: see `onread.ts`;
 * - any other one, such as a stream that is no socket, emits `data`.
 *
 * Emitting `data`, Node allocates 64 KiB for each read and then copies what came to a piece of the right size.
 */
import { Buffer } from 'node:buffer';
import type { OnReadOpts, Socket } from 'node:net';
import { endAgain, isSocket, READER, writesThrough } from '../sockets/socket.js';
import { acquire, discard, release, SHARED } from './buffers.js';
import { canReadInto, readAsBefore, readInto, readIntoShared } from './onread.js';

/** What a record of TLS has room for: RFC 8446, section 5.1. */
const RECORD_BYTES = 16_384;
const NOTHING = Buffer.alloc(0);

type RelayedSocket = Socket & {
  /** The leg that reads from it. */
  [READER]?: Leg | undefined;
};

export class Leg {
  /** Bytes read. */
  bytes = 0;
  /** The leg that writes to the socket that this one reads from: of the other direction, or of the same before a transform. */
  opposite: Leg | undefined = undefined;
  #readsInto: boolean;
  readonly #isDialled: boolean;
  #isTls = false;
  #from: RelayedSocket | undefined = undefined;
  /** Nothing once what is read has nowhere to go any more: it is thrown away. */
  #to: Socket | undefined = undefined;
  /** How much may be read before there is a socket to write it to, and what was. */
  #earlyMax = 0;
  #early: Buffer[] | undefined = undefined;
  /** Listeners of the user's were there when Node emitted it. */
  #isEarlySeen = false;
  /** Is shown what is read early. */
  #peek: ((chunk: Buffer) => void) | undefined = undefined;
  /** What the next read goes into. */
  #next: Buffer = SHARED;
  /** The buffer that is being written out: no socket may read into it. */
  #pinned: Buffer | undefined = undefined;
  #isPaused = false;
  /** Its socket is left: the handle that has left it decides whether it is read. */
  #isLeft = false;
  /** The writes to a stream that is no socket. */
  #writes: Writes | undefined = undefined;

  /** @param readsInto true for a socket that is dialled with {@link onread} */
  constructor(readsInto = false) {
    this.#readsInto = readsInto;
    this.#isDialled = readsInto;
  }

  /** Reads from a socket that was dialled with {@link onread}. */
  dialled(from: RelayedSocket): void {
    from[READER] = this;
  }

  /** Reads up to `bytesMax` before there is a socket to write it to, so that a reset is seen. */
  readAhead(from: Socket, bytesMax: number): void {
    this.#earlyMax = bytesMax;
    this.#attach(from);
    if (this.bytes < bytesMax) this.#resume(from);
  }

  /** Shows what is read before there is a socket to write it to, from the first byte on; reads on up to `bytesMax`. */
  peek(bytesMax: number, seen: (chunk: Buffer) => void): void {
    for (const chunk of this.#early ?? []) seen(chunk);
    this.#peek = seen;
    this.#earlyMax = Math.max(this.#earlyMax, bytesMax);
    if (this.#from !== undefined && this.bytes < this.#earlyMax) this.#resume(this.#from);
  }

  /** Shows nothing more. */
  stopPeek(): void {
    this.#peek = undefined;
  }

  start(from: Socket, to: Socket): void {
    this.#to = to;
    if (!isSocket(to)) this.#writes = new Writes();
    if (this.#from === undefined) this.#attach(from);
    from.on('drain', onDrain);
  }

  #attach(from: RelayedSocket): void {
    this.#from = from;
    this.#isTls = 'encrypted' in from;
    from[READER] = this;
    if (!this.#readsInto) {
      if (from.readableLength > 0) this.#takeUnread(from);
      this.#readsInto = readInto(from, onRead, nextBuffer);
    }
    if (!this.#readsInto) from.on('data', onData);
  }

  /**
   * Takes what was read before, such as by a hook or by a socket that had connected long before: what comes after it can
   * be read into buffers then. Not where other code listens: it would miss the rest.
   */
  #takeUnread(from: Socket): void {
    if (from.readableEncoding !== null || from.listenerCount('data') > 0 || !canReadInto(from)) return;
    const unread = from.read() as Buffer | null;
    if (unread === null) return;
    this.bytes += unread.length;
    this.#early = [unread];
    // Their end may have come with them.
    lastReader = this;
  }

  /** False where it is certain that something else was read since its last byte. Of TLS that says nothing: it reads more than it hands out. */
  get wasReadLast(): boolean {
    return !this.#readsInto || this.#isTls || lastReader === this;
  }

  /**
   * Writes what was read ahead, and begins to read, or reads on. A socket that was told when it was dialled reads by
   * itself once it has connected.
   */
  begin(): void {
    const from = this.#from;
    if (from === undefined || this.#isDialled) return;
    const early = this.#early;
    this.#early = undefined;
    this.#earlyMax = 0;
    const to = this.#to;
    // A listener of the session may have ended it.
    if (to === undefined) return;
    if (early !== undefined) {
      let isTaken = true;
      for (const chunk of early) {
        if (!this.#isEarlySeen) show(from, chunk);
        if (this.#to === undefined) return;
        isTaken = this.#write(to, chunk);
      }
      if (!this.#flows(to, isTaken)) {
        from.pause();
        return;
      }
    }
    this.#resume(from);
  }

  #resume(from: Socket): void {
    // Where nothing is emitted nothing need flow.
    if (this.#readsInto) from.read(0);
    else from.resume();
  }

  /** What is read from now on has nowhere to go: it waits until the socket is resumed, and is then thrown away. */
  stop(): void {
    const from = this.#from;
    this.#to = undefined;
    if (from === undefined || this.#isLeft) return;
    from.pause();
    from.removeListener('data', onData);
  }

  /** As {@link stop}; and nothing is written to the socket that it reads from either. */
  leave(): void {
    const from = this.#from;
    if (from === undefined) return;
    this.#isLeft = true;
    this.#to = undefined;
    this.#early = undefined;
    this.#earlyMax = 0;
    from.removeListener('data', onData);
    from.removeListener('drain', onDrain);
    this.opposite?.stop();
  }

  /** Before there is a socket to write to: the socket reads as any other again, first what was read ahead. */
  giveBack(): void {
    const from = this.#from;
    if (from === undefined) return;
    const early = this.#early;
    this.leave();
    from.pause();
    if (this.#readsInto) readAsBefore(from);
    if (early === undefined || from.destroyed) return;
    endAgain(from);
    from.unshift(Buffer.concat(early));
  }

  /** Nothing has come for long: gives back the buffer that was taken because it looked as if more would come. */
  rest(): void {
    const own = this.#next;
    if (own === SHARED || this.#from === undefined || !readIntoShared(this.#from)) return;
    this.#next = SHARED;
    release(own);
  }

  /** Both sockets are over: gives the buffers back. */
  release(): void {
    if (lastReader === this) lastReader = undefined;
    const own = this.#next;
    if (own !== SHARED) {
      this.#next = SHARED;
      // A socket that lives on may still read into it.
      if (this.#from?.destroyed) release(own);
      else discard(own);
    }
    if (this.#pinned !== undefined) {
      discard(this.#pinned);
      this.#pinned = undefined;
    }
  }

  /** @internal What Node calls with what it has read; false for no more, for now. */
  read(bytes: number, buffer: Buffer): boolean {
    reader = this;
    lastReader = this;
    this.bytes += bytes;
    const from = this.#from;
    // Node emits nothing of such a socket.
    if (from !== undefined && this.#to !== undefined && from.listenerCount('data') > 0) show(from, copy(buffer, bytes));
    // A listener may have ended the session.
    const to = this.#to;
    const isFull = bytes === buffer.length;
    if (buffer === SHARED) {
      if (to === undefined) return this.#earlyMax === 0 || this.#keep(copy(buffer, bytes));
      // It has more to come, most likely at once.
      if (isFull && writesThrough(to)) this.#next = this.#ownBuffer() ?? SHARED;
      return this.#flows(to, this.#write(to, copy(buffer, bytes)));
    }
    // Few bytes are not worth it that a large buffer waits for them to be written out.
    const isCopied = bytes < buffer.length && buffer.length > RECORD_BYTES && bytes < (to?.writableHighWaterMark ?? 0);
    if (to === undefined || this.#pinned !== undefined || isCopied) {
      this.#next = SHARED;
      const chunk = to === undefined ? undefined : copy(buffer, bytes);
      release(buffer);
      return chunk === undefined || this.#flows(to as Socket, this.#write(to as Socket, chunk));
    }
    const isTaken = to.write(bytes === buffer.length ? buffer : buffer.subarray(0, bytes));
    if (to.writableLength > 0) {
      this.#pinned = buffer;
      this.#next = SHARED;
      // A large write is followed by a drain, which says that the buffer is free again. After a small one we have to ask.
      if (isTaken) to.write(NOTHING, (error) => this.#written(buffer, error));
      return this.#flows(to, isTaken);
    }
    if (!isFull) {
      this.#next = SHARED;
      release(buffer);
    }
    return true;
  }

  /** @internal What Node emits with what it has read. */
  data(chunk: Buffer): void {
    this.bytes += chunk.length;
    const to = this.#to;
    const from = this.#from as Socket;
    if (to === undefined) {
      if (from.listenerCount('data') > 1) this.#isEarlySeen = true;
      // Without a maximum it has nowhere to go: another listener may have ended the socket.
      if (this.#earlyMax > 0 && !this.#keep(chunk)) from.pause();
      return;
    }
    if (!this.#flows(to, this.#write(to, chunk))) from.pause();
  }

  /** TLS hands out one record after the other, each by itself. */
  #ownBuffer(): Buffer | undefined {
    return this.#isTls ? Buffer.allocUnsafeSlow(RECORD_BYTES) : acquire();
  }

  #write(to: Socket, chunk: Buffer): boolean {
    return this.#writes === undefined ? to.write(chunk) : this.#writes.write(to, chunk);
  }

  /** Calls back when all that it has written to a stream that is no socket has left that. */
  flush(flushed: () => void): void {
    if (this.#writes === undefined) flushed();
    else this.#writes.flush(flushed);
  }

  /** @internal */
  drained(): void {
    if (this.#pinned !== undefined) {
      release(this.#pinned);
      this.#pinned = undefined;
    }
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#to !== undefined) this.#from?.resume();
  }

  /** A pinned buffer has been written out; or, where that failed, it stays pinned until the end. */
  #written(buffer: Buffer, error: Error | null | undefined): void {
    if (error || this.#pinned !== buffer) return;
    this.#pinned = undefined;
    release(buffer);
  }

  /** @internal */
  get next(): Buffer {
    return this.#next;
  }

  /** Keeps what was read before there is a socket to write it to; false once it is enough. */
  #keep(chunk: Buffer): boolean {
    if (this.#early === undefined) this.#early = [chunk];
    else this.#early.push(chunk);
    this.#peek?.(chunk);
    return this.bytes < this.#earlyMax;
  }

  /** A large write says that it is too much even if all of it was taken at once. */
  #flows(to: Socket, isTaken: boolean): boolean {
    this.#isPaused = !isTaken && to.writableLength > 0;
    return !this.#isPaused;
  }
}

/** Counts the writes that are not complete. An empty write, which tells that of a socket, is a message to some streams. */
class Writes {
  #pending = 0;
  #flushed: (() => void) | undefined = undefined;

  write(to: Socket, chunk: Buffer): boolean {
    this.#pending++;
    return to.write(chunk, this.#done);
  }

  flush(flushed: () => void): void {
    if (this.#pending === 0) flushed();
    else this.#flushed = flushed;
  }

  readonly #done = (): void => {
    if (--this.#pending === 0) this.#flushed?.();
  };
}

/** What a socket must be dialled with to be read by its leg. Node calls both functions on the socket. */
const ONREAD = { buffer: nextBuffer, callback: onRead } as OnReadOpts;

export function onread(): OnReadOpts {
  // After a write that threw, a reader may be left: it is not the reader of this new socket.
  reader = undefined;
  return ONREAD;
}

/** Whose read is being answered: Node asks for the next buffer right after it, but does not say for whom. */
let reader: Leg | undefined;
/** The leg whose bytes were read last. */
let lastReader: Leg | undefined;

function nextBuffer(): Buffer {
  const next = reader?.next ?? SHARED;
  reader = undefined;
  return next;
}

function onRead(this: RelayedSocket, bytes: number, buffer: Buffer): boolean {
  return (this[READER] as Leg).read(bytes, buffer);
}

function onData(this: RelayedSocket, chunk: Buffer): void {
  (this[READER] as Leg).data(chunk);
}

/** Listeners of the user's see what is relayed, and take none of it. */
function show(from: Socket, chunk: Buffer): void {
  for (const listener of from.rawListeners('data')) {
    if (listener === onData) continue;
    try {
      listener.call(from, chunk);
    } catch (error) {
      // It is the process's, as that of any listener; the stream must not get a hole.
      process.nextTick(rethrow, error);
    }
  }
}

function rethrow(error: unknown): void {
  throw error;
}

function onDrain(this: RelayedSocket): void {
  this[READER]?.opposite?.drained();
}

function copy(buffer: Buffer, bytes: number): Buffer {
  const chunk = Buffer.allocUnsafe(bytes);
  buffer.copy(chunk, 0, 0, bytes);
  return chunk;
}
