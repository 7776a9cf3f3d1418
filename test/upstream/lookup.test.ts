/** Names of servers: looked up once for all, bounded, and with the last good answer. */
import dns from 'node:dns';
import { connect, type LookupFunction, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OptionError, Servers } from '../../src/index.js';
import { forgetNames, lookUp } from '../../src/upstream/lookup.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

afterEach(() => vi.restoreAllMocks());

type Answer = (error: Error | null, addresses: dns.LookupAddress[]) => void;

/** Questions to the system that have no answer yet. Those of names of other tests go to the system itself. */
function fakeDns(answers: (host: string, answer: Answer) => boolean) {
  const real = dns.lookup;
  const open: { host: string; answer: Answer }[] = [];
  const asked: string[] = [];
  let most = 0;
  vi.spyOn(dns, 'lookup').mockImplementation(((host: string, options: dns.LookupAllOptions, callback: Answer) => {
    if (!host.endsWith('.test') && host !== 'localhost') {
      real(host, options, callback as never);
      return;
    }
    asked.push(host);
    const question = { host, answer: callback };
    const answer: Answer = (error, addresses) => {
      open.splice(open.indexOf(question), 1);
      callback(error, addresses);
    };
    question.answer = answer;
    open.push(question);
    most = Math.max(most, open.length);
    if (answers(host, (...given) => setImmediate(answer, ...given))) return;
  }) as never);
  bench.later(async () => {
    // What is open holds one of the library's places: the next test needs it.
    while (open.length > 0) {
      for (const { answer } of [...open]) answer(Object.assign(new Error('over'), { code: 'EAI_AGAIN' }), []);
      await new Promise(setImmediate);
    }
  });
  return { asked, most: () => most, open };
}

const HERE: dns.LookupAddress = { address: '127.0.0.1', family: 4 };

async function isServed(at: { host: string; port: number }): Promise<boolean> {
  const client = bench.own(connect(at));
  const reader = new Reader(client);
  client.end('hello');
  return (await reader.ends()) === 'end' && reader.text === 'hello';
}

test('a name that is never answered is asked for once at a time, and localhost is served', async () => {
  const server = await bench.echo();
  const { port } = server;
  const lookups = fakeDns((host, answer) => {
    if (host === 'localhost') answer(null, [HERE]);
    return host === 'localhost';
  });
  const { at } = await makeProxy({
    servers: [
      { host: 'silent1.test', port },
      { host: 'localhost', port },
    ],
    connectTimeout: 150,
  });
  expect(await Promise.all(Array.from({ length: 20 }, () => isServed(at)))).not.toContain(false);
  expect(lookups.asked.filter((host) => host === 'silent1.test')).toHaveLength(1);
});

test('several silent names take no more threads than Node gives to names, and localhost needs none', async () => {
  const { port } = await bench.echo();
  const lookups = fakeDns(() => false);
  const { at } = await makeProxy({
    servers: ['a2.test', 'b2.test', 'c2.test', 'd2.test', 'localhost'].map((host) => ({ host, port })),
    connectTimeout: 100,
  });
  expect(await isServed(at)).toBe(true);
  expect(lookups.most()).toBe(2);
});

test('the last good answer is used while a name is silent, and when it is answered by an error', async () => {
  const { port } = await bench.echo();
  let how: 'good' | 'silent' | 'error' = 'good';
  fakeDns((_host, answer) => {
    if (how === 'good') answer(null, [HERE]);
    if (how === 'error') answer(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []);
    return how !== 'silent';
  });
  const servers = new Servers([{ host: 'db3.test', port }], { clock: bench.clock });
  for (how of ['good', 'error', 'silent', 'silent'] as const) {
    const { backend } = makeBackend({ servers, persistent: false, attemptsMax: 1, connectTimeout: 10_000 });
    await backend.connect();
  }
});

test('a name that was never answered ends its attempts by their own time', async () => {
  fakeDns(() => false);
  const { backend } = makeBackend({
    servers: [{ host: 'never4.test', port: 1 }],
    persistent: false,
    attemptsMax: 2,
    connectTimeout: 50,
  });
  await expect(backend.connect()).rejects.toMatchObject({ cause: { code: 'connectTimeout' } });
});

test('attempts that wait for one name get one answer', async () => {
  const { port } = await bench.echo();
  const lookups = fakeDns(() => false);
  const servers = new Servers([{ host: 'one5.test', port }], { clock: bench.clock });
  const all = Array.from({ length: 10 }, () => makeBackend({ servers }).backend);
  const connected = Promise.all(all.map((backend) => backend.connect()));
  await until('the question', () => lookups.open.length > 0);
  expect(lookups.asked).toEqual(['one5.test']);
  lookups.open[0]?.answer(null, [HERE]);
  await connected;
});

