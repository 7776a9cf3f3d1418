/** Sessions for clients that no listener of a proxy has accepted: sockets that are handed over, and clients of your own. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  adoptClient,
  type Client,
  createProxy,
  createSession,
  type ProxyOptions,
  Servers,
  type Session,
} from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { BACKOFF, makers, PROXY_WAITS } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { how, recordProxy } from '../support/record.js';
import { gate, until, within } from '../support/wait.js';

const bench = useBench();
const { makeListener } = makers(bench);

type At = { readonly host: string; readonly port: number };

/** A proxy without a listener. */
async function started(options: ProxyOptions) {
  const proxy = bench.keep(createProxy({ clock: bench.clock, ...PROXY_WAITS, backoff: BACKOFF, ...options }));
  const seen = recordProxy(proxy);
  await proxy.start();
  return { proxy, seen };
}

/** A server of the test's own, whose sockets are handed over. */
async function accepting(accept: (socket: Socket) => void): Promise<At> {
  const server = createServer({ pauseOnConnect: true }, accept);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.later(() => server.close());
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
}

/** A client that says hello and ends gets both back. */
async function isEchoed(at: At): Promise<void> {
  const socket = bench.own(connect(at));
  const reader = new Reader(socket);
  socket.end('hello');
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('hello');
}

describe('a proxy without a listener', () => {
  test('runs, serves what it adopts, and is drained', async () => {
    const server = await bench.echo();
    const { proxy, seen } = await started({ servers: [server.at as At] });
    expect(proxy.addresses).toEqual([]);
    const at = await accepting((socket) => void proxy.adopt(socket));
    const socket = bench.own(connect(at));
    const reader = new Reader(socket);
    socket.write('one');
    await reader.has(3);
    expect(proxy.sessions).toHaveLength(1);
    expect(proxy.connections()).toHaveLength(1);
    const closed = proxy.close({ timeoutMs: 5_000 });
    expect(proxy.outcome).toBeUndefined();
    socket.end('two');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('onetwo');
    expect((await closed).ending).toBe('closed');
    expect(seen).toContain('established');
  });

  test('without anything to do it closes at once', async () => {
    const { proxy } = await started({ servers: [(await bench.echo()).at as At] });
    expect((await proxy.close()).flushed).toBe(true);
  });

  test('what is adopted at the deadline of a close is cut', async () => {
    const { proxy } = await started({ servers: [(await bench.echo()).at as At] });
    const at = await accepting((socket) => void proxy.adopt(socket));
    const reader = new Reader(bench.own(connect(at)));
    await until('the session', () => proxy.sessions[0]?.matches('relaying') === true);
    const { ending } = await proxy.close({ timeoutMs: 20 });
    expect(ending).toBe('aborted');
    expect(await reader.ends()).toBe('reset');
  });
});

