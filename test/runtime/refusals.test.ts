import { describe, expect, test } from 'vitest';
import {
  type AnyStateMachine,
  and,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  forwardTo,
  fromCallback,
  log,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
} from 'xstate';
import { compile, explain } from '../../src/compiler/compile.js';
import { CompileError } from '../../src/errors.js';
import * as machines from '../../src/machines/index.js';
import { systemClock } from '../../src/runtime/clock.js';
import { exploreMachine } from '../../src/testing/index.js';
import { Model } from '../../src/testing/replay.js';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';

const door = (config: object, implementations: object = {}): AnyStateMachine =>
  createMachine(
    { id: 'door', context: { n: 0 }, ...config } as never,
    implementations as never,
  ) as unknown as AnyStateMachine;

/** A door that is closed, and open once it is told so. */
const withOpen = (open: object, implementations: object = {}): AnyStateMachine =>
  door({ initial: 'closed', states: { closed: { on: { open: 'open' } }, open } }, implementations);

function refusalOf(machine: AnyStateMachine): CompileError {
  try {
    compile(machine);
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
  throw new Error('It was compiled.');
}

const ring = fromCallback(() => undefined);
const custom = (): void => undefined;
/** No runtime takes it: it has no parent to send to. */
const wrong = sendParent({ type: 'ring' });
const HOST = { id: 'door#1', clock: systemClock, perform: custom, finish: custom };

describe('a state that cannot be compiled', () => {
  test.each<[string, object, RegExp]>([
    ['parallel', { type: 'parallel', states: { a: {}, b: {} } }, /parallel.*machine of its own/],
    [
      'invoke of what is not defined',
      { invoke: { src: 'bell' } },
      /actor "bell" is not defined.*setup\({ actors: { bell/,
    ],
    ['an initial state that is not there', { initial: 'ajar', states: { wide: {}, slit: {} } }, /"ajar".*wide, slit/],
    ['one of several invokes', { invoke: [{ src: ring }, { src: 'bell' }] }, /actor "bell" is not defined/],
  ])('%s', (_, open, message) => {
    const error = refusalOf(withOpen(open));
    expect(error.state).toBe('door.open');
    expect(error.message).toMatch(message);
    expect(error.message).toContain('"door.open"');
  });

  test('an initial state where there are no states, where the machine starts in it', () => {
    const error = refusalOf(door({ initial: 'closed', states: { closed: { initial: 'ajar' } } }));
    expect(error.state).toBe('door.closed');
    expect(error.message).toMatch(/initial state "ajar" .* Give it that state, or name none/);
    compile(withOpen({ initial: 'ajar' }));
  });

  test.each(['shallow', 'deep'])('history, %s', (history) => {
    const states = { a: {}, b: {}, last: { type: 'history', history } };
    const error = refusalOf(withOpen({ initial: 'a', states }));
    expect(error.state).toBe('door.open.last');
    expect(error.message).toMatch(/history.*[Nn]ame the state/);
  });

  test('the root, too', () => {
    expect(refusalOf(door({ type: 'parallel', states: { a: {} } })).state).toBe('door');
    expect(refusalOf(door({ invoke: { src: 'bell' } })).state).toBe('door');
  });

  test.each<[string, (machine: AnyStateMachine) => unknown]>([
    ['on an actor', (machine) => xstateRuntime.run(machine, undefined, {} as never)],
    ['in a walk', (machine) => exploreMachine(machine, { input: undefined })],
    ['in a replay', (machine) => new Model(machine, undefined)],
  ])('parallel states cannot be run %s either, where one of them would stand for all', (_, run) => {
    const wide = withOpen({ initial: 'a', states: { a: { type: 'parallel', states: { b: {}, c: {} } } } });
    expect(() => run(wide)).toThrow(expect.objectContaining({ code: 'ERR_COMPILE', state: 'door.open.a' }));
    expect(() => run(wide)).toThrow(/^Cannot run "door\.open\.a": its states are parallel\. Make each/);
  });

  test('is named by its own id', () => {
    expect(refusalOf(withOpen({ id: 'wide', type: 'parallel', states: { a: {} } })).state).toBe('wide');
  });
});

/** Every place where a machine may do something; `open` is where it is wrong. */
const PLACES: Record<string, (action: unknown) => object> = {
  entry: (action) => ({ entry: action }),
  'entry, after others': (action) => ({ entry: [emit({ type: 'ok' }), action] }),
  exit: (action) => ({ exit: action, on: { close: 'closed' } }),
  'a transition': (action) => ({ on: { close: { target: 'closed', actions: action } } }),
  'a transition without a target': (action) => ({ on: { knock: { actions: [action] } } }),
  'a candidate after others': (action) => ({
    on: { knock: [{ guard: () => true, target: 'closed' }, { actions: action }] },
  }),
  'a wildcard': (action) => ({ on: { '*': { actions: action } } }),
  'a partial wildcard that nothing known matches': (action) => ({ on: { 'bell.*': { actions: action } } }),
  always: (action) => ({ always: { guard: () => false, actions: action } }),
  after: (action) => ({ after: { 10: { actions: action } } }),
  onDone: (action) => ({ initial: 'a', onDone: { actions: action }, states: { a: { type: 'final' } } }),
  'the initial transition': (action) => ({ initial: { target: 'a', actions: action }, states: { a: {} } }),
};

const UNSUPPORTED: [string, () => unknown, RegExp][] = [
  ['sendParent', () => sendParent({ type: 'ring' }), /to a parent.*[Ee]mit a command/],
  ['sendTo of a string', () => sendTo('bell', 'ring' as never), /string.*type: 'ring'/],
  ['spawnChild of what is not defined', () => spawnChild('bell'), /actor "bell" is not defined/],
  ['raise of a string', () => raise('ring' as never), /string.*type: 'ring'/],
  [
    'raise after a delay that is not defined',
    () => raise({ type: 'ring' }, { delay: 'soon' } as never),
    /delay "soon"/,
  ],
  ['an action that XState will have', () => Object.assign(() => {}, { type: 'xstate.fly', resolve: 1 }), /is fly/],
];

const SUPPORTED: [string, () => unknown][] = [
  ['a function', () => custom],
  ['an anonymous function', () => () => undefined],
  ['spawnChild', () => spawnChild(ring as never)],
  ['stopChild', () => stopChild('bell')],
  ['sendTo', () => sendTo('bell', { type: 'ring' })],
  ['forwardTo', () => forwardTo('bell')],
  ['cancel', () => cancel('bell')],
  ['log', () => log('ring')],
  ['enqueueActions', () => enqueueActions(() => undefined)],
  ['raise, later', () => raise({ type: 'ring' }, { delay: 10 })],
  ['raise, after no time', () => raise({ type: 'ring' }, { delay: 0 })],
  ['raise, after a delay that is a function', () => raise({ type: 'ring' }, { delay: () => 1 })],
];

describe.each(SUPPORTED)('an action that is compiled: %s', (_, make) => {
  test.each(Object.entries(PLACES))('inline, in %s', (_, place) => {
    expect(() => compile(withOpen(place(make())))).not.toThrow();
  });

  test('by name, with params', () => {
    const entry = { type: 'ring', params: { loud: true } };
    expect(() => compile(withOpen({ entry }, { actions: { ring: make() } }))).not.toThrow();
  });
});

describe.each(UNSUPPORTED)('an action that cannot be compiled: %s', (_, make, message) => {
  test.each(Object.entries(PLACES))('inline, in %s', (_, place) => {
    const error = refusalOf(withOpen(place(make())));
    expect(error.state).toBe('door.open');
    expect(error.message).toMatch(message);
  });

  test('by name', () => {
    const error = refusalOf(withOpen({ entry: 'ring' }, { actions: { ring: make() } }));
    expect(error.message).toMatch(message);
    expect(error.state).toBe('door.open');
  });

  test('by name, with params', () => {
    const entry = { type: 'ring', params: { loud: true } };
    expect(refusalOf(withOpen({ entry }, { actions: { ring: make() } })).message).toMatch(message);
  });
});

describe('what is named but does not exist', () => {
  test.each(Object.entries(PLACES))('an action, in %s', (_, place) => {
    const error = refusalOf(withOpen(place('ring')));
    expect(error.state).toBe('door.open');
    expect(error.message).toMatch(/action "ring".*not defined.*setup\({ actions: { ring/);
  });

  test('an action with params', () => {
    expect(refusalOf(withOpen({ exit: { type: 'ring', params: {} }, on: { close: 'closed' } })).message).toMatch(
      /"ring"/,
    );
  });

  test.each<[string, unknown]>([
    ['by itself', 'isLocked'],
    ['with params', { type: 'isLocked', params: { twice: true } }],
    ['in and', and([() => true, 'isLocked'] as never)],
    ['in or', or(['isLocked'] as never)],
    ['in not', not('isLocked' as never)],
    ['deep inside', not(and([or([() => true, 'isLocked'] as never)] as never) as never)],
  ])('a guard, %s', (_, guard) => {
    for (const open of [
      { on: { close: { guard, target: 'closed' } } },
      { always: { guard, target: 'closed' } },
      { after: { 5: { guard, target: 'closed' } } },
      { on: { '*': { guard, target: 'closed' } } },
    ]) {
      const error = refusalOf(withOpen(open));
      expect(error.state).toBe('door.open');
      expect(error.message).toMatch(/guard "isLocked".*not defined.*setup\({ guards: { isLocked/);
    }
  });

  test('a guard that another one stands for', () => {
    const machine = withOpen(
      { on: { close: { guard: 'isShut', target: 'closed' } } },
      { guards: { isShut: 'isLocked' } },
    );
    expect(refusalOf(machine).message).toMatch(/guard "isLocked"/);
  });

  test('a delay', () => {
    const error = refusalOf(withOpen({ after: { soon: 'closed' } }));
    expect(error.state).toBe('door.open');
    expect(error.message).toMatch(/delay "soon".*not defined.*setup\({ delays: { soon/);
  });

  test('nothing of it is missing once it is provided', () => {
    const machine = withOpen({
      entry: 'ring',
      on: { close: { guard: 'isLocked', target: 'closed' } },
      after: { soon: 'closed' },
    });
    expect(() => compile(machine)).toThrow(CompileError);
    const whole = machine.provide({
      actions: { ring: emit({ type: 'ring' }) },
      guards: { isLocked: () => false },
      delays: { soon: 1 },
    } as never);
    expect(() => compile(whole)).not.toThrow();
  });
});

describe('a guard that asks for the state is compiled', () => {
  test.each<[string, unknown, object]>([
    ['by itself', stateIn('open'), {}],
    ['by id', stateIn('#door.open'), {}],
    ['in and', and([() => true, stateIn('open')] as never), {}],
    ['in not', not(stateIn('closed') as never), {}],
    ['by name', 'isOpen', { guards: { isOpen: stateIn('open') } }],
  ])('%s', (_, guard, implementations) => {
    const machine = withOpen({ on: { close: { guard, target: 'closed' } } }, implementations);
    for (const runtime of [xstateRuntime, compiledRuntime]) {
      const instance = runtime.run(machine, undefined as never, HOST);
      instance.start();
      instance.send({ type: 'open' });
      expect(instance.can({ type: 'close' })).toBe(true);
      instance.send({ type: 'close' });
      expect(instance.state).toBe('closed');
    }
  });

  test('a check that is not known', () => {
    const guard = Object.assign(() => true, { check: () => true });
    expect(refusalOf(withOpen({ on: { close: { guard } } })).message).toMatch(/not known.*as a function/);
  });
});

describe('other things', () => {
  test('several targets', () => {
    const error = refusalOf(withOpen({ initial: 'a', on: { x: { target: ['.a', '.b'] } }, states: { a: {}, b: {} } }));
    expect(error.state).toBe('door.open');
    expect(error.message).toMatch(/several targets/);
  });

  test.each(['bell.*.loud', 'bell*', '*.bell'])('a wildcard that is not at the end: %s', (type) => {
    const error = refusalOf(withOpen({ on: { [type]: 'closed' } }));
    expect(error.state).toBe('door.open');
    expect(error.message).toContain(`"${type}"`);
    expect(error.message).toMatch(/Use "\*"/);
  });

  test('a route', () => {
    const error = refusalOf(withOpen({ id: 'open', route: {} }));
    expect(error.state).toBe('open');
    expect(error.message).toMatch(/route/);
  });

  test('also in a state that nothing leads to', () => {
    const machine = door({ initial: 'closed', states: { closed: {}, lost: { entry: wrong } } });
    expect(refusalOf(machine).state).toBe('door.lost');
  });

  test('also in initial actions that nobody comes by', () => {
    const states = { a: {}, b: {} };
    const machine = door({
      initial: 'closed',
      states: { closed: { on: { open: 'open.b' } }, open: { initial: { target: 'a', actions: wrong }, states } },
    });
    expect(refusalOf(machine).state).toBe('door.open');
  });

  test('the first life says the same, when it is made', () => {
    const machine = withOpen({ entry: wrong });
    expect(() => compiledRuntime.run(machine, undefined as never, HOST)).toThrow(CompileError);
  });

  test('the error can be told from others', () => {
    const error = refusalOf(withOpen({ entry: wrong }));
    expect(error).toMatchObject({ name: 'CompileError', code: 'ERR_COMPILE', state: 'door.open' });
    expect(error.message).toMatch(/^Cannot compile "door\.open": .+\. .+\.$/);
  });
});

describe('explain', () => {
  test('lists all that is refused, each once, with the state', () => {
    const machine = withOpen({
      entry: [wrong, 'ring', 'ring'],
      invoke: { src: 'bell' },
      after: { soon: 'closed' },
      on: { 'a.*.b': 'closed', close: [{ guard: 'isLocked', actions: 'turn' }, { target: ['closed', 'open'] }] },
      initial: 'a',
      states: {
        a: { type: 'parallel', states: { b: { exit: 'ring' }, last: { type: 'history' } } },
      },
    });
    const refusals = explain(machine);
    const texts = refusals.map(({ state, message }) => `${state}: ${/: (.*?)\./.exec(message)?.[1]}`);
    expect(texts.sort()).toEqual([
      'door.open.a.b: its action "ring" is not defined',
      'door.open.a.last: it is a history state',
      'door.open.a: its states are parallel',
      'door.open: a transition of it has several targets',
      'door.open: an action sends to a parent, which it has not',
      'door.open: it has a transition for "a',
      'door.open: its action "ring" is not defined',
      'door.open: its action "turn" is not defined',
      'door.open: its actor "bell" is not defined',
      'door.open: its delay "soon" is not defined',
      'door.open: its guard "isLocked" is not defined',
    ]);
    expect(refusals.every((error) => error instanceof CompileError)).toBe(true);
    expect(() => compile(machine)).toThrow(refusals[0]?.message);
  });

  test('lists nothing for a machine that is compiled', () => {
    expect(explain(withOpen({ entry: custom, invoke: { src: ring } }))).toEqual([]);
  });

  test('refuses what is no machine', () => {
    expect(() => explain({} as never)).toThrow(/machine/);
  });

  test('goes on where an initial state is not there', () => {
    const found = explain(withOpen({ initial: 'ajar', states: { wide: { entry: 'creak' } } }));
    expect(found.map(({ state }) => state)).toEqual(['door.open', 'door.open.wide']);
  });

  test('refuses a copy of a machine, whose methods may be others', () => {
    const machine = withOpen({});
    const [refusal] = explain({ ...machine, transition: machine.transition } as never);
    expect(refusal?.message).toMatch(
      /^Cannot compile "door": it is a copy of a machine\. Compile the machine itself, or run/,
    );
  });
});

describe('nothing else is refused', () => {
  const all = Object.values(machines).filter(
    (exported): exported is typeof exported & AnyStateMachine => typeof exported === 'object' && 'root' in exported,
  ) as unknown as AnyStateMachine[];

  test.each(all.map((machine) => [machine.id, machine] as const))('%s', (_, machine) => {
    expect(all).toHaveLength(10);
    expect(compile(machine).id).toBe(machine.id);
  });

  const a = { a: {} };
  test.each<[string, object]>([
    ['no states', {}],
    ['no states, but an empty object of them', { states: {} }],
    ['no context', { context: undefined }],
    ['types that are said', { type: 'compound', initial: 'a', states: { a: { type: 'atomic' } } }],
    ['a root that is final', { type: 'final', output: 1 }],
    ['no invoke', { invoke: [] }],
    [
      'descriptions and meta',
      {
        description: 'd',
        meta: { m: 1 },
        initial: 'a',
        states: { a: { description: 'd', meta: {} } },
        on: { x: { description: 'd', meta: {}, actions: [] } },
      },
    ],
    ['a version', { version: '1' }],
    ['options that say nothing', { options: {} }],
    ['types', { types: {} }],
    [
      'undefined everywhere',
      {
        entry: undefined,
        exit: undefined,
        on: undefined,
        always: undefined,
        after: undefined,
        tags: undefined,
        output: undefined,
        meta: undefined,
        description: undefined,
      },
    ],
    [
      'onDone of the root',
      { initial: 'a', onDone: { actions: emit({ type: 'x' }) }, states: { a: { type: 'final' } } },
    ],
    ['an event that is forbidden', { on: { x: undefined, y: {}, z: [] } }],
    ['a timer without a transition', { after: { 10: undefined } }],
    ['a target in a list', { initial: 'a', states: { a: { on: { x: { target: ['b'] } } }, b: {} } }],
    ['wildcards', { on: { '*': { actions: emit({ type: 'x' }) }, 'a.b.*': undefined } }],
    [
      'events with the names of XState’s own',
      { initial: 'a', states: a, on: { 'xstate.done.state.door': '.a', 'xstate.*': '.a' } },
    ],
    ['raise with an id', { entry: raise({ type: 'x' }, { id: 'mine' }) }],
    ['raise with no delay', { entry: raise({ type: 'x' }, { delay: undefined } as never) }],
    ['assign of nothing', { entry: assign({}) }],
    ['and of nothing', { on: { x: { guard: and([]), actions: assign({}) } } }],
    [
      'a state with the name of something else',
      { initial: 'constructor', states: { constructor: { on: { toString: 'toString' } }, toString: {} } },
    ],
  ])('%s', (_, config) => {
    expect(() => compile(door(config))).not.toThrow();
  });

  test('what is defined and not used may be anything', () => {
    const machine = setup({
      actions: { ring: custom, send: sendTo('bell', { type: 'ring' }) },
      guards: { isOpen: stateIn('open') },
      actors: { ring },
    }).createMachine({ id: 'door', initial: 'a', states: { a: {} } });
    expect(() => compile(machine as never)).not.toThrow();
  });
});
