/** `sockchart/cluster`, with this library in every worker. */
import { createCluster } from 'sockchart/cluster';
import { listening, task } from './report.mjs';

const cluster = createCluster({
  module: new URL('./cluster-worker.mjs', import.meta.url),
  data: task,
  workers: task.workers,
  scheduling: task.scheduling,
});
await cluster.start();
const [address] = cluster.addresses;
if (address === undefined || !('port' in address)) throw new Error('it has no port');
listening(Number(address.port));
