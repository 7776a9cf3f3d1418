/**
 * The life of a listener. Its rules:
 *
 * 1. A client is not a child of this machine: the adapter keeps a set, the machine a count. What a client costs must
 *    not grow with how many there are.
 * 2. Newcomers are turned away in one place and one way: when it is full, or no longer serves.
 * 3. Draining stops listening first and waits for the clients; a deadline cuts them. Clients that are being admitted
 *    finish that within their own time, which is shorter, and those that were never admitted make no end an abort.
 * 4. The handle is closed before anything that may fail: what cannot be cleared away after it is told, and no more.
 *
 * Left out on purpose: Node's `close` event of a server, which comes when the last socket has died and also after a
 * new listen. A handle that is told to close is closed.
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
  type Report,
} from './vocabulary.js';

/** Limits and waits of a listener, in milliseconds (`NEVER_MS` for none). */
export interface ListenerSettings {
  /** How many clients may live at once. */
  readonly clientsMax: number;
  /** Attempts in a row to bind. */
  readonly bindAttempts: number;
  readonly bindBackoff: number;
  readonly drainTimeout: number;
  /** How long a drain waits for clients that were not admitted before it. */
  readonly admissionTimeout: number;
  readonly abortTimeout: number;
  /** All the time for a client that its deadline has let go of. */
  readonly lingerMax: number;
}

export interface ListenerInput {
  readonly settings: ListenerSettings;
}

