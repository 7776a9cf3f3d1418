/** Hooks that put TLS over the socket that they are given: the library follows, though Node tells it no end. */
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
const { makeBackend, makeProxy } = makers(bench);

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
    prepare: (socket, { signal }) => upgrade(socket, signal),
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
    prepare: (socket, { signal }) => upgrade(socket, signal),
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
        adoptClient(socket, { clock: bench.clock, admit: ({ socket: raw }, { signal }) => accept(raw, signal) }),
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
    admit: ({ socket }, { signal }) => accept(socket, signal),
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
    prepare: (socket, { signal }) => upgrade(socket, signal),
  });
  await backend.connect();
  const reader = new Reader(secured[0] as TLSSocket);
  expect((await within(3_000, 'the abort', backend.abort())).truncated).toBeUndefined();
  expect(await reader.ends()).toBe('reset');
});
