/**
 * Counts and remembers what the transition channel tells, while somebody watches. What happens for every transition is a
 * few look-ups and additions: no text is made, and nothing is kept that has no bound.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Cause } from '../machines/vocabulary.js';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import type { Transition } from '../runtime/life.js';
import { MACHINES } from './charts.js';
import {
  ACCEPTS,
  CONNECTS,
  DROPS,
  type Edge,
  ESTABLISHES,
  edgeOf,
  INIT,
  type Kind as MachineKind,
  OTHERS,
  RATE_SECONDS,
  RETRIES,
  type State,
  stateOf,
} from './edges.js';
import { Connection, type ObservedLife, STEP } from './history.js';
import { now, type Place, type Plain, placeOf, plain } from './plain.js';
import type { EdgeInfo, Kind, MachineInfo, Second, StepInfo, Totals } from './protocol.js';
import type { LiveBackend, LiveClient, LiveHandle, LiveSession, Registry } from './registry.js';

const SECOND_MS = 1_000;
/** The time line: five minutes. */
const SECONDS_MAX = 300;
const MACHINES_MAX = 64;
const CAUSES_MAX = 100;
/** Lives of machines that are not the library's: nobody knows whether they end. */
const STRANGERS_MAX = 10_000;

export interface ObserverOptions {
  readonly registries: readonly Registry[];
  /** Steps that are remembered of one connection. */
  readonly stepsPerConnectionMax: number;
  /** The same of all together. */
  readonly stepsMax: number;
  /** Connections that have ended and are remembered. */
  readonly endedMax: number;
}

