/**
 * What a step of a user's machine does that is more than to assign, emit and raise: it calls functions, and has actors and timers with ids.
 * It follows XState 5: a function action is called at once, in the middle of the step; what is emitted, sent, spawned, stopped and
 * scheduled comes after all steps, in the order of the actions. At a start all is worked out before, so there the functions come first.
 */
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
} from 'xstate';
import { isNever, type Timer } from '../runtime/clock.js';
import { inNoContext } from '../runtime/context.js';
import type { RunListeners, RunningTimer, RunSnapshot } from '../runtime/instance.js';
import {
  callAside,
  DETACHED,
  type Event,
  MachineInstance,
  OVER,
  type Place,
  place,
  STARTED,
} from '../runtime/machine-instance.js';
import { armTimer, clearTimer, InstanceTimer, refTimer, setOn, type TimerOwner } from '../runtime/timers.js';
import { type Builtin, enqueuers, evaluate, eventOf, valueFor } from './builtins.js';
import { InstanceActor } from './instance-actor.js';
import type { Invocation } from './plan.js';

/** What comes after all steps of an event; if that is to emit, it says what. */
export interface Effect {
  (): void;
  command?: Event;
}
export type Effects = Effect[] | undefined;

/** The place of effects among the commands. */
export const effects: Place = place();

/** An actor that an instance has. */
export interface Child {
  readonly ref: AnyActorRef;
  isStarted: boolean;
  isStopped: boolean;
}

/** Where something is sent: an actor that may be invoked later in the same step, or, with nothing, the instance itself. */
interface Target {
  readonly id?: string;
  to: AnyActorRef | undefined;
}

interface SpawnOptions {
  readonly id?: string | undefined;
  readonly src?: unknown;
  readonly systemId?: string | undefined;
  readonly input?: unknown;
  readonly syncSnapshot?: boolean | undefined;
}

/** A timer with an id of its own: `raise` or `sendTo` with a delay, or one of a state. */
class Scheduled extends InstanceTimer {
  constructor(
    owner: TimerOwner,
    name: string,
    keepsAlive: boolean,
    readonly id: string | undefined,
    readonly event: Event,
    /** Where the event goes; nothing for the instance itself. */
    readonly to: AnyActorRef | undefined,
  ) {
    super(owner, { name, slot: NO_SLOT, event }, keepsAlive);
  }
}

interface ActionArgs {
  readonly context: object;
  readonly event: Event;
  readonly self: AnyActorRef;
  readonly system: unknown;
}

const NO_SLOT = -1;

export type Children = Readonly<Record<string, Child>>;

/** What few instances need. */
export class More {
  actor: InstanceActor | undefined;
  /** By id; another object for each change, as in XState. */
  children: Children = {};
  childrenBefore: Children | undefined;
  /** What a start has to do first. */
  early: (() => void)[] = [];
  unsent: Target[] = [];
  /** Starts of actors that an assignment has spawned. */
  readonly spawned: (() => void)[] = [];
  /** All that run, in the order in which they were set. */
  readonly scheduled = new Set<Scheduled>();
  /** Those that `cancel` finds: of several with one id the last. */
  readonly byId = new Map<string, Scheduled>();
  /** Those of its actors. */
  readonly actorTimers = new Set<Timer>();
  listeners: RunListeners[] = [];
  error: unknown;
  status: 'error' | 'stopped' | undefined;
  /** Its start leads to its end: where a function of that throws, it has its output all the same, as in XState. */
  isDoneAtStart = false;
}

export abstract class ActingInstance<C extends object> extends MachineInstance<C> {
  protected more: More | undefined;

  /** @internal */
  abstract get machine(): AnyStateMachine;

  protected get extra(): More {
    this.more ??= new More();
    return this.more;
  }

  protected get isStarted(): boolean {
    return (this.flags & STARTED) !== 0;
  }

  get isOver(): boolean {
    return (this.flags & OVER) !== 0;
  }

  abstract stop(): void;
  abstract snapshot(): RunSnapshot;
  /** As XState has it, for functions that ask `self`. */
  abstract asSnapshot(): AnyMachineSnapshot;

  /** What it is like with this state, context and actors. */
  protected abstract snapshotAt(leaf: number, context: C, children: Children): AnyMachineSnapshot;

  /** Emits at once. */
  protected abstract emitNow(at: Place, command: Event): void;

