// A pool of connections, each of them a backend. This one goes to Redis: node examples/pool.mjs 6379 4 < commands.txt
// It sends each line as a command, over at most four connections at once, and prints the answers in the order of the lines.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createBackend, Servers } from 'sockchart';

export class Pool {
  /** With the timers that end them. The one that was used last comes last, and is used next: so the others grow old. */
  #idle = new Map();
  #busy = new Set();
  #waiting = [];
  #isClosed = false;
  #options;

  /** `max` is how many connections there may be; one that was idle for `idleMs` is closed. */
  constructor({ servers, max = 10, idleMs = 60_000, ...options }) {
    this.#options = { ...options, servers: new Servers(servers), persistent: false };
    this.max = max;
    this.idleMs = idleMs;
  }

  get size() {
    return this.#idle.size + this.#busy.size;
  }

  /** Resolves to a connection of your own until you call its `checkin()`, or its `discard()` if it is of no more use. */
  async checkout() {
    while (!this.#isClosed && this.#idle.size === 0 && this.#busy.size >= this.max) {
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
    if (this.#isClosed) throw new Error('the pool is closed');
    const [backend, timer] = [...this.#idle].at(-1) ?? [this.#open()];
    this.#idle.delete(backend);
    clearTimeout(timer);
    this.#busy.add(backend);
    await backend.connect();
    // While it is held, a close waits for it.
    const { socket, signal, release } = backend.hold();
    const discard = () => {
      release();
      backend.abort();
    };
    const checkin = () => {
      release();
      this.#checkin(backend);
    };
    return { socket, signal, checkin, discard };
  }

  /** Closes the connections that are idle. */
  clear() {
    for (const backend of this.#idle.keys()) backend.close();
  }

  /** Waits for those that are checked out, not longer than their `closeTimeout`. */
  async close() {
    this.#isClosed = true;
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all([...this.#busy, ...this.#idle.keys()].map((backend) => backend.close()));
  }

  #open() {
    const backend = createBackend(this.#options);
    // A server that ends an idle connection is not waited for.
    backend.on('established', ({ socket }) => socket.on('end', () => backend.close()));
    backend.closed.then(() => {
      this.#busy.delete(backend);
      clearTimeout(this.#idle.get(backend));
      this.#idle.delete(backend);
      this.#waiting.shift()?.();
    });
    return backend;
  }

  #checkin(backend) {
    if (!this.#busy.has(backend) || backend.connection === undefined) return;
    this.#busy.delete(backend);
    // Without a reader its end would not be seen.
    backend.connection.socket.resume();
    this.#idle.set(
      backend,
      setTimeout(() => backend.close(), this.idleMs),
    );
    this.#waiting.shift()?.();
  }
}

const [port = 6379, max = 4] = process.argv.slice(2).map(Number);
const pool = new Pool({ servers: [{ host: '127.0.0.1', port }], max });

async function ask(command) {
  const { socket, signal, checkin, discard } = await pool.checkout();
  try {
    socket.write(`${command}\r\n`);
    let answer = '';
    // An answer is a line, and after its length another one.
    while (!/^(?:[^$].*|\$-1|\$\d+\r\n[\s\S]*)\r\n$/.test(answer))
      answer += (await once(socket, 'data', { signal }))[0];
    checkin();
    return answer.trim().split('\r\n').at(-1);
  } catch (error) {
    discard();
    return `error: ${error.message}`;
  }
}

const lines = createInterface({ input: process.stdin });
const answers = [];
for await (const line of lines) answers.push(ask(line));
for (const answer of await Promise.all(answers)) console.log(answer);
console.log(`${pool.size} connections`);
await pool.close();
console.log('closed');
