/** Every interleaving of several servers, with the rules of their set. Prints how much there was. */
import { describe, expect, test } from 'vitest';
import { serverMachine } from '../../src/machines/index.js';
import { broken, type Loose, violationOf } from './broken.js';
import { exploreSystem } from './explore.js';
import { type ServersBounds, serversRules } from './servers.js';

const SET: ServersBounds = {
  count: 2,
  settings: {},
  isChecked: false,
  panic: 0.5,
  share: 1,
  hasBackup: false,
  hasOwner: true,
  attemptsMax: 2,
};
const CHECKS = { isChecked: true, settings: { rise: 1, fall: 2, init: 'up', baseMs: 5, maxMs: 5 } } as const;

test.each<[string, ServersBounds]>([
  ['1 server', { ...SET, count: 1 }],
  ['2 servers', SET],
  ['2 servers, no panic', { ...SET, panic: 0 }],
  ['3 servers, half of them ejected at most', { ...SET, count: 3, share: 0.5, hasOwner: false }],
  ['2 servers, one of them a spare', { ...SET, hasBackup: true }],
  ['2 servers, checks', { ...SET, ...CHECKS, attemptsMax: 1 }],
])('%s', { timeout: 120_000 }, (name, bounds) => {
  const { states, transitions } = exploreSystem(serversRules(bounds));
  console.log(`servers, ${name}: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(20);
});

describe('a set that is wrong in one place is found out', () => {
  const failuresOf = (bounds: ServersBounds, change: (config: Loose) => void): string => {
    const rules = serversRules(bounds);
    const machine = broken(serverMachine, change);
    const parts = Object.entries(rules.parts).map(([name, part]) => [name, { ...part, machine }]);
    return violationOf(() => exploreSystem({ ...rules, parts: Object.fromEntries(parts) })).message;
  };

  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'a trial tells the set nothing',
      (c) => {
        c.states.serving.states.trying.states.free.on['trial.granted'].actions = [];
      },
      /the set takes it to be serving\.trying\.free/,
    ],
    [
      'traffic ejects what the set cannot spare',
      (c) => {
        c.states.serving.states.up.on['traffic.failed'][1].guard = undefined;
      },
      /\(P10\)|\(P2\)/,
    ],
    [
      'a server that works is not drained',
      (c) => {
        c.states.serving.on['server.drain'] = { actions: [] };
      },
      /\(P8\)/,
    ],
    [
      'those that wait are not served when it is back',
      (c) => {
        c.states.draining.on['server.up'] = { target: '#server.serving.up', actions: ['updateSet', 'announce'] };
      },
      /\(P13\)/,
    ],
  ])('%s', (_what, change, expected) => {
    expect(failuresOf({ ...SET, panic: 0 }, change)).toMatch(expected);
  });

  test('more than one connection tries a server at a time', () => {
    const rules = serversRules(SET);
    const forgetful = {
      ...rules,
      perform: (stage: never, name: never, command: { type: string }) => {
        rules.perform(stage, name, command);
        const { model, change } = stage as { model: { trial: object }; change: (to: object) => void };
        if (command.type === 'set.changed') change.call(stage, { trial: { ...model.trial, [name]: false } });
      },
    };
    expect(violationOf(() => exploreSystem(forgetful as never)).message).toMatch(/\(P5\)/);
  });
});
