/** How the relay reads: into buffers of its own where it can, and never into one whose bytes are still on their way. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createProxy, type Session, type TcpProxy } from '../src/index.js';
import { buffersTaken } from '../src/proxy/buffers.js';
import { useBench } from './support/bench.js';
import { makers } from './support/make.js';
import { Reader, send } from './support/peers.js';
import { until } from './support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

/** Those that one proxy may take at once. */
const BUFFERS_MAX = 64;

// What a test leaves behind, the next one would pay for.
afterEach(() => until('every buffer to be given back', () => buffersTaken() === 0));

const oneSession = async (proxy: TcpProxy): Promise<Session> => {
  await until('a session', () => proxy.sessions.length === 1);
  return proxy.sessions[0] as Session;
};

type Handled = Socket & { _handle: { useUserBuffer: unknown } };

/** A server whose sockets cannot be told to read into buffers, as those of some other Node may be. */
async function oldServer(): Promise<Server> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.on('connection', (socket) => {
    (socket as Handled)._handle.useUserBuffer = undefined;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

/** Bytes that no two streams have in common. */
function pattern(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed + 1) * 2_654_435_761;
  for (let index = 0; index + 4 <= length; index += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, index);
  }
  return bytes;
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Counts what a socket emits without making it flow. */
function countData(socket: Socket): () => number {
  let count = 0;
  const emit = socket.emit.bind(socket);
  socket.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === 'data') count++;
    return emit(event as 'data', ...(args as [Buffer]));
  };
  return () => count;
}

describe('where bytes are read', () => {
  test('on this Node both sockets read into buffers: neither emits data', async () => {
    const server = await bench.server((socket) => socket.pipe(socket));
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const client = await bench.dial(at);
    const session = await oneSession(proxy);
    await until('the relay', () => session.matches('relaying'));
    const counts = [session.client.socket, session.backend.socket as Socket].map(countData);
    const answer = new Reader(client);
    client.end('there and back');
    expect(await answer.ends()).toBe('end');
    expect(answer.text).toBe('there and back');
    expect(counts.map((count) => count())).toEqual([0, 0]);
  });

  test('an accepted socket that cannot be told emits data, and nothing else changes', async () => {
    const content = pattern(1, 3_000_000);
    const server = await bench.server((socket) => socket.pipe(socket));
    const front = await oldServer();
    const proxy = createProxy({ listen: { server: front }, servers: [server.at as { host: string; port: number }] });
    try {
      await proxy.start();
      const client = await bench.dial(front.address() as AddressInfo & { host: string });
      const session = await oneSession(proxy);
      await until('the relay', () => session.matches('relaying'));
      const count = countData(session.client.socket);
      const answer = new Reader(client, { keep: false });
      client.end(content);
      expect(await answer.ends(10_000)).toBe('end');
      expect(answer.digest).toBe(digestOf(content));
      expect(count()).toBeGreaterThan(0);
      expect(session.bytes).toEqual({ fromClient: content.length, fromBackend: content.length });
    } finally {
      await proxy.abort();
    }
  });

  test('what a hook has unshifted comes first', async () => {
    const content = pattern(2, 500_000);
    const server = await bench.server((socket) => socket.pipe(socket));
    const { at } = await makeProxy({
      servers: [server.at],
      admit: async ({ socket }) => {
        const [first] = (await once(socket.resume(), 'data')) as [Buffer];
        socket.pause();
        socket.unshift(first);
      },
    });
    const client = await bench.dial(at);
    const answer = new Reader(client, { keep: false });
    client.end(content);
    expect(await answer.ends(10_000)).toBe('end');
    expect(answer.digest).toBe(digestOf(content));
  });
});

describe('many streams at once', () => {
  const LENGTH = 10_000_000;
  const KINDS = 8;
  const contents = Array.from({ length: 2 * KINDS }, (_, seed) => pattern(seed, LENGTH));
  const digests = contents.map(digestOf);

  /** Reads a chunk, and rests for some turns of the loop. */
  function readSlowly(socket: Socket): void {
    socket.on('data', () => {
      socket.pause();
      setImmediate(() => setImmediate(() => socket.resume()));
    });
  }

  /** Sends both ways at once, each stream its own bytes: a buffer that two of them share would mix them. */
  async function streams(count: number, isSlow: (index: number) => boolean): Promise<number> {
    const heard: Promise<unknown>[] = [];
    const server = await bench.server((socket, index) => {
      const question = new Reader(socket, { keep: false });
      heard.push(
        question.ends(50_000).then((how) => {
          expect(how).toBe('end');
          expect(digests).toContain(question.digest);
        }),
        send(socket, contents[KINDS + (index % KINDS)] as Buffer, 1).then(() => socket.end()),
      );
    });
    const { at } = await makeProxy({ servers: [server.at] });
    let most = 0;
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const client = await bench.dial(at);
        const answer = new Reader(client, { keep: false });
        if (isSlow(index)) readSlowly(client);
        client.on('data', () => {
          most = Math.max(most, buffersTaken());
        });
        await send(client, contents[index % KINDS] as Buffer, 1);
        client.end();
        expect(await answer.ends(50_000)).toBe('end');
        expect(digests.indexOf(answer.digest)).toBeGreaterThanOrEqual(KINDS);
      }),
    );
    await Promise.all(heard);
    return most;
  }

  test('every byte is its own stream’s', { timeout: 60_000 }, async () => {
    const most = await streams(16, (index) => index % 2 === 0);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(32);
  });
});

test('readers that never read hold no more buffers than there are, and lose them at the end', async () => {
  const server = await bench.server((socket) => {
    socket.on('error', () => {});
    void send(socket, Buffer.alloc(1_000_000), 30);
  });
  const { proxy, at } = await makeProxy({ servers: [server.at] });
  const clients = await Promise.all(Array.from({ length: BUFFERS_MAX + 10 }, () => bench.dial(at)));
  for (const client of clients) client.pause();
  const stalled = (session: Session): boolean => session.client.socket.writableLength > 0;
  await until(
    'all to stand still',
    () => proxy.sessions.length === clients.length && proxy.sessions.every(stalled),
    20_000,
  );
  expect(buffersTaken()).toBeGreaterThan(0);
  expect(buffersTaken()).toBeLessThanOrEqual(BUFFERS_MAX);
  await proxy.abort();
}, 40_000);
