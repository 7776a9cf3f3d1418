/**
 * A TLS stream that one side has ended while the other sends: nothing is lost, whichever side ends first and whatever the
 * version. Node loses a record, fails or stands still where a TLS socket is ended in its own `secureConnect` or `data`.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createServer, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { Outcome, Session } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { CERTIFICATE, firstFlight, PeerServer, Reader } from '../support/peers.js';
import { how } from '../support/record.js';
import { until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

const BODY = Buffer.alloc(1_000_000, 'b');
const TRUST = { ca: CERTIFICATE.cert };

const tlsServer = (maxVersion: Version, handler: (socket: import('node:net').Socket) => void): Promise<PeerServer> =>
  bench.peer(new PeerServer(createServer({ ...CERTIFICATE, allowHalfOpen: true, maxVersion } as object), handler));

type Version = 'TLSv1.2' | 'TLSv1.3';
const VERSIONS: readonly Version[] = ['TLSv1.2', 'TLSv1.3'];

describe.each(VERSIONS)('%s', (version) => {
  test('a server that speaks first, and a client that has ended already', async () => {
    const server = await tlsServer(version, (socket) => socket.resume().end(BODY));
    const { proxy, at } = await makeProxy({
      servers: [{ port: server.port, tls: TRUST }],
      connectBufferBytes: 65_536,
    });
    const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
    const client = bench.own(connect({ ...at, allowHalfOpen: true }));
    const reader = new Reader(client, { keep: false });
    client.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(BODY.length);
    expect(how(await within(3_000, 'the end', closed))).toMatch(/^ended/);
  });

  test('a client that speaks first, and a server that has ended already', async () => {
    const server = await bench.server((socket) => socket.end());
    const { at } = await makeProxy({
      listen: { ...LOOPBACK, tls: CERTIFICATE },
      servers: [
        {
          port: server.port,
          // The end was read before the proxy got the socket.
          connect: () => ended,
        },
      ],
    });
    const ended = bench.own(connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true }));
    ended.resume();
    await once(ended, 'end');
    const got = new Reader(await server.connection(), { keep: false });
    const client = bench.own(tlsConnect({ ...at, ...TRUST, maxVersion: version }));
    client.allowHalfOpen = true;
    const answer = new Reader(client);
    client.end(BODY);
    expect(await got.ends()).toBe('end');
    expect(got.bytes).toBe(BODY.length);
    expect(await answer.ends()).toBe('end');
  });

  test('a close in the middle of what a server sends ends the stream', async () => {
    const server = await tlsServer(version, (socket) => {
      socket.resume();
      socket.end(BODY);
    });
    const { backend } = makeBackend({ servers: [{ port: server.port, tls: TRUST }], closeTimeout: 5_000 });
    backend.once('established', ({ socket }) => socket.once('data', () => void backend.close()));
    void backend.connect();
    const reader = new Reader(await server.connection());
    expect(how(await within(4_000, 'the close', backend.closed))).toBe('closed owner/close/established');
    expect(await reader.ends()).toBe('end');
  });
});

/**
 * The last records of a handshake, data and a reset come in one piece. The tickets that the proxy answers with are refused
 * by the system; Node reports neither that nor, from then on, any write.
 */
test('a client whose reset Node has not reported, and a server that resets', async () => {
  const server = await bench.server((socket) => void socket.write('an answer'));
  // What the client sends waits here, so that the proxy does not read on to the reset.
  const corked = (): Socket => {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.cork();
    return socket;
  };
  const { proxy, at } = await makeProxy({
    listen: { ...LOOPBACK, tls: CERTIFICATE },
    servers: [{ port: server.port, connect: corked }],
    connectBufferBytes: 0,
  });
  const closed = new Promise<Outcome>((resolve) => proxy.once('sessionClosed', ({ outcome }) => resolve(outcome)));
  const established = new Promise<Session>((resolve) => proxy.once('established', resolve));
  const raw = bench.own(connect({ ...at, allowHalfOpen: true }));
  const { wire, flights } = firstFlight(raw);
  const client = tlsConnect({ socket: wire, ...TRUST, servername: 'localhost', minVersion: 'TLSv1.3' });
  client.on('error', () => {});
  await once(client, 'secureConnect');
  await new Promise((resolve) => client.write(BODY.subarray(0, 100_000), resolve));
  raw.write(Buffer.concat(flights.slice(1)));
  raw.resetAndDestroy();
  const session = await within(3_000, 'the session', established);
  await until('the answer on its way', () => session.client.socket.writableLength > 0);
  (await server.connection()).resetAndDestroy();
  expect(how(await within(3_000, 'the end', closed))).toMatch(/^dropped peer\/reset\/established/);
  client.destroy();
});
