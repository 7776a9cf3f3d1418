/** Which server is chosen by how long connects take. */
import { describe, expect, test } from 'vitest';
import { type Balancer, OptionError, peakEwma, type Server, Servers } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { until, within } from '../support/wait.js';
import { Asker, counted, seeded, setOf } from './asks.js';

const bench = useBench();
const { makeBackend } = makers(bench);

/** Connects one after another; each takes as long as its server says. */
class Trial {
  readonly clock = new ManualClock();
  readonly set: Servers;

  constructor(
    readonly connectMs: Record<string, number>,
    weights: readonly number[],
    options = {},
  ) {
    this.set = setOf(weights, { balance: peakEwma(options), clock: this.clock, random: seeded(1) });
  }

  /** The names of the servers; after each connection the clock goes on by so much. */
  connect(count: number, isHeld: boolean, afterMs = 0): string[] {
    return Array.from({ length: count }, () => {
      const asker = new Asker(this.set);
      const server = asker.ask() as Server;
      this.clock.advance(this.connectMs[server.name] as number);
      this.set.succeeded(server, asker);
      if (!isHeld) this.set.leave(server);
      this.clock.advance(afterMs);
      return server.name;
    });
  }
}

describe('peakEwma', () => {
  test.each([
    [{ a: 10, b: 40 }, [1, 1], [400, 100]],
    [{ a: 10, b: 10 }, [1, 1], [250, 250]],
    [{ a: 10, b: 10 }, [4, 1], [400, 100]],
    [{ a: 40, b: 10 }, [4, 1], [250, 250]],
  ])(
    'connect times of %o and weights of %o: connections that are held are shared by weight / time',
    (times, weights, expected) => {
      // So slow to forget that the times stay what they are.
      const trial = new Trial(times, weights, { decayMs: 3_600_000 });
      trial.connect(500, true);
      for (const [index, count] of expected.entries()) {
        expect(Math.abs((trial.set.list[index] as Server).connections - count)).toBeLessThanOrEqual(5);
      }
    },
  );

  test('a server that becomes slow is avoided after one connect, and has its part again within three decay times', () => {
    const trial = new Trial({ a: 10, b: 10, c: 10 }, [1, 1, 1], { decayMs: 1_000 });
    trial.connect(100, false);
    trial.connectMs.b = 150;
    const slow = counted(trial.connect(100, false));
    expect(slow.b).toBeLessThanOrEqual(2);
    trial.connectMs.b = 10;
    const since = trial.clock.now();
    while (trial.clock.now() < since + 3_000) trial.connect(1, false, 10);
    const { b = 0 } = counted(trial.connect(300, false));
    expect(b).toBeGreaterThan(60);
  });

  test('a server that has not answered gets one connection until it does', () => {
    const { set, clock } = new Trial({}, [1, 1, 1]);
    const first = [1, 2, 3].map(() => {
      const asker = new Asker(set);
      return [asker, asker.ask() as Server] as const;
    });
    expect(new Set(first.map(([, server]) => server.name))).toEqual(new Set(['a', 'b', 'c']));
    const [asker, answered] = first[0] as (typeof first)[0];
    clock.advance(500);
    set.succeeded(answered, asker);
    const more = Array.from({ length: 30 }, () => new Asker(set).ask()?.name);
    // Two draws may miss it, but if it is drawn it is taken.
    expect(more.filter((name) => name === answered.name).length).toBeGreaterThanOrEqual(15);
  });

  test('the slowest connect counts, less with time: after one decay time 37 % of it', () => {
    const { set, clock } = new Trial({}, [1, 1], { decayMs: 1_000 });
    const [a, b] = set.list as readonly [Server, Server];
    const connect = (server: Server, tookMs: number): void => {
      const asker = new Asker(set);
      asker.chosenAt = clock.now() - tookMs;
      set.succeeded(server, asker);
    };
    clock.advance(10_000);
    connect(a, 1_000);
    clock.advance(1_000);
    const isLess = (server: Server): void => {
      for (let count = 0; count < 20; count++) {
        const chosen = new Asker(set).ask() as Server;
        set.leave(chosen);
        expect(chosen).toBe(server);
      }
    };
    // 1 000 / e = 368 is left of it.
    connect(b, 360);
    isLess(b);
    connect(b, 375);
    isLess(a);
    // A fast connect does not make it forget, a slower one counts at once.
    connect(a, 1);
    isLess(a);
    connect(a, 380);
    isLess(b);
  });

  test('a balancer is told how long a real connect took, with prepare, and not of one that failed', async () => {
    const { at } = await bench.echo();
    const times: [string, number][] = [];
    const balance: Balancer = {
      choose: (servers, isUsable) => servers.find(isUsable),
      connected: (server, tookMs) => times.push([server.name, tookMs]),
    };
    const clock = new ManualClock();
    const refusing = { port: await bench.refusing(), name: 'gone' };
    const servers = new Servers([refusing, { ...at, name: 'here' }], { balance, clock });
    let prepared = (): void => {};
    const isPreparing = new Promise<void>((resolve) => {
      const prepare = (): Promise<void> => {
        resolve();
        return new Promise((done) => {
          prepared = done;
        });
      };
      const { backend } = makeBackend({ servers, clock, prepare });
      void backend.connect();
      void until('the retry', () => backend.state === 'active.waiting').then(() => clock.advance(0));
    });
    await within(5_000, 'prepare', isPreparing);
    clock.advance(30);
    prepared();
    await until('the report', () => times.length > 0);
    expect(times).toEqual([['here', 30]]);
  });

  test.each([
    [null, /"peakEwma" must be an object/],
    [{ decayMs: 0 }, /peakEwma\.decayMs.*number from 1 to 3600000/],
    [{ decayMs: '1s' }, /peakEwma\.decayMs.*number from 1 to 3600000/],
    [{ decay: 1 }, /peakEwma\.decay/],
  ])('peakEwma(%j) is refused', (options, message) => {
    expect(() => peakEwma(options as object)).toThrow(OptionError);
    expect(() => peakEwma(options as object)).toThrow(message);
  });
});
