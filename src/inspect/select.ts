/**
 * A window of what would be the sorted whole, without sorting the whole: a page of a hundred out of a hundred thousand
 * must not hold up the loop.
 */

/** What is compared: numbers, or strings in the order of their characters. */
export type Keys = Float64Array | readonly string[];

/**
 * The indices of those that would stand at `offset` and the `limit` - 1 places after it, if all were sorted by their keys.
 * Equals stand in their order.
 */
export function windowOf(keys: Keys, descending: boolean, offset: number, limit: number): Uint32Array {
  const { length } = keys;
  const indices = new Uint32Array(length);
  for (let index = 0; index < length; index++) indices[index] = index;
  const from = Math.min(offset, length);
  const to = Math.min(from + limit, length);
  if (from >= to) return new Uint32Array(0);
  const sign = descending ? -1 : 1;
  const compare = (a: number, b: number): number => {
    const [x, y] = [keys[a] as number | string, keys[b] as number | string];
    return x < y ? -sign : x > y ? sign : a - b;
  };
  partition(indices, 0, length - 1, from, compare);
  partition(indices, from, length - 1, to - 1, compare);
  return indices.slice(from, to).sort(compare);
}

/** Moves the `nth` of the sorted order to its place, what is less before it and what is greater after it. */
function partition(
  indices: Uint32Array,
  first: number,
  last: number,
  nth: number,
  compare: (a: number, b: number) => number,
): void {
  let [left, right] = [first, last];
  while (left < right) {
    // A peer may have a say in the order: any place that could be foretold would make this quadratic.
    const pivot = indices[left + Math.floor(Math.random() * (right - left + 1))] as number;
    let [low, high] = [left, right];
    while (low <= high) {
      while (compare(indices[low] as number, pivot) < 0) low++;
      while (compare(indices[high] as number, pivot) > 0) high--;
      if (low > high) break;
      const other = indices[low] as number;
      indices[low++] = indices[high] as number;
      indices[high--] = other;
    }
    if (nth <= high) right = high;
    else if (nth >= low) left = low;
    else return;
  }
}
