/**
 * Clients: accepted connections. A listener and a proxy make them; `adoptClient` makes one of a socket of yours.
 *
 * @module
 */
export {
  type AdmitContext,
  adoptClient,
  Client,
  type ClientEvents,
  type ClientLimits,
  type ClientOptions,
  clientOf,
  type PeekOptions,
  type Peer,
} from 'sockchart';
