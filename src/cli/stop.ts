/** The signals of the command line: what means stop, and what must not end it. */
import { closeOnSignals } from '../index.js';

/**
 * Listens to the signals that mean stop: the first one drains, the next one aborts. SIGUSR2 does nothing but say so, since
 * its default ends the process, and with it every connection as if it were complete.
 *
 * @returns a function that listens no more
 */
export function onStop(
  drain: (signal: string) => void,
  abort: (signal: string) => void,
  ignore: (signal: string) => void,
): () => void {
  const never = new Promise<never>(() => {});
  const stopListening = closeOnSignals(
    { close: () => never, abort: () => never, closed: never },
    { onSignal: (signal, request) => (request === 'close' ? drain : abort)(signal) },
  );
  process.on('SIGUSR2', ignore);
  return () => {
    stopListening();
    process.off('SIGUSR2', ignore);
  };
}
