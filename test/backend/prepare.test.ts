/** A `prepare` hook that returns, or promises, a stream over the socket that it was given. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';
import type { BackendOptions, PrepareContext } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, plainServer, Reader, tlsServer } from '../support/peers.js';
import { Flipped, flip, textOf, usePairs } from '../support/streams.js';
import { gate, turns, until, within } from '../support/wait.js';

const bench = useBench();
const pairs = usePairs(bench);
const { makeBackend } = makers(bench);

const once1 = { persistent: false, attemptsMax: 1 } as const;

/** A backend that goes on with a stream over its socket, and what the server has of it. */
async function over(careless: boolean, options: Partial<BackendOptions> = {}) {
  const server = await bench.peer(plainServer(() => {}));
  let below: Socket | undefined;
  const { backend, seen } = makeBackend({
    ...once1,
    servers: [{ port: server.port }],
    prepare: (socket) => {
      below = socket;
      return pairs.count(new Flipped(socket, { careless }));
    },
    ...options,
  });
  const { socket } = await within(3_000, 'the connection', backend.connect());
  const theirs = await server.connection();
  return { backend, seen, ours: socket as Duplex, below: below as Socket, theirs };
}

describe.each([false, true])('a stream that is careless: %s', (careless) => {
  test('is what users see, and ends when both sides have', async () => {
    const { backend, ours, below, theirs } = await over(careless);
    expect(ours).toBeInstanceOf(Flipped);
    expect(backend.connection?.socket).toBe(ours);
    const reader = new Reader(theirs);
    theirs.write(flip(Buffer.from('hello')));
    expect(String((await once(ours, 'data'))[0])).toBe('hello');
    ours.end('question');
    await reader.has(8);
    expect(flip(Buffer.from(reader.text, 'latin1')).toString()).toBe('question');
    expect(backend.outcome).toBeUndefined();
    theirs.end(flip(Buffer.from('answer')));
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended', flushed: true });
    expect(await reader.ends()).toBe('end');
    expect([ours.destroyed, below.destroyed]).toEqual([true, true]);
  });

  test('is reset by an abort, as the socket is', async () => {
    const { backend, below, ours, theirs } = await over(careless);
    const reader = new Reader(theirs);
    const outcome = await within(3_000, 'the abort', backend.abort());
    expect(outcome.truncated).toBeUndefined();
    expect(await reader.ends()).toBe('reset');
    expect([ours.destroyed, below.destroyed]).toEqual([true, true]);
  });

  test('is lost with its socket: a reset is a reset', async () => {
    const { backend, ours, theirs } = await over(careless);
    theirs.resetAndDestroy();
    expect(await within(3_000, 'the drop', backend.closed)).toMatchObject({
      ending: 'dropped',
      cause: { initiator: 'peer', manner: 'reset', code: 'ECONNRESET' },
    });
    expect(ours.destroyed).toBe(true);
  });

  test('is aborted with its socket, where the owner destroys that', async () => {
    const { backend, ours, below } = await over(careless);
    below.destroy();
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({
      ending: 'aborted',
      cause: { initiator: 'owner', manner: 'destroy' },
    });
    expect(ours.destroyed).toBe(true);
  });

  test('is reset over TLS that the hook keeps to itself', async () => {
    const server = await bench.peer(tlsServer((socket) => socket.pause()));
    const { backend } = makeBackend({
      ...once1,
      servers: [{ port: server.port }],
      prepareTimeout: 3_000,
      abortTimeout: 60_000,
      async prepare(socket, { signal }) {
        const secure = tlsConnect({ socket, ca: CERTIFICATE.cert, host: 'localhost' }).on('error', () => {});
        await once(secure, 'secureConnect', { signal });
        return pairs.count(new Flipped(secure, { careless }));
      },
    });
    const { socket } = await within(3_000, 'the connection', backend.connect());
    const theirs = await server.connection();
    // Something waits in TLS.
    socket.write(Buffer.alloc(16 * 2 ** 20));
    await turns();
    expect((await within(3_000, 'the abort', backend.abort())).truncated).toBeUndefined();
    const reader = new Reader(theirs, { keep: false });
    theirs.resume();
    expect(await reader.ends()).toBe('reset');
    expect(socket.destroyed).toBe(true);
  });

  test('takes its socket along where its user destroys it', async () => {
    const { backend, ours, below, theirs } = await over(careless);
    const reader = new Reader(theirs);
    ours.destroy();
    expect(await within(3_000, 'the drop', backend.closed)).toMatchObject({ ending: 'aborted' });
    expect(below.destroyed).toBe(true);
    // The stream has closed its own socket, unless it is careless: then the library says what it is.
    expect(await reader.ends()).toBe(careless ? 'reset' : 'end');
  });

  test('does not lose what waits in its socket when it closes', async () => {
    const { backend, ours, theirs } = await over(careless, { closeTimeout: 60_000 });
    theirs.pause();
    const body = Buffer.alloc(8 * 2 ** 20, 'b');
    ours.end(body);
    theirs.end();
    ours.resume();
    await turns(20);
    expect(backend.outcome).toBeUndefined();
    const reader = new Reader(theirs, { keep: false });
    theirs.resume();
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(body.length);
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('claims no byte that its socket could not send', async () => {
    const { backend, ours, theirs } = await over(careless, { closeTimeout: 100, abortTimeout: 300 });
    theirs.pause();
    ours.write(Buffer.alloc(16 * 2 ** 20, 'b'));
    await turns();
    const outcome = await within(3_000, 'the close', backend.close());
    expect(outcome).toMatchObject({ ending: 'aborted', flushed: false, cause: { code: 'closeTimeout' } });
    expect(outcome.truncated).toBeUndefined();
    const reader = new Reader(theirs, { keep: false });
    theirs.resume();
    expect(await reader.ends()).toBe('reset');
  });

  test('is idle when its socket is', async () => {
    const clock = new ManualClock();
    const { backend, ours, theirs } = await over(careless, { clock, idleTimeout: 1_000 });
    ours.resume();
    for (let step = 0; step < 6; step++) {
      const moved = once(theirs, 'data');
      ours.write('x');
      await moved;
      clock.advance(250);
    }
    expect(backend.outcome).toBeUndefined();
    for (let step = 0; step < 4; step++) clock.advance(250);
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ cause: { code: 'idleTimeout' } });
  });

  test('is closed gracefully', async () => {
    const { backend, ours, theirs } = await over(careless, { closeTimeout: careless ? 100 : 5_000 });
    const reader = new Reader(theirs);
    theirs.on('end', () => theirs.end());
    ours.write('bye');
    const outcome = await within(3_000, 'the close', backend.close());
    // One that does not pass our end on is not answered, and is let go of in time.
    expect(outcome).toMatchObject({ ending: 'closed', flushed: true });
    await reader.has(3);
  });
});

