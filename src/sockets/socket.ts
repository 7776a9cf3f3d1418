/**
 * What the adapters of both socket kinds share: listeners that are the same functions for every socket, and the few
 * calls that end one.
 */
import { Socket } from 'node:net';
import { NotSupportedError } from '../errors.js';
import type { Cause, Initiator, Manner, Report } from '../machines/vocabulary.js';

/** Gets the reports of a socket. */
export interface SocketOwner {
  socketConnected(): void;
  socketEnded(): void;
  socketFinished(): void;
  socketFailed(cause: Report): void;
  socketClosed(): void;
  /** False where it is certain that something else was read since the socket's last byte. */
  wasReadLast(): boolean;
}

const OWNER = Symbol('sockchart.owner');

/** What reads from the socket in place of its listeners: a leg of a relay. */
export const READER = Symbol('sockchart.reader');

/** The socket that a hook has put this stream over: see `over.ts`. */
const LOWER = Symbol('sockchart.lower');

/** TLS over a stream that is no socket. */
const OVER_STREAM = Symbol('sockchart.overStream');

/** A socket that may have an owner. The owner is a property, so that the listeners need no closure. */
type OwnedSocket = Socket & {
  [OWNER]?: SocketOwner | undefined;
  [READER]?: unknown;
  readonly [LOWER]?: Socket;
  [OVER_STREAM]?: true;
};

export const ownerOf = (socket: OwnedSocket): SocketOwner | undefined => socket[OWNER];

/** From now on the socket reports to another owner. */
export function handTo(socket: OwnedSocket, owner: SocketOwner): void {
  socket[OWNER] = owner;
}

/** From now on a reset of the upper one is one of the lower one, and so are its counters. */
export function layOver(upper: Socket, lower: Socket): void {
  Object.defineProperty(upper, LOWER, { value: lower });
}

/** Puts the library's listeners on a socket. */
export function link(socket: Socket, owner: SocketOwner): void {
  if (OWNER in socket) relink(socket);
  // One order of properties for all sockets: with more kinds of them, Node's own code looks up each property anew.
  else (socket as OwnedSocket)[READER] ??= undefined;
  (socket as OwnedSocket)[OWNER] = owner;
  socket.on('error', onError);
  socket.on('close', onClose);
  if (isSocket(socket)) {
    socket.on('end', onEnd);
    socket.on('finish', onFinish);
    if ('encrypted' in socket && isOverStream(socket)) (socket as OwnedSocket)[OVER_STREAM] = true;
  } else {
    adaptStream(socket);
  }
}

/** False for another stream, which is called a `Socket` only in the types: see `given.ts`. */
export function isSocket(stream: Socket): boolean {
  return stream instanceof Socket;
}

/** A stream that is no socket may lack counters, and may stay open when both of its sides have ended. */
function adaptStream(stream: OwnedSocket): void {
  stream.on('end', onStreamEnd);
  stream.on('finish', onStreamFinish);
  if (typeof stream.bytesRead !== 'number' && !(LOWER in stream || MOVES in stream)) countMoves(stream);
}

/** A socket that connects again still has its listeners: with others beside them, everything would be heard twice. */
function relink(socket: Socket): void {
  socket.off('error', onError);
  socket.off('close', onClose);
  socket.off('end', onEnd).off('end', onStreamEnd);
  socket.off('finish', onFinish).off('finish', onStreamFinish);
  socket.off('connect', onConnect);
  socket.off('secureConnect', onConnect);
  socket.off('connect', onLateConnect);
}

/** As {@link link}, for a socket that is still connecting. */
export function linkConnecting(socket: Socket, owner: SocketOwner): void {
  link(socket, owner);
  socket.on('encrypted' in socket ? 'secureConnect' : 'connect', onConnect);
}

/** True while a handle of this library owns the socket. */
export function isOwned(socket: Socket): boolean {
  return (socket as OwnedSocket)[OWNER] !== undefined;
}

/** From now on the socket reports to no owner; its errors are swallowed until it has closed. */
export function forget(socket: Socket): void {
  (socket as OwnedSocket)[OWNER] = undefined;
}

/**
 * The library's attempt ended before this socket of a `connect` hook had connected. Node connects a destroyed socket
 * again if the hook calls its `connect()` late: so it is reset as soon as it connects, unless a hook returns it again.
 */
