/** Last words: a client that is turned away is told why, and reads all of it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Client, createSession, type Outcome, type ProxyOptions, type TcpProxy } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, dialTls, Reader } from '../support/peers.js';
import { gate, within } from '../support/wait.js';

const bench = useBench();
const { makeListener, makeProxy } = makers(bench);

type At = { readonly host: string; readonly port: number };

const BAD_GATEWAY = 'HTTP/1.1 502 Bad Gateway\r\n\r\n';
const FORBIDDEN = 'HTTP/1.1 403 Forbidden\r\n\r\n';
/** What a client sends that nobody reads. */
const REQUEST = Buffer.alloc(300_000, 'x');

function client(at: At, isTls = false): Reader {
  const socket = bench.own(isTls ? dialTls(at) : connect(at));
  socket.on('error', () => {});
  socket.write(REQUEST);
  return new Reader(socket);
}

const clientEnd = (proxy: TcpProxy): Promise<Outcome> =>
  within(5_000, 'a client', new Promise((is) => proxy.once('clientClosed', ({ outcome }) => is(outcome))));

const sessionEnd = (proxy: TcpProxy): Promise<Outcome> =>
  within(5_000, 'a session', new Promise((is) => proxy.once('sessionClosed', ({ outcome }) => is(outcome))));

async function getsWords(reader: Reader, words: string): Promise<void> {
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe(words);
}

describe.each([
  ['TCP', undefined],
  ['TLS', CERTIFICATE],
])('over %s', (_, tls) => {
  const listen = { host: '127.0.0.1', port: 0, ...(tls && { tls }) };
  const isTls = tls !== undefined;

  test('refusal: no server could be connected', async () => {
    const seen: string[] = [];
    const { proxy, at } = await makeProxy({
      listen,
      servers: [{ port: await bench.refusing() }],
      attemptsMax: 1,
      refusal: (cause, { peer }) => {
        seen.push(`${cause.manner} ${cause.code} ${peer?.address}`);
        return BAD_GATEWAY;
      },
    });
    const outcomes = Promise.all([clientEnd(proxy), sessionEnd(proxy)]);
    await getsWords(client(at, isTls), BAD_GATEWAY);
    const [ofClient, ofSession] = await outcomes;
    expect(ofClient).toMatchObject({ ending: 'refused', flushed: true, cause: { code: 'ECONNREFUSED' } });
    expect(ofSession).toMatchObject({ ending: 'refused', cause: { code: 'ECONNREFUSED' } });
    expect(seen).toEqual(['refusal ECONNREFUSED 127.0.0.1']);
  });

  test('empty words are a FIN alone', async () => {
    const { proxy, at } = await makeProxy({ listen, route: () => false, refusal: () => '' });
    const outcome = clientEnd(proxy);
    await getsWords(client(at, isTls), '');
    expect(await outcome).toMatchObject({ ending: 'refused', flushed: true });
  });

  test('client.refuse in admit; what the hook then says does not matter', async () => {
    const { proxy, at } = await makeProxy({
      listen,
      servers: [{ port: 1 }],
      admit: (admitted) => {
        void admitted.refuse(Buffer.from(FORBIDDEN));
        return true;
      },
    });
    const outcome = clientEnd(proxy);
    await getsWords(client(at, isTls), FORBIDDEN);
    expect(await outcome).toMatchObject({
      ending: 'refused',
      flushed: true,
      cause: { initiator: 'owner', manner: 'refusal', phase: 'accepted' },
    });
  });

  test('client.refuse in route, which never answers', async () => {
    const { proxy, at } = await makeProxy({
      listen,
      route: async (routed, { signal }) => {
        void routed.refuse(FORBIDDEN);
        await once(signal, 'abort');
        return false;
      },
      refusal: () => 'not these',
    });
    const outcome = sessionEnd(proxy);
    await getsWords(client(at, isTls), FORBIDDEN);
    expect(await outcome).toMatchObject({ ending: 'refused', cause: { manner: 'refusal', phase: 'routing' } });
  });
});

