/**
 * The life of an accepted client. Its rules:
 *
 * 1. It lives as long as its one socket: there is nothing to reconnect to.
 * 2. A client that was never established is refused, whoever gave up first; only an established one can be dropped.
 * 3. The owner's resources are released once, after the socket was unlinked, in every end.
 * 4. A stream is complete once its last byte and FIN are with the system, which delivers them. From then on only the
 *    owner's own abort resets it. A deadline lets go of it: what the client still sends is read and thrown away, for a
 *    bounded time, and then the socket is closed.
 *
 * Left out on purpose: why admission says no (a hook decides), TLS (the adapter reports it as part of admission), and
 * the bytes.
 */
import { assign, emit, raise, setup } from 'xstate';
import {
  type Cause,
  type CauseHint,
  causeOf,
  type Ending,
  ignored,
  isWhole,
  note,
  type Outcome,
  probeEvery,
  QUIET_PROBES,
  type Report,
  type Sent,
} from './vocabulary.js';

/** What all clients of one listener share: waits in milliseconds (`NEVER_MS` for none). */
export interface ClientSettings {
  readonly acceptTimeout: number;
  /** Without a byte in either direction. */
  readonly idleTimeout: number;
  /** Takes the place of `idleTimeout` once one side has ended. */
  readonly halfCloseTimeout: number;
  readonly closeTimeout: number;
  readonly abortTimeout: number;
  /** Without a byte from a client that was let go of. */
  readonly lingerTimeout: number;
  /** All the time for a client that was let go of. */
  readonly lingerMax: number;
}

export interface ClientInput {
  readonly settings: ClientSettings;
}