export function refuse(socket: Socket): void {
  if (typeof socket.off !== 'function' || typeof socket.on !== 'function') return;
  socket.off('connect', onLateConnect).on('connect', onLateConnect);
  // What it fails with late has no owner to report it to.
  socket.off('error', ignore).on('error', ignore);
}

function onLateConnect(this: OwnedSocket): void {
  if (this[OWNER] === undefined) reset(this);
}

function onConnect(this: OwnedSocket): void {
  this[OWNER]?.socketConnected();
}

function onEnd(this: OwnedSocket): void {
  const owner = this[OWNER];
  if (owner === undefined) return;
  if ((hidesReset || 'encrypted' in this) && owner.wasReadLast() && wasReset(this)) {
    this.destroy();
    owner.socketFailed(RESET);
  } else {
    owner.socketEnded();
  }
}

function onFinish(this: OwnedSocket): void {
  this[OWNER]?.socketFinished();
}

function onStreamEnd(this: OwnedSocket): void {
  onEnd.call(this);
  closeIfOver(this);
}

function onStreamFinish(this: OwnedSocket): void {
  onFinish.call(this);
  closeIfOver(this);
}

function closeIfOver(stream: OwnedSocket): void {
  if (!stream.readableEnded || !stream.writableFinished) return;
  stream.destroy();
  // Some are made with `emitClose: false`.
  setImmediate(reportClosed, stream);
}

function reportClosed(stream: OwnedSocket): void {
  if (stream.closed) onClose.call(stream);
}

function onError(this: OwnedSocket, error: Error): void {
  this[OWNER]?.socketFailed(isSocket(this) ? socketReportOf(error) : reportOf(error));
  // A TLS socket with a bad record, or one that was used wrongly, may report an error and live on. Only now, for where
  // the socket below it is gone its close comes at once.
  if (!this.destroyed) this.destroy();
}

function onClose(this: OwnedSocket): void {
  const owner = this[OWNER];
  this[OWNER] = undefined;
  owner?.socketClosed();
}

/**
 * A hook is given the socket. Node has TLS that is put over a socket answer an end as that socket does: where it stayed
 * half open, nothing would close it, and the library is not told of its end.
 */
export function lend(socket: Socket): void {
  socket.allowHalfOpen = false;
  // Before Node's own listener: the socket itself stays half open.
  socket.prependListener('end', keepHalfOpen);
}

/** The hook is done with the socket. Returns true where TLS was put over it: then all that comes is read by that. */
export function takeBack(socket: Socket): boolean {
  socket.off('end', keepHalfOpen);
  const isTaken = isBelowTls(socket);
  if (!isTaken) socket.allowHalfOpen = true;
  return isTaken;
}

/** True for a socket that TLS was put over. */
export function isBelowTls(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as { _handle?: object | null };
  // Node redirects this property of the handle.
  return handle != null && Object.getOwnPropertyDescriptor(handle, 'reading')?.get !== undefined;
}

function keepHalfOpen(this: Socket): void {
  this.allowHalfOpen = true;
}

/** What Node keeps of a readable side for itself. */
interface ReadableInside {
  readonly _readableState?: { readonly ended?: boolean; endEmitted?: boolean };
}

/** True once a FIN has arrived, though bytes before it may be unread and `end` is still to come. */
export const knowsEnd = (socket: Socket): boolean => (socket as ReadableInside)._readableState?.ended === true;

/** The end of the stream, which was emitted, comes again behind what is put back: Node refuses to put anything behind an end. */
export function endAgain(socket: Socket): void {
  const { _readableState: state } = socket as ReadableInside;
  if (state?.endEmitted === true && !socket.destroyed) state.endEmitted = false;
}

/** What a socket reports that TLS of a hook's was put over, once that has closed it. */
export const CLOSED_ABOVE: Report = {
  initiator: 'owner',
  manner: 'destroy',
  code: 'ERR_NOT_SUPPORTED',
  error: new NotSupportedError(
    'The TLS socket that a hook put over this socket, and did not return, has closed it; the library does not see which side has ended.',
  ),
};

/** Why a proxy refuses such a socket. */
export const TAKEN_OVER: Report = {
  initiator: 'owner',
  manner: 'error',
  code: 'ERR_NOT_SUPPORTED',
  error: new NotSupportedError(
    'The hook has put TLS over the socket, and has not returned it. A proxy would relay the socket below, and send the bytes of the other side in the clear.',
  ),
};

