/** The policies: numbers and choices, without a socket. */
import { describe, expect, test } from 'vitest';
import {
  type Balancer,
  type Cause,
  inOrder,
  isPermanent,
  leastConnections,
  OptionError,
  roundRobin,
  type Server,
  Servers,
} from '../../src/index.js';
import { ManualClock } from '../../src/testing/clock.js';
import { Backoff } from '../../src/upstream/backoff.js';
import { RetryBudget } from '../../src/upstream/budget.js';
import type { Choice, Requester } from '../../src/upstream/requester.js';

const REFUSED: Cause = { initiator: 'peer', manner: 'refusal', phase: 'connecting', code: 'ECONNREFUSED' };
const IMPOSSIBLE: Cause = { initiator: 'system', manner: 'error', phase: 'command', code: 'ERR_INVALID_ARG_VALUE' };
const UNTRUSTED: Cause = { initiator: 'system', manner: 'error', phase: 'connecting', code: 'CERT_HAS_EXPIRED' };

/** A connection that asks; what it is answered when a place is free is noted. */
class Connection implements Requester {
  memory: Requester['memory'] = undefined;
  readonly only: Requester['only'] = undefined;
  readonly client: Requester['client'] = undefined;
  readonly key: Requester['key'] = undefined;
  readonly random: Requester['random'] = () => 0;
  trial: Requester['trial'] = undefined;
  queued: Requester['queued'] = undefined;
  chosenAt = 0;
  answered: Choice | undefined;

  constructor(
    readonly set: Servers,
    readonly name = '',
    readonly order: string[] = [],
  ) {}

  serverFreed(): void {
    this.order.push(this.name);
    this.answered = this.ask();
  }

  ask(): Choice {
    return this.set.choose(this);
  }

  /** The name of the server that is chosen. */
  chosen(): Server {
    const choice = this.ask();
    if (choice.kind !== 'chosen') throw new Error(`It answers ${choice.kind}.`);
    return choice.server;
  }

  fail(server: Server, cause = REFUSED): void {
    this.set.leave(server);
    this.set.failed(this, server, cause);
  }

  delay(): number {
    const choice = this.ask();
    if (choice.kind !== 'deferred') throw new Error(`It answers ${choice.kind}.`);
    return choice.delayMs;
  }
}

let clock = new ManualClock();
const THREE = [{ port: 1 }, { port: 2 }, { port: 3 }];
const BACKOFF = { initialMs: 100, maxMs: 1_000, jitter: 0 };

const setOf = (servers = THREE as readonly object[], options: object = {}): Servers => {
  clock = new ManualClock();
  clock.advance(1_000);
  return new Servers(servers as never, { clock, backoff: BACKOFF, random: () => 0, ...options });
};

const portsOf = (connection: Connection, count: number): (number | undefined)[] =>
  Array.from({ length: count }, () => connection.chosen().port);

describe('Backoff', () => {
  test('grows by its factor up to its longest wait', () => {
    const backoff = new Backoff({ initialMs: 100, factor: 3, maxMs: 2_000, jitter: 0 });
    expect([0, 1, 2, 3, 4, 1_000].map((round) => backoff.delayMs(round, 0.9))).toEqual([
      100, 300, 900, 2_000, 2_000, 2_000,
    ]);
  });

  test('takes off a random part, at most the jitter', () => {
    const backoff = new Backoff({ initialMs: 1_000, jitter: 0.5 });
    expect([0, 0.5, 1].map((random) => backoff.delayMs(0, random))).toEqual([1_000, 750, 500]);
    expect(new Backoff({ initialMs: 1_000, jitter: 1 }).delayMs(0, 1)).toBe(0);
  });

  test('has the defaults that it documents', () => {
    expect(new Backoff()).toMatchObject({ initialMs: 100, factor: 2, maxMs: 10_000, jitter: 0.5 });
    expect(new Backoff({ initialMs: 60_000 }).maxMs).toBe(60_000);
  });

  test('refuses a longest wait that is shorter than the first', () => {
    expect(() => new Backoff({ initialMs: 100, maxMs: 99 })).toThrow(OptionError);
  });
});

describe('RetryBudget', () => {
  test('is full at first, and then empty', () => {
    const budget = new RetryBudget({ burst: 3, perSecond: 0, ratio: 0 });
    expect([1, 2, 3, 4, 5].map(() => budget.withdraw(0, 1_000_000))).toEqual([0, 0, 0, undefined, undefined]);
  });

  test('earns by time, up to its most', () => {
    const budget = new RetryBudget({ burst: 2, perSecond: 10, ratio: 0 });
    expect([1, 2, 3].map(() => budget.withdraw(50_000, 0))).toEqual([0, 0, undefined]);
    expect(budget.withdraw(50_099, 0)).toBeUndefined();
    expect(budget.withdraw(50_100, 0)).toBe(0);
    // A long time earns no more than is kept.
    expect([1, 2, 3].map(() => budget.withdraw(90_000, 0))).toEqual([0, 0, undefined]);
  });

  test('says how long to wait for one that is not earned yet, each after the one before', () => {
    const budget = new RetryBudget({ burst: 1, perSecond: 10, ratio: 0 });
    expect([1, 2, 3, 4, 5].map(() => budget.withdraw(0, 300))).toEqual([0, 100, 200, 300, undefined]);
    // One that would have to wait too long has taken nothing.
    expect(budget.withdraw(100, 300)).toBe(300);
    expect(budget.withdraw(10_000, 0)).toBe(0);
  });

  test('earns by first attempts', () => {
    const budget = new RetryBudget({ burst: 10, perSecond: 0, ratio: 0.25 });
    for (let retry = 0; retry < 10; retry++) budget.withdraw(0, 0);
    for (let attempt = 0; attempt < 3; attempt++) budget.deposit();
    expect(budget.withdraw(0, 0)).toBeUndefined();
    budget.deposit();
    expect(budget.withdraw(0, 0)).toBe(0);
  });

  test('has the defaults that it documents', () => {
    expect(new RetryBudget()).toMatchObject({ ratio: 0.2, perSecond: 10, burst: 100 });
  });
});

