/** The other side of a connection: real servers and sockets that behave well or badly. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import {
  type ConnectionOptions,
  createServer as createTlsServer,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import { Worker } from 'node:worker_threads';
import { until, within } from './wait.js';

const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

/** A self-signed certificate for `localhost` and 127.0.0.1. */
export const CERTIFICATE = { key: fixture('key.pem'), cert: fixture('cert.pem') };

export type At = { readonly host: string; readonly port: number } | { readonly path: string };

/** Where a listener of the library can be reached. */
export type Where = { readonly host?: string; readonly port?: number; readonly path?: string };

/** A server of the test: it remembers every socket that it ever accepted. */
export class PeerServer {
  readonly sockets: Socket[] = [];
  /** Under TLS also those whose handshake failed. */
  readonly #raw = new Set<Socket>();

  constructor(
    readonly server: NetServer,
    handler: (socket: Socket, index: number) => void,
  ) {
    server.on('connection', (socket: Socket) => {
      this.#raw.add(socket);
      socket.on('close', () => this.#raw.delete(socket));
    });
    server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
      socket.on('error', () => {});
      this.sockets.push(socket);
      handler(socket, this.sockets.length - 1);
    });
  }

  async listen(where: Where = {}): Promise<this> {
    this.server.listen(where.path === undefined ? { host: '127.0.0.1', port: 0, ...where } : { path: where.path });
    await once(this.server, 'listening');
    return this;
  }

  /** As the library's options want it. */
  get at(): At {
    const address = this.server.address();
    if (typeof address === 'string') return { path: address };
    return { host: (address as AddressInfo).address, port: (address as AddressInfo).port };
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** How many connections came, ever. */
  get accepted(): number {
    return this.sockets.length;
  }

  get live(): Socket[] {
    return this.sockets.filter((socket) => !socket.destroyed);
  }

  /** The connection with this number, from 0; waits for it. */
  async connection(index = 0): Promise<Socket> {
    await until(`connection ${index} of a peer`, () => this.sockets.length > index);
    return this.sockets[index] as Socket;
  }

  /** The other side of every connection has ended it, or cut it. Reads what nobody reads, for else it is not seen. */
  async left(ms = 3_000): Promise<void> {
    for (const socket of this.live) socket.resume();
    await until(
      'the other side of every connection to be gone',
      () => this.sockets.every((socket) => socket.destroyed || socket.readableEnded),
      ms,
    );
  }

  /** Accepts no more, cuts everything. */
  async stop(): Promise<void> {
    for (const socket of [...this.live, ...this.#raw]) socket.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

/** How a stream ended, as the one who reads it can see it. */
export type How = 'end' | 'reset' | 'destroyed';

/** Reads a socket to its end and tells how that came. */
export class Reader {
  bytes = 0;
  how: How | undefined;
  readonly #hash = createHash('sha256');
  readonly #kept: Buffer[] | undefined;
  /** The first that is seen of: a FIN, a reset, the socket's close. */
  readonly over: Promise<How>;

  constructor(
    readonly socket: Socket,
    { keep = true, flow = true }: { keep?: boolean; flow?: boolean } = {},
  ) {
    this.#kept = keep ? [] : undefined;
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.#hash.update(chunk);
      this.#kept?.push(chunk);
    });
    if (!flow) socket.pause();
    this.over = new Promise((resolve) => {
      const settle = (how: How): void => {
        this.how ??= how;
        resolve(this.how);
      };
      socket.on('end', () => settle(wasReset(socket) ? 'reset' : 'end'));
      socket.on('error', (error: NodeJS.ErrnoException) => {
        settle(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'reset' : 'destroyed');
      });
      socket.on('close', () => settle('destroyed'));
    });
  }

  get text(): string {
    return Buffer.concat(this.#kept ?? []).toString('latin1');
  }

  get digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Waits for so many bytes. */
  async has(bytes: number, ms = 5_000): Promise<void> {
    await until(`${bytes} bytes, there are ${this.bytes}`, () => this.bytes >= bytes, ms);
  }

  ends(ms = 5_000): Promise<How> {
    return within(ms, 'the end of a stream', this.over);
  }
}

/** Before Node 24, data and RST in one poll look like data and FIN; a reset socket has no peer any more. */
function wasReset(socket: Socket): boolean {
  if (socket.writableEnded || socket.destroyed) return false;
  const handle = (socket as unknown as { _handle?: { getpeername?(out: object): number | undefined } })._handle;
  // Under TLS over a Unix socket there is nobody to ask, and the answer is none.
  const asked = handle?.getpeername?.({});
  return typeof asked === 'number' && asked !== 0;
}

export function tlsServer(handler: (socket: Socket, index: number) => void): PeerServer {
  return new PeerServer(createTlsServer({ ...CERTIFICATE, allowHalfOpen: true } as object), handler);
}

export function plainServer(handler: (socket: Socket, index: number) => void, paused = false): PeerServer {
  return new PeerServer(createServer({ allowHalfOpen: true, pauseOnConnect: paused }), handler);
}

/** Sends everything back, the FIN too. */
export const echo = (socket: Socket): void => {
  socket.pipe(socket);
};

/** A socket for a TLS client that sends only its first flight by itself: the test sends the others. */
export function firstFlight(raw: Socket): { readonly wire: Duplex; readonly flights: Buffer[] } {
  const flights: Buffer[] = [];
  const wire = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      if (flights.push(chunk) === 1) raw.write(chunk);
      done();
    },
  });
  raw.on('data', (chunk) => wire.push(chunk));
  return { wire, flights };
}

