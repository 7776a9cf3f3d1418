/**
 * The life of a session: one client paired with one backend. Its rules:
 *
 * 1. A FIN is only ever passed on from a peer, after the bytes before it.
 * 2. One leg lost: the other is reset, after what was read for it is written out.
 * 3. Cut by us (idle, too long, told to): both legs are reset, for a cut must not look like an end.
 * 4. But a leg whose last byte and FIN are sent was not cut: unless the owner aborts, it is let go of (see client.ts).
 * 5. It ends when both legs have ended; each leg bounds its own end.
 *
 * Idleness is asked for, not told: a timer has the relay compare its byte counters, so that nothing is re-armed per
 * chunk. Left out on purpose: the bytes, and how the backend finds its server.
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
  probeEvery,
  type Report,
} from './vocabulary.js';

/** What all sessions of one proxy share: waits in milliseconds (`NEVER_MS` for none). */
export interface SessionSettings {
  /** Bounds all attempts to connect the backend. */
  readonly sessionConnectTimeout: number;
  readonly idleTimeout: number;
  /** Takes the place of `idleTimeout` once one side has ended. */
  readonly halfCloseTimeout: number;
  readonly durationMax: number;
  readonly closeTimeout: number;
}

export interface SessionInput {
  readonly settings: SessionSettings;
}

