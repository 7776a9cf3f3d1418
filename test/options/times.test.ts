/** Every time, as it is documented: which option feeds which timer, and that nothing happens before it is over. */

import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, initialTransition, transition } from 'xstate';
import { checkedCluster } from '../../src/cluster/options.js';
import { createBackend, createListener, createProxy, type Runtime, type Session } from '../../src/index.js';
import { checkMachine } from '../../src/machines/check.js';
import * as machines from '../../src/machines/index.js';
import {
  BACKEND_LIMITS,
  CLIENT_LIMITS,
  LISTENER_LIMITS,
  type Limits,
  PROXY_LIMITS,
  WORKER_LIMITS,
} from '../../src/machines/limits.js';
import { nameMachine } from '../../src/machines/name.js';
import { serverMachine } from '../../src/machines/server.js';
import { NEVER_MS, QUIET_PROBES } from '../../src/machines/vocabulary.js';
import { workerMachine } from '../../src/machines/worker.js';
import { compiledRuntime } from '../../src/runtime/index.js';
import { exploreMachine, ManualClock } from '../../src/testing/index.js';
import { type Bounded, bounded } from '../machines/bounds.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { turns, until, within } from '../support/wait.js';

const bench = useBench();

/** What a close may take, where the close itself says so. */
const ASKED = 77;
/** The wait that a path's answer asks for. */
const DEFERRED = 100;

const probes = (timeout: number | undefined): number => Math.ceil((timeout as number) / QUIET_PROBES);

type Settings = Readonly<Record<string, number>>;

/** Timers that have another name than the setting that they come from. All others have the same name. */
const OTHERWISE: Readonly<Record<string, (settings: Settings) => number>> = {
  'backend backoff': () => DEFERRED,
  'worker backoff': () => DEFERRED,
  'client idleProbe': ({ idleTimeout }) => probes(idleTimeout),
  'client halfCloseProbe': ({ halfCloseTimeout }) => probes(halfCloseTimeout),
  'backend idleProbe': ({ idleTimeout }) => probes(idleTimeout),
  'backend halfCloseProbe': ({ halfCloseTimeout }) => probes(halfCloseTimeout),
  'listener cutTimeout': ({ lingerMax, abortTimeout }) => (lingerMax as number) + (abortTimeout as number),
  'proxy cutTimeout': ({ lingerMax, abortTimeout }) => (lingerMax as number) + (abortTimeout as number),
  'session idleProbe': ({ idleTimeout }) => probes(idleTimeout),
  'session halfCloseProbe': ({ halfCloseTimeout }) => probes(halfCloseTimeout),
  'session finishProbe': ({ halfCloseTimeout, closeTimeout }) =>
    Math.min(probes(halfCloseTimeout), probes(closeTimeout)),
};

/** The times of a machine's settings, each of which is another number. */
function distinct({ options }: Bounded): Settings {
  const { settings = {} } = (options.input ?? {}) as { settings?: Record<string, unknown> };
  let next = 1_000;
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      next += 8;
      return [name, value === 1_000 ? next : value];
    }),
  ) as Settings;
}

/** The delays that the timers of a machine are set with, on the way along every edge. */
function delaysOf(bound: Bounded, settings: Settings, timeoutMs: number | undefined): Map<string, Set<number>> {
  const { machine, options } = bound;
  const delays = new Map<string, Set<number>>();
  const note = (actions: readonly { type: string; params?: unknown }[]): void => {
    for (const { type, params } of actions) {
      const { delay, event } = (params ?? {}) as { delay?: number; event?: { type: string } };
      if (type !== 'xstate.raise' || delay === undefined) continue;
      const name = event?.type.split('.')[2] as string;
      delays.set(name, (delays.get(name) ?? new Set()).add(delay));
    }
  };
  for (const path of exploreMachine(machine, { ...options, input: { settings } }).edgePaths()) {
    let [snapshot, actions] = initialTransition(machine, { settings } as never);
    note(actions as never);
    for (const { event } of path) {
      const asked = timeoutMs !== undefined && event.type.endsWith('.close') ? { ...event, timeoutMs } : event;
      [snapshot, actions] = transition(machine, snapshot, asked);
      note(actions as never);
    }
  }
  return delays;
}

