/**
 * Shows instances in the Stately inspector, whichever runtime they run on: what comes over the transition channel is told to
 * an inspector as XState would tell it of actors.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { AnyStateMachine, InspectionEvent, Observer } from 'xstate';
import { OptionError } from '../errors.js';
import { count, hook, number, onlyKnown } from '../options.js';
import { TcpProxy } from '../proxy/proxy.js';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import type { Instance, Transition } from '../runtime/instance.js';
import type { OwnRun } from '../runtime/roster.js';
import { MACHINES } from './charts.js';
import { INIT } from './edges.js';
import { clientOf, isObject } from './handles.js';
import { checkMachines, OwnMachines, type Redact, type Redacted, redacted } from './own-machines.js';
import type { Shown } from './protocol.js';

/** What `createInspector`, `createWebSocketInspector` and the others of `@statelyai/inspect` return. */
export interface StatelyInspector {
  /** Takes what XState actors tell inspectors. */
  readonly inspect: Observer<InspectionEvent>;
}

/** Options of {@link inspectWith}. */
export interface InspectOptions {
  /** Proxies that run already: what they consist of is shown from the start, and not only once it moves. */
  readonly proxies?: readonly TcpProxy[] | undefined;
  /** Machines of your own, so that they are drawn, and their contexts and events are shown; the library's are known. */
  readonly machines?: readonly AnyStateMachine[] | undefined;
  /** Decides what of contexts and events the inspector gets, of the library's machines too. Default: everything. */
  readonly redact?: Redact | undefined;
  /**
   * The share of the connections that is shown, from 0 to 1: a client with its session and its backend, or nothing of them.
   * Proxies, listeners and what belongs to no connection are always shown. Default 1.
   */
  readonly sample?: number | undefined;
  /** Connections shown at once, at most; a newcomer beyond is left out for good. Default 100. */
  readonly connectionsMax?: number | undefined;
  /** Asked once for each instance, when it is first heard of; false leaves it out, and a client's connection with it. */
  readonly filter?: ((instance: Transition) => boolean) | undefined;
}

const INSPECT_OPTIONS = ['proxies', 'machines', 'redact', 'sample', 'connectionsMax', 'filter'] as const;

/** What is being shown. */
export interface Inspection {
  /** Connections that are shown now. */
  readonly connections: number;
  /** Connections that were left out: by the filter, the sample, or for there were too many. */
  readonly leftOut: number;
  /** Errors of the inspector and of the filter: none of them reaches what is shown. An instance that the filter threw at is left out. */
  readonly failures: number;
  /** Shows no more. What was shown stays in the inspector. */
  stop(): void;
}

/** An instance, as the inspector takes it for an actor. */
interface Actor {
  readonly id: string;
  readonly sessionId: string;
  readonly logic: { readonly config: object };
  readonly kind: StateKind | undefined;
  _parent: Actor | undefined;
  /** False for what is only known to have parts: it is kept for as long as it has. */
  isMet: boolean;
  parts: number;
  /** Below whom it was registered; nothing before it was. */
  registered: string | undefined;
  /** Of a session: its legs, which send it events. */
  client: Actor | undefined;
  backend: Actor | undefined;
}

/**
 * Shows every instance of this process in an inspector of `@statelyai/inspect`, from now on: actors with their machine and
 * parentage (proxy, listener, session, client and backend), what happens to them, and where they are. Costs nothing
 * before it is called, nor after `stop()`.
 *
 * A client has its listener as its parent until it is admitted, and its session from then on: it is registered again.
 * Contexts and events are shown as a whole, as {@link InspectOptions.redact} leaves them: sockets, buffers and functions are texts
 * such as `[Socket]`, and what is too large is cut. Of a machine of yours that is not in `machines`, nothing is shown but the type of each
 * event, and the `cause`, the `server` and the `incarnation` that the transition tells.
 *
 * @throws OptionError
 * @example
 * ```ts
 * import { createWebSocketInspector } from '@statelyai/inspect';
 * import { createInspectorServer } from '@statelyai/inspect/server';
 *
 * createInspectorServer({ port: 8181 });
 * const inspection = inspectWith(createWebSocketInspector({ url: 'ws://localhost:8181' }), { sample: 0.1 });
 * ```
 */
export function inspectWith(inspector: StatelyInspector, options: InspectOptions = {}): Inspection {
  if (typeof inspector?.inspect?.next !== 'function') {
    throw new OptionError('inspector', inspector, 'what createInspector() of @statelyai/inspect returns');
  }
  onlyKnown('inspectWith', options, INSPECT_OPTIONS);
  return new StatelyInspection(inspector.inspect, options);
}

