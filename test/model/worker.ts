/** The model of one worker: its process, which loads, serves, ends, dies or hangs whenever it likes, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type ModelRules, must, type Who } from './explore.js';

/**
 * A process: `ended` has said its last word, and exits once it is released; `killed` cannot do anything any more, and what
 * it has said before may still arrive.
 */
export type Process = 'none' | 'loading' | 'serving' | 'draining' | 'aborting' | 'ended' | 'released' | 'killed';

export interface WorkerModel {
  readonly process: Process;
  /** It was loading when it was told to end: that it is ready, or cannot start, may be on its way. */
  readonly isLate: boolean;
  /** It waits for the answer to its question when to fork again. */
  readonly asked: boolean;
  readonly hasServed: boolean;
  readonly starts: number;
  readonly closes: number;
  readonly aborts: number;
  /** What the process did that decides how the worker ends. */
  readonly ending: '' | 'closed' | 'aborted' | 'dropped' | 'failed';
  /** It has said, after it was told to end, that a peer may take what it got for complete. */
  readonly truncated: boolean;
  /** A death that its owner has to hear of in this step. */
  readonly mustTell: boolean;
  /** What has to be commanded in this step. */
  readonly mustDo: '' | 'process.drain' | 'process.abort' | 'process.kill' | 'process.release' | 'process.fork';
}

const CAUSE = { initiator: 'system', manner: 'error', code: 'EMODEL' };
export const CLOSE_MS = 7;

const outcome = (ending: string) => ({
  ending,
  cause: { ...CAUSE, phase: 'closing' },
  flushed: ending === 'closed',
  ...(ending === 'aborted' && { truncated: true }),
});

/** Something that a process does, and what is reported of it. */
export interface Deed {
  readonly who: Who;
  readonly what: string;
  readonly process: Process;
  readonly event: EventObject;
}

/** All that a process may do now. @param isKilled for certain: it does not outlive SIGKILL, as it may where that is bounded */
export function deedsOf(process: Process, isLate: boolean, isKilled: boolean): Deed[] {
  const deeds: Deed[] = [];
  const may = (who: Who, next: Process, event: object): void => {
    const { type, outcome: how } = event as { type: string; outcome?: { ending: string } };
    deeds.push({
      who,
      what: how === undefined ? type : `${type} ${how.ending}`,
      process: next,
      event: event as EventObject,
    });
  };
  const ready = { type: 'process.ready' };
  const failed = { type: 'process.failed', cause: CAUSE };
  const closed = (ending: string) => ({ type: 'process.closed', outcome: outcome(ending) });
  const exited = { type: 'process.exited', cause: CAUSE };
  switch (process) {
    case 'none':
      return [];
    case 'loading':
      may('system', 'serving', ready);
      may('system', 'ended', failed);
      break;
    case 'serving':
      may('owner', 'ended', closed('closed'));
      break;
    case 'draining':
    case 'aborting':
      if (isLate) may('system', process, ready);
      if (isLate) may('system', 'ended', failed);
      may('peer', 'ended', closed('closed'));
      may('peer', 'ended', closed('aborted'));
      break;
    case 'killed':
      may('system', 'killed', ready);
      may('system', 'killed', failed);
      may('system', 'killed', closed('closed'));
      break;
  }
  // Any may die at any time, and one that was released may hang.
  may(process === 'killed' && isKilled ? 'library' : 'system', 'none', exited);
  return deeds;
}

/** What a command does to a process. */
export function commanded(process: Process, command: string): Process {
  switch (command) {
    case 'process.fork':
      must(process === 'none', 'It has two processes');
      return 'loading';
    case 'process.drain':
      must(process === 'loading' || process === 'serving', `It tells a process to drain that is ${process}`);
      return 'draining';
    case 'process.abort':
      must(/^(loading|serving|draining)$/.test(process), `It tells a process to abort that is ${process}`);
      return 'aborting';
    case 'process.release':
      must(process === 'ended' || process === 'released', `It releases a process that is ${process}`);
      return 'released';
    case 'process.kill':
      must(process !== 'none', 'It kills what is gone');
      return 'killed';
    default:
      return process;
  }
}

const isOver = ({ closes, aborts }: WorkerModel): boolean => closes + aborts > 0;

