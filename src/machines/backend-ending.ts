/**
 * How the life of a backend ends: the second half of the statechart in `backend.ts`. No state of this file leads back to
 * `active`. Nearly all of them do two things, in this order: the holders let go of the connection, and the socket closes.
 */
import {
  aborts,
  almostOver,
  endings as common,
  decided,
  failedLate,
  final,
  finishedOnce,
  ignored,
  note,
  notProbed,
  probed,
  reading,
} from './fragments.js';

/** Reports and requests that come when nothing is left for them to change, each kind with its reason. */
const LATE = {
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

/** Several kinds of {@link LATE} at once. */
export const late = <const K extends keyof typeof LATE>(...kinds: K[]) =>
  Object.assign({}, ...kinds.map((kind) => LATE[kind])) as All<(typeof LATE)[K]>;

export const dying = ignored(
  ['socket.connected', 'socket.ended', 'socket.finished', 'socket.failed', 'socket.idled'],
  'The socket is being destroyed: only its close counts.',
);
export const closedFirst = ignored(
  ['socket.closed'],
  'The socket is gone first; the command of the state that waits for its close has the close reported again.',
);
const over = ignored(
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

export const endings = {
  ending: {
    description: 'The conversation is over and its socket closed; the last holders let go.',
    tags: 'ending',
    entry: ['unlinkSocket', 'revokeHolds'],
    on: {
      ...late('choice', 'socket', 'hook', 'expiry'),
      ...over,
      'holds.emptied': released('ended'),
      'backend.close': impatient('ended'),
      'backend.abort': impatient('ended'),
    },
    after: { holdTimeout: released('ended') },
  },

  dropping: {
    description: 'The conversation was lost: unlinked and destroyed, and not replaced.',
    tags: 'ending',
    entry: ['noteLost', 'unlinkSocket', 'dropOwner'],
    on: { ...late('choice', 'hook', 'expiry'), ...over, ...dying },
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
        on: { ...late('holds'), ...almostOver('backend'), 'socket.closed': { target: '#backend.dropped' } },
        after: { disposeTimeout: { target: '#backend.dropped', actions: 'abandonSocket' } },
      },
    },
  },

  closing: {
    description: 'Closed by the owner, gracefully; a close that takes too long becomes an abort.',
    tags: ['holdsSocket', 'ending'],
    on: {
      ...late('choice', 'hook', 'expiry'),
      ...over,
      ...decided('backend'),
      ...notProbed,
      ...ignored(['socket.connected'], 'An attempt that succeeds late: its socket is destroyed already.'),
    },
    after: { closeTimeout: { description: 'Too slow: reset, unless all was sent.', actions: 'abortClose' } },
    initial: 'holding',
    states: {
      holding: {
        description: 'No new holds; the present holders finish their work on the linked socket.',
        tags: 'linked',
        entry: 'awaitHolds',
        on: {
          ...ignored(['socket.ended'], 'The holders read on to the end; ours is sent when they let go.'),
          'socket.finished': { actions: 'noteFlushed' },
          'socket.failed': { target: 'revoking', actions: ['noteLost', 'unlinkSocket'] },
          'socket.closed': { target: 'revoking', actions: 'unlinkSocket' },
          'holds.emptied': { target: 'flushing', actions: ['unlinkSocket', 'releaseOwner'] },
          ...aborts('backend', linger(['unlinkSocket'], 'closing'), reset(['unlinkSocket'], 'closing')),
        },
      },
      revoking: {
        description: 'Unlinked; the holders, or the hook, were told to let go. The close timeout bounds them.',
        entry: 'revokeHolds',
        on: {
          ...closedFirst,
          ...ignored(['socket.ended'], 'The owner was told to let go; the socket is ended next.'),
          'socket.failed': {
            description: 'The owner was told to let go; the close of the socket follows.',
            actions: 'noteLost',
          },
          'socket.finished': { actions: 'noteFlushed' },
          'holds.emptied': released('flushing'),
          ...aborts('backend', linger([], 'closing'), reset([], 'closing')),
        },
      },
      flushing: {
        description: 'Every byte and a FIN are sent; incoming bytes are thrown away until the peer ends.',
        entry: 'endSocket',
        on: {
          ...late('holds'),
          ...ignored(['socket.ended'], 'The socket closes by itself once our side is flushed.'),
          ...failedLate,
          'socket.finished': { actions: 'noteFlushed' },
          'socket.closed': { target: '#backend.closed' },
          ...aborts(
            'backend',
            { target: '#backend.lingering.probed', actions: 'noteClosed' } as const,
            {
              target: '#backend.aborting.destroying',
              actions: ['noteLost', 'resetSocket', note('closing')],
            } as const,
          ),
        },
      },
      destroying: {
        description: 'It was never the owner’s: nothing to flush, so it is destroyed.',
        entry: 'destroySocket',
        on: {
          ...late('holds'),
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
      ...late('choice', 'hook', 'expiry', 'connect'),
      ...over,
      ...decided('backend'),
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
          ...late('holds'),
          'socket.idled': { target: '#backend.parting' },
          'socket.closed': { target: '#backend.left' },
          'backend.abort': [
            { guard: 'isDeadline', description: 'It lingers already.' },
            { target: '#backend.aborting.destroying', actions: ['noteLost', 'resetSocket', note('closing')] },
          ],
        },
      },
    },
  },

  parting: {
    description: 'The peer is silent: the socket is closed, and the system delivers what is still on its way.',
    tags: ['holdsSocket', 'ending'],
    entry: 'destroySocket',
    on: {
      ...late('choice', 'hook', 'holds', 'expiry'),
      ...over,
      ...dying,
      ...almostOver('backend'),
      'socket.closed': { target: 'left' },
    },
    after: { abortTimeout: { target: 'left', actions: 'abandonSocket' } },
  },

  left: {
    description: 'The socket has closed; how the backend ends was decided before.',
    always: [{ guard: 'willBeClosed', target: 'closed' }, { target: 'aborted' }],
  },

  aborting: {
    description: 'Aborted: reset at once; then only the close is awaited.',
    tags: ['holdsSocket', 'ending'],
    on: {
      ...late('choice', 'hook'),
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
          'holds.emptied': released('destroying'),
          'backend.expired': { target: '#backend.aborted', actions: ['releaseOwner', 'abandonSocket'] },
        },
      },
      destroying: {
        description: 'Nothing of the owner’s is left; the socket’s close is the end.',
        entry: 'destroySocket',
        on: {
          ...late('holds'),
          'socket.closed': { target: '#backend.aborted' },
          'backend.expired': { target: '#backend.aborted', actions: 'abandonSocket' },
        },
      },
    },
  },

  ...common,
  failed: final('failed', 'One conversation that never came up; the attempts are used up.'),
} as const;
