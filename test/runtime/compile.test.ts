/** How a machine becomes code: names that look like code are none, and where code must not be made, an actor runs. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { type AnyStateMachine, raise } from 'xstate';
import { planOf } from '../../src/compiler/plan.js';
import { sourceOf } from '../../src/compiler/source.js';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';
import { machineOf, Scene, say, set } from './scene.js';

const HOSTILE = [
  '"); isHurt = true; ("',
  "'); isHurt = true; ('",
  '`; isHurt = true; `',
  '*/ isHurt = true; /*',
  '// \n isHurt = true;',
  '\u2028isHurt = true;\u2029',
  '\\',
  '__proto__',
  'constructor',
  'take',
  '🦆',
  ' ',
];

/** A star in the name of an event is a wildcard. */
const eventNamed = (text: string): string => `e${text.replaceAll('*', '')}`;

/** A machine in which this text is every name that a machine can have. */
const machineNamed = (text: string): AnyStateMachine =>
  machineOf(
    {
      id: `m${text}`,
      initial: 'start',
      states: {
        start: { on: { go: `s${text.replaceAll('\\', '\\\\')}` } },
        [`s${text}`]: {
          tags: text,
          entry: [set({ [text]: () => text, n: 7 }), say(text)],
          on: {
            [eventNamed(text)]: { guard: `g${text}`, actions: say(`a${text}`) },
            [`${eventNamed(text)}.*`]: 'start',
          },
          // XState sends the time of a state as an event with its name.
          ...(text.includes('*') ? {} : { after: { [`d${text}`]: 'start' } }),
        },
      },
    },
    { guards: { [`g${text}`]: () => true }, delays: { [`d${text}`]: () => 20 } },
  );

describe.each(HOSTILE)('a machine whose names are %j', (text) => {
  test('does the same on both runtimes, and no name is run', () => {
    const sides = [xstateRuntime, compiledRuntime].map((runtime) => {
      const scene = new Scene(runtime, machineNamed(text), { clockToo: false }).started();
      const said = [
        scene.on('go'),
        scene.state,
        scene.on(eventNamed(text)),
        scene.on(`${eventNamed(text)}.more`),
        scene.state,
      ];
      return [...said, scene.instance.accepts(), scene.instance.context];
    });
    expect(sides[1]).toEqual(sides[0]);
    expect('isHurt' in globalThis).toBe(false);
  });

  test('no name ends a comment', () => {
    const source = sourceOf(planOf(machineNamed(text)), 'Made', {
      nameOf: () => 'f',
      valueOf: () => 'v',
      isCommented: true,
    });
    const code = source.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
    for (const [comment] of code.matchAll(/\/\*.*?\*\//gs)) expect(comment).toMatch(/^\/\* [\w.$#→ -]* \*\/$/);
    expect(() => new Function(source)).not.toThrow();
  });
});

test('the generated machines are those of src/machines/', { timeout: 60_000 }, () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  expect(() => execFileSync(process.execPath, ['scripts/generate.mjs', '--check'], { cwd })).not.toThrow();
});

test('where Node must not make code from strings, an actor runs, and the process is warned once', () => {
  const program = `
    import { compile, systemClock } from '${new URL('../../dist/runtime/index.js', import.meta.url)}';
    import { createMachine, emit } from '${import.meta.resolve('xstate')}';
    const warnings = [];
    process.on('warning', ({ code }) => warnings.push(code));
    for (const id of ['one', 'two']) {
      const machine = compile(createMachine({ id, initial: 'a', states: { a: { on: { go: 'b' } }, b: { entry: emit({ type: 'said' }) } } }));
      const said = [];
      const instance = machine.run(undefined, { id, clock: systemClock, perform: ({ type }) => said.push(type), finish() {} });
      instance.start();
      instance.send({ type: 'go' });
      console.log(machine.id, instance.state, ...said);
    }
    setImmediate(() => console.log(...warnings));
  `;
  const args = ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', program];
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const output = execFileSync(process.execPath, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  expect(output).toBe('one b said\ntwo b said\nSOCKCHART_NO_COMPILE\n');
});

test.each([
  ['always', { a: { always: { target: 'b' } }, b: { always: { target: 'a' } } }],
  ['raise', { a: { entry: raise({ type: 'x' }), on: { x: { target: 'a', reenter: true } } }, b: {} }],
])('a cycle of %s that never ends is an error, also where the machine sets no limit', (_what, states) => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  try {
    const cycle = new Scene(
      compiledRuntime,
      machineOf({ initial: 'rest', states: { rest: { on: { go: 'a' } }, ...states } }),
    );
    cycle.start();
    cycle.instance.send({ type: 'go' });
    expect(() => vi.runAllTimers()).toThrow(/took 10000 steps/);
  } finally {
    vi.useRealTimers();
  }
});
