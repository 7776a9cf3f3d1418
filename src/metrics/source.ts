/** What is measured, and where it comes from: the log records of proxies, and what can be read of them at any time. */
import { OptionError } from '../errors.js';
import { everyOption } from '../options.js';
import type { LogEntry } from '../proxy/log.js';
import { TcpProxy } from '../proxy/proxy.js';
import type { ServerNameLookup } from '../upstream/server-name.js';
import type { ServersEvents } from '../upstream/servers.js';

export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export interface CounterRow {
  readonly help: string;
  /** In UCUM's words: `By`, `s`, `{session}`. */
  readonly unit: string;
  readonly labels: readonly string[];
}

/** Seconds of something. */
export const HISTOGRAMS = {
  'session.duration': { help: 'Time from the accept of a client to its end', labels: ['proxy', 'server', 'ending'] },
  'queue.time': {
    help: 'Time from the start of a session to its first attempt to connect',
    labels: ['proxy', 'server'],
  },
  'connect.time': {
    help: 'Time from the first attempt to connect to the established connection, retries included',
    labels: ['proxy', 'server'],
  },
} as const;

export const COUNTERS = {
  'sessions.ended': {
    help: 'Clients that have ended, by how and why',
    unit: '{session}',
    labels: ['proxy', 'listener', 'server', 'ending', 'code', 'error.type'],
  },
  bytes: { help: 'Bytes that were read, by the side they came from', unit: 'By', labels: ['proxy', 'server', 'from'] },
  retries: { help: 'Attempts to connect after the first one', unit: '{retry}', labels: ['proxy', 'server'] },
  redispatches: {
    help: 'Sessions whose later attempts went to another server',
    unit: '{session}',
    labels: ['proxy', 'server'],
  },
  refused: { help: 'Newcomers that were turned away at the limit of clients', unit: '{client}', labels: ['proxy'] },
  'server.changes': {
    help: 'Changes of servers to another state, by that state',
    unit: '{change}',
    labels: ['proxy', 'server', 'state'],
  },
  lookups: {
    help: 'Look-ups of names with several addresses, by their result',
    unit: '{lookup}',
    labels: ['proxy', 'name', 'result'],
  },
} as const satisfies Record<string, CounterRow>;

export const GAUGES = {
  sessions: { help: 'Sessions that live', unit: '{session}', labels: ['proxy'] },
  clients: {
    help: 'Clients that live, by the listener that has accepted them',
    unit: '{client}',
    labels: ['proxy', 'listener'],
  },
  'server.connections': {
    help: 'Connections to a server, attempts included',
    unit: '{connection}',
    labels: ['proxy', 'server'],
  },
  'server.queue.length': {
    help: 'Connections that wait for a server and may go to no other',
    unit: '{connection}',
    labels: ['proxy', 'server'],
  },
  'server.failures': {
    help: 'Attempts at a server that failed in a row',
    unit: '{attempt}',
    labels: ['proxy', 'server'],
  },
  'server.state': {
    help: 'The state of a server: 1 for the one that it is in, 0 for the others',
    unit: '1',
    labels: ['proxy', 'server', 'state'],
  },
  'queue.length': { help: 'Connections that wait for a server', unit: '{connection}', labels: ['proxy'] },
} as const satisfies Record<string, CounterRow>;

export type HistogramName = keyof typeof HISTOGRAMS;
export type CounterName = keyof typeof COUNTERS;
export type GaugeName = keyof typeof GAUGES;

/** Where what is counted goes. */
export interface Sink {
  add(name: CounterName, value: number, labels: Labels): void;
  record(name: HistogramName, seconds: number, labels: Labels): void;
}

/** In seconds: from a connection on the same machine to a session of an hour. */
export const BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600,
];

/** What every exporter is told. */
export interface MetricsOptions {
  /** The proxies that are measured. */
  readonly proxies: readonly TcpProxy[];
}

export const METRICS_OPTIONS = everyOption<MetricsOptions>()('proxies');

/** What an exporter returns. */
export interface Metrics {
  /** Takes its listeners off the proxies: from then on nothing is measured, and nothing costs. */
  stop(): void;
}

