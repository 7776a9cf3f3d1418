/** What must hold on every path of the machine of a name: see properties.ts. */
import { expect } from 'vitest';
import { type AnyStateMachine, createActor, type EventObject, SimulatedClock } from 'xstate';
import type { NameContext, NameInput, NameSettings } from '../../src/machines/name.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { statePath } from '../../src/runtime/xstate.js';
import { type Model, type ReplayedStep, shortName } from '../../src/testing/index.js';

type Check = (model: Model<never>, events: readonly EventObject[]) => void;

interface Told extends EventObject {
  readonly number?: number;
  readonly failure?: keyof NameSettings['hold'];
  readonly isEmpty?: boolean;
  readonly ttlMs?: number;
  readonly random?: number;
  readonly ageMs?: number;
  readonly cause?: object;
}

const contextOf = (step: ReplayedStep): NameContext => step.snapshot.context as unknown as NameContext;
const commandsOf = (step: ReplayedStep): string[] => step.commands.map(({ type }) => type);
const eventOf = (events: readonly EventObject[], index: number): Told =>
  (events[index - 1] ?? { type: 'xstate.init' }) as Told;

/** How long the next look-up is waited for: told here once more, in other words. */
export function pauseOf(settings: NameSettings, hasFailed: boolean, ttlMs: number, random: number): number {
  const base = hasFailed ? settings.failureInterval : settings.interval;
  const [least, most] = [base - base * settings.spread, base + base * settings.spread];
  const ttl = ttlMs + ttlMs * settings.spread * random;
  return Math.max(1, Math.round(least + (most - least) * random), Math.round(ttl));
}

/** A look-up runs from its command until its answer, its timeout or its cancellation; each has the next number. */
const oneAtATime: Check = ({ steps }, events) => {
  let running: number | undefined;
  let last = 0;
  for (const [index, step] of steps.entries()) {
    const event = eventOf(events, index);
    const isAnswer = event.type.startsWith('lookup.');
    const isPresent = isAnswer && running !== undefined && event.number === running;
    if (isAnswer && !isPresent) {
      expect(commandsOf(step), `${event.type} of an earlier look-up`).toEqual([]);
      expect(step.to, `${event.type} of an earlier look-up`).toBe(step.from);
    }
    if (isPresent) running = undefined;
    for (const command of step.commands as readonly Told[]) {
      if (command.type === 'lookup.cancel') {
        expect(command.number, 'what is cancelled runs').toBe(running);
        running = undefined;
      }
      if (command.type === 'lookup.run') {
        expect(running, 'one look-up at a time').toBeUndefined();
        expect(command.number, 'the next number').toBe(++last);
        running = last;
      }
    }
    if (step.snapshot.status === 'done') expect(running, 'nothing runs at the end').toBeUndefined();
    else expect(step.to === 'asking', step.to).toBe(running !== undefined);
  }
};

/** Only what was not answered in time is tried again at once, and only so often; each verdict is told once. */
const verdictsAreTold: Check = ({ steps }, events) => {
  let tries = 0;
  for (const [index, step] of steps.entries()) {
    const event = eventOf(events, index);
    const name = shortName(step.event);
    if (step.from !== 'asking') tries = 0;
    if (commandsOf(step).includes('lookup.run')) tries++;
    const told = commandsOf(step).filter((type) => type === 'owner.failed' || type === 'servers.update');
    const { settings } = contextOf(step);
    const isLate = name === 'lookupTimeout' || (event.type === 'lookup.failed' && event.failure === 'timeout');
    if (step.from === 'asking' && step.to === 'asking' && step.taken.length > 0) {
      expect(isLate, `${name} is tried again`).toBe(true);
      expect(tries).toBeLessThanOrEqual(settings.tries);
      expect(contextOf(step).cause, `why it is tried again after ${name}`).toBeDefined();
    }
    if (step.to !== 'deferring' || step.from !== 'asking') {
      expect(told, `${step.from} ${name}`).toEqual([]);
      continue;
    }
    if (isLate) expect(tries, 'it was tried as often as may be').toBe(settings.tries);
    expect(told, name).toEqual([event.type === 'lookup.answered' ? 'servers.update' : 'owner.failed']);
    expect(commandsOf(step).at(-1), name).toBe('wait.choose');
    if (told[0] !== 'owner.failed') continue;
    const timeout = { initiator: 'library', manner: 'timeout', code: 'lookupTimeout' };
    const expected = { ...(name === 'lookupTimeout' ? timeout : event.cause), phase: 'resolving' };
    expect(step.commands).toContainEqual({ type: 'owner.failed', cause: expected });
    expect(contextOf(step).cause).toEqual(expected);
  }
};

