/** A connection that asks a set for a server, what the set remembers of it, and what it is answered. */
import type { Report } from '../machines/vocabulary.js';
import type { Member } from '../members.js';
import type { Timer } from '../runtime/clock.js';
import type { Wanted } from './balance/balancer.js';
import type { Server } from './server.js';

/** A connection that asks for a server. */
export interface Requester extends Wanted {
  /** The one server of the set that it may go to; nothing where any will do. */
  readonly only: Server | undefined;
  /** Called when a place is free, or another attempt may be made, after an answer of `full`. */
  serverFreed(): void;
  /** Kept by {@link Servers}: what is remembered of its attempts. */
  memory: RequesterMemory | undefined;
  /** Kept by {@link Servers}: the server that it alone tries, after that was down. */
  trial: Server | undefined;
  /** Kept by {@link Servers}: its place in the queue, while it waits for a server. */
  queued: Queued | undefined;
  /** Kept by {@link Servers}: when its server was chosen, where the balancer wants to know connect times. */
  chosenAt: number;
}

/** A requester that waits for a place at a server. */
export interface Queued extends Member<Queued> {
  readonly requester: Requester;
  /** Counts those that have ever waited. */
  readonly order: number;
  /** Of one that may be called before there is a place. */
  timer: Timer | undefined;
}

/** What is remembered of a connection between its attempts. */
export interface RequesterMemory {
  /** Servers that failed in this round. */
  readonly tried: Set<Server>;
  /** Rounds in which every server that could be tried failed. */
  round: number;
  /** The wait after the last failure is over. */
  rested: boolean;
  /** The server that is tried again, since the last attempt failed for want of something of this process. */
  again: Server | undefined;
  /** When its last attempt failed, or its connection was lost. */
  failedAt: number;
  /** While it waits for a place: when the servers that failed may be tried again. */
  retryAt: number | undefined;
}

/** What a set of servers answers: one of them, a wait, or that there is none. */
export type Choice =
  | { readonly kind: 'chosen'; readonly server: Server }
  | { readonly kind: 'deferred'; readonly delayMs: number }
  | { readonly kind: 'full' }
  | { readonly kind: 'exhausted'; readonly cause: Report };
