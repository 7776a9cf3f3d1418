/**
 * Runs a machine on an XState actor: for programs that compose it with actors of their own, and as the reference that
 * any faster runtime must behave like.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  createActor,
  type EventObject,
  type InspectionEvent,
  initialTransition,
  type Observer,
  type StateValue,
  toObserver,
} from 'xstate';
import { CompileError, OptionError } from '../errors.js';
import { type Means, meaningWith } from '../machines/means.js';
import type { Cause, Outcome } from '../machines/vocabulary.js';
import { NO_DESCRIPTION, publish, transitions } from './channel.js';
import { type Clock, isNever, type Timer, timeOf } from './clock.js';
import { inNoContext } from './context.js';
import type { Host, Run, RunListeners, RunningTimer, RunSnapshot, Transition } from './instance.js';
import { checkHost, checkListeners, checkMachine, type RunnableMachine } from './machine.js';
import { attempt, report } from './report.js';
import { enroll, strike } from './roster.js';
import { setOn } from './timers.js';

/** `{ active: { established: 'open' } }` is `active.established.open`. Of parallel states it would show one. */
export function statePath(value: StateValue): string {
  if (typeof value === 'string') return value;
  // A machine without states has an empty value.
  const [entry] = Object.entries(value);
  if (entry === undefined) return '';
  const [name, child] = entry;
  return `${name}.${statePath(child as StateValue)}`;
}

/**
 * An instance is in one state at a time: in what it shows, in `matches()`, and in what is published.
 *
 * @throws CompileError for a machine with parallel states
 */
export function refuseParallel({ type, id, states }: AnyStateNode): void {
  if (type === 'parallel') {
    throw new CompileError(id, 'its states are parallel', 'Make each of them a machine of its own', 'run');
  }
  for (const child of Object.values(states) as AnyStateNode[]) refuseParallel(child);
}

/** What the delays of a machine are called, by the types of the events that they send. Names and ids may have dots. */
function timerNamesOf(machine: AnyStateMachine): ReadonlyMap<string, string> {
  refuseParallel(machine.root);
  const names = new Map<string, string>();
  const visit = (node: AnyStateNode): void => {
    for (const key of Object.keys(node.config.after ?? {})) {
      const name = Number.isNaN(+key) ? key : String(+key);
      names.set(`xstate.after.${name}.${node.id}`, name);
    }
    for (const child of Object.values(node.states) as AnyStateNode[]) visit(child);
  };
  visit(machine.root);
  return names;
}

interface PendingTimer {
  readonly name: string;
  /** It is one of the instance's own, and not of an actor that it invokes. */
  readonly isOwn: boolean;
  readonly dueAt: number;
  readonly timer: Timer;
}

class ActorInstance implements Run<EventObject> {
  outcome: Outcome | undefined;
  readonly #actor;
  readonly #input: unknown;
  readonly machine: AnyStateMachine;
  readonly host: Host<EventObject>;
  readonly #pending = new Set<PendingTimer>();
  readonly #timerNames: ReadonlyMap<string, string>;
  #keepAlive = true;
  #isStarted = false;
  #isOver = false;
  #listeners: readonly RunListeners[] = [];

