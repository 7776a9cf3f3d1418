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
  type EjectionOptions,
  type HashOptions,
  hash,
  inOrder,
  isPermanent,
  leastConnections,
  type PeakEwmaOptions,
  peakEwma,
  type RemoveOptions,
  type RetryBudgetOptions,
  random,
  roundRobin,
  type Server,
  type ServerChange,
  type ServerEvents,
  type ServerOptions,
  Servers,
  type ServersBackoffOptions,
  type ServersEvents,
  type ServersOptions,
  type SlowStartOptions,
  type Wanted,
} from 'sockchart';
