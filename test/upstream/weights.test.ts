/** Weights, and the balancers that count with them; without a socket. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type Balance,
  type Balancer,
  hash,
  inOrder,
  leastConnections,
  OptionError,
  peakEwma,
  random,
  roundRobin,
  type Server,
} from '../../src/index.js';
import { Heap, type Ranked } from '../../src/upstream/balance/heap.js';
import { Asker, chosenBy, counted, likelihood, named, seeded, setOf } from './asks.js';

type Step = { open?: number; pass?: number; close?: number; weigh?: string; weight?: number };

interface Game {
  readonly balance: 'roundrobin' | 'leastconn' | 'first';
  readonly servers: readonly { readonly weight?: number; readonly connectionsMax?: number }[];
  readonly steps: readonly Step[];
  /** What HAProxy 2.6 chose; `npm run test:real` asks it again. */
  readonly chosen: string;
}

const GAMES: Game[] = JSON.parse(
  readFileSync(new URL('../fixtures/haproxy-balance.json', import.meta.url), 'utf8'),
) as Game[];
const NAMES: Record<Game['balance'], Balance> = {
  roundrobin: 'roundRobin',
  leastconn: 'leastConnections',
  first: 'inOrder',
};

describe('the order of HAProxy', () => {
  test.each(GAMES)('$balance $servers $steps', ({ balance, servers, steps, chosen }) => {
    const set = setOf(
      servers.map(({ weight = 1 }) => weight),
      { balance: NAMES[balance] },
    );
    for (const [index, { connectionsMax }] of servers.entries()) {
      if (connectionsMax !== undefined) Object.assign(set.list[index] as Server, { connectionsMax });
    }
    const held: Server[] = [];
    let names = '';
    for (const { open = 0, pass = 0, close = 0, weigh, weight } of steps) {
      for (let count = 0; count < open + pass; count++) {
        const server = new Asker(set).ask() as Server;
        names += server.name;
        if (count < open) held.push(server);
        else set.leave(server);
      }
      for (const server of held.splice(0, close)) set.leave(server);
      if (weigh !== undefined) named(set, weigh).weight = weight as number;
    }
    expect(names).toBe(chosen);
  });
});

test('a heap gives the lowest rank first, of equal ones the one that came first, whatever is added and removed', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = seeded(seed);
    const heap = new Heap<Ranked & { readonly id: number }>();
    const model: (Ranked & { readonly id: number })[] = [];
    for (let id = 0; id < 120; id++) {
      if (next() < 0.6 || model.length === 0) {
        const entry = { id, rank: Math.trunc(next() * 8), order: 0, index: 0 };
        heap.add(entry);
        // Behind those of the same rank.
        const behind = model.findIndex(({ rank }) => rank > entry.rank);
        model.splice(behind === -1 ? model.length : behind, 0, entry);
      } else {
        const [entry] = model.splice(next() < 0.5 ? 0 : Math.trunc(next() * model.length), 1);
        heap.remove(entry as (typeof model)[0]);
      }
      if (heap.first?.id !== model[0]?.id) throw new Error(`seed ${seed}: ${heap.first?.id}, not ${model[0]?.id}`);
    }
    while (model.length > 0) {
      expect(heap.first?.id).toBe(model[0]?.id);
      heap.remove(model.shift() as (typeof model)[0]);
    }
    expect(heap.first).toBeUndefined();
  }
});

const ALL: readonly (readonly [string, () => Balancer])[] = [
  ['roundRobin', roundRobin],
  ['leastConnections', leastConnections],
  ['inOrder', inOrder],
  ['random', random],
  ['peakEwma', peakEwma],
  ['hash', hash],
  ['hash with bounded load', () => hash({ loadFactor: 1.25 })],
];

describe.each(ALL)('%s', (_name, make) => {
  test('chooses none where none is usable, or there is none', () => {
    const { list, random } = setOf([3, 1, 2]);
    const wanted = { client: undefined, key: undefined, random };
    const balancer = make();
    expect(balancer.choose(list, () => false, wanted)).toBeUndefined();
    expect(balancer.choose([], () => true, wanted)).toBeUndefined();
    for (const only of list) expect(balancer.choose(list, (server) => server === only, wanted)).toBe(only);
  });

  test.each([
    [1, 1, 0, 1],
    [3, 1, 0, 2],
  ])('a server of weight 0 gets no connection (%i, %i, %i, %i)', (...weights) => {
    const set = setOf(weights, { balance: make(), random: seeded(1) });
    expect(chosenBy(set, 200)).not.toContain('c');
    for (const server of set.list) server.weight = server.name === 'c' ? 2 : 0;
    expect(counted(chosenBy(set, 200))).toEqual({ c: 200 });
  });

  test('one object serves two sets, each with a memory of its own', () => {
    const balance = make();
    const [one, two] = [2, 3].map((b) => setOf([1, b], { balance, random: seeded(2) }));
    const [alone, other] = [2, 3].map((b) => setOf([1, b], { balance: make(), random: seeded(2) }));
    if (!one || !two || !alone || !other) throw new Error('unreachable');
    const mixed = Array.from({ length: 60 }, () => [...chosenBy(one, 1), ...chosenBy(two, 1)]);
    expect(mixed.map(([first]) => first)).toEqual(chosenBy(alone, 60));
    expect(mixed.map(([, second]) => second)).toEqual(chosenBy(other, 60));
  });

  test('10 000 servers of any weights', () => {
    const set = setOf(
      Array.from({ length: 10_000 }, (_, index) => (index + 227) % 257),
      { balance: make(), random: seeded(3) },
    );
    const chosen = chosenBy(set, 2_000);
    expect(chosen).not.toContain('-');
    expect(chosen.filter((name) => Number(name.slice(1)) % 257 === 30)).toEqual([]);
  });
});

