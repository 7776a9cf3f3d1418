/** The signals that ask a process to stop: the first one closes a handle, the next one aborts it. */

import { builtin } from '../builtin.js';
import { NotSupportedError, OptionError } from '../errors.js';
import type { CloseOptions } from '../handle.js';
import type { Ending } from '../machines/vocabulary.js';
import { hook, onlyKnown, type Timeout, timeout } from '../options.js';

/** A service manager, Ctrl-C, Ctrl-\, and a terminal that is lost. */
const STOP: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'];

const OPTIONS = ['signals', 'timeoutMs', 'onSignal'] as const;

/**
 * npm passes a signal on that the terminal has sent to the whole group already: one Ctrl-C arrives twice, within a
 * millisecond or so (npm 11, where its shell is bash).
 */
const REPEATED_WITHIN_MS = 200;

/** What {@link closeOnSignals} ends: every handle of the library is like this. */
export interface Closable {
  /** Ends it gracefully. */
  close(options?: CloseOptions): Promise<unknown>;
  /** Ends it at once. */
  abort(): Promise<unknown>;
  /** How it ended, once it has. */
  readonly closed: Promise<{ readonly ending: Ending }>;
}

/** Options of {@link closeOnSignals}. */
export interface SignalOptions {
  /**
   * The signals that mean stop. Default: SIGTERM, SIGINT (Ctrl-C), SIGQUIT (Ctrl-\) and SIGHUP (the terminal is lost).
   * Leave SIGHUP out where it means to reload.
   */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /** How long the close may take, in milliseconds; `false` for no limit. Default: the handle's own `drainTimeout` or `closeTimeout`. */
  readonly timeoutMs?: Timeout | undefined;
  /** Is called just before the handle is closed or aborted. */
  readonly onSignal?: ((signal: NodeJS.Signals, request: 'close' | 'abort') => void) | undefined;
}

/** Stops listening to the signals, so that they do again what they do by default. `using` calls it as well. */
export type StopListening = (() => void) & Disposable;

/**
 * Closes a handle when the process is asked to stop: the first signal closes it gracefully, another one aborts it. Without
 * it Node ends at once at a signal, and the system ends the connections with a FIN, as if they were complete.
 *
 * The process is neither ended nor kept alive by this: it ends by itself when nothing is left to do, with exit code 0, or
 * with 1 if connections had to be cut (unless you have set `process.exitCode`). Once the handle is closed, signals do again
 * what they do by default. After SIGHUP, errors of writing to stdout and stderr are ignored, because the terminal is gone.
 * Under `npm start` a signal that npm repeats counts once.
 *
 * @param handle a proxy, a listener, a cluster, or anything else with `close()`, `abort()` and `closed`
 * @returns a function that stops listening
 * @throws OptionError
 * @throws NotSupportedError in a worker thread, where Node reports no signals
 * @example
 * ```ts
 * const proxy = createProxy({ listen: { port: 8080 }, servers: [{ port: 5432 }] });
 * closeOnSignals(proxy, { timeoutMs: 5_000 });
 * await proxy.start();
 * ```
 */
export function closeOnSignals(handle: Closable, options: SignalOptions = {}): StopListening {
  for (const method of ['close', 'abort'] as const) {
    if (typeof handle?.[method] !== 'function') throw new OptionError('handle', handle, `an object with ${method}()`);
  }
  if (typeof handle.closed?.then !== 'function') throw new OptionError('handle', handle, 'an object with closed');
  onlyKnown('closeOnSignals', options, OPTIONS);
  const signals = checkedSignals(options.signals);
  const timeoutMs = options.timeoutMs === undefined ? undefined : timeout('timeoutMs', options.timeoutMs, 0);
  const onSignal = hook('onSignal', options.onSignal);
  if (!builtin.workers.isMainThread)
    throw new NotSupportedError('Signals are reported to the main thread only, not to a worker thread.');

  let first: { readonly signal: string; readonly at: number } | undefined;
  const listener = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGHUP') ignoreOutputErrors();
    const at = performance.now();
    const isFirst = first === undefined;
    if (!isFirst && isRepeated(signal, at)) return;
    first ??= { signal, at };
    try {
      onSignal?.(signal, isFirst ? 'close' : 'abort');
    } finally {
      void (isFirst ? handle.close(timeoutMs === undefined ? {} : { timeoutMs }) : handle.abort());
    }
  };
  const isRepeated = (signal: string, at: number): boolean =>
    isRunByNpm() && signal === first?.signal && at - first.at <= REPEATED_WITHIN_MS;
  const stop = (): void => {
    for (const signal of signals) process.off(signal, listener);
  };
  for (const signal of signals) process.on(signal, listener);
  void handle.closed.then(({ ending }) => {
    stop();
    if (first !== undefined && ending !== 'closed' && ending !== 'ended') process.exitCode ??= 1;
  });
  return Object.assign(stop, { [Symbol.dispose]: stop });
}

function checkedSignals(signals: unknown): readonly NodeJS.Signals[] {
  if (signals === undefined) return STOP;
  if (!Array.isArray(signals) || signals.length === 0) throw new OptionError('signals', signals, 'a list of signals');
  for (const [index, signal] of signals.entries()) {
    const isKnown =
      typeof signal === 'string' &&
      (Object.hasOwn(builtin.os.constants.signals, signal) || STOP.includes(signal as NodeJS.Signals));
    // No process is told of these two.
    if (isKnown && signal !== 'SIGKILL' && signal !== 'SIGSTOP') continue;
    throw new OptionError(`signals[${index}]`, signal, 'a signal that a process can listen to, such as "SIGTERM"');
  }
  return [...new Set(signals as NodeJS.Signals[])];
}

function isRunByNpm(): boolean {
  const { npm_lifecycle_event: event = '' } = process.env;
  return event === 'start' || event === 'npx';
}

let areIgnored = false;

/** @internal A terminal that is lost answers EIO, a reader that has gone EPIPE: that must not end a process that drains. */
export function ignoreOutputErrors(): void {
  if (areIgnored) return;
  areIgnored = true;
  for (const name of ['stdout', 'stderr'] as const) {
    try {
      process[name].on('error', () => {});
    } catch {
      // It has no such stream: nothing can fail there.
    }
  }
}
