// @ts-check
/**
 * Reads an XState machine into plain data: all that pictures and tables need, and nothing that runs.
 * What a state does about an event is decided here, by XState's rule that the deepest state that knows it wins.
 */

/** @typedef {import('xstate').AnyStateMachine} Machine */
/** @typedef {import('xstate').AnyStateNode} Node */

/**
 * @typedef {object} State
 * @property {string} path dotted, without the machine's id; empty for the root
 * @property {string} name
 * @property {'compound' | 'leaf' | 'final'} kind
 * @property {string} description
 * @property {string[]} tags of the state itself; its ancestors have their own
 * @property {string[]} entry
 * @property {string[]} exit
 * @property {State | undefined} parent
 * @property {State[]} children
 * @property {State | undefined} initial
 * @property {Map<string, Transition[]>} on by event type, timers included
 */

/**
 * @typedef {object} Transition
 * @property {string} event the type that XState reports
 * @property {string} label the event as people read it; empty if it needs none
 * @property {boolean} timer
 * @property {State} source
 * @property {State | undefined} target
 * @property {string | undefined} guard
 * @property {string[]} actions
 * @property {string[]} raises events that its actions send to the machine itself
 * @property {string} description
 */

/**
 * @typedef {object} Model
 * @property {string} id
 * @property {string} description
 * @property {State} root
 * @property {State[]} states every state but the root, in the order of the source
 * @property {string[]} events every event that some state names, grouped by source; without timers
 * @property {{ command: string, action: string }[]} commands
 */

/**
 * Stands for any context and any event: enough to ask a command for its type.
 *
 * @type {any}
 */
const anything = new Proxy(() => 0, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => 0 : anything),
  apply: () => anything,
});

/**
 * The type of the event that an `emit` or a `raise` makes.
 *
 * @param {any} implementation
 * @param {string} kind
 * @returns {string | undefined}
 */
function madeEvent(implementation, kind) {
  if (implementation?.type !== kind) return undefined;
  const made = implementation.event;
  return (typeof made === 'function' ? made({ context: anything, event: anything }, {}) : made).type;
}

/** @param {any} action */
const actionType = (action) => (typeof action === 'string' ? action : action.type);

/** @param {any} action */
function actionName(action) {
  const values = Object.values(action.params ?? {});
  return values.length === 0 ? actionType(action) : `${actionType(action)}(${values.join(', ')})`;
}

/** @param {any} guard */
const guardName = (guard) => (guard === undefined ? undefined : typeof guard === 'string' ? guard : guard.type);

/** @param {any} one nothing, one thing, or several */
const list = (one) => (one === undefined ? [] : Array.isArray(one) ? one : [one]);

/** @param {Node} node */
const pathOf = (node) => node.path.join('.');

/**
 * @param {Machine} machine
 * @returns {Model}
 */
