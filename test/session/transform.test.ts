/** Code that looks at the bytes of a session, and streams that change them. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Duplex, PassThrough, Transform } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Outcome, Session, TcpProxy } from '../../src/index.js';
import { createProxy } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, dialTls, Reader } from '../support/peers.js';
import { how } from '../support/record.js';
import { gate, until, within } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

type At = { readonly host: string; readonly port: number };

const sessionEnd = (proxy: TcpProxy): Promise<Outcome> =>
  within(
    5_000,
    'the end of a session',
    new Promise((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome))),
  );

const upperCase = (): Transform =>
  new Transform({
    transform(chunk, _encoding, done) {
      done(null, String(chunk).toUpperCase());
    },
  });

/** What a server sees of a client, and answers when it has ended. */
async function answering(answer: string): Promise<{ at: At; got: Promise<string> }> {
  const got = gate<string>();
  const server = await bench.server((socket) => {
    const reader = new Reader(socket);
    socket.on('end', () => {
      got.open(reader.text);
      socket.end(answer);
    });
  });
  return { at: server.at as At, got: got.promise };
}

describe('a data listener', () => {
  test.each(['the client', 'the server', 'the client over TLS'])(
    'on the socket of %s sees every byte, and takes none',
    async (which) => {
      const { at: server, got } = await answering('answer');
      const tls = which.endsWith('TLS') ? { tls: CERTIFICATE } : {};
      const { proxy, at } = await makeProxy({ servers: [server], listen: { host: '127.0.0.1', port: 0, ...tls } });
      const seen: Buffer[] = [];
      const established = gate<Session>();
      proxy.on('established', (session) => {
        const socket = which.startsWith('the client') ? session.client.socket : session.backend.connection?.socket;
        (socket as Socket).on('data', (chunk: Buffer) => seen.push(chunk));
        established.open(session);
      });
      const socket = bench.own(which.endsWith('TLS') ? dialTls(at) : connect({ ...at, allowHalfOpen: true }));
      const reader = new Reader(socket);
      socket.write('one ');
      await established.promise;
      await until('the first bytes', () => (proxy.sessions[0]?.bytes.fromClient ?? 0) === 4);
      socket.end('two');
      expect(await reader.ends()).toBe('end');
      expect(await got).toBe('one two');
      expect(reader.text).toBe('answer');
      expect(Buffer.concat(seen).toString()).toBe(which === 'the server' ? 'answer' : 'one two');
    },
  );

  test('that comes late sees what comes then, whichever buffers it is read into', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at as At] });
    const socket = bench.own(connect(at));
    const reader = new Reader(socket);
    socket.write('early');
    await reader.has(5);
    const session = proxy.sessions[0] as Session;
    const hash = createHash('sha256');
    let bytes = 0;
    session.client.socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    const sent = Buffer.alloc(2_000_000, 'late');
    socket.end(sent);
    await reader.ends(20_000);
    expect(bytes).toBe(sent.length);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
    expect(reader.bytes).toBe(sent.length + 5);
  });
});

test('a data listener that throws makes no hole in the stream', async () => {
  const { at: server, got } = await answering('');
  const { proxy, at } = await makeProxy({ servers: [server] });
  const errors: unknown[] = [];
  const uncaught = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  bench.later(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of uncaught) process.on('uncaughtException', listener);
  });
  proxy.on('established', (session) => {
    session.client.socket.on('data', () => {
      throw new Error('a mistake of the listener');
    });
  });
  const socket = bench.own(connect({ ...at, allowHalfOpen: true }));
  socket.write('one ');
  await until('the first bytes', () => (proxy.sessions[0]?.bytes.fromClient ?? 0) === 4);
  socket.end('two');
  expect(await got).toBe('one two');
  expect(errors).toHaveLength(2);
});

