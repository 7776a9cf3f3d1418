// biome-ignore lint/style/noRestrictedImports: a balancer of the user's is given the client; only its type is known here.
import type { Client } from '../../adapters/client.js';
import type { Server } from '../server.js';

/**
 * Chooses among servers. It is asked once per attempt and must not keep `isUsable`.
 *
 * @example
 * ```ts
 * // The servers of this rack first; the others are their spares.
 * const near = random();
 * const nearFirst: Balancer = {
 *   choose: (servers, isUsable, wanted) =>
 *     near.choose(servers, (server) => isUsable(server) && server.name.startsWith('rack1.'), wanted) ??
 *     near.choose(servers, isUsable, wanted),
 *   changed: (servers) => near.changed?.(servers),
 * };
 * ```
 */
export interface Balancer {
  /**
   * One of `servers` for which `isUsable` is true, or nothing if there is none. `isUsable` is false for a server whose
   * weight is 0.
   *
   * @param servers those that may be chosen at present; a list does not change, but another call may have another list
   * @param wanted the connection that the server is for
   */
  choose(servers: readonly Server[], isUsable: (server: Server) => boolean, wanted: Wanted): Server | undefined;
  /**
   * The set is new, a server was added or removed, or the weight of one has changed: the place to make tables. A server that
   * is down or full is no such change.
   *
   * @param servers all servers of the set, also those that may not be chosen at present
   */
  changed?(servers: readonly Server[]): void;
  /**
   * An attempt has come up.
   *
   * @param tookMs from the choice of the server until the connection was established, with TLS and `prepare`
   */
  connected?(server: Server, tookMs: number): void;
}

/** What a balancer may know of the connection that a server is for. */
export interface Wanted {
  /** The client that the connection is for; nothing for a backend that is for none. */
  readonly client: Client | undefined;
  /** What should lead to the same server each time: see `key` of `createProxy` and of a `route`'s answer. */
  readonly key: string | undefined;
  /** The set's source of randomness, from 0 to 1: its option `random`. */
  readonly random: () => number;
}

/**
 * A balancer of the library. What it knows of the servers it works out anew when it is given another list, or was told of
 * a change, however many changes there were before the next choice.
 */
export abstract class BuiltIn implements Balancer {
  #known: readonly Server[] | undefined = undefined;

  /** One with the same options, and a memory of its own: each set of servers has one. */
  abstract fresh(): BuiltIn;

  /** The servers that may be chosen from now on, or their weights, are others. */
  protected abstract adapt(servers: readonly Server[]): void;

  protected abstract pick(isUsable: (server: Server) => boolean, wanted: Wanted): Server | undefined;

  choose(servers: readonly Server[], isUsable: (server: Server) => boolean, wanted: Wanted): Server | undefined {
    if (servers !== this.#known) {
      this.adapt(servers);
      this.#known = servers;
    }
    return this.pick(isUsable, wanted);
  }

  changed(_servers: readonly Server[]): void {
    this.#known = undefined;
  }
}

/** @internal The servers that have a share at all. */
export const sharing = (servers: readonly Server[]): readonly Server[] => servers.filter(({ share }) => share > 0);

/** @internal HAProxy counts weights in sixteenths, which is as fine as a slow start makes them. */
export const sixteenths = ({ share }: Server): number => Math.ceil(share * 16);

/** @internal True where each has the same share. */
export const areEqual = (servers: readonly Server[]): boolean =>
  servers.every(({ share }) => share === servers[0]?.share);
