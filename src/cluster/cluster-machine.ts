/**
 * The life of a cluster as a whole. Its rules:
 *
 * 1. A start is all or nothing: one worker that cannot start ends the others.
 * 2. Once it runs, a worker that is given up is missed, but only the last one ends the cluster.
 * 3. A reload is all or nothing as well: the old workers serve until every new one does, and then accept nobody any more.
 *    If a new worker cannot start, the new ones go, and the old ones stay. So there are twice the workers at most.
 * 4. Every worker bounds its own start and end, so nothing here has to.
 *
 * Left out on purpose: what a worker is. They report as one ("all of them run", "the last one is gone").
 */
import { assign, emit, setup } from 'xstate';
import {
  type Cause,
  type CauseHint,
  causeOf,
  type Ending,
  ignored,
  note,
  type Outcome,
  type Report,
} from '../machines/vocabulary.js';

export interface ClusterContext {
  /** How it will have ended once all workers are gone, if it was aborted. */
  ending: Ending;
  timeoutMs: number | undefined;
  /** How long the old workers of the present reload may drain; by their own settings, if undefined. */
  reloadTimeoutMs: number | undefined;
  /** The reload that was asked for during this one, if one was. */
  again: { readonly timeoutMs: number | undefined } | undefined;
  flushed: boolean;
  truncated: boolean;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type ClusterEvent =
  | { type: 'cluster.start' }
  /** Replace every process by a new one. */
  | { type: 'cluster.reload'; timeoutMs?: number }
  /** The owner stops it when the connections of all workers have ended. */
  | { type: 'cluster.close'; timeoutMs?: number; cause?: Report }
  /** The owner stops it now. */
  | { type: 'cluster.abort'; cause?: Report }
  /** Every worker has started. */
  | { type: 'workers.running' }
  /** One could not start; or the last one was given up. */
  | { type: 'workers.failed'; cause: Report }
  /** Every new worker of a reload serves. */
  | { type: 'newWorkers.running' }
  /** A new worker could not start, or died too often before all of them served. */
  | { type: 'newWorkers.failed'; cause: Report }
  /** The last new worker is gone, after they were withdrawn. */
  | { type: 'newWorkers.closed' }
  /** The last old worker is gone, after they were replaced. */
  | { type: 'oldWorkers.closed' }
  /** The last one is gone. The outcome is the worst of theirs. */
  | { type: 'workers.closed'; outcome: Outcome };

export type ClusterCommand =
  | { type: 'workers.start' }
  /** Start a new worker beside each; report `newWorkers.running` or `newWorkers.failed`. */
  | { type: 'newWorkers.start' }
  /** Close the new workers; report `newWorkers.closed` when the last one is gone, which may be now. */
  | { type: 'newWorkers.close'; timeoutMs: number | undefined }
  /** The new workers take the places of the old ones, which close; report `oldWorkers.closed`, which may be now. */
  | { type: 'oldWorkers.close'; timeoutMs: number | undefined }
  | { type: 'workers.close'; timeoutMs: number | undefined }
  | { type: 'workers.abort'; cause: Cause }
  /** Report `workers.closed` when the last one is, which may be now. */
  | { type: 'workers.await' }
  | { type: 'owner.running' }
  | { type: 'owner.reloaded' }
  | { type: 'owner.reloadFailed'; cause: Cause };

const notStarting = ignored(['workers.running'], 'No start is waited for: a late report.');
const noNewWorkers = ignored(
  ['newWorkers.running', 'newWorkers.failed', 'newWorkers.closed'],
  'No new workers are waited for: a late report.',
);
const noOldWorkers = ignored(['oldWorkers.closed'], 'No old workers are waited for: a late report.');
const notReloading = { ...noNewWorkers, ...noOldWorkers };
const notAwaited = ignored(['workers.closed'], 'Their end is not waited for.');
const notFailing = ignored(['workers.failed'], 'The end is decided.');
const notRunning = ignored(['cluster.reload'], 'It does not run.');
const startedOnce = ignored(['cluster.start'], 'It has been started.');
const over = ignored(['cluster.start', 'cluster.reload'], 'The end is decided; a new life is a new handle.');

/** A reload is over: its owner is told, and the next one begins, if it was asked for. */
const reloadEnds = (announce: 'announceReloaded' | 'announceReloadFailed') => [
  {
    guard: 'isAskedAgain' as const,
    target: '#cluster.running.reloading.starting' as const,
    actions: [announce, 'beginAgain' as const],
  },
  { target: '#cluster.running.steady' as const, actions: announce },
];

export const clusterMachine = setup({
  types: {
    context: {} as ClusterContext,
    events: {} as ClusterEvent,
    emitted: {} as ClusterCommand,
    output: {} as Outcome,
  },
  actions: {
    noteCause: assign({ cause: ({ event }, hint: CauseHint) => causeOf(event, hint) }),
    noteTimeout: assign({
      timeoutMs: ({ event }) => (event.type === 'cluster.close' ? event.timeoutMs : undefined),
    }),
    noteReload: assign({
      reloadTimeoutMs: ({ event }) => (event.type === 'cluster.reload' ? event.timeoutMs : undefined),
    }),
    /** One more reload follows, however often it is asked for; the last one says how. */
    noteAgain: assign({
      again: ({ event }) => ({ timeoutMs: event.type === 'cluster.reload' ? event.timeoutMs : undefined }),
    }),
    beginAgain: assign({ reloadTimeoutMs: ({ context }) => context.again?.timeoutMs, again: undefined }),
    noteAborted: assign({ ending: 'aborted' }),
    /** What the workers say of their bytes. */
    noteBytes: assign({
      flushed: ({ event }) => event.type === 'workers.closed' && event.outcome.flushed,
      truncated: ({ event }) => event.type === 'workers.closed' && event.outcome.truncated === true,
    }),
    noteOutcome: assign({
      cause: ({ context, event }) => (event.type === 'workers.closed' ? event.outcome.cause : context.cause),
    }),
    startWorkers: emit({ type: 'workers.start' }),
    startNewWorkers: emit({ type: 'newWorkers.start' }),
    closeNewWorkers: emit(({ context }) => ({ type: 'newWorkers.close', timeoutMs: context.reloadTimeoutMs })),
    closeOldWorkers: emit(({ context }) => ({ type: 'oldWorkers.close', timeoutMs: context.reloadTimeoutMs })),
    closeWorkers: emit(({ context }) => ({ type: 'workers.close', timeoutMs: context.timeoutMs })),
    abortWorkers: emit(({ context }) => ({ type: 'workers.abort', cause: context.cause as Cause })),
    awaitWorkers: emit({ type: 'workers.await' }),
    announceRunning: emit({ type: 'owner.running' }),
    announceReloaded: emit({ type: 'owner.reloaded' }),
    announceReloadFailed: emit(({ context }) => ({ type: 'owner.reloadFailed', cause: context.cause as Cause })),
  },
  guards: {
    // What may be sent is asked with no more than a type.
    wereClosed: ({ event }) => 'outcome' in event && event.outcome.ending === 'closed',
    wereAborted: ({ event }) => 'outcome' in event && event.outcome.ending === 'aborted',
    willBeAborted: ({ context }) => context.ending === 'aborted',
    isAskedAgain: ({ context }) => context.again !== undefined,
  },
}).createMachine({
  id: 'cluster',
  description: 'Workers as one: their start, their reload and their end.',
  context: {
    ending: 'closed',
    timeoutMs: undefined,
    reloadTimeoutMs: undefined,
    again: undefined,
    flushed: true,
    truncated: false,
    cause: undefined,
  },
  output: ({ context, event }) => ({
    ending: event.output as Ending,
    cause: context.cause as Cause,
    flushed: context.flushed,
    ...(context.truncated && { truncated: true }),
  }),
  initial: 'idle',
  states: {
    idle: {
      description: 'Not started yet; there is no process.',
      on: {
        ...notStarting,
        ...notReloading,
        ...notAwaited,
        ...notRunning,
        ...ignored(['workers.failed'], 'There are none.'),
        'cluster.start': { target: 'starting' },
        'cluster.close': { target: 'draining', actions: ['noteTimeout', note('idle')] },
        'cluster.abort': { target: 'aborting', actions: ['noteAborted', note('idle')] },
      },
    },

    starting: {
      description: 'Every worker starts.',
      entry: 'startWorkers',
      on: {
        ...startedOnce,
        ...notReloading,
        ...notAwaited,
        ...notRunning,
        'workers.running': { target: 'running' },
        'workers.failed': { target: 'aborting', actions: note('preparing') },
        'cluster.close': { target: 'draining', actions: ['noteTimeout', note('preparing')] },
        'cluster.abort': { target: 'aborting', actions: ['noteAborted', note('preparing')] },
      },
    },

    running: {
      description: 'Clients are served.',
      entry: 'announceRunning',
      on: {
        ...startedOnce,
        ...notStarting,
        ...notAwaited,
        'workers.failed': { target: 'aborting', actions: note('established') },
        'cluster.close': { target: 'draining', actions: ['noteTimeout', note('established')] },
        'cluster.abort': { target: 'aborting', actions: ['noteAborted', note('established')] },
      },
      initial: 'steady',
      states: {
        steady: {
          description: 'Processes come and go only as they die.',
          on: {
            ...notReloading,
            'cluster.reload': { target: 'reloading', actions: 'noteReload' },
          },
        },
        reloading: {
          description: 'Every worker gets a successor.',
          on: {
            'cluster.reload': { description: 'Another reload follows when this one is done.', actions: 'noteAgain' },
          },
          initial: 'starting',
          states: {
            starting: {
              description: 'New workers start beside the old ones, which serve on.',
              entry: 'startNewWorkers',
              on: {
                ...noOldWorkers,
                ...ignored(['newWorkers.closed'], 'They were not told to go.'),
                'newWorkers.running': { target: 'draining' },
                'newWorkers.failed': { target: 'withdrawing', actions: note('preparing') },
              },
            },
            draining: {
              description: 'New connections go to the new workers only; the old ones drain.',
              entry: 'closeOldWorkers',
              on: {
                ...noNewWorkers,
                'oldWorkers.closed': reloadEnds('announceReloaded'),
              },
            },
            withdrawing: {
              description: 'A new worker could not start: the new ones go, and the old ones serve on.',
              entry: 'closeNewWorkers',
              on: {
                ...noOldWorkers,
                ...ignored(['newWorkers.running', 'newWorkers.failed'], 'They were told to go.'),
                'newWorkers.closed': reloadEnds('announceReloadFailed'),
              },
            },
          },
        },
      },
    },

    draining: {
      description: 'Every worker drains, all at once.',
      entry: ['closeWorkers', 'awaitWorkers'],
      on: {
        ...over,
        ...notStarting,
        ...notReloading,
        ...notFailing,
        ...ignored(['cluster.close'], 'It drains already; an abort hastens it.'),
        'workers.closed': [
          { guard: 'wereClosed', target: 'closed', actions: 'noteBytes' },
          { guard: 'wereAborted', target: 'aborted', actions: ['noteBytes', 'noteOutcome'] },
          { target: 'dropped', actions: ['noteBytes', 'noteOutcome'] },
        ],
        'cluster.abort': { target: 'aborting', actions: ['noteAborted', note('closing')] },
      },
    },

    aborting: {
      description: 'What still lives is cut.',
      entry: ['abortWorkers', 'awaitWorkers'],
      on: {
        ...over,
        ...notStarting,
        ...notReloading,
        ...notFailing,
        ...ignored(['cluster.close'], 'It ends already.'),
        'workers.closed': [
          { guard: 'willBeAborted', target: 'aborted', actions: 'noteBytes' },
          { target: 'failed', actions: 'noteBytes' },
        ],
        'cluster.abort': {
          description: 'The others are cut already; the one that could not start is not waited for.',
          actions: 'abortWorkers',
        },
      },
    },

    closed: { type: 'final', description: 'Every worker had ended well before the deadline.', output: 'closed' },
    aborted: {
      type: 'final',
      description: 'What still lived was cut: by the owner, or at the deadline.',
      output: 'aborted',
    },
    dropped: { type: 'final', description: 'A worker died while it drained.', output: 'dropped' },
    failed: { type: 'final', description: 'A worker could not start, or the last one was given up.', output: 'failed' },
  },
});
