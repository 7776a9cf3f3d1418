/** Random schedules over some of the machines: the test that two files share, so that two workers do. */

import { afterAll, describe, expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';
import { nodesOf, watchTransitions } from './compare.js';
import { isReplay, replayWith, seeds } from './random.js';
import { play, type Runtimes, type Subject, shorten, storyOf } from './schedule.js';
import { subjects } from './subjects.js';

const RUNTIMES: Runtimes = [xstateRuntime, compiledRuntime];

export function testSchedules(file: string, counts: Partial<Record<keyof typeof subjects, number>>): void {
  afterAll(() => watchTransitions(false));
  describe.each(Object.entries(counts))('%s', (name, count) => {
    const { first, last } = seeds(count);
    // As many as the environment asks for: then it takes as long as it takes.
    const timeout = 60_000 + (last - first) * 2;

    test('random schedules do the same on both runtimes', { timeout }, () => {
      const subject: Subject = subjects[name as keyof typeof subjects];
      const visited = new Map<string, number>();
      const visit = (state: string): void => void visited.set(state, (visited.get(state) ?? 0) + 1);
      const start = performance.now();
      for (let seed = first; seed <= last; seed++) {
        const found = play(subject, seed, RUNTIMES, visit);
        if (found !== undefined) {
          const least = shorten(subject, found, RUNTIMES);
          expect.fail(`seed ${seed}: ${storyOf(subject, least, RUNTIMES)}\nagain: ${replayWith(seed, file, name)}`);
        }
      }
      const seconds = ((performance.now() - start) / 1_000).toFixed(1);
      console.log(`${name}: ${last - first + 1} schedules from seed ${first}, ${seconds} s`);
      // Fewer may well miss one.
      if (isReplay() || last - first + 1 < 7_000) return;
      const missed = leavesOf(subject.machine).filter((state) => !visited.has(state));
      expect(missed, 'states that no schedule has reached').toEqual([]);
    });
  });
}

/** The states that an instance can rest in. */
function leavesOf(machine: AnyStateMachine): string[] {
  return nodesOf(machine)
    .filter(({ type, always }) => type !== 'compound' && always === undefined)
    .map(({ path }) => path.join('.'));
}
