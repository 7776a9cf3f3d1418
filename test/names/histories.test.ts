/**
 * Random histories of answers: what becomes of the servers of a name follows from what was found and when, and not from the order in
 * which an answer lists it. Beside each history stands what must be, worked out from the rules alone.
 */
import { expect, test } from 'vitest';
import { type AddressLookup, type Server, Servers } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { Random, replayWith, seeds } from '../runtime/random.js';
import { turns } from '../support/wait.js';
import { Asker } from '../upstream/asks.js';

/** None of them ends when a look-up is due: the order of the two would not matter to anybody. */
const HOLD = { nx: 7_500, refused: 0, other: 20_500, timeout: 3_500, obsolete: 4_000 };
const CODES = { nx: 'ENOTFOUND', refused: 'EREFUSED', other: 'ESERVFAIL', timeout: 'ETIMEDOUT' } as const;
const REMOVE_MS = 9_500;
const STEP_MS = 1_000;

type Answer = readonly string[] | keyof typeof CODES;

/** A name that gives these answers, each in an order of its own. */
function world(answers: readonly Answer[], shuffle: (list: readonly string[]) => string[]) {
  const clock = new ManualClock();
  let at = 0;
  const by: AddressLookup = () => {
    const answer = answers[Math.min(at, answers.length - 1)] as Answer;
    if (typeof answer === 'string') throw Object.assign(new Error(answer), { code: CODES[answer] });
    return shuffle(answer);
  };
  const addresses = { by, spread: 0, interval: STEP_MS, failureInterval: STEP_MS, tries: 1, hold: HOLD, serversMax: 4 };
  const set = new Servers([{ host: 'db.test', port: 1, addresses }], { clock, removeTimeout: REMOVE_MS });
  const told: string[] = [];
  set.on('changed', ({ server, from, to, cause }) => {
    told.push(`${clock.now()} ${server.host} ${from ?? ''}→${to} ${cause.code ?? cause.manner}`);
    expect(cause.answer?.name ?? cause.code, 'each change says why').toMatch(/^(db\.test|removeTimeout)$/);
  });
  const next = async (): Promise<void> => {
    at++;
    clock.advance(STEP_MS);
    await turns(1);
  };
  return { clock, set, told, next };
}

/** The rules once more: when each address was seen, and when the last good answer came. */
class Rules {
  readonly seenAt = new Map<string, number>();
  readonly goneAt = new Map<string, number>();
  /** Their time is over: what is found does not count until they are removed. */
  readonly cutting = new Set<string>();
  /** No answer for too long. */
  readonly #lost = new Set<string>();
  #goodAt = 0;
  #failure: keyof typeof CODES | undefined;

  answered(answer: Answer, now: number): void {
    for (const [address, goneAt] of this.goneAt) if (now - goneAt > REMOVE_MS) this.cutting.add(address);
    for (const address of this.cutting) this.goneAt.delete(address);
    // What was held until then.
    this.#loseAfter(now);
    this.#failure = typeof answer === 'string' ? answer : undefined;
    this.#loseAfter(now);
    if (typeof answer === 'string') return;
    this.#goodAt = now;
    for (const address of answer) {
      if (!this.seenAt.has(address) || this.cutting.has(address)) continue;
      this.seenAt.set(address, now);
      this.goneAt.delete(address);
      this.#lost.delete(address);
    }
    for (const [address, seenAt] of this.seenAt) {
      if (now - seenAt < HOLD.obsolete || this.goneAt.has(address) || this.cutting.has(address)) continue;
      this.goneAt.set(address, now);
    }
    const used = [...this.seenAt.keys()].filter(
      (address) => !this.goneAt.has(address) && !this.cutting.has(address),
    ).length;
    const fresh = [...answer].filter((address) => !this.seenAt.has(address)).sort();
    for (const address of fresh.slice(0, Math.max(0, 4 - used))) this.seenAt.set(address, now);
  }

  #loseAfter(now: number): void {
    if (this.#failure === undefined || now - this.#goodAt < HOLD[this.#failure]) return;
    for (const address of this.seenAt.keys()) this.#lost.add(address);
  }

