/** The package as others see it: what is built, exported and written in the README. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { build } from 'vite';
import { expect, test } from 'vitest';
import { VERSION } from '../../src/version.js';

const run = promisify(execFile);

const NAMES = ['', '/cluster', '/diagrams', '/inspect', '/machines', '/metrics', '/runtime', '/testing'].map(
  (entry) => `sockchart${entry}`,
);
const ENTRIES = JSON.stringify(NAMES);
const ALL_TRUE = NAMES.map(() => true).join();

/** What importing a file loads, but for Node's own modules: their names, and the paths of files. */
async function loadedBy(file: string, found = new Set<string>()): Promise<string[]> {
  if (!found.has(file)) {
    found.add(file);
    const text = file.startsWith('build/') ? await readFile(file, 'utf8') : '';
    for (const [, name = ''] of text.matchAll(/^(?:import|export)\b[^;=]*?'([^']+)';/gm))
      await loadedBy(name.startsWith('.') ? join(dirname(file), name) : name, found);
  }
  return [...found];
}

/** What a program in one line prints. */
const printed = async (program: string): Promise<string> =>
  (await run(process.execPath, ['--input-type=module', '-e', program])).stdout.trim();

const LOADED = "const loaded = new Set(process.moduleLoadList.map((name) => name.split(' ').at(-1)));";

test('sockchart/machines loads nothing but itself and xstate', async () => {
  const others = (await loadedBy('build/machines/index.js')).filter((file) => !file.startsWith('build/machines/'));
  expect(others).toEqual(['xstate']);
  const opened = `await import('sockchart/machines'); ${LOADED} console.log(loaded.has('net'), loaded.has('events'));`;
  expect(await printed(opened)).toBe('false true');
});

test('the class of a machine is made for its first instance: the import makes none', async () => {
  const program = `
    import { Session } from 'node:inspector/promises';
    const session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    const { createListener } = await import('sockchart');
    const made = async () => {
      const { result } = await session.post('Profiler.takePreciseCoverage');
      return result.flatMap(({ functions }) => functions)
        .filter(({ functionName, ranges }) => functionName.startsWith('madeClass') && ranges[0].count > 0).length;
    };
    const atImport = await made();
    await createListener({ port: 0 }).close();
    console.log(atImport, await made());
  `;
  expect(await printed(program)).toBe('0 1');
});

test('sockchart loads neither XState and the compiler, nor what only some programs need of Node', async () => {
  const files = await loadedBy('build/index.js');
  expect(files.filter((file) => !/^(?:build\/|node:)/.test(file))).toEqual([]);
  expect(files.filter((file) => /^build\/(?:runtime\/xstate|compiler|cluster|inspect)\b/.test(file))).toEqual([]);
  expect(files.length).toBeGreaterThan(50);
  const some = ['tls', 'crypto', 'cluster', 'dns', 'http', 'child_process', 'worker_threads'];
  // What the import of `node:fs` and of `node:util` would bring.
  some.push('internal/fs/streams', 'internal/util/parse_args/parse_args');
  const opened = `await import('sockchart'); ${LOADED} console.log(${JSON.stringify(some)}.filter((name) => loaded.has(name)).join(), loaded.has('net'));`;
  expect(await printed(opened)).toBe('true');
});

test('what is published is ASCII: one other character doubles the memory of its file', async () => {
  const files = (await readdir('dist', { recursive: true })).filter(
    (file) => file.endsWith('.js') && !/^(?:inspector|types)\b/.test(file),
  );
  expect(files.length).toBeGreaterThan(20);
  const others: string[] = [];
  for (const file of files) if (/[^\0-\x7f]/.test(await readFile(join('dist', file), 'utf8'))) others.push(file);
  expect(others).toEqual([]);
});

