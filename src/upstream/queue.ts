/**
 * The connections that wait for a place, the longest first. Those that may go to one server alone wait in a line of that server, so that
 * neither they nor the others are asked for a place that is not for them. Between the lines, the longest wait counts.
 */
import { MemberList } from '../members.js';
import type { Clock } from '../runtime/clock.js';
import { wake } from './pacing.js';
import type { Queued, Requester } from './requester.js';
import type { Server } from './server.js';

/** @internal Those that may go to the same servers. */
export class Line extends MemberList<Queued> {
  /** The one server that they may go to; nothing where any will do. */
  readonly only: Server | undefined;
  /** The last one that was called and waits on. */
  stayed: Queued | undefined = undefined;

  constructor(only: Server | undefined) {
    super();
    this.only = only;
  }

  /** The first one behind those that were called. */
  nextAfter(called: number): Queued | undefined {
    const { stayed } = this;
    let queued = stayed !== undefined && stayed.requester.queued === stayed ? stayed.next : this.first;
    while (queued !== undefined && queued.order <= called) queued = queued.next;
    return queued;
  }
}

export class WaitingQueue {
  readonly #anywhere = new Line(undefined);
  /** The lines of servers; one that is empty goes. */
  #lines: readonly Line[] = [this.#anywhere];
  readonly #clock: Clock;
  /** How many have ever waited. */
  #ever = 0;
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many wait in all lines. */
  get size(): number {
    return this.#size;
  }

  /** How many wait that may go to any server. */
  get anywhere(): number {
    return this.#anywhere.size;
  }

  /** Enters a connection, or leaves it where it is; it is called after this time, if before there is no place. */
  enter(requester: Requester, wakeAfterMs: number): void {
    let { queued } = requester;
    // A connection that waits already keeps its place in the queue.
    if (queued === undefined) {
      queued = { requester, order: ++this.#ever, timer: undefined, previous: undefined, next: undefined };
      requester.queued = queued;
      this.#size++;
      this.#lineOf(requester.only).add(queued);
      if (requester.only !== undefined) requester.only.waiting++;
    }
    if (queued.timer !== undefined) this.#clock.clearTimeout(queued.timer);
    const isTimed = wakeAfterMs < Number.POSITIVE_INFINITY;
    queued.timer = isTimed ? wake(this.#clock, () => requester.serverFreed(), wakeAfterMs) : undefined;
  }

  leave(requester: Requester): void {
    const { queued, only } = requester;
    if (queued === undefined) return;
    if (queued.timer !== undefined) this.#clock.clearTimeout(queued.timer);
    const line = this.#lineOf(only);
    line.delete(queued);
    requester.queued = undefined;
    this.#size--;
    if (only === undefined) return;
    only.waiting--;
    if (line.size > 0) return;
    only.line = undefined;
    this.#lines = this.#lines.filter((other) => other !== line);
  }

  /**
   * Calls each connection once, the longest first, also those that enter meanwhile, as long as `isWorth` says so for the one server
   * that it may go to, or for any.
   */
  call(isWorth: (only: Server | undefined) => boolean): void {
    for (const line of this.#lines) line.stayed = undefined;
    let called = 0;
    for (;;) {
      let next: Queued | undefined;
      let from: Line | undefined;
      for (const line of this.#lines) {
        const first = line.nextAfter(called);
        if (first === undefined || (next !== undefined && first.order > next.order) || !isWorth(line.only)) continue;
        next = first;
        from = line;
      }
      if (next === undefined || from === undefined) return;
      called = next.order;
      next.requester.serverFreed();
      if (next.requester.queued === next) from.stayed = next;
    }
  }

  #lineOf(only: Server | undefined): Line {
    if (only === undefined) return this.#anywhere;
    if (only.line === undefined) {
      only.line = new Line(only);
      this.#lines = [...this.#lines, only.line];
    }
    return only.line;
  }
}
