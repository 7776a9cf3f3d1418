import net from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Cause,
  Governor,
  type GovernorOptions,
  OptionError,
  type Server,
  Servers,
  type ServersOptions,
} from '../../src/index.js';
import { ManualClock } from '../../src/testing/clock.js';
import type { Requester } from '../../src/upstream/requester.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { until } from '../support/wait.js';
import { seeded } from './asks.js';

const bench = useBench();
const { makeProxy } = makers(bench);

/** Takes as many as it may until `until`, waiting as it is told; returns when each began. */
function takeAll(governor: Governor, from: number, until: number, each: (now: number) => void = () => {}): number[] {
  const began: number[] = [];
  for (let now = from; now < until; ) {
    const waitMs = governor.waitMs(now);
    if (waitMs > 0) {
      now += waitMs;
    } else {
      governor.begin(now, 0.5);
      began.push(now);
      each(now);
    }
  }
  return began;
}

/** The most in any window of a second. */
const most = (began: readonly number[]): number =>
  Math.max(0, ...began.map((at, i) => began.slice(i).filter((other) => other < at + 1_000).length));

test('no second has more dials than the limit, whatever is asked and fails', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.nat({ max: 3_000 }),
      fc.array(fc.tuple(fc.nat({ max: 400 }), fc.boolean(), fc.double({ min: 0, max: 1, noNaN: true })), {
        maxLength: 300,
      }),
      (perSecond, rampMs, asked) => {
        const governor = new Governor({ perSecond, rampMs });
        const began: number[] = [];
        let now = 0;
        for (const [after, fails, random] of asked) {
          now += after;
          if (governor.waitMs(now) <= 0) {
            governor.begin(now, random);
            began.push(now);
          }
          if (fails) governor.failed(now);
        }
        expect(most(began)).toBeLessThanOrEqual(perSecond);
      },
    ),
  );
});

test('while dials succeed a whole second may be used at once', () => {
  const began = takeAll(new Governor({ perSecond: 50 }), 0, 2_999);
  expect(began.filter((at) => at === 0)).toHaveLength(50);
  expect(began).toHaveLength(150);
});

test('as many as it says may begin now, and no more', () => {
  const random = seeded(3);
  for (const perSecond of [1, 2, 7, 40]) {
    const governor = new Governor({ perSecond });
    for (let now = 0; now < 6_000; now += Math.floor(random() * 120)) {
      const open = governor.open(now);
      const most = Math.floor(random() * 9);
      let count = 0;
      for (; count < most && governor.waitMs(now) <= 0; count++) governor.begin(now, 0);
      expect(Math.min(open, most)).toBe(count);
    }
  }
  const spread = new Governor({ perSecond: 40 });
  expect(spread.open(0)).toBe(40);
  spread.begin(0, 0);
  spread.failed(0);
  expect([spread.open(0), spread.open(1_900), spread.open(2_000)]).toEqual([0, 1, 40]);
});

test('while every dial fails a tenth of the limit is used', () => {
  const governor = new Governor({ perSecond: 100, jitter: 0 });
  const began = takeAll(governor, 0, 10_000, (now) => governor.failed(now));
  // The first one begins before anything has failed.
  expect(began.length).toBeGreaterThan(95);
  expect(began.length).toBeLessThan(110);
});

test('500 are through in less than half as long again as the limit alone takes', () => {
  const governor = new Governor({ perSecond: 100 });
  governor.failed(0);
  const began = takeAll(governor, 0, 7_500);
  expect(began.length).toBeGreaterThanOrEqual(500);
  expect(most(began)).toBeLessThanOrEqual(100);
  // They come spread: no tenth of a second of the first two has more than a second's share.
  for (let from = 0; from < 2_000; from += 100) {
    expect(began.filter((at) => at >= from && at < from + 100).length).toBeLessThanOrEqual(13);
  }
});

test('what it is told to wait is enough, and no more', () => {
  const governor = new Governor({ perSecond: 1 });
  expect(governor.waitMs(5)).toBeLessThanOrEqual(0);
  governor.begin(5, 0);
  expect(governor.waitMs(5)).toBe(1_000);
  expect(governor.waitMs(1_004)).toBe(1);
  expect(governor.waitMs(1_005)).toBe(0);
});

