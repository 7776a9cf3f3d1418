/** Machines of users: functions, actors, failures; and what a run can be asked for. The same on both runtimes. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  assign,
  cancel,
  createActor,
  createMachine,
  emit,
  fromCallback,
  fromObservable,
  fromPromise,
  type InspectionEvent,
  log,
  not,
  raise,
  sendTo,
  setup,
} from 'xstate';
import { OptionError } from '../../src/errors.js';
import { compile, type Host, interpret, type Run, systemClock } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/index.js';

afterEach(() => void vi.useRealTimers());

interface Seen {
  readonly run: Run<{ type: string }>;
  /** What the host, a subscriber and the functions of the machine were called with. */
  readonly said: string[];
}

describe.each([
  ['interpret', interpret],
  ['compile', compile],
])('%s', (_, make) => {
  let said: string[] = [];
  const say = (text: string) => () => void said.push(text);

  function run(
    machine: AnyStateMachine,
    host: { [K in keyof Host<{ type: string }>]?: Host<{ type: string }>[K] | undefined } = {},
    input?: unknown,
  ): Seen {
    said = [];
    const made = make(machine).run(
      input as never,
      {
        id: 'm#1',
        clock: systemClock,
        perform: ({ type }: { type: string }) => void said.push(type),
        finish: (output: unknown) => void said.push(`finish ${JSON.stringify(output)}`),
        failed: (error: unknown) => void said.push(`failed ${error instanceof Error ? error.message : error}`),
        ...host,
      } as never,
    ) as unknown as Run<{ type: string }>;
    return { run: made, said };
  }

  const started = (...given: Parameters<typeof run>): Seen => {
    const seen = run(...given);
    seen.run.start();
    return seen;
  };

  test('functions are called before what is emitted, and logs go to the host', () => {
    const machine = createMachine({
      initial: 'a',
      states: {
        a: {
          entry: [emit({ type: 'emitted' }), say('called'), log('logged', 'label')],
          on: { go: { actions: [emit({ type: 'again' }), say('called again')] } },
        },
      },
    } as never) as AnyStateMachine;
    const seen = started(machine, { log: (...values) => void said.push(values.join(' ')) });
    seen.run.send({ type: 'go' });
    expect(seen.said).toEqual(['called', 'label logged', 'emitted', 'called again', 'again']);
  });

  test('self has the id of the host, and what it sends waits for the end of the transition', () => {
    const machine = createMachine({
      context: ({ self }: { self: { id: string } }) => ({ id: self.id }),
      entry: ({ self }: { self: { id: string; send(event: object): void } }) => {
        said.push(self.id);
        self.send({ type: 'go' });
      },
      exit: emit({ type: 'left' }),
      initial: 'a',
      states: {
        a: { entry: emit({ type: 'entered' }), on: { go: { target: 'b', actions: say('went') } } },
        b: { type: 'final' },
      },
      output: ({ self, context }: { self: { id: string }; context: { id: string } }) => [self.id, context.id],
    } as never) as AnyStateMachine;
    expect(started(machine).said).toEqual(['m#1', 'entered', 'went', 'left', 'finish ["m#1","m#1"]']);
  });

  test('self can be subscribed, listened to and stopped', () => {
    interface Self {
      subscribe(next: (snapshot: { value: unknown }) => void): unknown;
      on(type: string, handler: (event: { type: string }) => void): unknown;
      stop(): void;
    }
    const machine = createMachine({
      entry: ({ self }: { self: Self }) => {
        self.subscribe(({ value }) => void said.push(`in ${value}`));
        self.on('rang', ({ type }) => void said.push(`heard ${type}`));
      },
      initial: 'a',
      states: {
        a: { on: { go: { target: 'b', actions: emit({ type: 'rang' }) } } },
        b: { on: { go: { actions: ({ self }: { self: Self }) => self.stop() } } },
      },
    } as never) as AnyStateMachine;
    const seen = started(machine);
    seen.said.length = 0;
    for (let times = 0; times < 3; times++) seen.run.send({ type: 'go' });
    expect(seen.said.slice(0, 3)).toEqual(['heard rang', 'rang', 'in b']);
    expect(seen.run.snapshot().status).toBe('stopped');
  });

  const loader = setup({
    actors: {
      load: fromPromise(({ input }: { input: number }) =>
        input > 0 ? Promise.resolve(input + 1) : Promise.reject(new Error('none')),
      ),
    },
  }).createMachine({
    context: ({ input }) => ({ n: input as number, error: '' }),
    initial: 'loading',
    states: {
      loading: {
        invoke: {
          src: 'load',
          input: ({ context }) => context.n,
          onDone: { target: 'loaded', actions: assign({ n: ({ event }) => event.output }) },
          onError: { target: 'broken', actions: assign({ error: ({ event }) => String(event.error) }) },
        },
      },
      loaded: {},
      broken: {},
    },
  }) as unknown as AnyStateMachine;

  test('a promise that is invoked leads on by its result', async () => {
    const seen = started(loader, {}, 1);
    await turn();
    expect(seen.run.snapshot()).toMatchObject({ value: 'loaded', context: { n: 2 }, status: 'active' });
  });

  test('a promise that is invoked leads on by its error', async () => {
    const seen = started(loader, {}, 0);
    await turn();
    expect(seen.run.snapshot()).toMatchObject({ value: 'broken', context: { error: 'Error: none' } });
  });

  test('an observable that is invoked sends its end', () => {
    const three = fromObservable(
      () =>
        ({
          subscribe: ({ next, complete }: { next(value: number): void; complete(): void }) => {
            for (const value of [1, 2, 3]) next(value);
            complete();
            return { unsubscribe: () => {} };
          },
        }) as never,
    );
    const machine = createMachine({
      initial: 'a',
      states: {
        a: {
          invoke: {
            src: three,
            onSnapshot: {
              actions: ({ event }: { event: { snapshot: { context: number } } }) => say(`${event.snapshot.context}`)(),
            },
            onDone: 'b',
          },
        },
        b: {},
      },
    } as never) as AnyStateMachine;
    const seen = started(machine);
    expect(seen.said.at(-1)).toBe('3');
    expect(seen.run.state).toBe('b');
  });

  const ring = fromCallback<{ type: string }>(({ receive, sendBack }) => {
    said.push('ring on');
    receive(({ type }) => {
      said.push(`ring got ${type}`);
      sendBack({ type: 'rung' });
    });
    return say('ring off');
  });
  const bell = createMachine({
    initial: 'on',
    states: {
      on: {
        invoke: { id: 'ring', src: ring },
        entry: sendTo('ring', { type: 'hello' }),
        on: { off: 'off', rung: { actions: say('rung') } },
        after: { 1000: 'off' },
      },
      off: {},
    },
  } as never) as AnyStateMachine;

  test('a callback that is invoked is told, answers, and is stopped when its state is left', () => {
    const { run, said } = started(bell);
    run.send({ type: 'off' });
    expect(said).toEqual(['ring on', 'ring got hello', 'rung', 'ring off']);
  });

  test('a run that is stopped stops its actors and clears its timers, and takes nothing more', () => {
    const clock = new ManualClock();
    const { run, said } = started(bell, { clock });
    run.subscribe({ done: say('done'), failed: say('failed') });
    expect(run.timers()).toEqual([{ name: '1000', remainingMs: 1_000 }]);
    run.stop();
    run.stop();
    run.send({ type: 'off' });
    clock.advance(2_000);
    expect(run.timers()).toEqual([]);
    expect(run.snapshot()).toMatchObject({ value: 'on', status: 'stopped', output: undefined });
    expect(said).toEqual(['ring on', 'ring got hello', 'rung', 'ring off']);
  });

  test('a timer that never comes takes the id of another one, which cancel no longer finds', () => {
    const clock = new ManualClock();
    const later = (delay: number) => raise({ type: 'rung' }, { id: 'bell', delay });
    const machine = createMachine({
      entry: later(10),
      on: {
        again: { actions: later(Number.POSITIVE_INFINITY) },
        end: { actions: cancel('bell') },
        rung: { actions: say('rung') },
      },
    } as never) as AnyStateMachine;
    for (const [types, expected] of [
      [['end'], []],
      [['again', 'end'], ['rung']],
    ] as const) {
      const { run: one, said } = started(machine, { clock });
      for (const type of types) one.send({ type });
      clock.advance(20);
      expect(said).toEqual(expected);
      one.stop();
    }
  });

  test('stop from inside a command takes effect after it', () => {
    const machine = createMachine({
      on: { go: { actions: [emit({ type: 'one' }), emit({ type: 'two' })] } },
    } as never) as AnyStateMachine;
    const seen: Seen = started(machine, {
      perform: ({ type }: { type: string }) => {
        said.push(type);
        if (type !== 'one') return;
        seen.run.send({ type: 'go' });
        seen.run.stop();
      },
    } as never);
    seen.run.send({ type: 'go' });
    seen.run.send({ type: 'go' });
    expect(seen.said).toEqual(['one', 'two']);
    expect(seen.run.snapshot().status).toBe('stopped');
  });

  test('a run that is stopped before its start does not start', () => {
    const { run, said } = started(bell);
    said.length = 0;
    const other = make(bell).run(undefined as never, {
      id: 'm#2',
      clock: systemClock,
      perform: () => {},
      finish: () => {},
    });
    other.stop();
    other.start();
    expect(said).toEqual([]);
    expect(other.snapshot().status).toBe('stopped');
    run.stop();
  });

  test('a subscriber hears transitions and the end, until it leaves', () => {
    const machine = createMachine({
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { on: { go: 'c' } }, c: { type: 'final' } },
      output: 7,
    } as never) as AnyStateMachine;
    const { run: one, said } = run(machine);
    const heard: string[] = [];
    const leave = one.subscribe({ transition: ({ from, to }) => void heard.push(`${from} → ${to}`) });
    one.subscribe({ done: (output) => void said.push(`done ${output}`) });
    one.start();
    one.send({ type: 'go' });
    leave();
    one.send({ type: 'go' });
    expect(heard).toEqual([' → a', 'a → b']);
    expect(said).toEqual(['finish 7', 'done 7']);
    expect(one.snapshot()).toMatchObject({ value: 'c', status: 'done', output: 7 });
  });

  test('the snapshot of a nested state; later transitions do not change it', () => {
    const machine = createMachine({
      context: { n: 1 },
      initial: 'a.b',
      states: { 'a.b': { initial: 'c', states: { c: {} } } },
      on: { go: { actions: assign({ n: 2 }) } },
    } as never) as AnyStateMachine;
    const { run } = started(machine);
    const before = run.snapshot();
    run.send({ type: 'go' });
    expect(before).toMatchObject({ value: { 'a.b': 'c' }, context: { n: 1 } });
    expect(run.snapshot().context).toEqual({ n: 2 });
  });

  describe('a failure goes to the host and to subscribers, and ends the run', () => {
    const fail = (): never => {
      throw new Error('wrong');
    };
    test.each<[string, object]>([
      ['a function action', { on: { go: { actions: fail } } }],
      ['a guard', { on: { go: { guard: fail, target: '.a' } } }],
      ['an assign', { on: { go: { actions: assign(fail) } } }],
      ['what is sent to no actor', { on: { go: { actions: sendTo('nobody', { type: 'x' }) } } }],
      ['an actor whose error no transition takes', { on: { go: '.broken' } }],
      ['the output of a final state, which nothing asks for', { on: { go: '.done' } }],
      ['an entry at the start', { entry: [emit({ type: 'never' }), fail] }],
      ['the context', { context: fail }],
    ])('%s', (_, config) => {
      const machine = createMachine({
        initial: 'a',
        ...config,
        states: {
          a: { invoke: { src: ring }, after: { 10: 'a' } },
          broken: { invoke: { src: fromCallback(fail) } },
          done: { type: 'final', output: fail },
        },
      } as never) as AnyStateMachine;
      const { run: one, said } = run(machine);
      one.subscribe({ failed: say('subscriber') });
      one.start();
      one.send({ type: 'go' });
      one.send({ type: 'go' });
      const rest = said.filter((line) => !line.startsWith('ring'));
      expect(rest.sort()).toEqual([
        expect.stringMatching(/failed .*(wrong|Unable to send event to actor 'nobody')/s),
        'subscriber',
      ]);
      expect(said.filter((line) => line === 'ring on')).toHaveLength(said.filter((line) => line === 'ring off').length);
      expect(one.snapshot()).toMatchObject({ status: 'error', error: expect.any(Error) });
      expect(one.timers()).toEqual([]);
      expect(one.outcome).toBeUndefined();
    });

    const inA = (on: object) => ({ states: { a: { on } } });
    test.each<[string, object, string]>([
      ['a function', inA({ go: { guard: fail } }), "in transition for event 'go' in state node 'm.a':\nwrong"],
      ['a name', inA({ go: { guard: 'fails' } }), "'fails' in transition for event 'go' in state node 'm.a':\nwrong"],
      [
        'a name for another one, with params',
        inA({ go: { guard: { type: 'alias', params: { n: 1 } } } }),
        "'alias' in transition for event 'go' in state node 'm.a':\nwrong",
      ],
      ['not', inA({ go: { guard: not('fails') } }), "in transition for event 'go' in state node 'm.a':\nwrong"],
      ['its params', inA({ go: { guard: { type: 'yes', params: fail } } }), "'yes' in transition for event 'go' in"],
      [
        'of the machine, with a wildcard',
        { on: { '*': { guard: fail } } },
        "in transition for event 'go' in state node 'm':\nwrong",
      ],
      [
        'for an event that is raised',
        inA({ go: { actions: raise({ type: 'on' }) }, on: { guard: fail } }),
        "in transition for event 'on' in state node 'm.a':\nwrong",
      ],
      ['the second', inA({ go: [{ guard: () => false }, { guard: 'fails' }] }), "'fails' in transition for event 'go'"],
    ])('the error of a guard says which: %s', (_, config, message) => {
      const machine = createMachine(
        { id: 'm', initial: 'a', states: { a: {} }, ...config } as never,
        { guards: { fails: fail, alias: 'fails', yes: () => true } } as never,
      ) as AnyStateMachine;
      const { run: one, said } = started(machine);
      if (!message.includes("'on'")) expect(() => one.can({ type: 'go' })).toThrow(message);
      one.send({ type: 'go' });
      expect(said).toEqual([expect.stringContaining(`failed Unable to evaluate guard ${message}`)]);
      expect((one.snapshot().error as Error).message).toContain(message);
    });

    test('the error of a guard of a step that needs no event is what it has thrown', () => {
      const machine = createMachine({
        initial: 'a',
        states: { a: { on: { go: 'b' } }, b: { always: { guard: fail, target: 'a' } } },
      } as never) as AnyStateMachine;
      const { run: one, said } = started(machine);
      one.send({ type: 'go' });
      expect(said).toEqual(['failed wrong']);
    });

    test('the output is there where the start leads to the end, and a function of it throws', () => {
      const machine = createMachine({
        initial: 'a',
        states: { a: { type: 'final', exit: fail } },
        output: 7,
      } as never) as AnyStateMachine;
      const { run: one, said } = started(machine);
      expect(one.snapshot()).toMatchObject({ value: 'a', status: 'error', output: 7 });
      expect(said).toEqual(['failed wrong']);
      const later = createMachine({
        initial: 'b',
        states: { a: { type: 'final', exit: fail }, b: { on: { go: 'a' } } },
        output: 7,
      } as never) as AnyStateMachine;
      const { run: other } = started(later);
      other.send({ type: 'go' });
      expect(other.snapshot()).toMatchObject({ value: 'b', status: 'error', output: undefined });
    });

    test('without either it is an uncaught exception', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const { run } = started(createMachine({ on: { go: { actions: fail } } } as never) as AnyStateMachine, {
        failed: undefined,
      });
      run.send({ type: 'go' });
      expect(() => vi.runAllTimers()).toThrow('wrong');
    });
  });

  test.each<[string, object, unknown]>([
    ['a text', {}, 'go'],
    ['a number', {}, 5],
    ['an object without a type', {}, {}],
    ['a type that is no text', {}, { type: 3 }],
    ['nothing', {}, undefined],
    ['a text, where a wildcard takes all', { on: { '*': { actions: () => {} } } }, 'go'],
  ])('what is no event is an error: %s', (_, config, event) => {
    const { run: one, said } = started(
      createMachine({ on: { go: { actions: say('went') } }, ...config } as never) as AnyStateMachine,
    );
    // XState's build for development throws at the caller of a text.
    let thrown = false;
    try {
      one.send(event as never);
    } catch {
      thrown = true;
    }
    expect(thrown).toBe(make === interpret && typeof event === 'string');
    if (thrown) return;
    expect(said).toEqual([expect.stringMatching(/^failed /)]);
    expect(one.snapshot().status).toBe('error');
  });

  const host = { id: 'm#1', clock: systemClock, perform: () => {}, finish: () => {} };
  test.each<[string, unknown]>([
    ['Option "host" must be an object with id, clock, perform() and finish(); it is undefined.', undefined],
    ['Option "host.id" must be a string that is not empty; it is undefined.', { ...host, id: undefined }],
    ['Option "host.clock" must be a clock, such as systemClock; it is undefined.', { ...host, clock: undefined }],
    ['Option "host.clock" must be an object with now(); it is an object.', { ...host, clock: {} }],
    ['Option "host.perform" must be a function; it is undefined.', { ...host, perform: undefined }],
    ['Option "host.finish" must be a function; it is undefined.', { ...host, finish: undefined }],
    ['Option "host.failed" must be a function; it is "log".', { ...host, failed: 'log' }],
    [
      'Option "host.backgroundTimers" must be a Set of names of timers; it is an array of 1.',
      { ...host, backgroundTimers: ['ping'] },
    ],
  ])('a host that lacks something is refused: %s', (message, given) => {
    const machine = make(createMachine({}));
    expect(() => machine.run(undefined as never, given as never)).toThrow(message);
    expect(() => machine.run(undefined as never, given as never)).toThrow(OptionError);
  });

  test.each<[string, unknown]>([
    ['Option "transtion" must be left out or spelt "transition"; it is a function.', { transtion: () => {} }],
    ['Option "done" must be a function; it is "yes".', { done: 'yes' }],
    ['Option "listeners" must be an object of options; it is undefined.', undefined],
  ])('a subscriber that no run could call is refused: %s', (message, listeners) => {
    const { run: one } = started(createMachine({}));
    expect(() => one.subscribe(listeners as never)).toThrow(message);
  });

  test('the outputs of a machine get what they get from XState', () => {
    const seen: string[] = [];
    const see = (given: { self: { id: string } }) => {
      seen.push(String(Object.keys(given).sort()));
      return given.self.id;
    };
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { initial: 'b', states: { b: { type: 'final', output: see } }, onDone: 'c' },
        c: { type: 'final', output: see },
      },
      output: see,
    } as never) as AnyStateMachine;
    const actor = createActor(machine, { id: 'm#1' });
    actor.start();
    // How often XState calls one is its own affair.
    const expected = new Set(seen.splice(0));
    expect(expected).toEqual(new Set(['context,event,self']));
    expect(started(machine).said).toEqual(['finish "m#1"']);
    expect(seen.length).toBeGreaterThan(2);
    expect(new Set(seen)).toEqual(expected);
  });

  test('a root that is final is asked for its output once', () => {
    const output = vi.fn(() => 1);
    expect(started(createMachine({ type: 'final', output } as never) as AnyStateMachine).said).toEqual(['finish 1']);
    expect(output).toHaveBeenCalledTimes(1);
  });

  describe('a run that is inspected', () => {
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { entry: 'hello', on: { go: { target: 'b', actions: raise({ type: 'on' }) } } },
        b: { invoke: { id: 'kid', src: createMachine({}) }, on: { on: 'c' } },
        c: { always: 'd' },
        d: { entry: emit({ type: 'said' }), type: 'final' },
      },
    } as never).provide({ actions: { hello: () => {} } } as never) as AnyStateMachine;

    /** An event in one line. */
    function lineOf(event: InspectionEvent): string {
      const who = event.type === '@xstate.actor' ? '' : (event.actorRef as { id?: string }).id;
      if (event.type === '@xstate.action') return `${who} does ${event.action.type}`;
      if (event.type === '@xstate.actor') return event.type;
      if (event.type === '@xstate.event') return `${who} gets ${event.event.type}`;
      const { value, status } = event.snapshot as AnyMachineSnapshot;
      const taken = event.type === '@xstate.microstep' ? event._transitions : [];
      const where = `${who} is ${JSON.stringify(value)} ${status} after ${event.event.type}`;
      return `${event.type} ${where} ${taken.map(({ eventType }) => eventType || 'always')}`;
    }

    test.each(['a function', 'an observer'])('tells all that XState tells: %s', (how) => {
      const [lines, others]: string[][] = [[], []];
      const inspect = (event: InspectionEvent) => void lines?.push(lineOf(event));
      const { run: one, said } = started(machine, { inspect: how === 'a function' ? inspect : { next: inspect } });
      one.send({ type: 'go' });
      const actor = createActor(machine, { id: 'm#1', inspect: (event) => void others?.push(lineOf(event)) });
      actor.start();
      actor.send({ type: 'go' });
      expect(lines).toEqual(others);
      for (const line of ['@xstate.actor', 'm#1 gets go', 'm#1 does hello']) expect(lines).toContain(line);
      expect(lines).toContain('@xstate.snapshot m#1 is "d" done after go ');
      expect(lines).toContain('@xstate.microstep m#1 is "d" done after on always');
      expect(said).toEqual(['said', 'finish undefined']);
      expect(one.snapshot()).toMatchObject({ value: 'd', status: 'done' });
    });

    test('goes on where the function throws, which is an uncaught exception', () => {
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      const { run: one } = started(machine, {
        inspect: () => {
          throw new Error('wrong');
        },
      });
      one.send({ type: 'go' });
      expect(one.state).toBe('d');
      expect(() => vi.runAllTimers()).toThrow('wrong');
    });

    test.each([[true], ['log'], [null], [{}], [{ next: 1 }]])('%j is no inspector', (inspect) => {
      expect(() => run(machine, { inspect: inspect as never })).toThrow(
        /Option "inspect" must be a function, or an observer with next\(\)/,
      );
    });
  });

  test('a function may send to another run in the middle of a step', () => {
    const other = make(
      createMachine({
        on: { poke: { actions: [raise({ type: 'x' }), emit({ type: 'poked' })] } },
      } as never) as AnyStateMachine,
    ).run(undefined as never, { id: 'other', clock: systemClock, perform: say('poked') as never, finish: () => {} });
    other.start();
    const machine = createMachine({
      initial: 'a',
      states: {
        a: {
          on: {
            go: {
              target: 'b',
              actions: [raise({ type: 'next' }), emit({ type: 'first' }), () => other.send({ type: 'poke' } as never)],
            },
          },
        },
        b: { on: { next: { target: 'c', actions: emit({ type: 'second' }) } } },
        c: {},
      },
    } as never) as AnyStateMachine;
    const { run, said: lines } = started(machine);
    run.send({ type: 'go' });
    expect(lines).toEqual(['poked', 'first', 'second']);
    expect(run.state).toBe('c');
  });

  test('a function may keep the context: the next transition makes another', () => {
    const kept: unknown[] = [];
    const machine = createMachine({
      context: { n: 0 },
      on: {
        go: {
          actions: [
            ({ context }: { context: object }) => void kept.push(context),
            assign({ n: ({ context }: { context: { n: number } }) => context.n + 1 } as never),
          ],
        },
      },
    } as never) as AnyStateMachine;
    const { run } = started(machine);
    run.send({ type: 'go' });
    run.send({ type: 'go' });
    expect(kept).toEqual([{ n: 0 }, { n: 1 }]);
  });
});
