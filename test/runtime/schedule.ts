/**
 * Schedules: what a host and its environment may do to an instance, in any order. Events are sent, before the start and after the
 * end too, time passes, and commands are answered from inside of them.
 */
import type { AnyStateMachine, EventObject } from 'xstate';
import type { MachineRuntime } from '../support/runtimes.js';
import {
  type Answer,
  ask,
  CLOCK_IS_EXACT,
  difference,
  isSame,
  pathsOf,
  Side,
  show,
  tagsOf,
  watchTransitions,
} from './compare.js';
import { hash, Random } from './random.js';

/** A machine, and what may be sent to it. */
export interface Subject {
  readonly machine: AnyStateMachine;
  readonly types: readonly string[];
  /** Ways that lead far into the machine, as types of events: some schedules begin with a part of one. */
  readonly ways?: readonly (readonly string[])[];
  /** Those that nearly every state ends on: where they come often, no life gets far. */
  readonly ends?: ReadonlySet<string>;
  /** Its runs can be stopped: it is no machine of the library. */
  readonly canStop?: boolean;
  input(random: Random): unknown;
  event(type: string, random: Random): EventObject;
}

/** The two that are compared. */
export type Runtimes = readonly [MachineRuntime, MachineRuntime];

/** One thing that is done to both lives. */
export type Move =
  | { readonly do: 'start' }
  | { readonly do: 'stop' }
  | { readonly do: 'send'; readonly event: EventObject }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'setRef'; readonly keepAlive: boolean };

/** Everything that a schedule does; the same plan does the same. */
export interface Plan {
  readonly input: unknown;
  readonly watched: boolean;
  readonly backgroundTimers: ReadonlySet<string>;
  readonly answer: Answer | undefined;
  readonly moves: readonly Move[];
}

export interface Found {
  readonly what: string;
  /** What was done until then; the last of it brought the difference to light. */
  readonly plan: Plan;
}

/** Hears where an instance is after each move. */
export type Visit = (state: string) => void;

/** Hears what was done, and what the two lives did. */
export type Tell = (move: Move | undefined, one: Side, other: Side) => void;

/** What is known of a machine, worked out once. */
interface Known {
  readonly tags: readonly string[];
  readonly paths: readonly string[];
  readonly delays: readonly string[];
}

const known = new WeakMap<AnyStateMachine, Known>();

function know(machine: AnyStateMachine): Known {
  let knowledge = known.get(machine);
  if (knowledge === undefined) {
    const delays = Object.keys(machine.implementations.delays);
    knowledge = { tags: tagsOf(machine), paths: pathsOf(machine), delays };
    known.set(machine, knowledge);
  }
  return knowledge;
}

/** Beyond this, commands are no longer answered: one that leads to itself would never end. */
const ANSWERS_MAX = 20;
const AFTER_END = 2;
const WAITS = [0, 1, 5, 20, 60, 300, 2_000];
const UNKNOWN = 'some.thing.else';

/** Plays the schedule of a seed on two runtimes; says in what they differ, if they do. */
export function play(subject: Subject, seed: number, runtimes: Runtimes, visit?: Visit): Found | undefined {
  const random = new Random(seed);
  const { machine } = subject;
  const { tags, paths, delays } = know(machine);
  const moves: Move[] = [];
  const plan: Plan = {
    input: subject.input(random),
    watched: random.percent(50),
    backgroundTimers: new Set(random.percent(30) ? random.some(delays, 50) : []),
    answer: answersOf(subject, random),
    moves,
  };
  const [one, other] = sidesOf(subject, plan, runtimes);
  let what = difference(one, other, { tags, paths, events: [], accepts: false });
  if (what !== undefined) return { what, plan };
  const early = random.percent(15) ? random.between(1, 2) : 0;
  const length = random.between(2, 6);
  // Not all events in each schedule: where some never come, others lead further.
  const mayEnd = random.percent(30);
  const liked = random
    .some(subject.types, random.pick([50, 80, 100, 100]))
    .filter((type) => mayEnd || subject.ends?.has(type) !== true);
  const patience = random.pick([0, 15, 30]);
  let left = AFTER_END;
  const way = wayOf(subject, random);
  for (let index = -early; index <= way.length + length; index++) {
    if (one.instance.outcome !== undefined && left-- === 0) break;
    const type = way[index - 1];
    const move =
      index === 0
        ? START
        : type === undefined
          ? nextMove(subject, { liked, patience }, random, other)
          : moveOf(subject, type, random, other);
    moves.push(move);
    perform(one, move);
    perform(other, move);
    what = difference(one, other, {
      tags,
      paths: paths.length === 0 ? [] : [one.instance.state, random.pick(paths), random.pick(paths)],
      events: [subject.event(random.pick(subject.types), random)],
      accepts: random.percent(index === way.length + length ? 60 : 4),
    });
    if (what !== undefined) return { what, plan };
    visit?.(one.instance.state);
  }
  return undefined;
}

/** Makes the moves of a plan and no others; says in what the lives differ then. */
export function playPlan(subject: Subject, plan: Plan, runtimes: Runtimes, tell?: Tell): Found | undefined {
  const { machine, types } = subject;
  const { tags, paths } = know(machine);
  const events = types.map((type) => subject.event(type, new Random(0)));
  const [one, other] = sidesOf(subject, plan, runtimes);
  const moves: Move[] = [];
  tell?.(undefined, one, other);
  let what = difference(one, other, { tags, paths, events, accepts: true });
  for (const move of plan.moves) {
    if (what !== undefined) break;
    moves.push(move);
    perform(one, move);
    perform(other, move);
    tell?.(move, one, other);
    what = difference(one, other, { tags, paths, events, accepts: true });
  }
  return what === undefined ? undefined : { what, plan: { ...plan, moves } };
}

