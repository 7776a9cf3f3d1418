/** Pictures of users' machines are drawn on a thread of their own; without the package that lays them out the page says what to install. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { svgOf } from '../../src/diagrams/index.js';
import { NotSupportedError } from '../../src/index.js';
import { Drawings } from '../../src/inspect/drawings.js';
import { createInspectorServer } from '../../src/inspect/index.js';
import { Browser } from './browser.js';
import { linkMachine } from './own-machine.js';

const run = promisify(execFile);

test('a picture is the one that sockchart/diagrams draws, made once, and the process goes on meanwhile', async () => {
  const drawings = new Drawings([linkMachine]);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const [first, second] = await Promise.all([drawings.of('link'), drawings.of('link')]);
  clearInterval(timer);
  expect(first).toBe(await svgOf(linkMachine));
  expect(second).toBe(first);
  // Measured: 200 and more; a drawing on this thread would leave a few.
  expect(turns).toBeGreaterThan(50);
  expect(await drawings.of('other')).toBeUndefined();
  await drawings.close();
});

test('a drawing under way ends with the server', async () => {
  const drawings = new Drawings([linkMachine]);
  const picture = drawings.of('link').catch((error: unknown) => error);
  await drawings.close();
  expect(await picture).toBeInstanceOf(NotSupportedError);
});

test('an id may have anything in it', async () => {
  const machine = createMachine({ id: '../a b?#%<i>', initial: 'x', states: { x: {} } });
  const inspector = await createInspectorServer({ machines: [machine] });
  const browser = new Browser(inspector.port);
  await browser.open(inspector.url);
  const { status, headers, text } = await browser.get(`/diagrams/${encodeURIComponent(machine.id)}.svg`);
  expect([status, headers['content-type']]).toEqual([200, 'image/svg+xml; charset=utf-8']);
  expect(text).toContain('Statechart of ../a b?#%&lt;i&gt;');
  await inspector.close();
});

test('without elkjs the page is served, and says what to install', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sc-drawings-'));
  // The package as it is published, where nothing else is installed.
  const place = join(folder, 'node_modules/sockchart');
  await mkdir(place, { recursive: true });
  for (const name of ['dist', 'diagrams', 'package.json']) await cp(name, join(place, name), { recursive: true });
  await symlink(resolve('node_modules/xstate'), join(folder, 'node_modules/xstate'));
  await writeFile(
    join(folder, 'main.mjs'),
    `import { createInspectorServer, exportRecording, record } from 'sockchart/inspect';
    import { createMachine } from 'xstate';
    const machine = createMachine({ id: 'door', initial: 'shut', states: { shut: {} } });
    const inspector = await createInspectorServer({ machines: [machine] });
    const { headers } = await fetch(inspector.url, { redirect: 'manual' });
    const cookie = headers.get('set-cookie').split(';')[0];
    const ask = (path) => fetch(new URL(path, inspector.url), { headers: { cookie } });
    const picture = await ask('/diagrams/door.svg');
    const page = await ask('/api/export');
    await (await record('run.jsonl')).stop();
    const exported = await exportRecording('run.jsonl', 'run.html', { machines: [machine] }).catch((error) => error);
    console.log(JSON.stringify({ status: picture.status, ...(await picture.json()), page: page.status, exported: exported.code }));
    await inspector.close();`,
  );
  const { stdout } = await run(process.execPath, ['main.mjs'], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({
    status: 503,
    error: expect.stringMatching(/needs the package elkjs: npm install --save-dev elkjs/),
    page: 200,
    exported: 'ERR_NOT_SUPPORTED',
  });
  await rm(folder, { recursive: true });
});
