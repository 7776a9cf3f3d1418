/**
 * Compiles a machine: what XState works out for every event (which transition, which states are left and entered, what
 * is done in which order) is worked out once here, for each leaf state and each event.
 *
 * The order of things follows the algorithm of SCXML (https://www.w3.org/TR/scxml/#AlgorithmforSCXMLInterpretation) as
 * XState 5 implements it, for machines without parallel and history states.
 */
import type { AnyActorLogic, AnyStateMachine, AnyStateNode } from 'xstate';
import { CompileError } from '../errors.js';
import type { Builtin } from './builtins.js';
import { type Asks, Implementations, mayAsk, nameOf, USE_ACTOR } from './implementations.js';
import {
  addInitial,
  candidatesOf,
  checkStart,
  domainOf,
  doneType,
  entered,
  initialOf,
  isDescendant,
  isWildcard,
  leafOf,
  outermostLast,
  refuse,
  type Transition,
  toArray,
  wildcardsOf,
  withAncestors,
} from './states.js';

/** A function of the machine: called with `{ context, event }`, and its params if it has some. */
export interface Call {
  readonly run: Callable;
  /** It may read more than these two: `self`, `system` or `spawn`. */
  readonly asks?: boolean;
  /** A value, or a function that gives one; nothing where it gets no second argument. */
  readonly params?: Expression | undefined;
}

// biome-ignore lint/complexity/noBannedTypes: only the machine knows what it takes.
export type Callable = Function;

/** What is known beforehand, or computed by a function of the machine. */
export type Expression = { readonly value: unknown } | { readonly call: Call };

export type Guard =
  | { readonly call: Call }
  | { readonly not: Guard }
  | { readonly and: readonly Guard[] }
  | { readonly or: readonly Guard[] };

/** A timer of a state. */
export interface PlannedTimer {
  /** The name of its delay. */
  readonly name: string;
  /** The type of the event that it sends. */
  readonly type: string;
  /** Its place among the timers that may run at the same time. */
  readonly slot: number;
}

/** An actor that runs while an instance is in a state. */
export interface Invocation {
  readonly id: string;
  readonly src: string | AnyActorLogic;
  readonly logic: AnyActorLogic;
  readonly systemId: string | undefined;
  /** A value, or a function that gives one. */
  readonly input: unknown;
  /** Each snapshot of the actor is an event. */
  readonly syncSnapshot: boolean;
}

/** One thing that a step does; the order is that of XState. */
export type Op =
  /** A function of the user's, called at once. */
  | { readonly do: 'call'; readonly call: Call }
  /** An action of XState that is worked out when it is met, such as `sendTo`. */
  | {
      readonly do: 'act';
      readonly action: Callable;
      readonly params: Expression | undefined;
      readonly coming?: readonly string[];
    }
  | { readonly do: 'invoke'; readonly actor: Invocation }
  | { readonly do: 'stop'; readonly id: string }
  /** A timer, set and cleared among the other effects, in a machine that has other timers or actors. */
  | { readonly do: 'schedule'; readonly timer: PlannedTimer; readonly delay: Expression }
  | { readonly do: 'unschedule'; readonly timer: PlannedTimer }
  | { readonly do: 'assign'; readonly parts: readonly (readonly [key: string, value: Expression])[] }
  | { readonly do: 'merge'; readonly call: Call }
  | { readonly do: 'emit'; readonly command: Expression }
  | { readonly do: 'raise'; readonly event: Expression }
  | { readonly do: 'set'; readonly timer: PlannedTimer; readonly delay: Expression }
  | { readonly do: 'clear'; readonly timer: PlannedTimer }
  /** A nested final state was entered: an event says so. */
  | { readonly do: 'complete'; readonly type: string; readonly output: Expression | undefined }
  /** The machine is done: `output` gets an event of this type, with the output of the final state. */
  | {
      readonly do: 'finish';
      readonly output: Expression | undefined;
      readonly type: string;
      readonly final: Expression | undefined;
    };

/** A transition that may be taken in one leaf state: a microstep. */
export interface Step {
  /** Taken only for types of events that match this wildcard. */
  readonly wildcard?: string | undefined;
  readonly guard: Guard | undefined;
  /** The id of the state that has the transition, and the name of its guard: the error of a guard names both. */
  readonly source: string;
  readonly guardName?: string | undefined;
  readonly ops: readonly Op[];
  /** The leaf that it leads to. */
  readonly to: number;
  /** False for a transition that only says that an event is ignored. */
  readonly acts: boolean;
  /** It leads to the leaf that it starts in. */
  readonly stays: boolean;
  /** It leads elsewhere, or assigns. Where a step does neither, XState asks no `always` again. */
  readonly changes: boolean;
  /** Whether it assigns is known only when it is taken. */
  readonly mayChange: boolean;
}

