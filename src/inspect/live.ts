/** The instances that live, and the connections that they are parts of. */

import { MemberList } from '../members.js';
import { MACHINES } from './charts.js';
import { ObservedConnection, type ObservedInstance } from './connection.js';
import type { State } from './edges.js';
import type { History } from './history.js';
import type { LiveBackend, LiveClient, LiveHandle, LiveSession } from './registry.js';

/** Instances of users' machines: they may never end. */
const STRANGERS_MAX = 10_000;

export class LiveInstances {
  /** Those of clients and servers that live, in the order in which they were met. */
  readonly connections = new MemberList<ObservedConnection>();
  /** Those of users' machines, that live. */
  readonly #strangers = new MemberList<ObservedConnection>();
  /** By id: those that live, and those of connections that are remembered. */
  readonly #instances = new Map<string, ObservedInstance>();
  /** By the handle of the client; where there is none, by the only handle of the connection. */
  readonly #connectionOf = new WeakMap<object, ObservedConnection>();
  readonly #history: History;
  #made = 0;

  constructor(history: History) {
    this.#history = history;
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
   */
  add(
    id: string,
    machine: string,
    state: State,
    handle: LiveHandle | undefined,
    connection: ObservedConnection,
    since: number,
    isOver = false,
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
    };
    if (!isOver) {
      state.count++;
      connection.living++;
    }
    this.#instances.set(id, instance);
    connection.add(instance, handle as LiveSession | LiveClient | LiveBackend | undefined);
    if (connection.other === undefined) this.connections.add(connection);
    else if (!MACHINES.has(machine)) this.#addStranger(connection);
    return instance;
  }

  #addStranger(connection: ObservedConnection): void {
    const strangers = this.#strangers;
    strangers.add(connection);
    if (strangers.size <= STRANGERS_MAX) return;
    const oldest = strangers.first as ObservedConnection;
    strangers.delete(oldest);
    // Its next transition adds it again.
    oldest.main.state.count--;
    this.#forget(oldest);
  }

  /** The last part of a connection has ended. */
  end(connection: ObservedConnection): void {
    (connection.other === undefined ? this.connections : this.#strangers).delete(connection);
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
    for (const { id } of connection.instances) {
      if (this.#instances.get(id)?.connection === connection) this.#instances.delete(id);
    }
    this.#history.forget(connection);
  }
}
