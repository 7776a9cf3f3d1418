/** The ways to run the library's own machines, by the option `runtime`. */
import { backendInstance } from '../generated/backend.js';
import { checkInstance } from '../generated/check.js';
import { clientInstance } from '../generated/client.js';
import { clusterInstance } from '../generated/cluster.js';
import { listenerInstance } from '../generated/listener.js';
import { nameInstance } from '../generated/name.js';
import { proxyInstance } from '../generated/proxy.js';
import { serverInstance } from '../generated/server.js';
import { sessionInstance } from '../generated/session.js';
import { workerInstance } from '../generated/worker.js';
import { machines } from '../machines/index.js';
import type { Runtime } from './instance.js';
import type { RunnableMachine } from './machine.js';
import { interpret } from './xstate.js';

const MAKERS = {
  backend: backendInstance,
  check: checkInstance,
  client: clientInstance,
  cluster: clusterInstance,
  listener: listenerInstance,
  name: nameInstance,
  proxy: proxyInstance,
  server: serverInstance,
  session: sessionInstance,
  worker: workerInstance,
};

/** Runs each machine as the class that was generated from it: what handles do by themselves. For a runtime of your own to build on. */
export const compiledRuntime: Runtime = {
  name: 'compiled',
  run: (machine, input, host) => MAKERS[machine](input, host) as never,
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
