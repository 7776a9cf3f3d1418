import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OptionError } from '../../src/index.js';
import { Governor } from '../../src/upstream/governor.js';

/** Takes as many as it may until `until`, waiting as it is told; returns when each began. */
function takeAll(governor: Governor, from: number, until: number, each: (now: number) => void = () => {}): number[] {
  const began: number[] = [];
  for (let now = from; now < until; ) {
    const waitMs = governor.take(now, 0.5);
    if (waitMs > 0) {
      now += waitMs;
    } else {
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
          const waitMs = governor.take(now, random);
          if (waitMs === 0) began.push(now);
          else expect(waitMs).toBeGreaterThan(0);
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
  expect(governor.take(5, 0)).toBe(0);
  expect(governor.take(5, 0)).toBe(1_000);
  expect(governor.take(1_004, 0)).toBe(1);
  expect(governor.take(1_005, 0)).toBe(0);
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
