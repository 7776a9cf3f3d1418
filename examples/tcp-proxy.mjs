// A TCP proxy in front of two servers: node examples/tcp-proxy.mjs 8080 5432 5433
import { closeOnSignals, createProxy } from 'sockchart';

const [port = 8080, ...servers] = process.argv.slice(2).map(Number);

const proxy = createProxy({
  listen: [{ host: '127.0.0.1', port }],
  servers: servers.map((port) => ({ host: '127.0.0.1', port })),
  connectTimeout: 2_000,
  idleTimeout: 300_000,
});

proxy.on('failover', ({ from, to, cause }) => console.log(`failover from ${from} to ${to}: ${cause.code}`));
proxy.on('dropped', ({ leg, cause }) => console.log(`lost a ${leg}: ${cause.code ?? cause.manner}`));
proxy.on('sessionClosed', ({ session, outcome }) => console.log(`${session.id} ${outcome.ending}`, session.bytes));

// The first signal that asks the process to stop drains, a second one cuts.
closeOnSignals(proxy, { timeoutMs: 5_000 });

await proxy.start();
console.log('listening', proxy.addresses);

const { ending } = await proxy.closed;
console.log(ending);
