/** A server of a shared set in a worker: what this worker has been lent of it, and what the others tell of it. */
import type { CheckedChecks } from '../checks/checks.js';
import type { Verdict } from '../machines/functions/server.js';
import type { Cause } from '../machines/vocabulary.js';
import type { Timer } from '../runtime/clock.js';
import { hashOf } from '../upstream/balance/string-hash.js';
import { wake } from '../upstream/pacing.js';
import type { Server } from '../upstream/server.js';
import type { ServerOrder, SetOrder, SharedServer } from '../upstream/sharing.js';
import { unpackCause } from './fields.js';
import { Holding, type HoldingOwner, type HoldingVoice } from './holding.js';
import type { SetLink } from './set-link.js';
import type { Judged, Kind, Known, ServerFacts, Standing } from './share-messages.js';

/** So long a worker may keep the trial of a server without using it, in milliseconds. */
const TRIAL_MS = 1_000;

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
export class ServerLink implements SharedServer {
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
      server.set.waiters.serve();
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
    const waiting = set.waiters.sizeFor(this.#server);
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
    if (cause === undefined) this.#server.reports.checkPassed(tookMs);
    else this.#server.reports.checkFailed(unpackCause(cause), tookMs);
    if (this.#checking.held > 0) this.tellState();
  }

  hearsJudged({ cause, isLoss, restMs, ejections }: Judged): void {
    this.#server.reports.judgedBy(unpackCause(cause), isLoss, { restMs, ejections });
  }

  hearsProven(): void {
    this.#server.reports.connected();
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
      if (health < rise) server.reports.recall(health, full, true);
      else server.reports.recall(full, full - health, false);
    }
    if (judged !== undefined) this.hearsJudged(judged);
    for (const order of orders) server.obey(unpacked(order));
  }
}
