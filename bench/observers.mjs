/** What it costs to be watched: short connections while nobody, a counter, or a histogram hears of every transition. */
import { contender } from './contenders.mjs';
import { freshNumbers } from './load/addresses.mjs';
import { startServer } from './load/load.mjs';
import { connectionsProbe } from './probes.mjs';
import { Collected } from './results.mjs';

/** @typedef {import('./run.mjs').Settings} Settings */

const WATCHED = [
  ['nobody', undefined],
  ['counter', 'counter'],
  ['histogram', 'histogram'],
];

/** @param {Settings} settings */
async function observers(settings) {
  const probe = connectionsProbe(settings);
  const collected = new Collected('observers', 'Short connections through sockchart, by who watches', ['nobody']);
  for (let round = 0; round < settings.rounds; round++) {
    const server = await startServer();
    try {
      for (const [name = '', observer] of WATCHED) {
        const task = { port: server.port, first: freshNumbers(), ...(observer !== undefined && { observer }) };
        const proxy = await contender('sockchart').start(task);
        try {
          collected.add(round, name, await probe.run(proxy, server), probe);
        } finally {
          await proxy.end();
        }
      }
    } finally {
      await server.end();
    }
    settings.progress('observers', round);
  }
  return [collected];
}

/** @type {Record<string, (settings: Settings) => Promise<Collected[]>>} */
export const observersBenchmark = { observers };
