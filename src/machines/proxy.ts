/**
 * A proxy as a whole: the order in which its parts start and stop. Its rules:
 *
 * 1. Start from the back: backends that stay up first, then the listeners; a start that fails undoes what was started.
 * 2. Stop from the front: first no new clients, then the sessions end, then the backends are closed.
 * 3. Every wait has an end: a drain has a deadline, the parts bound their own closes. A client that is being
 *    admitted at the deadline does not turn the end into `aborted`. A client that still gets its last words does, and so
 *    does a client that other code has.
 * 4. A listener that was closed through its own handle is not missed while there are others, before the start as after.
 *
 * Left out on purpose: what the parts are. They report as one ("all listeners are bound", "the last client is gone").
 */
import { assign, emit, setup } from 'xstate';
import { final, ignored, note } from './fragments.js';
import { causeNoted } from './functions/outcome.js';
import * as proxy from './functions/proxy.js';
import type { CauseHint, Outcome, Phase } from './vocabulary.js';

export type { ProxyCommand, ProxyContext, ProxyEvent, ProxyInput, ProxySettings } from './functions/proxy.js';

const notConnecting = ignored(['backends.established', 'backends.failed'], 'No backend is waited for: a late report.');
const notBinding = ignored(['listeners.bound', 'listeners.failed'], 'No listener is waited for: a late report.');
const noListeners = ignored(['listeners.closed'], 'No listener is being closed.');
const notAsked = ignored(['sessions.served'], 'Only the deadline of a drain asks for that.');
const noSessions = { ...notAsked, ...ignored(['sessions.emptied'], 'The end of the sessions is not waited for.') };
const noBackends = ignored(['backends.closed'], 'No backend is being closed.');
const startedOnce = ignored(['proxy.start'], 'It has been started.');
const noRestart = ignored(['proxy.start'], 'The end is decided; to start again, make a new handle.');

/** Every part that has not ended is reset, the backends too; after a start that failed the backends are closed instead. */
const cut = (...why: Parameters<typeof note>) =>
  ({ target: '#proxy.stopping.cutting', actions: ['noteAborted', note(...why), 'abortBackends'] }) as const;

/** Without a listener that it was to have, it neither starts nor goes on. */
const failIn = (phase: Phase) => ({ target: '#proxy.stopping.cutting', actions: ['noteFailed', note(phase)] }) as const;

/** It drains: its sessions come to their ends. */
const drainIn = (phase: Phase) => ({ target: '#proxy.draining', actions: ['noteDrainTimeout', note(phase)] }) as const;

export const proxyMachine = setup({
  types: {
    context: {} as proxy.ProxyContext,
    events: {} as proxy.ProxyEvent,
    emitted: {} as proxy.ProxyCommand,
    input: {} as proxy.ProxyInput,
    output: {} as Outcome,
    tags: {} as 'serving' | 'ending',
  },
  actions: {
    noteCause: assign<proxy.ProxyContext, proxy.ProxyEvent, CauseHint, proxy.ProxyEvent, never>({ cause: causeNoted }),
    noteDrainTimeout: assign({ drainTimeoutMs: proxy.askedDrainTimeout }),
    noteAborted: assign({ ending: 'aborted' }),
    noteFailed: assign({ ending: 'failed' }),
    connectBackends: emit({ type: 'backends.connect' }),
    closeBackends: emit({ type: 'backends.close' }),
    abortBackends: emit(proxy.abortBackends),
    startListeners: emit({ type: 'listeners.start' }),
    closeListeners: emit({ type: 'listeners.close' }),
    abortListeners: emit(proxy.abortListeners),
    awaitListeners: emit({ type: 'listeners.await' }),
    awaitSessions: emit({ type: 'sessions.await' }),
    refuseAdmissions: emit({
      type: 'admissions.refuse',
      cause: { initiator: 'library', manner: 'timeout', code: 'drainTimeout' },
    }),
    abortSessions: emit(proxy.abortSessions),
    announceRunning: emit({ type: 'owner.running' }),
  },
  guards: {
    willBeClosed: proxy.willBeClosed,
    willBeAborted: proxy.willBeAborted,
  },
  delays: {
    drainTimeout: proxy.drainTimeout,
    abortTimeout: proxy.abortTimeout,
    cutTimeout: proxy.cutTimeout,
  },
}).createMachine({
  id: 'proxy',
  description: 'Listeners, sessions and backends as one: the order of their start and of their stop.',
  context: proxy.startOf,
  output: proxy.outcomeOf,
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
        'listeners.failed': failIn('idle'),
        'proxy.start': { target: 'starting' },
        // The parts were handed over with the options: they end with it, started or not.
        'proxy.close': drainIn('idle'),
        'proxy.abort': cut('idle'),
      },
    },

    starting: {
      description: 'From the back to the front.',
      tags: 'serving',
      on: {
        ...startedOnce,
        ...noListeners,
        ...noSessions,
        ...noBackends,
        'listeners.failed': failIn('starting'),
        'proxy.close': drainIn('starting'),
        'proxy.abort': cut('starting'),
      },
      initial: 'connecting',
      states: {
        connecting: {
          description: 'The backends that stay up connect.',
          entry: 'connectBackends',
          on: {
            ...ignored(['listeners.bound'], 'They were started through their own handles.'),
            'backends.established': { target: 'binding' },
            'backends.failed': { target: '#proxy.stopping.cutting', actions: ['noteFailed', note('starting')] },
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
      tags: 'serving',
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
            'A listener is lost for good: it could not be resumed, or other code has closed its server; or the last one was closed.',
          ...failIn('serving'),
        },
        'proxy.close': drainIn('serving'),
        'proxy.abort': cut('serving'),
      },
    },

    draining: {
      description:
        'No new clients; clients that are being admitted get their sessions, and the sessions come to their ends, until the deadline.',
      tags: ['serving', 'ending'],
      entry: ['closeListeners', 'awaitSessions'],
      on: {
        ...noRestart,
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
      tags: 'ending',
      on: {
        ...noRestart,
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
          description: 'Every part that has not ended is reset; at a deadline, sockets to which all was sent linger.',
          entry: ['abortListeners', 'abortSessions', 'awaitSessions'],
          on: {
            ...notAsked,
            ...noListeners,
            ...noBackends,
            'proxy.abort': {
              description:
                'The owner’s abort: sockets that linger are reset, and so are the backends after a start that failed.',
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

    closed: final('closed', 'Every session had ended before the deadline.'),
    aborted: final('aborted', 'Sessions that still lived were cut: by the owner, or at the deadline.'),
    failed: final('failed', 'It could not start, or lost a listener.'),
  },
});