export class Observer {
  readonly #options: ObserverOptions;
  /** One that is named twice is asked once. */
  readonly #registries: ReadonlySet<Registry>;
  #isWatching = false;
  #timer: NodeJS.Timeout | undefined;
  #kinds = new Map<string, MachineKind>();
  #lives = new Map<string, ObservedLife>();
  /** Those of clients and servers that live, in the order in which they were met. */
  readonly connections = new Set<Connection>();
  /** Those of other machines, that live. */
  #strangers = new Set<Connection>();
  /** Those that have ended last, and the last of them that were dropped: routine must not push those out. */
  #ended = new Ring();
  #endedDropped = new Ring();
  #made = 0;
  #orphan: { readonly life: ObservedLife; readonly above: string } | undefined;
  #steps = 0;
  #trimming: Generator<Connection, void> | undefined;
  since = 0;
  transitions = 0;
  #transitionMarks = new Float64Array(RATE_SECONDS);
  #accepted = 0;
  #established = 0;
  #retried = 0;
  #failedOver = 0;
  #closed = 0;
  #droppedCount = 0;
  #dropped = new Map<string, number>();
  #endedBytes = { fromClients: 0, fromBackends: 0 };
  #seconds: Second[] = [];
  #before: Record<'accepted' | 'established' | 'retried' | 'failedOver' | 'dropped' | 'closed', number> = NONE;
  #ticks = 0;
  #tickedAt: number[] = [];

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#registries = new Set(options.registries);
  }

  get isWatching(): boolean {
    return this.#isWatching;
  }

  /** Begins to count, afresh: what lives already is learnt from the registries. */
  watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#reset();
    subscribe(TRANSITION_CHANNEL, this.#onTransition);
    try {
      for (const registry of this.#registries) {
        this.#learn(registry);
        registry.on?.('sessionClosed', this.#onSessionClosed);
      }
    } catch (error) {
      this.stop();
      throw error;
    }
    this.#timer = setInterval(() => this.#tick(), SECOND_MS).unref();
  }

  /** Counts no more, and forgets. */
  stop(): void {
    if (!this.#isWatching) return;
    this.#isWatching = false;
    clearInterval(this.#timer);
    unsubscribe(TRANSITION_CHANNEL, this.#onTransition);
    this.#reset();
    for (const registry of this.#registries) {
      try {
        registry.off?.('sessionClosed', this.#onSessionClosed);
      } catch {
        // The others are left all the same.
      }
    }
  }

  /** Connections of a kind: see `GET /api/connections`. */
  listed(of: Kind): Connection[] {
    if (of === 'alive') return [...this.connections];
    const ended = [...this.#ended.all, ...this.#endedDropped.all];
    if (of === 'ended') return ended.filter(isOfClients);
    return [...this.connections, ...this.#endedDropped.all].filter(({ wasDropped }) => wasDropped);
  }

  /** The connection that has this life, also one that has ended. */
  find(id: string): Connection | undefined {
    return this.#lives.get(id)?.connection;
  }

  machines(): MachineInfo[] {
    const slot = this.#ticks % RATE_SECONDS;
    const elapsed = this.#elapsed(slot);
    return [...this.#kinds.values()].map(({ machine, states, edges }) => ({
      machine,
      states: Object.fromEntries([...states.values()].map(({ path, count }) => [path, count])),
      edges: edges.map(
        ({ from, event, to, total, marks }): EdgeInfo => ({
          from,
          event,
          to: to.path,
          total,
          rate: perSecond(total - (marks[slot] as number), elapsed),
        }),
      ),
    }));
  }

  get transitionRate(): number {
    const slot = this.#ticks % RATE_SECONDS;
    return perSecond(this.transitions - (this.#transitionMarks[slot] as number), this.#elapsed(slot));
  }

  /** The states of a machine that are this one, or below it. */
  statesBelow(machine: string, path: string): ReadonlySet<State> {
    const found = new Set<State>();
    for (const state of this.#kinds.get(machine)?.states.values() ?? []) {
      if (state.path === path || state.path.startsWith(`${path}.`)) found.add(state);
    }
    return found;
  }

  totals(): Totals {
    let { fromClients, fromBackends } = this.#endedBytes;
    for (const { live } of this.connections) {
      const bytes = bytesOf(live);
      if (bytes === undefined) continue;
      fromClients += bytes.fromClient;
      fromBackends += bytes.fromBackend;
    }
    const endings: Record<string, number> = {};
    for (const { path, isFinal, count } of this.#kinds.get('session')?.states.values() ?? []) {
      if (isFinal && count > 0) endings[path] = count;
    }
    return {
      accepted: this.#accepted,
      established: this.#established,
      retried: this.#retried,
      failedOver: this.#failedOver,
      closed: this.#closed,
      dropped: Object.fromEntries(this.#dropped),
      endings,
      bytesFromClients: fromClients,
      bytesFromBackends: fromBackends,
    };
  }

  seconds(): readonly Second[] {
    return this.#seconds;
  }

  /** The last steps that are remembered, so many at most, oldest first. */
  lastSteps(stepsMax: number): StepInfo[] {
    const connections = new Set<Connection>();
    for (const { connection } of this.#lives.values()) connections.add(connection);
    const times = new Float64Array(this.#steps);
    let count = 0;
    for (const { since, packed } of connections) {
      for (let at = 0; at < packed.length; at += STEP) times[count++] = since + (packed[at] as number) / 10;
    }
    const from = times.sort()[Math.max(0, count - stepsMax)] ?? 0;
    const steps: StepInfo[] = [];
    for (const connection of connections) steps.push(...connection.steps(from));
    return steps.sort((a, b) => a.at - b.at);
  }

  /** Finds in the registries what was met on the channel since. */
  link(): void {
    for (const registry of this.#registries) {
      try {
        this.#linkAll(registry);
      } catch {
        // A getter of somebody's; what it did not tell is not shown.
      }
    }
    this.#hasUnlinked = false;
  }

  #linkAll({ sessions, listeners, backends }: Registry): void {
    // The newest are last: whoever was found before, and all before it, need not be looked for.
    for (let index = sessions.length - 1; index >= 0; index--) {
      const session = sessions[index] as LiveSession;
      const connection = this.#lives.get(session.id)?.connection;
      if (connection === undefined) continue;
      if (connection.live === session) break;
      linkTo(connection, session, session.client);
      this.#linked.add(session.client);
    }
    for (const backend of backends) {
      const connection = this.#lives.get(backend.id)?.connection;
      if (connection !== undefined) connection.live ??= backend;
    }
    if (!this.#hasUnlinked) return;
    for (const { clients } of listeners) {
      for (const client of clients) {
        // Its name is made when it is asked for: that is for those who have just come.
        if (this.#linked.has(client)) continue;
        const connection = this.#lives.get(client.id)?.connection;
        if (connection === undefined) continue;
        this.#linked.add(client);
        if (connection.session === undefined) linkTo(connection, client, client);
      }
    }
  }

  /** True when a client came that no registry was asked about yet. */
  #hasUnlinked = false;
  #linked = new WeakSet<LiveClient>();

  #reset(): void {
    this.#kinds = new Map();
    this.#lives = new Map();
    this.connections.clear();
    this.#strangers.clear();
    this.#ended = new Ring();
    this.#endedDropped = new Ring();
    this.#steps = 0;
    this.#orphan = undefined;
    this.#linked = new WeakSet();
    this.#trimming = undefined;
    this.since = now();
    this.transitions = 0;
    this.#transitionMarks.fill(0);
    this.#accepted = this.#established = this.#retried = this.#failedOver = this.#closed = this.#droppedCount = 0;
    this.#dropped = new Map();
    this.#endedBytes = { fromClients: 0, fromBackends: 0 };
    this.#seconds = [];
    this.#before = NONE;
    this.#ticks = 0;
    this.#tickedAt = new Array(RATE_SECONDS).fill(this.since);
  }

  /** What lived before anybody watched. */
  #learn(registry: Registry): void {
    this.#learnLife('proxy', registry);
    for (const backend of registry.backends) {
      // It may be in another registry too.
      if (!this.#lives.has(backend.id)) this.#learnBackend(backend);
    }
    for (const listener of registry.listeners) this.#learnLife('listener', listener);
    for (const session of registry.sessions) {
      const { client, backend } = session;
      const { connection } = this.#learnClient(client);
      this.#learnLife('session', session, connection);
      this.#learnBackend(backend, connection);
      linkTo(connection, session, client);
    }
    for (const { clients } of registry.listeners) {
      for (const client of clients) {
        if (!this.#lives.has(client.id)) this.#learnClient(client);
      }
    }
    for (const { connection } of [...this.#lives.values()]) {
      if (connection.living > 0) continue;
      this.connections.delete(connection);
      this.#forget(connection);
    }
    this.#hasUnlinked = true;
    this.link();
  }

  #learnLife(machine: string, { id, state }: LiveHandle, connection?: Connection): ObservedLife {
    const kind = this.#kindOf(machine);
    const entered = stateOf(kind, state);
    const own = connection ?? new Connection(++this.#made, this.since);
    // An end that nobody watched is none that is counted.
    return this.#add(id, kind, entered, own, this.since, entered.isFinal);
  }

  /** It is as old as its clock says. */
  #learnClient(client: LiveClient): ObservedLife {
    const since = this.since - (client.clock.now() - client.since);
    return this.#learnLife('client', client, new Connection(++this.#made, since));
  }

  #learnBackend(backend: LiveBackend, connection?: Connection): void {
    const life = this.#learnLife('backend', backend, connection);
    const { server, incarnation } = backend;
    life.place = placeOf(server, incarnation);
    life.dialled = life.place.server;
  }

  readonly #onTransition = (message: unknown): void => {
    // What is thrown out of a subscriber ends the process.
    try {
      this.#note(plain(message), message as Transition);
    } catch {
      // It is none.
    }
  };

  #note(transition: Plain, { isFinal, parent, client }: Transition): void {
    const { who, machine, from, event, to, cause, server, incarnation, peer } = transition;
    const at = now();
    const kind = this.#kindOf(machine);
    const edge = edgeOf(kind, from, event, to);
    edge.total++;
    this.transitions++;
    let life = this.#lives.get(who);
    // A machine of a user's may give the name of one that is over to another.
    if (life === undefined || (life.isOver && event === INIT)) {
      life = this.#meet(who, kind, edge.to, parent, client, at);
    } else if (!life.isOver && life.state !== edge.to) {
      life.state.count--;
      edge.to.count++;
      life.state = edge.to;
      life.since = at;
    }
    life.cause = cause;
    if (peer !== undefined && life.connection.peer === '') life.connection.peer = peer;
    let { place } = life;
    const serverBefore = place?.server;
    if (
      (server !== undefined || incarnation !== undefined) &&
      (serverBefore !== server || place?.incarnation !== incarnation)
    ) {
      place = { server, incarnation };
      life.place = place;
    }
    this.#remember(life.connection, at, edge, cause, place);
    if (edge.means !== 0) this.#count(life, edge, cause, server);
    if (isFinal === true) this.#end(life, at);
  }

  #count(life: ObservedLife, { means, kind }: Edge, cause: Cause | undefined, server: string | undefined): void {
    if (means & ACCEPTS) this.#accepted++;
    if (means & ESTABLISHES) this.#established++;
    if (means & RETRIES) this.#retried++;
    if (means & DROPS) {
      life.connection.wasDropped = true;
      this.#countDrop(kind.machine, cause);
    }
    if (means & CONNECTS) {
      if (life.dialled !== undefined && life.dialled !== server) this.#failedOver++;
      life.dialled = server;
    }
  }

  readonly #onSessionClosed = ({ session }: { readonly session: LiveSession }): void => {
    try {
      const { id, bytes } = session;
      const { fromClient, fromBackend } = bytes;
      this.#endedBytes.fromClients += fromClient;
      this.#endedBytes.fromBackends += fromBackend;
      const connection = this.find(id);
      if (connection === undefined) return;
      connection.bytesFromClient = fromClient;
      connection.bytesFromBackend = fromBackend;
    } catch {
      // It cannot tell them.
    }
  };

  #kindOf(machine: string): MachineKind {
    const known = this.#kinds.get(machine);
    if (known !== undefined) return known;
    const name = this.#kinds.size < MACHINES_MAX ? machine : OTHERS;
    const kind = this.#kinds.get(name) ?? { machine: name, states: new Map(), edges: [], byEvent: new Map() };
    this.#kinds.set(name, kind);
    return kind;
  }

  /** A life that was not heard of yet: the part of a connection, or the beginning of one. */
  #meet(
    who: string,
    kind: MachineKind,
    state: State,
    parent: string | undefined,
    client: string | undefined,
    at: number,
  ): ObservedLife {
    const { machine } = kind;
    const above = machine === 'session' ? client : machine === 'backend' ? parent : undefined;
    const part = machine === 'session' ? 'session' : 'backend';
    let connection = above === undefined ? undefined : this.#lives.get(above)?.connection;
    // A backend below a machine of somebody's own has no client; and what has ended does not begin again.
    if (connection !== undefined && (connection.other ?? connection[part] ?? connection.endedAt) !== undefined) {
      connection = undefined;
    }
    const life = this.#add(who, kind, state, connection ?? new Connection(++this.#made, at), at);
    if (machine === 'session') this.#adopt(life);
    else if (machine === 'backend' && above !== undefined && connection === undefined) this.#orphan = { life, above };
    return life;
  }

  /** A backend is made by its session before that has begun: it is heard of first, and right before. */
  #adopt({ id, connection }: ObservedLife): void {
    const orphan = this.#orphan;
    this.#orphan = undefined;
    if (orphan?.above !== id || orphan.life.isOver) return;
    const { life } = orphan;
    const own = life.connection;
    for (let at = 0; at < own.packed.length; at += STEP) {
      const since = own.since + (own.packed[at] as number) / 10;
      connection.packed.push(Math.round((since - connection.since) * 10), ...own.packed.slice(at + 1, at + STEP));
    }
    this.connections.delete(own);
    life.connection = connection;
    connection.backend = life;
    connection.living++;
  }

  #add(
    id: string,
    kind: MachineKind,
    state: State,
    connection: Connection,
    since: number,
    isOver = false,
  ): ObservedLife {
    const life: ObservedLife = {
      id,
      kind,
      connection,
      state,
      isOver,
      since,
      cause: undefined,
      place: undefined,
      dialled: undefined,
    };
    if (!isOver) {
      state.count++;
      connection.living++;
    }
    this.#lives.set(id, life);
    const { machine } = kind;
    if (machine === 'client' || machine === 'session' || machine === 'backend') {
      connection[machine] = life;
      this.connections.add(connection);
      this.#hasUnlinked ||= machine === 'client';
    } else {
      connection.other = life;
      if (!MACHINES.has(machine)) this.#addStranger(connection);
    }
    return life;
  }

  #addStranger(connection: Connection): void {
    const strangers = this.#strangers;
    strangers.add(connection);
    if (strangers.size <= STRANGERS_MAX) return;
    const oldest = strangers.values().next().value as Connection;
    strangers.delete(oldest);
    // It is met again if it moves.
    oldest.main.state.count--;
    this.#forget(oldest);
  }

  #end(life: ObservedLife, at: number): void {
    if (life.isOver) return;
    life.isOver = true;
    const { connection, kind } = life;
    if (kind.machine === 'client') this.#closed++;
    if (--connection.living > 0) return;
    connection.endedAt = at;
    this.connections.delete(connection);
    this.#strangers.delete(connection);
    // For a registry that does not tell the last bytes.
    const bytes = bytesOf(connection.live);
    if (bytes !== undefined) {
      connection.bytesFromClient = bytes.fromClient;
      connection.bytesFromBackend = bytes.fromBackend;
    }
    connection.live = undefined;
    const ring = connection.wasDropped ? this.#endedDropped : this.#ended;
    const oldest = ring.add(connection, this.#options.endedMax);
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(connection: Connection): void {
    for (const { id } of connection.lives) {
      if (this.#lives.get(id)?.connection === connection) this.#lives.delete(id);
    }
    this.#steps -= connection.packed.length / STEP;
    connection.packed.length = 0;
  }

  #countDrop(machine: string, cause: Cause | undefined): void {
    this.#droppedCount++;
    const name = `${machine} ${cause?.code ?? cause?.manner ?? 'unknown'}`;
    const key = this.#dropped.has(name) || this.#dropped.size < CAUSES_MAX ? name : OTHERS;
    this.#dropped.set(key, (this.#dropped.get(key) ?? 0) + 1);
  }

  #remember(connection: Connection, at: number, edge: Edge, cause: Cause | undefined, place: Place | undefined): void {
    const { packed } = connection;
    const { stepsPerConnectionMax, stepsMax } = this.#options;
    // A step that was forgotten makes room by the half, so that a busy connection does not move its list each time.
    if (packed.length >= stepsPerConnectionMax * STEP) this.#forgetSteps(connection, stepsPerConnectionMax >> 1);
    packed.push(Math.round((at - connection.since) * 10), edge, cause, place);
    if (++this.#steps > stepsMax) this.#trim();
  }

  /** There are too many steps: one connection after the other gives up the older half of its own. */
  #trim(): void {
    while (this.#steps > this.#options.stepsMax) {
      this.#trimming ??= this.#remembered();
      const { value: connection, done } = this.#trimming.next();
      if (done) this.#trimming = undefined;
      else if (connection.packed.length > 0) this.#forgetSteps(connection, (connection.packed.length / STEP + 1) >> 1);
    }
  }

  *#remembered(): Generator<Connection, void> {
    // Those that have ended first.
    yield* this.#ended.all;
    yield* this.#endedDropped.all;
    for (const { connection } of this.#lives.values()) yield connection;
  }

  #forgetSteps(connection: Connection, count: number): void {
    const { packed } = connection;
    packed.splice(0, count * STEP);
    connection.forgotten += count;
    this.#steps -= count;
  }

  #tick(): void {
    const at = now();
    const slot = this.#ticks % RATE_SECONDS;
    for (const { edges } of this.#kinds.values()) {
      for (const edge of edges) edge.marks[slot] = edge.total;
    }
    this.#transitionMarks[slot] = this.transitions;
    this.#tickedAt[slot] = at;
    this.#ticks++;
    const counts = {
      accepted: this.#accepted,
      established: this.#established,
      retried: this.#retried,
      failedOver: this.#failedOver,
      dropped: this.#droppedCount,
      closed: this.#closed,
    };
    const before = this.#before;
    this.#seconds.push({
      at: Math.floor(at / SECOND_MS) * SECOND_MS,
      accepted: counts.accepted - before.accepted,
      established: counts.established - before.established,
      retried: counts.retried - before.retried,
      failedOver: counts.failedOver - before.failedOver,
      dropped: counts.dropped - before.dropped,
      closed: counts.closed - before.closed,
      live: this.connections.size,
    });
    if (this.#seconds.length > SECONDS_MAX) this.#seconds.shift();
    this.#before = counts;
    this.link();
  }

  #elapsed(slot: number): number {
    return Math.max(1, now() - (this.#tickedAt[slot] as number));
  }
}

/** The last so many. */
class Ring {
  readonly all: Connection[] = [];
  #next = 0;

  /** @returns what had to go for it */
  add(connection: Connection, max: number): Connection | undefined {
    const oldest = this.all[this.#next];
    this.all[this.#next] = connection;
    this.#next = (this.#next + 1) % max;
    return oldest;
  }
}

const isOfClients = ({ client, session, backend }: Connection): boolean => (client ?? session ?? backend) !== undefined;

/** Nothing where it has none, or cannot tell: a getter of somebody's may throw. */
export function bytesOf(live: Connection['live']): LiveSession['bytes'] | undefined {
  try {
    return live !== undefined && 'bytes' in live ? live.bytes : undefined;
  } catch {
    return undefined;
  }
}

const NONE = { accepted: 0, established: 0, retried: 0, failedOver: 0, dropped: 0, closed: 0 };

const perSecond = (count: number, elapsedMs: number): number => Math.round((count * 10_000) / elapsedMs) / 10;

function linkTo(connection: Connection, live: LiveSession | LiveClient, client: LiveClient): void {
  connection.live = live;
  if (connection.peer === '') connection.peer = client.peer?.toString() ?? '';
}
