/**
 * An instance of a user's machine: what its class has beyond those of the library. It can be subscribed, stopped and asked for its snapshot;
 * a step that fails leaves it where it was.
 */
import { type AnyMachineSnapshot, pathToStateValue, type Snapshot, type StateValue } from 'xstate';
import type { Host, Run, RunListeners, RunSnapshot, Transition } from '../runtime/instance.js';
import { checkListeners } from '../runtime/machine.js';
import {
  BUSY,
  callAside,
  contextOf,
  DONE,
  type Event,
  type Facts,
  type LeafFacts,
  OVER,
  type Place,
  STARTED,
} from '../runtime/machine-instance.js';
import { attempt } from '../runtime/report.js';
import { enroll, strike } from '../runtime/roster.js';
import { clearTimer } from '../runtime/timers.js';
import { ActingInstance, type Child, type Children, type Effect, type Effects, effects } from './acting-instance.js';

/** Makes the context of an instance; a function may read `self` and `spawn`. */
type MakeContext<C> = (input: unknown, instance: OwnInstance<never>) => C;

/** An instance writes to its context, and so needs one of its own. */
export function ownContext<C extends object>(make: C | ((given: object) => C), asks = false): MakeContext<C> {
  if (typeof make === 'function' && asks) return (input, instance) => ({ ...make(instance.argsOfContext(input)) });
  return contextOf(make);
}

/** What XState throws where the guard of a transition for an event has thrown. */
export function guardError(error: unknown, { type }: Event, state: string, guard: string | undefined): Error {
  const name = guard === undefined || guard === '' ? '' : `'${guard}' `;
  const { message } = error as Error;
  return new Error(
    `Unable to evaluate guard ${name}in transition for event '${type}' in state node '${state}':\n${message}`,
    { cause: error },
  );
}

const STOP: Event = { type: 'xstate.stop' };

export abstract class OwnInstance<C extends object> extends ActingInstance<C> implements Run<Event> {
  /** Where it was before the step that is worked out: a step that fails leaves it there. */
  #leafBefore = 0;
  #contextBefore: C | undefined;

  constructor(facts: Facts, host: Host<Event>, make: MakeContext<C>, leaf: number, input: unknown) {
    super(facts, host, {} as C, leaf, input);
    try {
      this.context = make(input, this as never);
      this.#note();
    } catch (error) {
      this.failWhenStarted(error);
    }
  }

  // Of a run

  override start(): void {
    if ((this.flags & STARTED) === 0) enroll(this as never);
    super.start();
  }

  subscribe(listeners: RunListeners): () => void {
    checkListeners(listeners);
    const extra = this.extra;
    const own = { ...listeners };
    extra.listeners = [...extra.listeners, own];
    return () => {
      extra.listeners = extra.listeners.filter((one) => one !== own);
    };
  }

  stop(): void {
    if (this.flags & OVER) return;
    if ((this.flags & STARTED) === 0) {
      this.flags |= STARTED;
      this.#halt();
    } else {
      // What was sent before is dropped; a transition that is under way, and its commands, come to their end.
      this.forgetMail();
      super.send(STOP);
    }
  }

  snapshot(): RunSnapshot {
    const isDone = (this.flags & DONE) !== 0;
    const { output, thrown } = this.result;
    const status = this.more?.status ?? (thrown !== undefined ? 'error' : isDone ? 'done' : 'active');
    return {
      value: this.#value,
      context: { ...this.context },
      status,
      output: status === 'done' || this.more?.isDoneAtStart === true ? output : undefined,
      error: thrown?.error ?? this.more?.error,
    };
  }

  asSnapshot(): AnyMachineSnapshot {
    // In the middle of a step it is what it was before.
    const before = (this.flags & BUSY) === 0 ? undefined : this.#contextBefore;
    return before === undefined
      ? this.snapshotAt(this.leaf, this.context, this.more?.children)
      : this.snapshotAt(this.#leafBefore, before, this.more?.childrenBefore);
  }

  protected override snapshotAt(leaf: number, context: C, children: Children = {}): AnyMachineSnapshot {
    const { status, output, error } = this.snapshot();
    const value = this.#valueOf(leaf);
    const snapshot = this.machine.resolveState({ value, context, status, output, error } as never);
    for (const [id, { ref }] of Object.entries(children)) snapshot.children[id] = ref;
    return snapshot;
  }

  get #value(): StateValue {
    return this.#valueOf(this.leaf);
  }