test.each([
  [undefined, 'governor'],
  [{}, 'perSecond'],
  [{ perSecond: 0 }, 'perSecond'],
  [{ perSecond: 10, rampMs: -1 }, 'rampMs'],
  [{ perSecond: 10, jitter: 2 }, 'jitter'],
  [{ perSecond: 10, burst: 2 }, 'burst'],
])('%o is refused', (options, name) => {
  expect(() => new Governor(options as never)).toThrow(OptionError);
  expect(() => new Governor(options as never)).toThrow(name);
});

/** Connections of one set that ask for a server, on a clock that stands still. */
class Asker implements Requester {
  memory: Requester['memory'] = undefined;
  readonly only = undefined;
  readonly client = undefined;
  readonly key = undefined;
  readonly random = () => 0;
  trial: Requester['trial'] = undefined;
  queued: Requester['queued'] = undefined;
  chosenAt = 0;

  constructor(
    readonly set: Servers,
    readonly dials: number[],
    readonly fails: () => boolean = () => false,
  ) {}

  serverFreed(): void {
    this.ask();
  }

  ask(): void {
    const choice = this.set.choose(this);
    if (choice.kind === 'deferred') this.set.clock.setTimeout(() => this.ask(), choice.delayMs);
    if (choice.kind !== 'chosen') return;
    this.dials.push(this.set.clock.now());
    if (!this.fails()) {
      this.set.succeeded(choice.server, this);
      return;
    }
    this.set.leave(choice.server);
    this.set.failed(this, choice.server, REFUSED);
    this.ask();
  }
}

const REFUSED: Cause = { initiator: 'peer', manner: 'refusal', phase: 'connecting', code: 'ECONNREFUSED' };

function setWith(governor: Governor | GovernorOptions, options: ServersOptions = {}) {
  const clock = new ManualClock();
  clock.advance(5_000);
  const servers = new Servers([{ port: 1 }, { port: 2 }], { clock, random: () => 0.5, governor, ...options });
  return { clock, servers };
}

/** Time passes in small steps. */
function pass(clock: ManualClock, ms: number): void {
  for (let passed = 0; passed < ms; passed += 10) clock.advance(10);
}

test('connections over the limit wait in the queue, and go on in order', () => {
  const { clock, servers } = setWith({ perSecond: 20 });
  const dials: number[] = [];
  const order: number[] = [];
  for (let i = 0; i < 50; i++) {
    new Asker(servers, dials, () => {
      order.push(i);
      return false;
    }).ask();
  }
  expect(dials).toHaveLength(20);
  pass(clock, 990);
  expect(dials).toHaveLength(20);
  pass(clock, 10);
  // A newcomer waits behind those that wait.
  new Asker(servers, dials, () => {
    order.push(50);
    return false;
  }).ask();
  pass(clock, 3_000);
  expect(order).toEqual(Array.from({ length: 51 }, (_, i) => i));
  expect(most(dials)).toBe(20);
  expect(clock.pending).toBe(0);
});

test('300 clients with every server dead: no second has more dials than the limit', () => {
  const { clock, servers } = setWith({ perSecond: 50 });
  const dials: number[] = [];
  for (let i = 0; i < 300; i++) new Asker(servers, dials, () => true).ask();
  pass(clock, 15_000);
  expect(dials.length).toBeGreaterThan(50);
  expect(most(dials)).toBeLessThanOrEqual(50);
});

test('a server comes back: 500 are all back within one and a half times what the limit takes', () => {
  let isDead = true;
  const { clock, servers } = setWith({ perSecond: 100 }, { backoff: { shared: true, maxMs: 1_000 } });
  const dials: number[] = [];
  for (let i = 0; i < 500; i++) new Asker(servers, dials, () => isDead).ask();
  pass(clock, 10_000);
  isDead = false;
  const back = dials.length;
  const from = clock.now();
  pass(clock, 7_500);
  expect(dials.length - back).toBe(500);
  expect((dials.at(-1) as number) - from).toBeLessThan(7_500);
  expect(most(dials)).toBeLessThanOrEqual(100);
});

