/** Every interleaving of several machines and their model, wired as the library wires them. Prints how much there was. */
import { describe, expect, test } from 'vitest';
import { proxyMachine, sessionMachine } from '../../src/machines/index.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { broken, type Loose, violationOf } from './broken.js';
import type { ConnectionBounds } from './connection.js';
import { exploreSystem } from './explore.js';
import { strictConnection } from './strict/session.js';
import { type WholeBounds, wholeRules } from './whole.js';

const CONNECTION: ConnectionBounds = { askedMax: 1, hooks: false, attemptsMax: 1, idleTimeout: 4 };
const WHOLE: WholeBounds = { ...CONNECTION, askedMax: 0, stopsMax: 1 };

const IS_LARGE = process.env.SOCKCHART_LARGE === '1';

/** These take minutes; docs/correctness.md says how to run them. */
const LARGE_CONNECTIONS: readonly [string, ConnectionBounds][] = [
  [
    'ends are asked for at any time, two attempts, and hooks that take their time',
    { ...CONNECTION, askedMax: Number.POSITIVE_INFINITY, attemptsMax: 2, hooks: true },
  ],
];
const LARGE: readonly [string, WholeBounds][] = [
  ['two stops', { ...WHOLE, stopsMax: 2 }],
  ['one stop, and one end asked for', { ...WHOLE, askedMax: 1 }],
  ['one stop, and an admission that takes its time', { ...WHOLE, admits: true }],
];

test.each<[string, ConnectionBounds]>([
  ['ends are asked for at any time', { ...CONNECTION, askedMax: Number.POSITIVE_INFINITY }],
  ['two attempts, and hooks that take their time', { ...CONNECTION, attemptsMax: 2, hooks: true }],
  ['a TLS handshake comes first', { ...CONNECTION, tls: true }],
  ['its route takes its time', { ...CONNECTION, routes: true }],
  ['nothing is too idle', { ...CONNECTION, idleTimeout: NEVER_MS }],
  ['the end of one side ends both', { ...CONNECTION, halfClose: false }],
  ['the same, and any command may throw, once', { ...CONNECTION, halfClose: false, askedMax: 0, faultsMax: 1 }],
  ['any command may throw, once', { ...CONNECTION, askedMax: 0, faultsMax: 1 }],
  ...(IS_LARGE ? LARGE_CONNECTIONS : []),
])('a client, its session and its backend: %s', { timeout: 240_000 }, (what, bounds) => {
  const { states, transitions } = exploreSystem(strictConnection(bounds));
  console.log(`connection, ${what}: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(4_000);
});

test.each<[string, WholeBounds]>([['one stop', WHOLE], ...(IS_LARGE ? LARGE : [])])(
  'a proxy, its listener and a connection, from start to end: %s',
  { timeout: 1_200_000 },
  (what, bounds) => {
    const { states, transitions } = exploreSystem(wholeRules(bounds));
    console.log(`proxy, listener and connection, ${what}: ${states} states, ${transitions} transitions`);
    expect(states).toBeGreaterThan(20_000);
  },
);

describe('a machine that is wrong in one place is found out', () => {
  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'a lost client leaves its backend alone',
      (c) => {
        c.states.relaying.on['client.closed'].actions = ['noteLoss'];
      },
      /The client was lost, and the backend is not cut \(9\)/,
    ],
    [
      'an end goes to the wrong side',
      (c) => {
        c.states.relaying.states.both.on['client.ended'].actions = ['endClient'];
      },
      /a FIN that no peer has sent \(9\)/,
    ],
    [
      'a loss is not noted',
      (c) => {
        c.states.relaying.on['backend.closed'].actions = ['resetClient'];
        c.states.finishing.states.clientOnly.on['client.closed'].actions = [];
      },
      /It was cut, and says ended|It says that all was flushed/,
    ],
    [
      'a drain is not bounded',
      (c) => {
        delete c.states.draining.after;
      },
      /time alone leads to no end/,
    ],
    [
      'a leg that takes nothing is waited for',
      (c) => {
        delete c.states.finishing.states.clientOnly.after;
        delete c.states.finishing.states.backendOnly.after;
        delete c.states.finishing.states.both.after;
      },
      /time alone leads to no end/,
    ],
    [
      'it does not wait for its backend',
      (c) => {
        c.states.finishing.states.backendOnly.always = { target: '#session.gone' };
      },
      /ends before its legs/,
    ],
  ])('a session: %s', { timeout: 60_000 }, (_what, change, expected) => {
    const rules = strictConnection({ ...CONNECTION, idleTimeout: NEVER_MS });
    const session = { ...rules.parts.session, machine: broken(sessionMachine, change) };
    const { message } = violationOf(() => exploreSystem({ ...rules, parts: { ...rules.parts, session } }));
    expect(message).toMatch(expected);
    expect(message).toContain('sequenceDiagram');
  });

  test.each<[string, (config: Loose) => void, RegExp]>([
    [
      'it stops without its listeners',
      (c) => {
        c.states.draining.entry = ['awaitSessions'];
        c.states.stopping.states.listeners.after = { abortTimeout: { target: 'backends' } };
      },
      /its listener goes on/,
    ],
  ])('a proxy: %s', { timeout: 60_000 }, (_what, change, expected) => {
    const rules = wholeRules(WHOLE);
    const proxy = { ...rules.parts.proxy, machine: broken(proxyMachine, change) };
    expect(violationOf(() => exploreSystem({ ...rules, parts: { ...rules.parts, proxy } })).message).toMatch(expected);
  });
});
