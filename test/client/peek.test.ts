/** Seeing the first bytes of a client before its server is chosen: they stay its first bytes. */
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  type Client,
  ClientHelloError,
  createSession,
  encodeProxyHeader,
  type ListenAddress,
  NotEstablishedError,
  NotSupportedError,
  OptionError,
  type Outcome,
  type ProxyOptions,
} from '../../src/index.js';
import { optionalDeferred } from '../../src/promise.js';
import recorded from '../fixtures/client-hellos.json' with { type: 'json' };
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { type At, CERTIFICATE, dialTls, echo, Reader, send, tlsServer } from '../support/peers.js';
import { gate, turns, until } from '../support/wait.js';

vi.setConfig({ testTimeout: 30_000 });

const bench = useBench();
const { makeListener, makeProxy } = makers(bench);

const listen = { host: '127.0.0.1', port: 0 };
const HELLO = Buffer.from(recorded['openssl s_client -tls1_2 -servername Example.COM -alpn h2,http/1.1'], 'hex');

/** A client that is being closed is read until it ends. */
const NO_CLOSE_TIMEOUT = { closeTimeout: false } as const;

interface Looked<T> {
  /** Where clients come to. */
  readonly at: At;
  /** What the first look has found. */
  readonly found: Promise<T>;
  /** How the first client has ended. */
  readonly ended: Promise<Outcome>;
}

type Look<T> = (client: Client) => Promise<T>;

/** Calls the look in one place or another; then the client is joined to the server. */
type Place = <T>(server: At, look: Look<T>) => Promise<Looked<T>>;

function watched<T>(look: Look<T>) {
  const found = optionalDeferred<T>();
  const ended = gate<Outcome>();
  return {
    async look(client: Client): Promise<T> {
      void client.closed.then(ended.open);
      const looked = look(client);
      looked.then(found.resolve, found.reject);
      return looked;
    },
    found: found.promise,
    ended: ended.promise,
  };
}

type Hooks = Pick<ProxyOptions, 'admit' | 'route' | 'servers' | 'connectBufferBytes' | 'listen'>;

const inProxy =
  (hooks: (server: At, look: Look<unknown>) => Hooks): Place =>
  async (server, look) => {
    const { look: watchedLook, ...rest } = watched(look);
    const { at } = await makeProxy({ listen, ...NO_CLOSE_TIMEOUT, ...hooks(server, watchedLook) });
    return { at, ...rest };
  };

const inRoute = (more: Hooks = {}): Place =>
  inProxy((server, look) => ({ route: (client) => look(client).then(() => server), ...more }));

const inAdmit = (where: Partial<ListenAddress> = {}): Place =>
  inProxy((server, look) => ({
    servers: [server],
    admit: (client) => look(client),
    listen: { ...listen, ...where } as ListenAddress,
  }));

const inRouteLater: Place = inProxy((server, look) => ({
  async route(client) {
    // By now the session reads ahead.
    await until('bytes that are read ahead, or an end', () => {
      const { socket } = client;
      return socket.bytesRead > 0 || socket.readableEnded || socket.destroyed;
    });
    await look(client);
    return server;
  },
}));

const ofOwn: Place = async (server, look) => {
  const { look: watchedLook, ...rest } = watched(look);
  const listener = makeListener(NO_CLOSE_TIMEOUT);
  listener.on('client', async (client) => {
    await watchedLook(client).catch(() => {});
    if (client.matches('live')) bench.keep(createSession(client, { to: server, attemptsMax: 1 }));
  });
  await listener.start();
  return { at: listener.address as At, ...rest };
};

const PLACES: Readonly<Record<string, Place>> = {
  admit: inAdmit(),
  route: inRoute(),
  'route, later': inRouteLater,
  'route, with connectBufferBytes 0': inRoute({ connectBufferBytes: 0 }),
  'a client of a listener of one’s own': ofOwn,
};

/** What a client has sent in pieces that the system does not join. */
async function pieces(socket: Socket, ...chunks: readonly Uint8Array[]): Promise<void> {
  socket.setNoDelay();
  for (const chunk of chunks) {
    await new Promise((resolve) => socket.write(chunk, resolve));
    await turns(3);
  }
}

