/**
 * A cluster as a whole. Its rules:
 *
 * 1. A start is all or nothing: one worker that cannot start ends the others.
 * 2. Once it runs, a worker that is given up is missed, but only the last one ends the cluster.
 * 3. A reload is all or nothing as well: the old workers serve until every new one does, and then accept no client any more.
 *    If a new worker cannot start, the new ones go, and the old ones stay. So there are twice the workers at most.
 * 4. Every worker bounds its own start and end, so nothing here has to.
 *
 * Left out on purpose: what a worker is. They report as one ("all of them run", "the last one is gone").
 */
import { assign, emit, setup } from 'xstate';
import { final, ignored, note } from './fragments.js';
import * as cluster from './functions/cluster.js';
import { causeNoted } from './functions/outcome.js';
import type { CauseHint, Outcome } from './vocabulary.js';

export type { ClusterCommand, ClusterContext, ClusterEvent } from './functions/cluster.js';

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
const noRestart = ignored(
  ['cluster.start', 'cluster.reload'],
  'The end is decided; to start again, make a new handle.',
);

/** A reload is over: its owner is told, and the next one begins, if it was asked for. */
const reloadEnds = (announce: 'announceReloaded' | 'announceReloadFailed') =>
  [
    {
      guard: 'isAskedAgain',
      target: '#cluster.running.reloading.starting',
      actions: [announce, 'beginAgain'],
    },
    { target: '#cluster.running.steady', actions: announce },
  ] as const;

export const clusterMachine = setup({
  types: {
    context: {} as cluster.ClusterContext,
    events: {} as cluster.ClusterEvent,
    emitted: {} as cluster.ClusterCommand,
    output: {} as Outcome,
    tags: {} as 'starting' | 'running' | 'startsNew' | 'withdrawsNew' | 'ending',
  },
  actions: {
    noteCause: assign<cluster.ClusterContext, cluster.ClusterEvent, CauseHint, cluster.ClusterEvent, never>({
      cause: causeNoted,
    }),
    noteTimeout: assign({ timeoutMs: cluster.askedTimeout }),
    noteReload: assign({ reloadTimeoutMs: cluster.askedTimeout }),
    // One more reload follows, however often it is asked for; the last request says how.
    noteAgain: assign({ again: cluster.askedAgain }),
    beginAgain: assign({ reloadTimeoutMs: cluster.timeoutOfAgain, again: undefined }),
    noteAborted: assign({ ending: 'aborted' }),
    noteBytes: assign({ flushed: cluster.toldFlushed, truncated: cluster.toldTruncated }),
    noteOutcome: assign({ cause: cluster.toldCause }),
    startWorkers: emit({ type: 'workers.start' }),
    startNewWorkers: emit({ type: 'newWorkers.start' }),
    closeNewWorkers: emit(cluster.closeNewWorkers),
    closeOldWorkers: emit(cluster.closeOldWorkers),
    closeWorkers: emit(cluster.closeWorkers),
    abortWorkers: emit(cluster.abortWorkers),
    awaitWorkers: emit({ type: 'workers.await' }),
    announceRunning: emit({ type: 'owner.running' }),
    announceReloaded: emit({ type: 'owner.reloaded' }),
    announceReloadFailed: emit(cluster.reloadFailed),
  },
  guards: {
    wereClosed: cluster.wereClosed,
    wereAborted: cluster.wereAborted,
    willBeAborted: cluster.willBeAborted,
    isAskedAgain: cluster.isAskedAgain,
  },
}).createMachine({
  id: 'cluster',
  description: 'Workers as one: their start, their reload and their end.',
  context: cluster.START,
  output: cluster.outcomeOf,
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
      tags: 'starting',
      entry: 'startWorkers',
      on: {
        ...startedOnce,
        ...notReloading,
        ...notAwaited,
        ...notRunning,
        'workers.running': { target: 'running' },
        'workers.failed': { target: 'aborting', actions: note('starting') },
        'cluster.close': { target: 'draining', actions: ['noteTimeout', note('starting')] },
        'cluster.abort': { target: 'aborting', actions: ['noteAborted', note('starting')] },
      },
    },

    running: {
      description: 'Clients are served.',
      tags: 'running',
      entry: 'announceRunning',
      on: {
        ...startedOnce,
        ...notStarting,
        ...notAwaited,
        'workers.failed': { target: 'aborting', actions: note('serving') },
        'cluster.close': { target: 'draining', actions: ['noteTimeout', note('serving')] },
        'cluster.abort': { target: 'aborting', actions: ['noteAborted', note('serving')] },
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
              tags: 'startsNew',
              entry: 'startNewWorkers',
              on: {
                ...noOldWorkers,
                ...ignored(['newWorkers.closed'], 'They were not told to go.'),
                'newWorkers.running': { target: 'draining' },
                'newWorkers.failed': { target: 'withdrawing', actions: note('starting') },
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
              tags: 'withdrawsNew',
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
      tags: 'ending',
      entry: ['closeWorkers', 'awaitWorkers'],
      on: {
        ...noRestart,
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
      description: 'Workers that still live are cut.',
      tags: 'ending',
      entry: ['abortWorkers', 'awaitWorkers'],
      on: {
        ...noRestart,
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

    closed: final('closed', 'Every worker had ended well before the deadline.'),
    aborted: final('aborted', 'Connections that still lived were cut: by the owner, or at the deadline.'),
    dropped: final('dropped', 'A worker died while it drained.'),
    failed: final('failed', 'A worker could not start, or the last one was given up.'),
  },
});
