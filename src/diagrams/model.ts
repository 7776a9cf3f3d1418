/**
 * Reads an XState machine into plain data: all that pictures and tables need, and nothing that runs.
 * What a state does about an event is decided here, by XState's rule that the deepest state that knows it wins.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { checkMachine } from '../runtime/machine.js';
import { actionName, guardName, isInline, list, madeEvent } from './names.js';

type Kind = 'compound' | 'parallel' | 'leaf' | 'final' | 'history';

export interface State {
  /** Dotted, without the machine's id; empty for the root, unless that is the only state. */
  readonly path: string;
  readonly name: string;
  readonly kind: Kind;
  readonly description: string;
  /** Of the state itself; its ancestors have their own. */
  readonly tags: readonly string[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  /** The actors that run while the state is active. */
  readonly invokes: readonly string[];
  readonly parent: State | undefined;
  children: State[];
  initial: State | undefined;
  /** By event type, timers included. */
  readonly on: Map<string, Transition[]>;
}

export interface Transition {
  /** The type that XState reports. */
  readonly event: string;
  /** The event as people read it; empty if it needs none. */
  readonly label: string;
  readonly timer: boolean;
  /** How long the timer takes, where the machine says it with a number and a name. */
  readonly delayMs: number | undefined;
  readonly source: State;
  /** More than one only where regions of a parallel state are entered. */
  readonly targets: readonly State[];
  readonly guard: string | undefined;
  readonly actions: readonly string[];
  /** Events that its named actions send to the machine itself. */
  readonly raises: readonly string[];
  readonly description: string;
}

export interface Model {
  /** The machine's id, or the name that it was given for the pictures. */
  readonly id: string;
  readonly description: string;
  readonly root: State;
  /** Every state in the order of the source, but the root; the root alone if it has none inside. */
  readonly states: readonly State[];
  /** Every event that some state names, grouped by source, wildcards last; without timers. */
  readonly events: readonly string[];
  readonly commands: readonly { readonly command: string; readonly action: string }[];
}

const textOf = (text: string | undefined): string => (text ?? '').replace(/\s+/g, ' ').trim();

/** @throws OptionError for what is no machine */
export function readModel(machine: AnyStateMachine, name?: string): Model {
  checkMachine(machine);
  const id = name ?? machine.id;
  const states = new Map<AnyStateNode, State>();

  const readState = (node: AnyStateNode, parent: State | undefined): State => {
    const children = Object.values(node.states);
    const isAlone = parent === undefined && children.length === 0;
    const state: State = {
      path: isAlone ? id : node.path.join('.'),
      name: parent === undefined ? id : node.key,
      kind: kindOf(node),
      description: textOf(node.description),
      tags: [...node.tags],
      // The node's own lists also hold the start and the end of its timers.
      entry: list(node.config.entry).map(actionName),
      exit: list(node.config.exit).map(actionName),
      invokes: node.invoke.map(actorName),
      parent,
      children: [],
      initial: undefined,
      on: new Map(),
    };
    states.set(node, state);
    state.children = children.map((child) => readState(child, state));
    return state;
  };

  const readTransition = (
    definition: AnyStateNode['always'] extends (infer T)[] | undefined ? T : never,
    source: AnyStateNode,
  ): Transition => {
    const { eventType: event, actions } = definition;
    const timerEnd = `.${source.id}`;
    const isTimer = event.startsWith(AFTER) && event.endsWith(timerEnd);
    const timer = event.slice(AFTER.length, -timerEnd.length);
    const delay: unknown = isTimer ? machine.implementations.delays[timer] : undefined;
    return {
      event,
      label: isTimer ? timerName(timer) : eventLabel(event, source),
      timer: isTimer,
      delayMs: typeof delay === 'number' ? delay : undefined,
      source: states.get(source) as State,
      targets: (definition.target ?? []).flatMap((target) => states.get(target) ?? []),
      guard: guardName(definition.guard),
      actions: actions.map(actionName),
      raises: actions.flatMap((action) => {
        if (isInline(action)) return [];
        const name = typeof action === 'string' ? action : (action as { type: string }).type;
        return madeEvent(machine.implementations.actions[name], 'xstate.raise') ?? [];
      }),
      description: textOf(definition.description),
    };
  };

  /** What a history enters the first time, if it says so. */
  const defaultsOf = (node: AnyStateNode): State[] =>
    list(node.config.target).flatMap((target) => {
      const path = String(target);
      const found = path.startsWith('#')
        ? machine.getStateNodeById(path.slice(1))
        : path.split('.').reduce<AnyStateNode | undefined>((at, key) => at?.states[key], node.parent);
      return (found && states.get(found)) ?? [];
    });

  // Targets may be anywhere, so all states are there before the first transition is read.
  const root = readState(machine.root, undefined);
  for (const [node, state] of states) {
    const initial = node.initial?.target?.[0];
    state.initial = initial && states.get(initial);
    if (node.type === 'history')
      state.on.set(FIRST_TIME.event, [{ ...FIRST_TIME, source: state, targets: defaultsOf(node) }]);
    for (const definition of [...node.transitions.values(), node.always ?? []].flat()) {
      const transition = readTransition(definition, node);
      state.on.set(transition.event, [...(state.on.get(transition.event) ?? []), transition]);
    }
  }

  const all = [...states.values()];
  return {
    id,
    description: root.description,
    root,
    states: all.length === 1 ? all : all.slice(1),
    events: eventsOf(all, id),
    commands: Object.entries(machine.implementations.actions)
      .flatMap(([action, implementation]) => {
        const command = madeEvent(implementation, 'xstate.emit');
        return command === undefined ? [] : [{ command, action }];
      })
      .sort((a, b) => (a.command < b.command ? -1 : 1)),
  };
}

