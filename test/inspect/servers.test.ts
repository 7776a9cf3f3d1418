/** The servers as a page is told of them, and what it may ask of them. */
import { channel } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from 'vitest';
import { type KnownServers, latelyOf, merged, statesOf, worstFirst } from '../../inspector/src/servers-news.js';
import { type Server, TRANSITION_CHANNEL } from '../../src/index.js';
import {
  createInspectorServer,
  type InspectorOptions,
  type InspectorServer,
  type LiveServer,
  type PageAction,
  type Registry,
} from '../../src/inspect/index.js';
import type { Overview, ServerDetail, ServerRow, ServersNews } from '../../src/inspect/protocol.js';
import { ServerTable } from '../../src/inspect/servers.js';
import { Random } from '../runtime/random.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { until, within } from '../support/wait.js';
import { Browser, serversNews } from './browser.js';

const bench = useBench();
const { makeProxy } = makers(bench);

let inspectors: InspectorServer[] = [];
afterEach(async () => {
  await Promise.all(inspectors.map((inspector) => inspector.close()));
  inspectors = [];
  expect(channel(TRANSITION_CHANNEL).hasSubscribers).toBe(false);
});

async function visit(options: InspectorOptions): Promise<Browser> {
  const inspector = await createInspectorServer(options);
  inspectors.push(inspector);
  const browser = new Browser(inspector.port);
  await browser.open(inspector.newUrl());
  return browser;
}

const pathOf = (id: string): string => `/api/servers/${encodeURIComponent(id)}`;
const rowsOf = ({ rows }: KnownServers): ServerRow[] => [...rows.values()];

/** What a page knows that reads the stream, once that is as it should be. */
async function knows(
  told: AsyncGenerator<ServersNews>,
  before: KnownServers | undefined,
  holds: (known: KnownServers) => boolean,
): Promise<KnownServers> {
  let known = before;
  for (;;) {
    if (known !== undefined && holds(known)) return known;
    const { value, done } = await within(10_000, 'news of the servers', told.next());
    if (done) throw new Error('The stream has ended.');
    known = merged(known, value);
  }
}