test('two sets share a governor', () => {
  const governor = new Governor({ perSecond: 10 });
  const { clock, servers } = setWith(governor);
  const other = new Servers([{ port: 3 }], { clock, random: () => 0.5, governor });
  const dials: number[] = [];
  for (let i = 0; i < 20; i++) for (const set of [servers, other]) new Asker(set, dials).ask();
  pass(clock, 3_500);
  expect(dials).toHaveLength(40);
  expect(most(dials)).toBe(10);
});

test('where there is no server nobody waits for the governor', () => {
  const { servers } = setWith({ perSecond: 1 });
  new Asker(servers, []).ask();
  for (const server of servers.list) server.drain();
  expect(servers.choose(new Asker(servers, [])).kind).toBe('exhausted');
});

test('a place that is freed while the governor is shut is taken once it opens', () => {
  const clock = new ManualClock();
  const servers = new Servers([{ port: 1, connectionsMax: 1 }], { clock, random: () => 0, governor: { perSecond: 1 } });
  const dials: number[] = [];
  new Asker(servers, dials).ask();
  pass(clock, 500);
  new Asker(servers, dials).ask();
  servers.leave(servers.list[0] as Server);
  expect(dials).toHaveLength(1);
  pass(clock, 500);
  expect(dials).toHaveLength(2);
  expect(clock.pending).toBe(0);
});

/** As in a real process: time passes between any two looks at it, and a timer may fire a millisecond early. */
class PassingClock extends ManualClock {
  #looks = 0;

  constructor(readonly earlyMs = 1) {
    super();
  }

  override now(): number {
    return super.now() + ++this.#looks * 0.37;
  }

  override setTimeout(callback: () => void, delayMs: number) {
    return super.setTimeout(callback, Math.max(1, delayMs - this.earlyMs));
  }
}

test('a governor that opens between two looks at it is not missed', () => {
  for (let start = 0; start < 40; start++) {
    const clock = new PassingClock();
    clock.advance(5_000 + start * 0.3);
    const governor = new Governor({ perSecond: 5 });
    const dials: number[] = [];
    for (let i = 0; i < 12; i++) {
      const set = new Servers([{ port: 1 }], { clock, random: () => 0.5, governor });
      new Asker(set, dials).ask();
      new Asker(set, dials).ask();
    }
    pass(clock, 8_000);
    expect(dials).toHaveLength(24);
  }
});

test('a trial of a shared backoff that is due between two looks is not missed', () => {
  for (let tenth = 0; tenth < 80; tenth++) {
    const clock = new PassingClock(tenth / 10);
    clock.advance(5_000);
    const set = new Servers([{ port: 1 }], { clock, random: () => 0.5, backoff: { shared: true, maxMs: 1_000 } });
    // One fails, and does not ask again: those that come after it have nobody but the queue.
    const failed = new Asker(set, []);
    failed.ask();
    set.leave(set.list[0] as Server);
    set.failed(failed, set.list[0] as Server, REFUSED);
    const dials: number[] = [];
    for (let i = 0; i < 3; i++) new Asker(set, dials).ask();
    expect(dials).toHaveLength(0);
    pass(clock, 1_000);
    expect(dials).toHaveLength(3);
  }
});

test('sets of servers that a route names share the governor of their proxy; on real sockets', async () => {
  const server = await bench.echo();
  const { host, port } = server.at as { host: string; port: number };
  const dials: number[] = [];
  const { at, proxy } = await makeProxy({
    route: () => [
      {
        host,
        port,
        connect: () => {
          dials.push(performance.now());
          return net.connect({ host, port, allowHalfOpen: true });
        },
      },
    ],
    governor: { perSecond: 5 },
    queueTimeout: 5_000,
  });
  let established = 0;
  proxy.on('established', () => established++);
  await Promise.all(Array.from({ length: 12 }, () => bench.dial(at)));
  await until('all to be served', () => established === 12);
  // A dial begins some milliseconds after it was permitted, in a busy process: so the windows are a little shorter here.
  expect(dials).toHaveLength(12);
  for (let index = 5; index < 12; index++) {
    expect((dials[index] as number) - (dials[index - 5] as number)).toBeGreaterThan(950);
  }
});