test('what was read already comes first, and the fast relay reads the rest', async () => {
  const server = await bench.echo();
  const { proxy } = await started({ servers: [server.at as At] });
  const http = createHttpServer();
  http.on('connect', ({ url }, socket: Socket, head: Buffer) => {
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    proxy.adopt(socket, { head, data: url });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  bench.later(() => http.close());
  const { port } = http.address() as { port: number };
  const socket = bench.own(connect(port, '127.0.0.1'));
  const reader = new Reader(socket);
  // The first bytes come with the request.
  socket.write('CONNECT db:1 HTTP/1.1\r\nhost: db:1\r\n\r\nearly ');
  await until('the session', () => proxy.sessions[0]?.matches('relaying') === true);
  const session = proxy.sessions[0] as Session;
  expect(session.client.data).toBe('db:1');
  socket.end('late');
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('HTTP/1.1 200 Connection Established\r\n\r\nearly late');
  await session.closed;
  expect(session.bytes).toEqual({ fromClient: 10, fromBackend: 10 });
});

test('an upgrade with much to send: every byte arrives, in order', async () => {
  const { proxy } = await started({ servers: [(await bench.echo()).at as At], connectBufferBytes: 64 });
  const sent = Buffer.alloc(3_000_000, 'abcdefg');
  const at = await accepting((socket) => {
    // As an HTTP server does: some of it was read before it was known what it is.
    socket.once('readable', () => {
      const head = socket.read() as Buffer;
      proxy.adopt(socket, { head: head.subarray(3) });
    });
  });
  const socket = bench.own(connect(at));
  const reader = new Reader(socket);
  socket.end(sent);
  await reader.ends(20_000);
  expect(reader.bytes).toBe(sent.length - 3);
  expect(reader.text).toBe(sent.subarray(3).toString('latin1'));
});

test('beyond clientsMax the client is reset and counted, and no hook sees it', async () => {
  const admitted: string[] = [];
  const { proxy } = await started({
    servers: [(await bench.echo()).at as At],
    clientsMax: 1,
    admit: (client) => void admitted.push(client.id),
  });
  const at = await accepting((socket) => void proxy.adopt(socket));
  bench.own(connect(at));
  await until('the session', () => proxy.sessions.length === 1);
  const refused = within(5_000, 'a refusal', new Promise((resolve) => proxy.once('refused', resolve)));
  expect(await new Reader(bench.own(connect(at))).ends()).toBe('reset');
  expect(await refused).toMatchObject({ total: 1 });
  expect(proxy.refused).toBe(1);
  expect(admitted).toHaveLength(1);
});

test('adopt() says what is wrong', async () => {
  const proxy = bench.keep(createProxy({ servers: [{ port: 1 }], clock: bench.clock }));
  const at = await accepting((socket) => {
    expect(() => proxy.adopt(socket)).toThrow(/was not started yet: call start\(\) first/);
    const client = bench.keep(adoptClient(socket, { clock: bench.clock }));
    expect(() => proxy.adopt(socket)).toThrow(/"socket" must be a socket that was not adopted already/);
    void client.abort();
  });
  expect(await new Reader(bench.own(connect(at))).ends()).toBe('reset');
  await proxy.start();
  expect(() => proxy.adopt({} as Socket)).toThrow(/"socket" must be a net.Socket, or another Duplex/);
  expect(() =>
    proxy.adopt(
      connect(at)
        .on('error', () => {})
        .destroy(),
      { head: 'text' as never },
    ),
  ).toThrow(/"head" must be a Buffer/);
  expect(() => proxy.suspend()).toThrow(/has no listener/);
});

describe('createSession()', () => {
  test('joins a client of a listener of your own, and says what happens', async () => {
    const server = await bench.echo();
    const sessions: Session[] = [];
    const seen: string[] = [];
    const listener = makeListener();
    listener.on('client', (client) => {
      const session = bench.keep(
        createSession(client, {
          to: [{ port: 0 + dead }, server.at as At],
          balance: 'inOrder',
          backoff: BACKOFF,
        }),
      );
      session.on('retry', ({ attempt }) => seen.push(`retry ${attempt}`));
      session.on('failover', ({ to }) => seen.push(`failover to ${to.port}`));
      session.on('established', () => seen.push('established'));
      sessions.push(session);
    });
    const dead = await bench.refusing();
    const at = (await listener.start()) as At;
    await isEchoed(at);
    expect(how(await (sessions[0] as Session).closed)).toMatch(/^ended/);
    expect(seen).toEqual(['retry 2', `failover to ${server.port}`, 'established']);
  });

  test('of an adopted client; what it had read goes back by unshift', async () => {
    const server = await bench.echo();
    const servers = new Servers([server.at as At], { clock: bench.clock });
    const session = gate<Session>();
    const at = await accepting((socket) => {
      const client = bench.keep(adoptClient(socket, { clock: bench.clock }));
      client.once('established', () => {
        socket.once('readable', () => {
          socket.unshift(socket.read() as Buffer);
          session.open(bench.keep(createSession(client, { to: servers })));
        });
      });
    });
    await isEchoed(at);
    await (await session.promise).closed;
    expect(servers.list[0]?.connections).toBe(0);
  });

  test('a reset of either side reaches the other, and the listener’s drain waits for it', async () => {
    const accepted = gate<Socket>();
    const server = await bench.server((socket) => accepted.open(socket));
    const session = gate<Session>();
    const listener = makeListener();
    listener.on('client', (client) => session.open(bench.keep(createSession(client, { to: server.at as At }))));
    const at = (await listener.start()) as At;
    const socket = bench.own(connect(at));
    const reader = new Reader(socket);
    const made = await session.promise;
    const { closed } = made;
    await until('the session', () => made.matches('relaying'));
    const drained = listener.close({ timeoutMs: 5_000 });
    expect(listener.outcome).toBeUndefined();
    (await accepted.promise).resetAndDestroy();
    expect(await reader.ends()).toBe('reset');
    expect(how(await closed)).toMatch(/^dropped peer\/reset/);
    await drained;
  });

  test('the session alone says when the two are idle', async () => {
    const server = await bench.echo();
    const session = gate<Session>();
    const listener = makeListener({ idleTimeout: 40 });
    listener.on('client', (client) =>
      session.open(bench.keep(createSession(client, { to: server.at as At, idleTimeout: 200 }))),
    );
    const at = (await listener.start()) as At;
    const begun = performance.now();
    bench.own(connect(at));
    const { cause } = await (await session.promise).closed;
    expect(cause.code).toBe('idleTimeout');
    expect(performance.now() - begun).toBeGreaterThan(190);
  });

  test('joined to a stream that is there already', async () => {
    const server = await bench.echo();
    const session = gate<Session>();
    const listener = makeListener();
    listener.on('client', async (client) => {
      const to = bench.own(connect(server.at as At));
      await once(to, 'connect');
      session.open(bench.keep(createSession(client, { to })));
    });
    const at = (await listener.start()) as At;
    await isEchoed(at);
    await (await session.promise).closed;
  });

  test('says what is wrong, and opens nothing', async () => {
    const thrown: unknown[] = [];
    const listener = makeListener({
      admit: (client) => {
        for (const options of [{ to: { port: 1 } }]) {
          try {
            createSession(client, options);
          } catch (error) {
            thrown.push((error as Error).message);
          }
        }
      },
    });
    const done = gate();
    listener.on('client', (client) => {
      const attempt = (options: unknown): void => {
        try {
          createSession(client, options as never);
        } catch (error) {
          thrown.push((error as Error).message);
        }
      };
      attempt({});
      attempt({ to: { port: 1 }, idleTimout: 5 });
      attempt({ to: { port: -1 } });
      attempt({ to: { port: 1 }, key: 5 });
      bench.keep(createSession(client, { to: { port: 1 }, sessionConnectTimeout: 20 }));
      attempt({ to: { port: 1 } });
      done.open();
    });
    const at = (await listener.start()) as At;
    bench.own(connect(at));
    await within(5_000, 'the client', done.promise);
    expect(thrown).toEqual([
      expect.stringMatching(
        /is not established, but live.accepted.open: call createSession\(\) once it is established/,
      ),
      expect.stringMatching(/Option "to" must be a target/),
      expect.stringMatching(/Option "idleTimout" must be left out or spelt "idleTimeout"/),
      expect.stringMatching(/Option "servers\[0\].port" must be a port/),
      expect.stringMatching(/Option "key" must be a string/),
      expect.stringMatching(/Option "client" must be a client that has no session yet/),
    ]);
    expect(() => createSession({} as never, { to: { port: 1 } })).toThrow(
      /"client" must be a client of createListener/,
    );
  });
});

test('a socket that gives text is refused, and left alone', async () => {
  const { proxy } = await started({ servers: [(await bench.echo()).at as At] });
  const sockets = gate<Socket>();
  bench.own(connect(await accepting(sockets.open)));
  const socket = bench.own((await sockets.promise).setEncoding('utf8'));
  for (const adopt of [() => proxy.adopt(socket), () => adoptClient(socket)]) {
    expect(adopt).toThrow(/^Option "socket" must be one of bytes, without setEncoding\(\)/);
  }
  expect(socket.destroyed).toBe(false);

  const clients = gate<Client>();
  const listener = makeListener();
  listener.on('client', clients.open);
  await listener.start();
  bench.own(connect(listener.address as At));
  const client = await clients.promise;
  client.socket.setEncoding('latin1');
  expect(() => createSession(client, { to: { port: 1 } })).toThrow(
    /^Option "client" must be .*without setEncoding\(\)/,
  );
  expect(client.matches('live.established')).toBe(true);
});

test('both ends dialled: a tunnel', async () => {
  const [near, far] = [await bench.echo(), await bench.greeter('from afar', 'end')];
  const socket = bench.own(connect(near.at as At));
  await once(socket, 'connect');
  const client = bench.keep(adoptClient(socket, { clock: bench.clock }));
  const session = gate<Session>();
  client.once('established', () => session.open(bench.keep(createSession(client, { to: far.at as At }))));
  const { ending } = await (await session.promise).closed;
  expect(ending).toBe('ended');
  expect((await session.promise).bytes.fromBackend).toBe(9);
});

test('a newcomer that is adopted during a close, or after it, is turned away', async () => {
  const { proxy } = await started({ servers: [(await bench.echo()).at as At] });
  const at = await accepting((socket) => void proxy.adopt(socket));
  const first = bench.own(connect(at));
  await until('the session', () => proxy.sessions[0]?.matches('relaying') === true);
  const closed = proxy.close({ timeoutMs: 5_000 });
  expect(await new Reader(bench.own(connect(at))).ends()).toBe('reset');
  first.destroy();
  await closed;
  expect(await new Reader(bench.own(connect(at))).ends()).toBe('reset');
  expect(proxy.refused).toBe(2);
});

test('an abort of the proxy aborts adopted clients that are still being admitted', async () => {
  const { proxy } = await started({
    servers: [(await bench.echo()).at as At],
    admit: () => new Promise(() => {}),
    lingerMax: 60_000,
  });
  const at = await accepting((socket) => void proxy.adopt(socket));
  const reader = new Reader(bench.own(connect(at)));
  await until('the client', () => proxy.connections().length === 1);
  expect((await within(5_000, 'the end', proxy.abort())).ending).toBe('aborted');
  expect(await reader.ends()).toBe('reset');
});

test('createSession() of a client that flows loses nothing, also where nothing is read ahead', async () => {
  const server = await bench.echo();
  const listener = makeListener();
  listener.on('client', (client) => {
    client.socket.once('data', (chunk: Buffer) => {
      client.socket.unshift(chunk);
      bench.keep(createSession(client, { to: server.at as At, connectBufferBytes: 0 }));
    });
  });
  const at = (await listener.start()) as At;
  const socket = bench.own(connect(at));
  const reader = new Reader(socket);
  socket.write('one ');
  setImmediate(() => socket.end('two'));
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('one two');
});
