/** The kinds of measurement that the load generator knows, as the benchmarks use them. */
import { measure } from './load/load.mjs';

/** @typedef {import('./load/load.mjs').Measured} Measured */
/** @typedef {import('./contenders.mjs').RunningProxy} RunningProxy */
/** @typedef {import('./run.mjs').Settings} Settings */
/** @typedef {import('./load/load.mjs').Backend} Backend */

export const MB = 1e6;

/**
 * One kind of measurement, with what is to be known of it.
 *
 * @typedef {object} Probe
 * @property {string} name
 * @property {string} title
 * @property {string} unit of what the proxy's CPU time is divided by
 * @property {string} rate
 * @property {(proxy: RunningProxy, server: Backend) => Promise<Measured>} run
 * @property {(measured: Measured) => number} count
 * @property {boolean} [latencies]
 */

/**
 * Where its code stands when a measurement begins. `cold`: after its first connections, as many for every proxy, while
 * V8 still compiles; its compiler's threads share the proxy's core. `warm`: after seconds of the same load. `again`: it was
 * warm before.
 *
 * @typedef {'cold' | 'warm' | 'again'} Phase
 */

/** @param {RunningProxy} proxy @param {Backend} server */
const target = (proxy, server) => ({ to: proxy.to, proxy: proxy.pids().join(',') || 0, server: server.pid });

/** @param {boolean} quick */
const warmSeconds = (quick) => (quick ? 2 : 6);

/** @param {Settings} settings @param {Phase} phase @param {string} things @param {number} count */
const phaseTitle = ({ quick }, phase, things, count) =>
  ({
    cold: `; cold: after the first ${count.toLocaleString('en-US')} ${things}`,
    warm: `; warm: after ${warmSeconds(quick)} s of it`,
    again: '',
  })[phase];

/**
 * @param {Settings} settings
 * @param {Phase} phase
 * @param {RunningProxy} proxy
 * @param {number} count how many are enough where nothing is to be compiled
 */
const warmUp = ({ quick }, phase, { compiles }, count) =>
  phase === 'warm' && compiles
    ? { warmup: 1e12, warmup_ms: warmSeconds(quick) * 1_000 }
    : { warmup: phase === 'cold' ? count : Math.max(200, Math.ceil(count / 20)), warmup_ms: 15_000 };

/**
 * @param {Settings} settings
 * @param {Phase} phase
 * @param {import('./load/load.mjs').How & { name?: string, title?: string, resume?: boolean }} [how]
 * @returns {Probe}
 */
export function connectionsProbe(settings, phase, { name = 'proxy.connections', title, resume, ...how } = {}) {
  const count = settings.quick ? 1_500 : 4_000;
  const what = title ?? 'Short connections: connect, 100 bytes each way, FIN both ways; 64 at a time';
  return {
    name,
    title: `${what}${phaseTitle(settings, phase, 'connections', count)}`,
    unit: 'connection',
    rate: 'connections/s',
    run: (proxy, server) =>
      measure(
        'connections',
        {
          ...target(proxy, server),
          concurrency: 64,
          ...warmUp(settings, phase, proxy, count),
          ms: settings.quick || phase === 'again' ? 1_000 : 2_000,
          resume: resume ? 1 : 0,
        },
        how,
      ),
    count: ({ count = 0 }) => count,
    latencies: true,
  };
}

/**
 * @param {Settings} settings
 * @param {Phase} phase
 * @returns {Probe}
 */
export function pingpongProbe(settings, phase) {
  const count = settings.quick ? 10_000 : 30_000;
  return {
    name: 'proxy.pingpong',
    title: `Exchanges of 100 bytes there and back, on 256 persistent connections${phaseTitle(settings, phase, 'exchanges', count)}`,
    unit: 'exchange',
    rate: 'exchanges/s',
    run: (proxy, server) =>
      measure('pingpong', {
        ...target(proxy, server),
        connections: 256,
        ...warmUp(settings, phase, proxy, count),
        ms: settings.quick || phase === 'again' ? 1_000 : 2_000,
      }),
    count: ({ count = 0 }) => count,
    latencies: true,
  };
}

export const DIRECTIONS = /** @type {const} */ ([
  ['S', 'backend → client'],
  ['K', 'client → backend'],
  ['B', 'both at once'],
]);

/**
 * @param {Settings} settings
 * @param {string} name
 * @param {{ counts: readonly number[], directions?: readonly (typeof DIRECTIONS[number])[], tls?: boolean }} how
 * @returns {Probe[]}
 */
export function streamProbes({ quick }, name, { counts, directions = DIRECTIONS, tls = false }) {
  return counts.flatMap((streams) =>
    directions.map(([direction, what]) => ({
      name,
      title: `${streams === 1 ? '1 stream' : `${streams} streams`}, ${what}`,
      unit: 'MB',
      rate: 'MB/s',
      run: (proxy, server) => {
        const bytes = (quick ? 150 : 500) * MB;
        // What goes both ways counts twice.
        const eachWay = direction === 'B' ? bytes / 2 : bytes;
        return measure('stream', { ...target(proxy, server), streams, direction, bytes: eachWay }, { tls });
      },
      count: ({ bytes = 0 }) => bytes / MB,
    })),
  );
}
