/** Compiles machines: writes the code of a class for each, and makes it, or takes what was written before. */
import type { AnyStateMachine } from 'xstate';
import { builtin } from '../builtin.js';
import type { CompileError } from '../errors.js';
import type { Host } from '../runtime/instance.js';
import { checkHost, checkMachine, type RunnableMachine } from '../runtime/machine.js';
import { factsOf, place } from '../runtime/machine-instance.js';
import { interpret } from '../runtime/xstate.js';
import { VERSION } from '../version.js';
import { effects } from './acting-instance.js';
import { guardError, OwnInstance, ownContext } from './own-instance.js';
import { planOf, refusalsOf } from './plan.js';
import { sourceOf } from './source.js';

type InstanceClass = new (input: unknown, host: Host<never>) => unknown;

/** What generated code needs of the library. */
export const COMMON: Readonly<Record<string, unknown>> = {
  OwnInstance,
  effects,
  factsOf,
  guardError,
  ownContext,
  place,
};

/** The body of a function of these two, which returns the class. */
export type MakeClass = (common: Readonly<Record<string, unknown>>, values: readonly unknown[]) => InstanceClass;

/** What was written before the program has begun. */
const written = new WeakMap<AnyStateMachine, RunnableMachine<never>>();

/**
 * Compiles a machine: writes JavaScript code for it, one class with a method for each type of event and each transition. An
 * instance is one object of that class. It does what an XState actor would do, in the same order.
 *
 * Taken is all of XState but parallel and history states, routes, `sendParent`, and what is named and not defined: see
 * {@link explain}, which lists all that is in the way.
 *
 * A cycle of `always` or `raise` that never ends is an error after 10 000 steps, or as many as the machine's
 * `maxIterations`. An instance whose function throws is over: the error goes to `failed` of the host or of a subscriber, or
 * is the process's (`uncaughtException`); `finish` is not called, and what is sent from then on is ignored.
 *
 * Where it differs: `context` of a machine that only assigns, emits and raises is written to in place, so its functions
 * must not keep it, nor may a command carry `context` itself; after a function has thrown it may hold half of what
 * the step assigned. The timers of such a machine are set once the instance has come to rest.
 *
 * Where Node must not make code from strings (`--disallow-code-generation-from-strings`), the module that
 * `sockchart compile FILE` has written must be imported before. Without it the machine runs on XState actors, and the process
 * emits a warning with the code `SOCKCHART_NO_COMPILE` once.
 *
 * @throws CompileError for what is not taken, such as parallel states
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
export function compile<M extends AnyStateMachine>(machine: M): RunnableMachine<M> {
  checkMachine(machine);
  const before = written.get(machine);
  if (before !== undefined) return before as unknown as RunnableMachine<M>;
  const { body, values } = codeOf(machine);
  let make: MakeClass;
  try {
    make = new Function('common', 'values', body) as MakeClass;
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return writtenLater(machine);
  }
  return runnable(machine, make(COMMON, values));
}

/**
 * All that keeps {@link compile} from taking a machine, where `compile` throws the first: an error for each state and
 * reason, with the id of the `state` and, in its `message`, what to do. None for a machine that it takes.
 *
 * @throws OptionError for what is no machine
 * @example
 * ```ts
 * for (const { state, message } of explain(playerMachine)) console.log(state, message);
 * ```
 */
export function explain(machine: AnyStateMachine): readonly CompileError[] {
  checkMachine(machine);
  return refusalsOf(machine);
}

/** The text of a machine's class, and what it refers to. @param isCommented whether it is to be read */
export function codeOf(machine: AnyStateMachine, isCommented = false): { body: string; values: unknown[] } {
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
  const source = sourceOf(planOf(machine), 'CompiledInstance', { nameOf, valueOf: nameOf, isCommented, isOwn: true });
  const body = `"use strict";
const { ${Object.keys(COMMON).join(', ')} } = common;
const [${[...names.values()].join(', ')}] = values;
${source}
return CompiledInstance;`;
  return { body, values };
}

/** What tells that a written class is not the one that would be written now. */
export const markOf = (body: string): string =>
  builtin.crypto.createHash('sha256').update(`${VERSION}\n${body}`).digest('hex').slice(0, 16);

/**
 * Not for users: what a module calls that `sockchart compile` has written. From then on {@link compile} takes its class.
 *
 * @throws Error when the machine, or this package, is not what it was when the module was written
 */
export function compiled<M extends AnyStateMachine>(machine: M, mark: string, make: MakeClass): RunnableMachine<M> {
  checkMachine(machine);
  const { body, values } = codeOf(machine, true);
  if (markOf(body) !== mark) {
    throw new Error(`The machine "${machine.id}" has changed since its code was written. Run: npx sockchart compile`);
  }
  const made = runnable(machine, make(COMMON, values));
  written.set(machine, made as unknown as RunnableMachine<never>);
  return made;
}

/** An instance that is inspected runs on an XState actor: only that knows all that there is to see. */
function runnable<M extends AnyStateMachine>(machine: M, Instance: InstanceClass): RunnableMachine<M> {
  let onActors: RunnableMachine<M> | undefined;
  return {
    id: machine.id,
    run(input, host) {
      checkHost(host as Host<never>);
      if (host.inspect === undefined) return new Instance(input, host as Host<never>) as never;
      onActors ??= interpret(machine);
      return onActors.run(input, host);
    },
  };
}

/** The module with the written code may import the one that calls `compile`, and so come after it. */
function writtenLater<M extends AnyStateMachine>(machine: M): RunnableMachine<M> {
  const onActors = interpret(machine);
  const one = (): RunnableMachine<M> => {
    const found = written.get(machine) as RunnableMachine<M> | undefined;
    if (found === undefined) warnOnce();
    return found ?? onActors;
  };
  return { id: machine.id, run: (input, host) => one().run(input, host) };
}

let isWarned = false;

function warnOnce(): void {
  if (isWarned) return;
  isWarned = true;
  process.emitWarning(
    'Node must not make code from strings here, so machines of your own run on XState actors, which are slower. To have their code made before, run: npx sockchart compile FILE, and import what it writes.',
    { code: 'SOCKCHART_NO_COMPILE' },
  );
}
