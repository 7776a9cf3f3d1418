/** The proxy from end to end: whose bytes arrive, and how each side learns of the other's end. */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { ConnectError, createProxy, type Outcome, type Session, type TcpProxy } from '../../src/index.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { connectAndResetAtOnce, dialTls, echo, plainServer, Reader, refusingPort, send } from '../support/peers.js';
import { how, times, why } from '../support/record.js';
import { gate, ranMs, turns, until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

const MIB = 1_048_576;

const oneSession = async (proxy: TcpProxy): Promise<Session> => {
  await until('a session', () => proxy.sessions.length === 1);
  return proxy.sessions[0] as Session;
};

const sessionEnd = (proxy: TcpProxy): Promise<Outcome> =>
  within(
    5_000,
    'the end of a session',
    new Promise((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome))),
  );

/** The digest of `chunk` so many times. */
function digestOf(chunk: Buffer, times: number): string {
  const hash = createHash('sha256');
  for (let time = 0; time < times; time++) hash.update(chunk);
  return hash.digest('hex');
}

/** Reads a MiB, rests, and so on. */
function readSlowly(socket: Socket): void {
  let sinceRest = 0;
  socket.on('data', (chunk: Buffer) => {
    sinceRest += chunk.length;
    if (sinceRest < MIB) return;
    sinceRest = 0;
    socket.pause();
    setTimeout(() => socket.resume(), 2);
  });
}

