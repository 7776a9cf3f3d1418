/** What is asked of name servers, and what their answers mean: against a real one on loopback. */
import dns from 'node:dns';
import { afterEach, expect, test, vi } from 'vitest';
import { askDns, type DnsQuestion } from '../../src/names/dns.js';
import { failedBy, foundOf } from '../../src/names/found.js';
import { useBench } from '../support/bench.js';
import { type NameServer, nameServer, type Zone } from '../support/name-server.js';

const bench = useBench();

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const QUESTION = { host: 'db.test', port: 5432, isService: false, nameservers: undefined, targetsMax: 10 };

type More = Partial<DnsQuestion> & { family?: 4 | 6 | undefined; timeoutMs?: number; signal?: AbortSignal };

const ask = (at: readonly string[], more: More = {}) => {
  const { family, timeoutMs = 2_000, signal = new AbortController().signal, ...question } = more;
  return askDns({ ...QUESTION, nameservers: at, ...question }, { signal, timeoutMs, family });
};

const server = (zone: Zone, more: Readonly<Record<string, Zone>> = {}): Promise<NameServer> =>
  nameServer(bench, { 'db.test': zone, ...more });

const keys = ({ places }: Awaited<ReturnType<typeof askDns>>): string[] => places.map(({ key }) => key);
const failure = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error) => failedBy(error, false).failure,
  );

test('the addresses of both kinds, each once, in an order of their own', async () => {
  const { at } = await server(['127.0.0.3', '::1', '127.0.0.2', '127.0.0.3']);
  expect(keys(await ask([at]))).toEqual(['127.0.0.2:5432', '127.0.0.3:5432', '[::1]:5432']);
  expect(keys(await ask([at], { family: 4 }))).toEqual(['127.0.0.2:5432', '127.0.0.3:5432']);
  expect(keys(await ask([at], { family: 6 }))).toEqual(['[::1]:5432']);
});

test('the time to live is the shortest one, in milliseconds', async () => {
  const zone = { a: { ttl: 30, addresses: ['127.0.0.2'] }, aaaa: { ttl: 20, addresses: ['::1'] } };
  const { at } = await server(zone);
  expect(await ask([at])).toMatchObject({ ttlMs: 20_000, missing: undefined });
});

test.each([
  ['NXDOMAIN', 'nx'],
  ['REFUSED', 'refused'],
  ['SERVFAIL', 'other'],
  ['silent', 'timeout'],
] as const)('%s is a failure of the kind %s', async (zone, expected) => {
  const { at } = await server(zone);
  expect(await failure(ask([at], { timeoutMs: 300 }))).toBe(expected);
});

test('a name without an address of either kind has an empty answer', async () => {
  const { at } = await server([]);
  for (const family of [undefined, 4, 6] as const) {
    expect(await ask([at], { family })).toEqual({ places: [], ttlMs: 0, missing: undefined });
  }
});

test('IPv4 addresses may be those that are missing', async () => {
  const { at } = await server({ a: 'SERVFAIL', aaaa: ['::1'] });
  expect((await ask([at])).missing).toMatchObject({ family: 4 });
});

test('a truncated answer is asked for again over TCP', async () => {
  const many = Array.from({ length: 80 }, (_, index) => `127.0.1.${index + 1}`);
  const { at } = await server({ truncated: many });
  expect(keys(await ask([at]))).toHaveLength(80);
});

test.each(['SERVFAIL', 'silent'] as const)('addresses of one kind count, and the other kind is %s', async (aaaa) => {
  const { at } = await server({ a: { ttl: 3_600, addresses: ['127.0.0.2'] }, aaaa });
  const found = await ask([at], { timeoutMs: 400 });
  expect(keys(found)).toEqual(['127.0.0.2:5432']);
  expect(found.missing).toMatchObject({
    failure: aaaa === 'silent' ? 'timeout' : 'other',
    cause: { initiator: 'system' },
    family: 6,
  });
  expect(found.ttlMs, 'the other kind is asked for again soon').toBe(0);
});

