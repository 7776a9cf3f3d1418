/**
 * Compiles a machine: what XState works out for every event (which transition, which states are left and entered, what
 * is done in which order) is worked out once here, for each leaf state and each event.
 *
 * The order of things follows the algorithm of SCXML (https://www.w3.org/TR/scxml/#AlgorithmforSCXMLInterpretation) as
 * XState 5 implements it, for machines without parallel and history states.
 */
import { type AnyStateMachine, type AnyStateNode, and, not, or } from 'xstate';
import { CompileError } from '../errors.js';

/** A function of the machine: called with `{ context, event }`, and its params if it has some. */
export interface Call {
  readonly run: Callable;
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

/** One thing that a step does; the order is that of XState. */
export type Op =
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
  readonly ops: readonly Op[];
  /** The leaf that it leads to. */
  readonly to: number;
  /** False for a transition that only says that an event is ignored. */
  readonly acts: boolean;
  /** It leads to the leaf that it starts in. */
  readonly stays: boolean;
  /** It leads elsewhere, or assigns. Where a step does neither, XState asks no `always` again. */
  readonly changes: boolean;
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
  readonly leaves: readonly Leaf[];
  readonly types: readonly string[];
  readonly hasWildcards: boolean;
  readonly initial: Step;
  /** The types of events that the machine names, without its own timers. */
  readonly eventTypes: readonly string[];
  /** What the machine's context is, or the function that makes it. */
  readonly context: unknown;
  /** Steps of one event, after which it is taken for a cycle that never ends. */
  readonly stepsMax: number;
  /** How many timers may run at the same time. */
  readonly slots: number;
}

/**
 * Works out what a machine does.
 *
 * @throws CompileError for a machine with parallel states, `invoke`, actions that are functions …
 */
export const planOf = (machine: AnyStateMachine): Plan => new Planner(machine).plan();

/** A transition as XState has normalised it. */
type Transition = NonNullable<AnyStateNode['always']>[number];

type Action = AnyStateNode['entry'][number];

/** What XState's action creators leave on the functions that they return. */
interface Builtin {
  readonly type?: string;
  readonly assignment?: unknown;
  readonly event?: unknown;
  readonly delay?: unknown;
}

const USE_ACTOR = 'or run it on an XState actor (xstateRuntime.run(machine, input, host))';

/** Of one event: more is a cycle that never ends. XState has no limit unless it is given one. */
const STEPS_MAX = 10_000;

/** XState says infinity where the machine says nothing. */
function stepsMaxOf({ options }: AnyStateMachine): number {
  const { maxIterations } = options ?? {};
  return maxIterations !== undefined && Number.isFinite(maxIterations) ? maxIterations : STEPS_MAX;
}

class Planner {
  readonly #machine: AnyStateMachine;
  readonly #nodes: AnyStateNode[] = [];
  readonly #leaves: AnyStateNode[] = [];
  readonly #number = new Map<AnyStateNode, number>();
  readonly #timers = new Map<AnyStateNode, readonly TimerOps[]>();

  constructor(machine: AnyStateMachine) {
    this.#machine = machine;
    this.#visit(machine.root, 0);
  }

