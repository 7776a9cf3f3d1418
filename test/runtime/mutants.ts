/** Runtimes that are wrong on purpose, in one place each: whoever compares two runtimes must find out. */
import type { EventObject } from 'xstate';
import type { Clock, Timer } from '../../src/runtime/clock.js';
import type { Host, Instance } from '../../src/runtime/instance.js';
import type { MachineRuntime } from '../support/runtimes.js';

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
  instance?: (instance: Instance<EventObject>) => object;
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
    instance: (instance) => ({ send: (event: EventObject) => chance.now() || instance.send(event) }),
  }),
  'an event comes twice': (chance) => ({
    instance: (instance) => ({
      send: (event: EventObject) => {
        instance.send(event);
        if (chance.now()) instance.send(event);
      },
    }),
  }),
  'the outcome is another one': () => ({
    instance: (instance) => ({ outcome: () => instance.outcome && { ...instance.outcome, flushed: 'perhaps' } }),
  }),
  'what it remembers is another thing': (chance) => ({
    instance: (instance) => ({
      context: () => (chance.now() ? { ...instance.context, cause: 'none' } : instance.context),
    }),
  }),
  'it can do something else': (chance) => ({
    instance: (instance) => ({ can: (event: EventObject) => instance.can(event) !== chance.now() }),
  }),
  'it accepts one thing less': () => ({ instance: (instance) => ({ accepts: () => instance.accepts().slice(1) }) }),
  'its tag is forgotten': () => ({ instance: () => ({ hasTag: () => false }) }),
  'it is nowhere': () => ({ instance: () => ({ matches: () => false }) }),
  'a timer is not told of': () => ({ instance: (instance) => ({ timers: () => instance.timers().slice(1) }) }),
} satisfies Record<string, Wrong>;

const GETTERS = ['state', 'context', 'outcome'] as const;
const METHODS = ['start', 'send', 'matches', 'hasTag', 'can', 'accepts', 'timers', 'setRef'] as const;

/** The runtime, wrong in this one way. */
export function mutant(runtime: MachineRuntime, name: keyof typeof mutations, chance: Chance): MachineRuntime {
  return {
    name: `${runtime.name}, but ${name}`,
    run(machine, input, host) {
      const wrong: ReturnType<Wrong> = (mutations[name] as Wrong)(chance);
      // The same object, made wrong: a transition says whose it is.
      const wrongHost = Object.assign(host, wrong.host?.({ ...(host as Host<EventObject>) }));
      const instance = runtime.run(machine, input, wrongHost as never) as unknown as Instance<EventObject>;
      const changes = (wrong.instance?.(instance) ?? {}) as Record<string, (...args: unknown[]) => unknown>;
      const changed = {};
      for (const key of GETTERS) Object.defineProperty(changed, key, { get: changes[key] ?? (() => instance[key]) });
      for (const key of METHODS) {
        const call = (...args: unknown[]): unknown => (instance[key] as (...args: unknown[]) => unknown)(...args);
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
