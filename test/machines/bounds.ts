/** The machines with the small bounds in which they are explored. */

import type { AnyStateMachine } from 'xstate';
import { checkMachine } from '../../src/machines/check.js';
import type { ClientSettings } from '../../src/machines/client.js';
import { clusterMachine } from '../../src/machines/cluster.js';
import {
  backendMachine,
  clientMachine,
  listenerMachine,
  proxyMachine,
  type ServerContext,
  type ServerSettings,
  serverMachine,
  sessionMachine,
} from '../../src/machines/index.js';
import {
  BACKEND_LIMITS,
  CLIENT_LIMITS,
  LISTENER_LIMITS,
  type Limits,
  namesOf,
  SESSION_LIMITS,
  type SettingsOf,
  WORKER_LIMITS,
} from '../../src/machines/limits.js';
import { nameMachine } from '../../src/machines/name.js';
import { NEVER_MS, type Sent } from '../../src/machines/vocabulary.js';
import { workerMachine } from '../../src/machines/worker.js';
import { statePath } from '../../src/runtime/xstate.js';
import { type ExploreOptions, exploreMachine, type MachineGraph, type Path } from '../../src/testing/index.js';

/** Any wait will do: no time passes while a pure machine is walked. */
const T = 1_000;

/** All settings of a table, with one value. */
const settingsOf = <L extends Limits>(limits: L, value: number): SettingsOf<L> =>
  Object.fromEntries(namesOf(limits).map((name) => [name, value])) as SettingsOf<L>;

const CAUSE = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' } as const;

const LOSS = { initiator: 'system', manner: 'error', code: 'ECONNRESET' } as const;

export interface Bounded {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly options: ExploreOptions<AnyStateMachine>;
  /** Whether every simple path is walked, or only every edge: where counters make them too many. */
  readonly simple: boolean;
}

/** Whether anything was written makes no difference to the way that it goes. */
const known = (sent: Sent): Sent => (sent === 'nothing' ? 'some' : sent);

/** By the owner; and by a deadline, where that is not the same. */
const aborts = (type: string, isFinished: boolean) => (isFinished ? [{ type }, { type, deliver: true }] : [{ type }]);

/** A deadline of its proxy's may come anywhere; these are enough to take every transition, and keep the paths few. */
const isDeadlineNews = (state: string): boolean =>
  /^(draining|refusing|failing|cutting|serving\.listening\.saturated)/.test(state);

/** Left out where every simple path is walked, which would be too many: with two attempts, every edge of them is. */
const isRare = (type: string, state: string): boolean =>
  type === 'socket.idled' ||
  type === 'backend.renew' ||
  (type === 'backend.connect' && /^active\.(disposing|failover)/.test(state)) ||
  (type === 'socket.failed' && /^(closing\.(revoking|flushing)|lingering)/.test(state)) ||
  (type === 'socket.finished' && /^(active\.preparing|closing\.(holding|revoking))/.test(state));

const backend = (persistent: boolean, attemptsMax: number, onDemand = false): Bounded => ({
  name: `backend, ${persistent ? 'persistent' : 'one conversation'}, ${attemptsMax === 1 ? '1 attempt' : `${attemptsMax} attempts`}${onDemand ? ', on demand' : ''}`,
  machine: backendMachine,
  options: {
    input: { settings: backendSettings(persistent, attemptsMax, onDemand) },
    key: ({ context }) =>
      `${Math.min(context.attempts, attemptsMax)} ${known(context.sent)} ${context.ending} ${context.loss !== 'rest'}`,
    events: (type, { context, value }) => {
      if (type === 'server.deferred') return [{ type, delayMs: 100 }];
      // The handle refuses it.
      if (type === 'backend.renew' && !persistent) return [];
      if (attemptsMax === 1 && !onDemand && isRare(type, statePath(value))) return [];
      return type === 'backend.abort' ? aborts(type, attemptsMax > 1 && context.sent === 'all') : [{ type }];
    },
  },
  simple: attemptsMax === 1 && !onDemand,
});

/** With more than one attempt, it is closed in less time than a peer that was let go of is read. */
export const backendSettings = (persistent: boolean, attemptsMax: number, onDemand = false) => ({
  ...settingsOf(BACKEND_LIMITS, T),
  persistent,
  onDemand,
  attemptsMax,
  lingerTimeout: attemptsMax === 1 ? T : 2 * T,
  lingerMax: 8 * T,
  cooldown: T,
});

