/** P1 to P13 of docs/properties.md for a set of servers that is in use: asked at each choice, each transition, and from time to time. */
import { transition } from 'xstate';
import {
  type Server,
  type ServerOptions,
  Servers,
  type ServersEvents,
  type ServersOptions,
  type Transition,
} from '../../src/index.js';
import { serverMachine } from '../../src/machines/index.js';
import type { ServerContext } from '../../src/machines/server.js';
import { statePath } from '../../src/runtime/xstate.js';
import { Model } from '../../src/testing/index.js';
import type { Choice, Requester } from '../../src/upstream/requester.js';

/** Time for callbacks to come, which a process may be late with. */
const SLACK_MS = 60;
/** How long sessions that were cut may take, until the server is over all the same. */
const CUT_MS = 31_000;

export type Wish = 'serve' | 'drain' | 'maintain' | 'remove';

/** What is known of one server, apart from the library. */
interface Watched {
  wish: Wish;
  /** When it may be over at the earliest, with its sessions cut; and at the latest. */
  removal: { readonly cutAt: number; readonly dueAt: number } | undefined;
  model: Model<typeof serverMachine> | undefined;
  /** Since when it recovers, and its last share. */
  recovery: { readonly since: number; share: number; weight: number } | undefined;
  wasBad: boolean;
  /** The last report of a check or of traffic, and the snapshot before it. */
  last:
    | { readonly event: { readonly type: string }; readonly before: Model<typeof serverMachine>['snapshot'] }
    | undefined;
}

/** What is known of a connection that waits. */
interface Waiting {
  readonly since: number;
  /** Since when a server that works and has room was not tried. */
  readonly missed: Map<Server, number>;
}

export class WatchedServers extends Servers {
  readonly #rules: Rules;

  constructor(list: readonly ServerOptions[], options: ServersOptions, rules: Rules) {
    super(list, options);
    this.#rules = rules;
    rules.watch(this);
  }

  override choose(requester: Requester): Choice {
    const choice = super.choose(requester);
    this.#rules.chosen(requester, choice);
    return choice;
  }

  override forget(requester: Requester): void {
    super.forget(requester);
    this.#rules.forgotten(requester);
  }
}

export class Rules {
  found: string | undefined;
  readonly counts = new Map<string, number>();
  readonly #options: ServersOptions;
  readonly #now: () => number;
  readonly #watched = new Map<Server, Watched>();
  readonly #waiting = new Map<Requester, Waiting>();
  readonly #trials = new Map<Requester, Server>();
  readonly #dials: number[] = [];
  #set!: Servers;

  constructor(options: ServersOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
  }