test('a kind that the name has not is no failure', async () => {
  const { at } = await server({ a: ['127.0.0.2'], aaaa: 'NXDOMAIN' });
  expect((await ask([at])).missing).toBeUndefined();
  const other = await server({ a: 'NXDOMAIN', aaaa: ['::1'] });
  expect(await ask([other.at])).toMatchObject({ places: [{ address: '::1' }], missing: undefined });
});

test('all name servers are asked, and the first one that answers counts', async () => {
  const silent = await server('silent');
  const refusing = await server('REFUSED');
  const good = await server(['127.0.0.2']);
  expect(keys(await ask([silent.at, refusing.at, good.at], { timeoutMs: 5_000 }))).toEqual(['127.0.0.2:5432']);
  expect(silent.asked.length).toBeGreaterThan(0);
  expect(await failure(ask([silent.at, refusing.at], { timeoutMs: 300 })), 'silence says less').toBe('refused');
});

test('a service: ports, weights, and what comes first', async () => {
  const { at } = await server(
    {
      services: [
        { target: 'b.test', port: 2, weight: 3, priority: 20 },
        { target: 'a.test', port: 1, weight: 0, priority: 10 },
        { target: 'c.test', port: 3, weight: 7, priority: 10 },
      ],
    },
    { 'a.test': ['127.0.0.2', '127.0.0.3'], 'b.test': ['127.0.0.2'], 'c.test': ['::1'] },
  );
  const { places } = await ask([at], { isService: true, port: undefined });
  expect(places.map(({ key, weight, backup }) => `${key} ${weight} ${backup}`)).toEqual([
    '127.0.0.2:1 1 false',
    '127.0.0.2:2 3 true',
    '127.0.0.3:1 1 false',
    '[::1]:3 7 false',
  ]);
});

test('large weights of records keep their proportion', async () => {
  const services = [10_000, 20_000, 5].map((weight, index) => ({ target: 'a.test', port: index + 1, weight }));
  const { at } = await server({ services }, { 'a.test': ['127.0.0.2'] });
  const { places } = await ask([at], { isService: true });
  expect(places.map(({ weight }) => weight)).toEqual([128, 256, 1]);
});

test('a target that is not answered is missing; a service that is not offered has no server', async () => {
  const services = [
    { target: 'a.test', port: 1 },
    { target: 'b.test', port: 2 },
  ];
  const { at } = await server({ services }, { 'a.test': ['127.0.0.2'], 'b.test': 'SERVFAIL' });
  const found = await ask([at], { isService: true });
  expect(keys(found)).toEqual(['127.0.0.2:1']);
  expect(found.missing?.failure).toBe('other');
  const none = await server({ services: [{ target: '.', port: 1 }] });
  expect(keys(await ask([none.at], { isService: true }))).toEqual([]);
  const lost = await server({ services }, { 'a.test': 'SERVFAIL', 'b.test': 'SERVFAIL' });
  expect(await failure(ask([lost.at], { isService: true }))).toBe('other');
});

test('a service says which addresses are missing, where all targets lack the same kind', async () => {
  const services = [
    { target: 'a.test', port: 1 },
    { target: 'b.test', port: 2 },
  ];
  const lacking = { a: ['127.0.0.2'], aaaa: 'SERVFAIL' } as const;
  const same = await server({ services }, { 'a.test': lacking, 'b.test': lacking });
  expect((await ask([same.at], { isService: true })).missing).toMatchObject({ failure: 'other', family: 6 });
  const different = await server({ services }, { 'a.test': lacking, 'b.test': { a: 'SERVFAIL', aaaa: ['::1'] } });
  expect((await ask([different.at], { isService: true })).missing).toMatchObject({ family: undefined });
  const whole = await server({ services }, { 'a.test': lacking, 'b.test': 'SERVFAIL' });
  expect((await ask([whole.at], { isService: true })).missing).toMatchObject({ family: undefined });
});

test('a look-up that is not wanted any more is cancelled', async () => {
  const { at } = await server('silent');
  const controller = new AbortController();
  const asked = ask([at], { timeoutMs: 60_000, signal: controller.signal }).catch((error) => error);
  controller.abort();
  expect(await asked).toMatchObject({ code: 'ECANCELLED' });
});

