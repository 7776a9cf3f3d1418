/** What must hold on every path of the machine of a server's checks: see properties.ts. */
import { expect } from 'vitest';
import { type AnyStateMachine, createActor, type EventObject, SimulatedClock } from 'xstate';
import type { CheckContext, CheckInput, CheckSettings, Pace } from '../../src/machines/functions/check.js';
import { statePath } from '../../src/runtime/xstate.js';
import { type Model, type ReplayedStep, shortName } from '../../src/testing/index.js';

type Check = (model: Model<never>, events: readonly EventObject[]) => void;

interface Told extends EventObject {
  readonly number?: number;
  readonly pace?: Pace;
  readonly random?: number;
  readonly offsetMs?: number;
  readonly cause?: object;
}

const contextOf = (step: ReplayedStep): CheckContext => step.snapshot.context as CheckContext;
const commandsOf = (step: ReplayedStep): string[] => step.commands.map(({ type }) => type);

/** The wait of a pace: told here once more, in other words. */
export function lengthOf(settings: CheckSettings, pace: Pace, random: number): number {
  const ms = { normal: settings.interval, fast: settings.fastInterval, down: settings.downInterval }[pace];
  const [least, most] = [ms - ms * settings.spread, ms + ms * settings.spread];
  return Math.max(1, Math.round(least + (most - least) * random));
}

/** A check runs from its command until its answer, its timeout or its cancellation; each has the next number. */
const oneAtATime: Check = ({ steps }, events) => {
  let running: number | undefined;
  let last = 0;
  for (const [index, step] of steps.entries()) {
    const event = (events[index - 1] ?? { type: 'xstate.init' }) as Told;
    const isAnswer = /^check\.(passed|failed|undecided)$/.test(step.event);
    const isPresent = isAnswer && running !== undefined && event.number === running;
    if (isAnswer && !isPresent) expect(step.taken.length === 0 || step.commands.length === 0, step.event).toBe(true);
    if (isAnswer && !isPresent) expect(step.to, `${step.event} of an earlier check`).toBe(step.from);
    if (isPresent) running = undefined;
    for (const command of step.commands as readonly Told[]) {
      if (command.type === 'check.cancel') {
        expect(command.number, 'what is cancelled runs').toBe(running);
        running = undefined;
      }
      if (command.type === 'check.run') {
        expect(running, 'one check at a time').toBeUndefined();
        expect(command.number, 'the next number').toBe(++last);
        running = last;
      }
    }
    if (step.snapshot.status !== 'done')
      expect(step.snapshot.hasTag('holdsSocket'), step.to).toBe(running !== undefined);
    else expect(running, 'nothing runs at the end').toBeUndefined();
  }
};

/** A present answer is told once, and an undecided one not at all; then the next wait is chosen. */
const verdictsAreTold: Check = ({ steps }, events) => {
  for (const [index, step] of steps.entries()) {
    const { cause } = (events[index - 1] ?? {}) as Told;
    const event = shortName(step.event);
    const isOver = step.from === 'checking' && step.to !== 'checking';
    const told = commandsOf(step).filter((type) => type.startsWith('owner.'));
    if (!isOver) {
      expect(told, `${step.from} ${event}`).toEqual([]);
      continue;
    }
    const verdict = {
      'check.passed': ['owner.passed'],
      'check.failed': ['owner.failed'],
      checkTimeout: ['owner.failed'],
    };
    expect(told, event).toEqual(verdict[event as keyof typeof verdict] ?? []);
    const isCancelled = !/^check\.(passed|failed|undecided)$/.test(event);
    expect(commandsOf(step).includes('check.cancel'), event).toBe(isCancelled);
    const goesOn = !/^check\.(pause|close|abort)$/.test(event);
    expect(step.to === 'deferring', event).toBe(goesOn);
    expect(commandsOf(step).at(-1) === 'wait.choose', event).toBe(goesOn);
    if (told[0] !== 'owner.failed' && event !== 'check.undecided') continue;
    const timeout = { initiator: 'library', manner: 'timeout', code: 'checkTimeout' };
    const expected = { ...(event === 'checkTimeout' ? timeout : cause), phase: 'checking' };
    expect(contextOf(step).cause).toEqual(expected);
    if (told[0] === 'owner.failed') expect(step.commands).toContainEqual({ type: 'owner.failed', cause: expected });
  }
};

