/** What is said of states and events, held against the machines: a state that gets another name must not lose its words. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { Tally } from '../../src/cli/tally.js';
import { type Cause, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import { MACHINES } from '../../src/inspect/charts.js';
import type { StepInfo } from '../../src/inspect/protocol.js';
import {
  causeText,
  causeWords,
  checkWords,
  failureWords,
  STAYS,
  serverWhy,
  stateWords,
  stepWords,
} from '../../src/inspect/words.js';
import { machines } from '../../src/machines/index.js';
import type { Means } from '../../src/machines/means.js';
import { ARRIVALS, ENDINGS } from '../../src/machines/words.js';
import { ManualClock, shortName } from '../../src/testing/index.js';
import { bounded, graphOf } from '../machines/bounds.js';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';

function leavesOf(machine: AnyStateMachine): string[] {
  const found: string[] = [];
  const visit = (node: AnyStateNode): void => {
    const below = Object.values(node.states) as AnyStateNode[];
    // One that is only gone through is no state that anything is in.
    if (below.length === 0 && node.always === undefined) found.push(node.path.join('.'));
    for (const child of below) visit(child);
  };
  visit(machine.root);
  return found;
}

const within = (outer: string, inner: string): boolean => inner === outer || inner.startsWith(`${outer}.`);

describe.each((machines as readonly AnyStateMachine[]).map((machine) => ({ name: machine.id, machine })))(
  '$name',
  ({ name, machine }) => {
    const leaves = leavesOf(machine);

    test('every state has words of its own, and no words are left over', () => {
      const fallback = leaves.filter(
        (leaf) => stateWords(name, leaf) === `the ${name} is ${leaf.replaceAll('.', ', ')}`,
      );
      // Nothing comes to where it begins.
      const starts = ['client', 'session', 'backend', 'server'].includes(name) ? [] : ['idle'];
      expect(fallback).toEqual(starts);
      const unused = ARRIVALS[name]?.filter(([state], index) => {
        const first = (leaf: string): number => ARRIVALS[name]?.findIndex(([one]) => within(one, leaf)) ?? -1;
        return !leaves.some((leaf) => within(state, leaf) && first(leaf) === index);
      });
      expect(unused).toEqual([]);
    });

    test('every end has words', () => {
      const ends = (Object.values(machine.root.states) as AnyStateNode[]).filter(({ type }) => type === 'final');
      expect(ends.length).toBeGreaterThan(0);
      for (const { key } of ends) expect(Object.keys(ENDINGS)).toContain(key);
    });
  },
);

test('every machine is in words, and no other', () => {
  expect(Object.keys(ARRIVALS).sort()).toEqual(machines.map(({ id }) => id).sort());
});

test('what stays where it is has words for events that there are', () => {
  const events = new Set([...MACHINES.values()].flatMap((machine) => eventsOf(machine)));
  for (const event of Object.keys(STAYS)) expect([...events]).toContain(event);
});

function eventsOf(machine: AnyStateMachine): string[] {
  const found: string[] = [];
  const visit = (node: AnyStateNode): void => {
    for (const event of node.transitions.keys() as Iterable<string>) found.push(shortName(event));
    for (const child of Object.values(node.states) as AnyStateNode[]) visit(child);
  };
  visit(machine.root);
  return found;
}

describe.each(bounded)('what a transition of $name means', (bound) => {
  const { machine, options } = bound;
  /** The commands that mean something. */
  const MEANINGS: Readonly<Record<string, Means>> = {
    'owner.accept': 'accept',
    'client.refuse': 'refuse',
    'socket.open': 'connect',
    'owner.retry': 'retry',
    'owner.exhaust': 'exhaust',
    'owner.establish': 'establish',
    'relay.start': 'establish',
    'socket.reset': 'reset',
    'owner.drop': 'drop',
  };
  const meaningsOf = (commands: readonly { readonly type: string }[]): Means[] => {
    const found = new Set(commands.flatMap(({ type }) => MEANINGS[type] ?? []));
    // A connection that is reset and dropped is dropped.
    if (found.has('drop')) found.delete('reset');
    return [...found].sort();
  };

  test.each([compiledRuntime, xstateRuntime])('is what the machine commands, on the $name runtime', (runtime) => {
    const wrong = new Set<string>();
    for (const path of graphOf(bound).edgePaths()) {
      const commands: { type: string }[] = [];
      const transitions: Transition[] = [];
      const onTransition = (message: unknown): void => void transitions.push(message as Transition);
      const tally = new Tally();
      const host = { id: 'x#1', clock: new ManualClock(), perform: (one: never) => commands.push(one), finish() {} };
      const instance = runtime.run(machine as AnyStateMachine, options.input, host as never);
      const check = (): void => {
        const told = transitions.flatMap(({ means }) => means ?? []).sort();
        if (String(told) !== String(meaningsOf(commands))) {
          wrong.add(`${transitions.map(({ from, event, to }) => `${from} –${event}→ ${to}`)}: ${told}`);
        }
        for (const transition of transitions) {
          const drops = transition.means === 'drop';
          if (tally.note(transition).isDrop !== drops) wrong.add(`${transition.event}: a drop for the program`);
        }
        commands.length = transitions.length = 0;
      };
      subscribe(TRANSITION_CHANNEL, onTransition);
      instance.start();
      check();
      for (const { event } of path) {
        instance.send(event as never);
        check();
      }
      unsubscribe(TRANSITION_CHANNEL, onTransition);
      // That of a listener is about its address, and is no retry of a connection.
      if (machine.id !== 'backend' && tally.counts.retried > 0) wrong.add('a retry for the program');
      const comes = machine.id === 'client' ? 1 : 0;
      if (tally.counts.accepted !== comes) wrong.add(`${tally.counts.accepted} clients that come`);
    }
    expect([...wrong]).toEqual([]);
  });
});

