/**
 * The seam between what may happen and what happens: a machine that runs is a `Life`, and whoever does what it
 * commands is its `Host`. Adapters know these two and nothing of how the machine is run.
 */
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom } from 'xstate';
import type { Cause, Outcome } from '../machines/vocabulary.js';
import type { Clock } from './clock.js';

/** A timer of a life that runs now. */
export interface RunningTimer {
  /** The name of the wait, such as `connectTimeout`. */
  readonly name: string;
  /** Milliseconds until it fires. */
  readonly remainingMs: number;
}

/** A machine that runs. */
export interface Life<E extends { readonly type: string }> {
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

/** What performs each type of command, called with the host and the command. */
export type Commands = Readonly<Record<string, (host: never, command: never) => void>>;

/** Who does what a machine commands, and hears of its end. */
export interface Host<C> {
  readonly id: string;
  /** The id of the life that this one is a part of. */
  readonly parentId?: string | undefined;
  readonly clock: Clock;
  /** Timers that no promise waits for: they never keep the process alive. */
  readonly backgroundTimers?: ReadonlySet<string> | undefined;
  /** The server that it goes to, where there are several. */
  readonly server?: string | undefined;
  /** Of a session: the id of the client that it serves. */
  readonly clientId?: string | undefined;
  /** Where the client comes from that it serves, as text. */
  readonly peer?: { toString(): string } | undefined;
  /**
   * What performs each type of command, where all hosts of a kind share one such table: a command without an
   * expression then goes there without a detour. What is thrown comes to {@link commandFailed}.
   */
  readonly commands?: Commands | undefined;
  commandFailed?(command: string, error: unknown): void;
  /** Performs a command. */
  perform(command: C): void;
  /** The machine has reached a final state; the outcome is its output, if it has one. */
  finish(outcome: Outcome | undefined): void;
}

/** One way to run machines. */
export interface Runtime {
  readonly name: string;
  /** Makes a life, which has yet to be started. */
  run<M extends AnyStateMachine>(
    machine: M,
    input: InputFrom<M>,
    host: Host<EmittedFrom<M>>,
  ): Life<Extract<EventFromLogic<M>, { type: string }>>;
}

/** What is published on the channel `sockchart:transition` for every transition of every life. */
export interface Transition {
  /** The life's id, such as `backend#7`, and that of the life it is a part of. */
  readonly who: string;
  readonly parent: string | undefined;
  readonly machine: string;
  /** The number of the socket, where a life may have several: the machine's own count. */
  readonly incarnation: number | undefined;
  readonly server: string | undefined;
  /** Of a session: the id of the client that it serves. */
  readonly client: string | undefined;
  /** Of a client, its session and its backend: where the client comes from, such as `127.0.0.1:50123`. */
  readonly peer: string | undefined;
  readonly from: string;
  /** The event's type; `xstate.after.<timer>.<state>` for a timer, `xstate.init` for the start. */
  readonly event: string;
  readonly cause: Cause | undefined;
  readonly to: string;
  /** The life ends there. */
  readonly isFinal: boolean;
  /** Milliseconds since 1970, with fractions; those of the life's clock, if that does not say when it began. */
  readonly at: number;
}
