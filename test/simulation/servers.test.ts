/** A set of servers in use, under random commands: `test/simulation/servers.ts`. */
import { expect, test } from 'vitest';
import { seeds } from '../runtime/random.js';
import { main } from './main.js';
import { playServers } from './servers.js';

/** What has to have happened at all, for else the simulation has not seen it. */
const COVERED = [
  ...['up', 'suspect', 'down', 'ejected', 'trying', 'recovering', 'draining', 'maintenance', 'removing', 'cutting'].map(
    (state) => `changes to ${state}`,
  ),
  ...['refuses', 'hangs', 'lies', 'vanishes', 'sick', 'mute'].map((mode) => `hosts: ${mode}`),
  ...['chosen', 'full', 'deferred', 'exhausted'].map((kind) => `choices: ${kind}`),
  ...['trials', 'reports that agree', 'sessions cut with their server', 'sessions ended'],
];

test('P1 to P13 hold for servers in use, and nothing is left', { timeout: 600_000 }, async () => {
  const { first, last } = seeds(20);
  const counts = new Map<string, number>();
  for (let seed = first; seed <= last; seed++) {
    const result = await playServers(seed, 100);
    if (result.found !== undefined) {
      const replay = `npm run simulate -- --servers --commands 100 --seed ${seed}`;
      expect.fail(`${result.found}\n${replay}\n${result.story.slice(-60).join('\n')}`);
    }
    for (const [what, times] of result.counts) counts.set(what, (counts.get(what) ?? 0) + times);
  }
  if (last - first < 19) return;
  expect(
    COVERED.filter((what) => !counts.has(what)),
    'what no run has seen',
  ).toEqual([]);
});

test('one seed is one run', async () => {
  const [one, other] = [await playServers(7, 30), await playServers(7, 30)];
  expect([other.events, [...other.counts]]).toEqual([one.events, [...one.counts]]);
  expect((await playServers(8, 30)).events).not.toBe(one.events);
});

test('the program runs as many commands as it is told', async () => {
  const lines: string[] = [];
  const print = (text: string): number => lines.push(text);
  expect(await main(['--servers', '--seeds', '2', '--commands', '30'], print)).toBe(0);
  expect(lines[0]).toMatch(/^60 commands in 2 runs from seed 1, [\d.]+ s: P1 to P13 hold\.\n$/);
  expect(await main(['--commands', '30'], print)).toBe(2);
  expect(lines.at(-1)).toContain('--commands goes with --servers.');
});