  /** Those that have no session are removed at once, the others when they end, or at the deadline. */
  ended(address: string): void {
    this.seenAt.delete(address);
    this.goneAt.delete(address);
    this.#lost.delete(address);
    this.cutting.delete(address);
  }

  stateOf(address: string): string {
    if (this.goneAt.has(address)) return 'leaving.wanted';
    return this.#lost.has(address) ? 'pending.addressing' : 'serving.up';
  }
}

function shuffled(random: Random, list: readonly string[]): string[] {
  const copy = [...list];
  for (let index = copy.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [copy[index], copy[other]] = [copy[other] as string, copy[index] as string];
  }
  return copy;
}

function history(random: Random): Answer[] {
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'];
  return Array.from({ length: 40 }, () => {
    if (random.percent(35)) return random.pick(['nx', 'refused', 'other', 'timeout'] as const);
    const count = random.between(1, 4);
    return shuffled(random, addresses).slice(0, count).sort();
  });
}

test('random histories', { timeout: 120_000 }, async () => {
  const { first, last } = seeds(60);
  for (let seed = first; seed <= last; seed++) {
    try {
      await play(seed);
    } catch (error) {
      throw new Error(
        `${(error as Error).message}\nagain: ${replayWith(seed, '../names/histories.test.ts', 'random')}`,
        {
          cause: error,
        },
      );
    }
  }
});

async function play(seed: number): Promise<void> {
  const random = new Random(seed);
  const answers = history(random);
  const one = world(answers, (list) => [...list]);
  const other = world(answers, (list) => shuffled(random, list));
  const rules = new Rules();
  /** The same sessions in both. */
  const sessions: (readonly [Server, Server])[] = [];
  try {
    await turns(1);
    rules.answered(answers[0] as Answer, 0);
    for (let at = 0; at < answers.length; at++) {
      if (at > 0) {
        await one.next();
        await other.next();
        const now = at * STEP_MS;
        expect([one.clock.now(), other.clock.now()]).toEqual([now, now]);
        rules.answered(answers[at] as Answer, now);
      }
      const hasSession = (host: string): boolean => sessions.some(([server]) => server.host === host);
      for (const address of [...rules.goneAt.keys()]) if (!hasSession(address)) rules.ended(address);
      expect(other.told, 'the order changes nothing').toEqual(one.told);
      const cutting = one.set.list.filter(({ state }) => state === 'cutting');
      expect(cutting.map(({ host }) => host).sort(), 'cut at the deadline').toEqual([...rules.cutting].sort());
      for (const server of cutting) {
        for (const pair of sessions.filter(([held]) => held === server)) {
          sessions.splice(sessions.indexOf(pair), 1);
          one.set.leave(pair[0]);
          other.set.leave(pair[1]);
        }
        rules.ended(server.host);
      }
      const expected = [...rules.seenAt.keys()].map((address) => `${address} ${rules.stateOf(address)}`);
      expect(one.set.list.map(({ host, state }) => `${host} ${state}`).sort()).toEqual(expected.sort());
      // Sessions begin where they may, and end.
      if (random.percent(50) && one.set.list.some(({ state }) => state === 'serving.up')) {
        const pair = [new Asker(one.set).ask(), new Asker(other.set).ask()] as const;
        expect(pair[0]?.state, 'only what may be chosen is chosen').toBe('serving.up');
        expect(pair[1]?.host, 'the same one').toBe(pair[0]?.host);
        sessions.push(pair as readonly [Server, Server]);
      }
      if (random.percent(40) && sessions.length > 0) {
        const [pair] = sessions.splice(random.below(sessions.length), 1) as [readonly [Server, Server]];
        one.set.leave(pair[0]);
        other.set.leave(pair[1]);
        const { host } = pair[0];
        if (rules.goneAt.has(host) && !hasSession(host)) rules.ended(host);
      }
    }
  } finally {
    for (const pair of sessions) {
      one.set.leave(pair[0]);
      other.set.leave(pair[1]);
    }
    one.set.end();
    other.set.end();
  }
  expect(one.clock.pending, 'no timer is left').toBe(0);
}
