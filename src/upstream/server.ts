import { isIP, type LookupFunction } from 'node:net';
import type { CheckedChecks, Checks } from '../checks/checks.js';
import { OptionError } from '../errors.js';
import { serverInstance } from '../generated/server.js';
import { checkedReport, Handle, type HandleKind, kindOf } from '../handle.js';
import type { ServerCommand, ServerContext, ServerEvent } from '../machines/server.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { count } from '../options.js';
import type { ServerProxyProtocol } from '../proxy-protocol.js';
import type { Description } from '../runtime/instance.js';
import type { CheckedServerTls } from '../tls.js';
import { Addresses } from './addresses.js';
import { weightOf } from './balance/weight.js';
import { checksOf, settingsOf } from './check-options.js';
import { Occupants } from './occupants.js';
import type { Line } from './queue.js';
import { type RemoveOptions, removalOf } from './removal.js';
import type { Requester } from './requester.js';
import { ServerChecks } from './server-checks.js';
import { ServerHistory } from './server-history.js';
import { infoOf, type ServerInfo } from './server-info.js';
import type { ServerName } from './server-name.js';
import { type ConnectHook, checkedServer, type ServerOptions } from './server-options.js';
import { ServerReports } from './server-reports.js';
import type { Servers } from './servers.js';
import type { Judgement, ServerConfig } from './servers-options.js';
import type { ServerOrder, SharedServer, Wish } from './sharing.js';

/** A change of a server that its user sees. */
export interface ServerChange {
  /** The state before; nothing of a server that was just added. */
  readonly from: string | undefined;
  /** The state now. */
  readonly to: string;
  /** Why. */
  readonly cause: Cause;
}

/** Events of a server. */
export type ServerEvents = {
  /** It is in another state. */
  changed: [ServerChange];
  /** It is removed, and has no connection. */
  closed: [Outcome];
};

const EMPTIED = { type: 'sessions.emptied' } as const;

/** The name that has brought a server, and why there is this server. */
type Origin = { readonly name: ServerName; readonly cause: Cause };

/** A path without what goes without saying: `serving.trying.free` is `trying`. */
const seen = (state: string): string => state.replace(/^serving\.|\.(?:free|underway|wanted|drained|maintained)$/g, '');

/**
 * One server of a set: a statechart. It is up, is judged by its checks and by its traffic, drains, is in maintenance, or is removed:
 * see [docs/servers.md](../docs/servers.md). Made by {@link Servers}; it keeps no process alive.
 *
 * @example
 * ```ts
 * const [old] = proxy.servers.list;
 * old.on('changed', ({ from, to, cause }) => console.log(`${old}: ${from} → ${to}`, cause));
 * old.drain(); // nothing new; its sessions go on
 * await old.remove({ timeoutMs: 60_000, spreadMs: 5_000 });
 * ```
 */
