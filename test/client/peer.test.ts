/** Where a client comes from: known in every event, snapshot and line, until its end and after. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  adoptClient,
  type Client,
  type ListenAddress,
  type Outcome,
  type ProxyEvents,
  type Session,
  TRANSITION_CHANNEL,
  type Transition,
} from '../../src/index.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { CERTIFICATE, connectAndResetAtOnce, Reader, refusingPort } from '../support/peers.js';
import { until, within } from '../support/wait.js';

const bench = useBench();
const { makeListener, makeProxy } = makers(bench);

interface Kind {
  readonly name: string;
  readonly listen: () => ListenAddress;
  readonly isTls?: boolean;
}

const KINDS: readonly Kind[] = [
  { name: 'TCP', listen: () => LOOPBACK },
  { name: 'IPv6', listen: () => ({ host: '::1', port: 0 }) },
  { name: 'a server that was given', listen: () => ({ ...LOOPBACK, server: createServer({ pauseOnConnect: true }) }) },
  { name: 'TLS', listen: () => ({ ...LOOPBACK, tls: CERTIFICATE }), isTls: true },
  {
    name: 'a TLS server that was given',
    listen: () => ({ ...LOOPBACK, server: createTlsServer({ ...CERTIFICATE, pauseOnConnect: true }) }),
    isTls: true,
  },
];

const textOf = ({ localAddress, localPort }: Socket): string =>
  localAddress?.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;

/** Over TLS, what can be reset is the socket below. */
interface Dialled {
  readonly raw: Socket;
  readonly socket: Socket;
}

async function dial(at: { host: string; port: number }, isTls: boolean): Promise<Dialled> {
  const raw = await bench.dial(at);
  if (!isTls) return { raw, socket: raw };
  const socket = bench.own(tlsConnect({ socket: raw, ca: CERTIFICATE.cert, servername: 'localhost' }));
  await within(5_000, 'a handshake', once(socket, 'secureConnect'));
  return { raw, socket };
}

/** How a client leaves; what it sends before has come back already. */
const LEAVES: Record<string, (dialled: Dialled) => void> = {
  ended: ({ socket }) => void socket.end(),
  dropped: ({ raw }) => void raw.resetAndDestroy(),
};

describe.each(KINDS)('over $name', ({ listen, isTls }) => {
  test.each(Object.keys(LEAVES))('every event of a client that is %s knows where it came from', async (ending) => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at], listen: listen() });
    const seen: Record<string, unknown> = {};
    const note = (event: string, session: Session, more: unknown): void => {
      seen[event] = [`${session.peer}`, `${session.client.peer}`, session.info().client.peer, more];
    };
    proxy.on('established', (session) => note('established', session, undefined));
    proxy.on('dropped', ({ session, leg }) => note('dropped', session, leg));
    const closed = new Promise<[Session, Outcome]>((resolve) => {
      proxy.on('sessionClosed', ({ session, outcome }) => resolve([session, outcome]));
    });
    const left = new Promise<Client>((resolve) => proxy.on('clientClosed', ({ client }) => resolve(client)));
    const dialled = await dial(at, isTls === true);
    const { raw, socket } = dialled;
    const from = textOf(raw);
    const reader = new Reader(socket);
    socket.write('hello');
    await reader.has(5);
    expect(proxy.connections()).toMatchObject([{ client: { peer: from } }]);
    LEAVES[ending]?.(dialled);
    const [session, outcome] = await within(5_000, 'the end of the session', closed);
    const client = await within(5_000, 'the end of the client', left);
    note('sessionClosed', session, outcome.ending);
    const all = [from, from, from];
    expect(seen).toEqual({
      established: [...all, undefined],
      ...(ending === 'dropped' && { dropped: [...all, 'client'] }),
      sessionClosed: [...all, ending],
    });
    expect(client.peer).toMatchObject({
      address: from.startsWith('[') ? '::1' : '127.0.0.1',
      port: Number(/\d+$/.exec(from)?.[0]),
      family: from.startsWith('[') ? 'IPv6' : 'IPv4',
    });
    expect(JSON.parse(JSON.stringify(client))).toMatchObject({ peer: from });
    expect(JSON.parse(JSON.stringify(session))).toMatchObject({ client: { peer: from } });
    expect(session.backend.describe()).toMatchObject({ peer: from });
  });
});

