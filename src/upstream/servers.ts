import { EventEmitter } from 'node:events';
import { ClosedError, OptionError } from '../errors.js';
import { callListeners, type Environment, environmentOf } from '../handle.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { flag, hook, onlyKnown, text } from '../options.js';
import type { Clock } from '../runtime/clock.js';
import { isShortage } from '../shortage.js';
import { Backoff } from './backoff.js';
import { balancerOf } from './balance/balance.js';
import type { Balancer } from './balance/balancer.js';
import { RetryBudget } from './budget.js';
import { sharedChecks } from './check-options.js';
import { differenceOf } from './difference.js';
import { type Governor, governorOf } from './governor.js';
import { Judge } from './judge.js';
import type { AddressesOptions } from './name-options.js';
import { Pacing } from './pacing.js';
import { Picker } from './picker.js';
import type { RemoveOptions } from './removal.js';
import type { Choice, Requester, RequesterMemory } from './requester.js';
import { Rounds } from './rounds.js';
import { Server, type ServerChange } from './server.js';
import { ServerName, type ServerNameLookup } from './server-name.js';
import { isNamed, type ServerOptions } from './server-options.js';
import {
  isPermanent,
  judgementOf,
  SERVERS_OPTIONS,
  type ServerConfig,
  type ServersOptions,
} from './servers-options.js';
import { SharedTrials } from './shared-trials.js';
import { type SetOrder, type SharedSet, sharingOf } from './sharing.js';
import { Waiters } from './waiters.js';

const EVENTS: ReadonlySet<string> = new Set<keyof ServersEvents>(['changed', 'lookedUp']);
const NO_NAMES: readonly ServerName[] = [];
const RELIEVED: Cause = { initiator: 'library', manner: 'answer', phase: 'serving', code: 'backupOver' };
/** Events of a set of servers. */
export type ServersEvents = {
  /** A server was added, or is in another state; one that is removed ends as `closed` or `aborted`. */
  changed: [ServerChange & { readonly server: Server }];
  /** A look-up of one of its names is over: it was answered, or has failed. Tries that were repeated at once are one look-up. */
  lookedUp: [ServerNameLookup];
};

/**
 * A set of servers: which is next, which are down, and how many retries there may be. Share one object between all
 * connections that go to the same servers. Servers may be added and removed while it is in use.
 *
 * @example
 * ```ts
 * const servers = new Servers([{ port: 5432 }, { port: 5433, connectionsMax: 50 }], { balance: 'inOrder' });
 * const a = createBackend({ servers, persistent: true });
 * const b = createBackend({ servers, persistent: true });
 * servers.on('changed', ({ server, to, cause }) => console.log(`${server} is ${to}`, cause));
 * servers.replace([{ port: 5433 }, { port: 5434 }]);
 * ```
 */
export class Servers {
  /** @internal The list of a set without servers, which no connection asks. */
  static readonly none: readonly ServerOptions[] = [];
  /** The servers, in the order in which they were given; those that are being removed, too. A change makes a new list. */
  list: readonly Server[] = [];
  /** The names that are as many servers as they have addresses: those with the option `addresses`. */
  names: readonly ServerName[] = NO_NAMES;
  /** Where its time comes from. */
  readonly clock: Clock;
  /** @internal Where its randomness comes from. */
  readonly random: () => number;
  readonly #balancer: Balancer;
  /** The balancer wants to know connect times. */
  readonly #isTimed: boolean;
  readonly #backoff: Backoff;
  /** @internal Where all connections back off together. */
  readonly trials: SharedTrials | undefined;
  readonly #budget: RetryBudget;
  readonly #rounds: Rounds;
  readonly #config: ServerConfig;
  readonly #governor: Governor | undefined;
  /** @internal Picks servers. */
  readonly picker: Picker;
  /** @internal The connections that wait. */
  readonly waiters: Waiters;
  /** @internal What its traffic says of its servers. */
  readonly judge: Judge;
  #hadPrimary = true;
  #isClosed = false;
  #isOver = false;
  #emitter: EventEmitter | undefined = undefined;
  readonly #shareAs: string | false | undefined;
  /** @internal In a worker of a cluster: what it has in common with the sets of the same name in the others. */
  shared: SharedSet | undefined = undefined;

