/** PROXY headers on real sockets: from trusted proxies, and to servers. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { BlockList, connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  type Client,
  createBackend,
  createListener,
  createProxy,
  encodeProxyHeader,
  type ListenAddress,
  type ListenerOptions,
  type Outcome,
  type ProxyHeaderOptions,
  ProxyHeaderParser,
  TRANSITION_CHANNEL,
} from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { type At, CERTIFICATE, connectAndResetAtOnce, Reader } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

const FROM = { from: ['127.0.0.0/8'] };
const SOURCE = { address: '192.0.2.7', port: 4711 };
const DESTINATION = { address: '198.51.100.1', port: 443 };
const TOLD = { source: SOURCE, destination: DESTINATION };
const V1 = encodeProxyHeader({ version: 1, ...TOLD });
const V2 = encodeProxyHeader({ version: 2, ...TOLD, authority: 'example.com', crc32c: true });

/** A proxy that trusts this machine, before a server that sends everything back. */
async function behind(where: Partial<ListenAddress> = {}) {
  const server = await bench.echo();
  return makeProxy({ servers: [server.at], listen: { ...LOOPBACK, proxyProtocol: FROM, ...where } });
}

/** A listener that trusts this machine, and how its first client ends. */
async function listening(
  options: Partial<ListenerOptions> = {},
): Promise<{ at: At; ended: Promise<[Client, Outcome]> }> {
  const listener = bench.keep(
    createListener({ ...LOOPBACK, proxyProtocol: FROM, clock: bench.clock, ...options } as ListenerOptions),
  );
  const ended = new Promise<[Client, Outcome]>((resolve) => {
    listener.on('clientClosed', ({ client, outcome }) => resolve([client, outcome]));
  });
  return { at: (await listener.start()) as At, ended };
}

/** Sends this, one write for each part, and tells all that comes back. */
async function asks(at: At, parts: readonly (string | Buffer)[]): Promise<string> {
  const socket = bench.own(connect({ ...at, allowHalfOpen: true, noDelay: true } as never));
  const reader = new Reader(socket);
  await once(socket, 'connect');
  for (const part of parts) {
    await new Promise((resolve) => socket.write(part, resolve));
    await new Promise(setImmediate);
  }
  socket.end();
  expect(await reader.ends()).toBe('end');
  return reader.text;
}

/** A stream whose first bytes come after a header, both together, in two writes that are cut there. */
function introduced(raw: Socket, header: Buffer, cut: number): Duplex {
  let first: Buffer | undefined = header;
  const stream = new Duplex({
    read: () => void raw.resume(),
    write(chunk: Buffer, _encoding, done) {
      const bytes = first === undefined ? chunk : Buffer.concat([first, chunk]);
      const at = first === undefined ? 0 : cut;
      first = undefined;
      raw.write(bytes.subarray(0, at), () => setImmediate(() => raw.write(bytes.subarray(at), done)));
    },
    final: (done) => void raw.end(done),
  });
  raw.on('data', (chunk) => stream.push(chunk) || raw.pause());
  raw.on('end', () => stream.push(null));
  return stream;
}

