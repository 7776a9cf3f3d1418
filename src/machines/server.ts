/**
 * A server of a set: may new connections go there? Its rules:
 *
 * 1. What its owner wants (up, draining, maintenance, removed) is the outer state; what is known of its health is the
 *    inner one. The owner's word counts first. What is known stays in the context meanwhile, and checks go on in a drain.
 * 2. Checks and traffic judge it apart. Checks lead to `down` and back, by HAProxy's counter. Traffic leads to `ejected`, for a time
 *    that grows, and then to exactly one trial at a time.
 * 3. A check that passes does not end an ejection before its time: a server that accepts connections and loses them
 *    passes a check that connects. Checks that fail count meanwhile, so that the order of the two makes no difference.
 * 4. Every change has a cause, and is told once: first to the set, then to the owner, then to those that wait.
 * 5. A removal is final, and has a deadline. Its sessions go on until then. A server whose name has other addresses now leaves in
 *    the same way, but comes back with all that is known of it if its address does.
 *
 * Left out on purpose: whether the set can spare the server (the event says so), randomness (so does the event), and the
 * checks themselves (a machine of their own).
 */
import { assign, emit, setup } from 'xstate';
import { ignored, note } from './fragments.js';
import { causeNoted } from './functions/outcome.js';
import * as server from './functions/server.js';
import * as guards from './functions/server-guards.js';
import {
  addressKnown,
  afresh,
  CHECKED,
  drained,
  gone,
  isUp,
  late,
  maintained,
  noTrial,
  notAsked,
  notChecked,
  notKept,
  ownerStates,
  removed,
  SERVING,
  to,
} from './server-owner.js';
import type { CauseHint, Outcome, Phase } from './vocabulary.js';

export type {
  ServerCommand,
  ServerContext,
  ServerEvent,
  ServerInput,
  ServerSettings,
} from './functions/server.js';

/** A failure that no attempt can mend for now, or for good. */
const excluding = {
  guard: 'isUnmendable',
  ...to('#server.serving.excluded', note('connecting'), 'noteExclusion'),
} as const;

/** A connection has come up at a server that traffic has judged: back to where its checks have it. */
const proven = [
  { guard: 'provesSlowly', ...to('#server.serving.recovering', note('connecting'), 'forgetFailures', 'beginRecovery') },
  { guard: 'provesAtFullCredit', ...to('#server.serving.up', note('connecting'), 'forgetFailures') },
  { guard: 'proves', ...to('#server.serving.suspect', note('connecting'), 'forgetFailures') },
  { actions: 'forgetFailures' },
] as const;

/** Its owner says that it was mended, and its checks have it up. */
const restored = [
  { guard: 'isAtFullCredit', ...to('#server.serving.up', SERVING, 'forgive') },
  to('#server.serving.suspect', SERVING, 'forgive'),
] as const;

/** Failures of traffic while it may be chosen: they eject it, or its checks take them for their own. */
const strikes = (phase: Phase) =>
  [
    { guard: 'ejects', ...to('#server.serving.ejected', note(phase), 'noteEjection') },
    { guard: 'isMarkedDown', ...to('#server.serving.down', note(phase), 'markByTraffic') },
  ] as const;
const struck = [{ guard: 'isMarked', actions: ['markByTraffic', 'hurryChecks'] }, { actions: 'countStrike' }] as const;
const judged = {
  'traffic.connected': { actions: 'forgetFailures' },
  'traffic.lasted': { actions: 'forgetLosses' },
  'traffic.failed': [excluding, ...strikes('connecting'), ...struck],
  'traffic.dropped': [...strikes('established'), ...struck],
} as const;

/** The same at full credit, which is lost so. */
const suspected = (phase: Phase) =>
  ({
    guard: 'isMarkedSuspect',
    ...to('#server.serving.suspect', note(phase), 'markByTraffic', 'hurryChecks'),
  }) as const;

