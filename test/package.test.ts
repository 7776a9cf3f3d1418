/** The package as others see it: what is built, exported and written in the README. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

test('sockchart/machines imports nothing but itself and xstate', async () => {
  const imports = new Set<string>();
  for (const file of await readdir('dist/machines')) {
    if (!file.endsWith('.js')) continue;
    const text = await readFile(`dist/machines/${file}`, 'utf8');
    for (const [, name] of text.matchAll(/^(?:import|export)\b[^;]*?'([^']+)';/gm)) imports.add(name as string);
  }
  expect([...imports].filter((name) => !name.startsWith('./'))).toEqual(['xstate']);
});

test('every entry point can be imported, and importing the library opens nothing', async () => {
  const script = `
    const names = ['sockchart', 'sockchart/cluster', 'sockchart/machines', 'sockchart/testing'];
    const modules = await Promise.all(names.map((name) => import(name)));
    console.log(modules.map((module) => Object.keys(module).length > 3).join(), process.getActiveResourcesInfo().length);
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  const [complete, resources] = stdout.trim().split(' ');
  expect(complete).toBe('true,true,true,true');
  // Standard output may count as one.
  expect(Number(resources)).toBeLessThanOrEqual(1);
});

test('the machines run on a plain actor', async () => {
  const script = `
    import { createActor } from 'xstate';
    import { clientMachine } from 'sockchart/machines';
    const settings = { acceptTimeout: 10_000, closeTimeout: 10_000, abortTimeout: 1_000 };
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
