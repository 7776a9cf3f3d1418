/** Every machine of the library. */
import type { AnyStateMachine } from 'xstate';
import { clusterMachine } from '../../src/cluster/cluster-machine.js';
import { workerMachine } from '../../src/cluster/worker-machine.js';
import * as machines from '../../src/machines/index.js';

export const all = [
  ...Object.values(machines).filter((exported) => typeof exported === 'object' && 'root' in exported),
  workerMachine,
  clusterMachine,
] as unknown as readonly AnyStateMachine[];
