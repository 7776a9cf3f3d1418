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
 * @property {number} proxy_cpu_ns
 * @property {number} server_cpu_ns
 * @property {number} load_cpu_ns
 * @property {number} machine_busy_ns
 * @property {number} machine_stolen_ns
 * @property {number} [count]
 * @property {number} [p50_us]
 * @property {number} [p99_us]
 * @property {number} [bytes]
 * @property {number} [pairs]
 */

/** @typedef {{ host: string, port: number }} Address */

const source = fileURLToPath(new URL('.', import.meta.url));
const built = fileURLToPath(new URL('../../node_modules/.cache/sockchart-bench/', import.meta.url));

/** @param {'load' | 'server'} name */
function program(name) {
  const binary = `${built}${name}`;
  const newest = Math.max(...[`${name}.c`, 'common.h'].map((file) => statSync(`${source}${file}`).mtimeMs));
  if ((statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return binary;
  mkdirSync(built, { recursive: true });
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', binary, `${source}${name}.c`], { stdio: 'inherit' });
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
 * @returns {Promise<Backend>}
 */
export async function startServer() {
  const child = start(layout().server, program('server'), [], ['ignore', 'pipe', 'inherit']);
  const hello = await jsonLines(child)();
  if (hello === undefined) throw new Error('the backend of the benchmarks did not start');
  return {
    child,
    pid: /** @type {number} */ (child.pid),
    port: hello.port,
    end: () => end(child),
  };
}

/** @param {string} mode @param {Record<string, string | number>} options */
function startLoad(mode, options) {
  const args = Object.entries({ from: freshAddress(), ...options }).map(([key, value]) => `${key}=${value}`);
  const child = start(layout().load, program('load'), [mode, ...args], ['pipe', 'pipe', 'inherit']);
  return { child, next: jsonLines(child) };
}

/**
 * One measurement.
 *
 * @param {'connections' | 'pingpong' | 'stream'} mode
 * @param {Record<string, string | number>} options as `load.c` explains them
 * @returns {Promise<Measured>}
 */
export async function measure(mode, options) {
  const { next } = startLoad(mode, options);
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
