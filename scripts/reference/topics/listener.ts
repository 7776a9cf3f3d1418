/**
 * `createListener`: an address that accepts clients, for programs that serve them without a proxy.
 *
 * @module
 */
export {
  type Address,
  createListener,
  type ListenAddress,
  Listener,
  type ListenerEvents,
  type ListenerLimits,
  type ListenerOptions,
  type Members,
} from 'sockchart';