describe('a weight', () => {
  const values = [-1, 257, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, undefined];

  test.each(values)('is a whole number from 0 to 256: %s is refused, and the old one stays', (value) => {
    const set = setOf([5, 1]);
    const server = named(set, 'a');
    expect(() => {
      server.weight = value as number;
    }).toThrow(OptionError);
    expect(server.weight).toBe(5);
    expect(server.share).toBe(5);
    if (value === undefined) return;
    expect(() => setOf([value as number])).toThrow(/servers\[0\]\.weight.* must be a whole number from 0 to 256/);
  });

  test('is 1 unless it is given, and part of the snapshot', () => {
    expect(setOf([undefined as never, 7]).toJSON()).toMatchObject({ list: [{ weight: 1 }, { weight: 7 }] });
  });

  test('0 drains: what is connected stays, a connection for this server alone waits, as does everybody if all have 0', () => {
    const set = setOf([1, 1]);
    const [a, b] = [named(set, 'a'), named(set, 'b')];
    chosenBy(set, 4, true);
    a.weight = 0;
    expect(a.connections).toBe(2);
    expect(chosenBy(set, 3, true)).toEqual(['b', 'b', 'b']);
    const alone = new Asker(set, { only: a });
    expect(alone.ask()).toBeUndefined();
    expect(a.waiting).toBe(1);
    b.weight = 0;
    const any = new Asker(set);
    expect(any.ask()).toBeUndefined();
    set.leave(b);
    expect([alone.called, any.called]).toEqual([0, 0]);
    a.weight = 3;
    expect([alone.called, any.called]).toEqual([1, 1]);
    expect(alone.ask()).toBe(a);
    expect(any.ask()).toBe(a);
    expect(a.waiting).toBe(0);
  });

  test('that changes while connections go on: the shares follow at once, in any order of changes', () => {
    const set = setOf([1, 1, 1]);
    const steps: [number[], Record<string, number>][] = [
      [[1, 1, 1], { a: 60, b: 60, c: 60 }],
      [[3, 2, 1], { a: 90, b: 60, c: 30 }],
      [[0, 2, 1], { b: 120, c: 60 }],
      [[0, 5, 5], { b: 90, c: 90 }],
      [[256, 1, 1], { a: 178, b: 1, c: 1 }],
      [[4, 4, 1], { a: 80, b: 80, c: 20 }],
    ];
    for (const [weights, expected] of steps) {
      for (const [index, weight] of weights.entries()) (set.list[index] as Server).weight = weight;
      const counts = counted(chosenBy(set, 180));
      for (const name of ['a', 'b', 'c']) {
        expect(Math.abs((counts[name] ?? 0) - (expected[name] ?? 0)), `${name} of ${weights}`).toBeLessThanOrEqual(2);
      }
    }
  });
});

describe('leastConnections', () => {
  test('counts connections that wait for a server alone', () => {
    const set = setOf([1, 1], { balance: 'leastConnections' });
    const [a, b] = [named(set, 'a'), named(set, 'b')];
    chosenBy(set, 2, true);
    Object.assign(a, { connectionsMax: 1 });
    const waiting = Array.from({ length: 3 }, () => new Asker(set, { only: a }));
    for (const one of waiting) expect(one.ask()).toBeUndefined();
    expect(a.waiting).toBe(3);
    Object.assign(a, { connectionsMax: 9 });
    expect(chosenBy(set, 3, true)).toEqual(['b', 'b', 'b']);
    for (const one of waiting) set.forget(one);
    expect(a.waiting).toBe(0);
    expect(b.connections).toBe(4);
    expect(chosenBy(set, 3, true)).toEqual(['a', 'a', 'a']);
  });
});

