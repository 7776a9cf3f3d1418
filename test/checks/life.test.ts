/** The life of the checks of one server, on real sockets: the first one, the waits, a pause, the end. */
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type ChecksOptions, type ServerOptions, systemClock } from '../../src/index.js';
import { xstateRuntime } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/clock.js';
import { PeerServer, Reader } from '../support/peers.js';
import { turns, until } from '../support/wait.js';
import { Checking } from './checking.js';

const servers: PeerServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function serve(handler: (socket: Socket) => void): Promise<PeerServer> {
  const server = new PeerServer(createServer({ allowHalfOpen: true }), handler);
  servers.push(server);
  return server.listen();
}

const silent = (): void => {};

describe.each([
  ['the generated class', undefined],
  ['an XState actor', xstateRuntime],
] as const)('the life of checks, by %s', (_name, runtime) => {
  const make = (options: ServerOptions, checks: ChecksOptions | true = true): [Checking, ManualClock] => {
    const clock = new ManualClock();
    return [new Checking(options, checks, { clock, runtime }), clock];
  };

  test('the first check comes after its offset, the next one an interval after its end', async () => {
    const server = await serve(silent);
    const [checking, clock] = make({ port: server.port }, { interval: 1_000 });
    checking.checks.start(700);
    clock.advance(699);
    expect(checking.checks.state).toBe('starting');
    clock.advance(1);
    expect(checking.checks.state).toBe('checking');
    await checking.verdict();
    clock.advance(999);
    expect(checking.checks.state).toBe('waiting.steady');
    clock.advance(1);
    await checking.verdict(1);
    checking.checks.close();
    expect(checking.checks.state).toBe('closed');
    expect(clock.pending).toBe(0);
    await server.left();
  });

  test('the pace that the owner sets upon a verdict holds at once, longer or shorter', async () => {
    const server = await serve(silent);
    const [checking, clock] = make({ port: server.port }, { interval: 1_000, fastInterval: 100, downInterval: 5_000 });
    const paces = ['down', 'fast', 'normal'] as const;
    checking.judged = () => checking.checks.setPace(paces[checking.verdicts.length - 1] ?? 'normal');
    checking.checks.start(0);
    clock.advance(0);
    for (const [index, ms] of [5_000, 100, 1_000].entries()) {
      await checking.verdict(index);
      expect(checking.checks.timers()).toEqual([{ name: 'wait', remainingMs: ms }]);
      clock.advance(ms);
    }
    checking.checks.close();
    await server.left();
  });

  test('a new pace ends a wait sooner, and never later', async () => {
    const server = await serve(silent);
    const [checking, clock] = make({ port: server.port }, { interval: 1_000, fastInterval: 100, downInterval: 5_000 });
    checking.checks.start(0);
    clock.advance(0);
    await checking.verdict();
    clock.advance(300);
    checking.checks.setPace('down');
    expect(checking.checks.timers()).toEqual([{ name: 'wait', remainingMs: 700 }]);
    clock.advance(650);
    // In 100 ms from now; the wait that is under way has 50 left.
    checking.checks.setPace('fast');
    clock.advance(50);
    await checking.verdict(1);
    checking.checks.setPace('normal');
    checking.checks.close();
    await server.left();
  });

  test('a pause cancels the check; a resume checks at once', async () => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    const [checking, clock] = make({ port: server.port }, { by: { expect: 'ready' } });
    checking.checks.start(0);
    clock.advance(0);
    await until('the connection', () => readers.length > 0);
    checking.checks.pause();
    expect(await readers[0]?.over).toBe('reset');
    expect(clock.pending).toBe(0);
    checking.checks.resume();
    const socket = await server.connection(1);
    socket.write('ready');
    expect(await checking.verdict()).toBe('passed');
    expect(checking.verdicts).toHaveLength(1);
    checking.checks.close();
  });

  test('a close during a check leaves nothing, and no verdict', async () => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    const [checking, clock] = make({ port: server.port }, { by: { expect: 'ready' } });
    checking.checks.start(0);
    clock.advance(0);
    await until('the connection', () => readers.length > 0);
    checking.checks.close();
    expect(await readers[0]?.over).toBe('reset');
    expect(clock.pending).toBe(0);
    expect(checking.verdicts).toEqual([]);
  });

  test('randomness that is none, or throws, is the middle', async () => {
    const server = await serve(silent);
    const clock = new ManualClock();
    let calls = 0;
    const random = (): number => {
      if (++calls === 1) return Number.NaN;
      if (calls === 2) throw new Error('no dice');
      return 0;
    };
    const checks = { interval: 1_000, spread: 0.5 };
    const checking = new Checking({ port: server.port }, checks, { clock, runtime, random });
    checking.checks.start(0);
    clock.advance(0);
    for (const [index, ms] of [1_000, 1_000, 500].entries()) {
      await checking.verdict(index);
      expect(checking.checks.timers()).toEqual([{ name: 'wait', remainingMs: ms }]);
      clock.advance(ms);
    }
    checking.checks.close();
    await server.left();
  });
});

test('a check under way, and the wait after it, keep no process alive', async () => {
  const server = await serve((socket) => socket.unref());
  server.server.unref();
  await turns();
  const alive = (): string[] => process.getActiveResourcesInfo().filter((name) => /^TCP|^Timeout/.test(name));
  const before = alive();
  // What an earlier test has left to end by itself may go meanwhile.
  const added = (): string[] => {
    const left = [...before];
    return alive().filter((name) => !left.includes(name) || left.splice(left.indexOf(name), 1).length === 0);
  };
  const checking = new Checking(
    { port: server.port },
    { by: { expect: 'ready' }, timeout: 60_000 },
    { clock: systemClock },
  );
  checking.checks.start(1);
  await server.connection();
  await turns();
  expect(checking.checks.state).toBe('checking');
  expect(added()).toEqual([]);
  server.sockets[0]?.write('ready');
  await checking.verdict();
  expect(added()).toEqual([]);
  checking.checks.close();
});
