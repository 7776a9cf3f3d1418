/**
 * What the workers of a cluster share, as the primary keeps it: it lends, passes on what one tells to the others, and tells all
 * of it to a worker that starts later. It judges nothing but an ejection, since two workers may eject the last two servers
 * at the same time.
 *
 * Checks are run by a worker and not here: a check may be a function of the user's, or need the TLS options of the server, and the
 * primary has neither.
 */
import type { Clock, Timer } from '../runtime/clock.js';
import type { ServerOrder, SetOrder } from '../upstream/sharing.js';
import { Pool } from './pool.js';
import type {
  Judged,
  Kind,
  Known,
  ListOrder,
  ServerFacts,
  ShareToPrimary,
  ShareToWorker,
  Standing,
  Told,
} from './share-messages.js';

/** A process that shares. */
export interface Member {
  /** Of the `data` that its module got: a new one is a new list of servers. */
  readonly generation: number;
  say(message: ShareToWorker): void;
}

/** A worker that checks, or is in line to, and says nothing for so long, hangs: another one checks in its place. */
export const BEATS_MS = 500;
const SILENCE_MS = 2_000;

/** The workers that have the same checks. */
interface Checking {
  readonly pool: Pool<Member>;
  health: number | undefined;
}

/** One server, in all workers that have it. */
export class SharedServer {
  readonly members = new Map<Member, { checks: string; state: string; standing: Standing }>();
  readonly checks = new Map<string, Checking>();
  readonly trial: Pool<Member>;
  places: Pool<Member> | undefined;
  judged: (Judged & { readonly until: number }) | undefined;
  /** What its owner wants, by what it is about. */
  readonly orders = new Map<string, ServerOrder>();

  constructor(
    readonly key: string,
    readonly name: string,
    readonly poolOf: (kind: Kind, limit: number) => Pool<Member>,
  ) {
    this.trial = poolOf('trial', 1);
  }

  get state(): string {
    const [first] = this.members.values();
    return first?.state ?? '';
  }

  get standing(): Standing | undefined {
    const [first] = this.members.values();
    return first?.standing;
  }

  poolFor(kind: Kind, member: Member): Pool<Member> | undefined {
    if (kind === 'trial') return this.trial;
    if (kind === 'places') return this.places;
    return kind === 'checks' ? this.checkingOf(member)?.pool : undefined;
  }

  checkingOf(member: Member): Checking | undefined {
    return this.checks.get(this.members.get(member)?.checks ?? '');
  }

  known(member: Member, now: number): Known {
    const { judged } = this;
    return {
      key: this.key,
      health: this.checkingOf(member)?.health,
      orders: [...this.orders.values()],
      judged: judged && {
        cause: judged.cause,
        isLoss: judged.isLoss,
        ejections: judged.ejections,
        restMs: Math.max(1, judged.until - now),
      },
    };
  }
}

class SharedSetOfServers {
  readonly members = new Set<Member>();
  readonly servers = new Map<string, SharedServer>();
  dials: Pool<Member> | undefined;
  /** How its list has changed since it was made. */
  list: ListOrder[] = [];
  generation = 0;
  ejectedShare = 1;
}

/** What an order replaces. */
const aboutOf = ({ type }: ServerOrder): string => (type === 'weight' || type === 'connectionsMax' ? type : 'wish');

export class Coordinator {
  readonly #workers: number;
  readonly #clock: Clock;
  readonly #sets = new Map<string, SharedSetOfServers>();
  /** When each was heard last, of those that check or are in line to. */
  readonly #heardAt = new Map<Member, number>();
  #watch: Timer | undefined;
  #watchedAt = 0;

  /** @param workers among so many what is lent is divided at first */
  constructor(workers: number, clock: Clock) {
    this.#workers = workers;
    this.#clock = clock;
  }

