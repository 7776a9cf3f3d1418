import type { AnyMachineSnapshot, AnyStateMachine, EventObject, InputFrom } from 'xstate';
import type { Outcome } from '../machines/vocabulary.js';
import { refuseParallel, statePath } from '../runtime/xstate.js';
import { describePath, type Path, shortName, transitionsOf } from './graph.js';
import { InertMachine } from './inert.js';

/** What one event brought about. */
export interface ReplayedStep {
  /** The type of the event. */
  readonly event: string;
  /** The state before, as a path. */
  readonly from: string;
  /** The state after, as a path. */
  readonly to: string;
  /** The machine's commands, in their order. */
  readonly commands: readonly EventObject[];
  /** The names of the function actions that a runtime would call, in their order. */
  readonly actions: readonly string[];
  /** The names of the transitions that were taken, as {@link transitionsOf} gives them. */
  readonly taken: readonly string[];
  /** The snapshot after it. */
  readonly snapshot: AnyMachineSnapshot;
}

/**
 * A pure machine that is stepped by hand: no time passes, no function action runs, no actor starts, and nothing is logged.
 * The commands and actions are written down.
 */
export class Model<M extends AnyStateMachine> {
  /** The steps so far. */
  readonly steps: ReplayedStep[] = [];
  readonly #machine: InertMachine;
  readonly #names: Map<unknown, string>;
  #snapshot: AnyMachineSnapshot;

  /** @throws whatever a function of the machine throws */
  constructor(machine: M, input: InputFrom<M>) {
    refuseParallel(machine.root);
    this.#names = namesOf(machine);
    this.#machine = new InertMachine(machine);
    this.#snapshot = this.#machine.start(input);
    this.#note('xstate.init', '');
  }

  /** Where it is, as a path. */
  get state(): string {
    return statePath(this.#snapshot.value);
  }

  /** The snapshot as it is now. */
  get snapshot(): AnyMachineSnapshot {
    return this.#snapshot;
  }

  /** How the instance ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.#snapshot.output as Outcome | undefined;
  }

  /**
   * Sends an event, a timer's too, and says what came of it.
   *
   * @throws whatever a function of the machine throws
   */
  send(event: EventObject): ReplayedStep {
    const from = this.state;
    this.#snapshot = this.#machine.next(this.#snapshot, event);
    return this.#note(event.type, from);
  }

  #note(event: string, from: string): ReplayedStep {
    const { actions, transitions } = this.#machine;
    const step = {
      event,
      from,
      to: this.state,
      commands: actions.filter(({ type }) => type === 'xstate.emit').map(({ params }) => (params as Emitted).event),
      actions: actions.filter(({ type }) => !type.startsWith('xstate.')).map(({ type }) => type),
      taken: transitions.map((transition) => this.#names.get(transition)).filter((name) => name !== undefined),
      snapshot: this.#snapshot,
    };
    this.steps.push(step);
    return step;
  }
}

interface Emitted {
  readonly event: EventObject;
}

/**
 * Sends events to a pure machine, one after the other, and says what came of each.
 *
 * @throws whatever a function of the machine throws
 */
export function replay<M extends AnyStateMachine>(
  machine: M,
  input: InputFrom<M>,
  events: readonly EventObject[],
): Model<M> {
  const model = new Model(machine, input);
  for (const event of events) model.send(event);
  return model;
}

/**
 * Replays a path that was explored, and checks that each step leads where it led then.
 *
 * @throws Error when it leads elsewhere: `key` did not tell two snapshots apart
 */
export function replayPath<M extends AnyStateMachine>(machine: M, input: InputFrom<M>, path: Path): Model<M> {
  const model = new Model(machine, input);
  for (const [index, { event, to }] of path.entries()) {
    const step = model.send(event);
    if (step.to === to) continue;
    throw new Error(
      `step ${index + 1}, ${shortName(event.type)}, led to ${to} while the machine was explored, and leads to ${step.to} ` +
        `here: "key" must tell apart what the guards read.\npath: ${describePath(path)}`,
    );
  }
  return model;
}

const cache = new WeakMap<AnyStateMachine, Map<unknown, string>>();

export function namesOf(machine: AnyStateMachine): Map<unknown, string> {
  let names = cache.get(machine);
  if (names === undefined) {
    names = transitionsOf(machine);
    cache.set(machine, names);
  }
  return names;
}