describe('what is taken for a number', () => {
  const most = 86_400_000;

  test.each([
    ['initialMs', 1, 3_600_000, (initialMs: number) => new Backoff({ initialMs, maxMs: most })],
    ['factor', 1, 100, (factor: number) => new Backoff({ factor })],
    ['maxMs', 100, most, (maxMs: number) => new Backoff({ initialMs: 100, maxMs })],
    ['jitter', 0, 1, (jitter: number) => new Backoff({ jitter })],
    ['ratio', 0, 1_000, (ratio: number) => new RetryBudget({ ratio })],
    ['perSecond', 0, 1_000_000, (perSecond: number) => new RetryBudget({ perSecond })],
    ['burst', 1, 1_000_000_000, (burst: number) => new RetryBudget({ burst })],
  ] as const)('%s: from %d to %d', (_name, least, greatest, make) => {
    for (const value of [least, greatest]) expect(() => make(value)).not.toThrow();
    for (const value of [least - 0.001, greatest + 0.001, Number.NaN]) expect(() => make(value)).toThrow(OptionError);
  });
});

const NO_CLIENT = { client: undefined, key: undefined, random: () => 0 };

describe('balancers', () => {
  test('roundRobin: each in turn, past those that are not usable', () => {
    const { list } = setOf();
    const [one, two, three] = list as readonly [Server, Server, Server];
    const balancer = roundRobin();
    const all = (): boolean => true;
    expect([1, 2, 3, 4].map(() => balancer.choose(list, all, NO_CLIENT))).toEqual([one, two, three, one]);
    expect(balancer.choose(list, (server) => server !== two, NO_CLIENT)).toBe(three);
    expect(balancer.choose(list, (server) => server === two, NO_CLIENT)).toBe(two);
    expect(balancer.choose(list, () => false, NO_CLIENT)).toBeUndefined();
    expect(balancer.choose([], all, NO_CLIENT)).toBeUndefined();
  });

  test('inOrder: always the first that is usable', () => {
    const { list } = setOf();
    const balancer = inOrder();
    expect([1, 2].map(() => balancer.choose(list, () => true, NO_CLIENT)?.port)).toEqual([1, 1]);
    expect(balancer.choose(list, (server) => server.port !== 1, NO_CLIENT)?.port).toBe(2);
  });

  test('leastConnections: the fewest, each in turn among equals', () => {
    const { list } = setOf();
    const [one, two, three] = list as readonly [Server, Server, Server];
    const balancer = leastConnections();
    const all = (): boolean => true;
    // Connections that are over at once: ties do not all go to the first.
    expect([1, 2, 3, 4].map(() => balancer.choose(list, all, NO_CLIENT))).toEqual([one, two, three, one]);
    one.connections = 2;
    two.connections = 1;
    three.connections = 1;
    expect([1, 2, 3].map(() => balancer.choose(list, all, NO_CLIENT))).toEqual([two, three, two]);
    expect(balancer.choose(list, (server) => server === one, NO_CLIENT)).toBe(one);
    expect(balancer.choose(list, () => false, NO_CLIENT)).toBeUndefined();
    expect(balancer.choose([], all, NO_CLIENT)).toBeUndefined();
  });

  test('leastConnections by its name: 2 to 1 where one has more', () => {
    const set = setOf([{ port: 1 }, { port: 2 }], { balance: 'leastConnections' });
    const connection = new Connection(set);
    expect(portsOf(connection, 4)).toEqual([1, 2, 1, 2]);
    set.leave(set.list[1] as Server);
    set.leave(set.list[1] as Server);
    expect(portsOf(connection, 2)).toEqual([2, 2]);
  });

  test('one of the user', () => {
    const asked: boolean[][] = [];
    const fewest: Balancer = {
      choose: (servers, isUsable) => {
        asked.push(servers.map(isUsable));
        return servers.filter(isUsable).sort((a, b) => a.connections - b.connections)[0];
      },
    };
    const set = setOf(THREE, { balance: fewest });
    const connection = new Connection(set);
    expect(new Set(portsOf(connection, 3))).toEqual(new Set([1, 2, 3]));
    set.leave(set.list[1] as Server);
    expect(connection.chosen().port).toBe(2);
    expect(asked[0]).toEqual([true, true, true]);
  });
});

