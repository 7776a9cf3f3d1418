/** A command that throws in the middle: nothing stays open, no end is told that did not come, and the error is kept. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { adoptClient, type Cause, createBackend, createProxy, type Listener } from '../../src/index.js';
import { Relay } from '../../src/relay/relay.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { until, within } from '../support/wait.js';

const bench = useBench();
const { makeListener, makeProxy } = makers(bench);

/** Takes the folder of a path away and puts a file in its place: nothing in it can be removed any more. */
function blockFolder(path: string): void {
  const folder = dirname(path);
  renameSync(folder, `${folder}.away`);
  writeFileSync(folder, '');
  bench.later(() => {
    rmSync(folder, { force: true });
    rmSync(`${folder}.away`, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  });
}

const connectError = (path: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });

const away = (path: string): string => `${dirname(path)}.away/${path.slice(dirname(path).length + 1)}`;

function warnings(listener: Listener): Cause[] {
  const told: Cause[] = [];
  listener.on('warning', ({ cause }) => told.push(cause));
  return told;
}

describe.each([compiledRuntime, xstateRuntime])(
  'a Unix path that cannot be removed, on the runtime $name',
  (runtime) => {
    const ENOTDIR = { initiator: 'system', manner: 'error', phase: 'command', code: 'ENOTDIR' };

    test.each([
      ['close', 'closed'],
      ['abort', 'aborted'],
    ] as const)('%s closes the socket, and warns', async (end, ending) => {
      const path = bench.path('front');
      const listener = makeListener({ path, runtime });
      const told = warnings(listener);
      await listener.start();
      blockFolder(path);
      const outcome = await listener[end]();
      expect(outcome).toMatchObject({ ending, cause: { initiator: 'owner', manner: end } });
      expect(told).toMatchObject([{ ...ENOTDIR, error: { code: 'ENOTDIR', path } }]);
      expect(await connectError(away(path))).toBe('ECONNREFUSED');
    });

    test('close with a client closes the socket first, and waits for the client', async () => {
      const path = bench.path('front');
      const listener = makeListener({ path, runtime });
      const told = warnings(listener);
      await listener.start();
      const client = await bench.dial({ path });
      await until('a client', () => listener.clients.size === 1);
      blockFolder(path);
      const closed = listener.close();
      expect([listener.state, told.length]).toEqual(['draining', 1]);
      expect(await connectError(away(path))).toBe('ECONNREFUSED');
      client.destroy();
      for (const { socket } of listener.clients) socket.resume().end();
      expect(await closed).toMatchObject({ ending: 'closed' });
    });

    test('suspend closes the socket, warns, and goes on', async () => {
      const path = bench.path('front');
      const listener = makeListener({ path, runtime });
      const told = warnings(listener);
      await listener.start();
      blockFolder(path);
      listener.suspend();
      expect([listener.state, told.length]).toEqual(['serving.suspended', 1]);
      expect(await connectError(away(path))).toBe('ECONNREFUSED');
      expect(await listener.close()).toMatchObject({ ending: 'closed' });
      expect(told).toMatchObject([ENOTDIR]);
    });

    test('a proxy says so too', async () => {
      const path = bench.path('front');
      const { proxy } = await makeProxy({ listen: { path }, servers: [{ port: 1 }], runtime });
      const told: Cause[] = [];
      proxy.on('warning', ({ cause }) => told.push(cause));
      blockFolder(path);
      expect(await proxy.close()).toMatchObject({ ending: 'closed' });
      expect(told).toMatchObject([ENOTDIR]);
      expect(await connectError(away(path))).toBe('ECONNREFUSED');
    });
  },
);

test.skipIf(process.getuid?.() !== 0)(
  'rights that were dropped after the bind: close() closes, and warns',
  async () => {
    const path = bench.path('front');
    const child = fork(fileURLToPath(new URL('../fixtures/drop-rights.mjs', import.meta.url)), [path]);
    const told: unknown[] = [];
    child.on('message', (message) => told.push(message));
    await within(15_000, 'the process to end by itself', once(child, 'exit'));
    expect(told).toEqual([
      ['warning', 'system', 'EACCES', 'command'],
      ['closed', 'closed'],
      ['connect', 'ECONNREFUSED'],
    ]);
  },
);

test('a server that somebody else closed leaves no path behind', async () => {
  const path = bench.path('front');
  const server = createServer();
  const listener = makeListener({ server, path });
  await listener.start();
  expect(existsSync(path)).toBe(true);
  server.close();
  expect(await listener.closed).toMatchObject({ ending: 'closed', cause: { manner: 'destroy' } });
  expect(existsSync(path)).toBe(false);
});

test('a server with a close() that throws does not listen on', async () => {
  const server = createServer();
  server.close = () => {
    throw new Error('not me');
  };
  const listener = makeListener({ server, ...LOOPBACK });
  const told = warnings(listener);
  await listener.start();
  expect(await listener.close()).toMatchObject({ ending: 'closed' });
  expect(server.listening).toBe(false);
  expect(told).toMatchObject([{ initiator: 'library', manner: 'error', error: { message: 'not me' } }]);
});

test('an accepted socket that nobody can listen to is reset, and not counted', async () => {
  const server = createServer({ pauseOnConnect: true });
  server.on('connection', (socket) => {
    socket.on('newListener', (name) => {
      if (name === 'finish') throw new Error('no listeners here');
    });
  });
  const listener = makeListener({ server, ...LOOPBACK });
  const told = warnings(listener);
  const at = (await listener.start()) as { port: number };
  const reader = new Reader(bench.dialing(at));
  expect(await reader.ends()).toBe('reset');
  expect(told).toMatchObject([{ manner: 'error', error: { message: 'no listeners here' } }]);
  expect(listener.clients.size).toBe(0);
  expect(await listener.close()).toMatchObject({ ending: 'closed' });
});

