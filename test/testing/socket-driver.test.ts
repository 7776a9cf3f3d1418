/** Machines on real sockets, whose paths `socketDriver` takes: what it finds that they leave behind. */
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { assign, emit, fromCallback, setup } from 'xstate';
import { attach, type SocketCommands } from '../../src/index.js';
import { compile } from '../../src/runtime/index.js';
import { describePath, drivePath, exploreMachine, ManualClock, socketDriver } from '../../src/testing/index.js';

/** A connection that is tried again once. @param mistake what is wrong with it */
const machineWith = (mistake?: 'leaves it open') =>
  setup({
    types: {} as { context: { tries: number }; emitted: { type: 'socket.open' | 'socket.destroy' } },
    actions: {
      open: emit({ type: 'socket.open' }),
      destroy: emit({ type: 'socket.destroy' }),
      count: assign({ tries: ({ context }) => context.tries + 1 }),
    },
    guards: { isFirst: ({ context }) => context.tries < 2 },
    delays: { pause: 500, answerTimeout: 3_000 },
  }).createMachine({
    id: 'asker',
    context: { tries: 0 },
    initial: 'connecting',
    states: {
      connecting: {
        entry: ['count', 'open'],
        on: {
          'socket.connected': 'asking',
          'socket.closed': [{ guard: 'isFirst', target: 'pausing' }, { target: 'failed' }],
        },
      },
      pausing: { after: { pause: 'connecting' } },
      asking: {
        on: {
          'answer.received': 'answered',
          'socket.ended': 'failed',
          'socket.closed': [{ guard: 'isFirst', target: 'pausing' }, { target: 'failed' }],
          'owner.cancel': 'failed',
        },
        after: { answerTimeout: 'failed' },
      },
      answered: { type: 'final', entry: mistake === undefined ? 'destroy' : [] },
      failed: { type: 'final', entry: 'destroy' },
    },
  });

const pathsOf = (machine: ReturnType<typeof machineWith>) => {
  const runnable = compile(machine);
  const driver = socketDriver({
    machine,
    attach: (port, clock) =>
      attach(() => connect(port, '127.0.0.1'), runnable, {
        clock,
        events: {
          connected: 'socket.connected',
          data: 'answer.received',
          ended: 'socket.ended',
          closed: 'socket.closed',
        } as never,
        commands: { 'socket.open': 'open', 'socket.destroy': 'destroy' },
      }),
    peer: {
      'socket.connected': 'connects',
      'answer.received': { sends: 'yes' },
      'socket.ended': 'ends',
      'socket.closed': 'resets',
    },
  });
  const key = ({ context }: { context: { tries: number } }): number => context.tries;
  return { driver, paths: exploreMachine(machine, { input: undefined, key: key as never }).edgePaths() };
};

test('takes every path of a machine that connects again', async () => {
  const { driver, paths } = pathsOf(machineWith());
  const stopped: string[] = [];
  for (const path of paths) {
    const result = await drivePath(path, driver);
    if (result.stopped !== undefined) stopped.push(`${describePath(path)}: ${result.stopped}`);
  }
  expect(paths.length).toBeGreaterThan(8);
  expect(stopped).toEqual([]);
});

test('takes the paths of a machine that is told of bytes, and not of the connection', async () => {
  const machine = setup({}).createMachine({
    id: 'reader',
    initial: 'connecting',
    states: {
      connecting: {
        entry: emit({ type: 'socket.open' }),
        on: { 'socket.opened': 'open', 'socket.closed': 'failed' },
      },
      open: { on: { 'socket.closed': 'closed', 'owner.wait': 'waiting' } },
      waiting: { on: { 'socket.closed': 'closed' } },
      closed: { type: 'final' },
      failed: { type: 'final' },
    },
  });
  const driver = socketDriver({
    machine,
    attach: (port, clock) =>
      attach(() => connect(port, '127.0.0.1'), compile(machine), {
        clock,
        events: { data: 'socket.opened', closed: 'socket.closed' } as never,
        commands: { 'socket.open': 'open' } as never,
      }),
    peer: { 'socket.opened': { sends: 'hello' }, 'socket.closed': 'resets' },
  });
  const paths = exploreMachine(machine, { input: undefined }).edgePaths();
  const ends: unknown[] = [];
  for (const path of paths) ends.push((await drivePath(path, driver)).stopped ?? path.at(-1)?.to);
  expect(ends.toSorted()).toEqual(['closed', 'closed', 'failed']);
});

