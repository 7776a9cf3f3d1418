/** The world of a backend: one socket at a time, servers that answer when they like, a hook, a holder, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type Effect, must, type WorldModel } from './explore.js';
import { ALWAYS_DONE, cutSocket, NO_SOCKET, performOnSocket, type SocketWorld, socketChances } from './socket.js';

export interface BackendWorld {
  readonly socket: SocketWorld;
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
  /** The end was asked for. */
  readonly over: boolean;
  /** How often the owner has asked, for he does not do so for ever. */
  readonly connects: number;
  readonly retries: number;
  readonly closes: number;
  readonly aborts: number;
  /** The abort was no owner's, but a deadline's, or for the loss of the other leg. */
  readonly cut: boolean;
}

const INITIAL: BackendWorld = {
  socket: NO_SOCKET,
  choosing: false,
  hook: 'none',
  held: false,
  awaited: false,
  told: false,
  owned: false,
  established: false,
  dropped: false,
  over: false,
  connects: 0,
  retries: 0,
  closes: 0,
  aborts: 0,
  cut: false,
};

const EMPTIED = { type: 'holds.emptied' };
const CAUSE = { initiator: 'system', manner: 'error', code: 'EWORLD' };

/** Somebody has let go: who waits for the last one is told. */
function letGo(world: BackendWorld, what: string): Chance<BackendWorld> {
  const isLast = world.awaited && !world.held && world.hook === 'none';
  return isLast
    ? { who: 'owner', what, world: { ...world, awaited: false }, event: EMPTIED }
    : { who: 'owner', what, world };
}

function awaitHolds(world: BackendWorld): Effect<BackendWorld> {
  if (world.held || world.hook !== 'none') return { world: { ...world, awaited: true } };
  return { world: { ...world, awaited: false }, reports: [EMPTIED] };
}

const performances: Record<string, (world: BackendWorld) => Effect<BackendWorld>> = {
  'server.choose': (world) => {
    must(!world.over, 'It asks for a server after the end was asked for (1)');
    must(!world.choosing, 'It asks for a server twice');
    return { world: { ...world, choosing: true } };
  },
  'server.forget': (world) => ({ world: { ...world, choosing: false } }),
  'server.restore': (world) => ({ world }),
  'owner.prepare': (world) => {
    must(!world.owned, 'It prepares an incarnation before the last one was released (3)');
    const socket = { ...world.socket, linked: true };
    return { world: { ...world, socket, hook: 'running', owned: true, told: false } };
  },
  'owner.establish': (world) => {
    must(world.socket.linked && world.hook === 'none' && !world.over, 'It offers what is not ready');
    return { world: { ...world, established: true } };
  },
  'owner.drop': (world) => {
    must(world.established && !world.dropped, 'Only what was established can drop, and once (2)');
    must(!world.over, 'It drops after the end was asked for (2)');
    return { world: { ...world, dropped: true } };
  },
  'owner.release': (world) => {
    must(world.owned, 'It releases twice, or what was never given (3)');
    must(!world.socket.linked, 'It releases what is still linked (3)');
    must(world.told || (!world.held && world.hook === 'none'), 'It releases under a holder who was not told (3)');
    must(world.hook !== 'running', 'It releases under a hook that was not told (3)');
    return { world: { ...world, owned: false, held: false, hook: 'none', awaited: false, told: false } };
  },
  'owner.retry': (world) => ({ world }),
  'owner.exhaust': (world) => ({ world }),
  'holds.await': awaitHolds,
  'holds.revoke': (world) => awaitHolds({ ...world, told: true, hook: world.hook === 'running' ? 'told' : world.hook }),
};

export const backendWorld: WorldModel<BackendWorld> = {
  initial: INITIAL,

  perform(world, command) {
    const onSocket = performOnSocket(world.socket, command);
    if (onSocket === undefined) {
      const perform = performances[command.type];
      if (perform === undefined) throw new Error(`Nobody performs ${command.type}`);
      return perform(world);
    }
    const changed = { ...world, socket: onSocket.world };
    if (command.type !== 'socket.open') return { world: changed, reports: onSocket.reports };
    must(!world.over, 'It opens a socket after the end was asked for (1)');
    must(!world.owned, 'It opens a socket before the last incarnation was released (3)');
    return { world: { ...changed, established: false, dropped: false } };
  },

  fails(world, command) {
    const { type } = command;
    if (type === 'server.choose') {
      return [{ world, reports: [{ type: 'server.exhausted', cause: CAUSE } as EventObject] }];
    }
    const { world: done, reports: told = [] } = backendWorld.perform(world, command);
    // A hook may have begun when the command throws, or not; the incarnation is the owner's from then on.
    const undone = type === 'owner.prepare' ? { ...done, hook: 'none' as const } : world;
    return [done, ...(ALWAYS_DONE.test(type) ? [] : [undone])].map((way) => {
      const { world: socket, reports } = cutSocket(way.socket);
      return { world: { ...way, socket }, reports: [...(way === done ? told : []), ...(reports ?? [])] };
    });
  },

  chances(world, state) {
    const { choosing, hook, held, connects, retries, closes, aborts } = world;
    const chances: Chance<BackendWorld>[] = socketChances(world.socket, world.owned).map((chance) => ({
      ...chance,
      world: { ...world, socket: chance.world },
    }));
    const may = (who: Chance<BackendWorld>['who'], change: Partial<BackendWorld>, event: EventObject): void => {
      chances.push({ who, what: event.type, world: { ...world, ...change }, event });
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
    if (hook === 'told') chances.push(letGo({ ...world, hook: 'none' }, 'its hook settles'));
    if (held) chances.push(letGo({ ...world, held: false }, 'lets go'));
    if (!held && state.startsWith('active.established')) {
      chances.push({ who: 'owner', what: 'holds', world: { ...world, held: true } });
    }
    if (connects < 2) may('owner', { connects: connects + 1 }, { type: 'backend.connect' });
    if (retries < 1) may('owner', { retries: retries + 1 }, { type: 'backend.retry' });
    if (closes < 2) may('owner', { closes: closes + 1, over: true }, { type: 'backend.close' });
    if (aborts < 1) may('owner', { aborts: aborts + 1, over: true }, { type: 'backend.abort' });
    // Where nothing is complete it is an abort like any other.
    if (aborts < 1 && world.socket.local === 'finished') {
      may('owner', { aborts: aborts + 1, cut: true, over: true }, {
        type: 'backend.abort',
        deliver: true,
      } as EventObject);
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
