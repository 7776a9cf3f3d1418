/** What a connection is answered that has no server now: to wait for one, to rest before the next attempt, or to give up. */
import type { Pacing } from './pacing.js';
import type { Picker } from './picker.js';
import type { Choice, Requester, RequesterMemory } from './requester.js';
import type { Server } from './server.js';
import type { ServerName } from './server-name.js';
import type { SharedTrials } from './shared-trials.js';
import type { Waiters } from './waiters.js';

const NO_SERVERS = { initiator: 'owner', manner: 'command', code: 'noServers' } as const;

/** The set. */
interface RoundsOwner {
  readonly list: readonly Server[];
  readonly names: readonly ServerName[];
  readonly picker: Picker;
  readonly waiters: Waiters;
  readonly trials: SharedTrials | undefined;
}

export class Rounds {
  readonly #owner: RoundsOwner;
  readonly #pacing: Pacing;
  readonly #waits: boolean;

  /** @param waits a connection that finds no server waits for one */
  constructor(owner: RoundsOwner, pacing: Pacing, waits: boolean) {
    this.#owner = owner;
    this.#pacing = pacing;
    this.#waits = waits;
  }

  /** Before the next attempt of a connection whose last one has failed. */
  defer(requester: Requester, memory: RequesterMemory, now: number): Choice {
    const { picker, trials } = this.#owner;
    if (picker.isExhausted(requester) && !this.#mayAwait()) return this.#exhausted(requester);
    memory.rested = true;
    if (memory.again !== undefined) return { kind: 'deferred', delayMs: this.#pacing.rest(memory, now) };
    const untilTrialMs = trials?.untilNextMs(picker.listFor(requester), now);
    if (untilTrialMs !== undefined) {
      // It waits for its failure once, and with the others: neither its own backoff nor the budget adds to that.
      memory.tried.clear();
      memory.retryAt = undefined;
      return { kind: 'deferred', delayMs: untilTrialMs };
    }
    const isOver = picker.isRoundOver(requester, memory);
    const delayMs = isOver ? this.#pacing.endRound(memory, now) : this.#pacing.next(memory, now);
    return { kind: 'deferred', delayMs };
  }

  /** No server for now: wait in the queue or until the next round, or give up. */
  none(requester: Requester, now: number): Choice {
    const { picker, waiters, trials } = this.#owner;
    const { memory } = requester;
    if (picker.isExhausted(requester) && !(this.#mayAwait() && requester.only === undefined)) {
      waiters.leave(requester);
      return this.#exhausted(requester);
    }
    if (memory !== undefined && memory.tried.size > 0 && picker.isRoundOver(requester, memory)) {
      // Those that this one had yet to try may not be chosen any more.
      waiters.leave(requester);
      return { kind: 'deferred', delayMs: this.#pacing.endRound(memory, now) };
    }
    // Those that have failed are not tried again at once in place of one that is full, but after their rest.
    if (memory !== undefined && memory.tried.size > 0 && memory.retryAt === undefined) {
      memory.retryAt = now + this.#pacing.rest(memory, now);
    }
    const choice = waiters.enter(requester, (memory?.retryAt ?? Number.POSITIVE_INFINITY) - now);
    trials?.await();
    return choice;
  }

  /** Whether a server may still come for a connection that finds none: a name has yet to be answered, for example. */
  #mayAwait(): boolean {
    return this.#waits || this.#owner.names.some((name) => name.isUnanswered);
  }

  /** Why there is none: what happened to the first server. */
  #exhausted({ only }: Requester): Choice {
    const { list, names } = this.#owner;
    const cause = (only ?? list[0] ?? names[0])?.cause ?? NO_SERVERS;
    return { kind: 'exhausted', cause };
  }
}
