/** What the workers of a cluster share: real processes, real sockets. */
import nodeCluster, { type Worker as NodeWorker } from 'node:cluster';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Cluster, type ClusterOptions, type ClusterServer, createCluster } from '../../build/cluster/index.js';
import { OptionError } from '../../build/index.js';
import { useBench } from '../support/bench.js';
import type { PeerServer } from '../support/peers.js';
import { deadline, ranMs, until, within } from '../support/wait.js';

const bench = useBench();

const MODULE = new URL('../fixtures/cluster-shared.mjs', import.meta.url);

interface Snapshot {
  readonly changes: readonly string[];
  readonly dials: readonly number[];
  readonly lists: readonly {
    readonly name: string;
    readonly state: string;
    readonly weight: number;
    readonly chosen: number;
  }[];
}

async function started(data: object, options: Partial<ClusterOptions> = {}) {
  const cluster = bench.keep(
    createCluster({
      module: MODULE,
      data,
      workers: 4,
      backoff: { initialMs: 10, maxMs: 40, jitter: 0 },
      execArgv: [],
      clock: bench.clock,
      ...options,
    }),
  );
  await within(20_000, 'the start', cluster.start());
  return { cluster, at: cluster.addresses[0] as { host: string; port: number } };
}

const snapshots = async (cluster: Cluster): Promise<Snapshot[]> => {
  const reports = await cluster.inspect();
  return reports.map(({ snapshot }) => snapshot as Snapshot);
};

/** The states of a server in all workers that answer. */
const statesOf = async (cluster: Cluster, name: string): Promise<(string | undefined)[]> =>
  (await snapshots(cluster)).map((snapshot) => snapshot?.lists.find((one) => one.name === name)?.state);

async function states(cluster: Cluster, name: string, pattern: RegExp, ms = 5_000): Promise<void> {
  const isOver = deadline(ms);
  let seen: (string | undefined)[] = [];
  while (!isOver()) {
    seen = await statesOf(cluster, name);
    if (seen.length > 0 && seen.every((state) => state !== undefined && pattern.test(state))) return;
  }
  expect(seen.join(), `${name} is not ${pattern} everywhere`).toMatch(/^$/);
}

/** Asks all workers until what they say is so. */
async function say(cluster: Cluster, what: (snapshot: Snapshot) => string, expected: string): Promise<void> {
  const isOver = deadline(5_000);
  let said: string[] = [];
  do said = (await snapshots(cluster)).map((snapshot) => (snapshot === undefined ? '-' : what(snapshot)));
  while (said.some((one) => one !== expected) && !isOver());
  expect(said).toEqual(said.map(() => expected));
}

/** A process takes the place of the one that was killed. */
const replaced = (cluster: Cluster, ...numbers: number[]): Promise<void> =>
  until('the next processes', () =>
    numbers.every((number) => {
      const worker = cluster.workers.find((one) => one.number === number);
      return worker?.incarnation === 2 && worker.state === 'serving.running';
    }),
  );

const workerOf = (pid: number | undefined): NodeWorker =>
  Object.values(nodeCluster.workers ?? {}).find((worker) => worker?.process.pid === pid) as NodeWorker;

/** A client: how its connection ended, and what it got. */
function ask({ host, port }: { host: string; port: number }): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port });
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('error', ({ message }) => resolve(message));
    socket.on('close', () => resolve(text));
  });
}

/** Answers after this time, and counts who is there at once. */
async function counting(answerMs: number): Promise<{ server: PeerServer; most(): number; now(): number }> {
  const open = new Set<Socket>();
  let most = 0;
  const server = await bench.server((socket) => {
    open.add(socket);
    // Those that have gone by now are seen before it counts.
    setImmediate(() => {
      most = Math.max(most, open.size);
    });
    // Its close comes some turns after its end.
    socket.on('end', () => open.delete(socket));
    socket.on('close', () => open.delete(socket));
    socket.resume();
    setTimeout(() => socket.end('served'), answerMs);
  });
  return { server, most: () => most, now: () => open.size };
}

