/** Counts what transitions tell: how many lives are in which state now, how the others ended, and what went wrong. */
import type { Cause, Transition } from '../index.js';

const ENDINGS: ReadonlySet<string> = new Set(['ended', 'closed', 'aborted', 'dropped', 'refused', 'failed']);

/** States that only say "while it is wanted": what is below them says how it is. */
const WRAPPERS = /^(?:active|live|serving)\./;

/** The state without what goes without saying: `active.established.open` is `established.open`. */
export const shortState = (state: string): string => state.replace(WRAPPERS, '');

/** The state in one word, to count by. */
const stateWord = (state: string): string => shortState(state).split('.', 1)[0] as string;

/** What one transition turned out to be, beyond its two states. */
export interface Step {
  /** The cause, if it is news: a life keeps its last one, and may have noted it a moment before it moved. */
  readonly cause: Cause | undefined;
  readonly isDrop: boolean;
  readonly isRetry: boolean;
  /** The servers, if the life goes on with another one. */
  readonly failover: { readonly from: string; readonly to: string } | undefined;
}

interface Life {
  readonly machine: string;
  word: string;
  cause: Cause | undefined;
  server: string | undefined;
}

/** The order in which machines are shown: from the whole to its parts. */
const MACHINES = ['proxy', 'listener', 'client', 'session', 'backend'];

export class Tally {
  transitions = 0;
  drops = 0;
  retries = 0;
  failovers = 0;
  readonly #lives = new Map<string, Life>();
  readonly #now = new Map<string, Map<string, number>>();
  readonly #endings = new Map<string, Map<string, number>>();

  /** Takes a transition into account. */
  note({ who, machine, from, event, cause, to, server }: Transition): Step {
    this.transitions++;
    const word = stateWord(to);
    let life = this.#lives.get(who);
    if (life === undefined) {
      life = { machine, word, cause: undefined, server };
      this.#lives.set(who, life);
      this.#count(machine, word, 1);
    } else if (life.word !== word) {
      this.#count(machine, life.word, -1);
      this.#count(machine, word, 1);
    }
    const wasUp = life.word === 'established';
    const before = life.server;
    const step: Step = {
      cause: from !== to && cause !== life.cause ? cause : undefined,
      isDrop: wasUp && (word === 'failover' || word === 'dropping'),
      isRetry: word === 'waiting' && from !== to && event === 'server.deferred',
      failover:
        word === 'connecting' && machine === 'backend' && before !== undefined && server !== undefined
          ? before === server
            ? undefined
            : { from: before, to: server }
          : undefined,
    };
    if (step.isDrop) this.drops++;
    if (step.isRetry) this.retries++;
    if (step.failover !== undefined) this.failovers++;
    life.word = word;
    if (from !== to) life.cause = cause;
    if (word === 'connecting' || before === undefined) life.server = server;
    if (ENDINGS.has(to)) {
      this.#lives.delete(who);
      this.#count(machine, word, -1);
      add(this.#endings, machine, word, 1);
    }
    return step;
  }

  /** `client 3 established · session 2 relaying, 1 connecting`. */
  now(machines: readonly string[]): string {
    return listed(this.#now)
      .filter(({ machine, counts }) => counts !== '' && machines.includes(machine))
      .map(({ machine, counts }) => `${machine} ${counts}`)
      .join(' · ');
  }

  /** A line for each machine: what lives, and how the others ended. */
  table(): string[] {
    const now = new Map(listed(this.#now).map(({ machine, counts }) => [machine, counts]));
    const over = new Map(listed(this.#endings).map(({ machine, counts }) => [machine, counts]));
    return MACHINES.filter((machine) => now.has(machine) || over.has(machine)).map((machine) => {
      const parts = [over.get(machine), now.get(machine)].filter((part) => part !== undefined && part !== '');
      return `${machine.padEnd(10)}${parts.join(' · still: ')}`;
    });
  }

  /** `2 drops, 3 failovers, 5 retries`. */
  incidents(): string {
    return [
      plural(this.drops, 'drop'),
      plural(this.failovers, 'failover'),
      plural(this.retries, 'retry', 'retries'),
    ].join(', ');
  }

  #count(machine: string, word: string, by: number): void {
    add(this.#now, machine, word, by);
  }
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

function add(counts: Map<string, Map<string, number>>, machine: string, word: string, by: number): void {
  let words = counts.get(machine);
  if (words === undefined) {
    words = new Map();
    counts.set(machine, words);
  }
  const count = (words.get(word) ?? 0) + by;
  if (count === 0) words.delete(word);
  else words.set(word, count);
}

function listed(counts: Map<string, Map<string, number>>): { machine: string; counts: string }[] {
  return MACHINES.flatMap((machine) => {
    const words = counts.get(machine);
    if (words === undefined) return [];
    return { machine, counts: [...words].map(([word, count]) => `${count} ${word}`).join(', ') };
  });
}
