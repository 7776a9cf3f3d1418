/** A name with several addresses, in a cluster: each worker looks it up, and all of them follow. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { createCluster } from '../../build/cluster/index.js';
import { useBench } from '../support/bench.js';
import { nameServer } from '../support/name-server.js';
import { Reader } from '../support/peers.js';
import { until, within } from '../support/wait.js';

const bench = useBench();

type At = { readonly host: string; readonly port: number };

async function isServed(at: At): Promise<boolean> {
  const client = bench.own(connect(at));
  const reader = new Reader(client);
  client.end('hello');
  return (await reader.ends()) === 'end' && reader.text === 'hello';
}

test('each worker follows the name', { timeout: 60_000 }, async () => {
  const { port } = (await bench.echo({ host: '127.0.0.2', port: 0 })).at as At;
  await bench.echo({ host: '127.0.0.3', port });
  const dns = await nameServer(bench, { 'db.test': ['127.0.0.2', '127.0.0.3'] });
  const addresses = { nameservers: [dns.at], interval: 50, failureInterval: 50 };
  const cluster = bench.keep(
    createCluster({
      module: new URL('../fixtures/cluster-shared.mjs', import.meta.url),
      data: { servers: [{ host: 'db.test', port, addresses }] },
      workers: 2,
      execArgv: [],
      clock: bench.clock,
    }),
  );
  await within(20_000, 'the start', cluster.start());
  const at = cluster.addresses[0] as At;
  const listed = (): string[] => cluster.servers.flatMap(({ list }) => list.map(({ name }) => name)).sort();
  const all = [`db.test/127.0.0.2:${port}`, `db.test/127.0.0.3:${port}`];
  await until('both servers', () => listed().join() === all.join());
  for (let count = 0; count < 8; count++) expect(await isServed(at)).toBe(true);
  dns.zones.set('db.test', ['127.0.0.3']);
  await until('one has left in both', () => listed().join() === all[1]);
  for (let count = 0; count < 8; count++) expect(await isServed(at)).toBe(true);
});
