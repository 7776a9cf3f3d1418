/**
 * Which servers of a set may be chosen now. It is worked out when something has changed, and not for each choice.
 *
 * Servers without `backup` come first. While one of them works, the others that work are the eligible ones, with those that
 * one connection may try. Without one, the backups are. Where too few work, and no backup does, all are used (panic).
 */
import type { Server } from './server.js';

/** The servers with `backup`, or those without. */
class Tier {
  /** Those that no owner took out. */
  count = 0;
  /** Those that work, as far as is known. */
  readonly up: Server[] = [];
  /** These, and those that one connection may try. */
  readonly open: Server[] = [];
  /** Ejected by their traffic: a last resort. */
  readonly resort: Server[] = [];
  /** A connection of another process may try these. */
  readonly untried: Server[] = [];
  /** All that can be used in a panic. */
  readonly usable: Server[] = [];

  add(server: Server): void {
    this.count++;
    if (!server.hasTag('usable')) return;
    this.usable.push(server);
    const isUp = server.hasTag('choosable');
    if (isUp) this.up.push(server);
    if (server.hasTag('trial') && server.trial === undefined && !server.mayBeTried) this.untried.push(server);
    if (isUp || server.mayBeTried) this.open.push(server);
    else if (server.hasTag('doubtful')) this.resort.push(server);
  }
}

export class Eligible {
  /** The balancer chooses among these. */
  readonly first: readonly Server[];
  readonly #isFirst: ReadonlySet<Server>;
  /** The sum of their weights; worked out for those who look. */
  #weights: number | undefined = undefined;
  /** Chosen where none of the first can be. */
  readonly resort: readonly Server[];
  /** Chosen by a connection that has tried all of the first in vain. */
  readonly spare: readonly Server[];
  /** To be tried, and not by this process for now. */
  readonly untried: readonly Server[];
  /** Any of these. */
  readonly all: readonly Server[];
  /** Too few work. */
  readonly isPanic: boolean;
  /** A server without `backup` works. */
  readonly hasPrimary: boolean;
  /** Those that work. */
  readonly up: number;
  /** Those that no owner took out. */
  readonly count: number;
  /** Those that traffic has judged. */
  readonly judged: number;

  constructor(servers: readonly Server[], panic: number) {
    const main = new Tier();
    const backup = new Tier();
    for (const server of servers) if (!server.hasTag('out')) (server.backup ? backup : main).add(server);
    const hasBackup = backup.up.length > 0;
    this.hasPrimary = main.up.length > 0;
    this.up = main.up.length + backup.up.length;
    this.count = main.count + backup.count;
    this.judged = [main, backup].reduce((sum, { usable, up }) => sum + usable.length - up.length, 0);
    this.isPanic = panic > 0 && !hasBackup && main.up.length < panic * main.count && main.usable.length > 0;
    if (this.isPanic) this.first = main.usable;
    else if (this.hasPrimary) this.first = main.open;
    else this.first = [...main.open, ...backup.open];
    // No primary is left to panic with.
    if (this.first.length === 0 && panic > 0) this.first = backup.usable;
    const isFirst = new Set(this.first);
    this.#isFirst = isFirst;
    const others = (list: readonly Server[]): Server[] => list.filter((server) => !isFirst.has(server));
    this.resort =
      panic > 0 ? others(this.hasPrimary || !hasBackup ? main.resort : [...main.resort, ...backup.resort]) : [];
    this.spare = others(backup.open);
    this.untried = [...main.untried, ...backup.untried];
    this.all = [...this.first, ...this.resort, ...this.spare];
  }

  /** The part of the new connections that a server gets by its weight, from 0 to 1. */
  shareOf(server: Server): number {
    if (!this.#isFirst.has(server)) return 0;
    this.#weights ??= this.first.reduce((sum, { share }) => sum + share, 0);
    return this.#weights === 0 ? 0 : server.share / this.#weights;
  }
}
