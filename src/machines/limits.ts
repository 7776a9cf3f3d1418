/**
 * Every limit of the library: how long a wait may be, and how many there may be of a thing. Each stands here once; from
 * here come the settings of the machines, the checks of options and the lists of their names, the program's flags and
 * help, and the tables in docs/. docs/design.md says how to add one.
 */
import { NEVER_MS } from './vocabulary.js';

/**
 * - `time`: milliseconds, or `false` for no limit
 * - `wait`: milliseconds from 1 to an hour; it cannot be turned off
 * - `count`: a whole number from `least` on, or `Infinity`
 */
export type LimitKind = 'time' | 'wait' | 'count';

export interface Limit<K extends LimitKind = LimitKind, F extends number | undefined = number | undefined> {
  readonly kind: K;
  /** The default. Without one, the check of the options works it out, and `otherwise` says how. */
  readonly fallback: F;
  /** What it bounds, for the tables of the docs and the program's help. */
  readonly bounds: string;
  readonly otherwise?: string;
  /** The least count. */
  readonly least?: number;
  /** True where the program has a flag for it: `queueTimeout` is `--queue-timeout`. */
  readonly flag?: boolean;
}

type Row = Pick<Limit, 'least' | 'flag'>;

const FLAG: Row = { flag: true };

const time = (fallback: number, bounds: string, row?: Row): Limit<'time', number> => ({
  kind: 'time',
  fallback,
  bounds,
  ...row,
});
const wait = (fallback: number, bounds: string, row?: Row): Limit<'wait', number> => ({
  kind: 'wait',
  fallback,
  bounds,
  ...row,
});
const count = (fallback: number, bounds: string, row?: Row): Limit<'count', number> => ({
  kind: 'count',
  fallback,
  bounds,
  ...row,
});
const waitOf = (otherwise: string, bounds: string, row?: Row): Limit<'wait', undefined> => ({
  kind: 'wait',
  fallback: undefined,
  bounds,
  otherwise,
  ...row,
});
const countOf = (otherwise: string, bounds: string, row?: Row): Limit<'count', undefined> => ({
  kind: 'count',
  fallback: undefined,
  bounds,
  otherwise,
  ...row,
});

/** The end of a client or a backend. */
const ENDING_LIMITS = {
  closeTimeout: time(10_000, 'a graceful close; then it aborts or, with every byte and FIN sent, lingers'),
  abortTimeout: time(1_000, 'the close of a socket that was reset', FLAG),
  lingerTimeout: time(5_000, 'no byte from the peer of a socket that lingers'),
  lingerMax: time(30_000, 'all the time for a socket that lingers'),
};

/** A client or a backend. */
export const CONNECTION_LIMITS = {
  idleTimeout: time(NEVER_MS, 'no byte in either direction'),
  halfCloseTimeout: time(60_000, 'the same once one side has ended'),
  ...ENDING_LIMITS,
};

export const CLIENT_LIMITS = {
  acceptTimeout: time(10_000, 'admission of a client, its PROXY header and its TLS handshake included'),
  proxyHeaderTimeout: time(5_000, 'the PROXY header of a client, where a listener has `proxyProtocol`'),
  ...CONNECTION_LIMITS,
};

export const LISTENER_LIMITS = {
  clientsMax: countOf('what the limit on open files permits', 'clients at once; newcomers beyond are reset', FLAG),
  bindAttempts: count(1, 'attempts to bind an address', FLAG),
  bindBackoff: wait(1_000, 'wait between attempts to bind', FLAG),
  drainTimeout: time(30_000, 'how long a close waits for clients and sessions until it cuts them', FLAG),
};

/** The attempts of a backend to connect, also where a session dials it. */
export const DIAL_LIMITS = {
  attemptsMax: countOf('none with `sessionConnectTimeout`; else one per server, at least 3', 'attempts in a row', FLAG),
  queueTimeout: time(10_000, 'wait for a place while every server that has not failed is full', FLAG),
  connectTimeout: time(5_000, 'one attempt to connect a server, its TLS handshake and `connect` hook included', FLAG),
  disposeTimeout: time(1_000, 'the close of a destroyed socket; then the socket is forgotten', FLAG),
  prepareTimeout: time(10_000, 'the hooks `prepare` and `repair` together'),
  holdTimeout: time(5_000, 'holders and hooks, once they were told to let go'),
};

