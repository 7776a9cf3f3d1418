/**
 * Random histories of a set of servers, without a socket: servers that fail and come back, fill up and drop connections,
 * and connections that come and go. Whatever happens, no connection waits in vain.
 */
import { test } from 'vitest';
import { type Server, Servers, type ServersEvents, type ServersOptions } from '../../src/index.js';
import { ManualClock } from '../../src/testing/index.js';
import type { Requester } from '../../src/upstream/requester.js';
import { Random, seeds } from '../runtime/random.js';

const MAX_MS = 1_000;
/** The longest time in which a server answers. */
const ANSWER_MS = 300;
const CODES = ['ECONNREFUSED', 'ETIMEDOUT', 'EACCES', 'EMFILE', 'EAGAIN', 'CERT_HAS_EXPIRED'];

type Changed = ServersEvents['changed'][0];

function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

/** How a server answers at present. */
interface Truth {
  works: boolean;
  code: string;
  answersMs: number;
}

/** A connection as the backend's machine runs it: chooses, waits, connects, is exhausted and rests. */
class Connection implements Requester {
  memory: Requester['memory'] = undefined;
  readonly only: Requester['only'] = undefined;
  readonly client: Requester['client'] = undefined;
  readonly key: Requester['key'] = undefined;
  readonly random: Requester['random'] = () => 0;
  trial: Requester['trial'] = undefined;
  queued: Requester['queued'] = undefined;
  chosenAt = 0;
  state: 'waiting' | 'queued' | 'connecting' | 'established' | 'over' = 'waiting';
  server: Server | undefined;
  /** Since when it waits although this server works and has room. */
  readonly missed = new Map<Server, number>();
  #turn = 0;

  constructor(
    readonly set: Servers,
    readonly clock: ManualClock,
    readonly truth: Map<Server, Truth>,
    readonly isShared: boolean,
  ) {}

  choose(): void {
    const choice = this.set.choose(this);
    if (choice.kind === 'chosen') this.#connect(choice.server);
    else if (choice.kind === 'full') this.state = 'queued';
    else if (choice.kind === 'deferred') this.#wait(choice.delayMs);
    else {
      // Every server is excluded, or taken out: it rests, and asks again at the slowest pace.
      const usable = this.set.list.filter((server) => server.hasTag('usable'));
      must(usable.length === 0, 'a server is there, and the connection gets none (P1)');
      this.missed.clear();
      this.#wait(MAX_MS);
    }
  }

  serverFreed(): void {
    if (this.state !== 'queued') throw new Error(`It is called while it is ${this.state}.`);
    this.choose();
  }

  drop(): void {
    this.set.leave(this.server as Server);
    this.set.dropped(this, this.server as Server);
    this.choose();
  }

  end(): void {
    const { state } = this;
    this.state = 'over';
    if (state === 'queued') this.set.forget(this);
    if (state === 'connecting' || state === 'established') this.set.leave(this.server as Server);
    this.set.forget(this);
  }

  #wait(ms: number): void {
    must(ms <= MAX_MS, `a wait of ${ms} ms`);
    this.state = 'waiting';
    this.#later(ms, () => this.choose());
  }

  #connect(server: Server): void {
    this.state = 'connecting';
    this.server = server;
    must(server.hasTag('usable'), 'a server is chosen that is taken out (P3)');
    must(!this.isShared || server.failures === 0 || this.trial === server, 'two trials of one server');
    this.missed.clear();
    this.#later((this.truth.get(server) as Truth).answersMs, () => {
      const { works, code } = this.truth.get(server) as Truth;
      if (works) {
        this.state = 'established';
        this.set.succeeded(server, this);
        return;
      }
      this.state = 'waiting';
      this.set.leave(server);
      this.set.failed(this, server, { initiator: 'system', manner: 'error', phase: 'connecting', code });
      this.choose();
    });
  }

  #later(ms: number, callback: () => void): void {
    const turn = ++this.#turn;
    this.clock.setTimeout(() => {
      if (this.state !== 'over' && turn === this.#turn) callback();
    }, ms);
  }
}

