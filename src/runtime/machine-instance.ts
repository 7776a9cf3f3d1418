/**
 * What all generated machines have in common: the mailbox, the end, timers, and what observers see. A class that is
 * generated from a machine adds one method for each type of event and one for each transition.
 *
 * What a transition commands is performed once all is worked out, in the order of its actions; what is sent meanwhile
 * waits. So it is with an XState actor.
 */
import { OptionError } from '../errors.js';
import { type Means, meaningWith } from '../machines/means.js';
import type { Cause, Outcome } from '../machines/vocabulary.js';
import { NO_DESCRIPTION, publish, transitions } from './channel.js';
import { isNever, timeOf } from './clock.js';
import type { Commands, Host, Instance, RunningTimer, Transition } from './instance.js';
import { attempt, report } from './report.js';
import {
  armLater,
  armTimer,
  clearTimer,
  forgetLater,
  InstanceTimer,
  LONG_MS,
  mayBeLate,
  type Resting,
  refTimer,
  type TimerDefinition,
  type TimerOwner,
} from './timers.js';

export { transitions } from './channel.js';

export type Event = { readonly type: string };

/** A timer: a number of milliseconds until the instance comes to rest; most are cleared before. */
export type Slot = number | InstanceTimer | undefined;

/** A command at one place of a machine, and what performs it. */
export interface Place {
  /** What is emitted there, where that is known beforehand. */
  readonly command: Event | undefined;
  /** The type that was emitted last. */
  type: string | undefined;
  perform: ((host: never, command: never) => void) | undefined;
}

export interface LeafFacts {
  readonly path: string;
  readonly keys: readonly string[];
  /** The path, and the paths of all states around it. */
  readonly within: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
  readonly isFinal: boolean;
  /** The timers that may run in it, by slot. */
  readonly timers: readonly TimerDefinition[];
}

/** What all instances of a machine share. */
export interface Facts {
  readonly id: string;
  readonly leaves: readonly LeafFacts[];
  /** The types of events that the machine names, without its own timers. */
  readonly eventTypes: readonly string[];
  readonly stepsMax: number;
  /** What performs the commands of all instances whose host has the same: those of the first. */
  commands: Commands | undefined;
  /** An instance of it takes no transition, and says whether it would. */
  probe: object | undefined;
}

/** A leaf state as it is written in a generated machine. */
export type LeafRow = readonly [
  path: readonly string[],
  tags: readonly string[],
  timers: readonly (readonly [name: string, type: string])[],
  isFinal?: boolean,
];

/** The methods of transitions, and of what may follow an event that no transition takes. */
const PROBED = /^(?:to|idle)/;

export function factsOf(id: string, eventTypes: readonly string[], rows: readonly LeafRow[], stepsMax: number): Facts {
  const leaves = rows.map(([path, tags, timers, isFinal = false]) => ({
    path: path.join('.'),
    keys: path,
    within: new Set(path.map((_, index) => path.slice(0, index + 1).join('.'))),
    tags: new Set(tags),
    isFinal,
    timers: timers.map(([name, type], slot) => ({ name, slot, event: { type } })),
  }));
  return { id, leaves, eventTypes, stepsMax, commands: undefined, probe: undefined };
}

/** A place where a machine emits: `command`, or, without it, a command that is computed each time. */
export const place = (command?: Event): Place => ({ command, type: undefined, perform: undefined });

/** An instance writes to its context, and so needs one of its own: also where the machine's function returns one it keeps. */
export function contextOf<C extends object>(make: C | ((given: { input: never }) => C)): (input: unknown) => C {
  if (typeof make !== 'function') return () => ({ ...make });
  let first: C | undefined;
  return (input) => {
    const made = make({ input: input as never });
    if (first === undefined) first = made;
    else if (made !== first) return made;
    return { ...made };
  };
}

export const STARTED = 1;
/** A transition is under way, or what it commands. */
export const BUSY = 2;
/** A final state was entered; what that commands is still to be done. */
export const DONE = 4;
export const OVER = 8;
/** Its timers do not keep the process alive. */
export const DETACHED = 16;
/** Some of its timers have yet to be armed: that is done when it comes to rest. */
const UNARMED = 32;
/** What it emits is performed by the commands of its host. */
export const BOUND = 64;
/** The same as {@link UNARMED}, for long timers alone: that is done a little later. */
const UNARMED_LONG = 128;
/** Events wait. */
const MAIL = 256;
/** After an event it has more to do than to come to rest. */
export const UNRESTED = DONE | OVER | UNARMED | UNARMED_LONG | MAIL;