/**
 * True for a stream that has closed without an error before both of its sides had ended, where that may be the other end's
 * doing. A socket of the system says why it fails: where it does not, its owner has destroyed it.
 */
export function isCutShort(stream: OwnedSocket): boolean {
  const lower = stream[LOWER];
  if (lower !== undefined) return isCutShort(lower);
  if ((stream.readableEnded && stream.writableFinished) || stream.errored) return false;
  return OVER_STREAM in stream || !isSocket(stream);
}

/** True for TLS over a stream that is no socket. Asked while it is open: Node forgets what was below. */
function isOverStream(socket: Socket): boolean {
  const { _handle: handle, _parent: parent } = socket as unknown as {
    _handle?: { _parentWrap?: unknown } | null;
    _parent?: unknown;
  };
  return handle?._parentWrap != null && parent == null;
}

/** What such a stream reports. */
export const CUT_SHORT: Report = { initiator: 'peer', manner: 'reset', code: 'ERR_STREAM_PREMATURE_CLOSE' };

const RESET: Report = { initiator: 'peer', manner: 'reset', code: 'ECONNRESET' };

/**
 * Before Node 24, data and RST that arrive in one poll look like data and FIN: libuv reports the end in the same breath
 * as the data. So where another socket was read in between, it is an end. Every Node does so with the last of a TLS 1.3
 * handshake.
 */
const hidesReset = Number.parseInt(process.versions.node, 10) < 24;

/** Where a peer is, which does not matter here: an object that is written to again costs a third of a new one. */
const ANYWHERE = {};

/**
 * Whether a socket whose `end` was just emitted was reset. A reset socket has no peer any more; that can be asked only
 * until our own FIN is out, for after both FINs there is none either. `getpeername` is asked of the handle because
 * `remoteAddress` remembers an earlier answer.
 */
function wasReset(socket: Socket): boolean {
  if (socket.writableFinished || socket.destroyed) return false;
  const handle = (socket as unknown as { _handle?: { getpeername?: (out: object) => unknown } | null })._handle;
  // TLS over anything but TCP has no such method.
  const asked = handle?.getpeername?.(ANYWHERE);
  return typeof asked === 'number' && asked !== 0;
}

const { write, end, _write, _writev, _final } = Socket.prototype;

/**
 * True for a socket whose writes go straight to the system, or to a TLS socket's. A replaced method, or a stream that only
 * looks like a socket, may keep a chunk after it has said that it is done with it.
 */
export function writesThrough(socket: Socket): boolean {
  return socket.write === write && socket._write === _write && socket._writev === _writev && socket instanceof Socket;
}

/**
 * Sends a FIN after the last byte. Where the peer has sent its own already and nothing waits to be written, closing the
 * socket does that: the system sends a FIN, for nothing is left unread, and a call and a turn of the loop are saved.
 */
export function endStream(socket: Socket): void {
  if (!socket.readableEnded || socket.writableLength > 0 || socket.destroyed || !endsByClosing(socket)) {
    finish(socket);
    return;
  }
  (socket as OwnedSocket)[OWNER]?.socketFinished();
  socket.destroy();
}

/** Not for TLS, whose end is a message, nor for streams that have something of their own to do at the end. */
function endsByClosing(socket: Socket): boolean {
  return socket.end === end && socket._final === _final && writesThrough(socket) && !('encrypted' in socket);
}

/** FIN after the last byte; what still arrives is read and thrown away. */
export function endGracefully(socket: Socket): void {
  finish(socket);
  socket.resume();
}

/**
 * To end a TLS socket while Node hands out what it has read of it (in its `secureConnect` or `data`) loses a record that
 * is still to come, or fails, or stands still: OpenSSL reads on by itself for the answer. So that waits for its turn.
 */
function finish(socket: Socket): void {
  if ('encrypted' in socket) setImmediate(finishNow, socket);
  else socket.end();
}

function finishNow(socket: Socket): void {
  // Where the connection below is being reset it would report a finish, and nothing more was sent.
  if (socket.destroyed || socket.destroy === wait) return;
  if (!wasReset(socket)) {
    socket.end();
    return;
  }
  // The record that says the end would take the system's error off the connection below, and nothing would report it.
  socket.destroy();
  (socket as OwnedSocket)[OWNER]?.socketFailed(RESET);
}

