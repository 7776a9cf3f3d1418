/** Every interleaving of a machine and its world: see explore.ts. Prints how much there was. */
import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, createMachine } from 'xstate';
import { backendMachine, clientMachine, listenerMachine } from '../../src/machines/index.js';
import { backendSettings } from '../machines/bounds.js';
import { backendWorld } from './backend.js';
import { clientWorld } from './client.js';
import { explore, Violation } from './explore.js';
import { listenerWorld } from './listener.js';

const CLIENT = { settings: { acceptTimeout: 1, closeTimeout: 1, abortTimeout: 1 } };

test.each([
  [true, 1],
  [true, 2],
  [false, 1],
  [false, 2],
])('a backend: persistent %s, %i attempts', { timeout: 120_000 }, (persistent, attemptsMax) => {
  const began = performance.now();
  const { states, transitions } = explore(
    backendMachine,
    { settings: backendSettings(persistent, attemptsMax) },
    backendWorld,
  );
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(
    `backend, persistent ${persistent}, ${attemptsMax} attempts: ${states} states, ${transitions} transitions, ${seconds} s`,
  );
  expect(states).toBeGreaterThan(1_000);
});

test('a client', { timeout: 60_000 }, () => {
  const { states, transitions } = explore(clientMachine, CLIENT, clientWorld);
  console.log(`client: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(100);
});

test('a listener', { timeout: 60_000 }, () => {
  const settings = { clientsMax: 2, bindAttempts: 2, bindBackoff: 1, drainTimeout: 1, abortTimeout: 1 };
  const { states, transitions } = explore(listenerMachine, { settings }, listenerWorld(settings.clientsMax));
  console.log(`listener: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(500);
});

describe('a machine that is wrong in one place is found out', () => {
  type Config = { states: Record<string, never>; [more: string]: unknown };

  /** The same machine with something changed. */
  function broken(machine: AnyStateMachine, change: (config: Config) => void): AnyStateMachine {
    const config = structuredCloneWithFunctions(machine.config) as Config;
    change(config);
    return createMachine(config as never).provide(machine.implementations as never) as never;
  }

  /** structuredClone refuses functions, which a machine's context is. */
  function structuredCloneWithFunctions(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(structuredCloneWithFunctions);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, structuredCloneWithFunctions(part)]));
  }

  // biome-ignore lint/suspicious/noExplicitAny: a configuration is taken apart here
  type Loose = any;

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
        c.states.active.states.failover.entry = [];
      },
      /.+/,
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
  ])('a backend: %s', { timeout: 60_000 }, (_what, change, expected) => {
    const machine = broken(backendMachine, change);
    const run = (): unknown => explore(machine, { settings: backendSettings(true, 1) }, backendWorld);
    let found: unknown;
    try {
      run();
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(Violation);
    expect((found as Violation).message).toMatch(expected);
    expect((found as Violation).message).toContain('sequenceDiagram');
  });
});
