/**
 * A stream that a hook has put over a socket: TLS, a WebSocket, or anything else that speaks a protocol of its own there.
 * The owner goes on with the upper one, and the lower one stays known:
 *
 * - a reset is one of the lower one, and the upper one is destroyed once that has closed;
 * - when either is lost the other one is closed, and the owner learns of the close once both have closed;
 * - the owner learns that all was sent once nothing waits in the lower one either.
 *
 * TLS of Node's own over a socket does all of that by itself.
 */
import type { Socket } from 'node:net';
import type { Report } from '../machines/vocabulary.js';
import {
  forget,
  handTo,
  isBelowTls,
  isOwned,
  isSocket,
  layOver,
  link,
  ownerOf,
  rawOf,
  refuse,
  reset,
  type SocketOwner,
} from './socket.js';

/** From now on the owner goes on with the stream that a hook has put over its socket. */
export function linkOver(upper: Socket, lower: Socket, owner: SocketOwner): void {
  // A FIN is answered by the owner of the stream, not by the stream.
  upper.allowHalfOpen = true;
  if (rawOf(upper) === lower) {
    forget(lower);
    link(upper, owner);
    return;
  }
  const below = new Lower(upper, lower, owner);
  const before = ownerOf(lower);
  // One that lies over a third one goes on to look after that.
  if (before instanceof Upper) before.owner = below;
  else handTo(lower, below);
  layOver(upper, lower);
  link(upper, new Upper(upper, lower, owner));
}

/** Gets the reports of the upper one. */
class Upper implements SocketOwner {
  owner: SocketOwner;
  readonly #upper: Socket;
  readonly #lower: Socket;

  constructor(upper: Socket, lower: Socket, owner: SocketOwner) {
    this.#upper = upper;
    this.#lower = lower;
    this.owner = owner;
  }

  socketConnected(): void {}

  socketEnded(): void {
    this.owner.socketEnded();
  }

  wasReadLast(): boolean {
    return this.owner.wasReadLast();
  }

  socketFinished(): void {
    const lower = this.#lower;
    const written = (): void => this.owner.socketFinished();
    if (lower.writableLength === 0 || !isSocket(lower)) written();
    else if (lower.writableEnded) lower.once('finish', written);
    else lower.write(NOTHING, (error) => error || written());
  }

  socketFailed(cause: Report): void {
    this.owner.socketFailed(cause);
  }

  socketClosed(): void {
    const lower = this.#lower;
    if (!isOwned(lower)) {
      this.owner.socketClosed();
      return;
    }
    lower.once('close', () => this.owner.socketClosed());
    if (!this.#upper.writableFinished) reset(lower);
    else if (lower.writableFinished) lower.destroy();
    else lower.end(() => lower.destroy());
  }
}

/** Gets the reports of the lower one. */
class Lower implements SocketOwner {
  readonly #upper: Socket;
  readonly #lower: Socket;
  readonly #owner: SocketOwner;
  /** There is TLS between the two, which does not let this one see an end. */
  readonly #isBlind: boolean;

  constructor(upper: Socket, lower: Socket, owner: SocketOwner) {
    this.#upper = upper;
    this.#lower = lower;
    this.#owner = owner;
    this.#isBlind = isBelowTls(lower);
  }

  socketConnected(): void {}
  socketEnded(): void {}
  socketFinished(): void {}

  wasReadLast(): boolean {
    return true;
  }

  socketFailed(cause: Report): void {
    if (!this.#upper.destroyed) this.#owner.socketFailed(cause);
  }

  /** After an end the upper one may have more to hand out, and ends by itself. */
  socketClosed(): void {
    const { readableEnded, errored } = this.#lower;
    if (errored || !(readableEnded || this.#isBlind)) this.#upper.destroy();
  }
}

const NOTHING = Buffer.alloc(0);

/** A stream that a hook has put over a socket too late is closed together with that. */
export function closeWith(late: Socket, lower: Socket): void {
  refuse(late);
  if (!isOwned(lower)) late.destroy();
  else lower.once('close', () => late.destroy());
}
