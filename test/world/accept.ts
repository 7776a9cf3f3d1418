/**
 * Whether a model of the world allows what was seen for real. The model is nondeterministic, and so all the worlds that
 * there may be are followed: a trace is refused where none is left.
 */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, must } from './explore.js';
import { type ListenerWorld, listenerWorld } from './listener.js';
import { performOnSocket, type SocketWorld, socketChances } from './socket.js';

/** What happened: something was reported, or somebody has called something. */
export type Happening = `reported ${string}` | `called ${string}`;

interface Model<W> {
  chances(world: W): readonly Chance<W>[];
  /** Throws where this call must not come. */
  perform(world: W, call: EventObject): Effect<W> | undefined;
  /** What somebody may have done that the trace does not tell. */
  unseen?(world: W): readonly W[];
}

/** @throws what the model does not allow, and the worlds in which it does not */
export function accept<W>(model: Model<W>, initial: W, trace: readonly Happening[]): void {
  let worlds = all([initial], model);
  for (const [index, happening] of trace.entries()) {
    const after = all(
      worlds.flatMap((world) => next(model, world, happening)),
      model,
    );
    const before = trace.slice(0, index).join(', ') || 'the start';
    must(after.length > 0, `The model does not allow: ${happening}, after ${before}\n${JSON.stringify(worlds)}`);
    worlds = after;
  }
}

function next<W>(model: Model<W>, world: W, happening: Happening): W[] {
  const [how, type] = happening.split(' ') as [string, string];
  if (how === 'reported')
    return model.chances(world).flatMap((chance) => (chance.event?.type === type ? chance.world : []));
  try {
    const effect = model.perform(world, { type });
    return effect === undefined ? [] : [effect.world];
  } catch {
    return [];
  }
}

/** These worlds and those that they may have become unseen, each once. */
function all<W>(worlds: readonly W[], { unseen }: Model<W>): W[] {
  const known = new Map<string, W>();
  const add = (world: W): void => {
    const key = JSON.stringify(world);
    if (known.has(key)) return;
    known.set(key, world);
    for (const other of unseen?.(world) ?? []) add(other);
  };
  for (const world of worlds) add(world);
  return [...known.values()];
}

/** A socket whose every call is in the trace. */
export const seenSocket: Model<SocketWorld> = {
  chances: (world) => socketChances(world, true),
  perform: performOnSocket,
};

/** A socket of which only what the library does is in the trace: whoever owns it may have ended or destroyed it. */
export const ownedSocket: Model<SocketWorld> = {
  ...seenSocket,
  unseen: (world) =>
    socketChances(world, true).flatMap(({ event, world: other }) => (event === undefined ? other : [])),
};

const listener = listenerWorld(Number.POSITIVE_INFINITY);

/** A `net.Server`, whoever listens with it. */
export const seenServer: Model<ListenerWorld> = {
  chances: (world) => listener.chances(world, 'serving'),
  perform: (world, call) => listener.perform(world, call),
  unseen: (world) => (world.starts === 0 ? [{ ...world, starts: 1 }] : []),
};

export const NO_SERVER = listener.initial;
