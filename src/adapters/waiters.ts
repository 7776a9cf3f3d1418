/** The callers that wait until a backend is established. */
import { type Member, MemberList } from '../members.js';
import { signal as checkSignal, count, onlyKnown } from '../options.js';
import { type Following, follow, type SignalFollower, unfollow } from '../signals.js';
import type { Connection } from './holds.js';

/** Options of {@link Backend.ready}. */
export interface ReadyOptions {
  /** Gives up waiting; the backend goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Gives up waiting after this many failed attempts. Default: no limit. */
  readonly failuresMax?: number | undefined;
}

interface Waiter extends SignalFollower, Member<Waiter> {
  failuresLeft: number;
  following: Following | undefined;
  resolve(connection: Connection): void;
  reject(error: Error): void;
}

/** @internal */
export class Waiters {
  readonly #waiters = new MemberList<Waiter>();

  /** A promise of the next established connection. */
  add({ signal, failuresMax: failuresLeft = Number.POSITIVE_INFINITY }: ReadyOptions): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter);
        if (waiter.following !== undefined) unfollow(waiter.following);
      };
      const waiter: Waiter = {
        failuresLeft,
        following: undefined,
        previous: undefined,
        next: undefined,
        resolve: (established) => {
          settle();
          resolve(established);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        signalAborted: ({ reason }) => waiter.reject(reason),
      };
      this.#waiters.add(waiter);
      if (signal !== undefined) waiter.following = follow(signal, waiter);
    });
  }

  resolve(connection: Connection): void {
    for (const waiter of this.#waiters) waiter.resolve(connection);
  }

  reject(error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }

  /** An attempt has failed: callers that wait for no more of them get the error. */
  attemptFailed(errorOf: () => Error): void {
    for (const waiter of this.#waiters) {
      waiter.failuresLeft--;
      if (waiter.failuresLeft <= 0) waiter.reject(errorOf());
    }
  }
}

export function checkReady(options: ReadyOptions): void {
  onlyKnown('ready', options, ['signal', 'failuresMax']);
  count('failuresMax', options.failuresMax, Number.POSITIVE_INFINITY);
  checkSignal('signal', options.signal);
}
