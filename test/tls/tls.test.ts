/** TLS on both sides: a handshake is a part of admission or of a connect, and a cut is a reset of the socket below. */
import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import {
  type ConnectionOptions,
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
  TLSSocket as TlsSocket,
  connect as tlsConnect,
} from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  type Cause,
  type Client,
  createListener,
  createProxy,
  type ListenTls,
  type Outcome,
  Servers,
} from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { CERTIFICATE, echo, firstFlight, PeerServer, Reader, send } from '../support/peers.js';
import { how, times } from '../support/record.js';
import { until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeListener, makeProxy } = makers(bench);

const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

/** For example.com and *.example.com. */
const EXAMPLE = { key: fixture('example-key.pem'), cert: fixture('example-cert.pem') };
const TRUST = { ca: CERTIFICATE.cert };

type DialOptions = ConnectionOptions;
interface At {
  readonly host: string;
  readonly port: number;
}

/** Begins a handshake; what becomes of it is the test's. */
function shake(at: At, options: DialOptions = {}): TLSSocket {
  const socket = tlsConnect({ ...at, ...TRUST, allowHalfOpen: true, ...options } as DialOptions);
  socket.on('error', () => {});
  bench.own(socket);
  return socket;
}

async function dial(at: At, options?: DialOptions): Promise<TLSSocket> {
  const socket = shake(at, options);
  await within(3_000, 'a handshake', once(socket, 'secureConnect'));
  return socket;
}

/** How the life of a listener's next client ends. */
const clientEnd = (listener: ReturnType<typeof makeListener>): Promise<Outcome> =>
  within(
    3_000,
    'the end of a client',
    new Promise((resolve) => listener.once('clientClosed', ({ outcome }) => resolve(outcome))),
  );

async function listening(tls: ListenTls, options: object = {}) {
  const listener = makeListener({ tls, ...options });
  const clients: Client[] = [];
  listener.on('client', (client) => {
    clients.push(client);
    client.socket.on('data', (chunk: Buffer) => client.socket.write(chunk));
    client.socket.on('end', () => client.socket.end());
  });
  const at = (await listener.start()) as At;
  return { listener, clients, at };
}

/** A server that speaks TLS in its own way. */
const tlsPeer = (options: TlsOptions, handler: (socket: Socket) => void = echo): Promise<PeerServer> =>
  bench.peer(
    new PeerServer(createTlsServer({ ...CERTIFICATE, allowHalfOpen: true, ...options } as TlsOptions), handler),
  );

const rawOf = (socket: Socket): Socket => (socket as unknown as { _parent: Socket })._parent;