const INIT = 'xstate.init';

/** What the event that is being taken has raised. Functions of a machine are pure: there is one at a time. */
const raised: Event[] = [];

/** Where more steps may follow than were foreseen: what is performed after the last one, each after its place. */
let later: unknown[] | undefined;

/** The transitions that it takes, for the subscribers of the channel. */
const records: Transition[] = [];

/** The start is told of as one transition. */
let isStarting = false;

/** What the start has to do, where it was worked out before. */
class Prepared {
  constructor(
    readonly commands: readonly unknown[],
    readonly output: unknown,
    readonly thrown: Thrown | undefined,
  ) {}
}

/** What a function of the machine threw: anything at all. */
class Thrown {
  constructor(readonly error: unknown) {}
}

export abstract class MachineInstance<C extends object> implements Instance<Event>, TimerOwner, Resting {
  context: C;
  /** @internal */
  readonly host: Host<Event>;
  /** The number of the state that it is in. */
  protected leaf: number;
  protected flags = 0;
  /** What was sent while it could not be taken. */
  #mail: Event | Event[] | undefined = undefined;
  /** Until it starts, its input, or what it has to do then; from its end on, its output. */
  #value: unknown;
  /** @internal Its place in the list of {@link armLater}. */
  laterAt = -1;

  constructor(facts: Facts, host: Host<Event>, context: C, leaf: number, input: unknown) {
    this.host = host;
    this.context = context;
    this.leaf = leaf;
    this.#value = input;
    const { commands } = host;
    if (commands !== undefined) {
      if (facts.commands === undefined) facts.commands = commands;
      if (facts.commands === commands) this.flags = BOUND;
    }
  }

  /** What a generated machine has */

  protected abstract get facts(): Facts;
  /** Takes one event, and what follows from it. */
  protected abstract take(event: Event): unknown;
  /** Enters the initial states. */
  protected abstract enter(event: Event): void;
  /** Chooses the state to start in, where that depends on a guard. */
  protected choose(_event: Event): number {
    return this.leaf;
  }
  /** Takes a step that needs no event, if there is one; says whether it has changed something. */
  protected always(_event: Event): boolean | undefined {
    return undefined;
  }
  protected timerAt(_slot: number): Slot {
    return undefined;
  }
  protected setTimerAt(_slot: number, _timer: Slot): void {}

  /** What every instance has */

