// A SOCKS5 server (RFC 1928) without authentication: node examples/socks-proxy.mjs 1080
import { once } from 'node:events';
import { closeOnSignals, createProxy } from 'sockchart';

const [port = 1080] = process.argv.slice(2).map(Number);

const VERSION = 5;
const ADDRESS = { ipv4: 1, name: 3, ipv6: 4 };
/** Replies to a client whose server cannot be reached, by Node's codes. */
const FAILURE = { ECONNREFUSED: 5, ENETUNREACH: 3, EHOSTUNREACH: 4, ENOTFOUND: 4 };

/** The bytes of a reply; the address that it tells is that of no use to a client that asks for CONNECT. */
const reply = (code) => Buffer.from([VERSION, code, 0, ADDRESS.ipv4, 0, 0, 0, 0, 0, 0]);

const proxy = createProxy({
  listen: { host: '127.0.0.1', port },
  acceptTimeout: 5_000, // for the whole of `admit`
  async admit(client, { signal }) {
    const { socket } = client;
    const [, methods] = await read(socket, 2, signal);
    await read(socket, methods, signal);
    socket.write(Buffer.from([VERSION, 0]));
    const [version, command, , type] = await read(socket, 4, signal);
    if (version !== VERSION || command !== 1) {
      socket.end(reply(7));
      return false;
    }
    const [length] = type === ADDRESS.name ? await read(socket, 1, signal) : [type === ADDRESS.ipv4 ? 4 : 16];
    const bytes = await read(socket, length, signal);
    const host = type === ADDRESS.name ? String(bytes) : text(bytes);
    client.data = { host, port: (await read(socket, 2, signal)).readUInt16BE() };
  },
  route: ({ data }) => data,
  attemptsMax: 1, // the client decides whether to try again
  refusal: ({ code }) => reply(FAILURE[code] ?? 1),
});
// This goes out before the first byte of the server.
proxy.on('established', ({ client }) => client.socket.write(reply(0)));

/** Reads so many bytes, and gives back what came after them. */
async function read(socket, size, signal) {
  let bytes = Buffer.alloc(0);
  while (bytes.length < size) {
    // All that is there: while anything is left, Node says at once, and again and again, that it can be read.
    const chunk = socket.read();
    if (chunk !== null) bytes = Buffer.concat([bytes, chunk]);
    else if (socket.readableEnded) throw new Error('the client ended in the middle of its request');
    else await once(socket, 'readable', { signal });
  }
  if (bytes.length > size) socket.unshift(bytes.subarray(size));
  return bytes.subarray(0, size);
}

/** An IP address as text. */
function text(bytes) {
  return bytes.length === 4 ? bytes.join('.') : bytes.toString('hex').match(/..../g).join(':');
}

closeOnSignals(proxy, { timeoutMs: 5_000 });
await proxy.start();
console.log(`listening on 127.0.0.1:${proxy.addresses[0].port}`);
console.log((await proxy.closed).ending);
