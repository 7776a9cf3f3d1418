import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createActor } from 'xstate';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';
import { nodesOf, RecordingClock, show, watchTransitions } from './compare.js';
import { FEATURES, type Feature, type Generated, generate } from './generator.js';
import { hash, isReplay, Random, replayWith, seeds } from './random.js';
import { type Found, play, playPlan, type Runtimes, shorten, storyOf } from './schedule.js';
import { shrink } from './shrink.js';

const RUNTIMES: Runtimes = [xstateRuntime, compiledRuntime];
const MACHINES = 400;
const SCHEDULES = 4;
const NAME = 'random machines do the same on both runtimes';

const { first, last } = seeds(MACHINES);

// XState warns of what is sent to an actor that has ended.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));
afterAll(() => {
  vi.restoreAllMocks();
  watchTransitions(false);
});

test(NAME, { timeout: 60_000 + (last - first) * 200 }, () => {
  const features = new Map<Feature, number>(FEATURES.map((feature) => [feature, 0]));
  let states = 0;
  const start = performance.now();
  for (let seed = first; seed <= last; seed++) {
    const generated = generate(seed);
    for (const feature of generated.features) features.set(feature, (features.get(feature) as number) + 1);
    states += nodesOf(generated.machine).length;
    for (let number = 0; number < SCHEDULES; number++) {
      const found = play(generated, hash(seed) + number, RUNTIMES);
      if (found !== undefined) expect.fail(storyOfMachine(generated, found));
    }
  }
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  const count = last - first + 1;
  console.log(`${count} machines with ${states} states, ${SCHEDULES} schedules each, from seed ${first}, ${seconds} s`);
  if (isReplay()) return;
  console.log([...features].map(([feature, machines]) => `${feature} ${machines}`).join('; '));
  const missing = [...features].filter(([, machines]) => machines < count / 100).map(([feature]) => feature);
  expect(missing, 'what hardly any machine has').toEqual([]);
});

function storyOfMachine(generated: Generated, found: Found): string {
  const { seed } = generated;
  const short = shorten(generated, found, RUNTIMES);
  const smaller = (config: Record<string, unknown>): Found | undefined => {
    try {
      const found = playPlan({ ...generated, machine: generated.rebuild(config) }, short.plan, RUNTIMES);
      return found !== undefined && kindOf(found) === kindOf(short) ? found : undefined;
    } catch {
      // What was left out is what something else names.
      return undefined;
    }
  };
  const config = shrink(generated.config, (part) => smaller(part) !== undefined);
  const subject = { ...generated, machine: generated.rebuild(config) };
  const least = shorten(subject, smaller(config) ?? short, RUNTIMES);
  const machine = show({ ...config, implementations: { ...generated.machine.implementations, actors: 'ACTORS' } }, 2);
  return `seed ${seed}: ${storyOf(subject, least, RUNTIMES)}\n${machine}\nagain: ${replayWith(seed, 'machines.test.ts', NAME)}`;
}

/** A smaller machine may fail for another reason. */
const kindOf = ({ what }: Found): string | undefined => what.split('\n', 1)[0]?.replace(/\d+|\(.*\)/g, '');

test.skipIf(isReplay())('random machines are not only built but walked', () => {
  const taken = new Map<string, number>();
  const count = (kind: string): void => void taken.set(kind, (taken.get(kind) ?? 0) + 1);
  for (let seed = 1; seed <= 300; seed++) {
    const { machine, input, event, types, mayFail } = generate(seed);
    const random = new Random(seed);
    const clock = new RecordingClock();
    const actor = createActor(machine, {
      input: input(random) as never,
      clock: clock as never,
      logger: () => {},
      inspect: (inspection) => {
        if (inspection.type !== '@xstate.microstep') return;
        for (const transition of inspection._transitions) {
          const { eventType, target, actions, reenter, source, guard } = transition;
          if (eventType === '') count('without an event');
          else if (eventType.startsWith('xstate.after.')) count('after a time');
          else if (eventType.startsWith('xstate.done.')) count('done');
          else if (eventType === '*') count('wildcard');
          else if (eventType.endsWith('.*')) count('partial wildcard');
          else if (eventType === 'r.a') count('raised or sent');
          if (target === undefined && actions.length === 0) count('forbidden');
          else if (target === undefined) count('internal');
          if (reenter) count('reenter');
          if (guard !== undefined) count('guarded');
          if (source.parent === undefined) count('from the root');
          if (inspection.event.type.startsWith('xstate.') && eventType.endsWith('*')) count('a wildcard takes a timer');
        }
      },
    });
    actor.subscribe({ error: () => {} });
    actor.start();
    for (let moves = 0; moves < 40 && actor.getSnapshot().status === 'active'; moves++) {
      if (random.percent(25)) clock.advance(20);
      else actor.send(event(random.pick(types), random));
    }
    if (actor.getSnapshot().status === 'done') count('ended');
    if (!mayFail) expect(actor.getSnapshot().status, `seed ${seed}`).not.toBe('error');
  }
  console.log([...taken].map(([kind, times]) => `${kind} ${times}`).join('; '));
  const kinds = [
    'without an event',
    'after a time',
    'done',
    'wildcard',
    'partial wildcard',
    'raised or sent',
    'forbidden',
  ];
  kinds.push('internal', 'reenter', 'guarded', 'from the root', 'a wildcard takes a timer', 'ended');
  for (const kind of kinds) expect(taken.get(kind) ?? 0, kind).toBeGreaterThan(20);
});