/**
 * A port that refuses until somebody listens on it. It lies below those that the system gives to outgoing connections,
 * so that none of them takes it meanwhile.
 */
export async function refusingPort(): Promise<number> {
  for (;;) {
    const port = 10_240 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    server.listen({ host: '127.0.0.1', port });
    const isFree = await Promise.race([
      once(server, 'listening').then(() => true),
      new Promise<boolean>((resolve) => server.once('error', () => resolve(false))),
    ]).catch(() => false);
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

const BLACKHOLE = `
  const { parentPort, workerData } = require('node:worker_threads');
  const server = require('node:net').createServer((socket) => socket.on('error', () => {}));
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(workerData), 0, 0);
  });
`;

/** A port whose queue is full and never emptied: Linux drops every SYN to it, and nothing comes back. */
export async function blackhole(): Promise<{ port: number; stop(): Promise<void> }> {
  const shared = new SharedArrayBuffer(4);
  const worker = new Worker(BLACKHOLE, { eval: true, workerData: shared });
  const [port] = (await once(worker, 'message')) as [number];
  const fillers: Socket[] = [];
  for (;;) {
    const filler = connect({ host: '127.0.0.1', port });
    filler.on('error', () => {});
    fillers.push(filler);
    const came = await Promise.race([
      once(filler, 'connect').then(() => true),
      // A loop that was late hears of the timer first: the socket is asked once more.
      new Promise<boolean>((resolve) => setTimeout(() => setImmediate(() => setImmediate(resolve, false)), 150)),
    ]);
    if (!came) break;
  }
  return {
    port,
    stop: async () => {
      for (const filler of fillers) filler.destroy();
      await worker.terminate();
    },
  };
}

const EARLY = `
  const { parentPort, workerData } = require('node:worker_threads');
  const flag = new Int32Array(workerData);
  parentPort.once('message', ({ port, bytes }) => {
    const socket = require('node:net').connect({ host: '127.0.0.1', port }, () => {
      if (bytes !== undefined) socket.write(bytes);
      socket.resetAndDestroy();
    });
    socket.on('close', () => { Atomics.store(flag, 0, 1); Atomics.notify(flag, 0); });
  });
`;

/** Connects, and resets after these bytes, while this thread stands still: when a server here accepts it, it is reset already. */
export async function connectAndResetAtOnce(port: number, bytes?: string): Promise<void> {
  const shared = new SharedArrayBuffer(4);
  const worker = new Worker(EARLY, { eval: true, workerData: shared });
  await once(worker, 'online');
  worker.postMessage({ port, bytes });
  if (Atomics.wait(new Int32Array(shared), 0, 0, 5_000) === 'timed-out') throw new Error('No connection was made.');
  await worker.terminate();
}

/** Writes all of it, no faster than it is taken; stops when the socket is gone. */
export async function send(socket: Socket, chunk: Buffer, times: number): Promise<void> {
  for (let time = 0; time < times && !socket.destroyed; time++) {
    if (socket.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }
}

/** As `Where`, or as a server of the library's options is told to those who dial it themselves. */
type Dialled = { readonly [part in keyof Where]?: Where[part] | undefined };

/** Dials TLS, half open, and trusts the certificate of the tests. */
export function dialTls({ host, port, path }: Dialled): TLSSocket {
  const where = path === undefined ? { host, port: port as number } : { path };
  const options = { ...where, ca: CERTIFICATE.cert, allowHalfOpen: true };
  return tlsConnect(options as ConnectionOptions);
}
