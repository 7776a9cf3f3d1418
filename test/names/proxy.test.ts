/** A proxy before a name: a real name server on loopback, real servers at several addresses, and clients that never stop. */
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { type AddressesOptions, createProxy, type ServerOptions, Servers } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { type NameServer, nameServer, type Zone } from '../support/name-server.js';
import { Reader } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

type At = { readonly host: string; readonly port: number };

const QUICK = { interval: 20, failureInterval: 20, timeout: 300, tries: 2 } as const;

/** Echo servers at several addresses, all at the same port. */
async function echoes(...hosts: readonly string[]): Promise<number> {
  const [first = '', ...others] = hosts;
  const { port } = (await bench.echo({ host: first, port: 0 })).at as At;
  for (const host of others) await bench.echo({ host, port });
  return port;
}

async function world(zone: Zone, more: AddressesOptions = {}, options: Partial<ServerOptions> = {}) {
  const port = await echoes('127.0.0.2', '127.0.0.3', '127.0.0.4');
  const dns = await nameServer(bench, { 'db.test': zone });
  const addresses = { ...QUICK, nameservers: [dns.at], ...more };
  const set = bench.keepSet(new Servers([{ host: 'db.test', port, addresses, ...options }], { clock: bench.clock }));
  const { at, proxy } = await makeProxy({ servers: set, backoff: undefined });
  return { port, dns, set, at, proxy };
}

async function isServed(at: At): Promise<boolean> {
  const client = bench.own(connect(at));
  const reader = new Reader(client);
  client.end('hello');
  return (await reader.ends()) === 'end' && reader.text === 'hello';
}

async function joined(at: At): Promise<{ client: Socket; reader: Reader }> {
  const client = bench.own(connect(at));
  const reader = new Reader(client);
  client.write('hello');
  await until('the answer', () => reader.text === 'hello');
  return { client, reader };
}

/** Clients that come one after another until they are stopped. */
function load(at: At, count = 6) {
  const seen = { done: 0, failed: 0 };
  let isOver = false;
  const clients = Array.from({ length: count }, async () => {
    while (!isOver) {
      if (!(await isServed(at))) seen.failed++;
      seen.done++;
    }
  });
  return {
    seen,
    some: async (): Promise<void> => {
      const from = seen.done;
      await until('some connections', () => seen.done >= from + 60, 30_000);
    },
    stop: async (): Promise<void> => {
      isOver = true;
      await Promise.all(clients);
    },
  };
}

const hosts = (set: Servers): string[] => set.list.map(({ host }) => host);
const asked = (dns: NameServer): number => dns.asked.length;

test('an address vanishes and comes back under load: no connection fails, and its session goes on', {
  timeout: 60_000,
}, async () => {
  const { dns, set, at } = await world(['127.0.0.2', '127.0.0.3']);
  expect(await isServed(at), 'the first connection waits for the first answer').toBe(true);
  expect(hosts(set)).toEqual(['127.0.0.2', '127.0.0.3']);
  const sessions = [await joined(at), await joined(at)];
  const traffic = load(at);
  await traffic.some();
  const [first] = set.list;
  dns.zones.set('db.test', ['127.0.0.3']);
  await until('it leaves', () => first?.state === 'leaving.wanted');
  const { chosen } = first as { chosen: number };
  await traffic.some();
  expect(first?.chosen, 'nothing new goes there').toBe(chosen);
  await until('only its session is left', () => first?.connections === 1);
  dns.zones.set('db.test', ['127.0.0.4', '127.0.0.2', '127.0.0.3']);
  await until('it is back', () => first?.state === 'serving.up');
  await traffic.some();
  expect(set.list[0], 'the same server').toBe(first);
  expect(hosts(set)).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.4']);
  dns.zones.set('db.test', ['127.0.0.4']);
  await until('two leave', () => set.list.filter(({ state }) => state === 'leaving.wanted').length === 2);
  for (const { client, reader } of sessions) {
    client.write(' again');
    await until('the session goes on', () => reader.text === 'hello again');
    client.end();
    expect(await reader.ends()).toBe('end');
  }
  await until('they are removed', () => set.list.length === 1);
  await traffic.some();
  await traffic.stop();
  expect(traffic.seen.failed).toBe(0);
  expect(traffic.seen.done).toBeGreaterThan(200);
});

test('no failure of the name server fails a connection within the hold time', { timeout: 60_000 }, async () => {
  const { dns, set, at } = await world(['127.0.0.2', '127.0.0.3']);
  const traffic = load(at);
  await traffic.some();
  const [name] = set.names;
  for (const zone of ['SERVFAIL', 'NXDOMAIN', 'REFUSED', 'silent', []] as const) {
    dns.zones.set('db.test', zone);
    await until(`${zone} is noticed`, () => name?.state === 'waiting.held');
    const code = name?.cause?.code;
    const codes = { SERVFAIL: 'ESERVFAIL', NXDOMAIN: 'ENOTFOUND', REFUSED: 'EREFUSED', silent: 'ETIMEOUT' };
    const expected = typeof zone === 'string' ? codes[zone] : 'ENODATA';
    expect(zone === 'silent' ? /^(ETIMEOUT|lookupTimeout)$/ : new RegExp(expected)).toSatisfy((one: RegExp) =>
      one.test(String(code)),
    );
    await traffic.some();
    dns.zones.set('db.test', ['127.0.0.3', '127.0.0.2']);
    await until('it is answered again', () => name?.state === 'waiting.fresh');
  }
  dns.zones.set('db.test', { truncated: ['127.0.0.2', '127.0.0.3', '127.0.0.4'] });
  await until('a truncated answer is whole over TCP', () => set.list.length === 3);
  await traffic.some();
  await traffic.stop();
  expect(traffic.seen.failed).toBe(0);
});

