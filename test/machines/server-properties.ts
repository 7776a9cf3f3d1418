/** What must hold on every path of the server's machine: see properties.ts. */
import { expect } from 'vitest';
import type { EventObject } from 'xstate';
import type { ServerContext, ServerSettings } from '../../src/machines/server.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { statePath } from '../../src/runtime/xstate.js';
import { type Model, type ReplayedStep, shortName } from '../../src/testing/index.js';
import { InertMachine } from '../../src/testing/inert.js';
import { expectedAfter, expectedNews, expectedPace, firstState, seen } from './server-table.js';

/** @param events those that the path was replayed with: that of a step is the one before its place */
type Check = (model: Model<never>, events: readonly EventObject[]) => void;

const LOSS = { initiator: 'system', manner: 'error', code: 'ECONNRESET' } as const;

const commandsOf = (step: ReplayedStep): string[] => step.commands.map(({ type }) => type);
const contextOf = (step: ReplayedStep): ServerContext => step.snapshot.context as unknown as ServerContext;

const CHOOSABLE = /^(up|suspect|recovering)$/;
const OUT = /^(draining|maintenance|leaving|removing|cutting|closed|aborted)$/;
const ENDING = /^(removing|cutting|closed|aborted)$/;

const fullOf = ({ rise, fall }: ServerSettings): number => rise + fall - 1;

/** P11: each change is told once, in order, and says why. */
const changesAreTold: Check = (model) => {
  let before = '';
  for (const step of model.steps) {
    const now = seen(step.to);
    const told = commandsOf(step).filter((type) => /^(set\.changed|owner\.changed|waiters\.serve)$/.test(type));
    if (now !== before) {
      const isFirst = before === '';
      expect(told, `${before} → ${now}`).toEqual([
        'set.changed',
        'owner.changed',
        ...(isFirst ? [] : ['waiters.serve']),
      ]);
      const [change] = step.commands.filter(({ type }) => type === 'owner.changed');
      expect(change, now).toEqual({ type: 'owner.changed', cause: contextOf(step).cause });
    } else {
      expect(told, `${now} stays`).not.toContain('owner.changed');
    }
    before = now;
  }
};

/** By the event: the initiator, the manner and the code; and the phase. */
const CAUSES: Readonly<Record<string, string>> = {
  'server.up': 'owner command up serving',
  'server.drain': 'owner command drain serving',
  'server.maintain': 'owner command maintain serving',
  'server.restore': 'owner command restore serving',
  'server.close': 'owner close - closing',
  'server.abort': 'owner abort - closing',
  'check.passed': 'peer answer - checking',
  'check.failed': 'system error ECONNRESET checking',
  'traffic.connected': 'peer answer - connecting',
  'traffic.failed': 'system error ECONNRESET connecting',
  'traffic.dropped': 'system error ECONNRESET established',
  'address.found': 'system answer - serving',
  'address.lost': 'system error ECONNRESET serving',
  'address.gone': 'system answer - serving',
  ejection: 'library timeout ejection serving',
  exclusion: 'library timeout exclusion serving',
  slowStartStep: 'library timeout slowStart serving',
  removeTimeout: 'library timeout removeTimeout closing',
};

const causesTell: Check = (model) => {
  let cause: unknown;
  for (const step of model.steps) {
    const { cause: now } = contextOf(step);
    const expected = CAUSES[shortName(step.event)];
    const isEnd = /^(closed|aborted)$/.test(step.to);
    if (step.event !== 'xstate.init' && seen(step.from) !== seen(step.to) && !isEnd) {
      expect(`${now.initiator} ${now.manner} ${now.code ?? '-'} ${now.phase}`, step.event).toBe(expected);
      expect(now, 'a cause of its own').not.toBe(cause);
    } else if (step.event !== 'xstate.init' && step.event !== 'server.abort') {
      expect(now, `${step.event} changes nothing`).toBe(cause);
    }
    cause = now;
  }
};

