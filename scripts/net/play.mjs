// @ts-check
/** Plays one part in a namespace: a server that sends everything back, a client, or something of the library's. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createBackend, createProxy } from 'sockchart';
import { now } from './actor.mjs';

/** @typedef {Record<string, (details: any) => unknown>} Commands */

const [part, options] = [process.argv[2], JSON.parse(process.argv[3] ?? '{}')];

/**
 * @param {string} event
 * @param {object} [details]
 */
function tell(event, details = {}) {
  process.send?.({ event, at: now(), ...details });
}

/** @param {import('sockchart').Cause} cause */
const why = ({ initiator, manner, phase, code }) => [initiator, manner, phase, code ?? '-'].join('/');

/** @param {import('sockchart').Outcome} outcome */
const how = ({ ending, cause }) => `${ending} ${why(cause)}`;

/**
 * Tells, once, how a socket of a peer's came to its end.
 *
 * @param {import('node:net').Socket} socket
 * @param {object} details
 */
function tellEnd(socket, details) {
  let end = 'destroyed';
  socket.on('end', () => {
    end = 'end';
  });
  socket.on('error', (error) => {
    end = /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message;
  });
  socket.on('close', () => tell('left', { ...details, end }));
}

/** @returns {Promise<Commands>} */
async function server() {
  const { host, port = 0 } = options;
  const listening = createServer({ allowHalfOpen: true }, (socket) => {
    tell('accepted');
    tellEnd(socket, {});
    socket.pipe(socket);
  });
  listening.listen({ host, port });
  await once(listening, 'listening');
  return { port: () => /** @type {import('node:net').AddressInfo} */ (listening.address()).port };
}

/** @returns {Commands} */
function client() {
  /** @type {Map<string, import('node:net').Socket>} */
  const sockets = new Map();
  const socketOf = (/** @type {string} */ name) => /** @type {import('node:net').Socket} */ (sockets.get(name));
  /** @param {{ host: string, port: number }} where */
  const open = async ({ host, port }) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return socket;
  };
  return {
    async dial({ name, host, port }) {
      const socket = await open({ host, port });
      sockets.set(name, socket);
      tellEnd(socket, { name });
      socket.resume();
    },
    /** There and back again, in milliseconds. */
    async ping({ name }) {
      const socket = socketOf(name);
      const from = now();
      const answered = once(socket, 'data');
      socket.write('ping');
      await answered;
      return now() - from;
    },
    write({ name, bytes }) {
      socketOf(name).write(Buffer.alloc(bytes));
    },
    /** Sends random bytes to a server that sends them back, and compares what went with what came. */
    async exchange({ name, host, port, bytes }) {
      const socket = name === undefined ? await open({ host, port }) : socketOf(name);
      const from = now();
      const [went, came] = [createHash('sha256'), createHash('sha256')];
      let received = 0;
      /** @type {string | undefined} */
      let end;
      socket.on('error', (error) => {
        end ??= /** @type {NodeJS.ErrnoException} */ (error).code;
      });
      socket.on('end', () => {
        end ??= 'end';
      });
      socket.on('data', (chunk) => {
        const tenth = (/** @type {number} */ count) => Math.floor((10 * count) / bytes);
        const before = tenth(received);
        received += chunk.length;
        came.update(chunk);
        if (tenth(received) > before) tell('received', { tenths: tenth(received) });
      });
      const closed = once(socket, 'close');
      for (let left = bytes; left > 0 && !socket.destroyed; ) {
        const chunk = randomBytes(Math.min(left, 65_536));
        left -= chunk.length;
        went.update(chunk);
        if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => {}), closed]);
      }
      socket.end();
      await closed;
      const equal = went.digest('hex') === came.digest('hex');
      return { end, received, equal, tookMs: now() - from };
    },
  };
}

/** @returns {Promise<Commands>} */
async function proxy() {
  const tested = createProxy(options);
  tested.on('established', (session) => tell('established', { server: session.backend.server }));
  tested.on('retry', ({ attempt, cause }) => tell('retry', { attempt, why: why(cause) }));
  tested.on('failover', ({ from, to, cause }) => tell('failover', { from: `${from}`, to: `${to}`, why: why(cause) }));
  tested.on('dropped', ({ leg, cause }) => tell('dropped', { leg, why: why(cause) }));
  tested.on('sessionClosed', ({ outcome }) => tell('session', { how: how(outcome) }));
  tested.on('closed', (outcome) => tell('closed', { how: how(outcome) }));
  const [listener] = tested.listeners;
  listener?.on('listening', (address) => tell('listening', address));
  listener?.on('retry', ({ cause }) => tell('binding', { why: why(cause) }));
  listener?.on('warning', ({ cause }) => tell('warning', { why: why(cause) }));
  await tested.start();
  const [address] = tested.addresses;
  return {
    port: () => (address !== undefined && 'port' in address ? address.port : 0),
    state: () => ({ proxy: tested.state, listener: listener?.state, sessions: tested.sessions.length }),
    suspend: () => tested.suspend(),
    resume: () => tested.resume(),
    close: (details) => timed(tested.close(details)),
    abort: () => timed(tested.abort()),
  };
}

/** @returns {Commands} */
function backend() {
  const tested = createBackend(options);
  tested.on('established', ({ server: at, socket }) => {
    tell('established', { server: `${at}` });
    // Reads, for else an end is not seen.
    socket.resume();
  });
  tested.on('retry', ({ attempt, delayMs, cause }) => tell('retry', { attempt, delayMs, why: why(cause) }));
  tested.on('failover', ({ from, to, cause }) => tell('failover', { from: `${from}`, to: `${to}`, why: why(cause) }));
  tested.on('dropped', ({ cause }) => tell('dropped', { why: why(cause) }));
  tested.on('exhausted', ({ cause }) => tell('exhausted', { why: why(cause) }));
  tested.on('closed', (outcome) => tell('closed', { how: how(outcome) }));
  const socketOf = () => /** @type {import('node:net').Socket} */ (tested.connection?.socket);
  return {
    state: () => tested.state,
    // Not awaited: what becomes of it is told.
    connect() {
      void tested.connect();
      return now();
    },
    async ping() {
      const socket = socketOf();
      const answered = once(socket, 'data');
      socket.write('ping');
      await answered;
    },
    write({ bytes }) {
      socketOf().write(Buffer.alloc(bytes));
    },
    close: (details) => timed(tested.close(details)),
    abort: () => timed(tested.abort()),
  };
}

/** @param {Promise<import('sockchart').Outcome>} ending */
async function timed(ending) {
  const from = now();
  const outcome = await ending;
  return { how: how(outcome), tookMs: now() - from };
}

const PARTS = { server, client, proxy, backend };

const commands = await PARTS[/** @type {keyof typeof PARTS} */ (part)]();
process.on('message', async (/** @type {any} */ { id, command, details }) => {
  try {
    const obey = commands[command];
    if (obey === undefined) throw new Error(`a ${part} cannot ${command}`);
    process.send?.({ id, answer: await obey(details) });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
// Whoever directs is gone.
process.on('disconnect', () => process.exit());
tell('ready');
