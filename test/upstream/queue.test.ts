/** The queue of a set, and those of its servers: first in, first out among those that could take a place, and nobody waits in vain. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LogEntry, OptionError, type Server, Servers, type ServersOptions } from '../../src/index.js';
import { ManualClock } from '../../src/testing/clock.js';
import type { Choice, Requester } from '../../src/upstream/requester.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

/** A connection that takes each place that it is offered. */
class Connection implements Requester {
  memory: Requester['memory'] = undefined;
  readonly client: Requester['client'] = undefined;
  readonly key: Requester['key'] = undefined;
  readonly random = (): number => 0.5;
  trial: Requester['trial'] = undefined;
  queued: Requester['queued'] = undefined;
  chosenAt = 0;
  called = 0;
  server: Server | undefined;
  refusal: string | undefined;

  constructor(
    readonly set: Servers,
    readonly only: Server | undefined = undefined,
    readonly chosen: (connection: Connection, server: Server) => void = () => {},
  ) {}

  serverFreed(): void {
    this.called++;
    this.ask();
  }

  ask(): Choice {
    const choice = this.set.choose(this);
    if (choice.kind === 'chosen') {
      this.server = choice.server;
      this.chosen(this, choice.server);
    } else if (choice.kind === 'exhausted') this.refusal = choice.cause.code ?? choice.cause.manner;
    else if (choice.kind === 'deferred') throw new Error('Nothing has failed.');
    return choice;
  }

  leave(): void {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) this.set.forget(this);
    else this.set.leave(server);
  }
}

const setOf = (servers: readonly object[], options: ServersOptions = {}): Servers => {
  const clock = new ManualClock();
  return new Servers(servers.map((one, index) => ({ port: index + 1, ...one })) as never, {
    clock,
    random: () => 0,
    ...options,
  });
};

function serversOf<const N extends number>(set: Servers, _count: N): N extends 1 ? [Server] : [Server, Server] {
  return [...set.list] as never;
}

describe('what blocks whom', () => {
  test('those that wait for a full server alone are not called for a place at another one', () => {
    const set = setOf([{ connectionsMax: 1 }, { connectionsMax: 1 }]);
    const [a, b] = serversOf(set, 2);
    const [atA, atB] = [new Connection(set, a), new Connection(set, b)];
    for (const one of [atA, atB]) one.ask();
    const alone = [new Connection(set, a), new Connection(set, a)];
    for (const one of alone) one.ask();
    const any = new Connection(set);
    any.ask();
    atB.leave();
    expect(any.server).toBe(b);
    expect(alone.map(({ called }) => called)).toEqual([0, 0]);
    atA.leave();
    expect(alone.map(({ server }) => server)).toEqual([a, undefined]);
  });

  test('a free place goes to the one that has waited longest of those that can take it, in whichever queue it waits', () => {
    const set = setOf([{ connectionsMax: 1 }, { connectionsMax: 1 }]);
    const [a, b] = serversOf(set, 2);
    const held = [new Connection(set, a), new Connection(set, b)];
    for (const one of held) one.ask();
    const line = [undefined, a, b, undefined, a].map((only) => new Connection(set, only));
    for (const one of line) one.ask();
    const took: number[] = [];
    for (let server: Server | undefined = a; took.length < line.length; ) {
      const holder = [...held, ...line].find((one) => one.server === server) as Connection;
      holder.leave();
      const next = line.findIndex((one, index) => one.server !== undefined && !took.includes(index));
      took.push(next);
      server = line[next]?.server;
      if (next === 1) server = b;
    }
    // a is free: 0; again: 1. b is free: 2; again: 3; again, as the last one waits for a: nobody.
    expect(took).toEqual([0, 1, 2, 3, -1]);
    expect([set.waiting, a.waiting, b.waiting]).toEqual([1, 1, 0]);
  });

  test('one that waits for a server alone gets its place, where no other connection may go there', () => {
    const set = setOf([{ connectionsMax: 1 }, { connectionsMax: 1, checks: { init: 'fullyDown' } }], { panic: 0 });
    const [a, down] = serversOf(set, 2);
    const [first, second] = [new Connection(set, down), new Connection(set, down)];
    for (const one of [new Connection(set, a), first, second]) one.ask();
    expect([first.server, second.server, down.waiting]).toEqual([down, undefined, 1]);
    first.leave();
    expect(second.server).toBe(down);
    void set.close();
  });

  test('a server that is taken out fails those that wait for it alone, with the reason, and no others', () => {
    const set = setOf([{ connectionsMax: 1 }, { connectionsMax: 1 }]);
    const [a, b] = serversOf(set, 2);
    const all = [a, b, a, undefined, a].map((only) => new Connection(set, only));
    for (const one of all) one.ask();
    a.drain();
    expect(all.map(({ refusal }) => refusal)).toEqual([undefined, undefined, 'drain', undefined, 'drain']);
    expect([set.waiting, a.waiting]).toEqual([1, 0]);
  });
});

