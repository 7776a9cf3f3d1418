/** The program of a thread that draws one machine: the layout takes seconds, in which no socket could be served. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Model } from './model.js';
import { svg } from './svg.js';

/** What the thread answers. */
export type Drawn = { readonly picture: string } | { readonly problem: string };

const drawn: Drawn = await svg(workerData as Model).then(
  (picture) => ({ picture }),
  (error: unknown) => ({ problem: error instanceof Error ? error.message : String(error) }),
);
parentPort?.postMessage(drawn);
