/** Builds the load generator and the backend, which are written in C so that neither is what is measured, and runs them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { end, jsonLines, start } from '../children.mjs';
import { layout } from '../machine.mjs';
import { freshAddress } from './addresses.mjs';

/**
 * What the load generator prints of a measurement.
 *
 * @typedef {object} Measured
 * @property {number} errors
 * @property {string} first_error
 * @property {number} wall_ns
 * @property {number} proxy_cpu_ns all threads of all its processes
 * @property {number} proxy_user_ns the part of it that was not spent in the kernel
 * @property {number} server_cpu_ns
 * @property {number} load_cpu_ns
 * @property {number} machine_busy_ns
 * @property {number} machine_stolen_ns
 * @property {number} [warmup_ns]
 * @property {number} [count] within the window
 * @property {number} [total] with those that began or ended outside it
 * @property {number} [p50_us]
 * @property {number} [p99_us]
 * @property {number} [bytes]
 * @property {number} [pairs]
 */

/** @typedef {{ host: string, port: number }} Address */

const source = fileURLToPath(new URL('.', import.meta.url));
const built = fileURLToPath(new URL('../../node_modules/.cache/sockchart-bench/', import.meta.url));

/** @param {'load' | 'server'} name @param {boolean} [tls] the same over TLS */
function program(name, tls = false) {
  const binary = `${built}${name}${tls ? '-tls' : ''}`;
  const newest = Math.max(...[`${name}.c`, 'common.h', 'tls.h'].map((file) => statSync(`${source}${file}`).mtimeMs));
  if ((statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return binary;
  mkdirSync(built, { recursive: true });
  const args = ['-O2', '-Wall', '-Wextra', ...(tls ? ['-DTLS'] : []), '-o', binary, `${source}${name}.c`];
  execFileSync('cc', [...args, ...(tls ? ['-lssl', '-lcrypto'] : [])], {
    stdio: ['ignore', 'inherit', tls ? 'pipe' : 'inherit'],
  });
  return binary;
}

/**
 * Compiles what is not compiled yet.
 *
 * @throws with a sentence for the user when that is not possible
 */
export function buildLoad() {
  if (process.platform !== 'linux') {
    throw new Error(
      'The benchmarks of proxies need Linux: they use epoll, taskset and /proc. `--only life` runs anywhere.',
    );
  }
  for (const [tool, how] of [
    ['cc', 'apt-get install gcc libc6-dev'],
    ['taskset', 'apt-get install util-linux'],
  ]) {
    try {
      execFileSync(/** @type {string} */ (tool), ['--version'], { stdio: 'ignore' });
    } catch {
      throw new Error(`The benchmarks of proxies need ${tool}: on Debian, ${how}. \`--only life\` runs without.`);
    }
  }
  program('load');
  program('server');
}

/** Why the benchmarks of TLS cannot run here, if so. @returns {string | undefined} */
export function tlsMissing() {
  try {
    program('load', true);
    program('server', true);
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'its load generator needs OpenSSL 3 (on Debian: apt-get install openssl libssl-dev)';
  }
}

/**
 * @typedef {object} Backend
 * @property {import('node:child_process').ChildProcess} child
 * @property {number} pid
 * @property {number} port
 * @property {() => Promise<void>} end
 */

/**
 * Starts a backend: echo, source and sink, on one port of all addresses of loopback.
 *
 * @param {number} [workers] of the proxies that it serves
 * @param {{ certFile: string, keyFile: string }} [tls] over TLS, with this certificate
 * @returns {Promise<Backend>}
 */
export async function startServer(workers = 1, tls) {
  const args = tls === undefined ? [] : [tls.certFile, tls.keyFile];
  const child = start(layout(workers).server, program('server', tls !== undefined), args, [
    'ignore',
    'pipe',
    'inherit',
  ]);
  const hello = await jsonLines(child)();
  if (hello === undefined) throw new Error('the backend of the benchmarks did not start');
  return {
    child,
    pid: /** @type {number} */ (child.pid),
    port: hello.port,
    end: () => end(child),
  };
}

/** Whether the load speaks TLS, and the workers of the proxy under it. @typedef {{ tls?: boolean, workers?: number }} How */

/** @param {string} mode @param {Record<string, string | number>} options @param {How} [how] */
function startLoad(mode, options, { tls, workers } = {}) {
  const args = Object.entries({ from: freshAddress(), ...options }).map(([key, value]) => `${key}=${value}`);
  const child = start(layout(workers).load, program('load', tls), [mode, ...args], ['pipe', 'pipe', 'inherit']);
  return { child, next: jsonLines(child) };
}

/**
 * One measurement.
 *
 * @param {'connections' | 'pingpong' | 'stream'} mode
 * @param {Record<string, string | number>} options as `load.c` explains them
 * @param {How} [how]
 * @returns {Promise<Measured>}
 */
export async function measure(mode, options, how) {
  const { next } = startLoad(mode, options, how);
  const measured = await next();
  if (measured === undefined) throw new Error(`the load generator failed: ${mode} ${JSON.stringify(options)}`);
  return measured;
}

/**
 * Opens connections that exchange one message each, and keeps them.
 *
 * @param {Record<string, string | number>} options as `load.c` explains them
 */
export async function holdIdle(options) {
  const { child, next } = startLoad('idle', options);
  /** @type {Measured | undefined} */
  const opened = await next();
  if (opened === undefined) throw new Error(`the load generator failed: idle ${JSON.stringify(options)}`);
  return {
    opened,
    /** Ends all of them, and tells whether each had lived until then. */
    async release() {
      child.stdin?.end();
      /** @type {{ errors: number, first_error: string } | undefined} */
      const released = await next();
      return released ?? { errors: 1, first_error: 'the load generator failed' };
    },
  };
}