export const workerRules = (attemptsMax: number): ModelRules<WorkerModel> => ({
  initial: {
    process: 'none',
    isLate: false,
    asked: false,
    hasServed: false,
    starts: 0,
    closes: 0,
    aborts: 0,
    ending: '',
    truncated: false,
    mustTell: false,
    mustDo: '',
  },

  perform(model, command) {
    const { type } = command;
    const now = {
      ...model,
      process: commanded(model.process, type),
      ...(type === model.mustDo && { mustDo: '' as const }),
    };
    switch (type) {
      case 'process.fork':
        must(!isOver(model), 'It forks after the end was asked for (1)');
        must(model.ending === '', 'It forks after its end');
        return { model: now };
      case 'process.drain':
        must((command as { timeoutMs?: number } & EventObject).timeoutMs === CLOSE_MS, 'It drains in another time');
        return { model: { ...now, isLate: model.process === 'loading' } };
      case 'process.abort':
        return { model: { ...now, isLate: model.isLate || model.process === 'loading' } };
      case 'restart.choose':
        must(!isOver(model) && model.process === 'none', 'It asks when to fork, and may not');
        return { model: { ...now, asked: true } };
      case 'process.kill': {
        // Nothing else kills the first process before it serves, and before its owner ends it.
        const isTooSlow = model.process === 'loading' && !model.hasServed && !isOver(model);
        return { model: isTooSlow ? { ...now, ending: 'failed' } : now };
      }
      case 'owner.running':
        must(!isOver(model) && model.process === 'serving', 'It says that it serves, and does not');
        return { model: { ...now, hasServed: true } };
      case 'owner.exited':
        must(model.mustTell, 'It tells of a death that is no news');
        return { model: { ...now, mustTell: false } };
      case 'owner.retry':
        must(!isOver(model) && model.process === 'none', 'It tells of an attempt that does not follow');
        return { model: now };
      default:
        return { model: now };
    }
  },

  chances(model, state) {
    const { process, isLate, asked, hasServed, starts, closes, aborts } = model;
    const chances: Chance<WorkerModel>[] = [];
    for (const { who, what, process: next, event } of deedsOf(process, isLate, state === 'serving.disposing')) {
      const change: Partial<WorkerModel> = {};
      if (event.type === 'process.exited') {
        const isUnasked = hasServed && !isOver(model);
        const isFirst = !isOver(model) && !hasServed;
        const isDropped = state === 'draining';
        Object.assign(change, {
          isLate: false,
          mustTell: isUnasked,
          ...(isFirst && model.ending === '' && { ending: 'failed' }),
          ...(isDropped && { ending: 'dropped' }),
        });
      }
      if (next === 'ended' && process !== 'ended') {
        const how = (event as { outcome?: { ending: string } } & EventObject).outcome?.ending ?? 'closed';
        const isFailed = event.type === 'process.failed' && !hasServed && !isOver(model);
        Object.assign(change, {
          isLate: false,
          mustDo: 'process.release',
          ...(isFailed && { ending: 'failed' }),
          ...(process === 'draining' && { ending: how }),
          ...(process === 'aborting' && { ending: 'aborted' }),
          ...(/^(draining|aborting)$/.test(process) && { truncated: how === 'aborted' }),
        });
      }
      if (event.type === 'process.ready') Object.assign(change, { isLate: false });
      chances.push({ who, what, model: { ...model, process: next, ...change }, event });
    }
    const may = (who: Who, change: Partial<WorkerModel>, event: object): void => {
      const { type } = event as EventObject;
      chances.push({ who, what: type, model: { ...model, ...change }, event: event as EventObject });
    };
    if (asked) may('library', { asked: false }, { type: 'restart.deferred', delayMs: 1 });
    if (starts < 1) may('owner', { starts: 1, mustDo: isOver(model) ? '' : 'process.fork' }, { type: 'worker.start' });
    if (closes < 2) {
      const mustDo =
        /^(loading|serving)$/.test(process) && !isOver(model) && model.ending === '' ? 'process.drain' : '';
      may('owner', { closes: closes + 1, mustDo }, { type: 'worker.close', timeoutMs: CLOSE_MS });
    }
    if (aborts < 2) {
      const isTold = /^(loading|serving|draining)$/.test(process) && model.ending === '';
      const isCut = /^(ended|released)$/.test(process);
      may(
        'owner',
        {
          aborts: aborts + 1,
          mustDo: isTold ? 'process.abort' : isCut ? 'process.kill' : '',
          ...(isTold && { ending: 'aborted' }),
        },
        { type: 'worker.abort' },
      );
    }
    return chances;
  },

  check(model, state, isDone, context) {
    const { process, ending, mustTell, mustDo } = model;
    const { attempts } = context as { attempts: number };
    must(attempts <= Math.max(1, attemptsMax), 'It forks more often than it may (5)');
    const holds = /^(starting|serving\.(running|exiting|disposing|restarting)|draining|aborting|exiting|killing)$/;
    must(!mustTell, 'A process has died, and its owner does not hear of it');
    must(mustDo === '', `${mustDo} does not come`);
    if (!isDone) must(holds.test(state) === (process !== 'none'), `It is ${state}, and its process is ${process}`);
    must(state !== 'idle' || (model.starts === 0 && !isOver(model)), 'It was asked for something, and is idle');
    must(!/^(idle|starting|serving)/.test(state) || !isOver(model), 'It goes on, and is over (1)');
    must(state !== 'draining' || context.drainTimeoutMs === CLOSE_MS, 'It drains in its own time');
    must(state !== 'aborting' || process === 'aborting', 'It aborts, and its process does not know');
    must(state !== 'serving.running' || process === 'serving', 'It serves, and its process does not');
    must(
      !/^(killing|serving\.disposing)$/.test(state) || process === 'killed',
      'It waits for a death that does not come',
    );
    must(
      !/^(exiting|serving\.exiting)$/.test(state) || process === 'released',
      'It waits for an exit that does not come',
    );
    if (!isDone) return;
    must(process === 'none' || process === 'killed', 'It ends, and leaves a process');
    must(ending === '' || state === ending, `It ends as ${state}, not ${ending}`);
    must(context.truncated === model.truncated, 'It does not tell what was cut, or tells of more');
    must(state !== 'failed' || !model.hasServed || attempts >= attemptsMax, 'It fails, and had another attempt');
    must(state !== 'dropped' || ending === 'dropped', 'It drops, and its process did not die while it drained');
    must(state !== 'closed' || model.closes > 0, 'It is closed, and was not asked to');
  },

  forget: (model) => ({ ...model, mustTell: false, mustDo: '' }),

  mayRest: (model, state) => !isOver(model) && /^(idle|serving\.running)$/.test(state),
});
