/** Pictures, Mermaid texts and tables of machines of every kind. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ELKModule from 'elkjs/lib/elk.bundled.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AnyStateMachine, and, assign, createMachine, emit, fromPromise, not, raise, stateIn } from 'xstate';
import { checkDiagrams, gapsOf, mermaidOf, svgOf, tableOf, writeDiagrams } from '../../src/diagrams/index.js';
import { OptionError } from '../../src/errors.js';
import { allOf, parseXml } from '../support/xml.js';

// Its types describe a default export that Node does not make of it.
const ELK = ELKModule as unknown as typeof import('elkjs/lib/elk-api.js').default;

interface Case {
  readonly machine: AnyStateMachine;
  readonly states: readonly string[];
  /** `from EVENT to`, as in the attributes of the picture. */
  readonly arrows: readonly string[];
  /** What stands inside states. */
  readonly notes?: readonly string[];
  /** Lines of the Mermaid text. */
  readonly mermaid: readonly string[];
  /** Lines of the table. */
  readonly table: readonly string[];
  readonly gaps: readonly string[];
}

const CASES: Record<string, Case> = {
  'transitions of the root': {
    machine: createMachine({
      id: 'player',
      description: 'Plays\n  one song.',
      initial: 'idle',
      on: { RESET: '.idle', STOP: { target: '.done', guard: 'mayStop' } },
      after: { 5000: '.done' },
      states: {
        idle: { on: { PLAY: 'playing', RETRY: { target: 'idle', reenter: true } } },
        playing: {},
        done: { type: 'final' },
      },
    }),
    states: ['', 'idle', 'playing', 'done'],
    arrows: [' RESET idle', ' STOP xstate.after.5000.player done', 'idle PLAY playing'],
    notes: ['RETRY / starts again'],
    mermaid: [
      '  state "player" as player {',
      '    [*] --> idle',
      '  player --> idle : RESET',
      '  player --> done : STOP [mayStop]<br/>⏱ 5000 ms',
      '  idle --> idle : RETRY',
      '  done --> [*]',
    ],
    table: [
      'Plays one song.',
      'idle     → ? → →   ⏱ 5000 ms',
      'playing  → ? ? ?   ⏱ 5000 ms',
      '| `RESET` | → `idle` | the root |',
      '| `STOP` | → `done` [mayStop]<br>**UNHANDLED** | the root |',
      '| ⏱ `5000 ms` | → `done` | the root |',
      'Final: the instance is over.',
    ],
    gaps: [
      'player: idle does not handle STOP',
      'player: playing does not handle STOP',
      'player: playing does not handle PLAY',
      'player: playing does not handle RETRY',
    ],
  },
  'no states': {
    machine: createMachine({
      id: 'counter',
      context: { count: 0 },
      on: {
        inc: { actions: [assign({ count: 1 }), 'note'] },
        dec: { guard: 'positive', actions: assign({ count: 0 }) },
      },
      after: { pause: { actions: 'tick' } },
    }),
    states: ['counter'],
    arrows: [],
    notes: ['inc / assign(count), note', 'dec [positive] / assign(count)', 'pause / tick'],
    mermaid: [
      '  state "counter" as counter',
      '  counter : inc / assign(count), note',
      '  counter : dec [positive] / assign(count)',
      '  counter : ⏱ pause / tick',
    ],
    table: ['counter  ! ?   ⏱ pause', '| `inc` | `assign(count)`, `note` | here |'],
    gaps: ['counter: counter does not handle dec'],
  },
  'nothing at all': {
    machine: createMachine({}),
    states: ['(machine)'],
    arrows: [],
    mermaid: ['  state "(machine)" as _machine_'],
    table: ['# (machine)'],
    gaps: [],
  },
  'a parallel root': {
    machine: createMachine({
      id: 'text',
      type: 'parallel',
      on: { plain: { target: ['.bold.off', '.italic.off'] } },
      states: {
        bold: { initial: 'off', states: { off: { on: { bold: 'on' } }, on: { on: { bold: 'off', both: {} } } } },
        italic: { initial: 'off', states: { off: { on: { italic: 'on' } }, on: {} } },
      },
    }),
    states: ['', 'bold', 'bold.off', 'bold.on', 'italic', 'italic.off', 'italic.on'],
    arrows: [
      ' plain bold.off',
      ' plain italic.off',
      'bold.off bold bold.on',
      'bold.on bold bold.off',
      'italic.off italic italic.on',
    ],
    mermaid: [
      '  state "text" as text {',
      '    --',
      '      [*] --> bold_off',
      '      [*] --> italic_off',
      '  text --> italic_off : plain',
    ],
    table: [
      '`∥` left to another region.',
      'bold.off    → → ? ∥',
      'bold.on     → → · ∥',
      'italic.off  → ∥ ∥ →',
      'italic.on   → ∥ ∥ ?',
      '| `plain` | → `bold.off`, `italic.off` | the root |',
      '| `bold`, `both` | left to another region |  |',
    ],
    gaps: [
      'text: bold.off does not handle both',
      'text: bold.on ignores both without a reason',
      'text: italic.on does not handle italic',
    ],
  },
  'a parallel state and a history': {
    machine: createMachine({
      id: 'job',
      initial: 'idle',
      states: {
        idle: { on: { go: 'run', back: 'run.a.last' } },
        run: {
          type: 'parallel',
          onDone: 'over',
          on: { stop: 'idle' },
          states: {
            a: {
              initial: 'a1',
              states: { a1: { on: { next: 'a2' } }, a2: { type: 'final' }, last: { type: 'history', target: 'a1' } },
            },
            b: { type: 'final' },
          },
        },
        over: { type: 'final' },
      },
    }),
    states: ['idle', 'run', 'run.a', 'run.a.a1', 'run.a.a2', 'run.a.last', 'run.b', 'over'],
    arrows: [
      'idle go run',
      'idle back run.a.last',
      'run stop idle',
      'run xstate.done.state.job.run over',
      'run.a.a1 next run.a.a2',
      'run.a.last xstate.history run.a.a1',
    ],
    mermaid: ['      state "last (history)" as run_a_last', '  run --> over : done'],
    table: [
      '- `run`: 2 regions at the same time.',
      'Final: `run.a` is done.',
      'History: it enters the state of `run.a` that was active last.',
    ],
    gaps: [
      'job: idle does not handle stop',
      'job: idle does not handle next',
      'job: run.a.a1 does not handle go',
      'job: run.a.a1 does not handle back',
    ],
  },
  wildcards: {
    machine: createMachine({
      id: 'wild',
      initial: 'a',
      states: {
        a: { on: { '*': 'b', 'socket.open': 'c', 'socket.*': { actions: 'note' } } },
        b: { on: { 'socket.open': { description: 'Late.' } } },
        c: {},
      },
    }),
    states: ['a', 'b', 'c'],
    arrows: ['a * b', 'a socket.open c'],
    mermaid: ['  a --> b : *'],
    table: [
      '   ┌───── socket.open',
      '   │ │ ┌─ socket.*',
      'a  → → !',
      'b  ·',
      'c  ?',
      '| `*` | → `b` | here |',
      '| `socket.open` | ignored: Late. | here |',
    ],
    gaps: ['wild: c does not handle socket.open'],
  },
  'what is inline, and actors': {
    machine: createMachine({
      id: 'load',
      initial: 'loading',
      states: {
        loading: {
          invoke: {
            src: fromPromise(async () => 1),
            onDone: 'loaded',
            onError: [
              { target: 'failed', guard: and(['lasts', not('closed')]) },
              { guard: stateIn('x'), actions: 'note' },
            ],
          },
        },
        loaded: {
          invoke: { src: 'poll', onDone: 'failed' },
          entry: [raise({ type: 'again' }), emit({ type: 'shown' }), () => {}],
        },
        failed: {
          on: {
            again: { target: 'loading', guard: ({ context }: { context: { tries: number } }) => context.tries < 3 },
          },
          always: {
            target: 'loaded',
            guard: ({ context }) => {
              return context === undefined;
            },
          },
        },
      },
    }),
    states: ['loading', 'loaded', 'failed'],
    arrows: [
      'loading xstate.done.actor.0.load.loading loaded',
      'loading xstate.error.actor.0.load.loading failed',
      'loaded xstate.done.actor.0.load.loaded failed',
      'failed again loading',
      'failed  loaded',
    ],
    mermaid: [
      '  loading --> loaded : done: inline',
      '  loading --> failed : error: inline [and(lasts, not(closed))]',
      '  loaded --> failed : done: poll',
      '  failed --> loading : again [context.tries #lt; 3]',
      '  failed --> loaded : [condition]',
    ],
    table: [
      '- Runs: `poll`',
      '- On entry: `raise(again)`, `emit(shown)`, `inline`',
      '| `error: inline` | → `failed` [and(lasts, not(closed))]<br>[stateIn(x)] `note`<br>**UNHANDLED** | here |',
      '| _at once_ | → `loaded` [condition] | here |',
      '| `again` | → `loading` [context.tries \\< 3]<br>**UNHANDLED** | here |',
    ],
    gaps: [
      'load: loading does not handle again',
      'load: loaded does not handle again',
      'load: failed does not handle again',
    ],
  },
  'names that mean something in XML, Mermaid or JavaScript': {
    machine: createMachine({
      id: 'a <b> & "c"; #1',
      description: 'One & <two>',
      initial: 'state',
      states: {
        state: { on: { 'say "a"; <b>&\u0007': 'end', __x__: 'a-b', 'a|b': 'constructor' } },
        end: { description: 'x < y' },
        'a-b': { on: { z: 'a_b' } },
        a_b: {},
        constructor: {},
        日本: {},
      },
    }),
    states: ['state', 'end', 'a-b', 'a_b', 'constructor', '日本'],
    arrows: ['state say "a"; <b>&\uFFFD end', 'state __x__ a-b', 'state a|b constructor', 'a-b z a_b'],
    mermaid: [
      '  accTitle: Statechart of a <b> & "c" 1',
      '  state "state" as state_',
      '  state "a-b" as a_b',
      '  state "a_b" as a_b_',
      '  state "constructor" as constructor_',
      '  state "日本" as __',
      '  state_ --> end_ : say #quot;a#quot;#59; #lt;b#gt;&\u0007',
      '  state_ --> a_b : #95;_x_#95;',
    ],
    table: ['| `a\\|b` | → `constructor` | here |'],
    gaps: expect.any(Array) as unknown as string[],
  },
  'a root that is final': {
    machine: createMachine({ id: 'over', type: 'final' }),
    states: ['over'],
    arrows: [],
    mermaid: ['  over --> [*]'],
    table: ['### over', 'Final: the instance is over.'],
    gaps: [],
  },
};

