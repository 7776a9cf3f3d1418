/** Many backends that know nothing of each other, and one set of servers whose backoff they share: on real sockets. */
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type BackendOptions, Servers } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { how } from '../support/record.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

const BACKOFF = { initialMs: 100, maxMs: 1_000, jitter: 0 };

/** A server that refuses until it is told to listen, and how often it was dialled. */
async function refuser() {
  const port = await bench.refusing();
  let dials = 0;
  const dialled = () => {
    dials++;
    return connect(port, '127.0.0.1');
  };
  return { options: { port, connect: dialled }, dials: () => dials, listen: () => bench.echo({ port }) };
}

/** A set of one such server, whose time is that of the test. */
async function down(shared: boolean) {
  const { options, dials, listen } = await refuser();
  const clock = new ManualClock();
  const servers = new Servers([options], { clock, backoff: { ...BACKOFF, shared } });
  const [server] = servers.list as [Servers['list'][number]];
  return {
    clock,
    servers,
    server,
    make: (more: Omit<BackendOptions, 'servers'> = {}) =>
      makeBackend({ servers, clock, persistent: false, connectTimeout: 60_000, queueTimeout: 60_000, ...more }).backend,
    dials,
    listen,
    /** Lets time pass, and each attempt that begins be answered. */
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(50);
        await until('the answers', () => server.connections === 0);
      }
    },
  };
}

describe('a server is down, and a program makes a backend per request', () => {
  test('100 of them: one at a time dials, and all are connected as soon as one is', async () => {
    const { make, dials, pass, listen, clock, server } = await down(true);
    await expect(make({ attemptsMax: 1 }).connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(dials()).toBe(1);
    const connecting = Array.from({ length: 100 }, () => make().connect());
    await pass(5_000);
    // After 100, 300, 700, 1500, 2500, 3500 and 4500 ms.
    expect(dials()).toBe(1 + 7);
    const peer = await listen();
    clock.advance(1_000);
    await Promise.all(connecting);
    expect(dials()).toBe(8 + 100);
    await until('the connections', () => peer.accepted === 100);
    expect(server).toMatchObject({ failures: 0, trial: undefined, connections: 100 });
  });

  test('each dials at once where the backoff is not shared', async () => {
    const { make, dials, server } = await down(false);
    const connecting = Array.from({ length: 10 }, () => make({ attemptsMax: 1 }).connect());
    await Promise.allSettled(connecting);
    expect(dials()).toBe(10);
    await Promise.allSettled([make({ attemptsMax: 1 }).connect()]);
    expect(dials()).toBe(11);
    expect(server.failures).toBe(11);
  });

  test('queueTimeout bounds the wait, and says why the server is not tried', async () => {
    const { make, pass, clock } = await down(true);
    await Promise.allSettled([make({ attemptsMax: 1 }).connect()]);
    const backend = make({ queueTimeout: 80 });
    const connecting = backend.connect();
    clock.advance(80);
    await expect(connecting).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(how(await backend.closed)).toBe('failed library/timeout/choosing/queueTimeout');
    await pass(1_000);
  });

  test('abort while its attempt is the trial hands the trial on', async () => {
    const { make, dials, clock, server, listen } = await down(true);
    await Promise.allSettled([make({ attemptsMax: 1 }).connect()]);
    const [trying, next] = [make(), make()];
    void trying.connect().catch(() => {});
    const connected = next.connect();
    const peer = await listen();
    clock.advance(100);
    expect(trying.state).toBe('active.connecting');
    expect(next.state).toBe('active.choosing');
    await trying.abort();
    await connected;
    expect(dials()).toBe(3);
    expect(server).toMatchObject({ failures: 0, trial: undefined });
    await until('the connection', () => peer.accepted > 0);
  });

  test('a persistent backend that has failed waits once: for the trial, and not for a backoff of its own', async () => {
    const { make, dials, pass, listen } = await down(true);
    const backend = make({ persistent: true });
    const delays: number[] = [];
    backend.on('retry', ({ delayMs }) => delays.push(delayMs));
    const connecting = backend.connect();
    await until('the refusal', () => delays.length === 1);
    await pass(1_500);
    expect(delays).toEqual([100, 200, 400, 800, 1_000]);
    expect(dials()).toBe(5);
    await listen();
    await pass(0);
    const { clock } = backend.servers;
    (clock as ManualClock).advance(1_000);
    await connecting;
    expect(dials()).toBe(6);
  });
});

test('createProxy: the sessions of a server that is down wait together', async () => {
  const { options, dials, listen } = await refuser();
  const clock = new ManualClock();
  const { at, proxy } = await makeProxy({
    clock,
    servers: [options],
    backoff: { ...BACKOFF, shared: true },
    queueTimeout: 60_000,
    connectTimeout: 60_000,
    sessionConnectTimeout: 60_000,
  });
  const clients = [await bench.dial(at)];
  await until('the refusal', () => proxy.sessions[0]?.backend.state === 'active.waiting');
  for (let index = 0; index < 20; index++) clients.push(await bench.dial(at));
  await until('the sessions', () => proxy.sessions.length === 21);
  expect(dials()).toBe(1);
  const peer = await listen();
  clock.advance(100);
  await until('the connections', () => peer.accepted === 21);
  expect(dials()).toBe(1 + 21);
  await proxy.abort();
});
