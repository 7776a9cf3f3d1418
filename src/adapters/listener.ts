import {
  type AddressInfo,
  createServer,
  type ListenOptions,
  type Server as NetServer,
  type ServerOpts,
  type Socket,
} from 'node:net';
import { BindError, ClosedError, NotSupportedError, OptionError } from '../errors.js';
import { type ListenerCommand, type ListenerSettings, listenerMachine } from '../machines/listener.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { count, flag, integer, keepAlive, number, onlyKnown, port, type Timeout, text, timeout } from '../options.js';
import type { Runtime } from '../runtime/life.js';
import {
  CLIENT_LIMITS,
  Client,
  type ClientConfig,
  type ClientLimits,
  type ClientOwner,
  clientConfig,
} from './client.js';
import { openFilesMax } from './files.js';
import { type CommandTable, HANDLE_OPTIONS, Handle, type HandleOptions } from './handle.js';
import { reportOf, reset } from './socket.js';
import { bindingName, type Claim, claim, isFile, unclaim } from './unix.js';

/** Where to listen: a TCP port, a Unix path, an open file descriptor, or a server that somebody made. */
export interface ListenAddress {
  /** Address of the interface. Default: all. */
  readonly host?: string | undefined;
  /** TCP port; 0 for any free one. */
  readonly port?: number | undefined;
  /** Unix socket. A path that nothing answers on is taken over; another server's never. */
  readonly path?: string | undefined;
  /** A file descriptor that listens, as from a service manager. */
  readonly fd?: number | undefined;
  /** A server that exists: listening, or with one of the above. It is closed with the listener. */
  readonly server?: NetServer | undefined;
  /** Length of the queue of connections that were not accepted yet. Default 511, as Node's. */
  readonly backlog?: number | undefined;
  /** Serve only IPv6 on `::`. Default false. */
  readonly ipv6Only?: boolean | undefined;
}

export const LISTEN_ADDRESS = ['host', 'port', 'path', 'fd', 'server', 'backlog', 'ipv6Only'] as const;

export interface ListenerLimits extends ClientLimits {
  /**
   * Clients at once; newcomers beyond are accepted, reset and counted in `refused`. Default: what the limit on open
   * files permits.
   */
  readonly clientsMax?: number | undefined;
  /** Attempts to bind. Default 1: fail at once. */
  readonly bindAttempts?: number | undefined;
  /** Time between attempts to bind, in milliseconds. Default 1 000. */
  readonly bindBackoff?: number | undefined;
  /** Time that a close waits for the clients until it cuts them, in milliseconds. Default 30 000. */
  readonly drainTimeout?: Timeout | undefined;
  /** `TCP_NODELAY` on clients. Default true. */
  readonly noDelay?: boolean | undefined;
  /** TCP keep-alive on clients with this idle time, in milliseconds (at least 1 000); `false` for none. Default false. */
  readonly keepAlive?: number | false | undefined;
}

export const LISTENER_LIMITS = [
  'clientsMax',
  'bindAttempts',
  'bindBackoff',
  'drainTimeout',
  'noDelay',
  'keepAlive',
  ...CLIENT_LIMITS,
] as const;

export interface ListenerOptions extends ListenAddress, ListenerLimits, HandleOptions {}

export type ListenerEvents = {
  /** Bound, for the first time or again. */
  listening: [Address];
  /** A client was admitted. */
  client: [Client];
  /** A client's life is over, whether it was admitted or not: `outcome.cause` says why one was refused. */
  clientClosed: [{ client: Client; outcome: Outcome }];
  /** A newcomer was turned away because it is full or no longer serves. */
  refused: [{ total: number }];
  /** It could not bind, and tries again after `delayMs`. */
  retry: [{ attempt: number; delayMs: number; cause: Cause }];
  /** An accept failed, and it listens on; or it could not listen again, and only waits for its clients. */
  warning: [{ cause: Cause }];
  closed: [Outcome];
};

