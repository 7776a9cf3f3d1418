/** How the relay reads: into buffers of its own where it can, and never into one whose bytes are still on their way. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createProxy,
  type ProxyOptions,
  type Session,
  type TcpProxy,
  type Server as Upstream,
} from '../../src/index.js';
import { buffersAcquired } from '../../src/relay/buffers.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, dialTls, type PeerServer, Reader, send } from '../support/peers.js';
import { how, recordUncaught, times } from '../support/record.js';
import { turns, until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

/** Those that one proxy may take at once. */
const BUFFERS_MAX = 64;

// What a test leaves behind, the next one would pay for.
afterEach(() => until('every buffer to be given back', () => buffersAcquired() === 0));

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

describe('what a listener does with a session that was just established', () => {
  const modes: Record<string, Partial<ProxyOptions>> = {
    'by default': {},
    'nothing is read ahead': { connectBufferBytes: 0 },
    'the hook has read': {
      admit: async ({ socket }, { signal }) => {
        socket.resume();
        const [head] = await once(socket, 'data', { signal });
        socket.pause();
        socket.unshift(head);
      },
    },
  };

  test.each(Object.keys(modes))('its bytes come before the first byte of the client: %s', async (mode) => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at], ...modes[mode] });
    proxy.on('established', ({ backend }) => backend.connection?.socket.write('header,'));
    const client = bench.dialing(at);
    client.write('payload');
    const reader = new Reader(client);
    await reader.has('header,payload'.length);
    expect(reader.text).toBe('header,payload');
  });

  test.each(['client', 'backend', 'session'] as const)('it aborts the %s: the session is over', async (part) => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const ended = new Promise((resolve) => proxy.on('sessionClosed', resolve));
    proxy.on('established', (session) => void (part === 'session' ? session : session[part]).abort());
    bench.dialing(at).write('payload');
    expect(await ended).toMatchObject({ outcome: { ending: 'aborted' } });
  });
});

