/** Dials of a second that workers share out: a crowd at all of them, with messages that take their time. */
import { expect, test } from 'vitest';
import { Holding } from '../../src/cluster/holding.js';
import { Pool } from '../../src/cluster/pool.js';
import { Governor } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import type { SharedSet } from '../../src/upstream/sharing.js';
import { useBench } from '../support/bench.js';
import { Asker, seeded, setOf } from '../upstream/asks.js';

const bench = useBench();

const PER_SECOND = 40;

/** A worker with connections that wait for their dials: as a set of servers has them, without its servers. */
class Worker {
  readonly governor = new Governor({ perSecond: PER_SECOND });
  readonly holding: Holding;
  readonly dials: number[] = [];
  waiting = 0;
  readonly #world: World;
  /** It looks again at this time. */
  wakeAt = Number.POSITIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
    const { governor } = this;
    governor.take(governor.share, world.now);
    this.holding = new Holding(
      {
        idle: () => (this.waiting > 0 ? 0 : this.holding.held),
        needs: () => (this.waiting > 0 ? Math.max(0, this.waiting - governor.open(world.now)) : 0),
        changed: () => this.serve(),
        take: (units) => governor.take(units, world.now),
        put: (units, recent) => governor.put(units, recent, world.now),
      },
      {
        want: (total, isUrgent) => world.later(() => world.pool.want(this, Math.min(total, PER_SECOND), isUrgent)),
        give: (units, recent) => world.later(() => world.pool.give(this, units, recent)),
      },
    );
    governor.shared = { began: () => this.holding.released(), failed: () => {} };
  }

  serve(): void {
    const { now } = this.#world;
    while (this.waiting > 0 && this.governor.waitMs(now) <= 0) {
      this.waiting--;
      this.dials.push(now);
      this.governor.begin(now, 0.5);
      this.holding.ask();
    }
    this.wakeAt = this.waiting > 0 ? now + Math.max(1, this.governor.waitMs(now)) : Number.POSITIVE_INFINITY;
  }
}

class World {
  now = 10_000;
  readonly pool: Pool<Worker>;
  readonly workers: Worker[];
  readonly #messages: { at: number; act: () => void }[] = [];
  readonly #random: () => number;

  constructor(seed: number, count: number) {
    this.#random = seeded(seed);
    this.pool = new Pool<Worker>(
      PER_SECOND,
      {
        granted: (worker, units, recent, isMet) => this.later(() => worker.holding.granted(units, recent, isMet)),
        recalled: (worker, units, fair, isUrgent) => this.later(() => worker.holding.recalled(units, fair, isUrgent)),
      },
      () => this.now,
    );
    this.workers = Array.from({ length: count }, () => new Worker(this));
    for (const worker of this.workers) this.pool.join(worker, PER_SECOND / count);
  }

  /** A message comes after those that were sent before it. */
  later(act: () => void): void {
    const last = this.#messages.at(-1)?.at ?? 0;
    this.#messages.push({ at: Math.max(last, this.now + Math.floor(this.#random() * 20)), act });
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now++) {
      while ((this.#messages[0]?.at ?? Number.POSITIVE_INFINITY) <= this.now) this.#messages.shift()?.act();
      for (const worker of this.workers) if (worker.wakeAt <= this.now) worker.serve();
    }
  }
}

test('a crowd is dialled as fast as by one process, however it is spread over the workers', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const world = new World(seed, 4);
    world.run(1_100);
    const begin = world.now;
    for (let client = 0; client < 130; client++) {
      const worker = world.workers[seed % 2 === 0 ? client % 4 : world.below(4)] as Worker;
      worker.waiting++;
      worker.serve();
      worker.holding.ask();
      if (client % 4 === 3) world.run(1);
    }
    world.run(10_000);
    const dials = world.workers.flatMap((worker) => worker.dials).sort((a, b) => a - b);
    expect(dials).toHaveLength(130);
    const most = Math.max(...dials.map((from) => dials.filter((at) => at >= from && at < from + 1_000).length));
    expect(most, `seed ${seed}`).toBeLessThanOrEqual(PER_SECOND);
    // 40 at once, and in each of the next three seconds; a message takes 20 ms at most.
    expect((dials.at(-1) as number) - begin, `seed ${seed}`).toBeLessThan(3_200);
  }
});

test('other workers are told that nobody waits any more once the connection that did is counted: what is idle then is theirs', () => {
  const clock = new ManualClock();
  const set = bench.keepSet(setOf([1], { clock, governor: { perSecond: 2 } }));
  const [server] = set.list;
  const seen: [waiting: number, connections: number | undefined][] = [];
  const waits = (): void => void seen.push([set.waiting, server?.connections]);
  set.shared = { waits, ended: () => {} } as unknown as SharedSet;
  const askers = Array.from({ length: 3 }, () => new Asker(set));
  expect(askers.map((asker) => asker.ask()?.name)).toEqual(['a', 'a', undefined]);
  clock.advance(1_000);
  expect(askers[2]?.called).toBe(1);
  expect(askers[2]?.ask()?.name).toBe('a');
  expect(seen).toEqual([
    [1, 2],
    [0, 3],
  ]);
});
