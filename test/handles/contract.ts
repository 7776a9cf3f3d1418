/** What every handle promises, whatever it is a handle of. */
import { getEventListeners } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Clock, Outcome, Transition } from '../../src/index.js';
import type { Bench } from '../support/bench.js';
import { recordTransitions, recordUncaught } from '../support/record.js';
import { ranMs, turns, within } from '../support/wait.js';

/** The face of every handle, without its kind. */
export interface AnyHandle extends AsyncDisposable {
  readonly id: string;
  readonly parentId: string | undefined;
  readonly state: string;
  readonly closed: Promise<Outcome>;
  readonly outcome: Outcome | undefined;
  readonly clock: Clock;
  matches(...states: string[]): boolean;
  close(options?: { timeoutMs?: number | false }): Promise<Outcome>;
  abort(): Promise<Outcome>;
  ref(): unknown;
  unref(): unknown;
  timers(): readonly { name: string; remainingMs: number }[];
  accepts(): string[];
  toJSON(): Record<string, unknown>;
}

export interface Made {
  readonly handle: AnyHandle;
  /** Calls back at the next `established`, `client`, `listening` …: whatever this kind tells first. */
  onFirstEvent(listener: () => void): void;
  onClosed(listener: (outcome: Outcome) => void): void;
  /** Brings it up, as far as it goes. */
  up(): Promise<unknown>;
  /** The sockets that it has, once it is up. */
  sockets(): Socket[];
  /** The events of a server that is somebody else's for which there are more listeners than before. */
  leftovers?(): string[];
  /** Whether anything of it can still be reached from outside. */
  reachable(): Promise<boolean>;
}

export interface MakeOptions {
  readonly signal?: AbortSignal;
  /** True: the peer neither reads nor ends. */
  readonly silent?: boolean;
  readonly closeTimeout?: number;
}

export interface Kind {
  make(options: MakeOptions): Promise<Made>;
  /** It is a part of another handle and takes no signal. */
  readonly hasNoSignal?: true;
  /** What a close in time ends as, with peers that are well. */
  readonly endings: readonly string[];
}

const ABORT_BOUND = 700;

