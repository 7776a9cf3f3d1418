/** A set of servers that changes while it is in use: on real sockets. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createProxy, type Outcome, type Server, Servers } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { Random } from '../runtime/random.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers, PROXY_WAITS } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

type At = { host: string; port: number };

/** Connects, says something, and waits for the same to come back. */
async function isServed(at: At): Promise<boolean> {
  const client = bench.own(connect(at));
  const reader = new Reader(client);
  client.end('hello');
  return (await reader.ends()) === 'end' && reader.text === 'hello';
}

/** A client whose connection to its server is established. */
async function joined(at: At): Promise<{ client: Socket; reader: Reader }> {
  const client = bench.own(connect(at));
  const reader = new Reader(client);
  client.write('hello');
  await until('the answer', () => reader.text === 'hello');
  return { client, reader };
}

test('no connection fails over an add, a drain and a removal of each server in turn', { timeout: 60_000 }, async () => {
  const places = await Promise.all([1, 2, 3, 4].map(async () => (await bench.echo()).at as At));
  const set = new Servers(places.slice(0, 3));
  const { at } = await makeProxy({ servers: set, backoff: undefined });
  let failed = 0;
  let done = 0;
  let isOver = false;
  const clients = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      if (!(await isServed(at))) failed++;
      done++;
    }
  });
  const some = async (): Promise<void> => {
    const from = done;
    await until('some connections', () => done >= from + 100, 30_000);
  };
  for (let turn = 0; turn < 4; turn++) {
    await some();
    const [old] = set.list as [Server];
    const spare = places.find((place) => set.list.every(({ port }) => port !== place.port)) as At;
    set.add(spare);
    await some();
    old.drain();
    await some();
    const { connections } = old;
    expect(connections, 'nothing new goes to a server that drains').toBe(0);
    expect(await set.remove(old)).toMatchObject({ ending: 'closed', flushed: true });
    expect(set.list).not.toContain(old);
  }
  isOver = true;
  await Promise.all(clients);
  expect(failed).toBe(0);
  expect(done).toBeGreaterThan(1_000);
  await set.close();
  expect(set.list).toEqual([]);
});

test('a removed server keeps its sessions until the deadline; then they are cut, spread over a time', async () => {
  const clock = new ManualClock();
  const set = new Servers([(await bench.echo()).at, (await bench.echo()).at], { clock, balance: 'inOrder' });
  const proxy = bench.keep(createProxy({ ...PROXY_WAITS, listen: LOOPBACK, servers: set, clock }));
  await proxy.start();
  const at = proxy.addresses[0] as At;
  const clients = await Promise.all([1, 2, 3, 4].map(() => joined(at)));
  const outcomes: Outcome[] = [];
  proxy.on('sessionClosed', ({ outcome }) => outcomes.push(outcome));
  const [old, other] = set.list as [Server, Server];
  expect(old.connections).toBe(4);
  const removed = old.remove({ timeoutMs: 5_000, spreadMs: 4_000 });
  expect((await joined(at)).reader.text).toBe('hello');
  expect([old.connections, other.connections]).toEqual([4, 1]);
  clock.advance(4_999);
  for (const { client, reader } of clients) {
    client.write(' again');
    await until('the answer', () => reader.text === 'hello again');
  }
  for (let left = 3; left >= 0; left--) {
    clock.advance(left === 3 ? 1 : 1_000);
    await until('one to be cut', () => old.connections === left);
  }
  expect(await removed).toMatchObject({ ending: 'aborted', flushed: false, cause: { code: 'removeTimeout' } });
  expect(outcomes).toHaveLength(4);
  for (const { ending, cause } of outcomes) {
    expect({ ending, cause }).toEqual({
      ending: 'aborted',
      cause: { initiator: 'library', manner: 'abort', phase: 'established', code: 'serverRemoved' },
    });
  }
  expect(await Promise.all(clients.map(({ reader }) => reader.ends()))).toEqual(['reset', 'reset', 'reset', 'reset']);
  expect(set.list).toEqual([other]);
  await proxy.abort();
  await set.close({ timeoutMs: 1 });
});

