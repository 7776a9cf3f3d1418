/**
 * Parts that several states, or several machines, have in common. Each is written here once, with a name, so that a state
 * says only what is its own. A part is plain data in XState's form; a statechart spreads it where it holds.
 */
import type { CauseHint, Ending, Phase } from './vocabulary.js';

/** The two machines that have a socket. */
type Id = 'client' | 'backend';

/** Events that a state ignores on purpose; diagrams and tables print the reason. */
export function ignored<const E extends string>(
  events: readonly E[],
  reason: string,
): { [K in E]: { description: string } } {
  const transition = { description: reason };
  return Object.fromEntries(events.map((event) => [event, transition])) as { [K in E]: { description: string } };
}

export type Note = { type: 'noteCause'; params: CauseHint };

/** The action `noteCause`, which every machine has, for a transition in this phase. */
export function note(phase: Phase, timeout?: string): Note {
  return { type: 'noteCause', params: timeout === undefined ? { phase } : { phase, timeout } };
}

/** A property whose name is computed: TypeScript makes an index signature of it otherwise. */
function named<const K extends string, T>(name: K, value: T): { [N in K]: T } {
  return { [name]: value } as { [N in K]: T };
}

export const endedOnce = ignored(['socket.ended'], 'A stream ends once.');
export const finishedOnce = ignored(['socket.finished'], 'A stream ends once.');
export const notProbed = ignored(['socket.idled'], 'No probe is out.');

/** The end is decided. */
export const closeChangesNothing = <I extends Id>(id: I) =>
  ignored([`${id}.close`], 'The end is decided already; an abort hastens it.');

/** The socket’s close is all that is left: neither a close nor an abort changes anything. */
export const almostOver = <I extends Id>(id: I) =>
  ignored([`${id}.close`, `${id}.abort`], 'It is over as soon as the socket has closed.');

/** A socket that fails once its end is decided. */
export const failedLate = {
  'socket.failed': {
    description: 'Its close follows; what had not arrived does not arrive any more.',
    actions: 'noteBytesLost',
  },
} as const;

/** What leads out of an established connection, and differs between a client and a backend. */
interface Exits<Ended, Idle, Cut, LetGo, Closed> {
  /** The peer has sent its FIN while bytes flowed both ways. */
  readonly ended: Ended;
  /** Nothing has moved for `idleTimeout`. */
  readonly idle: Idle;
  /** Nothing has moved for `halfCloseTimeout`: the peer has ended, and does not read. */
  readonly stalled: Cut;
  /** Nothing has moved for `halfCloseTimeout`: our FIN is out, and the peer is silent. */
  readonly silent: LetGo;
  /** Both streams are over, and the socket has closed. */
  readonly closed: Closed;
}

/** The four ways in which an established connection can be open. */
export const halfClose = <const A, const B, const C, const D, const E>(exits: Exits<A, B, C, D, E>) =>
  ({
    open: {
      description: 'Bytes flow both ways.',
      on: {
        'socket.ended': exits.ended,
        'socket.finished': { target: 'localEnded', actions: ['noteFlushed', note('established')] },
        'socket.idled': exits.idle,
      },
      after: { idleProbe: { target: 'open', reenter: true, actions: 'probeAll' } },
    },
    peerEnded: {
      description: 'The peer has sent its last byte; ours go on.',
      on: {
        ...endedOnce,
        'socket.finished': { target: 'bothEnded', actions: 'noteFlushed' },
        'socket.idled': exits.stalled,
      },
      after: { halfCloseProbe: { target: 'peerEnded', reenter: true, actions: 'probeAll' } },
    },
    localEnded: {
      description: 'We have sent our last byte; the bytes of the peer go on.',
      on: {
        ...finishedOnce,
        'socket.ended': { target: 'bothEnded' },
        'socket.idled': exits.silent,
      },
      after: { halfCloseProbe: { target: 'localEnded', reenter: true, actions: 'probeAll' } },
    },
    bothEnded: {
      description: 'Both sides have sent their last byte; the socket closes by itself.',
      on: {
        ...endedOnce,
        ...finishedOnce,
        ...notProbed,
        ...ignored(['socket.failed'], 'Every byte went both ways before; only the close counts.'),
        'socket.closed': exits.closed,
      },
    },
  }) as const;

/**
 * Our last byte and FIN are with the system. It delivers them, unless the peer’s bytes arrive at a closed socket: so the
 * socket is read until the peer is silent. Where a close has read it for long enough already, one look will do.
 */
export const probed = {
  description: 'The socket was read during the close: if that took a `lingerTimeout`, silence since then is enough.',
  always: [{ guard: 'wasReadForLong', target: 'reading', actions: 'probeReads' }, { target: 'reading' }],
} as const;

export const reading = {
  description: 'Incoming bytes are thrown away; whether any have come is looked at after each `lingerTimeout`.',
  entry: 'lingerSocket',
  after: { lingerTimeout: { target: 'reading', reenter: true, actions: 'probeReads' } },
} as const;

/** A final state: how an instance ended. */
export const final = <const E extends Ending>(output: E, description: string) =>
  ({ type: 'final', tags: 'ending', description, output }) as const;

/** The final states that a client and a backend have in common. */
export const finalStates = {
  ended: final('ended', 'Both sides sent FIN after their last byte.'),
  closed: final('closed', 'Closed by the owner.'),
  aborted: final('aborted', 'Aborted by the owner, or by a close that took too long.'),
  dropped: final('dropped', 'Lost after it was established.'),
} as const;

/** What an abort does: a deadline lets the socket of a complete stream linger, and anything else resets it. */
export const aborts = <I extends Id, const D, const R>(id: I, whenComplete: D, otherwise: R) =>
  named(`${id}.abort`, [{ guard: 'isToBeDelivered', ...whenComplete }, otherwise] as const);
