/** What goes wrong with a proxy, one story each, on real sockets. */
import { once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { how, times } from '../support/record.js';
import { gate, until } from '../support/wait.js';

const bench = useBench();

const { makeBackend, makeProxy } = makers(bench);

test('both peers end normally (no drop, anywhere)', async () => {
  const server = await bench.echo();
  const { seen, at, proxy } = await makeProxy({ servers: [server.at] });
  const dropped = vi.fn();
  proxy.on('established', ({ client, backend, closed }) => {
    client.on('dropped', dropped);
    backend.on('dropped', dropped);
    void Promise.all([client.closed, backend.closed, closed]).then((outcomes) => ends.open(outcomes.map(how)));
  });
  const ends = gate<string[]>();
  const client = await bench.dial(at);
  const reader = new Reader(client);
  client.end('hello');
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('hello');
  expect((await ends.promise).map((line) => line.split(' ')[0])).toEqual(['ended', 'ended', 'ended']);
  expect(dropped).not.toHaveBeenCalled();
  expect(seen.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['established', 'session ended']);
  expect(server.accepted).toBe(1);
  expect(server.live).toEqual([]);

  // The same for a conversation without a proxy.
  const { backend, seen: told } = makeBackend({ servers: [server.at], persistent: false });
  const { socket } = await backend.connect();
  const answer = new Reader(socket);
  socket.end('hello');
  expect((await backend.closed).ending).toBe('ended');
  expect(answer.text).toBe('hello');
  expect(told).toEqual(['established 1', 'released 1', 'closed ended']);
});

test('a server that speaks first and then dies (no second greeting)', async () => {
  const dying = await bench.greeter('hello', 'stay');
  const spare = await bench.greeter('hello', 'stay');
  const { seen, at } = await makeProxy({ servers: [dying.at, spare.at], balance: 'inOrder' });
  const reader = new Reader(await bench.dial(at));
  await reader.has(5);
  (await dying.connection()).resetAndDestroy();
  expect(await reader.ends()).toBe('reset');
  expect(reader.text).toBe('hello');
  await until('the session to end', () => times(seen, 'session') === 1);
  expect(seen).toEqual([
    'established',
    'dropped backend peer/reset/established/ECONNRESET',
    'session dropped peer/reset/established/ECONNRESET',
  ]);
  expect(dying.accepted).toBe(1);
  expect(spare.accepted).toBe(0);
});

test('a server that speaks and dies in one breath', async () => {
  // Data and reset come in one poll: on Node 20 that looks like data and FIN, and must not be passed on as such.
  const dying = await bench.greeter('hello', 'reset');
  const spare = await bench.greeter('other', 'stay');
  const { seen, at } = await makeProxy({ servers: [dying.at, spare.at], balance: 'inOrder' });
  const reader = new Reader(await bench.dial(at));
  expect(await reader.ends()).toBe('reset');
  expect(reader.text).toBe('hello');
  await until('the session to end', () => times(seen, 'session') === 1);
  expect(times(seen, 'session dropped')).toBe(1);
  expect(spare.accepted).toBe(0);
});

test.each(['client', 'backend'] as const)(
  'the owner destroys the socket of the %s: the other side is cut, and nothing dropped',
  async (leg) => {
    const server = await bench.echo();
    const { seen, at, proxy } = await makeProxy({ servers: [server.at] });
    const ends = gate<string[]>();
    proxy.on('established', ({ client, backend, closed }) => {
      void Promise.all([closed, client.closed, backend.closed]).then((outcomes) => ends.open(outcomes.map(how)));
      (leg === 'client' ? client : backend.connection)?.socket?.destroy();
    });
    const reader = new Reader(await bench.dial(at));
    const [session, ...legs] = await ends.promise;
    expect(session).toBe('aborted owner/destroy/established');
    expect(legs.map((line) => line.split(' ')[0])).toEqual(['aborted', 'aborted']);
    expect(await reader.ends()).toBe(leg === 'client' ? 'end' : 'reset');
    expect(seen).toEqual(['established', 'session aborted owner/destroy/established']);
  },
);

test('a client that ends while its backend is being connected', async () => {
  const down = await bench.refusing();
  const { at, proxy } = await makeProxy({ servers: [{ port: down }], attemptsMax: 1_000 });
  const client = await bench.dial(at);
  const reader = new Reader(client);
  const retried = new Promise((resolve) => proxy.once('retry', resolve));
  client.end('request');
  await retried;
  await bench.echo({ port: down });
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('request');
});

test('a client that ends while it is being admitted', async () => {
  const server = await bench.echo();
  const { at } = await makeProxy({
    servers: [server.at],
    // Reads to the end before it says yes.
    admit: async ({ socket }) => {
      socket.resume();
      await once(socket, 'end');
    },
  });
  const client = await bench.dial(at);
  const reader = new Reader(client);
  client.end('token');
  await server.connection();
  // The FIN was seen before there was a session: it is passed on all the same, and the answer is the echo's FIN.
  expect(await reader.ends(2_000)).toBe('end');
});

test('a proxy whose backends are all down refuses, with a reset', async () => {
  const down = await bench.refusing();
  const { at, seen } = await makeProxy({ servers: [{ port: down }], attemptsMax: 2 });
  const client = await bench.dial(at);
  expect(await new Reader(client).ends()).toBe('reset');
  await until('the session to end', () => times(seen, 'session') === 1);
  expect(seen).toEqual(['retry 2', 'session refused peer/refusal/connecting/ECONNREFUSED']);
});
