/** Every interleaving of a server and its model: see explore.ts. Prints how much there was. */
import { describe, expect, test } from 'vitest';
import { serverMachine } from '../../src/machines/index.js';
import { serverSettings } from '../machines/bounds.js';
import { broken, type Loose, violationOf } from './broken.js';
import { explore } from './explore.js';
import { serverRules } from './server.js';

const CHECKS = { rise: 2, fall: 2, init: 'up', baseMs: 5, maxMs: 5 } as const;

test.each([
  ['without checks', {}, false, false],
  ['without checks, a slow start', { slowStart: 4 }, false, false],
  ['checks', CHECKS, true, false],
  ['checks, a slow start', { ...CHECKS, fall: 1, slowStart: 4 }, true, false],
  ['checks, failures of traffic are a sudden death', { ...CHECKS, onError: 'suddenDeath' }, true, false],
  ['an address of a name', {}, false, true],
  ['an address of a name, checks', CHECKS, true, true],
] as const)('a server: %s', { timeout: 60_000 }, (name, settings, isChecked, isNamed) => {
  const { states, transitions } = explore(
    serverMachine,
    { settings: serverSettings(settings) },
    serverRules(isChecked, isNamed),
  );
  console.log(`server, ${name}: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(100);
});

describe('a server that is wrong in one place is found out', () => {
  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'a drained server comes back by a check',
      (c) => {
        c.states.draining.on['check.passed'] = { target: 'serving.up' };
      },
      /may be chosen \(P3\)/,
    ],
    [
      'an ejection never ends',
      (c) => {
        delete c.states.serving.states.ejected.after;
      },
      /time alone leads to no end|no way/,
    ],
    [
      'a removal has no deadline',
      (c) => {
        delete c.states.removing.after;
      },
      /time alone leads to no end/,
    ],
    [
      'checks go on after the removal',
      (c) => {
        c.states.removing.entry = ['awaitSessions'];
      },
      /Its checks are run, and have to be stopped/,
    ],
    [
      'an address that is back is forgotten',
      (c) => {
        c.states.leaving.states.drained.on['address.found'] = { target: '#server.serving.up' };
      },
      /may be chosen \(P3\)/,
    ],
    [
      'a server that leaves has no deadline',
      (c) => {
        delete c.states.leaving.after;
      },
      /time alone leads to no end/,
    ],
    [
      'the owner hears first',
      (c) => {
        c.states.serving.on['server.drain'].actions = ['announce'];
      },
      /the set does not know it first/,
    ],
  ])('%s', { timeout: 60_000 }, (what, change, expected) => {
    const settings = serverSettings(CHECKS);
    const rules = serverRules(true, /address|leaves/.test(what));
    const run = (): unknown => explore(broken(serverMachine, change), { settings }, rules);
    expect(violationOf(run).message).toMatch(expected);
  });
});