describe('bytes', () => {
  test('64 MiB in both directions at once, both read slowly', async () => {
    const up = randomBytes(MIB);
    const down = randomBytes(MIB);
    const accepted = gate<{ socket: Socket; reader: Reader }>();
    const server = await bench.server((socket) => {
      const reader = new Reader(socket, { keep: false, flow: false });
      accepted.open({ socket, reader });
    });
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const client = await bench.dial(at);
    const answer = new Reader(client, { keep: false, flow: false });
    const { socket: backend, reader: question } = await accepted.promise;
    const session = await oneSession(proxy);
    const legs = [session.client.socket, session.backend.socket as Socket];
    let most = 0;
    const sample = (): void => {
      for (const leg of legs) most = Math.max(most, leg.writableLength, leg.readableLength);
    };
    for (const socket of [client, backend]) socket.on('data', sample);
    const sending = Promise.all([send(client, up, 64), send(backend, down, 64)]);
    // Nobody reads yet: what stands still must be in the system's buffers and not in ours.
    let before = -1;
    await until('the relay to stand still', () => {
      sample();
      const { fromClient, fromBackend } = session.bytes;
      const still =
        fromClient + fromBackend === before && fromClient > 0 && legs.every((leg) => leg.writableLength > 0);
      before = fromClient + fromBackend;
      return still;
    });
    expect(session.bytes.fromClient).toBeLessThan(64 * MIB);
    readSlowly(client);
    readSlowly(backend);
    for (const socket of [client, backend]) socket.resume();
    await sending;
    client.end();
    backend.end();
    expect(await question.ends(15_000)).toBe('end');
    expect(await answer.ends(15_000)).toBe('end');
    expect(question.digest).toBe(digestOf(up, 64));
    expect(answer.digest).toBe(digestOf(down, 64));
    expect(most).toBeLessThanOrEqual(MIB / 2);
    expect((await session.closed).ending).toBe('ended');
    expect(session.bytes).toEqual({ fromClient: 64 * MIB, fromBackend: 64 * MIB });
  });

  test('the client half-closes and then gets a long answer', async () => {
    const block = randomBytes(MIB);
    const server = await bench.server((socket) => {
      socket.resume();
      socket.on('end', () => void send(socket, block, 8).then(() => socket.end()));
    });
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const ended = sessionEnd(proxy);
    const client = await bench.dial(at);
    const answer = new Reader(client, { keep: false });
    client.end('request');
    expect(await answer.ends()).toBe('end');
    expect(answer.digest).toBe(digestOf(block, 8));
    expect(how(await ended)).toMatch(/^ended /);
  });

  test('the backend half-closes and then gets more', async () => {
    const block = randomBytes(MIB);
    const server = await bench.server((socket) => void socket.end('greeting'));
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const ended = sessionEnd(proxy);
    const client = await bench.dial(at);
    const greeting = new Reader(client);
    const question = new Reader(await server.connection(), { keep: false });
    expect(await greeting.ends()).toBe('end');
    expect(greeting.text).toBe('greeting');
    await send(client, block, 8);
    client.end();
    expect(await question.ends()).toBe('end');
    expect(question.digest).toBe(digestOf(block, 8));
    expect(how(await ended)).toMatch(/^ended /);
  });

  test('the same through a socket that the connect option made, half open or not', async () => {
    const server = await bench.server((socket) => void socket.end('greeting'));
    const { at } = await makeProxy({
      // Not half open: whoever writes this hook thinks of TLS, not of FINs.
      servers: [{ ...server.at, connect: ({ host, port }) => connect({ host, port: port as number }) }],
    });
    const client = await bench.dial(at);
    const greeting = new Reader(client);
    const question = new Reader(await server.connection());
    expect(await greeting.ends()).toBe('end');
    client.end('more');
    expect(await question.ends()).toBe('end');
    expect(question.text).toBe('more');
  });

  test('a backend over TLS', async () => {
    const block = randomBytes(MIB);
    const server = await bench.tls();
    const { proxy, at } = await makeProxy({ servers: [{ ...server.at, connect: dialTls }] });
    const ended = sessionEnd(proxy);
    const client = await bench.dial(at);
    const answer = new Reader(client, { keep: false });
    await send(client, block, 8);
    client.end();
    expect(await answer.ends()).toBe('end');
    expect(answer.digest).toBe(digestOf(block, 8));
    expect((await ended).ending).toBe('ended');
  });

  test.each([0, 65_536])('failover in the connect phase loses nothing, with connectBufferBytes %i', async (bytes) => {
    const down = await bench.refusing();
    const server = await bench.echo();
    const { proxy, at, seen } = await makeProxy({
      servers: [{ port: down }, server.at],
      balance: 'inOrder',
      connectBufferBytes: bytes,
    });
    const block = randomBytes(MIB);
    const client = bench.dialing(at);
    client.on('error', () => {});
    const answer = new Reader(client, { keep: false });
    const ended = sessionEnd(proxy);
    await send(client, block, 2);
    client.end();
    expect(await answer.ends()).toBe('end');
    expect(answer.digest).toBe(digestOf(block, 2));
    expect(seen.slice(0, 3)).toEqual(['retry 2', expect.stringMatching(/^failover /), 'established']);
    expect((await ended).ending).toBe('ended');
  });

  test('a long wait for the backend, with what was read ahead', async () => {
    const down = await bench.refusing();
    const { proxy, at } = await makeProxy({
      servers: [{ port: down }],
      attemptsMax: 10_000,
      connectBufferBytes: 100_000,
    });
    const block = randomBytes(MIB);
    const client = await bench.dial(at);
    const answer = new Reader(client, { keep: false });
    const sending = send(client, block, 4).then(() => client.end());
    const session = await oneSession(proxy);
    await until('the read ahead to stop', () => session.bytes.fromClient >= 100_000);
    await turns(20);
    expect(session.bytes.fromClient).toBeLessThan(100_000 + 65_537);
    await bench.echo({ port: down });
    await sending;
    expect(await answer.ends()).toBe('end');
    expect(answer.digest).toBe(digestOf(block, 4));
  });
});

