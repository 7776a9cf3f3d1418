/** The whole proxy, unchanged, on a simulated network, clock and randomness: `test/simulation/run.ts`. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { main } from './main.js';
import { ACCEPT, type Plan, planOf } from './plan.js';
import { play } from './simulate.js';

describe('found by simulation', { timeout: 120_000 }, () => {
  /** The smallest run that it made of the one that it found: a server that is slow to read resets after half an answer. */
  const halfAnAnswer: Plan = {
    seed: 0,
    runtime: 'compiled',
    clientWay: { latency: [5, 5], segmentBytes: 8_192, sendBytes: 87_040, receiveBytes: 131_072 },
    serverWay: { latency: [0, 300], segmentBytes: 8_192, sendBytes: 2_048, receiveBytes: 2_048 },
    listeners: 1,
    hasAdmit: false,
    hasRoute: false,
    hasRefusal: false,
    balance: 'roundRobin',
    options: { closeTimeout: 2_000, abortTimeout: 1_000, drainTimeout: 500, idleTimeout: 200_000 },
    servers: [
      {
        hasName: false,
        connectionsMax: undefined,
        dials: [],
        backlog: 511,
        capacity: Number.POSITIVE_INFINITY,
        outages: [],
        scripts: [
          {
            steps: [{ do: 'receive', bytes: 3_825, ms: 2_000 }, { do: 'send', bytes: 5_950 }, { do: 'reset' }],
            readBytes: 1_000,
            readEveryMs: 0,
          },
        ],
      },
    ],
    clients: [
      {
        atMs: 10,
        listener: 0,
        script: { steps: [{ do: 'send', bytes: 10_416 }, { do: 'end' }], readBytes: 65_536, readEveryMs: 0 },
        admit: ACCEPT,
        route: ACCEPT,
        target: 'set',
        words: 0,
        lateMs: 0,
      },
    ],
    backends: [],
    actions: [],
    faults: [],
    stop: { how: 'close', atMs: 1_000, timeoutMs: undefined, abortMs: undefined },
  };

  test('bytes and a reset in one poll, while our own last bytes still wait to be written, are no end', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { found, story } = await play({ ...halfAnAnswer, seed }, true);
      expect(found, `seed ${seed}\n${story.join('\n')}`).toBeUndefined();
    }
  });
});

describe('one seed is one run', { timeout: 120_000 }, () => {
  test('the same story twice, after whatever else has run', async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const { story } = await play(planOf(seed), true);
      expect(story.length).toBeGreaterThan(20);
      await play(planOf(seed + 1_000));
      expect((await play(planOf(seed), true)).story, `seed ${seed}`).toEqual(story);
    }
  });

  test('other seeds have other stories', async () => {
    const stories = new Set<string>();
    for (let seed = 1; seed <= 25; seed++) stories.add((await play(planOf(seed), true)).story.join('\n'));
    expect(stories.size).toBe(25);
  });

  test('and the same in another process, which `npm run simulate` starts', { timeout: 60_000 }, async () => {
    const seed = 17;
    const script = fileURLToPath(new URL('../../scripts/simulate.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, '--seed', String(seed)]);
    const { story, events } = await play(planOf(seed), true);
    expect(stdout).toBe(`${story.join('\n')}\n\nseed ${seed}: every property holds, over ${events} events.\n`);
  });
});

describe('the program', () => {
  async function run(...args: string[]): Promise<{ code: number; text: string }> {
    const lines: string[] = [];
    const code = await main(args, (text) => lines.push(text));
    return { code, text: lines.join('\n') };
  }

  test('runs as many seeds as it is told, from where it is told', async () => {
    const { code, text } = await run('--seeds', '3', '--first', '100');
    expect(code).toBe(0);
    expect(text).toMatch(/^3 runs from seed 100, \d+ events, [\d.]+ s: every property holds\.\n\n +\d+ accepted\n/);
  });

  test('says what it takes', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, text: expect.stringContaining('--seeds N') });
  });

  test.each([
    [['--seeds', 'many'], '--seeds takes a whole number from 1 to 2147483647; it is "many".'],
    [['--seeds', '0'], '--seeds takes a whole number from 1'],
    [['--seed', '1.5'], '--seed takes a whole number from 0'],
    [['--seed', ''], '--seed takes a whole number from 0'],
    [['--seed', '1', '--seeds', '2'], '--seed is one run: leave out --seeds and --first.'],
    [['--sed', '1'], "Unknown option '--sed'"],
    [['7'], 'Unexpected argument'],
  ])('%j is a bad option, and nothing runs', async (args, why) => {
    const { code, text } = await run(...args);
    expect(code).toBe(2);
    expect(text).toContain(`simulate: ${why}`);
  });
});
