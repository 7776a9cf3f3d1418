/**
 * Compiles a machine: what XState works out for every event (which transition, which states are left and entered, what
 * is done in which order) is worked out once here, for each leaf state and each event.
 *
 * The order of things follows the algorithm of SCXML (https://www.w3.org/TR/scxml/#AlgorithmforSCXMLInterpretation) as
 * XState 5 implements it, for machines without parallel and history states.
 */
import {
  type AnyActorLogic,
  type AnyStateMachine,
  type AnyStateNode,
  and,
  matchesState,
  not,
  or,
  pathToStateValue,
  type StateValue,
  stateIn,
} from 'xstate';
import { CompileError } from '../errors.js';

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

/** Whether a function of the machine may read more than the context and the event. */
type Asks = (run: Callable) => boolean;

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

/** A transition as XState has normalised it. */
type Transition = NonNullable<AnyStateNode['always']>[number];

type Action = AnyStateNode['entry'][number];

/** What XState's action creators leave on the functions that they return. */
interface Builtin {
  readonly type?: string;
  readonly to?: unknown;
  readonly src?: unknown;
  readonly assignment?: unknown;
  readonly event?: unknown;
  readonly delay?: unknown;
}

const USE_ACTOR = 'or run it on an XState actor (interpret(machine))';
const EMIT = `Emit a command instead, which the host performs (emit({ type: '…' })), ${USE_ACTOR}`;

/** Of one event: more is a cycle that never ends. XState has no limit unless it is given one. */
const STEPS_MAX = 10_000;

/** XState says infinity where the machine says nothing. */
function stepsMaxOf({ options }: AnyStateMachine): number {
  const { maxIterations } = options ?? {};
  return maxIterations !== undefined && Number.isFinite(maxIterations) ? maxIterations : STEPS_MAX;
}

class Planner {
  #acts = false;
  #hasActors: boolean;
  /** The leaf whose steps are worked out. */
  #at: AnyStateNode | undefined;
  readonly #refusals: CompileError[] | undefined;
  readonly #asks: Asks;
  readonly #machine: AnyStateMachine;
  readonly #nodes: AnyStateNode[] = [];
  readonly #leaves: AnyStateNode[] = [];
  readonly #number = new Map<AnyStateNode, number>();
  readonly #timers = new Map<AnyStateNode, readonly TimerOps[]>();

