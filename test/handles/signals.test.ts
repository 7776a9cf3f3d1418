/** One signal for many handles: one listener on it, which goes with the last of them. */
import { getEventListeners, once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { adoptClient, type Client, createBackend, createListener, createProxy } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { BACKOFF, LOOPBACK, WAITS } from '../support/make.js';
import { how } from '../support/record.js';
import { turns, until } from '../support/wait.js';

const bench = useBench();

/** More than the ten that Node takes for no leak. */
const MANY = 12;

const listenersOn = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

/** Collects the warnings of the process until the test is over. */
function warnings(): string[] {
  const heard: string[] = [];
  const onWarning = ({ name }: Error): void => void heard.push(name);
  process.on('warning', onWarning);
  bench.later(() => process.off('warning', onWarning));
  return heard;
}

const limits = () => ({ clock: bench.clock, closeTimeout: 250, abortTimeout: 250 });

/** Makes `MANY` handles of each kind that follow one signal. */
const kinds = {
  backends: async (signal: AbortSignal) => {
    const { at } = await bench.echo();
    const backends = Array.from({ length: MANY }, () =>
      createBackend({ ...WAITS, ...limits(), servers: [at], signal }),
    );
    await Promise.all(backends.map((backend) => backend.connect({ signal })));
    return backends;
  },
  listeners: async (signal: AbortSignal) => {
    const listeners = Array.from({ length: MANY }, () => createListener({ ...LOOPBACK, ...limits(), signal }));
    await Promise.all(listeners.map((listener) => listener.start()));
    return listeners;
  },
  proxies: async (signal: AbortSignal) => {
    const { at } = await bench.echo();
    const make = () => createProxy({ listen: LOOPBACK, servers: [at], ...limits(), signal });
    const proxies = Array.from({ length: MANY }, make);
    await Promise.all(proxies.map((proxy) => proxy.start()));
    return proxies;
  },
  'adopted clients': async (signal: AbortSignal) => {
    const clients: Client[] = [];
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      clients.push(adoptClient(socket, { ...limits(), signal }));
    });
    bench.later(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    for (let made = 0; made < MANY; made++) bench.own(connect(port, '127.0.0.1'));
    await until(
      'the clients',
      () => clients.length === MANY && clients.every(({ state }) => state.includes('established')),
    );
    return clients;
  },
};

describe.each(Object.entries(kinds))('%s', (_name, make) => {
  test('that follow one signal put one listener on it, which the last takes along; no leak is warned of', async () => {
    const heard = warnings();
    const { signal } = new AbortController();
    const handles = (await make(signal)).map((handle) => bench.keep(handle));
    expect(listenersOn(signal)).toBe(1);
    const [first, ...others] = handles;
    await first?.abort();
    expect(listenersOn(signal)).toBe(1);
    await Promise.all(others.map((handle) => handle.abort()));
    expect(listenersOn(signal)).toBe(0);
    await turns(2);
    expect(heard).toEqual([]);
  });

  test('are all ended by it', async () => {
    const controller = new AbortController();
    const handles = (await make(controller.signal)).map((handle) => bench.keep(handle));
    controller.abort();
    expect(listenersOn(controller.signal)).toBe(0);
    for (const outcome of await Promise.all(handles.map(({ closed }) => closed))) {
      expect(how(outcome)).toMatch(/^aborted owner\/abort\/.*ABORT_ERR$/);
    }
  });
});

test('waits for one backend that follow one signal', async () => {
  const heard = warnings();
  const port = await bench.refusing();
  const options = { ...WAITS, clock: bench.clock, backoff: { ...BACKOFF, initialMs: 1_000, maxMs: 1_000 } };
  const backend = bench.keep(createBackend({ ...options, servers: [{ host: '127.0.0.1', port }] }));
  const controller = new AbortController();
  const { signal } = controller;
  void backend.connect();
  const waits = Array.from({ length: MANY }, () => backend.ready({ signal }).catch((reason) => reason));
  const others = Array.from({ length: MANY }, () => backend.ready().catch(({ code }) => code));
  expect(listenersOn(signal)).toBe(1);
  controller.abort();
  expect(listenersOn(signal)).toBe(0);
  expect(new Set(await Promise.all(waits))).toEqual(new Set([signal.reason]));
  await backend.abort();
  expect(new Set(await Promise.all(others))).toEqual(new Set(['ERR_CLOSED']));
  expect(heard).toEqual([]);
});

test('a handle that has ended hears no more of the signal; one made after it is over opens nothing', async () => {
  const controller = new AbortController();
  const { at } = await bench.echo();
  const make = () =>
    bench.keep(createBackend({ ...WAITS, clock: bench.clock, servers: [at], signal: controller.signal }));
  const [closed, open] = [make(), make()];
  await Promise.all([closed.connect(), open.connect()]);
  const before = await closed.close();
  controller.abort();
  expect((await open.closed).ending).toBe('aborted');
  expect(closed.outcome).toBe(before);
  expect((await make().closed).ending).toBe('aborted');
});

test('many listeners on one handle are no leak', async () => {
  const heard = warnings();
  const { at } = await bench.echo();
  const backend = bench.keep(createBackend({ ...WAITS, clock: bench.clock, servers: [at] }));
  let told = 0;
  for (let made = 0; made < MANY; made++) backend.once('established', () => told++);
  await backend.connect();
  await turns(2);
  expect([told, heard]).toEqual([MANY, []]);
});
