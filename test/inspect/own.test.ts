/** Machines of users on the live page: what its server says about them, and what it does not. */
import { channel } from 'node:diagnostics_channel';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { createMachine, setup } from 'xstate';
import { attach, OptionError, TRANSITION_CHANNEL } from '../../src/index.js';
import {
  createInspectorServer,
  type InspectorOptions,
  type InspectorServer,
  type Redact,
} from '../../src/inspect/index.js';
import { Observer } from '../../src/inspect/observer.js';
import { OwnMachines } from '../../src/inspect/own-machines.js';
import type {
  About,
  ConnectionDetail,
  ConnectionsPage,
  MachineInfo,
  Overview,
  Told,
} from '../../src/inspect/protocol.js';
import { backendMachine } from '../../src/machines/index.js';
import { compile } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { turns, until } from '../support/wait.js';
import { Browser } from './browser.js';
import { link, linkMachine } from './own-machine.js';

const bench = useBench();
const { makeProxy } = makers(bench);
const transitions = channel(TRANSITION_CHANNEL);

const open: InspectorServer[] = [];
const running: { stop(): void }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) one.stop();
  await Promise.all(open.splice(0).map((inspector) => inspector.close()));
  expect(transitions.hasSubscribers).toBe(false);
});

/** A page that no browser has opened yet. */
async function prepare(options: InspectorOptions): Promise<InspectorServer> {
  const inspector = await createInspectorServer(options);
  open.push(inspector);
  return inspector;
}

async function serve(options: InspectorOptions): Promise<Browser> {
  return visit(await prepare(options));
}

async function visit(inspector: InspectorServer): Promise<Browser> {
  const browser = new Browser(inspector.port);
  await browser.open(inspector.url);
  return browser;
}

const start = (...given: Parameters<typeof link>): ReturnType<typeof link> => {
  const instance = link(...given);
  running.push(instance);
  return instance;
};

const detailOf = (browser: Browser, id: string): Promise<ConnectionDetail> =>
  browser.json(`/api/connections/${encodeURIComponent(id)}`);
const contextIn = ({ instances: [instance] }: ConnectionDetail): Told | undefined => instance?.context;
async function infoOf(browser: Browser): Promise<MachineInfo> {
  const { machines } = await browser.json<Overview>('/api/overview');
  return machines.find(({ machine }) => machine === 'link') as MachineInfo;
}
const occupied = ({ states }: MachineInfo): object =>
  Object.fromEntries(Object.entries(states).filter(([, count]) => count > 0));