test('finds a socket that was left open', async () => {
  const { driver, paths } = pathsOf(machineWith('leaves it open'));
  const found: string[] = [];
  for (const path of paths) await drivePath(path, driver).catch(({ message }) => found.push(message));
  expect(found.length).toBeGreaterThan(0);
  for (const message of found) expect(message).toMatch(/^asker#\d+ has ended in "answered" and left its socket open/);
});

/** It pings, and connects again without an answer: with or without a release before. */
const pingerOf = (release: 'destroys' | 'forgets', tag?: 'holdsSocket') =>
  setup({
    types: {} as { emitted: { type: 'socket.open' | 'socket.destroy' } },
    actions: { open: emit({ type: 'socket.open' }), destroy: emit({ type: 'socket.destroy' }) },
    delays: { pongTimeout: 2_000, backoff: 500 },
  }).createMachine({
    id: 'pinger',
    initial: 'connecting',
    states: {
      connecting: {
        tags: tag ?? [],
        entry: 'open',
        on: { 'socket.connected': 'open', 'socket.closed': 'waiting' },
      },
      open: {
        tags: tag ?? [],
        on: { 'socket.closed': 'waiting' },
        after: { pongTimeout: { target: 'waiting', actions: release === 'destroys' ? 'destroy' : [] } },
      },
      waiting: tag === undefined ? { after: { backoff: 'connecting' } } : { on: { 'owner.connect': 'connecting' } },
    },
  });
/** What performs the command that opens a socket. */
const OPENS = {
  attach: () => 'open',
  'a command': (port) => (_, attached) => attached.use(connect(port, '127.0.0.1')),
  'a command, later,': (port) => async (_, attached) => {
    await turn();
    if (attached.state === 'connecting') attached.use(connect(port, '127.0.0.1'));
  },
} satisfies Record<string, (port: number) => SocketCommands<ReturnType<typeof pingerOf>>['socket.open']>;

const leaksOf = async (
  machine: ReturnType<typeof pingerOf>,
  opens: keyof typeof OPENS = 'attach',
): Promise<Record<string, string>> => {
  const driver = socketDriver({
    machine,
    attach: (port, clock) =>
      attach(opens === 'attach' ? () => connect(port, '127.0.0.1') : undefined, compile(machine), {
        clock,
        events: { connected: 'socket.connected', closed: 'socket.closed' } as never,
        commands: {
          'socket.open': OPENS[opens](port),
          'socket.destroy': 'destroy',
        },
      }),
    peer: { 'socket.connected': 'connects', 'socket.closed': 'resets' },
  });
  const graph = exploreMachine(machine, { input: undefined });
  const found: Record<string, string> = {};
  for (const path of [...graph.edgePaths(), ...graph.simplePaths()]) {
    const message = (error: Error): void => {
      found[describePath(path)] = error.message.split('\n')[0]?.replace(/#\d+/, '#1') ?? '';
    };
    await drivePath(path, driver).catch(message);
  }
  return found;
};

test.each([
  ['attach', undefined],
  ['attach', 'holdsSocket'],
  ['a command', undefined],
  ['a command, later,', undefined],
] as const)('lets a machine connect again that destroys its socket: %s opens it, tag %s', async (opens, tag) => {
  expect(await leaksOf(pingerOf('destroys', tag), opens)).toEqual({});
});

test.each(['attach', 'a command'] as const)(
  'finds a socket that is left open between two attempts, by the timer that opens the next: %s opens it',
  async (opens) => {
    expect(await leaksOf(pingerOf('forgets'), opens)).toEqual({
      'connecting –socket.connected→ open –pongTimeout→ waiting':
        'pinger#1 rests in "waiting" with its socket open, and backoff opens another',
    });
  },
);

test('finds a socket that is left open in a state without the tag holdsSocket', async () => {
  expect(await leaksOf(pingerOf('forgets', 'holdsSocket'))).toEqual({
    'connecting –socket.connected→ open –pongTimeout→ waiting':
      'pinger#1 rests in "waiting" with its socket open, and no tag holdsSocket',
  });
});

test('finds a socket that is left open before it takes the next step', async () => {
  const machine = pingerOf('forgets');
  const path = ['socket.connected', 'xstate.after.pongTimeout.pinger.open', 'xstate.after.backoff.pinger.waiting'];
  const states = ['connecting', 'open', 'waiting', 'connecting'];
  const driver = socketDriver({
    machine,
    attach: (port, clock) =>
      attach(() => connect(port, '127.0.0.1'), compile(machine), {
        clock,
        events: { connected: 'socket.connected', closed: 'socket.closed' } as never,
        commands: { 'socket.open': 'open', 'socket.destroy': 'destroy' },
      }),
    peer: { 'socket.connected': 'connects' },
  });
  const steps = path.map((type, at) => ({ event: { type }, from: states[at] ?? '', to: states[at + 1] ?? '' }));
  await expect(drivePath(steps, driver)).rejects.toThrow(/rests in "waiting" .*, and backoff opens another/);
});

test('finds a timer of an actor that was stopped, and says where it was started', async () => {
  const timers: NodeJS.Timeout[] = [];
  const machineOf = (isTidy: boolean) =>
    setup({
      actors: {
        watch: fromCallback(() => {
          const timer = setInterval(() => {}, 60_000);
          timers.push(timer);
          return isTidy ? () => clearInterval(timer) : undefined;
        }),
      },
    }).createMachine({
      id: 'watcher',
      initial: 'on',
      states: {
        on: { invoke: { src: 'watch' }, on: { 'owner.wait': 'waiting', 'socket.closed': 'off' } },
        waiting: { on: { 'socket.closed': 'off' } },
        off: { type: 'final' },
      },
    });
  const outcomes = async (machine: ReturnType<typeof machineOf>): Promise<string[]> => {
    const driver = socketDriver({
      machine,
      attach: (port, clock) =>
        attach(connect(port, '127.0.0.1'), compile(machine), {
          clock,
          events: { closed: 'socket.closed' } as never,
          commands: {},
        }),
      peer: { 'socket.closed': 'resets' },
    });
    const found: string[] = [];
    for (const path of exploreMachine(machine, { input: undefined }).edgePaths()) {
      found.push(
        await drivePath(path, driver).then(
          () => 'tidy',
          ({ message }) => message,
        ),
      );
    }
    for (const timer of timers.splice(0)) clearInterval(timer);
    return found;
  };
  expect(new Set(await outcomes(machineOf(true)))).toEqual(new Set(['tidy']));
  const found = await outcomes(machineOf(false));
  expect(found.length).toBeGreaterThan(1);
  for (const message of found) {
    expect(message).toMatch(
      /^watcher#\d+ was over, and a timer still ran that was started at .*socket-driver\.test\.ts:\d+/,
    );
  }
});

test('finds a timer that was left running', async () => {
  const clock = new ManualClock();
  const { paths } = pathsOf(machineWith());
  const driver = socketDriver({
    machine: machineWith(),
    attach: (port, its) => {
      its.setTimeout(() => {}, 10_000);
      return attach(() => connect(port, '127.0.0.1'), compile(machineWith()), {
        clock: its,
        events: { connected: 'socket.connected', closed: 'socket.closed' } as never,
        commands: { 'socket.open': 'open', 'socket.destroy': 'destroy' },
      });
    },
    peer: { 'socket.connected': 'connects', 'socket.closed': 'resets' },
  });
  const path = paths.find((one) => one.at(-1)?.event.type === 'owner.cancel');
  await expect(drivePath(path as never, driver)).rejects.toThrow('left a timer running');
  expect(clock.pending).toBe(0);
});
