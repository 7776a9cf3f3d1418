/** A name that is as many servers as it has addresses: what its answers do to a set of servers. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { LookupFunction } from 'node:net';
import { expect, test } from 'vitest';
import {
  type AddressesOptions,
  type AddressLookup,
  type Cause,
  type FoundAddress,
  OptionError,
  type ServerName,
  type ServerOptions,
  Servers,
  type ServersOptions,
  TRANSITION_CHANNEL,
  type Transition,
} from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { gate, turns } from '../support/wait.js';
import { Asker } from '../upstream/asks.js';

const bench = useBench();

type Answer = readonly (string | FoundAddress)[] | Error | 'silent';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

/** A set with one name, whose answers the test says, and a clock that stands still. */
function makeName(first: Answer, addresses: AddressesOptions = {}, more: Partial<ServerOptions & ServersOptions> = {}) {
  const clock = new ManualClock();
  const { port = 5432, weight, tls, ...set } = more as ServerOptions & ServersOptions;
  const world = { answer: first, asked: 0, running: 0, most: 0, signals: [] as AbortSignal[] };
  const by: AddressLookup = (_host, { signal }) => {
    world.asked++;
    world.signals.push(signal);
    world.most = Math.max(world.most, ++world.running);
    const { answer } = world;
    if (answer === 'silent') {
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          world.running--;
          reject(new Error('It was cancelled.'));
        });
      });
    }
    world.running--;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const options = { host: 'db.test', port, weight, tls, addresses: { by, spread: 0, ...addresses } };
  const servers = bench.keepSet(new Servers([options], { clock, random: () => 0.5, ...set }));
  const changes: string[] = [];
  servers.on('changed', ({ server, from, to, cause }) => {
    changes.push(`${server.host} ${from ?? ''}→${to} ${cause.code ?? cause.manner}`);
  });
  const [name] = servers.names as readonly [ServerName];
  /** The next look-up, after so much time. */
  const next = async (answer: Answer, ms = 5_000): Promise<void> => {
    world.answer = answer;
    clock.advance(ms);
    await turns(2);
  };
  return { clock, servers, name, world, changes, next, options };
}

const timedOut = Object.assign(new Error('queryA ETIMEOUT db.test'), { code: 'ETIMEOUT' });

const hosts = ({ list }: Servers): string[] => list.map(({ host }) => host);
const states = ({ list }: Servers): Record<string, string> =>
  Object.fromEntries(list.map(({ host, state }) => [host, state]));

test('each address is a server, in an order that does not depend on the answer', async () => {
  const { servers, name, changes } = makeName(['10.0.0.3', '10.0.0.1', '::1', '10.0.0.3']);
  expect(servers.list, 'not answered yet').toEqual([]);
  await turns();
  expect(servers.list.map(String)).toEqual(['db.test/10.0.0.1:5432', 'db.test/10.0.0.3:5432', 'db.test/[::1]:5432']);
  expect(name.addresses).toEqual(['10.0.0.1:5432', '10.0.0.3:5432', '[::1]:5432']);
  expect(name.servers).toEqual(servers.list);
  expect(servers.list[0]?.cause).toEqual({
    initiator: 'system',
    manner: 'answer',
    phase: 'resolving',
    code: 'addressFound',
    answer: { name: 'db.test', addresses: name.addresses },
  });
  expect(changes[0]).toBe('10.0.0.1 →up addressFound');
  expect(servers.list[0]?.parentId).toBe(name.id);
});

