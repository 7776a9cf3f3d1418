/** A proxy relays to and from streams that are no sockets: in memory, and over a WebSocket. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type Duplex, finished } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';
import type { Outcome, ProxyOptions, Session } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader, send } from '../support/peers.js';
import { textOf, usePairs } from '../support/streams.js';
import { turns, until, within } from '../support/wait.js';

const bench = useBench();
const pairs = usePairs(bench);
const { makeProxy } = makers(bench);

/** A proxy whose server is a stream in memory; the other end of that is the server’s. */
async function overPair(options: Partial<ProxyOptions> = {}) {
  const [ours, theirs] = pairs.make();
  const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: async () => ours }], ...options });
  const established = new Promise<Session>((resolve) => proxy.once('established', resolve));
  const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
  const client = bench.own(connect({ ...at, allowHalfOpen: true }));
  const session = await within(3_000, 'a session', established);
  return { ours, theirs, proxy, client, session, closed };
}

const over = (closed: Promise<Outcome>): Promise<Outcome> => within(5_000, 'the end of the session', closed);

describe('a server in memory', () => {
  test('2 MB both ways at once, and both ends', async () => {
    const { theirs, client, session, closed } = await overPair();
    const [up, down] = [randomBytes(2 ** 21), randomBytes(2 ** 21)];
    const [server, peer] = [new Reader(theirs as Socket), new Reader(client)];
    client.end(up);
    theirs.end(down);
    expect(await server.ends()).toBe('end');
    expect(await peer.ends()).toBe('end');
    expect(Buffer.from(server.text, 'latin1').equals(up)).toBe(true);
    expect(Buffer.from(peer.text, 'latin1').equals(down)).toBe(true);
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
    expect(session.bytes).toEqual({ fromClient: up.length, fromBackend: down.length });
    await pairs.allClosed();
  });

  test('a server that does not read holds the client back', async () => {
    const { ours, theirs, client, session, closed } = await overPair();
    const chunk = randomBytes(65_536);
    const sent = send(client, chunk, 256);
    await until('the client to be held back', () => ours.writableLength >= ours.writableHighWaterMark);
    await turns(50);
    // No more than the system and the stream take.
    const read = session.bytes.fromClient;
    expect(read).toBeLessThan(1_000_000);
    const server = new Reader(theirs as Socket, { keep: false });
    await sent;
    client.end();
    expect(await server.ends()).toBe('end');
    expect(server.bytes).toBe(256 * chunk.length);
    theirs.end();
    client.resume();
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a client that does not read holds the server back', async () => {
    const { ours, theirs, client, closed } = await overPair();
    const sent = send(theirs as Socket, randomBytes(65_536), 256);
    await until('the server to be held back', () => ours.isPaused() && ours.readableLength > 0);
    const reader = new Reader(client, { keep: false });
    await sent;
    theirs.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(256 * 65_536);
    theirs.resume();
    client.end();
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('the client ends, and the answer goes on', async () => {
    const { theirs, client, closed } = await overPair();
    const answer = textOf(client);
    client.end('question');
    expect(await textOf(theirs)).toBe('question');
    theirs.write('the ');
    theirs.end('answer');
    expect(await answer).toBe('the answer');
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('the server ends, and the client goes on', async () => {
    const { theirs, client, closed } = await overPair();
    theirs.end('greeting');
    expect(await textOf(client)).toBe('greeting');
    client.write('the ');
    client.end('rest');
    expect(await textOf(theirs)).toBe('the rest');
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('the client is reset: what it had sent comes first, and no message that it has not sent', async () => {
    const { ours, theirs, client, session, closed } = await overPair();
    let bytes = 0;
    const sizes: number[] = [];
    const write = ours._write;
    ours._write = (chunk, ...rest) => {
      sizes.push(chunk.length);
      write.call(ours, chunk, ...rest);
    };
    // The second write waits, and too little waits for a `drain`.
    for (const length of [15_000, 10_000]) {
      const before = session.bytes.fromClient;
      client.write('x'.repeat(length));
      await until('all to be read', () => session.bytes.fromClient === before + length);
    }
    expect(ours.writableLength).toBe(10_000);
    client.resetAndDestroy();
    await until('the loss', () => session.client.outcome !== undefined);
    expect(theirs.destroyed).toBe(false);
    theirs.on('data', (chunk) => (bytes += chunk.length));
    const error = await new Promise((resolve) => finished(theirs, resolve));
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(bytes).toBe(25_000);
    expect(sizes).toEqual([15_000, 10_000]);
    expect(await over(closed)).toMatchObject({ ending: 'dropped', cause: { manner: 'reset', leg: 'client' } });
    expect(session.backend.outcome).toMatchObject({ truncated: true });
  });

  test('the server is lost: the client is reset, after what it is owed', async () => {
    const { theirs, client, closed } = await overPair();
    const reader = new Reader(client);
    theirs.write('half an answer', () => theirs.destroy(new Error('broken')));
    expect(await reader.ends()).toBe('reset');
    expect(reader.text).toBe('half an answer');
    expect(await over(closed)).toMatchObject({ ending: 'dropped', cause: { manner: 'reset', leg: 'backend' } });
  });

  test('a stream that is told to end with its peer still takes what the client sends', async () => {
    const [ours, theirs] = pairs.make({ allowHalfOpen: false });
    const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: () => ours }] });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect({ ...at, allowHalfOpen: true }));
    theirs.end('greeting');
    expect(await textOf(client)).toBe('greeting');
    await turns();
    client.end('the rest');
    expect(await textOf(theirs)).toBe('the rest');
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('an idle session is cut', async () => {
    const { theirs, closed } = await overPair({ idleTimeout: 60 });
    theirs.resume();
    expect(await over(closed)).toMatchObject({ ending: 'aborted', cause: { code: 'idleTimeout' } });
  });

  test('a drain waits for the session, and cuts it at its deadline', async () => {
    const { proxy, client, theirs, closed } = await overPair();
    client.write('x');
    theirs.resume();
    await within(3_000, 'the drain', proxy.close({ timeoutMs: 100 }));
    expect(await over(closed)).toMatchObject({ ending: 'aborted', cause: { code: 'drainTimeout' } });
    await pairs.allClosed();
  });
});

/** A server of WebSockets, each of which is a stream. */
async function webSockets(handler: (stream: Duplex, socket: WebSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  server.on('connection', (socket) =>
    handler(
      createWebSocketStream(socket).on('error', () => {}),
      socket,
    ),
  );
  bench.later(
    () =>
      new Promise((resolve) => {
        for (const socket of server.clients) socket.terminate();
        server.close(resolve);
      }),
  );
  const { port } = server.address() as AddressInfo;
  const dial = (): Duplex => pairs.count(createWebSocketStream(new WebSocket(`ws://127.0.0.1:${port}`)));
  return { server, dial };
}

describe('a server behind a WebSocket', () => {
  test('2 MB there and back', async () => {
    const { dial } = await webSockets((stream) => stream.pipe(stream));
    const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: dial }] });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect({ ...at, allowHalfOpen: true }));
    const reader = new Reader(client);
    const body = randomBytes(2 ** 21);
    await send(client, body, 1);
    await reader.has(body.length);
    expect(Buffer.from(reader.text, 'latin1').equals(body)).toBe(true);
    client.end();
    expect(await reader.ends()).toBe('end');
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('its end is passed on after its last byte', async () => {
    const { dial } = await webSockets((stream) => stream.end(Buffer.alloc(300_000, 'z')));
    const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: dial }] });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const reader = new Reader(bench.own(connect(at)), { keep: false });
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(300_000);
    expect(await over(closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('what the client sends after that is not claimed to have arrived', async () => {
    const { dial } = await webSockets((stream) => stream.end('bye'));
    const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: dial }] });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect({ ...at, allowHalfOpen: true }));
    expect(await textOf(client)).toBe('bye');
    client.write('more');
    expect(await over(closed)).toMatchObject({ ending: 'dropped', flushed: false });
  });

  test('a client that is reset terminates it', async () => {
    const { server, dial } = await webSockets(() => {});
    const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: dial }] });
    const established = new Promise((resolve) => proxy.once('established', resolve));
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect(at));
    await established;
    await until('the server to have it', () => server.clients.size === 1);
    client.resetAndDestroy();
    expect(await over(closed)).toMatchObject({ ending: 'dropped', cause: { leg: 'client' } });
    await until('the server to have lost it', () => server.clients.size === 0);
    await pairs.allClosed();
  });

  test('one that cannot be reached is a failed attempt', async () => {
    const port = await bench.refusing();
    const dial = (): Duplex => pairs.count(createWebSocketStream(new WebSocket(`ws://127.0.0.1:${port}`)));
    const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: dial }], attemptsMax: 1 });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const reader = new Reader(bench.own(connect(at)));
    expect(await reader.ends()).toBe('reset');
    expect(await over(closed)).toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });
});
