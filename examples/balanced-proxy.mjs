// A proxy behind another one: it learns its clients' addresses from PROXY headers, and tells them to its servers.
// node examples/balanced-proxy.mjs 8080 5432*3 5433            the first server gets three times as many connections
// node examples/balanced-proxy.mjs 8080 5432 5433 --affinity   a client comes to the same server each time
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { closeOnSignals, createProxy } from 'sockchart';

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
  listen: { host, port: Number(port), proxyProtocol: { from: ['127.0.0.1'] } }, // the proxies that are trusted
  servers: [...weights.keys()].map((port) => ({ host, port, proxyProtocol: 2 })),
  key: ({ peer }) => (values.affinity ? peer.address : undefined),
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

closeOnSignals(proxy, { timeoutMs: 5_000 });
await proxy.start();
console.log(`listening on ${host}:${proxy.addresses[0].port}`);
console.log((await proxy.closed).ending);
