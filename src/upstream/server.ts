import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { CheckedChecks, Checks } from '../checks/checks.js';
import { OptionError } from '../errors.js';
import { ServerInstance } from '../generated/server.js';
import {
  type CloseOptions,
  callListeners,
  checkedReport,
  type Environment,
  Handle,
  type HandleKind,
  kindOf,
} from '../handle.js';
import type { Verdict } from '../machines/functions/server.js';
import { CHECK_LIMITS } from '../machines/limits.js';
import type { ServerCommand, ServerContext, ServerEvent, ServerSettings } from '../machines/server.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { count, flag, hook, integer, onlyKnown, port, text, timeout } from '../options.js';
import { type ServerProxyProtocol, serverProxyProtocol } from '../proxy-protocol.js';
import type { Description } from '../runtime/instance.js';
import { hostAndPort } from '../text.js';
import { type CheckedServerTls, serverTls } from '../tls.js';
import { Addresses } from './addresses.js';
import { weightOf } from './balance/weight.js';
import { type ChecksOptions, checksOf } from './check-options.js';
import { Occupants } from './occupants.js';
import type { Line } from './queue.js';
import type { Requester } from './requester.js';
import { ServerChecks } from './server-checks.js';
import { ServerHistory } from './server-history.js';
import { infoOf, type ServerInfo } from './server-info.js';
import type { ServerName } from './server-name.js';
import {
  addressMsOf,
  type ConnectHook,
  familyOf,
  HOST_OPTIONS,
  isNamed,
  localAddressOf,
  SERVER_OPTIONS,
  type ServerOptions,
} from './server-options.js';
import type { Servers } from './servers.js';
import type { Judgement } from './servers-options.js';
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

/** Options of a removal. */
export interface RemoveOptions extends CloseOptions {
  /** Over how much time sessions that are cut at the deadline are cut, in milliseconds. Default 0: all at once. */
  readonly spreadMs?: number | undefined;
}

const REMOVE_OPTIONS = ['timeoutMs', 'spreadMs'];

/** @internal @throws OptionError */
export function removalOf(options: RemoveOptions): { spreadMs: number; timeoutMs?: number } {
  onlyKnown('remove', options, REMOVE_OPTIONS);
  const spreadMs = integer('spreadMs', options.spreadMs, 0, 0, 86_400_000);
  const { timeoutMs } = options;
  return timeoutMs === undefined ? { spreadMs } : { spreadMs, timeoutMs: timeout('timeoutMs', timeoutMs, 0) };
}

/** @internal What all servers of a set share. */
export interface ServerConfig {
  readonly judgement: Judgement;
  readonly lookup: LookupFunction | undefined;
  readonly checks: ChecksOptions | undefined;
  readonly environment: Environment;
  readonly random: () => number;
}

/** @internal The name that has brought a server, and why there is this server. */
export interface ServerOrigin {
  readonly name: ServerName;
  readonly cause: Cause;
}

const KNOWN_FAILED: Cause = { initiator: 'library', manner: 'error', phase: 'checking', code: 'checkedBefore' };
const PASSED = { type: 'check.passed' } as const;
const CONNECTED = { type: 'traffic.connected' } as const;
const LASTED = { type: 'traffic.lasted' } as const;
const GRANTED = { type: 'trial.granted' } as const;
const GIVEN_UP = { type: 'trial.givenUp' } as const;
const EMPTIED = { type: 'sessions.emptied' } as const;

/** A path without what goes without saying: `serving.trying.free` is `trying`. */
const seen = (state: string): string => state.replace(/^serving\.|\.(?:free|underway|wanted|drained|maintained)$/g, '');

