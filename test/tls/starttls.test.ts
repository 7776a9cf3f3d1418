/**
 * Hooks that put TLS over the socket that they are given. One that returns it is the easy case; where a hook keeps it to
 * itself the library follows, though Node tells it no end.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TLSSocket, TLSSocket as TlsSocket, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { adoptClient, type Client, type Outcome } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, type PeerServer, Reader } from '../support/peers.js';
import { until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeListener, makeProxy } = makers(bench);

/** A server that waits for one byte, and goes on in TLS. */
async function upgradingServer(): Promise<{ server: PeerServer; secured: TLSSocket[] }> {
  const secured: TLSSocket[] = [];
  const server = await bench.server((socket) => {
    socket.once('data', () => {
      socket.write('S');
      const secure = new TlsSocket(socket, { isServer: true, ...CERTIFICATE });
      secure.on('error', () => {});
      secure.on('end', () => secure.end());
      secure.resume();
      secured.push(secure);
    });
  });
  return { server, secured };
}

/** As a client does it. */
async function upgrade(socket: Socket, signal?: AbortSignal): Promise<TLSSocket> {
  socket.write('?');
  await once(socket, 'data', { ...(signal && { signal }) });
  const secure = tlsConnect({ socket, ca: CERTIFICATE.cert, host: 'localhost' });
  secure.on('error', () => {});
  await once(secure, 'secureConnect', { ...(signal && { signal }) });
  secure.resume();
  return secure;
}

/** As a server does it. */
async function accept(socket: Socket, signal: AbortSignal): Promise<TLSSocket> {
  socket.resume();
  await once(socket, 'data', { signal });
  socket.pause();
  socket.write('S');
  const secure = new TlsSocket(socket, { isServer: true, ...CERTIFICATE });
  secure.on('error', () => {});
  await once(secure, 'secure', { signal });
  secure.resume();
  return secure;
}

test('the server ends: a persistent backend connects again', async () => {
  const { server, secured } = await upgradingServer();
  const { backend } = makeBackend({
    servers: [{ port: server.port }],
    prepareTimeout: 3_000,
    prepare: async (socket, { signal }) => void (await upgrade(socket, signal)),
  });
  await backend.connect();
  const dropped = new Promise((resolve) => backend.once('dropped', resolve));
  const again = new Promise<{ incarnation: number }>((resolve) => backend.once('established', resolve));
  secured[0]?.end();
  expect(await within(3_000, 'the drop', dropped)).toMatchObject({
    cause: { initiator: 'owner', manner: 'destroy', code: 'ERR_NOT_SUPPORTED', phase: 'established' },
  });
  expect((await within(3_000, 'the next connection', again)).incarnation).toBe(2);
});

test('a close ends in time', async () => {
  const { server, secured } = await upgradingServer();
  const { backend } = makeBackend({
    servers: [{ port: server.port }],
    prepareTimeout: 3_000,
    closeTimeout: 5_000,
    prepare: async (socket, { signal }) => void (await upgrade(socket, signal)),
  });
  await backend.connect();
  const reader = new Reader(secured[0] as TLSSocket);
  expect((await within(3_000, 'the close', backend.close())).ending).toBe('closed');
  await reader.ends();
});

test('what was written in TLS before the holder let go arrives', async () => {
  const { server, secured } = await upgradingServer();
  let secure: TLSSocket | undefined;
  const { backend } = makeBackend({
    servers: [{ port: server.port }],
    prepareTimeout: 3_000,
    closeTimeout: 5_000,
    async prepare(socket, { signal }) {
      secure = await upgrade(socket, signal);
    },
  });
  await backend.connect();
  const reader = new Reader(secured[0] as TLSSocket);
  const hold = backend.hold();
  const closed = backend.close();
  secure?.end('goodbye');
  await once(secure as TLSSocket, 'finish');
  hold.release();
  expect((await within(3_000, 'the close', closed)).ending).toBe('closed');
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('goodbye');
});

test('the client ends: a client that was adopted closes', async () => {
  const adopted: Client[] = [];
  const server = await bench.server((socket) => {
    adopted.push(
      bench.keep(
        adoptClient(socket, {
          clock: bench.clock,
          admit: async ({ socket: raw }, { signal }) => void (await accept(raw, signal)),
        }),
      ),
    );
  });
  const raw = bench.own(connect({ port: server.port, host: '127.0.0.1' }));
  const secure = await upgrade(raw);
  secure.end();
  const outcome = await within(3_000, 'the end', (adopted[0] as Client).closed);
  expect(outcome).toMatchObject({ ending: 'dropped', cause: { manner: 'destroy', code: 'ERR_NOT_SUPPORTED' } });
});

