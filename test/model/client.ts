/** The model of a client: a socket that was accepted, an admission that is decided some time, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type ModelRules, must } from './explore.js';
import {
  ACCEPTED,
  ALWAYS_DONE,
  cutSocket,
  FAILED,
  isDestroyed,
  NO_SOCKET,
  performOnSocket,
  type SocketModel,
  socketChances,
} from './socket.js';

export interface ClientModel {
  readonly socket: SocketModel;
  readonly identifying: boolean;
  readonly handshaking: boolean;
  readonly hook: 'none' | 'running' | 'told';
  readonly owned: boolean;
  readonly established: boolean;
  readonly dropped: boolean;
  /** Its socket closed by itself while it was established: its owner has destroyed it. */
  readonly destroyed: boolean;
  readonly over: boolean;
  /** Other code has the socket. */
  readonly given: boolean;
  /** The owner has asked for this, once or more often. */
  readonly closed: boolean;
  readonly aborted: boolean;
  readonly turnedAway: boolean;
  /** By a deadline, or for the loss of the other leg. */
  readonly cut: boolean;
}

const CAUSE = { initiator: 'owner', manner: 'refusal' };

const performances: Record<string, (model: ClientModel) => ClientModel> = {
  'header.begin': (model) => ({ ...model, identifying: true }),
  'handshake.begin': (model) => {
    must(!model.identifying, 'It shakes hands before it knows with which client');
    return { ...model, handshaking: true };
  },
  'owner.accept': (model) => model,
  'socket.give': (model) => {
    must(!model.socket.linked && !model.owned, 'It gives away a socket that has an owner (3)');
    return { ...model, given: true };
  },
  'owner.admit': (model) => {
    must(!model.identifying && !model.handshaking, 'It calls its hook before a header or a handshake is over');
    return { ...model, hook: 'running' };
  },
  'socket.write': (model) => {
    must(!model.socket.linked, 'It writes the last words while its owner may write');
    return model;
  },
  'owner.establish': (model) => {
    must(model.socket.linked && model.hook === 'none' && !model.over, 'It offers what was not admitted');
    must(!model.established, 'It offers twice');
    return { ...model, established: true };
  },
  'owner.drop': (model) => {
    must(model.established && !model.dropped, 'Only what was established can drop, and once (2)');
    must(!model.over, 'It drops after the end was asked for (2)');
    must(!model.destroyed, 'It drops what its owner has destroyed (2)');
    return { ...model, dropped: true };
  },
  'owner.release': (model) => {
    must(model.owned, 'It releases twice (3)');
    must(!model.socket.linked, 'It releases what is still linked (3)');
    must(model.hook !== 'running', 'It releases under a hook that was not told (3)');
    return { ...model, owned: false };
  },
};

/** A handshake is done while no side has ended. Where its socket has closed, its failure is reported before the close. */
export function handshakeChances(model: ClientModel): Chance<ClientModel>[] {
  const { socket } = model;
  const ended = { ...model, handshaking: false };
  const failed = { type: 'handshake.failed', cause: CAUSE } as EventObject;
  const { linked } = socket;
  return [
    ...(socket.phase === 'open' && !socket.peerEnded && socket.local === 'open'
      ? [{ who: 'peer', what: 'handshake.done', model: ended, event: { type: 'handshake.done' } } as const]
      : []),
    { who: 'peer', what: 'handshake.failed', model: ended, event: failed },
    {
      who: 'peer',
      what: 'closed, and handshake.failed',
      model: { ...ended, socket: { ...NO_SOCKET, linked } },
      event: failed,
    },
  ];
}

export const clientRules: ModelRules<ClientModel> = {
  initial: {
    socket: ACCEPTED,
    identifying: false,
    handshaking: false,
    hook: 'none',
    owned: true,
    established: false,
    dropped: false,
    destroyed: false,
    over: false,
    given: false,
    closed: false,
    aborted: false,
    turnedAway: false,
    cut: false,
  },

  perform(model, command) {
    const onSocket = performOnSocket(model.socket, command);
    if (onSocket === undefined) {
      const perform = performances[command.type];
      if (perform === undefined) throw new Error(`Nobody performs ${command.type}`);
      return { model: perform(model) };
    }
    const isUnlinked = command.type === 'socket.unlink';
    const hook = isUnlinked && model.hook === 'running' ? 'told' : model.hook;
    // What a handshake says after that is a failure of the socket, or changes nothing.
    const handshaking = model.handshaking && !isUnlinked;
    const identifying = model.identifying && !isUnlinked;
    return { model: { ...model, socket: onSocket.model, identifying, handshaking, hook }, reports: onSocket.reports };
  },

  fails(model, command) {
    const ways = [clientRules.perform(model, command).model, ...(ALWAYS_DONE.test(command.type) ? [] : [model])];
    // An abort follows for one that is being closed.
    return ways.map((way) => ({
      model: { ...way, socket: way.socket.phase === 'none' ? way.socket : cutSocket(way.socket).model },
      reports: [FAILED, { type: 'client.abort', cause: CAUSE } as EventObject],
    }));
  },

  chances(model, state) {
    const { hook } = model;
    const chances: Chance<ClientModel>[] = socketChances(model.socket, model.owned).map((chance) => ({
      ...chance,
      model: { ...model, socket: chance.model, destroyed: model.destroyed || isDestroyed(chance, state) },
    }));
    const may = (change: Partial<ClientModel>, event: EventObject): void => {
      chances.push({ who: 'owner', what: event.type, model: { ...model, ...change }, event });
    };
    if (model.identifying && model.socket.phase === 'open' && !model.socket.peerEnded) {
      const known = { ...model, identifying: false };
      chances.push({ who: 'peer', what: 'header.done', model: known, event: { type: 'header.done' } });
      const failed = { type: 'header.failed', cause: CAUSE } as EventObject;
      chances.push({ who: 'peer', what: 'header.failed', model: known, event: failed });
    }
    if (model.handshaking) chances.push(...handshakeChances(model));
    // A hook that was told may decide all the same.
    if (hook !== 'none') {
      may({ hook: 'none' }, { type: 'owner.admitted' });
      may({ hook: 'none' }, { type: 'owner.refused', cause: CAUSE } as EventObject);
    }
    may({ closed: true, over: true }, { type: 'client.close' });
    may({ aborted: true, over: true }, { type: 'client.abort' });
    may({ cut: true, over: true }, { type: 'client.abort', deliver: true } as EventObject);
    may({}, { type: 'client.handOver' });
    if (model.given && model.socket.phase === 'open') {
      const does = (what: string, socket: Partial<SocketModel>): void => {
        chances.push({ who: 'owner', what, model: { ...model, socket: { ...model.socket, ...socket } } });
      };
      if (model.socket.local === 'open') does('its new owner ends the socket', { local: 'ending' });
      does('its new owner destroys the socket', { phase: 'closing' });
    }
    // One that was given away is not the owner's to turn away.
    const refused = model.given ? {} : { turnedAway: true, over: true };
    may(refused, { type: 'client.refuse' });
    may(refused, { type: 'client.refuse', words: 'no' } as EventObject);
    return chances;
  },

  check({ socket, owned, hook }, _state, isDone) {
    if (!isDone) return;
    must(socket.phase === 'none' && !socket.linked, 'It ends and has a socket (6)');
    must(!owned, 'It ends without a release (3)');
    must(hook !== 'running', 'It ends and its hook was not told (6)');
  },

  /** Once one side has ended, time must lead on; once both have, the socket closes by itself. */
  mayRest: ({ over }, state) => !over && /^(live\.established\.(open|bothEnded)|lent\.open)/.test(state),
};
