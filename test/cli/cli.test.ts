import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { readArgs, UsageError } from '../../src/cli/args.js';
import { startErrorText } from '../../src/cli/start-error.js';
import { Tally } from '../../src/cli/tally.js';
import { hasColours, Terminal } from '../../src/cli/terminal.js';
import { BindError, type Cause, type Transition } from '../../src/index.js';
import type { ConnectionsPage } from '../../src/inspect/protocol.js';
import { causeText } from '../../src/inspect/words.js';
import { Browser } from '../inspect/browser.js';
import { backend, Client, cleanUp, Program } from './program.js';

const ESCAPE = '\u001b';
const ON_FREE_PORT = ['--listen', '127.0.0.1:0'];
const START = [...ON_FREE_PORT, '--backend', '127.0.0.1:1'];

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

afterEach(cleanUp);

describe('arguments', () => {
  const read = (...argv: string[]) => readArgs(argv);
  const wrong = (...argv: string[]) => {
    try {
      read(...argv);
    } catch (error) {
      if (error instanceof UsageError) return error.message;
      throw error;
    }
    return 'nothing';
  };
  const proxyOf = (...argv: string[]) => {
    const args = read('--listen', '1', '--backend', '2', ...argv);
    return args.mode === 'run' ? args.proxy : undefined;
  };

  it.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
    ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
    [':8080', { port: 8080 }],
    ['8080', { port: 8080 }],
    ['unix:/run/a.sock', { path: '/run/a.sock' }],
  ])('reads the address %s', (text, address) => {
    const args = read('--listen', text, `--backend=${text.replace(':0', ':1')}`);
    expect(args.mode === 'run' && args.proxy.listen).toEqual([address]);
  });

  it.each(['', 'foo', '::1:80', '1.2.3.4:', '1.2.3.4:99999', 'http://a:80', 'a b:80', '\u001b[31m:80', '-1', 'unix:'])(
    'refuses the address %j and says what one looks like',
    (text) => {
      expect(wrong(`--listen=${text}`, '--backend', '1')).toMatch(/^--listen .*(?:127\.0\.0\.1:8080|ADDRESS)/);
    },
  );

  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['off', false],
  ])('reads the time %s', (text, ms) => {
    expect(proxyOf('--idle-timeout', text)?.idleTimeout).toBe(ms);
  });

  it.each(['0', '-1', '5x', 's', '1e3', '600h', 'never'])('refuses the time %s', (text) => {
    expect(wrong('--listen', '1', '--backend', '2', `--idle-timeout=${text}`)).toMatch(
      /^--idle-timeout ".*" .* such as 500ms, 10s, 5m or off/,
    );
  });

  it('gives every backend its limit', () => {
    expect(proxyOf('--backend', '3', '--connections-max', '4')?.servers).toEqual([
      { port: 2, connectionsMax: 4 },
      { port: 3, connectionsMax: 4 },
    ]);
  });

  it('gives a backend its weight', () => {
    const servers = [
      '--backend',
      '3,weight=4',
      '--backend=[::1]:5,weight=0',
      '--backend',
      'unix:/run/a,b.sock,weight=256',
    ];
    expect(proxyOf(...servers)?.servers).toEqual([
      { port: 2 },
      { port: 3, weight: 4 },
      { host: '::1', port: 5, weight: 0 },
      { path: '/run/a,b.sock', weight: 256 },
    ]);
  });

  it('takes the addresses of names, and services', () => {
    const service = '_postgres._tcp.example.org';
    expect(proxyOf('--backend', service)?.servers).toEqual([{ port: 2 }, { host: service, addresses: true }]);
    const args = ['--backend', 'db.test:5', '--backend', '127.0.0.1:6', '--addresses'];
    expect(proxyOf(...args)?.servers).toEqual([
      { port: 2 },
      { host: 'db.test', port: 5, addresses: true },
      { host: '127.0.0.1', port: 6 },
    ]);
    const addresses = { nameservers: ['192.0.2.53:53', '[::1]:5353'] };
    expect(proxyOf(...args, '--nameserver', '192.0.2.53:53', '--nameserver', '[::1]:5353')?.servers).toEqual([
      { port: 2 },
      { host: 'db.test', port: 5, addresses },
      { host: '127.0.0.1', port: 6 },
    ]);
    expect(wrong('--listen', '1', '--backend', '2', '--addresses')).toMatch(/is for a --backend that is a name/);
    const named = ['--listen', '1', '--backend', 'db.test:5', '--nameserver'];
    expect(wrong(...named, '[::1]:53')).toMatch(/is for names, with --addresses/);
    expect(wrong(...named, 'ns.test:53')).toMatch(/an IP address with a port/);
  });

  it.each(['3,weight=', '3,weight=257', '3,weight=-1', '3,weight=1.5', '3,weight=x', ',weight=1', '3,wait=1'])(
    'refuses the backend %s',
    (text) =>
      expect(wrong('--listen', '1', `--backend=${text}`)).toMatch(/^--backend .* is wrong: it must be an address/),
  );

  it.each(['roundRobin', 'leastConnections', 'random', 'peakEwma', 'hash', 'inOrder'])('balances by %s', (name) => {
    expect(proxyOf('--balance', name)?.balance).toBe(name);
    expect(wrong('--listen', '1', '--backend', '2', '--balance', `${name}s`)).toMatch(/"--balance|one of .*inOrder/);
  });

  it('means the tour unless a flag of a proxy is given', () => {
    const inspect = { port: 0, actions: false };
    expect(read()).toEqual({ mode: 'tour', output: 'lines', linesMax: 50, speed: 1, inspect, record: undefined });
    expect(read('--json', '--speed', '4')).toMatchObject({ mode: 'tour', output: 'json', speed: 4 });
    expect(wrong('--idle-timeout', '5s')).toMatch(/--listen is missing/);
    expect(wrong('--tour', '--listen', '1')).toMatch(/--tour is for the tour/);
  });

  it('takes a port for the live page, or none', () => {
    const inspect = (...argv: string[]) => {
      const args = read('--listen', '1', ...argv, '--backend', '2');
      return args.mode === 'run' ? args.inspect : undefined;
    };
    expect(inspect()).toBeUndefined();
    expect(inspect('--inspect')).toEqual({ port: 0, actions: false });
    expect(inspect('--inspect', '9000')).toEqual({ port: 9_000, actions: false });
    expect(inspect('--inspect=9000', '--inspect-actions')).toEqual({ port: 9_000, actions: true });
    expect(inspect('--inspect-host', '::1')).toEqual({ port: 0, host: '::1', actions: false });
    expect(read('--inspect', '9000')).toMatchObject({ mode: 'tour', inspect: { port: 9_000 } });
    expect(wrong('--inspect=x')).toMatch(/^--inspect "x" is wrong/);
    expect(wrong('--inspect', '70000')).toMatch(/a port from 0 to 65535/);
    expect(wrong('--inspect', '127.0.0.1:80')).toMatch(/belongs to no flag/);
    expect(wrong('--listen=1', '9000')).toMatch(/belongs to no flag/);
    expect(wrong('--inspect', '9000', '9001')).toMatch(/"9001" belongs to no flag/);
    expect(wrong('--inspect-host', 'a b')).toMatch(/must be a host/);
  });

  it('takes two files to export', () => {
    const both = { mode: 'export', recording: 'a.jsonl', page: 'b.html' };
    expect(read('export', 'a.jsonl', 'b.html')).toEqual({ ...both, machines: [] });
    expect(read('export', 'a.jsonl', '--machine', 'd.mjs#door', 'b.html', '--machine=e.mjs')).toEqual({
      ...both,
      machines: [
        { file: 'd.mjs', exported: 'door' },
        { file: 'e.mjs', exported: undefined },
      ],
    });
    expect(wrong('export', 'a', 'b', '--machine')).toMatch(/--machine door\.mjs/);
    expect(wrong('export', 'a', 'b', '--mashine', 'c')).toMatch(/--machine/);
    expect(wrong('export', 'a.jsonl')).toMatch(/takes two files/);
    expect(wrong('export', 'a', 'b', 'c')).toMatch(/takes two files/);
  });

  it('escapes what would steer the terminal', () => {
    expect(wrong('--listen', 'a\u009b31m')).not.toMatch(/\p{Cc}/u);
  });
});

