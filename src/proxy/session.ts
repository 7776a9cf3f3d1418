import type { OnReadOpts, Socket } from 'node:net';
import { Backend } from '../adapters/backend.js';
import type { BackendConfig } from '../adapters/backend-options.js';
import type { Client } from '../adapters/client.js';
import { type Environment, Handle, type Kind, kindNamed } from '../adapters/handle.js';
import { type SessionCommand, type SessionSettings, sessionMachine } from '../machines/session.js';
import { type Cause, type Outcome, QUIET_PROBES } from '../machines/vocabulary.js';
import { Relay } from '../relay/relay.js';
import type { Description, RunningTimer } from '../runtime/life.js';
import type { Peer } from '../sockets/peer.js';
import { commandCauseOf } from '../sockets/socket.js';
import type { Server } from '../upstream/servers.js';

/** @internal What all sessions of one proxy share. */
export interface SessionConfig {
  readonly input: { readonly settings: SessionSettings };
  readonly environment: Environment;
  readonly backend: BackendConfig;
  readonly connectBufferBytes: number;
}

/** @internal The proxy of a session. */
export interface SessionOwner {
  sessionEstablished(session: Session): void;
  sessionRetry(session: Session, attempt: number, delayMs: number, cause: Cause): void;
  sessionFailover(session: Session, from: Server, to: Server, cause: Cause): void;
  sessionLegClosed(session: Session, leg: 'client' | 'backend', outcome: Outcome): void;
  sessionClosed(session: Session, outcome: Outcome): void;
}

export type SessionEvents = {
  /** Client and backend are joined. */
  established: [Session];
  closed: [Outcome];
};

/** What can be seen of a connection that lives. */
export interface ConnectionInfo {
  readonly id: string;
  readonly state: string;
  readonly ageMs: number;
  readonly client: { readonly id: string; readonly state: string; readonly peer: string | undefined };
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

const ESTABLISHED = { type: 'backend.established' } as const;
const CLIENT_ENDED = { type: 'client.ended' } as const;
const BACKEND_ENDED = { type: 'backend.ended' } as const;
const IDLED = { type: 'relay.idled' } as const;

const BACKGROUND: ReadonlySet<string> = new Set(['idleProbe', 'halfCloseProbe', 'finishProbe', 'durationMax']);

/** One client paired with one backend. Made by a proxy for each client that it admits. */
export class Session extends Handle<typeof sessionMachine, SessionEvents> {
  /** @internal */
  static readonly kind: Kind<Session, SessionCommand, SessionEvents> = {
    ...kindNamed('session'),
    events: { established: true, closed: true },
    commands: {
      'backend.connect': (session) => session.#connectBackend(),
      'relay.start': (session) => session.#startRelay(),
      'relay.probe': (session) => session.#probeRelay(),
      'client.end': (session) => session.relay.end(session.client.socket),
      'backend.end': (session) => session.relay.end(session.backend.socket as Socket),
      'client.reset': (session, { cause }) => session.#resetLeg(session.client, cause),
      'backend.reset': (session, { cause }) => session.#resetLeg(session.backend, cause),
      'client.abort': (session, { cause, deliver }) => abortLeg(session.client, cause, deliver),
      'backend.abort': (session, { cause, deliver }) => abortLeg(session.backend, cause, deliver),
    },
  };

  readonly client: Client;
  readonly backend: Backend;
  /** @internal */
  readonly relay: Relay;
  readonly #owner: SessionOwner;
  readonly #connectBufferBytes: number;
  #progress = -1;
  #quiet = 0;

  /** @internal */
  constructor(client: Client, config: SessionConfig, owner: SessionOwner, parent: { readonly id: string }) {
    super(Session.kind, sessionMachine, config.input, config.environment, parent);
    this.client = client;
    this.#owner = owner;
    this.#connectBufferBytes = config.connectBufferBytes;
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
    return { peer: this.peer?.toString() };
  }

  /** @internal */
  override begin(): void {
    super.begin();
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

  /** @internal The client has sent its last byte. */
  clientEnded(): void {
    this.life.send(CLIENT_ENDED);
  }

  /** @internal */
  clientReadLast(): boolean {
    return this.relay.wasReadLast(this.client.socket);
  }

  /** @internal */
  clientUnlinked(): void {
    this.relay.detach(this.client.socket);
  }

  /** @internal */
  clientClosed(outcome: Outcome): void {
    const { ending, cause } = outcome;
    this.#owner.sessionLegClosed(this, 'client', outcome);
    this.life.send({ type: 'client.closed', ending, cause });
  }

  /** @internal */
  backendEstablished(): void {
    this.life.send(ESTABLISHED);
  }

  /** @internal */
  backendEnded(): void {
    this.life.send(BACKEND_ENDED);
  }

  /** @internal */
  backendReadLast({ socket }: Backend): boolean {
    return socket === undefined || this.relay.wasReadLast(socket);
  }

  /** @internal */
  backendUnlinked(backend: Backend): void {
    if (backend.socket !== undefined) this.relay.detach(backend.socket);
  }

  /** @internal */
  backendDials(_backend: Backend, byUs: boolean): OnReadOpts | undefined {
    return this.relay.dialled(byUs);
  }

  /** @internal */
  backendRetry(_backend: Backend, attempt: number, delayMs: number, cause: Cause): void {
    this.#owner.sessionRetry(this, attempt, delayMs, cause);
  }

  /** @internal */
  backendFailover(_backend: Backend, from: Server, to: Server, cause: Cause): void {
    this.#owner.sessionFailover(this, from, to, cause);
  }

  /** @internal */
  backendClosed(_backend: Backend, outcome: Outcome): void {
    this.#owner.sessionLegClosed(this, 'backend', outcome);
    this.life.send({ type: 'backend.closed', ending: outcome.ending, cause: outcome.cause });
  }

  /** @internal */
  override commandFailed(_command: string, error: unknown): void {
    // No command of a session opens anything: what throws here is a mistake, and the legs must not outlive it.
    this.cut(commandCauseOf(error));
  }

  /** @internal */
  protected override finished(outcome: Outcome): void {
    this.relay.release();
    this.#owner.sessionClosed(this, outcome);
  }

  /** @internal */
  protected override refSocket(keepAlive: boolean): void {
    for (const leg of [this.client, this.backend]) {
      if (keepAlive) leg.ref();
      else leg.unref();
    }
  }

  #connectBackend(): void {
    if (this.#connectBufferBytes > 0) this.relay.readAhead(this.#connectBufferBytes);
    this.backend.dial();
  }

  #startRelay(): void {
    this.relay.start(this.backend.socket as Socket);
    this.#owner.sessionEstablished(this);
    this.notify('established', this);
    this.relay.begin();
  }

  #probeRelay(): void {
    const { progress } = this.relay;
    this.#quiet = progress === this.#progress ? this.#quiet + 1 : 0;
    this.#progress = progress;
    if (this.#quiet === 1) this.relay.rest();
    if (this.#quiet >= QUIET_PROBES) this.life.send(IDLED);
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
