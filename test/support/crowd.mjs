/**
 * A crowd of clients and the server that they are proxied to, in a process of their own, so that the sockets of the
 * process under test are all the library's.
 *
 * A client's first byte tells how the two behave: `i` idle; `f` the server streams and the client reads; `p` the server
 * streams and the client does not read; `s` both are silent and read nothing; `e` as idle, and ends when told.
 */
import { connect, createServer } from 'node:net';

/** @typedef {import('node:net').Socket} Socket */

const CHUNK = Buffer.alloc(16_384, 'x');

/** @type {{ socket: Socket, kind: string, side: string }[]} */
const all = [];
/** How each stream ended, as `client f reset`. @type {Record<string, number>} */
const ends = {};
let accepted = 0;
let greeted = 0;
let closed = 0;

/** Before Node 24, data and RST in one poll look like data and FIN. @param {any} socket */
const wasReset = (socket) => !socket.writableEnded && socket._handle?.getpeername?.({}) !== 0;

/** @param {Socket} socket @param {string} side @param {string} kind */
function watch(socket, side, kind) {
  const entry = { socket, side, kind };
  all.push(entry);
  let known = false;
  /** @param {string} how */
  const note = (how) => {
    if (known) return;
    known = true;
    const key = `${side} ${entry.kind} ${how}`;
    ends[key] = (ends[key] ?? 0) + 1;
  };
  socket.on('end', () => {
    note(wasReset(socket) ? 'reset' : 'end');
    socket.end();
  });
  socket.on('error', () => note('reset'));
  socket.on('close', () => {
    note('closed');
    closed++;
  });
  return entry;
}

/** Writes as much as is taken, up to a limit. @param {Socket} socket @param {number} limit */
function fill(socket, limit) {
  let written = 0;
  const more = () => {
    while (!socket.destroyed && written < limit) {
      written += CHUNK.length;
      if (!socket.write(CHUNK)) return;
    }
  };
  socket.on('drain', more);
  more();
}

/** Writes a little, again and again. @param {Socket} socket */
function trickle(socket) {
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else if (socket.writableLength === 0) socket.write(CHUNK.subarray(0, 4_096));
  }, 50);
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  accepted++;
  const entry = watch(socket, 'server', '?');
  socket.once('data', (first) => {
    entry.kind = String.fromCharCode(/** @type {number} */ (first[0]));
    greeted++;
    if (entry.kind === 's') socket.pause();
    else socket.resume();
  });
});

/** @param {() => boolean} holds */
const until = (holds) =>
  new Promise((resolve) => {
    const ask = () => (holds() ? resolve(undefined) : setTimeout(ask, 5));
    ask();
  });

/** @type {Record<string, (message: any) => Promise<unknown>>} */
const commands = {
  async serve() {
    await new Promise((resolve) =>
      server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 }, () => resolve(undefined)),
    );
    return /** @type {import('node:net').AddressInfo} */ (server.address()).port;
  },
  /** Opens a client for each letter of `kinds`, and waits until the server has heard of all. */
  async dial({ port, kinds }) {
    for (const kind of kinds) {
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      watch(socket, 'client', kind);
      socket.write(kind);
      if (kind === 'p' || kind === 's') socket.pause();
      else socket.resume();
    }
    const goal = greeted + kinds.length;
    await until(() => greeted >= goal);
  },
  /** The servers that stream begin, some of them with more than fits into any buffer. */
  async begin() {
    let unlimited = 20;
    for (const { socket, side, kind } of all) {
      if (side !== 'server') continue;
      if (kind === 'f') trickle(socket);
      if (kind === 'p') fill(socket, unlimited-- > 0 ? Number.POSITIVE_INFINITY : 262_144);
    }
  },
  async finish() {
    for (const { socket, side, kind } of all) if (side === 'client' && kind === 'e') socket.end();
  },
  /** Reads what nobody read, waits until every socket is closed, and tells how they ended. */
  async report() {
    for (const { socket } of all) socket.resume();
    await until(() => closed === all.length);
    return { ends, accepted };
  },
};

process.on('message', async (/** @type {any} */ message) => {
  const answer = await commands[message.command]?.(message);
  process.send?.({ id: message.id, answer });
});
