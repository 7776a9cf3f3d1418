/** Runs machines on tables that are compiled once: what the adapters use unless they are told otherwise. */
import type { AnyStateMachine } from 'xstate';
import { type CompiledMachine, compile } from './compile.js';
import type { Runtime } from './instance.js';

const tables = new WeakMap<AnyStateMachine, CompiledMachine<AnyStateMachine>>();

/** Runs each machine on its table; see {@link compile}. */
export const compiledRuntime: Runtime = {
  name: 'compiled',
  run(machine, input, host) {
    let table = tables.get(machine);
    if (table === undefined) {
      table = compile<AnyStateMachine>(machine);
      tables.set(machine, table);
    }
    return table.run(input, host as never) as never;
  },
};
