/**
 * A set of servers in use, on the simulated network: servers that flap, lie, hang, refuse and vanish; clients that come and go; an owner
 * who adds, drains, maintains, weighs, removes and replaces servers at any moment. Afterwards nothing is left.
 */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type Backend,
  createBackend,
  createProxy,
  type Server,
  type ServerOptions,
  type ServersOptions,
  type TcpProxy,
  TRANSITION_CHANNEL,
  type Transition,
} from '../../src/index.js';
import { hash, Random } from '../runtime/random.js';
import { type Listener, Network, type Way } from './network.js';
import { inhabit, SimulatedProcess } from './node.js';
import { Peer, type Script } from './peer.js';
import { Rules, removalOf, WatchedServers, type Wish } from './rules.js';
import { SimulatedClock, Time } from './time.js';

const HOME = '10.0.0.1';
const PORT = 80;
const SERVER_PORT = 5_000;
const CHECK_PORT = 6_000;
const HOSTS = 6;
const MAX_MS = 400;
const CONNECT_MS = 150;
const EVENTS_MAX = 20_000_000;

/** What a server does at present. */
const MODES = ['works', 'works', 'works', 'refuses', 'hangs', 'lies', 'vanishes', 'sick', 'mute'] as const;
type Mode = (typeof MODES)[number];

export interface ServersResult {
  /** What was violated, first. */
  readonly found: string | undefined;
  readonly events: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly story: readonly string[];
}

/** One machine in the network, where servers of the set may be. */
class Host {
  mode: Mode = 'works';
  readonly #live = new Set<Peer>();
  readonly #listeners = new Map<number, Listener>();

  constructor(
    readonly run: ServersRun,
    readonly address: string,
  ) {
    this.become('works');
  }

  become(mode: Mode): void {
    const { network } = this.run;
    this.mode = mode;
    if (mode === 'hangs' || mode === 'vanishes') network.silent.add(this.address);
    else network.silent.delete(this.address);
    for (const peer of this.#live) {
      if (mode !== 'vanishes') continue;
      peer.hasVanished = true;
      peer.endpoint.cut();
    }
    this.#listen(SERVER_PORT, mode !== 'refuses');
    this.#listen(CHECK_PORT, mode !== 'refuses' && mode !== 'sick');
  }

  relent(): void {
    for (const peer of this.#live) peer.relent();
  }

  #listen(port: number, isWanted: boolean): void {
    const present = this.#listeners.get(port);
    if (!isWanted) {
      present?.close();
      this.#listeners.delete(port);
    } else if (present === undefined) {
      const listener = this.run.network.listen({ host: this.address, port }, 511);
      if (typeof listener === 'string') throw new Error(listener);
      this.#listeners.set(port, listener);
      listener.wake = () => this.run.time.after(this.run.random.below(300), () => this.#accept(listener));
    }
  }

  #accept(listener: Listener): void {
    for (let endpoint = listener.accept(); endpoint !== undefined; endpoint = listener.accept()) {
      for (const peer of this.#live) if (peer.endpoint.isClosed) this.#live.delete(peer);
      if (this.mode === 'lies') {
        const lied = endpoint;
        this.run.time.after(this.run.random.below(20_000), () => lied.reset());
        continue;
      }
      this.#live.add(this.run.peer(this.address, endpoint, ANSWERS[this.mode === 'mute' ? 'mute' : 'works']));
    }
  }
}

const script = (steps: Script['steps']): Script => ({ steps, readBytes: 65_536, readEveryMs: 0 });
const ANSWERS = {
  works: script([
    { do: 'receive', bytes: 1, ms: 5_000 },
    { do: 'send', bytes: 300 },
    { do: 'receiveEnd', ms: 20_000 },
    { do: 'end' },
  ]),
  mute: script([{ do: 'receiveEnd', ms: 20_000 }, { do: 'end' }]),
};

export class ServersRun {
  readonly time: Time;
  readonly network: Network;
  readonly random: Random;
  readonly rules: Rules;
  readonly clock: SimulatedClock;
  readonly process: SimulatedProcess;
  readonly options: ServersOptions;
  readonly story: string[] = [];
  readonly #seed: number;
  readonly #hosts: Host[];
  readonly #peers: Peer[] = [];
  readonly #backends: Backend[] = [];
  /** What may be judged, and with it how long a connection may wait for a server that works. */
  readonly #isPaced: boolean;
  #streams = 1;
  set!: WatchedServers;
  proxy: TcpProxy | undefined;