/** @throws OptionError */
export function checkedProxies(proxies: unknown): readonly TcpProxy[] {
  if (Array.isArray(proxies) && proxies.length > 0 && proxies.every((proxy) => proxy instanceof TcpProxy)) {
    return [...new Set(proxies as readonly TcpProxy[])];
  }
  throw new OptionError('proxies', proxies, 'a list of at least one proxy that createProxy() has made');
}

/** Listens to the proxies. Returns what takes the listeners off again. */
export function follow(proxies: readonly TcpProxy[], sink: Sink): () => void {
  const stops = proxies.map((proxy) => {
    const { id } = proxy;
    const logged = (entry: LogEntry): void => note(sink, id, entry);
    const refused = (): void => sink.add('refused', 1, { proxy: id });
    const lookedUp = ({ name, result }: ServerNameLookup): void =>
      sink.add('lookups', 1, { proxy: id, name: name.name, result });
    const changed = ({ server, from, to }: ServersEvents['changed'][0]): void => {
      const state = shownState(to);
      if (from === undefined || state !== shownState(from))
        sink.add('server.changes', 1, { proxy: id, server: server.name, state });
    };
    proxy.on('log', logged).on('refused', refused);
    proxy.servers.on('lookedUp', lookedUp).on('changed', changed);
    return () => {
      proxy.off('log', logged).off('refused', refused);
      proxy.servers.off('lookedUp', lookedUp).off('changed', changed);
    };
  });
  return () => {
    for (const stop of stops) stop();
  };
}

function note(sink: Sink, proxy: string, entry: LogEntry): void {
  const { ending, code, cause, queueMs, connectMs, totalMs, retries } = entry;
  const server = entry.server ?? '';
  const at = { proxy, server };
  const why = cause.code === undefined ? '' : `.${cause.code}`;
  sink.add('sessions.ended', 1, {
    proxy,
    listener: entry.listener ?? '',
    server,
    ending,
    code,
    'error.type': code === '--' ? '' : `${cause.initiator}.${cause.manner}${why}`,
  });
  sink.record('session.duration', totalMs / 1_000, { proxy, server, ending });
  if (queueMs !== undefined) sink.record('queue.time', queueMs / 1_000, at);
  if (connectMs !== undefined) sink.record('connect.time', connectMs / 1_000, at);
  if (entry.bytesFromClient > 0) sink.add('bytes', entry.bytesFromClient, { ...at, from: 'client' });
  if (entry.bytesFromServer > 0) sink.add('bytes', entry.bytesFromServer, { ...at, from: 'server' });
  if (retries > 0) sink.add('retries', retries, at);
  if (entry.redispatched) sink.add('redispatches', 1, at);
}

/** The states of a server, as far as an operator tells them apart. */
export const SERVER_STATES = [
  'pending',
  'up',
  'suspect',
  'recovering',
  'down',
  'ejected',
  'trying',
  'excluded',
  'draining',
  'maintenance',
  'leaving',
  'removing',
  'cutting',
] as const;

/** `serving.trying.free` is `trying`, and `pending.checking` is `pending`. */
export const shownState = (state: string): string => state.replace(/^serving\./, '').replace(/\..*$/, '');

/** Reads the gauges now. */
export function read(
  proxies: readonly TcpProxy[],
  see: (name: GaugeName, value: number, labels: Labels) => void,
): void {
  for (const proxy of proxies) {
    const { id } = proxy;
    see('sessions', proxy.sessions.length, { proxy: id });
    for (const listener of proxy.listeners)
      see('clients', listener.clients.size, { proxy: id, listener: String(listener) });
    for (const server of proxy.servers.list) {
      const at = { proxy: id, server: server.name };
      see('server.connections', server.connections, at);
      see('server.queue.length', server.waiting, at);
      see('server.failures', server.failures, at);
      const present = shownState(server.state);
      for (const state of SERVER_STATES) see('server.state', state === present ? 1 : 0, { ...at, state });
    }
    see('queue.length', proxy.servers.waiting, { proxy: id });
  }
}

/** The same names, with what is made of each row. */
export function mapOf<T extends object, R>(
  table: T,
  make: (name: keyof T & string, row: T[keyof T]) => R,
): { readonly [K in keyof T]: R } {
  const made = Object.entries(table).map(([name, row]) => [name, make(name as keyof T & string, row as T[keyof T])]);
  return Object.fromEntries(made) as { [K in keyof T]: R };
}
