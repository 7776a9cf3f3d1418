/** An instance of a user's machine as an XState actor: what `self` is, and the parent of its actors. */
import {
  Actor,
  type ActorScope,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type Snapshot,
  type Subscription,
  toObserver,
} from 'xstate';
import { isNever, type Timer } from '../runtime/clock.js';
import type { Host, RunSnapshot } from '../runtime/instance.js';
import type { Event } from '../runtime/machine-instance.js';
import { attempt, report } from '../runtime/report.js';

/** What it needs of the instance, which has the mailbox, the state and the timers. */
interface Owner {
  readonly isOver: boolean;
  start(): void;
  send(event: Event): void;
  stop(): void;
  snapshot(): RunSnapshot;
  asSnapshot(): AnyMachineSnapshot;
  setTimer(callback: () => void, delayMs: number): Timer;
  clearTimer(timer: Timer): void;
}

/** What XState's types leave out. */
interface Internals {
  _relay(source: AnyActorRef | undefined, target: AnyActorRef, event: Event): void;
  _sendInspectionEvent(event: object): void;
}

const INIT: Event = { type: 'xstate.init' };

/** As XState does, where it is built for development. */
function warn(actor: InstanceActor, event: Event): void {
  const stopped = Object.assign(actor, { _processingStatus: STOPPED });
  (Actor.prototype as unknown as { _send(event: Event): void })._send.call(stopped, event);
}

/** XState's number for an actor that has ended. */
const STOPPED = 2;

export class InstanceActor extends Actor<AnyActorLogic> {
  readonly #instance: Owner;
  readonly #observers = new Set<Observer>();
  readonly scope: ActorScope<Snapshot<unknown>, Event>;

  constructor(instance: Owner, { id, log }: Host<Event>) {
    let scope: unknown;
    const logic = {
      getInitialSnapshot: (own: unknown) => {
        scope = own;
        return { status: 'active', output: undefined, error: undefined };
      },
      transition: (snapshot: unknown) => snapshot,
      getPersistedSnapshot: (snapshot: unknown) => snapshot,
    };
    super(logic as never, {
      id,
      clock: {
        setTimeout: (callback, delayMs) => (isNever(delayMs) ? undefined : instance.setTimer(callback, delayMs)),
        clearTimeout: (timer) => {
          if (timer !== undefined) instance.clearTimer(timer);
        },
      },
      ...(log !== undefined && { logger: (...values: unknown[]) => log(...values) }),
    });
    this.#instance = instance;
    this.scope = scope as never;
    const { inspect } = this.system;
    this.system.inspect = (observer) => {
      this.#inspect();
      return inspect(observer);
    };
  }

  get #internals(): Internals {
    return this.system as never;
  }

  /** All that is sent to it comes by here: the instance has the mailbox. */
  _send(event: Event): void {
    if (!this.#instance.isOver) this.#deliver(event);
    else warn(this, event);
  }

  #deliver = (event: Event): void => this.#instance.send(event);

  /** Sends an event to another actor, or to itself. */
  relay(to: AnyActorRef, event: Event): void {
    this.#internals._relay(this, to, event);
  }

  #isInspected = false;

  /** From now on, what is sent to the instance goes by the system as well, which tells those that inspect it. */
  #inspect(): void {
    if (this.#isInspected) return;
    this.#isInspected = true;
    const instance = this.#instance;
    const { send, start } = instance;
    this.#deliver = send.bind(instance);
    instance.send = (event) => {
      if (!instance.isOver) this.#internals._relay(undefined, this, event);
    };
    instance.start = () => {
      this.#internals._sendInspectionEvent({
        type: '@xstate.event',
        sourceRef: undefined,
        actorRef: this,
        event: INIT,
      });
      start.call(instance);
    };
  }

  override getSnapshot(): AnyMachineSnapshot {
    return this.#instance.asSnapshot();
  }

  override stop(): this {
    this.#instance.stop();
    return this;
  }

  override subscribe(...given: Parameters<typeof toObserver>): Subscription {
    const observer: Observer = toObserver(...given);
    const { isOver } = this.#instance;
    if (!isOver) this.#observers.add(observer);
    else {
      const { status, error } = this.#instance.snapshot();
      if (status === 'done') attempt(() => observer.complete?.());
      else if (status === 'error' && !tellError(observer, error)) report(error);
    }
    return { unsubscribe: () => void this.#observers.delete(observer) };
  }

  /** It has started, or has taken an event: its observers get the snapshot, and those that inspect it. */
  tell(event: Event = INIT): void {
    if (this.#instance.isOver) return;
    if (this.#observers.size > 0) {
      const snapshot = this.getSnapshot();
      for (const { next } of this.#observers) attempt(() => next?.(snapshot));
    }
    this.#tellSnapshot(event);
  }

  /** It was stopped. */
  stopped(event: Event): void {
    this.#tellSnapshot(event);
    this.complete();
  }

  #tellSnapshot(event: Event): void {
    if (!this.#isInspected) return;
    this.#internals._sendInspectionEvent({
      type: '@xstate.snapshot',
      actorRef: this,
      event,
      snapshot: this.getSnapshot(),
    });
  }

  /** It is done, or was stopped: its observers are over. */
  complete(): void {
    for (const { complete } of this.#take()) attempt(() => complete?.());
  }

  /** It has failed. True if each of its observers takes that, and there is one. */
  fail(error: unknown): boolean {
    const observers = this.#take();
    return observers.map((observer) => tellError(observer, error)).every(Boolean) && observers.length > 0;
  }

  #take(): readonly Observer[] {
    const observers = [...this.#observers];
    this.#observers.clear();
    return observers;
  }
}

interface Observer {
  next?: ((snapshot: AnyMachineSnapshot) => void) | undefined;
  error?: ((error: unknown) => void) | undefined;
  complete?: (() => void) | undefined;
}

function tellError({ error: listener }: Observer, error: unknown): boolean {
  if (listener !== undefined) attempt(() => listener(error));
  return listener !== undefined;
}