  // Timers with an id

  override timers(): RunningTimer[] {
    const timers = super.timers();
    const now = this.host.clock.now();
    for (const { definition, dueAt } of this.more?.scheduled ?? []) {
      timers.push({ name: definition.name, remainingMs: Math.max(0, dueAt - now) });
    }
    return timers;
  }

  override setRef(keepAlive: boolean): void {
    super.setRef(keepAlive);
    for (const timer of this.more?.scheduled ?? []) refTimer(timer, this.keepsAlive(timer.definition.name));
    for (const timer of this.more?.actorTimers ?? []) {
      if (keepAlive) timer.ref();
      else timer.unref();
    }
  }

  /** Sets a timer of an actor that it has. */
  setTimer(callback: () => void, delayMs: number): Timer {
    const { actorTimers } = this.extra;
    const { clock } = this.host;
    const fire = (): void => {
      actorTimers.delete(timer);
      callback();
    };
    const timer = inNoContext(setOn, clock, fire, delayMs);
    actorTimers.add(timer);
    if ((this.flags & DETACHED) !== 0) timer.unref();
    return timer;
  }

  clearTimer(timer: Timer): void {
    this.extra.actorTimers.delete(timer);
    this.host.clock.clearTimeout(timer);
  }

  override timerFired(timer: InstanceTimer): void {
    if (!(timer instanceof Scheduled)) {
      super.timerFired(timer);
      return;
    }
    const { scheduled, byId } = this.extra;
    scheduled.delete(timer);
    // As in XState: also where another one has taken its id since.
    if (timer.id !== undefined) byId.delete(timer.id);
    this.#relay(timer.to, timer.event);
  }

