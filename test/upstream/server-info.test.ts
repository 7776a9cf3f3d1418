/** What can be seen of a server: since when, why, what failed last, its share, its checks. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Cause, OptionError, type Report, type Server, type ServerInfo, Servers } from '../../src/index.js';
import { ManualClock } from '../../src/testing/clock.js';
import type { Choice, Requester } from '../../src/upstream/requester.js';
import { useBench } from '../support/bench.js';
import { until } from '../support/wait.js';

const REFUSED: Cause = { initiator: 'peer', manner: 'refusal', phase: 'connecting', code: 'ECONNREFUSED' };
const RESET: Cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' };
const BY_HAND: Report = { initiator: 'owner', manner: 'command', code: 'byHand' };

class Connection implements Requester {
  memory: Requester['memory'] = undefined;
  readonly client: Requester['client'] = undefined;
  readonly key: Requester['key'] = undefined;
  readonly random = (): number => 0;
  trial: Requester['trial'] = undefined;
  queued: Requester['queued'] = undefined;
  chosenAt = 0;
  constructor(
    readonly set: Servers,
    readonly only: Requester['only'] = undefined,
  ) {}

  serverFreed(): void {}

  ask(): Choice {
    return this.set.choose(this);
  }
}

const ORIGIN = 1_700_000_000_000;

class Dated extends ManualClock {
  readonly timeOrigin = ORIGIN;
}

let clock = new Dated();
const sets: Servers[] = [];
afterEach(() => {
  for (const set of sets.splice(0)) set.end();
});

function setOf(options: object = {}, servers: readonly object[] = [{ port: 1 }, { port: 2 }, { port: 3 }]): Servers {
  clock = new Dated();
  const set = new Servers(servers as never, { clock, random: () => 0, balance: 'inOrder', ...options });
  sets.push(set);
  return set;
}

/** One attempt at this server alone fails. */
function fails(set: Servers, server: Server): void {
  const connection = new Connection(set, server);
  expect(connection.ask().kind).toBe('chosen');
  set.leave(server);
  set.failed(connection, server, REFUSED);
}

const seen = (server: Server): Partial<ServerInfo> => server.info();

test('since when, and why: each change begins anew, and what changes nothing does not', () => {
  const set = setOf({ ejection: { jitter: 0 } });
  const [a] = set.list as [Server];
  expect(seen(a)).toMatchObject({ state: 'serving.up', since: ORIGIN, cause: { code: 'add' }, endsAt: undefined });
  clock.advance(500);
  a.up();
  expect(seen(a)).toMatchObject({ since: ORIGIN });
  fails(set, a);
  expect(seen(a)).toMatchObject({
    state: 'serving.ejected',
    since: ORIGIN + 500,
    cause: REFUSED,
    endsAt: ORIGIN + 500 + 10_000,
    ejections: 1,
    lastFailure: { at: ORIGIN + 500, of: 'attempt', cause: REFUSED },
  });
  clock.advance(10_000);
  const trying = seen(a);
  expect(trying).toMatchObject({ state: 'serving.trying.free', since: ORIGIN + 10_500, endsAt: undefined });
  // A connection tries it: its operator sees no other state.
  expect(new Connection(set).ask()).toMatchObject({ server: a });
  expect(seen(a)).toMatchObject({ state: 'serving.trying.underway', since: ORIGIN + 10_500 });
  expect(a.info().changes.map(({ at, from, to }) => [at - ORIGIN, from, to])).toEqual([
    [0, undefined, 'up'],
    [500, 'up', 'ejected'],
    [10_500, 'ejected', 'trying'],
  ]);
  for (let times = 0; times < 20; times++) a[times % 2 === 0 ? 'drain' : 'up'](BY_HAND);
  expect(a.info().changes).toHaveLength(20);
  expect(a.info().changes.at(-1)).toMatchObject({ from: 'draining', to: 'trying', cause: BY_HAND });
  expect(JSON.parse(JSON.stringify(a))).toMatchObject({ name: '127.0.0.1:1', since: ORIGIN + 10_500, chosen: 2 });
});