/** Where a listener listens: a host and a port, or a Unix path. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** @internal Who hears of a listener's clients before anybody else. */
export interface ListenerOwner extends ClientOwner {
  listenerBound(listener: Listener): void;
  listenerClosed(listener: Listener, outcome: Outcome): void;
}

/** @internal What all listeners of one configuration share. */
export interface CheckedListenerLimits {
  readonly settings: ListenerSettings;
  readonly client: ClientConfig;
  readonly serverOptions: ServerOpts;
}

const LISTENING = { type: 'server.listening' } as const;
const SERVER_CLOSED = { type: 'server.closed' } as const;
const CLIENT_CLOSED = { type: 'client.closed' } as const;

const COMMANDS: CommandTable<Listener, ListenerCommand> = {
  'server.listen': (listener) => listener.listen(),
  'server.close': (listener) => listener.closeServer(),
  'client.adopt': (listener, { socket }) => listener.adopt(socket as Socket),
  'client.refuse': (listener, { socket }) => listener.refuse(socket as Socket),
  'clients.abort': (listener, { cause }) => listener.abortClients(cause),
  'owner.listening': (listener) => listener.announceListening(),
  'owner.retry': (listener, { attempt, delayMs, cause }) => listener.announceRetry(attempt, delayMs, cause),
  'owner.warn': (listener, { cause }) => listener.warn(cause),
};

/** Listens and adopts what is accepted. Made by {@link createListener}. */
export class Listener extends Handle<typeof listenerMachine, ListenerEvents> implements ClientOwner {
  /** The clients that live. */
  readonly clients = new Set<Client>();
  /** Newcomers that were turned away. */
  refused = 0;
  readonly clientsMax: number;
  readonly #where: ListenAddress;
  readonly #server: NetServer;
  readonly #clientConfig: ClientConfig;
  readonly #owner: ListenerOwner | undefined;
  #address: Address | undefined;
  #claim: Claim | undefined;
  #binding: string | undefined;
  /** Counts what was asked of the server, so that what an earlier listen still finds out is not taken for news. */
  #turn = 0;
  readonly #handshakes = new Set<Socket>();
  #started: { promise: Promise<Address>; resolve(address: Address): void; reject(error: Error): void } | undefined;
  #keepAlive = true;

  /** @internal */
  constructor(
    where: ListenAddress,
    limits: CheckedListenerLimits,
    options: HandleOptions,
    owner?: ListenerOwner,
    parentId?: string,
  ) {
    super(listenerMachine, { settings: limits.settings }, options, parentId, limits.client.runtime);
    this.#where = where;
    this.clientsMax = limits.settings.clientsMax;
    this.#clientConfig = limits.client;
    this.#owner = owner;
    this.#server = where.server ?? createServer(limits.serverOptions);
    if ('setSecureContext' in this.#server) {
      this.#server.on('secureConnection', this.#onConnection);
      this.#server.on('connection', this.#onHandshake);
    } else {
      this.#server.on('connection', this.#onConnection);
    }
    this.#server.on('listening', this.#onListening);
    this.#server.on('error', this.#onError);
    this.#server.on('close', this.#onClose);
    this.begin();
  }

  /** Where it listens, with the real port; nothing before it has listened. */
  get address(): Address | undefined {
    return this.#address;
  }

  /**
   * Listens.
   *
   * @throws BindError when it cannot bind
   * @throws ClosedError when its life is over
   */
  start(): Promise<Address> {
    if (this.outcome !== undefined) return Promise.reject(this.endError(this.outcome));
    if (!this.matches('idle', 'serving')) return Promise.reject(new ClosedError(this.id));
    if (this.#started === undefined) {
      let resolve!: (address: Address) => void;
      let reject!: (error: Error) => void;
      const promise = new Promise<Address>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      promise.catch(() => {});
      this.#started = { promise, resolve, reject };
      this.life.send({ type: 'listener.start' });
    }
    return this.#started.promise;
  }

