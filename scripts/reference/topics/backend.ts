/**
 * `createBackend`: a connection to one of several servers, which is made anew when it is lost, or one conversation.
 *
 * @module
 */
export {
  Backend,
  type BackendEvents,
  type BackendLimits,
  type BackendOptions,
  type BackendSocketOptions,
  type Connection,
  createBackend,
  type DialLimits,
  type Hold,
  type PrepareContext,
  type PrepareHook,
  type ReadyOptions,
} from 'sockchart';