  plan(): Plan {
    const named = new Set<string>();
    let hasWildcards = false;
    for (const node of this.#nodes) {
      for (const type of node.transitions.keys()) {
        if (isWildcard(node, type)) hasWildcards = true;
        else named.add(type);
      }
      // A final child raises this also where no transition names it, and a wildcard may match it.
      if (node.type === 'compound') named.add(doneType(node));
    }
    const types = [...named];
    const leaves = this.#leaves.map((leaf) => this.#leaf(leaf, types));
    // Also the entry of a state that nothing leads to must be sound.
    for (const node of this.#nodes) this.#check(node);
    return {
      id: this.#machine.id,
      leaves,
      types,
      hasWildcards,
      initial: this.#initialStep(),
      eventTypes: this.#machine.events.filter((type: string) => !type.startsWith('xstate.')),
      context: this.#machine.config.context,
      stepsMax: stepsMaxOf(this.#machine),
      slots: Math.max(...leaves.map(({ timers }) => timers.length)),
    };
  }

  /** @param slot the first that the states around it leave free */
  #visit(node: AnyStateNode, slot: number): void {
    if (node.type === 'parallel') {
      refuse(node, 'its states are parallel', 'Make each of them a machine of its own');
    }
    if (node.type === 'history') {
      refuse(node, 'it is a history state', `Name the state to return to, ${USE_ACTOR}`);
    }
    if (node.invoke.length > 0) {
      refuse(
        node,
        'it invokes an actor',
        `Emit a command instead and report what came of it as an event, ${USE_ACTOR}`,
      );
    }
    if ((node.config as { route?: unknown }).route !== undefined) {
      refuse(node, 'it has a route', `Use a transition with an event of its own, ${USE_ACTOR}`);
    }
    this.#nodes.push(node);
    const timers = this.#timersOf(node, slot);
    this.#timers.set(node, timers);
    for (const child of Object.values(node.states) as AnyStateNode[]) this.#visit(child, slot + timers.length);
    if (node.type !== 'compound') {
      this.#number.set(node, this.#leaves.length);
      this.#leaves.push(node);
    }
  }

  #check(node: AnyStateNode): void {
    const ops: Op[] = [];
    for (const { guard, actions } of [...[...node.transitions.values()].flat(), ...(node.always ?? [])]) {
      if (guard !== undefined) this.#guard(node, guard);
      this.#act(node, actions, ops);
    }
    this.#enter(new Map([[node, true]]), new Set(), ops);
    this.#leave(node, ops);
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
      timers: around.toReversed().flatMap((state) => this.#timerOpsOf(state).map(({ set }) => set.timer)),
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
    const targets = transition.target as AnyStateNode[] | undefined;
    if (targets !== undefined && targets.length > 1) {
      refuse(source, 'a transition of it has several targets', 'Give it one');
    }
    const target = targets?.[0];
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
      ops,
      to: this.#numberOf(to),
      stays: to === leaf,
      acts: target !== undefined || actions.length > 0,
      changes: to !== leaf || ops.some((op) => op.do === 'assign' || op.do === 'merge'),
    };
  }

  #initialStep(): Step {
    const { root } = this.#machine;
    const ops: Op[] = [];
    const active = new Set<AnyStateNode>();
    const entering = new Map<AnyStateNode, boolean>([[root, true]]);
    addInitial(root, entering);
    this.#enter(entering, active, ops);
    return { guard: undefined, ops, to: this.#numberOf(leafOf(active)), stays: false, acts: true, changes: true };
  }

  /** @param nodes the states to enter, and whether each is entered by default, with its initial transition's actions */
  #enter(nodes: ReadonlyMap<AnyStateNode, boolean>, active: Set<AnyStateNode>, ops: Op[]): void {
    let isDone = false;
    for (const [node, byDefault] of [...nodes].sort(([a], [b]) => a.order - b.order)) {
      active.add(node);
      this.#act(node, toArray(node.config.entry), ops);
      for (const { set } of this.#timerOpsOf(node)) ops.push(set);
      if (byDefault && node.type === 'compound') this.#act(node, node.initial.actions, ops);
      if (node.type !== 'final') continue;
      const { parent } = node;
      if (parent?.parent !== undefined) {
        ops.push({ do: 'complete', type: doneType(parent), output: expression(node.output) });
      } else {
        const output = expression(this.#machine.root.output);
        ops.push({ do: 'finish', output, type: doneType(node), final: expression(node.output) });
        isDone = true;
      }
    }
    // XState leaves all states of a machine that is done.
    if (isDone) for (const node of outermostLast(active)) this.#leave(node, ops);
  }

  #leave(node: AnyStateNode, ops: Op[]): void {
    this.#act(node, toArray(node.config.exit), ops);
    for (const { clear } of this.#timerOpsOf(node)) ops.push(clear);
  }

  #timersOf(node: AnyStateNode, slot: number): TimerOps[] {
    return Object.keys(node.config.after ?? {}).map((key, index) => {
      const isNamed = Number.isNaN(+key);
      const delay = isNamed ? this.#delay(node, key) : { value: +key };
      const name = isNamed ? key : String(+key);
      const timer: PlannedTimer = { name, type: `xstate.after.${name}.${node.id}`, slot: slot + index };
      return { set: { do: 'set', timer, delay }, clear: { do: 'clear', timer } };
    });
  }

