/** What each balancer of the library chooses, down to the single choice; without a set, and without a socket. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  type Balancer,
  hash,
  inOrder,
  leastConnections,
  peakEwma,
  random,
  roundRobin,
  type Server,
} from '../../src/index.js';
import { areEqual, BuiltIn } from '../../src/upstream/balance/balancer.js';
import { inNameOrder, maglevTable } from '../../src/upstream/balance/maglev.js';
import { nameOf, seeded } from './asks.js';

interface Shown {
  readonly name: string;
  readonly host: string;
  readonly path: string | undefined;
  readonly port: number | undefined;
  share: number;
  connections: number;
  waiting: number;
}

/** A server as balancers see it. */
const serverOf = (given: Partial<Shown>): Server & Shown =>
  ({
    name: 'a',
    host: '127.0.0.1',
    path: undefined,
    port: 1,
    share: 1,
    connections: 0,
    waiting: 0,
    ...given,
  }) as unknown as Server & Shown;

const listOf = (shares: readonly number[], connections: readonly number[] = []): (Server & Shown)[] =>
  shares.map((share, index) => serverOf({ name: nameOf(index), share, connections: connections[index] ?? 0 }));

const any = (): boolean => true;

/** Gives these numbers, one after the other, and counts how many were asked for. */
function numbers(...values: number[]) {
  const source = { asked: 0, next: () => values[Math.min(source.asked++, values.length - 1)] as number };
  return source;
}

const choose = (
  balancer: Balancer,
  list: readonly Server[],
  random = numbers(0).next,
  isUsable: (server: Server) => boolean = any,
) => balancer.choose(list, isUsable, { client: undefined, key: undefined, random })?.name;

const keyed = (balancer: Balancer, list: readonly Server[], key: string, isUsable: (server: Server) => boolean = any) =>
  balancer.choose(list, isUsable, { client: undefined, key, random: () => 0 })?.name ?? '-';

/** Where many keys lead, in a few characters. */
const digestOf = (balancer: Balancer, list: readonly Server[], isUsable: (server: Server) => boolean = any): string => {
  const names = Array.from({ length: 2_000 }, (_, index) => keyed(balancer, list, `key ${index}`, isUsable));
  return createHash('sha256').update(names.join()).digest('hex').slice(0, 16);
};

test('it works out what it knows once for each list and each change, however often it is asked', () => {
  let adapted = 0;
  class Counting extends BuiltIn {
    override fresh = () => this;
    protected override adapt = () => void adapted++;
    protected override pick = () => undefined;
  }
  const balancer = new Counting();
  const [one, other] = [listOf([1]), listOf([1])];
  const after = (list: readonly Server[]): number => {
    for (let count = 0; count < 3; count++) choose(balancer, list);
    return adapted;
  };
  expect(after(one)).toBe(1);
  balancer.changed(one);
  balancer.changed(one);
  expect(after(one)).toBe(2);
  expect(after(other)).toBe(3);
});

test('equal are those of one share', () => {
  expect([[], [2], [2, 2, 2], [2, 3], [3, 2, 2], [2, 2, 3]].map((shares) => areEqual(listOf(shares)))).toEqual([
    ...[true, true, true],
    ...[false, false, false],
  ]);
});

describe.each<[string, () => Balancer]>([
  ['roundRobin', roundRobin],
  ['leastConnections', leastConnections],
  ['inOrder', inOrder],
  ['random', random],
  ['peakEwma', peakEwma],
  ['hash', hash],
])('%s', (_name, make) => {
  test('follows the shares of the same list once it is told of the change', () => {
    const balancer = make();
    const list = listOf([1, 1]);
    balancer.changed?.(list);
    for (let count = 0; count < 4; count++) choose(balancer, list, seeded(1));
    for (const left of [1, 0]) {
      for (const [index, server] of list.entries()) server.share = index === left ? 1 : 0;
      balancer.changed?.(list);
      const random = seeded(2);
      expect(new Set(Array.from({ length: 20 }, () => choose(balancer, list, random)))).toEqual(
        new Set([nameOf(left)]),
      );
    }
  });
});