/**
 * True for TLS over a connection that was reset, while nothing has reported that. Where a record of TLS's own, such as a
 * session ticket, is the first to be refused, Node keeps the error to itself; from then on no write is called back.
 */
export function isTlsOfReset(socket: Socket): boolean {
  return 'encrypted' in socket && wasReset(socket);
}

const MOVES = Symbol('sockchart.moves');

/** How often a stream that is no socket, and does not count its bytes, has been given some to read, and to send. */
interface Moves {
  pushes: number;
  writes: number;
}

type CountedStream = { [MOVES]?: Moves } & Record<'push' | '_write' | '_writev', unknown>;

/** Such a stream is watched at the methods that Node documents for those who implement streams. */
function countMoves(stream: Socket): void {
  const moves: Moves = { pushes: 0, writes: 0 };
  const counted = stream as unknown as CountedStream;
  counted[MOVES] = moves;
  for (const [method, count] of [
    ['push', 'pushes'],
    ['_write', 'writes'],
    ['_writev', 'writes'],
  ] as const) {
    const original = counted[method];
    if (typeof original !== 'function') continue;
    counted[method] = function (this: unknown, ...args: unknown[]): unknown {
      moves[count]++;
      return original.apply(this, args);
    };
  }
}

/** A number that changes with all that is read. */
export function readsOf(socket: OwnedSocket): number {
  const lower = socket[LOWER];
  if (lower !== undefined) return readsOf(lower);
  return socket.bytesRead ?? (socket as unknown as CountedStream)[MOVES]?.pushes ?? 0;
}

/**
 * A number that changes with all that moves: bytes read, bytes that left our buffers, also of a write that is not
 * complete, and ends. Asked for now and then, so that nothing is counted per chunk.
 */
export function progressOf(socket: OwnedSocket): number {
  const ends = (socket.readableEnded ? 1 : 0) + (socket.writableFinished ? 1 : 0);
  const lower = socket[LOWER];
  if (lower !== undefined) return progressOf(lower) + ends;
  const moves = (socket as unknown as CountedStream)[MOVES];
  if (moves !== undefined) return moves.pushes + moves.writes + ends;
  const handle = (socket as unknown as { _handle?: { writeQueueSize?: number } | null })._handle;
  const written = (socket.bytesWritten ?? 0) - socket.writableLength - (handle?.writeQueueSize ?? 0);
  return socket.bytesRead + written + ends;
}

/** The socket below a TLS socket, where it is one of Node's own. */
export function rawOf(socket: Socket): Socket | undefined {
  if (!('encrypted' in socket)) return undefined;
  const { _parent: parent } = socket as unknown as { _parent?: unknown };
  return parent instanceof Socket ? parent : undefined;
}

/** Sends a RST where the kind of socket has one. Returns false where the peer may take a cut for an end. */
export function reset(socket: OwnedSocket): boolean {
  const lower = socket[LOWER];
  if (lower !== undefined) return resetOver(socket, lower);
  if (socket.destroyed) return true;
  if (socket.connecting || socket.pending) return resetConnecting(socket);
  // Its last byte and FIN are on their way: no cut can be mistaken. While a FIN is on its way the system refuses a
  // reset, and Node then never closes the socket.
  const cannotMislead = socket.writableEnded && socket.writableLength === 0;
  if (!cannotMislead || socket.writableFinished) {
    const raw = rawOf(socket);
    try {
      if (raw !== undefined) resetBelow(socket, raw);
      else if (isBelowTls(socket)) return resetUnlessEnding(socket);
      else socket.resetAndDestroy();
      return true;
    } catch {
      // A Unix socket, TLS over something else, or another stream: it throws before it does anything.
    }
  }
  // An error is the nearest that other streams have: HTTP/2 sends a reset for it, and a pair in memory may pass it on.
  if (isSocket(socket) || cannotMislead) socket.destroy();
  else socket.destroy(Object.assign(new Error('The connection was reset by its owner.'), { code: 'ECONNRESET' }));
  return cannotMislead;
}

