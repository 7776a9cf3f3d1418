/** The model of a proxy's machine, which also knows what must come of every report and request, and how the proxy must end. */
import type { EventObject } from 'xstate';
import { type Chance, type ModelRules, must } from '../explore.js';
import { type ProxyModel, proxyRules } from '../proxy.js';

interface StrictProxy extends ProxyModel {
  readonly announced: boolean;
  /** It could not start, or a listener was lost while it served. */
  readonly lost: boolean;
  /** What was cut in this step, and what has to be. */
  readonly cut: '' | 'backends' | 'listeners';
  readonly mustCut: '' | 'backends' | 'listeners';
  readonly sessionsCut: boolean;
  /** How it has to end, as far as that is known. */
  readonly ending: '' | 'aborted' | 'failed';
}

const CLOSE_MS = 7;
const FACTS = { announced: false, lost: false, cut: '', mustCut: '', sessionsCut: false, ending: '' } as const;

function changed(chance: Chance<ProxyModel>, state: string): Partial<StrictProxy> {
  const types = (chance.events ?? []).map(({ type }) => type);
  const isLost =
    (state === 'starting.connecting' && types.includes('backends.failed')) ||
    (/^(idle|starting.*|running)$/.test(state) && types.includes('listeners.failed'));
  if (isLost) return { lost: true, ending: 'failed' };
  if (!types.includes('proxy.abort')) return {};
  if (state === 'stopping.cutting') return { mustCut: 'backends' };
  return { mustCut: state === 'stopping.listeners' ? 'listeners' : 'backends', ending: 'aborted' };
}

export const strictProxy: ModelRules<StrictProxy> = {
  initial: { ...proxyRules.initial, ...FACTS },

  perform(model, command) {
    const effect = proxyRules.perform(model, command);
    const now = effect.model as StrictProxy;
    switch (command.type) {
      case 'owner.running':
        return { ...effect, model: { ...now, announced: true } };
      case 'backends.abort':
        return { ...effect, model: { ...now, cut: 'backends' } };
      case 'listeners.abort':
        return { ...effect, model: { ...now, cut: now.cut || 'listeners' } };
      case 'sessions.abort':
        return { ...effect, model: { ...now, sessionsCut: true } };
      default:
        return { ...effect, model: now };
    }
  },

  chances: (model, state) =>
    proxyRules.chances(model, state).map((chance) => ({
      ...chance,
      events: chance.events?.map((event) =>
        event.type === 'proxy.close' ? ({ ...event, timeoutMs: CLOSE_MS } as EventObject) : event,
      ),
      model: { ...(chance.model as StrictProxy), ...changed(chance, state) },
    })),

  check(model, state, isDone, context) {
    proxyRules.check(model, state, isDone, context);
    const { started, over, lost, listeners, backends, sessions } = model;
    const areClosing = listeners.every((phase) => phase === 'closing' || phase === 'closed');
    must((!started && !over && !lost) === (state === 'idle'), 'It starts by itself, or not when it was asked to');
    must(!/^(idle|starting|running)/.test(state) || (!over && !lost), 'It goes on, and is over (1)');
    must(
      state !== 'starting.connecting' || backends === 'connecting',
      'Its backends are there, and nothing comes of it',
    );
    must(state !== 'starting.binding' || listeners.includes('binding'), 'It is bound, and nothing comes of it');
    must(state !== 'running' || model.announced, 'It runs, and nobody is told');
    must(!/^(draining|stopping)/.test(state) || areClosing, 'It is over, and its listeners were not told (11)');
    must(state !== 'draining' || context.drainTimeoutMs === CLOSE_MS, 'It drains in its own time (11)');
    const { admission } = model;
    const isNobody = sessions === 'none' && admission === 'none';
    must(state !== 'draining' || !isNobody, 'It waits for sessions, and has none');
    must(state !== 'stopping.refusing' || admission === 'cut', 'It waits for clients that it has not turned away');
    must(state !== 'stopping.refusing' || sessions === 'none', 'Its time is up, and a session goes on');
    must(
      state !== 'stopping.cutting' || (!isNobody && sessions !== 'some' && admission !== 'some'),
      'It waits for sessions that it has not cut',
    );
    const areLeft = listeners.some((phase) => phase !== 'closed');
    must(state !== 'stopping.listeners' || (areLeft && model.listenersAwaited), 'It waits for listeners, and has none');
    must(state !== 'stopping.backends' || backends === 'closing', 'It waits for backends that it has not closed');
    must(model.mustCut === '' || model.mustCut === model.cut, `It is aborted, and the ${model.mustCut} are not`);
    if (!isDone) return;
    must(model.ending === '' || state === model.ending, `It ends as ${state}, not ${model.ending}`);
    must(model.ending !== '' || state !== 'failed', 'It fails, and nothing was lost');
    must(state !== 'closed' || !model.sessionsCut, 'It ends as closed, and has cut its sessions');
  },

  forget: (model) => ({ ...model, cut: '', mustCut: '' }),

  mayRest: proxyRules.mayRest,
};
