/** Compiles machines at run time: writes the code of a class for each, and makes it. */
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom } from 'xstate';
import { OptionError } from '../errors.js';
import type { Host, Instance } from './instance.js';
import { contextOf, factsOf, MachineInstance, place, transitions } from './machine-instance.js';
import { type Plan, planOf } from './plan.js';
import { sourceOf } from './source.js';
import { xstateRuntime } from './xstate.js';

/** What generated code needs of the library. */
const COMMON = { MachineInstance, contextOf, factsOf, place, transitions };

/** A machine that was compiled. Made by {@link compile}. */
export interface CompiledMachine<M extends AnyStateMachine> {
  /** The id of the machine. */
  readonly id: string;
  /** Makes an instance, which has yet to be started. */
  run(input: InputFrom<M>, host: Host<EmittedFrom<M>>): Instance<Extract<EventFromLogic<M>, { type: string }>>;
}

/**
 * Compiles a machine: writes JavaScript code for it, one class with a method for each type of event and each transition. An
 * instance is one object of that class. It does what an XState actor would do, in the same order.
 *
 * Taken are nested states, guards (`and`, `or`, `not` too), `assign`, `emit`, `raise`, `always`, `after`, entry and exit
 * actions, `reenter`, wildcards, tags, and final states with `onDone` and output.
 *
 * A cycle of `always` or `raise` that never ends is an error after 10 000 steps, or as many as the machine's
 * `maxIterations`. An instance whose function throws is over: the error is the process's (`uncaughtException`), `finish` is
 * not called, and what is sent from then on is ignored; so it is with an actor.
 *
 * Where it differs: `context` is written to in place, so the functions of a machine must not keep it, nor may a command
 * carry `context` itself. Timers are set once the instance has come to rest. After a function has thrown, which ends the
 * instance, `context` may hold half of what the step assigned.
 *
 * Where Node must not make code from strings (`--disallow-code-generation-from-strings`), the machine runs on XState actors,
 * and the process emits a warning with the code `SOCKCHART_NO_COMPILE` once.
 *
 * @throws CompileError for anything else, such as parallel states, `invoke` or actions that are functions
 * @throws OptionError for what is no machine
 * @example
 * ```ts
 * const door = compile(doorMachine);
 * const instance = door.run(undefined, {
 *   id: 'door#1',
 *   clock: systemClock,
 *   perform: (command) => console.log(command.type),
 *   finish: (output) => console.log(output),
 * });
 * instance.start();
 * instance.send({ type: 'door.open' });
 * ```
 */
export function compile<M extends AnyStateMachine>(machine: M): CompiledMachine<M> {
  if (typeof machine?.root?.transitions?.keys !== 'function') {
    throw new OptionError('machine', machine, "a machine that XState's createMachine() has made");
  }
  const { id } = machine;
  const Instance = classOf(planOf(machine));
  if (Instance !== undefined) return { id, run: (input, host) => new Instance(input, host as Host<never>) as never };
  warnOnce();
  return { id, run: (input, host) => xstateRuntime.run(machine, input, host) };
}

type InstanceClass = new (input: unknown, host: Host<never>) => unknown;

/** The class of a machine; nothing where code must not be made from strings. */
function classOf(plan: Plan): InstanceClass | undefined {
  const values: unknown[] = [];
  const names = new Map<unknown, string>();
  const nameOf = (value: unknown): string => {
    let name = names.get(value);
    if (name === undefined) {
      name = `$${values.push(value) - 1}`;
      names.set(value, name);
    }
    return name;
  };
  const source = sourceOf(plan, 'CompiledInstance', { nameOf, valueOf: nameOf });
  const code = `"use strict";
const { ${Object.keys(COMMON).join(', ')} } = common;
const [${[...names.values()].join(', ')}] = values;
${source}
return CompiledInstance;`;
  try {
    return new Function('common', 'values', code)(COMMON, values);
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

let isWarned = false;

function warnOnce(): void {
  if (isWarned) return;
  isWarned = true;
  process.emitWarning(
    'Node must not make code from strings here, so machines of your own run on XState actors, which are slower.',
    { code: 'SOCKCHART_NO_COMPILE' },
  );
}
