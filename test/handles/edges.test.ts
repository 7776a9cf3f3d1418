/** Where the user's code meets an instance at an awkward moment. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, expect, test } from 'vitest';
import {
  adoptClient,
  type Client,
  createBackend,
  createListener,
  createProxy,
  type Outcome,
  Servers,
  type Session,
} from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';

const servers: Server[] = [];
const sockets = new Set<Socket>();
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) server.close();
});

function own(socket: Socket): Socket {
  sockets.add(socket);
  return socket.on('error', () => {});
}

async function serve(onSocket: (socket: Socket) => void = () => {}): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => onSocket(own(socket))).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function dial(port: number): Socket {
  return own(connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
}

/** A proxy to one server, a client of it, and its session once it is established. */
async function proxied(onSocket: (socket: Socket) => void) {
  const proxy = createProxy({ listen: { host: '127.0.0.1', port: 0 }, servers: [{ port: await serve(onSocket) }] });
  ends.push(() => proxy.abort());
  await proxy.start();
  const established = new Promise<Session>((resolve) => proxy.once('established', resolve));
  const socket = dial((proxy.addresses[0] as { port: number }).port);
  return { proxy, socket, session: await established };
}

test.each(['client', 'backend'] as const)(
  'a leg that is closed by hand (%s) is flushed while the other still sends',
  async (leg) => {
    const bytes = Buffer.alloc(300_000, 'x');
    const flood = (socket: Socket): void => {
      socket.write(bytes);
      const again = setInterval(() => socket.write('more'), 1);
      socket.once('close', () => clearInterval(again));
    };
    const accepted: Socket[] = [];
    const { session, socket } = await proxied((one) => {
      accepted.push(one);
      if (leg === 'client') flood(one);
    });
    if (leg === 'backend') flood(socket);
    const reader = leg === 'client' ? socket : (accepted[0] as Socket);
    let got = 0;
    const enough = new Promise<void>((resolve) => {
      reader.on('data', (chunk) => {
        got += chunk.length;
        if (got >= bytes.length) resolve();
      });
    });
    await enough;
    const before = got;
    const ended = once(reader, 'end').then(() => reader.end());
    const outcome = await session[leg].close();
    await ended;
    expect(outcome).toMatchObject({ ending: 'closed', flushed: true });
    expect(got).toBeGreaterThanOrEqual(before);
  },
);

test('many who wait for a full server and fail at once all come to their ends', { timeout: 30_000 }, async () => {
  const set = new Servers(
    [
      {
        port: 1,
        connectionsMax: 1,
        connect: () => {
          throw Object.assign(new Error('not now'), { code: 'ENOW' });
        },
      },
    ],
    { retryBudget: { burst: 1_000_000 }, backoff: { initialMs: 1, maxMs: 2 } },
  );
  const all = Array.from({ length: 1_000 }, () => createBackend({ servers: set, persistent: false, attemptsMax: 1 }));
  // Somebody holds the only place until all of them wait.
  const [server] = set.list as [(typeof set.list)[0]];
  server.connections++;
  for (const backend of all) backend.connect();
  set.leave(server);
  const outcomes = await Promise.all(all.map(({ closed }) => closed));
  expect(new Set(outcomes.map(({ ending }) => ending))).toEqual(new Set(['failed']));
  expect(server.connections).toBe(0);
});

test.each(['close', 'abort'] as const)('a pipeline over a client’s socket settles after %s', async (how) => {
  const port = await serve();
  const arrived = once(servers[0] as Server, 'connection');
  const peer = dial(port);
  const [socket] = (await arrived) as [Socket];
  const client = adoptClient(socket);
  await new Promise((resolve) => client.once('established', resolve));
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const settled = pipeline(client.socket, sink).then(
    () => 'resolved',
    () => 'rejected',
  );
  peer.write('hello');
  peer.on('end', () => peer.end()).resume();
  await client[how]();
  if (how === 'close') sink.destroy();
  expect(await settled).toBe('rejected');
});

test('what a client sends after its admission hook has read waits for its backend', async () => {
  const got: string[] = [];
  const complete = new Promise<void>((resolve) => {
    void serve((socket) => {
      socket.on('data', (chunk) => {
        got.push(String(chunk));
        if (got.join('') === 'body') resolve();
      });
    }).then(async (port) => {
      const peer = { socket: undefined as Socket | undefined };
      const proxy = createProxy({
        listen: { host: '127.0.0.1', port: 0 },
        servers: [{ port }],
        admit: async ({ socket }) => {
          socket.resume();
          await once(socket, 'data');
          // The body is under way while the backend has yet to connect.
          peer.socket?.write('body');
        },
      });
      ends.push(() => proxy.abort());
      await proxy.start();
      peer.socket = dial((proxy.addresses[0] as { port: number }).port);
      peer.socket.write('header');
    });
  });
  await complete;
});

