/**
 * Where all connections of a set back off together: one at a time tries a server that has failed, after a wait that grows; the
 * others wait in the queue.
 */
import type { Clock, Timer } from '../runtime/clock.js';
import type { Backoff } from './backoff.js';
import { wake } from './pacing.js';
import type { Server } from './server.js';
import type { Waiters } from './waiters.js';

/** The set: its servers, and its queue. */
interface TrialsOwner {
  readonly list: readonly Server[];
  readonly clock: Clock;
  readonly waiters: Waiters;
  random(): number;
}

export class SharedTrials {
  readonly #owner: TrialsOwner;
  readonly #backoff: Backoff;
  /** The timer of the next trial, while connections wait for it. */
  #timer: Timer | undefined = undefined;

  constructor(owner: TrialsOwner, backoff: Backoff) {
    this.#owner = owner;
    this.#backoff = backoff;
  }

  /** A trial has failed, or the first attempt. The next trial follows after a wait. */
  delay(server: Server, now: number): void {
    server.trialAt = now + this.#backoff.delayMs(server.trialsFailed++, this.#owner.random());
    this.stop();
    this.await(server);
  }

  /** The next trial is for the connection that has waited longest. @param failing a server that fails now */
  await(failing?: Server): void {
    const { list, clock, waiters } = this.#owner;
    if (waiters.size === 0 || this.#timer !== undefined) return;
    const now = clock.now();
    let trialAt = Number.POSITIVE_INFINITY;
    for (const server of list) {
      // The end of a trial wakes the queue by itself. A server whose trial is due, and has not begun, suits none of the queue.
      if (server !== failing && server.failures === 0) continue;
      if (server.trial === undefined && server.trialAt > now) trialAt = Math.min(trialAt, server.trialAt);
    }
    if (trialAt === Number.POSITIVE_INFINITY) return;
    const next = (): void => {
      // A timer may fire a little early. The trial would not be due for those that wait, but due for the look after that.
      const earlyMs = trialAt - clock.now();
      this.#timer = earlyMs > 0 ? wake(clock, next, earlyMs) : undefined;
      if (earlyMs > 0) return;
      waiters.serve();
      this.stop();
      this.await();
    };
    this.#timer = wake(clock, next, trialAt - now);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    this.#owner.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** How long until one of these may be tried; nothing while one of them has answered its last attempt. */
  untilNextMs(servers: readonly Server[], now: number): number | undefined {
    let trialAt = Number.POSITIVE_INFINITY;
    for (const server of servers) {
      if (server.failures === 0) return undefined;
      if (server.trial === undefined) trialAt = Math.min(trialAt, server.trialAt);
    }
    // While all of them are being tried, it waits in the queue.
    return trialAt === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Math.ceil(trialAt - now));
  }
}
