/** Opens sockets to servers, puts TLS over them, and checks what a user's `connect` returns. */
import { connect as netConnect, type OnReadOpts, Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { OptionError } from '../errors.js';
import { cut, ignore, isOwned, refuse } from '../sockets/socket.js';
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
  if (session === undefined) return tlsConnect({ ...tls.options, socket: raw });
  const socket = tlsConnect({ ...tls.options, socket: raw, session: session.offered });
  keepSessions(socket, session);
  return socket;
}

/** The socket of a user's `connect` has connected. Only now: until then Node may put another handle below it. */
export function tune(socket: Socket, { noDelay, keepAlive }: BackendConfig): void {
  if (!(socket instanceof Socket)) return;
  if (noDelay) socket.setNoDelay(true);
  if (keepAlive !== false) socket.setKeepAlive(true, keepAlive);
}

/** A user's `connect` must return a socket: a promise would be waited for in vain. */
export function checkedSocket(socket: Socket, server: Server): Socket {
  if (typeof socket?.destroy !== 'function' || typeof socket.on !== 'function') {
    // The socket that a promise opens nevertheless must not be left open.
    if (typeof (socket as unknown as Promise<Socket>)?.then === 'function') {
      Promise.resolve(socket).then(discard).catch(ignore);
    }
    throw new OptionError(`connect of ${server}`, socket, 'a function that returns a net.Socket');
  }
  if (isOwned(socket)) {
    throw new OptionError(`connect of ${server}`, socket, 'a function that returns a socket that is not in use');
  }
  if (socket.destroyed) {
    // Node reports in a later tick why it was destroyed; nothing else listens for that.
    refuse(socket);
    throw Object.assign(new Error('The socket is destroyed already.'), { code: 'ERR_SOCKET_CLOSED' });
  }
  return socket;
}

function discard(late: Socket | undefined): void {
  if (typeof late?.destroy !== 'function' || isOwned(late)) return;
  refuse(late);
  cut(late);
}

/** A socket that had connected before it was returned reports nothing any more. A TLS socket connects by its handshake. */
export function isConnected(socket: Socket): boolean {
  const { readyState } = socket;
  if (socket.connecting || socket.pending || typeof readyState !== 'string' || readyState === 'closed') return false;
  return !('encrypted' in socket) || (socket as Handshaking).secureConnecting === false;
}

type Handshaking = Socket & { readonly secureConnecting?: unknown };