test('a new address is added, and one that is gone leaves: at once where it has no session', async () => {
  const { servers, name, changes, next } = makeName(['10.0.0.1', '10.0.0.2']);
  const told: string[] = [];
  name.on('changed', ({ addresses, added, gone }) => told.push(`${addresses} +${added} -${gone}`));
  await turns();
  changes.length = 0;
  await next(['10.0.0.2', '10.0.0.3']);
  expect(hosts(servers)).toEqual(['10.0.0.2', '10.0.0.3']);
  expect(changes).toEqual([
    '10.0.0.1 up→leaving addressGone',
    '10.0.0.1 leaving→closed addressGone',
    '10.0.0.3 →up addressFound',
  ]);
  await next(['10.0.0.3', '10.0.0.2']);
  expect(changes, 'the order changes nothing').toHaveLength(3);
  expect(told).toEqual([
    '10.0.0.1:5432,10.0.0.2:5432 +db.test/10.0.0.1:5432,db.test/10.0.0.2:5432 -',
    '10.0.0.2:5432,10.0.0.3:5432 +db.test/10.0.0.3:5432 -db.test/10.0.0.1:5432',
  ]);
});

test('sessions of an address that is gone go on until they end', async () => {
  const { servers, next } = makeName(['10.0.0.1', '10.0.0.2'], {}, { balance: 'inOrder' });
  await turns();
  const asker = new Asker(servers);
  const server = asker.ask();
  expect(server?.host).toBe('10.0.0.1');
  await next(['10.0.0.2']);
  expect(states(servers)).toEqual({ '10.0.0.1': 'leaving.wanted', '10.0.0.2': 'serving.up' });
  expect(new Asker(servers).ask()?.host, 'nothing new').toBe('10.0.0.2');
  await next(['10.0.0.2']);
  servers.leave(server as never);
  expect(hosts(servers)).toEqual(['10.0.0.2']);
});

test('… and are cut at the deadline', async () => {
  const { servers, next } = makeName(['10.0.0.1', '10.0.0.2'], {}, { balance: 'inOrder', removeTimeout: 7_000 });
  await turns();
  const server = new Asker(servers).ask();
  await next(['10.0.0.2']);
  await next(['10.0.0.2']);
  await next(['10.0.0.2'], 1_999);
  expect(server?.state).toBe('leaving.wanted');
  await next(['10.0.0.2'], 1);
  expect(server?.state).toBe('cutting');
  expect(server?.cause).toMatchObject({ manner: 'timeout', code: 'removeTimeout' });
});

test('an address that is there again while its server leaves is taken back, with all that is known of it', async () => {
  const { servers, next, changes } = makeName(
    ['10.0.0.1', '10.0.0.2'],
    {},
    { balance: 'inOrder', removeTimeout: 60_000 },
  );
  await turns();
  const [server] = servers.list;
  const asker = new Asker(servers);
  expect(asker.ask()).toBe(server);
  const other = new Asker(servers);
  expect(other.ask()).toBe(server);
  servers.failed(other, server as never, { initiator: 'peer', manner: 'refusal', phase: 'connecting' });
  servers.leave(server as never);
  expect(server?.state).toBe('serving.ejected');
  await next(['10.0.0.2']);
  expect(server?.state).toBe('leaving.wanted');
  await next(['10.0.0.1', '10.0.0.2']);
  expect(server?.state, 'what traffic said is not forgotten').toBe('serving.trying.free');
  expect(servers.list[0]).toBe(server);
  expect(changes.at(-1)).toBe('10.0.0.1 leaving→trying addressFound');
  servers.leave(server as never);
  expect(hosts(servers), 'it does not leave any more').toContain('10.0.0.1');
});

test('what its owner wants of a server is kept while it leaves', async () => {
  const { servers, next } = makeName(['10.0.0.1', '10.0.0.2'], {}, { balance: 'inOrder' });
  await turns();
  const server = new Asker(servers).ask();
  server?.drain();
  await next(['10.0.0.2']);
  expect(server?.state).toBe('leaving.drained');
  await next(['10.0.0.1', '10.0.0.2']);
  expect(server?.state).toBe('draining');
  await next(['10.0.0.2']);
  server?.maintain();
  await next(['10.0.0.1', '10.0.0.2']);
  expect(server?.state).toBe('maintenance');
  server?.up();
  expect(server?.state).toBe('serving.up');
});

