/**
 * A name that is as many servers as it has addresses: it is looked up, again and again. Its rules:
 *
 * 1. One look-up at a time. Each has a number; an answer with another number changes nothing.
 * 2. A look-up has an end: an answer, a failure, its timeout, or its cancellation. The next one follows a wait, which begins at that
 *    end. Only one that was not answered in time is tried again at once, a few times.
 * 3. An answer is good for as long as it says. A failure takes nothing away: the last good answer counts until the hold time
 *    of that failure is over, counted from that answer, as in HAProxy.
 * 4. What is lost is lost once, with the cause of the last failure.
 *
 * Left out on purpose: which servers an answer means, and what becomes of those whose address is not in it (each server has a
 * machine of its own); and randomness and the age of an answer, which come with the event.
 */
import { assign, emit, setup } from 'xstate';
import { final, ignored, note } from './fragments.js';
import * as name from './functions/name.js';
import { causeNoted } from './functions/outcome.js';
import type { CauseHint, Outcome, Phase } from './vocabulary.js';

export type {
  HoldSettings,
  LookupFailure,
  NameCommand,
  NameContext,
  NameEvent,
  NameInput,
  NameSettings,
} from './functions/name.js';

const lateAnswers = ignored(['lookup.answered', 'lookup.failed'], 'That look-up is over.');
const startedOnce = ignored(['name.start'], 'It has been started.');
const noChoice = ignored(['wait.chosen'], 'Nothing was asked.');
const RESOLVING = note('resolving');

/** The owner’s requests to end; a look-up that is under way is cancelled. */
const end = (phase: Phase, ...cancel: 'cancelLookup'[]) =>
  ({
    'name.close': { target: '#name.closed', actions: [...cancel, note(phase)] },
    'name.abort': { target: '#name.aborted', actions: [...cancel, note(phase)] },
  }) as const;

export const nameMachine = setup({
  types: {
    context: {} as name.NameContext,
    events: {} as name.NameEvent,
    emitted: {} as name.NameCommand,
    input: {} as name.NameInput,
    output: {} as Outcome,
    tags: {} as 'ending',
  },
  actions: {
    noteCause: assign<name.NameContext, name.NameEvent, CauseHint, name.NameEvent, never>({ cause: causeNoted }),
    countLookup: assign({ number: name.nextNumber, tries: name.nextTry }),
    forgetTries: assign({ tries: 0 }),
    noteAnswer: assign({
      isUnanswered: false,
      failure: undefined,
      ttlMs: name.toldTtl,
      hasAddresses: name.toldAddresses,
    }),
    noteFailure: assign({ isUnanswered: false, failure: name.toldFailure, ttlMs: 0 }),
    noteTimeout: assign({ isUnanswered: false, failure: 'timeout', ttlMs: 0 }),
    noteWait: assign({ waitMs: name.chosenWait }),
    noteHold: assign({ holdMs: name.leftToHold }),
    noteLoss: assign({ hasAddresses: false }),
    runLookup: emit(name.run),
    cancelLookup: emit(name.cancel),
    chooseWait: emit({ type: 'wait.choose' }),
    updateServers: emit({ type: 'servers.update' }),
    loseServers: emit(name.lose),
    tellFailed: emit(name.tellFailed),
  },
  guards: {
    isPresent: name.isPresent,
    isTriedAgain: name.isTriedAgain,
    mayTryAgain: name.mayTryAgain,
    isFresh: name.isFresh,
    isHeld: name.isHeld,
    isKnown: name.isKnown,
  },
  delays: {
    wait: name.waitMs,
    hold: name.holdMs,
    lookupTimeout: name.lookupTimeout,
  },
}).createMachine({
  id: 'name',
  description: 'A name that is as many servers as it has addresses.',
  context: name.startOf,
  output: name.outcomeOf,
  initial: 'idle',
  states: {
    idle: {
      description: 'Not started yet.',
      on: {
        ...lateAnswers,
        ...noChoice,
        ...ignored(['name.refresh'], 'It is not started yet.'),
        'name.start': { target: 'asking' },
        ...end('idle'),
      },
    },

    asking: {
      description: 'A look-up runs.',
      entry: ['countLookup', 'runLookup'],
      on: {
        ...startedOnce,
        ...noChoice,
        ...ignored(['name.refresh'], 'It is being looked up.'),
        'lookup.answered': [
          { guard: 'isPresent', target: 'deferring', actions: ['noteAnswer', 'updateServers'] },
          { description: 'The answer of an earlier look-up.' },
        ],
        'lookup.failed': [
          { guard: 'isTriedAgain', target: 'asking', reenter: true, actions: RESOLVING },
          { guard: 'isPresent', target: 'deferring', actions: ['noteFailure', RESOLVING, 'tellFailed'] },
          { description: 'The answer of an earlier look-up.' },
        ],
        ...end('resolving', 'cancelLookup'),
      },
      after: {
        lookupTimeout: [
          {
            guard: 'mayTryAgain',
            target: 'asking',
            reenter: true,
            actions: ['cancelLookup', note('resolving', 'lookupTimeout')],
          },
          {
            target: 'deferring',
            actions: ['cancelLookup', 'noteTimeout', note('resolving', 'lookupTimeout'), 'tellFailed'],
          },
        ],
      },
    },

    deferring: {
      description:
        'The look-up is over. How long the next one is waited for, and how old the last good answer is, is asked.',
      entry: ['forgetTries', 'chooseWait'],
      on: {
        ...lateAnswers,
        ...startedOnce,
        ...ignored(['name.refresh'], 'It was looked up just now.'),
        'wait.chosen': [
          { guard: 'isFresh', target: 'waiting.fresh', actions: 'noteWait' },
          { guard: 'isHeld', target: 'waiting.held', actions: ['noteWait', 'noteHold'] },
          { guard: 'isKnown', target: 'waiting.empty', actions: ['noteWait', 'noteLoss', 'loseServers'] },
          { target: 'waiting.empty', actions: 'noteWait' },
        ],
        ...end('resolving'),
      },
    },

    waiting: {
      description: 'It waits for the next look-up.',
      on: {
        ...lateAnswers,
        ...startedOnce,
        ...noChoice,
        'name.refresh': { target: 'asking' },
        ...end('resolving'),
      },
      initial: 'fresh',
      states: {
        fresh: { description: 'The last look-up was answered.' },
        held: {
          description: 'The last look-up has failed: the last good answer still counts.',
          after: { hold: { target: 'empty', actions: ['noteLoss', 'loseServers'] } },
        },
        empty: { description: 'The name has no address, as far as is known.' },
      },
      after: { wait: { target: 'asking' } },
    },

    closed: final('closed', 'Its owner looks it up no more.'),
    aborted: final('aborted', 'Its owner looks it up no more, at once.'),
  },
});
