/** `halfClose: false`: the FIN of one side ends both, in order, and what was sent before it arrives. */
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Outcome, ProxyOptions, Session, TcpProxy } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, dialTls, plainServer, Reader, tlsServer } from '../support/peers.js';
import { gate, turns, until, within } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

interface Pair {
  readonly proxy: TcpProxy;
  readonly client: Socket;
  readonly server: Socket;
  /** How the session ends, and how its legs do. */
  readonly outcomes: Promise<readonly [session: Outcome, client: Outcome, backend: Outcome]>;
}

/** A client and a server, both half open, and a proxy between them. */
async function pair(isTls: boolean, options: Partial<ProxyOptions> = {}): Promise<Pair> {
  const peer = await bench.peer(isTls ? tlsServer(() => {}) : plainServer(() => {}));
  const { proxy } = await makeProxy({
    listen: { host: '127.0.0.1', port: 0, ...(isTls && { tls: CERTIFICATE }) },
    servers: [{ port: peer.port, ...(isTls && { tls: { ca: CERTIFICATE.cert } }) }],
    halfClose: false,
    ...options,
  });
  const outcomes = new Promise<Awaited<Pair['outcomes']>>((resolve) => {
    proxy.once('sessionClosed', ({ session, outcome }) =>
      resolve([outcome, session.client.outcome as Outcome, session.backend.outcome as Outcome]),
    );
  });
  const at = proxy.addresses[0] as { host: string; port: number };
  const client = bench.own(isTls ? dialTls(at) : connect({ ...at, allowHalfOpen: true }));
  const server = await peer.connection();
  return { proxy, client, server, outcomes };
}

const SIDES = ['client', 'server'] as const;
const OVER = [
  ['TCP', false],
  ['TLS', true],
] as const;

describe.each(OVER)('over %s', (_over, isTls) => {
  describe.each(SIDES)('the %s ends', (first) => {
    const second = first === 'client' ? 'server' : 'client';

    test('both get what was sent, and then a FIN; nothing is cut', async () => {
      const made = await pair(isTls);
      const readers = { client: new Reader(made.client), server: new Reader(made.server) };
      made[second].write('on the way');
      await readers[first].has('on the way'.length);
      made[first].end('last words');
      expect(await readers[second].ends()).toBe('end');
      expect(await readers[first].ends()).toBe('end');
      expect(readers[second].text).toBe('last words');
      expect(readers[first].text).toBe('on the way');
      made[second].end();
      const outcomes = await within(3_000, 'the end', made.outcomes);
      const [ended, closed] = first === 'client' ? [outcomes[1], outcomes[2]] : [outcomes[2], outcomes[1]];
      expect(outcomes[0]).toMatchObject({
        ending: 'ended',
        flushed: true,
        cause: { initiator: 'peer', manner: 'end' },
      });
      expect(ended).toMatchObject({ ending: 'ended', flushed: true });
      expect(closed).toMatchObject({ ending: 'closed', flushed: true, cause: { initiator: 'peer', manner: 'end' } });
    });

    test('one that never ends is let go of', async () => {
      const made = await pair(isTls);
      const readers = { client: new Reader(made.client), server: new Reader(made.server) };
      made[first].end('last words');
      expect(await readers[second].ends()).toBe('end');
      const [session] = await within(3_000, 'the end', made.outcomes);
      expect(session).toMatchObject({ ending: 'ended', flushed: true });
      expect(readers[second].text).toBe('last words');
    });

    test('one that sends on is read for a while, and loses nothing of what was sent to it', async () => {
      const made = await pair(isTls);
      const readers = { client: new Reader(made.client), server: new Reader(made.server) };
      const timer = setInterval(() => made[second].write('more'), 5);
      bench.later(() => clearInterval(timer));
      made[first].end('last words');
      await until('the last words', () => readers[second].text === 'last words');
      expect(await readers[second].ends()).toBe('end');
      expect(await readers[first].ends()).toBe('end');
      // It sends for longer than a socket lingers.
      await within(5_000, 'the end', made.outcomes);
    });

    test('a reader that waits gets all of it, however long that takes, before the first gets its FIN', async () => {
      const made = await pair(isTls);
      const session = made.proxy.sessions[0] as Session;
      const reader = new Reader(made[second], { keep: false, flow: false });
      const other = new Reader(made[first]);
      const leg = (second === 'client' ? session.client.socket : session.backend.socket) as Socket;
      const handedOver = new Promise<boolean>((resolve) =>
        made[first].once('end', () => resolve(leg.writableFinished)),
      );
      // So little waits then that the session reads on, and so reads the FIN.
      const piece = Buffer.alloc(8_000, 'x');
      let sent = 0;
      // The system takes some megabytes for it: how many differs.
      while (leg.writableLength === 0) {
        made[first].write(piece);
        sent += piece.length;
        await until('it is relayed', () => session.bytes.fromClient + session.bytes.fromBackend === sent);
        await turns(3);
      }
      made[first].end();
      await until('its FIN was read', () => /Ended$/.test(session.state));
      await turns(50);
      expect(other.how).toBeUndefined();
      made[second].resume();
      expect(await reader.ends(20_000)).toBe('end');
      expect(reader.bytes).toBe(sent);
      expect(await other.ends()).toBe('end');
      expect(await handedOver).toBe(true);
      expect((await within(3_000, 'the end', made.outcomes))[0]).toMatchObject({ ending: 'ended', flushed: true });
    });

    test('while the proxy drains', async () => {
      const made = await pair(isTls);
      const readers = { client: new Reader(made.client), server: new Reader(made.server) };
      made[second].write('here');
      await readers[first].has(4);
      const closed = made.proxy.close();
      made[first].end('last words');
      expect(await readers[second].ends()).toBe('end');
      expect(await readers[first].ends()).toBe('end');
      expect(await within(3_000, 'the end', closed)).toMatchObject({ ending: 'closed', flushed: true });
    });
  });
});

test('a client that has ended before its server is there is served what it asked for: its bytes, and a FIN', async () => {
  const wait = gate();
  const server = await bench.server(() => {});
  const { at } = await makeProxy({
    halfClose: false,
    servers: [server.at],
    admit: () => wait.promise,
  });
  const client = bench.own(connect({ ...at, allowHalfOpen: true }));
  const answer = new Reader(client);
  client.end('all of it');
  wait.open();
  const reader = new Reader(await server.connection());
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('all of it');
  expect(await answer.ends()).toBe('end');
});

test('a server that resets once the FIN is out has lost what was sent: the session says so', async () => {
  const { client, server, outcomes } = await pair(false, { closeTimeout: 5_000 });
  server.once('data', () => server.once('end', () => setImmediate(() => server.resetAndDestroy())));
  client.resume();
  client.end('last words');
  const [session, , backend] = await within(3_000, 'the end', outcomes);
  expect(backend).toMatchObject({ ending: 'closed', flushed: false });
  expect(session).toMatchObject({ ending: 'aborted', flushed: false });
});

test('by default the other side sends on', async () => {
  const { client, server, outcomes } = await pair(false, { halfClose: true });
  const [request, answer] = [new Reader(server), new Reader(client)];
  client.end('question');
  expect(await request.ends()).toBe('end');
  server.write('answer, ');
  await answer.has('answer, '.length);
  server.end('and more');
  expect(await answer.ends()).toBe('end');
  expect(answer.text).toBe('answer, and more');
  expect((await outcomes)[0]).toMatchObject({ ending: 'ended' });
});
