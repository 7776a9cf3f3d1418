/** The connections that wait for a place, the longest first. */
import { MemberList } from '../members.js';
import type { Clock } from '../runtime/clock.js';
import { wake } from './pacing.js';
import type { Queued, Requester } from './requester.js';

export class WaitingQueue {
  readonly #list = new MemberList<Queued>();
  readonly #clock: Clock;
  /** How many have ever waited. */
  #ever = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#list.size;
  }

  /** Enters a connection, or leaves it where it is; it is called after this time, if before there is no place. */
  enter(requester: Requester, wakeAfterMs: number): void {
    let { queued } = requester;
    // A connection that waits already keeps its place in the queue.
    if (queued === undefined) {
      queued = { requester, order: ++this.#ever, timer: undefined, previous: undefined, next: undefined };
      requester.queued = queued;
      this.#list.add(queued);
      if (requester.only !== undefined) requester.only.waiting++;
    }
    if (queued.timer !== undefined) this.#clock.clearTimeout(queued.timer);
    const isTimed = wakeAfterMs < Number.POSITIVE_INFINITY;
    queued.timer = isTimed ? wake(this.#clock, () => requester.serverFreed(), wakeAfterMs) : undefined;
  }

  leave(requester: Requester): void {
    const { queued } = requester;
    if (queued === undefined) return;
    if (queued.timer !== undefined) this.#clock.clearTimeout(queued.timer);
    this.#list.delete(queued);
    requester.queued = undefined;
    if (requester.only !== undefined) requester.only.waiting--;
  }

  /** Calls each connection once, also those that enter meanwhile, as long as `isWorth` says so. */
  call(isWorth: () => boolean): void {
    let called = 0;
    let queued = this.#list.first;
    while (queued !== undefined) {
      if (queued.order > called) {
        if (!isWorth()) return;
        called = queued.order;
        queued.requester.serverFreed();
      }
      // Where it has left the queue, the next is behind those that were called and wait on.
      queued = queued.requester.queued === queued ? queued.next : this.#list.first;
    }
  }
}
