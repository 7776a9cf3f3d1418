/** The first signal asks for an orderly end, the second for the end at once. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * npm passes a signal on that the terminal has sent to the whole group already: one Ctrl-C arrives twice, within a
 * millisecond or so (npm 11, where its shell is bash).
 */
const REPEATED_WITHIN_MS = 200;
const { npm_lifecycle_event: npmEvent = '' } = process.env;
const isRunByNpm = ['start', 'npx'].includes(npmEvent);

/**
 * Listens to the signals that mean stop.
 *
 * @returns a function that listens no more
 */
export function onStop(drain: (signal: string) => void, abort: (signal: string) => void): () => void {
  let first: { readonly signal: string; readonly at: number } | undefined;
  const onSignal = (signal: string): void => {
    const at = performance.now();
    if (first === undefined) {
      first = { signal, at };
      drain(signal);
    } else if (!isRunByNpm || signal !== first.signal || at - first.at > REPEATED_WITHIN_MS) {
      abort(signal);
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