export const BACKEND_LIMITS = {
  ...DIAL_LIMITS,
  ...CONNECTION_LIMITS,
  stableAfter: time(10_000, 'how long a connection must stay up until failures are counted anew'),
};

export const SESSION_LIMITS = {
  routeTimeout: time(10_000, 'the hook `route`, which says where a client goes'),
  sessionConnectTimeout: time(15_000, 'all attempts for one client', FLAG),
  idleTimeout: time(600_000, 'no byte in either direction of a session', FLAG),
  halfCloseTimeout: time(60_000, 'the same once one side has ended', FLAG),
  durationMax: time(NEVER_MS, 'the whole session', FLAG),
};

/** What a session buffers. */
export const BUFFER_LIMITS = {
  connectBufferBytes: count(16_384, 'bytes to read from a client before its server is there', { ...FLAG, least: 0 }),
};

/** A look at the first bytes of a client. */
export const PEEK_LIMITS = {
  timeoutMs: time(5_000, 'the first bytes of a client, for `client.peek()` and `client.clientHello()`'),
};

/** A set of servers. */
export const SERVERS_LIMITS = {
  downFor: time(10_000, 'the first ejection of a server that failed; then one connection tries it', FLAG),
  queueMax: count(Number.POSITIVE_INFINITY, 'connections in the queue of a set or of a server; more are refused', {
    ...FLAG,
    least: 0,
  }),
  removeTimeout: time(30_000, 'how long a server that is removed keeps its sessions, until they are cut'),
};

/** The active checks of a server. */
export const CHECK_LIMITS = {
  interval: wait(2_000, 'wait between two checks of a server that is well'),
  fastInterval: waitOf('`interval`', 'the same while that is in doubt: some checks have failed, or passed'),
  downInterval: waitOf('`interval`', 'the same while the server is down'),
  timeout: waitOf('`interval`', 'one check, its connect and TLS handshake included'),
  rise: count(2, 'checks in a row that have to pass until a server that is down is up'),
  fall: count(3, 'checks in a row that have to fail until a server that is up is down'),
};

/** A name that is as many servers as it has addresses. */
export const NAME_LIMITS = {
  interval: wait(5_000, 'wait between two look-ups of a name; the answer may say longer'),
  failureInterval: wait(1_000, 'the same after a look-up that has failed'),
  timeout: wait(1_000, 'one look-up; then it is tried again'),
  tries: count(3, 'look-ups in a row without an answer in time, until that is a failure'),
  serversMax: count(100, 'servers of one name'),
};

export const WORKER_LIMITS = {
  startTimeout: time(30_000, 'a process that loads the module and starts what it makes'),
  drainTimeout: time(30_000, 'how long a close waits for connections; `close({ timeoutMs })` replaces it'),
  abortTimeout: time(5_000, 'how long a process may take to cut its connections and exit, until it is killed'),
  stableAfter: time(10_000, 'how long a process must serve until the deaths before it are forgotten'),
  attemptsMax: count(
    10,
    'processes in a row that end before they are stable; 0: a worker is never replaced, `Infinity`: always',
    {
      least: 0,
    },
  ),
};

/** What `createProxy` takes. Its sessions bound the idleness of their clients and backends. */
export const PROXY_LIMITS = {
  ...LISTENER_LIMITS,
  ...DIAL_LIMITS,
  ...CLIENT_LIMITS,
  ...SESSION_LIMITS,
  ...BUFFER_LIMITS,
  ...SERVERS_LIMITS,
};

export type Limits = Readonly<Record<string, Limit>>;

/** The settings that a machine gets for these limits: milliseconds (`NEVER_MS` for none), or counts. */
export type SettingsOf<L> = { readonly [K in keyof L]: number };

export const namesOf = <L extends Limits>(limits: L): readonly (keyof L & string)[] => Object.keys(limits);