/** What is known: the last good answer, until the hold time of the last failure is over. It is lost once. */
const answersHold: Check = ({ steps }, events) => {
  let has = false;
  let failure: Told['failure'];
  let ttlMs = 0;
  let isUnanswered = true;
  for (const [index, step] of steps.entries()) {
    const event = eventOf(events, index);
    const name = shortName(step.event);
    const { settings } = contextOf(step);
    const isVerdict = step.from === 'asking' && step.to === 'deferring';
    if (isVerdict) isUnanswered = false;
    if (isVerdict && event.type === 'lookup.answered') {
      has = event.isEmpty !== true;
      failure = undefined;
      ttlMs = event.ttlMs ?? 0;
    } else if (isVerdict) {
      failure = name === 'lookupTimeout' ? 'timeout' : event.failure;
      ttlMs = 0;
    }
    let loses = false;
    if (step.from === 'deferring' && event.type === 'wait.chosen') {
      const heldMs = failure === undefined ? NEVER_MS : settings.hold[failure];
      const leftMs = heldMs === NEVER_MS ? NEVER_MS : heldMs - (event.ageMs ?? 0);
      loses = has && leftMs <= 0;
      const where = !has || loses ? 'empty' : failure === undefined ? 'fresh' : 'held';
      expect(step.to).toBe(`waiting.${where}`);
      if (where === 'held') expect(contextOf(step).holdMs).toBe(leftMs);
      expect(contextOf(step).waitMs).toBe(pauseOf(settings, failure !== undefined, ttlMs, event.random as number));
    }
    if (name === 'hold') loses = true;
    expect(commandsOf(step).includes('servers.lose'), `${step.from} ${name}`).toBe(loses);
    if (loses) {
      expect(has, 'what is lost was there').toBe(true);
      expect(step.commands).toContainEqual({ type: 'servers.lose', cause: contextOf(step).cause });
      has = false;
    }
    expect(contextOf(step)).toMatchObject({ hasAddresses: has, failure, ttlMs, isUnanswered });
  }
};

/** It starts once, is looked up when its owner says so, and when it is over, it is over. */
const ownersDecide: Check = ({ steps }) => {
  for (const step of steps) {
    if (step.event === 'name.start') expect(step.to).toBe(step.from === 'idle' ? 'asking' : step.from);
    if (step.event === 'name.refresh') {
      expect(step.to).toBe(step.from.startsWith('waiting') ? 'asking' : step.from);
    }
    if (/^name\.(close|abort)$/.test(step.event)) {
      expect(step.to).toBe(step.event === 'name.close' ? 'closed' : 'aborted');
      expect(contextOf(step).cause?.phase).toBe(step.from === 'idle' ? 'idle' : 'resolving');
    }
  }
};

/** Each timer is due when the context says so; of two, the sooner one first. */
const timersAreDue: Check = ({ steps }, events) => {
  const last = steps.at(-1) as ReplayedStep;
  if (last.snapshot.status === 'done') return;
  const { settings, waitMs, holdMs, hasAddresses } = contextOf(last);
  const clock = new SimulatedClock();
  const input: NameInput = { settings };
  const actor = createActor(last.snapshot.machine as AnyStateMachine, { input, clock });
  actor.start();
  for (const event of events) actor.send(event);
  const at = (): string => statePath(actor.getSnapshot().value);
  expect(at()).toBe(last.to);
  const isHeld = last.to === 'waiting.held';
  const dueMs = last.to === 'asking' ? settings.timeout : isHeld ? Math.min(waitMs, holdMs) : waitMs;
  if (!/^(asking|waiting)/.test(last.to)) {
    clock.increment(1_000_000);
    expect(at(), 'it waits for nothing').toBe(last.to);
    return;
  }
  const before = actor.getSnapshot().context.number;
  clock.increment(dueMs - 1);
  expect(at(), `${last.to}, a moment before`).toBe(last.to);
  clock.increment(1);
  const { context } = actor.getSnapshot() as { context: NameContext };
  if (last.to !== 'asking') {
    const isLost = isHeld && holdMs < waitMs;
    // Where both are due at once, the order of the two is that of the states, and either is right.
    if (!isHeld || holdMs !== waitMs) expect(at()).toBe(isLost ? 'waiting.empty' : 'asking');
    if (isLost) expect(context.hasAddresses).toBe(false);
    else if (!isHeld) expect(context.hasAddresses).toBe(hasAddresses);
  } else if (at() === 'asking') expect(context.number).toBe(before + 1);
  else expect(at()).toBe('deferring');
  actor.stop();
};

export const nameChecks: readonly Check[] = [oneAtATime, verdictsAreTold, answersHold, ownersDecide, timersAreDue];
