/** Some of the seeds: the test that two files share, so that two workers do. */
import { expect, test } from 'vitest';
import { isReplay, seeds } from '../runtime/random.js';
import type { Counts } from './checks.js';
import { planOf } from './plan.js';
import { play, report } from './simulate.js';

/** What has to have happened at all, for else the simulation has no longer seen it. */
const COVERED = [
  'clients ended',
  'clients handedOver',
  'clients dropped',
  'clients refused',
  'clients aborted',
  'clients that got the last words',
  'clients that had to be served',
  'clients that other code has served',
  'closed for want of files',
  'cut',
  'dropped backend',
  'ends seen',
  'failovers',
  'flushed, aborted',
  'let go of by a client',
  'looks at the first bytes',
  'pairs that got everything',
  'persistent backends dropped',
  'proxy aborted',
  'proxy closed',
  'proxy failed',
  'released',
  'resets seen by clients',
  'resets seen by servers',
  'retries',
  'routed to one server',
  'sessions aborted',
  'sessions dropped',
  'sessions refused',
  'start ERR_BIND',
  'start ERR_CLOSED',
  'start ERR_CONNECT',
  'turned away at the limit',
];

/** Below this, some of these may well be missed. */
const ENOUGH = 1_000;

/** Every `of`th seed from this part on. */
export function testSeeds(part: number, of: number, count: number): void {
  const { first, last } = seeds(count);
  // As many as the environment asks for: then it takes as long as it takes.
  const timeout = 600_000 + (last - first) * 100;

  test('every property holds', { timeout }, async () => {
    const counts: Counts = new Map();
    let runs = 0;
    let events = 0;
    const start = performance.now();
    for (let seed = first; seed <= last; seed++) {
      if (!isReplay() && seed % of !== part) continue;
      const result = await play(planOf(seed));
      if (result.found !== undefined) expect.fail(await report(seed, result));
      runs++;
      events += result.events;
      for (const [what, times] of result.counts) counts.set(what, (counts.get(what) ?? 0) + times);
    }
    const seconds = ((performance.now() - start) / 1_000).toFixed(1);
    console.log(`${runs} runs of the whole proxy, ${events} events, ${seconds} s`);
    if (runs < ENOUGH) return;
    expect(
      COVERED.filter((what) => !counts.has(what)),
      'what no run has seen',
    ).toEqual([]);
  });
}
