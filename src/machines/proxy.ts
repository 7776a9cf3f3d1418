/**
 * The life of a whole proxy: the order in which its parts start and stop. Its rules:
 *
 * 1. Start from the back: backends that stay up first, then the listeners; a start that fails undoes what was started.
 * 2. Stop from the front: first nobody new, then the sessions end, then the backends are closed.
 * 3. Every wait has an end: a drain has a deadline, the parts bound their own closes. A client that never got a session
 *    makes no end an abort.
 * 4. A listener that was closed through its own handle is not missed while there are others, before the start as after.
 *
 * Left out on purpose: what the parts are. They report as one ("all listeners are bound", "the last client is gone").
 */
import { assign, emit, setup } from 'xstate';
import {
  type Cause,
  type CauseHint,
  causeOf,
  type Ending,
  ignored,
  NEVER_MS,
  note,
  type Outcome,
  type Phase,
  type Report,
} from './vocabulary.js';

/** Waits of a proxy, in milliseconds (`NEVER_MS` for none). */
export interface ProxySettings {
  readonly drainTimeout: number;
  readonly abortTimeout: number;
  /** All the time for a client that a deadline has let go of. */
  readonly lingerMax: number;
}

export interface ProxyInput {
  readonly settings: ProxySettings;
}

export interface ProxyContext {
  readonly settings: ProxySettings;
  drainTimeoutMs: number;
  /** How it will have ended once all parts are gone. */
  ending: Ending;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type ProxyEvent =
  | { type: 'proxy.start' }
  /** The owner stops it when its sessions have ended. */
  | { type: 'proxy.close'; timeoutMs?: number; cause?: Report }
  /** The owner stops it now. */
  | { type: 'proxy.abort'; cause?: Report }
  /** Every backend that stays up is established; there may be none. */
  | { type: 'backends.established' }
  | { type: 'backends.failed'; cause: Report }
  | { type: 'backends.closed' }
  /** Every listener is bound but for those that were closed through their own handles. */
  | { type: 'listeners.bound' }
  /** A listener was lost, or the last one was closed through its own handle. */
  | { type: 'listeners.failed'; cause: Report }
  | { type: 'listeners.closed' }
  /** The last client and the last session are gone. */
  | { type: 'sessions.emptied' }
  /** The clients that had no session have been turned away, and there are sessions. */
  | { type: 'sessions.served' };

export type ProxyCommand =
  | { type: 'backends.connect' }
  /** Report `backends.closed` when the last one is, which may be now. */
  | { type: 'backends.close' }
  /** As the other aborts: with `deliver`, what is complete is let go of, and not reset. */
  | { type: 'backends.abort'; cause: Cause; deliver: boolean }
  | { type: 'listeners.start' }
  | { type: 'listeners.close' }
  | { type: 'listeners.abort'; cause: Cause; deliver: boolean }
  /** Report `listeners.closed` when the last one is, which may be now. */
  | { type: 'listeners.await' }
  /** Report `sessions.emptied` when the last one has ended, which may be now. */
  | { type: 'sessions.await' }
  /** Turn away the clients that were not admitted yet, and report `sessions.served` if there are sessions. */
  | { type: 'admissions.refuse'; cause: Report }
  | { type: 'sessions.abort'; cause: Cause; deliver: boolean }
  | { type: 'owner.running' };

const BACKENDS = ['backends.established', 'backends.failed'] as const;
const LISTENERS = ['listeners.bound', 'listeners.failed'] as const;

const notConnecting = ignored(BACKENDS, 'No backend is waited for: a late report.');
const notBinding = ignored(LISTENERS, 'No listener is waited for: a late report.');
const noListeners = ignored(['listeners.closed'], 'No listener is being closed.');
const notAsked = ignored(['sessions.served'], 'Only the deadline of a drain asks for that.');
const noSessions = { ...notAsked, ...ignored(['sessions.emptied'], 'Nobody waits for the sessions.') };
const noBackends = ignored(['backends.closed'], 'No backend is being closed.');
const startedOnce = ignored(['proxy.start'], 'It has been started.');
const over = ignored(['proxy.start'], 'The end is decided; a new life is a new handle.');

/** Whatever but the owner's own abort spares what is complete. */
const delivers = ({ type }: ProxyEvent): boolean => type !== 'proxy.abort';

/** Whatever still lives is reset, the backends too; after a start that failed these are closed instead. */
const cut = (...why: Parameters<typeof note>) => ({
  target: '#proxy.stopping.cutting' as const,
  actions: ['noteAborted' as const, note(...why), 'abortBackends' as const],
});

/** Without a listener that it was to have, it neither starts nor goes on. */
const lost = (phase: Phase) => ({
  target: '#proxy.stopping.cutting' as const,
  actions: ['noteFailed' as const, note(phase)],
});

export const proxyMachine = setup({
  types: {
    context: {} as ProxyContext,
    events: {} as ProxyEvent,
    emitted: {} as ProxyCommand,
    input: {} as ProxyInput,
    output: {} as Outcome,
  },
  actions: {
    noteCause: assign({ cause: ({ event }, hint: CauseHint) => causeOf(event, hint) }),
    noteDrainTimeout: assign({
      drainTimeoutMs: ({ context, event }) =>
        (event.type === 'proxy.close' ? event.timeoutMs : undefined) ?? context.settings.drainTimeout,
    }),
    noteAborted: assign({ ending: 'aborted' }),
    noteFailed: assign({ ending: 'failed' }),
    connectBackends: emit({ type: 'backends.connect' }),
    closeBackends: emit({ type: 'backends.close' }),
    abortBackends: emit(({ context, event }) => ({
      type: 'backends.abort',
      cause: context.cause as Cause,
      deliver: delivers(event),
    })),
    startListeners: emit({ type: 'listeners.start' }),
    closeListeners: emit({ type: 'listeners.close' }),
    abortListeners: emit(({ context, event }) => ({
      type: 'listeners.abort',
      cause: context.cause as Cause,
      deliver: delivers(event),
    })),
    awaitListeners: emit({ type: 'listeners.await' }),
    awaitSessions: emit({ type: 'sessions.await' }),
    refuseAdmissions: emit({
      type: 'admissions.refuse',
      cause: { initiator: 'library', manner: 'timeout', code: 'drainTimeout' },
    }),
    abortSessions: emit(({ context, event }) => ({
      type: 'sessions.abort',
      cause: context.cause as Cause,
      deliver: delivers(event),
    })),
    announceRunning: emit({ type: 'owner.running' }),
  },
  guards: {
    willBeClosed: ({ context }) => context.ending === 'closed',
    willBeAborted: ({ context }) => context.ending === 'aborted',
  },
  delays: {
    drainTimeout: ({ context }) => context.drainTimeoutMs,
    abortTimeout: ({ context }) => context.settings.abortTimeout,
    cutTimeout: ({ context: { settings } }) => Math.min(NEVER_MS, settings.lingerMax + settings.abortTimeout),
  },
}).createMachine({
  id: 'proxy',
  description: 'Listeners, sessions and backends as one: the order of their start and of their stop.',
  context: ({ input }) => ({
    settings: input.settings,
    drainTimeoutMs: input.settings.drainTimeout,
    ending: 'closed',
    cause: undefined,
  }),
  output: ({ context, event }) => ({
    ending: event.output as Ending,
    cause: context.cause as Cause,
    flushed: context.ending === 'closed',
  }),
  initial: 'idle',
  states: {
    idle: {
      description: 'Not started yet; nothing is open.',
      on: {
        ...notConnecting,
        ...noListeners,
        ...noSessions,
        ...noBackends,
        ...ignored(['listeners.bound'], 'They were started through their own handles; the proxy has yet to be.'),
        'listeners.failed': lost('idle'),
        'proxy.start': { target: 'starting' },
        // The parts were handed over with the options: they end with it, started or not.
        'proxy.close': { target: 'draining', actions: ['noteDrainTimeout', note('idle')] },
        'proxy.abort': cut('idle'),
      },
    },

    starting: {
      description: 'From the back to the front.',
      on: {
        ...startedOnce,
        ...noListeners,
        ...noSessions,
        ...noBackends,
        'listeners.failed': lost('binding'),
        'proxy.close': { target: 'draining', actions: ['noteDrainTimeout', note('binding')] },
        'proxy.abort': cut('binding'),
      },
      initial: 'connecting',
      states: {
        connecting: {
          description: 'The backends that stay up connect.',
          entry: 'connectBackends',
          on: {
            ...ignored(['listeners.bound'], 'They were started through their own handles.'),
            'backends.established': { target: 'binding' },
            'backends.failed': { target: '#proxy.stopping.cutting', actions: ['noteFailed', note('connecting')] },
          },
        },
        binding: {
          description: 'The listeners bind.',
          entry: 'startListeners',
          on: {
            ...notConnecting,
            'listeners.bound': { target: '#proxy.running' },
          },
        },
      },
    },

    running: {
      description: 'Clients are served.',
      entry: 'announceRunning',
      on: {
        ...startedOnce,
        ...notConnecting,
        ...noSessions,
        ...noListeners,
        ...noBackends,
        ...ignored(['listeners.bound'], 'A listener was resumed.'),
        'listeners.failed': {
          description:
            'A listener is lost for good: it could not be resumed, or its server was closed by somebody else; or the last one was closed.',
          ...lost('listening'),
        },
        'proxy.close': { target: 'draining', actions: ['noteDrainTimeout', note('established')] },
        'proxy.abort': cut('established'),
      },
    },

    draining: {
      description:
        'No newcomers; clients that are being admitted get their sessions, and the sessions come to their ends, until the deadline.',
      entry: ['closeListeners', 'awaitSessions'],
      on: {
        ...over,
        ...notConnecting,
        ...notBinding,
        ...noListeners,
        ...noBackends,
        ...notAsked,
        ...ignored(['proxy.close'], 'It drains already; an abort hastens it.'),
        'sessions.emptied': { target: 'stopping' },
        'proxy.abort': cut('closing'),
      },
      after: { drainTimeout: { target: 'stopping.refusing' } },
    },

    stopping: {
      description: 'No session goes on; what is left of the parts is closed, front to back.',
      on: {
        ...over,
        ...notConnecting,
        ...notBinding,
        ...ignored(['proxy.close'], 'It stops already.'),
      },
      initial: 'listeners',
      states: {
        refusing: {
          description: 'The deadline: clients that never got a session are turned away; a session that goes on is cut.',
          entry: 'refuseAdmissions',
          on: {
            ...noListeners,
            ...noBackends,
            'sessions.served': cut('closing', 'drainTimeout'),
            'sessions.emptied': { target: 'listeners' },
            'proxy.abort': cut('closing'),
          },
          after: { abortTimeout: { target: 'listeners' } },
        },
        cutting: {
          description: 'What still lives is reset; at a deadline, what is complete is let go of.',
          entry: ['abortListeners', 'abortSessions', 'awaitSessions'],
          on: {
            ...notAsked,
            ...noListeners,
            ...noBackends,
            'proxy.abort': {
              description: 'What was let go of is reset, and the backends after a start that failed.',
              actions: ['abortListeners', 'abortSessions', 'abortBackends'],
            },
            'sessions.emptied': { target: 'listeners' },
          },
          after: { cutTimeout: { target: 'listeners' } },
        },
        listeners: {
          description: 'The listeners end.',
          entry: 'awaitListeners',
          on: {
            ...noSessions,
            ...noBackends,
            'listeners.closed': { target: 'backends' },
            'proxy.abort': { actions: ['noteAborted', note('closing'), 'abortListeners'] },
          },
          after: { abortTimeout: { target: 'backends' } },
        },
        backends: {
          description: 'The backends that stay up are closed; each bounds its own close.',
          entry: 'closeBackends',
          on: {
            ...noSessions,
            ...noListeners,
            'backends.closed': [
              { guard: 'willBeClosed', target: '#proxy.closed' },
              { guard: 'willBeAborted', target: '#proxy.aborted' },
              { target: '#proxy.failed' },
            ],
            'proxy.abort': { actions: ['noteAborted', note('closing'), 'abortBackends'] },
          },
        },
      },
    },

    closed: { type: 'final', description: 'Every session had ended before the deadline.', output: 'closed' },
    aborted: {
      type: 'final',
      description: 'What still lived was cut: by the owner, or at the deadline.',
      output: 'aborted',
    },
    failed: { type: 'final', description: 'It could not start, or lost a listener.', output: 'failed' },
  },
});