describe('a shared backoff', () => {
  const SHARED = { backoff: { ...BACKOFF, shared: true } };
  const one = (options: object = {}) => setOf([{ port: 1 }], { ...SHARED, ...options });

  /** A connection that the server has refused, and that gives up. */
  const refused = (set: Servers): void => {
    const connection = new Connection(set);
    connection.fail(connection.chosen());
  };

  test('newcomers wait while the server is down; one of them tries it after each wait, which grows', () => {
    const set = one();
    refused(set);
    const order: string[] = [];
    const waiting = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => new Connection(set, name, order));
    for (const connection of waiting) expect(connection.ask().kind).toBe('full');
    const trials: number[] = [];
    const [server] = set.list as [Server];
    for (let time = 0; time < 3_000; time++) {
      const trying = server.trial as Connection | undefined;
      if (trying !== undefined) {
        trials.push(clock.now() - 1_000);
        trying.fail(server);
      }
      expect(server.connections).toBe(0);
      clock.advance(1);
    }
    expect(trials).toEqual([100, 300, 700, 1_500, 2_500]);
    expect(order).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('a trial that comes up lets all go on at once, and the next failure begins with the shortest wait', () => {
    const set = one();
    const [server] = set.list as [Server];
    refused(set);
    const waiting = Array.from({ length: 5 }, () => new Connection(set));
    for (const connection of waiting) connection.ask();
    clock.advance(100);
    (server.trial as Connection).fail(server);
    clock.advance(199);
    expect(waiting.map(({ answered }) => answered?.kind === 'chosen')).toEqual([true, false, false, false, false]);
    clock.advance(1);
    expect(server.connections).toBe(1);
    set.succeeded(server);
    expect(waiting.every(({ answered }) => answered?.kind === 'chosen')).toBe(true);
    expect(new Connection(set).chosen()).toBe(server);
    expect(clock.pending).toBe(0);
    refused(set);
    expect(new Connection(set).ask().kind).toBe('full');
    clock.advance(100);
    expect(server.trial).toBeDefined();
  });

  test('a connection whose attempt has failed waits for the next trial, and not for a backoff of its own as well', () => {
    const set = one({ retryBudget: { burst: 1, perSecond: 0, ratio: 0 } });
    const [server] = set.list as [Server];
    const first = new Connection(set);
    first.fail(first.chosen());
    expect(first.delay()).toBe(100);
    clock.advance(100);
    expect(first.chosen()).toBe(server);
    first.fail(server);
    expect(first.delay()).toBe(200);
    // Time that has passed counts.
    clock.advance(150);
    const other = new Connection(set);
    expect(other.ask().kind).toBe('full');
    clock.advance(50);
    expect(other.answered).toMatchObject({ kind: 'chosen' });
    // Another connection tries it: it waits for that.
    expect(first.ask().kind).toBe('full');
  });

  test('an attempt that began before the first failure fails during a trial: its connection waits for the trial alone', () => {
    const set = one();
    const [server] = set.list as [Server];
    const [first, second] = [new Connection(set), new Connection(set)];
    for (const connection of [first, second]) connection.chosen();
    first.fail(server);
    expect(first.delay()).toBe(100);
    clock.advance(100);
    expect(first.chosen()).toBe(server);
    second.fail(server);
    expect(second.delay()).toBe(0);
    expect(second.ask().kind).toBe('full');
    set.succeeded(server);
    expect(second.answered).toEqual({ kind: 'chosen', server });
  });

  test('attempts that were under way at the first failure count as one', () => {
    const set = one();
    const [server] = set.list as [Server];
    const early = Array.from({ length: 20 }, () => new Connection(set));
    for (const connection of early) connection.chosen();
    for (const connection of early) connection.fail(server);
    expect(early.map((connection) => connection.delay())).toEqual(early.map(() => 100));
    clock.advance(100);
    expect(early.map((connection) => connection.ask().kind)).toEqual(['chosen', ...early.slice(1).map(() => 'full')]);
  });

  test('the longest waiting one comes before newcomers', () => {
    const set = one();
    const [server] = set.list as [Server];
    const first = new Connection(set);
    first.fail(first.chosen());
    first.delay();
    const waiting = new Connection(set);
    waiting.ask();
    clock.advance(99);
    // A timer may be late: the time has come, and the newcomer asks first.
    server.trialAt = clock.now();
    expect(new Connection(set).ask().kind).toBe('full');
    expect(waiting.answered?.kind).toBe('chosen');
  });

  test('a trial that is given up is for the next one at once', () => {
    const set = one();
    const [server] = set.list as [Server];
    refused(set);
    const [trying, next] = [new Connection(set), new Connection(set)];
    trying.ask();
    next.ask();
    clock.advance(100);
    expect(server.trial).toBe(trying);
    set.leave(server);
    set.forget(trying);
    expect(server.trial).toBe(next);
    set.leave(server);
    set.forget(next);
    expect(clock.pending).toBe(0);
  });

  test('a shortage of this process is a trial as well: the next one waits', () => {
    const set = one();
    const [server] = set.list as [Server];
    refused(set);
    const [trying, next] = [new Connection(set), new Connection(set)];
    trying.ask();
    next.ask();
    clock.advance(100);
    trying.fail(server, { ...REFUSED, code: 'EMFILE' });
    expect(server).toMatchObject({ trial: undefined, failures: 1 });
    clock.advance(199);
    expect(next.answered).toBeUndefined();
    clock.advance(1);
    expect(server.trial).toBe(next);
  });

  test('a server that is up is chosen at once; each of those that are down has its own waits', () => {
    const set = setOf([{ port: 1 }, { port: 2 }, { port: 3, connectionsMax: 1 }], { ...SHARED, balance: 'inOrder' });
    const [first, second, third] = set.list as [Server, Server, Server];
    refused(set);
    refused(set);
    const using = new Connection(set);
    expect(using.chosen()).toBe(third);
    const [a, b, c] = [new Connection(set), new Connection(set), new Connection(set)];
    for (const connection of [a, b, c]) expect(connection.ask().kind).toBe('full');
    clock.advance(100);
    expect([first.trial, second.trial]).toEqual([a, b]);
    set.leave(third);
    expect(c.answered).toMatchObject({ server: third });
  });

  test('servers that failed at different times are tried at different times', () => {
    const set = setOf([{ port: 1 }, { port: 2 }], { ...SHARED, balance: 'inOrder' });
    const [first, second] = set.list as [Server, Server];
    refused(set);
    clock.advance(50);
    refused(set);
    const [a, b] = [new Connection(set), new Connection(set)];
    for (const connection of [a, b]) expect(connection.ask().kind).toBe('full');
    clock.advance(50);
    expect([first.trial, second.trial]).toEqual([a, undefined]);
    clock.advance(50);
    expect([first.trial, second.trial]).toEqual([a, b]);
  });

  test('without a connection that waits there is no timer', () => {
    const set = one();
    refused(set);
    expect(clock.pending).toBe(0);
    const waiting = new Connection(set);
    waiting.ask();
    expect(clock.pending).toBe(1);
    set.forget(waiting);
    expect(clock.pending).toBe(0);
  });

  test('where a connection may go to one server alone, only the failures of that count', () => {
    const set = setOf([{ port: 1 }, { port: 2 }], { ...SHARED, balance: 'inOrder' });
    const [first, second] = set.list as [Server, Server];
    refused(set);
    const bound = Object.assign(new Connection(set), { only: first });
    expect(bound.ask().kind).toBe('full');
    const other = Object.assign(new Connection(set), { only: second });
    expect(other.chosen()).toBe(second);
    clock.advance(100);
    expect(first.trial).toBe(bound);
  });

  test('a server that is excluded is no reason to wait, and is tried by one when it is back', () => {
    const set = one();
    const connection = new Connection(set);
    connection.fail(connection.chosen(), UNTRUSTED);
    expect(new Connection(set).ask().kind).toBe('exhausted');
    clock.advance(1_000);
    expect([new Connection(set).ask().kind, new Connection(set).ask().kind]).toEqual(['chosen', 'full']);
  });

  test('restored, it is tried at once', () => {
    const set = one();
    refused(set);
    const waiting = new Connection(set);
    waiting.ask();
    set.restore();
    expect(waiting.answered?.kind).toBe('chosen');
  });

  test('a drop is no failed attempt: the connection has its own backoff', () => {
    const set = one();
    const connection = new Connection(set);
    const server = connection.chosen();
    set.succeeded(server);
    set.leave(server);
    set.dropped(connection, server);
    expect(connection.delay()).toBe(100);
    expect(new Connection(set).chosen()).toBe(server);
  });

  test('is not shared by default: a newcomer connects at once', () => {
    const set = setOf([{ port: 1 }]);
    refused(set);
    expect(new Connection(set).ask().kind).toBe('chosen');
  });

  test('takes true or false, and for servers only', () => {
    const shared = (value: unknown) => () => new Servers([{ port: 1 }], { backoff: { shared: value as never } });
    expect(shared(false)).not.toThrow();
    expect(shared(undefined)).not.toThrow();
    expect(shared('yes')).toThrow(/backoff\.shared/);
    expect(() => new Backoff({ shared: true } as never)).toThrow(/backoff\.shared/);
  });
});

describe('Servers', () => {
  test('counts connections until they are left', () => {
    const set = setOf();
    const connection = new Connection(set);
    expect(portsOf(connection, 4)).toEqual([1, 2, 3, 1]);
    expect(set.list.map(({ connections }) => connections)).toEqual([2, 1, 1]);
    set.leave(set.list[0] as Server);
    expect(set.list[0]?.connections).toBe(1);
    expect(set.toJSON()).toMatchObject({
      list: [{ name: '127.0.0.1:1', connections: 1, failures: 0 }, {}, {}],
      names: [],
      waiting: 0,
    });
  });

  test('another server at once, and a wait that grows by round', () => {
    const connection = new Connection(setOf(THREE, { balance: 'inOrder' }));
    const seen: (number | undefined)[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      const server = connection.chosen();
      seen.push(server.port);
      connection.fail(server);
      seen.push(connection.delay());
    }
    expect(seen).toEqual([1, 0, 2, 0, 3, 100, 1, 0, 2, 0, 3, 200, 1, 0, 2, 0, 3, 400]);
  });

  test('forgets rounds when the connection was stable', () => {
    const set = setOf([{ port: 1 }]);
    const connection = new Connection(set);
    connection.fail(connection.chosen());
    expect(connection.delay()).toBe(100);
    connection.fail(connection.chosen());
    expect(connection.delay()).toBe(200);
    set.settled(connection);
    connection.fail(connection.chosen());
    expect(connection.delay()).toBe(100);
  });

  test('a server that failed is chosen last by the others for a while', () => {
    const set = setOf(THREE, { downFor: 5_000, balance: 'inOrder' });
    const first = new Connection(set);
    first.fail(first.chosen());
    expect(new Connection(set).chosen().port).toBe(2);
    clock.advance(4_999);
    expect(new Connection(set).chosen().port).toBe(2);
    clock.advance(1);
    expect(new Connection(set).chosen().port).toBe(1);
  });

  test('one that is down is chosen if no other can be', () => {
    const set = setOf([{ port: 1 }, { port: 2, connectionsMax: 1 }], { downFor: 5_000 });
    const first = new Connection(set);
    first.fail(first.chosen());
    expect(new Connection(set).chosen().port).toBe(2);
    expect(new Connection(set).chosen().port).toBe(1);
  });

  test('a success forgives at once', () => {
    const set = setOf(THREE, { downFor: 5_000, balance: 'inOrder' });
    const first = new Connection(set);
    const server = first.chosen();
    first.fail(server);
    expect(server).toMatchObject({ failures: 1, hasAnswered: false });
    set.succeeded(server);
    expect(server).toMatchObject({ failures: 0, state: 'serving.up', hasAnswered: true });
    expect(new Connection(set).chosen()).toBe(server);
  });

  test('downFor: false forgets at once', () => {
    const set = setOf(THREE, { downFor: false, balance: 'inOrder' });
    const first = new Connection(set);
    first.fail(first.chosen());
    expect(new Connection(set).chosen().port).toBe(1);
  });

  test('a drop makes this connection try the others first', () => {
    const set = setOf(THREE, { balance: 'inOrder' });
    const connection = new Connection(set);
    const server = connection.chosen();
    set.succeeded(server);
    set.leave(server);
    set.dropped(connection, server);
    expect(connection.delay()).toBe(0);
    expect(connection.chosen().port).toBe(2);
    // A drop is no failed attempt: the others may go there.
    expect(server.failures).toBe(0);
    expect(new Connection(set).chosen().port).toBe(1);
  });

  test('a failure that no attempt can mend excludes a server for all, until it is restored', () => {
    const set = setOf(THREE, { downFor: false });
    const connection = new Connection(set);
    connection.fail(connection.chosen(), IMPOSSIBLE);
    expect(set.list[0]?.excluded).toEqual(IMPOSSIBLE);
    clock.advance(86_400_000);
    expect(portsOf(new Connection(set), 4).sort()).toEqual([2, 2, 3, 3]);
    set.restore();
    expect(set.list[0]?.excluded).toBeUndefined();
    expect(portsOf(new Connection(set), 3)).toContain(1);
  });

  test('a bad certificate excludes a server for the slowest pace; then one connection tries it', () => {
    const set = setOf(THREE, { downFor: false, balance: 'inOrder' });
    const connection = new Connection(set);
    connection.fail(connection.chosen(), UNTRUSTED);
    expect(set.list[0]?.excluded).toEqual(UNTRUSTED);
    clock.advance(999);
    expect(new Connection(set).chosen().port).toBe(2);
    clock.advance(1);
    const trying = new Connection(set);
    expect([trying.chosen().port, new Connection(set).chosen().port]).toEqual([1, 2]);
    trying.fail(set.list[0] as Server, UNTRUSTED);
    expect(new Connection(set).chosen().port).toBe(2);
    clock.advance(1_000);
    expect(new Connection(set).chosen().port).toBe(1);
    set.succeeded(set.list[0] as Server);
    expect(portsOf(new Connection(set), 2)).toEqual([1, 1]);
  });

  test('a bad certificate of the only server refuses at once, and with its cause, until it is tried again', () => {
    const set = setOf([{ port: 1 }]);
    const first = new Connection(set);
    first.fail(first.chosen(), UNTRUSTED);
    for (const connection of [first, new Connection(set)]) {
      expect(connection.ask()).toEqual({ kind: 'exhausted', cause: UNTRUSTED });
    }
    clock.advance(1_000);
    expect(new Connection(set).chosen().port).toBe(1);
  });

  test('every server excluded', () => {
    const set = setOf([{ port: 1 }, { port: 2 }]);
    const connection = new Connection(set);
    connection.fail(connection.chosen(), UNTRUSTED);
    expect(connection.delay()).toBe(0);
    connection.fail(connection.chosen(), UNTRUSTED);
    expect(connection.ask()).toEqual({ kind: 'exhausted', cause: UNTRUSTED });
    expect(new Connection(set).ask()).toEqual({ kind: 'exhausted', cause: UNTRUSTED });
    set.restore(set.list[1]);
    expect(new Connection(set).chosen().port).toBe(2);
  });

  test('one that is restored takes who waits for a place elsewhere', () => {
    const set = setOf([{ port: 1 }, { port: 2, connectionsMax: 1 }], { balance: 'inOrder' });
    const connection = new Connection(set);
    connection.fail(connection.chosen(), UNTRUSTED);
    expect(new Connection(set).chosen().port).toBe(2);
    const waiting = new Connection(set);
    expect(waiting.ask()).toEqual({ kind: 'full' });
    set.restore();
    expect(waiting.answered).toMatchObject({ kind: 'chosen', server: { port: 1 } });
  });

  const CERTIFICATES = [
    // As Node's documentation of `tls` lists them, and those of OpenSSL's that it may show.
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_GET_CRL',
    'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
    'UNABLE_TO_DECRYPT_CRL_SIGNATURE',
    'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_SIGNATURE_FAILURE',
    'CERT_NOT_YET_VALID',
    'CERT_HAS_EXPIRED',
    'CERT_CHAIN_TOO_LONG',
    'CERT_REVOKED',
    'CERT_UNTRUSTED',
    'CERT_REJECTED',
    'CRL_SIGNATURE_FAILURE',
    'CRL_NOT_YET_VALID',
    'CRL_HAS_EXPIRED',
    'ERROR_IN_CERT_NOT_BEFORE_FIELD',
    'ERROR_IN_CERT_NOT_AFTER_FIELD',
    'ERROR_IN_CRL_LAST_UPDATE_FIELD',
    'ERROR_IN_CRL_NEXT_UPDATE_FIELD',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'INVALID_CA',
    'INVALID_PURPOSE',
    'PATH_LENGTH_EXCEEDED',
    'HOSTNAME_MISMATCH',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ];
  const OTHERS = [
    'EACCES',
    'EPERM',
    'OUT_OF_MEM',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ECONNREFUSED',
    'ENOENT',
    'ENOTFOUND',
  ];

  test.each([...CERTIFICATES, ...OTHERS, 'ETIMEDOUT', 'EMFILE', ''])('%s is not permanent', (code) => {
    expect(isPermanent({ ...REFUSED, code })).toBe(false);
    expect(isPermanent({ ...REFUSED, code, phase: 'command' })).toBe(false);
  });

  test.each(['ERR_INVALID_ARG_TYPE', 'ERR_SOCKET_BAD_PORT'])('%s is permanent where Node refuses an option', (code) => {
    expect(isPermanent({ ...REFUSED, code, phase: 'command' })).toBe(true);
    // What a hook or a peer brings about may be different next time.
    expect(isPermanent({ ...REFUSED, code, phase: 'preparing' })).toBe(false);
  });

  test.each(CERTIFICATES)('%s excludes for the slowest pace', (code) => {
    const set = setOf([{ port: 1 }]);
    const connection = new Connection(set);
    connection.fail(connection.chosen(), { ...UNTRUSTED, code });
    expect(connection.ask()).toMatchObject({ kind: 'exhausted', cause: { code } });
    clock.advance(1_000);
    expect(connection.delay()).toBeLessThanOrEqual(1_000);
    expect(connection.chosen().port).toBe(1);
  });

  test.each(OTHERS)('%s excludes nothing: it is tried again after the backoff', (code) => {
    const set = setOf([{ port: 1 }]);
    const connection = new Connection(set);
    connection.fail(connection.chosen(), { ...REFUSED, code });
    expect(set.list[0]?.excluded).toBeUndefined();
    expect(connection.delay()).toBe(100);
    expect(connection.chosen().port).toBe(1);
  });

  test('what is not permanent can be declared so', () => {
    const set = setOf([{ port: 1 }], { isPermanent: ({ code }: Cause) => code === 'CERT_HAS_EXPIRED' });
    const connection = new Connection(set);
    connection.fail(connection.chosen(), UNTRUSTED);
    clock.advance(86_400_000);
    expect(connection.ask().kind).toBe('exhausted');
  });

  test('an isPermanent that throws excludes the server, and its error is the cause', () => {
    const error = new Error('cannot tell');
    const set = setOf([{ port: 1 }], {
      isPermanent: () => {
        throw error;
      },
    });
    const connection = new Connection(set);
    connection.fail(connection.chosen());
    clock.advance(86_400_000);
    expect(connection.ask()).toMatchObject({
      kind: 'exhausted',
      cause: { initiator: 'owner', manner: 'error', code: 'isPermanent', error },
    });
  });

  test('an empty retry budget slows down, and refuses nothing', () => {
    const set = setOf([{ port: 1 }], { retryBudget: { burst: 1, ratio: 0, perSecond: 0 } });
    const [first, second] = [new Connection(set), new Connection(set)];
    first.fail(first.chosen());
    expect(first.delay()).toBe(100);
    second.fail(second.chosen());
    expect(second.delay()).toBe(1_000);
    expect(second.chosen().port).toBe(1);
  });

  test('retries wait for their turn, and at most for the slowest pace', () => {
    const set = setOf([{ port: 1 }], { retryBudget: { burst: 1, ratio: 0, perSecond: 5 } });
    const all = Array.from({ length: 8 }, () => new Connection(set));
    for (const connection of all) connection.fail(connection.chosen());
    expect(all.map((connection) => connection.delay())).toEqual([100, 200, 400, 600, 800, 1_000, 1_000, 1_000]);
  });

  test('the first attempt at each server costs no retry, and each one after that does', () => {
    const set = setOf([{ port: 1 }, { port: 2 }], { retryBudget: { burst: 1, ratio: 0, perSecond: 0 } });
    const all = Array.from({ length: 20 }, () => new Connection(set));
    for (const connection of all) {
      connection.fail(connection.chosen());
      expect(connection.delay()).toBe(0);
      connection.fail(connection.chosen());
    }
    const [first, second] = all as [Connection, Connection];
    // The one retry that there is; then the slowest pace, also between the servers of a later round.
    expect(first.delay()).toBe(100);
    expect(second.delay()).toBe(1_000);
    first.fail(first.chosen());
    expect(first.delay()).toBe(1_000);
  });

  test('the jitter comes from the random source that is given', () => {
    const draws = [0, 1];
    const set = setOf([{ port: 1 }], { backoff: { ...BACKOFF, jitter: 0.5 }, random: () => draws.shift() ?? 0 });
    const connection = new Connection(set);
    connection.fail(connection.chosen());
    expect(connection.delay()).toBe(100);
    connection.fail(connection.chosen());
    expect(connection.delay()).toBe(100);
  });
});

describe('a full server next to one that fails', () => {
  const twoServers = (): Servers =>
    setOf([{ port: 1 }, { port: 2, connectionsMax: 1 }], { backoff: { initialMs: 100, jitter: 0 }, downFor: false });

  test('is waited for: the one that has failed is not tried again instead', () => {
    const set = twoServers();
    const first = new Connection(set).chosen();
    const full = new Connection(set).chosen();
    expect([first.port, full.port]).toEqual([1, 2]);
    const connection = new Connection(set);
    connection.fail(connection.chosen());
    expect(connection.delay()).toBe(0);
    expect(connection.ask().kind).toBe('full');
    // A place at the one that it has tried is none.
    set.leave(first);
    expect(connection.answered?.kind).toBe('full');
    set.leave(full);
    expect(connection.answered).toEqual({ kind: 'chosen', server: full });
  });

  test('and filled in the meantime: it keeps its place in the queue', () => {
    const set = twoServers();
    const early = new Connection(set);
    const failing = early.chosen();
    const full = new Connection(set).chosen();
    expect(full.port).toBe(2);
    early.fail(failing);
    expect(early.delay()).toBe(0);
    expect(early.ask().kind).toBe('full');
    const late = new Connection(set);
    late.fail(late.chosen());
    expect(late.delay()).toBe(0);
    expect(late.ask().kind).toBe('full');
    set.leave(full);
    expect([early.answered?.kind, late.answered?.kind]).toEqual(['chosen', 'full']);
  });

  test('the one that has failed is tried again when its rest is over, and then again, more slowly', () => {
    const set = twoServers();
    const connection = new Connection(set);
    const failing = connection.chosen();
    const full = new Connection(set).chosen();
    connection.fail(failing);
    expect(connection.delay()).toBe(0);
    for (const rest of [100, 200, 400]) {
      expect(connection.ask().kind).toBe('full');
      connection.answered = undefined;
      clock.advance(rest - 1);
      expect(connection.answered).toBeUndefined();
      // Whatever else happens does not make it wait anew.
      set.restore(full);
      expect((connection.answered as unknown as Choice).kind).toBe('full');
      clock.advance(1);
      expect(connection.answered).toEqual({ kind: 'chosen', server: failing });
      expect(clock.pending).toBe(0);
      connection.fail(failing);
      expect(connection.delay()).toBe(0);
    }
    expect(connection.ask().kind).toBe('full');
    set.leave(full);
    expect(connection.answered).toEqual({ kind: 'chosen', server: full });
    expect(clock.pending).toBe(0);
  });

  test('and no longer wanted: nothing is left', () => {
    const set = twoServers();
    const connection = new Connection(set);
    const failing = connection.chosen();
    new Connection(set).chosen();
    connection.fail(failing);
    expect(connection.delay()).toBe(0);
    expect(connection.ask().kind).toBe('full');
    expect(clock.pending).toBe(1);
    set.forget(connection);
    expect(clock.pending).toBe(0);
  });

  test('the rest of a server with a bad certificate is over: one that waits elsewhere tries it', () => {
    const set = setOf([{ port: 1 }, { port: 2, connectionsMax: 1 }], { balance: 'inOrder' });
    const first = new Connection(set);
    first.fail(first.chosen(), UNTRUSTED);
    expect(new Connection(set).chosen().port).toBe(2);
    const waiting = new Connection(set);
    expect(waiting.ask().kind).toBe('full');
    clock.advance(999);
    expect(waiting.answered).toBeUndefined();
    clock.advance(1);
    expect(waiting.answered).toMatchObject({ kind: 'chosen', server: { port: 1 } });
  });

  test('and excluded in the meantime: the round is over', () => {
    const set = twoServers();
    const connection = new Connection(set);
    const failing = connection.chosen();
    const full = new Connection(set).chosen();
    connection.fail(failing);
    expect(connection.delay()).toBe(0);
    expect(connection.ask().kind).toBe('full');
    set.failed(new Connection(set), full, UNTRUSTED);
    expect(connection.answered).toEqual({ kind: 'deferred', delayMs: 100 });
    expect(connection.chosen()).toBe(failing);
  });
});

describe('a server that was down', () => {
  const spare = (options: object = {}): Servers =>
    setOf([{ port: 1 }, { port: 2 }], { balance: 'inOrder', downFor: 5_000, ...options });

  /** The first server has failed, and may be tried again. */
  const rested = (options: object = {}): Servers => {
    const set = spare(options);
    const first = new Connection(set);
    first.fail(first.chosen());
    expect(portsOf(new Connection(set), 3)).toEqual([2, 2, 2]);
    clock.advance(5_000);
    return set;
  };

  test('is tried by one connection; the others stay with the one that works until it has answered', () => {
    const set = rested();
    const trying = new Connection(set);
    expect(trying.chosen().port).toBe(1);
    expect(portsOf(new Connection(set), 3)).toEqual([2, 2, 2]);
    clock.advance(60_000);
    expect(portsOf(new Connection(set), 3)).toEqual([2, 2, 2]);
    set.succeeded(set.list[0] as Server);
    expect(trying.trial).toBeUndefined();
    expect(portsOf(new Connection(set), 3)).toEqual([1, 1, 1]);
  });

  test('and fails again rests again, and is tried by one again', () => {
    const set = rested();
    const trying = new Connection(set);
    trying.fail(trying.chosen());
    // Three times as long as the first time.
    clock.advance(14_999);
    expect(new Connection(set).chosen().port).toBe(2);
    clock.advance(1);
    expect([1, 2].map(() => new Connection(set).chosen().port)).toEqual([1, 2]);
  });

  test('is tried by the next one if the connection that tried it is over without an answer', () => {
    const set = rested();
    const trying = new Connection(set);
    set.leave(trying.chosen());
    // Its place is free, what became of the attempt is not known yet.
    expect(new Connection(set).chosen().port).toBe(2);
    set.forget(trying);
    expect([1, 2].map(() => new Connection(set).chosen().port)).toEqual([1, 2]);
  });

  test('is tried by the next one if the attempt failed for a shortage of this process', () => {
    const set = rested();
    const trying = new Connection(set);
    trying.fail(trying.chosen(), { ...REFUSED, code: 'EMFILE' });
    expect([1, 2].map(() => new Connection(set).chosen().port)).toEqual([1, 2]);
  });

  test('and is the only one is tried by all', () => {
    const set = setOf([{ port: 1 }], { downFor: 5_000 });
    const first = new Connection(set);
    first.fail(first.chosen());
    expect(portsOf(new Connection(set), 3)).toEqual([1, 1, 1]);
    clock.advance(5_000);
    expect(portsOf(new Connection(set), 3)).toEqual([1, 1, 1]);
  });

  test('restored while it is tried: the others go there, and the trial ends as it would', () => {
    const set = rested();
    const trying = new Connection(set);
    const server = trying.chosen();
    set.restore();
    expect(new Connection(set).chosen()).toBe(server);
    trying.fail(server);
    expect(server.trial).toBeUndefined();
    expect(new Connection(set).chosen().port).toBe(2);
  });
});

describe('a shortage of this process', () => {
  test.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EADDRINUSE', 'EAI_MEMORY', 'EAGAIN'])(
    '%s: the same server is tried again after a backoff, and no other learns of it',
    (code) => {
      const set = setOf(THREE, { downFor: 5_000 });
      const connection = new Connection(set);
      const server = connection.chosen();
      for (const delay of [100, 200, 400]) {
        connection.fail(server, { ...REFUSED, code });
        expect(server).toMatchObject({ failures: 0, state: 'serving.up', connections: 0, excluded: undefined });
        expect(connection.delay()).toBe(delay);
        expect(connection.chosen()).toBe(server);
      }
      set.leave(server);
      // It is a repeat, and costs what a repeat costs.
      const poor = setOf(THREE, { retryBudget: { burst: 1, ratio: 0, perSecond: 0 } });
      const [one, two] = [new Connection(poor), new Connection(poor)];
      for (const each of [one, two]) each.fail(each.chosen(), { ...REFUSED, code });
      expect([one.delay(), two.delay()]).toEqual([100, 1_000]);
    },
  );

  test('goes elsewhere only where the same server has no room any more', () => {
    const set = setOf([{ port: 1, connectionsMax: 1 }, { port: 2 }], { balance: 'inOrder' });
    const connection = new Connection(set);
    connection.fail(connection.chosen(), { ...REFUSED, code: 'EMFILE' });
    expect(connection.delay()).toBe(100);
    expect(new Connection(set).chosen().port).toBe(1);
    expect(connection.chosen().port).toBe(2);
  });

  test('a full backlog of a Unix socket: another is tried, and it is not down', () => {
    const set = setOf([{ path: '/a' }, { path: '/b' }], { balance: 'inOrder' });
    const connection = new Connection(set);
    const server = connection.chosen();
    connection.fail(server, { ...REFUSED, code: 'EAGAIN' });
    expect(server).toMatchObject({ failures: 0, state: 'serving.up' });
    expect(connection.delay()).toBe(0);
    expect(connection.chosen().path).toBe('/b');
    expect(new Connection(set).chosen()).toBe(server);
  });
});

