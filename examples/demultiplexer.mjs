// One port for TLS and HTTP. TLS goes to a server as it is; HTTP is answered here, and its upgrades go to another server:
// node examples/demultiplexer.mjs 8080 7443 7080
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { closeOnSignals, createProxy, Servers } from 'sockchart';

const [port = 8080, tlsPort, upgradePort] = process.argv.slice(2).map(Number);
const host = '127.0.0.1';

/** The first byte of a TLS client; no method of HTTP begins with it. */
const HANDSHAKE = 22;
const FIRST_BYTE_MS = 5_000;

const tls = new Servers([{ host, port: tlsPort }]);
const upgrades = new Servers([{ host, port: upgradePort }]);
const proxy = createProxy({ route: ({ data }) => data, attemptsMax: 3 });

const http = createHttpServer((request, response) => response.end(`${request.url} is answered here\n`));
http.on('upgrade', (request, socket, head) => {
  proxy.adopt(socket, { head: Buffer.concat([headOf(request), head]), data: upgrades });
});

/** The request as it came: the server has to read it, too. */
function headOf({ method, url, rawHeaders }) {
  const lines = rawHeaders.map((word, index) => (index % 2 === 0 ? `${word}: ` : `${word}\r\n`));
  return Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  const drop = () => socket.destroy();
  socket.on('error', drop).setTimeout(FIRST_BYTE_MS, drop);
  socket.once('readable', () => {
    const bytes = socket.read();
    if (bytes === null) return drop(); // it has ended without a byte
    socket.setTimeout(0).off('timeout', drop).off('error', drop).unshift(bytes);
    if (bytes[0] === HANDSHAKE) proxy.adopt(socket, { data: tls });
    else http.emit('connection', socket);
  });
});

closeOnSignals(proxy, {
  timeoutMs: 5_000,
  onSignal() {
    server.close();
    http.close(); // those that are idle; the others end with their answers
  },
});
await proxy.start();
server.listen(port, host, () => console.log(`listening on ${host}:${server.address().port}`));
console.log((await proxy.closed).ending);
