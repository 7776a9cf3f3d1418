// @ts-check
/** A stage: a temporary folder, and the processes that play there. All of it is gone when the stage is closed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** @typedef {{ code: number | null, signal: NodeJS.Signals | null }} Exit */
/** @typedef {{ uid: number, gid: number }} User */

const POLL_MS = 20;
const STOP_MS = 5_000;
const RUN_MS = 120_000;

/** Only what a program cannot do without: no settings, proxies or start files of whoever runs the tests. */
const ENVIRONMENT = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' };

/** A process that somebody started and has to stop. */
export class Running {
  /** @type {Exit | undefined} */
  exit;
  /** @type {Buffer[]} */
  #stdout = [];
  /** @type {Buffer[]} */
  #stderr = [];

  /**
   * @param {string} title
   * @param {import('node:child_process').ChildProcess} child
   * @param {NodeJS.Signals} stopSignal
   */
  constructor(title, child, stopSignal) {
    this.title = title;
    this.child = child;
    this.stopSignal = stopSignal;
    child.stdout?.on('data', (chunk) => this.#stdout.push(chunk));
    child.stderr?.on('data', (chunk) => this.#stderr.push(chunk));
    // A program that ends before it has read its input is judged by its exit.
    child.stdin?.on('error', () => {});
    /** Resolves once it has ended and its output is read. @type {Promise<Exit>} */
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => this.#stderr.push(Buffer.from(`${error.message}\n`)));
      child.on('exit', (code, signal) => {
        this.exit = { code, signal };
      });
      child.on('close', (code, signal) => {
        this.exit ??= { code, signal };
        resolve(this.exit);
      });
    });
  }

