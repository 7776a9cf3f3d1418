/**
 * What the owner of a server wants of it, apart from how it works: it drains, is in maintenance, or is removed. See server.ts
 * for the rules.
 */
import { final, ignored, note } from './fragments.js';

/** A change that its user sees, and what is done about it. */
export const to = <const T extends string, const M extends readonly string[]>(
  target: `#server.${T}`,
  why: ReturnType<typeof note>,
  ...more: M
) => ({ target, actions: [why, ...more, 'updateSet', 'announce', 'serveWaiters'] }) as const;

export const notAsked = ignored(['sessions.emptied'], 'Its sessions are not waited for.');
export const noTrial = ignored(['trial.granted', 'trial.givenUp'], 'It is not tried: a late report.');
export const isUp = ignored(['server.up'], 'It serves already; `restore` ends an ejection or an exclusion.');
export const notKept = ignored(['server.restore'], 'Nothing keeps traffic from it that could be mended.');
export const addressKnown = ignored(['address.found'], 'Its address is known.');
export const late = ignored(
  ['traffic.connected', 'traffic.failed', 'traffic.dropped', 'traffic.lasted'],
  'It gets nothing new: what an earlier connection tells decides nothing.',
);
export const notChecked = ignored(['check.passed', 'check.failed'], 'Its checks have stopped: a late answer.');

const over = {
  ...noTrial,
  ...late,
  ...notChecked,
  ...ignored(['server.up', 'server.drain', 'server.maintain', 'server.restore'], 'Its removal is final.'),
  ...ignored(['address.found', 'address.lost', 'address.gone'], 'It is being removed.'),
};

export const SERVING = note('serving');
export const CHECKED = note('checking');

/** What its owner may want at any time before the end. */
export const removed = {
  'server.close': to('#server.removing', note('closing'), 'noteRemoval'),
  'server.abort': to('#server.cutting', note('closing'), 'noteHaste', 'stopChecks'),
} as const;
export const drained = { 'server.drain': to('#server.draining', SERVING) } as const;
export const maintained = { 'server.maintain': to('#server.maintenance', SERVING, 'pauseChecks') } as const;

/** Where it stands by what is known of it. */
const standing = (why: ReturnType<typeof note>) =>
  [
    { guard: 'isExcludedForGood', ...to('#server.serving.excluded', why) },
    { guard: 'isDoubted', ...to('#server.serving.trying', why) },
    { guard: 'isAtFullCredit', ...to('#server.serving.up', why) },
    { guard: 'isHealthy', ...to('#server.serving.suspect', why) },
    to('#server.serving.down', why),
  ] as const;

/** Its owner's wish is over. */
const asKnown = (why: ReturnType<typeof note>) =>
  [{ guard: 'hasNoAddress', ...to('#server.pending.addressing', why) }, ...standing(why)] as const;

/** Its name has other addresses now. */
export const gone = { 'address.gone': to('#server.leaving.wanted', SERVING) } as const;

/** Nothing is known any more: as HAProxy has it, it is up, and one failed check takes it down. */
export const afresh = <const M extends readonly string[]>(...more: M) =>
  [
    { guard: 'isFullAtRise', ...to('#server.serving.up', SERVING, ...more, 'forgetAll', 'resumeChecks') },
    to('#server.serving.suspect', SERVING, ...more, 'forgetAll', 'resumeChecks'),
  ] as const;