const nameOf = ({ id }: AnyStateMachine, timer: string): string => `${id} ${timer}`;

const CAUSE = { initiator: 'system', manner: 'error', phase: 'established' } as const;

const worker: Bounded = {
  name: 'worker',
  machine: workerMachine,
  options: {
    input: {
      settings: { attemptsMax: 1, startTimeout: 1_000, stableAfter: 1_000, drainTimeout: 1_000, abortTimeout: 1_000 },
    },
    key: ({ context }) => Math.min(context.attempts, 1),
    events: (type) => {
      if (type === 'restart.deferred') return [{ type, delayMs: DEFERRED }];
      if (type === 'process.closed') return [{ type, outcome: { ending: 'closed', cause: CAUSE, flushed: true } }];
      return [{ type, cause: CAUSE }];
    },
  },
  simple: false,
};

/**
 * Of a worker the paths above ask for a time of their own at each close. The waits of checks follow from the pace and from
 * events: `pacesHold` in test/machines/check-properties.ts says how long each is. Those of servers follow from events, too:
 * test/upstream/server.test.ts has them.
 */
const others = bounded.filter(
  ({ machine }) => ![workerMachine, checkMachine, nameMachine, serverMachine].includes(machine as never),
);
const all = [...others, worker];

/** The timers that were set on the way along every edge: those of the tests before. */
const seen = new Map<string, Set<string>>();

describe.each(all.map((bound) => [bound.name, bound] as const))('%s', (_name, bound) => {
  const settings = distinct(bound);
  const timers = Object.keys(bound.machine.implementations.delays);
  const expected = (timer: string): number | undefined =>
    OTHERWISE[nameOf(bound.machine, timer)]?.(settings) ?? settings[timer];

  test('each timer runs for the time of its setting', () => {
    const delays = delaysOf(bound, settings, undefined);
    seen.set(bound.machine.id, new Set([...(seen.get(bound.machine.id) ?? []), ...delays.keys()]));
    expect([...delays.keys()].filter((timer) => !timers.includes(timer))).toEqual([]);
    for (const [timer, set] of delays) expect([timer, ...set]).toEqual([timer, expected(timer)]);
  });

  test('a close that says how long it may take is taken at its word; nothing else changes', () => {
    for (const [timer, set] of delaysOf(bound, settings, ASKED)) {
      const isOfTheClose = timer === 'closeTimeout' || timer === 'drainTimeout';
      const times = isOfTheClose ? [ASKED, expected(timer)] : [expected(timer)];
      for (const time of set) expect(times, timer).toContain(time);
      if (isOfTheClose) expect([timer, ...set]).toContain(ASKED);
    }
  });
});

test('every timer of every machine was one of these', () => {
  for (const machine of Object.values(machines)) {
    if (
      typeof machine !== 'object' ||
      !('implementations' in machine) ||
      [checkMachine, nameMachine, serverMachine].includes(machine as never)
    )
      continue;
    const { id, implementations } = machine as unknown as AnyStateMachine;
    expect([id, ...[...(seen.get(id) ?? [])].sort()]).toEqual([id, ...Object.keys(implementations.delays).sort()]);
  }
});

test('four quiet probes are never less than the timeout', () => {
  for (const timeout of [1, 2, 3, 4, 5, 99, 100, 101, 60_000, 600_001]) {
    expect(QUIET_PROBES * probes(timeout)).toBeGreaterThanOrEqual(timeout);
    expect((QUIET_PROBES + 1) * probes(timeout)).toBeLessThan(timeout * 1.25 + QUIET_PROBES + 2);
  }
});

