/**
 * Observes the transition channel while a page or an export needs it: which connections live, in which states they are,
 * and what happened to them. A transition costs a few look-ups and additions: no text is made, and everything that is
 * kept has a bound.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Members } from '../members.js';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import type { Transition } from '../runtime/instance.js';
import type { OwnRun } from '../runtime/roster.js';
import { Charts } from './charts.js';
import type { ObservedConnection, ObservedInstance } from './connection.js';
import { Counts } from './counts.js';
import { INIT, type State } from './edges.js';
import { handleIn, servedBy } from './handles.js';
import { History, type HistoryLimits } from './history.js';
import { LiveInstances } from './live.js';
import { OwnMachines } from './own-machines.js';
import { commandTypes, now, type Plain, placeOf, plain } from './plain.js';
import type { Listed, MachineInfo, Second, StepInfo, Totals } from './protocol.js';
import { Rates } from './rates.js';
import type { LiveBackend, LiveClient, LiveHandle, LiveServer, Registry } from './registry.js';
import { type ShownLimits, shown } from './shown.js';

const SECOND_MS = 1_000;
/** What is kept of the context of an instance that has ended: a thousand of them are remembered. */
const LAST: ShownLimits = { textMax: 200, entriesMax: 50, depthMax: 6, charactersMax: 8_192 };

export interface ObserverOptions extends HistoryLimits {
  readonly registries: readonly Registry[];
  /** The machines of the user's that are listed. */
  readonly own?: OwnMachines | undefined;
}

/** When each clock began, on the clock of the page. */
type ClockStarts = Map<LiveClient['clock'], number>;

