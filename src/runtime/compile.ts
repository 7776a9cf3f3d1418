/**
 * Compiles a machine: what XState works out for every event (which transition, which states are left and entered, what
 * is done in which order) is worked out once here, for each leaf state and each event.
 *
 * The order of things follows the algorithm of SCXML (https://www.w3.org/TR/scxml/#AlgorithmforSCXMLInterpretation) as
 * XState 5 implements it, for machines without parallel and history states.
 */
import {
  type AnyStateMachine,
  type AnyStateNode,
  and,
  type EmittedFrom,
  type EventFromLogic,
  type InputFrom,
  not,
  or,
} from 'xstate';
import { CompileError, OptionError } from '../errors.js';
import type { Host, Instance } from './instance.js';
import {
  ACTS,
  ASKS,
  ASSIGN,
  ASSIGN_COMPUTED,
  ASSIGN_CONSTANT,
  CHANGES,
  CLEAR_TIMER,
  DONE_STATE,
  EMIT,
  EMIT_DYNAMIC,
  type Expression,
  FINISH,
  GOES_ON,
  type Guard,
  type Leaf,
  type Op,
  RAISE,
  RAISE_DYNAMIC,
  SET_TIMER,
  SET_TIMER_DYNAMIC,
  type Table,
  type TableTransition,
  type TimerDefinition,
} from './table.js';
import { TableInstance } from './table-instance.js';

/** A machine that was compiled. Made by {@link compile}. */
export interface CompiledMachine<M extends AnyStateMachine> {
  /** The id of the machine. */
  readonly id: string;
  /** Makes an instance, which has yet to be started. */
  run(input: InputFrom<M>, host: Host<EmittedFrom<M>>): Instance<Extract<EventFromLogic<M>, { type: string }>>;
}

/**
 * Compiles a machine to a flat table. An instance that runs on it is a small object whose transitions allocate nothing, and
 * that does what an XState actor would do, in the same order.
 *
 * Taken are nested states, guards (`and`, `or`, `not` too), `assign`, `emit`, `raise`, `always`, `after`, entry and exit
 * actions, `reenter`, wildcards, tags, and final states with `onDone` and output.
 *
 * A cycle of `always` or `raise` that never ends is an error after 10 000 steps, or as many as the machine's
 * `maxIterations`. An instance whose function throws is over: the error is the process's (`uncaughtException`), `finish` is
 * not called, and what is sent from then on is ignored; so it is with an actor.
 *
 * Where it differs, because nothing is allocated: the functions of a machine get `context`, `event` and their params in
 * an object that is used again, and `context` is written to in place; they must not keep either, nor may a command carry
 * `context` itself. Timers are set once the instance has come to rest. After a function has thrown, which ends the instance,
 * `context` may hold half of what the step assigned.
 *
 * @throws CompileError for anything else, such as parallel states, `invoke` or actions that are functions
 * @throws OptionError for what is no machine
 * @example
 * ```ts
 * const door = compile(doorMachine);
 * const instance = door.run(undefined, {
 *   id: 'door#1',
 *   clock: systemClock,
 *   perform: (command) => console.log(command.type),
 *   finish: (output) => console.log(output),
 * });
 * instance.start();
 * instance.send({ type: 'door.open' });
 * ```
 */
export function compile<M extends AnyStateMachine>(machine: M): CompiledMachine<M> {
  if (typeof machine?.root?.transitions?.keys !== 'function') {
    throw new OptionError('machine', machine, "a machine that XState's createMachine() has made");
  }
  const table = new Compiler(machine).table();
  return {
    id: machine.id,
    run: (input, host) => new TableInstance(table, input, host as Host<{ type: string }>) as never,
  };
}

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

class Compiler {
  readonly #machine: AnyStateMachine;
  readonly #nodes: AnyStateNode[] = [];
  readonly #leaves: AnyStateNode[] = [];
  readonly #number = new Map<AnyStateNode, number>();
  readonly #timers = new Map<AnyStateNode, readonly TimerOp[]>();
  readonly #emits: Op[] = [];

  constructor(machine: AnyStateMachine) {
    this.#machine = machine;
    this.#visit(machine.root);
  }

