/**
 * A listener and its clients. Its rules:
 *
 * 1. A client is not a child of this machine: the adapter keeps a set, the machine a count. What a client costs must
 *    not grow with how many there are.
 * 2. Newcomers are turned away in one place and one way: when it is full, or no longer serves.
 * 3. Draining stops listening first and waits for the clients; a deadline cuts them. Clients that are being admitted
 *    finish that within their own time, which is shorter; clients that were never admitted do not turn the end into `aborted`.
 * 4. The handle is closed before anything that may fail: what cannot be cleared away afterwards is a warning, and changes nothing.
 *
 * Left out on purpose: Node's `close` event of a server, which comes when the last socket has died and also after a
 * new listen. A handle that is told to close is closed.
 */
import { assign, emit, setup } from 'xstate';
import { final, ignored, note } from './fragments.js';
import * as listener from './functions/listener.js';
import { causeNoted } from './functions/outcome.js';
import type { CauseHint, Outcome } from './vocabulary.js';

export type {
  ListenerCommand,
  ListenerContext,
  ListenerEvent,
  ListenerInput,
  ListenerSettings,
} from './functions/listener.js';

const noClients = ignored(['client.closed'], 'It has adopted no client yet.');
const notBinding = ignored(
  ['server.listening', 'server.failed', 'server.closed'],
  'The handle is closed: a late report.',
);
const startedOnce = ignored(['listener.start'], 'It has been started.');
const notListening = ignored(['listener.suspend'], 'It does not listen.');
const notSuspended = ignored(['listener.resume'], 'It was not suspended.');
const notAsked = ignored(['clients.served'], 'Only the deadline of a drain asks for that.');
const refuseNewcomers = { 'client.arrived': { actions: 'refuseClient' } } as const;
const countDown = { 'client.closed': { actions: 'countClosed' } } as const;

const closeHandle = ['closeServer', 'unlinkPath'] as const;

/** It listens no more; it ends when the last client is gone. */
const untilEmpty = <const E extends string>(ending: E) =>
  ({
    ...refuseNewcomers,
    ...notBinding,
    ...ignored(['listener.start', 'listener.suspend', 'listener.resume'], 'The end is decided.'),
    'client.closed': [{ guard: 'isLastClient', target: ending, actions: 'countClosed' }, { actions: 'countClosed' }],
  }) as const;

/** A deadline cuts the clients, which are there: complete streams are delivered. The owner’s abort resets them. */
const abortWhileClosing = [
  { guard: 'isDeadline', target: '#listener.cutting', actions: note('closing') },
  { target: '#listener.aborting', actions: note('closing') },
] as const;

