/** Compiles machines: writes a class for each, and makes it. */
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom } from 'xstate';
import { OptionError } from '../errors.js';
import type { Host, Instance } from './instance.js';
import * as machineInstance from './machine-instance.js';
import { type Callable, planOf } from './plan.js';
import { sourceOf } from './source.js';
import { xstateRuntime } from './xstate.js';

/** A machine that was compiled. Made by {@link compile}. */
export interface CompiledMachine<M extends AnyStateMachine> {
  /** The id of the machine. */
  readonly id: string;
  /** Makes an instance, which has yet to be started. */
  run(input: InputFrom<M>, host: Host<EmittedFrom<M>>): Instance<Extract<EventFromLogic<M>, { type: string }>>;
}

/**
 * Compiles a machine to a class, whose instances do what an XState actor would do, in the same order.
 */
export function compile<M extends AnyStateMachine>(machine: M): CompiledMachine<M> {
  if (typeof machine?.root?.transitions?.keys !== 'function') {
    throw new OptionError('machine', machine, "a machine that XState's createMachine() has made");
  }
  const plan = planOf(machine);
  const values: unknown[] = [];
  const names = new Map<unknown, string>();
  const nameOf = (value: unknown): string => {
    let name = names.get(value);
    if (name === undefined) {
      name = `$${values.length}`;
      values.push(value);
      names.set(value, name);
    }
    return name;
  };
  const source = sourceOf(plan, 'CompiledInstance', {
    nameOf: (run: Callable) => nameOf(run),
    valueOf: (value) => (value === undefined ? 'undefined' : nameOf(value)),
  });
  const { MachineInstance, contextOf, factsOf, place, transitions } = machineInstance;
  const code = `"use strict";
const { MachineInstance, contextOf, factsOf, place, transitions } = runtime;
const [${values.map((_, index) => `$${index}`).join(', ')}] = values;
${source}
return CompiledInstance;`;
  let Made: new (input: unknown, host: Host<never>) => unknown;
  try {
    Made = new Function('runtime', 'values', code)({ MachineInstance, contextOf, factsOf, place, transitions }, values);
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    process.emitWarning(
      'Code cannot be generated from strings here, so machines run on XState actors. Compile them beforehand: sockchart compile machine.mjs',
      { code: 'SOCKCHART_NO_COMPILE' },
    );
    return { id: machine.id, run: (input, host) => xstateRuntime.run(machine, input, host) };
  }
  return { id: machine.id, run: (input, host) => new Made(input, host as Host<never>) as never };
}
