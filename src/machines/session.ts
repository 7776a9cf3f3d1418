/**
 * A session: one client paired with one backend. Its rules:
 *
 * 1. A FIN is only ever passed on from a peer, after the bytes before it.
 * 2. One leg lost: the other is reset, after what was read for it is written out.
 * 3. Cut by the library or the owner (idle, too long, aborted): both legs are reset, for a cut must not look like an end.
 * 4. But a leg whose last byte and FIN are sent was not cut: unless the owner aborts, its socket lingers (see client.ts).
 * 5. It ends when both legs have ended; each leg bounds its own end.
 * 6. Where half-open streams are not wanted, the FIN of one side ends both: it is passed on, and once it is out, both legs
 *    are closed. That it is out is reported only there.
 *
 * To find idleness, a timer has the relay compare its byte counters: so no timer is set again per chunk. Left out on purpose: the bytes, and how the backend finds its server.
 */
import { assign, emit, raise, setup } from 'xstate';
import { final, ignored, note } from './fragments.js';
import { deadline } from './functions/connection.js';
import { causeNoted } from './functions/outcome.js';
import * as session from './functions/session.js';
import type { CauseHint, Outcome, Phase } from './vocabulary.js';

export type {
  SessionCommand,
  SessionContext,
  SessionEvent,
  SessionInput,
  SessionSettings,
} from './functions/session.js';

const notIdle = ignored(['relay.idled'], 'No probe is out.');
const routedOnce = {
  ...ignored(['route.chosen', 'route.refused'], 'The route is decided: the hook has settled late.'),
  ...ignored(['client.handedOver'], 'A client is given to other code while its route is open.'),
};
const noRefusal = ignored(['session.refuse'], 'Bytes may have been relayed, or its end is under way.');
const establishedOnce = ignored(['backend.established'], 'It is established once.');
const streamsOver = ignored(['client.ended', 'backend.ended'], 'Both streams are over, or cut.');
const clientEndsOnce = ignored(['client.ended'], 'A stream ends once.');
const backendEndsOnce = ignored(['backend.ended'], 'A stream ends once.');
const bothMaySend = ignored(['client.finished', 'backend.finished'], 'Only a FIN that was passed on ends both sides.');
const clientNotTold = ignored(['client.finished'], 'No FIN was passed on to the client.');
const backendNotTold = ignored(['backend.finished'], 'No FIN was passed on to the backend.');

/** Both legs are cut. */
const cut = (ending: 'noteAborted' | 'noteClosedEarly', ...why: Parameters<typeof note>) =>
  ({ target: '#session.finishing.both', actions: [ending, note(...why), 'abortClient', 'abortBackend'] }) as const;

/** Nothing was relayed, and the client is turned away. */
const refuse = (...why: Parameters<typeof note>) =>
  ({
    target: '#session.finishing.both',
    actions: ['noteRefused', note(...why), 'turnAwayClient', 'abortBackend'],
  }) as const;

/**
 * Nothing is relayed yet: the client waits, first for its route, then for its backend. `revoke`: what a hook that still
 * runs is told.
 */
const beforeRelay = <
  const T extends 'routeTimeout' | 'sessionConnectTimeout',
  const R extends readonly 'revokeRoute'[],
>(
  phase: 'routing' | 'connecting',
  timeout: T,
  ...revoke: R
) => {
  const leave = <const C>({ target, actions }: { target: string; actions: readonly C[] }) =>
    ({ target, actions: [...revoke, ...actions] }) as const;
  return {
    on: {
      ...notIdle,
      ...ignored(['backend.ended'], 'A backend that is not established has said nothing yet.'),
      ...ignored(['client.finished', 'backend.finished'], 'Nothing was passed on yet.'),
      'client.closed': leave({
        target: '#session.finishing.backendOnly',
        actions: ['noteLegLost', note(phase), 'abortBackend'],
      }),
      'backend.closed': leave({
        target: '#session.finishing.clientOnly',
        actions: ['noteRefused', note(phase), 'turnAwayClient'],
      }),
      'session.close': {
        description: 'Nothing was relayed: there is nothing to wait for, and the client is reset.',
        ...leave(cut('noteClosedEarly', phase)),
      },
      'session.refuse': leave(refuse(phase)),
      'session.abort': leave(cut('noteAborted', phase)),
    },
    after: { [timeout]: leave(refuse(phase, timeout)) },
  };
};