const END = { initiator: 'peer', manner: 'end', phase: 'said' } as const;

/** What a process, or all of them, say of their end. */
const said = (ending: 'closed' | 'aborted' | 'dropped') => ({
  ending,
  cause: ending === 'aborted' ? { ...END, manner: 'error' } : END,
  flushed: ending === 'closed',
  ...(ending !== 'closed' && { truncated: true }),
});

/** Three paces, of which each is shorter or longer than another. */
export const checkSettings = {
  interval: 4 * T,
  fastInterval: T,
  downInterval: 2 * T,
  timeout: 3 * T,
  spread: 0.25,
};

const check: Bounded = {
  name: 'check',
  machine: checkMachine,
  options: {
    input: { settings: checkSettings },
    key: ({ context }) => `${context.pace} ${context.waitMs} ${Math.min(context.number, 1)}`,
    events: (type, { context: { number } }) => {
      if (type === 'check.start') return [{ type, offsetMs: 5 * T }];
      if (type === 'wait.chosen') return [0.25, 1].map((random) => ({ type, random }));
      if (type === 'pace.changed') return ['normal', 'fast', 'down'].map((pace) => ({ type, pace }));
      const cause = type === 'check.passed' ? {} : { cause: LOSS };
      if (!/^check\.(passed|failed|undecided)$/.test(type)) return [{ type }];
      return [
        { type, number, ...cause },
        { type, number: number - 1, ...cause },
      ];
    },
  },
  simple: false,
};

/** Times that are all different, so that each is seen to count; one of them is for ever. */
export const nameSettings = {
  interval: 5 * T,
  failureInterval: 3 * T,
  timeout: T,
  tries: 2,
  spread: 0.2,
  hold: { nx: 2 * T, refused: NEVER_MS, timeout: 0, other: 7 * T },
};

const name: Bounded = {
  name: 'name',
  machine: nameMachine,
  options: {
    input: { settings: nameSettings },
    key: ({ context }) =>
      [context.tries, context.failure, context.ttlMs, context.hasAddresses, context.waitMs, context.holdMs].join(' '),
    events: (type, { context: { number } }) => {
      if (type === 'wait.chosen') {
        return [
          { type, random: 0, ageMs: 0 },
          { type, random: 1, ageMs: 3 * T },
        ];
      }
      if (!type.startsWith('lookup.')) return [{ type }];
      const answers =
        type === 'lookup.answered'
          ? [
              { ttlMs: 0, isEmpty: false },
              { ttlMs: 1_000, isEmpty: false },
              { ttlMs: 0, isEmpty: true },
            ]
          : (['nx', 'refused', 'timeout', 'other'] as const).map((failure) => ({ failure, cause: LOSS }));
      return answers.flatMap((answer) => [number, number - 1].map((at) => ({ type, number: at, ...answer })));
    },
  },
  simple: false,
};

export const workerSettings = (attemptsMax: number) => ({ ...settingsOf(WORKER_LIMITS, T), attemptsMax });

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

/** @param lingerTimeout more than `wait`, for one that is closed in less time than it is read once it was let go of */
export const clientSettings = (wait: number, lingerTimeout = wait) => ({
  ...settingsOf(CLIENT_LIMITS, wait),
  lingerTimeout,
  lingerMax: Math.min(NEVER_MS, 8 * wait),
});

const client = (name: string, simple: boolean, settings: Partial<ClientSettings>): Bounded => ({
  name,
  machine: clientMachine,
  options: {
    input: { settings: { ...clientSettings(T), ...settings } },
    key: ({ context }) => `${known(context.sent)} ${context.ending}`,
    events: (type, { context, value }) => {
      // A hook's last word, and a failure after a close, are left out where every simple path is walked: too many.
      const state = statePath(value);
      if (simple && type === 'socket.finished' && state.startsWith('live.accepted')) return [];
      if (simple && type === 'client.handOver' && state !== 'live.established.open') return [];
      if (simple && type === 'socket.failed' && /^(closing|lingering|lent)/.test(state)) return [];
      if (type === 'client.refuse') return [{ type }, { type, words: 'no' }];
      return type === 'client.abort' ? aborts(type, context.sent === 'all') : [{ type }];
    },
  },
  simple,
});

