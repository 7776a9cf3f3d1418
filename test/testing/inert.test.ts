import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import {
  type AnyStateMachine,
  assign,
  cancel,
  createActor,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromObservable,
  fromPromise,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
} from 'xstate';
import { describePath, exploreMachine, Model, replay } from '../../src/testing/index.js';
import { bounded, graphOf } from '../machines/bounds.js';

/** Calls of everything that must not be called. */
const called: string[] = [];
const note = (name: string) => (): void => void called.push(name);

const child = createMachine({
  id: 'child',
  entry: note('entry of the child'),
  invoke: { src: fromPromise(async () => note('promise in the child')()) },
} as never);

/** Uses all that XState runs. */
const machine = setup({
  types: { context: {} as { user: string; actor: unknown } },
  actors: {
    fetchUser: fromPromise(async () => {
      note('promise')();
      return 'Ann';
    }),
    listen: fromCallback(() => {
      note('callback')();
      return note('end of the callback');
    }),
    ticks: fromObservable(() => {
      note('observable')();
      return { subscribe: () => ({ unsubscribe() {} }) };
    }),
    child,
  },
  actions: { toast: note('toast'), log: log(note('log') as never), tell: emit({ type: 'told' }) },
  delays: { soon: 5 },
}).createMachine({
  id: 'user',
  context: { user: '', actor: undefined },
  initial: 'loading',
  on: { greet: { actions: 'toast' } },
  states: {
    loading: {
      entry: [
        { type: 'toast' },
        note('inline') as never,
        { type: 'tell' },
        sendTo('child', { type: 'hello' }, { delay: 5, id: 'later' }),
      ],
      exit: { type: 'toast' },
      invoke: [
        {
          src: 'fetchUser',
          systemId: 'api',
          onDone: { target: 'loaded', actions: assign({ user: ({ event }) => event.output }) },
          onError: { target: 'failed' },
        },
        { src: 'listen' },
        { src: 'ticks' },
        { src: 'child', id: 'child' },
      ],
      on: { again: { target: 'loading', reenter: true } },
      after: { soon: 'failed' },
    },
    loaded: {
      entry: [
        assign({ actor: ({ spawn }) => spawn('listen', { systemId: 'counter' }) }),
        spawnChild('listen', { systemId: 'listen' }),
        sendTo(({ system }) => system.get('counter'), { type: 'count' } as never),
        sendParent({ type: 'hello' }),
        raise({ type: 'again' }, { delay: 5 }),
        cancel('later'),
        enqueueActions(({ enqueue }) => {
          enqueue(note('enqueued'));
          enqueue.emit({ type: 'queued' });
        }),
      ],
      on: { again: { target: 'loading', actions: 'toast' } },
    },
    failed: { type: 'final', entry: 'toast' },
  },
} as never) as unknown as AnyStateMachine;

const events = (type: string) => [type.startsWith('xstate.done.') ? { type, output: 'Ann' } : { type }];

describe('nothing runs and nothing is logged', () => {
  const settled = async (run: () => void): Promise<string[]> => {
    called.length = 0;
    const spies = (['log', 'warn', 'error', 'info'] as const).map((name) => vi.spyOn(console, name));
    vi.useFakeTimers();
    try {
      run();
      // What was started would run now.
      await vi.runAllTimersAsync();
      return [...called, ...spies.flatMap(({ mock }) => mock.calls.map(String))];
    } finally {
      vi.useRealTimers();
      for (const spy of spies) spy.mockRestore();
    }
  };

  test('while a machine is explored', async () => {
    const ran = await settled(() => {
      const graph = exploreMachine(machine, { input: undefined, events });
      expect([graph.states, graph.edges]).toEqual([3, 7]);
      expect(graph.edgePaths().length).toBeGreaterThan(2);
      expect(graph.simplePaths().length).toBeGreaterThan(1);
    });
    expect(ran).toEqual([]);
  });

  test('while a path is replayed: what would be called and emitted is written down', async () => {
    const ran = await settled(() => {
      const done = { type: 'xstate.done.actor.0.user.loading', output: 'Ann' };
      const model = replay(machine, undefined, [done, { type: 'again' }, { type: 'again' }, done]);
      expect(model.steps.map(({ to }) => to)).toEqual(['loading', 'loaded', 'loading', 'loading', 'loaded']);
      expect(model.steps[0]?.actions).toEqual(['toast', '(anonymous)']);
      expect(model.steps[0]?.commands).toEqual([{ type: 'told' }]);
      expect(model.steps[1]?.actions).toEqual(['toast', '(anonymous)']);
      expect(model.steps[1]?.commands).toEqual([{ type: 'queued' }]);
      expect(model.snapshot.context.user).toBe('Ann');
    });
    expect(ran).toEqual([]);
  });

  test('a machine that is over takes no event', () => {
    const model = replay(machine, undefined, [{ type: 'xstate.after.soon.user.loading' }]);
    expect(model.state).toBe('failed');
    expect(model.send({ type: 'greet' })).toMatchObject({ from: 'failed', to: 'failed', actions: [], taken: [] });
  });
});

test('a function that throws, throws from the replay', () => {
  const counter = createMachine({
    id: 'counter',
    context: { n: 0 },
    on: {
      add: {
        actions: assign(() => {
          throw new Error('no number');
        }),
      },
    },
  });
  expect(() => replay(counter, undefined, [{ type: 'add' }])).toThrow('no number');
  const input = createMachine({ context: ({ input }: { input: unknown }) => ({ n: (input as { n: number }).n }) });
  expect(() => new Model(input, undefined)).toThrow(/undefined/);
});

test.each(bounded)('the pure machine goes where an actor goes, and commands the same: $name', (bound) => {
  for (const path of graphOf(bound).edgePaths()) {
    const { machine, options } = bound;
    const clock = { setTimeout: () => undefined, clearTimeout: () => {} };
    const actor = createActor(machine, { input: options.input as never, clock });
    const commands: object[] = [];
    actor.on('*', (command) => commands.push(command));
    actor.start();
    const { snapshot, steps } = replay(
      machine,
      options.input,
      path.map(({ event }) => event),
    );
    for (const { event } of path) actor.send(event);
    const at = actor.getSnapshot();
    const there = [at.value, at.context, at.status, at.output, commands];
    const here = [snapshot.value, snapshot.context, snapshot.status, snapshot.output];
    const isSame = isDeepStrictEqual([...here, steps.flatMap((step) => step.commands)], there);
    expect(isSame, describePath(path)).toBe(true);
  }
});
