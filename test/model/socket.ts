/**
 * What one `net.Socket` may report, in every order that Node allows. What real ones report is held against it: see
 * accept.ts and docs/correctness.md.
 */
import type { EventObject } from 'xstate';
import type { Chance, Effect } from './explore.js';

export interface SocketModel {
  /** Of the newest socket: `closing` once it was destroyed, reset, or has failed, and its close is still to come. */
  readonly phase: 'none' | 'connecting' | 'open' | 'closing';
  /** It was said that it is connected. */
  readonly connected: boolean;
  readonly peerEnded: boolean;
  /** Our FIN: not asked for, on its way behind the last byte, or gone. */
  readonly local: 'open' | 'ending' | 'finished';
  /** The owner's listeners are on it. */
  readonly linked: boolean;
  /** Its bytes have just been counted: they may have stood still. */
  readonly probed: boolean;
}

export const NO_SOCKET: SocketModel = {
  phase: 'none',
  connected: false,
  peerEnded: false,
  local: 'open',
  linked: false,
  probed: false,
};

/** As a server gives it away. */
export const ACCEPTED: SocketModel = { ...NO_SOCKET, phase: 'open', connected: true, linked: true };

const report = (type: string): EventObject => ({ type });
const failed = (code: string): EventObject =>
  ({ type: 'socket.failed', cause: { initiator: 'peer', manner: 'reset', code } }) as EventObject;

/**
 * What the socket may report now.
 *
 * @param mine whether the owner may end or destroy it, for it was given to him
 */
export function socketChances(socket: SocketModel, mine: boolean): Chance<SocketModel>[] {
  const { phase, connected, peerEnded, local, linked } = socket;
  const chances: Chance<SocketModel>[] = [];
  const may = (
    who: Chance<SocketModel>['who'],
    what: string,
    change: Partial<SocketModel>,
    event?: EventObject,
  ): void => {
    chances.push({ who, what, model: { ...socket, probed: false, ...change }, event });
  };
  if (phase === 'none') return chances;
  if (socket.probed) may('library', 'finds that nothing moves', {}, report('socket.idled'));
  // A TLS handshake that is broken off ends before it fails, and one that we have ended finishes before it is done. What
  // is under way when the socket is destroyed is told all the same: an end and a finish come a tick after they are due,
  // and whoever hears first that it is connected may destroy it.
  if (!peerEnded) may('peer', 'ended', { peerEnded: true }, report('socket.ended'));
  if (local === 'ending') may('system', 'finished', { local: 'finished' }, report('socket.finished'));
  if (!connected) {
    may(
      'peer',
      'connected',
      phase === 'connecting' ? { phase: 'open', connected: true } : { connected: true },
      report('socket.connected'),
    );
  }
  // In `closing`: an error that was on its way, as with a write that was cut.
  const code = phase === 'connecting' ? 'ECONNREFUSED' : phase === 'open' ? 'ECONNRESET' : 'ECANCELED';
  may('peer', 'failed', { phase: 'closing' }, failed(code));
  if (phase === 'closing' || (phase === 'open' && peerEnded && local === 'finished')) {
    may('system', 'closed', NO_SOCKET_KEEPING(linked), report('socket.closed'));
  }
  // Whoever has made the socket himself has it before it is connected.
  if (phase === 'connecting' || (phase === 'open' && mine && linked)) {
    if (local === 'open') may('owner', 'ends the socket', { local: 'ending' });
    may('owner', 'destroys the socket', { phase: 'closing' });
  }
  return chances;
}

/** A socket that was established closes, and no failure came before: its owner has destroyed it. */
export const isDestroyed = ({ event }: { readonly event?: EventObject | undefined }, state: string): boolean =>
  event?.type === 'socket.closed' && /established\.(open|peerEnded|localEnded)$/.test(state);

/** The socket is gone; whether it was unlinked is still to be seen. */
const NO_SOCKET_KEEPING = (linked: boolean): SocketModel => ({ ...NO_SOCKET, linked });

const THROWN = { initiator: 'library', manner: 'error', phase: 'command' };
export const FAILED = { type: 'socket.failed', cause: THROWN } as EventObject;

/** What an adapter does where a command of its machine throws: the socket is reset, and has failed; its close follows. */
export function cutSocket(socket: SocketModel): Effect<SocketModel> {
  if (socket.phase === 'none') return { model: socket, reports: [FAILED, report('socket.closed')] };
  return { model: { ...socket, phase: 'closing' }, reports: [FAILED] };
}

/** These do what they have to even if they throw. */
export const ALWAYS_DONE =
  /^(socket\.(unlink|abandon)$|owner\.(establish|drop|release|retry|exhaust)$|holds\.|server\.(forget|restore)$)/;

/** Performs a command for the socket; undefined for any other. */
export function performOnSocket(socket: SocketModel, command: EventObject): Effect<SocketModel> | undefined {
  const { phase, linked } = socket;
  switch (command.type) {
    case 'socket.open':
      if (phase !== 'none') throw new Error('It opens a socket while it has one');
      if (linked) throw new Error('It opens a socket before the last one was unlinked');
      return { model: { ...NO_SOCKET, phase: 'connecting' } };
    case 'socket.end':
      if (phase === 'none') return { model: socket, reports: [report('socket.closed')] };
      // One that was ended before says so again.
      if (socket.local === 'finished') return { model: socket, reports: [report('socket.finished')] };
      return { model: phase !== 'closing' && socket.local === 'open' ? { ...socket, local: 'ending' } : socket };
    case 'socket.linger':
      return phase === 'none' ? { model: socket, reports: [report('socket.closed')] } : { model: socket };
    case 'socket.probe':
      return { model: { ...socket, probed: phase !== 'none' } };
    case 'socket.destroy':
      if (phase === 'none') return { model: socket, reports: [report('socket.closed')] };
      return { model: { ...socket, phase: 'closing' } };
    case 'handshake.end':
      // The adapter destroys it, in its own time.
      if (phase === 'none') return { model: socket, reports: [report('socket.closed')] };
      return { model: { ...socket, phase: 'closing' } };
    case 'socket.reset':
      return { model: phase === 'none' ? socket : { ...socket, phase: 'closing' } };
    case 'socket.unlink':
      if (!linked) throw new Error('It unlinks what is not linked');
      return { model: { ...socket, linked: false } };
    case 'socket.abandon':
      return { model: NO_SOCKET_KEEPING(linked) };
    default:
      return undefined;
  }
}