  #set(name: string, id: string | undefined, event: Event, delayMs: number, to: AnyActorRef | undefined): void {
    const { scheduled, byId } = this.extra;
    if (this.flags & OVER) return;
    if (isNever(delayMs)) {
      // As in XState: `cancel` does not find the one that had its id before.
      if (id !== undefined) byId.delete(id);
      return;
    }
    const { clock } = this.host;
    const timer = new Scheduled(this, name, this.keepsAlive(name), id, event, to);
    scheduled.add(timer);
    if (id !== undefined) byId.set(id, timer);
    armTimer(clock, clock.now(), timer, delayMs);
  }

  #cancel(id: string): void {
    const { scheduled, byId } = this.extra;
    const timer = byId.get(id);
    if (timer === undefined) return;
    byId.delete(id);
    scheduled.delete(timer);
    clearTimer(this.host.clock, timer);
  }

  // What generated code calls

  protected schedule(name: string, type: string, delayMs: unknown): Effects {
    if (typeof delayMs === 'number') return [() => this.#set(name, type, { type }, delayMs, undefined)];
    // As XState does.
    this.raise({ type });
    return undefined;
  }

  protected unschedule(id: string): Effects {
    return [() => this.#cancel(id)];
  }

  /** The argument of a function that may read more than the context and the event. */
  protected args(event: Event): ActionArgs {
    const { self } = this;
    return { context: this.context, event, self, system: self.system };
  }

  protected argsOfOutput(event: Event): object {
    return { context: this.context, event, self: this.self };
  }

  protected argsOfAssign(event: Event): object {
    return { ...this.args(event), spawn: this.#spawner(event) };
  }

  argsOfContext(input: unknown): object {
    return { input, self: this.self, spawn: this.#spawner({ type: 'xstate.init', input } as Event) };
  }

  protected get self(): InstanceActor {
    const extra = this.extra;
    extra.actor ??= new InstanceActor(this, this.host);
    return extra.actor;
  }

  /** Calls a function action. */
  protected call(run: (given: unknown, params?: unknown) => unknown, given: unknown, params?: unknown): void {
    this.#now(() => run(given, params));
  }

  /** Does this now, in the middle of a step; at a start, first of all. */
  #now(work: () => unknown): void {
    if (this.isStarted) callAside(work, undefined, undefined);
    else this.extra.early.push(work as () => void);
  }

  /** Does an action of XState. @param coming the ids of the actors that the state which is entered invokes */
  protected act(event: Event, action: unknown, params: unknown, coming: readonly string[] = []): Effects {
    const after: Effect[] = [];
    this.#act(event, action as Builtin, params, after, coming);
    return after;
  }

  /** Starts what the assignment before has spawned. */
  protected spawned(): Effects {
    return this.more?.spawned.splice(0);
  }

  protected invoke(event: Event, { logic, ...options }: Invocation): Effects {
    const after: Effect[] = [];
    this.#spawn(event, logic, options, after);
    return after;
  }

  protected stopActor(id: string): Effects {
    const after: Effect[] = [];
    this.#remove(id, after);
    return after;
  }

  // Actions

  #act(event: Event, action: Builtin, params: unknown, after: Effect[], coming: readonly string[]): void {
    const args = () => this.args(event);
    if (!('resolve' in action)) {
      const given = args();
      this.#now(() => (action as unknown as (given: unknown, params: unknown) => unknown)(given, params));
      return;
    }
    switch (action.type) {
      case 'xstate.assign':
        this.context = { ...this.context, ...this.#assigned(event, action.assignment, params) };
        after.push(...(this.spawned() ?? []));
        return;
      case 'xstate.emit': {
        const command = valueFor(action.event, args(), params) as Event;
        after.push(Object.assign(() => this.emitNow(place(), command), { command }));
        return;
      }
      case 'xstate.raise': {
        const given = args();
        const raised = eventOf(action.event, given, params);
        const delayMs = this.#delay(action.delay, given, params);
        if (typeof delayMs !== 'number') this.raise(raised);
        else after.push(() => this.#set(raised.type, action.id, raised, delayMs, undefined));
        return;
      }
      case 'xstate.cancel': {
        const id = valueFor(action.sendId, args(), params) as string;
        after.push(() => this.#cancel(id));
        return;
      }
      case 'xstate.log': {
        const value = valueFor(action.value, args(), params);
        const { label } = action;
        this.#now(() => (label ? this.#log(label, value) : this.#log(value)));
        return;
      }
      case 'xstate.sendTo':
        this.#sendTo(action, args(), params, after, coming);
        return;
      case 'xstate.spawnChild': {
        const { id, src, systemId, input, syncSnapshot } = action;
        const logic = this.#logic(src);
        const options = { id: valueFor(id, args()) as string, src, systemId, input, syncSnapshot };
        this.#spawn(event, logic, options, after);
        return;
      }
      case 'xstate.stopChild': {
        const which = valueFor(action.actorRef, args(), params) as string | AnyActorRef | undefined;
        if (which !== undefined) this.#remove(typeof which === 'string' ? which : which.id, after);
        return;
      }
      case 'xstate.enqueueActions':
        this.#collect(event, action, params, after, coming);
        return;
      default:
        throw new Error(`"${action.type}" is no action of XState 5 that is known.`);
    }
  }

  #assigned(event: Event, assignment: unknown, params: unknown): object {
    const given = this.argsOfAssign(event);
    if (typeof assignment === 'function') return assignment(given, params);
    return Object.fromEntries(
      Object.entries(assignment as object).map(([key, value]) => [key, valueFor(value, given, params)]),
    );
  }

  #delay(delay: unknown, given: object, params: unknown): unknown {
    return valueFor(typeof delay === 'string' ? this.machine.implementations.delays[delay] : delay, given, params);
  }

  #log(...values: unknown[]): void {
    const { host } = this;
    // biome-ignore lint/suspicious/noConsole: it is where XState logs.
    const log = host.log ?? console.log;
    log.apply(host, values);
  }

  /** Performs what a function has enqueued: it may name any action. */
  #collect(event: Event, { collect }: Builtin, params: unknown, after: Effect[], coming: readonly string[]): void {
    const { context, machine } = this;
    const queue: unknown[] = [];
    const enqueue = Object.assign((action: unknown) => void queue.push(action), enqueuers(queue));
    const check = (guard: unknown): boolean => {
      const snapshot = this.snapshotAt(this.leaf, this.context, this.extra.children);
      return evaluate(guard, machine, snapshot, { context, event });
    };
    (collect as (given: object, params: unknown) => void)({ ...this.args(event), enqueue, check }, params);
    for (const action of queue) {
      const isInline = typeof action === 'function';
      const { type, params: given } = (typeof action === 'object' ? action : { type: action }) as {
        type: string;
        params?: unknown;
      };
      const resolved = isInline ? action : machine.implementations.actions[type];
      const own = isInline ? undefined : valueFor(given, { context: this.context, event });
      // XState does nothing for one that is not defined.
      if (resolved !== undefined) this.#act(event, resolved as unknown as Builtin, own, after, coming);
    }
  }

  #sendTo(action: Builtin, given: object, params: unknown, after: Effect[], coming: readonly string[]): void {
    const event = eventOf(action.event, given, params);
    const delayMs = this.#delay(action.delay, given, params);
    const to = valueFor(action.to, given, params) as string | AnyActorRef | undefined;
    const target = this.#target(to, coming);
    after.push(() => {
      if (typeof delayMs === 'number') this.#set(event.type, action.id, event, delayMs, target.to);
      else this.#relay(target.to, event);
    });
  }

  /** @param coming the ids of the actors that the state which is entered invokes */
  #target(to: string | AnyActorRef | undefined, coming: readonly string[]): Target {
    if (typeof to !== 'string') return { to };
    if (to === '#_internal') return { to: undefined };
    const id = to.startsWith('#_') ? to.slice(2) : to;
    const { children, unsent } = this.extra;
    const target: Target = { id, to: children[id]?.ref };
    if (coming.includes(to)) unsent.push(target);
    else if (target.to === undefined) {
      throw new Error(`Unable to send event to actor '${to}' from machine '${this.machine.id}'.`);
    }
    return target;
  }

  #relay(to: AnyActorRef | undefined, event: Event): void {
    const actor = this.more?.actor;
    if (actor === undefined) this.send(event);
    else actor.relay(to ?? actor, event);
  }

  // Actors

  #logic(src: unknown): AnyActorLogic {
    const logic = typeof src === 'string' ? this.machine.implementations.actors[src] : src;
    if (logic === undefined) throw new Error(`Actor logic '${src}' not implemented in machine '${this.machine.id}'`);
    return logic as AnyActorLogic;
  }

  #spawner(event: Event): (src: unknown, options?: SpawnOptions) => AnyActorRef {
    return (src, options = {}) => {
      const { spawned, early } = this.extra;
      return this.#spawn(event, this.#logic(src), { ...options, src }, this.isStarted ? spawned : early);
    };
  }

  #spawn(event: Event, logic: AnyActorLogic, options: SpawnOptions, after: Effect[]): AnyActorRef {
    const { id, src, systemId, input, syncSnapshot } = options;
    const { self } = this;
    const given = typeof input === 'function' ? input({ context: this.context, event, self }) : input;
    const ref = createActor(logic, {
      id,
      src,
      parent: self,
      syncSnapshot,
      systemId,
      input: given,
    } as never) as AnyActorRef;
    const child: Child = { ref, isStarted: false, isStopped: false };
    const extra = this.extra;
    extra.children = { ...extra.children, [ref.id]: child };
    extra.unsent = extra.unsent.filter((one) => {
      if (one.id === ref.id) one.to = ref;
      return one.id !== ref.id;
    });
    after.push(() => this.startChild(child));
    return ref;
  }

  protected startChild(child: Child): void {
    if (child.isStarted || child.isStopped) return;
    child.isStarted = true;
    child.ref.start();
  }

  #remove(id: string, after: Effect[]): void {
    const extra = this.extra;
    const { [id]: child, ...others } = extra.children;
    if (child === undefined) return;
    extra.children = others;
    after.push(() => this.stopChild(child));
    const leave = (): void => {
      // Other actors of the same names in the system may come in this step.
      unregister(this.self.system as never, child.ref);
      if (!child.isStarted) this.stopChild(child);
    };
    // At a start it may have been started before, by the assignment that has spawned it.
    if (this.isStarted) leave();
    else extra.early.push(leave);
  }

  /** A machine that is done starts none of its actors any more. */
  protected stopUnstarted({ children }: More): void {
    for (const child of Object.values(children)) if (!child.isStarted) this.stopChild(child);
  }

  protected stopChild(child: Child): void {
    if (child.isStopped) return;
    child.isStopped = true;
    this.self.scope.stopChild(child.ref);
  }
}

/** An actor that is stopped has no name in the system any more, and neither have those that it has. */
function unregister(system: { _unregister?(ref: AnyActorRef): void }, ref: AnyActorRef): void {
  const { children = {} } = (ref.getSnapshot() ?? {}) as { children?: Record<string, AnyActorRef> };
  for (const child of Object.values(children)) unregister(system, child);
  system._unregister?.(ref);
}