export function readModel(machine) {
  /** @type {Map<string, State>} */
  const byPath = new Map();

  /** @param {Node} node @param {State | undefined} parent @returns {State} */
  const readState = (node, parent) => {
    if (!['atomic', 'compound', 'final'].includes(node.type))
      throw new Error(`${node.id}: a ${node.type} state is not drawn`);
    /** @type {State} */
    const state = {
      path: pathOf(node),
      name: node.key,
      kind: node.type === 'compound' ? 'compound' : node.type === 'final' ? 'final' : 'leaf',
      description: node.description ?? '',
      tags: [...node.tags],
      // The node's own lists also hold the start and the end of its timers.
      entry: list(node.config.entry).map(actionName),
      exit: list(node.config.exit).map(actionName),
      parent,
      children: [],
      initial: undefined,
      on: new Map(),
    };
    byPath.set(state.path, state);
    state.children = Object.values(node.states).map((child) => readState(child, state));
    return state;
  };

  /** @param {any} definition @param {State} source @returns {Transition} */
  const readTransition = (definition, source) => {
    const event = definition.eventType;
    if (event.includes('*')) throw new Error(`${source.path}: a catch-all hides what is ignored; name the events`);
    const timer = /^xstate\.after\.([^.]+)\./.exec(event)?.[1];
    const done = event.startsWith('xstate.done.state.') ? 'done' : undefined;
    return {
      event,
      label: timer ?? done ?? event,
      timer: timer !== undefined,
      source,
      target: definition.target && byPath.get(pathOf(definition.target[0])),
      guard: guardName(definition.guard),
      actions: definition.actions.map(actionName),
      raises: definition.actions.flatMap(
        (/** @type {any} */ action) =>
          madeEvent(machine.implementations.actions[actionType(action)], 'xstate.raise') ?? [],
      ),
      description: definition.description ?? '',
    };
  };

  // Targets may be anywhere, so all states are there before the first transition is read.
  /** @param {Node} node */
  const readTransitions = (node) => {
    const state = /** @type {State} */ (byPath.get(pathOf(node)));
    const initial = node.initial?.target?.[0];
    state.initial = initial && byPath.get(pathOf(initial));
    const definitions = [...node.transitions.values(), node.always ?? []];
    for (const definition of definitions.flat()) {
      const transition = readTransition(definition, state);
      state.on.set(transition.event, [...(state.on.get(transition.event) ?? []), transition]);
    }
    for (const child of Object.values(node.states)) readTransitions(child);
  };

  const root = readState(machine.root, undefined);
  readTransitions(machine.root);
  const states = [...byPath.values()].filter((state) => state !== root);
  return {
    id: machine.id,
    description: root.description,
    root,
    states,
    events: eventsOf([root, ...states], machine.id),
    commands: Object.entries(machine.implementations.actions)
      .flatMap(([action, implementation]) => {
        const command = madeEvent(implementation, 'xstate.emit');
        return command === undefined ? [] : [{ command, action }];
      })
      .sort((a, b) => (a.command < b.command ? -1 : 1)),
  };
}

/**
 * `machine.events` lacks the events that every state ignores, so they are collected from the transitions. The owner's
 * requests come first, then one source after the other, each in the order of the machine.
 *
 * @param {State[]} states
 * @param {string} id
 */
function eventsOf(states, id) {
  const events = new Set(states.flatMap((state) => [...state.on.keys()]));
  const external = [...events].filter((event) => event !== '' && !event.startsWith('xstate.'));
  const sources = [...new Set([id, ...external.map(sourceOf)])];
  return external.sort((a, b) => sources.indexOf(sourceOf(a)) - sources.indexOf(sourceOf(b)));
}

/** @param {string} event */
const sourceOf = (event) => event.slice(0, event.indexOf('.'));

/**
 * The state and its ancestors, deepest first.
 *
 * @param {State | undefined} state
 * @returns {State[]}
 */
export const chainOf = (state) => (state ? [state, ...chainOf(state.parent)] : []);

/** @param {State} state @param {State} ancestor */
export const isInside = (state, ancestor) => chainOf(state).includes(ancestor);

/** @param {State} state */
export const holdsSocket = (state) => chainOf(state).some(({ tags }) => tags.includes('holdsSocket'));

/**
 * A transition that neither moves nor acts says that its event is ignored on purpose.
 *
 * @param {Transition} transition
 */
export const isIgnored = ({ target, actions }) => target === undefined && actions.length === 0;

/**
 * What may happen when a leaf gets an event: candidates in the order in which they are tried. If the last one has a
 * guard, the event may fall through, and the table is not total.
 *
 * @param {State} leaf
 * @param {string} event
 * @returns {Transition[]}
 */
export function candidates(leaf, event) {
  const all = chainOf(leaf).flatMap((state) => state.on.get(event) ?? []);
  const sure = all.findIndex(({ guard }) => guard === undefined);
  return sure === -1 ? all : all.slice(0, sure + 1);
}

/**
 * Whether a leaf is left as soon as it is entered: no event ever finds it active.
 *
 * @param {State} leaf
 */
export const isPassedThrough = (leaf) =>
  candidates(leaf, '').at(-1)?.guard === undefined && candidates(leaf, '').length > 0;

/**
 * The timers that run while a leaf is active, its own first.
 *
 * @param {State} leaf
 * @returns {string[]}
 */
export const timersOf = (leaf) =>
  chainOf(leaf).flatMap((state) => [...state.on].flatMap(([event, [first]]) => (first?.timer ? [event] : [])));
