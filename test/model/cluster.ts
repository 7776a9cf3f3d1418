/** The model of a cluster's own machine: two workers, each of which reports as one, their successors, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, type ModelRules, must } from './explore.js';

/** `away`: its process has died, and another one may come. */
type Worker = 'none' | 'starting' | 'serving' | 'away' | 'closing';
type Pair = readonly [Worker, Worker];

export interface ClusterModel {
  readonly current: Pair;
  readonly next: Pair;
  /** Those that were replaced, and drain. */
  readonly old: number;
  readonly awaited: boolean;
  /** The worst end of a worker since all of them were told to end. */
  readonly worst: 'closed' | 'aborted' | 'dropped';
  /** All of them have passed on all bytes. */
  readonly flushed: boolean;
  /** No worker serves, and none will; or one could not start with the others. */
  readonly lost: boolean;
  readonly announced: boolean;
  /** How long the old ones of each reload that was asked for, and is not over, may drain: two at most. */
  readonly reloads: readonly number[];
  readonly asked: number;
  readonly starts: number;
  readonly closes: number;
  readonly aborts: number;
  readonly isCut: boolean;
  /** What has to be commanded in this step. */
  readonly mustDo: string;
}

const CAUSE = { initiator: 'system', manner: 'error', code: 'EMODEL' };
const CLOSE_MS = 7;
const failed = (type: string): EventObject => ({ type, cause: CAUSE }) as EventObject;

const NONE: Pair = ['none', 'none'];
const SIDES = [0, 1] as const;
const are = (pair: Pair, phase: Worker): boolean => pair.every((worker) => worker === phase);
const workers = ({ current, next, old }: ClusterModel): number =>
  [...current, ...next].filter((worker) => worker !== 'none').length + old;
const changed = (pair: Pair, index: number, phase: Worker): Pair =>
  pair.map((other, at) => (at === index ? phase : other)) as unknown as Pair;
const closing = (pair: Pair): Pair => pair.map((worker) => (worker === 'none' ? 'none' : 'closing')) as unknown as Pair;
const isOver = ({ closes, aborts }: ClusterModel): boolean => closes + aborts > 0;

/** Nothing of what is waited for is there: reported at once. */
function emptied(model: ClusterModel): EventObject[] {
  if (!model.awaited || workers(model) > 0) return [];
  const { worst: ending, flushed } = model;
  const truncated = ending !== 'closed';
  const outcome = { ending, cause: { ...CAUSE, phase: 'closing' }, flushed, ...(truncated && { truncated }) };
  return [{ type: 'workers.closed', outcome } as EventObject];
}

/** A worker serves. */
function served(model: ClusterModel): EventObject[] {
  if (are(model.next, 'serving')) return [{ type: 'newWorkers.running' }];
  return are(model.current, 'serving') ? [{ type: 'workers.running' }] : [];
}

const commands: Record<
  string,
  (model: ClusterModel, command: { timeoutMs?: number | undefined }) => Effect<ClusterModel>
> = {
  'workers.start'(model) {
    must(!isOver(model) && workers(model) === 0, 'It starts workers twice, or after the end was asked for (1)');
    return { model: { ...model, current: ['starting', 'starting'] } };
  },
  'newWorkers.start'(model) {
    must(!isOver(model) && !model.lost, 'It starts new workers after the end was asked for (1)');
    must(are(model.next, 'none') && model.old === 0, 'There are more than twice the workers');
    must(model.reloads.length > 0, 'It reloads, and was not asked to');
    return { model: { ...model, next: ['starting', 'starting'] } };
  },
  'newWorkers.close'(model, { timeoutMs }) {
    must(model.next.includes('none'), 'It withdraws new workers, and none has failed');
    must(timeoutMs === model.reloads[0], 'It withdraws them in another time');
    const now = { ...model, next: closing(model.next) };
    return { model: now, reports: are(now.next, 'none') ? [{ type: 'newWorkers.closed' }] : [] };
  },
  'oldWorkers.close'(model, { timeoutMs }) {
    must(are(model.next, 'serving'), 'It closes the old workers before every new one serves');
    must(timeoutMs === model.reloads[0], 'It closes them in another time');
    const old = model.current.filter((worker) => worker !== 'none').length;
    return {
      model: { ...model, current: model.next, next: NONE, old },
      reports: old === 0 ? [{ type: 'oldWorkers.closed' }] : [],
    };
  },
  'workers.close'(model, { timeoutMs }) {
    must(model.closes > 0 && timeoutMs === CLOSE_MS, 'It closes its workers unasked, or in another time');
    return {
      model: { ...model, current: closing(model.current), next: closing(model.next), worst: 'closed', flushed: true },
    };
  },
  'workers.abort': (model) => ({
    model: {
      ...model,
      current: closing(model.current),
      next: closing(model.next),
      isCut: true,
      ...(!model.awaited && { worst: 'closed', flushed: true }),
    },
  }),
  'workers.await'(model) {
    const now = { ...model, awaited: true };
    return { model: now, reports: emptied(now) };
  },
  'owner.running'(model) {
    must(
      !isOver(model) && !model.announced && are(model.current, 'serving'),
      'It runs, and does not, or says so twice',
    );
    return { model: { ...model, announced: true } };
  },
  'owner.reloaded'(model) {
    must(model.old === 0 && are(model.next, 'none'), 'It has reloaded, and old workers are there');
    return { model: { ...model, reloads: model.reloads.slice(1) } };
  },
  'owner.reloadFailed'(model) {
    must(are(model.next, 'none'), 'A reload has failed, and new workers are there');
    return { model: { ...model, reloads: model.reloads.slice(1) } };
  },
};