/** Waits have the length of the pace; a new one ends them sooner, and never later. */
const pacesHold: Check = ({ steps }, events) => {
  let pace: Pace = 'normal';
  let waitMs = 0;
  for (const [index, step] of steps.entries()) {
    const event = (events[index - 1] ?? { type: 'xstate.init' }) as Told;
    const { settings, random } = contextOf(step);
    const isEnd = step.snapshot.status === 'done';
    if (event.type === 'pace.changed' && step.from !== step.to) expect(step.to).toBe('waiting.hastened');
    if (event.pace !== undefined && !isEnd) {
      pace = event.pace;
      const sooner = lengthOf(settings, pace, random);
      const isSooner = step.from.startsWith('waiting') && sooner < waitMs;
      if (step.from.startsWith('waiting')) {
        expect(step.to, `${pace} while it waits`).toBe(isSooner ? 'waiting.hastened' : step.from);
      }
      if (isSooner) waitMs = sooner;
    }
    if (event.type === 'check.start' && step.from === 'idle') waitMs = event.offsetMs as number;
    if (event.type === 'wait.chosen' && step.from === 'deferring') {
      expect(random).toBe(event.random);
      waitMs = lengthOf(settings, pace, random);
      expect(step.to).toBe('waiting.steady');
    }
    expect(contextOf(step).pace, event.type).toBe(pace);
    expect(contextOf(step).waitMs, event.type).toBe(waitMs);
  }
};

/** Paused, it is still; resumed, it checks at once; ended, it never goes on. */
const ownersDecide: Check = ({ steps }) => {
  for (const step of steps) {
    if (step.event === 'check.pause' && step.taken.length > 0 && step.to !== step.from) expect(step.to).toBe('paused');
    if (step.from === 'paused' && step.to === 'checking') expect(step.event).toBe('check.resume');
    if (step.from === 'paused' && step.event === 'check.resume') expect(step.to).toBe('checking');
    if (step.event === 'check.start') expect(step.to).toBe(step.from === 'idle' ? 'starting' : step.from);
    if (/^check\.(close|abort)$/.test(step.event)) {
      expect(step.to).toBe(step.event === 'check.close' ? 'closed' : 'aborted');
      const { cause } = contextOf(step);
      expect(cause?.phase).toBe(step.from === 'idle' ? 'idle' : 'checking');
    }
  }
};

/** Each timer is due when the context says so. */
const timersAreDue: Check = ({ steps }, events) => {
  const last = steps.at(-1) as ReplayedStep;
  const { settings, waitMs } = contextOf(last);
  const dueMs = /^(starting|waiting)/.test(last.to) ? waitMs : last.to === 'checking' ? settings.timeout : undefined;
  if (last.snapshot.status === 'done') return;
  const clock = new SimulatedClock();
  const input: CheckInput = { settings };
  const actor = createActor(last.snapshot.machine as AnyStateMachine, { input, clock });
  actor.start();
  for (const event of events) actor.send(event);
  const at = (): string => statePath(actor.getSnapshot().value);
  expect(at()).toBe(last.to);
  if (dueMs === undefined) {
    clock.increment(1_000_000);
    expect(at(), 'it waits for nothing').toBe(last.to);
    return;
  }
  clock.increment(dueMs - 1);
  expect(at(), `${last.to}, a moment before`).toBe(last.to);
  clock.increment(1);
  expect(at(), `${last.to}, after ${dueMs} ms`).toBe(last.to === 'checking' ? 'deferring' : 'checking');
  actor.stop();
};

export const checkChecks: readonly Check[] = [oneAtATime, verdictsAreTold, pacesHold, ownersDecide, timersAreDue];
