/** The checks of the simulation can fail: the library is broken on purpose, in one place each, and every break is found out. */
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Backend } from '../../src/adapters/backend.js';
import { Client } from '../../src/adapters/client.js';
import { Listener } from '../../src/adapters/listener.js';
import { Peek } from '../../src/adapters/peek.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { TcpProxy } from '../../src/proxy/proxy.js';
import { Session } from '../../src/proxy/session.js';
import { Leg } from '../../src/relay/leg.js';
import { Relay } from '../../src/relay/relay.js';
import { FirstBytes } from '../../src/sockets/first-bytes.js';
import { Backoff } from '../../src/upstream/backoff.js';
import { RetryBudget } from '../../src/upstream/budget.js';
import { Servers } from '../../src/upstream/servers.js';
import { planOf } from './plan.js';
import { play, report } from './simulate.js';

/** A method of a class of the library, and what takes its place: it is given what it replaces. */
type Break = readonly [prototype: object, method: string, make: (own: AnyMethod) => AnyMethod];

// biome-ignore lint/suspicious/noExplicitAny: whatever method of whatever class.
type AnyMethod = (this: any, ...args: any[]) => unknown;

const nothing = (): AnyMethod => () => {};

/** Each with the numbers of the properties that it violates. */
const BREAKS: Record<string, readonly [readonly number[], ...Break]> = {
  'a backend dials once more when it is over': [
    [1, 6],
    Backend.prototype,
    'finished',
    (own) =>
      function (outcome) {
        own.call(this, outcome);
        connect({ host: '10.0.2.1', port: 5_000 }).on('error', () => {});
      },
  ],
  'a drop is reported twice': [
    [2],
    Backend.prototype,
    'dropOwner',
    (own) =>
      function (cause) {
        own.call(this, cause);
        own.call(this, cause);
      },
  ],
  'a release is reported twice': [
    [3],
    Backend.prototype,
    'releaseOwner',
    (own) =>
      function (incarnation) {
        own.call(this, incarnation);
        own.call(this, incarnation);
      },
  ],
  'nobody is told of a release': [[3], Backend.prototype, 'releaseOwner', nothing],
  'holders are not waited for': [
    [3],
    Backend.prototype,
    'revokeHolds',
    () =>
      function () {
        this.instance.send({ type: 'holds.emptied' });
      },
  ],
  'a client that a hook turns away is admitted': [
    [8],
    Client.prototype,
    'callHook',
    (own) =>
      function (name, hook, signal) {
        return own.call(this, name, async () => (await hook()) || true, signal);
      },
  ],
  'a client goes to another server than the hook answers': [
    [8],
    Session.prototype,
    'goTo',
    (own) =>
      function (target) {
        own.call(this, { ...target, only: undefined });
      },
  ],
  'last words are cut short': [
    [9],
    Client.prototype,
    'turnAway',
    (own) =>
      function (cause, words) {
        own.call(this, cause, words?.subarray(0, -1));
      },
  ],
  'a client is reset in place of last words': [
    [8],
    Client.prototype,
    'turnAway',
    (own) =>
      function (cause) {
        own.call(this, cause, undefined);
      },
  ],
  'a look at the first bytes loses some': [
    [8, 9],
    FirstBytes.prototype,
    'add',
    (own) =>
      function (chunk) {
        own.call(this, chunk.subarray(0, 1_000));
      },
  ],
  'a look waits for bytes that never come': [
    [6],
    Peek.prototype,
    'begin',
    (own) =>
      function (_timeoutMs, read) {
        return own.call(this, NEVER_MS, read);
      },
  ],
  'what was read before the socket is handed over is lost': [[6, 7, 8, 9], Relay.prototype, 'giveBack', nothing],
  'a drain does not wait for a socket that other code has': [
    [6],
    Client.prototype,
    'hasTag',
    (own) =>
      function (tag) {
        return own.call(this, tag) && (tag !== 'served' || !this.state.startsWith('lent'));
      },
  ],
  'an attempt that has failed is reported as a drop': [
    [4],
    Session.prototype,
    'legClosed',
    (own) =>
      function (leg, outcome) {
        own.call(this, leg, outcome.ending === 'failed' ? { ...outcome, ending: 'dropped' } : outcome);
      },
  ],
  'no backoff': [[5], Backoff.prototype, 'delayMs', () => () => 0],
  'no budget': [[5], RetryBudget.prototype, 'withdraw', () => () => true],
  'the limit of a server is not kept': [
    [5],
    Servers.prototype,
    'choose',
    () =>
      function () {
        const [server] = this.list;
        server.connections++;
        return { kind: 'chosen', server };
      },
  ],
  'a socket to a server is never destroyed': [[5, 6, 9], Backend.prototype, 'destroySocket', nothing],
  'a server goes on listening': [[6, 11], Listener.prototype, 'closeServer', nothing],
  'what an abort resets lives on': [[6, 9], Client.prototype, 'resetSocket', nothing],
  'what is let go of is reset': [
    [8],
    Client.prototype,
    'lingerSocket',
    (own) =>
      function () {
        own.call(this);
        this.resetSocket();
      },
  ],
  'a listener throws when a socket fails': [
    [6, 7],
    Backend.prototype,
    'socketFailed',
    () => () => {
      throw new Error('Nobody has thought of that.');
    },
  ],
  'what was read ahead is lost': [
    [8, 9],
    Relay.prototype,
    'start',
    (own) =>
      function (backend) {
        const { fromClient } = this;
        if (fromClient > 0) this.readAhead(0);
        own.call(this, backend);
      },
  ],
  'a chunk is written twice now and then': [
    [8],
    Leg.prototype,
    'read',
    (own) =>
      function (bytes, buffer) {
        if (bytes === 536) own.call(this, bytes, buffer);
        return own.call(this, bytes, buffer);
      },
  ],
  'a reset is passed on as an end': [
    [9],
    Client.prototype,
    'resetSocket',
    () =>
      function () {
        this.socket.end();
        this.socket.destroy();
      },
  ],
  'what a client says that is being closed is an end to the server': [
    [9],
    Client.prototype,
    'socketEnded',
    () =>
      function () {
        this.instance.send({ type: 'socket.ended' });
        this.session?.legEnded(this);
      },
  ],
  'an end is not passed on': [[9, 10, 6], Relay.prototype, 'end', nothing],
  'an end closes the other direction as well': [
    [8, 9, 10],
    Relay.prototype,
    'end',
    () => (to: Socket) => {
      to.destroySoon();
    },
  ],
  'backends are closed before the sessions are over': [
    [11],
    TcpProxy.prototype,
    'closeListeners',
    (own) =>
      function () {
        for (const backend of this.backends) void backend.close();
        own.call(this);
      },
  ],
};