  table(): Table {
    const types = new Set<string>();
    let hasWildcards = false;
    for (const node of this.#nodes) {
      for (const type of node.transitions.keys()) {
        if (isWildcard(node, type)) hasWildcards = true;
        else types.add(type);
      }
      // A final child raises this also where no transition names it, and a wildcard may match it.
      if (node.type === 'compound') types.add(doneType(node));
    }
    const columns = new Map<string, (TableTransition | undefined)[]>();
    for (const type of types) columns.set(type, this.#column(type));
    // Also what no known event leads to must be sound: a wildcard may.
    for (const node of this.#nodes) this.#check(node);
    const initialOps: Op[] = [];
    const initial = this.#initialStep(initialOps);
    const leaves = this.#leaves.map((leaf) => this.#leaf(leaf));
    return {
      id: this.#machine.id,
      leaves,
      columns,
      columnOf: (type) => (hasWildcards ? this.#column(type) : undefined),
      initial,
      starts: this.#starts(initial, initialOps),
      hasAlways: leaves.some(({ always }) => always !== undefined),
      eventTypes: this.#machine.events.filter((type: string) => !type.startsWith('xstate.')),
      makeContext: contextMaker(this.#machine.config.context),
      emits: this.#emits,
      stepsMax: this.#machine.options?.maxIterations ?? STEPS_MAX,
      commands: undefined,
    };
  }

  #visit(node: AnyStateNode): void {
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
    this.#timers.set(node, this.#timersOf(node));
    const children = Object.values(node.states) as AnyStateNode[];
    for (const child of children) this.#visit(child);
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

  #leaf(node: AnyStateNode): Leaf {
    const around = withAncestors(node);
    const always = around.flatMap((state) => state.always ?? []);
    return {
      path: node.path.join('.'),
      isFinal: node.type === 'final' && node.parent === this.#machine.root,
      within: new Set(around.map(({ path }) => path.join('.')).filter((path) => path !== '')),
      tags: new Set(around.flatMap(({ tags }) => tags as string[])),
      always: this.#steps(node, always),
    };
  }

  /** What may be taken for a type of event, leaf by leaf: the transitions of the leaf first, then those around it. */
  #column(type: string): (TableTransition | undefined)[] {
    return this.#leaves.map((leaf) =>
      this.#steps(
        leaf,
        withAncestors(leaf).flatMap((node) => candidatesOf(node, type)),
      ),
    );
  }

