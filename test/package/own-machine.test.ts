/** The tests in docs/own-machine.md, as a reader would run them: with node:test, and with vitest. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { ConnectionsPage, MachineInfo, Overview } from '../../src/inspect/protocol.js';

const run = promisify(execFile);

let folder: string;
let blocks: string[];

beforeAll(async () => {
  const page = await readFile('docs/own-machine.md', 'utf8');
  blocks = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block as string);
  folder = await mkdtemp(join(tmpdir(), 'sc-own-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(resolve('.'), join(folder, 'node_modules/sockchart'));
  for (const name of ['xstate', 'fast-check', 'vitest', 'ws']) {
    await symlink(resolve('node_modules', name), join(folder, 'node_modules', name));
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'greeting.js'), blocks[0] as string);
  // A block that begins with the name of a file is a program of its own. However slow it is here, no timer ends it.
  await mkdir(join(folder, 'live'));
  await writeFile(join(folder, 'live/greeting.js'), (blocks[0] as string).replace('3_000', '3_600_000'));
  const nameOf = (block: string): string | undefined => /^\/\/ ((?!greeting\.)[\w.]+\.js): /.exec(block)?.[1];
  for (const block of blocks) {
    const name = nameOf(block);
    if (name !== undefined) await writeFile(join(folder, 'live', name), block);
  }
  blocks = blocks.filter((block) => nameOf(block) === undefined);
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
  expect(stdout.match(/ok \d+ - greeting: transitions 5\/5( explored)?$/gm)).toHaveLength(3);
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

/** Runs something with a mistake in one of the programs. */
async function withMistake<T>(file: string, right: string, wrong: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, 'live', file);
  const text = await readFile(path, 'utf8');
  expect(text).toContain(right);
  await writeFile(path, text.replace(right, wrong));
  try {
    return await work();
  } finally {
    await writeFile(path, text);
  }
}

describe('the driver for WebSockets', () => {
  const takePaths = async (): Promise<string> => {
    const args = ['--test', '--test-reporter=tap', 'live/websocket.test.js'];
    return (await run(process.execPath, args, { cwd: folder, env: environment }).catch((error) => error)).stdout;
  };

  test('takes every path', { timeout: 60_000 }, async () => {
    const said = await takePaths();
    expect(said).toMatch(/^ok 12 - reconnecting: transitions 8\/8 explored$/m);
    expect(said).toMatch(/^# pass 12\n# fail 0$/m);
  });

  test('finds a socket that is not released before the next attempt', { timeout: 60_000 }, async () => {
    const right = "connectTimeout: { target: 'waiting', actions: 'destroySocket' }";
    const said = await withMistake('reconnecting.js', right, "connectTimeout: 'waiting'", takePaths);
    expect(said).toMatch(/^not ok \d+ - reconnecting: connecting –connectTimeout→ waiting$/m);
    expect(said).toMatch(/reconnecting#\d+ is in "waiting", sockets open: 1/);
    // The last test does not fail as well.
    expect(said).toMatch(/^ok 12 - reconnecting: transitions 8\/8 explored$/m);
  });
});

test('the late close of a WebSocket does not reach the next attempt', { timeout: 60_000 }, async () => {
  const server = createServer((socket) => socket.on('error', () => {}));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await writeFile(
    join(folder, 'live/late.mjs'),
    `import { ManualClock } from 'sockchart/testing';
    import { keepConnected } from './websocket.js';
    const clock = new ManualClock();
    const { run, sockets } = keepConnected(process.argv[2], clock);
    const [first] = sockets;
    clock.advance(5_500); // the first attempt has timed out, the second one is under way
    first.on('close', () => console.log(run.state)).on('close', () => process.exit());`,
  );
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stateAfter = async (): Promise<string> => {
    const args = [join(folder, 'live/late.mjs'), url];
    return (await run(process.execPath, args, { env: environment })).stdout.trim();
  };
  expect(await stateAfter()).toBe('connecting');
  expect(await withMistake('websocket.js', 'mine === socket && ', '', stateAfter)).toBe('waiting');
  server.close();
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

/** Runs a program of the page, and asks its live page what it shows, once the program has said enough. */
async function watched(
  name: string,
  argument: string,
  lines: number,
): Promise<{ machines: readonly MachineInfo[]; peers: string[] }> {
  const child = spawn(process.execPath, [name, argument], {
    cwd: join(folder, 'live'),
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) if (said.push(line) === lines) break;
    const [url = ''] = said;
    const opened = await fetch(url);
    const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
    const ask = async <T>(path: string): Promise<T> =>
      (await fetch(new URL(path, url), { headers: { cookie } })).json() as Promise<T>;
    const { machines } = await ask<Overview>('/api/overview');
    const { rows } = await ask<ConnectionsPage>(`/api/connections?machine=${machines[0]?.machine}`);
    return { machines, peers: rows.map(({ peer }) => peer) };
  } finally {
    child.kill();
  }
}

test('the live page of an attached machine', { timeout: 60_000 }, async () => {
  const server = createServer((socket) => socket.on('error', () => {}));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const connected = once(server, 'connection');
  const { machines, peers } = await watched('watch.js', String(port), 2);
  expect(machines).toMatchObject([{ machine: 'greeting', live: 1 }]);
  expect(peers).toHaveLength(1);
  const [socket] = (await connected) as [Socket];
  socket.destroy();
  server.close();
});

test('the live page of a machine on a WebSocket', { timeout: 60_000 }, async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/`;
  const { machines, peers } = await watched('live.js', url, 1);
  expect(machines).toMatchObject([{ machine: 'reconnecting', live: 1 }]);
  expect(peers).toEqual([url]);
  for (const client of server.clients) client.terminate();
  server.close();
});
