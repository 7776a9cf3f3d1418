import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AnyStateMachine, assign, createMachine, setup } from 'xstate';
import { OptionError } from '../../src/errors.js';
import { compile, systemClock } from '../../src/runtime/index.js';
import { type Driver, type TestMachineOptions, testMachine } from '../../src/testing/index.js';
import { type LinkMachine, linkDriver, linkMachine, type Mistake, Peers } from './link.js';

type Registered = readonly [name: string, run: () => Promise<void>];

/** What testMachine() registers. */
function registered<M extends AnyStateMachine>(machine: M, options: Omit<TestMachineOptions<M>, 'test'>): Registered[] {
  const tests: Registered[] = [];
  testMachine(machine, { ...options, test: (name, run) => tests.push([name, run]) } as TestMachineOptions<M>);
  return tests;
}

/** Runs them as a test runner would; the messages of those that fail, by name. */
async function failures(tests: readonly Registered[]): Promise<Record<string, string>> {
  const failed: Record<string, string> = {};
  for (const [name, run] of tests) await run().catch((error: Error) => (failed[name] = error.message));
  return failed;
}

let peers: Peers;
beforeAll(async () => {
  peers = await Peers.create();
});
afterAll(() => peers.dispose());

describe('a machine without mistakes', () => {
  const machine = linkMachine();
  testMachine(machine, { test, input: undefined, driver: () => linkDriver(machine, peers)() });
});

describe('what is registered', () => {
  test('one test for each path, and a last one with the transitions', async () => {
    const tests = registered(linkMachine(), { input: undefined });
    expect(tests.map(([name]) => name)).toEqual([
      'link: connecting –link.close→ closing –socket.closed→ closed',
      'link: connecting –socket.closed→ lost',
      'link: connecting –socket.connected→ waiting –greeting.received→ open –link.close→ closing',
      'link: connecting –socket.connected→ waiting –greeting.received→ open –socket.closed→ lost',
      'link: connecting –socket.connected→ waiting –link.close→ closing',
      'link: connecting –socket.connected→ waiting –socket.closed→ lost',
      'link: connecting –socket.connected→ waiting –greetingTimeout→ closing',
      'link: transitions 10/10',
    ]);
    expect(await failures(tests)).toEqual({});
  });

  test('simple paths, where the caller chooses them', () => {
    const tests = registered(linkMachine(), { input: undefined, paths: (graph) => graph.simplePaths() });
    expect(tests.map(([name]) => name)).toContain(
      'link: connecting –socket.connected→ waiting –greetingTimeout→ closing –socket.closed→ closed',
    );
  });

  test('a transition that none of the chosen paths takes', async () => {
    const tests = registered(linkMachine(), { input: undefined, paths: (graph) => graph.edgePaths().slice(0, 2) });
    const failed = await failures(tests);
    expect(Object.keys(failed)).toEqual(['link: transitions 10/10 explored']);
    expect(failed['link: transitions 10/10 explored']).toContain(
      '\n  connecting –socket.connected→ waiting: none of "paths" takes it; one of edgePaths() does\n',
    );
  });

  test('a check that fails says where', async () => {
    const tests = registered(linkMachine(), {
      input: undefined,
      check: ({ steps }) => {
        if (steps.at(-1)?.to === 'lost') throw new Error('it was lost');
      },
    });
    expect(await failures(tests)).toEqual({
      'link: connecting –socket.closed→ lost': 'it was lost',
      'link: connecting –socket.connected→ waiting –greeting.received→ open –socket.closed→ lost': 'it was lost',
      'link: connecting –socket.connected→ waiting –socket.closed→ lost': 'it was lost',
    });
  });
});

