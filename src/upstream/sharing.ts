/**
 * What a set of servers may have in common with the sets of the same name in other processes. The sets know this interface
 * only; `sockchart/cluster` has what is behind it, in a worker.
 */
import type { Verdict } from '../machines/functions/server.js';
import type { Cause, Report } from '../machines/vocabulary.js';
import type { Governor } from './governor.js';
import type { RemoveOptions } from './removal.js';
import type { Server } from './server.js';
import type { ServerOptions } from './server-options.js';
import type { Servers } from './servers.js';

export interface Wish {
  readonly type: 'up' | 'drain' | 'maintain' | 'restore';
  /** Why. */
  readonly cause?: Report;
}

/** What the owner of a server wants of it. */
export type ServerOrder =
  | Wish
  | { readonly type: 'weight'; readonly weight: number }
  | { readonly type: 'connectionsMax'; readonly connectionsMax: number };

/** What the owner of a set wants of it. */
export type SetOrder =
  | { readonly type: 'add'; readonly options: ServerOptions }
  | { readonly type: 'remove'; readonly options: RemoveOptions }
  | { readonly type: 'replace'; readonly list: readonly ServerOptions[]; readonly options: RemoveOptions };

/** A server of a shared set. */
export interface SharedServer {
  /** Connections that this process may have there now. */
  readonly places: number;
  /** This process is the one that checks it. */
  readonly mayCheck: boolean;
  /** A connection of this process may try it. */
  readonly mayTry: boolean;
  /** A connection has taken the last place. */
  filled(): void;
  /** A connection has left. */
  freed(): void;
  /** A connection would have tried it. */
  untried(): void;
  /** A check of this process has passed, or failed for this reason. True where that comes back to all processes, this one included. */
  checked(cause: Cause | undefined, tookMs: number | undefined): boolean;
  /** The traffic of this process has judged it. */
  judged(cause: Cause, isLoss: boolean, verdict: Verdict): void;
  /** A connection has come up that tried it. */
  proven(): void;
  ordered(order: ServerOrder): void;
  /** Its state, or what it may have at all, has changed. */
  changed(): void;
  /** It is no longer in the set. */
  ended(): void;
}

/** A set that is one with those of other processes. */
export interface SharedSet {
  added(server: Server): SharedServer;
  /** A connection waits for a place or for the governor. */
  waits(): void;
  /** @throws OptionError for options that cannot be sent to another process */
  ordered(order: SetOrder, server?: Server): void;
  /** The set is over in this process. */
  ended(): void;
}

export interface Sharing {
  /** @throws OptionError for a name that another set of this process has */
  join(set: Servers, name: string, governor: Governor | undefined): SharedSet;
}

let sharing: Sharing | undefined;

/** From now on sets are shared so. */
export function shareBy(by: Sharing | undefined): void {
  sharing = by;
}

export const sharingOf = (): Sharing | undefined => sharing;
