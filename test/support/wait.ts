/** Waits that say what they were waiting for. Their time is that in which this process could run: see {@link ranMs}. */

const EVERY_MS = 20;
/** So much longer may a wait take by the clock, which is what vitest goes by: it would not say what was waited for. */
const LONGEST = 3;
const now = performance.now.bind(performance);
let ran = 0;
let last = now();
let usedMs = 0;

/**
 * For how many milliseconds this process could run since it began. A machine that has other work may keep it waiting for a
 * second, and what was due then is late: no test may take that for a fault of the library's. A process that is kept waiting uses no
 * CPU time; one whose own work keeps its timers waiting does, and that counts.
 */
export function ranMs(): number {
  const time = now();
  const gap = time - last;
  ran += gap <= 2 * EVERY_MS ? gap : Math.min(gap, Math.max(2 * EVERY_MS, cpuMs() - usedMs));
  last = time;
  return ran;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

setInterval(() => {
  ranMs();
  usedMs = cpuMs();
}, EVERY_MS).unref();

/** Says whether so much time is over. */
export function deadline(ms: number): () => boolean {
  const [end, endByClock] = [ranMs() + ms, now() + LONGEST * ms];
  return () => ranMs() >= end || now() >= endByClock;
}

/** Rejects with `what` if the promise takes longer than a test may wait. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const isOver = deadline(ms);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const look = (): void => {
      if (!isOver()) timer = setTimeout(look, Math.min(ms, 100));
      else reject(new Error(`Waited ${ms} ms in vain: ${what}`));
    };
    look();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For what no event tells: asks once per turn of the event loop. */
export async function until(what: string, holds: () => boolean, ms = 5_000): Promise<void> {
  const isOver = deadline(ms);
  while (!holds()) {
    if (isOver()) throw new Error(`Waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets everything that is due now happen: a few turns of the event loop. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A promise and the way to fulfil it. */
export function gate<T = void>(): { promise: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
