/** Two bare sockets that are connected to each other, over TCP, over a Unix socket and over TLS: no library in between. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions, connect as tlsConnect } from 'node:tls';
import { CERTIFICATE } from '../support/peers.js';
import { turns } from '../support/wait.js';

export type Over = 'TCP' | 'Unix' | 'TLS';
export const EVERYWHERE: readonly Over[] = ['TCP', 'Unix', 'TLS'];

export type Where = { readonly host: string; readonly port: number } | { readonly path: string };

/** Which end of a connection is looked at. */
export type Side = 'dialled' | 'accepted';

export interface Ends {
  readonly dialled: Socket;
  readonly accepted: Socket;
  /** What is below the two: the same sockets but over TLS. */
  readonly below: Readonly<Record<Side, Socket>>;
}

export const other = (side: Side): Side => (side === 'dialled' ? 'accepted' : 'dialled');

export class Stage {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sc-'));
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  #paths = 0;

  /** A path that is not taken. */
  path(): string {
    this.#paths++;
    return join(this.#folder, `${this.#paths}`);
  }

  /** Destroys this socket at the end; its errors are no errors of the test. */
  own<S extends Socket>(socket: S): S {
    this.#sockets.add(quiet(socket));
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  ownServer<S extends Server>(server: S): S {
    this.#servers.add(server);
    server.on('connection', (socket: Socket) => this.own(socket));
    return server;
  }

  async serve(over: Over, options: object = {}, where?: Where): Promise<Server> {
    const all = { allowHalfOpen: true, ...options };
    const server = this.ownServer(
      over === 'TLS' ? createTlsServer({ ...CERTIFICATE, ...all } as TlsOptions) : createServer(all),
    );
    server.listen(where ?? (over === 'Unix' ? { path: this.path() } : { host: '127.0.0.1', port: 0 }));
    await once(server, 'listening');
    return server;
  }

  /** A bare socket that begins to connect. */
  dial(over: Over, where: Where, options: object = {}): Socket {
    const all = { allowHalfOpen: true, ...where, ...options } as NetConnectOpts;
    return this.own(over === 'TLS' ? tlsConnect({ ca: CERTIFICATE.cert, ...all } as object) : connect(all));
  }

  /** Connects two ends; `dial` may be somebody else's. */
  async pair(over: Over, options: object = {}, dial?: (where: Where) => Promise<Socket>): Promise<Ends> {
    const server = await this.serve(over, options);
    const below = once(server, 'connection');
    const above = over === 'TLS' ? once(server, 'secureConnection') : below;
    const where = whereOf(server);
    let dialled: Socket;
    let raw: Socket;
    if (dial !== undefined) {
      dialled = raw = await dial(where);
    } else if (over === 'TLS') {
      raw = this.own(connect({ ...where, allowHalfOpen: true } as NetConnectOpts));
      dialled = tlsConnect({ socket: raw, ca: CERTIFICATE.cert, servername: 'localhost' });
      dialled.allowHalfOpen = (options as { allowHalfOpen?: boolean }).allowHalfOpen ?? true;
      await once(dialled, 'secureConnect');
    } else {
      dialled = raw = this.dial(over, where, options);
      await once(dialled, 'connect');
    }
    const [accepted] = (await above) as [Socket];
    server.close();
    // A handshake over TLS 1.3 has an epilogue. With a reset in the same poll, every Node takes it for data and an end.
    if (over === 'TLS') await turns(20);
    return { dialled, accepted, below: { dialled: raw, accepted: ((await below) as [Socket])[0] } };
  }

  async close(): Promise<void> {
    for (const server of this.#servers) if (server.listening) server.close();
    const sockets = [...this.#sockets];
    for (const socket of sockets) socket.destroy();
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
    this.#servers.clear();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export function whereOf(server: Server): Where {
  const address = server.address();
  if (typeof address === 'string') return { path: address };
  return { host: (address as AddressInfo).address, port: (address as AddressInfo).port };
}

const ignore = (): void => {};

/** Its errors are its own affair. */
export function quiet<S extends Socket>(socket: S): S {
  return socket.on('error', ignore);
}

/** Its errors are heard by somebody else, or by nobody. */
export function unquiet<S extends Socket>(socket: S): S {
  return socket.off('error', ignore);
}
