import { execFileSync } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import {
  chmod,
  type FileHandle,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OptionError, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import { exportRecording, record } from '../../src/inspect/index.js';
import type { RecordedGap, RecordedLine, StepInfo } from '../../src/inspect/protocol.js';
import { lastLines } from '../../src/inspect/recording.js';
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

const everyLine = async (): Promise<RecordedLine[]> => lastLines(file, Number.MAX_SAFE_INTEGER);
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
      const alone = await lastLines(join(folder, name), 10);
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
    expect(stepsOf(await lastLines(file, 10))).toHaveLength(1);
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
    expect(lines.at(-2)).toMatchObject({ who: 'x#5000' });
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
    tell(1, { about: { server: cyclic as never }, incarnation: 7n as never });
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
    expect(lines.at(-3)).toMatchObject({ missing: 2 });
  });

  test('says at its end what is missing there', async () => {
    const recorder = await record(file);
    tell(1);
    tell(2, { to: 7n as never });
    await recorder.stop();
    expect(recorder.missing).toBe(1);
    expect((await everyLine()).at(-2)).toMatchObject({ missing: 1 });
    expect((await everyLine()).at(-1)).toMatchObject({ end: 1 });
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
      false,
    ]);
  });

  test('writes a file of its own, also where it keeps but one', async () => {
    await (await record(file, { filesMax: 1 })).stop();
    await chmod(file, 0o644);
    await (await record(file, { filesMax: 1 })).stop();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['run.jsonl']);
  });

  test('an empty file, such as mktemp makes, is as good as none', async () => {
    await writeFile(file, '');
    const recorder = await record(file);
    tell(1);
    await recorder.stop();
    expect(stepsOf(await everyLine())).toHaveLength(1);
    expect(await readdir(folder)).toEqual(['run.jsonl']);
  });

  test('refuses options that cannot be right, and files that are none', async () => {
    await expect(record('')).rejects.toThrow(OptionError);
    await expect(record('x.jsonl', { filesMax: 1_001 })).rejects.toThrow(OptionError);
    await expect(record(file, { bytesMax: 1 })).rejects.toThrow('bytesMax');
    await expect(record(file, { byteMax: 1 } as object)).rejects.toThrow('spelt "bytesMax"');
    await expect(record(join(folder, 'none', 'x'))).rejects.toThrow('ENOENT');
    await writeFile(file, 'hello\n');
    await expect(everyLine()).rejects.toThrow('is no recording');
    await expect(exportRecording(file, join(folder, 'out.html'))).rejects.toThrow('is no recording');
  });

  test('the last lines of it: the first one counts the steps before them', async () => {
    const recorder = await record(file);
    tell(0, { to: 7n as never });
    for (let number = 1; number <= 10; number++) tell(number);
    await recorder.stop();
    // Three steps and the end.
    const [head, gap, ...last] = await lastLines(file, 4);
    expect([head, gap]).toMatchObject([{ recording: 1 }, { missing: 8 }]);
    expect(last).toMatchObject([{ who: 'x#8' }, { who: 'x#9' }, { who: 'x#10' }, { end: 10 }]);
  });

  test('a line that was cut off is left out', async () => {
    const recorder = await record(file);
    tell(1);
    await recorder.stop();
    await writeFile(file, '{"at":1,"who":"x', { flag: 'a' });
    expect(stepsOf(await everyLine())).toHaveLength(1);
  });
});

/** Everything below a folder, with what is in it. */
async function contents(of: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(of)) {
    const path = join(of, name);
    const stats = await lstat(path);
    found[name] = stats.isSymbolicLink()
      ? `→ ${await readlink(path)}`
      : stats.isFile()
        ? await readFile(path, 'utf8')
        : 'no file';
  }
  return found;
}

