/**
 * Two lives of one machine, side by side: all that a host, an observer or an owner can see of one is held against what
 * they see of the other.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { AnyStateMachine, AnyStateNode, EventObject } from 'xstate';
import { TRANSITION_CHANNEL } from '../../src/index.js';
import type { Clock, Timer } from '../../src/runtime/clock.js';
import type { Instance, Run, Transition } from '../../src/runtime/instance.js';
import type { MachineRuntime } from '../support/runtimes.js';

/** What an instance has done, in the order in which it did. */
export type Deed =
  | { readonly did: 'command'; readonly command: EventObject; readonly state: string }
  | { readonly did: 'set a timer'; readonly delayMs: number }
  | { readonly did: 'clear a timer'; readonly dueAt: number }
  | { readonly did: 'note'; readonly what: object }
  | { readonly did: 'log'; readonly values: readonly unknown[] }
  | { readonly did: 'fail'; readonly why: string }
  | { readonly did: 'finish'; readonly outcome: unknown; readonly state: string }
  | {
      readonly did: 'transition';
      readonly transition: Omit<Transition, 'handle' | 'instance'>;
      readonly isOwn: boolean;
    };

class RecordedTimer implements Timer {
  keepsAlive = true;
  constructor(
    readonly callback: () => void,
    readonly dueAt: number,
  ) {}
  ref(): void {
    this.keepsAlive = true;
  }
  unref(): void {
    this.keepsAlive = false;
  }
}

/**
 * Whether random stories also hold the moments against each other at which the clock is asked for a timer. XState asks
 * in the middle of the commands, in the order of the actions; a runtime may well wait until the instance rests, so that a
 * timer that is cleared at once costs nothing. Nobody can tell, as long as no time passes inside of a command.
 */
export const CLOCK_IS_EXACT = false;

/** More than this in one go: a timer of no time that sets itself again would never end. */
const FIRES_MAX = 4;

/** A clock that stands still until it is told. */
export class RecordingClock implements Clock {
  readonly pending: RecordedTimer[] = [];
  #now = 0;
  readonly #deeds: Deed[] | undefined;

