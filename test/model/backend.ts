/** The model of a backend: one socket at a time, servers that answer when they like, a hook, a holder, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, type ModelRules, must } from './explore.js';
import {
  ALWAYS_DONE,
  cutSocket,
  isDestroyed,
  NO_SOCKET,
  performOnSocket,
  type SocketModel,
  socketChances,
} from './socket.js';

export interface BackendModel {
  readonly socket: SocketModel;
  readonly choosing: boolean;
  readonly hook: 'none' | 'running' | 'told';
  readonly held: boolean;
  /** The machine wants to hear of the last hold. */
  readonly awaited: boolean;
  /** The holders know that they have to let go. */
  readonly told: boolean;
  /** The owner has resources for this incarnation. */
  readonly owned: boolean;
  readonly established: boolean;
  readonly dropped: boolean;
  /** Its socket closed by itself while it was established: its owner has destroyed it. */
  readonly destroyed: boolean;
  /** The end was asked for. */
  readonly over: boolean;
  /** The owner has asked for this, once or more often. */
  readonly connected: boolean;
  readonly closed: boolean;
  readonly aborted: boolean;
  /** The abort was no owner's, but a deadline's, or for the loss of the other leg. */
  readonly cut: boolean;
}

const INITIAL: BackendModel = {
  socket: NO_SOCKET,
  choosing: false,
  hook: 'none',
  held: false,
  awaited: false,
  told: false,
  owned: false,
  established: false,
  dropped: false,
  destroyed: false,
  over: false,
  connected: false,
  closed: false,
  aborted: false,
  cut: false,
};

/** Elsewhere an attempt is under way, or it is over: to ask for another one changes nothing. */
const RENEWABLE = /^(idle|active\.(established|failover|disposing|exhausted))/;

const EMPTIED = { type: 'holds.emptied' };
const CAUSE = { initiator: 'system', manner: 'error', code: 'EMODEL' };

/** Somebody has let go: who waits for the last one is told. */
function letGo(model: BackendModel, what: string): Chance<BackendModel> {
  const isLast = model.awaited && !model.held && model.hook === 'none';
  return isLast
    ? { who: 'owner', what, model: { ...model, awaited: false }, event: EMPTIED }
    : { who: 'owner', what, model };
}

function awaitHolds(model: BackendModel): Effect<BackendModel> {
  if (model.held || model.hook !== 'none') return { model: { ...model, awaited: true } };
  return { model: { ...model, awaited: false }, reports: [EMPTIED] };
}

const performances: Record<string, (model: BackendModel) => Effect<BackendModel>> = {
  'server.choose': (model) => {
    must(!model.over, 'It asks for a server after the end was asked for (1)');
    must(!model.choosing, 'It asks for a server twice');
    return { model: { ...model, choosing: true } };
  },
  'server.forget': (model) => ({ model: { ...model, choosing: false } }),
  'server.restore': (model) => ({ model }),
  'server.drop': (model) => {
    must(model.established, 'It leaves a server that it never reached');
    return { model };
  },
  'server.renew': (model) => {
    must(model.established && !model.over, 'It replaces what was never offered');
    return { model };
  },
  'server.rest': (model) => {
    must((model.dropped || model.destroyed) && !model.choosing, 'It rests without a drop');
    return { model };
  },
  'owner.prepare': (model) => {
    must(!model.owned, 'It prepares an incarnation before the last one was released (3)');
    const socket = { ...model.socket, linked: true };
    return { model: { ...model, socket, hook: 'running', owned: true, told: false } };
  },
  'owner.establish': (model) => {
    must(model.socket.linked && model.hook === 'none' && !model.over, 'It offers what is not ready');
    return { model: { ...model, established: true } };
  },
  'owner.drop': (model) => {
    must(model.established && !model.dropped, 'Only what was established can drop, and once (2)');
    must(!model.over, 'It drops after the end was asked for (2)');
    must(!model.destroyed, 'It drops what its owner has destroyed (2)');
    return { model: { ...model, dropped: true } };
  },
  'owner.release': (model) => {
    must(model.owned, 'It releases twice, or what was never given (3)');
    must(!model.socket.linked, 'It releases what is still linked (3)');
    must(model.told || (!model.held && model.hook === 'none'), 'It releases under a holder who was not told (3)');
    must(model.hook !== 'running', 'It releases under a hook that was not told (3)');
    return { model: { ...model, owned: false, held: false, hook: 'none', awaited: false, told: false } };
  },
  'owner.retry': (model) => ({ model }),
  'owner.exhaust': (model) => ({ model }),
  'holds.await': awaitHolds,
  'holds.revoke': (model) => awaitHolds({ ...model, told: true, hook: model.hook === 'running' ? 'told' : model.hook }),
};