describe('a transform', () => {
  test('of each direction changes what the other side gets; what was read is counted', async () => {
    const { at: server, got } = await answering('answer');
    const { proxy, at } = await makeProxy({
      servers: [server],
      transform: { fromClient: upperCase, fromBackend: () => createGzip() },
    });
    const over = sessionEnd(proxy);
    const session = within(5_000, 'a session', new Promise<Session>((resolve) => proxy.once('established', resolve)));
    const socket = bench.own(connect({ ...at, allowHalfOpen: true }));
    const gunzip = socket.pipe(createGunzip());
    socket.end('question');
    const chunks: Buffer[] = [];
    gunzip.on('data', (chunk: Buffer) => chunks.push(chunk));
    await within(5_000, 'the answer', once(gunzip, 'end'));
    expect(Buffer.concat(chunks).toString()).toBe('answer');
    expect(await got).toBe('QUESTION');
    expect(how(await over)).toMatch(/^ended/);
    expect((await session).bytes).toEqual({ fromClient: 8, fromBackend: 6 });
  });

  test('much of it, to a slow reader: nothing is lost, and the sender waits', async () => {
    const sent = Buffer.alloc(3_000_000, '0123456789');
    const server = await bench.server((socket) => socket.end(sent));
    let held = 0;
    const { at, proxy } = await makeProxy({
      servers: [server.at as At],
      transform: {
        fromBackend: () =>
          new Transform({
            transform(chunk, _encoding, done) {
              held += chunk.length;
              done(null, chunk);
            },
          }),
      },
    });
    const over = sessionEnd(proxy);
    const socket = bench.own(connect({ ...at, allowHalfOpen: true }));
    const reader = new Reader(socket, { flow: false });
    await until('the session', () => proxy.sessions[0]?.matches('relaying') === true);
    let before = -1;
    await until('the server to wait', () => {
      const stands = held === before && held > 0;
      before = held;
      return stands;
    });
    socket.resume();
    socket.end();
    expect(await reader.ends(20_000)).toBe('end');
    expect(reader.bytes).toBe(sent.length);
    expect(reader.digest).toBe(createHash('sha256').update(sent).digest('hex'));
    expect(how(await over)).toMatch(/^ended/);
  });

  test('a side that resets: what it had sent before comes out, and then a reset', async () => {
    const got = gate<Reader>();
    const server = await bench.server((socket) => got.open(new Reader(socket)));
    const { at, proxy } = await makeProxy({ servers: [server.at as At], transform: { fromClient: upperCase } });
    const over = sessionEnd(proxy);
    const socket = bench.own(connect(at));
    socket.write('last words');
    await until('its bytes', () => (proxy.sessions[0]?.bytes.fromClient ?? 0) === 10);
    socket.resetAndDestroy();
    const reader = await got.promise;
    expect(await reader.ends()).toBe('reset');
    expect(reader.text).toBe('LAST WORDS');
    expect(how(await over)).toMatch(/^dropped peer\/reset/);
  });

  const FAILURES: readonly [string, () => Duplex, RegExp][] = [
    [
      'that fails',
      () =>
        new Transform({
          transform(_chunk, _encoding, done) {
            done(Object.assign(new Error('no'), { code: 'EBAD' }));
          },
        }),
      /^aborted owner\/error\/established\/EBAD/,
    ],
    [
      'that ends by itself',
      () =>
        new Transform({
          transform(_chunk, _encoding, done) {
            this.push(null);
            done();
          },
        }),
      /^aborted owner\/error\/established\/ERR_TRANSFORM_ENDED/,
    ],
    [
      'that is destroyed',
      () => {
        const stream = new PassThrough();
        stream.once('data', () => stream.destroy());
        return stream;
      },
      /^aborted owner\/error\/established\/ERR_TRANSFORM_ENDED/,
    ],
  ];
  test.each(FAILURES)('%s cuts the session', async (_what, make, expected) => {
    const server = await bench.silent();
    const { at, proxy } = await makeProxy({ servers: [server.at as At], transform: { fromClient: make } });
    const over = sessionEnd(proxy);
    const socket = bench.own(connect(at));
    const reader = new Reader(socket);
    socket.write('x');
    expect(await reader.ends()).toBe('reset');
    expect(how(await over)).toMatch(expected);
  });

  test('a hook that throws, or returns no stream of bytes, cuts the session with the error in its cause', async () => {
    const server = await bench.silent();
    const cases: readonly (readonly [() => unknown, RegExp])[] = [
      [() => 5, /"transform.fromClient" must be a function that returns a stream/],
      [
        async () => new PassThrough(),
        /"transform.fromClient" must be a function that returns a stream of bytes, not a promise/,
      ],
      [() => new PassThrough({ objectMode: true }), /object mode/],
      [() => new PassThrough().setEncoding('utf8'), /encoding/],
      [() => new PassThrough().destroy(), /destroyed/],
    ];
    for (const [make, expected] of cases) {
      const { at, proxy } = await makeProxy({ servers: [server.at as At], transform: { fromClient: make as never } });
      const over = sessionEnd(proxy);
      expect(await new Reader(bench.own(connect(at))).ends()).toBe('reset');
      const { cause } = await over;
      expect(cause).toMatchObject({ initiator: 'owner', manner: 'error' });
      expect(String((cause.error as Error).message)).toMatch(expected);
    }
  });

  test('a client that is lost after its end: the end that is owed comes first', async () => {
    const got = gate<Reader>();
    const server = await bench.server((socket) => got.open(new Reader(socket)));
    const release = gate();
    const { at, proxy } = await makeProxy({
      servers: [server.at as At],
      transform: {
        fromClient: () =>
          new Transform({
            transform: (chunk, _encoding, done) => void release.promise.then(() => done(null, chunk)),
          }),
      },
    });
    const socket = bench.own(connect({ ...at, allowHalfOpen: true }));
    socket.end('hello');
    await until('its end', () => proxy.sessions[0]?.matches('relaying.clientEnded') === true);
    void (proxy.sessions[0] as Session).client.abort();
    release.open();
    const reader = await got.promise;
    await until('every byte', () => reader.bytes === 5);
    expect(await reader.ends()).toBe('end');
  });

  test('what a hook has made is destroyed where the other hook fails', async () => {
    const server = await bench.silent();
    const made: Duplex[] = [];
    const { at, proxy } = await makeProxy({
      servers: [server.at as At],
      transform: {
        fromClient: () => {
          const stream = new PassThrough();
          made.push(stream);
          return stream;
        },
        fromBackend: () => made[0],
      },
    });
    const over = sessionEnd(proxy);
    bench.own(connect(at));
    expect(how(await over)).toMatch(/^aborted owner\/error\/established\/ERR_INVALID_OPTION/);
    expect(made[0]?.destroyed).toBe(true);
  });

  test('one that never gives anything is idle, and is bounded as any stillness', async () => {
    const server = await bench.silent();
    const { at, proxy } = await makeProxy({
      servers: [server.at as At],
      halfCloseTimeout: 40,
      transform: { fromClient: () => new Transform({ transform() {} }) },
    });
    const over = sessionEnd(proxy);
    const socket = bench.own(connect({ ...at, allowHalfOpen: true }));
    new Reader(socket);
    socket.end('swallowed');
    expect((await over).cause.code).toBe('halfCloseTimeout');
  });

  test('options that are wrong are refused at the call', () => {
    const make = (transform: unknown) => () => createProxy({ servers: [{ port: 1 }], transform: transform as never });
    expect(make({ fromServer: upperCase })).toThrow(/transform.fromServer/);
    expect(make({ fromClient: upperCase() })).toThrow(/"transform.fromClient" must be a function/);
    expect(make(upperCase)).toThrow(/transform/);
  });
});
