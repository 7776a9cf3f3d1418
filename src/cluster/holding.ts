/** What a process has of a pool of the primary: see pool.ts. */

/** Whose units they are. */
export interface HoldingOwner {
  /** Units that are not in use. */
  idle(): number;
  /** How many more it needs now. */
  needs(): number;
  /** It has more or fewer. */
  changed(): void;
  /** Takes away so many of those that are idle; returns how long ago those were used that were used within the last second. */
  take?(units: number): number[];
  /** Adds so many, of which some were used so long ago. */
  put?(units: number, recent: readonly number[]): void;
}

/** How it speaks to the primary. */
export interface HoldingVoice {
  want(total: number, isUrgent: boolean): void;
  give(units: number, recent: readonly number[]): void;
}

export class Holding {
  /** The units that it may use. */
  held = 0;
  #owed = 0;
  #fair = 0;
  /** How many it has asked for in all. */
  #target = 0;
  #isUrgent = false;
  readonly #owner: HoldingOwner;
  readonly #voice: HoldingVoice;

  constructor(owner: HoldingOwner, voice: HoldingVoice) {
    this.#owner = owner;
    this.#voice = voice;
  }

  /** Its owner may need more, or none any more. What it has asked for already is not asked for again. */
  ask(): void {
    const needs = this.#owner.needs();
    if (needs > 0) {
      // While an answer is on its way nothing more is said, so that a crowd is one message.
      if (!this.#isUrgent || this.#target <= this.held) this.#want(this.held + needs, true);
    } else {
      if (this.#isUrgent && this.#target > this.held) this.#want(0, false);
      this.#giveIdle();
    }
  }

  /** What it does not need any more is what it owes: it was told so while all was in use, and is not told again. */
  #giveIdle(): void {
    const idle = Math.min(this.#owed, this.#owner.idle(), this.held);
    if (idle <= 0) return;
    this.#owed -= idle;
    this.#give(idle);
  }

  /** Some more would be good to have. */
  askAhead(): void {
    if (!this.#isUrgent && this.#target <= this.held) this.#want(this.held + Math.ceil((this.held + 1) / 4), false);
  }

  /** @param isMet nothing of what it has asked for is left to come */
  granted(units: number, recent: readonly number[], isMet: boolean): void {
    this.held += units;
    if (isMet) {
      this.#target = 0;
      this.#isUrgent = false;
    }
    this.#owner.put?.(units, recent);
    this.#owner.changed();
    this.ask();
  }

  recalled(units: number, fair: number, isUrgent: boolean): void {
    const idle = Math.max(0, Math.min(this.held, this.#owner.idle()));
    const now = Math.min(units, isUrgent ? idle : Math.floor(idle / 2));
    this.#owed = isUrgent ? units - now : 0;
    this.#fair = fair;
    if (now > 0) this.#give(now);
  }

  /** A unit is not in use any more. It may be owed: then it is gone. What is its part it keeps as long as it needs it. */
  released(): void {
    if (this.#owed === 0 || (this.held <= this.#fair && this.#owner.needs() > 0)) return;
    this.#owed--;
    this.#give(1);
  }

  /** The primary has taken it away. */
  revoked(): void {
    this.held = 0;
    this.#target = 0;
    this.#owed = 0;
    this.#isUrgent = false;
    this.#owner.changed();
  }

  /** It needs none of those that it has. */
  giveUp(): void {
    if (this.#target > this.held) this.#want(0, false);
    if (this.held > 0) this.#give(this.held);
  }

  #want(total: number, isUrgent: boolean): void {
    this.#target = total;
    this.#isUrgent = isUrgent;
    this.#voice.want(total, isUrgent);
  }

  #give(units: number): void {
    this.held -= units;
    const recent = this.#owner.take?.(units) ?? [];
    this.#owner.changed();
    this.#voice.give(units, recent);
    this.ask();
  }
}
