import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AnyStateMachine, and, assign, emit, not, or, raise, setup } from 'xstate';
import { TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';
import { watchTransitions } from './compare.js';
import { count, type Given, machineOf, Scene, say, set, tell } from './scene.js';

afterEach(() => {
  watchTransitions(false);
  vi.useRealTimers();
});

/** Not what the clock is asked for: a runtime may do that as soon as it comes to it, or when the instance rests. */
const isCommand = (line: string): boolean => !/^(set|clear) /.test(line);

/** Every state says when it is entered and left. */
function chatty(config: object, name = 'root'): object {
  const children = 'states' in config ? (config.states as Record<string, object>) : {};
  const states = Object.entries(children).map(([key, state]) => [key, chatty(state, key)]);
  return {
    entry: say(`+${name}`),
    exit: say(`-${name}`),
    ...config,
    ...(states.length > 0 && { states: Object.fromEntries(states) }),
  };
}

describe.each([xstateRuntime, compiledRuntime])('$name', (runtime) => {
  const scene = (machine: AnyStateMachine, options?: ConstructorParameters<typeof Scene>[2]): Scene =>
    new Scene(runtime, machine, options);
  const run = (config: object, implementations?: object): Scene => scene(machineOf(config, implementations)).started();

  describe('the start', () => {
    const greeter = machineOf({
      entry: [say('hello'), count],
      initial: 'a',
      states: { a: { entry: tell('in a', ({ context }) => ({ n: context.n })) } },
    });

    test('is when the first commands come; where it is and what it remembers is known before', () => {
      const instance = scene(greeter);
      expect(instance.said()).toEqual([]);
      expect(instance.state).toBe('a');
      expect(instance.instance.context).toMatchObject({ n: 1 });
      instance.start();
      expect(instance.said()).toEqual(['hello', 'in a {"n":1}']);
    });

    test('happens once', () => {
      const instance = scene(greeter).started();
      instance.start();
      expect(instance.said()).toEqual([]);
    });

    test('events sent before it wait for it, in their order', () => {
      const machine = machineOf({
        entry: say('first'),
        on: { x: { actions: say('x') }, y: { actions: say('y') } },
      });
      const instance = scene(machine);
      instance.send('x');
      instance.send('y');
      expect(instance.said()).toEqual([]);
      instance.start();
      expect(instance.said()).toEqual(['first', 'x', 'y']);
    });

    test('timers of the initial state are set then, and not before', () => {
      const instance = scene(machineOf({ initial: 'a', states: { a: { after: { 10: 'b' } }, b: {} } }));
      expect(instance.instance.timers()).toEqual([]);
      instance.advance(50);
      instance.start();
      expect(instance.said()).toEqual(['set 10']);
      expect(instance.instance.timers()).toEqual([{ name: '10', remainingMs: 10 }]);
    });

    test('the initial entry has the event xstate.init, with the input', () => {
      const entry = tell('entered', ({ event }) => ({ by: event.type, input: event.input }));
      const instance = scene(machineOf({ entry }), { input: { port: 1 } });
      instance.start();
      expect(instance.said()).toEqual(['entered {"by":"xstate.init","input":{"port":1}}']);
    });

    test('the context is made from the input', () => {
      const machine = machineOf({ context: ({ input }: { input: { n: number } }) => ({ n: input.n + 1 }) });
      expect(scene(machine, { input: { n: 4 } }).instance.context).toEqual({ n: 5 });
    });

    test('a context that is a value is nobody else’s', () => {
      const machine = machineOf({ on: { more: { actions: count } } });
      const [one, other] = [scene(machine).started(), scene(machine).started()];
      one.send('more');
      expect(one.instance.context).toMatchObject({ n: 1 });
      expect(other.instance.context).toMatchObject({ n: 0 });
      expect(machine.config.context).toMatchObject({ n: 0 });
    });

    test('goes on at once where a step needs no event', () => {
      const machine = machineOf({
        initial: 'a',
        states: {
          a: { entry: say('+a'), exit: say('-a'), always: { target: 'b', actions: [count, say('on')] } },
          b: { entry: tell('+b', ({ context, event }) => ({ n: context.n, by: event.type })) },
        },
      });
      const instance = scene(machine);
      expect(instance.state).toBe('b');
      instance.start();
      expect(instance.said()).toEqual(['+a', '-a', 'on', '+b {"n":1,"by":"xstate.init"}']);
    });

    test.each([
      [1, 'b', ['+root', '+a', '-a', 'one', '+b {"by":"xstate.init"}']],
      [2, 'c', ['+root', '+a', '-a', '+c']],
      [3, 'd', ['+root', '+a', '-a', '+d']],
    ])('goes on where the guards say, which know the input: %i', (n, state, said) => {
      const machine = machineOf({
        context: ({ input }: { input: { n: number } }) => ({ n: input.n }),
        entry: say('+root'),
        initial: 'a',
        states: {
          a: {
            entry: say('+a'),
            exit: say('-a'),
            after: { 10: 'd' },
            always: [
              {
                guard: ({ event }: Given) => (event.input as Given['context']).n === 1,
                target: 'b',
                actions: say('one'),
              },
              { guard: ({ context }: Given) => context.n === 2, target: 'c' },
              { target: 'd' },
            ],
          },
          b: { entry: tell('+b', ({ event }) => ({ by: event.type })) },
          c: { entry: say('+c'), after: { 20: 'd' } },
          d: { entry: say('+d') },
        },
      });
      const instance = scene(machine, { input: { n } });
      expect(instance.state).toBe(state);
      expect(instance.said()).toEqual([]);
      instance.start();
      expect(instance.said().filter(isCommand)).toEqual(said);
    });

    test('what it raises is answered in it', () => {
      const machine = machineOf({
        initial: 'a',
        states: { a: { entry: [raise({ type: 'go' }), say('+a')], on: { go: 'b' } }, b: { entry: say('+b') } },
      });
      const instance = scene(machine);
      expect(instance.state).toBe('b');
      instance.send('go');
      instance.start();
      expect(instance.said()).toEqual(['+a', '+b']);
    });

    test('an instance that ends there ends there, not before, and nothing that waits is heard', () => {
      const machine = machineOf({
        initial: 'end',
        exit: say('-root'),
        on: { x: { actions: say('x') } },
        output: ({ event }: Given) => event,
        states: { end: { type: 'final', entry: say('+end'), output: 7 } },
      });
      const instance = scene(machine);
      instance.send('x');
      expect(instance.instance.outcome).toBeUndefined();
      instance.start();
      const outcome = { type: 'xstate.done.state.m.end', output: 7 };
      expect(instance.said()).toEqual(['+end', '-root', `finish ${JSON.stringify(outcome)}`]);
      expect(instance.instance.outcome).toEqual(outcome);
      instance.send('x');
      expect(instance.said()).toEqual([]);
    });

    test('actions of initial transitions come after the entry of their state, before that of its child', () => {
      const machine = machineOf(
        chatty({
          initial: { target: 'a', actions: say('root’s initial') },
          states: { a: { initial: { target: 'b', actions: [say('a’s initial')] }, states: { b: {} } } },
        }),
      );
      const instance = scene(machine);
      instance.start();
      expect(instance.said()).toEqual(['+root', 'root’s initial', '+a', 'a’s initial', '+b']);
    });

    test('a machine without states is one', () => {
      const instance = run({
        on: { x: { actions: say('x') }, again: { reenter: true, target: '#m' } },
        entry: say('in'),
      });
      expect(instance.state).toBe('');
      expect(instance.on('x')).toEqual(['x']);
      expect(instance.on('again')).toEqual(['in']);
      expect(instance.instance.accepts()).toEqual(['x', 'again']);
    });
  });

  describe('the order of things', () => {
    const nested = (on: object, more: object = {}): Scene =>
      run(
        chatty({
          initial: 'a',
          states: {
            a: {
              initial: 'b',
              on,
              states: { b: { initial: 'c', states: { c: { ...more }, d: {} } }, e: {} },
            },
            f: { id: 'other', initial: 'g', states: { g: { initial: 'h', states: { h: {}, i: {} } }, j: {} } },
          },
        }),
      );

    test('exit runs inner to outer, then the transition’s actions, then entry outer to inner', () => {
      const instance = nested({ go: { target: 'f', actions: [say('1'), say('2')] } });
      expect(instance.on('go')).toEqual(['-c', '-b', '-a', '1', '2', '+f', '+g', '+h']);
      expect(instance.state).toBe('f.g.h');
    });

    test('a path and an id lead deep, past the initial states', () => {
      expect(nested({ go: 'f.g.i' }).on('go')).toEqual(['-c', '-b', '-a', '+f', '+g', '+i']);
      expect(nested({ go: '#other.g.i' }).on('go')).toEqual(['-c', '-b', '-a', '+f', '+g', '+i']);
      expect(nested({ go: '#m.f.j' }).on('go')).toEqual(['-c', '-b', '-a', '+f', '+j']);
    });

    test('initial actions belong to those who come by the initial transition', () => {
      const instance = run({
        initial: 'x',
        on: { deep: '.a.c', shallow: '.a' },
        states: { x: {}, a: { initial: { target: 'b', actions: say('initial') }, states: { b: {}, c: {} } } },
      });
      expect(instance.on('deep')).toEqual([]);
      expect(instance.on('shallow')).toEqual(['initial']);
      expect(instance.state).toBe('a.b');
    });

    test('a transition without a target leaves nothing', () => {
      const instance = nested({ go: { actions: say('!') } });
      expect(instance.on('go')).toEqual(['!']);
      expect(instance.state).toBe('a.b.c');
    });

    test('one to a child leaves the other children, not the state itself', () => {
      expect(nested({ go: '.e' }).on('go')).toEqual(['-c', '-b', '+e']);
      expect(nested({ go: '.b.d' }).on('go')).toEqual(['-c', '-b', '+b', '+d']);
    });

    test('one to a child that reenters leaves the state, too', () => {
      expect(nested({ go: { target: '.e', reenter: true } }).on('go')).toEqual(['-c', '-b', '-a', '+a', '+e']);
    });

    test('one of a state to itself begins its children anew, and does not leave it', () => {
      const instance = nested({ go: { target: 'a', actions: say('!') }, other: '.e' });
      instance.send('other');
      expect(instance.on('go')).toEqual(['-e', '!', '+b', '+c']);
      expect(nested({ go: { target: 'a', reenter: true } }).on('go')).toEqual(['-c', '-b', '-a', '+a', '+b', '+c']);
    });

    test('one of a leaf to itself does nothing but its actions, unless it reenters', () => {
      expect(nested({}, { on: { go: { target: 'c', actions: say('!') } } }).on('go')).toEqual(['!']);
      const again = nested({}, { on: { go: { target: 'c', reenter: true, actions: say('!') } } });
      expect(again.on('go')).toEqual(['-c', '!', '+c']);
    });

    test('reenter without a target is nothing', () => {
      expect(nested({ go: { reenter: true, actions: say('!') } }).on('go')).toEqual(['!']);
    });

    test('one to a sibling stays inside of the parent', () => {
      expect(nested({}, { on: { go: 'd' } }).on('go')).toEqual(['-c', '+d']);
      expect(nested({}, { on: { go: { target: 'd', reenter: true } } }).on('go')).toEqual(['-c', '+d']);
    });

    test('one to an ancestor leaves it and enters it again, from its start', () => {
      expect(nested({}, { on: { go: '#m.a' } }).on('go')).toEqual(['-c', '-b', '-a', '+a', '+b', '+c']);
      expect(nested({}, { on: { go: '#m.a.e' } }).on('go')).toEqual(['-c', '-b', '+e']);
    });

    test('one of the root reenters the root only if it says so', () => {
      const root = (go: object): Scene => run(chatty({ initial: 'a', on: { go }, states: { a: {}, b: {} } }));
      expect(root({ target: '.b' }).on('go')).toEqual(['-a', '+b']);
      expect(root({ target: '.b', reenter: true }).on('go')).toEqual(['-a', '-root', '+root', '+b']);
      expect(root({ target: '#m' }).on('go')).toEqual(['-a', '+a']);
      expect(root({ target: '#m', reenter: true }).on('go')).toEqual(['-a', '-root', '+root', '+a']);
    });

    test('one to the root from inside enters it without having left it', () => {
      expect(nested({ go: '#m' }).on('go')).toEqual(['-c', '-b', '-a', '+root', '+a', '+b', '+c']);
      expect(nested({ go: { target: '#m', reenter: true } }).on('go')).toEqual([
        ...['-c', '-b', '-a', '-root'],
        ...['+root', '+a', '+b', '+c'],
      ]);
    });

    test('the parent answers what the child does not', () => {
      const instance = nested({ go: { actions: say('parent') } }, { on: { other: 'd' } });
      expect(instance.on('go')).toEqual(['parent']);
    });

    test('the child answers first', () => {
      const instance = nested({ go: { actions: say('parent') } }, { on: { go: { actions: say('child') } } });
      expect(instance.on('go')).toEqual(['child']);
    });

    test('commands come in the order of the actions, and so do timers', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: {
            entry: say('+a'),
            exit: say('-a'),
            after: { 10: 'b', 20: 'b' },
            on: { go: { target: 'b', actions: say('go') } },
          },
          b: {
            entry: [say('+b'), say('++b')],
            after: { 30: 'a', 40: 'a' },
            initial: { target: 'c', actions: say('initial') },
            states: { c: { entry: say('+c'), after: { 20: '#m.a' } } },
          },
        },
      });
      expect(instance.on('go').filter(isCommand)).toEqual(['-a', 'go', '+b', '++b', 'initial', '+c']);
      expect(instance.instance.timers().map(({ name }) => name)).toEqual(['30', '40', '20']);
    });
  });

  describe('commands', () => {
    test('an event sent from inside a command waits until the transition is done', () => {
      const machine = machineOf({
        initial: 'a',
        states: {
          a: { exit: say('-a'), on: { go: { target: 'b', actions: say('go') } } },
          b: { entry: [say('+b'), say('++b')], after: { 5: 'a' }, on: { next: { target: 'c', actions: say('next') } } },
          c: { entry: say('+c') },
        },
      });
      const instance = scene(machine, {
        answer: (side, ordinal) => ordinal === 0 && side.send({ type: 'next' }),
      }).started();
      expect(instance.on('go').filter(isCommand)).toEqual(['-a', 'go', '+b', '++b', 'next', '+c']);
      expect(instance.state).toBe('c');
      expect(instance.clock.pending).toEqual([]);
    });

    test('several events sent from inside commands are taken one after the other, in their order', () => {
      const machine = machineOf({
        on: { go: { actions: [say('1'), say('2')] }, x: { actions: [say('x'), say('xx')] }, y: { actions: say('y') } },
      });
      const instance = scene(machine, {
        answer: (side, ordinal) => {
          if (ordinal < 2) for (const type of ['x', 'y']) side.send({ type });
        },
      }).started();
      expect(instance.on('go')).toEqual(['1', '2', 'x', 'xx', 'y', 'x', 'xx', 'y']);
    });

    test('an event sent from inside the first command waits until the start is done, after those sent before', () => {
      const machine = machineOf({
        entry: [say('1'), say('2')],
        on: { x: { actions: say('x') }, y: { actions: say('y') } },
      });
      const instance = scene(machine, { answer: (side, ordinal) => ordinal === 0 && side.send({ type: 'y' }) });
      instance.send('x');
      instance.start();
      expect(instance.said()).toEqual(['1', '2', 'x', 'y']);
    });

    test('come when every step is done: whoever does them finds the instance where it will stay', () => {
      const states: string[] = [];
      const machine = machineOf({
        initial: 'a',
        states: {
          a: { exit: say('-a'), on: { go: { target: 'b', actions: count } } },
          b: { entry: raise({ type: 'on' }), on: { on: { target: 'c', actions: [count, say('on')] } } },
          c: { always: 'd' },
          d: { tags: 'there', entry: count },
        },
      });
      const instance: Scene = scene(machine, {
        answer: ({ instance: at }) => {
          states.push(`${at.state} ${(at.context as { n: number }).n} ${at.hasTag('there')}`);
        },
      }).started();
      expect(instance.on('go')).toEqual(['-a', 'on']);
      expect(states).toEqual(['d 3 true', 'd 3 true']);
    });

    test('a command says what was true when it was given', () => {
      const n = tell('n', ({ context }) => ({ n: context.n }));
      const instance = run({ on: { go: { actions: [n, count, n, count, count, n] } } });
      expect(instance.on('go')).toEqual(['n {"n":0}', 'n {"n":1}', 'n {"n":3}']);
    });

    test('what an event carries is handed on, not copied', () => {
      const socket = { fd: 3 };
      const seen: unknown[] = [];
      const adopt = tell('adopt', ({ event }) => ({ socket: (event as { socket?: unknown }).socket }));
      const instance = scene(machineOf({ on: { arrived: { actions: adopt } } })).started();
      instance.send({ type: 'arrived', socket } as never);
      for (const deed of instance.deeds)
        if (deed.did === 'command') seen.push((deed.command as { socket?: unknown }).socket);
      expect(seen[0]).toBe(socket);
    });

    test('an instance may move another one from inside a command: that is done at once', () => {
      const log: string[] = [];
      const other = scene(
        machineOf({
          initial: 'a',
          states: { a: { on: { ask: { target: 'b', actions: [count, say('told')] } } }, b: {} },
        }),
        { answer: () => log.push('other’s command') },
      ).started();
      const instance = scene(
        machineOf({ on: { go: { actions: [say('1'), count, tell('2', ({ context }) => context)] } } }),
        {
          answer: (_, ordinal) => {
            log.push(`command ${ordinal}`);
            if (ordinal > 0) return;
            other.send('ask');
            log.push(other.state);
          },
        },
      ).started();
      instance.send('go');
      expect(log).toEqual(['command 0', 'other’s command', 'b', 'command 1']);
      expect(instance.instance.context).toMatchObject({ n: 1 });
    });

    test('an instance may be made and started from inside a command', () => {
      const inner = machineOf({
        initial: 'a',
        states: {
          a: { entry: [count, say('inner a'), raise({ type: 'on' })], on: { on: 'b' } },
          b: { entry: say('inner b') },
        },
      });
      const log: string[] = [];
      const instance = scene(machineOf({ on: { go: { actions: [say('1'), say('2')] } } }), {
        answer: (_, ordinal) => {
          if (ordinal > 0) return;
          const made = scene(inner);
          made.start();
          log.push(...made.said(), made.state);
        },
      }).started();
      expect(instance.on('go')).toEqual(['1', '2']);
      expect(log).toEqual(['inner a', 'inner b', 'b']);
    });

    test('a command that throws is an error of the process, and stops nothing else', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const machine = machineOf({
        initial: 'a',
        states: { a: { on: { go: { target: 'b', actions: [say('1'), say('2')] } } }, b: { after: { 10: 'a' } } },
      });
      const instance = scene(machine, {
        answer: (_, ordinal) => {
          if (ordinal === 0) throw new Error('no such thing');
        },
      }).started();
      expect(instance.on('go')).toEqual(['1', '2', 'set 10']);
      expect(instance.state).toBe('b');
      expect(() => vi.runAllTimers()).toThrow('no such thing');
      instance.advance(10);
      expect(instance.state).toBe('a');
    });

    test('a host that throws at the end is an error of the process, not of whoever sent the event', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const machine = machineOf({ initial: 'a', states: { a: { on: { go: 'end' } }, end: { type: 'final' } } });
      const instance = scene(machine, {
        answer: () => {
          throw new Error('no such end');
        },
      }).started();
      expect(() => instance.send('go')).not.toThrow();
      expect(() => vi.runAllTimers()).toThrow('no such end');
      expect(() => instance.send('go')).not.toThrow();
    });
  });

  describe('assign', () => {
    test('assigners of one object all see the context before it', () => {
      const swap = set({ n: ({ context }: Given) => context.m, m: ({ context }: Given) => context.n + 10 });
      const instance = run({ context: { n: 1, m: 2 }, on: { go: { actions: swap } } });
      instance.send('go');
      expect(instance.instance.context).toEqual({ n: 2, m: 11 });
    });

    test('constants and functions can stand side by side; the functions do not see the constants', () => {
      const mixed = set({ n: 5, m: ({ context }: Given) => context.n + 1, text: 'x' });
      const instance = run({ on: { go: { actions: mixed } } });
      instance.send('go');
      expect(instance.instance.context).toEqual({ n: 5, m: 1, text: 'x' });
    });

    test('the next action sees what the last one assigned', () => {
      const instance = run({
        on: { go: { actions: [count, count, set({ m: ({ context }: Given) => context.n * 10 })] } },
      });
      instance.send('go');
      expect(instance.instance.context).toMatchObject({ n: 2, m: 20 });
    });

    test('a function assigns what it returns, which may be nothing', () => {
      const some = set(({ context }) => (context.n === 0 ? { n: 1, more: true } : {}));
      const instance = run({ on: { go: { actions: some } } });
      instance.send('go');
      expect(instance.instance.context).toEqual({ n: 1, m: 0, text: '', more: true });
      instance.send('go');
      expect(instance.instance.context).toEqual({ n: 1, m: 0, text: '', more: true });
    });

    test('undefined is a value as any other', () => {
      const instance = run({ on: { go: { actions: set({ n: undefined, text: () => undefined }) } } });
      instance.send('go');
      expect(instance.instance.context).toStrictEqual({ n: undefined, m: 0, text: undefined });
    });

    test('assigns what the event carries', () => {
      const instance = run({ on: { go: { actions: set({ n: ({ event }: Given) => event.n }) } } });
      instance.send({ type: 'go', n: 9 } as never);
      expect(instance.instance.context).toMatchObject({ n: 9 });
    });

    test('of exit, transition and entry add up, in this order', () => {
      const add = (text: string): object => set({ text: ({ context }: Given) => context.text + text });
      const instance = run({
        initial: 'a',
        states: {
          a: { exit: add('1'), on: { go: { target: 'b', actions: add('2') } } },
          b: { entry: add('3'), initial: { target: 'c', actions: add('4') }, states: { c: { entry: add('5') } } },
        },
      });
      instance.send('go');
      expect(instance.instance.context).toMatchObject({ text: '12345' });
    });
  });

  describe('guards', () => {
    const answer = (guard: unknown, implementations: object = {}, event: object = {}): string[] =>
      run(
        { context: { n: 2 }, on: { go: [{ guard, actions: say('yes') }, { actions: say('no') }] } },
        implementations,
      ).on({
        type: 'go',
        ...event,
      });
    const isTwo = ({ context }: Given): boolean => context.n === 2;
    const atLeast = ({ context }: Given, params?: { least: number }): boolean => context.n >= (params?.least ?? 99);

    test('a function, a name, a name with params', () => {
      expect(answer(isTwo)).toEqual(['yes']);
      expect(answer('isTwo', { guards: { isTwo } })).toEqual(['yes']);
      expect(answer({ type: 'atLeast', params: { least: 2 } }, { guards: { atLeast } })).toEqual(['yes']);
      expect(answer({ type: 'atLeast', params: { least: 3 } }, { guards: { atLeast } })).toEqual(['no']);
      expect(answer('atLeast', { guards: { atLeast } })).toEqual(['no']);
      expect(answer({ type: 'atLeast' }, { guards: { atLeast } })).toEqual(['no']);
    });

    test('params that are a function of context and event', () => {
      const guard = { type: 'atLeast', params: ({ context, event }: Given) => ({ least: context.n - event.n }) };
      expect(answer(guard, { guards: { atLeast } }, { n: 0 })).toEqual(['yes']);
      expect(answer(guard, { guards: { atLeast } }, { n: -1 })).toEqual(['no']);
    });

    test('and, or, not, of functions, names and each other', () => {
      const guards = { isTwo, atLeast, never: () => false };
      expect(answer(and(['isTwo', isTwo] as never), { guards })).toEqual(['yes']);
      expect(answer(and(['isTwo', 'never'] as never), { guards })).toEqual(['no']);
      expect(answer(or(['never', isTwo] as never), { guards })).toEqual(['yes']);
      expect(answer(or([]), { guards })).toEqual(['no']);
      expect(answer(and([]), { guards })).toEqual(['yes']);
      expect(answer(not('never' as never), { guards })).toEqual(['yes']);
      expect(answer(not(or([and(['isTwo', not(() => true)] as never), 'never'] as never)), { guards })).toEqual([
        'yes',
      ]);
      expect(answer(and([{ type: 'atLeast', params: { least: 1 } }] as never), { guards })).toEqual(['yes']);
    });

    test('a name may stand for others', () => {
      const guards = {
        isTwo,
        atLeast,
        both: and(['isTwo', { type: 'atLeast', params: { least: 2 } }] as never),
        notBoth: not('both' as never),
        alias: 'both',
        narrow: { type: 'atLeast', params: { least: 3 } },
      };
      expect(answer('both', { guards })).toEqual(['yes']);
      expect(answer('notBoth', { guards })).toEqual(['no']);
      expect(answer('alias', { guards })).toEqual(['yes']);
      expect(answer('narrow', { guards })).toEqual(['no']);
    });

    test('are asked in order, and no further than needed', () => {
      const asked: string[] = [];
      const ask = (name: string, result: boolean) => (): boolean => {
        asked.push(name);
        return result;
      };
      const instance = run({
        on: {
          go: [
            { guard: and([ask('1', false), ask('2', true)]), actions: say('a') },
            { guard: or([ask('3', true), ask('4', true)]), actions: say('b') },
            { guard: ask('5', true), actions: say('c') },
          ],
        },
      });
      expect(instance.on('go')).toEqual(['b']);
      expect(asked).toEqual(['1', '3']);
    });

    test('where all say no, the parent is asked', () => {
      const instance = run({
        initial: 'a',
        on: { go: { actions: say('parent') } },
        states: {
          a: {
            on: {
              go: [
                { guard: () => false, target: 'b' },
                { guard: () => false, actions: say('!') },
              ],
            },
          },
          b: {},
        },
      });
      expect(instance.on('go')).toEqual(['parent']);
    });

    test('see the context before the transition’s actions', () => {
      const instance = run({
        on: {
          go: [
            { guard: ({ context }: Given) => context.n === 0, actions: [count, say('first')] },
            { actions: say('then') },
          ],
        },
      });
      expect(instance.on('go')).toEqual(['first']);
      expect(instance.on('go')).toEqual(['then']);
    });

    test('a target may stand by itself among candidates', () => {
      const instance = run({
        initial: 'a',
        states: { a: { on: { go: [{ guard: () => false, target: 'a' }, 'b'] } }, b: {} },
      });
      instance.send('go');
      expect(instance.state).toBe('b');
    });
  });

  describe('params of actions', () => {
    const by = tell('by', (_, params) => ({ params }));
    const add = set({ n: ({ context }: Given, params?: { by: number }) => context.n + (params?.by ?? 100) });

    test('are handed to the action; without any there are none', () => {
      const instance = run(
        { on: { go: { actions: ['by', { type: 'by' }, { type: 'by', params: { x: 1 } }] } } },
        { actions: { by } },
      );
      expect(instance.on('go')).toEqual([
        'by {"params":"«undefined»"}',
        'by {"params":"«undefined»"}',
        'by {"params":{"x":1}}',
      ]);
    });

    test('may be a function of context and event, asked when it is the action’s turn', () => {
      const params = ({ context, event }: Given) => ({ by: context.n + event.n });
      const instance = run(
        {
          context: { n: 1 },
          on: {
            go: {
              actions: [
                { type: 'add', params },
                { type: 'add', params },
                { type: 'by', params },
              ],
            },
          },
        },
        { actions: { add, by } },
      );
      expect(instance.on({ type: 'go', n: 1 } as never)).toEqual(['by {"params":{"by":8}}']);
      expect(instance.instance.context).toEqual({ n: 7 });
    });

    test('reach functions that assign, emit and raise', () => {
      const implementations = {
        actions: {
          add,
          addAll: set(({ context }: Given, params: never) => ({ n: context.n + (params as { by: number }).by })),
          ask: raise((({ context }: Given, params: { type: string }) => ({ ...params, n: context.n })) as never),
        },
      };
      const instance = run(
        {
          on: {
            go: {
              actions: [
                { type: 'add', params: { by: 3 } },
                { type: 'addAll', params: { by: 4 } },
                { type: 'ask', params: { type: 'told' } },
              ],
            },
            told: { actions: tell('heard', ({ event }) => ({ n: event.n })) },
          },
        },
        implementations,
      );
      expect(instance.on('go')).toEqual(['heard {"n":7}']);
    });

    test('of one name, used in several places, are each place’s own', () => {
      const instance = run(
        {
          entry: 'add',
          on: {
            a: { actions: { type: 'add', params: { by: 1 } } },
            b: { actions: { type: 'add', params: { by: 2 } } },
          },
        },
        { actions: { add } },
      );
      for (const type of ['a', 'b', 'a']) instance.send(type);
      expect(instance.instance.context).toMatchObject({ n: 104 });
    });
  });

  describe('where names come from', () => {
    test('setup', () => {
      const machine = setup({
        types: { context: {} as { n: number } },
        actions: { more: assign({ n: ({ context }) => context.n + 1 }), hello: emit({ type: 'hello' }) },
        guards: { small: ({ context }) => context.n < 1 },
        delays: { soon: 5, later: ({ context }) => 10 + context.n },
      }).createMachine({
        id: 'm',
        context: { n: 0 },
        initial: 'a',
        states: {
          a: { after: { soon: { guard: 'small', target: 'b', actions: ['more', 'hello'] } } },
          b: { after: { later: 'a' } },
        },
      });
      const instance = scene(machine as never);
      instance.start();
      expect(instance.after(5)).toEqual(['hello', 'set 11']);
    });

    test('provide, which replaces what setup said', () => {
      const machine = machineOf(
        { initial: 'a', states: { a: { entry: 'hello', after: { soon: { guard: 'ok', target: 'b' } } }, b: {} } },
        { actions: { hello: say('old') }, guards: { ok: () => false }, delays: { soon: 1 } },
      ).provide({ actions: { hello: say('new') }, guards: { ok: () => true }, delays: { soon: 2 } } as never);
      const instance = scene(machine);
      instance.start();
      expect(instance.said()).toEqual(['new', 'set 2']);
      instance.advance(2);
      expect(instance.state).toBe('b');
    });
  });

  describe('raised events', () => {
    test('come before any that is sent, in the order in which they were raised', () => {
      const machine = machineOf({
        on: {
          go: { actions: [raise({ type: 'x' }), say('go'), raise({ type: 'y' })] },
          x: { actions: [say('x'), raise({ type: 'z' })] },
          y: { actions: say('y') },
          z: { actions: say('z') },
          sent: { actions: say('sent') },
        },
      });
      const instance = scene(machine, {
        answer: (side, ordinal) => ordinal === 0 && side.send({ type: 'sent' }),
      }).started();
      expect(instance.on('go')).toEqual(['go', 'x', 'y', 'z', 'sent']);
    });

    test('are answered by the state that is reached', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: { exit: raise({ type: 'left' }), on: { go: 'b', left: { actions: say('a hears') } } },
          b: {
            entry: raise({ type: 'entered' }),
            on: { left: { actions: say('b hears left') }, entered: { actions: say('b hears entered') } },
          },
        },
      });
      expect(instance.on('go')).toEqual(['b hears left', 'b hears entered']);
    });

    test('that nobody answers are gone', () => {
      const instance = run({ on: { go: { actions: [raise({ type: 'nobody' }), say('go')] } } });
      expect(instance.on('go')).toEqual(['go']);
      expect(instance.on('else')).toEqual([]);
    });

    test('may be made from context and event, as they are at that place', () => {
      const ask = raise(({ context, event }: Given) => ({
        type: context.n === 1 ? 'one' : 'other',
        n: event.n,
      })) as object;
      const heard = (type: string): object => ({ actions: tell(type, ({ event }) => ({ n: event.n })) });
      const instance = run({
        on: { go: { actions: [ask, count, ask, count] }, one: heard('one'), other: heard('other') },
      });
      expect(instance.on({ type: 'go', n: 7 } as never)).toEqual(['other {"n":7}', 'one {"n":7}']);
    });

    test('lead on, step by step, and every step’s actions see the event of that step', () => {
      const entry = tell('+', ({ event }) => ({ by: event.type }));
      const instance = run({
        initial: 'a',
        states: {
          a: { on: { go: { target: 'b', actions: raise({ type: 'on' }) } } },
          b: { entry, on: { on: { target: 'c', actions: raise({ type: 'further' }) } } },
          c: { entry, on: { further: 'd' } },
          d: { entry },
        },
      });
      expect(instance.on('go')).toEqual(['+ {"by":"go"}', '+ {"by":"on"}', '+ {"by":"further"}']);
    });

    test('leave nothing behind for other lives when the machine ends first', () => {
      const ending = machineOf({
        initial: 'a',
        states: { a: { on: { go: { target: 'end', actions: raise({ type: 'late' }) } } }, end: { type: 'final' } },
      });
      scene(ending).started().send('go');
      const other = run({ on: { late: { actions: say('late') }, x: { actions: say('x') } } });
      expect(other.on('x')).toEqual(['x']);
    });
  });

  describe('steps without an event', () => {
    test('the first whose guard agrees is taken, or the one without a guard', () => {
      const instance = (n: number): string => {
        const at = run({
          context: { n },
          initial: 'a',
          states: {
            a: { on: { go: 'choose' } },
            choose: {
              always: [
                { guard: ({ context }: Given) => context.n === 1, target: 'one' },
                { guard: ({ context }: Given) => context.n > 0, target: 'more' },
                { target: 'none' },
              ],
            },
            one: {},
            more: {},
            none: {},
          },
        });
        at.send('go');
        return at.state;
      };
      expect([instance(0), instance(1), instance(2)]).toEqual(['none', 'one', 'more']);
    });

    test('come before raised events', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: { on: { go: { target: 'b', actions: raise({ type: 'x' }) } } },
          b: { always: { target: 'c', actions: say('always') }, on: { x: { actions: say('b hears') } } },
          c: { on: { x: { actions: say('c hears') } } },
        },
      });
      expect(instance.on('go')).toEqual(['always', 'c hears']);
    });

    test('see the event that led there', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: { on: { go: { target: 'b', actions: raise({ type: 'x' }) } } },
          b: { on: { x: 'c' } },
          c: {
            always: {
              guard: ({ event }: Given) => event.type === 'x',
              target: 'd',
              actions: tell('!', ({ event }) => ({ by: event.type })),
            },
          },
          d: {},
        },
      });
      expect(instance.on('go')).toEqual(['! {"by":"x"}']);
      expect(instance.state).toBe('d');
    });

    test('see the event that led there, also when nobody answered it', () => {
      const instance = run({
        on: { go: { actions: raise({ type: 'nobody' }) } },
        always: {
          guard: ({ context, event }: Given) => event.type === 'nobody' && context.n === 0,
          actions: [count, say('!')],
        },
      });
      expect(instance.on('go')).toEqual(['!']);
    });

    test('a child’s are asked before its parent’s', () => {
      const instance = run({
        initial: 'a',
        always: { guard: ({ context }: Given) => context.n === 1, actions: [count, say('root')] },
        states: {
          a: {
            on: { go: { actions: count } },
            always: { guard: ({ context }: Given) => context.n === 2, actions: [count, say('a')] },
          },
        },
      });
      expect(instance.on('go')).toEqual(['root', 'a']);
    });

    test('go on as long as they assign, and end where the guard says so', () => {
      const instance = run({
        on: { go: { actions: set({ m: 1 }) } },
        always: { guard: ({ context }: Given) => context.m === 1 && context.n < 5, actions: count },
      });
      instance.send('go');
      expect(instance.instance.context).toMatchObject({ n: 5 });
    });

    test('that neither lead anywhere nor assign are taken once for each event', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: {
            always: { actions: say('always') },
            on: { go: { actions: raise({ type: 'x' }) }, x: { actions: say('x') } },
          },
        },
      });
      expect(instance.on('go')).toEqual(['always', 'x', 'always']);
      expect(instance.on('nobody')).toEqual(['always']);
    });

    test('that reenter their own state without assigning are taken once for each event', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: {
            entry: say('+'),
            exit: say('-'),
            always: { guard: ({ event }: Given) => event.type === 'go', target: 'a', reenter: true },
          },
        },
      });
      expect(instance.on('go')).toEqual(['-', '+']);
    });

    test('are no event: a wildcard does not see them', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: { on: { go: 'b' } },
          b: { always: 'c', on: { '*': { actions: say('wildcard') } } },
          c: { on: { '*': { actions: say('c’s') } } },
        },
      });
      expect(instance.on('go')).toEqual([]);
      expect(instance.state).toBe('c');
    });

    test('are asked again after events that nobody answers', () => {
      let open = false;
      const instance = run({ initial: 'a', states: { a: { always: { guard: () => open, target: 'b' } }, b: {} } });
      instance.send('knock');
      expect(instance.state).toBe('a');
      open = true;
      instance.send('knock');
      expect(instance.state).toBe('b');
    });

    test('form chains through nested states', () => {
      const instance = run(
        chatty({
          initial: 'a',
          states: {
            a: { on: { go: 'b' } },
            b: { initial: 'c', always: '#m.e', states: { c: { always: 'd' }, d: {} } },
            e: { initial: 'f', states: { f: { always: 'g' }, g: {} } },
          },
        }),
      );
      expect(instance.on('go')).toEqual(['-a', '+b', '+c', '-c', '+d', '-d', '-b', '+e', '+f', '-f', '+g']);
    });
  });

  describe('timers', () => {
    test('fire, and are gone', () => {
      const instance = run({
        initial: 'a',
        states: { a: { after: { 100: { target: 'b', actions: say('!') } } }, b: {} },
      });
      expect(instance.instance.timers()).toEqual([{ name: '100', remainingMs: 100 }]);
      expect(instance.after(99)).toEqual([]);
      expect(instance.instance.timers()).toEqual([{ name: '100', remainingMs: 1 }]);
      expect(instance.after(1)).toEqual(['!']);
      expect(instance.instance.timers()).toEqual([]);
    });

    test('are cleared when their state is left, and set anew when it is entered', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: { after: { 100: 'c' }, on: { go: 'b', again: { target: 'a', reenter: true } } },
          b: { on: { back: 'a' } },
          c: {},
        },
      });
      instance.advance(60);
      expect(instance.on('again')).toEqual(['clear 100', 'set 100']);
      instance.advance(60);
      expect(instance.on('go')).toEqual(['clear 160']);
      expect(instance.on('back')).toEqual(['set 100']);
      instance.advance(99);
      expect(instance.state).toBe('a');
    });

    test('run on through transitions that do not leave their state', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: {
            after: { 100: 'z' },
            initial: 'b',
            on: { tick: { actions: say('tick') }, self: 'a' },
            states: { b: { on: { go: 'c' } }, c: {} },
          },
          z: {},
        },
      });
      instance.advance(50);
      for (const type of ['go', 'tick', 'self']) expect(instance.on(type)).not.toContain('clear 100');
      instance.advance(50);
      expect(instance.state).toBe('z');
    });

    test('one that was left alone by a transition without a target does not fire again', () => {
      const instance = run({ initial: 'a', states: { a: { after: { 10: { actions: say('!') } } } } });
      expect(instance.after(10)).toEqual(['!']);
      expect(instance.after(1_000)).toEqual([]);
      expect(instance.instance.timers()).toEqual([]);
    });

    test('may have a name, whose delay is a number or a function of context and event', () => {
      const delays = { short: 5, long: ({ context, event }: Given) => 100 + context.n + event.n };
      const instance = run(
        {
          context: { n: 3 },
          initial: 'a',
          states: { a: { on: { go: 'b' } }, b: { after: { short: { actions: say('short') }, long: 'a' } } },
        },
        { delays },
      );
      expect(instance.on({ type: 'go', n: 20 } as never)).toEqual(['set 5', 'set 123']);
      expect(instance.instance.timers()).toEqual([
        { name: 'short', remainingMs: 5 },
        { name: 'long', remainingMs: 123 },
      ]);
    });

    test('a delay is worked out at the end of the entry actions, before anything further inside', () => {
      const wait = ({ context }: Given): number => context.n;
      const instance = run(
        {
          initial: 'a',
          states: {
            a: { on: { go: { target: 'b', actions: count } } },
            b: {
              entry: [count, count],
              after: { wait: 'a' },
              initial: { target: 'c', actions: count },
              states: { c: { entry: count, after: { wait: 'd' } }, d: {} },
            },
          },
        },
        { delays: { wait } },
      );
      expect(instance.on('go')).toEqual(['set 3', 'set 5']);
    });

    test('numbers come first, the smallest before the others, as keys of an object do', () => {
      const instance = run(
        { initial: 'a', states: { a: { on: { go: 'b' } }, b: { after: { pause: 'a', 30: 'a', 7: 'a' } } } },
        { delays: { pause: 1 } },
      );
      expect(instance.on('go')).toEqual(['set 7', 'set 30', 'set 1']);
    });

    test('a number may be written as numbers can be', () => {
      const instance = run({ initial: 'a', states: { a: { after: { '1e2': 'b' } }, b: {} } });
      expect(instance.instance.timers().map(({ remainingMs }) => remainingMs)).toEqual([100]);
      instance.advance(100);
      expect(instance.state).toBe('b');
    });

    test('one that never comes is not set, and what is not set is not cleared', () => {
      const instance = run(
        { initial: 'a', states: { a: { on: { go: 'b' } }, b: { after: { never: 'a' }, on: { back: 'a' } } } },
        { delays: { never: NEVER_MS } },
      );
      expect(instance.on('go')).toEqual([]);
      expect(instance.instance.timers()).toEqual([]);
      expect(instance.on('back')).toEqual([]);
    });

    test('a delay that is no number is none: the event comes at once', () => {
      const delays = { maybe: ({ context }: Given) => (context.n > 0 ? undefined : 50) };
      const states = {
        a: { on: { go: { target: 'b', actions: count } } },
        b: { entry: say('+b'), after: { maybe: 'c' } },
        c: { entry: say('+c') },
      };
      const instance = run({ initial: 'a', states }, { delays });
      expect(instance.on('go')).toEqual(['+b', '+c']);
      expect(instance.state).toBe('c');
    });

    test('a delay that is no number is none at the start, too, and no other life hears of it', () => {
      const delays = { none: () => undefined };
      const instance = run({ initial: 'a', states: { a: { after: { none: 'b' } }, b: {} } }, { delays });
      const other = run({ on: { '*': { actions: tell('heard', ({ event }) => ({ event })) } } });
      expect(other.on('x')).toEqual(['heard {"event":{"type":"x"}}']);
      expect(instance.state).toBe('b');
    });

    test('the name of a delay may have dots', () => {
      const states = { a: { after: { 'retry.pause': 'b' } }, b: {} };
      const instance = run({ initial: 'a', states }, { delays: { 'retry.pause': 10 } });
      expect(instance.instance.timers()).toEqual([{ name: 'retry.pause', remainingMs: 10 }]);
    });

    test('guards choose between candidates', () => {
      const after = { 10: [{ guard: ({ context }: Given) => context.n > 0, target: 'b' }, { target: 'c' }] };
      const instance = run({ initial: 'a', states: { a: { after }, b: {}, c: {} } });
      instance.advance(10);
      expect(instance.state).toBe('c');
    });

    test('one that no candidate wants has fired all the same', () => {
      const instance = run({
        initial: 'a',
        states: { a: { after: { 10: { guard: () => false, target: 'b' } } }, b: {} },
      });
      expect(instance.after(10)).toEqual([]);
      expect(instance.instance.timers()).toEqual([]);
    });

    test('a child’s wildcard hides a parent’s timer', () => {
      const instance = run({
        initial: 'a',
        states: {
          a: {
            after: { 10: '#m.b' },
            initial: 'c',
            states: { c: { on: { '*': { actions: tell('took', ({ event }) => ({ event: event.type })) } } } },
          },
          b: {},
        },
      });
      expect(instance.after(10)).toEqual(['took {"event":"xstate.after.10.m.a"}']);
      expect(instance.state).toBe('a.c');
    });

    test('a forbidden wildcard hides it, too', () => {
      const instance = run({
        initial: 'a',
        states: { a: { after: { 10: '#m.b' }, initial: 'c', states: { c: { on: { 'xstate.*': undefined } } } }, b: {} },
      });
      instance.advance(10);
      expect(instance.state).toBe('a.c');
    });

    test('one that fires while a command is done waits, and comes too late if its state was left meanwhile', () => {
      const machine = machineOf({
        initial: 'a',
        states: {
          a: {
            after: { 10: { actions: say('timer') } },
            on: { stay: { actions: say('stay') }, go: { target: 'b', actions: [say('go'), raise({ type: 'x' })] } },
          },
          b: {},
        },
      });
      const early = scene(machine, { answer: (side, ordinal) => ordinal === 0 && side.advance(10) }).started();
      expect(early.on('stay')).toEqual(['stay', 'timer']);
      const late = scene(machine, {
        answer: (side, ordinal) => {
          if (ordinal > 0) return;
          side.send({ type: 'go' });
          side.advance(10);
        },
      }).started();
      expect(late.on('stay')).toEqual(['stay', 'go']);
      expect(late.state).toBe('b');
    });

    test('its event can be sent, as if it had fired', () => {
      const instance = run({ initial: 'a', states: { a: { after: { 10: 'b' } }, b: { after: { 20: 'a' } } } });
      expect(instance.on('xstate.after.10.m.a')).toEqual(['clear 10', 'set 20']);
    });

    test('of a state with an id of its own carry it', () => {
      const instance = run({
        initial: 'a',
        states: { a: { id: 'own', after: { 10: { actions: tell('!', ({ event }) => ({ by: event.type })) } } } },
      });
      expect(instance.after(10)).toEqual(['! {"by":"xstate.after.10.own"}']);
    });

    test('of the root run from the start', () => {
      const instance = run({ initial: 'a', after: { 10: '.b' }, states: { a: {}, b: {} } });
      instance.advance(10);
      expect(instance.state).toBe('b');
    });

    test('that are due at once fire in the order in which they were set', () => {
      const tick = (name: string): object => ({ actions: say(name) });
      const instance = run({
        initial: 'a',
        after: { 10: tick('root') },
        states: { a: { after: { 10: tick('a') }, initial: 'b', states: { b: { after: { 10: tick('b') } } } } },
      });
      expect(instance.after(10)).toEqual(['root', 'a', 'b']);
    });

    test('those in the background never keep the process alive; the others do unless told', () => {
      const machine = machineOf(
        {
          initial: 'a',
          after: { back: '.a', front: '.a' },
          states: { a: { on: { go: 'b' } }, b: { after: { front: 'a', back: 'a' } } },
        },
        { delays: { back: 10, front: 20 } },
      );
      const instance = scene(machine, { backgroundTimers: new Set(['back']) }).started();
      const alive = (): boolean[] => instance.clock.pending.map(({ keepsAlive }) => keepsAlive);
      expect(alive()).toEqual([false, true]);
      instance.instance.setRef(false);
      expect(alive()).toEqual([false, false]);
      instance.send('go');
      expect(alive()).toEqual([false, false, false, false]);
      instance.instance.setRef(true);
      expect(alive()).toEqual([false, true, true, false]);
    });

    test('what is told before the start is kept', () => {
      const instance = scene(machineOf({ after: { 10: { actions: say('!') } } }));
      instance.instance.setRef(false);
      instance.start();
      expect(instance.clock.pending.map(({ keepsAlive }) => keepsAlive)).toEqual([false]);
    });

    test('all are cleared at the end', () => {
      const instance = run({
        initial: 'a',
        after: { 50: { actions: say('!') } },
        states: { a: { after: { 10: 'b', 20: 'b' }, on: { go: 'end' } }, b: {}, end: { type: 'final' } },
      });
      expect(instance.on('go')).toEqual(['clear 10', 'clear 20', 'clear 50', 'finish "«undefined»"']);
      expect(instance.clock.pending).toEqual([]);
      expect(instance.instance.timers()).toEqual([]);
    });
  });

  describe('what events match', () => {
    const heard = (name: string): object => ({ actions: tell(name, ({ event }) => ({ event: event.type })) });

    test('the type itself before wildcards, a longer one before a shorter one', () => {
      const instance = run({
        on: { '*': heard('all'), 'a.*': heard('a'), 'a.b.*': heard('ab'), 'a.b.c': heard('abc') },
      });
      expect(instance.on('a.b.c')).toEqual(['abc {"event":"a.b.c"}']);
      expect(instance.on('a.b.d')).toEqual(['ab {"event":"a.b.d"}']);
      expect(instance.on('a.x')).toEqual(['a {"event":"a.x"}']);
      expect(instance.on('x')).toEqual(['all {"event":"x"}']);
    });

    test('a partial wildcard takes its beginning alone, and anything below it, but no other word', () => {
      const instance = run({ on: { 'a.*': heard('a') } });
      expect(instance.on('a')).toEqual(['a {"event":"a"}']);
      expect(instance.on('a.b.c.d')).toEqual(['a {"event":"a.b.c.d"}']);
      expect(instance.on('ab')).toEqual([]);
      expect(instance.on('b.a')).toEqual([]);
    });

    test('a guard that says no leads on to the next wildcard of the state, then to the parent', () => {
      const no = (): boolean => false;
      const instance = run({
        initial: 's',
        on: { 'a.b': heard('parent') },
        states: {
          s: {
            on: {
              'a.b': { guard: no, ...heard('1') },
              'a.*': { guard: ({ context }: Given) => context.n === 0, actions: [count, say('2')] },
              '*': { guard: no, ...heard('3') },
            },
          },
        },
      });
      expect(instance.on('a.b')).toEqual(['2']);
      expect(instance.on('a.b')).toEqual(['parent {"event":"a.b"}']);
    });

    test('a child’s wildcard comes before a parent’s own type', () => {
      const instance = run({
        initial: 's',
        on: { x: heard('parent') },
        states: { s: { on: { '*': heard('child') } } },
      });
      expect(instance.on('x')).toEqual(['child {"event":"x"}']);
    });

    test('a wildcard takes raised events, and those that tell of a final state', () => {
      const instance = run({
        initial: 's',
        states: {
          s: { on: { go: { target: 't', actions: raise({ type: 'raised' }) } } },
          t: { initial: 'u', on: { '*': heard('took') }, states: { u: { type: 'final' } } },
        },
      });
      expect(instance.on('go')).toEqual(['took {"event":"raised"}', 'took {"event":"xstate.done.state.m.t"}']);
    });

    test('many types that nobody has named do not harm', () => {
      const instance = run({ on: { '*': { actions: count } } });
      for (let number = 0; number < 3_000; number++) instance.send(`type${number}`);
      expect(instance.instance.context).toMatchObject({ n: 3_000 });
    });

    test('a forbidden event is kept from the parent, also when it is forbidden by {}', () => {
      const on = { x: heard('parent'), y: heard('parent'), '*': heard('all') };
      const instance = run({ initial: 's', on, states: { s: { on: { x: undefined, y: {} } }, t: {} } });
      expect(instance.on('x')).toEqual([]);
      expect(instance.on('y')).toEqual([]);
      expect(instance.on('z')).toEqual(['all {"event":"z"}']);
    });

    test('it can be forbidden under a condition', () => {
      const instance = run({
        initial: 's',
        on: { x: { actions: count } },
        states: { s: { on: { x: { guard: ({ context }: Given) => context.n >= 2 } } } },
      });
      for (let times = 0; times < 5; times++) instance.send('x');
      expect(instance.instance.context).toMatchObject({ n: 2 });
    });

    test('an empty list of candidates forbids nothing', () => {
      const instance = run({ initial: 's', on: { x: heard('parent') }, states: { s: { on: { x: [] } } } });
      expect(instance.on('x')).toEqual(['parent {"event":"x"}']);
    });

    test.each([
      ['a machine without wildcards', {}],
      ['one with a wildcard', { '*': { actions: say('all') } }],
    ])('an event may not have the type *: %s is over then', (_, on) => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      vi.spyOn(console, 'warn').mockReturnValue(undefined);
      const instance = run({ on: { ...on, x: { actions: say('x') } } });
      expect(instance.on('*')).toEqual([]);
      expect(() => vi.runAllTimers()).toThrow(/\*/);
      expect(instance.on('x')).toEqual([]);
      vi.restoreAllMocks();
    });
  });

  describe('final states', () => {
    const inner = (more: object = {}, end: object = {}): Scene =>
      run({
        initial: 'a',
        states: {
          a: { on: { go: 'b' } },
          b: {
            initial: 'c',
            onDone: { target: 'd', actions: tell('done', ({ event }) => ({ output: event.output })) },
            states: { c: { on: { next: 'end' } }, end: { type: 'final', ...end } },
            ...more,
          },
          d: { entry: say('+d') },
        },
      });

    test('a nested one is told to its parent, with its output', () => {
      const instance = inner({}, { output: { ok: true } });
      instance.send('go');
      expect(instance.on('next')).toEqual(['done {"output":{"ok":true}}', '+d']);
      expect(instance.state).toBe('d');
    });

    test('its output may be a function of context and event, after its own entry actions', () => {
      const output = ({ context, event }: Given) => ({ n: context.n, by: event.type });
      const instance = inner({}, { entry: count, output });
      instance.send('go');
      expect(instance.on('next')).toEqual(['done {"output":{"n":1,"by":"next"}}', '+d']);
    });

    test.each([null, 0, '', false])('%j is an output as any other', (output) => {
      const instance = inner({}, { output });
      instance.send('go');
      expect(instance.on('next')).toEqual([`done {"output":${JSON.stringify(output)}}`, '+d']);
    });

    test('raised events that came first are answered first', () => {
      const instance = inner({ on: { x: { actions: say('x') } } }, { entry: raise({ type: 'x' }) });
      instance.send('go');
      expect(instance.on('next')).toEqual(['x', 'done {"output":"«undefined»"}', '+d']);
    });

    test('an initial state may be one', () => {
      const instance = inner({ initial: 'end' });
      expect(instance.on('go')).toEqual(['done {"output":"«undefined»"}', '+d']);
    });

    test('where nobody asks, it stays; its parents still answer', () => {
      const instance = inner({ onDone: undefined, on: { x: { target: 'd' } } });
      instance.send('go');
      expect(instance.on('next')).toEqual([]);
      expect(instance.state).toBe('b.end');
      expect(instance.on('x')).toEqual(['+d']);
    });

    test('onDone may be guarded, and bubbles as any event', () => {
      const instance = run({
        initial: 'b',
        on: { 'xstate.done.state.m.b': { actions: say('root heard') } },
        states: {
          b: {
            initial: 'c',
            onDone: { guard: () => false, target: 'b' },
            states: { c: { on: { next: 'end' } }, end: { type: 'final' } },
          },
        },
      });
      expect(instance.on('next')).toEqual(['root heard']);
    });

    test('one in another, each tells the next', () => {
      const instance = run(
        chatty({
          initial: 'a',
          states: {
            a: {
              initial: 'b',
              onDone: 'z',
              states: {
                b: { initial: 'c', onDone: 'end', states: { c: { on: { go: 'end' } }, end: { type: 'final' } } },
                end: { type: 'final' },
              },
            },
            z: {},
          },
        }),
      );
      expect(instance.on('go')).toEqual(['-c', '+end', '-end', '-b', '+end', '-end', '-a', '+z']);
    });

    test('onDone of a state whose id is its own', () => {
      const instance = run({
        initial: 'b',
        states: {
          b: {
            id: 'own',
            initial: 'c',
            onDone: { actions: tell('done', ({ event }) => ({ by: event.type })) },
            states: { c: { on: { next: 'end' } }, end: { type: 'final' } },
          },
        },
      });
      expect(instance.on('next')).toEqual(['done {"by":"xstate.done.state.own"}']);
    });

    test('one of the root ends the instance: all states are left, inner to outer, then the host hears of it', () => {
      const instance = run({
        ...chatty({
          initial: 'a',
          states: {
            a: { initial: 'b', states: { b: { on: { go: { target: '#m.end', actions: say('go') } } } } },
            end: { type: 'final' },
          },
        }),
        output: ({ context, event }: Given) => ({ n: context.n, event }),
      });
      const outcome = { n: 0, event: { type: 'xstate.done.state.m.end', output: '«undefined»' } };
      expect(instance.on('go')).toEqual([
        '-b',
        '-a',
        'go',
        '+end',
        '-end',
        '-root',
        `finish ${JSON.stringify(outcome)}`,
      ]);
      expect(instance.state).toBe('end');
    });

    test('the outcome is worked out before the last exit actions', () => {
      const instance = run({
        initial: 'a',
        exit: count,
        output: ({ context }: Given) => context.n,
        states: { a: { on: { go: 'end' } }, end: { type: 'final', entry: count, exit: count } },
      });
      expect(instance.on('go')).toEqual(['finish 1']);
      expect(instance.instance.outcome).toBe(1);
      expect(instance.instance.context).toMatchObject({ n: 3 });
    });

    test('the outcome is what the machine says, with the final state’s output; a value as it is', () => {
      const end = (output: object, final: object): unknown => {
        const instance = run({
          initial: 'a',
          ...output,
          states: { a: { on: { go: 'end' } }, end: { type: 'final', ...final } },
        });
        instance.send({ type: 'go', n: 3 } as never);
        return instance.instance.outcome;
      };
      expect(end({ output: ({ event }: Given) => event.output }, { output: ({ event }: Given) => event.n })).toBe(3);
      expect(end({ output: 'closed' }, {})).toBe('closed');
      expect(end({ output: null }, {})).toBeNull();
      expect(end({ output: ({ event }: Given) => event.output }, { output: null })).toBeNull();
    });

    test('nothing that comes with the end or later is heard', () => {
      const machine = machineOf({
        initial: 'a',
        on: { x: { actions: say('x') } },
        states: {
          a: { on: { go: { target: 'end', actions: [raise({ type: 'x' }), say('go')] } } },
          end: { type: 'final', always: 'a', after: { 5: 'a' } },
        },
      });
      const instance = scene(machine, { answer: (side) => side.send({ type: 'x' }) }).started();
      expect(instance.on('go').filter(isCommand)).toEqual(['go', 'finish "«undefined»"']);
      expect(instance.on('x')).toEqual([]);
      expect(instance.after(100)).toEqual([]);
      expect(instance.state).toBe('end');
    });

    test('a command of the last transition may still ask where it is; the outcome is not there yet', () => {
      const seen: unknown[] = [];
      const machine = machineOf({
        initial: 'a',
        output: 1,
        states: { a: { on: { go: { target: 'end', actions: say('go') } } }, end: { type: 'final' } },
      });
      scene(machine, { answer: ({ instance }) => seen.push(`${instance.state} ${instance.outcome}`) })
        .started()
        .send('go');
      expect(seen).toEqual(['end undefined', 'end 1']);
    });
  });

  describe('what can be asked', () => {
    const instance = (): Scene =>
      run({
        initial: 'act',
        tags: 'all',
        on: { rooted: { actions: say('!') }, forbidden: { actions: say('!') } },
        states: {
          act: {
            tags: ['busy', 'open'],
            initial: 'one',
            states: {
              one: {
                tags: 'open',
                on: {
                  go: 'two',
                  forbidden: undefined,
                  ignored: { description: 'nothing' },
                  guarded: { guard: ({ event }: Given) => event.n > 1, target: 'two' },
                },
              },
              two: { id: 'own', on: { end: '#m.end' } },
            },
          },
          active: {},
          end: { type: 'final', tags: 'over' },
        },
      });

    test('matches: its own state, those around it, and no other', () => {
      const at = instance().instance;
      expect(['act', 'act.one'].map((path) => at.matches(path))).toEqual([true, true]);
      expect(
        ['a', 'active', 'act.two', 'act.one.x', 'one', 'm', '', 'act.'].map((path) => at.matches(path)),
      ).not.toContain(true);
    });

    test('hasTag: its own, and those of the states around it', () => {
      const at = instance();
      expect(['all', 'busy', 'open', 'over', 'act'].map((tag) => at.instance.hasTag(tag))).toEqual([
        true,
        true,
        true,
        false,
        false,
      ]);
      at.send('go');
      at.send('end');
      expect(['all', 'busy', 'open', 'over'].map((tag) => at.instance.hasTag(tag))).toEqual([true, false, false, true]);
    });

    test('can: what would do something, with this event', () => {
      const at = instance();
      const can = (type: string, n = 0): boolean => at.instance.can({ type, n } as never);
      expect(can('go')).toBe(true);
      expect(can('rooted')).toBe(true);
      expect(can('forbidden')).toBe(false);
      expect(can('ignored')).toBe(false);
      expect(can('nobody')).toBe(false);
      expect(can('guarded', 1)).toBe(false);
      expect(can('guarded', 2)).toBe(true);
      at.send('go');
      expect(can('go')).toBe(false);
      expect(can('forbidden')).toBe(true);
    });

    test('can and accepts change nothing, also from inside a command', () => {
      const answers: unknown[] = [];
      const machine = machineOf({
        initial: 'a',
        states: {
          a: { on: { go: { target: 'b', actions: [say('1'), tell('2', ({ event }) => ({ by: event.type }))] } } },
          b: { on: { x: { guard: ({ event }: Given) => event.n === 1, actions: say('x') }, y: 'a' } },
        },
      });
      const at = scene(machine, {
        answer: ({ instance: asked }) => answers.push(asked.can({ type: 'x', n: 1 } as never), asked.accepts()),
      }).started();
      expect(at.on('go')).toEqual(['1', '2 {"by":"go"}']);
      expect(answers).toEqual([true, ['y'], true, ['y']]);
    });

    test('accepts: the types that would do something', () => {
      const at = instance();
      expect(at.instance.accepts()).toEqual(['rooted', 'go']);
      at.send('go');
      expect(at.instance.accepts()).toEqual(['rooted', 'forbidden', 'end']);
    });

    test('accepts and can with wildcards', () => {
      const at = run({
        initial: 'a',
        on: { '*': { actions: say('!') } },
        states: { a: { on: { 'x.*': { actions: say('x') }, 'y.z': undefined } } },
      });
      expect(at.instance.can({ type: 'x.y' })).toBe(true);
      expect(at.instance.can({ type: 'y.z' })).toBe(false);
      expect(at.instance.can({ type: 'anything' })).toBe(true);
      expect(at.instance.accepts()).toEqual(['*', 'x.*']);
    });

    test('all of it before the start, and after the end', () => {
      const before = scene(
        machineOf({ initial: 'a', states: { a: { tags: 't', on: { go: 'end' } }, end: { type: 'final' } } }),
      );
      expect([
        before.instance.matches('a'),
        before.instance.hasTag('t'),
        before.instance.can({ type: 'go' }),
        before.instance.accepts(),
      ]).toEqual([true, true, true, ['go']]);
      before.start();
      before.send('go');
      expect([
        before.instance.matches('end'),
        before.instance.hasTag('t'),
        before.instance.can({ type: 'go' }),
        before.instance.accepts(),
      ]).toEqual([true, false, false, []]);
    });
  });

  describe('what is published', () => {
    test('the start, and every step that leads somewhere or does something', () => {
      watchTransitions(true);
      const instance = scene(
        machineOf({
          initial: 'a',
          states: {
            a: {
              on: {
                go: { target: 'b', actions: raise({ type: 'x' }) },
                none: undefined,
                tick: { actions: say('tick') },
                no: { guard: () => false, target: 'b' },
              },
            },
            b: { always: 'c' },
            c: { on: { x: 'd' } },
            d: { after: { 10: 'a' } },
          },
        }),
      );
      instance.start();
      expect(instance.said()).toEqual([' –xstate.init→ a']);
      for (const type of ['none', 'nobody', 'no']) expect(instance.on(type)).toEqual([]);
      expect(instance.on('tick')).toEqual(['a –tick→ a', 'tick']);
      expect(instance.on('go')).toEqual(['a –go→ b', 'b –go→ c', 'c –x→ d', 'set 10']);
      expect(instance.after(10)).toEqual(['d –xstate.after.10.m.d→ a']);
    });

    test('of the steps of the start, only where they lead', () => {
      watchTransitions(true);
      const instance = scene(
        machineOf({
          initial: 'a',
          states: { a: { entry: raise({ type: 'x' }), always: 'b' }, b: { on: { x: 'c' } }, c: {} },
        }),
      );
      expect(instance.said()).toEqual([]);
      instance.start();
      expect(instance.said()).toEqual([' –xstate.init→ c']);
    });

    test('who, the part of whom, and what the machine says about itself, as it is after the step', () => {
      watchTransitions(true);
      const instance = scene(
        machineOf({
          context: { incarnation: 1 },
          on: { go: { actions: [set({ incarnation: 2, cause: { manner: 'end' } }), emit({ type: 'owner.drop' })] } },
        }),
      ).started();
      instance.advance(5);
      instance.send('go');
      expect(instance.deeds[0]).toEqual({
        did: 'transition',
        transition: {
          who: 'm#1',
          parent: 'test#1',
          machine: 'm',
          incarnation: 2,
          about: { server: 'a:1' },
          from: '',
          event: 'go',
          eventObject: { type: 'go' },
          commands: [{ type: 'owner.drop' }],
          cause: { manner: 'end' },
          means: 'drop',
          to: '',
          isFinal: false,
          at: 5,
        },
        isOwn: true,
      });
    });

    test('whether the instance ends there: only at a final state of the machine itself', () => {
      watchTransitions(true);
      const instance = run({
        initial: 'a',
        states: {
          a: { initial: 'b', states: { b: { on: { go: 'done' } }, done: { type: 'final' } }, on: { go: 'closed' } },
          closed: { on: { go: 'end' } },
          end: { type: 'final' },
        },
      });
      const told: boolean[] = [];
      for (let step = 0; step < 3; step++) instance.send('go');
      for (const deed of instance.deeds) if (deed.did === 'transition') told.push(deed.transition.isFinal);
      expect(told).toEqual([false, false, true]);
    });

    test('the last one, before the host hears of the end', () => {
      watchTransitions(true);
      const instance = run({ initial: 'a', states: { a: { on: { go: 'end' } }, end: { type: 'final' } } });
      expect(instance.on('go')).toEqual(['a –go→ end', 'finish "«undefined»"']);
    });

    test('whoever listens may send to the same life: that waits', () => {
      const instance: Scene = run({
        initial: 'a',
        states: {
          a: { on: { go: { target: 'b', actions: say('go') } } },
          b: { on: { next: { target: 'c', actions: say('next') } } },
          c: {},
        },
      });
      const listener = (message: unknown): void => {
        if ((message as Transition).event === 'go') instance.send('next');
      };
      subscribe(TRANSITION_CHANNEL, listener);
      expect(instance.on('go')).toEqual(['go', 'next']);
      unsubscribe(TRANSITION_CHANNEL, listener);
    });

    test('whoever listens may move another life: that is done at once, and disturbs nothing', () => {
      const other = run({
        initial: 'a',
        states: {
          a: { on: { go: { target: 'b', actions: [count, say('other')] }, x: { actions: say('not mine') } } },
          b: { on: { x: { actions: say('not mine') } } },
        },
      });
      const instance = run({
        initial: 'a',
        context: { n: 5 },
        states: {
          a: { on: { go: { target: 'b', actions: [raise({ type: 'x' }), say('1')] } } },
          b: {
            always: {
              guard: ({ context }: Given) => context.n === 5,
              target: 'c',
              actions: [count, tell('2', ({ context }) => context)],
            },
          },
          c: { on: { x: { actions: say('x') } } },
        },
      });
      const listener = (message: unknown): void => {
        const { from } = message as Transition;
        if (from === 'a' && other.state === 'a') other.send('go');
      };
      subscribe(TRANSITION_CHANNEL, listener);
      expect(instance.on('go')).toEqual(['1', '2 {"n":6}', 'x']);
      unsubscribe(TRANSITION_CHANNEL, listener);
      expect(other.said()).toEqual(['other']);
      expect(other.instance.context).toMatchObject({ n: 1 });
    });
  });

  describe('functions that throw', () => {
    const fails = (): never => {
      throw new Error('not my day');
    };

    test.each([
      ['a guard', { on: { go: { guard: fails, actions: say('!') } } }],
      ['an assigner', { on: { go: { actions: [say('1'), set({ n: fails }), say('2')] } } }],
      ['a command', { on: { go: { actions: [say('1'), tell('2', fails)] } } }],
      ['a raised event', { on: { go: { actions: [say('1'), raise({ type: 'x' }), raise(fails)] } } }],
      [
        'a step without an event',
        {
          on: { go: { actions: [say('1'), count] } },
          always: { guard: ({ context }: Given) => context.n > 0 && fails() },
        },
      ],
    ])(
      '%s: the instance is over, nothing of the transition is done, no timer is left, and the process hears of it',
      (_, config) => {
        vi.useFakeTimers({ toFake: ['setTimeout'] });
        vi.spyOn(console, 'warn').mockReturnValue(undefined);
        const instance = run({ after: { 10: { actions: say('late') } }, ...config });
        expect(instance.on('go').filter(isCommand)).toEqual([]);
        expect(() => vi.runAllTimers()).toThrow('not my day');
        expect(instance.clock.pending).toEqual([]);
        expect(instance.instance.timers()).toEqual([]);
        expect(instance.instance.outcome).toBeUndefined();
        expect(instance.on('go')).toEqual([]);
        // Nothing that was raised or commanded reaches anybody else.
        const other = run({ on: { x: { actions: say('x') }, y: { actions: say('y') } } });
        expect(other.on('y')).toEqual(['y']);
        vi.restoreAllMocks();
      },
    );

    test('a guard of the start: the instance is over once it is started', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      vi.spyOn(console, 'warn').mockReturnValue(undefined);
      const instance = scene(
        machineOf({
          initial: 'a',
          states: { a: { always: [{ guard: fails, target: 'b' }, { target: 'c' }] }, b: {}, c: { entry: say('c') } },
        }),
      );
      instance.start();
      expect(instance.said()).toEqual([]);
      expect(() => vi.runAllTimers()).toThrow('not my day');
      expect(instance.instance.outcome).toBeUndefined();
      vi.restoreAllMocks();
    });

    test('what is raised must be an event, and nothing of it reaches another life', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const nothing = raise((() => undefined) as never);
      const instance = run({ on: { go: { actions: [nothing, raise({ type: 'x' })] } } });
      instance.send('go');
      expect(() => vi.runAllTimers()).toThrow(TypeError);
      const other = run({ on: { x: { actions: say('x') }, y: { actions: say('y') } } });
      expect(other.on('y')).toEqual(['y']);
    });

    test('whoever hears of the steps before it may move another life: nothing that was raised is that one’s', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const instance = run({
        initial: 'a',
        states: {
          a: { on: { go: { target: 'b', actions: [raise({ type: 'fail' }), raise({ type: 'x' })] } } },
          b: { on: { fail: { guard: fails } } },
        },
      });
      const other = run({ on: { x: { actions: say('x') }, y: { actions: say('y') } } });
      const listener = (message: unknown): void => {
        if ((message as Transition).event === 'go') other.send('y');
      };
      subscribe(TRANSITION_CHANNEL, listener);
      instance.send('go');
      unsubscribe(TRANSITION_CHANNEL, listener);
      expect(other.said()).toEqual(['y']);
      expect(() => vi.runAllTimers()).toThrow('not my day');
    });

    test('what is sent must be an event: the instance is over, and the process hears of it, not the sender', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      vi.spyOn(console, 'warn').mockReturnValue(undefined);
      const instance = run({ after: { 10: { actions: say('late') } }, on: { go: { actions: say('go') } } });
      expect(() => instance.send(undefined as never)).not.toThrow();
      expect(() => vi.runAllTimers()).toThrow(TypeError);
      expect(instance.clock.pending).toEqual([]);
      expect(instance.instance.timers()).toEqual([]);
      expect(instance.instance.outcome).toBeUndefined();
      expect(instance.on('go')).toEqual([]);
      vi.restoreAllMocks();
    });

    test.each([
      ['always', { a: { always: { target: 'b' } }, b: { always: { target: 'a' } } }],
      ['raise', { a: { entry: raise({ type: 'x' }), on: { x: { target: 'a', reenter: true } } }, b: {} }],
    ])('a cycle of %s that never ends, after as many steps as the machine says', (_what, states) => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const machine = setup({}).createMachine({
        initial: 'rest',
        states: { rest: { on: { go: 'a' } }, ...states } as object,
        options: { maxIterations: 50 },
      } as never);
      const instance = scene(machine as unknown as AnyStateMachine);
      instance.start();
      instance.instance.send({ type: 'go' });
      expect(() => vi.runAllTimers()).toThrow(/Infinite loop detected/);
      expect(instance.instance.outcome).toBeUndefined();
    });

    test('so it must where it has to wait: before the start', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      vi.spyOn(console, 'warn').mockReturnValue(undefined);
      const instance = scene(machineOf({ on: { go: { actions: say('go') } } }));
      instance.instance.send(undefined as never);
      instance.start();
      expect(() => vi.runAllTimers()).toThrow(TypeError);
      expect(instance.on('go')).toEqual([]);
      vi.restoreAllMocks();
    });

    test('at the start: the process hears of it then, and no other life is disturbed', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const machine = machineOf({ entry: [say('1'), raise({ type: 'x' }), set({ n: fails })] });
      const instance = scene(machine);
      instance.start();
      expect(instance.said()).toEqual([]);
      expect(() => vi.runAllTimers()).toThrow('not my day');
      const other = scene(machineOf({ entry: say('+'), on: { x: { actions: say('x') }, y: { actions: say('y') } } }));
      other.start();
      expect(other.on('y')).toEqual(['y']);
    });

    // What it remembers may be half of what the step would have assigned: a compiled life writes in place.
    test('it is where it was before', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const instance = run({
        initial: 'a',
        states: { a: { exit: count, on: { go: { target: 'b', actions: set({ m: fails }) } } }, b: {} },
      });
      instance.send('go');
      expect(() => vi.runAllTimers()).toThrow('not my day');
      expect(instance.state).toBe('a');
    });
  });
});
