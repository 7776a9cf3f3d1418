/**
 * How a backend ends: the second half of the statechart in `backend.ts`. No state of this file leads back to
 * `active`. Nearly all of them do two things, in this order: the holders let go of the connection, and the socket closes.
 */
import {
  aborts,
  almostOver,
  closeChangesNothing,
  failedLate,
  final,
  finalStates,
  finishedOnce,
  ignored,
  note,
  notProbed,
  probed,
  reading,
} from './fragments.js';
import type { Phase } from './vocabulary.js';

/** Reports and requests that come when nothing is left for them to change, each kind with its reason. */
const LATE_REPORTS = {
  choice: ignored(
    ['server.chosen', 'server.deferred', 'server.exhausted'],
    'No choice is pending; the adapter gives a late answer back.',
  ),
  socket: ignored(
    ['socket.connected', 'socket.ended', 'socket.finished', 'socket.failed', 'socket.closed', 'socket.idled'],
    'No socket is held: a late report of one that is gone.',
  ),
  hook: ignored(['owner.prepared', 'owner.failed'], 'No hook is awaited: one that was told to stop has settled late.'),
  holds: ignored(['holds.emptied'], 'The holds are not awaited.'),
  expiry: ignored(['backend.expired'], 'Only an abort expires.'),
  connect: ignored(['socket.connected'], 'It is connected already.'),
} as const;

type All<U> = (U extends unknown ? (part: U) => void : never) extends (part: infer I) => void ? I : never;

/** Several kinds of {@link LATE_REPORTS} at once. */
export const lateReports = <const K extends keyof typeof LATE_REPORTS>(...kinds: K[]) =>
  Object.assign({}, ...kinds.map((kind) => LATE_REPORTS[kind])) as All<(typeof LATE_REPORTS)[K]>;

export const dying = ignored(
  ['socket.connected', 'socket.ended', 'socket.finished', 'socket.failed', 'socket.idled'],
  'The socket is being destroyed: only its close counts.',
);
export const closedFirst = ignored(
  ['socket.closed'],
  'The socket is gone first; the command of the state that waits for its close has the close reported again.',
);
const noRestart = ignored(
  ['backend.connect', 'backend.retry', 'backend.renew'],
  'The end is decided; to start again, make a new handle.',
);

/** The holders have let go, or are not waited for any longer. */
export const released = <const T extends string>(target: T) => ({ target, actions: 'releaseOwner' }) as const;

const impatient = <const T extends string>(target: T) =>
  ({ description: 'The owner waits no longer for holders that were told.', ...released(target) }) as const;

/** Everything was sent: the socket lingers, so that it arrives. */
export const linger = (actions: readonly 'unlinkSocket'[], ...why: Parameters<typeof note>) =>
  ({ target: '#backend.lingering', actions: [...actions, note(...why)] }) as const;

/** Reset, while the holders are told to let go. */
export const reset = (actions: readonly 'unlinkSocket'[], ...why: Parameters<typeof note>) =>
  ({ target: '#backend.aborting.revoking', actions: [...actions, note(...why)] }) as const;

/** Reset, after the holders have let go. */
export const resetReleased = {
  target: '#backend.aborting.destroying',
  actions: ['noteBytesLost', 'resetSocket', note('closing')],
} as const;

/** The owner’s abort, or a deadline, while the owner has the connection. */
export const abortIn = (phase: Phase, ...first: 'unlinkSocket'[]) =>
  aborts('backend', linger(first, phase), reset(first, phase));

/** The first step of a graceful end. `on`: what differs between a connection that is renewed and a backend that is closed. */
export const holding = <const O>(on: O) =>
  ({
    description: 'No new holds; the present holders finish their work on the linked socket.',
    tags: 'linked',
    entry: 'awaitHolds',
    on: {
      ...ignored(['socket.ended'], 'The holders read on to the end; ours is sent when they let go.'),
      'socket.finished': { actions: 'noteFlushed' },
      ...on,
      'holds.emptied': { target: 'flushing', actions: ['unlinkSocket', 'releaseOwner'] },
      ...abortIn('closing', 'unlinkSocket'),
    },
  }) as const;

/** The second step. */
export const flushing = <const O>(on: O) =>
  ({
    description: 'Every byte and a FIN are sent; incoming bytes are thrown away until the peer ends.',
    entry: 'endSocket',
    on: {
      ...lateReports('holds'),
      ...ignored(['socket.ended'], 'The socket closes by itself once our side is flushed.'),
      ...failedLate,
      'socket.finished': { actions: 'noteFlushed' },
      ...on,
    },
  }) as const;