test('the socket below does not keep the process alive where the backend does not', async () => {
  const { backend, below } = await over(false);
  const { _handle: handle } = below as unknown as { _handle: { hasRef(): boolean } };
  expect(handle.hasRef()).toBe(true);
  backend.unref();
  expect(handle.hasRef()).toBe(false);
  backend.ref();
  expect(handle.hasRef()).toBe(true);
});

test('a stream that comes too late is closed', async () => {
  const server = await bench.peer(plainServer(() => {}));
  const asked = gate<Duplex>();
  let given: Socket | undefined;
  const { backend } = makeBackend({
    ...once1,
    servers: [{ port: server.port }],
    prepareTimeout: 50,
    prepare(socket) {
      given = socket;
      return asked.promise;
    },
  });
  void backend.connect().catch(() => {});
  await within(3_000, 'the end', backend.closed);
  const late = pairs.count(new Flipped(given as Socket, { careless: true }));
  asked.open(late);
  await pairs.allClosed();
});

test.each(['objects', 'another backend’s'])('a stream of %s fails the attempt', async (what) => {
  const server = await bench.peer(plainServer(() => {}));
  const [used] = pairs.make();
  const { backend: other } = makeBackend({ ...once1, servers: [{ port: 1, connect: () => used }] });
  await other.connect();
  const { backend } = makeBackend({
    ...once1,
    servers: [{ port: server.port }],
    prepare: () => (what === 'objects' ? pairs.count(new PassThrough({ objectMode: true })) : used),
  });
  const error = await backend.connect().catch((caught) => caught);
  expect(error.cause).toMatchObject({ initiator: 'owner', phase: 'preparing' });
  expect(error.message).toContain(what === 'objects' ? 'object mode' : 'not in use');
  expect(await new Reader(await server.connection()).ends()).toBe('reset');
  expect(used.destroyed).toBe(false);
});

test('what a hook returns that is no stream means nothing', async () => {
  const server = await bench.echo();
  for (const given of [true, 'ready', { write() {} }, []]) {
    const { backend } = makeBackend({ ...once1, servers: [{ port: server.port }], prepare: async () => given });
    const { socket } = await within(3_000, 'the connection', backend.connect());
    socket.write('x');
    await once(socket, 'data');
  }
});

