import { channel } from 'node:diagnostics_channel';
import { chmod, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OptionError, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import { exportRecording, record } from '../../src/inspect/index.js';
import type { RecordedGap, RecordedLine, StepInfo } from '../../src/inspect/protocol.js';
import { filesOf, lastLines } from '../../src/inspect/record.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);
const transitions = channel(TRANSITION_CHANNEL);

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sc-record-'));
  file = join(folder, 'run.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const everyLine = async (): Promise<RecordedLine[]> => lastLines(await filesOf(file), Number.MAX_SAFE_INTEGER);
const stepsOf = (lines: readonly RecordedLine[]): StepInfo[] => lines.filter((line): line is StepInfo => 'who' in line);

function tell(number: number, more: Partial<Transition> = {}): void {
  transitions.publish({
    who: `x#${number}`,
    machine: 'x',
    from: 'a',
    event: 'b',
    to: 'c',
    at: 0,
    ...more,
  } as Transition);
}

describe('a recording', () => {
  test('has every transition of real connections, in their order', async () => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at] });
    const heard: string[] = [];
    const onTransition = (message: unknown): void => {
      const { who, from, event, to } = message as Transition;
      heard.push(`${who} ${from} ${event} ${to}`);
    };
    const recorder = await record(file);
    transitions.subscribe(onTransition);
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    socket.end('hello');
    await reader.ends();
    await until('the session to be over', () => proxy.sessions.length === 0);
    transitions.unsubscribe(onTransition);
    await recorder.stop();
    expect(transitions.hasSubscribers).toBe(false);
    const lines = await everyLine();
    expect(lines[0]).toMatchObject({ recording: 1, sockchart: expect.stringMatching(/^\d+\./) });
    const steps = stepsOf(lines);
    expect(steps.map(({ who, from, event, to }) => `${who} ${from} ${event} ${to}`)).toEqual(heard);
    expect(steps.length).toBe(recorder.steps);
    expect(steps.map(({ at: moment }) => moment)).toEqual(steps.map(({ at: moment }) => moment).sort((a, b) => a - b));
    expect(Math.abs((steps[0]?.at ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(steps.find(({ to }) => to === 'active.established.open')).toMatchObject({
      server: `127.0.0.1:${echo.port}`,
      incarnation: 1,
    });
    expect(recorder.missing).toBe(0);
  });

  test('rotates: no file is larger than it may be, there are no more than there may be, and each can be read alone', async () => {
    const recorder = await record(file, { bytesMax: 4_096, filesMax: 3 });
    for (let round = 0; round < 40; round++) {
      for (let number = 0; number < 10; number++) tell(round * 10 + number);
      await recorder.flush();
    }
    await recorder.stop();
    const names = (await readdir(folder)).sort();
    expect(names).toEqual(['run.jsonl', 'run.jsonl.1', 'run.jsonl.2']);
    for (const name of names) {
      expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(4_096);
      const alone = await lastLines([join(folder, name)], 10);
      expect(alone[0]).toMatchObject({ recording: 1 });
    }
    const numbers = stepsOf(await everyLine()).map(({ who }) => Number(who.slice(2)));
    expect(numbers.length).toBeGreaterThan(50);
    // The last ones, without a gap.
    expect(numbers).toEqual(numbers.map((_, index) => 400 - numbers.length + index));
  });

  test('keeps what was there before under another name', async () => {
    await (await record(file)).stop();
    const before = await readFile(file, 'utf8');
    const recorder = await record(file);
    tell(1);
    await recorder.stop();
    expect(await readFile(`${file}.1`, 'utf8')).toBe(before);
    expect(stepsOf(await lastLines([file], 10))).toHaveLength(1);
  });

  test('leaves out, and counts, what a slow disk does not take; nothing is queued without bound', async () => {
    const recorder = await record(file);
    // One turn: the disk gets no chance.
    const long = 'e'.repeat(1_000);
    for (let number = 0; number < 5_000; number++) tell(number, { event: long });
    expect(recorder.steps).toBeLessThan(1_100);
    expect(recorder.missing).toBe(5_000 - recorder.steps);
    await recorder.flush();
    tell(5_000);
    await recorder.stop();
    const lines = await everyLine();
    const gap = lines.find((line): line is RecordedGap => 'missing' in line);
    expect(gap?.missing).toBe(recorder.missing);
    expect(lines.at(-1)).toMatchObject({ who: 'x#5000' });
  });

  test('stops by itself where it cannot write any more, and says why', async () => {
    const recorder = await record(file, { bytesMax: 4_096 });
    await rm(folder, { recursive: true });
    for (let number = 0; number < 200; number++) tell(number);
    await recorder.flush();
    expect(recorder.error).toMatchObject({ code: 'ENOENT' });
    expect(transitions.hasSubscribers).toBe(false);
    await recorder.stop();
    folder = await mkdtemp(join(tmpdir(), 'sc-record-'));
  });

  test('what a hook threw is text', async () => {
    const recorder = await record(file);
    const cause = { initiator: 'owner', manner: 'error', phase: 'accepted', error: new Error('no') } as const;
    tell(1, { cause });
    const hostile = {
      toString() {
        throw new Error('not even this');
      },
    };
    tell(2, { cause: { ...cause, error: hostile } });
    // What is in a cause, or is none, must not end the process.
    const circular: Record<string, unknown> = { ...cause, code: 7n };
    circular.self = circular;
    tell(3, { cause: circular as never });
    tell(4, { cause: 'a word' as never });
    tell(5, { cause: null as never });
    await recorder.stop();
    const causes = stepsOf(await everyLine()).map((step) => step.cause);
    expect(causes.map((one) => one?.error)).toEqual([
      'Error: no',
      'something that has no text',
      'Error: no',
      undefined,
      undefined,
    ]);
    expect(causes[2]?.code).toBe('7');
  });

  test('what is no transition is missing, what is none of its parts is left out, and neither ends the process', async () => {
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): void => void uncaught.push(error);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', onUncaught);
    const recorder = await record(file);
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const thrower = {
      get initiator() {
        throw new Error('not even this');
      },
    };
    tell(1, { server: cyclic as never, incarnation: 7n as never });
    tell(2, { cause: thrower as never });
    tell(3, { cause: { initiator: 'peer', manner: 'end' } as never });
    tell(4, { cause: { initiator: 'peer', manner: 'end', phase: 'idle', code: Symbol('s') as never } });
    transitions.publish(null as never);
    tell(5, { to: cyclic as never });
    tell(6);
    await recorder.stop();
    await new Promise(setImmediate);
    process.off('uncaughtException', onUncaught);
    for (const other of others) process.on('uncaughtException', other);
    expect(uncaught).toEqual([]);
    expect(recorder).toMatchObject({ steps: 5, missing: 2 });
    const lines = await everyLine();
    expect(stepsOf(lines).map(({ who, cause, server }) => [who, cause?.code, server])).toEqual([
      ['x#1', undefined, undefined],
      ['x#2', undefined, undefined],
      ['x#3', undefined, undefined],
      ['x#4', 'Symbol(s)', undefined],
      ['x#6', undefined, undefined],
    ]);
    expect(stepsOf(lines)[2]?.cause).toBeUndefined();
    expect(lines.at(-2)).toMatchObject({ missing: 2 });
  });

  test('says at its end what is missing there', async () => {
    const recorder = await record(file);
    tell(1);
    tell(2, { to: 7n as never });
    await recorder.stop();
    expect(recorder.missing).toBe(1);
    expect((await everyLine()).at(-1)).toMatchObject({ missing: 1 });
  });

  test('leaves out a line that fits into no file', async () => {
    const recorder = await record(file, { bytesMax: 4_096 });
    tell(1);
    tell(2, { event: 'é'.repeat(2_500) });
    tell(3);
    await recorder.stop();
    expect(recorder).toMatchObject({ steps: 2, missing: 1 });
    expect(await readdir(folder)).toEqual(['run.jsonl']);
    expect((await everyLine()).map((line) => ('missing' in line ? line.missing : 'who' in line && line.who))).toEqual([
      false,
      'x#1',
      1,
      'x#3',
    ]);
  });

  test('writes a file of its own, also where it keeps but one', async () => {
    const precious = join(folder, 'precious');
    await writeFile(precious, 'mine');
    await symlink(precious, file);
    await (await record(file, { filesMax: 1 })).stop();
    expect(await readFile(precious, 'utf8')).toBe('mine');
    expect((await lstat(file)).isFile()).toBe(true);
    await chmod(file, 0o644);
    await (await record(file, { filesMax: 1 })).stop();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('refuses options that cannot be right, and files that are none', async () => {
    await expect(record('')).rejects.toThrow(OptionError);
    await expect(record(file, { bytesMax: 1 })).rejects.toThrow('bytesMax');
    await expect(record(file, { byteMax: 1 } as object)).rejects.toThrow('spelt "bytesMax"');
    await expect(record(join(folder, 'none', 'x'))).rejects.toThrow('ENOENT');
    await writeFile(file, 'hello\n');
    await expect(everyLine()).rejects.toThrow('is no recording');
    await expect(exportRecording(file, join(folder, 'out.html'))).rejects.toThrow('is no recording');
  });

  test('a line that was cut off is left out', async () => {
    const recorder = await record(file);
    tell(1);
    await recorder.stop();
    await writeFile(file, '{"at":1,"who":"x', { flag: 'a' });
    expect(stepsOf(await everyLine())).toHaveLength(1);
  });
});
