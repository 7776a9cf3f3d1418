/**
 * Has an accepted socket, or one with TLS, read into buffers of ours. Node offers that for sockets that connect (`onread`),
 * not for those that a server accepts, though all are the same inside. So this sets what the constructor of `net.Socket` would: three
 * properties, whose keys are looked up by name, and the handle's buffer. Where anything looks different from what is
 * known of Node 20 to 26 the socket is left alone, and emits `data` as ever.
 */
import { Socket } from 'node:net';
import { SHARED } from './buffers.js';

type OnRead = (this: Socket, bytes: number, buffer: Buffer) => boolean;

interface Keys {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

interface Inside {
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => unknown } | null;
  [key: symbol]: unknown;
}

/** Looked up when the first connection asks: the first socket of a process takes a millisecond of its start. */
let keys: Keys | undefined;
let areKeysLookedUp = false;

function findKeys(socket: Socket): Keys | undefined {
  const symbols = Object.getOwnPropertySymbols(socket);
  const find = (name: string): symbol | undefined => {
    const found = symbols.filter(({ description }) => description === name);
    // As the constructor leaves it without `onread`.
    return found.length === 1 && Reflect.get(socket, found[0] as symbol) === null ? found[0] : undefined;
  };
  const buffer = find('kBuffer');
  const callback = find('kBufferCb');
  const generator = find('kBufferGen');
  return buffer === undefined || callback === undefined || generator === undefined
    ? undefined
    : { buffer, callback, generator };
}

/** True for a socket that {@link readInto} can change, once nothing that it has read waits any more. */
export function canReadInto(socket: Socket): boolean {
  if (!areKeysLookedUp) {
    areKeysLookedUp = true;
    keys = findKeys(new Socket());
  }
  if (keys === undefined) return false;
  const inside = socket as unknown as Inside;
  // A socket that has such a callback already is used by other code.
  return typeof inside._handle?.useUserBuffer === 'function' && inside[keys.buffer] === null;
}

/**
 * Has the socket call `onRead` instead of emitting `data`, and ask for the next buffer after each read. It starts with
 * the shared one. Returns false, and changes nothing, where that is not possible.
 */
export function readInto(socket: Socket, onRead: OnRead, next: () => Buffer): boolean {
  // What was read already can only come as `data`.
  if (socket.readableLength > 0 || !canReadInto(socket) || keys === undefined) return false;
  const inside = socket as unknown as Inside;
  inside[keys.buffer] = SHARED;
  inside[keys.callback] = onRead;
  inside[keys.generator] = next;
  inside._handle?.useUserBuffer?.(SHARED);
  return true;
}

/** Has a socket that reads into a buffer of ours, and waits, wait with the shared one. False where that is not possible. */
export function readIntoShared(socket: Socket): boolean {
  const inside = socket as unknown as Inside;
  const handle = inside._handle;
  if (keys === undefined || typeof handle?.useUserBuffer !== 'function') return false;
  inside[keys.buffer] = SHARED;
  handle.useUserBuffer(SHARED);
  return true;
}

/** Undoes {@link readInto}: the handle keeps the shared buffer, and what comes is copied from it and read as ever. */
export function readAsBefore(socket: Socket): void {
  if (keys === undefined) return;
  const inside = socket as unknown as Inside;
  inside[keys.callback] = push;
  inside[keys.generator] = null;
}

function push(this: Socket, bytes: number, buffer: Buffer): boolean {
  return this.push(Buffer.from(buffer.subarray(0, bytes)));
}