export const howItEnds = {
  releasing: {
    description: 'The conversation is over and its socket closed; the last holders let go.',
    tags: 'ending',
    entry: ['unlinkSocket', 'revokeHolds'],
    on: {
      ...lateReports('choice', 'socket', 'hook', 'expiry'),
      ...noRestart,
      'holds.emptied': released('ended'),
      'backend.close': impatient('ended'),
      'backend.abort': impatient('ended'),
    },
    after: { holdTimeout: released('ended') },
  },

  dropping: {
    description: 'The conversation was lost: unlinked and destroyed, and not replaced.',
    tags: 'ending',
    entry: ['noteBytesLost', 'unlinkSocket', 'dropOwner'],
    on: { ...lateReports('choice', 'hook', 'expiry'), ...noRestart, ...dying },
    initial: 'revoking',
    states: {
      revoking: {
        description: 'Its holders were told and let go.',
        tags: 'holdsSocket',
        entry: ['destroySocket', 'revokeHolds'],
        on: {
          ...closedFirst,
          'holds.emptied': released('destroying'),
          'backend.close': impatient('destroying'),
          'backend.abort': impatient('destroying'),
        },
        after: { holdTimeout: released('destroying') },
      },
      destroying: {
        description: 'Released; the socket’s close is the end.',
        tags: 'holdsSocket',
        entry: 'destroySocket',
        on: { ...lateReports('holds'), ...almostOver('backend'), 'socket.closed': { target: '#backend.dropped' } },
        after: { disposeTimeout: { target: '#backend.dropped', actions: 'abandonSocket' } },
      },
    },
  },

  closing: {
    description: 'Closed by the owner, gracefully; a close that takes too long becomes an abort.',
    tags: ['holdsSocket', 'ending'],
    on: {
      ...lateReports('choice', 'hook', 'expiry'),
      ...noRestart,
      ...closeChangesNothing('backend'),
      ...notProbed,
      ...ignored(['socket.connected'], 'An attempt that succeeds late: its socket is destroyed already.'),
    },
    after: { closeTimeout: { description: 'Too slow: reset, unless all was sent.', actions: 'abortClose' } },
    initial: 'holding',
    states: {
      holding: holding({
        'socket.failed': { target: 'revoking', actions: ['noteBytesLost', 'unlinkSocket'] },
        'socket.closed': { target: 'revoking', actions: 'unlinkSocket' },
      }),
      revoking: {
        description: 'Unlinked; the holders, or the hook, were told to let go. The close timeout bounds them.',
        entry: 'revokeHolds',
        on: {
          ...closedFirst,
          ...ignored(['socket.ended'], 'The owner was told to let go; the socket is ended next.'),
          'socket.failed': {
            description: 'The owner was told to let go; the close of the socket follows.',
            actions: 'noteBytesLost',
          },
          'socket.finished': { actions: 'noteFlushed' },
          'holds.emptied': released('flushing'),
          ...abortIn('closing'),
        },
      },
      flushing: flushing({
        'socket.closed': { target: '#backend.closed' },
        ...aborts('backend', { target: '#backend.lingering.probed', actions: 'noteClosed' } as const, resetReleased),
      }),
      destroying: {
        description: 'It was never the owner’s: nothing to flush, so it is destroyed.',
        entry: 'destroySocket',
        on: {
          ...lateReports('holds'),
          ...ignored(['socket.ended', 'socket.finished', 'socket.failed'], 'Only the close counts.'),
          'socket.closed': { target: '#backend.closed' },
          'backend.abort': { target: '#backend.aborting.destroying', actions: note('closing') },
        },
      },
    },
  },

  lingering: {
    description:
      'Its time is up, but our last byte and FIN are with the system, which delivers them unless bytes arrive at a closed socket: so the socket is read until the peer is silent.',
    tags: ['holdsSocket', 'ending'],
    on: {
      ...lateReports('choice', 'hook', 'expiry', 'connect'),
      ...noRestart,
      ...closeChangesNothing('backend'),
      ...ignored(['socket.ended'], 'The socket closes by itself.'),
      ...finishedOnce,
      ...failedLate,
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
          'holds.emptied': released('reading'),
          'backend.abort': [{ guard: 'isDeadline', description: 'It lingers already.' }, reset([], 'closing')],
        },
        after: { holdTimeout: released('reading') },
      },
      probed,
      reading: {
        ...reading,
        on: {
          ...lateReports('holds'),
          'socket.idled': { target: '#backend.parting' },
          'socket.closed': { target: '#backend.gone' },
          'backend.abort': [{ guard: 'isDeadline', description: 'It lingers already.' }, resetReleased],
        },
      },
    },
  },

  parting: {
    description: 'The peer is silent: the socket is closed, and the system delivers what is still on its way.',
    tags: ['holdsSocket', 'ending'],
    entry: 'destroySocket',
    on: {
      ...lateReports('choice', 'hook', 'holds', 'expiry'),
      ...noRestart,
      ...dying,
      ...almostOver('backend'),
      'socket.closed': { target: 'gone' },
    },
    after: { abortTimeout: { target: 'gone', actions: 'abandonSocket' } },
  },

  gone: {
    description: 'The socket has closed; how the backend ends was decided before.',
    always: [{ guard: 'willBeClosed', target: 'closed' }, { target: 'aborted' }],
  },

  aborting: {
    description: 'Aborted: reset at once; then only the close is awaited.',
    tags: ['holdsSocket', 'ending'],
    on: {
      ...lateReports('choice', 'hook'),
      ...noRestart,
      ...dying,
      ...ignored(['backend.close', 'backend.abort'], 'It is being aborted already.'),
    },
    after: { abortTimeout: { description: 'Its close, or a holder, stays away: done without.', actions: 'expire' } },
    initial: 'revoking',
    states: {
      revoking: {
        description: 'Reset; the holders, or the hook, were told to let go.',
        entry: ['noteBytesLost', 'resetSocket', 'revokeHolds'],
        on: {
          ...closedFirst,
          'holds.emptied': released('destroying'),
          'backend.expired': { target: '#backend.aborted', actions: ['releaseOwner', 'abandonSocket'] },
        },
      },
      destroying: {
        description: 'Nothing of the owner’s is left; the socket’s close is the end.',
        entry: 'destroySocket',
        on: {
          ...lateReports('holds'),
          'socket.closed': { target: '#backend.aborted' },
          'backend.expired': { target: '#backend.aborted', actions: 'abandonSocket' },
        },
      },
    },
  },

  ...finalStates,
  failed: final('failed', 'One conversation that never came up; the attempts are used up.'),
} as const;
