/**
 * An attempt that is given up: its server sees a reset, never the clean end of an empty stream, though the system may have
 * connected before Node says so. And what `connect` hooks may return.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import dns from 'node:dns';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { type Backend, type BackendOptions, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { type How, type PeerServer, plainServer, Reader } from '../support/peers.js';
import { gate, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

/** A server that reads, and tells how each of its connections ended. */
async function observer(where?: { path: string }): Promise<{ server: PeerServer; seen(index?: number): Promise<How> }> {
  const readers: Reader[] = [];
  const server = await bench.peer(
    plainServer((socket) => readers.push(new Reader(socket))),
    where,
  );
  return {
    server,
    async seen(index = 0) {
      await server.connection(index);
      return (readers[index] as Reader).ends();
    },
  };
}

/** Node hands a connect to the system in the next tick: then loopback has connected, and Node does not know. */
const systemHasConnected = (): Promise<void> =>
  new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));

const RUNTIMES = [compiledRuntime, xstateRuntime];

const GIVE_UP: Record<string, (backend: Backend, clock: ManualClock) => unknown> = {
  abort: (backend) => backend.abort(),
  close: (backend) => backend.close(),
  connectTimeout: (_backend, clock) => clock.advance(5_000),
};

describe.each(Object.keys(GIVE_UP))('%s while the system has connected and Node has not said so', (giveUp) => {
  async function givenUp(options: Omit<BackendOptions, 'servers' | 'clock'>, servers: BackendOptions['servers']) {
    const clock = new ManualClock();
    const { backend } = makeBackend({
      persistent: false,
      attemptsMax: 1,
      connectTimeout: 5_000,
      ...options,
      clock,
      servers,
    });
    void backend.connect();
    await systemHasConnected();
    expect(backend.state).toBe('active.connecting');
    void GIVE_UP[giveUp]?.(backend, clock);
    return backend;
  }

  test.each(RUNTIMES)('is a reset, on $name', async (runtime) => {
    const { server, seen } = await observer();
    const backend = await givenUp({ runtime }, [server.at]);
    const outcome = await within(3_000, 'the end', backend.closed);
    expect(outcome.truncated).toBeUndefined();
    expect(await seen()).toBe('reset');
  });

  test('is a reset, of the socket of a connect hook', async () => {
    const { server, seen } = await observer();
    const backend = await givenUp({}, [{ port: 1, connect: () => connect(server.port, '127.0.0.1') }]);
    await within(3_000, 'the end', backend.closed);
    expect(await seen()).toBe('reset');
  });

  test('is a reset, below TLS that has not begun', async () => {
    const { server, seen } = await observer();
    const backend = await givenUp({}, [{ port: server.port, tls: true }]);
    await within(3_000, 'the end', backend.closed);
    expect(await seen()).toBe('reset');
  });

  test('is told to be cut where it is a Unix socket, which has no reset', async () => {
    const { server, seen } = await observer({ path: bench.path() });
    const backend = await givenUp({}, [server.at as { path: string }]);
    expect((await within(3_000, 'the end', backend.closed)).truncated).toBe(true);
    expect(await seen()).toBe('end');
  });

  test('ends at once while the name is being looked up', async () => {
    const looked = gate();
    vi.spyOn(dns, 'lookup').mockImplementation(((_host: string, _options: object, done: (error: Error) => void) => {
      void looked.promise.then(() => done(Object.assign(new Error('late'), { code: 'ENOTFOUND' })));
    }) as never);
    bench.later(() => vi.restoreAllMocks());
    const backend = await givenUp({}, [{ host: 'name.test', port: 1 }]);
    await within(3_000, 'the end', backend.closed);
    looked.open();
    await turn();
  });

  test('is a reset during the TLS handshake', async () => {
    const { server, seen } = await observer();
    const clock = new ManualClock();
    const { backend } = makeBackend({
      persistent: false,
      attemptsMax: 1,
      connectTimeout: 5_000,
      clock,
      servers: [{ port: server.port, tls: true }],
    });
    void backend.connect();
    const [hello] = await once(await server.connection(), 'data');
    expect(hello.length).toBeGreaterThan(0);
    void GIVE_UP[giveUp]?.(backend, clock);
    await within(3_000, 'the end', backend.closed);
    expect(await seen()).toBe('reset');
  });
});

test.each(['throw', 'time out'])('a prepare that will %s is a reset', async (fails) => {
  const { server, seen } = await observer();
  const clock = new ManualClock();
  const { backend } = makeBackend({
    servers: [server.at as { port: number }],
    persistent: false,
    attemptsMax: 1,
    prepareTimeout: 1_000,
    clock,
    async prepare(socket, { signal }) {
      socket.write('half a log-in');
      if (fails === 'throw') throw new Error('no password');
      await once(signal, 'abort');
    },
  });
  void backend.connect();
  await once(await server.connection(), 'data');
  clock.advance(1_000);
  await within(3_000, 'the end', backend.closed);
  expect(await seen()).toBe('reset');
});

test('a prepare that has said goodbye ends the stream', async () => {
  const { server, seen } = await observer();
  const { backend } = makeBackend({
    servers: [server.at as { port: number }],
    persistent: false,
    attemptsMax: 1,
    async prepare(socket) {
      await new Promise<void>((resolve) => socket.end('QUIT', resolve));
      throw new Error('no password');
    },
  });
  void backend.connect();
  await within(3_000, 'the end', backend.closed);
  expect(await seen()).toBe('end');
});

describe('a session whose backend is connecting', () => {
  /** Calls back once the system has connected to the server, and Node does not know. */
  function onDial(act: () => void): void {
    const listener = (message: unknown): void => {
      const { machine, to } = message as Transition;
      if (machine === 'backend' && to === 'active.connecting') void systemHasConnected().then(act);
    };
    subscribe(TRANSITION_CHANNEL, listener);
    bench.later(() => unsubscribe(TRANSITION_CHANNEL, listener));
  }

  test.each(['session.abort', 'session.close', 'proxy.abort', 'client.abort', 'backend.close'])(
    '%s is a reset to the server',
    async (what) => {
      const { server, seen } = await observer();
      const { proxy, at } = await makeProxy({ servers: [server.at as { port: number }] });
      onDial(() => {
        const [session] = proxy.sessions;
        if (what === 'session.abort') void session?.abort();
        if (what === 'session.close') void session?.close();
        if (what === 'client.abort') void session?.client.abort();
        if (what === 'backend.close') void session?.backend.close();
        if (what === 'proxy.abort') void proxy.abort();
      });
      const client = bench.own(connect(at));
      client.on('error', () => {});
      client.write('x');
      expect(await seen()).toBe('reset');
    },
  );

  test('a client whose reset is read first is a reset to the server', async () => {
    const { server, seen } = await observer();
    const { proxy, at } = await makeProxy({ servers: [server.at as { port: number }], connectBufferBytes: 1_000 });
    onDial(() => {
      const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      proxy.sessions[0]?.client.socket.destroy(reset);
    });
    const client = bench.own(connect(at));
    client.on('error', () => {});
    client.write('PUT /file');
    expect(await seen()).toBe('reset');
  });
});
