/** An entry of a heap, which writes `index` and `order`. The heap is in disorder if `rank` changes while the entry is in it. */
export interface Ranked {
  rank: number;
  /** The turn among equal ranks. */
  order: number;
  /** Its place in the heap. */
  index: number;
}

/** The entry of the lowest rank comes first; of equal ones, the one that was added first. Once it has grown, it allocates nothing. */
export class Heap<T extends Ranked> {
  readonly #entries: (T | undefined)[] = [];
  #size = 0;
  #added = 0;

  get first(): T | undefined {
    return this.#entries[0];
  }

  add(entry: T): void {
    entry.order = this.#added++;
    this.#rise(entry, this.#size++);
  }

  remove(entry: T): void {
    const last = this.#entries[--this.#size] as T;
    // The array keeps its length.
    this.#entries[this.#size] = undefined;
    const { index } = entry;
    if (last === entry) return;
    this.#rise(last, index);
    this.#sink(last);
  }

  #put(entry: T, index: number): void {
    this.#entries[index] = entry;
    entry.index = index;
  }

  #rise(entry: T, from: number): void {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#entries[above] as T;
      if (!isBefore(entry, parent)) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(entry, index);
  }

  #sink(entry: T): void {
    let { index } = entry;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= this.#size) break;
      const other = this.#entries[below + 1];
      if (other !== undefined && isBefore(other, this.#entries[below] as T)) below++;
      const child = this.#entries[below] as T;
      if (!isBefore(child, entry)) break;
      this.#put(child, index);
      index = below;
    }
    this.#put(entry, index);
  }
}

const isBefore = (one: Ranked, other: Ranked): boolean =>
  one.rank < other.rank || (one.rank === other.rank && one.order < other.order);