describe('refusal', () => {
  const ROUTES: readonly (readonly [string, Partial<ProxyOptions>, string])[] = [
    ['a route that says no', { route: () => false }, 'refusal undefined'],
    ['a route that takes too long', { route: () => new Promise(() => {}), routeTimeout: 20 }, 'timeout routeTimeout'],
  ];
  test.each(ROUTES)('%s', async (_, options, told) => {
    const { at } = await makeProxy({ ...options, refusal: ({ manner, code }) => `${manner} ${code}` });
    await getsWords(client(at), told);
  });

  test('no connect in time', async () => {
    const { at } = await makeProxy({
      servers: [{ connect: () => new Promise<never>(() => {}) }],
      sessionConnectTimeout: 20,
      refusal: ({ code }) => code,
    });
    await getsWords(client(at), 'sessionConnectTimeout');
  });

  test('without words the client is reset', async () => {
    const { proxy, at } = await makeProxy({ route: () => false, refusal: () => undefined });
    const outcome = clientEnd(proxy);
    expect(await client(at).ends()).toBe('reset');
    expect((await outcome).ending).toBe('refused');
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
      'mine',
    ],
    ['has no words', () => 7 as never, '"refusal" must be'],
  ])('a hook that %s: the client is reset, and its cause has the error', async (_, refusal, message) => {
    const { proxy, at } = await makeProxy({ route: () => false, refusal });
    const outcome = clientEnd(proxy);
    expect(await client(at).ends()).toBe('reset');
    const { ending, cause } = await outcome;
    expect(ending).toBe('refused');
    expect((cause.error as Error).message).toContain(message);
  });

  test('of a session of your own', async () => {
    const listener = makeListener({});
    listener.on('client', (accepted) => {
      createSession(accepted, { to: { port: 1 }, attemptsMax: 1, refusal: () => BAD_GATEWAY });
    });
    await listener.start();
    await getsWords(client(listener.address as At), BAD_GATEWAY);
  });
});

describe('client.refuse', () => {
  test('while its session connects: the attempt is given up', async () => {
    const connecting = gate<Client>();
    const { proxy, at } = await makeProxy({
      servers: [
        {
          connect: (_server, { client: served }) => {
            connecting.open(served as Client);
            return new Promise<never>(() => {});
          },
        },
      ],
    });
    const outcome = sessionEnd(proxy);
    const reader = client(at);
    void (await connecting.promise).refuse('busy');
    await getsWords(reader, 'busy');
    expect(await outcome).toMatchObject({ ending: 'refused', cause: { manner: 'refusal', phase: 'connecting' } });
  });

  test('of a client of your own: it ends as refused, and its listener waits for the words', async () => {
    const listener = makeListener({});
    const outcome = new Promise<Outcome>((resolve) => {
      listener.on('client', (accepted) => {
        void accepted.refuse('no room\n').then(resolve);
        void listener.close();
      });
    });
    await listener.start();
    await getsWords(client(listener.address as At), 'no room\n');
    expect(await outcome).toMatchObject({ ending: 'refused', flushed: true });
    expect(await listener.closed).toMatchObject({ ending: 'closed', flushed: true });
  });

  test('a client that reads nothing is reset after closeTimeout', async () => {
    const { proxy, at } = await makeProxy({ route: () => false, refusal: () => 'x'.repeat(16 * 1_024 * 1_024) });
    const outcome = clientEnd(proxy);
    const socket = bench.own(connect(at));
    const reader = new Reader(socket, { keep: false, flow: false });
    expect(await outcome).toMatchObject({ ending: 'refused', flushed: false });
    socket.resume();
    expect(await reader.ends()).toBe('reset');
  });

  test('in admit, and the client reads nothing: a drain cuts it at its deadline, and ends after it', async () => {
    const refused = gate<Client>();
    const { proxy, at } = await makeProxy({
      servers: [{ port: 1 }],
      admit: (admitted) => {
        void admitted.refuse('x'.repeat(16 * 1_024 * 1_024));
        refused.open(admitted);
      },
      closeTimeout: 60_000,
    });
    const reader = new Reader(bench.own(connect(at)), { keep: false, flow: false });
    const { state, closed } = await refused.promise;
    expect(state).toBe('explaining');
    let isOver = false;
    void closed.then(() => {
      isOver = true;
    });
    const outcome = await within(5_000, 'the proxy', proxy.close({ timeoutMs: 20 }));
    expect(outcome).toMatchObject({ ending: 'aborted', cause: { code: 'drainTimeout' } });
    expect(isOver).toBe(true);
    reader.socket.resume();
    expect(await reader.ends()).toBe('reset');
  });

  test('a client that stays is let go of when it is silent for lingerTimeout', async () => {
    const { proxy, at } = await makeProxy({ route: () => false, refusal: () => 'no' });
    const outcome = clientEnd(proxy);
    const reader = new Reader(bench.own(connect({ ...at, allowHalfOpen: true })));
    expect(await outcome).toMatchObject({ ending: 'refused', flushed: true });
    await getsWords(reader, 'no');
  });

  test('once bytes are relayed it says that it is too late, and so do words that are none', async () => {
    const server = await bench.greeter('hello', 'stay');
    const { proxy, at } = await makeProxy({ servers: [server.at as At] });
    const established = new Promise<Client>((resolve) =>
      proxy.once('established', (session) => resolve(session.client)),
    );
    client(at);
    const served = await established;
    expect(() => served.refuse('late')).toThrow(/relays bytes already/);
    expect(() => served.refuse(7 as never)).toThrow(/words/);
    expect(served.state).toBe('live.established.open');
  });
});
