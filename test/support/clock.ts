import { type Clock, systemClock, type Timer } from '../../src/index.js';

/** The process's own time, with a list of the timers that were set and have neither fired nor been cleared. */
export class CountingClock implements Clock {
  readonly pending = new Set<Timer>();

  now(): number {
    return systemClock.now();
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer: Timer = systemClock.setTimeout(() => {
      this.pending.delete(timer);
      callback();
    }, delayMs);
    this.pending.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.pending.delete(timer);
    systemClock.clearTimeout(timer);
  }
}
