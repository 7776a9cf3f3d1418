/**
 * The life of a cluster as a whole. Its rules:
 *
 * 1. A start is all or nothing: one worker that cannot start ends the others.
 * 2. Once it runs, a worker that is given up is missed, but only the last one ends the cluster.
 * 3. Every worker bounds its own end, so nothing here has to.
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
  /** How it will have ended once all workers are gone. */
  ending: Ending;
  timeoutMs: number | undefined;
  flushed: boolean;
  truncated: boolean;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type ClusterEvent =
  | { type: 'cluster.start' }
  /** Replace every process by a new one. */
  | { type: 'cluster.reload' }
  /** The owner stops it when the connections of all workers have ended. */
  | { type: 'cluster.close'; timeoutMs?: number; cause?: Report }
  /** The owner stops it now. */
  | { type: 'cluster.abort'; cause?: Report }
  /** Every worker has started. */
  | { type: 'workers.running' }
  /** One could not start; or the last one was given up. */
  | { type: 'workers.failed'; cause: Report }
  /** Every worker was replaced, or one could not be. */
  | { type: 'workers.reloaded' }
  /** The last one is gone. The outcome is the worst of theirs. */
  | { type: 'workers.closed'; outcome: Outcome };

export type ClusterCommand =
  | { type: 'workers.start' }
  /** Report `workers.reloaded` when it is done. */
  | { type: 'workers.reload' }
  | { type: 'workers.close'; timeoutMs: number | undefined }
  | { type: 'workers.abort'; cause: Cause }
  /** Report `workers.closed` when the last one is, which may be now. */
  | { type: 'workers.await' }
  | { type: 'owner.running' };

const notStarting = ignored(['workers.running'], 'No start is waited for: a late report.');
const notReloading = ignored(['workers.reloaded'], 'No reload is waited for: a late report.');
const notAwaited = ignored(['workers.closed'], 'Nobody waits for their end.');
const notFailing = ignored(['workers.failed'], 'The end is decided.');
const notRunning = ignored(['cluster.reload'], 'It does not run.');
const startedOnce = ignored(['cluster.start'], 'It has been started.');
const over = ignored(['cluster.start', 'cluster.reload'], 'The end is decided; a new life is a new handle.');

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
    noteAborted: assign({ ending: 'aborted' }),
    noteFailed: assign({ ending: 'failed' }),
    /** What the workers say of their bytes. */
    noteBytes: assign({
      flushed: ({ event }) => event.type === 'workers.closed' && event.outcome.flushed,
      truncated: ({ event }) => event.type === 'workers.closed' && event.outcome.truncated === true,
    }),
    noteOutcome: assign({
      cause: ({ context, event }) => (event.type === 'workers.closed' ? event.outcome.cause : context.cause),
    }),
    startWorkers: emit({ type: 'workers.start' }),
    reloadWorkers: emit({ type: 'workers.reload' }),
    closeWorkers: emit(({ context }) => ({ type: 'workers.close', timeoutMs: context.timeoutMs })),
    abortWorkers: emit(({ context }) => ({ type: 'workers.abort', cause: context.cause as Cause })),
    awaitWorkers: emit({ type: 'workers.await' }),
    announceRunning: emit({ type: 'owner.running' }),
  },
  guards: {
    wereClosed: ({ event }) => event.type === 'workers.closed' && event.outcome.ending === 'closed',
    wereAborted: ({ event }) => event.type === 'workers.closed' && event.outcome.ending === 'aborted',
    willBeAborted: ({ context }) => context.ending === 'aborted',
  },
}).createMachine({
  id: 'cluster',
  description: 'Workers as one: their start, their reload and their end.',
  context: { ending: 'closed', timeoutMs: undefined, flushed: true, truncated: false, cause: undefined },
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
        'workers.failed': { target: 'aborting', actions: ['noteFailed', note('preparing')] },
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
        'workers.failed': { target: 'aborting', actions: ['noteFailed', note('established')] },
        'cluster.close': { target: 'draining', actions: ['noteTimeout', note('established')] },
        'cluster.abort': { target: 'aborting', actions: ['noteAborted', note('established')] },
      },
      initial: 'steady',
      states: {
        steady: {
          description: 'Processes come and go only as they die.',
          on: {
            ...notReloading,
            'cluster.reload': { target: 'reloading' },
          },
        },
        reloading: {
          description: 'One worker after the other gets a new process before its old one is closed.',
          entry: 'reloadWorkers',
          on: {
            ...ignored(['cluster.reload'], 'It reloads; another one follows when this one is done.'),
            'workers.reloaded': { target: 'steady' },
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
