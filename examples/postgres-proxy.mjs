// A proxy for PostgreSQL that speaks TLS with its clients, and routes them by the database that they name:
// node examples/postgres-proxy.mjs 6432 cert.pem key.pem app=5432 reports=tls:5433
// psql "host=127.0.0.1 port=6432 dbname=app sslmode=require"
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { closeOnSignals, createProxy, Servers } from 'sockchart';

const [port = 6432, cert, key, ...routes] = process.argv.slice(2);
const host = '127.0.0.1';
const secureContext = createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) });

/** What the first packet of a client may be, by its code. */
const CANCEL = 80877102;
const SSL = 80877103;
const GSS = 80877104;
const PACKET_MAX = 10_000;

const servers = new Map();
for (const route of routes) {
  const [, database, tls, port] = /^(.*)=(tls:)?(\d+)$/.exec(route);
  servers.set(database, new Servers([{ host, port: Number(port), name: `${tls ?? ''}${port}` }]));
}

const proxy = createProxy({
  listen: { host, port: Number(port) },
  async admit(client, { signal }) {
    let { socket } = client;
    let packet = await readPacket(socket, signal);
    while (codeOf(packet) === GSS || codeOf(packet) === SSL) {
      const isSsl = codeOf(packet) === SSL && socket === client.socket;
      socket.write(isSsl ? 'S' : 'N');
      if (isSsl) {
        socket = new TLSSocket(socket, { isServer: true, secureContext, allowHalfOpen: true });
        await once(socket, 'secure', { signal });
      }
      packet = await readPacket(socket, signal);
    }
    if (codeOf(packet) === CANCEL) {
      // It names no database; a server ignores the cancel of a statement that it does not run.
      for (const { list } of servers.values()) cancelAt(list[0], packet);
      return false;
    }
    client.data = parametersOf(packet);
    socket.unshift(packet);
    return socket;
  },
  route: ({ data }) => servers.get(data.database ?? data.user) ?? false,
  attemptsMax: 3,
  refusal: ({ initiator }, { data }) =>
    initiator === 'owner' // `route` has answered with false
      ? errorResponse('3D000', `database "${data.database ?? data.user}" does not exist`)
      : errorResponse('08006', 'the server cannot be reached'),
  /** Asks a server for TLS; as with sslmode=require, its certificate is not verified. */
  async prepare(socket, { server, signal }) {
    if (!server.name.startsWith('tls:')) return;
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    if (String(await read(socket, 1, signal)) !== 'S') throw new Error(`${server.name} does not speak TLS`);
    return connectTls({ socket, rejectUnauthorized: false });
  },
});

function cancelAt({ port }, packet) {
  connect(port, host, function connected() {
    this.end(packet);
  }).on('error', () => {});
}

/** Reads so many bytes, and gives back what came after them. */
async function read(socket, size, signal) {
  let bytes = Buffer.alloc(0);
  while (bytes.length < size) {
    // All that is there: while anything is left, Node says at once, and again and again, that it can be read.
    const chunk = socket.read();
    if (chunk !== null) bytes = Buffer.concat([bytes, chunk]);
    else if (socket.readableEnded) throw new Error('the peer ended in the middle of a packet');
    else await once(socket, 'readable', { signal });
  }
  if (bytes.length > size) socket.unshift(bytes.subarray(size));
  return bytes.subarray(0, size);
}

/** Reads a packet that begins with its length. */
async function readPacket(socket, signal) {
  const head = await read(socket, 4, signal);
  const size = head.readUInt32BE();
  if (size < 8 || size > PACKET_MAX) throw new Error(`a packet of ${size} bytes`);
  return Buffer.concat([head, await read(socket, size - 4, signal)]);
}

function codeOf(packet) {
  return packet.readUInt32BE(4);
}

/** The names and values of a startup packet: user, database and others. */
function parametersOf(packet) {
  const words = packet.toString('utf8', 8).split('\0');
  return Object.fromEntries(words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1]]] : [])));
}

/** The last message to a client, with an SQLSTATE. */
function errorResponse(code, message) {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

closeOnSignals(proxy, { timeoutMs: 5_000 });
await proxy.start();
console.log(`listening on ${host}:${proxy.addresses[0].port}`);
console.log((await proxy.closed).ending);
