/** The world of a proxy's own machine: two listeners, sessions and backends that each report as one, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, must, type WorldModel } from './explore.js';

type ListenerPhase = 'idle' | 'binding' | 'bound' | 'closing' | 'closed';

export interface ProxyWorld {
  readonly listeners: readonly ListenerPhase[];
  readonly sessions: 'none' | 'some' | 'cut';
  /** A client is being admitted, or was turned away before that and has yet to close. */
  readonly admission: 'none' | 'some' | 'cut';
  readonly backends: 'idle' | 'connecting' | 'up' | 'closing' | 'closed';
  /** Whether they come up has yet to be told, also once they are being closed: then they do not. */
  readonly asked: boolean;
  readonly listenersAwaited: boolean;
  readonly sessionsAwaited: boolean;
  readonly over: boolean;
  readonly starts: number;
  readonly closes: number;
  readonly aborts: number;
}

const CAUSE = { initiator: 'system', manner: 'error', code: 'EWORLD' };
const failed = (type: string): EventObject => ({ type, cause: CAUSE }) as EventObject;

const areGone = ({ sessions, admission }: ProxyWorld): boolean => sessions === 'none' && admission === 'none';

const areClosed = ({ listeners }: ProxyWorld): boolean => listeners.every((phase) => phase === 'closed');

/** All that are left, and there are some. */
const areBound = ({ listeners }: ProxyWorld): boolean =>
  listeners.includes('bound') && listeners.every((phase) => phase === 'bound' || phase === 'closed');

/** Who is waited for, and is gone already, is reported at once. */
function reports(world: ProxyWorld): EventObject[] {
  const told: EventObject[] = [];
  if (world.listenersAwaited && areClosed(world)) told.push({ type: 'listeners.closed' });
  if (world.sessionsAwaited && areGone(world)) told.push({ type: 'sessions.emptied' });
  return told;
}

/** One listener's life is over; the last one is missed, and so is one that was lost. */
function close(world: ProxyWorld, index: number, isLost: boolean): Effect<ProxyWorld> {
  const next = { ...world, listeners: world.listeners.with(index, 'closed') };
  const left = next.listeners.filter((phase) => phase !== 'closed');
  const told: EventObject[] = [];
  if (isLost || left.length === 0) told.push(failed('listeners.failed'));
  else if (areBound(next)) told.push({ type: 'listeners.bound' });
  return { world: next, reports: [...told, ...reports(next)] };
}

/** Those with clients wait for them. */
function closeAll(world: ProxyWorld): Effect<ProxyWorld> {
  let now = world;
  const told: EventObject[] = [];
  for (const [index, phase] of world.listeners.entries()) {
    if (phase === 'closed' || phase === 'closing') continue;
    if (phase === 'bound' && !areGone(world)) {
      now = { ...now, listeners: now.listeners.with(index, 'closing') };
      continue;
    }
    const { world: next, reports: more = [] } = close(now, index, false);
    now = next;
    told.push(...more);
  }
  return { world: now, reports: told };
}

const performances: Record<string, (world: ProxyWorld) => Effect<ProxyWorld>> = {
  'backends.connect'(world) {
    must(
      !world.over && world.backends === 'idle',
      'It connects its backends twice, or after the end was asked for (1)',
    );
    return { world: { ...world, backends: 'connecting', asked: true } };
  },
  'backends.close'(world) {
    must(world.sessions !== 'some', 'It closes its backends under a session (11)');
    must(
      world.listeners.every((phase) => phase === 'closed' || phase === 'closing'),
      'It closes its backends first (11)',
    );
    return { world: { ...world, backends: 'closing' } };
  },
  // Their end is told to whoever closes them, also after this.
  'backends.abort': (world) => ({ world }),
  'listeners.start'(world) {
    must(!world.over, 'It listens after the end was asked for (1)');
    must(world.backends === 'up', 'It listens before its backends are there');
    const now = { ...world, listeners: world.listeners.map((phase) => (phase === 'idle' ? 'binding' : phase)) };
    return { world: now, reports: areBound(now) ? [{ type: 'listeners.bound' }] : [] };
  },
  'listeners.close': closeAll,
  'listeners.abort': (world) => closeAll({ ...world, admission: world.admission === 'none' ? 'none' : 'cut' }),
  'admissions.refuse': (world) => ({
    world: { ...world, admission: world.admission === 'none' ? 'none' : 'cut' },
    reports: world.sessions === 'none' ? [] : [{ type: 'sessions.served' }],
  }),
  'listeners.await'(world) {
    const now = { ...world, listenersAwaited: true };
    return { world: now, reports: areClosed(now) ? [{ type: 'listeners.closed' }] : [] };
  },
  'sessions.await'(world) {
    const now = { ...world, sessionsAwaited: true };
    return { world: now, reports: areGone(now) ? [{ type: 'sessions.emptied' }] : [] };
  },
  'sessions.abort': (world) => ({ world: world.sessions === 'some' ? { ...world, sessions: 'cut' } : world }),
  'owner.running'(world) {
    must(!world.over, 'It runs after the end was asked for');
    must(
      world.listeners.every((phase) => phase === 'bound' || phase === 'closed'),
      'It runs, and does not listen',
    );
    return { world };
  },
};

