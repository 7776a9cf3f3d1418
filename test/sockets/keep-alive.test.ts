/** Whether TCP asks for a silent peer, as the system itself tells: what comes of it needs a network that loses peers. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Client } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE, dialTls } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeListener, makeProxy } = makers(bench);

const KEEP_ALIVE_MS = 30_000;
/** The number of the system's timer that sends probes. */
const PROBES = '02';

const hex = (port: number | undefined): string => (port as number).toString(16).toUpperCase().padStart(4, '0');

/** When the system is going to send a probe for a socket of this process, in milliseconds; undefined if never. */
function nextProbeMs({ localPort, remotePort }: Socket): number | undefined {
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local, remote, , , timer = ''] = line.trim().split(/\s+/);
    if (local?.endsWith(`:${hex(localPort)}`) !== true || remote?.endsWith(`:${hex(remotePort)}`) !== true) continue;
    const [kind, when = ''] = timer.split(':');
    // In hundredths of a second, whatever the kernel's own clock is.
    return kind === PROBES ? Number.parseInt(when, 16) * 10 : undefined;
  }
  throw new Error(`The system knows no connection from ${localPort} to ${remotePort}.`);
}

const soon = (ms: number | undefined): boolean => ms !== undefined && ms > KEEP_ALIVE_MS / 2 && ms <= KEEP_ALIVE_MS;

describe.skipIf(process.platform !== 'linux')('keepAlive', () => {
  test.each([
    ['on', KEEP_ALIVE_MS],
    ['off', undefined],
  ])('of a backend, %s', async (_what, keepAlive) => {
    const server = await bench.echo();
    const { backend } = makeBackend({ servers: [server.at], keepAlive });
    const { socket } = await backend.connect();
    expect(soon(nextProbeMs(socket))).toBe(keepAlive !== undefined);
  });

  test('of a backend that speaks TLS', async () => {
    const server = await bench.tls();
    const { backend } = makeBackend({
      servers: [{ ...server.at, tls: { ca: CERTIFICATE.cert } }],
      keepAlive: KEEP_ALIVE_MS,
    });
    const { socket } = await backend.connect();
    expect(socket).toHaveProperty('encrypted', true);
    await until('a probe to be due', () => soon(nextProbeMs(socket)));
  });

  test.each([true, false])('of a socket that a connect hook returns; TLS: %s', async (isTls) => {
    const server = isTls ? await bench.tls() : await bench.echo();
    const dial = () => (isTls ? dialTls(server.at) : connect(server.at as { port: number }));
    const { backend } = makeBackend({ servers: [{ port: 1, connect: dial }], keepAlive: KEEP_ALIVE_MS });
    const { socket } = await backend.connect();
    await until('a probe to be due', () => soon(nextProbeMs(socket)));
  });

  test('of a socket that a connect hook returns stays as it is without the option', async () => {
    const server = await bench.echo();
    const socket = connect({
      ...(server.at as { port: number }),
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    const { backend } = makeBackend({ servers: [{ port: 1, connect: () => socket }] });
    await backend.connect();
    expect(soon(nextProbeMs(socket))).toBe(true);
  });

  test.each([
    ['on', KEEP_ALIVE_MS],
    ['off', undefined],
  ])('of a client, %s', async (_what, keepAlive) => {
    const listener = makeListener({ keepAlive });
    const came = new Promise<Client>((resolve) => listener.once('client', resolve));
    await bench.dial((await listener.start()) as { port: number });
    const { socket } = await came;
    expect(soon(nextProbeMs(socket))).toBe(keepAlive !== undefined);
  });

  test.each([
    ['on', KEEP_ALIVE_MS],
    ['off', undefined],
  ])('of both legs of a relay, %s', async (_what, keepAlive) => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at], keepAlive });
    await bench.dial(at);
    await until('a relay', () => proxy.sessions.some((session) => session.matches('relaying')));
    const [session] = proxy.sessions;
    for (const socket of [session?.client.socket, session?.backend.socket] as Socket[]) {
      expect(soon(nextProbeMs(socket))).toBe(keepAlive !== undefined);
    }
  });
});

type Handled = Socket & { _handle: { setNoDelay(on: boolean): number } };

describe('noDelay of a socket that a connect hook returns', () => {
  test.each([
    [undefined, [true]],
    [false, []],
  ] as const)('%s', async (noDelay, set) => {
    const server = await bench.echo();
    const socket = connect(server.at as { port: number }) as Handled;
    const given: boolean[] = [];
    const { setNoDelay } = socket._handle;
    socket._handle.setNoDelay = (on) => {
      given.push(on);
      return setNoDelay.call(socket._handle, on);
    };
    const { backend } = makeBackend({ servers: [{ port: 1, connect: () => socket }], noDelay });
    await backend.connect();
    expect(given).toEqual(set);
  });
});