/** P8: what is known of its health follows HAProxy's rule, and its state follows from that. */
const healthIsCounted: Check = (model) => {
  let health: number | undefined;
  for (const step of model.steps) {
    const { health: now, settings, isDoubted } = contextOf(step);
    const { rise, init, onError } = settings;
    const full = fullOf(settings);
    const acts = step.taken.length > 0;
    if (health === undefined) expect(now).toBe({ up: rise, down: rise - 1, fullyUp: full, fullyDown: 0 }[init]);
    else if (step.event === 'check.passed' && acts) expect(now).toBe(health + 1 >= rise ? full : health + 1);
    else if (step.event === 'check.failed' && acts) expect(now).toBe(health - 1 < rise ? 0 : health - 1);
    else if (step.event.startsWith('traffic.')) {
      if (now !== health) {
        expect(onError, 'traffic leaves the counter alone').toMatch(/^(failCheck|suddenDeath|markDown)$/);
        const least = { failCheck: health - 1, suddenDeath: Math.min(rise, health - 1), markDown: 0 }[
          onError as 'markDown'
        ];
        expect(now).toBe(least < rise ? 0 : least);
      }
    } else if (now !== health) {
      expect(now, `${step.event} gives the credit of a start`).toBe(rise);
      expect(`${step.from} ${step.event}`).toMatch(
        /^(maintenance|leaving\.maintained) server\.|address\.(found|gone)$/,
      );
    }
    health = now;
    const state = seen(step.to);
    if (state === 'up') expect(now).toBe(full);
    if (state === 'suspect') expect(now).toBeLessThan(full);
    if (/^(suspect|recovering|ejected|trying)$/.test(state)) expect(now).toBeGreaterThanOrEqual(rise);
    if (/^(down|pending\.checking)$/.test(state)) expect(now).toBeLessThan(rise);
    if (CHOOSABLE.test(state)) expect(isDoubted).toBe(false);
    if (/^(ejected|trying|excluded)$/.test(state)) expect(isDoubted).toBe(true);
  }
};

/** P2, P3, P5, P7, P10: tags say what may be done, trials come one at a time, and only what may be ejected is. */
const rulesHold: Check = (model, events) => {
  let trial = false;
  let hasServed = false;
  let wasOut = false;
  let isOver = false;
  let step0 = 0;
  for (const [index, step] of model.steps.entries()) {
    const state = seen(step.to);
    const { snapshot, from, event } = step;
    const is = (tag: string): boolean => snapshot.hasTag(tag);
    expect(is('choosable'), state).toBe(CHOOSABLE.test(state));
    expect(is('growing'), state).toBe(state === 'recovering');
    expect(is('out'), state).toBe(OUT.test(state));
    expect(is('ending'), state).toBe(ENDING.test(state));
    expect(is('trial'), state).toBe(step.to.endsWith('trying.free'));
    expect(is('doubtful'), state).toBe(/^(ejected|trying)$/.test(state));
    expect(is('usable'), state).toBe(!OUT.test(state) && !/^(excluded|pending\.addressing)$/.test(state));
    const given = (events[index - 1] ?? {}) as { mayEject?: boolean; mends?: number; random?: number };
    if (state === 'ejected' && seen(from) !== 'ejected') {
      expect(given.mayEject, 'only what the set can spare').toBe(true);
      const { ejections, restMs, settings } = contextOf(step);
      const { baseMs, factor, maxMs, jitter } = settings;
      expect(restMs).toBe(
        Math.round(Math.min(maxMs, baseMs * factor ** (ejections - 1)) * (1 - jitter * (given.random ?? 0))),
      );
      expect(snapshot.can({ type: 'xstate.after.ejection.server.serving.ejected' })).toBe(true);
    }
    if (state === 'excluded' && seen(from) !== 'excluded' && event === 'traffic.failed') {
      expect(contextOf(step).restMs).toBe(given.mends);
    }
    if (event === 'trial.granted' && step.taken.length > 0) {
      expect(trial, 'one trial at a time').toBe(false);
      trial = true;
    }
    if (!step.to.endsWith('underway')) trial = false;
    // P3: what its owner took out comes back only when its owner says so.
    if (wasOut && !OUT.test(state)) expect(event).toBe(seen(from) === 'leaving' ? 'address.found' : 'server.up');
    wasOut = OUT.test(state);
    if (isOver) expect(state, 'a removal is final').toMatch(ENDING);
    isOver ||= ENDING.test(state);
    // P7: it grows, and never at the start.
    if (state === 'recovering') {
      expect(hasServed, 'no slow start at the start').toBe(true);
      const { step: now } = contextOf(step);
      if (seen(from) === 'recovering' && event.startsWith('xstate.after')) expect(now).toBe(step0 + 1);
      else if (seen(from) === 'recovering') expect(now).toBe(step0);
      else expect(now).toBe(0);
      expect(now).toBeLessThan(contextOf(step).settings.steps);
      step0 = now;
    }
    hasServed ||= CHOOSABLE.test(state);
    const { ejections } = contextOf(step);
    expect(ejections).toBeGreaterThanOrEqual(0);
    const forgives = seen(from) === 'up' && event.startsWith('xstate.after.forgiveness');
    if (forgives) expect(ejections).toBe(Math.max(0, contextOf(model.steps[index - 1] as ReplayedStep).ejections - 1));
  }
};