describe('what is not its own', () => {
  const others: readonly (readonly [what: string, make: (path: string) => unknown])[] = [
    ['a file that is no recording', (path) => writeFile(path, 'mine\n')],
    ['a file that is no recording', (path) => writeFile(path, '{"sockchart":"0.1.0"')],
    ['a folder', (path) => mkdir(path)],
    ['a link', (path) => symlink(join(folder, 'precious'), path)],
    ['a link', (path) => symlink('/dev/null', path)],
    ['no regular file', (path) => execFileSync('mkfifo', [path])],
  ];

  test.each(others)('%s of its name is refused before anything is opened, and left as it is', async (what, make) => {
    await writeFile(join(folder, 'precious'), 'mine');
    await make(file);
    const before = await contents(folder);
    await expect(record(file)).rejects.toThrow(OptionError);
    await expect(record(file)).rejects.toThrow(`${file} is ${what}`);
    expect(await contents(folder)).toEqual(before);
    expect(transitions.hasSubscribers).toBe(false);
  });

  test.each(others)('%s that stands where a full file would go is refused too', async (what, make) => {
    await make(`${file}.2`);
    const before = await contents(folder);
    await expect(record(file, { filesMax: 3 })).rejects.toThrow(`${file}.2 is ${what}`);
    expect(await contents(folder)).toEqual(before);
    // Where it would never come to that name, it does no harm.
    const recorder = await record(file, { filesMax: 2 });
    await recorder.stop();
    expect(await contents(folder)).toMatchObject(before);
  });

  test('devices are refused', async () => {
    for (const device of ['/dev/null', '/dev/full']) await expect(record(device)).rejects.toThrow('is no regular file');
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  test.each([
    ['a file that comes later', (name: string) => writeFile(name, 'mine')],
    ['an empty file that comes later', (name: string) => writeFile(name, '')],
    ['a link that comes later', (name: string) => symlink('/dev/null', name)],
  ])('%s is not shifted nor written over: the recording stops, and what it has is whole', async (_what, make) => {
    const errors: Error[] = [];
    const recorder = await record(file, { bytesMax: 4_096, filesMax: 3, onError: (error) => errors.push(error) });
    await make(`${file}.1`);
    const before = (await contents(folder))['run.jsonl.1'];
    for (let number = 0; number < 200; number++) tell(number);
    await recorder.flush();
    expect(errors).toEqual([recorder.error]);
    expect(recorder.error?.message).toMatch(/run\.jsonl\.1 is .* now\.$/);
    expect(transitions.hasSubscribers).toBe(false);
    await recorder.stop();
    const files = await contents(folder);
    expect(Object.keys(files).sort()).toEqual(['run.jsonl', 'run.jsonl.1']);
    expect(files['run.jsonl.1']).toBe(before);
    const steps = stepsOf(await everyLine());
    expect([steps.length, recorder.steps, recorder.missing]).toEqual([steps.length, steps.length, 200 - steps.length]);
    expect(steps.length).toBeGreaterThan(20);
  });

  test('a second recorder of the same name moves the first one’s file away, and the first one leaves it alone', async () => {
    const first = await record(file, { bytesMax: 4_096 });
    tell(1);
    await first.flush();
    const second = await record(file);
    await second.flush();
    for (let number = 0; number < 200; number++) tell(number);
    await Promise.all([first.flush(), second.flush()]);
    expect(first.error?.message).toMatch(/belongs to another recording now\.$/);
    await Promise.all([first.stop(), second.stop()]);
    expect(second.error).toBeUndefined();
    expect(stepsOf(await everyLine())).toHaveLength(200);
  });

  test('an error that onError throws is the process’s, and leaves the recorder as it is', async () => {
    const thrown = new Error('of the listener');
    const uncaught = new Promise((resolve) => {
      const others = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const other of others) process.on('uncaughtException', other);
        resolve(error);
      });
    });
    const recorder = await record(file, {
      bytesMax: 4_096,
      onError: () => {
        throw thrown;
      },
    });
    await mkdir(`${file}.1`);
    for (let number = 0; number < 200; number++) tell(number);
    await recorder.flush();
    expect(await uncaught).toBe(thrown);
    await recorder.stop();
  });
});

