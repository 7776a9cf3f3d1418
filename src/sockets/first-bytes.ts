/** The first bytes of a connection, gathered while a parser has not seen enough of them. */
import { OptionError } from '../errors.js';

/** A growing copy of bytes: to add a byte costs the same however many there are. */
export class FirstBytes {
  #room = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A view of all bytes so far. It is valid until the next `add()`. */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#room.length) {
      const room = Buffer.allocUnsafe(Math.max(length, 2 * this.#room.length));
      this.#room.copy(room, 0, 0, this.#length);
      this.#room = room;
    }
    chunk.copy(this.#room, this.#length);
    this.#length = length;
  }
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(name: string, value: Uint8Array): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (!(value instanceof Uint8Array)) throw new OptionError(name, value, 'a Buffer or a Uint8Array');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
