/** Every interleaving of a machine and its model: see explore.ts. Prints how much there was. */
import { describe, expect, test } from 'vitest';
import { backendMachine, clientMachine, listenerMachine, proxyMachine } from '../../src/machines/index.js';
import { backendSettings, checkSettings, clientSettings, nameSettings } from '../machines/bounds.js';
import { backendRules } from './backend.js';
import { broken, type Loose, violationOf } from './broken.js';
import { boundedChecks, checkRules } from './check.js';
import { clientRules } from './client.js';
import { type Explored, explore } from './explore.js';
import { listenerRules } from './listener.js';
import { boundedNames, nameRules } from './name.js';
import { proxyRules } from './proxy.js';
import { strictBackend } from './strict/backend.js';
import { strictClient } from './strict/client.js';
import { strictListener } from './strict/listener.js';
import { strictProxy } from './strict/proxy.js';

const LISTENER = {
  settings: {
    clientsMax: 2,
    bindAttempts: 2,
    bindBackoff: 1,
    drainTimeout: 1,
    admissionTimeout: 1,
    abortTimeout: 1,
    lingerMax: 1,
  },
};
const PROXY = { settings: { drainTimeout: 1, abortTimeout: 1, lingerMax: 1 } };
const CLIENT = { settings: clientSettings(4) };
const TLS_CLIENT = { settings: { ...clientSettings(4), speaksTls: true } };
const PROXIED_CLIENT = { settings: { ...clientSettings(4), speaksTls: true, isProxied: true } };

test.each([
  [true, 1, false],
  [true, 2, false],
  [true, 1, true],
  [false, 1, false],
  [false, 2, false],
])('a backend: persistent %s, %i attempts, on demand %s', { timeout: 120_000 }, (persistent, attemptsMax, onDemand) => {
  const settings = backendSettings(persistent, attemptsMax, onDemand);
  const began = performance.now();
  const { states, transitions } = explore(backendMachine, { settings }, strictBackend);
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(
    `backend, persistent ${persistent}, ${attemptsMax} attempts, on demand ${onDemand}: ${states} states, ${transitions} transitions, ${seconds} s`,
  );
  expect(states).toBeGreaterThan(1_000);
});

