/** Counts transitions: how many instances are in which state, how often each transition was taken, and what it meant. */
import type { Means } from '../machines/means.js';
import type { Cause } from '../machines/vocabulary.js';
import { Charts } from './charts.js';
import { type Chart, type Edge, edgeOf, emptyChart, OTHERS, type State, stateOf } from './edges.js';

const MACHINES_MAX = 64;
const CAUSES_MAX = 100;

/** What is counted of an instance. */
export interface Counted {
  state: State;
  /** It has ended, and its end was counted. */
  isOver: boolean;
  /** The server that it connected to last. */
  dialled: string | undefined;
}

/** What is counted of a transition besides its states. */
export interface Taken {
  readonly means: Means | undefined;
  readonly cause: Cause | undefined;
  readonly server: string | undefined;
}

/** The next attempt goes to another server. */
export interface Failover {
  readonly from: string;
  readonly to: string | undefined;
}

const LIBRARY = new Charts();

export class Counts {
  readonly charts = new Map<string, Chart>();
  readonly #known: Charts;
  transitions = 0;
  /** Clients that came. */
  accepted = 0;
  /** Sessions. */
  established = 0;
  /** Attempts of backends. */
  retried = 0;
  failedOver = 0;
  dropped = 0;
  /** Clients that are gone. */
  closed = 0;
  /** By machine and code: `backend ECONNRESET`. */
  readonly drops = new Map<string, number>();

  /** @param known the machines whose states are known */
  constructor(known = LIBRARY) {
    this.#known = known;
  }

  /** An edge of a statechart is taken once more. */
  take(machine: string, from: string, event: string, to: string, means: Means | undefined): Edge {
    const edge = edgeOf(this.chartOf(machine), from, event, to, means);
    edge.total++;
    this.transitions++;
    return edge;
  }

  chartOf(machine: string): Chart {
    const known = this.charts.get(machine);
    if (known !== undefined) return known;
    const name = this.charts.size < MACHINES_MAX ? machine : OTHERS;
    const chart = this.charts.get(name) ?? emptyChart(name, this.#known);
    this.charts.set(name, chart);
    return chart;
  }

  stateOf(machine: string, path: string): State {
    return stateOf(this.chartOf(machine), path);
  }

  /** An instance is in another state now. */
  move(instance: Counted, to: State): void {
    instance.state.count--;
    to.count++;
    instance.state = to;
  }

  /**
   * An instance of this machine has taken a transition.
   *
   * @returns the servers, if it goes on with another one
   */
  note(instance: Counted, machine: string, { means, cause, server }: Taken): Failover | undefined {
    switch (means) {
      case 'accept':
        this.accepted++;
        return undefined;
      case 'establish':
        if (machine === 'session') this.established++;
        return undefined;
      case 'retry':
        // The retry of a listener is about its address.
        if (machine === 'backend') this.retried++;
        return undefined;
      case 'drop':
        this.#drop(machine, cause);
        return undefined;
      case 'connect': {
        const before = instance.dialled;
        instance.dialled = server;
        if (before === undefined || before === server) return undefined;
        this.failedOver++;
        return { from: before, to: server };
      }
    }
    return undefined;
  }

  /** An instance has ended. */
  end(instance: Counted, machine: string): void {
    instance.isOver = true;
    if (machine === 'client') this.closed++;
  }

  /** How instances of a machine have ended. */
  endingsOf(machine: string): Record<string, number> {
    const endings: Record<string, number> = {};
    for (const { path, isFinal, count } of this.charts.get(machine)?.states.values() ?? []) {
      if (isFinal && count > 0) endings[path] = count;
    }
    return endings;
  }

  #drop(machine: string, cause: Cause | undefined): void {
    this.dropped++;
    const name = `${machine} ${cause?.code ?? cause?.manner ?? 'unknown'}`;
    const key = this.drops.has(name) || this.drops.size < CAUSES_MAX ? name : OTHERS;
    this.drops.set(key, (this.drops.get(key) ?? 0) + 1);
  }
}
