/**
 * Decides what a picture shows: fewer arrows than the machine has transitions, and none that says something untrue.
 *
 * - What is ignored is left out, and so are actions: the table has them. A machine without states has nothing else to
 *   show, so its actions are listed.
 * - Transitions between the same two states become one arrow with several lines.
 * - If every state inside a compound leaves it on the same event, one arrow leaves the compound. Where the inner states
 *   enter differs, it ends at the compound around those, and the arrow is marked as `gathered`.
 * - A timer that only acts is listed inside its state, and so is a transition that enters the same state again.
 * - The machine itself has a frame only where an arrow, a timer or several regions need one.
 */
import {
  candidates,
  chainOf,
  holdsSocket,
  isInside,
  type Model,
  type State,
  type Transition,
  withDescendants,
} from './model.js';

export interface Line {
  readonly label: string;
  readonly timer: boolean;
  readonly guard: string | undefined;
  /** true: only from states that hold a socket; false: only from the others. */
  readonly socket: boolean | undefined;
}

export interface Edge {
  readonly from: State;
  readonly to: State;
  readonly gathered: boolean;
  readonly lines: Line[];
  /** As XState reports them. */
  readonly events: string[];
}

/** What happens in a state without leaving it. */
export interface Note {
  readonly label: string;
  readonly timer: boolean;
  readonly guard: string | undefined;
  readonly effect: string;
  /** Whether the state is entered again; of a timer, whether that is all. */
  readonly again: boolean;
}

export interface Plan {
  readonly edges: readonly Edge[];
  /** States that are entered because they are initial. */
  readonly initials: ReadonlySet<State>;
  readonly notes: ReadonlyMap<State, readonly Note[]>;
  /** What is drawn as a box: every state, and the root if it needs a frame. */
  readonly boxes: readonly State[];
}

const leavesOf = (state: State): State[] => (state.children.length === 0 ? [state] : state.children.flatMap(leavesOf));

/** The largest state around `inner` that does not contain `outside`. */
const largestApart = (inner: State, outside: State): State =>
  chainOf(inner).findLast((state) => !isInside(outside, state)) as State;

interface Gathered {
  readonly to: State;
  readonly gathered: boolean;
  readonly socket: boolean | undefined;
  readonly transitions: readonly Transition[];
}

/** The arrows that leave a compound because all its states leave it on this event; undefined if some do not. */
function gather(compound: State, event: string): Gathered[] | undefined {
  const reactions = leavesOf(compound).flatMap((leaf) => {
    const found = candidates(leaf, event);
    return found.length === 0 ? [undefined] : found.map((transition) => ({ leaf, transition }));
  });
  const leaving = reactions.flatMap((reaction) => {
    const [target, ...more] = reaction?.transition.targets ?? [];
    return reaction && target && more.length === 0 && !isInside(target, compound) ? [{ ...reaction, target }] : [];
  });
  const sources = new Set(leaving.map(({ transition }) => transition.source));
  if (leaving.length < reactions.length || sources.size < 2 || ![...sources].every((it) => isInside(it, compound)))
    return undefined;

  const targets = new Set(leaving.map(({ target }) => target));
  const ends = targets.size === 1 ? targets : new Set([...targets].map((target) => largestApart(target, compound)));
  const arrows = [...ends].map((to) => {
    const those = leaving.filter(({ target }) => isInside(target, to));
    const holding = new Set(those.map(({ leaf }) => holdsSocket(leaf)));
    return {
      to,
      gathered: those.some(({ target }) => target !== to),
      socket: ends.size > 1 && holding.size === 1 ? [...holding][0] : undefined,
      transitions: those.map(({ transition }) => transition),
    };
  });
  // Two arrows for one event are honest only if the reader sees which is whose.
  const told = new Set(arrows.map(({ socket }) => socket));
  return arrows.length === 1 || (told.size === arrows.length && !told.has(undefined)) ? arrows : undefined;
}

export function plan(model: Model): Plan {
  const { root, states } = model;
  const edges = new Map<string, Edge>();
  const notes = new Map<State, Note[]>();
  const drawn = new Set<Transition>();
  const entered = new Set<State>([root]);

  const draw = (from: State, to: State, gathered: boolean, transition: Transition, socket?: boolean) => {
    const key = `${from.path}\0${to.path}\0${gathered}`;
    const edge = edges.get(key) ?? { from, to, gathered, lines: [], events: [] };
    edges.set(key, edge);
    const { label, timer, guard } = transition;
    const known = edge.lines.some((line) => line.label === label && line.guard === guard && line.socket === socket);
    if (!known) edge.lines.push({ label, timer, guard, socket });
    if (!edge.events.includes(transition.event)) edge.events.push(transition.event);
    drawn.add(transition);
  };

  const all = withDescendants(root);
  for (const compound of all.filter((state) => state.kind === 'compound' && state !== root)) {
    const events = new Set(withDescendants(compound).flatMap((state) => [...state.on.keys()]));
    for (const event of events) {
      // A larger compound has gathered it already.
      if (withDescendants(compound).some((state) => state.on.get(event)?.some((it) => drawn.has(it)))) continue;
      for (const { to, gathered, socket, transitions } of gather(compound, event) ?? []) {
        for (const transition of transitions) draw(compound, to, gathered, transition, socket);
      }
    }
  }

  for (const transition of all.flatMap((state) => [...state.on.values()].flat())) {
    const { source, targets, timer, label, guard, actions, raises } = transition;
    for (const target of targets) entered.add(target);
    if (drawn.has(transition)) continue;
    const others = targets.filter((target) => target !== source);
    for (const target of others) draw(source, target, false, transition);
    const [first] = [...raises, ...actions];
    const again = targets.length > 0 && (!timer || first === undefined);
    const alone = root.children.length === 0 && actions.length > 0;
    if (others.length === 0 && (timer || again || alone)) {
      const note = { label, timer, guard, effect: alone ? actions.join(', ') : (first ?? 'starts again'), again };
      notes.set(source, [...(notes.get(source) ?? []), note]);
    }
  }

  const list = [...edges.values()];
  const framed =
    root.children.length > 0 &&
    (root.kind === 'parallel' || notes.has(root) || list.some(({ from, to }) => from === root || to === root));
  return {
    edges: list,
    initials: new Set([...entered].flatMap(alsoEntered).flatMap(initialsOf)),
    notes,
    boxes: framed ? [root, ...states] : states,
  };
}

/** Who enters a state of one region enters the others by their initial states; a history may begin with the initial state. */
const alsoEntered = (state: State): State[] => [
  state,
  ...(state.kind === 'history' && state.parent ? [state.parent] : []),
  ...chainOf(state).flatMap((region) =>
    region.parent?.kind === 'parallel' ? region.parent.children.filter((other) => other !== region) : [],
  ),
];

/**
 * The states that are entered because their parent is. Where no transition enters the parent as such, its initial state
 * needs no marker: no instance begins there.
 */
const initialsOf = ({ kind, initial, children }: State): State[] =>
  kind === 'parallel' ? children.flatMap(initialsOf) : initial ? [initial, ...initialsOf(initial)] : [];
