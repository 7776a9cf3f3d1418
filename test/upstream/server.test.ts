/** One server of a set as its user sees it: its states, and what traffic makes of it. No sockets. */
import { describe, expect, test } from 'vitest';
import { type Cause, OptionError, type Server, Servers } from '../../src/index.js';
import { ManualClock } from '../../src/testing/clock.js';
import type { Choice, Requester } from '../../src/upstream/requester.js';

const REFUSED: Cause = { initiator: 'peer', manner: 'refusal', phase: 'connecting', code: 'ECONNREFUSED' };
const RESET: Cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' };
const THREE = [
  { name: 'a', port: 1 },
  { name: 'b', port: 2 },
  { name: 'c', port: 3 },
];

class Connection implements Requester {
  memory: Requester['memory'] = undefined;
  readonly client: Requester['client'] = undefined;
  readonly key: Requester['key'] = undefined;
  readonly random = (): number => 0;
  trial: Requester['trial'] = undefined;
  queued: Requester['queued'] = undefined;
  chosenAt = 0;
  answered: Choice | undefined;

  constructor(
    readonly set: Servers,
    readonly only: Requester['only'] = undefined,
  ) {}

  serverFreed(): void {
    this.answered = this.ask();
  }

  ask(): Choice {
    return this.set.choose(this);
  }

  chosen(): Server {
    const choice = this.ask();
    if (choice.kind !== 'chosen') throw new Error(`It answers ${choice.kind}.`);
    return choice.server;
  }

  fail(server: Server): void {
    this.set.leave(server);
    this.set.failed(this, server, REFUSED);
  }
}

let clock = new ManualClock();

function setOf(options: object = {}, servers: readonly object[] = THREE): Servers {
  clock = new ManualClock();
  clock.advance(1_000);
  return new Servers(servers as never, { clock, random: () => 0, balance: 'inOrder', ...options });
}

const named = (set: Servers, name: string): Server => set.list.find((server) => server.name === name) as Server;
const states = (set: Servers): string => set.list.map(({ name, state }) => `${name} ${state}`).join(', ');
const nameOf = (set: Servers): string => {
  const connection = new Connection(set);
  const { name } = connection.chosen();
  set.leave(named(set, name));
  set.forget(connection);
  return name;
};

/** One attempt at this server alone fails. */
function fails(set: Servers, name: string): void {
  const connection = new Connection(set, named(set, name));
  connection.fail(connection.chosen());
}

