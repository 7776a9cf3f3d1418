/** What the workers of a cluster say of themselves. */
import type { Clock, Timer } from '../runtime/clock.js';
import type { Worker, WorkerInfo } from './worker.js';

/** What a worker says of itself: see `Cluster.inspect`. */
export interface WorkerReport extends WorkerInfo {
  /** Memory that its process holds, in bytes; like the rest of these, nothing if it did not answer. */
  readonly memory: number | undefined;
  /** Clients that live in it. */
  readonly clients: number | undefined;
  /** Newcomers that its present process turned away. */
  readonly refused: number | undefined;
  /** What the part's `toJSON()` says. */
  readonly snapshot: unknown;
}

/** Asks all of them; one that does not answer in this time is told of without what only its process knows. */
export async function reportsOf(workers: readonly Worker[], clock: Clock, timeoutMs: number): Promise<WorkerReport[]> {
  let timer: Timer | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = clock.setTimeout(() => resolve(undefined), timeoutMs);
  });
  const answers = await Promise.all(workers.map((worker) => Promise.race([worker.inspect(), late])));
  if (timer !== undefined) clock.clearTimeout(timer);
  return workers.map(({ info }, index) => {
    const { memory, snapshot } = answers[index] ?? { memory: undefined, snapshot: undefined };
    return { ...info, memory, clients: total(snapshot, 'clients'), refused: total(snapshot, 'refused'), snapshot };
  });
}

/** The sum of a number over the listeners of a proxy's snapshot, or the one of a listener's. */
function total(snapshot: unknown, name: 'clients' | 'refused'): number | undefined {
  if (snapshot === null || typeof snapshot !== 'object') return undefined;
  const { listeners, [name]: own } = snapshot as { listeners?: Record<string, unknown>[]; [more: string]: unknown };
  if (!Array.isArray(listeners)) return typeof own === 'number' ? own : undefined;
  return listeners.reduce((sum, listener) => sum + Number(listener[name] ?? 0), 0);
}