test('a proxy refuses it in admit, and sends nothing in the clear', async () => {
  const server = await bench.server((socket) => void socket.write('secret'));
  const { proxy, at } = await makeProxy({
    servers: [{ port: server.port }],
    acceptTimeout: 3_000,
    admit: async ({ socket }, { signal }) => void (await accept(socket, signal)),
  });
  const closed = new Promise<Outcome>((resolve) => proxy.once('clientClosed', ({ outcome }) => resolve(outcome)));
  const client = bench.own(connect(at));
  const got = new Reader(client);
  const secure = await upgrade(client);
  const outcome = await within(5_000, 'the end', closed);
  expect(outcome).toMatchObject({ ending: 'refused', cause: { initiator: 'owner', code: 'ERR_NOT_SUPPORTED' } });
  expect((outcome.cause.error as Error).message).toContain('TLS over the socket');
  expect(server.accepted).toBe(0);
  await got.over;
  expect(got.text).toBe('S');
  secure.destroy();
});

test('a proxy refuses it in prepare, and sends nothing in the clear', async () => {
  const { server } = await upgradingServer();
  const { proxy, at } = await makeProxy({
    servers: [{ port: server.port }],
    attemptsMax: 1,
    prepare: async (socket, { signal }) => void (await upgrade(socket, signal)),
  });
  const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
  const client = bench.own(connect(at));
  client.write('secret');
  const outcome = await within(5_000, 'the end', closed);
  expect(outcome).toMatchObject({ ending: 'refused', cause: { initiator: 'owner', code: 'ERR_NOT_SUPPORTED' } });
});

test('a client that has ended while its hook decides still gets its answer', async () => {
  const server = await bench.server((socket) => socket.on('end', () => socket.end('answer')).resume());
  const { at } = await makeProxy({
    servers: [{ port: server.port }],
    async admit({ socket }, { signal }) {
      socket.resume();
      await once(socket, 'end', { signal });
    },
  });
  const client = bench.own(connect({ ...at, allowHalfOpen: true }));
  const reader = new Reader(client);
  client.end();
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('answer');
});

// The system refuses to reset such a socket, and nothing can close it then: it would hold the process for ever.
describe('the FIN of such TLS is on its way', () => {
  test('an abort closes the socket of a backend', async () => {
    const { server, secured } = await upgradingServer();
    let secure: TLSSocket | undefined;
    const { backend } = makeBackend({
      servers: [{ port: server.port }],
      prepareTimeout: 3_000,
      async prepare(socket, { signal }) {
        secure = await upgrade(socket, signal);
      },
    });
    const { socket } = await backend.connect();
    const closed = once(socket, 'close');
    const reader = new Reader(secured[0] as TLSSocket);
    secure?.end();
    const outcome = await within(3_000, 'the abort', backend.abort());
    expect(outcome).toMatchObject({ ending: 'aborted', cause: { initiator: 'owner', manner: 'abort' } });
    expect(outcome.truncated).toBeUndefined();
    await within(3_000, 'the close of the socket', closed);
    await reader.ends();
  });

  test('an abort closes the socket of a client', async () => {
    let secure: TLSSocket | undefined;
    const adopted: Client[] = [];
    const server = await bench.server((socket) => {
      const client = adoptClient(socket, {
        clock: bench.clock,
        async admit({ socket: raw }, { signal }) {
          secure = await accept(raw, signal);
        },
      });
      adopted.push(bench.keep(client));
    });
    const theirs = await upgrade(bench.own(connect({ port: server.port, host: '127.0.0.1' })));
    const reader = new Reader(theirs);
    const [client] = adopted as [Client];
    await until('the client', () => client.matches('live.established'));
    const closed = once(client.socket, 'close');
    secure?.end();
    const outcome = await within(3_000, 'the abort', client.abort());
    expect(outcome).toMatchObject({ ending: 'aborted', cause: { initiator: 'owner', manner: 'abort' } });
    expect(outcome.truncated).toBeUndefined();
    await within(3_000, 'the close of the socket', closed);
    await reader.ends();
  });
});

test('an abort is a reset of the socket below such TLS', async () => {
  const { server, secured } = await upgradingServer();
  const { backend } = makeBackend({
    servers: [{ port: server.port }],
    prepareTimeout: 3_000,
    prepare: async (socket, { signal }) => void (await upgrade(socket, signal)),
  });
  await backend.connect();
  const reader = new Reader(secured[0] as TLSSocket);
  expect((await within(3_000, 'the abort', backend.abort())).truncated).toBeUndefined();
  expect(await reader.ends()).toBe('reset');
});