  #delay(node: AnyStateNode, name: string): Expression {
    const delay: unknown = this.#machine.implementations.delays[name];
    if (typeof delay === 'number' || typeof delay === 'function') return expression(delay) as Expression;
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
    switch (action.type) {
      case 'xstate.assign':
        return [assignment(action.assignment, params)];
      case 'xstate.emit':
        return [{ do: 'emit', command: valueOr(action.event, params) }];
      case 'xstate.raise':
        if (action.delay !== undefined) {
          return refuse(
            node,
            `${what} raises an event later`,
            'Use `after`, which is cancelled when the state is left',
          );
        }
        if (typeof action.event === 'string') {
          return refuse(node, `${what} raises a string`, `Raise { type: '${action.event}' }`);
        }
        return [{ do: 'raise', event: valueOr(action.event, params) }];
      default: {
        const is = action.type?.startsWith('xstate.') ? `is ${action.type.slice(7)}` : 'is a function of its own';
        return refuse(
          node,
          `${what} ${is}`,
          `Emit a command instead, which the host performs (emit({ type: '…' })), ${USE_ACTOR}`,
        );
      }
    }
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
    const { check, guards } = resolved as Combinator;
    if (check !== undefined) return this.#combined(node, check, guards);
    return { call: callOf(resolved as Callable, params) };
  }

  #combined(node: AnyStateNode, check: unknown, guards: readonly unknown[] = []): Guard {
    const parts = guards.map((part) => this.#guard(node, part));
    const [first] = parts;
    if (check === NOT && first !== undefined) return { not: first };
    if (check === AND) return { and: parts };
    if (check === OR) return { or: parts };
    return refuse(
      node,
      'it has a guard that asks for the state',
      `Give that state a transition of its own, ${USE_ACTOR}`,
    );
  }
}

/** What `and`, `or`, `not` and `stateIn` return: only `check` tells them apart. */
interface Combinator {
  readonly check?: unknown;
  readonly guards?: readonly unknown[];
}

const checkOf = (guard: unknown): unknown => (guard as Combinator).check;
const NOT = checkOf(not(() => true));
const AND = checkOf(and([]));
const OR = checkOf(or([]));

interface TimerOps {
  readonly set: Extract<Op, { do: 'set' }>;
  readonly clear: Extract<Op, { do: 'clear' }>;
}

/** Params that are a function are asked for when they are needed. */
function callOf(run: Callable, params: unknown): Call {
  if (params === undefined) return { run };
  return { run, params: typeof params === 'function' ? { call: { run: params } } : { value: params } };
}

const valueOr = (given: unknown, params?: unknown): Expression =>
  typeof given === 'function' ? { call: callOf(given, params) } : { value: given };

const expression = (given: unknown): Expression | undefined => (given === undefined ? undefined : valueOr(given));

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

/** Each part is computed from the context before all of them. */
function assignment(parts: unknown, params: unknown): Op {
  if (typeof parts === 'function') return { do: 'merge', call: callOf(parts, params) };
  const entries = Object.entries(parts as Record<string, unknown>);
  return { do: 'assign', parts: entries.map(([key, value]) => [key, valueOr(value, params)]) };
}