/** So many runs have to be enough to find it out. */
const RUNS_MAX = 600;

async function broken<T>([prototype, method, make]: Break, run: () => Promise<T>): Promise<T> {
  const own = Object.getOwnPropertyDescriptor(prototype, method);
  // A method that several kinds share is made wrong for this one only.
  const inherited = (prototype as Record<string, AnyMethod>)[method] as AnyMethod;
  Object.defineProperty(prototype, method, { configurable: true, writable: true, ...own, value: make(inherited) });
  try {
    return await run();
  } finally {
    if (own === undefined) Reflect.deleteProperty(prototype, method);
    else Object.defineProperty(prototype, method, own);
  }
}

describe('broken on purpose', { timeout: 300_000 }, () => {
  test.each(Object.entries(BREAKS))('%s', async (_name, [properties, ...change]) => {
    const found = await broken(change, async () => {
      for (let seed = 1; seed <= RUNS_MAX; seed++) {
        const result = await play(planOf(seed));
        if (result.found !== undefined) return { seed, ...result.found };
      }
      return undefined;
    });
    expect(found, 'what was found').toBeDefined();
    expect(properties, JSON.stringify(found)).toContain(found?.property);
  });

  test('a failing run is made small, and tells its story', async () => {
    const [, ...change] = BREAKS['a drop is reported twice'] as (typeof BREAKS)[string];
    const text = await broken(change, async () => {
      for (let seed = 1; ; seed++) {
        const result = await play(planOf(seed));
        if (result.found !== undefined) return report(seed, result);
      }
    });
    expect(text).toMatch(/^seed \d+: property 2 is violated: backend#1, incarnation \d+ is dropped twice\n/);
    expect(text).toMatch(/CHECK +property 2 is violated/);
    expect(text).toMatch(/all of it: npm run simulate -- --seed \d+$/);
    const { clients, actions, faults, backends } = JSON.parse(/its plan: (.*)/.exec(text)?.[1] as string);
    expect([clients.length, actions.length, faults.length, backends.length]).toEqual([0, 0, 0, 1]);
  });
});
