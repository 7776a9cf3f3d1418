/** What is different over TLS: what Node's sockets and servers emit when a handshake or a record goes wrong. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, connect as tlsConnect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBackend, createListener, type Outcome } from '../../src/index.js';
import { linkConnecting } from '../../src/sockets/socket.js';
import { accept, type Happening, seenSocket } from '../model/accept.js';
import { NO_SOCKET } from '../model/socket.js';
import { CERTIFICATE } from '../support/peers.js';
import { how } from '../support/record.js';
import { turns, within } from '../support/wait.js';
import { recorder } from './scene.js';
import { Stage, whereOf } from './stage.js';
import { outcomeOf, since, watch, watchServer } from './watch.js';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.close());

const BAD_RECORD = 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC';
const BAD = Buffer.from('1703030005aaaaaaaaaa', 'hex');

/** OpenSSL has other names for its errors in Node 22. */
const NO_CERTIFICATE = since({ 20: 'SSLV3_ALERT_HANDSHAKE_FAILURE', 22: 'SSL/TLS_ALERT_HANDSHAKE_FAILURE' });

const TRUST = { ca: CERTIFICATE.cert };
const HOST = '127.0.0.1';

const happens = (emitter: Server | Socket, event: string): Promise<unknown> =>
  within(5_000, event, new Promise((resolve) => (emitter as Socket).once(event, resolve)));

interface Served {
  readonly server: Server;
  readonly at: { readonly host: string; readonly port: number };
  readonly words: string[];
}

async function serve(options: TlsOptions = {}): Promise<Served> {
  const server = stage.ownServer(createTlsServer({ ...CERTIFICATE, ...options }));
  server.on('secureConnection', (socket: TLSSocket) => stage.own(socket).resume());
  const words = watchServer(server);
  server.listen({ host: HOST, port: 0 });
  await happens(server, 'listening');
  words.length = 0;
  return { server, at: whereOf(server) as Served['at'], words };
}

/** A server that knows nothing of TLS. */
async function servePlain(handler: (socket: Socket) => void): Promise<Served['at']> {
  const server = stage.ownServer(createServer(handler));
  server.listen({ host: HOST, port: 0 });
  await happens(server, 'listening');
  return whereOf(server) as Served['at'];
}

function shake(at: Served['at'], options: object = {}): { socket: TLSSocket; words: string[] } {
  const socket = stage.own(tlsConnect({ ...at, ...TRUST, ...options }));
  return { socket, words: watch(socket) };
}

/** Two that have shaken hands, and what is below the client. */
async function pair(options: TlsOptions = {}) {
  const served = await serve(options);
  const arrived = once(served.server, 'secureConnection') as Promise<[TLSSocket]>;
  const raw = stage.own(connect(served.at));
  const socket = stage.own(tlsConnect({ ...TRUST, socket: raw, servername: 'localhost' }));
  await happens(socket, 'secureConnect');
  const [accepted] = await arrived;
  await turns(20);
  return { ...served, raw, socket, accepted };
}

const UP = ['connectionAttempt @opening', 'connect @open', 'ready @open'];

test('a handshake: connection, secureConnection', async () => {
  const { at, words } = await serve();
  const { socket } = shake(at);
  await happens(socket, 'secureConnect');
  await turns(20);
  expect(words).toEqual(['connection', 'secureConnection']);
});