/** The upper one is destroyed once the lower one has closed, and not before: there may be TLS between the two. */
function resetOver(upper: Socket, lower: Socket): boolean {
  if (!isOwned(lower)) {
    upper.destroy();
    return true;
  }
  lower.once('close', () => upper.destroy());
  return reset(lower);
}

/** What Node keeps of a socket for itself. */
interface Inside {
  /** Destroys the socket with a reset, also while it is connecting. */
  readonly _reset?: () => void;
  readonly _handle?: { readonly fd?: number; readonly reset?: unknown } | null;
}

/**
 * Node's own reset waits for `connect`, and for a silent server it waits for ever. But the system may have connected,
 * and the server accepted, before Node says so: a FIN would end an empty stream. So the handle is reset at once, which
 * sends nothing where there is no connection yet.
 */
function resetConnecting(socket: Socket): boolean {
  const { _reset: resetNow, _handle: handle } = socket as unknown as Inside;
  const fd = handle?.fd ?? -1;
  const canReset = typeof handle?.reset === 'function' && typeof resetNow === 'function';
  // While a name is being looked up the system has no socket that it could reset.
  if (canReset && fd >= 0) {
    resetNow.call(socket);
    return true;
  }
  socket.destroy();
  // A peer that speaks TLS takes no stream for complete before its handshake.
  return canReset || fd < 0 || 'encrypted' in socket;
}

/**
 * Closes the socket at once, as a reset: unless our FIN is out, or follows the peer's with nothing left to write. Returns
 * false where the peer may take a cut for an end.
 */
export function cut(socket: OwnedSocket): boolean {
  const lower = socket[LOWER];
  // What it has handed on is still under way.
  if (lower !== undefined && socket.destroyed) return cut(lower);
  const isSaid = socket.writableFinished || (socket.readableEnded && socket.writableLength === 0);
  if (!isSaid) return reset(socket);
  destroy(socket);
  return true;
}

/** Destroys the socket; a stream over one that is being destroyed follows that: see {@link resetOver}. */
export function destroy(socket: OwnedSocket): void {
  const lower = socket[LOWER];
  if (lower?.destroyed === true && isOwned(lower)) lower.once('close', () => socket.destroy());
  else if (lower !== undefined && socket.destroyed) lower.destroy();
  else socket.destroy();
}

/**
 * TLS has no reset: what is cut is the connection below, and the TLS socket is destroyed when that has closed. To destroy
 * it before that crashes the process, in every version of Node up to 26: so until then its `destroy` does nothing.
 */
function resetBelow(socket: Socket, raw: Socket): void {
  const below = rawOf(raw);
  // Of a Unix socket this throws, and nothing has changed.
  if (below !== undefined) resetBelow(raw, below);
  else if (!raw.writableEnded) raw.resetAndDestroy();
  socket.destroy = wait;
  raw.prependOnceListener('close', () => {
    Reflect.deleteProperty(socket, 'destroy');
  });
  raw.destroy();
}

const NOTHING = Buffer.alloc(0);

/**
 * Resets a socket below a TLS socket that the library does not have: one in its handshake, or a hook's. That TLS socket
 * sends its FIN without a trace on the socket below; in a handshake Node sends it, once the peer has ended. While the FIN
 * is on its way the system refuses a reset, and after that nothing can close the handle. The system also refuses a write
 * then, so an empty write finds out. Returns false where the peer may take a cut for an end.
 */
function resetUnlessEnding(raw: Socket): boolean {
  const canAsk = !raw.writableEnded && raw.writableLength === 0 && raw.writableCorked === 0;
  if (canAsk) write.call(raw, NOTHING);
  const isEnding = raw.errored !== null || raw.writableEnded;
  if (canAsk && !isEnding) raw.resetAndDestroy();
  else raw.destroy();
  return canAsk || isEnding;
}

function wait(this: Socket): Socket {
  return this;
}

/** Its close stays away: it is destroyed, and reports nothing more. */
export function abandon(socket: OwnedSocket): void {
  const lower = socket[LOWER];
  if (lower !== undefined) abandon(lower);
  socket.destroy();
  forget(socket);
}

/** Whether the socket keeps the process alive, where it can tell. */
export function setRef(socket: OwnedSocket, keepAlive: boolean): void {
  const lower = socket[LOWER];
  if (lower !== undefined) setRef(lower, keepAlive);
  if (keepAlive) socket.ref?.();
  else socket.unref?.();
}