  constructor(
    machine: AnyStateMachine,
    timerNames: ReadonlyMap<string, string>,
    input: unknown,
    host: Host<EventObject>,
  ) {
    this.machine = machine;
    this.host = host;
    this.#input = input;
    this.#timerNames = timerNames;
    const inspector = inspectorOf(host.inspect);
    this.#actor = createActor(machine, {
      id: host.id,
      input,
      clock: this.#clockFor(host.clock),
      ...(host.log !== undefined && { logger: (...values: unknown[]) => host.log?.(...values) }),
      inspect: (inspection) => {
        if (inspector !== undefined) attempt(() => inspector.next?.(inspection));
        if (!this.#isStarted || !this.#isWatched || !isOf(inspection, this.#actor)) return;
        if (inspection.type === '@xstate.action') noteEmitted(this.#commands, inspection.action);
        else if (inspection.type === '@xstate.microstep') this.#publishStep(inspection);
        else if (inspection.type === '@xstate.snapshot') {
          this.#reached = undefined;
          this.#commands = [];
        }
      },
    });
    this.#actor.on('*', (command) => host.perform(command));
    this.#actor.subscribe({
      complete: () => {
        this.#end();
        if (this.#snapshot.status !== 'done') return;
        this.outcome = this.#actor.getSnapshot().output as Outcome;
        attempt(() => host.finish(this.outcome));
        for (const { done } of this.#listeners) if (done !== undefined) attempt(() => done(this.outcome));
      },
      error: (error) => {
        this.#end();
        // XState leaves them running.
        for (const child of Object.values(this.#snapshot.children ?? {})) (child as { _stop?(): void })._stop?.();
        const listening = this.#listeners.filter(({ failed }) => failed !== undefined);
        for (const { failed } of listening) attempt(() => failed?.(error));
        if (host.failed !== undefined) attempt(() => host.failed?.(error));
        else if (listening.length === 0 && !this.#isObserved) report(error);
      },
    });
  }

  #end(): void {
    this.#isOver = true;
    strike(this as never);
    // XState forgets a timer whose id is used again, and leaves it running.
    for (const pending of this.#pending) {
      if (!pending.isOwn) continue;
      this.#pending.delete(pending);
      this.host.clock.clearTimeout(pending.timer);
    }
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    if (this.#isOver) return;
    enroll(this as never);
    if (this.#isWatched) {
      const snapshot = this.#snapshot;
      if (snapshot.status !== 'error') this.#noteInitial();
      this.#publish(snapshot, '', START);
    }
    this.#actor.start();
  }

  subscribe(listeners: RunListeners): () => void {
    checkListeners(listeners);
    const own = { ...listeners };
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== own);
    };
  }

  stop(): void {
    if (this.#isOver) return;
    // An actor that has not started cannot be stopped, and so is not started.
    if (!this.#isStarted) this.#isOver = this.#isStopped = true;
    this.#actor.stop();
  }

  #isStopped = false;

  snapshot(): RunSnapshot {
    const { value, context, status, output, error } = this.#snapshot;
    if (this.#isStopped) return { value, context: { ...context }, status: 'stopped', output: undefined, error };
    return { value, context: { ...context }, status, output, error };
  }

  get #isWatched(): boolean {
    return transitions.hasSubscribers || this.#listeners.length > 0;
  }

  /** A function of the machine has subscribed `self`: XState itself reports what such an observer does not take. */
  get #isObserved(): boolean {
    return (this.#actor as unknown as { readonly observers: ReadonlySet<unknown> }).observers.size > 1;
  }

  get state(): string {
    return statePath(this.#actor.getSnapshot().value);
  }

  send(event: EventObject): void {
    // What is over ignores everything; the actor would warn.
    if (!this.#isOver) this.#actor.send(event);
  }

  /** While a step is told of, the actor is still where it was before. */
  get context(): object {
    return (this.#told ?? this.#snapshot).context;
  }

  matches(path: string): boolean {
    return this.state === path || this.state.startsWith(`${path}.`);
  }

  hasTag(tag: string): boolean {
    return this.#snapshot.hasTag(tag);
  }

  can(event: EventObject): boolean {
    return this.#snapshot.can(event);
  }

  get #snapshot(): AnyMachineSnapshot {
    return this.#actor.getSnapshot();
  }

  accepts(): string[] {
    const snapshot = this.#snapshot;
    return snapshot.machine.events.filter((type: string) => !type.startsWith('xstate.') && snapshot.can({ type }));
  }

  timers(): RunningTimer[] {
    const now = this.host.clock.now();
    const own = [...this.#pending].filter(({ isOwn }) => isOwn);
    return own.map(({ name, dueAt }) => ({ name, remainingMs: Math.max(0, dueAt - now) }));
  }

  setRef(keepAlive: boolean): void {
    this.#keepAlive = keepAlive;
    for (const { name, timer } of this.#pending) {
      if (this.#isBackground(name)) continue;
      if (keepAlive) timer.ref();
      else timer.unref();
    }
  }

  #isBackground(name: string): boolean {
    return this.host.backgroundTimers?.has(name) === true;
  }

  /** The actor's clock: knows the name of each timer, sets none that never comes, and lets go of the process. */
  #clockFor(clock: Clock) {
    return {
      setTimeout: (callback: () => void, delayMs: number): PendingTimer | undefined => {
        const { name, isOwn } = this.#newestTimer();
        if (isNever(delayMs)) return undefined;
        const pending: PendingTimer = {
          name,
          isOwn,
          dueAt: clock.now() + delayMs,
          timer: inNoContext(
            setOn,
            clock,
            () => {
              this.#pending.delete(pending);
              callback();
            },
            delayMs,
          ),
        };
        this.#pending.add(pending);
        if (!this.#keepAlive || this.#isBackground(name)) pending.timer.unref();
        return pending;
      },
      clearTimeout: (pending: PendingTimer | undefined): void => {
        if (pending === undefined) return;
        this.#pending.delete(pending);
        clock.clearTimeout(pending.timer);
      },
    };
  }

  /** The scheduled events that were seen: XState notes one before it asks the clock. */
  readonly #seen = new WeakSet<object>();

  #newestTimer(): { name: string; isOwn: boolean } {
    const scheduled = Object.values(this.#actor.system.getSnapshot()._scheduledEvents);
    // The last one, but where an id is used again, which keeps its place.
    const newest = scheduled.findLast((one) => !this.#seen.has(one));
    if (newest === undefined) return { name: '', isOwn: false };
    this.#seen.add(newest);
    const { event, source } = newest as typeof newest & { source: unknown };
    return { name: this.#timerNames.get(event.type) ?? event.type, isOwn: source === this.#actor };
  }

  /** The actor tells what it emits first only while it does: the functions of a machine are pure, so they can be asked again. */
  #noteInitial(): void {
    const [, actions] = initialTransition(this.#snapshot.machine, this.#input);
    for (const action of actions) noteEmitted(this.#commands, action);
  }

  /** What the current step has emitted, so far. */
  #commands: EventObject[] = [];

  /** The step that is told of now. */
  #told: AnyMachineSnapshot | undefined;

  /** Where the steps of the current event have led so far: the actor itself tells only after the last one. */
  #reached: string | undefined;

  #publishStep(inspection: { event: EventObject; snapshot: unknown; _transitions: unknown }): void {
    const taken = inspection._transitions as readonly { target?: unknown; actions: readonly unknown[] }[];
    if (!taken.some(({ target, actions }) => target !== undefined || actions.length > 0)) return;
    const from = this.#reached ?? this.state;
    this.#reached = this.#publish(inspection.snapshot as AnyMachineSnapshot, from, inspection.event);
  }

  #publish(snapshot: AnyMachineSnapshot, from: string, event: EventObject): string {
    const to = statePath(snapshot.value);
    const host = this.host;
    const commands = this.#commands;
    this.#commands = [];
    const { incarnation, cause } = snapshot.context as { incarnation?: number; cause?: Cause };
    this.#told = snapshot;
    this.#tell({
      who: host.id,
      parent: host.parentId,
      machine: snapshot.machine.id,
      incarnation,
      handle: host,
      about: host.describe?.() ?? NO_DESCRIPTION,
      from,
      event: event.type,
      eventObject: event,
      commands,
      instance: this as never,
      cause,
      means: commands.reduce<Means | undefined>(meaningWith, undefined),
      to,
      isFinal: snapshot._nodes.some(({ type, parent }) => type === 'final' && parent === snapshot.machine.root),
      at: timeOf(host.clock),
    });
    this.#told = undefined;
    return to;
  }

  #tell(transition: Transition): void {
    if (transitions.hasSubscribers) publish(transition);
    for (const listener of this.#listeners) attempt(() => listener.transition?.(transition));
  }
}

/** @throws OptionError */
function inspectorOf(inspect: Host<never>['inspect']): Partial<Observer<InspectionEvent>> | undefined {
  if (inspect === undefined) return undefined;
  if (typeof inspect !== 'function' && typeof inspect?.next !== 'function') {
    throw new OptionError('inspect', inspect, 'a function, or an observer with next()');
  }
  return toObserver(inspect as never);
}

/** Also the actors that an instance invokes are inspected with it. */
const isOf = ({ actorRef }: { readonly actorRef: unknown }, actor: unknown): boolean => actorRef === actor;

const START: EventObject = { type: 'xstate.init' };

function noteEmitted(commands: EventObject[], { type, params }: { readonly type: string; readonly params: unknown }) {
  if (type === 'xstate.emit') commands.push((params as { readonly event: EventObject }).event);
}

/**
 * Runs a machine on XState actors, one for each instance: the same face as {@link compile}, many times slower, and with more
 * of XState.
 *
 * @throws CompileError for parallel states
 * @throws OptionError for what is no machine
 * @example
 * ```ts
 * const instance = interpret(doorMachine).run(undefined, host);
 * instance.start();
 * ```
 */
export function interpret<M extends AnyStateMachine>(machine: M): RunnableMachine<M> {
  checkMachine(machine);
  const timerNames = timerNamesOf(machine);
  return {
    id: machine.id,
    run(input, host) {
      checkHost(host as Host<never>);
      return new ActorInstance(machine, timerNames, input, host as Host<EventObject>) as never;
    },
  };
}