export interface SessionContext {
  readonly settings: SessionSettings;
  closeTimeoutMs: number;
  /** How it will have ended once both legs are gone. */
  ending: Ending;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type SessionEvent =
  /** The owner wants it to end by itself soon; what lasts longer is cut. */
  | { type: 'session.close'; timeoutMs?: number; cause?: Report }
  /** The owner cuts it; with `deliver`, a deadline of the proxy's. */
  | { type: 'session.abort'; cause?: Report; deliver?: boolean }
  /** The client has sent its last byte, and the relay has passed on all before it. */
  | { type: 'client.ended' }
  /** The client's life is over. */
  | { type: 'client.closed'; ending: Ending; cause: Cause }
  | { type: 'backend.established' }
  | { type: 'backend.ended' }
  | { type: 'backend.closed'; ending: Ending; cause: Cause }
  /** The relay was probed and has made no progress for the whole timeout. */
  | { type: 'relay.idled' };

export type SessionCommand =
  | { type: 'backend.connect' }
  | { type: 'relay.start' }
  /** Compare the byte counters; report `relay.idled` if they have stood still for too long. */
  | { type: 'relay.probe' }
  /** Pass a FIN on. */
  | { type: 'client.end' }
  | { type: 'backend.end' }
  /** Reset the leg, after what was read for it is written out; let go of it where its FIN is sent, too. */
  | { type: 'client.reset'; cause: Cause }
  | { type: 'backend.reset'; cause: Cause }
  /** Reset the leg at once; with `deliver`, let go of it where its last byte and FIN are sent. */
  | { type: 'client.abort'; cause: Cause; deliver: boolean }
  | { type: 'backend.abort'; cause: Cause; deliver: boolean };

/** True while every byte may still arrive; never, if it was closed before there was a backend to relay them. */
const isWhole = ({ ending, cause }: SessionContext): boolean =>
  (ending === 'ended' || ending === 'closed') && cause?.phase !== 'connecting';

/** Whatever but the owner's own abort spares what is complete. */
const delivers = (event: SessionEvent): boolean => event.type !== 'session.abort' || event.deliver === true;

const notIdle = ignored(['relay.idled'], 'No probe is out.');
const established = ignored(['backend.established'], 'It is established once.');
const streamsOver = ignored(['client.ended', 'backend.ended'], 'Both streams are over, or cut.');

/** `session.close` while relaying goes to the same place in `draining`; there, it is known already. */
const drain = (child: string) => ({
  'session.close': { target: `#session.draining.${child}`, actions: 'noteClose' as const },
});
const draining = () => ignored(['session.close'], 'It drains already; an abort hastens it.');

/** Once one side has ended, the other has less time to stand still. */
const stalled = {
  'relay.idled': {
    target: '#session.finishing',
    actions: [
      'noteAborted' as const,
      note('established', 'halfCloseTimeout'),
      'abortClient' as const,
      'abortBackend' as const,
    ],
  },
};

/** The three ways in which a relay can run, the same whether the session drains or not. */
const halves = <C>(close: (child: string) => C) => ({
  both: {
    description: 'Bytes flow both ways.',
    on: {
      ...close('both'),
      'client.ended': { target: 'clientEnded', actions: ['endBackend' as const, note('established')] },
      'backend.ended': { target: 'backendEnded', actions: ['endClient' as const, note('established')] },
    },
    after: { idleProbe: { target: 'both', reenter: true, actions: 'probeRelay' as const } },
  },
  clientEnded: {
    description: 'The client has ended and the backend was told; the answer goes on.',
    on: {
      ...close('clientEnded'),
      ...ignored(['client.ended'], 'A stream ends once.'),
      'backend.ended': { target: '#session.finishing', actions: 'endClient' as const },
      ...stalled,
    },
    after: { halfCloseProbe: { target: 'clientEnded', reenter: true, actions: 'probeRelay' as const } },
  },
  backendEnded: {
    description: 'The backend has ended and the client was told; what the client sends goes on.',
    on: {
      ...close('backendEnded'),
      ...ignored(['backend.ended'], 'A stream ends once.'),
      'client.ended': { target: '#session.finishing', actions: 'endBackend' as const },
      ...stalled,
    },
    after: { halfCloseProbe: { target: 'backendEnded', reenter: true, actions: 'probeRelay' as const } },
  },
});

export const sessionMachine = setup({
  types: {
    context: {} as SessionContext,
    events: {} as SessionEvent,
    emitted: {} as SessionCommand,
    input: {} as SessionInput,
    output: {} as Outcome,
  },
  actions: {
    noteCause: assign({ cause: ({ event }, hint: CauseHint) => causeOf(event, hint) }),
    noteClose: assign({
      ending: 'closed',
      cause: ({ event }) => causeOf(event, { phase: 'established' }),
      closeTimeoutMs: ({ context, event }) =>
        (event.type === 'session.close' ? event.timeoutMs : undefined) ?? context.settings.closeTimeout,
    }),
    noteClosed: assign({ ending: 'closed' }),
    noteRefused: assign({ ending: 'refused' }),
    noteAborted: assign({ ending: 'aborted' }),
    noteLoss: assign({
      // A leg that somebody closed or aborted through its own handle was not lost.
      ending: ({ event }) => ('ending' in event && event.ending === 'dropped' ? 'dropped' : 'aborted'),
      cause: ({ context, event }) => ('ending' in event ? causeOf(event, { phase: 'established' }) : context.cause),
    }),
    noteLateLoss: assign(({ context, event }) =>
      // Both streams had ended, but one could not be delivered to its end. What was cut or lost before stays so.
      isWhole(context) && 'ending' in event && event.ending !== 'ended'
        ? {
            ending: event.ending === 'dropped' ? 'dropped' : 'aborted',
            cause: causeOf(event, { phase: 'established' }),
          }
        : {},
    ),
    noteCutShort: assign(({ context, event }) =>
      isWhole(context) ? { ending: 'aborted', cause: causeOf(event, { phase: 'closing' }) } : {},
    ),
    connectBackend: emit({ type: 'backend.connect' }),
    startRelay: emit({ type: 'relay.start' }),
    probeRelay: emit({ type: 'relay.probe' }),
    endClient: emit({ type: 'client.end' }),
    endBackend: emit({ type: 'backend.end' }),
    resetClient: emit(({ context }) => ({ type: 'client.reset', cause: context.cause as Cause })),
    resetBackend: emit(({ context }) => ({ type: 'backend.reset', cause: context.cause as Cause })),
    abortClient: emit(({ context, event }) => ({
      type: 'client.abort',
      cause: context.cause as Cause,
      deliver: delivers(event),
    })),
    abortBackend: emit(({ context, event }) => ({
      type: 'backend.abort',
      cause: context.cause as Cause,
      deliver: delivers(event),
    })),
    cutOff: raise({
      type: 'session.abort',
      deliver: true,
      cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
    }),
  },
  guards: {
    willBeClosed: ({ context }) => context.ending === 'closed',
    willBeRefused: ({ context }) => context.ending === 'refused',
    willBeDropped: ({ context }) => context.ending === 'dropped',
    willBeAborted: ({ context }) => context.ending === 'aborted',
  },
  delays: {
    sessionConnectTimeout: ({ context }) => context.settings.sessionConnectTimeout,
    idleProbe: ({ context }) => probeEvery(context.settings.idleTimeout),
    halfCloseProbe: ({ context }) => probeEvery(context.settings.halfCloseTimeout),
    // What is only left to be delivered has no reason to stand still, also where half-open streams may.
    finishProbe: ({ context: { settings } }) => probeEvery(Math.min(settings.halfCloseTimeout, settings.closeTimeout)),
    durationMax: ({ context }) => context.settings.durationMax,
    closeTimeout: ({ context }) => context.closeTimeoutMs,
  },
}).createMachine({
  id: 'session',
  description: 'One client paired with one backend.',
  context: ({ input }) => ({
    settings: input.settings,
    closeTimeoutMs: input.settings.closeTimeout,
    ending: 'ended',
    cause: undefined,
  }),
  output: ({ context, event }) => ({
    ending: event.output as Ending,
    cause: context.cause as Cause,
    flushed: isWhole(context),
  }),
  initial: 'connecting',
  states: {
    connecting: {
      description: 'The client waits, its bytes unread, while the backend connects, retries and fails over.',
      entry: 'connectBackend',
      on: {
        ...notIdle,
        ...ignored(['backend.ended'], 'A backend that is not established has said nothing yet.'),
        'client.closed': {
          target: 'finishing.backendLeft',
          actions: ['noteLoss', 'abortBackend'],
        },
        'backend.closed': {
          target: 'finishing.clientLeft',
          actions: ['noteRefused', note('connecting'), 'abortClient'],
        },
        'session.close': {
          description: 'Nothing was relayed: there is nothing to wait for, and the client is reset.',
          target: 'finishing.both',
          actions: ['noteClosed', note('connecting'), 'abortClient', 'abortBackend'],
        },
        'session.abort': {
          target: 'finishing.both',
          actions: ['noteAborted', note('connecting'), 'abortClient', 'abortBackend'],
        },
      },
      after: {
        sessionConnectTimeout: {
          target: 'finishing.both',
          actions: ['noteRefused', note('connecting', 'sessionConnectTimeout'), 'abortClient', 'abortBackend'],
        },
      },
      initial: 'open',
      states: {
        open: {
          description: 'The client may still send.',
          on: {
            'client.ended': { target: 'clientEnded', actions: note('established') },
            'backend.established': { target: '#session.relaying', actions: 'startRelay' },
          },
        },
        clientEnded: {
          description: 'The client has ended already: the backend is told once it is there.',
          on: {
            ...ignored(['client.ended'], 'A stream ends once.'),
            'backend.established': {
              target: '#session.relaying.clientEnded',
              actions: ['startRelay', 'endBackend'],
            },
          },
        },
      },
    },

    relaying: {
      description: 'Bytes are relayed.',
      on: {
        ...established,
        'client.closed': { target: 'finishing.backendLeft', actions: ['noteLoss', 'resetBackend'] },
        'backend.closed': { target: 'finishing.clientLeft', actions: ['noteLoss', 'resetClient'] },
        'relay.idled': {
          target: 'finishing.both',
          actions: ['noteAborted', note('established', 'idleTimeout'), 'abortClient', 'abortBackend'],
        },
        'session.abort': {
          target: 'finishing.both',
          actions: ['noteAborted', note('established'), 'abortClient', 'abortBackend'],
        },
      },
      after: {
        durationMax: {
          target: 'finishing.both',
          actions: ['noteAborted', note('established', 'durationMax'), 'abortClient', 'abortBackend'],
        },
      },
      initial: 'both',
      states: halves(drain),
    },

    draining: {
      description: 'Still relaying, but asked to come to an end; what lasts longer is cut.',
      on: {
        ...established,
        'client.closed': { target: 'finishing.backendLeft', actions: ['noteLoss', 'resetBackend'] },
        'backend.closed': { target: 'finishing.clientLeft', actions: ['noteLoss', 'resetClient'] },
        'relay.idled': {
          target: 'finishing.both',
          actions: ['noteAborted', note('closing', 'idleTimeout'), 'abortClient', 'abortBackend'],
        },
        'session.abort': {
          target: 'finishing.both',
          actions: ['noteAborted', note('closing'), 'abortClient', 'abortBackend'],
        },
      },
      after: { closeTimeout: { description: 'Too slow: cut.', actions: 'cutOff' } },
      initial: 'both',
      states: halves(draining),
    },

    finishing: {
      description: 'Nothing more is read; the legs send what they have, and end.',
      on: {
        ...established,
        ...streamsOver,
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
          on: {
            'client.closed': { target: 'backendLeft', actions: 'noteLateLoss' },
            'backend.closed': { target: 'clientLeft', actions: 'noteLateLoss' },
          },
          after: { finishProbe: { target: 'both', reenter: true, actions: 'probeRelay' } },
        },
        clientLeft: {
          description: 'The backend is gone; the client’s leg has yet to end.',
          on: {
            ...ignored(['backend.closed'], 'A life ends once.'),
            'client.closed': { target: '#session.finished', actions: 'noteLateLoss' },
          },
          after: { finishProbe: { target: 'clientLeft', reenter: true, actions: 'probeRelay' } },
        },
        backendLeft: {
          description: 'The client is gone; the backend’s leg has yet to end.',
          on: {
            ...ignored(['client.closed'], 'A life ends once.'),
            'backend.closed': { target: '#session.finished', actions: 'noteLateLoss' },
          },
          after: { finishProbe: { target: 'backendLeft', reenter: true, actions: 'probeRelay' } },
        },
      },
    },

    finished: {
      description: 'Both legs are gone; how it ended was decided on the way.',
      always: [
        { guard: 'willBeClosed', target: 'closed' },
        { guard: 'willBeRefused', target: 'refused' },
        { guard: 'willBeDropped', target: 'dropped' },
        { guard: 'willBeAborted', target: 'aborted' },
        { target: 'ended' },
      ],
    },

    ended: { type: 'final', description: 'Both peers sent FIN, and every byte was passed on.', output: 'ended' },
    closed: { type: 'final', description: 'It ended after its owner had asked for that.', output: 'closed' },
    aborted: { type: 'final', description: 'Cut: by the owner, or by a limit.', output: 'aborted' },
    dropped: { type: 'final', description: 'A leg was lost.', output: 'dropped' },
    refused: { type: 'final', description: 'No backend came up for it.', output: 'refused' },
  },
});