/** Reads a chunk, and rests for some turns of the loop. */
function readSlowly(socket: Socket): void {
  socket.on('data', () => {
    socket.pause();
    setImmediate(() => setImmediate(() => socket.resume()));
  });
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

  describe('a socket that a connect hook returns reads into buffers, too', () => {
    type Dial = (server: PeerServer) => Promise<Socket> | Socket;
    const dials: Record<string, Dial> = {
      'while it connects': ({ at }) => connect(at as { port: number }),
      'connected, with bytes of the server that nothing has read': async (server) => {
        const socket = connect(server.at as { port: number });
        await until('the greeting', () => socket.readableLength === 'hello '.length);
        return socket;
      },
      'whose bytes a hook has unshifted': async (server) => {
        const socket = connect(server.at as { port: number });
        const [greeting] = (await once(socket, 'data')) as [Buffer];
        socket.pause();
        socket.unshift(greeting);
        return socket;
      },
    };

    test.each(Object.keys(dials))('%s', async (when) => {
      const server = await bench.server((socket) => {
        socket.write('hello ');
        socket.pipe(socket);
      });
      const made = await (dials[when] as Dial)(server);
      const count = countData(made);
      const { proxy, at } = await makeProxy({ servers: [{ port: 1, connect: () => made }] });
      const client = await bench.dial(at);
      const answer = new Reader(client);
      const session = await oneSession(proxy);
      await until('the relay', () => session.matches('relaying'));
      const before = count();
      client.end('there and back');
      expect(await answer.ends()).toBe('end');
      expect(answer.text).toBe('hello there and back');
      expect(count()).toBe(before);
      expect(made.listenerCount('data')).toBe(0);
      expect(session.bytes.fromBackend).toBe(answer.bytes);
    });
  });

  test('what was read before goes to code that listens, with all that follows', async () => {
    const server = await bench.server((socket) => socket.pipe(socket));
    let seen = '';
    const { at } = await makeProxy({
      servers: [server.at],
      admit: async ({ socket }) => {
        const [first] = (await once(socket.resume(), 'data')) as [Buffer];
        socket.pause();
        socket.unshift(first);
        socket.on('data', (chunk) => {
          seen += chunk;
        });
      },
    });
    const client = await bench.dial(at);
    const answer = new Reader(client);
    client.write('one ');
    await answer.has(4);
    client.end('two');
    expect(await answer.ends()).toBe('end');
    expect([seen, answer.text]).toEqual(['one two', 'one two']);
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

describe('whoever listens in on a client', () => {
  const listenIn = (socket: Socket): void => void socket.on('data', () => {});

  const ways: readonly [string, Pick<ProxyOptions, 'admit'>, (proxy: TcpProxy) => void][] = [
    ['since its admission', { admit: ({ socket }) => listenIn(socket) }, () => {}],
    ['since it was told of', {}, ({ listeners }) => listeners[0]?.on('client', ({ socket }) => listenIn(socket))],
  ];

  test.each(ways)('%s keeps nothing from a server that is not there yet', async (_, options, prepare) => {
    const [never, later] = [await bench.refusing(), await bench.refusing()];
    const { proxy, at, seen } = await makeProxy({
      servers: [{ port: never }, { port: later }],
      balance: 'inOrder',
      attemptsMax: 1_000,
      ...options,
    });
    prepare(proxy);
    const client = await bench.dial(at);
    const answer = new Reader(client);
    client.write('first ');
    // By then a socket that flows has been read for long.
    await until('attempts in vain', () => times(seen, 'retry') >= 4);
    client.end('second');
    await bench.echo({ port: later });
    expect(await answer.ends()).toBe('end');
    expect(answer.text).toBe('first second');
  });

  test('over TLS may abort it in the middle of a chunk: that chunk goes nowhere, and nothing throws', async () => {
    const server = await bench.echo();
    const front = createTlsServer({ ...CERTIFICATE, pauseOnConnect: true });
    await once(front.listen(0, '127.0.0.1'), 'listening');
    const { proxy } = await makeProxy({
      listen: { server: front },
      servers: [server.at],
      admit: (client) => {
        client.socket.on('data', (chunk: Buffer) => {
          if (chunk.includes('!')) void client.abort();
        });
      },
    });
    const uncaught = recordUncaught();
    try {
      const client = bench.own(dialTls({ host: '127.0.0.1', port: (front.address() as AddressInfo).port }));
      const question = new Reader(await server.connection());
      const answer = new Reader(client);
      const session = await oneSession(proxy);
      client.write('hello');
      await answer.has(5);
      client.write('no!');
      expect(how(await session.closed)).toBe('aborted owner/abort/established');
      expect(await question.ends()).toBe('reset');
      expect(question.text).toBe('hello');
    } finally {
      uncaught.stop();
    }
    expect(uncaught.errors).toEqual([]);
  });
});

describe('a socket that the connect option made', () => {
  const LENGTH = 20_000_000;

  /** Says of each chunk that it is written, and writes it some turns of the loop later. */
  function thatWritesLater({ host, port }: Upstream): Socket {
    const socket = connect({ host, port: port as number });
    const write = socket.write.bind(socket);
    const end = socket.end.bind(socket);
    let written = Promise.resolve();
    socket.write = (chunk: Buffer): boolean => {
      written = written.then(() => turns(2)).then(() => void write(chunk));
      return true;
    };
    socket.end = (): Socket => {
      written.then(() => end());
      return socket;
    };
    return socket;
  }

  /** No socket, but a stream over one, which has done with a chunk once it has handed it on to yet another stream. */
  function thatIsAStream({ host, port }: Upstream): Socket {
    const socket = connect({ host, port: port as number, allowHalfOpen: true });
    const shaper = new PassThrough({ highWaterMark: LENGTH });
    shaper.pipe(socket);
    const stream = new Duplex({
      read: () => void socket.resume(),
      write: (chunk, _, done) => void shaper.write(chunk, () => done()),
      final: (done) => {
        socket.once('finish', () => done());
        shaper.end();
      },
      destroy: (error, done) => {
        socket.destroy();
        done(error);
      },
    });
    socket.on('data', (chunk) => {
      if (!stream.push(chunk)) socket.pause();
    });
    socket.on('end', () => stream.push(null));
    socket.on('error', (error) => stream.destroy(error));
    socket.on('connect', () => {
      Object.assign(stream, { connecting: false });
      stream.emit('connect');
    });
    return Object.assign(stream, { connecting: true, ref: () => stream, unref: () => stream }) as unknown as Socket;
  }

  const kinds = [
    ['that writes later', thatWritesLater],
    ['that is a stream', thatIsAStream],
  ] as const;

  test.each(kinds)('%s: what it keeps is not read over', async (_, open) => {
    const content = pattern(3, LENGTH);
    const server = await bench.server(readSlowly);
    const { at } = await makeProxy({ servers: [{ ...server.at, connect: open }] });
    const client = await bench.dial(at);
    const answer = new Reader(client);
    const socket = await server.connection();
    const question = new Reader(socket, { keep: false });
    client.end(content);
    expect(await question.ends(15_000)).toBe('end');
    expect(question.bytes).toBe(LENGTH);
    expect(question.digest).toBe(digestOf(content));
    socket.end();
    expect(await answer.ends()).toBe('end');
  });

  test.each(kinds)('%s: what it keeps is sent to its end, though the server ended first', async (_, open) => {
    const content = pattern(4, LENGTH);
    const server = await bench.server((socket) => {
      readSlowly(socket);
      socket.end('bye');
    });
    const { at } = await makeProxy({ servers: [{ ...server.at, connect: open }] });
    const client = await bench.dial(at);
    const answer = new Reader(client);
    const question = new Reader(await server.connection(), { keep: false });
    expect(await answer.ends()).toBe('end');
    client.end(content);
    expect(await question.ends(15_000)).toBe('end');
    expect(question.bytes).toBe(LENGTH);
    expect(question.digest).toBe(digestOf(content));
  });
});

describe('many streams at once', () => {
  const LENGTH = 10_000_000;
  const KINDS = 8;
  const contents = Array.from({ length: 2 * KINDS }, (_, seed) => pattern(seed, LENGTH));
  const digests = contents.map(digestOf);

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
          most = Math.max(most, buffersAcquired());
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

test.each(['client', 'server'] as const)(
  'a %s that rests when it has filled a buffer: the next one is given back, and is nobody else’s when it goes on',
  async (who) => {
    const clock = new ManualClock();
    // As many bytes as are read into the shared buffer at once: whoever fills that gets one of its own.
    const first = pattern(5, 16_384);
    const [more, others] = [pattern(6, 1_000_000), pattern(7, 10_000_000)];
    const server = await bench.server(() => {});
    const { proxy, at } = await makeProxy({ servers: [server.at], clock, idleTimeout: 4_000 });
    bench.later(() => expect(clock.pending).toBe(0));
    const relayed = async (options?: { flow: boolean }) => {
      const index = server.accepted;
      const peers: [Socket, Socket] = [await bench.dial(at), await server.connection(index)];
      await until('the relay', () => proxy.sessions[index]?.matches('relaying') === true);
      if (who === 'server') peers.reverse();
      return { session: proxy.sessions[index] as Session, from: peers[0], reader: new Reader(peers[1], options) };
    };
    const one = await relayed();
    one.from.write(first);
    await one.reader.has(first.length);
    expect(buffersAcquired()).toBe(1);
    // The first probe finds that something has moved, the second that nothing has since.
    clock.advance(1_000);
    expect(buffersAcquired()).toBe(1);
    clock.advance(1_000);
    expect(buffersAcquired()).toBe(0);
    expect(one.session.state).toBe('relaying.both');

    // Somebody who got that buffer has bytes in it that are not taken yet, while this one goes on.
    const other = await relayed({ flow: false });
    const sent = send(other.from, others, 1);
    const { client, backend } = other.session;
    const waits = (): boolean => [client.socket, backend.socket].some((socket) => (socket?.writableLength ?? 0) > 0);
    await until('the other to stand still', () => buffersAcquired() > 0 && waits());
    one.from.end(more);
    expect(await one.reader.ends()).toBe('end');
    expect(one.reader.digest).toBe(digestOf(Buffer.concat([first, more])));
    other.reader.socket.resume();
    await sent;
    other.from.end();
    expect(await other.reader.ends()).toBe('end');
    expect(other.reader.digest).toBe(digestOf(others));
  },
);

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
  expect(buffersAcquired()).toBeGreaterThan(0);
  expect(buffersAcquired()).toBeLessThanOrEqual(BUFFERS_MAX);
  await proxy.abort();
}, 40_000);
