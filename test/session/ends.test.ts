/**
 * A stream is complete once its last byte and FIN are with the system. Then no deadline resets it: the peer, however
 * slowly it reads, gets every byte and the FIN.
 */
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  type Backend,
  type Client,
  createBackend,
  createListener,
  createProxy,
  type ProxyOptions,
  type Session,
} from '../../src/index.js';
import { reset } from '../../src/sockets/socket.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { CERTIFICATE, dialTls, plainServer, Reader, tlsServer } from '../support/peers.js';
import { turns, until, within } from '../support/wait.js';

const bench = useBench();

type Over = 'TCP' | 'TLS' | 'Unix';
const OVER: readonly Over[] = ['TCP', 'TLS', 'Unix'];

/** More than a peer that does not read takes, and less than the system does: a Unix socket has small buffers. */
const bodyFor = (over: Over): Buffer => Buffer.alloc(over === 'Unix' ? 100_000 : 1_000_000, 'x');
/** More than the system takes. */
const TOO_MUCH = Buffer.alloc(16 * 1_024 * 1_024, 'y');

type At = { readonly host?: string; readonly port?: number; readonly path?: string };

/** What a listener listens on. */
function front(over: Over) {
  if (over === 'Unix') return { path: bench.path('front') };
  return { host: '127.0.0.1', port: 0, ...(over === 'TLS' && { tls: CERTIFICATE }) };
}

/** A peer that reads nothing until it is told to. */
function slowPeer(over: Over, at: At): Reader {
  const socket = bench.own(
    over === 'TLS' ? dialTls(at) : connect({ ...(at as { port: number }), allowHalfOpen: true }),
  );
  return new Reader(socket, { keep: false, flow: false });
}

/** A backend that has not been asked to connect yet, and its server, which says nothing. */
async function madeBackend(over: Over, options: object) {
  const server = await bench.peer(
    over === 'TLS' ? tlsServer((socket) => socket.pause()) : plainServer(() => {}, true),
    over === 'Unix' ? { path: bench.path('back') } : {},
  );
  const servers = [{ ...server.at, ...(over === 'TLS' && { tls: { ca: CERTIFICATE.cert } }) }];
  return { server, backend: bench.keep(createBackend({ servers, ...options })) };
}

async function getsAll(peer: Reader, body: Buffer): Promise<void> {
  peer.socket.resume();
  expect(await peer.ends()).toBe('end');
  expect(peer.bytes).toBe(body.length);
}

/** A proxy whose server answers, ends, and reads nothing; its client reads nothing either. Both FINs are out. */
async function answered(over: Over, options: Partial<ProxyOptions> = {}) {
  const clock = new ManualClock();
  const body = bodyFor(over);
  const answer = (socket: Socket): void => {
    socket.pause();
    socket.end(body);
  };
  const server = await bench.peer(plainServer(answer, true));
  const proxy = bench.keep(createProxy({ clock, listen: front(over), servers: [server.at], ...options }));
  await proxy.start();
  const established = new Promise<Session>((resolve) => proxy.once('established', resolve));
  const peer = slowPeer(over, proxy.addresses[0] as At);
  const session = await within(5_000, 'a session', established);
  const { client } = session;
  await until('all to be sent', () => client.state === 'live.established.localEnded');
  return { clock, body, proxy, session, client, peer, server: await server.connection() };
}

/** The client still sends: nothing of that may reset it. Then it is silent, and its socket is closed. */
async function letsGo(leg: Client | Backend, sender: Socket, clock: ManualClock): Promise<void> {
  const socket = leg.socket as Socket;
  for (let time = 0; time < 3; time++) {
    sender.write('more');
    await until('what still comes to be read', () => socket.bytesRead >= sender.bytesWritten);
    clock.advance(5_000);
    expect(leg.state).toBe('lingering.reading');
  }
  clock.advance(4_999);
  expect(leg.state).toBe('lingering.reading');
  clock.advance(1);
  expect(leg.state).not.toBe('lingering.reading');
}

const DEADLINES: Record<string, [Partial<ProxyOptions>, (made: Awaited<ReturnType<typeof answered>>) => unknown]> = {
  halfCloseTimeout: [{}, ({ clock }) => clock.advance(75_000)],
  durationMax: [{ durationMax: 1_000 }, ({ clock }) => clock.advance(1_000)],
  'the drain of the proxy': [
    {},
    ({ clock, proxy }) => {
      void proxy.close({ timeoutMs: 1_000 });
      clock.advance(1_000);
    },
  ],
  'the drain of the listener': [
    {},
    ({ clock, proxy }) => {
      void proxy.listeners[0]?.close({ timeoutMs: 1_000 });
      clock.advance(1_000);
    },
  ],
  'the drain of the session': [
    {},
    ({ clock, session }) => {
      void session.close({ timeoutMs: 1_000 });
      clock.advance(1_000);
    },
  ],
};

