/**
 * Explores machines together with a model that they live in: every interleaving of what peers, the system,
 * the owner and time may do, within small bounds. What must hold is asked of every state and every step; from every state
 * there has to be a way out that waits for nobody.
 */
import { type AnyMachineSnapshot, type AnyStateMachine, type EventObject, initialTransition, transition } from 'xstate';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { statePath } from '../../src/runtime/xstate.js';

/** Who makes something happen: only time can be relied on, and the library's own promises. */
export type Who = 'peer' | 'system' | 'owner' | 'library' | 'time';

/** Something that may happen now: what becomes of the model, and what a machine is told, if anything. */
export interface Chance<W> {
  readonly who: Who;
  readonly what: string;
  readonly model: W;
  readonly event?: EventObject | undefined;
  /** Where it is told of several things at once. */
  readonly events?: readonly EventObject[] | undefined;
}

/** What a command does to the model, and what it reports at once. */
export interface Effect<W> {
  readonly model: W;
  readonly reports?: readonly EventObject[] | undefined;
}

/** The model of one machine. */
export interface ModelRules<W> {
  readonly initial: W;
  /** What may happen to this model now; `state` is where the machine is. */
  chances(model: W, state: string): readonly Chance<W>[];
  /** Performs a command; throws where it must not come. */
  perform(model: W, command: EventObject): Effect<W>;
  /** What a command that throws may have done all the same, and what the adapter reports then: one effect for each way. */
  fails?: ((model: W, command: EventObject) => readonly Effect<W>[]) | undefined;
  /** Throws what is wrong with this state. */
  check(model: W, state: string, isDone: boolean, context: Readonly<Record<string, unknown>>): void;
  /** What is left of the model once a step was checked, where something matters for that step alone. */
  forget?: ((model: W) => W) | undefined;
  /** True where nothing needs to happen, unless the end was asked for. */
  mayRest(model: W, state: string): boolean;
}

/** Where a part is: its path, and how it ended if it has; nothing before it was started. */
export interface Whereabouts {
  readonly state: string;
  readonly ending: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;
}

export type Everywhere<P extends string> = Readonly<Record<P, Whereabouts | undefined>>;

/** Where things happen while they do: what is changed and told takes effect at once, as it does in the adapters. */
export interface Stage<W, P extends string> {
  readonly model: W;
  readonly at: Everywhere<P>;
  change(change: Partial<W>): void;
  /** Tells a part of something: now, or as soon as its transition is over, as every runtime does. */
  tell(part: P, event: EventObject): void;
  start(part: P): void;
  /** Decides for one of so many ways in which things may go on: all are explored. */
  pick(ways: number): number;
}

/** Something that may happen now to a system. */
export interface Turn<W, P extends string> {
  readonly who: Who;
  readonly what: string;
  happen(stage: Stage<W, P>): void;
}

/** Several machines, wired as the library wires them, and their model. */
export interface SystemRules<W, P extends string> {
  readonly parts: Readonly<Record<P, { readonly machine: AnyStateMachine; readonly input: unknown }>>;
  readonly initial: W;
  begin(stage: Stage<W, P>): void;
  turns(model: W, at: Everywhere<P>): readonly Turn<W, P>[];
  perform(stage: Stage<W, P>, part: P, command: EventObject): void;
  /** A part's life is over. */
  finish(stage: Stage<W, P>, part: P, outcome: unknown): void;
  check(model: W, at: Everywhere<P>): void;
  /**
   * What is left of the model once a step was checked: without what matters for that step alone, or for a part that is
   * over. States that differ only by that go on alike, and one of them is explored.
   */
  forget?: ((model: W, at: Everywhere<P>) => W) | undefined;
  mayRest(model: W, at: Everywhere<P>): boolean;
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
}

/** One thing that happened, and all that came of it. */
interface Step {
  readonly who: Who | undefined;
  readonly what: string;
  /** From whom, to whom, what. */
  readonly said: (readonly [string, string, string])[];
  states: string;
}

