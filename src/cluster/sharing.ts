/**
 * What the sets of servers of a worker share with those of the others, by way of the primary: see coordinator.ts. When the primary is
 * gone, each worker keeps what it was lent, and goes on by itself.
 */
import { serialize } from 'node:v8';
import type { CheckedChecks } from '../checks/checks.js';
import { OptionError } from '../errors.js';
import type { Verdict } from '../machines/functions/server.js';
import type { Cause } from '../machines/vocabulary.js';
import type { Timer } from '../runtime/clock.js';
import { hashOf } from '../upstream/balance/string-hash.js';
import { identityOf } from '../upstream/difference.js';
import type { Governor } from '../upstream/governor.js';
import { wake } from '../upstream/pacing.js';
import type { Server } from '../upstream/server.js';
import type { Servers } from '../upstream/servers.js';
import type { ServerOrder, SetOrder, SharedServer, SharedSet, Sharing } from '../upstream/sharing.js';
import { BEATS_MS } from './coordinator.js';
import { unpackCause } from './fields.js';
import { Holding, type HoldingOwner, type HoldingVoice } from './holding.js';
import {
  type Judged,
  type Kind,
  type Known,
  packTold,
  type ServerFacts,
  type ShareToPrimary,
  type ShareToWorker,
  type Standing,
} from './share-messages.js';

/** So long a worker may keep the trial of a server without using it, in milliseconds. */
const TRIAL_MS = 1_000;

type Say = (message: ShareToPrimary) => void;

/** Equal for checks that ask the same. */
function fingerprintOf(checks: CheckedChecks | undefined): string {
  if (checks === undefined) return '';
  const { by, at, tls, proxyProtocol, settings, rise, fall, init } = checks;
  const manner = typeof by === 'object' ? [by.send?.toString('base64'), String(by.expect)] : String(by);
  const where = at === undefined ? [] : [at.host, at.port, at.path];
  return String(hashOf(JSON.stringify([manner, where, tls, proxyProtocol, settings, rise, fall, init])));
}

const unpacked = (order: ServerOrder): ServerOrder =>
  'cause' in order && order.cause !== undefined ? { ...order, cause: unpackCause(order.cause) } : order;

function standingOf(server: Server): Standing {
  if (server.hasTag('choosable')) return 'choosable';
  if (server.hasTag('doubtful')) return 'judged';
  return server.hasTag('out') ? 'out' : 'other';
}

/** What an order replaces: of its own orders, a worker has done the latest already. */
const aboutOf = ({ type }: ServerOrder): string => (type === 'weight' || type === 'connectionsMax' ? type : 'wish');

/** A server of a set that this worker shares. */
class ServerLink implements SharedServer {
  readonly key: string;
  readonly #set: SetLink;
  readonly #server: Server;
  readonly #checks: string;
  readonly #places: Holding;
  readonly #trial: Holding;
  readonly #checking: Holding;
  #limit: number;
  #state: string;
  #health: number;
  /** A connection of this worker would have tried it. */
  #wouldTry = false;
  /** While it may try it. */
  #expiry: Timer | undefined = undefined;
  /** Orders of its own that are on their way, by what they are about. */
  readonly #ordered = new Map<string, number>();