describe.each(Object.entries(CASES))('%s', (_, { machine, states, arrows, notes = [], mermaid, table, gaps }) => {
  test('the SVG is well-formed, and has every state and every transition', { timeout: 30_000 }, async () => {
    const svg = await svgOf(machine);
    const all = allOf(parseXml(svg));
    const groups = (name: string) => all.filter((one) => one.attributes.class?.split(' ')[0] === name);
    expect(
      groups('state')
        .map((one) => one.attributes['data-state'])
        .sort(),
    ).toEqual([...states].sort());
    const drawn = groups('edge').map(({ attributes: at }) => `${at['data-from']} ${at['data-event']} ${at['data-to']}`);
    expect(drawn.sort()).toEqual([...arrows].sort());
    const written = groups('state').map(({ children }) =>
      children.map(({ name, text }) => (name === 'text' ? text : '')),
    );
    const texts = written.map((words) => words.filter(Boolean).join(' ')).join('\n');
    for (const note of notes) expect(texts).toContain(note);
    const numbers = all.flatMap(({ attributes: { x, y, d } }) => [x, y, d]).join(' ');
    expect(numbers).not.toMatch(/NaN|undefined/);
  });

  test('the Mermaid text has them', () => {
    expect(mermaidOf(machine).split('\n')).toEqual(expect.arrayContaining([...mermaid]));
  });

  test('the table says what each state does, and marks what it does not handle', () => {
    expect(tableOf(machine).split('\n')).toEqual(expect.arrayContaining([...table]));
    expect(gapsOf(machine)).toEqual(gaps);
  });
});

