/**
 * A worker of a cluster: one place, and one process at a time that fills it. Its rules:
 *
 * 1. A process is forked only when the one before it is gone for certain: at most one at a time.
 * 2. One that dies unasked is replaced, after a backoff, so many times in a row; the first start gets one attempt.
 * 3. Close and abort are final: no arrow leads from them to a fork. A process is first told, then given time, then killed (SIGKILL).
 * 4. A process that has ended what it served exits only when it is released: connections that Node's primary has sent to
 *    it meanwhile arrive before that word, and go back.
 *
 * Left out on purpose: the new process of a reload. It is another worker with the same number, started before this one
 * is closed.
 */
import { assign, emit, setup } from 'xstate';
import { final, ignored, note } from './fragments.js';
import { causeNoted } from './functions/outcome.js';
import * as worker from './functions/worker.js';
import type { CauseHint, Outcome, Phase } from './vocabulary.js';

export type { WorkerCommand, WorkerContext, WorkerEvent, WorkerInput, WorkerSettings } from './functions/worker.js';

const noProcess = ignored(
  ['process.ready', 'process.failed', 'process.closed', 'process.exited'],
  'There is no process: a late report.',
);
const runsAlready = ignored(['process.ready', 'process.failed'], 'It runs already.');
const exitDecides = ignored(['process.ready', 'process.failed', 'process.closed'], 'It exits; the exit decides.');
const notBegun = ignored(['process.closed'], 'What has not started has no end: the exit decides.');
const noChoice = ignored(['restart.deferred'], 'Nothing was asked.');
const startedOnce = ignored(['worker.start'], 'It has been started.');
const noRestart = ignored(['worker.start'], 'The end is decided; to start again takes a new worker.');

/** The process of a worker that has run is gone: another follows. The cause is its exit, unless one was known before. */
const replace = (...why: Parameters<typeof note> | []) => {
  const actions = [...(why.length === 0 ? [] : [note(...why)]), 'announceExit' as const];
  return [
    { guard: 'hasAttemptsLeft', target: '#worker.serving.deferring', actions },
    { target: '#worker.failed', actions },
  ] as const;
};

/** The process is gone after the end was decided. */
const end = [
  { guard: 'willBeClosed', target: '#worker.closed' },
  { guard: 'willBeAborted', target: '#worker.aborted' },
  { target: '#worker.failed' },
] as const;

/** The owner’s close and abort while a process starts or runs. */
const endProcess = (phase: Phase) =>
  ({
    'worker.close': { target: '#worker.draining', actions: ['noteDrainTimeout', note(phase)] },
    'worker.abort': { target: '#worker.aborting', actions: note(phase) },
  }) as const;

/** The same while there is no process, or none that could say anything. */
const endAt = <const C extends string, const A extends string>(close: C, abort: A, phase: Phase) =>
  ({
    'worker.close': { target: `#worker.${close}`, actions: note(phase) },
    'worker.abort': { target: `#worker.${abort}`, actions: ['noteAborted', note(phase)] },
  }) as const;

