// Routes TLS clients by the name of the server that they want (SNI), without ending TLS itself:
// node examples/sni-router.mjs 8443 one.example.com=7443 two.example.com=7444
import { closeOnSignals, createProxy, Servers } from 'sockchart';

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
  async route(client) {
    const hello = await client.clientHello();
    return servers.get(hello?.serverName) ?? false;
  },
  attemptsMax: 3,
});

closeOnSignals(proxy, { timeoutMs: 5_000 });
await proxy.start();
console.log(`listening on ${host}:${proxy.addresses[0].port}`);
console.log((await proxy.closed).ending);
