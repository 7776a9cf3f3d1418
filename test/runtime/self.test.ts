/** `self` is an actor to whom it is given: to its observers and in its system it is what XState's own would be. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  assign,
  createMachine,
  type InspectionEvent,
  raise,
  sendParent,
  sendTo,
  spawnChild,
  stopChild,
} from 'xstate';
import { type Clock, compile, interpret, systemClock } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { recordUncaught } from '../support/record.js';

let uncaught: ReturnType<typeof recordUncaught>;
beforeEach(() => {
  uncaught = recordUncaught();
});
afterEach(() => uncaught.stop());

/** Once all that was reported has been thrown. */
const thrown = async (): Promise<readonly string[]> => {
  await new Promise((resolve) => setTimeout(resolve));
  return uncaught.errors.map(({ message }) => message);
};

const fail = (message: string) => () => {
  throw new Error(message);
};

describe.each([
  ['interpret', interpret],
  ['compile', compile],
])('%s', (_, make) => {
  let said: string[] = [];
  let self: AnyActorRef;

  const listening = (name = 'it') => ({
    next: ({ value, status }: { value: unknown; status: string }) => void said.push(`${name} ${value} ${status}`),
    error: (error: unknown) => void said.push(`${name} failed: ${(error as Error).message}`),
    complete: () => void said.push(`${name} complete`),
  });

  /** It keeps its `self`, and may be observed from its entry on. */
  function started(config: object, observe?: (actor: AnyActorRef) => unknown, clock: Clock = systemClock) {
    said = [];
    const machine = createMachine({
      id: 'm',
      ...config,
      entry: ({ self: own }: { self: AnyActorRef }) => {
        self = own;
        observe?.(own);
      },
    } as never) as AnyStateMachine;
    const run = make(machine).run(undefined as never, {
      id: 'm#1',
      clock,
      perform: () => {},
      finish: () => void said.push('finish'),
    });
    run.start();
    return { run, send: (type: string) => run.send({ type } as never) };
  }

  const steps = {
    initial: 'a',
    states: { a: { on: { go: 'b', fail: { actions: fail('mine') } } }, b: { on: { go: 'c' } }, c: { type: 'final' } },
  };

  test('its observers get the snapshot of the start, of each event, and of the end', () => {
    const { send } = started(steps, (own) => own.subscribe(listening()));
    for (const type of ['other', 'go', 'go', 'go']) send(type);
    expect([...said].sort(late)).toEqual([
      ...['it a active', 'it a active', 'it b active', 'it c done'],
      ...['it complete', 'finish'],
    ]);
    expect(self.getSnapshot()).toMatchObject({ value: 'c', status: 'done' });
  });

  test('a machine that ends as it starts tells so', () => {
    started({ initial: 'c', states: { c: { type: 'final' } } }, (own) => own.subscribe(listening()));
    expect([...said].sort(late)).toEqual(['it c done', 'it complete', 'finish']);
  });

  test('observers of an actor that is done, stopped or failed are told at once', async () => {
    const done = started(steps);
    done.send('go');
    done.send('go');
    self.subscribe(listening('late'));
    expect(said).toEqual(['finish', 'late complete']);
    started(steps).run.stop();
    self.subscribe(listening('late'));
    expect(said).toEqual([]);
    started(steps, (own) => own.subscribe({ error: () => {} })).send('fail');
    self.subscribe(listening('late'));
    self.subscribe(() => said.push('never'));
    expect(said).toEqual(['late failed: mine']);
    expect(await thrown()).toEqual(['mine']);
  });

  test('a stop completes its observers', () => {
    const { run } = started(steps, (own) => own.subscribe(listening()));
    run.stop();
    expect(said).toEqual(['it a active', 'it complete']);
  });

  test('an observer that has left is told nothing', () => {
    const { run, send } = started(steps);
    const { unsubscribe } = self.subscribe(listening());
    unsubscribe();
    send('go');
    run.stop();
    expect(said).toEqual([]);
  });

  test('an error is that of the process, unless all observers take it', async () => {
    started(steps, (own) => own.subscribe(listening())).send('fail');
    expect(said).toEqual(['it a active', 'it failed: mine']);
    expect(await thrown()).toEqual([]);
    started(steps, (own) => [own.subscribe(listening()), own.subscribe(() => {})]).send('fail');
    expect(await thrown()).toEqual(['mine']);
  });

  test('what an observer throws is the error of the process, and stops no other', async () => {
    const { run } = started(steps, (own) => [
      own.subscribe({ next: fail('next'), complete: fail('complete') }),
      own.subscribe(listening()),
    ]);
    run.stop();
    expect(said).toEqual(['it a active', 'it complete']);
    expect(await thrown()).toEqual(['next', 'complete']);
  });

  test('who inspects its system sees each event and snapshot, also of its actors, until they leave', () => {
    const kid = createMachine({ on: { ping: { actions: sendParent({ type: 'pong' }) } } });
    const seen: string[] = [];
    const name = (ref: unknown) => (ref as AnyActorRef | undefined)?.id ?? '';
    const clock = new ManualClock();
    const { run, send } = started(
      {
        context: ({ self: own }: { self: AnyActorRef }) => {
          own.system.inspect((one: InspectionEvent) => {
            const { type, actorRef } = one;
            if (type === '@xstate.actor') seen.push(`actor ${name(actorRef)}`);
            if (type === '@xstate.event') seen.push(`${name(one.sourceRef)} → ${name(actorRef)}: ${one.event.type}`);
            if (type !== '@xstate.snapshot') return;
            const { status, value } = one.snapshot as AnyMachineSnapshot;
            seen.push(`${name(actorRef)} ${JSON.stringify(value)} ${status} after ${one.event.type}`);
          });
          return {};
        },
        initial: 'a',
        invoke: { id: 'kid', src: kid },
        states: {
          a: { on: { go: { target: 'b', actions: [sendTo('kid', { type: 'ping' }), raise({ type: 'x' })] } } },
          b: { after: { 10: 'c' } },
          c: { entry: sendTo(({ self: own }: { self: AnyActorRef }) => own, { type: 'own' }) },
        },
      },
      undefined,
      clock,
    );
    send('go');
    clock.advance(10);
    send('nothing');
    run.stop();
    send('never');
    expect(seen).toEqual([
      ...['actor kid', ' → m#1: xstate.init', 'm#1 → kid: xstate.init', 'kid {} active after xstate.init'],
      ...['m#1 "a" active after xstate.init', ' → m#1: go', 'm#1 → kid: ping', 'kid → m#1: pong'],
      ...['kid {} active after ping', 'm#1 "b" active after go', 'm#1 "b" active after pong'],
      ...['m#1 → m#1: xstate.after.10.m.b', 'm#1 → m#1: own', 'm#1 "c" active after xstate.after.10.m.b'],
      ...['m#1 "c" active after own', ' → m#1: nothing', 'm#1 "c" active after nothing'],
      ...['kid {} stopped after xstate.stop', 'm#1 "c" stopped after xstate.stop'],
    ]);
    seen.length = 0;
    let leave = (): void => {};
    const other = started(steps, (own) => {
      leave = own.system.inspect({ next: ({ type }: InspectionEvent) => void seen.push(type) }).unsubscribe;
    });
    other.send('nothing');
    expect(seen).toContain('@xstate.event');
    leave();
    seen.length = 0;
    other.send('go');
    expect(seen).toEqual([]);
  });

  test('what is sent to it after its end warns as XState does, and what is sent to its run does not', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const { run, send } = started(steps);
      run.stop();
      send('go');
      expect(warn).not.toHaveBeenCalled();
      self.send({ type: 'go' });
      expect(warn.mock.calls).toEqual([
        [
          expect.stringMatching(
            /^Event "go" was sent to stopped actor "m#1 \(x:\d+\)"\. .*not transition\.\nEvent: {"type":"go"}$/,
          ),
        ],
      ]);
    } finally {
      warn.mockRestore();
    }
  });

  test('actors of an actor that is stopped have no name in the system any more', () => {
    const inner = createMachine({});
    const outer = createMachine({ invoke: { src: inner, systemId: 'inner' } });
    const { run, send } = started({
      context: {},
      on: {
        begin: { actions: spawnChild(outer, { id: 'outer' }) },
        restart: { actions: [stopChild('outer'), spawnChild(outer, { id: 'outer' })] },
        note: { actions: assign({ has: ({ system }) => system.get('inner') !== undefined }) },
      },
    });
    for (const type of ['begin', 'restart', 'note']) send(type);
    expect(run.snapshot()).toMatchObject({ status: 'active', context: { has: true } });
  });
});

/** The host's `finish` comes before or after the observers of `self`. */
const late = (one: string, other: string): number => Number(one === 'finish') - Number(other === 'finish');