describe('what is shown', () => {
  const cause: Cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' };
  const step = (from: string, to: string, more: Partial<Transition> = {}): Transition => ({
    who: 'backend#1',
    parent: undefined,
    machine: 'backend',
    incarnation: 1,
    handle: {},
    about: { server: 'a:1' },
    means: undefined,
    isFinal: false,
    eventObject: { type: 'socket.failed' },
    commands: [],
    instance: {} as never,
    from,
    event: 'socket.failed',
    cause: undefined,
    to,
    at: 0,
    ...more,
  });

  it('says a cause in words', () => {
    expect(causeText(cause)).toBe('peer reset while established, ECONNRESET');
    expect(causeText({ initiator: 'owner', manner: 'close', phase: 'idle' })).toBe('owner close while idle');
  });

  it('says why it could not listen, for a port and for a path', () => {
    const text = (where: string, code: string): string =>
      startErrorText(new BindError(where, { initiator: 'system', manner: 'error', phase: 'binding', code }));
    expect(text('127.0.0.1:80', 'EACCES')).toBe(
      'Could not listen on 127.0.0.1:80: not permitted: a port below 1024 needs root, or CAP_NET_BIND_SERVICE on Linux (EACCES).',
    );
    expect(text('[::1]:443', 'EACCES')).toMatch(/443: not permitted: a port below 1024/);
    expect(text('*:8080', 'EACCES')).toBe('Could not listen on *:8080: not permitted (EACCES).');
    expect(text('/run/none/a.sock', 'EACCES')).toMatch(
      /a\.sock: not permitted, or there is no such folder \(EACCES\)\.$/,
    );
    expect(text('/run/none:80', 'EACCES')).toMatch(/:80: not permitted, or there is no such folder/);
    expect(text('[::1]:80', 'EADDRINUSE')).toBe('Could not listen on [::1]:80: the address is in use (EADDRINUSE).');
    expect(text('a:1', 'EOTHER')).toBe('Could not listen on a:1: EOTHER.');
  });

  it('counts lives by state, and tells a cause once', () => {
    const tally = new Tally();
    tally.note(step('', 'idle', { event: 'xstate.init' }));
    tally.note(step('idle', 'active.connecting', { means: 'connect' }));
    tally.note(step('active.connecting', 'active.established.open', { means: 'establish' }));
    expect(tally.now(['backend'])).toBe('backend 1 established');
    const lost = tally.note(step('active.established.open', 'active.failover', { means: 'drop', cause }));
    expect(lost).toMatchObject({ isDrop: true, cause });
    expect(tally.note(step('active.failover', 'active.disposing.destroying', { cause })).cause).toBeUndefined();
    tally.note(step('active.disposing.destroying', 'active.waiting', { means: 'retry', cause }));
    const next = tally.note(
      step('active.choosing', 'active.connecting', { about: { server: 'b:2' }, means: 'connect', cause }),
    );
    expect(next.failover).toEqual({ from: 'a:1', to: 'b:2' });
    expect(tally.incidents()).toBe('1 drop, 1 failover, 1 retry');
    tally.note(step('active.connecting', 'closed', { isFinal: true }));
    expect(tally.now(['backend'])).toBe('');
    expect(tally.table()).toEqual(['backend   1 closed']);
  });

  it('tells a cause that was noted before it led anywhere', () => {
    const tally = new Tally();
    tally.note(step('', 'active.connecting', { means: 'connect' }));
    expect(tally.note(step('active.connecting', 'active.connecting', { cause })).cause).toBeUndefined();
    expect(tally.note(step('active.connecting', 'active.disposing.destroying', { cause })).cause).toBe(cause);
  });

  it('asks the environment, then the stream, for colours', () => {
    expect(hasColours({ isTTY: true }, {})).toBe(true);
    expect(hasColours({ isTTY: false }, {})).toBe(false);
    expect(hasColours({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(hasColours({ isTTY: false }, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(true);
    expect(hasColours({ isTTY: true }, { FORCE_COLOR: '0' })).toBe(false);
    expect(hasColours({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  });

  it('keeps the status line at the bottom of a terminal, and within its width', () => {
    const stream = () => Object.assign(new PassThrough(), { isTTY: true, columns: 30 });
    const streams = { stdout: stream(), stderr: stream() };
    const terminal = new Terminal('stdout', streams as unknown as NodeJS.Process);
    const written = (): string => String(streams.stdout.read() ?? '');
    terminal.status('a status line that is too long for the terminal');
    expect(stripVTControlCharacters(written())).toBe('\r a status line that is too lo');
    terminal.print('a line');
    const redrawn = written();
    expect(redrawn.startsWith(`\r${ESCAPE}[Ka line\n`)).toBe(true);
    expect(stripVTControlCharacters(redrawn)).toMatch(/^\ra line\n a status line/);
    terminal.status('');
    expect(written()).toBe(`\r${ESCAPE}[K`);
    terminal.print('the last');
    expect(written()).toBe(`\r${ESCAPE}[Kthe last\n`);
  });
});

describe('the program', () => {
  it('explains itself with --help', async () => {
    const program = new Program(['--help']);
    expect(await program.ended).toBe(0);
    for (const flag of ['--listen', '--backend', '--idle-timeout', '--clients-max', '--json', '--quiet']) {
      expect(program.stdout).toContain(flag);
    }
    expect(program.stdout).toMatch(/Exit code: 0/);
    expect(program.stdout).not.toContain('--speed');
    expect(program.stderr).toBe('');
    expect(Math.max(...linesOf(program.stdout).map(({ length }) => length))).toBeLessThanOrEqual(120);
  });

  it('tells its version', async () => {
    const program = new Program(['--version']);
    expect(await program.ended).toBe(0);
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(program.stdout).toBe(`${version}\n`);
  });

  it('refuses wrong arguments in one line', async () => {
    const cases: [string[], string][] = [
      [['--bakend', '1'], 'There is no --bakend: did you mean --backend?'],
      [['--listen'], '--listen needs a value'],
      [['--listen', '--backend', '1'], '--listen needs a value'],
      [['--listen', 'foo', '--backend', '1'], '--listen "foo" is wrong'],
      [['--listen', '1'], '--backend is missing'],
      [[...START, '--json', '--quiet'], '--quiet must be left out when --json is given'],
      [[...START, '--clients-max', '0'], '--clients-max "0" is wrong'],
      [[...START, '--backoff-initial', '5s', '--backoff-max', '1s'], 'backoff.maxMs'],
      [['127.0.0.1:80'], '"127.0.0.1:80" belongs to no flag'],
    ];
    await Promise.all(
      cases.map(async ([args, text]) => {
        const program = new Program(args);
        expect(await program.ended).toBe(2);
        expect(linesOf(program.stderr)).toEqual([expect.stringContaining(text)]);
        expect(program.stdout).toBe('');
      }),
    );
  });

  it('says in one line that it cannot listen', async () => {
    const a = await backend('A');
    const program = new Program(['--listen', `127.0.0.1:${a.port}`, ...a.flags]);
    expect(await program.ended).toBe(1);
    expect(program.stderr).toBe(
      `sockchart: Could not listen on 127.0.0.1:${a.port}: the address is in use (EADDRINUSE).\n`,
    );
    expect(program.stdout).toBe('');
  });
});

describe('what is watched', () => {
  it('serves the live page, records, and makes a page of the recording', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sc-cli-'));
    const [recording, page] = [join(folder, 'run.jsonl'), join(folder, 'page.html')];
    try {
      const a = await backend('A');
      const program = new Program([...ON_FREE_PORT, ...a.flags, '--quiet', '--inspect', '--record', recording]);
      const port = await program.port();
      const [found] = await program.shows(/^live page \(for one browser\): (http:\S+)$/);
      const browser = new Browser(Number(new URL(found?.[1] ?? '').port));
      const opened = await browser.open(found?.[1] ?? '');
      expect([opened.status, opened.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      const asker = new Client(port);
      await asker.ask('hello');
      const { rows } = await browser.json<ConnectionsPage>('/api/connections');
      expect(rows).toMatchObject([{ peer: `127.0.0.1:${asker.socket.localPort}`, server: `127.0.0.1:${a.port}` }]);
      expect(await browser.json('/api/about')).toMatchObject({ actions: false, recording: true });
      await asker.end();
      program.signal('SIGTERM');
      expect(await program.ended).toBe(0);
      expect(program.stdout).toMatch(/^recorded: \d+ transitions in .*run\.jsonl$/m);
      const made = new Program(['export', recording, page]);
      expect(await made.ended).toBe(0);
      const html = readFileSync(page, 'utf8');
      const data = /<script type="application\/json" id="recording">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
      const states = (JSON.parse(data) as { machine?: string; to?: string }[]).filter(
        ({ machine }) => machine === 'session',
      );
      expect(states.map(({ to }) => to)).toEqual(expect.arrayContaining(['relaying.both', 'ended']));
      expect(made.stdout).toMatch(/^written: .*page\.html, with \d+ transitions$/m);
      expect(made.stderr).toBe('');
      expect(await new Program(['export', page, page]).ended).toBe(1);
      const before = readFileSync(recording, 'utf8');
      const over = new Program(['export', recording, recording]);
      expect(await over.ended).toBe(2);
      expect(linesOf(over.stderr)).toEqual([expect.stringContaining('must be another file than the recording')]);
      expect(readFileSync(recording, 'utf8')).toBe(before);
      await writeFile(recording, before.slice(0, before.lastIndexOf('{')));
      const open = new Program(['export', recording, page]);
      expect(await open.ended).toBe(0);
      expect(linesOf(open.stderr)).toEqual([expect.stringMatching(/^the recording has no end: /)]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says in one line that it cannot serve the page, or record', async () => {
    const a = await backend('A');
    const taken = new Program([...ON_FREE_PORT, ...a.flags, '--inspect', String(a.port)]);
    const nowhere = new Program([...ON_FREE_PORT, ...a.flags, '--record', '/none/run.jsonl']);
    const device = new Program([...ON_FREE_PORT, ...a.flags, '--record', '/dev/null']);
    expect(await Promise.all([taken.ended, nowhere.ended, device.ended])).toEqual([1, 2, 2]);
    expect(linesOf(device.stderr)).toEqual([expect.stringMatching(/--record: .*\/dev\/null is no regular file/)]);
    expect(device.stdout).toBe('');
    expect(linesOf(taken.stderr)).toEqual([expect.stringContaining(`Could not listen on 127.0.0.1:${a.port}`)]);
    expect(linesOf(nowhere.stderr)).toEqual([expect.stringMatching(/--record cannot write there: ENOENT/)]);
    expect(taken.stdout).not.toContain('listening');
  });
});

/** A disk of 16 KiB, where this may be mounted. */
function smallDisk(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it('says at once that the disk of a recording is full, and how much is in it', async ({ skip }) => {
  const folder = await mkdtemp(join(tmpdir(), 'sc-disk-'));
  if (!smallDisk(folder)) skip();
  try {
    const a = await backend('A');
    const recording = join(folder, 'run.jsonl');
    const program = new Program([...ON_FREE_PORT, ...a.flags, '--quiet', '--record', recording]);
    const port = await program.port();
    const told = program.shows(
      /^warning: the recording has stopped: ENOSPC.*; the first (\d+) transitions are in .*run\.jsonl$/,
    );
    let isTold = false;
    void told.finally(() => {
      isTold = true;
    });
    while (!isTold) {
      const asker = new Client(port);
      await asker.ask('hello');
      await asker.end();
    }
    const [found] = await told;
    const lines = linesOf(readFileSync(recording, 'utf8'));
    // All but the head, and every line is whole.
    expect(lines.length - 1).toBe(Number(found?.[1]));
    for (const line of lines) JSON.parse(line);
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(
      new RegExp(`^recorded: ${found?.[1]} transitions in .*, until it stopped by itself$`, 'm'),
    );
  } finally {
    execFileSync('umount', [folder]);
    await rm(folder, { recursive: true });
  }
});

describe('a proxy', () => {
  it('serves clients by turns, and tells each transition as JSON', async () => {
    const [a, b] = [await backend('A'), await backend('B')];
    const program = new Program([...ON_FREE_PORT, ...a.flags, ...b.flags, '--json']);
    const port = await program.port();
    const answers: string[] = [];
    const peers: string[] = [];
    const since = Date.now();
    for (let client = 0; client < 2; client++) {
      const asker = new Client(port);
      answers.push(await asker.ask('hello'));
      peers.push(`127.0.0.1:${asker.socket.localPort}`);
      expect(await asker.end()).toBeUndefined();
    }
    expect(answers.sort()).toEqual(['A: hello', 'B: hello']);
    await program.shows(/"who":"session#2".*"to":"ended"/);
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);

    const transitions = linesOf(program.stdout).map((line) => JSON.parse(line) as Transition & Transition['about']);
    const fields = 'who parent machine incarnation server peer from event cause means to at'.split(' ');
    for (const transition of transitions) expect(Object.keys(transition)).toEqual(fields);
    const lifeOf = (name: string) => transitions.filter(({ who }) => who === name);
    for (const who of ['client#1', 'session#1', 'backend#1']) {
      const instance = lifeOf(who);
      expect(instance[0]).toMatchObject({ from: '', event: 'xstate.init' });
      expect(instance.at(-1)).toMatchObject({ to: 'ended' });
      // Each transition starts where the one before ended.
      expect(instance.slice(1).map(({ from }) => from)).toEqual(instance.slice(0, -1).map(({ to }) => to));
    }
    for (const [index, peer] of peers.entries()) {
      for (const machine of ['client', 'session', 'backend']) {
        for (const transition of lifeOf(`${machine}#${index + 1}`)) expect(transition.peer).toBe(peer);
      }
    }
    // Milliseconds since 1970, as a recording has them.
    for (const { at } of lifeOf('client#1')) expect(Math.abs(at - since)).toBeLessThan(60_000);
    expect(lifeOf('backend#1').map(({ to }) => to)).toContain('active.established.open');
    expect(lifeOf('backend#1').at(-1)?.server).toBe(`127.0.0.1:${a.port}`);
    expect(lifeOf('proxy#1').at(-1)).toMatchObject({ to: 'closed', cause: { initiator: 'owner', manner: 'close' } });
    expect(program.stderr).toMatch(/SIGTERM: draining 0 sessions/);
  });

  it('shows a failover, and warns of the server that fails', async () => {
    const [a, b] = [await backend('A'), await backend('B')];
    b.close();
    const program = new Program([...ON_FREE_PORT, ...b.flags, ...a.flags, '--balance', 'inOrder']);
    const client = new Client(await program.port());
    expect(await client.ask('hello')).toBe('A: hello');
    const { localPort } = client.socket;
    await client.end();
    for (const machine of ['client', 'session', 'backend']) {
      await program.shows(new RegExp(`^ +\\d\\.\\d{3}  ${machine}#1 .* from 127\\.0\\.0\\.1:${localPort}`));
    }
    await program.shows(new RegExp(`FAILOVER 127.0.0.1:${b.port} → 127.0.0.1:${a.port}`));
    await program.shows(new RegExp(`^warning: backend 127.0.0.1:${b.port} fails: peer refusal .*, ECONNREFUSED$`));
    program.signal('SIGINT');
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/^counts: session +1 ended$/m);
    expect(program.stdout).toMatch(/^stopped: sessions 1 ended$/m);
    expect(program.stdout).not.toContain(ESCAPE);
  });

  it('drains on SIGTERM: a live session finishes, nobody new is accepted', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags]);
    const port = await program.port();
    const client = new Client(port);
    await client.ask('before');
    program.signal('SIGTERM');
    await program.shows(/SIGTERM: draining 1 session; again to abort/);
    expect(await new Client(port).closed).toBe('ECONNREFUSED');
    const long = 'x'.repeat(300_000);
    expect(await client.ask(long)).toBe(long);
    expect(await client.end()).toBeUndefined();
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/^stopped: sessions 1 ended$/m);
  });

  it('aborts on the second signal', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags, '--drain-timeout', 'off']);
    const client = new Client(await program.port());
    await client.ask('hello');
    program.signal('SIGTERM');
    await program.shows(/draining 1 session/);
    program.signal('SIGINT');
    expect(await client.closed).toBe('ECONNRESET');
    expect(await program.ended).toBe(1);
    expect(program.stdout).toMatch(/^aborted: sessions 1 aborted$/m);
  });

  it.each(['SIGINT', 'SIGQUIT', 'SIGHUP'] as const)('drains on %s as well', async (signal) => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags]);
    const client = new Client(await program.port());
    await client.ask('before');
    program.signal(signal);
    await program.shows(new RegExp(`${signal}: draining 1 session`));
    expect(await client.ask('after')).toBe('after');
    expect(await client.end()).toBeUndefined();
    expect(await program.ended).toBe(0);
  });

  it('goes on at SIGUSR2, and says what stops it', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags]);
    const client = new Client(await program.port());
    await client.ask('before');
    program.signal('SIGUSR2');
    await program.shows(/^SIGUSR2: ignored; SIGTERM drains$/);
    expect(await client.ask('after')).toBe('after');
    await client.end();
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
  });

  it('drains when its terminal is lost: nothing can be written any more', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags]);
    const client = new Client(await program.port());
    await client.ask('before');
    program.child.stdout?.destroy();
    program.child.stderr?.destroy();
    program.signal('SIGHUP');
    const long = 'x'.repeat(300_000);
    expect(await client.ask(long)).toBe(long);
    expect(await client.end()).toBeUndefined();
    expect(await program.ended).toBe(0);
  });

  it('resets its connections when it dies of an error', async () => {
    const a = await backend('A');
    const bug = "--import=data:text/javascript,process.on('SIGWINCH',()=>{throw(new(Error)('a-bug'))})";
    const program = new Program([...ON_FREE_PORT, ...a.flags], { NODE_OPTIONS: bug });
    const client = new Client(await program.port());
    await client.ask('hello');
    program.signal('SIGWINCH');
    expect(await client.closed).toBe('ECONNRESET');
    expect(await program.ended).toBe(1);
    expect(program.stderr).toMatch(/a-bug/);
  });

  it('cuts what outlasts the drain', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags, '--drain-timeout', '100ms']);
    const client = new Client(await program.port());
    await client.ask('hello');
    program.signal('SIGTERM');
    expect(await client.closed).toBe('ECONNRESET');
    expect(await program.ended).toBe(1);
    expect(program.stdout).toMatch(/^stopped at the deadline: sessions 1 aborted$/m);
  });

  it('is quiet with --quiet', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags, '-q', '--clients-max', '1']);
    const port = await program.port();
    const client = new Client(port);
    await client.ask('hello');
    expect(await new Client(port).closed).toBe('ECONNRESET');
    await program.shows(
      /^warning: at --clients-max: 1 newcomer turned away so far, the last one from 127\.0\.0\.1:\d+$/,
    );
    await client.end();
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(linesOf(program.stdout)).toEqual([
      `listening on 127.0.0.1:${port}`,
      expect.stringMatching(/^SIGTERM: draining [01] sessions?; again to abort$/),
      'stopped: sessions 1 ended',
    ]);
  });

  it('prints a line for each client that has ended with --log', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags, '--log']);
    const port = await program.port();
    const client = new Client(port);
    await client.ask('hello');
    await client.end();
    await program.shows(/^time=\S+ id=session#1 client=127\.0\.0\.1:\d+ .* code=-- ending=ended cause=\S+$/);
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(linesOf(program.stdout)).toHaveLength(1);
    expect(program.stdout).toContain(` listener=127.0.0.1:${port} server=`);
    expect(program.stderr).toMatch(/^stopped: sessions 1 ended$/m);
  });

  it('leaves lines out of a busy view, and says how many', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags, '--lines-max', '4']);
    const port = await program.port();
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = new Client(port);
        await client.ask('hello');
        await client.end();
      }),
    );
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/… \d+ lines left out \(--lines-max 4 a second\)/);
    expect(program.stdout).toMatch(/^counts: session +20 ended$/m);
    expect(linesOf(program.stdout).length).toBeLessThan(60);
  });

  it('uses colours where they are forced', async () => {
    const program = new Program(START, { FORCE_COLOR: '1' });
    await program.port();
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(program.stdout).toContain(`${ESCAPE}[32m`);
  });

  it('goes on when nobody reads its output any more', async () => {
    const a = await backend('A');
    const program = new Program([...ON_FREE_PORT, ...a.flags]);
    const port = await program.port();
    program.child.stdout?.destroy();
    const client = new Client(port);
    expect(await client.ask('hello')).toBe('A: hello');
    await client.end();
    await program.shows(/nobody reads the output any more/);
    expect(await new Client(port).ask('again')).toBe('A: again');
    program.signal('SIGTERM');
    program.signal('SIGINT');
    await program.ended;
    expect(program.stderr).not.toMatch(/Error|at .*\.js/);
  });
});

