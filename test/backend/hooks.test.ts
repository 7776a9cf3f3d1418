/** What hooks may return, throw and do to the sockets that they are given. */
import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { adoptClient, type Backend, type Cause, type ConnectContext, type Outcome } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, plainServer, Reader, tlsServer } from '../support/peers.js';
import { turns, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

const HOST = '127.0.0.1';
const once1 = { persistent: false, attemptsMax: 1 } as const;

describe('the socket of a connect hook that connects after its attempt is over', () => {
  const GIVE_UP: Record<string, (backend: Backend, clock: ManualClock) => unknown> = {
    close: (backend) => backend.close(),
    abort: (backend) => backend.abort(),
    connectTimeout: (_backend, clock) => clock.advance(5_000),
    abandon: (_backend, clock) => {
      clock.advance(5_000);
      clock.advance(5_000);
    },
  };

  test.each(Object.keys(GIVE_UP))('is reset, and the hook has been told by its signal: %s', async (giveUp) => {
    const server = await bench.peer(plainServer(() => {}));
    const clock = new ManualClock();
    const late = bench.own(new Socket());
    if (giveUp === 'abandon') late.destroy = () => late;
    let context: ConnectContext | undefined;
    const { backend } = makeBackend({
      ...once1,
      clock,
      connectTimeout: 5_000,
      disposeTimeout: 1_000,
      servers: [
        {
          port: 1,
          connect: (_server, given) => {
            context = given;
            return late;
          },
        },
      ],
    });
    void backend.connect();
    expect(context?.signal.aborted).toBe(false);
    void GIVE_UP[giveUp]?.(backend, clock);
    await within(3_000, 'the end', backend.closed);
    expect(context?.signal.aborted).toBe(true);
    Reflect.deleteProperty(late, 'destroy');

    // It does not mind the signal.
    late.connect(server.port, HOST);
    expect(await new Reader(await server.connection()).ends()).toBe('reset');
    expect(late.destroyed).toBe(true);
  });

  test('does not fire once the socket has connected, nor does a lost connection fire it', async () => {
    const server = await bench.echo();
    let context: ConnectContext | undefined;
    const { backend } = makeBackend({
      ...once1,
      servers: [
        {
          port: server.port,
          connect: ({ port }, given) => {
            context = given;
            return connect(port as number, HOST);
          },
        },
      ],
    });
    await backend.connect();
    await backend.abort();
    expect(context?.signal.aborted).toBe(false);
  });

  test('may be returned again, and is then wanted', async () => {
    const server = await bench.echo();
    const clock = new ManualClock();
    const socket = bench.own(new Socket());
    let asked = 0;
    const { backend } = makeBackend({
      clock,
      connectTimeout: 5_000,
      servers: [{ port: 1, connect: () => (asked++ === 0 ? socket : socket.connect(server.port, HOST)) }],
    });
    const ready = backend.connect();
    clock.advance(5_000);
    await once(socket, 'close');
    clock.advance(1_000);
    expect((await within(3_000, 'the connection', ready)).socket).toBe(socket);
    await turns();
    expect(socket.destroyed).toBe(false);
  });
});

describe('a socket that a connect hook returns', () => {
  test('counts as connected where its TLS handshake is over', async () => {
    const server = await bench.peer(tlsServer((socket) => socket.pipe(socket)));
    const socket = bench.own(tlsConnect({ port: server.port, host: HOST, ca: CERTIFICATE.cert }));
    await once(socket, 'secureConnect');
    const { backend } = makeBackend({ ...once1, servers: [{ port: 1, connect: () => socket }] });
    const connection = await within(1_500, 'the connection', backend.connect());
    connection.socket.write('there');
    const [back] = await once(connection.socket, 'data');
    expect(String(back)).toBe('there');
  });

  test('has ended where its peer had ended before', async () => {
    const server = await bench.server((socket) => socket.end());
    const socket = bench.own(connect({ port: server.port, host: HOST, allowHalfOpen: true }));
    socket.resume();
    await once(socket, 'end');
    const { backend } = makeBackend({
      ...once1,
      servers: [{ port: 1, connect: () => socket }],
      prepare: (_socket, { signal }) => once(signal, 'abort'),
    });
    await expect(within(1_500, 'an answer', backend.connect())).rejects.toMatchObject({
      cause: { initiator: 'peer', manner: 'end', phase: 'preparing' },
    });
  });

  test.each(['a backend', 'a client', 'a listener'])('is refused while %s uses it', async (user) => {
    const server = await bench.echo();
    let socket = bench.own(connect(server.port, HOST));
    await once(socket, 'connect');
    let first: { abort(): Promise<unknown> } | undefined;
    if (user === 'a backend') {
      const { backend } = makeBackend({ ...once1, servers: [{ port: 1, connect: () => socket }] });
      await backend.connect();
      first = backend;
    } else if (user === 'a client') {
      first = bench.keep(adoptClient(socket, { clock: bench.clock }));
    } else {
      const { proxy, at } = await makeProxy({ servers: [{ port: server.port }] });
      bench.own(connect(at)).write('x');
      socket = await new Promise((resolve) => proxy.once('established', ({ client }) => resolve(client.socket)));
    }
    const { backend } = makeBackend({ ...once1, servers: [{ port: 1, connect: () => socket }] });
    const refused = await backend.connect().catch((error) => error);
    expect(refused.cause.error.message).toContain('a socket that is not in use');
    expect(refused.cause.code).toBe('ERR_INVALID_OPTION');
    // The first goes on with it.
    expect(socket.destroyed).toBe(false);
    await first?.abort();
  });
});

describe('what is thrown stays in the cause', () => {
  test('a hook’s own error, and what Node says of an address', async () => {
    const mine = new Error('the password has expired');
    const server = await bench.echo();
    const failing = (options: object, connectHook?: () => never): Promise<{ cause: Cause; message: string }> =>
      makeBackend({
        ...once1,
        servers: [{ port: server.port, ...(connectHook && { connect: connectHook }) }],
        ...options,
      })
        .backend.connect()
        .catch((error) => error) as never;
    const rethrow = (): never => {
      throw mine;
    };
    for (const error of [await failing({ prepare: rethrow }), await failing({}, rethrow)]) {
      expect(error.cause.error).toBe(mine);
      expect(error.message).toContain('the password has expired');
    }
    const port = server.port;
    await server.stop();
    const refused = await makeBackend({ ...once1, servers: [{ port }] })
      .backend.connect()
      .catch((error) => error);
    expect(refused.cause.error).toMatchObject({ syscall: 'connect', address: HOST, port, code: 'ECONNREFUSED' });
    expect(refused.cause.code).toBe('ECONNREFUSED');
    expect(JSON.parse(JSON.stringify(refused.cause))).toMatchObject({ code: 'ECONNREFUSED', error: { port } });
  });

  test('a certificate for another name: the outcome can still be written as JSON', async () => {
    const server = await bench.peer(tlsServer(() => {}));
    const { backend } = makeBackend({
      ...once1,
      servers: [{ port: server.port, tls: { ca: CERTIFICATE.cert, servername: 'elsewhere.test' } }],
    });
    await backend.connect().catch(() => {});
    const outcome = await within(3_000, 'the end', backend.closed);
    expect(outcome.cause.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(outcome.cause.error).toMatchObject({ host: 'elsewhere.test' });
    expect((outcome.cause.error as { cert?: unknown }).cert).toBeTypeOf('object');
    expect(JSON.parse(JSON.stringify(outcome)).cause.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  const revoked = (): object => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const HOSTILE: Record<string, () => unknown> = {
    'an error whose code throws': () =>
      Object.defineProperty(new Error('x'), 'code', {
        get() {
          throw new Error('no code');
        },
      }),
    'an error whose message throws': () =>
      Object.defineProperty(new Error('x'), 'message', {
        get() {
          throw new Error('no message');
        },
      }),
    'a revoked proxy': revoked,
    'an object without a prototype': () => Object.create(null),
    'a code that every object has': () => ({ code: 'constructor', name: '__proto__' }),
    'a symbol': () => Symbol('thrown'),
    nothing: () => undefined,
  };

  test.each(Object.keys(HOSTILE))('%s does no harm, in any hook', async (name) => {
    const thrown = HOSTILE[name] as () => unknown;
    const unhandled: unknown[] = [];
    const listener = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listener);
    bench.later(() => process.off('unhandledRejection', listener));
    const server = await bench.echo();
    const fail = (): never => {
      throw thrown();
    };
    const servers = [{ port: server.port }];
    for (const options of [
      { servers, prepare: fail },
      { servers, prepare: () => Promise.reject(thrown()) },
      { servers: [{ port: 1, connect: fail }] },
      { servers, balance: { choose: fail } },
      { servers: [{ port: 1, connect: thrown as never }] },
    ]) {
      const error = await makeBackend({ ...once1, ...options })
        .backend.connect()
        .catch((caught) => caught);
      expect(error.code).toBe('ERR_CONNECT');
      expect(error.cause.code).toBeTypeOf('string');
    }
    const { proxy, at } = await makeProxy({ servers, admit: fail });
    const over = new Promise<Outcome>((resolve) => proxy.once('clientClosed', ({ outcome }) => resolve(outcome)));
    bench.own(connect(at)).on('error', () => {});
    expect((await within(3_000, 'a refusal', over)).ending).toBe('refused');
    const { backend } = makeBackend({ ...once1, servers });
    await backend.connect();
    try {
      await backend.abort(thrown() as never);
    } catch {
      // A cause that is none is told; it is aborted all the same.
    }
    expect((await within(3_000, 'the end', backend.closed)).ending).toBe('aborted');
    await turns();
    expect(unhandled).toEqual([]);
  });
});
