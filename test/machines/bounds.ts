/** The machines with the small bounds in which they are explored. */
import type { AnyStateMachine } from 'xstate';
import { clusterMachine } from '../../src/cluster/cluster-machine.js';
import { workerMachine } from '../../src/cluster/worker-machine.js';
import {
  backendMachine,
  clientMachine,
  listenerMachine,
  proxyMachine,
  sessionMachine,
} from '../../src/machines/index.js';
import { type ExploreOptions, exploreMachine, type MachineGraph } from '../../src/testing/index.js';

/** Any wait will do: no time passes while a pure machine is walked. */
const T = 1_000;

const CAUSE = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' } as const;

const LOSS = { initiator: 'system', manner: 'error', code: 'ECONNRESET' } as const;

export interface Bounded {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly options: ExploreOptions<AnyStateMachine>;
  /** Whether every simple path is walked, or only every edge: where counters make them too many. */
  readonly simple: boolean;
}

const backend = (persistent: boolean, attemptsMax: number): Bounded => ({
  name: `backend, ${persistent ? 'persistent' : 'one conversation'}, ${attemptsMax === 1 ? '1 attempt' : `${attemptsMax} attempts`}`,
  machine: backendMachine,
  options: {
    input: { settings: backendSettings(persistent, attemptsMax) },
    key: ({ context }) => Math.min(context.attempts, attemptsMax),
    events: (type) => [type === 'server.deferred' ? { type, delayMs: 100 } : { type }],
  },
  simple: attemptsMax === 1,
});

export const backendSettings = (persistent: boolean, attemptsMax: number) => ({
  persistent,
  attemptsMax,
  chooseTimeout: T,
  connectTimeout: T,
  prepareTimeout: T,
  disposeTimeout: T,
  holdTimeout: T,
  closeTimeout: T,
  abortTimeout: T,
  stableAfter: T,
  restTimeout: T,
});

const END = { initiator: 'peer', manner: 'end', phase: 'said' } as const;

/** What a process, or all of them, say of their end. */
const said = (ending: 'closed' | 'aborted' | 'dropped') => ({
  ending,
  cause: ending === 'aborted' ? { ...END, manner: 'error' } : END,
  flushed: ending === 'closed',
  ...(ending !== 'closed' && { truncated: true }),
});

export const workerSettings = (attemptsMax: number) => ({
  attemptsMax,
  startTimeout: T,
  stableAfter: T,
  drainTimeout: T,
  abortTimeout: T,
});

const worker = (attemptsMax: number): Bounded => ({
  name: `worker, ${attemptsMax === 1 ? '1 attempt' : `${attemptsMax} attempts`}`,
  machine: workerMachine,
  options: {
    input: { settings: workerSettings(attemptsMax) },
    key: ({ context }) => `${context.attempts} ${context.ending}`,
    events: (type) => {
      if (type === 'restart.deferred') return [{ type, delayMs: 100 }];
      if (type === 'worker.close') return [{ type, timeoutMs: 2 * T }];
      if (type === 'process.failed' || type === 'process.exited') return [{ type, cause: LOSS }];
      if (type !== 'process.closed') return [{ type }];
      return [
        { type, outcome: said('closed') },
        { type, outcome: said('aborted') },
      ];
    },
  },
  simple: attemptsMax === 1,
});

export const bounded: readonly Bounded[] = [
  backend(true, 1),
  backend(false, 1),
  backend(true, 2),
  backend(false, 2),
  {
    name: 'client',
    machine: clientMachine,
    options: { input: { settings: { acceptTimeout: T, closeTimeout: T, abortTimeout: T } } },
    simple: true,
  },
  {
    name: 'listener, 2 clients, 2 attempts to bind',
    machine: listenerMachine,
    options: {
      input: {
        settings: {
          clientsMax: 2,
          bindAttempts: 2,
          bindBackoff: T,
          drainTimeout: T,
          admissionTimeout: T,
          abortTimeout: T,
        },
      },
      key: ({ context }) => `${context.clients} ${context.attempts}`,
      // A client can only end if there is one.
      events: (type, { context }) => (type === 'client.closed' && context.clients === 0 ? [] : [{ type }]),
    },
    simple: true,
  },
  {
    name: 'session',
    machine: sessionMachine,
    options: {
      input: {
        settings: { sessionConnectTimeout: T, idleTimeout: T, halfCloseTimeout: T, durationMax: T, closeTimeout: T },
      },
      // Closed before there was a backend, or after: only the latter can still turn out otherwise.
      key: ({ context }) => `${context.ending} ${context.cause?.phase === 'connecting'}`,
      events: (type) =>
        type === 'client.closed' || type === 'backend.closed'
          ? [
              { type, ending: 'ended', cause: CAUSE },
              { type, ending: 'dropped', cause: CAUSE },
              { type, ending: 'aborted', cause: CAUSE },
            ]
          : [{ type }],
    },
    simple: true,
  },
  {
    name: 'proxy',
    machine: proxyMachine,
    options: { input: { settings: { drainTimeout: T, abortTimeout: T } }, key: ({ context }) => context.ending },
    simple: true,
  },
  worker(1),
  worker(2),
  {
    name: 'cluster',
    machine: clusterMachine,
    options: {
      input: undefined,
      key: ({ context }) => `${context.ending} ${context.again !== undefined}`,
      events: (type) => {
        if (type === 'cluster.close') return [{ type, timeoutMs: 7 }];
        if (type === 'workers.failed' || type === 'newWorkers.failed') return [{ type, cause: LOSS }];
        if (type !== 'workers.closed') return [{ type }];
        return [
          { type, outcome: said('closed') },
          { type, outcome: said('aborted') },
          { type, outcome: said('dropped') },
        ];
      },
    },
    simple: true,
  },
];

const graphs = new Map<Bounded, MachineGraph>();

export function graphOf(bound: Bounded): MachineGraph {
  let graph = graphs.get(bound);
  if (graph === undefined) {
    graph = exploreMachine(bound.machine, bound.options);
    graphs.set(bound, graph);
  }
  return graph;
}
