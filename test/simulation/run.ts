/**
 * One run: the whole proxy, unchanged, on a simulated network, clock and randomness; its clients, servers, hooks and owner as
 * the plan has them. After it is over, everything heals, and a new proxy takes the same ports.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import {
  type Backend,
  type Client,
  createBackend,
  createProxy,
  type Hold,
  type ProxyOptions,
  type RouteHook,
  type Server,
  Servers,
  type Session,
  type SockchartError,
  type TcpProxy,
  TRANSITION_CHANNEL,
  type Transition,
} from '../../src/index.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { hash, Random } from '../runtime/random.js';
import { how } from '../support/record.js';
import { Checks, type Counts, type Found } from './checks.js';
import { type Address, type Endpoint, Network, type Way } from './network.js';
import { endpointOf, inhabit, SimulatedProcess } from './node.js';
import { bytesOf, Peer, type Script } from './peer.js';
import { ACCEPT, type Act, type BackendPlan, type ClientPlan, type Decision, type Hook, type Plan } from './plan.js';
import { NOWHERE, SimulatedServer } from './server.js';
import { SimulatedClock, Time } from './time.js';

const RUNTIMES = { compiled: compiledRuntime, xstate: xstateRuntime };
const HOME = '10.0.0.1';
/** Of the proxy's listeners. */
export const FIRST_PORT = 80;
/** Streams of servers' connections have numbers from here on. */
const SERVER_STREAM = 0x8000;
/** And those of last words. */
const WORDS_STREAM = 0x4000;

/** A run that takes more has no end. */
const EVENTS_MAX = 300_000;
const TIME_MAX_MS = 3_600_000;
const CLEARING_MAX = 5_000;
/** Between the end of one proxy and the start of the next: whoever was cut off for a while hears of the end. */
const PAUSE_MS = 5_000;

export interface Result {
  readonly found: Found | undefined;
  readonly story: readonly string[];
  readonly counts: Counts;
  readonly events: number;
}

/** A stream that a peer gets. */
export type Source = Pick<Peer, 'name' | 'stream' | 'sent' | 'hasEnded'>;

/** What was dialled, or came, and what the plan says of it. */
export interface ClientSide {
  readonly name: string;
  readonly stream: number;
  readonly plan: ClientPlan;
  peer: Peer | undefined;
  /** It never got through. */
  error: string | undefined;
  endpoint: Endpoint | undefined;
  /** Where the bytes come from that it gets, unless a server sends them: last words, or an echo of its own. */
  other: Source | undefined;
  /** Other code has its socket; it may not know yet that it is connected. */
  isEchoed: boolean;
  /** What the library has made of it, once that has ended. */
  client: Client | undefined;
  /** It lived on until whatever lived was cut. */
  wasCut: boolean;
}

export interface ServerSide {
  readonly peer: Peer;
  readonly script: Script;
}

export class Run {
  readonly time: Time;
  readonly network: Network;
  readonly process: SimulatedProcess;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly checks: Checks;
  readonly clients: ClientSide[] = [];
  /** By the port that the proxy dials from. */
  readonly serverSides = new Map<number, ServerSide>();
  readonly clientsByPort = new Map<number, ClientSide>();
  readonly backends: Backend[] = [];
  readonly servers: SimulatedServer[];
  proxy!: TcpProxy;
  #story: string[] | undefined;
  readonly #names = new Map<string, string>();
  readonly #made = new Map<string, number>();
  #streams = SERVER_STREAM;
  #isHealed = false;

  constructor(
    readonly plan: Plan,
    hasStory: boolean,
  ) {
    this.#story = hasStory ? [] : undefined;
    this.time = new Time((error) => this.checks.uncaught(error));
    this.network = new Network(this.time);
    this.random = this.#randomOf(1);
    this.clock = new SimulatedClock(this.time);
    this.process = new SimulatedProcess(this.time, this.network, HOME, this.#randomOf(2), () => plan.serverWay);
    this.checks = new Checks(this);
    this.network.silent.add(NOWHERE);
    this.servers = plan.servers.map((server, index) => new SimulatedServer(this, server, `server-${index + 1}`, index));
  }

  /** Randomness of one's own: who is left out of a plan changes little for the others. */
  #randomOf(part: number): Random {
    return new Random(hash(this.plan.seed * 1_000 + part));
  }