const singly = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.of(byte));

/** The message in records of this length. */
function framed(message: Buffer, length: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += length) {
    const part = message.subarray(at, at + length);
    records.push(Buffer.of(22, 3, 1, part.length >> 8, part.length & 255), part);
  }
  return Buffer.concat(records);
}

/** The same ClientHello, and so long by an extension that means nothing. */
function padded(message: Buffer, length: number): Buffer {
  // After type and length, version and random value: session id, cipher suites, compression methods.
  let at = 4 + 2 + 32;
  at += 1 + message.readUInt8(at);
  at += 2 + message.readUInt16BE(at);
  at += 1 + message.readUInt8(at);
  const more = length - message.length;
  const long = Buffer.concat([message, Buffer.alloc(more)]);
  long.writeUIntBE(length - 4, 1, 3);
  long.writeUInt16BE(message.readUInt16BE(at) + more, at);
  long.writeUInt16BE(21, message.length);
  long.writeUInt16BE(more - 4, message.length + 2);
  return long;
}

describe.each(Object.entries(PLACES))('in %s', (name, place) => {
  test('as many bytes as are needed, cut at every byte; the server gets all of them', async () => {
    const { at, found } = await place((await bench.echo()).at, (client) => client.peek(5));
    const reader = new Reader(bench.own(connect(at)));
    await pieces(reader.socket, ...singly(Buffer.from('hello world')));
    expect(String((await found).subarray(0, 5))).toBe('hello');
    reader.socket.end('!');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello world!');
  });

  test('a look after a look sees the same bytes', async () => {
    const { at, found } = await place((await bench.echo()).at, async (client) => [
      String((await client.peek(1)).subarray(0, 1)),
      String((await client.peek(3)).subarray(0, 3)),
      String((await client.peek(2)).subarray(0, 2)),
    ]);
    const reader = new Reader(bench.own(connect(at)));
    await pieces(reader.socket, ...singly(Buffer.from('abcd')));
    expect(await found).toEqual(['a', 'abc', 'ab']);
    reader.socket.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('abcd');
  });

  test('a client that ends has no more; its server gets the bytes and the end', async () => {
    const { at, found } = await place((await bench.echo()).at, (client) => client.peek(10, { timeoutMs: false }));
    const reader = new Reader(bench.own(connect({ ...at, allowHalfOpen: true })));
    reader.socket.end('abc');
    expect(String(await found)).toBe('abc');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('abc');
  });

  test('a client that ends without a byte', async () => {
    const { at, found } = await place((await bench.echo()).at, (client) => client.peek(1, { timeoutMs: false }));
    const reader = new Reader(bench.own(connect({ ...at, allowHalfOpen: true }).end()));
    expect(String(await found)).toBe('');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('');
  });

  // Later it has sent something.
  if (name !== 'route, later') {
    test('a client that waits for the server to speak is served', async () => {
      const server = await bench.greeter('welcome', 'end');
      const { at, found } = await place(server.at, (client) => client.peek(1, { timeoutMs: 20 }));
      const reader = new Reader(bench.own(connect(at)));
      expect(String(await found)).toBe('');
      expect(await reader.ends()).toBe('end');
      expect(reader.text).toBe('welcome');
    });
  }

  test('a client that has sent too little in time', async () => {
    const { at, found } = await place((await bench.echo()).at, (client) => client.peek(10, { timeoutMs: 50 }));
    const reader = new Reader(bench.own(connect(at)));
    reader.socket.write('abc');
    expect(String(await found)).toBe('abc');
    reader.socket.end('def');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('abcdef');
  });

  test('a client that resets', async () => {
    const { at, found, ended } = await place((await bench.echo()).at, (client) =>
      client.peek(10, { timeoutMs: false }),
    );
    const socket = bench.own(connect(at));
    await pieces(socket, Buffer.from('abc'));
    socket.resetAndDestroy();
    await found;
    expect((await ended).cause).toMatchObject({ initiator: 'peer', manner: 'reset' });
  });

  test('a client that has sent and reset in one breath: its server sees no end', async () => {
    const hasReset = gate<void>();
    // It answers nothing: to write to a client that has reset would fail.
    const server = await bench.silent();
    const { at, found, ended } = await place(server.at, async (client) => {
      await hasReset.promise;
      return client.peek(3);
    });
    const socket = bench.own(connect(at));
    socket.on('close', () => hasReset.open());
    await pieces(socket, Buffer.from('abc'));
    socket.resetAndDestroy();
    await found.catch(() => {});
    expect((await ended).cause).toMatchObject({ initiator: 'peer', manner: 'reset' });
  });

  test.each(['close', 'abort', 'refuse'] as const)('%s while it is looked at', async (end) => {
    const clients: Client[] = [];
    const { at, found, ended } = await place((await bench.echo()).at, (client) => {
      clients.push(client);
      return client.peek(10, { timeoutMs: false });
    });
    const reader = new Reader(bench.own(connect({ ...at, allowHalfOpen: true })));
    reader.socket.write('abc');
    await until('a client', () => clients.length > 0 && clients[0]?.socket.bytesRead === 3);
    await turns(10);
    if (end === 'refuse') void clients[0]?.refuse('no');
    else void clients[0]?.[end]();
    await found;
    expect(await reader.ends()).toBe(end === 'abort' ? 'reset' : 'end');
    // Its own end is seen, since what it sends is read on.
    reader.socket.end('more');
    expect((await ended).ending).toBe({ close: 'closed', abort: 'aborted', refuse: 'refused' }[end]);
    expect(reader.text).toBe(end === 'refuse' ? 'no' : '');
  });

  test('much at once: no more is read than is needed, and all of it is relayed', async () => {
    const sent = Buffer.alloc(4 * 2 ** 20, 'x');
    const read: number[] = [];
    const { at, found } = await place((await bench.echo()).at, async (client) => {
      const bytes = await client.peek(65_536);
      await turns(50);
      read.push(client.socket.bytesRead);
      return bytes.length;
    });
    const reader = new Reader(bench.own(connect(at)), { keep: false });
    await send(reader.socket, sent, 1);
    expect(await found).toBeGreaterThanOrEqual(65_536);
    expect(await found).toBeLessThan(2 * 65_536);
    expect(read[0]).toBeLessThan(6 * 65_536);
    reader.socket.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(sent.length);
  });

  test('a TLS client whose TLS goes on to the server', async () => {
    const server = await bench.peer(tlsServer(echo));
    const { at, found } = await place(server.at, (client) => client.clientHello());
    const socket = bench.own(dialTls(at as { host: string; port: number }));
    const reader = new Reader(socket);
    socket.end('secret');
    expect(await found).toMatchObject({ versions: ['TLSv1.3', 'TLSv1.2'] });
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('secret');
  });

  test('a ClientHello cut at every byte, and over many records', async () => {
    const { at, found } = await place((await bench.echo()).at, (client) => client.clientHello());
    const reader = new Reader(bench.own(connect(at)));
    const bytes = framed(HELLO.subarray(5), 1);
    await pieces(reader.socket, ...singly(bytes.subarray(0, 100)), bytes.subarray(100), Buffer.from('rest'));
    expect(await found).toEqual({ serverName: 'example.com', alpn: ['h2', 'http/1.1'], versions: ['TLSv1.2'] });
    reader.socket.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe(`${bytes.toString('latin1')}rest`);
  });

  test('the longest ClientHello', async () => {
    const message = padded(HELLO.subarray(5), 4 + 16_384);
    const { at, found } = await place((await bench.echo()).at, (client) => client.clientHello({ timeoutMs: false }));
    const reader = new Reader(bench.own(connect(at)));
    const bytes = framed(message, 1_024);
    await pieces(reader.socket, bytes.subarray(0, 1_000), bytes.subarray(1_000, 16_900), bytes.subarray(16_900));
    expect(await found).toMatchObject({ serverName: 'example.com' });
    reader.socket.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe(bytes.toString('latin1'));
  });

  test('a ClientHello that comes in too many records', async () => {
    const message = padded(HELLO.subarray(5), 4 + 16_384);
    const { at, found, ended } = await place((await bench.echo()).at, (client) =>
      client.clientHello({ timeoutMs: false }),
    );
    const socket = bench.own(connect(at));
    socket.write(framed(message, 10));
    await expect(found).rejects.toMatchObject({ constructor: ClientHelloError, reason: 'tooLong' });
    socket.destroy();
    await ended;
  });

  test.each([
    ['does not speak TLS', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['ends in the middle of its message', HELLO.subarray(0, 100)],
  ])('a client that %s', async (_, bytes) => {
    const { at, found } = await place((await bench.echo()).at, (client) => client.clientHello({ timeoutMs: false }));
    const reader = new Reader(bench.own(connect({ ...at, allowHalfOpen: true })));
    reader.socket.end(bytes);
    expect(await found).toBeUndefined();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe(bytes.toString('latin1'));
  });
});

describe.each([
  ['admit', (where: Partial<ListenAddress>) => inAdmit(where)],
  ['route', (where: Partial<ListenAddress>) => inRoute({ listen: { ...listen, ...where } as ListenAddress })],
])('in %s', (_, placeAt) => {
  test('after the PROXY header', async () => {
    const place = placeAt({ proxyProtocol: { from: ['127.0.0.1'] } } as Partial<ListenAddress>);
    const { at, found } = await place((await bench.echo()).at, async (client) => [
      client.peer?.address,
      String((await client.peek(3)).subarray(0, 3)),
    ]);
    const reader = new Reader(bench.own(connect(at)));
    const source = { address: '192.0.2.1', port: 1_024 };
    const header = encodeProxyHeader({ version: 2, source, destination: { address: '192.0.2.2', port: 80 } });
    reader.socket.end(Buffer.concat([header, Buffer.from('hello')]));
    expect(await found).toEqual(['192.0.2.1', 'hel']);
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello');
  });

  test('what is decrypted of a client whose TLS is terminated here; it has no ClientHello any more', async () => {
    const place = placeAt({ tls: CERTIFICATE } as Partial<ListenAddress>);
    const { at, found } = await place((await bench.echo()).at, async (client) => {
      const error = await client.clientHello().catch((error) => error);
      return [error instanceof NotSupportedError, String(await client.peek(5))];
    });
    const socket = bench.own(dialTls(at as { host: string; port: number }));
    const reader = new Reader(socket);
    socket.end('hello');
    expect(await found).toEqual([true, 'hello']);
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello');
  });
});

test('however the bytes are cut, and however many are needed', async () => {
  const needs: number[] = [];
  const found: Buffer[] = [];
  const look = async (client: Client): Promise<void> => void found.push(await client.peek(needs.at(-1)));
  const server = await bench.echo();
  const proxies = [
    await makeProxy({ servers: [server.at], admit: look }),
    await makeProxy({ route: (client) => look(client).then(() => server.at) }),
  ];
  const cases = fc.record({
    chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 }),
    need: fc.integer({ min: 1, max: 200 }),
    which: fc.integer({ min: 0, max: 1 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ chunks, need, which }) => {
      needs.push(need);
      const { at } = proxies[which] as (typeof proxies)[0];
      const reader = new Reader(bench.own(connect({ ...at, allowHalfOpen: true })));
      await pieces(reader.socket, ...chunks);
      reader.socket.end();
      expect(await reader.ends()).toBe('end');
      const all = Buffer.concat(chunks);
      expect(reader.text).toBe(all.toString('latin1'));
      const seen = found.at(-1) as Buffer;
      expect(seen.length).toBeGreaterThanOrEqual(Math.min(need, all.length));
      expect(seen).toEqual(all.subarray(0, seen.length));
    }),
    { numRuns: 60 },
  );
});

