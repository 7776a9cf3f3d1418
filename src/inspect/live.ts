/** The instances that live, and the connections that they are parts of. */

import { MemberList, type Members } from '../members.js';
import type { OwnRun } from '../runtime/roster.js';
import { MACHINES } from './charts.js';
import { ObservedConnection, type ObservedInstance } from './connection.js';
import type { State } from './edges.js';
import type { History } from './history.js';
import type { LiveBackend, LiveClient, LiveHandle, LiveSession } from './registry.js';

/** Instances of users' machines that are not listed: they may never end. */
const STRANGERS_MAX = 10_000;
/** Of each machine that is listed. */
const OWN_MAX = 100_000;

export class LiveInstances {
  /** Those of clients and servers that live, in the order in which they were met. */
  readonly connections = new MemberList<ObservedConnection>();
  /** Those of users' machines that are not listed. */
  readonly #strangers = new MemberList<ObservedConnection>();
  /** Those of users' machines that are listed. */
  readonly #own: ReadonlyMap<string, MemberList<ObservedConnection>>;
  readonly #ofRun = new WeakMap<OwnRun, ObservedInstance>();
  /** By id: those that live, and those of connections that are remembered. */
  readonly #instances = new Map<string, ObservedInstance>();
  /** By the handle of the client; where there is none, by the only handle of the connection. */
  readonly #connectionOf = new WeakMap<object, ObservedConnection>();
  readonly #history: History;
  #made = 0;

  /** @param own the ids of the machines that are listed */
  constructor(history: History, own: readonly string[]) {
    this.#history = history;
    this.#own = new Map(own.map((id) => [id, new MemberList()]));
  }

  /** The instances of a listed machine that live, in the order in which they were met. */
  own(machine: string): Members<ObservedConnection> | undefined {
    return this.#own.get(machine);
  }

  /** What is known of this instance: two that live may have one id. */
  ofRun(run: OwnRun): ObservedInstance | undefined {
    return this.#ofRun.get(run);
  }

  /** The instance of this id, also after it has ended. */
  find(id: string): ObservedInstance | undefined {
    return this.#instances.get(id);
  }

  /** The connection of each instance. */
  *remembered(): Generator<ObservedConnection, void> {
    for (const { connection } of this.#instances.values()) yield connection;
  }

  /** The connection that an instance of this machine is a part of: a new one where it is the first part. */
  connectionBy(key: object | undefined, machine: string, since: number): ObservedConnection {
    const known = key === undefined ? undefined : this.#connectionOf.get(key);
    // A connection that has ended does not begin again.
    if (known !== undefined && known.endedAt === undefined && known.isWithout(machine)) return known;
    const connection = new ObservedConnection(++this.#made, since);
    if (key !== undefined) this.#connectionOf.set(key, connection);
    return connection;
  }

  /**
   * An instance is met.
   *
   * @param handle what can be asked about it, if it is known
   * @param since when it has entered its state
   * @param isOver it has ended already
   * @param run the instance itself, if its machine is listed
   */
  add(
    id: string,
    machine: string,
    state: State,
    handle: LiveHandle | undefined,
    connection: ObservedConnection,
    since: number,
    isOver = false,
    run?: OwnRun,
  ): ObservedInstance {
    const instance: ObservedInstance = {
      id,
      machine,
      connection,
      state,
      isOver,
      since,
      cause: undefined,
      place: undefined,
      dialled: undefined,
      isOwn: run !== undefined,
      run,
      lastContext: undefined,
    };
    if (run !== undefined) this.#ofRun.set(run, instance);
    if (!isOver) {
      state.count++;
      connection.living++;
    }
    this.#instances.set(id, instance);
    connection.add(instance, handle as LiveSession | LiveClient | LiveBackend | undefined);
    if (connection.other === undefined) this.connections.add(connection);
    else if (!MACHINES.has(machine)) this.#addOther(connection, machine);
    return instance;
  }

  #addOther(connection: ObservedConnection, machine: string): void {
    const own = this.#own.get(machine);
    const others = own ?? this.#strangers;
    others.add(connection);
    if (others.size <= (own === undefined ? STRANGERS_MAX : OWN_MAX)) return;
    const oldest = others.first as ObservedConnection;
    others.delete(oldest);
    // Its next transition adds it again.
    oldest.main.state.count--;
    this.#forget(oldest);
  }

  /** The last part of a connection has ended. */
  end(connection: ObservedConnection): void {
    const { other } = connection;
    const list = other === undefined ? this.connections : (this.#own.get(other.machine) ?? this.#strangers);
    list.delete(connection);
    const oldest = this.#history.end(connection);
    if (oldest !== undefined) this.#forget(oldest);
  }

  /** Forgets connections whose parts had all ended when they were met. */
  forgetEnded(): void {
    for (const { connection } of [...this.#instances.values()]) {
      if (connection.living > 0) continue;
      if (connection.other === undefined) this.connections.delete(connection);
      this.#forget(connection);
    }
  }

  #forget(connection: ObservedConnection): void {
    for (const { id, run } of connection.instances) {
      if (this.#instances.get(id)?.connection === connection) this.#instances.delete(id);
      if (run !== undefined) this.#ofRun.delete(run);
    }
    this.#history.forget(connection);
  }
}