test('a listener that is suspended while it looks at a stale path can be resumed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockchart-'));
  ends.push(async () => rmSync(folder, { recursive: true }));
  const path = join(folder, 's');
  // Bound by a process that was killed: nothing answers there.
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', program], { stdio: 'ignore' }), 'exit');
  const listener = createListener({ path });
  ends.push(() => listener.abort());
  const start = listener.start();
  // The path is being looked at once the server listens under its other name.
  await new Promise(process.nextTick);
  expect(listener.state).toBe('serving.binding');
  listener.suspend();
  listener.resume();
  expect(await start).toEqual({ path });
  expect(listener.state).toBe('serving.listening.accepting');
  await once(own(connect(path)), 'connect');
});

test('a client that ends early has ended by itself, also in the cause', async () => {
  const causes: Outcome[] = [];
  const port = await serve((socket) => socket.on('end', () => socket.end()).resume());
  const proxy = createProxy({
    listen: { host: '127.0.0.1', port: 0 },
    servers: [{ port }],
    admit: async ({ socket }: Client) => {
      socket.resume();
      await once(socket, 'end');
    },
  });
  ends.push(() => proxy.abort());
  proxy.on('clientClosed', ({ outcome }) => causes.push(outcome));
  const over = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
  await proxy.start();
  dial((proxy.addresses[0] as { port: number }).port)
    .resume()
    .end();
  expect(await over).toMatchObject({ ending: 'ended', cause: { initiator: 'peer', manner: 'end' } });
  expect(causes).toMatchObject([{ ending: 'ended', cause: { initiator: 'peer', manner: 'end' } }]);
});

test('a hook that judges failures and throws is the cause, not a timeout', async () => {
  const error = new Error('cannot tell');
  const port = await serve();
  (servers.splice(0)[0] as Server).close();
  const backend = createBackend({
    servers: [{ port }],
    persistent: false,
    queueTimeout: false,
    isPermanent: () => {
      throw error;
    },
  });
  await expect(backend.connect()).rejects.toMatchObject({ cause: { code: 'isPermanent', error } });
});

test('connect() inside an exhausted listener starts afresh', async () => {
  const clock = new ManualClock();
  const port = await serve();
  (servers.splice(0)[0] as Server).close();
  const backend = createBackend({ servers: [{ port }], attemptsMax: 1, whenExhausted: 'wait', clock });
  ends.push(() => backend.abort());
  const again = new Promise<unknown>((resolve) => {
    backend.once('exhausted', () => backend.connect().catch(resolve));
  });
  backend.connect();
  // It is exhausted a second time, not still: another socket was opened in between.
  expect(await again).toMatchObject({ code: 'ERR_CONNECT' });
  expect(backend.incarnation).toBe(2);
});

test('one listener of several is closed without harm to the sessions of the others', async () => {
  const port = await serve((socket) => socket.pipe(socket));
  const where = { host: '127.0.0.1', port: 0 };
  const proxy = createProxy({ listen: [where, where], servers: [{ port }] });
  ends.push(() => proxy.abort());
  await proxy.start();
  const socket = dial((proxy.addresses[1] as { port: number }).port);
  await new Promise((resolve) => proxy.once('established', resolve));
  expect(await proxy.listeners[0]?.close()).toMatchObject({ ending: 'closed' });
  socket.write('still here');
  expect(String((await once(socket, 'data'))[0])).toBe('still here');
  expect(proxy.state).toBe('running');
});

test('a connect option may return a socket that is connected already, but not one that is destroyed', async () => {
  const port = await serve();
  const ready = dial(port);
  await once(ready, 'connect');
  const clock = new ManualClock();
  const good = createBackend({ servers: [{ port, connect: () => ready }], persistent: false, clock });
  expect((await good.connect()).socket).toBe(ready);
  await good.abort();
  const gone = dial(port).destroy();
  const bad = createBackend({ servers: [{ port, connect: () => gone }], persistent: false, attemptsMax: 1, clock });
  await expect(bad.connect()).rejects.toMatchObject({ cause: { code: 'ERR_SOCKET_CLOSED' } });
});

test('close while established takes the owner’s listeners off: what still arrives is not his', async () => {
  const backend = createBackend({ servers: [{ port: await serve() }] });
  ends.push(() => backend.abort());
  const arrived = once(servers[0] as Server, 'connection');
  const { socket } = await backend.connect();
  const [peer] = (await arrived) as [Socket];
  const heard: string[] = [];
  socket.on('data', (chunk) => heard.push(String(chunk)));
  socket.on('end', () => heard.push('end'));
  const closed = backend.close();
  expect(backend.state).toBe('closing.flushing');
  peer.end('too late');
  expect(await closed).toMatchObject({ ending: 'closed', flushed: true });
  expect(heard).toEqual([]);
});