test.each([
  ['TCP', CLIENT],
  ['TLS', TLS_CLIENT],
  ['TLS, behind a proxy', PROXIED_CLIENT],
])('a client over %s', { timeout: 60_000 }, (over, input) => {
  const { states, transitions } = explore(clientMachine, input, strictClient);
  console.log(`client over ${over}: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(100);
});

test.each([1, 2])('a listener: %i attempts to bind', { timeout: 60_000 }, (bindAttempts) => {
  const settings = { ...LISTENER.settings, bindAttempts };
  const { states, transitions } = explore(listenerMachine, { settings }, strictListener(2, bindAttempts));
  console.log(`listener, ${bindAttempts} attempts to bind: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(500);
});

test('a proxy', { timeout: 60_000 }, () => {
  const { states, transitions } = explore(proxyMachine, PROXY, strictProxy);
  console.log(`proxy: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(200);
});

test('a name', { timeout: 60_000 }, () => {
  const { states, transitions } = explore(boundedNames, { settings: nameSettings }, nameRules);
  console.log(`name: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(200);
});

test('the checks of a server', { timeout: 60_000 }, () => {
  const { states, transitions } = explore(boundedChecks, { settings: checkSettings }, checkRules);
  console.log(`check: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(200);
});

describe('any command may throw, once', () => {
  const explored = (what: string, { states, transitions }: Explored, least: number): void => {
    console.log(`${what}, one command throws: ${states} states, ${transitions} transitions`);
    expect(states).toBeGreaterThan(least);
  };

  test.each([true, false])('of a backend: persistent %s', { timeout: 120_000 }, (persistent) => {
    const input = { settings: backendSettings(persistent, 1) };
    explored(`backend, persistent ${persistent}`, explore(backendMachine, input, backendRules, 1), 1_000);
  });

  test.each([
    ['TCP', CLIENT],
    ['TLS', TLS_CLIENT],
    ['TLS, behind a proxy', PROXIED_CLIENT],
  ])('of a client over %s', { timeout: 60_000 }, (over, input) => {
    explored(`client over ${over}`, explore(clientMachine, input, clientRules, 1), 100);
  });

  test.each([1, 2])('of a listener: %i attempts to bind', { timeout: 60_000 }, (bindAttempts) => {
    const settings = { ...LISTENER.settings, bindAttempts };
    explored('listener', explore(listenerMachine, { settings }, listenerRules(2), 1), 200);
  });

  test('of the checks of a server', { timeout: 60_000 }, () => {
    explored('check', explore(boundedChecks, { settings: checkSettings }, checkRules, 1), 200);
  });

  test('of a name', { timeout: 60_000 }, () => {
    explored('name', explore(boundedNames, { settings: nameSettings }, nameRules, 1), 200);
  });

  test('of a proxy', { timeout: 60_000 }, () => {
    explored('proxy', explore(proxyMachine, PROXY, proxyRules, 1), 500);
  });
});

describe('a machine that is wrong in one place is found out', () => {
  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'a close leads back',
      (c) => {
        c.states.closing.on['backend.connect'] = { target: 'active' };
      },
      /after the end was asked for|before the last/,
    ],
    [
      'a release is forgotten',
      (c) => {
        delete c.states.active.states.failover.on['holds.emptied'].actions;
      },
      /It is released too late/,
    ],
    [
      'an abort does not expire',
      (c) => {
        delete c.states.aborting.after;
      },
      /time alone leads to no end/,
    ],
    [
      'an attempt does not time out',
      (c) => {
        delete c.states.active.states.connecting.after;
      },
      /time alone leads to no end/,
    ],
    [
      'a drop is told twice',
      (c) => {
        c.states.active.states.connecting.entry = ['countAttempt', 'openSocket', 'dropOwner'];
      },
      /Only what was established can drop/,
    ],
  ])('a backend: %s', { timeout: 120_000 }, (_what, change, expected) => {
    const machine = broken(backendMachine, change);
    const settings = backendSettings(true, 1);
    const run = (): unknown => explore(machine, { settings }, strictBackend);
    const { message } = violationOf(run);
    expect(message).toMatch(expected);
    expect(message).toContain('sequenceDiagram');
  });

  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'a check that takes too long goes on',
      (c) => {
        c.states.checking.after.checkTimeout.actions = ['tellFailed'];
      },
      /tells its owner what is not so/,
    ],
    [
      'a pause leaves the check',
      (c) => {
        delete c.states.checking.on['check.pause'].actions;
      },
      /It is paused, and its check is 1/,
    ],
    [
      'the answer of an earlier check counts',
      (c) => {
        c.states.checking.on['check.passed'] = { target: 'deferring', actions: ['tellPassed'] };
      },
      /tells its owner what is not so/,
    ],
    [
      'a wait has no end',
      (c) => {
        delete c.states.starting.after;
      },
      /time alone leads to no end/,
    ],
  ])('the checks of a server: %s', (_what, change, expected) => {
    const machine = broken(boundedChecks, change);
    const { message } = violationOf(() => explore(machine, { settings: checkSettings }, checkRules));
    expect(message).toMatch(expected);
  });

  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'it accepts while it drains',
      (c) => {
        c.states.draining.on['client.arrived'] = { actions: ['countAdopted', 'adoptClient'] };
      },
      /adopts a client while it does not listen/,
    ],
    [
      'its clients are not cut',
      (c) => {
        c.states.aborting.entry = [];
      },
      /leaves its clients as they are/,
    ],
  ])('a listener: %s', (_what, change, expected) => {
    const { message } = violationOf(() => explore(broken(listenerMachine, change), LISTENER, strictListener(2, 2)));
    expect(message).toMatch(expected);
  });

  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'its sessions are not waited for',
      (c) => {
        c.states.stopping.initial = 'backends';
        c.states.draining.on['proxy.close'] = { target: 'stopping' };
      },
      /closes its backends under a session/,
    ],
    [
      'a drain has no deadline',
      (c) => {
        delete c.states.draining.after;
      },
      /time alone leads to no end/,
    ],
    [
      'it listens first',
      (c) => {
        c.states.starting.initial = 'binding';
      },
      /before its backends are there/,
    ],
  ])('a proxy: %s', (_what, change, expected) => {
    expect(violationOf(() => explore(broken(proxyMachine, change), PROXY, strictProxy)).message).toMatch(expected);
  });
});
