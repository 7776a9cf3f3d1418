/**
 * A backend connection, which may outlive its sockets. Its rules:
 *
 * 1. Which side ended a connection, and when, decides what follows: a failed attempt is retried, the loss of an established
 *    connection is a drop, the owner's close is final. Of a persistent backend a FIN from its server is such a loss, unless
 *    its owner has sent a FIN before; a socket that its owner destroys is none. That a close is final can be seen: it
 *    leaves `active`, and no transition leads back.
 * 2. Letting go of the owner's resources and closing the socket are two things, each done once: first unlink, then the
 *    holds end, then release; the socket closes in its own time.
 * 3. At most one socket is held. A state that may hold one is tagged `holdsSocket`; a state that holds none can be
 *    left at once.
 * 4. A stream is complete once its last byte and FIN are with the system, which delivers them. From then on only the
 *    owner's own abort resets it. A deadline lets the socket linger: incoming bytes are read and thrown away, for a
 *    bounded time, and then the socket is closed.
 *
 * Left out on purpose: which server is next and how long to back off (a policy answers `server.choose`), reports of
 * older sockets (an adapter forwards only those of the socket it opened last), and the bytes.
 *
 * This file is how a backend lives; `backend-ending.ts` is how it ends.
 */
import { assign, emit, raise, setup } from 'xstate';
import {
  abortIn,
  closedFirst,
  dying,
  flushing,
  holding,
  howItEnds,
  lateReports,
  linger,
  released,
  reset,
  resetReleased,
} from './backend-ending.js';
import { aborts, halfClose, ignored, type Note, note, notProbed } from './fragments.js';
import * as backend from './functions/backend.js';
import * as connection from './functions/connection.js';
import { causeNoted } from './functions/outcome.js';
import { type CauseHint, type Outcome, type Phase, QUIET_PROBES } from './vocabulary.js';

export type {
  BackendCommand,
  BackendContext,
  BackendEvent,
  BackendInput,
  BackendSettings,
} from './functions/backend.js';

const underWay = ignored(['backend.connect', 'backend.retry', 'backend.renew'], 'An attempt is under way already.');
const nothingToTry = ignored(['backend.connect', 'backend.retry'], 'It is connected: there is nothing to try.');
const nextIsWanted = {
  description: 'Once this one is cleared away, the next attempt follows; also where it would have rested.',
  actions: 'noteWanted',
} as const;
const nextFollows = {
  'backend.connect': nextIsWanted,
  'backend.renew': nextIsWanted,
  ...ignored(['backend.retry'], 'The next attempt follows once this one is cleared away.'),
} as const;

/** The owner’s close and abort where no socket is held. */
const endNow = <const A extends string>(phase: Phase, ...first: A[]) =>
  ({
    'backend.close': { target: '#backend.closed', actions: [...first, note(phase)] },
    'backend.abort': { target: '#backend.aborted', actions: [...first, note(phase)] },
  }) as const;

/** The owner’s close and abort of an attempt: `revoking` where a hook or holders must let go first. */
const endAttempt = (child: 'revoking' | 'destroying', phase: Phase) =>
  ({
    'backend.close': { target: `#backend.closing.${child}`, actions: ['noteCloseTimeout', note(phase)] },
    'backend.abort': { target: `#backend.aborting.${child}`, actions: note(phase) },
  }) as const;

/** The owner’s close of a backend that ends one connection already: the same end becomes that of the backend. */
const closeWhileRenewing = <const C extends 'holding' | 'flushing'>(child: C) =>
  ({
    'backend.close': { target: `#backend.closing.${child}`, actions: ['noteCloseTimeout', note('closing')] },
  }) as const;

/** No server can be chosen. */
const noServer = <const A extends readonly ('forgetServer' | Note)[]>(...actions: A) =>
  [
    { guard: 'isPersistent', target: 'exhausted', actions },
    { target: '#backend.failed', actions },
  ] as const;

/** Nothing is left of the last attempt: the next one follows, unless the attempts are used up, or none is wanted. */
const nextAttempt = <const A extends string>(...actions: A[]) =>
  [
    { guard: 'isUnwanted', target: '#backend.idle', actions: [...actions, 'restServers'] },
    { guard: 'hasAttemptsLeft', target: '#backend.active.choosing', actions },
    { guard: 'isPersistent', target: '#backend.active.exhausted', actions },
    { target: '#backend.failed', actions },
  ] as const;

/** The attempt has failed while the hook prepared it. */
const giveUp = (timeout?: string) =>
  ({ target: 'disposing.revoking', actions: ['unlinkSocket', note('preparing', timeout)] }) as const;