export const clusterRules: ModelRules<ClusterModel> = {
  initial: {
    current: NONE,
    next: NONE,
    old: 0,
    awaited: false,
    worst: 'closed',
    flushed: true,
    lost: false,
    announced: false,
    reloads: [],
    asked: 0,
    starts: 0,
    closes: 0,
    aborts: 0,
    isCut: false,
    mustDo: '',
  },

  perform(model, command) {
    const perform = commands[command.type];
    if (perform === undefined) throw new Error(`Nothing performs ${command.type}`);
    const effect = perform(model, command as never);
    return command.type === model.mustDo ? { ...effect, model: { ...effect.model, mustDo: '' } } : effect;
  },

  chances(model, state) {
    const { old, asked, starts, closes, aborts } = model;
    const chances: Chance<ClusterModel>[] = [];
    const may = (who: Chance<ClusterModel>['who'], what: string, change: Partial<ClusterModel>, told: EventObject[]) =>
      chances.push({ who, what, model: { ...model, ...change }, events: told });

    const isReloading = state === 'running.reloading.starting';
    const mustEnd = (list: readonly EventObject[], which: ClusterModel): string => {
      const types = list.map(({ type }) => type);
      if (types.includes('workers.failed')) return 'workers.abort';
      if (!isReloading) return '';
      if (types.includes('newWorkers.running')) return 'oldWorkers.close';
      return types.includes('newWorkers.failed') && workers(which) > 0 ? 'newWorkers.close' : '';
    };

    /** One is gone: as the adapter, it says what follows from that. */
    const goes = (
      which: 'current' | 'next',
      index: number,
      how: ClusterModel['worst'] | 'failed' | 'unflushed',
    ): void => {
      const ending = how === 'unflushed' ? 'closed' : how;
      const isFailed = ending === 'failed';
      const flushed = model.flushed && (how === 'closed' || how === 'failed');
      const worst =
        isFailed || (ending === 'closed' && model.worst !== 'closed') || model.worst === 'dropped'
          ? model.worst
          : ending;
      const now = { ...model, [which]: changed(model[which], index, 'none'), worst, flushed } as ClusterModel;
      const told: EventObject[] = [];
      const isLast = are(now.current, 'none') && are(now.next, 'none');
      const isLoss = isFailed && which === 'current' && state === 'starting';
      if (isLoss) told.push(failed('workers.failed'));
      if (isFailed && which === 'next' && isReloading) told.push(failed('newWorkers.failed'));
      const isGone = isLast && state.startsWith('running');
      if (isGone) told.push(failed('workers.failed'));
      if (which === 'next' && model.next[index] === 'closing' && are(now.next, 'none'))
        told.push({ type: 'newWorkers.closed' });
      const change = { ...now, lost: model.lost || isLoss || isGone };
      // A worker bounds its start, its attempts and its end.
      may(
        ending === 'dropped' ? 'system' : 'time',
        `${which} ${index} is gone: ${how}`,
        { ...change, mustDo: mustEnd(told, now) },
        [...told, ...emptied(now)],
      );
    };

    for (const which of ['current', 'next'] as const) {
      for (const index of SIDES) {
        const phase = model[which][index];
        if (phase === 'starting' || phase === 'away') {
          const now = { ...model, [which]: changed(model[which], index, 'serving') };
          const told = served(now);
          may('system', `${which} ${index} serves`, { ...now, mustDo: mustEnd(told, now) }, told);
          goes(which, index, 'failed');
        }
        if (phase === 'serving')
          may('system', `${which} ${index} dies`, { [which]: changed(model[which], index, 'away') }, []);
        if (phase === 'closing')
          for (const how of ['closed', 'unflushed', 'aborted', 'dropped'] as const) goes(which, index, how);
      }
    }
    if (old > 0) {
      const now = { ...model, old: old - 1 };
      may('time', 'an old one is gone', now, [...(old === 1 ? [{ type: 'oldWorkers.closed' }] : []), ...emptied(now)]);
    }
    if (starts < 1)
      may('owner', 'cluster.start', { starts: 1, mustDo: isOver(model) ? '' : 'workers.start' }, [
        { type: 'cluster.start' },
      ]);
    if (asked < 3) {
      const timeoutMs = 100 + asked;
      const isHeard = state.startsWith('running');
      // Those that are asked for during one are one, which goes as the last of them says.
      const reloads = isHeard ? [...model.reloads.slice(0, 1), timeoutMs].slice(0, 2) : model.reloads;
      may(
        'owner',
        'cluster.reload',
        { asked: asked + 1, reloads, mustDo: state === 'running.steady' ? 'newWorkers.start' : '' },
        [{ type: 'cluster.reload', timeoutMs } as EventObject],
      );
    }
    if (closes < 1) {
      const mustDo = isOver(model) || model.lost ? '' : 'workers.close';
      may('owner', 'cluster.close', { closes: closes + 1, mustDo }, [
        { type: 'cluster.close', timeoutMs: CLOSE_MS } as EventObject,
      ]);
    }
    if (aborts < 2)
      may('owner', 'cluster.abort', { aborts: aborts + 1, mustDo: 'workers.abort' }, [{ type: 'cluster.abort' }]);
    return chances;
  },

  check(model, state, isDone, context) {
    const { current, reloads, lost, mustDo, worst } = model;
    must(mustDo === '' || isDone, `${mustDo} does not come`);
    must(workers(model) <= 4, 'There are more than twice the workers');
    must(state !== 'idle' || (model.starts === 0 && !isOver(model)), 'It was asked for something, and is idle');
    must(!/^(idle|starting|running)/.test(state) || (!isOver(model) && !lost), 'It goes on, and is over (1)');
    must(state !== 'starting' || !are(current, 'serving'), 'All of them serve, and nothing comes of it');
    must(!state.startsWith('running') || model.announced, 'It runs, and its owner does not know');
    must(
      state !== 'running.steady' || reloads.length === 0,
      'A reload was asked for, and does not come, or is not answered',
    );
    must(!state.startsWith('running.reloading') || reloads.length > 0, 'It reloads, and was not asked to');
    must(state !== 'running.reloading.draining' || model.old > 0, 'It waits for old workers, and has none');
    must(
      state !== 'running.reloading.withdrawing' || model.next.includes('closing'),
      'It waits for new workers that stay',
    );
    must(!/^(draining|aborting)$/.test(state) || model.awaited, 'It waits for workers, and does not hear of their end');
    must(state !== 'aborting' || model.isCut, 'It aborts, and its workers do not know');
    if (!isDone) return;
    must(workers(model) === 0, 'It ends, and leaves a worker (11)');
    const isTold = context.flushed === model.flushed && context.truncated === (worst !== 'closed');
    must(isTold, 'It does not say what its workers said of their bytes (8)');
    must(
      (state === 'failed') === lost,
      lost ? `It has lost its workers, and ends as ${state}` : 'It fails, and has lost nothing',
    );
    if (lost) return;
    must(model.aborts > 0 || state === worst, `It ends as ${state}, and its workers as ${worst}`);
    must(state !== 'aborted' || model.isCut || worst === 'aborted', 'It ends as aborted, and nothing was cut');
  },

  forget: (model) => ({ ...model, mustDo: '' }),

  mayRest: (model, state) => !isOver(model) && /^(idle|running\.steady)$/.test(state),
};
