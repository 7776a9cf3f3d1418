/** The first signal asks for an orderly end, the second for the end. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Listens to the signals that mean stop.
 *
 * @returns a function that listens no more
 */
export function onStop(drain: (signal: string) => void, abort: (signal: string) => void): () => void {
  let isFirst = true;
  const onSignal = (signal: string): void => {
    if (isFirst) drain(signal);
    else abort(signal);
    isFirst = false;
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
