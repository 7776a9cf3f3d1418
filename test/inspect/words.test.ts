/** What is said of states and events, held against the machines: a state that gets another name must not lose its words. */
import { describe, expect, test } from 'vitest';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { Tally } from '../../src/cli/tally.js';
import type { Cause } from '../../src/index.js';
import { MACHINES } from '../../src/inspect/charts.js';
import { ACCEPTS, CONNECTS, DROPS, ESTABLISHES, edgeOf, type Kind, RETRIES } from '../../src/inspect/edges.js';
import type { StepInfo } from '../../src/inspect/protocol.js';
import { ARRIVALS, causeText, causeWords, ENDINGS, STAYS, stateWords, stepWords } from '../../src/inspect/words.js';
import { replay, shortName } from '../../src/testing/index.js';
import { bounded, graphOf } from '../machines/bounds.js';

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

describe.each([...MACHINES.values()].map((machine) => ({ name: machine.id, machine })))(
  '$name',
  ({ name, machine }) => {
    const leaves = leavesOf(machine);

    // Of a listener and a proxy the name of the state is told.
    if (Object.hasOwn(ARRIVALS, name)) test('every state has words of its own, and no words are left over', words);

    function words(): void {
      const fallback = leaves.filter(
        (leaf) => stateWords(name, leaf) === `the ${name} is ${leaf.replaceAll('.', ', ')}`,
      );
      // Nothing comes to where it begins.
      const starts = name === 'backend' ? ['idle'] : [];
      expect(fallback).toEqual(starts);
      const unused = ARRIVALS[name]?.filter(([state], index) => {
        const first = (leaf: string): number => ARRIVALS[name]?.findIndex(([one]) => within(one, leaf)) ?? -1;
        return !leaves.some((leaf) => within(state, leaf) && first(leaf) === index);
      });
      expect(unused).toEqual([]);
    }

    test('every end has words', () => {
      const ends = (Object.values(machine.root.states) as AnyStateNode[]).filter(({ type }) => type === 'final');
      expect(ends.length).toBeGreaterThan(0);
      for (const { key } of ends) expect(Object.keys(ENDINGS)).toContain(key);
    });
  },
);

test('the clients’, the sessions’ and the backends’ states are in words', () => {
  expect(Object.keys(ARRIVALS)).toEqual(expect.arrayContaining(['client', 'session', 'backend']));
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

describe.each(bounded)('what an edge of $name means', (bound) => {
  const { machine, options } = bound;
  /** What a machine commands its owner, and what the page and the program make of the transition. */
  const MEANINGS: readonly (readonly [command: string, flag: number])[] = [
    ['owner.drop', DROPS],
    ['owner.retry', RETRIES],
    ['socket.open', CONNECTS],
    ['relay.start', ESTABLISHES],
  ];

  test('is what the machine commands, whatever its states are called', () => {
    const kind: Kind = { machine: machine.id, states: new Map(), edges: [], byEvent: new Map() };
    const wrong = new Set<string>();
    for (const path of graphOf(bound).edgePaths()) {
      const { steps } = replay(
        machine,
        options.input,
        path.map(({ event }) => event),
      );
      const tally = new Tally();
      for (const [index, { event, from, to, commands }] of steps.entries()) {
        const { means } = edgeOf(kind, index === 0 ? '' : from, event, to);
        const cause: Cause = { initiator: 'system', manner: 'error', phase: 'idle' };
        const more = { parent: undefined, client: undefined, peer: undefined, server: 'a:1', isFinal: false, at: 0 };
        const noted = tally.note({
          ...more,
          who: 'x#1',
          machine: machine.id,
          incarnation: 1,
          from: index === 0 ? '' : from,
          event,
          cause,
          to,
        });
        for (const [command, flag] of MEANINGS) {
          const does = commands.some(({ type }) => type === command) && (flag !== RETRIES || machine.id === 'backend');
          if (((means & flag) !== 0) !== does) wrong.add(`${from} –${shortName(event)}→ ${to}: ${command}`);
        }
        const drops = commands.some(({ type }) => type === 'owner.drop');
        if (noted.isDrop !== drops)
          wrong.add(`${from} –${shortName(event)}→ ${to}: the program counts ${noted.isDrop}`);
        // That of a listener is about its address, and is no retry of a connection.
        const retries = machine.id === 'backend' && commands.some(({ type }) => type === 'owner.retry');
        if (noted.isRetry !== retries) wrong.add(`${from} –${shortName(event)}→ ${to}: a retry for the program`);
        const comes = machine.id === 'client' && event === 'xstate.init';
        if (((means & ACCEPTS) !== 0) !== comes) wrong.add(`${from} –${event}→ ${to}: a client that comes`);
      }
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
