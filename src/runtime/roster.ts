/**
 * The instances of users' machines that live, for observers that come later than they. Only machines that an observer lists have a
 * roster, so an instance of any other machine costs one comparison at its start and one at its end.
 */
import type { AnyStateMachine } from 'xstate';
import type { Host, Run } from './instance.js';

/** An instance of a user's machine, as rosters and observers know it. */
export interface OwnRun extends Run<never> {
  readonly machine: AnyStateMachine;
  readonly host: Host<never>;
}

interface Entry {
  /** A roster keeps no instance alive. */
  readonly run: WeakRef<OwnRun>;
  /** When it started, in milliseconds since 1970. */
  readonly since: number;
}

/** The instances of one machine that live now. */
export class Roster {
  /** Called with each instance that ends, also by a stop or a failure, which no transition tells. */
  readonly onEnd = new Set<(run: OwnRun) => void>();
  /** How many observers list the machine. */
  users = 0;
  readonly #entries = new Set<Entry>();
  readonly #entryOf = new WeakMap<OwnRun, Entry>();
  readonly #collected = new FinalizationRegistry<Entry>((entry) => this.#entries.delete(entry));

  add(run: OwnRun): void {
    const entry = { run: new WeakRef(run), since: performance.timeOrigin + performance.now() };
    this.#entries.add(entry);
    this.#entryOf.set(run, entry);
    this.#collected.register(run, entry, entry);
  }

  delete(run: OwnRun): void {
    const entry = this.#entryOf.get(run);
    // An instance that started before its machine was listed has no entry; an observer may know it by its transitions.
    if (entry !== undefined) {
      if (!this.#entries.delete(entry)) return;
      this.#collected.unregister(entry);
    }
    for (const onEnd of this.onEnd) onEnd(run);
  }

  /** In the order in which they started. */
  *[Symbol.iterator](): Generator<{ readonly run: OwnRun; readonly since: number }, void> {
    for (const { run, since } of this.#entries) {
      const alive = run.deref();
      if (alive !== undefined) yield { run: alive, since };
    }
  }
}

/** By the config of the machine: what `provide()` returns has the same one. */
const rosters = new Map<object, Roster>();

/** From now on the instances of this machine that start are on its roster. Give it back by {@link unlist}. */
export function list({ config }: AnyStateMachine): Roster {
  const roster = rosters.get(config) ?? new Roster();
  rosters.set(config, roster);
  roster.users++;
  return roster;
}

export function unlist({ config }: AnyStateMachine): void {
  const roster = rosters.get(config);
  if (roster !== undefined && --roster.users === 0) rosters.delete(config);
}

/** An instance starts. */
export function enroll(run: OwnRun): void {
  if (rosters.size > 0) rosters.get(run.machine.config)?.add(run);
}

/** An instance has ended. */
export function strike(run: OwnRun): void {
  if (rosters.size > 0) rosters.get(run.machine.config)?.delete(run);
}
