/**
 * Joins two sockets: the bytes of one session, both ways.
 *
 * A FIN is not passed on here: the session decides what an end, a loss or a cut means for the other leg.
 */
import type { OnReadOpts, Socket } from 'node:net';
import { endStream, isSocket, isTlsOfReset } from '../sockets/socket.js';
import { Leg } from './leg.js';

const NOTHING = Buffer.alloc(0);

/** The bytes of one session. */
export class Relay {
  readonly #client: Socket;
  #backend: Socket | undefined = undefined;
  #up: Leg | undefined = undefined;
  #down: Leg | undefined = undefined;
  #ends = 0;
  #hasClientLeft = false;

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
    return this.fromClient + this.fromBackend - waiting + this.#ends;
  }

  /** Reads up to `bytesMax` from the client before there is a backend, so that a reset is seen. */
  readAhead(bytesMax: number): void {
    if (this.#up !== undefined) return;
    this.#up = new Leg();
    this.#up.readAhead(this.#client, bytesMax);
  }

  /** What the next socket to the backend is dialled with; none for a socket that a hook makes. */
  dialled(byUs: boolean): OnReadOpts | undefined {
    this.#down = new Leg(byUs);
    return byUs ? this.#down.onread() : undefined;
  }

  start(backend: Socket): void {
    const client = this.#client;
    this.#backend = backend;
    const up = this.#up ?? new Leg();
    const down = this.#down ?? new Leg();
    up.opposite = down;
    down.opposite = up;
    this.#up = up;
    this.#down = down;
    up.start(client, backend);
    down.start(backend, client);
    // It was closed before there was a backend: neither is read for the other.
    if (this.#hasClientLeft) this.detach(client);
  }

  /** Begins to relay: until then a listener may write to either side, and its bytes come first. */
  begin(): void {
    this.#up?.begin();
    this.#down?.begin();
  }

  /** False where it is certain that something else was read since this socket's last byte. */
  wasReadLast(socket: Socket): boolean {
    return (socket === this.#client ? this.#up : this.#down)?.wasReadLast ?? true;
  }

  /** Passes a FIN on. */
  end(to: Socket): void {
    this.#ends++;
    endStream(to);
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
    this.detach(socket);
    socket.pause();
    if (socket.writableLength === 0 || socket.destroyed || isTlsOfReset(socket)) flushed();
    else if (socket.writableEnded) socket.once('finish', flushed);
    else if (isSocket(socket)) socket.write(NOTHING, flushed);
    else this.#writesTo(socket).flush(flushed);
  }

  #writesTo(socket: Socket): Leg {
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
  }
}