/** What was violated, and the shortest way there, as a list and as a Mermaid sequence diagram. */
export class Violation extends Error {
  constructor(why: string, steps: readonly Step[]) {
    const list = steps.map(({ who, what, said, states }, index) => {
      const did =
        said.length === 0 ? '' : `  [${said.map(([from, to, text]) => `${from} → ${to}: ${text}`).join(', ')}]`;
      return `${String(index).padStart(3)}. ${who ?? ''} ${what} → ${states}${did}`;
    });
    super(`${why}\n\n${list.join('\n')}\n\n${diagramOf(steps, why)}`);
  }
}

function diagramOf(steps: readonly Step[], why: string): string {
  const lines = ['sequenceDiagram', '  participant model'];
  for (const { who, what, said, states } of steps) {
    if (who !== undefined) lines.push(`  note over model: ${who} ${what}`);
    for (const [from, to, text] of said) lines.push(`  ${from}->>${to}: ${text}`);
    lines.push(`  note over model: ${states}`);
  }
  lines.push(`  note over model: ${(why.split('\n')[0] ?? '').replaceAll(';', ',')}`);
  return lines.join('\n');
}

/** What a check says by throwing: it becomes a {@link Violation}. */
export function must(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Error(otherwise);
}

/** More would be a mistake in the bounds. */
const STATES_MAX = 2_000_000;

/** A snapshot, once for all that decide alike; what follows from each event is worked out once. */
interface Snapshot extends Whereabouts {
  /** 0 for all in which the instance is over, however it ended: nothing comes of that any more. */
  readonly id: number;
  readonly snapshot: AnyMachineSnapshot;
  readonly outcome: unknown;
  readonly timers: readonly string[];
  readonly taken: Map<string, Taken>;
}

interface Taken {
  readonly to: Snapshot;
  readonly commands: readonly EventObject[];
}

const commandsOf = (actions: readonly { type: string; params?: unknown }[]): EventObject[] =>
  actions.flatMap(({ type, params }) => (type === 'xstate.emit' ? [(params as { event: EventObject }).event] : []));

/**
 * What a machine remembers, as far as it decides: numbers that only grow do not, nor why something happened but for
 * whether that was before anything could be relayed, and beyond the limit one attempt is like another.
 */
function memoryOf({ context }: AnyMachineSnapshot): string {
  const { settings, incarnation: _incarnation, cause, ...rest } = context as Record<string, unknown>;
  const known = (settings ?? {}) as Record<string, number | undefined>;
  const { attemptsMax, bindAttempts, durationMax } = known;
  const { attempts, failures, losses, ejections } = rest as Record<string, number | undefined>;
  const { failures: failuresMax = 0 } = known;
  const most = attemptsMax ?? bindAttempts ?? Number.POSITIVE_INFINITY;
  const counted = attempts === undefined ? undefined : Math.min(attempts, most);
  const decides = durationMax !== undefined && (cause as { phase?: string } | undefined)?.phase === 'connecting';
  const strikes = failures !== undefined && [
    Math.min(failures, failuresMax),
    Math.min(losses ?? 0, failuresMax),
    Math.min(ejections ?? 0, 1),
  ];
  const all = { ...rest, attempts: counted, failures: strikes, losses: 0, ejections: 0, cause: cause !== undefined };
  return JSON.stringify({ ...all, decides });
}

/** As JSON, and faster; most events have nothing but their type. */
function keyOfEvent(event: object): string {
  let key = '';
  for (const field in event) {
    const value = (event as Record<string, unknown>)[field];
    const text = value !== null && typeof value === 'object' ? `(${keyOfEvent(value)})` : value;
    key = field === 'type' && key === '' ? (text as string) : `${key} ${field} ${text}`;
  }
  return key;
}

/** One machine: its snapshots are numbered. */
class Part {
  readonly #machine: AnyStateMachine;
  readonly #input: unknown;
  readonly #known = new Map<string, Snapshot>();
  #first: Taken | undefined;

  constructor(machine: AnyStateMachine, input: unknown) {
    this.#machine = machine;
    this.#input = input;
  }