/** The states in which its owner wants nothing new there. */
export const ownerStates = {
  draining: {
    description: 'Its owner wants nothing new there; sessions and checks go on.',
    tags: 'out',
    on: {
      ...notAsked,
      ...noTrial,
      ...late,
      ...removed,
      ...maintained,
      ...ignored(['server.drain'], 'It drains already.'),
      'server.up': asKnown(SERVING),
      'server.restore': { actions: 'forgive' },
      'check.passed': { actions: ['notePassed', 'setPace'] },
      'check.failed': { actions: ['noteFailed', 'setPace'] },
      'address.found': [
        { guard: 'hasNoAddress', actions: ['noteFound', 'forgetAll', 'resumeChecks'] },
        { description: 'Its address is known.' },
      ],
      'address.lost': { actions: ['noteLost', 'pauseChecks'] },
      'address.gone': [
        {
          guard: 'hasNoAddress',
          ...to('#server.leaving.drained', SERVING, 'noteFound', 'forgetAll', 'resumeChecks'),
        },
        to('#server.leaving.drained', SERVING),
      ],
    },
  },

  maintenance: {
    description: 'Its owner works on it: nothing new, and no checks.',
    tags: 'out',
    entry: 'releaseSessions',
    on: {
      ...notAsked,
      ...noTrial,
      ...late,
      ...notChecked,
      ...removed,
      ...ignored(['server.maintain'], 'It is in maintenance.'),
      ...ignored(['server.restore'], 'Nothing is held against it afterwards.'),
      'server.up': [{ guard: 'hasNoAddress', ...to('#server.pending.addressing', SERVING, 'forgetAll') }, ...afresh()],
      'server.drain': [
        { guard: 'hasNoAddress', ...to('#server.draining', SERVING, 'forgetAll') },
        to('#server.draining', SERVING, 'forgetAll', 'resumeChecks'),
      ],
      'address.found': { actions: 'noteFound' },
      'address.lost': { actions: 'noteLost' },
      'address.gone': to('#server.leaving.maintained', SERVING, 'noteFound'),
    },
  },

  leaving: {
    description:
      'Its name has other addresses now: nothing new; it is removed once its sessions have ended, or at its deadline.',
    tags: 'out',
    entry: 'awaitSessions',
    on: {
      ...noTrial,
      ...late,
      ...removed,
      ...ignored(['address.lost', 'address.gone'], 'It leaves already.'),
      'server.restore': { actions: 'forgive' },
      'check.passed': { actions: ['notePassed', 'setPace'] },
      'check.failed': { actions: ['noteFailed', 'setPace'] },
      'sessions.emptied': {
        target: 'closed',
        actions: ['stopChecks', 'updateSet', 'announce', 'serveWaiters'],
      },
    },
    after: { removeTimeout: to('#server.cutting', note('closing', 'removeTimeout'), 'stopChecks') },
    initial: 'wanted',
    states: {
      wanted: {
        description: 'It serves again if its address comes back.',
        on: {
          ...ignored(['server.up'], 'That is what its owner wants already.'),
          'server.drain': { target: 'drained' },
          'server.maintain': { target: 'maintained', actions: 'pauseChecks' },
          'address.found': standing(SERVING),
        },
      },
      drained: {
        description: 'It drains if its address comes back.',
        on: {
          ...ignored(['server.drain'], 'It drains already.'),
          'server.up': { target: 'wanted' },
          'server.maintain': { target: 'maintained', actions: 'pauseChecks' },
          'address.found': to('#server.draining', SERVING),
        },
      },
      maintained: {
        description: 'It is in maintenance, also if its address comes back.',
        entry: 'releaseSessions',
        on: {
          ...notChecked,
          ...ignored(['server.maintain'], 'It is in maintenance.'),
          ...ignored(['server.restore'], 'Nothing is held against it afterwards.'),
          'server.up': { target: 'wanted', actions: ['forgetAll', 'resumeChecks'] },
          'server.drain': { target: 'drained', actions: ['forgetAll', 'resumeChecks'] },
          'address.found': to('#server.maintenance', SERVING),
        },
      },
    },
  },

  removing: {
    description: 'It is removed as soon as its last session has ended, or at its deadline.',
    tags: ['out', 'ending'],
    entry: ['stopChecks', 'awaitSessions'],
    on: {
      ...over,
      ...ignored(['server.close'], 'It is being removed; an abort hastens it.'),
      'server.abort': to('#server.cutting', note('closing'), 'noteHaste'),
      'sessions.emptied': { target: 'closed', actions: ['updateSet', 'announce', 'serveWaiters'] },
    },
    after: { removeTimeout: to('#server.cutting', note('closing', 'removeTimeout')) },
  },

  cutting: {
    description: 'Its sessions are cut; it waits for their ends.',
    tags: ['out', 'ending'],
    entry: ['noteCut', 'cutSessions', 'awaitSessions'],
    on: {
      ...over,
      ...ignored(['server.close'], 'Its sessions are cut already; an abort hastens it.'),
      'server.abort': [
        { guard: 'isDeadline', description: 'Another deadline: its sessions are cut already.' },
        {
          description: 'The owner’s abort: all of them now, also those that linger.',
          actions: [note('closing'), 'abortSessions'],
        },
      ],
      'sessions.emptied': { target: 'aborted', actions: ['updateSet', 'announce', 'serveWaiters'] },
    },
    after: { cutTimeout: { target: 'aborted', actions: ['abortSessions', 'updateSet', 'announce', 'serveWaiters'] } },
  },

  closed: { ...final('closed', 'It is removed; its sessions had ended.'), tags: ['out', 'ending'] },
  aborted: { ...final('aborted', 'It is removed; its sessions were cut.'), tags: ['out', 'ending'] },
} as const;