describe('options', () => {
  /** Settings that come from an option of another name. */
  const FROM: Readonly<Record<string, string>> = {
    'session closeTimeout': 'drainTimeout',
    'backend cooldown': 'backoff.maxMs',
    'listener admissionTimeout': 'acceptTimeout',
  };
  const COUNTS = ['attemptsMax', 'clientsMax', 'bindAttempts'];

  /** The options of a table that are times. */
  const timesOf = (limits: Limits): string[] =>
    Object.entries(limits).flatMap(([name, { kind }]) => (kind === 'count' ? [] : [name]));

  const NAMES = [
    ...new Set([PROXY_LIMITS, BACKEND_LIMITS, WORKER_LIMITS].flatMap((limits) => timesOf(limits))),
    'backoff.maxMs',
  ];
  const timeOf = (name: string): number => 2_000 + NAMES.indexOf(name);

  /** Options of these names, each with a time of its own. */
  const given = (...names: string[]): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, timeOf(name)]));

  /** Runs machines, and keeps what they are told. */
  function spy(): { runtime: Runtime; settings: Map<string, Record<string, unknown>> } {
    const settings = new Map<string, Record<string, unknown>>();
    return {
      settings,
      runtime: {
        name: 'spy',
        run(machine, input, host) {
          settings.set(machine, (input as { settings: Record<string, unknown> }).settings);
          return compiledRuntime.run(machine, input, host);
        },
      },
    };
  }

  function expectFed(machine: string, settings: Record<string, unknown> | undefined, never: string[] = []): void {
    const times = Object.entries(settings ?? {}).filter(([, value]) => typeof value === 'number');
    expect(times.length).toBeGreaterThan(0);
    for (const [name, value] of times) {
      if (COUNTS.includes(name)) continue;
      const time = never.includes(name) ? NEVER_MS : timeOf(FROM[`${machine} ${name}`] ?? name);
      expect([machine, name, value]).toEqual([machine, name, time]);
    }
  }

  const backoff = { maxMs: timeOf('backoff.maxMs') };

  test('of a backend', () => {
    const { runtime, settings } = spy();
    const options = { ...given(...timesOf(BACKEND_LIMITS)), backoff, runtime };
    bench.keep(createBackend({ servers: [{ port: 1 }], ...options }));
    expectFed('backend', settings.get('backend'));
    bench.keep(createBackend({ servers: [{ port: 1 }], ...options, whenExhausted: 'wait' }));
    expectFed('backend', settings.get('backend'), ['cooldown']);
    bench.keep(createBackend({ servers: [{ port: 1 }], ...options, persistent: false }));
    expectFed('backend', settings.get('backend'), ['stableAfter']);
  });

  test('of a cluster: those of its workers', () => {
    const module = fileURLToPath(import.meta.url);
    expectFed('worker', { ...checkedCluster({ module, ...given(...timesOf(WORKER_LIMITS)) }).settings });
  });

  test.each([
    [60_000, 10_000],
    [false, 10_000],
    [9_000, 9_000],
  ] as const)('a drain waits for an admission of %s ms for %i', async (acceptTimeout, expected) => {
    const { runtime, settings } = spy();
    bench.keep(createListener({ ...LOOPBACK, acceptTimeout, runtime }));
    expect(settings.get('listener')).toMatchObject({ admissionTimeout: expected });
  });

  test('of a listener and its clients', async () => {
    const { runtime, settings } = spy();
    const names = [...timesOf(LISTENER_LIMITS), ...timesOf(CLIENT_LIMITS)];
    const listener = bench.keep(createListener({ ...LOOPBACK, ...given(...names), runtime }));
    bench.dialing((await listener.start()) as { port: number });
    await until('a client', () => settings.has('client'));
    expectFed('listener', settings.get('listener'));
    expectFed('client', settings.get('client'));
  });

  test('of a proxy and all its parts', async () => {
    const { runtime, settings } = spy();
    const server = await bench.echo();
    const options = given(...timesOf(PROXY_LIMITS));
    const proxy = bench.keep(createProxy({ listen: LOOPBACK, servers: [server.at], backoff, ...options, runtime }));
    await proxy.start();
    bench.dialing(proxy.addresses[0] as { port: number });
    await until('a session', () => settings.has('backend'));
    // A session bounds its legs.
    const ours = ['idleTimeout', 'halfCloseTimeout'];
    for (const machine of ['proxy', 'listener', 'session']) expectFed(machine, settings.get(machine));
    expectFed('client', settings.get('client'), ours);
    const { prepareTimeout: _prepare, holdTimeout: _hold, ...backend } = settings.get('backend') ?? {};
    expectFed('backend', backend, ['stableAfter', ...ours]);
  });
});

