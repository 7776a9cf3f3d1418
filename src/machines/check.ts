/**
 * The checks of one server. Its rules:
 *
 * 1. One check at a time. Each has a number; an answer with another number changes nothing.
 * 2. A check has an end: an answer, its timeout, or its cancellation. The next one follows a wait, which begins at that end.
 * 3. The owner says the pace: `normal`, `fast` or `down`. As in HAProxy, a new pace ends a wait earlier if it can, and never
 *    later. The first wait keeps its length: it spreads the checks of many servers.
 * 4. What this process lacks is no verdict on the server: such a check counts neither as passed nor as failed.
 *
 * Left out on purpose: how many checks have to pass or fail. The machine of the server counts, since traffic counts there, too.
 */
import { assign, emit, setup } from 'xstate';
import { final, ignored, note } from './fragments.js';
import * as check from './functions/check.js';
import { causeNoted } from './functions/outcome.js';
import type { CauseHint, Outcome, Phase } from './vocabulary.js';

export type { CheckCommand, CheckContext, CheckEvent, CheckInput, CheckSettings, Pace } from './functions/check.js';

const lateAnswers = ignored(['check.passed', 'check.failed', 'check.undecided'], 'That check is over.');
const startedOnce = ignored(['check.start'], 'The checks have been started.');
const notPaused = ignored(['check.resume'], 'The checks are not paused.');
const noChoice = ignored(['wait.chosen'], 'Nothing was asked.');
const notePace = { 'pace.changed': { actions: 'notePace' } } as const;

/** The owner’s requests to end; a check that is under way is cancelled. */
const end = (phase: Phase, ...cancel: 'cancelCheck'[]) =>
  ({
    'check.close': { target: '#check.closed', actions: [...cancel, note(phase)] },
    'check.abort': { target: '#check.aborted', actions: [...cancel, note(phase)] },
  }) as const;

/** What leads out of any state between two checks. */
const between = {
  ...lateAnswers,
  ...startedOnce,
  ...notPaused,
  'check.pause': { target: '#check.paused' },
  ...end('checking'),
} as const;

/** The answer of the present check; that of an earlier one changes nothing. */
const answered = <const A extends readonly unknown[]>(actions: A) =>
  [{ guard: 'isPresent', target: 'deferring', actions }, { description: 'The answer of an earlier check.' }] as const;

export const checkMachine = setup({
  types: {
    context: {} as check.CheckContext,
    events: {} as check.CheckEvent,
    emitted: {} as check.CheckCommand,
    input: {} as check.CheckInput,
    output: {} as Outcome,
    tags: {} as 'holdsSocket' | 'ending',
  },
  actions: {
    noteCause: assign<check.CheckContext, check.CheckEvent, CauseHint, check.CheckEvent, never>({ cause: causeNoted }),
    notePace: assign({ pace: check.askedPace }),
    noteOffset: assign({ waitMs: check.offsetMs }),
    noteRandom: assign({ random: check.chosenRandom }),
    noteWait: assign({ waitMs: check.paceMs }),
    countCheck: assign({ number: check.nextNumber }),
    runCheck: emit(check.run),
    cancelCheck: emit(check.cancel),
    chooseWait: emit({ type: 'wait.choose' }),
    tellPassed: emit({ type: 'owner.passed' }),
    tellFailed: emit(check.tellFailed),
  },
  guards: {
    isPresent: check.isPresent,
    isSooner: check.isSooner,
  },
  delays: {
    offset: check.waitMs,
    wait: check.waitMs,
    shorterWait: check.waitMs,
    checkTimeout: check.checkTimeout,
  },
}).createMachine({
  id: 'check',
  description: 'The checks of one server.',
  context: check.startOf,
  output: check.outcomeOf,
  initial: 'idle',
  states: {
    idle: {
      description: 'Not started yet.',
      on: {
        ...lateAnswers,
        ...noChoice,
        ...notePace,
        ...ignored(['check.pause', 'check.resume'], 'The checks are not started yet.'),
        'check.start': { target: 'starting', actions: 'noteOffset' },
        ...end('idle'),
      },
    },

    starting: {
      description: 'The first check is still to come; its time spreads the checks of many servers.',
      on: {
        ...between,
        ...noChoice,
        ...notePace,
      },
      after: { offset: { target: 'checking' } },
    },

    checking: {
      description: 'A check runs.',
      tags: 'holdsSocket',
      entry: ['countCheck', 'runCheck'],
      on: {
        ...startedOnce,
        ...notPaused,
        ...noChoice,
        ...notePace,
        'check.passed': answered(['tellPassed']),
        'check.failed': answered([note('checking'), 'tellFailed']),
        'check.undecided': answered([note('checking')]),
        'check.pause': { target: 'paused', actions: 'cancelCheck' },
        ...end('checking', 'cancelCheck'),
      },
      after: {
        checkTimeout: {
          target: 'deferring',
          actions: [note('checking', 'checkTimeout'), 'cancelCheck', 'tellFailed'],
        },
      },
    },

    deferring: {
      description: 'The check is over. The owner may change the pace now; then a random part of the wait is chosen.',
      entry: 'chooseWait',
      on: {
        ...between,
        ...notePace,
        'wait.chosen': { target: 'waiting', actions: ['noteRandom', 'noteWait'] },
      },
    },

    waiting: {
      description: 'It waits for the next check.',
      on: {
        ...between,
        ...noChoice,
      },
      initial: 'steady',
      states: {
        steady: {
          description: 'The wait has the length of the pace at its beginning.',
          on: {
            'pace.changed': [
              { guard: 'isSooner', target: 'hastened', actions: ['notePace', 'noteWait'] },
              { actions: 'notePace' },
            ],
          },
        },
        hastened: {
          description:
            'The pace has changed: the wait ends after the shorter interval, counted from then, unless it ends before.',
          on: {
            'pace.changed': [
              { guard: 'isSooner', target: 'hastened', reenter: true, actions: ['notePace', 'noteWait'] },
              { actions: 'notePace' },
            ],
          },
          after: { shorterWait: { target: '#check.checking' } },
        },
      },
      after: { wait: { target: 'checking' } },
    },

    paused: {
      description: 'The server is in maintenance: no check runs.',
      on: {
        ...lateAnswers,
        ...startedOnce,
        ...noChoice,
        ...notePace,
        ...ignored(['check.pause'], 'The checks are paused already.'),
        'check.resume': { target: 'checking' },
        ...end('checking'),
      },
    },

    closed: final('closed', 'The owner has ended the checks.'),
    aborted: final('aborted', 'The owner has aborted the checks.'),
  },
});