/** A state without states of its own: an instance is always in one of these. */
export interface Leaf {
  readonly path: readonly string[];
  readonly tags: readonly string[];
  /** The instance ends there. */
  readonly isFinal: boolean;
  /** The steps that need no event. */
  readonly always: readonly Step[];
  /** What is taken for each type of event: the transitions of the leaf first, then those around it. */
  readonly on: ReadonlyMap<string, readonly Step[]>;
  /** What may be taken for a type that no transition names. */
  readonly other: readonly Step[];
  /** The timers that may run in it, by slot. */
  readonly timers: readonly PlannedTimer[];
}

/** What a machine does, worked out for each leaf state and each event. */
export interface Plan {
  readonly id: string;
  readonly machine: AnyStateMachine;
  /** It does more than assign, emit and raise: it calls functions of the user's, or has actors. */
  readonly acts: boolean;
  /** It may have actors: an error of one of them ends it, unless a transition takes that. */
  readonly hasActors: boolean;
  readonly leaves: readonly Leaf[];
  readonly types: readonly string[];
  readonly hasWildcards: boolean;
  readonly initial: Step;
  /** The types of events that the machine names, without its own timers. */
  readonly eventTypes: readonly string[];
  /** What the machine's context is, or the function that makes it. */
  readonly context: unknown;
  readonly contextAsks: boolean;
  /** Steps of one event, after which it is taken for a cycle that never ends. */
  readonly stepsMax: number;
  /** How many timers may run at the same time. */
  readonly slots: number;
}

/**
 * Works out what a machine does.
 *
 * @param asks says of a function whether it may read `self`, `system` or `spawn`: by its text, unless that is known
 * @throws CompileError for a machine with parallel states, history states …
 */
export function planOf(machine: AnyStateMachine, asks: Asks = mayAsk): Plan {
  const plan = new Planner(machine, { hasActors: false, asks }).plan();
  // The order of timers and actors matters where there are both: it is known only now that there may be.
  return plan.hasActors ? new Planner(machine, { hasActors: true, asks }).plan() : plan;
}

interface PlannerOptions {
  /** Timers are set among the effects, in their order. */
  readonly hasActors: boolean;
  readonly asks: Asks;
  /** Takes all that is in the way; without it the first is thrown. */
  readonly refusals?: CompileError[];
}

/** All that is in the way of compiling a machine. */
export function refusalsOf(machine: AnyStateMachine): CompileError[] {
  const refusals: CompileError[] = [];
  const planner = new Planner(machine, { hasActors: false, asks: mayAsk, refusals });
  if (refusals.length > 0) planner.checkAll();
  else planner.attempt(() => planner.plan());
  const texts = new Set<string>();
  return refusals.filter(({ message }) => !texts.has(message) && texts.add(message));
}

type Action = AnyStateNode['entry'][number];

/** Of one event: more is a cycle that never ends. XState has no limit unless it is given one. */
const STEPS_MAX = 10_000;

/** XState says infinity where the machine says nothing. */
function stepsMaxOf({ options }: AnyStateMachine): number {
  const { maxIterations } = options ?? {};
  return maxIterations !== undefined && Number.isFinite(maxIterations) ? maxIterations : STEPS_MAX;
}

class Planner {
  readonly #refusals: CompileError[] | undefined;
  readonly #names: Implementations;
  readonly #machine: AnyStateMachine;
  readonly #nodes: AnyStateNode[] = [];
  readonly #leaves: AnyStateNode[] = [];
  readonly #number = new Map<AnyStateNode, number>();
  readonly #timers = new Map<AnyStateNode, readonly TimerOps[]>();

  constructor(machine: AnyStateMachine, { hasActors, asks, refusals }: PlannerOptions) {
    this.#machine = machine;
    this.#names = new Implementations(machine, hasActors, asks);
    this.#refusals = refusals;
    this.#visit(machine.root, 0);
  }

