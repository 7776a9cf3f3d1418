/** Where a backend goes: the server of its current attempt, and what became of the last one. */
import type { Socket } from 'node:net';
import { ConnectError } from '../errors.js';
import type { Cause, Report } from '../machines/vocabulary.js';
import { hookReportOf } from '../sockets/socket.js';
import type { Occupant } from '../upstream/occupants.js';
import type { Choice, Requester } from '../upstream/requester.js';
import type { Server } from '../upstream/server.js';
import type { Servers } from '../upstream/servers.js';

/** @internal The backend that attempts to connect. */
interface AttemptsOwner {
  serverFreed(): void;
  /** The server goes, for this reason. */
  serverLost(cause: Report, deliver: boolean): void;
  /** The client that it is for. */
  readonly client: Requester['client'];
}

/** @internal */
export class Attempts implements Requester, Occupant {
  /** @internal A server links its connections by these two fields. */
  previous: Occupant | undefined = undefined;
  /** @internal */
  next: Occupant | undefined = undefined;
  servers: Servers;
  only: Server | undefined = undefined;
  key: string | undefined = undefined;
  /** @internal Kept by {@link Servers}. */
  memory: Requester['memory'] = undefined;
  /** @internal Kept by {@link Servers}. */
  trial: Requester['trial'] = undefined;
  /** @internal Kept by {@link Servers}. */
  queued: Requester['queued'] = undefined;
  /** @internal Kept by {@link Servers}. */
  chosenAt = 0;
  /** The server that the current socket goes to: it takes a place there. */
  current: Server | undefined = undefined;
  /** The server that the last socket went to. */
  last: Server | undefined = undefined;
  lastCause: Cause | undefined = undefined;
  /** The last attempt that failed. */
  #failure: { readonly server: Server; readonly cause: Cause } | undefined = undefined;
  readonly #requester: AttemptsOwner;
  /** When its connection came up, where that counts. */
  #since: number | undefined = undefined;
  /** The set of servers does not know yet what became of the last attempt. */
  #isUnsettled = false;
  /** The last attempt had come up, and its connection was lost, or is replaced on the owner's wish. */
  #fate: 'failed' | 'dropped' | 'renewed' = 'failed';

  constructor(servers: Servers, requester: AttemptsOwner) {
    this.servers = servers;
    this.#requester = requester;
  }

  get client(): Requester['client'] {
    return this.#requester.client;
  }

  get random(): Requester['random'] {
    return this.servers.random;
  }

  serverFreed(): void {
    this.#requester.serverFreed();
  }

  serverLost(cause: Report, deliver: boolean): void {
    this.#requester.serverLost(cause, deliver);
  }

  /** Asks the set of servers for one. A balancer of the user's may throw. */
  choose(): Choice {
    try {
      const choice = this.servers.choose(this);
      if (choice.kind === 'chosen') {
        this.current = choice.server;
        choice.server.occupants.add(this);
      }
      return choice;
    } catch (error) {
      this.servers.forget(this);
      return { kind: 'exhausted', cause: hookReportOf(error) };
    }
  }

  /** A choice is no longer wanted, or the backend is over. */
  forget(): void {
    this.servers.forget(this);
  }

  /** The attempt begins; returns the server that the last one went to, if that was another. */
  begin(): Server | undefined {
    const from = this.last;
    this.last = this.current;
    this.#fate = 'failed';
    return from === this.current ? undefined : from;
  }

  /** The connection is established. */
  succeeded(socket: Socket | undefined): void {
    const server = this.current as Server;
    this.servers.succeeded(server, this);
    if (this.servers.judge.judgesLosses) this.#since = this.servers.clock.now();
    if (server.lookup !== undefined && socket !== undefined) server.addresses.cameUp(socket.remoteAddress);
  }

  /** The established connection is gone: no failed attempt. */
  dropped(): void {
    this.#fate = 'dropped';
  }

  /** The established connection is replaced: no failed attempt either. */
  renewed(): void {
    this.#fate = 'renewed';
  }

  /** The socket is gone, and leaves its place at the server. */
  leave(): void {
    const server = this.current;
    if (server === undefined) return;
    this.current = undefined;
    this.#isUnsettled = true;
    server.occupants.delete(this);
    if (this.#since !== undefined) this.#tellLasted(server, this.#since);
    this.servers.leave(server);
  }

  /** The established connection was lost, for this reason. */
  lost(cause: Cause): void {
    if (this.#since === undefined) return;
    const livedMs = this.servers.clock.now() - this.#since;
    this.#since = undefined;
    this.servers.judge.lost((this.current ?? this.last) as Server, cause, livedMs);
  }

  /** That it has lasted speaks for the server; that it was lost is said by {@link lost}. */
  #tellLasted(server: Server, since: number): void {
    this.servers.judge.lasted(server, this.servers.clock.now() - since);
  }

  /**
   * What became of the last attempt is remembered for the next choice, of this connection and of the others. Returns true
   * for an attempt that failed, and was not settled before.
   */
  settle(cause: Cause): boolean {
    this.lastCause = cause;
    if (!this.#isUnsettled) return false;
    this.#isUnsettled = false;
    const server = this.last as Server;
    if (this.#fate === 'renewed') return false;
    if (this.#fate === 'dropped') {
      this.servers.dropped(this, server);
      return false;
    }
    this.#failure = { server, cause };
    this.servers.failed(this, server, cause);
    return true;
  }

  /** It was stable, or its owner starts afresh: earlier attempts no longer count. */
  forgive(): void {
    this.servers.settled(this);
  }

  /** Why the last attempt failed; nothing if none has. `cause`: that of the present one, which is not settled yet. */
  lastFailure(cause?: Cause): ConnectError | undefined {
    const failure = cause !== undefined && this.last !== undefined ? { server: this.last, cause } : this.#failure;
    if (failure === undefined) return undefined;
    return new ConnectError(`The last attempt, at ${failure.server}, failed`, failure.cause);
  }

  get isUnsettled(): boolean {
    return this.#isUnsettled;
  }
}