describe('on real sockets', () => {
  const failuresOf = (mistake: Mistake, driver = linkDriver) => {
    const machine = linkMachine(mistake);
    return failures(registered(machine, { input: undefined, driver: driver(machine, peers), patienceMs: 300 }));
  };

  test('a forgotten release: the socket does not close', async () => {
    const failed = await failuresOf('forgotten release');
    const name = 'link: connecting –link.close→ closing –socket.closed→ closed';
    expect(failed[name]).toBe(
      [
        'step 2, socket.closed, did not happen in closing: no event came, and it is still in closing',
        'path: connecting –link.close→ closing –socket.closed→ closed',
        'what happened:',
        '  connecting –link.close→ closing',
      ].join('\n'),
    );
    const open = 'link: connecting –socket.connected→ waiting –greeting.received→ open –link.close→ closing';
    expect(failed[open]).toMatch(/^it did not end\npath: connecting .*\nwhat happened:\n {2}connecting –socket/);
  });

  test('a step that does not happen says what the world answered instead', async () => {
    const machine = linkMachine();
    const tests = registered(machine, { input: undefined, driver: linkDriver(machine, peers, true), patienceMs: 300 });
    const failed = await failures(tests);
    const name = 'link: connecting –socket.connected→ waiting –greeting.received→ open –socket.closed→ lost';
    expect(failed[name]).toMatch(
      /^step 2, greeting\.received, did not happen in waiting: the world answered waiting –socket\.closed→ lost\npath: /,
    );
    // Each is told once: what the failed paths have not taken does not fail the last test as well.
    expect(Object.keys(failed).filter((one) => one.includes('transitions'))).toEqual([]);
  });

  test('a step is given up before vitest and Jest give up the test', async () => {
    const machine = linkMachine();
    const driver = async (): Promise<Driver<LinkMachine>> => {
      const run = compile(machine).run(undefined, { id: 'link#0', clock: systemClock, perform() {}, finish() {} });
      run.start();
      const handle = { id: 'link#0', state: 'connecting' };
      return { machine, input: undefined, handle, perform() {}, dispose: () => new Promise(() => {}) };
    };
    const [, run] = registered(machine, { input: undefined, driver })[0] as Registered;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const failed = expect(run()).rejects.toThrow(/^step 1, link\.close, did not happen in connecting: no event came/);
      await vi.advanceTimersByTimeAsync(4_999);
      await failed;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a path that stops early fails the last test, which says where a path has failed', async () => {
    const machine = linkMachine();
    const make = linkDriver(machine, peers);
    const driver = async (): Promise<Driver<LinkMachine>> => {
      const one = await make();
      return {
        ...one,
        perform(step, index) {
          if (step.event.type === 'greeting.received') throw new Error('no greeting');
          return step.event.type.startsWith('xstate.after.') ? 'no time passes' : one.perform(step, index);
        },
      };
    };
    const failed = await failures(registered(machine, { input: undefined, driver }));
    expect(failed['link: transitions 10/10 explored']?.split('\n')).toEqual([
      expect.stringMatching(/^link: transitions 6\/10; never taken: /),
      '  waiting –greeting.received→ open: its path failed, see above',
      '  waiting –greetingTimeout→ closing: it was explored, and did not happen',
      '  open –link.close→ closing: its path failed, see above',
      '  open –socket.closed→ lost: its path failed, see above',
      'Paths that stopped early:',
      '  connecting –socket.connected→ waiting –greetingTimeout→ closing: no time passes',
    ]);
  });

  test('a driver that does not end well says so, with the path', async () => {
    const machine = linkMachine();
    const make = linkDriver(machine, peers);
    const driver = async (): Promise<Driver<LinkMachine>> => {
      const one = await make();
      return {
        ...one,
        dispose: async () => {
          await one.dispose();
          throw new Error('a socket is left');
        },
      };
    };
    const failed = await failures(registered(machine, { input: undefined, driver }));
    expect(Object.values(failed)[0]).toMatch(/^a socket is left\npath: connecting –/);
    // The transitions were taken all the same.
    expect(failed).not.toHaveProperty(['link: transitions 10/10 explored']);
  });
});

/** Retries twice; pays if it is enough. */
const shopMachine = setup({
  types: {
    context: {} as { attempts: number; paid: number },
    events: {} as { type: 'failed' } | { type: 'pay'; amount: number } | { type: 'leave' },
  },
  guards: {
    isExhausted: ({ context }) => context.attempts >= 2,
    isEnough: ({ event }) => event.type === 'pay' && event.amount > 5,
  },
}).createMachine({
  id: 'shop',
  context: { attempts: 0, paid: 0 },
  initial: 'calling',
  states: {
    calling: {
      on: {
        failed: [
          { guard: 'isExhausted', target: 'closed' },
          { actions: assign({ attempts: ({ context }) => context.attempts + 1 }) },
        ],
        pay: { guard: 'isEnough', target: 'paid' },
        leave: [{ target: 'left' }, { target: 'closed' }],
      },
    },
    paid: { on: { leave: 'left' } },
    left: { type: 'final' },
    closed: { type: 'final' },
  },
});

test('a path that leads elsewhere than when it was explored names the key', async () => {
  const machine = setup({ types: { context: {} as { rounds: number } } }).createMachine({
    id: 'way',
    context: { rounds: 0 },
    initial: 'start',
    states: {
      start: { on: { straight: 'middle', around: 'side' } },
      side: { exit: assign({ rounds: 1 }), on: { back: 'middle' } },
      middle: { on: { go: [{ guard: ({ context }) => context.rounds === 0, target: 'early' }, { target: 'late' }] } },
      early: {},
      late: {},
    },
  });
  const tests = registered(machine, { input: undefined, paths: (graph) => graph.simplePaths(), transitionsMin: 0 });
  expect(await failures(tests)).toEqual({
    'way: start –around→ side –back→ middle –go→ early': [
      'step 3, go, led to early while the machine was explored, and leads to late here: "key" must tell apart what the guards read.',
      'path: start –around→ side –back→ middle –go→ early',
    ].join('\n'),
  });
});