test('an IPv4 address that is gone leaves, also while IPv6 addresses are not answered; those are kept', async () => {
  const { dns, set } = await world({ a: ['127.0.0.2', '127.0.0.3'], aaaa: ['::1'] });
  await until('three servers', () => set.list.length === 3);
  dns.zones.set('db.test', { a: ['127.0.0.2'], aaaa: 'SERVFAIL' });
  await until('one to go', () => set.list.length === 2);
  expect(hosts(set)).toEqual(['127.0.0.2', '::1']);
});

test('after the hold time there is no server; sessions go on, and the next answer takes the servers back', async () => {
  const { dns, set, at } = await world(['127.0.0.2'], { hold: 50 });
  const { client, reader } = await joined(at);
  const [server] = set.list;
  dns.zones.set('db.test', 'NXDOMAIN');
  await until('it is lost', () => server?.state === 'pending.addressing');
  expect(await isServed(at)).toBe(false);
  client.write(' again');
  await until('the session goes on', () => reader.text === 'hello again');
  dns.zones.set('db.test', ['127.0.0.2']);
  await until('it is back', () => server?.state === 'serving.up');
  expect(await isServed(at)).toBe(true);
  client.end();
});

test('a session at an address that is gone is cut at the deadline, by a reset', async () => {
  const port = await echoes('127.0.0.2', '127.0.0.3');
  const dns = await nameServer(bench, { 'db.test': ['127.0.0.2'] });
  const servers = [{ host: 'db.test', port, addresses: { ...QUICK, nameservers: [dns.at] } }];
  const { at } = await makeProxy({ servers, removeTimeout: 60 });
  const { reader } = await joined(at);
  dns.zones.set('db.test', ['127.0.0.3']);
  expect(await reader.ends()).toBe('reset');
  expect(await isServed(at)).toBe(true);
});

test('checks judge each address by itself', async () => {
  const { dns, set, at, port } = await world(
    ['127.0.0.2', '127.0.0.9'],
    {},
    {
      checks: { interval: 20, rise: 1, fall: 1, timeout: 500 },
    },
  );
  await until('one is down', () => set.list.some(({ state }) => state === 'serving.down'));
  expect(set.list.find(({ state }) => state === 'serving.down')?.host).toBe('127.0.0.9');
  expect(await isServed(at)).toBe(true);
  await bench.echo({ host: '127.0.0.9', port });
  await until('it is up', () => set.list.every(({ state }) => state === 'serving.up'));
  dns.zones.set('db.test', ['127.0.0.2']);
  await until('it is removed', () => set.list.length === 1);
});

test('a route may go to a name, for one client', async () => {
  const port = await echoes('127.0.0.2', '127.0.0.3');
  const dns = await nameServer(bench, { 'db.test': ['127.0.0.2', '127.0.0.3'] });
  const proxy = bench.keep(
    createProxy({
      listen: { host: '127.0.0.1', port: 0 },
      clock: bench.clock,
      route: () => ({ host: 'db.test', port, addresses: { ...QUICK, nameservers: [dns.at] } }),
    }),
  );
  await proxy.start();
  expect(await isServed(proxy.addresses[0] as At)).toBe(true);
  await until('the session is over', () => proxy.sessions.length === 0);
  const before = asked(dns);
  await until('the questions of that session are over', () => bench.clock.pending.size === 0);
  expect(asked(dns), 'the name is looked up no more').toBeLessThanOrEqual(before + 2);
});

test('a service says ports, and what is a backup', async () => {
  const first = (await bench.echo({ host: '127.0.0.2', port: 0 })).at as At;
  const second = (await bench.echo({ host: '127.0.0.3', port: 0 })).at as At;
  const services = [
    { target: 'a.test', port: first.port, priority: 10, weight: 5 },
    { target: 'b.test', port: second.port, priority: 20, weight: 5 },
  ];
  const dns = await nameServer(bench, {
    '_echo._tcp.test': { services },
    'a.test': ['127.0.0.2'],
    'b.test': ['127.0.0.3'],
  });
  const addresses = { ...QUICK, nameservers: [dns.at] };
  const set = bench.keepSet(new Servers([{ host: '_echo._tcp.test', addresses }], { clock: bench.clock }));
  const { at } = await makeProxy({ servers: set, backoff: undefined });
  expect(await isServed(at)).toBe(true);
  expect(set.list.map(({ name, backup, weight }) => [name, backup, weight])).toEqual([
    [`_echo._tcp.test/127.0.0.2:${first.port}`, false, 5],
    [`_echo._tcp.test/127.0.0.3:${second.port}`, true, 5],
  ]);
  dns.zones.set('_echo._tcp.test', { services: services.slice(1) });
  await until('the backup is first', () => set.list.length === 1 && set.list[0]?.backup === false);
  expect(await isServed(at)).toBe(true);
});

test('the system is asked, too', async () => {
  const { port } = (await bench.echo()).at as At;
  const set = bench.keepSet(
    new Servers([{ host: 'localhost', port, family: 4, addresses: { by: 'system' } }], { clock: bench.clock }),
  );
  const { at } = await makeProxy({ servers: set, backoff: undefined });
  expect(await isServed(at)).toBe(true);
  expect(hosts(set)).toEqual(['127.0.0.1']);
});
