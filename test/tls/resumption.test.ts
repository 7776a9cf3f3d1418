/** TLS sessions that are resumed: towards servers, and by the clients of a listener. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { type Backend, type ListenTls, Servers, type ServerTls } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { BACKOFF, makers } from '../support/make.js';
import { CERTIFICATE, PeerServer } from '../support/peers.js';
import { within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeListener } = makers(bench);

const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

/** For example.com and *.example.com. */
const EXAMPLE = { key: fixture('example-key.pem'), cert: fixture('example-cert.pem') };
const TRUST = { ca: CERTIFICATE.cert };
/** What a server says that fails in its handshake: a fatal alert. */
const INTERNAL_ERROR = Buffer.from([0x15, 0x03, 0x03, 0, 2, 2, 80]);
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** A server that speaks first, so that its tickets are read; it says which of its connections resumed a session. */
async function serving(options: TlsOptions = {}) {
  const tls = createServer({ ...CERTIFICATE, ...options });
  const resumed: boolean[] = [];
  const peer = await bench.peer(
    new PeerServer(tls, (socket) => {
      resumed.push((socket as TLSSocket).isSessionReused());
      socket.on('data', () => socket.end());
      socket.write('hello');
    }),
  );
  return { tls, resumed, port: peer.port };
}

/** Connects, reads the greeting, and ends. Returns true where a session was resumed. */
async function converse(backend: Backend): Promise<boolean> {
  const { socket } = await within(3_000, 'a connection', backend.connect());
  const isReused = (socket as TLSSocket).isSessionReused();
  await once(socket, 'data');
  socket.end('bye');
  socket.resume();
  await backend.closed;
  return isReused;
}

type Sets = ConstructorParameters<typeof Servers>[0];

/** Conversations with the servers of one set, one after the other. */
function talkingTo(servers: Sets, clock: ManualClock | undefined = undefined) {
  const options = { clock: clock ?? bench.clock, balance: 'inOrder', backoff: BACKOFF } as const;
  const set = bench.keepSet(new Servers(servers, options));
  return async (times: number): Promise<boolean[]> => {
    const reused: boolean[] = [];
    for (let time = 0; time < times; time++) {
      const { backend } = makeBackend({ servers: set, persistent: false, ...(clock !== undefined && { clock }) });
      reused.push(await converse(backend));
    }
    return reused;
  };
}

