/** Walks a machine: all that it can do, as paths. */
import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  EventFromLogic,
  EventObject,
  InputFrom,
  SnapshotFrom,
} from 'xstate';
import { OptionError } from '../errors.js';
import { count } from '../options.js';
import { checkMachine } from '../runtime/machine.js';
import { refuseParallel, statePath } from '../runtime/xstate.js';
import { InertMachine } from './inert.js';

/** Options of {@link exploreMachine}. */
export interface ExploreOptions<M extends AnyStateMachine> {
  /** The input of the machine. */
  readonly input: InputFrom<M>;
  /**
   * What tells two snapshots of one state apart, such as a counter that a guard reads, with a bound: everything that
   * it may say multiplies the paths. Default: nothing.
   */
  readonly key?: (snapshot: SnapshotFrom<M>) => string | number;
  /**
   * The events to send for a type, in a snapshot; none to leave it out. Default: one with nothing but its type. A
   * catch-all gets `*` or `socket.*` as the type, and by default an event that no state names.
   */
  readonly events?: (type: string, snapshot: SnapshotFrom<M>) => readonly EventFromLogic<M>[];
  /** Gives up after this many steps: a counter that `key` does not bound never ends. Default 100 000. */
  readonly stepsMax?: number;
}

/** One step of a path: an event, and where it leads. Timers are events too: `xstate.after.<timer>.<state id>`. */
export interface Step {
  /** The event. */
  readonly event: { readonly type: string };
  /** The state before, as a path. */
  readonly from: string;
  /** The state after, as a path. */
  readonly to: string;
}

/** Steps from the initial state. */
export type Path = readonly Step[];

/** All that a machine can do within bounds. Made by {@link exploreMachine}. */
export interface MachineGraph {
  /** How many snapshots can be reached, as told apart by `key`. */
  readonly states: number;
  /** How many ways lead from one of them to another, or back to itself. */
  readonly edges: number;
  /** The fewest paths that take every edge: the shortest way to it, and the edge. */
  edgePaths(): Path[];
  /**
   * Every path that visits no snapshot twice; those that another one begins with are left out. A step back to where a path
   * was is in none: for those, add {@link edgePaths}.
   */
  simplePaths(): Path[];
}

/** A snapshot that can be reached. */
interface Place {
  readonly snapshot: AnyMachineSnapshot;
  readonly state: string;
  /** The last step of the shortest way to it, and where that begins: none for the first. */
  readonly last: { readonly step: Step; readonly from: Place } | undefined;
  readonly edges: Map<string, { readonly step: Step; readonly to: Place }>;
  /** The contexts of the snapshots that `key` did not tell apart from this one. */
  readonly others: object[];
}

/**
 * Walks a machine from its initial state, through every event that some state acts on, timers and the ends of invoked
 * actors included. No function action runs, no actor starts, and nothing is logged.
 *
 * @throws Error when it has not seen all after `stepsMax` steps, or when a function of the machine throws; the message says
 * which option would help
 * @throws CompileError for a machine with parallel states
 * @throws OptionError for what is no machine
 * @example
 * ```ts
 * const graph = exploreMachine(doorMachine, { input: undefined });
 * for (const path of graph.edgePaths()) {
 *   test(describePath(path), () => replay(doorMachine, undefined, path.map(({ event }) => event)));
 * }
 * ```
 */
export function exploreMachine<M extends AnyStateMachine>(machine: M, options: ExploreOptions<M>): MachineGraph {
  return new Walk(machine, options);
}

/** @internal */
export class Walk<M extends AnyStateMachine> implements MachineGraph {
  readonly machine: M;
  readonly places = new Map<string, Place>();
  /** The transitions that it has taken, as the machine has them. */
  readonly taken = new Set<unknown>();
  edges = 0;
  readonly #inert: InertMachine;
  readonly #options: ExploreOptions<M>;
  readonly #first: Place;

  constructor(machine: M, options: ExploreOptions<M>) {
    checkMachine(machine);
    refuseParallel(machine.root);
    if (options === null || typeof options !== 'object') {
      throw new OptionError('options', options, 'an object with the input of the machine');
    }
    for (const name of ['key', 'events'] as const) {
      const value = options[name];
      if (value !== undefined && typeof value !== 'function') throw new OptionError(name, value, 'a function');
    }
    const stepsMax = count('stepsMax', options.stepsMax, 100_000);
    this.machine = machine;
    this.#options = options;
    this.#inert = new InertMachine(machine);
    this.#first = this.#place(this.#start(), undefined);
    // A Map is walked in the order of insertion, and so breadth first.
    for (const place of this.places.values()) {
      for (const event of this.#eventsIn(place)) {
        if (++this.edges > stepsMax) throw new Error(explosion(machine.id, this.places.values(), stepsMax));
        this.#go(place, event);
      }
    }
  }

