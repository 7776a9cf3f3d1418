/**
 * Decides which arrows lead back, so that the rest can all point one way and an instance reads from top to bottom. ELK can
 * do that too, but it does not know where the instance begins inside a compound that is entered in several places.
 */
import { chainOf, type Model, type State } from './model.js';
import type { Edge } from './plan.js';

/**
 * The arrows that a depth-first walk from each initial state finds leading to a state it is still busy with. An arrow
 * across compounds counts where both of its ends have the same parent.
 */
export function backEdges(model: Model, edges: readonly Edge[]): Set<Edge> {
  const siblings = edges.map((edge) => ({ edge, ...siblingsOf(edge) }));
  const back = new Set<Edge>();
  const progress = new Map<State, 'busy' | 'done'>();
  const walk = (state: State) => {
    if (progress.has(state)) return;
    progress.set(state, 'busy');
    for (const { edge, from, to } of siblings) {
      if (from !== state || to === undefined || to === from) continue;
      if (progress.get(to) === 'busy') back.add(edge);
      else walk(to);
    }
    progress.set(state, 'done');
  };
  for (const parent of [model.root, ...model.states]) {
    if (parent.initial) walk(parent.initial);
    parent.children.forEach(walk);
  }
  return back;
}

/** The ancestors of an arrow's ends that have the same parent; undefined where one end is inside the other. */
function siblingsOf({ from, to }: Edge): { from: State | undefined; to: State | undefined } {
  const above = chainOf(from);
  const parent = chainOf(to).find((state) => above.includes(state));
  return {
    from: above.find((state) => state.parent === parent),
    to: chainOf(to).find((state) => state.parent === parent),
  };
}