test('the whole of a small machine', () => {
  const door = createMachine({
    id: 'door',
    initial: 'shut',
    states: { shut: { on: { 'door.open': 'open' } }, open: { on: { 'door.shut': 'shut' } } },
  });
  expect(mermaidOf(door)).toBe(`stateDiagram-v2
  accTitle: Statechart of door
  state "shut" as shut
  state "open" as open
  [*] --> shut
  shut --> open : door.open
  open --> shut : door.shut
`);
  expect(tableOf(door, 'My door')).toBe(`# My door

Generated from the machine by \`sockchart diagram\`.

## Overview

\`→\` enters a state, perhaps only if a guard holds; \`!\` acts and stays; \`·\` ignored on purpose; \`⏱\` timers that run.
\`?\` **UNHANDLED**.

\`\`\`text
      ┌─── door.open
      │ ┌─ door.shut
shut  → ?
open  ? →
\`\`\`

## States

### shut

| event | what happens | handled |
| --- | --- | --- |
| \`door.open\` | → \`open\` | here |
| \`door.shut\` | **UNHANDLED** |  |

### open

| event | what happens | handled |
| --- | --- | --- |
| \`door.open\` | **UNHANDLED** |  |
| \`door.shut\` | → \`shut\` | here |

`);
});

test('a picture is drawn as it was: where that is meant to change, raise DRAWING in src/diagrams/files.ts', async () => {
  await expect(await svgOf(CASES['transitions of the root']?.machine as AnyStateMachine)).toMatchFileSnapshot(
    'player.svg',
  );
});

