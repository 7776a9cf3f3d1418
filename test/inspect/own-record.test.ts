/** Machines of users in recordings and exported pages: with their contexts and pictures if they are listed, and without if not. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { linesOf } from '../../inspector/src/export.js';
import { parseRecording, Replay, recordingOf } from '../../inspector/src/recording.js';
import { OptionError } from '../../src/index.js';
import { exportRecording, type RecordOptions, record } from '../../src/inspect/index.js';
import type { StepInfo } from '../../src/inspect/protocol.js';
import { link, linkMachine } from './own-machine.js';

const SECRET = 'correct horse battery staple';

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sc-own-'));
  file = join(folder, 'run.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

/** An instance that is dialled twice, in a recording. */
async function recorded(options: RecordOptions, how: 'compiled' | 'interpreted' = 'compiled'): Promise<string> {
  const recorder = await record(file, options);
  const instance = link(how, {}, { password: SECRET });
  instance.send({ type: 'link.open' });
  instance.send({ type: 'link.lost' });
  instance.send({ type: 'link.close' });
  await recorder.stop();
  expect([recorder.steps, recorder.missing]).toEqual([4, 0]);
  return readFile(file, 'utf8');
}

const stepsOf = (text: string): readonly StepInfo[] => parseRecording(text).steps;

test('without machines a recording has no context, and no commands', async () => {
  const text = await recorded({});
  expect(text).not.toContain(SECRET);
  expect(stepsOf(text).map(({ context, commands }) => [context, commands])).toEqual(
    Array(4).fill([undefined, undefined]),
  );
});

describe.each(['compiled', 'interpreted'] as const)('of a listed machine, %s', (how) => {
  test('each step has its commands, and what the instance remembered after it', async () => {
    const text = await recorded({ machines: [linkMachine] }, how);
    expect(stepsOf(text).map(({ event, to, commands, context }) => ({ event, to, commands, context }))).toEqual([
      { event: 'xstate.init', to: 'idle', commands: [], context: { value: { attempts: 0, password: SECRET } } },
      {
        event: 'link.open',
        to: 'up.dialling',
        commands: ['link.dial'],
        context: { value: { attempts: 1, password: SECRET } },
      },
      {
        event: 'link.lost',
        to: 'up.dialling',
        commands: ['link.dial'],
        context: { value: { attempts: 2, password: SECRET } },
      },
      {
        event: 'link.close',
        to: 'closed',
        commands: ['link.hangUp'],
        context: { value: { attempts: 2, password: SECRET } },
      },
    ]);
  });

  test('it is replayed', async () => {
    const replay = new Replay(stepsOf(await recorded({ machines: [linkMachine] }, how)));
    replay.seek(3);
    expect(replay.counts('link')).toMatchObject({ 'up.dialling': 1 });
    const { steps, place } = replay.historyOf(2);
    expect(steps[place]?.context).toEqual({ value: { attempts: 2, password: SECRET } });
  });
});

test('redact decides what of a context is written', async () => {
  const text = await recorded({ machines: [linkMachine], redact: ({ attempts }) => ({ attempts }) });
  expect(text).not.toContain(SECRET);
  expect(stepsOf(text).at(-1)?.context).toEqual({ value: { attempts: 2 } });
});

test('where redact throws, no context is written, and the recording says so', async () => {
  const text = await recorded({
    machines: [linkMachine],
    redact: ({ password }) => {
      throw new Error(`what is ${password}`);
    },
  });
  expect(text).not.toContain(SECRET);
  expect(stepsOf(text).at(-1)?.context).toEqual({ problem: 'redact has thrown an error' });
});

test('a context that is too large for a file is left out, and its step is not', async () => {
  const recorder = await record(file, { machines: [linkMachine], bytesMax: 4_096 });
  const instance = link('compiled', {}, { socket: Array.from({ length: 90 }, () => 'x'.repeat(100)) });
  instance.stop();
  await recorder.stop();
  expect(recorder.missing).toBe(0);
  expect(stepsOf(await readFile(file, 'utf8'))).toMatchObject([
    { to: 'idle', context: { problem: 'it is too large for the recording' } },
  ]);
});

test('an exported page has the pictures of the machines that are named, and no other', async () => {
  await recorded({ machines: [linkMachine] });
  const out = join(folder, 'run.html');
  await exportRecording(file, out, { machines: [linkMachine] });
  const page = await readFile(out, 'utf8');
  const [, diagrams = ''] = /<script type="application\/json" id="diagrams">(.*?)<\/script>/s.exec(page) ?? [];
  const pictures = JSON.parse(diagrams) as Record<string, string>;
  expect(Object.keys(pictures)).toEqual([
    'proxy',
    'listener',
    'session',
    'client',
    'backend',
    'server',
    'check',
    'name',
    'link',
  ]);
  expect(pictures.link).toContain('data-state="up.dialling"');
  expect(recordingOf(linesOf(page)).steps).toHaveLength(4);
  await exportRecording(file, out);
  expect(await readFile(out, 'utf8')).not.toContain('data-state=\\"up.dialling\\"');
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  ['record', () => record(file, { machines: [{}] as never }), /"machines\[0\]" must be a machine/],
  ['record', () => record(file, { machines: [createMachine({})] }), /a machine with an id/],
  ['record', () => record(file, { redact: 1 as never }), /"redact" must be a function/],
  ['exportRecording', () => exportRecording(file, join(folder, 'x'), { machines: [{}] as never }), /"machines\[0\]"/],
  [
    'exportRecording',
    () => exportRecording(file, join(folder, 'x'), { machine: [] } as never),
    /left out or spelt "machines"/,
  ],
])('%s refuses wrong input', async (_what, act, expected) => {
  const error = await act().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OptionError);
  expect(String(error)).toMatch(expected);
});