/** A transition, with what is shown of it: taken at once, because an instance writes to its context in place. */
interface Heard {
  readonly transition: Transition;
  readonly event: object;
  readonly context: object;
}

const NOTHING = {};

class StatelyInspection implements Inspection {
  leftOut = 0;
  failures = 0;
  readonly #inspect: Observer<InspectionEvent>;
  readonly #kinds: ReadonlyMap<string, StateKind>;
  readonly #sample: number;
  readonly #connectionsMax: number;
  readonly #filter: InspectOptions['filter'];
  readonly #own: OwnMachines;
  readonly #redact: Redact | undefined;
  readonly #actors = new Map<string, Actor>();
  /** Instances that are not shown, while they live. */
  readonly #hidden = new Set<string>();
  /** The handles of clients that are not shown: their sessions are not shown either, even if they move first later. */
  readonly #hiddenClients = new WeakSet<object>();
  readonly #connections = new Set<string>();
  #heard: Heard[] = [];
  #share = 0;
  #isStopped = false;

  constructor(inspect: Observer<InspectionEvent>, options: InspectOptions) {
    const { proxies = [] } = options;
    const machines = checkMachines(options.machines);
    this.#inspect = inspect;
    this.#sample = number('sample', options.sample, 1, 0, 1);
    this.#connectionsMax = count('connectionsMax', options.connectionsMax, 100);
    this.#filter = hook('filter', options.filter);
    this.#redact = hook('redact', options.redact);
    this.#own = new OwnMachines(machines, this.#redact);
    if (!Array.isArray(proxies) || !proxies.every((proxy) => proxy instanceof TcpProxy)) {
      throw new OptionError('proxies', proxies, 'a list of what createProxy() returns');
    }
    this.#kinds = new Map(
      [...MACHINES.values(), ...machines].map(({ id, config }) => [id, kindOf(config as StateConfig)]),
    );
    for (const proxy of proxies) this.#showProxy(proxy);
    this.#own.open();
    for (const roster of this.#own.rosters) {
      for (const { run } of roster) this.#show(startOf(run.host.id, run.host.parentId, run.machine.id, run.host, run));
      roster.onEnd.add(this.#onEnd);
    }
    subscribe(TRANSITION_CHANNEL, this.#onTransition);
  }

  get connections(): number {
    return this.#connections.size;
  }

  stop(): void {
    unsubscribe(TRANSITION_CHANNEL, this.#onTransition);
    this.#isStopped = true;
    for (const roster of this.#own.rosters) roster.onEnd.delete(this.#onEnd);
    this.#own.close();
    this.#heard = [];
    for (const known of [this.#actors, this.#hidden, this.#connections]) known.clear();
  }

  /**
   * What happens in one go is told together, after it: a backend is made before its session has begun, and a client is
   * admitted before that.
   */
  readonly #onTransition = (message: unknown): void => {
    const transition = message as Transition;
    // Of what is not shown only its end matters.
    const isHidden = this.#hidden.has(transition.who);
    const heard = isHidden ? { transition, event: NOTHING, context: NOTHING } : this.#hear(transition);
    if (this.#heard.push(heard) === 1) queueMicrotask(this.#tellAll);
  };

  /** An instance of a user's machine was stopped, or has failed: no transition tells. */
  readonly #onEnd = (run: OwnRun): void => {
    const { id } = run.host;
    const { status, value } = run.snapshot();
    if (status === 'done') return;
    queueMicrotask(() => {
      if (this.#isStopped) return;
      const actor = this.#actors.get(id);
      const snapshot = { status, value };
      if (actor !== undefined)
        this.#send({ type: '@xstate.snapshot', event: { type: 'xstate.stop' }, snapshot }, actor);
      this.#forget({ who: id, machine: run.machine.id });
    });
  };

  #hear(transition: Transition): Heard {
    const { who, machine, event, eventObject, instance, cause, about, incarnation } = transition;
    // Another version of the library may publish on the channel as well.
    const { server } = about ?? {};
    const told = { cause, server, incarnation };
    const run = this.#own.runOf(transition);
    if (run !== undefined) {
      const context = this.#shown(run.context, { what: 'context', machine, id: who });
      return { transition, context, event: this.#eventOf(eventObject, machine, who, event) };
    }
    if (!MACHINES.has(machine) || !isObject(instance)) {
      return { transition, context: told, event: cause === undefined ? { type: event } : { type: event, cause } };
    }
    const context = this.#shown({ ...instance.context, ...told }, { what: 'context', machine, id: who });
    const whole = cause === undefined ? eventObject : { cause, ...eventObject };
    return { transition, context, event: this.#eventOf(whole, machine, who, event) };
  }

  /** Whatever is left of an event, its type is known. */
  #eventOf(event: unknown, machine: string, id: string, type: string): object {
    return { ...this.#shown(event, { what: 'event', machine, id }), type };
  }

  #shown(value: unknown, about: Redacted): { readonly [name: string]: Shown } {
    const told = redacted(value, about, this.#redact);
    if ('problem' in told) return { '[not shown]': told.problem };
    const isRecord = isObject(told.value) && !Array.isArray(told.value);
    return isRecord ? (told.value as { readonly [name: string]: Shown }) : { '[value]': told.value };
  }

  readonly #tellAll = (): void => {
    const heard = this.#heard;
    this.#heard = [];
    for (const { transition } of heard) {
      if (transition.machine === 'client' || transition.machine === 'session') this.#actorOf(transition);
    }
    for (const one of heard) {
      if (this.#isStopped) return;
      const { transition } = one;
      const { event, isFinal: isOver } = transition;
      const actor = this.#actorOf(transition);
      if (actor !== undefined) {
        const snapshot = snapshotOf(one, isOver);
        this.#register(actor, snapshot);
        if (event !== INIT) this.#tell(actor, one, snapshot);
      }
      if (isOver) this.#forget(transition);
    }
  };

  #actorOf(transition: Transition): Actor | undefined {
    const known = this.#actors.get(transition.who);
    return known?.isMet === true ? known : this.#meet(transition);
  }

  /** An instance that was not heard of yet: an actor, or nothing if it is not shown. */
  #meet(transition: Transition): Actor | undefined {
    const { who, machine, parent, handle } = transition;
    if (this.#hidden.has(who)) return undefined;
    if (!this.#isShown(transition)) {
      this.#hidden.add(who);
      if (machine === 'client') {
        if (isObject(handle)) this.#hiddenClients.add(handle);
        this.leftOut++;
      }
      return undefined;
    }
    if (machine === 'client') this.#connections.add(who);
    const actor = this.#actors.get(who) ?? this.#add(who, machine);
    actor.isMet = true;
    if (parent !== undefined) this.#put(actor, this.#above(parent));
    if (machine === 'backend' && actor._parent !== undefined) actor._parent.backend = actor;
    const client = clientOf(machine, handle);
    const served = client === undefined ? undefined : this.#actors.get(client.id);
    if (served !== undefined) {
      actor.client = served;
      this.#put(served, actor);
    }
    return actor;
  }

  #isShown(transition: Transition): boolean {
    const { machine, parent, handle } = transition;
    const client = clientOf(machine, handle);
    // A connection is shown as a whole, and its client comes first.
    if (client !== undefined && this.#hiddenClients.has(client)) return false;
    if (parent !== undefined && this.#hidden.has(parent)) return false;
    if (!this.#passes(transition)) return false;
    if (machine !== 'client') return true;
    if (this.#connections.size >= this.#connectionsMax) return false;
    this.#share += this.#sample;
    if (this.#share < 1) return false;
    this.#share--;
    return true;
  }

  #passes(transition: Transition): boolean {
    try {
      return this.#filter?.(transition) !== false;
    } catch {
      this.failures++;
      return false;
    }
  }

  #add(who: string, machine: string): Actor {
    const kind = this.#kinds.get(machine);
    const actor: Actor = {
      id: who,
      sessionId: who,
      logic: { config: kind?.config ?? { id: machine } },
      kind,
      _parent: undefined,
      isMet: false,
      parts: 0,
      registered: undefined,
      client: undefined,
      backend: undefined,
    };
    this.#actors.set(who, actor);
    return actor;
  }

  /** It may not have begun yet, or was never heard of. */
  #above(parent: string): Actor {
    return this.#actors.get(parent) ?? this.#add(parent, parent.slice(0, parent.lastIndexOf('#')));
  }

  #put(actor: Actor, parent: Actor): void {
    const before = actor._parent;
    actor._parent = parent;
    parent.parts++;
    if (before !== undefined) this.#leave(before);
  }

  /** An actor without transitions may have ended long ago: it goes with the last of its parts. */
  #leave(parent: Actor): void {
    if (--parent.parts === 0 && !parent.isMet) this.#actors.delete(parent.id);
  }

  /** What it is a part of comes first; an actor with another parent now is registered again. */
  #register(actor: Actor, snapshot?: object): void {
    const { _parent: parent, client } = actor;
    const below = parent?.sessionId ?? '';
    if (actor.registered !== below) {
      actor.registered = below;
      if (parent !== undefined) this.#register(parent);
      // The inspector asks later: this is how it was then.
      const then = { ...actor, getSnapshot: () => snapshot ?? { status: 'active' } };
      this.#send({ type: '@xstate.actor' }, then);
    }
    if (client !== undefined && client.registered !== undefined) this.#register(client);
  }

  #tell(actor: Actor, { transition: { event, from }, event: told }: Heard, snapshot: object): void {
    // A step that needed no event goes on with what happened before it.
    if (actor.kind?.transient.has(from) !== true) {
      this.#send({ type: '@xstate.event', event: told, sourceRef: sourceOf(actor, event) }, actor);
    }
    this.#send({ type: '@xstate.snapshot', event: told, snapshot }, actor);
  }

  #send(inspection: object, actorRef: Actor): void {
    let root = actorRef;
    while (root._parent !== undefined) root = root._parent;
    try {
      this.#inspect.next?.({ ...inspection, actorRef, rootId: root.sessionId } as never);
    } catch {
      // The inspector must not stop the proxy, and the next message may get through.
      this.failures++;
    }
  }

  #forget({ who, machine }: Pick<Transition, 'who' | 'machine'>): void {
    if (machine === 'client') this.#connections.delete(who);
    this.#hidden.delete(who);
    const actor = this.#actors.get(who);
    this.#actors.delete(who);
    if (actor?._parent !== undefined) this.#leave(actor._parent);
  }