/** Failures of traffic while it gets none, or only what has no other way. */
const counted = {
  'traffic.lasted': { actions: 'forgetLosses' },
  'traffic.failed': [excluding, { actions: 'countStrike' }],
  'traffic.dropped': { actions: 'countStrike' },
} as const;

const checkFails = [
  { guard: 'isLastCredit', ...to('#server.serving.down', CHECKED, 'noteFailed') },
  { actions: ['noteFailed', 'setPace'] },
] as const;

export const serverMachine = setup({
  types: {
    context: {} as server.ServerContext,
    events: {} as server.ServerEvent,
    emitted: {} as server.ServerCommand,
    input: {} as server.ServerInput,
    output: {} as Outcome,
    tags: {} as 'choosable' | 'growing' | 'trial' | 'doubtful' | 'usable' | 'out' | 'ending',
  },
  actions: {
    noteCause: assign<server.ServerContext, server.ServerEvent, CauseHint, server.ServerEvent, never>({
      cause: causeNoted,
    }),
    notePassed: assign({ health: server.healthAfterPass, failures: server.failuresAfterPass }),
    noteFailed: assign({ health: server.healthAfterFailure }),
    markByTraffic: assign({ health: server.healthAfterTraffic, failures: 0, losses: 0 }),
    countStrike: assign({ failures: server.oneFailureMore, losses: server.oneLossMore }),
    forgetFailures: assign({ failures: 0 }),
    forgetLosses: assign({ losses: 0 }),
    forgetEjection: assign({ ejections: server.oneEjectionLess }),
    forgetAll: assign({ health: server.creditAgain, failures: 0, losses: 0, ejections: 0, isDoubted: false }),
    forgive: assign({ failures: 0, losses: 0, ejections: 0, isDoubted: false }),
    trust: assign({ isDoubted: false, loses: false, hasServed: true }),
    noteEjection: assign({
      restMs: server.ejectionMs,
      ejections: server.oneEjectionMore,
      failures: server.oneFailureMore,
      losses: 0,
      loses: server.wasLoss,
      isDoubted: true,
    }),
    noteExclusion: assign({ restMs: server.exclusionMs, failures: server.oneFailureMore, isDoubted: true }),
    beginRecovery: assign({ step: 0 }),
    countStep: assign({ step: server.nextStep }),
    noteFound: assign({ hasAddress: true }),
    noteLost: assign({ hasAddress: false }),
    noteRemoval: assign({ removeTimeoutMs: server.askedRemoveTimeout, spreadMs: server.askedSpread }),
    noteHaste: assign({ delivers: server.isToDeliver, spreadMs: 0 }),
    noteCut: assign({ flushed: false }),
    awaitSessions: emit({ type: 'sessions.await' }),
    cutSessions: emit(server.cut),
    abortSessions: emit(server.abort),
    releaseSessions: emit(server.release),
    startChecks: emit({ type: 'checks.start' }),
    pauseChecks: emit({ type: 'checks.pause' }),
    resumeChecks: emit({ type: 'checks.resume' }),
    stopChecks: emit({ type: 'checks.stop' }),
    setPace: emit(server.pace),
    hurryChecks: emit({ type: 'pace.set', pace: 'fast' }),
    updateSet: emit({ type: 'set.changed' }),
    announce: emit(server.changed),
    serveWaiters: emit({ type: 'waiters.serve' }),
  },
  guards: { ...guards },
  delays: {
    ejection: server.ejection,
    exclusion: server.ejection,
    forgiveness: server.forgiveness,
    slowStartStep: server.slowStartStep,
    removeTimeout: server.removeTimeout,
    cutTimeout: server.cutTimeout,
  },
}).createMachine({
  id: 'server',
  description: 'A server of a set, and whether new connections may go there.',
  context: server.startOf,
  output: server.outcomeOf,
  initial: 'added',
  states: {
    added: {
      description: 'What it begins as: that is said by `init` of its checks.',
      exit: 'startChecks',
      always: [
        { guard: 'isAtFullCredit', target: 'serving.up', actions: ['updateSet', 'announce'] },
        { guard: 'isHealthy', target: 'serving.suspect', actions: ['updateSet', 'announce'] },
        { guard: 'awaitsCheck', target: 'pending', actions: ['updateSet', 'announce'] },
        { target: 'serving.down', actions: ['updateSet', 'announce'] },
      ],
    },

    pending: {
      description: 'Nothing is known of it yet.',
      on: { ...notAsked, ...noTrial, ...isUp, ...notKept, ...removed, ...drained, ...maintained, ...gone },
      initial: 'checking',
      states: {
        checking: {
          description: 'Its first check decides.',
          tags: 'usable',
          entry: 'setPace',
          on: {
            ...counted,
            ...addressKnown,
            'traffic.connected': { actions: 'forgetFailures' },
            'check.passed': to('#server.serving.up', CHECKED, 'notePassed'),
            'check.failed': to('#server.serving.down', CHECKED, 'noteFailed'),
            'address.lost': to('#server.pending.addressing', SERVING, 'noteLost', 'pauseChecks'),
          },
        },
        addressing: {
          description: 'Its name was not answered for too long: whether it has its address is not known.',
          on: {
            ...late,
            ...notChecked,
            ...ignored(['address.lost'], 'It has none.'),
            'address.found': afresh('noteFound'),
            'address.gone': to('#server.leaving.wanted', SERVING, 'noteFound', 'forgetAll', 'resumeChecks'),
          },
        },
      },
    },

    serving: {
      description: 'Its owner wants it to serve; its checks and its traffic say whether it can.',
      on: {
        ...notAsked,
        ...isUp,
        ...addressKnown,
        ...removed,
        ...drained,
        ...maintained,
        ...gone,
        'address.lost': to('#server.pending.addressing', SERVING, 'noteLost', 'pauseChecks'),
      },
      initial: 'up',
      states: {
        up: {
          description: 'It works, as far as is known.',
          tags: ['choosable', 'usable'],
          entry: ['trust', 'setPace'],
          on: {
            ...noTrial,
            ...notKept,
            ...judged,
            'traffic.failed': [excluding, ...strikes('connecting'), suspected('connecting'), ...struck],
            'traffic.dropped': [...strikes('established'), suspected('established'), ...struck],
            'check.passed': { actions: ['notePassed', 'setPace'] },
            'check.failed': [
              { guard: 'isLastCredit', ...to('#server.serving.down', CHECKED, 'noteFailed') },
              to('#server.serving.suspect', CHECKED, 'noteFailed'),
            ],
          },
          after: {
            forgiveness: {
              description: 'One ejection is forgotten.',
              target: 'up',
              reenter: true,
              actions: 'forgetEjection',
            },
          },
        },
        suspect: {
          description: 'It is up, but checks have failed, or the first one is still to come.',
          tags: ['choosable', 'usable'],
          entry: ['trust', 'setPace'],
          on: {
            ...noTrial,
            ...notKept,
            ...judged,
            'check.passed': to('#server.serving.up', CHECKED, 'notePassed'),
            'check.failed': checkFails,
          },
        },
        recovering: {
          description: 'It works again; its share grows step by step.',
          tags: ['choosable', 'usable', 'growing'],
          entry: ['trust', 'setPace'],
          on: {
            ...noTrial,
            ...notKept,
            ...judged,
            'check.passed': { actions: ['notePassed', 'setPace'] },
            'check.failed': checkFails,
          },
          after: {
            slowStartStep: [
              { guard: 'isLastStepAtFullCredit', ...to('#server.serving.up', note('serving', 'slowStart')) },
              { guard: 'isLastStep', ...to('#server.serving.suspect', note('serving', 'slowStart')) },
              { target: 'recovering', reenter: true, actions: ['countStep', 'updateSet', 'serveWaiters'] },
            ],
          },
        },
        down: {
          description: 'Its checks say that it does not work.',
          tags: 'usable',
          entry: ['setPace', 'releaseSessions'],
          on: {
            ...noTrial,
            ...counted,
            ...ignored(['server.restore'], 'Its checks decide.'),
            'traffic.connected': { description: 'Its checks decide.', actions: 'forgetFailures' },
            'check.passed': [
              { guard: 'risesSlowly', ...to('#server.serving.recovering', CHECKED, 'notePassed', 'beginRecovery') },
              { guard: 'isRisen', ...to('#server.serving.up', CHECKED, 'notePassed') },
              { actions: ['notePassed', 'setPace'] },
            ],
            'check.failed': { actions: ['noteFailed', 'setPace'] },
          },
        },
        ejected: {
          description: 'Its traffic says that it does not work: it rests.',
          tags: ['doubtful', 'usable'],
          on: {
            ...noTrial,
            ...counted,
            'traffic.connected': proven,
            'check.passed': {
              description: 'Its time has to pass: it may accept connections, and lose them.',
              actions: ['notePassed', 'setPace'],
            },
            'check.failed': checkFails,
            'server.restore': restored,
          },
          after: { ejection: to('#server.serving.trying', note('serving', 'ejection')) },
        },
        trying: {
          description: 'It has rested: one connection, or a check, tries it.',
          tags: ['doubtful', 'usable'],
          on: {
            'traffic.connected': proven,
            'traffic.lasted': { actions: 'forgetLosses' },
            'traffic.failed': [
              excluding,
              { guard: 'maySpare', ...to('#server.serving.ejected', note('connecting'), 'noteEjection') },
              {
                description: 'The set cannot spare it.',
                target: '#server.serving.trying.free',
                actions: ['countStrike', 'updateSet', 'serveWaiters'],
              },
            ],
            'traffic.dropped': [
              { guard: 'maySpare', ...to('#server.serving.ejected', note('established'), 'noteEjection') },
              { actions: 'countStrike' },
            ],
            'check.passed': [
              { guard: 'passesSlowly', ...to('#server.serving.recovering', CHECKED, 'notePassed', 'beginRecovery') },
              { guard: 'passes', ...to('#server.serving.up', CHECKED, 'notePassed') },
              { actions: ['notePassed', 'setPace'] },
            ],
            'check.failed': checkFails,
            'server.restore': restored,
          },
          initial: 'free',
          states: {
            free: {
              description: 'The next connection tries it.',
              tags: 'trial',
              on: {
                ...ignored(['trial.givenUp'], 'No connection tries it: a late report.'),
                'trial.granted': { target: 'underway', actions: 'updateSet' },
              },
            },
            underway: {
              description: 'One connection tries it; the others wait for what becomes of that.',
              on: {
                ...ignored(['trial.granted'], 'One at a time.'),
                'trial.givenUp': { target: 'free', actions: ['updateSet', 'serveWaiters'] },
              },
            },
          },
        },
        excluded: {
          description: 'No attempt is of use: until its owner restores it, or for a while.',
          on: {
            ...noTrial,
            ...ignored(['traffic.dropped', 'traffic.lasted'], 'It was established before.'),
            'traffic.connected': { description: 'It was begun before.', actions: 'forgetFailures' },
            'traffic.failed': { description: 'It was begun before.', actions: 'countStrike' },
            'check.passed': { actions: ['notePassed', 'setPace'] },
            'check.failed': { actions: ['noteFailed', 'setPace'] },
            'server.restore': [
              { guard: 'isAtFullCredit', ...to('#server.serving.up', SERVING, 'forgive') },
              { guard: 'isHealthy', ...to('#server.serving.suspect', SERVING, 'forgive') },
              to('#server.serving.down', SERVING, 'forgive'),
            ],
          },
          after: {
            exclusion: [
              { guard: 'isHealthy', ...to('#server.serving.trying', note('serving', 'exclusion')) },
              to('#server.serving.down', note('serving', 'exclusion')),
            ],
          },
        },
      },
    },

    ...ownerStates,
  },
});
