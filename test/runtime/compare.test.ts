/** The comparison is itself tried: it finds what is wrong, and nothing where nothing is. */

import { afterAll, describe, expect, test } from 'vitest';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';
import { isSame, show, watchTransitions } from './compare.js';
import { Chance, mutant, mutations } from './mutants.js';
import { hash } from './random.js';
import { type Found, play, shorten, storyOf } from './schedule.js';
import { subjects } from './subjects.js';

const SEEDS = 120;

afterAll(() => watchTransitions(false));

describe.each(Object.keys(mutations) as (keyof typeof mutations)[])('%s', (name) => {
  test.each([xstateRuntime, compiledRuntime])('and that is seen: $name', (runtime) => {
    let hits = 0;
    let seen = 0;
    for (const subject of [subjects.backend, subjects.session]) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const chance = new Chance(hash(seed) % 4);
        const found = play(subject, seed, [runtime, mutant(runtime, name, chance)]);
        if (chance.hit) hits++;
        if (found !== undefined) seen++;
      }
    }
    // What is wrong need not show each time: most events do nothing when they come again.
    expect(seen).toBeGreaterThan(10);
    if (/command|timer is/.test(name)) expect(seen).toBeGreaterThan(hits * 0.6);
  });
});

test('a runtime does the same as itself', () => {
  for (const subject of Object.values(subjects)) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      expect(play(subject, seed, [xstateRuntime, xstateRuntime]), `seed ${seed}`).toBeUndefined();
    }
  }
});

test('a seed tells the same story again, and it can be made short', () => {
  const subject = subjects.backend;
  const broken = mutant(compiledRuntime, 'a timer is not told of', new Chance(0));
  const runtimes = [xstateRuntime, broken] as const;
  let seed = 1;
  while (play(subject, seed, runtimes) === undefined) seed++;
  const found = play(subject, seed, runtimes) as Found;
  expect(show(play(subject, seed, runtimes))).toBe(show(found));
  const least = shorten(subject, found, runtimes);
  // Nothing shorter sets a timer.
  const moves = least.plan.moves.map((move) => (move.do === 'send' ? move.event.type : move.do));
  expect(moves.sort()).toEqual(['backend.connect', 'start']);
  const story = storyOf(subject, least, runtimes);
  expect(story).toContain('differs');
  expect(story).toContain('send {"type":"backend.connect"}');
  expect(story).toContain('"command":{"type":"server.choose","attempt":0');
  expect(story).toContain('→ active.choosing');
});

test('same is what looks the same', () => {
  expect(isSame({ a: [1, { b: undefined }] }, { a: [1, { b: undefined }] })).toBe(true);
  expect(isSame({ a: undefined }, {})).toBe(false);
  expect(isSame({}, { a: undefined })).toBe(false);
  expect(isSame([], {})).toBe(false);
  expect(isSame(Number.NaN, Number.NaN)).toBe(true);
  expect(isSame(null, {})).toBe(false);
  expect(show({ a: undefined, b: Number.NaN, c: () => 0 })).toBe('{"a":"«undefined»","b":"«NaN»","c":"ƒ c"}');
});