  tell(who: string, what: string): void {
    this.#story?.push(`${this.time.ms.toFixed(3).padStart(12)} ${who.padEnd(11)} ${what}`);
  }

  /** What a peer got is not what anybody has sent. */
  wrong(who: string, what: string): void {
    this.checks.violated(8, `${who} ${what}`);
  }

  /** Something that the plan has happen, unless the run has come to its end before. */
  at(ms: number, work: () => void): void {
    this.time.at(ms * 1_000, () => {
      if (!this.#isHealed) work();
    });
  }

  /** The name of an instance in this run: the process counts on from run to run. */
  nameOf(id: string): string {
    let name = this.#names.get(id);
    if (name === undefined) {
      const kind = id.slice(0, id.indexOf('#'));
      const number = (this.#made.get(kind) ?? 0) + 1;
      this.#made.set(kind, number);
      name = `${kind}#${number}`;
      this.#names.set(id, name);
    }
    return name;
  }

  /** A connection has come to a server. */
  accepted(endpoint: Endpoint, server: string, script: Script): Peer {
    const stream = this.#streams++;
    const name = `${server}/${stream - SERVER_STREAM + 1}`;
    this.tell(name, `accepts ${endpoint.remote.port}`);
    const peer = new Peer(name, stream, script, endpoint, this.time, this);
    if (this.#isHealed) peer.relent();
    this.serverSides.set(endpoint.remote.port, { peer, script });
    return peer;
  }

  dial(plan: ClientPlan, listener: number, random: Random, way: Way): ClientSide {
    const name = `client-${this.clients.length + 1}`;
    const stream = this.clients.length + 1;
    const from = { host: `10.0.1.${stream}`, port: this.network.freePort() };
    const client: ClientSide = {
      name,
      stream,
      plan,
      peer: undefined,
      error: undefined,
      endpoint: undefined,
      other: undefined,
      isEchoed: false,
      client: undefined,
      wasCut: false,
    };
    this.clients.push(client);
    this.clientsByPort.set(from.port, client);
    this.tell(name, `dials from ${from.port}`);
    const to = { host: HOME, port: FIRST_PORT + listener };
    const attempt = this.network.connect(from, to, way, random, (error) => {
      if (error === undefined) {
        client.endpoint = attempt.endpoint as Endpoint;
        client.peer = new Peer(name, stream, plan.script, client.endpoint, this.time, this);
        if (client.isEchoed) client.other = client.peer;
        if (this.#isHealed) client.peer.relent();
      } else {
        client.error = error;
        this.tell(name, error);
      }
    });
    return client;
  }

  async run(): Promise<Result> {
    const { time, plan, checks } = this;
    const leave = inhabit(this.process);
    const hear = hearUncaught((error) => checks.uncaught(error));
    const onTransition = (message: unknown): void => {
      const transition = message as Transition;
      this.#story?.push(this.#lineOf(transition));
      checks.transition(transition);
    };
    subscribe(TRANSITION_CHANNEL, onTransition);
    const story = this.#story ?? [];
    try {
      for (const [index, client] of plan.clients.entries()) {
        if (client.atMs < plan.stop.atMs) {
          this.at(client.atMs, () => this.dial(client, client.listener, this.#randomOf(100 + index), plan.clientWay));
        }
      }
      this.#scheduleFaults();
      let isOver = false;
      const instance = this.#live().then(
        () => {
          isOver = true;
        },
        (error) => {
          isOver = true;
          checks.uncaught(error);
        },
      );
      const stop = await time.run(() => isOver || checks.found !== undefined, EVENTS_MAX, TIME_MAX_MS);
      if (stop !== 'over') checks.violated(6, `${stop}, while the proxy is ${this.proxy.state}`);
      if (checks.found === undefined) await instance;
      else await this.#clearAway();
    } finally {
      unsubscribe(TRANSITION_CHANNEL, onTransition);
      hear();
      leave();
    }
    return { found: checks.found, story, counts: checks.counts, events: time.turn };
  }

  /** What a run that has failed leaves should trouble the next one as little as may be. */
  async #clearAway(): Promise<void> {
    this.#story = [];
    void this.proxy.abort();
    for (const backend of this.backends) void backend.abort();
    await this.time.run(() => this.proxy.outcome !== undefined, CLEARING_MAX, this.time.ms + TIME_MAX_MS);
  }

  #lineOf({ who, about, from, event, to, cause }: Transition): string {
    const { server } = about;
    const { initiator, manner, code } = cause ?? {};
    const why = cause === undefined ? '' : `  (${[initiator, manner, code].filter(Boolean).join('/')})`;
    const where = server === undefined ? '' : ` ${server}`;
    const time = this.time.ms.toFixed(3).padStart(12);
    return `${time} ${this.nameOf(who).padEnd(11)} ${from} → ${to}  [${event}]${where}${why}`;
  }

  /** The life of the proxy, and of the one after it. */
  async #live(): Promise<void> {
    const { time, plan, checks } = this;
    const abort = new AbortController();
    const servers = this.#servers();
    for (const backend of plan.backends) this.#makeBackend(backend, servers);
    this.proxy = createProxy({
      ...(Object.fromEntries(Object.entries(plan.options).filter(([, value]) => value !== undefined)) as object),
      ...(!plan.hasRoute && { backoff: undefined, downFor: undefined }),
      retryBudget: undefined,
      listen: this.#addresses(),
      ...(plan.hasRoute
        ? { route: this.#router(servers), random: () => this.random.below(1_000) / 1_000 }
        : { servers }),
      backends: this.backends,
      clock: this.clock,
      runtime: RUNTIMES[plan.runtime],
      signal: abort.signal,
      ...(plan.hasAdmit && {
        admit: (client) => this.#decide(client, this.sideOf(client)?.plan.admit ?? ACCEPT, true),
      }),
      ...(plan.hasRefusal && { refusal: (_cause, client) => this.#words(client) }),
    });
    const { proxy } = this;
    checks.watch(proxy, this.backends, servers);
    const started = proxy.start().then(
      () => undefined,
      (error: SockchartError) => error,
    );
    for (const { atMs, do: act, which } of plan.actions) this.at(atMs, () => this.#act(act, which));
    await time.sleep(plan.stop.atMs);
    await this.#stop(proxy, abort);
    checks.started(await started);
    await this.#stayStopped(proxy);
    this.#heal();
    await time.sleep(PAUSE_MS);
    await checks.peersAreOver();
    await this.#succeed();
  }

  #addresses(): Address[] {
    return Array.from({ length: this.plan.listeners }, (_, index) => ({ host: HOME, port: FIRST_PORT + index }));
  }

  #servers(): Servers {
    const { backoff, retryBudget, downFor } = this.plan.options;
    const random = this.#randomOf(3);
    return new Servers(
      this.servers.map((server, index) => server.options(this.#randomOf(200 + index))),
      {
        clock: this.clock,
        random: () => random.below(1_000_001) / 1_000_000,
        balance: this.plan.balance,
        ...(backoff !== undefined && { backoff }),
        ...(retryBudget !== undefined && { retryBudget }),
        ...(downFor !== undefined && { downFor }),
      },
    );
  }

  #makeBackend(plan: BackendPlan, servers: Servers): void {
    const { options } = this.plan;
    let prepared = 0;
    const backend = createBackend({
      servers,
      clock: this.clock,
      runtime: RUNTIMES[this.plan.runtime],
      ...(plan.attemptsMax !== undefined && { attemptsMax: plan.attemptsMax }),
      whenExhausted: plan.whenExhausted,
      connectTimeout: options.connectTimeout,
      disposeTimeout: options.disposeTimeout,
      closeTimeout: options.closeTimeout,
      abortTimeout: options.abortTimeout,
      lingerTimeout: options.lingerTimeout,
      lingerMax: options.lingerMax,
      queueTimeout: options.queueTimeout,
      prepareTimeout: 1_000,
      holdTimeout: 400,
      stableAfter: 2_000,
      ...(plan.prepare.length > 0 && {
        prepare: (_socket, { incarnation, signal }) => {
          this.checks.preparing(backend, incarnation);
          return this.#settle(plan.prepare[prepared++ % plan.prepare.length] as Hook, plan.prepareMs, signal);
        },
      }),
    });
    this.backends.push(backend);
    const asked = new Set<() => void>();
    backend.on('established', ({ socket }) => {
      socket.resume();
      for (const letGoMs of plan.holdsLetGoMs) {
        if (letGoMs === undefined) this.checks.held(backend, backend.hold());
        else this.#hold(backend, backend.hold(), letGoMs, asked);
      }
    });
    backend.on('closing', () => {
      for (const letGo of asked) letGo();
    });
  }

  /** Lets go a while after it was asked, or told. */
  #hold(backend: Backend, hold: Hold, letGoMs: number, asked: Set<() => void>): void {
    const release = this.checks.held(backend, hold);
    const letGo = (): void => {
      asked.delete(letGo);
      this.time.after(letGoMs * 1_000, release);
    };
    asked.add(letGo);
    hold.signal.addEventListener('abort', letGo, { once: true });
  }

  /** What a hook does. */
  #settle(hook: Hook, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (hook === 'ok') this.time.after(ms * 1_000, () => resolve());
      else if (hook === 'throw') this.time.after(ms * 1_000, () => reject(new Error('The hook has failed.')));
      // One that hangs heeds its signal at least.
      else if (hook === 'hang') signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** A client that had reset before it was accepted has no address; a socket that has closed has no endpoint. */
  sideOf({ peer, socket }: Client): ClientSide | undefined {
    return this.clientsByPort.get(endpointOf(socket)?.remote.port ?? peer?.port ?? 0);
  }

  #router(set: Servers): RouteHook {
    const list = this.servers.map((server, index) => server.options(this.#randomOf(300 + index)));
    return (client) => {
      const { route, target } = this.sideOf(client)?.plan ?? { route: ACCEPT, target: 'set' };
      return this.#decide(client, route, { set, list, one: set.list[0] as Server }[target]);
    };
  }

  /** What a hook answers: `accepted`, if that is the decision. */
  #decide<T>(client: Client, { verdict, ms, peek }: Decision, accepted: T): T | false | Promise<T | false> {
    const settle = (): T | false | Promise<never> => {
      if (verdict === 'throw') throw new Error('Nobody is let in.');
      if (verdict === 'hang') return new Promise(() => {});
      if (verdict === 'words') void client.refuse(client.hasTag('linked') ? this.#words(client) : undefined);
      if (verdict === 'handOver') void client.handOver((socket) => this.#echo(client, socket));
      // What it answers after that does not matter.
      return verdict !== 'refuse' && accepted;
    };
    if (ms === 0 && peek === undefined) return settle();
    return this.time
      .sleep(ms)
      .then(() => peek && this.checks.peek(client, peek.bytes, peek.ms))
      .then(settle);
  }

  /** Other code that has a client's socket: it sends back what it gets. */
  #echo(client: Client, socket: Socket): void {
    const side = this.sideOf(client);
    if (side !== undefined) {
      side.isEchoed = true;
      side.other = side.peer;
    }
    socket.on('error', () => {});
    this.time.after((side?.plan.lateMs ?? 0) * 1_000, () => void socket.pipe(socket));
  }

  #words(client: Client): Buffer | undefined {
    const side = this.sideOf(client);
    if (side === undefined || side.plan.words === 0) return undefined;
    const { stream, plan } = side;
    side.other = { name: 'the hook', stream: WORDS_STREAM + stream, sent: plan.words, hasEnded: true };
    return bytesOf(side.other.stream, 0, plan.words);
  }

  #scheduleFaults(): void {
    for (const fault of this.plan.faults) {
      const begin = this.#cause(fault);
      let end: (() => void) | undefined;
      this.at(fault.fromMs, () => {
        this.tell('fault', JSON.stringify(fault));
        end = begin();
      });
      this.at(fault.toMs, () => end?.());
    }
  }

  /** What brings a trouble about; that returns what ends it. */
  #cause(fault: Plan['faults'][number]): () => () => void {
    const { process, network } = this;
    switch (fault.what) {
      case 'files':
        return () => {
          process.filesMax = process.files + fault.spare;
          return () => {
            process.filesMax = Number.POSITIVE_INFINITY;
          };
        };
      case 'port':
        return () => {
          const listener = network.listen({ host: HOME, port: FIRST_PORT + fault.listener }, 511);
          this.tell('stranger', typeof listener === 'string' ? listener : 'listens');
          if (typeof listener === 'string') return () => {};
          // It serves nobody.
          listener.wake = () => listener.accept()?.reset();
          this.checks.strangers.add(listener);
          return () => listener.close();
        };
      case 'bind':
        return () => {
          process.refuseBind = () => fault.code;
          return () => {
            process.refuseBind = () => undefined;
          };
        };
      case 'connect':
        return () => {
          process.refuseConnect = () => fault.code;
          return () => {
            process.refuseConnect = () => undefined;
          };
        };
      case 'names':
        return () => {
          this.#trouble = fault.answer;
          return () => {
            this.#trouble = undefined;
          };
        };
    }
  }

  #trouble: 'ENOTFOUND' | 'EAI_AGAIN' | 'silence' | 'slow' | undefined;

  #act(act: Act, which: number): void {
    const { proxy } = this;
    const { sessions } = proxy;
    const session: Session | undefined = sessions[which % Math.max(1, sessions.length)];
    const backend = this.backends[which % Math.max(1, this.backends.length)];
    this.tell('owner', act);
    try {
      switch (act) {
        case 'suspend':
          proxy.suspend();
          break;
        case 'resume':
          proxy.resume();
          break;
        case 'inspect':
          JSON.stringify([proxy.connections(), proxy, proxy.timers(), proxy.accepts()]);
          break;
        case 'closeSession':
          if (session !== undefined) this.checks.disturb(session);
          void session?.close({ timeoutMs: 200 });
          break;
        case 'abortSession':
          if (session !== undefined) this.checks.disturb(session);
          void session?.abort();
          break;
        case 'closeClient':
          if (session !== undefined) this.checks.disturb(session, 'client');
          void session?.client.close();
          break;
        case 'closeBackend':
          if (session !== undefined) this.checks.disturb(session, 'backend');
          void session?.backend.close();
          break;
        case 'abortBackend':
          void backend?.abort();
          break;
        case 'retryBackends':
          this.checks.hastened();
          for (const one of this.backends) one.retryNow();
      }
    } catch (error) {
      // Told so, since it is over or has not begun.
      const { code } = error as SockchartError;
      if (code !== 'ERR_CLOSED' && code !== 'ERR_NOT_SUPPORTED') throw error;
    }
  }

  async #stop(proxy: TcpProxy, abort: AbortController): Promise<void> {
    const { plan, checks, time } = this;
    const { how: manner, timeoutMs, abortMs } = plan.stop;
    this.tell('owner', `stops the proxy: ${manner}`);
    checks.stopping(manner, manner === 'close' ? timeoutMs : undefined);
    const close = timeoutMs === undefined ? {} : { timeoutMs };
    if (manner === 'close') void proxy.close(close);
    else if (manner === 'dispose') void proxy[Symbol.asyncDispose]();
    else if (manner === 'abort') void proxy.abort();
    else abort.abort();
    if (abortMs !== undefined) {
      time.after(abortMs * 1_000, () => {
        if (proxy.outcome !== undefined) return;
        this.tell('owner', 'aborts the proxy');
        checks.stopping('abort', undefined);
        void proxy.abort();
      });
    }
    const outcome = await proxy.closed;
    this.tell('proxy', `has ended: ${how(outcome)}`);
    await checks.stopped(outcome);
  }