test('a persistent backend goes on to another server, as after a drop', async () => {
  const set = new Servers([(await bench.echo()).at, (await bench.echo()).at], { balance: 'inOrder' });
  const { backend, seen } = makeBackend({ servers: set });
  const { server } = await backend.connect();
  const [old, other] = set.list as [Server, Server];
  expect(server).toBe(old);
  expect(await set.remove(old, { timeoutMs: 1 })).toMatchObject({ ending: 'aborted' });
  expect((await backend.ready()).server).toBe(other);
  expect(seen.join()).toMatch(/dropped.*abort.*serverRemoved/);
  await backend.close();
});

test('the end of a proxy is no change of its servers', async () => {
  const server = await bench.echo();
  const { proxy } = await makeProxy({ servers: [server.at] });
  const told: string[] = [];
  proxy.servers.on('changed', ({ to }) => told.push(to));
  proxy.servers.list[0]?.drain();
  await proxy.close();
  expect(told).toEqual(['draining']);
  expect(proxy.servers.list[0]?.state).toBe('aborted');
});

test('onDown cut: maintenance ends the sessions of a server, and a drain does not', async () => {
  const set = new Servers([(await bench.echo()).at], { onDown: 'cut' });
  const { at } = await makeProxy({ servers: set, backoff: undefined });
  const { reader } = await joined(at);
  const [server] = set.list as [Server];
  server.drain();
  expect(server.connections).toBe(1);
  server.maintain();
  expect(await reader.ends()).toBe('reset');
  await until('no connection', () => server.connections === 0);
});

test('replace: what is the same keeps its state and its sessions', async () => {
  const [one, two, three] = await Promise.all([1, 2, 3].map(async () => (await bench.echo()).at as At));
  const set = new Servers([{ ...one, weight: 1 }, { ...two }], { balance: 'inOrder' });
  const { at } = await makeProxy({ servers: set, backoff: undefined });
  const { client, reader } = await joined(at);
  const [first, second] = set.list as [Server, Server];
  set.replace([
    { ...one, weight: 5, connectionsMax: 7 },
    { ...(three as At), name: 'new' },
  ]);
  expect(set.list.find((server) => server === first)).toMatchObject({ weight: 5, connectionsMax: 7, connections: 1 });
  await second.closed;
  expect(set.list.map(({ name }) => name)).toEqual([first.name, 'new']);
  client.write('!');
  await until('the answer', () => reader.text === 'hello!');
  // A mistake in one changes nothing.
  expect(() => set.replace([{ port: 1 }, { port: -1 }])).toThrow(/servers\[1\]\.port/);
  expect(set.list).toHaveLength(2);
  set.replace([], { timeoutMs: 1 });
  await first.closed;
  expect(set.list).toEqual([]);
  expect(await isServed(at)).toBe(false);
});

test('one of three that never answers costs few of the clients that come one after the other', async () => {
  const clock = new ManualClock();
  const set = new Servers([{ port: 1 }, { port: 2 }, { port: 3 }], { clock, random: () => 0 });
  let timeouts = 0;
  const requester = () => ({
    only: undefined,
    client: undefined,
    key: undefined,
    random: () => 0,
    memory: undefined,
    trial: undefined,
    queued: undefined,
    chosenAt: 0,
    serverFreed: () => {},
  });
  const cause = { initiator: 'library', manner: 'timeout', phase: 'connecting', code: 'connectTimeout' } as const;
  const end = clock.now() + 600_000;
  let clients = 0;
  while (clock.now() < end) {
    clients++;
    const connection = requester();
    for (;;) {
      const choice = set.choose(connection);
      if (choice.kind === 'deferred') clock.advance(choice.delayMs);
      if (choice.kind !== 'chosen') continue;
      if (choice.server.port === 1) {
        timeouts++;
        clock.advance(5_000);
        set.leave(choice.server);
        set.failed(connection, choice.server, cause);
        continue;
      }
      clock.advance(100);
      set.succeeded(choice.server, connection);
      set.leave(choice.server);
      break;
    }
  }
  expect(clients).toBeGreaterThan(4_000);
  expect(timeouts).toBeLessThanOrEqual(5);
  await set.close();
  expect(clock.pending).toBe(0);
});

