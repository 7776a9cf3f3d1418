/**
 * What must hold in every run: the properties of docs/properties.md, by their numbers, asked of what the handles tell, of the
 * transition channel, of the network and of the peers. The first violation ends the run.
 */
import type {
  Backend,
  Client,
  Hold,
  Outcome,
  Servers,
  Session,
  SockchartError,
  TcpProxy,
  Transition,
} from '../../src/index.js';
import { buffersAcquired } from '../../src/relay/buffers.js';
import type { Endpoint, Listener } from './network.js';
import { endpointOf } from './node.js';
import { bytesOf, isSound, type Peer } from './peer.js';
import { type Decision, isCalm, PATIENCE_MS, verdictOf } from './plan.js';
import { type ClientSide, FIRST_PORT, type Run, type Source } from './run.js';

export interface Found {
  /** The number of the property. */
  readonly property: number;
  readonly what: string;
}

/** How often the things happened that a simulation is for. */
export type Counts = Map<string, number>;

/** A client and a server that were joined. */
interface Pair {
  readonly session: Session;
  readonly client: ClientSide | undefined;
  /** The port that the server was dialled from. */
  readonly port: number;
  /** It lived on until whatever lived was cut. */
  wasCut: boolean;
  outcome: Outcome | undefined;
}

/** One backend's attempts. */
interface Dials {
  /** When, since it was stable last. */
  at: number[];
  total: number;
  establishedAt: number | undefined;
  /** Its owner has hastened it, or begun afresh. */
  isHastened: boolean;
  isClosing: boolean;
}

interface Incarnation {
  isEstablished: boolean;
  isDropped: boolean;
  isReleased: boolean;
  readonly holds: Map<Hold, { toldAt: number | undefined }>;
}

/** Time for callbacks to come, which a process may be late with. */
const SLACK_MS = 60;
const STABLE_MS = 2_000;
const HOLD_MS = 400;

const tookMs = ({ ms, peek }: Decision): number => ms + (peek?.ms ?? 0);

export class Checks {
  found: Found | undefined;
  readonly counts: Counts = new Map();
  readonly strangers = new Set<Listener>();
  readonly #run: Run;
  readonly #pairs: Pair[] = [];
  readonly #dials = new Map<string, Dials>();
  readonly #incarnations = new Map<Backend, Map<number, Incarnation>>();
  readonly #persistent = new Set<string>();
  readonly #disturbed = new Set<Session>();
  /** The local ports of persistent backends' connections that were offered, or ended gracefully. */
  readonly #offered = new Set<number>();
  readonly #toldToEnd = new Set<Endpoint>();
  readonly #due: ClientSide[] = [];
  /** Looks that are not over. */
  readonly #peeks = new Set<object>();
  readonly #acceptedAt = new Map<Endpoint, number>();
  #proxy!: TcpProxy;
  #servers!: Servers;
  /** What a run before this one has left, which was stopped in its middle. */
  readonly #buffers = buffersAcquired();
  #firsts = 0;
  #retries = 0;
  /** When whatever still lived was cut. */
  #cutAt = Number.POSITIVE_INFINITY;
  #stoppingSince: number | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  /** Until when what was let go of may take, and what is closed after it. */
  #lingersUntil = 0;

  constructor(run: Run) {
    this.#run = run;
    run.process.onConnect = (from, to) => this.#connecting(from.port, to.host);
    run.process.onAccept = (endpoint) => this.#accepting(endpoint);
    run.process.lookup = (name) => run.lookup(name);
  }

  violated(property: number, what: string): void {
    if (this.found !== undefined) return;
    this.found = { property, what };
    this.#run.tell('CHECK', `property ${property} is violated: ${what}`);
  }