describe.each([compiledRuntime, xstateRuntime])('a socket whose method throws, on the runtime $name', (runtime) => {
  const boom = (): never => {
    throw new Error('boom');
  };

  async function adopted(change: (socket: Socket) => void) {
    let client!: ReturnType<typeof adoptClient>;
    const server = await bench.server((socket) => {
      change(socket);
      client = bench.keep(adoptClient(socket, { clock: bench.clock, runtime, closeTimeout: false }));
    });
    const reader = new Reader(await bench.dial(server.at));
    await until('a client', () => client?.matches('live.established'));
    return { client, reader };
  }

  test('end() of a client that is being closed: it is reset, and says why', async () => {
    const { client, reader } = await adopted((socket) => {
      socket.end = boom;
    });
    expect(await client.close()).toMatchObject({
      ending: 'aborted',
      flushed: false,
      cause: { initiator: 'library', manner: 'error', phase: 'command', error: { message: 'boom' } },
    });
    expect(await reader.ends()).toBe('reset');
  });

  test('resetAndDestroy() of a client that is aborted: it is destroyed', async () => {
    const { client, reader } = await adopted((socket) => {
      socket.resetAndDestroy = boom;
    });
    expect(await client.abort()).toMatchObject({ ending: 'aborted', truncated: true });
    expect(await reader.ends()).toBe('end');
  });

  test('destroy() of a client, once: it is closed', async () => {
    const { client, reader } = await adopted((socket) => {
      const { resetAndDestroy } = socket;
      socket.resetAndDestroy = () => {
        socket.resetAndDestroy = resetAndDestroy;
        return boom();
      };
      socket.destroy = () => {
        Reflect.deleteProperty(socket, 'destroy');
        return boom();
      };
    });
    expect(await client.abort()).toMatchObject({ ending: 'aborted' });
    await reader.ends();
  });

  test('end() of a backend that is being closed: it is reset', async () => {
    const server = await bench.server((socket) => new Reader(socket));
    const backend = bench.keep(
      createBackend({
        servers: [server.at],
        clock: bench.clock,
        runtime,
        prepare: (socket) => {
          socket.end = boom;
        },
        closeTimeout: false,
      }),
    );
    await backend.connect();
    const [peer] = server.sockets as [Socket];
    const failed = once(peer, 'error');
    expect(await backend.close()).toMatchObject({ ending: 'closed', flushed: false });
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test('on() of a socket that a connect hook made: it is destroyed, and the attempt has failed', async () => {
    const server = await bench.echo();
    const made: Socket[] = [];
    const backend = bench.keep(
      createBackend({
        servers: [
          {
            host: '127.0.0.1',
            port: server.port,
            connect: () => {
              const socket = connect(server.port);
              socket.on('newListener', (name) => {
                if (name === 'finish') boom();
              });
              made.push(socket);
              return socket;
            },
          },
        ],
        persistent: false,
        attemptsMax: 1,
        clock: bench.clock,
        runtime,
      }),
    );
    void backend.connect();
    expect(await backend.closed).toMatchObject({ ending: 'failed', cause: { error: { message: 'boom' } } });
    expect(made.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  test('the relay of a session that cannot start: both legs are reset, and the session says why', async () => {
    const server = await bench.server((socket) => new Reader(socket));
    const { proxy, at } = await makeProxy({ servers: [server.at], runtime });
    const start = vi.spyOn(Relay.prototype, 'start').mockImplementationOnce(boom);
    bench.later(() => start.mockRestore());
    const closed = new Promise((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const reader = new Reader(bench.dialing(at));
    expect(await closed).toMatchObject({
      ending: 'aborted',
      cause: { initiator: 'library', manner: 'error', phase: 'command', error: { message: 'boom' } },
    });
    expect(await reader.ends()).toBe('reset');
    expect(await proxy.close()).toMatchObject({ ending: 'closed' });
  });
});

describe('a part of a proxy that throws', () => {
  test('a backend, when it is connected: the start rejects with the error', async () => {
    const backend = bench.keep(createBackend({ servers: [{ port: 1 }], clock: bench.clock }));
    const error = new Error('no connection today');
    backend.connect = () => {
      throw error;
    };
    const proxy = bench.keep(
      createProxy({ listen: LOOPBACK, servers: [{ port: 1 }], backends: [backend], clock: bench.clock }),
    );
    await expect(proxy.start()).rejects.toBe(error);
    expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { phase: 'command', error } });
    expect(backend.outcome).toBeDefined();
  });

  test('a listener, when it is aborted: the others are aborted all the same', async () => {
    const { proxy } = await makeProxy({ listen: [LOOPBACK, LOOPBACK], servers: [{ port: 1 }] });
    const [first, second] = proxy.listeners as [Listener, Listener];
    const { abort } = first;
    first.abort = () => {
      first.abort = abort;
      throw new Error('not now');
    };
    const outcome = proxy.abort();
    expect(second.outcome).toMatchObject({ ending: 'aborted' });
    expect(await outcome).toMatchObject({ ending: 'aborted' });
    await first.abort();
  });

  test('a backend, when it is closed: the proxy ends', async () => {
    const backend = bench.keep(createBackend({ servers: [{ port: 1 }], clock: bench.clock }));
    const { proxy } = await makeProxy({ servers: [{ port: 1 }] });
    const other = bench.keep(
      createProxy({ listen: LOOPBACK, servers: [{ port: 1 }], backends: [backend], clock: bench.clock }),
    );
    backend.close = () => {
      throw new Error('not now');
    };
    expect(await within(5_000, 'the end', other.close())).toMatchObject({ ending: 'closed' });
    await proxy.close();
  });
});
