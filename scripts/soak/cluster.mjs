// @ts-check
/** A primary with two workers that can be kept busy and told to reload: see reloads.mjs. */
import { createCluster } from 'sockchart/cluster';
import { serve } from './child.mjs';

/** @type {import('sockchart/cluster').Cluster} */
let cluster;

serve({
  /** @param {{ servers: object[], scheduling: 'roundRobin' | 'system', busyMs: number, everyMs: number }} wanted */
  async start({ servers, scheduling, busyMs, everyMs }) {
    if (busyMs > 0) {
      setInterval(() => {
        const end = performance.now() + busyMs;
        while (performance.now() < end);
      }, everyMs);
    }
    cluster = createCluster({
      module: new URL('worker.mjs', import.meta.url),
      workers: 2,
      data: { servers },
      scheduling,
      execArgv: [],
      startTimeout: 120_000,
    });
    await cluster.start();
    return cluster.addresses;
  },
  reload: () => cluster.reload(),
  async stop() {
    const { ending } = await cluster.close();
    process.disconnect();
    process.exitCode = ending === 'closed' ? 0 : 1;
    setImmediate(() => process.exit());
  },
});
