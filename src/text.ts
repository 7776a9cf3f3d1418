/** Text that several parts show or compare: addresses, and names that were misspelt. */

/** A host as it stands before a port: an IPv6 address gets brackets. */
export const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** `127.0.0.1:8080` or `[::1]:8080`. */
export const hostAndPort = (host: string, port: number | undefined): string => `${hostText(host)}:${port}`;

/**
 * The name that was probably meant: the same but for capitals, or at most so many edits away. An edit adds, removes or
 * replaces a letter, or swaps two neighbours.
 */
export function nearest(name: string, known: readonly string[], editsMax: number): string | undefined {
  const lower = name.toLowerCase();
  return known.find((other) => other.toLowerCase() === lower || edits(other, name) <= editsMax);
}

function edits(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swaps = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = swaps ? (before[j - 2] as number) + 1 : replaced;
      row[j] = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, replaced, swapped);
    }
    before = last;
    last = row;
  }
  return last[b.length] as number;
}