test('a client that is refused, and one that is turned away at the limit, are known by their addresses', async () => {
  const events: string[] = [];
  /** A client that may be reset as soon as it has connected: its port is known before. */
  const come = async (where: { host: string; port: number }): Promise<string> => {
    const localPort = await refusingPort();
    bench.own(connect({ ...where, localAddress: '127.0.0.1', localPort }));
    return `127.0.0.1:${localPort}`;
  };
  const picky = makeListener({ admit: () => false });
  picky.on('clientClosed', ({ client: { peer }, outcome }) => events.push(`${outcome.ending} ${peer}`));
  const refused = await come((await picky.start()) as { host: string; port: number });
  await until('the refusal', () => events.length === 1);
  expect(events).toEqual([`refused ${refused}`]);

  const full = makeListener({ clientsMax: 1 });
  full.on('refused', ({ peer }) => events.push(`turned away ${peer}`));
  const where = (await full.start()) as { host: string; port: number };
  await bench.dial(where);
  await until('a client', () => full.clients.size === 1);
  const turnedAway = await come(where);
  await until('the second to be turned away', () => events.length === 2);
  expect(events[1]).toBe(`turned away ${turnedAway}`);
});

test('a client of a proxy whose servers all refuse is known by its address', async () => {
  const { proxy, at } = await makeProxy({
    servers: [{ host: '127.0.0.1', port: await bench.refusing() }],
    attemptsMax: 1,
  });
  const over = new Promise<[string, string]>((resolve) => {
    proxy.on('sessionClosed', ({ session, outcome }) => resolve([`${session.peer}`, outcome.ending]));
  });
  const socket = bench.dialing(at);
  await once(socket, 'connect');
  const from = textOf(socket);
  expect(await within(5_000, 'the refusal', over)).toEqual([from, 'refused']);
});

test('an adopted socket is known by its address after it was reset', async () => {
  const adopted = new Promise<Client>((resolve) => {
    void bench
      .server((socket) => resolve(bench.keep(adoptClient(socket, { clock: bench.clock }))))
      .then(async ({ at }) => {
        const socket = await bench.dial(at);
        from = textOf(socket);
        socket.resetAndDestroy();
      });
  });
  let from = '';
  const client = await adopted;
  await client.closed;
  expect(`${client.peer}`).toBe(from);
});

test('a Unix socket has no address, and a client that had reset before it was accepted has none any more', async () => {
  const echo = await bench.echo();
  const path = bench.path();
  const { proxy } = await makeProxy({ servers: [echo.at], listen: [{ path }, LOOPBACK] });
  const peers: unknown[] = [];
  proxy.on('clientClosed', ({ client }) => peers.push([client.peer, JSON.parse(JSON.stringify(client)).peer]));
  const socket = await bench.dial({ path });
  socket.end();
  socket.resume();
  await until('the first to leave', () => peers.length === 1);
  await connectAndResetAtOnce((proxy.addresses[1] as { port: number }).port);
  await until('the second to leave', () => peers.length === 2);
  expect(peers).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

describe.each([compiledRuntime, xstateRuntime])('on the $name runtime', (runtime) => {
  test('every transition of a client, its session and its backend says where the client comes from', async () => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at], runtime });
    const told: Transition[] = [];
    const listen = (message: unknown): void => void told.push(message as Transition);
    subscribe(TRANSITION_CHANNEL, listen);
    bench.later(() => unsubscribe(TRANSITION_CHANNEL, listen));
    const over: ProxyEvents['sessionClosed'][] = [];
    proxy.on('sessionClosed', (closed) => over.push([closed]));
    const socket = await bench.dial(at);
    const from = textOf(socket);
    const reader = new Reader(socket);
    socket.end('hello');
    await reader.ends();
    await until('the end of the session', () => over.length === 1);
    const ofIt = told.filter(({ machine }) => ['client', 'session', 'backend'].includes(machine));
    expect(new Set(ofIt.map(({ machine }) => machine)).size).toBe(3);
    expect(ofIt.filter(({ isFinal }) => isFinal)).toHaveLength(3);
    expect(ofIt.filter(({ about: { peer } }) => peer !== from)).toEqual([]);
    expect(told.filter(({ machine, about: { peer } }) => machine === 'listener' && peer !== undefined)).toEqual([]);
  });
});

test('a transition has the time of day', async () => {
  const told: Transition[] = [];
  const listen = (message: unknown): void => void told.push(message as Transition);
  subscribe(TRANSITION_CHANNEL, listen);
  bench.later(() => unsubscribe(TRANSITION_CHANNEL, listen));
  for (const runtime of [compiledRuntime, xstateRuntime]) {
    told.length = 0;
    const before = performance.timeOrigin + performance.now();
    const { createListener, systemClock } = await import('../../src/index.js');
    await createListener({ ...LOOPBACK, runtime, clock: systemClock }).close();
    const after = performance.timeOrigin + performance.now();
    expect(told.length).toBeGreaterThan(1);
    for (const { at } of told) {
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(after);
    }
  }
});