test('a malformed ClientHello refuses the client, with the error in the cause', async () => {
  const { at, ended } = await inAdmit()((await bench.echo()).at, (client) => client.clientHello());
  const reader = new Reader(bench.own(connect(at)));
  reader.socket.write(Buffer.of(22, 3, 1, 0, 0));
  expect(await reader.ends()).toBe('reset');
  expect(await ended).toMatchObject({ ending: 'refused', cause: { initiator: 'owner', code: 'ERR_CLIENT_HELLO' } });
});

test('a look that admit does not wait for is over when the session begins', async () => {
  const found = gate<Buffer>();
  const server = await bench.echo();
  const { at } = await makeProxy({
    async admit(client) {
      void client.peek(10, { timeoutMs: false }).then(found.open);
      await until('three bytes', () => client.socket.bytesRead === 3);
    },
    async route(client) {
      await until('six bytes', () => client.socket.bytesRead === 6);
      return server.at as { host: string; port: number };
    },
  });
  const reader = new Reader(bench.own(connect(at)));
  reader.socket.write('abc');
  expect(String(await found.promise)).toBe('abc');
  reader.socket.end('def');
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('abcdef');
});

test('afterwards the socket is paused, as it was before', async () => {
  const listener = makeListener();
  const looked = gate<Client>();
  listener.on('client', async (client) => {
    await client.peek();
    looked.open(client);
  });
  await listener.start();
  bench.own(connect(listener.address as At)).write('abc');
  const { socket } = await looked.promise;
  const seen: string[] = [];
  socket.on('data', (chunk) => seen.push(String(chunk)));
  await turns();
  expect(seen).toEqual([]);
  socket.resume();
  await until('the bytes', () => seen.length > 0);
  expect(seen).toEqual(['abc']);
});

