/** What became of a client, in one record: for a log, and for metrics. */
import type { Client } from '../adapters/client.js';
import { Listener } from '../adapters/listener.js';
import type { Cause, Ending, Outcome } from '../machines/vocabulary.js';
import type { Session } from './session.js';

/**
 * One client of a proxy that has ended, whether it got a session or not. As text it is one line (see {@link logLine}).
 * All times are in milliseconds; a wait that did not come to its end is `undefined`.
 */
export interface LogEntry {
  /** When the client was accepted, in milliseconds since 1970. */
  readonly time: number;
  /** The id of the session; of the client, where it got no session. */
  readonly id: string;
  /** Where the client comes from: `127.0.0.1:50123`. Nothing for a Unix socket. */
  readonly client: string | undefined;
  /** The listener that has accepted it, by its address; nothing for a client that was adopted. */
  readonly listener: string | undefined;
  /** The server that it went to the last time, by its name. */
  readonly server: string | undefined;
  /** From the start of the session to the first attempt to connect: the choice of a server, and a queue. */
  readonly queueMs: number | undefined;
  /** From the first attempt to the established connection, retries included. */
  readonly connectMs: number | undefined;
  /** From the accept to the end. */
  readonly totalMs: number;
  /** Bytes that were read from the client. */
  readonly bytesFromClient: number;
  /** Bytes that were read from the server. */
  readonly bytesFromServer: number;
  /** Attempts after the first one. */
  readonly retries: number;
  /** True if one of them went to another server. */
  readonly redispatched: boolean;
  /** How it ended. */
  readonly ending: Ending;
  /** How it ended in HAProxy's two letters: who ended it, and when. See {@link stateCode}. */
  readonly code: string;
  /** Why it ended. */
  readonly cause: Cause;
  /** As one line: see {@link logLine}. */
  toString(): string;
}

/** What a session notes of its time while somebody listens to `log`. */
export class SessionTimes {
  readonly startedAt: number;
  dialledAt: number | undefined = undefined;
  establishedAt: number | undefined = undefined;
  retries = 0;
  redispatched = false;

  constructor(now: number) {
    this.startedAt = now;
  }
}

/** The record of a client that has ended; `session` is the one that it got. */
export function logEntry(client: Client, session: Session | undefined, outcome: Outcome): LogEntry {
  return new Entry(client, session, outcome);
}

class Entry implements LogEntry {
  readonly time: number;
  readonly id: string;
  readonly client: string | undefined;
  readonly listener: string | undefined;
  readonly server: string | undefined;
  readonly queueMs: number | undefined;
  readonly connectMs: number | undefined;
  readonly totalMs: number;
  readonly bytesFromClient: number;
  readonly bytesFromServer: number;
  readonly retries: number;
  readonly redispatched: boolean;
  readonly ending: Ending;
  readonly code: string;
  readonly cause: Cause;

  constructor(client: Client, session: Session | undefined, { ending, cause }: Outcome) {
    const times = session?.times;
    const dialledAt = times?.dialledAt;
    this.totalMs = client.clock.now() - client.since;
    this.time = Date.now() - this.totalMs;
    this.id = session?.id ?? client.id;
    this.client = client.peer?.toString();
    this.listener = listenerOf(client);
    this.server = session?.backend.server;
    this.queueMs = dialledAt === undefined ? undefined : dialledAt - (times as SessionTimes).startedAt;
    this.connectMs =
      times?.establishedAt === undefined || dialledAt === undefined ? undefined : times.establishedAt - dialledAt;
    this.bytesFromClient = session?.bytes.fromClient ?? 0;
    this.bytesFromServer = session?.bytes.fromBackend ?? 0;
    this.retries = times?.retries ?? 0;
    this.redispatched = times?.redispatched ?? false;
    this.ending = ending;
    this.cause = cause;
    this.code = stateCode({ ending, cause }, times === undefined ? undefined : reached(times));
  }

  toString(): string {
    return logLine(this);
  }

  /** Without what an error may hold. */
  toJSON(): object {
    const { error, ...cause } = this.cause;
    return { ...this, cause: error === undefined ? cause : { ...cause, error: String(error) } };
  }
}

/** A client's parent is its listener, or the proxy that has adopted it. */
const listenerOf = ({ parent }: Client): string | undefined =>
  parent instanceof Listener ? String(parent) : undefined;

/** What runs out at a side that stays silent, or that does not answer; and what the proxy itself bounds. */
const TIMEOUTS: Readonly<Record<string, string>> = {
  acceptTimeout: 'c',
  proxyHeaderTimeout: 'c',
  queueTimeout: 's',
  connectTimeout: 's',
  prepareTimeout: 's',
  sessionConnectTimeout: 's',
  idleTimeout: 'c',
  halfCloseTimeout: 'c',
  drainTimeout: 'K',
};