  get stdout() {
    return Buffer.concat(this.#stdout);
  }

  get stderr() {
    return Buffer.concat(this.#stderr).toString();
  }

  get output() {
    return this.stdout.toString() + this.stderr;
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal) {
    if (this.exit === undefined) this.child.kill(signal);
  }

  /**
   * Each process leads a group, to which the processes belong that it starts.
   *
   * @param {NodeJS.Signals} signal
   */
  killGroup(signal) {
    if (this.exit !== undefined || this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It has just ended.
    }
  }

  /** Asks it to end, and makes it end. */
  async stop() {
    this.kill(this.stopSignal);
    const force = setTimeout(() => this.killGroup('SIGKILL'), STOP_MS);
    await this.exited;
    clearTimeout(force);
  }
}

/**
 * @typedef {object} SpawnOptions
 * @property {User | undefined} [user] who runs it, if the tests run as root and it may not
 * @property {Buffer | string} [input] what it reads
 * @property {NodeJS.Signals} [stopSignal] what ends it in good order; default SIGTERM
 * @property {boolean} [ipc] whether it is a program of Node's that is told what to do by messages
 */

export class Stage {
  /** @type {Set<Running>} */
  #running = new Set();
  /** Servers and proxies, whose output is shown if something fails. @type {Running[]} */
  servers = [];
  #closed = false;

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'sockchart-real-'));
    // A server that gives up root has to get in.
    chmodSync(this.dir, 0o755);
  }

  /** @param {string} name */
  path(name) {
    return join(this.dir, name);
  }

  /**
   * @param {string} title
   * @param {string} file
   * @param {readonly string[]} args
   * @param {SpawnOptions} [options]
   */
  spawn(title, file, args, { user, input, stopSignal = 'SIGTERM', ipc = false } = {}) {
    if (this.#closed) throw new Error('the stage is closed');
    const child = spawn(file, args, {
      cwd: this.dir,
      env: { ...ENVIRONMENT, HOME: this.dir },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(ipc ? [/** @type {const} */ ('ipc')] : [])],
      // A group of its own: an interrupt from the keyboard is for us, and we end the others in order.
      detached: true,
      ...user,
    });
    const running = new Running(title, child, stopSignal);
    this.#running.add(running);
    void running.exited.then(() => this.#running.delete(running));
    if (input !== undefined) child.stdin?.end(input);
    return running;
  }

  /**
   * Runs a program to its end.
   *
   * @param {string} file
   * @param {readonly string[]} args
   * @param {SpawnOptions & { timeoutMs?: number }} [options]
   */
  async run(file, args, options = {}) {
    const title = `${file.slice(file.lastIndexOf('/') + 1)} ${args.join(' ')}`;
    const running = this.spawn(title, file, args, options);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      running.killGroup('SIGKILL');
    }, options.timeoutMs ?? RUN_MS);
    const { code } = await running.exited;
    clearTimeout(timer);
    const { stdout, stderr } = running;
    return { code, stdout, stderr, title: late ? `${title} (killed: it took too long)` : title };
  }

  /**
   * As {@link run}, for a program that has to succeed.
   *
   * @param {string} file
   * @param {readonly string[]} args
   * @param {SpawnOptions & { timeoutMs?: number }} [options]
   */
  async must(file, args, options) {
    const result = await this.run(file, args, options);
    if (result.code !== 0) {
      throw new Error(`${result.title}: exit code ${result.code}\n${result.stdout.subarray(-2_000)}${result.stderr}`);
    }
    return result;
  }

  /**
   * Starts a server on a free port and waits until it accepts connections.
   *
   * @param {string} title
   * @param {number} port
   * @param {string} file
   * @param {readonly string[]} args
   * @param {SpawnOptions} [options]
   */
  async serve(title, port, file, args, options) {
    const server = this.spawn(title, file, args, options);
    this.servers.push(server);
    await until(`${title} to accept connections`, 15_000, () => {
      if (server.exit !== undefined) throw new Error(`${title} ended at once`);
      return accepts(port);
    });
    return server;
  }

  async close() {
    this.#closed = true;
    await Promise.all([...this.#running].map((running) => running.stop()));
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The last resort, where nothing can be awaited any more. */
  destroy() {
    for (const running of this.#running) {
      // PostgreSQL would leave shared memory behind if it were killed.
      if (running.stopSignal === 'SIGTERM') running.killGroup('SIGKILL');
      else running.kill(running.stopSignal);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/**
 * Asks again and again until the answer is true.
 *
 * @param {string} what
 * @param {number} timeoutMs
 * @param {() => boolean | Promise<boolean>} answer
 */
export async function until(what, timeoutMs, answer) {
  const deadline = Date.now() + timeoutMs;
  while (!(await answer())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1_000} s for ${what}`);
    await sleep(POLL_MS);
  }
}

/**
 * @param {number} port
 * @returns {Promise<boolean>} false if the connection was refused
 */
export function accepts(port) {
  return new Promise((resolve) => {
    const socket = netConnect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** @type {Set<number>} */
const given = new Set();

/**
 * A free port below those that the system gives to outgoing connections. From that range, one of ours could take the
 * port of a server that is stopped for a while, or a connect to it could meet itself.
 *
 * @returns {Promise<number>}
 */
export async function freePort() {
  const last = firstEphemeralPort() - 1;
  for (;;) {
    const port = last - Math.floor(Math.random() * Math.min(10_000, last - 1_024));
    if (given.has(port)) continue;
    const probe = createServer();
    probe.listen(port, '127.0.0.1');
    try {
      await once(probe, 'listening');
    } catch {
      continue;
    }
    probe.close();
    await once(probe, 'close');
    given.add(port);
    return port;
  }
}

function firstEphemeralPort() {
  try {
    const first = Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
    return first > 2_048 ? first : 32_768;
  } catch {
    return 32_768;
  }
}

/** The end of what a process wrote, in characters. */
const SHOWN = 4_000;

/**
 * Plays a scenario and tells how that went; of one that fails, also what the processes of its stage wrote.
 *
 * @param {string} name
 * @param {Stage} stage
 * @param {() => boolean} isInterrupted whatever fails after an interrupt fails because of it
 * @param {() => string | Promise<string>} scenario
 */
export async function told(name, stage, isInterrupted, scenario) {
  const begin = performance.now();
  const took = () => `${((performance.now() - begin) / 1_000).toFixed(1)} s`;
  try {
    const result = await scenario();
    console.log(`ok      ${name} (${took()}): ${result}`);
    return true;
  } catch (error) {
    if (isInterrupted()) return false;
    console.log(`FAILED  ${name} (${took()}): ${error instanceof Error ? error.message : error}`);
    for (const { title, exit, output } of stage.servers) {
      const state = exit === undefined ? 'still runs' : `ended with ${exit.signal ?? exit.code}`;
      console.log(`--- ${title}, which ${state}, wrote:\n${output.slice(-SHOWN).trimEnd()}`);
    }
    return false;
  }
}