test('every entry point can be imported, and importing the library opens nothing', async () => {
  const script = `
    const names = ${ENTRIES};
    const modules = await Promise.all(names.map((name) => import(name)));
    console.log(modules.map((module) => Object.keys(module).length > 1).join(), process.getActiveResourcesInfo().length);
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  const [complete, resources] = stdout.trim().split(' ');
  expect(complete).toBe(ALL_TRUE);
  // Standard output may count as one.
  expect(Number(resources)).toBeLessThanOrEqual(1);
});

test('every entry point can be required, and is the same copy as the imported one', async () => {
  const script = `
    const names = ${ENTRIES};
    Promise.all(names.map(async (name) => Object.entries(await import(name)).every(([key, value]) => require(name)[key] === value)))
      .then((same) => console.log(same.join()));
  `;
  const { stdout } = await run(process.execPath, ['-e', script]);
  expect(stdout.trim()).toBe(ALL_TRUE);
});

test('every file that package.json names is there, and has the names of the ES module also in CommonJS', async () => {
  const { main, types, typesVersions, exports } = JSON.parse(await readFile('package.json', 'utf8'));
  const leaves = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : Object.values(value as object).flatMap(leaves);
  for (const file of leaves([main, types, typesVersions, exports])) await access(file);
  const script = `
    const { exports } = require('sockchart/package.json');
    const entries = Object.values(exports).filter((entry) => entry.require !== undefined);
    Promise.all(entries.map(async (entry) =>
      JSON.stringify(Object.keys(require(require('path').resolve(entry.require))).sort()) ===
      JSON.stringify(Object.keys(await import(require('url').pathToFileURL(entry.default))).sort())))
      .then((same) => console.log(same.join()));
  `;
  const { stdout } = await run(process.execPath, ['-e', script]);
  expect(stdout.trim()).toBe(ALL_TRUE);
});

test('the CommonJS build relays bytes, serves the live page and finds the program of the workers', async () => {
  const script = `
    const { createProxy } = require('./dist/cjs/index.js');
    const { createCluster } = require('./dist/cjs/cluster.js');
    const { createInspectorServer } = require('./dist/cjs/inspect.js');
    const net = require('node:net');
    const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1', async () => {
      const proxy = createProxy({ listen: { port: 0 }, servers: [{ port: echo.address().port }] });
      await proxy.start();
      const client = net.connect(proxy.addresses[0].port).end('hello');
      for await (const chunk of client) console.log(String(chunk));
      await proxy.close();
      echo.close();
      const page = await createInspectorServer();
      console.log((await fetch(page.url, { redirect: 'manual' })).status < 400);
      await page.close();
      console.log((await createCluster({ module: __filename, workers: 1 }).close()).ending);
    });
  `;
  const folder = await mkdtemp(join(tmpdir(), 'sc-cjs-'));
  const file = join(folder, 'program.cjs');
  await writeFile(file, script.replaceAll("'./dist", `'${process.cwd()}/dist`));
  try {
    const { stdout } = await run(process.execPath, [file]);
    expect(stdout.trim().split('\n')).toEqual(['hello', 'true', 'closed']);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the published declarations compile without skipLibCheck, and with no library but ES2022', async () => {
  const options = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--lib',
    'es2022',
    '--types',
    'node',
  ];
  const entries = [
    'index',
    'cluster/index',
    'diagrams/index',
    'inspect/index',
    'machines/index',
    'metrics/index',
    'runtime/index',
    'testing/index',
  ];
  const files = entries.map((entry) => `dist/types/${entry}.d.mts`);
  // The types of Node for TypeScript 5.6 and older have no parameter here, and tsc writes one where a type is inferred.
  for (const file of await readdir('dist/types', { recursive: true })) {
    if (file.endsWith('.d.ts')) expect(await readFile(join('dist/types', file), 'utf8'), file).not.toContain('Buffer<');
  }
  await run('node_modules/.bin/tsc', [...options, '--skipLibCheck', 'false', '--module', 'node16', ...files]);
});

test('the version that the code knows is the package’s', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  expect(VERSION).toBe(version);
});

/** A program that is one file, away from the package. */
const BUNDLED = `
  import * as library from 'sockchart';
  import * as cluster from 'sockchart/cluster';
  import * as inspect from 'sockchart/inspect';
  import * as machines from 'sockchart/machines';
  import * as metrics from 'sockchart/metrics';
  import * as runtime from 'sockchart/runtime';
  import * as testing from 'sockchart/testing';
  const [file, out] = process.argv.slice(2);
  console.log([library, cluster, inspect, machines, metrics, runtime, testing].every((one) => Object.keys(one).length > 1));
  const recorder = await inspect.record(file);
  await library.createListener({ port: 0 }).close();
  await recorder.stop();
  console.log(recorder.steps > 0);
  const page = await inspect.createInspectorServer();
  const answer = await fetch(page.url, { redirect: 'manual' });
  console.log(answer.status, (await answer.json()).error);
  await page.close();
  await inspect.exportRecording(file, out).catch(({ message }) => console.log(message));
  try {
    cluster.createCluster({ module: file });
  } catch ({ message }) {
    console.log(message);
  }
`;

