/** Opens sockets to servers, and puts TLS over them. */
import { type LookupFunction, connect as netConnect, type OnReadOpts, Socket } from 'node:net';
import { builtin } from '../builtin.js';
import type { CheckedServerTls } from '../tls.js';
import { keepSessions, resuming } from './resumption.js';

/** Where a server is, and how it is reached. */
export interface Destination {
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string | undefined;
  /** Looks the host up, where that is no address. */
  readonly lookup: LookupFunction | undefined;
  readonly localAddress: string | undefined;
  /** How long each but the last of several addresses may take, in milliseconds. */
  addressMs(connectTimeout: number): number;
}

/** What a socket is made like. */
export interface SocketSettings {
  readonly noDelay: boolean;
  readonly keepAlive: number | false;
}

/**
 * Opens a socket to a server; TLS follows once it has connected.
 *
 * @param connectTimeout how long the whole attempt may take, in milliseconds
 * @param onread how Node is to read it
 */
export function dial(
  to: Destination,
  { noDelay, keepAlive }: SocketSettings,
  connectTimeout: number,
  onread: OnReadOpts | undefined,
): Socket {
  const { host, port, path, lookup, localAddress } = to;
  if (path !== undefined) return netConnect({ path, allowHalfOpen: true, onread });
  const where =
    keepAlive === false
      ? { host, port: port as number, allowHalfOpen: true, noDelay, onread }
      : {
          host,
          port: port as number,
          allowHalfOpen: true,
          noDelay,
          onread,
          keepAlive: true,
          keepAliveInitialDelay: keepAlive,
        };
  if (lookup !== undefined) {
    Object.assign(where, { lookup, autoSelectFamilyAttemptTimeout: to.addressMs(connectTimeout) });
  }
  if (localAddress !== undefined) Object.assign(where, { localAddress });
  return netConnect(where);
}

/**
 * @internal TLS over a socket of ours, so that a cut can be a reset of that. Only now that it has connected: while Node tries one
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
export function tune(socket: Socket, { noDelay, keepAlive }: SocketSettings): void {
  if (!(socket instanceof Socket)) return;
  if (noDelay) socket.setNoDelay(true);
  if (keepAlive !== false) socket.setKeepAlive(true, keepAlive);
}
