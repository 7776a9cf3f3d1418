/**
 * A TLS stream that one side has ended while the other sends: nothing is lost, whichever side ends first and whatever the
 * version. Node loses a record, fails or stands still where a TLS socket is ended in its own `secureConnect` or `data`.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createServer, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../src/index.js';
import { useBench } from './support/bench.js';
import { LOOPBACK, makers } from './support/make.js';
import { CERTIFICATE, PeerServer, Reader } from './support/peers.js';
import { how } from './support/record.js';
import { within } from './support/wait.js';

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
