/** Streams that a `connect` hook returns or promises: sockets, and streams that are none. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { TLSSocket, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { Cause, Client, ConnectContext } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, plainServer, Reader, tlsServer } from '../support/peers.js';
import { recordUncaught } from '../support/record.js';
import { textOf, usePairs } from '../support/streams.js';
import { gate, turns, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

const pairs = usePairs(bench);

const HOST = '127.0.0.1';
const once1 = { persistent: false, attemptsMax: 1 } as const;
const REFUSED = { code: 'ERR_CONNECT' };

/** The cause of the attempt's end. */
async function failure(connectHook: () => unknown): Promise<Cause> {
  const { backend } = makeBackend({ ...once1, servers: [{ port: 1, connect: connectHook as never }] });
  const error = await within(
    3_000,
    'a failure',
    backend.connect().then(
      () => undefined,
      (caught: { cause: Cause }) => caught,
    ),
  );
  expect(error).toMatchObject(REFUSED);
  return (error as { cause: Cause }).cause;
}

describe('a promise', () => {
  const SOCKETS: Record<string, (port: number) => Promise<Socket>> = {
    'a socket that is connecting': async (port) => connect(port, HOST),
    'a socket that has connected': async (port) => {
      const socket = connect(port, HOST);
      await once(socket, 'connect');
      return socket;
    },
  };

  test.each(Object.keys(SOCKETS))('of %s', async (what) => {
    const server = await bench.echo();
    const { backend, seen } = makeBackend({
      ...once1,
      servers: [{ port: 1, connect: () => (SOCKETS[what] as (port: number) => Promise<Socket>)(server.port) }],
    });
    const { socket } = await within(3_000, 'the connection', backend.connect());
    socket.write('there');
    expect(String((await once(socket, 'data'))[0])).toBe('there');
    expect(await backend.close()).toMatchObject({ ending: 'closed', flushed: true });
    expect(seen.join()).not.toContain('dropped');
  });

  test('of a TLS socket, which connects by its handshake', async () => {
    const server = await bench.peer(tlsServer((socket) => socket.pipe(socket)));
    const { backend } = makeBackend({
      ...once1,
      servers: [{ port: 1, connect: async () => tlsConnect({ port: server.port, host: HOST, ca: CERTIFICATE.cert }) }],
    });
    const { socket } = await within(3_000, 'the connection', backend.connect());
    expect((socket as unknown as { authorized: boolean }).authorized).toBe(true);
  });

  test('that is broken fails the attempt, with the error in the cause', async () => {
    const mine = new Error('the tunnel is closed');
    expect(await failure(() => Promise.reject(mine))).toMatchObject({ code: 'Error', error: mine });
    const refused = Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
    expect(await failure(() => Promise.reject(refused))).toMatchObject({ initiator: 'peer', manner: 'refusal' });
    const [code] = [
      await failure(() => Promise.reject(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_VALUE' }))),
    ];
    expect(code).toMatchObject({ phase: 'command', code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('is followed by another attempt where it is broken', async () => {
    const server = await bench.echo();
    let asked = 0;
    const { backend } = makeBackend({
      persistent: false,
      servers: [
        {
          port: 1,
          connect: async () => (asked++ === 0 ? Promise.reject(new Error('no')) : connect(server.port, HOST)),
        },
      ],
    });
    await within(3_000, 'the connection', backend.connect());
    expect(asked).toBe(2);
  });

  test('that is not kept in time leaves its place to the next attempt', async () => {
    const server = await bench.echo();
    let asked = 0;
    const { backend } = makeBackend({
      persistent: false,
      connectTimeout: 50,
      servers: [
        {
          port: 1,
          connectionsMax: 1,
          connect: () => (asked++ === 0 ? new Promise<never>(() => {}) : connect(server.port, HOST)),
        },
      ],
    });
    await within(3_000, 'the connection', backend.connect());
    expect(backend.servers.list[0]?.connections).toBe(1);
  });

  const GIVE_UP: Record<string, (act: { close(): unknown; abort(): unknown }, clock: ManualClock) => unknown> = {
    close: (backend) => backend.close(),
    abort: (backend) => backend.abort(),
    connectTimeout: (_backend, clock) => clock.advance(5_000),
  };

  describe.each(Object.keys(GIVE_UP))('that is kept too late, after %s', (how) => {
    test.each(['a socket', 'a stream'])('has %s closed', async (what) => {
      const server = await bench.peer(plainServer(() => {}));
      const clock = new ManualClock();
      const asked = gate<Duplex>();
      let context: ConnectContext | undefined;
      const { backend } = makeBackend({
        ...once1,
        clock,
        connectTimeout: 5_000,
        servers: [
          {
            port: 1,
            connectionsMax: 1,
            connect: (_server, given) => {
              context = given;
              return asked.promise;
            },
          },
        ],
      });
      void backend.connect();
      expect(backend.state).toBe('active.connecting');
      expect(backend.servers.list[0]?.connections).toBe(1);
      void GIVE_UP[how]?.(backend, clock);
      await within(3_000, 'the end', backend.closed);
      expect(context?.signal.aborted).toBe(true);
      expect(backend.servers.list[0]?.connections).toBe(0);

      if (what === 'a stream') {
        const [ours, theirs] = pairs.make();
        const lost = new Promise((resolve) => theirs.once('close', resolve));
        asked.open(ours);
        await within(3_000, 'the close', lost);
        expect(theirs.errored).toMatchObject({ code: 'ECONNRESET' });
      } else {
        const socket = bench.own(connect(server.port, HOST));
        await once(socket, 'connect');
        asked.open(socket);
        expect(await new Reader(await server.connection()).ends()).toBe('reset');
        expect(socket.destroyed).toBe(true);
      }
    });

    test('does no harm where it is broken', async () => {
      const unhandled: unknown[] = [];
      const listener = (error: unknown): void => void unhandled.push(error);
      process.on('unhandledRejection', listener);
      bench.later(() => process.off('unhandledRejection', listener));
      const clock = new ManualClock();
      const asked = gate<Duplex>();
      const { backend } = makeBackend({
        ...once1,
        clock,
        connectTimeout: 5_000,
        servers: [{ port: 1, connect: () => asked.promise }],
      });
      void backend.connect();
      void GIVE_UP[how]?.(backend, clock);
      await within(3_000, 'the end', backend.closed);
      asked.open(Promise.reject(new Error('late')) as never);
      await turns();
      expect(unhandled).toEqual([]);
    });
  });
});

describe('what cannot be used is refused', () => {
  const open = (stream: Duplex): Duplex => pairs.count(stream);

  const WRONG: Record<string, [() => unknown, string, string]> = {
    nothing: [() => undefined, 'ERR_INVALID_OPTION', 'returns, or promises, a net.Socket or another Duplex'],
    'a promise of nothing': [() => Promise.resolve(), 'ERR_INVALID_OPTION', 'another Duplex'],
    'a readable stream': [() => Duplex.from(['x']).toArray, 'ERR_INVALID_OPTION', 'another Duplex'],
    'a stream of objects': [() => open(new PassThrough({ objectMode: true })), 'ERR_INVALID_ARG_VALUE', 'object mode'],
    'a promise of a stream of objects': [
      async () => open(new PassThrough({ readableObjectMode: true })),
      'ERR_INVALID_ARG_VALUE',
      'object mode',
    ],
    'a stream with an encoding': [
      () => open(new PassThrough().setEncoding('utf8')),
      'ERR_INVALID_ARG_VALUE',
      'setEncoding',
    ],
    'a stream that was ended': [() => open(pairs.make()[0].end()), 'ERR_STREAM_WRITE_AFTER_END', 'ended already'],
    'a stream that was destroyed': [() => open(new PassThrough().destroy()), 'ERR_SOCKET_CLOSED', 'destroyed already'],
    'a stream that has failed': [
      () => open(new PassThrough().destroy(new Error('broken'))),
      'ERR_SOCKET_CLOSED',
      'destroyed already',
    ],
  };

  test.each(Object.keys(WRONG))('%s', async (what) => {
    const [give, code, message] = WRONG[what] as [() => unknown, string, string];
    const cause = await failure(give);
    expect(cause).toMatchObject({ phase: 'command', code });
    expect((cause.error as Error).message).toContain(message);
    await pairs.allClosed();
  });

  test('a stream that another backend uses', async () => {
    const [ours] = pairs.make();
    const { backend } = makeBackend({ ...once1, servers: [{ port: 1, connect: () => ours }] });
    await backend.connect();
    expect(await failure(async () => ours)).toMatchObject({ code: 'ERR_INVALID_OPTION' });
    expect(ours.destroyed).toBe(false);
  });

  test('a stream whose peer has ended fails the attempt as an end', async () => {
    const [ours, theirs] = pairs.make();
    theirs.end();
    ours.resume();
    await once(ours, 'end');
    const { backend } = makeBackend({
      ...once1,
      servers: [{ port: 1, connect: () => ours }],
      prepare: (_socket, { signal }) => once(signal, 'abort'),
    });
    await expect(backend.connect()).rejects.toMatchObject({ cause: { initiator: 'peer', manner: 'end' } });
  });
});

describe('a backend over a stream that is no socket', () => {
  async function over(options: object = {}) {
    const [ours, theirs] = pairs.make();
    const { backend, seen } = makeBackend({ ...once1, servers: [{ port: 1, connect: () => ours }], ...options });
    const { socket } = await within(3_000, 'the connection', backend.connect());
    expect(socket).toBe(ours);
    return { backend, seen, ours, theirs };
  }

  test('both sides end: it is over when both have', async () => {
    const { backend, ours, theirs } = await over();
    ours.end('question');
    expect(await textOf(theirs)).toBe('question');
    expect(backend.state).toBe('active.established.localEnded');
    theirs.end('answer');
    expect(await textOf(ours)).toBe('answer');
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a stream that would close neither by itself, nor say so', async () => {
    for (const options of [{ autoDestroy: false }, { emitClose: false }, { autoDestroy: false, emitClose: false }]) {
      const [ours, theirs] = pairs.make(options);
      const { backend } = makeBackend({ ...once1, servers: [{ port: 1, connect: () => ours }] });
      await backend.connect();
      ours.resume().end();
      theirs.resume().end();
      expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended' });
    }
  });

  test('a close flushes, ends, and waits for the peer’s end', async () => {
    const { backend, ours, theirs } = await over({ closeTimeout: 3_000 });
    ours.write('last words');
    const closed = backend.close();
    expect(await textOf(theirs)).toBe('last words');
    expect(backend.state).toBe('closing.flushing');
    theirs.end();
    expect(await within(3_000, 'the close', closed)).toMatchObject({ ending: 'closed', flushed: true });
  });

  test('an abort destroys it with an error, and says that the peer may take that for an end', async () => {
    const { backend, ours, theirs } = await over();
    const uncaught = recordUncaught();
    const lost = new Promise((resolve) => theirs.once('close', resolve));
    const outcome = await within(3_000, 'the abort', backend.abort());
    await lost;
    uncaught.stop();
    expect(outcome).toMatchObject({
      ending: 'aborted',
      truncated: true,
      cause: { initiator: 'owner', manner: 'abort' },
    });
    expect(ours.errored).toMatchObject({ code: 'ECONNRESET' });
    expect(theirs.errored).toMatchObject({ code: 'ECONNRESET' });
    expect(uncaught.errors).toEqual([]);
  });

  test('an abort after our end misleads no peer', async () => {
    const { backend, ours, theirs } = await over();
    ours.end('all of it');
    expect(await textOf(theirs)).toBe('all of it');
    expect((await within(3_000, 'the abort', backend.abort())).truncated).toBeUndefined();
  });

  test('its loss is a drop', async () => {
    const { backend, theirs } = await over();
    theirs.destroy(new Error('gone'));
    expect(await within(3_000, 'the drop', backend.closed)).toMatchObject({
      ending: 'dropped',
      cause: { initiator: 'peer', manner: 'reset', code: 'ECONNRESET' },
    });
    const other = await over();
    other.theirs.destroy();
    expect(await within(3_000, 'the drop', other.backend.closed)).toMatchObject({
      ending: 'dropped',
      cause: { initiator: 'peer', manner: 'reset', code: 'ERR_STREAM_PREMATURE_CLOSE' },
    });
  });

  test('TLS over such a stream that closes without an end is lost, by whomever', async () => {
    for (const which of ['below', 'above']) {
      const [ours, theirs] = pairs.make();
      const peer = new TLSSocket(theirs, { isServer: true, ...CERTIFICATE });
      peer.on('error', () => {}).resume();
      const { backend } = makeBackend({
        ...once1,
        servers: [{ port: 1, connect: () => tlsConnect({ socket: ours, host: 'localhost', ca: CERTIFICATE.cert }) }],
      });
      const { socket } = await within(3_000, 'the connection', backend.connect());
      (which === 'below' ? ours : socket).destroy();
      expect(await within(3_000, 'the end', backend.closed)).toMatchObject({
        ending: 'dropped',
        cause: { code: 'ERR_STREAM_PREMATURE_CLOSE' },
      });
    }
  });

  test('it is idle when nothing moves, and only then', async () => {
    const clock = new ManualClock();
    const { backend, ours, theirs } = await over({ clock, idleTimeout: 1_000 });
    ours.resume();
    theirs.resume();
    for (let step = 0; step < 8; step++) {
      // Either direction counts.
      if (step % 2 === 0) theirs.write('x');
      else ours.write('y');
      await turns(3);
      clock.advance(250);
    }
    expect(backend.outcome).toBeUndefined();
    clock.advance(250);
    clock.advance(250);
    clock.advance(250);
    expect(backend.outcome).toBeUndefined();
    clock.advance(250);
    expect(await within(3_000, 'the end', backend.closed)).toMatchObject({ cause: { code: 'idleTimeout' } });
  });

  test('it lingers while the peer sends, and is closed when the peer is silent', async () => {
    const clock = new ManualClock();
    const { backend, ours, theirs } = await over({ clock, closeTimeout: 500, lingerTimeout: 1_000, lingerMax: 9_000 });
    ours.write('all');
    const closed = backend.close();
    expect(await textOf(theirs)).toBe('all');
    clock.advance(500);
    expect(backend.state).toBe('lingering.reading');
    theirs.write('still here');
    await turns(3);
    clock.advance(1_000);
    expect(backend.state).toBe('lingering.reading');
    clock.advance(1_000);
    const outcome = await within(3_000, 'the end', closed);
    expect(outcome).toMatchObject({ ending: 'closed', flushed: true });
    expect(outcome.truncated).toBeUndefined();
  });

  test('a drop is followed by the next stream', async () => {
    const peers: Duplex[] = [];
    const { backend } = makeBackend({
      servers: [
        {
          port: 1,
          connect: async () => {
            const [ours, theirs] = pairs.make();
            peers.push(theirs);
            return ours;
          },
        },
      ],
    });
    await backend.connect();
    const again = new Promise<{ incarnation: number }>((resolve) => backend.once('established', resolve));
    peers[0]?.destroy();
    expect((await within(3_000, 'the next one', again)).incarnation).toBe(2);
    await backend.abort();
  });

  test('ref() and unref() do no harm', async () => {
    const { backend } = await over();
    expect(backend.unref().ref()).toBe(backend);
  });
});

test('the hook knows the client, or that there is none', async () => {
  const server = await bench.echo();
  const clients: (Client | undefined)[] = [];
  const servers = [
    {
      port: 1,
      connect: (_server: unknown, { client }: ConnectContext) => {
        clients.push(client);
        return connect(server.port, HOST);
      },
    },
  ];
  const { proxy, at } = await makeProxy({ servers });
  const established = new Promise<{ client: Client }>((resolve) => proxy.once('established', resolve));
  bench.own(connect(at));
  expect(clients).toEqual([(await within(3_000, 'a session', established)).client]);
  const { backend } = makeBackend({ ...once1, servers });
  await backend.connect();
  expect(clients[1]).toBeUndefined();
  expect(clients).toHaveLength(2);
});