/** Checks run while they may tell something; their pace is that of the counter. */
const checksRun: Check = (model) => {
  let checks: 'none' | 'run' | 'paused' | 'stopped' = 'none';
  for (const step of model.steps) {
    for (const command of step.commands as readonly { type: string; pace?: string }[]) {
      const { type, pace } = command;
      if (type === 'checks.start') {
        expect(checks).toBe('none');
        checks = 'run';
      }
      if (type === 'checks.pause') {
        expect(checks).not.toBe('stopped');
        checks = 'paused';
      }
      if (type === 'checks.resume') {
        expect(checks).toBe('paused');
        checks = 'run';
      }
      if (type === 'checks.stop') {
        expect(checks).not.toBe('stopped');
        checks = 'stopped';
      }
      if (type === 'pace.set') {
        const { health, settings } = contextOf(step);
        const expected = health === fullOf(settings) ? 'normal' : health === 0 ? 'down' : 'fast';
        const isHurried = step.event.startsWith('traffic.') && settings.onError !== 'eject';
        expect(isHurried ? 'fast or the counter’s' : pace).toBe(isHurried ? 'fast or the counter’s' : expected);
        if (isHurried && seen(step.from) === seen(step.to)) expect(pace).toBe('fast');
      }
    }
    const state = seen(step.to);
    const { hasAddress } = contextOf(step);
    if (step.event === 'address.lost' && !/^(leaving|removing|cutting|closed|aborted)$/.test(seen(step.from)))
      expect(hasAddress).toBe(false);
    if (/^address\.(found|gone)$/.test(step.event) && !ENDING.test(seen(step.from))) expect(hasAddress).toBe(true);
    const isMaintained = /^(maintenance|leaving\.maintained)$/.test(step.to);
    const expected = ENDING.test(state) ? 'stopped' : isMaintained || !hasAddress ? 'paused' : 'run';
    expect(checks, state).toBe(expected);
    if (/^check\./.test(step.event) && step.taken.length > 0 && seen(step.from) !== 'pending.checking') {
      expect(commandsOf(step), `${step.from} ${step.event}`).toContain('pace.set');
    }
  }
};

/** P4: what ends has waited for its sessions, or has cut them. */
const sessionsEnd: Check = (model, events) => {
  let isAwaited = false;
  let isCut = false;
  for (const [index, step] of model.steps.entries()) {
    for (const command of step.commands as readonly {
      type: string;
      spreadMs?: number;
      deliver?: boolean;
      cause?: unknown;
    }[]) {
      if (command.type === 'sessions.await') isAwaited = true;
      if (command.type === 'sessions.release')
        expect(step.to).toMatch(/^(serving\.down|maintenance|leaving\.maintained)$/);
      if (command.type !== 'sessions.cut') continue;
      isCut = true;
      expect(step.to).toMatch(/^(cutting|aborted)$/);
      expect(command.cause).toBe(contextOf(step).cause);
      const { delivers, spreadMs } = contextOf(step);
      if (seen(step.from) === 'cutting') expect(command).toMatchObject({ deliver: false, spreadMs: 0 });
      else expect(command).toMatchObject({ deliver: delivers, spreadMs });
      if (step.event === 'server.abort' && seen(step.from) !== 'cutting') {
        const { deliver = false } = events[index - 1] as { deliver?: boolean } & EventObject;
        expect(command, 'the owner’s abort resets').toMatchObject({ deliver, spreadMs: 0 });
      }
      if (shortName(step.event) === 'removeTimeout')
        expect(command).toMatchObject({ deliver: true, spreadMs: seen(step.from) === 'leaving' ? 0 : 3 });
    }
    const state = seen(step.to);
    const isLetGo = /^(serving\.down|maintenance|leaving\.maintained)$/.test(step.to);
    if (isLetGo && step.from !== step.to && step.event !== 'xstate.init') {
      expect(commandsOf(step)).toContain('sessions.release');
    }
    if (step.to === 'cutting' && step.from !== 'cutting') {
      expect(commandsOf(step)).toEqual(expect.arrayContaining(['sessions.cut', 'sessions.await']));
    }
    const { deliver = false } = (events[index - 1] ?? {}) as { deliver?: boolean };
    if (step.event === 'server.abort' && step.from === 'cutting' && !deliver) {
      expect(commandsOf(step), 'it hastens').toEqual(['sessions.cut']);
      expect(contextOf(step).cause).toMatchObject({ initiator: 'owner', manner: 'abort', phase: 'closing' });
    }
    if (/^(leaving|removing)/.test(step.to) && state !== seen(step.from)) {
      expect(commandsOf(step)).toContain('sessions.await');
    }
    if (step.event === 'server.close' && state === 'removing' && seen(step.from) !== 'removing') {
      expect(contextOf(step)).toMatchObject({ removeTimeoutMs: 7, spreadMs: 3 });
    }
    const { status } = step.snapshot;
    if (status !== 'done') continue;
    expect(isAwaited).toBe(true);
    const isTimed = shortName(step.event) === 'cutTimeout';
    expect(isTimed ? 'cutTimeout' : step.event).toBe(isTimed ? 'cutTimeout' : 'sessions.emptied');
    if (isTimed) expect(commandsOf(step), 'none is left').toContain('sessions.cut');
    expect(step.to).toBe(isCut ? 'aborted' : 'closed');
    const { cause } = contextOf(step);
    expect(model.outcome).toEqual({ ending: step.to, cause, flushed: !isCut });
  }
};