describe('resets', () => {
  test.each(['backend', 'client'] as const)(
    'the %s resets: the other gets what was sent before, and a reset',
    async (side) => {
      const server = await bench.server(() => {});
      const { proxy, at, seen } = await makeProxy({ servers: [server.at] });
      const client = await bench.dial(at);
      const backend = await server.connection();
      const session = await oneSession(proxy);
      const [from, to] = side === 'backend' ? [backend, client] : [client, backend];
      const reader = new Reader(to, { keep: false });
      const block = randomBytes(MIB);
      await send(from, block, 4);
      await reader.has(4 * MIB);
      from.resetAndDestroy();
      expect(await reader.ends()).toBe('reset');
      expect(reader.digest).toBe(digestOf(block, 4));
      expect(how(await session.closed)).toBe('dropped peer/reset/established/ECONNRESET');
      expect(times(seen, `dropped ${side} peer/reset`)).toBe(1);
      expect(times(seen, 'dropped')).toBe(1);
    },
  );

  test.each(['backend', 'client'] as const)(
    'the %s resets while the other is slow: never a clean end',
    async (side) => {
      const server = await bench.server(() => {});
      const { proxy, at } = await makeProxy({ servers: [server.at] });
      const client = await bench.dial(at);
      const backend = await server.connection();
      const session = await oneSession(proxy);
      await until('the session to be established', () => session.matches('relaying'));
      const [from, to] = side === 'backend' ? [backend, client] : [client, backend];
      const leg = side === 'backend' ? session.client.socket : (session.backend.socket as Socket);
      to.pause();
      void send(from, randomBytes(MIB), 64);
      await until('the relay to be full', () => leg.writableLength > 0);
      from.resetAndDestroy();
      const reader = new Reader(to, { keep: false });
      to.resume();
      expect(await reader.ends()).toBe('reset');
      expect(reader.bytes).toBeLessThan(64 * MIB);
      expect((await session.closed).ending).toBe('dropped');
    },
  );

  test('the last small answer before a reset arrives', async () => {
    const server = await bench.server((socket) => {
      socket.once('data', () => socket.write('last words', () => socket.resetAndDestroy()));
    });
    const { at } = await makeProxy({ servers: [server.at] });
    for (let round = 0; round < 20; round++) {
      const client = await bench.dial(at);
      const reader = new Reader(client);
      client.write('x');
      expect(await reader.ends()).toBe('reset');
      expect(reader.text).toBe('last words');
    }
  });

  test('the client half-closes and then resets while the backend is slow: never a shortened clean end', async () => {
    const server = await bench.silent();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const client = await bench.dial(at);
    const session = await oneSession(proxy);
    const backend = await server.connection();
    // Fill the way to the backend until a few bytes wait in the proxy itself, but too few to stop its reading.
    const chunk = Buffer.alloc(8_192, 'x');
    await until('the backend to be connected', () => session.backend.socket !== undefined);
    const leg = session.backend.socket as Socket;
    let sent = 0;
    while (leg.writableLength === 0) {
      client.write(chunk);
      sent += chunk.length;
      await until('the proxy to read', () => session.bytes.fromClient === sent);
    }
    client.end();
    await until('the FIN to be passed on', () => leg.writableEnded);
    expect(leg.writableFinished).toBe(false);
    client.resetAndDestroy();
    // The proxy notices when it writes.
    const reader = new Reader(backend, { keep: false, flow: false });
    const feeding = setInterval(() => backend.write('answer'), 5);
    await until('the loss of the client', () => session.client.outcome !== undefined).finally(() =>
      clearInterval(feeding),
    );
    expect(session.client.outcome?.ending).toBe('dropped');
    // What was read before is written out first, and the backend has not taken it yet.
    await turns(10);
    expect(session.backend.outcome).toBeUndefined();
    backend.resume();
    const end = await reader.ends();
    if (end === 'end') expect(reader.bytes).toBe(sent);
    expect((await session.closed).ending).toBe('dropped');
  });

  test('a client that was reset before it is accepted', async () => {
    const server = await bench.echo();
    const { proxy, at, seen } = await makeProxy({ servers: [server.at] });
    await connectAndResetAtOnce(at.port);
    await until('the session to have come and gone', () => times(seen, 'session') === 1);
    expect(proxy.sessions).toEqual([]);
    expect(seen.at(-1)).toMatch(/^session dropped peer\/reset/);
  });

  test.each([0, 1_000])(
    'a client that resets while its backend is connecting, connectBufferBytes %i',
    async (bytes) => {
      const port = await bench.blackhole();
      const { proxy, at } = await makeProxy({
        servers: [{ port }],
        connectTimeout: false,
        sessionConnectTimeout: bytes > 0 ? 10_000 : 300,
        connectBufferBytes: bytes,
      });
      const ended = sessionEnd(proxy);
      const client = await bench.dial(at);
      const session = await oneSession(proxy);
      const from = ranMs();
      if (bytes > 0) {
        client.write('hello');
        await until('the read ahead', () => session.bytes.fromClient === 5);
      }
      client.resetAndDestroy();
      const outcome = await ended;
      if (bytes > 0) {
        // Noticed at once …
        expect(ranMs() - from).toBeLessThan(250);
        expect(how(outcome)).toBe('dropped peer/reset/established/ECONNRESET');
      } else {
        // … or, as documented, only when its time is up.
        expect(how(outcome)).toBe('refused library/timeout/connecting/sessionConnectTimeout');
      }
      expect(proxy.servers.list[0]?.connections).toBe(0);
    },
  );

  test('a leg that is closed through its own handle: what it was promised is flushed or told', async () => {
    const server = await bench.server(() => {});
    const { proxy, at } = await makeProxy({ servers: [server.at], closeTimeout: 2_000 });
    const client = await bench.dial(at);
    const reader = new Reader(client, { keep: false, flow: false });
    const session = await oneSession(proxy);
    const backend = await server.connection();
    void send(backend, randomBytes(65_536), 512);
    await until('the relay to be full', () => session.client.socket.writableLength > 0);
    const promised = session.bytes.fromBackend;
    void session.client.close();
    client.resume();
    client.on('end', () => client.end());
    const end = await reader.ends();
    const outcome = await session.client.closed;
    if (end === 'end') {
      expect(reader.bytes).toBe(promised);
      expect(outcome).toMatchObject({ ending: 'closed', flushed: true });
    }
    backend.destroy();
    expect((await session.closed).ending).toBe('aborted');
  });

  test.each(['client', 'backend'] as const)(
    'the %s leg is closed through its own handle: what its peer still says goes nowhere, and is no end for the other',
    async (side) => {
      const server = await bench.server(() => {});
      const { proxy, at } = await makeProxy({ servers: [server.at], closeTimeout: 2_000 });
      const client = await bench.dial(at);
      const backend = await server.connection();
      const session = await oneSession(proxy);
      await until('the session to be established', () => session.matches('relaying'));
      const [from, to] = side === 'client' ? [client, backend] : [backend, client];
      const leg = session[side].socket as Socket;
      from.pause();
      void send(to, randomBytes(65_536), 512);
      await until('the relay to be full', () => leg.writableLength > 0);
      void session[side].close();
      from.end('words that nobody hears');
      const other = new Reader(to);
      await until('the end of what it says', () => leg.readableEnded);
      await turns(10);
      expect(other.how).toBeUndefined();
      from.resume();
      expect(await other.ends()).toBe('reset');
      expect(other.bytes).toBe(0);
      expect((await session[side].closed).ending).toBe('closed');
      expect((await session.closed).ending).toBe('aborted');
    },
  );

  test('a client that is closed while its backend connects takes no greeting, and ends in peace', async () => {
    const port = await bench.refusing();
    const { proxy, at } = await makeProxy({ servers: [{ port }], attemptsMax: Number.POSITIVE_INFINITY });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    const session = await oneSession(proxy);
    void session.client.close();
    expect(await reader.ends()).toBe('end');
    const server = await bench.greeter('welcome', 'stay', { port });
    const backend = new Reader(await server.connection());
    await until('the session to be joined', () => session.matches('relaying'));
    await turns(10);
    expect(session.client.state).toBe('closing');
    client.end();
    expect(await session.client.closed).toMatchObject({ ending: 'closed', flushed: true });
    expect(await backend.ends()).toBe('reset');
    expect(reader.bytes).toBe(0);
  });
});

