/** Clients over streams that are no sockets: adopted ones, and those that an `admit` hook puts over a socket. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { adoptClient, type Client, type ClientOptions, createSession, type Outcome } from '../../src/index.js';
import { isOwned } from '../../src/sockets/socket.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { Flipped, flip, textOf, usePairs } from '../support/streams.js';
import { gate, turns, until, within } from '../support/wait.js';

const bench = useBench();
const pairs = usePairs(bench);
const { makeListener, makeProxy, makeBackend } = makers(bench);

const established = (client: Client): Promise<Client> =>
  within(3_000, 'the admission', new Promise((resolve) => client.once('established', resolve)));

describe('a stream in memory that is adopted', () => {
  async function adopted(options: ClientOptions = {}) {
    const [ours, theirs] = pairs.make();
    const client = bench.keep(adoptClient(ours as Socket, { clock: bench.clock, ...options }));
    await established(client);
    return { client, ours, theirs };
  }

  test('both sides end', async () => {
    const { client, ours, theirs } = await adopted();
    expect(client.peer).toBeUndefined();
    theirs.end('question');
    expect(await textOf(ours)).toBe('question');
    expect(client.state).toBe('live.established.peerEnded');
    ours.end('answer');
    expect(await textOf(theirs)).toBe('answer');
    expect(await within(3_000, 'the end', client.closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('an abort is told to be a cut, and a refusal as well', async () => {
    const { client, theirs } = await adopted();
    const outcome = await within(3_000, 'the abort', client.abort());
    expect(outcome).toMatchObject({ ending: 'aborted', truncated: true });
    await until('the peer to know', () => theirs.destroyed);
    expect(theirs.errored).toMatchObject({ code: 'ECONNRESET' });

    const [ours] = pairs.make();
    const refused = bench.keep(adoptClient(ours as Socket, { clock: bench.clock, admit: () => false }));
    expect(await within(3_000, 'the end', refused.closed)).toMatchObject({ ending: 'refused', truncated: true });
  });

  test('its loss is a drop', async () => {
    const { client, theirs } = await adopted();
    theirs.destroy(new Error('gone'));
    expect(await within(3_000, 'the drop', client.closed)).toMatchObject({
      ending: 'dropped',
      cause: { initiator: 'peer', manner: 'reset' },
    });
  });

  test('a close lingers until the peer is silent', async () => {
    const clock = new ManualClock();
    const { client, ours, theirs } = await adopted({ clock, closeTimeout: 500, lingerTimeout: 1_000 });
    const got = textOf(theirs);
    ours.write('all');
    const closed = client.close();
    expect(await got).toBe('all');
    clock.advance(500);
    expect(client.state).toBe('lingering.reading');
    theirs.write('still here');
    await turns(3);
    clock.advance(1_000);
    expect(client.state).toBe('lingering.reading');
    clock.advance(1_000);
    expect(await within(3_000, 'the end', closed)).toMatchObject({ ending: 'closed', flushed: true });
  });

  test('whose close stays away is left to itself after abortTimeout', async () => {
    const clock = new ManualClock();
    const { client, ours } = await adopted({ clock, abortTimeout: 500 });
    const held = gate();
    const destroy = ours._destroy.bind(ours);
    ours._destroy = (error, done) => void held.promise.then(() => destroy(error, done));
    const aborted = client.abort();
    clock.advance(499);
    expect([client.state, isOwned(ours as Socket)]).toEqual(['aborting', true]);
    clock.advance(1);
    expect(await within(3_000, 'the end', aborted)).toMatchObject({ ending: 'aborted' });
    expect(isOwned(ours as Socket)).toBe(false);
    held.open();
    await within(3_000, 'the close', new Promise((resolve) => ours.once('close', resolve)));
  });

  test('is refused in object mode', () => {
    const stream = pairs.count(new PassThrough({ objectMode: true }));
    expect(() => adoptClient(stream as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', option: 'socket' }),
    );
    expect(stream.destroyed).toBe(false);
    stream.destroy();
  });

  test('a session joins it to another one, and each reset passes', async () => {
    const { client, theirs } = await adopted();
    const [far, server] = pairs.make();
    const session = bench.keep(createSession(client, { to: far, clock: bench.clock }));
    const body = Buffer.alloc(2 ** 21, 'b');
    theirs.write(body);
    server.write(body);
    const readers = [new Reader(theirs as Socket, { keep: false }), new Reader(server as Socket, { keep: false })];
    for (const reader of readers) await reader.has(body.length);
    server.destroy(new Error('broken'));
    expect(await readers[0]?.ends()).toBe('reset');
    expect(await within(3_000, 'the end', session.closed)).toMatchObject({
      ending: 'dropped',
      cause: { leg: 'backend' },
    });
  });
});

describe('a stream that admit returns', () => {
  /** A listener whose clients speak the flipped protocol. */
  async function listening(careless: boolean, options: object = {}) {
    const clients: Client[] = [];
    let below: Socket | undefined;
    const listener = makeListener({
      admit({ socket }) {
        below = socket;
        return pairs.count(new Flipped(socket, { careless }));
      },
      ...options,
    });
    listener.on('client', (client) => clients.push(client));
    const at = (await listener.start()) as { host: string; port: number };
    const peer = bench.own(connect({ ...at, allowHalfOpen: true }));
    await until('the client', () => clients.length === 1);
    return { client: clients[0] as Client, below: below as Socket, peer, listener };
  }

  describe.each([false, true])('careless: %s', (careless) => {
    test('is what users see, and ends when both sides have', async () => {
      const { client, below, peer } = await listening(careless);
      expect(client.socket).toBeInstanceOf(Flipped);
      expect(client.peer?.port).toBe(peer.localPort);
      const reader = new Reader(peer);
      peer.end(flip(Buffer.from('question')));
      expect(await textOf(client.socket)).toBe('question');
      client.socket.end('answer');
      expect(await within(3_000, 'the end', client.closed)).toMatchObject({ ending: 'ended', flushed: true });
      expect(await reader.ends()).toBe('end');
      expect(flip(Buffer.from(reader.text, 'latin1')).toString()).toBe('answer');
      expect(below.destroyed).toBe(true);
    });

    test('is reset by an abort, as the socket is', async () => {
      const { client, peer } = await listening(careless);
      const reader = new Reader(peer);
      expect((await within(3_000, 'the abort', client.abort())).truncated).toBeUndefined();
      expect(await reader.ends()).toBe('reset');
      await pairs.allClosed();
    });

    test('is lost with its socket', async () => {
      const { client, peer } = await listening(careless);
      client.socket.resume();
      peer.resetAndDestroy();
      expect(await within(3_000, 'the drop', client.closed)).toMatchObject({
        ending: 'dropped',
        cause: { initiator: 'peer', manner: 'reset' },
      });
      await pairs.allClosed();
    });
  });

  test('a proxy relays it, 2 MB both ways', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({
      servers: [{ port: server.port }],
      admit: async ({ socket }) => pairs.count(new Flipped(socket)),
    });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect({ ...at, allowHalfOpen: true }));
    const reader = new Reader(client);
    const body = Buffer.alloc(2 ** 21, 'b');
    client.end(body);
    expect(await reader.ends()).toBe('end');
    expect(Buffer.from(reader.text, 'latin1').equals(body)).toBe(true);
    expect(await within(3_000, 'the end', closed)).toMatchObject({ ending: 'ended', flushed: true });
  });

  test('a client that is refused leaves nothing', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({
      servers: [{ port: server.port }],
      admit: () => pairs.count(new PassThrough({ objectMode: true })),
    });
    const over = new Promise<Outcome>((resolve) => proxy.once('clientClosed', ({ outcome }) => resolve(outcome)));
    const reader = new Reader(bench.own(connect(at)));
    expect(await reader.ends()).toBe('reset');
    const outcome = await within(3_000, 'the end', over);
    expect(outcome).toMatchObject({ ending: 'refused', cause: { initiator: 'owner', phase: 'accepted' } });
    expect((outcome.cause.error as Error).message).toContain('object mode');
  });

  test('one that comes too late is closed', async () => {
    const asked = gate<Duplex>();
    const sockets: Socket[] = [];
    const listener = makeListener({
      acceptTimeout: 50,
      admit({ socket }) {
        sockets.push(socket);
        return asked.promise;
      },
    });
    const at = (await listener.start()) as { host: string; port: number };
    const reader = new Reader(bench.own(connect(at)));
    expect(await reader.ends()).toBe('reset');
    const late = pairs.count(new Flipped(sockets[0] as Socket, { careless: true }));
    asked.open(late);
    await pairs.allClosed();
  });

  test('no backend may take it over', async () => {
    const { client, peer } = await listening(false);
    const { backend } = makeBackend({
      persistent: false,
      attemptsMax: 1,
      servers: [{ port: 1, connect: () => client.socket }],
    });
    await expect(backend.connect()).rejects.toThrow('not in use');
    peer.write(flip(Buffer.from('still here')));
    client.socket.resume();
    expect(String((await once(client.socket, 'data'))[0])).toBe('still here');
  });
});