  get names(): readonly string[] {
    return [...this.#sets.keys()];
  }

  serversOf(set: string): SharedServer[] {
    return [...(this.#sets.get(set)?.servers.values() ?? [])];
  }

  /** The owner of the cluster wants this of a server. */
  order(set: string, key: string, order: ServerOrder): boolean {
    const server = this.#sets.get(set)?.servers.get(key);
    if (server === undefined) return false;
    this.#ordered(set, server, order, undefined);
    return true;
  }

  /** The owner of the cluster wants this of a set. */
  orderList(set: string, key: string, order: SetOrder): boolean {
    const shared = this.#sets.get(set);
    if (shared === undefined) return false;
    this.#listed(set, shared, { key, order }, undefined);
    return true;
  }

  /** The process is gone. */
  left(member: Member): void {
    this.#heardAt.delete(member);
    for (const set of this.#sets.values()) this.#leaves(set, member);
  }

  heard(member: Member, message: ShareToPrimary): void {
    if (this.#heardAt.has(member)) this.#heardAt.set(member, this.#clock.now());
    if (message.do === 'beat') return;
    if (message.do === 'join') {
      this.#joins(member, message);
      return;
    }
    const set = this.#sets.get(message.set);
    if (set === undefined || !set.members.has(member)) return;
    if (message.do === 'leave') {
      this.#leaves(set, member);
      if (set.members.size === 0) this.#sets.delete(message.set);
    } else if (message.do === 'add') {
      this.#adds(message.set, set, member, message.server);
      const server = set.servers.get(message.server.key) as SharedServer;
      const known = [server.known(member, this.#clock.now())];
      member.say({ do: 'joined', set: message.set, known, list: [] });
    } else if (message.do === 'failed') this.#pass(set, member, message);
    else if (message.do === 'list') this.#listed(message.set, set, message, member);
    else if ('kind' in message && message.kind === 'dials') {
      if (message.do === 'want') set.dials?.want(member, message.total, message.isUrgent);
      else set.dials?.give(member, message.units, message.recent);
    } else {
      const server = set.servers.get(message.key);
      if (server?.members.has(member) === true) this.#heardOf(set, server, member, message);
    }
  }

  #heardOf(
    set: SharedSetOfServers,
    server: SharedServer,
    member: Member,
    message: Exclude<ShareToPrimary, { do: 'beat' | 'join' | 'leave' | 'add' | 'failed' | 'list' }>,
  ): void {
    switch (message.do) {
      case 'gone':
        this.#forgets(set, server, member);
        break;
      case 'limit':
        this.#limits(server, member, message.limit, message.inUse);
        break;
      case 'state':
        this.#states(server, member, message);
        break;
      case 'want':
        server.poolFor(message.kind, member)?.want(member, message.total, message.isUrgent);
        if (message.kind === 'checks') this.#watchOver(member);
        break;
      case 'give':
        server.poolFor(message.kind, member)?.give(member, message.units, message.recent);
        break;
      case 'order':
        this.#ordered(message.set, server, message.order, member);
        break;
      case 'checked': {
        const checking = server.checkingOf(member);
        // One whose right was taken away is late.
        if (checking === undefined || checking.pool.heldBy(member) === 0) return;
        for (const other of checking.pool.members) other.say(message);
        break;
      }
      case 'judged':
        this.#judges(set, server, member, message);
        break;
      case 'proven':
        server.judged = undefined;
        this.#passOf(server, member, message);
        break;
    }
  }

  #joins(member: Member, { set: name, servers, perSecond, ejectedShare }: ShareToPrimary & { do: 'join' }): void {
    let set = this.#sets.get(name);
    if (set === undefined) {
      set = new SharedSetOfServers();
      this.#sets.set(name, set);
    }
    // A module that gets other data names its servers itself.
    if (member.generation > set.generation) set.list = [];
    set.generation = Math.max(set.generation, member.generation);
    set.ejectedShare = ejectedShare;
    set.members.add(member);
    for (const facts of servers) this.#adds(name, set, member, facts);
    const now = this.#clock.now();
    const known = servers.flatMap(({ key }) => set.servers.get(key)?.known(member, now) ?? []);
    member.say({ do: 'joined', set: name, known, list: set.list });
    if (perSecond === 0) return;
    set.dials ??= this.#poolOf(name, '', 'dials', perSecond);
    if (set.dials.limit !== perSecond) set.dials.setLimit(perSecond);
    set.dials.join(member, this.#part(perSecond));
  }

  /** What each worker gets of something at first. */
  #part(limit: number): number {
    return Math.floor(limit / this.#workers);
  }

  #poolOf(set: string, key: string, kind: Kind, limit: number): Pool<Member> {
    const lent = { set, key, kind };
    return new Pool<Member>(
      limit,
      {
        granted: (member, units, recent, isMet) => member.say({ do: 'granted', ...lent, units, recent, isMet }),
        recalled: (member, units, fair, isUrgent) => member.say({ do: 'recalled', ...lent, units, fair, isUrgent }),
      },
      () => this.#clock.now(),
    );
  }

  #adds(name: string, set: SharedSetOfServers, member: Member, facts: ServerFacts): void {
    let server = set.servers.get(facts.key);
    if (server === undefined) {
      server = new SharedServer(facts.key, facts.name, (kind, limit) => this.#poolOf(name, facts.key, kind, limit));
      set.servers.set(facts.key, server);
    }
    server.members.set(member, facts);
    server.trial.join(member, 0);
    this.#limits(server, member, facts.limit, facts.inUse);
    if (facts.checks === '') return;
    let checking = server.checks.get(facts.checks);
    if (checking === undefined) {
      checking = { pool: server.poolOf('checks', 1), health: undefined };
      server.checks.set(facts.checks, checking);
    }
    checking.pool.join(member, 0);
  }

  #limits(server: SharedServer, member: Member, limit: number, inUse: number): void {
    if (limit === Number.POSITIVE_INFINITY) {
      server.places?.leave(member);
      if (server.places?.members.length === 0) server.places = undefined;
      return;
    }
    server.places ??= server.poolOf('places', limit);
    server.places.adopt(member, inUse);
    server.places.join(member, Math.max(0, this.#part(limit) - inUse));
    // While its share grows each worker grows it: what the first one says holds for all.
    const [first] = server.places.members;
    if (first === member && server.places.limit !== limit) server.places.setLimit(limit);
  }

  #leaves(set: SharedSetOfServers, member: Member): void {
    if (!set.members.delete(member)) return;
    set.dials?.leave(member);
    for (const server of set.servers.values()) this.#forgets(set, server, member, true);
  }

  /** A server that no worker has any more is remembered as long as its set is: a worker that dies comes back. */
  #forgets(set: SharedSetOfServers, server: SharedServer, member: Member, isDeath = false): void {
    if (!server.members.has(member)) return;
    const checking = server.checkingOf(member);
    server.members.delete(member);
    server.trial.leave(member);
    server.places?.leave(member);
    checking?.pool.leave(member);
    if (!isDeath && server.members.size === 0) set.servers.delete(server.key);
  }

  #states(
    server: SharedServer,
    member: Member,
    { state, standing, health }: Extract<ShareToPrimary, { do: 'state' }>,
  ): void {
    const before = server.members.get(member);
    if (before === undefined) return;
    // It has learnt of the ejection, and it is over.
    if (before.standing === 'judged' && standing !== 'judged') server.judged = undefined;
    server.members.set(member, { checks: before.checks, state, standing });
    const checking = server.checkingOf(member);
    if (checking !== undefined && checking.pool.heldBy(member) > 0) checking.health = health;
  }

  #judges(
    set: SharedSetOfServers,
    server: SharedServer,
    member: Member,
    message: Extract<Told, { do: 'judged' }>,
  ): void {
    const { judged } = message;
    // Failures that count as checks eject nothing.
    if (judged.ejections === 0) {
      this.#passOf(server, member, message);
      return;
    }
    if (!this.#maySpare(set, server)) {
      member.say({ do: 'order', set: message.set, key: message.key, order: { type: 'restore' }, isOwn: false });
      return;
    }
    server.judged = { ...judged, until: this.#clock.now() + judged.restMs };
    this.#passOf(server, member, message);
  }

  /** One that works stays, and no more are ejected than the set wants. */
  #maySpare(set: SharedSetOfServers, server: SharedServer): boolean {
    let count = 0;
    let ejected = 1;
    let others = 0;
    for (const one of set.servers.values()) {
      if (one.standing === 'out' || one.standing === undefined) continue;
      count++;
      if (one === server) continue;
      if (one.judged !== undefined) ejected++;
      else if (one.standing === 'choosable') others++;
    }
    return others > 0 && ejected <= set.ejectedShare * count;
  }

  #ordered(set: string, server: SharedServer, order: ServerOrder, from: Member | undefined): void {
    const { key } = server;
    if (order.type === 'restore') server.judged = undefined;
    else if (order.type === 'up') server.orders.delete('wish');
    else server.orders.set(aboutOf(order), order);
    for (const member of server.members.keys()) {
      member.say({ do: 'order', set, key, order, isOwn: member === from });
    }
  }

  #listed(name: string, set: SharedSetOfServers, { key, order }: ListOrder, from: Member | undefined): void {
    if (order.type === 'replace') set.list = [];
    const added = set.list.findIndex((before) => before.order.type === 'add' && before.key === key);
    // What was added and is removed was never there.
    if (order.type === 'remove' && added >= 0) set.list.splice(added, 1);
    else set.list.push({ key, order });
    this.#pass(set, from, { do: 'list', set: name, key, order });
  }