  /** Does this; what is refused in it is noted if all is to be known. */
  attempt<T>(work: () => T): T | undefined {
    if (this.#refusals === undefined) return work();
    try {
      return work();
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      this.#refusals.push(error);
      return undefined;
    }
  }

  checkAll(): void {
    const { root, provide } = this.#machine;
    this.attempt(() => {
      // Spread into another object it has no method but its own, and these may have been replaced.
      if (provide === undefined) refuse(root, 'it is a copy of a machine', `Compile the machine itself, ${USE_ACTOR}`);
    });
    for (const node of this.#nodes) this.#check(node);
  }

  plan(): Plan {
    // Also what no state leads to must be sound, and so is looked at first.
    this.checkAll();
    const named = new Set<string>();
    let hasWildcards = false;
    for (const node of this.#nodes) {
      for (const type of node.transitions.keys()) {
        if (isWildcard(node, type)) hasWildcards = true;
        else named.add(type);
      }
      // A final child raises this also where no transition names it, and a wildcard may match it.
      if (node.type === 'compound') named.add(doneType(node));
      // The error of an actor ends a machine that has no transition for it.
      for (const { id } of node.invoke) named.add(`xstate.error.actor.${id}`);
    }
    const types = [...named];
    const leaves = this.#leaves.map((leaf) => this.#leaf(leaf, types));
    const initial = this.#initialStep();
    const { context } = this.#machine.config;
    const contextAsks = typeof context === 'function' && this.#names.asks(context);
    if (contextAsks) this.#names.hasActors = true;
    return {
      id: this.#machine.id,
      machine: this.#machine,
      acts: this.#names.acts || this.#names.hasActors,
      hasActors: this.#names.hasActors,
      leaves,
      types,
      hasWildcards,
      initial,
      eventTypes: this.#machine.events.filter((type: string) => !type.startsWith('xstate.')),
      context,
      contextAsks,
      stepsMax: stepsMaxOf(this.#machine),
      slots: Math.max(...leaves.map(({ timers }) => timers.length)),
    };
  }

  /** @param slot the first that the states around it leave free */
  #visit(node: AnyStateNode, slot: number): void {
    this.attempt(() => {
      if (node.type === 'parallel') {
        refuse(node, 'its states are parallel', 'Make each of them a machine of its own');
      }
    });
    this.attempt(() => {
      if (node.type === 'history') {
        refuse(node, 'it is a history state', `Name the state to return to, ${USE_ACTOR}`);
      }
    });
    this.attempt(() => {
      if ((node.config as { route?: unknown }).route !== undefined) {
        refuse(node, 'it has a route', `Use a transition with an event of its own, ${USE_ACTOR}`);
      }
    });
    this.attempt(() => initialOf(node));
    this.#nodes.push(node);
    const timers = this.attempt(() => this.#timersOf(node, slot)) ?? [];
    this.#timers.set(node, timers);
    for (const child of Object.values(node.states) as AnyStateNode[]) this.#visit(child, slot + timers.length);
    if (node.type !== 'compound') {
      this.#number.set(node, this.#leaves.length);
      this.#leaves.push(node);
    }
  }

  #check(node: AnyStateNode): void {
    const transitions = [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
    for (const type of node.transitions.keys()) this.attempt(() => isWildcard(node, type));
    for (const { guard, target } of transitions) {
      if (guard !== undefined) this.attempt(() => this.#names.guard(node, guard));
      this.attempt(() => {
        if (target !== undefined && target.length > 1) {
          refuse(node, 'a transition of it has several targets', 'Give it one');
        }
      });
    }
    const initial = this.attempt(() => initialOf(node)?.actions) ?? [];
    for (const actions of [
      toArray(node.config.entry),
      initial,
      toArray(node.config.exit),
      ...transitions.map((one) => one.actions),
    ]) {
      for (const action of actions) this.attempt(() => this.#names.action(node, action));
    }
    for (const invoke of node.invoke) this.attempt(() => this.#names.invocation(node, invoke));
  }

  #numberOf(leaf: AnyStateNode): number {
    return this.#number.get(leaf) as number;
  }

  #leaf(node: AnyStateNode, types: readonly string[]): Leaf {
    const around = withAncestors(node);
    const steps = (type: string) => around.flatMap((state) => candidatesOf(state, type)).map(this.#stepFrom(node));
    const wild = around.flatMap((state) =>
      wildcardsOf(state).flatMap((wildcard) =>
        (state.transitions.get(wildcard) ?? []).map((transition) => ({
          ...this.#step(node, transition),
          wildcard: wildcard === '*' ? undefined : wildcard,
        })),
      ),
    );
    return {
      path: node.path,
      tags: [...new Set(around.flatMap(({ tags }) => tags as string[]))],
      isFinal: node.type === 'final' && node.parent === this.#machine.root,
      always: around.flatMap((state) => state.always ?? []).map(this.#stepFrom(node)),
      on: new Map(types.map((type) => [type, steps(type)])),
      other: wild,
      timers: this.#names.hasActors
        ? []
        : around.toReversed().flatMap((state) => this.#timerOpsOf(state).map(({ set }) => set.timer)),
    };
  }

  #timerOpsOf(node: AnyStateNode): readonly TimerOps[] {
    return this.#timers.get(node) as readonly TimerOps[];
  }

  #stepFrom(leaf: AnyStateNode): (transition: Transition) => Step {
    return (transition) => this.#step(leaf, transition);
  }

  #step(leaf: AnyStateNode, transition: Transition): Step {
    const { source, actions, guard } = transition;
    this.#names.at = leaf;
    const target = (transition.target as AnyStateNode[] | undefined)?.[0];
    const ops: Op[] = [];
    const active = new Set(withAncestors(leaf));
    const domain = target === undefined ? undefined : domainOf(transition, target);
    if (target !== undefined) {
      for (const node of outermostLast(active)) {
        if (!isDescendant(node, domain)) continue;
        this.#leave(node, ops);
        active.delete(node);
      }
    }
    this.#act(source, actions, ops);
    if (target !== undefined) this.#enter(entered(transition, target, domain), active, ops);
    const to = leafOf(active);
    return {
      guard: guard === undefined ? undefined : this.#names.guard(source, guard),
      source: source.id,
      guardName: nameOf(guard),
      ops,
      to: this.#numberOf(to),
      stays: to === leaf,
      acts: target !== undefined || actions.length > 0,
      changes: to !== leaf || ops.some(changesSnapshot),
      mayChange: ops.some(mayAssign),
    };
  }

  #initialStep(): Step {
    const { root } = this.#machine;
    const ops: Op[] = [];
    const active = new Set<AnyStateNode>();
    const entering = new Map<AnyStateNode, boolean>([[root, true]]);
    addInitial(root, entering);
    for (const node of entering.keys()) checkStart(node);
    this.#enter(entering, active, ops);
    return {
      guard: undefined,
      source: root.id,
      ops,
      to: this.#numberOf(leafOf(active)),
      stays: false,
      acts: true,
      changes: true,
      mayChange: false,
    };
  }

  /** @param nodes the states to enter, and whether each is entered by default, with its initial transition's actions */
  #enter(nodes: ReadonlyMap<AnyStateNode, boolean>, active: Set<AnyStateNode>, ops: Op[]): void {
    let isDone = false;
    for (const [node, byDefault] of [...nodes].sort(([a], [b]) => a.order - b.order)) {
      active.add(node);
      const coming = node.invoke.map(({ id }) => id);
      const entry: Op[] = [];
      this.#act(node, toArray(node.config.entry), entry);
      ops.push(...(coming.length === 0 ? entry : entry.map((op) => (op.do === 'act' ? { ...op, coming } : op))));
      for (const { set } of this.#timerOpsOf(node)) ops.push(set);
      for (const invoke of node.invoke) ops.push({ do: 'invoke', actor: this.#names.invocation(node, invoke) });
      if (byDefault && node.type === 'compound') this.#act(node, node.initial.actions, ops);
      if (node.type !== 'final') continue;
      const { parent } = node;
      if (parent?.parent !== undefined) {
        ops.push({ do: 'complete', type: doneType(parent), output: this.#names.expression(node.output) });
      } else {
        const output = this.#names.expression(this.#machine.root.output);
        const final = parent === undefined ? undefined : this.#names.expression(node.output);
        ops.push({ do: 'finish', output, type: doneType(node), final });
        isDone = true;
      }
    }
    // XState leaves all states of a machine that is done; its actors are stopped at its very end.
    if (isDone) for (const node of outermostLast(active)) this.#exit(node, ops);
  }

  #leave(node: AnyStateNode, ops: Op[]): void {
    this.#exit(node, ops);
    for (const { id } of node.invoke) ops.push({ do: 'stop', id });
  }

  #exit(node: AnyStateNode, ops: Op[]): void {
    this.#act(node, toArray(node.config.exit), ops);
    for (const { clear } of this.#timerOpsOf(node)) ops.push(clear);
  }

  #timersOf(node: AnyStateNode, slot: number): TimerOps[] {
    return Object.keys(node.config.after ?? {}).map((key, index) => {
      const isNamed = Number.isNaN(+key);
      const delay = isNamed ? this.#names.delay(node, key) : { value: +key };
      const name = isNamed ? key : String(+key);
      const timer: PlannedTimer = { name, type: `xstate.after.${name}.${node.id}`, slot: slot + index };
      return this.#names.hasActors
        ? { set: { do: 'schedule', timer, delay }, clear: { do: 'unschedule', timer } }
        : { set: { do: 'set', timer, delay }, clear: { do: 'clear', timer } };
    });
  }

  #act(node: AnyStateNode, actions: readonly Action[], ops: Op[]): void {
    for (const action of actions) ops.push(...this.#names.action(node, action));
  }
}

interface TimerOps {
  readonly set: Extract<Op, { do: 'set' | 'schedule' }>;
  readonly clear: Extract<Op, { do: 'clear' | 'unschedule' }>;
}

/** XState makes a new snapshot for these, also where nothing in it is another one: then it asks each `always` again. */
const changesSnapshot = ({ do: what, ...op }: Op): boolean =>
  what === 'assign' ||
  what === 'merge' ||
  what === 'invoke' ||
  what === 'stop' ||
  (what === 'act' && (op as { action: Builtin }).action.type?.endsWith('Child') === true);

const mayAssign = (op: Op): boolean => op.do === 'act' && (op.action as Builtin).type === 'xstate.enqueueActions';
