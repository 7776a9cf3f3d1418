/** Where clients come from. */
import type { Socket } from 'node:net';
import { hostAndPort } from '../text.js';

/**
 * Where a client comes from. As text it is `127.0.0.1:50123` or `[::1]:50123`.
 *
 * @example
 * ```ts
 * proxy.on('sessionClosed', ({ session, outcome }) => console.log(`${session.peer} ${outcome.ending}`));
 * ```
 */
export interface Peer {
  /** The IP address. */
  readonly address: string;
  /** The TCP port. */
  readonly port: number;
  /** `IPv4` or `IPv6`. */
  readonly family: string;
  /** Address and port as text. */
  toString(): string;
}

/** An address that a socket has, or that a PROXY header tells. */
export class SocketPeer implements Peer {
  readonly address: string;
  readonly port: number;
  readonly family: string;
  #text: string | undefined = undefined;

  constructor(address: string, port: number, family: string) {
    this.address = address;
    this.port = port;
    this.family = family;
  }

  toString(): string {
    this.#text ??= hostAndPort(this.address, this.port);
    return this.#text;
  }
}

/** What Node's handle of a socket writes its address to. */
interface Told {
  address: string | undefined;
  port: number;
  family: string;
}

type Asked = { readonly _handle?: { getpeername?: (told: Told) => number } | null };

/** One for all: to write to a new object costs more than to ask the system. */
const told: Told = { address: undefined, port: 0, family: '' };

/**
 * Where this socket comes from. Nothing for a Unix socket, which has no address, and for one that was reset before: the
 * system forgets the address with the connection, and Node with the socket. So it is read when a client is adopted.
 *
 * It asks Node's handle, because `remoteAddress` makes an object for each socket. It reads `remoteAddress` where there is no
 * such handle, or where the handle has forgotten and Node has an earlier answer.
 */
export function peerOf(socket: Socket): Peer | undefined {
  const { _handle: handle } = socket as Asked;
  if (typeof handle?.getpeername === 'function') {
    told.address = undefined;
    if (handle.getpeername(told) === 0 && told.address !== undefined) {
      return new SocketPeer(told.address, told.port, told.family);
    }
  }
  const { remoteAddress } = socket;
  if (remoteAddress === undefined) return undefined;
  return new SocketPeer(remoteAddress, socket.remotePort as number, socket.remoteFamily as string);
}