/** Causes that an operator, or the state of a server, has brought about. */
const REASONS: Readonly<Record<string, string>> = {
  serverRemoved: 'K',
  serverDown: 'D',
  backupOver: 'U',
};

const SHORTAGES: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
]);

/** How far a session came: it asked for a server, it began to connect one, bytes were relayed. */
export type Reached = 'queue' | 'connect' | 'relay';

const reached = ({ dialledAt, establishedAt }: SessionTimes): Reached =>
  establishedAt !== undefined ? 'relay' : dialledAt !== undefined ? 'connect' : 'queue';

/** When it ended, by what the instance was doing. */
const WHEN: Readonly<Partial<Record<Cause['phase'], string>>> = {
  accepted: 'R',
  routing: 'R',
  choosing: 'Q',
  waiting: 'Q',
  connecting: 'C',
  preparing: 'C',
  disposing: 'C',
  established: 'D',
  closing: 'L',
};

/**
 * The end of a session in the two letters of HAProxy's log (its manual, section 8.5), where they fit.
 *
 * The first letter says who ended it: `C` the client, `S` the server, `c` and `s` a time that one of them let run out (an
 * idle session counts as the client's), `P` a limit or a refusal of the proxy's, `K` its owner or a deadline, `D` a server
 * that was called down, `U` a backup that is no longer needed, `R` a shortage of this machine, `I` a mistake of the
 * program's. The second one says when: `R` before it was admitted or its route was known, `Q` while it waited for a server,
 * `C` while one was connected, `D` while bytes were relayed, `L` while the last ones were sent. `--` is a normal end.
 *
 * @param reached how far the session came; else the phase of the cause says when, which may be that of one leg
 */
export function stateCode({ ending, cause }: Pick<Outcome, 'ending' | 'cause'>, reached?: Reached): string {
  if (ending === 'ended' || ending === 'handedOver' || (ending === 'closed' && cause.manner === 'close')) return '--';
  return whoEnded(cause) + whenEnded(cause, reached);
}

function whenEnded({ phase, code }: Cause, reached: Reached | undefined): string {
  if (code === 'queueTimeout') return 'Q';
  const when = WHEN[phase] ?? '-';
  if (when === 'R' || when === 'L') return when;
  if (reached === 'queue') return 'Q';
  if (reached === 'connect') return 'C';
  return when;
}

function whoEnded({ initiator, manner, phase, code = '', leg }: Cause): string {
  const reason = REASONS[code];
  if (reason !== undefined) return reason;
  if (SHORTAGES.has(code)) return 'R';
  const isOfClient = leg === 'client' || (leg === undefined && phase === 'accepted');
  if (manner === 'timeout') return initiator === 'library' ? (TIMEOUTS[code] ?? 'P') : isOfClient ? 'c' : 's';
  switch (initiator) {
    case 'peer':
    case 'system':
      return isOfClient ? 'C' : 'S';
    case 'library':
      return manner === 'error' ? 'I' : 'P';
    case 'owner':
      return manner === 'error' ? 'I' : manner === 'refusal' ? 'P' : 'K';
  }
}

const ms = (value: number | undefined): string => (value === undefined ? '-' : String(Math.round(value)));

/** Letters that need no quotes. */
const PLAIN = /^[\w.:/[\]#@%+-]+$/;

const word = (text: string | undefined): string =>
  text === undefined ? '-' : PLAIN.test(text) ? text : JSON.stringify(text);

/**
 * A {@link LogEntry} as one line of `name=value` pairs, in an order that does not change. Times are in milliseconds; `-`
 * stands for what there was not. `retries` ends with `+` where one went to another server. The cause is
 * `initiator.manner`, and its code behind that.
 *
 * @example
 * ```ts
 * proxy.on('log', (entry) => console.log(logLine(entry)));
 * // time=2026-11-27T17:00:00.000Z id=session#1 client=192.0.2.1:50123 listener=0.0.0.0:8080 server=10.0.0.7:5432
 * //   queue=0 connect=1 total=35 in=100 out=2048 retries=0 code=-- ending=ended cause=peer.end   (one line)
 * ```
 */
export function logLine(entry: LogEntry): string {
  const { initiator, manner, code } = entry.cause;
  return [
    `time=${new Date(entry.time).toISOString()}`,
    `id=${word(entry.id)}`,
    `client=${word(entry.client)}`,
    `listener=${word(entry.listener)}`,
    `server=${word(entry.server)}`,
    `queue=${ms(entry.queueMs)}`,
    `connect=${ms(entry.connectMs)}`,
    `total=${ms(entry.totalMs)}`,
    `in=${entry.bytesFromClient}`,
    `out=${entry.bytesFromServer}`,
    `retries=${entry.retries}${entry.redispatched ? '+' : ''}`,
    `code=${entry.code}`,
    `ending=${entry.ending}`,
    `cause=${word(code === undefined ? `${initiator}.${manner}` : `${initiator}.${manner}.${code}`)}`,
  ].join(' ');
}
