/**
 * The seam between what may happen and what happens: a machine that runs is a `Instance`, and its `Host` does what it
 * commands. Adapters know these two and nothing of how the machine is run.
 */
import type { InspectionEvent, Observer } from 'xstate';
import type { Means } from '../machines/means.js';
import type { Cause, Outcome } from '../machines/vocabulary.js';
import type { Clock } from './clock.js';

/** The state of a run, as XState gives it. */
export type StateValue = string | { readonly [key: string]: StateValue | undefined };

/** A timer of an instance that runs now. */
export interface RunningTimer {
  /** The name of the wait, such as `connectTimeout`. */
  readonly name: string;
  /** Milliseconds until it fires. */
  readonly remainingMs: number;
}

/** A machine that runs. */
export interface Instance<E extends { readonly type: string }> {
  /** Where it is, as a path: `active.established.open`. */
  readonly state: string;
  /** What it remembers, as it is now: it changes with the next transition. */
  readonly context: object;
  /** How it ended, once it has. */
  readonly outcome: Outcome | undefined;
  /** Enters the initial state; the commands of that come only now. */
  start(): void;
  /** Reports or requests something. What is sent from inside a command waits until the transition is done. */
  send(event: E): void;
  /** True in this state, or below it: `matches('active.established')`. */
  matches(path: string): boolean;
  /** True while a state that it is in has this tag. */
  hasTag(tag: string): boolean;
  /** Whether this event would do something now. */
  can(event: E): boolean;
  /** The types of the events that would do something now, if nothing but the type is asked for. */
  accepts(): string[];
  /** The timers that run, in the order in which they were set. */
  timers(): RunningTimer[];
  /** Whether its timers keep the process alive; those in `Host.backgroundTimers` never do. */
  setRef(keepAlive: boolean): void;
}

/** What a run tells. Made for {@link Run.subscribe}; each is optional, and what it throws is an uncaught exception. */
export interface RunListeners {
  /** A step was taken: what is published on the channel `sockchart:transition`, of this run alone. */
  transition?(transition: Transition): void;
  /** A function of the machine threw, or an actor failed and no transition takes that: the run is over. */
  failed?(error: unknown): void;
  /** A final state was reached: the run is over, and this is the machine's output. */
  done?(output: unknown): void;
}

/** What a run is like at one moment, in the words of XState. Later transitions do not change it. */
export interface RunSnapshot {
  /** The state: `'closed'`, or `{ open: 'wide' }` for a state inside another. */
  readonly value: StateValue;
  /** A copy of the context: its own fields, not what these hold. */
  readonly context: object;
  /** `done` in a final state, `error` after a failure, `stopped` after {@link Run.stop}. */
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  /** The machine's output, once it is done. */
  readonly output: unknown;
  /** What it failed with. */
  readonly error: unknown;
}

/** An instance of a machine of your own, made by `run()` of what `compile` and `interpret` return. */
export interface Run<E extends { readonly type: string }> extends Instance<E> {
  /**
   * Calls these functions from now on, until the function that it returns is called.
   *
   * @throws OptionError for a listener that is no function, and for a name other than `transition`, `failed` and `done`
   * @example
   * ```ts
   * const unsubscribe = door.subscribe({
   *   transition: ({ from, event, to }) => console.log(from, event, to),
   *   failed: (error) => console.error(error),
   *   done: (output) => console.log(output),
   * });
   * ```
   */
  subscribe(listeners: RunListeners): () => void;
  /**
   * Ends it where it is: its timers are cleared, the actors that it invokes are stopped, and what is sent from then on, or was
   * sent and has yet to be taken, is ignored. No exit action is done, and neither `finish` nor `done` is called. From
   * inside a command it takes effect once the transition and all its commands are done.
   */
  stop(): void;
  /** What it is like now. */
  snapshot(): RunSnapshot;
}

/** What performs each type of command, called with the host and the command. */
export type Commands = Readonly<Record<string, (host: never, command: never) => void>>;

/** Text about an instance, by name: of a backend `server` and `peer`. */
export type Description = Readonly<Record<string, string | undefined>>;