describe.each(['compiled', 'interpreted'] as const)('an instance, %s', (how) => {
  test('is counted, listed and told of, like those of the library', async () => {
    const browser = await serve({ machines: [linkMachine] });
    await browser.json('/api/overview');
    const instance = start(
      how,
      {},
      {
        socket: connect({ port: 9, host: '127.0.0.1' })
          .on('error', () => {})
          .destroy(),
      },
    );
    instance.send({ type: 'link.open' });
    const other = start(how);

    const info = await infoOf(browser);
    expect(occupied(info)).toEqual({ 'up.dialling': 1, idle: 1 });
    expect(info.live).toBe(2);
    expect(info.edges.map(({ from, event, to, total }) => [from, event, to, total])).toEqual([
      ['', 'xstate.init', 'idle', 2],
      ['idle', 'link.open', 'up.dialling', 1],
    ]);

    const page = await browser.json<ConnectionsPage>('/api/connections?machine=link&sort=id');
    expect(page.rows.map(({ id, state, lastCause }) => [id, state, lastCause])).toEqual([
      [instance.id, 'up.dialling', 'link.open'],
      [other.id, 'idle', 'xstate.init'],
    ]);
    const filtered = await browser.json<ConnectionsPage>('/api/connections?machine=link&state=link:up');
    expect(filtered.rows.map(({ id }) => id)).toEqual([instance.id]);
    // They are no connections of clients.
    expect((await browser.json<ConnectionsPage>('/api/connections')).total).toBe(0);

    const detail = await detailOf(browser, instance.id);
    expect(detail.instances).toMatchObject([
      {
        id: instance.id,
        machine: 'link',
        state: 'up.dialling',
        description: 'The device has yet to answer.',
        why: 'on link.open: link is up, dialling',
        timers: [{ name: 'answerTimeout', leadsTo: 'failed' }],
        context: { value: { attempts: 1, password: 'hunter2', socket: '[Socket]' } },
      },
    ]);
    expect(detail.instances[0]?.accepts.map(({ event, leadsTo }) => [event, leadsTo])).toEqual(
      expect.arrayContaining([
        ['link.opened', 'up.open'],
        ['link.close', 'closed'],
      ]),
    );
    expect(detail.steps.map(({ event, to, commands }) => [event, to, commands])).toEqual([
      ['xstate.init', 'idle', []],
      ['link.open', 'up.dialling', ['link.dial']],
    ]);

    instance.send({ type: 'link.close' });
    expect(occupied(await infoOf(browser))).toEqual({ closed: 1, idle: 1 });
    const ended = await detailOf(browser, instance.id);
    expect(ended).toMatchObject({
      endedAt: expect.any(Number),
      instances: [{ state: 'closed', accepts: [], timers: [] }],
    });
    expect(contextIn(ended)).toEqual({ value: { attempts: 1, password: 'hunter2', socket: '[Socket]' } });
    const last = await browser.json<ConnectionsPage>('/api/connections?machine=link&of=ended');
    expect(last.rows.map(({ id }) => id)).toEqual([instance.id]);
  });

  test('that began before the page was opened is there, as old as it is, and goes on', async () => {
    const inspector = await prepare({ machines: [linkMachine] });
    const instance = start(how, { describe: () => ({ peer: 'device-7' }) });
    instance.send({ type: 'link.open' });
    instance.send({ type: 'link.opened' });
    const startedAt = performance.now();
    await turns(20);
    expect(transitions.hasSubscribers).toBe(false);

    const askedAt = performance.now();
    const browser = await visit(inspector);
    const page = await browser.json<ConnectionsPage>('/api/connections?machine=link');
    expect(page.rows).toMatchObject([{ id: instance.id, state: 'up.open', peer: 'device-7' }]);
    expect(page.rows[0]?.ageMs).toBeGreaterThanOrEqual(Math.floor(askedAt - startedAt));
    expect(occupied(await infoOf(browser))).toEqual({ 'up.open': 1 });
    instance.send({ type: 'link.lost' });
    expect(occupied(await infoOf(browser))).toEqual({ 'up.dialling': 1 });
    expect(contextIn(await detailOf(browser, instance.id))).toMatchObject({ value: { attempts: 2 } });
  });

  test('that is stopped, or fails, is gone, and its page says why', async () => {
    const browser = await serve({ machines: [linkMachine] });
    const [stopped, failed] = [start(how), start(how, { failed() {} })];
    await browser.json('/api/overview');
    stopped.send({ type: 'link.open' });
    stopped.stop();
    failed.send({ type: 'link.break' });
    expect(occupied(await infoOf(browser))).toEqual({});
    expect((await infoOf(browser)).live).toBe(0);
    expect((await detailOf(browser, stopped.id)).instances[0]?.why).toBe('it was stopped');
    const detail = await detailOf(browser, failed.id);
    expect(detail.instances[0]?.why).toBe('it has failed: [Error: a mistake]');
    expect(detail.row.lastCause).toBe('it has failed: [Error: a mistake]');
    expect(contextIn(detail)).toMatchObject({ value: { attempts: 0 } });
  });

  test('is stopped by the page where that is allowed, and by its host where that can', async () => {
    const aborted: string[] = [];
    // They are older than the page, which knows them by their next transition.
    const [alone, held] = [start(how), start(how, { abort: () => void aborted.push(held.id) })];
    const reading = await serve({ machines: [linkMachine] });
    const acting = await serve({ machines: [linkMachine], actions: true });
    for (const one of [alone, held]) one.send({ type: 'link.open' });
    const act = async (browser: Browser, action: string, id: string) => {
      const { status, text } = await browser.post('/api/actions', { action, id });
      return [status, text === '' ? undefined : JSON.parse(text).error];
    };
    expect(await act(reading, 'stop', alone.id)).toEqual([403, expect.stringContaining('not allowed')]);
    for (const action of ['close', 'abort', 'retry']) {
      expect(await act(acting, action, alone.id)).toEqual([409, `${alone.id} cannot ${action}: it can be stopped.`]);
    }
    expect([alone.snapshot().status, alone.state]).toEqual(['active', 'up.dialling']);
    expect(await act(acting, 'stop', alone.id)).toEqual([204, undefined]);
    expect([alone.snapshot().status, alone.timers()]).toEqual(['stopped', []]);
    expect((await detailOf(acting, alone.id)).instances[0]?.why).toBe('it was stopped');
    expect(await act(acting, 'stop', alone.id)).toEqual([404, expect.stringContaining('no longer')]);
    expect(await act(acting, 'stop', held.id)).toEqual([204, undefined]);
    expect([held.snapshot().status, aborted]).toEqual(['active', [held.id]]);
  });

  test('of a machine that is not listed cannot be stopped by the page', async () => {
    const browser = await serve({ actions: true });
    await browser.json('/api/overview');
    const instance = start(how);
    const { status } = await browser.post('/api/actions', { action: 'stop', id: instance.id });
    expect([status, instance.snapshot().status]).toEqual([404, 'active']);
  });

  test('whose guard throws where only the type of an event is asked has a page all the same', async () => {
    const browser = await serve({ machines: [linkMachine] });
    const instance = start(how);
    await browser.json('/api/overview');
    instance.send({ type: 'link.open' });
    instance.send({ type: 'link.opened' });
    const { instances } = await detailOf(browser, instance.id);
    expect(instances[0]?.accepts.map(({ event }) => event)).toContain('link.lost');
    instance.send({ type: 'link.lost' });
    expect(instance.state).toBe('up.dialling');
  });

  test('that nobody watches is not kept alive', async () => {
    await prepare({ machines: [linkMachine] });
    let isCollected = false;
    const registry = new FinalizationRegistry(() => {
      isCollected = true;
    });
    registry.register(link(how), undefined);
    expect(transitions.hasSubscribers).toBe(false);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await until('the collection', () => {
      collect();
      return isCollected;
    });
  });
});

