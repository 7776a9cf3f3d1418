/** Where a client goes: a hook that says so, for each client, and what becomes of those that it turns away. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Balancer, type Client, type Outcome, type RouteHook, Servers, type TcpProxy } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { why } from '../support/record.js';
import { gate, until, within } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

type At = { readonly host: string; readonly port: number };

/** Proxies to servers that say their names. */
async function named<const N extends readonly string[]>(...names: N): Promise<{ [I in keyof N]: At }> {
  return (await Promise.all(names.map(async (name) => (await bench.greeter(name, 'end')).at as At))) as never;
}

async function answerTo(at: At, from?: string): Promise<string> {
  const socket = bench.own(connect({ ...at, ...(from !== undefined && { localAddress: from }) }));
  const reader = new Reader(socket);
  socket.end();
  await reader.ends();
  return reader.text;
}

const refusal = (proxy: TcpProxy): Promise<Outcome> =>
  within(
    5_000,
    'a client that is turned away',
    new Promise((resolve) => proxy.once('clientClosed', ({ outcome }) => resolve(outcome))),
  );

const sessionEnd = (proxy: TcpProxy): Promise<Outcome> =>
  within(
    5_000,
    'the end of a session',
    new Promise((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome))),
  );

describe('what a route may answer', () => {
  test('a server, at once', async () => {
    const [one] = await named('one');
    const { at } = await makeProxy({ route: () => one });
    expect(await answerTo(at)).toBe('one');
  });

  test('a promise of a list, whose first server is dead', async () => {
    const [one] = await named('one');
    const { at, seen } = await makeProxy({
      balance: 'inOrder',
      route: async () => [{ port: await bench.refusing() }, one],
    });
    expect(await answerTo(at)).toBe('one');
    expect(seen.join()).toContain('failover');
  });

  test('a set of servers, which remembers what clients have met', async () => {
    const [one] = await named('one');
    const servers = new Servers([{ port: await bench.refusing() }, one], {
      balance: 'inOrder',
      clock: bench.clock,
      backoff: { initialMs: 10, maxMs: 40, jitter: 0 },
    });
    const { at, proxy } = await makeProxy({ route: () => servers });
    expect(await answerTo(at)).toBe('one');
    expect(servers.list[0]?.failures).toBe(1);
    expect(await answerTo(at)).toBe('one');
    expect(servers.list[0]?.failures).toBe(1);
    expect(proxy.servers.list).toEqual([]);
    void servers.close();
  });

  test('one server of a set, and no other is tried', async () => {
    const [one, two] = await named('one', 'two');
    const servers = new Servers([one, two, { port: await bench.refusing() }], {
      clock: bench.clock,
    });
    let which = 0;
    const { at, proxy } = await makeProxy({
      attemptsMax: 2,
      route: () => servers.list[which] as NonNullable<(typeof servers.list)[0]>,
    });
    which = 1;
    for (let round = 0; round < 3; round++) expect(await answerTo(at)).toBe('two');
    which = 2;
    const over = sessionEnd(proxy);
    const socket = bench.own(connect(at));
    expect(await new Reader(socket).ends()).toBe('reset');
    expect(why((await over).cause)).toContain('ECONNREFUSED');
    expect(servers.list.map(({ failures, connections }) => [failures, connections])).toEqual([
      [0, 0],
      [0, 0],
      [2, 0],
    ]);
    void servers.close();
  });

  test('one server of a set that is full: the client waits for a place there', async () => {
    const server = await bench.echo();
    const servers = new Servers([{ ...(server.at as At), connectionsMax: 1 }, (await bench.echo()).at as At], {
      clock: bench.clock,
    });
    const [full] = servers.list;
    const { at, proxy } = await makeProxy({ route: () => full as NonNullable<typeof full> });
    const first = bench.own(connect(at));
    await until('the first session', () => proxy.sessions[0]?.matches('relaying') === true);
    const second = bench.own(connect(at));
    await until('the second session to wait', () => proxy.sessions[1]?.backend.matches('active.choosing') === true);
    first.destroy();
    await until('the second session', () => proxy.sessions.some((session) => session.matches('relaying')));
    second.destroy();
  });

  test('a stream that is open already', async () => {
    const server = await bench.echo();
    const { at } = await makeProxy({
      route: async () => {
        const socket = bench.own(connect(server.at as At));
        await once(socket, 'connect');
        return socket;
      },
    });
    const socket = bench.own(connect(at));
    const reader = new Reader(socket);
    socket.end('hello');
    await reader.ends();
    expect(reader.text).toBe('hello');
  });

  test('a stream that is over already refuses the client, and nothing is tried again', async () => {
    const { at, proxy } = await makeProxy({
      route: () => {
        const socket = connect({ port: 1, host: '127.0.0.1' }).on('error', () => {});
        socket.destroy();
        return socket;
      },
    });
    const over = sessionEnd(proxy);
    bench.own(connect(at)).on('error', () => {});
    const { ending, cause } = await over;
    expect(ending).toBe('refused');
    expect(cause.code).toBe('ERR_SOCKET_CLOSED');
  });

  test('a target with a key, which the balancer gets with the client', async () => {
    const [one, two] = await named('one', 'two');
    const asked: unknown[] = [];
    const balance: Balancer = {
      choose(servers, isUsable, { client, key }) {
        asked.push([key, client?.peer?.address]);
        return servers.filter(isUsable).find((_, index) => index === Number(key));
      },
    };
    const servers = new Servers([one, two], { clock: bench.clock, balance });
    const { at } = await makeProxy({
      route: (client) => ({ to: servers, key: client.peer?.address === '127.0.0.2' ? '1' : '0' }),
    });
    expect(await answerTo(at, '127.0.0.2')).toBe('two');
    expect(await answerTo(at, '127.0.0.1')).toBe('one');
    expect(asked).toEqual([
      ['1', '127.0.0.2'],
      ['0', '127.0.0.1'],
    ]);
  });

  test('without a route: a key of the client for the servers of all', async () => {
    const [one, two] = await named('one', 'two');
    const { at } = await makeProxy({
      servers: [one, two],
      key: (client) => client.peer?.address,
      balance: { choose: (servers, isUsable, { key }) => servers.filter(isUsable)[key === '127.0.0.2' ? 1 : 0] },
    });
    for (let round = 0; round < 3; round++) expect(await answerTo(at, '127.0.0.2')).toBe('two');
    expect(await answerTo(at, '127.0.0.1')).toBe('one');
  });
});