/** An established connection is lost. */
const lost = [
  { guard: 'isPersistent', target: '#backend.active.failover', actions: note('established') },
  { target: '#backend.dropping', actions: note('established') },
] as const;

/** The owner has destroyed the socket that it was given: that is no loss. */
const destroyed = [
  {
    guard: 'isPersistent',
    description: 'Another connection follows; its server has not failed.',
    target: '#backend.active.disposing.revoking',
    actions: ['noteLoss', 'dropServer', 'unlinkSocket', note('established')],
  },
  reset(['unlinkSocket'], 'established'),
] as const;

export const backendMachine = setup({
  types: {
    context: {} as backend.BackendContext,
    events: {} as backend.BackendEvent,
    emitted: {} as backend.BackendCommand,
    input: {} as backend.BackendInput,
    output: {} as Outcome,
    tags: {} as 'holdsSocket' | 'linked' | 'offered' | 'exhausted' | 'ending',
  },
  actions: {
    noteCause: assign<backend.BackendContext, backend.BackendEvent, CauseHint, backend.BackendEvent, never>({
      cause: causeNoted,
    }),
    noteUnexplained: assign({ cause: backend.closedUnexplained }),
    noteBackoff: assign({ backoffMs: backend.deferredMs }),
    noteCloseTimeout: assign({ closeTimeoutMs: connection.askedCloseTimeout }),
    noteLoss: assign({ loss: backend.lossOf }),
    noteDrop: assign({ loss: backend.lossOf, sent: 'lost' }),
    noteWanted: assign({ loss: backend.lossOnceAsked }),
    noteBytesWritten: assign({ sent: 'some' }),
    noteFlushed: assign({ sent: connection.flushedOrLost }),
    noteBytesLost: assign({ sent: 'lost' }),
    noteNothingWritten: assign({ sent: 'nothing' }),
    // A last word that the hook has sent is reported again.
    noteEstablished: assign({ loss: 'none', sent: 'some', cause: undefined }),
    noteClosed: assign({ ending: 'closed' }),
    countAttempt: assign({ cause: undefined, incarnation: backend.nextIncarnation, attempts: backend.nextAttempt }),
    resetAttempts: assign({ attempts: 0 }),
    expire: raise({ type: 'backend.expired' }),
    abortClose: raise({ type: 'backend.abort', deliver: true, cause: connection.deadline('closeTimeout') }),
    abortLinger: raise({ type: 'backend.abort', cause: connection.deadline('lingerMax') }),
    chooseServer: emit(backend.choose),
    forgetServer: emit({ type: 'server.forget' }),
    restoreServers: emit({ type: 'server.restore' }),
    dropServer: emit({ type: 'server.drop' }),
    renewServer: emit({ type: 'server.renew' }),
    restServers: emit(backend.rest),
    openSocket: emit(backend.open),
    endSocket: emit({ type: 'socket.end' }),
    lingerSocket: emit({ type: 'socket.linger' }),
    probeReads: emit({ type: 'socket.probe', bytes: 'read', times: 1 }),
    probeAll: emit({ type: 'socket.probe', bytes: 'all', times: QUIET_PROBES }),
    destroySocket: emit({ type: 'socket.destroy' }),
    resetSocket: emit({ type: 'socket.reset' }),
    unlinkSocket: emit({ type: 'socket.unlink' }),
    abandonSocket: emit({ type: 'socket.abandon' }),
    prepareOwner: emit(backend.prepare),
    establishOwner: emit(backend.establish),
    dropOwner: emit(backend.drop),
    releaseOwner: emit(backend.release),
    announceRetry: emit(backend.retry),
    exhaustOwner: emit(backend.exhaust),
    awaitHolds: emit({ type: 'holds.await' }),
    revokeHolds: emit({ type: 'holds.revoke' }),
  },
  guards: {
    isPersistent: backend.isPersistent,
    isUnwanted: backend.isUnwanted,
    hasAttemptsLeft: backend.hasAttemptsLeft,
    isFlushed: connection.isFlushed,
    isDeadline: connection.isDeadline,
    isToBeDelivered: connection.isToBeDelivered,
    wasReadForLong: connection.wasReadForLong,
    willBeClosed: connection.willBeClosed,
  },
  delays: {
    queueTimeout: backend.queueTimeout,
    connectTimeout: backend.connectTimeout,
    prepareTimeout: backend.prepareTimeout,
    disposeTimeout: backend.disposeTimeout,
    holdTimeout: backend.holdTimeout,
    stableAfter: backend.stableAfter,
    cooldown: backend.cooldown,
    backoff: backend.backoff,
    idleProbe: connection.idleProbe,
    halfCloseProbe: connection.halfCloseProbe,
    lingerTimeout: connection.lingerTimeout,
    lingerMax: connection.lingerMax,
    closeTimeout: connection.closeTimeout,
    abortTimeout: connection.abortTimeout,
  },
}).createMachine({
  id: 'backend',
  description: 'A connection to one of several servers, which may outlive its sockets.',
  context: backend.startOf,
  output: connection.outcomeOf,
  initial: 'idle',
  states: {
    idle: {
      description: 'The owner has not asked for a connection yet, or not since the last one was lost.',
      on: {
        ...lateReports('choice', 'socket', 'hook', 'holds', 'expiry'),
        ...ignored(['backend.retry'], 'There is no attempt to repeat.'),
        'backend.connect': { target: 'active', actions: ['noteWanted', 'resetAttempts'] },
        'backend.renew': { target: 'active', actions: ['noteWanted', 'resetAttempts'] },
        ...endNow('idle'),
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
            ...lateReports('socket', 'hook', 'holds', 'expiry'),
            ...underWay,
            'server.chosen': { target: 'connecting' },
            'server.deferred': { target: 'waiting', actions: ['noteBackoff', 'announceRetry'] },
            'server.exhausted': noServer(note('choosing')),
            ...endNow('choosing', 'forgetServer'),
          },
          after: { queueTimeout: noServer('forgetServer', note('choosing', 'queueTimeout')) },
        },

        waiting: {
          description: 'It backs off before the next attempt.',
          on: {
            ...lateReports('choice', 'socket', 'hook', 'holds', 'expiry'),
            ...ignored(['backend.connect', 'backend.renew'], 'The next attempt follows; `backend.retry` hastens it.'),
            'backend.retry': { target: 'choosing' },
            ...endNow('waiting'),
          },
          after: { backoff: { target: 'choosing' } },
        },

        connecting: {
          description: 'A socket is open and has not answered yet.',
          tags: 'holdsSocket',
          entry: ['countAttempt', 'openSocket'],
          on: {
            ...lateReports('choice', 'hook', 'holds', 'expiry'),
            ...underWay,
            ...notProbed,
            ...ignored(['socket.ended', 'socket.finished'], 'A handshake broken off: the close that follows decides.'),
            'socket.connected': { target: 'preparing' },
            'socket.failed': {
              description: 'A close follows every failure, and decides.',
              actions: note('connecting'),
            },
            'socket.closed': { target: 'disposing.destroying', actions: 'noteUnexplained' },
            ...endAttempt('destroying', 'connecting'),
          },
          after: {
            connectTimeout: { target: 'disposing.destroying', actions: note('connecting', 'connectTimeout') },
          },
        },

        preparing: {
          description: 'Connected; the owner’s hook makes it ready, and no other user sees it yet.',
          tags: ['holdsSocket', 'linked'],
          entry: ['noteBytesWritten', 'prepareOwner'],
          on: {
            ...lateReports('choice', 'holds', 'expiry', 'connect'),
            ...underWay,
            ...notProbed,
            'socket.finished': {
              description: 'The hook ended its side; what the peer does next decides.',
              actions: 'noteFlushed',
            },
            'owner.prepared': { target: 'established' },
            'owner.failed': giveUp(),
            'socket.ended': giveUp(),
            'socket.failed': giveUp(),
            'socket.closed': giveUp(),
            'backend.close': {
              target: '#backend.closing.revoking',
              actions: ['unlinkSocket', 'noteCloseTimeout', note('preparing')],
            },
            ...abortIn('preparing', 'unlinkSocket'),
          },
          after: { prepareTimeout: giveUp('prepareTimeout') },
        },

        established: {
          description: 'Offered to the owner: it can be written to, and held.',
          tags: ['holdsSocket', 'linked', 'offered'],
          entry: ['noteEstablished', 'establishOwner'],
          on: {
            ...lateReports('choice', 'hook', 'holds', 'expiry', 'connect'),
            ...nothingToTry,
            'socket.failed': lost,
            'socket.closed': destroyed,
            'backend.renew': [
              {
                guard: 'isPersistent',
                target: 'renewing',
                actions: ['resetAttempts', note('established'), 'renewServer'],
              },
              { description: 'One conversation is not renewed.' },
            ],
            'backend.close': {
              target: '#backend.closing.holding',
              actions: ['noteCloseTimeout', note('established')],
            },
            ...abortIn('established', 'unlinkSocket'),
          },
          after: {
            stableAfter: { description: 'It stayed up: failures are counted anew.', actions: 'resetAttempts' },
          },
          initial: 'open',
          states: halfClose({
            ended: [
              { guard: 'isPersistent', target: '#backend.active.failover', actions: note('established') },
              { target: 'peerEnded', actions: note('established') },
            ],
            idle: [
              {
                guard: 'isPersistent',
                description: 'A connection that is meant to last is replaced.',
                target: '#backend.active.failover',
                actions: ['resetSocket', note('established', 'idleTimeout')],
              },
              reset(['unlinkSocket'], 'established', 'idleTimeout'),
            ],
            stalled: reset(['unlinkSocket'], 'established', 'halfCloseTimeout'),
            silent: linger(['unlinkSocket'], 'established', 'halfCloseTimeout'),
            closed: { target: '#backend.releasing' },
          }),
        },

        renewing: {
          description: 'Another connection follows once this one has ended: gracefully, so that nothing is lost.',
          tags: 'holdsSocket',
          on: {
            ...lateReports('choice', 'hook', 'expiry', 'connect'),
            ...ignored(['backend.connect', 'backend.retry', 'backend.renew'], 'The next attempt follows.'),
            ...notProbed,
          },
          initial: 'holding',
          states: {
            holding: {
              ...holding({
                'socket.failed': [
                  {
                    guard: 'isFlushed',
                    description: 'We had ended it: that is no loss.',
                    target: '#backend.active.disposing.revoking',
                    actions: ['noteBytesLost', 'unlinkSocket'],
                  },
                  { target: '#backend.active.failover', actions: note('closing') },
                ],
                'socket.closed': { target: '#backend.active.disposing.revoking', actions: 'unlinkSocket' },
                ...closeWhileRenewing('holding'),
              }),
              after: {
                closeTimeout: {
                  target: '#backend.active.disposing.revoking',
                  actions: ['unlinkSocket', note('closing', 'closeTimeout')],
                },
              },
            },
            flushing: {
              ...flushing({
                'socket.closed': { target: '#backend.active.choosing', actions: 'noteNothingWritten' },
                ...closeWhileRenewing('flushing'),
                ...aborts(
                  'backend',
                  { target: '#backend.lingering.reading', actions: note('closing') } as const,
                  resetReleased,
                ),
              }),
              after: {
                closeTimeout: {
                  target: '#backend.active.disposing.destroying',
                  actions: note('closing', 'closeTimeout'),
                },
              },
            },
          },
        },

        disposing: {
          description: 'An attempt has failed; what it left is cleared away before the next.',
          on: { ...lateReports('choice', 'hook', 'expiry'), ...nextFollows, ...dying },
          initial: 'destroying',
          states: {
            revoking: {
              description: 'The hook was told to stop; the owner’s resources wait for it.',
              tags: 'holdsSocket',
              entry: ['destroySocket', 'revokeHolds'],
              on: { ...closedFirst, 'holds.emptied': released('destroying'), ...endAttempt('revoking', 'disposing') },
              after: { holdTimeout: released('destroying') },
            },
            destroying: {
              description: 'Nothing of the owner’s is left; the socket is destroyed, its close decides what is next.',
              tags: 'holdsSocket',
              entry: ['noteNothingWritten', 'destroySocket'],
              on: { ...lateReports('holds'), 'socket.closed': nextAttempt(), ...endAttempt('destroying', 'disposing') },
              after: { disposeTimeout: nextAttempt('abandonSocket') },
            },
          },
        },

        failover: {
          description:
            'Dropped: unlinked and destroyed; its holders were told and let go before the next server is chosen.',
          tags: 'holdsSocket',
          entry: ['unlinkSocket', 'noteDrop', 'dropServer', 'dropOwner', 'destroySocket', 'revokeHolds'],
          on: {
            ...lateReports('choice', 'hook', 'expiry'),
            ...nextFollows,
            ...dying,
            ...closedFirst,
            'holds.emptied': released('disposing.destroying'),
            ...endAttempt('revoking', 'disposing'),
          },
          after: { holdTimeout: released('disposing.destroying') },
        },

        exhausted: {
          description: 'Attempts used up, or every server excluded. It cools down; the owner can start it afresh.',
          tags: 'exhausted',
          entry: 'exhaustOwner',
          on: {
            ...lateReports('choice', 'socket', 'hook', 'holds', 'expiry'),
            'backend.connect': { target: 'choosing', actions: ['resetAttempts', 'restoreServers'] },
            'backend.renew': { target: 'choosing', actions: ['resetAttempts', 'restoreServers'] },
            'backend.retry': { target: 'choosing' },
            ...endNow('waiting'),
          },
          after: { cooldown: { target: 'choosing' } },
        },
      },
    },

    ...howItEnds,
  },
});