  get states(): number {
    return this.places.size;
  }

  edgePaths(): Path[] {
    const paths: Path[] = [];
    for (const place of this.places.values()) {
      const way = wayTo(place);
      for (const { step } of place.edges.values()) paths.push([...way, step]);
    }
    return withoutBeginnings(paths);
  }

  simplePaths(): Path[] {
    const paths: Path[] = [];
    const visited = new Set<Place>();
    const steps: Step[] = [];
    const visit = (place: Place): void => {
      visited.add(place);
      let isLast = true;
      for (const { step, to } of place.edges.values()) {
        if (visited.has(to)) continue;
        isLast = false;
        steps.push(step);
        visit(to);
        steps.pop();
      }
      visited.delete(place);
      if (isLast) paths.push([...steps]);
    };
    visit(this.#first);
    return withoutBeginnings(paths);
  }

  /** All events that it has sent: each once. */
  events(): EventObject[] {
    const events = new Map<string, EventObject>();
    for (const { edges } of this.places.values()) for (const [text, { step }] of edges) events.set(text, step.event);
    return [...events.values()];
  }

  /** The fields of the context in which snapshots differ that `key` did not tell apart. */
  untold(): string[] {
    const fields = new Set<string>();
    for (const { snapshot, others } of this.places.values()) {
      for (const other of others) for (const field of differing(snapshot.context, other)) fields.add(field);
    }
    return [...fields];
  }

  #start(): AnyMachineSnapshot {
    try {
      const snapshot = this.#inert.start(this.#options.input);
      for (const transition of this.#inert.transitions) this.taken.add(transition);
      return snapshot;
    } catch (error) {
      throw new Error(`${this.machine.id} does not start: ${textOf(error)}\nIs that its "input"?`, { cause: error });
    }
  }

  #place(snapshot: AnyMachineSnapshot, last: Place['last']): Place {
    const state = statePath(snapshot.value);
    const name = `${state} ${this.#options.key?.(snapshot as SnapshotFrom<M>) ?? ''}`;
    const known = this.places.get(name);
    if (known !== undefined) {
      if (known.snapshot.context !== snapshot.context) known.others.push(snapshot.context);
      return known;
    }
    const place = { snapshot, state, last, edges: new Map(), others: [] };
    this.places.set(name, place);
    return place;
  }

  #eventsIn({ snapshot, state }: Place): EventObject[] {
    const { events = plain } = this.#options;
    return actedOn(snapshot).flatMap((type) => {
      const given = events(type, snapshot as SnapshotFrom<M>) as readonly EventObject[];
      if (!Array.isArray(given) || given.some((event) => typeof event?.type !== 'string')) {
        throw new OptionError(`events('${type}')`, given, 'an array of events, each with a type');
      }
      return given.filter((event) => this.#try(state, event, () => snapshot.can(event)));
    });
  }

  #go(place: Place, event: EventObject): void {
    const text = JSON.stringify(event);
    if (place.edges.has(text)) {
      this.edges--;
      return;
    }
    const snapshot = this.#try(place.state, event, () => this.#inert.next(place.snapshot, event));
    for (const transition of this.#inert.transitions) this.taken.add(transition);
    const step = { event, from: place.state, to: statePath(snapshot.value) };
    place.edges.set(text, { step, to: this.#place(snapshot, { step, from: place }) });
  }

  #try<T>(state: string, event: EventObject, run: () => T): T {
    try {
      return run();
    } catch (error) {
      const what = `${this.machine.id}, in ${state || 'its only state'}, cannot take ${describeEvent(event)}`;
      throw new Error(`${what}: ${textOf(error)}\n${this.#advice(event)}`, { cause: error });
    }
  }

  #advice(event: EventObject): string {
    if (Object.keys(event).length > 1) return 'If its payload is wrong: "events" gave it.';
    const { type } = event;
    const payload = type.startsWith('xstate.done.') ? 'output: …' : type.startsWith('xstate.error.') ? 'error: …' : '…';
    return `The event had nothing but its type. Give its payload: events: (type) => type === '${type}' ? [{ type, ${payload} }] : [{ type }]`;
  }
}

function wayTo(place: Place): Step[] {
  const way: Step[] = [];
  for (let { last } = place; last !== undefined; { last } = last.from) way.unshift(last.step);
  return way;
}

/** What a catch-all is sent by default: no state names it. */
const plain = (type: string): EventObject[] => [{ type: type.replace(/\*$/, 'anyOther') }];

