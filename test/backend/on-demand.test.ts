/** A persistent backend that connects again only when it is asked, and one whose connection is replaced on purpose. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Backend, BackendOptions } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { echo, Reader } from '../support/peers.js';
import { gate, turns, until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend } = makers(bench);

const ON_DEMAND = { reconnect: 'onDemand' } as const;

const rests = (backend: Backend): Promise<void> => until('the rest', () => backend.state === 'idle');

describe('reconnect on demand', () => {
  /** A server that ends the first connections, as many as this, at their first byte, and echoes the others. */
  const flaky = (times: number) =>
    bench.server((socket, index) => {
      if (index < times) socket.once('data', () => socket.end());
      else echo(socket);
    });

  test('after a drop it rests, and makes no attempt until connect()', async () => {
    const server = await flaky(1);
    const { backend, seen } = makeBackend({ servers: [server.at], ...ON_DEMAND });
    const { socket } = await backend.connect();
    socket.resume().write('x');
    await rests(backend);
    await turns(20);
    expect(seen).toEqual(['established 1', 'dropped 1 peer/end/established', 'released 1']);
    expect([server.accepted, backend.timers()]).toEqual([1, []]);
    expect(backend.connection).toBeUndefined();
    const again = await within(3_000, 'a connection', backend.connect());
    expect(again.incarnation).toBe(2);
    expect(server.accepted).toBe(2);
  });

  test('ready() waits until another caller asks; a close while it rests ends it', async () => {
    const server = await flaky(1);
    const { backend } = makeBackend({ servers: [server.at], ...ON_DEMAND });
    (await backend.connect()).socket.resume().write('x');
    await rests(backend);
    const ready = backend.ready();
    await backend.connect();
    expect((await within(3_000, 'it', ready)).incarnation).toBe(2);
    backend.connection?.socket.destroy();
    await rests(backend);
    expect(await within(1_000, 'the end', backend.close())).toMatchObject({ ending: 'closed', flushed: true });
  });

  test.each(['dropped', 'released'] as const)('connect() while %s is told: the next attempt follows', async (event) => {
    const server = await flaky(1);
    const { backend } = makeBackend({ servers: [server.at], ...ON_DEMAND });
    backend.once(event, () => void backend.connect());
    (await backend.connect()).socket.resume().write('x');
    await until('the next connection', () => backend.connection?.incarnation === 2);
  });

  test('repair runs on the connection after the rest', async () => {
    const server = await flaky(1);
    const ran: string[] = [];
    const { backend } = makeBackend({
      servers: [server.at],
      ...ON_DEMAND,
      prepare: (_socket, { incarnation }) => void ran.push(`prepare ${incarnation}`),
      repair: (_socket, { incarnation }) => void ran.push(`repair ${incarnation}`),
    });
    (await backend.connect()).socket.resume().write('x');
    await rests(backend);
    await backend.connect();
    expect(ran).toEqual(['prepare 1', 'prepare 2', 'repair 2']);
  });

  test('attempts that fail are limited, and then it waits for the next connect()', async () => {
    const port = await bench.refusing();
    const { backend, seen } = makeBackend({ servers: [{ port }], ...ON_DEMAND });
    await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(backend.state).toBe('active.exhausted');
    expect(backend.timers()).toEqual([]);
    expect(seen).toEqual(['retry 2', 'retry 3', 'exhausted peer/refusal/connecting/ECONNREFUSED']);
    await bench.echo({ host: '127.0.0.1', port });
    expect((await backend.connect()).incarnation).toBe(4);
  });

  test('a drop backs off as ever; a rest that was longer is backoff enough', async () => {
    const server = await flaky(2);
    const clock = new ManualClock();
    const { backend } = makeBackend({
      servers: [server.at],
      ...ON_DEMAND,
      clock,
      backoff: { initialMs: 1_000, jitter: 0 },
    });
    const drop = async (): Promise<void> => {
      backend.connection?.socket.resume().write('x');
      await rests(backend);
    };
    const delay = (): Promise<number> => {
      const told = new Promise<number>((resolve) => backend.once('retry', ({ delayMs }) => resolve(delayMs)));
      void backend.connect();
      return told;
    };
    await backend.connect();
    await drop();
    clock.advance(400);
    expect(await delay()).toBe(600);
    clock.advance(600);
    await until('the second connection', () => backend.connection?.incarnation === 2);
    await drop();
    clock.advance(5_000);
    expect(await delay()).toBe(0);
    clock.advance(0);
    await until('the third connection', () => backend.connection?.incarnation === 3);
  });

  test.each<[Partial<BackendOptions>, string]>([
    [{ reconnect: 'never' as never }, 'reconnect'],
    [{ reconnect: true as never }, 'reconnect'],
    [{ reconnect: 'onDemand', persistent: false }, 'reconnect'],
    [{ reconnect: 'onDemand', whenExhausted: 'continue' }, 'whenExhausted'],
  ])('%j is refused', (options, option) => {
    expect(() => makeBackend({ servers: [{ port: 1 }], ...options })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', option }),
    );
  });
});

