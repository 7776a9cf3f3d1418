// One of the proxies that the benchmarks compare, which says what it has allocated so far and how many of Node's timers
// it has set: those of a second and more, and shorter ones. Arguments: the task of bench/proxies/report.mjs, and the proxy's name.
import process from 'node:process';

const timers = { long: 0, short: 0 };
const { setTimeout: set } = globalThis;
globalThis.setTimeout = /** @type {typeof setTimeout} */ (
  /** @type {unknown} */ (
    /** @param {Parameters<typeof set>} given */
    (...given) => {
      timers[Number(given[1]) >= 1_000 ? 'long' : 'short']++;
      return set(...given);
    }
  )
);

/** @param {{ ask?: 'collect' | 'count' }} message */
const answer = ({ ask }) => {
  if (ask === 'collect') global.gc?.();
  if (ask !== undefined) process.send?.({ allocated: process.memoryUsage().heapUsed, timers });
};

await import(`../../bench/proxies/${process.argv[3]}.mjs`);
process.removeAllListeners('message');
process.on('message', answer);
