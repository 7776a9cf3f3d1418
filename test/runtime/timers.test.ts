/**
 * Timers on the process's own clock, held against a model of what timers are: each fires once, when it is due, unless it
 * was cleared, those of one delay in the order in which they were set, and each keeps the process alive as it should.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EventObject } from 'xstate';
import { systemClock } from '../../src/runtime/clock.js';
import type { Host, Instance } from '../../src/runtime/instance.js';
import type { MachineRuntime } from '../support/runtimes.js';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';
import { until } from '../support/wait.js';
import { isReplay, Random, replayWith, seeds } from './random.js';
import { machineOf, say, set } from './scene.js';

class NodeTimer {
  isAlive = true;
  constructor(
    readonly callback: () => void,
    readonly dueAt: number,
  ) {}
  ref(): void {
    this.isAlive = true;
  }
  unref(): void {
    this.isAlive = false;
  }
}

/** Node's timers, as far as they matter: never in the same turn, whole milliseconds, in the order of their time. */
class FakeNode {
  now = 1_000;
  timers: NodeTimer[] = [];

  readonly setTimeout = (callback: () => void, delayMs: number): NodeTimer => {
    const timer = new NodeTimer(callback, this.now + (delayMs >= 1 ? Math.trunc(delayMs) : 1));
    this.timers.push(timer);
    return timer;
  };

  readonly clearTimeout = (timer: NodeTimer | undefined): void => {
    this.timers = this.timers.filter((other) => other !== timer);
  };

  get isAlive(): boolean {
    return this.timers.some(({ isAlive }) => isAlive);
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = this.timers.filter(({ dueAt }) => dueAt <= until).sort((a, b) => a.dueAt - b.dueAt)[0];
      if (due === undefined) break;
      this.clearTimeout(due);
      this.now = Math.max(this.now, due.dueAt);
      due.callback();
    }
    this.now = until;
  }
}

/** One timer, set and cleared by events. */
const waiter = machineOf(
  {
    initial: 'idle',
    states: {
      idle: { on: { set: { target: 'waiting', actions: 'note' } } },
      waiting: {
        on: { clear: 'idle', set: { target: 'waiting', reenter: true, actions: 'note' } },
        after: { wait: { target: 'idle', actions: say('fired') } },
      },
    },
  },
  {
    actions: { note: set({ n: ({ event }: { event: { n?: number } }) => event.n }) },
    delays: { wait: ({ context }: { context: { n: number } }) => context.n },
  },
);

class Waiter {
  readonly instance: Instance<EventObject>;
  constructor(runtime: MachineRuntime, fired: () => void, more: Partial<Host<EventObject>> = {}) {
    const host = { id: 'm#1', clock: systemClock, perform: fired, finish: () => undefined, ...more };
    this.instance = runtime.run(waiter, undefined as never, host) as unknown as Instance<EventObject>;
    this.instance.start();
  }
  set(delayMs: number): void {
    const event = { type: 'set', n: delayMs };
    this.instance.send(event);
  }
  clear(): void {
    this.instance.send({ type: 'clear' });
  }
}

let node: FakeNode;