describe('connectionsMax', () => {
  test.each([1, 2, 3, 5])('%i places hold over four workers, and no client is left out', async (connectionsMax) => {
    const { server, most } = await counting(5);
    const { at } = await started({ servers: [{ port: server.port, connectionsMax }] });
    const answers = await within(
      30_000,
      'all clients to be served',
      Promise.all(Array.from({ length: 200 }, () => ask(at))),
    );
    expect(new Set(answers)).toEqual(new Set(['served']));
    expect(most()).toBe(connectionsMax);
  });

  test('a client that waits gets the place that another worker has and does not use', async () => {
    const { server } = await counting(0);
    const { at } = await started({ servers: [{ port: server.port, connectionsMax: 4 }] });
    // One after the other, each at another worker; three of them stay.
    const stay = await Promise.all(Array.from({ length: 3 }, () => bench.dial(at)));
    await until('three sessions', () => server.accepted === 3);
    for (let count = 0; count < 8; count++) {
      const from = ranMs();
      expect(await ask(at)).toBe('served');
      expect(ranMs() - from).toBeLessThan(1_000);
    }
    for (const socket of stay) socket.destroy();
  });

  test('what a killed worker had is free again', async () => {
    const { server, most } = await counting(5);
    const { cluster, at } = await started({ servers: [{ port: server.port, connectionsMax: 2 }] });
    const round = () => Promise.all(Array.from({ length: 40 }, () => ask(at)));
    expect(await round()).toContain('served');
    for (const { pid } of cluster.workers.slice(0, 3)) process.kill(pid as number, 'SIGKILL');
    await replaced(cluster, 1, 2, 3);
    expect(new Set(await within(20_000, 'all to be served', round()))).toEqual(new Set(['served']));
    expect(most()).toBeLessThanOrEqual(2);
  });
});

describe('checks', () => {
  const checks = { interval: 100, fastInterval: 100, downInterval: 100, spread: 0 };

  test('a server is checked by one of the workers', async () => {
    const server = await bench.server(() => {});
    await started({ servers: [{ port: server.port }], checks });
    await until('the first check', () => server.accepted > 0);
    const from = performance.now();
    const before = server.accepted;
    await until('more checks', () => server.accepted >= before + 15);
    // Four that check would be done in a quarter of the time.
    expect(performance.now() - from).toBeGreaterThan(1_400);
  });

  test('that it is down, and up again, all workers know within an interval', async () => {
    const servers = [await bench.server(() => {}), await bench.server(() => {})];
    const [a] = servers as [PeerServer, PeerServer];
    const { port } = a;
    const name = `127.0.0.1:${port}`;
    const { cluster } = await started({ servers: servers.map((server) => ({ port: server.port })), checks });
    await states(cluster, name, /serving\.up/);
    await a.stop();
    await states(cluster, name, /serving\.down/, 1_000);
    await a.listen({ port });
    await states(cluster, name, /serving\.up/, 1_000);
    const all = await snapshots(cluster);
    const changes = all.map((snapshot) => snapshot.changes.filter((change) => change.startsWith(name)).slice(-3));
    expect(new Set(changes.map(String)).size, 'the same changes everywhere').toBe(1);
  });

  test('a worker that checks and is killed is followed by another, and no server changes', async () => {
    const server = await bench.server(() => {});
    const name = `127.0.0.1:${server.port}`;
    const { cluster } = await started({ servers: [{ port: server.port }], checks });
    await states(cluster, name, /serving\.up/);
    const before = (await snapshots(cluster)).map(({ changes }) => changes.length);
    for (const { pid } of cluster.workers.slice(0, 3)) {
      process.kill(pid as number, 'SIGKILL');
      const { accepted } = server;
      const from = ranMs();
      await until('the next check', () => server.accepted > accepted);
      expect(ranMs() - from).toBeLessThan(400);
    }
    const survivor = (await snapshots(cluster)).at(-1);
    expect(survivor?.changes.length).toBe(before.at(-1));
  });

  test('a worker that starts while a server is down knows it before its first client', async () => {
    const [a, b] = [await bench.server(() => {}), await counting(0)] as const;
    const { port } = a;
    const name = `127.0.0.1:${port}`;
    const { cluster, at } = await started({ servers: [{ port }, { port: b.server.port }], checks, panic: 0 });
    await states(cluster, name, /serving\.up/);
    await a.stop();
    await states(cluster, name, /serving\.down/);
    const { pid, number } = cluster.workers.at(-1) as { pid: number; number: number };
    process.kill(pid, 'SIGKILL');
    await replaced(cluster, number);
    const late = (await snapshots(cluster))[number - 1];
    expect(late?.lists.find((one) => one.name === name)?.state).toBe('serving.down');
    expect(new Set(await Promise.all(Array.from({ length: 20 }, () => ask(at))))).toEqual(new Set(['served']));
  });

  test('a worker that hangs while it checks is followed by another', async () => {
    const server = await bench.server(() => {});
    const { cluster } = await started({ servers: [{ port: server.port }], checks });
    await until('the first checks', () => server.accepted > 2);
    for (const { pid } of cluster.workers.slice(0, 3)) workerOf(pid).send({ freezeMs: 6_000 });
    // What it had begun is over.
    let last = ranMs();
    let longest = 0;
    for (let count = server.accepted; count < 40; ) {
      await until('a check', () => server.accepted > count, 5_500);
      count = server.accepted;
      longest = Math.max(longest, ranMs() - last);
      last = ranMs();
    }
    expect(longest).toBeLessThan(3_200);
  }, 30_000);
});

