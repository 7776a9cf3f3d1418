/**
 * What a machine is compiled to: for each leaf state and event, which transitions may be taken, and for each of those
 * one flat list of operations in the order in which XState would do them.
 */

/** What the functions of a machine are called with. One object serves all calls: they must not keep it. */
export interface Args {
  context: object;
  event: unknown;
}

export type Guard = (args: Args, params?: unknown) => boolean;

export type Expression = (args: Args, params?: unknown) => unknown;

/** Emit `value`. */
export const EMIT = 0;
/** Emit what `run` returns. */
export const EMIT_DYNAMIC = 1;
/** Write to the context. */
export const ASSIGN = 2;
/** Put `value` into the internal queue. */
export const RAISE = 3;
/** Put what `run` returns into the internal queue. */
export const RAISE_DYNAMIC = 4;
export const SET_TIMER = 5;
export const CLEAR_TIMER = 6;
/** A nested final state was entered: `value` is the type of the event that says so, `run` its output. */
export const DONE_STATE = 7;
/** The machine is done: `run` gives its output. */
export const FINISH = 8;

/** One thing to do. All have the same shape, so that the loop over them stays fast. */
export interface Op {
  readonly kind: number;
  readonly value: unknown;
  readonly run: Expression | undefined;
  /** What `run` gets as its second argument, or the function that makes it. */
  readonly params: unknown;
  readonly timer: TimerDefinition | undefined;
}

export interface TimerDefinition {
  /** The name of the delay. */
  readonly name: string;
  /** Sent when the time is over. */
  readonly event: { readonly type: string };
}

/** A transition that may be taken in one leaf state. */
export interface Step {
  readonly guard: Guard | undefined;
  readonly ops: readonly Op[];
  /** The leaf that it leads to. */
  readonly to: number;
  /** False for a transition that only says that an event is ignored. */
  readonly acts: boolean;
  /** True where a step may follow that needs no event. */
  readonly goesOn: boolean;
  /** False when it neither leads elsewhere nor assigns: then XState asks no `always` again. */
  readonly changes: boolean;
}

/** The transitions that may be taken, in the order in which they are asked. */
export type Steps = readonly Step[];

export interface Leaf {
  /** `active.established.open` */
  readonly path: string;
  /** The path, and the paths of all states around it. */
  readonly within: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
  readonly always: Steps | undefined;
}

export interface Table {
  readonly id: string;
  readonly leaves: readonly Leaf[];
  /** By event type, then by leaf. */
  readonly columns: Map<string, readonly (Steps | undefined)[]>;
  /** The column of a type that no transition names: only wildcards may match it. */
  columnOf(type: string): readonly (Steps | undefined)[] | undefined;
  readonly initial: Step;
  /** True when nothing of the initial step can change before the start: then it is taken at the start. */
  readonly startsPlain: boolean;
  /** True when some state has a step that needs no event. */
  readonly hasAlways: boolean;
  /** The types of events that the machine names, without its own timers. */
  readonly eventTypes: readonly string[];
  makeContext(input: unknown): object;
}
