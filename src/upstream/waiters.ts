/**
 * The connections of a set that wait: for a place, for a server, or for the governor. Each is called when it is worth to ask
 * again, the longest wait first.
 */
import type { Clock, Timer } from '../runtime/clock.js';
import type { Governor } from './governor.js';
import { wake } from './pacing.js';
import type { Picker } from './picker.js';
import { WaitingQueue } from './queue.js';
import type { Choice, Requester } from './requester.js';
import type { Server } from './server.js';
import type { SharedTrials } from './shared-trials.js';
import type { SharedSet } from './sharing.js';

const FULL: Choice = { kind: 'full' };
const queueFull = (code: string): Choice => ({
  kind: 'exhausted',
  cause: { initiator: 'library', manner: 'limit', code },
});
const QUEUE_FULL = queueFull('queueMax');
const SERVER_QUEUE_FULL = queueFull('serverQueueMax');

/** The set. */
interface WaitersOwner {
  readonly clock: Clock;
  readonly picker: Picker;
  readonly shared: SharedSet | undefined;
  readonly trials: SharedTrials | undefined;
}

export class Waiters {
  readonly #owner: WaitersOwner;
  readonly #queue: WaitingQueue;
  readonly #queueMax: number;
  readonly #governor: Governor | undefined;
  /** While connections wait for the governor. */
  #governorTimer: Timer | undefined = undefined;
  /** The last look at the governor found it shut. Looked at twice, it may be open the second time, and nobody would wait for it. */
  #isShut = false;
  #isServing = false;
  #isAgain = false;

  constructor(owner: WaitersOwner, queueMax: number, governor: Governor | undefined) {
    this.#owner = owner;
    this.#queue = new WaitingQueue(owner.clock);
    this.#queueMax = queueMax;
    this.#governor = governor;
  }

  /** How many wait. */
  get size(): number {
    return this.#queue.size;
  }

  /** How many wait that may go to this server. */
  sizeFor(server: Server): number {
    return this.#queue.anywhere + server.waiting;
  }

  /** A connection enters the queue, or stays there; a queue that is full takes nobody. */
  enter(requester: Requester, wakeAfterMs: number): Choice {
    const { only } = requester;
    if (requester.queued !== undefined) {
      // It keeps its place.
    } else if (only === undefined) {
      if (this.#queue.anywhere >= this.#queueMax) return QUEUE_FULL;
    } else if (only.waiting >= only.queueMax) return SERVER_QUEUE_FULL;
    this.#queue.enter(requester, wakeAfterMs);
    this.#owner.shared?.waits();
    return FULL;
  }

  /** It waits no more. */
  leave(requester: Requester): void {
    if (this.remove(requester)) this.#owner.shared?.waits();
  }

  /** The same, for one whose place and dial have yet to be counted: only then may other processes be given what is not needed. */
  remove(requester: Requester): boolean {
    const wasQueued = requester.queued !== undefined;
    this.#queue.leave(requester);
    if (this.#queue.size > 0) return wasQueued;
    this.#owner.trials?.stop();
    if (this.#governorTimer === undefined) return wasQueued;
    this.#owner.clock.clearTimeout(this.#governorTimer);
    this.#governorTimer = undefined;
    return wasQueued;
  }

  /** What a connection is answered that has to wait for the governor: those that came before it go first. Nothing for one that may go on. */
  hold(requester: Requester): Choice | undefined {
    if (this.#governor === undefined) return undefined;
    const waitMs = this.#governor.waitMs(this.#owner.clock.now());
    if (waitMs <= 0 && (this.#governorTimer === undefined || requester.queued !== undefined)) return undefined;
    // Where there is no server it fails as without a governor.
    if (this.#owner.picker.isExhausted(requester)) return undefined;
    this.#isShut = true;
    const choice = this.enter(requester, Number.POSITIVE_INFINITY);
    this.#awaitGovernor(this.#governor);
    return choice;
  }

  /** Those that wait for a place get one while there is one, the longest first. */
  serve(): void {
    if (this.#queue.size === 0) return;
    if (this.#governor === undefined) {
      this.#call(this.#hasPlaceFor);
      return;
    }
    this.#call(this.#mayDial);
    this.#awaitGovernor(this.#governor);
  }

  /** A server is not, or no longer, what those that wait have waited for: each asks again. */
  serveAll(): void {
    if (this.#queue.size > 0) this.#call(always);
  }

  #call(isWorth: (only: Server | undefined) => boolean): void {
    // A requester that fails at once frees its place again, here inside: the loop that runs already serves it.
    if (this.#isServing) {
      this.#isAgain ||= isWorth === always;
      return;
    }
    this.#isServing = true;
    try {
      this.#queue.call(isWorth);
      while (this.#isAgain) {
        this.#isAgain = false;
        this.#queue.call(always);
      }
    } finally {
      this.#isServing = false;
      this.#isAgain = false;
    }
  }

  #awaitGovernor(governor: Governor): void {
    if (this.#queue.size === 0 || this.#governorTimer !== undefined || !this.#isShut) return;
    const { clock } = this.#owner;
    this.#governorTimer = wake(clock, this.#dialOn, Math.max(1, governor.waitMs(clock.now())));
  }

  /** The governor may let the next ones through. */
  readonly #dialOn = (): void => {
    // Until then newcomers wait behind those of the queue.
    this.serve();
    this.#governorTimer = undefined;
    this.#awaitGovernor(this.#governor as Governor);
  };

  readonly #hasPlaceFor = (only: Server | undefined): boolean => this.#owner.picker.hasPlaceFor(only);
  readonly #mayDial = (only: Server | undefined): boolean => {
    this.#isShut = (this.#governor as Governor).waitMs(this.#owner.clock.now()) > 0;
    return !this.#isShut && this.#owner.picker.hasPlaceFor(only);
  };
}

const always = (): boolean => true;
