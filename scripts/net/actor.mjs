// @ts-check
/** The other end of a program that plays a part in a namespace: it is asked to do things, and tells what happened. */

/**
 * What a part tells. Times are milliseconds of the system's monotonic clock, which all processes share.
 *
 * @typedef {{ readonly event: string, readonly at: number, readonly [detail: string]: any }} Told
 */

/** Longer than anything that is waited for: what takes this long is broken. */
const PATIENCE_MS = 60_000;

export class Actor {
  /** Everything that it has told, in order. @type {Told[]} */
  told = [];
  #asked = 0;
  /** @type {Map<number, { resolve(answer: any): void, reject(error: Error): void }>} */
  #waiting = new Map();
  /** @type {Set<() => void>} */
  #listening = new Set();

  /**
   * @param {string} title
   * @param {import('../real/stage.mjs').Running} running
   */
  constructor(title, running) {
    this.title = title;
    this.running = running;
    running.child.on('message', (/** @type {any} */ message) => this.#hear(message));
    /** Rejects when it ends, for then nothing more will come of it. @type {Promise<never>} */
    this.gone = running.exited.then(({ code, signal }) => {
      throw new Error(`${title} ended with ${signal ?? code}`);
    });
    this.gone.catch(() => {});
  }

  /** @param {any} message */
  #hear(message) {
    if ('event' in message) {
      this.told.push(message);
      for (const look of [...this.#listening]) look();
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) waiting?.reject(new Error(`${this.title}: ${message.error}`));
    else waiting?.resolve(message.answer);
  }

  /**
   * Asks it to do something, and waits until that is done.
   *
   * @param {string} command
   * @param {object} [details]
   * @returns {Promise<any>}
   */
  ask(command, details = {}) {
    const id = ++this.#asked;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.running.child.send({ id, command, details }, (error) => {
      if (error) this.#waiting.get(id)?.reject(error);
    });
    return this.#within(answer, () => `${this.title} to ${command}`);
  }

  /**
   * The first event with this name and these details, whether it was told already or is still to come.
   *
   * @param {string} name
   * @param {(told: Told) => boolean} [fits]
   * @returns {Promise<Told>}
   */
  event(name, fits = () => true) {
    const found = new Promise((resolve) => {
      const look = () => {
        const told = this.told.find((one) => one.event === name && fits(one));
        if (told === undefined) return;
        this.#listening.delete(look);
        resolve(told);
      };
      this.#listening.add(look);
      look();
    });
    return this.#within(found, () => `${this.title} to tell of "${name}"; it told: ${this.story()}`);
  }

  /**
   * @template T
   * @param {Promise<T>} promise
   * @param {() => string} what
   * @returns {Promise<T>}
   */
  async #within(promise, what) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    /** @type {Promise<never>} */
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS / 1_000} s for ${what()}`)), PATIENCE_MS);
    });
    try {
      return await Promise.race([promise, late, this.gone]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * What it told under these names, one line each, without the times.
   *
   * @param {readonly string[]} names
   */
  lines(...names) {
    return this.told.filter(({ event }) => names.includes(event)).map(line);
  }

  story() {
    return this.told.map(line).join('; ');
  }
}

/** @param {Told} told */
function line({ event, at, ...details }) {
  return [event, ...Object.values(details)].join(' ');
}

/** Milliseconds of the clock that all processes share. */
export function now() {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
