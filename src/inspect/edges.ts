/** The statecharts as they are taken: states with how many are in them, transitions with how often and how fast. */
import { stateText } from './charts.js';

export const INIT = 'xstate.init';
/** A rate is that of the last seconds: fewer would flicker, more would lag. */
export const RATE_SECONDS = 3;
/** Edges, and states, of one machine; machines of users may make up events without end. */
const EDGES_MAX = 2_000;
export const OTHERS = 'others';

/** What the taking of an edge means, beyond the two states. */
export const ACCEPTS = 1;
export const ESTABLISHES = 2;
export const RETRIES = 4;
export const DROPS = 8;
export const CONNECTS = 16;

/** A leaf state of a machine, with how many are in it. */
export interface State {
  readonly path: string;
  /** By the library's charts: of other machines, only their lives say where they end. */
  readonly isFinal: boolean;
  count: number;
}

/** A transition of a machine, with how often it was taken. */
export interface Edge {
  readonly kind: Kind;
  readonly from: string;
  readonly event: string;
  readonly to: State;
  /** Any of the flags above. */
  readonly means: number;
  total: number;
  /** The total at the last whole seconds, in turn. */
  readonly marks: Float64Array;
}

type Edges = Map<string, Map<string, Map<string, Edge>>>;

/** A machine, as it was heard of. */
export interface Kind {
  readonly machine: string;
  readonly states: Map<string, State>;
  readonly edges: Edge[];
  /** By event, state left and state entered: found without making a key of the three. */
  readonly byEvent: Edges;
}

export function stateOf({ machine, states }: Kind, path: string): State {
  let state = states.get(path);
  if (state === undefined) {
    const name = states.size < EDGES_MAX ? path : OTHERS;
    state = states.get(name) ?? { path: name, isFinal: stateText(machine, path).isFinal, count: 0 };
    states.set(name, state);
  }
  return state;
}

export function edgeOf(kind: Kind, from: string, event: string, to: string): Edge {
  const known = kind.byEvent.get(event)?.get(from)?.get(to);
  if (known !== undefined) return known;
  const { edges, byEvent, machine } = kind;
  const entered = stateOf(kind, to);
  if (edges.length >= EDGES_MAX) {
    // Not found by its event: what there is too much of must not be kept.
    return { kind, from, event, to: entered, means: meaning(machine, from, event, entered), total: 0, marks: NO_MARKS };
  }
  const edge: Edge = {
    kind,
    from,
    event,
    to: entered,
    means: meaning(machine, from, event, entered),
    total: 0,
    marks: new Float64Array(RATE_SECONDS),
  };
  edges.push(edge);
  const byFrom = byEvent.get(event) ?? new Map<string, Map<string, Edge>>();
  byEvent.set(event, byFrom);
  const byTo = byFrom.get(from) ?? new Map<string, Edge>();
  byFrom.set(from, byTo);
  byTo.set(to, edge);
  return edge;
}

const NO_MARKS = new Float64Array(RATE_SECONDS);

const isIn = (state: string, outer: string): boolean => state === outer || state.startsWith(`${outer}.`);

function meaning(machine: string, from: string, event: string, { path: to }: State): number {
  let means = 0;
  if (machine === 'client') {
    if (event === INIT) means |= ACCEPTS;
    if (isIn(from, 'live.established') && isIn(to, 'dropping')) means |= DROPS;
  } else if (machine === 'session') {
    if (isIn(from, 'connecting') && isIn(to, 'relaying')) means |= ESTABLISHES;
  } else if (machine === 'backend') {
    const wasUp = isIn(from, 'active.established');
    if (wasUp && (isIn(to, 'dropping') || isIn(to, 'active.failover'))) means |= DROPS;
    if (event === 'server.deferred' && from !== to) means |= RETRIES;
    if (isIn(to, 'active.connecting') && from !== to) means |= CONNECTS;
  }
  return means;
}
