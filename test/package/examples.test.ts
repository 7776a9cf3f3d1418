/** The examples are programs: each is run as a reader would run it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';

const children: ChildProcessWithoutNullStreams[] = [];
const servers: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const { server, sockets } of servers.splice(0)) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
});

/** Runs an example and reads its output line by line. */
function run(name: string, ...args: (string | number)[]) {
  const child = spawn(process.execPath, [`examples/${name}`, ...args.map(String)]);
  children.push(child);
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    async until(pattern: RegExp): Promise<string> {
      const seen: string[] = [];
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true) throw new Error(`no line like ${pattern} in:\n${seen.join('\n')}\n${errors}`);
        seen.push(value);
        if (pattern.test(value)) return value;
      }
    },
    exit: once(child, 'exit').then(([code]) => ({ code, errors })),
  };
}

async function serve(onSocket: (socket: Socket) => void): Promise<{ port: number; kill(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  servers.push({ server, sockets });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    kill() {
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
    },
  };
}

test('tcp-proxy.mjs fails over to the server that answers', async () => {
  const dead = await serve(() => {});
  dead.kill();
  const echo = await serve((socket) => socket.pipe(socket));
  const { child, until, exit } = run('tcp-proxy.mjs', 0, dead.port, echo.port);
  const port = Number(/port: (\d+)/.exec(await until(/^listening/))?.[1]);
  const client = connect(port, '127.0.0.1');
  client.end('hello');
  let answer = '';
  for await (const chunk of client) answer += chunk;
  expect(answer).toBe('hello');
  await until(new RegExp(`^failover from 127.0.0.1:${dead.port} to 127.0.0.1:${echo.port}: ECONNREFUSED`));
  expect(await until(/^session#1 /)).toMatch(/ended.*fromClient: 5, fromBackend: 5/);
  child.kill('SIGTERM');
  await until(/^closed$/);
  expect(await exit).toEqual({ code: 0, errors: '' });
});

test('persistent-backend.mjs repeats what was not answered to the next server', async () => {
  const silent = withResolvers();
  /** Welcomes, answers with its own name, and keeps one question to itself. */
  const named = (name: string) => (socket: Socket) => {
    createInterface({ input: socket }).on('line', (line) => {
      if (line === 'HELLO') socket.write('WELCOME\n');
      else if (line === 'who is it now?' && name === 'A') silent.resolve();
      else socket.write(`${name} answers "${line}"\n`);
    });
  };
  const a = await serve(named('A'));
  const b = await serve(named('B'));
  const { child, until, exit } = run('persistent-backend.mjs', a.port, b.port);
  await until(/^established 1/);
  child.stdin.write('who are you?\n');
  await until(/^A answers "who are you\?"$/);
  child.stdin.write('who is it now?\n');
  await silent.promise;
  a.kill();
  await until(/^dropped: ECONNRESET$/);
  await until(new RegExp(`^failover from 127.0.0.1:${a.port} to 127.0.0.1:${b.port}$`));
  await until(/^B answers "who is it now\?"$/);
  child.stdin.end();
  await until(/^closed$/);
  expect(await exit).toEqual({ code: 0, errors: '' });
});

test('custom-machine.mjs takes every path of a machine of the reader’s own', async () => {
  const { until, exit } = run('custom-machine.mjs');
  await until(/ok 5 - greeting: transitions 5\/5|✔ greeting: transitions 5\/5/);
  expect(await exit).toEqual({ code: 0, errors: '' });
});

function withResolvers() {
  let resolve!: () => void;
  const promise = new Promise<void>((yes) => {
    resolve = yes;
  });
  return { promise, resolve };
}