export interface ClientContext {
  readonly settings: ClientSettings;
  sent: Sent;
  /** How it will have ended once a client that was let go of has closed. */
  ending: Ending;
  closeTimeoutMs: number;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type ClientEvent =
  /** The owner ends the life, gracefully. */
  | { type: 'client.close'; timeoutMs?: number; cause?: Report }
  /**
   * The owner ends the life at once. With `deliver` it is no owner's wish, but a deadline or the loss of the other leg:
   * a stream that is complete is then let go of, and not reset.
   */
  | { type: 'client.abort'; cause?: Report; deliver?: boolean }
  | { type: 'socket.ended' }
  | { type: 'socket.finished' }
  | { type: 'socket.failed'; cause: Report }
  | { type: 'socket.closed' }
  /** The socket was probed as often as was asked for, and nothing has moved. */
  | { type: 'socket.idled' }
  | { type: 'owner.admitted' }
  | { type: 'owner.refused'; cause: Report };

export type ClientCommand =
  /** FIN after the last byte written; what still arrives is read and thrown away. */
  | { type: 'socket.end' }
  /** What still arrives is read and thrown away, and counts for the next probe. */
  | { type: 'socket.linger' }
  /** Compare a byte counter; report `socket.idled` if it has stood still for this many probes in a row. */
  | { type: 'socket.probe'; bytes: 'all' | 'read'; times: number }
  | { type: 'socket.destroy' }
  | { type: 'socket.reset' }
  /** Take the owner's listeners off the socket. */
  | { type: 'socket.unlink' }
  /** The socket's close never came: forget it. */
  | { type: 'socket.abandon' }
  /** Decide whether this client may stay. */
  | { type: 'owner.admit' }
  | { type: 'owner.establish' }
  | { type: 'owner.drop'; cause: Cause }
  | { type: 'owner.release' };

const OWNER = ['owner.admitted', 'owner.refused'] as const;

const noHook = ignored(OWNER, 'Admission is decided: the hook has settled late.');
const dying = ignored(
  ['socket.ended', 'socket.finished', 'socket.failed', 'socket.idled'],
  'The socket is being destroyed: only its close counts.',
);
const notProbed = ignored(['socket.idled'], 'No probe is out.');
const decided = ignored(['client.close'], 'The end is decided already; an abort hastens it.');

export const clientMachine = setup({
  types: {
    context: {} as ClientContext,
    events: {} as ClientEvent,
    emitted: {} as ClientCommand,
    input: {} as ClientInput,
    output: {} as Outcome,
    tags: {} as 'holdsSocket',
  },
  actions: {
    noteCause: assign({ cause: ({ event }, hint: CauseHint) => causeOf(event, hint) }),
    noteCloseTimeout: assign({
      closeTimeoutMs: ({ context, event }) =>
        (event.type === 'client.close' ? event.timeoutMs : undefined) ?? context.settings.closeTimeout,
    }),
    // What it has written was the hook's.
    noteOffered: assign({ sent: ({ context }) => (context.sent === 'all' ? 'all' : 'some') }),
    // A last word that was sent before is reported again.
    noteEstablished: assign({ sent: 'some' }),
    noteFlushed: assign({ sent: ({ context }) => (context.sent === 'lost' ? 'lost' : 'all') }),
    noteLost: assign({ sent: 'lost' }),
    noteClosed: assign({ ending: 'closed' }),
    noteRefused: assign({ ending: 'refused' }),
    abortClose: raise({
      type: 'client.abort',
      deliver: true,
      cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
    }),
    admitOwner: emit({ type: 'owner.admit' }),
    establishOwner: emit({ type: 'owner.establish' }),
    dropOwner: emit(({ context }) => ({ type: 'owner.drop', cause: context.cause as Cause })),
    releaseOwner: emit({ type: 'owner.release' }),
    endSocket: emit({ type: 'socket.end' }),
    lingerSocket: emit({ type: 'socket.linger' }),
    probeReads: emit({ type: 'socket.probe', bytes: 'read', times: 1 }),
    probeAll: emit({ type: 'socket.probe', bytes: 'all', times: QUIET_PROBES }),
    destroySocket: emit({ type: 'socket.destroy' }),
    resetSocket: emit({ type: 'socket.reset' }),
    unlinkSocket: emit({ type: 'socket.unlink' }),
    abandonSocket: emit({ type: 'socket.abandon' }),
  },
  guards: {
    isFinished: ({ context }) => context.sent === 'all',
    isDeadline: ({ event }) => event.type === 'client.abort' && event.deliver === true,
    isToBeDelivered: ({ context, event }) =>
      context.sent === 'all' && event.type === 'client.abort' && event.deliver === true,
    wasReadForLong: ({ context }) => context.closeTimeoutMs >= context.settings.lingerTimeout,
    willBeClosed: ({ context }) => context.ending === 'closed',
    willBeRefused: ({ context }) => context.ending === 'refused',
  },
  delays: {
    acceptTimeout: ({ context }) => context.settings.acceptTimeout,
    idleProbe: ({ context }) => probeEvery(context.settings.idleTimeout),
    halfCloseProbe: ({ context }) => probeEvery(context.settings.halfCloseTimeout),
    lingerTimeout: ({ context }) => context.settings.lingerTimeout,
    lingerMax: ({ context }) => context.settings.lingerMax,
    closeTimeout: ({ context }) => context.closeTimeoutMs,
    abortTimeout: ({ context }) => context.settings.abortTimeout,
  },
}).createMachine({
  id: 'client',
  description: 'An accepted client, from accept to the end of its socket.',
  context: ({ input }) => ({
    settings: input.settings,
    sent: 'nothing',
    ending: 'aborted',
    closeTimeoutMs: input.settings.closeTimeout,
    cause: undefined,
  }),
  output: ({ context, event }) => ({
    ending: event.output as Ending,
    cause: context.cause as Cause,
    flushed: isWhole(context.sent),
  }),
  initial: 'live',
  states: {
    live: {
      description: 'The socket is linked to its owner.',
      tags: 'holdsSocket',
      initial: 'accepted',
      states: {
        accepted: {
          description: 'Linked in the tick of its accept; whether it may stay is being decided.',
          entry: 'admitOwner',
          on: {
            ...notProbed,
            'socket.finished': {
              description: 'The hook sent its last byte; admission goes on.',
              actions: 'noteFlushed',
            },
            'owner.refused': [
              {
                guard: 'isFinished',
                description: 'What the hook has sent was its last word: it arrives.',
                target: '#client.lingering',
                actions: ['noteRefused', 'unlinkSocket', 'releaseOwner', note('accepted')],
              },
              { target: '#client.refusing', actions: note('accepted') },
            ],
            'socket.failed': { target: '#client.refusing', actions: note('accepted') },
            'socket.closed': { target: '#client.refusing', actions: note('accepted') },
            'client.close': {
              target: '#client.closing',
              actions: ['noteOffered', 'noteCloseTimeout', note('accepted')],
            },
            'client.abort': [
              {
                guard: 'isToBeDelivered',
                target: '#client.lingering',
                actions: ['unlinkSocket', 'releaseOwner', note('accepted')],
              },
              { target: '#client.aborting', actions: ['unlinkSocket', 'releaseOwner', note('accepted')] },
            ],
          },
          after: {
            acceptTimeout: [
              {
                guard: 'isFinished',
                target: '#client.lingering',
                actions: ['noteRefused', 'unlinkSocket', 'releaseOwner', note('accepted', 'acceptTimeout')],
              },
              { target: '#client.refusing', actions: note('accepted', 'acceptTimeout') },
            ],
          },
          initial: 'open',
          states: {
            open: {
              description: 'The client may still send.',
              on: {
                'owner.admitted': { target: '#client.live.established' },
                'socket.ended': { target: 'peerEnded', actions: note('accepted') },
              },
            },
            peerEnded: {
              description: 'The client has sent its last byte before it was admitted: that is no reason to refuse it.',
              on: {
                ...ignored(['socket.ended'], 'A stream ends once.'),
                'owner.admitted': { target: '#client.live.established.peerEnded' },
              },
            },
          },
        },
        established: {
          description: 'Admitted: it can be written to.',
          entry: ['noteEstablished', 'establishOwner'],
          on: {
            ...noHook,
            'socket.failed': { target: '#client.dropping', actions: note('established') },
            'socket.closed': { target: '#client.dropping', actions: note('established') },
            'client.close': {
              target: '#client.closing',
              actions: ['noteCloseTimeout', note('established')],
            },
            'client.abort': [
              {
                guard: 'isToBeDelivered',
                target: '#client.lingering',
                actions: ['unlinkSocket', 'releaseOwner', note('established')],
              },
              { target: '#client.aborting', actions: ['unlinkSocket', 'releaseOwner', note('established')] },
            ],
          },
          initial: 'open',
          states: {
            open: {
              description: 'Bytes flow both ways.',
              on: {
                'socket.idled': {
                  target: '#client.aborting',
                  actions: ['unlinkSocket', 'releaseOwner', note('established', 'idleTimeout')],
                },
                'socket.ended': { target: 'peerEnded', actions: note('established') },
                'socket.finished': { target: 'localEnded', actions: ['noteFlushed', note('established')] },
              },
              after: { idleProbe: { target: 'open', reenter: true, actions: 'probeAll' } },
            },
            peerEnded: {
              description: 'The client has sent its last byte; ours go on.',
              on: {
                ...ignored(['socket.ended'], 'A stream ends once.'),
                'socket.finished': { target: 'bothEnded', actions: 'noteFlushed' },
                'socket.idled': {
                  target: '#client.aborting',
                  actions: ['unlinkSocket', 'releaseOwner', note('established', 'halfCloseTimeout')],
                },
              },
              after: { halfCloseProbe: { target: 'peerEnded', reenter: true, actions: 'probeAll' } },
            },
            localEnded: {
              description: 'We have sent our last byte; the client’s go on.',
              on: {
                ...ignored(['socket.finished'], 'A stream ends once.'),
                'socket.ended': { target: 'bothEnded' },
                'socket.idled': {
                  target: '#client.lingering',
                  actions: ['unlinkSocket', 'releaseOwner', note('established', 'halfCloseTimeout')],
                },
              },
              after: { halfCloseProbe: { target: 'localEnded', reenter: true, actions: 'probeAll' } },
            },
            bothEnded: {
              description: 'Both sides have sent their last byte; the socket closes by itself.',
              on: {
                ...ignored(['socket.ended', 'socket.finished'], 'A stream ends once.'),
                ...ignored(['socket.failed'], 'Every byte went both ways before; only the close counts.'),
                ...notProbed,
                'socket.closed': { target: '#client.ended', actions: ['unlinkSocket', 'releaseOwner'] },
              },
            },
          },
        },
      },
    },

    refusing: {
      description: 'Turned away before it was established: reset, so that it cannot take silence for success.',
      tags: 'holdsSocket',
      entry: ['unlinkSocket', 'releaseOwner', 'resetSocket', 'destroySocket'],
      on: {
        ...noHook,
        ...dying,
        ...ignored(['client.close', 'client.abort'], 'It is over as soon as the socket has closed.'),
        'socket.closed': { target: 'refused' },
      },
      after: { abortTimeout: { target: 'refused', actions: 'abandonSocket' } },
    },

    dropping: {
      description: 'Lost after it was established; the socket’s close is the end.',
      tags: 'holdsSocket',
      entry: ['noteLost', 'unlinkSocket', 'dropOwner', 'releaseOwner', 'destroySocket'],
      on: {
        ...noHook,
        ...dying,
        ...ignored(['client.close', 'client.abort'], 'It is over as soon as the socket has closed.'),
        'socket.closed': { target: 'dropped' },
      },
      after: { abortTimeout: { target: 'dropped', actions: 'abandonSocket' } },
    },

    closing: {
      description: 'Every byte and a FIN are sent; what still comes is read and thrown away until the client ends.',
      tags: 'holdsSocket',
      entry: ['unlinkSocket', 'releaseOwner', 'endSocket'],
      on: {
        ...noHook,
        ...decided,
        ...notProbed,
        ...ignored(['socket.ended'], 'The socket closes by itself once our side is flushed.'),
        'socket.failed': {
          description: 'Its close follows; what had not arrived does not arrive any more.',
          actions: 'noteLost',
        },
        'socket.finished': { actions: 'noteFlushed' },
        'socket.closed': { target: 'closed' },
        'client.abort': [
          {
            guard: 'isToBeDelivered',
            target: 'lingering.probed',
            actions: 'noteClosed',
          },
          { target: 'aborting', actions: note('closing') },
        ],
      },
      after: { closeTimeout: { description: 'Too slow: reset, unless all was sent.', actions: 'abortClose' } },
    },

    lingering: {
      description:
        'Its time is up, but our last byte and FIN are with the system, which delivers them unless bytes arrive at a closed socket: what still comes is read and thrown away until nothing comes any more.',
      tags: 'holdsSocket',
      on: {
        ...noHook,
        ...decided,
        ...ignored(['socket.ended'], 'The socket closes by itself.'),
        ...ignored(['socket.finished'], 'A stream ends once.'),
        'socket.failed': {
          description: 'Its close follows; what had not arrived does not arrive any more.',
          actions: 'noteLost',
        },
        'socket.idled': { target: 'parting' },
        'socket.closed': { target: 'left' },
        'client.abort': [
          { guard: 'isDeadline', description: 'It is let go of already.' },
          { guard: 'willBeRefused', description: 'The cause stays why it was refused.', target: 'aborting' },
          { target: 'aborting', actions: note('closing') },
        ],
      },
      after: {
        lingerMax: [
          {
            guard: 'willBeRefused',
            description: 'The client sends on: reset. The cause stays why it was refused.',
            target: 'aborting',
          },
          {
            description: 'The client sends on: reset.',
            target: 'aborting',
            actions: note('closing', 'lingerMax'),
          },
        ],
      },
      initial: 'reading',
      states: {
        probed: {
          description:
            'It was read since our end was asked for: where nothing has come in all that time, that will do.',
          always: [{ guard: 'wasReadForLong', target: 'reading', actions: 'probeReads' }, { target: 'reading' }],
        },
        reading: {
          description: 'Whatever comes is thrown away; it is looked at again after each `lingerTimeout`.',
          entry: 'lingerSocket',
          after: { lingerTimeout: { target: 'reading', reenter: true, actions: 'probeReads' } },
        },
      },
    },

    parting: {
      description: 'The client is silent: the socket is closed, and the system delivers what is still on its way.',
      tags: 'holdsSocket',
      entry: 'destroySocket',
      on: {
        ...noHook,
        ...dying,
        ...ignored(['client.close', 'client.abort'], 'It is over as soon as the socket has closed.'),
        'socket.closed': { target: 'left' },
      },
      after: { abortTimeout: { target: 'left', actions: 'abandonSocket' } },
    },

    left: {
      description: 'Let go of; why was decided before.',
      always: [
        { guard: 'willBeClosed', target: 'closed' },
        { guard: 'willBeRefused', target: 'refused' },
        { target: 'aborted' },
      ],
    },

    aborting: {
      description: 'Reset; the socket’s close is the end.',
      tags: 'holdsSocket',
      entry: ['noteLost', 'resetSocket', 'destroySocket'],
      on: {
        ...noHook,
        ...dying,
        ...ignored(['client.close', 'client.abort'], 'It is being aborted already.'),
        'socket.closed': [{ guard: 'willBeRefused', target: 'refused' }, { target: 'aborted' }],
      },
      after: {
        abortTimeout: [
          { guard: 'willBeRefused', target: 'refused', actions: 'abandonSocket' },
          { target: 'aborted', actions: 'abandonSocket' },
        ],
      },
    },

    ended: { type: 'final', description: 'Both sides sent FIN after their last byte.', output: 'ended' },
    closed: { type: 'final', description: 'Closed by the owner.', output: 'closed' },
    aborted: {
      type: 'final',
      description: 'Aborted by the owner, or by a close that took too long.',
      output: 'aborted',
    },
    dropped: { type: 'final', description: 'Lost after it was established.', output: 'dropped' },
    refused: { type: 'final', description: 'Never established: turned away, or gone before that.', output: 'refused' },
  },
});