test('counts: how often it was chosen, what failed, and what failed in a row', () => {
  const set = setOf({ ejection: { failures: 10 } });
  const [a] = set.list as [Server];
  fails(set, a);
  fails(set, a);
  expect(seen(a)).toMatchObject({ chosen: 2, failed: 2, failures: 2 });
  new Connection(set, a).ask();
  set.succeeded(a);
  expect(seen(a)).toMatchObject({ chosen: 3, failed: 2, failures: 0, connections: 1 });
});

test('a connection that was lost soon is a failure, too, and no attempt', () => {
  const set = setOf({ ejection: { lostWithin: 1_000 } });
  const [a] = set.list as [Server];
  set.judge.lost(a, RESET, 2_000);
  expect(seen(a)).toMatchObject({ lastFailure: undefined });
  clock.advance(5);
  set.judge.lost(a, RESET, 10);
  expect(seen(a)).toMatchObject({ failed: 0, lastFailure: { at: ORIGIN + 5, of: 'connection', cause: RESET } });
});

test('its share follows the weights of those that can be chosen', () => {
  const set = setOf({ ejection: { jitter: 0 } }, [
    { port: 1, weight: 3, connectionsMax: 7 },
    { port: 2 },
    { port: 3, backup: true },
  ]);
  const [a, b, spare] = set.list as [Server, Server, Server];
  const shares = (): number[] => set.list.map((server) => server.info().share);
  expect(shares()).toEqual([0.75, 0.25, 0]);
  expect(seen(a)).toMatchObject({ weight: 3, connectionsMax: 7, backup: false });
  expect(seen(spare)).toMatchObject({ connectionsMax: undefined, backup: true });
  a.weight = 0;
  expect(shares()).toEqual([0, 1, 0]);
  b.weight = 0;
  expect(shares()).toEqual([0, 0, 0]);
  b.weight = 1;
  a.drain();
  b.drain();
  expect(shares()).toEqual([0, 0, 1]);
});

test('a slow start: how much of it is over, and when it ends', () => {
  const set = setOf({ slowStart: 20_000, ejection: { jitter: 0 } });
  const [a] = set.list as [Server];
  fails(set, a);
  clock.advance(10_000);
  new Connection(set, a).ask();
  set.succeeded(a);
  const begun = ORIGIN + 10_000;
  expect(seen(a)).toMatchObject({ state: 'serving.recovering', recovery: 0, endsAt: begun + 20_000 });
  clock.advance(10_000);
  expect(seen(a).recovery).toBeCloseTo(0.5, 5);
  expect(seen(a)).toMatchObject({ endsAt: begun + 20_000, since: begun });
  const before = a.info().share;
  clock.advance(10_000);
  expect(seen(a)).toMatchObject({ state: 'serving.up', recovery: undefined, endsAt: undefined });
  expect(a.info().share).toBeGreaterThan(before);
});

test('the deadline of a removal', () => {
  const set = setOf();
  const [a] = set.list as [Server];
  new Connection(set, a).ask();
  void a.remove({ timeoutMs: 5_000 });
  expect(seen(a)).toMatchObject({ state: 'removing', endsAt: ORIGIN + 5_000 });
});

