/**
 * Simulated time: what happens next is the earliest event of a queue, and nothing happens in between. Each event runs in a
 * turn of the real event loop of its own, as what libuv calls back does, so that ticks and promises settle after it.
 */
import type { Clock, Timer } from '../../src/index.js';

/** What happens at a moment: at once, or in parts between which ticks and promises settle, but nothing else happens. */
export type Work = () => unknown;

type Parts = Iterator<unknown>;

export interface Event {
  readonly at: number;
  readonly order: number;
  work: Work | undefined;
}

/** Why the time has stopped: the run is over, nothing happens any more, or it goes on for too long. */
export type Stop = 'over' | 'nothing more happens' | 'too many events' | 'too much time';

export class Time {
  /** Microseconds since the beginning. */
  now = 0;
  /** Counts what has happened: what happens in one turn has one number. */
  turn = 0;
  #made = 0;
  readonly #queue: Event[] = [];

  /** Hears of what an event throws, as the process would. */
  constructor(readonly onError: (error: unknown) => void) {}

  /** Milliseconds since the beginning. */
  get ms(): number {
    return this.now / 1_000;
  }

  after(microseconds: number, work: Work): Event {
    return this.at(this.now + microseconds, work);
  }

  at(microseconds: number, work: Work): Event {
    const event: Event = { at: Math.max(this.now, Math.ceil(microseconds)), order: this.#made++, work };
    push(this.#queue, event);
    return event;
  }

  cancel(event: Event): void {
    event.work = undefined;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms * 1_000, resolve);
    });
  }

  /** Lets time pass until it is over. */
  run(isOver: () => boolean, eventsMax: number, msMax: number): Promise<Stop> {
    const last = this.turn + eventsMax;
    return new Promise((resolve) => {
      let parts: Parts | undefined;
      const next = (): void => {
        this.turn++;
        try {
          if (parts !== undefined) {
            if (parts.next().done) parts = undefined;
          } else {
            const stop = this.#stop(isOver, last, msMax);
            if (stop !== undefined) {
              resolve(stop);
              return;
            }
            const { at, work } = pop(this.#queue) as Event & { work: Work };
            this.now = at;
            const done = work();
            if (typeof (done as Parts | undefined)?.next === 'function') parts = done as Parts;
          }
        } catch (error) {
          parts = undefined;
          this.onError(error);
        }
        setImmediate(next);
      };
      setImmediate(next);
    });
  }

  #stop(isOver: () => boolean, lastTurn: number, msMax: number): Stop | undefined {
    if (isOver()) return 'over';
    while (this.#queue[0] !== undefined && this.#queue[0].work === undefined) pop(this.#queue);
    if (this.#queue[0] === undefined) return 'nothing more happens';
    if (this.turn > lastTurn) return 'too many events';
    return this.#queue[0].at > msMax * 1_000 ? 'too much time' : undefined;
  }
}

class SimulatedTimer implements Timer {
  constructor(readonly event: Event) {}
  ref(): void {}
  unref(): void {}
}

/** The clock of whoever lives in this time. */
export class SimulatedClock implements Clock {
  /** Timers that are set. */
  readonly pending = new Set<Timer>();
  constructor(readonly time: Time) {}

  now(): number {
    return this.time.ms;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = new SimulatedTimer(
      this.time.after(delayMs * 1_000, () => {
        this.pending.delete(timer);
        callback();
      }),
    );
    this.pending.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.pending.delete(timer);
    this.time.cancel((timer as SimulatedTimer).event);
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let index = heap.length;
  heap.push(event);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!isBefore(event, heap[parent] as Event)) break;
    heap[index] = heap[parent] as Event;
    index = parent;
  }
  heap[index] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (!isBefore(heap[child] as Event, last)) break;
    heap[index] = heap[child] as Event;
    index = child;
  }
  heap[index] = last;
  return first;
}