test('a driver that gives no payload learns that the machine needs it', async () => {
  const machine = setup({ types: { events: {} as { type: 'ship'; goods: string[] } } }).createMachine({
    id: 'cart',
    initial: 'full',
    states: { full: { on: { ship: { guard: ({ event }) => event.goods.length > 0, target: 'empty' } } }, empty: {} },
  });
  const driver = async (): Promise<Driver<typeof machine>> => {
    const instance = compile(machine).run(undefined, { id: 'cart#1', clock: systemClock, perform() {}, finish() {} });
    instance.start();
    return {
      machine,
      input: undefined,
      handle: { id: 'cart#1', state: 'full' },
      perform: () => instance.send({ type: 'ship', goods: ['tea'] }),
      dispose: async () => {},
    };
  };
  const tests = registered(machine, {
    input: undefined,
    events: (type) => [{ type, goods: ['tea'] } as never],
    driver,
  });
  const [message] = Object.values(await failures(tests));
  expect(message).toMatch(
    /^the machine cannot take ship: .*'length'.*; its payload must come from the driver's eventOf\(\)\npath: /s,
  );
});

describe('transitions that were never taken', () => {
  test('are in the name of the last test, and the message says what would help', async () => {
    const tests = registered(shopMachine, { input: undefined });
    const [name, run] = tests.at(-1) as Registered;
    expect(name).toBe(
      'shop: transitions 2/6; never taken: calling –failed→ closed [isExhausted], calling –pay→ paid [isEnough], calling –leave→ closed, paid –leave→ left',
    );
    for (const [, other] of tests.slice(0, -1)) await other();
    await expect(run()).rejects.toThrow(
      [
        name,
        '  calling –failed→ closed [isExhausted]: its guard was never true; "key" does not tell attempts apart, so give key: ({ context }) => context.attempts',
        '  calling –pay→ paid [isEnough]: its guard was never true; the event had nothing but its type, so give one whose amount the guard accepts, by "events"',
        '  calling –leave→ closed: another transition takes the event first',
        '  paid –leave→ left: no path enters paid',
      ].join('\n'),
    );
  });

  test('are taken with the key and the events that it names, but for the one that is dead', async () => {
    const options = {
      input: undefined,
      key: ({ context }: { context: { attempts: number } }) => context.attempts,
      events: (type: string) => [type === 'pay' ? { type, amount: 6 } : { type }] as never,
    };
    const tests = registered(shopMachine, options);
    expect(tests.at(-1)?.[0]).toBe('shop: transitions 5/6; never taken: calling –leave→ closed');
    expect(tests.map(([name]) => name)).toContain('shop: calling –pay {"amount":6}→ paid –leave→ left');
    expect(Object.values(await failures(tests))).toEqual([
      expect.stringContaining('calling –leave→ closed: another transition takes the event first'),
    ]);
    expect(await failures(registered(shopMachine, { ...options, transitionsMin: 5 }))).toEqual({});
  });

  /** Connects again as often as the owner wants; `lost` is left at once. */
  const againMachine = setup({
    types: { context: {} as { attempts: number; attemptsMax: number } },
    guards: { canRetry: ({ context }) => context.attempts < context.attemptsMax },
  }).createMachine({
    id: 'again',
    context: { attempts: 0, attemptsMax: 2 },
    initial: 'connecting',
    states: {
      connecting: {
        entry: assign({ attempts: ({ context }) => context.attempts + 1 }),
        on: { 'socket.closed': 'lost' },
      },
      lost: { always: [{ guard: 'canRetry', target: 'waiting' }, { target: 'failed' }] },
      waiting: { after: { 500: 'connecting' } },
      failed: { type: 'final' },
    },
  });

  test('out of a state that is left at once: the guard that was always true, and what "key" leaves out', async () => {
    const [name, run] = registered(againMachine, { input: undefined, transitionsMin: 4 }).at(-1) as Registered;
    expect(name).toBe('again: transitions 3/4; never taken: lost –always→ failed');
    await expect(run()).rejects.toThrow(
      '\n  lost –always→ failed: [canRetry] was always true in lost; "key" does not tell attempts apart, so give key: ({ context }) => context.attempts\n',
    );
    const key = ({ context }: { context: { attempts: number } }): number => context.attempts;
    expect(await failures(registered(againMachine, { input: undefined, key }))).toEqual({});
  });

  test('back to where the path was, and that simple paths leave out', async () => {
    const back = setup({}).createMachine({
      id: 'back',
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { on: { back: 'a' } } },
    });
    const simple = registered(back, { input: undefined, paths: (graph) => graph.simplePaths() });
    expect(Object.values(await failures(simple))).toEqual([
      'back: transitions 1/2; never taken: b –back→ a\n  b –back→ a: none of "paths" takes it; one of edgePaths() does',
    ]);
    const both = registered(back, {
      input: undefined,
      paths: (graph) => [...graph.edgePaths(), ...graph.simplePaths()],
    });
    expect(await failures(both)).toEqual({});
  });

  test('where another guard is tried first', async () => {
    const machine = setup({
      guards: { isEven: ({ event }) => event.size % 2 === 0, isBig: ({ event }) => event.size > 9 },
      types: { events: {} as { type: 'sized'; size: number } },
    }).createMachine({
      id: 'sizes',
      initial: 'open',
      states: {
        open: {
          on: { sized: [{ guard: 'isEven', target: 'even' }, { guard: 'isBig', target: 'big' }, { target: 'odd' }] },
        },
        even: {},
        big: {},
        odd: {},
      },
    });
    const reasons = async (sizes: number[]): Promise<string[]> => {
      const events = (type: string) => sizes.map((size) => ({ type, size })) as never;
      const failed = await failures(registered(machine, { input: undefined, events }));
      return Object.values(failed)[0]?.split('\n').slice(1) ?? [];
    };
    expect(await reasons([2])).toEqual([
      '  open –sized→ big [isBig]: its guard was never true where [isEven] was not; give one whose size the guard accepts, by "events"',
      '  open –sized→ odd: [isEven] or [isBig] was always true in open; give one whose size the guard refuses, by "events"',
    ]);
    expect(await reasons([2, 11])).toEqual([
      '  open –sized→ odd: [isEven] or [isBig] was always true in open; give one whose size the guard refuses, by "events"',
    ]);
    expect(await reasons([2, 3, 11])).toEqual([]);
  });

  test('tests that did not run are counted', async () => {
    const tests = registered(linkMachine(), { input: undefined, transitionsMin: 3 });
    const [name, run] = tests.at(-1) as Registered;
    expect(name).toBe('link: transitions 10/10');
    await expect(run()).rejects.toThrow(
      /^link: transitions 0\/10; .*, of at least 3\n.*\n7 of 7 paths did not run\.$/s,
    );
  });
});

