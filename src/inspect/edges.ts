/** The statecharts as they are taken: states with how many instances are in them, transitions with how often and how fast. */
import type { Means } from '../machines/means.js';
import type { Charts } from './charts.js';

export const INIT = 'xstate.init';
/** A rate is that of the last seconds: fewer would flicker, more would lag. */
export const RATE_SECONDS = 3;
/** Edges, and states, of one machine; machines of users may make up events without end. */
const EDGES_MAX = 2_000;
export const OTHERS = 'others';

/** A leaf state of a machine, with how many instances are in it. */
export interface State {
  readonly path: string;
  /** Instances end there. */
  readonly isFinal: boolean;
  count: number;
}

/** A transition of a machine, with how often it was taken. */
export interface Edge {
  readonly chart: Chart;
  readonly from: string;
  readonly event: string;
  readonly to: State;
  readonly means: Means | undefined;
  total: number;
  /** The total at the last whole seconds, in turn. */
  readonly marks: Float64Array;
}

/** A machine, as its transitions show it. */
export interface Chart {
  readonly machine: string;
  /** What is known of its states. */
  readonly charts: Charts;
  readonly states: Map<string, State>;
  readonly edges: Edge[];
  /** By event, state left and state entered: found without making a key of the three. */
  readonly byEvent: Map<string, Map<string, Map<string, Edge>>>;
}

export const emptyChart = (machine: string, charts: Charts): Chart => ({
  machine,
  charts,
  states: new Map(),
  edges: [],
  byEvent: new Map(),
});

export function stateOf({ machine, charts, states }: Chart, path: string): State {
  let state = states.get(path);
  if (state === undefined) {
    const name = states.size < EDGES_MAX ? path : OTHERS;
    state = states.get(name) ?? { path: name, isFinal: charts.stateText(machine, path).isFinal, count: 0 };
    states.set(name, state);
  }
  return state;
}

export function edgeOf(chart: Chart, from: string, event: string, to: string, means: Means | undefined): Edge {
  const known = chart.byEvent.get(event)?.get(from)?.get(to);
  if (known !== undefined) return known;
  const { edges, byEvent } = chart;
  const entered = stateOf(chart, to);
  const isTooMuch = edges.length >= EDGES_MAX;
  const marks = isTooMuch ? NO_MARKS : new Float64Array(RATE_SECONDS);
  const edge: Edge = { chart, from, event, to: entered, means, total: 0, marks };
  // An edge beyond the limit is not kept, and so not found by its event.
  if (isTooMuch) return edge;
  edges.push(edge);
  const byFrom = byEvent.get(event) ?? new Map<string, Map<string, Edge>>();
  byEvent.set(event, byFrom);
  const byTo = byFrom.get(from) ?? new Map<string, Edge>();
  byFrom.set(from, byTo);
  byTo.set(to, edge);
  return edge;
}

const NO_MARKS = new Float64Array(RATE_SECONDS);
