/** What a proxy's `prepare` hook says to a server comes before the first relayed byte, and what the server answers is not lost. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Client, Outcome, PrepareContext, ProxyOptions } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { Flipped, flip, usePairs } from '../support/streams.js';
import { until, within } from '../support/wait.js';

const bench = useBench();
const pairs = usePairs(bench);
const { makeProxy } = makers(bench);

const HEADER = 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n';

describe.each([16_384, 0])('connectBufferBytes: %i', (connectBufferBytes) => {
  async function proxyWith(options: Omit<ProxyOptions, 'listen'>) {
    const { proxy, at, seen } = await makeProxy({ connectBufferBytes, ...options });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect({ ...at, allowHalfOpen: true }));
    return { proxy, client, seen, closed: () => within(5_000, 'the end of the session', closed) };
  }

  test('a header comes before what the client has sent', async () => {
    const server = await bench.server((socket) => socket.on('end', () => socket.end('answer')));
    const contexts: PrepareContext[] = [];
    const { proxy, client, closed } = await proxyWith({
      servers: [{ port: server.port }],
      prepare(socket, context) {
        contexts.push(context);
        socket.write(HEADER);
      },
    });
    const clients: Client[] = [];
    proxy.on('established', (session) => clients.push(session.client));
    client.end('first');
    const reader = new Reader(await server.connection());
    const answer = new Reader(client);
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe(`${HEADER}first`);
    expect(await answer.ends()).toBe('end');
    expect(answer.text).toBe('answer');
    expect(await closed()).toMatchObject({ ending: 'ended', flushed: true });
    expect(contexts).toMatchObject([{ incarnation: 1, server: { port: server.port }, client: clients[0] }]);
  });

  /** As a client of an HTTP proxy does it. */
  async function throughTunnel(socket: Socket, { server, signal }: PrepareContext): Promise<void> {
    socket.write(`CONNECT ${server} HTTP/1.1\r\n\r\n`);
    let head = Buffer.alloc(0);
    while (!head.includes('\r\n\r\n')) {
      const [chunk] = await once(socket, 'data', { signal });
      head = Buffer.concat([head, chunk]);
    }
    socket.pause();
    const end = head.indexOf('\r\n\r\n') + 4;
    if (!head.subarray(0, end).includes(' 200 ')) throw new Error(String(head.subarray(0, head.indexOf('\r\n'))));
    if (head.length > end) socket.unshift(head.subarray(end));
  }

  test('the answer to a CONNECT may come together with the first bytes of the server', async () => {
    const body = Buffer.alloc(2 ** 20, 'b');
    const tunnel = await bench.server((socket) =>
      socket.once('data', () => {
        socket.write(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), Buffer.from('220 hello\r\n')]));
        socket.end(body);
      }),
    );
    const { client, closed } = await proxyWith({ servers: [{ port: tunnel.port }], prepare: throughTunnel });
    client.write('EHLO\r\n');
    const greeting = new Reader(client);
    const reader = new Reader(await tunnel.connection());
    expect(await greeting.ends()).toBe('end');
    expect(greeting.bytes).toBe(11 + body.length);
    expect(greeting.text.startsWith('220 hello\r\n')).toBe(true);
    client.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toMatch(/^CONNECT 127\.0\.0\.1:\d+ HTTP\/1\.1\r\n\r\nEHLO\r\n$/);
    expect(await closed()).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a refusal is a failed attempt, and the next server is tried', async () => {
    const forbidding = await bench.server((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 403 Forbidden\r\n\r\n')),
    );
    const tunnel = await bench.server((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(socket);
      }),
    );
    const { proxy, client, closed } = await proxyWith({
      servers: [{ port: forbidding.port }, { port: tunnel.port }],
      balance: 'inOrder',
      prepare: throughTunnel,
    });
    const retries: unknown[] = [];
    proxy.on('failover', ({ cause }) => retries.push(cause));
    const reader = new Reader(client);
    client.end('there and back');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('there and back');
    expect(retries).toMatchObject([{ phase: 'preparing', error: { message: 'HTTP/1.1 403 Forbidden' } }]);
    expect(await closed()).toMatchObject({ ending: 'ended' });
  });

  test('a hook that takes too long is a failed attempt, and its server is reset', async () => {
    const server = await bench.server(() => {});
    const { client, closed } = await proxyWith({
      servers: [{ port: server.port }],
      attemptsMax: 1,
      prepareTimeout: 50,
      prepare: (_socket, { signal }) => once(signal, 'abort'),
    });
    const reader = new Reader(client);
    const theirs = new Reader(await server.connection());
    expect(await theirs.ends()).toBe('reset');
    expect(await reader.ends()).toBe('reset');
    expect(await closed()).toMatchObject({ ending: 'refused', cause: { code: 'prepareTimeout', phase: 'preparing' } });
  });

  test('bytes that a hook has let flow are still the client’s', async () => {
    const server = await bench.server((socket) => {
      socket.write('+');
      socket.once('data', () => socket.end('first bytes'));
    });
    const { client, closed } = await proxyWith({
      servers: [{ port: server.port }],
      async prepare(socket, { signal }) {
        await once(socket, 'data', { signal });
        socket.write('go on');
      },
    });
    const reader = new Reader(client);
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('first bytes');
    client.end();
    expect(await closed()).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a stream that it returns is relayed, 2 MB both ways', async () => {
    const server = await bench.server(() => {});
    const { client, closed } = await proxyWith({
      servers: [{ port: server.port }],
      prepare: (socket) => pairs.count(new Flipped(socket)),
    });
    const [up, down] = [Buffer.alloc(2 ** 21, 'u'), Buffer.alloc(2 ** 21, 'd')];
    client.end(up);
    const theirs = await server.connection();
    theirs.end(flip(down));
    const [reader, answer] = [new Reader(theirs), new Reader(client)];
    expect(await reader.ends()).toBe('end');
    expect(await answer.ends()).toBe('end');
    expect(flip(Buffer.from(reader.text, 'latin1')).equals(up)).toBe(true);
    expect(Buffer.from(answer.text, 'latin1').equals(down)).toBe(true);
    expect(await closed()).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a reset passes through it, either way', async () => {
    const server = await bench.server(() => {});
    const options = {
      servers: [{ port: server.port }],
      prepare: (socket: Socket) => pairs.count(new Flipped(socket)),
    };
    const first = await proxyWith(options);
    await until('a session', () => first.proxy.sessions[0]?.matches('relaying') === true);
    const theirs = new Reader(await server.connection());
    first.client.resetAndDestroy();
    expect(await theirs.ends()).toBe('reset');
    expect(await first.closed()).toMatchObject({ ending: 'dropped', cause: { leg: 'client' } });

    const second = await proxyWith(options);
    const reader = new Reader(second.client);
    await until('a session', () => second.proxy.sessions[0]?.matches('relaying') === true);
    (await server.connection(1)).resetAndDestroy();
    expect(await reader.ends()).toBe('reset');
    expect(await second.closed()).toMatchObject({ ending: 'dropped', cause: { leg: 'backend', manner: 'reset' } });
  });

  test('a client that leaves while its server is prepared leaves nothing', async () => {
    const server = await bench.server(() => {});
    let signal: AbortSignal | undefined;
    const { client, closed } = await proxyWith({
      servers: [{ port: server.port }],
      prepare(_socket, context) {
        signal = context.signal;
        return once(context.signal, 'abort');
      },
    });
    const theirs = new Reader(await server.connection());
    await until('the hook', () => signal !== undefined);
    client.resetAndDestroy();
    // Without reading ahead the reset is noticed later.
    if (connectBufferBytes === 0) return;
    expect(await theirs.ends()).toBe('reset');
    expect(signal?.aborted).toBe(true);
    expect(await closed()).toMatchObject({ ending: 'dropped' });
  });
});
