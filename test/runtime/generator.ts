/**
 * Random machines of all that can be compiled. Each comes from a seed; its functions carry their own source, so that its
 * config can be read as JSON.
 *
 * Every machine comes to rest. What may follow from itself (a step without an event, or one on an event that is raised)
 * needs fuel and burns some of it; only events from outside bring new fuel.
 */
import {
  type AnyStateMachine,
  and,
  assign,
  cancel,
  createMachine,
  type EventObject,
  emit,
  enqueueActions,
  forwardTo,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromTransition,
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
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { note, show } from './compare.js';
import { Random } from './random.js';
import type { Subject } from './schedule.js';

type Config = Record<string, unknown>;
type Named = Record<string, unknown>;

/** What a config is made to a machine with. */
export interface Implementations {
  readonly actions: Named;
  readonly guards: Named;
  readonly delays: Named;
  readonly actors: Named;
}

export interface Generated extends Subject {
  readonly seed: number;
  readonly config: Config;
  /** What kinds of things the config has. */
  readonly features: ReadonlySet<Feature>;
  /** It has functions or actors, one of which may fail. */
  readonly mayFail: boolean;
  /** The same machine with another config, such as a part of its own. */
  rebuild(config: Config): AnyStateMachine;
}

/** Everything that a machine may have; each must be met, or the generator has a hole. */
export const FEATURES = [
  'after: a named delay that is a function',
  'after: a named delay that is a number',
  'after: a number',
  'after: no number, at once',
  'after: of the root',
  'always: guarded',
  'always: changes nothing',
  'always: of a compound state',
  'always: of the root',
  'always: to a later state',
  'assign: a function',
  'assign: an object, its values a function and a constant',
  'assign: an object, one function',
  'assign: an object, several functions',
  'candidates: several',
  'context: a value',
  'context: made from the input',
  'context: reads self, and spawns',
  'done: onDone',
  'done: nobody asks',
  'done: the initial state is final',
  'emit: a function',
  'emit: a value',
  'entry: of the root',
  'entry',
  'exit',
  'exit: of the root',
  'final: nested, its output a function',
  'final: nested, its output a value',
  'final: nested, no output',
  'final: of the root',
  'forbidden',
  'forbidden: a wildcard',
  'guard: a function',
  'guard: a name',
  'guard: a name for another one',
  'guard: and',
  'guard: dynamic params',
  'guard: not',
  'guard: or',
  'guard: static params',
  'initial: with actions',
  'initial: of the root, with actions',
  'output: a function',
  'output: a value',
  'output: none',
  'action: by name',
  'action: dynamic params',
  'action: inline',
  'action: static params',
  'raise: a function',
  'raise: a value',
  'reenter',
  'reenter: of the root',
  'state: an id of its own',
  'state: nested three deep',
  'target: #id',
  'target: #id.path',
  'target: .child',
  'target: .child.path',
  'target: an ancestor',
  'target: a list of one',
  'target: none',
  'target: sibling',
  'target: sibling.path',
  'target: the root',
  'target: the state itself',
  'tags: one',
  'tags: several',
  'transition: a string',
  'wildcard',
  'wildcard: needs no fuel',
  'wildcard: partial',
  'acts: a function',
  'acts: a function, by name',
  'acts: a function that sends to itself',
  'acts: assign asks for self',
  'acts: assign spawns',
  'acts: cancel',
  'acts: enqueueActions',
  'acts: enqueueActions, with actors',
  'acts: forwardTo',
  'acts: log',
  'acts: raise later',
  'acts: sendTo an actor',
  'acts: sendTo itself',
  'acts: sendTo by the system',
  'acts: sendTo later',
  'acts: spawnChild',
  'acts: spawnChild, inline',
  'acts: spawnChild, that tells its snapshots',
  'acts: stopChild',
  'guard: stateIn',
  'invoke: a callback',
  'invoke: a machine',
  'invoke: a machine with actors',
  'invoke: a transition',
  'invoke: an observable',
  'invoke: an observable of events',
  'invoke: inline',
  'invoke: several',
  'invoke: of the root',
  'invoke: with an id',
  'invoke: with a name in the system',
  'invoke: onDone',
  'invoke: onError',
  'invoke: onSnapshot',
  'made by createMachine',
  'made by provide',
  'made by setup',
  'throws: a guard',
  'throws: an action',
  'throws: an assignment',
] as const;

export type Feature = (typeof FEATURES)[number];

interface Context {
  a: number;
  b: number;
  c: number;
  fuel: number;
  last: string;
  seen: unknown;
}

interface Event extends EventObject {
  readonly n?: number;
  readonly delayMs?: number;
  readonly output?: unknown;
}

interface Args {
  readonly context: Context;
  readonly event: Event;
}

interface Params {
  readonly by: number;
}

/** Of the counters in the context: small, so that guards on them are true now and false then. */
const MODULO = 4;
const FUEL = 5;

/** Events that only the environment sends: they may bring fuel. */
const OUTER = ['go', 'stop', 'set', 'io.close', 'io.x.y'] as const;
/** Events that a machine may raise: what follows from them burns fuel. */
const RAISED = ['r.a', 'r.b', 'io.read'] as const;
const WILDCARDS = ['*', 'io.*', 'r.*', 'io.x.*', 'xstate.*'] as const;
/** Matched by `io.*`, and by nothing but wildcards. */
const BARE = ['io', 'io.x', 'else'] as const;
const TAGS = ['red', 'green', 'blue'] as const;
const KEYS = ['a', 'b', 'c', 'd'] as const;
const ROOT_ID = 'gen';

/** A function that tells its source. */
function told<F extends object>(story: string, run: F): F {
  return Object.assign(run, { story });
}

type Number = { readonly story: string; readonly of: (args: Args, params?: Params) => number };

const NUMBERS: readonly Number[] = [
  { story: 'context.a', of: ({ context }) => context.a },
  { story: 'context.b', of: ({ context }) => context.b },
  { story: 'context.c', of: ({ context }) => context.c },
  { story: '(context.a + 1) % 4', of: ({ context }) => (context.a + 1) % MODULO },
  { story: '(context.b + 1) % 4', of: ({ context }) => (context.b + 1) % MODULO },
  { story: '(context.a + context.b) % 4', of: ({ context }) => (context.a + context.b) % MODULO },
  { story: '(context.c * 3 + 1) % 4', of: ({ context }) => (context.c * 3 + 1) % MODULO },
  { story: 'event.n ?? 1', of: ({ event }) => event.n ?? 1 },
  { story: 'context.fuel % 4', of: ({ context }) => context.fuel % MODULO },
  { story: '0', of: () => 0 },
  { story: '2', of: () => 2 },
  {
    story: '(context.a + (params?.by ?? 1)) % 4',
    of: ({ context }, params) => (context.a + (params?.by ?? 1)) % MODULO,
  },
];

interface Node {
  readonly key: string;
  readonly id: string;
  readonly ownId: boolean;
  readonly parent: Node | undefined;
  readonly depth: number;
  readonly order: number;
  readonly type: 'atomic' | 'compound' | 'final';
  readonly children: Node[];
}

/** What a transition is for: whether it may follow from itself, and whether it may bring fuel. */
interface Trigger {
  readonly burns: boolean;
  readonly refuels: boolean;
}

const OUTSIDE: Trigger = { burns: false, refuels: true };
const TIME: Trigger = { burns: false, refuels: true };
const INSIDE: Trigger = { burns: true, refuels: false };

/** How much a machine does that is more than to assign, emit and raise: nothing, functions, or actors and timers too. */
type Kind = 'plain' | 'functions' | 'actors';

interface Self {
  readonly id: string;
  send(event: Event): void;
  getSnapshot(): { readonly value: unknown; readonly context: unknown; readonly children: Record<string, Self> };
}

/** The actor that was spawned with a name, if there is one. */
const namedOr = ({ system, self }: ActingArgs): Self => system.get('named') ?? self;

interface ActingArgs extends Args {
  readonly self: Self;
  readonly system: { get(name: string): Self | undefined };
  readonly spawn: (src: string, options: object) => unknown;
  readonly enqueue: ((action: unknown) => void) & Record<string, (...given: unknown[]) => void>;
  readonly check: (guard: unknown) => boolean;
}

interface KidInput {
  readonly n: number;
}

/** The actors that a machine may have: what they do is noted. None of them waits for anything but time. */
const ACTORS: Named = {
  kid: fromCallback<Event, KidInput>(({ input, receive, sendBack }) => {
    const n = input?.n ?? 0;
    note({ kid: 'on', n });
    if (n === 3) throw new Error('no kid');
    if (n === 2) sendBack({ type: 'r.a', n });
    receive((event) => {
      note({ kid: 'got', event: event.type });
      if (event.type === 'io.read') sendBack({ type: 'r.b', n });
    });
    return () => note({ kid: 'off', n });
  }),
  sub: createMachine({
    id: 'sub',
    initial: 'on',
    context: ({ input }: { input: KidInput | undefined }) => ({ n: input?.n ?? 0 }),
    entry: ({ context }: { context: KidInput }) => note({ sub: 'on', n: context.n }),
    states: {
      on: {
        on: { 'io.read': { actions: sendParent({ type: 'r.b' }) }, 'r.a': 'off' },
        after: { 30: 'off' },
      },
      off: { type: 'final', entry: () => note({ sub: 'off' }) },
    },
    output: ({ context }: { context: KidInput }) => ({ sub: context.n }),
  } as never),
  tally: fromTransition((count: number, event) => {
    note({ tally: count, event: event.type });
    return count + 1;
  }, 0),
  flow: fromObservable(({ input }: { input: KidInput | undefined }) => flow('flow', input, (n) => n)),
  feed: fromEventObservable(({ input }: { input: KidInput | undefined }) =>
    flow('feed', input, (n) => ({ type: n === 1 ? 'r.a' : 'r.b', n })),
  ),
};

/** It has actors of its own, the first of which may fail. */
ACTORS.nest = createMachine({
  id: 'nest',
  context: ({ input }: { input: KidInput | undefined }) => ({ n: input?.n ?? 0 }),
  entry: spawnChild(ACTORS.sub as never, { id: 'inner', input: { n: 7 } as never, systemId: 'inner' }),
  exit: () => note({ nest: 'off' }),
  invoke: {
    src: ACTORS.kid,
    id: 'kid',
    input: ({ context }: { context: KidInput }) => context,
    onError: { actions: sendParent({ type: 'r.a', n: 1 }) },
  },
  initial: 'on',
  states: {
    on: {
      on: {
        'io.read': { actions: [sendTo('kid', { type: 'io.read' }), sendTo('inner', { type: 'io.read' })] },
        'r.b': { actions: sendParent(({ event }: { event: EventObject }) => event) },
        go: { actions: stopChild('inner') },
      },
      after: { 25: 'off' },
    },
    off: { type: 'final' },
  },
  output: { nest: 'over' },
} as never);

/** The same for both lives: the snapshot of an observable, which is in an event, has its subscription. */
function subscriptionOf(name: string, n: number): { unsubscribe(): void } {
  const key = `${name} ${n}`;
  const subscription = subscriptions.get(key) ?? { unsubscribe: () => note({ [name]: 'off', n }) };
  subscriptions.set(key, subscription);
  return subscription;
}

const subscriptions = new Map<string, { unsubscribe(): void }>();

/** It gives two values at once, and then it is complete, fails or waits. */
const flow = <T>(name: string, input: KidInput | undefined, of: (n: number) => T) => ({
  subscribe(given: unknown): { unsubscribe(): void } {
    const n = input?.n ?? 0;
    const observer = given as { next(value: T): void; error(error: unknown): void; complete(): void };
    note({ [name]: 'on', n });
    for (const value of [0, 1]) observer.next(of(value));
    if (n === 3) observer.error(new Error(`no ${name}`));
    else if (n === 2) observer.complete();
    return subscriptionOf(name, n);
  },
});

const KINDS = {
  kid: 'a callback',
  sub: 'a machine',
  tally: 'a transition',
  nest: 'a machine with actors',
  flow: 'an observable',
  feed: 'an observable of events',
} as const;

/** Now and then, and not at the start: there an instance fails before it is one. */
const isUnlucky = ({ context, event }: Args): boolean =>
  event.type !== 'xstate.init' && context.a === 3 && context.c === 2;

/** Makes the machine of a seed. */
export function generate(seed: number): Generated {
  return new Generator(seed).make();
}

class Generator {
  readonly #seed: number;
  readonly #random: Random;
  readonly #features = new Set<Feature>();
  readonly #nodes: Node[] = [];
  readonly #implementations: Implementations;
  /** Without raised events and nested final states nothing follows from a wildcard's transition. */
  readonly #calm: boolean;
  readonly #kind: Kind;
  /**
   * A transition to the root that does not reenter it enters it once more all the same, without having left it: XState
   * then sets the root's timers a second time and clears only one of each.
   */
  readonly #rootWaits: boolean;
  readonly #actions: { readonly name: string; readonly params: boolean }[] = [];
  readonly #guards: { readonly name: string; readonly params: boolean }[] = [];
  readonly #delays: { readonly name: string; readonly feature: Feature }[] = [];

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#calm = this.#random.percent(25);
    // What an actor sends is an event from outside: it would bring a wildcard's transition without end.
    this.#kind = this.#random.pick(this.#calm ? ['plain', 'functions'] : ['plain', 'plain', 'functions', 'actors']);
    this.#rootWaits = this.#random.percent(25);
    const burn = assign(
      told('{ fuel: context.fuel - 1 }', ({ context }: Args) => ({ fuel: context.fuel - 1 })) as never,
    );
    this.#implementations = {
      actions: { burn, refuel: assign({ fuel: FUEL } as never) },
      guards: { hasFuel: told('context.fuel > 0', ({ context }: Args) => context.fuel > 0) },
      delays: {},
      actors: ACTORS,
    };
    this.#fillPools();
  }

  make(): Generated {
    const random = this.#random;
    const root = this.#plant(undefined, ROOT_ID, 'compound');
    const byValue = random.percent(30);
    const spawns = !byValue && this.#kind === 'actors' && random.percent(30);
    const first = random.pick(['kid', 'sub', 'nest']);
    this.#note(
      byValue ? 'context: a value' : spawns ? 'context: reads self, and spawns' : 'context: made from the input',
    );
    const start = { b: random.below(MODULO), c: random.below(MODULO), fuel: FUEL, last: '', seen: null };
    const config: Config = {
      id: ROOT_ID,
      context: byValue
        ? { a: random.below(MODULO), ...start }
        : told(
            `({ input }) => ({ a: input.a, … ${JSON.stringify(start)} })`,
            spawns
              ? ({ input, self, spawn }: ActingArgs & { input: { a: number } }) => {
                  spawn(first, { id: 'spawned', input: { n: input.a } });
                  return { ...start, a: input.a, last: self.id };
                }
              : ({ input }: { input: { a: number } }) => ({
                  ...start,
                  a: input.a,
                }),
          ),
      ...this.#state(root),
      ...this.#rootOutput(),
    };
    const way = random.pick(['createMachine', 'provide', 'setup'] as const);
    this.#note(`made by ${way}`);
    const rebuild = (part: Config): AnyStateMachine => build(way, part, this.#implementations);
    return {
      seed: this.#seed,
      config,
      features: this.#features,
      mayFail: this.#kind !== 'plain',
      machine: rebuild(config),
      rebuild,
      canStop: true,
      types: [...OUTER, ...OUTER, ...RAISED, ...BARE],
      input: (inputs) => ({ a: inputs.below(MODULO) }),
      event: (type, events): Event => ({
        type,
        ...(events.percent(60) && { n: events.below(MODULO) }),
        ...(events.percent(40) && { delayMs: events.pick([0, 1, 7, 20, NEVER_MS]) }),
      }),
    };
  }

  #note(feature: Feature): void {
    this.#features.add(feature);
  }

  // The tree

  #plant(parent: Node | undefined, key: string, type: Node['type']): Node {
    const random = this.#random;
    const depth = parent === undefined ? 0 : parent.depth + 1;
    const ownId = parent !== undefined && random.percent(15);
    const order = this.#nodes.length;
    const id = parent === undefined ? key : ownId ? `own${order}` : `${pathId(parent)}.${key}`;
    const node: Node = { key, id, ownId, parent, depth, order, type, children: [] };
    this.#nodes.push(node);
    if (ownId) this.#note('state: an id of its own');
    if (depth === 3) this.#note('state: nested three deep');
    if (type !== 'compound') return node;
    const count = random.between(depth === 0 ? 2 : 1, depth === 0 ? 4 : 3);
    for (let index = 0; index < count; index++) {
      const isLast = index === count - 1;
      const final = isLast && index > 0 && random.percent(depth === 0 ? 45 : this.#calm ? 0 : 60);
      const compound = depth < 3 && random.percent(depth === 0 ? 45 : depth === 1 ? 35 : 20);
      const childType = final ? 'final' : compound ? 'compound' : 'atomic';
      node.children.push(this.#plant(node, KEYS[index] as string, childType));
    }
    return node;
  }

  // States

  #state(node: Node): Config {
    const random = this.#random;
    const { type, parent, children } = node;
    const isRoot = parent === undefined;
    const config: Config = {};
    if (node.ownId) config.id = node.id;
    if (type === 'final') {
      config.type = 'final';
      Object.assign(config, this.#finalOutput(node));
    }
    if (random.percent(30)) {
      const tags = random.some(TAGS, 50);
      const [tag] = tags;
      if (tag !== undefined) {
        this.#note(tags.length > 1 ? 'tags: several' : 'tags: one');
        config.tags = tags.length === 1 ? tag : tags;
      }
    }
    if (random.percent(20)) config.description = `The state ${node.id}.`;
    if (random.percent(10)) config.meta = { order: node.order };
    if (random.percent(isRoot ? 40 : 50)) {
      config.entry = this.#someActions();
      this.#note(isRoot ? 'entry: of the root' : 'entry');
    }
    if (random.percent(isRoot ? 40 : 50)) {
      config.exit = this.#someActions();
      this.#note(isRoot ? 'exit: of the root' : 'exit');
    }
    const always = this.#always(node);
    if (always !== undefined) config.always = always;
    if (isRoot ? this.#rootWaits : random.percent(type === 'final' ? 5 : 35)) config.after = this.#after(node);
    const on = this.#on(node);
    if (this.#kind === 'actors' && random.percent(isRoot ? 15 : type === 'final' ? 0 : 30)) {
      config.invoke = this.#invokes(node, on);
      if (isRoot) this.#note('invoke: of the root');
      if (random.percent(60)) {
        const { id } = random.pick(config.invoke as { id?: string }[]);
        if (id !== undefined) config.entry = [...toArray(config.entry), this.#sendTo(id)];
      }
    }
    if (Object.keys(on).length > 0) config.on = on;
    if (type === 'compound') {
      config.initial = this.#initial(node);
      config.states = Object.fromEntries(children.map((child) => [child.key, this.#state(child)]));
      if (!isRoot && children.some((child) => child.type === 'final')) {
        if (random.percent(70)) {
          this.#note('done: onDone');
          config.onDone = this.#transition(node, INSIDE);
        } else {
          this.#note('done: nobody asks');
        }
      }
    }
    return config;
  }

  #invokes(node: Node, on: Config): Config[] {
    const random = this.#random;
    const count = random.pick([1, 1, 1, 2]);
    if (count > 1) this.#note('invoke: several');
    return Array.from({ length: count }, (_, index) => {
      const src = random.pick(['kid', 'kid', 'sub', 'tally', 'nest', 'flow', 'feed'] as const);
      this.#note(`invoke: ${KINDS[src]}`);
      const isInline = random.percent(20);
      if (isInline) this.#note('invoke: inline');
      const invoke: Config = { src: isInline ? ACTORS[src] : src };
      if (random.percent(70)) {
        this.#note('invoke: with an id');
        invoke.id = `${src}${random.percent(70) ? node.order : ''}${index}`;
        if (random.percent(60))
          on['io.close'] = { actions: [this.#sendTo(invoke.id as string), ...this.#actionList(1)] };
      }
      if (random.percent(50)) {
        const number = random.pick(NUMBERS);
        invoke.input = told(`{ n: ${number.story} }`, (args: Args) => ({ n: number.of(args) }));
      } else if (random.below(2) === 0) {
        invoke.input = { n: random.below(MODULO) };
      }
      if (random.percent(50)) {
        this.#note('invoke: onDone');
        invoke.onDone = this.#candidate(node, INSIDE, false);
      }
      if (random.percent(60)) {
        this.#note('invoke: onError');
        invoke.onError = [this.#candidate(node, INSIDE, false), {}];
      }
      if (random.percent(10)) {
        this.#note('invoke: with a name in the system');
        invoke.systemId = `named${node.order}${index}`;
      }
      if ((src === 'tally' || src === 'flow') && random.percent(50)) {
        this.#note('invoke: onSnapshot');
        invoke.onSnapshot = this.#candidate(node, INSIDE, false);
      }
      return invoke;
    });
  }

  #sendTo(id: string): unknown {
    this.#note('acts: sendTo an actor');
    const type = this.#random.pick(['io.read', 'r.a', 'go']);
    return told(`sendTo ${id} ${type}`, sendTo(id, { type }));
  }

  #initial(node: Node): unknown {
    const random = this.#random;
    const { children, parent } = node;
    // A machine that begins at its end is over at once; once in a while, that must be right, too.
    const inner = children.filter(({ type }) => type !== 'final');
    const child = random.percent(parent === undefined ? 3 : 12) ? random.pick(children) : random.pick(inner);
    if (child.type === 'final' && parent !== undefined) this.#note('done: the initial state is final');
    if (!random.percent(40)) return child.key;
    this.#note(parent === undefined ? 'initial: of the root, with actions' : 'initial: with actions');
    return { target: child.key, actions: this.#someActions() };
  }

  #finalOutput({ parent }: Node): Config {
    const random = this.#random;
    const isNested = parent?.parent !== undefined;
    if (!isNested) this.#note('final: of the root');
    if (random.percent(30)) {
      if (isNested) this.#note('final: nested, no output');
      return {};
    }
    if (random.percent(40)) {
      if (isNested) this.#note('final: nested, its output a value');
      return { output: random.pick([0, 'done', null, { done: true }]) };
    }
    if (isNested) this.#note('final: nested, its output a function');
    const number = random.pick(NUMBERS);
    return {
      output: told(`{ value: ${number.story}, by: event.type }`, ({ context, event }: Args) => ({
        value: number.of({ context, event }),
        by: event.type,
      })),
    };
  }

  #rootOutput(): Config {
    const random = this.#random;
    if (random.percent(25)) {
      this.#note('output: none');
      return {};
    }
    if (random.percent(25)) {
      this.#note('output: a value');
      return { output: random.pick(['over', 0, { ending: 'closed' }]) };
    }
    this.#note('output: a function');
    return {
      output: told(
        '{ a: context.a, fuel: context.fuel, by: event.type, output: event.output }',
        ({ context, event }: Args) => ({
          a: context.a,
          fuel: context.fuel,
          by: event.type,
          output: event.output,
        }),
      ),
    };
  }

  // Transitions

  #on(node: Node): Config {
    const random = this.#random;
    const on: Config = {};
    if (node.type === 'final' && !random.percent(10)) return on;
    for (const type of OUTER) {
      if (random.percent(node.parent === undefined ? 20 : 30)) on[type] = this.#transition(node, OUTSIDE);
    }
    for (const type of RAISED) {
      if (random.percent(30)) on[type] = this.#transition(node, INSIDE);
    }
    for (const type of WILDCARDS) {
      if (!random.percent(type === '*' ? 10 : 6)) continue;
      this.#note(type === '*' ? 'wildcard' : 'wildcard: partial');
      if (random.percent(15)) {
        this.#note('forbidden: a wildcard');
        on[type] = undefined;
      } else {
        if (this.#calm) this.#note('wildcard: needs no fuel');
        on[type] = this.#transition(node, this.#calm ? { burns: false, refuels: false } : INSIDE);
      }
    }
    // Fuel must come from somewhere, or everything that burns it is never seen again.
    if (node.parent === undefined) on.set = { actions: ['refuel', ...this.#actionList(1)] };
    return on;
  }

  #always(node: Node): unknown {
    const random = this.#random;
    if (!random.percent(node.parent === undefined ? 10 : node.type === 'final' ? 4 : 22)) return undefined;
    const candidates: Config[] = [];
    const count = random.pick([1, 1, 2, 3]);
    const later = this.#nodes.filter(({ order, parent }) => order > lastOf(node).order && parent !== undefined);
    for (let index = 0; index < count; index++) {
      const chance = random.below(100);
      if (chance < 25 && later.length > 0 && node.type !== 'final') {
        this.#note('always: to a later state');
        const target = this.#targetTo(node, random.pick(later));
        candidates.push({ target, ...(random.percent(60) && { guard: this.#guard(2) }), ...this.#actionsMaybe() });
      } else if (chance < 50) {
        this.#note('always: changes nothing');
        candidates.push({ guard: this.#guard(2), actions: this.#emits() });
      } else {
        this.#note('always: guarded');
        candidates.push(this.#candidate(node, INSIDE, true));
      }
    }
    if (node.parent === undefined) this.#note('always: of the root');
    else if (node.type === 'compound') this.#note('always: of a compound state');
    return candidates.length === 1 && random.percent(50) ? candidates[0] : candidates;
  }

  #after(node: Node): Config {
    const random = this.#random;
    const after: Config = {};
    for (let count = random.pick([1, 1, 2]); count > 0; count--) {
      if (random.percent(35)) {
        this.#note('after: a number');
        after[random.pick([0, 5, 20, 60])] = this.#transition(node, TIME);
        continue;
      }
      const { name, feature } = random.pick(this.#delays);
      this.#note(feature);
      const isAtOnce = feature === 'after: no number, at once';
      after[name] = this.#transition(node, isAtOnce ? INSIDE : TIME);
    }
    if (node.parent === undefined) this.#note('after: of the root');
    return after;
  }

  #transition(node: Node, trigger: Trigger): unknown {
    const random = this.#random;
    const chance = random.below(100);
    if (chance < 8) {
      this.#note('forbidden');
      return random.percent(50) ? undefined : {};
    }
    if (chance < 20 && !trigger.burns) {
      this.#note('transition: a string');
      return this.#target(node);
    }
    if (chance < 65) return this.#candidate(node, trigger, false);
    this.#note('candidates: several');
    const count = random.pick([2, 2, 3]);
    return Array.from({ length: count }, (_, index) => this.#candidate(node, trigger, index < count - 1));
  }

  #candidate(node: Node, trigger: Trigger, guarded: boolean): Config {
    const random = this.#random;
    const config: Config = {};
    if (random.percent(70)) {
      const isList = random.percent(8);
      const target = this.#target(node);
      if (isList) this.#note('target: a list of one');
      config.target = isList ? [target] : target;
    } else this.#note('target: none');
    const guard = guarded || random.percent(35) ? this.#guard(2) : undefined;
    if (trigger.burns) {
      config.guard =
        guard === undefined ? 'hasFuel' : toldGuard('and', ['hasFuel', guard], and(['hasFuel', guard] as never));
    } else if (guard !== undefined) {
      config.guard = guard;
    }
    const actions = [
      ...(trigger.burns ? ['burn'] : []),
      ...(trigger.refuels && random.percent(30) ? ['refuel'] : []),
      ...(random.percent(60) ? this.#actionList(random.between(1, 3)) : []),
    ];
    if (actions.length > 0) config.actions = actions.length === 1 && random.percent(50) ? actions[0] : actions;
    if (random.percent(25)) {
      config.reenter = true;
      this.#note('reenter');
      if (node.parent === undefined) this.#note('reenter: of the root');
    }
    if (random.percent(10)) config.description = 'It is described.';
    return config;
  }

  #target(node: Node): string {
    const random = this.#random;
    const mayBeRoot = !this.#rootWaits && random.percent(4);
    const others = this.#nodes.filter(({ parent }) => parent !== undefined);
    return this.#targetTo(node, mayBeRoot ? (this.#nodes[0] as Node) : random.pick(others));
  }

  /** One of the ways to name a state. */
  #targetTo(node: Node, target: Node): string {
    const { parent } = node;
    const ways: [Feature, string][] = [];
    const inside = relative(node, target);
    if (inside !== undefined && inside !== '') {
      ways.push([inside.includes('.') ? 'target: .child.path' : 'target: .child', `.${inside}`]);
    }
    const beside = parent === undefined ? undefined : relative(parent, target);
    if (beside !== undefined && beside !== '') {
      ways.push([beside.includes('.') ? 'target: sibling.path' : 'target: sibling', beside]);
    }
    ways.push(['target: #id', `#${target.id}`]);
    if (target.parent?.ownId === true && !target.ownId)
      ways.push(['target: #id.path', `#${target.parent.id}.${target.key}`]);
    const [feature, text] = this.#random.pick(ways);
    this.#note(feature);
    if (target === node) this.#note('target: the state itself');
    else if (target.parent === undefined) this.#note('target: the root');
    else if (relative(target, node) !== undefined) this.#note('target: an ancestor');
    return text;
  }

  // Guards, actions, delays

  #guard(depth: number): unknown {
    const random = this.#random;
    const chance = random.below(depth > 0 ? 100 : 60);
    if (chance < 3) {
      this.#note('guard: stateIn');
      const state = random.pick(['a', 'b', { b: 'a' }, { a: 'b' }, `#${ROOT_ID}.a`]);
      return told(`stateIn ${show(state)}`, stateIn(state as never));
    }
    if (chance < 25) {
      this.#note('guard: a function');
      return this.#predicate();
    }
    if (chance < 60) return this.#namedGuard();
    if (chance < 75) {
      this.#note('guard: not');
      const guard = this.#guard(depth - 1);
      return toldGuard('not', [guard], not(guard as never));
    }
    const guards = Array.from({ length: random.between(1, 3) }, () => this.#guard(depth - 1));
    const kind = random.percent(50) ? 'and' : 'or';
    this.#note(`guard: ${kind}`);
    return toldGuard(kind, guards, (kind === 'and' ? and : or)(guards as never));
  }

  #predicate(): object {
    const random = this.#random;
    const left = random.pick(NUMBERS);
    const right = random.pick(NUMBERS);
    const chance = random.below(4);
    if (this.#kind !== 'plain' && random.percent(4)) {
      this.#note('throws: a guard');
      return told(`${left.story} <= ${right.story}, or throws`, (args: Args) => {
        if (isUnlucky(args)) throw new Error('A guard has thrown.');
        return left.of(args) <= right.of(args);
      });
    }
    if (chance === 0) {
      const type = random.pick([...OUTER, ...RAISED]);
      return told(`event.type !== '${type}'`, ({ event }: Args) => event.type !== type);
    }
    if (chance === 1) {
      return told(
        `${left.story} === ${right.story}`,
        ({ context, event }: Args, params?: Params) =>
          left.of({ context, event }, params) === right.of({ context, event }, params),
      );
    }
    return told(
      `${left.story} <= ${right.story}`,
      ({ context, event }: Args, params?: Params) =>
        left.of({ context, event }, params) <= right.of({ context, event }, params),
    );
  }

  #namedGuard(): unknown {
    const random = this.#random;
    const { name, params } = random.pick(this.#guards);
    if (!params || random.percent(30)) {
      this.#note('guard: a name');
      return name;
    }
    if (random.percent(50)) {
      this.#note('guard: static params');
      return { type: name, params: { by: random.below(MODULO) } };
    }
    this.#note('guard: dynamic params');
    return { type: name, params: this.#dynamicParams() };
  }

  #dynamicParams(): object {
    const number = this.#random.pick(NUMBERS);
    return told(`{ by: ${number.story} }`, ({ context, event }: Args) => ({ by: number.of({ context, event }) }));
  }

  #someActions(): unknown {
    const random = this.#random;
    const actions = this.#actionList(random.between(1, 3));
    return actions.length === 1 && random.percent(50) ? actions[0] : actions;
  }

  #actionsMaybe(): Config {
    return this.#random.percent(50) ? { actions: this.#someActions() } : {};
  }

  #actionList(count: number): unknown[] {
    return Array.from({ length: count }, () => this.#action());
  }

  #action(): unknown {
    const random = this.#random;
    if (random.percent(35)) {
      this.#note('action: inline');
      return this.#inlineAction();
    }
    const { name, params } = random.pick(this.#actions);
    if (!params || random.percent(30)) {
      this.#note('action: by name');
      return name;
    }
    if (random.percent(50)) {
      this.#note('action: static params');
      return { type: name, params: { by: random.below(MODULO) } };
    }
    this.#note('action: dynamic params');
    return { type: name, params: this.#dynamicParams() };
  }

  #inlineAction(): unknown {
    if (this.#kind !== 'plain' && this.#random.percent(35)) return this.#functionAction();
    if (this.#kind === 'actors' && this.#random.percent(45)) return this.#actorAction();
    const chance = this.#random.below(100);
    if (chance < 45) return this.#assign();
    if (chance < 80 || this.#calm) return this.#emit();
    return this.#raise();
  }

  #functionAction(): unknown {
    const random = this.#random;
    const name = `f${random.below(5)}`;
    if (random.percent(25)) {
      this.#note('acts: log');
      const number = random.pick(NUMBERS);
      const value = ({ context, event }: Args, params?: Params) => [number.of({ context, event }, params), event.type];
      return told(`log ${number.story}`, random.percent(50) ? log(value as never, name) : log(value as never));
    }
    if (!this.#calm && random.percent(25)) {
      this.#note('acts: a function that sends to itself');
      const type = random.pick(RAISED);
      return told(`${name}, self.send ${type}`, ({ context, event, self }: ActingArgs) => {
        note({ call: name, context, event: event.type, self: self.id, value: self.getSnapshot().value });
        self.send({ type });
      });
    }
    if (random.percent(8)) {
      this.#note('throws: an action');
      return told(`call ${name}, which may throw`, (args: Args) => {
        note({ call: name });
        if (isUnlucky(args)) throw new Error(`${name} has thrown`);
      });
    }
    this.#note('acts: a function');
    return told(`call ${name}`, ({ context, event }: Args, params?: Params) => {
      note({ call: name, context, event: event.type, params });
    });
  }

  #actorAction(): unknown {
    const random = this.#random;
    const type = random.pick(RAISED);
    const number = random.pick(NUMBERS);
    const id = `later${random.below(2)}`;
    switch (random.below(13)) {
      case 10:
        this.#note('acts: forwardTo');
        // To itself it would forward without end.
        return told(
          'forwardTo named, if there is one',
          enqueueActions((({ enqueue, system }: ActingArgs) => {
            const named = system.get('named');
            if (named !== undefined) enqueue(forwardTo(named as never));
          }) as never),
        );
      case 11:
        this.#note('acts: sendTo by the system');
        return told(
          `sendTo system.get ${type}`,
          sendTo(
            namedOr as never,
            ({ event }: { event: Event }) => ({ type: 'io.read', n: event.n }) as never,
            random.percent(30) ? ({ delay: (args: Args) => 5 * number.of(args), id } as never) : undefined,
          ),
        );
      case 12:
        return this.#enqueuesActors();
      case 0:
        this.#note('acts: cancel');
        return told(`cancel ${id}`, cancel(random.percent(50) ? id : ((() => id) as never)));
      case 1:
      case 2: {
        this.#note('acts: raise later');
        const delay = random.pick([
          10,
          told('10 * …', (args: Args) => (number.of(args) === 1 ? undefined : 10 * number.of(args))),
          random.pick(this.#delays)?.name ?? 10,
        ]);
        const event = random.percent(50) ? { type } : (args: Args) => ({ type, n: number.of(args) });
        const options = { delay, ...(random.percent(70) && { id }) };
        return told(`raise ${type} later ${id} ${String(delay)}`, raise(event as never, options as never));
      }
      case 3: {
        const isLater = random.percent(50);
        this.#note(isLater ? 'acts: sendTo later' : 'acts: sendTo itself');
        const to = (({ self }: ActingArgs) => (number.of === NUMBERS[0]?.of ? undefined : self)) as never;
        const event = ({ context }: Args) => ({ type, n: context.a });
        return told(
          `sendTo self ${type}`,
          sendTo(to, event as never, isLater ? ({ id, delay: 10 } as never) : undefined),
        );
      }
      case 4: {
        const src = random.pick(['kid', 'sub', 'nest', 'flow', 'tally'] as const);
        const isInline = random.percent(30);
        const syncSnapshot = src === 'flow' || src === 'tally';
        this.#note(isInline ? 'acts: spawnChild, inline' : 'acts: spawnChild');
        if (syncSnapshot) this.#note('acts: spawnChild, that tells its snapshots');
        const input = random.percent(50) ? { n: random.below(3) } : (args: Args) => ({ n: number.of(args) % 3 });
        return told(
          `spawnChild spawned ${src}`,
          spawnChild(
            (isInline ? ACTORS[src] : src) as never,
            { id: 'spawned', input, syncSnapshot, ...(random.percent(20) && { systemId: 'named' }) } as never,
          ),
        );
      }
      case 5:
        this.#note('acts: stopChild');
        return told('stopChild spawned', stopChild(random.percent(50) ? 'spawned' : ((() => 'spawned') as never)));
      case 6: {
        this.#note('acts: assign spawns');
        const src = random.pick(['kid', 'sub', 'nest']);
        return told(
          `assign spawn ${src}`,
          assign((({ spawn, context }: ActingArgs) => {
            spawn(src, { id: 'spawned', input: { n: context.a % 3 } });
            return { c: number.of({ context, event: { type: '' } }) };
          }) as never),
        );
      }
      case 7:
        this.#note('acts: assign asks for self');
        return told(`assign last: self.id`, assign({ last: ({ self }: ActingArgs) => self.id } as never));
      default:
        return this.#enqueues();
    }
  }

  #enqueues(): unknown {
    this.#note('acts: enqueueActions');
    const random = this.#random;
    const number = random.pick(NUMBERS);
    const name = random.pick(['burn', this.#actions[0]?.name ?? 'burn']);
    const type = random.pick(RAISED);
    const guard = random.pick(['hasFuel', 'guard0', stateIn('a')]);
    const wants = {
      raise: random.percent(30),
      emit: random.percent(50),
      call: random.percent(50),
      later: random.percent(30),
    };
    return told(
      `enqueue ${name} ${show(wants)}`,
      enqueueActions(((args: ActingArgs, params?: Params) => {
        const { enqueue, check, self, context, event } = args;
        enqueue.assign?.({ last: self.id, b: number.of(args, params) });
        if (check(guard)) enqueue(name);
        if (wants.call)
          enqueue(({ context: now }: Args) => note({ enqueued: now, before: context, event: event.type }));
        if (wants.emit) enqueue.emit?.(({ context: now }: Args) => ({ type: 'tell.enqueued', b: now.b }));
        if (wants.raise) enqueue.raise?.({ type });
        if (wants.later) enqueue.raise?.({ type }, { delay: 15, id: 'later0' });
      }) as never),
    );
  }

  #enqueuesActors(): unknown {
    this.#note('acts: enqueueActions, with actors');
    const random = this.#random;
    const src = random.pick(['kid', 'sub', 'nest']);
    const type = random.pick(RAISED);
    const guard = random.pick(['hasFuel', not('hasFuel'), and(['guard0', 'hasFuel']), { type: 'guard1' }]);
    const asks = random.percent(50);
    return told(
      `enqueue stopChild, spawnChild ${src}, sendTo ${type}, cancel`,
      enqueueActions((({ enqueue, check }: ActingArgs) => {
        enqueue.stopChild?.('spawned');
        if (!asks || check(guard)) enqueue.spawnChild?.(src, { id: 'spawned', systemId: 'named', input: { n: 1 } });
        enqueue.sendTo?.(namedOr, { type });
        enqueue.cancel?.('later0');
        enqueue.assign?.({ c: ({ context }: Args) => (context.c + 1) % MODULO });
        enqueue(({ context, self }: ActingArgs) =>
          note({ has: Object.keys(self.getSnapshot().children), c: context.c }),
        );
      }) as never),
    );
  }

  #assign(): unknown {
    const random = this.#random;
    const [first, second] = random.pick([
      ['a', 'b'],
      ['b', 'a'],
      ['c', 'a'],
      ['b', 'c'],
    ] as const);
    const one = random.pick(NUMBERS);
    const two = random.pick(NUMBERS);
    if (this.#kind !== 'plain' && random.percent(5)) {
      this.#note('throws: an assignment');
      const throws = (args: Args) => {
        if (isUnlucky(args)) throw new Error('An assignment has thrown.');
        return two.of(args);
      };
      return told(
        `assign({ ${first}: ${one.story}, ${second}: ${two.story}, or throws })`,
        assign({ [first]: one.of, [second]: throws } as never),
      );
    }
    switch (random.below(5)) {
      case 0: {
        this.#note('assign: a function');
        const story = `{ ${first}: ${one.story}, ${second}: ${two.story}, last: event.type }`;
        const run = ({ context, event }: Args, params?: Params) => ({
          [first]: one.of({ context, event }, params),
          [second]: two.of({ context, event }, params),
          last: event.type,
        });
        return told(`assign(${story})`, assign(run as never));
      }
      case 1: {
        this.#note('assign: a function');
        const story = `${one.story} > 1 ? { ${first}: ${two.story} } : {}`;
        const run = ({ context, event }: Args, params?: Params) =>
          one.of({ context, event }, params) > 1 ? { [first]: two.of({ context, event }, params) } : {};
        return told(`assign(${story})`, assign(run as never));
      }
      case 2:
        this.#note('assign: an object, one function');
        return told(`assign({ ${first}: ${one.story} })`, assign({ [first]: one.of } as never));
      case 3:
        this.#note('assign: an object, several functions');
        return told(
          `assign({ ${first}: ${one.story}, ${second}: ${two.story}, seen: event.output })`,
          assign({ [first]: one.of, [second]: two.of, seen: ({ event }: Args) => event.output } as never),
        );
      default:
        this.#note('assign: an object, its values a function and a constant');
        return told(
          `assign({ ${first}: 3, ${second}: ${one.story}, last: 'x' })`,
          assign({ [first]: 3, [second]: one.of, last: 'x' } as never),
        );
    }
  }

  #emit(): unknown {
    const random = this.#random;
    const type = `tell.${random.below(4)}`;
    if (random.percent(40)) {
      this.#note('emit: a value');
      return told(`emit ${type}`, emit({ type }));
    }
    this.#note('emit: a function');
    const number = random.pick(NUMBERS);
    const run = ({ context, event }: Args, params?: Params) => ({
      type,
      value: number.of({ context, event }, params),
      counters: [context.a, context.b, context.c],
      by: event.type,
      output: event.output,
    });
    return told(`emit ${type} { value: ${number.story}, counters, by, output }`, emit(run as never));
  }

  /** Only commands: nothing that would lead to another step. */
  #emits(): unknown[] {
    return Array.from({ length: this.#random.between(1, 2) }, () => this.#emit());
  }

  #raise(): unknown {
    const random = this.#random;
    const type = random.pick(RAISED);
    if (random.percent(50)) {
      this.#note('raise: a value');
      return told(`raise ${type}`, raise({ type }));
    }
    this.#note('raise: a function');
    const number = random.pick(NUMBERS);
    const other = random.pick(RAISED);
    const run = ({ context, event }: Args, params?: Params) => {
      const n = number.of({ context, event }, params);
      return { type: n > 1 ? other : type, n };
    };
    return told(`raise { type: ${number.story} > 1 ? '${other}' : '${type}', n }`, raise(run as never));
  }

  #fillPools(): void {
    const random = this.#random;
    const { actions, guards, delays } = this.#implementations;
    for (let index = 0; index < 6; index++) {
      const name = `action${index}`;
      actions[name] = this.#inlineAction();
      if (typeof actions[name] === 'function' && !('resolve' in (actions[name] as object))) {
        this.#note('acts: a function, by name');
      }
      this.#actions.push({ name, params: random.percent(60) });
    }
    for (let index = 0; index < 5; index++) {
      const name = `guard${index}`;
      // A combination by name; it names only those before it.
      const combined = index > 1 && random.percent(40);
      guards[name] = combined ? this.#guard(1) : this.#predicate();
      const is = guards[name];
      if (typeof is !== 'function') this.#note('guard: a name for another one');
      this.#guards.push({ name, params: !combined && random.percent(60) });
    }
    const number = random.pick(NUMBERS);
    const steps: Named = {
      pause: random.pick([1, 5, 20, 60, NEVER_MS]),
      wait: told(`5 + 10 * (${number.story})`, ({ context, event }: Args) => 5 + 10 * number.of({ context, event })),
      patience: told(
        `event.delayMs ?? 20 * ${number.story}`,
        ({ context, event }: Args) => event.delayMs ?? 20 * number.of({ context, event }),
      ),
      // Not at the start: whoever looks at an instance before its start may find it where it was or where that led.
      maybe: told("event.type !== 'xstate.init' && context.b === 1 ? undefined : 15", ({ context, event }: Args) =>
        event.type !== 'xstate.init' && context.b === 1 ? undefined : 15,
      ),
    };
    for (const [name, delay] of Object.entries(steps)) {
      if (name === 'maybe' && this.#calm) continue;
      delays[name] = delay;
      const feature: Feature =
        name === 'maybe'
          ? 'after: no number, at once'
          : typeof delay === 'number'
            ? 'after: a named delay that is a number'
            : 'after: a named delay that is a function';
      this.#delays.push({ name, feature });
    }
  }
}

function build(
  way: 'createMachine' | 'provide' | 'setup',
  config: Config,
  implementations: Implementations,
): AnyStateMachine {
  if (way === 'createMachine') return createMachine(config as never, implementations as never) as AnyStateMachine;
  if (way === 'provide') return (createMachine(config as never) as AnyStateMachine).provide(implementations as never);
  return setup(implementations as never).createMachine(config as never) as unknown as AnyStateMachine;
}

function toldGuard(kind: string, guards: readonly unknown[], guard: object): object {
  const stories = guards.map((part) => (typeof part === 'function' && 'story' in part ? part.story : show(part)));
  return told(`${kind}(${stories.join(', ')})`, guard);
}

/** The id that XState gives a state unless it has its own: made of the root's and the whole path. */
function pathId(node: Node): string {
  return node.parent === undefined ? node.key : `${pathId(node.parent)}.${node.key}`;
}

/** The path from a state to one in it; nothing if it is not in it. */
function relative(from: Node, to: Node): string | undefined {
  const keys: string[] = [];
  let node: Node | undefined = to;
  while (node !== undefined && node !== from) {
    keys.unshift(node.key);
    node = node.parent;
  }
  return node === undefined ? undefined : keys.join('.');
}

/** The last state in a state, in the order of the document. */
function lastOf(node: Node): Node {
  const child = node.children.at(-1);
  return child === undefined ? node : lastOf(child);
}

const toArray = (value: unknown): unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
