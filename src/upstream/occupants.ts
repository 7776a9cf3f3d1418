/** The connections that have a place at a server, so that it can cut them. */
import type { Cause, Report } from '../machines/vocabulary.js';
import { type Member, MemberList } from '../members.js';
import type { Clock, Timer } from '../runtime/clock.js';
import { wake } from './pacing.js';
import type { Server } from './server.js';

/** @internal A connection that has a place at a server. */
export interface Occupant extends Member<Occupant> {
  /** Where it has its place. */
  readonly current: Server | undefined;
  /** The server goes, for this reason; with `deliver`, what is complete is delivered. */
  serverLost(cause: Report, deliver: boolean): void;
}

export class Occupants extends MemberList<Occupant> {
  readonly #clock: Clock;
  #spreading: Timer | undefined = undefined;

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
  }

  /**
   * Cuts all that are there now: at once, or one after the other over this time.
   *
   * @param code for the cause of their ends
   * @param why what the owner, or the library, has the server do
   */
  cut(code: string, spreadMs: number, why: Cause, deliver: boolean): void {
    this.stop();
    const cause: Report = { initiator: why.initiator === 'owner' ? 'owner' : 'library', manner: 'abort', code };
    const left = [...this];
    if (spreadMs === 0) {
      for (const occupant of left) this.#lose(occupant, cause, deliver);
      return;
    }
    const everyMs = Math.max(1, Math.floor(spreadMs / Math.max(1, left.length)));
    const next = (): void => {
      this.#spreading = undefined;
      const occupant = left.pop();
      if (occupant === undefined) return;
      this.#lose(occupant, cause, deliver);
      if (left.length > 0) this.#spreading = wake(this.#clock, next, everyMs);
    };
    next();
  }

  /** One that has left meanwhile is another server's. */
  #lose(occupant: Occupant, cause: Report, deliver: boolean): void {
    if (occupant.current?.occupants === this) occupant.serverLost(cause, deliver);
  }

  /** What was to be cut later is not. */
  stop(): void {
    if (this.#spreading !== undefined) this.#clock.clearTimeout(this.#spreading);
    this.#spreading = undefined;
  }
}