  /** The transitions that may be taken, linked. */
  #steps(leaf: AnyStateNode, candidates: readonly Transition[]): TableTransition | undefined {
    return candidates.reduceRight<TableTransition | undefined>(
      (otherwise, transition) => this.#step(leaf, transition, otherwise),
      undefined,
    );
  }

  #step(
    leaf: AnyStateNode,
    transition: Transition,
    otherwise: TableTransition | undefined,
    ops: Op[] = [],
  ): TableTransition {
    const { source, actions, guard } = transition;
    const targets = transition.target as AnyStateNode[] | undefined;
    if (targets !== undefined && targets.length > 1) {
      refuse(source, 'a transition of it has several targets', 'Give it one');
    }
    const target = targets?.[0];
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
    const to = [...active].find((node) => node.type !== 'compound') as AnyStateNode;
    const flags =
      (target !== undefined || actions.length > 0 ? ACTS : 0) |
      (goesOn(to) ? GOES_ON : 0) |
      (to !== leaf || ops.some(assigns) ? CHANGES : 0);
    return this.#made(guard === undefined ? undefined : this.#guard(source, guard), ops, to, flags, otherwise);
  }

  #made(
    guard: Guard | undefined,
    ops: readonly Op[],
    to: AnyStateNode,
    flags: number,
    otherwise?: TableTransition,
  ): TableTransition {
    const computes = ops.filter(({ kind }) => COMPUTES.has(kind));
    const asks = guard !== undefined || computes.length > 0 || ((otherwise?.flags ?? 0) & ASKS) !== 0;
    return {
      guard,
      computes: this.#chain(computes),
      does: this.#chain(ops.filter(({ kind }) => DOES.has(kind)).map(forDoing)),
      to: this.#numberOf(to),
      flags: asks ? flags | ASKS : flags,
      otherwise,
    };
  }

  #initialStep(ops: Op[]): TableTransition {
    const { root } = this.#machine;
    const active = new Set<AnyStateNode>();
    const entering = new Map<AnyStateNode, boolean>([[root, true]]);
    addInitial(root, entering);
    this.#enter(entering, active, ops);
    const to = [...active].find((node) => node.type !== 'compound') as AnyStateNode;
    return this.#made(undefined, ops, to, ACTS | CHANGES | (goesOn(to) ? GOES_ON : 0));
  }

  /** The steps that may be taken at the start; undefined where more than one may follow the other, or any computes. */
  #starts(initial: TableTransition, initialOps: readonly Op[]): TableTransition | undefined {
    if (!initialOps.every(isPlain)) return undefined;
    if ((initial.flags & GOES_ON) === 0) return initial;
    const leaf = this.#leaves[initial.to] as AnyStateNode;
    const ways: [TableTransition, readonly Op[]][] = [];
    for (const transition of withAncestors(leaf).flatMap((state) => state.always ?? [])) {
      const ops: Op[] = [];
      const step = this.#step(leaf, transition, undefined, ops);
      const isKnown = ways.some(([{ to }]) => to === step.to);
      if (isKnown || (step.flags & GOES_ON) !== 0 || !ops.every(isPlain)) return undefined;
      ways.push([step, ops]);
      if (step.guard === undefined) break;
    }
    if (ways.at(-1)?.[0].guard !== undefined) return undefined;
    return ways.reduceRight<TableTransition | undefined>(
      (otherwise, [{ guard, to }, ops]) =>
        this.#made(guard, [...initialOps, ...ops], this.#leaves[to] as AnyStateNode, ACTS | CHANGES, otherwise),
      undefined,
    );
  }

  /** @param nodes the states to enter, and whether each is entered by default, with its initial transition's actions */
  #enter(nodes: ReadonlyMap<AnyStateNode, boolean>, active: Set<AnyStateNode>, ops: Op[]): void {
    let isDone = false;
    for (const [node, byDefault] of [...nodes].sort(([a], [b]) => a.order - b.order)) {
      active.add(node);
      this.#act(node, toArray(node.config.entry), ops);
      for (const { set } of this.#timers.get(node) as readonly TimerOp[]) ops.push(set);
      if (byDefault && node.type === 'compound') this.#act(node, node.initial.actions, ops);
      if (node.type !== 'final') continue;
      const { parent } = node;
      if (parent?.parent !== undefined) {
        ops.push(op(DONE_STATE, outputOf(node.output), doneType(parent)));
      } else {
        ops.push(op(FINISH, this.#machineOutput(node)));
        isDone = true;
      }
    }
    // XState leaves all states of a machine that is done.
    if (isDone) for (const node of outermostLast(active)) this.#leave(node, ops);
  }

  #leave(node: AnyStateNode, ops: Op[]): void {
    this.#act(node, toArray(node.config.exit), ops);
    for (const { clear } of this.#timers.get(node) as readonly TimerOp[]) ops.push(clear);
  }

  #machineOutput(final: AnyStateNode): Expression | undefined {
    const output = outputOf(this.#machine.root.output);
    if (output === undefined) return undefined;
    const finalOutput = outputOf(final.output);
    const type = doneType(final);
    return (args) => {
      const { context } = args;
      return output({ context, event: { type, output: finalOutput?.(args) } });
    };
  }

  #timersOf(node: AnyStateNode): TimerOp[] {
    return Object.keys(node.config.after ?? {}).map((key) => {
      const isNamed = Number.isNaN(+key);
      const delay = isNamed ? this.#delay(node, key) : +key;
      const name = isNamed ? key : String(delay);
      const timer: TimerDefinition = { name, event: { type: `xstate.after.${name}.${node.id}` } };
      const kind = typeof delay === 'function' ? SET_TIMER_DYNAMIC : SET_TIMER;
      return { set: op(kind, timer, delay), clear: op(CLEAR_TIMER, timer) };
    });
  }

  #delay(node: AnyStateNode, name: string): unknown {
    const delay: unknown = this.#machine.implementations.delays[name];
    if (typeof delay === 'number' || typeof delay === 'function') return delay;
    return refuse(node, `its delay "${name}" is not defined`, `Define it in setup({ delays: { ${name}: … } })`);
  }

  /** The same operations, linked. */
  #chain(ops: readonly Op[]): Op | undefined {
    return ops.reduceRight<Op | undefined>((next, op) => {
      // Not spread: all operations must be of one shape, and in Node 20 a spread gives each one of its own.
      const { kind, what, params, more } = op;
      const linked: Op = { kind, what, params, more, next };
      if (op.kind === EMIT) this.#emits.push(linked);
      return linked;
    }, undefined);
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
        return assignment(action.assignment, params);
      case 'xstate.emit':
        return typeof action.event === 'function'
          ? [op(EMIT_DYNAMIC, action.event, undefined, params)]
          : [op(EMIT, action.event)];
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
        return typeof action.event === 'function'
          ? [op(RAISE_DYNAMIC, action.event, undefined, params)]
          : [op(RAISE, action.event)];
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
    const ask = resolved as Guard;
    if (params === undefined) return ask;
    return typeof params === 'function' ? (args) => ask(args, params(args)) : (args) => ask(args, params);
  }

  #combined(node: AnyStateNode, check: unknown, guards: readonly unknown[] = []): Guard {
    const parts = guards.map((part) => this.#guard(node, part));
    const [first] = parts;
    if (check === NOT && first !== undefined) return (args) => !first(args);
    if (check === AND) return (args) => parts.every((part) => part(args));
    if (check === OR) return (args) => parts.some((part) => part(args));
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

interface TimerOp {
  readonly set: Op;
  readonly clear: Op;
}

/** What a dynamic command is, is known by the time that it is emitted. */
const forDoing = (does: Op): Op => (does.kind === EMIT_DYNAMIC ? op(EMIT_DYNAMIC, undefined) : does);

/** What is done once all steps are worked out. */
const DOES: ReadonlySet<number> = new Set([EMIT, EMIT_DYNAMIC, SET_TIMER, SET_TIMER_DYNAMIC, CLEAR_TIMER]);
const isPlain = ({ kind }: Op): boolean => DOES.has(kind);
/** What is worked out in each step. */
const COMPUTES: ReadonlySet<number> = new Set([
  EMIT_DYNAMIC,
  SET_TIMER_DYNAMIC,
  ASSIGN,
  ASSIGN_COMPUTED,
  ASSIGN_CONSTANT,
  RAISE,
  RAISE_DYNAMIC,
  DONE_STATE,
  FINISH,
]);

function op(kind: number, what: unknown, more?: unknown, params?: unknown): Op {
  if (typeof params !== 'function') return { kind, what, params, more, next: undefined };
  const asked: Expression = (args) => (what as Expression)(args, params(args));
  return { kind, what: asked, params: undefined, more, next: undefined };
}

const assigns = ({ kind }: Op): boolean => kind === ASSIGN || kind === ASSIGN_CONSTANT || kind === ASSIGN_COMPUTED;

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

/** True in a state that may be left without an event. */
function goesOn(leaf: AnyStateNode): boolean {
  return withAncestors(leaf).some(({ always }) => always !== undefined);
}

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
  const exact = node.transitions.get(type) ?? [];
  const wildcards = [...node.transitions.keys()]
    .filter((descriptor) => descriptor !== type && matchesWildcard(type, descriptor))
    .sort((a, b) => b.length - a.length);
  return [...exact, ...wildcards.flatMap((descriptor) => node.transitions.get(descriptor) ?? [])];
}

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

