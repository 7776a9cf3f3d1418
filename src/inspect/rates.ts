/** What has changed from second to second: the rates of now, and the time line of the last minutes. */
import type { Counts } from './counts.js';
import { RATE_SECONDS } from './edges.js';
import { now } from './plain.js';
import type { MachineInfo, Second } from './protocol.js';

const SECOND_MS = 1_000;
/** The time line: five minutes. */
const SECONDS_MAX = 300;

const NOTHING = { accepted: 0, established: 0, retried: 0, failedOver: 0, dropped: 0, closed: 0 };

export class Rates {
  readonly seconds: Second[] = [];
  readonly #counts: Counts;
  #before = NOTHING;
  #ticks = 0;
  /** When the last ticks were, and the transitions until then; in turn. */
  readonly #tickedAt: number[];
  readonly #transitionMarks = new Float64Array(RATE_SECONDS);

  constructor(counts: Counts, since: number) {
    this.#counts = counts;
    this.#tickedAt = new Array(RATE_SECONDS).fill(since);
  }

  /** A second is over. @param live the connections that live now */
  tick(live: number): void {
    const at = now();
    const slot = this.#slot;
    const { charts, transitions, accepted, established, retried, failedOver, dropped, closed } = this.#counts;
    for (const { edges } of charts.values()) {
      for (const edge of edges) edge.marks[slot] = edge.total;
    }
    this.#transitionMarks[slot] = transitions;
    this.#tickedAt[slot] = at;
    this.#ticks++;
    const before = this.#before;
    this.seconds.push({
      at: Math.floor(at / SECOND_MS) * SECOND_MS,
      accepted: accepted - before.accepted,
      established: established - before.established,
      retried: retried - before.retried,
      failedOver: failedOver - before.failedOver,
      dropped: dropped - before.dropped,
      closed: closed - before.closed,
      live,
    });
    if (this.seconds.length > SECONDS_MAX) this.seconds.shift();
    this.#before = { accepted, established, retried, failedOver, dropped, closed };
  }

  /** Transitions per second. */
  get transitionRate(): number {
    return this.#perSecond(this.#counts.transitions - (this.#transitionMarks[this.#slot] as number));
  }

  machines(): MachineInfo[] {
    const slot = this.#slot;
    return [...this.#counts.charts.values()].map(({ machine, states, edges }) => ({
      machine,
      states: Object.fromEntries([...states.values()].map(({ path, count }) => [path, count])),
      edges: edges.map(({ from, event, to, total, marks }) => {
        return { from, event, to: to.path, total, rate: this.#perSecond(total - (marks[slot] as number)) };
      }),
    }));
  }

  /** The place of the oldest mark, which the next tick takes. */
  get #slot(): number {
    return this.#ticks % RATE_SECONDS;
  }

  #perSecond(count: number): number {
    const elapsedMs = Math.max(1, now() - (this.#tickedAt[this.#slot] as number));
    return Math.round((count * 10_000) / elapsedMs) / 10;
  }
}