export function ignore(): void {}

type Listeners = ReadonlyMap<string | symbol, ReadonlySet<unknown>>;

/** The listeners that a socket has before its owner sees it. */
export function listenersOf(socket: Socket): Listeners {
  return new Map(socket.eventNames().map((name) => [name, new Set<unknown>(socket.rawListeners(name as 'close'))]));
}

/**
 * Takes off every listener and pipe that was put on since `before`, but those for `close`: by them a `pipeline` or a loop
 * over the socket learns that it is over.
 */
export function unlinkOwner(socket: Socket, before: Listeners): void {
  attempt(() => socket.unpipe());
  for (const name of socket.eventNames()) {
    if (name === 'close') continue;
    const kept = before.get(name);
    for (const listener of socket.rawListeners(name as 'close')) {
      if (kept?.has(listener) === true) continue;
      attempt(() => socket.removeListener(name as 'close', listener as () => void));
    }
  }
}

/** Does something to each; one that throws does not keep the others from it. */
export function each<T>(parts: Iterable<T>, act: (part: T) => void): void {
  let failure: { readonly error: unknown } | undefined;
  for (const part of [...parts]) {
    try {
      act(part);
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
}

/** What the owner's listeners for `unpipe` and `removeListener` throw is the process's, and nothing is left linked by it. */
function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    process.nextTick(rethrow, error);
  }
}

function rethrow(error: unknown): void {
  throw error;
}

const MANNERS: ReadonlyMap<string, readonly [Initiator, Manner]> = new Map([
  ['ECONNREFUSED', ['peer', 'refusal']],
  ['ECONNRESET', ['peer', 'reset']],
  ['EPIPE', ['peer', 'reset']],
  ['ECONNABORTED', ['peer', 'reset']],
  ['ETIMEDOUT', ['system', 'timeout']],
  ['ABORT_ERR', ['owner', 'abort']],
]);

/** What OpenSSL reports is what the peer has sent: an alert, or what is no TLS. */
const BAD_TLS: readonly [Initiator, Manner] = ['peer', 'error'];

/** What an error of a socket says about the cause. */
export function reportOf(error: unknown): Report {
  const code = codeOf(error);
  const [initiator, manner] = MANNERS.get(code) ?? (code.startsWith('ERR_SSL_') ? BAD_TLS : ['system', 'error']);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') hideCertificate(error as object);
  return { initiator, manner, code, error };
}

/** Every error of a socket of Node's has a code: one without comes from `destroy(error)`, or from a hook. */
function socketReportOf(error: unknown): Report {
  const report = reportOf(error);
  return hasCode(error) ? report : { ...report, initiator: 'owner' };
}

/** Node attaches the chain of certificates, which refers to itself: JSON could not hold the error. */
function hideCertificate(error: object): void {
  try {
    if (Object.hasOwn(error, 'cert')) Object.defineProperty(error, 'cert', { enumerable: false });
  } catch {
    // It is no error of Node's.
  }
}

/** What an error thrown by the owner's hook says about the cause. */
export function hookReportOf(error: unknown): Report {
  const code = codeOf(error);
  const known = MANNERS.get(code);
  return known === undefined
    ? { initiator: 'owner', manner: 'error', code, error }
    : { initiator: known[0], manner: known[1], code, error };
}

/**
 * The cause where a command threw `error`: a mistake of the library, or of code that it calls, unless the system or the
 * peer gave the error.
 */
export function commandCauseOf(error: unknown): Cause {
  const report = reportOf(error);
  const isTold = report.initiator !== 'system' || (error instanceof Error && 'syscall' in error);
  return { ...report, initiator: isTold ? report.initiator : 'library', phase: 'command', error };
}

/** Anything can be thrown: also an object whose properties throw when they are read. */
function codeOf(error: unknown): string {
  return text(error, 'code') ?? text(error, 'name') ?? 'UNKNOWN';
}

const hasCode = (error: unknown): boolean => text(error, 'code') !== undefined;

function text(error: unknown, property: 'code' | 'name'): string | undefined {
  if (error === null || typeof error !== 'object') return undefined;
  try {
    const { [property]: value } = error as Record<string, unknown>;
    return typeof value === 'string' && value !== '' ? value : undefined;
  } catch {
    // It has none that could be known.
    return undefined;
  }
}
