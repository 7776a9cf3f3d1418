/** Runs the built program as its users do: as a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const running = new Set<Program>();
const servers = new Set<Server>();
const sockets = new Set<Socket>();

/** Ends whatever a test has left; those that passed leave nothing. */
export function cleanUp(): void {
  for (const program of running) program.child.kill('SIGKILL');
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
}

export class Program {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  /** Its exit code, or the signal it died of, once nobody holds its output any more: not even a child of its own. */
  readonly ended: Promise<number | string>;
  #onOutput = new Set<() => void>();

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const own = Object.entries(process.env).filter(([name]) => !/^npm_|^(?:NO|FORCE)_COLOR$|^NODE_OPTIONS$/.test(name));
    this.child = spawn(process.execPath, [PROGRAM, ...args], {
      env: { ...Object.fromEntries(own), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this);
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
        this[name] += chunk;
        for (const look of this.#onOutput) look();
      });
    }
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this);
      for (const look of this.#onOutput) look();
      return code ?? signal;
    });
  }

  /** Waits until either stream has shown this. */
  async shows(pattern: RegExp, times = 1): Promise<RegExpMatchArray[]> {
    return new Promise((resolve, reject) => {
      const all = new RegExp(pattern, 'gm');
      const look = (): void => {
        const found = [...`${this.stdout}\n${this.stderr}`.matchAll(all)];
        if (found.length >= times) resolve(found);
        else if (running.has(this)) return;
        else reject(new Error(`It has ended without ${pattern}:\n${this.stdout}\n${this.stderr}`));
        this.#onOutput.delete(look);
      };
      this.#onOutput.add(look);
      look();
    });
  }

  /** The first port that it listens on. */
  async port(): Promise<number> {
    const [found] = await this.shows(/^listening on .*:(\d+)$/);
    return Number(found?.[1]);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }
}

export interface Backend {
  readonly port: number;
  /** `--backend` and where it is. */
  readonly flags: readonly string[];
  readonly sockets: Set<Socket>;
  close(): void;
}

/** A server that says its name and then sends back what it gets. */
export async function backend(name: string): Promise<Backend> {
  const own = new Set<Socket>();
  const server = createServer((socket) => {
    own.add(socket);
    sockets.add(socket);
    socket.on('close', () => own.delete(socket) && sockets.delete(socket));
    socket.on('error', () => {});
    socket.once('data', () => socket.write(`${name}: `)).on('data', (chunk) => socket.write(chunk));
  });
  servers.add(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    flags: ['--backend', `127.0.0.1:${port}`],
    sockets: own,
    close: () => {
      servers.delete(server);
      server.close();
    },
  };
}

/** A client that asks and reads. */
export class Client {
  readonly socket: Socket;
  /** The code of the error that it died of, or nothing after a clean end. */
  readonly closed: Promise<string | undefined>;
  #text = '';
  #onText: (() => void) | undefined;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port });
    sockets.add(this.socket);
    this.socket.on('data', (chunk) => {
      this.#text += chunk;
      this.#onText?.();
    });
    let code: string | undefined;
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code;
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        sockets.delete(this.socket);
        this.#onText?.();
        resolve(code);
      });
    });
  }

  async ask(question: string): Promise<string> {
    this.#text = '';
    this.socket.write(question);
    while (!this.#text.endsWith(question) && !this.socket.closed) {
      await new Promise<void>((resolve) => {
        this.#onText = resolve;
      });
    }
    return this.#text;
  }

  /** Ends after its last word; how it closed is the answer. */
  end(): Promise<string | undefined> {
    this.socket.end();
    return this.closed;
  }
}