/** The plan without every move that the difference does not need. */
export function shorten(subject: Subject, found: Found, runtimes: Runtimes): Found {
  let least = playPlan(subject, found.plan, runtimes);
  if (least === undefined) return found;
  for (let index = least.plan.moves.length - 1; index >= 0; index--) {
    const moves: Move[] = least.plan.moves.filter((_, at) => at !== index);
    least = playPlan(subject, { ...least.plan, moves }, runtimes) ?? least;
  }
  const silent = { ...least.plan, answer: undefined };
  return playPlan(subject, silent, runtimes) ?? least;
}

/** What was done and what came of it, for the message of a failure. */
export function storyOf(subject: Subject, { what, plan }: Found, runtimes: Runtimes): string {
  const lines: string[] = [`input ${show(plan.input)}${plan.watched ? ', transitions watched' : ''}`];
  let number = 0;
  playPlan(subject, plan, runtimes, (move, one, other) => {
    if (move !== undefined) lines.push(`${++number}. ${describeMove(move)}`);
    const deeds = one.deeds.map((deed) => show(deed));
    const others = other.deeds.map((deed) => show(deed));
    if (isSame(deeds, others)) lines.push(...deeds.map((deed) => `     ${deed}`));
    else
      lines.push(
        `   ${one.name}:`,
        ...deeds.map((deed) => `     ${deed}`),
        `   ${other.name}:`,
        ...others.map((deed) => `     ${deed}`),
      );
    lines.push(
      `   → ${one.instance.state}${one.instance.state === other.instance.state ? '' : ` / ${other.instance.state}`}`,
    );
  });
  return [what, ...lines].join('\n');
}

function describeMove(move: Move): string {
  if (move.do === 'send') return `send ${show(move.event)}`;
  if (move.do === 'advance') return `advance by ${move.ms} ms`;
  return move.do === 'setRef' ? `setRef(${move.keepAlive})` : move.do;
}

function wayOf({ ways }: Subject, random: Random): readonly string[] {
  if (ways === undefined || random.percent(40)) return [];
  const way = random.pick(ways);
  return way.slice(0, random.between(0, way.length));
}

/** A step of a way; where it is one of time, as much of it as that timer needs. */
function moveOf(subject: Subject, type: string, random: Random, side: Side): Move {
  if (!type.startsWith('xstate.')) return { do: 'send', event: subject.event(type, random) };
  const timer = side.instance.timers().find(({ name }) => type.startsWith(`xstate.after.${name}.`));
  return { do: 'advance', ms: timer?.remainingMs ?? random.pick(WAITS) };
}

const START: Move = { do: 'start' };

/** What a schedule likes to do. */
interface Taste {
  readonly liked: readonly string[];
  /** How often it lets time pass, in a hundred. */
  readonly patience: number;
}

function nextMove(subject: Subject, { liked, patience }: Taste, random: Random, side: Side): Move {
  const chance = random.below(100);
  if (chance < 5) return { do: 'setRef', keepAlive: random.percent(50) };
  if (chance === 99 && subject.canStop === true) return { do: 'stop' };
  if (chance < 5 + patience) {
    const timers = side.instance.timers();
    const due = timers.length > 0 && random.percent(70) ? random.pick(timers).remainingMs : random.pick(WAITS);
    // Just before it is due, when it is, or a little later.
    return { do: 'advance', ms: Math.max(0, due + (random.percent(20) ? random.between(-1, 1) : 0)) };
  }
  if (chance > 97) return { do: 'send', event: { type: UNKNOWN } };
  // Most of what may be sent does nothing: ask for something that does.
  const acting = random.percent(90) ? liked.filter((type) => ask(() => side.instance.can({ type })) !== false) : liked;
  return { do: 'send', event: subject.event(random.pick(acting.length > 0 ? acting : subject.types), random) };
}

/** What is done from inside a command depends on its number alone, and so is the same for both lives. */
function answersOf(subject: Subject, random: Random): Answer | undefined {
  const share = random.pick([0, 0, 15, 50]);
  if (share === 0) return undefined;
  const salt = random.bits();
  return (side, ordinal) => {
    if (ordinal >= ANSWERS_MAX) return;
    const bits = hash(salt + ordinal);
    if (bits % 100 >= share) return;
    const own = new Random(bits);
    for (let count = own.between(1, 2); count > 0; count--) {
      if (CLOCK_IS_EXACT && own.percent(6)) side.advance(own.pick(WAITS));
      else side.send(subject.event(own.pick(subject.types), own));
    }
  };
}

function sidesOf({ machine, canStop }: Subject, plan: Plan, [first, second]: Runtimes): [Side, Side] {
  const { input, watched, answer, backgroundTimers } = plan;
  watchTransitions(watched);
  const options = { answer, backgroundTimers, tellsFailure: canStop };
  return [new Side(first, machine, input, options), new Side(second, machine, input, options)];
}

function perform(side: Side, move: Move): void {
  if (move.do === 'start') side.start();
  else if (move.do === 'stop') side.stop();
  else if (move.do === 'send') side.send(move.event);
  else if (move.do === 'advance') side.advance(move.ms);
  else side.instance.setRef(move.keepAlive);
}
