/** One program on many processes: real processes, real sockets. The library is the one that was built, as a worker must have it. */
import { spawn } from 'node:child_process';
import nodeCluster, { type Worker as NodeWorker } from 'node:cluster';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { EventFromLogic, StateValue } from 'xstate';
import {
  type Cluster,
  type ClusterEvents,
  type ClusterOptions,
  createCluster,
  type WorkerInfo,
} from '../../build/cluster/index.js';
import type { ClusterConfig } from '../../build/cluster/options.js';
import { Worker } from '../../build/cluster/worker.js';
import { environmentOf } from '../../build/handle.js';
import { workerMachine } from '../../build/machines/index.js';
import { Backoff } from '../../build/upstream/backoff.js';
import type { Outcome } from '../../src/index.js';
import {
  type Driver,
  drivePath,
  exploreMachine,
  ManualClock,
  type Path,
  replay,
  shortName,
  transitionsOf,
} from '../../src/testing/index.js';
import { workerSettings } from '../machines/bounds.js';
import { useBench } from '../support/bench.js';
import { Reader } from '../support/peers.js';
import { how, why } from '../support/record.js';
import { gate, turns, until, within } from '../support/wait.js';

const bench = useBench();

const fixture = (name: string): URL => new URL(`../fixtures/cluster-${name}.mjs`, import.meta.url);
const PART = fixture('part');
const PROXY = fixture('proxy');

/** Short waits; and the arguments that the test runner gives Node are not for workers. */
const SHORT = { backoff: { initialMs: 10, maxMs: 40, jitter: 0 }, execArgv: [] } as const;

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const gone = (pids: readonly number[]): Promise<void> =>
  until(`processes ${pids.join()} to be gone`, () => !pids.some(isAlive));

/** Every process of a cluster that ever served. */
const pidsOf = new WeakMap<Cluster, number[]>();

/** A cluster of the light module, with short waits; its processes are gone after the test. */
function make(options: Partial<ClusterOptions> = {}): { cluster: Cluster; seen: string[] } {
  const cluster = bench.keep(
    createCluster({ module: PART, data: {}, workers: 2, ...SHORT, clock: bench.clock, ...options }),
  );
  const seen: string[] = [];
  const pids: number[] = [];
  pidsOf.set(cluster, pids);
  const note = (word: string, { number, pid }: WorkerInfo): void => {
    seen.push(`${word} ${number}`);
    pids.push(pid as number);
  };
  cluster.on('running', () => seen.push('running'));
  cluster.on('started', (worker) => note('started', worker));
  cluster.on('replaced', (worker) => note('replaced', worker));
  cluster.on('exited', ({ worker, cause }) => seen.push(`exited ${worker.number} ${why(cause)}`));
  cluster.on('retry', ({ worker, attempt, delayMs }) => seen.push(`retry ${worker.number} #${attempt} ${delayMs}`));
  cluster.on('gaveUp', ({ worker }) => seen.push(`gaveUp ${worker.number}`));
  cluster.on('reloaded', () => seen.push('reloaded'));
  cluster.on('closed', (outcome) => seen.push(`closed ${outcome.ending}`));
  bench.later(() => gone(pids));
  return { cluster, seen };
}

async function started(options: Partial<ClusterOptions> = {}) {
  const made = make(options);
  await within(10_000, 'the start', made.cluster.start());
  return { ...made, at: portOf(made.cluster), pids: pidsOf.get(made.cluster) as number[] };
}

function portOf({ addresses }: Cluster): { host: string; port: number } {
  expect(addresses).toHaveLength(1);
  return addresses[0] as { host: string; port: number };
}

const event = <K extends keyof ClusterEvents & string>(cluster: Cluster, name: K): Promise<ClusterEvents[K]> =>
  within(10_000, name, new Promise((resolve) => cluster.once(name, (...args) => resolve(args))));

interface Visitor {
  readonly socket: Socket;
  readonly reader: Reader;
  readonly pid: number;
  /** Sends, and waits until it comes back. */
  echo(text: string): Promise<void>;
}

/** Connects, and learns whom it talks to. */
async function visit(at: { port: number }): Promise<Visitor> {
  const socket = await bench.dial(at);
  const reader = new Reader(socket);
  await until('the greeting', () => reader.text.includes('\n'));
  const pid = Number.parseInt(reader.text, 10);
  return {
    socket,
    reader,
    pid,
    async echo(text) {
      const before = reader.bytes;
      socket.write(text);
      await reader.has(before + text.length);
    },
  };
}

/** Connects until each of the two workers has one. */
async function visitBoth(at: { port: number }): Promise<[Visitor, Visitor]> {
  const first = await visit(at);
  for (;;) {
    const second = await visit(at);
    if (second.pid !== first.pid) return [first, second];
    second.socket.destroy();
  }
}

const infoOf = (cluster: Cluster, pid: number): WorkerInfo =>
  cluster.workers.find((worker) => worker.pid === pid) as WorkerInfo;

const outcomeOf = (ending: Outcome['ending']): Outcome => ({
  ending,
  cause: { initiator: 'owner', manner: 'close', phase: 'established' },
  flushed: ending === 'closed',
});

const workerInput = (attemptsMax: number) => ({ settings: workerSettings(attemptsMax) });

/** In a process that does what it is told, a failure cannot be on its way when it is told to end. */
const isLateFailure = (type: string, state: StateValue): boolean =>
  type === 'process.failed' && (state === 'draining' || state === 'aborting');

const workerGraph = (attemptsMax: number) =>
  exploreMachine(workerMachine, {
    input: workerInput(attemptsMax),
    key: ({ context }) => `${context.attempts} ${context.ending}`,
    events: (type, { value }): EventFromLogic<typeof workerMachine>[] => {
      if (isLateFailure(type, value)) return [];
      if (type === 'restart.deferred') return [{ type, delayMs: 100 }];
      if (type !== 'process.closed') return [{ type } as EventFromLogic<typeof workerMachine>];
      return [
        { type, outcome: outcomeOf('closed') },
        { type, outcome: outcomeOf('aborted') },
      ];
    },
  });

/** A worker that answers the question for its backoff when it is told to. */
class DrivenWorker extends Worker {
  answer: (() => void) | undefined;
  override chooseRestart(attempts: number): void {
    this.answer = () => super.chooseRestart(attempts);
  }
}

