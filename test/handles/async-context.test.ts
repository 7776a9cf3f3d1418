/** The rule of src/runtime/context.ts: hooks run where they were given, events where the handle was made. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import {
  adoptClient,
  type Balancer,
  createBackend,
  createListener,
  createProxy,
  inOrder,
  Servers,
} from '../../src/index.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { BACKOFF, LOOPBACK, PROXY_WAITS, WAITS } from '../support/make.js';
import { CERTIFICATE, Reader } from '../support/peers.js';
import { turns, until, within } from '../support/wait.js';

const bench = useBench();
const storage = new AsyncLocalStorage<string>();

/** Notes in which context each thing runs. */
class Places {
  readonly seen: Record<string, Set<string | undefined>> = {};

  note(what: string): void {
    this.seen[what] ??= new Set();
    this.seen[what].add(storage.getStore());
  }

  /** A hook that says where it ran, and answers. */
  hook<A extends unknown[], R>(what: string, answer: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      this.note(what);
      return answer(...args);
    };
  }

  /** Listens to events of a handle. */
  events<K extends string>(
    name: string,
    handle: { on(event: K, listener: () => void): unknown },
    ...events: K[]
  ): void {
    for (const event of events) handle.on(event, () => this.note(`${name} ${event}`));
  }

  /** Every one of these has run, and nothing in another context than this one. */
  expectAll(where: string | undefined, ...what: string[]): void {
    expect(Object.keys(this.seen).sort()).toEqual([...what].sort());
    for (const [name, contexts] of Object.entries(this.seen)) expect([name, ...contexts]).toEqual([name, where]);
  }
}

const made = <T>(make: () => T): T => storage.run('made', make);

