/** What a whole process does with its servers: signals, workers that share a port, and no descriptors left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { turns, within } from '../support/wait.js';
import { quiet } from './stage.js';
import { watch } from './watch.js';

const folder = mkdtempSync(join(tmpdir(), 'sc-'));
afterAll(() => rmSync(folder, { recursive: true }));

const children = new Set<ChildProcess>();
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(
    [...children].map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }),
  );
  children.clear();
});

/** A program that says things, a line each. */
class Program {
  readonly lines: string[] = [];
  readonly exit: Promise<[number | null, string | null]>;
  readonly #child: ChildProcess;

  constructor(source: string, filesMax?: number) {
    const file = join(folder, `${children.size}.cjs`);
    writeFileSync(file, source);
    const node = [process.execPath, file];
    const limited = ['sh', '-c', `ulimit -n ${filesMax}; exec "$@"`, 'sh', ...node];
    const [command, ...args] = (filesMax === undefined ? node : limited) as [string, ...string[]];
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(this.#child);
    this.exit = once(this.#child, 'exit') as Promise<[number | null, string | null]>;
    let rest = '';
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      const lines = `${rest}${bytes}`.split('\n');
      rest = lines.pop() as string;
      this.lines.push(...lines);
      this.#child.emit('lines');
    });
  }

  /** The next line, or the first that begins so. */
  async line(start: string): Promise<string> {
    for (;;) {
      const index = this.lines.findIndex((line) => line.startsWith(start));
      if (index !== -1) return (this.lines.splice(index, 1)[0] as string).slice(start.length).trim();
      await within(10_000, `a line "${start}" of a program`, once(this.#child, 'lines'));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Connected, and accepted by a server that says so. */
async function client(program: Program, port: number): Promise<{ socket: Socket; words: string[] }> {
  const socket = quiet(connect({ host: '127.0.0.1', port }));
  sockets.add(socket);
  await within(10_000, 'a connect', once(socket, 'ready'));
  await program.line('accepted');
  const words = watch(socket);
  socket.resume();
  return { socket, words };
}

const serving = (onTerm: string): string => `
  const sockets = new Set();
  const server = require('node:net').createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket)).resume();
    console.log('accepted');
  });
  server.on('close', () => console.log('closed'));
  server.listen({ host: '127.0.0.1', port: 0 }, () => console.log('port ' + server.address().port));
  ${onTerm}
`;

const ENDED = ['end @writeOnly', 'finish @closed', 'close'];

describe('SIGTERM', () => {
  test('that nobody handles: the clients get an end, and the process dies of the signal', async () => {
    const program = new Program(serving(''));
    const { socket, words } = await client(program, Number(await program.line('port')));
    program.kill('SIGTERM');
    await within(10_000, 'the end', once(socket, 'close'));
    expect(words).toEqual(ENDED);
    expect(await program.exit).toEqual([null, 'SIGTERM']);
  });

  test('and server.close(): the clients hear nothing, and the process stays until they leave', async () => {
    const program = new Program(
      serving(`process.on('SIGTERM', () => { server.close(); setImmediate(() => console.log('told')); });`),
    );
    const { socket, words } = await client(program, Number(await program.line('port')));
    program.kill('SIGTERM');
    await program.line('told');
    await turns(50);
    expect(words).toEqual([]);
    expect(program.lines).toEqual([]);
    socket.end();
    expect(await program.exit).toEqual([0, null]);
    expect(program.lines).toEqual(['closed']);
  });

  test('and server.close() and an end for everybody: a clean exit', async () => {
    const program = new Program(
      serving(`process.on('SIGTERM', () => { server.close(); for (const socket of sockets) socket.end(); });`),
    );
    const { socket, words } = await client(program, Number(await program.line('port')));
    program.kill('SIGTERM');
    await within(10_000, 'the end', once(socket, 'close'));
    expect(words).toEqual(ENDED);
    expect(await program.exit).toEqual([0, null]);
  });
});

test('a worker of a cluster that cannot bind says bind, not listen', async () => {
  const program = new Program(`
    const cluster = require('node:cluster');
    const net = require('node:net');
    if (cluster.isPrimary) {
      const holder = net.createServer().listen({ host: '127.0.0.1', port: 0 }, () => {
        cluster.fork({ PORT: holder.address().port }).on('exit', () => process.exit());
      });
    } else {
      const server = net.createServer().listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
      server.on('error', ({ code, syscall }) => {
        console.log('error ' + code + ' ' + syscall);
        process.disconnect();
      });
    }
  `);
  expect(await program.line('error')).toBe('EADDRINUSE bind');
  await program.exit;
});

describe('no descriptors left', () => {
  test('for those who come: they are connected, and ended without a word to the server', async () => {
    const program = new Program(
      `
        const socks = [];
        const server = require('node:net').createServer((socket) => { socks.push(socket); });
        for (const name of ['drop', 'error']) server.on(name, () => console.log('heard ' + name));
        server.listen({ host: '127.0.0.1', port: 0 }, () => console.log('port ' + server.address().port));
        process.on('SIGTERM', () => { console.log('accepted ' + socks.length); process.exit(); });
      `,
      40,
    );
    const port = Number(await program.line('port'));
    const clients = Array.from({ length: 60 }, () => quiet(connect({ host: '127.0.0.1', port })));
    for (const socket of clients) sockets.add(socket.resume());
    const ended = new Set<Socket>();
    await within(
      10_000,
      'the end of those who are too many',
      new Promise<void>((resolve) => {
        for (const socket of clients) {
          socket.on('end', () => {
            if (ended.add(socket).size === 30) resolve();
          });
        }
      }),
    );
    program.kill('SIGTERM');
    const accepted = Number(await program.line('accepted'));
    expect(accepted).toBeGreaterThan(5);
    expect(accepted).toBeLessThan(40);
    expect(program.lines).toEqual([]);
  });

  test('for one that we dial: error EMFILE connect', async () => {
    const program = new Program(
      `
        const { connect, createServer } = require('node:net');
        const server = createServer((socket) => socket.on('error', () => {}));
        server.listen({ host: '127.0.0.1', port: 0 }, () => {
          const { port } = server.address();
          let isOver = false;
          for (let count = 0; count < 60; count++) {
            connect(port, '127.0.0.1').on('error', ({ code, syscall }) => {
              if (!isOver) console.log('error ' + code + ' ' + syscall);
              isOver = true;
              setImmediate(() => process.exit());
            });
          }
        });
      `,
      40,
    );
    expect(await program.line('error')).toBe('EMFILE connect');
    await program.exit;
  });
});