  /** What is there already. */
  #showProxy(proxy: TcpProxy): void {
    this.#showHandle('proxy', proxy);
    for (const backend of proxy.backends) this.#showHandle('backend', backend);
    for (const listener of proxy.listeners) {
      this.#showHandle('listener', listener);
      for (const client of listener.clients) this.#showHandle('client', client);
    }
    for (const session of proxy.sessions) {
      this.#showHandle('session', session);
      this.#showHandle('backend', session.backend);
    }
  }

  #showHandle(machine: string, handle: AnyHandle): void {
    const { id, parentId, outcome } = handle;
    if (outcome !== undefined) return;
    const { instance } = handle as unknown as { readonly instance: Instance<never> };
    this.#show({ ...startOf(id, parentId, machine, handle, instance), about: handle.describe() });
  }

  #show(start: Transition): void {
    if (this.#actors.get(start.who)?.isMet === true) return;
    const actor = this.#meet(start);
    if (actor !== undefined) this.#register(actor, snapshotOf(this.#hear(start), false));
  }
}

type AnyHandle = Pick<TcpProxy, 'id' | 'parentId' | 'outcome' | 'describe'>;

/** As if an instance that was there before had begun where it is. */
const startOf = (
  who: string,
  parent: string | undefined,
  machine: string,
  handle: object,
  instance: Instance<never>,
): Transition => ({
  who,
  parent,
  machine,
  incarnation: undefined,
  handle,
  about: {},
  from: '',
  event: INIT,
  eventObject: { type: INIT },
  commands: [],
  instance,
  cause: undefined,
  means: undefined,
  to: instance.state,
  isFinal: false,
  at: Date.now(),
});