export class Server extends Handle<ServerEvent, ServerEvents> {
  /** @internal */
  static readonly kind: HandleKind<Server, ServerCommand, ServerEvents> = {
    ...kindOf('server', serverInstance),
    events: { changed: true, closed: true },
    commands: {
      'sessions.await': (server) => {
        server.#isAwaited = true;
        server.#tellEmpty();
      },
      'sessions.cut': (server, { spreadMs, cause, deliver }) =>
        server.occupants.cut('serverRemoved', spreadMs, cause, deliver),
      'sessions.release': (server, { cause }) => {
        if (server.#judgement.cutsOnDown) server.occupants.cut('serverDown', 0, cause, true);
      },
      'checks.start': (server) => server.#checking?.start(),
      'checks.pause': (server) => server.#checking?.pause(),
      'checks.resume': (server) => server.#checking?.resume(),
      'checks.stop': (server) => server.#checking?.stop(),
      'pace.set': (server, { pace }) => server.#checking?.setPace(pace),
      'owner.changed': (server, { cause }) => server.#announce(cause),
      'set.changed': (server) => server.#change(),
      'waiters.serve': (server) => server.set?.waiters.serveAll(),
    },
  };

  /** Name or address. */
  readonly host: string;
  /** TCP port; nothing for a path, or where `connect` needs none. */
  readonly port: number | undefined;
  /** Unix socket. */
  readonly path: string | undefined;
  /** Opens the connection in place of `net.connect`. */
  readonly connect: ConnectHook | undefined;
  /** The local address that connections come from, if one was given. */
  readonly localAddress: string | undefined;
  /** The version of IP that addresses must have, if one was given. */
  readonly family: 4 | 6 | undefined;
  /** @internal What it was made of. */
  options: ServerOptions;
  /** @internal The set that it belongs to. */
  readonly set: Servers;
  /** @internal What a connection chooses from that may go to this server alone. */
  readonly alone: readonly Server[] = [this];
  /** @internal */
  readonly tls: CheckedServerTls | undefined;
  /** @internal */
  readonly proxyProtocol: ServerProxyProtocol | undefined;
  /** @internal How it is checked, if it is. */
  readonly checks: CheckedChecks | undefined;
  /** @internal Looks a host up that is no address. */
  readonly lookup: LookupFunction | undefined;
  /** The name that it was given; or `host:port`, or the path. */
  readonly name: string;
  /** @internal The weight as it counts now: a number from 0 on, which may be a fraction. */
  share: number;
  /** Connections that are open or being opened. */
  connections = 0;
  /** How often it was chosen for an attempt. */
  chosen = 0;
  /** @internal Connections that it may have now from this process: in a worker of a cluster, those that this worker was lent. */
  places: number;
  /** @internal Connections that it may have now: fewer while it recovers. */
  placesInAll: number;
  /** Connections that wait for this server, and may go to no other. */
  waiting = 0;
  /** @internal Where they wait; nothing while there are none. */
  line: Line | undefined = undefined;
  /** True once it has answered an attempt. */
  hasAnswered = false;
  /** @internal The one connection that tries it after it was down; the others wait for what becomes of that. */
  trial: Requester | undefined = undefined;
  /** @internal Where the backoff is shared: when the next trial may begin, and how many have failed in a row. */
  trialAt = 0;
  /** @internal */
  trialsFailed = 0;

  #weight: number;
  #backup: boolean;
  /** @internal The addresses of its host. */
  readonly addresses: Addresses;
  /** @internal The connections that have a place there. */
  readonly occupants: Occupants;
  /** @internal */
  readonly history: ServerHistory;
  /** @internal Something is held against it: what traffic tells has to be reported. */
  isDoubted = false;
  /** @internal The next connection may try it. */
  mayBeTried = false;
  readonly #judgement: Judgement;
  /** @internal What checks and traffic tell of it. */
  readonly reports: ServerReports;
  readonly #checking: ServerChecks | undefined;
  /** @internal In a worker of a cluster: what it has in common with the servers of the same name in the others. */
  shared: SharedServer | undefined = undefined;
  #isAwaited = false;
  #seen: string | undefined = undefined;
  #connectionsMax: number;
  #queueMax: number;

  /** @internal @param name what it is called in errors */
  constructor(options: ServerOptions, name: string, set: Servers, config: ServerConfig, origin?: Origin) {
    const { judgement, lookup, checks, environment, random } = config;
    const checked = checkedServer(name, options, judgement.queueMax);
    const settings = settingsOf(judgement.settings, options.checks, checks);
    super(Server.kind, { settings, cause: origin?.cause }, environment, origin?.name);
    this.set = set;
    this.occupants = new Occupants(environment.clock);
    this.history = new ServerHistory(environment.clock);
    this.options = options;
    this.#judgement = judgement;
    this.reports = new ServerReports(this, this.instance, random);
    const { connectionsMax, queueMax, weight, backup, lookup: own = lookup } = checked;
    this.path = checked.path;
    this.port = checked.port;
    this.host = checked.host;
    this.#connectionsMax = connectionsMax;
    this.placesInAll = connectionsMax;
    this.places = connectionsMax;
    this.#queueMax = queueMax;
    this.#backup = backup;
    this.#weight = weight;
    this.share = weight;
    this.connect = checked.connect;
    this.tls = checked.tls;
    this.proxyProtocol = checked.proxyProtocol;
    this.localAddress = checked.localAddress;
    this.family = checked.family;
    this.addresses = new Addresses(checked.addressMs);
    this.lookup = isIP(this.host) === 0 ? this.addresses.noting(own, this.family, () => this.failures) : undefined;
    this.name = checked.name;
    this.checks = checksOf(name, this, options.checks, checks, own, judgement.settings.onError);
    this.#checking = this.checks && new ServerChecks(this, this.checks, { ...environment, random });
    this.unref();
  }

  /**
   * How many connections it gets, in proportion to the weights of the others: a whole number from 0 to 256. A change counts from
   * the next choice on; what is connected stays. With 0 it gets no new connection.
   *
   * @example
   * ```ts
   * const [old, replacement] = proxy.servers.list;
   * replacement.weight = 10;
   * old.weight = 0; // drains: its last connection may be far away
   * ```
   *
   * @throws OptionError
   */
  get weight(): number {
    return this.#weight;
  }

  set weight(weight: number) {
    this.#order({ type: 'weight', weight: weightOf('weight', weight) });
  }

  /**
   * Connections at once; `Infinity` for no limit. A change counts from the next choice on; what is connected stays.
   *
   * @throws OptionError
   */
  get connectionsMax(): number {
    return this.#connectionsMax;
  }

  set connectionsMax(connectionsMax: number) {
    const most = count('connectionsMax', connectionsMax, Number.POSITIVE_INFINITY);
    this.#order({ type: 'connectionsMax', connectionsMax: most });
  }

  /**
   * Connections that may wait for this server alone; one more is refused. A change counts from the next connection on.
   *
   * @throws OptionError
   */
  get queueMax(): number {
    return this.#queueMax;
  }

  set queueMax(queueMax: number) {
    this.#queueMax = count('queueMax', queueMax, this.#judgement.queueMax, 0);
  }

  /** @internal How long each but the last of several addresses may take. */
  addressMs(connectTimeout: number): number {
    return this.addresses.attemptMs(connectTimeout);
  }

  /** Attempts that failed in a row. */
  get failures(): number {
    return this.#known.failures;
  }

  /** Why it is in its state. */
  get cause(): Cause {
    return this.#known.cause;
  }

  /** Why no attempt is of use there, if so: it is chosen again after {@link Servers.restore}, or after a while. */
  get excluded(): Cause | undefined {
    return this.hasTag('usable') || this.hasTag('out') ? undefined : this.cause;
  }

  /** @internal */
  get health(): number {
    return this.#known.health;
  }

  /** @internal */
  get #known(): ServerContext {
    return this.instance.context as ServerContext;
  }

