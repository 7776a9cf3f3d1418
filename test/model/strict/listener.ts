/** The model of a listener, which also knows what must come of every report and request, and how the listener must end. */
import type { EventObject } from 'xstate';
import { type Chance, type ModelRules, must } from '../explore.js';
import { type ListenerModel, listenerRules } from '../listener.js';

interface StrictListener extends ListenerModel {
  /** A newcomer has yet to be answered. */
  readonly arrived: boolean;
  /** An accept has failed, and nobody was told yet. */
  readonly unwarned: boolean;
  /** Asked to suspend, and not to resume since. */
  readonly suspended: boolean;
  /** Attempts to bind since it was asked to listen, and whether the next was announced. */
  readonly attempts: number;
  readonly retried: boolean;
  readonly announced: boolean;
  readonly warned: boolean;
  /** Its server was told to close, could not listen, or was closed by somebody else. */
  readonly closed: boolean;
  /** A client has just gone. */
  readonly left: boolean;
  /** Closed with a time of its own. */
  readonly hasOwnTime: boolean;
}

const FACTS = {
  arrived: false,
  unwarned: false,
  suspended: false,
  attempts: 0,
  retried: false,
  announced: false,
  warned: false,
  closed: false,
  left: false,
  hasOwnTime: false,
};

const CLOSE_MS = 7;

type Command = EventObject & {
  readonly cause: { readonly manner: string; readonly phase: string; readonly code?: string };
  readonly attempt: number;
};

/** What each event changes, as long as it is heard. */
function follow(model: StrictListener, chance: Chance<ListenerModel>, state: string): Chance<StrictListener> {
  const { event } = chance;
  const serves = state.startsWith('serving');
  const change = (changed: Partial<StrictListener>): Chance<StrictListener> => ({
    ...chance,
    model: { ...(chance.model as StrictListener), ...changed },
  });
  switch (event?.type) {
    case 'client.arrived':
      return change({ arrived: true });
    case 'client.closed':
      return change({ left: true });
    case 'server.failed':
      return change(model.handle === 'listening' ? { unwarned: true } : { closed: true });
    case 'server.closed':
      return change({ closed: model.closed || model.handle === 'listening' });
    case 'listener.suspend':
      return change({ suspended: serves });
    case 'listener.resume':
      return change({ suspended: false, ...(state === 'serving.suspended' && { attempts: 0 }) });
    case 'listener.close':
      return {
        ...change({ hasOwnTime: model.hasOwnTime || serves }),
        event: { type: event.type, timeoutMs: CLOSE_MS } as EventObject,
      };
    default:
      return change({});
  }
}

export function strictListener(clientsMax: number, bindAttempts: number): ModelRules<StrictListener> {
  const base = listenerRules(clientsMax);
  return {
    initial: { ...base.initial, ...FACTS },

    perform(model, command) {
      const { type, cause, attempt } = command as Command;
      const effect = base.perform(model, command);
      const now = effect.model as StrictListener;
      switch (type) {
        case 'server.listen': {
          const attempts = model.attempts + 1;
          return { model: { ...now, attempts, retried: false, announced: false, warned: false, closed: false } };
        }
        case 'server.close':
          return { model: { ...now, closed: true } };
        case 'client.adopt':
          must(model.arrived, 'It adopts twice');
          return { model: { ...now, arrived: false } };
        case 'client.refuse':
          must(model.arrived, 'It refuses who was answered');
          must(
            model.handle !== 'listening' || model.over || model.clients >= clientsMax,
            'It turns away whom it has a place for',
          );
          return { model: { ...now, arrived: false } };
        case 'owner.listening':
          return { model: { ...now, announced: true, attempts: 0 } };
        case 'owner.retry':
          must(attempt === model.attempts + 1 && cause.phase === 'binding', 'It announces something else than a retry');
          return { model: { ...now, retried: true } };
        case 'owner.warn':
          must(cause.phase === (model.handle === 'listening' ? 'listening' : 'binding'), 'It warns of something else');
          return { model: { ...now, unwarned: false, warned: true } };
        case 'admissions.refuse':
          must(model.handle === 'none', 'It turns clients away, and listens');
          return { ...effect, model: now };
        case 'clients.abort':
          must(
            model.aborted || cause.code === 'drainTimeout' || model.attempts >= bindAttempts,
            'It cuts its clients, and nobody wanted that',
          );
          must(
            model.aborted || cause.code !== 'drainTimeout' || model.admitted > 0,
            'It says aborted for clients that were never served',
          );
          return { model: now };
        default:
          return { model: now };
      }
    },

    chances: (model, state) => base.chances(model, state).map((chance) => follow(model, chance, state)),

    check(model, state, isDone, context) {
      base.check(model, state, isDone, context);
      const { clients, handle, over, started, aborted, attempts, suspended, areCut } = model;
      must(!model.arrived, 'It answers a newcomer with nothing');
      must(!model.unwarned, 'An accept has failed, and nobody is told');
      must((!started && !over) === (state === 'idle'), 'It starts by itself, or not when it was asked to');
      must(!over || !state.startsWith('serving'), 'It serves after the end was asked for (1)');
      const isOnTime = !model.hasOwnTime || context.drainTimeoutMs === CLOSE_MS;
      must(state !== 'draining' || isOnTime, 'It drains in its own time (11)');
      must(!/^(draining|refusing|aborting|failing)$/.test(state) || clients > 0, 'It waits for clients, and has none');
      must(state !== 'aborting' || areCut, 'It leaves its clients as they are, and waits for them (11)');
      must(!state.startsWith('fail') || (!aborted && attempts >= bindAttempts), 'It fails before its last attempt');
      must(state !== 'failing' || model.warned, 'It cannot listen again, and nobody is told');
      if (state.startsWith('serving')) {
        const [, serves, how] = state.split('.');
        const expected = serves === 'binding' || serves === 'listening' ? serves : 'none';
        must(handle === expected, `It is ${state}, and its handle is ${handle}`);
        must((serves === 'suspended') === suspended, 'It is suspended, or not, against what was asked for');
        must(serves !== 'waiting' || model.retried, 'It waits, and nobody is told');
        must(serves !== 'listening' || model.announced, 'It listens, and nobody is told');
        must(
          serves !== 'listening' || (how === 'saturated') === clients >= clientsMax,
          'It is full, and does not know',
        );
      } else {
        must(handle === 'none', `It is ${state}, and its handle is ${handle}`);
      }
      must(state !== 'refusing' || model.areRefused, 'Its time is up, and it leaves clients as they are');
      if (!isDone) return;
      must(context.cause !== undefined, 'It ends without a cause');
      must(state === 'failed' || model.closed, 'It ends, and its server was not told (6)');
      must(!model.left || clients === 0, 'It ends before its last client is gone (11)');
      must(state !== 'closed' || !aborted, 'It ends as closed, and was aborted');
      must(state !== 'aborted' || aborted || areCut, 'It ends as aborted, and nobody was cut');
    },

    forget: (model) => ({ ...model, left: false }),

    // What the system never answers while it binds has no timer.
    mayRest: (model, state) => base.mayRest(model, state) && state !== 'serving.waiting',
  };
}