describe('random', () => {
  test.each([
    ['1 draw by weight', random(1), [5, 3, 1, 1, 10], 100_000],
    ['1 draw of equals', random(1), [1, 1, 1, 1, 1, 1, 1], 100_000],
    ['2 draws of idle servers', random(), [4, 1, 2], 100_000],
  ] as const)('%s: the counts follow the weights', (_name, balance, weights, count) => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const counts = counted(chosenBy(setOf(weights, { balance, random: seeded(seed) }), count));
      const sorted = weights.map((_weight, index) => counts[String.fromCharCode(97 + index)] ?? 0);
      expect(likelihood(sorted, weights), `${sorted}`).toBeGreaterThan(1e-4);
    }
  });

  test('400 held connections at four servers: max - min is at most 12', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const set = setOf([1, 1, 1, 1], { balance: 'random', random: seeded(seed) });
      chosenBy(set, 400, true);
      const counts = set.list.map(({ connections }) => connections);
      expect(Math.max(...counts) - Math.min(...counts), `seed ${seed}: ${counts}`).toBeLessThanOrEqual(12);
    }
  });

  test('held connections follow the weights, and more draws follow closer', () => {
    const far = (draws: number): number => {
      const set = setOf([6, 3, 1], { balance: random(draws), random: seeded(7) });
      chosenBy(set, 1_000, true);
      return set.list.reduce((sum, { connections, weight }) => sum + Math.abs(connections - 100 * weight), 0);
    };
    expect(far(2)).toBeLessThanOrEqual(30);
    expect(far(10)).toBeLessThanOrEqual(6);
    expect(far(1)).toBeGreaterThan(far(10));
  });

  test('finds the only usable one of many, whatever the source of randomness gives', () => {
    for (const value of [0, 0.999999, 1, Number.NaN, -1]) {
      const set = setOf(
        Array.from({ length: 100 }, (_, index) => (index === 57 ? 1 : 0)),
        { balance: 'random', random: () => value },
      );
      for (const server of set.list) server.weight = 1 + (Number(server.name.slice(1)) || 0);
      for (const server of set.list) Object.assign(server, { places: server.name === 's57' ? 9 : 0 });
      expect(chosenBy(set, 3), `${value}`).toEqual(['s57', 's57', 's57']);
    }
  });

  test('few usable ones of many are chosen by their weights', () => {
    const set = setOf(
      Array.from({ length: 100 }, (_, index) => (index === 10 ? 3 : 1)),
      { balance: random(1), random: seeded(5) },
    );
    const usable = ['k', 'l', 's90'];
    for (const server of set.list) Object.assign(server, { places: usable.includes(server.name) ? 9 : 0 });
    const counts = counted(chosenBy(set, 30_000));
    expect(
      likelihood(
        usable.map((name) => counts[name] ?? 0),
        [3, 1, 1],
      ),
    ).toBeGreaterThan(1e-4);
  });

  test('of two servers it always has the choice: connections are spread as leastConnections does', () => {
    const set = setOf([1, 1], { balance: 'random', random: seeded(6) });
    for (let count = 0; count < 200; count++) {
      chosenBy(set, 1, true);
      const [a, b] = set.list as readonly [Server, Server];
      expect(Math.abs(a.connections - b.connections)).toBeLessThanOrEqual(2);
    }
  });

  test.each([0, 101, 1.5, '2', null])('random(%s) is refused', (draws) => {
    expect(() => random(draws as number)).toThrow(OptionError);
  });
});

test('a balancer of the user is told of changes, knows the randomness of the set, and may ask one of the library', () => {
  const told: (readonly Server[])[] = [];
  const inner = random();
  const balance: Balancer = {
    choose: (servers, isUsable, wanted) =>
      inner.choose(servers, (server) => isUsable(server) && server.name !== 'b', wanted),
    changed: (servers) => {
      told.push(servers);
      inner.changed?.(servers);
    },
  };
  const set = setOf([1, 1, 1], { balance, random: seeded(4) });
  expect(told).toEqual([set.list]);
  const first = counted(chosenBy(set, 1_000));
  expect(Object.keys(first).sort()).toEqual(['a', 'c']);
  named(set, 'c').weight = 9;
  expect(told).toEqual([set.list, set.list]);
  const { a = 0, c = 0 } = counted(chosenBy(set, 1_000));
  expect(c).toBeGreaterThan(5 * a);
  expect(a).toBeGreaterThan(0);
});

test('an old balancer of the user, without changed(), goes on as it did', () => {
  const balance: Balancer = { choose: (servers, isUsable) => servers.filter(isUsable).at(-1) };
  const set = setOf([1, 1, 1], { balance });
  expect(chosenBy(set, 2)).toEqual(['c', 'c']);
  named(set, 'c').weight = 0;
  expect(chosenBy(set, 2)).toEqual(['b', 'b']);
});
