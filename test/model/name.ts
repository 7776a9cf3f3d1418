/** The model of a name's world: a look-up that answers, fails, late or never, and an owner who asks anything at any time. */
import { assign, type EventObject } from 'xstate';
import { type NameContext, type NameEvent, nameMachine } from '../../src/machines/name.js';
import { type Chance, type ModelRules, must } from './explore.js';

export interface NameModel {
  /** The number of the look-up that runs. */
  readonly running: number | undefined;
  /** An earlier look-up that may still answer. */
  readonly late: number | undefined;
  readonly started: boolean;
  readonly over: '' | 'closed' | 'aborted';
  readonly asked: boolean;
  /** The servers have addresses: those of the last good answer. */
  readonly has: boolean;
  /** The last look-up has failed. */
  readonly failed: boolean;
  /** What has yet to be told. */
  readonly mustTell: '' | 'servers.update' | 'owner.failed';
  /** A look-up that ends has to lead to a wait. */
  readonly mustAsk: boolean;
}

/** Numbers that come again: what is explored is finite, and no answer is as late as that. */
const countLookup = assign<NameContext, NameEvent, unknown, NameEvent, never>({
  number: ({ context }) => (context.number % 3) + 1,
  tries: ({ context }) => context.tries + 1,
});

export const boundedNames = nameMachine.provide({ actions: { countLookup } });
export const boundedLookups = { countLookup };

const CAUSE = { initiator: 'peer', manner: 'error', code: 'ESERVFAIL' };

export const nameRules: ModelRules<NameModel> = {
  initial: {
    running: undefined,
    late: undefined,
    started: false,
    over: '',
    asked: false,
    has: false,
    failed: false,
    mustTell: '',
    mustAsk: false,
  },

  perform(model, command) {
    const { type, number } = command as EventObject & { number?: number };
    const { running } = model;
    switch (type) {
      case 'lookup.run':
        must(running === undefined, 'It has two look-ups (P5)');
        must(model.started && model.over === '', 'It looks up, and may not');
        must(number !== model.late, 'A look-up has the number of one that may still answer');
        must(model.mustTell !== 'servers.update', 'An answer is forgotten');
        // It is tried again: the failure need not be told.
        return { model: { ...model, running: number, mustTell: '', mustAsk: false } };
      case 'lookup.cancel':
        must(running === number, 'It cancels a look-up that does not run');
        return {
          model: {
            ...model,
            running: undefined,
            late: number,
            ...(model.over === '' && { mustTell: 'owner.failed', mustAsk: true, failed: true }),
          },
        };
      case 'wait.choose':
        must(model.mustAsk, 'It asks how long to wait, and no look-up is over');
        return { model: { ...model, asked: true, mustAsk: false } };
      case 'servers.update':
      case 'owner.failed':
        must(model.mustTell === type, 'It tells what is not so');
        return { model: { ...model, mustTell: '' } };
      case 'servers.lose':
        must(model.has, 'It loses what it has not (4)');
        must(model.failed, 'It loses what was answered (3)');
        return { model: { ...model, has: false } };
      default:
        throw new Error(`No code performs ${type}`);
    }
  },

  fails(model, command) {
    const { type, number } = command as EventObject & { number?: number };
    const done = nameRules.perform(model, command);
    if (type === 'wait.choose') {
      const chosen = { type: 'wait.chosen', random: 0.5, ageMs: 0 } as EventObject;
      return [{ model: { ...model, mustAsk: false }, reports: [chosen] }];
    }
    if (type !== 'lookup.run') return [done];
    const failed = { type: 'lookup.failed', number, failure: 'other', cause: CAUSE } as EventObject;
    return [{ model: { ...model, mustTell: 'owner.failed', mustAsk: true, failed: true }, reports: [failed] }];
  },

  chances(model, _state) {
    const { running, late, over } = model;
    const chances: Chance<NameModel>[] = [];
    const may = (who: Chance<NameModel>['who'], what: string, change: Partial<NameModel>, event: object): void => {
      chances.push({ who, what, model: { ...model, ...change }, event: event as EventObject });
    };
    const answers = [
      { type: 'lookup.answered', ttlMs: 0, isEmpty: false },
      { type: 'lookup.answered', ttlMs: 5, isEmpty: true },
      { type: 'lookup.failed', failure: 'nx', cause: CAUSE },
      { type: 'lookup.failed', failure: 'timeout', cause: CAUSE },
      { type: 'lookup.failed', failure: 'other', cause: CAUSE },
    ];
    for (const answer of answers) {
      const { type, isEmpty, failure } = answer as { type: string; isEmpty?: boolean; failure?: string };
      const what = `${type} ${failure ?? isEmpty}`;
      if (running !== undefined) {
        const good = { has: isEmpty !== true, failed: false, mustTell: 'servers.update' } as const;
        const bad = { failed: true, mustTell: 'owner.failed' } as const;
        const now = { running: undefined, late: running, mustAsk: true, ...(failure === undefined ? good : bad) };
        may('peer', what, now, { ...answer, number: running });
      }
      // It may answer any number of times.
      if (late !== undefined) may('peer', `${what}, late`, {}, { ...answer, number: late });
    }
    if (model.asked) {
      for (const ageMs of [0, 3, 100]) {
        may('library', `wait.chosen ${ageMs}`, { asked: false }, { type: 'wait.chosen', random: 0, ageMs });
      }
    }
    if (over !== '') return chances;
    may('owner', 'name.start', { started: true }, { type: 'name.start' });
    may('owner', 'name.refresh', {}, { type: 'name.refresh' });
    may('owner', 'name.close', { over: 'closed' }, { type: 'name.close' });
    may('owner', 'name.abort', { over: 'aborted' }, { type: 'name.abort' });
    return chances;
  },

  check(model, state, isDone, context) {
    must(model.mustTell === '', `${model.mustTell} does not come`);
    must(!model.mustAsk, 'A look-up is over, and no wait is chosen');
    must(isDone === (model.over !== ''), 'It ends by itself, or not when it was asked to');
    if (isDone) {
      must(state === model.over, `It ends as ${state}, and was ${model.over}`);
      must(model.running === undefined, 'It ends, and a look-up runs');
      must(context.cause !== undefined, 'It ends without a cause');
      return;
    }
    must((state === 'idle') === !model.started, 'It starts by itself, or not when it was asked to');
    must((state === 'asking') === (model.running !== undefined), `It is ${state}, its look-up is ${model.running}`);
    must(context.hasAddresses === model.has, 'It does not know whether it has addresses');
    must(state !== 'deferring' || model.asked, 'It waits for an answer to what it has not asked');
    must(state !== 'waiting.fresh' || (model.has && !model.failed), 'It is fresh, and has no good answer');
    must(state !== 'waiting.held' || (model.has && model.failed), 'It holds what it has not');
    must(state !== 'waiting.empty' || !model.has, 'It has addresses, and says none');
  },

  // Look-ups go on for ever: time alone leads to one of every three, whatever goes before.
  mayRest: ({ over, running }, state) => over === '' && (state === 'idle' || running === 2),
};
