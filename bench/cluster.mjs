/** What a second core gives: two workers, next to nginx with two and HAProxy with two threads. */
import { layout } from './machine.mjs';
import { connectionsProbe } from './probes.mjs';
import { inTurns } from './proxy.mjs';

const WORKERS = 2;

/** @param {import('./run.mjs').Settings} settings */
async function cluster(settings) {
  const title = `Short connections through ${WORKERS} workers or threads; 64 at a time`;
  const probe = connectionsProbe(settings, 'warm', { name: 'proxy.cores', title, workers: WORKERS });
  const tables = await inTurns(settings, [probe], { kind: 'cluster', task: { workers: WORKERS } });
  if (layout(WORKERS).shared) {
    for (const table of tables) {
      table.note(
        `The proxy, the load generator and the backend share ${WORKERS} cores: compare the CPU per connection. Connections/s shows what`,
        `all of them together can do, not how a proxy scales: for that the proxy needs ${WORKERS} cores to itself, so ${WORKERS + 1} or more.`,
      );
    }
  }
  return tables;
}

/** @type {Record<string, typeof cluster>} */
export const clusterBenchmark = { 'proxy.cores': cluster };
