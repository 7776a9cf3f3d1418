/** Which server a key leads to. */
import { describe, expect, test } from 'vitest';
import { type Balancer, type Client, hash, OptionError, type Server, Servers, type Wanted } from '../../src/index.js';
import { Asker, counted, likelihood, named, nameOf, seeded, setOf } from './asks.js';

const KEYS: Record<string, readonly string[]> = {
  addresses: Array.from({ length: 100_000 }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`),
  numbers: Array.from({ length: 100_000 }, (_, index) => `${index}`),
  'words that end alike': Array.from({ length: 100_000 }, (_, index) => `${index.toString(36)}-tenant.example.org`),
};
const ADDRESSES = KEYS.addresses as readonly string[];

const ofKey = (key: string): Wanted => ({ client: undefined, key, random: () => 0 });
const any = (_server: Server): boolean => true;

/** The names of the servers that these keys lead to. */
const ledBy = (balancer: Balancer, list: readonly Server[], keys = ADDRESSES, isUsable = any): string[] =>
  keys.map((key) => (balancer.choose(list, isUsable, ofKey(key)) as Server).name);

const countsOf = (names: readonly string[], list: readonly Server[]): number[] => {
  const counts = counted(names);
  return list.map(({ name }) => counts[name] ?? 0);
};

describe.each(Object.entries(KEYS))('100 000 keys: %s', (_name, keys) => {
  test.each([
    ['3 equal servers', [1, 1, 1]],
    ['10 equal servers', Array.from({ length: 10 }, () => 1)],
    ['3 : 2 : 1', [3, 2, 1]],
    ['weights from 1 to 100', [100, 1, 50, 7, 23]],
    ['100 servers of many weights', Array.from({ length: 100 }, (_, index) => 20 + index)],
  ])('%s: the counts follow the weights', (_case, weights) => {
    const { list } = setOf(weights);
    const counts = countsOf(ledBy(hash(), list, keys), list);
    expect(likelihood(counts, weights), `${counts}`).toBeGreaterThan(1e-4);
  });
});

describe('the table', () => {
  test('is the same in any process and version: these keys lead here', () => {
    const { list } = setOf([1, 2, 3, 4]);
    const keys = ['', 'a', '192.0.2.1', '2001:db8::1', 'tenant 7', 'ключ', '鍵'];
    expect(ledBy(hash(), list, keys).join('')).toBe('caadcdb');
  });

  test('is the same for any order of the list', () => {
    const { list } = setOf([5, 1, 2, 9, 1, 1, 4]);
    const expected = ledBy(hash(), list);
    const random = seeded(1);
    for (let count = 0; count < 5; count++) {
      const shuffled = [...list].sort(() => random() - 0.5);
      expect(ledBy(hash(), shuffled)).toEqual(expected);
    }
  });

  test('is the same whatever was added or removed before, and whatever the weights were', () => {
    const set = setOf([5, 1, 2, 9, 1, 1, 4]);
    const expected = ledBy(hash(), set.list);
    const balancer = hash();
    const random = seeded(2);
    for (let count = 0; count < 20; count++) {
      const some = set.list.filter(() => random() < 0.5);
      balancer.changed?.(some);
      if (some.length > 0) ledBy(balancer, some, ['x']);
      named(set, 'b').weight = count;
    }
    named(set, 'b').weight = 1;
    balancer.changed?.(set.list);
    expect(ledBy(balancer, set.list)).toEqual(expected);
  });

  test('follows another list also where nobody has told of it', () => {
    const { list } = setOf([5, 1, 2, 9]);
    const balancer = hash();
    for (const part of [list.slice(0, 2), list.slice(2), list, list.slice(1, 3)]) {
      expect(ledBy(balancer, part, ADDRESSES.slice(0, 10_000))).toEqual(
        ledBy(hash(), part, ADDRESSES.slice(0, 10_000)),
      );
    }
  });

  test('knows servers of one name by their addresses, and gives to each', () => {
    const options = [1, 2, 3].map((port) => ({ port, name: 'db' }));
    const portsOf = (list: readonly Server[]): (number | undefined)[] => {
      const balancer = hash();
      return ADDRESSES.map((key) => balancer.choose(list, any, ofKey(key))?.port);
    };
    const ports = portsOf(new Servers(options).list);
    expect(portsOf(new Servers([...options].reverse()).list)).toEqual(ports);
    const counts = [1, 2, 3].map((port) => ports.filter((one) => one === port).length);
    expect(likelihood(counts, [1, 1, 1])).toBeGreaterThan(1e-4);
  });

  test.each([10, 100])(
    'of %i servers: one that is removed moves its own keys to all others, and at most 3 %% of theirs',
    (count) => {
      const { list } = setOf(Array.from({ length: count }, () => 1));
      const before = ledBy(hash(), list);
      for (const gone of [0, 3, count - 1]) {
        const rest = list.filter((_server, index) => index !== gone);
        const after = ledBy(hash(), rest);
        const own = after.filter((_name, index) => before[index] === nameOf(gone));
        expect(new Set(own).size).toBeGreaterThanOrEqual(0.95 * rest.length);
        const moved = after.filter((name, index) => before[index] !== nameOf(gone) && before[index] !== name).length;
        expect(moved / (before.length - own.length)).toBeLessThanOrEqual(0.03);
      }
    },
  );
});

describe('a server that is not usable, or not in the list of the moment', () => {
  const { list } = setOf([1, 2, 3, 4, 5]);
  const before = ledBy(hash(), list);
  const gone = list[3] as Server;
  const rest = list.filter((server) => server !== gone);

  const expectSpread = (after: readonly string[]): void => {
    const own = after.filter((_name, index) => before[index] === gone.name);
    const moved = after.filter((name, index) => before[index] !== gone.name && name !== before[index]);
    expect(moved).toEqual([]);
    // By the weights of the others.
    expect(likelihood(countsOf(own, rest), [1, 2, 3, 5])).toBeGreaterThan(1e-4);
  };

  test('is passed over: its keys are spread by weight, and no other key moves', () => {
    expectSpread(ledBy(hash(), list, ADDRESSES, (server) => server !== gone));
  });

  test('the same where the set leaves it out, and has told of all its servers', () => {
    const balancer = hash();
    balancer.changed?.(list);
    expectSpread(ledBy(balancer, rest));
    expect(ledBy(balancer, list)).toEqual(before);
  });

  test('the only usable one of 1 000 is found for each key', () => {
    const many = setOf(Array.from({ length: 1_000 }, () => 1)).list;
    const only = many[500];
    const names = ledBy(hash(), many, ADDRESSES.slice(0, 100), (server) => server === only);
    expect(new Set(names)).toEqual(new Set([only?.name]));
  });
});

test('without a key it goes by the address of the client, without that by weight at random', () => {
  const { list } = setOf([3, 2, 1]);
  const balancer = hash();
  const random = seeded(3);
  const clientOf = (peer: object | undefined): Client => ({ peer }) as unknown as Client;
  const chosen = (client: Client | undefined, key?: string) =>
    balancer.choose(list, any, { client, key, random })?.name;
  for (const address of ADDRESSES.slice(0, 100)) {
    const keyed = chosen(undefined, address);
    expect(chosen(clientOf({ address, port: 1 }))).toBe(keyed);
    expect(chosen(clientOf({ address: '::1', port: 1 }), address)).toBe(keyed);
  }
  for (const client of [undefined, clientOf(undefined), clientOf({ path: '/run/a.sock' })]) {
    const names = Array.from({ length: 30_000 }, () => chosen(client) as string);
    expect(likelihood(countsOf(names, list), [3, 2, 1])).toBeGreaterThan(1e-4);
  }
});

describe('loadFactor', () => {
  const held = (
    loadFactor: number | false,
    weights: readonly number[],
    count: number,
    key: (index: number) => string,
  ) => {
    const set = setOf(weights, { balance: hash({ loadFactor }) });
    let most = 0;
    for (let index = 0; index < count; index++) {
      new Asker(set, { key: key(index) }).ask();
      for (const { connections, weight } of set.list) most = Math.max(most, connections / weight / (index + 1));
    }
    return { counts: set.list.map(({ connections }) => connections), set };
  };

  test('without it one key fills one server', () => {
    expect(held(false, [1, 1, 1, 1], 1_000, () => 'hot').counts.filter((count) => count > 0)).toEqual([1_000]);
  });

  test.each([1, 1.25, 2])('%d: no server has more than that of its fair share, however hot a key is', (loadFactor) => {
    for (const weights of [
      [1, 1, 1, 1],
      [8, 4, 2, 2],
    ]) {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const { counts } = held(loadFactor, weights, 1_000, () => 'hot');
      for (const [index, count] of counts.entries()) {
        expect(count).toBeLessThanOrEqual(Math.ceil((loadFactor * 1_000 * (weights[index] as number)) / total));
      }
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_000);
      expect(Math.max(...counts)).toBeGreaterThan((loadFactor * 1_000) / weights.length - 2);
    }
  });

  test('a key keeps its server while that has room, and comes back when there is room again', () => {
    const { set } = held(1.25, [1, 1, 1], 300, (index) => `${index}`);
    const least = set.list.reduce((one, other) => (other.connections < one.connections ? other : one));
    const key = ADDRESSES.find((address) => ledBy(hash(), set.list, [address])[0] === least.name);
    expect(new Asker(set, { key }).ask()).toBe(least);
    const used = least.connections;
    Object.assign(least, { connections: 1_000 });
    expect(new Asker(set, { key }).ask()).not.toBe(least);
    Object.assign(least, { connections: used });
    expect(new Asker(set, { key }).ask()).toBe(least);
  });

  test('counts again often enough among many servers: connections that were left do not keep the bound high', () => {
    const set = setOf(
      Array.from({ length: 100 }, () => 1),
      { balance: hash({ loadFactor: 1.25 }) },
    );
    for (let index = 0; index < 2_000; index++) new Asker(set, { key: `${index}` }).ask();
    for (const server of set.list) while (server.connections > 0) set.leave(server);
    for (let index = 0; index < 200; index++) new Asker(set, { key: 'hot' }).ask();
    // A fair share is 2; up to 6 choices may pass between two counts.
    expect(Math.max(...set.list.map(({ connections }) => connections))).toBeLessThanOrEqual(3);
  });

  test('the fair share is that of the weights of now', () => {
    const set = setOf([1, 1, 1, 1], { balance: hash({ loadFactor: 1 }) });
    for (const weight of [3, 7, 2]) {
      for (const server of set.list) server.weight = weight;
      for (let index = 0; index < 40; index++) new Asker(set, { key: 'hot' }).ask();
      expect(set.list.map(({ connections }) => connections)).toEqual([10, 10, 10, 10]);
      for (const server of set.list) while (server.connections > 0) set.leave(server);
    }
  });

  test('a server of which all others are down takes all', () => {
    const set = setOf([1, 1, 1], { balance: hash({ loadFactor: 1 }) });
    for (const name of ['a', 'b']) Object.assign(named(set, name), { places: 0 });
    for (let index = 0; index < 50; index++) expect(new Asker(set, { key: `${index}` }).ask()?.name).toBe('c');
  });
});

test.each([
  [null, /"hash" must be an object/],
  [{ loadFactor: 0.9 }, /hash\.loadFactor.*number from 1 to 100/],
  [{ loadFactor: true }, /hash\.loadFactor.*number from 1 to 100/],
  [{ loadFactor: Number.NaN }, /hash\.loadFactor.*number from 1 to 100/],
  [{ factor: 2 }, /hash\.factor/],
])('hash(%j) is refused', (options, message) => {
  expect(() => hash(options as object)).toThrow(OptionError);
  expect(() => hash(options as object)).toThrow(message);
});