/** As XState writes it: `active.waiting` is `{ active: 'waiting' }`. */
function snapshotOf({ transition: { machine, to, cause }, context }: Heard, isOver: boolean): object {
  const [leaf, ...above] = to.split('.').reverse() as [string, ...string[]];
  let value: unknown = leaf;
  for (const state of above) value = { [state]: value };
  if (!isOver) return { status: 'active', value, context };
  return { status: 'done', value, context, ...(MACHINES.has(machine) && { output: { ending: to, cause } }) };
}

/** The names of the events say which leg has sent one to its session. */
function sourceOf({ client, backend }: Actor, event: string): Actor | undefined {
  if (event.startsWith('client.')) return client;
  return event.startsWith('backend.') ? backend : undefined;
}

/** What is known of a machine: what it is drawn from, and the states that it only passes. */
interface StateKind {
  readonly config: object;
  readonly transient: ReadonlySet<string>;
}

interface StateConfig {
  readonly always?: unknown;
  readonly states?: Readonly<Record<string, StateConfig>>;
}

function kindOf(config: StateConfig): StateKind {
  const transient = new Set<string>();
  const visit = (path: string, { always, states: below = {} }: StateConfig): void => {
    if (always !== undefined) transient.add(path);
    for (const [name, state] of Object.entries(below)) visit(path === '' ? name : `${path}.${name}`, state);
  };
  visit('', config);
  return { config, transient };
}
