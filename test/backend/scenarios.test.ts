/** What goes wrong with a backend, one story each, on real sockets. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { type Backend, type Cause, createBackend, createProxy, type Server, Servers } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { BACKOFF, makers, WAITS } from '../support/make.js';
import { CERTIFICATE, dialTls, echo, Reader, refusingPort } from '../support/peers.js';
import { how, recordBackend, times } from '../support/record.js';
import { gate, ranMs, turns, until, within } from '../support/wait.js';

const bench = useBench();

const { makeBackend, makeListener } = makers(bench);

const nextRetry = (backend: Backend): Promise<{ attempt: number; delayMs: number; cause: Cause }> =>
  within(5_000, 'a retry', new Promise((resolve) => backend.once('retry', resolve)));

const nextEstablished = (backend: Backend): Promise<unknown> =>
  within(5_000, 'a connection', new Promise((resolve) => backend.once('established', resolve)));

/** A hook that waits until it is told to stop, as a good one does. */
const untilAborted = (_socket: Socket, { signal }: { signal: AbortSignal }): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

test('close while connecting', async () => {
  const port = await bench.blackhole();
  const { backend, seen } = makeBackend({ servers: [{ port }] });
  const connecting = backend.connect();
  expect(backend.state).toBe('active.connecting');
  const outcome = await within(150, 'the close', backend.close());
  expect(how(outcome)).toBe('closed owner/close/connecting');
  expect(outcome.flushed).toBe(true);
  expect(seen).toEqual(['closed closed']);
  await expect(connecting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect(backend.timers()).toEqual([]);
  expect(backend.servers.list[0]?.connections).toBe(0);
});

test('a connect that succeeds after close', async () => {
  const server = await bench.echo();
  let connected = 0;
  const { backend, seen } = makeBackend({
    servers: [
      {
        ...server.at,
        connect: ({ host, port }: Server) => {
          const socket = connect({ host, port: port as number });
          // Just before the library hears of it, its owner closes: the success is late.
          socket.on('connect', () => {
            connected++;
            void backend.close();
          });
          return socket;
        },
      },
    ],
  });
  const connecting = backend.connect();
  const outcome = await within(1_000, 'the close', backend.closed);
  expect(connected).toBe(1);
  expect(how(outcome)).toBe('closed owner/close/connecting');
  expect(seen).toEqual(['closed closed']);
  await expect(connecting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  await server.connection();
  await server.left();
  expect(server.accepted).toBe(1);
});

test('connect after close', async () => {
  const server = await bench.echo();
  const { backend, seen } = makeBackend({ servers: [server.at] });
  await backend.connect();
  await backend.close();
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  await expect(backend.ready()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect(() => backend.hold()).toThrow(expect.objectContaining({ code: 'ERR_NOT_ESTABLISHED' }));
  await turns();
  expect(server.accepted).toBe(1);
  expect(seen).toEqual(['established 1', 'released 1', 'closed closed']);

  const never = makeBackend({ servers: [server.at] });
  expect(how(await never.backend.close())).toBe('closed owner/close/idle');
  await expect(never.backend.connect()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect(server.accepted).toBe(1);
});

test('the peer closes while preparing', async () => {
  const server = await bench.server((socket, index) => {
    if (index === 0) socket.end();
    else echo(socket);
  });
  const signals: AbortSignal[] = [];
  const { backend, seen } = makeBackend({
    servers: [server.at],
    prepare: (socket, context) => {
      signals.push(context.signal);
      // Reads, for else the end is not seen.
      socket.resume();
      return context.incarnation === 1 ? untilAborted(socket, context) : undefined;
    },
  });
  const { incarnation } = await backend.connect();
  expect(incarnation).toBe(2);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  expect(seen).toEqual(['released 1', 'retry 2', 'established 2']);
  expect(server.accepted).toBe(2);
});

test('accept-then-drop flapping', async () => {
  const server = await bench.resetter();
  const clock = new ManualClock();
  const { backend, seen } = makeBackend({ servers: [server.at], clock });
  const delays: number[] = [];
  const states: string[] = [];
  backend.on('established', () => {
    // Reads, for else the reset is not seen.
    backend.connection?.socket.resume().write('x');
  });
  const rounds = gate();
  backend.on('retry', ({ delayMs }) => {
    if (delays.push(delayMs) === 6) rounds.open();
    else setImmediate(wait, delayMs);
  });
  const wait = (delayMs: number): void => {
    clock.advance(delayMs - 1);
    states.push(backend.state);
    clock.advance(1);
  };
  void backend.connect();
  await within(5_000, 'six rounds', rounds.promise);
  await backend.close();
  expect(delays).toEqual([10, 20, 40, 40, 40, 40]);
  expect(times(seen, 'established')).toBe(6);
  expect(times(seen, 'dropped')).toBe(6);
  expect(times(seen, 'released')).toBe(6);
  expect(seen.slice(0, 4)).toEqual([
    'established 1',
    'dropped 1 peer/reset/established/ECONNRESET',
    'released 1',
    'retry 2',
  ]);
  expect(server.accepted).toBe(6);
  expect(states).toEqual(Array(5).fill('active.waiting'));
});

test('two closes at once', async () => {
  const server = await bench.echo();
  const { backend, seen } = makeBackend({ servers: [server.at] });
  await backend.connect();
  const first = backend.close();
  const second = backend.close({ timeoutMs: 5 });
  expect(second).toBe(first);
  expect(backend.closed).toBe(first);
  expect(how(await first)).toBe('closed owner/close/established');
  expect(await backend.close()).toBe(await first);
  expect(await backend.abort()).toBe(await first);
  expect(seen).toEqual(['established 1', 'released 1', 'closed closed']);
});

test('a holder that never lets go', async () => {
  const server = await bench.server((socket, index) => {
    if (index === 0) socket.once('data', () => socket.resetAndDestroy());
    else echo(socket);
  });
  const { backend, seen } = makeBackend({ servers: [server.at], holdTimeout: 60 });
  await backend.connect();
  const hold = backend.hold();
  hold.socket.on('data', () => {});
  const dropped = gate<number>();
  backend.on('dropped', () => dropped.open(performance.now()));
  const released = gate<number>();
  backend.on('released', () => released.open(performance.now()));
  hold.socket.write('x');
  await dropped.promise;
  await turns(2);
  expect(hold.signal.aborted).toBe(true);
  expect(seen).toEqual(['established 1', 'dropped 1 peer/reset/established/ECONNRESET']);
  expect(backend.state).toBe('active.failover');
  expect((await released.promise) - (await dropped.promise)).toBeGreaterThanOrEqual(55);
  await nextEstablished(backend);
  const expected = [
    'established 1',
    'dropped 1 peer/reset/established/ECONNRESET',
    'released 1',
    'retry 2',
    'established 2',
  ];
  expect(seen).toEqual(expected);
  // Far too late.
  hold.release();
  hold[Symbol.dispose]();
  await turns();
  expect(seen).toEqual(expected);

  // The same with a close: it waits for the holder within its time, and no longer.
  backend.hold();
  const from = ranMs();
  const outcome = await backend.close();
  expect(ranMs() - from).toBeLessThan(WAITS.closeTimeout + WAITS.abortTimeout + 150);
  expect(how(outcome)).toBe('aborted library/timeout/closing/closeTimeout');
  expect(seen).toEqual([...expected, 'released 2', 'closed aborted']);
});

test('the last holder lets go late', async () => {
  const server = await bench.server((socket, index) => {
    if (index === 0) socket.once('data', () => socket.resetAndDestroy());
    else echo(socket);
  });
  const { backend, seen } = makeBackend({ servers: [server.at], holdTimeout: 5_000 });
  await backend.connect();
  const early = backend.hold();
  const late = backend.hold();
  early.socket.on('data', () => {});
  early.socket.write('x');
  await once(early.signal, 'abort');
  early.release();
  early.release();
  await turns();
  expect(late.signal.aborted).toBe(true);
  expect(times(seen, 'released')).toBe(0);
  expect(server.accepted).toBe(1);
  const established = nextEstablished(backend);
  late.release();
  expect(times(seen, 'released')).toBe(1);
  await established;
  expect(seen).toEqual([
    'established 1',
    'dropped 1 peer/reset/established/ECONNRESET',
    'released 1',
    'retry 2',
    'established 2',
  ]);
});

test('a late hold of an older incarnation has no effect', async () => {
  const server = await bench.server((socket, index) => {
    if (index === 0) socket.once('data', () => socket.resetAndDestroy());
    else echo(socket);
  });
  const { backend, seen } = makeBackend({ servers: [server.at], holdTimeout: 20 });
  await backend.connect();
  const old = backend.hold();
  old.socket.on('data', () => {});
  old.socket.write('x');
  await nextEstablished(backend);
  const young = backend.hold();
  const closing = backend.close({ timeoutMs: 5_000 });
  old.release();
  await turns();
  expect(backend.state).toBe('closing.holding');
  expect(times(seen, 'released')).toBe(1);
  young.release();
  expect(how(await closing)).toBe('closed owner/close/established');
  expect(times(seen, 'released')).toBe(2);
});

test('bytes written before a close are flushed', async () => {
  const server = await bench.server((socket) => {
    socket.on('end', () => socket.end());
  });
  const { backend } = makeBackend({ servers: [server.at], closeTimeout: 5_000 });
  const { socket } = await backend.connect();
  const peer = new Reader(await server.connection());
  for (let block = 0; block < 64; block++) socket.write(Buffer.alloc(65_536, block));
  const outcome = await backend.close();
  expect(outcome).toMatchObject({ ending: 'closed', flushed: true });
  expect(await peer.ends()).toBe('end');
  expect(peer.bytes).toBe(64 * 65_536);
});

test('bytes that a silent peer never took are told', async () => {
  const server = await bench.silent();
  const { backend } = makeBackend({ servers: [server.at], closeTimeout: 60 });
  const { socket } = await backend.connect();
  for (let block = 0; block < 256; block++) socket.write(Buffer.alloc(65_536, block));
  expect(await backend.close()).toMatchObject({ ending: 'aborted', flushed: false });
});

test('an error with no listener', async () => {
  const server = await bench.server((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  const backend = bench.keep(
    createBackend({ clock: bench.clock, ...WAITS, backoff: BACKOFF, servers: [server.at], persistent: false }),
  );
  const { socket } = await backend.connect();
  socket.resume();
  socket.write('x');
  expect(how(await within(2_000, 'the end', backend.closed))).toBe('dropped peer/reset/established/ECONNRESET');

  const failing = bench.keep(
    createBackend({
      clock: bench.clock,
      ...WAITS,
      backoff: BACKOFF,
      servers: [{ port: await bench.refusing() }],
      persistent: false,
      attemptsMax: 2,
    }),
  );
  // Not awaited on purpose: nobody hears of the rejection, and that is no error.
  void failing.connect();
  expect(how(await within(2_000, 'the end', failing.closed))).toBe('failed peer/refusal/connecting/ECONNREFUSED');
});

test('all servers down and one comes back', async () => {
  const first = await bench.refusing();
  const second = await bench.refusing();
  // A delay counts from the failure of a server, so that time between two failures would shorten it.
  const clock = new ManualClock();
  const { backend, seen } = makeBackend({
    servers: [{ port: first }, { port: second }],
    balance: 'inOrder',
    clock,
  });
  const delays: number[] = [];
  const rounds = gate();
  backend.on('retry', ({ delayMs }) => {
    delays.push(delayMs);
    if (delays.length === 5) rounds.open();
    setImmediate(() => clock.advance(delayMs));
  });
  const connecting = backend.connect();
  await within(3_000, 'two rounds', rounds.promise);
  // Another server at once, and the wait grows by round.
  expect(delays).toEqual([0, 10, 0, 20, 0]);
  const server = await bench.echo({ port: second });
  const { server: chosen } = await connecting;
  expect(chosen.port).toBe(second);
  expect(times(seen, 'dropped')).toBe(0);
  expect(times(seen, 'released')).toBe(0);
  expect(times(seen, 'established')).toBe(1);
  expect(server.accepted).toBe(1);
  await backend.close();
  expect(times(seen, 'released')).toBe(1);
});

test('failover calls repair only after a drop', async () => {
  const dying = await bench.server((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  const living = await bench.echo();
  const calls: string[] = [];
  const { backend, seen } = makeBackend({
    servers: [dying.at, living.at],
    balance: 'inOrder',
    prepare: (_socket, { incarnation }) => {
      calls.push(`prepare ${incarnation}`);
      // A failed attempt after the drop: the repair is still owed.
      if (incarnation === 2) throw new Error('not yet');
    },
    repair: (_socket, { incarnation }) => void calls.push(`repair ${incarnation}`),
  });
  const { socket } = await backend.connect();
  expect(calls).toEqual(['prepare 1']);
  socket.resume();
  socket.write('x');
  await nextEstablished(backend);
  expect(calls).toEqual(['prepare 1', 'prepare 2', 'prepare 3', 'repair 3']);
  expect(seen.filter((line) => !line.startsWith('retry') && !line.startsWith('failover'))).toEqual([
    'established 1',
    'dropped 1 peer/reset/established/ECONNRESET',
    'released 1',
    'released 2',
    'established 3',
  ]);
  expect(seen).toContain(`failover 127.0.0.1:${dying.port} 127.0.0.1:${living.port}`);
});

test('a FIN that nobody asked for is a drop of a persistent backend', async () => {
  const server = await bench.server((socket, index) => {
    if (index === 0) socket.once('data', () => socket.end());
    else echo(socket);
  });
  const { backend, seen } = makeBackend({ servers: [server.at] });
  const { socket } = await backend.connect();
  socket.resume();
  socket.write('x');
  await nextEstablished(backend);
  expect(seen).toEqual(['established 1', 'dropped 1 peer/end/established', 'released 1', 'retry 2', 'established 2']);
});

describe('a socket that its owner destroys', () => {
  test.each(['tcp', 'tls'] as const)('is no drop: one conversation is aborted, over %s', async (kind) => {
    const server = await (kind === 'tcp' ? bench.echo() : bench.tls());
    const tls = kind === 'tcp' ? {} : { tls: { ca: CERTIFICATE.cert } };
    const { backend, seen } = makeBackend({ servers: [{ ...server.at, ...tls }], persistent: false });
    const { socket } = await backend.connect();
    const hold = backend.hold();
    socket.destroy();
    expect(how(await within(3_000, 'the end', backend.closed))).toBe('aborted owner/destroy/established');
    expect(hold.signal.aborted).toBe(true);
    expect([times(seen, 'dropped'), times(seen, 'released')]).toEqual([0, 1]);
  });

  test('is replaced, where the backend is persistent', async () => {
    const server = await bench.echo();
    const repaired: number[] = [];
    const { backend, seen } = makeBackend({
      servers: [server.at],
      repair: (_socket, { incarnation }) => void repaired.push(incarnation),
    });
    const { socket } = await backend.connect();
    socket.destroy();
    await nextEstablished(backend);
    expect(seen).toEqual(['established 1', 'released 1', 'retry 2', 'established 2']);
    expect(repaired).toEqual([2]);
    expect(backend.servers.list[0]?.failures).toBe(0);
  });

  test('again and again: each wait is longer, and the server has not failed', async () => {
    const server = await bench.echo();
    const clock = new ManualClock();
    const { backend } = makeBackend({ servers: [server.at], clock });
    const waits: number[] = [];
    backend.on('retry', ({ delayMs }) => {
      waits.push(delayMs);
      setImmediate(() => clock.advance(delayMs));
    });
    backend.on('established', ({ socket }) => socket.destroy());
    void backend.connect();
    await until('three waits', () => waits.length === 3);
    expect(waits).toEqual([10, 20, 40]);
    expect(backend.servers.list[0]?.failures).toBe(0);
  });

  test('rests, where it connects on demand', async () => {
    const server = await bench.echo();
    const { backend, seen } = makeBackend({ servers: [server.at], reconnect: 'onDemand' });
    const { socket } = await backend.connect();
    socket.destroy();
    await until('the rest', () => backend.state === 'idle');
    expect(times(seen, 'dropped')).toBe(0);
    expect((await backend.connect()).incarnation).toBe(2);
  });

  test('with an error it is a drop, once, and the error is told', async () => {
    const server = await bench.echo();
    const { backend, seen } = makeBackend({ servers: [server.at], persistent: false });
    const { socket } = await backend.connect();
    const mine = new Error('mine');
    socket.destroy(mine);
    const outcome = await backend.closed;
    expect(how(outcome)).toBe('dropped owner/error/established/Error');
    expect(outcome.cause.error).toBe(mine);
    expect([times(seen, 'dropped'), times(seen, 'released')]).toEqual([1, 1]);
  });
});

test('a signal that is aborted already opens nothing', async () => {
  const server = await bench.echo();
  const signal = AbortSignal.abort();
  const { backend, seen } = makeBackend({ servers: [server.at], signal });
  expect(backend.state).toBe('aborted');
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect(how(await backend.closed)).toBe('aborted owner/abort/idle/ABORT_ERR');
  expect(seen).toEqual([]);
  const listener = makeListener({ signal });
  await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect(listener.address).toBeUndefined();
  const proxy = bench.keep(createProxy({ listen: { port: 0 }, servers: [server.at], signal, clock: bench.clock }));
  await expect(proxy.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  await turns();
  expect(server.accepted).toBe(0);
});

test.each(['connecting', 'preparing', 'established', 'waiting'])('a signal that aborts while %s', async (phase) => {
  const server = await bench.silent();
  const port =
    phase === 'connecting' ? await bench.blackhole() : phase === 'waiting' ? await bench.refusing() : server.port;
  const controller = new AbortController();
  const entered = gate();
  const { backend } = makeBackend({
    servers: [{ port }],
    backoff: { initialMs: 60_000, maxMs: 60_000 },
    signal: controller.signal,
    ...(phase === 'preparing' && {
      prepare: (socket, context) => {
        entered.open();
        return untilAborted(socket, context);
      },
    }),
  });
  const connecting = backend.connect();
  if (phase === 'preparing') await entered.promise;
  if (phase === 'established') await connecting;
  if (phase === 'waiting') await nextRetry(backend);
  expect(backend.state).toMatch(`active.${phase}`);
  controller.abort();
  const outcome = await within(200, 'the abort', backend.closed);
  expect(how(outcome)).toBe(`aborted owner/abort/${phase}/ABORT_ERR`);
});

test('a hook that throws', async () => {
  const server = await bench.echo();
  const { backend, seen } = makeBackend({
    servers: [server.at],
    persistent: false,
    attemptsMax: 2,
    prepare: () => {
      throw Object.assign(new Error('no'), { code: 'NO' });
    },
  });
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(how(await backend.closed)).toBe('failed owner/error/preparing/NO');
  expect(seen).toEqual(['released 1', 'retry 2', 'released 2', 'closed failed']);
  expect(server.accepted).toBe(2);
  await server.left();
});

test('a hook that never settles', async () => {
  const server = await bench.echo();
  const signals: AbortSignal[] = [];
  const { backend, seen } = makeBackend({
    servers: [server.at],
    persistent: false,
    attemptsMax: 2,
    prepareTimeout: 40,
    holdTimeout: 40,
    prepare: (_socket, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    },
  });
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(how(await backend.closed)).toBe('failed library/timeout/preparing/prepareTimeout');
  expect(seen).toEqual(['released 1', 'retry 2', 'released 2', 'closed failed']);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);

  // And a close of one: abandoned after its signal, within the time.
  const entered = gate();
  const stuck = makeBackend({
    servers: [server.at],
    prepare: () => {
      entered.open();
      return new Promise(() => {});
    },
  });
  void stuck.backend.connect();
  await entered.promise;
  const from = ranMs();
  expect(how(await stuck.backend.close({ timeoutMs: 50 }))).toBe('aborted library/timeout/closing/closeTimeout');
  expect(ranMs() - from).toBeLessThan(50 + WAITS.abortTimeout + 150);
  expect(stuck.seen).toEqual(['released 1', 'closed aborted']);
});

test('a hook that settles late says nothing any more', async () => {
  const server = await bench.echo();
  const late = gate();
  const { backend, seen } = makeBackend({
    servers: [server.at],
    prepareTimeout: 30,
    holdTimeout: 30,
    prepare: (_socket, { incarnation }) => (incarnation === 1 ? late.promise : undefined),
  });
  await backend.connect();
  const expected = ['released 1', 'retry 2', 'established 2'];
  expect(seen).toEqual(expected);
  late.open();
  await turns();
  expect(seen).toEqual(expected);
  expect(backend.state).toBe('active.established.open');
});

test('a permanent failure excludes a server', async () => {
  const untrusted = await bench.tls();
  const living = await bench.echo();
  const { backend, seen } = makeBackend({
    servers: [
      { ...untrusted.at, connect: ({ host, port }: Server) => tlsConnect({ host, port: port as number }) },
      living.at,
    ],
    balance: 'inOrder',
    downFor: false,
    isPermanent: ({ code }) => code === 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });
  const { server, socket } = await backend.connect();
  expect(server.port).toBe(living.port);
  const [excluded] = backend.servers.list as [Server];
  expect(excluded.excluded).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT', phase: 'connecting' });
  expect(times(seen, 'dropped')).toBe(0);
  // A drop later does not lead there again.
  socket.destroy();
  await nextEstablished(backend);
  expect(backend.connection?.server.port).toBe(living.port);
  backend.servers.restore(excluded);
  expect(excluded.excluded).toBeUndefined();
});

test('every server excluded', async () => {
  const untrusted = await bench.tls();
  const { backend, seen } = makeBackend({
    servers: [{ ...untrusted.at, connect: ({ host, port }: Server) => tlsConnect({ host, port: port as number }) }],
    whenExhausted: 'wait',
  });
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(backend.state).toBe('active.exhausted');
  expect(seen).toEqual(['exhausted system/error/connecting/DEPTH_ZERO_SELF_SIGNED_CERT']);
  await expect(backend.ready()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  // That of the server, which says when it may be tried again.
  expect(bench.clock.pending.size).toBe(1);
  // Starting afresh forgives.
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(times(seen, 'exhausted')).toBe(2);
  expect(how(await backend.close())).toBe('closed owner/close/waiting');
});

test('exhausted, told to try on, and up again', async () => {
  const port = await bench.refusing();
  const { backend, seen } = makeBackend({
    servers: [{ port }],
    attemptsMax: 2,
    backoff: { initialMs: 5, maxMs: 30, jitter: 0 },
  });
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(seen).toEqual(['retry 2', 'exhausted peer/refusal/connecting/ECONNREFUSED']);
  await bench.echo({ port });
  // At the slowest pace it tries on by itself.
  await nextEstablished(backend);
  expect(times(seen, 'dropped')).toBe(0);
});

test('an empty retry budget', async () => {
  const port = await bench.refusing();
  const clock = new ManualClock();
  const servers = new Servers([{ port }], {
    clock,
    retryBudget: { burst: 1, perSecond: 0, ratio: 0 },
    backoff: { initialMs: 5, maxMs: 500, jitter: 0 },
  });
  const conversation = (): Backend => bench.keep(createBackend({ ...WAITS, clock, servers, persistent: false }));
  const first = conversation();
  const seen = recordBackend(first);
  first.on('retry', ({ delayMs }) => setImmediate(() => clock.advance(delayMs)));
  void first.connect();
  // One retry is there; from then on they come at the slowest pace.
  expect((await nextRetry(first)).delayMs).toBe(5);
  expect((await nextRetry(first)).delayMs).toBeGreaterThan(400);
  expect(how(await first.closed)).toBe('failed peer/refusal/connecting/ECONNREFUSED');
  expect(times(seen, 'retry')).toBe(2);
  const second = conversation();
  void second.connect();
  expect((await nextRetry(second)).delayMs).toBeGreaterThan(400);
  const persistent = bench.keep(createBackend({ ...WAITS, clock, servers }));
  void persistent.connect();
  expect((await nextRetry(persistent)).delayMs).toBeGreaterThan(400);
});

test('connectionsMax with a queue, and close while queued', async () => {
  const server = await bench.echo();
  const servers = new Servers([{ ...server.at, connectionsMax: 1 }], { clock: bench.clock });
  const make = (): Backend => {
    return bench.keep(createBackend({ ...WAITS, clock: bench.clock, servers, queueTimeout: 5_000 }));
  };
  const [first, second, third, fourth] = [make(), make(), make(), make()] as [Backend, Backend, Backend, Backend];
  await first.connect();
  const queued = [second.connect(), third.connect(), fourth.connect()];
  expect(second.state).toBe('active.choosing');
  expect(how(await within(50, 'the close', second.close()))).toBe('closed owner/close/choosing');
  await expect(queued[0]).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect(server.accepted).toBe(1);
  await first.close();
  await queued[1];
  expect(fourth.state).toBe('active.choosing');
  expect(server.accepted).toBe(2);
  expect(servers.list[0]?.connections).toBe(1);
  await third.abort();
  await queued[2];
  expect(server.accepted).toBe(3);
  await fourth.close();
  expect(servers.list[0]?.connections).toBe(0);
});

test('a full server, waited for in vain', async () => {
  const server = await bench.echo();
  const servers = new Servers([{ ...server.at, connectionsMax: 1 }], { clock: bench.clock });
  const first = bench.keep(createBackend({ ...WAITS, clock: bench.clock, servers }));
  await first.connect();
  const second = bench.keep(
    createBackend({ ...WAITS, clock: bench.clock, servers, persistent: false, queueTimeout: 40 }),
  );
  await expect(second.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(how(await second.closed)).toBe('failed library/timeout/choosing/queueTimeout');
  // Its place in the queue is gone: the next to come gets it.
  await first.close();
  const third = bench.keep(createBackend({ ...WAITS, clock: bench.clock, servers }));
  await third.connect();
  expect(server.accepted).toBe(2);
});

test('a full server, waited for in vain after another has failed: that failure is named, and no older wait', async () => {
  const server = await bench.echo();
  const port = await refusingPort();
  const servers = new Servers([{ ...server.at, connectionsMax: 1 }, { port }], {
    clock: bench.clock,
    balance: 'inOrder',
    backoff: { initialMs: 10_000, maxMs: 10_000, jitter: 0 },
  });
  const first = bench.keep(createBackend({ ...WAITS, clock: bench.clock, servers }));
  await first.connect();
  const options = { ...WAITS, clock: bench.clock, servers, queueTimeout: 40 };
  const once = bench.keep(createBackend({ ...options, persistent: false }));
  const failed = { code: 'queueTimeout', error: { code: 'ERR_CONNECT', cause: { code: 'ECONNREFUSED' } } };
  await expect(once.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT', cause: failed });
  expect(once.outcome?.cause).toMatchObject(failed);
  const again = bench.keep(createBackend({ ...options, persistent: true }));
  for (let times = 0; times < 2; times++) {
    const exhausted = new Promise<Cause>((resolve) => again.once('exhausted', ({ cause }) => resolve(cause)));
    if (times === 0) void again.connect();
    else again.retryNow();
    expect(await exhausted).toMatchObject(failed);
  }
  void servers.close();
});

test('ready() bounded by failures and by a signal', async () => {
  const port = await bench.refusing();
  const { backend } = makeBackend({ servers: [{ port }] });
  await expect(backend.connect({ failuresMax: 2 })).rejects.toMatchObject({
    code: 'ERR_CONNECT',
    cause: { code: 'ECONNREFUSED' },
  });
  expect(backend.incarnation).toBe(2);
  const controller = new AbortController();
  const bounded = backend.ready({ signal: controller.signal });
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(bounded).rejects.toBe(reason);
  await expect(backend.ready({ signal: controller.signal })).rejects.toBe(reason);
  // The backend goes on whatever became of these promises.
  await bench.echo({ port });
  expect((await backend.ready()).incarnation).toBeGreaterThan(2);
});

test('retryNow() while it waits', async () => {
  const port = await bench.refusing();
  const { backend } = makeBackend({ servers: [{ port }], backoff: { initialMs: 60_000, maxMs: 60_000 } });
  const connecting = backend.connect();
  await nextRetry(backend);
  await bench.echo({ port });
  backend.retryNow();
  await within(1_000, 'the connection', connecting);
});

test('a backend over TLS', async () => {
  const server = await bench.tls();
  const { backend, seen } = makeBackend({
    servers: [
      {
        ...server.at,
        connect: dialTls,
      },
    ],
  });
  const { socket } = await backend.connect();
  const reader = new Reader(socket);
  socket.write('hello');
  await reader.has(5);
  expect(reader.text).toBe('hello');
  expect(how(await backend.close())).toBe('closed owner/close/established');
  expect(seen).toEqual(['established 1', 'released 1', 'closed closed']);
  await server.left();
});

test('a server that never shakes hands', async () => {
  const server = await bench.silent();
  const { backend, seen } = makeBackend({
    servers: [{ ...server.at, connect: ({ host, port }: Server) => tlsConnect({ host, port: port as number }) }],
    connectTimeout: 60,
    persistent: false,
    attemptsMax: 1,
  });
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(how(await backend.closed)).toBe('failed library/timeout/connecting/connectTimeout');
  expect(seen).toEqual(['closed failed']);
  await server.left();
});

test.each([
  [
    'throws',
    (): never => {
      throw Object.assign(new Error('no'), { code: 'ERR_INVALID_ARG_VALUE' });
    },
  ],
  ['returns nothing', () => undefined as unknown as Socket],
  ['returns a promise', () => Promise.resolve() as unknown as Socket],
])('a connect function that %s fails the attempt at once', async (_what, open) => {
  const { backend } = makeBackend({
    servers: [{ port: 1, connect: open }],
    persistent: false,
    attemptsMax: 1,
  });
  const from = ranMs();
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  expect(ranMs() - from).toBeLessThan(250);
  expect((await backend.closed).cause.phase).toMatch(/command|choosing/);
});

test('a bad port is permanent', async () => {
  const living = await bench.echo();
  const { backend } = makeBackend({
    servers: [
      {
        port: 1,
        connect: () => {
          throw Object.assign(new RangeError('port'), { code: 'ERR_SOCKET_BAD_PORT' });
        },
      },
      living.at,
    ],
    balance: 'inOrder',
  });
  const { server } = await backend.connect();
  expect(server.port).toBe(living.port);
  expect(backend.servers.list[0]?.excluded).toMatchObject({ phase: 'command', code: 'ERR_SOCKET_BAD_PORT' });
});