describe('ejection', () => {
  test('of those that wait when the rest is over, exactly one tries the server', () => {
    const servers = [
      { name: 'a', port: 1 },
      { name: 'b', port: 2, connectionsMax: 1 },
    ];
    const set = setOf({ downFor: 100, ejection: { jitter: 0 }, panic: 0 }, servers);
    fails(set, 'a');
    expect(new Connection(set).chosen()).toBe(named(set, 'b'));
    const waiting = [new Connection(set), new Connection(set), new Connection(set)];
    expect(waiting.map((one) => one.ask().kind)).toEqual(['full', 'full', 'full']);
    clock.advance(100);
    expect(waiting.map(({ answered }) => answered?.kind)).toEqual(['chosen', 'full', 'full']);
    expect([named(set, 'a').state, named(set, 'a').connections]).toEqual(['serving.trying.underway', 1]);
  });

  test('a trial goes on while its owner drains the server and takes it back, and while another attempt fails: no other begins', () => {
    for (const interrupt of ['drain', 'failure'] as const) {
      const set = setOf({ downFor: 100, ejection: { jitter: 0, factor: 1 } });
      const a = named(set, 'a');
      const before = new Connection(set, a);
      before.chosen();
      fails(set, 'a');
      clock.advance(100);
      const trial = new Connection(set);
      expect(trial.chosen()).toBe(a);
      if (interrupt === 'drain') {
        a.drain();
        a.up();
      } else {
        before.fail(a);
        clock.advance(100);
      }
      expect(a.state).toBe('serving.trying.underway');
      expect(nameOf(set)).toBe('b');
      set.leave(a);
      set.forget(trial);
      expect(a.state).toBe('serving.trying.free');
      expect(nameOf(set)).toBe('a');
    }
  });

  test('that is turned off takes its other options all the same: they bound nothing', () => {
    const set = setOf({ downFor: false, ejection: { maxMs: 5_000, failures: 2 } });
    fails(set, 'a');
    fails(set, 'a');
    expect(named(set, 'a').state).toBe('serving.up');
  });

  test('a failure ejects for a time that grows threefold, up to the longest; then one connection tries it', () => {
    const set = setOf({ ejection: { maxMs: 60_000, jitter: 0 } });
    const a = named(set, 'a');
    for (const rest of [10_000, 30_000, 60_000, 60_000]) {
      fails(set, 'a');
      expect(a.state).toBe('serving.ejected');
      clock.advance(rest - 1);
      expect([a.state, nameOf(set)]).toEqual(['serving.ejected', 'b']);
      clock.advance(1);
      expect(a.state).toBe('serving.trying.free');
    }
    const trying = new Connection(set);
    expect(trying.chosen()).toBe(a);
    expect([a.state, nameOf(set)]).toEqual(['serving.trying.underway', 'b']);
    set.succeeded(a);
    expect([a.state, a.failures, nameOf(set)]).toEqual(['serving.up', 0, 'a']);
  });

  test('the jitter shortens it', () => {
    const set = setOf({ ejection: { jitter: 0.5 }, random: () => 1 });
    fails(set, 'a');
    clock.advance(5_000);
    expect(named(set, 'a').state).toBe('serving.trying.free');
  });

  test('while it is up, one ejection is forgotten for each of the first time', () => {
    const set = setOf({ ejection: { jitter: 0 } });
    const a = named(set, 'a');
    for (const rest of [10_000, 30_000]) {
      fails(set, 'a');
      clock.advance(rest);
    }
    set.succeeded(a);
    expect(a.state).toBe('serving.up');
    clock.advance(10_000);
    fails(set, 'a');
    clock.advance(30_000);
    expect(a.state).toBe('serving.trying.free');
  });

  test('so many failures in a row; a success between them counts', () => {
    const set = setOf({ ejection: { failures: 3 } });
    const a = named(set, 'a');
    fails(set, 'a');
    fails(set, 'a');
    set.succeeded(a);
    expect(a.failures).toBe(0);
    fails(set, 'a');
    fails(set, 'a');
    expect(a.state).toBe('serving.up');
    fails(set, 'a');
    expect(a.state).toBe('serving.ejected');
  });

  test('the last one that works stays, and at most a share is ejected', () => {
    const set = setOf();
    for (const name of ['a', 'b', 'c', 'c']) fails(set, name);
    expect(states(set)).toBe('a serving.ejected, b serving.ejected, c serving.up');
    const half = setOf({ ejection: { share: 0.5 } });
    for (const name of ['a', 'b']) fails(half, name);
    expect(states(half)).toBe('a serving.ejected, b serving.up, c serving.up');
    const alone = setOf({}, [{ name: 'a', port: 1 }]);
    for (let count = 0; count < 5; count++) fails(alone, 'a');
    expect(states(alone)).toBe('a serving.up');
  });

  test('a connection that is lost soon counts; one that lasts is forgiven', () => {
    const set = setOf({ ejection: { lostWithin: 1_000, failures: 2 } });
    const a = named(set, 'a');
    set.judge.lost(a, RESET, 999);
    set.judge.lost(a, RESET, 1_000);
    expect(a.state).toBe('serving.up');
    set.judge.lasted(a, 1_000);
    set.judge.lost(a, RESET, 0);
    expect(a.state).toBe('serving.up');
    set.judge.lost(a, RESET, 0);
    expect(a).toMatchObject({ state: 'serving.ejected', cause: RESET });
    // That it accepts a connection proves nothing.
    set.succeeded(a);
    expect(a.state).toBe('serving.ejected');
  });

  test('a connect that succeeds at a server that works sends nothing to its machine', () => {
    const set = setOf();
    const a = named(set, 'a');
    let sent = 0;
    const { instance } = a as unknown as { instance: { send(event: object): void } };
    const send = instance.send.bind(instance);
    instance.send = (event) => {
      sent++;
      send(event);
    };
    for (let count = 0; count < 10; count++) {
      const connection = new Connection(set);
      const server = connection.chosen();
      set.succeeded(server, connection);
      set.leave(server);
    }
    expect(sent).toBe(0);
    fails(set, 'a');
    expect(sent).toBe(1);
  });
});