describe('orders', () => {
  test('made at the primary they hold for all, also for workers that start later', async () => {
    const servers = [await counting(0), await counting(0)] as const;
    const [a, b] = servers.map(({ server }) => `127.0.0.1:${server.port}`) as [string, string];
    const { cluster, at } = await started({ servers: servers.map(({ server }) => ({ port: server.port })) });
    const [set] = cluster.servers;
    expect(set?.list.map(({ name, state }) => `${name} ${state}`)).toEqual([`${a} serving.up`, `${b} serving.up`]);
    set?.list[0]?.drain();
    await states(cluster, a, /draining/);
    const { pid, number } = cluster.workers[1] as { pid: number; number: number };
    process.kill(pid, 'SIGKILL');
    await replaced(cluster, number);
    await states(cluster, a, /draining/);
    for (const _ of Array.from({ length: 12 })) expect(await ask(at)).toBe('served');
    expect(servers[0].server.accepted).toBe(0);
    set?.list[0]?.up();
    await states(cluster, a, /serving\.up/);
    set?.list[1]?.setWeight(0);
    await say(cluster, ({ lists }) => String(lists[1]?.weight), '0');
  });

  test('a set at the primary adds and removes a server, and calls it by its name', async () => {
    const server = await counting(0);
    const { cluster } = await started({ servers: ['a', 'b'].map((name) => ({ name, port: server.server.port })) });
    const [set] = cluster.servers;
    const [a, b] = set?.list ?? [];
    expect(`${a}, ${b}`).toBe('a, b');
    expect(() => set?.remove('a' as never)).toThrow(OptionError);
    set?.remove(a as ClusterServer, { timeoutMs: 1_000 });
    await say(cluster, ({ lists }) => lists.map(({ name }) => name).join(), 'b');
  });

  test('made at a worker, too: drained, maintained, added, removed, replaced', async () => {
    const server = await counting(0);
    const { cluster } = await started({ servers: [{ name: 'a', port: server.server.port }] });
    const { pid } = cluster.workers[2] as { pid: number };
    workerOf(pid).send({ order: 'maintain', name: 'a' });
    await states(cluster, 'a', /maintenance/);
    workerOf(pid).send({ order: 'up', name: 'a' });
    await states(cluster, 'a', /serving\.up/);
    workerOf(pid).send({ order: 'add', argument: { name: 'b', port: server.server.port } });
    await states(cluster, 'b', /serving\.up/);
    workerOf(pid).send({ order: 'remove', name: 'a' });
    await say(cluster, ({ lists }) => lists.map(({ name }) => name).join(), 'b');
    workerOf(pid).send({ order: 'replace', argument: [{ name: 'c', port: server.server.port }] });
    await states(cluster, 'c', /serving\.up/);
    const { pid: victim, number } = cluster.workers[0] as { pid: number; number: number };
    process.kill(victim, 'SIGKILL');
    await replaced(cluster, number);
    await say(cluster, ({ lists }) => lists.map(({ name }) => name).join(), 'c');
  });
});

