/**
 * Servers: which server a connection goes to, how long it waits between attempts, and which failures exclude a server.
 *
 * @module
 */
export {
  type BackoffOptions,
  type Balance,
  type Balancer,
  type CheckExchange,
  type CheckHook,
  type CheckHookContext,
  type ChecksOptions,
  type ConnectContext,
  type ConnectHook,
  type HashOptions,
  hash,
  inOrder,
  isPermanent,
  leastConnections,
  type PeakEwmaOptions,
  peakEwma,
  type RetryBudgetOptions,
  random,
  roundRobin,
  type Server,
  type ServerOptions,
  Servers,
  type ServersBackoffOptions,
  type ServersOptions,
  type Wanted,
} from 'sockchart';
