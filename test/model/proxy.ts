/** The model of a proxy's own machine: two listeners, sessions and backends that each report as one, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, type ModelRules, must } from './explore.js';

type ListenerPhase = 'idle' | 'binding' | 'bound' | 'closing' | 'closed';

export interface ProxyModel {
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
  readonly started: boolean;
}

const CAUSE = { initiator: 'system', manner: 'error', code: 'EMODEL' };
const failed = (type: string): EventObject => ({ type, cause: CAUSE }) as EventObject;

const areGone = ({ sessions, admission }: ProxyModel): boolean => sessions === 'none' && admission === 'none';

const areClosed = ({ listeners }: ProxyModel): boolean => listeners.every((phase) => phase === 'closed');

/** All that are left, and there are some. */
const areBound = ({ listeners }: ProxyModel): boolean =>
  listeners.includes('bound') && listeners.every((phase) => phase === 'bound' || phase === 'closed');

/** Who is waited for, and is gone already, is reported at once. */
function reports(model: ProxyModel): EventObject[] {
  const told: EventObject[] = [];
  if (model.listenersAwaited && areClosed(model)) told.push({ type: 'listeners.closed' });
  if (model.sessionsAwaited && areGone(model)) told.push({ type: 'sessions.emptied' });
  return told;
}

/** One listener's life is over; the last one is missed, and so is one that was lost. */
function close(model: ProxyModel, index: number, isLost: boolean): Effect<ProxyModel> {
  const next = { ...model, listeners: model.listeners.with(index, 'closed') };
  const left = next.listeners.filter((phase) => phase !== 'closed');
  const told: EventObject[] = [];
  if (isLost || left.length === 0) told.push(failed('listeners.failed'));
  else if (areBound(next)) told.push({ type: 'listeners.bound' });
  return { model: next, reports: [...told, ...reports(next)] };
}

/** Those with clients wait for them. */
function closeAll(model: ProxyModel): Effect<ProxyModel> {
  let now = model;
  const told: EventObject[] = [];
  for (const [index, phase] of model.listeners.entries()) {
    if (phase === 'closed' || phase === 'closing') continue;
    if (phase === 'bound' && !areGone(model)) {
      now = { ...now, listeners: now.listeners.with(index, 'closing') };
      continue;
    }
    const { model: next, reports: more = [] } = close(now, index, false);
    now = next;
    told.push(...more);
  }
  return { model: now, reports: told };
}

const performances: Record<string, (model: ProxyModel) => Effect<ProxyModel>> = {
  'backends.connect'(model) {
    must(
      !model.over && model.backends === 'idle',
      'It connects its backends twice, or after the end was asked for (1)',
    );
    return { model: { ...model, backends: 'connecting', asked: true } };
  },
  'backends.close'(model) {
    must(model.sessions !== 'some', 'It closes its backends under a session (11)');
    must(
      model.listeners.every((phase) => phase === 'closed' || phase === 'closing'),
      'It closes its backends first (11)',
    );
    return { model: { ...model, backends: 'closing' } };
  },
  // Their end is told to whoever closes them, also after this.
  'backends.abort': (model) => ({ model }),
  'listeners.start'(model) {
    must(!model.over, 'It listens after the end was asked for (1)');
    must(model.backends === 'up', 'It listens before its backends are there');
    const now = { ...model, listeners: model.listeners.map((phase) => (phase === 'idle' ? 'binding' : phase)) };
    return { model: now, reports: areBound(now) ? [{ type: 'listeners.bound' }] : [] };
  },
  'listeners.close': closeAll,
  'listeners.abort': (model) => closeAll({ ...model, admission: model.admission === 'none' ? 'none' : 'cut' }),
  'admissions.refuse': (model) => ({
    model: { ...model, admission: model.admission === 'none' ? 'none' : 'cut' },
    reports: model.sessions === 'none' ? [] : [{ type: 'sessions.served' }],
  }),
  'listeners.await'(model) {
    const now = { ...model, listenersAwaited: true };
    return { model: now, reports: areClosed(now) ? [{ type: 'listeners.closed' }] : [] };
  },
  'sessions.await'(model) {
    const now = { ...model, sessionsAwaited: true };
    return { model: now, reports: areGone(now) ? [{ type: 'sessions.emptied' }] : [] };
  },
  'sessions.abort': (model) => ({ model: model.sessions === 'some' ? { ...model, sessions: 'cut' } : model }),
  'owner.running'(model) {
    must(!model.over, 'It runs after the end was asked for');
    must(
      model.listeners.every((phase) => phase === 'bound' || phase === 'closed'),
      'It runs, and does not listen',
    );
    return { model };
  },
};