describe('panic and spares', () => {
  test('below half, all are used; 0 turns that off', () => {
    const set = setOf({ balance: 'roundRobin' });
    for (const name of ['a', 'b']) fails(set, name);
    expect(new Set([1, 2, 3].map(() => nameOf(set)))).toEqual(new Set(['a', 'b', 'c']));
    const off = setOf({ panic: 0 });
    for (const name of ['a', 'b']) fails(off, name);
    expect([1, 2, 3].map(() => nameOf(off))).toEqual(['c', 'c', 'c']);
  });

  test('a backup is used only when no other can be; while others are full, connections wait', () => {
    const set = setOf({}, [
      { name: 'a', port: 1, connectionsMax: 1 },
      { name: 'b', port: 2, backup: true },
    ]);
    const first = new Connection(set);
    expect(first.chosen().name).toBe('a');
    const waiting = new Connection(set);
    expect(waiting.ask().kind).toBe('full');
    set.forget(waiting);
    first.fail(named(set, 'a'));
    expect(named(set, 'a').state).toBe('serving.ejected');
    expect(nameOf(set)).toBe('b');
    set.restore();
    expect(nameOf(set)).toBe('a');
  });

  test('onBackup cut: those at a backup are cut when another server works again', () => {
    const set = setOf({ onBackup: 'cut' }, [
      { name: 'a', port: 1 },
      { name: 'b', port: 2, backup: true },
    ]);
    fails(set, 'a');
    const lost: unknown[] = [];
    const b = named(set, 'b');
    b.occupants.add({ current: b, previous: undefined, next: undefined, serverLost: (cause) => lost.push(cause) });
    set.restore();
    expect(lost).toEqual([{ initiator: 'library', manner: 'abort', code: 'backupOver' }]);
  });

  test('whenNoneUp: fails at once with the cause, or waits', () => {
    const set = setOf();
    for (const server of set.list) server.drain();
    expect(new Connection(set).ask()).toMatchObject({ kind: 'exhausted', cause: { manner: 'command', code: 'drain' } });
    const waits = setOf({ whenNoneUp: 'wait' });
    for (const server of waits.list) server.drain();
    const waiting = new Connection(waits);
    expect(waiting.ask().kind).toBe('full');
    named(waits, 'b').up();
    expect(waiting.answered).toMatchObject({ kind: 'chosen', server: { name: 'b' } });
  });
});

describe('a slow start', () => {
  test('the share and the places grow after an ejection, and not at the start', () => {
    const set = setOf({ slowStart: 20_000, ejection: { jitter: 0 } }, [
      { name: 'a', port: 1, weight: 10, connectionsMax: 100 },
      { name: 'b', port: 2 },
    ]);
    const a = named(set, 'a');
    expect([a.share, a.places]).toEqual([10, 100]);
    fails(set, 'a');
    clock.advance(10_000);
    expect(new Connection(set).chosen()).toBe(a);
    set.succeeded(a);
    expect([a.state, a.share, a.places]).toEqual(['serving.recovering', 1, 10]);
    let before = 0;
    for (let step = 1; step < 20; step++) {
      clock.advance(1_000);
      expect(a.share).toBeGreaterThanOrEqual(before);
      before = a.share;
    }
    expect([a.state, a.share, a.places]).toEqual(['serving.recovering', 9.5, 95]);
    clock.advance(1_000);
    expect([a.state, a.share, a.places]).toEqual(['serving.up', 10, 100]);
  });
});

