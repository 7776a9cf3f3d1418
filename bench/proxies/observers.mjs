/** Those who may watch the transitions of a proxy under test, from the cheapest to one as a metrics library has. */

/** @typedef {import('sockchart').Transition} Transition */

let transitions = 0;

/** Explicit bucket boundaries in milliseconds: the defaults of OpenTelemetry. */
const BOUNDARIES = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

const ENDS = new Set(['ended', 'closed', 'aborted', 'dropped', 'refused', 'failed']);

/** When each life came to the state that it is in. @type {Map<string, number>} */
const since = new Map();

/** @type {Map<string, { attributes: object, count: number, sum: number, min: number, max: number, buckets: number[] }>} */
const points = new Map();

/** @param {{ machine: string, from: string, to: string }} attributes @param {number} value */
function record(attributes, value) {
  const key = `${attributes.machine} ${attributes.from} ${attributes.to}`;
  let point = points.get(key);
  if (point === undefined) {
    const buckets = new Array(BOUNDARIES.length + 1).fill(0);
    point = { attributes, count: 0, sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, buckets };
    points.set(key, point);
  }
  point.count++;
  point.sum += value;
  point.min = Math.min(point.min, value);
  point.max = Math.max(point.max, value);
  let bucket = 0;
  while (bucket < BOUNDARIES.length && value > /** @type {number} */ (BOUNDARIES[bucket])) bucket++;
  point.buckets[bucket] = (point.buckets[bucket] ?? 0) + 1;
}

/** @type {Record<string, (message: unknown) => void>} */
export const observers = {
  /** Counts. */
  counter() {
    transitions++;
  },

  /** How long each life was in each state, by machine and the states that it came from and went to. */
  histogram(message) {
    const { who, machine, from, to, at } = /** @type {Transition} */ (message);
    record({ machine, from, to }, at - (since.get(who) ?? at));
    if (ENDS.has(to)) since.delete(who);
    else since.set(who, at);
  },
};

// What nobody reads, an optimiser may leave out.
process.on('exit', () => {
  if (transitions < 0 || points.size < 0) throw new Error('never');
});
