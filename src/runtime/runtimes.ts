/** The ways to run the library's own machines, by the option `runtime`. */
import { BackendInstance } from '../generated/backend.js';
import { CheckInstance } from '../generated/check.js';
import { ClientInstance } from '../generated/client.js';
import { ClusterInstance } from '../generated/cluster.js';
import { ListenerInstance } from '../generated/listener.js';
import { NameInstance } from '../generated/name.js';
import { ProxyInstance } from '../generated/proxy.js';
import { ServerInstance } from '../generated/server.js';
import { SessionInstance } from '../generated/session.js';
import { WorkerInstance } from '../generated/worker.js';
import { machines } from '../machines/index.js';
import type { Runtime } from './instance.js';
import type { RunnableMachine } from './machine.js';
import { interpret } from './xstate.js';

const CLASSES = {
  backend: BackendInstance,
  check: CheckInstance,
  client: ClientInstance,
  cluster: ClusterInstance,
  listener: ListenerInstance,
  name: NameInstance,
  proxy: ProxyInstance,
  server: ServerInstance,
  session: SessionInstance,
  worker: WorkerInstance,
};

/** Runs each machine as the class that was generated from it: what handles do by themselves. For a runtime of your own to build on. */
export const compiledRuntime: Runtime = {
  name: 'compiled',
  run: (machine, input, host) => new CLASSES[machine](input, host as never) as never,
};

const interpreted = new Map<string, RunnableMachine<never>>(
  machines.map((machine) => [machine.id, interpret(machine) as never]),
);

/** Runs each machine on an XState actor of its own. */
export const xstateRuntime: Runtime = {
  name: 'xstate',
  run: (machine, input, host) =>
    (interpreted.get(machine) as RunnableMachine<never>).run(input as never, host) as never,
};