test('a look that route does not wait for is over when bytes are relayed', async () => {
  const found = gate<Buffer>();
  const server = await bench.greeter('welcome', 'stay');
  const { at } = await makeProxy({
    route: (client) => {
      void client.peek(10, { timeoutMs: false }).then(found.open);
      return server.at as { host: string; port: number };
    },
  });
  const reader = new Reader(bench.own(connect(at)));
  await reader.has(7);
  await found.promise;
});

test('the time of a look does not keep the process alive: its socket does', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
  const looked = gate<[before: number, meanwhile: number]>();
  const { at } = await makeProxy({
    listen,
    servers: [(await bench.echo()).at],
    acceptTimeout: false,
    async admit(client) {
      const before = timers();
      const peek = client.peek(1, { timeoutMs: 60_000 });
      looked.open([before, timers()]);
      await peek;
    },
  });
  const socket = connect(at);
  const [before, meanwhile] = await looked.promise;
  expect(meanwhile).toBe(before);
  socket.destroy();
});

test('what cannot be', async () => {
  const server = await bench.echo();
  const errors: unknown[] = [];
  const attempt = async (look: () => Promise<unknown>): Promise<void> => {
    errors.push(await look().catch((error) => error.constructor));
  };
  const joined = gate<Client>();
  const { at, proxy } = await makeProxy({
    listen: [listen, { ...listen, tls: CERTIFICATE }],
    servers: [server.at],
    async admit(client) {
      for (const bytes of [0, -1, 1.5, 65_537, Number.POSITIVE_INFINITY]) await attempt(() => client.peek(bytes));
      await attempt(() => client.peek(1, { timeoutMs: -1 }));
      await attempt(() => client.peek(1, { timeout: 1 } as object));
      await attempt(() => client.clientHello({ timeout: 1 } as object));
      expect(errors.splice(0)).toEqual(Array(8).fill(OptionError));
      const first = client.peek(3);
      await attempt(() => client.clientHello());
      expect(errors.splice(0)).toEqual([NotSupportedError]);
      await first;
      const ignore = (): void => {};
      client.socket.on('data', ignore);
      await attempt(() => client.peek());
      client.socket.off('data', ignore).pause();
      expect(errors.splice(0)).toEqual([NotSupportedError]);
    },
  });
  proxy.on('established', ({ client }) => joined.open(client));
  const reader = new Reader(bench.own(connect(at)));
  reader.socket.write('abc');
  await reader.has(3);
  const client = await joined.promise;
  await attempt(() => client.peek());
  expect(errors.splice(0)).toEqual([NotSupportedError]);
  reader.socket.end();
  await client.closed;
  expect(String(await client.peek())).toBe('');
  expect(await client.clientHello()).toBeUndefined();

  const shaking = bench.own(connect(proxy.addresses[1] as { host: string; port: number }));
  await until('a client in its handshake', () => proxy.listeners[1]?.clients.size === 1);
  const [early] = proxy.listeners[1]?.clients ?? [];
  await attempt(() => (early as Client).peek());
  expect(errors.splice(0)).toEqual([NotEstablishedError]);
  shaking.destroy();
});
