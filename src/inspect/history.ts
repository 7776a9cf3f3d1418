/** The steps that are remembered, and the connections that have ended last: both within bounds. */
import type { Cause } from '../machines/vocabulary.js';
import { type ObservedConnection, STEP } from './connection.js';
import type { Edge } from './edges.js';
import type { Place } from './plain.js';
import type { StepInfo } from './protocol.js';

export interface HistoryLimits {
  /** Steps that are remembered of one connection. */
  readonly stepsPerConnectionMax: number;
  /** Steps that are remembered of all connections together. */
  readonly stepsMax: number;
  /** Connections that have ended and are remembered. */
  readonly endedMax: number;
}

export class History {
  /** Steps that are remembered. */
  steps = 0;
  readonly #limits: HistoryLimits;
  /** All connections that may have steps, besides those that have ended. */
  readonly #connections: () => Iterable<ObservedConnection>;
  /** Routine must not push out the connections that were dropped, which are kept apart. */
  readonly #ended = new Ring();
  readonly #endedDropped = new Ring();
  #trimming: Generator<ObservedConnection, void> | undefined;

  constructor(limits: HistoryLimits, connections: () => Iterable<ObservedConnection>) {
    this.#limits = limits;
    this.#connections = connections;
  }

  /** Connections that have ended last. */
  get ended(): ObservedConnection[] {
    return [...this.#ended.all, ...this.#endedDropped.all];
  }

  /** Connections that have ended last, after a drop. */
  get endedDropped(): readonly ObservedConnection[] {
    return this.#endedDropped.all;
  }

  remember(
    connection: ObservedConnection,
    at: number,
    edge: Edge,
    cause: Cause | undefined,
    place: Place | undefined,
    commands: readonly string[] | undefined,
  ): void {
    const { packed } = connection;
    const { stepsPerConnectionMax, stepsMax } = this.#limits;
    // Half of the steps go at once, so that the list of a busy connection is not moved for each step.
    if (packed.length >= stepsPerConnectionMax * STEP) this.#forgetSteps(connection, stepsPerConnectionMax >> 1);
    packed.push(Math.round((at - connection.since) * 10), edge, cause, place, commands);
    if (++this.steps > stepsMax) this.#trim();
  }

  /** A connection has ended. @returns the connection that is forgotten instead, if there is one */
  end(connection: ObservedConnection): ObservedConnection | undefined {
    const ring = connection.wasDropped ? this.#endedDropped : this.#ended;
    return ring.add(connection, this.#limits.endedMax);
  }

  forget(connection: ObservedConnection): void {
    const { packed } = connection;
    this.steps -= packed.length / STEP;
    packed.length = 0;
  }

  /** The last steps, so many at most, oldest first. */
  last(stepsMax: number): StepInfo[] {
    const connections = new Set(this.#connections());
    const times = new Float64Array(this.steps);
    let count = 0;
    for (const { since, packed } of connections) {
      for (let at = 0; at < packed.length; at += STEP) times[count++] = since + (packed[at] as number) / 10;
    }
    const from = times.sort()[Math.max(0, count - stepsMax)] ?? 0;
    const steps: StepInfo[] = [];
    for (const connection of connections) steps.push(...connection.steps(from));
    return steps.sort((a, b) => a.at - b.at);
  }

  /** There are too many steps: one connection after the other forgets the older half of its own. */
  #trim(): void {
    while (this.steps > this.#limits.stepsMax) {
      this.#trimming ??= this.#remembered();
      const { value: connection, done } = this.#trimming.next();
      if (done) this.#trimming = undefined;
      else if (connection.packed.length > 0) this.#forgetSteps(connection, (connection.packed.length / STEP + 1) >> 1);
    }
  }

  /** The connections that have ended come first. */
  *#remembered(): Generator<ObservedConnection, void> {
    yield* this.#ended.all;
    yield* this.#endedDropped.all;
    yield* this.#connections();
  }

  #forgetSteps(connection: ObservedConnection, count: number): void {
    const { packed } = connection;
    packed.splice(0, count * STEP);
    connection.forgotten += count;
    this.steps -= count;
  }
}

/** The last so many. */
class Ring {
  readonly all: ObservedConnection[] = [];
  #next = 0;

  /** @returns the oldest connection, if it had to go */
  add(connection: ObservedConnection, max: number): ObservedConnection | undefined {
    const oldest = this.all[this.#next];
    this.all[this.#next] = connection;
    this.#next = (this.#next + 1) % max;
    return oldest;
  }
}