describe('a listener', () => {
  test('shakes hands, and the client is a TLS socket that ends like any other', async () => {
    const { listener, clients, at } = await listening(CERTIFICATE);
    const end = clientEnd(listener);
    const socket = await dial(at);
    const answer = new Reader(socket);
    socket.end('there and back');
    expect(await answer.ends()).toBe('end');
    expect(answer.text).toBe('there and back');
    expect(how(await end)).toBe('ended peer/end/established');
    expect(((clients[0] as Client).socket as TLSSocket).encrypted).toBe(true);
  });

  test('half close passes: the client has ended, and still gets what comes', async () => {
    const listener = makeListener({ tls: CERTIFICATE });
    const admitted = new Promise<Client>((resolve) => listener.once('client', resolve));
    const socket = await dial((await listener.start()) as At);
    const client = await admitted;
    client.socket.resume();
    const answer = new Reader(socket);
    socket.end();
    await until('its end', () => client.matches('live.established.peerEnded'));
    client.socket.end('late');
    expect(await answer.ends()).toBe('end');
    expect(answer.text).toBe('late');
    expect(how(await client.closed)).toBe('ended peer/end/established');
  });

  test.each([
    ['example.com', 'example.com'],
    ['www.example.com', 'example.com'],
    ['WWW.Example.com', 'example.com'],
    ['example.com.', 'example.com'],
    ['a.b.example.com', 'localhost'],
    ['localhost', 'localhost'],
    [undefined, 'localhost'],
  ])('asked for %s gives the certificate of %s', async (servername, subject) => {
    const names = { 'Example.com': EXAMPLE, '*.example.com': EXAMPLE };
    const { at } = await listening({ ...CERTIFICATE, names });
    const socket = await dial(at, { rejectUnauthorized: false, ...(servername !== undefined && { servername }) });
    expect(socket.getPeerCertificate().subject.CN).toBe(subject);
  });

  test('with certificates for names only refuses whoever asks for another', async () => {
    const { listener, at } = await listening({ names: { 'example.com': EXAMPLE } });
    const end = clientEnd(listener);
    shake(at, { rejectUnauthorized: false, servername: 'localhost' });
    expect(how(await end)).toMatch(/^refused peer\/error\/accepted\/ERR_SSL_/);
    const socket = await dial(at, { ca: EXAMPLE.cert, servername: 'example.com' });
    expect(socket.authorized).toBe(true);
  });

  test('chooses a protocol by ALPN, and refuses a client that has none of its own', async () => {
    const { listener, clients, at } = await listening({ ...CERTIFICATE, ALPNProtocols: ['h2', 'http/1.1'] });
    const socket = await dial(at, { ALPNProtocols: ['http/1.1', 'h2'] });
    expect(socket.alpnProtocol).toBe('h2');
    await until('the client', () => clients.length === 1);
    expect(((clients[0] as Client).socket as TLSSocket).alpnProtocol).toBe('h2');
    const end = clientEnd(listener);
    shake(at, { ALPNProtocols: ['spdy'] });
    expect(how(await end)).toMatch(/^refused peer\/error\/accepted\/ERR_SSL_NO_APPLICATION_PROTOCOL/);
  });

  test('takes a new certificate for those who come, and leaves the others alone', async () => {
    const { listener, at } = await listening(CERTIFICATE);
    const before = await dial(at);
    listener.renewTls(EXAMPLE);
    const after = await dial(at, { ca: EXAMPLE.cert, servername: 'www.example.com' });
    expect(after.getPeerCertificate().subject.CN).toBe('example.com');
    const answer = new Reader(before);
    before.end('still here');
    expect(await answer.ends()).toBe('end');
    expect(answer.text).toBe('still here');
    // What cannot be right changes nothing.
    expect(() => listener.renewTls({ key: EXAMPLE.key, cert: CERTIFICATE.cert })).toThrow(/"tls" must be what OpenSSL/);
    expect((await dial(at, { rejectUnauthorized: false })).getPeerCertificate().subject.CN).toBe('example.com');
    expect(() => listener.renewTls({ ...EXAMPLE, ca: EXAMPLE.cert, requestCert: true })).toThrow(
      expect.objectContaining({ option: 'tls.requestCert' }),
    );
    const plain = makeListener();
    expect(() => plain.renewTls(EXAMPLE)).toThrow(expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' }));
  });

  test('keeps what a renewal leaves out: names, versions, who is let in', async () => {
    const { listener, at } = await listening({
      ...CERTIFICATE,
      names: { 'example.com': EXAMPLE },
      maxVersion: 'TLSv1.2',
      ALPNProtocols: ['a'],
    });
    listener.renewTls(EXAMPLE);
    const options = { rejectUnauthorized: false, ALPNProtocols: ['a'] };
    const socket = await dial(at, options);
    expect(socket.getPeerCertificate().subject.CN).toBe('example.com');
    expect(socket.getProtocol()).toBe('TLSv1.2');
    listener.renewTls({ names: { 'example.com': CERTIFICATE } });
    const named = await dial(at, { ...options, servername: 'example.com' });
    expect(named.getPeerCertificate().subject.CN).toBe('localhost');
    listener.renewTls({ names: {}, maxVersion: 'TLSv1.3' });
    const last = await dial(at, { ...options, servername: 'example.com' });
    expect(last.getPeerCertificate().subject.CN).toBe('example.com');
    expect(last.getProtocol()).toBe('TLSv1.3');
  });

  test('that asks for certificates still does after a renewal that says nothing of it', async () => {
    const { listener, at } = await listening({ ...CERTIFICATE, ca: EXAMPLE.cert, requestCert: true });
    listener.renewTls(EXAMPLE);
    const end = clientEnd(listener);
    shake(at, { rejectUnauthorized: false });
    expect((await end).ending).toBe('refused');
    await dial(at, { ...EXAMPLE, rejectUnauthorized: false });
    await until('the client', () => listener.clients.size === 1);
  });

  describe('that asks for certificates', () => {
    const mutual = { ...CERTIFICATE, ca: EXAMPLE.cert, requestCert: true };

    test('lets in who has one', async () => {
      const { clients, at } = await listening(mutual);
      await dial(at, EXAMPLE);
      await until('the client', () => clients.length === 1);
      const socket = (clients[0] as Client).socket as TLSSocket;
      expect(socket.authorized).toBe(true);
      expect(socket.getPeerCertificate().subject.CN).toBe('example.com');
    });

    test.each([
      ['TLSv1.2', undefined, 'UNABLE_TO_GET_ISSUER_CERT'],
      ['TLSv1.3', undefined, 'UNABLE_TO_GET_ISSUER_CERT'],
      ['TLSv1.3', CERTIFICATE, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ] as const)('refuses over %s who has none that it trusts', async (version, own, code) => {
      const { listener, clients, at } = await listening(mutual);
      const end = clientEnd(listener);
      shake(at, { minVersion: version, maxVersion: version, ...own });
      const outcome = await end;
      expect(outcome.ending).toBe('refused');
      expect([`library/${code}`, `peer/ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE`]).toContain(
        `${outcome.cause.initiator}/${outcome.cause.code}`,
      );
      expect(clients).toEqual([]);
    });

    // Over TLS 1.3 a session is a ticket that comes later, over TLS 1.2 it is there with the handshake.
    test.each(['TLSv1.2', 'TLSv1.3'] as const)(
      'asks under every name, and over %s resumes no session',
      async (version) => {
        const tls = { ...mutual, names: { 'example.com': EXAMPLE }, rejectUnauthorized: false };
        const { clients, at } = await listening(tls);
        const asked = {
          rejectUnauthorized: false,
          servername: 'example.com',
          minVersion: version,
          maxVersion: version,
        };
        const first = shake(at, { ...EXAMPLE, ...asked });
        let session: Buffer | undefined;
        first.on('session', (given: Buffer) => {
          session = given;
        });
        const answer = new Reader(first);
        first.write('after any ticket');
        await answer.has(16);
        const second = await dial(at, { ...asked, ...(session !== undefined && { session }) });
        await until('both clients', () => clients.length === 2);
        expect(second.isSessionReused()).toBe(false);
        expect(clients.map(({ socket }) => (socket as TLSSocket).authorized)).toEqual([true, false]);
      },
    );

    test('and is told not to refuse lets the admission decide', async () => {
      const { listener, at } = await listening(
        { ...mutual, rejectUnauthorized: false },
        { admit: ({ socket }: Client) => (socket as TLSSocket).authorized },
      );
      const end = clientEnd(listener);
      shake(at);
      expect(how(await end)).toBe('refused owner/refusal/accepted');
      const socket = await dial(at, EXAMPLE);
      const answer = new Reader(socket);
      socket.end('in');
      await answer.ends();
      expect(answer.text).toBe('in');
    });
  });

  describe('a client that fails the handshake is refused', () => {
    test.each<[string, (at: At) => unknown, RegExp]>([
      [
        'it speaks no TLS',
        (at) =>
          connect(at.port, at.host)
            .on('error', () => {})
            .end('GET / HTTP/1.1\r\n\r\n'),
        /^refused peer\/error\/accepted\/ERR_SSL_/,
      ],
      [
        'it resets in the middle',
        (at) => {
          const socket = connect(at.port, at.host, () => socket.resetAndDestroy());
        },
        /^refused peer\/reset\/accepted\/ECONNRESET$/,
      ],
      [
        'it ends in the middle',
        (at) =>
          connect(at.port, at.host)
            .on('error', () => {})
            .end(),
        /^refused peer\/reset\/accepted\/ECONNRESET$/,
      ],
      [
        'it does not trust the certificate, over TLS 1.3',
        (at) => shake(at, { ca: EXAMPLE.cert }),
        /^refused peer\/(reset|error)\/accepted\/(ECONNRESET|ERR_SSL_\w+)$/,
      ],
      [
        'it speaks an old version',
        (at) => shake(at, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
        /^refused peer\/error\/accepted\/ERR_SSL_/,
      ],
    ])('%s', async (_what, fail, expected) => {
      const { listener, clients, at } = await listening(CERTIFICATE);
      const end = clientEnd(listener);
      fail(at);
      expect(how(await end)).toMatch(expected);
      expect(clients).toEqual([]);
      expect(listener.clients.size).toBe(0);
    });

    test('it says nothing: after acceptTimeout, and counts until then', async () => {
      const { listener, at } = await listening(CERTIFICATE, { acceptTimeout: 80, clientsMax: 1 });
      const end = clientEnd(listener);
      const silent = bench.own(connect(at.port, at.host));
      const heard = new Reader(silent);
      await until('the client', () => listener.clients.size === 1);
      const second = new Reader(bench.own(connect(at.port, at.host)));
      expect(await second.ends()).toBe('reset');
      expect(listener.refused).toBe(1);
      expect(how(await end)).toBe('refused library/timeout/accepted/acceptTimeout');
      expect(await heard.ends()).toBe('reset');
    });

    test.each(['close', 'abort'] as const)('%s while it shakes hands', async (method) => {
      const { listener, at } = await listening(CERTIFICATE);
      const silent = new Reader(bench.own(connect(at.port, at.host)));
      await until('the client', () => listener.clients.size === 1);
      const [client] = [...listener.clients] as [Client];
      const closing = client[method]();
      if (method === 'close') silent.socket.end();
      const outcome = await closing;
      expect(outcome.ending).toBe(method === 'close' ? 'closed' : 'aborted');
      await silent.ends();
    });
  });

  // The last record of the handshake and one that nobody can read come in one piece, when nobody wants the socket any more.
  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a bad record after the handshake of a client that was closed, over %s',
    async (version) => {
      const { listener, clients, at } = await listening(CERTIFICATE);
      const raw = bench.own(connect({ ...at, allowHalfOpen: true }));
      const { wire, flights } = firstFlight(raw);
      const socket = tlsConnect({
        socket: wire,
        ...TRUST,
        servername: 'localhost',
        minVersion: version,
        maxVersion: version,
      });
      socket.on('error', () => {});
      await until('the second flight', () => flights.length > 1);
      const [client] = [...listener.clients] as [Client];
      const closed = client.close();
      raw.write(Buffer.concat([...flights.slice(1), Buffer.from('1703030005aaaaaaaaaa', 'hex')]));
      expect(how(await within(3_000, 'the close', closed))).toBe('closed owner/close/accepted');
      expect(clients).toEqual([]);
      socket.destroy();
    },
  );

  test('an abort is a reset, and nobody can take it for an end', async () => {
    const { clients, at } = await listening(CERTIFICATE);
    const socket = await dial(at);
    const reader = new Reader(socket);
    await until('the client', () => clients.length === 1);
    const outcome = await (clients[0] as Client).abort();
    expect(how(outcome)).toBe('aborted owner/abort/established');
    expect(outcome.truncated).toBeUndefined();
    expect(await reader.ends()).toBe('reset');
  });

  test('a bad record after the handshake is a drop, and the socket does not live on', async () => {
    const { clients, at } = await listening(CERTIFICATE);
    const raw = bench.own(connect(at.port, at.host));
    const socket = tlsConnect({ socket: raw, ...TRUST, servername: 'localhost' });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    await until('the client', () => clients.length === 1);
    raw.write(Buffer.from('1703030005aaaaaaaaaa', 'hex'));
    const outcome = await within(3_000, 'the drop', (clients[0] as Client).closed);
    expect(how(outcome)).toMatch(/^dropped peer\/error\/established\/ERR_SSL_/);
    socket.destroy();
  });

  test('a TLS server that was given does not keep who says nothing', async () => {
    const server = createTlsServer({ ...CERTIFICATE, handshakeTimeout: 50 });
    const listener = makeListener({ ...LOOPBACK, server });
    const at = (await listener.start()) as At;
    const silent = new Reader(bench.own(connect(at.port, at.host)));
    expect(await silent.ends()).toBe('end');
    // Who fails is still told why.
    const failed = once(
      shake(at, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      'error',
    );
    await expect(failed.catch((error) => error)).resolves.toMatchObject([{ code: expect.stringMatching(/^ERR_SSL_/) }]);
    await listener.abort();
    expect(server.listenerCount('tlsClientError')).toBe(0);
  });

  test('a TLS server that was given can be reset as well', async () => {
    const listener = makeListener({
      ...LOOPBACK,
      server: createTlsServer({ ...CERTIFICATE, allowHalfOpen: true } as TlsOptions),
    });
    const admitted = new Promise<Client>((resolve) => listener.once('client', resolve));
    const at = (await listener.start()) as At;
    const reader = new Reader(await dial(at));
    const client = await admitted;
    client.socket.resume();
    expect((await client.abort()).truncated).toBeUndefined();
    expect(await reader.ends()).toBe('reset');
  });

  test('of a TLS server that was given, no handshake outlives the listener', async () => {
    const server = createTlsServer({ ...CERTIFICATE, allowHalfOpen: true } as TlsOptions);
    const listener = makeListener({ ...LOOPBACK, server });
    const arrived = once(server, 'connection');
    const raw = await bench.dial((await listener.start()) as At);
    await arrived;
    const gone = once(raw.resume(), 'end');
    await listener.close();
    await within(3_000, 'the end of one that has not shaken hands', gone);
  });
});

describe('the FIN of a handshake that the client has ended is on its way', () => {
  /** Calls `act` as soon as a TLS socket has asked the system for its FIN: the system sends it in the next turn. */
  function onTlsEnd(act: () => unknown): void {
    const { _final } = Socket.prototype;
    bench.later(() => Object.assign(Socket.prototype, { _final }));
    Object.assign(Socket.prototype, {
      _final(this: Socket, done: (error?: Error | null) => void) {
        _final.call(this, done);
        if ('encrypted' in this) act();
      },
    });
  }

  // The system refuses to reset such a socket, and nothing can close it then: it would hold the process for ever.
  test.each(['the listener speaks TLS', 'a TLS server was given'])('%s: an abort closes the socket', async (kind) => {
    const isGiven = kind === 'a TLS server was given';
    const listener = makeListener({
      ...LOOPBACK,
      ...(isGiven ? { server: createTlsServer(CERTIFICATE) } : { tls: CERTIFICATE }),
    });
    const at = (await listener.start()) as At;
    const aborted = new Promise<Outcome>((resolve) => onTlsEnd(() => resolve(listener.abort())));
    const reader = new Reader(await bench.dial(at));
    reader.socket.end();
    expect(how(await within(3_000, 'the abort', aborted))).toMatch(/^aborted owner\/abort/);
    await reader.over;
  });
});

describe('towards a server', () => {
  test('a certificate is verified, by name and by address', async () => {
    const server = await tlsPeer({});
    for (const tls of [TRUST, { ...TRUST, servername: 'localhost' }]) {
      const { backend } = makeBackend({ servers: [{ ...(server.at as At), tls }] });
      const { socket } = await backend.connect();
      expect((socket as TLSSocket).authorized).toBe(true);
      const reader = new Reader(socket);
      socket.write('hello');
      await reader.has(5);
      expect(how(await backend.close())).toBe('closed owner/close/established');
    }
    await server.left();
  });

  test.each([
    ['nobody has signed', true, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['is for another name', { ...TRUST, servername: 'example.com' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['somebody else has signed', { ca: EXAMPLE.cert }, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ])('one that %s excludes the server, and is tried once', async (_what, tls, code) => {
    const server = await tlsPeer({});
    const { backend, seen } = makeBackend({ servers: [{ ...(server.at as At), tls }], whenExhausted: 'wait' });
    await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(seen).toEqual([`exhausted system/error/connecting/${code}`]);
    expect(backend.servers.list[0]?.excluded).toMatchObject({ code });
  });

  describe('one that has expired excludes the server until', () => {
    const EXPIRED = { key: CERTIFICATE.key, cert: fixture('expired-cert.pem') };

    /** A server whose certificate has expired, and how often it was dialled. */
    async function expired() {
      const server = await tlsPeer(EXPIRED);
      let dialled = 0;
      server.server.on('connection', () => dialled++);
      const tls = { ca: [EXPIRED.cert, CERTIFICATE.cert] };
      return {
        servers: [{ ...(server.at as At), tls }],
        dialled: () => dialled,
        renew: () => (server.server as TlsServer).setSecureContext(CERTIFICATE),
      };
    }

    test('it is renewed, and connect() of a backend that is exhausted tries again', async () => {
      const { servers, dialled, renew } = await expired();
      const { backend, seen } = makeBackend({ servers, whenExhausted: 'wait' });
      for (const times of [1, 2]) {
        await expect(backend.connect()).rejects.toMatchObject({ cause: { code: 'CERT_HAS_EXPIRED' } });
        expect(dialled()).toBe(times);
      }
      renew();
      await within(3_000, 'the connection', backend.connect());
      expect(times(seen, 'dropped')).toBe(0);
    });

    test('it is renewed, and a backend that is exhausted finds out by itself, at its slowest pace', async () => {
      const { servers, dialled, renew } = await expired();
      const backoff = { initialMs: 20, maxMs: 40 };
      const { backend } = makeBackend({ servers, backoff });
      let exhausted = 0;
      backend.on('exhausted', () => exhausted++);
      void backend.connect();
      await until('that it was exhausted more than once', () => exhausted > 2);
      expect(dialled()).toBeLessThanOrEqual(exhausted);
      renew();
      await until('the connection', () => backend.connection !== undefined);
    });

    test('it is renewed, and a proxy finds out by itself: one client tries it', async () => {
      const { servers, dialled, renew } = await expired();
      const clock = new ManualClock();
      const { proxy, at } = await makeProxy({ servers, clock });
      const refused = async (): Promise<void> => {
        const ended = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
        expect(await new Reader(bench.own(connect(at))).ends()).toBe('reset');
        expect(how(await ended)).toBe('refused system/error/connecting/CERT_HAS_EXPIRED');
      };
      await refused();
      await refused();
      expect(dialled()).toBe(1);
      clock.advance(10_000);
      await refused();
      await refused();
      expect(dialled()).toBe(2);
      renew();
      clock.advance(10_000);
      const client = bench.own(connect(at));
      const answer = new Reader(client);
      client.end('back again');
      expect(await answer.ends()).toBe('end');
      expect(answer.text).toBe('back again');
    });

    test('it is restored where the owner has said that it is permanent', async () => {
      const { servers, dialled, renew } = await expired();
      const backoff = { initialMs: 5, maxMs: 10 };
      const { backend } = makeBackend({ servers, backoff, isPermanent: ({ code }) => code === 'CERT_HAS_EXPIRED' });
      let exhausted = 0;
      backend.on('exhausted', () => exhausted++);
      void backend.connect();
      await until('that it was exhausted more than once', () => exhausted > 2);
      expect(dialled()).toBe(1);
      renew();
      backend.servers.restore();
      await until('the connection', () => backend.connection !== undefined);
      expect(dialled()).toBe(2);
    });

    test('it is renewed and restored, and a proxy serves again', async () => {
      const { servers, dialled, renew } = await expired();
      const { proxy, at } = await makeProxy({ servers, isPermanent: ({ code }) => code === 'CERT_HAS_EXPIRED' });
      for (let client = 0; client < 3; client++) {
        const ended = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
        const refused = new Reader(bench.own(connect(at)));
        expect(await refused.ends()).toBe('reset');
        expect(how(await ended)).toBe('refused system/error/connecting/CERT_HAS_EXPIRED');
      }
      expect(dialled()).toBe(1);
      renew();
      proxy.servers.restore();
      const client = bench.own(connect(at));
      const answer = new Reader(client);
      client.end('back again');
      expect(await answer.ends()).toBe('end');
      expect(answer.text).toBe('back again');
    });
  });

  test('one that nobody has signed is taken if that is asked for', async () => {
    const server = await tlsPeer({});
    const { backend } = makeBackend({ servers: [{ ...(server.at as At), tls: { rejectUnauthorized: false } }] });
    const { socket } = await backend.connect();
    expect((socket as TLSSocket).authorized).toBe(false);
  });

  test('a server that wants a certificate gets it', async () => {
    const server = await tlsPeer({ ca: EXAMPLE.cert, requestCert: true });
    const { backend } = makeBackend({ servers: [{ ...(server.at as At), tls: { ...EXAMPLE, ...TRUST } }] });
    const { socket } = await backend.connect();
    const reader = new Reader(socket);
    socket.write('hello');
    await reader.has(5);
  });

  // Over TLS 1.3 it says so only when the handshake is done for us.
  test('one that does not get it drops the connection, and is tried again no faster than the backoff', async () => {
    const server = await tlsPeer({ ca: EXAMPLE.cert, requestCert: true });
    const { backend, seen } = makeBackend({ servers: [{ ...(server.at as At), tls: TRUST }] });
    void backend.connect();
    await until('that it is tried again', () => times(seen, 'dropped') > 1);
    expect(times(seen, 'retry')).toBeGreaterThanOrEqual(times(seen, 'dropped') - 1);
  });

  test('a TLS socket that Node refuses to make fails the attempt, closes the connection, and is tried again', async () => {
    const server = await tlsPeer({ allowHalfOpen: false } as TlsOptions);
    const { backend, seen } = makeBackend({ servers: [{ ...(server.at as At), tls: TRUST }] });
    const accepted: Socket[] = [];
    server.server.on('connection', (raw: Socket) => accepted.push(raw));
    const causes: Cause[] = [];
    backend.on('retry', ({ cause }) => causes.push(cause));
    const refusal = new Error('not today');
    // What our checks let through and Node throws at depends on its version and OpenSSL's: it throws where it sets options.
    const prototype = TlsSocket.prototype as unknown as { _init: (...args: unknown[]) => unknown };
    const { _init: init } = prototype;
    prototype._init = function (this: { _tlsOptions: { isServer?: boolean } }, ...args) {
      if (this._tlsOptions.isServer) return init.apply(this, args);
      prototype._init = init;
      throw refusal;
    };
    try {
      await expect(backend.connect({ failuresMax: 1 })).rejects.toMatchObject({ code: 'ERR_CONNECT' });
      const { socket } = await within(3_000, 'the next attempt', backend.ready());
      const reader = new Reader(socket);
      socket.write('hello');
      await reader.has(5);
    } finally {
      prototype._init = init;
    }
    expect(causes).toEqual([{ initiator: 'system', manner: 'error', phase: 'command', code: 'Error', error: refusal }]);
    expect(times(seen, 'dropped')).toBe(0);
    await until('the first connection to be closed', () => accepted.length === 2 && accepted[0]?.destroyed === true);
  });

  // With TLS put over a socket that Node dials on with, Node ends the process.
  test('a name with several addresses of which the first refuses', async () => {
    const server = await tlsPeer({});
    const lookup = dns.lookup;
    dns.lookup = ((host: string, options: object, answer: (...args: unknown[]) => void) => {
      if (host !== 'two.test') return (lookup as (...args: unknown[]) => void)(host, options, answer);
      const addresses = [
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ];
      return setImmediate(() => answer(null, addresses));
    }) as never;
    try {
      const tls = { ...TRUST, servername: 'localhost' };
      const { backend } = makeBackend({ servers: [{ host: 'two.test', port: (server.at as At).port, tls }] });
      const { socket } = await within(3_000, 'the connection', backend.connect());
      const reader = new Reader(socket);
      socket.write('hello');
      await reader.has(5);
    } finally {
      dns.lookup = lookup;
    }
  });

  test('an abort over a Unix socket closes it, and says that a cut may look like an end', async () => {
    const path = bench.path('tls');
    const front = createTlsServer({ ...CERTIFICATE, allowHalfOpen: true } as TlsOptions);
    const server = await bench.peer(new PeerServer(front, (socket) => socket.resume()), { path });
    const { backend } = makeBackend({ servers: [{ path, tls: TRUST }] });
    await backend.connect();
    expect(await backend.abort()).toMatchObject({ ending: 'aborted', truncated: true });
    await server.left();
  });

  test('over Unix sockets, on both sides of a proxy, an end is an end', async () => {
    const path = bench.path('tls-server');
    const front = createTlsServer({ ...CERTIFICATE, allowHalfOpen: true } as TlsOptions);
    await bench.peer(
      new PeerServer(front, (socket) => {
        const asked = new Reader(socket);
        void asked.over.then(() => socket.end(`${asked.text} answered`));
      }),
      { path },
    );
    const { proxy } = await makeProxy({
      listen: { path: bench.path('tls-front'), tls: CERTIFICATE },
      servers: [{ path, tls: TRUST }],
    });
    const ended = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const { path: at } = proxy.addresses[0] as { path: string };
    const client = tlsConnect({ path: at, ...TRUST, allowHalfOpen: true } as ConnectionOptions);
    const reader = new Reader(client);
    client.end('request');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('request answered');
    expect((await within(5_000, 'the end of the session', ended)).ending).toBe('ended');
  });

  test('a hook that throws fails the attempt, not the process', async () => {
    const server = await tlsPeer({});
    const checkServerIdentity = (): never => {
      throw new Error('not my day');
    };
    const { backend } = makeBackend({
      servers: [{ ...(server.at as At), tls: { ...TRUST, checkServerIdentity } }],
      persistent: false,
      attemptsMax: 1,
    });
    await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  });

  test('protocols are offered by ALPN', async () => {
    const server = await tlsPeer({ ALPNProtocols: ['b', 'a'] });
    const { backend } = makeBackend({
      servers: [{ ...(server.at as At), tls: { ...TRUST, ALPNProtocols: ['a', 'b'] } }],
    });
    const { socket } = await backend.connect();
    expect((socket as TLSSocket).alpnProtocol).toBe('b');
  });

  test('an abort is a reset', async () => {
    const server = await tlsPeer({}, () => {});
    const { backend } = makeBackend({ servers: [{ ...(server.at as At), tls: TRUST }] });
    await backend.connect();
    const reader = new Reader(await server.connection());
    const outcome = await backend.abort();
    expect(outcome.truncated).toBeUndefined();
    expect(await reader.ends()).toBe('reset');
  });

  test('one that does not answer the handshake fails by connectTimeout; one that refuses is tried again', async () => {
    const silent = await bench.silent();
    const refusing = await bench.refusing();
    const { backend } = makeBackend({
      servers: [{ ...(silent.at as At), tls: TRUST }],
      connectTimeout: 60,
      persistent: false,
      attemptsMax: 1,
    });
    await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(how(await backend.closed)).toBe('failed library/timeout/connecting/connectTimeout');
    await silent.left();
    const other = makeBackend({ servers: [{ port: refusing, tls: TRUST }], persistent: false, attemptsMax: 2 });
    await expect(other.backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(how(await other.backend.closed)).toBe('failed peer/refusal/connecting/ECONNREFUSED');
    expect(times(other.seen, 'retry')).toBe(1);
  });

  test('one that does not speak TLS', async () => {
    const plain = await bench.server((socket) => socket.end('hello, I am no TLS server\n'));
    const { backend } = makeBackend({
      servers: [{ ...(plain.at as At), tls: TRUST }],
      persistent: false,
      attemptsMax: 1,
    });
    await expect(backend.connect()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(how(await backend.closed)).toMatch(/^failed peer\/error\/connecting\/ERR_SSL_/);
  });

  test('its reset is a drop, and a persistent one is connected again', async () => {
    const server = await tlsPeer({}, () => {});
    const { backend, seen } = makeBackend({ servers: [{ ...(server.at as At), tls: TRUST }] });
    await backend.connect();
    rawOf(await server.connection()).resetAndDestroy();
    await until('the next connection', () => times(seen, 'established') === 2);
    expect(times(seen, 'dropped')).toBe(1);
  });
});

describe('a proxy', () => {
  const MIB = Buffer.alloc(1_048_576, 'tls ');

  test.each([
    ['TLS to plain', true, false],
    ['plain to TLS', false, true],
    ['TLS to TLS', true, true],
  ])('%s: 16 MiB there and back, with the end', async (_what, front, back) => {
    const server = back ? await tlsPeer({}) : await bench.echo();
    const { proxy, at } = await makeProxy({
      listen: { ...LOOPBACK, ...(front && { tls: CERTIFICATE }) },
      servers: [{ ...(server.at as At), ...(back && { tls: TRUST }) }],
    });
    const ended = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = front ? await dial(at) : bench.own(connect({ ...at, allowHalfOpen: true }));
    const answer = new Reader(client, { keep: false });
    await send(client, MIB, 16);
    client.end();
    expect(await answer.ends(15_000)).toBe('end');
    expect(answer.bytes).toBe(16 * MIB.length);
    expect(how(await within(3_000, 'the session', ended))).toBe('ended peer/end/established');
  });

  test('a backend’s reset reaches the client as a reset, after what was read before', async () => {
    const server = await tlsPeer({}, (socket) => {
      socket.write('half an answ');
      socket.once('data', () => rawOf(socket).resetAndDestroy());
    });
    const { at } = await makeProxy({
      listen: { ...LOOPBACK, tls: CERTIFICATE },
      servers: [{ ...(server.at as At), tls: TRUST }],
    });
    const client = await dial(at);
    const answer = new Reader(client);
    await answer.has(12);
    client.write('go on');
    expect(await answer.ends()).toBe('reset');
    expect(answer.text).toBe('half an answ');
  });
});

describe('options', () => {
  const { key, cert } = CERTIFICATE;
  test.each<[unknown, string, RegExp]>([
    [{}, 'listen[0].tls.cert', /a certificate, with its key/],
    [{ key }, 'listen[0].tls.cert', /given together with key/],
    [{ cert }, 'listen[0].tls.key', /given together with cert/],
    [{ key: EXAMPLE.key, cert }, 'listen[0].tls', /what OpenSSL takes/],
    [{ key, cert, handshakeTimeout: 1 }, 'listen[0].tls.handshakeTimeout', /one that listen\[0\]\.tls knows/],
    [{ key, cert, names: { '127.0.0.1': EXAMPLE } }, 'listen[0].tls.names["127.0.0.1"]', /for a name such as/],
    [{ key, cert, names: { 'a.com': {} } }, 'listen[0].tls.names["a.com"].cert', /a certificate/],
    [{ key, cert, rejectUnauthorized: false }, 'listen[0].tls.rejectUnauthorized', /left out without requestCert/],
    [{ key, cert, ALPNProtocols: [''] }, 'listen[0].tls.ALPNProtocols', /a list of names/],
    [{ key, cert, requestCert: 'yes' }, 'listen[0].tls.requestCert', /true or false/],
    [{ key, cert, requestCert: true }, 'listen[0].tls.ca', /the authority/],
    [
      { key, cert, names: { 'a.com': { key, cert, minVersion: 'x' } } },
      'listen[0].tls.names["a.com"].minVersion',
      /knows/,
    ],
    ['-----BEGIN', 'listen[0].tls', /an object of options; it is "string"/],
  ])('of a listener: %#', (tls, option, message) => {
    const make = (): unknown => createProxy({ listen: [{ port: 0, tls: tls as ListenTls }], servers: [{ port: 1 }] });
    expect(make).toThrow(expect.objectContaining({ option }));
    expect(make).toThrow(message);
  });

  test.each<[object, string]>([
    [{ tls: { servername: '127.0.0.1' } }, 'servers[0].tls.servername'],
    [{ tls: { cert: 'no certificate', key: 'no key' } }, 'servers[0].tls'],
    [{ tls: { servernam: 'x' } }, 'servers[0].tls.servernam'],
    [{ tls: 1 }, 'servers[0].tls'],
    [{ tls: true, connect: () => connect(1) }, 'servers[0].tls'],
  ])('of a server: %#', (options, option) => {
    expect(() => new Servers([{ port: 1, ...options }])).toThrow(expect.objectContaining({ option }));
  });

  test('a server that was given speaks TLS by itself', () => {
    const server = createTlsServer(CERTIFICATE);
    expect(() => createListener({ ...LOOPBACK, server, tls: CERTIFICATE })).toThrow(/"tls" must be left out/);
  });

  test('no error shows a key', () => {
    const secret = 'PRIVATE AND CONFIDENTIAL';
    try {
      createListener({ ...LOOPBACK, tls: { key: secret, cert: secret } });
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify(error) + String(error)).not.toContain(secret);
    }
  });
});