export function handleContract(name: string, bench: Bench, kind: Kind): void {
  const made = async (options: MakeOptions = {}): Promise<Made> => {
    const one = await kind.make(options);
    bench.keep(one.handle);
    return one;
  };

  const nothingLeft = async ({ handle, sockets, reachable }: Made, linked: Socket[]): Promise<void> => {
    expect(handle.timers()).toEqual([]);
    expect(handle.accepts()).toEqual([]);
    for (const socket of [...linked, ...sockets()]) {
      await within(
        500,
        'a socket to close',
        new Promise<void>((resolve) => {
          if (socket.closed) resolve();
          else socket.once('close', () => resolve());
        }),
      );
    }
    expect(await reachable()).toBe(false);
    await turns();
    expect(bench.clock.pending.size).toBe(0);
  };

  const upOf = async (options: MakeOptions = {}): Promise<{ one: Made; linked: Socket[] }> => {
    const one = await made(options);
    await within(5_000, `${name} to be up`, one.up());
    return { one, linked: one.sockets() };
  };

  describe(name, () => {
    test('tells where it is', async () => {
      const { one } = await upOf();
      const { handle } = one;
      expect(handle.id).toMatch(/^[a-z]+#\d+$/);
      const [top] = handle.state.split('.');
      expect(handle.matches(handle.state)).toBe(true);
      expect(handle.matches(top as string)).toBe(true);
      expect(handle.matches('nowhere', top as string)).toBe(true);
      expect(handle.matches((top as string).slice(0, -1))).toBe(false);
      expect(handle.outcome).toBeUndefined();
      expect(handle.accepts().length).toBeGreaterThan(0);
      for (const { name: timer, remainingMs } of handle.timers()) {
        expect(timer).toMatch(/^[a-zA-Z]+$/);
        expect(remainingMs).toBeGreaterThanOrEqual(0);
      }
      expect(JSON.parse(JSON.stringify(handle))).toMatchObject({ id: handle.id, state: handle.state });
      const outcome = await handle.close();
      expect(handle.outcome).toBe(outcome);
      expect(JSON.parse(JSON.stringify(handle))).toMatchObject({ id: handle.id, outcome: { ending: outcome.ending } });
      expect(handle.matches(outcome.ending)).toBe(true);
    });

    test('close: one promise, one outcome, nothing left', async () => {
      const { one, linked } = await upOf();
      const { handle } = one;
      const told: Outcome[] = [];
      one.onClosed((outcome) => told.push(outcome));
      const { closed } = handle;
      expect(handle.close()).toBe(closed);
      expect(handle.close({ timeoutMs: 1_000 })).toBe(closed);
      expect(handle.closed).toBe(closed);
      const outcome = await within(3_000, 'the close', closed);
      expect(kind.endings).toContain(outcome.ending);
      expect(outcome.cause.initiator).toBeTypeOf('string');
      expect(told).toEqual([outcome]);
      expect(await handle.close()).toBe(outcome);
      expect(await handle.abort()).toBe(outcome);
      expect(await handle.closed).toBe(outcome);
      expect(told).toHaveLength(1);
      await nothingLeft(one, linked);
    });

    test('close before it is up', async () => {
      const one = await made();
      const outcome = await within(3_000, 'the close', one.handle.close());
      expect(['closed', 'ended']).toContain(outcome.ending);
      await expect(one.up()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
      await nothingLeft(one, []);
    });

    test('close with a peer that never answers ends within its bound', async () => {
      const { one, linked } = await upOf({ silent: true });
      const from = ranMs();
      await within(3_000, 'the close', one.handle.close({ timeoutMs: 60 }));
      expect(ranMs() - from).toBeLessThan(60 + ABORT_BOUND);
      await nothingLeft(one, linked);
    });

    test('the option closeTimeout bounds a close as well', async () => {
      const { one, linked } = await upOf({ silent: true, closeTimeout: 60 });
      const from = ranMs();
      await within(3_000, 'the close', one.handle.close());
      expect(ranMs() - from).toBeLessThan(60 + ABORT_BOUND);
      await nothingLeft(one, linked);
    });

    test('abort is quick, also during a close', async () => {
      const { one, linked } = await upOf({ silent: true, closeTimeout: 60_000 });
      const closing = one.handle.close();
      const from = ranMs();
      const outcome = await within(2_000, 'the abort', one.handle.abort());
      expect(ranMs() - from).toBeLessThan(ABORT_BOUND);
      expect(await closing).toBe(outcome);
      await nothingLeft(one, linked);
    });

    test('abort while it is up', async () => {
      const { one, linked } = await upOf({ silent: true });
      const from = ranMs();
      const outcome = await within(2_000, 'the abort', one.handle.abort());
      expect(outcome.ending).toBe('aborted');
      expect(ranMs() - from).toBeLessThan(ABORT_BOUND);
      await nothingLeft(one, linked);
    });

    test('a bad timeoutMs is refused and changes nothing', async () => {
      const { one } = await upOf();
      const { state } = one.handle;
      for (const timeoutMs of [0, -1, Number.NaN, '5' as unknown as number]) {
        expect(() => one.handle.close({ timeoutMs })).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_OPTION', option: 'timeoutMs' }),
        );
      }
      expect(one.handle.state).toBe(state);
    });

    test('await using', async () => {
      const { one, linked } = await upOf();
      expect(await one.handle[Symbol.asyncDispose]()).toBeUndefined();
      expect(one.handle.outcome).toBeDefined();
      await nothingLeft(one, linked);
    });

    if (kind.hasNoSignal !== true) {
      test('its signal aborts it, and is let go of at the end', async () => {
        const controller = new AbortController();
        const { signal } = controller;
        const { one, linked } = await upOf({ signal });
        controller.abort(new Error('enough'));
        const outcome = await within(ABORT_BOUND, 'the abort', one.handle.closed);
        expect(outcome).toMatchObject({ ending: 'aborted', cause: { initiator: 'owner', manner: 'abort' } });
        await nothingLeft(one, linked);
        expect(getEventListeners(signal, 'abort')).toEqual([]);
        const { signal: another } = new AbortController();
        const { one: other } = await upOf({ signal: another });
        expect(getEventListeners(another, 'abort')).toHaveLength(1);
        await other.handle.close();
        expect(getEventListeners(another, 'abort')).toEqual([]);
      });

      test('a signal that is aborted already opens nothing', async () => {
        const one = await made({ signal: AbortSignal.abort() });
        await expect(one.up()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
        expect((await within(1_000, 'the end', one.handle.closed)).ending).toBe('aborted');
        await nothingLeft(one, one.sockets());
      });
    }

    test('unref() and ref()', async () => {
      const one = await made();
      expect(one.handle.unref()).toBe(one.handle);
      await within(5_000, `${name} to be up`, one.up());
      expect(one.handle.unref()).toBe(one.handle);
      expect(one.handle.ref()).toBe(one.handle);
      expect(one.handle.ref()).toBe(one.handle);
      await one.handle.close();
      expect(one.handle.unref()).toBe(one.handle);
      expect(one.handle.ref()).toBe(one.handle);
    });

    test('listeners that throw do not break the instance', async () => {
      const one = await made();
      const uncaught = recordUncaught();
      try {
        one.onFirstEvent(() => {
          throw new Error('first');
        });
        one.onClosed(() => {
          throw new Error('closed');
        });
        let second = 0;
        one.onClosed(() => second++);
        await within(5_000, `${name} to be up`, one.up());
        const linked = one.sockets();
        expect(kind.endings).toContain((await within(3_000, 'the close', one.handle.close())).ending);
        await nothingLeft(one, linked);
        expect(second).toBe(1);
      } finally {
        uncaught.stop();
      }
      expect(uncaught.errors.map(({ message }) => message)).toEqual(['first', 'closed']);
    });

    test('takes its listeners off a server that is somebody else’s', async () => {
      const { one } = await upOf();
      await one.handle.close();
      expect(one.leftovers?.() ?? []).toEqual([]);
    });

    test('its transitions form an unbroken chain', async () => {
      const { transitions, stop } = recordTransitions();
      try {
        const { one } = await upOf({ silent: true });
        await one.handle.close({ timeoutMs: 40 });
        await one.handle.closed;
        const instances = new Map<string, Transition[]>();
        for (const transition of transitions) {
          const instance = instances.get(transition.who) ?? [];
          instance.push(transition);
          instances.set(transition.who, instance);
        }
        expect(instances.has(one.handle.id)).toBe(true);
        for (const [who, instance] of instances) {
          const [first] = instance as [Transition];
          expect(first, who).toMatchObject({ from: '', event: 'xstate.init' });
          for (const [index, transition] of instance.entries()) {
            expect(who).toBe(`${transition.machine}#${who.split('#')[1]}`);
            if (index > 0) expect(transition.from, `${who}, step ${index}`).toBe(instance[index - 1]?.to);
            expect(transition.at).toBeGreaterThanOrEqual(instance[index - 1]?.at ?? 0);
          }
        }
        const own = instances.get(one.handle.id) as Transition[];
        expect(own.at(-1)?.to).toBe(one.handle.state);
        expect(own.at(-1)?.to).toBe(one.handle.outcome?.ending);
      } finally {
        stop();
      }
    });
  });
}