/** Its route comes before all else: then every edge is enough. */
const session = (name: string, asksRoute: boolean): Bounded => ({
  name,
  machine: sessionMachine,
  options: {
    input: {
      settings: { ...settingsOf(SESSION_LIMITS, T), closeTimeout: T, asksRoute },
    },
    // Closed before there was a backend, or after: only the latter can still turn out otherwise.
    key: ({ context }) => `${context.ending} ${context.isClosedEarly}`,
    events: (type) =>
      type === 'client.closed' || type === 'backend.closed'
        ? [
            { type, ending: 'ended', flushed: true, cause: CAUSE },
            { type, ending: 'dropped', flushed: false, cause: CAUSE },
            { type, ending: 'aborted', flushed: false, cause: CAUSE },
          ]
        : [{ type }],
  },
  simple: !asksRoute,
});

/** Without checks, and ejected after the first failure, as by default. */
export const serverSettings = (settings: Partial<ServerSettings> = {}): ServerSettings => ({
  rise: 1,
  fall: 1,
  init: 'fullyUp',
  failures: 1,
  onError: 'eject',
  baseMs: T,
  factor: 2,
  maxMs: 3 * T,
  jitter: 0.5,
  slowStart: 0,
  steps: 2,
  removeTimeout: T,
  cutTimeout: T,
  ...settings,
});

/** What of a server's memory matters for what may come, by where it is. */
function serverKey(state: string, context: ServerContext): string {
  const { health, failures, losses, ejections, step, restMs, settings } = context;
  const { loses, isDoubted, hasServed, hasAddress, delivers, flushed } = context;
  if (/^(removing|cutting|closed|aborted)/.test(state)) return `${delivers} ${flushed}`;
  const served = settings.slowStart > 0 && hasServed;
  if (state === 'maintenance') return `${served} ${hasAddress}`;
  const counts = [failures, losses].map((count) => Math.min(count, settings.failures - 1));
  const rest = isDoubted && restMs === NEVER_MS;
  const steps = settings.slowStart > 0 && /^serving\.(recovering|down|ejected|trying)/.test(state) && step;
  return [health, ...counts, Math.min(ejections, 1), steps, rest, loses, isDoubted, served, hasAddress].join(' ');
}

/** @param leaveOut events that do not come, so that the paths are few */
const server = (name: string, settings: Partial<ServerSettings>, leaveOut: RegExp): Bounded => ({
  name: `server, ${name}`,
  machine: serverMachine,
  options: {
    input: { settings: serverSettings(settings) },
    key: ({ context, value }) => serverKey(statePath(value), context),
    events: (type) => {
      if (leaveOut.test(type)) return [];
      if (type === 'check.failed' || type === 'address.lost') return [{ type, cause: LOSS }];
      if (type === 'server.close') return [{ type, timeoutMs: 7, spreadMs: 3 }];
      if (type === 'server.abort') return aborts(type, true);
      const failed = { type, cause: LOSS, random: 1 };
      if (type === 'traffic.dropped' || (type === 'traffic.failed' && settings.onError !== undefined))
        return [true, false].map((mayEject) => ({ ...failed, mayEject }));
      if (type !== 'traffic.failed') return [{ type }];
      const unmendable = { ...failed, mayEject: true };
      return [
        { ...failed, mayEject: true },
        { ...failed, mayEject: false },
        { ...unmendable, mends: T },
        { ...unmendable, mends: NEVER_MS },
      ];
    },
  },
  simple: false,
});

const CHECKS = { rise: 2, fall: 2, init: 'up' } as const;
/** Its end, and what its owner wants, are walked without checks. */
const JUDGED = /^(address|server.(drain|maintain|close|abort|up))/;
const NO_LOSSES = /^(traffic.(dropped|lasted)|address|server.(drain|maintain|close|abort|up))/;