describe('a client that a route turns away is reset', () => {
  const CASES: readonly [string, RouteHook, string][] = [
    ['false', () => false, 'owner/refusal/routing'],
    ['a promise of false', async () => false, 'owner/refusal/routing'],
    [
      'an error',
      () => {
        throw Object.assign(new Error('no'), { code: 'ENOTENANT' });
      },
      'owner/error/routing/ENOTENANT',
    ],
    [
      'a promise that rejects',
      () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTENANT' })),
      'owner/error/routing/ENOTENANT',
    ],
    ['nothing', () => undefined as never, 'owner/error/routing/ERR_INVALID_OPTION'],
    ['a misspelt server', () => ({ prot: 1 }) as never, 'owner/error/routing/ERR_INVALID_OPTION'],
    ['an empty list', () => [], 'owner/error/routing/ERR_INVALID_OPTION'],
    ['a key that is none', () => ({ to: { port: 1 }, key: 1 as never }), 'owner/error/routing/ERR_INVALID_OPTION'],
  ];
  test.each(CASES)('%s', async (_what, route, expected) => {
    const { at, proxy } = await makeProxy({ route });
    const over = sessionEnd(proxy);
    const client = refusal(proxy);
    const socket = bench.own(connect(at));
    const [error] = (await within(5_000, 'the reset', once(socket, 'error'))) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    const { ending, cause } = await over;
    expect(`${ending} ${why(cause)}`).toBe(`refused ${expected}`);
    await client;
  });

  test('a hook that takes too long: its signal fires, and its late answer opens nothing', async () => {
    const server = await bench.echo();
    const aborted = gate();
    const late = gate();
    const { at, proxy } = await makeProxy({
      routeTimeout: 50,
      route: async (_client, { signal }) => {
        signal.addEventListener('abort', () => aborted.open());
        await late.promise;
        return server.at as At;
      },
    });
    const over = sessionEnd(proxy);
    bench.own(connect(at)).on('error', () => {});
    await within(5_000, 'the signal', aborted.promise);
    expect(why((await over).cause)).toBe('library/timeout/routing/routeTimeout');
    late.open();
    await new Promise(setImmediate);
    expect(server.accepted).toBe(0);
  });
});