describe('the tour', () => {
  it('shows a server that dies and comes back, and ends by itself', async () => {
    const program = new Program(['--speed', '8']);
    expect(await program.ended).toBe(0);
    const { stdout } = program;
    const order = [
      '▸ Two servers',
      '▸ A proxy listens on 127.0.0.1:',
      '▸ B is killed',
      'DROP  B',
      'has lost its connection: peer',
      'FAILOVER B → A',
      '▸ B comes back',
      'is up again, at B',
      '▸ Drain',
      '▸ The proxy is closed',
    ];
    const found = order.map((text) => stdout.indexOf(text));
    expect(found).not.toContain(-1);
    expect(stdout).toMatch(/^live page \(for one browser\): http:\/\/127\.0\.0\.1:\d+\/\?token=/m);
    expect(stdout).toMatch(/ is up again, at A: socket \d/);
    expect(stdout).toMatch(/The upload was cut by a reset \(E\w+\)/);
    expect(stdout).toMatch(/What was seen: [3-6] drops, \d+ failovers, \d+ retries/);
    expect(stdout).toMatch(/counts: session +\d+ ended, \d dropped/);
    expect(stdout).toMatch(/counts: backend .*2 closed/);
    expect(stdout).not.toContain('still:');
    expect(stdout).not.toContain(ESCAPE);
    expect(program.stderr).toBe('');
  });

  it('drains on SIGINT', async () => {
    const program = new Program(['--speed', '4']);
    await program.shows(/session#\d+ .*relaying\.both/);
    program.signal('SIGINT');
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/▸ SIGINT: draining; again to abort/);
    expect(program.stdout).toMatch(/▸ The proxy is closed/);
    expect(program.stdout).not.toContain('B is killed');
    expect(program.stderr).toBe('');
  });

  it('aborts on the second signal', async () => {
    const program = new Program(['--speed', '0.1']);
    await program.shows(/session#\d+ .*relaying\.both/);
    program.signal('SIGTERM');
    await program.shows(/SIGTERM: draining/);
    program.signal('SIGTERM');
    expect(await program.ended).toBe(1);
    expect(program.stdout).toMatch(/▸ The proxy is aborted/);
    expect(program.stderr).toBe('');
  });

  it('leaves no server behind when it is killed', async () => {
    const program = new Program([]);
    await program.shows(/▸ A proxy listens/);
    program.signal('SIGKILL');
    // Its servers hold its output, too: this ends when they have.
    expect(await program.ended).toBe('SIGKILL');
  });

  it('ends when nobody reads its output any more', async () => {
    const program = new Program(['--speed', '4']);
    await program.shows(/session#\d+ .*relaying\.both/);
    program.child.stdout?.destroy();
    const [code] = await once(program.child, 'exit');
    expect(code).toBe(0);
    expect(program.stderr).toBe('');
  });
});
