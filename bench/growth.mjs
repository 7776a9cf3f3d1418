/** What must not grow: the cost of a connection with how many others there are, and with how many servers. */
import { onEach, pairsMax } from './contenders.mjs';
import { freshNumbers } from './load/addresses.mjs';
import { holdIdle, startServer } from './load/load.mjs';
import { connectionsProbe, pingpongProbe } from './probes.mjs';
import { Collected, labelOf } from './results.mjs';

/** @typedef {import('./run.mjs').Settings} Settings */

/** Room for the connections that are measured on top of the idle ones. */
const ON_TOP = 400;

/** @param {Settings} settings */
async function pairs(settings) {
  const permitted = pairsMax() - ON_TOP;
  const wanted = settings.quick ? [1, 1_000] : [1, 10, 100, 1_000, 9_000];
  const levels = [...new Set(wanted.map((level) => Math.min(level, permitted)))];
  if (permitted < (wanted.at(-1) ?? 0)) console.log(`at most ${permitted} idle pairs: the limit on open files\n`);
  const first = [connectionsProbe(settings, 'warm'), pingpongProbe(settings, 'warm')];
  const probes = [connectionsProbe(settings, 'again'), pingpongProbe(settings, 'again')];
  const entrants = ['by-hand', 'sockchart'].flatMap((name) => onEach(name, settings.nodes));
  const tables = new Map(
    entrants.flatMap((entrant) =>
      probes.map((probe) => [
        `${labelOf(entrant)} ${probe.name}`,
        new Collected('growth.pairs', `${labelOf(entrant)}, on top of idle pairs: ${probe.title}`, label(1)),
      ]),
    ),
  );
  for (let round = 0; round < Math.min(settings.rounds, 3); round++) {
    const server = await startServer();
    try {
      for (const entrant of entrants) {
        const name = labelOf(entrant);
        const proxy = await entrant.start({ port: server.port, first: freshNumbers() });
        const holders = [];
        try {
          for (const probe of first) await probe.run(proxy, server);
          let held = 0;
          for (const level of levels) {
            holders.push(await holdIdle({ to: proxy.to, pairs: level - held }));
            held = level;
            for (const probe of probes) {
              tables
                .get(`${name} ${probe.name}`)
                ?.add(round, { name: label(level) }, await probe.run(proxy, server), probe);
            }
          }
          for (const holder of holders) {
            const released = await holder.release();
            const errors = holder.opened.errors + released.errors;
            if (errors > 0) throw new Error(`${name}: ${errors} idle pairs failed: ${released.first_error}`);
          }
        } finally {
          await proxy.end();
        }
      }
    } finally {
      await server.end();
    }
    settings.progress('growth.pairs', round);
  }
  return [...tables.values()];
}

/** @param {number} level */
const label = (level) => level.toLocaleString('en-US');

/** @param {Settings} settings */
async function servers(settings) {
  const probe = connectionsProbe(settings, 'warm');
  const collected = new Collected('growth.servers', `sockchart, by how many servers it has: ${probe.title}`, label(1));
  for (let round = 0; round < settings.rounds; round++) {
    const server = await startServer();
    try {
      for (const count of [1, 100, 10_000]) {
        // The same backend each time, by as many of its addresses.
        for (const { on, start } of onEach('sockchart', settings.nodes)) {
          const proxy = await start({ port: server.port, first: freshNumbers(count), count });
          try {
            collected.add(round, { name: label(count), on }, await probe.run(proxy, server), probe);
          } finally {
            await proxy.end();
          }
        }
      }
    } finally {
      await server.end();
    }
    settings.progress('growth.servers', round);
  }
  return [collected];
}

/** @type {Record<string, (settings: Settings) => Promise<Collected[]>>} */
export const growthBenchmarks = { 'growth.pairs': pairs, 'growth.servers': servers };
