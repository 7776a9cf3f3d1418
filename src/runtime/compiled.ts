/**
 * Runs machines as classes: what the adapters use unless they are told otherwise. The classes of the library's own machines
 * were generated when the package was built; those of other machines are compiled once.
 */
import type { AnyStateMachine } from 'xstate';
import { BackendInstance } from '../generated/backend.js';
import { ClientInstance } from '../generated/client.js';
import { ClusterInstance } from '../generated/cluster.js';
import { ListenerInstance } from '../generated/listener.js';
import { ProxyInstance } from '../generated/proxy.js';
import { SessionInstance } from '../generated/session.js';
import { WorkerInstance } from '../generated/worker.js';
import { backendMachine } from '../machines/backend.js';
import { clientMachine } from '../machines/client.js';
import { clusterMachine } from '../machines/cluster.js';
import { listenerMachine } from '../machines/listener.js';
import { proxyMachine } from '../machines/proxy.js';
import { sessionMachine } from '../machines/session.js';
import { workerMachine } from '../machines/worker.js';
import { type CompiledMachine, compile } from './compile.js';
import type { Runtime } from './instance.js';

type Run = CompiledMachine<AnyStateMachine>['run'];

const runs = new WeakMap<object, Run>([
  [backendMachine, (input, host) => new BackendInstance(input, host) as never],
  [clientMachine, (input, host) => new ClientInstance(input, host) as never],
  [clusterMachine, (input, host) => new ClusterInstance(input, host) as never],
  [listenerMachine, (input, host) => new ListenerInstance(input, host) as never],
  [proxyMachine, (input, host) => new ProxyInstance(input, host) as never],
  [sessionMachine, (input, host) => new SessionInstance(input, host) as never],
  [workerMachine, (input, host) => new WorkerInstance(input, host) as never],
]);

/** Runs each machine as a class of its own; see {@link compile}. */
export const compiledRuntime: Runtime = {
  name: 'compiled',
  run(machine, input, host) {
    let run = runs.get(machine);
    if (run === undefined) {
      run = compile<AnyStateMachine>(machine).run;
      runs.set(machine, run);
    }
    return run(input, host as never) as never;
  },
};
