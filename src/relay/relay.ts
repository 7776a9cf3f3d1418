/**
 * Joins two sockets: the bytes of one session, both ways.
 *
 * A FIN is not passed on here: the session decides what an end, a loss or a cut means for the other leg.
 */
import type { OnReadOpts, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { endStream, isSocket, isTlsOfReset } from '../sockets/socket.js';
import { Leg, onread } from './leg.js';

const NOTHING = Buffer.alloc(0);

/** What changes the bytes on their way, for each direction that is to be changed. */
export interface Transforms {
  readonly fromClient?: Duplex | undefined;
  readonly fromBackend?: Duplex | undefined;
  /** Called when one of them fails, or ends before it was told to. */
  readonly failed: (error: Error) => void;
}

/** The bytes of one session. */
export class Relay {
  readonly #client: Socket;
  #backend: Socket | undefined = undefined;
  #up: Leg | undefined = undefined;
  /** The client goes elsewhere: it is not read here any more. */
  #isGivenBack = false;
  #down: Leg | undefined = undefined;
  #ends = 0;
  #hasClientLeft = false;
  /** For each direction, what changes its bytes; nothing for most sessions. */
  #toBackend: Transforming | undefined = undefined;
  #toClient: Transforming | undefined = undefined;

  constructor(client: Socket) {
    this.#client = client;
  }

  /** Bytes read from the client. */
  get fromClient(): number {
    return this.#up?.bytes ?? 0;
  }

  /** Bytes read from the backend. */
  get fromBackend(): number {
    return this.#down?.bytes ?? 0;
  }

  /** Grows with everything that moves: bytes read, bytes that left our buffers, and ends. */
  get progress(): number {
    const waiting = this.#client.writableLength + (this.#backend?.writableLength ?? 0);
    const changed = (this.#toBackend?.leg.bytes ?? 0) + (this.#toClient?.leg.bytes ?? 0);
    return this.fromClient + this.fromBackend + changed - waiting + this.#ends;
  }

  /** True where it must not begin to. */
  get readsAhead(): boolean {
    return this.#up !== undefined || this.#isGivenBack;
  }

  /** Reads up to `bytesMax` from the client before there is a backend, so that a reset is seen. */
  readAhead(bytesMax: number): void {
    this.#up = new Leg();
    this.#up.readAhead(this.#client, bytesMax);
  }

  /** Shows what is read ahead, from the first byte on; reads on up to `bytesMax`. */
  peek(bytesMax: number, seen: (chunk: Buffer) => void): { stop(): void } {
    if (this.#up === undefined) this.readAhead(bytesMax);
    const up = this.#up as unknown as Leg;
    up.peek(bytesMax, seen);
    return { stop: () => up.stopPeek() };
  }

  /** The client goes elsewhere: what was read ahead goes back, and it is read as if it never had been. */
  giveBack(): void {
    this.#up?.giveBack();
    this.#up = undefined;
    this.#isGivenBack = true;
  }

  /** What the next socket to the backend is dialled with; none for a socket that a hook makes. */
  dialled(byUs: boolean): OnReadOpts | undefined {
    this.#down = new Leg(byUs);
    return byUs ? onread() : undefined;
  }

  /** The socket that was dialled so is there. */
  opened(backend: Socket): void {
    this.#down?.dialled(backend);
  }

  start(backend: Socket, transforms?: Transforms): void {
    const client = this.#client;
    this.#backend = backend;
    const up = this.#up ?? new Leg();
    const down = this.#down ?? new Leg();
    up.opposite = down;
    down.opposite = up;
    this.#up = up;
    this.#down = down;
    if (transforms !== undefined) {
      const { fromClient, fromBackend, failed } = transforms;
      if (fromClient !== undefined) this.#toBackend = new Transforming(fromClient, up, down, backend, failed);
      if (fromBackend !== undefined) this.#toClient = new Transforming(fromBackend, down, up, client, failed);
    }
    up.start(client, this.#toBackend?.stream ?? backend);
    down.start(backend, this.#toClient?.stream ?? client);
    // It was closed before there was a backend: neither is read for the other.
    if (this.#hasClientLeft) this.detach(client);
  }

  /** Begins to relay: until then a listener may write to either side, and its bytes come first. */
  begin(): void {
    this.#up?.begin();
    this.#down?.begin();
    this.#toBackend?.leg.begin();
    this.#toClient?.leg.begin();
  }

  /** False where it is certain that something else was read since this socket's last byte. */
  wasReadLast(socket: Socket): boolean {
    return (socket === this.#client ? this.#up : this.#down)?.wasReadLast ?? true;
  }

  /** Passes a FIN on. */
  end(to: Socket): void {
    this.#ends++;
    const transforming = this.#transforming(to);
    if (transforming === undefined) endStream(to);
    else transforming.end(() => endStream(to));
  }

  /** What changes the bytes that go to this socket. */
  #transforming(to: Socket): Transforming | undefined {
    return to === this.#client ? this.#toClient : this.#toBackend;
  }

  /** Stops relaying from and to this socket: what the other sends has nowhere to go, and waits. */
  detach(socket: Socket): void {
    if (socket === this.#client) {
      this.#hasClientLeft = true;
      this.#up?.leave();
    } else if (socket === this.#backend) {
      this.#down?.leave();
    }
  }

  /**
   * Calls back when what was read for this socket has been written out, unless it closes before; reads no more from
   * it. Written out is not arrived: a reset discards what the system has not had acknowledged.
   */
  flush(socket: Socket, flushed: () => void): void {
    const transforming = this.#transforming(socket);
    if (transforming === undefined || transforming.stream.destroyed || socket.destroyed) this.#flush(socket, flushed);
    else transforming.end(() => this.#flush(socket, flushed));
  }

  #flush(socket: Socket, flushed: () => void): void {
    this.detach(socket);
    socket.pause();
    if (socket.writableLength === 0 || socket.destroyed || isTlsOfReset(socket)) flushed();
    else if (socket.writableEnded) socket.once('finish', flushed);
    else if (isSocket(socket)) socket.write(NOTHING, flushed);
    else this.#writesTo(socket).flush(flushed);
  }

  #writesTo(socket: Socket): Leg {
    const transforming = this.#transforming(socket);
    if (transforming !== undefined) return transforming.leg;
    return (socket === this.#client ? this.#down : this.#up) ?? new Leg();
  }

  /** Nothing has moved for long. */
  rest(): void {
    this.#up?.rest();
    this.#down?.rest();
  }

  /** The session is over. */
  release(): void {
    this.#up?.release();
    this.#down?.release();
    this.#toBackend?.release();
    this.#toClient?.release();
  }
}

/** A stream that changes the bytes of one direction, and the leg that reads what comes of it. */
class Transforming {
  readonly stream: Socket;
  readonly leg = new Leg();
  readonly #failed: (error: Error) => void;
  #isReleased = false;
  #isEnded = false;
  #ended: (() => void) | undefined = undefined;

  /** @param before the leg that writes to the stream @param back the leg that reads from `to` */
  constructor(stream: Duplex, before: Leg, back: Leg, to: Socket, failed: (error: Error) => void) {
    this.stream = stream as Socket;
    this.#failed = failed;
    this.leg.opposite = before;
    back.opposite = this.leg;
    stream.pause();
    stream.on('error', (error) => this.#fail(error));
    stream.on('end', () => {
      this.#isEnded = true;
      if (this.#ended === undefined) this.#fail(endedEarly());
      else this.#ended();
    });
    stream.on('close', () => {
      if (!this.#isEnded) this.#fail(endedEarly());
    });
    this.leg.start(this.stream, to);
  }

  /** The last byte was written to it. @param ended is called when it has given its own last byte */
  end(ended: () => void): void {
    if (this.#isEnded) {
      ended();
      return;
    }
    // An end that is owed is passed on also where the other side is lost after it.
    const owed = this.#ended;
    this.#ended =
      owed === undefined
        ? ended
        : () => {
            owed();
            ended();
          };
    if (!this.stream.writableEnded) this.stream.end();
  }

  release(): void {
    this.#isReleased = true;
    this.leg.release();
    this.stream.destroy();
  }

  #fail(error: Error): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#failed(error);
  }
}

const endedEarly = (): Error =>
  Object.assign(new Error('The transform has ended before the stream that it changes.'), {
    code: 'ERR_TRANSFORM_ENDED',
  });