describe('a disk that is full', () => {
  /** As a disk does: it takes so many bytes, a part of the last write too, and then none. */
  async function fill(bytes: number): Promise<void> {
    const probe = await open(join(folder, 'probe'), 'w');
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    await rm(join(folder, 'probe'));
    const { write } = prototype;
    let left = bytes;
    vi.spyOn(prototype, 'write').mockImplementation(async function (
      this: FileHandle,
      buffer: unknown,
      offset: unknown,
    ) {
      if (left === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      const length = Math.min(left, (buffer as Buffer).length - ((offset as number) ?? 0));
      left -= length;
      return write.call(this, buffer as never, offset as never, length as never) as never;
    } as never);
  }
  afterEach(() => vi.restoreAllMocks());

  test.each([0, 1, 500, 5_000, 9_999])('is told at once, with what was written: %i bytes more', async (bytes) => {
    const told: unknown[] = [];
    const recorder = await record(file, {
      onError: (error) => told.push([(error as NodeJS.ErrnoException).code, recorder.steps, recorder.missing]),
    });
    tell(0);
    await recorder.flush();
    await fill(bytes);
    for (let number = 1; number < 200; number++) tell(number);
    expect(recorder.steps).toBe(200);
    await recorder.flush();
    const steps = stepsOf(await everyLine());
    expect(told).toEqual([['ENOSPC', steps.length, 200 - steps.length]]);
    expect([recorder.steps, recorder.missing]).toEqual([steps.length, 200 - steps.length]);
    expect(steps.map(({ who }) => who)).toEqual(steps.map((_, index) => `x#${index}`));
    // The file ends with a whole line.
    expect((await readFile(file, 'utf8')).endsWith('}\n')).toBe(true);
    expect((await everyLine()).some((line) => 'end' in line)).toBe(false);
    await recorder.stop();
    expect(told).toHaveLength(1);
    const out = join(folder, 'out.html');
    vi.restoreAllMocks();
    expect(await exportRecording(file, out)).toMatchObject({ hasEnd: false, steps: steps.length });
  });

  test('at the start is an error of the start, and leaves no file', async () => {
    await fill(10);
    await expect(record(file)).rejects.toThrow('ENOSPC');
    expect(await readdir(folder)).toEqual([]);
    expect(transitions.hasSubscribers).toBe(false);
  });

  test('at the end is told too', async () => {
    const told: Error[] = [];
    const recorder = await record(file, { onError: (error) => told.push(error) });
    tell(1);
    await recorder.flush();
    await fill(0);
    await recorder.stop();
    expect(told).toEqual([recorder.error]);
    expect(recorder).toMatchObject({ steps: 1, missing: 0 });
  });
});

describe('what is exported', () => {
  const out = (): string => join(folder, 'out.html');
  async function exported(): Promise<RecordedLine[]> {
    const data = /<script type="application\/json" id="recording">(.*?)<\/script>/s.exec(
      await readFile(out(), 'utf8'),
    )?.[1];
    return JSON.parse(data ?? '');
  }

  test('is every file of the recording, in order, and says what was removed', async () => {
    const recorder = await record(file, { bytesMax: 4_096, filesMax: 3 });
    for (let round = 0; round < 40; round++) {
      for (let number = 0; number < 10; number++) tell(round * 10 + number);
      await recorder.flush();
    }
    await recorder.stop();
    const summary = await exportRecording(file, out());
    const lines = await exported();
    const numbers = stepsOf(lines).map(({ who }) => Number(who.slice(2)));
    expect(numbers).toEqual(numbers.map((_, index) => 400 - numbers.length + index));
    expect(numbers.length).toBeGreaterThan(80);
    expect(summary).toEqual({ steps: numbers.length, missing: 400 - numbers.length, hasEnd: true });
    expect(lines.slice(0, 2)).toMatchObject([{ recording: 1 }, { missing: 400 - numbers.length }]);
    expect(lines.filter((line) => 'recording' in line)).toHaveLength(1);
    // A part that is gone from the middle, too.
    await rm(`${file}.1`);
    const rest = await exportRecording(file, out());
    expect(rest.steps + rest.missing).toBe(400);
    expect(rest.steps).toBeLessThan(numbers.length);
  });

  test('has nothing of an earlier run', async () => {
    for (const run of [1, 2]) {
      const recorder = await record(file);
      for (let number = 0; number < run; number++) tell(number);
      await recorder.stop();
    }
    expect((await readdir(folder)).sort()).toEqual(['run.jsonl', 'run.jsonl.1']);
    expect(await exportRecording(file, out())).toEqual({ steps: 2, missing: 0, hasEnd: true });
    expect(await exportRecording(`${file}.1`, out())).toEqual({ steps: 1, missing: 0, hasEnd: true });
  });

  test('has nothing of an earlier run that kept more files', async () => {
    const write = async (filesMax: number, from: number, to: number): Promise<void> => {
      const recorder = await record(file, { bytesMax: 4_096, filesMax });
      for (let number = from; number < to; number++) tell(number);
      await recorder.stop();
    };
    await write(5, 0, 150);
    await write(2, 1_000, 1_300);
    // The third file is of the first run: the second run keeps two, and leaves it where it is.
    expect((await readdir(folder)).sort().slice(0, 3)).toEqual(['run.jsonl', 'run.jsonl.1', 'run.jsonl.2']);
    const numbers = stepsOf(await everyLine()).map(({ who }) => Number(who.slice(2)));
    expect(numbers).toEqual(numbers.map((_, index) => 1_300 - numbers.length + index));
    expect(await exportRecording(file, out())).toEqual({
      steps: numbers.length,
      missing: 300 - numbers.length,
      hasEnd: true,
    });
  });

  test('says that a recording is cut', async () => {
    const recorder = await record(file, { bytesMax: 4_096, filesMax: 3 });
    for (let number = 0; number < 60; number++) tell(number);
    await recorder.flush();
    expect((await exportRecording(file, out())).hasEnd).toBe(false);
    await recorder.stop();
    expect(await exportRecording(file, out())).toEqual({ steps: 60, missing: 0, hasEnd: true });
    // In the middle: the first file says how many it has had.
    const older = `${file}.1`;
    const text = await readFile(older, 'utf8');
    const cut = text.slice(0, text.length / 2);
    await writeFile(older, cut);
    const rest = await exportRecording(file, out());
    expect(rest).toMatchObject({ hasEnd: true, steps: 60 - rest.missing });
    expect(rest.missing).toBeGreaterThan(5);
    // At the end.
    const last = await readFile(file, 'utf8');
    await writeFile(file, last.slice(0, -5));
    expect((await exportRecording(file, out())).hasEnd).toBe(false);
  });

  test('is whole while files get their next names', async () => {
    const recorder = await record(file, { bytesMax: 4_096, filesMax: 1_000 });
    let told = 0;
    const read: Promise<unknown>[] = [];
    for (let round = 0; round < 30; round++) {
      for (let number = 0; number < 20; number++) tell(told++);
      await recorder.flush();
      const least = told;
      // While the next ones are written.
      read.push(
        everyLine().then((lines) => {
          const numbers = stepsOf(lines).map(({ who }) => Number(who.slice(2)));
          expect(numbers).toEqual(numbers.map((_, index) => index));
          expect(numbers.length).toBeGreaterThanOrEqual(least);
        }),
      );
    }
    await Promise.all(read);
    await recorder.stop();
  });

  test('is never written over a recording', async () => {
    const recorder = await record(file, { bytesMax: 4_096, filesMax: 2 });
    for (let number = 0; number < 60; number++) tell(number);
    await recorder.stop();
    const another = join(folder, 'another.jsonl');
    await (await record(another)).stop();
    await symlink(file, join(folder, 'a-link'));
    await link(file, join(folder, 'hard'));
    const before = await contents(folder);
    for (const target of [file, `${file}.1`, another, join(folder, 'a-link'), join(folder, 'hard')]) {
      await expect(exportRecording(file, target), target).rejects.toThrow(OptionError);
    }
    expect(await contents(folder)).toEqual(before);
    // A page may be written again.
    await exportRecording(file, out());
    await exportRecording(file, out());
  });
});
