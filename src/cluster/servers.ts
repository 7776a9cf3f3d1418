/** The servers that the workers of a cluster share, as the primary sees and orders them. */
import { OptionError } from '../errors.js';
import { count } from '../options.js';
import { weightOf } from '../upstream/balance/weight.js';
import { identityOf } from '../upstream/difference.js';
import { type RemoveOptions, removalOf } from '../upstream/removal.js';
import type { ServerOptions } from '../upstream/server-options.js';
import { Servers } from '../upstream/servers.js';
import type { ServerOrder } from '../upstream/sharing.js';
import type { Coordinator, SharedServer } from './coordinator.js';
import { mustBeSendable } from './sendable.js';

/** A server that the workers of a cluster share: see {@link ClusterServers}. */
export class ClusterServer {
  readonly #coordinator: Coordinator;
  readonly #set: string;
  readonly #server: SharedServer;

  /** @internal */
  constructor(coordinator: Coordinator, set: string, server: SharedServer) {
    this.#coordinator = coordinator;
    this.#set = set;
    this.#server = server;
  }

  /** The name that it was given; or `host:port`, or the path. */
  get name(): string {
    return this.#server.name;
  }

  /** Where it is, such as `serving.up`, as a worker has told it; empty while no worker has it. */
  get state(): string {
    return this.#server.state;
  }

  /** How many connections all workers may have there; `Infinity` for no limit. */
  get connectionsMax(): number {
    return this.#server.places?.limit ?? Number.POSITIVE_INFINITY;
  }

  /**
   * @throws OptionError
   */
  set connectionsMax(connectionsMax: number) {
    const checked = count('connectionsMax', connectionsMax, Number.POSITIVE_INFINITY);
    this.#order({ type: 'connectionsMax', connectionsMax: checked });
  }

  /**
   * How many connections it gets, in proportion to the weights of the others: see `Server.weight`.
   *
   * @throws OptionError
   */
  setWeight(weight: number): void {
    this.#order({ type: 'weight', weight: weightOf('weight', weight) });
  }

  /** Nothing new goes there; its sessions and its checks go on. {@link up} takes it back. */
  drain(): void {
    this.#order({ type: 'drain' });
  }

  /** Nothing new goes there, and its checks rest. {@link up} takes it back. */
  maintain(): void {
    this.#order({ type: 'maintain' });
  }

  /** Takes it back after {@link drain} or {@link maintain}. */
  up(): void {
    this.#order({ type: 'up' });
  }

  /** It may be chosen again after an ejection or an exclusion: what kept traffic from it was mended. */
  restore(): void {
    this.#order({ type: 'restore' });
  }

  /**
   * Removes it from the set in all workers: see `Server.remove`.
   *
   * @throws OptionError
   */
  remove(options: RemoveOptions = {}): void {
    removalOf(options);
    this.#coordinator.orderList(this.#set, this.#server.key, { type: 'remove', options });
  }

  /** @internal */
  isOf(set: string): boolean {
    return this.#set === set;
  }

  #order(order: ServerOrder): void {
    this.#coordinator.order(this.#set, this.#server.key, order);
  }

  /** Its name. */
  toString(): string {
    return this.name;
  }

  /** A snapshot that can be logged. */
  toJSON(): Record<string, unknown> {
    const { name, state, connectionsMax } = this;
    return { name, state, connectionsMax };
  }
}

/**
 * A set of servers that the workers of a cluster share. What is ordered here holds for all workers, also for those that start
 * later.
 *
 * @example
 * ```ts
 * const [servers] = cluster.servers;
 * servers.list.find(({ name }) => name === '10.0.0.7:5432')?.drain();
 * servers.add({ host: '10.0.0.9', port: 5432 });
 * ```
 */
export class ClusterServers {
  /** The name under which it is shared: `shareAs`, or that of the proxy. */
  readonly name: string;
  readonly #coordinator: Coordinator;

  /** @internal */
  constructor(coordinator: Coordinator, name: string) {
    this.#coordinator = coordinator;
    this.name = name;
  }

  /** Its servers, those of all workers together. */
  get list(): ClusterServer[] {
    return this.#coordinator
      .serversOf(this.name)
      .map((server) => new ClusterServer(this.#coordinator, this.name, server));
  }

  /**
   * Adds a server.
   *
   * @throws OptionError for options that are wrong, or cannot be sent to another process
   */
  add(options: ServerOptions): void {
    check([options], 'server');
    this.#coordinator.orderList(this.name, identityOf(options), { type: 'add', options });
  }

  /**
   * Removes a server of its list from the set in all workers: see `Servers.remove`.
   *
   * @throws OptionError
   */
  remove(server: ClusterServer, options: RemoveOptions = {}): void {
    if (!(server instanceof ClusterServer) || !server.isOf(this.name)) {
      throw new OptionError('server', server, 'one of the list of this set');
    }
    server.remove(options);
  }

  /**
   * Makes its servers those of another list: see `Servers.replace`.
   *
   * @throws OptionError before anything is changed
   */
  replace(list: readonly ServerOptions[], options: RemoveOptions = {}): void {
    if (!Array.isArray(list)) throw new OptionError('servers', list, 'a list of servers, such as [{ port: 5432 }]');
    check(list, 'servers');
    removalOf(options);
    this.#coordinator.orderList(this.name, '', { type: 'replace', list, options });
  }

  /** A snapshot that can be logged. */
  toJSON(): Record<string, unknown> {
    return { name: this.name, list: this.list.map((server) => server.toJSON()) };
  }
}

/** What is wrong is said here, and not in the workers. */
function check(list: readonly ServerOptions[], name: string): void {
  for (const options of list) mustBeSendable(options, name);
  if (list.length > 0) new Servers(list).end();
}