test('300 random commands under load leave nothing', { timeout: 60_000 }, async () => {
  const places = await Promise.all([1, 2, 3, 4].map(async () => (await bench.echo()).at as At));
  const set = new Servers(places, { whenNoneUp: 'wait', ejection: { baseMs: 20 } });
  const { proxy, at } = await makeProxy({ servers: set, backoff: undefined });
  let isOver = false;
  let served = 0;
  const clients = Array.from({ length: 6 }, async () => {
    while (!isOver) if (await isServed(at)) served++;
  });
  const random = new Random(7);
  const all = new Set<Server>(set.list);
  for (let count = 0; count < 300; count++) {
    const server = random.pick([...set.list]);
    const command = random.below(8);
    if (command === 0 || server === undefined) all.add(set.add(random.pick(places)));
    else if (command === 1) server.drain();
    else if (command === 2) server.maintain();
    else if (command === 3 && set.list.length > 2) void server.remove({ timeoutMs: random.below(20) + 1 });
    else if (command === 4 && set.list.length > 2) void server.abort();
    else if (command === 5) server.weight = random.below(5) + 1;
    else if (command === 6) server.up();
    else set.restore();
    await new Promise(setImmediate);
  }
  for (const server of set.list) server.up();
  if (set.list.every((server) => server.hasTag('ending'))) all.add(set.add(places[0] as At));
  const before = served;
  await until('clients are served again', () => served > before + 20, 20_000);
  isOver = true;
  await Promise.all(clients);
  await proxy.close();
  await set.close();
  expect(set.list).toEqual([]);
  for (const server of all) {
    expect(server).toMatchObject({ connections: 0, waiting: 0 });
    expect(server.outcome?.ending).toMatch(/closed|aborted/);
    expect(server.timers()).toEqual([]);
    expect(server.occupants.size).toBe(0);
  }
});

test('checks and traffic together: down, cut, up by a slow start, in maintenance', async () => {
  const echoes = (): NetServer => createServer((socket) => socket.on('error', () => {}).pipe(socket));
  const peer = echoes().listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const at = { host: '127.0.0.1', port: (peer.address() as AddressInfo).port };
  const checks = { interval: 20, rise: 2, fall: 2, timeout: 500, init: 'up' } as const;
  const set = new Servers([at], { checks, onDown: 'cut', slowStart: 100, panic: 0 });
  const changes: string[] = [];
  set.on('changed', ({ from, to, cause }) => changes.push(`${from} → ${to}: ${cause.manner} ${cause.phase}`));
  const [server] = set.list as [Server];
  expect(server.state).toBe('serving.suspect');
  await until('full credit', () => server.state === 'serving.up');
  const { at: front } = await makeProxy({ servers: set, backoff: undefined });
  const { reader } = await joined(front);
  // It listens no more; its connections go on.
  peer.close();
  await until('down', () => server.state === 'serving.down');
  expect(await reader.ends()).toBe('reset');
  expect(await isServed(front)).toBe(false);
  const again = echoes().listen(at.port, at.host);
  await until('up again', () => server.state === 'serving.up');
  expect(changes).toEqual([
    'suspect → up: answer checking',
    'up → suspect: refusal checking',
    'suspect → down: refusal checking',
    'down → recovering: answer checking',
    'recovering → up: timeout serving',
  ]);
  expect(await isServed(front)).toBe(true);
  server.maintain();
  expect(await isServed(front)).toBe(false);
  server.up();
  expect(server.state).toBe('serving.suspect');
  await until('it is checked at once', () => server.state === 'serving.up');
  await set.close({ timeoutMs: 1_000 });
  again.close();
  await once(again, 'close');
});