describe('renew()', () => {
  test('the old connection is flushed and ended before the next one is opened; it is no drop', async () => {
    const accepted: Reader[] = [];
    const order: string[] = [];
    const server = await bench.server((socket, index) => {
      order.push(`opened ${index + 1}`);
      accepted.push(new Reader(socket));
      socket.on('end', () => {
        order.push(`ended ${index + 1}`);
        socket.end();
      });
    });
    const { backend, seen } = makeBackend({ servers: [server.at] });
    const { socket } = await backend.connect();
    const body = Buffer.alloc(2_000_000, 'x');
    socket.write(body);
    const next = await within(5_000, 'the next connection', backend.renew());
    expect(next.incarnation).toBe(2);
    expect(order).toEqual(['opened 1', 'ended 1', 'opened 2']);
    expect(accepted[0]?.bytes).toBe(body.length);
    expect(seen).toEqual(['established 1', 'released 1', 'established 2']);
    expect(backend.servers.list[0]).toMatchObject({ failures: 0, connections: 1 });
  });

  test('holders finish first; they hear that it closes, and no other can hold it', async () => {
    const server = await bench.echo();
    const { backend } = makeBackend({ servers: [server.at] });
    await backend.connect();
    const hold = backend.hold();
    const closing = new Promise<void>((resolve) => backend.once('closing', resolve));
    const renewed = backend.renew();
    await closing;
    expect(() => backend.hold()).toThrow(expect.objectContaining({ code: 'ERR_NOT_ESTABLISHED' }));
    hold.socket.write('to the end');
    const [answer] = await once(hold.socket, 'data');
    expect(String(answer)).toBe('to the end');
    expect(hold.signal.aborted).toBe(false);
    hold.release();
    expect((await within(3_000, 'it', renewed)).incarnation).toBe(2);
  });

  test('a holder that does not let go is told at closeTimeout, and the next connection follows', async () => {
    const server = await bench.echo();
    const { backend, seen } = makeBackend({ servers: [server.at], closeTimeout: 50 });
    await backend.connect();
    const hold = backend.hold();
    const renewed = backend.renew();
    await within(3_000, 'the signal', once(hold.signal, 'abort'));
    hold.release();
    await within(3_000, 'it', renewed);
    expect(seen).toEqual(['established 1', 'released 1', 'established 2']);
  });

  test('a server that does not end is left at closeTimeout', async () => {
    const server = await bench.server((socket) => void socket.resume());
    const { backend } = makeBackend({ servers: [server.at], closeTimeout: 50 });
    await backend.connect();
    expect((await within(3_000, 'it', backend.renew())).incarnation).toBe(2);
    expect(backend.servers.list[0]).toMatchObject({ failures: 0, connections: 1 });
  });

  test('a connection that is lost while its holders finish is a drop, and is repaired', async () => {
    const server = await bench.server((socket, index) => {
      if (index === 0) socket.once('data', () => socket.resetAndDestroy());
    });
    let repaired = 0;
    const { backend, seen } = makeBackend({ servers: [server.at], repair: () => void repaired++ });
    await backend.connect();
    const hold = backend.hold();
    hold.socket.resume();
    const renewed = backend.renew();
    hold.socket.write('x');
    await within(3_000, 'the signal', once(hold.signal, 'abort'));
    hold.release();
    await within(3_000, 'it', renewed);
    expect(seen.slice(0, 3)).toEqual(['established 1', 'dropped 1 peer/reset/closing/ECONNRESET', 'released 1']);
    expect(repaired).toBe(1);
  });

  test('where there is no connection it is as connect()', async () => {
    const server = await bench.echo();
    const { backend } = makeBackend({ servers: [server.at], ...ON_DEMAND });
    expect((await within(3_000, 'it', backend.renew())).incarnation).toBe(1);
    backend.connection?.socket.destroy();
    await rests(backend);
    expect((await within(3_000, 'it', backend.renew())).incarnation).toBe(2);
  });

  test('while it connects, and in the listener of the event, it is the next connection', async () => {
    const server = await bench.echo();
    const { backend } = makeBackend({ servers: [server.at] });
    const first = backend.renew();
    const both = Promise.all([first, backend.renew()]);
    const renewed = new Promise<number>((resolve) => {
      backend.once('established', () => resolve(backend.renew().then(({ incarnation }) => incarnation)));
    });
    expect((await both).map(({ incarnation }) => incarnation)).toEqual([1, 1]);
    expect(await within(3_000, 'it', renewed)).toBe(2);
  });

  test('close() while the old connection ends is final', async () => {
    const wait = gate<Socket>();
    const server = await bench.server((socket) => {
      socket.resume();
      wait.open(socket);
    });
    const { backend } = makeBackend({ servers: [server.at] });
    await backend.connect();
    const renewed = backend.renew();
    const outcome = backend.close();
    (await wait.promise).end();
    expect(await within(3_000, 'the end', outcome)).toMatchObject({ ending: 'closed', flushed: true });
    await expect(renewed).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(server.accepted).toBe(1);
  });

  test('a conversation has no other connection', () => {
    const { backend } = makeBackend({ servers: [{ port: 1 }], persistent: false });
    expect(() => backend.renew()).toThrow(expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' }));
  });
});
