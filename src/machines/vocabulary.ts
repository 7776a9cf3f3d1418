/**
 * The words that all machines share: why something happened, how an instance ended, how long a wait may be.
 * Everything here is data; no machine needs more of another than these words.
 */

/** Which side began it. */
export type Initiator =
  /** The program at the other end of the socket. */
  | 'peer'
  /** The program that made the handle: its calls, and its hooks. */
  | 'owner'
  /** A limit of this library. */
  | 'library'
  /** The operating system. */
  | 'system';

/** How it came about. */
export type Manner =
  /** A FIN. */
  | 'end'
  /** A RST. */
  | 'reset'
  /** No process listens there, or the peer was turned away. */
  | 'refusal'
  /** A wait ran out: `code` is its name, such as `connectTimeout`. */
  | 'timeout'
  /** Anything else that failed. */
  | 'error'
  /** The owner asked for a close. */
  | 'close'
  /** The owner asked for an abort. */
  | 'abort'
  /** A socket was destroyed without asking its handle. */
  | 'destroy'
  /** The owner gave the socket to other code. */
  | 'handOver'
  /** A maximum was reached: `code` is its name, such as `clientsMax`. */
  | 'limit'
  /** It works again: a connection came up, or a check passed. */
  | 'answer'
  /** The owner gave a server another state: `code` is the call, such as `drain`. */
  | 'command';

/** Where the instance was at that moment. */
export type Phase =
  /** It was not started yet; a backend: its owner wants no connection yet, or none since the last one was lost. */
  | 'idle'
  /** A session: the hook `route` decides. */
  | 'routing'
  /** A backend: the next server is being chosen. */
  | 'choosing'
  /** A backoff, a cool-down, or the wait before the next attempt to bind or to fork. */
  | 'waiting'
  /** A socket is being connected. */
  | 'connecting'
  /** The hooks `prepare` and `repair` run. */
  | 'preparing'
  /** What a failed attempt, a lost connection or a dead process has left is cleared away before the next one. */
  | 'disposing'
  /** A server is checked, or the next check is waited for. */
  | 'checking'
  /** A name is looked up, or the next look-up is waited for. */
  | 'resolving'
  /** A listener binds its address. */
  | 'binding'
  /** A listener accepts clients. */
  | 'listening'
  /** A client is being admitted. */
  | 'accepted'
  /** A connection is established; a session: it relays. */
  | 'established'
  /** A proxy, a worker or a cluster starts its parts. */
  | 'starting'
  /** A listener, a proxy, a worker or a cluster is started, and not closed yet; a listener may be suspended meanwhile. A server is part of a set. */
  | 'serving'
  /** It comes to its end: it flushes, drains or lingers. A persistent backend: its connection is being renewed. */
  | 'closing'
  /** A command of the machine has thrown. */
  | 'command';

/** The two connections of a session. */
export type Leg = 'client' | 'backend';

/** Why something happened. It travels with the event to hooks and observers, and it alone decides about a retry. */
export interface Cause {
  /** Which side began it. */
  readonly initiator: Initiator;
  /** How it came about. */
  readonly manner: Manner;
  /** What the instance was doing. */
  readonly phase: Phase;
  /**
   * The system's or the library's code, such as `ECONNRESET` or `connectTimeout`; of an error that has no code, its name.
   */
  readonly code?: string;
  /**
   * Of a session, and of a leg that was ended for it: on which leg it began. Absent where it began on the instance's own
   * socket, or on none.
   */
  readonly leg?: Leg;
  /**
   * The error that the owner's hook, balancer or `connect` threw, or that Node reported: it says which address, port,
   * name or system call was meant. Of `sessionConnectTimeout` and `queueTimeout`: a `ConnectError` that says why
   * the last attempt failed, if one did.
   */
  readonly error?: unknown;
  /** Of what a look-up of a name has brought about: the name, and its addresses, in their order; none if there was no answer. */
  readonly answer?: NameAnswer | undefined;
}

/** What a name was answered with. */
export interface NameAnswer {
  /** The name. */
  readonly name: string;
  /** Its addresses, with their ports. */
  readonly addresses: readonly string[];
}

/** A cause as it is reported from outside: the machine adds the phase, for only the machine knows it. */
export type Report = Omit<Cause, 'phase'> & { readonly phase?: Phase };

/** The ways in which an instance ends. */
export type Ending =
  /** By itself: both sides have sent their last byte. */
  | 'ended'
  /** Gracefully, after its owner had asked for that. */
  | 'closed'
  /** Cut: by the owner, or by a limit. */
  | 'aborted'
  /** Lost after it was established; a session: one of its legs was. */
  | 'dropped'
  /** A client whose socket the owner gave to other code, which has closed it; a session whose client was. */
  | 'handedOver'
  /** Never established: a client that was turned away, or a session that got no backend. */
  | 'refused'
  /** It could not do what it was made for: bind, start, or connect. */
  | 'failed';