describe('limits', () => {
  test('idle: both legs are reset', async () => {
    const server = await bench.server(() => {});
    const { proxy, at } = await makeProxy({ servers: [server.at], idleTimeout: 80 });
    const client = new Reader(await bench.dial(at));
    const session = await oneSession(proxy);
    const backend = new Reader(await server.connection());
    expect(await client.ends()).toBe('reset');
    expect(await backend.ends()).toBe('reset');
    const outcome = await session.closed;
    expect(how(outcome)).toBe('aborted library/timeout/established/idleTimeout');
    expect(outcome.flushed).toBe(false);
    expect((await session.client.closed).ending).toBe('aborted');
    expect((await session.backend.closed).ending).toBe('aborted');
  });

  test('not idle while a byte moves now and then', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at], idleTimeout: 600 });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    const session = await oneSession(proxy);
    const startedAt = performance.now();
    const ticking = setInterval(() => client.write('x'), 40);
    await until('longer than the timeout to pass', () => performance.now() - startedAt > 1_000);
    clearInterval(ticking);
    expect(session.outcome).toBeUndefined();
    client.end();
    expect(await reader.ends()).toBe('end');
  });

  test('a client that takes nothing counts as idle', async () => {
    const server = await bench.server(() => {});
    const { proxy, at } = await makeProxy({ servers: [server.at], idleTimeout: 150 });
    const client = await bench.dial(at);
    client.pause();
    const session = await oneSession(proxy);
    void send(await server.connection(), randomBytes(MIB), 64);
    expect(how(await within(3_000, 'the cut', session.closed))).toBe('aborted library/timeout/established/idleTimeout');
  });

  test('the longest life of a session', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at], durationMax: 80 });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    const session = await oneSession(proxy);
    const ticking = setInterval(() => client.write('x'), 5);
    const end = await reader.ends().finally(() => clearInterval(ticking));
    expect(end).toBe('reset');
    expect(how(await session.closed)).toBe('aborted library/timeout/established/durationMax');
  });

  test.each(['client', 'backend'] as const)('half-closed by the %s, and then nothing', async (side) => {
    const server = await bench.server(() => {});
    const { proxy, at } = await makeProxy({ servers: [server.at], halfCloseTimeout: 80 });
    const client = await bench.dial(at);
    const backend = await server.connection();
    const session = await oneSession(proxy);
    const [ending, other] = side === 'client' ? [client, backend] : [backend, client];
    const reader = new Reader(other);
    ending.resume();
    ending.end('last');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('last');
    expect(how(await within(2_000, 'the cut', session.closed))).toBe(
      'aborted library/timeout/established/halfCloseTimeout',
    );
    await until('both to be cut', () => ending.destroyed || ending.readableEnded);
  });

  test('no backend in time', async () => {
    const port = await bench.blackhole();
    const { proxy, at, seen } = await makeProxy({
      servers: [{ port }],
      connectTimeout: 40,
      attemptsMax: 100,
      sessionConnectTimeout: 150,
    });
    const client = new Reader(await bench.dial(at));
    expect(await client.ends()).toBe('reset');
    await until('the session to end', () => times(seen, 'session') === 1);
    expect(seen.at(-1)).toBe('session refused library/timeout/connecting/sessionConnectTimeout');
    expect(times(seen, 'retry')).toBeGreaterThan(0);
    expect(proxy.servers.list[0]?.connections).toBe(0);
  });

  test.each([compiledRuntime, xstateRuntime])(
    'no backend in time: the last failure is named, $name',
    async (runtime) => {
      const port = await refusingPort();
      const { proxy, at } = await makeProxy({
        runtime,
        servers: [{ port }],
        backoff: { initialMs: 1, maxMs: 20 },
        sessionConnectTimeout: 150,
      });
      const ended = sessionEnd(proxy);
      const client = new Reader(await bench.dial(at));
      const session = await oneSession(proxy);
      expect(await client.ends()).toBe('reset');
      const { ending, cause } = await ended;
      expect([ending, cause.code]).toEqual(['refused', 'sessionConnectTimeout']);
      expect(cause.error).toBeInstanceOf(ConnectError);
      const { message, cause: last } = cause.error as ConnectError;
      expect(message).toMatch(`The last attempt, at 127.0.0.1:${port}, failed: ECONNREFUSED while connecting`);
      expect(last).toMatchObject({ manner: 'refusal', phase: 'connecting', code: 'ECONNREFUSED' });
      // Its legs say the same.
      expect(session.client.outcome?.cause.error).toBe(cause.error);
      expect(session.backend.outcome?.cause.error).toBe(cause.error);
    },
  );

  test('no place at a full server in time: the failure of the other one is named', async () => {
    const port = await refusingPort();
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({
      balance: 'inOrder',
      servers: [{ ...server.at, connectionsMax: 1 }, { port }],
      // Those that have failed rest for longer than all of it takes.
      backoff: { initialMs: 60_000, maxMs: 60_000, jitter: 0 },
      queueTimeout: 10_000,
      sessionConnectTimeout: 150,
    });
    const first = new Reader(await bench.dial(at));
    await oneSession(proxy);
    await until('the first to be served', () => server.accepted === 1);
    const ended = sessionEnd(proxy);
    const second = new Reader(await bench.dial(at));
    expect(await second.ends()).toBe('reset');
    const { cause } = await ended;
    expect(cause).toMatchObject({ code: 'sessionConnectTimeout', error: { cause: { code: 'ECONNREFUSED' } } });
    expect(first.text).toBe('');
  });

  test('a newcomer beyond the limit is reset and counted', async () => {
    const server = await bench.echo();
    const { proxy, at, seen } = await makeProxy({ servers: [server.at], clientsMax: 2 });
    const [first] = [await bench.dial(at), await bench.dial(at)];
    await until('both sessions', () => proxy.sessions.length === 2);
    expect(proxy.listeners[0]?.state).toBe('serving.listening.saturated');
    expect(await new Reader(bench.dialing(at)).ends()).toBe('reset');
    await until('the count', () => times(seen, 'refused') === 1);
    expect(seen).toContain('refused 1');
    expect(proxy.listeners[0]?.refused).toBe(1);
    const ended = sessionEnd(proxy);
    first?.resetAndDestroy();
    await ended;
    await until('a free place', () => proxy.listeners[0]?.state === 'serving.listening.accepting');
    const fourth = await bench.dial(at);
    const reader = new Reader(fourth);
    fourth.end('x');
    expect(await reader.ends()).toBe('end');
    expect(server.accepted).toBe(3);
  });

  test('newcomers are counted over all listeners', async () => {
    const server = await bench.echo();
    const { proxy, seen } = await makeProxy({ listen: [LOOPBACK, LOOPBACK], servers: [server.at], clientsMax: 1 });
    for (const where of proxy.addresses as { port: number }[]) {
      await bench.dial(where);
      expect(await new Reader(bench.dialing(where)).ends()).toBe('reset');
    }
    await until('the count', () => times(seen, 'refused') === 2);
    expect(seen.filter((line) => line.startsWith('refused'))).toEqual(['refused 1', 'refused 2']);
  });

  test('a full server: the session waits for a place', async () => {
    const server = await bench.echo();
    const { at, proxy } = await makeProxy({ servers: [{ ...server.at, connectionsMax: 1 }], queueTimeout: 3_000 });
    const first = await bench.dial(at);
    await server.connection();
    const second = await bench.dial(at);
    const reader = new Reader(second);
    second.end('queued');
    await until('two sessions', () => proxy.sessions.length === 2);
    expect(server.accepted).toBe(1);
    first.resume();
    first.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('queued');
  });
});