describe.each(VERSIONS)('towards a server, %s', (version) => {
  const only: TlsOptions = { minVersion: version, maxVersion: version };

  test('the next connection resumes the session of the last', async () => {
    const { port, resumed } = await serving(only);
    expect(await talkingTo([{ port, tls: TRUST }])(3)).toEqual([false, true, true]);
    expect(resumed).toEqual([false, true, true]);
  });

  test('no connection does with `resume: false`', async () => {
    const { port } = await serving(only);
    expect(await talkingTo([{ port, tls: { ...TRUST, resume: false } }])(3)).toEqual([false, false, false]);
  });

  test('a server is never offered the session of another, nor one that was made with other options', async () => {
    // Each would take the other's sessions.
    const shared = { ...only, ticketKeys: Buffer.alloc(48, 7), sessionIdContext: 'one' };
    const [a, b] = [await serving(shared), await serving(shared)];
    const talk = talkingTo([
      { port: a.port, tls: TRUST },
      { port: b.port, tls: TRUST },
    ]);
    await talk(2);
    const closed = once(a.tls, 'close');
    a.tls.close();
    await closed;
    await talk(2);
    expect([a.resumed, b.resumed]).toEqual([
      [false, true],
      [false, true],
    ]);
    await talkingTo([{ port: b.port, tls: { ...TRUST, servername: 'localhost' } }])(1);
    expect(b.resumed).toEqual([false, true, false]);
  });

  test('a server that has forgotten it, and has another certificate, makes a full handshake, which is verified', async () => {
    const { port, tls } = await serving(only);
    const names: string[] = [];
    const checkServerIdentity: ServerTls['checkServerIdentity'] = (_name, { subject }) =>
      void names.push(String(subject.CN));
    const talk = talkingTo([{ port, tls: { ca: [CERTIFICATE.cert, EXAMPLE.cert], checkServerIdentity } }]);
    expect(await talk(2)).toEqual([false, true]);
    tls.setSecureContext({ ...EXAMPLE, ...only } as TlsOptions);
    expect(await talk(2)).toEqual([false, true]);
    expect(names).toEqual(['localhost', 'example.com']);
  });

  test('one whose new certificate cannot be trusted is refused', async () => {
    const { port, tls } = await serving(only);
    const talk = talkingTo([{ port, tls: TRUST }]);
    await talk(1);
    tls.setSecureContext({ ...EXAMPLE, ...only } as TlsOptions);
    await expect(talk(1)).rejects.toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
  });

  test.each([
    ['its authority', {}],
    ['its name', { ...TRUST, servername: 'example.com' }],
  ])('what a server says that was not verified is not kept: %s', async (_what, given) => {
    const { port } = await serving(only);
    const talk = talkingTo([{ port, tls: { ...given, rejectUnauthorized: false } }]);
    expect(await talk(3)).toEqual([false, false, false]);
  });

  test('an hour after the certificate was verified it is verified again', async () => {
    const { port } = await serving({ ...only, sessionTimeout: 86_400 });
    const clock = new ManualClock();
    const talk = talkingTo([{ port, tls: TRUST }], clock);
    expect(await talk(1)).toEqual([false]);
    await clock.advance(1_800_000);
    expect(await talk(1)).toEqual([true]);
    // The session that this one brought is as old.
    await clock.advance(1_800_000);
    expect(await talk(2)).toEqual([false, true]);
  });

  test('a server that fails at it gets none for an hour', async () => {
    const { port } = await serving({ ...only, sessionTimeout: 86_400 });
    let refused = 0;
    let shortest = Number.POSITIVE_INFINITY;
    const front = await bench.server((socket) => {
      socket.once('data', (hello: Buffer) => {
        shortest = Math.min(shortest, hello.length);
        // A session makes the hello longer.
        if (hello.length > shortest + 100) {
          refused++;
          socket.end(INTERNAL_ERROR);
          return;
        }
        const inner = bench.own(connect(port, '127.0.0.1'));
        inner.write(hello);
        socket.pipe(inner).pipe(socket);
      });
    });
    const clock = new ManualClock();
    const set = new Servers([{ port: front.port, tls: TRUST }], { clock, backoff: BACKOFF });
    const talk = async (): Promise<void> => {
      const { backend } = makeBackend({ servers: set, persistent: false, clock });
      backend.on('retry', () => setImmediate(() => clock.advance(100)));
      expect(await converse(backend)).toBe(false);
    };
    for (const seen of [0, 1, 1, 1]) {
      await talk();
      expect(refused).toBe(seen);
    }
    await clock.advance(3_600_000);
    // One brings a session again, and the next is offered that.
    for (const seen of [1, 2]) {
      await talk();
      expect(refused).toBe(seen);
    }
  });
});

interface Dial {
  readonly session?: Buffer | undefined;
  readonly version?: (typeof VERSIONS)[number];
  readonly servername?: string;
}

/** A listener that greets its clients, and how to connect to it: whether a session was resumed, and the next one. */
async function greeting(tls: ListenTls, clock = new ManualClock()) {
  const listener = makeListener({ tls, clock });
  listener.on('client', ({ socket }) => {
    socket.write('hello');
    socket.resume();
    socket.on('end', () => socket.end());
  });
  const at = (await listener.start()) as { port: number };
  const dial = async ({ session, version = 'TLSv1.2', servername = 'localhost' }: Dial = {}) => {
    const versions = { minVersion: version, maxVersion: version };
    const socket = bench.own(
      tlsConnect({ port: at.port, ...versions, servername, rejectUnauthorized: false, ...(session && { session }) }),
    );
    let next: Buffer | undefined;
    socket.on('session', (given) => {
      next = given;
    });
    await within(3_000, 'the greeting', once(socket, 'data'));
    const isReused = socket.isSessionReused();
    socket.end();
    await once(socket.resume(), 'close');
    return { isReused, session: next ?? session };
  };
  return { listener, clock, dial };
}

