/** The tests in docs/own-machine.md, as a reader would run them: with node:test, and with vitest. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);

let folder: string;
let blocks: string[];

beforeAll(async () => {
  const page = await readFile('docs/own-machine.md', 'utf8');
  blocks = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block as string);
  folder = await mkdtemp(join(tmpdir(), 'sc-own-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(resolve('.'), join(folder, 'node_modules/sockchart'));
  for (const name of ['xstate', 'fast-check', 'vitest']) {
    await symlink(resolve('node_modules', name), join(folder, 'node_modules', name));
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'greeting.js'), blocks[0] as string);
});
afterAll(() => rm(folder, { recursive: true }));

/** What the fragments take for granted. */
const IMPORTS = `
  import assert from 'node:assert/strict';
  import { connect } from 'node:net';
  import { attach } from 'sockchart';
  import { compile } from 'sockchart/runtime';
  import { acceptTable, socketDriver } from 'sockchart/testing';
`;

/** The tests of the page in one file. */
async function writeTests(name: string, importOfTest: string): Promise<void> {
  const text = [IMPORTS, ...blocks.slice(1)].join('\n');
  await writeFile(join(folder, name), text.replace(/^import test from 'node:test';.*$/m, importOfTest));
}

/** This is no test of ours. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|NODE_TEST|CI$)/.test(name)),
);

test('with node:test', { timeout: 60_000 }, async () => {
  await writeTests('greeting.test.js', "import test from 'node:test';");
  const args = ['--test', '--test-reporter=tap', 'greeting.test.js'];
  const { stdout } = await run(process.execPath, args, { cwd: folder, env: environment });
  expect(stdout).toContain('greeting: connecting –socket.connected→ waiting –greeting.received→ greeted\n');
  expect(stdout.match(/ok \d+ - greeting: transitions 5\/5$/gm)).toHaveLength(3);
  expect(stdout).toMatch(/^# pass 17$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(await readFile(join(folder, 'greeting.table.md'), 'utf8')).toContain('⏱ `greetingTimeout`');
});

test('with vitest', { timeout: 120_000 }, async () => {
  await writeTests('greeting.vitest.test.js', "import { test } from 'vitest';");
  const args = [resolve('node_modules/vitest/vitest.mjs'), 'run', 'greeting.vitest.test.js', '--reporter=json'];
  const { stdout } = await run(process.execPath, args, { cwd: folder, env: environment });
  const { numPassedTests, numFailedTests } = JSON.parse(stdout);
  expect([numPassedTests, numFailedTests]).toEqual([17, 0]);
});

test('a machine with a dead transition fails, with the message', { timeout: 60_000 }, async () => {
  await writeFile(
    join(folder, 'dead.test.js'),
    `import test from 'node:test';
    import { testMachine } from 'sockchart/testing';
    import { createMachine } from 'xstate';
    const states = { open: { on: { close: [{ target: 'closed' }, { target: 'open' }] } }, closed: {} };
    testMachine(createMachine({ id: 'door', initial: 'open', states }), { test, input: undefined });`,
  );
  const args = ['--test', '--test-reporter=tap', 'dead.test.js'];
  const failed = await run(process.execPath, args, { cwd: folder, env: environment }).catch((error) => error);
  expect(failed.code).toBe(1);
  expect(failed.stdout).toMatch(/^ *not ok 2 - door: transitions 1\/2; never taken: open –close→ open$/m);
  expect(failed.stdout).toContain('open –close→ open: another transition takes the event first');
});