/** The relay runs, until it is closed, cut, or loses a leg. `child`: which sides may still send. */
const relay = <const C>(phase: Phase, close: (child: 'both' | 'clientEnded' | 'backendEnded') => C) => {
  /** Once one side has ended, the other has less time to stand still. */
  const stalled = { 'relay.idled': cut('noteAborted', phase, 'halfCloseTimeout') } as const;
  return {
    tags: 'joined',
    on: {
      ...establishedOnce,
      ...routedOnce,
      ...noRefusal,
      'client.closed': {
        target: '#session.finishing.backendOnly',
        actions: ['noteLegLost', note(phase), 'resetBackend'],
      },
      'backend.closed': {
        target: '#session.finishing.clientOnly',
        actions: ['noteLegLost', note(phase), 'resetClient'],
      },
      'relay.idled': cut('noteAborted', phase, 'idleTimeout'),
      'session.abort': cut('noteAborted', phase),
    },
    initial: 'both',
    states: {
      both: {
        description: 'Bytes flow both ways.',
        on: {
          ...close('both'),
          ...bothMaySend,
          'client.ended': { target: 'clientEnded', actions: ['endBackend', note(phase)] },
          'backend.ended': { target: 'backendEnded', actions: ['endClient', note(phase)] },
        },
        after: { idleProbe: { target: 'both', reenter: true, actions: 'probeRelay' } },
      },
      clientEnded: {
        description: 'The client has ended and the backend was told; the answer goes on.',
        on: {
          ...close('clientEnded'),
          ...clientEndsOnce,
          ...clientNotTold,
          ...stalled,
          'backend.ended': { target: '#session.finishing', actions: 'endClient' },
          'backend.finished': {
            description:
              'Half-open streams are not wanted: the client’s last byte and FIN are out, and both are closed.',
            target: '#session.finishing',
            actions: ['endClient', 'closeBackend'],
          },
        },
        after: { halfCloseProbe: { target: 'clientEnded', reenter: true, actions: 'probeRelay' } },
      },
      backendEnded: {
        description: 'The backend has ended and the client was told; what the client sends goes on.',
        on: {
          ...close('backendEnded'),
          ...backendEndsOnce,
          ...backendNotTold,
          ...stalled,
          'client.ended': { target: '#session.finishing', actions: 'endBackend' },
          'client.finished': {
            description:
              'Half-open streams are not wanted: the backend’s last byte and FIN are out, and both are closed.',
            target: '#session.finishing',
            actions: ['endBackend', 'closeClient'],
          },
        },
        after: { halfCloseProbe: { target: 'backendEnded', reenter: true, actions: 'probeRelay' } },
      },
    },
  } as const;
};

/** The legs are only left to end. */
const untilGone = <const C extends string, const O>(child: C, on: O) =>
  ({ on, after: { finishProbe: { target: child, reenter: true, actions: 'probeRelay' } } }) as const;

const routing = beforeRelay('routing', 'routeTimeout', 'revokeRoute');
const connecting = beforeRelay('connecting', 'sessionConnectTimeout');

