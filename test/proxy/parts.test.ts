/** Parts of a proxy that end through their own handles: before the start, while it starts, and while it serves. */

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  BindError,
  ClosedError,
  createBackend,
  createProxy,
  type Listener,
  type ProxyOptions,
  type TcpProxy,
} from '../../src/index.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { plainServer, Reader } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeBackend } = makers(bench);

const failureOf = (promise: Promise<unknown>): Promise<Error & { cause?: unknown }> =>
  promise.then(
    () => {
      throw new Error('It was fulfilled');
    },
    (error) => error,
  );

async function answers(at: object | undefined): Promise<string> {
  const client = await bench.dial(at as { port: number });
  const reader = new Reader(client);
  client.end('ping');
  await reader.ends();
  return reader.text;
}

describe.each([compiledRuntime, xstateRuntime])('on the runtime $name', (runtime) => {
  const make = (options: Partial<ProxyOptions> = {}): TcpProxy =>
    bench.keep(
      createProxy({ listen: [LOOPBACK, LOOPBACK], servers: [{ port: 1 }], clock: bench.clock, runtime, ...options }),
    );
  const listenersOf = (proxy: TcpProxy): [Listener, Listener] => proxy.listeners as unknown as [Listener, Listener];

  describe('a listener', () => {
    test.each(['close', 'abort'] as const)('%s before the start leaves it out', async (end) => {
      const server = await bench.echo();
      const proxy = make({ servers: [server.at] });
      const [first, second] = listenersOf(proxy);
      await first[end]();
      await proxy.start();
      expect([proxy.state, second.state]).toEqual(['running', 'serving.listening.accepting']);
      expect(proxy.addresses).toEqual([second.address]);
      expect(await answers(second.address)).toBe('ping');
      proxy.suspend();
      expect([second.state, proxy.addresses]).toEqual(['serving.suspended', []]);
      proxy.resume();
      await until('it to listen again', () => proxy.addresses.length === 1);
      expect(await answers(second.address)).toBe('ping');
      expect(await proxy.close()).toMatchObject({ ending: 'closed' });
    });

    test('close of the only one before the start fails the proxy, and names it', async () => {
      const backend = createBackend({ servers: [{ port: 1 }], clock: bench.clock });
      const proxy = make({ listen: LOOPBACK, backends: [bench.keep(backend)] });
      const [only] = listenersOf(proxy);
      await only.close();
      const error = await failureOf(proxy.start());
      expect(error).toBeInstanceOf(ClosedError);
      expect(error.message).toContain(only.id);
      expect(error.cause).toMatchObject({ initiator: 'owner', manner: 'close', phase: 'idle' });
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { initiator: 'owner', manner: 'close' } });
      expect(proxy.timers()).toEqual([]);
      expect(backend.outcome).toMatchObject({ ending: 'closed' });
      expect(() => proxy.suspend()).toThrow(ClosedError);
      expect(() => proxy.resume()).toThrow(ClosedError);
      expect(proxy.addresses).toEqual([]);
    });

    test('close of each before the start fails the proxy', async () => {
      const proxy = make();
      const [first, second] = listenersOf(proxy);
      await first.close();
      expect(proxy.state).toBe('idle');
      await second.close();
      expect((await failureOf(proxy.start())).message).toContain(second.id);
    });

    test('close of each while the backends connect fails the start', async () => {
      const { backend } = makeBackend({ servers: [{ port: await bench.blackhole() }], runtime });
      const proxy = make({ backends: [backend] });
      const start = proxy.start();
      expect(proxy.state).toBe('starting.connecting');
      for (const listener of proxy.listeners) void listener.close();
      const error = await failureOf(start);
      expect(error).toBeInstanceOf(ClosedError);
      expect(error.message).toContain(listenersOf(proxy)[1].id);
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { initiator: 'owner', manner: 'close' } });
      expect(backend.outcome).toBeDefined();
    });

    test('the port of another one is taken: the start rejects with the error of that one', async () => {
      const busy = createServer().listen(LOOPBACK);
      await once(busy, 'listening');
      bench.later(() => busy.close());
      const { port } = busy.address() as AddressInfo;
      const proxy = make({ listen: [LOOPBACK, { host: '127.0.0.1', port }] });
      await proxy.listeners[0]?.close();
      const error = await failureOf(proxy.start());
      expect(error).toBeInstanceOf(BindError);
      expect(error.message).toContain(`127.0.0.1:${port}`);
      expect(error.cause).toMatchObject({ code: 'EADDRINUSE' });
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { code: 'EADDRINUSE' } });
    });

    test.each(['close', 'abort'] as const)('%s while it binds leaves it out', async (end) => {
      const proxy = make();
      const start = proxy.start();
      const [first, second] = listenersOf(proxy);
      // Promises alone lead there: no turn of the loop may pass, or it is bound.
      for (let kept = 0; kept < 50 && !proxy.matches('starting.binding'); kept++) await undefined;
      expect(proxy.state).toBe('starting.binding');
      void first[end]();
      await start;
      expect(proxy.addresses).toEqual([second.address]);
      await proxy.close();
    });

    test('close while it serves leaves it out of suspend(), resume() and addresses', async () => {
      const proxy = make();
      await proxy.start();
      const [first, second] = listenersOf(proxy);
      await first.close();
      expect(proxy.addresses).toEqual([second.address]);
      proxy.suspend();
      expect(second.state).toBe('serving.suspended');
      proxy.resume();
      await until('it to listen again', () => second.matches('serving.listening'));
      await second.close();
      expect(await proxy.closed).toMatchObject({ ending: 'failed' });
      expect(() => proxy.suspend()).toThrow(ClosedError);
    });

    test('close while it is suspended leaves it out of resume()', async () => {
      const proxy = make();
      await proxy.start();
      const [first, second] = listenersOf(proxy);
      proxy.suspend();
      await first.close();
      proxy.resume();
      await until('the other one to listen', () => second.matches('serving.listening'));
      expect(proxy.addresses).toEqual([second.address]);
      await proxy.close();
    });

    test('each was started through its own handle: the proxy starts all the same', async () => {
      const server = await bench.echo();
      const proxy = make({ servers: [server.at] });
      for (const listener of proxy.listeners) await listener.start();
      expect(proxy.state).toBe('idle');
      await proxy.start();
      expect(proxy.state).toBe('running');
      expect(await answers(proxy.addresses[0])).toBe('ping');
      await proxy.close();
    });

    test('a proxy that drains can be neither suspended nor resumed', async () => {
      const server = await bench.silent();
      const proxy = make({ servers: [server.at] });
      await proxy.start();
      await bench.dial(proxy.addresses[0] as { port: number });
      await until('a session', () => proxy.sessions.length === 1);
      void proxy.close();
      expect(() => proxy.suspend()).toThrow(new ClosedError(proxy.id).message);
      expect(() => proxy.resume()).toThrow(new ClosedError(proxy.id).message);
      expect((await failureOf(proxy.start())).message).toBe(new ClosedError(proxy.id).message);
      await proxy.abort();
    });
  });

  describe('a persistent backend', () => {
    const established = async (): Promise<ReturnType<typeof makeBackend>['backend']> => {
      const server = await bench.echo();
      const { backend } = makeBackend({ servers: [server.at], runtime });
      await backend.connect();
      return backend;
    };

    test.each([
      ['close', 'close'],
      ['abort', 'abort'],
    ] as const)('%s before the start: the start says so', async (end, manner) => {
      const backend = await established();
      await backend[end]();
      const proxy = make({ backends: [backend] });
      const error = await failureOf(proxy.start());
      expect(error).toBeInstanceOf(ClosedError);
      expect(error.message).toContain(backend.id);
      const cause = { initiator: 'owner', manner };
      expect(error.cause).toMatchObject(cause);
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause });
    });

    test('is closing but held: the start says that it was closed', async () => {
      const backend = await established();
      const hold = backend.hold();
      void backend.close({ timeoutMs: false });
      expect(backend.outcome).toBeUndefined();
      const proxy = make({ backends: [backend] });
      const start = failureOf(proxy.start());
      await until('the start to fail', () => proxy.matches('stopping'));
      hold.release();
      const error = await start;
      expect(error).toBeInstanceOf(ClosedError);
      expect(error.message).toContain(backend.id);
      expect(error.cause).toMatchObject({ initiator: 'owner', manner: 'close' });
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { initiator: 'owner', manner: 'close' } });
    });

    test('failed before the start: the start says why', async () => {
      const { backend } = makeBackend({
        servers: [{ port: await bench.refusing() }],
        persistent: false,
        attemptsMax: 1,
        runtime,
      });
      void backend.connect();
      await backend.closed;
      const proxy = make({ backends: [backend] });
      expect(await failureOf(proxy.start())).toMatchObject({ code: 'ERR_CONNECT', cause: { code: 'ECONNREFUSED' } });
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { code: 'ECONNREFUSED' } });
    });

    test('close before the last one is established: the start says so', async () => {
      const first = await established();
      const hole = await bench.refusing();
      const { backend: second } = makeBackend({ servers: [{ port: hole }], runtime });
      const proxy = make({ backends: [first, second] });
      const start = proxy.start();
      start.catch(() => {});
      await first.close();
      expect(proxy.state).toBe('starting.connecting');
      await bench.peer(
        plainServer(() => {}, true),
        { port: hole },
      );
      const error = await failureOf(start);
      expect(error.message).toContain(first.id);
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { initiator: 'owner', manner: 'close' } });
    });

    test('close while it connects: the start says so', async () => {
      const { backend } = makeBackend({ servers: [{ port: await bench.blackhole() }], runtime });
      const proxy = make({ backends: [backend] });
      const start = proxy.start();
      void backend.close();
      const error = await failureOf(start);
      expect(error.message).toContain(backend.id);
      expect(await proxy.closed).toMatchObject({ ending: 'failed', cause: { initiator: 'owner', manner: 'close' } });
    });

    test('is shared with a proxy that has been closed: the start of the other one says so', async () => {
      const backend = await established();
      const one = make({ backends: [backend] });
      const other = make({ backends: [backend] });
      await one.start();
      await one.abort();
      const error = await failureOf(other.start());
      expect(error.message).toContain(backend.id);
      expect(await other.closed).toMatchObject({ ending: 'failed', cause: { initiator: 'owner', manner: 'abort' } });
    });

    test('close while the proxy serves leaves it serving', async () => {
      const server = await bench.echo();
      const backend = await established();
      const proxy = make({ servers: [server.at], backends: [backend] });
      await proxy.start();
      await backend.abort();
      expect(await answers(proxy.addresses[0])).toBe('ping');
      expect(await proxy.close()).toMatchObject({ ending: 'closed' });
    });
  });
});