describe('listeners', () => {
  test('suspend and resume on the same port, with a live session', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    client.write('one');
    await reader.has(3);
    proxy.suspend();
    proxy.suspend();
    expect(proxy.listeners[0]?.state).toBe('serving.suspended');
    const refused = bench.dialing(at);
    await new Promise((resolve) => refused.on('error', resolve));
    client.write('two');
    await reader.has(6);
    proxy.resume();
    proxy.resume();
    await until('it to listen', () => proxy.listeners[0]?.matches('serving.listening') === true);
    expect(proxy.addresses).toEqual([at]);
    const second = await bench.dial(at);
    const other = new Reader(second);
    second.end('three');
    expect(await other.ends()).toBe('end');
    client.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('onetwo');
    expect(proxy.state).toBe('running');
  });

  test('Unix sockets on both sides', async () => {
    const server = await bench.echo({ path: bench.path('backend') });
    const path = bench.path('front');
    const { proxy, at } = await makeProxy({ listen: { path }, servers: [server.at] });
    expect(at).toEqual({ path });
    const client = await bench.dial({ path });
    const reader = new Reader(client);
    const block = randomBytes(MIB);
    await send(client, block, 8);
    client.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.digest).toBe(digestOf(block, 8));
    // A cut of a Unix socket cannot be told from an end by its peer: the outcome says so.
    await bench.dial({ path });
    const session = await oneSession(proxy);
    await until('the session to be established', () => session.matches('relaying'));
    await session.abort();
    expect(session.client.outcome).toMatchObject({ ending: 'aborted', truncated: true });
    expect(session.backend.outcome).toMatchObject({ ending: 'aborted', truncated: true });
    await proxy.close();
    expect(() => lstatSync(path)).toThrow();
  });

  const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

  test.skipIf(!hasIPv6)('IPv6 loopback', async () => {
    const server = await bench.echo({ host: '::1', port: 0 });
    const { proxy, at } = await makeProxy({ listen: { host: '::1', port: 0 }, servers: [server.at] });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    client.write('six');
    await reader.has(3);
    const [info] = proxy.connections();
    expect(info?.client.peer).toMatch(/^\[::1\]:\d+$/);
    expect(info?.backend?.server).toBe(`[::1]:${server.port}`);
    client.end();
    expect(await reader.ends()).toBe('end');
  });

  test('a start that fails on the second listener closes the first', async () => {
    const server = await bench.echo();
    const persistent = makeBackend({ servers: [server.at] });
    const proxy = bench.keep(
      createProxy({
        listen: [LOOPBACK, { host: '127.0.0.1', port: server.port }],
        servers: [server.at],
        backends: [persistent.backend],
        clock: bench.clock,
      }),
    );
    const bound = gate<number>();
    proxy.listeners[0]?.on('listening', (address) => bound.open((address as { port: number }).port));
    const starting = proxy.start();
    await expect(starting).rejects.toMatchObject({ code: 'ERR_BIND', cause: { code: 'EADDRINUSE' } });
    expect(how(await proxy.closed)).toBe('failed system/error/binding/EADDRINUSE');
    expect(proxy.listeners.map(({ outcome }) => outcome?.ending)).toEqual(['aborted', 'failed']);
    expect(persistent.backend.outcome?.ending).toBe('closed');
    const port = await Promise.race([bound.promise, turns().then(() => undefined)]);
    if (port !== undefined) {
      const probe = bench.dialing({ port });
      const [error] = (await once(probe, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ECONNREFUSED');
    }
  });

  test('a server that somebody else closes', async () => {
    const server = await bench.echo();
    const own = plainServer(() => {}).server;
    const proxy = bench.keep(
      createProxy({ listen: { ...LOOPBACK, server: own }, servers: [server.at], clock: bench.clock }),
    );
    await proxy.start();
    own.close();
    expect(how(await within(2_000, 'the end', proxy.closed))).toMatch(/^failed /);
  });
});

