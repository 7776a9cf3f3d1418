// A proxy on several processes, in front of two servers: node examples/cluster.mjs 8080 5432 5433
// SIGTERM, SIGINT and SIGQUIT drain, a second one cuts; SIGHUP replaces every process.
import { closeOnSignals } from 'sockchart';
import { createCluster } from 'sockchart/cluster';

const [port = 8080, ...servers] = process.argv.slice(2).map(Number);

const cluster = createCluster({
  module: new URL('./cluster-worker.mjs', import.meta.url),
  workers: 2,
  data: {
    listen: { host: '127.0.0.1', port },
    servers: servers.map((port) => ({ host: '127.0.0.1', port })),
    clientsMax: 1_000,
  },
});

cluster.on('exited', ({ worker, cause }) => console.log(`worker ${worker.number} died: ${cause.code}`));
cluster.on('replaced', ({ number }) => console.log(`worker ${number} was replaced`));
cluster.on('gaveUp', ({ worker }) => console.log(`worker ${worker.number} dies again and again`));
cluster.on('reloaded', () => console.log('reloaded'));

await cluster.start();
console.log('listening', cluster.addresses);
for (const { number, pid } of cluster.workers) console.log(`worker ${number} is process ${pid}`);

closeOnSignals(cluster, { signals: ['SIGTERM', 'SIGINT', 'SIGQUIT'], timeoutMs: 5_000 });
process.on('SIGHUP', () => cluster.reload().catch((error) => console.log(error.message)));
console.log((await cluster.closed).ending);