describe('bounds', () => {
  test('those for any server and those for one alone do not take room from each other', () => {
    const set = setOf([{ connectionsMax: 1, queueMax: 2 }, { connectionsMax: 1 }], { queueMax: 1 });
    const [a, b] = serversOf(set, 2);
    const all = [a, b, a, undefined, a, a, undefined, b, b].map((only) => new Connection(set, only));
    for (const one of all) one.ask();
    const [, , , , , thirdOfA, secondOfAny, , secondOfB] = all;
    expect(all.filter(({ refusal }) => refusal !== undefined)).toEqual([thirdOfA, secondOfAny, secondOfB]);
    expect([thirdOfA, secondOfAny, secondOfB].map((one) => one?.refusal)).toEqual([
      'serverQueueMax',
      'queueMax',
      'serverQueueMax',
    ]);
    expect([set.waiting, a.waiting, b.waiting]).toEqual([4, 2, 1]);
    expect(a.toJSON()).toMatchObject({ waiting: 2, queueMax: 2, connections: 1 });
  });

  test('of a server is that of the set by default, can be changed, and 0 lets nobody wait', () => {
    const set = setOf([{}, { queueMax: 7 }], { queueMax: 3 });
    const [a, b] = serversOf(set, 2);
    expect([a.queueMax, b.queueMax]).toEqual([3, 7]);
    expect(setOf([{}]).list[0]?.queueMax).toBe(Number.POSITIVE_INFINITY);
    a.queueMax = 0;
    a.connectionsMax = 1;
    const [first, second] = [new Connection(set, a), new Connection(set, a)];
    for (const one of [first, second]) one.ask();
    expect([first.server, second.refusal]).toEqual([a, 'serverQueueMax']);
    set.replace([
      { port: 1, connectionsMax: 1, queueMax: 1 },
      { port: 2, queueMax: 7 },
    ]);
    expect(set.list).toEqual([a, b]);
    const third = new Connection(set, a);
    expect(third.ask()).toEqual({ kind: 'full' });
  });

  test.each([-1, 0.5, Number.NaN, '3', null])('%j is none', (queueMax) => {
    const set = setOf([{}]);
    const expected = /queueMax.* must be a whole number from 0 on, or Infinity/;
    expect(() => setOf([{ queueMax }])).toThrow(/servers\[0\]\.queueMax/);
    expect(() => setOf([{ queueMax }])).toThrow(OptionError);
    expect(() => {
      serversOf(set, 1)[0].queueMax = queueMax as number;
    }).toThrow(expected);
  });
});