  /** @param deeds where it writes down what it is asked for */
  constructor(deeds?: Deed[]) {
    this.#deeds = deeds;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    this.#deeds?.push({ did: 'set a timer', delayMs });
    const timer = new RecordedTimer(callback, this.#now + delayMs);
    this.pending.push(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.#deeds?.push({ did: 'clear a timer', dueAt: (timer as RecordedTimer).dueAt });
    const index = this.pending.indexOf(timer as RecordedTimer);
    if (index !== -1) this.pending.splice(index, 1);
  }

  /** Lets time pass; also from inside a command. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let fires = 0; fires < FIRES_MAX; fires++) {
      let next = -1;
      for (const [index, { dueAt }] of this.pending.entries()) {
        // Of those that are due together, the one that was set first.
        if (dueAt <= until && (next === -1 || dueAt < (this.pending[next] as RecordedTimer).dueAt)) next = index;
      }
      if (next === -1) break;
      this.fire(next);
    }
    this.#now = Math.max(this.#now, until);
  }

  /** Fires one, out of its turn if need be. */
  fire(index: number): void {
    const [timer] = this.pending.splice(index, 1);
    if (timer === undefined) return;
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.callback();
  }
}

/** What a host does in the middle of a command; it may only depend on how many there were before. */
export type Answer = (side: Side, ordinal: number) => void;

export interface SideOptions {
  readonly answer?: Answer | undefined;
  readonly backgroundTimers?: ReadonlySet<string> | undefined;
  /** Whether what the clock is asked for is written down among the deeds. */
  readonly clockToo?: boolean | undefined;
  /** Whether the host takes a failure, which is the process's error otherwise. */
  readonly tellsFailure?: boolean | undefined;
}

const whyOf = (error: unknown): string => String((error as Error)?.message);

/** What is answered; a guard that is asked may throw. */
export function ask<T>(question: () => T): T | string {
  try {
    return question();
  } catch (error) {
    return `throws ${whyOf(error)}`;
  }
}

/** One runtime's life of the machine. */
export class Side {
  readonly deeds: Deed[] = [];
  readonly clock: RecordingClock;
  readonly name: string;
  readonly host: object;
  readonly instance: Instance<EventObject>;
  #commands = 0;
  readonly #answer: Answer | undefined;

  constructor(runtime: MachineRuntime, machine: AnyStateMachine, input: unknown, options: SideOptions = {}) {
    const { answer, backgroundTimers, clockToo = CLOCK_IS_EXACT, tellsFailure = false } = options;
    this.#answer = answer;
    this.name = runtime.name;
    this.clock = new RecordingClock(clockToo ? this.deeds : undefined);
    this.host = {
      id: `${machine.id}#1`,
      parentId: 'test#1',
      describe: () => ({ server: 'a:1' }),
      clock: this.clock,
      backgroundTimers,
      perform: (command: EventObject) => {
        this.deeds.push({ did: 'command', command, state: this.instance.state });
        answer?.(this, this.#commands++);
      },
      log: (...values: unknown[]) => void this.deeds.push({ did: 'log', values }),
      ...(tellsFailure && { failed: (error: unknown) => void this.deeds.push({ did: 'fail', why: whyOf(error) }) }),
      finish: (outcome: unknown) => {
        this.deeds.push({ did: 'finish', outcome, state: this.instance.state });
        answer?.(this, this.#commands++);
      },
    };
    this.instance = this.#on(() =>
      runtime.run(machine, input as never, this.host as never),
    ) as unknown as Instance<EventObject>;
  }

  start(): void {
    this.#on(() => this.instance.start());
  }

  /** Ends it; an instance of the library's own machines cannot be ended so. */
  stop(): void {
    this.#on(() => (this.instance as Partial<Run<EventObject>>).stop?.());
  }

  /** A function of the machine has been called, which may do anything. */
  note(what: object): void {
    this.deeds.push({ did: 'note', what });
    this.#answer?.(this, this.#commands++);
  }

  send(event: EventObject): void {
    this.#on(() => this.instance.send(event));
  }

  advance(ms: number): void {
    this.#on(() => this.clock.advance(ms));
  }

  /** Makes a timer's event happen: by its timer if that runs, or as if it had. */
  fire(name: string, event: EventObject): void {
    const index = this.instance.timers().findIndex((timer) => timer.name === name);
    if (index === -1) this.send(event);
    else this.#on(() => this.clock.fire(index));
  }

  /** Both lives have one id: what is published is of the one that is being moved. */
  #on<T>(move: () => T): T {
    const before = moving;
    moving = this;
    try {
      return move();
    } finally {
      moving = before;
    }
  }
}

let moving: Side | undefined;

/** What a function of a machine does, which belongs to the instance that is being moved. */
export const note = (what: object): void => moving?.note(what);

function onTransition(message: unknown): void {
  const { handle, instance: _, ...transition } = message as Transition;
  moving?.deeds.push({ did: 'transition', transition, isOwn: handle === moving.host });
}

/** Listens, or does not: an instance must do the same whether it is watched or not. */
export function watchTransitions(watch: boolean): void {
  unsubscribe(TRANSITION_CHANNEL, onTransition);
  if (watch) subscribe(TRANSITION_CHANNEL, onTransition);
}

/** What is asked of both lives at every step. */
export interface Probes {
  readonly tags: readonly string[];
  /** Whether the instance is in these states. */
  readonly paths: readonly string[];
  readonly events: readonly EventObject[];
  /** Whether to ask for all that is accepted, which takes long. */
  readonly accepts: boolean;
}

/** The first thing in which two lives differ now, if there is one. What was compared is forgotten. */
export function difference(one: Side, other: Side, probes: Probes): string | undefined {
  const found = differenceNow(one, other, probes);
  one.deeds.length = 0;
  other.deeds.length = 0;
  return found;
}

function differenceNow(one: Side, other: Side, probes: Probes): string | undefined {
  const a = one.instance;
  const b = other.instance;
  const differ = (what: string, left: unknown, right: unknown): string =>
    `${what} differs:\n  ${one.name}: ${show(left)}\n  ${other.name}: ${show(right)}`;

  for (let index = 0; index < Math.max(one.deeds.length, other.deeds.length); index++) {
    if (isSame(one.deeds[index], other.deeds[index])) continue;
    return differ(`what was done, number ${index + 1} of the step,`, one.deeds[index], other.deeds[index]);
  }
  if (a.state !== b.state) return differ('the state', a.state, b.state);
  if (!isSame(a.context, b.context)) return differ('the context', a.context, b.context);
  if (!isSame(a.outcome, b.outcome)) return differ('the outcome', a.outcome, b.outcome);
  const [snapshotA, snapshotB] = [snapshotOf(a), snapshotOf(b)];
  // The classes of the library's own machines have none.
  if (snapshotA !== undefined && snapshotB !== undefined && !isSame(snapshotA, snapshotB))
    return differ('the snapshot', snapshotA, snapshotB);
  const [timersA, timersB] = [a.timers(), b.timers()];
  if (!isSame(timersA, timersB)) return differ('what timers run', timersA, timersB);
  const [pendingA, pendingB] = [pendingOf(one), pendingOf(other)];
  if (!isSame(pendingA, pendingB)) return differ('what the clock holds', pendingA, pendingB);
  // It takes nothing any more. XState gives one that has failed at its start the tags of the root alone.
  if (snapshotB?.hasError === true) return undefined;
  for (const tag of probes.tags) {
    if (a.hasTag(tag) !== b.hasTag(tag)) return differ(`hasTag('${tag}')`, a.hasTag(tag), b.hasTag(tag));
  }
  for (const path of probes.paths) {
    if (a.matches(path) !== b.matches(path)) return differ(`matches('${path}')`, a.matches(path), b.matches(path));
  }
  for (const event of probes.events) {
    const [canA, canB] = [ask(() => a.can(event)), ask(() => b.can(event))];
    if (canA !== canB) return differ(`can(${show(event)})`, canA, canB);
  }
  if (probes.accepts) {
    const [acceptsA, acceptsB] = [ask(() => a.accepts()), ask(() => b.accepts())];
    if (!isSame(acceptsA, acceptsB)) return differ('what is accepted', acceptsA, acceptsB);
  }
  return undefined;
}

/** All of it; of the error its message. */
function snapshotOf(instance: Instance<EventObject>): { readonly hasError: boolean; readonly why: string } | undefined {
  const snapshot = (instance as Partial<Run<EventObject>>).snapshot?.();
  if (snapshot === undefined) return undefined;
  const { error, ...rest } = snapshot;
  return { ...rest, hasError: error !== undefined, why: whyOf(error) };
}

const pendingOf = ({ clock }: Side): unknown[] => clock.pending.map(({ dueAt, keepsAlive }) => ({ dueAt, keepsAlive }));

/** Whether two values look the same: the same own properties with the same values, as deep as they go. */
export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const left = one as Record<string, unknown>;
  const right = other as Record<string, unknown>;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(right, key) || !isSame(left[key], right[key])) return false;
  }
  return true;
}

/** JSON, and also what JSON leaves out. */
export function show(value: unknown, indent?: number): string {
  const text = JSON.stringify(
    value,
    (_, part: unknown) => {
      if (part === undefined) return '«undefined»';
      if (typeof part === 'number' && !Number.isFinite(part)) return `«${part}»`;
      if (typeof part === 'function') return `ƒ ${'story' in part ? String(part.story) : part.name}`;
      return part;
    },
    indent,
  );
  return text ?? String(value);
}

/** All states of a machine, as paths. */
export function pathsOf(machine: AnyStateMachine): string[] {
  return nodesOf(machine)
    .map(({ path }) => path.join('.'))
    .filter((path) => path !== '');
}

export function tagsOf(machine: AnyStateMachine): string[] {
  return [...new Set(nodesOf(machine).flatMap(({ tags }) => tags as string[]))];
}

export function nodesOf(machine: AnyStateMachine): AnyStateNode[] {
  const below = (node: AnyStateNode): AnyStateNode[] => [
    node,
    ...(Object.values(node.states) as AnyStateNode[]).flatMap(below),
  ];
  return below(machine.root);
}
