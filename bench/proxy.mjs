/** What a proxy costs: short connections, streams, exchanges on persistent connections, and idle pairs. */
import { contenders, direct, pairsMax } from './contenders.mjs';
import { freshNumbers } from './load/addresses.mjs';
import { holdIdle, measure, startServer } from './load/load.mjs';
import { connectionsProbe, DIRECTIONS, MB, pingpongProbe, streamProbes } from './probes.mjs';
import { Collected } from './results.mjs';

/** @typedef {import('./contenders.mjs').RunningProxy} RunningProxy */
/** @typedef {import('./run.mjs').Settings} Settings */
/** @typedef {import('./probes.mjs').Probe} Probe */

/**
 * So that the first stream measured is not the one that has the code compiled.
 *
 * @param {RunningProxy} proxy
 * @param {boolean} tls
 */
export async function warmUpStreams(proxy, tls) {
  for (const [direction] of DIRECTIONS) {
    await measure('stream', { to: proxy.to, streams: 4, direction, bytes: 100 * MB }, { tls });
  }
}

/**
 * Runs each probe over all contenders in turn, in every round; who begins changes from round to round.
 *
 * @param {Settings} settings
 * @param {readonly Probe[]} probes
 * @param {{
 *   kind?: 'tls' | 'cluster', task?: Partial<import('./proxies/report.mjs').Task>,
 *   prepare?: (proxy: RunningProxy) => Promise<void>,
 * }} [how]
 */
export async function inTurns(settings, probes, { kind, task, prepare } = {}) {
  const entrants = contenders(settings, kind);
  const collected = probes.map((probe) => new Collected(probe.name, probe.title));
  for (let round = 0; round < settings.rounds; round++) {
    const server = await startServer(task?.workers, task?.serverTls);
    // Those with TLS or workers tell by `proxy busy` what bound them.
    const proxies = kind === undefined ? [direct(server.port)] : [];
    try {
      for (let i = 0; i < entrants.length; i++) {
        const contender = entrants[(i + round) % entrants.length];
        if (contender === undefined) continue;
        proxies.push(await contender.start({ port: server.port, first: freshNumbers(), ...task }));
      }
      if (prepare !== undefined) for (const proxy of proxies) await prepare(proxy);
      for (const [index, probe] of probes.entries()) {
        for (const proxy of proxies) {
          const measured = await probe.run(proxy, server);
          collected[index]?.add(round, proxy, measured, probe);
        }
      }
    } finally {
      for (const proxy of proxies) await proxy.end();
      await server.end();
    }
    settings.progress(probes[0]?.name ?? '', round);
  }
  return collected;
}

/** @param {Settings} settings */
async function idle(settings) {
  const pairs = Math.min(settings.quick ? 1_000 : 5_000, pairsMax());
  const collected = new Collected('proxy.idle', `Memory of ${pairs.toLocaleString('en-US')} idle pairs`);
  if (pairs < 5_000) console.log(`${pairs} pairs: ${settings.quick ? '--quick' : 'the limit on open files'}`);
  for (let round = 0; round < Math.min(settings.rounds, 3); round++) {
    for (const contender of contenders(settings)) {
      const server = await startServer();
      const proxy = await contender.start({ port: server.port, first: freshNumbers() });
      try {
        // What the first connections have it load and compile is not what a pair costs.
        const first = await holdIdle({ to: proxy.to, pairs: 200 });
        await first.release();
        await proxy.collect();
        const before = proxy.residentBytes();
        const held = await holdIdle({ to: proxy.to, pairs });
        await proxy.collect();
        const after = proxy.residentBytes();
        const released = await held.release();
        collected.addMemory(round, contender, {
          bytesPerPair: (after - before) / pairs,
          beforeBytes: before,
          afterBytes: after,
          errors: held.opened.errors + released.errors,
          first_error: held.opened.first_error || released.first_error,
        });
      } finally {
        await proxy.end();
        await server.end();
      }
    }
    settings.progress('proxy.idle', round);
  }
  return [collected];
}

/** @type {Record<string, (settings: Settings) => Promise<Collected[]>>} */
export const proxyBenchmarks = {
  'proxy.connections': (settings) =>
    inTurns(settings, [connectionsProbe(settings, 'cold'), connectionsProbe(settings, 'warm')]),
  'proxy.pingpong': (settings) => inTurns(settings, [pingpongProbe(settings, 'cold'), pingpongProbe(settings, 'warm')]),
  'proxy.stream': (settings) =>
    inTurns(settings, streamProbes(settings, 'proxy.stream', { counts: [1, 16] }), {
      prepare: (proxy) => warmUpStreams(proxy, false),
    }),
  'proxy.idle': idle,
};
