/** Random numbers from a seed: the same seed tells the same story, on every computer. */

/** Which seeds a test takes, told by the environment: one exactly, to replay it, or how many. */
const ONE = 'SOCKCHART_SEED';
const MANY = 'SOCKCHART_SEEDS';

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An integer of 32 bits (splitmix32). */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return hash(this.#state);
  }

  /** From 0, less than `end`. */
  below(end: number): number {
    return this.bits() % end;
  }

  /** From `first` to `last`, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** True this many times in a hundred. */
  percent(share: number): boolean {
    return this.below(100) < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** Some of these, in their order. */
  some<T>(items: readonly T[], share: number): T[] {
    return items.filter(() => this.percent(share));
  }

  /** Generators of its own: what one of them is asked changes nothing for the others. */
  fork(): Random {
    return new Random(this.bits());
  }
}

/** Mixes the bits of a number; the same number gives the same result. */
export function hash(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** The seeds to run: from 1 to `count`, unless the environment says otherwise. */
export function seeds(count: number): { readonly first: number; readonly last: number } {
  const one = numberFrom(ONE);
  if (one !== undefined) return { first: one, last: one };
  return { first: 1, last: numberFrom(MANY) ?? count };
}

/** True when a single seed is replayed: what needs many of them to be seen is not asked for then. */
export const isReplay = (): boolean => numberFrom(ONE) !== undefined;

/** How to run this seed again, for the message of a failure. */
export const replayWith = (seed: number, file: string, name: string): string =>
  `${ONE}=${seed} npx vitest run test/runtime/${file} -t '${name}'`;

function numberFrom(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`${variable} must be a number of a seed; it is ${text}`);
  return value;
}
