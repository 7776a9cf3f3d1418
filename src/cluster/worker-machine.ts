/**
 * The life of one worker of a cluster: one place, one process at a time. Its rules:
 *
 * 1. A process is forked only when the one before it is gone for certain: at most one at a time.
 * 2. One that dies unasked is replaced, after a backoff, so many times in a row; the first start gets one attempt.
 * 3. Close and abort are final: no arrow leads from them to a fork. A process first gets its word, then time, then SIGKILL.
 * 4. A process that has ended what it served exits only when it is released: connections that Node's primary has sent to
 *    it meanwhile arrive before that word, and go back.
 *
 * Left out on purpose: the new process of a reload. It is another worker with the same number, started before this one
 * is closed.
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

/** Waits and limits of a worker, in milliseconds (`NEVER_MS` for none). */
export interface WorkerSettings {
  /** Processes in a row that may die, counted until one stayed up for `stableAfter`. */
  readonly attemptsMax: number;
  readonly startTimeout: number;
  readonly stableAfter: number;
  readonly drainTimeout: number;
  readonly abortTimeout: number;
}

export interface WorkerInput {
  readonly settings: WorkerSettings;
}

export interface WorkerContext {
  readonly settings: WorkerSettings;
  /** Processes so far: the number of the one that lives. */
  incarnation: number;
  /** Processes since one was stable. */
  attempts: number;
  backoffMs: number;
  drainTimeoutMs: number;
  /** How it will have ended once its process is gone. */
  ending: Ending;
  /** What the process said about its bytes, if it was there to say it. */
  flushed: boolean;
  truncated: boolean;
  /** Why the last thing happened that needs a reason; nothing yet, at first. */
  cause: Cause | undefined;
}

export type WorkerEvent =
  | { type: 'worker.start' }
  /** The owner ends it when its connections have ended. */
  | { type: 'worker.close'; timeoutMs?: number; cause?: Report }
  /** The owner ends it now. */
  | { type: 'worker.abort'; cause?: Report }
  /** What the module made has started. */
  | { type: 'process.ready' }
  /** What the module made could not start, or there was nothing to start; the process waits for its release. */
  | { type: 'process.failed'; cause: Report }
  /** What the module made has ended; the process waits for its release. */
  | { type: 'process.closed'; outcome: Outcome }
  | { type: 'process.exited'; cause: Report }
  /** The answer to `restart.choose`. */
  | { type: 'restart.deferred'; delayMs: number };

export type WorkerCommand =
  | { type: 'process.fork'; incarnation: number }
  | { type: 'process.drain'; timeoutMs: number }
  /** Tell it to cut its connections and exit. */
  | { type: 'process.abort'; cause: Cause }
  /** It may exit: everything that was sent to it before has arrived when this does. */
  | { type: 'process.release' }
  | { type: 'process.kill' }
  /** When to fork again, after so many attempts; answered by `restart.deferred`. */
  | { type: 'restart.choose'; attempts: number }
  | { type: 'owner.running'; incarnation: number }
  | { type: 'owner.exited'; cause: Cause }
  | { type: 'owner.retry'; attempt: number; delayMs: number; cause: Cause };

const noProcess = ignored(
  ['process.ready', 'process.failed', 'process.closed', 'process.exited'],
  'There is no process: a late report.',
);
const runs = ignored(['process.ready', 'process.failed'], 'It runs already.');
const leaves = ignored(['process.ready', 'process.failed', 'process.closed'], 'It exits; the exit decides.');
const notBegun = ignored(['process.closed'], 'What has not started has no end: the exit decides.');
const noChoice = ignored(['restart.deferred'], 'Nothing was asked.');
const startedOnce = ignored(['worker.start'], 'It has been started.');
const over = ignored(['worker.start'], 'The end is decided; a new life is a new worker.');

/** What follows the death of a process in a worker that has run: with the reason that was known before, or its exit. */
const replace = (...why: Parameters<typeof note> | []) => {
  const actions = [...(why.length === 0 ? [] : [note(...why)]), 'announceExit' as const];
  return [
    { guard: 'hasAttemptsLeft' as const, target: '#worker.serving.deferring' as const, actions },
    { target: '#worker.failed' as const, actions },
  ];
};

/** The process is gone after the end was decided. */
const end = [
  { guard: 'willBeClosed' as const, target: '#worker.closed' as const },
  { guard: 'willBeAborted' as const, target: '#worker.aborted' as const },
  { target: '#worker.failed' as const },
];