  /** @throws OptionError */
  constructor(servers: readonly ServerOptions[], options?: ServersOptions);
  /** @internal A set for one client shares the environment of its proxy: to note one takes as long as all the rest. */
  constructor(servers: readonly ServerOptions[], options: ServersOptions, environment: Environment | undefined);
  constructor(servers: readonly ServerOptions[], options: ServersOptions = {}, shared?: Environment) {
    if (!Array.isArray(servers) || (servers.length === 0 && servers !== Servers.none)) {
      throw new OptionError('servers', servers, 'a list of at least one server, such as [{ port: 5432 }]');
    }
    onlyKnown('Servers', options, SERVERS_OPTIONS);
    const lookup = hook('lookup', options.lookup);
    const checks = sharedChecks(options.checks);
    const environment = shared ?? environmentOf(options);
    this.clock = environment.clock;
    this.random = hook('random', options.random) ?? Math.random;
    this.#balancer = balancerOf(options.balance);
    this.#isTimed = this.#balancer.connected !== undefined;
    this.#backoff = new Backoff(options.backoff, 'backoff', ['shared']);
    const isShared = flag('backoff.shared', options.backoff?.shared, false);
    this.#budget = new RetryBudget(options.retryBudget);
    this.#governor = governorOf(options.governor);
    this.#shareAs = shareAs(options.shareAs);
    const judgement = judgementOf(options);
    this.picker = new Picker(this, this.#balancer, judgement.panic, isShared);
    this.waiters = new Waiters(this, judgement.queueMax, this.#governor);
    this.judge = new Judge(this, judgement, this.#backoff, hook('isPermanent', options.isPermanent) ?? isPermanent);
    this.trials = isShared ? new SharedTrials(this, this.#backoff) : undefined;
    this.#rounds = new Rounds(this, new Pacing(this.#backoff, this.#budget, this.random), judgement.waits);
    this.#config = { judgement, lookup, checks, environment, random: this.random };
    const { list, names } = this.#made(servers);
    this.list = list;
    if (names.length > 0) this.names = names;
    this.picker.sharesChanged();
    for (const server of this.list) server.begin();
    for (const name of this.names) name.begin();
    if (typeof this.#shareAs === 'string') this.share(this.#shareAs);
  }

  /** What a list names, checked: nothing is begun, and nothing is looked up. */
  #made(options: readonly ServerOptions[]): { list: Server[]; names: ServerName[] } {
    const list: Server[] = [];
    const names: ServerName[] = [];
    for (const [index, one] of options.entries()) {
      const path = `servers[${index}]`;
      if (isObject(one) && isNamed(one)) names.push(new ServerName(one, path, this, this.#config));
      else list.push(new Server(one, path, this, this.#config));
    }
    return { list, names };
  }

  /**
   * @internal In a worker of a cluster it is one with the sets of the same name from now on.
   *
   * @param name where it was not told another one, or not to be shared
   */
  share(name: string): void {
    const { list } = this;
    const sharing = sharingOf();
    if (sharing === undefined || this.shared !== undefined || this.#shareAs === false) return;
    // Where `route` decides there are no servers.
    if (list.length === 0 && this.names.length === 0) return;
    this.shared = sharing.join(this, this.#shareAs ?? name, this.#governor);
    for (const server of list) this.#sharing(server);
  }

  #sharing(server: Server): void {
    server.shared = this.shared?.added(server);
    server.sharesChanged();
  }

  /** The cool-down of a connection that has used up its attempts, in milliseconds. */
  get slowestPaceMs(): number {
    return this.#backoff.maxMs;
  }

  /**
   * Adds a server: it may be chosen at once, or, if its checks say `init: 'down'`, after the first one that passes.
   *
   * @throws OptionError
   * @throws ClosedError after {@link close}
   */
  add(options: ServerOptions): Server {
    if (this.#isClosed) throw new ClosedError('The set of servers', undefined);
    const server = new Server(options, 'server', this, this.#config);
    this.shared?.ordered({ type: 'add', options });
    this.addAll([server]);
    return server;
  }

  /** @internal Its owner wants this in another process. */
  obey(order: SetOrder, server?: Server): void {
    if (this.#isClosed) return;
    if (order.type === 'add') this.addAll([new Server(order.options, 'server', this, this.#config)]);
    else if (order.type === 'replace') this.#become(order.list, order.options);
    else server?.leave(order.options);
  }

  /**
   * Adds a name that is as many servers as it has addresses: the option `addresses` says how it is looked up. Its servers are
   * added when it is answered.
   *
   * @throws OptionError
   * @throws ClosedError after {@link close}
   */
  addName(options: ServerOptions & { readonly addresses: true | AddressesOptions }): ServerName {
    if (this.#isClosed) throw new ClosedError('The set of servers', undefined);
    const name = new ServerName(options, 'server', this, this.#config);
    this.names = [...this.names, name];
    name.begin();
    return name;
  }

  /**
   * @internal Those that were made for it become a part of it.
   *
   * @param isAwaited connections have waited for these: if they may not be chosen, the wait is over, too
   */
  addAll(servers: readonly Server[], isAwaited = false): readonly Server[] {
    if (servers.length > 0) {
      this.list = [...this.list, ...servers];
      this.picker.sharesChanged();
      for (const server of servers) server.begin();
      if (this.shared !== undefined) for (const server of servers) this.#sharing(server);
    }
    if (isAwaited) this.waiters.serveAll();
    else this.waiters.serve();
    return servers;
  }

  /**
   * Removes a server: see {@link Server.remove}.
   *
   * @throws OptionError
   */
  remove(server: Server, options?: RemoveOptions): Promise<Outcome> {
    if (!(server instanceof Server) || server.set !== this) throw new OptionError('server', server, 'one of this set');
    return server.remove(options);
  }

  /**
   * Makes its servers those of another list. A server is the same if its name is, or, without a name, its address, and all its options but
   * `weight`, `connectionsMax` and `queueMax`, which change while it runs. The same servers keep their states and sessions; the others are
   * removed and added.
   *
   * @throws OptionError before anything is changed
   * @throws ClosedError after {@link close}
   */
  replace(list: readonly ServerOptions[], options?: RemoveOptions): void {
    if (!Array.isArray(list)) throw new OptionError('servers', list, 'a list of servers, such as [{ port: 5432 }]');
    this.#become(list, options, true);
  }

  #become(list: readonly ServerOptions[], options?: RemoveOptions, isOrder = false): void {
    // What is wrong with one is said before anything is changed.
    const checked = this.#made(list);
    if (isOrder) this.shared?.ordered({ type: 'replace', list, options: options ?? {} });
    const plain = list.filter((one) => !isNamed(one));
    const named = list.filter(isNamed);
    const own = this.list.filter((server) => server.parent === undefined && !server.hasTag('ending'));
    const servers = differenceOf(own, plain);
    const names = differenceOf(this.names, named);
    if (this.#isClosed && servers.added.length > 0) throw new ClosedError('The set of servers', undefined);
    for (const one of servers.added) this.addAll([new Server(one, 'server', this, this.#config)]);
    for (const one of names.added) this.addName(one as Parameters<Servers['addName']>[0]);
    for (const [server, one] of servers.kept) server.adapt(checked.list[plain.indexOf(one)] as Server, one);
    for (const [name, one] of names.kept) name.adapt(checked.names[named.indexOf(one)] as ServerName);
    for (const server of servers.removed) void server.leave(options);
    for (const name of names.removed) void name.close(options);
  }

  /**
   * Removes all servers; connections that wait find none. Final.
   *
   * @throws OptionError
   */
  async close(options?: RemoveOptions): Promise<void> {
    this.#isClosed = true;
    await Promise.all([
      ...this.names.map((name) => name.close(options)),
      ...this.list.map((server) => server.leave(options)),
    ]);
    this.shared?.ended();
    this.shared = undefined;
  }

  /** @internal Its owner is over, and so is it: no timer and no check is left. What is known of its servers stays in the list. */
  end(): void {
    this.#isOver = true;
    this.#isClosed = true;
    for (const name of this.names) void name.abort();
    for (const server of this.list) void server.abort();
    this.shared?.ended();
    this.shared = undefined;
  }

  /** Calls `listener` whenever `event` happens. */
  on<K extends keyof ServersEvents>(event: K, listener: (...args: ServersEvents[K]) => void): this {
    if (!EVENTS.has(event)) {
      throw new OptionError('event', event, `one that a set of servers has: ${[...EVENTS].join(', ')}`);
    }
    if (typeof listener !== 'function') throw new OptionError('listener', listener, 'a function');
    this.#emitter ??= new EventEmitter().setMaxListeners(0);
    this.#emitter.on(event, listener);
    return this;
  }

  /** Calls `listener` no more. */
  off<K extends keyof ServersEvents>(event: K, listener: (...args: ServersEvents[K]) => void): this {
    this.#emitter?.off(event, listener);
    return this;
  }

  /**
   * Answers a connection that wants a server. A chosen one counts the connection until {@link leave}; after `full`,
   * the requester is called when there is a place, or when those that failed may be tried again, unless it {@link forget}s.
   * Where the backoff is shared, a server that has failed is as good as full, but for one connection at a time.
   */
  choose(requester: Requester): Choice {
    const { memory } = requester;
    // A trial that may begin is for the connection that has waited longest, and not for a newcomer.
    if (this.trials !== undefined && requester.queued === undefined) this.waiters.serve();
    if (memory === undefined) {
      if (requester.queued === undefined) this.#budget.deposit();
    } else if (!memory.rested) return this.#rounds.defer(requester, memory, this.clock.now());
    const held = this.#governor && this.waiters.hold(requester);
    if (held !== undefined) return held;
    let server = this.picker.pick(requester);
    if (this.shared !== undefined) for (const one of this.picker.choosable.untried) one.shared?.untried();
    if (server === undefined && memory?.retryAt !== undefined && this.clock.now() >= memory.retryAt) {
      memory.tried.clear();
      memory.retryAt = undefined;
      server = this.picker.pick(requester);
    }
    if (server === undefined) return this.#rounds.none(requester, this.clock.now());
    if (!(server instanceof Server)) {
      throw new OptionError('balance', server, 'a balancer that chooses one of the servers it is given');
    }
    const wasQueued = this.waiters.remove(requester);
    if (memory !== undefined) {
      memory.rested = false;
      memory.again = undefined;
      memory.retryAt = undefined;
    }
    // It may be tried: by this connection, and by no other until that is over.
    if (server.isDoubted && server.trial === undefined && (this.trials !== undefined || server.mayBeTried)) {
      server.reports.tryBy(requester);
    }
    if (++server.connections >= server.places) server.shared?.filled();
    server.chosen++;
    this.#governor?.begin(this.clock.now(), this.random());
    if (wasQueued) this.shared?.waits();
    if (this.#isTimed) requester.chosenAt = this.clock.now();
    return { kind: 'chosen', server };
  }

  /** The connection no longer wants a server, or is over: its place in the queue, and a trial, are given up. */
  forget(requester: Requester): void {
    this.waiters.leave(requester);
    const server = this.#endTrial(requester);
    if (server === undefined) return;
    server.reports.trialGivenUp();
    if (this.trials !== undefined) this.waiters.serve();
  }

  /** The connection, or the attempt, is over: its place is free for the connection that has waited longest. */
  leave(server: Server): void {
    server.left();
    this.waiters.serve();
  }

  /** An attempt has come up: that of this requester. */
  succeeded(server: Server, requester?: Requester): void {
    if (this.#isTimed && requester !== undefined)
      this.#balancer.connected?.(server, this.clock.now() - requester.chosenAt);
    server.hasAnswered = true;
    if (server.isDoubted || server.trial !== undefined) {
      server.trialsFailed = 0;
      if (server.trial !== undefined) this.#endTrial(server.trial);
      server.reports.connected();
    }
    if (this.trials !== undefined) this.waiters.serve();
  }

  /**
   * An attempt has failed. It counts against the server, and may eject it; the server is not chosen at all for the slowest pace if
   * its certificate is bad, and until it is restored if no attempt can mend the failure. What is no fault of the server
   * changes nothing for the others.
   */
  failed(requester: Requester, server: Server, cause: Cause): void {
    const wasTrial = this.#endTrial(requester) === server;
    const memory = this.#memoryOf(requester);
    const now = memory.failedAt;
    if (wasTrial) this.trials?.delay(server, now);
    // A Unix socket whose backlog is full lives, and has no room for the moment.
    const isBacklogFull = cause.code === 'EAGAIN' && server.path !== undefined;
    if (isBacklogFull) memory.tried.add(server);
    else if (isShortage(cause, server)) memory.again = server;
    if (isBacklogFull || memory.again === server) {
      if (wasTrial) server.reports.trialGivenUp();
      return;
    }
    memory.tried.add(server);
    this.#governor?.failed(now);
    // Attempts that began before the first failure are not counted as trials.
    if (server.failures === 0) this.trials?.delay(server, now);
    this.judge.failed(server, cause);
  }

  /** An established connection was lost: this requester tries the others first. */
  dropped(requester: Requester, server: Server): void {
    this.#memoryOf(requester).tried.add(server);
  }

  /** What was remembered of this connection no longer counts: it is, or was, stable. */
  settled(requester: Requester): void {
    requester.memory = undefined;
  }

  /**
   * Servers that were excluded or ejected may be chosen again, all or one: what no retry could mend was mended. A new connection
   * goes there, and those that wait for a place; a persistent backend that is exhausted tries again by itself at its
   * slowest pace, and at once by `connect()`, which restores them all.
   *
   * @param cause why, for the cause of what follows; an `Error` will do
   * @throws OptionError for a cause that is none
   */
  restore(server?: Server, cause?: Report | Error): void {
    for (const one of server === undefined ? this.list : [server]) one.restore(cause);
  }

  /** A snapshot that can be logged. */
  toJSON(): Record<string, unknown> {
    return {
      list: this.list.map((server) => server.toJSON()),
      names: this.names.map((name) => name.toJSON()),
      waiting: this.waiting,
    };
  }

  /** @internal */
  announce(server: Server, change: ServerChange): void {
    // Its owner tells the end of all: an operator must not read it as the loss of each server.
    if (this.#isOver) return;
    if (this.#config.judgement.cutsOnBackup) this.#relieve();
    if (this.#emitter !== undefined && this.#emitter.listenerCount('changed') > 0) {
      const listeners = this.#emitter.rawListeners('changed');
      this.#config.environment.inContext(callListeners, this, listeners, [{ server, ...change }]);
    }
  }

  /** @internal One of its names was answered, or was not. */
  lookedUp(lookup: ServerNameLookup): void {
    if (this.#isOver || this.#emitter === undefined || this.#emitter.listenerCount('lookedUp') === 0) return;
    lookup.name.notifyBy(this.#emitter.rawListeners('lookedUp'), lookup);
  }

  /** @internal It has ended, and has no connection. */
  removed(server: Server): void {
    if (this.#isOver) return;
    this.list = this.list.filter((other) => other !== server);
    (server.parent as ServerName | undefined)?.forget(server);
    server.shared?.ended();
    this.picker.sharesChanged();
  }

  /** @internal It is looked up no more. */
  nameEnded(name: ServerName): void {
    if (this.#isOver) return;
    this.names = this.names.filter((other) => other !== name);
    this.waiters.serveAll();
  }

  /** How many connections wait: for a place, for a server, or for the governor. Those that wait for one server alone count, too. */
  get waiting(): number {
    return this.waiters.size;
  }

  #memoryOf(requester: Requester): RequesterMemory {
    const failedAt = this.clock.now();
    requester.memory ??= { tried: new Set(), round: 0, rested: false, again: undefined, failedAt, retryAt: undefined };
    requester.memory.rested = false;
    requester.memory.failedAt = failedAt;
    return requester.memory;
  }

  /** A trial is over: it leaves its place to another connection. Returns the server that was tried. */
  #endTrial(requester: Requester): Server | undefined {
    const { trial } = requester;
    if (trial === undefined) return undefined;
    trial.trial = undefined;
    requester.trial = undefined;
    return trial;
  }

  /** A server without `backup` works again: backups are needed no more. */
  #relieve(): void {
    const { hasPrimary } = this.picker.choosable;
    if (hasPrimary && !this.#hadPrimary)
      for (const server of this.list) if (server.backup) server.occupants.cut('backupOver', 0, RELIEVED, true);
    this.#hadPrimary = hasPrimary;
  }
}

const isObject = (value: unknown): boolean => value !== null && typeof value === 'object';

const shareAs = (value: string | false | undefined): string | false | undefined =>
  value === undefined || value === false ? value : text('shareAs', value);