test.each([
  ['when it is aborted', (one: { abort(): void }) => one.abort()],
  [
    'when the page stops it',
    (one: { id: string }, browser: Browser) => browser.post('/api/actions', { action: 'stop', id: one.id }),
  ],
])('an attached one has the address of its socket, and ends %s', async (_, end) => {
  const server = await bench.echo();
  const machine = setup({}).createMachine({
    id: 'line',
    initial: 'off',
    states: { off: { on: { on: 'on' } }, on: { on: { off: 'off' } } },
  });
  const browser = await serve({ machines: [machine], actions: true });
  await browser.json('/api/overview');
  const attached = attach(connect(server.port, '127.0.0.1'), compile(machine), {
    events: { connected: 'on', closed: 'off' },
    commands: {},
  });
  await until('the connection', () => attached.state === 'on');
  const { rows } = await browser.json<ConnectionsPage>('/api/connections?machine=line');
  expect(rows).toMatchObject([{ id: attached.id, peer: `127.0.0.1:${server.port}`, state: 'on' }]);
  const { socket } = attached;
  await end(attached, browser);
  await attached.closed;
  expect([attached.isOver, socket?.destroyed]).toEqual([true, true]);
  expect((await browser.json<ConnectionsPage>('/api/connections?machine=line')).total).toBe(0);
});

test('two that live and have one id are two', async () => {
  const browser = await serve({ machines: [linkMachine] });
  await browser.json('/api/overview');
  const [first, second] = [start('compiled', { id: 'same' }), start('compiled', { id: 'same' })];
  first.send({ type: 'link.open' });
  expect(occupied(await infoOf(browser))).toEqual({ idle: 1, 'up.dialling': 1 });
  second.send({ type: 'link.close' });
  expect(occupied(await infoOf(browser))).toEqual({ closed: 1, 'up.dialling': 1 });
});

test('two pages list one machine: one of them is closed, and the other goes on', async () => {
  const [first, second] = [await prepare({ machines: [linkMachine] }), await prepare({ machines: [linkMachine] })];
  await first.close();
  const instance = start();
  await first.close();
  const browser = await visit(second);
  expect(occupied(await infoOf(browser))).toEqual({ idle: 1 });
  await second.close();
  // Nothing is known of instances while no page lists their machine.
  const browserOfThird = await serve({ machines: [linkMachine] });
  expect((await browserOfThird.json<ConnectionsPage>('/api/connections?machine=link')).total).toBe(0);
  instance.send({ type: 'link.open' });
  expect(occupied(await infoOf(browserOfThird))).toEqual({ 'up.dialling': 1 });
});