export const workerMachine = setup({
  types: {
    context: {} as WorkerContext,
    events: {} as WorkerEvent,
    emitted: {} as WorkerCommand,
    input: {} as WorkerInput,
    output: {} as Outcome,
  },
  actions: {
    noteCause: assign({ cause: ({ event }, hint: CauseHint) => causeOf(event, hint) }),
    noteDrainTimeout: assign({
      drainTimeoutMs: ({ context, event }) =>
        (event.type === 'worker.close' ? event.timeoutMs : undefined) ?? context.settings.drainTimeout,
    }),
    noteBackoff: assign({ backoffMs: ({ event }) => (event.type === 'restart.deferred' ? event.delayMs : 0) }),
    /** Until it has said how it ended, what was lost with it is not known. */
    noteDropped: assign({ ending: 'dropped', flushed: false }),
    noteAborted: assign({ ending: 'aborted', flushed: false }),
    noteFailed: assign({ ending: 'failed' }),
    /** There was nothing that it could have lost. */
    noteClosed: assign({ ending: 'closed', flushed: true }),
    /** It was told to close, and says how that went. */
    noteOutcome: assign({
      ending: ({ event }) =>
        event.type === 'process.closed' && /^(closed|ended)$/.test(event.outcome.ending) ? 'closed' : 'aborted',
      flushed: ({ event }) => event.type === 'process.closed' && event.outcome.flushed,
      truncated: ({ event }) => event.type === 'process.closed' && event.outcome.truncated === true,
      cause: ({ context, event }) => (event.type === 'process.closed' ? event.outcome.cause : context.cause),
    }),
    /** It was told to abort: that is how it ends, whatever it says. */
    noteTruncated: assign({
      truncated: ({ event }) => event.type === 'process.closed' && event.outcome.truncated === true,
    }),
    /** It ended without being told. */
    noteLoss: assign({
      cause: ({ context, event }) => (event.type === 'process.closed' ? event.outcome.cause : context.cause),
    }),
    countProcess: assign({
      incarnation: ({ context }) => context.incarnation + 1,
      attempts: ({ context }) => context.attempts + 1,
    }),
    resetAttempts: assign({ attempts: 0 }),
    forkProcess: emit(({ context }) => ({ type: 'process.fork', incarnation: context.incarnation })),
    drainProcess: emit(({ context }) => ({ type: 'process.drain', timeoutMs: context.drainTimeoutMs })),
    abortProcess: emit(({ context }) => ({ type: 'process.abort', cause: context.cause as Cause })),
    releaseProcess: emit({ type: 'process.release' }),
    killProcess: emit({ type: 'process.kill' }),
    chooseRestart: emit(({ context }) => ({ type: 'restart.choose', attempts: context.attempts })),
    announceRunning: emit(({ context }) => ({ type: 'owner.running', incarnation: context.incarnation })),
    announceExit: emit(({ context }) => ({ type: 'owner.exited', cause: context.cause as Cause })),
    announceRetry: emit(({ context }) => ({
      type: 'owner.retry',
      attempt: context.attempts + 1,
      delayMs: context.backoffMs,
      cause: context.cause as Cause,
    })),
  },
  guards: {
    hasAttemptsLeft: ({ context }) => context.attempts < context.settings.attemptsMax,
    willBeClosed: ({ context }) => context.ending === 'closed',
    willBeAborted: ({ context }) => context.ending === 'aborted',
  },
  delays: {
    startTimeout: ({ context }) => context.settings.startTimeout,
    stableAfter: ({ context }) => context.settings.stableAfter,
    backoff: ({ context }) => context.backoffMs,
    drainTimeout: ({ context }) => context.drainTimeoutMs,
    abortTimeout: ({ context }) => context.settings.abortTimeout,
  },
}).createMachine({
  id: 'worker',
  description: 'One place in a cluster and the process that fills it.',
  context: ({ input }) => ({
    settings: input.settings,
    incarnation: 0,
    attempts: 0,
    backoffMs: 0,
    drainTimeoutMs: input.settings.drainTimeout,
    ending: 'closed',
    flushed: true,
    truncated: false,
    cause: undefined,
  }),
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
        ...noProcess,
        ...noChoice,
        'worker.start': { target: 'starting' },
        'worker.close': { target: 'closed', actions: note('idle') },
        'worker.abort': { target: 'aborted', actions: ['noteAborted', note('idle')] },
      },
    },

    starting: {
      description: 'The first process was forked; it loads the module and starts what that makes.',
      tags: 'holdsProcess',
      entry: ['countProcess', 'forkProcess'],
      on: {
        ...startedOnce,
        ...notBegun,
        ...noChoice,
        'process.ready': { target: 'serving' },
        'process.failed': { target: 'exiting', actions: ['noteFailed', note('preparing')] },
        'process.exited': { target: 'failed', actions: note('preparing') },
        'worker.close': { target: 'draining', actions: ['noteDrainTimeout', note('preparing')] },
        'worker.abort': { target: 'aborting', actions: note('preparing') },
      },
      after: { startTimeout: { target: 'killing', actions: ['noteFailed', note('preparing', 'startTimeout')] } },
    },

    serving: {
      description: 'It serves, or means to again.',
      on: { ...startedOnce },
      initial: 'running',
      states: {
        running: {
          description: 'What the module made has started.',
          tags: 'holdsProcess',
          entry: 'announceRunning',
          on: {
            ...runs,
            ...noChoice,
            'process.closed': { target: 'leaving', actions: 'noteLoss' },
            'process.exited': replace('established'),
            'worker.close': { target: '#worker.draining', actions: ['noteDrainTimeout', note('established')] },
            'worker.abort': { target: '#worker.aborting', actions: note('established') },
          },
          after: {
            stableAfter: { description: 'It stayed up: deaths are counted anew.', actions: 'resetAttempts' },
          },
        },
        leaving: {
          description: 'What the module made has ended, or could not start again: the process exits by itself.',
          tags: 'holdsProcess',
          entry: 'releaseProcess',
          on: {
            ...leaves,
            ...noChoice,
            'process.exited': replace(),
            'worker.close': { target: '#worker.exiting', actions: note('closing') },
            'worker.abort': { target: '#worker.killing', actions: ['noteAborted', note('closing')] },
          },
          after: { abortTimeout: { target: 'disposing' } },
        },
        disposing: {
          description: 'The process is of no use: it is killed, and nothing is forked before it is gone.',
          tags: 'holdsProcess',
          entry: 'killProcess',
          on: {
            ...leaves,
            ...noChoice,
            'process.exited': replace(),
            'worker.close': { target: '#worker.killing', actions: note('closing') },
            'worker.abort': { target: '#worker.killing', actions: ['noteAborted', note('closing')] },
          },
        },
        deferring: {
          description: 'It asks how long to wait.',
          entry: 'chooseRestart',
          on: {
            ...noProcess,
            'restart.deferred': { target: 'waiting', actions: ['noteBackoff', 'announceRetry'] },
            'worker.close': { target: '#worker.closed', actions: note('waiting') },
            'worker.abort': { target: '#worker.aborted', actions: ['noteAborted', note('waiting')] },
          },
        },
        waiting: {
          description: 'Its process died; it backs off before the next one.',
          on: {
            ...noProcess,
            ...noChoice,
            'worker.close': { target: '#worker.closed', actions: note('waiting') },
            'worker.abort': { target: '#worker.aborted', actions: ['noteAborted', note('waiting')] },
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
            'process.failed': { target: 'leaving', actions: note('preparing') },
            'process.exited': replace('preparing'),
            'worker.close': { target: '#worker.draining', actions: ['noteDrainTimeout', note('preparing')] },
            'worker.abort': { target: '#worker.aborting', actions: note('preparing') },
          },
          after: { startTimeout: { target: 'disposing', actions: note('preparing', 'startTimeout') } },
        },
      },
    },

    draining: {
      description: 'Its process closes what the module made, and exits.',
      tags: 'holdsProcess',
      entry: ['noteDropped', 'drainProcess'],
      on: {
        ...over,
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
        ...over,
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
        ...over,
        ...leaves,
        ...noChoice,
        ...ignored(['worker.close'], 'It ends already.'),
        'process.exited': end,
        'worker.abort': { target: 'killing' },
      },
      after: { abortTimeout: { target: 'killing' } },
    },

    killing: {
      description: 'It had its word and its time.',
      tags: 'holdsProcess',
      entry: 'killProcess',
      on: {
        ...over,
        ...leaves,
        ...noChoice,
        ...ignored(['worker.close', 'worker.abort'], 'It is being killed already.'),
        'process.exited': end,
      },
      after: { abortTimeout: end },
    },

    closed: { type: 'final', description: 'Closed by its owner; its process had ended well.', output: 'closed' },
    aborted: {
      type: 'final',
      description: 'Its connections were cut: by the owner, or at a deadline.',
      output: 'aborted',
    },
    dropped: { type: 'final', description: 'Its process died while it drained.', output: 'dropped' },
    failed: { type: 'final', description: 'It could not start, or died too often in a row.', output: 'failed' },
  },
});