function play(seed: number): void {
  const random = new Random(seed);
  const clock = new ManualClock();
  clock.advance(1);
  const count = random.between(1, 4);
  const isShared = random.percent(50);
  const options: ServersOptions = {
    clock,
    random: () => random.between(0, 999) / 1_000,
    balance: random.pick(['roundRobin', 'inOrder', 'leastConnections', 'random', 'peakEwma', 'hash']),
    backoff: {
      initialMs: random.between(1, 200),
      maxMs: MAX_MS,
      jitter: random.pick([0, 0.5, 1]),
      shared: isShared,
    },
    retryBudget: { burst: random.between(1, 5), perSecond: random.between(0, 5), ratio: random.pick([0, 0.2]) },
    downFor: random.pick([false, 50, 500, 5_000, 60_000]),
    ejection: { share: random.pick([0.3, 0.5, 1]), failures: random.between(1, 2), jitter: random.pick([0, 0.5]) },
  };
  const list = Array.from({ length: count }, () => ({
    path: '/server',
    weight: random.percent(70) ? 1 : random.between(0, 3),
    ...(random.percent(60) && { connectionsMax: random.between(1, 3) }),
  }));
  const set = new Servers(list, options);
  const removed: Server[] = [];
  // Where the backoff is shared, a connection may also wait for the trial of another one.
  const mostMs = isShared ? MAX_MS + ANSWER_MS : MAX_MS;
  const truth = new Map<Server, Truth>();
  const change = (server: Server): void => {
    truth.set(server, { works: random.percent(50), code: random.pick(CODES), answersMs: random.between(0, ANSWER_MS) });
  };
  for (const server of set.list) change(server);
  set.on('changed', (changed) => {
    if (changed.from === undefined) change(changed.server);
    judged(set, options, changed);
  });
  let connections: Connection[] = [];
  for (let step = 0; step < 400; step++) {
    connections = connections.filter(({ state }) => state !== 'over');
    const one = connections.length > 0 ? random.pick(connections) : undefined;
    const action = random.between(0, 9);
    if (action < 2 && connections.length < 12) {
      const fresh = new Connection(set, clock, truth, isShared);
      connections.push(fresh);
      fresh.choose();
    } else if (action === 2) {
      // A trial that is given up tells nothing: the next one begins.
      if (one?.trial !== undefined) for (const { missed } of connections) missed.delete(one.trial);
      one?.end();
    } else if (action === 3 && one?.state === 'established') one.drop();
    else if (action === 4) change(random.pick([...set.list]));
    else if (action === 5 && random.percent(30)) random.pick([...set.list]).weight = random.between(0, 3);
    else if (action === 6 && random.percent(20)) {
      const server = random.pick([...set.list]);
      const wish = random.pick(['drain', 'maintain', 'up', 'up', 'replace'] as const);
      if (wish !== 'replace') server[wish]();
      else if (!server.hasTag('ending')) {
        set.add(random.pick(list));
        void server.remove({ timeoutMs: random.between(1, 500) });
        removed.push(server);
      }
    } else clock.advance(random.between(1, 60));
    check(set, clock, connections, truth, mostMs);
  }
  for (const connection of connections) connection.end();
  clock.advance(MAX_MS * 2);
  const members = [...set.list, ...removed];
  void set.close();
  must(clock.pending === 0, 'timers are left');
  must(set.list.length === 0, 'servers are left');
  for (const server of members) {
    must(server.connections === 0 && server.trial === undefined, `something is left at ${server}`);
    must(server.outcome !== undefined && server.timers().length === 0, `${server} is removed, and is not over (P4)`);
  }
}

/** What the rules of the set allow. */
function judged(set: Servers, { ejection }: ServersOptions, { server, from, to, cause }: Changed): void {
  must(cause?.manner !== undefined && cause.phase !== undefined, 'a change without a cause (P11)');
  must(from !== to, 'a change that is none (P11)');
  if (to !== 'ejected' || from === 'trying') return;
  const inUse = set.list.filter((one) => !one.hasTag('out'));
  const ejected = inUse.filter((one) => one.hasTag('doubtful')).length;
  must(inUse.length > 1, 'a single server is ejected (P10)');
  must(ejected <= (ejection?.share ?? 1) * inUse.length, `too many are ejected, ${server} too (P2)`);
  must(
    inUse.some((one) => one.hasTag('choosable')),
    'none is left that works (P1)',
  );
}

function check(
  set: Servers,
  clock: ManualClock,
  connections: readonly Connection[],
  truth: Map<Server, Truth>,
  mostMs: number,
): void {
  const now = clock.now();
  for (const server of set.list) {
    let using = 0;
    for (const one of connections) {
      if (one.server === server && (one.state === 'connecting' || one.state === 'established')) using++;
    }
    must(server.connections === using, `${server.connections} connections are counted, ${using} there are`);
    must(server.connections <= server.connectionsMax, 'more connections than a server takes');
    const { trial } = server;
    if (trial === undefined) continue;
    must(trial.trial === server && connections.includes(trial as Connection), 'a trial of no connection');
  }
  for (const { state, missed } of connections) {
    for (const [server, { works }] of truth) {
      const isMissed =
        (state === 'waiting' || state === 'queued') &&
        works &&
        server.weight > 0 &&
        server.hasTag('usable') &&
        server.connections < server.connectionsMax;
      if (!isMissed) missed.delete(server);
      else if (!missed.has(server)) missed.set(server, now);
      else must(now - (missed.get(server) as number) <= mostMs, `it waits in vain, ${state}`);
    }
  }
}

test('a server that works and has room is tried by every connection that waits, within the slowest pace', () => {
  const { first, last } = seeds(150);
  for (let seed = first; seed <= last; seed++) {
    try {
      play(seed);
    } catch (error) {
      throw new Error(`SOCKCHART_SEED=${seed} npx vitest run test/upstream/histories.test.ts`, { cause: error });
    }
  }
});