export const backendRules: ModelRules<BackendModel> = {
  initial: INITIAL,

  perform(model, command) {
    const onSocket = performOnSocket(model.socket, command);
    if (onSocket === undefined) {
      const perform = performances[command.type];
      if (perform === undefined) throw new Error(`Nobody performs ${command.type}`);
      return perform(model);
    }
    const changed = { ...model, socket: onSocket.model };
    if (command.type !== 'socket.open') return { model: changed, reports: onSocket.reports };
    must(!model.over, 'It opens a socket after the end was asked for (1)');
    must(!model.owned, 'It opens a socket before the last incarnation was released (3)');
    return { model: { ...changed, established: false, dropped: false, destroyed: false } };
  },

  fails(model, command) {
    const { type } = command;
    if (type === 'server.choose') {
      return [{ model, reports: [{ type: 'server.exhausted', cause: CAUSE } as EventObject] }];
    }
    const { model: done, reports: told = [] } = backendRules.perform(model, command);
    // A hook may have begun when the command throws, or not; the incarnation is the owner's from then on.
    const undone = type === 'owner.prepare' ? { ...done, hook: 'none' as const } : model;
    return [done, ...(ALWAYS_DONE.test(type) ? [] : [undone])].map((way) => {
      const { model: socket, reports } = cutSocket(way.socket);
      return { model: { ...way, socket }, reports: [...(way === done ? told : []), ...(reports ?? [])] };
    });
  },

  chances(model, state) {
    const { choosing, hook, held } = model;
    const chances: Chance<BackendModel>[] = socketChances(model.socket, model.owned).map((chance) => ({
      ...chance,
      model: { ...model, socket: chance.model, destroyed: model.destroyed || isDestroyed(chance, state) },
    }));
    const may = (who: Chance<BackendModel>['who'], change: Partial<BackendModel>, event: EventObject): void => {
      chances.push({ who, what: event.type, model: { ...model, ...change }, event });
    };
    if (choosing) {
      may('system', { choosing: false }, { type: 'server.chosen' });
      may('system', { choosing: false }, { type: 'server.deferred', delayMs: 100 } as EventObject);
      may('system', { choosing: false }, { type: 'server.exhausted', cause: CAUSE } as EventObject);
    }
    if (hook === 'running') {
      may('owner', { hook: 'none' }, { type: 'owner.prepared' });
      may('owner', { hook: 'none' }, { type: 'owner.failed', cause: CAUSE } as EventObject);
    }
    if (hook === 'told') chances.push(letGo({ ...model, hook: 'none' }, 'its hook settles'));
    if (held) chances.push(letGo({ ...model, held: false }, 'lets go'));
    if (!held && state.startsWith('active.established')) {
      chances.push({ who: 'owner', what: 'holds', model: { ...model, held: true } });
    }
    may('owner', { connected: true }, { type: 'backend.connect' });
    may('owner', {}, { type: 'backend.retry' });
    if (RENEWABLE.test(state)) may('owner', { connected: true }, { type: 'backend.renew' });
    may('owner', { closed: true, over: true }, { type: 'backend.close' });
    may('owner', { aborted: true, over: true }, { type: 'backend.abort' });
    // Where nothing is complete it is an abort like any other.
    if (model.socket.local === 'finished') {
      may('owner', { aborted: true, cut: true, over: true }, { type: 'backend.abort', deliver: true } as EventObject);
    }
    return chances;
  },

  check({ socket, owned, choosing, hook, awaited }, _state, isDone) {
    if (!isDone) return;
    must(socket.phase === 'none' && !socket.linked, 'It ends and has a socket (6)');
    must(!owned, 'It ends without a release (3)');
    must(!choosing && !awaited && hook !== 'running', 'It ends and still waits for somebody (6)');
  },

  mayRest: ({ over }, state) => !over && /^(idle|active\.established\..*|active\.exhausted)$/.test(state),
};