  #must(property: number, holds: boolean, otherwise: () => string): void {
    if (!holds) this.violated(property, otherwise());
  }

  count(what: string, times = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }

  uncaught(error: unknown): void {
    this.violated(7, `uncaught: ${error instanceof Error ? error.stack : String(error)}`);
  }

  /** Goes on with this proxy. */
  watch(proxy: TcpProxy, backends: readonly Backend[], servers: Servers): void {
    this.#proxy = proxy;
    this.#servers = servers;
    this.#firsts = 0;
    this.#retries = 0;
    this.#cutAt = Number.POSITIVE_INFINITY;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#lingersUntil = 0;
    this.#stoppingSince = undefined;
    this.#dials.clear();
    proxy.on('established', (session) => this.#paired(session));
    proxy.on('sessionClosed', ({ session, outcome }) => this.#sessionClosed(session, outcome));
    proxy.on('retry', () => this.count('retries'));
    proxy.on('failover', () => this.count('failovers'));
    proxy.on('refused', () => this.count('turned away at the limit'));
    proxy.on('clientClosed', ({ client, outcome }) => {
      this.count(`clients ${outcome.ending}`);
      const side = this.#run.sideOf(client);
      if (side === undefined) return;
      side.client = client;
      side.wasCut = this.#run.time.ms >= this.#cutAt;
    });
    proxy.on('dropped', ({ session, leg }) => {
      this.count(`dropped ${leg}`);
      const isEstablished = leg === 'client' || this.#pairs.some((pair) => pair.session === session);
      this.#must(4, isEstablished, () => `${this.#name(session)} lost a ${leg} that it never had`);
    });
    proxy.on('closed', () => {
      const { ms } = this.#run.time;
      const due = Math.max(this.#deadline, this.#lingersUntil);
      this.#must(6, ms <= due, () => `ended at ${ms} ms, due at ${due}`);
    });
    for (const backend of backends) this.#watchBackend(backend);
  }

  #incarnation(backend: Backend, number: number): Incarnation {
    let incarnations = this.#incarnations.get(backend);
    if (incarnations === undefined) {
      incarnations = new Map();
      this.#incarnations.set(backend, incarnations);
    }
    let incarnation = incarnations.get(number);
    if (incarnation === undefined) {
      incarnation = { isEstablished: false, isDropped: false, isReleased: false, holds: new Map() };
      incarnations.set(number, incarnation);
    }
    return incarnation;
  }

  #watchBackend(backend: Backend): void {
    this.#persistent.add(backend.id);
    const of = (number: number): Incarnation => this.#incarnation(backend, number);
    const name = (number: number): string => `${this.#name(backend)}, incarnation ${number}`;
    backend.on('established', ({ incarnation, socket }) => {
      this.#offered.add(endpointOf(socket)?.local.port ?? 0);
      this.#must(2, !of(incarnation).isEstablished, () => `${name(incarnation)} is established twice`);
      of(incarnation).isEstablished = true;
      this.count('persistent backends established');
    });
    backend.on('dropped', ({ incarnation }) => {
      const { isEstablished, isDropped } = of(incarnation);
      this.#must(2, isEstablished && !isDropped, () => `${name(incarnation)} is dropped ${isDropped ? 'twice' : ''}`);
      this.#must(
        2,
        this.#dialsOf(backend.id).isClosing === false,
        () => `${name(incarnation)} is dropped after its close`,
      );
      of(incarnation).isDropped = true;
      this.count('persistent backends dropped');
    });
    backend.on('released', ({ incarnation }) => {
      const { isReleased, holds } = of(incarnation);
      this.#must(3, !isReleased, () => `${name(incarnation)} is released twice`);
      of(incarnation).isReleased = true;
      this.count('released');
      const { abortTimeout = 0, closeTimeout = 0 } = this.#run.plan.options;
      const least = Math.min(HOLD_MS, Number(abortTimeout), Number(closeTimeout));
      for (const { toldAt } of holds.values()) {
        const isPatient = toldAt !== undefined && this.#run.time.ms - toldAt >= least - 1;
        this.#must(3, isPatient, () => `${name(incarnation)} is released under a holder`);
      }
    });
  }

  preparing(backend: Backend, number: number): void {
    const incarnation = this.#incarnations.get(backend)?.get(number);
    this.#must(
      3,
      incarnation?.isReleased !== true,
      () => `${this.#name(backend)} prepares ${number} after its release`,
    );
  }

  /** Somebody claims the connection; what is returned lets go. */
  held(backend: Backend, hold: Hold): () => void {
    const { holds } = this.#incarnation(backend, hold.incarnation);
    const entry: { toldAt: number | undefined } = { toldAt: undefined };
    holds.set(hold, entry);
    hold.signal.addEventListener('abort', () => {
      entry.toldAt = this.#run.time.ms;
    });
    return () => {
      holds.delete(hold);
      hold.release();
    };
  }

  hastened(): void {
    for (const id of this.#persistent) this.#dialsOf(id).isHastened = true;
  }

  /** The owner has a hand in its end; by closing one leg, that leg's peer may see an end that nobody has sent. */
  disturb(session: Session, leg?: 'client' | 'backend'): void {
    this.#disturbed.add(session);
    const socket = leg && session[leg].socket;
    const endpoint = socket && endpointOf(socket);
    if (endpoint !== undefined) this.#toldToEnd.add(endpoint.peer);
  }

  /** Looks at a client's first bytes: it sees what the client has sent, and has to wait only for so long. */
  async peek(client: Client, bytes: number, timeoutMs: number): Promise<void> {
    const { time } = this.#run;
    const side = this.#run.sideOf(client);
    const due = time.ms + timeoutMs;
    const peek = {};
    this.#peeks.add(peek);
    const seen = await client.peek(bytes, { timeoutMs });
    this.#peeks.delete(peek);
    this.count('looks at the first bytes');
    this.#must(6, time.ms <= due + SLACK_MS, () => `a look was over after ${time.ms} ms, due at ${due}`);
    if (side?.peer === undefined) return;
    const { name, stream, peer } = side;
    this.#must(8, seen.equals(bytesOf(stream, 0, seen.length)), () => `a look at ${name} saw other bytes`);
    const canSend = client.hasTag('linked') && !peer.hasEnded && !peer.endpoint.isClosed && !peer.endpoint.isDead;
    const isEnough = seen.length >= bytes || time.ms >= due - 1;
    this.#must(6, isEnough || !canSend, () => `a look at ${name} saw ${seen.length} of ${bytes} bytes, and gave up`);
  }

  mustBeServed(client: ClientSide): void {
    this.#due.push(client);
  }

  // --- what happens

  transition({ who, machine, from, event, to, at }: Transition): void {
    if (machine === 'backend') this.#backendMoved(who, from, event, to, at);
    else if (machine === 'proxy' && from !== to) this.#proxyMoved(event, to);
    if (to.startsWith('lingering') && !from.startsWith('lingering')) {
      this.count(`let go of by a ${machine}`);
      // The backends may be closed when it is gone.
      const until = at + Number(this.#run.plan.options.lingerMax) + this.#closeMs + SLACK_MS;
      this.#lingersUntil = Math.max(this.#lingersUntil, until);
    }
  }

  #backendMoved(who: string, from: string, event: string, to: string, at: number): void {
    const dials = this.#dialsOf(who);
    if (to === 'active.connecting' && from !== to) this.#dialled(who, dials, at);
    this.#must(
      1,
      !dials.isClosing || !to.startsWith('active'),
      () => `${this.#name({ id: who })} is ${to} after its end`,
    );
    if (!to.startsWith('active') && to !== 'idle') dials.isClosing = true;
    // A hook that is stopped by a close may say goodbye: what it has written is flushed.
    if (to === 'closing.flushing') {
      const socket = this.#run.backends.find(({ id }) => id === who)?.socket;
      if (socket !== undefined) this.#offered.add(endpointOf(socket)?.local.port ?? 0);
    }
    const isUp = to.startsWith('active.established');
    if (isUp && dials.establishedAt === undefined) dials.establishedAt = at;
    if (!isUp) {
      // Once it was stable, failures are counted anew.
      if (dials.establishedAt !== undefined && at - dials.establishedAt >= STABLE_MS) dials.at = [];
      dials.establishedAt = undefined;
    }
    if (to === 'dropped') {
      const wasUp = this.#pairs.some(({ session }) => session.backend.id === who);
      this.#must(2, wasUp, () => `${this.#name({ id: who })} is dropped, but was never established`);
    }
    if (this.#persistent.has(who) && event === 'backend.close') {
      this.#must(
        11,
        this.#proxy.matches('stopping.backends'),
        () => `a backend closes while the proxy is ${this.#proxy.state}`,
      );
    }
  }

  #proxyMoved(event: string, to: string): void {
    const { time } = this.#run;
    const { plan, network } = this.#run;
    if (to === 'stopping.cutting') {
      this.#cutAt = Math.min(this.#cutAt, time.ms);
      if (event.includes('failed')) this.#bound(this.#closeMs);
      else if (event.startsWith('xstate.after') || event === 'sessions.served') {
        const waited = time.ms - (this.#stoppingSince ?? time.ms);
        const due = (plan.stop.how === 'close' ? plan.stop.timeoutMs : undefined) ?? plan.options.drainTimeout;
        this.#must(11, waited >= Number(due) - 1, () => `cut after ${waited} ms, not ${due}`);
      }
      this.count('cut');
    }
    if (to === 'stopping.backends') {
      const { sessions } = this.#proxy;
      this.#must(11, sessions.length === 0, () => `${sessions.length} sessions live when the backends are closed`);
      const ours = network.listening.filter((name) => name.startsWith(`${this.#run.process.host}:`));
      this.#must(11, ours.length - this.strangers.size <= 0, () => `listens on ${ours} when the backends are closed`);
    }
  }

  /** Time for all that is graceful after the waiting is over. */
  get #closeMs(): number {
    const { closeTimeout = 10_000, abortTimeout = 1_000 } = this.#run.plan.options;
    return Number(closeTimeout) + Number(abortTimeout);
  }

  #bound(ms: number): void {
    this.#deadline = Math.min(this.#deadline, this.#run.time.ms + ms + SLACK_MS);
  }

  #dialsOf(who: string): Dials {
    let dials = this.#dials.get(who);
    if (dials === undefined) {
      dials = { at: [], total: 0, establishedAt: undefined, isHastened: false, isClosing: false };
      this.#dials.set(who, dials);
    }
    return dials;
  }

  /** Reconnects are bounded: by the backoff of each, and the budget of all. */
  #dialled(who: string, dials: Dials, at: number): void {
    const { options } = this.#run.plan;
    const { initialMs = 100, factor = 2, maxMs = 10_000, jitter = 0.5 } = options.backoff ?? {};
    const { ratio = 0.2, perSecond = 10, burst = 100 } = options.retryBudget ?? {};
    this.count('dials');
    const session = this.#proxy.sessions.find(({ backend }) => backend.id === who);
    const client = session && this.#run.sideOf(session.client);
    // A list is a set of its own, with a budget of its own.
    const isShared = !this.#persistent.has(who) && !(this.#run.plan.hasRoute && client?.plan.target === 'list');
    const waited = at - (dials.at.at(-1) ?? 0);
    dials.at.push(at);
    dials.total++;
    // The first attempt at each server is no retry; and one that has waited for the slowest pace needs no budget.
    const isPaced = waited >= Math.floor(maxMs * (1 - jitter)) - 1;
    if (dials.total === 1) this.#firsts++;
    else if (dials.total > this.#servers.list.length && !isPaced && isShared) this.#retries++;
    const most = burst + ratio * this.#firsts + (perSecond * at) / 1_000;
    this.#must(5, this.#retries <= most, () => `${this.#retries} retries, the budget has ${most}`);
    if (dials.isHastened) return;
    // After every server has failed once there is a wait, which grows.
    const round = this.#servers.list.length;
    const rounds = Math.floor((dials.at.length - 1) / round);
    let least = 0;
    for (let done = 0; done < rounds; done++)
      least += Math.floor(Math.min(maxMs, initialMs * factor ** done) * (1 - jitter));
    const took = at - (dials.at[0] as number);
    this.#must(5, took >= least - rounds, () => {
      return `${this.#name({ id: who })} dials for the ${dials.at.length}th time after ${took} ms, not ${least}`;
    });
  }

  #connecting(port: number, host: string): void {
    const { process } = this.#run;
    this.count('connects');
    this.#must(1, this.#proxy.outcome === undefined, () => `port ${port} dials ${host} after the end of the proxy`);
    const server = this.#run.servers.find((one) => one.host === host);
    const most = server?.plan.connectionsMax;
    if (most === undefined) return;
    let open = 0;
    for (const handle of process.handles) if (handle.target?.host === host) open++;
    this.#must(5, open <= most, () => `${open} connections to ${server?.name}, which takes ${most}`);
  }

  #accepting(endpoint: Endpoint): void {
    this.count('accepted');
    this.#acceptedAt.set(endpoint, this.#run.time.ms);
    const listener = this.#proxy.listeners[endpoint.local.port - FIRST_PORT];
    if (listener === undefined) return;
    this.#must(11, listener.matches('serving.listening'), () => `a listener accepts that is ${listener.state}`);
    const { clientsMax } = listener;
    let open = 0;
    for (const handle of this.#run.process.handles) if (handle.endpoint?.local.port === endpoint.local.port) open++;
    this.#must(6, open <= clientsMax, () => `${open} clients, where ${clientsMax} may be`);
  }

  #paired(session: Session): void {
    this.count('sessions');
    const far = endpointOf(session.backend.socket as object);
    const client = this.#run.sideOf(session.client);
    const { plan, servers } = this.#run;
    const verdict = client && verdictOf(plan, client.plan);
    this.#must(
      8,
      verdict === undefined || verdict === 'accept',
      () => `${client?.name} is served after all: ${verdict}`,
    );
    if (plan.hasRoute && client?.plan.target === 'one') {
      this.count('routed to one server');
      const isRight = far?.remote.host === servers[0]?.host;
      this.#must(8, isRight, () => `${client.name} was routed to one server, and got ${far?.remote.host}`);
    }
    this.#pairs.push({
      session,
      client,
      port: far?.local.port ?? 0,
      wasCut: false,
      outcome: undefined,
    });
  }

  #sessionClosed(session: Session, outcome: Outcome): void {
    this.count(`sessions ${outcome.ending}`);
    const pair = this.#pairs.find((one) => one.session === session);
    if (pair === undefined) {
      this.#must(4, outcome.ending !== 'ended', () => `${this.#name(session)} has ended, but was never established`);
      return;
    }
    this.#must(6, pair.outcome === undefined, () => `${this.#name(session)} has ended twice`);
    pair.outcome = outcome;
    pair.wasCut = this.#run.time.ms >= this.#cutAt;
  }

  // --- how it ends

  started(error: SockchartError | undefined): void {
    this.count(`start ${error?.code ?? 'ok'}`);
    if (error === undefined) return;
    const isTroubled = this.#run.plan.faults.some(({ what }) => what === 'port' || what === 'bind' || what === 'files');
    this.#must(
      6,
      error.code !== 'ERR_BIND' || isTroubled,
      () => `could not bind, and nothing stood in the way: ${error.message}`,
    );
  }

  stopping(how: string, timeoutMs: number | undefined): void {
    const { options } = this.#run.plan;
    this.#stoppingSince ??= this.#run.time.ms;
    const waits = how === 'abort' || how === 'signal' ? 0 : (timeoutMs ?? options.drainTimeout ?? 30_000);
    this.#bound(Number(waits) + this.#closeMs);
    // An abort by the owner hastens what was let go of.
    const until = this.#run.time.ms + this.#closeMs + SLACK_MS;
    if (waits === 0) this.#lingersUntil = Math.min(this.#lingersUntil, until);
  }

  /** The promise of the end is kept: nothing is left, and it did not take too long. */
  async stopped(outcome: Outcome): Promise<void> {
    const { clock, process, network, backends } = this.#run;
    this.count(`proxy ${outcome.ending}`);
    this.#must(6, process.handles.size === 0, () => `${process.handles.size} sockets are left at the end`);
    // The set is the user's; a server that was ejected has a timer of its own.
    this.#servers.end();
    this.#must(6, clock.pending.size === 0, () => `${clock.pending.size} timers are left at the end`);
    this.#must(6, this.#peeks.size === 0, () => `${this.#peeks.size} looks are not over at the end`);
    this.#must(6, this.#proxy.sessions.length === 0, () => 'sessions are left at the end');
    for (const { clients } of this.#proxy.listeners)
      this.#must(6, clients.size === 0, () => 'clients are left at the end');
    for (const backend of backends)
      this.#must(6, backend.outcome !== undefined, () => `${this.#name(backend)} is ${backend.state}`);
    for (const server of this.#servers.list)
      this.#must(6, server.connections === 0, () => `${server} has ${server.connections} connections at the end`);
    const buffers = buffersAcquired() - this.#buffers;
    this.#must(6, buffers === 0, () => `${buffers} buffers are taken at the end`);
    const ours = network.listening.filter((name) => name.startsWith(`${process.host}:`));
    const strange = [...this.strangers].filter(({ isClosed }) => !isClosed).length;
    this.#must(6, ours.length === strange, () => `still listens on ${ours}`);
    for (const [backend, incarnations] of this.#incarnations) {
      for (const [number, { isEstablished, isReleased }] of incarnations) {
        this.#must(
          3,
          !isEstablished || isReleased,
          () => `${this.#name(backend)}, incarnation ${number} is never released`,
        );
      }
    }
  }

  /** Whoever can see it has seen the end, and whoever has seen an end had a right to. */
  async peersAreOver(): Promise<void> {
    const { clients, serverSides } = this.#run;
    for (const { name, peer } of clients) if (peer !== undefined) this.#mustBeOver(name, peer);
    for (const { peer } of serverSides.values()) this.#mustBeOver(peer.name, peer);
    for (const client of clients) if (client.peer !== undefined) this.#checkClient(client, client.peer);
    for (const [port, { peer }] of serverSides) this.#checkServer(port, peer);
    for (const pair of this.#pairs) this.#checkPair(pair);
    this.#checkStreams();
    this.#checkServed();
  }

  #mustBeOver(name: string, peer: Peer): void {
    const { endpoint } = peer;
    const isBlind = peer.hasVanished || endpoint.isClosed || endpoint.link.isCut;
    this.#must(6, isBlind || peer.how !== 'open', () => `${name} has not seen the end of its connection`);
  }

  /** A stream that is not whole never looks like one that is. */
  #checkClient(client: ClientSide, peer: Peer): void {
    this.#checkTold(client, peer);
    this.#checkHandedOver(client, peer);
    if (peer.how === 'reset') this.count('resets seen by clients');
    if (peer.how !== 'end') return;
    const { starved } = this.#run.process;
    if (starved.has(peer.endpoint.peer)) {
      this.count('closed for want of files');
      return;
    }
    if (this.#toldToEnd.has(peer.endpoint)) return;
    const pair = this.#pairs.find((one) => one.client === client);
    this.#mustBeWhole(peer, client.other ?? (pair && this.#run.serverSides.get(pair.port)?.peer));
  }

  #checkServer(port: number, peer: Peer): void {
    if (peer.how === 'reset') this.count('resets seen by servers');
    if (peer.how !== 'end') return;
    if (this.#toldToEnd.has(peer.endpoint)) return;
    const pair = this.#pairs.find((one) => one.port === port);
    if (pair === undefined) {
      this.#must(9, peer.received === 0, () => `${peer.name} got ${peer.received} bytes, and was never established`);
      // An attempt that is cut is no empty stream.
      const isRight = peer.hasEnded || this.#offered.has(port);
      this.#must(9, isRight, () => `${peer.name} sees the end of a stream that was never established`);
      return;
    }
    this.#mustBeWhole(peer, pair.client?.peer);
  }

  /** Last words arrive as a whole, and so does the FIN after them, at a client that reads. */
  #checkTold({ name, other, client, wasCut }: ClientSide, peer: Peer): void {
    const { lingerTimeout, lingerMax } = this.#run.plan.options;
    const isPatient = Number(lingerTimeout) >= 1_000 && Number(lingerMax) >= 5_000;
    if (other === undefined || client?.outcome?.ending !== 'refused' || !isPatient) return;
    this.#checkFlushed(client.outcome, peer);
    if (wasCut || this.#disturbed.has(client.session as Session)) return;
    if (!isSound(peer.script) || peer.script.readEveryMs > 0 || peer.endpoint.link.isCut) return;
    this.count('clients that got the last words');
    this.#must(8, peer.how === 'end' && peer.received === other.sent, () => {
      return `${name} sees ${peer.how} after ${peer.received} of ${other.sent} bytes of the last words`;
    });
  }

  /** Other code gets every byte, and its answer arrives, unless a drain ends before. */
  #checkHandedOver({ name, other, client, wasCut }: ClientSide, peer: Peer): void {
    if (other !== peer || client?.outcome === undefined) return;
    const { ending, cause } = client.outcome;
    if (wasCut || !isSound(peer.script) || peer.endpoint.link.isCut) return;
    if (this.#disturbed.has(client.session as Session)) return;
    this.count('clients that other code has served');
    this.#must(8, ending === 'handedOver' && peer.how === 'end' && peer.received === peer.sent, () => {
      return `${name} sees ${peer.how}, ${peer.received} of ${peer.sent} bytes: ${ending} ${cause.code ?? cause.manner}`;
    });
  }

  #mustBeWhole(peer: Peer, other: Source | Peer | undefined): void {
    this.count('ends seen');
    if (other !== undefined && 'endpoint' in other && this.#run.process.mistaken.has(other.endpoint.peer)) {
      this.count('resets that nobody could tell from an end');
      return;
    }
    this.#must(
      9,
      other?.hasEnded === true,
      () => `${peer.name} sees an end, but ${other?.name ?? 'nobody'} has not sent one`,
    );
    this.#must(9, other?.sent === peer.received, () => {
      return `${peer.name} sees an end after ${peer.received} bytes, but ${other?.name} has sent ${other?.sent}`;
    });
  }

  /** Two sound peers that nobody has cut get all that the other has sent, and its end. */
  #checkPair(pair: Pair): void {
    const { options } = this.#run.plan;
    const client = pair.client?.peer;
    const server = this.#run.serverSides.get(pair.port)?.peer;
    this.#checkFlushed(pair.session.client.outcome, client);
    this.#checkFlushed(pair.session.backend.outcome, server);
    if (client === undefined || server === undefined || this.#disturbed.has(pair.session)) return;
    const isTight = options.idleTimeout !== 10 * PATIENCE_MS || Number(options.drainTimeout) < 5_000;
    const isPlain = (peer: Peer): boolean =>
      isSound(peer.script) && !peer.endpoint.link.isCut && !(isTight && peer.script.readEveryMs > 0);
    if (!isPlain(client) || !isPlain(server) || options.idleTimeout !== 10 * PATIENCE_MS) return;
    const { outcome } = pair;
    if (pair.wasCut) return;
    if (this.#run.servers.some((one) => server.name.startsWith(one.name) && one.plan.outages.length > 0)) return;
    this.count('pairs that got everything');
    this.#must(10, outcome?.ending === 'ended' || outcome?.ending === 'closed', () => {
      return `two sound peers, ${client.name} and ${server.name}: ${outcome?.ending} ${outcome?.cause.code ?? outcome?.cause.manner}`;
    });
    this.#must(8, client.received === server.sent && server.received === client.sent, () => {
      const up = `${server.received} of ${client.sent} up`;
      return `two sound peers, ${client.name} and ${server.name}: ${up}, ${client.received} of ${server.sent} down`;
    });
    this.#must(10, client.how === 'end' && server.how === 'end', () => {
      return `two sound peers, ${client.name} and ${server.name}, saw ${client.how} and ${server.how}`;
    });
  }

  /** A leg that says that all was sent, and that nobody has reset: a peer that reads on sees its end. */
  #checkFlushed(outcome: Outcome | undefined, peer: Peer | undefined): void {
    if (outcome?.flushed !== true || peer === undefined) return;
    // A server that goes down resets what it has, and then sees nothing itself.
    const isKilled = peer.how === 'open' && peer.endpoint.isClosed;
    if (!isSound(peer.script) || peer.endpoint.link.isCut || isKilled) return;
    this.count(`flushed, ${outcome.ending}`);
    this.#must(8, peer.how === 'end', () => {
      return `${peer.name} sees ${peer.how}, but all was sent: ${outcome.ending} ${outcome.cause.code ?? outcome.cause.manner}`;
    });
  }

  /** What a server gets comes from one client, and the other way round, as they were paired. */
  #checkStreams(): void {
    const { clients, serverSides } = this.#run;
    for (const { client, port } of this.#pairs) {
      const near = client?.peer;
      const far = serverSides.get(port)?.peer;
      const isMixed = (peer: Peer | undefined, other: Peer | undefined): boolean =>
        peer?.from !== undefined && peer.from !== other?.stream;
      this.#must(
        8,
        !isMixed(near, far),
        () => `${near?.name} got stream ${near?.from}, its server's is ${far?.stream}`,
      );
      this.#must(8, !isMixed(far, near), () => `${far?.name} got stream ${far?.from}, its client's is ${near?.stream}`);
    }
    for (const { name, peer, other } of clients) {
      if (peer === undefined || peer.received === 0) continue;
      const isPaired = this.#pairs.some(({ client }) => client?.peer === peer);
      const isRight = peer.from === undefined || other === undefined || peer.from === other.stream;
      this.#must(8, isRight, () => `${name} got stream ${peer.from}, the hook sent ${other?.stream}`);
      this.#must(8, isPaired || other !== undefined, () => `${name} got ${peer.received} bytes of nobody`);
    }
  }

  #checkServed(): void {
    const { plan, clients } = this.#run;
    const isDue = (client: ClientSide): boolean => {
      const { endpoint } = client;
      const { script, admit, route } = client.plan;
      const at = endpoint && this.#acceptedAt.get(endpoint.peer);
      const isAccepted = verdictOf(plan, client.plan) === 'accept';
      return (
        isSound(script) && isAccepted && at !== undefined && at + tookMs(admit) + tookMs(route) + 1_000 < plan.stop.atMs
      );
    };
    const due = isCalm(plan) ? [...this.#due, ...clients.filter(isDue)] : this.#due;
    for (const client of due) {
      const isServed = this.#pairs.some((pair) => pair.client === client);
      this.count('clients that had to be served');
      this.#must(4, isServed, () => `${client.name} was not served, and nothing stood in the way`);
    }
  }

  end(): void {
    const { process, clock } = this.#run;
    this.#must(
      6,
      process.handles.size === 0 && process.files === 0,
      () => `${process.files} files are open at the very end`,
    );
    this.#must(6, clock.pending.size === 0, () => `${clock.pending.size} timers are left at the very end`);
  }

  #name({ id }: { readonly id: string }): string {
    return this.#run.nameOf(id);
  }
}
