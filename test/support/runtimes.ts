/** The two ways to run a machine, whether it is the library's or another: as its class, and on an XState actor. */
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom } from 'xstate';
import { machines } from '../../src/machines/index.js';
import {
  compile,
  type Host,
  type Instance,
  interpret,
  compiledRuntime as ofMachines,
  type RunnableMachine,
} from '../../src/runtime/index.js';

export interface MachineRuntime {
  readonly name: string;
  run<M extends AnyStateMachine>(
    machine: M,
    input: InputFrom<M>,
    host: Host<EmittedFrom<M>>,
  ): Instance<Extract<EventFromLogic<M>, { type: string }>>;
}

function runtime(name: string, make: (machine: AnyStateMachine) => RunnableMachine<AnyStateMachine>): MachineRuntime {
  const made = new WeakMap<AnyStateMachine, RunnableMachine<AnyStateMachine>>();
  return {
    name,
    run(machine, input, host) {
      const one = made.get(machine) ?? make(machine);
      made.set(machine, one);
      return one.run(input, host as never) as never;
    },
  };
}

/** The library's own machines run as the classes that were generated; others are compiled. */
export const compiledRuntime = runtime('compiled', (machine) => {
  const own = machines.find((one) => (one as unknown) === machine);
  if (own === undefined) return compile(machine);
  return { id: own.id, run: (input, host) => ofMachines.run(own.id as never, input, host as never) as never };
});

export const xstateRuntime = runtime('xstate', interpret);
