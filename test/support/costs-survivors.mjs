// Counts what survives scavenges while clients come and go: their sessions wait in the queue of a full server, so no network
// is needed. Run with --expose-gc --max-semi-space-size=4 --single-threaded-gc; prints the share of the young generation that survives.
import { createServer, Socket } from 'node:net';
import v8 from 'node:v8';
import { createProxy } from 'sockchart';

const LIVE = 60;
const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
const proxy = createProxy({
  listen: { server },
  // The first session keeps the only place.
  servers: [{ port: 1, connectionsMax: 1, connect: () => new Promise(() => {}) }],
});
await proxy.start();

/** @type {Socket[]} */
const live = [];

/** One comes, and the one that came first leaves. @param {number} times */
async function turnOver(times) {
  for (let time = 0; time < times; time++) {
    const socket = new Socket();
    live.push(socket);
    server.emit('connection', socket);
    // The first one stays.
    if (live.length > LIVE) live.splice(1, 1)[0]?.destroy();
    if (time % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** @param {v8.HeapInfo | any} heap @param {string} kind */
const used = (heap, kind) =>
  heap.heapSpaceStatistics
    .filter(
      (/** @type {any} */ { spaceName }) => spaceName === `${kind}_space` || spaceName === `${kind}_large_object_space`,
    )
    .reduce((/** @type {number} */ sum, /** @type {any} */ { spaceUsedSize }) => sum + spaceUsedSize, 0);

await turnOver(2_000);
// What lives is old from now on.
globalThis.gc?.();
globalThis.gc?.();
const profiler = new v8.GCProfiler();
profiler.start();
await turnOver(10_000);
const { statistics } = profiler.stop();
let young = 0;
let survived = 0;
for (const { gcType, beforeGC, afterGC } of statistics) {
  if (gcType !== 'Scavenge') continue;
  young += used(beforeGC, 'new');
  survived += used(afterGC, 'new') + used(afterGC, 'old') - used(beforeGC, 'old');
}
process.stdout.write(
  JSON.stringify({ sessions: proxy.sessions.length, scavenges: statistics.length, share: survived / young }),
);
process.exit();