describe('persistent backends', () => {
  test('are connected before it listens, and closed after the last session', async () => {
    const server = await bench.echo();
    const { backend, seen } = makeBackend({ servers: [server.at] });
    const { proxy, at } = await makeProxy({ servers: [server.at], backends: [backend] });
    expect(seen).toEqual(['established 1']);
    const client = await bench.dial(at);
    const reader = new Reader(client);
    const session = await oneSession(proxy);
    await server.connection(1);
    const closing = proxy.close();
    await turns();
    expect(backend.matches('active.established')).toBe(true);
    client.end('bye');
    expect(await reader.ends()).toBe('end');
    expect((await closing).ending).toBe('closed');
    expect(session.outcome?.ending).toBe('ended');
    expect(backend.outcome?.ending).toBe('closed');
  });

  test('an abort does not wait for a silent one', async () => {
    const silent = await bench.silent();
    const { backend } = makeBackend({ servers: [silent.at], closeTimeout: 10_000 });
    const { proxy } = await makeProxy({ servers: [silent.at], backends: [backend] });
    const outcome = await within(1_000, 'the abort', proxy.abort());
    expect(outcome.ending).toBe('aborted');
    expect(backend.outcome?.ending).toBe('aborted');
  });
});

describe('what can be seen', () => {
  test('connections()', async () => {
    const server = await bench.server(() => {});
    const { proxy, at } = await makeProxy({ servers: [server.at], idleTimeout: 5_000 });
    const client = await bench.dial(at);
    const backend = await server.connection();
    client.write('question');
    backend.write('an answer');
    const reader = new Reader(client);
    await reader.has(9);
    const session = await oneSession(proxy);
    await until('the bytes', () => session.bytes.fromClient === 8);
    const [info, ...more] = proxy.connections();
    expect(more).toEqual([]);
    expect(info).toMatchObject({
      id: session.id,
      state: 'relaying.both',
      client: { id: session.client.id, state: 'live.established.open', peer: `127.0.0.1:${client.localPort}` },
      backend: { state: 'active.established.open', server: `127.0.0.1:${server.port}`, incarnation: 1 },
      bytes: { fromClient: 8, fromBackend: 9 },
    });
    expect(info?.ageMs).toBeGreaterThan(0);
    expect(info?.ageMs).toBeLessThan(10_000);
    const probe = info?.timers.find(({ name }) => name === 'session.idleProbe');
    expect(probe?.remainingMs).toBeGreaterThan(0);
    expect(probe?.remainingMs).toBeLessThanOrEqual(1_250);
    expect(info?.accepts).toEqual(
      expect.arrayContaining(['client.ended', 'backend.ended', 'session.close', 'session.abort']),
    );
    expect(JSON.parse(JSON.stringify(proxy.connections()))).toHaveLength(1);
    expect(JSON.parse(JSON.stringify(proxy))).toMatchObject({ state: 'running', sessions: 1 });
    client.resetAndDestroy();
    await session.closed;
    expect(proxy.connections()).toEqual([]);
  });

  test('a client that is still being admitted', async () => {
    const server = await bench.echo();
    const decided = gate<boolean>();
    const { proxy, at, seen } = await makeProxy({ servers: [server.at], admit: () => decided.promise });
    const client = await bench.dial(at);
    await until('the client', () => proxy.connections().length === 1);
    expect(proxy.connections()[0]).toMatchObject({
      state: 'live.accepted.open',
      backend: undefined,
      bytes: { fromClient: 0, fromBackend: 0 },
    });
    expect(proxy.connections()[0]?.timers[0]?.name).toBe('client.acceptTimeout');
    decided.open(false);
    expect(await new Reader(client).ends()).toBe('reset');
    await until('it to be gone', () => proxy.connections().length === 0);
    expect(server.accepted).toBe(0);
    expect(times(seen, 'dropped')).toBe(0);
  });
});

