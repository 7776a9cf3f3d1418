/** The table of connections, a page at a time, and the details of one connection. */

import type { OwnRun } from '../runtime/roster.js';
import { exitOf } from './charts.js';
import type { ObservedConnection, ObservedInstance } from './connection.js';
import type { State } from './edges.js';
import type { Observer } from './observer.js';
import { now } from './plain.js';
import type {
  ConnectionDetail,
  ConnectionRow,
  ConnectionsPage,
  InstanceDetail,
  Listed,
  Sort,
  StepInfo,
} from './protocol.js';
import type { LiveBackend, LiveHandle, LiveListener, LiveSession, Registry } from './registry.js';
import { type Keys, windowOf } from './select.js';
import { stepWords } from './words.js';

export interface ConnectionsQuery {
  readonly of: Listed;
  /** Empty for connections, or a listed machine of the user's. */
  readonly machine: string;
  readonly sort: Sort;
  readonly descending: boolean;
  /** In small letters. */
  readonly filter: string;
  /** `session:relaying` */
  readonly state: string;
  readonly offset: number;
  readonly limit: number;
}

export function connectionsPage(observer: Observer, query: ConnectionsQuery): ConnectionsPage {
  const { of, machine, sort, descending, filter, state, offset, limit } = query;
  let matching = observer.listed(of, machine);
  const total = matching.length;
  if (state !== '') {
    // The id of a user's machine may have a colon in it.
    const colon = machine === '' ? state.indexOf(':') : machine.length;
    const states = observer.statesBelow(state.slice(0, colon), state.slice(colon + 1));
    matching = matching.filter(({ instances }) => instances.some((instance) => states.has(instance.state)));
  }
  if (filter !== '') {
    const looksFor = matcher(filter);
    matching = matching.filter(looksFor);
  }
  const at = now();
  const rows = [...windowOf(keysOf(matching, sort, descending, at), descending, offset, limit)].map((index) =>
    rowOf(matching[index] as ObservedConnection, at),
  );
  return { total, matching: matching.length, offset, rows };
}

/** Looks in all that a row shows; what many rows share is looked through once. */
function matcher(filter: string): (connection: ObservedConnection) => boolean {
  const shared = new Map<string, boolean>();
  const has = (text: string): boolean => {
    let found = shared.get(text);
    if (found === undefined) {
      found = text.toLowerCase().includes(filter);
      shared.set(text, found);
    }
    return found;
  };
  return (connection) =>
    connection.id.includes(filter) ||
    connection.peer.includes(filter) ||
    has(connection.server) ||
    has(connection.main.state.path) ||
    has(connection.lastCause);
}

function keysOf(connections: readonly ObservedConnection[], sort: Sort, descending: boolean, at: number): Keys {
  switch (sort) {
    case 'id':
      return Float64Array.from(connections, ({ number }) => number);
    case 'age':
      return Float64Array.from(connections, ({ since, endedAt }) => (endedAt ?? at) - since);
    case 'bytes':
      return Float64Array.from(connections, ({ bytes }) => bytes.fromClient + bytes.fromBackend);
    case 'peer':
      return connections.map(({ peer }) => peer);
    case 'server':
      return ranks(
        connections.map(({ server }) => server),
        descending,
      );
    case 'state':
      return ranks(
        connections.map(({ main }) => main.state.path),
        descending,
      );
    case 'cause':
      return ranks(
        connections.map(({ lastCause }) => lastCause),
        descending,
      );
  }
}

/** Few different words among many: their places are compared in place of them. Those without one come last. */
function ranks(words: readonly string[], descending: boolean): Keys {
  const places = new Map([...new Set(words)].sort().map((word, place) => [word, place]));
  places.set('', descending ? -1 : places.size);
  return Float64Array.from(words, (word) => places.get(word) as number);
}

