/**
 * The life of a backend connection, which may outlive its sockets. Its rules:
 *
 * 1. Who ended it, and when, decides what follows: a failed attempt is retried, the loss of an established connection
 *    is a drop, the owner's close is final. That close is final can be seen: it leaves `active`, and no arrow returns.
 * 2. Letting go of the owner's resources and closing the socket are two things, each done once: first unlink, then the
 *    holds end, then release; the socket dies on its own time.
 * 3. At most one socket is held. A state that may hold one is tagged `holdsSocket`; a state that holds none can be
 *    left at once.
 * 4. A stream is complete once its last byte and FIN are with the system, which delivers them. From then on only the
 *    owner's own abort resets it. A deadline lets go of it: what the peer still sends is read and thrown away, for a
 *    bounded time, and then the socket is closed.
 *
 * Left out on purpose: which server is next and how long to back off (a policy answers `server.choose`), reports of
 * older sockets (an adapter forwards only those of the socket it opened last), and the bytes.
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

/** What all connections of one configuration share: limits and waits, in milliseconds (`NEVER_MS` for none). */
export interface BackendSettings {
  /** True: a drop is followed by a new connection. False: one conversation, whose end or drop is final. */
  readonly persistent: boolean;
  /** Attempts in a row that may fail, counted until a connection stayed up for `stableAfter`. */
  readonly attemptsMax: number;
  readonly chooseTimeout: number;
  readonly connectTimeout: number;
  readonly prepareTimeout: number;
  /** Without a byte in either direction. */
  readonly idleTimeout: number;
  /** Takes the place of `idleTimeout` once one side has ended. */
  readonly halfCloseTimeout: number;
  readonly disposeTimeout: number;
  readonly holdTimeout: number;
  readonly closeTimeout: number;
  readonly abortTimeout: number;
  /** Without a byte from a peer that was let go of. */
  readonly lingerTimeout: number;
  /** All the time for a peer that was let go of. */
  readonly lingerMax: number;
  readonly stableAfter: number;
  /** How long an exhausted persistent backend rests before it tries again. */
  readonly restTimeout: number;
}

export interface BackendInput {
  readonly settings: BackendSettings;
}