  get first(): Taken {
    this.#first ??= this.#take(initialTransition(this.#machine, this.#input as never));
    return this.#first;
  }

  step(from: Snapshot, event: EventObject): Taken {
    const key = keyOfEvent(event);
    let result = from.taken.get(key);
    if (result === undefined) {
      result = this.#take(transition(this.#machine, from.snapshot, event));
      from.taken.set(key, result);
    }
    return result;
  }

  #take([snapshot, actions]: readonly [unknown, unknown]): Taken {
    return { to: this.#numbered(snapshot as AnyMachineSnapshot), commands: commandsOf(actions as never) };
  }

  #numbered(snapshot: AnyMachineSnapshot): Snapshot {
    const state = statePath(snapshot.value);
    const key = `${state} ${memoryOf(snapshot)}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      const isDone = snapshot.status === 'done';
      known = {
        id: isDone ? 0 : this.#known.size + 1,
        snapshot,
        state,
        ending: isDone ? state : undefined,
        context: snapshot.context,
        outcome: snapshot.output,
        timers: isDone ? [] : this.#timersOf(snapshot),
        taken: new Map(),
      };
      this.#known.set(key, known);
    }
    return known;
  }

  /** The waits that run in a state, but for those that never end. */
  #timersOf(snapshot: AnyMachineSnapshot): string[] {
    const { delays } = this.#machine.implementations as unknown as {
      delays: Record<string, ((args: object) => number) | number>;
    };
    const isEndless = (name: string): boolean => {
      const delay = delays[name];
      const ms = typeof delay === 'function' ? delay({ context: snapshot.context, event: { type: '' } }) : delay;
      return ms !== undefined && ms >= NEVER_MS;
    };
    return snapshot._nodes.flatMap(({ id, config }) =>
      Object.keys((config as { after?: object }).after ?? {})
        .filter((name) => !isEndless(name))
        .map((name) => `xstate.after.${name}.${id}`),
    );
  }
}

/** A state of the whole, and how it came to be: by which turn of the one before, and what was picked then. */
interface Node<W> {
  readonly parts: readonly (Snapshot | undefined)[];
  readonly model: W;
  readonly from: Node<W> | undefined;
  readonly turn: number;
  readonly picks: readonly number[];
  /** What it is known by. */
  readonly numbers: readonly number[];
  /** Those that lead here by what can be relied on. */
  readonly certainFrom: Node<W>[];
}

const NO_PICKS: number[] = [];
const NO_MAIL: readonly EventObject[] = [];

/** What comes of one turn: plays it, with the decisions that it is given, and says when there are more to be taken. */
class Play<W extends object, P extends string> implements Stage<W, P> {
  model: W;
  readonly parts: (Snapshot | undefined)[];
  picks: number[] = NO_PICKS;
  ways: number[] = NO_PICKS;
  readonly at: Everywhere<P>;
  readonly #system: System<W, P>;
  /** What was sent to each part during its transition; none for a part that is in no transition. */
  readonly #mail: (readonly EventObject[] | EventObject[] | undefined)[] = [];
  readonly #heard: Step | undefined;
  readonly #speakers: string[] | undefined;
  #told = 0;

  constructor(
    system: System<W, P>,
    parts: readonly (Snapshot | undefined)[],
    model: W,
    picks: readonly number[],
    heard?: Step,
  ) {
    this.#system = system;
    this.parts = parts.slice();
    this.model = model;
    if (picks.length > 0) this.picks = picks.slice();
    this.#heard = heard;
    this.#speakers = heard === undefined ? undefined : ['model'];
    this.at = system.everywhere(this.parts);
  }

  change(change: Partial<W>): void {
    this.model = { ...this.model, ...change };
  }

  pick(ways: number): number {
    if (this.ways === NO_PICKS) this.ways = [];
    if (this.picks === NO_PICKS) this.picks = [];
    const index = this.ways.push(ways) - 1;
    this.picks[index] ??= 0;
    return this.picks[index] as number;
  }

  start(part: P): void {
    const index = this.#system.indexOf(part);
    must(this.parts[index] === undefined, `${part} is started twice`);
    this.#say(part, 'starts');
    this.#run(index, this.#system.machines[index]?.first as Taken);
  }

  tell(part: P, event: EventObject): void {
    const index = this.#system.indexOf(part);
    if (this.parts[index] === undefined) throw new Error(`${part} is told ${event.type} before it was started`);
    this.#say(part, event.type);
    if (this.#isOver(index)) return;
    const mail = this.#mail[index];
    if (mail === undefined) this.#run(index, this.#step(index, event));
    else if (mail === NO_MAIL) this.#mail[index] = [event];
    else (mail as EventObject[]).push(event);
  }

  #step(index: number, event: EventObject): Taken {
    if (++this.#told > 100) throw new Error('It never comes to rest');
    return (this.#system.machines[index] as Part).step(this.parts[index] as Snapshot, event);
  }

  /** All that one transition does, then what was sent meanwhile, in its order. */
  #run(index: number, taken: Taken): void {
    const part = this.#system.names[index] as P;
    this.#mail[index] = NO_MAIL;
    this.#perform(index, part, taken);
    for (let next = 0; next < (this.#mail[index] as EventObject[]).length && !this.#isOver(index); next++) {
      this.#perform(index, part, this.#step(index, (this.#mail[index] as EventObject[])[next] as EventObject));
    }
    this.#mail[index] = undefined;
  }

  #perform(index: number, part: P, { to, commands }: Taken): void {
    const { rules } = this.#system;
    this.parts[index] = to;
    this.#speakers?.push(part);
    for (const command of commands) {
      this.#say('model', command.type);
      rules.perform(this, part, command);
    }
    if (to.ending !== undefined) rules.finish(this, part, to.outcome);
    this.#speakers?.pop();
  }

  #isOver(index: number): boolean {
    return this.parts[index]?.ending !== undefined;
  }

  #say(to: string, text: string): void {
    this.#heard?.said.push([this.#speakers?.at(-1) as string, to, text]);
  }
}

/** As JSON, and faster: models of one model have the same fields. */
function written(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value);
  let text = '(';
  for (const field in value) text += `${written((value as Record<string, unknown>)[field])},`;
  return `${text})`;
}

/** Small numbers that stand for what a state consists of: equal values have equal ones. */
const NOT_STARTED = 0xffff;

class Numbers {
  readonly #primitives = new Map<unknown, number>();
  readonly #objects = new Map<string, number>();

  of(value: unknown): number {
    if (value === null || typeof value !== 'object') return numbered(this.#primitives, value);
    return numbered(this.#objects, written(value));
  }
}

function numbered<K>(known: Map<K, number>, key: K): number {
  let number = known.get(key);
  if (number === undefined) {
    number = known.size;
    if (number > 0xffff) throw new Error('More different values than a key can tell apart.');
    known.set(key, number);
  }
  return number;
}

/** The machines of a model, in their order. */
class System<W extends object, P extends string> {
  readonly rules: SystemRules<W, P>;
  readonly names: readonly P[];
  readonly machines: readonly Part[];
  readonly #indices: ReadonlyMap<P, number>;
  readonly #numbers = new Numbers();
  readonly #View: new (
    parts: readonly (Snapshot | undefined)[],
  ) => object;

  constructor(rules: SystemRules<W, P>) {
    this.rules = rules;
    this.names = Object.keys(rules.parts) as P[];
    this.machines = this.names.map((name) => new Part(rules.parts[name].machine, rules.parts[name].input));
    this.#indices = new Map(this.names.map((name, index) => [name, index]));
    this.#View = class {
      constructor(readonly parts: readonly (Snapshot | undefined)[]) {}
    };
    for (const [index, name] of this.names.entries()) {
      Object.defineProperty(this.#View.prototype, name, {
        get(this: { parts: readonly (Snapshot | undefined)[] }) {
          return this.parts[index];
        },
      });
    }
  }

  indexOf(part: P): number {
    return this.#indices.get(part) as number;
  }

  /** A view of these parts, which follows them. */
  everywhere(parts: readonly (Snapshot | undefined)[]): Everywhere<P> {
    return new this.#View(parts) as Everywhere<P>;
  }

  /**
   * What tells a state from all others: a number for each part and each field of the model. A field that is the same as
   * before has the same number.
   */
  numbersOf(
    { parts, model }: { readonly parts: readonly (Snapshot | undefined)[]; readonly model: W },
    before: Node<W> | undefined,
  ): number[] {
    const numbers: number[] = [];
    for (const part of parts) numbers.push(part === undefined ? NOT_STARTED : part.id);
    for (const field in model) {
      const value = model[field];
      const isSame = before !== undefined && value === before.model[field];
      numbers.push(isSame ? (before.numbers[numbers.length] as number) : this.#numbers.of(value));
    }
    return numbers;
  }

  turnsOf({ parts, model }: Pick<Node<W>, 'parts' | 'model'>): Turn<W, P>[] {
    const turns = [...this.rules.turns(model, this.everywhere(parts))];
    for (const [index, name] of this.names.entries()) {
      for (const type of parts[index]?.timers ?? []) {
        const what = `${name} ${type.slice('xstate.after.'.length)}`;
        turns.push({ who: 'time', what, happen: (stage) => stage.tell(name, { type }) });
      }
    }
    return turns;
  }

  isDone({ parts }: Pick<Node<W>, 'parts'>): boolean {
    return parts.every((part) => part === undefined || part.ending !== undefined);
  }

  /** How it came to this: everything is played again, and heard. */
  pathTo(node: Node<W>): Step[] {
    const nodes: Node<W>[] = [];
    for (let at: Node<W> | undefined = node; at !== undefined; at = at.from) nodes.unshift(at);
    return nodes.map((at) => this.#heard(at));
  }

  #heard({ from, turn: index, picks }: Node<W>): Step {
    const turn = from === undefined ? undefined : this.turnsOf(from)[index];
    const step: Step = { who: turn?.who, what: turn?.what ?? 'start', said: [], states: '' };
    const play = new Play(
      this,
      from?.parts ?? this.names.map(() => undefined),
      from?.model ?? this.rules.initial,
      picks,
      step,
    );
    try {
      if (turn === undefined) this.rules.begin(play);
      else turn.happen(play);
    } catch {
      // That is what is told of here.
    }
    step.states = this.names.flatMap((name) => play.at[name]?.state ?? []).join(' | ');
    return step;
  }
}

/** @throws Violation with the shortest way to what must not be */
export function exploreSystem<W extends object, P extends string>(rules: SystemRules<W, P>): Explored {
  const system = new System(rules);
  const nodes = new Map<string, Node<W>>();
  const queue: Node<W>[] = [];
  let transitions = 0;

  /** Plays a turn in all the ways that it may go. */
  const follow = (from: Node<W> | undefined, turn: Turn<W, P> | undefined, index: number): void => {
    const parts = from?.parts ?? system.names.map(() => undefined);
    const isCertain = turn?.who === 'time' || turn?.who === 'library';
    let picks: number[] = NO_PICKS;
    for (;;) {
      if (turn !== undefined) transitions++;
      const play = new Play(system, parts, from?.model ?? rules.initial, picks);
      const made = (numbers: readonly number[]): Node<W> => ({
        parts: play.parts,
        model: play.model,
        from,
        turn: index,
        picks: play.picks,
        numbers,
        certainFrom: [],
      });
      try {
        if (turn === undefined) rules.begin(play);
        else turn.happen(play);
        rules.check(play.model, play.at);
        play.model = rules.forget?.(play.model, play.at) ?? play.model;
      } catch (error) {
        throw new Violation((error as Error).message, system.pathTo(made([])));
      }
      const numbers = system.numbersOf(play, from);
      const key = String.fromCharCode(...numbers);
      let node = nodes.get(key);
      if (node === undefined) {
        if (nodes.size >= STATES_MAX) throw new Error(`More than ${STATES_MAX} states.`);
        node = made(numbers);
        nodes.set(key, node);
        queue.push(node);
      }
      if (isCertain && from !== undefined) node.certainFrom.push(from);
      const next = nextPicks(play.picks, play.ways);
      if (next === undefined) return;
      picks = next;
    }
  };

  follow(undefined, undefined, 0);
  for (let at = 0; at < queue.length; at++) {
    const node = queue[at] as Node<W>;
    if (system.isDone(node)) continue;
    for (const [index, turn] of system.turnsOf(node).entries()) follow(node, turn, index);
  }
  wayOut(queue, system);
  return { states: nodes.size, transitions };
}

/** The next of all the ways to decide; nothing after the last. */
function nextPicks(picks: readonly number[], ways: readonly number[]): number[] | undefined {
  for (let last = ways.length - 1; last >= 0; last--) {
    const next = (picks[last] as number) + 1;
    if (next < (ways[last] as number)) return [...picks.slice(0, last), next];
  }
  return undefined;
}

/**
 * What can be relied on leads from every state to one where it may rest, or to its end: once that was asked for, only to
 * the end. Whoever else may act is not waited for.
 */
function wayOut<W extends object, P extends string>(nodes: readonly Node<W>[], system: System<W, P>): void {
  const reaches = new Set(
    nodes.filter((node) => system.isDone(node) || system.rules.mayRest(node.model, system.everywhere(node.parts))),
  );
  for (const node of reaches) for (const before of node.certainFrom) reaches.add(before);
  const stuck = nodes.find((node) => !reaches.has(node));
  if (stuck !== undefined) {
    throw new Violation('From here time alone leads to no end, and no rest', system.pathTo(stuck));
  }
}

/** Decides whether this command throws, as long as one may, and in which of its ways; nothing if it does not. */
export function failure<W, E>(
  model: W & { readonly faultsLeft?: number },
  pick: (ways: number) => number,
  ways: () => readonly E[],
): E | undefined {
  if (model.faultsLeft === undefined || model.faultsLeft === 0) return undefined;
  const all = ways();
  const way = all.length === 0 ? 0 : pick(all.length + 1);
  return way === 0 ? undefined : all[way - 1];
}

/**
 * One machine and its model.
 *
 * @param faultsMax how many commands may throw, any of them at any time
 * @throws Violation
 */
export function explore<W extends object>(
  machine: AnyStateMachine,
  input: unknown,
  rules: ModelRules<W>,
  faultsMax = 0,
): Explored {
  return exploreSystem<W & { readonly faultsLeft?: number }, 'machine'>({
    parts: { machine: { machine, input } },
    initial: faultsMax === 0 ? rules.initial : { ...rules.initial, faultsLeft: faultsMax },
    begin: (stage) => stage.start('machine'),
    turns: (model, { machine: at }) =>
      rules.chances(model, at?.state ?? '').map(({ who, what, model: next, event, events }) => ({
        who,
        what,
        happen(stage) {
          stage.change(next);
          if (event !== undefined) stage.tell('machine', event);
          for (const each of events ?? []) stage.tell('machine', each);
        },
      })),
    perform(stage, part, command) {
      const { model } = stage;
      const failed = failure(
        model,
        (ways) => stage.pick(ways),
        () => rules.fails?.(model, command) ?? [],
      );
      const { model: after, reports = [] } = failed ?? rules.perform(model, command);
      stage.change(after as Partial<W>);
      if (failed !== undefined) stage.change({ faultsLeft: (model.faultsLeft as number) - 1 } as unknown as Partial<W>);
      for (const report of reports) stage.tell(part, report);
    },
    finish() {},
    check: (model, { machine: at }) => {
      if (at !== undefined) rules.check(model, at.state, at.ending !== undefined, at.context);
    },
    forget: rules.forget,
    mayRest: (model, { machine: at }) => rules.mayRest(model, at?.state ?? ''),
  });
}