/** Makes the steps of a path happen with a process that does what it is told. */
function driveWorker(attemptsMax: number): Driver<typeof workerMachine> {
  const clock = new ManualClock();
  const input = workerInput(attemptsMax);
  const config: ClusterConfig = {
    module: fixture('driven').href,
    exportName: 'default',
    workers: 1,
    scheduling: undefined,
    env: undefined,
    execArgv: [],
    settings: input.settings,
    backoff: new Backoff({ initialMs: 100, jitter: 0 }),
  };
  let child: NodeWorker | undefined;
  let listens = Promise.resolve();
  let reported: EventFromLogic<typeof workerMachine> | undefined;
  const owner = {
    id: 'test',
    workerRunning() {},
    workerExited() {},
    workerRetry() {},
    workerClosed() {},
    workerShares() {},
    workerLeft() {},
  };
  const handle = new DrivenWorker(1, undefined, config, owner, environmentOf({ clock }));
  const onFork = (forked: NodeWorker): void => {
    child = forked;
    listens = new Promise((resolve) => {
      forked.on('message', (message) => {
        if (message === 'driven') resolve();
      });
    });
  };
  /** One process at a time is forked for it, and at once. */
  const watched = (step: () => void): Promise<void> => {
    const before = new Set(Object.keys(nodeCluster.workers ?? {}));
    step();
    const id = Object.keys(nodeCluster.workers ?? {}).find((id) => !before.has(id));
    if (id !== undefined) onFork(nodeCluster.workers?.[id] as NodeWorker);
    return listens;
  };
  const say = (order: string, details: object = {}): void => void child?.send({ order, ...details });
  return {
    machine: workerMachine as never,
    input,
    handle,
    eventOf: ({ event }) => (event === reported?.type ? reported : ({ type: event } as never)),
    perform({ event }) {
      reported = event as typeof reported;
      const { type } = event;
      if (type === 'worker.start') return watched(() => handle.start());
      if (type === 'worker.close') return void handle.close();
      if (type === 'worker.abort') return void handle.abort();
      if (type === 'restart.deferred') return handle.answer?.();
      if (type === 'process.ready') return say('ready');
      if (type === 'process.failed') return say('failed');
      if (type === 'process.closed')
        return say('closed', { outcome: (event as unknown as { outcome: Outcome }).outcome });
      // Where it was killed already, this comes by itself.
      if (type === 'process.exited') return void child?.process.kill('SIGKILL');
      const timer = handle.timers().find(({ name }) => name === shortName(type));
      if (timer === undefined) return 'it has fired already';
      const { state } = handle;
      clock.advance(timer.remainingMs - 1);
      if (handle.state !== state) throw new Error(`${timer.name} fired a millisecond too early`);
      return watched(() => clock.advance(1));
    },
    async dispose() {
      void handle.abort();
      child?.process.kill('SIGKILL');
      await handle.closed;
      expect(clock.pending).toBe(0);
      if (child !== undefined && isAlive(child.process.pid as number)) await once(child, 'exit');
    },
  };
}

test('every transition of a worker, with real processes', async () => {
  // A process takes its time: of the paths that take every edge, those that take every transition, the long ones first.
  const paths: [number, Path][] = [];
  const planned = new Set<string>();
  for (const attemptsMax of [1, 2]) {
    for (const path of workerGraph(attemptsMax)
      .edgePaths()
      .toSorted((a, b) => b.length - a.length)) {
      const events = path.map(({ event }) => event);
      const { steps } = replay(workerMachine, workerInput(attemptsMax), events);
      const fresh = steps.flatMap(({ taken }) => taken).filter((name) => !planned.has(name));
      if (fresh.length > 0) paths.push([attemptsMax, path]);
      for (const name of fresh) planned.add(name);
    }
  }
  const missing = new Set(transitionsOf(workerMachine as never).values());
  const stopped: string[] = [];
  const walk = async (): Promise<void> => {
    for (let next = paths.pop(); next !== undefined; next = paths.pop()) {
      const [attemptsMax, path] = next;
      const driven = await drivePath(path, () => driveWorker(attemptsMax), 10_000);
      for (const name of driven.taken) missing.delete(name);
      if (driven.stopped !== undefined) stopped.push(driven.stopped);
    }
  };
  await Promise.all([walk(), walk(), walk()]);
  // Some processes are gone before they can be given up.
  expect(stopped.filter((why) => !/^it has fired already$|^it had moved on to .* by itself$/.test(why))).toEqual([]);
  const late = ['worker.aborting process.failed #0', 'worker.draining process.failed #0'];
  expect([...missing].filter((name) => !late.includes(name))).toEqual([]);
}, 60_000);

