/**
 * Steps a machine and does nothing else: no function action runs, no actor starts, nothing is logged, no time passes.
 *
 * XState asks the scope of an actor to do all that. This scope writes the actions down instead.
 */
import { type AnyMachineSnapshot, type AnyStateMachine, createEmptyActor, type EventObject } from 'xstate';

/** An action as XState hands it over to be run. */
interface Action {
  readonly type: string;
  readonly params: unknown;
}

export class InertMachine {
  /** The actions of the last step, in their order. */
  actions: Action[] = [];
  /** The transitions of the last step, in their order, as the machine has them. */
  transitions: unknown[] = [];
  readonly #machine: AnyStateMachine;
  readonly #self = createEmptyActor() as unknown as { _snapshot: unknown; _parent: unknown; system: never };
  readonly #scope;

  constructor(machine: AnyStateMachine) {
    this.#machine = machine;
    const self = this.#self;
    // What is sent to a parent is an action as well.
    self._parent = createEmptyActor();
    const system = self.system as {
      inspect(observer: (inspection: { type: string; _transitions: unknown[] }) => void): void;
      _set(systemId: string, actor: unknown): void;
      get(systemId: string): unknown;
    };
    // No actor ends here, and so none gives its name in the system back.
    const actors = new Map<string, unknown>();
    system._set = (systemId, actor) => actors.set(systemId, actor);
    system.get = (systemId) => actors.get(systemId);
    system.inspect(({ type, _transitions }) => {
      if (type === '@xstate.microstep') this.transitions.push(..._transitions);
    });
    const nothing = (): void => {};
    this.#scope = {
      ...{ self, system, id: machine.id, sessionId: '', defer: nothing, stopChild: nothing, emit: nothing },
      logger: nothing,
      actionExecutor: (action: Action): void => void this.actions.push(action),
    };
  }

  /** @throws whatever a function of the machine throws */
  start(input: unknown): AnyMachineSnapshot {
    this.#forget();
    const snapshot = this.#machine.getInitialSnapshot(this.#scope as never, input as never);
    if (snapshot.status === 'error') throw snapshot.error;
    return snapshot;
  }

  /**
   * A machine that is over takes no event.
   *
   * @throws whatever a function of the machine throws
   */
  next(snapshot: AnyMachineSnapshot, event: EventObject): AnyMachineSnapshot {
    this.#forget();
    if (snapshot.status !== 'active') return snapshot;
    this.#self._snapshot = snapshot;
    return this.#machine.transition(snapshot, event, this.#scope as never);
  }

  #forget(): void {
    this.actions = [];
    this.transitions = [];
  }
}
