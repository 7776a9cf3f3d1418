/**
 * Runs machines of your own as the library runs its own, and its own in another way. It loads XState and the compiler,
 * which `sockchart` itself does without.
 *
 * @module
 */

export { compile, compiled, explain, type MakeClass } from '../compiler/compile.js';
export { type Clock, systemClock, type Timer } from './clock.js';
export type {
  Commands,
  Description,
  Host,
  Instance,
  MachineName,
  Run,
  RunListeners,
  RunningTimer,
  RunSnapshot,
  Runtime,
  StateValue,
} from './instance.js';
export type { RunnableMachine } from './machine.js';
export { compiledRuntime, xstateRuntime } from './runtimes.js';
export { interpret } from './xstate.js';
