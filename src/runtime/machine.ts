/** A machine that can be run, in whichever way. */
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom } from 'xstate';
import { OptionError } from '../errors.js';
import type { Host, Run } from './instance.js';

/** A machine that can be run. Made by {@link compile} and {@link interpret}. */
export interface RunnableMachine<M extends AnyStateMachine> {
  /** The id of the machine. */
  readonly id: string;
  /** Makes an instance, which has yet to be started. */
  run(input: InputFrom<M>, host: Host<EmittedFrom<M>>): Run<Extract<EventFromLogic<M>, { type: string }>>;
}

/** @throws OptionError for what is no machine */
export function checkMachine(machine: AnyStateMachine, name = 'machine'): void {
  if (typeof machine?.root?.transitions?.keys !== 'function') {
    throw new OptionError(name, machine, "a machine that XState's createMachine() has made");
  }
}
