import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { AnyStateMachine, EventObject, InputFrom } from 'xstate';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import type { Transition } from '../runtime/instance.js';
import { describePath, type Path, type Step } from './graph.js';
import { Model } from './replay.js';

/** What makes a path happen for real. */
export interface Driver<M extends AnyStateMachine> {
  /** What runs the machine: its transitions are told by its id. */
  readonly handle: { readonly id: string; readonly state: string };
  /**
   * Makes the event of a step happen: a peer ends, a timer's time passes, or nothing at all where it comes by itself.
   * Where it cannot be made to happen after the steps before, a string (or a promise of one) says why.
   */
  perform(step: Step, index: number): unknown;
  /** The event that a transition was caused by, where more than its type matters. */
  eventOf?(transition: Transition): EventObject;
  /** Ends everything; the instance must then be over. */
  dispose(): Promise<void>;
  /** The machine that the handle runs. */
  readonly machine: M;
  /** The input that it was started with. */
  readonly input: InputFrom<M>;
}

/** How far a path went for real. */
export interface Driven {
  /** The names of the transitions that were taken. */
  readonly taken: ReadonlySet<string>;
  /** Steps of the path that happened. */
  readonly steps: number;
  /** Why it went no further, if it did not go to its end. */
  readonly stopped: string | undefined;
}

/**
 * Takes a path for real, step by step, and holds each transition of the handle against the pure machine, also those
 * that come by themselves. A path may become impossible on the way, when the world moves on without being asked;
 * what happened until then, and what followed by itself, was checked all the same.
 *
 * @param patienceMs how long a step may take to happen, in milliseconds
 * @throws Error when the handle does something that the machine does not, or a step does not happen
 */
export async function drivePath<M extends AnyStateMachine>(
  path: Path,
  makeDriver: (path: Path) => Driver<M> | Promise<Driver<M>>,
  patienceMs = 5_000,
): Promise<Driven> {
  const early: Transition[] = [];
  let witness: Witness<M> | undefined;
  const listener = (message: unknown): void => {
    if (witness === undefined) early.push(message as Transition);
    else witness.hear(message as Transition);
  };
  subscribe(TRANSITION_CHANNEL, listener);
  const driver = await makeDriver(path);
  witness = new Witness(driver, path);
  let steps = 0;
  let stopped: string | undefined;
  try {
    for (const transition of early) witness.hear(transition);
    for (const [index, step] of path.entries()) {
      stopped = await take(witness, driver, step, index, patienceMs);
      if (stopped !== undefined) break;
      steps++;
    }
  } finally {
    try {
      await within(patienceMs, driver.dispose(), () => (witness as Witness<M>).error('it did not end'));
    } finally {
      unsubscribe(TRANSITION_CHANNEL, listener);
    }
  }
  witness.check();
  return { taken: witness.taken, steps, stopped };
}

async function take<M extends AnyStateMachine>(
  witness: Witness<M>,
  driver: Driver<M>,
  step: Step,
  index: number,
  patienceMs: number,
): Promise<string | undefined> {
  witness.check();
  if (witness.model.state !== step.from) return `it had moved on to ${witness.model.state} by itself`;
  const happened = witness.waitFor(step.event.type);
  const lost = `step ${index + 1}, ${step.event.type}, did not happen in ${step.from}`;
  const impossible = await within(patienceMs, driver.perform(step, index), () => witness.error(lost));
  if (typeof impossible === 'string') return impossible;
  await within(patienceMs, happened, () => witness.error(lost));
  witness.check();
  return undefined;
}

/** Waits for a promise, but not for ever. */
async function within<T>(patienceMs: number, promise: T, error: () => Error): Promise<Awaited<T>> {
  let patience: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_, reject) => {
    patience = setTimeout(() => reject(error()), patienceMs);
  });
  try {
    return await Promise.race([promise, lost]);
  } finally {
    clearTimeout(patience);
  }
}

/** Hears a handle's transitions and steps the pure machine along. */
class Witness<M extends AnyStateMachine> {
  readonly model: Model<M>;
  readonly taken = new Set<string>();
  readonly #driver: Driver<M>;
  readonly #path: Path;
  readonly #story: string[] = [];
  /** Where the model already is, while the handle is still taking the raised steps on the way. */
  #ahead: string | undefined;
  #broken: Error | undefined;
  #awaited: string | undefined;
  #resolve: (() => void) | undefined;

  constructor(driver: Driver<M>, path: Path) {
    this.#driver = driver;
    this.#path = path;
    this.model = new Model(driver.machine, driver.input);
    // The handle has begun already: that it began in the same way shows by where it goes on.
    for (const name of this.model.steps[0]?.taken ?? []) this.taken.add(name);
  }

  hear(transition: Transition): void {
    if (transition.who !== this.#driver.handle.id || transition.event === 'xstate.init') return;
    this.#story.push(`${transition.from} –${transition.event}→ ${transition.to}`);
    if (this.#ahead === undefined) {
      const event = this.#driver.eventOf?.(transition) ?? { type: transition.event };
      const { to, taken } = this.model.send(event);
      for (const name of taken) this.taken.add(name);
      if (transition.to !== to) this.#ahead = to;
    } else if (transition.to === this.#ahead) {
      this.#ahead = undefined;
    }
    if (transition.event === this.#awaited) {
      this.#awaited = undefined;
      this.#resolve?.();
    }
  }

  /** Resolves when the handle has taken a transition for this type of event. */
  waitFor(type: string): Promise<void> {
    this.#awaited = type;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Throws if the handle is not where the pure machine is. */
  check(): void {
    if (this.#ahead !== undefined) {
      this.#broken ??= this.error(`it is in ${this.#driver.handle.state}, the machine in ${this.#ahead}`);
    } else if (this.#driver.handle.state !== this.model.state) {
      this.#broken ??= this.error(`it is in ${this.#driver.handle.state}, the machine in ${this.model.state}`);
    }
    if (this.#broken !== undefined) throw this.#broken;
  }

  error(what: string): Error {
    return new Error(`${what}\npath: ${describePath(this.#path)}\nwhat happened:\n  ${this.#story.join('\n  ')}`);
  }
}