function rowOf(connection: ObservedConnection, at: number): ConnectionRow {
  const { id, peer, server, main, since, endedAt, lastCause, bytes } = connection;
  return {
    id,
    peer,
    server,
    state: main.state.path,
    ageMs: Math.round((endedAt ?? at) - since),
    bytesFromClient: bytes.fromClient,
    bytesFromBackend: bytes.fromBackend,
    lastCause,
    ...(endedAt !== undefined && { endedAt }),
  };
}

export function connectionDetail(
  observer: Observer,
  registries: readonly Registry[],
  id: string,
): ConnectionDetail | undefined {
  const connection = observer.find(id);
  if (connection === undefined) return undefined;
  const steps = connection.steps();
  const at = now();
  return {
    row: rowOf(connection, at),
    ...(connection.endedAt !== undefined && { endedAt: connection.endedAt }),
    instances: connection.instances.map((instance) =>
      detailOf(observer, instance, handleOf(instance.id, connection, registries), steps, at),
    ),
    steps,
    stepsForgotten: connection.forgotten,
  };
}

/** @param handle what can be asked about it */
export function detailOf(
  { charts, own }: Observer,
  instance: ObservedInstance,
  handle: LiveHandle | undefined,
  steps: StepInfo[],
  at: number,
): InstanceDetail {
  const { id, machine, state, since, isOver, run, lastContext } = instance;
  const { description, events, timers } = charts.stateText(machine, state.path);
  const named = [...events.keys()];
  const accepted = isOver ? [] : run === undefined ? (handle?.accepts() ?? named) : acceptedBy(run, named);
  const context = run === undefined ? lastContext : own.contextOf(run, machine, id);
  return {
    id,
    machine,
    state: state.path,
    description,
    inStateMs: Math.round(at - since),
    why: instance.connection.ending || whyIn(state, id, steps),
    accepts: accepted.map((event) => {
      const exit = exitOf(events, event);
      return { event, leadsTo: exit?.leadsTo ?? '', description: exit?.description ?? '' };
    }),
    timers: ((run ?? handle)?.timers() ?? []).map(({ name, remainingMs }) => ({
      name,
      remainingMs: Math.round(remainingMs),
      leadsTo: timers.get(name)?.leadsTo ?? '',
    })),
    ...(context !== undefined && { context }),
  };
}

/** A guard of the user's may read more of an event than its type, and throw. */
function acceptedBy(run: OwnRun, named: readonly string[]): readonly string[] {
  try {
    return run.accepts();
  } catch {
    return named;
  }
}

function whyIn({ path }: State, id: string, steps: readonly StepInfo[]): string {
  const index = steps.findLastIndex(({ who, from, to }) => who === id && to === path && from !== to);
  return index < 0 ? 'it was here before the page was opened' : stepWords(steps, index);
}

/** True for a part of one of these registries. */
export function isPartOf(registries: readonly Registry[], handle: LiveHandle): boolean {
  return registries.some(
    (registry) =>
      [registry, ...registry.listeners, ...registry.backends].includes(handle as Registry) ||
      registry.sessions.some((session) => [session, session.client, session.backend].includes(handle as LiveSession)) ||
      registry.listeners.some(({ clients }) => [...clients].includes(handle as LiveSession['client'])),
  );
}

/** The handle of an instance. */
export function handleOf(
  id: string,
  { live }: Pick<ObservedConnection, 'live'>,
  registries: readonly Registry[],
): Registry | LiveListener | LiveSession | LiveBackend | LiveHandle | undefined {
  if (live !== undefined) {
    const legs = 'client' in live ? [live, live.client, live.backend] : [live];
    // A user's object may have no legs.
    const found = legs.find((leg) => leg?.id === id);
    if (found !== undefined) return found;
  }
  for (const registry of registries) {
    const found = [registry, ...registry.listeners, ...registry.backends].find((handle) => handle.id === id);
    if (found !== undefined) return found;
  }
  return undefined;
}
