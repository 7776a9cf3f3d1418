/** Generated code that is wrong on purpose, in one place of its text each: random machines must find out. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { COMMON } from '../../src/compiler/compile.js';
import { planOf } from '../../src/compiler/plan.js';
import { sourceOf } from '../../src/compiler/source.js';
import type { MachineRuntime } from '../support/runtimes.js';
import { xstateRuntime } from '../support/runtimes.js';
import { watchTransitions } from './compare.js';
import { generate } from './generator.js';
import { hash } from './random.js';
import { play, type Subject } from './schedule.js';
import { subjects } from './subjects.js';

/** What the generator could get wrong: in the text of a machine, each match of the first becomes the second. */
const MISTAKES: Record<string, readonly [right: RegExp, wrong: string]> = {
  'a state is not entered': [/this\.leaf = \d+;/g, ''],
  'a timer is not set': [/this\.timer\d+ = this\.wait\w*\([^;]*;/g, ''],
  'a timer is not cleared': [/this\.clearTimer\d+\(\);/g, ''],
  'a timer has the place of another': [/this\.timer\d+ = this\.wait/g, 'this.timer0 = this.wait'],
  'a delay that is no number raises nothing': [/this\.waitOrRaise\(/g, 'this.wait('],
  'a command is forgotten': [/this\.emit\(\w+\);/g, ''],
  'a computed command is forgotten': [/this\.emitAs\(\w+, \w+\);/g, ''],
  'commands that follow are forgotten': [/this\.follow\(event, [^;]*\);/g, 'this.follow(event);'],
  'no step follows': [/return this\.follow\([^;]*;/g, 'return;'],
  'a step that may follow is not waited for': [/if \(this\.goesOn\(\)\) \{?.*/g, ''],
  'no event is raised': [/this\.raise\([^;]*;/g, ''],
  'no step needs no event': [/always\(event\)/g, 'never(event)'],
  'an unchanged state is asked again': [/return false;/g, 'return true;'],
  'a changed state is not asked again': [/return true;/g, 'return false;'],
  'an ignored event leads nowhere': [/return this\.idle\d*\(event\);/g, 'return;'],
  'a guard says the contrary': [/is = (\$\d+\(given\));/g, 'is = !$1;'],
  'the error of a guard names no transition': [/throw guardError\(error, [^;]*;/g, 'throw error;'],
  'the error of a guard names another state': [/(guardError\(error, \w+), "[^"]*"/g, '$1, "another"'],
  'the error of a guard does not name it': [/(guardError\(error, \w+, "[^"]*"), "[^"]*"/g, '$1, undefined'],
  'not is forgotten': [/!\(/g, '('],
  'and is or': [/\) && \(/g, ') || ('],
  'or is and': [/\) \|\| \(/g, ') && ('],
  'a partial wildcard matches its own name only': [/event\.type\.startsWith\("[^"]*"\)/g, 'false'],
  'a partial wildcard does not match its name': [/event\.type === "[^"]*" \|\|/g, ''],
  'a wildcard matches nothing': [/default: return this\.onOther\d*\(event\);/g, ''],
  'an assignment is forgotten': [/context\["a"\] = [^;]*;/g, ''],
  'a value is assigned before the next is computed': [/const (value\d+) = ([^;]*);/g, 'const $1 = $2; context.a = $1;'],
  'several values are not assigned': [/Object\.assign\(context, [^;]*;/g, ''],
  'the end of a nested state has no output': [/(type: "xstate\.done[^}]*output: )[^}]*\}/g, '$1undefined }'],
  'the machine does not end': [/this\.done\([^;]*;/g, ''],
  'a transition is not told of': [/this\.(?:tell|note)\(/g, 'void ('],
  'the state before is another one': [/const from = this\.leaf;/g, 'const from = 0;'],
  'the start is not prepared': [/this\.prepare\(\);/g, ''],
  'the state to start in is not chosen': [/this\.chooseStart\(\);/g, ''],
  'the start is not told of': [/this\.tellStart\([^;]*;/g, ';'],
  'a function is not called': [/this\.call\([^;]*;/g, ''],
  'a function has no params': [/(this\.call\(\$\d+, \{[^}]*\}), [^;]*\);/g, '$1);'],
  'an action is not done': [/= this\.act\([^;]*;/g, '= undefined;'],
  'an actor is not invoked': [/= this\.invoke\([^;]*;/g, '= undefined;'],
  'an actor is not stopped': [/= this\.stopActor\([^;]*;/g, '= undefined;'],
  'what is spawned is not started': [/= this\.spawned\(\);/g, '= undefined;'],
  'a timer is not scheduled': [/= this\.schedule\([^;]*;/g, '= undefined;'],
  'a timer is not unscheduled': [/= this\.unschedule\([^;]*;/g, '= undefined;'],
  'effects are forgotten': [/this\.emitAs\(effects, \w+\);|, effects, effects\d+/g, ''],
  'the error of an actor is ignored': [/if \(this\.isFatal\(event\)\) return this\.failBy\(event\);/g, ''],
  'the context of a function is that of before': [/this\.context = \{[^;]*;/g, ''],
  'an event has no case': [/case "go": return this\.\w+\(event\);/g, ''],
};

/** Runs machines on code that is changed before it is used, and notes whether it was. */
function runtimeOf(change: (source: string) => string): MachineRuntime {
  const classes = new WeakMap<AnyStateMachine, new (input: unknown, host: unknown) => never>();
  return {
    name: 'compiled, with a mistake',
    run(machine, input, host) {
      let Made = classes.get(machine);
      if (Made === undefined) {
        const values: unknown[] = [];
        const nameOf = (value: unknown): string => `$${values.push(value) - 1}`;
        const source = change(
          sourceOf({ ...planOf(machine), stepsMax: STEPS_MAX }, 'Made', { nameOf, valueOf: nameOf, isOwn: true }),
        );
        const names = values.map((_, index) => `$${index}`).join(', ');
        const code = `"use strict"; const { ${Object.keys(COMMON).join(', ')} } = parts; const [${names}] = values; ${source}
return Made;`;
        Made = new Function('parts', 'values', code)(COMMON, values) as NonNullable<typeof Made>;
        classes.set(machine, Made);
      }
      return new Made(input, host);
    },
  };
}

/** A mistake may have steps follow without an end. */
const STEPS_MAX = 500;
const MACHINES = 150;
const SCHEDULES = 3;

// What an instance throws is the process's error, a moment later: here it is what is looked for.
beforeEach(() => void vi.stubGlobal('setTimeout', () => undefined));
afterEach(() => {
  vi.unstubAllGlobals();
  watchTransitions(false);
});

/** No random machine chooses the state that it starts in; the client does. */
const subjectOf = (seed: number): Subject => (seed > MACHINES ? subjects.client : generate(seed));

/** True if a schedule shows a difference, or an error: both are found. */
function isFound(seed: number, runtime: MachineRuntime): boolean {
  const subject = subjectOf(seed);
  for (let number = 0; number < SCHEDULES; number++) {
    try {
      if (play(subject, hash(seed) + number, [xstateRuntime, runtime]) !== undefined) return true;
    } catch {
      return true;
    }
  }
  return false;
}

test('code without a mistake does the same', () => {
  const right = runtimeOf((source) => source);
  for (let seed = 1; seed <= 30; seed++) expect(isFound(seed, right), `seed ${seed}`).toBe(false);
});

test.each(Object.entries(MISTAKES))('%s: that is found', { timeout: 120_000 }, (_, [right, wrong]) => {
  let changes = 0;
  const runtime = runtimeOf((source) => {
    const changed = source.replace(right, wrong);
    if (changed !== source) changes++;
    return changed;
  });
  for (let seed = 1; seed <= MACHINES + 10; seed++) if (isFound(seed, runtime)) return;
  expect.fail(`${changes} machines have it, and none shows it`);
});
