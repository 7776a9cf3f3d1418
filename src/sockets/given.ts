/**
 * Streams that hooks give. The library calls each of them a `Socket`, though it may be another `Duplex`: the code that
 * reads anything that a `Duplex` lacks is in this folder, and in the relay.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { OptionError } from '../errors.js';
import { cut, isOwned, isSocket, refuse } from './socket.js';

const METHODS = ['on', 'off', 'emit', 'pipe', 'read', 'pause', 'resume', 'write', 'end', 'destroy'] as const;

/** True for an object that can be read, written and destroyed as a `stream.Duplex`, of whatever library. */
export function isStream(value: unknown): value is Socket {
  if (value === null || typeof value !== 'object') return false;
  return METHODS.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
}

export const inObjectMode = (stream: Socket): boolean => stream.readableObjectMode || stream.writableObjectMode;

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as PromiseLike<unknown>).then === 'function';
}

/**
 * Checks what a hook gave for the stream to go on with.
 *
 * @param name of the hook, for the error
 * @throws OptionError for what is no stream of bytes, or is in use
 * @throws an error with a code for a stream that is over
 */
export function checkedStream(name: string, stream: unknown): Socket {
  if (!isStream(stream)) {
    throw new OptionError(name, stream, 'a function that returns, or promises, a net.Socket or another Duplex');
  }
  if (isOwned(stream)) throw new OptionError(name, stream, 'a function that returns a socket that is not in use');
  const wrong = whyNot(stream);
  if (wrong === undefined) return stream;
  // Node reports in a later tick why it was destroyed; nothing else listens for that.
  refuse(stream);
  if (!stream.destroyed) cut(stream);
  throw wrong;
}

function whyNot(stream: Socket): Error | undefined {
  const { destroyed, errored, writableEnded, readableEncoding } = stream;
  if (destroyed || errored) return failure('ERR_SOCKET_CLOSED', 'The socket is destroyed already.', errored);
  // A socket that was ended while it connects is another matter: the server may still answer.
  if (writableEnded && !isSocket(stream)) return failure('ERR_STREAM_WRITE_AFTER_END', 'The stream is ended already.');
  if (inObjectMode(stream)) {
    return failure('ERR_INVALID_ARG_VALUE', 'The stream is in object mode: a stream of bytes is needed.');
  }
  if (readableEncoding) {
    return failure('ERR_INVALID_ARG_VALUE', 'The stream has an encoding (setEncoding): a stream of bytes is needed.');
  }
  return undefined;
}

function failure(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause ? { cause } : undefined), { code });
}

/** Destroys what a hook gave too late. */
export function discard(late: unknown): void {
  if (!isStream(late) || isOwned(late)) return;
  refuse(late);
  cut(late);
}

/**
 * A socket that had connected before it was returned reports nothing any more. A TLS socket connects by its handshake; a
 * stream that is no socket has connected unless it says otherwise.
 */
export function isConnected(socket: Socket): boolean {
  if (socket.connecting || socket.pending || socket.readyState === 'closed') return false;
  if (!('encrypted' in socket)) return true;
  const { secureConnecting, getPeerFinished } = socket as Partial<TLSSocket> & { secureConnecting?: unknown };
  // At a server Node leaves it true.
  return secureConnecting === false || getPeerFinished?.call(socket as TLSSocket) !== undefined;
}

/** Waits until a stream that a hook has put over a socket can be used; not longer than the signal. */
export function connected(stream: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (isConnected(stream) || signal.aborted) {
      resolve();
      return;
    }
    // Also TLS of a server, which has no `secureConnect`. A client has verified the certificate by then.
    stream.once('encrypted' in stream ? 'secure' : 'connect', () => resolve());
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
