/** The world of a client: a socket that was accepted, an admission that is decided some time, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, must, type WorldModel } from './explore.js';
import {
  ACCEPTED,
  ALWAYS_DONE,
  cutSocket,
  FAILED,
  performOnSocket,
  type SocketWorld,
  socketChances,
} from './socket.js';

export interface ClientWorld {
  readonly socket: SocketWorld;
  readonly hook: 'none' | 'running' | 'told';
  readonly owned: boolean;
  readonly established: boolean;
  readonly dropped: boolean;
  readonly over: boolean;
  readonly closes: number;
  readonly aborts: number;
  /** By a deadline, or for the loss of the other leg. */
  readonly cuts: number;
}

const CAUSE = { initiator: 'owner', manner: 'refusal' };

const performances: Record<string, (world: ClientWorld) => ClientWorld> = {
  'owner.admit': (world) => ({ ...world, hook: 'running' }),
  'owner.establish': (world) => {
    must(world.socket.linked && world.hook === 'none' && !world.over, 'It offers what was not admitted');
    must(!world.established, 'It offers twice');
    return { ...world, established: true };
  },
  'owner.drop': (world) => {
    must(world.established && !world.dropped, 'Only what was established can drop, and once (2)');
    must(!world.over, 'It drops after the end was asked for (2)');
    return { ...world, dropped: true };
  },
  'owner.release': (world) => {
    must(world.owned, 'It releases twice (3)');
    must(!world.socket.linked, 'It releases what is still linked (3)');
    must(world.hook !== 'running', 'It releases under a hook that was not told (3)');
    return { ...world, owned: false };
  },
};

export const clientWorld: WorldModel<ClientWorld> = {
  initial: {
    socket: ACCEPTED,
    hook: 'none',
    owned: true,
    established: false,
    dropped: false,
    over: false,
    closes: 0,
    aborts: 0,
    cuts: 0,
  },

  perform(world, command) {
    const onSocket = performOnSocket(world.socket, command);
    if (onSocket === undefined) {
      const perform = performances[command.type];
      if (perform === undefined) throw new Error(`Nobody performs ${command.type}`);
      return { world: perform(world) };
    }
    const hook = command.type === 'socket.unlink' && world.hook === 'running' ? 'told' : world.hook;
    return { world: { ...world, socket: onSocket.world, hook }, reports: onSocket.reports };
  },

  fails(world, command) {
    const ways = [clientWorld.perform(world, command).world, ...(ALWAYS_DONE.test(command.type) ? [] : [world])];
    // An abort follows for one that is being closed.
    return ways.map((way) => ({
      world: { ...way, socket: way.socket.phase === 'none' ? way.socket : cutSocket(way.socket).world },
      reports: [FAILED, { type: 'client.abort', cause: CAUSE } as EventObject],
    }));
  },

  chances(world) {
    const { hook, closes, aborts, cuts } = world;
    const chances: Chance<ClientWorld>[] = socketChances(world.socket, world.owned).map((chance) => ({
      ...chance,
      world: { ...world, socket: chance.world },
    }));
    const may = (change: Partial<ClientWorld>, event: EventObject): void => {
      chances.push({ who: 'owner', what: event.type, world: { ...world, ...change }, event });
    };
    // A hook that was told may decide all the same.
    if (hook !== 'none') {
      may({ hook: 'none' }, { type: 'owner.admitted' });
      may({ hook: 'none' }, { type: 'owner.refused', cause: CAUSE } as EventObject);
    }
    if (closes < 2) may({ closes: closes + 1, over: true }, { type: 'client.close' });
    if (aborts < 1) may({ aborts: aborts + 1, over: true }, { type: 'client.abort' });
    if (cuts < 1) may({ cuts: cuts + 1, over: true }, { type: 'client.abort', deliver: true } as EventObject);
    return chances;
  },

  check({ socket, owned, hook }, _state, isDone) {
    if (!isDone) return;
    must(socket.phase === 'none' && !socket.linked, 'It ends and has a socket (6)');
    must(!owned, 'It ends without a release (3)');
    must(hook !== 'running', 'It ends and its hook was not told (6)');
  },

  /** Once one side has ended, time must lead on; once both have, the socket closes by itself. */
  mayRest: ({ over }, state) => !over && /^live\.established\.(open|bothEnded)/.test(state),
};