test('what is not answered is given up before the look-up has to be over', async () => {
  const { at } = await server('silent');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const asked = ask([at], { timeoutMs: 60_000 }).catch((error) => error);
  vi.advanceTimersByTime(48_000);
  expect(await asked).toMatchObject({ code: 'ECANCELLED' });
});

test('an answer leaves no question and no timer behind', async () => {
  const [silent, good] = [await server('silent'), await server(['127.0.0.2'])];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const cancel = vi.spyOn(dns.promises.Resolver.prototype, 'cancel');
  await ask([silent.at, good.at], { timeoutMs: 60_000 });
  expect(cancel).toHaveBeenCalledTimes(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('the name servers of the system are asked where none are given', async () => {
  const { at } = await server(['127.0.0.2']);
  vi.spyOn(dns, 'getServers').mockReturnValue([at]);
  expect(
    keys(await askDns(QUESTION, { signal: new AbortController().signal, timeoutMs: 2_000, family: undefined })),
  ).toEqual(['127.0.0.2:5432']);
});

test.each([[['b.test', 'a.test']], [['a.test', 'b.test']]])(
  'of %s as many targets as wanted, in their order',
  async (names) => {
    const zones = { 'a.test': ['127.0.0.2'], 'b.test': ['127.0.0.3'] };
    const same = await server({ services: names.map((target) => ({ target, port: 1 })) }, zones);
    expect(keys(await ask([same.at], { isService: true, targetsMax: 1 }))).toEqual(['127.0.0.2:1']);
    const services = names.map((target) => ({ target, port: 1, priority: target === 'a.test' ? 20 : 10 }));
    const other = await server({ services }, zones);
    expect(keys(await ask([other.at], { isService: true, targetsMax: 1 })), 'the priority first').toEqual([
      '127.0.0.3:1',
    ]);
  },
);

test('a service without a record has no server; one that does not exist is a failure', async () => {
  const empty = await server([]);
  expect(await ask([empty.at], { isService: true })).toEqual({ places: [], ttlMs: 0, missing: undefined });
  const none = await server('NXDOMAIN');
  expect(await failure(ask([none.at], { isService: true }))).toBe('nx');
});

test.each([
  ['EREFUSED', 'refusal'],
  ['ETIMEOUT', 'timeout'],
  ['ESERVFAIL', 'error'],
])('%s is a cause of the manner %s', (code, manner) => {
  const error = Object.assign(new Error(code), { code });
  expect(failedBy(error, false).cause).toEqual({ initiator: 'system', manner, code, error });
});

const RULES = { port: undefined, needsPort: false, family: undefined };

test('an answer of the user’s: what is given counts', () => {
  expect(foundOf(['192.0.2.1'], RULES)).toEqual({
    places: [{ key: '192.0.2.1', address: '192.0.2.1', port: undefined, weight: undefined, backup: undefined }],
    ttlMs: 0,
    missing: undefined,
  });
  const full = { address: '192.0.2.1', port: 1, weight: 256, backup: false };
  expect(foundOf({ addresses: [full], ttlMs: 0 }, RULES)).toMatchObject({ places: [full], ttlMs: 0 });
});

test.each([
  ['weight', [{ address: '192.0.2.1', weight: 257 }], false],
  ['port', [{ address: '192.0.2.1', port: 0 }], false],
  ['port', ['192.0.2.1'], true],
  ['ttl', { addresses: [], ttl: 5 }, false],
  ['ttlMs', { addresses: [], ttlMs: -1 }, false],
])('an answer of the user’s: bad %s', (option, answer, needsPort) => {
  expect(() => foundOf(answer, { ...RULES, needsPort })).toThrow(option);
});

test('a name server that says nothing is a question without an answer, and not a cancelled one', async () => {
  const { at } = await server('silent');
  const error = await ask([at], { timeoutMs: 300 }).catch((thrown: unknown) => thrown);
  expect(failedBy(error, false).cause).toMatchObject({
    manner: 'timeout',
    code: 'ETIMEOUT',
    error: { code: 'ETIMEOUT', message: expect.stringMatching(/^query.* ETIMEOUT /) },
  });
  expect(failedBy(Object.assign(new Error(), { code: 'ECANCELLED' }), true).cause.code).toBe('ECANCELLED');
});
