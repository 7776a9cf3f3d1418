/** What must hold on every path of the cluster's machines: see properties.ts. */
import { expect } from 'vitest';
import { type Model, type ReplayedStep, shortName } from '../../src/testing/index.js';

type Check = (model: Model<never>) => void;

const commandsOf = (step: ReplayedStep): string[] => step.commands.map(({ type }) => type);

/** Close and abort, where they do something. */
const isRequestToEnd = (step: ReplayedStep): boolean => /\.(close|abort)$/.test(step.event) && step.taken.length > 0;

interface Told {
  readonly manner: string;
  readonly phase: string;
  readonly code?: string;
}

/** What each of these notes as the cause: the manner, its code if it has one, and what was done then. */
type Causes = readonly (readonly [at: RegExp, told: string])[];

const causesTell =
  (causes: Causes): Check =>
  (model) => {
    for (const step of model.steps) {
      const at = `${step.from} ${shortName(step.event)}`;
      const [, expected] = causes.find(([pattern]) => pattern.test(at)) ?? [];
      if (expected === undefined || step.taken.length === 0) continue;
      const { cause } = step.snapshot.context as { cause?: Told };
      const told = [cause?.manner, cause?.code, cause?.phase].filter((word) => word !== undefined).join(' ');
      if (!new RegExp(`^${expected}$`).test(told)) throw new Error(`${at}: it notes “${told}”, not “${expected}”`);
    }
  };

const states = '(serving\\.)?';
const on = (from: string, event: string): RegExp => new RegExp(`^${states}(${from}) (${event})$`);

const WORKER_CAUSES: Causes = [
  [on('idle', 'worker.close'), 'close idle'],
  [on('idle', 'worker.abort'), 'abort idle'],
  [on('starting|restarting', 'process.(failed|exited)'), 'error ECONNRESET starting'],
  [on('starting|restarting', 'startTimeout'), 'timeout startTimeout starting'],
  [on('starting|restarting', 'worker.close'), 'close starting'],
  [on('starting|restarting', 'worker.abort'), 'abort starting'],
  [on('running', 'process.exited'), 'error ECONNRESET serving'],
  [on('running|draining', 'process.closed'), '(end|error) said'],
  [on('running', 'worker.close'), 'close serving'],
  [on('running', 'worker.abort'), 'abort serving'],
  [on('exiting|disposing', 'worker.close'), 'close disposing'],
  [/^serving.(exiting|disposing) worker.abort$/, 'abort disposing'],
  [on('draining', 'worker.abort'), 'abort closing'],
  [on('deferring|waiting', 'worker.close'), 'close waiting'],
  [on('deferring|waiting', 'worker.abort'), 'abort waiting'],
  [on('draining', 'process.exited'), 'error ECONNRESET closing'],
  [on('draining', 'drainTimeout'), 'timeout drainTimeout closing'],
];

const CLUSTER_CAUSES: Causes = [
  [/^idle cluster.close$/, 'close idle'],
  [/^idle cluster.abort$/, 'abort idle'],
  [/^starting cluster.close$/, 'close starting'],
  [/^starting cluster.abort$/, 'abort starting'],
  [/^starting workers.failed$/, 'error ECONNRESET starting'],
  [/^running.*\.starting newWorkers.failed$/, 'error ECONNRESET starting'],
  [/^running.* cluster.close$/, 'close serving'],
  [/^running.* cluster.abort$/, 'abort serving'],
  [/^running.* workers.failed$/, 'error ECONNRESET serving'],
  [/^draining cluster.abort$/, 'abort closing'],
];

/** How the process says that it has ended, and then the worker. */
const WORDS = { closed: { ending: 'closed', flushed: true }, aborted: { ending: 'aborted', flushed: false } };