describe('roundRobin', () => {
  test.each([[[1, 1, 1]], [[3, 1, 2]], [[7, 7, 1, 30, 2]], [[256, 1, 100]], [[16, 5, 4, 3, 2, 1]]])(
    '%j: any round gives each server its weight, at most one more or less',
    (weights) => {
      const balancer = roundRobin();
      const list = listOf(weights);
      const round = weights.reduce((sum, weight) => sum + weight);
      const chosen = Array.from({ length: 4 * round }, () => choose(balancer, list));
      for (let from = 0; from < 3 * round; from++) {
        const turns = chosen.slice(from, from + round);
        for (const [index, weight] of weights.entries()) {
          const count = turns.filter((name) => name === nameOf(index)).length;
          expect(Math.abs(count - weight), `${nameOf(index)} from ${from} on`).toBeLessThanOrEqual(1);
        }
      }
    },
  );

  test('goes on behind the server of the last turn when others come or go', () => {
    const [a, b, c, d] = listOf([1, 1, 1, 1]) as [Server, Server, Server, Server];
    const balancer = roundRobin();
    const turns = (list: readonly Server[], count: number): string =>
      Array.from({ length: count }, () => choose(balancer, list)).join('');
    expect(turns([a, b, c], 2)).toBe('ab');
    expect(turns([b, c, d], 1)).toBe('c');
    expect(turns([c, d, a, b], 3)).toBe('dab');
    // The last one is gone: from the next place on, or from the first one.
    expect(turns([c, d, a], 2)).toBe('cd');
    expect(turns([], 1)).toBe('');
    expect(turns([a, b], 3)).toBe('aba');
  });

  test('goes on where it was when weights begin to differ, and when they are equal again', () => {
    const list = listOf([1, 1, 1]);
    const balancer = roundRobin();
    const turns = (count: number): string => Array.from({ length: count }, () => choose(balancer, list)).join('');
    expect(turns(1)).toBe('a');
    Object.assign(list[1] as Shown, { share: 2 });
    balancer.changed?.(list);
    expect([...turns(4)].sort().join('')).toBe('abbc');
    Object.assign(list[1] as Shown, { share: 1 });
    balancer.changed?.(list);
    expect([...turns(3)].sort().join('')).toBe('abc');
  });
});

describe('random', () => {
  test.each([
    [0, 'a'],
    [0.2499, 'a'],
    [0.25, 'b'],
    [0.7499, 'c'],
    [0.9999, 'd'],
    // No source of randomness leads out of the list.
    [1, 'd'],
    [7, 'd'],
    [-1, 'a'],
    [Number.NaN, 'a'],
  ])('of equals, %d leads to %s', (value, expected) => {
    expect(choose(random(1), listOf([1, 1, 1, 1]), numbers(value).next)).toBe(expected);
  });

  test.each([
    [0, 'a'],
    [0.2499, 'a'],
    [0.25, 'b'],
    [0.4999, 'b'],
    [0.5, 'b'],
    [0.9999, 'b'],
    [1, 'b'],
  ])('of weights 1 and 3, %d leads to %s', (value, expected) => {
    expect(choose(random(1), listOf([1, 3]), numbers(value).next)).toBe(expected);
  });

  test.each([
    [1, undefined],
    [2, 2],
    [3, 3],
  ])('random(%d) draws as many, and one number for each', (draws, expected = 1) => {
    const source = numbers(0, 0.3, 0.6);
    choose(random(draws), listOf([1, 1, 1, 1]), source.next);
    expect(source.asked).toBe(expected);
  });

  test('two are drawn by default, also by peakEwma', () => {
    for (const balancer of [random(), peakEwma()]) {
      const source = numbers(0, 0.3, 0.6);
      choose(balancer, listOf([1, 1, 1, 1]), source.next);
      expect(source.asked).toBe(2);
    }
  });

  test('takes the one with fewer connections for its weight, of equals the first, and counts those that wait', () => {
    const drawn = (shares: number[], connections: number[], waiting = 0): string | undefined => {
      const list = listOf(shares, connections);
      (list[0] as Shown).waiting = waiting;
      return choose(random(), list, numbers(0, 0.9).next);
    };
    expect(drawn([1, 1], [1, 2])).toBe('a');
    expect(drawn([1, 1], [2, 1])).toBe('b');
    expect(drawn([1, 1], [2, 2])).toBe('a');
    expect(drawn([1, 1], [1, 2], 2)).toBe('b');
    expect(drawn([1, 3], [1, 2])).toBe('b');
    expect(drawn([1, 3], [1, 3])).toBe('a');
    expect(drawn([1, 3], [1, 4])).toBe('a');
  });

  test('the only usable one is taken without a second', () => {
    const list = listOf([1, 1, 1]);
    expect(choose(random(), list, numbers(0.5).next, ({ name }) => name === 'b')).toBe('b');
    expect(choose(random(3), list, numbers(0.5).next, ({ name }) => name !== 'a')).toBe('b');
  });

  test('where draws find none, all are looked at, by weight', () => {
    const list = listOf([1, 1, 1, 2]);
    const found = (...values: number[]): string | undefined =>
      // Place 0 is a, which is not usable, five times over.
      choose(random(1), list, numbers(0, 0, 0, 0, 0, ...values).next, ({ name }) => name !== 'a');
    expect(found(0.5, 0.5)).toBe('b');
    expect(found(0.4999, 0.5)).toBe('c');
    expect(found(0.9, 0.4999)).toBe('d');
    expect(found(0.4999, 0.4999)).toBe('d');
  });
});

