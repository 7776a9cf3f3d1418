/** Processes that the benchmarks start, and the promise that each of them ends, however the run does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Each with the signal that ends it. @type {Map<import('node:child_process').ChildProcess, NodeJS.Signals>} */
const running = new Map();

function killAll() {
  for (const [child, signal] of running) child.kill(signal);
}

process.once('exit', killAll);
for (const [signal, code] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])) {
  process.once(signal, () => process.exit(code));
}

/** Where Debian has what others call by name. @type {Record<string, string>} */
const PACKAGES = { taskset: 'util-linux', setpriv: 'util-linux' };

/** @param {NodeJS.ErrnoException} error */
function cannotStart({ code, path = '', message }) {
  const how = PACKAGES[path];
  console.error(
    code === 'ENOENT' && how !== undefined
      ? `The benchmarks need ${path}, which is not installed: on Debian, apt-get install ${how}.`
      : `The benchmarks could not start ${path}: ${message}`,
  );
  process.exit(1);
}

/**
 * Starts a program on one core, or a list of them. `taskset` becomes the program, so that the child's pid is the program's.
 *
 * @param {string | undefined} core
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').StdioOptions} stdio
 * @param {NodeJS.Signals} [signal] what ends it, and its children with it
 */
export function start(core, command, args, stdio, signal = 'SIGKILL') {
  const child =
    core === undefined ? spawn(command, args, { stdio }) : spawn('taskset', ['-c', core, command, ...args], { stdio });
  running.set(child, signal);
  child.once('error', cannotStart);
  child.once('exit', () => running.delete(child));
  return child;
}

/**
 * Ends a child, at once, and waits until it has gone: the next one measured has the machine to itself.
 *
 * @param {import('node:child_process').ChildProcess} child
 */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(running.get(child));
  await exited;
}

/**
 * The lines of JSON that a child prints, one for each call; undefined once it has ended.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @returns {() => Promise<any>}
 */
export function jsonLines(child) {
  if (child.stdout === null) throw new Error('its output is not piped');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    return done ? undefined : JSON.parse(value);
  };
}

/**
 * The next message that a child sends over IPC.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<any>}
 */
export function message(child) {
  return new Promise((resolve, reject) => {
    /** @param {number | null} code @param {string | null} signal */
    const onExit = (code, signal) => {
      child.removeListener('message', onMessage);
      reject(new Error(`${child.spawnargs.join(' ')} ended with ${signal ?? code}`));
    };
    /** @param {unknown} value */
    const onMessage = (value) => {
      child.removeListener('exit', onExit);
      resolve(value);
    };
    child.once('exit', onExit);
    child.once('message', onMessage);
  });
}
