/**
 * The life of an accepted client. Its rules:
 *
 * 1. It lives as long as its one socket: there is nothing to reconnect to.
 * 2. A client that was never established is refused, whoever gave up first; only an established one can be dropped.
 * 3. The owner's resources are released once, after the socket was unlinked, in every end.
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
  note,
  type Outcome,
  type Report,
} from './vocabulary.js';

/** What all clients of one listener share: waits in milliseconds (`NEVER_MS` for none). */
export interface ClientSettings {
  readonly acceptTimeout: number;
  readonly closeTimeout: number;
  readonly abortTimeout: number;
}

export interface ClientInput {
  readonly settings: ClientSettings;
}

export interface ClientContext {
  readonly settings: ClientSettings;
  /** True unless bytes may have been written that were not flushed. */
  flushed: boolean;
  closeTimeoutMs: number;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type ClientEvent =
  /** The owner ends the life, gracefully. */
  | { type: 'client.close'; timeoutMs?: number; cause?: Report }
  /** The owner ends the life at once; a close that takes too long says the same. */
  | { type: 'client.abort'; cause?: Report }
  | { type: 'socket.ended' }
  | { type: 'socket.finished' }
  | { type: 'socket.failed'; cause: Report }
  | { type: 'socket.closed' }
  | { type: 'owner.admitted' }
  | { type: 'owner.refused'; cause: Report };

export type ClientCommand =
  /** FIN after the last byte written; what still arrives is read and thrown away. */
  | { type: 'socket.end' }
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
  ['socket.ended', 'socket.finished', 'socket.failed'],
  'The socket is being destroyed: only its close counts.',
);
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
    noteOffered: assign({ flushed: false }),
    noteFlushed: assign({ flushed: true }),
    abortClose: raise({
      type: 'client.abort',
      cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
    }),
    admitOwner: emit({ type: 'owner.admit' }),
    establishOwner: emit({ type: 'owner.establish' }),
    dropOwner: emit(({ context }) => ({ type: 'owner.drop', cause: context.cause as Cause })),
    releaseOwner: emit({ type: 'owner.release' }),
    endSocket: emit({ type: 'socket.end' }),
    destroySocket: emit({ type: 'socket.destroy' }),
    resetSocket: emit({ type: 'socket.reset' }),
    unlinkSocket: emit({ type: 'socket.unlink' }),
    abandonSocket: emit({ type: 'socket.abandon' }),
  },
  delays: {
    acceptTimeout: ({ context }) => context.settings.acceptTimeout,
    closeTimeout: ({ context }) => context.closeTimeoutMs,
    abortTimeout: ({ context }) => context.settings.abortTimeout,
  },
}).createMachine({
  id: 'client',
  description: 'An accepted client, from accept to the end of its socket.',
  context: ({ input }) => ({
    settings: input.settings,
    flushed: true,
    closeTimeoutMs: input.settings.closeTimeout,
    cause: undefined,
  }),
  output: ({ context, event }) => ({
    ending: event.output as Ending,
    cause: context.cause as Cause,
    flushed: context.flushed,
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
            ...ignored(['socket.finished'], 'The hook said its last word; admission goes on.'),
            'owner.refused': { target: '#client.refusing', actions: note('accepted') },
            'socket.failed': { target: '#client.refusing', actions: note('accepted') },
            'socket.closed': { target: '#client.refusing', actions: note('accepted') },
            'client.close': {
              target: '#client.closing',
              actions: ['noteOffered', 'noteCloseTimeout', note('accepted')],
            },
            'client.abort': {
              target: '#client.aborting',
              actions: ['noteOffered', 'unlinkSocket', 'releaseOwner', note('accepted')],
            },
          },
          after: {
            acceptTimeout: { target: '#client.refusing', actions: note('accepted', 'acceptTimeout') },
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
          entry: ['noteOffered', 'establishOwner'],
          on: {
            ...noHook,
            'socket.failed': { target: '#client.dropping', actions: note('established') },
            'socket.closed': { target: '#client.dropping', actions: note('established') },
            'client.close': {
              target: '#client.closing',
              actions: ['noteCloseTimeout', note('established')],
            },
            'client.abort': {
              target: '#client.aborting',
              actions: ['unlinkSocket', 'releaseOwner', note('established')],
            },
          },
          initial: 'open',
          states: {
            open: {
              description: 'Bytes flow both ways.',
              on: {
                'socket.ended': { target: 'peerEnded', actions: note('established') },
                'socket.finished': { target: 'localEnded', actions: ['noteFlushed', note('established')] },
              },
            },
            peerEnded: {
              description: 'The client has sent its last byte; ours go on.',
              on: {
                ...ignored(['socket.ended'], 'A stream ends once.'),
                'socket.finished': { target: 'bothEnded', actions: 'noteFlushed' },
              },
            },
            localEnded: {
              description: 'We have sent our last byte; the client’s go on.',
              on: {
                ...ignored(['socket.finished'], 'A stream ends once.'),
                'socket.ended': { target: 'bothEnded' },
              },
            },
            bothEnded: {
              description: 'Both sides have sent their last byte; the socket closes by itself.',
              on: {
                ...ignored(['socket.ended', 'socket.finished'], 'A stream ends once.'),
                ...ignored(['socket.failed'], 'Every byte went both ways before; only the close counts.'),
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
      entry: ['unlinkSocket', 'dropOwner', 'releaseOwner', 'destroySocket'],
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
        ...ignored(['socket.ended'], 'The socket closes by itself once our side is flushed.'),
        ...ignored(['socket.failed'], 'Its close follows; nobody listens for the reason any more.'),
        'socket.finished': { actions: 'noteFlushed' },
        'socket.closed': { target: 'closed' },
        'client.abort': { target: 'aborting', actions: note('closing') },
      },
      after: { closeTimeout: { description: 'Too slow: abort.', actions: 'abortClose' } },
    },

    aborting: {
      description: 'Reset; the socket’s close is the end.',
      tags: 'holdsSocket',
      entry: ['resetSocket', 'destroySocket'],
      on: {
        ...noHook,
        ...dying,
        ...ignored(['client.close', 'client.abort'], 'It is being aborted already.'),
        'socket.closed': { target: 'aborted' },
      },
      after: { abortTimeout: { target: 'aborted', actions: 'abandonSocket' } },
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
