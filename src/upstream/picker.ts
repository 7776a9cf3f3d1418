/** Picks a server of a set for a connection: the balancer's choice among those that may be chosen now, and have room. */
import type { Clock } from '../runtime/clock.js';
import type { Balancer } from './balance/balancer.js';
import { Eligible } from './eligible.js';
import type { Requester, RequesterMemory } from './requester.js';
import type { Server } from './server.js';

/** The set. */
interface PickerOwner {
  readonly list: readonly Server[];
  readonly clock: Clock;
}

export class Picker {
  readonly #owner: PickerOwner;
  readonly #balancer: Balancer;
  readonly #panic: number;
  /** Worked out anew when something has changed. */
  #eligible: Eligible | undefined = undefined;
  readonly #isOpen: (server: Server) => boolean;
  // Asked once per server and attempt: a field in place of closures.
  #tried: Set<Server> | undefined;
  readonly #isUsable = (server: Server): boolean => this.#isOpen(server) && this.#tried?.has(server) !== true;

  /** @param isShared all connections back off together: one at a time tries a server that has failed, after a wait */
  constructor(owner: PickerOwner, balancer: Balancer, panic: number, isShared: boolean) {
    this.#owner = owner;
    this.#balancer = balancer;
    this.#panic = panic;
    this.#isOpen = isShared ? (server) => hasPlace(server) && this.#isDue(server) : hasPlace;
  }

  /** What may be chosen now. */
  get choosable(): Eligible {
    this.#eligible ??= new Eligible(this.#owner.list, this.#panic);
    return this.#eligible;
  }

  /** The state of a server has changed: what may be chosen is worked out when it is needed. */
  stateChanged(): void {
    this.#eligible = undefined;
  }

  /** The share of a server has changed, or there are others. */
  sharesChanged(): void {
    this.#eligible = undefined;
    this.#balancer.changed?.(this.#owner.list);
  }

  /** The server for this connection; nothing if none is usable now. */
  pick(requester: Requester): Server | undefined {
    const { memory, only } = requester;
    this.#tried = memory?.tried;
    const again = memory?.again;
    if (again?.hasTag('usable') && this.#isUsable(again)) return again;
    if (only !== undefined) return only.hasTag('usable') && this.#isUsable(only) ? only : undefined;
    const { first, resort, spare } = this.choosable;
    const server = this.#balancer.choose(first, this.#isUsable, requester);
    if (server !== undefined) return server;
    if (resort.length > 0) {
      const last = this.#balancer.choose(resort, this.#isUsable, requester);
      if (last !== undefined) return last;
    }
    // While others are full, connections wait for them.
    if (spare.length === 0 || memory === undefined || !first.every((one) => memory.tried.has(one))) return undefined;
    return this.#balancer.choose(spare, this.#isUsable, requester);
  }

  /** Whether a connection that may go anywhere, or to one server alone, may find a place. */
  hasPlaceFor(only: Server | undefined): boolean {
    return only === undefined ? this.choosable.all.some(this.#isOpen) : only.hasTag('usable') && this.#isOpen(only);
  }

  /** What a connection may go to at all. */
  listFor({ only }: Requester): readonly Server[] {
    if (only === undefined) return this.choosable.all;
    return only.hasTag('usable') ? only.alone : [];
  }

  /** There is no server that the connection may go to, not even later. */
  isExhausted(requester: Requester): boolean {
    return this.listFor(requester).length === 0;
  }

  /** One that was not tried is waited for, also while it is full: those that have failed are not tried again instead. */
  isRoundOver(requester: Requester, { tried }: RequesterMemory): boolean {
    return this.listFor(requester).every((server) => tried.has(server));
  }

  /** Where the backoff is shared, a server that has failed is open to one connection at a time, after a wait. */
  #isDue({ failures, trial, trialAt }: Server): boolean {
    return failures === 0 || (trial === undefined && trialAt <= this.#owner.clock.now());
  }
}

const hasPlace = (server: Server): boolean => server.share > 0 && server.connections < server.places;
