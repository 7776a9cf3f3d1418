/** Timers of a second or more, on the process's own clock: they are armed a moment later, if they are still wanted. */
import { expect, test } from 'vitest';
import type { EventObject } from 'xstate';
import { systemClock } from '../../src/runtime/clock.js';
import type { Instance } from '../../src/runtime/instance.js';
import { armedTimers, LONG_MS } from '../../src/runtime/timers.js';
import { compiledRuntime } from '../support/runtimes.js';
import { within } from '../support/wait.js';
import { seeded } from '../upstream/asks.js';
import { machineOf, say, set } from './scene.js';

/** A timer that is set and cleared by events, and an end. */
const waiter = machineOf(
  {
    initial: 'idle',
    states: {
      idle: { on: { set: { target: 'waiting', actions: 'note' } } },
      waiting: {
        on: { clear: 'idle', set: { target: 'waiting', reenter: true, actions: 'note' }, end: 'over' },
        after: { wait: { target: 'idle', actions: say('fired') } },
      },
      over: { type: 'final' },
    },
  },
  {
    actions: { note: set({ n: ({ event }: { event: { n?: number } }) => event.n }) },
    delays: { wait: ({ context }: { context: { n: number } }) => context.n },
  },
);

function start(fired: () => void = () => {}) {
  const host = { id: 'm#1', clock: systemClock, perform: fired, finish: () => undefined };
  const instance = compiledRuntime.run(waiter, undefined as never, host) as unknown as Instance<EventObject>;
  instance.start();
  return { instance, set: (n: number) => instance.send({ type: 'set', n } as EventObject) };
}

const isArmed = (instance: object): boolean => [...armedTimers()].some(({ owner }) => owner === instance);
const keepingAlive = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;

test('each fires once, not early, and before Node’s own that are set at the same time, 25 ms and then as long; none that was cleared', async () => {
  const random = seeded(5);
  const told: string[] = [];
  const all = Array.from({ length: 60 }, (_, index) => {
    const delayMs = LONG_MS + Math.floor(random() * 100);
    return new Promise<void>((resolve) => {
      let setAt = 0;
      const { set, instance } = start(() => {
        const waited = performance.now() - setAt;
        // The clock of Node's timers counts whole milliseconds.
        if (waited < delayMs - 1) told.push(`${index} after ${waited} of ${delayMs}`);
        told.push(`${index}`);
      });
      const begin = (): void => {
        setAt = performance.now();
        set(delayMs);
        if (index % 4 === 1) instance.send({ type: 'clear' });
        // In two steps as well: where the machine is busy, both are late.
        const last = (): void => {
          told.push(`${index} no later`);
          resolve();
        };
        setTimeout(() => setTimeout(last, delayMs + 30), 25);
      };
      // Some are set anew before they were armed, and some after that.
      if (index % 4 >= 2) set(delayMs);
      setTimeout(begin, index % 4 === 2 ? 5 : index);
    });
  });
  await within(5_000, 'all timers', Promise.all(all));
  expect(told.filter((what) => what.includes('after'))).toEqual([]);
  for (let index = 0; index < 60; index++) {
    const own = told.filter((what) => what.split(' ')[0] === `${index}`);
    expect(own).toEqual(index % 4 === 1 ? [`${index} no later`] : [`${index}`, `${index} no later`]);
  }
});

test('one of less than a second is armed at once, with the long ones of its instance', () => {
  const { instance, set } = start();
  set(LONG_MS - 1);
  expect(instance).toMatchObject({ laterAt: -1 });
  expect(isArmed(instance)).toBe(true);
  set(LONG_MS);
  expect(instance).not.toMatchObject({ laterAt: -1 });
  instance.send({ type: 'end' });
});

test('what has ended, or has cleared its timer, arms nothing; the others are armed whatever ends before them', () => {
  const some = Array.from({ length: 9 }, () => start());
  for (const { set } of some) set(LONG_MS);
  some.forEach(({ instance }, index) => {
    if (index % 3 > 0) instance.send({ type: index % 3 === 1 ? 'end' : 'clear' });
  });
  for (const { instance } of some.filter((_, index) => index % 3 === 1))
    expect(instance).toMatchObject({ laterAt: -1 });
  expect(some.map(({ instance }) => isArmed(instance))).toEqual(some.map((_, index) => index % 3 === 0));
  for (const { instance } of some) instance.send({ type: 'end' });
  for (const { instance, set } of some) if (instance.state === 'idle') set(1_000_000);
  for (const { instance } of some) instance.send({ type: 'end' });
  expect(some.some(({ instance }) => isArmed(instance))).toBe(false);
});

test('until it is armed, and from then on, the process is kept alive where it may have to be, and nowhere else', () => {
  const before = keepingAlive();
  const { instance, set } = start();
  instance.setRef(false);
  set(LONG_MS);
  expect(keepingAlive()).toBe(before);
  instance.setRef(true);
  expect(keepingAlive()).toBe(before + 1);
  expect(isArmed(instance)).toBe(true);
  expect(keepingAlive()).toBeGreaterThan(before);
  instance.send({ type: 'end' });
});
