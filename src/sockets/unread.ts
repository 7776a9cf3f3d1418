/** Reads a paused socket, and puts all of it back. */
import type { Socket } from 'node:net';
import { FirstBytes } from './first-bytes.js';
import { knowsEnd } from './socket.js';

/**
 * Shows what comes, and keeps it: what came first is read first again once the reader has stopped. It consumes the bytes
 * meanwhile, for Node says of an end only that there is nothing to read; the end itself waits behind the bytes.
 */
export class UnreadReader {
  readonly #socket: Socket;
  readonly #seen: (chunk: Buffer) => void;
  readonly #ended: () => void;
  readonly #bytes = new FirstBytes();

  constructor(socket: Socket, seen: (chunk: Buffer) => void, ended: () => void) {
    this.#socket = socket;
    this.#seen = seen;
    this.#ended = ended;
    socket.on('readable', this.#read);
  }

  /** Node sees only a tick later that its listener is gone: the socket has to be paused again then. */
  stop(): void {
    const socket = this.#socket;
    socket.off('readable', this.#read);
    if (this.#bytes.length > 0 && !socket.destroyed) socket.unshift(this.#bytes.bytes);
  }

  readonly #read = (): void => {
    const chunk: Buffer | null = this.#socket.read();
    if (chunk === null) {
      this.#ended();
      return;
    }
    this.#bytes.add(chunk);
    this.#seen(chunk);
    // Where all is read Node emits the end a tick later: until then the bytes have to be back.
    if (knowsEnd(this.#socket)) this.#ended();
  };
}
