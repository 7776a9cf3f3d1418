/**
 * An instance that runs on a compiled table. What a transition commands, and the timers that it sets and clears, are done
 * once its last step is done, in the order of its actions; what is sent meanwhile waits. So it is with an XState actor.
 */
import { type Means, meaningWith } from '../machines/means.js';
import type { Cause, Outcome } from '../machines/vocabulary.js';
import { NO_DESCRIPTION, publish, transitions } from './channel.js';
import { isNever, timeOf } from './clock.js';
import type { Commands, Host, Instance, RunningTimer, Transition } from './instance.js';
import {
  ACTS,
  type Args,
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
import {
  armTimer,
  clearTimer,
  type InstanceTimer,
  isArmed,
  makeTimer,
  recycle,
  refTimer,
  type TimerOwner,
} from './timers.js';

type Event = { readonly type: string };

const STARTED = 1;
/** A transition is under way, or what it commands. */
const BUSY = 2;
/** A final state was entered; what that commands is still to be done. */
const DONE = 4;
const OVER = 8;
/** Its timers do not keep the process alive. */
const DETACHED = 16;
/** What the table emits is performed by the commands of its host. */
const BOUND = 64;
/** Some of its timers have yet to be armed: that is done when it comes to rest. */
const UNARMED = 32;

/**
 * The steps that were taken and have still to be done, and what was computed for their dynamic operations. One stack of
 * each serves all instances, for what one commands may move another one, above it.
 */
const taken: (TableTransition | undefined)[] = [];
let takenEnd = 0;
const values: unknown[] = [];
let valuesEnd = 0;

/** What the transition that is being computed has raised. Functions of a machine are pure: there is one at a time. */
const raised: Event[] = [];
let raisedCount = 0;

const INIT = 'xstate.init';
const initEvent = (input: unknown): Event => ({ type: INIT, input }) as Event;

const COLUMNS_MAX = 1_000;

/** The transitions that it takes, for the subscribers of the channel. */
const records: Transition[] = [];
let recordCount = 0;

const NO_CONTEXT = {};
const args: Args = { context: NO_CONTEXT, event: undefined };

export class TableInstance implements Instance<Event>, TimerOwner {
  readonly #table: Table;
  readonly #host: Host<Event>;
  readonly #context: object;
  #leaf: number;
  #flags = 0;
  /** What was sent while it could not be taken. */
  #mail: Event | Event[] | undefined = undefined;
  /** The timers that run, in the order in which they were set. */
  #timers: InstanceTimer | undefined = undefined;
  /** Until it starts, the event of the start, or what it has to do then; from its end on, its output. */
  #value: unknown;

  constructor(table: Table, input: unknown, host: Host<Event>) {
    this.#table = table;
    this.#host = host;
    this.#context = table.makeContext(input);
    this.#leaf = table.initial.to;
    const { commands } = host;
    if (commands !== undefined) {
      if (table.commands === undefined) bind(table, commands);
      if (table.commands === commands) this.#flags = BOUND;
    }
    this.#value = this.#chooseStart(input);
  }

  get outcome(): Outcome | undefined {
    // One that has failed is over without an end.
    return (this.#flags & (DONE | OVER)) === (DONE | OVER) ? (this.#value as Outcome) : undefined;
  }

  get state(): string {
    return this.#where.path;
  }

  get context(): object {
    return this.#context;
  }

  matches(path: string): boolean {
    return this.#where.within.has(path);
  }

  hasTag(tag: string): boolean {
    return this.#where.tags.has(tag);
  }

  can(event: Event): boolean {
    const first = this.#stepsFor(event.type);
    if (first === undefined) return false;
    const { context, event: current } = args;
    see(this.#context, event);
    const step = chosen(first);
    see(context, current);
    return step !== undefined && (step.flags & ACTS) !== 0;
  }

  accepts(): string[] {
    return this.#table.eventTypes.filter((type) => this.can({ type }));
  }

  timers(): RunningTimer[] {
    const now = this.#host.clock.now();
    const running: RunningTimer[] = [];
    for (let timer = this.#timers; timer !== undefined; timer = timer.sibling) {
      const { name } = timer.definition as TimerDefinition;
      running.push({ name, remainingMs: isArmed(timer) ? Math.max(0, timer.dueAt - now) : timer.delayMs });
    }
    return running;
  }

  setRef(keepAlive: boolean): void {
    if (keepAlive) this.#flags &= ~DETACHED;
    else this.#flags |= DETACHED;
    for (let timer = this.#timers; timer !== undefined; timer = timer.sibling) {
      if (isArmed(timer)) refTimer(timer, this.#keepsAlive(timer.definition as TimerDefinition));
    }
  }

  start(): void {
    if (this.#flags & STARTED) return;
    this.#flags |= STARTED | BUSY;
    const base = takenEnd;
    const valuesBase = valuesEnd;
    const value = this.#value;
    this.#value = undefined;
    let first = this.#table.starts;
    while (first !== undefined && first.to !== this.#leaf) first = first.otherwise;
    let thrown: Thrown | undefined;
    if (first !== undefined) {
      if (first.computes !== undefined) thrown = this.#enter(first, value as Event, false);
    } else {
      const prepared = value as Prepared;
      this.#value = prepared.output;
      thrown = prepared.thrown;
      for (const step of prepared.taken) taken[takenEnd++] = step;
      for (const computed of prepared.values) values[valuesEnd++] = computed;
    }
    if (transitions.hasSubscribers) {
      let means: Means | undefined;
      if (thrown === undefined) {
        valuesRead = valuesBase;
        if (first !== undefined && takenEnd === base) means = meansOf(first, undefined);
        else for (let index = base; index < takenEnd; index++) means = meansOf(taken[index] as TableTransition, means);
      }
      publish(this.#record('', INIT, means));
    }
    if (thrown !== undefined) {
      this.#fail(thrown, base, valuesBase);
      return;
    }
    if (first !== undefined && takenEnd === base) this.#perform(first, valuesBase);
    else this.#performTaken(base, valuesBase);
    valuesEnd = valuesBase;
    this.#rest();
  }

  send(event: Event): void {
    const flags = this.#flags;
    if ((flags & (STARTED | BUSY | OVER)) === STARTED) {
      this.#flags = flags | BUSY;
      this.#take(event);
      this.#rest();
    } else if ((flags & OVER) === 0) {
      const mail = this.#mail;
      if (Array.isArray(mail)) mail.push(event);
      else if (mail !== undefined) this.#mail = [mail, event];
      // What is no event is a mistake that must not go unheard.
      else this.#mail = event === undefined ? [event] : event;
    }
  }

  timerFired(timer: InstanceTimer): void {
    const { event } = timer.definition as TimerDefinition;
    this.#unlist(timer);
    recycle(timer);
    this.send(event);
  }

  get #where(): Leaf {
    return this.#table.leaves[this.#leaf] as Leaf;
  }

  /** A transition is over: finishes, or takes what was sent meanwhile. */
  #rest(): void {
    for (;;) {
      if (this.#flags & (DONE | OVER)) {
        if ((this.#flags & OVER) === 0) this.#finish();
        return;
      }
      const mail = this.#mail;
      if (mail === undefined) break;
      if (Array.isArray(mail)) {
        const event = mail.shift() as Event;
        if (mail.length === 0) this.#mail = undefined;
        this.#take(event);
      } else {
        this.#mail = undefined;
        this.#take(mail);
      }
    }
    if (this.#flags & UNARMED) this.#armTimers();
    this.#flags &= ~BUSY;
  }

  /** Takes one event: all steps that it leads to, then all that these have to do. */
  #take(event: Event): void {
    const base = takenEnd;
    const valuesBase = valuesEnd;
    let only: TableTransition | undefined;
    let thrown: Thrown | undefined;
    try {
      const { type } = event;
      if (type === '*') throw new Error('An event cannot have the type "*".');
      const first = this.#stepsFor(type);
      if (first !== undefined) {
        if ((first.flags & ASKS) !== 0) see(this.#context, event);
        only = this.#step(first, type, true);
      }
      // A step that needs no event may have waited for this event, though no other transition takes it.
      const goesOn = only === undefined ? this.#table.hasAlways : (only.flags & GOES_ON) !== 0;
      if (goesOn || raisedCount > 0) {
        if (only !== undefined) taken[takenEnd++] = only;
        only = undefined;
        this.#settle(event, true);
      }
    } catch (error) {
      thrown = { error };
      dropRaised();
    }
    if (args.context !== NO_CONTEXT) see(NO_CONTEXT, undefined);
    if (recordCount > 0) publishRecords();
    if (thrown !== undefined) {
      this.#fail(thrown, base, valuesBase);
      return;
    }
    if (only !== undefined) this.#perform(only, valuesBase);
    else if (takenEnd > base) this.#performTaken(base, valuesBase);
    valuesEnd = valuesBase;
  }

  /**
   * Chooses the step that starts it, and returns the event that its functions get. Where one step is not enough, or a guard
   * has thrown, it returns what the start will do.
   */
  #chooseStart(input: unknown): Event | Prepared | undefined {
    const { starts } = this.#table;
    if (starts === undefined) return this.#prepare(input);
    const { guard, computes, to } = starts;
    this.#leaf = to;
    if (guard === undefined && computes === undefined) return undefined;
    const event: Event = initEvent(input);
    if (guard === undefined) return event;
    try {
      see(this.#context, event);
      this.#leaf = (chosen(starts) as TableTransition).to;
      return event;
    } catch {
      this.#leaf = this.#table.initial.to;
      return this.#prepare(input);
    } finally {
      see(NO_CONTEXT, undefined);
    }
  }

  /** Enters the initial states: works out all that the start will do. @param settles whether more steps may follow */
  #enter(initial: TableTransition, event: Event, settles: boolean): Thrown | undefined {
    try {
      see(this.#context, event);
      this.#compute(initial.computes);
      // A delay that is no number raises its event at once.
      if (settles || raisedCount > 0) {
        taken[takenEnd++] = initial;
        this.#settle(event, false);
      }
    } catch (error) {
      dropRaised();
      return { error };
    } finally {
      see(NO_CONTEXT, undefined);
    }
    return undefined;
  }

  /** Where the start depends on more than the initial states, it is worked out before, as XState does. */
  #prepare(input: unknown): Prepared {
    const base = takenEnd;
    const valuesBase = valuesEnd;
    const thrown = this.#enter(this.#table.initial, initEvent(input), true);
    const prepared: Prepared = {
      taken: taken.slice(base, takenEnd) as TableTransition[],
      values: values.slice(valuesBase, valuesEnd),
      output: this.#value,
      thrown,
    };
    drop(base, valuesBase);
    return prepared;
  }

  #stepsFor(type: string): TableTransition | undefined {
    const { columns } = this.#table;
    const column = columns.get(type);
    if (column !== undefined) return column[this.#leaf];
    const made = this.#table.columnOf(type);
    // Code that makes up types without end must not fill the memory.
    if (made !== undefined && columns.size < COLUMNS_MAX) columns.set(type, made);
    return made?.[this.#leaf];
  }

  /** Takes the first of these steps whose guard lets it. */
  #step(first: TableTransition, type: string, isTold: boolean): TableTransition | undefined {
    const step = first.guard === undefined ? first : chosen(first);
    if (step === undefined) return undefined;
    const from = this.#leaf;
    const valuesBase = valuesEnd;
    if (step.computes !== undefined) this.#compute(step.computes);
    this.#leaf = step.to;
    // Published once all is computed: a subscriber may send events to other instances.
    if (isTold && transitions.hasSubscribers && (step.flags & ACTS) !== 0) {
      valuesRead = valuesBase;
      const { path } = this.#table.leaves[from] as Leaf;
      recordCount = records.push(this.#record(path, type, meansOf(step, undefined)));
    }
    return step;
  }

  /** Goes on with steps that need no event, and with what was raised, until there are none; the former come first. */
  #settle(event: Event, isTold: boolean): void {
    let current = event;
    let askAlways = true;
    let steps = 0;
    const { id, stepsMax } = this.#table;
    see(this.#context, current);
    while ((this.#flags & DONE) === 0) {
      if (++steps > stepsMax) {
        throw new Error(
          `Infinite loop detected: "${id}" took ${stepsMax} steps for "${event.type}" and did not come to rest.`,
        );
      }
      const { always } = this.#where;
      const step: TableTransition | undefined =
        askAlways && always !== undefined ? this.#step(always, current.type, isTold) : undefined;
      if (step !== undefined) {
        taken[takenEnd++] = step;
        askAlways = (step.flags & CHANGES) !== 0;
        continue;
      }
      if (raisedCount === 0) return;
      raisedCount--;
      // One that is no event is a mistake, and fails like one.
      current = raised.shift() as Event;
      const first = this.#stepsFor(current.type);
      see(this.#context, current);
      const answer = first === undefined ? undefined : this.#step(first, current.type, isTold);
      if (answer !== undefined) taken[takenEnd++] = answer;
      askAlways = true;
    }
    dropRaised();
  }

  #compute(first: Op | undefined): void {
    for (let op = first; op !== undefined; op = op.next) {
      const { what } = op;
      switch (op.kind) {
        case EMIT_DYNAMIC:
          values[valuesEnd++] = (what as Expression)(args, op.params);
          break;
        case ASSIGN_CONSTANT:
          (this.#context as Record<string, unknown>)[op.more as string] = what;
          break;
        case ASSIGN_COMPUTED:
          (this.#context as Record<string, unknown>)[op.more as string] = (what as Expression)(args, op.params);
          break;
        case ASSIGN:
          (what as Expression)(args, op.params);
          break;
        case RAISE:
          raise(what);
          break;
        case RAISE_DYNAMIC:
          raise((what as Expression)(args, op.params));
          break;
        case SET_TIMER_DYNAMIC: {
          const delayMs = (op.more as Expression)(args);
          values[valuesEnd++] = delayMs;
          // What is no number is no delay: XState raises the event at once.
          if (typeof delayMs !== 'number') raise((what as TimerDefinition).event);
          break;
        }
        case DONE_STATE:
          raise({ type: op.more, output: (what as Expression | undefined)?.(args) });
          break;
        case FINISH:
          this.#value = (what as Expression | undefined)?.(args);
          this.#flags |= DONE;
          break;
      }
    }
  }

  #performTaken(base: number, valuesBase: number): void {
    const end = takenEnd;
    let valuesAt = valuesBase;
    for (let index = base; index < end; index++) {
      const step = taken[index] as TableTransition;
      taken[index] = undefined;
      valuesAt = this.#perform(step, valuesAt);
    }
    takenEnd = base;
  }

  /** Does what a step has to do; what was computed for it begins at `valuesAt`. Returns where that ends. */
  #perform({ does }: TableTransition, valuesAt: number): number {
    const isBound = (this.#flags & BOUND) !== 0;
    let at = valuesAt;
    for (let op = does; op !== undefined; op = op.next) {
      switch (op.kind) {
        case EMIT:
          if (isBound && op.more !== undefined) this.#performBound(op.more as Perform, op.what as Event);
          else this.#command(op.what as Event);
          break;
        case EMIT_DYNAMIC: {
          const command = values[at] as Event;
          values[at++] = undefined;
          if (!isBound) {
            this.#command(command);
            break;
          }
          if (op.more !== command.type) {
            op.more = command.type;
            op.what = (this.#table.commands as Commands)[command.type];
          }
          if (op.what === undefined) this.#command(command);
          else this.#performBound(op.what as Perform, command);
          break;
        }
        case SET_TIMER:
          this.#setTimer(op.what as TimerDefinition, op.more as number);
          break;
        case SET_TIMER_DYNAMIC: {
          const delayMs = values[at++];
          if (typeof delayMs === 'number') this.#setTimer(op.what as TimerDefinition, delayMs);
          break;
        }
        case CLEAR_TIMER:
          if (this.#timers !== undefined) this.#clearTimer(op.what as TimerDefinition);
          break;
      }
    }
    return at;
  }

  #performBound(perform: Perform, command: Event): void {
    try {
      perform(this.#host, command);
    } catch (error) {
      this.#commandFailed(command.type, error);
    }
  }

  #commandFailed(type: string, error: unknown): void {
    try {
      this.#host.commandFailed?.(type, error);
    } catch (thrown) {
      report(thrown);
    }
  }

  #command(command: Event): void {
    try {
      this.#host.perform(command);
    } catch (error) {
      report(error);
    }
  }

  #finish(): void {
    const outcome = this.#value as Outcome;
    this.#flags |= OVER;
    this.#mail = undefined;
    try {
      this.#host.finish(outcome);
    } catch (error) {
      report(error);
    }
  }

  /** A function of the machine has thrown: this instance is over, without an outcome. */
  #fail({ error }: Thrown, base: number, valuesBase: number): void {
    drop(base, valuesBase);
    this.#flags = (this.#flags & ~DONE) | OVER;
    this.#mail = undefined;
    while (this.#timers !== undefined) this.#clearTimer(this.#timers.definition as TimerDefinition);
    report(error);
  }

  /** The host is asked each time: those that share their commands need not share which timers are in the background. */
  #keepsAlive({ name }: TimerDefinition): boolean {
    return (this.#flags & DETACHED) === 0 && this.#host.backgroundTimers?.has(name) !== true;
  }

  #setTimer(definition: TimerDefinition, delayMs: number): void {
    if (isNever(delayMs)) return;
    const timer = makeTimer(this, definition, delayMs);
    this.#flags |= UNARMED;
    let last = this.#timers;
    if (last === undefined) {
      this.#timers = timer;
      return;
    }
    while (last.sibling !== undefined) last = last.sibling;
    last.sibling = timer;
  }

  #armTimers(): void {
    this.#flags &= ~UNARMED;
    // A timer that was set and cleared again may have been the only one.
    if (this.#timers === undefined) return;
    const { clock } = this.#host;
    const now = clock.now();
    for (let timer: InstanceTimer | undefined = this.#timers; timer !== undefined; timer = timer.sibling) {
      if (!isArmed(timer)) armTimer(clock, now, timer, this.#keepsAlive(timer.definition as TimerDefinition));
    }
  }

  #clearTimer(definition: TimerDefinition): void {
    for (let timer = this.#timers; timer !== undefined; timer = timer.sibling) {
      if (timer.definition !== definition) continue;
      this.#unlist(timer);
      clearTimer(this.#host.clock, timer);
      return;
    }
  }

  #unlist(timer: InstanceTimer): void {
    if (this.#timers === timer) {
      this.#timers = timer.sibling;
      return;
    }
    let before = this.#timers as InstanceTimer;
    while (before.sibling !== timer) before = before.sibling as InstanceTimer;
    before.sibling = timer.sibling;
  }

  #record(from: string, event: string, means: Means | undefined): Transition {
    const host = this.#host;
    const { incarnation, cause } = this.#context as { incarnation?: number; cause?: Cause };
    return {
      who: host.id,
      parent: host.parentId,
      machine: this.#table.id,
      incarnation,
      handle: host,
      about: host.describe?.() ?? NO_DESCRIPTION,
      from,
      event,
      cause,
      means,
      to: this.state,
      isFinal: this.#where.isFinal,
      at: timeOf(host.clock),
    };
  }
}

/** What a function of the machine threw: anything at all. */
interface Thrown {
  readonly error: unknown;
}

interface Prepared {
  readonly taken: readonly TableTransition[];
  readonly values: readonly unknown[];
  readonly output: unknown;
  readonly thrown: Thrown | undefined;
}

function see(context: object, event: unknown): void {
  args.context = context;
  args.event = event;
}

/** The first of these steps whose guard lets it be taken. */
function chosen(first: TableTransition): TableTransition | undefined {
  for (let step: TableTransition | undefined = first; step !== undefined; step = step.otherwise) {
    if (step.guard === undefined || step.guard(args)) return step;
  }
  return undefined;
}

/** Where the values begin that were computed for the next step whose commands are read. */
let valuesRead = 0;

/** What the commands of this step mean, after those of the steps before it. */
function meansOf({ does }: TableTransition, before: Means | undefined): Means | undefined {
  let means = before;
  for (let op = does; op !== undefined; op = op.next) {
    if (op.kind === EMIT) means = meaningWith(means, op.what);
    else if (op.kind === EMIT_DYNAMIC) means = meaningWith(means, values[valuesRead++]);
    else if (op.kind === SET_TIMER_DYNAMIC) valuesRead++;
  }
  return means;
}

type Perform = (host: unknown, command: unknown) => void;

function bind(table: Table, commands: Commands): void {
  table.commands = commands;
  for (const op of table.emits) op.more = commands[(op.what as Event).type];
}

function raise(event: unknown): void {
  raisedCount = raised.push(event as Event);
}

function dropRaised(): void {
  if (raisedCount > 0) raised.length = 0;
  raisedCount = 0;
}

function drop(base: number, valuesBase: number): void {
  taken.fill(undefined, base, takenEnd);
  takenEnd = base;
  values.fill(undefined, valuesBase, valuesEnd);
  valuesEnd = valuesBase;
}

function publishRecords(): void {
  recordCount = 0;
  for (const record of records.splice(0)) publish(record);
}

/** As XState does: it is the process's error, and no other work stops for it. */
function report(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