test('repair gets the stream of prepare, and may put another one over that', async () => {
  const server = await bench.peer(plainServer(() => {}));
  const layers: [Socket, Duplex][] = [];
  const layer = (socket: Socket): Duplex => {
    const stream = pairs.count(new Flipped(socket));
    layers.push([socket, stream]);
    return stream;
  };
  const { backend } = makeBackend({ servers: [{ port: server.port }], prepare: layer, repair: layer });
  await backend.connect();
  const again = new Promise<{ socket: Socket }>((resolve) => backend.once('established', resolve));
  (await server.connection()).resetAndDestroy();
  const { socket } = await within(3_000, 'the next connection', again);
  expect(socket).toBe(layers[2]?.[1]);
  expect(layers[2]?.[0]).toBe(layers[1]?.[1]);
  const theirs = await server.connection(1);
  socket.write('twice');
  // Flipped twice is as it was.
  expect(String((await once(theirs, 'data'))[0])).toBe('twice');
  const reader = new Reader(theirs);
  expect((await within(3_000, 'the abort', backend.abort())).truncated).toBeUndefined();
  expect(await reader.ends()).toBe('reset');
});

test('a stream over a stream that a connect hook made', async () => {
  const [ours, theirs] = pairs.make();
  const { backend } = makeBackend({
    ...once1,
    servers: [{ port: 1, connect: () => ours }],
    prepare: (socket) => pairs.count(new Flipped(socket)),
  });
  const { socket } = await backend.connect();
  const got = textOf(theirs);
  socket.end(flip(Buffer.from('there')));
  expect(await got).toBe('there');
  expect((await within(3_000, 'the abort', backend.abort())).ending).toBe('aborted');
});

describe('a WebSocket over the socket of a backend', () => {
  type Dial = (socket: Socket, context: PrepareContext) => Promise<Duplex>;

  const overSocket = async (socket: Socket): Promise<Duplex> => {
    const ws = new WebSocket('ws://localhost/', { createConnection: () => socket as never });
    await once(ws, 'open');
    return pairs.count(createWebSocketStream(ws));
  };

  const WAYS: Record<string, [tls: boolean, serverTls: boolean, dial: Dial]> = {
    'over TCP': [false, false, overSocket],
    'over the TLS of the library': [true, true, overSocket],
    'over TLS that the hook keeps to itself': [
      true,
      false,
      async (raw, { signal }) => {
        const secure = tlsConnect({ socket: raw, ca: CERTIFICATE.cert, host: 'localhost' });
        await once(secure, 'secureConnect', { signal });
        return overSocket(secure);
      },
    ],
  };

  async function backendOver(way: string) {
    const [tls, serverTls, prepare] = WAYS[way] as [boolean, boolean, Dial];
    const web = new WebSocketServer({ noServer: true });
    const streams: Duplex[] = [];
    const server = await bench.peer(
      tls ? tlsServer((socket) => upgrade(socket)) : plainServer((socket) => upgrade(socket)),
    );
    function upgrade(socket: Socket): void {
      socket.once('data', (head: Buffer) => {
        const key = /Sec-WebSocket-Key: (\S+)/i.exec(String(head))?.[1];
        const headers = { 'sec-websocket-key': key, 'sec-websocket-version': '13', upgrade: 'websocket' };
        web.handleUpgrade({ method: 'GET', headers, url: '/' } as never, socket, Buffer.alloc(0), (ws) => {
          streams.push(createWebSocketStream(ws).on('error', () => {}));
        });
      });
    }
    const { backend } = makeBackend({
      ...once1,
      servers: [{ port: server.port, ...(serverTls && { tls: { ca: CERTIFICATE.cert } }) }],
      prepareTimeout: 3_000,
      prepare,
    });
    const { socket } = await within(3_000, 'the connection', backend.connect());
    await until('the WebSocket at the server', () => streams.length === 1);
    return { backend, ours: socket as Duplex, theirs: streams[0] as Duplex, server };
  }

  test.each(Object.keys(WAYS))('%s: 2 MB, and an end', async (way) => {
    const { backend, ours, theirs } = await backendOver(way);
    theirs.pipe(theirs);
    const reader = new Reader(ours as Socket, { keep: false });
    ours.write(Buffer.alloc(2 ** 21, 'w'));
    await reader.has(2 ** 21);
    ours.end();
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test.each(Object.keys(WAYS))('%s: what waits at an end of the server is not lost', async (way) => {
    const { backend, ours, theirs } = await backendOver(way);
    theirs.end(Buffer.alloc(300_000, 'w'));
    await until('some of it', () => ours.readableLength > 0);
    await turns(100);
    const reader = new Reader(ours as Socket, { keep: false });
    ours.on('end', () => ours.end());
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(300_000);
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended' });
  });

  test.each(Object.keys(WAYS))('%s: an abort is a reset', async (way) => {
    const { backend, server } = await backendOver(way);
    const reader = new Reader((await server.connection()) as Socket | TLSSocket);
    const outcome = await within(3_000, 'the abort', backend.abort());
    expect(outcome.truncated).toBeUndefined();
    expect(await reader.ends()).toBe('reset');
  });
});
