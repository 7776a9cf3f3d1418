/** Which server a connection gets, and when: on real sockets. */
import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createProxy, type Server } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers, PROXY_WAITS } from '../support/make.js';
import { CERTIFICATE, Reader } from '../support/peers.js';
import { how, times } from '../support/record.js';
import { until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

/** Connects, says something, and waits for the same to come back. */
async function isServed(at: { host: string; port: number }): Promise<boolean> {
  const client = bench.own(connect(at));
  const reader = new Reader(client);
  client.end('hello');
  return (await reader.ends()) === 'end' && reader.text === 'hello';
}

const all = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

const failing = (code: string) => (): Socket => {
  throw Object.assign(new Error(code), { code });
};

describe('a server whose connects are never answered, and a spare that works', () => {
  test('150 clients at once: all are served by the spare, and the budget refuses none', async () => {
    const spare = await bench.echo();
    const { at, seen } = await makeProxy({
      servers: [{ port: 1, connect: () => new Socket() }, spare.at],
      balance: 'inOrder',
      connectTimeout: 1_000,
      sessionConnectTimeout: 30_000,
    });
    expect(await all(150, () => isServed(at))).toEqual(Array.from({ length: 150 }, () => true));
    expect(times(seen, 'session refused')).toBe(0);
  });

  test('after downFor one connection tries it, and the others are served meanwhile', async () => {
    const spare = await bench.echo();
    const clock = new ManualClock();
    let dialled = 0;
    const silent = (): Socket => {
      dialled++;
      return new Socket();
    };
    const proxy = bench.keep(
      createProxy({
        ...PROXY_WAITS,
        listen: LOOPBACK,
        servers: [{ port: 1, connect: silent }, spare.at],
        balance: 'inOrder',
        clock,
        connectTimeout: 1_000,
        downFor: 5_000,
      }),
    );
    await proxy.start();
    const at = proxy.addresses[0] as { host: string; port: number };
    const first = isServed(at);
    await until('the first dial', () => dialled === 1);
    clock.advance(1_000);
    await until('the retry', () => proxy.sessions[0]?.backend.state === 'active.waiting');
    clock.advance(0);
    expect(await first).toBe(true);
    clock.advance(5_000);
    const trying = isServed(at);
    await until('the trial', () => dialled === 2);
    expect(await all(20, () => isServed(at))).not.toContain(false);
    expect(dialled).toBe(2);
    // The trial fails: its client gets the spare, and nobody tries the other again for a while.
    clock.advance(1_000);
    await until('the retry', () => proxy.sessions[0]?.backend.state === 'active.waiting');
    clock.advance(0);
    expect(await trying).toBe(true);
    expect(await isServed(at)).toBe(true);
    expect(dialled).toBe(2);
    await proxy.abort();
  });

  test('a trial whose connection is aborted leaves its place to the next', async () => {
    const spare = await bench.echo();
    const clock = new ManualClock();
    let dialled = 0;
    const hole = {
      port: 1,
      connect: (): Socket => {
        dialled++;
        if (dialled === 1) throw Object.assign(new Error('not now'), { code: 'ECONNREFUSED' });
        return new Socket();
      },
    };
    const { backend: first } = makeBackend({ servers: [hole, spare.at], balance: 'inOrder', clock, downFor: 5_000 });
    void first.connect();
    clock.advance(0);
    await first.ready();
    const { servers } = first;
    clock.advance(5_000);
    const trying = makeBackend({ servers, clock }).backend;
    void trying.connect();
    expect(dialled).toBe(2);
    const other = makeBackend({ servers, clock }).backend;
    expect((await other.connect()).server).toBe(servers.list[1]);
    await trying.abort();
    expect(servers.list[0]).toMatchObject({ trial: undefined, connections: 0 });
    const next = makeBackend({ servers, clock }).backend;
    void next.connect();
    expect(dialled).toBe(3);
    await next.abort();
  });
});

test('the only server is away for a while: clients wait for it, also when the budget is empty', async () => {
  const port = await bench.refusing();
  const { at, seen, proxy } = await makeProxy({
    servers: [{ port }],
    sessionConnectTimeout: 60_000,
    retryBudget: { burst: 5, perSecond: 50, ratio: 0 },
  });
  let retries = 0;
  proxy.on('retry', () => retries++);
  const served = all(60, () => isServed(at));
  // By then each has failed more often than a server could be restarted in that time before.
  await until('many retries', () => retries > 300);
  await bench.echo({ port });
  expect(await within(20_000, 'the clients', served)).not.toContain(false);
  expect(times(seen, 'session refused')).toBe(0);
});

describe('a server that is full, and one that has failed once and is back', () => {
  test('a persistent backend asks the latter again', async () => {
    const full = await bench.echo();
    const port = await bench.refusing();
    const servers = [{ ...full.at, connectionsMax: 1 }, { port }];
    const { backend: one } = makeBackend({ servers, balance: 'inOrder' });
    await one.connect();
    const { backend: two, seen } = makeBackend({ servers: one.servers, queueTimeout: 10_000 });
    void two.connect();
    await until('its first failure', () => times(seen, 'retry') > 0);
    await bench.echo({ port });
    expect((await within(5_000, 'the connection', two.ready())).server.port).toBe(port);
    expect(times(seen, 'exhausted')).toBe(0);
  });

  test('a session does, too', async () => {
    const full = await bench.echo();
    const port = await bench.refusing();
    const { at, seen } = await makeProxy({
      servers: [{ ...full.at, connectionsMax: 1 }, { port }],
      balance: 'inOrder',
      queueTimeout: 10_000,
      sessionConnectTimeout: 20_000,
    });
    const holder = bench.own(connect(at));
    holder.write('x');
    await until('its session', () => times(seen, 'established') === 1);
    const served = isServed(at);
    await until('its first failure', () => times(seen, 'retry') > 0);
    await bench.echo({ port });
    expect(await within(5_000, 'the answer', served)).toBe(true);
  });
});

describe('what passes by itself', () => {
  test.each(['EACCES', 'EPERM', 'ENOENT'])('%s is over: the server is used', async (code) => {
    const server = await bench.echo();
    let isOver = false;
    const dial = (): Socket => (isOver ? connect(server.at) : failing(code)());
    const { at, seen } = await makeProxy({ servers: [{ port: 1, connect: dial }] });
    const served = isServed(at);
    await until('two attempts', () => times(seen, 'retry') > 1);
    isOver = true;
    expect(await served).toBe(true);
  });
});

describe('a shortage of this process', () => {
  test('the same server is tried again; the standby gets nothing, and no server is down', async () => {
    const server = await bench.echo();
    const standby = await bench.echo();
    let left = 3;
    const dial = (): Socket => (left-- > 0 ? failing('EMFILE')() : connect(server.at));
    const { at, proxy, seen } = await makeProxy({
      servers: [{ port: 1, connect: dial }, standby.at],
      balance: 'inOrder',
    });
    expect(await isServed(at)).toBe(true);
    expect(times(seen, 'retry')).toBe(3);
    expect(times(seen, 'failover')).toBe(0);
    expect(proxy.servers.list[0]).toMatchObject({ failures: 0, state: 'serving.up' });
  });

  test('no local address: a real EADDRNOTAVAIL', async () => {
    const server = await bench.echo();
    const standby = await bench.echo();
    const dial = (): Socket => connect({ ...(server.at as { port: number }), localAddress: '192.0.2.1' });
    const { backend, seen } = makeBackend({
      servers: [{ port: 1, connect: dial }, standby.at],
      balance: 'inOrder',
      persistent: false,
      attemptsMax: 3,
    });
    await expect(backend.connect()).rejects.toMatchObject({ cause: { code: 'EADDRNOTAVAIL' } });
    expect(times(seen, 'failover')).toBe(0);
    expect(how(await backend.closed)).toBe('failed system/error/connecting/EADDRNOTAVAIL');
    expect(backend.servers.list[0]).toMatchObject({ failures: 0, excluded: undefined });
  });
});

describe('clients that wait for a place', () => {
  /** A server that takes one connection, which is taken. */
  async function full(options: object = {}) {
    let accepted = 0;
    const server = await bench.server((socket) => {
      accepted++;
      socket.pipe(socket);
    });
    const made = await makeProxy({
      servers: [{ ...server.at, connectionsMax: 1 }],
      queueTimeout: 20_000,
      sessionConnectTimeout: 20_000,
      ...options,
    });
    const holder = bench.own(connect(made.at));
    holder.write('x');
    await until('the holder', () => times(made.seen, 'established') === 1);
    return { ...made, holder, accepted: () => accepted };
  }

  test.each([
    ['silent', ''],
    ['that have spoken', 'hello'],
  ])('%s and reset leave the queue at once, and no server is dialled for them', async (_who, words) => {
    const { proxy, at, holder, accepted } = await full();
    const gone = Array.from({ length: 40 }, () => bench.own(connect(at)));
    if (words !== '') for (const client of gone) client.write(words);
    await until('the queue', () => proxy.sessions.filter(({ state }) => state.startsWith('connecting')).length === 40);
    await until('what they say', () => proxy.sessions.slice(1).every(({ bytes }) => bytes.fromClient === words.length));
    for (const client of gone) client.resetAndDestroy();
    await until('the end of their sessions', () => proxy.sessions.length === 1);
    holder.end();
    expect(await isServed(at)).toBe(true);
    expect(accepted()).toBe(2);
  });

  test('and have only ended their side keep their place, and get their answer', async () => {
    const { proxy, at, holder } = await full();
    const served = isServed(at);
    await until('the end', () => proxy.sessions.some(({ state }) => state === 'connecting.clientEnded'));
    holder.end();
    expect(await served).toBe(true);
  });

  test('nothing is read where connectBufferBytes is 0', async () => {
    const { proxy, at, holder } = await full({ connectBufferBytes: 0 });
    const served = isServed(at);
    await until('the session', () => proxy.sessions.length === 2);
    expect(proxy.sessions[1]?.bytes.fromClient).toBe(0);
    holder.end();
    expect(await served).toBe(true);
    expect(proxy.sessions.every(({ bytes }) => bytes.fromClient === 5)).toBe(true);
  });

  test('and send more than may be read ahead lose nothing of it', async () => {
    const { proxy, at, holder } = await full();
    const body = Buffer.alloc(3_000_000, 'abcdefg');
    const client = bench.own(connect(at));
    const reader = new Reader(client);
    client.end(body);
    await until('the first bytes', () => (proxy.sessions[1]?.bytes.fromClient ?? 0) >= 16_384);
    expect(proxy.sessions[1]?.bytes.fromClient).toBeLessThanOrEqual(2 * 16_384);
    // It goes on reading into the library's buffers: nothing is emitted.
    expect(proxy.sessions[1]?.client.socket.listenerCount('data')).toBe(0);
    holder.end();
    expect(await reader.ends()).toBe('end');
    expect(Buffer.from(reader.text).equals(body)).toBe(true);
  });

  test('over TLS, too, leave when they are reset', async () => {
    const { proxy, holder } = await full({ listen: [LOOPBACK, { ...LOOPBACK, tls: CERTIFICATE }] });
    const [plain, secure] = proxy.addresses as [{ host: string; port: number }, { host: string; port: number }];
    const gone = Array.from({ length: 5 }, () => {
      const below = bench.own(connect(secure));
      bench.own(tlsConnect({ socket: below, ca: CERTIFICATE.cert })).write('hello');
      return below;
    });
    await until('the queue', () => proxy.sessions.filter(({ bytes }) => bytes.fromClient === 5).length === 5);
    for (const client of gone) client.resetAndDestroy();
    await until('the end of their sessions', () => proxy.sessions.length === 1);
    holder.end();
    expect(await isServed(plain)).toBe(true);
  });

  test('and reset while their backend connects have the attempt cut', async () => {
    const dialled: Socket[] = [];
    const hole = (): Socket => {
      const socket = new Socket();
      dialled.push(socket);
      return socket;
    };
    const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: hole }], connectTimeout: 20_000 });
    const client = bench.own(connect(at));
    client.write('x');
    await until('the attempt', () => dialled.length === 1 && proxy.sessions[0]?.bytes.fromClient === 1);
    client.resetAndDestroy();
    await until('its end', () => proxy.sessions.length === 0);
    expect(dialled[0]?.destroyed).toBe(true);
    expect(proxy.servers.list[0]).toMatchObject({ connections: 0, failures: 0 });
  });
});

