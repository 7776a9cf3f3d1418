/** `sockchart compile`: what it writes runs where Node must not make code from strings. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);

// Inside the package, so that its own name leads to it.
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp('dist/compile-');
});
afterAll(() => rm(folder, { recursive: true }));

const machine = (name: string, more = '') => `
  export const ${name} = createMachine({
    id: '${name}',
    context: ({ input }) => ({ knocks: input?.knocks ?? 0 }),
    initial: 'shut',
    states: {
      shut: { on: { knock: { actions: assign({ knocks: ({ context }) => context.knocks + 1 }) }, open: 'open' } },
      open: { entry: emit(({ context }) => ({ type: 'bell.ring', knocks: context.knocks })), after: { 60000: 'shut' } },
    },${more}
  });
`;

async function written(name: string, ...machines: string[]): Promise<string> {
  const text = `import { assign, createMachine, emit } from 'xstate';${machines.join('')}`;
  await writeFile(`${folder}/${name}`, text);
  return `${folder}/${name}`;
}

/** The exit code, and what it prints. */
async function compile(...args: string[]): Promise<[code: number, output: string]> {
  const { code, stdout, stderr } = await run(process.execPath, ['dist/cli.js', 'compile', ...args]).then(
    (done) => ({ code: 0, ...done }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  return [code, (stdout + stderr).trim()];
}

/** Opens the door of a module where no code may be made from strings, and says what happened. */
async function open(file: string, written: string | undefined): Promise<string[]> {
  const program = `
    import { compile, systemClock } from 'sockchart/runtime';
    import { door } from './${file}';
    ${written === undefined ? '' : `import './${written}';`}
    const warnings = [];
    process.on('warning', ({ code }) => warnings.push(code));
    const said = [];
    const instance = compile(door).run({ knocks: 2 }, { id: 'door#1', clock: systemClock, perform: (one) => said.push(JSON.stringify(one)), finish() {} });
    instance.start();
    instance.setRef(false);
    instance.send({ type: 'knock' });
    instance.send({ type: 'open' });
    setImmediate(() => console.log([instance.state, instance.constructor.name, ...said, ...instance.timers().map(({ name }) => name), ...warnings].join('\\n')));
  `;
  await writeFile(`${folder}/program.mjs`, program);
  const flag = '--disallow-code-generation-from-strings';
  const { stdout } = await run(process.execPath, [flag, `${folder}/program.mjs`], {
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  return stdout.trim().split('\n');
}

const RUNG = '{"type":"bell.ring","knocks":3}';

test('what is written is used, and without it an actor runs', async () => {
  const file = await written('door.mjs', machine('door'));
  expect(await open('door.mjs', undefined)).toEqual(['open', 'ActorInstance', RUNG, '60000', 'SOCKCHART_NO_COMPILE']);
  expect(await compile(file)).toEqual([0, `written: ${folder}/door.compiled.mjs`]);
  expect(await open('door.mjs', 'door.compiled.mjs')).toEqual(['open', 'CompiledInstance', RUNG, '60000']);
});

test('what a module has compiled before is found when it first runs', async () => {
  const file = await written(
    'gate.mjs',
    machine('door'),
    "import { compile } from 'sockchart/runtime'; export const gate = compile(door);",
  );
  await compile(file);
  const program = `
    import { gate } from './gate.mjs';
    import './gate.compiled.mjs';
    import { systemClock } from 'sockchart/runtime';
    console.log(gate.run(undefined, { id: 'gate#1', clock: systemClock, perform() {}, finish() {} }).constructor.name);
  `;
  await writeFile(`${folder}/gated.mjs`, program);
  const flag = '--disallow-code-generation-from-strings';
  expect((await run(process.execPath, [flag, `${folder}/gated.mjs`])).stdout.trim()).toBe('CompiledInstance');
});

test('what is stale is an error that says what to do', async () => {
  const file = await written('changed.mjs', machine('door'));
  await compile(file, `${folder}/old.mjs`);
  await written('changed.mjs', machine('door', "\n    on: { leave: '.shut' },"));
  await expect(open('changed.mjs', 'old.mjs')).rejects.toThrow(
    /The machine "door" has changed since its code was written\. Run: npx sockchart compile/,
  );
  expect(await compile(file, `${folder}/old.mjs`)).toEqual([0, `written: ${folder}/old.mjs`]);
  expect(await open('changed.mjs', 'old.mjs')).toEqual(['open', 'CompiledInstance', RUNG, '60000']);
});

test('one of several machines is named', async () => {
  const file = await written('two.mjs', machine('door'), machine('window_'));
  expect(await compile(file)).toEqual([2, `sockchart: Which machine? ${file}#door, ${file}#window_.`]);
  expect(await compile(`${file}#gate`)).toEqual([
    2,
    `sockchart: There is no machine "gate" in it, but ${file}#door, ${file}#window_.`,
  ]);
  expect(await compile(`${file}#window_`)).toEqual([0, `written: ${folder}/two.compiled.mjs`]);
});

test('a file of the user is not overwritten', async () => {
  const file = await written('door.mjs', machine('door'));
  const before = await readFile(file, 'utf8');
  expect(await compile(file, file)).toEqual([2, expect.stringContaining('has not written. Give another one.')]);
  expect(await readFile(file, 'utf8')).toBe(before);
});

test.each<[what: string, args: () => Promise<string[]>, code: number, why: string | RegExp]>([
  ['no file', async () => [], 2, 'It takes a module'],
  ['three files', async () => ['a', 'b', 'c'], 2, 'It takes a module'],
  ['a flag', async () => ['--out', 'b'], 2, 'It takes a module'],
  ['a file that is not there', async () => [`${'dist'}/nothing.mjs`], 1, 'dist/nothing.mjs cannot be loaded: '],
  ['a folder to write to', async () => [await written('one.mjs', machine('door')), folder], 2, 'Give another one'],
  ['a folder that is not there', async () => [await written('one.mjs', machine('door')), 'no/such.mjs'], 1, 'ENOENT'],
  [
    'a module that keeps something open, and has no machine',
    async () => [await written('open.mjs', 'setInterval(() => {}, 1_000);')],
    1,
    'exports no machine',
  ],
  ['no machine in it', async () => [await written('none.mjs', 'export const one = 1;')], 1, 'exports no machine'],
  [
    'a machine that cannot be compiled',
    async () => [await written('wide.mjs', machine('wide', "\n    invoke: { src: 'x' },"))],
    1,
    'Cannot compile "wide"',
  ],
])('%s is refused', async (_what, args, code, why) => {
  expect(await compile(...(await args()))).toEqual([code, expect.stringContaining(why as string)]);
});
