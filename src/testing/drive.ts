import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { AnyStateMachine, EventObject, InputFrom } from 'xstate';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import type { Transition } from '../runtime/instance.js';
import { describePath, type Path, type Step, shortName, textOf } from './graph.js';
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
 * @param patienceMs how long a step may take to happen, in milliseconds. Default 2000
 * @throws Error when the handle does something that the machine does not, when a step does not happen, or when the driver
 * cannot end everything; the message has the path and what happened
 */
export async function drivePath<M extends AnyStateMachine>(
  path: Path,
  makeDriver: (path: Path) => Driver<M> | Promise<Driver<M>>,
  patienceMs = PATIENCE_MS,
): Promise<Driven> {
  const taken = new Set<string>();
  const driven = await followPath(path, makeDriver, taken, patienceMs);
  return { taken, ...driven };
}

/** Less than the five seconds that vitest and Jest give a test: their message would say nothing of the step. */
export const PATIENCE_MS = 2_000;

/** As {@link drivePath}; `taken` gets what was taken of a path that fails, too. */
export async function followPath<M extends AnyStateMachine>(
  path: Path,
  makeDriver: (path: Path) => Driver<M> | Promise<Driver<M>>,
  taken: Set<string>,
  patienceMs = PATIENCE_MS,
): Promise<Omit<Driven, 'taken'>> {
  const drive = await Drive.start(path, makeDriver, patienceMs);
  try {
    const driven = await takeAll(drive, path);
    await drive.end();
    return driven;
  } finally {
    for (const name of drive.taken) taken.add(name);
  }
}

async function takeAll<M extends AnyStateMachine>(drive: Drive<M>, path: Path): Promise<Omit<Driven, 'taken'>> {
  let steps = 0;
  try {
    for (const step of path) {
      const stopped = await drive.take(step);
      if (stopped !== undefined) return { steps, stopped };
      steps++;
    }
    return { steps, stopped: undefined };
  } catch (error) {
    // What failed first is the mistake; that it does not end either may follow from it.
    await drive.end().catch(() => {});
    throw error;
  }
}

/**
 * A handle that is driven for real, and the pure machine that goes along.
 *
 * @internal
 */
export class Drive<M extends AnyStateMachine> {
  readonly #driver: Driver<M>;
  readonly #witness: Witness<M>;
  readonly #patienceMs: number;
  readonly #stopListening: () => void;
  #steps = 0;

  private constructor(driver: Driver<M>, witness: Witness<M>, patienceMs: number, stopListening: () => void) {
    this.#driver = driver;
    this.#witness = witness;
    this.#patienceMs = patienceMs;
    this.#stopListening = stopListening;
  }

  static async start<M extends AnyStateMachine>(
    path: Path,
    makeDriver: (path: Path) => Driver<M> | Promise<Driver<M>>,
    patienceMs: number,
  ): Promise<Drive<M>> {
    const early: Transition[] = [];
    let witness: Witness<M> | undefined;
    const listener = (message: unknown): void => {
      if (witness === undefined) early.push(message as Transition);
      else witness.hear(message as Transition);
    };
    const stopListening = (): void => void unsubscribe(TRANSITION_CHANNEL, listener);
    subscribe(TRANSITION_CHANNEL, listener);
    let driver: Driver<M> | undefined;
    try {
      driver = await makeDriver(path);
      witness = new Witness(driver, path);
      for (const transition of early) witness.hear(transition);
      return new Drive(driver, witness, patienceMs, stopListening);
    } catch (error) {
      stopListening();
      await driver?.dispose().catch(() => {});
      throw error;
    }
  }

  get model(): Model<M> {
    return this.#witness.model;
  }

  get taken(): ReadonlySet<string> {
    return this.#witness.taken;
  }

  /** Resolves to why the step is impossible by now, if it is. */
  async take(step: Step): Promise<string | undefined> {
    const witness = this.#witness;
    const index = this.#steps++;
    witness.check();
    if (witness.model.state !== step.from) return `it had moved on to ${witness.model.state} by itself${witness.last}`;
    const happened = witness.waitFor(step.event.type);
    const lost = (): Error => witness.lost(step, index);
    const impossible = await within(this.#patienceMs, this.#driver.perform(step, index), lost);
    if (typeof impossible === 'string') return impossible;
    await within(this.#patienceMs, happened, lost);
    witness.check();
    return undefined;
  }

  /** Ends everything, and checks the rest. */
  async end(): Promise<void> {
    const witness = this.#witness;
    try {
      await within(this.#patienceMs, this.#driver.dispose(), () => witness.error('it did not end'));
    } catch (error) {
      throw error instanceof DriveError ? error : witness.error(textOf(error), error);
    } finally {
      this.#stopListening();
    }
    witness.check();
  }
}

class DriveError extends Error {}

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
  /** How much of the story there was when the wait began. */
  #since = 0;
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
    this.#story.push(`${transition.from} –${shortName(transition.event)}→ ${transition.to}`);
    if (this.#ahead === undefined) this.#follow(transition);
    else if (transition.to === this.#ahead) this.#ahead = undefined;
    if (transition.event === this.#awaited) {
      this.#awaited = undefined;
      this.#resolve?.();
    }
  }

  #follow(transition: Transition): void {
    const event = this.#driver.eventOf?.(transition) ?? { type: transition.event };
    try {
      const { to, taken } = this.model.send(event);
      for (const name of taken) this.taken.add(name);
      if (transition.to !== to) this.#ahead = to;
    } catch (error) {
      // It would be thrown into the code that publishes the transition.
      const advice = Object.keys(event).length > 1 ? '' : `; its payload must come from the driver's eventOf()`;
      this.#broken ??= this.error(`the machine cannot take ${event.type}: ${textOf(error)}${advice}`, error);
    }
  }

  /** Resolves when the handle has taken a transition for this type of event. */
  waitFor(type: string): Promise<void> {
    this.#awaited = type;
    this.#since = this.#story.length;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** The last transition, as an addition to a sentence. */
  get last(): string {
    const last = this.#story.at(-1);
    return last === undefined ? '' : ` (${last})`;
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

  /** A step did not happen: what happened instead. */
  lost({ event, from }: Step, index: number): Error {
    if (this.#broken !== undefined) return this.#broken;
    const instead = this.#story.slice(this.#since);
    const answer =
      instead.length > 0
        ? `the world answered ${instead.join(', then ')}`
        : `no event came, and it is still in ${this.#driver.handle.state}`;
    return this.error(`step ${index + 1}, ${shortName(event.type)}, did not happen in ${from}: ${answer}`);
  }

  error(what: string, cause?: unknown): Error {
    const story = this.#story.length === 0 ? 'nothing' : this.#story.join('\n  ');
    const path = this.#path.length === 0 ? '' : `\npath: ${describePath(this.#path)}`;
    return new DriveError(`${what}${path}\nwhat happened:\n  ${story}`, { cause });
  }
}