test('a client that speaks HTTP: it is ended, and tlsClientError says so', async () => {
  const { server, at, words } = await serve();
  const socket = stage.own(connect(at));
  const seen = watch(socket);
  socket.resume().write('GET / HTTP/1.1\r\n\r\n');
  await Promise.all([happens(server, 'tlsClientError'), happens(socket, 'close')]);
  expect(words).toEqual(['connection', 'tlsClientError ERR_SSL_HTTP_REQUEST']);
  expect(seen).toEqual([...UP, 'end @writeOnly', 'finish @closed', 'close']);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)('a client that does not trust the server, over %s', async (version) => {
  const { server, at, words } = await serve({ minVersion: version, maxVersion: version });
  server.on('secureConnection', (socket: TLSSocket) => watch(socket, words));
  const { socket, words: seen } = shake(at, { ca: undefined });
  await happens(socket, 'close');
  await turns(20);
  // Over TLS 1.2 the server is done before the client has made up its mind.
  const ended = ['end @writeOnly', 'finish @closed', 'close'];
  expect(words).toEqual([
    'connection',
    ...(version === 'TLSv1.2' ? ['secureConnection', ...ended] : ['tlsClientError ECONNRESET']),
  ]);
  expect(seen).toEqual([...UP, 'secure @open', 'error DEPTH_ZERO_SELF_SIGNED_CERT @destroyed', 'close after error']);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a client without the certificate that it should have, over %s',
  async (version) => {
    const tls = { minVersion: version, maxVersion: version, requestCert: true, ca: CERTIFICATE.cert };
    const { at, words } = await serve(tls);
    const { socket, words: seen } = shake(at);
    socket.resume();
    socket.once('secureConnect', () => socket.write('x', (error) => seen.push(`written ${outcomeOf(error)}`)));
    await happens(socket, 'close');
    await turns(20);
    // Over TLS 1.3 the client is done before the server has seen that there is none.
    expect(words).toEqual(['connection', 'tlsClientError ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE']);
    expect(seen).toEqual(
      version === 'TLSv1.2'
        ? [...UP, `error ERR_SSL_${NO_CERTIFICATE} @destroyed`, 'close after error']
        : [
            ...UP,
            'secure @open',
            'secureConnect @open',
            'written ok',
            'error ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED @open',
            'end @writeOnly',
            'finish @closed',
            'close',
          ],
    );
  },
);

describe('in the middle of a handshake', () => {
  test('the server ends: the client hears an end, and then an error', async () => {
    const { socket, words } = shake(await servePlain((raw) => void raw.resume().end()));
    await happens(socket, 'close');
    expect(words).toEqual([...UP, 'end @writeOnly', 'error ECONNRESET @destroyed', 'close after error']);
  });

  test('the server resets', async () => {
    const { socket, words } = shake(await servePlain((raw) => void raw.once('data', () => raw.resetAndDestroy())));
    await happens(socket, 'close');
    expect(words).toEqual([...UP, 'error ECONNRESET read @destroyed', 'close after error']);
  });

  test.each(['end', 'resetAndDestroy'] as const)('the client calls %s()', async (call) => {
    const { server, at, words } = await serve();
    const raw = stage.own(connect(at));
    await happens(raw, 'connect');
    raw.resume()[call]();
    await happens(server, 'tlsClientError');
    expect(words).toEqual(['connection', 'tlsClientError ECONNRESET']);
  });

  test('the server says nothing: a timeout, if one is asked for, and nothing else', async () => {
    const { socket, words } = shake(await servePlain((raw) => void raw.resume()));
    socket.once('ready', () => socket.setTimeout(20));
    await happens(socket, 'timeout');
    await turns(20);
    expect(words).toEqual([...UP, 'timeout @open']);
  });

  test('the client says nothing: after handshakeTimeout an error, and its socket stays', async () => {
    const { server, at, words } = await serve({ handshakeTimeout: 30 });
    const left = once(server, 'tlsClientError') as Promise<[Error, TLSSocket]>;
    const raw = stage.own(connect(at));
    const [, socket] = await left;
    await turns(50);
    expect(words).toEqual(['connection', 'tlsClientError ERR_TLS_HANDSHAKE_TIMEOUT']);
    expect([socket.destroyed, raw.readyState]).toEqual([false, 'open']);
    socket.destroy();
    await happens(raw.resume(), 'end');
  });
});

describe('after the handshake', () => {
  test('a bad record from the client: an error, and the socket lives on', async () => {
    const { raw, accepted } = await pair();
    const words = watch(accepted);
    raw.write(BAD);
    await happens(accepted, 'error');
    await turns(50);
    expect(words).toEqual([`error ${BAD_RECORD} @open`]);
  });

  test('a bad record from the server: the same', async () => {
    const { server, at } = await serve();
    const below = once(server, 'connection') as Promise<[Socket]>;
    const { socket, words } = shake(at);
    await happens(socket, 'secureConnect');
    await turns(20);
    words.length = 0;
    const [raw] = await below;
    raw.write(BAD);
    await happens(socket, 'error');
    await turns(50);
    expect(words).toEqual([`error ${BAD_RECORD} @open`]);
  });

  test('an end without a close_notify is an end like any other', async () => {
    const { raw, accepted } = await pair();
    const words = watch(accepted);
    accepted.resume();
    raw.end();
    await happens(accepted, 'close');
    expect(words).toEqual(['end @writeOnly', 'finish @closed', 'close']);
  });

  test('a reset in one poll with the last of a handshake over TLS 1.3 is an end, on every Node', async () => {
    const { server, at } = await serve();
    const arrived = once(server, 'secureConnection') as Promise<[TLSSocket]>;
    const raw = stage.own(connect(at));
    const socket = stage.own(tlsConnect({ ...TRUST, socket: raw, servername: 'localhost' }));
    await happens(socket, 'secureConnect');
    const [accepted] = await arrived;
    const words = watch(accepted);
    // Still in the poll in which the server has read it.
    raw.resetAndDestroy();
    await happens(accepted, 'close');
    expect(words).toEqual(['end @writeOnly', 'finish @closed', 'close']);
  });
});

describe('a backend makes of it, and the model allows', () => {
  const byRaw = async (act: (raw: Socket) => void, options: TlsOptions = {}): Promise<Served['at']> => {
    const { server, at } = await serve({ allowHalfOpen: true, ...options } as TlsOptions);
    server.on('connection', (raw) =>
      server.once('secureConnection', async () => {
        await turns(20);
        act(raw);
      }),
    );
    return at;
  };
  const asking = (version: 'TLSv1.2' | 'TLSv1.3') => async (): Promise<Served['at']> =>
    (await serve({ minVersion: version, maxVersion: version, requestCert: true, ca: CERTIFICATE.cert })).at;

  test.each<[string, () => Promise<Served['at']>, object, string]>([
    [
      'the server ends in the middle of the handshake',
      () => servePlain((raw) => void raw.resume().end()),
      TRUST,
      'failed peer/reset/connecting/ECONNRESET',
    ],
    [
      'the server resets in the middle of the handshake',
      () => servePlain((raw) => void raw.once('data', () => raw.resetAndDestroy())),
      TRUST,
      'failed peer/reset/connecting/ECONNRESET',
    ],
    [
      'it is not trusted',
      async () => (await serve()).at,
      {},
      'failed system/error/connecting/DEPTH_ZERO_SELF_SIGNED_CERT',
    ],
    [
      'a certificate is missing, over TLS 1.2',
      asking('TLSv1.2'),
      TRUST,
      `failed peer/error/connecting/ERR_SSL_${NO_CERTIFICATE}`,
    ],
    [
      'a certificate is missing, over TLS 1.3',
      asking('TLSv1.3'),
      TRUST,
      'dropped peer/error/established/ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    ],
    ['a bad record', () => byRaw((raw) => void raw.write(BAD)), TRUST, `dropped peer/error/established/${BAD_RECORD}`],
    ['an end without a close_notify', () => byRaw((raw) => void raw.end()), TRUST, 'ended peer/end/established'],
    ['a reset', () => byRaw((raw) => void raw.resetAndDestroy()), TRUST, 'dropped peer/reset/established/ECONNRESET'],
  ])('%s', async (_what, serveSo, trust, expected) => {
    const at = await serveSo();
    const backend = createBackend({ servers: [{ ...at, tls: trust }], persistent: false, attemptsMax: 1 });
    backend.on('established', ({ socket }) => {
      socket.resume();
      socket.on('end', () => socket.end());
    });
    void backend.connect();
    expect(how(await within(5_000, 'its end', backend.closed))).toBe(expected);

    const trace: Happening[] = ['called socket.open'];
    const socket = stage.own(tlsConnect({ ...at, ...trust, allowHalfOpen: true } as object));
    linkConnecting(socket, recorder(trace));
    socket.resume();
    socket.on('end', () => {
      trace.push('called socket.end');
      socket.end();
    });
    await happens(socket, 'close');
    accept(seenSocket, NO_SOCKET, trace);
    expect(trace.at(-1)).toBe('reported socket.closed');
  });
});

describe('a listener makes of it', () => {
  test.each<[string, (raw: Socket) => void, string]>([
    [
      'a reset in one poll with the last of the handshake',
      (raw) => raw.resetAndDestroy(),
      'dropped peer/reset/established/ECONNRESET',
    ],
    ['an end without a close_notify', (raw) => void raw.end(), 'ended peer/end/established'],
  ])('%s', async (_what, act, expected) => {
    const listener = createListener({ host: HOST, port: 0, tls: CERTIFICATE });
    try {
      const at = (await listener.start()) as Served['at'];
      const outcome = new Promise<Outcome>((resolve) =>
        listener.once('clientClosed', (closed) => resolve(closed.outcome)),
      );
      listener.on('client', ({ socket }) => {
        socket.resume();
        socket.on('end', () => socket.end());
        act(raw);
      });
      const raw = stage.own(connect(at));
      stage.own(tlsConnect({ ...TRUST, socket: raw, servername: 'localhost' }));
      expect(how(await within(5_000, 'its end', outcome))).toBe(expected);
    } finally {
      await listener.abort();
    }
  });
});
