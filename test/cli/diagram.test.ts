/** `sockchart diagram`: what it writes, what it says is stale, and what it refuses. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readArgs, UsageError } from '../../src/cli/args.js';
import { parseXml } from '../support/xml.js';

const run = promisify(execFile);

/** Several processes one after the other, on a machine that may be busy. */
const SLOW = 60_000;

// Inside the package, so that its own name leads to it.
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp('dist/diagram-');
});
afterAll(() => rm(folder, { recursive: true }));

const machine = (name: string, id: string, more = '') => `
  export const ${name} = createMachine({
    ${id}initial: 'shut',
    states: { shut: { on: { open: 'open' } }, open: { on: { shut: 'shut' } },${more} },
  });
`;

async function written(name: string, ...machines: string[]): Promise<string> {
  await writeFile(`${folder}/${name}`, `import { createMachine } from 'xstate';${machines.join('')}`);
  return `${folder}/${name}`;
}

/** The exit code, and what it prints. */
async function diagram(args: string[], flags: string[] = []): Promise<[code: number, output: string]> {
  const { code, stdout, stderr } = await run(process.execPath, [...flags, 'dist/cli.js', 'diagram', ...args]).then(
    (done) => ({ code: 0, ...done }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  return [code, (stdout + stderr).trim()];
}

test('all kinds are written beside the module; --check finds them fresh, and stale once the machine has changed', {
  timeout: SLOW,
}, async () => {
  const file = await written('door.mjs', machine('door', "id: 'door', "));
  const files = ['svg', 'mmd', 'md'].map((ending) => `${folder}/door.${ending}`);
  const lines = (word: string) => files.map((one) => `${word}: ${one}`).join('\n');
  expect(await diagram([file, '--check'])).toEqual([1, lines('missing')]);
  expect(await diagram([file])).toEqual([0, lines('written')]);
  parseXml(await readFile(`${folder}/door.svg`, 'utf8'));
  expect(await diagram([file, '--check'])).toEqual([0, 'fresh: door']);

  await written('door.mjs', machine('door', "id: 'door', ", ' broken: {}'));
  const before = await readFile(`${folder}/door.svg`, 'utf8');
  expect(await diagram([`${file}#door`, '--check'])).toEqual([1, lines('stale')]);
  expect(await diagram([file, '--check', '--table'])).toEqual([1, `stale: ${folder}/door.md`]);
  expect(await readFile(`${folder}/door.svg`, 'utf8')).toBe(before);
});

test('one kind of one of several machines goes to a folder; without an id it has the name of its export', {
  timeout: SLOW,
}, async () => {
  const file = await written('two.mjs', machine('door', ''), machine('gate', "id: 'gate', "));
  expect(await diagram([file])).toEqual([2, `sockchart: Which machine? ${file}#door, ${file}#gate.`]);
  const to = `${folder}/docs`;
  expect(await diagram([`${file}#door`, '--mermaid', '--out', to])).toEqual([0, `written: ${to}/door.mmd`]);
  expect(await diagram([`${file}#gate`, `--out=${to}`, '--table'])).toEqual([0, `written: ${to}/gate.md`]);
  expect((await readdir(to)).sort()).toEqual(['door.mmd', 'gate.md']);
});

/** As if elkjs were not installed. */
const WITHOUT_ELK = `--import=data:text/javascript,${encodeURIComponent(`
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(\`
    export async function resolve(name, context, next) {
      if (name.startsWith('elkjs')) throw new Error('not found');
      return next(name, context);
    }
  \`));
`)}`;

test('without elkjs all is said, checked and written but the picture', { timeout: SLOW }, async () => {
  const file = await written('plain.mjs', machine('plain', "id: 'plain', "));
  const to = `${folder}/plain`;
  const refused = await diagram([file, '--out', to], [WITHOUT_ELK]);
  expect(refused).toEqual([
    1,
    expect.stringContaining('sockchart: An SVG picture needs the package elkjs: npm install'),
  ]);
  await expect(readdir(to)).rejects.toThrow('ENOENT');
  expect((await diagram([file, '--out', to, '--mermaid', '--table'], [WITHOUT_ELK]))[0]).toBe(0);
  expect((await diagram([file, '--out', to]))[0]).toBe(0);
  expect((await diagram([file, '--out', to, '--check'], [WITHOUT_ELK]))[0]).toBe(0);
});

test.each<[what: string, args: () => Promise<string[]>, code: number, why: string]>([
  ['a file that is not there', async () => ['dist/nothing.mjs'], 1, 'dist/nothing.mjs cannot be loaded: '],
  ['no machine in it', async () => [await written('none.mjs', 'export const one = 1;')], 1, 'exports no machine'],
  [
    'another name',
    async () => [`${await written('one.mjs', machine('one', ''))}#two`],
    2,
    'There is no machine "two" in it, but ',
  ],
  [
    'a folder that is a file',
    async () => [await written('file.mjs', machine('file', '')), '--table', '--out', 'package.json'],
    1,
    'ENOTDIR',
  ],
  [
    'a file of the user’s',
    async () => {
      await writeFile(`${folder}/mine.md`, '# Mine\n');
      return [await written('mine.mjs', machine('mine', ''))];
    },
    2,
    'must be a folder without a mine.md that sockchart has not written',
  ],
])('%s is refused', { timeout: SLOW }, async (_what, args, code, why) => {
  expect(await diagram(await args())).toEqual([code, expect.stringContaining(why)]);
});

test.each([
  ['no file', [], 'It takes a module'],
  ['two files', ['a', 'b'], 'It takes a module'],
  ['a folder without a name', ['a', '--out'], 'It takes a module'],
  ['a flag for a folder', ['a', '--out', '--svg'], 'It takes a module'],
  ['a kind with a value', ['a', '--svg=b'], 'It takes a module'],
  ['a misspelt flag', ['a', '--tabel'], 'There is no --tabel: did you mean --table?'],
])('%s is a usage error', (_what, args, why) => {
  expect(() => readArgs(['diagram', ...args])).toThrow(UsageError);
  expect(() => readArgs(['diagram', ...args])).toThrow(why);
});

test('a flag may come before the file', () => {
  expect(readArgs(['diagram', '--svg', 'a.mjs#b', '--check', '--out', 'docs'])).toEqual({
    mode: 'diagram',
    file: 'a.mjs',
    exported: 'b',
    kinds: ['svg'],
    check: true,
    out: 'docs',
  });
});