describe('a name with two addresses', () => {
  test('each gets its share of connectTimeout, and the one that worked comes first from then on', async () => {
    const hole = await bench.blackhole();
    await bench.echo({ host: '127.0.0.2', port: hole });
    const attempted: string[][] = [];
    const { backend } = makeBackend({
      servers: [{ host: 'two6.test', port: hole }],
      lookup: (_host, _options, callback) => {
        process.nextTick(callback, null, [HERE, { address: '127.0.0.2', family: 4 }]);
      },
      connectTimeout: 1_600,
      prepare: (socket) => {
        attempted.push([...(socket.autoSelectFamilyAttemptedAddresses ?? [])]);
      },
    });
    const startedAt = performance.now();
    const { socket } = await backend.connect();
    // Node alone gives the first one 250 ms, 500 from version 26 on.
    expect(performance.now() - startedAt).toBeGreaterThan(750);
    expect(attempted).toEqual([[`127.0.0.1:${hole}`, `127.0.0.2:${hole}`]]);
    socket.destroy();
    await until('the next connection', () => attempted.length === 2);
    expect(attempted[1]).toEqual([`127.0.0.2:${hole}`]);
  });
});

describe('a lookup of the user', () => {
  const failing = new Error('the registry is down');
  const ways: [string, LookupFunction][] = [
    [
      'throws',
      () => {
        throw failing;
      },
    ],
    [
      'rejects',
      (async () => {
        throw failing;
      }) as unknown as LookupFunction,
    ],
    ['answers with an error', (_host, _options, callback) => callback(failing, [])],
  ];

  test.each(ways)('that %s fails the attempt, which is repeated', async (_how, lookup) => {
    const { port } = await bench.echo();
    let times = 0;
    const { backend, seen } = makeBackend({
      servers: [{ host: 'db.example', port }],
      lookup: (host, options, callback) => {
        times++;
        if (times < 3) return lookup(host, options, callback);
        process.nextTick(callback, null, [HERE]);
      },
    });
    const causes: unknown[] = [];
    backend.on('retry', ({ cause }) => causes.push(cause.error));
    await backend.connect();
    expect(causes).toEqual([failing, failing]);
    expect(seen.length).toBeGreaterThan(2);
    expect(backend.servers.list[0]?.excluded).toBeUndefined();
  });

  test('is asked per server, or for the whole set', async () => {
    const { port } = await bench.echo();
    const asked: string[] = [];
    const lookup =
      (by: string): LookupFunction =>
      (host, _options, callback) => {
        asked.push(`${by} ${host}`);
        process.nextTick(callback, null, [HERE]);
      };
    const servers = [{ host: 'a.example', port, lookup: lookup('own') }, { host: 'b.example', port }, { port }];
    const set = new Servers(servers, { lookup: lookup('set'), clock: bench.clock });
    for (let turn = 0; turn < 3; turn++) await makeBackend({ servers: set }).backend.connect();
    expect(asked).toEqual(['own a.example', 'set b.example']);
  });

  test('is a function, and of no use for a path or a connect', () => {
    const lookup: LookupFunction = () => {};
    for (const make of [
      () => new Servers([{ port: 1, lookup: 5 as never }]),
      () => new Servers([{ port: 1 }], { lookup: 'x' as never }),
      () => new Servers([{ path: '/x', lookup }]),
      () => new Servers([{ port: 1, lookup, connect: () => new Socket() }]),
    ]) {
      expect(make).toThrow(OptionError);
    }
  });
});

