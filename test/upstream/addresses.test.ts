/** From which address a server is connected, and to which of its own: `localAddress`, `family`, the time for each address. */
import type { LookupAddress } from 'node:dns';
import { connect, type LookupFunction, Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type ServerOptions, Servers } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { CERTIFICATE } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

/** A look-up that answers as the system does: with the addresses of the family that it is asked for. */
const answering =
  (addresses: readonly LookupAddress[], asked: unknown[] = []): LookupFunction =>
  (_host, options, callback) => {
    asked.push(options.family);
    const found = addresses.filter(({ family }) => !options.family || family === options.family);
    process.nextTick(callback, null, found);
  };

const address = (text: string): LookupAddress => ({ address: text, family: text.includes(':') ? 6 : 4 });

describe('localAddress', () => {
  test.each([true, false])('is where the server sees the proxy come from; TLS: %s', async (isTls) => {
    const server = isTls ? await bench.tls() : await bench.echo();
    const tls = isTls && { ca: CERTIFICATE.cert };
    const { at } = await makeProxy({ servers: [{ port: server.port, tls, localAddress: '127.0.0.7' }] });
    bench.own(connect(at)).write('x');
    expect((await server.connection()).remoteAddress).toBe('127.0.0.7');
  });

  test('each attempt goes to another address of the name, and the next connection to the one that worked', async () => {
    const { port } = await bench.echo({ host: '127.0.0.3' });
    const asked: unknown[] = [];
    const lookup = answering(['::1', '127.0.0.1', '127.0.0.2', '127.0.0.3'].map(address), asked);
    const { backend, seen } = makeBackend({
      servers: [{ host: 'three.test', port, localAddress: '127.0.0.7' }],
      lookup,
    });
    const { socket } = await backend.connect();
    expect([socket.localAddress, socket.remoteAddress]).toEqual(['127.0.0.7', '127.0.0.3']);
    expect(seen.filter((line) => line.startsWith('retry'))).toHaveLength(2);
    expect(asked).toEqual([4, 4, 4]);
    socket.destroy();
    await until('the next connection', () => backend.connection !== undefined);
    expect(backend.incarnation).toBe(4);
  });

  test('an address that this machine does not have is a failure of its server alone', async () => {
    const { port } = await bench.echo();
    const { backend } = makeBackend({
      servers: [{ port, localAddress: '192.0.2.1' }, { port }],
      balance: 'inOrder',
      persistent: false,
    });
    const { server } = await backend.connect();
    const [first, second] = backend.servers.list;
    expect(server).toBe(second);
    expect(first?.state).toBe('serving.ejected');
  });
});

describe('family', () => {
  test.each([
    [4, '127.0.0.2'],
    [6, '::1'],
  ] as const)('%i: only such addresses are tried', async (family, host) => {
    const { port } = await bench.echo({ host });
    const asked: unknown[] = [];
    const addresses = family === 4 ? ['::1', '127.0.0.1', '127.0.0.2'] : ['127.0.0.1', '::1'];
    const { backend } = makeBackend({
      servers: [{ host: 'both.test', port, family, lookup: answering(addresses.map(address), asked) }],
      persistent: false,
      attemptsMax: 1,
    });
    expect((await backend.connect()).socket.remoteAddress).toBe(host);
    expect(asked).toEqual([family]);
  });

  test('localhost is looked up so, too', async () => {
    const { port } = await bench.echo({ host: '127.0.0.1' });
    const { backend } = makeBackend({ servers: [{ host: 'localhost', port, family: 4 }], attemptsMax: 1 });
    expect((await backend.connect()).socket.remoteFamily).toBe('IPv4');
  });
});

test('autoSelectFamilyAttemptTimeout: the time until the next address is tried', async () => {
  const hole = await bench.blackhole();
  await bench.echo({ host: '127.0.0.2', port: hole });
  const at = { host: 'two.test', port: hole, lookup: answering(['127.0.0.1', '127.0.0.2'].map(address)) };
  const { backend } = makeBackend({ servers: [{ ...at, autoSelectFamilyAttemptTimeout: 20 }], connectTimeout: 60_000 });
  // Its share of the whole attempt would be 10 seconds.
  const { socket } = await backend.connect();
  expect(socket.remoteAddress).toBe('127.0.0.2');
});

const REFUSED: [string, unknown, Partial<ServerOptions>][] = [
  ['localAddress', 'eth0', {}],
  ['localAddress', 'eth0', { host: 'db.test' }],
  ['localAddress', '', {}],
  ['localAddress', 7, {}],
  ['localAddress', '::1', { host: '127.0.0.1' }],
  ['localAddress', '127.0.0.1', { path: '/x' }],
  ['localAddress', '127.0.0.1', { connect: () => new Socket() }],
  ['family', 0, {}],
  ['family', 'IPv4', {}],
  ['family', 6, { host: '127.0.0.1' }],
  ['family', 6, { host: 'db.test', localAddress: '127.0.0.1' }],
  ['family', 4, { path: '/x' }],
  ['autoSelectFamilyAttemptTimeout', 9, {}],
  ['autoSelectFamilyAttemptTimeout', 250.5, {}],
  ['autoSelectFamilyAttemptTimeout', '250', {}],
  ['autoSelectFamilyAttemptTimeout', 250, { host: 'db.test', localAddress: '127.0.0.1' }],
  ['autoSelectFamilyAttemptTimeout', 250, { path: '/x' }],
];

test.each(REFUSED)('%s: %j is refused with %j', (option, value, beside) => {
  const where = beside.path === undefined ? { port: 1 } : {};
  expect(() => new Servers([{ ...where, ...beside, [option]: value } as ServerOptions])).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION', option: `servers[0].${option}` }),
  );
});