describe('the governor', () => {
  test('no second has more dials than the limit, over all workers, and all clients are served', async () => {
    const perSecond = 40;
    const server = await bench.server((socket) => socket.end('served'));
    const { cluster, at } = await started({
      servers: [{ name: 'a', port: server.port, host: '127.0.0.1' }],
      governor: { perSecond },
      isTimed: true,
    });
    // The first dial of a process takes some time between its choice and its socket.
    for (let count = 0; count < 8; count++) expect(await ask(at)).toBe('served');
    const answers = await within(20_000, 'all to be served', Promise.all(Array.from({ length: 130 }, () => ask(at))));
    expect(new Set(answers)).toEqual(new Set(['served']));
    const dials = (await snapshots(cluster)).flatMap((snapshot) => snapshot.dials).sort((x, y) => x - y);
    expect(dials).toHaveLength(138);
    // A dial counts from when its server is chosen, shortly before its socket is opened.
    const most = Math.max(...dials.map((from) => dials.filter((other) => other >= from && other < from + 950).length));
    expect(most).toBeLessThanOrEqual(perSecond);
    // From the first of those that came at once.
    expect((dials.at(-1) as number) - (dials[8] as number), 'the limit is used').toBeLessThan(4_000);
  }, 30_000);
});

describe('ejections', () => {
  const chosen = async (cluster: Cluster, name: string): Promise<number> =>
    (await snapshots(cluster)).reduce(
      (sum, { lists }) => sum + (lists.find((one) => one.name === name)?.chosen ?? 0),
      0,
    );

  test('a server that one worker has ejected is ejected in all, and one connection of all tries it', async () => {
    const a = await bench.server((socket) => socket.end('served'));
    const { port } = a;
    const b = await counting(0);
    const { cluster, at } = await started({
      servers: [
        { name: 'a', port },
        { name: 'b', port: b.server.port },
      ],
      balance: 'inOrder',
      // The second time is long, so that no third trial comes before it is counted.
      ejection: { baseMs: 400, factor: 5, jitter: 0 },
    });
    await a.stop();
    expect(await ask(at)).toBe('served');
    await states(cluster, 'a', /serving\.(ejected|trying)/);
    expect(await chosen(cluster, 'a')).toBe(1);
    await states(cluster, 'a', /serving\.trying/);
    // It still refuses: whoever comes first asks for the trial, and a later one makes it.
    for (let round = 0; round < 20 && (await chosen(cluster, 'a')) === 1; round++) {
      expect(new Set(await Promise.all(Array.from({ length: 12 }, () => ask(at))))).toEqual(new Set(['served']));
    }
    expect(await chosen(cluster, 'a')).toBe(2);
    await a.listen({ port });
    await states(cluster, 'a', /serving\.trying/);
    const { accepted } = a;
    for (let round = 0; round < 20 && a.accepted === accepted; round++) {
      expect(new Set(await Promise.all(Array.from({ length: 12 }, () => ask(at))))).toEqual(new Set(['served']));
    }
    await states(cluster, 'a', /serving\.up/);
  });

  test('two workers that fail at both servers at once leave one of them', async () => {
    const [a, b] = [await bench.server(() => {}), await bench.server(() => {})] as const;
    const list = [
      { name: 'a', port: a.port },
      { name: 'b', port: b.port },
    ];
    const { cluster, at } = await started({ servers: list, attemptsMax: 2, ejection: { baseMs: 60_000 }, panic: 0 });
    await Promise.all([a.stop(), b.stop()]);
    await Promise.all(Array.from({ length: 16 }, () => ask(at)));
    const all = await snapshots(cluster);
    for (const { lists } of all) {
      expect(lists.filter(({ state }) => /serving\.(up|suspect)/.test(state)).length).toBeGreaterThanOrEqual(1);
    }
  });
});
