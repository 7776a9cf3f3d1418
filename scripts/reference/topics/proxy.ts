/**
 * `createProxy`: listeners, servers, and a session for each client. Its options are those of listeners, of sessions, of
 * servers and of every handle, listed here in one table.
 *
 * @module
 */
export {
  type AdoptOptions,
  type ConnectionInfo,
  createProxy,
  type KeyHook,
  type LogEntry,
  logLine,
  type ProxyEvents,
  type ProxyOptions,
  type RefusalHook,
  type Route,
  type RouteContext,
  type RouteHook,
  stateCode,
  type Target,
  TcpProxy,
} from 'sockchart';