export interface ListenerContext {
  readonly settings: ListenerSettings;
  /** Clients alive. */
  clients: number;
  /** Attempts to bind since it last listened. */
  attempts: number;
  drainTimeoutMs: number;
  /** False once its clients were cut. */
  flushed: boolean;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type ListenerEvent =
  | { type: 'listener.start' }
  /** Stop accepting for a while; clients live on. */
  | { type: 'listener.suspend' }
  | { type: 'listener.resume' }
  /** The owner ends the life when the clients are gone. */
  | { type: 'listener.close'; timeoutMs?: number; cause?: Report }
  /** The owner ends the life and cuts its clients; with `deliver`, a deadline of the proxy's. */
  | { type: 'listener.abort'; cause?: Report; deliver?: boolean }
  | { type: 'server.listening' }
  | { type: 'server.failed'; cause: Report }
  /** Somebody else closed the server. */
  | { type: 'server.closed' }
  | { type: 'client.arrived'; socket: unknown }
  | { type: 'client.closed' }
  /** Those that were not admitted have been turned away, and there are others. */
  | { type: 'clients.served' };

export type ListenerCommand =
  | { type: 'server.listen' }
  /** Close the handle, and do it even if that throws. */
  | { type: 'server.close' }
  /** Remove the path of a Unix socket whose handle is closed; if that fails, tell the owner, and no more. */
  | { type: 'path.unlink' }
  | { type: 'client.adopt'; socket: unknown }
  | { type: 'client.refuse'; socket: unknown }
  /** Turn away the clients that were not admitted yet, and report `clients.served` if there are others. */
  | { type: 'admissions.refuse'; cause: Report }
  /** Reset them at once; with `deliver`, let go of those whose last byte and FIN are sent. */
  | { type: 'clients.abort'; cause: Cause; deliver: boolean }
  | { type: 'owner.listening' }
  | { type: 'owner.retry'; attempt: number; delayMs: number; cause: Cause }
  | { type: 'owner.warn'; cause: Cause };

const SERVER = ['server.listening', 'server.failed', 'server.closed'] as const;

const noClients = ignored(['client.closed'], 'It has adopted nobody yet.');
const notBinding = ignored(SERVER, 'The handle is closed: a late report.');
const startedOnce = ignored(['listener.start'], 'It has been started.');
const notListening = ignored(['listener.suspend'], 'It does not listen.');
const notSuspended = ignored(['listener.resume'], 'It was not suspended.');
const over = ignored(['listener.start', 'listener.suspend', 'listener.resume'], 'The end is decided.');
const notAsked = ignored(['clients.served'], 'Only the deadline of a drain asks for that.');
const refuse = { 'client.arrived': { actions: 'refuseClient' as const } };
const count = { 'client.closed': { actions: 'countClosed' as const } };

const LATE = { initiator: 'library', manner: 'timeout' } as const;

export const listenerMachine = setup({
  types: {
    context: {} as ListenerContext,
    events: {} as ListenerEvent,
    emitted: {} as ListenerCommand,
    input: {} as ListenerInput,
    output: {} as Outcome,
  },
  actions: {
    noteCause: assign({ cause: ({ event }, hint: CauseHint) => causeOf(event, hint) }),
    noteDrainTimeout: assign({
      drainTimeoutMs: ({ context, event }) =>
        (event.type === 'listener.close' ? event.timeoutMs : undefined) ?? context.settings.drainTimeout,
    }),
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    resetAttempts: assign({ attempts: 0 }),
    countAdopted: assign({ clients: ({ context }) => context.clients + 1 }),
    countClosed: assign({ clients: ({ context }) => context.clients - 1 }),
    listen: emit({ type: 'server.listen' }),
    closeServer: emit({ type: 'server.close' }),
    unlinkPath: emit({ type: 'path.unlink' }),
    adoptClient: emit(({ event }) => ({
      type: 'client.adopt',
      socket: event.type === 'client.arrived' ? event.socket : undefined,
    })),
    refuseClient: emit(({ event }) => ({
      type: 'client.refuse',
      socket: event.type === 'client.arrived' ? event.socket : undefined,
    })),
    refuseLate: emit({ type: 'admissions.refuse', cause: { ...LATE, code: 'admissionTimeout' } }),
    refuseAtDeadline: emit({ type: 'admissions.refuse', cause: { ...LATE, code: 'drainTimeout' } }),
    noteCut: assign({ flushed: false }),
    abortClients: emit(({ context }) => ({ type: 'clients.abort', cause: context.cause as Cause, deliver: false })),
    cutClients: emit(({ context }) => ({ type: 'clients.abort', cause: context.cause as Cause, deliver: true })),
    announceListening: emit({ type: 'owner.listening' }),
    announceRetry: emit(({ context }) => ({
      type: 'owner.retry',
      attempt: context.attempts + 1,
      delayMs: context.settings.bindBackoff,
      cause: context.cause as Cause,
    })),
    warn: emit(({ context }) => ({ type: 'owner.warn', cause: context.cause as Cause })),
  },
  guards: {
    hasBindAttemptsLeft: ({ context }) => context.attempts < context.settings.bindAttempts,
    hasClients: ({ context }) => context.clients > 0,
    isDeadline: ({ context, event }) =>
      event.type === 'listener.abort' && event.deliver === true && context.clients > 0,
    isFull: ({ context }) => context.clients >= context.settings.clientsMax,
    isLastPlace: ({ context }) => context.clients + 1 >= context.settings.clientsMax,
    isLastClient: ({ context }) => context.clients === 1,
  },
  delays: {
    bindBackoff: ({ context }) => context.settings.bindBackoff,
    drainTimeout: ({ context }) => context.drainTimeoutMs,
    admissionTimeout: ({ context }) => context.settings.admissionTimeout,
    abortTimeout: ({ context }) => context.settings.abortTimeout,
    cutTimeout: ({ context: { settings } }) => Math.min(NEVER_MS, settings.lingerMax + settings.abortTimeout),
  },
}).createMachine({
  id: 'listener',
  description: 'A listening server and the count of its clients.',
  context: ({ input }) => ({
    settings: input.settings,
    clients: 0,
    attempts: 0,
    drainTimeoutMs: input.settings.drainTimeout,
    flushed: true,
    cause: undefined,
  }),
  output: ({ context, event }) => ({
    ending: event.output as Ending,
    cause: context.cause as Cause,
    flushed: context.flushed,
  }),
  initial: 'idle',
  states: {
    idle: {
      description: 'Not started yet; a server that it was given may listen already, and its clients are turned away.',
      on: {
        ...refuse,
        ...noClients,
        ...notAsked,
        ...notBinding,
        ...notListening,
        ...notSuspended,
        'listener.start': { target: 'serving' },
        'listener.close': { target: 'closed', actions: ['closeServer', 'unlinkPath', note('idle')] },
        'listener.abort': { target: 'aborted', actions: ['closeServer', 'unlinkPath', note('idle')] },
      },
    },

    serving: {
      description: 'It listens, or means to.',
      on: {
        ...startedOnce,
        ...notAsked,
        'listener.close': [
          { guard: 'hasClients', target: 'draining', actions: ['noteDrainTimeout', note('listening')] },
          { target: 'closed', actions: ['closeServer', 'unlinkPath', note('listening')] },
        ],
        'listener.abort': [
          { guard: 'isDeadline', target: 'cutting', actions: ['closeServer', 'unlinkPath', note('listening')] },
          { guard: 'hasClients', target: 'aborting', actions: ['closeServer', 'unlinkPath', note('listening')] },
          { target: 'aborted', actions: ['closeServer', 'unlinkPath', note('listening')] },
        ],
      },
      initial: 'binding',
      states: {
        binding: {
          description: 'Told to listen; the system has not answered yet.',
          entry: ['countAttempt', 'listen'],
          on: {
            ...refuse,
            ...count,
            ...notSuspended,
            ...ignored(['server.closed'], 'A failed listen closes its handle; the failure decides.'),
            'listener.suspend': { target: 'suspended', actions: ['closeServer', 'unlinkPath'] },
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
            ...refuse,
            ...count,
            ...notBinding,
            'listener.suspend': { target: 'suspended' },
            ...notSuspended,
          },
          after: { bindBackoff: { target: 'binding' } },
        },
        listening: {
          description: 'Bound.',
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
            'listener.suspend': { target: 'suspended', actions: ['closeServer', 'unlinkPath'] },
          },
          initial: 'accepting',
          states: {
            accepting: {
              description: 'Newcomers are adopted.',
              on: {
                ...count,
                'client.arrived': [
                  { guard: 'isLastPlace', target: 'saturated', actions: ['countAdopted', 'adoptClient'] },
                  { actions: ['countAdopted', 'adoptClient'] },
                ],
              },
            },
            saturated: {
              description: '`clientsMax` clients live: newcomers are accepted, reset and counted.',
              on: {
                ...refuse,
                'client.closed': { target: 'accepting', actions: 'countClosed' },
              },
            },
          },
        },
        suspended: {
          description: 'The handle is closed; clients live on.',
          on: {
            ...refuse,
            ...count,
            ...notBinding,
            ...notListening,
            'listener.resume': { target: 'binding', actions: 'resetAttempts' },
          },
        },
      },
    },

    draining: {
      description: 'It listens no more and waits for its clients. Those that were being admitted may finish that.',
      entry: ['closeServer', 'unlinkPath'],
      on: {
        ...refuse,
        ...notBinding,
        ...over,
        ...ignored(['listener.close'], 'It drains already; an abort hastens it.'),
        ...ignored(['clients.served'], 'They have until the deadline.'),
        'client.closed': [
          { guard: 'isLastClient', target: 'closed', actions: 'countClosed' },
          { actions: 'countClosed' },
        ],
        'listener.abort': [
          { guard: 'isDeadline', target: 'cutting', actions: note('closing') },
          { target: 'aborting', actions: note('closing') },
        ],
      },
      after: {
        admissionTimeout: {
          description: 'Clients that are not admitted by now are turned away.',
          actions: 'refuseLate',
        },
        drainTimeout: { target: 'expired' },
      },
    },

    expired: {
      description: 'The deadline: clients that were never admitted are turned away, and are no reason to say aborted.',
      entry: 'refuseAtDeadline',
      on: {
        ...refuse,
        ...notBinding,
        ...over,
        ...ignored(['listener.close'], 'It is over as soon as they are gone; an abort hastens it.'),
        'clients.served': { target: 'cutting', actions: note('closing', 'drainTimeout') },
        'client.closed': [
          { guard: 'isLastClient', target: 'closed', actions: 'countClosed' },
          { actions: 'countClosed' },
        ],
        'listener.abort': [
          { guard: 'isDeadline', target: 'cutting', actions: note('closing') },
          { target: 'aborting', actions: note('closing') },
        ],
      },
      after: { abortTimeout: { target: 'closed' } },
    },

    cutting: {
      description: 'A deadline: its clients are cut, and those to whom all was sent are let go of; it waits for both.',
      entry: ['noteCut', 'cutClients'],
      on: {
        ...refuse,
        ...notBinding,
        ...over,
        ...notAsked,
        ...ignored(['listener.close'], 'Its clients are cut already; an abort hastens it.'),
        'client.closed': [
          { guard: 'isLastClient', target: 'aborted', actions: 'countClosed' },
          { actions: 'countClosed' },
        ],
        'listener.abort': [
          { guard: 'isDeadline', description: 'Its clients are cut already.' },
          { target: 'aborting', actions: note('closing') },
        ],
      },
      after: { cutTimeout: { target: 'aborted' } },
    },

    aborting: {
      description: 'Its clients are reset; it waits for their sockets to close.',
      entry: ['noteCut', 'abortClients'],
      on: {
        ...refuse,
        ...notBinding,
        ...over,
        ...ignored(['listener.close', 'listener.abort', 'clients.served'], 'Its clients are cut already.'),
        'client.closed': [
          { guard: 'isLastClient', target: 'aborted', actions: 'countClosed' },
          { actions: 'countClosed' },
        ],
      },
      after: { abortTimeout: { target: 'aborted' } },
    },

    failing: {
      description: 'It cannot listen again; the clients it still has are waited for.',
      entry: 'warn',
      on: {
        ...refuse,
        ...notBinding,
        ...over,
        ...notAsked,
        ...ignored(['listener.close'], 'It waits for its clients already; an abort hastens it.'),
        'client.closed': [
          { guard: 'isLastClient', target: 'failed', actions: 'countClosed' },
          { actions: 'countClosed' },
        ],
        'listener.abort': [{ guard: 'isDeadline', target: 'cutting' }, { target: 'aborting' }],
      },
      after: { drainTimeout: { target: 'cutting' } },
    },

    closed: { type: 'final', description: 'Closed by its owner; every client was waited for.', output: 'closed' },
    aborted: { type: 'final', description: 'Aborted, or its clients took too long to leave.', output: 'aborted' },
    failed: { type: 'final', description: 'It could not bind.', output: 'failed' },
  },
});