  /**
   * Stops accepting; the clients live on. A `start()` that has not bound yet then waits for {@link resume}.
   *
   * @throws NotSupportedError before it was started
   * @throws NotSupportedError where it could not listen again: on a file descriptor
   * @throws ClosedError when its life is over, or about to be
   */
  suspend(): void {
    this.checkSuspend();
    this.life.send({ type: 'listener.suspend' });
  }

  /**
   * Listens again, on the port that it had.
   *
   * @throws ClosedError when its life is over, or about to be
   */
  resume(): void {
    this.#refuseWhenOver();
    this.life.send({ type: 'listener.resume' });
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), address: this.#address, clients: this.clients.size, refused: this.refused };
  }

  clientEstablished(client: Client): void {
    this.#owner?.clientEstablished(client);
    this.notify('client', client);
  }

  clientEnded(client: Client): void {
    this.#owner?.clientEnded(client);
  }

  clientUnlinked(client: Client): void {
    this.#owner?.clientUnlinked(client);
  }

  clientClosed(client: Client, outcome: Outcome): void {
    this.clients.delete(client);
    this.#owner?.clientClosed(client, outcome);
    this.notify('clientClosed', { client, outcome });
    this.life.send(CLIENT_CLOSED);
  }

  protected override commands() {
    return COMMANDS as never;
  }

  protected override requestClose(timeoutMs: number | undefined): void {
    this.life.send({ type: 'listener.close', ...(timeoutMs !== undefined && { timeoutMs }) });
  }

  protected override requestAbort(cause: Report | undefined): void {
    this.life.send({ type: 'listener.abort', ...(cause !== undefined && { cause }) });
  }

  protected override commandFailed(_command: string, error: unknown): void {
    this.life.send({ type: 'server.failed', cause: { ...reportOf(error), phase: 'command' } });
  }

  protected override finished(outcome: Outcome): void {
    const server = this.#server;
    server.off('connection', this.#onConnection);
    server.off('secureConnection', this.#onConnection);
    server.off('connection', this.#onHandshake);
    // Its clients are gone: what is left has not shaken hands.
    for (const socket of this.#handshakes) socket.destroy();
    server.off('listening', this.#onListening);
    server.off('close', this.#onClose);
    // A server of our own may still fail, to nobody's interest.
    if (this.#where.server !== undefined) server.off('error', this.#onError);
    this.#started?.reject(this.endError(outcome));
    this.#owner?.listenerClosed(this, outcome);
  }

  protected override refSocket(keepAlive: boolean): void {
    this.#keepAlive = keepAlive;
    for (const part of [this.#server, ...this.clients]) {
      if (keepAlive) part.ref();
      else part.unref();
    }
  }

  /** @internal */
  listen(): void {
    this.#turn++;
    const { server, host, port, path, fd, backlog, ipv6Only } = this.#where;
    if (server?.listening) {
      this.life.send(LISTENING);
      return;
    }
    const options: ListenOptions = { ...(backlog !== undefined && { backlog }) };
    if (fd !== undefined) {
      this.#server.listen({ ...options, fd } as ListenOptions);
      return;
    }
    const again = this.#address;
    if (path !== undefined || (again !== undefined && 'path' in again)) {
      const target = path ?? (again as { path: string }).path;
      this.#binding = isFile(target) ? bindingName(target) : undefined;
      this.#server.listen({ ...options, path: this.#binding ?? target });
      return;
    }
    this.#server.listen({
      ...options,
      port: again === undefined ? (port as number) : (again as { port: number }).port,
      ...(host !== undefined && { host }),
      ...(host === undefined && server !== undefined && again !== undefined && 'host' in again && { host: again.host }),
      ...(ipv6Only !== undefined && { ipv6Only }),
    });
  }

  readonly #onConnection = (socket: Socket): void => {
    this.life.send({ type: 'client.arrived', socket });
  };

  /** A TLS client is nobody's until it has shaken hands, but it must not outlive the listener. */
  readonly #onHandshake = (socket: Socket): void => {
    this.#handshakes.add(socket);
    socket.once('close', () => this.#handshakes.delete(socket));
  };

  readonly #onError = (error: Error): void => this.#failed(error);

  readonly #onClose = (): void => {
    // It also comes late, when the last socket of an earlier listen dies.
    if (!this.#server.listening) this.life.send(SERVER_CLOSED);
  };

  readonly #onListening = (): void => {
    const binding = this.#binding;
    const turn = this.#turn;
    if (binding === undefined) {
      this.life.send(LISTENING);
      return;
    }
    this.#binding = undefined;
    claim(binding, this.#where.path ?? (this.#address as { path: string }).path).then(
      (claimed) => {
        if (turn !== this.#turn) {
          unclaim(claimed);
          return;
        }
        this.#claim = claimed;
        this.life.send(LISTENING);
      },
      (error) => {
        if (turn !== this.#turn) return;
        this.#server.close();
        this.#failed(error);
      },
    );
  };

  #failed(error: unknown): void {
    this.life.send({ type: 'server.failed', cause: reportOf(error) });
  }

  /** @internal */
  closeServer(): void {
    this.#turn++;
    if (this.#claim !== undefined) unclaim(this.#claim);
    this.#claim = undefined;
    this.#server.close();
  }

  /** @internal */
  adopt(socket: Socket): void {
    const client = new Client(socket, this.#clientConfig, { clock: this.clock }, this, this.id);
    this.clients.add(client);
    if (!this.#keepAlive) client.unref();
    client.begin();
  }

  /** @internal */
  refuse(socket: Socket): void {
    this.refused++;
    socket.on('error', () => {});
    reset(socket);
    this.notify('refused', { total: this.refused });
  }

  /** @internal */
  abortClients(cause: Cause): void {
    for (const client of [...this.clients]) client.abort(cause);
  }

  /** @internal */
  announceListening(): void {
    this.#address = this.#where.path === undefined ? addressOf(this.#server) : { path: this.#where.path };
    if (!this.#keepAlive) this.#server.unref();
    this.#started?.resolve(this.#address as Address);
    this.#owner?.listenerBound(this);
    this.notify('listening', this.#address as Address);
  }

  /** @internal */
  announceRetry(attempt: number, delayMs: number, cause: Cause): void {
    this.notify('retry', { attempt, delayMs, cause });
  }

  /** @internal */
  warn(cause: Cause): void {
    this.notify('warning', { cause });
  }

  /** @internal Throws what {@link suspend} would. */
  checkSuspend(): void {
    this.#refuseWhenOver();
    if (this.matches('idle'))
      throw new NotSupportedError(`${this.id} was not started yet: there is nothing to suspend.`);
    if (this.#where.fd === undefined) return;
    throw new NotSupportedError('A listener on a file descriptor cannot be suspended: the descriptor would be closed.');
  }

  #refuseWhenOver(): void {
    if (!this.matches('idle', 'serving')) throw new ClosedError(this.id, this.outcome?.cause);
  }

  /** @internal Why it cannot be started, or did not start. */
  endError(outcome: Outcome): Error {
    return outcome.ending === 'failed'
      ? new BindError(describeAddress(this.#where), outcome.cause)
      : new ClosedError(this.id, outcome.cause);
  }
}

function addressOf(server: NetServer): Address | undefined {
  const address = server.address();
  if (typeof address === 'string') return { path: address };
  return address === null ? undefined : { host: (address as AddressInfo).address, port: address.port };
}

function describeAddress({ host, port, path, fd }: ListenAddress): string {
  if (path !== undefined) return path;
  if (fd !== undefined) return `file descriptor ${fd}`;
  return port === undefined ? 'its server' : `${host ?? '*'}:${port}`;
}

/** Files that a process needs besides its connections. */
const FILES_RESERVED = 64;

/**
 * @internal Checks the limits of a listener, once for all that share them.
 *
 * @param filesPerClient how many files a client costs, by which its limit is compared with the process's
 */
export function listenerLimits(
  options: ListenerLimits,
  filesPerClient: number,
  ownerUnlinks: boolean,
  runtime?: Runtime,
): CheckedListenerLimits {
  const idleMs = keepAlive('keepAlive', options.keepAlive);
  const filesMax = openFilesMax();
  const permitted =
    filesMax === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(1, Math.floor((filesMax - FILES_RESERVED) / filesPerClient));
  const clientsMax = count('clientsMax', options.clientsMax, permitted);
  if (options.clientsMax !== undefined && clientsMax > permitted) {
    process.emitWarning(
      `clientsMax is ${clientsMax}, but this process may open ${filesMax} files, enough for ${permitted} clients. ` +
        'Beyond that, accepts fail without a word: raise the limit (ulimit -n) or lower clientsMax.',
      { code: 'SOCKCHART_CLIENTS_MAX' },
    );
  }
  return {
    settings: {
      clientsMax,
      bindAttempts: count('bindAttempts', options.bindAttempts, 1),
      bindBackoff: number('bindBackoff', options.bindBackoff, 1_000, 1, 3_600_000),
      drainTimeout: timeout('drainTimeout', options.drainTimeout, 30_000),
      abortTimeout: timeout('abortTimeout', options.abortTimeout, 1_000),
    },
    client: clientConfig(options, ownerUnlinks, runtime),
    serverOptions: {
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: flag('noDelay', options.noDelay, true),
      ...(idleMs !== false && { keepAlive: true, keepAliveInitialDelay: idleMs }),
    },
  };
}

/** @internal Checks where to listen; `name` is the option's path, ending in a dot if it has one. */
export function checkAddress(where: ListenAddress, name: string): void {
  const given = (['port', 'path', 'fd'] as const).filter((option) => where[option] !== undefined);
  if (given.length > 1) {
    throw new OptionError(`${name}${given[1]}`, where[given[1] as 'port'], `left out when ${given[0]} is given`);
  }
  if (where.server !== undefined) {
    if (typeof where.server?.listen !== 'function')
      throw new OptionError(`${name}server`, where.server, 'a net.Server');
    if (where.server.listening && given.length > 0) {
      throw new OptionError(`${name}${given[0]}`, where[given[0] as 'port'], 'left out: the server listens already');
    }
  }
  if (given.length === 0 && where.server?.listening !== true) {
    throw new OptionError(
      `${name}port`,
      undefined,
      'a port from 0 to 65535, unless path, fd or a listening server is given',
    );
  }
  if (where.port !== undefined) port(`${name}port`, where.port);
  if (where.path !== undefined) {
    const path = text(`${name}path`, where.path);
    // Longer paths are cut without a word by Node 20 and 22; what is bound is longer by a suffix.
    const most = isFile(path) ? SUN_PATH_MAX - bindingName(path).length + path.length : SUN_PATH_MAX;
    if (process.platform !== 'win32' && Buffer.byteLength(path) > most) {
      throw new OptionError(`${name}path`, path, `a path of at most ${most} bytes`);
    }
  }
  integer(`${name}fd`, where.fd, 0, 0, 2 ** 31 - 1);
  if (where.host !== undefined) text(`${name}host`, where.host);
  integer(`${name}backlog`, where.backlog, 511, 1, 2 ** 31 - 1);
  flag(`${name}ipv6Only`, where.ipv6Only, false);
}

/** The longest path of a Unix socket on the BSDs, and so on macOS; Linux takes three more. */
const SUN_PATH_MAX = 103;

/**
 * Makes a listener, which does nothing until {@link Listener.start} is called. What it accepts are clients: see
 * {@link adoptClient}.
 *
 * @throws OptionError
 * @example
 * ```ts
 * const listener = createListener({ host: '127.0.0.1', port: 8080, clientsMax: 100 });
 * listener.on('client', ({ socket }) => socket.pipe(socket));
 * await listener.start();
 * // …
 * await listener.close({ timeoutMs: 5_000 });
 * ```
 */
export function createListener(options: ListenerOptions): Listener {
  onlyKnown('createListener', options, [...LISTEN_ADDRESS, ...LISTENER_LIMITS, ...HANDLE_OPTIONS]);
  checkAddress(options, '');
  return new Listener(options, listenerLimits(options, 1, false), options);
}
