// A proxy behind another one: it learns its clients' addresses from PROXY headers, and tells them to its servers.
// node examples/balanced-proxy.mjs 8080 5432*3 5433            the first server gets three times as many connections
// node examples/balanced-proxy.mjs 8080 5432 5433 --affinity   a client comes to the same server each time
import { parseArgs } from 'node:util';
import { closeOnSignals, createProxy } from 'sockchart';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { affinity: { type: 'boolean' } } });
const [port = 8080, ...addresses] = positionals;
const host = '127.0.0.1';

const servers = addresses.map((address) => {
  const [port, weight = 1] = address.split('*').map(Number);
  return { host, port, weight, proxyProtocol: 2 };
});

const proxy = createProxy({
  listen: { host, port: Number(port), proxyProtocol: { from: ['127.0.0.1'] } }, // the proxies that are trusted
  servers,
  balance: values.affinity ? 'hash' : 'leastConnections', // by the client's address, which the header tells
});

closeOnSignals(proxy, { timeoutMs: 5_000 });
await proxy.start();
console.log(`listening on ${host}:${proxy.addresses[0].port}`);
console.log((await proxy.closed).ending);