describe('what its owner wants', () => {
  test('every change is told with its cause, by the server and by the set', () => {
    const set = setOf();
    const seen: string[] = [];
    const told: string[] = [];
    const a = named(set, 'a');
    a.on('changed', ({ from, to, cause }) => seen.push(`${from} → ${to}: ${cause.manner} ${cause.code}`));
    set.on('changed', ({ server, from, to }) => told.push(`${server} ${from} → ${to}`));
    a.drain();
    a.maintain();
    a.up();
    fails(set, 'a');
    expect(seen).toEqual([
      'up → draining: command drain',
      'draining → maintenance: command maintain',
      'maintenance → up: command up',
      'up → ejected: refusal ECONNREFUSED',
    ]);
    expect(told).toEqual(['a up → draining', 'a draining → maintenance', 'a maintenance → up', 'a up → ejected']);
    expect(a.toJSON()).toMatchObject({ name: 'a', state: 'serving.ejected', cause: REFUSED });
  });

  test.each(['drain', 'maintain', 'remove'] as const)(
    '%s: never chosen, by nobody, not even by those that waited',
    (how) => {
      const set = setOf({}, [
        { name: 'a', port: 1, connectionsMax: 1 },
        { name: 'b', port: 2, connectionsMax: 1 },
      ]);
      const [a, b] = set.list as [Server, Server];
      expect([new Connection(set).chosen(), new Connection(set).chosen()]).toEqual([a, b]);
      const queued = new Connection(set);
      const alone = new Connection(set, a);
      expect([queued.ask().kind, alone.ask().kind]).toEqual(['full', 'full']);
      const rests = new Connection(set);
      a[how]();
      expect(alone.answered).toMatchObject({ kind: 'exhausted', cause: a.cause });
      set.leave(a);
      expect(queued.answered?.kind).not.toBe('chosen');
      set.leave(b);
      expect(queued.answered).toMatchObject({ kind: 'chosen', server: { name: 'b' } });
      expect(rests.ask().kind).toBe('full');
      expect(new Connection(set, a).ask()).toMatchObject({ kind: 'exhausted' });
    },
  );

  test('an attempt that rests does not go back to a server that drains', () => {
    const set = setOf();
    const connection = new Connection(set);
    const server = connection.chosen();
    set.leave(server);
    set.failed(connection, server, { ...REFUSED, code: 'EMFILE' });
    expect(connection.ask().kind).toBe('deferred');
    server.drain();
    expect(connection.chosen().name).toBe('b');
  });
});

test.each<[object, RegExp]>([
  [{ ejection: { failures: 0 } }, /ejection\.failures/],
  [{ ejection: { factor: 0.5 } }, /ejection\.factor/],
  [{ ejection: { baseMs: 10, maxMs: 5 } }, /ejection\.maxMs/],
  [{ ejection: { share: 2 } }, /ejection\.share/],
  [{ ejection: { eject: 1 } }, /ejection\.eject/],
  [{ ejection: { onError: 'failCheck' } }, /ejection\.onError/],
  [{ ejection: { onError: 'fail' } }, /ejection\.onError/],
  [{ panic: -1 }, /panic/],
  [{ whenNoneUp: 'hang' }, /whenNoneUp/],
  [{ slowStart: { aggression: 1 } }, /slowStart\.durationMs/],
  [{ slowStart: -1 }, /slowStart/],
  [{ onDown: 'reset' }, /onDown/],
  [{ onBackup: true }, /onBackup/],
  [{ removeTimeout: -1 }, /removeTimeout/],
])('%j is refused', (options, expected) => {
  const make = (): unknown => setOf(options);
  expect(make).toThrow(OptionError);
  expect(make).toThrow(expected);
});
