/** Numbers of several rounds, and what can honestly be said of them: a median, and how far the rounds were apart. */

/**
 * @typedef {object} Summary
 * @property {number} median
 * @property {number} min
 * @property {number} max
 * @property {number} count
 */

/**
 * @param {readonly number[]} values
 * @returns {number} NaN when there are none
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (upper + lower) / 2;
}

/**
 * @param {readonly number[]} values
 * @returns {Summary}
 */
export function summarise(values) {
  const known = values.filter((value) => !Number.isNaN(value));
  return { median: median(known), min: Math.min(...known), max: Math.max(...known), count: known.length };
}

/**
 * The ratios of each round: both were measured within the same minutes, so that what disturbed the machine disturbed both.
 *
 * @param {ReadonlyMap<number, number>} values by round
 * @param {ReadonlyMap<number, number>} baseline by round
 */
export function ratios(values, baseline) {
  const found = [];
  for (const [round, value] of values) {
    const base = baseline.get(round);
    if (base !== undefined && base !== 0) found.push(value / base);
  }
  return summarise(found);
}

/**
 * Three digits that matter, and no more: 1234.5 is `1,235`, 1.2345 is `1.23`.
 *
 * @param {number} value
 */
export function short(value) {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * `170 (165–182)`
 *
 * @param {Summary} summary
 */
export function spread({ median, min, max, count }) {
  if (count === 0) return '–';
  return count === 1 ? short(median) : `${short(median)} (${short(min)}–${short(max)})`;
}

/**
 * A table in plain text: the first column to the left, numbers to the right.
 *
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 */
export function table(head, rows) {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  /** @param {readonly string[]} cells */
  const line = (cells) =>
    widths
      .map((width, column) =>
        column === 0 ? (cells[column] ?? '').padEnd(width) : (cells[column] ?? '').padStart(width),
      )
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