/** Performs the commands of a machine, and is notified of its end. */
export interface Host<C> {
  /** The name of the instance in logs and on the transition channel. */
  readonly id: string;
  /** The id of the instance that this one is a part of. */
  readonly parentId?: string | undefined;
  /** Where its time comes from. */
  readonly clock: Clock;
  /** Timers that no promise waits for: they never keep the process alive. */
  readonly backgroundTimers?: ReadonlySet<string> | undefined;
  /** What observers read about it with each transition. It is called only while the channel has a subscriber. */
  describe?(): Description;
  /**
   * What performs each type of command, where all hosts of a kind share one such table: a command without an
   * expression then goes there without a detour. What is thrown comes to {@link commandFailed}.
   */
  readonly commands?: Commands | undefined;
  /** A function of {@link commands} threw `error`: the command has failed. */
  commandFailed?(command: string, error: unknown): void;
  /** Performs a command. */
  perform(command: C): void;
  /** Takes what the machine's `log` actions log. Default: `console.log`. */
  log?(...values: unknown[]): void;
  /**
   * A function, or an observer, that gets each inspection event of a machine of your own, and of the actors that it has, as with
   * `inspect` of XState's `createActor`: `@xstate.actor`, `@xstate.event`, `@xstate.snapshot`, `@xstate.microstep` and `@xstate.action`.
   * With it the instance runs on an XState actor, also where the machine is compiled: it does the same, and is slower. An error
   * that the function throws is an uncaught exception. Default: none. It is read at `run()`, which throws an OptionError for anything else.
   */
  readonly inspect?: ((event: InspectionEvent) => void) | Observer<InspectionEvent> | undefined;
  /**
   * A function of the machine threw, or an actor that it invokes failed and no transition takes that: the instance is over,
   * without an outcome. Without it the error is an uncaught exception of the process.
   */
  failed?(error: unknown): void;
  /**
   * Ends the instance and what the host holds for it, such as its socket: called when the live page stops it. Without it the page
   * calls {@link Run.stop}, of which the host is not notified.
   */
  abort?(): unknown;
  /** The machine has reached a final state; the outcome is its output, if it has one. */
  finish(outcome: Outcome | undefined): void;
}

/** A machine of the library. */
export type MachineName =
  | 'backend'
  | 'check'
  | 'client'
  | 'cluster'
  | 'listener'
  | 'name'
  | 'proxy'
  | 'server'
  | 'session'
  | 'worker';

/** One way to run the machines of the library. */
export interface Runtime {
  /** What it is called. */
  readonly name: string;
  /** Makes an instance of the machine with this name, which has yet to be started. */
  run(machine: MachineName, input: unknown, host: Host<never>): Instance<{ readonly type: string }>;
}

/** What is published on the channel `sockchart:transition` for every transition of every instance. */
export interface Transition {
  /** The instance's id, such as `backend#7`, and that of the instance it is a part of. */
  readonly who: string;
  /** The id of the instance that this one is a part of. */
  readonly parent: string | undefined;
  /** The id of its machine. */
  readonly machine: string;
  /** The number of the socket, where an instance may have several: the machine's own count. */
  readonly incarnation: number | undefined;
  /**
   * The handle whose machine it is: a `Client`, `Session`, `Backend` …; of a machine of your own, the host that you gave to
   * `run()`. So a subscriber can ask more than the transition says, and needs no look-up by id.
   */
  readonly handle: object;
  /**
   * What the handle says about itself: of a backend its `server`; of a client, its session and its backend the `peer`,
   * which is where the client comes from (`127.0.0.1:50123`).
   */
  readonly about: Description;
  /** The state before, as a path; empty at the start. */
  readonly from: string;
  /** The event's type; `xstate.after.<timer>.<state>` for a timer, `xstate.init` for the start. */
  readonly event: string;
  /** The whole event, of which {@link event} is the type; that of the start has no input. Do not write to it. */
  readonly eventObject: { readonly type: string };
  /** What the machine emitted in this transition, in its order. Do not write to it. */
  readonly commands: readonly { readonly type: string }[];
  /**
   * The instance itself: what it remembers, which events it would act on, which timers run. Its `context` is what it is like
   * now; read what you need before the subscriber returns, because the next transition may write to it.
   */
  readonly instance: Instance<never>;
  /** The last cause that the instance has noted. */
  readonly cause: Cause | undefined;
  /** What it means, if any command of the machine means something: see {@link Means}. */
  readonly means: Means | undefined;
  /** The state after, as a path. */
  readonly to: string;
  /** The instance ends there. */
  readonly isFinal: boolean;
  /** Milliseconds since 1970, with fractions; those of the instance's clock, if that does not say when it began. */
  readonly at: number;
}
