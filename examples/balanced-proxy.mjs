// A proxy behind another one: it learns its clients' addresses from PROXY headers, and tells them to its servers.
// node examples/balanced-proxy.mjs 8080 5432*3 5433            the first server gets three times as many connections
// node examples/balanced-proxy.mjs 8080 5432 5433 --affinity   a client comes to the same server each time
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { closeOnSignals, createProxy, encodeProxyHeader, ProxyHeaderParser } from 'sockchart';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { affinity: { type: 'boolean' } } });
const [port = 8080, ...addresses] = positionals;
const host = '127.0.0.1';

const weights = new Map(
  addresses.map((address) => {
    const [port, weight = 1] = address.split('*').map(Number);
    return [port, weight];
  }),
);

const proxy = createProxy({
  listen: { host, port: Number(port) }, // only proxies that you trust may reach it
  servers: [...weights.keys()].map((port) => ({ host, port })),
  acceptTimeout: 5_000, // for the header
  async admit(client, { signal }) {
    client.data = await readHeader(client.socket, signal);
  },
  prepare(socket, { client: { data } }) {
    socket.write(encodeProxyHeader({ version: 2, source: data.source, destination: data.destination }));
  },
  key: ({ data, peer }) => (values.affinity ? (data.source ?? peer).address : undefined),
  balance: {
    choose(servers, isUsable, { key }) {
      const score = key === undefined ? room : (server) => draw(key, server);
      return servers.filter(isUsable).sort((a, b) => score(b) - score(a))[0];
    },
  },
});

/** Least connections, for its weight. */
const room = ({ port, connections }) => -(connections + 1) / weights.get(port);

/** Rendezvous hashing: the same number from 0 to 1 each time, so that a server that is lost moves only its own clients. */
function draw(key, { name, port }) {
  const hash = createHash('sha256').update(`${key} ${name}`).digest().readUInt32BE();
  return (hash / 2 ** 32) ** (1 / weights.get(port));
}

async function readHeader(socket, signal) {
  const parser = new ProxyHeaderParser();
  for (;;) {
    const chunk = socket.read();
    if (chunk === null) {
      if (socket.readableEnded) throw new Error('the proxy ended before its header was complete');
      await once(socket, 'readable', { signal });
      continue;
    }
    const parsed = parser.push(chunk);
    if (parsed === 'incomplete') continue;
    if (parsed.rest.length > 0) socket.unshift(parsed.rest);
    return parsed.header;
  }
}

closeOnSignals(proxy, { timeoutMs: 5_000 });
await proxy.start();
console.log(`listening on ${host}:${proxy.addresses[0].port}`);
console.log((await proxy.closed).ending);
