/** What sockets report to the lives of a kind, and what these do to them, held against the model. */
import { Backend } from '../../src/adapters/backend.js';
import type { Client } from '../../src/adapters/client.js';
import { accept, type Happening, ownedSocket } from '../model/accept.js';
import { ACCEPTED, NO_SOCKET, performOnSocket, type SocketModel } from '../model/socket.js';

type Instance = Backend | Client;
type Model = typeof ownedSocket;

const REPORTS = ['Connected', 'Ended', 'Finished', 'Failed', 'Closed'] as const;

/** The methods that perform a command. */
const CALLS: Readonly<Record<string, Happening>> = {
  dialServer: 'called socket.open',
  endSocket: 'called socket.end',
  destroySocket: 'called socket.destroy',
  resetSocket: 'called socket.reset',
  unlinkSocket: 'called socket.unlink',
  abandonSocket: 'called socket.abandon',
  endHandshake: 'called handshake.end',
  prepareOwner: 'called owner.prepare',
};

/** From its preparation on a backend's socket is its owner's. */
const backends: Model = {
  ...ownedSocket,
  perform: (model, call) =>
    call.type === 'owner.prepare' ? { model: { ...model, linked: true } } : performOnSocket(model, call),
};

/** That a client's socket is ended when it closes is in no method that could be listened to. */
const clients: Model = {
  ...ownedSocket,
  unseen: (model) => {
    const ended = performOnSocket(model, { type: 'socket.end' })?.model as SocketModel;
    return [...(ownedSocket.unseen?.(model) ?? []), ended];
  },
};

/** Takes notes of every instance of a kind until it is stopped. */
export class Traces {
  readonly #traces = new Map<Instance, Happening[]>();
  readonly #undo: (() => void)[] = [];
  readonly #rules: Model;
  readonly #initial: SocketModel;

  constructor(kind: typeof Backend | typeof Client) {
    this.#rules = kind === Backend ? backends : clients;
    this.#initial = kind === Backend ? NO_SOCKET : ACCEPTED;
    const methods = kind.prototype as unknown as Record<string, (...args: unknown[]) => void>;
    const listen = (name: string, happening: Happening): void => {
      const method = methods[name];
      if (method === undefined) return;
      const isOwn = Object.hasOwn(methods, name);
      const traceOf = (instance: Instance): Happening[] => this.#traceOf(instance);
      methods[name] = function (this: Instance, ...args: unknown[]) {
        const trace = traceOf(this);
        const { socket } = this;
        trace.push(happening);
        method.apply(this, args);
        // Only the socket below was connected: TLS over it begins.
        if (name === 'socketConnected' && this.socket !== socket) trace.splice(trace.lastIndexOf(happening), 1);
      };
      this.#undo.push(() => {
        if (isOwn) methods[name] = method;
        else Reflect.deleteProperty(methods, name);
      });
    };
    for (const name of REPORTS) listen(`socket${name}`, `reported socket.${name.toLowerCase()}`);
    for (const [name, happening] of Object.entries(CALLS)) {
      // A client's socket that is abandoned still reports its close, and the model has forgotten it.
      if (kind === Backend || name !== 'abandonSocket') listen(name, happening);
    }
  }

  stop(): void {
    for (const undo of this.#undo) undo();
  }

  /** @throws the first trace that the model does not allow; else tells how much there was */
  accept(): { instances: number; happenings: number } {
    let happenings = 0;
    for (const trace of this.#traces.values()) {
      accept(this.#rules, this.#initial, trace);
      happenings += trace.length;
    }
    return { instances: this.#traces.size, happenings };
  }

  #traceOf(instance: Instance): Happening[] {
    let trace = this.#traces.get(instance);
    if (trace === undefined) {
      trace = [];
      this.#traces.set(instance, trace);
    }
    return trace;
  }
}
