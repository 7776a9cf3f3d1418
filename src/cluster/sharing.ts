/**
 * What the sets of servers of a worker share with those of the others, by way of the primary: see coordinator.ts. When the primary is
 * gone, each worker keeps what it was lent, and goes on by itself.
 */
import { OptionError } from '../errors.js';
import type { Governor } from '../upstream/governor.js';
import type { Servers } from '../upstream/servers.js';
import type { SharedSet, Sharing } from '../upstream/sharing.js';
import { BEATS_MS } from './coordinator.js';
import type { ServerLink } from './server-link.js';
import { type Say, SetLink } from './set-link.js';
import { packTold, type ShareToWorker } from './share-messages.js';

/** All sets of this worker that are shared. */
export class WorkerSharing implements Sharing {
  readonly #say: Say;
  readonly #sets = new Map<string, SetLink>();
  /** The servers that this worker checks, or is in line to check. */
  readonly #checked = new Set<ServerLink>();
  #beats: ReturnType<typeof setInterval> | undefined;
  #isAlone = false;
  #settled: (() => void) | undefined;

  constructor(say: Say) {
    this.#say = (message) => {
      if (!this.#isAlone) say(packTold(message));
    };
  }

  get isAlone(): boolean {
    return this.#isAlone;
  }

  join(set: Servers, name: string, governor: Governor | undefined): SharedSet {
    if (this.#sets.has(name)) throw new OptionError('shareAs', name, 'a name that no other set of this process has');
    const link = new SetLink(set, name, governor, this, this.#say);
    this.#sets.set(name, link);
    return link;
  }

  forget({ name }: SetLink): void {
    this.#sets.delete(name);
    this.joined();
  }

  hears(message: ShareToWorker): void {
    this.#sets.get(message.set)?.hears(message);
  }

  /** The primary is gone: each for itself. */
  alone(): void {
    if (this.#isAlone) return;
    this.#isAlone = true;
    if (this.#beats !== undefined) clearInterval(this.#beats);
    for (const set of this.#sets.values()) set.alone();
    this.#settled?.();
  }

  /** Resolves when all that the others know is known here. */
  settled(): Promise<void> {
    if (this.#isAlone || this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled = () => {
        this.#settled = undefined;
        resolve();
      };
    });
  }

  get #isSettled(): boolean {
    return [...this.#sets.values()].every(({ isJoined }) => isJoined);
  }

  joined(): void {
    if (this.#isSettled) this.#settled?.();
  }

  /** As long as it checks, or may have to, it says that it lives. */
  checksChanged(link: ServerLink, checks: boolean): void {
    if (checks) this.#checked.add(link);
    else this.#checked.delete(link);
    if (this.#checked.size === 0) {
      clearInterval(this.#beats);
      this.#beats = undefined;
    } else this.#beats ??= setInterval(() => this.#say({ do: 'beat' }), BEATS_MS).unref();
  }
}
