/** Places that processes share out: random histories, with messages that are late and processes that die. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Holding } from '../../src/cluster/holding.js';
import { Pool } from '../../src/cluster/pool.js';

/** A process with connections, some of which wait for a place. */
class Process {
  inUse = 0;
  waiting = 0;
  isDead = false;
  readonly holding: Holding;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.holding = new Holding(
      {
        idle: () => this.holding.held - this.inUse,
        needs: () => Math.min(this.waiting, world.limit - this.holding.held),
        changed: () => this.serve(),
      },
      {
        want: (total, isUrgent) => world.toPool(this, () => world.pool.want(this, total, isUrgent)),
        give: (units, recent) => world.toPool(this, () => world.pool.give(this, units, recent)),
      },
    );
  }

  connect(): void {
    if (this.holding.held > this.inUse && this.waiting === 0) {
      this.inUse++;
      if (this.inUse === this.holding.held) this.holding.askAhead();
    } else {
      this.waiting++;
      this.holding.ask();
    }
    this.#world.check();
  }

  /** Those that wait do so no more. */
  leave(): void {
    this.waiting = 0;
    this.holding.ask();
  }

  end(): void {
    if (this.inUse === 0) return;
    this.inUse--;
    this.holding.released();
    this.serve();
  }

  serve(): void {
    while (this.waiting > 0 && this.holding.held > this.inUse) {
      this.waiting--;
      this.inUse++;
    }
    this.#world.check();
  }
}

class World {
  readonly pool: Pool<Process>;
  readonly processes: Process[] = [];
  readonly #inbox: { readonly to: Process | undefined; readonly from: Process | undefined; act(): void }[] = [];
  messages = 0;

  constructor(readonly limit: number) {
    this.pool = new Pool(
      limit,
      {
        granted: (process, units, recent, isMet) =>
          this.#post(process, undefined, () => process.holding.granted(units, recent, isMet)),
        recalled: (process, units, fair, isUrgent) =>
          this.#post(process, undefined, () => process.holding.recalled(units, fair, isUrgent)),
      },
      () => 0,
    );
  }

  #post(to: Process | undefined, from: Process | undefined, act: () => void): void {
    this.messages++;
    this.#inbox.push({ to, from, act });
  }

  toPool(from: Process, act: () => void): void {
    this.#post(undefined, from, act);
  }

  fork(initial: number): void {
    const process = new Process(this);
    this.processes.push(process);
    this.pool.join(process, initial);
  }

  /** Its sockets are closed before the primary knows. */
  kill(process: Process): void {
    process.isDead = true;
    process.inUse = 0;
    process.waiting = 0;
    this.#post(undefined, undefined, () => this.pool.leave(process));
  }

  /** The next message of one channel arrives: those of a channel keep their order. */
  deliver(choice: number): boolean {
    if (this.#inbox.length === 0) return false;
    const one = this.#inbox[choice % this.#inbox.length];
    const channel = (message: typeof one) => message?.to ?? message?.from;
    const index = this.#inbox.findIndex((message) => channel(message) === channel(one));
    const [message] = this.#inbox.splice(index, 1);
    // What is sent to a dead process is lost; what a dead process has sent before its death arrives.
    if (message?.to?.isDead !== true) message?.act();
    this.check();
    return true;
  }

  get alive(): Process[] {
    return this.processes.filter(({ isDead }) => !isDead);
  }

  check(): void {
    const used = this.processes.reduce((sum, { inUse }) => sum + inUse, 0);
    expect(used).toBeLessThanOrEqual(this.limit);
  }

  settle(): void {
    let steps = 0;
    while (this.deliver(0)) expect(++steps, 'messages go back and forth without end').toBeLessThan(20_000);
  }
}

type Step =
  | { readonly do: 'connect' | 'end' | 'leave'; readonly who: number }
  | { readonly do: 'deliver'; readonly which: number }
  | { readonly do: 'kill'; readonly who: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('connect' as const), who: fc.nat(7) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('end' as const), who: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who: fc.nat(7) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('deliver' as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), who: fc.nat(7) }) },
);

function play(limit: number, workers: number, steps: readonly Step[]): World {
  const world = new World(limit);
  const initial = Math.floor(limit / workers);
  for (let index = 0; index < workers; index++) world.fork(initial);
  for (const one of steps) {
    if (one.do === 'deliver') {
      world.deliver(one.which);
      continue;
    }
    const { alive } = world;
    const process = alive[one.who % alive.length] as Process;
    if (one.do === 'connect') process.connect();
    else if (one.do === 'end') process.end();
    else if (one.do === 'leave') process.leave();
    else {
      world.kill(process);
      world.fork(initial);
    }
  }
  return world;
}

const history = (limitMax: number) =>
  [fc.integer({ min: 1, max: limitMax }), fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 200 })] as const;

test('the sum never exceeds the limit, and no unit is lost, whatever dies at any moment', () => {
  fc.assert(
    fc.property(...history(12), (limit, workers, steps) => {
      const world = play(limit, workers, steps);
      world.settle();
      // All that is lent, all that is free, is the limit: one process can get it all.
      const [first, ...others] = world.alive;
      for (const process of others) {
        process.leave();
        while (process.inUse > 0) {
          process.end();
          world.settle();
        }
      }
      for (let index = 0; index < limit * 2; index++) {
        first?.connect();
        world.settle();
      }
      expect(first?.inUse).toBe(limit);
    }),
    { numRuns: 500 },
  );
});