test.each([
  ['ENOTFOUND', 'nx'],
  ['EREFUSED', 'refused'],
  ['ESERVFAIL', 'other'],
] as const)('%s keeps what was good for its hold time, counted from the last answer', async (code, kind) => {
  const hold = { nx: 60_000, refused: 60_000, other: 60_000, [kind]: 12_000 };
  const { servers, name, next, changes } = makeName(['10.0.0.1'], { hold });
  const failed: unknown[] = [];
  name.on('failed', (cause) => failed.push(cause));
  await turns();
  changes.length = 0;
  const error = failure(code);
  await next(error, 5_000);
  for (let second = 6; second <= 11; second++) await next(error, 1_000);
  await next(error, 999);
  expect(name.state).toBe('waiting.held');
  expect(states(servers)).toEqual({ '10.0.0.1': 'serving.up' });
  expect(name.cause).toMatchObject({ code, error, phase: 'resolving', answer: { name: 'db.test', addresses: [] } });
  expect(failed).toHaveLength(7);
  await next(error, 1);
  expect(name.state).toBe('waiting.empty');
  expect(states(servers), 'its sessions are not cut').toEqual({ '10.0.0.1': 'pending.addressing' });
  expect(changes).toEqual([`10.0.0.1 up→pending.addressing ${code}`]);
  expect(servers.list[0]?.cause).toMatchObject({ answer: { name: 'db.test', addresses: [] }, error });
  await next(['10.0.0.1'], 1_000);
  expect(states(servers)).toEqual({ '10.0.0.1': 'serving.up' });
  expect(name.cause).toBeUndefined();
});

test('what was good is kept for ever, if told so', async () => {
  const { servers, next } = makeName(['10.0.0.1'], { hold: false });
  await turns();
  await next(failure('ENOTFOUND'));
  await next(failure('ENOTFOUND'), 600_000);
  expect(states(servers)).toEqual({ '10.0.0.1': 'serving.up' });
});

test('a hold time of 0 keeps nothing', async () => {
  const { servers, next } = makeName(['10.0.0.1'], { hold: { nx: 0 } });
  await turns();
  await next(failure('ESERVFAIL'));
  expect(states(servers)).toEqual({ '10.0.0.1': 'serving.up' });
  await next(failure('ENOTFOUND'), 1_000);
  expect(states(servers)).toEqual({ '10.0.0.1': 'pending.addressing' });
});

test('an address that is lost, and then gone, leaves', async () => {
  const { servers, next } = makeName(['10.0.0.1'], { hold: 0 }, { balance: 'inOrder' });
  await turns();
  const server = new Asker(servers).ask();
  await next(failure('ENOTFOUND'));
  expect(server?.state).toBe('pending.addressing');
  await next(['10.0.0.2'], 1_000);
  expect(server?.state).toBe('leaving.wanted');
  expect(new Asker(servers).ask()?.host).toBe('10.0.0.2');
});

test('an address that is not in the answer any more still counts for `obsolete`', async () => {
  const { servers, next } = makeName(['10.0.0.1', '10.0.0.2'], { hold: { obsolete: 9_000 } });
  await turns();
  await next(['10.0.0.2']);
  expect(states(servers)).toEqual({ '10.0.0.1': 'serving.up', '10.0.0.2': 'serving.up' });
  await next(['10.0.0.2']);
  expect(hosts(servers)).toEqual(['10.0.0.2']);
});

test('an answer without an address is a failure, unless told otherwise', async () => {
  const strict = makeName(['10.0.0.1']);
  await turns();
  await strict.next([]);
  expect(strict.name.cause).toMatchObject({ code: 'ENODATA', initiator: 'system' });
  expect(hosts(strict.servers)).toEqual(['10.0.0.1']);
  const lax = makeName(['10.0.0.1'], { mayBeEmpty: true });
  await turns();
  await lax.next([]);
  expect(hosts(lax.servers)).toEqual([]);
  expect(lax.name.cause).toBeUndefined();
});