describe('at a listener', () => {
  test.each([
    ['1', V1],
    ['2', V2],
  ])('version %s: the address that is told is the client’s, everywhere', async (version, header) => {
    const about = new Set<unknown>();
    const onTransition = (message: unknown): void => {
      const { machine, about: what } = message as { machine: string; about: { peer?: string } };
      if (machine !== 'client') about.add(what.peer);
    };
    const { at, proxy } = await behind();
    subscribe(TRANSITION_CHANNEL, onTransition);
    const ended = new Promise<{ peer: unknown; client: Client }>((resolve) => {
      proxy.on('sessionClosed', ({ session }) => resolve(session as never));
    });
    expect(await asks(at, [header, 'hello'])).toBe('hello');
    const session = await ended;
    unsubscribe(TRANSITION_CHANNEL, onTransition);
    expect(String(session.peer)).toBe('192.0.2.7:4711');
    const { client } = session;
    expect(client.toJSON()).toMatchObject({ peer: '192.0.2.7:4711' });
    expect(client.via?.peer?.address).toBe('127.0.0.1');
    expect(client.via?.header).toMatchObject({ version: Number(version), command: 'PROXY' });
    expect(client.via?.header.authority).toBe(version === '2' ? 'example.com' : undefined);
    expect(String(client.via?.header.destination)).toBe('198.51.100.1:443');
    about.delete(undefined);
    expect([...about]).toEqual(['192.0.2.7:4711']);
  });

  test.each([
    ['1', V1],
    ['2', V2],
  ])('version %s, cut at every byte, and in one write with what follows', async (_version, header) => {
    const { at } = await behind();
    expect(
      await asks(
        at,
        [...header].map((byte) => Buffer.of(byte)),
      ),
    ).toBe('');
    expect(
      await asks(
        at,
        [...header, ...Buffer.from('hello')].map((byte) => Buffer.of(byte)),
      ),
    ).toBe('hello');
    const cuts = Array.from({ length: header.length }, (_, cut) => cut);
    const answers = await Promise.all(
      cuts.map((cut) =>
        asks(at, [header.subarray(0, cut), Buffer.concat([header.subarray(cut), Buffer.from('hello')])]),
      ),
    );
    expect(new Set(answers)).toEqual(new Set(['hello']));
  });

  test('before TLS: the ClientHello comes in one write with the header, and both are cut anywhere', async () => {
    const { at, proxy } = await behind({ tls: CERTIFICATE });
    const peers: string[] = [];
    proxy.on('sessionClosed', ({ session }) => peers.push(String(session.peer)));
    const cuts = [0, 1, 12, V2.length - 1, V2.length, V2.length + 1, V2.length + 5, V2.length + 100];
    const answers = await Promise.all(
      cuts.map(async (cut) => {
        const raw = bench.own(connect({ ...at, noDelay: true } as never));
        await once(raw, 'connect');
        const tls = tlsConnect({ socket: introduced(raw, V2, cut), ca: CERTIFICATE.cert, servername: 'localhost' });
        const reader = new Reader(bench.own(tls));
        tls.end('hello');
        await reader.ends();
        return reader.text;
      }),
    );
    expect(answers).toEqual(cuts.map(() => 'hello'));
    await until('all sessions', () => peers.length === cuts.length);
    expect(new Set(peers)).toEqual(new Set(['192.0.2.7:4711']));
  });

  test('from an address that is not trusted, the bytes pass as they are', async () => {
    const { at, proxy } = await behind({ proxyProtocol: { from: ['10.0.0.0/8', '::1'] } });
    const ended = new Promise<Client>((resolve) => proxy.on('sessionClosed', ({ session }) => resolve(session.client)));
    expect(await asks(at, [V1, 'hello'])).toBe(`${V1}hello`);
    const client = await ended;
    expect(client.peer?.address).toBe('127.0.0.1');
    expect(client.via).toBeUndefined();
  });

  test.each<[string, ProxyHeaderOptions | Buffer]>([
    ['LOCAL', { version: 2, command: 'LOCAL' }],
    ['UNKNOWN in version 1', { version: 1 }],
    ['no address in version 2', { version: 2, authority: 'example.com' }],
    ['a Unix socket', { version: 2, sourcePath: '/a', destinationPath: '/b' }],
  ])('%s: the address of the connection counts', async (_what, header) => {
    const { at, proxy } = await behind();
    const ended = new Promise<Client>((resolve) => proxy.on('sessionClosed', ({ session }) => resolve(session.client)));
    expect(await asks(at, [Buffer.isBuffer(header) ? header : encodeProxyHeader(header), 'hello'])).toBe('hello');
    const client = await ended;
    expect(client.peer?.address).toBe('127.0.0.1');
    expect(client.via?.peer).toBe(client.peer);
    expect(client.via?.header.source).toBeUndefined();
  });

  test.each([
    ['unix', ['unix'], '192.0.2.7'],
    ['others', ['127.0.0.1'], undefined],
  ])('on a Unix socket, from %s', async (_what, from, expected) => {
    const { at, proxy } = await behind({
      host: undefined,
      port: undefined,
      path: bench.path(),
      proxyProtocol: { from },
    });
    const ended = new Promise<Client>((resolve) => proxy.on('sessionClosed', ({ session }) => resolve(session.client)));
    expect(await asks(at, [V1, 'hello'])).toBe(expected === undefined ? `${V1}hello` : 'hello');
    expect((await ended).peer?.address).toBe(expected);
  });

  test('a net.BlockList says who is trusted; IPv4 counts as such on a socket for both families', async () => {
    const list = new BlockList();
    list.addAddress('127.0.0.1');
    const { at } = await behind({ host: '::', proxyProtocol: { from: list } });
    expect(await asks({ ...at, host: '127.0.0.1' } as At, [V1, 'hello'])).toBe('hello');
    const { at: other } = await behind({ host: '::' });
    expect(await asks({ ...other, host: '127.0.0.1' } as At, [V1, 'hello'])).toBe('hello');
  });

  test.each<[string, string | Buffer, object]>([
    ['what is none', 'GET / HTTP/1.1\r\n\r\n', { reason: 'notProxy', offset: 0 }],
    ['an address that is none', 'PROXY TCP4 1.2.3.999 1.2.3.4 1 2\r\n', { reason: 'address' }],
    [
      'a wrong checksum',
      Buffer.concat([V2.subarray(0, -1), Buffer.of((V2.at(-1) as number) ^ 1)]),
      { reason: 'checksum' },
    ],
  ])('%s refuses the client: it is reset, and the cause has the error', async (_what, bytes, error) => {
    const { at, ended } = await listening();
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    socket.write(bytes);
    expect(await reader.ends()).toBe('reset');
    const [client, { ending, cause }] = await ended;
    expect(ending).toBe('refused');
    expect(cause).toMatchObject({
      initiator: 'peer',
      manner: 'error',
      phase: 'accepted',
      code: 'ERR_PROXY_HEADER',
      error,
    });
    expect(client.peer?.address).toBe('127.0.0.1');
  });

  test('a connection that was reset before it is accepted, whose address nobody knows any more, is refused', async () => {
    const { at, ended } = await listening();
    await connectAndResetAtOnce((at as { port: number }).port, 'as a client would say it');
    const [client, { ending }] = await ended;
    expect(client.peer).toBeUndefined();
    expect(ending).toBe('refused');
  });

  test('an end in the middle of the header refuses the client', async () => {
    const { at, ended } = await listening();
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    socket.end(V2.subarray(0, 20));
    await reader.ends();
    const [, { ending, cause }] = await ended;
    expect({ ending, ...cause }).toEqual({ ending: 'refused', initiator: 'peer', manner: 'end', phase: 'accepted' });
  });

  test.each([
    ['proxyHeaderTimeout', { proxyHeaderTimeout: 50 }],
    ['acceptTimeout', { acceptTimeout: 50 }],
  ])('a header that does not come is waited for until %s', async (code, options) => {
    const { at, ended } = await listening(options);
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    socket.write(V2.subarray(0, 20));
    expect(await reader.ends()).toBe('reset');
    const [, { ending, cause }] = await ended;
    expect({ ending, ...cause }).toEqual({
      ending: 'refused',
      initiator: 'library',
      manner: 'timeout',
      phase: 'accepted',
      code,
    });
  });

  test('admit gets a client that is known, and its first bytes are those after the header', async () => {
    const seen: unknown[] = [];
    const { at, ended } = await listening({
      admit: async (client) => {
        const { socket } = client;
        seen.push(String(client.peer));
        socket.resume();
        const [head] = (await once(socket, 'data')) as [Buffer];
        seen.push(String(head));
        return false;
      },
    });
    const socket = await bench.dial(at);
    socket.write(Buffer.concat([V1, Buffer.from('hello')]));
    await ended;
    expect(seen).toEqual(['192.0.2.7:4711', 'hello']);
  });

  test('a client that is aborted while its header is awaited is reset', async () => {
    const listener = bench.keep(createListener({ ...LOOPBACK, proxyProtocol: FROM, clock: bench.clock }));
    const at = (await listener.start()) as At;
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    const { ending } = await listener.abort();
    expect(ending).toBe('aborted');
    expect(await reader.ends()).toBe('reset');
  });

  test.each([
    ['proxyProtocol.from', { from: [] }],
    ['proxyProtocol.from', {}],
    ['proxyProtocol.from[1]', { from: ['::1', '10.0.0.0/33'] }],
    ['proxyProtocol.from[0]', { from: ['example.com'] }],
    ['proxyProtocol.from[0]', { from: ['10.0.0.0/8/8'] }],
    ['proxyProtocol.from[0]', { from: [7] }],
  ])('%s is checked', (option, proxyProtocol) => {
    expect(() => createListener({ port: 0, proxyProtocol } as never)).toThrow(expect.objectContaining({ option }));
  });

  test('a server that begins with TLS by itself cannot be told first', () => {
    const server = createTlsServer(CERTIFICATE);
    expect(() => createListener({ server, port: 0, proxyProtocol: FROM })).toThrow(/begins with TLS/);
  });
});