export const proxyRules: ModelRules<ProxyModel> = {
  initial: {
    listeners: ['idle', 'idle'],
    sessions: 'none',
    admission: 'none',
    backends: 'idle',
    asked: false,
    listenersAwaited: false,
    sessionsAwaited: false,
    over: false,
    started: false,
  },

  perform(model, { type }) {
    const perform = performances[type];
    if (perform === undefined) throw new Error(`Nobody performs ${type}`);
    return perform(model);
  },

  fails(model, command) {
    const { type } = command;
    const done = proxyRules.perform(model, command);
    if (type === 'backends.connect') {
      return [{ model: { ...done.model, backends: 'up', asked: false }, reports: [failed('backends.failed')] }];
    }
    const told = type === 'listeners.start' ? failed('listeners.failed') : failed('proxy.abort');
    const also = { ...done, reports: [...(done.reports ?? []), told] };
    return /\.(await|start)$/.test(type) ? [also, { model, reports: [told] }] : [also];
  },

  chances(model, state) {
    const { listeners, sessions, admission, backends, asked } = model;
    const chances: Chance<ProxyModel>[] = [];
    const may = (who: Chance<ProxyModel>['who'], what: string, effect: Effect<ProxyModel>): void => {
      chances.push({ who, what, model: effect.model, events: effect.reports });
    };
    const told = (who: Chance<ProxyModel>['who'], event: EventObject, change: Partial<ProxyModel>): void =>
      may(who, event.type, { model: { ...model, ...change }, reports: [event] });

    for (const [index, phase] of listeners.entries()) {
      if (phase === 'binding') {
        const now = { ...model, listeners: listeners.with(index, 'bound') };
        const reported = areBound(now) ? [{ type: 'listeners.bound' }] : [];
        may('system', `listener ${index} binds`, { model: now, reports: reported });
        may('system', `listener ${index} cannot bind`, close(model, index, true));
      }
      if (phase === 'idle' && !model.over) {
        const begun = { ...model, listeners: listeners.with(index, 'binding') };
        may('owner', `listener ${index} is started by its handle`, { model: begun });
      }
      if (phase === 'idle' || phase === 'binding' || phase === 'bound') {
        may('owner', `listener ${index} is closed by its handle`, close(model, index, false));
      }
      if (phase === 'bound') {
        may('owner', `somebody closes the server of listener ${index}`, close(model, index, true));
        if (admission === 'none') may('peer', 'a client comes', { model: { ...model, admission: 'some' } });
      }
      // Its clients have gone, or were cut and took too long.
      if (phase === 'closing' && sessions !== 'some' && admission !== 'some') {
        may('time', `listener ${index} ends`, close(model, index, false));
      }
    }
    if (admission !== 'none') {
      const left = { ...model, admission: 'none' as const };
      // Its own time bounds an admission; what was turned away closes.
      may('time', 'a client is turned away', { model: left, reports: reports(left) });
      if (admission === 'some' && sessions === 'none' && /^(starting|running|draining)/.test(state)) {
        may('owner', 'a client is admitted', { model: { ...left, sessions: 'some' } });
      }
    }
    if (sessions !== 'none') {
      const gone = { ...model, sessions: 'none' as const };
      may(sessions === 'cut' ? 'time' : 'peer', 'the last session ends', { model: gone, reports: reports(gone) });
    }
    if (asked) {
      const up = backends === 'connecting' ? { backends: 'up' as const } : {};
      told('system', { type: 'backends.established' }, { ...up, asked: false });
      told('system', failed('backends.failed'), { ...up, asked: false });
    }
    if (backends === 'closing') told('library', { type: 'backends.closed' }, { backends: 'closed', asked: false });
    told('owner', { type: 'proxy.start' }, { started: true });
    told('owner', { type: 'proxy.close' }, { over: true });
    told('owner', { type: 'proxy.abort' }, { over: true });
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