  get outcome(): Outcome | undefined {
    // An instance that has failed has no outcome.
    return (this.flags & (DONE | OVER)) === (DONE | OVER) ? (this.#value as Outcome) : undefined;
  }

  get state(): string {
    return this.where.path;
  }

  matches(path: string): boolean {
    return this.where.within.has(path);
  }

  hasTag(tag: string): boolean {
    return this.where.tags.has(tag);
  }

  can(event: Event): boolean {
    const { facts } = this;
    facts.probe ??= probeOf(Object.getPrototypeOf(this));
    const probe = facts.probe as { context: object; leaf: number; take(event: Event): unknown };
    probe.context = this.context;
    probe.leaf = this.leaf;
    return probe.take(event) === true;
  }

  accepts(): string[] {
    return this.facts.eventTypes.filter((type) => this.can({ type }));
  }

  timers(): RunningTimer[] {
    const now = this.host.clock.now();
    const running: RunningTimer[] = [];
    if ((this.flags & STARTED) === 0) return running;
    for (const { name, slot } of this.where.timers) {
      const timer = this.timerAt(slot);
      if (timer === undefined) continue;
      running.push({ name, remainingMs: typeof timer === 'number' ? timer : Math.max(0, timer.dueAt - now) });
    }
    return running;
  }

  setRef(keepAlive: boolean): void {
    if (keepAlive) this.flags &= ~DETACHED;
    else this.flags |= DETACHED;
    for (const { name, slot } of this.where.timers) {
      const timer = this.timerAt(slot);
      if (typeof timer === 'object') refTimer(timer, this.keepsAlive(name));
    }
    if (keepAlive && this.laterAt !== -1) armLater(this, true);
  }

  start(): void {
    if (this.flags & STARTED) return;
    this.flags |= STARTED | BUSY;
    const value = this.#value;
    this.#value = undefined;
    if (value instanceof Prepared) {
      this.#value = value.output;
      if (value.thrown === undefined) this.begin(value.commands);
      else this.#failAtStart(value.thrown.error);
    } else {
      try {
        this.enter(initEvent(value));
      } catch (error) {
        this.#failAtStart(error);
      }
    }
    this.rest();
  }

  send(event: Event): void {
    const { flags } = this;
    if ((flags & (STARTED | BUSY | OVER)) === STARTED) {
      this.flags = flags | BUSY;
      this.react(event);
      if ((this.flags & UNRESTED) === 0) this.flags &= ~BUSY;
      else this.rest();
    } else {
      this.keep(event);
    }
  }

  timerFired(timer: InstanceTimer): void {
    const { slot, event } = timer.definition;
    this.setTimerAt(slot, undefined);
    this.send(event);
  }

  /** What a generated machine calls */

  /** Performs the command of this place. */
  protected emit(at: Place): void {
    this.emitAs(at, at.command as Event);
  }

  /** Performs a command that was computed. */
  protected emitAs(at: Place, command: Event): void {
    if ((this.flags & BOUND) === 0) {
      this.hand(command);
      return;
    }
    if (at.type !== command.type) {
      at.type = command.type;
      at.perform = (this.facts.commands as Commands)[command.type];
    }
    if (at.perform === undefined) {
      this.hand(command);
      return;
    }
    try {
      at.perform(this.host as never, command as never);
    } catch (error) {
      this.commandFailed(command.type, error);
    }
  }

  /** A timer's new value. */
  protected wait(delayMs: number): Slot {
    if (isNever(delayMs)) return undefined;
    this.flags |= delayMs < LONG_MS ? UNARMED : UNARMED_LONG;
    return delayMs;
  }

  /** A timer's new value, where its delay may be no number: XState raises the event at once then. */
  protected waitOrRaise(delayMs: unknown, type: string): Slot {
    if (typeof delayMs === 'number') return this.wait(delayMs);
    raised.push({ type });
    return undefined;
  }

  protected unset(timer: number | InstanceTimer): undefined {
    if (typeof timer === 'object') clearTimer(this.host.clock, timer);
  }

  protected raise(event: unknown): void {
    raised.push(event as Event);
  }

  protected done(output: unknown): void {
    this.#value = output;
    this.flags |= DONE;
  }

  /** Tells the subscribers of the channel of a step; if it is the last one, at once, before it is done. */
  protected tell(from: number, event: Event, ...commands: readonly unknown[]): void {
    this.note(from, event, ...commands);
    if (!this.goesOn()) this.told();
  }

  /** Tells of a step that another one may follow: subscribers are called once all is worked out. */
  protected note(from: number, event: Event, ...commands: readonly unknown[]): void {
    if (isStarting) return;
    records.push(this.record((this.facts.leaves[from] as LeafFacts).path, event, commands));
  }

  /** Tells of the steps that were noted. */
  protected told(): void {
    for (const record of records.splice(0)) this.publish(record);
  }

  /** Somebody reads what is published. */
  protected get isWatched(): boolean {
    return transitions.hasSubscribers;
  }

  protected publish(record: Transition): void {
    publish(record);
  }

  protected tellStart(...commands: readonly unknown[]): void {
    this.publish(this.record('', START, commands));
  }

  /** True where more steps may follow than the generated code has foreseen. */
  protected goesOn(): boolean {
    return later !== undefined || raised.length > 0;
  }

  /** The event is not the first of its transition, but one that was raised in it. */
  protected get isFollowing(): boolean {
    return later !== undefined;
  }

  /** After a step that others may follow: takes them, and performs all. @param commands each after its place */
  protected follow(event: Event, ...commands: unknown[]): void {
    if (later !== undefined) {
      later.push(...commands);
      return;
    }
    later = commands;
    this.#settle(event);
    later = undefined;
    this.told();
    this.performAll(commands);
  }

  /** The same, for the start. */
  protected followStart(event: Event, ...commands: unknown[]): void {
    later = commands;
    isStarting = true;
    this.#settle(event);
    later = undefined;
    isStarting = false;
    this.begin(commands);
  }

  /** Works out what the start will do, where a start depends on more than the initial states: so does XState. */
  protected prepare(): void {
    if (this.#value instanceof Prepared) return;
    const commands: unknown[] = [];
    let thrown: Thrown | undefined;
    const event = initEvent(this.#value);
    this.#value = undefined;
    later = commands;
    isStarting = true;
    try {
      this.enter(event);
      this.#settle(event);
    } catch (error) {
      thrown = new Thrown(error);
    }
    forget();
    this.#value = new Prepared(commands, this.#value, thrown);
  }

  /** Chooses the state to start in. */
  protected chooseStart(): void {
    if (this.#value instanceof Prepared) return;
    try {
      this.leaf = this.choose(initEvent(this.#value));
    } catch (error) {
      this.#value = new Prepared([], undefined, new Thrown(error));
    }
  }

  /** What was worked out before it starts, or its output. */
  protected get result(): { readonly output: unknown; readonly thrown?: { readonly error: unknown } | undefined } {
    const value = this.#value;
    return value instanceof Prepared ? value : { output: value };
  }

  /** It fails as soon as it starts. */
  protected failWhenStarted(error: unknown): void {
    this.#value = new Prepared([], undefined, new Thrown(error));
  }

  /** For an event that no transition names. */
  protected unknown(event: Event): void {
    if (later !== undefined) return;
    const { type } = event;
    if (type === '*') throw new Error('An event cannot have the type "*".');
    // XState fails as well, on what it does with the type.
    if (typeof type !== 'string') throw new OptionError('event', event, "an object with a type: { type: '…' }");
  }

  protected get where(): LeafFacts {
    return this.facts.leaves[this.leaf] as LeafFacts;
  }

  protected react(event: Event): void {
    try {
      this.take(event);
    } catch (error) {
      this.fail(error);
    }
  }

  /** What was sent to it and has yet to be taken is dropped. */
  protected forgetMail(): void {
    this.#mail = undefined;
    this.flags &= ~MAIL;
  }

  /** An event that comes while it cannot be taken. */
  protected keep(event: Event): void {
    if (this.flags & OVER) return;
    this.flags |= MAIL;
    const mail = this.#mail;
    if (Array.isArray(mail)) mail.push(event);
    else if (mail !== undefined) this.#mail = [mail, event];
    // What is no event is a mistake that must not go unheard.
    else this.#mail = event === undefined ? [event] : event;
  }

  /** A transition is over: finishes, or takes what was sent meanwhile. */
  protected rest(): void {
    for (;;) {
      if (this.flags & (DONE | OVER)) {
        if ((this.flags & OVER) === 0) this.finish();
        return;
      }
      const mail = this.#mail;
      if (mail === undefined) break;
      if (Array.isArray(mail)) {
        const event = mail.shift() as Event;
        if (mail.length === 0) this.forgetMail();
        this.react(event);
      } else {
        this.forgetMail();
        this.react(mail);
      }
    }
    if (this.flags & UNARMED) this.armTimers();
    else if (this.flags & UNARMED_LONG) this.#armLater();
    this.flags &= ~BUSY;
  }

  /** Goes on with steps that need no event, and with what was raised, until there are none; the former come first. */
  #settle(event: Event): void {
    const { id, stepsMax } = this.facts;
    let current = event;
    let asksAlways = true;
    let steps = 0;
    while ((this.flags & DONE) === 0) {
      if (++steps > stepsMax) {
        throw new Error(
          `Infinite loop detected: "${id}" took ${stepsMax} steps for "${event.type}" and did not come to rest.`,
        );
      }
      const changed: boolean | undefined = asksAlways ? this.always(current) : undefined;
      if (changed !== undefined) {
        asksAlways = changed;
        continue;
      }
      if (raised.length === 0) return;
      // One that is no event is a mistake, and fails like one.
      current = raised.shift() as Event;
      this.take(current);
      asksAlways = true;
    }
    raised.length = 0;
  }

  protected begin(commands: readonly unknown[]): void {
    if (this.isWatched) this.tellStart(...commands.filter((_, index) => index % 2 === 1));
    this.performAll(commands);
  }

  protected performAll(commands: readonly unknown[]): void {
    for (let index = 0; index < commands.length; index += 2) {
      this.emitAs(commands[index] as Place, commands[index + 1] as Event);
    }
  }

  protected hand(command: Event): void {
    try {
      this.host.perform(command);
    } catch (error) {
      report(error);
    }
  }

  protected commandFailed(type: string, error: unknown): void {
    try {
      this.host.commandFailed?.(type, error);
    } catch (thrown) {
      report(thrown);
    }
  }

  protected finish(): void {
    this.flags |= OVER;
    this.forgetMail();
    forgetLater(this);
    try {
      this.host.finish(this.#value as Outcome);
    } catch (error) {
      report(error);
    }
  }

  #failAtStart(error: unknown): void {
    if (this.isWatched) this.tellStart();
    this.fail(error);
  }

  /** A function of the machine has thrown: this instance is over, without an outcome. */
  protected fail(error: unknown): void {
    const told = records.splice(0);
    forget();
    for (const record of told) this.publish(record);
    this.flags = (this.flags & ~DONE) | OVER;
    this.forgetMail();
    forgetLater(this);
    this.clearTimers();
    this.failed(error);
  }

  /** Also those of other states than that where it is: the last of its states may not be where they were set. */
  protected clearTimers(): void {
    for (let slot = 0; slot < this.#slots; slot++) {
      const timer = this.timerAt(slot);
      if (timer === undefined) continue;
      this.unset(timer);
      this.setTimerAt(slot, undefined);
    }
  }

  /** Tells of the failure: the host if it asks for that, or the process. */
  protected failed(error: unknown): void {
    const { host } = this;
    if (host.failed === undefined) report(error);
    else attempt(() => host.failed?.(error));
  }

  get #slots(): number {
    return Math.max(...this.facts.leaves.map(({ timers }) => timers.length));
  }

  /** The host is asked each time: those that share their commands need not share which timers are in the background. */
  protected keepsAlive(name: string): boolean {
    return (this.flags & DETACHED) === 0 && this.host.backgroundTimers?.has(name) !== true;
  }

  #armLater(): void {
    if (!mayBeLate(this.host.clock)) {
      this.armTimers();
      return;
    }
    this.flags &= ~UNARMED_LONG;
    armLater(this, (this.flags & DETACHED) === 0);
  }

  /** @internal */
  armTimers(): void {
    this.flags &= ~(UNARMED | UNARMED_LONG);
    const { clock } = this.host;
    let now: number | undefined;
    for (const definition of this.where.timers) {
      const delayMs = this.timerAt(definition.slot);
      if (typeof delayMs !== 'number') continue;
      now ??= clock.now();
      const timer = new InstanceTimer(this, definition, this.keepsAlive(definition.name));
      this.setTimerAt(definition.slot, timer);
      armTimer(clock, now, timer, delayMs);
    }
  }

  protected record(from: string, event: Event, commands: readonly unknown[]): Transition {
    const { host } = this;
    const { incarnation, cause } = this.context as { incarnation?: number; cause?: Cause };
    return {
      who: host.id,
      parent: host.parentId,
      machine: this.facts.id,
      incarnation,
      handle: host,
      about: host.describe?.() ?? NO_DESCRIPTION,
      from,
      event: event.type,
      eventObject: event,
      commands: commands as readonly Event[],
      instance: this,
      cause,
      means: commands.reduce<Means | undefined>(meaningWith, undefined),
      to: this.state,
      isFinal: this.where.isFinal,
      at: timeOf(host.clock),
    };
  }
}

/** What a start is told as: without the machine's input. */
const START: Event = { type: INIT };

const initEvent = (input: unknown): Event => ({ type: INIT, input }) as Event;

/** A machine of the same kind whose transitions only say that they would be taken. */
function probeOf(prototype: object): object {
  const probe = Object.create(prototype);
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (PROBED.test(name)) probe[name] = () => name.startsWith('to');
  }
  probe.unknown = probe.failBy = () => false;
  return probe;
}

function forget(): void {
  raised.length = 0;
  records.length = 0;
  later = undefined;
  isStarting = false;
}

/** Calls a function that may do anything, such as send to another instance, in the middle of a step of this one. */
export function callAside(run: (given: unknown, params?: unknown) => unknown, given: unknown, params: unknown): void {
  if (later === undefined && raised.length === 0 && records.length === 0 && !isStarting) {
    run(given, params);
    return;
  }
  const before = { raised: raised.splice(0), records: records.splice(0), later, isStarting };
  later = undefined;
  isStarting = false;
  try {
    run(given, params);
  } finally {
    raised.push(...before.raised);
    records.push(...before.records);
    ({ later, isStarting } = before);
  }
}
