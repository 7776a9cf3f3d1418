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

/** @param {RunningProxy} proxy @param {Backend} server */
const target = (proxy, server) => ({ to: proxy.to, proxy: proxy.pid, server: server.pid });

/**
 * As many for everybody, however long they take: until its code is compiled, a proxy of Node measures the compiler.
 *
 * @param {number} count
 */
const warmUp = (count) => ({ warmup: count, warmup_ms: 15_000 });

/**
 * @param {Settings} settings
 * @param {boolean} [warm] its code has been compiled by what came before
 * @returns {Probe}
 */
export function connectionsProbe({ quick }, warm = false) {
  return {
    name: 'proxy.connections',
    title: 'Short connections: connect, 100 bytes each way, FIN both ways; 64 at a time',
    unit: 'connection',
    rate: 'connections/s',
    run: (proxy, server) =>
      measure('connections', {
        ...target(proxy, server),
        concurrency: 64,
        ...warmUp(warm ? 200 : quick ? 1_500 : 4_000),
        ms: quick || warm ? 1_000 : 2_000,
      }),
    count: ({ count = 0 }) => count,
    latencies: true,
  };
}

/**
 * @param {Settings} settings
 * @param {boolean} [warm] its code has been compiled by what came before
 * @returns {Probe}
 */
export function pingpongProbe({ quick }, warm = false) {
  return {
    name: 'proxy.pingpong',
    title: 'Exchanges of 100 bytes there and back, on 256 persistent connections',
    unit: 'exchange',
    rate: 'exchanges/s',
    run: (proxy, server) =>
      measure('pingpong', {
        ...target(proxy, server),
        connections: 256,
        ...warmUp(warm ? 2_000 : quick ? 10_000 : 30_000),
        ms: quick || warm ? 1_000 : 2_000,
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

/** @param {Settings} settings @returns {Probe[]} */
export function streamProbes({ quick }) {
  return [1, 16].flatMap((streams) =>
    DIRECTIONS.map(([direction, what]) => ({
      name: 'proxy.stream',
      title: `${streams === 1 ? '1 stream' : `${streams} streams`}, ${what}`,
      unit: 'MB',
      rate: 'MB/s',
      run: (proxy, server) => {
        const bytes = (quick ? 150 : 500) * MB;
        // What goes both ways counts twice.
        const eachWay = direction === 'B' ? bytes / 2 : bytes;
        return measure('stream', { ...target(proxy, server), streams, direction, bytes: eachWay });
      },
      count: ({ bytes = 0 }) => bytes / MB,
    })),
  );
}
