/** The model of a listener: a server that binds, fails or is closed by somebody, clients that come and go, and an owner. */
import type { EventObject } from 'xstate';
import { type Chance, type ModelRules, must } from './explore.js';

export interface ListenerModel {
  readonly handle: 'none' | 'binding' | 'listening';
  /** Its Unix path is there. */
  readonly path: boolean;
  /** Those that were adopted and live, and how many of them were admitted. */
  readonly clients: number;
  readonly admitted: number;
  /** Those that were not admitted were turned away. */
  readonly areRefused: boolean;
  /** They were told to go, at once. */
  readonly areCut: boolean;
  readonly over: boolean;
  /** The owner has asked for this, once or more often. */
  readonly started: boolean;
  readonly aborted: boolean;
}

const CAUSE = { initiator: 'system', manner: 'error', code: 'EMODEL' };

export const listenerRules = (clientsMax: number): ModelRules<ListenerModel> => ({
  initial: {
    handle: 'none',
    path: false,
    clients: 0,
    admitted: 0,
    areRefused: false,
    areCut: false,
    over: false,
    started: false,
    aborted: false,
  },

  perform(model, { type }) {
    switch (type) {
      case 'server.listen':
        must(!model.over, 'It listens after the end was asked for (1)');
        must(model.handle === 'none', 'It listens twice');
        return { model: { ...model, handle: 'binding' } };
      case 'server.close':
        return { model: { ...model, handle: 'none' } };
      case 'path.unlink':
        must(model.handle === 'none', 'It removes the path of a server that listens');
        return { model: { ...model, path: false } };
      case 'client.adopt':
        must(!model.over && model.handle === 'listening', 'It adopts a client while it does not listen');
        must(model.clients < clientsMax, 'It adopts more clients than it may');
        return { model: { ...model, clients: model.clients + 1 } };
      case 'owner.listening':
        must(model.handle === 'listening', 'It says that it listens, and does not');
        return { model };
      case 'admissions.refuse':
        return {
          model: { ...model, areRefused: true },
          reports: model.admitted > 0 ? [{ type: 'clients.served' }] : [],
        };
      case 'clients.abort':
        return { model: { ...model, areCut: true } };
      case 'client.refuse':
      case 'owner.retry':
      case 'owner.warn':
        return { model };
      default:
        throw new Error(`Nobody performs ${type}`);
    }
  },

  fails(model, command) {
    const { type } = command;
    if (type === 'server.listen') return [{ model, reports: [{ type: 'server.failed', cause: CAUSE } as EventObject] }];
    if (type === 'client.adopt') return [{ model, reports: [{ type: 'client.closed' }] }];
    // The path may stay, and the owner is told: that is all.
    return [listenerRules(clientsMax).perform(model, command)];
  },

  chances(model) {
    const { handle, clients, admitted, started } = model;
    const chances: Chance<ListenerModel>[] = [];
    const may = (who: Chance<ListenerModel>['who'], change: Partial<ListenerModel>, event: EventObject): void => {
      chances.push({ who, what: event.type, model: { ...model, ...change }, event });
    };
    const failed = { type: 'server.failed', cause: CAUSE } as EventObject;
    if (handle === 'binding') {
      may('system', { handle: 'listening', path: true }, { type: 'server.listening' });
      may('system', { handle: 'none' }, failed);
    }
    if (handle === 'listening') {
      may('system', {}, failed);
      may('owner', { handle: 'none' }, { type: 'server.closed' });
    } else if (started) {
      // The last socket of an earlier listen has died.
      may('system', {}, { type: 'server.closed' });
    }
    // One may also arrive that was accepted just before, or by somebody else.
    may('peer', {}, { type: 'client.arrived', socket: 'a socket' } as EventObject);
    if (clients > admitted) {
      may('peer', { clients: clients - 1 }, { type: 'client.closed' });
      if (!model.areRefused && !model.areCut) {
        chances.push({ who: 'owner', what: 'admits a client', model: { ...model, admitted: admitted + 1 } });
      }
    }
    if (admitted > 0) may('peer', { clients: clients - 1, admitted: admitted - 1 }, { type: 'client.closed' });
    may('owner', { started: true }, { type: 'listener.start' });
    may('owner', {}, { type: 'listener.suspend' });
    may('owner', {}, { type: 'listener.resume' });
    may('owner', { over: true }, { type: 'listener.close' });
    may('owner', { aborted: true, over: true }, { type: 'listener.abort' });
    return chances;
  },

  check({ clients, admitted, areCut, areRefused, handle, path }, state, isDone, context) {
    must(context.clients === clients, `It counts ${context.clients} clients, and there are ${clients}`);
    if (!isDone) return;
    must(handle === 'none', 'It ends and its server is open (6)');
    must(!path, 'It ends and leaves its path behind (6)');
    const isLeft = clients > 0 && (admitted > 0 || !areRefused);
    must(state === 'aborted' || !isLeft, 'It ends before its clients (11)');
    must(areCut || !isLeft, 'It leaves its clients as they are (11)');
  },

  mayRest: ({ over }, state) => !over && /^(idle|serving)/.test(state),
});