test('a connection waits for the first answer', async () => {
  const { servers } = makeName(['10.0.0.1']);
  const asker = new Asker(servers);
  expect(asker.ask()).toBeUndefined();
  await turns();
  expect(asker.called).toBe(1);
  expect(asker.ask()?.host).toBe('10.0.0.1');
});

test('… and fails with the reason if there is none', async () => {
  const { servers } = makeName(failure('ENOTFOUND'));
  const asker = new Asker(servers);
  expect(asker.ask()).toBeUndefined();
  await turns();
  expect(asker.called).toBe(1);
  expect(servers.choose(asker)).toMatchObject({
    kind: 'exhausted',
    cause: { code: 'ENOTFOUND', answer: { name: 'db.test', addresses: [] } },
  });
});

test('… and fails at once if the first answer has no address', async () => {
  const { servers } = makeName([], { mayBeEmpty: true });
  const asker = new Asker(servers);
  expect(asker.ask()).toBeUndefined();
  await turns();
  expect(asker.called).toBe(1);
  expect(servers.choose(asker)).toMatchObject({ kind: 'exhausted', cause: { code: 'noServers' } });
});

test('… or no server that may be chosen before its first check', async () => {
  const never = (): Promise<void> => new Promise(() => {});
  const { servers } = makeName(['10.0.0.1'], {}, { panic: 0, checks: { init: 'down', by: never } });
  const asker = new Asker(servers);
  expect(asker.ask()).toBeUndefined();
  await turns();
  expect(asker.called).toBe(1);
  expect(servers.choose(asker).kind).toBe('exhausted');
});

test('a set tells each look-up that is over, however its name came to it', async () => {
  const { servers, name, next, options } = makeName(['10.0.0.1'], { timeout: 100, tries: 2 });
  const told: string[] = [];
  servers.on('lookedUp', (lookup) => told.push(`${lookup.name} ${lookup.result} ${lookup.cause?.code ?? ''}`));
  await turns();
  await next(failure('ENOTFOUND'));
  await next('silent', 1_000);
  await next('silent', 100);
  await next('silent', 100);
  await next(['10.0.0.1'], 1_000);
  const other = servers.addName({ ...options, name: 'other', addresses: { by: () => [] } });
  await turns();
  expect(told).toEqual([
    'db.test answered ',
    'db.test nx ENOTFOUND',
    'db.test timeout lookupTimeout',
    'db.test answered ',
    'other other ENODATA',
  ]);
  expect(servers.toJSON()).toMatchObject({
    list: [{ name: 'db.test/10.0.0.1:5432' }],
    names: [
      { name: 'db.test', state: 'waiting.fresh', addresses: name.addresses, servers: ['db.test/10.0.0.1:5432'] },
      { name: 'other', state: 'waiting.empty', cause: { code: 'ENODATA' }, addresses: [] },
    ],
  });
  await other.close();
});

test('a look-up function of the user’s that never answers is called again', async () => {
  let asked = 0;
  const lookup: LookupFunction = (_host, _options, callback) => {
    if (++asked > 1) callback(null, [{ address: '10.0.0.1', family: 4 }]);
  };
  const { servers, name, next } = makeName([], { by: 'system', timeout: 500, tries: 1 }, { lookup });
  await turns();
  await next([], 500);
  expect(name.cause).toMatchObject({ code: 'lookupTimeout' });
  await next([], 1_000);
  expect([asked, ...hosts(servers)]).toEqual([2, '10.0.0.1']);
});

