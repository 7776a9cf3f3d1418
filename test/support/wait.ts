/** Waits that say what they were waiting for. Their time is that in which this process could run: see {@link ranMs}. */

const EVERY_MS = 20;
const now = performance.now.bind(performance);
let ran = 0;
let last = now();

/**
 * For how many milliseconds this process could run since it began. A machine that has other work may keep it waiting for a
 * second, and what was due then is late: no test may take that for a fault of the library's.
 */
export function ranMs(): number {
  const time = now();
  ran += Math.min(time - last, 2 * EVERY_MS);
  last = time;
  return ran;
}

setInterval(ranMs, EVERY_MS).unref();

/** Rejects with `what` if the promise takes longer than a test may wait. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const deadline = ranMs() + ms;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const look = (): void => {
      const left = deadline - ranMs();
      if (left > 0) timer = setTimeout(look, left);
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
  const deadline = ranMs() + ms;
  while (!holds()) {
    if (ranMs() > deadline) throw new Error(`Waited ${ms} ms in vain: ${what}`);
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