describe('a listener with a session cache', () => {
  const CACHE = { ...CERTIFICATE, sessionCacheMax: 2 };

  test('a client of TLS 1.2 resumes its session, with no ticket; one of TLS 1.3 makes a full handshake', async () => {
    const { dial } = await greeting(CACHE);
    const { session } = await dial();
    expect(session).toBeDefined();
    for (let time = 0; time < 2; time++) expect(await dial({ session })).toMatchObject({ isReused: true });
    const newer = await dial({ version: 'TLSv1.3' });
    expect(await dial({ version: 'TLSv1.3', session: newer.session })).toMatchObject({ isReused: false });
    // Sessions that no client can resume have not taken the place of this one.
    expect(await dial({ session })).toMatchObject({ isReused: true });
  });

  test('a session of a ticket is not resumed', async () => {
    const [withTickets, withCache] = [await greeting(CERTIFICATE), await greeting(CACHE)];
    const { session } = await withTickets.dial();
    expect(await withTickets.dial({ session })).toMatchObject({ isReused: true });
    expect(await withCache.dial({ session })).toMatchObject({ isReused: false });
  });

  test('the one that was not used for longest goes first', async () => {
    const { dial } = await greeting(CACHE);
    const first = await dial();
    const second = await dial();
    expect(await dial({ session: first.session })).toMatchObject({ isReused: true });
    await dial();
    expect(await dial({ session: second.session })).toMatchObject({ isReused: false });
  });

  test.each([
    [undefined, 300],
    [60, 60],
  ])('sessionTimeout %s: each may be resumed for %i seconds', async (sessionTimeout, seconds) => {
    const { dial, clock } = await greeting({ ...CACHE, ...(sessionTimeout !== undefined && { sessionTimeout }) });
    const { session } = await dial();
    await clock.advance(seconds * 1_000 - 1);
    expect(await dial({ session })).toMatchObject({ isReused: true });
    await clock.advance(1);
    expect(await dial({ session })).toMatchObject({ isReused: false });
  });

  test('renewTls: no session of before is resumed, those that follow are', async () => {
    const { listener, dial } = await greeting(CACHE);
    const before = await dial();
    listener.renewTls(EXAMPLE);
    expect(await dial({ session: before.session })).toMatchObject({ isReused: false });
    const after = await dial();
    expect(await dial({ session: after.session })).toMatchObject({ isReused: true });
    expect(() => listener.renewTls({ sessionCacheMax: 3 })).toThrow(
      expect.objectContaining({ option: 'tls.sessionCacheMax' }),
    );
  });

  test('with certificates by name', async () => {
    const { dial } = await greeting({ ...CACHE, names: { 'example.com': EXAMPLE } });
    const { session } = await dial({ servername: 'example.com' });
    expect(await dial({ servername: 'example.com', session })).toMatchObject({ isReused: true });
  });

  test.each([
    [0, {}],
    [1.5, {}],
    ['9', {}],
    [Number.POSITIVE_INFINITY, {}],
    [2, { requestCert: true, ca: CERTIFICATE.cert }],
    [2, { ticketKeys: Buffer.alloc(48) }],
  ])('%s is refused with %j', (sessionCacheMax, beside) => {
    const tls = { ...CERTIFICATE, ...beside, sessionCacheMax } as ListenTls;
    expect(() => makeListener({ port: 0, tls })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', option: 'tls.sessionCacheMax' }),
    );
  });

  test.each(VERSIONS)('without one, a client that is verified resumes nothing, %s', async (version) => {
    const { dial } = await greeting({ ...CERTIFICATE, requestCert: true, rejectUnauthorized: false, ca: EXAMPLE.cert });
    const { session } = await dial({ version });
    expect(await dial({ version, session })).toMatchObject({ isReused: false });
  });
});