export const bounded: readonly Bounded[] = [
  backend(true, 1),
  backend(false, 1),
  backend(true, 2),
  backend(true, 1, true),
  backend(false, 2),
  client('client', true, {}),
  client('client, closed in a hurry', false, { lingerTimeout: 2 * T }),
  client('client, TLS', true, { speaksTls: true }),
  client('client, TLS, closed in a hurry', false, { speaksTls: true, lingerTimeout: 2 * T }),
  client('client, PROXY header', false, { isProxied: true }),
  client('client, TLS, PROXY header', false, { isProxied: true, speaksTls: true }),
  {
    name: 'listener, 2 clients, 2 attempts to bind',
    machine: listenerMachine,
    options: {
      input: {
        settings: {
          ...settingsOf(LISTENER_LIMITS, T),
          clientsMax: 2,
          bindAttempts: 2,
          admissionTimeout: T,
          abortTimeout: T,
          lingerMax: T,
        },
      },
      key: ({ context }) => `${context.clients} ${context.attempts}`,
      // A client can only end if there is one.
      events: (type, { context, value }) =>
        type === 'client.closed' && context.clients === 0
          ? []
          : type === 'listener.abort'
            ? aborts(type, context.clients > 0 && isDeadlineNews(statePath(value)))
            : [{ type }],
    },
    simple: true,
  },
  session('session', false),
  session('session, its route', true),
  {
    name: 'proxy',
    machine: proxyMachine,
    options: {
      input: { settings: { drainTimeout: T, abortTimeout: T, lingerMax: T } },
      key: ({ context }) => context.ending,
    },
    simple: true,
  },
  check,
  name,
  server('no checks', {}, /^(check|address|traffic.(dropped|lasted))/),
  server('losses', { failures: 2 }, /^(check|address|server)/),
  server(
    'losses, with checks',
    { ...CHECKS, init: 'down', failures: 2, slowStart: T },
    /^(address|server|trial|traffic.(failed|connected))/,
  ),
  server('drained and maintained', CHECKS, /^(traffic.(dropped|lasted|connected)|address|server.(close|abort))/),
  server('checks', CHECKS, JUDGED),
  server('checks, a slow start', { ...CHECKS, slowStart: T }, JUDGED),
  server('its address', { ...CHECKS, fall: 1, init: 'down' }, /^(traffic.(failed|connected)|trial)/),
  server('its address, later', { ...CHECKS, init: 'down' }, /^(traffic.(dropped|lasted)|trial|server.(restore|abort))/),
  server('down at first', { ...CHECKS, init: 'fullyDown', slowStart: T }, NO_LOSSES),
  server(
    '2 failures of traffic hurry its checks',
    { ...CHECKS, onError: 'fastCheck', failures: 2, slowStart: T },
    JUDGED,
  ),
  server('failures of traffic count as checks', { ...CHECKS, onError: 'failCheck', slowStart: T }, JUDGED),
  server('2 failures are a sudden death', { ...CHECKS, fall: 3, onError: 'suddenDeath', failures: 2 }, NO_LOSSES),
  server('marked down by traffic', { ...CHECKS, onError: 'markDown', init: 'fullyUp' }, JUDGED),
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

const walked = new Map<Bounded, readonly [edges: Path[], simple: Path[]]>();

/**
 * All paths of a machine: every simple one that is worth its time, where there are not too many, and the shortest to each
 * edge that none of them takes in the same way.
 */
export function pathsOf(bound: Bounded, isWorth: (path: Path) => boolean = () => true): Path[] {
  let paths = walked.get(bound);
  if (paths === undefined) {
    const graph = graphOf(bound);
    paths = [graph.edgePaths(), bound.simple ? graph.simplePaths() : []];
    walked.set(bound, paths);
  }
  const simple = paths[1].filter(isWorth);
  const tree: Tree = new Map();
  for (const path of simple) goAlong(tree, path, (branch, step) => branch.set(step, new Map()));
  return [...paths[0].filter((path) => !goAlong(tree, path)), ...simple];
}

interface Tree extends Map<string, Tree> {}

/** Whether the tree has this path, or gets it. */
function goAlong(tree: Tree, path: Path, grow?: (branch: Tree, step: string) => void): boolean {
  let branch = tree;
  for (const { event, to } of path) {
    const step = `${JSON.stringify(event)} ${to}`;
    if (!branch.has(step)) grow?.(branch, step);
    const next = branch.get(step);
    if (next === undefined) return false;
    branch = next;
  }
  return true;
}

export function graphOf(bound: Bounded): MachineGraph {
  let graph = graphs.get(bound);
  if (graph === undefined) {
    graph = exploreMachine(bound.machine, bound.options);
    graphs.set(bound, graph);
  }
  return graph;
}