describe('who asked for a change', () => {
  test.each(['drain', 'maintain'] as const)('%s and up take a cause', (how) => {
    const [a] = setOf().list as [Server];
    const causes: unknown[] = [];
    a.on('changed', ({ cause }) => causes.push(cause));
    a[how](BY_HAND);
    expect(a.cause).toEqual({ ...BY_HAND, phase: 'serving' });
    a.up(new Error('It was asked for.')); // why it is wanted: nothing has failed
    expect(causes).toEqual([
      { ...BY_HAND, phase: 'serving' },
      { initiator: 'owner', manner: 'command', code: 'up', error: new Error('It was asked for.'), phase: 'serving' },
    ]);
  });

  test('restore does, of one server or of all', () => {
    const set = setOf({ ejection: { share: 1, jitter: 0 } });
    const [a, b] = set.list as [Server, Server];
    for (const server of [a, b]) fails(set, server);
    set.restore(a, BY_HAND);
    expect([a.state, a.cause.code, b.state]).toEqual(['serving.up', 'byHand', 'serving.ejected']);
    set.restore(undefined, BY_HAND);
    expect([b.state, b.cause.code]).toEqual(['serving.up', 'byHand']);
  });

  test('what is no cause changes nothing', () => {
    const set = setOf();
    const [a] = set.list as [Server];
    for (const bad of [{}, 'drain', null, 7]) {
      for (const act of [() => a.drain(bad as never), () => a.maintain(bad as never), () => a.up(bad as never)]) {
        expect(act).toThrow(OptionError);
      }
      expect(() => set.restore(a, bad as never)).toThrow(OptionError);
    }
    expect(a.state).toBe('serving.up');
  });
});

describe('its checks', () => {
  const bench = useBench();

  test('are remembered with how they ended, how long they took, and why', async () => {
    const peer = await bench.echo();
    const set = new Servers([{ port: peer.port, checks: { interval: 20, spread: 0, fall: 2, rise: 1 } }], {});
    sets.push(set);
    const [a] = set.list as [Server];
    const { checks } = a.info();
    await until('a check that passes', () => checks?.[0] !== undefined);
    expect(checks?.[0]).toEqual({
      at: expect.any(Number),
      result: 'passed',
      tookMs: expect.any(Number),
      cause: undefined,
    });
    expect(checks?.[0]?.tookMs).toBeGreaterThan(0);
    expect(Math.abs((checks?.[0]?.at ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(a.info().lastFailure).toBeUndefined();
    await peer.stop();
    await until('it to be down', () => a.state === 'serving.down');
    const failure = checks?.at(-1);
    expect(failure).toMatchObject({ result: 'failed', cause: { manner: 'refusal', code: 'ECONNREFUSED' } });
    expect(a.info()).toMatchObject({ lastFailure: { of: 'check', at: failure?.at, cause: failure?.cause } });
    await until('more checks than are kept', () => checks?.length === 20 && checks[0]?.result === 'failed');
    expect(checks).toHaveLength(20);
  });

  test('the next one: after its offset, then an interval after the last one, and none in maintenance', async () => {
    const peer = await bench.echo();
    const checks = { interval: 1_000, spread: 0 };
    const set = setOf({ checks }, [{ port: peer.port }, { port: peer.port }]);
    const [a, b] = set.list as [Server, Server];
    expect([a, b].map((server) => server.info().nextCheckAt)).toEqual([ORIGIN, ORIGIN + 500]);
    clock.advance(0);
    expect(a.info().nextCheckAt).toBeUndefined();
    await until('the check', () => a.info().checks?.length === 1);
    clock.advance(100);
    expect(a.info().nextCheckAt).toBe(ORIGIN + 1_000);
    a.maintain();
    expect(a.info().nextCheckAt).toBeUndefined();
  });

  test('a check that finds no descriptor is undecided, and no failure of the server', async () => {
    const connect = (): never => {
      throw Object.assign(new Error('too many files'), { code: 'EMFILE' });
    };
    const set = new Servers([{ connect, checks: { interval: 20, spread: 0 } }], {});
    sets.push(set);
    const [a] = set.list as [Server];
    await until('a check', () => a.info().checks?.length === 1);
    expect(a.info().checks?.[0]).toMatchObject({ result: 'undecided', cause: { code: 'EMFILE', phase: 'checking' } });
    expect(a.info().lastFailure).toBeUndefined();
  });

  test('a server without checks has none', () => {
    expect(setOf().list[0]?.info()).toMatchObject({ checks: undefined, nextCheckAt: undefined });
  });
});