  constructor(
    seed: number,
    readonly commands: number,
  ) {
    this.#seed = seed;
    this.random = new Random(hash(seed));
    this.options = this.#drawn(new Random(hash(seed + 1)));
    this.#isPaced = this.options.governor === undefined && this.options.backoff?.shared !== true;
    this.time = new Time((error) =>
      this.rules.must('nothing is uncaught', false, () => (error as Error)?.stack ?? String(error)),
    );
    this.clock = new SimulatedClock(this.time);
    this.rules = new Rules(this.options, () => this.time.ms);
    this.network = new Network(this.time);
    this.process = new SimulatedProcess(this.time, this.network, HOME, new Random(hash(seed + 2)), () => this.#way());
    this.#hosts = Array.from({ length: HOSTS }, (_, index) => new Host(this, `10.0.2.${index + 1}`));
  }

  #drawn(random: Random): ServersOptions {
    const isChecked = random.percent(65);
    return {
      random: () => random.below(1_000_001) / 1_000_000,
      balance: random.pick(['roundRobin', 'leastConnections', 'random', 'peakEwma', 'hash', 'inOrder']),
      backoff: {
        initialMs: random.pick([5, 50]),
        maxMs: MAX_MS,
        jitter: random.pick([0, 0.5]),
        shared: random.percent(25),
      },
      downFor: random.pick<number | false>([false, 30, 60, 300]),
      ejection: {
        failures: random.pick([1, 1, 2, 3]),
        maxMs: 5_000,
        share: random.pick([0.3, 0.5, 1]),
        lostWithin: random.pick([0, 100]),
        onError: isChecked
          ? random.pick(['eject', 'eject', 'fastCheck', 'failCheck', 'suddenDeath', 'markDown'])
          : 'eject',
      },
      panic: random.pick([0, 0.5, 0.5, 1]),
      whenNoneUp: random.pick(['fail', 'wait']),
      queueMax: random.pick([2, Number.POSITIVE_INFINITY]),
      slowStart: random.pick([0, 800]),
      onDown: random.pick(['keep', 'cut']),
      onBackup: random.pick(['keep', 'cut']),
      removeTimeout: 1_000,
      checks: isChecked && {
        port: CHECK_PORT,
        ...{ interval: 200, fastInterval: 60, downInterval: 100, timeout: 80 },
        rise: random.between(1, 3),
        fall: random.between(1, 3),
        init: random.pick(['up', 'down', 'fullyUp', 'fullyDown']),
      },
      ...(random.percent(25) && { governor: { perSecond: random.between(5, 40), rampMs: 500 } }),
    };
  }

  #way(): Way {
    const least = this.random.pick([5, 500]);
    return {
      latency: [least, least + this.random.pick([10, 3_000])],
      segmentBytes: 1_448,
      sendBytes: 16_384,
      receiveBytes: 16_384,
    };
  }

  tell(who: string, what: string): void {
    if (this.story.push(`${this.time.ms.toFixed(3).padStart(12)} ${who} ${what}`) > 400) this.story.shift();
  }

  wrong(who: string, what: string): void {
    this.rules.must('bytes', false, () => `${who} ${what}`);
  }

  peer(name: string, endpoint: Peer['endpoint'], steps: Script): Peer {
    const peer = new Peer(name, this.#streams++ % 60_000, steps, endpoint, this.time, this);
    this.#peers.push(peer);
    return peer;
  }

  async run(): Promise<ServersResult> {
    const { time, rules } = this;
    const leave = inhabit(this.process);
    const had = channel(TRANSITION_CHANNEL).hasSubscribers;
    const listener = (message: unknown): void => {
      const told = message as Transition;
      rules.transition(told);
      if (told.machine === 'server')
        this.tell(`${told.who} ${told.about.server}`, `${told.from} → ${told.to} [${told.event}]`);
    };
    subscribe(TRANSITION_CHANNEL, listener);
    let isOver = false;
    const life = this.#live().then(
      () => {
        isOver = true;
      },
      (error) => rules.must('the run', false, () => (error as Error).stack ?? String(error)),
    );
    try {
      const stop = await time.run(() => isOver || rules.found !== undefined, EVENTS_MAX, 100_000_000);
      rules.must('P4', stop === 'over', () => `${stop}, while the proxy is ${this.proxy?.state}`);
      if (rules.found === undefined) await life;
      else await this.#clearAway();
    } finally {
      unsubscribe(TRANSITION_CHANNEL, listener);
      leave();
    }
    rules.must(
      'nothing is left',
      channel(TRANSITION_CHANNEL).hasSubscribers === had,
      () => 'somebody still follows the transitions',
    );
    return { found: rules.found, events: time.turn, counts: rules.counts, story: this.story };
  }

