// @ts-check
/**
 * Decides what a picture shows: fewer arrows than the machine has transitions, and none that says something untrue.
 *
 * - What is ignored is left out, and so are actions: the table has them.
 * - Transitions between the same two states become one arrow with several lines.
 * - If every state inside a compound leaves it on the same event, one arrow leaves the compound. Where the inner states
 *   enter differs, it ends at the compound around those, and the arrow is marked as `gathered`.
 * - A timer that only acts is listed inside its state.
 */
import { candidates, chainOf, holdsSocket, isInside } from './model.mjs';

/** @typedef {import('./model.mjs').Model} Model */
/** @typedef {import('./model.mjs').State} State */
/** @typedef {import('./model.mjs').Transition} Transition */

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {boolean} timer
 * @property {string | undefined} guard
 * @property {boolean | undefined} socket true: only from states that hold a socket, false: only from the others
 */

/**
 * @typedef {object} Edge
 * @property {State} from
 * @property {State} to
 * @property {boolean} gathered
 * @property {Line[]} lines
 * @property {string[]} events as XState reports them
 */

/**
 * @typedef {object} Plan
 * @property {Edge[]} edges
 * @property {Set<State>} initials states that are entered because they are initial
 * @property {Map<State, { label: string, effect: string }[]>} notes timers that only act
 */

/** @param {State} state @returns {State[]} */
const leavesOf = (state) => (state.children.length === 0 ? [state] : state.children.flatMap(leavesOf));

/** @param {State} state @returns {State[]} */
const withDescendants = (state) => [state, ...state.children.flatMap(withDescendants)];

/**
 * The largest state around `inner` that does not contain `outside`.
 *
 * @param {State} inner
 * @param {State} outside
 */
const largestApart = (inner, outside) =>
  /** @type {State} */ (chainOf(inner).findLast((state) => !isInside(outside, state)));

/**
 * The arrows that leave a compound because all its states leave it on this event; undefined if some do not.
 *
 * @param {State} compound
 * @param {string} event
 * @returns {{ to: State, gathered: boolean, socket: boolean | undefined, transitions: Transition[] }[] | undefined}
 */
function gather(compound, event) {
  const reactions = leavesOf(compound).flatMap((leaf) => {
    const found = candidates(leaf, event);
    return found.length === 0 ? [undefined] : found.map((transition) => ({ leaf, transition }));
  });
  const leaving = reactions.flatMap((reaction) => {
    const target = reaction?.transition.target;
    return reaction && target && !isInside(target, compound) ? [{ ...reaction, target }] : [];
  });
  const sources = new Set(leaving.map(({ transition }) => transition.source));
  if (leaving.length < reactions.length || sources.size < 2 || ![...sources].every((it) => isInside(it, compound)))
    return;

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

/**
 * @param {Model} model
 * @returns {Plan}
 */
export function plan(model) {
  /** @type {Map<string, Edge>} */
  const edges = new Map();
  /** @type {Map<State, { label: string, effect: string }[]>} */
  const notes = new Map();
  /** @type {Set<Transition>} */
  const drawn = new Set();
  /** @type {Set<State>} */
  const entered = new Set([model.root]);

  /** @param {State} from @param {State} to @param {boolean} gathered @param {Transition} transition @param {boolean} [socket] */
  const draw = (from, to, gathered, transition, socket) => {
    const key = `${from.path} ${to.path} ${gathered}`;
    const edge = edges.get(key) ?? { from, to, gathered, lines: [], events: [] };
    edges.set(key, edge);
    const { label, timer, guard } = transition;
    const known = edge.lines.some((line) => line.label === label && line.guard === guard && line.socket === socket);
    if (!known) edge.lines.push({ label, timer, guard, socket });
    if (!edge.events.includes(transition.event)) edge.events.push(transition.event);
    drawn.add(transition);
  };

  const all = withDescendants(model.root);
  for (const compound of all.filter((state) => state.kind === 'compound' && state !== model.root)) {
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
    const { source, target, timer, label, actions, raises } = transition;
    if (target !== undefined) entered.add(target);
    if (drawn.has(transition)) continue;
    if (target !== undefined && target !== source) draw(source, target, false, transition);
    else if (timer) {
      const effect = [...raises, ...actions][0] ?? 'starts again';
      notes.set(source, [...(notes.get(source) ?? []), { label, effect }]);
    }
  }

  return { edges: [...edges.values()], initials: new Set([...entered].flatMap(initialsOf)), notes };
}

/**
 * The states that are entered because their parent is. Where nobody enters the parent as such, its initial state needs
 * no marker: no life begins there.
 *
 * @param {State} entered
 * @returns {State[]}
 */
const initialsOf = ({ initial }) => (initial ? [initial, ...initialsOf(initial)] : []);
