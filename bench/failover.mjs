/** How long nobody answers after a backend was killed, and what fails meanwhile. */
import { once } from 'node:events';
import net from 'node:net';
import { createBackend } from 'sockchart';
import { nodeProxy } from './contenders.mjs';
import { startServer } from './load/load.mjs';
import { short, summarise, table } from './stats.mjs';

/** @typedef {import('./run.mjs').Settings} Settings */
/** @typedef {import('./load/load.mjs').Backend} Backend */

const MESSAGE = Buffer.alloc(100, 'W');

/**
 * Who answers a message on this socket.
 *
 * @param {net.Socket} socket
 * @returns {Promise<number>} the pid
 */
function ask(socket) {
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    /** @param {Buffer} chunk */
    const onData = (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= MESSAGE.length) settle(() => resolve(answer.readInt32LE(0)));
    };
    const onGone = () => settle(() => reject(new Error('gone before its answer')));
    /** @param {() => void} how */
    const settle = (how) => {
      socket.removeListener('data', onData);
      for (const event of ['end', 'error', 'close']) socket.removeListener(event, onGone);
      how();
    };
    socket.on('data', onData);
    for (const event of ['end', 'error', 'close']) socket.on(event, onGone);
    socket.write(MESSAGE);
  });
}

/** One connection, one exchange. @param {string} to @returns {Promise<number>} the pid of who answered */
async function request(to) {
  const [host = '', port] = to.split(':');
  const socket = net.connect(Number(port), host);
  // Its failure is known by then; what still comes is of no interest.
  socket.on('error', () => {});
  try {
    await once(socket, 'connect');
    return await ask(socket);
  } finally {
    socket.destroy();
  }
}

/** @param {(a: Backend, b: Backend) => Promise<Record<string, number>>} run */
async function withTwo(run) {
  const a = await startServer();
  const b = await startServer();
  try {
    return await run(a, b);
  } finally {
    await a.end();
    await b.end();
  }
}

/** @param {Backend} server */
const addressOf = ({ port }) => ({ host: '127.0.0.1', port });

const onThisNode = nodeProxy('sockchart', 'sockchart', { path: process.execPath, version: process.versions.node });

/** @param {Backend} a @param {Backend} b @param {boolean} first the first server as long as it works */
const startProxy = (a, b, first) =>
  onThisNode({ port: 0, first: 0, servers: [addressOf(a), addressOf(b)], inOrder: first });

/** New connections, one after the other, all to the server that is killed until another one answers. */
const newConnections = () =>
  withTwo(async (a, b) => {
    const proxy = await startProxy(a, b, true);
    try {
      for (let i = 0; i < 300; i++) {
        if ((await request(proxy.to)) !== a.pid) throw new Error('the first server did not answer');
      }
      let failed = 0;
      const killed = performance.now();
      process.kill(a.pid, 'SIGKILL');
      for (;;) {
        // It may live for a moment still, and then answers.
        const pid = await request(proxy.to).catch(() => void failed++);
        if (pid === b.pid) return { ms: performance.now() - killed, failed };
      }
    } finally {
      await proxy.end();
    }
  });

/** A backend that outlives its sockets, with a greeting before anybody may use it. */
const persistentBackend = () =>
  withTwo(async (a, b) => {
    const backend = createBackend({
      servers: [addressOf(a), addressOf(b)],
      balance: 'inOrder',
      prepare: (socket) => ask(socket),
    });
    try {
      const { socket } = await backend.connect();
      for (let i = 0; i < 300; i++) {
        if ((await ask(socket)) !== a.pid) throw new Error('the first server did not answer');
      }
      /** @type {Promise<net.Socket>} */
      const established = new Promise((resolve) => {
        backend.on('established', (connection) => resolve(connection.socket));
      });
      const killed = performance.now();
      process.kill(a.pid, 'SIGKILL');
      const pid = await ask(await established);
      if (pid !== b.pid) throw new Error('the second server did not answer');
      return { ms: performance.now() - killed };
    } finally {
      await backend.abort();
    }
  });

const WORKERS = 8;

/** Requests all the time, each on a connection of its own, to both servers in turn. */
const steadyRequests = () =>
  withTwo(async (a, b) => {
    const proxy = await startProxy(a, b, false);
    const half = 500;
    let answered = 0;
    let failed = 0;
    let longest = 0;
    let killed = false;
    const work = async () => {
      while (answered < 2 * half) {
        const began = performance.now();
        try {
          await request(proxy.to);
          answered++;
          if (killed) longest = Math.max(longest, performance.now() - began);
        } catch {
          failed++;
        }
        if (answered >= half && !killed) {
          killed = true;
          process.kill(a.pid, 'SIGKILL');
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: WORKERS }, work));
      return { failed, ms: longest };
    } finally {
      await proxy.end();
    }
  });

class FailoverTable {
  name = 'failover';
  title = `A backend is killed; Node ${process.versions.node}, which runs the benchmark`;
  /** @type {{ what: string, failures: boolean, runs: Record<string, number>[] }[]} */
  #rows = [];

  /** @param {string} what @param {Record<string, number>[]} runs @param {boolean} failures */
  add(what, runs, failures) {
    this.#rows.push({ what, runs, failures });
  }

  print() {
    const rows = this.#rows.map(({ what, runs, failures }) => {
      const ms = summarise(runs.map(({ ms = Number.NaN }) => ms));
      const failed = summarise(runs.map(({ failed = Number.NaN }) => failed));
      const counts = failures ? [short(failed.median), short(failed.max)] : ['', ''];
      return [what, String(runs.length), short(ms.median), short(ms.max), ...counts];
    });
    const head = ['', 'times', 'ms, median', 'ms, max', 'failed requests, median', 'max'];
    const notes = [
      `The first two: from SIGKILL to the first byte of the other server. The third: the longest request after it; ${WORKERS}`,
      'are under way at any time, and those that the killed server had accepted cannot be saved by a proxy.',
    ];
    return [`${this.name}: ${this.title}`, '', table(head, rows), '', ...notes, ''].join('\n');
  }

  toJSON() {
    return { name: this.name, title: this.title, rows: this.#rows };
  }
}

/** @param {Settings} settings */
async function failover(settings) {
  const times = settings.quick ? 2 : 6;
  const collected = new FailoverTable();
  for (const [what, run, failures] of /** @type {const} */ ([
    ['new connections', newConnections, true],
    ['persistent backend, with a greeting', persistentBackend, false],
    ['steady requests', steadyRequests, true],
  ])) {
    const runs = [];
    for (let round = 0; round < settings.rounds; round++) {
      for (let i = 0; i < times; i++) runs.push(await run());
      settings.progress(`failover, ${what}`, round);
    }
    collected.add(what, runs, failures);
  }
  return [collected];
}

/** @type {Record<string, (settings: Settings) => Promise<FailoverTable[]>>} */
export const failoverBenchmark = { failover };
