/**
 * The entry point `sockchart/runtime`: how machines run, for machines of your own; and the channel that publishes every
 * transition.
 *
 * @module
 */
export {
  type Attached,
  type AttachOptions,
  attach,
  type SocketCommands,
  type SocketMove,
  type SocketReports,
  TRANSITION_CHANNEL,
  type Transition,
} from 'sockchart';
export {
  type Commands,
  compile,
  compiled,
  compiledRuntime,
  type Description,
  explain,
  type Host,
  type Instance,
  interpret,
  type MachineName,
  type MakeClass,
  type Run,
  type RunListeners,
  type RunnableMachine,
  type RunningTimer,
  type RunSnapshot,
  type Runtime,
  type StateValue,
  xstateRuntime,
} from 'sockchart/runtime';
