import type { Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { adoptClient, type Client } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, connectAndResetAtOnce, dialTls, plainServer, Reader } from '../support/peers.js';
import { how, recordClient } from '../support/record.js';
import { gate, until, within } from '../support/wait.js';

const bench = useBench();

const { makeListener } = makers(bench);

test('a client that resets before it is adopted', async () => {
  const listener = makeListener();
  const ends: string[] = [];
  listener.on('client', ({ socket, closed }) => {
    socket.resume();
    void closed.then((outcome) => ends.push(outcome.ending));
  });
  const address = await listener.start();
  await connectAndResetAtOnce((address as { port: number }).port);
  await until('the client to have come', () => listener.clients.size > 0 || ends.length > 0);
  await until('the client to be gone', () => listener.clients.size === 0);
  expect(ends).toEqual(['dropped']);

  // The same for a socket that somebody else accepted, and kept for a while.
  const accepted = gate<Socket>();
  const server = await bench.peer(plainServer((socket) => accepted.open(socket), true));
  await connectAndResetAtOnce(server.port);
  const client = bench.keep(adoptClient(await accepted.promise, { clock: bench.clock }));
  const seen = recordClient(client);
  client.on('established', ({ socket }) => socket.resume());
  expect((await within(1_000, 'the end', client.closed)).ending).toBe('dropped');
  expect(seen).toEqual(['established', 'dropped peer/reset/established/ECONNRESET', 'released', 'closed dropped']);
});

test.each(['tcp', 'tls', 'unix'] as const)('a socket that its owner destroys is no drop: %s', async (kind) => {
  const where = kind === 'unix' ? { path: bench.path() } : {};
  const listener = makeListener({ ...where, ...(kind === 'tls' && { tls: CERTIFICATE }) });
  const given = gate<Client>();
  const seen: string[][] = [];
  listener.on('client', (client) => {
    seen.push(recordClient(client));
    client.socket?.resume();
    given.open(client);
  });
  const address = await listener.start();
  const at = typeof address === 'object' && 'path' in address ? { path: address.path } : (address as { port: number });
  const peer = kind === 'tls' ? dialTls(at) : await bench.dial(at);
  const reader = new Reader(peer.on('error', () => {}));
  const client = await given.promise;
  client.socket?.destroy();
  expect(how(await within(1_000, 'the end', client.closed))).toBe('aborted owner/destroy/established');
  expect(await reader.ends()).toBe('end');
  peer.destroy();
  expect(seen[0]?.filter((line) => !line.startsWith('established'))).toEqual(['released', 'closed aborted']);
});

test('a socket that was destroyed before it is adopted', async () => {
  const accepted = gate<Socket>();
  const server = await bench.server((socket) => accepted.open(socket));
  await bench.dial(server.at);
  const socket = await accepted.promise;
  socket.destroy();
  const client = bench.keep(adoptClient(socket, { clock: bench.clock }));
  expect((await within(500, 'the end', client.closed)).ending).toBe('refused');
  // And one that had closed.
  const again = bench.keep(adoptClient(socket, { clock: bench.clock }));
  expect((await within(500, 'the end', again.closed)).ending).toBe('refused');
});

test('the admission of a client that leaves meanwhile', async () => {
  const signals: AbortSignal[] = [];
  const listener = makeListener({
    admit: ({ socket }, { signal }) => {
      signals.push(signal);
      socket.resume();
      return new Promise(() => {});
    },
  });
  const established = vi.fn();
  listener.on('client', established);
  const socket = await bench.dial((await listener.start()) as { port: number });
  await until('admission', () => signals.length === 1);
  const [client] = [...listener.clients] as [Client];
  socket.resetAndDestroy();
  expect(how(await within(1_000, 'the end', client.closed))).toBe('refused peer/reset/accepted/ECONNRESET');
  expect(signals[0]?.aborted).toBe(true);
  expect(established).not.toHaveBeenCalled();
});