describe('a cause in words', () => {
  const reset = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' } as const;
  const step = (who: string, event: string, from: string, to: string, cause?: Cause): StepInfo => ({
    at: 0,
    who,
    machine: who.split('#')[0] as string,
    event,
    from,
    to,
    ...(cause !== undefined && { cause }),
  });

  test.each(['client', 'backend'] as const)('blames the %s for its reset, wherever that is told', (leg) => {
    const cause = { ...reset, leg };
    const other = leg === 'client' ? 'backend' : 'client';
    const blamed = new RegExp(`^the ${leg} reset the connection `);
    expect(causeWords(cause, other)).toMatch(blamed);
    expect(causeWords(cause, 'session')).toMatch(blamed);
    expect(causeWords(reset, leg)).toMatch(blamed);
    expect(causeText(cause)).toBe(`${leg} reset while established, ECONNRESET`);
    expect(causeText(reset)).toBe('peer reset while established, ECONNRESET');
    // What becomes of the session, and of the other leg.
    const steps = [
      step('session#1', `${leg}.closed`, 'relaying.both', 'finishing.both', cause),
      step(
        `${other}#1`,
        `${other}.abort`,
        other === 'client' ? 'live.established.open' : 'active.established.open',
        'aborting',
        cause,
      ),
      step('session#1', `${other}.closed`, 'finishing.both', 'dropped', cause),
    ];
    expect(stepWords(steps, 0)).toMatch(blamed);
    expect(stepWords(steps, 1)).toMatch(blamed);
  });

  test('what a look-up of a name has brought names the name and its addresses', () => {
    const answer = {
      name: 'db.test',
      addresses: ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1', '10.0.0.4:1', '10.0.0.5:1'],
    };
    const found: Cause = { initiator: 'system', manner: 'answer', phase: 'resolving', code: 'addressFound', answer };
    expect(causeWords(found, 'server')).toBe('db.test is at 10.0.0.1:1, 10.0.0.2:1, 10.0.0.3:1, 10.0.0.4:1 and 1 more');
    const none = { name: 'db.test', addresses: [] };
    expect(causeWords({ ...found, answer: none }, 'server')).toBe('db.test has no address');
    const failed: Cause = { initiator: 'system', manner: 'error', phase: 'resolving', code: 'ENOTFOUND', answer: none };
    expect(causeWords(failed, 'server')).toBe('the look-up of db.test failed (ENOTFOUND)');
    expect(causeWords({ ...failed, manner: 'timeout' }, 'server')).toBe('db.test was not answered in time');
    const error = new TypeError('no list');
    const thrown: Cause = { ...failed, initiator: 'owner', code: 'TypeError', error };
    expect(causeWords(thrown, 'server')).toBe('the look-up of db.test failed (TypeError: no list)');
  });

  test('says what a hook threw, and not twice what its code says', () => {
    const thrown: Cause = {
      initiator: 'owner',
      manner: 'error',
      phase: 'accepted',
      code: 'TypeError',
      error: new TypeError('no list'),
    };
    expect(causeText(thrown)).toBe('owner error while accepted, TypeError: no list');
    expect(causeWords(thrown, 'client')).toMatch(/\(TypeError: no list\)$/);
    // As a recording has it.
    expect(causeText({ ...thrown, error: 'TypeError: no list' })).toBe(
      'owner error while accepted, TypeError: no list',
    );
    const system = {
      initiator: 'system',
      manner: 'error',
      phase: 'connecting',
      code: 'EHOSTUNREACH',
      leg: 'backend',
    } as const;
    expect(causeWords(system, 'client')).toBe(
      'the system reported an error on the connection to the backend while it was connecting (EHOSTUNREACH)',
    );
    expect(causeText({ ...system, error: new Error('connect EHOSTUNREACH') })).toBe(
      'system error while connecting, EHOSTUNREACH',
    );
    const hostile = {
      toString() {
        throw new Error('not even this');
      },
    };
    expect(causeText({ ...thrown, error: hostile })).toBe('owner error while accepted, TypeError');
    const command: Cause = { initiator: 'library', manner: 'error', phase: 'command', error: new Error('why') };
    expect(causeWords(command, 'session')).toMatch(/ \(why\)$/);
  });
});

