import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Backend, createBackend } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';

const servers: Server[] = [];
const sockets: Socket[] = [];
let backend: Backend | undefined;

afterEach(async () => {
  await backend?.abort();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listen(): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test.each([
  ['stable', 10_000, 1],
  ['young', 0, 2],
])('a drop of a %s connection leads to the other server at once', async (_name, age, attempt) => {
  const clock = new ManualClock();
  const [a, b] = [await listen(), await listen()];
  backend = createBackend({ servers: [{ port: a }, { port: b }], balance: 'inOrder', clock, stableAfter: 10_000 });
  const arrived = once(servers[0] as Server, 'connection');
  expect((await backend.connect()).server.port).toBe(a);
  await arrived;
  clock.advance(age);

  const retried = new Promise((resolve) => backend?.once('retry', resolve));
  const failedOver = new Promise((resolve) => backend?.once('failover', resolve));
  sockets[0]?.resetAndDestroy();
  expect(await retried).toMatchObject({ attempt, delayMs: 0, cause: { manner: 'reset', phase: 'established' } });
  clock.advance(0);
  expect(await failedOver).toMatchObject({ from: { port: a }, to: { port: b } });
  expect((await backend.ready()).server.port).toBe(b);
});

test('with one server only, the drop is followed by a backoff', async () => {
  const clock = new ManualClock();
  backend = createBackend({
    servers: [{ port: await listen() }],
    clock,
    backoff: { initialMs: 200, jitter: 0 },
  });
  const arrived = once(servers[0] as Server, 'connection');
  await backend.connect();
  await arrived;
  const retried = new Promise((resolve) => backend?.once('retry', resolve));
  sockets[0]?.resetAndDestroy();
  expect(await retried).toMatchObject({ delayMs: 200 });
  expect(backend.state).toBe('active.waiting');
  clock.advance(199);
  expect(backend.state).toBe('active.waiting');
  clock.advance(1);
  expect((await backend.ready()).incarnation).toBe(2);
});

test('connect() after it was exhausted starts afresh, with the first backoff', async () => {
  const clock = new ManualClock();
  const port = await listen();
  servers.splice(0)[0]?.close();
  backend = createBackend({
    servers: [{ port }],
    attemptsMax: 2,
    whenExhausted: 'wait',
    clock,
    backoff: { initialMs: 400, jitter: 0 },
  });
  const delays: number[] = [];
  backend.on('retry', ({ delayMs, server }) => {
    expect(server.port).toBe(port);
    delays.push(delayMs);
    // The event is told inside the transition: its timer is set when that is done.
    queueMicrotask(() => clock.advance(delayMs));
  });
  for (let round = 0; round < 2; round++) {
    await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT', cause: { code: 'ECONNREFUSED' } });
    expect(backend.state).toBe('active.exhausted');
  }
  expect(delays).toEqual([400, 400]);
});

test('holders are told of a graceful close, and a close waits for them', async () => {
  backend = createBackend({ servers: [{ port: await listen() }], clock: new ManualClock() });
  await backend.connect();
  const hold = backend.hold();
  const told = new Promise<void>((resolve) => backend?.once('closing', resolve));
  const closed = backend.close();
  await told;
  expect(backend.state).toBe('closing.holding');
  expect(hold.signal.aborted).toBe(false);
  hold.release();
  expect(backend.state).toBe('closing.flushing');
  for (const socket of sockets) socket.end();
  expect(await closed).toMatchObject({ ending: 'closed', flushed: true });
});
