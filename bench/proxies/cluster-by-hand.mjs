/** The proxy by hand in several workers of `node:cluster`. */
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { listening, task } from './report.mjs';

cluster.schedulingPolicy = task.scheduling === 'system' ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({
  exec: fileURLToPath(new URL('./by-hand.mjs', import.meta.url)),
  args: [JSON.stringify(task)],
});

let ready = 0;
cluster.on('message', (_worker, { port }) => {
  ready++;
  if (ready === task.workers) listening(port);
});
for (let worker = 0; worker < (task.workers ?? 1); worker++) cluster.fork();
