/** Runs machines as classes that are compiled once: what the adapters use unless they are told otherwise. */
import type { AnyStateMachine } from 'xstate';
import { type CompiledMachine, compile } from './compile.js';
import type { Runtime } from './instance.js';

const compiled = new WeakMap<AnyStateMachine, CompiledMachine<AnyStateMachine>>();

/** Runs each machine as a class of its own; see {@link compile}. */
export const compiledRuntime: Runtime = {
  name: 'compiled',
  run(machine, input, host) {
    let made = compiled.get(machine);
    if (made === undefined) {
      made = compile<AnyStateMachine>(machine);
      compiled.set(machine, made);
    }
    return made.run(input, host as never) as never;
  },
};
