/**
 * What every handle has (a proxy, a listener, a client, a backend, a session, a cluster): its options, events and end.
 *
 * @module
 */
export {
  type Clock,
  type Closable,
  type CloseOptions,
  closeOnSignals,
  type Handle,
  type HandleOptions,
  type LegEvents,
  type LegHandle,
  type SignalOptions,
  type StopListening,
  systemClock,
  type Timeout,
  type Timer,
} from 'sockchart';
