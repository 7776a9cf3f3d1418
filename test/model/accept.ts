/**
 * Whether a model allows what was seen for real. The model is nondeterministic, and so all the models that
 * there may be are followed: a trace is refused where none is left.
 */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, must } from './explore.js';
import { type ListenerModel, listenerRules } from './listener.js';
import { performOnSocket, type SocketModel, socketChances } from './socket.js';

/** What happened: something was reported, or somebody has called something. */
export type Happening = `reported ${string}` | `called ${string}`;

interface Model<W> {
  chances(model: W): readonly Chance<W>[];
  /** Throws where this call must not come. */
  perform(model: W, call: EventObject): Effect<W> | undefined;
  /** What somebody may have done that the trace does not tell. */
  unseen?(model: W): readonly W[];
}

/** @throws what the model does not allow, and the models in which it does not */
export function accept<W>(rules: Model<W>, initial: W, trace: readonly Happening[]): void {
  let models = all([initial], rules);
  for (const [index, happening] of trace.entries()) {
    const after = all(
      models.flatMap((model) => next(rules, model, happening)),
      rules,
    );
    const before = trace.slice(0, index).join(', ') || 'the start';
    must(after.length > 0, `The model does not allow: ${happening}, after ${before}\n${JSON.stringify(models)}`);
    models = after;
  }
}

function next<W>(rules: Model<W>, model: W, happening: Happening): W[] {
  const [how, type] = happening.split(' ') as [string, string];
  if (how === 'reported')
    return rules.chances(model).flatMap((chance) => (chance.event?.type === type ? chance.model : []));
  try {
    const effect = rules.perform(model, { type });
    return effect === undefined ? [] : [effect.model];
  } catch {
    return [];
  }
}

/** These models and those that they may have become unseen, each once. */
function all<W>(models: readonly W[], { unseen }: Model<W>): W[] {
  const known = new Map<string, W>();
  const add = (model: W): void => {
    const key = JSON.stringify(model);
    if (known.has(key)) return;
    known.set(key, model);
    for (const other of unseen?.(model) ?? []) add(other);
  };
  for (const model of models) add(model);
  return [...known.values()];
}

/** A socket whose every call is in the trace. */
export const seenSocket: Model<SocketModel> = {
  chances: (model) => socketChances(model, true),
  perform: performOnSocket,
};

/** A socket of which only what the library does is in the trace: whoever owns it may have ended or destroyed it. */
export const ownedSocket: Model<SocketModel> = {
  ...seenSocket,
  unseen: (model) =>
    socketChances(model, true).flatMap(({ event, model: other }) => (event === undefined ? other : [])),
};

const listener = listenerRules(Number.POSITIVE_INFINITY);

/** A `net.Server`, whoever listens with it. */
export const seenServer: Model<ListenerModel> = {
  chances: (model) => listener.chances(model, 'serving'),
  perform: (model, call) => listener.perform(model, call),
  unseen: (model) => (model.started ? [] : [{ ...model, started: true }]),
};

export const NO_SERVER = listener.initial;
