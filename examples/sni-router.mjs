// Routes TLS clients by the name of the server that they want (SNI), without ending TLS itself:
// node examples/sni-router.mjs 8443 one.example.com=7443 two.example.com=7444
import { once } from 'node:events';
import { ClientHelloParser, closeOnSignals, createProxy, Servers } from 'sockchart';

const [port = 8443, ...routes] = process.argv.slice(2);
const host = '127.0.0.1';

/** Sets that all clients share, so that a server that is down is known to each of them. */
const servers = new Map();
for (const route of routes) {
  const [name, port] = route.split('=');
  servers.set(name, new Servers([{ host, port: Number(port) }]));
}

const proxy = createProxy({
  listen: { host, port: Number(port) },
  acceptTimeout: 5_000, // for the client's first message
  admit: async (client, { signal }) => {
    client.data = await readClientHello(client.socket, signal);
  },
  route: ({ data }) => servers.get(data.serverName) ?? false,
  attemptsMax: 3,
});

/** Reads the client's first message, and gives its bytes back, for the server needs them. */
async function readClientHello(socket, signal) {
  const parser = new ClientHelloParser();
  const chunks = [];
  for (;;) {
    const chunk = socket.read();
    if (chunk === null) {
      if (socket.readableEnded) throw new Error('the client ended before its first message was complete');
      await once(socket, 'readable', { signal });
      continue;
    }
    chunks.push(chunk);
    const hello = parser.push(chunk);
    if (hello === 'notTls') throw new Error('the client does not speak TLS');
    if (hello === 'incomplete') continue;
    socket.unshift(Buffer.concat(chunks));
    return hello;
  }
}

closeOnSignals(proxy, { timeoutMs: 5_000 });
await proxy.start();
console.log(`listening on ${host}:${proxy.addresses[0].port}`);
console.log((await proxy.closed).ending);
