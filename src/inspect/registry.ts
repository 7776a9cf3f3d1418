/**
 * What the live page asks of live handles: bytes, peers, timers, servers. A {@link TcpProxy} has this shape; so may anything
 * else whose instances are on the transition channel.
 */
import type { Address } from '../adapters/listener.js';
import type { Cause } from '../machines/vocabulary.js';
import type { RunningTimer } from '../runtime/instance.js';

/** Any instance that can be asked about itself. */
export interface LiveHandle {
  readonly id: string;
  readonly state: string;
  timers(): readonly RunningTimer[];
  /** The events that it would act on now. */
  accepts(): readonly string[];
  close?(): unknown;
  abort?(): unknown;
}

export interface LiveClient extends LiveHandle {
  /** When it came, in milliseconds of its clock. */
  readonly since: number;
  readonly clock: { now(): number };
  /** Where it comes from, as text. */
  readonly peer?: { toString(): string } | undefined;
}

export interface LiveBackend extends LiveHandle {
  readonly server: string | undefined;
  readonly incarnation: number;
  /** The next attempt, now. */
  retryNow?(): unknown;
}

/** A client that is paired with a backend. */
export interface LiveSession extends LiveHandle {
  readonly client: LiveClient;
  readonly backend: LiveBackend;
  readonly bytes: { readonly fromClient: number; readonly fromBackend: number };
}

export interface LiveListener extends LiveHandle {
  readonly address: Address | undefined;
  readonly clients: Iterable<LiveClient>;
  suspend?(): void;
  resume?(): void;
}

export interface LiveServer {
  readonly name: string;
  readonly connections: number;
  /** Attempts that failed in a row. */
  readonly failures: number;
  /** Whether it has ever answered an attempt. */
  readonly hasAnswered: boolean;
  /** Until when it is chosen last. */
  readonly downUntil: number;
  /** Why it is never chosen, if it is not. */
  readonly excluded: Cause | undefined;
}

/** All that is live, as a whole. */
export interface Registry extends LiveHandle {
  readonly listeners: readonly LiveListener[];
  /** In the order in which they began. */
  readonly sessions: readonly LiveSession[];
  /** Those that belong to no client. */
  readonly backends: readonly LiveBackend[];
  readonly servers: { readonly list: readonly LiveServer[]; readonly clock: { now(): number } };
  suspend?(): void;
  resume?(): void;
}