describe('the queue of a full set', () => {
  const full = (count: number, servers: readonly object[] = [{ port: 1, connectionsMax: 1 }], options: object = {}) => {
    const set = setOf(servers, options);
    const order: string[] = [];
    const holders = Array.from({ length: servers.length }, () => new Connection(set).chosen());
    const waiting = Array.from({ length: count }, (_, index) => new Connection(set, `w${index}`, order));
    for (const connection of waiting) expect(connection.ask().kind).toBe('full');
    return { set, order, holders, waiting };
  };

  test('first come, first served, one per place', () => {
    const { set, order, holders, waiting } = full(3);
    const [server] = holders as [Server];
    set.leave(server);
    expect(order).toEqual(['w0']);
    expect(waiting[0]?.answered).toEqual({ kind: 'chosen', server });
    expect(server.connections).toBe(1);
    set.leave(server);
    set.leave(server);
    expect(order).toEqual(['w0', 'w1', 'w2']);
    set.leave(server);
    expect(server.connections).toBe(0);
  });

  test('who no longer waits is passed over', () => {
    const { set, order, holders, waiting } = full(3);
    set.forget(waiting[0] as Connection);
    set.forget(waiting[0] as Connection);
    set.leave(holders[0] as Server);
    expect(order).toEqual(['w1']);
  });

  test('who waits again keeps its place', () => {
    // Two servers; the place that becomes free is one of a server that is excluded by then.
    const { set, order, holders, waiting } = full(2, [
      { port: 1, connectionsMax: 1 },
      { port: 2, connectionsMax: 1 },
    ]);
    const [bad, good] = holders as [Server, Server];
    set.failed(new Connection(set), bad, UNTRUSTED);
    set.leave(bad);
    // Nobody can use that place; the first in the queue is still the first.
    set.leave(good);
    expect(order.at(-1)).toBe('w0');
    expect(waiting[0]?.answered).toEqual({ kind: 'chosen', server: good });
    expect(waiting[1]?.answered?.kind).not.toBe('chosen');
  });

  test('a first attempt that had to queue is one first attempt to the budget', () => {
    const { set, holders, waiting } = full(1, undefined, { retryBudget: { burst: 1, ratio: 0.4, perSecond: 0 } });
    const [server] = holders as [Server];
    const [queued] = waiting as [Connection];
    // Spend what is there; the two first attempts so far have earned nothing beyond the most.
    const spender = new Connection(set);
    set.failed(spender, server, REFUSED);
    expect(spender.delay()).toBeLessThan(1_000);
    set.leave(server);
    expect(queued.answered?.kind).toBe('chosen');
    set.leave(server);
    // One more first attempt: 0.4. With a second deposit for the one that queued it would be 0.8, and 1.2 with the next.
    const another = new Connection(set);
    set.leave(another.chosen());
    const late = new Connection(set);
    set.leave(late.chosen());
    set.failed(late, server, REFUSED);
    expect(late.delay()).toBe(1_000);
  });

  test('all servers are excluded while some wait: they hear of it', () => {
    const { set, order, holders, waiting } = full(3);
    const [server] = holders as [Server];
    const holder = new Connection(set);
    holder.fail(server, UNTRUSTED);
    const [first, second, third] = waiting as [Connection, Connection, Connection];
    // The first got the place if the exclusion was not known yet; then its attempt fails as well.
    if (first.answered?.kind === 'chosen') first.fail(server, UNTRUSTED);
    expect(order).toEqual(expect.arrayContaining(['w0', 'w1', 'w2']));
    for (const connection of [second, third]) {
      expect(connection.answered).toEqual({ kind: 'exhausted', cause: UNTRUSTED });
    }
  });
});