/** What a server gets: the header, and the bytes after it. */
function receiver(): {
  handler: (socket: Socket) => void;
  got: Promise<{ header: object; rest: string; chunks: number }>;
} {
  let settle!: (got: { header: object; rest: string; chunks: number }) => void;
  const got = new Promise<{ header: object; rest: string; chunks: number }>((resolve) => {
    settle = resolve;
  });
  const handler = (socket: Socket): void => {
    const parser = new ProxyHeaderParser();
    let found: { header: object } | undefined;
    let rest = '';
    let chunks = 0;
    socket.on('data', (chunk: Buffer) => {
      if (found === undefined) {
        chunks++;
        const parsed = parser.push(chunk);
        if (parsed === 'incomplete') return;
        found = parsed;
        rest += parsed.rest;
      } else rest += chunk;
    });
    socket.on('end', () => {
      socket.end();
      settle({ header: found?.header ?? {}, rest, chunks });
    });
  };
  return { handler, got };
}

describe('towards a server', () => {
  test.each([1, 2] as const)('version %i: the client’s address, and ours that it connected to', async (version) => {
    const { handler, got } = receiver();
    const server = await bench.server(handler);
    const { at } = await makeProxy({ servers: [{ ...server.at, proxyProtocol: version }] });
    const socket = await bench.dial(at);
    const { localPort } = socket;
    socket.end('hello');
    const { header, rest, chunks } = await got;
    expect(rest).toBe('hello');
    expect(chunks).toBe(1);
    expect(header).toMatchObject({
      version,
      command: 'PROXY',
      source: { address: '127.0.0.1', port: localPort },
      destination: { address: '127.0.0.1', port: (at as { port: number }).port },
    });
  });

  test.each([0, 16_384])('the header comes first where %i bytes are read before the server is there', async (bytes) => {
    const { handler, got } = receiver();
    const server = await bench.server(handler);
    const { at } = await makeProxy({ servers: [{ ...server.at, proxyProtocol: 2 }], connectBufferBytes: bytes });
    const socket = await bench.dial(at);
    socket.end('x'.repeat(10_000));
    expect((await got).rest).toBe('x'.repeat(10_000));
  });

  test('a header passes through with the addresses that it told, and with fields of one’s own', async () => {
    const { handler, got } = receiver();
    const server = await bench.server(handler);
    const { at } = await makeProxy({
      listen: { ...LOOPBACK, proxyProtocol: FROM },
      servers: [
        {
          ...server.at,
          proxyProtocol: {
            version: 2,
            crc32c: true,
            fields: (client) => ({
              authority: client.via?.header.authority,
              tlvs: [{ type: 0xe0, value: Buffer.from('blue') }],
            }),
          },
        },
      ],
    });
    const socket = await bench.dial(at);
    socket.end(Buffer.concat([V2, Buffer.from('hello')]));
    const { header, rest } = await got;
    expect(rest).toBe('hello');
    expect(header).toMatchObject({ source: SOURCE, destination: DESTINATION, authority: 'example.com', crc32c: true });
    expect(header).toMatchObject({ tlvs: [{ type: 0xe0, value: Buffer.from('blue') }] });
  });

  test('before TLS', async () => {
    const seen: string[] = [];
    const secure = createTlsServer(CERTIFICATE, (socket) => {
      socket.on('data', (chunk) => seen.push(String(chunk)));
      socket.on('error', () => {});
      socket.on('end', () => socket.end());
    });
    const headers: unknown[] = [];
    const server = await bench.server((socket) => {
      const parser = new ProxyHeaderParser();
      socket.once('data', (chunk: Buffer) => {
        const parsed = parser.push(chunk);
        if (parsed === 'incomplete') throw new Error('The header comes in one write.');
        headers.push(parsed.header);
        socket.pause();
        if (parsed.rest.length > 0) socket.unshift(parsed.rest);
        secure.emit('connection', socket);
      });
    });
    const { at } = await makeProxy({
      servers: [{ ...server.at, tls: { ca: CERTIFICATE.cert, servername: 'localhost' }, proxyProtocol: 2 }],
    });
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    socket.end('hello');
    await reader.ends();
    expect(seen.join('')).toBe('hello');
    expect(headers).toMatchObject([{ version: 2, source: { address: '127.0.0.1' } }]);
  });

  test.each([
    [1, { version: 1, command: 'PROXY', source: undefined }],
    [2, { version: 2, command: 'LOCAL', source: undefined }],
  ] as const)('a backend that serves no client says so, in version %i', async (version, expected) => {
    const { handler, got } = receiver();
    const server = await bench.server(handler);
    const backend = bench.keep(
      createBackend({ servers: [{ ...server.at, proxyProtocol: version }], clock: bench.clock } as never),
    );
    const { socket } = await backend.connect();
    socket.end('hello');
    const { header, rest } = await got;
    expect(rest).toBe('hello');
    expect(header).toMatchObject(expected);
  });

  test('a client of a Unix socket has no address', async () => {
    const { handler, got } = receiver();
    const server = await bench.server(handler);
    const { at } = await makeProxy({
      listen: { path: bench.path() },
      servers: [{ ...server.at, proxyProtocol: 2 }],
    });
    const socket = await bench.dial(at);
    socket.end('hello');
    expect((await got).header).toMatchObject({ command: 'PROXY', source: undefined });
  });

  test('first on the stream that a connect hook gives', async () => {
    const { handler, got } = receiver();
    const server = await bench.server(handler);
    const { at } = await makeProxy({
      servers: [{ port: 1, proxyProtocol: 2, connect: () => connect(server.at as { port: number }) }],
    });
    const socket = await bench.dial(at);
    socket.end('hello');
    const { header, rest } = await got;
    expect(rest).toBe('hello');
    expect(header).toMatchObject({ source: { address: '127.0.0.1' } });
  });

  test('fields that throw fail the attempt, with the error in the cause', async () => {
    const server = await bench.echo();
    const error = new Error('no fields');
    const { at, proxy } = await makeProxy({
      attemptsMax: 1,
      servers: [
        {
          ...server.at,
          proxyProtocol: {
            version: 2,
            fields: () => {
              throw error;
            },
          },
        },
      ],
    });
    const ended = new Promise<Outcome>((resolve) => proxy.on('sessionClosed', ({ outcome }) => resolve(outcome)));
    const reader = new Reader(await bench.dial(at));
    expect(await reader.ends()).toBe('reset');
    expect(await ended).toMatchObject({ ending: 'refused', cause: { initiator: 'owner', manner: 'error', error } });
  });

  test.each([
    ['servers[0].proxyProtocol', 3],
    ['servers[0].proxyProtocol', null],
    ['servers[0].proxyProtocol.version', {}],
    ['servers[0].proxyProtocol.version', { version: 1, crc32c: true }],
    ['servers[0].proxyProtocol.fields', { version: 2, fields: 7 }],
    ['servers[0].proxyProtocol.crc32c', { version: 2, crc32c: 1 }],
  ])('%s is checked: %j', (option, proxyProtocol) => {
    const servers = [{ port: 1, proxyProtocol }] as never;
    expect(() => createProxy({ listen: { port: 0 }, servers })).toThrow(expect.objectContaining({ option }));
  });
});