test('a machine that cannot be explored is a test that fails: the others of its file run', async () => {
  const machine = setup({
    types: {} as { context: { attempts: number } },
    actions: { count: assign({ attempts: ({ context }) => context.attempts + 1 }) },
  }).createMachine({
    id: 'endless',
    context: { attempts: 0 },
    on: { 'socket.closed': { actions: 'count' } },
  });
  const tests = registered(machine, { input: undefined, key: ({ context }) => context.attempts, stepsMax: 100 });
  expect(await failures(tests)).toEqual({
    'endless: explored': expect.stringContaining(
      'context.attempts had 101 values (0, 1, 2, …, 100), and "key" tells them apart.',
    ),
  });
  const stuck = createMachine({ id: 'stuck', context: ({ input }) => ({ url: (input as { url: string }).url }) });
  expect(Object.keys(await failures(registered(stuck, { input: undefined })))).toEqual(['stuck: explored']);
});

test.each<[string, object, string]>([
  ['test', { test: undefined }, 'Option "test" must be the test() of vitest, node:test or Jest; it is undefined.'],
  ['driver', { driver: {} }, 'Option "driver" must be a function; it is an object.'],
  ['key', { key: 'attempts' }, 'Option "key" must be a function; it is "attempts".'],
  ['events', { events: [] }, 'Option "events" must be a function; it is an array of 0.'],
  ['stepsMax', { stepsMax: 0 }, 'Option "stepsMax" must be a whole number from 1 on, or Infinity; it is 0.'],
  ['transitionsMin', { transitionsMin: 11 }, 'Option "transitionsMin" must be a whole number from 0 to 10; it is 11.'],
  ['events()', { events: () => ['pay'] }, `must be an array of events, each with a type; it is an array of 1.`],
])('a wrong option is refused: %s', (_, options, message) => {
  const run = () => testMachine(linkMachine(), { test: () => {}, input: undefined, ...options } as never);
  expect(run).toThrow(OptionError);
  expect(run).toThrow(message);
});

test('what is no machine is refused', () => {
  expect(() => testMachine({} as never, { test: () => {}, input: undefined as never })).toThrow(OptionError);
});
