/** The machines of a proxy, and the events that each may get. */

import type { AnyStateMachine, EventObject } from 'xstate';
import {
  backendMachine,
  checkMachine,
  clientMachine,
  listenerMachine,
  nameMachine,
  proxyMachine,
  serverMachine,
  sessionMachine,
} from '../../src/machines/index.js';
import {
  BACKEND_LIMITS,
  CHECK_LIMITS,
  CLIENT_LIMITS,
  LISTENER_LIMITS,
  type Limits,
  NAME_LIMITS,
  namesOf,
  SESSION_LIMITS,
} from '../../src/machines/limits.js';
import { type Ending, NEVER_MS, QUIET_PROBES, type Report } from '../../src/machines/vocabulary.js';
import { bounded, graphOf } from '../machines/bounds.js';
import type { Random } from './random.js';
import type { Subject } from './schedule.js';

const ENDINGS: readonly Ending[] = ['ended', 'closed', 'aborted', 'dropped', 'refused', 'failed'];
/** Different ones, equal ones, none, and one that never comes. */
const WAITS = [20, 20, 60, 300, 2_000, NEVER_MS];

const wait = (random: Random): number => (random.percent(6) ? random.below(2) : random.pick(WAITS));

const THROWN = new Error('A hook has thrown.');

const report = (random: Random): Report => ({
  initiator: random.pick(['peer', 'owner', 'library', 'system']),
  manner: random.pick(['end', 'reset', 'refusal', 'timeout', 'error', 'close', 'limit']),
  ...(random.percent(30) && { phase: random.pick(['connecting', 'established', 'closing']) }),
  ...(random.percent(60) && { code: random.pick(['ECONNRESET', 'ECONNREFUSED', 'EPIPE']) }),
  ...(random.percent(10) && { error: THROWN }),
});

/** What an event may carry, by the end of its type; of everything else, only some carry a cause. */
const PAYLOADS: Record<string, (random: Random) => object> = {
  close: (random) => ({
    ...(random.percent(50) && { timeoutMs: wait(random) }),
    ...(random.percent(30) && { cause: report(random) }),
  }),
  abort: (random) => ({
    ...(random.percent(50) && { cause: report(random) }),
    ...(random.percent(40) && { deliver: true }),
  }),
  refuse: (random) => ({
    ...(random.percent(50) && { words: 'no' }),
    ...(random.percent(50) && { cause: report(random) }),
  }),
  failed: (random) => ({ cause: report(random) }),
  undecided: (random) => ({ cause: report(random) }),
  refused: (random) => ({ cause: report(random) }),
  exhausted: (random) => ({ cause: report(random) }),
  deferred: (random) => ({ delayMs: wait(random) }),
  start: (random) => ({ offsetMs: wait(random) }),
  chosen: (random) => ({ random: random.below(101) / 100, ageMs: wait(random) }),
  answered: (random) => ({ ttlMs: wait(random), isEmpty: random.percent(20) }),
  changed: (random) => ({ pace: random.pick(['normal', 'fast', 'down']) }),
  arrived: (random) => ({ socket: { fd: random.below(100) } }),
};

const END = /\.(close|abort)$/;

/** The ends of a session's legs tell how they ended. */
const ENDED = /^(client|backend)\.closed$/;

/** What traffic tells a server. */
const TRAFFIC = /^traffic\.(failed|dropped)$/;

function payload(machine: string, type: string, random: Random): object {
  if (TRAFFIC.test(type))
    return {
      cause: report(random),
      random: random.below(100) / 100,
      mayEject: random.percent(70),
      ...(type === 'traffic.failed' && random.percent(20) && { mends: wait(random) }),
    };
  if (machine === 'session' && ENDED.test(type))
    return { ending: random.pick(ENDINGS), flushed: random.below(2) === 1, cause: report(random) };
  const told = PAYLOADS[type.slice(type.lastIndexOf('.') + 1)]?.(random) ?? {};
  // Of the first few checks: answers come in time, late, or too early.
  if (!ANSWER.test(type)) return told;
  const failure = type === 'lookup.failed' && { failure: random.pick(['nx', 'refused', 'timeout', 'other']) };
  return { number: random.between(0, 4), ...told, ...failure };
}

