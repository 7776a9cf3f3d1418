/// <reference types="node" preserve="true" />
/**
 * Explicit state machines for the life of a proxy's connections, wired to Node's sockets.
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
} from './adapters/attach.js';
export { Backend, type BackendEvents, createBackend } from './adapters/backend.js';
export type {
  BackendLimits,
  BackendOptions,
  BackendSocketOptions,
  DialLimits,
  PrepareContext,
  PrepareHook,
} from './adapters/backend-options.js';
export {
  type AdmitContext,
  adoptClient,
  Client,
  type ClientEvents,
  type ClientLimits,
  type ClientOptions,
  clientOf,
} from './adapters/client.js';
export type { Connection, Hold } from './adapters/holds.js';
export {
  type Address,
  createListener,
  Listener,
  type ListenerEvents,
} from './adapters/listener.js';
export type { ListenAddress, ListenerLimits, ListenerOptions } from './adapters/listener-options.js';
export type { PeekOptions } from './adapters/peek.js';
export { type Closable, closeOnSignals, type SignalOptions, type StopListening } from './adapters/process-signals.js';
export type { LegEvents, LegHandle } from './adapters/socket-handle.js';
export type { ReadyOptions } from './adapters/waiters.js';
export {
  BindError,
  CheckError,
  ClientHelloError,
  ClosedError,
  CompileError,
  ConnectError,
  NotEstablishedError,
  NotSupportedError,
  OptionError,
  ProxyHeaderError,
  type ProxyHeaderFault,
  SockchartError,
} from './errors.js';
export type { CloseOptions, Handle, HandleOptions } from './handle.js';
export type { Means } from './machines/means.js';
export type {
  Cause,
  Ending,
  Initiator,
  Leg,
  Manner,
  NameAnswer,
  Outcome,
  Phase,
  Report,
} from './machines/vocabulary.js';
export type { Members } from './members.js';
export type { AddressLookup, FoundAddress, FoundAddresses, LookupContext } from './names/found.js';
export type { Timeout } from './options.js';
export type { AdoptOptions } from './proxy/adopted.js';
export { type LogEntry, logLine, stateCode } from './proxy/log.js';
export { createProxy, type ProxyEvents, type ProxyOptions, TcpProxy } from './proxy/proxy.js';
export { type ConnectionInfo, Session, type SessionEvents } from './proxy/session.js';
export { createSession, type SessionHooks, type SessionLimits, type SessionOptions } from './proxy/session-options.js';
export type { KeyHook, RefusalHook, Route, RouteContext, RouteHook, Target } from './proxy/target.js';
export type { TransformHook, TransformHooks } from './proxy/transform.js';
export type { ListenProxyProtocol, ProxyFields, ServerProxyProtocol, Via } from './proxy-protocol.js';
export { TRANSITION_CHANNEL } from './runtime/channel.js';
export { type Clock, systemClock, type Timer } from './runtime/clock.js';
export type {
  Description,
  Host,
  Instance,
  MachineName,
  RunningTimer,
  Runtime,
  Transition,
} from './runtime/instance.js';
export { type ClientHello, ClientHelloParser } from './sockets/client-hello.js';
export type { Peer } from './sockets/peer.js';
export { encodeProxyHeader, type ProxyHeaderOptions } from './sockets/proxy-encoder.js';
export type { ProxyHeader, ProxySsl, ProxyTlv } from './sockets/proxy-header.js';
export { type ParsedProxyHeader, ProxyHeaderParser } from './sockets/proxy-parser.js';
export type { ListenTls, ServerTls, TlsCertificate, TlsContext } from './tls.js';
export type { BackoffOptions, ServersBackoffOptions } from './upstream/backoff.js';
export type { Balance } from './upstream/balance/balance.js';
export type { Balancer, Wanted } from './upstream/balance/balancer.js';
export { type HashOptions, hash } from './upstream/balance/hash.js';
export { inOrder } from './upstream/balance/in-order.js';
export { leastConnections } from './upstream/balance/least-connections.js';
export { type PeakEwmaOptions, peakEwma } from './upstream/balance/peak-ewma.js';
export { random } from './upstream/balance/random.js';
export { roundRobin } from './upstream/balance/round-robin.js';
export type { RetryBudgetOptions } from './upstream/budget.js';
export type { CheckExchange, CheckHook, CheckHookContext, ChecksOptions } from './upstream/check-options.js';
export { Governor, type GovernorOptions } from './upstream/governor.js';
export type { AddressesOptions, HoldOptions } from './upstream/name-options.js';
export type { RemoveOptions } from './upstream/removal.js';
export type { Server, ServerChange, ServerEvents } from './upstream/server.js';
export type { CheckResult, PastChange, ServerFailure } from './upstream/server-history.js';
export type { ServerInfo } from './upstream/server-info.js';
export type { ServerName, ServerNameChange, ServerNameEvents, ServerNameLookup } from './upstream/server-name.js';
export type { ConnectContext, ConnectHook, ServerOptions } from './upstream/server-options.js';
export { Servers, type ServersEvents } from './upstream/servers.js';
export {
  type EjectionOptions,
  isPermanent,
  type ServersOptions,
  type SlowStartOptions,
} from './upstream/servers-options.js';
