/** All that can be seen of a server at one moment. */
import type { Cause } from '../machines/vocabulary.js';
import { timeOf } from '../runtime/clock.js';
import type { RunningTimer } from '../runtime/instance.js';
import type { Server } from './server.js';
import type { CheckResult, PastChange, ServerFailure } from './server-history.js';

/** What {@link Server.info} returns. Times are in milliseconds since 1970. */
export interface ServerInfo {
  /** Its name on the transition channel: `server#7`. */
  readonly id: string;
  /** The name that it was given; or `host:port`, or the path. */
  readonly name: string;
  /** Its state, as a path: `serving.up`. */
  readonly state: string;
  /** When it entered that state. */
  readonly since: number;
  /** Why it is in that state. */
  readonly cause: Cause;
  /** The last changes, 20 at most, oldest first; that to this state is the last one. */
  readonly changes: readonly PastChange[];
  /** When that state ends by itself: an ejection, an exclusion, a slow start, or the deadline of a removal. */
  readonly endsAt: number | undefined;
  /** True: it gets connections only while no other server can be chosen. */
  readonly backup: boolean;
  /** As it was set. */
  readonly weight: number;
  /** Its part of the new connections by the weights of the servers that can be chosen now, from 0 to 1. */
  readonly share: number;
  /** How much of its slow start is over, from 0 to 1; nothing while it has none. */
  readonly recovery: number | undefined;
  /** Connections that are open or being opened. */
  readonly connections: number;
  /** How many there may be; nothing without a limit. */
  readonly connectionsMax: number | undefined;
  /** Connections that wait for this server, and may go to no other. */
  readonly waiting: number;
  /** How many there may be; nothing without a limit. */
  readonly queueMax: number | undefined;
  /** How often it was chosen for an attempt. */
  readonly chosen: number;
  /** Attempts that failed, all in all. */
  readonly failed: number;
  /** Attempts that failed in a row. */
  readonly failures: number;
  /** Ejections in a row that are not forgotten yet. */
  readonly ejections: number;
  /** What failed last. */
  readonly lastFailure: ServerFailure | undefined;
  /** The last checks, 20 at most, oldest first; nothing where it is not checked. */
  readonly checks: readonly CheckResult[] | undefined;
  /** When the next check begins; nothing while one runs, and while none follows. */
  readonly nextCheckAt: number | undefined;
}

/** The timers that end a state. */
const ENDS: ReadonlySet<string> = new Set(['ejection', 'exclusion', 'removeTimeout', 'cutTimeout']);
/** The timers before a check. */
const WAITS: ReadonlySet<string> = new Set(['offset', 'wait', 'shorterWait']);

const finite = (limit: number): number | undefined => (Number.isFinite(limit) ? limit : undefined);

/** What the server keeps to itself. */
export interface Kept {
  readonly ejections: number;
  readonly step: number;
  readonly steps: number;
  readonly stepMs: number;
}

/** @internal */
export function infoOf(server: Server, { ejections, step, steps, stepMs }: Kept): ServerInfo {
  const { history, checking, connectionsMax, queueMax } = server;
  const now = timeOf(server.clock);
  const isGrowing = server.hasTag('growing');
  const timers = server.timers();
  const endsMs = isGrowing
    ? leftMs(timers, (name) => name === 'slowStartStep', (steps - step - 1) * stepMs)
    : leftMs(timers, (name) => ENDS.has(name));
  const nextCheckMs = checking === undefined ? undefined : leftMs(checking.timers(), (name) => WAITS.has(name));
  return {
    id: server.id,
    name: server.name,
    state: server.state,
    since: history.since,
    cause: server.cause,
    changes: history.changes,
    endsAt: endsMs === undefined ? undefined : now + endsMs,
    backup: server.backup,
    weight: server.weight,
    share: server.set.picker.choosable.shareOf(server),
    recovery: isGrowing ? step / steps : undefined,
    connections: server.connections,
    connectionsMax: finite(connectionsMax),
    waiting: server.waiting,
    queueMax: finite(queueMax),
    chosen: server.chosen,
    failed: history.failed,
    failures: server.failures,
    ejections,
    lastFailure: history.lastFailure,
    checks: server.checks === undefined ? undefined : history.checks,
    nextCheckAt: nextCheckMs === undefined ? undefined : now + nextCheckMs,
  };
}

/** Until the first of these timers fires. */
function leftMs(timers: readonly RunningTimer[], isMeant: (name: string) => boolean, thenMs = 0): number | undefined {
  let left: number | undefined;
  for (const { name, remainingMs } of timers) {
    if (isMeant(name) && (left === undefined || remainingMs < left)) left = remainingMs;
  }
  return left === undefined ? undefined : left + thenMs;
}