const workerRules: Check = (model) => {
  let isAlive = false;
  let isOver = false;
  let forks = 0;
  let exits = 0;
  let inARow = 0;
  let incarnation = 0;
  const { settings } = model.snapshot.context as {
    settings: { attemptsMax: number; drainTimeout: number };
  };
  for (const step of model.steps) {
    const context = step.snapshot.context as {
      drainTimeoutMs: number;
      backoffMs: number;
      flushed: boolean;
      ending: string;
      truncated: boolean;
    };
    isOver ||= isRequestToEnd(step);
    if (step.event === 'process.exited') isAlive = false;
    if (step.taken.some((name) => name.includes('stableAfter'))) inARow = 0;
    for (const command of step.commands as readonly { type: string; [more: string]: unknown }[]) {
      const { type } = command;
      if (type === 'process.fork') {
        expect(isOver, 'nothing is forked after a close or an abort').toBe(false);
        expect(isAlive, 'at most one process').toBe(false);
        isAlive = true;
        forks++;
        inARow++;
        incarnation++;
        expect(command.incarnation).toBe(incarnation);
        expect(inARow, 'so many in a row').toBeLessThanOrEqual(Math.max(1, settings.attemptsMax));
      }
      if (type === 'owner.exited') {
        expect(isOver, 'an exit that was asked for is no news').toBe(false);
        expect(command.cause).toBeDefined();
        exits++;
      }
      if (type === 'owner.retry') expect(command).toMatchObject({ attempt: inARow + 1, delayMs: 100 });
      if (type === 'owner.running') expect(command.incarnation).toBe(incarnation);
      if (type === 'restart.choose') expect(command.attempts).toBe(inARow);
      if (type === 'process.drain') expect(command.timeoutMs).toBe(context.drainTimeoutMs);
      if (type === 'process.abort') expect(command.cause).toBeDefined();
      if (/^process\.(drain|abort|release|kill)$/.test(type)) expect(step.snapshot.hasTag('holdsProcess')).toBe(true);
      // Its time first, unless it has said its last word.
      if (type === 'process.kill') {
        const isBeforeItsTime = !step.event.startsWith('xstate.after.') && step.from !== 'serving.disposing';
        if (isBeforeItsTime) expect(step.event, 'only an abort hastens the end').toBe('worker.abort');
      }
    }
    if (step.event === 'worker.close' && step.to === 'draining') {
      expect(context.drainTimeoutMs, 'the close’s own time').toBe(settings.drainTimeout * 2);
    }
    if (step.event === 'restart.deferred' && step.taken.length > 0 && step.to === 'serving.waiting') {
      expect(context.backoffMs).toBe(100);
    }
    if (step.from === 'draining' && step.event === 'process.closed') {
      const { ending, flushed, truncated } = context;
      expect({ ending, flushed }).toEqual(WORDS[ending as keyof typeof WORDS]);
      expect(truncated, 'it says what was cut').toBe(ending === 'aborted');
    }
    if (step.from === 'aborting' && step.event === 'process.closed') {
      expect(context).toMatchObject({ ending: 'aborted', flushed: false });
    }
    if (/^(exiting|serving\.exiting)$/.test(step.to) && step.from !== step.to) {
      expect(commandsOf(step), 'what has said its last word is released').toContain('process.release');
    }
    const isEntered = (state: string): boolean => step.to === state && step.from !== state;
    if (isEntered('serving.waiting')) {
      expect(step.from, 'how long to wait is a question').toBe('serving.deferring');
      expect(commandsOf(step)).toContain('owner.retry');
    }
    if (isEntered('serving.restarting')) expect(step.from, 'it backs off').toBe('serving.waiting');
    if (step.to === 'serving.running') {
      const isTimed = step.snapshot.can({ type: 'xstate.after.stableAfter.worker.serving.running' });
      expect(isTimed, 'deaths before it are forgotten some time').toBe(true);
    }
    if (isAlive) expect(step.snapshot.hasTag('holdsProcess') || step.from === 'killing', step.to).toBe(true);
    if (step.snapshot.status !== 'done') expect(step.snapshot.hasTag('holdsProcess'), step.to).toBe(isAlive);
  }
  expect(exits).toBeLessThanOrEqual(forks);
  const { outcome } = model;
  if (outcome === undefined) return;
  const last = model.steps.at(-1) as ReplayedStep;
  if (outcome.ending === 'dropped') {
    expect(last).toMatchObject({ from: 'draining', event: 'process.exited' });
    expect(outcome.flushed).toBe(false);
  }
  if (outcome.ending === 'closed') expect(isOver && outcome.flushed).toBe(true);
  if (outcome.ending === 'aborted') expect(outcome.flushed, 'what was cut may not have arrived').toBe(false);
  if (outcome.ending === 'failed') expect(isOver && forks === 1 && exits > 0).toBe(false);
};

const clusterRules: Check = (model) => {
  let isOver = false;
  for (const step of model.steps) {
    const context = step.snapshot.context as { timeoutMs: number; flushed: boolean; truncated: boolean };
    isOver ||= isRequestToEnd(step) || /^(aborting|draining)/.test(step.to);
    const types = commandsOf(step);
    if (isOver) expect(types.filter((type) => /start|oldWorkers|newWorkers|running|reload/.test(type))).toEqual([]);
    if (step.event === 'cluster.close' && step.to === 'draining') {
      expect(step.commands).toContainEqual({ type: 'workers.close', timeoutMs: 7 });
    }
    for (const { type, cause } of step.commands as readonly { type: string; cause?: unknown }[]) {
      if (/^(workers.abort|owner.reloadFailed)$/.test(type)) expect(cause).toBeDefined();
    }
    if (step.event === 'workers.closed' && step.taken.length > 0) {
      const { flushed, truncated } = context;
      const { ending } = model.outcome as { ending: string };
      if (ending === 'closed') expect({ flushed, truncated }).toEqual({ flushed: true, truncated: false });
      expect(truncated).toBe(!flushed);
    }
  }
  const { outcome } = model;
  if (outcome === undefined) return;
  const last = model.steps.at(-1) as ReplayedStep;
  expect(last.event).toBe('workers.closed');
  expect(model.steps.flatMap(commandsOf)).toContain('workers.await');
  // How they ended, they say themselves, unless they were cut or failed.
  if (last.from === 'draining' && outcome.ending !== 'closed') expect(outcome.cause.phase).toBe('said');
};

export const workerChecks: readonly Check[] = [workerRules, causesTell(WORKER_CAUSES)];
export const clusterChecks: readonly Check[] = [clusterRules, causesTell(CLUSTER_CAUSES)];
