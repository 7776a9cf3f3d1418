/** What a process makes of the signals that ask it to stop: as a program of its own, for signals are the process's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Closable, closeOnSignals, type SignalOptions } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { Reader } from '../support/peers.js';
import { gate, within } from '../support/wait.js';

const bench = useBench();
const PROGRAM = fileURLToPath(new URL('../fixtures/signals.mjs', import.meta.url));

/** Runs the program until it listens, with a client in the middle of a stream. */
async function relaying(options: SignalOptions = {}, mode = '') {
  const server = await bench.server((socket) => void socket.write('the beginning'));
  const child = spawn(process.execPath, [PROGRAM, String(server.port), JSON.stringify(options), mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  bench.later(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const line = (text: string): Promise<string> => {
    const { promise, open } = gate<string>();
    const look = (): void => {
      const found = lines.find((line) => line.startsWith(text));
      if (found !== undefined) open(found);
    };
    waiting.add(look);
    look();
    return within(10_000, `a line like ${text}`, promise);
  };
  const at = JSON.parse(await line('{')) as { host: string; port: number };
  const reader = new Reader(await bench.dial(at));
  await reader.has(13);
  return { child, exit: within(10_000, 'the exit', exit), line, reader, server };
}

describe('closeOnSignals', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const)(
    '%s lets streams come to their ends',
    async (signal) => {
      const { child, exit, line, reader, server } = await relaying();
      child.kill(signal);
      await line(`${signal} close`);
      server.sockets[0]?.end(', the end');
      reader.socket.end();
      expect(await reader.ends()).toBe('end');
      expect(reader.text).toBe('the beginning, the end');
      await line('closed');
      expect(await exit).toEqual([0, null]);
    },
  );

  test('another signal cuts: the peers see a reset, and the exit code says so', async () => {
    const { child, exit, line, reader } = await relaying({ timeoutMs: false });
    child.kill('SIGTERM');
    await line('SIGTERM close');
    child.kill('SIGQUIT');
    await line('SIGQUIT abort');
    expect(await reader.ends()).toBe('reset');
    await line('aborted');
    expect(await exit).toEqual([1, null]);
  });

  test('the deadline cuts', async () => {
    const { child, exit, reader } = await relaying({ timeoutMs: 100 });
    child.kill('SIGTERM');
    expect(await reader.ends()).toBe('reset');
    expect(await exit).toEqual([1, null]);
  });

  test('only the signals that were asked for', async () => {
    const { child, exit, line } = await relaying({ signals: ['SIGUSR2'], timeoutMs: 1 });
    child.kill('SIGUSR2');
    await line('SIGUSR2 close');
    expect(await exit).toEqual([1, null]);
    const other = await relaying({ signals: ['SIGUSR2'] });
    other.child.kill('SIGTERM');
    expect(await other.exit).toEqual([null, 'SIGTERM']);
  });

  test('after it was stopped, and after the close, signals do what they do by default', async () => {
    const stopped = await relaying({}, 'stopped');
    stopped.child.kill('SIGTERM');
    expect(await stopped.exit).toEqual([null, 'SIGTERM']);
    const held = await relaying({ timeoutMs: 1 }, 'held');
    held.child.kill('SIGTERM');
    await held.line('aborted');
    held.child.kill('SIGTERM');
    expect(await held.exit).toEqual([null, 'SIGTERM']);
  });

  test('an output that is lost with the terminal does not end the drain', async () => {
    const { child, exit, line, reader, server } = await relaying({}, 'writes');
    await line('a line');
    child.kill('SIGHUP');
    await line('SIGHUP close');
    child.stdout.destroy();
    server.sockets[0]?.write('x'.repeat(1_000));
    await reader.has(1_013);
    server.sockets[0]?.end(', the end');
    reader.socket.end();
    expect(await reader.ends()).toBe('end');
    expect(await exit).toEqual([0, null]);
  });

  const handle: Closable = { close: async () => {}, abort: async () => {}, closed: new Promise(() => {}) };

  test.each<[string, unknown, unknown, RegExp]>([
    ['no handle', undefined, {}, /"handle" must be an object with close\(\)/],
    ['a handle without an end', { close() {}, abort() {} }, {}, /"handle" must be an object with closed/],
    ['no list', handle, { signals: 'SIGTERM' }, /"signals" must be a list of signals/],
    ['an empty list', handle, { signals: [] }, /"signals" must be a list of signals/],
    ['an unknown signal', handle, { signals: ['SIGTERM', 'SIGTREM'] }, /"signals\[1\]" must be a signal/],
    ['a signal that no process sees', handle, { signals: ['SIGKILL'] }, /"signals\[0\]" must be a signal/],
    ['a time that is none', handle, { timeoutMs: 0 }, /"timeoutMs" must be a number of milliseconds/],
    ['a hook that is none', handle, { onSignal: 1 }, /"onSignal" must be a function/],
    ['a misspelt option', handle, { signal: [] }, /"signal" must be left out or spelt "signals"/],
  ])('refuses %s, and listens to nothing', (_what, given, options, message) => {
    const before = process.listenerCount('SIGTERM');
    expect(() => closeOnSignals(given as Closable, options as SignalOptions)).toThrow(message);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  test('listens until it is stopped, disposed, or the handle is closed', async () => {
    const before = process.listenerCount('SIGQUIT');
    const stop = closeOnSignals(handle);
    expect(process.listenerCount('SIGQUIT')).toBe(before + 1);
    stop();
    stop[Symbol.dispose]();
    expect(process.listenerCount('SIGQUIT')).toBe(before);
    const closed = Promise.resolve({ ending: 'closed' as const });
    closeOnSignals({ ...handle, closed });
    await closed;
    expect(process.listenerCount('SIGQUIT')).toBe(before);
  });

  test('a signal that npm repeats counts once, another one does not', () => {
    const env: { npm_lifecycle_event?: string | undefined } = process.env;
    const event = env.npm_lifecycle_event;
    const seen: string[] = [];
    const stop = closeOnSignals(handle, { onSignal: (signal, request) => seen.push(`${signal} ${request}`) });
    try {
      env.npm_lifecycle_event = 'start';
      process.emit('SIGQUIT', 'SIGQUIT');
      process.emit('SIGQUIT', 'SIGQUIT');
      process.emit('SIGHUP', 'SIGHUP');
      env.npm_lifecycle_event = 'test';
      process.emit('SIGQUIT', 'SIGQUIT');
    } finally {
      stop();
      if (event === undefined) delete env.npm_lifecycle_event;
      else env.npm_lifecycle_event = event;
    }
    expect(seen).toEqual(['SIGQUIT close', 'SIGHUP abort', 'SIGQUIT abort']);
  });
});