/** The output of every machine: how the instance ended, and why. */
export interface Outcome {
  /** How it ended. */
  readonly ending: Ending;
  /** Why it ended. */
  readonly cause: Cause;
  /**
   * True when nothing was thrown away that had been written to the connection.
   *
   * - Of a client or backend: every byte, and the FIN after it, was handed to the system, and neither side reset the
   *   connection afterwards. What the peer sent after a `close()` does not count, since a close throws that away; nor
   *   does what a hook wrote to a connection that was never established. Of a persistent backend it speaks of the last
   *   connection: of what was lost before, each event `dropped` has told.
   * - Of a session: both streams were passed on from their first byte to their FIN.
   * - Of a listener, proxy, worker or cluster: its end has cut nothing.
   *
   * False means that bytes may be missing, not that they are: which of them had arrived before a reset cannot be known.
   */
  readonly flushed: boolean;
  /** True when the peer may take what it got for a complete stream although it was cut. */
  readonly truncated?: boolean;
}

/**
 * How much of what was written to a connection is with the system: `nothing` was written; of `some` it is not known yet;
 * `all`, and the FIN after it; or the connection was reset, by whichever side, and what was under way may be `lost`.
 */
export type Sent = 'nothing' | 'some' | 'all' | 'lost';

/** True unless bytes may have been written that were not flushed, or were thrown away afterwards. */
export const nothingLost = (sent: Sent): boolean => sent === 'nothing' || sent === 'all';

/**
 * A delay that never comes: the longest one that JavaScript timers take, about 24.8 days. The runtimes of this library
 * set no timer for it.
 */
export const NEVER_MS = 2_147_483_647;

/** How many probes in a row must find no progress until that is idleness; more are more exact and cost more. */
export const QUIET_PROBES = 4;

/** How often bytes are counted so that idleness is found after this time, and at most a quarter later. */
export const probeEvery = (timeout: number): number =>
  timeout < NEVER_MS ? Math.ceil(timeout / QUIET_PROBES) : NEVER_MS;

/** What a client is told that is turned away. */
export type Words = string | Uint8Array;

/** What a transition knows about its cause: where the instance is, and the timer's name if a timer caused it. */
export interface CauseHint {
  readonly phase: Phase;
  readonly timeout?: string;
}

const BY_EVENT: Record<string, Report> = {
  close: { initiator: 'owner', manner: 'close' },
  abort: { initiator: 'owner', manner: 'abort' },
  renew: { initiator: 'owner', manner: 'close', code: 'renew' },
  refuse: { initiator: 'owner', manner: 'refusal' },
  ended: { initiator: 'peer', manner: 'end' },
  finished: { initiator: 'owner', manner: 'end' },
  handOver: { initiator: 'owner', manner: 'handOver' },
  handedOver: { initiator: 'owner', manner: 'handOver' },
  closed: { initiator: 'owner', manner: 'destroy' },
  up: { initiator: 'owner', manner: 'command', code: 'up' },
  drain: { initiator: 'owner', manner: 'command', code: 'drain' },
  maintain: { initiator: 'owner', manner: 'command', code: 'maintain' },
  restore: { initiator: 'owner', manner: 'command', code: 'restore' },
  passed: { initiator: 'peer', manner: 'answer' },
  connected: { initiator: 'peer', manner: 'answer' },
  found: { initiator: 'system', manner: 'answer' },
  gone: { initiator: 'system', manner: 'answer' },
  lost: { initiator: 'system', manner: 'error' },
  idled: { initiator: 'library', manner: 'timeout', code: 'halfCloseTimeout' },
};

const UNKNOWN: Report = { initiator: 'library', manner: 'error' };

type Known = Map<string, Partial<Record<Phase, Cause>>>;

const byType: Known = new Map();
const byTimeout: Known = new Map();

/**
 * The cause of what an event brings about: the one it carries, the timer's, or the one its name implies
 * (`client.close` is the owner's close). Those that no event carries are made once and shared, so that a normal end
 * costs nothing.
 */
export function causeOf(event: { readonly type: string; readonly cause?: Report }, hint: CauseHint): Cause {
  const { phase, timeout } = hint;
  if (timeout !== undefined)
    return known(byTimeout, timeout, phase) ?? learn(byTimeout, timeout, phase, timedOut(timeout));
  const { type, cause } = event;
  if (cause !== undefined) {
    const leg = legOf(type);
    if (leg !== undefined && cause.leg === undefined) return { phase, ...cause, leg };
    return cause.phase === undefined ? { ...cause, phase } : (cause as Cause);
  }
  return known(byType, type, phase) ?? learn(byType, type, phase, implied(type));
}

const known = (causes: Known, name: string, phase: Phase): Cause | undefined => causes.get(name)?.[phase];

function learn(causes: Known, name: string, phase: Phase, report: Report): Cause {
  const cause: Cause = { ...report, phase };
  causes.set(name, { ...causes.get(name), [phase]: cause });
  return cause;
}

const timedOut = (timeout: string): Report => ({ initiator: 'library', manner: 'timeout', code: timeout });

function implied(type: string): Report {
  const report = BY_EVENT[type.slice(type.lastIndexOf('.') + 1)] ?? UNKNOWN;
  const leg = legOf(type);
  return leg === undefined ? report : { ...report, leg };
}

/** What a leg reports to its session; a request to a leg (`client.abort`) began elsewhere. */
const LEGS: Readonly<Record<string, Leg>> = {
  'client.ended': 'client',
  'client.closed': 'client',
  'backend.ended': 'backend',
  'backend.closed': 'backend',
};

const legOf = (type: string): Leg | undefined => LEGS[type];