describe('questions to the system, one by one', () => {
  const PATIENCE_MS = 500;
  const GOOD = [HERE, { address: '127.0.0.2', family: 4 }];
  const FAILED = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });

  /** The questions that are out, by name. */
  let open: Map<string, Answer>;

  beforeEach(() => {
    forgetNames();
    open = new Map();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.spyOn(dns, 'lookup').mockImplementation(((host: string, _options: unknown, callback: Answer) => {
      if (open.has(host)) throw new Error(`${host} is asked for twice`);
      open.set(host, (error, addresses) => {
        open.delete(host);
        callback(error, addresses);
      });
    }) as never);
  });

  afterEach(() => {
    vi.useRealTimers();
    forgetNames();
  });

  /** Asks, and says what was answered so far. */
  function ask(host: string, all = true, asks = lookUp, family?: number): unknown[][] {
    const answers: unknown[][] = [];
    asks(host, { all, family }, (...answer: unknown[]) => void answers.push(answer));
    return answers;
  }

  const answer = (host: string, error: Error | null, addresses: dns.LookupAddress[]): void =>
    open.get(host)?.(error, addresses);

  /** Asked, not answered in time, and answered then: it is one of those that are silent. */
  function makeSilent(host: string, asks = lookUp): void {
    ask(host, true, asks);
    vi.advanceTimersByTime(PATIENCE_MS);
    answer(host, null, GOOD);
  }

  test('as many as there are threads, and each once', () => {
    for (const host of ['a', 'b', 'c', 'd', 'a']) ask(host);
    expect([...open.keys()]).toEqual(['a', 'b']);
    answer('a', null, GOOD);
    expect([...open.keys()]).toEqual(['b', 'c']);
    answer('b', FAILED, []);
    expect([...open.keys()]).toEqual(['c', 'd']);
  });

  test('an answer goes to all who wait, the first address to those who want one', () => {
    const [all, one] = [ask('a'), ask('a', false)];
    answer('a', null, GOOD);
    expect(all).toEqual([[null, GOOD]]);
    expect(one).toEqual([[null, '127.0.0.1', 4]]);
  });

  test('the next question is a new one; an error is answered with the last good answer', () => {
    ask('a');
    answer('a', null, GOOD);
    const again = ask('a');
    expect([...open.keys()]).toEqual(['a']);
    answer('a', FAILED, []);
    expect(again).toEqual([[null, GOOD]]);
  });

  test('an error, and an answer without an address, are errors where nothing is known', () => {
    const [all, one] = [ask('a'), ask('a', false)];
    answer('a', FAILED, []);
    expect([all, one]).toEqual([[[FAILED, []]], [[FAILED, '']]]);
    const empty = ask('b', false);
    answer('b', null, []);
    expect(empty).toEqual([[expect.objectContaining({ message: 'No address.' }), '']]);
  });

  test('what is known is the answer after half a second; where nothing is known, the attempt waits on', async () => {
    ask('known');
    answer('known', null, GOOD);
    const [known, unknown] = [ask('known'), ask('unknown')];
    vi.advanceTimersByTime(PATIENCE_MS - 1);
    await new Promise(process.nextTick);
    expect(known).toEqual([]);
    vi.advanceTimersByTime(1);
    await new Promise(process.nextTick);
    expect([known, unknown]).toEqual([[[null, GOOD]], []]);
    answer('unknown', null, GOOD);
    expect(unknown).toEqual([[null, GOOD]]);
  });

  test('localhost needs no thread, and no answer', async () => {
    for (const host of ['a', 'b']) ask(host);
    const answers = [ask('localhost'), ask('localhost', false)];
    await new Promise(process.nextTick);
    const both = [HERE, { address: '::1', family: 6 }];
    expect(answers).toEqual([[[null, both]], [[null, '127.0.0.1', 4]]]);
  });

  test.each([
    [4, '127.0.0.1'],
    [6, '::1'],
  ])('localhost of one family, %i, has the address of that family alone', async (family, address) => {
    for (const host of ['a', 'b']) ask(host);
    const answers = ask('localhost', true, lookUp, family);
    await new Promise(process.nextTick);
    expect(answers).toEqual([[null, [{ address, family }]]]);
  });

  test('one thread is kept from names that are silent', () => {
    for (const host of ['silent', 'mute']) makeSilent(host);
    for (const host of ['silent', 'mute', 'new']) ask(host);
    expect([...open.keys()]).toEqual(['silent', 'new']);
    answer('silent', null, GOOD);
    expect([...open.keys()]).toEqual(['new', 'mute']);
    // It is answered in time, and is silent no more.
    answer('mute', null, GOOD);
    for (const host of ['mute', 'silent']) ask(host);
    answer('new', null, GOOD);
    expect([...open.keys()]).toEqual(['mute', 'silent']);
  });

  test('a name that is silent is asked for where no other is, from the beginning', async () => {
    vi.resetModules();
    const fresh = await import('../../src/upstream/lookup.js');
    makeSilent('silent', fresh.lookUp);
    ask('silent', true, fresh.lookUp);
    expect([...open.keys()]).toEqual(['silent']);
  });

  test('a name that has waited for a thread for that long counts as silent', () => {
    makeSilent('silent');
    for (const host of ['silent', 'busy', 'late']) ask(host);
    vi.advanceTimersByTime(PATIENCE_MS);
    answer('busy', null, GOOD);
    expect([...open.keys()]).toEqual(['silent']);
    answer('silent', null, GOOD);
    expect([...open.keys()]).toEqual(['late']);
  });

  test('forgotten questions hold no thread, and free none', () => {
    ask('old');
    const late = open.get('old');
    forgetNames();
    late?.(null, GOOD);
    for (const host of ['a', 'b', 'c']) ask(host);
    expect([...open.keys()]).toEqual(['a', 'b']);
  });

  test('a thousand names are remembered', () => {
    for (let index = 0; index <= 1_000; index++) {
      ask(`name ${index}`);
      answer(`name ${index}`, null, GOOD);
    }
    const [oldest, next] = [ask('name 0'), ask('name 2')];
    answer('name 0', FAILED, []);
    answer('name 2', FAILED, []);
    expect([oldest, next]).toEqual([[[FAILED, []]], [[null, GOOD]]]);
  });
});
