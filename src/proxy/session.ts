import type { OnReadOpts, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Backend } from '../adapters/backend.js';
import type { BackendConfig } from '../adapters/backend-options.js';
import { type Client, checkWords } from '../adapters/client.js';
import type { Leg } from '../adapters/socket-handle.js';
import { NotSupportedError } from '../errors.js';
import { sessionInstance } from '../generated/session.js';
import { type Environment, Handle, type HandleKind, kindOf } from '../handle.js';
import type { SessionCommand, SessionEvent, SessionSettings } from '../machines/session.js';
import { type Cause, type Outcome, QUIET_PROBES, type Report, type Words } from '../machines/vocabulary.js';
import { Relay, type Transforms } from '../relay/relay.js';
import type { Description, RunningTimer } from '../runtime/instance.js';
import type { Peer } from '../sockets/peer.js';
import { commandCauseOf, hookReportOf } from '../sockets/socket.js';
import type { Server } from '../upstream/server.js';
import type { Servers } from '../upstream/servers.js';
import type { ServersOptions } from '../upstream/servers-options.js';
import { SessionTimes } from './log.js';
import {
  type CheckedTarget,
  checkedKey,
  checkedTarget,
  discardTarget,
  type KeyHook,
  LazyContext,
  type RefusalHook,
  type RouteHook,
} from './target.js';
import { checkedTransform, type TransformHooks } from './transform.js';

/** @internal What all sessions of one proxy share. */
export interface SessionConfig {
  readonly input: { readonly settings: SessionSettings };
  readonly environment: Environment;
  readonly backend: BackendConfig;
  readonly connectBufferBytes: number;
  /** Says where each client goes; without it, all go to the servers of `backend`. */
  readonly route: RouteHook | undefined;
  readonly key: KeyHook | undefined;
  readonly transform: TransformHooks | undefined;
  /** The last words to a client that gets no backend. */
  readonly refusal: RefusalHook | undefined;
  /** For sets of servers that a route names by their addresses. */
  readonly servers: ServersOptions;
  /** False where the FIN of one side ends both. */
  readonly halfClose: boolean;
  /** How long a leg that is closed so may take to end by itself. */
  readonly legCloseTimeout: number;
}

/** @internal The proxy of a session: it emits events of its own for it. */
export interface SessionOwner {
  notify(event: 'established', session: Session): void;
  notify(event: 'retry', retry: { session: Session; attempt: number; delayMs: number; cause: Cause }): void;
  notify(event: 'failover', failover: { session: Session; from: Server; to: Server; cause: Cause }): void;
  notify(event: 'dropped', drop: { session: Session; leg: 'client' | 'backend'; cause: Cause }): void;
  sessionClosed(session: Session, outcome: Outcome): void;
  /** Somebody listens to `log`: sessions note their times. */
  readonly isLogging: boolean;
}

/** Events of a session. */
export type SessionEvents<Data = unknown> = {
  /** Client and backend are joined. */
  established: [Session<Data>];
  /** A connect failed; the next attempt follows after `delayMs`. */
  retry: [{ attempt: number; delayMs: number; cause: Cause }];
  /** The next attempt goes to another server. */
  failover: [{ from: Server; to: Server; cause: Cause }];
  /** A leg that was established is lost. */
  dropped: [{ leg: 'client' | 'backend'; cause: Cause }];
  /** It has ended: both legs are over. */
  closed: [Outcome];
};

/** What can be seen of a live connection. */
export interface ConnectionInfo {
  /** The id of the session, such as `session#7`; of the client, while that is being admitted. */
  readonly id: string;
  /** The state of that handle, as a path. */
  readonly state: string;
  /** Milliseconds since the client was accepted. */
  readonly ageMs: number;
  /** The client: its id, its state, and its address as text. */
  readonly client: { readonly id: string; readonly state: string; readonly peer: string | undefined };
  /** The backend, with the server that it goes to; nothing while the client is being admitted. */
  readonly backend:
    | { readonly id: string; readonly state: string; readonly server: string | undefined; readonly incarnation: number }
    | undefined;
  /** Bytes read from either side. */
  readonly bytes: { readonly fromClient: number; readonly fromBackend: number };
  /** The timers that run, of the session and of both its legs: `session.idleProbe`. */
  readonly timers: readonly RunningTimer[];
  /** The events that the session would act on now. */
  readonly accepts: readonly string[];
}

const ROUTED = { type: 'route.chosen' } as const;
const ESTABLISHED = { type: 'backend.established' } as const;
const CLIENT_FINISHED = { type: 'client.finished' } as const;
const BACKEND_FINISHED = { type: 'backend.finished' } as const;
const CLIENT_ENDED = { type: 'client.ended' } as const;
const BACKEND_ENDED = { type: 'backend.ended' } as const;
const CLIENT_HANDED_OVER = { type: 'client.handedOver' } as const;
const IDLED = { type: 'relay.idled' } as const;

