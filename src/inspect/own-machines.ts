/** Machines of users that an inspector lists: whether they can be listed, and what of their instances may be shown. */
import type { AnyStateMachine } from 'xstate';
import { OptionError } from '../errors.js';
import { ARRIVALS } from '../machines/words.js';
import type { Transition } from '../runtime/instance.js';
import { checkMachine } from '../runtime/machine.js';
import { list, type OwnRun, type Roster, unlist } from '../runtime/roster.js';
import { OTHERS } from './edges.js';
import { isObject } from './handles.js';
import type { Told } from './protocol.js';
import { type ShownLimits, shown } from './shown.js';

/** What a {@link Redact} function is asked about. */
export interface Redacted {
  /** A context, or the whole event of a transition. */
  readonly what: 'context' | 'event';
  /** The id of the machine. */
  readonly machine: string;
  /** The id of the instance. */
  readonly id: string;
}

/**
 * Decides what of a context, or of an event, leaves the process. It gets a copy, which it may write to: plain data in which
 * sockets, buffers and functions are texts such as `[Socket]`, and what is too large is cut. What it returns is shown; where it
 * returns nothing, nothing is shown. Where it throws, or returns a promise, nothing is shown either, and the page says so.
 *
 * @example
 * ```ts
 * const redact: Redact = (value) => ({ ...value, password: undefined });
 * ```
 */
export type Redact = (value: Record<string, unknown>, about: Redacted) => unknown;

/** The id of a machine that was given none. */
const NO_ID = '(machine)';

/** @throws OptionError for what is no list of machines that can be told apart, from each other and from the library's */
export function checkMachines(machines: unknown): readonly AnyStateMachine[] {
  if (machines === undefined) return [];
  if (!Array.isArray(machines)) throw new OptionError('machines', machines, 'a list of machines of XState');
  const ids = new Set<string>();
  for (const [index, machine] of (machines as AnyStateMachine[]).entries()) {
    const name = `machines[${index}]`;
    checkMachine(machine, name);
    const { id } = machine;
    if (id === NO_ID) throw new OptionError(name, id, 'a machine with an id: createMachine({ id: "door", … })');
    if (Object.hasOwn(ARRIVALS, id) || id === OTHERS) {
      throw new OptionError(
        name,
        id,
        `a machine with an id of its own: ${[...Object.keys(ARRIVALS), OTHERS].join(', ')} are taken`,
      );
    }
    if (ids.has(id))
      throw new OptionError(name, id, 'a machine with an id of its own: another one in the list has this id');
    ids.add(id);
  }
  return machines;
}

/** Tells what may be shown of the instances of listed machines. */
export class OwnMachines {
  readonly all: readonly AnyStateMachine[];
  /** The instances that live, from {@link open} on. */
  rosters: readonly Roster[] = [];
  readonly #configs: ReadonlyMap<string, object>;
  readonly #redact: Redact | undefined;

  constructor(machines: readonly AnyStateMachine[], redact: Redact | undefined) {
    this.all = machines;
    this.#configs = new Map(machines.map(({ id, config }) => [id, config]));
    this.#redact = redact;
  }

  /** From now on it is known which instances live. */
  open(): void {
    if (this.rosters.length === 0) this.rosters = this.all.map(list);
  }

  close(): void {
    if (this.rosters.length > 0) this.all.forEach(unlist);
    this.rosters = [];
  }

  get isEmpty(): boolean {
    return this.#configs.size === 0;
  }

  has(id: string): boolean {
    return this.#configs.has(id);
  }

  /** The instance of a transition, if its machine is listed. Another machine may have the same id. */
  runOf({ machine, instance }: Transition): OwnRun | undefined {
    const config = this.#configs.get(machine);
    if (config === undefined || !isObject(instance)) return undefined;
    return (instance as unknown as OwnRun).machine?.config === config ? (instance as unknown as OwnRun) : undefined;
  }

  /** The context of an instance as it is now, as far as it may be shown. */
  contextOf(run: Pick<OwnRun, 'context'>, machine: string, id: string, limits?: ShownLimits): Told {
    return redacted(run.context, { what: 'context', machine, id }, this.#redact, limits);
  }
}

/** As much of a value as may be shown. It never throws. */
export function redacted(value: unknown, about: Redacted, redact: Redact | undefined, limits?: ShownLimits): Told {
  const copy = shown(value, limits);
  if (redact === undefined) return { value: copy };
  try {
    const result = redact(copy as Record<string, unknown>, about);
    if (result === undefined || result === null) return { problem: 'redact has returned nothing' };
    if (typeof (result as PromiseLike<unknown>).then === 'function') {
      Promise.resolve(result).catch(() => {});
      return { problem: 'redact has returned a promise: it must answer at once' };
    }
    return { value: shown(result, limits) };
  } catch {
    // The message of the error may have in it what was to be hidden.
    return { problem: 'redact has thrown an error' };
  }
}