export const proxyWorld: WorldModel<ProxyWorld> = {
  initial: {
    listeners: ['idle', 'idle'],
    sessions: 'none',
    admission: 'none',
    backends: 'idle',
    asked: false,
    listenersAwaited: false,
    sessionsAwaited: false,
    over: false,
    starts: 0,
    closes: 0,
    aborts: 0,
  },

  perform(world, { type }) {
    const perform = performances[type];
    if (perform === undefined) throw new Error(`Nobody performs ${type}`);
    return perform(world);
  },

  fails(world, command) {
    const { type } = command;
    const done = proxyWorld.perform(world, command);
    if (type === 'backends.connect') {
      return [{ world: { ...done.world, backends: 'up', asked: false }, reports: [failed('backends.failed')] }];
    }
    const told = type === 'listeners.start' ? failed('listeners.failed') : failed('proxy.abort');
    const also = { ...done, reports: [...(done.reports ?? []), told] };
    return /\.(await|start)$/.test(type) ? [also, { world, reports: [told] }] : [also];
  },

  chances(world, state) {
    const { listeners, sessions, admission, backends, asked, starts, closes, aborts } = world;
    const chances: Chance<ProxyWorld>[] = [];
    const may = (who: Chance<ProxyWorld>['who'], what: string, effect: Effect<ProxyWorld>): void => {
      chances.push({ who, what, world: effect.world, events: effect.reports });
    };
    const told = (who: Chance<ProxyWorld>['who'], event: EventObject, change: Partial<ProxyWorld>): void =>
      may(who, event.type, { world: { ...world, ...change }, reports: [event] });

    for (const [index, phase] of listeners.entries()) {
      if (phase === 'binding') {
        const now = { ...world, listeners: listeners.with(index, 'bound') };
        const reported = areBound(now) ? [{ type: 'listeners.bound' }] : [];
        may('system', `listener ${index} binds`, { world: now, reports: reported });
        may('system', `listener ${index} cannot bind`, close(world, index, true));
      }
      if (phase === 'idle' && !world.over) {
        const begun = { ...world, listeners: listeners.with(index, 'binding') };
        may('owner', `listener ${index} is started by its handle`, { world: begun });
      }
      if (phase === 'idle' || phase === 'binding' || phase === 'bound') {
        may('owner', `listener ${index} is closed by its handle`, close(world, index, false));
      }
      if (phase === 'bound') {
        may('owner', `somebody closes the server of listener ${index}`, close(world, index, true));
        if (admission === 'none') may('peer', 'a client comes', { world: { ...world, admission: 'some' } });
      }
      // Its clients have gone, or were cut and took too long.
      if (phase === 'closing' && sessions !== 'some' && admission !== 'some') {
        may('time', `listener ${index} ends`, close(world, index, false));
      }
    }
    if (admission !== 'none') {
      const left = { ...world, admission: 'none' as const };
      // Its own time bounds an admission; what was turned away closes.
      may('time', 'a client is turned away', { world: left, reports: reports(left) });
      if (admission === 'some' && sessions === 'none' && /^(starting|running|draining)/.test(state)) {
        may('owner', 'a client is admitted', { world: { ...left, sessions: 'some' } });
      }
    }
    if (sessions !== 'none') {
      const gone = { ...world, sessions: 'none' as const };
      may(sessions === 'cut' ? 'time' : 'peer', 'the last session ends', { world: gone, reports: reports(gone) });
    }
    if (asked) {
      const up = backends === 'connecting' ? { backends: 'up' as const } : {};
      told('system', { type: 'backends.established' }, { ...up, asked: false });
      told('system', failed('backends.failed'), { ...up, asked: false });
    }
    if (backends === 'closing') told('library', { type: 'backends.closed' }, { backends: 'closed', asked: false });
    if (starts < 1) told('owner', { type: 'proxy.start' }, { starts: starts + 1 });
    if (closes < 2) told('owner', { type: 'proxy.close' }, { closes: closes + 1, over: true });
    if (aborts < 2) told('owner', { type: 'proxy.abort' }, { aborts: aborts + 1, over: true });
    return chances;
  },

  check({ listeners, sessions, admission, backends }, _state, isDone) {
    if (!isDone) return;
    must(
      listeners.every((phase) => phase === 'closed' || phase === 'closing'),
      'It ends, and listens (11)',
    );
    must(sessions !== 'some', 'It ends, and a session goes on (11)');
    must(admission !== 'some', 'It ends, and a client is still being admitted (11)');
    must(backends === 'closed' || backends === 'idle', 'It ends, and its backends are not closed (11)');
  },

  // Nothing of a proxy's is bounded before it serves but by its owner.
  mayRest: ({ over }, state) => !over && /^(idle|starting|running)/.test(state),
};
