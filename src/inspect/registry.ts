/**
 * What the live page asks of live handles: bytes, peers, timers, servers. A {@link TcpProxy} has this shape; so may anything
 * else whose instances are on the transition channel.
 */
import type { Address } from '../adapters/listener.js';
import type { Cause, Report } from '../machines/vocabulary.js';
import type { RunningTimer } from '../runtime/instance.js';
import type { ServerInfo } from '../upstream/server-info.js';

/** Any instance that can be asked about itself. */
export interface LiveHandle {
  /** Its name on the transition channel. */
  readonly id: string;
  /** Where it is, as a path. */
  readonly state: string;
  /** The timers that run now. */
  timers(): readonly RunningTimer[];
  /** The events that it would act on now. */
  accepts(): readonly string[];
  /** Ends it gracefully, when the page asks for that. */
  close?(): unknown;
  /** Ends it at once, when the page asks for that. */
  abort?(): unknown;
}

/** A client. */
export interface LiveClient extends LiveHandle {
  /** When it came, in milliseconds of its clock. */
  readonly since: number;
  /** The clock of `since`. */
  readonly clock: { now(): number };
  /** Where it comes from, as text. */
  readonly peer?: { toString(): string } | undefined;
}

/** A backend. */
export interface LiveBackend extends LiveHandle {
  /** The name of the server that it goes to. */
  readonly server: string | undefined;
  /** The number of its socket, from 1. */
  readonly incarnation: number;
  /** The next attempt, now. */
  retryNow?(): unknown;
}

/** A client that is paired with a backend. */
export interface LiveSession extends LiveHandle {
  /** Its client. */
  readonly client: LiveClient;
  /** Its backend. */
  readonly backend: LiveBackend;
  /** Bytes read from either side. */
  readonly bytes: { readonly fromClient: number; readonly fromBackend: number };
}

/** A listener. */
export interface LiveListener extends LiveHandle {
  /** Where it listens, while it does. */
  readonly address: Address | undefined;
  /** The clients that live. */
  readonly clients: Iterable<LiveClient>;
  /** Stops accepting, when the page asks for that. */
  suspend?(): void;
  /** Listens again, when the page asks for that. */
  resume?(): void;
}

/** A server. */
export interface LiveServer {
  /** Its name. */
  readonly name: string;
  /** Connections that are open or being opened. */
  readonly connections: number;
  /** Attempts that failed in a row. */
  readonly failures: number;
  /** Whether it has ever answered an attempt. */
  readonly hasAnswered: boolean;
  /** Its state, as a path: `serving.up`. */
  readonly state: string;
  /** Why it is in that state. */
  readonly cause: Cause;
  /** Its name on the transition channel. Without it the page shows no more than the fields above. */
  readonly id?: string;
  /** All that can be seen of it. */
  info?(): ServerInfo;
  /** The timers that run now. */
  timers?(): readonly RunningTimer[];
  /** The events that it would act on now. */
  accepts?(): readonly string[];
  /** Its checks, while they run. */
  readonly checking?: LiveHandle | undefined;
  /** Its weight, which the page may set. */
  weight?: number;
  /** Nothing new goes there, when the page asks for that. */
  drain?(cause: Report): void;
  /** Nothing new goes there, and its checks rest, when the page asks for that. */
  maintain?(cause: Report): void;
  /** Takes it back, when the page asks for that. */
  up?(cause: Report): void;
  /** Ends an ejection or an exclusion, when the page asks for that. */
  restore?(cause: Report): void;
}

/** A set of servers. */
export interface LiveServers {
  /** In the order in which they were given. */
  readonly list: readonly LiveServer[];
  /** The clock of its times; `timeOrigin` says when it began, in milliseconds since 1970. */
  readonly clock: { now(): number; readonly timeOrigin?: number | undefined };
  /** Connections that wait in its queue. */
  readonly waiting?: number;
}

/** All that is live, as a whole. */
export interface Registry extends LiveHandle {
  /** Its listeners. */
  readonly listeners: readonly LiveListener[];
  /** In the order in which they began. */
  readonly sessions: readonly LiveSession[];
  /** Those that belong to no client. */
  readonly backends: readonly LiveBackend[];
  /** Its servers. */
  readonly servers: LiveServers;
  /** Stops accepting on every listener, when the page asks for that. */
  suspend?(): void;
  /** Listens again, when the page asks for that. */
  resume?(): void;
}