  constructor(machine: AnyStateMachine, { hasActors, asks, refusals }: PlannerOptions) {
    this.#machine = machine;
    this.#hasActors = hasActors;
    this.#asks = asks;
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
    const contextAsks = typeof context === 'function' && this.#asks(context);
    if (contextAsks) this.#hasActors = true;
    return {
      id: this.#machine.id,
      machine: this.#machine,
      acts: this.#acts || this.#hasActors,
      hasActors: this.#hasActors,
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
      if (guard !== undefined) this.attempt(() => this.#guard(node, guard));
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
      for (const action of actions) this.attempt(() => this.#action(node, action));
    }
    for (const invoke of node.invoke) this.attempt(() => this.#invocation(node, invoke));
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
      timers: this.#hasActors
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
    this.#at = leaf;
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
      guard: guard === undefined ? undefined : this.#guard(source, guard),
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
      for (const invoke of node.invoke) ops.push({ do: 'invoke', actor: this.#invocation(node, invoke) });
      if (byDefault && node.type === 'compound') this.#act(node, node.initial.actions, ops);
      if (node.type !== 'final') continue;
      const { parent } = node;
      if (parent?.parent !== undefined) {
        ops.push({ do: 'complete', type: doneType(parent), output: this.#expression(node.output) });
      } else {
        const output = this.#expression(this.#machine.root.output);
        const final = parent === undefined ? undefined : this.#expression(node.output);
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

  readonly #invocations = new Map<unknown, Invocation>();

  #invocation(node: AnyStateNode, invoke: AnyStateNode['invoke'][number]): Invocation {
    const before = this.#invocations.get(invoke);
    if (before !== undefined) return before;
    const { id, src, systemId, input, onSnapshot } = invoke as typeof invoke & { onSnapshot?: unknown };
    const given = toArray(node.config.invoke as { src: string | AnyActorLogic } | undefined)[
      node.invoke.indexOf(invoke)
    ]?.src;
    const logic = typeof given === 'string' ? this.#machine.implementations.actors[given] : given;
    if (logic === undefined) {
      refuse(node, `its actor "${src}" is not defined`, `Define it in setup({ actors: { ${src}: … } })`);
    }
    this.#hasActors = true;
    const invocation = {
      id,
      src,
      logic: logic as AnyActorLogic,
      systemId,
      input,
      syncSnapshot: onSnapshot !== undefined,
    };
    this.#invocations.set(invoke, invocation);
    return invocation;
  }

  #timersOf(node: AnyStateNode, slot: number): TimerOps[] {
    return Object.keys(node.config.after ?? {}).map((key, index) => {
      const isNamed = Number.isNaN(+key);
      const delay = isNamed ? this.#delay(node, key) : { value: +key };
      const name = isNamed ? key : String(+key);
      const timer: PlannedTimer = { name, type: `xstate.after.${name}.${node.id}`, slot: slot + index };
      return this.#hasActors
        ? { set: { do: 'schedule', timer, delay }, clear: { do: 'unschedule', timer } }
        : { set: { do: 'set', timer, delay }, clear: { do: 'clear', timer } };
    });
  }

  #delay(node: AnyStateNode, name: string): Expression {
    const delay: unknown = this.#machine.implementations.delays[name];
    if (typeof delay === 'number' || typeof delay === 'function') return this.#expression(delay) as Expression;
    return refuse(node, `its delay "${name}" is not defined`, `Define it in setup({ delays: { ${name}: … } })`);
  }

  #act(node: AnyStateNode, actions: readonly Action[], ops: Op[]): void {
    for (const action of actions) ops.push(...this.#action(node, action));
  }

  #action(node: AnyStateNode, action: Action): Op[] {
    if (typeof action === 'function') return this.#builtin(node, action as Builtin, undefined, 'an action');
    const { type: name, params } = typeof action === 'string' ? { type: action, params: undefined } : action;
    const implementation = this.#machine.implementations.actions[name] as Builtin | undefined;
    if (implementation === undefined) {
      return refuse(
        node,
        `its action "${name}" is not defined`,
        `Define it in setup({ actions: { ${name}: emit(…) } })`,
      );
    }
    return this.#builtin(node, implementation, params, `its action "${name}"`);
  }

  #builtin(node: AnyStateNode, action: Builtin, params: unknown, what: string): Op[] {
    if (!('resolve' in action)) {
      this.#acts = true;
      return [{ do: 'call', call: this.#call(action as Callable, params) }];
    }
    switch (action.type) {
      case 'xstate.assign':
        return [this.#assignment(action.assignment, params)];
      case 'xstate.emit':
        return [{ do: 'emit', command: this.#valueOr(action.event, params) }];
      case 'xstate.raise':
        if (typeof action.event === 'string') {
          return refuse(node, `${what} raises a string`, `Raise { type: '${action.event}' }`);
        }
        if (action.delay === undefined) return [{ do: 'raise', event: this.#valueOr(action.event, params) }];
        this.#delayOf(node, action.delay);
        break;
      case 'xstate.sendTo':
        if (action.to === '#_parent') {
          return refuse(node, `${what} sends to a parent, which it has not`, EMIT);
        }
        if (typeof action.event === 'string') {
          return refuse(node, `${what} sends a string`, `Send { type: '${action.event}' }`);
        }
        this.#delayOf(node, action.delay);
        break;
      case 'xstate.spawnChild':
        if (typeof action.src === 'string' && this.#machine.implementations.actors[action.src] === undefined) {
          return refuse(
            node,
            `its actor "${action.src}" is not defined`,
            `Define it in setup({ actors: { ${action.src}: … } })`,
          );
        }
        break;
      case 'xstate.log':
        this.#acts = true;
        return [this.#actOp(action, params)];
      case 'xstate.cancel':
      case 'xstate.stopChild':
      case 'xstate.enqueueActions':
        break;
      default:
        return refuse(node, `${what} is ${action.type?.slice(7)}`, EMIT);
    }
    this.#hasActors = true;
    return [this.#actOp(action, params)];
  }

  #actOp(action: Builtin, params: unknown): Op {
    return { do: 'act', action: action as Callable, params: paramsOf(params) };
  }

  /** A delay of its own that has a name must be defined. */
  #delayOf(node: AnyStateNode, delay: unknown): void {
    if (typeof delay === 'string') this.#delay(node, delay);
  }

  /** Params that are a function are asked for when they are needed. */
  #call(run: Callable, params?: unknown): Call {
    const asks = this.#asks(run);
    if (asks) this.#hasActors = true;
    const given = paramsOf(params);
    return { run, ...(asks && { asks }), ...(given !== undefined && { params: given }) };
  }

  #valueOr(given: unknown, params?: unknown): Expression {
    return typeof given === 'function' ? { call: this.#call(given, params) } : { value: given };
  }

  #expression(given: unknown): Expression | undefined {
    return given === undefined ? undefined : this.#valueOr(given);
  }

  /** Each part is computed from the context before all of them. */
  #assignment(parts: unknown, params: unknown): Op {
    if (typeof parts === 'function') return { do: 'merge', call: this.#call(parts, params) };
    const entries = Object.entries(parts as Record<string, unknown>);
    return { do: 'assign', parts: entries.map(([key, value]) => [key, this.#valueOr(value, params)]) };
  }

  #guard(node: AnyStateNode, guard: unknown): Guard {
    let resolved = guard;
    let params: unknown;
    if (typeof guard !== 'function') {
      const { type: name, params: given } =
        typeof guard === 'string' ? { type: guard, params: undefined } : (guard as { type: string; params?: unknown });
      params = given;
      resolved = this.#machine.implementations.guards[name];
      if (resolved === undefined) {
        return refuse(node, `its guard "${name}" is not defined`, `Define it in setup({ guards: { ${name}: … } })`);
      }
      // A name may stand for another one.
      if (typeof resolved !== 'function') return this.#guard(node, resolved);
    }
    const combinator = resolved as Combinator;
    if (combinator.check !== undefined) return this.#combined(node, combinator);
    // XState gives a guard the context and the event, and nothing else.
    const given = paramsOf(params);
    return { call: { run: resolved as Callable, ...(given !== undefined && { params: given }) } };
  }

  #combined(node: AnyStateNode, { check, guards = [], stateValue }: Combinator): Guard {
    const parts = guards.map((part) => this.#guard(node, part));
    const [first] = parts;
    if (check === NOT && first !== undefined) return { not: first };
    if (check === AND) return { and: parts };
    if (check === OR) return { or: parts };
    if (check === IN && stateValue !== undefined) return this.#isIn(stateValue) ? { and: [] } : { or: [] };
    return refuse(node, 'it has a guard that is not known', `Write it as a function, ${USE_ACTOR}`);
  }

  /** In each leaf it is known beforehand which states it is in. */
  #isIn(value: StateValue): boolean {
    const leaf = this.#at;
    if (leaf === undefined) return true;
    if (typeof value === 'string' && value.startsWith('#')) {
      return withAncestors(leaf).includes(this.#machine.getStateNodeById(value));
    }
    return leaf.path.length > 0 && matchesState(value, pathToStateValue(leaf.path));
  }
}

/** The name that the machine gives a guard; a function, and what `and` returns, has none. */
const nameOf = (guard: Transition['guard']): string | undefined =>
  typeof guard === 'object' ? guard.type : typeof guard === 'string' ? guard : undefined;

/** What `and`, `or`, `not` and `stateIn` return: only `check` tells them apart. */
interface Combinator {
  readonly check?: unknown;
  readonly guards?: readonly unknown[];
  readonly stateValue?: StateValue;
}

const checkOf = (guard: unknown): unknown => (guard as Combinator).check;
const NOT = checkOf(not(() => true));
const AND = checkOf(and([]));
const OR = checkOf(or([]));
const IN = checkOf(stateIn(''));

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

/** A value, or a function that gives one. XState gives it the context and the event. */
function paramsOf(params: unknown): Expression | undefined {
  if (params === undefined) return undefined;
  return typeof params === 'function' ? { call: { run: params } } : { value: params };
}

/**
 * Whether a function may read more of its argument than the context and the event, as far as its text tells: where it may,
 * an instance makes an object that stands for it.
 */
export function mayAsk(run: Callable): boolean {
  const text = Function.prototype.toString.call(run);
  if (text.includes('[native code]') || text.includes('arguments')) return true;
  const [, first = ''] = /^[^(=]*\(\s*([\s\S]*)/.exec(text) ?? [text, text];
  if (first.startsWith('{')) return !keysOf(first).every((key) => PLAIN.has(key));
  const [name] = /^[\w$]*/.exec(first) as unknown as [string];
  if (name === '') return !first.startsWith(')');
  const word = `(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`;
  const count = (pattern: string): number => text.match(new RegExp(pattern, 'g'))?.length ?? 0;
  return count(word) > count(`${word}\\.(?:context|event|input)(?![\\w$])`) + 1;
}

const PLAIN = new Set(['context', 'event', 'input']);

/** The keys that a parameter is taken apart by: `{ context: { n }, event }` has two. */
function keysOf(text: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  let key = '';
  for (const char of text) {
    if (depth === 1 && (char === ',' || char === '}')) {
      const [name] = /^[^\s:=]*/.exec(key.trim()) as unknown as [string];
      if (name !== '') keys.push(name);
      key = '';
    } else if (depth === 1) {
      key += char;
    }
    if ('{[('.includes(char)) depth++;
    else if ('}])'.includes(char)) depth--;
    if (depth === 0) break;
  }
  return keys;
}

/** XState looks for it only when the machine starts. */
function initialOf(node: AnyStateNode): AnyStateNode['initial'] | undefined {
  if (node.type !== 'compound') return undefined;
  try {
    return node.initial;
  } catch {
    const { initial } = node.config as { initial?: unknown };
    const names = Object.keys(node.states).join(', ');
    return refuse(node, `its initial state "${initial}" is not one of its states`, `Name one of these: ${names}`);
  }
}

function refuse(node: AnyStateNode, why: string, advice: string): never {
  throw new CompileError(node.id, why, advice);
}

/** A state and all around it, from the inside out. */
function withAncestors(node: AnyStateNode): AnyStateNode[] {
  const all: AnyStateNode[] = [];
  for (let state: AnyStateNode | undefined = node; state !== undefined; state = state.parent) all.push(state);
  return all;
}

function outermostLast(nodes: ReadonlySet<AnyStateNode>): AnyStateNode[] {
  return [...nodes].sort((a, b) => b.order - a.order);
}

/** True inside `ancestor`; everything is inside of nothing. */
function isDescendant(node: AnyStateNode, ancestor: AnyStateNode | undefined): boolean {
  return ancestor === undefined || withAncestors(node).indexOf(ancestor) > 0;
}

/** The state that a transition stays inside of; nothing if it leaves the root itself. */
function domainOf({ source, reenter }: Transition, target: AnyStateNode): AnyStateNode | undefined {
  if (!reenter && (target === source || isDescendant(target, source))) return source;
  const common = withAncestors(target).find((node) => isDescendant(target, node) && isDescendant(source, node));
  return common ?? (reenter ? undefined : source.machine.root);
}

const leafOf = (active: ReadonlySet<AnyStateNode>): AnyStateNode =>
  [...active].find((node) => node.type !== 'compound') as AnyStateNode;

/** The states that a transition enters, and whether by default: then the actions of its initial transition are done. */
function entered(
  { source, reenter }: Transition,
  target: AnyStateNode,
  domain: AnyStateNode | undefined,
): Map<AnyStateNode, boolean> {
  const entering = new Map<AnyStateNode, boolean>();
  if (source !== target || source !== domain || reenter) entering.set(target, true);
  addInitial(target, entering);
  for (let node = target.parent; node !== undefined && node !== domain; node = node.parent) {
    if (isDescendant(node, domain) && !entering.has(node)) entering.set(node, false);
  }
  return entering;
}

function addInitial(node: AnyStateNode, entering: Map<AnyStateNode, boolean>): void {
  let state = node;
  while (state.type === 'compound') {
    state = (state.initial.target as AnyStateNode[])[0] as AnyStateNode;
    entering.set(state, true);
  }
}

/** Transitions for exactly this type, then those of wildcards that match it, the longest first. */
function candidatesOf(node: AnyStateNode, type: string): Transition[] {
  const matching = wildcardsOf(node).filter((wildcard) => matchesWildcard(type, wildcard));
  return [type, ...matching].flatMap((descriptor) => node.transitions.get(descriptor) ?? []);
}

const wildcardsOf = (node: AnyStateNode): string[] =>
  [...node.transitions.keys()].filter((type) => isWildcard(node, type)).sort((a, b) => b.length - a.length);

/** `*` matches everything, `socket.*` what begins with `socket.`, and `socket` itself. */
function matchesWildcard(type: string, descriptor: string): boolean {
  if (descriptor === '*') return true;
  if (!descriptor.endsWith('.*')) return false;
  return type === descriptor.slice(0, -2) || type.startsWith(descriptor.slice(0, -1));
}

function isWildcard(node: AnyStateNode, descriptor: string): boolean {
  const star = descriptor.indexOf('*');
  if (star === -1) return false;
  if (descriptor === '*' || (star === descriptor.length - 1 && descriptor.endsWith('.*'))) return true;
  return refuse(node, `it has a transition for "${descriptor}"`, 'Use "*" or a type that ends in ".*"');
}

const doneType = (node: AnyStateNode): string => `xstate.done.state.${node.id}`;

function toArray<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}