  #pass(set: SharedSetOfServers, from: Member | undefined, message: Told): void {
    for (const member of set.members) if (member !== from) member.say(message);
  }

  #passOf(server: SharedServer, from: Member, message: Told): void {
    for (const member of server.members.keys()) if (member !== from) member.say(message);
  }

  #watchOver(member: Member): void {
    const now = this.#clock.now();
    this.#heardAt.set(member, now);
    if (this.#watch !== undefined) return;
    this.#watchedAt = now;
    this.#watch = this.#clock.setTimeout(this.#look, BEATS_MS);
    this.#watch.unref();
  }

  readonly #look = (): void => {
    const now = this.#clock.now();
    // Where this process itself was held up, the beats wait to be read.
    const wasHeldUp = now - this.#watchedAt > 2 * BEATS_MS;
    this.#watchedAt = now;
    const silent: Member[] = [];
    for (const [member, heardAt] of this.#heardAt) {
      if (wasHeldUp) this.#heardAt.set(member, now);
      else if (now - heardAt > SILENCE_MS) silent.push(member);
    }
    if (silent.length > 0) this.#depose(silent);
    this.#watch = undefined;
    if (this.#heardAt.size === 0) return;
    this.#watch = this.#clock.setTimeout(this.#look, BEATS_MS);
    this.#watch.unref();
  };

  /** They hang. When they wake they find that they check no more, and get in line again. */
  #depose(silent: readonly Member[]): void {
    for (const member of silent) this.#heardAt.delete(member);
    for (const [set, { servers }] of this.#sets) {
      for (const server of servers.values()) {
        // None of them must get what another one of them had.
        for (const member of silent) server.checkingOf(member)?.pool.want(member, 0, false);
        for (const member of silent) {
          const pool = server.checkingOf(member)?.pool;
          if (pool === undefined) continue;
          pool.leave(member);
          pool.join(member, 0);
          member.say({ do: 'revoked', set, key: server.key, kind: 'checks' });
        }
      }
    }
  }

  /** No timer is left. */
  end(): void {
    if (this.#watch !== undefined) this.#clock.clearTimeout(this.#watch);
    this.#watch = undefined;
    this.#heardAt.clear();
  }
}