test('a machine whose implementations were provided is the machine that is listed', async () => {
  const browser = await serve({ machines: [linkMachine] });
  await browser.json('/api/overview');
  const provided = compile(linkMachine.provide({ guards: { isPatient: () => true } }));
  const instance = provided.run(undefined as never, { id: 'p#1', clock: bench.clock, perform() {}, finish() {} });
  instance.start();
  running.push(instance);
  expect(contextIn(await detailOf(browser, 'p#1'))).toMatchObject({ value: { attempts: 0 } });
});

test('it is shown beside a proxy', async () => {
  const { proxy } = await makeProxy({ servers: [(await bench.echo()).at] });
  const browser = await serve({ proxies: [proxy], machines: [linkMachine] });
  start();
  const { machines } = await browser.json<Overview>('/api/overview');
  expect(machines.map(({ machine, live }) => [machine, live])).toEqual([
    ['proxy', undefined],
    ['listener', undefined],
    ['server', undefined],
    ['link', 1],
  ]);
  const about = await browser.json<About>('/api/about');
  expect(about.own).toEqual(['link']);
  expect(about.machines).toEqual([
    'proxy',
    'listener',
    'session',
    'client',
    'backend',
    'server',
    'check',
    'name',
    'link',
  ]);
});

test('ten thousand of them', async () => {
  const browser = await serve({ machines: [linkMachine] });
  const all = Array.from({ length: 10_000 }, () => start());
  await browser.json('/api/overview');
  expect(occupied(await infoOf(browser))).toEqual({ idle: 10_000 });
  const before = process.cpuUsage();
  for (const instance of all) instance.send({ type: 'link.open' });
  const { user, system } = process.cpuUsage(before);
  // Measured: 0.1 s. Ten times that would be 100 µs for a transition.
  expect((user + system) / 1_000).toBeLessThan(1_000);
  expect(occupied(await infoOf(browser))).toEqual({ 'up.dialling': 10_000 });
  const page = await browser.json<ConnectionsPage>('/api/connections?machine=link&sort=age&limit=100');
  expect([page.total, page.rows.length]).toEqual([10_000, 100]);
  const { text } = await browser.get('/api/overview');
  expect(text.length).toBeLessThan(3_000);
});

test('the instances of an observer that watches no more are let go', () => {
  const own = new OwnMachines([linkMachine], undefined);
  own.open();
  const observer = new Observer({ registries: [], stepsPerConnectionMax: 8, stepsMax: 1_000, endedMax: 2, own });
  observer.watch();
  const instances = Array.from({ length: 5 }, () => start());
  for (const instance of instances.slice(0, 4)) instance.send({ type: 'link.close' });
  expect(observer.listed('alive', 'link')).toHaveLength(1);
  expect(observer.listed('ended', 'link')).toHaveLength(2);
  observer.stop();
  expect(observer.listed('alive', 'link')).toHaveLength(0);
  expect(own.rosters.every(({ onEnd }) => onEnd.size === 0)).toBe(true);
  own.close();
  expect(own.rosters).toEqual([]);
});

