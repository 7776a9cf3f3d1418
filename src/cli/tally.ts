/** The counts of the program in words: how many instances are in which state, how the others ended, and what went wrong. */
import type { Cause, Transition } from '../index.js';
import { type Counted, Counts, type Failover } from '../inspect/counts.js';
import { shortState } from '../machines/words.js';

/** The state in one word, to count by. */
const stateWord = (state: string): string => shortState(state).split('.', 1)[0] as string;

/** What a transition is, beyond its two states. */
export interface TalliedTransition {
  /** The cause, if it is news: an instance keeps its last one, and may have noted it a moment before it moved. */
  readonly cause: Cause | undefined;
  readonly isDrop: boolean;
  /** The servers, if the instance goes on with another one. */
  readonly failover: Failover | undefined;
}

interface Instance extends Counted {
  cause: Cause | undefined;
}

/** The order in which machines are shown: from the whole to its parts. */
const MACHINES = ['proxy', 'listener', 'client', 'session', 'backend'];

export class Tally {
  readonly counts = new Counts();
  readonly #instances = new Map<string, Instance>();

  /** Takes a transition into account. */
  note(transition: Transition): TalliedTransition {
    const { counts } = this;
    const { who, machine, from, event, cause, to, means, about, isFinal } = transition;
    // Another version of the library may publish on the channel as well.
    const { server } = about ?? {};
    const edge = counts.take(machine, from, event, to, means);
    let instance = this.#instances.get(who);
    if (instance === undefined) {
      instance = { state: edge.to, isOver: false, dialled: undefined, cause: undefined };
      edge.to.count++;
      this.#instances.set(who, instance);
    } else {
      counts.move(instance, edge.to);
    }
    const isNews = from !== to && cause !== instance.cause;
    if (from !== to) instance.cause = cause;
    const failover = counts.note(instance, machine, { means, cause, server });
    if (isFinal) {
      counts.end(instance, machine);
      this.#instances.delete(who);
    }
    return { cause: isNews ? cause : undefined, isDrop: means === 'drop', failover };
  }

  /** `client 3 established · session 2 relaying, 1 connecting`. */
  now(machines: readonly string[]): string {
    return machines
      .map((machine) => [machine, this.#listed(machine, false)])
      .filter(([, counts]) => counts !== '')
      .map(([machine, counts]) => `${machine} ${counts}`)
      .join(' · ');
  }

  /** A line for each machine: its live instances, and how the others ended. */
  table(): string[] {
    return MACHINES.flatMap((machine) => {
      const parts = [this.#listed(machine, true), this.#listed(machine, false)].filter((part) => part !== '');
      return parts.length === 0 ? [] : `${machine.padEnd(10)}${parts.join(' · still: ')}`;
    });
  }

  /** `2 drops, 3 failovers, 5 retries`. */
  incidents(): string {
    const { dropped, failedOver, retried } = this.counts;
    return [plural(dropped, 'drop'), plural(failedOver, 'failover'), plural(retried, 'retry', 'retries')].join(', ');
  }

  /** `2 relaying, 1 connecting`: those that live, or those that have ended. */
  #listed(machine: string, ofEnded: boolean): string {
    const words = new Map<string, number>();
    for (const { path, count, isFinal } of this.counts.charts.get(machine)?.states.values() ?? []) {
      if (count > 0 && isFinal === ofEnded) words.set(stateWord(path), (words.get(stateWord(path)) ?? 0) + count);
    }
    return [...words].map(([word, count]) => `${count} ${word}`).join(', ');
  }
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
