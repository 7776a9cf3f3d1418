/**
 * Failures that others' connections have had, each with the place where it was seen: none of them may happen here. (A close
 * while a connect is never answered, and an error that nobody listens for, are among the stories in scenarios.test.ts.)
 */
import { getEventListeners, once } from 'node:events';
import { connect, Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { Backend, Cause, Server } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { openSockets, useBench } from '../support/bench.js';
import { makers, PROXY_WAITS, WAITS } from '../support/make.js';
import { connectAndResetAtOnce, echo, type PeerServer, Reader } from '../support/peers.js';
import { how, recordUncaught, times, why } from '../support/record.js';
import { gate, turns, until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeListener, makeProxy } = makers(bench);

const DAY_MS = 86_400_000;
const LONG_BACKOFF = { initialMs: 60_000, maxMs: 60_000, jitter: 0 } as const;

const nextRetry = (backend: Backend): Promise<{ delayMs: number; cause: Cause }> =>
  within(5_000, 'a retry', new Promise((resolve) => backend.once('retry', resolve)));

const nextEstablished = (backend: Backend): Promise<unknown> =>
  within(5_000, 'a connection', new Promise((resolve) => backend.once('established', resolve)));

/** Connections are accepted in their order: whoever came before this one was seen. */
async function cameBefore(server: PeerServer): Promise<number> {
  const own = await bench.dial(server.at);
  await until('a connection of the test', () => server.sockets.some(({ remotePort }) => remotePort === own.localPort));
  return server.accepted - 1;
}

// redis/node-redis#212: attempts went on after quit(). mqttjs/MQTT.js#110 and legastero/stanza#479: the same after end() and
// disconnect(), by a timer that nobody cleared.
test('dials after close() with a pending wait', async () => {
  const clock = new ManualClock();
  const port = await bench.refusing();
  const { backend, seen } = makeBackend({ servers: [{ port }], backoff: LONG_BACKOFF, clock });
  void backend.connect();
  const retry = await nextRetry(backend);
  expect(why(retry.cause)).toBe('peer/refusal/connecting/ECONNREFUSED');
  expect(backend.state).toBe('active.waiting');
  const closed = backend.close();
  expect(backend.state).toBe('closed');
  expect(how(await closed)).toBe('closed owner/close/waiting');
  expect(clock.pending).toBe(0);
  // The server comes back, and nobody comes, however long it waits and whoever asks.
  const server = await bench.echo({ port });
  clock.advance(DAY_MS);
  backend.retryNow();
  await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  clock.advance(DAY_MS);
  expect(await cameBefore(server)).toBe(0);
  expect(seen).toEqual(['retry 2', 'closed closed']);
});

// grpc/grpc#16218: a subchannel whose last user left during its backoff connected all the same when that was over. In
// grpc/grpc-node#75 the review found that nothing cancelled that timer at a shutdown.
test.each(['close', 'abort'] as const)(
  'a subchannel that dials after shutdown during backoff: %s of what it belongs to',
  async (stop) => {
    const clock = new ManualClock();
    const port = await bench.refusing();
    const { proxy, at } = await makeProxy({
      servers: [{ port }],
      attemptsMax: 1_000,
      backoff: LONG_BACKOFF,
      sessionConnectTimeout: DAY_MS,
      clock,
    });
    const readers = [new Reader(await bench.dial(at)), new Reader(await bench.dial(at))];
    const waiting = (): number => proxy.sessions.filter(({ backend }) => backend.matches('active.waiting')).length;
    await until('both to back off', () => waiting() === 2);
    const stopping = stop === 'close' ? proxy.close({ timeoutMs: 1_000 }) : proxy.abort();
    if (stop === 'close') clock.advance(1_000);
    expect((await within(2_000, 'the stop', stopping)).ending).toBe('aborted');
    for (const reader of readers) expect(await reader.ends()).toBe('reset');
    expect(clock.pending).toBe(0);
    const server = await bench.echo({ port });
    clock.advance(DAY_MS);
    expect(await cameBefore(server)).toBe(0);
  },
);

// redis/ioredis#1247 and #2169: disconnect() while it waited to reconnect told nobody: no "end" came, what was queued stayed
// queued, and the process could not exit.
test.each(['close', 'abort', 'signal'] as const)(
  'disconnect during backoff that never reports its end: %s',
  async (stop) => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const before = openSockets();
    const { backend, seen } = makeBackend({
      servers: [{ port: await bench.refusing() }],
      backoff: LONG_BACKOFF,
      clock,
      signal: controller.signal,
    });
    const connecting = backend.connect();
    const ready = backend.ready();
    const refused = Promise.all([connecting, ready].map((promise) => promise.catch(({ code }) => code)));
    await nextRetry(backend);
    if (stop === 'signal') controller.abort();
    else void backend[stop]();
    const outcome = await within(1_000, 'the end', backend.closed);
    expect(outcome.ending).toBe(stop === 'close' ? 'closed' : 'aborted');
    expect(outcome.cause.phase).toBe('waiting');
    expect(seen).toEqual(['retry 2', `closed ${outcome.ending}`]);
    // Whoever waited for a connection hears of it, too, and nothing keeps the process alive.
    expect(await within(1_000, 'those who waited', refused)).toEqual(['ERR_CLOSED', 'ERR_CLOSED']);
    expect(clock.pending).toBe(0);
    await until('the last socket to be closed', () => openSockets() <= before);
  },
);