type Action =
  | { readonly do: 'come'; readonly only: number; readonly to: number }
  | { readonly do: 'leave' | 'drain' | 'up' | 'widen'; readonly which: number; readonly to: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('come'), only: fc.nat({ max: 5 }), to: fc.nat({ max: 3 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('leave'), which: fc.nat(), to: fc.nat({ max: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('drain', 'up', 'widen'),
      which: fc.nat(),
      to: fc.nat({ max: 3 }),
    }),
  },
);

test('random histories: nobody waits in vain, nobody is passed over, and the bounds hold', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ connectionsMax: fc.integer({ min: 1, max: 3 }), queueMax: fc.nat({ max: 4 }) }), {
        minLength: 1,
        maxLength: 3,
      }),
      fc.nat({ max: 4 }),
      fc.constantFrom('roundRobin', 'leastConnections', 'inOrder', 'random'),
      fc.array(action, { maxLength: 120 }),
      (servers, queueMax, balance, actions) => {
        const set = setOf(servers, { queueMax, balance });
        let connections: Connection[] = [];
        const isOpen = (server: Server): boolean =>
          server.hasTag('usable') && server.connections < server.connectionsMax && server.weight > 0;
        const mayTake = ({ only }: Connection, server: Server): boolean => only === undefined || only === server;
        const waiting = (): Connection[] => connections.filter(({ queued }) => queued !== undefined);
        const chosen = (one: Connection, server: Server): void => {
          const place = connections.indexOf(one);
          const passed = waiting().filter((other) => connections.indexOf(other) < place && mayTake(other, server));
          expect(passed, 'those that came before, and could take it').toEqual([]);
        };
        for (const what of actions) {
          if (what.do === 'come') {
            const one = new Connection(set, what.only < 3 ? set.list[what.only] : undefined, chosen);
            const rivals = waiting().filter(({ only }) => only === one.only).length;
            const isOut = !(one.only === undefined ? set.list : [one.only]).some((server) => server.hasTag('usable'));
            const finds = set.list.some((server) => mayTake(one, server) && isOpen(server));
            connections.push(one);
            one.ask();
            if (!isOut) {
              const bound = one.only?.queueMax ?? queueMax;
              const due = finds ? 'a place' : rivals < bound ? 'waits' : 'refused';
              const is = one.server !== undefined ? 'a place' : one.queued !== undefined ? 'waits' : 'refused';
              expect(is).toBe(due);
            } else expect(one.refusal).toBe('drain');
          } else if (what.do === 'leave') {
            const one = connections[what.which % Math.max(1, connections.length)];
            connections = connections.filter((other) => other !== one);
            one?.leave();
          } else {
            const server = set.list[what.which % set.list.length] as Server;
            if (what.do === 'widen') server.connectionsMax = what.to + 1;
            else server[what.do]();
          }
          connections = connections.filter(({ refusal }) => refusal === undefined);
          for (const one of waiting()) {
            const free = set.list.filter((server) => mayTake(one, server) && isOpen(server));
            expect(free, 'places for one that waits').toEqual([]);
          }
          expect(set.waiting).toBe(waiting().length);
          for (const server of set.list) {
            expect(server.waiting).toBe(waiting().filter(({ only }) => only === server).length);
          }
        }
        for (const one of connections) one.leave();
        expect([set.waiting, ...set.list.map((server) => server.waiting + server.connections)]).toEqual(
          [set, ...set.list].map(() => 0),
        );
      },
    ),
    { numRuns: 1_000 },
  );
});

test('on sockets: a client for one server alone waits for that, those for any do not wait for it; the log names it', async () => {
  const [one, two] = [await bench.silent(), await bench.silent()];
  const servers = new Servers(
    [
      { ...one.at, name: 'one', connectionsMax: 1, queueMax: 1 },
      { ...two.at, name: 'two', connectionsMax: 1 },
    ],
    { clock: bench.clock },
  );
  const [a] = servers.list as [Server, Server];
  const targets = [a, servers, a, servers, a];
  let next = 0;
  const { at, proxy } = await makeProxy({ route: () => targets[next++] as Servers | Server });
  const logged = new Promise<LogEntry>((resolve) => proxy.once('log', resolve));
  const first = await bench.dial(at);
  await one.connection();
  const second = await bench.dial(at);
  await two.connection();
  await bench.dial(at);
  await until('one to wait for the first server alone', () => a.waiting === 1);
  await bench.dial(at);
  await until('one to wait for any', () => servers.waiting === 2);
  bench.dialing(at);
  expect(await logged).toMatchObject({
    code: 'PQ',
    server: 'one',
    ending: 'refused',
    cause: { code: 'serverQueueMax' },
  });
  // The place at the second server is for the one that may go anywhere, though the other one has waited longer.
  second.resetAndDestroy();
  await two.connection(1);
  expect([servers.waiting, a.waiting]).toEqual([1, 1]);
  first.resetAndDestroy();
  await one.connection(1);
  expect([servers.waiting, a.waiting, a.connections]).toEqual([0, 0, 1]);
  void servers.close();
});