function outputOf(output: unknown): Expression | undefined {
  if (output === undefined) return undefined;
  return typeof output === 'function' ? (output as Expression) : () => output;
}

/** An instance writes to its context, and so needs one of its own: also where the machine's function returns one it keeps. */
function contextMaker(context: unknown): (input: unknown) => object {
  if (typeof context !== 'function') return () => ({ ...(context as object) });
  const args = { input: undefined as unknown };
  let first: object | undefined;
  return (input) => {
    args.input = input;
    const made: object = context(args);
    args.input = undefined;
    if (first === undefined) first = made;
    else if (made !== first) return made;
    return { ...made };
  };
}

/** One operation for each part, where that does the same: each part is computed from the context before all of them. */
function assignment(parts: unknown, params: unknown): Op[] {
  if (typeof parts === 'function') {
    const compute = parts as Expression;
    const assignAll: Expression = (args, given) => Object.assign(args.context, compute(args, given));
    return [op(ASSIGN, assignAll, undefined, params)];
  }
  const entries = Object.entries(parts as Record<string, unknown>);
  const constant = entries.filter(([, value]) => typeof value !== 'function');
  const computed = entries.filter(([, value]) => typeof value === 'function');
  const [first] = computed;
  const ops = constant.map(([key, value]) => op(ASSIGN_CONSTANT, value, key));
  if (first === undefined) return ops.length === 0 ? [op(ASSIGN, () => undefined)] : ops;
  if (computed.length > 1) return [op(ASSIGN, assigner(computed), undefined, params), ...ops];
  return [op(ASSIGN_COMPUTED, first[1], first[0], params), ...ops];
}

/** Computes all parts, then writes them. */
function assigner(entries: readonly [string, unknown][]): Expression {
  const keys = entries.map(([key]) => key);
  const compute = entries.map(([, value]) => value as Expression);
  const computed: unknown[] = compute.map(() => undefined);
  return (args, params) => {
    const context = args.context as Record<string, unknown>;
    for (let index = 0; index < compute.length; index++) computed[index] = (compute[index] as Expression)(args, params);
    for (let index = 0; index < compute.length; index++) {
      context[keys[index] as string] = computed[index];
      computed[index] = undefined;
    }
  };
}