beforeEach(() => {
  node = new FakeNode();
  vi.stubGlobal('setTimeout', node.setTimeout);
  vi.stubGlobal('clearTimeout', node.clearTimeout);
  vi.spyOn(performance, 'now').mockImplementation(() => node.now);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe.each([xstateRuntime, compiledRuntime])('$name', (runtime) => {
  const at: number[] = [];
  beforeEach(() => void at.splice(0));
  const waiterOf = (fired: () => void = () => at.push(node.now)): Waiter => new Waiter(runtime, fired);

  test('one fires when it is due, once', () => {
    waiterOf().set(100);
    node.advance(99);
    expect(at).toEqual([]);
    node.advance(500);
    expect(at).toEqual([1_100]);
  });

  test('hosts that share their commands need not share which timers are in the background', () => {
    const commands = { fired: () => at.push(node.now) };
    const background = new Waiter(runtime, () => {}, { commands, backgroundTimers: new Set(['wait']) });
    background.set(100);
    expect(node.isAlive).toBe(false);
    const other = new Waiter(runtime, () => {}, { commands });
    other.set(100);
    expect(node.isAlive).toBe(true);
    other.clear();
    expect(node.isAlive).toBe(false);
    // The other way round, too: the first does not decide for those that come later.
    const third = new Waiter(runtime, () => {}, { commands, backgroundTimers: new Set(['another']) });
    third.set(200);
    expect(node.isAlive).toBe(true);
  });

  test('one that is set while another of its delay fires delays none that runs', () => {
    const second = waiterOf();
    const third = waiterOf();
    waiterOf(() => third.set(100)).set(100);
    node.advance(50);
    second.set(100);
    node.advance(500);
    expect(at).toEqual([1_150, 1_200]);
  });

  test('one that sets itself again delays none that runs', () => {
    const again: Waiter = waiterOf(() => again.set(100));
    again.set(100);
    node.advance(50);
    waiterOf().set(100);
    node.advance(150);
    expect(at).toEqual([1_150]);
  });

  test('one that is cleared lets go of the process', () => {
    const waiting = waiterOf();
    waiting.set(100);
    expect(node.isAlive).toBe(true);
    waiting.clear();
    expect(node.isAlive).toBe(false);
  });

  test('no time is one millisecond, as in Node', () => {
    for (const delayMs of [0, 0.5, -5, Number.NaN]) waiterOf().set(delayMs);
    expect(at).toEqual([]);
    node.advance(1);
    expect(at).toEqual([1_001, 1_001, 1_001, 1_001]);
  });

  test('what is left of one is known', () => {
    const waiting = waiterOf();
    waiting.set(100);
    node.advance(30);
    expect(waiting.instance.timers()).toEqual([{ name: 'wait', remainingMs: 70 }]);
  });

  test('one whose host throws, also when it hears of that, delays none that runs: the process hears of it', () => {
    const fails = (): never => {
      throw new Error('no such host');
    };
    const host = { id: 'm#1', clock: systemClock, perform: fails, commandFailed: fails, finish: fails };
    const machine = machineOf({ after: { 100: { actions: say('fired') } } });
    runtime.run(machine, undefined as never, { ...host, commands: { fired: fails } }).start();
    waiterOf().set(100);
    node.advance(50);
    waiterOf().set(100);
    expect(() => node.advance(100)).toThrow('no such host');
    node.advance(500);
    expect(at).toEqual([1_100, 1_150]);
  });

  const NAME = 'random timers do what timers do';

  test(NAME, { timeout: 60_000 }, () => {
    const { first, last } = seeds(3_000);
    for (let seed = first; seed <= last; seed++) playTimers(runtime, seed, replayWith(seed, 'timers.test.ts', NAME));
    if (!isReplay()) console.log(`${runtime.name}: ${last - first + 1} schedules of timers`);
  });
});

test('compiled: one is nobody’s context, for it may have been set for many lives', async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  const context = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  for (const name of ['a', 'b']) {
    let left = 2;
    const waiter: Waiter = new Waiter(compiledRuntime, () => {
      seen.push(context.getStore());
      left--;
      if (left > 0) waiter.set(10);
    });
    context.run(name, () => waiter.set(10));
  }
  await until('all to have fired', () => seen.length === 4);
  expect(seen).toEqual([undefined, undefined, undefined, undefined]);
});

interface Expected {
  readonly number: number;
  readonly delayMs: number;
  readonly dueAt: number;
}

const DELAYS = [0, 1, 5, 20, 20, 20, 50, 50, 300];

/** Sets, clears and waits at random; throws where the timers are not as they should be. */
function playTimers(runtime: MachineRuntime, seed: number, again: string): void {
  const random = new Random(seed);
  const log: string[] = [];
  /** The timers that run, by the instance's number, in the order in which they were set. */
  const running = new Map<number, Expected>();
  const detached = new Set<number>();
  const fail = (what: string): never => {
    throw new Error(`seed ${seed}: ${what}\n  ${log.join('\n  ')}\nagain: ${again}`);
  };
  const waiters = Array.from({ length: random.between(1, 6) }, (_, number) => new Waiter(runtime, () => fired(number)));

  function fired(number: number): void {
    const expected = running.get(number) ?? fail(`at ${node.now}: ${number} fires, which is not set`);
    log.push(`at ${node.now}: ${number} fires`);
    if (node.now !== expected.dueAt) fail(`it is due at ${expected.dueAt}`);
    const first = [...running.values()].find(({ delayMs }) => delayMs === expected.delayMs) as Expected;
    if (first !== expected) fail(`${first.number} was set before it`);
    running.delete(number);
    for (let times = random.pick([0, 0, 1, 2]); times > 0; times--) act(pickOther(number));
    // What is sent to itself waits until this is done, and so comes last.
    if (random.percent(30)) setTimer(number);
  }

  const pickOther = (number: number): number => (number + random.below(waiters.length - 1) + 1) % waiters.length;

  function setTimer(number: number): void {
    const delayMs = random.pick(DELAYS);
    log.push(`at ${node.now}: ${number} is set, ${delayMs} ms`);
    running.delete(number);
    running.set(number, { number, delayMs, dueAt: node.now + Math.max(1, delayMs) });
    waiters[number]?.set(delayMs);
  }

  function act(number: number): void {
    // Alone, there is no other one to do something with.
    if (Number.isNaN(number)) return;
    const chance = random.below(100);
    if (chance < 55) {
      setTimer(number);
    } else if (chance < 80) {
      log.push(`at ${node.now}: ${number} is cleared`);
      running.delete(number);
      waiters[number]?.clear();
    } else {
      const keepAlive = random.percent(50);
      log.push(`at ${node.now}: setRef(${keepAlive}) of ${number}`);
      if (keepAlive) detached.delete(number);
      else detached.add(number);
      waiters[number]?.instance.setRef(keepAlive);
    }
  }

  for (let moves = random.between(3, 25); moves > 0; moves--) {
    if (random.percent(60)) act(random.below(waiters.length));
    else node.advance(random.pick([1, 3, 10, 50, 400]));
    for (const { number, dueAt } of running.values()) {
      if (dueAt <= node.now) fail(`at ${node.now}: ${number} has not fired: due at ${dueAt}`);
    }
    const keepsAlive = [...running.keys()].some((number) => !detached.has(number));
    if (node.isAlive !== keepsAlive) fail(`the process is kept alive: ${node.isAlive}, it should be: ${keepsAlive}`);
  }
  for (const each of waiters) each.clear();
  node.advance(10_000);
  if (node.timers.length > 0) fail('a timer of Node’s is left');
}