describe('a server in words', () => {
  const library = (manner: Cause['manner'], code: string, phase: Cause['phase'] = 'serving'): Cause => ({
    initiator: 'library',
    manner,
    phase,
    code,
  });

  test.each<[Cause, string]>([
    [{ initiator: 'owner', manner: 'command', phase: 'idle', code: 'add' }, 'it was added'],
    [{ initiator: 'owner', manner: 'command', phase: 'serving', code: 'drain' }, 'the program asked for it'],
    [{ initiator: 'owner', manner: 'command', phase: 'serving', code: 'constructor' }, 'the program asked for it'],
    [
      { initiator: 'owner', manner: 'command', phase: 'serving', code: 'drain', error: new Error('kernel update') },
      'the program asked for it: kernel update',
    ],
    [{ initiator: 'owner', manner: 'command', phase: 'serving', code: 'page' }, 'an operator asked for it on the page'],
    [{ initiator: 'owner', manner: 'close', phase: 'closing' }, 'the program asked for it'],
    [{ initiator: 'peer', manner: 'answer', phase: 'checking' }, 'a check passed'],
    [{ initiator: 'peer', manner: 'answer', phase: 'connecting' }, 'a connection came up'],
    [library('timeout', 'ejection'), 'its rest after the failure is over'],
    [library('timeout', 'slowStart'), 'its slow start is over'],
    [library('timeout', 'checkTimeout', 'checking'), 'a check got no answer in time'],
    [library('timeout', 'other'), 'other ran out while it served'],
    [{ initiator: 'system', manner: 'answer', phase: 'serving' }, 'a look-up of its name says so'],
    [
      { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' },
      'the server reset the connection while it was established (ECONNRESET)',
    ],
  ])('%j', (cause, words) => {
    expect(serverWhy(cause)).toBe(words);
  });

  test('a step of a recording, and of its checks', () => {
    const cause: Cause = { initiator: 'peer', manner: 'refusal', phase: 'checking', code: 'ECONNREFUSED' };
    const step = { at: 1, who: 'server#1', machine: 'server', event: 'check.failed', cause };
    expect(stepWords([{ ...step, from: 'serving.suspect', to: 'serving.down' }], 0)).toBe(
      'the server refused the connection during a check (ECONNREFUSED); its checks say that it is down',
    );
    const check = { ...step, who: 'check#1', machine: 'check', from: 'checking', to: 'deferring' };
    expect(stepWords([check], 0)).toBe(
      'the server refused the connection during a check (ECONNREFUSED); the check is over',
    );
  });

  test('a check says how it ended, how long it took, and why', () => {
    expect(checkWords('passed', 3.2, undefined)).toBe('passed in 3 ms');
    expect(checkWords('failed', 2_000, 'a check got no answer in time')).toBe(
      'failed after 2.0 s: a check got no answer in time',
    );
    expect(checkWords('undecided', null, 'why')).toBe('no verdict: why');
    expect(failureWords('connection', 'why')).toBe('a connection was lost soon: why');
    expect(failureWords('attempt', 'why')).toBe('why');
  });
});
