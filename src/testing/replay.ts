import { type AnyMachineSnapshot, type AnyStateMachine, createActor, type EventObject, type InputFrom } from 'xstate';
import type { Outcome } from '../machines/vocabulary.js';
import { refuseParallel, statePath } from '../runtime/xstate.js';
import { transitionsOf } from './graph.js';

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
  /** The names of the transitions that were taken, as {@link transitionsOf} gives them. */
  readonly taken: readonly string[];
  /** The snapshot after it. */
  readonly snapshot: AnyMachineSnapshot;
}

/** A pure machine that is stepped by hand: no time passes in it, and nothing is done but written down. */
export class Model<M extends AnyStateMachine> {
  /** The steps so far. */
  readonly steps: ReplayedStep[] = [];
  readonly #actor;
  readonly #names: Map<unknown, string>;
  #commands: EventObject[] = [];
  #taken: string[] = [];

  constructor(machine: M, input: InputFrom<M>) {
    refuseParallel(machine.root);
    this.#names = namesOf(machine);
    this.#actor = createActor(machine as AnyStateMachine, {
      input,
      clock: { setTimeout: () => undefined, clearTimeout: () => {} },
      inspect: (inspection) => {
        if (inspection.type !== '@xstate.microstep') return;
        for (const transition of inspection._transitions) {
          const name = this.#names.get(transition);
          if (name !== undefined) this.#taken.push(name);
        }
      },
    });
    this.#actor.on('*', (command) => this.#commands.push(command));
    this.#actor.start();
    this.#note('xstate.init', '');
  }

  /** Where it is, as a path. */
  get state(): string {
    return statePath(this.snapshot.value);
  }

  /** The snapshot as it is now. */
  get snapshot(): AnyMachineSnapshot {
    return this.#actor.getSnapshot();
  }

  /** How the instance ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.snapshot.output as Outcome | undefined;
  }

  /** Sends an event, a timer's too, and says what came of it. */
  send(event: EventObject): ReplayedStep {
    const from = this.state;
    this.#actor.send(event);
    return this.#note(event.type, from);
  }

  #note(event: string, from: string): ReplayedStep {
    const step = { event, from, to: this.state, commands: this.#commands, taken: this.#taken, snapshot: this.snapshot };
    this.#commands = [];
    this.#taken = [];
    this.steps.push(step);
    return step;
  }
}

/** Sends events to a pure machine, one after the other, and says what came of each. */
export function replay<M extends AnyStateMachine>(
  machine: M,
  input: InputFrom<M>,
  events: readonly EventObject[],
): Model<M> {
  const model = new Model(machine, input);
  for (const event of events) model.send(event);
  return model;
}

const cache = new WeakMap<AnyStateMachine, Map<unknown, string>>();

function namesOf(machine: AnyStateMachine): Map<unknown, string> {
  let names = cache.get(machine);
  if (names === undefined) {
    names = transitionsOf(machine);
    cache.set(machine, names);
  }
  return names;
}
