/** The world of a cluster's own machine: two workers, each of which reports as one, their successors, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, must, type WorldModel } from './explore.js';

/** `away`: its process has died, and another one may come. */
type Worker = 'none' | 'starting' | 'serving' | 'away' | 'closing';
type Pair = readonly [Worker, Worker];

export interface ClusterWorld {
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

const CAUSE = { initiator: 'system', manner: 'error', code: 'EWORLD' };
const CLOSE_MS = 7;
const failed = (type: string): EventObject => ({ type, cause: CAUSE }) as EventObject;

const NONE: Pair = ['none', 'none'];
const SIDES = [0, 1] as const;
const are = (pair: Pair, phase: Worker): boolean => pair.every((worker) => worker === phase);
const lives = ({ current, next, old }: ClusterWorld): number =>
  [...current, ...next].filter((worker) => worker !== 'none').length + old;
const changed = (pair: Pair, index: number, phase: Worker): Pair =>
  pair.map((other, at) => (at === index ? phase : other)) as unknown as Pair;
const closing = (pair: Pair): Pair => pair.map((worker) => (worker === 'none' ? 'none' : 'closing')) as unknown as Pair;
const isOver = ({ closes, aborts }: ClusterWorld): boolean => closes + aborts > 0;

/** Nothing of what is waited for is there: reported at once. */
function emptied(world: ClusterWorld): EventObject[] {
  if (!world.awaited || lives(world) > 0) return [];
  const { worst: ending, flushed } = world;
  const truncated = ending !== 'closed';
  const outcome = { ending, cause: { ...CAUSE, phase: 'closing' }, flushed, ...(truncated && { truncated }) };
  return [{ type: 'workers.closed', outcome } as EventObject];
}

/** A worker serves. */
function served(world: ClusterWorld): EventObject[] {
  if (are(world.next, 'serving')) return [{ type: 'newWorkers.running' }];
  return are(world.current, 'serving') ? [{ type: 'workers.running' }] : [];
}

const commands: Record<
  string,
  (world: ClusterWorld, command: { timeoutMs?: number | undefined }) => Effect<ClusterWorld>
> = {
  'workers.start'(world) {
    must(!isOver(world) && lives(world) === 0, 'It starts workers twice, or after the end was asked for (1)');
    return { world: { ...world, current: ['starting', 'starting'] } };
  },
  'newWorkers.start'(world) {
    must(!isOver(world) && !world.lost, 'It starts new workers after the end was asked for (1)');
    must(are(world.next, 'none') && world.old === 0, 'There are more than twice the workers');
    must(world.reloads.length > 0, 'It reloads, and was not asked to');
    return { world: { ...world, next: ['starting', 'starting'] } };
  },
  'newWorkers.close'(world, { timeoutMs }) {
    must(world.next.includes('none'), 'It withdraws new workers, and none has failed');
    must(timeoutMs === world.reloads[0], 'It withdraws them in another time');
    const now = { ...world, next: closing(world.next) };
    return { world: now, reports: are(now.next, 'none') ? [{ type: 'newWorkers.closed' }] : [] };
  },
  'oldWorkers.close'(world, { timeoutMs }) {
    must(are(world.next, 'serving'), 'It closes the old workers before every new one serves');
    must(timeoutMs === world.reloads[0], 'It closes them in another time');
    const old = world.current.filter((worker) => worker !== 'none').length;
    return {
      world: { ...world, current: world.next, next: NONE, old },
      reports: old === 0 ? [{ type: 'oldWorkers.closed' }] : [],
    };
  },
  'workers.close'(world, { timeoutMs }) {
    must(world.closes > 0 && timeoutMs === CLOSE_MS, 'It closes its workers unasked, or in another time');
    return {
      world: { ...world, current: closing(world.current), next: closing(world.next), worst: 'closed', flushed: true },
    };
  },
  'workers.abort': (world) => ({
    world: {
      ...world,
      current: closing(world.current),
      next: closing(world.next),
      isCut: true,
      ...(!world.awaited && { worst: 'closed', flushed: true }),
    },
  }),
  'workers.await'(world) {
    const now = { ...world, awaited: true };
    return { world: now, reports: emptied(now) };
  },
  'owner.running'(world) {
    must(
      !isOver(world) && !world.announced && are(world.current, 'serving'),
      'It runs, and does not, or says so twice',
    );
    return { world: { ...world, announced: true } };
  },
  'owner.reloaded'(world) {
    must(world.old === 0 && are(world.next, 'none'), 'It has reloaded, and old workers are there');
    return { world: { ...world, reloads: world.reloads.slice(1) } };
  },
  'owner.reloadFailed'(world) {
    must(are(world.next, 'none'), 'A reload has failed, and new workers are there');
    return { world: { ...world, reloads: world.reloads.slice(1) } };
  },
};

export const clusterWorld: WorldModel<ClusterWorld> = {
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

  perform(world, command) {
    const perform = commands[command.type];
    if (perform === undefined) throw new Error(`Nothing performs ${command.type}`);
    const effect = perform(world, command as never);
    return command.type === world.mustDo ? { ...effect, world: { ...effect.world, mustDo: '' } } : effect;
  },

  chances(world, state) {
    const { old, asked, starts, closes, aborts } = world;
    const chances: Chance<ClusterWorld>[] = [];
    const may = (who: Chance<ClusterWorld>['who'], what: string, change: Partial<ClusterWorld>, told: EventObject[]) =>
      chances.push({ who, what, world: { ...world, ...change }, events: told });

    const isReloading = state === 'running.reloading.starting';
    const mustEnd = (list: readonly EventObject[], which: ClusterWorld): string => {
      const types = list.map(({ type }) => type);
      if (types.includes('workers.failed')) return 'workers.abort';
      if (!isReloading) return '';
      if (types.includes('newWorkers.running')) return 'oldWorkers.close';
      return types.includes('newWorkers.failed') && lives(which) > 0 ? 'newWorkers.close' : '';
    };

    /** One is gone: as the adapter, it says what follows from that. */
    const goes = (
      which: 'current' | 'next',
      index: number,
      how: ClusterWorld['worst'] | 'failed' | 'unflushed',
    ): void => {
      const ending = how === 'unflushed' ? 'closed' : how;
      const isFailed = ending === 'failed';
      const flushed = world.flushed && (how === 'closed' || how === 'failed');
      const worst =
        isFailed || (ending === 'closed' && world.worst !== 'closed') || world.worst === 'dropped'
          ? world.worst
          : ending;
      const now = { ...world, [which]: changed(world[which], index, 'none'), worst, flushed } as ClusterWorld;
      const told: EventObject[] = [];
      const isLast = are(now.current, 'none') && are(now.next, 'none');
      const isLoss = isFailed && which === 'current' && state === 'starting';
      if (isLoss) told.push(failed('workers.failed'));
      if (isFailed && which === 'next' && isReloading) told.push(failed('newWorkers.failed'));
      const isGone = isLast && state.startsWith('running');
      if (isGone) told.push(failed('workers.failed'));
      if (which === 'next' && world.next[index] === 'closing' && are(now.next, 'none'))
        told.push({ type: 'newWorkers.closed' });
      const change = { ...now, lost: world.lost || isLoss || isGone };
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
        const phase = world[which][index];
        if (phase === 'starting' || phase === 'away') {
          const now = { ...world, [which]: changed(world[which], index, 'serving') };
          const told = served(now);
          may('system', `${which} ${index} serves`, { ...now, mustDo: mustEnd(told, now) }, told);
          goes(which, index, 'failed');
        }
        if (phase === 'serving')
          may('system', `${which} ${index} dies`, { [which]: changed(world[which], index, 'away') }, []);
        if (phase === 'closing')
          for (const how of ['closed', 'unflushed', 'aborted', 'dropped'] as const) goes(which, index, how);
      }
    }
    if (old > 0) {
      const now = { ...world, old: old - 1 };
      may('time', 'an old one is gone', now, [...(old === 1 ? [{ type: 'oldWorkers.closed' }] : []), ...emptied(now)]);
    }
    if (starts < 1)
      may('owner', 'cluster.start', { starts: 1, mustDo: isOver(world) ? '' : 'workers.start' }, [
        { type: 'cluster.start' },
      ]);
    if (asked < 3) {
      const timeoutMs = 100 + asked;
      const isHeard = state.startsWith('running');
      // Those that are asked for during one are one, which goes as the last of them says.
      const reloads = isHeard ? [...world.reloads.slice(0, 1), timeoutMs].slice(0, 2) : world.reloads;
      may(
        'owner',
        'cluster.reload',
        { asked: asked + 1, reloads, mustDo: state === 'running.steady' ? 'newWorkers.start' : '' },
        [{ type: 'cluster.reload', timeoutMs } as EventObject],
      );
    }
    if (closes < 1) {
      const mustDo = isOver(world) || world.lost ? '' : 'workers.close';
      may('owner', 'cluster.close', { closes: closes + 1, mustDo }, [
        { type: 'cluster.close', timeoutMs: CLOSE_MS } as EventObject,
      ]);
    }
    if (aborts < 2)
      may('owner', 'cluster.abort', { aborts: aborts + 1, mustDo: 'workers.abort' }, [{ type: 'cluster.abort' }]);
    return chances;
  },