const BACKGROUND: ReadonlySet<string> = new Set(['idleProbe', 'halfCloseProbe', 'finishProbe', 'durationMax']);

/** One client paired with one backend. Made by a proxy for each client that it admits. */
export class Session<Data = unknown> extends Handle<SessionEvent, SessionEvents<Data>> {
  /** @internal */
  static readonly kind: HandleKind<Session, SessionCommand, SessionEvents> = {
    ...kindOf('session', sessionInstance),
    events: { established: true, retry: true, failover: true, dropped: true, closed: true },
    commands: {
      'client.route': (session) => session.#route(),
      'route.revoke': (session) => session.#revokeRoute(),
      'client.turnAway': (session, { cause, words }) => session.#turnAway(cause, words),
      'backend.connect': (session) => session.#connectBackend(),
      'relay.start': (session) => session.#startRelay(),
      'relay.probe': (session) => session.#probeRelay(),
      'client.end': (session) => session.#endLeg(session.client),
      'backend.end': (session) => session.#endLeg(session.backend),
      'client.close': (session, { cause }) => session.#closeLeg(session.client, cause),
      'backend.close': (session, { cause }) => session.#closeLeg(session.backend, cause),
      'client.reset': (session, { cause }) => session.#resetLeg(session.client, cause),
      'backend.reset': (session, { cause }) => session.#resetLeg(session.backend, cause),
      'client.abort': (session, { cause, deliver }) => abortLeg(session.client, session.#explained(cause), deliver),
      'backend.abort': (session, { cause, deliver }) => abortLeg(session.backend, session.#explained(cause), deliver),
    },
  };

  /** The leg towards the client. */
  readonly client: Client<Data>;
  /** The leg towards the server. */
  readonly backend: Backend;
  /** @internal */
  readonly relay: Relay;
  /** @internal The proxy's list of sessions links its members by these two fields. */
  previous: Session<Data> | undefined = undefined;
  /** @internal */
  next: Session<Data> | undefined = undefined;
  /** @internal Its times, where somebody listens to `log`. */
  times: SessionTimes | undefined = undefined;
  readonly #owner: SessionOwner;
  readonly #config: SessionConfig;
  /** A hook that has yet to answer. */
  #routing: LazyContext | undefined = undefined;
  /** A set of servers that was made for it alone. */
  #own: Servers | undefined = undefined;
  /** A target that was open already. */
  #stream: unknown = undefined;
  #progress = -1;
  #quiet = 0;
  /** Why no backend came up in time, with what became of the last attempt. */
  #late: Cause | undefined = undefined;

  /** @internal */
  constructor(client: Client<Data>, config: SessionConfig, owner: SessionOwner, parent: { readonly id: string }) {
    super(Session.kind, config.input, config.environment, parent);
    this.client = client;
    this.#owner = owner;
    this.#config = config;
    this.relay = new Relay(client.socket);
    this.backend = new Backend(config.backend, config.environment, this, this);
  }

  /** @internal */
  override get backgroundTimers(): ReadonlySet<string> {
    return BACKGROUND;
  }

  /** Where its client comes from: see {@link Client.peer}. */
  get peer(): Peer | undefined {
    return this.client.peer;
  }

  /** @internal */
  override describe(): Description {
    return { client: this.client.id, peer: this.peer?.toString() };
  }

  /** Bytes read from either side. */
  get bytes(): ConnectionInfo['bytes'] {
    return { fromClient: this.relay.fromClient, fromBackend: this.relay.fromBackend };
  }

  /** All that can be seen of it now. */
  info(): ConnectionInfo {
    const { client, backend } = this;
    return {
      id: this.id,
      state: this.state,
      ageMs: this.clock.now() - client.since,
      client: { id: client.id, state: client.state, peer: client.peer?.toString() },
      backend: { id: backend.id, state: backend.state, server: backend.server, incarnation: backend.incarnation },
      bytes: this.bytes,
      timers: [
        ...timersOf('session', this.timers()),
        ...timersOf('client', client.timers()),
        ...timersOf('backend', backend.timers()),
      ],
      accepts: this.accepts(),
    };
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), ...this.info() };
  }

