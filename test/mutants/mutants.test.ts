/** The mutants themselves: `npm run mutants` takes minutes to hours, and is no part of `npm test`. */
import { readFileSync } from 'node:fs';
import { parseAst } from 'vite';
import { expect, test } from 'vitest';
import { clientMachine } from '../../src/machines/index.js';
import { ENTRY_MUTANTS, forking } from './entry.js';
import { LINE_FILES, lines, withLines } from './lines.js';
import { judge, machineOf, mutants } from './pure.js';
import { rows, withChoices } from './tables.js';

const survivors = JSON.parse(readFileSync(new URL('survivors.json', import.meta.url), 'utf8')) as {
  why: string;
  mutants: string[];
}[];

test('every mutant has a name of its own', () => {
  const ids = [...mutants, ...rows(), ...lines()].map(({ id }) => id);
  expect(ids.length).toBeGreaterThan(1_500);
  expect(new Set(ids).size).toBe(ids.length);
});

test('every survivor exists, is listed once, and has a reason', () => {
  const ids = [...mutants, ...rows(), ...lines()].map(({ id }) => id);
  const listed = survivors.flatMap((group) => group.mutants);
  expect(new Set(listed).size).toBe(listed.length);
  for (const id of listed) expect(ids).toContain(id);
  for (const { why } of survivors) expect(why).toMatch(/\.$/);
});

const named = (id: string) => {
  const mutant = mutants.find((other) => other.id === id);
  if (mutant === undefined) throw new Error(`There is no ${id}`);
  return mutant;
};

const PREPARED = [
  'client: dropping: entry: dropOwner left out',
  'client: dropping: entry: releaseOwner instead of dropOwner',
];

test('a mutant is another machine, in one place; the machine itself stays as it is', () => {
  const before = JSON.stringify(clientMachine.config);
  for (const id of PREPARED) {
    const machine = machineOf(named(id));
    expect(JSON.stringify(machine.config)).not.toBe(before);
    expect(JSON.stringify({ ...machine.config, states: { ...machine.config.states, dropping: 0 } })).toBe(
      JSON.stringify({ ...clientMachine.config, states: { ...clientMachine.config.states, dropping: 0 } }),
    );
  }
  expect(JSON.stringify(clientMachine.config)).toBe(before);
});

test.each([
  ['client: dropping: entry: dropOwner left out', 'test/machines'],
  ['client: closing: socket.closed → closed left out', 'test/model'],
  ['client: dropping: after abortTimeout → dropped left out', 'test/model'],
  [
    'listener: serving.listening.accepting: client.arrived [isLastPlace] → saturated: unless isLastPlace',
    'test/machines',
  ],
])('is found: %s', (id, by) => {
  expect(judge(id, false)?.by).toBe(by);
});

test('what is right is not found', () => {
  const id = 'listener: serving.listening: entry: resetAttempts left out';
  expect(survivors.flatMap((group) => group.mutants)).toContain(id);
  expect(judge(id, false)).toBeUndefined();
});

test('the rows of an adapter can be chosen, and the rest of its source stays as it is', () => {
  const path = 'src/adapters/client.ts';
  const source = readFileSync(path, 'utf8');
  const changed = withChoices(`/${path}`, source)?.split('\n') ?? [];
  const different = source.split('\n').filter((line, index) => line !== changed[index]);
  expect(different).toHaveLength(rows().filter(({ part }) => part === 'client').length);
  expect(withChoices('/src/handle.ts', source)).toBeUndefined();
});

test('plain code with a choice in every place is code, and so is each mutant of it', () => {
  for (const [part, files] of Object.entries(LINE_FILES)) {
    for (const file of files) {
      const found: string[] = [];
      const source = withLines(part, file, readFileSync(file, 'utf8'), ({ id }) => found.push(id));
      expect(() => parseAst(source, { lang: 'ts' }), file).not.toThrow();
      for (const id of found) expect(source.split(`__mutant(${JSON.stringify(id)})`), id).toHaveLength(2);
    }
  }
});

test('the workers of a cluster run the program that has the choices', () => {
  expect(forking(readFileSync('src/cluster/worker.ts', 'utf8'))).toContain(JSON.stringify(ENTRY_MUTANTS));
  expect(() => forking('')).toThrow('no longer forks');
});

test('a line can be wrong in several ways, each of which is one choice', () => {
  const source = 'function f(a: number) { if (a > 1 || !g(a)) h.i(a); else j(); }';
  const found: string[] = [];
  withLines('relay', 'x.ts', source, ({ id }) => found.push(id));
  expect(found).toEqual([
    'x.ts: f: a > 1 || !g(a) → &&',
    'x.ts: f: a > 1 → >=',
    'x.ts: f: 1 → 0',
    'x.ts: f: !g(a) → without !',
    'x.ts: f: h.i(a) left out',
    'x.ts: f: j() left out',
  ]);
});