/** What its machine is told; `checksOf` checks the options of the checks afterwards. */
function settingsOf(
  { settings }: Judgement,
  own: ServerOptions['checks'],
  shared: ChecksOptions | undefined,
): ServerSettings {
  if (own === false || (own === undefined && shared === undefined)) return settings;
  const { rise, fall, init = 'up' } = { ...shared, ...(typeof own === 'object' && own) };
  return { ...settings, rise: rise ?? CHECK_LIMITS.rise.fallback, fall: fall ?? CHECK_LIMITS.fall.fallback, init };
}

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
    ...kindOf('server', ServerInstance),
    events: { changed: true, closed: true },
    commands: {
      'sessions.await': (server) => server.#awaitSessions(),
      'sessions.cut': (server, { spreadMs, cause, deliver }) =>
        server.#cutSessions('serverRemoved', spreadMs, cause, deliver),
      'sessions.release': (server, { cause }) => server.#releaseSessions(cause),
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
  readonly #addresses: Addresses;
  /** @internal The connections that have a place there. */
  readonly occupants: Occupants;
  /** @internal */
  readonly history: ServerHistory;
  /** @internal Something is held against it: what traffic tells has to be reported. */
  isDoubted = false;
  /** @internal The next connection may try it. */
  mayBeTried = false;
  readonly #judgement: Judgement;
  readonly #random: () => number;
  readonly #checking: ServerChecks | undefined;
  /** @internal In a worker of a cluster: what it has in common with the servers of the same name in the others. */
  shared: SharedServer | undefined = undefined;
  #isAwaited = false;
  #seen: string | undefined = undefined;
  #connectionsMax: number;
  #queueMax: number;

  /** @internal @param name what it is called in errors */
  constructor(options: ServerOptions, name: string, set: Servers, config: ServerConfig, origin?: ServerOrigin) {
    onlyKnown(name, options, SERVER_OPTIONS, `${name}.`);
    const { judgement, lookup, checks, environment, random } = config;
    const settings = settingsOf(judgement, options.checks, checks);
    super(Server.kind, { settings, cause: origin?.cause }, environment, origin?.name);
    this.set = set;
    this.occupants = new Occupants(environment.clock);
    this.history = new ServerHistory(environment.clock);
    this.options = options;
    this.#judgement = judgement;
    this.#random = random;
    if (isNamed(options)) {
      throw new OptionError(`${name}.addresses`, options.addresses, 'given in a list of servers, or to addName()');
    }
    if (options.path !== undefined && options.port !== undefined) {
      throw new OptionError(`${name}.path`, options.path, 'left out when a port is given');
    }
    this.path = options.path === undefined ? undefined : text(`${name}.path`, options.path);
    const hasNoAddress = this.path !== undefined || (options.connect !== undefined && options.port === undefined);
    this.port = hasNoAddress ? undefined : port(`${name}.port`, options.port, 1);
    this.host = options.host === undefined ? '127.0.0.1' : text(`${name}.host`, options.host);
    this.#connectionsMax = count(`${name}.connectionsMax`, options.connectionsMax, Number.POSITIVE_INFINITY);
    this.placesInAll = this.#connectionsMax;
    this.places = this.#connectionsMax;
    this.#queueMax = count(`${name}.queueMax`, options.queueMax, judgement.queueMax, 0);
    this.#backup = flag(`${name}.backup`, options.backup, false);
    this.#weight = options.weight === undefined ? 1 : weightOf(`${name}.weight`, options.weight);
    this.share = this.#weight;
    this.connect = hook(`${name}.connect`, options.connect);
    this.tls = serverTls(`${name}.tls`, options.tls, this.path === undefined ? this.host : 'localhost');
    if (this.tls !== undefined && this.connect !== undefined) {
      throw new OptionError(`${name}.tls`, 'given', 'left out where connect is given, which opens the socket');
    }
    this.proxyProtocol = serverProxyProtocol(`${name}.proxyProtocol`, options.proxyProtocol);
    for (const option of HOST_OPTIONS) {
      if (options[option] === undefined || (this.path === undefined && this.connect === undefined)) continue;
      throw new OptionError(`${name}.${option}`, options[option], 'left out where path or connect is given');
    }
    this.localAddress = localAddressOf(name, options, isIP(this.host));
    this.family = familyOf(name, options, isIP(this.host));
    this.#addresses = new Addresses(addressMsOf(name, options));
    const own = hook(`${name}.lookup`, options.lookup);
    this.lookup =
      isIP(this.host) === 0 ? this.#addresses.noting(own ?? lookup, this.family, () => this.failures) : undefined;
    this.name = options.name === undefined ? this.#address : text(`${name}.name`, options.name);
    this.checks = checksOf(name, this, options.checks, checks, own ?? lookup);
    const { clock, runtime, inContext } = environment;
    this.#checking = this.checks && new ServerChecks(this, this.checks, { clock, runtime, inContext, random });
    const { onError } = judgement.settings;
    if (onError !== 'eject' && this.checks === undefined) {
      throw new OptionError(
        'ejection.onError',
        onError,
        `"eject" where a server has no checks, as ${this.name} has none`,
      );
    }
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

  get #address(): string {
    return this.path ?? (this.port === undefined ? this.host : hostAndPort(this.host, this.port));
  }

  /** @internal How long each but the last of several addresses may take. */
  addressMs(connectTimeout: number): number {
    return this.#addresses.attemptMs(connectTimeout);
  }

  /** @internal A connection has come up: the address that it goes to is tried first from now on. */
  cameUp({ remoteAddress }: Socket): void {
    this.#addresses.cameUp(remoteAddress);
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
      throw new OptionError(
        'cause',
        cause,
        'an Error, such as new Error("kernel update"), or an object with the words initiator and manner',
      );
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

  /** @internal What the checks have told before, in another process, is told again. */
  recall(passed: number, failed: number, isFailedFirst: boolean): void {
    const pass = (): void => {
      for (let step = 0; step < passed; step++) this.instance.send(PASSED);
    };
    if (!isFailedFirst) pass();
    for (let step = 0; step < failed; step++) this.instance.send({ type: 'check.failed', cause: KNOWN_FAILED });
    if (isFailedFirst) pass();
  }

  /** @internal A check has passed, of this process or another. @param tookMs nothing where that is not known */
  checkPassed(tookMs?: number): void {
    this.history.noteCheck('passed', tookMs);
    this.instance.send(PASSED);
  }

  /** @internal */
  checkFailed(cause: Cause, tookMs?: number): void {
    this.history.noteCheck('failed', tookMs, cause);
    this.instance.send({ type: 'check.failed', cause });
  }

  /** @internal */
  checkUndecided(cause: Cause, tookMs?: number): void {
    this.history.noteCheck('undecided', tookMs, cause);
  }

  /** @internal One connection tries it. */
  tryBy(requester: Requester): void {
    this.trial = requester;
    requester.trial = this;
    if (!this.mayBeTried) return;
    // Its machine may be in the middle of a transition, in which those that wait are served: the next one must not get it, too.
    this.mayBeTried = false;
    this.set.picker.stateChanged();
    this.instance.send(GRANTED);
  }

  /** @internal That connection is over, and has told nothing. */
  trialGivenUp(): void {
    this.instance.send(GIVEN_UP);
  }

  /** @internal An attempt has come up. */
  connected(): void {
    const { shared } = this;
    const wasDoubtful = shared !== undefined && this.hasTag('doubtful');
    this.instance.send(CONNECTED);
    this.#doubt();
    if (wasDoubtful && !this.hasTag('doubtful')) shared.proven();
  }

  /** @internal An attempt has failed. `mends`: in how many milliseconds it may be mended, if no attempt is of use before. */
  attemptFailed(cause: Cause, mayEject: boolean, mends: number | undefined): void {
    this.isDoubted = true;
    this.history.noteFailure('attempt', cause);
    const failed = { type: 'traffic.failed', cause, mayEject, random: mayEject ? this.#random() : 0 } as const;
    this.#judge(mends === undefined ? failed : { ...failed, mends });
  }

  /** What comes of it is known to the other processes, too. */
  #judge(event: Extract<ServerEvent, { type: 'traffic.failed' | 'traffic.dropped' }>): void {
    const { shared } = this;
    if (shared === undefined) {
      this.instance.send(event);
      return;
    }
    const { ejections, failures, losses, settings } = this.#known;
    const isLoss = event.type === 'traffic.dropped';
    const isMark = settings.onError !== 'eject' && (isLoss ? losses : failures) + 1 >= settings.failures;
    this.instance.send(event);
    const known = this.#known;
    if (isMark || known.ejections > ejections) {
      shared.judged(event.cause as Cause, isLoss, { restMs: known.restMs, ejections: known.ejections });
    }
  }

  /** @internal The traffic of another process has judged it. */
  judgedBy(cause: Cause, isLoss: boolean, verdict: Verdict): void {
    this.isDoubted = true;
    const type = isLoss ? 'traffic.dropped' : 'traffic.failed';
    this.instance.send({ type, cause, mayEject: true, random: 0, verdict });
    this.#doubt();
  }

  /** @internal A connection that had come up is over, after this time. */
  wasLost(cause: Cause, mayEject: boolean): void {
    this.history.noteFailure('connection', cause);
    this.#judge({ type: 'traffic.dropped', cause, mayEject, random: mayEject ? this.#random() : 0 });
  }

  /** @internal A connection has lasted. */
  lasted(): void {
    if (this.#known.losses > 0) this.instance.send(LASTED);
  }

  /** @internal A connection has left it. */
  left(): void {
    this.connections--;
    this.shared?.freed();
    if (this.#isAwaited && this.connections === 0) this.#tellEmpty();
  }

  /** @internal A backup is needed no more. */
  relieve(cause: Cause): void {
    this.#cutSessions('backupOver', 0, cause, true);
  }

  /** True: new connections go there only while no other server can be chosen. */
  get backup(): boolean {
    return this.#backup;
  }

  /** @internal Its name was answered, or was not for too long. */
  addressed(type: 'address.found' | 'address.lost' | 'address.gone', cause: Report): void {
    this.instance.send({ type, cause });
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

  /** @internal Calls listeners of its set. */
  notifyBy(listeners: readonly unknown[], change: unknown): void {
    this.inContext(callListeners, this.set, listeners, [change]);
  }

  #change(): void {
    const { shared } = this;
    const isDue = this.hasTag('trial');
    this.mayBeTried = isDue && this.#mayTry;
    // The trial that began before its owner, or another failure, took it out goes on: it is still the one that tries it.
    if (isDue && this.trial !== undefined) this.instance.send(GRANTED);
    this.#doubt();
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

  /** No connection tries it, and none of another process may. */
  get #mayTry(): boolean {
    return this.trial === undefined && (this.shared === undefined || this.shared.mayTry);
  }

  /** @internal What this process may have there has changed. */
  sharesChanged(): void {
    const { shared } = this;
    if (shared === undefined) return;
    this.places = Math.min(this.placesInAll, shared.places);
    this.#checking?.mayChange();
    const mayBeTried = this.hasTag('trial') && this.#mayTry;
    if (mayBeTried === this.mayBeTried) return;
    this.mayBeTried = mayBeTried;
    this.set.picker.stateChanged();
  }

  #doubt(): void {
    this.isDoubted = !this.hasTag('choosable') || this.#known.failures > 0;
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

  #awaitSessions(): void {
    this.#isAwaited = true;
    if (this.connections === 0) this.#tellEmpty();
  }

  #tellEmpty(): void {
    this.#isAwaited = false;
    this.instance.send(EMPTIED);
  }

  #releaseSessions(cause: Cause): void {
    if (this.#judgement.cutsOnDown) this.#cutSessions('serverDown', 0, cause, true);
  }

  #cutSessions(code: string, spreadMs: number, { initiator }: Cause, deliver: boolean): void {
    const cause: Report = { initiator: initiator === 'owner' ? 'owner' : 'library', manner: 'abort', code };
    this.occupants.cut(cause, spreadMs, deliver);
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