const ANSWER = /^(check\.(passed|failed|undecided)|lookup\.(answered|failed))$/;

function subject(machine: AnyStateMachine, settings: (random: Random) => object): Subject {
  const types: string[] = machine.events.filter((type: string) => !type.startsWith('xstate.'));
  return {
    machine,
    types,
    ways: bounded
      .filter((bound) => bound.machine === machine)
      .flatMap((bound) => graphOf(bound).edgePaths())
      .map((path) => path.map(({ event }) => event.type)),
    ends: new Set(types.filter((type) => END.test(type))),
    input: (random) => ({ settings: settings(random) }),
    event: (type, random): EventObject => ({ type, ...payload(machine.id, type, random) }),
  };
}

const waits = (random: Random, ...names: readonly string[]): object =>
  Object.fromEntries(names.map((name) => [name, wait(random)]));

/** The times of a table; a probe comes as soon as any other timer. */
const times = (random: Random, limits: Limits): object =>
  Object.fromEntries(
    Object.entries(limits)
      .filter(([, { kind }]) => kind !== 'count')
      .map(([name]) => {
        const isProbed = name === 'idleTimeout' || name === 'halfCloseTimeout';
        return [name, isProbed ? Math.min(NEVER_MS, QUIET_PROBES * wait(random)) : wait(random)];
      }),
  );

export const subjects = {
  backend: subject(backendMachine, (random) => ({
    persistent: random.percent(60),
    onDemand: random.percent(30),
    attemptsMax: random.between(1, 3),
    cooldown: wait(random),
    ...times(random, BACKEND_LIMITS),
  })),
  check: subject(checkMachine, (random) => ({
    ...times(random, CHECK_LIMITS),
    spread: random.below(6) / 10,
  })),
  client: subject(clientMachine, (random) => ({
    ...times(random, CLIENT_LIMITS),
    speaksTls: random.percent(50),
    isProxied: random.percent(40),
  })),
  listener: subject(listenerMachine, (random) => ({
    clientsMax: random.between(1, 3),
    bindAttempts: random.between(1, 3),
    ...times(random, LISTENER_LIMITS),
    ...waits(random, 'admissionTimeout', 'abortTimeout', 'lingerMax'),
  })),
  name: subject(nameMachine, (random) => ({
    ...times(random, NAME_LIMITS),
    tries: random.between(1, 3),
    spread: random.below(6) / 10,
    hold: { nx: wait(random), refused: wait(random), timeout: wait(random), other: wait(random) },
  })),
  session: subject(sessionMachine, (random) => ({
    ...waits(random, 'closeTimeout', ...namesOf(SESSION_LIMITS)),
    asksRoute: random.percent(40),
  })),
  server: subject(serverMachine, (random) => ({
    rise: random.between(1, 3),
    fall: random.between(1, 3),
    init: random.pick(['up', 'down', 'fullyUp', 'fullyDown']),
    failures: random.between(1, 3),
    onError: random.pick(['eject', 'eject', 'fastCheck', 'failCheck', 'suddenDeath', 'markDown']),
    baseMs: wait(random),
    factor: random.between(1, 3),
    maxMs: wait(random),
    jitter: random.pick([0, 0.5]),
    slowStart: random.pick([0, 40]),
    steps: random.between(1, 3),
    ...waits(random, 'removeTimeout', 'cutTimeout'),
  })),
  proxy: subject(proxyMachine, (random) => waits(random, 'drainTimeout', 'abortTimeout', 'lingerMax')),
} satisfies Record<string, Subject>;
