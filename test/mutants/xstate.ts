/** Stands in for `xstate` where the machines import it: the one that `SOCKCHART_MUTANT` names is made wrong. */
import { type AnyStateMachine, setup as right } from 'xstate';
import { commandsOf, contraries, type MachineConfig, mutantsOf } from './operators.js';

export * from 'xstate';

interface Implementations {
  actions?: Record<string, unknown>;
  guards?: Parameters<typeof contraries>[0];
}

type Setup = (implementations: object) => { createMachine(config: MachineConfig): AnyStateMachine };

/** As XState's. */
export function setup(implementations: Implementations): ReturnType<Setup> {
  const { actions = {}, guards = {} } = implementations;
  const wanted = process.env.SOCKCHART_MUTANT;
  const made = (right as unknown as Setup)({ ...implementations, guards: contraries(guards) });
  return {
    ...made,
    createMachine: (config) => {
      const mutant = mutantsOf(config, commandsOf(actions)).find(({ id }) => id === wanted);
      return made.createMachine(mutant === undefined ? config : mutant.apply(config));
    },
  };
}
