import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, assign, createMachine, fromPromise, setup } from 'xstate';
import { describePath, exploreMachine } from '../../src/testing/index.js';

const machineOf = (config: object): AnyStateMachine =>
  createMachine({ id: 'shop', ...config } as never) as unknown as AnyStateMachine;

const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('It did not throw.');
};

describe('a function that throws names what to give', () => {
  const guarded = machineOf({
    initial: 'open',
    states: {
      open: {
        on: { pay: { guard: ({ event }: never) => (event as { cart: object[] }).cart.length > 0, target: 'paid' } },
      },
      paid: {},
    },
  });

  test('a guard without its payload: events', () => {
    expect(messageOf(() => exploreMachine(guarded, { input: undefined }))).toMatch(
      /^shop, in open, cannot take pay: Unable to evaluate guard .*'pay' in state node 'shop\.open':.*reading 'length'\)\nThe event had nothing but its type\. Give its payload: events: \(type\) => type === 'pay' \? \[\{ type, … \}\] : \[\{ type \}\]$/s,
    );
  });

  test('a guard with a wrong payload: what events gave', () => {
    const events = (type: string) => [{ type, basket: [] }];
    expect(messageOf(() => exploreMachine(guarded, { input: undefined, events }))).toMatch(
      /^shop, in open, cannot take pay \{"basket":\[\]\}: .*\nIf its payload is wrong: "events" gave it\.$/s,
    );
  });

  test('an assign of the result of an actor: its output', () => {
    const loading = machineOf({
      context: { name: '' },
      initial: 'loading',
      states: {
        loading: {
          invoke: {
            id: 'fetch',
            src: fromPromise(async () => ({ name: 'Ann' })),
            onDone: { target: 'loaded', actions: assign({ name: ({ event }) => event.output.name }) },
          },
        },
        loaded: {},
      },
    });
    expect(messageOf(() => exploreMachine(loading, { input: undefined }))).toMatch(
      /^shop, in loading, cannot take xstate\.done\.actor\.fetch: .*events: \(type\) => type === 'xstate\.done\.actor\.fetch' \? \[\{ type, output: … \}\]/s,
    );
  });

  test('a context without its input: input', () => {
    const machine = machineOf({ context: ({ input }: never) => ({ port: (input as { port: number }).port }) });
    expect(messageOf(() => exploreMachine(machine, { input: undefined }))).toMatch(
      /^shop does not start: .*reading 'port'\)\nIs that its "input"\?$/s,
    );
  });
});

describe('a walk that does not end names the field that grows, and a key', () => {
  const counter = setup({ types: { context: {} as { count: number; log: string[]; peer: object; name: string } } });
  const idle = counter.createMachine({
    id: 'counter',
    context: { count: 0, log: [], peer: {}, name: 'Ann' },
    initial: 'idle',
    states: {
      idle: {
        on: {
          more: { actions: assign({ count: ({ context }) => context.count + 1 }) },
          line: { actions: assign({ log: ({ context }) => [...context.log, 'x'] }) },
          other: { actions: assign({ peer: ({ context }) => ({ of: context.peer }) }) },
        },
      },
    },
  });
  type Key = (snapshot: { context: { count: number; log: string[]; peer: object; name: string } }) => string | number;
  const explosionOf = (key: Key, stepsMax = 300) =>
    messageOf(() => exploreMachine(idle, { input: undefined, key, stepsMax }));

  test.each<[string, Key, RegExp]>([
    ['a number', ({ context }) => context.count, /Math\.min\(context\.count, 2\)$/],
    ['a list', ({ context }) => context.log.length, /Math\.min\(context\.log\.length, 2\)$/],
    ['an object', ({ context }) => JSON.stringify(context.peer), /String\(context\.peer !== undefined\)$/],
  ])('%s', (_, key, advice) => {
    expect(explosionOf(key)).toMatch(
      /^counter: 300 steps have not shown all that it can do\. In idle, context\.\w+ had \d+ values \(.*, …, .*\), and "key" tells them apart\. Bound it, or leave it out: key: \(\{ context \}\) => /,
    );
    expect(explosionOf(key)).toMatch(advice);
  });

  test('a long way is not kept once for each of its steps', () => {
    expect(explosionOf(({ context }) => context.count, 20_000)).toMatch(/^counter: 20000 steps have not/);
  });

  test('the key that it names stops it', () => {
    const graph = exploreMachine(idle, { input: undefined, key: ({ context }) => Math.min(context.count, 2) });
    expect(graph.states).toBe(3);
  });

  test('a key of something else', () => {
    let calls = 0;
    const toggle = machineOf({ on: { again: { actions: () => {} } } });
    const explode = () => exploreMachine(toggle, { input: undefined, key: () => ++calls, stepsMax: 10 });
    expect(messageOf(explode)).toBe(
      'shop: 10 steps have not shown all that it can do, and no field of its context grows. If "key" depends on the snapshot alone, raise "stepsMax".',
    );
  });
});

describe('the events of a walk', () => {
  test('a catch-all gets an event that no state names, and the end of an inner state none', () => {
    const machine = machineOf({
      initial: 'a',
      states: {
        a: {
          initial: 'b',
          on: { 'socket.*': 'c', '*': 'd' },
          onDone: 'c',
          states: { b: { on: { go: 'end' } }, end: { type: 'final' } },
        },
        c: {},
        d: {},
      },
    });
    expect(exploreMachine(machine, { input: undefined }).edgePaths().map(describePath)).toEqual([
      'a.b –anyOther→ d',
      'a.b –go→ c',
      'a.b –socket.anyOther→ c',
    ]);
  });

  test('two equal events are one', () => {
    const machine = machineOf({ initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } });
    const graph = exploreMachine(machine, { input: undefined, events: (type) => [{ type }, { type }] });
    expect([graph.states, graph.edges, graph.simplePaths().length]).toEqual([2, 1, 1]);
  });

  test('a machine without events has one path, which is empty', () => {
    const graph = exploreMachine(machineOf({ initial: 'a', states: { a: {} } }), { input: undefined });
    expect([graph.edgePaths(), graph.simplePaths()]).toEqual([[], [[]]]);
  });
});