  /** @internal The checks that this process runs. */
  get checking(): Checks | undefined {
    return this.#checking?.running;
  }

  /**
   * Nothing new goes there; its sessions and its checks go on. {@link up} takes it back.
   *
   * @param cause why, for its cause; an `Error` will do
   * @throws OptionError for a cause that is none
   */
  drain(cause?: Report | Error): void {
    this.#wish('drain', cause);
  }

  /**
   * Nothing new goes there, and its checks rest. With `onDown: 'cut'` its sessions are cut. {@link up} takes it back.
   *
   * @param cause as for {@link drain}
   * @throws OptionError for a cause that is none
   */
  maintain(cause?: Report | Error): void {
    this.#wish('maintain', cause);
  }

  /**
   * Takes it back after {@link drain} or {@link maintain}.
   *
   * @param cause as for {@link drain}
   * @throws OptionError for a cause that is none
   */
  up(cause?: Report | Error): void {
    this.#wish('up', cause);
  }

  #wish(type: Wish['type'], cause: Report | Error | undefined): void {
    if (cause === undefined) {
      this.#order({ type });
      return;
    }
    // An error says why that is wanted; nothing has failed.
    const report: Report | undefined =
      cause instanceof Error
        ? { initiator: 'owner', manner: 'command', code: type, error: cause }
        : checkedReport(cause);
    if (report === undefined) {
      const expected = 'an Error, such as new Error("kernel update"), or an object with the words initiator and manner';
      throw new OptionError('cause', cause, expected);
    }
    this.#order({ type, cause: report });
  }

  /**
   * Removes it from its set: nothing new goes there, its sessions come to their ends, and those that are left at the deadline are
   * cut. A session that is cut says so: `cause.code` is `serverRemoved`. A persistent backend goes on to another server. Final.
   *
   * @returns how it ended: `closed`, or `aborted` if sessions were cut
   * @throws OptionError
   */
  remove(options: RemoveOptions = {}): Promise<Outcome> {
    const removal = removalOf(options);
    if (!this.hasTag('ending')) this.set.shared?.ordered({ type: 'remove', options }, this);
    this.instance.send({ type: 'server.close', ...removal });
    return this.closed;
  }

  /** @internal As {@link remove}, in this process alone. */
  leave(options: RemoveOptions = {}): Promise<Outcome> {
    this.instance.send({ type: 'server.close', ...removalOf(options) });
    return this.closed;
  }

  /**
   * Ends an ejection or an exclusion: what kept traffic from it was mended. It may be chosen at once.
   *
   * @param cause as for {@link drain}
   * @throws OptionError for a cause that is none
   */
  restore(cause?: Report | Error): void {
    this.#wish('restore', cause);
  }

  #order(order: ServerOrder): void {
    this.obey(order);
    this.shared?.ordered(order);
  }

  /** @internal Its owner wants this, here or in another process. */
  obey(order: ServerOrder): void {
    if (order.type === 'weight') this.#weight = order.weight;
    else if (order.type === 'connectionsMax') this.#connectionsMax = order.connectionsMax;
    else {
      const { type, cause } = order;
      this.instance.send({ type: `server.${type}`, ...(cause !== undefined && { cause }) });
      if (type !== 'restore') return;
      this.trialAt = 0;
      this.set.waiters.serve();
      return;
    }
    this.#change();
    this.set.waiters.serve();
  }

  /** @internal A connection has left it. */
  left(): void {
    this.connections--;
    this.shared?.freed();
    this.#tellEmpty();
  }

  /** True: new connections go there only while no other server can be chosen. */
  get backup(): boolean {
    return this.#backup;
  }

  /** @internal How an answer has its address. */
  rank(weight: number, backup: boolean): void {
    this.#backup = backup;
    this.#weight = weight;
    this.#change();
    this.set.waiters.serve();
  }

  /** @internal What can be changed while it runs is as that server has it, which was made of these options and is not used. */
  adapt(other: Server, options: ServerOptions): void {
    this.options = options;
    this.#connectionsMax = other.connectionsMax;
    this.#queueMax = other.queueMax;
    this.#weight = other.weight;
    this.#change();
    this.set.waiters.serve();
  }

  #change(): void {
    const { shared } = this;
    this.reports.review();
    const { step, settings } = this.#known;
    const isGrowing = this.hasTag('growing');
    const part = isGrowing ? Math.max(0.1, (step / settings.steps) ** (1 / this.#judgement.aggression)) : 1;
    this.placesInAll = isGrowing ? Math.max(1, Math.ceil(this.#connectionsMax * part)) : this.#connectionsMax;
    this.places = shared === undefined ? this.placesInAll : Math.min(this.placesInAll, shared.places);
    const share = this.#weight * part;
    if (share !== this.share) {
      this.share = share;
      this.set.picker.sharesChanged();
    }
    this.set.picker.stateChanged();
    shared?.changed();
  }

  /** @internal No connection tries it, and none of another process may. */
  get mayTry(): boolean {
    return this.trial === undefined && (this.shared === undefined || this.shared.mayTry);
  }

  /** @internal What this process may have there has changed. */
  sharesChanged(): void {
    const { shared } = this;
    if (shared === undefined) return;
    this.places = Math.min(this.placesInAll, shared.places);
    this.#checking?.mayChange();
    const mayBeTried = this.hasTag('trial') && this.mayTry;
    if (mayBeTried === this.mayBeTried) return;
    this.mayBeTried = mayBeTried;
    this.set.picker.stateChanged();
  }

  #announce(cause: Cause): void {
    const from = this.#seen;
    const to = seen(this.state);
    this.#seen = to;
    const change = { from, to, cause };
    this.history.noteChange(change);
    if (this.hasListeners('changed')) this.notify('changed', change);
    this.set.announce(this, change);
  }

  /** No connection is left, and its machine waits for that. */
  #tellEmpty(): void {
    if (!this.#isAwaited || this.connections > 0) return;
    this.#isAwaited = false;
    this.instance.send(EMPTIED);
  }

  /** @internal */
  override describe(): Description {
    return { server: this.name };
  }

  /** @internal What a listener or a balancer throws must not keep a server in a state that is over. */
  override commandFailed(_command: string, error: unknown): void {
    process.nextTick(() => {
      throw error;
    });
  }

  /** @internal */
  protected override finished(): void {
    this.occupants.stop();
    this.#checking?.stop();
    this.set.removed(this);
  }

  /** Its name. */
  override toString(): string {
    return this.name;
  }

  /** All that can be seen of it now. */
  info(): ServerInfo {
    const { ejections, step, settings } = this.#known;
    const stepMs = Math.ceil(settings.slowStart / settings.steps);
    return infoOf(this, { ejections, step, steps: settings.steps, stepMs });
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), ...this.info(), excluded: this.excluded };
  }
}