describe('the stream', () => {
  test('begins with the whole; then it tells what has changed, down to the fields', async () => {
    const [good, bad] = [await bench.echo(), await bench.echo()];
    const { proxy, at } = await makeProxy({
      servers: [good.at, { ...bad.at, weight: 3, connectionsMax: 9 }],
      balance: 'inOrder',
      checks: { interval: 25, spread: 0, fall: 2, rise: 1 },
    });
    const stream = await (await visit({ proxies: [proxy] })).stream();
    const news: ServersNews[] = [];
    const told = (async function* () {
      for await (const one of serversNews(stream)) {
        news.push(one);
        yield one;
      }
    })();
    let known = await knows(told, undefined, (all) => rowsOf(all).every(({ checks }) => checks?.length === 20));
    expect(news[0]).toMatchObject({ isWhole: true, sets: [{ waiting: 0 }], gone: [] });
    expect(news.slice(1).every(({ isWhole }) => !isWhole)).toBe(true);
    expect(rowsOf(known)).toMatchObject([
      {
        id: proxy.servers.list[0]?.id,
        name: `127.0.0.1:${good.port}`,
        state: 'up',
        why: 'a check passed',
        share: 0.25,
      },
      { weight: 3, connectionsMax: 9, connections: 0, share: 0.75, chosen: 0, failed: 0 },
    ]);
    // A check tells of itself, and of the next one, and of nothing else.
    const fields = news.slice(1).flatMap(({ servers }) => servers.flatMap((changes) => Object.keys(changes)));
    expect(new Set(fields)).not.toContain('name');

    const reader = new Reader(await bench.dial(at));
    reader.socket.write('hello');
    await reader.has(5);
    await bad.stop();
    known = await knows(told, known, (all) => rowsOf(all)[1]?.state === 'down');
    const [first, second] = rowsOf(known) as [ServerRow, ServerRow];
    expect(first).toMatchObject({ connections: 1, chosen: 1, share: 1 });
    expect(second).toMatchObject({
      share: 0,
      why: 'the server refused the connection during a check (ECONNREFUSED)',
      failure: 'the server refused the connection during a check (ECONNREFUSED)',
    });
    expect(second.failedAt).toBe(second.checks?.at(-1)?.[0]);
    expect(second.checks?.at(-1)).toEqual([
      expect.any(Number),
      'failed',
      expect.any(Number),
      'the server refused the connection during a check (ECONNREFUSED)',
    ]);

    const added = proxy.servers.add({ name: 'new', port: good.port });
    known = await knows(told, known, ({ rows }) => rows.has(added.id));
    expect(rowsOf(known).map(({ name }) => name)).toEqual([first.name, second.name, 'new']);
    await added.remove();
    await knows(told, known, ({ rows }) => !rows.has(added.id));
    stream.destroy();
  });

  test('a page that comes later, or that has read nothing for a while, knows the same as one that has read all', async () => {
    const echo = await bench.echo();
    const { proxy } = await makeProxy({ servers: [echo.at, echo.at, echo.at] });
    const browser = await visit({ proxies: [proxy] });
    const streams = [await browser.stream(), await browser.stream()];
    const [reads, sleeps] = streams.map((stream) => serversNews(stream)) as [
      AsyncGenerator<ServersNews>,
      AsyncGenerator<ServersNews>,
    ];
    const [a, b] = proxy.servers.list as [Server, Server];
    a.drain();
    let known = await knows(reads, undefined, (all) => rowsOf(all)[0]?.state === 'draining');
    // What it is sent fills all buffers on the way: from then on it is left out.
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 200; count++) proxy.servers.add({ port: 1, name: 'x'.repeat(20_000) });
      known = await knows(reads, known, ({ rows }) => rows.size === 203);
      for (const server of proxy.servers.list.slice(3)) void server.remove();
      known = await knows(reads, known, ({ rows }) => rows.size === 3);
    }
    b.weight = 7;
    known = await knows(reads, known, (all) => rowsOf(all)[1]?.weight === 7);
    let wholes = 0;
    const wakes = (async function* () {
      for await (const news of sleeps) {
        if (news.isWhole) wholes++;
        yield news;
      }
    })();
    const slow = await knows(wakes, undefined, (all) => rowsOf(all)[1]?.weight === 7);
    expect(wholes, 'it was never left out').toBe(2);
    expect(rowsOf(slow)).toEqual(rowsOf(known));
    const late = await browser.stream();
    const { rows } = await knows(serversNews(late), undefined, () => true);
    expect([...rows.values()]).toEqual(rowsOf(known));
    for (const stream of [...streams, late]) stream.destroy();
  });

  test('nothing is told where nothing has changed', async () => {
    const echo = await bench.echo();
    const { proxy } = await makeProxy({ servers: [echo.at] });
    const table = new ServerTable([proxy]);
    expect(table.news()).toMatchObject({ servers: [{ name: `127.0.0.1:${echo.port}` }] });
    expect(table.news()).toBeUndefined();
    (proxy.servers.list[0] as Server).weight = 5;
    expect(table.news()?.servers).toEqual([{ id: proxy.servers.list[0]?.id, weight: 5 }]);
    table.clear();
    expect(table.whole()).toMatchObject({ servers: [], sets: [] });
  });
});

