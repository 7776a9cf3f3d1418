/** How soon a server that stops is found down, and one that is back is found up: on real sockets, with the time in our hands. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../src/testing/clock.js';
import { Port } from '../paths/loopback.js';
import { Checking } from './checking.js';
import { Counter } from './counter.js';

const TIMES = { interval: 200, fastInterval: 50, downInterval: 500, fall: 3, rise: 2, spread: 0 };

let port: Port;
beforeEach(async () => {
  port = await Port.create();
});
afterEach(() => port.free());

/** A server, its checks and its counter. */
function watch(): { checking: Checking; counter: Counter; clock: ManualClock; passes(ms: number): Promise<void> } {
  const clock = new ManualClock();
  const checking = new Checking({ port: port.number }, TIMES, { clock });
  const counter = new Counter(TIMES.rise, TIMES.fall);
  checking.judged = (verdict) => {
    if (verdict === 'passed') counter.passed();
    else counter.failed();
    checking.checks.setPace(counter.pace);
  };
  /** Lets time pass, a millisecond after the other: a check takes none, since the system answers at once. */
  const passes = async (ms: number): Promise<void> => {
    for (let now = 0; now < ms; now++) {
      clock.advance(1);
      if (checking.checks.state === 'checking') await checking.verdict(checking.verdicts.length);
    }
  };
  return { checking, counter, clock, passes };
}

test.each([
  ['just after a check', 0, 300],
  ['half an interval after a check', 100, 200],
  ['just before a check', 199, 101],
])('a server that stops %s is down after three checks', async (_when, phaseMs, downMs) => {
  const { checking, counter, passes } = watch();
  checking.checks.start(0);
  await passes(1);
  expect(counter).toMatchObject({ health: 4, pace: 'normal' });
  // The first check came with the first millisecond: the next ones follow every 200.
  await passes(199 + phaseMs);
  await passes(1);
  const passed = checking.verdicts.length;
  port.free();
  await passes(downMs - 1);
  expect(counter.isUp).toBe(true);
  await passes(1);
  expect(counter).toMatchObject({ health: 0, pace: 'down' });
  expect(checking.verdicts.slice(passed)).toMatchObject([
    { code: 'ECONNREFUSED' },
    { code: 'ECONNREFUSED' },
    { code: 'ECONNREFUSED' },
  ]);
  checking.checks.close();
});

test('a server that is back is up after two checks: the first after the interval of servers that are down', async () => {
  const { checking, counter, passes } = watch();
  port.free();
  checking.checks.start(0);
  await passes(1);
  // It is up at first, and one failure brings it down.
  expect(counter).toMatchObject({ health: 0, pace: 'down' });
  await port.take();
  await passes(499);
  expect(counter.health).toBe(0);
  await passes(1);
  expect(counter).toMatchObject({ health: 1, pace: 'fast' });
  await passes(49);
  expect(counter.isUp).toBe(false);
  await passes(1);
  expect(counter).toMatchObject({ health: 4, pace: 'normal' });
  // At full credit the next check comes after the whole interval.
  const count = checking.verdicts.length;
  await passes(199);
  expect(checking.verdicts).toHaveLength(count);
  await passes(1);
  expect(checking.verdicts).toHaveLength(count + 1);
  checking.checks.close();
});