describe('a session in which nothing moves', () => {
  const TIMEOUT = 1_000;
  const PROBE = TIMEOUT / QUIET_PROBES;

  /** A client and a server that are joined, and time that stands still. */
  async function joined() {
    const clock = new ManualClock();
    const server = await bench.server(() => {});
    const proxy = bench.keep(
      createProxy({
        listen: LOOPBACK,
        servers: [server.at],
        clock,
        idleTimeout: TIMEOUT,
        halfCloseTimeout: TIMEOUT,
        drainTimeout: TIMEOUT,
      }),
    );
    const established = new Promise<Session>((resolve) => proxy.on('established', resolve));
    await proxy.start();
    const client = bench.dialing(proxy.addresses[0] as { port: number });
    const session = await established;
    const peer = await server.connection();
    const readers = { client: new Reader(client, { flow: false }), server: new Reader(peer, { flow: false }) };
    return { clock, session, client, peer, readers };
  }

  type Joined = Awaited<ReturnType<typeof joined>>;

  /** A byte from one end to the other: when it has arrived, the session has seen it. */
  const fromClient = async ({ client, peer, readers }: Joined): Promise<void> => {
    peer.resume();
    client.write('x');
    await readers.server.has(readers.server.bytes + 1);
  };
  const fromServer = async ({ client, peer, readers }: Joined): Promise<void> => {
    client.resume();
    peer.write('x');
    await readers.client.has(readers.client.bytes + 1);
  };

  async function expectCutInTime({ clock, session }: Joined): Promise<void> {
    clock.advance(TIMEOUT - 1);
    await turns(2);
    expect(session.outcome, 'a millisecond before its time').toBeUndefined();
    expect(session.state).not.toMatch(/^finish/);
    clock.advance(PROBE + 1);
    // A leg whose FIN is out is let go of, and closed when its peer is silent.
    clock.advance(5_000);
    expect((await within(5_000, 'the end', session.closed)).cause).toMatchObject({ manner: 'timeout' });
  }

  describe.each([
    ['from the client', fromClient],
    ['from the server', fromServer],
  ] as const)('since a byte %s', (_from, talk) => {
    test.each([0, PROBE - 1, PROBE, PROBE + 1, TIMEOUT - 1])(
      'is cut no earlier than its timeout, and at most a quarter later, from %i ms on',
      async (after) => {
        const one = await joined();
        one.clock.advance(after);
        await talk(one);
        await expectCutInTime(one);
      },
    );
  });

  test('which is half open: the same from the last byte of the other side on', async () => {
    const one = await joined();
    one.clock.advance(PROBE - 1);
    one.peer.resume();
    one.client.end();
    await until('the end', () => one.session.state === 'relaying.clientEnded');
    // The time of a half-open session has begun with that.
    one.clock.advance(PROBE - 1);
    await fromServer(one);
    await expectCutInTime(one);
  });

  test.each(['client', 'server'] as const)(
    'but the %s takes what was read for it: that is progress',
    async (reader) => {
      const one = await joined();
      const { clock, session, client, peer, readers } = one;
      const [from, to] = reader === 'client' ? [peer, client] : [client, peer];
      const ours = reader === 'client' ? session.client.socket : (session.backend.socket as Socket);
      const bytesOf = (): number => session.bytes[reader === 'client' ? 'fromBackend' : 'fromClient'];
      // Nobody reads: all buffers on the way fill up. Then no more is sent.
      let sent = 0;
      for (let before = -1; ours.writableLength === 0 || bytesOf() !== before; await turns(5)) {
        before = bytesOf();
        if (ours.writableLength > 0) continue;
        sent += 65_536;
        from.write(Buffer.alloc(65_536));
      }
      await until('all to be read', () => bytesOf() === sent);
      clock.advance(TIMEOUT - 1);
      expect(ours.writableLength).toBeGreaterThan(0);
      to.resume();
      await until('all to be written', () => ours.writableLength === 0);
      await readers[reader].has(sent);
      clock.advance(TIMEOUT - 1);
      await turns(2);
      expect(session.outcome).toBeUndefined();
      clock.advance(PROBE + 1);
      await within(5_000, 'the end', session.closed);
    },
  );
});