describe.each(OVER)('over %s', (over) => {
  test.each(Object.keys(DEADLINES))('%s meets a leg whose FIN is out', async (what) => {
    const [options, pass] = DEADLINES[what] as (typeof DEADLINES)[string];
    const made = await answered(over, options);
    const { clock, body, client, session, peer } = made;
    // More than is relayed: some of it is unread here when the deadline comes.
    peer.socket.write(TOO_MUCH);
    await turns(20);
    pass(made);
    await until('the client to be let go of', () => client.state === 'lingering.reading');
    await letsGo(client, peer.socket, clock);
    const outcome = await within(5_000, 'the end of the session', session.closed);
    expect(outcome).toMatchObject({ ending: 'aborted', flushed: false });
    expect(client.outcome).toMatchObject({ ending: 'aborted', flushed: true });
    // A listener cuts its clients itself: for their sessions it begins on that leg.
    const leg = what === 'the drain of the listener' ? { leg: 'client' } : {};
    expect(outcome.cause).toEqual({ ...client.outcome?.cause, ...leg });
    expect(client.outcome?.truncated).toBeUndefined();
    await getsAll(peer, body);
    // The server had the last word, but not the last of the client's: that leg was cut.
    expect(session.backend.outcome).toMatchObject({ ending: 'aborted', flushed: false });
    void made.proxy.abort();
    await made.proxy.closed;
    expect(clock.pending).toBe(0);
  });

  test('the server resets after its FIN', async () => {
    const made = await answered(over);
    const { clock, body, client, session, peer, server } = made;
    server.resetAndDestroy();
    // Nobody reads a socket that has ended: a write finds out.
    peer.socket.write('a question');
    await until('the loss to be seen', () => {
      if (client.state === 'live.established.localEnded') peer.socket.write('!');
      return client.state !== 'live.established.localEnded';
    });
    expect(client.state).toBe('lingering.reading');
    await letsGo(client, peer.socket, clock);
    expect(await session.closed).toMatchObject({ ending: 'dropped', flushed: false });
    expect(client.outcome).toMatchObject({ ending: 'aborted', flushed: true, cause: { manner: 'reset' } });
    await getsAll(peer, body);
  });

  test('a client that sends on and on is reset in the end', async () => {
    const { clock, session, client } = await answered(over);
    clock.advance(75_000);
    expect(client.state).toBe('lingering.reading');
    clock.advance(4_999);
    const fake = Object.defineProperty(client.socket, 'bytesRead', { get: () => clock.now() });
    clock.advance(25_001);
    Reflect.deleteProperty(fake, 'bytesRead');
    expect(client.state).toBe('aborting');
    expect(await session.closed).toMatchObject({ ending: 'aborted', flushed: false });
    expect(client.outcome).toMatchObject({ ending: 'aborted', flushed: false, cause: { code: 'lingerMax' } });
  });

  test('an abort by the owner resets all the same, and says so', async () => {
    const { session, client, peer } = await answered(over);
    await session.abort();
    expect(client.outcome).toMatchObject({ ending: 'aborted', flushed: false, cause: { manner: 'abort' } });
    peer.socket.resume();
    // A Unix socket has no reset: what was sent is with the peer already.
    if (over !== 'Unix') expect(await peer.ends()).toBe('reset');
  });

  test('an abort by the owner hastens one that was let go of', async () => {
    const { clock, proxy, client } = await answered(over);
    const closed = proxy.close({ timeoutMs: 1_000 });
    clock.advance(1_000);
    expect(client.state).toBe('lingering.reading');
    expect(proxy.state).toBe('stopping.cutting');
    clock.advance(2_000);
    expect(proxy.state).toBe('stopping.cutting');
    void proxy.abort();
    expect(await within(5_000, 'the stop', closed)).toMatchObject({ ending: 'aborted', flushed: false });
    expect(client.outcome).toMatchObject({ ending: 'aborted', flushed: false });
  });

  describe.each(['client', 'backend'] as const)('a lone %s', (kind) => {
    /** Established, on a clock that stands still; its peer reads nothing and says nothing. */
    async function established(options: object = {}) {
      const clock = new ManualClock();
      if (kind === 'client') {
        const listener = bench.keep(createListener({ ...front(over), clock, ...options }));
        const came = new Promise<Client>((resolve) => listener.once('client', resolve));
        const peer = slowPeer(over, await listener.start());
        return { clock, leg: (await within(5_000, 'a client', came)) as Client | Backend, peer };
      }
      const { backend, server } = await madeBackend(over, { clock, persistent: false, ...options });
      await backend.connect();
      const peer = new Reader(await server.connection(), { keep: false, flow: false });
      return { clock, leg: backend as Client | Backend, peer };
    }

    /** It has written all and ended; its peer reads nothing and says nothing. */
    async function ended(how: (leg: Client | Backend) => unknown, options: object = {}) {
      const { clock, leg, peer } = await established(options);
      const body = bodyFor(over);
      const socket = leg.socket as Socket;
      socket.write(body);
      how(leg);
      await until('all to be sent', () => socket.writableFinished);
      await turns();
      return { clock, body, leg, peer };
    }

    test('has no idleTimeout unless it is given one', async () => {
      const { clock, leg } = await established();
      clock.advance(24 * 3_600_000);
      expect(leg.state).toMatch(/established\.open$/);
    });

    test('idleTimeout: bytes in either direction count, and then it is reset', async () => {
      const { clock, leg, peer } = await established({ idleTimeout: 1_000 });
      const socket = leg.socket as Socket;
      socket.resume();
      clock.advance(1_000);
      peer.socket.write('a question');
      await until('it to be read', () => socket.bytesRead >= 10);
      clock.advance(1_000);
      socket.write('an answer');
      await until('it to be sent', () => socket.writableLength === 0);
      clock.advance(1_249);
      expect(leg.state).toMatch(/established\.open$/);
      clock.advance(1);
      expect(leg.state).not.toMatch(/established/);
      expect(await within(5_000, 'its end', leg.closed)).toMatchObject({
        ending: 'aborted',
        flushed: false,
        cause: { initiator: 'library', manner: 'timeout', phase: 'established', code: 'idleTimeout' },
      });
      peer.socket.resume();
      // A Unix socket has no reset.
      expect(await peer.ends()).toBe(over === 'Unix' ? 'end' : 'reset');
      expect(clock.pending).toBe(0);
    });

    test('a peer that has ended, and an owner that says nothing more: halfCloseTimeout takes its place', async () => {
      const { clock, leg, peer } = await established({ idleTimeout: 1_000, halfCloseTimeout: 4_000 });
      (leg.socket as Socket).resume();
      peer.socket.end();
      await until('its end to be seen', () => leg.state.endsWith('established.peerEnded'));
      clock.advance(4_000);
      expect(leg.state).toMatch(/established\.peerEnded$/);
      clock.advance(1_000);
      expect(await within(5_000, 'its end', leg.closed)).toMatchObject({
        ending: 'aborted',
        flushed: false,
        cause: { manner: 'timeout', phase: 'established', code: 'halfCloseTimeout' },
      });
      expect(clock.pending).toBe(0);
    });

    // Over TLS the record that says the end would meet the reset first, and take it for an end. A Unix socket has no reset.
    if (over !== 'Unix') {
      test('close() in the turn in which the peer resets is no flush', async () => {
        const { leg, peer } = await established();
        void leg.close();
        reset(peer.socket);
        expect(await within(5_000, 'its end', leg.closed)).toMatchObject({ ending: 'closed', flushed: false });
      });
    }

    test('close(), whose closeTimeout runs out: a silent peer', async () => {
      const { clock, body, leg, peer } = await ended((one) => one.close());
      clock.advance(10_000);
      expect(await within(5_000, 'its end', leg.closed)).toMatchObject({
        ending: 'closed',
        flushed: true,
        cause: { initiator: 'owner', manner: 'close' },
      });
      await getsAll(peer, body);
      expect(clock.pending).toBe(0);
    });

    test('close(), whose closeTimeout runs out: a peer that sends', async () => {
      const { clock, body, leg, peer } = await ended((one) => one.close());
      peer.socket.write('more');
      await until('what still comes to be read', () => (leg.socket as Socket).bytesRead > 0);
      clock.advance(10_000);
      expect(leg.state).toBe('lingering.reading');
      await letsGo(leg, peer.socket, clock);
      expect(await within(5_000, 'its end', leg.closed)).toMatchObject({ ending: 'closed', flushed: true });
      await getsAll(peer, body);
    });

    test('close() in a hurry', async () => {
      const { clock, body, leg, peer } = await ended((one) => one.close({ timeoutMs: 1 }));
      clock.advance(1);
      expect(leg.state).toBe('lingering.reading');
      await letsGo(leg, peer.socket, clock);
      expect(await within(5_000, 'its end', leg.closed)).toMatchObject({ ending: 'closed', flushed: true });
      await getsAll(peer, body);
    });

    test('end(), and the peer stays silent: halfCloseTimeout', async () => {
      const { clock, body, leg, peer } = await ended((one) => (one.socket as Socket).end());
      expect(leg.state).toMatch(/established\.localEnded$/);
      clock.advance(59_999);
      expect(leg.state).toMatch(/established\.localEnded$/);
      clock.advance(15_001);
      expect(leg.state).toBe('lingering.reading');
      await letsGo(leg, peer.socket, clock);
      expect(await within(5_000, 'its end', leg.closed)).toMatchObject({
        ending: 'aborted',
        flushed: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'established', code: 'halfCloseTimeout' },
      });
      await getsAll(peer, body);
      expect(clock.pending).toBe(0);
    });
  });

  describe('a backend offers only what is open for writing', () => {
    const CLOSED_BY_US = { code: 'ERR_NOT_ESTABLISHED', message: expect.stringContaining('has ended the connection') };

    /** Nothing is offered, whoever asks and however. */
    async function offersNothing(backend: Backend): Promise<void> {
      expect(backend.connection).toBeUndefined();
      expect(() => backend.hold()).toThrow(expect.objectContaining(CLOSED_BY_US));
      await expect(backend.ready()).rejects.toMatchObject(CLOSED_BY_US);
      await expect(backend.connect()).rejects.toMatchObject(CLOSED_BY_US);
    }

    test.each([true, false])('not after socket.end(): persistent is %s', async (persistent) => {
      const clock = new ManualClock();
      const { backend } = await madeBackend(over, { clock, persistent });
      const { socket } = await backend.connect();
      expect(backend.connection?.socket).toBe(socket);
      socket.write(bodyFor(over));
      socket.end();
      // At once, and also when the FIN is out.
      expect(backend.state).toBe('active.established.open');
      await offersNothing(backend);
      await until('the end to be sent', () => backend.state === 'active.established.localEnded');
      await offersNothing(backend);
      await backend.abort();
    });

    test('again, once the connection that was ended is lost', async () => {
      const clock = new ManualClock();
      const { backend } = await madeBackend(over, { clock, backoff: { initialMs: 10, jitter: 0 } });
      const { socket } = await backend.connect();
      socket.end();
      await offersNothing(backend);
      socket.destroy();
      const connecting = backend.connect();
      await until('the loss', () => backend.state !== 'active.established.open');
      clock.advance(10);
      const next = await within(5_000, 'another connection', connecting);
      expect(next).toMatchObject({ incarnation: 2, socket: { writable: true } });
      const hold = backend.hold();
      expect(hold.socket).toBe(next.socket);
      hold.release();
      await backend.abort();
    });

    test('not one that was destroyed, though its close has yet to come: ready() waits for the next', async () => {
      const clock = new ManualClock();
      const { backend } = await madeBackend(over, { clock, backoff: { initialMs: 10, jitter: 0 } });
      const { socket } = await backend.connect();
      socket.destroy();
      expect(backend.state).toBe('active.established.open');
      expect(backend.connection).toBeUndefined();
      expect(() => backend.hold()).toThrow(expect.objectContaining({ code: 'ERR_NOT_ESTABLISHED' }));
      const ready = backend.ready();
      await until('the loss', () => backend.state !== 'active.established.open');
      clock.advance(10);
      expect(await within(5_000, 'another connection', ready)).toMatchObject({ incarnation: 2 });
    });

    test('not one that its prepare hook has ended', async () => {
      const { backend } = await madeBackend(over, {
        clock: bench.clock,
        prepare: (socket: Socket) => void socket.end(),
      });
      await expect(within(5_000, 'an answer', backend.connect())).rejects.toMatchObject(CLOSED_BY_US);
      await offersNothing(backend);
      await backend.abort();
    });

    test('one conversation whose server has ended can still be written to', async () => {
      const { backend, server } = await madeBackend(over, { clock: bench.clock, persistent: false });
      const { socket } = await backend.connect();
      (await server.connection()).end();
      socket.resume();
      await until('the end to be seen', () => backend.state === 'active.established.peerEnded');
      expect(backend.connection?.socket).toBe(socket);
      expect((await backend.ready()).socket).toBe(socket);
      const hold = backend.hold();
      expect(hold.socket).toBe(socket);
      hold.release();
      await backend.abort();
    });

    test('idleTimeout of a persistent one is a drop, and it connects anew', async () => {
      const clock = new ManualClock();
      const { backend } = await madeBackend(over, { clock, idleTimeout: 1_000, backoff: { initialMs: 10, jitter: 0 } });
      const drops: unknown[] = [];
      backend.on('dropped', ({ incarnation, cause }) => drops.push([incarnation, cause.code]));
      await backend.connect();
      using hold = backend.hold();
      clock.advance(1_249);
      expect(hold.signal.aborted).toBe(false);
      clock.advance(1);
      // Held or not: its holder is told.
      expect(hold.signal.aborted).toBe(true);
      expect(drops).toEqual([[1, 'idleTimeout']]);
      hold.release();
      const ready = backend.ready();
      await until('the wait before the next attempt', () => {
        clock.advance(10);
        return backend.incarnation === 2;
      });
      expect(await within(5_000, 'another connection', ready)).toMatchObject({ incarnation: 2 });
      await backend.abort();
      expect(clock.pending).toBe(0);
    });
  });
});