// Twisted's ClientService (its prepareConnection came with twisted/twisted#971), seen with 26.4.0: stopService() while the
// connection was being prepared was done at once, and the socket stayed open for ever.
test.each(['gives up when it is told', 'never gives up'])(
  'stop during prepare that leaks the socket: the hook %s',
  async (manner) => {
    const clock = new ManualClock();
    const server = await bench.echo();
    const entered = gate<AbortSignal>();
    const { backend, seen } = makeBackend({
      clock,
      servers: [server.at],
      prepare: (_socket, { signal }) => {
        entered.open(signal);
        return new Promise((_, reject) => {
          if (manner === 'gives up when it is told') signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    const connecting = backend.connect();
    const signal = await entered.promise;
    expect(backend.state).toBe('active.preparing');
    const closing = backend.close();
    expect(signal.aborted).toBe(true);
    if (manner === 'never gives up') clock.advance(WAITS.closeTimeout + WAITS.abortTimeout);
    const outcome = await within(1_000, 'the close', closing);
    expect(how(outcome)).toBe(
      manner === 'never gives up' ? 'aborted library/timeout/closing/closeTimeout' : 'closed owner/close/preparing',
    );
    expect(seen).toEqual(['released 1', `closed ${outcome.ending}`]);
    await expect(connecting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await server.left();
    expect(server.accepted).toBe(1);
    expect(clock.pending).toBe(0);
  },
);

// strophe/strophejs#318 and cashubtc/cashu-ts#930: the handlers of a socket that was replaced went on, and took its end for
// that of the new one.
test("an old socket's close taken for the new one's", async () => {
  const clock = new ManualClock();
  const server = await bench.echo();
  const held = gate();
  const sockets: Socket[] = [];
  const { backend, seen } = makeBackend({
    clock,
    servers: [
      {
        ...server.at,
        connectionsMax: 2,
        connect: ({ host, port }: Server) => {
          const socket = connect({ host, port: port as number });
          sockets.push(socket);
          if (sockets.length === 1) {
            // A socket that takes its time to die.
            const destroy = socket._destroy.bind(socket);
            socket._destroy = (error, done) => void held.promise.then(() => destroy(error, done));
          }
          return socket;
        },
      },
    ],
    prepare: (_socket, { incarnation }) => {
      if (incarnation === 1) throw Object.assign(new Error('not yet'), { code: 'NOT_YET' });
    },
  });
  const connecting = backend.connect();
  await until('the first to be disposed of', () => backend.matches('active.disposing'));
  clock.advance(WAITS.disposeTimeout);
  backend.retryNow();
  const connection = await within(2_000, 'the second connection', connecting);
  expect(connection.incarnation).toBe(2);
  const expected = ['released 1', 'retry 2', 'established 2'];
  expect(seen).toEqual(expected);
  const [first] = sockets as [Socket];
  expect(first.closed).toBe(false);
  held.open();
  await once(first, 'close');
  await turns();
  expect(seen).toEqual(expected);
  expect(backend.state).toBe('active.established.open');
  expect(backend.connection?.socket).toBe(sockets[1]);
  expect(backend.servers.list[0]?.connections).toBe(1);
  expect(first.listenerCount('close') + first.listenerCount('data')).toBeLessThanOrEqual(1);
  await backend.close();
  expect(seen).toEqual([...expected, 'released 2', 'closed closed']);
  expect(backend.servers.list[0]?.connections).toBe(0);
});

// brianc/node-pg-pool#106: end() between the connect and its result never came back. brianc/node-postgres#1779: it waited for
// as long as the system tried.
test.each(['before its greeting', 'once it is established'])(
  'end() that hangs on a silent server: %s',
  async (when) => {
    const clock = new ManualClock();
    const server = await bench.silent();
    const isGreeted = when === 'once it is established';
    const entered = gate();
    const { backend, seen } = makeBackend({
      clock,
      servers: [server.at],
      prepare: async (socket, { signal }) => {
        entered.open();
        if (!isGreeted) await once(socket.resume(), 'data', { signal });
      },
    });
    const connecting = backend.connect();
    connecting.catch(() => {});
    await (isGreeted ? connecting : entered.promise);
    const closing = backend.close();
    // It says goodbye, and gives the server its time to answer, but no more. All that was to be sent is sent, and the
    // server, though silent, still gets it: that is no abort.
    await turns();
    clock.advance(WAITS.closeTimeout - 1);
    expect(backend.matches('closing')).toBe(true);
    clock.advance(1);
    const outcome = await within(1_000, 'the end', closing);
    expect(how(outcome)).toBe(`closed owner/close/${isGreeted ? 'established' : 'preparing'}`);
    expect(outcome.flushed).toBe(true);
    expect(seen).toEqual([...(isGreeted ? ['established 1'] : []), 'released 1', 'closed closed']);
    await server.left();
    expect(clock.pending).toBe(0);
  },
);

// oortcloud/node-ddp-client#30: an error and the close that follows it each began to reconnect. socketio/socket.io-client#576:
// asking for a connection now left the timer of the wait behind.
test('two timers that both reconnect', async () => {
  const clock = new ManualClock();
  const server = await bench.server((socket, index) => {
    if (index === 0) socket.once('data', () => socket.resetAndDestroy());
    else echo(socket);
  });
  const { backend, seen } = makeBackend({ servers: [server.at], backoff: LONG_BACKOFF, clock });
  const { socket } = await backend.connect();
  const events: string[] = [];
  for (const event of ['error', 'close'] as const) socket.prependListener(event, () => events.push(event));
  const retried = nextRetry(backend);
  socket.resume().write('x');
  await retried;
  expect(clock.pending).toBe(1);
  const established = nextEstablished(backend);
  backend.retryNow();
  void backend.connect();
  backend.retryNow();
  await established;
  clock.advance(DAY_MS);
  expect(events).toEqual(['error', 'close']);
  expect(await cameBefore(server)).toBe(2);
  expect(seen).toEqual([
    'established 1',
    'dropped 1 peer/reset/established/ECONNRESET',
    'released 1',
    'retry 2',
    'established 2',
  ]);
});

// postwait/node-amqp#198: each reconnect put one more listener on the connection. jensstigaard/node-vmix#17: the same on a
// socket that is connected again and again.
test.each(['a fresh socket', 'the same socket'])('listeners that pile up per reconnect: %s', async (which) => {
  const ROUNDS = 15;
  const clock = new ManualClock();
  const server = await bench.resetter();
  const controller = new AbortController();
  const { signal } = controller;
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warned);
  bench.later(() => process.off('warning', warned));
  const own = new Socket();
  const { backend, seen } = makeBackend({
    clock,
    signal,
    servers: [
      {
        ...server.at,
        connect: ({ host, port }: Server) =>
          (which === 'the same socket' ? own : new Socket()).connect({ host: host as string, port: port as number }),
      },
    ],
  });
  const counts: number[][] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    // Whoever waits has a listener on the signal for as long.
    void backend.connect();
    backend.retryNow();
    const { socket } = await within(2_000, 'a connection', backend.ready({ signal }));
    for (const event of ['data', 'end', 'error', 'drain']) socket.on(event, () => {});
    const retried = nextRetry(backend);
    socket.write('x');
    await retried;
    counts.push([
      getEventListeners(signal, 'abort').length,
      ...['connect', 'data', 'end', 'error', 'drain', 'finish', 'close'].map((event) => socket.listenerCount(event)),
    ]);
  }
  expect(times(seen, 'established')).toBe(ROUNDS);
  expect(counts).toEqual(Array(ROUNDS).fill(counts[0]));
  await turns();
  expect(warnings).toEqual([]);
});

// http-party/node-http-proxy#1468, vercel-labs/portless#111: one reset, on a socket that nobody listened to at that moment, and
// the process was gone with everybody's connections.
test('an error event that kills the process', async () => {
  const uncaught = recordUncaught();
  bench.later(uncaught.stop);
  const refused = await bench.refusing();
  const blackhole = await bench.blackhole();
  const resetter = await bench.resetter();
  const atOnce = await bench.server((socket) => socket.resetAndDestroy());
  const stories: [what: string, port: number, client: (socket: Socket) => unknown][] = [
    ['the server resets', resetter.port, (socket) => socket.write('x')],
    ['the server resets at once', atOnce.port, (socket) => socket.write('x')],
    ['both reset', resetter.port, (socket) => socket.write('x', () => socket.resetAndDestroy())],
    ['the client resets while the server is dialled', blackhole, (socket) => socket.resetAndDestroy()],
    ['the client resets while nobody can be dialled', refused, (socket) => socket.resetAndDestroy()],
    ['the client resets after its end', resetter.port, (socket) => socket.end('x', () => socket.resetAndDestroy())],
    ['the client is gone before the answer', resetter.port, (socket) => socket.end('x', () => socket.destroy())],
  ];
  for (const [what, port, play] of stories) {
    const { proxy, at, seen } = await makeProxy({ servers: [{ port }], sessionConnectTimeout: 200, attemptsMax: 2 });
    const client = await bench.dial(at);
    await until(`${what}: the session`, () => proxy.sessions.length + times(seen, 'session') === 1);
    play(client);
    client.resume();
    await until(`${what}: its end`, () => times(seen, 'session') === 1);
    // Late errors of sockets that nobody owns any more.
    client.destroy();
    await connectAndResetAtOnce(at.port);
    await proxy.abort();
  }
  // Refused at the limit, and reset by its peer meanwhile.
  const listener = makeListener({ clientsMax: 1 });
  const address = (await listener.start()) as { port: number };
  await bench.dial(address);
  await connectAndResetAtOnce(address.port);
  await until('a refusal', () => listener.refused === 1);
  await turns();
  expect(uncaught.errors).toEqual([]);
});

// http-party/node-http-proxy#559 and #1510: the client's error ended the other leg, if at all, by end(): with a server that
// does not end its side in return it stayed for ever, and file descriptors ran out.
test.each(['client', 'server'] as const)('the other leg left open: the %s resets', async (side) => {
  const PAIRS = 20;
  const before = openSockets();
  // Half open, it would stay for ever after an end.
  const server = await bench.server((socket) => socket.resume());
  const { proxy, at, seen } = await makeProxy({ servers: [server.at], ...PROXY_WAITS });
  const clients: Socket[] = [];
  for (let pair = 0; pair < PAIRS; pair++) clients.push((await bench.dial(at)).resume());
  const relaying = (): number => proxy.sessions.filter((session) => session.matches('relaying')).length;
  await until('all sessions', () => relaying() === PAIRS && server.accepted === PAIRS);
  const [from, to] = side === 'client' ? [clients, server.sockets] : [server.sockets, clients];
  const readers = to.map((socket) => new Reader(socket));
  for (const socket of from) socket.resetAndDestroy();
  for (const reader of readers) expect(await reader.ends()).toBe('reset');
  await until('all sessions to end', () => times(seen, 'session') === PAIRS);
  const leg = side === 'client' ? 'client' : 'backend';
  expect(times(seen, `dropped ${leg} peer/reset/established`)).toBe(PAIRS);
  expect(times(seen, 'session dropped peer/reset/established')).toBe(PAIRS);
  // What is left are the two servers that listen.
  await until('the last socket to be closed', () => openSockets() === before + 2, 2_000);
});