describe('prepare returns the TLS socket', () => {
  /** Puts TLS over the socket, and does not wait for the handshake. */
  const starttls = async (socket: Socket, { signal }: { signal: AbortSignal }): Promise<TLSSocket> => {
    socket.write('?');
    await once(socket, 'data', { signal });
    return tlsConnect({ socket, ca: CERTIFICATE.cert, host: 'localhost' });
  };

  test('users see it, and its ends are ends', async () => {
    const { server, secured } = await upgradingServer();
    const { backend } = makeBackend({
      servers: [{ port: server.port }],
      persistent: false,
      prepareTimeout: 3_000,
      prepare: starttls,
    });
    const { socket } = await within(3_000, 'the connection', backend.connect());
    expect((socket as TLSSocket).authorized).toBe(true);
    const [theirs] = secured as [TLSSocket];
    const [ours, reader] = [new Reader(socket), new Reader(theirs)];
    theirs.write('hello');
    await ours.has(5);
    socket.end('bye');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('bye');
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('an end of the server is a drop for a persistent backend, by its peer', async () => {
    const { server, secured } = await upgradingServer();
    const { backend } = makeBackend({ servers: [{ port: server.port }], prepareTimeout: 3_000, prepare: starttls });
    const { socket } = await backend.connect();
    socket.resume();
    const dropped = new Promise((resolve) => backend.once('dropped', resolve));
    const again = new Promise<{ incarnation: number }>((resolve) => backend.once('established', resolve));
    secured[0]?.end();
    expect(await within(3_000, 'the drop', dropped)).toMatchObject({ cause: { initiator: 'peer', manner: 'end' } });
    expect((await within(3_000, 'the next connection', again)).incarnation).toBe(2);
  });

  test('an abort is a reset of the socket below', async () => {
    const { server, secured } = await upgradingServer();
    const { backend } = makeBackend({ servers: [{ port: server.port }], prepareTimeout: 3_000, prepare: starttls });
    const { socket } = await backend.connect();
    const reader = new Reader(secured[0] as TLSSocket);
    expect((await within(3_000, 'the abort', backend.abort())).truncated).toBeUndefined();
    expect(await reader.ends()).toBe('reset');
    expect(socket.destroyed).toBe(true);
  });

  test('an abort in its handshake is one, too', async () => {
    const server = await bench.server((socket) => void socket.once('data', () => socket.write('S')));
    const { backend } = makeBackend({ servers: [{ port: server.port }], prepareTimeout: 60_000, prepare: starttls });
    const failed = backend.connect().catch((error) => error);
    const theirs = await server.connection();
    const reader = new Reader(theirs);
    // The first byte is the question, and the others are the handshake's.
    await reader.has(2);
    await within(3_000, 'the abort', backend.abort());
    expect(await reader.ends()).toBe('reset');
    expect(await failed).toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('a certificate that is not trusted fails the attempt', async () => {
    const { server } = await upgradingServer();
    const { backend } = makeBackend({
      servers: [{ port: server.port }],
      persistent: false,
      attemptsMax: 1,
      prepareTimeout: 3_000,
      async prepare(socket, { signal }) {
        socket.write('?');
        await once(socket, 'data', { signal });
        return tlsConnect({ socket });
      },
    });
    await expect(backend.connect()).rejects.toMatchObject({
      cause: { phase: 'preparing', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
  });

  test('a proxy relays through it, also what the client has sent before', async () => {
    const { server, secured } = await upgradingServer();
    const { proxy, at } = await makeProxy({ servers: [{ port: server.port }], prepare: starttls });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect({ ...at, allowHalfOpen: true }));
    const body = Buffer.alloc(2 ** 21, 'b');
    client.end(body);
    await until('TLS at the server', () => secured.length === 1);
    const theirs = secured[0] as TLSSocket;
    theirs.removeAllListeners('end');
    const [reader, answer] = [new Reader(theirs, { keep: false }), new Reader(client, { keep: false })];
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(body.length);
    theirs.end(body);
    expect(await answer.ends()).toBe('end');
    expect(answer.bytes).toBe(body.length);
    expect(await within(3_000, 'the end', closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a proxy resets it when its client is reset, and its client when it is', async () => {
    const { server, secured } = await upgradingServer();
    const { proxy, at } = await makeProxy({ servers: [{ port: server.port }], prepare: starttls });
    const established = (): Promise<unknown> => new Promise((resolve) => proxy.once('established', resolve));
    let up = established();
    const first = bench.own(connect(at));
    await up;
    await until('TLS at the server', () => secured.length === 1);
    const reader = new Reader(secured[0] as TLSSocket);
    first.resetAndDestroy();
    expect(await reader.ends()).toBe('reset');

    up = established();
    const second = new Reader(bench.own(connect(at)));
    await up;
    await until('TLS at the server', () => secured.length === 2);
    (await server.connection(1)).resetAndDestroy();
    expect(await second.ends()).toBe('reset');
  });
});

describe('admit returns the TLS socket', () => {
  /** Puts TLS over the socket, and does not wait for the handshake. */
  const starttls = async ({ socket }: Client, { signal }: { signal: AbortSignal }): Promise<TLSSocket> => {
    socket.resume();
    await once(socket, 'data', { signal });
    socket.pause();
    socket.write('S');
    return new TlsSocket(socket, { isServer: true, ...CERTIFICATE });
  };

  async function secureClient(at: object): Promise<TLSSocket> {
    const raw = bench.own(connect({ ...(at as { port: number }), allowHalfOpen: true }));
    raw.write('?');
    await once(raw, 'data');
    const secure = bench.own(tlsConnect({ socket: raw, ca: CERTIFICATE.cert, host: 'localhost' }));
    await once(secure, 'secureConnect');
    return secure;
  }

  test('users see it, and its ends are ends', async () => {
    const listener = makeListener({ acceptTimeout: 3_000, admit: starttls });
    const clients: Client[] = [];
    listener.on('client', (client) => clients.push(client));
    const peer = await secureClient((await listener.start()) as object);
    await until('the client', () => clients.length === 1);
    const [client] = clients as [Client];
    expect((client.socket as TLSSocket).getProtocol()).toMatch(/^TLS/);
    const [ours, theirs] = [new Reader(client.socket), new Reader(peer)];
    client.socket.resume();
    peer.write('hello');
    await ours.has(5);
    client.socket.end('bye');
    expect(await theirs.ends()).toBe('end');
    expect(theirs.text).toBe('bye');
    peer.end();
    expect(await within(3_000, 'the end', client.closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a proxy relays it, and sends nothing in the clear', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [{ port: server.port }], acceptTimeout: 3_000, admit: starttls });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const peer = await secureClient(at);
    const reader = new Reader(peer, { keep: false });
    const body = Buffer.alloc(2 ** 21, 'b');
    peer.write(body);
    await reader.has(body.length);
    peer.end();
    expect(await reader.ends()).toBe('end');
    expect(await within(3_000, 'the end', closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a reset of the server is a reset of the socket below, and one of the client reaches the server', async () => {
    const server = await bench.server(() => {});
    const { proxy, at } = await makeProxy({ servers: [{ port: server.port }], acceptTimeout: 3_000, admit: starttls });
    const established = (): Promise<unknown> => new Promise((resolve) => proxy.once('established', resolve));
    let up = established();
    const first = new Reader(await secureClient(at));
    await up;
    (await server.connection()).resetAndDestroy();
    expect(await first.ends()).toBe('reset');

    up = established();
    const raw = bench.own(connect(at));
    raw.write('?');
    await once(raw, 'data');
    const second = bench.own(tlsConnect({ socket: raw, ca: CERTIFICATE.cert, host: 'localhost' }));
    await once(second, 'secureConnect');
    await up;
    const theirs = new Reader(await server.connection(1));
    raw.resetAndDestroy();
    expect(await theirs.ends()).toBe('reset');
  });

  test('a handshake that fails, and one that takes too long, is a refusal', async () => {
    const listener = makeListener({ acceptTimeout: 200, admit: starttls });
    const refused: Outcome[] = [];
    const at = (await listener.start()) as { host: string; port: number };
    for (const bytes of ['this is no ClientHello', '']) {
      const peer = bench.own(connect(at));
      peer.write('?');
      await once(peer, 'data');
      const [client] = [...listener.clients] as [Client];
      void client.closed.then((outcome) => refused.push(outcome));
      if (bytes !== '') peer.write(bytes);
      peer.resume();
      await within(3_000, 'the refusal', client.closed);
    }
    expect(refused).toMatchObject([
      { ending: 'refused', cause: { initiator: 'peer', manner: 'error', phase: 'accepted' } },
      { ending: 'refused', cause: { code: 'acceptTimeout' } },
    ]);
  });
});
