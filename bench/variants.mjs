/** What an option costs: short connections through sockchart as it is, and with one thing turned on. */
import { onEach } from './contenders.mjs';
import { freshNumbers } from './load/addresses.mjs';
import { startServer } from './load/load.mjs';
import { connectionsProbe } from './probes.mjs';
import { Collected } from './results.mjs';

/** @typedef {import('./run.mjs').Settings} Settings */

/** @typedef {Partial<import('./proxies/report.mjs').Task>} Variant */

/**
 * @param {string} name
 * @param {string} title
 * @param {Record<string, Variant>} variants the first is what the others are compared with
 */
function variantsBenchmark(name, title, variants) {
  /** @param {Settings} settings */
  return async (settings) => {
    const probe = connectionsProbe(settings, 'warm');
    const collected = new Collected(name, title, Object.keys(variants)[0]);
    for (let round = 0; round < settings.rounds; round++) {
      const server = await startServer();
      try {
        for (const [variant, task] of inTurn(Object.entries(variants), round)) {
          for (const { on, start } of onEach('sockchart', settings.nodes)) {
            const proxy = await start({ port: server.port, first: freshNumbers(), ...task });
            try {
              collected.add(round, { name: variant, on }, await probe.run(proxy, server), probe);
            } finally {
              await proxy.end();
            }
          }
        }
      } finally {
        await server.end();
      }
      settings.progress(name, round);
    }
    return [collected];
  };
}

/** @template T @param {readonly T[]} list @param {number} round who begins changes from round to round */
const inTurn = (list, round) => list.map((_, i) => /** @type {T} */ (list[(i + round) % list.length]));

/** @type {Record<string, (settings: Settings) => Promise<Collected[]>>} */
export const variantBenchmarks = {
  observers: variantsBenchmark('observers', 'Short connections through sockchart, by who watches', {
    nobody: {},
    counter: { observer: 'counter' },
    histogram: { observer: 'histogram' },
  }),
  route: variantsBenchmark('route', 'Short connections through sockchart, by who chooses the server', {
    servers: {},
    route: { route: true },
  }),
};