  /** @internal */
  override begin(signal?: AbortSignal): void {
    this.client.endPeek();
    if (this.#owner.isLogging) this.times = new SessionTimes(this.clock.now());
    this.backend.begin();
    super.begin(signal);
  }

  /** @internal */
  legEnded(leg: Leg): void {
    this.instance.send(leg === this.client ? CLIENT_ENDED : BACKEND_ENDED);
  }

  /** @internal */
  legFinished(leg: Leg): void {
    if (this.#config.halfClose) return;
    this.instance.send(leg === this.client ? CLIENT_FINISHED : BACKEND_FINISHED);
  }

  /** @internal */
  legReadLast({ socket }: Leg): boolean {
    return socket === undefined || this.relay.wasReadLast(socket);
  }

  /** @internal */
  legUnlinked({ socket }: Leg): void {
    if (socket !== undefined) this.relay.detach(socket);
  }

  /** @internal */
  legClosed(leg: Leg, { ending, cause, flushed }: Outcome): void {
    const isClient = leg === this.client;
    if (ending === 'dropped') {
      const name = isClient ? 'client' : 'backend';
      this.#owner.notify('dropped', { session: this, leg: name, cause });
      if (this.hasListeners('dropped')) this.notify('dropped', { leg: name, cause });
    }
    this.instance.send({ type: isClient ? 'client.closed' : 'backend.closed', ending, cause, flushed });
  }

  /** @internal */
  legRefused(words: Words | undefined): void {
    if (this.hasTag('joined')) {
      throw new NotSupportedError(`${this.id} relays bytes already: end it by close() or abort().`);
    }
    this.instance.send({ type: 'session.refuse', ...(words !== undefined && { words }) });
  }

  /** @internal */
  legPeeked(bytesMax: number, seen: (chunk: Buffer) => void): { stop(): void } {
    if (this.hasTag('joined')) {
      throw new NotSupportedError(`${this.id} relays bytes already: peek before its backend is established.`);
    }
    this.#readAhead();
    return this.relay.peek(bytesMax, seen);
  }

  /** @internal */
  legHandedOver(): boolean {
    if (!this.hasTag('routing')) return false;
    this.relay.giveBack();
    this.instance.send(CLIENT_HANDED_OVER);
    return true;
  }

  /** @internal */
  backendEstablished(): void {
    if (this.times !== undefined) this.times.establishedAt = this.clock.now();
    this.instance.send(ESTABLISHED);
  }

  /** @internal */
  serverLost(cause: Cause, deliver: boolean): void {
    if (deliver) this.cut(cause);
    else void this.abort(cause);
  }

  /** @internal */
  backendDials(byUs: boolean): OnReadOpts | undefined {
    if (this.times !== undefined) this.times.dialledAt ??= this.clock.now();
    return this.relay.dialled(byUs);
  }

  /** @internal */
  backendDialled(socket: Socket): void {
    this.relay.opened(socket);
  }

  /** @internal */
  backendRetry(attempt: number, delayMs: number, cause: Cause): void {
    if (this.times !== undefined) this.times.retries++;
    this.#owner.notify('retry', { session: this, attempt, delayMs, cause });
    this.notify('retry', { attempt, delayMs, cause });
  }

  /** @internal */
  backendFailover(from: Server, to: Server, cause: Cause): void {
    if (this.times !== undefined) this.times.redispatched = true;
    this.#owner.notify('failover', { session: this, from, to, cause });
    this.notify('failover', { from, to, cause });
  }

  /** @internal */
  override commandFailed(_command: string, error: unknown): void {
    // No command of a session opens anything: what throws here is a mistake, and the legs must not outlive it.
    this.cut(commandCauseOf(error));
  }

  /** @internal */
  override finish(outcome: Outcome): void {
    const cause = this.#explained(outcome.cause);
    super.finish(cause === outcome.cause ? outcome : { ...outcome, cause });
  }

  /** A time that is up does not hide why no attempt came up. */
  #explained(cause: Cause): Cause {
    if (cause.code !== 'sessionConnectTimeout' || cause.initiator !== 'library') return cause;
    if (this.#late === undefined) {
      const error = this.backend.lastFailure;
      this.#late = error === undefined ? cause : { ...cause, error };
    }
    return this.#late;
  }

  /** @internal */
  protected override finished(outcome: Outcome): void {
    this.relay.release();
    this.#own?.end();
    if (this.#stream !== undefined && this.backend.incarnation === 0) discardTarget(this.#stream);
    this.#owner.sessionClosed(this, outcome);
  }

  /** @internal */
  protected override refSocket(keepAlive: boolean): void {
    for (const leg of [this.client, this.backend]) {
      if (keepAlive) leg.ref();
      else leg.unref();
    }
  }

  #route(): void {
    const { route, key } = this.#config;
    try {
      if (route !== undefined) {
        this.#askHook(route);
        return;
      }
      this.backend.goTo(this.backend.servers, undefined, checkedKey('key', (key as KeyHook)(this.client)));
      this.instance.send(ROUTED);
    } catch (error) {
      this.#refuse(hookReportOf(error));
    }
  }

  #askHook(route: RouteHook): void {
    const context = new LazyContext();
    const answer = route(this.client, context);
    if (typeof (answer as PromiseLike<unknown> | undefined)?.then !== 'function') {
      this.#answered(answer);
      return;
    }
    this.#routing = context;
    this.#readAhead();
    const isWanted = (): boolean => {
      if (this.#routing !== context) return false;
      this.#routing = undefined;
      return true;
    };
    Promise.resolve(answer).then(
      (target) => (isWanted() ? this.#answered(target) : discardTarget(target)),
      (error) => isWanted() && this.#refuse(hookReportOf(error)),
    );
  }

  #answered(answer: unknown): void {
    if (answer === false) {
      this.#refuse({ initiator: 'owner', manner: 'refusal' });
      return;
    }
    try {
      this.goTo(checkedTarget('route', answer, this.#config.servers, this.#config.environment));
      this.instance.send(ROUTED);
    } catch (error) {
      discardTarget(answer);
      this.#refuse(hookReportOf(error));
    }
  }

  /** @internal Where its backend goes is known. */
  goTo({ servers, isOwn, only, key, stream }: CheckedTarget): void {
    if (isOwn) this.#own = servers;
    this.#stream = stream;
    this.backend.goTo(servers, only, key);
  }

  #refuse(cause: Report): void {
    this.instance.send({ type: 'route.refused', cause });
  }

  #turnAway(cause: Cause, words: Words | undefined): void {
    const { refusal } = this.#config;
    const why = this.#explained(cause);
    if (words !== undefined || refusal === undefined) {
      this.client.turnAway(why, words);
      return;
    }
    try {
      this.client.turnAway(why, checkWords('refusal', refusal(why, this.client)));
    } catch (error) {
      this.client.turnAway(hookReportOf(error), undefined);
    }
  }

  #revokeRoute(): void {
    const routing = this.#routing;
    this.#routing = undefined;
    this.abortSignal(routing?.revoke());
  }

