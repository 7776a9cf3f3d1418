// One port for TLS and HTTP. TLS goes to a server as it is; HTTP is answered here, and its upgrades go to another server:
// node examples/demultiplexer.mjs 8080 7443 7080
import { createServer } from 'node:http';
import { closeOnSignals, createProxy, Servers } from 'sockchart';

const [port = 8080, tlsPort, upgradePort] = process.argv.slice(2).map(Number);
const host = '127.0.0.1';

/** The first byte of a TLS client; no method of HTTP begins with it. */
const HANDSHAKE = 22;

const tls = new Servers([{ host, port: tlsPort }]);
const upgrades = new Servers([{ host, port: upgradePort }]);

const proxy = createProxy({
  listen: { host, port },
  attemptsMax: 3,
  async route(client) {
    if (client.data !== undefined) return client.data; // an upgrade
    const [first] = await client.peek();
    if (first === HANDSHAKE) return tls;
    if (first !== undefined) client.handOver((socket) => http.emit('connection', socket));
    return false; // of a client that was handed over it no longer matters
  },
});

const http = createServer((request, response) => response.end(`${request.url} is answered here\n`));
// It never listens itself: this starts its list of connections, for its timeouts and its close().
http.emit('listening');
http.on('upgrade', (request, socket, head) => {
  proxy.adopt(socket, { head: Buffer.concat([headOf(request), head]), data: upgrades });
});

/** The request as it came: the server has to read it, too. */
function headOf({ method, url, rawHeaders }) {
  const lines = rawHeaders.map((word, index) => (index % 2 === 0 ? `${word}: ` : `${word}\r\n`));
  return Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
}

closeOnSignals(proxy, {
  timeoutMs: 5_000,
  onSignal: () => http.close(), // those that are idle; the others end with their answers
});
await proxy.start();
const [address] = proxy.addresses;
console.log(`listening on ${host}:${address.port}`);
console.log((await proxy.closed).ending);
