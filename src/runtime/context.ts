/**
 * The rule for `AsyncLocalStorage`: a hook runs in the async context in which it was given to the library; events, and
 * the sockets and timers of a handle, belong to the context in which its user made the handle. Otherwise it would depend
 * on chance: on the request that has opened a connection, or the timer that has fired.
 */
import { AsyncResource } from 'node:async_hooks';

/** Calls a function in the async context in which this one was made. */
export type InContext = <R, A extends unknown[]>(call: (...args: A) => R, ...args: A) => R;

/** It is never told to `async_hooks` that one of these is gone: nothing is kept for that. */
const noteContext = (): AsyncResource => new AsyncResource('sockchart', { requireManualDestroy: true });

/** Notes the async context of now. (`AsyncLocalStorage.snapshot()` does the same, at ten times the price of a call.) */
export const contextOfNow = (): InContext => {
  const noted = noteContext();
  return (call, ...args) => noted.runInAsyncScope(call, undefined, ...args);
};

/** The same function, which always runs in the async context of now. */
export const bound = <F extends (...args: never[]) => unknown>(call: F): F => {
  const noted = noteContext();
  function inContext(this: unknown, ...args: unknown[]): unknown {
    return noted.runInAsyncScope(call as never, this, ...args);
  }
  return inContext as never;
};

/** Calls a function in the async context of the library's own import, which is none: for timers that many share. */
export const inNoContext: InContext = contextOfNow();