describe('what the page makes of the news', () => {
  const SEED = Number(process.env.SOCKCHART_SEED ?? 20_261);

  test(`random changes of a set: the page knows what a look at all of them finds (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    const { proxy } = await makeProxy({ servers: [{ port: 1 }, { port: 2 }] });
    const table = new ServerTable([proxy]);
    let known: KnownServers | undefined;
    let told = 0;
    for (let step = 0; step < 400; step++) {
      const list = proxy.servers.list;
      const one = list[random.below(list.length)] as Server;
      const act = random.below(9);
      if (act === 0 || list.length < 2) proxy.servers.add({ port: 1 + random.below(60_000), weight: random.below(9) });
      else if (act === 1) void one.remove();
      else if (act === 2) one.drain();
      else if (act === 3) one.up();
      else if (act === 4) one.maintain();
      else if (act === 5) one.weight = random.below(257);
      else if (act === 6) one.reports.checkPassed(random.below(100));
      else if (act === 7) one.reports.checkFailed({ initiator: 'peer', manner: 'refusal', phase: 'checking' }, 1);
      else
        one.reports.failed({ initiator: 'peer', manner: 'reset', phase: 'connecting' }, random.below(2) > 0, undefined);
      if (random.below(3) > 0) continue;
      const news = table.news();
      if (news !== undefined) {
        told++;
        // As it goes over the wire.
        known = merged(known, JSON.parse(JSON.stringify(news)) as ServersNews);
      }
      const other = new ServerTable([proxy]);
      other.news();
      const whole = merged(undefined, JSON.parse(JSON.stringify(other.whole())) as ServersNews);
      const timeless = (rows: Iterable<ServerRow>) => [...rows].map((row) => ({ ...row, endsAt: undefined }));
      expect(timeless(known?.rows.values() ?? []), `step ${step}`).toEqual(timeless(whole.rows.values()));
      expect(merged(undefined, JSON.parse(JSON.stringify(table.whole())) as ServersNews).rows).toEqual(known?.rows);
    }
    expect(told).toBeGreaterThan(100);
  });

  const row = (id: string, more: Partial<ServerRow> = {}): ServerRow => ({
    id,
    set: 0,
    name: id,
    state: 'up',
    why: '',
    connections: 0,
    failures: 0,
    chosen: 0,
    ...more,
  });
  const news = (at: number, servers: ServersNews['servers'], isWhole = false): ServersNews => ({
    at,
    isWhole,
    sets: [{}],
    servers,
    gone: [],
  });

  test('the share of the last half minute is that of the connections of its set', () => {
    let known = merged(undefined, news(0, [row('a'), row('b'), row('c', { set: 1, chosen: 1_000 })], true));
    const share = (id: string): number | undefined => latelyOf(known, known.rows.get(id) as ServerRow);
    expect(share('a')).toBeUndefined();
    known = merged(
      known,
      news(1_000, [
        { id: 'a', chosen: 6 },
        { id: 'b', chosen: 3 },
      ]),
    );
    expect(share('a')).toBeUndefined();
    known = merged(
      known,
      news(2_000, [
        { id: 'a', chosen: 30 },
        { id: 'b', chosen: 10 },
      ]),
    );
    expect([share('a'), share('b'), share('c')]).toEqual([0.75, 0.25, undefined]);
    known = merged(known, news(31_500, [{ id: 'b', chosen: 40 }]));
    // What came in the first second was too long ago.
    expect(share('b')).toBeCloseTo(37 / 61, 5);
    known = merged(known, news(70_000, [{ id: 'a', chosen: 50 }]));
    expect([share('a'), share('b')]).toEqual([1, 0]);
    // The stream has begun anew.
    known = merged(known, news(70_500, [row('a', { chosen: 60 }), row('b', { chosen: 40 })], true));
    expect([share('a'), share('b')]).toEqual([1, 0]);
  });

  test('those that need a look come first', () => {
    const states = ['up', 'draining', 'untried', 'ejected', 'down', 'recovering', 'maintenance', 'up'];
    const rows = states.map((state, index) => row(String(index), { state }));
    expect(worstFirst(rows).map(({ state }) => state)).toEqual([
      'down',
      'ejected',
      'maintenance',
      'draining',
      'up',
      'untried',
      'recovering',
      'up',
    ]);
    expect(statesOf(rows).map(([state, count]) => `${count} ${state}`)).toEqual([
      '1 down',
      '1 ejected',
      '1 maintenance',
      '1 draining',
      '2 up',
      '1 untried',
      '1 recovering',
    ]);
  });
});

describe('one server', () => {
  test('its state, why, since when, its checks and changes, and how it is drawn', async () => {
    const echo = await bench.echo();
    const { proxy } = await makeProxy({
      servers: [echo.at, echo.at],
      checks: { interval: 20, spread: 0, fall: 2, rise: 2 },
    });
    const browser = await visit({ proxies: [proxy] });
    const [server] = proxy.servers.list as [Server];
    await until('a check', () => server.info().checks?.length === 20);
    const detail = await browser.json<ServerDetail>(pathOf(server.id));
    expect(detail).toMatchObject({
      server: { id: server.id, state: 'up', share: 0.5, ejections: 0 },
      set: { waiting: 0 },
      instances: [
        { id: server.id, machine: 'server', state: 'serving.up', description: expect.stringContaining('It works') },
        { machine: 'check', timers: expect.any(Array) },
      ],
      changes: [
        { from: '', to: 'suspect', why: 'it was added' },
        { from: 'suspect', to: 'up', why: 'a check passed' },
      ],
      actions: [],
    });
    expect(detail.server.checks).toHaveLength(20);
    expect(detail.instances[0]?.accepts.map(({ event }) => event)).toContain('server.drain');
    const since = detail.server.since as number;
    expect(Math.abs(Date.now() - since)).toBeLessThan(60_000);
    const [own] = detail.instances;
    expect(Math.abs((own?.inStateMs ?? 0) - (Date.now() - since))).toBeLessThan(2_000);

    await echo.stop();
    await until('it to be down', () => server.state === 'serving.down');
    const down = await browser.json<ServerDetail>(pathOf(server.id));
    expect(down.changes.at(-1)).toMatchObject({
      from: 'suspect',
      to: 'down',
      why: expect.stringContaining('ECONNREFUSED'),
    });
    expect(down.server.failure).toBe(down.server.why);
  });

  test('servers and checks that were there before the page are counted in their statecharts', async () => {
    const echo = await bench.echo();
    const { proxy } = await makeProxy({ servers: [echo.at, echo.at], checks: { interval: 60_000 } });
    const browser = await visit({ proxies: [proxy, proxy] });
    const { machines } = await browser.json<Overview>('/api/overview');
    const states = (name: string) => machines.find(({ machine }) => machine === name)?.states;
    for (const name of ['server', 'check']) {
      expect(Object.values(states(name) ?? {}).reduce((sum, count) => sum + count, 0)).toBe(2);
    }
    // Two proxies with one set have its servers once.
    expect((await browser.json<ServersNews>('/api/servers')).servers).toHaveLength(2);
  });

  test('a server that has gone, and one that never was, are not found', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }, { port: 2 }] });
    const browser = await visit({ proxies: [proxy] });
    const [server] = proxy.servers.list as [Server];
    expect((await browser.get(pathOf(server.id))).status).toBe(200);
    await server.remove();
    for (const id of [server.id, 'server#0', proxy.id, '%', 'constructor']) {
      expect((await browser.get(pathOf(id))).status, id).toBe(404);
    }
  });

  test('an object in place of a server shows what it tells, and nothing can be asked of it', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }] });
    const cause = { initiator: 'owner', manner: 'command', phase: 'idle', code: 'add' } as const;
    const plain: LiveServer = {
      name: 'a',
      connections: 3,
      failures: 2,
      hasAnswered: true,
      state: 'serving.down',
      cause,
    };
    const registry: Registry = {
      id: 'registry#1',
      state: 'running',
      timers: () => [],
      accepts: () => [],
      listeners: [],
      sessions: [],
      backends: [],
      servers: { list: [plain], clock: proxy.clock },
    };
    const browser = await visit({ proxies: [registry], actions: true });
    const { servers } = await browser.json<ServersNews>('/api/servers');
    expect(servers).toEqual([
      { id: expect.any(String), set: 0, name: 'a', state: 'down', why: 'it was added', connections: 3, failures: 2 },
    ]);
    const id = servers[0]?.id as string;
    expect((await browser.get(pathOf(id))).status).toBe(404);
    expect((await browser.post('/api/actions', { action: 'drain', id })).status).toBe(404);
  });
});

describe('actions', () => {
  test('drain, maintain, take back and weigh; each is told with its cause, and to the log', async () => {
    const echo = await bench.echo();
    const { proxy } = await makeProxy({ servers: [{ ...echo.at, name: 'one' }, echo.at] });
    const done: PageAction[] = [];
    const browser = await visit({ proxies: [proxy], actions: true, onAction: (action) => done.push(action) });
    const [server] = proxy.servers.list as [Server];
    const { id } = server;
    const causes: unknown[] = [];
    proxy.servers.on('changed', ({ to, cause }) => causes.push([to, cause.initiator, cause.manner, cause.code]));
    const act = async (action: string, more: object = {}) =>
      (await browser.post('/api/actions', { action, id, ...more })).status;
    const possible = async () =>
      (await browser.json<ServerDetail>(pathOf(id))).actions.map(({ action, problem }) =>
        problem === undefined ? action : `${action}: ${problem}`,
      );
    expect(await possible()).toEqual([
      'drain',
      'maintain',
      'up: It serves already; `restore` ends an ejection or an exclusion.',
      'restore: Nothing keeps traffic from it that could be mended.',
      'weight',
    ]);
    expect(await act('drain')).toBe(204);
    expect(server.state).toBe('draining');
    expect((await browser.json<ServerDetail>(pathOf(id))).server).toMatchObject({
      state: 'draining',
      why: 'an operator asked for it on the page',
    });
    expect(await possible()).toEqual(['drain: It drains already.', 'maintain', 'up', 'restore', 'weight']);
    expect(await act('maintain')).toBe(204);
    expect(await act('up')).toBe(204);
    expect(server.state).toBe('serving.up');
    expect(await act('weight', { weight: 0 })).toBe(204);
    expect(server.weight).toBe(0);
    expect(await act('weight', { weight: 256 })).toBe(204);
    expect(causes).toEqual([
      ['draining', 'owner', 'command', 'page'],
      ['maintenance', 'owner', 'command', 'page'],
      ['up', 'owner', 'command', 'page'],
    ]);
    const told = { id, server: 'one', from: expect.stringContaining('127.0.0.1') };
    expect(done).toEqual([
      { ...told, action: 'drain' },
      { ...told, action: 'maintain' },
      { ...told, action: 'up' },
      { ...told, action: 'weight', weight: 0 },
      { ...told, action: 'weight', weight: 256 },
    ]);
  });

  test('an ejected server is restored', async () => {
    const echo = await bench.echo();
    const dead = await bench.refusing();
    const { proxy, at } = await makeProxy({ servers: [{ port: dead }, echo.at], balance: 'inOrder' });
    const browser = await visit({ proxies: [proxy], actions: true });
    const [server] = proxy.servers.list as [Server];
    const reader = new Reader(await bench.dial(at));
    reader.socket.write('hello');
    await reader.has(5);
    const { id } = server;
    const detail = await browser.json<ServerDetail>(pathOf(id));
    expect(detail.server).toMatchObject({ state: 'ejected', ejections: 1, failed: 1, chosen: 1 });
    expect(detail.server.why).toBe('the server refused the connection while it was connecting (ECONNREFUSED)');
    expect((detail.server.endsAt as number) - (detail.server.since as number)).toBeGreaterThan(5_000);
    expect((await browser.post('/api/actions', { action: 'restore', id })).status).toBe(204);
    expect([server.state, server.cause.code]).toEqual(['serving.up', 'page']);
  });

  test('what makes no sense in its state, and a weight that cannot be, change nothing, and say why', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }, { port: 2 }] });
    const done: PageAction[] = [];
    const browser = await visit({ proxies: [proxy], actions: true, onAction: (action) => done.push(action) });
    const [server] = proxy.servers.list as [Server];
    const { id, name } = server;
    const act = async (body: object) => {
      const { status, text } = await browser.post('/api/actions', { id, ...body });
      return [status, (JSON.parse(text) as { error: string }).error];
    };
    const up = 'It serves already; `restore` ends an ejection or an exclusion.';
    expect(await act({ action: 'up' })).toEqual([409, `${name}: ${up}`]);
    const range = expect.stringContaining('a whole number from 0 to 256');
    for (const weight of [-1, 257, 1.5, 1e300, '7', null, undefined, [1], {}]) {
      expect(await act({ action: 'weight', weight }), String(weight)).toEqual([400, range]);
    }
    for (const action of ['close', 'abort', 'suspend', 'resume', 'retry']) {
      expect(await act({ action }), action).toEqual([409, `${name} cannot ${action}.`]);
    }
    expect(await act({ action: 'remove' })).toEqual([400, expect.stringContaining('An action is')]);
    expect(await act({ action: 'maintain', id: proxy.id })).toEqual([409, expect.stringContaining('cannot maintain')]);
    expect([server.state, server.weight, done]).toEqual(['serving.up', 1, []]);
  });

  test('are refused where they were not allowed, from another origin, without a cookie, and to another set', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }, { port: 2 }] });
    const { proxy: other } = await makeProxy({ servers: [{ port: 3 }] });
    const [server] = proxy.servers.list as [Server];
    const body = { action: 'drain', id: server.id };
    const reader = await visit({ proxies: [proxy] });
    expect((await reader.post('/api/actions', body)).status).toBe(403);
    expect((await reader.json<ServerDetail>(pathOf(server.id))).actions).toEqual([]);
    const browser = await visit({ proxies: [proxy], actions: true });
    expect((await browser.post('/api/actions', body, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await browser.post('/api/actions', body, { host: 'evil.example' })).status).toBe(403);
    expect((await browser.post('/api/actions', body, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await browser.post('/api/actions', body, { 'x-sockchart': '' })).status).toBe(415);
    expect((await browser.postFromNowhere('/api/actions', body)).status).toBe(403);
    expect((await new Browser(inspectors[1]?.port as number).post('/api/actions', body)).status).toBe(403);
    expect((await browser.post('/api/actions', { ...body, id: other.servers.list[0]?.id })).status).toBe(404);
    expect([server.state, other.servers.list[0]?.state]).toEqual(['serving.up', 'serving.up']);
    expect((await browser.post('/api/actions', body)).status).toBe(204);
    expect(server.state).toBe('draining');
  });

  test('a function of the user’s that throws is an uncaught exception, and the page gets its answer', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }, { port: 2 }] });
    const [server] = proxy.servers.list as [Server];
    const onAction = (): never => {
      throw new Error('The log is full.');
    };
    const browser = await visit({ proxies: [proxy], actions: true, onAction });
    const uncaught: Error[] = [];
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => uncaught.push(error));
    try {
      expect((await browser.post('/api/actions', { action: 'drain', id: server.id })).status).toBe(204);
      await until('the exception', () => uncaught.length === 1);
    } finally {
      for (const listener of before) process.on('uncaughtException', listener);
    }
    expect(uncaught).toMatchObject([{ message: 'The log is full.' }]);
  });
});
