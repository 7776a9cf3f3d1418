import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { createMachine, setup } from 'xstate';
import { OptionError } from '../../src/errors.js';
import { acceptTable } from '../../src/testing/index.js';
import { linkMachine, type Mistake } from './link.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sc-table-'));
  file = join(folder, 'link.table.md');
  vi.stubEnv('CI', '');
  vi.stubEnv('SOCKCHART_ACCEPT', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const read = (): string => readFileSync(file, 'utf8');

function differences(machine: AnyStateMachine): string[] {
  try {
    acceptTable(machine, file);
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('the file', () => {
  test('is written where it does not exist, and then compared', () => {
    acceptTable(linkMachine(), file);
    expect(read()).toContain('| `greeting.received` | → `open` | here |');
    expect(read()).toContain('| ⏱ `greetingTimeout` 3 s | → `closing` | here |');
    expect(read()).toContain('| `greeting.received` | **UNHANDLED** |');
    expect(read()).toContain('- The machine starts in `connecting`.');
    acceptTable(linkMachine(), file);
    acceptTable(linkMachine(), pathToFileURL(file));
  });

  test('may have the line ends of Windows', () => {
    acceptTable(linkMachine(), file);
    writeFileSync(file, read().replaceAll('\n', '\r\n'));
    acceptTable(linkMachine(), file);
  });

  test('is not written in CI', () => {
    vi.stubEnv('CI', 'true');
    expect(() => acceptTable(linkMachine(), file)).toThrow(`${file} does not exist, and is not written in CI`);
    expect(read).toThrow(/ENOENT/);
  });

  test('is written anew with SOCKCHART_ACCEPT=1', () => {
    acceptTable(linkMachine(), file);
    const before = read();
    vi.stubEnv('SOCKCHART_ACCEPT', '1');
    acceptTable(linkMachine('wrong target'), file);
    expect(read()).not.toBe(before);
    vi.stubEnv('SOCKCHART_ACCEPT', '0');
    expect(differences(linkMachine())).not.toEqual([]);
  });
});

describe('a mistake is found, and the message says where', () => {
  test.each<[Mistake, string[]]>([
    [
      'wrong target',
      ['  waiting', '    - | `socket.closed` | → `lost` | here |', '    + | `socket.closed` | → `open` | here |'],
    ],
    [
      'forgotten event',
      ['  open', '    - | `socket.closed` | → `lost` | here |', '    + | `socket.closed` | **UNHANDLED** |  |'],
    ],
    ['forgotten timer', ['  waiting', '    - | ⏱ `greetingTimeout` 3 s | → `closing` | here |']],
    ['forgotten release', ['  closing', '    - - On entry: `destroySocket`']],
  ])('%s', (mistake, expected) => {
    acceptTable(linkMachine(), file);
    expect(differences(linkMachine(mistake))).toEqual([
      `link does not do what ${file} says (- accepted, + now):`,
      ...expected,
      'If it is right now, run the test with SOCKCHART_ACCEPT=1, and review the change of the file.',
    ]);
  });

  test('an event that a state has forgotten changes no row of the states after it', () => {
    const late = { description: 'Late.' };
    const machine = (...heard: string[]) =>
      createMachine({
        id: 'line',
        initial: 'up',
        states: {
          up: { on: Object.fromEntries(heard.map((type) => [type, 'waiting'])) },
          waiting: { on: { closed: late, failed: late } },
        },
      }) as AnyStateMachine;
    acceptTable(machine('closed', 'failed'), file);
    expect(read()).toContain('| `closed`, `failed` | ignored: Late. | here |');
    expect(differences(machine('failed')).slice(1, -1)).toEqual([
      '  up',
      '    - | `closed` | → `waiting` | here |',
      '    + | `closed` | **UNHANDLED** |  |',
    ]);
    // The order alone is a difference, too.
    expect(differences(machine('failed', 'closed')).slice(1, 2)).toEqual(['  Overview']);
  });

  test('the order of actions is a difference', () => {
    const machine = (...entry: string[]) => createMachine({ id: 'line', entry } as never) as AnyStateMachine;
    acceptTable(machine('a', 'b', 'c'), file);
    expect(
      differences(machine('a', 'c', 'b'))
        .slice(1, -1)
        .join('\n'),
    ).toContain('`a`, `c`, `b`');
  });

  test('a delay of another length, also in milliseconds; a computed one has only its name', () => {
    const machine = (delay: number | (() => number)) =>
      setup({ delays: { pongTimeout: delay } }).createMachine({
        id: 'ping',
        initial: 'waiting',
        states: { waiting: { after: { pongTimeout: 'lost', 50: 'lost' } }, lost: {} },
      });
    acceptTable(machine(2_000), file);
    expect(read()).toContain('| ⏱ `50 ms` | → `lost` | here |');
    expect(differences(machine(200_000)).slice(1, -1)).toEqual([
      '  waiting',
      '    - | ⏱ `pongTimeout` 2 s | → `lost` | here |',
      '    + | ⏱ `pongTimeout` 200 s | → `lost` | here |',
    ]);
    expect(differences(machine(1_500))).toContain('    + | ⏱ `pongTimeout` 1500 ms | → `lost` | here |');
    expect(differences(machine(() => 2_000))).toContain('    + | ⏱ `pongTimeout` | → `lost` | here |');
  });

  test('an event that a catch-all no longer ignores', () => {
    const machine = (on: object) =>
      createMachine({
        id: 'wild',
        initial: 'a',
        states: { a: { on: { 'socket.x': 'b', 'socket.y': 'b' } }, b: { on } },
      } as never) as unknown as AnyStateMachine;
    const all = { 'socket.*': { description: 'Gone.' } };
    acceptTable(machine(all), file);
    expect(read()).toContain('| `socket.x`, `socket.y`, `socket.*` | ignored: Gone. | here |');
    expect(differences(machine({ ...all, 'socket.x': 'a' })).slice(1, -1)).toEqual([
      '  b',
      '    - | `socket.x`, `socket.y`, `socket.*` | ignored: Gone. | here |',
      '    + | `socket.x` | → `a` | here |',
      '    + | `socket.y`, `socket.*` | ignored: Gone. | here |',
    ]);
  });

  test('a state more, and another start', () => {
    const machine = (initial: string, states: object) =>
      createMachine({ id: 'door', initial, states } as never) as unknown as AnyStateMachine;
    acceptTable(machine('open', { open: { on: { close: 'closed' } }, closed: { on: { open: 'open' } } }), file);
    const now = { open: { on: { close: 'closed' } }, closed: { on: { open: 'open' } }, gone: { type: 'final' } };
    expect(differences(machine('closed', now)).slice(1, -1)).toEqual([
      '  gone',
      '    + Final: the instance is over.',
      '  Initial states',
      '    - - The machine starts in `open`.',
      '    + - The machine starts in `closed`.',
    ]);
  });
});

test('what is no machine or no path is refused', () => {
  expect(() => acceptTable({} as never, file)).toThrow(OptionError);
  expect(() => acceptTable(linkMachine(), 7 as never)).toThrow(
    'Option "file" must be a path, or a file: URL; it is 7.',
  );
});