describe.each([compiledRuntime, xstateRuntime])('on the runtime $name', (runtime) => {
  test('a backend: hooks and events of every attempt, the first and those after a timer', async () => {
    const places = new Places();
    const peer = await bench.echo();
    const [one, other] = [await bench.refusing(), await bench.refusing()];
    const balance: Balancer = inOrder();
    const backend = made(() =>
      bench.keep(
        createBackend({
          runtime,
          clock: bench.clock,
          ...WAITS,
          backoff: { ...BACKOFF, jitter: 0.5 },
          servers: [
            { host: '127.0.0.1', port: one },
            {
              host: '127.0.0.1',
              port: other,
              connect: places.hook('connect', ({ port }) => connect(port as number, '127.0.0.1')),
            },
            { ...peer.at, connectionsMax: 1 },
          ],
          balance: {
            choose: places.hook('choose', (servers, isUsable, wanted) => balance.choose(servers, isUsable, wanted)),
          },
          isPermanent: places.hook('isPermanent', () => false),
          random: places.hook('random', () => 0.5),
          prepare: places.hook('prepare', async (socket: Socket) => {
            socket.once('data', () => places.note('data in prepare'));
            socket.write('x');
            await turns(1);
            places.note('prepare, later');
            // The third attempt fails in the hook, so that all are tried again after a wait.
            if (failures-- > 0) throw new Error('no');
            await until('the answer', () => places.seen['data in prepare'] !== undefined);
          }),
          repair: places.hook('repair', () => {}),
        }),
      ),
    );
    let failures = 2;
    places.events('backend', backend, 'established', 'dropped', 'failover', 'retry', 'closing', 'released', 'closed');
    await storage.run('asked', () => within(5_000, 'the first connection', backend.connect()));
    storage.run('cut', () => (backend.connection as { socket: Socket }).socket.destroy(new Error('stuck')));
    await until('the drop', () => backend.connection === undefined);
    await storage.run('asked', () => within(5_000, 'the second connection', backend.ready()));
    const hold = storage.run('held', () => backend.hold());
    hold.signal.addEventListener('abort', () => places.note('signal of a hold'));
    await storage.run('ended', () => within(5_000, 'the end', backend.close()));
    places.expectAll(
      'made',
      'connect',
      'choose',
      'isPermanent',
      'random',
      'prepare',
      'prepare, later',
      'data in prepare',
      'repair',
      'signal of a hold',
      ...['established', 'dropped', 'failover', 'retry', 'closing', 'released', 'closed'].map(
        (name) => `backend ${name}`,
      ),
    );
  });

  test.each(['tcp', 'tls'] as const)(
    'the socket of a connection over %s: what comes belongs to no request',
    async (kind) => {
      const places = new Places();
      const peer = await (kind === 'tcp' ? bench.echo() : bench.tls());
      const checked = places.hook('checkServerIdentity', () => undefined);
      const tls = kind === 'tcp' ? {} : { tls: { ca: CERTIFICATE.cert, checkServerIdentity: checked } };
      const backend = made(() =>
        bench.keep(createBackend({ runtime, clock: bench.clock, ...WAITS, servers: [{ ...peer.at, ...tls }] })),
      );
      await storage.run('asked', () => backend.connect());
      const { socket } = backend.hold();
      await storage.run(
        'request',
        () =>
          new Promise<void>((resolve) => {
            socket.once('data', () => {
              places.note('data');
              resolve();
            });
            socket.write('x');
          }),
      );
      places.expectAll('made', 'data', ...(kind === 'tls' ? ['checkServerIdentity'] : []));
    },
  );

  test('timers: whoever lets time pass', async () => {
    const places = new Places();
    const clock = new ManualClock();
    const silent = await bench.silent();
    const backend = made(() =>
      bench.keep(
        createBackend({
          runtime,
          clock,
          ...WAITS,
          attemptsMax: 1,
          whenExhausted: 'wait',
          servers: [silent.at],
          prepare: (_socket, { signal }) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                places.note('signal of prepare');
                reject(signal.reason);
              });
            }),
        }),
      ),
    );
    places.events('backend', backend, 'exhausted', 'closed');
    void storage.run('asked', () => backend.connect());
    await until('the hook', () => backend.matches('active.preparing'));
    storage.run('advanced', () => clock.advance(WAITS.prepareTimeout));
    await until('the end of the attempts', () => backend.matches('active.exhausted'));
    await backend.close();
    places.expectAll('made', 'signal of prepare', 'backend exhausted', 'backend closed');
  });

  test('a proxy: its own events, those of its parts, and its hooks', async () => {
    const places = new Places();
    const peer = await bench.resetter();
    const refusing = await bench.refusing();
    const proxy = made(() =>
      bench.keep(
        createProxy({
          runtime,
          clock: bench.clock,
          listen: LOOPBACK,
          ...PROXY_WAITS,
          backoff: BACKOFF,
          balance: 'inOrder',
          clientsMax: 1,
          servers: [{ host: '127.0.0.1', port: refusing }, peer.at],
          admit: places.hook('admit', async () => {
            await turns(1);
            places.note('admit, later');
          }),
        }),
      ),
    );
    places.events(
      'proxy',
      proxy,
      'running',
      'established',
      'retry',
      'failover',
      'dropped',
      'clientClosed',
      'sessionClosed',
    );
    places.events('proxy', proxy, 'refused', 'closed');
    const [listener] = proxy.listeners;
    if (listener === undefined) throw new Error('There is no listener');
    places.events('listener', listener, 'listening', 'client', 'clientClosed', 'refused', 'closed');
    proxy.on('established', (session) => {
      places.events('session', session, 'closed');
      places.events('client', session.client, 'closed', 'released');
      places.events('backend', session.backend, 'dropped', 'closed');
    });
    await storage.run('started', () => proxy.start());
    const { port } = proxy.addresses[0] as { port: number };
    const client = storage.run('client', () => bench.own(connect(port, '127.0.0.1')));
    const reader = new Reader(client);
    await until('a session', () => proxy.sessions.length === 1);
    const another = new Reader(bench.own(connect(port, '127.0.0.1')));
    await another.ends();
    client.write('x');
    await reader.ends();
    await until('the end of the session', () => proxy.sessions.length === 0);
    await storage.run('ended', () => proxy.close());
    const of = (name: string, events: string): string[] => events.split(' ').map((event) => `${name} ${event}`);
    places.expectAll(
      'made',
      'admit',
      'admit, later',
      ...of('proxy', 'running established failover dropped clientClosed sessionClosed refused closed'),
      ...of('listener', 'listening client clientClosed refused closed'),
      ...of('session', 'closed'),
      ...of('client', 'closed released'),
      ...of('backend', 'dropped closed'),
      ...(places.seen['proxy retry'] === undefined ? [] : ['proxy retry']),
    );
  });

  test('a listener that binds only later, and the clients that it accepts then', async () => {
    const places = new Places();
    const clock = new ManualClock();
    const port = await bench.refusing();
    const taken = createServer().listen(port, '127.0.0.1');
    bench.later(() => void taken.close());
    await until('the port to be taken', () => taken.listening);
    const listener = made(() =>
      bench.keep(createListener({ runtime, clock, host: '127.0.0.1', port, bindAttempts: 2, bindBackoff: 1_000 })),
    );
    places.events('listener', listener, 'retry', 'listening', 'client');
    const started = storage.run('started', () => listener.start());
    await until('the wait', () => places.seen['listener retry'] !== undefined);
    await new Promise((resolve) => taken.close(resolve));
    storage.run('advanced', () => clock.advance(1_000));
    await within(5_000, 'the second attempt to bind', started);
    const client = bench.own(connect(port, '127.0.0.1'));
    await until('the client', () => places.seen['listener client'] !== undefined);
    client.destroy();
    places.expectAll('made', 'listener retry', 'listener listening', 'listener client');
  });

  test('a client that is adopted by hand', async () => {
    const places = new Places();
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      const client = made(() =>
        bench.keep(adoptClient(socket, { runtime, clock: bench.clock, admit: places.hook('admit', () => {}) })),
      );
      places.events('client', client, 'established', 'dropped', 'released', 'closed');
      client.on('established', ({ socket: admitted }) => {
        admitted.resume();
        peer.resetAndDestroy();
      });
    });
    storage.run('server', () => server.listen(0, '127.0.0.1'));
    bench.later(() => void server.close());
    await until('the server', () => server.listening);
    const peer = bench.own(connect((server.address() as AddressInfo).port, '127.0.0.1'));
    await until('the end', () => places.seen['client closed'] !== undefined);
    places.expectAll(
      'made',
      'admit',
      ...(places.seen['client dropped'] === undefined ? [] : ['client dropped']),
      ...['established', 'released', 'closed'].map((name) => `client ${name}`),
    );
  });

  test('hooks of a set of servers run where that was made, also for a backend made elsewhere', async () => {
    const places = new Places();
    const peer = await bench.echo();
    const servers = storage.run('set', () => {
      const balance = inOrder();
      return new Servers([peer.at], {
        clock: bench.clock,
        balance: { choose: places.hook('choose', (list, isUsable, wanted) => balance.choose(list, isUsable, wanted)) },
      });
    });
    const backend = made(() => bench.keep(createBackend({ runtime, servers, ...WAITS })));
    await storage.run('asked', () => backend.connect());
    places.expectAll('set', 'choose');
  });

  test('a backend keeps nothing of the context of the request that had it connect', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const requests = new AsyncLocalStorage<object>();
    const peer = await bench.echo();
    const backend = bench.keep(createBackend({ runtime, servers: [peer.at], ...WAITS }));
    const ask = async (): Promise<WeakRef<object>> => {
      const request = {};
      await requests.run(request, async () => {
        void backend.closed;
        await backend.connect();
      });
      return new WeakRef(request);
    };
    const request = await ask();
    await until('the context to be let go of', () => {
      collect();
      return request.deref() === undefined;
    });
    expect(backend.connection).toBeDefined();
  });
});