/** All that may come, at any time; timers too, where they run. */
const PROBES: readonly (EventObject & Readonly<Record<string, unknown>>)[] = [
  ...['up', 'drain', 'maintain', 'restore', 'close', 'abort'].map((wish) => ({ type: `server.${wish}` })),
  { type: 'server.close', timeoutMs: 7, spreadMs: 3 },
  { type: 'server.abort', deliver: true },
  { type: 'check.passed' },
  { type: 'check.failed', cause: LOSS },
  { type: 'traffic.connected' },
  { type: 'traffic.lasted' },
  ...['traffic.failed', 'traffic.dropped'].flatMap((type) => [
    { type, cause: LOSS, random: 1, mayEject: true },
    { type, cause: LOSS, random: 0, mayEject: false },
    { type, cause: LOSS, random: 1, mayEject: true, verdict: { restMs: 9, ejections: 4 } },
  ]),
  { type: 'traffic.failed', cause: LOSS, random: 1, mayEject: true, mends: 5 },
  { type: 'traffic.failed', cause: LOSS, random: 1, mayEject: false, mends: NEVER_MS },
  { type: 'trial.granted' },
  { type: 'trial.givenUp' },
  { type: 'sessions.emptied' },
  { type: 'address.found' },
  { type: 'address.lost', cause: LOSS },
  { type: 'address.gone' },
];
const TIMERS: Readonly<Record<string, string>> = {
  'serving.up': 'forgiveness.server.serving.up',
  'serving.recovering': 'slowStartStep.server.serving.recovering',
  'serving.ejected': 'ejection.server.serving.ejected',
  'serving.excluded': 'exclusion.server.serving.excluded',
  'leaving.wanted': 'removeTimeout.server.leaving',
  'leaving.drained': 'removeTimeout.server.leaving',
  'leaving.maintained': 'removeTimeout.server.leaving',
  removing: 'removeTimeout.server.removing',
  cutting: 'cutTimeout.server.cutting',
};

/** What was asked already, of each machine. */
const asked = new WeakMap<object, Set<string>>();

/** Each event, also one that no path takes, leads from where a path is to where the table says: see server-table.ts. */
const agreesWithTable: Check = (model) => {
  const first = model.steps[0] as ReplayedStep;
  const { settings: given, cause: _added, ...begun } = contextOf(first);
  expect(first.to).toBe(firstState(given));
  const entered = { from: '', to: first.to, event: { type: first.event }, before: begun, after: begun };
  expect(first.commands).toContainEqual({ type: 'pace.set', pace: expectedPace(given, entered) });
  for (const { snapshot, to: from } of model.steps) {
    if (snapshot.status === 'done') continue;
    const { machine, context } = snapshot;
    const { settings, cause: _cause, ...before } = context as ServerContext;
    const places = asked.get(machine) ?? new Set();
    asked.set(machine, places);
    const place = JSON.stringify([from, before, settings]);
    if (places.has(place)) continue;
    places.add(place);
    const inert = new InertMachine(machine);
    const timer = TIMERS[from];
    for (const event of timer === undefined ? PROBES : [...PROBES, { type: `xstate.after.${timer}` }]) {
      const next = inert.next(snapshot, event);
      const to = statePath(next.value);
      const { settings: _settings, cause: _now, ...after } = next.context as ServerContext;
      const commands = inert.actions
        .filter(({ type }) => type === 'xstate.emit')
        .map(({ params }) => (params as { event: { type: string; pace?: string } }).event);
      const found = {
        state: to,
        facts: after,
        news: commands
          .map(({ type }) => type)
          .filter((type) => /^(set\.changed|owner\.changed|waiters\.serve)$/.test(type)),
        pace: commands.findLast(({ type }) => type === 'pace.set')?.pace,
      };
      const went = { from, to, event, before, after };
      expect(found, `${from}, ${JSON.stringify(before)}: ${JSON.stringify(event)}`).toEqual({
        ...expectedAfter(settings, from, before, event),
        news: expectedNews(went),
        pace: expectedPace(settings, went),
      });
    }
  }
};

export const serverChecks: readonly Check[] = [
  agreesWithTable,
  changesAreTold,
  causesTell,
  healthIsCounted,
  rulesHold,
  checksRun,
  sessionsEnd,
];
