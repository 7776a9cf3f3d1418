/**
 * The rule for `AsyncLocalStorage`: a hook runs in the async context in which it was given to the library; events, and
 * the sockets and timers of a handle, belong to the context in which its user made the handle. Otherwise it would depend
 * on chance: on the request that has opened a connection, or the timer that has fired.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Calls a function in the async context in which this one was made. */
export type InContext = <R, A extends unknown[]>(call: (...args: A) => R, ...args: A) => R;

/** Notes the async context of now. */
export const contextOfNow = (): InContext => AsyncLocalStorage.snapshot();

/** The same function, which always runs in the async context of now. */
export const bound = <F extends (...args: never[]) => unknown>(call: F): F =>
  AsyncLocalStorage.bind(call as never) as F;

/** Calls a function in the async context of the library's own import, which is none: for timers that many share. */
export const inNoContext: InContext = contextOfNow();