test('a connection that waits while another process has an idle place gets it', () => {
  fc.assert(
    fc.property(...history(6), (limit, workers, steps) => {
      const world = play(limit, workers, steps);
      world.settle();
      const used = world.alive.reduce((sum, { inUse }) => sum + inUse, 0);
      const waiting = world.alive.reduce((sum, process) => sum + process.waiting, 0);
      expect(used === limit || waiting === 0, `${used} of ${limit} in use, ${waiting} wait`).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test.each([1, 2, 3, 5])('with %i places no process of four is passed over while all want them', (limit) => {
  const world = new World(limit);
  for (let index = 0; index < 4; index++) world.fork(Math.floor(limit / 4));
  const served = new Map<Process, number>();
  for (const process of world.processes) for (let count = 0; count < 1_000; count++) process.connect();
  world.settle();
  for (let round = 0; round < 400; round++) {
    for (const process of world.processes) {
      if (process.inUse === 0) continue;
      served.set(process, (served.get(process) ?? 0) + 1);
      process.end();
      world.settle();
      break;
    }
    // The one that was served is looked at last the next time.
    world.processes.push(world.processes.shift() as Process);
  }
  const counts = [...served.values()];
  expect(counts).toHaveLength(4);
  expect(Math.min(...counts)).toBeGreaterThan(60);
});

test('processes that come to want places later are not passed over either', () => {
  const world = new World(3);
  for (let index = 0; index < 4; index++) world.fork(0);
  const served = new Map<Process, number>();
  const { processes } = world;
  for (const process of processes) {
    for (let count = 0; count < 400; count++) process.connect();
    world.settle();
  }
  for (let round = 0; round < 400; round++) {
    const busy = processes.filter(({ inUse }) => inUse > 0);
    const process = busy[round % busy.length] as Process;
    served.set(process, (served.get(process) ?? 0) + 1);
    process.end();
    world.settle();
  }
  expect([...served.values()].filter((count) => count > 60)).toHaveLength(4);
});

test('a process that has given a unit while another one was on its way asks again', () => {
  const asked: [number, boolean][] = [];
  let inUse = 2;
  const holding: Holding = new Holding(
    { idle: () => holding.held - inUse, needs: () => 3 - holding.held, changed: () => {} },
    { want: (total, isUrgent) => asked.push([total, isUrgent]), give: () => {} },
  );
  holding.granted(2, [], true);
  expect(asked).toEqual([[3, true]]);
  holding.recalled(1, 0, true);
  inUse = 1;
  holding.released();
  expect(holding.held).toBe(1);
  holding.granted(1, [], true);
  expect(asked).toEqual([
    [3, true],
    [3, true],
  ]);
});

test('what a process was told that it owes while all was in use, it gives as soon as it needs none, without being told again', () => {
  const given: number[] = [];
  let waiting = 5;
  const holding: Holding = new Holding(
    { idle: () => (waiting > 0 ? 0 : holding.held), needs: () => waiting, changed: () => {} },
    { want: () => {}, give: (units) => given.push(units) },
  );
  holding.granted(4, [], false);
  holding.recalled(3, 0, true);
  expect([given, holding.held]).toEqual([[], 4]);
  waiting = 0;
  holding.ask();
  expect([given, holding.held]).toEqual([[3], 1]);
  holding.ask();
  expect(given).toEqual([3]);
});

test('where nobody wants more than its part, nothing is sent', () => {
  const world = new World(400);
  for (let index = 0; index < 4; index++) world.fork(100);
  world.settle();
  const before = world.messages;
  for (let round = 0; round < 1_000; round++) {
    for (const process of world.processes) {
      process.connect();
      process.end();
    }
    world.settle();
  }
  expect(world.messages).toBe(before);
});

test('under a load of one process, places move to it in batches', () => {
  const world = new World(1_000);
  for (let index = 0; index < 4; index++) world.fork(250);
  world.settle();
  const before = world.messages;
  const [busy] = world.processes as [Process];
  for (let count = 0; count < 1_000; count++) {
    busy.connect();
    if (count % 100 === 0) world.settle();
  }
  world.settle();
  expect(busy.inUse).toBe(1_000);
  expect(world.messages - before).toBeLessThan(500);
});

test('a smaller limit takes back what is idle', () => {
  const world = new World(8);
  for (let index = 0; index < 2; index++) world.fork(4);
  world.settle();
  const [a, b] = world.processes as [Process, Process];
  for (let count = 0; count < 4; count++) a.connect();
  world.pool.setLimit(5);
  world.settle();
  expect(a.holding.held + b.holding.held).toBe(5);
  b.connect();
  world.settle();
  expect(b.inUse).toBe(1);
});

test('units that were used lately are lent with their age', () => {
  let now = 0;
  const granted: [string, number, readonly number[]][] = [];
  const voice = {
    granted: (to: string, units: number, recent: readonly number[]) => granted.push([to, units, recent]),
    recalled() {},
  };
  const pool = new Pool<string>(3, voice, () => now);
  pool.join('a', 3);
  pool.join('b', 0);
  pool.give('a', 2, [100, 900]);
  now = 50;
  pool.want('b', 1, true);
  expect(granted.at(-1)).toEqual(['b', 1, [950]]);
  now = 500;
  pool.want('b', 2, true);
  expect(granted.at(-1)).toEqual(['b', 1, [600]]);
  // What died has used its unit just now, as far as is known.
  pool.leave('a');
  now = 700;
  pool.want('b', 3, true);
  expect(granted.at(-1)).toEqual(['b', 1, [200]]);
});
