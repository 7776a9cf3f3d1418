/**
 * What a machine is compiled to: for each leaf state and event, which transitions may be taken, and for each of those
 * the operations in the order in which XState would do them. XState first works out a transition and all that follow
 * from it, and then does what they command: hence two lists.
 */

import type { Commands } from './instance.js';

/** What the functions of a machine are called with. One object serves all calls: they must not keep it. */
export interface Args {
  context: object;
  event: unknown;
}

export type Guard = (args: Args, params?: unknown) => boolean;

export type Expression = (args: Args, params?: unknown) => unknown;

/** Emit `what`, a command; `more` performs it, once it is bound. */
export const EMIT = 0;
/** Emit what `what` returns. Where it is done, `more` is the type that was emitted last, and `what` performs that. */
export const EMIT_DYNAMIC = 1;
/** Set the context's property `more` to `what`. */
export const ASSIGN_CONSTANT = 2;
/** Set the context's property `more` to what `what` returns. */
export const ASSIGN_COMPUTED = 3;
/** Have `what` write to the context. */
export const ASSIGN = 4;
/** Put `what` into the internal queue. */
export const RAISE = 5;
/** Put what `what` returns into the internal queue. */
export const RAISE_DYNAMIC = 6;
/** Set the timer `what`, for as long as `more` says. */
export const SET_TIMER = 7;
/** Set the timer `what`, for as long as the function `more` says. */
export const SET_TIMER_DYNAMIC = 8;
/** Clear the timer `what`. */
export const CLEAR_TIMER = 9;
/** A nested final state was entered: `what` gives its output, `more` is the type of the event that says so. */
export const DONE_STATE = 10;
/** The machine is done: `what` gives its output. */
export const FINISH = 11;

/**
 * One thing to do. Between two events the processor has forgotten the table, and what a step costs is how many lines of
 * memory it touches: so an operation fits in one, and leads to the next without a list.
 */
export interface Op {
  readonly kind: number;
  what: unknown;
  /** What the function gets as its second argument. */
  readonly params: unknown;
  more: unknown;
  readonly next: Op | undefined;
}

export interface TimerDefinition {
  /** The name of the delay. */
  readonly name: string;
  /** Sent when the time is over. */
  readonly event: { readonly type: string };
}

/** A transition that may be taken in one leaf state. */
export interface TableTransition {
  readonly guard: Guard | undefined;
  /** What is worked out when it is taken: what changes the context, and what depends on it. */
  readonly computes: Op | undefined;
  /** What is done once all is worked out: commands and timers. A dynamic one takes what was computed for it. */
  readonly does: Op | undefined;
  /** The leaf that it leads to. */
  readonly to: number;
  /** Any of ACTS, GOES_ON, CHANGES and ASKS. */
  readonly flags: number;
  /** The one that may be taken if the guard of this one says no. */
  readonly otherwise: TableTransition | undefined;
}

/** Not set for a transition that only says that an event is ignored. */
export const ACTS = 1;
/** A step may follow that needs no event. */
export const GOES_ON = 2;
/** It leads elsewhere, or assigns. Where a step does neither, XState asks no `always` again. */
export const CHANGES = 4;
/** Functions of the machine are called: by this one, or by one of those that may be taken otherwise. */
export const ASKS = 8;

export interface Leaf {
  /** `active.established.open` */
  readonly path: string;
  /** The path, and the paths of all states around it. */
  readonly within: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
  /** The instance ends there. */
  readonly isFinal: boolean;
  /** The first of those that need no event. */
  readonly always: TableTransition | undefined;
}

export interface Table {
  readonly id: string;
  readonly leaves: readonly Leaf[];
  /** By event type, then by leaf: the first of the transitions that may be taken. */
  readonly columns: Map<string, readonly (TableTransition | undefined)[]>;
  /** The column of a type that no transition names: only wildcards may match it. */
  columnOf(type: string): readonly (TableTransition | undefined)[] | undefined;
  readonly initial: TableTransition;
  /**
   * The first of the steps that may start it, where nothing of them can change before the start: then one is taken at the
   * start. Where the initial state asks guards for the way on, there is one for each way, which includes the initial step.
   */
  readonly starts: TableTransition | undefined;
  /** True when some state has a step that needs no event. */
  readonly hasAlways: boolean;
  /** The types of events that the machine names, without its own timers. */
  readonly eventTypes: readonly string[];
  makeContext(input: unknown): object;
  /** Steps of one event, after which it is taken for a cycle that never ends. */
  readonly stepsMax: number;
  /** Every EMIT of the table. */
  readonly emits: readonly Op[];
  /** What it is bound to: the commands of the first host that has a table of its own. */
  commands: Commands | undefined;
}