export const listenerMachine = setup({
  types: {
    context: {} as listener.ListenerContext,
    events: {} as listener.ListenerEvent,
    emitted: {} as listener.ListenerCommand,
    input: {} as listener.ListenerInput,
    output: {} as Outcome,
    tags: {} as 'idle' | 'listening' | 'ending',
  },
  actions: {
    noteCause: assign<listener.ListenerContext, listener.ListenerEvent, CauseHint, listener.ListenerEvent, never>({
      cause: causeNoted,
    }),
    noteDrainTimeout: assign({ drainTimeoutMs: listener.askedDrainTimeout }),
    noteCut: assign({ flushed: false }),
    countAttempt: assign({ attempts: listener.nextAttempt }),
    resetAttempts: assign({ attempts: 0 }),
    countAdopted: assign({ clients: listener.oneMore }),
    countClosed: assign({ clients: listener.oneLess }),
    listen: emit({ type: 'server.listen' }),
    closeServer: emit({ type: 'server.close' }),
    unlinkPath: emit({ type: 'path.unlink' }),
    adoptClient: emit(listener.adopt),
    refuseClient: emit(listener.refuse),
    refuseSlowAdmissions: emit(listener.refuseAdmissions('admissionTimeout')),
    refuseAdmissions: emit(listener.refuseAdmissions('drainTimeout')),
    abortClients: emit(listener.abort),
    cutClients: emit(listener.cut),
    announceListening: emit({ type: 'owner.listening' }),
    announceRetry: emit(listener.retry),
    warn: emit(listener.warn),
  },
  guards: {
    hasBindAttemptsLeft: listener.hasBindAttemptsLeft,
    hasClients: listener.hasClients,
    hasClientsAtDeadline: listener.hasClientsAtDeadline,
    isDeadline: listener.isDeadline,
    isFull: listener.isFull,
    isLastPlace: listener.isLastPlace,
    isLastClient: listener.isLastClient,
  },
  delays: {
    bindBackoff: listener.bindBackoff,
    drainTimeout: listener.drainTimeout,
    admissionTimeout: listener.admissionTimeout,
    abortTimeout: listener.abortTimeout,
    cutTimeout: listener.cutTimeout,
  },
}).createMachine({
  id: 'listener',
  description: 'A listening server and the count of its clients.',
  context: listener.startOf,
  output: listener.outcomeOf,
  initial: 'idle',
  states: {
    idle: {
      description: 'Not started yet; a server that it was given may listen already, and its clients are turned away.',
      tags: 'idle',
      on: {
        ...refuseNewcomers,
        ...noClients,
        ...notAsked,
        ...notBinding,
        ...notListening,
        ...notSuspended,
        'listener.start': { target: 'serving' },
        'listener.close': { target: 'closed', actions: [...closeHandle, note('idle')] },
        'listener.abort': { target: 'aborted', actions: [...closeHandle, note('idle')] },
      },
    },

    serving: {
      description: 'It listens, or means to.',
      on: {
        ...startedOnce,
        ...notAsked,
        'listener.close': [
          { guard: 'hasClients', target: 'draining', actions: ['noteDrainTimeout', note('serving')] },
          { target: 'closed', actions: [...closeHandle, note('serving')] },
        ],
        'listener.abort': [
          { guard: 'hasClientsAtDeadline', target: 'cutting', actions: [...closeHandle, note('serving')] },
          { guard: 'hasClients', target: 'aborting', actions: [...closeHandle, note('serving')] },
          { target: 'aborted', actions: [...closeHandle, note('serving')] },
        ],
      },
      initial: 'binding',
      states: {
        binding: {
          description: 'Told to listen; the system has not answered yet.',
          entry: ['countAttempt', 'listen'],
          on: {
            ...refuseNewcomers,
            ...countDown,
            ...notSuspended,
            ...ignored(['server.closed'], 'A failed listen closes its handle; the failure decides.'),
            'listener.suspend': { target: 'suspended', actions: closeHandle },
            'server.listening': [{ guard: 'isFull', target: 'listening.saturated' }, { target: 'listening' }],
            'server.failed': [
              { guard: 'hasBindAttemptsLeft', target: 'waiting', actions: [note('binding'), 'announceRetry'] },
              { guard: 'hasClients', target: '#listener.failing', actions: note('binding') },
              { target: '#listener.failed', actions: note('binding') },
            ],
          },
        },
        waiting: {
          description: 'It could not bind, and backs off before the next attempt.',
          on: {
            ...refuseNewcomers,
            ...countDown,
            ...notBinding,
            'listener.suspend': { target: 'suspended' },
            ...notSuspended,
          },
          after: { bindBackoff: { target: 'binding' } },
        },
        listening: {
          description: 'Bound.',
          tags: 'listening',
          entry: ['resetAttempts', 'announceListening'],
          on: {
            ...notSuspended,
            ...ignored(['server.listening'], 'It listens already.'),
            'server.failed': {
              description: 'One accept failed; the server listens on.',
              actions: [note('listening'), 'warn'],
            },
            'server.closed': [
              { guard: 'hasClients', target: '#listener.draining', actions: note('listening') },
              { target: '#listener.closed', actions: ['unlinkPath', note('listening')] },
            ],
            'listener.suspend': { target: 'suspended', actions: closeHandle },
          },
          initial: 'accepting',
          states: {
            accepting: {
              description: 'New clients are adopted.',
              on: {
                ...countDown,
                'client.arrived': [
                  { guard: 'isLastPlace', target: 'saturated', actions: ['countAdopted', 'adoptClient'] },
                  { actions: ['countAdopted', 'adoptClient'] },
                ],
              },
            },
            saturated: {
              description: '`clientsMax` clients live: new clients are accepted, reset and counted.',
              on: {
                ...refuseNewcomers,
                'client.closed': { target: 'accepting', actions: 'countClosed' },
              },
            },
          },
        },
        suspended: {
          description: 'The handle is closed; the clients go on.',
          on: {
            ...refuseNewcomers,
            ...countDown,
            ...notBinding,
            ...notListening,
            'listener.resume': { target: 'binding', actions: 'resetAttempts' },
          },
        },
      },
    },

    draining: {
      description: 'It listens no more and waits for its clients. Those that were being admitted may finish that.',
      tags: 'ending',
      entry: closeHandle,
      on: {
        ...untilEmpty('closed'),
        ...ignored(['listener.close'], 'It drains already; an abort hastens it.'),
        ...ignored(['clients.served'], 'They have until the deadline.'),
        'listener.abort': abortWhileClosing,
      },
      after: {
        admissionTimeout: {
          description: 'Clients that are not admitted by now are turned away.',
          actions: 'refuseSlowAdmissions',
        },
        drainTimeout: { target: 'refusing' },
      },
    },

    refusing: {
      description: 'The deadline: clients that were never admitted are turned away, and are no reason to say aborted.',
      tags: 'ending',
      entry: 'refuseAdmissions',
      on: {
        ...untilEmpty('closed'),
        ...ignored(['listener.close'], 'It ends as soon as its clients are gone; an abort hastens it.'),
        'clients.served': { target: 'cutting', actions: note('closing', 'drainTimeout') },
        'listener.abort': abortWhileClosing,
      },
      after: { abortTimeout: { target: 'closed' } },
    },

    cutting: {
      description: 'A deadline: its clients are cut, but sockets to which all was sent linger; it waits for both.',
      tags: 'ending',
      entry: ['noteCut', 'cutClients'],
      on: {
        ...untilEmpty('aborted'),
        ...notAsked,
        ...ignored(['listener.close'], 'Its clients are cut already; an abort hastens it.'),
        'listener.abort': [
          { guard: 'isDeadline', description: 'Another deadline: its clients are cut already.' },
          {
            description: 'The owner’s abort: the sockets that linger are reset, too.',
            target: 'aborting',
            actions: note('closing'),
          },
        ],
      },
      after: { cutTimeout: { target: 'aborted' } },
    },

    aborting: {
      description: 'Its clients are reset; it waits for their sockets to close.',
      tags: 'ending',
      entry: ['noteCut', 'abortClients'],
      on: {
        ...untilEmpty('aborted'),
        ...ignored(['listener.close', 'listener.abort', 'clients.served'], 'Its clients are cut already.'),
      },
      after: { abortTimeout: { target: 'aborted' } },
    },

    failing: {
      description: 'It cannot listen again; the clients it still has are waited for.',
      tags: 'ending',
      entry: 'warn',
      on: {
        ...untilEmpty('failed'),
        ...notAsked,
        ...ignored(['listener.close'], 'It waits for its clients already; an abort hastens it.'),
        'listener.abort': [{ guard: 'isDeadline', target: 'cutting' }, { target: 'aborting' }],
      },
      after: { drainTimeout: { target: 'cutting' } },
    },

    closed: final('closed', 'Closed by its owner; every client was waited for.'),
    aborted: final('aborted', 'Aborted, or its clients took too long to leave.'),
    failed: final('failed', 'It could not bind.'),
  },
});