/** Why a walk does not end: the field of the context that had the most values in one state. */
function explosion(id: string, places: Iterable<Place>, stepsMax: number): string {
  const values = new Map<string, { state: string; field: string; seen: Map<string, unknown> }>();
  for (const { state, snapshot } of places) {
    for (const [field, value] of Object.entries(snapshot.context)) {
      const name = `${state} ${field}`;
      let one = values.get(name);
      if (one === undefined) {
        one = { state, field, seen: new Map() };
        values.set(name, one);
      }
      one.seen.set(valueText(value), value);
    }
  }
  const begin = `${id}: ${stepsMax} steps have not shown all that it can do`;
  const [most] = [...values.values()].sort((a, b) => b.seen.size - a.seen.size);
  if (most === undefined || most.seen.size < 2) {
    return `${begin}, and no field of its context grows. If "key" depends on the snapshot alone, raise "stepsMax".`;
  }
  const { state, field, seen } = most;
  const texts = [...seen.keys()];
  const shown = texts.length > 4 ? [...texts.slice(0, 3), '…', texts.at(-1)] : texts;
  return (
    `${begin}. In ${state || 'its only state'}, context.${field} had ${seen.size} values (${shown.join(', ')}), and "key" ` +
    `tells them apart. Bound it, or leave it out: key: ({ context }) => ${bounded(`context.${field}`, seen.get(texts.at(-1) as string))}`
  );
}

/** An expression with few values. */
function bounded(name: string, value: unknown): string {
  if (typeof value === 'number') return `Math.min(${name}, 2)`;
  if (Array.isArray(value) || typeof value === 'string') return `Math.min(${name}.length, 2)`;
  if (value instanceof Map || value instanceof Set) return `Math.min(${name}.size, 2)`;
  return `String(${name} !== undefined)`;
}

function differing(context: object, other: object): string[] {
  const fields = new Set([...Object.keys(context), ...Object.keys(other)]);
  return [...fields].filter((field) => {
    const [a, b] = [(context as Fields)[field], (other as Fields)[field]];
    return !Object.is(a, b) && valueText(a) !== valueText(b);
  });
}

type Fields = Readonly<Record<string, unknown>>;

/** A value as a short text: what is too long, or refers to itself, is cut. */
export function valueText(value: unknown): string {
  let text: string | undefined;
  try {
    const plain = value instanceof Map || value instanceof Set ? [...value] : value;
    text = JSON.stringify(plain);
  } catch {
    text = undefined;
  }
  text ??= String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A path in one line: `connecting –socket.connected→ preparing –prepareTimeout→ …`. */
export function describePath(path: Path): string {
  const [first] = path;
  if (first === undefined) return '(no step)';
  return path.reduce((line, { event, to }) => `${line} –${describeEvent(event)}→ ${to}`, first.from);
}

/** The event's short name, and what it carries: `socket.data {"size":3}`. */
export function describeEvent({ type, ...payload }: EventObject): string {
  return Object.keys(payload).length === 0 ? shortName(type) : `${shortName(type)} ${valueText(payload)}`;
}

/** `xstate.after.connectTimeout.backend.active.connecting` is `connectTimeout`. */
export function shortName(type: string): string {
  return /^xstate\.after\.([^.]+)\./.exec(type)?.[1] ?? type;
}

/**
 * The names of all transitions of a machine that do something: `backend.active.waiting backend.retry #0`, where the
 * number tells apart those that guards choose between.
 */
export function transitionsOf(machine: AnyStateMachine): Map<unknown, string> {
  const names = new Map<unknown, string>();
  const visit = (node: AnyStateNode): void => {
    const all = [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
    const counts = new Map<string, number>();
    for (const transition of new Set(all)) {
      const type = transition.eventType === '' ? 'always' : shortName(transition.eventType);
      const number = counts.get(type) ?? 0;
      counts.set(type, number + 1);
      if (transition.target !== undefined || transition.actions.length > 0) {
        names.set(transition, `${node.id} ${type} #${number}`);
      }
    }
    for (const child of Object.values(node.states) as AnyStateNode[]) visit(child);
  };
  visit(machine.root);
  return names;
}

/** The event types that the state, or one above it, acts on. That a state is done, the machine tells itself. */
function actedOn(snapshot: AnyMachineSnapshot): string[] {
  if (snapshot.status !== 'active') return [];
  const nodes = snapshot._nodes as AnyStateNode[];
  const types = new Set(nodes.flatMap((node) => node.ownEvents as string[]));
  return [...types].filter((type) => !type.startsWith('xstate.done.state.'));
}

/** Leaves out each path that is how another one begins. */
function withoutBeginnings(paths: readonly Path[]): Path[] {
  const text = (path: Path): string => path.map(({ event, to }) => `${JSON.stringify(event)}${to}`).join('\n');
  const sorted = paths.map((path) => ({ path, line: `${text(path)}\n` })).sort((a, b) => (a.line < b.line ? -1 : 1));
  return sorted.filter(({ line }, index) => sorted[index + 1]?.line.startsWith(line) !== true).map(({ path }) => path);
}