export const workerMachine = setup({
  types: {
    context: {} as worker.WorkerContext,
    events: {} as worker.WorkerEvent,
    emitted: {} as worker.WorkerCommand,
    input: {} as worker.WorkerInput,
    output: {} as Outcome,
    tags: {} as 'holdsProcess' | 'running' | 'answers' | 'ending',
  },
  actions: {
    noteCause: assign<worker.WorkerContext, worker.WorkerEvent, CauseHint, worker.WorkerEvent, never>({
      cause: causeNoted,
    }),
    noteDrainTimeout: assign({ drainTimeoutMs: worker.askedDrainTimeout }),
    noteBackoff: assign({ backoffMs: worker.deferredMs }),
    // Until it has said how it ended, what was lost with it is not known.
    presumeDropped: assign({ ending: 'dropped', flushed: false }),
    noteAborted: assign({ ending: 'aborted', flushed: false }),
    noteFailed: assign({ ending: 'failed' }),
    // There was nothing that it could have lost.
    noteClosed: assign({ ending: 'closed', flushed: true }),
    // It was told to close, and says how that went.
    noteOutcome: assign({
      ending: worker.toldEnding,
      flushed: worker.toldFlushed,
      truncated: worker.toldTruncated,
      cause: worker.toldCause,
    }),
    // It was told to abort: that is how it ends, also if it says otherwise.
    noteTruncated: assign({ truncated: worker.toldTruncated }),
    // It ended without being told.
    noteOwnEnd: assign({ cause: worker.toldCause }),
    countProcess: assign({ incarnation: worker.nextIncarnation, attempts: worker.nextAttempt }),
    resetAttempts: assign({ attempts: 0 }),
    forkProcess: emit(worker.fork),
    drainProcess: emit(worker.drain),
    abortProcess: emit(worker.abort),
    releaseProcess: emit({ type: 'process.release' }),
    killProcess: emit({ type: 'process.kill' }),
    chooseRestart: emit(worker.chooseRestart),
    announceRunning: emit(worker.running),
    announceExit: emit(worker.exited),
    announceRetry: emit(worker.retry),
  },
  guards: {
    hasAttemptsLeft: worker.hasAttemptsLeft,
    willBeClosed: worker.willBeClosed,
    willBeAborted: worker.willBeAborted,
  },
  delays: {
    startTimeout: worker.startTimeout,
    stableAfter: worker.stableAfter,
    backoff: worker.backoff,
    drainTimeout: worker.drainTimeout,
    abortTimeout: worker.abortTimeout,
  },
}).createMachine({
  id: 'worker',
  description: 'One place in a cluster and the process that fills it.',
  context: worker.startOf,
  output: worker.outcomeOf,
  initial: 'idle',
  states: {
    idle: {
      description: 'Not started yet; there is no process.',
      on: {
        ...noProcess,
        ...noChoice,
        'worker.start': { target: 'starting' },
        ...endAt('closed', 'aborted', 'idle'),
      },
    },

    starting: {
      description: 'The first process was forked; it loads the module and starts the handle that the module makes.',
      tags: 'holdsProcess',
      entry: ['countProcess', 'forkProcess'],
      on: {
        ...startedOnce,
        ...notBegun,
        ...noChoice,
        'process.ready': { target: 'serving' },
        'process.failed': { target: 'exiting', actions: ['noteFailed', note('starting')] },
        'process.exited': { target: 'failed', actions: note('starting') },
        ...endProcess('starting'),
      },
      after: { startTimeout: { target: 'killing', actions: ['noteFailed', note('starting', 'startTimeout')] } },
    },

    serving: {
      description: 'It serves, or means to again.',
      on: { ...startedOnce },
      initial: 'running',
      states: {
        running: {
          description: 'The handle that the module made has started.',
          tags: ['holdsProcess', 'running', 'answers'],
          entry: 'announceRunning',
          on: {
            ...runsAlready,
            ...noChoice,
            'process.closed': { target: 'exiting', actions: 'noteOwnEnd' },
            'process.exited': replace('serving'),
            ...endProcess('serving'),
          },
          after: {
            stableAfter: { description: 'It stayed up: deaths are counted anew.', actions: 'resetAttempts' },
          },
        },
        exiting: {
          description: 'The handle has ended, or could not start again: the process exits by itself.',
          tags: 'holdsProcess',
          entry: 'releaseProcess',
          on: {
            ...exitDecides,
            ...noChoice,
            'process.exited': replace(),
            ...endAt('exiting', 'killing', 'disposing'),
          },
          after: { abortTimeout: { target: 'disposing' } },
        },
        disposing: {
          description: 'The process is of no use: it is killed, and nothing is forked before it is gone.',
          tags: 'holdsProcess',
          entry: 'killProcess',
          on: {
            ...exitDecides,
            ...noChoice,
            'process.exited': replace(),
            ...endAt('killing', 'killing', 'disposing'),
          },
        },
        deferring: {
          description: 'It asks how long to wait.',
          entry: 'chooseRestart',
          on: {
            ...noProcess,
            'restart.deferred': { target: 'waiting', actions: ['noteBackoff', 'announceRetry'] },
            ...endAt('closed', 'aborted', 'waiting'),
          },
        },
        waiting: {
          description: 'Its process died; it backs off before the next one.',
          on: {
            ...noProcess,
            ...noChoice,
            ...endAt('closed', 'aborted', 'waiting'),
          },
          after: { backoff: { target: 'restarting' } },
        },
        restarting: {
          description: 'Another process was forked.',
          tags: 'holdsProcess',
          entry: ['countProcess', 'forkProcess'],
          on: {
            ...notBegun,
            ...noChoice,
            'process.ready': { target: 'running' },
            'process.failed': { target: 'exiting', actions: note('starting') },
            'process.exited': replace('starting'),
            ...endProcess('starting'),
          },
          after: { startTimeout: { target: 'disposing', actions: note('starting', 'startTimeout') } },
        },
      },
    },

    draining: {
      description: 'Its process closes the handle that the module made, and exits.',
      tags: ['holdsProcess', 'answers'],
      entry: ['presumeDropped', 'drainProcess'],
      on: {
        ...noRestart,
        ...noChoice,
        ...ignored(['process.ready'], 'It was told to close meanwhile.'),
        ...ignored(['worker.close'], 'It drains already; an abort hastens it.'),
        'process.failed': { target: 'exiting', actions: 'noteClosed' },
        'process.closed': { target: 'exiting', actions: 'noteOutcome' },
        'process.exited': { target: 'dropped', actions: note('closing') },
        'worker.abort': { target: 'aborting', actions: note('closing') },
      },
      after: { drainTimeout: { target: 'aborting', actions: note('closing', 'drainTimeout') } },
    },

    aborting: {
      description: 'Its process cuts its connections, and exits.',
      tags: 'holdsProcess',
      entry: ['noteAborted', 'abortProcess'],
      on: {
        ...noRestart,
        ...noChoice,
        ...ignored(['process.ready'], 'It was told to abort meanwhile.'),
        ...ignored(['worker.close', 'worker.abort'], 'It is being aborted already.'),
        'process.failed': { target: 'exiting' },
        'process.closed': { target: 'exiting', actions: 'noteTruncated' },
        'process.exited': { target: 'aborted' },
      },
      after: { abortTimeout: { target: 'killing' } },
    },

    exiting: {
      description: 'Its process has said how it ended, or that it could not start, and exits by itself.',
      tags: 'holdsProcess',
      entry: 'releaseProcess',
      on: {
        ...noRestart,
        ...exitDecides,
        ...noChoice,
        ...ignored(['worker.close'], 'It ends already.'),
        'process.exited': end,
        'worker.abort': { target: 'killing' },
      },
      after: { abortTimeout: { target: 'killing' } },
    },

    killing: {
      description: 'It was told and had its time.',
      tags: 'holdsProcess',
      entry: 'killProcess',
      on: {
        ...noRestart,
        ...exitDecides,
        ...noChoice,
        ...ignored(['worker.close', 'worker.abort'], 'It is being killed already.'),
        'process.exited': end,
      },
      after: { abortTimeout: end },
    },

    closed: final('closed', 'Closed by its owner; its process had ended well.'),
    aborted: final('aborted', 'Its connections were cut: by the owner, or at a deadline.'),
    dropped: final('dropped', 'Its process died while it drained.'),
    failed: final('failed', 'It could not start, or died too often in a row.'),
  },
});
