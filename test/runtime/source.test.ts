/** Mistakes in the code that is written for a machine are found: a line of it is left out, and random schedules go another way. */
import { expect, test } from 'vitest';
import type { Runtime } from '../../src/runtime/instance.js';
import * as common from '../../src/runtime/machine-instance.js';
import { planOf } from '../../src/runtime/plan.js';
import { sourceOf } from '../../src/runtime/source.js';
import { xstateRuntime } from '../../src/runtime/xstate.js';
import { hash } from './random.js';
import { play } from './schedule.js';
import { subjects } from './subjects.js';

/** What a transition does, a line each. */
const LINE =
  /^\s*(?:this\.leaf = \d+|this\.emit(?:As)?\(|this\.clearTimer\d+\(|this\.timer\d+ = |context\[|if \(\$\d+\()[^;{]*;/;
const MUTANTS = 24;
const SEEDS = 400;

test.each([subjects.client, subjects.session])(
  'a line that is missing is missed: $machine.id',
  { timeout: 60_000 },
  ({ ...subject }) => {
    const values: unknown[] = [];
    const nameOf = (value: unknown): string =>
      `$${values.includes(value) ? values.indexOf(value) : values.push(value) - 1}`;
    const lines = sourceOf(planOf(subject.machine), 'Made', { nameOf, valueOf: nameOf }).split('\n');
    const places = [...lines.keys()].filter((index) => LINE.test(lines[index] as string));
    const without = (left: number | undefined): Runtime => {
      const code = `const { ${Object.keys(common).join(', ')} } = common;
const [${values.map((_, index) => `$${index}`).join(', ')}] = values;
${lines.map((line, index) => (index === left ? line.replace(LINE, '') : line)).join('\n')}
return Made;`;
      const Made = new Function('common', 'values', code)(common, values);
      return { name: 'generated', run: (_, input, host) => new Made(input, host) };
    };
    const differs = (runtime: Runtime): boolean => {
      for (let seed = 1; seed <= SEEDS; seed++)
        if (play(subject, seed, [xstateRuntime, runtime]) !== undefined) return true;
      return false;
    };
    expect(differs(without(undefined))).toBe(false);
    const missed = Array.from({ length: MUTANTS }, (_, number) => places[hash(number) % places.length] as number)
      .filter((place) => !differs(without(place)))
      .map((place) => lines[place]);
    // Some lines change nothing that a schedule can see, such as to clear a timer that never runs.
    expect(missed.length, missed.join('\n')).toBeLessThan(MUTANTS / 3);
  },
);