describe('weights', () => {
  test('three times the weight is three times the clients; 0 drains: sessions go on, and no new one comes', async () => {
    const [heavy, light] = [await bench.greeter('a', 'stay'), await bench.greeter('b', 'stay')];
    const { at, proxy } = await makeProxy({ servers: [{ port: heavy.port, weight: 3 }, { port: light.port }] });
    const greeted = async (): Promise<string> => {
      const socket = bench.own(connect(at));
      const [name] = await within(5_000, 'a greeting', once(socket, 'data'));
      return String(name);
    };
    const names: string[] = [];
    for (let count = 0; count < 12; count++) names.push(await greeted());
    expect(names.join('')).toBe('aaabaaabaaab');
    const [drained] = proxy.servers.list as readonly [Server, Server];
    drained.weight = 0;
    for (let count = 0; count < 5; count++) expect(await greeted()).toBe('b');
    expect(drained.connections).toBe(9);
    expect(proxy.sessions.length).toBe(17);
    drained.weight = 1;
    expect((await Promise.all([greeted(), greeted()])).sort()).toEqual(['a', 'b']);
  });

  test('clients that wait because all weights are 0 are served once one is not', async () => {
    const server = await bench.greeter('a', 'stay');
    const { at, proxy } = await makeProxy({ servers: [{ port: server.port, weight: 0 }], queueTimeout: 10_000 });
    const clients = Array.from({ length: 5 }, () => once(bench.own(connect(at)), 'data'));
    await until('the queue', () => proxy.sessions.length === 5);
    expect(proxy.servers.list[0]?.connections).toBe(0);
    (proxy.servers.list[0] as Server).weight = 1;
    expect((await within(5_000, 'the greetings', Promise.all(clients))).map(String)).toEqual(Array(5).fill('a'));
  });
});
