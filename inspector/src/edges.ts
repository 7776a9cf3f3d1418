/**
 * Which edges of a drawn statechart a transition has taken. A transition goes from leaf to leaf in one step; the drawing
 * has edges that leave and enter compound states, and edges without an event that are gone through on the way.
 */

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly events: readonly string[];
}

export interface Step {
  readonly from: string;
  readonly event: string;
  readonly to: string;
}

/** No chain of states that are only gone through is longer than this. */
const CHAIN_MAX = 3;

/** True if `inner` is `outer`, or within it. */
export const covers = (outer: string, inner: string): boolean =>
  outer === '' || inner === outer || (inner.startsWith(outer) && inner[outer.length] === '.');

/** The machine itself, which is the empty path, is above all states. */
const depth = (state: string): number => (state === '' ? 0 : state.split('.').length);

/** True if one of these events, which may be wildcards such as `socket.*`, is this one. */
const names = (events: readonly string[], event: string): boolean =>
  events.some(
    (name) => name === event || name === '*' || (name.endsWith('.*') && `${event}.`.startsWith(name.slice(0, -1))),
  );

/** Those that are nearest to the leaf come first: an inner transition wins. */
function nearest(edges: readonly Edge[], indexes: number[]): number[] {
  const weight = (index: number): number => {
    const { from, to } = edges[index] as Edge;
    return depth(from) * 100 + depth(to);
  };
  return indexes.sort((a, b) => weight(b) - weight(a));
}

const select = (edges: readonly Edge[], holds: (edge: Edge) => boolean): number[] =>
  nearest(
    edges,
    edges.flatMap((edge, index) => (holds(edge) ? [index] : [])),
  );

/** The indexes of the edges that were taken, in order; none if it is not drawn (it acted and stayed). */
export function edgesOf(edges: readonly Edge[], { from, event, to }: Step): readonly number[] {
  const starts = select(edges, (edge) => covers(edge.from, from) && names(edge.events, event));
  const taken = leading(edges, starts, to);
  if (taken !== undefined) return taken;
  if (covers(from, to)) return [];
  // A timer that raises the owner's own abort is drawn as that.
  const others = select(edges, (edge) => covers(edge.from, from) && edge.events.length > 0);
  return leading(edges, others, to) ?? [];
}

/** One of these, and what is gone through after it: straight, if one leads straight there. */
function leading(edges: readonly Edge[], starts: readonly number[], to: string): readonly number[] | undefined {
  for (const start of starts) if (covers((edges[start] as Edge).to, to)) return [start];
  for (const start of starts) {
    const rest = onwards(edges, (edges[start] as Edge).to, to, CHAIN_MAX);
    if (rest !== undefined) return [start, ...rest];
  }
  return undefined;
}

function onwards(edges: readonly Edge[], at: string, to: string, left: number): number[] | undefined {
  if (left === 0) return undefined;
  const silent = select(edges, (edge) => edge.events.length === 0 && (covers(edge.from, at) || covers(at, edge.from)));
  for (const next of silent) if (covers((edges[next] as Edge).to, to)) return [next];
  for (const next of silent) {
    const rest = onwards(edges, (edges[next] as Edge).to, to, left - 1);
    if (rest !== undefined) return [next, ...rest];
  }
  return undefined;
}