export const sessionMachine = setup({
  types: {
    context: {} as session.SessionContext,
    events: {} as session.SessionEvent,
    emitted: {} as session.SessionCommand,
    input: {} as session.SessionInput,
    output: {} as Outcome,
    tags: {} as 'routing' | 'joined' | 'ending',
  },
  actions: {
    noteCause: assign<session.SessionContext, session.SessionEvent, CauseHint, session.SessionEvent, never>({
      cause: causeNoted,
    }),
    noteDrain: assign({ ending: 'closed', closeTimeoutMs: session.askedCloseTimeout }),
    noteClosedEarly: assign({ ending: 'closed', isClosedEarly: true }),
    noteRefused: assign({ ending: 'refused' }),
    noteHandedOver: assign({ ending: 'handedOver' }),
    noteAborted: assign({ ending: 'aborted' }),
    noteLegLost: assign({ ending: session.endingOfLoss }),
    noteUndelivered: assign(session.undelivered),
    noteCutShort: assign(session.cutShort),
    routeClient: emit({ type: 'client.route' }),
    revokeRoute: emit({ type: 'route.revoke' }),
    connectBackend: emit({ type: 'backend.connect' }),
    startRelay: emit({ type: 'relay.start' }),
    probeRelay: emit({ type: 'relay.probe' }),
    endClient: emit({ type: 'client.end' }),
    endBackend: emit({ type: 'backend.end' }),
    closeClient: emit(session.closeClient),
    closeBackend: emit(session.closeBackend),
    turnAwayClient: emit(session.turnAwayClient),
    resetClient: emit(session.resetClient),
    resetBackend: emit(session.resetBackend),
    abortClient: emit(session.abortClient),
    abortBackend: emit(session.abortBackend),
    cutOff: raise({ type: 'session.abort', deliver: true, cause: deadline('closeTimeout') }),
  },
  guards: {
    asksRoute: session.asksRoute,
    willBeClosed: session.willBeClosed,
    willBeHandedOver: session.willBeHandedOver,
    willBeRefused: session.willBeRefused,
    willBeDropped: session.willBeDropped,
    willBeAborted: session.willBeAborted,
  },
  delays: {
    routeTimeout: session.routeTimeout,
    sessionConnectTimeout: session.sessionConnectTimeout,
    idleProbe: session.idleProbe,
    halfCloseProbe: session.halfCloseProbe,
    finishProbe: session.finishProbe,
    durationMax: session.durationMax,
    closeTimeout: session.closeTimeout,
  },
}).createMachine({
  id: 'session',
  description: 'One client paired with one backend.',
  context: session.startOf,
  output: session.outcomeOf,
  initial: 'arrived',
  states: {
    arrived: {
      description: 'It begins.',
      always: [{ guard: 'asksRoute', target: 'routing' }, { target: 'connecting' }],
    },

    routing: {
      description: 'The owner says where the client goes.',
      tags: 'routing',
      entry: 'routeClient',
      ...routing,
      on: {
        ...routing.on,
        ...ignored(['backend.established'], 'No backend connects yet.'),
        'route.refused': refuse('routing'),
        'client.handedOver': {
          description: 'The owner gives the client to other code: no backend is wanted.',
          target: '#session.finishing.backendOnly',
          actions: ['revokeRoute', 'noteHandedOver', note('routing'), 'abortBackend'],
        },
      },
      initial: 'open',
      states: {
        open: {
          description: 'The client may still send.',
          on: {
            'client.ended': { target: 'clientEnded', actions: note('routing') },
            'route.chosen': { target: '#session.connecting' },
          },
        },
        clientEnded: {
          description: 'The client has ended already.',
          on: { ...clientEndsOnce, 'route.chosen': { target: '#session.connecting.clientEnded' } },
        },
      },
    },

    connecting: {
      description: 'The client waits, its bytes unread, while the backend connects, retries and fails over.',
      entry: 'connectBackend',
      ...connecting,
      on: { ...connecting.on, ...routedOnce },
      initial: 'open',
      states: {
        open: {
          description: 'The client may still send.',
          on: {
            'client.ended': { target: 'clientEnded', actions: note('connecting') },
            'backend.established': { target: '#session.relaying', actions: 'startRelay' },
          },
        },
        clientEnded: {
          description: 'The client has ended already: its FIN is passed on once the backend is there.',
          on: {
            ...clientEndsOnce,
            'backend.established': { target: '#session.relaying.clientEnded', actions: ['startRelay', 'endBackend'] },
          },
        },
      },
    },

    relaying: {
      description: 'Bytes are relayed.',
      ...relay('established', (child) => ({
        'session.close': { target: `#session.draining.${child}`, actions: ['noteDrain', note('established')] },
      })),
      after: { durationMax: cut('noteAborted', 'established', 'durationMax') },
    },

    draining: {
      description: 'Still relaying, but its owner has asked it to end; a session that lasts longer is cut.',
      ...relay('closing', () => ignored(['session.close'], 'It drains already; an abort hastens it.')),
      after: { closeTimeout: { description: 'Too slow: cut.', actions: 'cutOff' } },
    },

    finishing: {
      description: 'Nothing more is read; the legs send what they have, and end.',
      on: {
        ...establishedOnce,
        ...routedOnce,
        ...streamsOver,
        ...ignored(['client.finished', 'backend.finished'], 'The end of both legs is under way.'),
        ...noRefusal,
        ...ignored(['session.close'], 'The end is under way; an abort hastens it.'),
        'session.abort': { actions: ['noteCutShort', 'abortClient', 'abortBackend'] },
        'relay.idled': {
          description: 'A leg that takes nothing any more is reset.',
          actions: ['noteCutShort', 'abortClient', 'abortBackend'],
        },
      },
      initial: 'both',
      states: {
        both: {
          description: 'Both legs are still there.',
          ...untilGone('both', {
            'client.closed': { target: 'backendOnly', actions: 'noteUndelivered' },
            'backend.closed': { target: 'clientOnly', actions: 'noteUndelivered' },
          }),
        },
        clientOnly: {
          description: 'The backend is gone; the client’s leg has yet to end.',
          ...untilGone('clientOnly', {
            ...ignored(['backend.closed'], 'A backend ends once.'),
            'client.closed': { target: '#session.gone', actions: 'noteUndelivered' },
          }),
        },
        backendOnly: {
          description: 'The client is gone; the backend’s leg has yet to end.',
          ...untilGone('backendOnly', {
            ...ignored(['client.closed'], 'A client ends once.'),
            'backend.closed': { target: '#session.gone', actions: 'noteUndelivered' },
          }),
        },
      },
    },

    gone: {
      description: 'Both legs are gone; how it ended was decided on the way.',
      always: [
        { guard: 'willBeClosed', target: 'closed' },
        { guard: 'willBeHandedOver', target: 'handedOver' },
        { guard: 'willBeRefused', target: 'refused' },
        { guard: 'willBeDropped', target: 'dropped' },
        { guard: 'willBeAborted', target: 'aborted' },
        { target: 'ended' },
      ],
    },

    ended: final('ended', 'The peers sent FIN, or one did that was to end both; every byte was passed on.'),
    closed: final('closed', 'It ended after its owner had asked for that.'),
    aborted: final('aborted', 'Cut: by the owner, or by a limit.'),
    dropped: final('dropped', 'A leg was lost.'),
    refused: final('refused', 'No backend came up for it.'),
    handedOver: final('handedOver', 'Its client was given to other code.'),
  },
});