describe('what leaves the process', () => {
  const SECRET = 'correct horse battery staple';

  /** Everything that a page can ask for. */
  async function all(browser: Browser, id: string): Promise<string> {
    const paths = [
      '/api/about',
      '/api/overview',
      '/api/connections',
      '/api/connections?machine=link',
      '/api/connections?machine=link&of=ended',
      `/api/connections/${encodeURIComponent(id)}`,
      '/api/export',
      '/diagrams/link.svg',
    ];
    const answers = await Promise.all(paths.map((path) => browser.get(path)));
    return answers.map(({ text }) => text).join('\n');
  }

  const withSecret = () => {
    const instance = start('compiled', { failed() {} }, { password: SECRET });
    instance.send({ type: 'link.open', password: SECRET });
    return instance;
  };

  test('nothing of a context whose machine is not listed, nor of its events', async () => {
    const browser = await serve({});
    await browser.json('/api/overview');
    const instance = withSecret();
    const text = await all(browser, instance.id);
    expect(text).toContain('"up.dialling"');
    expect(text).not.toContain(SECRET);
    instance.send({ type: 'link.close' });
    expect(await all(browser, instance.id)).not.toContain(SECRET);
  });

  test('nothing of another machine that has the id of the listed one', async () => {
    const namesake = createMachine({ id: 'link', context: { password: SECRET }, on: { go: {} } });
    const browser = await serve({ machines: [linkMachine] });
    await browser.json('/api/overview');
    const instance = compile(namesake).run(undefined, { id: 'n#1', clock: bench.clock, perform() {}, finish() {} });
    instance.start();
    running.push(instance);
    const detail = await detailOf(browser, 'n#1');
    expect(contextIn(detail)).toBeUndefined();
    expect(await all(browser, 'n#1')).not.toContain(SECRET);
  });

  test('the context of a listed machine, on its own page alone', async () => {
    const browser = await serve({ machines: [linkMachine] });
    await browser.json('/api/overview');
    const instance = withSecret();
    expect(JSON.stringify(await detailOf(browser, instance.id))).toContain(SECRET);
    for (const path of ['/api/overview', '/api/connections?machine=link', '/api/export']) {
      expect((await browser.get(path)).text).not.toContain(SECRET);
    }
  });

  test.each<[string, Redact, Told]>([
    [
      'what redact returns',
      ({ attempts }, { what, machine }) => ({ attempts, what, machine }),
      { value: { attempts: 1, what: 'context', machine: 'link' } },
    ],
    [
      'what redact leaves of its copy',
      (context) => {
        context.password = '•••';
        return context;
      },
      { value: { attempts: 1, password: '•••' } },
    ],
    ['nothing, where redact returns nothing', () => undefined, { problem: 'redact has returned nothing' }],
    [
      'nothing, where redact throws',
      ({ password }) => {
        throw new Error(`no ${password}`);
      },
      { problem: 'redact has thrown an error' },
    ],
    [
      'nothing, where redact throws later',
      async ({ password }) => {
        throw new Error(`no ${password}`);
      },
      { problem: 'redact has returned a promise: it must answer at once' },
    ],
    [
      'no getter of what redact returns',
      () => ({
        get x() {
          throw new Error(SECRET);
        },
      }),
      { value: { x: '[getter]' } },
    ],
    [
      'a bounded part of what redact returns',
      () => 'x'.repeat(2_000),
      { value: `${'x'.repeat(1_000)}… (2000 characters)` },
    ],
  ])('%s', async (_what, redact, expected) => {
    const browser = await serve({ machines: [linkMachine], redact });
    await browser.json('/api/overview');
    const instance = withSecret();
    expect(contextIn(await detailOf(browser, instance.id))).toEqual(expected);
    expect(await all(browser, instance.id)).not.toContain(SECRET);
    instance.send({ type: 'link.close' });
    expect(await all(browser, instance.id)).not.toContain(SECRET);
    // The instance has what it had.
    expect(instance.context).toMatchObject({ password: SECRET });
  });

  test('a page for a context that is huge', async () => {
    const browser = await serve({ machines: [linkMachine] });
    const rows = Array.from({ length: 100_000 }, (_, index) => ({ index, text: 'x'.repeat(100) }));
    const instance = start('compiled', {}, { socket: { rows } });
    const { text } = await browser.get(`/api/connections/${encodeURIComponent(instance.id)}`);
    expect(text).toContain('more]');
    expect(text.length).toBeLessThan(100_000);
  });
});

describe('wrong input is refused before anything is opened', () => {
  const wrong: [string, unknown, RegExp][] = [
    ['no list', linkMachine, /"machines" must be a list/],
    ['no machine', [{ id: 'x' }], /"machines\[0\]" must be a machine that XState's createMachine\(\) has made/],
    ['a machine that is compiled', [compile(linkMachine)], /"machines\[0\]" must be a machine that XState/],
    ['nothing', [undefined], /"machines\[0\]" must be a machine/],
    ['no id', [createMachine({})], /"machines\[0\]" must be a machine with an id/],
    ['an id of ours', [backendMachine], /"machines\[0\]" must be a machine with an id of its own: .*backend/],
    [
      'one id twice',
      [linkMachine, createMachine({ id: 'link' })],
      /"machines\[1\]" must be a machine with an id of its own/,
    ],
  ];
  test.each(wrong)('%s', async (_what, machines, expected) => {
    const error = await createInspectorServer({ machines: machines as never }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OptionError);
    expect((error as Error).message).toMatch(expected);
  });

  test('a redact that is no function', async () => {
    const error = await createInspectorServer({ redact: 'password' as never }).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/"redact" must be a function/);
  });
});
