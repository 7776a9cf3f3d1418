/** A look at the first bytes of a client, which stay its first bytes. */
import { PEEK_LIMITS } from '../machines/limits.js';
import { limits, onlyKnown, type Timeout } from '../options.js';
import { deferred } from '../promise.js';
import { type Clock, isNever, type Timer } from '../runtime/clock.js';

/** Options of {@link Client.peek} and {@link Client.clientHello}. */
export interface PeekOptions {
  /** How long to wait for the bytes, in milliseconds; then what there is must do. Default 5 000. */
  readonly timeoutMs?: Timeout | undefined;
}

/** @internal @throws OptionError */
export function peekTime(name: string, options: PeekOptions): number {
  onlyKnown(name, options, ['timeoutMs']);
  return limits(PEEK_LIMITS, options).timeoutMs;
}

/** What reads for a look, until it is stopped. */
interface Reading {
  stop(): void;
}

/** @internal It is over once: when what was seen is enough, when no more will come, or when its time is up. */
export class Peek {
  readonly #isEnough: (chunk: Buffer) => boolean;
  readonly #clock: Clock;
  readonly #over = deferred<void>();
  #isOver = false;
  #error: unknown = undefined;
  #reading: Reading | undefined = undefined;
  #timer: Timer | undefined = undefined;

  /** @param isEnough is called with each chunk; what it throws ends the look, too */
  constructor(isEnough: (chunk: Buffer) => boolean, clock: Clock) {
    this.#isEnough = isEnough;
    this.#clock = clock;
  }

  /** @returns a promise that is settled once the bytes are where they were */
  begin(timeoutMs: number, read: () => Reading): Promise<void> {
    const reading = read();
    // What was there already may have been enough.
    if (this.#isOver) {
      reading.stop();
    } else {
      this.#reading = reading;
      if (isNever(timeoutMs)) return this.#over.promise;
      this.#timer = this.#clock.setTimeout(this.end, timeoutMs);
      // Whether the process lives on is for the socket to say, which is being read.
      this.#timer.unref();
    }
    return this.#over.promise;
  }

  readonly see = (chunk: Buffer): void => {
    if (this.#isOver) return;
    try {
      if (this.#isEnough(chunk)) this.end();
    } catch (error) {
      this.#error = error;
      this.end();
    }
  };

  readonly end = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#reading?.stop();
    process.nextTick(this.#settle);
  };

  readonly #settle = (): void => {
    if (this.#error === undefined) this.#over.resolve();
    else this.#over.reject(this.#error);
  };
}