  #connectBackend(): void {
    this.#readAhead();
    this.backend.dial();
  }

  #readAhead(): void {
    const { connectBufferBytes } = this.#config;
    if (connectBufferBytes > 0 && !this.relay.readsAhead) this.relay.readAhead(connectBufferBytes);
  }

  #startRelay(): void {
    const { transform } = this.#config;
    const socket = this.backend.socket as Socket;
    this.client.endPeek();
    this.relay.start(socket, transform && this.#transforms(transform));
    this.#owner.notify('established', this);
    this.notify('established', this);
    this.relay.begin();
  }

  /** Nothing where a hook has failed: then the session is cut. */
  #transforms({ fromClient, fromBackend }: TransformHooks): Transforms | undefined {
    const failed = (error: unknown): void => this.cut({ ...hookReportOf(error), phase: 'established' });
    let first: Duplex | undefined;
    try {
      first = checkedTransform('transform.fromClient', fromClient?.(this));
      const second = checkedTransform('transform.fromBackend', fromBackend?.(this), first);
      return { fromClient: first, fromBackend: second, failed };
    } catch (error) {
      first?.destroy();
      failed(error);
      return undefined;
    }
  }

  #probeRelay(): void {
    const { progress } = this.relay;
    this.#quiet = progress === this.#progress ? this.#quiet + 1 : 0;
    this.#progress = progress;
    if (this.#quiet === 1) this.relay.rest();
    if (this.#quiet >= QUIET_PROBES) this.instance.send(IDLED);
  }

  #endLeg(leg: Client | Backend): void {
    const socket = leg.socket as Socket;
    const wasFinished = socket.writableFinished;
    this.relay.end(socket);
    // A hook had ended it: no report follows.
    if (wasFinished) this.legFinished(leg);
  }

  #closeLeg(leg: Client | Backend, cause: Cause): void {
    // Quiet until now is no reason to give the peer less time.
    this.#quiet = 0;
    this.#progress = -1;
    leg.closeBy(cause, this.#config.legCloseTimeout);
  }

  #resetLeg(leg: Client | Backend, cause: Cause): void {
    const { socket } = leg;
    // Quiet until now is no reason to give the flush less time.
    this.#quiet = 0;
    if (socket === undefined) leg.cut(cause);
    else this.relay.flush(socket, () => leg.cut(cause));
  }
}

function abortLeg(leg: Client | Backend, cause: Cause, deliver: boolean): void {
  if (deliver) leg.cut(cause);
  else void leg.abort(cause);
}

/** @internal */
export function timersOf(prefix: string, timers: readonly RunningTimer[]): RunningTimer[] {
  return timers.map(({ name, remainingMs }) => ({ name: `${prefix}.${name}`, remainingMs }));
}