const FIRST_TIME = {
  event: 'xstate.history',
  label: 'the first time',
  timer: false,
  delayMs: undefined,
  guard: undefined,
  actions: [],
  raises: [],
  description: '',
};

function kindOf({ type, states }: AnyStateNode): Kind {
  if (type === 'final' || type === 'history') return type;
  if (Object.keys(states).length === 0) return 'leaf';
  return type === 'parallel' ? 'parallel' : 'compound';
}

const AFTER = 'xstate.after.';

const timerName = (delay: string): string => (Number.isNaN(Number(delay)) ? delay : `${delay} ms`);

/** What XState reports of the inside of a state, and of its actors, in short. */
function eventLabel(event: string, source: AnyStateNode): string {
  if (event.startsWith('xstate.done.state.')) return 'done';
  const [, what, id] = /^xstate\.(done\.actor|error\.actor|snapshot)\.(.+)$/.exec(event) ?? [];
  const actor = source.invoke.find((one) => one.id === id);
  if (what === undefined || actor === undefined) return event;
  return `${what.split('.')[0]}: ${actorName(actor)}`;
}

/** What the machine calls it; XState gives names of its own to an actor that is written inline, or has no id. */
const actorName = ({ src, id }: AnyStateNode['invoke'][number]): string =>
  typeof src === 'string' && !src.startsWith('xstate.') ? src : /^\d+\./.test(id) ? 'inline' : id;

/**
 * `machine.events` lacks the events that every state ignores, so they are collected from the transitions. The owner's
 * requests come first, then one source after the other, each in the order of the machine.
 */
function eventsOf(states: readonly State[], id: string): string[] {
  const events = new Set(states.flatMap((state) => [...state.on.keys()]));
  const external = [...events].filter((event) => event !== '' && !event.startsWith('xstate.'));
  const sources = [...new Set([id, ...external.map(sourceOf)])];
  const place = (event: string) => (isWildcard(event) ? sources.length : sources.indexOf(sourceOf(event)));
  return external.sort((a, b) => place(a) - place(b));
}

const sourceOf = (event: string): string => event.split('.', 1)[0] as string;

/** `*`, or `socket.*`: it stands for the events that are not named. */
export const isWildcard = (event: string): boolean => event === '*' || event.endsWith('.*');

/** The state and its ancestors, deepest first. */
export const chainOf = (state: State | undefined): State[] => (state ? [state, ...chainOf(state.parent)] : []);

export const withDescendants = (state: State): State[] => [state, ...state.children.flatMap(withDescendants)];

export const isInside = (state: State, ancestor: State): boolean => chainOf(state).includes(ancestor);

export const holdsSocket = (state: State): boolean => chainOf(state).some(({ tags }) => tags.includes('holdsSocket'));

/** A transition that neither moves nor acts says that its event is ignored on purpose. */
export const isIgnored = ({ targets, actions }: Transition): boolean => targets.length === 0 && actions.length === 0;

/** What a state itself does about an event: first what it says of that event, then the wildcards that match it, the longest first. */
function ownCandidates(state: State, event: string): readonly Transition[] {
  const keys = [...state.on.keys()].filter((key) => key !== event && matches(event, key));
  const wild = keys.sort((a, b) => b.length - a.length).flatMap((key) => state.on.get(key) ?? []);
  return [...(state.on.get(event) ?? []), ...wild];
}

function matches(event: string, wildcard: string): boolean {
  if (wildcard === '*') return event !== '';
  return isWildcard(wildcard) && `${event}.`.startsWith(wildcard.slice(0, -1));
}

/**
 * What may happen when a leaf gets an event: candidates in the order in which they are tried. If the last one has a
 * guard, the event may fall through, and the table is not total.
 */
export function candidates(leaf: State, event: string): Transition[] {
  const all = chainOf(leaf).flatMap((state) => ownCandidates(state, event));
  const sure = all.findIndex(({ guard }) => guard === undefined);
  return sure === -1 ? all : all.slice(0, sure + 1);
}

/** Whether only another region of a parallel state is meant by an event: no state in the leaf's own region names it. */
export const isForOthers = (leaf: State, event: string): boolean =>
  chainOf(leaf).some(
    (region) =>
      region.parent?.kind === 'parallel' &&
      !knows(region, event) &&
      region.parent.children.some((other) => knows(other, event)),
  );

const knows = (region: State, event: string): boolean =>
  withDescendants(region).some((state) => ownCandidates(state, event).length > 0);

/** Whether a leaf is left as soon as it is entered: no event ever finds it active. */
export function isPassedThrough(leaf: State): boolean {
  const last = candidates(leaf, '').at(-1);
  return last !== undefined && last.guard === undefined;
}

/** The timers that run while a leaf is active, its own first. */
export const timersOf = (leaf: State): string[] =>
  chainOf(leaf).flatMap((state) => [...state.on].flatMap(([event, [first]]) => (first?.timer ? [event] : [])));
