/**
 * What several processes may have together, and no more of it: places at a server, dials of a second, the one trial of a
 * server, the one right to check it. The primary has a pool of each, and lends its units.
 *
 * 1. What is lent and what is left make the limit at all times. So the sum never exceeds it, whatever is lost or late.
 * 2. A process that dies gives back what it had.
 * 3. A process that wants what others have is served in its turn: the others are told what they owe.
 */

/** How the pool speaks to a process. */
export interface PoolVoice<M> {
  /**
   * @param recent how long ago those units were used that were used within the last second, in milliseconds
   * @param isMet it gets no more unless it asks again
   */
  granted(member: M, units: number, recent: readonly number[], isMet: boolean): void;
  /**
   * Others want so many: what lies idle is wanted at once, the rest as it becomes free, down to `fair`. 0: none is wanted any more.
   * Where it is not urgent, half of what lies idle is wanted, and no more.
   */
  recalled(member: M, units: number, fair: number, isUrgent: boolean): void;
}

interface Want {
  /** How many it wants to have in all. */
  readonly total: number;
  readonly isUrgent: boolean;
}

/** After so long the last use of a unit no longer matters, in milliseconds. */
export const RECENT_MS = 1_000;

export class Pool<M> {
  readonly #voice: PoolVoice<M>;
  readonly #now: () => number;
  #limit: number;
  #free: number;
  /** When units that are free were used last, if that is not long ago. */
  #usedAt: number[] = [];
  readonly #held = new Map<M, number>();
  readonly #joined = new Set<M>();
  /** In the order in which they are served. */
  readonly #wants = new Map<M, Want>();
  /** What each was told that it owes, less what it has given since. */
  readonly #owed = new Map<M, { units: number; readonly fair: number }>();

  constructor(limit: number, voice: PoolVoice<M>, now: () => number) {
    this.#limit = limit;
    this.#free = limit;
    this.#voice = voice;
    this.#now = now;
  }

  get limit(): number {
    return this.#limit;
  }

  get members(): readonly M[] {
    return [...this.#held.keys()];
  }

  heldBy(member: M): number {
    return this.#held.get(member) ?? 0;
  }

  /** @param units what it gets at once, as far as there are so many */
  join(member: M, units: number): void {
    if (this.#joined.has(member)) return;
    this.#joined.add(member);
    if (!this.#held.has(member)) this.#held.set(member, 0);
    this.#grant(member, Math.min(units, this.#free));
  }

  /** It uses so many already: before there was a limit, say. */
  adopt(member: M, units: number): void {
    if (this.#held.has(member)) return;
    this.#held.set(member, units);
    this.#free -= units;
  }

  /** Those that have more together than a smaller limit give back what they do not use. */
  setLimit(limit: number): void {
    this.#free += limit - this.#limit;
    this.#limit = limit;
    this.#serve();
  }

  /** It wants to have so many in all; this replaces what it wanted before. 0: it wants no more. */
  want(member: M, total: number, isUrgent: boolean): void {
    const held = this.#held.get(member);
    if (held === undefined) return;
    if (total <= held) this.#wants.delete(member);
    else this.#wants.set(member, { total, isUrgent });
    this.#serve();
    if (isUrgent || !this.#wants.has(member)) return;
    for (const [other, units] of this.#held) {
      if (other !== member && units > 1 && !this.#owed.has(other)) this.#voice.recalled(other, total - held, 0, false);
    }
  }

  /** It gives units back; more than it has are none. */
  give(member: M, units: number, recent: readonly number[]): void {
    const held = this.heldBy(member);
    const given = Math.min(units, held);
    if (given === 0) return;
    this.#held.set(member, held - given);
    this.#free += given;
    const now = this.#now();
    for (const agoMs of recent.slice(0, given)) this.#usedAt.push(now - agoMs);
    const owed = this.#owed.get(member);
    if (owed !== undefined) owed.units = Math.max(0, owed.units - given);
    this.#serve();
  }

  /** It is gone. When it used its units is not known, so they count as used now. */
  leave(member: M): void {
    const held = this.heldBy(member);
    this.#wants.delete(member);
    this.#owed.delete(member);
    this.give(
      member,
      held,
      Array.from({ length: Math.min(held, 1_000_000) }, () => 0),
    );
    this.#held.delete(member);
    this.#joined.delete(member);
    this.#serve();
  }

  #grant(member: M, units: number): void {
    if (units <= 0) return;
    this.#free -= units;
    this.#held.set(member, this.heldBy(member) + units);
    const now = this.#now();
    this.#usedAt = this.#usedAt.filter((at) => now - at < RECENT_MS).sort((a, b) => a - b);
    // Those that were not used lately go first.
    const rested = this.#free + units - this.#usedAt.length;
    const recent = this.#usedAt.splice(0, Math.max(0, units - Math.max(0, rested)));
    this.#voice.granted(
      member,
      units,
      recent.map((at) => now - at),
      !this.#wants.has(member),
    );
  }

  /** What is free goes round: to each its part, the first that asked first. */
  #lend(isUrgent: boolean): void {
    while (this.#free > 0) {
      const wants = [...this.#wants].filter(([, want]) => want.isUrgent === isUrgent);
      if (wants.length === 0) return;
      const each = Math.max(1, Math.floor(this.#free / wants.length));
      for (const [member, want] of wants) {
        if (this.#free <= 0) break;
        const lacks = want.total - this.heldBy(member);
        const units = Math.min(lacks, each, this.#free);
        this.#wants.delete(member);
        // Those that want more wait behind those that have got nothing yet.
        if (lacks > units) this.#wants.set(member, want);
        this.#grant(member, units);
      }
    }
  }

  #isPressed(member: M): boolean {
    return this.#wants.get(member)?.isUrgent === true;
  }

  get #fair(): number {
    const count = [...this.#held].filter(([member, held]) => held > 0 || this.#isPressed(member)).length;
    return Math.floor(this.#limit / Math.max(1, count));
  }

  /** Lends what there is; what lacks then is owed by those that have more than their part. */
  #serve(): void {
    this.#lend(true);
    this.#lend(false);
    let units = Math.max(0, -this.#free);
    for (const [member, want] of this.#wants) if (want.isUrgent) units += want.total - this.heldBy(member);
    if (units === 0) {
      for (const member of this.#owed.keys()) this.#voice.recalled(member, 0, 0, true);
      this.#owed.clear();
      return;
    }
    const fair = this.#fair;
    for (const [member, held] of this.#held) {
      if (held === 0 || (held <= fair && this.#isPressed(member) && this.#free >= 0)) continue;
      const owed = this.#owed.get(member);
      if (owed !== undefined && owed.units >= Math.min(units, held) && owed.fair <= fair) continue;
      this.#owed.set(member, { units, fair });
      this.#voice.recalled(member, units, fair, true);
    }
  }
}
