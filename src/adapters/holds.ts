/** The users of a connection: its hook while it is prepared, then its holders. It is released only after them. */
import type { Socket } from 'node:net';
import { type Member, MemberList } from '../members.js';
import type { Server } from '../upstream/server.js';

/** An established connection. */
export interface Connection {
  /** Where a `connect` or `prepare` hook gave another stream than a socket, that `Duplex`, which lacks what only sockets have. */
  readonly socket: Socket;
  /** The number of the socket, counted by its backend from 1. */
  readonly incarnation: number;
  /** The server that it goes to. */
  readonly server: Server;
}

/** A claim on a connection: it is not released before its holders have let go, or `holdTimeout` has passed. */
export interface Hold extends Connection, Disposable {
  /** Fires when the connection is lost or closed: let go. */
  readonly signal: AbortSignal;
  /** Lets go. Calling it again does nothing. */
  release(): void;
}

/** @internal The owner of {@link Holders}. */
export interface HoldersOwner {
  /** The last holder has let go, and the owner waits for that. */
  holdersGone(holders: Holders): void;
  /** Calls the listeners of a signal, which are the user's. */
  abortSignal(controller: AbortController | undefined): void;
}

/** One holder. */
interface Claim extends Member<Claim> {
  readonly controller: AbortController;
}

/** @internal The hook and the holders of one incarnation. */
export class Holders {
  readonly #owner: HoldersOwner;
  readonly #claims = new MemberList<Claim>();
  #hook: AbortController | undefined = undefined;
  #isAwaited = false;

  constructor(owner: HoldersOwner) {
    this.#owner = owner;
  }

  get size(): number {
    return this.#claims.size;
  }

  add(connection: Connection): Hold {
    const controller = new AbortController();
    const claim: Claim = { controller, previous: undefined, next: undefined };
    this.#claims.add(claim);
    const release = (): void => {
      if (this.#claims.delete(claim)) this.#report();
    };
    return { ...connection, signal: controller.signal, release, [Symbol.dispose]: release };
  }

  /** The hook holds the connection until {@link hookSettled}. */
  addHook(): AbortSignal {
    this.#hook = new AbortController();
    return this.#hook.signal;
  }

  /** Returns false for a hook that was told to stop: what it says does not count any more. */
  hookSettled(): boolean {
    const isWanted = this.#hook?.signal.aborted === false;
    this.#hook = undefined;
    if (!isWanted) this.#report();
    return isWanted;
  }

  /** Reports to the owner as soon as the connection has neither hook nor holder, which may be now. */
  await(): void {
    this.#isAwaited = true;
    this.#report();
  }

  /** Tells them to let go. */
  revoke(): void {
    this.#isAwaited = false;
    this.#owner.abortSignal(this.#hook);
    for (const { controller } of [...this.#claims]) this.#owner.abortSignal(controller);
  }

  #report(): void {
    if (!this.#isAwaited || this.#hook !== undefined || this.#claims.size > 0) return;
    this.#isAwaited = false;
    this.#owner.holdersGone(this);
  }
}
