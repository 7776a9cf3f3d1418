/** HAProxy's rule about a server's health, as `set_server_check_status` in its check.c has it. */
import type { Pace } from '../../src/machines/functions/check.js';

export class Counter {
  /** From 0 to rise + fall - 1; the server is up from `rise` on. */
  health: number;

  constructor(
    readonly rise: number,
    readonly fall: number,
  ) {
    this.health = rise;
  }

  get full(): number {
    return this.rise + this.fall - 1;
  }

  get isUp(): boolean {
    return this.health >= this.rise;
  }

  get pace(): Pace {
    return this.health === this.full ? 'normal' : this.health === 0 ? 'down' : 'fast';
  }

  passed(): void {
    if (this.health < this.full && ++this.health >= this.rise) this.health = this.full;
  }

  failed(): void {
    if (this.health > 0 && --this.health < this.rise) this.health = 0;
  }
}