export interface BackendContext {
  readonly settings: BackendSettings;
  /** Numbers the sockets of this life, from 1. */
  incarnation: number;
  /** Attempts since the last stable connection. */
  attempts: number;
  /** True from a drop until the next connection is offered: it must be repaired first. */
  dropped: boolean;
  sent: Sent;
  /** How it will have ended once a peer that was let go of has closed. */
  ending: Ending;
  backoffMs: number;
  closeTimeoutMs: number;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type BackendEvent =
  /** The owner asks for a connection. */
  | { type: 'backend.connect' }
  /** The owner wants the next attempt now. */
  | { type: 'backend.retry' }
  /** The owner ends the life, gracefully. */
  | { type: 'backend.close'; timeoutMs?: number; cause?: Report }
  /**
   * The owner ends the life at once. With `deliver` it is no owner's wish, but a deadline or the loss of the other leg:
   * a stream that is complete is then let go of, and not reset.
   */
  | { type: 'backend.abort'; cause?: Report; deliver?: boolean }
  /** An abort took too long. */
  | { type: 'backend.expired' }
  | { type: 'server.chosen' }
  | { type: 'server.deferred'; delayMs: number }
  | { type: 'server.exhausted'; cause: Report }
  | { type: 'socket.connected' }
  | { type: 'socket.ended' }
  | { type: 'socket.finished' }
  | { type: 'socket.failed'; cause: Report }
  | { type: 'socket.closed' }
  /** The socket was probed as often as was asked for, and nothing has moved. */
  | { type: 'socket.idled' }
  | { type: 'owner.prepared' }
  | { type: 'owner.failed'; cause: Report }
  | { type: 'holds.emptied' };

export type BackendCommand =
  /** Choose a server for the next attempt; `cause` says why the last one was not the last. */
  | { type: 'server.choose'; attempt: number; cause: Cause | undefined }
  /** The choice is no longer wanted. */
  | { type: 'server.forget' }
  /** The owner starts afresh: servers that were excluded may be tried again. */
  | { type: 'server.restore' }
  | { type: 'socket.open'; incarnation: number }
  /** FIN after the last byte written; what still arrives is read and thrown away. */
  | { type: 'socket.end' }
  /** What still arrives is read and thrown away, and counts for the next probe. */
  | { type: 'socket.linger' }
  /** Compare a byte counter; report `socket.idled` if it has stood still for this many probes in a row. */
  | { type: 'socket.probe'; bytes: 'all' | 'read'; times: number }
  /** Close it at once: as a reset, unless our FIN is out, or the peer has ended and nothing waits to be written. */
  | { type: 'socket.destroy' }
  | { type: 'socket.reset' }
  /** Take the owner's listeners off the socket. */
  | { type: 'socket.unlink' }
  /** The socket's close never came: forget it. */
  | { type: 'socket.abandon' }
  | { type: 'owner.prepare'; incarnation: number; repair: boolean }
  | { type: 'owner.establish'; incarnation: number }
  | { type: 'owner.drop'; incarnation: number; cause: Cause }
  | { type: 'owner.release'; incarnation: number }
  | { type: 'owner.retry'; attempt: number; delayMs: number; cause: Cause }
  | { type: 'owner.exhaust'; cause: Cause }
  /** Report `holds.emptied` as soon as nobody holds this incarnation, which may be now. */
  | { type: 'holds.await' }
  /** The same, and tell the holders to let go. */
  | { type: 'holds.revoke' };

const SERVER = ['server.chosen', 'server.deferred', 'server.exhausted'] as const;
const SOCKET = [
  'socket.connected',
  'socket.ended',
  'socket.finished',
  'socket.failed',
  'socket.closed',
  'socket.idled',
] as const;
const OWNER = ['owner.prepared', 'owner.failed'] as const;

const noChoice = ignored(SERVER, 'No choice is pending; the adapter gives a late answer back.');
const noSocket = ignored(SOCKET, 'No socket is held: a late report of one that is gone.');
const noHook = ignored(OWNER, 'No hook is awaited: one that was told to stop has settled late.');
const noHolds = ignored(['holds.emptied'], 'Nobody waits for the holds.');
const notExpired = ignored(['backend.expired'], 'Only an abort expires.');
const underWay = ignored(['backend.connect', 'backend.retry'], 'An attempt is under way already.');
const connected = ignored(['backend.connect', 'backend.retry'], 'It is connected: there is nothing to try.');
const nextFollows = ignored(
  ['backend.connect', 'backend.retry'],
  'The next attempt follows once this one is cleared away.',
);
const over = ignored(['backend.connect', 'backend.retry'], 'The end is decided; a new life is a new handle.');
const decided = ignored(['backend.close'], 'The end is decided already; an abort hastens it.');
const notProbed = ignored(['socket.idled'], 'No probe is out.');
const dying = ignored(
  ['socket.connected', 'socket.ended', 'socket.finished', 'socket.failed', 'socket.idled'],
  'The socket is being destroyed: only its close counts.',
);
const closedFirst = ignored(['socket.closed'], 'The socket is gone first; whoever waits for that asks again.');

export const backendMachine = setup({
  types: {
    context: {} as BackendContext,
    events: {} as BackendEvent,
    emitted: {} as BackendCommand,
    input: {} as BackendInput,
    output: {} as Outcome,
    tags: {} as 'holdsSocket',
  },
  actions: {
    noteCause: assign({ cause: ({ event }, hint: CauseHint) => causeOf(event, hint) }),
    noteBackoff: assign({ backoffMs: ({ event }) => ('delayMs' in event ? event.delayMs : 0) }),
    noteCloseTimeout: assign({
      closeTimeoutMs: ({ context, event }) =>
        (event.type === 'backend.close' ? event.timeoutMs : undefined) ?? context.settings.closeTimeout,
    }),
    noteDrop: assign({ dropped: true, sent: 'lost' }),
    noteLinked: assign({ sent: 'some' }),
    noteFlushed: assign({ sent: ({ context }) => (context.sent === 'lost' ? 'lost' : 'all') }),
    noteLost: assign({ sent: 'lost' }),
    noteClosed: assign({ ending: 'closed' }),
    noteNothingWritten: assign({ sent: 'nothing' }),
    // A last word that the hook has sent is reported again.
    noteEstablished: assign({ dropped: false, sent: 'some', cause: undefined }),
    noteUnexplained: assign({
      cause: ({ context, event }) => context.cause ?? causeOf(event, { phase: 'connecting' }),
    }),
    countAttempt: assign({
      cause: undefined,
      incarnation: ({ context }) => context.incarnation + 1,
      attempts: ({ context }) => context.attempts + 1,
    }),
    resetAttempts: assign({ attempts: 0 }),
    expire: raise({ type: 'backend.expired' }),
    abortClose: raise({
      type: 'backend.abort',
      deliver: true,
      cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
    }),
    abortLinger: raise({
      type: 'backend.abort',
      cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'lingerMax' },
    }),
    chooseServer: emit(({ context }) => ({
      type: 'server.choose',
      attempt: context.attempts,
      cause: context.cause,
    })),
    forgetServer: emit({ type: 'server.forget' }),
    restoreServers: emit({ type: 'server.restore' }),
    openSocket: emit(({ context }) => ({ type: 'socket.open', incarnation: context.incarnation })),
    endSocket: emit({ type: 'socket.end' }),
    lingerSocket: emit({ type: 'socket.linger' }),
    probeReads: emit({ type: 'socket.probe', bytes: 'read', times: 1 }),
    probeAll: emit({ type: 'socket.probe', bytes: 'all', times: QUIET_PROBES }),
    destroySocket: emit({ type: 'socket.destroy' }),
    resetSocket: emit({ type: 'socket.reset' }),
    unlinkSocket: emit({ type: 'socket.unlink' }),
    abandonSocket: emit({ type: 'socket.abandon' }),
    prepareOwner: emit(({ context }) => ({
      type: 'owner.prepare',
      incarnation: context.incarnation,
      repair: context.dropped,
    })),
    establishOwner: emit(({ context }) => ({ type: 'owner.establish', incarnation: context.incarnation })),
    dropOwner: emit(({ context }) => ({
      type: 'owner.drop',
      incarnation: context.incarnation,
      cause: context.cause as Cause,
    })),
    releaseOwner: emit(({ context }) => ({ type: 'owner.release', incarnation: context.incarnation })),
    announceRetry: emit(({ context }) => ({
      type: 'owner.retry',
      attempt: context.attempts + 1,
      delayMs: context.backoffMs,
      cause: context.cause as Cause,
    })),
    exhaustOwner: emit(({ context }) => ({ type: 'owner.exhaust', cause: context.cause as Cause })),
    awaitHolds: emit({ type: 'holds.await' }),
    revokeHolds: emit({ type: 'holds.revoke' }),
  },
  guards: {
    isPersistent: ({ context }) => context.settings.persistent,
    hasAttemptsLeft: ({ context }) => context.attempts < context.settings.attemptsMax,
    isDeadline: ({ event }) => event.type === 'backend.abort' && event.deliver === true,
    isToBeDelivered: ({ context, event }) =>
      context.sent === 'all' && event.type === 'backend.abort' && event.deliver === true,
    wasReadForLong: ({ context }) => context.closeTimeoutMs >= context.settings.lingerTimeout,
    willBeClosed: ({ context }) => context.ending === 'closed',
  },
  delays: {
    chooseTimeout: ({ context }) => context.settings.chooseTimeout,
    connectTimeout: ({ context }) => context.settings.connectTimeout,
    prepareTimeout: ({ context }) => context.settings.prepareTimeout,
    disposeTimeout: ({ context }) => context.settings.disposeTimeout,
    holdTimeout: ({ context }) => context.settings.holdTimeout,
    idleProbe: ({ context }) => probeEvery(context.settings.idleTimeout),
    halfCloseProbe: ({ context }) => probeEvery(context.settings.halfCloseTimeout),
    lingerTimeout: ({ context }) => context.settings.lingerTimeout,
    lingerMax: ({ context }) => context.settings.lingerMax,
    closeTimeout: ({ context }) => context.closeTimeoutMs,
    abortTimeout: ({ context }) => context.settings.abortTimeout,
    stableAfter: ({ context }) => context.settings.stableAfter,
    restTimeout: ({ context }) => context.settings.restTimeout,
    backoff: ({ context }) => context.backoffMs,
  },
}).createMachine({
  id: 'backend',
  description: 'A connection to one of several servers, which may outlive its sockets.',
  context: ({ input }) => ({
    settings: input.settings,
    incarnation: 0,
    attempts: 0,
    dropped: false,
    sent: 'nothing',
    ending: 'aborted',
    backoffMs: 0,
    closeTimeoutMs: input.settings.closeTimeout,
    cause: undefined,
  }),
  output: ({ context, event }) => ({
    ending: event.output as Ending,
    cause: context.cause as Cause,
    flushed: isWhole(context.sent),
  }),
  initial: 'idle',
  states: {
    idle: {
      description: 'Nobody has asked for a connection yet.',
      on: {
        ...noChoice,
        ...noSocket,
        ...noHook,
        ...noHolds,
        ...notExpired,
        ...ignored(['backend.retry'], 'There was no attempt to repeat.'),
        'backend.connect': { target: 'active' },
        'backend.close': { target: 'closed', actions: note('idle') },
        'backend.abort': { target: 'aborted', actions: note('idle') },
      },
    },

    active: {
      description: 'A connection is wanted. The owner’s close and abort leave this state, and nothing leads back.',
      initial: 'choosing',
      states: {
        choosing: {
          description: 'A server is being chosen; while every server is full, it waits here.',
          entry: 'chooseServer',
          on: {
            ...noSocket,
            ...noHook,
            ...noHolds,
            ...underWay,
            ...notExpired,
            'server.chosen': { target: 'connecting' },
            'server.deferred': { target: 'waiting', actions: ['noteBackoff', 'announceRetry'] },
            'server.exhausted': [
              { guard: 'isPersistent', target: 'exhausted', actions: note('choosing') },
              { target: '#backend.failed', actions: note('choosing') },
            ],
            'backend.close': { target: '#backend.closed', actions: ['forgetServer', note('choosing')] },
            'backend.abort': { target: '#backend.aborted', actions: ['forgetServer', note('choosing')] },
          },
          after: {
            chooseTimeout: [
              {
                guard: 'isPersistent',
                target: 'exhausted',
                actions: ['forgetServer', note('choosing', 'chooseTimeout')],
              },
              { target: '#backend.failed', actions: ['forgetServer', note('choosing', 'chooseTimeout')] },
            ],
          },
        },

        waiting: {
          description: 'It backs off before the next attempt.',
          on: {
            ...noChoice,
            ...noSocket,
            ...noHook,
            ...noHolds,
            ...notExpired,
            ...ignored(['backend.connect'], 'The next attempt follows; `backend.retry` hastens it.'),
            'backend.retry': { target: 'choosing' },
            'backend.close': { target: '#backend.closed', actions: note('waiting') },
            'backend.abort': { target: '#backend.aborted', actions: note('waiting') },
          },
          after: { backoff: { target: 'choosing' } },
        },

        connecting: {
          description: 'A socket is open and has not answered yet.',
          tags: 'holdsSocket',
          entry: ['countAttempt', 'openSocket'],
          on: {
            ...noChoice,
            ...noHook,
            ...noHolds,
            ...underWay,
            ...notExpired,
            ...notProbed,
            ...ignored(['socket.ended', 'socket.finished'], 'A handshake broken off: the close that follows decides.'),
            'socket.connected': { target: 'preparing' },
            'socket.failed': {
              description: 'A close follows every failure, and decides.',
              actions: note('connecting'),
            },
            'socket.closed': { target: 'disposing.destroying', actions: 'noteUnexplained' },
            'backend.close': {
              target: '#backend.closing.destroying',
              actions: ['noteCloseTimeout', note('connecting')],
            },
            'backend.abort': { target: '#backend.aborting.destroying', actions: note('connecting') },
          },
          after: {
            connectTimeout: { target: 'disposing.destroying', actions: note('connecting', 'connectTimeout') },
          },
        },

        preparing: {
          description: 'Connected; the owner’s hook makes it ready, and nobody else sees it yet.',
          tags: 'holdsSocket',
          entry: ['noteLinked', 'prepareOwner'],
          on: {
            ...noChoice,
            ...noHolds,
            ...underWay,
            ...notExpired,
            ...ignored(['socket.connected'], 'It is connected already.'),
            ...notProbed,
            'socket.finished': {
              description: 'The hook ended its side; what the peer does next decides.',
              actions: 'noteFlushed',
            },
            'owner.prepared': { target: 'established' },
            'owner.failed': { target: 'disposing.revoking', actions: ['unlinkSocket', note('preparing')] },
            'socket.ended': { target: 'disposing.revoking', actions: ['unlinkSocket', note('preparing')] },
            'socket.failed': { target: 'disposing.revoking', actions: ['unlinkSocket', note('preparing')] },
            'socket.closed': { target: 'disposing.revoking', actions: ['unlinkSocket', note('preparing')] },
            'backend.close': {
              target: '#backend.closing.revoking',
              actions: ['unlinkSocket', 'noteCloseTimeout', note('preparing')],
            },
            'backend.abort': [
              {
                guard: 'isToBeDelivered',
                target: '#backend.lingering',
                actions: ['unlinkSocket', note('preparing')],
              },
              { target: '#backend.aborting.revoking', actions: ['unlinkSocket', note('preparing')] },
            ],
          },
          after: {
            prepareTimeout: {
              target: 'disposing.revoking',
              actions: ['unlinkSocket', note('preparing', 'prepareTimeout')],
            },
          },
        },

        established: {
          description: 'Offered to the owner: it can be written to, and held.',
          tags: 'holdsSocket',
          entry: ['noteEstablished', 'establishOwner'],
          on: {
            ...noChoice,
            ...noHook,
            ...noHolds,
            ...connected,
            ...notExpired,
            ...ignored(['socket.connected'], 'It is connected already.'),
            'socket.failed': [
              { guard: 'isPersistent', target: 'failover', actions: note('established') },
              { target: '#backend.dropping', actions: note('established') },
            ],
            'socket.closed': [
              { guard: 'isPersistent', target: 'failover', actions: note('established') },
              { target: '#backend.dropping', actions: note('established') },
            ],
            'backend.close': {
              target: '#backend.closing.holding',
              actions: ['noteCloseTimeout', note('established')],
            },
            'backend.abort': [
              {
                guard: 'isToBeDelivered',
                target: '#backend.lingering',
                actions: ['unlinkSocket', note('established')],
              },
              { target: '#backend.aborting.revoking', actions: ['unlinkSocket', note('established')] },
            ],
          },
          after: {
            stableAfter: { description: 'It stayed up: failures are counted anew.', actions: 'resetAttempts' },
          },
          initial: 'open',
          states: {
            open: {
              description: 'Bytes flow both ways.',
              on: {
                'socket.ended': [
                  { guard: 'isPersistent', target: '#backend.active.failover', actions: note('established') },
                  { target: 'peerEnded', actions: note('established') },
                ],
                'socket.finished': { target: 'localEnded', actions: ['noteFlushed', note('established')] },
                'socket.idled': [
                  {
                    guard: 'isPersistent',
                    description: 'A connection that is meant to last is replaced.',
                    target: '#backend.active.failover',
                    actions: ['resetSocket', note('established', 'idleTimeout')],
                  },
                  {
                    target: '#backend.aborting.revoking',
                    actions: ['unlinkSocket', note('established', 'idleTimeout')],
                  },
                ],
              },
              after: { idleProbe: { target: 'open', reenter: true, actions: 'probeAll' } },
            },
            peerEnded: {
              description: 'The peer has sent its last byte; ours go on.',
              on: {
                ...ignored(['socket.ended'], 'A stream ends once.'),
                'socket.finished': { target: 'bothEnded', actions: 'noteFlushed' },
                'socket.idled': {
                  target: '#backend.aborting.revoking',
                  actions: ['unlinkSocket', note('established', 'halfCloseTimeout')],
                },
              },
              after: { halfCloseProbe: { target: 'peerEnded', reenter: true, actions: 'probeAll' } },
            },
            localEnded: {
              description: 'We have sent our last byte; the peer’s go on. Nobody new is offered the connection.',
              on: {
                ...ignored(['socket.finished'], 'A stream ends once.'),
                'socket.ended': { target: 'bothEnded' },
                'socket.idled': {
                  target: '#backend.lingering',
                  actions: ['unlinkSocket', note('established', 'halfCloseTimeout')],
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
                'socket.closed': { target: '#backend.ending' },
              },
            },
          },
        },

        disposing: {
          description: 'An attempt has failed; what it left is cleared away before the next.',
          on: {
            ...noChoice,
            ...noHook,
            ...nextFollows,
            ...notExpired,
            ...dying,
          },
          initial: 'destroying',
          states: {
            revoking: {
              description: 'The hook was told to stop; the owner’s resources wait for it.',
              tags: 'holdsSocket',
              entry: ['destroySocket', 'revokeHolds'],
              on: {
                ...closedFirst,
                'holds.emptied': { target: 'destroying', actions: 'releaseOwner' },
                'backend.close': {
                  target: '#backend.closing.revoking',
                  actions: ['noteCloseTimeout', note('preparing')],
                },
                'backend.abort': { target: '#backend.aborting.revoking', actions: note('preparing') },
              },
              after: { holdTimeout: { target: 'destroying', actions: 'releaseOwner' } },
            },
            destroying: {
              description: 'Nothing of the owner’s is left; the socket is destroyed, its close decides what is next.',
              tags: 'holdsSocket',
              entry: ['noteNothingWritten', 'destroySocket'],
              on: {
                ...noHolds,
                'socket.closed': [
                  { guard: 'hasAttemptsLeft', target: '#backend.active.choosing' },
                  { guard: 'isPersistent', target: '#backend.active.exhausted' },
                  { target: '#backend.failed' },
                ],
                'backend.close': {
                  target: '#backend.closing.destroying',
                  actions: ['noteCloseTimeout', note('waiting')],
                },
                'backend.abort': { target: '#backend.aborting.destroying', actions: note('waiting') },
              },
              after: {
                disposeTimeout: [
                  { guard: 'hasAttemptsLeft', target: '#backend.active.choosing', actions: 'abandonSocket' },
                  { guard: 'isPersistent', target: '#backend.active.exhausted', actions: 'abandonSocket' },
                  { target: '#backend.failed', actions: 'abandonSocket' },
                ],
              },
            },
          },
        },

        failover: {
          description:
            'Dropped: unlinked and destroyed; its holders were told and let go before the next server is chosen.',
          tags: 'holdsSocket',
          entry: ['unlinkSocket', 'noteDrop', 'dropOwner', 'destroySocket', 'revokeHolds'],
          on: {
            ...noChoice,
            ...noHook,
            ...nextFollows,
            ...notExpired,
            ...dying,
            ...closedFirst,
            'holds.emptied': { target: 'disposing.destroying', actions: 'releaseOwner' },
            'backend.close': {
              target: '#backend.closing.revoking',
              actions: ['noteCloseTimeout', note('waiting')],
            },
            'backend.abort': { target: '#backend.aborting.revoking', actions: note('waiting') },
          },
          after: { holdTimeout: { target: 'disposing.destroying', actions: 'releaseOwner' } },
        },

        exhausted: {
          description: 'Attempts used up, or every server excluded. It rests, and can be told to start afresh.',
          entry: 'exhaustOwner',
          on: {
            ...noChoice,
            ...noSocket,
            ...noHook,
            ...noHolds,
            ...notExpired,
            'backend.connect': { target: 'choosing', actions: ['resetAttempts', 'restoreServers'] },
            'backend.retry': { target: 'choosing' },
            'backend.close': { target: '#backend.closed', actions: note('waiting') },
            'backend.abort': { target: '#backend.aborted', actions: note('waiting') },
          },
          after: { restTimeout: { target: 'choosing' } },
        },
      },
    },

    ending: {
      description: 'The conversation is over and its socket closed; the last holders let go.',
      entry: ['unlinkSocket', 'revokeHolds'],
      on: {
        ...noChoice,
        ...noSocket,
        ...noHook,
        ...over,
        ...notExpired,
        'holds.emptied': { target: 'ended', actions: 'releaseOwner' },
        'backend.close': {
          description: 'The owner waits no longer for holders that were told.',
          target: 'ended',
          actions: 'releaseOwner',
        },
        'backend.abort': {
          description: 'The owner waits no longer for holders that were told.',
          target: 'ended',
          actions: 'releaseOwner',
        },
      },
      after: { holdTimeout: { target: 'ended', actions: 'releaseOwner' } },
    },

    dropping: {
      description: 'The conversation was lost: unlinked and destroyed, and not replaced.',
      entry: ['noteLost', 'unlinkSocket', 'dropOwner'],
      on: {
        ...noChoice,
        ...noHook,
        ...over,
        ...notExpired,
        ...dying,
      },
      initial: 'revoking',
      states: {
        revoking: {
          description: 'Its holders were told and let go.',
          tags: 'holdsSocket',
          entry: ['destroySocket', 'revokeHolds'],
          on: {
            ...closedFirst,
            'holds.emptied': { target: 'destroying', actions: 'releaseOwner' },
            'backend.close': {
              description: 'The owner waits no longer for holders that were told.',
              target: 'destroying',
              actions: 'releaseOwner',
            },
            'backend.abort': {
              description: 'The owner waits no longer for holders that were told.',
              target: 'destroying',
              actions: 'releaseOwner',
            },
          },
          after: { holdTimeout: { target: 'destroying', actions: 'releaseOwner' } },
        },
        destroying: {
          description: 'Released; the socket’s close is the end.',
          tags: 'holdsSocket',
          entry: 'destroySocket',
          on: {
            ...noHolds,
            ...ignored(['backend.close', 'backend.abort'], 'It is over as soon as the socket has closed.'),
            'socket.closed': { target: '#backend.dropped' },
          },
          after: { disposeTimeout: { target: '#backend.dropped', actions: 'abandonSocket' } },
        },
      },
    },

    closing: {
      description: 'Closed by the owner, gracefully; what takes too long is aborted.',
      tags: 'holdsSocket',
      on: {
        ...noChoice,
        ...noHook,
        ...over,
        ...decided,
        ...notExpired,
        ...notProbed,
        ...ignored(['socket.connected'], 'An attempt that succeeds late: its socket is destroyed already.'),
      },
      after: { closeTimeout: { description: 'Too slow: reset, unless all was sent.', actions: 'abortClose' } },
      initial: 'holding',
      states: {
        holding: {
          description: 'No new holds; those there are finish their work on the linked socket.',
          entry: 'awaitHolds',
          on: {
            ...ignored(['socket.ended'], 'The holders read on to the end; ours is sent when they let go.'),
            'socket.finished': { actions: 'noteFlushed' },
            'socket.failed': { target: 'revoking', actions: ['noteLost', 'unlinkSocket'] },
            'socket.closed': { target: 'revoking', actions: 'unlinkSocket' },
            'holds.emptied': { target: 'flushing', actions: ['unlinkSocket', 'releaseOwner'] },
            'backend.abort': [
              {
                guard: 'isToBeDelivered',
                target: '#backend.lingering',
                actions: ['unlinkSocket', note('closing')],
              },
              { target: '#backend.aborting.revoking', actions: ['unlinkSocket', note('closing')] },
            ],
          },
        },
        revoking: {
          description: 'Unlinked; the holders, or the hook, were told to let go.',
          entry: 'revokeHolds',
          on: {
            ...closedFirst,
            ...ignored(['socket.ended'], 'The owner has let go; the socket is ended next.'),
            'socket.failed': { description: 'The owner has let go; its close follows.', actions: 'noteLost' },
            'socket.finished': { actions: 'noteFlushed' },
            'holds.emptied': { target: 'flushing', actions: 'releaseOwner' },
            'backend.abort': [
              { guard: 'isToBeDelivered', target: '#backend.lingering', actions: note('closing') },
              { target: '#backend.aborting.revoking', actions: note('closing') },
            ],
          },
        },
        flushing: {
          description: 'Every byte and a FIN are sent; what still comes is read and thrown away until the peer ends.',
          entry: 'endSocket',
          on: {
            ...noHolds,
            ...ignored(['socket.ended'], 'The socket closes by itself once our side is flushed.'),
            'socket.failed': {
              description: 'Its close follows; what had not arrived does not arrive any more.',
              actions: 'noteLost',
            },
            'socket.finished': { actions: 'noteFlushed' },
            'socket.closed': { target: '#backend.closed' },
            'backend.abort': [
              { guard: 'isToBeDelivered', target: '#backend.lingering.probed', actions: 'noteClosed' },
              { target: '#backend.aborting.destroying', actions: ['noteLost', 'resetSocket', note('closing')] },
            ],
          },
        },
        destroying: {
          description: 'It was never the owner’s: nothing to flush, so it is destroyed.',
          entry: 'destroySocket',
          on: {
            ...noHolds,
            ...ignored(['socket.ended', 'socket.finished', 'socket.failed'], 'Only the close counts.'),
            'socket.closed': { target: '#backend.closed' },
            'backend.abort': { target: '#backend.aborting.destroying', actions: note('closing') },
          },
        },
      },
    },

    lingering: {
      description:
        'Its time is up, but our last byte and FIN are with the system, which delivers them unless bytes arrive at a closed socket: what still comes is read and thrown away until nothing comes any more.',
      tags: 'holdsSocket',
      on: {
        ...noChoice,
        ...noHook,
        ...over,
        ...decided,
        ...notExpired,
        ...ignored(['socket.connected'], 'It is connected already.'),
        ...ignored(['socket.ended'], 'The socket closes by itself.'),
        ...ignored(['socket.finished'], 'A stream ends once.'),
        'socket.failed': {
          description: 'Its close follows; what had not arrived does not arrive any more.',
          actions: 'noteLost',
        },
      },
      after: { lingerMax: { description: 'The peer sends on: reset.', actions: 'abortLinger' } },
      initial: 'revoking',
      states: {
        revoking: {
          description: 'Unlinked; its holders were told to let go.',
          entry: ['lingerSocket', 'revokeHolds'],
          on: {
            ...closedFirst,
            ...notProbed,
            'holds.emptied': { target: 'reading', actions: 'releaseOwner' },
            'backend.abort': [
              { guard: 'isDeadline', description: 'It is let go of already.' },
              { target: '#backend.aborting.revoking', actions: note('closing') },
            ],
          },
          after: { holdTimeout: { target: 'reading', actions: 'releaseOwner' } },
        },
        probed: {
          description:
            'It was read since our end was asked for: where nothing has come in all that time, that will do.',
          always: [{ guard: 'wasReadForLong', target: 'reading', actions: 'probeReads' }, { target: 'reading' }],
        },
        reading: {
          description: 'Whatever comes is thrown away; it is looked at again after each `lingerTimeout`.',
          entry: 'lingerSocket',
          on: {
            ...noHolds,
            'socket.idled': { target: '#backend.parting' },
            'socket.closed': { target: '#backend.left' },
            'backend.abort': [
              { guard: 'isDeadline', description: 'It is let go of already.' },
              { target: '#backend.aborting.destroying', actions: ['noteLost', 'resetSocket', note('closing')] },
            ],
          },
          after: { lingerTimeout: { target: 'reading', reenter: true, actions: 'probeReads' } },
        },
      },
    },

    parting: {
      description: 'The peer is silent: the socket is closed, and the system delivers what is still on its way.',
      tags: 'holdsSocket',
      entry: 'destroySocket',
      on: {
        ...noChoice,
        ...noHook,
        ...noHolds,
        ...over,
        ...notExpired,
        ...dying,
        ...ignored(['backend.close', 'backend.abort'], 'It is over as soon as the socket has closed.'),
        'socket.closed': { target: 'left' },
      },
      after: { abortTimeout: { target: 'left', actions: 'abandonSocket' } },
    },

    left: {
      description: 'Let go of; why was decided before.',
      always: [{ guard: 'willBeClosed', target: 'closed' }, { target: 'aborted' }],
    },

    aborting: {
      description: 'Aborted: reset at once; then only the close is awaited.',
      tags: 'holdsSocket',
      on: {
        ...noChoice,
        ...noHook,
        ...over,
        ...dying,
        ...ignored(['backend.close', 'backend.abort'], 'It is being aborted already.'),
      },
      after: { abortTimeout: { description: 'Its close, or a holder, stays away: done without.', actions: 'expire' } },
      initial: 'revoking',
      states: {
        revoking: {
          description: 'Reset; the holders, or the hook, were told to let go.',
          entry: ['noteLost', 'resetSocket', 'revokeHolds'],
          on: {
            ...closedFirst,
            'holds.emptied': { target: 'destroying', actions: 'releaseOwner' },
            'backend.expired': { target: '#backend.aborted', actions: ['releaseOwner', 'abandonSocket'] },
          },
        },
        destroying: {
          description: 'Nothing of the owner’s is left; the socket’s close is the end.',
          entry: 'destroySocket',
          on: {
            ...noHolds,
            'socket.closed': { target: '#backend.aborted' },
            'backend.expired': { target: '#backend.aborted', actions: 'abandonSocket' },
          },
        },
      },
    },

    ended: { type: 'final', description: 'Both sides sent FIN after their last byte.', output: 'ended' },
    closed: { type: 'final', description: 'Closed by the owner.', output: 'closed' },
    aborted: {
      type: 'final',
      description: 'Aborted by the owner, or by a close that took too long.',
      output: 'aborted',
    },
    dropped: { type: 'final', description: 'One conversation, lost after it was established.', output: 'dropped' },
    failed: {
      type: 'final',
      description: 'One conversation that never came up; the attempts are used up.',
      output: 'failed',
    },
  },
});