  /** Who is asked after the end says that it is the end, and nothing stirs. */
  async #stayStopped(proxy: TcpProxy): Promise<void> {
    const error = await proxy.start().then(
      () => undefined,
      (refusal: SockchartError) => refusal,
    );
    const due = proxy.outcome?.ending === 'failed' ? undefined : 'ERR_CLOSED';
    if (error === undefined || (due !== undefined && error.code !== due)) {
      this.checks.violated(1, `start() after the end: ${error?.code}`);
    }
  }

  #heal(): void {
    this.#isHealed = true;
    for (const server of this.servers) server.heal();
    for (const listener of this.checks.strangers) listener.close();
    this.process.filesMax = Number.POSITIVE_INFINITY;
    this.process.refuseBind = () => undefined;
    this.process.refuseConnect = () => undefined;
    this.#trouble = undefined;
    for (const { peer } of this.clients) peer?.relent();
    for (const { peer } of this.serverSides.values()) peer.relent();
  }

  /** A new proxy on the same ports, with a server that is well, serves a client. */
  async #succeed(): Promise<void> {
    const { checks, time } = this;
    this.tell('owner', 'starts a new proxy');
    const sound: Script = {
      steps: [{ do: 'send', bytes: 2_000 }, { do: 'end' }, { do: 'receiveEnd', ms: 10_000 }],
      readBytes: 65_536,
      readEveryMs: 0,
    };
    const server = new SimulatedServer(
      this,
      {
        hasName: false,
        connectionsMax: undefined,
        dials: [],
        backlog: 511,
        capacity: Number.POSITIVE_INFINITY,
        outages: [],
        scripts: [sound],
      },
      'successor',
      this.servers.length,
    );
    const options: ProxyOptions = {
      listen: this.#addresses(),
      servers: [server.options(this.random)],
      clock: this.clock,
      random: () => 0.5,
      drainTimeout: 5_000,
    };
    this.proxy = createProxy(options);
    checks.watch(this.proxy, [], this.proxy.servers);
    await this.proxy.start();
    for (let listener = 0; listener < this.plan.listeners; listener++) {
      const plan: ClientPlan = {
        atMs: time.ms,
        listener,
        script: sound,
        admit: ACCEPT,
        route: ACCEPT,
        target: 'set',
        words: 0,
        lateMs: 0,
      };
      checks.mustBeServed(this.dial(plan, listener, this.random.fork(), this.plan.serverWay));
    }
    await time.sleep(2_000);
    checks.stopping('close', undefined);
    await checks.stopped(await this.proxy.close());
    await time.sleep(PAUSE_MS);
    await checks.peersAreOver();
    checks.end();
  }

  /** What the resolver says. */
  lookup(name: string): ReturnType<SimulatedProcess['lookup']> {
    const server = this.servers.find((one) => name === `${one.name}.test`);
    const afterUs = this.random.below(2_000);
    const trouble = this.#trouble;
    if (trouble === 'silence') return undefined;
    if (trouble === 'slow') return { afterUs: 1_500_000, answer: server?.host ?? { code: 'ENOTFOUND' } };
    if (trouble !== undefined || server === undefined) return { afterUs, answer: { code: trouble ?? 'ENOTFOUND' } };
    return { afterUs, answer: server.host };
  }
}

/** Hears of errors that nobody has caught, in place of the test runner. */
function hearUncaught(onError: (error: unknown) => void): () => void {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.listeners(event as 'uncaughtException'));
  for (const event of events) {
    process.removeAllListeners(event);
    process.on(event as 'uncaughtException', onError);
  }
  return () => {
    for (const [index, event] of events.entries()) {
      process.removeAllListeners(event);
      for (const listener of before[index] ?? []) process.on(event as 'uncaughtException', listener);
    }
  };
}
