/** The model of a server's checks: a server that answers, late or never, and an owner who asks anything at any time. */
import { assign, type EventObject } from 'xstate';
import { type CheckContext, type CheckEvent, checkMachine } from '../../src/machines/check.js';
import type { Pace } from '../../src/machines/functions/check.js';
import { checkSettings } from '../machines/bounds.js';
import { lengthOf } from '../machines/check-properties.js';
import { type Chance, type ModelRules, must } from './explore.js';

export interface CheckModel {
  /** The number of the check that runs. */
  readonly running: number | undefined;
  /** An earlier check that may still answer. */
  readonly late: number | undefined;
  readonly started: boolean;
  readonly paused: boolean;
  readonly over: '' | 'closed' | 'aborted';
  readonly asked: boolean;
  readonly pace: Pace;
  /** How long the present wait is at most; 0 before the first one, and what it was after it. */
  readonly waitMs: number;
  readonly random: number;
  /** What has yet to be told to the owner. */
  readonly mustTell: '' | 'owner.passed' | 'owner.failed';
  /** What a check that ends has to lead to. */
  readonly mustAsk: boolean;
}

/** Numbers that come again: what is explored is finite, and no answer is as late as that. */
export const boundedCount = assign<CheckContext, CheckEvent, unknown, CheckEvent, never>({
  number: ({ context }) => (context.number % 3) + 1,
});

export const boundedChecks = checkMachine.provide({ actions: { countCheck: boundedCount } });

const START_MS = 1;

const CAUSE = { initiator: 'peer', manner: 'refusal', code: 'ECONNREFUSED' };

export const checkRules: ModelRules<CheckModel> = {
  initial: {
    running: undefined,
    late: undefined,
    started: false,
    paused: false,
    over: '',
    asked: false,
    pace: 'normal',
    waitMs: 0,
    random: 0.5,
    mustTell: '',
    mustAsk: false,
  },

  perform(model, command) {
    const { type, number } = command as EventObject & { number?: number };
    const { running } = model;
    switch (type) {
      case 'check.run':
        must(running === undefined, 'It has two checks (P5)');
        must(model.started && !model.paused, 'It checks, and may not');
        must(model.over === '', 'It checks after its end was asked for (1)');
        must(number !== model.late, 'A check has the number of one that may still answer');
        return { model: { ...model, running: number } };
      case 'check.cancel':
        must(running === number, 'It cancels a check that does not run');
        return {
          model: {
            ...model,
            running: undefined,
            late: number,
            ...(model.over === '' && !model.paused && { mustTell: 'owner.failed', mustAsk: true }),
          },
        };
      case 'wait.choose':
        must(model.mustAsk, 'It asks how long to wait, and no check is over');
        return { model: { ...model, asked: true, mustAsk: false } };
      case 'owner.passed':
      case 'owner.failed':
        must(model.mustTell === type, 'It tells its owner what is not so');
        return { model: { ...model, mustTell: '' } };
      default:
        throw new Error(`No code performs ${type}`);
    }
  },

  fails(model, command) {
    const { type, number } = command as EventObject & { number?: number };
    const done = checkRules.perform(model, command);
    if (type === 'wait.choose') {
      const chosen = { type: 'wait.chosen', random: 0.5 } as EventObject;
      const waitMs = lengthOf(checkSettings, model.pace, 0.5);
      return [{ model: { ...model, mustAsk: false, random: 0.5, waitMs }, reports: [chosen] }];
    }
    if (type !== 'check.run') return [done];
    // The adapter ends the check, and reports.
    const failed = { type: 'check.failed', number, cause: CAUSE } as EventObject;
    return [{ model: { ...model, mustTell: 'owner.failed', mustAsk: true }, reports: [failed] }];
  },

  chances(model, state) {
    const { running, late, over } = model;
    const chances: Chance<CheckModel>[] = [];
    const may = (who: Chance<CheckModel>['who'], what: string, change: Partial<CheckModel>, event: object): void => {
      chances.push({ who, what, model: { ...model, ...change }, event: event as EventObject });
    };
    const answers = [
      ['check.passed', 'owner.passed'],
      ['check.failed', 'owner.failed'],
      ['check.undecided', ''],
    ] as const;
    for (const [type, mustTell] of answers) {
      const cause = type === 'check.passed' ? {} : { cause: CAUSE };
      if (running !== undefined) {
        const change = { running: undefined, late: running, mustTell, mustAsk: true };
        may('peer', type, change, { type, number: running, ...cause });
      }
      // It may answer any number of times.
      if (late !== undefined) may('peer', `${type}, late`, {}, { type, number: late, ...cause });
    }
    if (model.asked) {
      for (const random of [0, 1]) {
        const isDue = state === 'deferring';
        const change = isDue ? { random, waitMs: lengthOf(checkSettings, model.pace, random) } : {};
        may('library', `wait.chosen ${random}`, { asked: false, ...change }, { type: 'wait.chosen', random });
      }
    }
    if (over !== '') return chances;
    may(
      'owner',
      'check.start',
      { started: true, ...(!model.started && { waitMs: START_MS }) },
      { type: 'check.start', offsetMs: START_MS },
    );
    may('owner', 'check.pause', { paused: model.started }, { type: 'check.pause' });
    may('owner', 'check.resume', { paused: false }, { type: 'check.resume' });
    for (const pace of ['normal', 'fast', 'down'] as const) {
      const sooner = lengthOf(checkSettings, pace, model.random);
      // A wait ends sooner, and never later.
      const waitMs = state.startsWith('waiting') ? Math.min(model.waitMs, sooner) : model.waitMs;
      may('owner', `pace ${pace}`, { pace, waitMs }, { type: 'pace.changed', pace });
    }
    may('owner', 'check.close', { over: 'closed' }, { type: 'check.close' });
    may('owner', 'check.abort', { over: 'aborted' }, { type: 'check.abort' });
    return chances;
  },

  check(model, state, isDone, context) {
    must(model.mustTell === '', `${model.mustTell} does not come`);
    must(!model.mustAsk, 'A check is over, and no wait is chosen');
    must(isDone === (model.over !== ''), 'It ends by itself, or not when it was asked to (1)');
    if (isDone) {
      must(state === model.over, `It ends as ${state}, and was ${model.over}`);
      must(model.running === undefined, 'It ends, and a check runs (6)');
      must(context.cause !== undefined, 'It ends without a cause');
      return;
    }
    must((state === 'idle') === !model.started, 'It starts by itself, or not when it was asked to');
    must((state === 'paused') === model.paused, `It is ${state}, against what was asked for`);
    must((state === 'checking') === (model.running !== undefined), `It is ${state}, and its check is ${model.running}`);
    must(context.pace === model.pace, `Its pace is ${context.pace}, and its owner wants ${model.pace}`);
    must(context.waitMs === model.waitMs, `It waits for ${context.waitMs} ms, not ${model.waitMs}`);
    must(state !== 'deferring' || model.asked, 'It waits for an answer to what it has not asked');
  },

  // Checks go on for ever: time alone leads to one of every three, whatever goes before.
  mayRest: ({ over, running }, state) => over === '' && (/^(idle|paused)$/.test(state) || running === 2),
};