test('200 connections of all kinds at once: every byte right, nothing left', async () => {
  const answer = randomBytes(40_000);
  const server = await bench.server((socket) => {
    socket.once('data', (first: Buffer) => {
      switch (String.fromCharCode(first[0] as number)) {
        case 'e': // Sends everything back.
          socket.write(first);
          echo(socket);
          return;
        case 'a': // Answers after the end.
          socket.resume();
          socket.on('end', () => socket.end(answer));
          return;
        case 'f': // Ends first, and reads on.
          socket.resume();
          socket.end(answer);
          return;
        case 'r': // Answers, and resets once that has arrived.
          socket.write(answer);
          socket.once('data', () => socket.resetAndDestroy());
          return;
        default: // Waits for the client's reset.
          socket.resume();
      }
    });
  });
  const { proxy, at, seen } = await makeProxy({ servers: [server.at, server.at] });
  const digest = digestOf(answer, 1);
  const kinds = 'eafrx';
  const one = async (index: number): Promise<void> => {
    const kind = kinds[index % kinds.length] as string;
    const client = await bench.dial(at);
    const reader = new Reader(client, { keep: false });
    const payload = randomBytes(1_000 + ((index * 7_919) % 60_000));
    payload[0] = kind.charCodeAt(0);
    switch (kind) {
      case 'e':
        client.end(payload);
        expect(await reader.ends(15_000)).toBe('end');
        expect(reader.digest).toBe(digestOf(payload, 1));
        break;
      case 'a':
        client.end(payload);
        expect(await reader.ends(15_000)).toBe('end');
        expect(reader.digest).toBe(digest);
        break;
      case 'f':
        client.write(payload);
        expect(await reader.ends(15_000)).toBe('end');
        expect(reader.digest).toBe(digest);
        client.end('enough');
        break;
      case 'r':
        client.write('r');
        await reader.has(answer.length, 15_000);
        client.write('now');
        expect(await reader.ends(15_000)).toBe('reset');
        expect(reader.digest).toBe(digest);
        break;
      default:
        client.write(payload, () => client.resetAndDestroy());
        await once(client, 'close');
    }
  };
  await Promise.all(Array.from({ length: 200 }, (_, index) => one(index)));
  await until('every session to end', () => times(seen, 'session') === 200);
  expect(times(seen, 'session ended')).toBe(120);
  expect(times(seen, 'session dropped')).toBe(80);
  expect(times(seen, 'dropped')).toBe(80);
  expect(proxy.sessions).toEqual([]);
  expect(proxy.connections()).toEqual([]);
  expect(proxy.listeners[0]?.clients.size).toBe(0);
  expect(proxy.servers.list.map(({ connections }) => connections)).toEqual([0, 0]);
  expect(server.accepted).toBe(200);
  await server.left();
  expect(why((await proxy.close()).cause)).toBe('owner/close/serving');
});

test('byte counts are right, whoever ends', async () => {
  const server = await bench.server((socket) => {
    socket.resume();
    socket.on('end', () => socket.end(Buffer.alloc(123_456)));
  });
  const { proxy, at } = await makeProxy({ servers: [server.at], connectBufferBytes: 10 });
  const counted = new Promise((resolve) => proxy.once('sessionClosed', ({ session }) => resolve(session.bytes)));
  const client = await bench.dial(at);
  client.resume();
  client.end(Buffer.alloc(654_321));
  expect(await counted).toEqual({ fromClient: 654_321, fromBackend: 123_456 });
});
