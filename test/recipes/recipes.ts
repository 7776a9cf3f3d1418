/** The recipes, and how a client gets through each of them to a server. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls';
import { encodeProxyHeader } from '../../src/index.js';
import type { Bench } from '../support/bench.js';
import { CERTIFICATE, type PeerServer, plainServer } from '../support/peers.js';
import { deadline, within } from '../support/wait.js';

const running = new Set<Program>();

/** Cuts the programs that still run, also those of a recipe that did not start. */
export async function killPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.kill()));
}

/** A recipe that runs. */
export class Program {
  readonly #child: ChildProcessWithoutNullStreams;
  /** What it has printed. */
  readonly lines: string[] = [];
  readonly exited: Promise<{ code: number | null; errors: string }>;
  #errors = '';
  #ports: number[] = [];

  constructor(name: string, args: readonly (string | number)[]) {
    const child = spawn(process.execPath, [`examples/${name}`, ...args.map(String)]);
    this.#child = child;
    child.stderr.on('data', (chunk) => {
      this.#errors += chunk;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(line);
      child.emit('line');
    });
    running.add(this);
    this.exited = once(child, 'close').then(([code]) => {
      running.delete(this);
      return { code, errors: this.#errors };
    });
  }

  /** The port in the line that begins so. */
  async port(words = 'listening on'): Promise<number> {
    const port = Number(/(\d+)\D*$/.exec(await this.#line(words))?.[1]);
    this.#ports.push(port);
    return port;
  }

  async #line(words: string): Promise<string> {
    for (;;) {
      const line = this.lines.find((line) => line.startsWith(words));
      if (line !== undefined) return line;
      if (this.#child.exitCode !== null) throw new Error(`No line “${words} …”, but: ${this.#errors}`);
      await within(10_000, `a line “${words} …”`, Promise.race([once(this.#child, 'line'), this.exited]));
    }
  }

  /** Waits until none of its ports accepts connections. */
  async refuses(): Promise<void> {
    const isOver = deadline(5_000);
    for (const port of this.#ports) {
      for (;;) {
        if (isOver()) throw new Error(`Port ${port} still accepts connections.`);
        const socket = connect(port, '127.0.0.1');
        const refused = new Promise<boolean>((resolve) =>
          socket.on('connect', () => resolve(false)).on('error', () => resolve(true)),
        );
        const isRefused = await within(5_000, 'a connect to be answered', refused);
        // One that was still accepted must not be waited for.
        socket.resetAndDestroy();
        if (isRefused) break;
      }
    }
  }

  /** All that it reads. */
  write(input: string): void {
    this.#child.stdin.end(input);
  }

  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Cuts what is left. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}

/** One recipe, or several that work together. */
export interface Recipe {
  /** Starts the programs for a server at this port, and resolves to them with the port that clients come to. */
  start(server: number): Promise<{ programs: Program[]; port: number }>;
  /** Connects to a server through them, where a client says where it goes. The socket is half open. */
  dial?(bench: Bench, port: number, server: number): Promise<Socket>;
  /** The first byte of a client, for a recipe that reads more before it connects a server. */
  readonly opening?: string;
  /** What a client gets whose server refuses; without it, a reset. */
  readonly refusal?: RegExp;
  /** Makes a server that speaks the protocol of the recipe; without it, one that speaks none. */
  makeServer?(handler: (socket: Socket) => void): PeerServer;
  /** It tries again for a while where a server is down. */
  readonly retries?: boolean;
  /** What its streams cannot do. */
  readonly lacks?: 'halfClose';
}

function single(name: string, args: (server: number) => (string | number)[], words?: string): Recipe['start'] {
  return async (server) => {
    const program = new Program(name, args(server));
    return { programs: [program], port: await program.port(words) };
  };
}

/** Sends a request, and waits for its answer. */
async function ask(socket: Socket, request: string | Buffer, answer: string | Buffer): Promise<void> {
  socket.write(request);
  await receive(socket, Buffer.from(answer));
}

/** Reads these bytes, and gives back what came after them. */
async function receive(socket: Socket, wanted: Buffer): Promise<Socket> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < wanted.length && !socket.readableEnded) {
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) bytes = Buffer.concat([bytes, chunk]);
    else await within(5_000, 'an answer', Promise.race([once(socket, 'readable'), once(socket, 'end')]));
  }
  if (bytes.length > wanted.length) socket.unshift(bytes.subarray(wanted.length));
  const came = bytes.subarray(0, wanted.length);
  if (!came.equals(wanted)) throw new Error(`There came ${JSON.stringify(came.toString('latin1'))}`);
  return socket;
}

/** A server whose connections begin with what `open` reads; it drops one that begins otherwise, or is lost before. */
function serverAfter(open: (socket: Socket) => Promise<Socket>): NonNullable<Recipe['makeServer']> {
  return (handler) => plainServer((socket) => void open(socket).then(handler, () => socket.destroy()));
}

/** Over TLS, where a reset is that of the socket below. */
function over(raw: Socket, tls: TLSSocket): TLSSocket {
  tls.on('error', () => {});
  return Object.assign(tls, { resetAndDestroy: () => raw.resetAndDestroy() });
}

const [CERT, KEY] = ['test/fixtures/cert.pem', 'test/fixtures/key.pem'];
const SERVER_TLS = { ...CERTIFICATE, isServer: true, allowHalfOpen: true };

/** The first packets of a client of PostgreSQL. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const PARAMETERS = 'user\0me\0database\0app\0\0';
const STARTUP = Buffer.from([0, 0, 0, 8 + PARAMETERS.length, 0, 3, 0, 0, ...Buffer.from(PARAMETERS)]);

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';

async function dialConnect(bench: Bench, port: number, server: number): Promise<Socket> {
  const socket = await bench.dial({ port });
  await ask(socket, `CONNECT 127.0.0.1:${server} HTTP/1.1\r\nHost: 127.0.0.1:${server}\r\n\r\n`, ESTABLISHED);
  return socket;
}

const makeTlsServer: Recipe['makeServer'] = (handler) =>
  plainServer((raw) => handler(over(raw, new TLSSocket(raw, SERVER_TLS))));

async function dialTls(bench: Bench, port: number): Promise<Socket> {
  const socket = await bench.dial({ port });
  const options = { socket, servername: 'localhost', ca: CERTIFICATE.cert, allowHalfOpen: true };
  const tls = bench.own(connectTls(options as ConnectionOptions));
  await within(5_000, 'a TLS handshake', once(tls, 'secureConnect'));
  return over(socket, tls);
}

/** How a reset shows in a handshake. */
const CUT_HANDSHAKE = /ECONNRESET|disconnected before secure TLS connection/;

const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n';

/** What a PROXY header tells. */
const TOLD = { source: { address: '192.0.2.1', port: 1_024 }, destination: { address: '192.0.2.2', port: 80 } };

export const RECIPES: Record<string, Recipe> = {
  'tcp-proxy.mjs': { start: single('tcp-proxy.mjs', (server) => [0, server], 'listening'), retries: true },
  'connect-proxy.mjs': {
    start: single('connect-proxy.mjs', () => [0]),
    dial: dialConnect,
    opening: 'C',
    refusal: /502 Bad Gateway/,
  },
  'connect-proxy.mjs through another one': {
    async start() {
      const upstream = new Program('connect-proxy.mjs', [0]);
      const program = new Program('connect-proxy.mjs', [0, await upstream.port()]);
      return { programs: [program, upstream], port: await program.port() };
    },
    dial: dialConnect,
    refusal: /502 Bad Gateway/,
  },
  'socks-proxy.mjs': {
    start: single('socks-proxy.mjs', () => [0]),
    opening: '\x05',
    async dial(bench, port, server) {
      const socket = await bench.dial({ port });
      await ask(socket, Buffer.from([5, 1, 0]), Buffer.from([5, 0]));
      const request = Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, server >> 8, server & 255]);
      await ask(socket, request, Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
      return socket;
    },
    refusal: /There came "\\u0005\\u0005/,
  },
  'sni-router.mjs': {
    start: single('sni-router.mjs', (server) => [0, `localhost=${server}`]),
    opening: '\x16',
    makeServer: makeTlsServer,
    dial: dialTls,
    refusal: CUT_HANDSHAKE,
  },
  'demultiplexer.mjs with TLS': {
    start: single('demultiplexer.mjs', (server) => [0, server, server]),
    makeServer: makeTlsServer,
    dial: dialTls,
    refusal: CUT_HANDSHAKE,
  },
  'demultiplexer.mjs with an upgrade': {
    start: single('demultiplexer.mjs', (server) => [0, server, server]),
    makeServer: serverAfter((socket) => receive(socket, Buffer.from(UPGRADE))),
    async dial(bench, port) {
      const socket = await bench.dial({ port });
      socket.write(UPGRADE);
      return socket;
    },
  },
  'balanced-proxy.mjs': {
    start: single('balanced-proxy.mjs', (server) => [0, server]),
    opening: 'P',
    makeServer: serverAfter((socket) => receive(socket, encodeProxyHeader({ version: 2, ...TOLD }))),
    async dial(bench, port) {
      const socket = await bench.dial({ port });
      socket.write(encodeProxyHeader({ version: 1, ...TOLD }));
      return socket;
    },
    retries: true,
  },
  'postgres-proxy.mjs': {
    start: single('postgres-proxy.mjs', (server) => [0, CERT, KEY, `app=tls:${server}`]),
    opening: '\0',
    makeServer: serverAfter(async (raw) => {
      await receive(raw, SSL_REQUEST);
      raw.write('S');
      const tls = over(raw, new TLSSocket(raw, SERVER_TLS));
      await receive(tls, STARTUP);
      return tls;
    }),
    async dial(bench, port) {
      const socket = await bench.dial({ port });
      await ask(socket, SSL_REQUEST, 'S');
      const options = { socket, ca: CERTIFICATE.cert, allowHalfOpen: true };
      const tls = bench.own(connectTls(options as ConnectionOptions));
      await within(5_000, 'a TLS handshake', once(tls, 'secureConnect'));
      tls.write(STARTUP);
      return over(socket, tls);
    },
    refusal: /08006/,
  },
  'tunnel.mjs': {
    async start(server) {
      const edge = new Program('tunnel.mjs', ['edge', 0, 0]);
      const agent = new Program('tunnel.mjs', ['agent', await edge.port('agents at'), server, 2]);
      return { programs: [edge, agent], port: await edge.port() };
    },
  },
  'websocket-bridge.mjs': {
    async start(server) {
      const program = new Program('websocket-bridge.mjs', ['serve', 0, server]);
      const dialling = new Program('websocket-bridge.mjs', ['dial', 0, `ws://127.0.0.1:${await program.port()}`]);
      return { programs: [dialling, program], port: await dialling.port() };
    },
    lacks: 'halfClose',
  },
};