describe('while the route is awaited', () => {
  async function routing() {
    const server = await bench.echo();
    const asked = gate<Client>();
    const answer = gate();
    const signals: AbortSignal[] = [];
    const { proxy, at } = await makeProxy({
      route: async (client, { signal }) => {
        signals.push(signal);
        asked.open(client);
        await answer.promise;
        return server.at as At;
      },
    });
    const socket = bench.own(connect(at));
    socket.on('error', () => {});
    await within(5_000, 'the hook', asked.promise);
    const session = proxy.sessions[0] as NonNullable<(typeof proxy.sessions)[0]>;
    expect(session.state).toBe('routing.open');
    return { server, answer, signals, proxy, socket, session };
  }

  test('what the client sends comes first, and its end is passed on', async () => {
    const { answer, socket, session, signals } = await routing();
    const reader = new Reader(socket);
    socket.end('before');
    await until('its end to be seen', () => session.matches('routing.clientEnded'));
    answer.open();
    await reader.ends();
    expect(reader.text).toBe('before');
    expect(signals[0]?.aborted).toBe(false);
  });

  test('a client that resets leaves at once', async () => {
    const { socket, session, signals, server, answer } = await routing();
    socket.resetAndDestroy();
    const { ending } = await within(5_000, 'the end', session.closed);
    expect(ending).toBe('dropped');
    expect(signals[0]?.aborted).toBe(true);
    answer.open();
    await new Promise(setImmediate);
    expect(server.accepted).toBe(0);
  });

  test.each(['close', 'abort'] as const)('%s of the session resets the client and revokes the route', async (how) => {
    const { socket, session, signals } = await routing();
    const reader = new Reader(socket);
    const { ending, cause, flushed } = await session[how]();
    expect([ending, cause.phase, flushed]).toEqual([how === 'close' ? 'closed' : 'aborted', 'routing', false]);
    expect(await reader.ends()).toBe('reset');
    expect(signals[0]?.aborted).toBe(true);
    expect(session.backend.outcome?.ending).toBe('aborted');
  });

  test('a drain waits for the answer', async () => {
    const { proxy, answer, socket } = await routing();
    const reader = new Reader(socket);
    const closed = proxy.close({ timeoutMs: 5_000 });
    answer.open();
    socket.end('late');
    await reader.ends();
    expect(reader.text).toBe('late');
    expect((await closed).ending).toBe('closed');
  });
});

test('options that contradict each other are refused at the call', async () => {
  const { createProxy } = await import('../../src/index.js');
  expect(() => createProxy({ listen: { port: 0 } })).toThrow(/"servers" must be given/);
  expect(() => createProxy({ servers: [{ port: 1 }], route: () => false })).toThrow(
    /"servers" must be left out where route/,
  );
  expect(() => createProxy({ key: () => 'a', route: () => false })).toThrow(/"key" must be left out where route/);
  expect(() => createProxy({ route: 1 as never })).toThrow(/"route" must be a function/);
  expect(() => createProxy({ route: () => false, balance: 'fastest' as never })).toThrow(/"balance" must be/);
});

describe('a stream that nothing comes of is closed', () => {
  /** Sockets that a hook has opened. */
  async function opened(answer: (socket: Socket) => unknown, when: 'at once' | 'late') {
    const server = await bench.silent();
    const sockets: Socket[] = [];
    const late = gate();
    const { proxy, at } = await makeProxy({
      route: async () => {
        const socket = connect(server.at as At);
        await once(socket, 'connect');
        sockets.push(socket);
        if (when === 'late') await late.promise;
        return answer(socket) as false;
      },
    });
    const over = sessionEnd(proxy);
    const client = bench.own(connect(at));
    await until('the hook', () => sockets.length === 1);
    return { sockets, late, over, client };
  }

  test('when its client has left before the answer', async () => {
    const { sockets, late, over, client } = await opened((socket) => socket, 'late');
    client.resetAndDestroy();
    await over;
    late.open();
    await until('the stream to be closed', () => sockets[0]?.closed === true);
  });

  test('when the answer is refused', async () => {
    const { sockets, over } = await opened((socket) => ({ to: socket, key: 5 }), 'at once');
    expect((await over).ending).toBe('refused');
    await until('the stream to be closed', () => sockets[0]?.closed === true);
  });

  test('when it fails late: no error is left without a listener', async () => {
    const answer = gate();
    const { proxy, at } = await makeProxy({
      routeTimeout: 20,
      route: async () => {
        await answer.promise;
        return connect({ host: '127.0.0.1', port: await bench.refusing() });
      },
    });
    const over = sessionEnd(proxy);
    bench.own(connect(at));
    expect((await over).cause.code).toBe('routeTimeout');
    answer.open();
    await new Promise((resolve) => setImmediate(resolve));
  });
});

test('a signal that is first read when the answer is no longer wanted has fired', async () => {
  const revoked = gate();
  const seen = gate<boolean>();
  const { at, proxy } = await makeProxy({
    routeTimeout: 20,
    route: async (_client, context) => {
      await revoked.promise;
      seen.open(context.signal.aborted);
      return false;
    },
  });
  const over = sessionEnd(proxy);
  bench.own(connect(at));
  await over;
  revoked.open();
  expect(await seen.promise).toBe(true);
});

test('a list of servers of a set is refused with what would be right', async () => {
  const servers = new Servers([{ port: 1 }, { port: 2 }], { clock: bench.clock });
  const { at, proxy } = await makeProxy({ route: () => servers.list as never });
  const over = sessionEnd(proxy);
  bench.own(connect(at));
  expect(String(((await over).cause.error as Error).message)).toMatch(/one server of a Servers, or the Servers/);
});