export class Observer {
  readonly #options: ObserverOptions;
  /** A registry that is named twice is asked once. */
  readonly #registries: ReadonlySet<Registry>;
  readonly own: OwnMachines;
  readonly charts: Charts;
  #timer: NodeJS.Timeout | undefined;
  since = 0;
  #live!: LiveInstances;
  #counts!: Counts;
  #rates!: Rates;
  #history!: History;
  #endedBytes = { fromClients: 0, fromBackends: 0 };

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#registries = new Set(options.registries);
    this.own = options.own ?? new OwnMachines([], undefined);
    this.charts = new Charts(this.own.all);
    this.#reset();
  }

  get isWatching(): boolean {
    return this.#timer !== undefined;
  }

  /** Begins to count, afresh: instances that live already are learnt from the registries. */
  watch(): void {
    if (this.isWatching) return;
    this.#reset();
    this.#timer = setInterval(() => this.#rates.tick(this.connections.size), SECOND_MS).unref();
    subscribe(TRANSITION_CHANNEL, this.#onTransition);
    try {
      const starts: ClockStarts = new Map();
      for (const registry of this.#registries) this.#learn(registry, starts);
      for (const roster of this.own.rosters) {
        for (const { run, since } of roster) this.#learnOwn(run, since);
        roster.onEnd.add(this.#onEnd);
      }
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Counts no more, and forgets. */
  stop(): void {
    if (!this.isWatching) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    unsubscribe(TRANSITION_CHANNEL, this.#onTransition);
    for (const roster of this.own.rosters) roster.onEnd.delete(this.#onEnd);
    this.#reset();
  }

  /** The connections that live, in the order in which they were met. */
  get connections(): Members<ObservedConnection> {
    return this.#live.connections;
  }

  /** Connections of a kind, or instances of a listed machine: see `GET /api/connections`. */
  listed(of: Listed, machine = ''): ObservedConnection[] {
    const alive = machine === '' ? this.connections : (this.#live.own(machine) ?? []);
    const isMeant = ({ other }: ObservedConnection): boolean => (other?.machine ?? '') === machine;
    if (of === 'alive') return [...alive];
    if (of === 'ended') return this.#history.ended.filter(isMeant);
    return [...alive, ...this.#history.endedDropped.filter(isMeant)].filter(({ wasDropped }) => wasDropped);
  }

  /** The connection of this instance, also after it has ended. */
  find(id: string): ObservedConnection | undefined {
    return this.#live.find(id)?.connection;
  }

  get transitions(): number {
    return this.#counts.transitions;
  }

  get transitionRate(): number {
    return this.#rates.transitionRate;
  }

  machines(): MachineInfo[] {
    return this.#rates.machines().map((info) => {
      const own = this.#live.own(info.machine);
      return own === undefined ? info : { ...info, live: own.size };
    });
  }

  seconds(): readonly Second[] {
    return this.#rates.seconds;
  }

  /** The states of a machine that are this one, or below it. */
  statesBelow(machine: string, path: string): ReadonlySet<State> {
    const found = new Set<State>();
    for (const state of this.#counts.charts.get(machine)?.states.values() ?? []) {
      if (state.path === path || state.path.startsWith(`${path}.`)) found.add(state);
    }
    return found;
  }

  totals(): Totals {
    const { accepted, established, retried, failedOver, closed, drops } = this.#counts;
    let { fromClients, fromBackends } = this.#endedBytes;
    for (const connection of this.connections) {
      if (connection.session === undefined || connection.session.isOver) continue;
      const { fromClient, fromBackend } = connection.bytes;
      fromClients += fromClient;
      fromBackends += fromBackend;
    }
    return {
      accepted,
      established,
      retried,
      failedOver,
      closed,
      dropped: Object.fromEntries(drops),
      endings: this.#counts.endingsOf('session'),
      bytesFromClients: fromClients,
      bytesFromBackends: fromBackends,
    };
  }

  /** The last steps that are remembered, so many at most, oldest first. */
  lastSteps(stepsMax: number): StepInfo[] {
    return this.#history.last(stepsMax);
  }

  #reset(): void {
    this.since = now();
    this.#counts = new Counts(this.charts);
    this.#rates = new Rates(this.#counts, this.since);
    this.#history = new History(this.#options, () => this.#live.remembered());
    this.#live = new LiveInstances(
      this.#history,
      this.own.all.map(({ id }) => id),
    );
    this.#endedBytes = { fromClients: 0, fromBackends: 0 };
  }

  /** What lived before the observer watched. */
  #learn(registry: Registry, starts: ClockStarts): void {
    this.#learnInstance('proxy', registry);
    for (const backend of registry.backends) this.#learnBackend(backend, backend);
    for (const listener of registry.listeners) this.#learnInstance('listener', listener);
    for (const session of registry.sessions) {
      const { client, backend } = session;
      this.#learnClient(client, starts);
      this.#learnInstance('session', session, client);
      this.#learnBackend(backend, client);
    }
    for (const server of registry.servers.list) this.#learnServer(server);
    for (const { clients } of registry.listeners) {
      for (const client of clients) this.#learnClient(client, starts);
    }
    this.#live.forgetEnded();
  }

  #learnInstance(machine: string, handle: LiveHandle, key: object = handle, since = this.since): ObservedInstance {
    const known = this.#live.find(handle.id);
    // It may be in another registry too.
    if (known !== undefined) return known;
    const state = this.#counts.stateOf(machine, handle.state);
    // An end that was not observed is not counted.
    const connection = this.#live.connectionBy(key, machine, since);
    return this.#live.add(handle.id, machine, state, handle, connection, this.since, state.isFinal);
  }

  /** It is as old as its clock says. The clock is looked at once: clients that came soon after each other must not change places. */
  #learnClient(client: LiveClient, starts: ClockStarts): void {
    const { clock } = client;
    const start = starts.get(clock) ?? this.since - clock.now();
    starts.set(clock, start);
    const { connection } = this.#learnInstance('client', client, client, start + client.since);
    if (connection.peer === '') connection.peer = client.peer?.toString() ?? '';
  }

  #learnBackend(backend: LiveBackend, key: object): void {
    const instance = this.#learnInstance('backend', backend, key);
    instance.place = placeOf(backend.server, backend.incarnation);
    instance.dialled = instance.place.server;
  }

  /** What stands in place of a server may have no id. */
  #learnServer(server: LiveServer): void {
    const { id, checking } = server;
    if (id !== undefined) this.#learnInstance('server', server as LiveHandle);
    if (checking !== undefined) this.#learnInstance('check', checking);
  }

  #learnOwn(run: OwnRun, since: number): void {
    const { host, machine } = run;
    if (this.#live.ofRun(run) !== undefined) return;
    const state = this.#counts.stateOf(machine.id, run.state);
    const connection = this.#live.connectionBy(host, machine.id, since);
    this.#live.add(host.id, machine.id, state, undefined, connection, this.since, false, run);
    try {
      const { peer } = host.describe?.() ?? {};
      if (typeof peer === 'string') connection.peer = peer;
    } catch {
      // A function of the user's.
    }
  }

  /** An instance of a listed machine has ended: a stop and a failure are no transitions. */
  readonly #onEnd = (run: OwnRun): void => {
    const instance = this.#live.ofRun(run);
    if (instance === undefined || instance.isOver) return;
    const { status, error } = run.snapshot();
    instance.connection.ending = status === 'error' ? `it has failed: ${shown(error, LAST)}` : 'it was stopped';
    instance.state.count--;
    this.#end(instance, now());
  };

  readonly #onTransition = (message: unknown): void => {
    // An error that a subscriber throws ends the process.
    try {
      this.#note(plain(message), message as Transition);
    } catch {
      // It is no transition.
    }
  };

  #note(transition: Plain, message: Transition): void {
    const { isFinal, handle } = message;
    const run = this.own.isEmpty ? undefined : this.own.runOf(message);
    const { who, machine, from, event, to, cause, means, server, incarnation, peer } = transition;
    const at = now();
    const edge = this.#counts.take(machine, from, event, to, means);
    let instance = run === undefined ? this.#live.find(who) : this.#live.ofRun(run);
    // A user's machine may use the id of an instance that has ended.
    if (instance === undefined || (instance.isOver && event === INIT)) {
      const connection = this.#live.connectionBy(servedBy(machine, handle), machine, at);
      instance = this.#live.add(who, machine, edge.to, handleIn(handle), connection, at, false, run);
    } else if (!instance.isOver && instance.state !== edge.to) {
      this.#counts.move(instance, edge.to);
      instance.since = at;
    }
    const { connection } = instance;
    instance.cause = cause;
    // A PROXY header may tell another one than was known at first.
    if (peer !== undefined && connection.peer !== peer) connection.peer = peer;
    let { place } = instance;
    const isPlaced = server !== undefined || incarnation !== undefined;
    if (isPlaced && (place?.server !== server || place?.incarnation !== incarnation)) {
      place = { server, incarnation };
      instance.place = place;
    }
    const commands = run === undefined ? undefined : commandTypes(message.commands);
    this.#history.remember(connection, at, edge, cause, place, commands);
    this.#counts.note(instance, machine, transition);
    if (means === 'drop') connection.wasDropped = true;
    if (isFinal === true) this.#end(instance, at);
  }

  #end(instance: ObservedInstance, at: number): void {
    if (instance.isOver) return;
    const { connection, machine, run, id } = instance;
    this.#counts.end(instance, machine);
    if (run !== undefined) {
      instance.lastContext = this.own.contextOf(run, machine, id, LAST);
      instance.run = undefined;
    }
    if (machine === 'session') {
      connection.noteBytes();
      this.#endedBytes.fromClients += connection.bytesFromClient;
      this.#endedBytes.fromBackends += connection.bytesFromBackend;
    }
    if (--connection.living > 0) return;
    connection.end(at);
    this.#live.end(connection);
  }
}
