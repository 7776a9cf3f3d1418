/** Reads the PROXY header of a socket, and nothing after it. */
import type { Socket } from 'node:net';
import type { Report } from '../machines/vocabulary.js';
import type { ProxyHeader } from './proxy-header.js';
import { ProxyHeaderParser } from './proxy-parser.js';

/** Is given the header, or the cause why there is none: once, unless the socket ends or is unlinked before. */
export interface HeaderOwner {
  headerDone(header: ProxyHeader): void;
  headerFailed(cause: Report): void;
}

/** One reader reads one header. The bytes after it stay in the socket, which is paused then. */
export class HeaderReader {
  readonly #parser = new ProxyHeaderParser();
  readonly #socket: Socket;
  readonly #owner: HeaderOwner;

  constructor(socket: Socket, owner: HeaderOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.on('data', this.#read);
    socket.resume();
  }

  stop(): void {
    this.#socket.off('data', this.#read);
    this.#socket.pause();
  }

  readonly #read = (chunk: Buffer): void => {
    const found = this.#parse(chunk);
    if (found === 'incomplete') return;
    this.stop();
    if ('initiator' in found) {
      this.#owner.headerFailed(found);
      return;
    }
    if (found.rest.length > 0) this.#socket.unshift(found.rest);
    this.#owner.headerDone(found.header);
  };

  #parse(chunk: Buffer): ReturnType<ProxyHeaderParser['push']> | Report {
    try {
      return this.#parser.push(chunk);
    } catch (error) {
      return { initiator: 'peer', manner: 'error', code: (error as { code: string }).code, error };
    }
  }
}
