/** Opens sockets to servers, and puts TLS over them. */
import { connect as netConnect, type OnReadOpts, Socket } from 'node:net';
import { builtin } from '../builtin.js';
import type { CheckedServerTls } from '../tls.js';
import type { Server } from '../upstream/servers.js';
import type { BackendConfig } from './backend-options.js';
import { keepSessions, resuming } from './resumption.js';

/** Opens a socket to a server; TLS follows once it has connected. `onread`: how Node is to read it. */
export function dial(server: Server, config: BackendConfig, onread: OnReadOpts | undefined): Socket {
  const { host, port, path, lookup, localAddress } = server;
  if (path !== undefined) return netConnect({ path, allowHalfOpen: true, onread });
  const { noDelay, keepAlive } = config;
  const where = { host, port: port as number, allowHalfOpen: true, noDelay, onread };
  if (lookup !== undefined) {
    const { connectTimeout } = config.input.settings;
    Object.assign(where, { lookup, autoSelectFamilyAttemptTimeout: server.addressMs(connectTimeout) });
  }
  if (localAddress !== undefined) Object.assign(where, { localAddress });
  if (keepAlive === false) return netConnect(where);
  return netConnect({ ...where, keepAlive: true, keepAliveInitialDelay: keepAlive });
}

/**
 * TLS over a socket of ours, so that a cut can be a reset of that. Only now that it has connected: while Node tries one
 * address after the other, it changes the handle below.
 */
export function secure(raw: Socket, tls: CheckedServerTls, now: number): Socket {
  const session = resuming(tls, now);
  if (session === undefined) return builtin.tls.connect({ ...tls.options, socket: raw });
  const socket = builtin.tls.connect({ ...tls.options, socket: raw, session: session.offered });
  keepSessions(socket, session);
  return socket;
}

/** The socket of a user's `connect` has connected. Only now: until then Node may put another handle below it. */
export function tune(socket: Socket, { noDelay, keepAlive }: BackendConfig): void {
  if (!(socket instanceof Socket)) return;
  if (noDelay) socket.setNoDelay(true);
  if (keepAlive !== false) socket.setKeepAlive(true, keepAlive);
}