test('a look-up that takes too long is cancelled and tried again; after so many tries it has failed', async () => {
  const { name, world, next, clock } = makeName(['10.0.0.1'], { timeout: 500, tries: 2, hold: { timeout: 30_000 } });
  await turns();
  await next('silent');
  expect([name.state, world.asked]).toEqual(['asking', 2]);
  expect(world.signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  await next('silent', 499);
  expect(world.asked).toBe(2);
  await next('silent', 1);
  expect([name.state, world.asked]).toEqual(['asking', 3]);
  expect(world.signals[1]?.aborted).toBe(true);
  await next('silent', 500);
  expect(name.state).toBe('waiting.held');
  expect(name.cause).toMatchObject({ initiator: 'library', manner: 'timeout', code: 'lookupTimeout' });
  expect(world.most, 'one at a time').toBe(1);
  expect(clock.now()).toBeLessThan(30_000);
});

test.each<[string, () => Promise<readonly string[]>, Partial<Cause>]>([
  ['takes too long', () => new Promise(() => {}), { initiator: 'library', manner: 'timeout', code: 'lookupTimeout' }],
  ['times out by itself', () => Promise.reject(timedOut), { phase: 'resolving', code: 'ETIMEOUT', error: timedOut }],
])('a look-up that %s is tried again, and who observes is told why', async (_what, first, cause) => {
  let asked = 0;
  const by = (): Promise<readonly string[]> => (asked++ === 0 ? first() : new Promise(() => {}));
  const seen: (Cause | undefined)[] = [];
  const observe = (message: unknown): void => {
    const { machine, from, to, cause } = message as Transition;
    if (machine === 'name' && from === 'asking' && to === 'asking') seen.push(cause);
  };
  subscribe(TRANSITION_CHANNEL, observe);
  try {
    const { name, next } = makeName([], { by, tries: 2, timeout: 500 });
    await turns();
    if (asked === 1) await next('silent', 500);
    expect([name.state, asked]).toEqual(['asking', 2]);
  } finally {
    unsubscribe(TRANSITION_CHANNEL, observe);
  }
  expect(seen).toEqual([expect.objectContaining(cause)]);
});

test('a late answer changes nothing', async () => {
  const late = gate<readonly string[]>();
  let asked = 0;
  const by = (): Promise<readonly string[]> | readonly string[] => (asked++ === 0 ? late.promise : ['10.0.0.2']);
  const { servers, next } = makeName([], { by, timeout: 500 });
  await next([], 500);
  expect(hosts(servers)).toEqual(['10.0.0.2']);
  late.open(['10.0.0.1']);
  await turns();
  expect(hosts(servers)).toEqual(['10.0.0.2']);
});

test('the answer says for how long it is good; the name is not looked up before', async () => {
  let asked = 0;
  const answer = (): { addresses: string[]; ttlMs: number } => {
    asked++;
    return { addresses: ['10.0.0.1'], ttlMs: 60_000 };
  };
  const patient = makeName([], { by: answer });
  await turns();
  await patient.next([], 59_999);
  expect(asked).toBe(1);
  await patient.next([], 1);
  expect(asked).toBe(2);
  const hasty = makeName([], { by: answer, respectTtl: false });
  await turns();
  await hasty.next([]);
  expect(asked).toBe(4);
});

test('refresh() looks it up now', async () => {
  const { servers, name, world } = makeName(['10.0.0.1']);
  await turns();
  world.answer = ['10.0.0.2'];
  name.refresh();
  await turns();
  expect(hosts(servers)).toEqual(['10.0.0.2']);
});

test('what an address says of itself: port, weight, backup; a change counts while it runs', async () => {
  const { servers, next } = makeName([{ address: '10.0.0.1', port: 1, weight: 3 }, '10.0.0.2'], {}, { weight: 2 });
  await turns();
  const seen = () => servers.list.map(({ host, port, weight, backup }) => `${host} ${port} ${weight} ${backup}`);
  expect(seen()).toEqual(['10.0.0.1 1 3 false', '10.0.0.2 5432 2 false']);
  const [server] = servers.list;
  await next([
    { address: '10.0.0.1', port: 1, weight: 0 },
    { address: '10.0.0.2', backup: true },
  ]);
  expect(seen()).toEqual(['10.0.0.1 1 0 false', '10.0.0.2 5432 2 true']);
  expect(servers.list[0]).toBe(server);
  const [, other] = servers.list;
  if (other !== undefined) other.weight = 7;
  await next([
    { address: '10.0.0.2', backup: true },
    { address: '10.0.0.1', port: 1, weight: 0 },
  ]);
  expect(other?.weight, 'what its owner has set is not undone by the same answer').toBe(7);
});

test('no more servers than the limit; those that are there stay', async () => {
  const { servers, next } = makeName(['10.0.0.5', '10.0.0.6'], { serversMax: 2 });
  await turns();
  await next(['10.0.0.1', '10.0.0.5', '10.0.0.6']);
  expect(hosts(servers)).toEqual(['10.0.0.5', '10.0.0.6']);
  await next(['10.0.0.2', '10.0.0.1', '10.0.0.6']);
  expect(hosts(servers)).toEqual(['10.0.0.6', '10.0.0.1']);
});

test('a server that its user has removed comes back with the next answer', async () => {
  const { servers, next } = makeName(['10.0.0.1', '10.0.0.2']);
  await turns();
  const [server] = servers.list;
  await server?.remove();
  expect(hosts(servers)).toEqual(['10.0.0.2']);
  await next(['10.0.0.1', '10.0.0.2']);
  expect(hosts(servers)).toEqual(['10.0.0.2', '10.0.0.1']);
  expect(servers.list[1]).not.toBe(server);
});

test('replace(): the same name keeps its servers, and what can change does; another one goes with its servers', async () => {
  const { servers, name, options } = makeName(['10.0.0.1', '10.0.0.2']);
  await turns();
  const before = servers.list;
  servers.replace([{ ...options, weight: 5 }]);
  expect(servers.names).toEqual([name]);
  expect(servers.list).toEqual(before);
  expect(servers.list.map(({ weight }) => weight)).toEqual([5, 5]);
  const other = () => ['10.0.1.1'];
  servers.replace([{ port: 1 }, { host: 'other.test', port: 2, addresses: { by: other } }]);
  await turns();
  expect(hosts(servers)).toEqual(['127.0.0.1', '10.0.1.1']);
  expect(servers.names.map(String)).toEqual(['other.test']);
  expect(name.state).toBe('closed');
  const bad = { host: 'bad.test', port: 2, addresses: { interval: -1 } };
  expect(() => servers.replace([bad])).toThrow(OptionError);
  expect(hosts(servers), 'a mistake changes nothing').toEqual(['127.0.0.1', '10.0.1.1']);
});

test('addName() and close()', async () => {
  const { servers, clock } = makeName(['10.0.0.1']);
  await turns();
  const name = servers.addName({ host: 'other.test', port: 1, addresses: { by: () => ['10.0.1.1'] } });
  await turns();
  expect(hosts(servers)).toEqual(['10.0.0.1', '10.0.1.1']);
  expect(await name.close({ timeoutMs: 1 })).toMatchObject({ ending: 'closed' });
  expect(hosts(servers)).toEqual(['10.0.0.1']);
  await expect(name.close({ timeoutMs: -1 })).rejects.toThrow(OptionError);
  await servers.close();
  expect([hosts(servers), servers.names]).toEqual([[], []]);
  expect(clock.pending, 'no timer is left').toBe(0);
  expect(() => servers.addName({ host: 'x.test', port: 1, addresses: true })).toThrow('closed');
});

test('the certificate is for the name', async () => {
  const { servers } = makeName(['10.0.0.1'], {}, { tls: true });
  await turns();
  expect(servers.list[0]?.tls?.options).toMatchObject({ servername: 'db.test' });
});

const NAMED = { host: 'db.test', port: 5432, addresses: true } as const;
const SERVICE = '_pg._tcp.db.test';

test.each<[string, unknown, RegExp]>([
  ['an address as host', { ...NAMED, host: '10.0.0.1' }, /servers\[0\]\.addresses/],
  ['no host', { port: 1, addresses: true }, /servers\[0\]\.addresses/],
  ['a path', { path: '/tmp/s', addresses: true }, /servers\[0\]\.addresses/],
  ['no port', { host: 'db.test', addresses: true }, /servers\[0\]\.port/],
  ['a lookup', { ...NAMED, lookup: () => {} }, /servers\[0\]\.lookup.*addresses\.by/],
  ['what is no option', { ...NAMED, addresses: { intervall: 1 } }, /spelt "interval"/],
  ['what is no object', { ...NAMED, addresses: 'yes' }, /servers\[0\]\.addresses/],
  ['a bad interval', { ...NAMED, addresses: { interval: 0 } }, /servers\[0\]\.addresses\.interval/],
  ['endless tries', { ...NAMED, addresses: { tries: Infinity } }, /servers\[0\]\.addresses\.tries/],
  ['a bad by', { ...NAMED, addresses: { by: 'consul' } }, /"dns", "system" or a function/],
  ['bad records', { ...NAMED, addresses: { records: 'a' } }, /"address" or "srv"/],
  ['records that the system has not', { ...NAMED, addresses: { by: 'system', records: 'srv' } }, /records/],
  ['bad name servers', { ...NAMED, addresses: { nameservers: ['ns.test'] } }, /nameservers/],
  ['no name servers', { ...NAMED, addresses: { nameservers: [] } }, /nameservers/],
  ['a bad port of one', { ...NAMED, addresses: { nameservers: ['127.0.0.1:70000'] } }, /nameservers/],
  ['a bad hold', { ...NAMED, addresses: { hold: { nx: -1 } } }, /addresses\.hold\.nx/],
  ['a hold that there is not', { ...NAMED, addresses: { hold: { valid: 1 } } }, /addresses\.hold\.valid/],
  ['a service with a port', { ...NAMED, host: SERVICE }, /servers\[0\]\.port.*whose records say it/],
  ['a service with an unnamed certificate', { host: SERVICE, addresses: true, tls: true }, /tls\.servername/],
  ['a mistake beside it', { ...NAMED, weight: -1 }, /servers\[0\]\.weight/],
])('bad options: %s', (_what, options, expected) => {
  expect(() => new Servers([options as ServerOptions])).toThrow(expected);
  expect(() => new Servers([options as ServerOptions])).toThrow(OptionError);
});

test('add() says where a name is added', () => {
  const { servers } = makeName(['10.0.0.1']);
  expect(() => servers.add(NAMED)).toThrow(/addName/);
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['a name', ['db.test']],
  ['no address', [{ port: 1 }]],
  ['a bad port', [{ address: '10.0.0.2', port: 0 }]],
  ['a bad weight', [{ address: '10.0.0.2', weight: 300 }]],
  ['an unknown word', [{ address: '10.0.0.2', wieght: 1 }]],
  ['a bad time', { addresses: ['10.0.0.2'], ttlMs: -1 }],
  ['no list', { addresses: '10.0.0.2' }],
])('an answer that is none is a failure: %s', async (_what, answer) => {
  const { servers, name, next } = makeName(['10.0.0.1']);
  await turns();
  await next(answer as never);
  expect(hosts(servers)).toEqual(['10.0.0.1']);
  expect(name.cause).toMatchObject({ initiator: 'owner', error: expect.any(OptionError) });
});

test('what a look-up throws, whatever it is, is a failure', async () => {
  for (const thrown of [
    undefined,
    null,
    'no',
    {
      get code() {
        throw new Error('No code.');
      },
    },
  ]) {
    const by = (): never => {
      throw thrown;
    };
    const { name } = makeName([], { by });
    await turns();
    expect(name.state).toBe('waiting.empty');
    expect(name.cause?.code).toBe('UNKNOWN');
  }
});