  check(world, state, isDone, context) {
    const { current, reloads, lost, mustDo, worst } = world;
    must(mustDo === '' || isDone, `${mustDo} does not come`);
    must(lives(world) <= 4, 'There are more than twice the workers');
    must(state !== 'idle' || (world.starts === 0 && !isOver(world)), 'It was asked for something, and is idle');
    must(!/^(idle|starting|running)/.test(state) || (!isOver(world) && !lost), 'It goes on, and is over (1)');
    must(state !== 'starting' || !are(current, 'serving'), 'All of them serve, and nothing comes of it');
    must(!state.startsWith('running') || world.announced, 'It runs, and its owner does not know');
    must(
      state !== 'running.steady' || reloads.length === 0,
      'A reload was asked for, and does not come, or is not answered',
    );
    must(!state.startsWith('running.reloading') || reloads.length > 0, 'It reloads, and was not asked to');
    must(state !== 'running.reloading.draining' || world.old > 0, 'It waits for old workers, and has none');
    must(
      state !== 'running.reloading.withdrawing' || world.next.includes('closing'),
      'It waits for new workers that stay',
    );
    must(!/^(draining|aborting)$/.test(state) || world.awaited, 'It waits for workers, and does not hear of their end');
    must(state !== 'aborting' || world.isCut, 'It aborts, and its workers do not know');
    if (!isDone) return;
    must(lives(world) === 0, 'It ends, and leaves a worker (11)');
    const isTold = context.flushed === world.flushed && context.truncated === (worst !== 'closed');
    must(isTold, 'It does not say what its workers said of their bytes (8)');
    must(
      (state === 'failed') === lost,
      lost ? `It has lost its workers, and ends as ${state}` : 'It fails, and has lost nothing',
    );
    if (lost) return;
    must(world.aborts > 0 || state === worst, `It ends as ${state}, and its workers as ${worst}`);
    must(state !== 'aborted' || world.isCut || worst === 'aborted', 'It ends as aborted, and nothing was cut');
  },

  forget: (world) => ({ ...world, mustDo: '' }),

  mayRest: (world, state) => !isOver(world) && /^(idle|running\.steady)$/.test(state),
};