  constructor(key: string, server: Server, set: SetLink) {
    this.key = key;
    this.#server = server;
    this.#set = set;
    this.#checks = fingerprintOf(server.checks);
    this.#limit = server.placesInAll;
    this.#state = server.state;
    this.#health = server.health;
    const changed = (): void => {
      server.sharesChanged();
      server.set.serve();
    };
    this.#places = this.#holding('places', {
      idle: () => Math.max(0, this.#places.held - server.connections),
      needs: () => this.#needs(),
      changed,
    });
    this.#trial = this.#holding('trial', {
      // It is not passed on before a connection could use it: it would go round among the workers.
      idle: () => (server.trial === undefined && !this.#wouldTry ? this.#trial.held : 0),
      needs: () => (this.#wouldTry && this.#trial.held === 0 ? 1 : 0),
      changed: () => {
        changed();
        this.#expire(this.#trial.held > 0);
      },
    });
    this.#checking = this.#holding('checks', {
      idle: () => 0,
      needs: () => 0,
      changed: () => server.sharesChanged(),
    });
    // What it has is its own until the primary has counted it.
    this.#places.held = server.connections;
  }

  #holding(kind: Kind, owner: HoldingOwner): Holding {
    const { say, name } = this.#set;
    const lent = { set: name, key: this.key, kind };
    const voice: HoldingVoice = {
      want: (total, isUrgent) => say({ do: 'want', ...lent, total, isUrgent }),
      give: (units, recent) => say({ do: 'give', ...lent, units, recent }),
    };
    return new Holding(owner, voice);
  }

  get facts(): ServerFacts {
    const { name, connections, placesInAll, state } = this.#server;
    const { key } = this;
    const checks = this.#checks;
    return { key, name, limit: placesInAll, inUse: connections, checks, state, standing: standingOf(this.#server) };
  }

  get places(): number {
    return this.#limit === Number.POSITIVE_INFINITY || this.#set.isApart ? this.#limit : this.#places.held;
  }

  get mayCheck(): boolean {
    return this.#set.isAlone || this.#checking.held > 0;
  }

  get mayTry(): boolean {
    return this.#set.isAlone || this.#trial.held > 0;
  }

  /** How many more connections could go there now if there were places. */
  #needs(): number {
    const { set, share, connections } = this.#server;
    const { held } = this.#places;
    const waiting = set.waitingFor(this.#server);
    if (waiting === 0 || connections < held || share === 0 || !this.#server.hasTag('usable')) return 0;
    return Math.max(0, Math.min(waiting, this.#limit - held));
  }

  filled(): void {
    if (this.#limit < Number.POSITIVE_INFINITY && this.#places.held < this.#limit) this.#places.askAhead();
  }

  freed(): void {
    if (this.#limit < Number.POSITIVE_INFINITY) this.#places.released();
  }

  /** A connection of the set waits, or none does any more. */
  waits(): void {
    if (this.#limit < Number.POSITIVE_INFINITY) this.#places.ask();
  }

  untried(): void {
    if (this.#wouldTry) return;
    this.#wouldTry = true;
    this.#trial.ask();
  }

  /** A worker whose connections do not come must not keep the trial from the others. */
  #expire(isHeld: boolean): void {
    const { clock } = this.#server;
    if (this.#expiry !== undefined) clock.clearTimeout(this.#expiry);
    this.#expiry = isHeld ? wake(clock, () => this.#trialUnused(), TRIAL_MS) : undefined;
  }

  #trialUnused(): void {
    this.#expiry = undefined;
    this.#wouldTry = false;
    if (this.#server.trial === undefined) this.#trial.giveUp();
  }

  /** It is known to all: it gets in line for its checks. */
  joined(): void {
    if (this.#checks === '') return;
    this.#checking.askAhead();
    this.#set.owner.checksChanged(this, true);
  }

  checked(cause: Cause | undefined, tookMs: number | undefined): boolean {
    if (this.#set.isAlone) return false;
    this.#set.say({ do: 'checked', set: this.#set.name, key: this.key, cause, tookMs });
    return true;
  }

  judged(cause: Cause, isLoss: boolean, verdict: Verdict): void {
    this.#set.say({ do: 'judged', set: this.#set.name, key: this.key, judged: { cause, isLoss, ...verdict } });
  }

  proven(): void {
    this.#set.say({ do: 'proven', set: this.#set.name, key: this.key });
  }

  ordered(order: ServerOrder): void {
    const about = aboutOf(order);
    this.#ordered.set(about, (this.#ordered.get(about) ?? 0) + 1);
    this.#set.say({ do: 'order', set: this.#set.name, key: this.key, order, isOwn: true });
  }

  changed(): void {
    const { placesInAll, connections, trial } = this.#server;
    const { say, name } = this.#set;
    if (placesInAll !== this.#limit) {
      // Until the primary has counted what is there it has no more.
      if (this.#limit === Number.POSITIVE_INFINITY) this.#places.held = connections;
      if (placesInAll === Number.POSITIVE_INFINITY) this.#places.held = 0;
      this.#limit = placesInAll;
      say({ do: 'limit', set: name, key: this.key, limit: placesInAll, inUse: connections });
      this.#server.sharesChanged();
    }
    if (!this.#server.hasTag('doubtful')) {
      this.#wouldTry = false;
      this.#trial.giveUp();
    } else if (trial === undefined) this.#trial.released();
    this.tellState();
  }

  /** The others may have to know. */
  tellState(): void {
    const { state, health } = this.#server;
    if (state === this.#state && health === this.#health) return;
    this.#state = state;
    this.#health = health;
    const standing = standingOf(this.#server);
    this.#set.say({ do: 'state', set: this.#set.name, key: this.key, state, standing, health });
  }

  ended(): void {
    this.stop();
    this.#set.forget(this);
  }

  stop(): void {
    this.#expire(false);
  }

  /** What a server is that nobody else has, or whose primary is gone. */
  alone(): void {
    this.#server.sharesChanged();
  }

  granted(kind: Kind, units: number, recent: readonly number[], isMet: boolean): void {
    this.#of(kind).granted(units, recent, isMet);
  }

  recalled(kind: Kind, units: number, fair: number, isUrgent: boolean): void {
    this.#of(kind).recalled(units, fair, isUrgent);
  }

  revoked(kind: Kind): void {
    this.#of(kind).revoked();
    this.joined();
  }

  #of(kind: Kind): Holding {
    return kind === 'places' ? this.#places : kind === 'trial' ? this.#trial : this.#checking;
  }

  /** A check has told this, here or elsewhere. */
  hears(cause: Cause | undefined, tookMs: number | undefined): void {
    if (cause === undefined) this.#server.checkPassed(tookMs);
    else this.#server.checkFailed(unpackCause(cause), tookMs);
    if (this.#checking.held > 0) this.tellState();
  }

  hearsJudged({ cause, isLoss, restMs, ejections }: Judged): void {
    this.#server.judgedBy(unpackCause(cause), isLoss, { restMs, ejections });
  }

  hearsProven(): void {
    this.#server.connected();
  }

  /** While an order of its own is on its way, that one is the later one. */
  hearsOrder(order: ServerOrder, isOwn: boolean): void {
    const about = aboutOf(order);
    const left = this.#ordered.get(about) ?? 0;
    if (isOwn) this.#ordered.set(about, Math.max(0, left - 1));
    else if (left === 0) this.#server.obey(unpacked(order));
  }

  leaves(order: SetOrder): void {
    if (order.type === 'remove') void this.#server.leave(order.options);
  }

  /** What the others know of it holds here, too. */
  learns({ health, orders, judged }: Known): void {
    const server = this.#server;
    if (health !== undefined && health !== server.health && server.checks !== undefined) {
      const { rise, fall } = server.checks;
      const full = rise + fall - 1;
      // From whatever it begins with: to the bottom, or to the top, and back.
      if (health < rise) server.recall(health, full, true);
      else server.recall(full, full - health, false);
    }
    if (judged !== undefined) this.hearsJudged(judged);
    for (const order of orders) server.obey(unpacked(order));
  }
}

/** A set that this worker shares. */
class SetLink implements SharedSet {
  readonly owner: WorkerSharing;
  readonly name: string;
  readonly say: Say;
  readonly #set: Servers;
  readonly #links = new Map<string, ServerLink>();
  readonly #governor: Governor | undefined;
  readonly #dials: Holding | undefined;
  /** What it is told changes it as if it were told by its owner, and is not told again. */
  #isJoined = false;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(set: Servers, name: string, governor: Governor | undefined, owner: WorkerSharing, say: Say) {
    this.#set = set;
    this.name = name;
    this.owner = owner;
    this.say = say;
    // One governor of several sets is shared by the first of them.
    this.#governor = governor?.shared === undefined && !owner.isAlone ? governor : undefined;
    this.#dials = this.#governor && this.#governs(this.#governor);
    queueMicrotask(() => this.#join());
  }

  get isAlone(): boolean {
    return this.owner.isAlone;
  }

  /** The primary has never answered: it knows nothing of this sharing. */
  get isApart(): boolean {
    return this.owner.isAlone && !this.#isJoined;
  }

  get isJoined(): boolean {
    return this.#isJoined;
  }

  #governs(governor: Governor): Holding {
    const { clock } = this.#set;
    const lent = { set: this.name, key: '', kind: 'dials' } as const;
    // All dials are lent by the primary.
    governor.take(governor.share, clock.now());
    const holding = new Holding(
      {
        idle: () => (this.#set.waiting > 0 ? 0 : holding.held),
        needs: () => (this.#set.waiting > 0 && governor.waitMs(clock.now()) > 0 ? this.#set.waiting : 0),
        changed: () => this.#set.serve(),
        take: (units) => governor.take(units, clock.now()),
        put: (units, recent) => governor.put(units, recent, clock.now()),
      },
      {
        want: (total, isUrgent) =>
          this.say({ do: 'want', ...lent, total: Math.min(total, governor.perSecond), isUrgent }),
        give: (units, recent) => this.say({ do: 'give', ...lent, units, recent }),
      },
    );
    governor.shared = {
      began: () => holding.released(),
      failed: (now) => {
        // A crowd that fails is told once in a while.
        if (now - this.#failedAt < 100) return;
        this.#failedAt = now;
        this.say({ do: 'failed', set: this.name });
      },
    };
    return holding;
  }

  #join(): void {
    const servers = [...this.#links.values()].map(({ facts }) => facts);
    const perSecond = this.#governor?.perSecond ?? 0;
    this.say({ do: 'join', set: this.name, servers, perSecond, ejectedShare: this.#set.ejectedShare });
  }

  added(server: Server): SharedServer {
    const identity = identityOf(server.options);
    let key = identity;
    for (let count = 2; this.#links.has(key); count++) key = `${identity} #${count}`;
    const link = new ServerLink(key, server, this);
    this.#links.set(key, link);
    if (this.#isJoined) this.say({ do: 'add', set: this.name, server: link.facts });
    return link;
  }

  forget(link: ServerLink): void {
    if (!this.#links.delete(link.key)) return;
    this.owner.checksChanged(link, false);
    this.say({ do: 'gone', set: this.name, key: link.key });
  }

  waits(): void {
    this.#dials?.ask();
    for (const link of this.#links.values()) link.waits();
  }

  ordered(order: SetOrder, server?: Server): void {
    let key = '';
    if (order.type === 'remove') key = (server?.shared as ServerLink | undefined)?.key ?? '';
    else {
      const list = order.type === 'add' ? [order.options] : order.list;
      for (const options of list) mustBeSendable(options);
      if (order.type === 'add') key = identityOf(order.options);
    }
    this.say({ do: 'list', set: this.name, key, order });
  }

  ended(): void {
    for (const link of this.#links.values()) {
      link.stop();
      this.owner.checksChanged(link, false);
    }
    this.#links.clear();
    this.owner.forget(this);
    this.say({ do: 'leave', set: this.name });
  }

  /** The primary is gone, or is of another version. */
  alone(): void {
    for (const link of this.#links.values()) link.alone();
    if (this.isApart) this.#governor?.put(this.#governor.perSecond, [], this.#set.clock.now());
    this.#set.serve();
  }

  hears(message: Exclude<ShareToWorker, { do: 'beat' }>): void {
    if (message.do === 'joined') {
      this.#hearsJoined(message);
      return;
    }
    if (message.do === 'failed') {
      this.#governor?.failedElsewhere(this.#set.clock.now());
      return;
    }
    if (message.do === 'list') {
      this.#hearsList(message.key, message.order);
      return;
    }
    if ('kind' in message && message.kind === 'dials') {
      if (message.do === 'granted') this.#dials?.granted(message.units, message.recent, message.isMet);
      else if (message.do === 'recalled') this.#dials?.recalled(message.units, message.fair, message.isUrgent);
      return;
    }
    const link = this.#links.get(message.key);
    if (link === undefined) return;
    if (message.do === 'checked') link.hears(message.cause, message.tookMs);
    else if (message.do === 'judged') link.hearsJudged(message.judged);
    else if (message.do === 'proven') link.hearsProven();
    else if (message.do === 'order') link.hearsOrder(message.order, message.isOwn);
    else if (message.do === 'granted') link.granted(message.kind, message.units, message.recent, message.isMet);
    else if (message.do === 'recalled') link.recalled(message.kind, message.units, message.fair, message.isUrgent);
    else link.revoked(message.kind);
  }

  #hearsJoined({ known, list }: Extract<ShareToWorker, { do: 'joined' }>): void {
    const isFirst = !this.#isJoined;
    this.#isJoined = true;
    for (const one of known) {
      const link = this.#links.get(one.key);
      link?.learns(one);
      link?.joined();
    }
    if (!isFirst) return;
    for (const { key, order } of list) this.#hearsList(key, order);
    this.owner.joined();
  }

  #hearsList(key: string, order: SetOrder): void {
    try {
      if (order.type === 'remove') this.#links.get(key)?.leaves(order);
      else this.#set.obey(order);
    } catch (error) {
      // It was checked where it was given; here the module may have been given other options.
      process.emitWarning(`What another worker has changed in the servers of ${this.name} does not fit here: ${error}`);
    }
  }
}

/** @throws OptionError for options that cannot be sent to another process */
export function mustBeSendable(options: object, path = 'server'): void {
  if (options === null || typeof options !== 'object') throw new OptionError(path, options, 'an object of options');
  const expected = 'what can be sent to another process, since the workers of a cluster share the set';
  for (const [name, value] of Object.entries(options)) {
    try {
      serialize(value);
    } catch {
      throw new OptionError(`${path}.${name}`, value, expected);
    }
  }
}

/** All sets of this worker that are shared. */
export class WorkerSharing implements Sharing {
  readonly #say: Say;
  readonly #sets = new Map<string, SetLink>();
  /** The servers that this worker checks, or is in line to check. */
  readonly #checked = new Set<ServerLink>();
  #beats: ReturnType<typeof setInterval> | undefined;
  #isAlone = false;
  #settled: (() => void) | undefined;

  constructor(say: Say) {
    this.#say = (message) => {
      if (!this.#isAlone) say(packTold(message));
    };
  }

  get isAlone(): boolean {
    return this.#isAlone;
  }

  join(set: Servers, name: string, governor: Governor | undefined): SharedSet {
    if (this.#sets.has(name)) throw new OptionError('shareAs', name, 'a name that no other set of this process has');
    const link = new SetLink(set, name, governor, this, this.#say);
    this.#sets.set(name, link);
    return link;
  }

  forget({ name }: SetLink): void {
    this.#sets.delete(name);
    this.joined();
  }

  hears(message: ShareToWorker): void {
    this.#sets.get(message.set)?.hears(message);
  }

  /** The primary is gone: each for itself. */
  alone(): void {
    if (this.#isAlone) return;
    this.#isAlone = true;
    if (this.#beats !== undefined) clearInterval(this.#beats);
    for (const set of this.#sets.values()) set.alone();
    this.#settled?.();
  }

  /** Resolves when all that the others know is known here. */
  settled(): Promise<void> {
    if (this.#isAlone || this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled = () => {
        this.#settled = undefined;
        resolve();
      };
    });
  }

  get #isSettled(): boolean {
    return [...this.#sets.values()].every(({ isJoined }) => isJoined);
  }

  joined(): void {
    if (this.#isSettled) this.#settled?.();
  }

  /** As long as it checks, or may have to, it says that it lives. */
  checksChanged(link: ServerLink, checks: boolean): void {
    if (checks) this.#checked.add(link);
    else this.#checked.delete(link);
    if (this.#checked.size === 0) {
      clearInterval(this.#beats);
      this.#beats = undefined;
    } else this.#beats ??= setInterval(() => this.#say({ do: 'beat' }), BEATS_MS).unref();
  }
}