  #valueOf(leaf: number): StateValue {
    const { keys } = this.facts.leaves[leaf] as LeafFacts;
    return keys.length === 0 ? {} : pathToStateValue([...keys]);
  }

  protected override get isWatched(): boolean {
    return super.isWatched || (this.more !== undefined && this.more.listeners.length > 0);
  }

  protected override publish(record: Transition): void {
    if (super.isWatched) super.publish(record);
    for (const { transition } of this.more?.listeners ?? []) {
      if (transition !== undefined) attempt(() => transition(record));
    }
  }

  protected override record(from: string, event: Event, commands: readonly unknown[]): Transition {
    return super.record(from, event, commands.flatMap(emittedIn));
  }

  /** Tells of a step at once: a function of the user's may be called in the next one. */
  protected noteNow(from: number, event: Event, ...commands: readonly unknown[]): void {
    if (!this.isStarted) return;
    const record = this.record((this.facts.leaves[from] as LeafFacts).path, event, commands);
    callAside(() => this.publish(record), undefined, undefined);
  }

  protected override react(event: Event): void {
    if (event === STOP) {
      this.#halt();
    } else {
      this.#note();
      super.react(event);
      this.#contextBefore = undefined;
      this.more?.actor?.tell(event);
    }
  }

  #note(): void {
    this.#leafBefore = this.leaf;
    this.#contextBefore = this.context;
    if (this.more !== undefined) this.more.childrenBefore = this.more.children;
  }

  #halt(): void {
    this.extra.status = 'stopped';
    this.flags = (this.flags & ~DONE) | OVER;
    this.forgetMail();
    this.clearTimers();
    this.#letGo();
    this.more?.actor?.stopped(STOP);
    strike(this as never);
  }

  protected override finish(): void {
    this.#letGo();
    strike(this as never);
    super.finish();
    this.more?.actor?.complete();
    for (const { done } of this.more?.listeners ?? []) if (done !== undefined) attempt(() => done(this.outcome));
  }

  protected override fail(error: unknown): void {
    const extra = this.extra;
    extra.status = 'error';
    extra.error = error;
    extra.early.length = 0;
    this.#goBack();
    super.fail(error);
  }

  /** To where it was before the step that has failed. */
  #goBack(): void {
    if (this.#contextBefore === undefined) return;
    this.leaf = this.#leafBefore;
    this.context = this.#contextBefore;
    this.extra.children = this.extra.childrenBefore ?? {};
  }

  protected override prepare(): void {
    super.prepare();
    if (this.result.thrown !== undefined) this.#goBack();
  }

  protected override failed(error: unknown): void {
    this.#letGo();
    strike(this as never);
    const listening = (this.more?.listeners ?? []).filter(({ failed }) => failed !== undefined);
    for (const { failed } of listening) attempt(() => failed?.(error));
    const isHeard = this.more?.actor?.fail(error) === true || listening.length > 0;
    if (!isHeard || this.host.failed !== undefined) super.failed(error);
  }

  /** Its actors are stopped, and its timers cleared. */
  #letGo(): void {
    const more = this.more;
    if (more === undefined) return;
    for (const timer of more.scheduled) clearTimer(this.host.clock, timer);
    more.scheduled.clear();
    more.byId.clear();
    for (const child of Object.values(more.children)) this.stopChild(child);
  }

  // What generated code calls

  /** The error of an actor that no transition takes: it is that of the instance. */
  protected isFatal({ type }: Event): boolean {
    return type.startsWith('xstate.error.actor') && !this.isFollowing;
  }

  protected failBy(event: Event): void {
    this.fail((event as Event & { error: unknown }).error);
  }

  protected override emitAs(at: Place, command: Event): void {
    // An effect before it has failed.
    if (this.flags & OVER) return;
    if (this.#contextBefore !== undefined) {
      // All is worked out.
      this.#contextBefore = undefined;
      if (this.more !== undefined && this.flags & DONE) this.stopUnstarted(this.more);
    }
    if (at !== effects) this.emitNow(at, command);
    else this.#perform(command as unknown as Effects);
  }

  protected override emitNow(at: Place, command: Event): void {
    this.more?.actor?.scope.emit(command);
    super.emitAs(at, command);
  }

  #perform(after: Effects): void {
    this.#contextBefore = undefined;
    for (const effect of after ?? []) {
      try {
        effect();
      } catch (error) {
        this.fail(error);
        return;
      }
    }
  }

  protected override performAll(commands: readonly unknown[]): void {
    const more = this.more;
    if (more !== undefined && more.early.length > 0) {
      const { early } = more;
      more.early = [];
      this.#perform(early);
    }
    super.performAll(commands);
  }

  protected override begin(commands: readonly unknown[]): void {
    const more = this.more;
    if (more !== undefined) {
      if (this.flags & DONE) {
        more.isDoneAtStart = true;
        more.early.push(() => this.stopUnstarted(more));
      } else {
        more.early.unshift(() => {
          // One that has failed already tells that in its turn.
          for (const child of Object.values(more.children)) if (isActive(child)) this.startChild(child);
        });
      }
    }
    super.begin(commands);
    this.#contextBefore = undefined;
    this.more?.actor?.tell();
  }
}

const isActive = ({ ref }: Child): boolean => (ref.getSnapshot() as Snapshot<unknown> | undefined)?.status === 'active';

/** The commands among what comes after a step: one itself, or those in a list of effects. */
const emittedIn = (one: unknown): readonly unknown[] =>
  Array.isArray(one) ? (one as Effect[]).flatMap(({ command }) => command ?? []) : one === undefined ? [] : [one];