describe('leastConnections', () => {
  test('of equals, the one that was chosen longest ago; one that is new comes behind', () => {
    const [a, b, c] = listOf([1, 1, 1]) as [Server, Server, Server];
    const balancer = leastConnections();
    const turns = (list: readonly Server[], count: number): string =>
      Array.from({ length: count }, () => choose(balancer, list)).join('');
    expect(turns([a, b], 3)).toBe('aba');
    expect(turns([c, a, b], 4)).toBe('bacb');
  });

  test('a server without connections comes before all others, whatever its weight', () => {
    expect(choose(leastConnections(), listOf([256, 1], [1, 0]))).toBe('b');
    expect(choose(leastConnections(), listOf([1, 256], [0, 1]))).toBe('a');
    expect(choose(leastConnections(), listOf([1, 3], [1, 5]))).toBe('a');
    expect(choose(leastConnections(), listOf([1, 3], [1, 4]))).toBe('b');
    // 3 × 4,096 / 32 is 384, and 194 × 4,096 / 2,064 is 384.99, of which HAProxy counts the whole.
    expect(choose(leastConnections(), listOf([129, 2], [193, 2]))).toBe('a');
  });
});

describe('peakEwma', () => {
  /** Servers of a set whose clock says this. */
  const timed = (shares: number[], connections: number[] = []) => {
    const clock = { at: 0, now: () => clock.at };
    const list = listOf(shares, connections);
    for (const server of list) Object.assign(server, { set: { clock } });
    return { list, clock, drawn: (balancer: Balancer) => choose(balancer, list, numbers(0, 0.9).next) };
  };
  const known = (balancer: Balancer, server: Server | undefined, tookMs: number): void =>
    balancer.connected?.(server as Server, tookMs);

  test('one that has not answered comes first while it has no connection, and last with one', () => {
    const first = peakEwma();
    const { list, drawn } = timed([1, 1]);
    known(first, list[0], 0.2);
    expect(drawn(first)).toBe('b');
    Object.assign(list[1] as Shown, { connections: 1 });
    known(first, list[0], 600_000);
    expect(drawn(first)).toBe('a');
  });

  test('connect times count for each connection, this one included, and for the weight', () => {
    const cases: [shares: number[], connections: number[], times: number[], string][] = [
      [[1, 1], [0, 1], [15, 10], 'a'],
      [[1, 1], [0, 1], [25, 10], 'b'],
      [[3, 1], [4, 1], [10, 10], 'a'],
      [[3, 1], [6, 1], [10, 10], 'b'],
    ];
    for (const [shares, connections, times, expected] of cases) {
      const balancer = peakEwma();
      const { list, drawn } = timed(shares, connections);
      for (const [index, tookMs] of times.entries()) known(balancer, list[index], tookMs);
      expect(drawn(balancer), `${shares} ${connections} ${times}`).toBe(expected);
    }
  });

  test('two that have not answered: by their connections for their weights', () => {
    expect(timed([1, 1], [2, 1]).drawn(peakEwma())).toBe('b');
    expect(timed([1, 1], [1, 2]).drawn(peakEwma())).toBe('a');
    expect(timed([1, 3], [1, 4]).drawn(peakEwma())).toBe('b');
  });

  test('after 10 seconds, unless it says otherwise, a time counts for 1/e', () => {
    for (const [decayMs, afterMs] of [
      [undefined, 10_000],
      [500, 500],
    ] as const) {
      for (const [tookMs, expected] of [
        [1_000 / Math.E - 0.01, 'b'],
        [1_000 / Math.E + 0.01, 'a'],
      ] as const) {
        const balancer = peakEwma({ decayMs });
        const { list, clock, drawn } = timed([1, 1]);
        known(balancer, list[0], 1_000);
        clock.at = afterMs;
        known(balancer, list[1], tookMs);
        expect(drawn(balancer)).toBe(expected);
      }
    }
  });

  test('a server that stays keeps its time through a change; one that comes back is not known', () => {
    const balancer = peakEwma();
    const { list, drawn } = timed([1, 1]);
    known(balancer, list[0], 10);
    known(balancer, list[1], 20);
    balancer.changed?.(list);
    expect(drawn(balancer)).toBe('a');
    balancer.changed?.(list.slice(0, 1));
    balancer.changed?.(list);
    expect(drawn(balancer)).toBe('b');
  });

  test('servers of no set have a time that does not pass', () => {
    const balancer = peakEwma();
    const list = listOf([1, 1]);
    known(balancer, list[0], 20);
    known(balancer, list[1], 10);
    expect(choose(balancer, list, numbers(0, 0.9).next)).toBe('b');
  });
});