  async #clearAway(): Promise<void> {
    const { proxy } = this;
    if (proxy === undefined) return;
    void proxy.abort();
    for (const backend of this.#backends) void backend.abort();
    this.set.end();
    await this.time.run(() => proxy.outcome !== undefined, 10_000, this.time.ms + 100_000);
  }

  #server(): ServerOptions {
    const { random } = this;
    return {
      host: random.pick(this.#hosts).address,
      port: SERVER_PORT,
      weight: random.pick([1, 1, 1, 1, 2, 2, 5, 0]),
      ...(random.percent(50) && { connectionsMax: random.between(1, 4) }),
      ...(random.percent(20) && { queueMax: random.between(0, 2) }),
      ...(random.percent(15) && { backup: true }),
    };
  }

  async #live(): Promise<void> {
    const { clock, random, rules, time } = this;
    this.set = new WatchedServers(
      Array.from({ length: random.between(1, 4) }, () => this.#server()),
      { ...this.options, clock },
      rules,
    );
    const { set } = this;
    this.#backends.push(
      ...Array.from({ length: 2 }, () =>
        createBackend({
          servers: set,
          clock,
          connectTimeout: CONNECT_MS,
          queueTimeout: 1_000,
          closeTimeout: 500,
          stableAfter: 500,
        }),
      ),
    );
    for (const backend of this.#backends) {
      backend.on('established', ({ socket }) => socket.resume());
      backend.connect().catch(() => {});
    }
    const proxy = createProxy({
      listen: { host: HOME, port: PORT },
      // One client in three goes to one server.
      route: () => (random.percent(33) && set.list.length > 0 ? random.pick(set.list) : set),
      clock,
      connectTimeout: CONNECT_MS,
      queueTimeout: 1_500,
      sessionConnectTimeout: 4_000,
      halfCloseTimeout: 2_000,
      idleTimeout: 5_000,
      drainTimeout: 2_000,
      closeTimeout: 500,
      abortTimeout: 500,
    });
    this.proxy = proxy;
    proxy.on('sessionClosed', ({ session, outcome }) => {
      rules.count(`sessions ${outcome.ending}`);
      if (outcome.cause.code !== 'serverRemoved') return;
      rules.cut([...this.#known].filter((one) => one.name === session.backend.server && one.hasTag('ending')));
    });
    await proxy.start();
    for (let left = this.commands; left > 0; left--) {
      await time.sleep(random.percent(50) ? random.below(5) : random.below(80));
      this.#command();
      for (const server of set.list) this.#known.add(server);
      rules.look(this.#isPaced ? MAX_MS + CONNECT_MS : undefined, (server) => this.#checksOf(server));
    }
    await this.#end();
  }

  /** All servers that there ever were, and are not over. */
  readonly #known = new Set<Server>();

  /** How many checks of one server are under way: others at the same host that are being removed are not checked any more. */
  #checksOf(server: Server): number {
    const isChecked = ({ checking }: Server): boolean => checking?.state === 'checking';
    const open = [...this.process.handles].filter(
      ({ target, isClosing }) => target?.host === server.host && target.port === CHECK_PORT && !isClosing,
    ).length;
    const others = this.set.list.filter((one) => one !== server && one.host === server.host && isChecked(one)).length;
    return Math.max(isChecked(server) ? 1 : 0, open - others);
  }

  #command(): void {
    const { random, set, rules } = this;
    const roll = random.below(100);
    const server = set.list.length > 0 ? random.pick(set.list) : undefined;
    if (roll < 45) this.#client();
    else if (roll < 62) {
      const host = random.pick(this.#hosts);
      const mode = random.pick(MODES);
      this.tell(host.address, mode);
      rules.count(`hosts: ${mode}`);
      host.become(mode);
    } else if (roll < 66 || server === undefined) set.add(this.#server());
    else if (roll < 69) this.#ask(server, 'drain');
    else if (roll < 71) this.#ask(server, 'maintain');
    else if (roll < 84) this.#ask(server, 'serve');
    else if (roll < 87) server.weight = random.pick([0, 1, 1, 2, 3]);
    else if (roll < 90) server.connectionsMax = random.between(1, 5);
    else if (roll < 91) server.queueMax = random.below(3);
    else if (roll < 93) set.restore(random.percent(50) ? server : undefined);
    else if (roll < 96) this.#remove(server, random.pick([1, 50, 1_000]), random.pick([0, 200]));
    else if (roll < 97) {
      rules.wants(server, 'remove', removalOf(this.time.ms, 0, 0));
      void server.abort();
    } else if (roll < 99) this.#replace();
    else JSON.stringify([set, this.proxy, this.proxy?.connections(), this.proxy?.timers()]);
  }

  #ask(server: Server, wish: Exclude<Wish, 'remove'>): void {
    this.tell(server.name, wish);
    this.rules.wants(server, wish);
    if (wish === 'drain') server.drain();
    else if (wish === 'maintain') server.maintain();
    else server.up();
  }

  #remove(server: Server, timeoutMs: number, spreadMs: number): void {
    if (!server.hasTag('ending')) this.rules.wants(server, 'remove', removalOf(this.time.ms, timeoutMs, spreadMs));
    void this.set.remove(server, { timeoutMs, spreadMs });
  }

