// @ts-check
/** Processes that do what they are asked over IPC; when one dies, whoever waits for it hears how. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** @typedef {{ code: number | null, signal: NodeJS.Signals | null }} Exit */

/** The end of what it wrote on stderr, in characters. */
const KEPT = 4_000;

/** @type {Set<Child>} */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill();
});

export class Child {
  /** @type {Exit | undefined} */
  exit;
  stderr = '';
  /** @type {Map<number, { resolve: (answer: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #calls = 0;

  /**
   * @param {string} program beside this file
   * @param {readonly string[]} [args]
   * @param {(told: any) => void} [onTold] what it says unasked
   */
  constructor(program, args = [], onTold = () => {}) {
    this.program = program;
    this.process = fork(fileURLToPath(new URL(program, import.meta.url)), args, {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    running.add(this);
    this.process.stderr?.on('data', (/** @type {Buffer} */ chunk) => {
      this.stderr = (this.stderr + chunk).slice(-KEPT);
    });
    this.process.on('message', (/** @type {any} */ { id, answer, error, told }) => {
      if (id === undefined) return onTold(told);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
    });
    /** @type {Promise<Exit>} */
    this.exited = once(this.process, 'close').then(([code, signal]) => {
      running.delete(this);
      this.exit = { code, signal };
      for (const { reject } of this.#waiting.values()) reject(this.#death());
      return this.exit;
    });
  }

  /** @param {string} command @param {unknown} [argument] @returns {Promise<any>} */
  call(command, argument) {
    return new Promise((resolve, reject) => {
      if (this.exit !== undefined) return reject(this.#death());
      const id = ++this.#calls;
      this.#waiting.set(id, { resolve, reject });
      // Whoever has just died is heard of by its end.
      this.process.send({ id, command, argument }, () => {});
    });
  }

  kill() {
    this.process.kill('SIGKILL');
  }

  #death() {
    return new Error(`${this.program} ended with ${this.exit?.signal ?? this.exit?.code}\n${this.stderr}`);
  }
}

/** The other side: what to do when asked. @param {Record<string, (argument: any) => unknown>} commands */
export function serve(commands) {
  process.on('disconnect', () => process.exit());
  process.on('message', async (/** @type {any} */ { id, command, argument }) => {
    try {
      process.send?.({ id, answer: await commands[command]?.(argument) });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.stack : String(error) });
    }
  });
}

/** Says something unasked. @param {unknown} told */
export function tell(told) {
  process.send?.({ told });
}