  must(property: string, holds: boolean, what: () => string): void {
    if (!holds) this.found ??= `${property}: ${what()}`;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  watch(set: Servers): void {
    this.#set = set;
    for (const server of set.list) this.#of(server);
    set.on('changed', (change) => this.#changed(change));
  }

  /** Its owner is about to want this of it. */
  wants(server: Server, wish: Wish, removal?: Watched['removal']): void {
    const watched = this.#of(server);
    if (watched.wish !== 'remove') {
      watched.wish = wish;
      watched.removal = removal;
    } else if (removal !== undefined && watched.removal !== undefined && removal.cutAt < watched.removal.cutAt) {
      watched.removal = removal;
    }
  }

  /** Its owner replaces the list: these may go. Returns what is to be called when that is done. */
  replaces(servers: readonly Server[], removal: NonNullable<Watched['removal']>): () => void {
    for (const server of servers) this.#of(server).removal = removal;
    return () => {
      for (const server of servers) {
        const watched = this.#of(server);
        if (server.hasTag('ending')) watched.wish = 'remove';
        else watched.removal = undefined;
      }
    };
  }

  /** A session was cut because its server is removed: one of these, which have the same name. */
  cut(servers: readonly Server[]): void {
    this.count('sessions cut with their server');
    const now = this.#now();
    const cutAt = servers.map((server) => this.#of(server).removal?.cutAt ?? Number.POSITIVE_INFINITY);
    this.must(
      'P4',
      now >= Math.min(...cutAt) - 1,
      () => `a session of ${servers[0]} is cut at ${now}, before ${cutAt}`,
    );
  }

  chosen(requester: Requester, choice: Choice): void {
    const { only } = requester;
    const now = this.#now();
    this.count(`choices: ${choice.kind}`);
    if (choice.kind === 'full' || choice.kind === 'deferred') {
      if (!this.#waiting.has(requester)) this.#waiting.set(requester, { since: now, missed: new Map() });
      return;
    }
    this.#waiting.delete(requester);
    if (choice.kind === 'exhausted') {
      const { code } = choice.cause;
      if (code === 'queueMax' || code === 'serverQueueMax') return;
      const left = (only === undefined ? this.#set.list : [only]).filter((server) => server.hasTag('usable'));
      this.must(
        'P1',
        left.length === 0 || (this.#options.panic === 0 && only === undefined),
        () => `a connection finds none, and there is ${left}`,
      );
      return;
    }
    const { server } = choice;
    this.#recovers(server, this.#of(server));
    this.must(
      'P3',
      !server.hasTag('out') && this.#of(server).wish === 'serve',
      () => `${server} is chosen, and is ${server.state}`,
    );
    this.must('P3', only === undefined || server === only, () => `${server} is chosen in place of ${only}`);
    this.must('P12', server.weight > 0, () => `${server} is chosen, and has weight 0`);
    this.must(
      'P3',
      server.connections <= server.places,
      () => `${server} has ${server.connections} connections, and ${server.places} places`,
    );
    this.#dials.push(now);
    const perSecond =
      (this.#options.governor as { perSecond?: number } | undefined)?.perSecond ?? Number.POSITIVE_INFINITY;
    while ((this.#dials[0] ?? now) <= now - 1_000) this.#dials.shift();
    this.must('P6', this.#dials.length <= perSecond, () => `${this.#dials.length} dials within a second`);
    this.must('P5', !server.mayBeTried, () => `${server} is chosen, and waits for another trial`);
    if (requester.trial === undefined) return;
    this.count('trials');
    for (const [other, tried] of this.#trials) {
      if (other.trial !== tried) this.#trials.delete(other);
      else this.must('P5', other === requester || tried !== requester.trial, () => `two trials of ${tried}`);
    }
    this.#trials.set(requester, requester.trial);
  }

  forgotten(requester: Requester): void {
    this.#waiting.delete(requester);
    this.#trials.delete(requester);
  }

  /** A transition of a server, or of its checks. */
  transition({ handle, machine, event, eventObject, from, to }: Transition): void {
    if (machine !== 'server' || event === 'xstate.init') return;
    const server = handle as Server;
    if (server.set !== this.#set) return;
    const watched = this.#of(server);
    const model = this.#modelOf(server, watched);
    const before = model.snapshot;
    model.send(eventObject as never);
    const context = contextOf(server);
    const due = model.snapshot.context as unknown as ServerContext;
    this.must(
      'P8',
      model.state === to && context.health === due.health,
      () => `${server} is ${to} at ${context.health} after ${event}, and the machine ${model.state} at ${due.health}`,
    );
    this.#commute(server, watched, eventObject, before);
    if (/\.(down|ejected|excluded)$/.test(to)) watched.wasBad = true;
    if (/recovering/.test(to))
      this.must('P7', watched.wasBad || /recovering/.test(from), () => `${server} begins slowly, and was never down`);
  }

  /** P9: the last two reports, if one was of a check, one of traffic and both agree, in the other order. */
  #commute(
    server: Server,
    watched: Watched,
    event: { readonly type: string },
    before: Model<typeof serverMachine>['snapshot'],
  ): void {
    const { last } = watched;
    watched.last = { event, before };
    if (last === undefined || this.#options.ejection?.onError === 'suddenDeath') return;
    const pair = [last.event.type, event.type].sort().join(' ');
    if (!/^check\.passed traffic\.(connected|lasted)$|^check\.failed traffic\.(failed|dropped)$/.test(pair)) return;
    this.count('reports that agree');
    let other = last.before;
    for (const one of [event, last.event]) {
      other = transition(serverMachine, other as never, one as never)[0] as typeof other;
    }
    this.must(
      'P9',
      statePath(other.value) === server.state,
      () =>
        `${server} is ${server.state} after ${last.event.type} and ${event.type}, and else ${statePath(other.value)}`,
    );
  }

  #changed({ server, from, to, cause }: ServersEvents['changed'][0]): void {
    this.count(`changes to ${to}`);
    this.must(
      'P11',
      cause.initiator !== undefined && cause.manner !== undefined && cause.phase !== undefined,
      () => `${server} is ${to} for no reason`,
    );
    this.must('P11', from !== to, () => `${server} is told to change from ${from} to ${to}`);
    if (to === 'closed' || to === 'aborted') this.#removed(server, to);
    if (to !== 'ejected' || from === 'trying') return;
    const inUse = this.#set.list.filter((one) => !one.hasTag('out'));
    const share = this.#options.ejection?.share ?? 1;
    const ejected = inUse.filter((one) => one.hasTag('doubtful')).length;
    this.must('P10', inUse.length > 1, () => `${server} is ejected, and is the only one`);
    this.must('P2', ejected <= share * inUse.length, () => `${ejected} of ${inUse.length} are ejected`);
    this.must(
      'P2',
      inUse.some((one) => one.hasTag('choosable')),
      () => `${server} is ejected, and none is left`,
    );
  }

  #removed(server: Server, to: string): void {
    const watched = this.#of(server);
    const { removal } = watched;
    const now = this.#now();
    this.must(
      'P4',
      removal !== undefined && now <= removal.dueAt + SLACK_MS,
      () => `${server} is ${to} at ${now}, due at ${removal?.dueAt}`,
    );
    this.must(
      'P4',
      to === 'aborted' || server.connections === 0,
      () => `${server} is closed, and has ${server.connections} connections`,
    );
    this.must('P4', server.timers().length === 0, () => `${server} is ${to}, and timers run`);
    this.must(
      'P4',
      server.checking === undefined || /^(closed|aborted)$/.test(server.checking.state),
      () => `${server} is ${to}, and is checked`,
    );
  }

  /** From time to time. @param checksOf how many checks of a server are under way */
  look(maxMs: number | undefined, checksOf: (server: Server) => number): void {
    const now = this.#now();
    for (const [server, watched] of this.#watched) {
      if (server.outcome !== undefined) continue;
      this.#obeys(server, watched);
      this.#recovers(server, watched);
      this.must('P5', checksOf(server) <= 1, () => `${checksOf(server)} checks of ${server} at a time`);
      if (watched.removal !== undefined)
        this.must(
          'P4',
          now <= watched.removal.dueAt + SLACK_MS,
          () => `${server} is ${server.state} at ${now}, due at ${watched.removal?.dueAt}`,
        );
    }
    const waits = [...this.#waiting.keys()];
    this.must(
      'P13',
      this.#set.waiting === waits.filter(({ queued }) => queued !== undefined).length,
      () => `${this.#set.waiting} are said to wait`,
    );
    if (maxMs !== undefined)
      for (const [requester, waiting] of this.#waiting) this.#tried(requester, waiting, maxMs, now);
  }

  /** P13: a server that works and has room is tried. */
  #tried({ only }: Requester, { missed }: Waiting, maxMs: number, now: number): void {
    for (const server of this.#set.list) {
      const isMissed =
        (only === undefined ? !server.backup : server === only) &&
        server.hasTag('choosable') &&
        server.weight > 0 &&
        server.connections < server.places;
      const since = missed.get(server);
      if (!isMissed) missed.delete(server);
      else if (since === undefined) missed.set(server, now);
      else
        this.must(
          'P13',
          now - since <= maxMs + SLACK_MS,
          () => `a connection waits since ${since}, and ${server} has room`,
        );
    }
  }

  /** P3, P8: it is where its owner wants it, whatever is known of its health. */
  #obeys(server: Server, { wish }: Watched): void {
    const { state } = server;
    const isRight = {
      serve: !server.hasTag('out'),
      drain: state === 'draining',
      maintain: state === 'maintenance',
      remove: server.hasTag('ending'),
    }[wish];
    this.must('P8', isRight, () => `its owner wants ${server} to ${wish}, and it is ${state}`);
  }

  /** P7: its share only grows, and comes to its end. */
  #recovers(server: Server, watched: Watched): void {
    const { recovery } = watched;
    const now = this.#now();
    if (!server.hasTag('growing')) {
      watched.recovery = undefined;
      return;
    }
    const { share, weight } = server;
    if (recovery === undefined) {
      watched.recovery = { since: now, share, weight };
      return;
    }
    const slow = Number(this.#options.slowStart);
    this.must(
      'P7',
      weight !== recovery.weight || share >= recovery.share,
      () => `the share of ${server} falls from ${recovery.share} to ${share}`,
    );
    this.must('P7', now - recovery.since <= slow + SLACK_MS + 20, () => `${server} recovers since ${recovery.since}`);
    recovery.share = share;
    recovery.weight = weight;
  }

  #of(server: Server): Watched {
    let watched = this.#watched.get(server);
    if (watched === undefined) {
      watched = {
        wish: 'serve',
        removal: undefined,
        model: undefined,
        recovery: undefined,
        wasBad: false,
        last: undefined,
      };
      this.#watched.set(server, watched);
    }
    return watched;
  }

  #modelOf(server: Server, watched: Watched): Model<typeof serverMachine> {
    watched.model ??= new Model(serverMachine, { settings: contextOf(server).settings });
    return watched.model;
  }
}

/** When a removal has to be over. */
export const removalOf = (now: number, timeoutMs: number, spreadMs: number): NonNullable<Watched['removal']> => ({
  cutAt: now + timeoutMs,
  dueAt: now + timeoutMs + spreadMs + CUT_MS,
});

const contextOf = (server: Server): ServerContext =>
  (server as unknown as { instance: { context: ServerContext } }).instance.context;