  #replace(): void {
    const { random, set } = this;
    const before = set.list.filter((server) => !server.hasTag('ending'));
    const kept = before
      .filter(() => random.percent(50))
      .map(({ options }) => ({ ...options, weight: random.between(0, 3) }));
    const fresh = Array.from({ length: random.between(kept.length === 0 ? 1 : 0, 2) }, () => this.#server());
    const replaced = this.rules.replaces(before, removalOf(this.time.ms, 100, 0));
    set.replace([...kept, ...fresh], { timeoutMs: 100 });
    replaced();
  }

  #client(): void {
    const { random, network, time } = this;
    const from = { host: `10.0.1.${random.between(1, 200)}`, port: network.freePort() };
    const last = random.pick<Script['steps']>([
      [{ do: 'end' }, { do: 'receiveEnd', ms: 5_000 }],
      [{ do: 'end' }, { do: 'receiveEnd', ms: 5_000 }],
      [{ do: 'reset' }],
      [{ do: 'vanish' }],
    ]);
    const steps = script([
      { do: 'send', bytes: 200 },
      { do: 'receive', bytes: 1, ms: random.below(4_000) },
      { do: 'wait', ms: random.below(1_500) },
      ...last,
    ]);
    const attempt = network.connect(from, { host: HOME, port: PORT }, this.#way(), random.fork(), (error) => {
      if (error === undefined) this.peer(`client ${from.port}`, attempt.endpoint as Peer['endpoint'], steps);
      else time.after(0, () => this.rules.count(`clients: ${error}`));
    });
  }

  /** Everything heals; the proxy ends, then the set; nothing is left. */
  async #end(): Promise<void> {
    const { rules, set, clock, process, time } = this;
    for (const host of this.#hosts) host.become('works');
    for (const peer of this.#peers) peer.relent();
    await this.proxy?.close({ timeoutMs: 500 });
    await Promise.all(this.#backends.map((backend) => backend.abort()));
    const timeoutMs = 300;
    for (const server of set.list)
      if (!server.hasTag('ending')) rules.wants(server, 'remove', removalOf(time.ms, timeoutMs, 0));
    await set.close({ timeoutMs });
    await time.sleep(1_000);
    const left = (what: string, count: number): void =>
      rules.must('P4', count === 0, () => `${count} ${what} are left`);
    left('servers', set.list.length);
    left('sockets', process.handles.size);
    left('files', process.files);
    left('timers', clock.pending.size);
    left('connections that wait', set.waiting);
    for (const server of this.#known) {
      left(`connections of ${server}`, server.connections);
      left(`timers of ${server}`, server.timers().length + (server.checking?.timers().length ?? 0));
      rules.must('P4', server.outcome !== undefined && server.trial === undefined, () => `${server} is not over`);
    }
  }

  get seed(): number {
    return this.#seed;
  }
}

/** One run, with so many random commands. */
export const playServers = (seed: number, commands: number): Promise<ServersResult> =>
  new ServersRun(seed, commands).run();