describe('options', () => {
  const wrong: readonly [Record<string, unknown>, RegExp][] = [
    [{ module: undefined }, /"module" must be a file URL or an absolute path, such as .*; it is undefined/],
    [{ module: './worker.mjs' }, /"module" must be a file URL or an absolute path/],
    [{ module: 'https://example.org/worker.mjs' }, /"module" must be a file URL/],
    [{ module: new URL('nowhere.mjs', import.meta.url) }, /"module" must be a file that exists/],
    [{ exportName: '' }, /"exportName" must be a string that is not empty/],
    [{ workers: 0 }, /"workers" must be a whole number from 1 to 1024; it is 0/],
    [{ worker: 2 }, /"worker" must be left out or spelt "workers"/],
    [{ data: { admit: () => true } }, /"data" must be what can be sent to another process \(.*could not be cloned/],
    [{ scheduling: 'random' }, /"scheduling" must be "roundRobin" or "system"; it is "random"/],
    [{ env: { A: 1 } }, /"env.A" must be a string; it is 1/],
    [{ env: null }, /"env" must be an object of strings/],
    [{ execArgv: '--inspect' }, /"execArgv" must be a list of strings/],
    [{ startTimeout: 0 }, /"startTimeout" must be a number of milliseconds/],
    [{ drainTimeout: -1 }, /"drainTimeout" must be a number of milliseconds/],
    [{ abortTimeout: 'x' }, /"abortTimeout" must be a number of milliseconds/],
    [{ stableAfter: null }, /"stableAfter" must be a number of milliseconds/],
    [{ attemptsMax: -1 }, /"attemptsMax" must be a whole number from 0 on, or Infinity/],
    [{ backoff: { initial: 1 } }, /"backoff.initial" must be/],
    [{ clock: {} }, /"clock" must be an object with now\(\)/],
    [{ signal: {} }, /"signal" must be an AbortSignal/],
  ];

  test.each(wrong)('%o', (options, message) => {
    expect(() => createCluster({ module: PART, ...options } as ClusterOptions)).toThrow(message);
    expect(Object.keys(nodeCluster.workers ?? {})).toEqual([]);
  });

  test('of close, reload and inspect', async () => {
    const { cluster } = await started({ workers: 1 });
    expect(() => cluster.close({ timeoutMs: -1 })).toThrow(/"timeoutMs"/);
    await expect(cluster.reload({ timeout: 1 } as never)).rejects.toThrow(/"timeout" must be/);
    await expect(cluster.reload({ data: () => {} })).rejects.toThrow(/"data" must be what can be sent/);
    await expect(cluster.inspect({ timeoutMs: 0 })).rejects.toThrow(/"timeoutMs"/);
    expect(() => cluster.unref()).toThrow(expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' }));
    expect(cluster.ref()).toBe(cluster);
  });
});

describe('start', () => {
  test('all workers listen on one port, and each serves', async () => {
    const { cluster, seen, at, pids } = await started();
    expect(seen.toSorted()).toEqual(['running', 'started 1', 'started 2']);
    expect(seen.at(-1)).toBe('running');
    expect(cluster.state).toBe('running.steady');
    expect(cluster.workers.map(({ addresses }) => addresses)).toEqual([[at], [at]]);
    const both = await visitBoth(at);
    expect(both.map(({ pid }) => pid).toSorted()).toEqual(pids.toSorted());
    expect(cluster.start()).toBe(cluster.start());
  });

  test('the module gets its data as it was at the call, its number, and how many there are', async () => {
    const data = { map: new Map([['a', new Date(0)]]), list: [1n] };
    const { cluster } = make({ data, exportName: 'named' });
    data.list.push(2n);
    data.map.clear();
    await cluster.start();
    // BigInt is nothing for JSON: the snapshot is lost, the worker is not.
    const { workers } = cluster;
    const nothing = { clients: undefined, refused: undefined, memory: expect.any(Number), snapshot: undefined };
    expect(await cluster.inspect()).toEqual(workers.map((worker) => ({ ...worker, ...nothing })));
    await cluster.reload({ data: { map: [...data.map], list: 'new' } });
    expect((await cluster.inspect()).map(({ snapshot }) => snapshot)).toEqual([
      { clients: 0, refused: 0, data: { map: [], list: 'new' }, worker: 1, workers: 2, incarnation: 1 },
      { clients: 0, refused: 0, data: { map: [], list: 'new' }, worker: 2, workers: 2, incarnation: 1 },
    ]);
  });

  const cannot: readonly [string, Partial<ClusterOptions>, RegExp, string][] = [
    ['the module throws', { data: { fault: 'throw', only: 2 } }, /Worker 2 .*: no such thing$/, 'E_NO_SUCH_THING'],
    ['its process exits', { data: { fault: 'exit' }, workers: 1 }, /Worker 1 .*: EXIT_7 while starting/, 'EXIT_7'],
    [
      'it exports no function',
      { exportName: 'number', workers: 1 },
      /must export a function as "number"; it exports: .*named/,
      'TypeError',
    ],
    ['it has no such export', { exportName: 'other', workers: 1 }, /must export a function as "other"/, 'TypeError'],
    [
      'what it makes has no life',
      { exportName: 'nothing', workers: 1 },
      /must return what has start\(\), close\(\)/,
      'TypeError',
    ],
    [
      'a worker wants workers',
      { exportName: 'nested', workers: 1 },
      /A worker cannot have workers/,
      'ERR_NOT_SUPPORTED',
    ],
    ['it takes too long', { data: { fault: 'never', only: 2 }, startTimeout: 400 }, /startTimeout/, 'startTimeout'],
    ['it hangs', { data: { fault: 'freeze' }, workers: 1, startTimeout: 400 }, /startTimeout/, 'startTimeout'],
  ];

  test.each(cannot)('%s: the start fails, and the others end', async (_name, options, message, code) => {
    const { cluster, seen } = make(options);
    const error = await within(
      10_000,
      'the start',
      cluster.start().then(
        () => undefined,
        (error) => error,
      ),
    );
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ name: 'WorkerError', code: 'ERR_WORKER' });
    expect(error.cause).toMatchObject({ phase: 'starting' });
    expect(error.cause.code).toBe(code);
    expect(cluster.outcome).toMatchObject({ ending: 'failed', cause: error.cause });
    expect(seen.filter((line) => /exited|retry|replaced/.test(line))).toEqual([]);
    expect(Object.keys(nodeCluster.workers ?? {})).toEqual([]);
    await expect(cluster.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(cluster.reload()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('a module that is gone by then', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sc-'));
    bench.later(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'worker.mjs');
    copyFileSync(PART, file);
    const { cluster } = make({ module: file, workers: 1 });
    rmSync(file);
    await expect(cluster.start()).rejects.toMatchObject({ cause: { code: 'ERR_MODULE_NOT_FOUND' } });
  });

  test('a port that is taken', async () => {
    const { port } = await bench.echo();
    const { cluster } = make({
      module: PROXY,
      data: { listen: { host: '127.0.0.1', port }, servers: [{ port }] },
      workers: 1,
    });
    await expect(cluster.start()).rejects.toMatchObject({
      code: 'ERR_WORKER',
      worker: 1,
      message: `Worker 1 could not start: Could not listen on 127.0.0.1:${port}: EADDRINUSE.`,
      cause: {
        initiator: 'system',
        phase: 'binding',
        code: 'EADDRINUSE',
        error: { name: 'BindError', code: 'ERR_BIND' },
      },
    });
  });

  test('an option that the library refuses in the worker', async () => {
    const { cluster } = make({ module: PROXY, data: { servers: [{ port: 1 }], idleTimout: 1 }, workers: 1 });
    await expect(cluster.start()).rejects.toThrow(/"idleTimout" must be left out or spelt "idleTimeout"/);
  });

  test('a path that each worker would bind for itself; one that they share', async () => {
    const { port } = await bench.echo();
    const path = bench.path();
    const { cluster: bare } = make({ module: PROXY, data: { path, bare: true, servers: [{ port }] } });
    await expect(bare.start()).rejects.toThrow(
      `Could not listen on ${path}: EADDRINUSE. A path is bound by one process`,
    );
    expect(existsSync(path)).toBe(false);
    const { cluster } = make({ module: PROXY, data: { path, servers: [{ port }] } });
    await cluster.start();
    expect(cluster.addresses).toEqual([{ path }]);
    const client = await bench.dial({ path });
    const reader = new Reader(client);
    client.end('hello');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello');
    expect((await cluster.close()).ending).toBe('closed');
    expect(existsSync(path)).toBe(false);
  });
});

describe('a worker that dies', () => {
  test('is replaced on the same port, and the connections of the other go on', async () => {
    const { cluster, seen, at, pids } = await started();
    const [a, b] = await visitBoth(at);
    const victim = infoOf(cluster, a.pid);
    const exited = event(cluster, 'exited');
    const replaced = event(cluster, 'replaced');
    process.kill(a.pid, 'SIGKILL');
    const echoes = (async () => {
      let count = 0;
      for (; !seen.some((line) => line.startsWith('replaced')); count++) await b.echo('ping\n');
      return count;
    })();
    expect((await exited)[0]).toMatchObject({
      worker: { number: victim.number },
      pid: a.pid,
      code: null,
      signal: 'SIGKILL',
    });
    const [info] = await replaced;
    expect(info).toMatchObject({ id: victim.id, number: victim.number, incarnation: 2, addresses: [at] });
    expect(await echoes).toBeGreaterThan(0);
    expect(seen.slice(3)).toEqual([
      `exited ${victim.number} system/error/serving/SIGKILL`,
      `retry ${victim.number} #2 10`,
      `replaced ${victim.number}`,
    ]);
    expect(await a.reader.ends()).not.toBe(undefined);
    expect(b.reader.how).toBeUndefined();
    b.socket.destroy();
    const both = await visitBoth(at);
    expect(both.map(({ pid }) => pid).toSorted()).toEqual([b.pid, info.pid].toSorted());
    expect(pids).toHaveLength(3);
  });

  test('of an exception: the primary learns which, and no client takes what it got for complete', async () => {
    const server = await bench.server((socket) => void socket.write('half an ans'));
    const { cluster, at } = await started({
      module: PROXY,
      data: { servers: [{ port: server.port }], crash: true },
      workers: 1,
    });
    const reader = new Reader(await bench.dial(at));
    await reader.has(11);
    const exited = event(cluster, 'exited');
    const replaced = event(cluster, 'replaced');
    reader.socket.end();
    expect(await reader.ends()).toBe('reset');
    expect(await exited).toMatchObject([
      { code: 1, signal: null, cause: { code: 'EXIT_1', error: { message: 'a bug' } } },
    ]);
    await replaced;
  });

  test('whose part ends by itself is replaced too', async () => {
    const { cluster, at } = await started({ workers: 1 });
    const { socket, pid } = await visit(at);
    const exited = event(cluster, 'exited');
    const replaced = event(cluster, 'replaced');
    socket.write('end yourself\n');
    expect(await exited).toMatchObject([{ pid, code: 0, cause: { initiator: 'owner', manner: 'close' } }]);
    await replaced;
  });

  test('again and again is given up; the others serve on, and a reload brings it back', async () => {
    const data = { fault: 'dieSoon', only: 1, from: 2 };
    const { cluster, seen, at, pids } = await started({ data, attemptsMax: 4 });
    const gaveUp = event(cluster, 'gaveUp');
    process.kill(cluster.workers[0]?.pid as number, 'SIGKILL');
    await gaveUp;
    expect(seen.filter((line) => / 1\b/.test(line))).toEqual([
      'started 1',
      'exited 1 system/error/serving/SIGKILL',
      'retry 1 #2 10',
      'replaced 1',
      'exited 1 system/error/serving/EXIT_8',
      'retry 1 #3 20',
      'replaced 1',
      'exited 1 system/error/serving/EXIT_8',
      'retry 1 #4 40',
      'replaced 1',
      'exited 1 system/error/serving/EXIT_8',
      'gaveUp 1',
    ]);
    expect(pids).toHaveLength(5);
    expect(cluster.matches('running')).toBe(true);
    expect(cluster.workers.map(({ number }) => number)).toEqual([2]);
    await (await visit(at)).echo('still here\n');
    await cluster.reload({ data: {}, timeoutMs: 10 });
    expect(cluster.workers.map(({ number, state }) => `${number} ${state}`)).toEqual([
      '1 serving.running',
      '2 serving.running',
    ]);
  });

  test('and is the last one, and is given up: the cluster has failed', async () => {
    // It can start once; every other process fails at once.
    const { cluster, seen, at } = await started({ workers: 1, data: { fault: 'throw', from: 2 }, attemptsMax: 3 });
    const { pid } = await visit(at);
    process.kill(pid, 'SIGKILL');
    const outcome = await within(10_000, 'the end', cluster.closed);
    expect(how(outcome)).toBe('failed owner/error/starting/E_NO_SUCH_THING');
    expect(outcome.cause.error).toMatchObject({ message: 'no such thing' });
    expect(seen.filter((line) => line.startsWith('exited'))).toHaveLength(3);
    expect(seen.slice(-2)).toEqual(['gaveUp 1', 'closed failed']);
    expect(cluster.addresses).toEqual([]);
  });

  test('is not replaced at all where that is asked', async () => {
    const { cluster, seen, at } = await started({ workers: 1, attemptsMax: 0 });
    process.kill((await visit(at)).pid, 'SIGKILL');
    expect((await cluster.closed).ending).toBe('failed');
    expect(seen.filter((line) => line.startsWith('retry'))).toEqual([]);
  });
});

describe('close', () => {
  test('drains all workers at once, and serves who is there', async () => {
    const { cluster, at, seen } = await started();
    const visitors = await visitBoth(at);
    const closing = cluster.close({ timeoutMs: 10_000 });
    expect(cluster.state).toBe('draining');
    expect(cluster.addresses).toEqual([]);
    await until('both to drain', () => cluster.workers.every(({ state }) => state === 'draining'));
    // The primary stops listening when the last worker has let go.
    await until('nobody to listen', () => !process.getActiveResourcesInfo().includes('TCPServerWrap'));
    expect(await new Reader(bench.dialing(at)).ends()).toBe('destroyed');
    for (const visitor of visitors) await visitor.echo('still here\n');
    await expect(cluster.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(cluster.reload()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    for (const { socket } of visitors) socket.destroy();
    expect(await closing).toEqual({
      ending: 'closed',
      cause: { initiator: 'owner', manner: 'close', phase: 'serving' },
      flushed: true,
    });
    expect(cluster.close()).toBe(cluster.closed);
    expect(seen.filter((line) => /exited|retry/.test(line))).toEqual([]);
    expect(cluster.toJSON()).toMatchObject({ state: 'closed', addresses: [], workers: [] });
  });

  test('cuts at its deadline: clients see a reset', async () => {
    const server = await bench.silent();
    const { cluster, at } = await started({ module: PROXY, workers: 1, data: { servers: [{ port: server.port }] } });
    const reader = new Reader(await bench.dial(at));
    await until('the session', () => server.accepted === 1);
    const outcome = await within(5_000, 'the close', cluster.close({ timeoutMs: 200 }));
    expect(how(outcome)).toBe('aborted library/timeout/closing/drainTimeout');
    expect(outcome.flushed).toBe(false);
    expect(await reader.ends()).toBe('reset');
  });

  test('while it starts', async () => {
    const { cluster, seen } = make();
    const starting = cluster.start();
    expect(cluster.state).toBe('starting');
    expect(how(await cluster.close())).toBe('closed owner/close/starting');
    await expect(starting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(seen).toEqual(['closed closed']);
    expect(Object.keys(nodeCluster.workers ?? {})).toEqual([]);
  });

  test('before it was started', async () => {
    const { cluster } = make();
    expect(how(await cluster.close())).toBe('closed owner/close/idle');
    const { cluster: aborted } = make();
    expect(how(await aborted.abort())).toBe('aborted owner/abort/idle');
    const { cluster: signalled } = make({ signal: AbortSignal.abort() });
    expect(how(await signalled.closed)).toBe('aborted owner/abort/idle/ABORT_ERR');
  });

  test('while a worker backs off: nothing is forked afterwards', async () => {
    const clock = new ManualClock();
    const { cluster, seen, at, pids } = await started({ clock });
    process.kill((await visit(at)).pid, 'SIGKILL');
    await event(cluster, 'retry');
    expect((await cluster.close()).ending).toBe('closed');
    expect(clock.pending).toBe(0);
    clock.advance(60_000);
    await turns();
    expect(pids).toHaveLength(2);
    expect(seen.at(-1)).toBe('closed closed');
    expect(Object.keys(nodeCluster.workers ?? {})).toEqual([]);
  });

  test('while a replacement starts', async () => {
    const { cluster, at, seen } = await started({ workers: 1, data: { fault: 'never', from: 2 } });
    process.kill((await visit(at)).pid, 'SIGKILL');
    await until('the fork', () => cluster.workers.some(({ state }) => state === 'serving.restarting'));
    expect((await within(4_000, 'the close', cluster.close())).ending).toBe('closed');
    expect(seen.filter((line) => line.startsWith('replaced'))).toEqual([]);
  });

  test('and a worker dies while it drains: it is not replaced, and that is told', async () => {
    const { cluster, at, seen } = await started();
    const [a, b] = await visitBoth(at);
    const closing = cluster.close();
    await until('both to drain', () => cluster.workers.every(({ state }) => state === 'draining'));
    process.kill(a.pid, 'SIGKILL');
    await a.reader.ends();
    await b.echo('still here\n');
    b.socket.destroy();
    const outcome = await closing;
    expect(how(outcome)).toBe('dropped system/error/closing/SIGKILL');
    expect(outcome.flushed).toBe(false);
    expect(seen.filter((line) => /retry|replaced/.test(line))).toEqual([]);
  });

  test('and a worker exits instead', async () => {
    const { cluster } = await started({ workers: 1, data: { fault: 'exitOnClose' } });
    expect(how(await cluster.close())).toBe('dropped system/error/closing/EXIT_9');
  });

  test('and a worker hangs: it is killed, the others are not kept from ending well', async () => {
    const { cluster, pids } = await started({ data: { fault: 'freezeOnClose', only: 2 }, abortTimeout: 200 });
    const outcome = await within(5_000, 'the close', cluster.close({ timeoutMs: 200 }));
    expect(how(outcome)).toBe('aborted library/timeout/closing/drainTimeout');
    await gone(pids);
  });

  test('and a worker does not exit: it is killed, and all is well', async () => {
    const { cluster, pids } = await started({ workers: 1, data: { fault: 'exitLate' }, abortTimeout: 200 });
    expect(how(await cluster.close())).toBe('closed owner/close/serving');
    await gone(pids);
  });

  test('is hastened by an abort', async () => {
    const { cluster, at } = await started();
    const visitors = await visitBoth(at);
    const closing = cluster.close({ timeoutMs: false });
    await until('both to drain', () => cluster.workers.every(({ state }) => state === 'draining'));
    const outcome = await within(2_000, 'the abort', cluster.abort());
    expect(await closing).toBe(outcome);
    expect(how(outcome)).toBe('aborted owner/abort/closing');
    for (const { reader } of visitors) expect(await reader.ends()).toBe('reset');
  });

  test('abort at once, by a signal', async () => {
    const controller = new AbortController();
    const { cluster, at } = await started({ workers: 1, signal: controller.signal });
    const { reader } = await visit(at);
    controller.abort();
    expect(how(await cluster.closed)).toBe('aborted owner/abort/serving/ABORT_ERR');
    expect(await reader.ends()).toBe('reset');
  });

  test('an abort of a worker that hangs', async () => {
    const { cluster, pids, at } = await started({ workers: 1, abortTimeout: 200 });
    process.kill((await visit(at)).pid, 'SIGSTOP');
    expect(how(await within(2_000, 'the abort', cluster.abort()))).toBe('aborted owner/abort/serving');
    await gone(pids);
  });

  test('an abort whose cause cannot be sent as it is: what can be told of it is, and no process stays', async () => {
    const told = bench.path('told');
    const { cluster, pids, at } = await started({ data: { told } });
    const { reader } = await visit(at);
    // No process takes a function from another one.
    const error = { toString: () => 'no such reason' };
    const outcome = await cluster.abort({ initiator: 'owner', manner: 'abort', code: 'E_WHY', error });
    expect(how(outcome)).toBe('aborted owner/abort/serving/E_WHY');
    expect(outcome.cause.error).toBe(error);
    expect(await reader.ends()).toBe('reset');
    await gone(pids);
    expect(readFileSync(told, 'utf8')).toBe('Error: no such reason');
  });

  test('and a worker cannot be told: it is killed, not forgotten', async () => {
    const { cluster, pids } = await started({ workers: 1 });
    const forked = Object.values(nodeCluster.workers ?? {}).find((worker) => worker?.process.pid === pids[0]);
    (forked as NodeWorker).process.send = () => {
      throw new Error('no such channel');
    };
    expect(how(await cluster.close())).toBe('dropped system/error/closing/SIGKILL');
    await gone(pids);
  });

  test('at the end of an `await using` block', async () => {
    const { cluster } = await started({ workers: 1 });
    await cluster[Symbol.asyncDispose]();
    expect(cluster.outcome?.ending).toBe('closed');
  });
});

describe('reload', () => {
  const drainingOf = (cluster: Cluster): WorkerInfo[] => cluster.workers.filter(({ state }) => state === 'draining');

  test('starts every new process beside the old ones, then gives them every new connection, and the old ones drain', async () => {
    const { cluster, at, pids, seen } = await started();
    const visitors = await visitBoth(at);
    let least = 2;
    cluster.on('started', () => {
      const serving = cluster.workers.filter(({ state }) => state === 'serving.running');
      least = Math.min(least, serving.length);
    });
    const reloading = cluster.reload();
    expect(cluster.state).toBe('running.reloading.starting');
    expect(cluster.workers).toHaveLength(4);
    let reloaded = false;
    const knocking = (async () => {
      while (!reloaded) (await visit(at)).socket.destroy();
    })();
    await until('both to drain', () => drainingOf(cluster).length === 2, 10_000);
    expect(cluster.state).toBe('running.reloading.draining');
    expect(cluster.workers).toHaveLength(4);
    expect(
      drainingOf(cluster)
        .map(({ pid }) => pid)
        .toSorted(),
    ).toEqual(pids.slice(0, 2).toSorted());
    // What was on its way when they were told to drain has arrived by then.
    for (const visitor of visitors) await visitor.echo('still here\n');
    for (let newcomer = 0; newcomer < 10; newcomer++) {
      const { pid, socket } = await visit(at);
      expect(pids.slice(2)).toContain(pid);
      socket.destroy();
    }
    for (const { socket } of visitors) socket.destroy();
    await within(10_000, 'the reload', reloading);
    reloaded = true;
    await knocking;
    expect(least).toBe(2);
    expect(seen.slice(3, 5).toSorted()).toEqual(['started 1', 'started 2']);
    expect(seen.slice(5)).toEqual(['reloaded']);
    expect(cluster.workers.map(({ pid }) => pid).toSorted()).toEqual(pids.slice(2).toSorted());
    expect(cluster.addresses).toEqual([at]);
    expect((await cluster.close()).ending).toBe('closed');
  });

  test('a server that is left out gets no new connection, however long the old ones drain', async () => {
    const [a, b] = [await bench.silent(), await bench.silent()];
    const { cluster, at } = await started({
      module: PROXY,
      drainTimeout: false,
      data: { servers: [{ port: a.port }] },
    });
    const old = await bench.dial(at);
    await until('the session', () => a.accepted === 1);
    const reloading = cluster.reload({ data: { servers: [{ port: b.port }] } });
    await until('an old worker to drain', () => cluster.state === 'running.reloading.draining', 10_000);
    await until('one old worker, which has a session', () => cluster.workers.length === 3);
    for (let newcomer = 1; newcomer <= 6; newcomer++) {
      await bench.dial(at);
      await until('its session', () => b.accepted === newcomer);
    }
    expect(a.accepted).toBe(1);
    old.resetAndDestroy();
    await within(10_000, 'the reload', reloading);
    expect((await cluster.close({ timeoutMs: 10 })).ending).toBe('aborted');
  });

  test('a connection that the primary hands to a worker that has just ended goes to another one', async () => {
    const [ready, go] = [bench.path('ready'), bench.path('go')];
    const { cluster, at } = await started({ workers: 1, data: { fault: 'waitOnClose', ready, go } });
    const reloading = cluster.reload({ data: {} });
    await until('the old worker to be told to drain', () => existsSync(ready), 10_000);
    // It hears of nothing now: what it is given waits in its channel until it has closed.
    const clients = await Promise.all(Array.from({ length: 6 }, () => bench.dial(at)));
    const readers = clients.map((client) => new Reader(client));
    await turns(20);
    writeFileSync(go, '');
    await within(10_000, 'the reload', reloading);
    const pid = cluster.workers[0]?.pid as number;
    for (const reader of readers) {
      await until('the greeting', () => reader.text.includes('\n') || reader.how !== undefined);
      expect(Number.parseInt(reader.text, 10)).toBe(pid);
    }
  });

  test('that cannot start changes nothing, also for what is replaced or reloaded later', async () => {
    const { cluster, at, pids } = await started();
    const { echo } = await visit(at);
    await expect(cluster.reload({ data: { fault: 'throw' } })).rejects.toMatchObject({
      code: 'ERR_WORKER',
      worker: expect.any(Number),
      cause: { code: 'E_NO_SUCH_THING', phase: 'starting' },
    });
    expect(cluster.state).toBe('running.steady');
    await echo('still here\n');
    expect(cluster.workers.map(({ pid }) => pid).toSorted()).toEqual(pids.toSorted());
    // Those that serve have what they were started with, and so will their replacements.
    const replaced = event(cluster, 'replaced');
    process.kill(pids[0] as number, 'SIGKILL');
    await replaced;
    await cluster.reload({ timeoutMs: 10 });
    expect((await cluster.inspect()).map(({ snapshot }) => snapshot)).toMatchObject([{ data: {} }, { data: {} }]);
  });

  test('that cannot start lets a new worker that serves already drain', async () => {
    const go = bench.path('go');
    const { cluster, at, pids } = await started();
    const begun = event(cluster, 'started');
    const reloading = cluster.reload({ data: { fault: 'throwWhen', go, only: 2 } });
    const failed = expect(reloading).rejects.toMatchObject({ code: 'ERR_WORKER', worker: 2 });
    const [{ pid }] = await begun;
    const visitors: Visitor[] = [];
    while (visitors.at(-1)?.pid !== pid) visitors.push(await visit(at));
    const guest = visitors.pop() as Visitor;
    for (const { socket } of visitors) socket.destroy();
    writeFileSync(go, '');
    await until('the new worker to drain', () => infoOf(cluster, pid as number).state === 'draining', 10_000);
    expect(cluster.state).toBe('running.reloading.withdrawing');
    await guest.echo('still here\n');
    expect(pids.slice(0, 2)).toContain((await visit(at)).pid);
    guest.socket.destroy();
    await failed;
    expect(cluster.workers.map(({ pid }) => pid).toSorted()).toEqual(pids.slice(0, 2).toSorted());
  });

  test('an old worker that dies meanwhile is replaced, and a new one that dies is waited for', async () => {
    const go = bench.path('go');
    const { cluster, seen, pids } = await started();
    const begun = event(cluster, 'started');
    const reloading = cluster.reload({ data: { fault: 'waitFor', go, only: 2 } });
    await begun;
    for (const victim of [pids[0], pids[2]] as number[]) {
      const replaced = event(cluster, 'replaced');
      process.kill(victim, 'SIGKILL');
      await replaced;
    }
    expect(cluster.state).toBe('running.reloading.starting');
    expect(cluster.workers).toHaveLength(4);
    writeFileSync(go, '');
    await within(10_000, 'the reload', reloading);
    expect(seen.filter((line) => line.startsWith('exited'))).toHaveLength(2);
    expect(cluster.workers.map(({ number, state }) => `${number} ${state}`)).toEqual([
      '1 serving.running',
      '2 serving.running',
    ]);
  });

  test('that cannot start, after the last old worker was given up: the cluster has failed', async () => {
    const { cluster, pids } = await started({ workers: 1, attemptsMax: 0 });
    const go = bench.path('go');
    const reloading = cluster.reload({ data: { fault: 'throwWhen', go } });
    const failed = expect(reloading).rejects.toMatchObject({ code: 'ERR_WORKER' });
    const gaveUp = event(cluster, 'gaveUp');
    process.kill(pids[0] as number, 'SIGKILL');
    await gaveUp;
    expect(cluster.matches('running.reloading')).toBe(true);
    writeFileSync(go, '');
    await failed;
    expect(how(await cluster.closed)).toBe('failed owner/error/starting/E_NO_SUCH_THING');
  });

  test('asked for during a reload follows it, once', async () => {
    const { cluster, seen } = await started({ workers: 1 });
    const first = cluster.reload();
    const second = cluster.reload({ data: { a: 1 } });
    const third = cluster.reload({ data: { a: 2 } });
    await Promise.all([first, second, third]);
    expect(seen.filter((line) => line === 'reloaded')).toHaveLength(2);
    expect(cluster.workers).toMatchObject([{ number: 1, state: 'serving.running' }]);
    expect((await cluster.inspect())[0]?.snapshot).toMatchObject({ data: { a: 2 } });
  });

  test('a close during a reload ends the old and the new', async () => {
    const { cluster } = await started();
    const reloading = cluster.reload();
    const again = cluster.reload();
    expect(cluster.workers).toHaveLength(4);
    const rejected = Promise.all([
      expect(reloading).rejects.toMatchObject({ code: 'ERR_CLOSED' }),
      expect(again).rejects.toMatchObject({ code: 'ERR_CLOSED' }),
    ]);
    expect((await cluster.close()).ending).toBe('closed');
    await rejected;
    expect(Object.keys(nodeCluster.workers ?? {})).toEqual([]);
  });

  test('an abort while the old ones drain ends all of them', async () => {
    const { cluster, at } = await started();
    const visitors = await visitBoth(at);
    const rejected = expect(cluster.reload({ timeoutMs: false })).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await until('both to drain', () => drainingOf(cluster).length === 2, 10_000);
    expect((await cluster.abort()).ending).toBe('aborted');
    await rejected;
    for (const { reader } of visitors) expect(await reader.ends()).toBe('reset');
    expect(Object.keys(nodeCluster.workers ?? {})).toEqual([]);
  });

  test('cuts what outlasts its deadline', async () => {
    const { cluster, at } = await started({ drainTimeout: false });
    const visitors = await visitBoth(at);
    await within(10_000, 'the reload', cluster.reload({ timeoutMs: 50 }));
    for (const { reader } of visitors) expect(await reader.ends()).toBe('reset');
    expect(cluster.state).toBe('running.steady');
    // What was cut by a reload is no part of how the cluster ends.
    expect(how(await cluster.close())).toBe('closed owner/close/serving');
  });

  test('before the start', async () => {
    const { cluster } = make();
    await expect(cluster.reload()).rejects.toMatchObject({ code: 'ERR_NOT_SUPPORTED' });
  });
});

describe('messages that are none of ours', () => {
  test('of a user’s module to the primary, and to a worker, change nothing', async () => {
    const { MALFORMED } = (await import(PART.href)) as { MALFORMED: object[] };
    const { cluster, seen, at } = await started({ data: { fault: 'babble' } });
    const visitors = await visitBoth(at);
    for (const worker of Object.values(nodeCluster.workers ?? {})) {
      for (const message of MALFORMED) worker?.send(message as never);
    }
    for (const visitor of visitors) await visitor.echo('still here\n');
    expect(await cluster.inspect()).toMatchObject([{ clients: 1 }, { clients: 1 }]);
    for (const { socket } of visitors) socket.destroy();
    expect(how(await cluster.close())).toBe('closed owner/close/serving');
    expect(seen.filter((line) => /exited|retry/.test(line))).toEqual([]);
  });
});

describe('what can be seen', () => {
  test('inspect asks the workers; one that hangs is told of without', async () => {
    const server = await bench.silent();
    const { cluster, at } = await started({
      module: PROXY,
      data: { servers: [{ port: server.port }], clientsMax: 1 },
    });
    for (let client = 0; client < 2; client++) await bench.dial(at);
    await until('both sessions', () => server.accepted === 2);
    expect(await new Reader(bench.dialing(at)).ends()).toBe('reset');
    const infos = cluster.workers;
    const pid = infos[1]?.pid as number;
    const reports = await cluster.inspect();
    expect(reports.map(({ clients }) => clients)).toEqual([1, 1]);
    expect(reports.reduce((sum, { refused }) => sum + (refused as number), 0)).toBe(1);
    expect(reports[0]).toMatchObject({
      number: 1,
      pid: infos[0]?.pid,
      state: 'serving.running',
      memory: expect.any(Number),
      snapshot: { state: 'running', sessions: 1 },
    });
    process.kill(pid, 'SIGSTOP');
    expect(await cluster.inspect({ timeoutMs: 500 })).toMatchObject([{ clients: 1 }, { pid, clients: undefined }]);
    const asked = cluster.inspect({ timeoutMs: false });
    process.kill(pid, 'SIGKILL');
    expect(await asked).toMatchObject([{ clients: 1 }, { number: 2, clients: undefined }]);
  });

  test('other users of node:cluster find it as it was', async () => {
    await started({ workers: 1 });
    expect(nodeCluster.settings).toMatchObject({ exec: process.argv[1], serialization: 'json' });
    const other = nodeCluster.schedulingPolicy === nodeCluster.SCHED_RR ? 'system' : 'roundRobin';
    const { cluster } = make({ scheduling: other });
    await expect(cluster.start()).rejects.toMatchObject({ code: 'ERR_NOT_SUPPORTED' });
    expect(cluster.state).toBe('idle');
  });
});

/** Runs a program with workers in a process group of its own. */
function run(file: string, ...args: string[]) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const exit = once(child, 'exit');
  // The workers have its output too: it is at its end when the last of them is gone.
  const allGone = once(child, 'close');
  bench.later(() => {
    child.kill('SIGKILL');
    return within(10_000, 'the workers to go', allGone);
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const line = (pattern: RegExp): Promise<string> => {
    const { promise, open } = gate<string>();
    const look = (): void => {
      const found = lines.find((line) => pattern.test(line));
      if (found !== undefined) open(found);
    };
    waiting.add(look);
    look();
    return within(10_000, `a line like ${pattern}`, promise);
  };
  return { child, line, exit, allGone };
}

/** Runs a primary, and waits until it serves. */
async function running(options: object) {
  const { child, line, exit, allGone } = run('../fixtures/cluster-primary.mjs', JSON.stringify(options));
  const { addresses, pids } = JSON.parse(await line(/^\{/)) as { addresses: { port: number }[]; pids: number[] };
  return { child, line, exit, allGone, at: addresses[0] as { port: number }, pids };
}

describe('a program', () => {
  test('Ctrl-C in a terminal reaches the workers too, and they wait for the primary’s word', async () => {
    const { child, line, exit, at } = await running({ module: './cluster-part.mjs', data: {} });
    const visitors = await visitBoth(at);
    process.kill(-(child.pid as number), 'SIGINT');
    await line(/^closing$/);
    process.kill(-(child.pid as number), 'SIGTERM');
    for (const visitor of visitors) await visitor.echo('still here\n');
    for (const { socket } of visitors) socket.end();
    await line(/^closed$/);
    expect(await exit).toEqual([0, null]);
  });

  test('workers that lose their primary serve to the end, and go', async () => {
    const { child, exit, allGone, at, pids } = await running({ module: './cluster-part.mjs', data: {} });
    const visitors = await visitBoth(at);
    child.kill('SIGKILL');
    await exit;
    for (const visitor of visitors) await visitor.echo('still here\n');
    expect(pids.every(isAlive)).toBe(true);
    expect(await new Reader(bench.dialing(at)).ends()).toBe('destroyed');
    for (const { socket } of visitors) socket.destroy();
    await within(5_000, 'the workers to go', allGone);
  });

  test('workers that lose their primary check for themselves, and keep what they were lent', async () => {
    const server = await bench.echo();
    const { child, exit, allGone, at } = await running({
      module: './cluster-shared.mjs',
      data: { servers: [{ port: server.port, connectionsMax: 2 }], checks: { interval: 50 } },
    });
    const clients = [await bench.dial(at), await bench.dial(at)];
    const readers = clients.map((socket) => new Reader(socket));
    for (const socket of clients) socket.write('here');
    for (const reader of readers) await reader.has(4);
    child.kill('SIGKILL');
    await exit;
    const { accepted } = server;
    for (const socket of clients) socket.write('still');
    for (const reader of readers) await reader.has(9);
    await until('their checks', () => server.accepted > accepted + 5);
    for (const socket of clients) socket.destroy();
    await within(5_000, 'the workers to go', allGone);
  });

  test('workers that lose their primary cut at the deadline', async () => {
    const server = await bench.silent();
    const { child, allGone, at } = await running({
      module: './cluster-proxy.mjs',
      drainTimeout: 200,
      data: { servers: [{ port: server.port }] },
    });
    const reader = new Reader(await bench.dial(at));
    await until('the session', () => server.accepted === 1);
    child.kill('SIGKILL');
    expect(await reader.ends()).toBe('reset');
    await within(5_000, 'the workers to go', allGone);
  });

  test('no signal to stop ends a worker that has its primary', async () => {
    const { at, pids } = await running({ module: './cluster-part.mjs', data: {} });
    const visitors = await visitBoth(at);
    for (const pid of pids) {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR2']) process.kill(pid, signal);
    }
    for (const visitor of visitors) await visitor.echo('still here\n');
  });

  test('a worker that has lost its primary is cut by the second signal', async () => {
    const server = await bench.echo();
    const { child, exit, allGone, at, pids } = await running({
      module: './cluster-proxy.mjs',
      drainTimeout: false,
      data: { servers: [{ port: server.port }] },
    });
    const reader = new Reader(await bench.dial(at));
    await until('the session', () => server.accepted === 1);
    child.kill('SIGKILL');
    // While it dies it closes one channel after the other: a signal that comes in between is still its own to answer.
    await exit;
    for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGTERM');
    // It serves on. The second answer comes after the signal was handled: both may have been there at the first.
    for (const count of [1, 2]) {
      reader.socket.write('x');
      await reader.has(count);
    }
    for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGINT');
    expect(await reader.ends()).toBe('reset');
    await within(5_000, 'the workers to go', allGone);
  });

  test('a worker that has lost its primary goes, even if what it serves never ends', async () => {
    const { child, allGone, at } = await running({
      module: './cluster-part.mjs',
      data: { fault: 'neverClose' },
      drainTimeout: 100,
      abortTimeout: 100,
    });
    await visitBoth(at);
    child.kill('SIGKILL');
    await within(10_000, 'the workers to go', allGone);
  });

  test('the system gives connections to whoever is first', async () => {
    const { child, line, exit, at, pids } = await running({
      module: './cluster-part.mjs',
      data: {},
      scheduling: 'system',
    });
    const { pid, socket } = await visit(at);
    expect(pids).toContain(pid);
    process.kill(pid, 'SIGKILL');
    await line(/^replaced$/);
    const again = await visit(at);
    again.socket.destroy();
    socket.destroy();
    child.kill('SIGTERM');
    await line(/^closed$/);
    expect(await exit).toEqual([0, null]);
  });

  test('the example replaces, reloads and drains', async () => {
    const server = await bench.echo();
    const { child, line, exit } = run('../../examples/cluster.mjs', '0', String(server.port));
    const at = { port: Number(/port: (\d+)/.exec(await line(/^listening/))?.[1]) };
    const [, pid] = /(\d+)$/.exec(await line(/^worker 1 is process/)) as RegExpExecArray;
    process.kill(Number(pid), 'SIGKILL');
    await line(/^worker 1 died: SIGKILL$/);
    await line(/^worker 1 was replaced$/);
    child.kill('SIGHUP');
    await line(/^reloaded$/);
    const reader = new Reader(await bench.dial(at));
    reader.socket.end('hello');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello');
    await line(/^worker \d: a session ended$/);
    child.kill('SIGTERM');
    await line(/^closed$/);
    expect(await exit).toEqual([0, null]);
  });
});
