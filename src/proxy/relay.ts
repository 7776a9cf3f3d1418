/**
 * Joins two sockets: what is read from one is written to the other, no faster than it takes it. The listeners are the
 * same functions for every socket and find their leg in a property, so that a relay costs two small objects.
 *
 * A FIN is not passed on here: the session decides what an end, a loss or a cut means for the other leg.
 */
import type { Socket } from 'node:net';

const LEG = Symbol('sockchart.leg');

/** One direction: from a socket to the other. */
class Leg {
  bytes = 0;
  constructor(
    readonly from: RelayedSocket,
    readonly to: RelayedSocket,
  ) {}
}

type RelayedSocket = Socket & { [LEG]?: Leg | undefined };

function onData(this: RelayedSocket, chunk: Buffer): void {
  const leg = this[LEG] as Leg;
  leg.bytes += chunk.length;
  if (!leg.to.write(chunk)) this.pause();
}

function onDrain(this: RelayedSocket): void {
  (this[LEG] as Leg).to.resume();
}

function attach(leg: Leg): void {
  leg.from[LEG] = leg;
  leg.from.on('data', onData);
  leg.from.on('drain', onDrain);
}

function detach(socket: RelayedSocket): void {
  if (socket[LEG] === undefined) return;
  socket[LEG] = undefined;
  socket.removeListener('data', onData);
  socket.removeListener('drain', onDrain);
}

const NOTHING = Buffer.alloc(0);

/** The bytes of one session. */
export class Relay {
  readonly #client: Socket;
  #backend: Socket | undefined;
  #up: Leg | undefined;
  #down: Leg | undefined;
  #early: Buffer[] | undefined;
  #earlyBytes = 0;
  #onEarly: ((chunk: Buffer) => void) | undefined;
  #ends = 0;

  constructor(client: Socket) {
    this.#client = client;
  }

  /** Bytes read from the client. */
  get fromClient(): number {
    return this.#up === undefined ? this.#earlyBytes : this.#up.bytes;
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
    this.#early = [];
    const client = this.#client;
    const onEarly = (chunk: Buffer): void => {
      this.#early?.push(chunk);
      this.#earlyBytes += chunk.length;
      if (this.#earlyBytes >= bytesMax) client.pause();
    };
    this.#onEarly = onEarly;
    client.on('data', onEarly);
    client.resume();
  }

  #stopReadingAhead(): void {
    if (this.#onEarly === undefined) return;
    this.#client.removeListener('data', this.#onEarly);
    this.#onEarly = undefined;
  }

  start(backend: Socket): void {
    const client = this.#client;
    this.#backend = backend;
    this.#stopReadingAhead();
    const up = new Leg(client, backend);
    const down = new Leg(backend, client);
    this.#up = up;
    this.#down = down;
    attach(up);
    attach(down);
    let flows = true;
    if (this.#early !== undefined) {
      up.bytes = this.#earlyBytes;
      for (const chunk of this.#early) flows = backend.write(chunk);
      this.#early = undefined;
    }
    if (flows) client.resume();
    backend.resume();
  }

  /** Passes a FIN on. */
  end(to: Socket): void {
    this.#ends++;
    to.end();
  }

  /** Stops relaying from and to this socket: what the other sends has nowhere to go, and waits. */
  detach(socket: Socket): void {
    if (socket === this.#client) this.#stopReadingAhead();
    const other = (socket as RelayedSocket)[LEG]?.to;
    if (other !== undefined) {
      other.pause();
      other.removeListener('data', onData);
    }
    detach(socket);
  }

  /**
   * Calls back when what was read for this socket has been written out, unless it closes before; reads no more from
   * it. Written out is not arrived: a reset discards what the system has not had acknowledged.
   */
  flush(socket: Socket, flushed: () => void): void {
    this.detach(socket);
    socket.pause();
    if (socket.writableLength === 0 || socket.destroyed) flushed();
    else if (socket.writableEnded) socket.once('finish', flushed);
    else socket.write(NOTHING, flushed);
  }
}
