/** Runtimes that are wrong on purpose, in one place each: whoever compares two runtimes must find out. */
import type { EventObject } from 'xstate';
import type { Clock, Timer } from '../../src/runtime/clock.js';
import type { Host, Life, Runtime } from '../../src/runtime/life.js';

/** Knows when it is time to do wrong: at the n-th chance. */
export class Chance {
  /** Whether it came to that. */
  hit = false;
  #left: number;

  constructor(number: number) {
    this.#left = number;
  }

  /** True once. */
  now(): boolean {
    if (this.#left-- !== 0) return false;
    this.hit = true;
    return true;
  }
}

type Wrong = (chance: Chance) => {
  host?: (host: Host<EventObject>) => Partial<Host<EventObject>>;
  life?: (life: Life<EventObject>) => object;
};

/** What can be wrong. */
export const mutations = {
  'a command is dropped': (chance) => ({
    host: (host) => ({ perform: (command) => chance.now() || host.perform(command) }),
  }),
  'a command comes twice': (chance) => ({
    host: (host) => ({
      perform: (command) => {
        host.perform(command);
        if (chance.now()) host.perform(command);
      },
    }),
  }),
  'a command is another one': (chance) => ({
    host: (host) => ({
      perform: (command) => host.perform(chance.now() ? ({ ...command, more: undefined } as EventObject) : command),
    }),
  }),
  'two commands are swapped': (chance) => ({
    host: (host) => {
      let held: EventObject | undefined;
      return {
        perform: (command) => {
          if (held === undefined && chance.now()) {
            held = command;
            return;
          }
          host.perform(command);
          if (held !== undefined) host.perform(held);
          held = undefined;
        },
      };
    },
  }),
  'a timer is late': (chance) => ({
    host: ({ clock }) => ({
      clock: withClock(clock, {
        setTimeout: (callback, delayMs) => clock.setTimeout(callback, chance.now() ? delayMs + 1 : delayMs),
      }),
    }),
  }),
  'a timer is not cleared': (chance) => ({
    host: ({ clock }) => ({
      clock: withClock(clock, { clearTimeout: (timer) => chance.now() || clock.clearTimeout(timer) }),
    }),
  }),
  'a timer does not let go of the process': (chance) => ({
    host: ({ clock }) => ({
      clock: withClock(clock, {
        setTimeout: (callback, delayMs) => {
          const timer = clock.setTimeout(callback, delayMs);
          if (chance.now()) timer.unref();
          return timer;
        },
      }),
    }),
  }),
  'an event is lost': (chance) => ({
    life: (life) => ({ send: (event: EventObject) => chance.now() || life.send(event) }),
  }),
  'an event comes twice': (chance) => ({
    life: (life) => ({
      send: (event: EventObject) => {
        life.send(event);
        if (chance.now()) life.send(event);
      },
    }),
  }),
  'the outcome is another one': () => ({
    life: (life) => ({ outcome: () => life.outcome && { ...life.outcome, flushed: 'perhaps' } }),
  }),
  'what it remembers is another thing': (chance) => ({
    life: (life) => ({ context: () => (chance.now() ? { ...life.context, cause: 'none' } : life.context) }),
  }),
  'it can do something else': (chance) => ({
    life: (life) => ({ can: (event: EventObject) => life.can(event) !== chance.now() }),
  }),
  'it accepts one thing less': () => ({ life: (life) => ({ accepts: () => life.accepts().slice(1) }) }),
  'its tag is forgotten': () => ({ life: () => ({ hasTag: () => false }) }),
  'it is nowhere': () => ({ life: () => ({ matches: () => false }) }),
  'a timer is not told of': () => ({ life: (life) => ({ timers: () => life.timers().slice(1) }) }),
} satisfies Record<string, Wrong>;

const GETTERS = ['state', 'context', 'outcome'] as const;
const METHODS = ['start', 'send', 'matches', 'hasTag', 'can', 'accepts', 'timers', 'setRef'] as const;

/** The runtime, wrong in this one way. */
export function mutant(runtime: Runtime, name: keyof typeof mutations, chance: Chance): Runtime {
  return {
    name: `${runtime.name}, but ${name}`,
    run(machine, input, host) {
      const wrong: ReturnType<Wrong> = (mutations[name] as Wrong)(chance);
      // The same object, made wrong: a transition says whose it is.
      const wrongHost = Object.assign(host, wrong.host?.({ ...(host as Host<EventObject>) }));
      const life = runtime.run(machine, input, wrongHost as never) as unknown as Life<EventObject>;
      const changes = (wrong.life?.(life) ?? {}) as Record<string, (...args: unknown[]) => unknown>;
      const changed = {};
      for (const key of GETTERS) Object.defineProperty(changed, key, { get: changes[key] ?? (() => life[key]) });
      for (const key of METHODS) {
        const call = (...args: unknown[]): unknown => (life[key] as (...args: unknown[]) => unknown)(...args);
        Object.defineProperty(changed, key, { value: changes[key] ?? call.bind(undefined) });
      }
      return changed as never;
    },
  };
}

function withClock(
  clock: Clock,
  changes: { setTimeout?: Clock['setTimeout']; clearTimeout?: (timer: Timer) => unknown },
): Clock {
  return {
    now: () => clock.now(),
    setTimeout: changes.setTimeout ?? ((callback, delayMs) => clock.setTimeout(callback, delayMs)),
    clearTimeout: (timer) => void (changes.clearTimeout ?? ((other) => clock.clearTimeout(other)))(timer),
  };
}