test.each(['es', 'cjs'] as const)(
  'a bundled program runs, as %s, and says that the page and the workers are not in it',
  async (format) => {
    const folder = await mkdtemp(join(tmpdir(), 'sc-bundle-'));
    const source = await mkdtemp('dist/bundle-');
    try {
      // Whatever top-level await may be in CommonJS.
      await writeFile(`${source}/program.js`, format === 'es' ? BUNDLED : wrapped(BUNDLED));
      const file = format === 'es' ? 'program.mjs' : 'program.cjs';
      await build({
        configFile: false,
        logLevel: 'error',
        ssr: { noExternal: true },
        build: {
          ssr: `${source}/program.js`,
          outDir: folder,
          rollupOptions: { output: { format, entryFileNames: file, codeSplitting: false } },
        },
      });
      let text = await readFile(join(folder, file), 'utf8');
      // Other bundlers know no URL of a file in CommonJS.
      if (format === 'cjs')
        text = text.replace(/require\((['"`])(?:node:)?url\1\)\.pathToFileURL\(__filename\)\.href/g, 'undefined');
      await writeFile(join(folder, file), text);
      const { stdout } = await run(process.execPath, [
        join(folder, file),
        join(folder, 'run.jsonl'),
        join(folder, 'out.html'),
      ]);
      expect(stdout.trim().split('\n')).toEqual([
        'true',
        'true',
        expect.stringMatching(/^503 The live page is not found beside the library\./),
        expect.stringMatching(/^The live page is not found beside the library\./),
        expect.stringMatching(/^The program of the workers is not found beside the library\./),
      ]);
    } finally {
      await rm(folder, { recursive: true });
      await rm(source, { recursive: true });
    }
  },
);

const wrapped = (program: string): string => {
  const lines = program.trim().split('\n');
  const imports = lines.filter((line) => line.includes('import *'));
  const rest = lines.filter((line) => !line.includes('import *'));
  return `${imports.join('\n')}\n(async () => {\n${rest.join('\n')}\n})();`;
};

test('the machines run on a plain actor', async () => {
  const script = `
    import { createActor } from 'xstate';
    import { clientMachine, NEVER_MS } from 'sockchart/machines';
    const settings = {
      acceptTimeout: 10_000, idleTimeout: NEVER_MS, halfCloseTimeout: 60_000, closeTimeout: 10_000,
      abortTimeout: 1_000, lingerTimeout: 5_000, lingerMax: 30_000,
    };
    const actor = createActor(clientMachine, { input: { settings } });
    actor.on('*', (command) => console.log(command.type));
    actor.start();
    actor.send({ type: 'owner.admitted' });
    actor.send({ type: 'client.close' });
    actor.send({ type: 'socket.finished' });
    actor.send({ type: 'socket.closed' });
    console.log(JSON.stringify(actor.getSnapshot().output));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout.trim().split('\n')).toEqual([
    'owner.accept',
    'owner.admit',
    'owner.establish',
    'socket.unlink',
    'owner.release',
    'socket.end',
    '{"ending":"closed","cause":{"initiator":"owner","manner":"close","phase":"established"},"flushed":true}',
  ]);
});

test('the first program of the README works as it stands, but for the ports', async () => {
  const readme = await readFile('README.md', 'utf8');
  const [, program] = /## A first proxy\n.*?```js\n(.*?)```/s.exec(readme) ?? [];
  const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const dead = createServer().listen(0, '127.0.0.1');
  await once(dead, 'listening');
  const ports = { echo: (echo.address() as AddressInfo).port, dead: (dead.address() as AddressInfo).port };
  dead.close();
  // Inside the package, so that its own name leads to it.
  const folder = await mkdtemp('dist/readme-');
  try {
    const text = (program as string)
      .replace('8080', '0')
      .replace('5432', String(ports.dead))
      .replace('5433', String(ports.echo));
    await writeFile(`${folder}/proxy.mjs`, text);
    const child = spawn(process.execPath, [`${folder}/proxy.mjs`], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const [, port] = /port: (\d+)/.exec((await lines.next()).value) as string[];
    const client = connect(Number(port), '127.0.0.1');
    client.end('hello');
    let answer = '';
    for await (const chunk of client) answer += chunk;
    expect(answer).toBe('hello');
    expect((await lines.next()).value).toContain(`127.0.0.1:${ports.dead} → 127.0.0.1:${ports.echo}`);
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    const rest: string[] = [];
    for await (const line of lines) rest.push(line);
    expect(rest.join('\n')).toContain('closed {');
    expect(await exit).toEqual([0, null]);
  } finally {
    await rm(folder, { recursive: true });
    echo.close();
  }
});
