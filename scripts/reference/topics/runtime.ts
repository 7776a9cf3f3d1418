/**
 * How machines run, for machines of your own; and the channel that publishes every transition.
 *
 * @module
 */
export {
  type CompiledMachine,
  compile,
  compiledRuntime,
  type Description,
  type Host,
  type Instance,
  type RunningTimer,
  type Runtime,
  TRANSITION_CHANNEL,
  type Transition,
  xstateRuntime,
} from 'sockchart';