test('what is no machine is refused', async () => {
  const wrong = { id: 'door' } as unknown as AnyStateMachine;
  for (const draw of [mermaidOf, tableOf, gapsOf]) expect(() => draw(wrong)).toThrow(OptionError);
  await expect(svgOf(wrong)).rejects.toThrow('Option "machine" must be a machine that XState');
});

describe('files', () => {
  const door = (...more: string[]) =>
    createMachine({
      id: 'front door',
      initial: 'shut',
      states: {
        shut: { on: { open: 'open' } },
        open: { on: Object.fromEntries(more.map((event) => [event, 'shut'])) },
      },
    });
  let folder: string;
  beforeAll(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'sc-diagrams-')), 'new');
  });
  afterAll(() => rm(join(folder, '..'), { recursive: true }));

  test('are written, are fresh, and are stale when the machine or a file has changed', async () => {
    const files = ['svg', 'mmd', 'md'].map((ending) => join(folder, `front-door.${ending}`)) as [
      string,
      string,
      string,
    ];
    expect(await checkDiagrams(door(), folder)).toEqual(files.map((file) => ({ file, why: 'missing' })));
    expect(await writeDiagrams(door(), folder)).toEqual(files);
    expect(await checkDiagrams(door(), folder)).toEqual([]);
    expect(await checkDiagrams(door('shut'), folder)).toEqual(files.map((file) => ({ file, why: 'stale' })));
    expect(await readFile(files[2], 'utf8')).toContain('![Statechart of front door](front-door.svg)');

    const picture = await readFile(files[0], 'utf8');
    parseXml(picture);
    await writeFile(files[0], picture.replace('>shut<', '>shot<'));
    expect(await checkDiagrams(door(), folder)).toEqual([{ file: files[0], why: 'stale' }]);
    await writeDiagrams(door(), folder, { kinds: ['svg'] });
    expect(await readFile(files[0], 'utf8')).toBe(picture);
  });

  test('a picture that is fresh is not drawn again', async () => {
    const name = 'once';
    await writeDiagrams(door(), folder, { name, kinds: ['svg'] });
    vi.spyOn(ELK.prototype, 'layout').mockRejectedValue(new Error('drawn again'));
    await writeDiagrams(door(), folder, { name, kinds: ['svg'] });
    await expect(writeDiagrams(door('shut'), folder, { name, kinds: ['svg'] })).rejects.toThrow('drawn again');
    vi.restoreAllMocks();
  });

  test('of some kinds only, by another name; the table links to what is written with it', async () => {
    const options = { name: 'porta', kinds: ['mermaid', 'table'], command: 'npm run draw' } as const;
    const files = [join(folder, 'porta.mmd'), join(folder, 'porta.md')];
    expect(await writeDiagrams(door(), folder, options)).toEqual(files);
    expect((await readFile(files[1] as string, 'utf8')).split('\n').slice(0, 3)).toEqual([
      '# porta',
      '',
      'Generated from the machine by `npm run draw`; the same as [Mermaid text](porta.mmd).',
    ]);
  });

  test('a file that the library has not written stays as it is', async () => {
    await mkdir(folder, { recursive: true });
    const notes = join(folder, 'notes.md');
    await writeFile(notes, '# Notes\n');
    await expect(writeDiagrams(door(), folder, { name: 'notes' })).rejects.toThrow(
      `Option "folder" must be a folder without a notes.md that sockchart has not written; it is ${JSON.stringify(folder)}.`,
    );
    expect(await readFile(notes, 'utf8')).toBe('# Notes\n');
    await expect(readFile(join(folder, 'notes.svg'))).rejects.toThrow('ENOENT');
  });

  test.each([
    ['kinds', () => writeDiagrams(door(), folder, { kinds: ['png' as 'svg'] })],
    ['folder', () => checkDiagrams(door(), '')],
    ['machine', () => checkDiagrams({} as AnyStateMachine, folder)],
  ])('a wrong %s is refused', async (option, call) => {
    await expect(call()).rejects.toThrow(`Option "${option}" must be `);
  });
});