describe('hash', () => {
  test('leads to the same servers in any process and version', () => {
    const list = listOf([1, 2, 3, 4]);
    expect(digestOf(hash(), list)).toBe('4bc8915e7f91e8bd');
    // Passed over: from place to place of each key.
    expect(digestOf(hash(), list, ({ name }) => name !== 'd')).toBe('7ee421b68f693d58');
    const many = listOf(Array.from({ length: 300 }, () => 1));
    expect(digestOf(hash(), many, ({ name }) => name === 'c' || name === 'f')).toBe('ba5ac6f3fa3db387');
    const same = [1, 2, 3].map((port) => serverOf({ name: 'db', port }));
    expect([...maglevTable(same).slice(0, 40)].join('')).toBe('2120221222001100012000120021210222120101');
    // Each place, also where a turn comes a little later for a weight.
    const table = maglevTable(listOf([1, 2, 3, 4, 5]));
    expect(createHash('sha256').update(table.join()).digest('hex').slice(0, 16)).toBe('ad5e3f0fc41f2316');
  });

  test('without loadFactor a key keeps its server, however many connections that has', () => {
    const list = listOf([1, 1, 1]);
    const own = keyed(hash(), list, 'x');
    for (const server of list) server.connections = server.name === own ? 100 : 0;
    expect(keyed(hash(), list, 'x')).toBe(own);
  });

  test('without a key and a client it is at random, and each server gets its part', () => {
    const list = listOf([1, 2, 4]);
    const next = seeded(4);
    const balancer = hash();
    const counts: Record<string, number> = {};
    for (let count = 0; count < 7_000; count++) {
      const name = choose(balancer, list, next) as string;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    for (const [name, part] of [
      ['a', 1],
      ['b', 2],
      ['c', 4],
    ] as const) {
      expect(counts[name]).toBeGreaterThan(part * 900);
      expect(counts[name]).toBeLessThan(part * 1_100);
    }
  });

  test('a part of the keys follows from the proportion of the shares alone, also while all of them grow', () => {
    const expected = digestOf(hash(), listOf([2, 1, 4]));
    expect(digestOf(hash(), listOf([0.5, 0.25, 1]))).toBe(expected);
    expect(digestOf(hash(), listOf([0.125, 0.0625, 0.25]))).toBe(expected);
  });

  test('the order of servers is that of names, then addresses, then ports, whatever order they come in', () => {
    const sorted = [
      serverOf({ name: 'a', host: '10.0.0.2', port: 9 }),
      serverOf({ name: 'b', path: '/run/1', host: '10.0.0.9', port: undefined }),
      serverOf({ name: 'b', path: '/run/2', host: '10.0.0.1', port: undefined }),
      serverOf({ name: 'b', host: '10.0.0.1', port: 7 }),
      serverOf({ name: 'b', host: '10.0.0.2', port: 3 }),
      serverOf({ name: 'b', host: '10.0.0.2', port: 5 }),
      serverOf({ name: 'b', host: '10.0.0.2', port: 20 }),
      serverOf({ name: 'c', host: '10.0.0.1', port: 1 }),
    ];
    const next = seeded(9);
    for (let count = 0; count < 50; count++) {
      const shuffled = sorted.map((server) => [next(), server] as const).sort(([one], [other]) => one - other);
      expect(inNameOrder(shuffled.map(([, server]) => server))).toEqual(sorted);
    }
  });

  test('loadFactor: connections that were there before its first choice count', () => {
    const list = listOf([1, 1, 1, 1]);
    const own = keyed(hash(), list, 'x');
    for (const server of list) server.connections = server.name === own ? 30 : 20;
    expect(keyed(hash({ loadFactor: 1 }), list, 'x')).not.toBe(own);
    for (const server of list) server.connections = server.name === own ? 22 : 23;
    expect(keyed(hash({ loadFactor: 1 }), list, 'x')).toBe(own);
  });

  test('loadFactor: a server whose share is one connection gets no more than one', () => {
    const list = listOf([1, 1, 1, 1]);
    const own = keyed(hash(), list, 'x');
    for (const server of list) server.connections = server.name === own ? 3 : 0;
    expect(keyed(hash({ loadFactor: 1 }), list, 'x')).not.toBe(own);
  });

  test('loadFactor: a change has them counted at once', () => {
    const list = listOf(Array.from({ length: 100 }, () => 1));
    const own = keyed(hash(), list, 'x');
    const balancer = hash({ loadFactor: 1.25 });
    balancer.changed?.(list);
    for (const server of list) server.connections = 20;
    expect(keyed(balancer, list, 'x')).toBe(own);
    for (const server of list) server.connections = server.name === own ? 2 : 0;
    expect(keyed(balancer, list, 'x')).toBe(own);
    balancer.changed?.(list);
    expect(keyed(balancer, list, 'x')).not.toBe(own);
  });

  test('loadFactor: among 100 servers all are counted once in seven choices, and not more often', () => {
    let read = 0;
    const list = listOf(Array.from({ length: 100 }, () => 1));
    const get = (): number => {
      read++;
      return 0;
    };
    for (const server of list) Object.defineProperty(server, 'connections', { get });
    const balancer = hash({ loadFactor: 2 });
    for (let index = 0; index < 70; index++) keyed(balancer, list, `${index}`);
    expect(read).toBe(10 * 100 + 70);
  });
});

test.each([
  [2, [1], 'cd'],
  [2, [0, 1], 'cd'],
  [1, [0], 'bc'],
  [4, [3], 'ab'],
  [2, [2], 'da'],
])(
  'in turn: after %d choices of four, those at %j are removed, and the next ones are %s',
  (choices, removed, expected) => {
    const list = listOf([1, 1, 1, 1]);
    const balancer = roundRobin();
    for (let count = 0; count < choices; count++) choose(balancer, list);
    const left = list.filter((_, index) => !removed.includes(index));
    balancer.changed?.(left);
    expect([choose(balancer, left), choose(balancer, left)].join('')).toBe(expected);
  },
);

/** A server comes or goes, gets another weight, or cannot be used for a while; in between some are chosen. */
function* history(seed: number): Generator<{ chosen: string | undefined; list: readonly (Server & Shown)[] }, void> {
  const next = seeded(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  const balancer = roundRobin();
  let made = 0;
  const made4 = Array.from({ length: 4 }, () => 1 + below(9));
  let list = made4.map((share) => serverOf({ name: `s${made++}`, share }));
  balancer.changed?.(list);
  const unusable = new Set<Server>();
  for (let step = 0; step < 150; step++) {
    const one = list[below(list.length)] as Server & Shown;
    const what = below(12);
    if (what === 0) list = [...list, serverOf({ name: `s${made++}`, share: 1 + below(9) })];
    else if (what === 1 && list.length > 2) list = list.filter((server) => server !== one);
    else if (what === 2) one.share = 1 + below(9);
    if (what <= 2) balancer.changed?.(list);
    if (what === 3) unusable.add(one);
    if (what === 4) unusable.clear();
    for (let count = below(6); count > 0; count--) {
      yield { chosen: choose(balancer, list, undefined, (server) => !unusable.has(server)), list };
    }
  }
  // Two rounds, in which what went before comes to an end, and one that counts.
  const turns = 16 * list.reduce((sum, { share }) => sum + share, 0);
  for (let count = 3 * turns; count > 0; count--) yield { chosen: choose(balancer, list), list };
}

describe('in turn, after any history', () => {
  test('the order is that of earlier versions', () => {
    const digest = createHash('sha256');
    for (let seed = 1; seed <= 100; seed++) for (const { chosen = '-' } of history(seed)) digest.update(`${chosen} `);
    expect(digest.digest('hex').slice(0, 16)).toBe('2bbeb1328c3791b4');
  });

  test('each server has its part of a round', () => {
    for (let seed = 101; seed <= 130; seed++) {
      const steps = [...history(seed)];
      const { list } = steps.at(-1) as (typeof steps)[number];
      const turns = 16 * list.reduce((sum, { share }) => sum + share, 0);
      const last = steps.slice(-turns).map(({ chosen }) => chosen);
      for (const { name, share } of list) {
        const count = last.filter((chosen) => chosen === name).length;
        expect(Math.abs(count - 16 * share), `${name} of seed ${seed}: ${count} of ${turns}`).toBeLessThanOrEqual(1);
      }
    }
  });
});
