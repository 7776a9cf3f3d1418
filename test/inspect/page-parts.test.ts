/** What the live page works out by itself, without a browser: edges, messages, recordings. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Edge, edgesOf } from '../../inspector/src/edges.js';
import { linesOf, withLines } from '../../inspector/src/export.js';
import { bytes, compact, rate } from '../../inspector/src/format.js';
import { messageOf } from '../../inspector/src/messages.js';
import {
  joined,
  linesFrom,
  parseRecording,
  type Recording,
  Replay,
  recordingOf,
} from '../../inspector/src/recording.js';
import type { StepInfo } from '../../src/inspect/protocol.js';
import { type Means, meaningWith } from '../../src/machines/means.js';
import { replay } from '../../src/testing/index.js';
import { bounded, graphOf } from '../machines/bounds.js';

/** The edges of a drawing, as the page reads them from it. */
async function drawn(machine: string): Promise<Edge[]> {
  const svg = await readFile(`diagrams/${machine}.svg`, 'utf8');
  return [...svg.matchAll(/<g class="edge[^"]*" data-from="([^"]*)" data-to="([^"]*)" data-event="([^"]*)"/g)].map(
    ([, from = '', to = '', events = '']) => ({ from, to, events: events.split(' ').filter((name) => name !== '') }),
  );
}

describe('edges', () => {
  test.each(bounded)(
    'every transition of $name lights edges that lead from where it was to where it came',
    async (one) => {
      const edges = await drawn(one.machine.id);
      expect(edges.length).toBeGreaterThan(10);
      const dark: string[] = [];
      for (const path of graphOf(one).edgePaths()) {
        for (const { from, event, to } of path) {
          if (from === to) continue;
          const taken = edgesOf(edges, { from, event: event.type, to }).map((index) => edges[index] as Edge);
          const [first, last] = [taken[0], taken.at(-1)];
          const leads = first !== undefined && last !== undefined && within(first.from, from) && within(last.to, to);
          if (!leads) dark.push(`${from} -${event.type}-> ${to}`);
        }
      }
      expect([...new Set(dark)]).toEqual([]);
    },
  );

  const within = (outer: string, inner: string): boolean => inner === outer || inner.startsWith(`${outer}.`);

  test('an inner transition wins, and an edge without an event is gone through', () => {
    const edges: Edge[] = [
      { from: 'a', to: 'b', events: ['go'] },
      { from: 'a.one', to: 'b.two', events: ['go', 'run'] },
      { from: 'a', to: 'between', events: ['leave'] },
      { from: 'between', to: 'c', events: [] },
      { from: 'between', to: 'd', events: [] },
    ];
    expect(edgesOf(edges, { from: 'a.one', event: 'go', to: 'b.two' })).toEqual([1]);
    expect(edgesOf(edges, { from: 'a.other', event: 'go', to: 'b.two' })).toEqual([0]);
    expect(edgesOf(edges, { from: 'a.one', event: 'leave', to: 'd' })).toEqual([2, 4]);
    expect(edgesOf(edges, { from: 'ab', event: 'go', to: 'b' })).toEqual([]);
    expect(edgesOf(edges, { from: 'a.one', event: 'go', to: 'a.one' })).toEqual([]);
  });
});

const step = (
  at: number,
  who: string,
  from: string,
  event: string,
  to: string,
  more: Partial<StepInfo> = {},
): StepInfo => ({
  at,
  who,
  machine: who.split('#')[0] as string,
  from,
  event,
  to,
  ...more,
});

describe('messages', () => {
  test('what a peer sends comes from its side, what is sent goes there, the rest stays with the proxy', () => {
    const reset = { initiator: 'peer', manner: 'reset', phase: 'established' } as const;
    const told = (one: StepInfo): string => {
      const { from, to, label } = messageOf(one);
      return from === to ? label : `${from} → ${to}: ${label}`;
    };
    expect(
      [
        step(1, 'client#1', '', 'xstate.init', 'live.accepted.open'),
        step(2, 'backend#1', 'active.choosing', 'server.chosen', 'active.connecting', { server: 'one:1' }),
        step(3, 'backend#1', 'active.connecting', 'socket.connected', 'active.preparing'),
        step(4, 'session#1', 'connecting.open', 'backend.established', 'relaying.both'),
        step(5, 'backend#1', 'active.established.open', 'socket.failed', 'dropping.revoking', { cause: reset }),
        step(6, 'client#1', 'live.established.open', 'client.abort', 'aborting', { means: 'reset' }),
        step(7, 'client#1', 'live.established.open', 'socket.finished', 'live.established.localEnded'),
        step(8, 'backend#1', 'active.waiting', 'xstate.after.backoff.backend.active.waiting', 'active.choosing'),
      ].map(told),
    ).toEqual([
      'client → proxy: connects',
      'proxy → backend: connect one:1',
      'backend → proxy: accepts',
      'backend.established',
      'backend → proxy: RST',
      'proxy → client: RST',
      'proxy → client: FIN',
      'backoff',
    ]);
    expect(
      [
        step(1, 'client#1', 'live.established.open', 'socket.failed', 'dropping', { cause: reset }),
        step(2, 'client#1', 'dropping', 'socket.closed', 'dropped', { cause: reset }),
        step(3, 'backend#1', 'active.established.open', 'backend.abort', 'aborting.revoking', {
          means: 'reset',
          cause: reset,
        }),
        step(4, 'backend#1', 'aborting.revoking', 'holds.emptied', 'aborting.destroying', { cause: reset }),
        step(5, 'backend#1', 'aborting.destroying', 'socket.closed', 'aborted', { cause: reset }),
        step(6, 'backend#2', 'active.connecting', 'socket.failed', 'active.disposing.destroying', {
          cause: { initiator: 'peer', manner: 'refusal', phase: 'connecting', code: 'ECONNREFUSED' },
        }),
        step(7, 'backend#2', 'active.connecting', 'socket.failed', 'active.disposing.destroying', {
          cause: { initiator: 'system', manner: 'timeout', phase: 'connecting', code: 'ETIMEDOUT' },
        }),
      ].map(told),
    ).toEqual([
      'client → proxy: RST',
      'closed',
      'proxy → backend: RST',
      'holds.emptied',
      'closed',
      'backend → proxy: refuses',
      'ETIMEDOUT',
    ]);
  });

  test.each(bounded.filter(({ machine }) => machine.id === 'client' || machine.id === 'backend'))(
    '$name: a reset is drawn where the machine resets its socket, once, and nowhere else',
    (one) => {
      const { machine, options } = one;
      const wrong = new Set<string>();
      for (const path of graphOf(one).edgePaths()) {
        const { steps } = replay(
          machine,
          options.input,
          path.map(({ event }) => event),
        );
        let isReset = false;
        for (const { event, from, to, commands } of steps) {
          // What has failed or closed is reset to no effect; of an end that leads to a reset, the end is drawn.
          const isOver = /^socket\.(ended|failed|closed)$/.test(event);
          const resets = commands.some(({ type }) => type === 'socket.reset') && !isOver;
          if (commands.some(({ type }) => type === 'socket.open')) isReset = false;
          const { from: sender, label } = messageOf({
            at: 0,
            who: `${machine.id}#1`,
            machine: machine.id,
            event,
            from,
            to,
            means: commands.reduce<Means | undefined>(meaningWith, undefined),
          });
          const isDrawn = sender === 'proxy' && label === 'RST';
          if (isDrawn !== resets || (isDrawn && isReset)) wrong.add(`${from} –${event}→ ${to}`);
          isReset ||= isDrawn;
        }
      }
      expect([...wrong]).toEqual([]);
    },
  );
});

describe('recordings', () => {
  const head = { sockchart: '0.0.0', recording: 1, startedAt: 0 } as const;
  const steps = [
    step(1, 'door#1', '', 'xstate.init', 'shut'),
    step(2, 'door#2', 'open', 'close', 'shut'),
    step(3, 'door#1', 'shut', 'open', 'open'),
    step(5, 'door#1', 'open', 'break', 'broken'),
  ];
  const text = [head, ...steps].map((line) => JSON.stringify(line)).join('\n');

  test('a file is read line by line; gaps and nonsense are counted, not taken', () => {
    const torn = `${text}\n{"at":4,"missing":7}\n{"at":4}\nnull\n{"at":"x","who":1}\n{"at":6,"who":"do`;
    const { steps: read, missing, unreadable, head: first } = parseRecording(torn);
    expect(read).toEqual(steps);
    expect({ missing, unreadable, first }).toEqual({ missing: 7, unreadable: 4, first: head });
  });

  test('the parts of one run are one recording; what their files do not have is missing, also in what is made of it', () => {
    const line = (value: unknown): string => JSON.stringify(value);
    const of = (run: string, part: number, before: number) => ({ ...head, run, part, before });
    const [one, two, three, four] = steps as [StepInfo, StepInfo, StepInfo, StepInfo];
    const whole = [
      [of('b', 1, 0), one, { at: 1, end: 1, continues: true }],
      [of('b', 2, 1), two, three, { at: 3, end: 3, continues: true }],
      [of('b', 3, 3), four, { at: 5, end: 4 }],
    ].map((lines) => lines.map(line).join('\n'));
    const read = (...texts: (string | undefined)[]) =>
      parseRecording(texts.filter((text) => text !== undefined).join('\n'));
    const facts = ({ steps: { length }, missing, ofOthers, hasEnd }: Recording) => ({
      length,
      missing,
      ofOthers,
      hasEnd,
    });
    expect(facts(read(...whole))).toEqual({ length: 4, missing: 0, ofOthers: 0, hasEnd: true });
    expect(facts(read(whole[1], whole[2]))).toEqual({ length: 3, missing: 1, ofOthers: 0, hasEnd: true });
    expect(facts(read(whole[0], whole[2]))).toEqual({ length: 2, missing: 2, ofOthers: 0, hasEnd: true });
    expect(facts(read(whole[0], whole[1]))).toEqual({ length: 3, missing: 0, ofOthers: 0, hasEnd: false });
    // Cut in the middle, and at the end.
    const cut = (whole[1] as string).replace(line(three), line(three).slice(0, 20));
    expect(facts(read(whole[0], cut, whole[2]))).toEqual({ length: 3, missing: 1, ofOthers: 0, hasEnd: true });
    expect(facts(read(line(head), line(one)))).toMatchObject({ hasEnd: false });
    // A run before it, whose lives have the same names.
    const earlier = [of('a', 1, 0), one, two, { at: 2, end: 2 }].map(line).join('\n');
    const both = read(earlier, ...whole.slice(1));
    expect(facts(both)).toEqual({ length: 3, missing: 1, ofOthers: 2, hasEnd: true });
    expect(facts(recordingOf(linesFrom(both)))).toEqual({ length: 3, missing: 1, ofOthers: 0, hasEnd: true });
    const open = read(whole[0], whole[1]);
    expect(facts(recordingOf(linesFrom(open)))).toEqual({ length: 3, missing: 0, ofOthers: 0, hasEnd: false });
  });

  test('rotated files are put in order, whatever order they are given in', () => {
    const lines = steps.map((one) => JSON.stringify(one));
    const files = [
      { name: 'run.jsonl', text: lines[3] as string },
      { name: 'run.jsonl.10', text: lines[0] as string },
      { name: 'run.jsonl.2', text: lines.slice(1, 3).join('\n') },
    ];
    expect(joined(files).split('\n')).toEqual(lines);
  });

  test('a step forward and the same step back leave everything as it was', () => {
    const run = new Replay(steps);
    const seen: unknown[] = [];
    for (let position = 0; position <= steps.length; position++) {
      run.seek(position);
      seen.push(run.counts('door'));
    }
    expect(seen).toEqual([
      // The second door was there before the recording.
      { open: 1 },
      { open: 1, shut: 1 },
      { open: 0, shut: 2 },
      { open: 1, shut: 1 },
      { open: 0, shut: 1, broken: 1 },
    ]);
    run.seek(0);
    expect(run.current).toBeUndefined();
    expect(Object.entries(run.counts('door')).filter(([, instances]) => instances !== 0)).toEqual([['open', 1]]);
    expect([0, 1, 4, 9].map((at) => run.positionAt(at))).toEqual([0, 1, 3, 4]);
    expect(run.historyOf(3)).toEqual({ steps: [steps[0], steps[2], steps[3]], place: 2 });
  });

  test('where steps are missing, an instance still is in one state only', () => {
    const run = new Replay([
      step(1, 'door#1', '', 'xstate.init', 'shut'),
      step(9, 'door#1', 'open', 'break', 'broken'),
    ]);
    run.seek(2);
    expect(run.counts('door')).toEqual({ shut: 0, broken: 1 });
  });

  test('an exported page carries lines that say what they like', () => {
    const page = '<script type="application/json" id="recording">[]</script><script>run()</script>';
    const hostile = [head, step(1, '</script><script>alert(1)</script>', '', '$& $1', '<!--')];
    const full = withLines(page, hostile);
    expect(full.match(/<\/?script/g)).toHaveLength(4);
    expect(linesOf(full)).toEqual(hostile);
    expect(recordingOf(linesOf(full)).steps).toEqual(hostile.slice(1));
    expect(() => withLines('<p>no place</p>', [])).toThrow(/no place/);
  });
});

test('numbers are short, and say what they are', () => {
  expect([0, 999, 1_000, 123_456, 5_600_000_000].map(bytes)).toEqual(['0 B', '999 B', '1.0 kB', '123 kB', '5.6 GB']);
  expect([0, 0.04, 0.5, 12.4, 45_678].map(rate)).toEqual(['0', '<0.1', '0.5', '12', '45.7K']);
  expect([7, 9_999, 123_456].map(compact)).toEqual(['7', '9,999', '123.5K']);
});
