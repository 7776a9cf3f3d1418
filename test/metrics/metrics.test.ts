/** The metrics, held against what a run with faults did: by the real packages. */
import { readFileSync } from 'node:fs';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import prom from 'prom-client';
import { expect, test } from 'vitest';
import { createProxy, OptionError, type Server, type TcpProxy } from '../../src/index.js';
import { serverMachine } from '../../src/machines/index.js';
import { type Meter, openTelemetryMetrics, prometheusMetrics } from '../../src/metrics/index.js';
import { COUNTERS, GAUGES, HISTOGRAMS, SERVER_STATES, shownState } from '../../src/metrics/source.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { gate, until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

/** Seven clients of one proxy: what became of them is known. Two of three servers are dead. */
async function faults(watch: (proxy: TcpProxy) => void) {
  const dead = await bench.refusing();
  const server = await bench.echo();
  const { proxy, at } = await makeProxy({
    servers: [
      { host: '127.0.0.1', port: dead, name: 'dead' },
      { ...server.at, name: 'alive' },
    ],
    balance: 'inOrder',
    downFor: false,
    admit: ({ data }) => data !== 'nobody',
  });
  watch(proxy);
  let ended = 0;
  proxy.on('log', () => ended++);
  // Four talk and end. Each has tried the dead server first.
  for (let index = 0; index < 4; index++) {
    const client = await bench.dial(at);
    const reader = new Reader(client);
    client.end('x'.repeat(10));
    await reader.ends();
  }
  // Two reset while bytes may flow.
  for (let index = 0; index < 2; index++) {
    const established = gate();
    proxy.once('established', () => established.open());
    const client = await bench.dial(at);
    await established.promise;
    client.resetAndDestroy();
  }
  await until('six to have ended', () => ended === 6);
  // One is served on.
  const established = gate();
  proxy.once('established', () => established.open());
  await bench.dial(at);
  await established.promise;
  return { proxy, listener: String(proxy.listeners[0]) };
}

test('prom-client: what a run with faults did', async () => {
  const registry = new prom.Registry();
  let stop = (): void => {};
  const { proxy, listener } = await faults((made) => {
    ({ stop } = prometheusMetrics({ client: prom, proxies: [made], registry }));
  });
  const text = await registry.metrics();
  const of = (name: string): string[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`))
      .map((line) => line.replace(`proxy="${proxy.id}",`, '').replace(`proxy="${proxy.id}"`, '').slice(name.length))
      .sort();
  const at = `listener="${listener}",server="alive"`;
  expect(of('sockchart_sessions_ended_total')).toEqual([
    `{${at},ending="dropped",code="CD",error_type="peer.reset.ECONNRESET"} 2`,
    `{${at},ending="ended",code="--",error_type=""} 4`,
  ]);
  expect(of('sockchart_bytes_total')).toEqual([
    '{server="alive",from="client"} 40',
    '{server="alive",from="server"} 40',
  ]);
  expect(of('sockchart_retries_total')).toEqual(['{server="alive"} 6']);
  expect(of('sockchart_redispatches_total')).toEqual(['{server="alive"} 6']);
  expect(of('sockchart_sessions')).toEqual(['{} 1']);
  expect(of('sockchart_clients')).toEqual([`{listener="${listener}"} 1`]);
  expect(of('sockchart_server_connections')).toEqual(['{server="alive"} 1', '{server="dead"} 0']);
  expect(of('sockchart_server_failures')).toEqual(['{server="alive"} 0', '{server="dead"} 7']);
  expect(of('sockchart_session_duration_seconds_count').map((line) => line.split(' ')[1])).toEqual(['2', '4']);
  expect(of('sockchart_connect_time_seconds_count')).toEqual(['{server="alive"} 6']);
  expect(of('sockchart_queue_time_seconds_count')).toEqual(['{server="alive"} 6']);

  stop();
  expect(await registry.metrics()).toBe('\n');
  // What is stopped leaves no listener: another one may follow.
  prometheusMetrics({ client: prom, proxies: [proxy], registry }).stop();
});

test('OpenTelemetry: the same', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  bench.later(() => provider.shutdown());
  let stop = (): void => {};
  const { proxy, listener } = await faults((made) => {
    ({ stop } = openTelemetryMetrics({ meter: provider.getMeter('test'), proxies: [made] }));
  });
  const collected = async () => {
    exporter.reset();
    await reader.forceFlush();
    const metrics = exporter.getMetrics().flatMap((all) => all.scopeMetrics.flatMap(({ metrics: some }) => some));
    return new Map(
      metrics.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints.map(({ attributes: { proxy: _, ...rest }, value }) => [
          rest,
          typeof value === 'number' ? value : (value as { count: number }).count,
        ]),
      ]),
    );
  };
  const found = await collected();
  const at = { listener, server: 'alive' };
  expect(found.get('sockchart.sessions.ended')).toEqual([
    [{ ...at, ending: 'ended', code: '--', 'error.type': '' }, 4],
    [{ ...at, ending: 'dropped', code: 'CD', 'error.type': 'peer.reset.ECONNRESET' }, 2],
  ]);
  expect(found.get('sockchart.bytes')).toEqual([
    [{ server: 'alive', from: 'client' }, 40],
    [{ server: 'alive', from: 'server' }, 40],
  ]);
  expect(found.get('sockchart.retries')).toEqual([[{ server: 'alive' }, 6]]);
  expect(found.get('sockchart.connect.time')).toEqual([[{ server: 'alive' }, 6]]);
  expect(found.get('sockchart.sessions')).toEqual([[{}, 1]]);
  expect(found.get('sockchart.server.connections')).toEqual([
    [{ server: 'dead' }, 0],
    [{ server: 'alive' }, 1],
  ]);
  stop();
  await proxy.abort();
  expect((await collected()).get('sockchart.sessions.ended')).toEqual(found.get('sockchart.sessions.ended'));
});

test('the states of servers, and the queue', async () => {
  const registry = new prom.Registry();
  const server = await bench.silent();
  const { proxy, at } = await makeProxy({
    servers: [
      { ...server.at, name: 'busy', connectionsMax: 1 },
      { port: 1, name: 'away' },
    ],
  });
  bench.later(prometheusMetrics({ client: prom, proxies: [proxy], registry }).stop);
  proxy.servers.list[1]?.drain();
  await bench.dial(at);
  await server.connection();
  await bench.dial(at);
  await until('one to wait', () => proxy.servers.waiting === 1);
  const state = await registry.getSingleMetricAsString('sockchart_server_state');
  const ones = state.split('\n').filter((line) => line.endsWith(' 1'));
  expect(ones.map((line) => line.replace(/.*,server/, '{server'))).toEqual([
    '{server="busy",state="up"} 1',
    '{server="away",state="draining"} 1',
  ]);
  expect(state.split('\n').filter((line) => line.startsWith('sockchart_server_state{'))).toHaveLength(26);
  expect(await registry.getSingleMetricAsString('sockchart_queue_length')).toContain(`{proxy="${proxy.id}"} 1`);
  const [busy] = proxy.servers.list as [Server, Server];
  const byRoute = await makeProxy({ route: () => busy });
  await bench.dial(byRoute.at);
  await until('one to wait for this server alone', () => busy.waiting === 1);
  const alone = await registry.getSingleMetricAsString('sockchart_server_queue_length');
  expect(alone).toMatch(/server="busy"} 1\n.*server="away"} 0$/);
  expect(await registry.getSingleMetricAsString('sockchart_queue_length')).toContain(`{proxy="${proxy.id}"} 2`);
});

test('the changes of servers, each by the state that it led to', async () => {
  const registry = new prom.Registry();
  const [server, other] = [await bench.echo(), await bench.echo()];
  const { proxy, at } = await makeProxy({
    servers: [
      { ...server.at, name: 'a' },
      { ...other.at, name: 'b' },
    ],
    balance: 'inOrder',
    downFor: 60_000,
  });
  const { stop } = prometheusMetrics({ client: prom, proxies: [proxy], registry });
  bench.later(stop);
  const changes = async (): Promise<Record<string, number>> => {
    const text = await registry.getSingleMetricAsString('sockchart_server_changes_total');
    const rows = text.matchAll(/server="(\w+)",state="(\w+)"} (\d+)$/gm);
    return Object.fromEntries([...rows].map(([, name, state, count]) => [`${name} ${state}`, Number(count)]));
  };
  expect(await changes()).toEqual({});
  const [one] = proxy.servers.list as [Server];
  one.drain();
  one.up();
  one.drain();
  one.up();
  expect(await changes()).toEqual({ 'a draining': 2, 'a up': 2 });
  // It is ejected, and there again.
  await server.stop();
  const client = await bench.dial(at);
  const reader = new Reader(client);
  client.end('x');
  await reader.ends();
  expect(await changes()).toEqual({ 'a draining': 2, 'a up': 2, 'a ejected': 1 });
  proxy.servers.restore(one);
  expect(await changes()).toEqual({ 'a draining': 2, 'a up': 3, 'a ejected': 1 });
  proxy.servers.add({ port: 1, name: 'c' });
  expect(await changes()).toMatchObject({ 'c up': 1 });
  const counter = registry.getSingleMetric('sockchart_server_changes_total') as prom.Counter;
  const counted = async (): Promise<string> => JSON.stringify(await counter.get());
  const before = await counted();
  stop();
  one.drain();
  expect(await counted(), 'after the stop').toBe(before);
});

test('every state of a server that is not over has a name in the metrics', () => {
  const leaves: string[] = [];
  const walk = (node: typeof serverMachine.root): void => {
    const below = Object.values(node.states) as (typeof node)[];
    if (below.length === 0 && node.type !== 'final') leaves.push(node.path.join('.'));
    for (const child of below) walk(child);
  };
  walk(serverMachine.root);
  // `added` is left at once.
  const names = new Set(leaves.filter((path) => path !== 'added').map(shownState));
  expect([...names].sort()).toEqual([...SERVER_STATES].sort());
});

test('look-ups are counted by their result', async () => {
  const registry = new prom.Registry();
  const answer = gate<readonly string[]>();
  const { proxy } = await makeProxy({
    servers: [{ host: 'db.test', port: 1, addresses: { by: () => answer.promise } }],
  });
  const { stop } = prometheusMetrics({ client: prom, proxies: [proxy], registry });
  bench.later(stop);
  const [name] = proxy.servers.names;
  const changed = gate();
  name?.on('changed', () => changed.open());
  answer.open(['127.0.0.1']);
  await changed.promise;
  expect(await registry.getSingleMetricAsString('sockchart_lookups_total')).toContain(
    `{proxy="${proxy.id}",name="db.test",result="answered"} 1`,
  );
});

test('newcomers at the limit are counted', async () => {
  const registry = new prom.Registry();
  const server = await bench.silent();
  const { proxy, at } = await makeProxy({ servers: [server.at], clientsMax: 1 });
  bench.later(prometheusMetrics({ client: prom, proxies: [proxy, proxy], registry }).stop);
  await bench.dial(at);
  await server.connection();
  const refused = gate();
  proxy.on('refused', () => refused.open());
  bench.dialing(at);
  await refused.promise;
  expect(await registry.getSingleMetricAsString('sockchart_refused_total')).toContain(`{proxy="${proxy.id}"} 1`);
});

test('what is wrong is refused, and nothing stays registered', () => {
  const registry = new prom.Registry();
  const proxy = createProxy({ servers: [{ port: 1 }] });
  const meter = new MeterProvider().getMeter('test');
  const wrong: (() => unknown)[] = [
    () => prometheusMetrics({ client: prom, proxies: [], registry }),
    () => prometheusMetrics({ client: prom, proxies: [{}] as never, registry }),
    () => prometheusMetrics({ client: {} as never, proxies: [proxy], registry }),
    () => prometheusMetrics({ client: prom, proxies: [proxy], registry: {} as never }),
    () => prometheusMetrics({ client: prom, proxies: [proxy], prefix: 'my_' } as never),
    () => openTelemetryMetrics({ meter: {} as Meter, proxies: [proxy] }),
    () => openTelemetryMetrics({ meter, proxies: [] }),
  ];
  for (const call of wrong) expect(call).toThrow(OptionError);
  prometheusMetrics({ client: prom, proxies: [proxy], registry });
  const before = registry.getMetricsAsArray().length;
  // The names are taken.
  expect(() => prometheusMetrics({ client: prom, proxies: [proxy], registry })).toThrow(/already been registered/);
  expect(registry.getMetricsAsArray()).toHaveLength(before);
  const other = new prom.Registry();
  new prom.Gauge({ name: 'sockchart_queue_time_seconds', help: 'taken', registers: [other] });
  expect(() => prometheusMetrics({ client: prom, proxies: [proxy], registry: other })).toThrow();
  expect(other.getMetricsAsArray().map(({ name }) => name)).toEqual(['sockchart_queue_time_seconds']);
});

test('the docs list every metric', () => {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([^`]+)` \|.*\| (`[^|]*) \|$/gm)].map(([, name = '', labels = '']) => [
    name,
    [...labels.matchAll(/`([^`]+)`/g)].map(([, label]) => label),
  ]);
  const tables = Object.entries({ ...COUNTERS, ...HISTOGRAMS, ...GAUGES });
  expect(rows).toEqual(tables.map(([name, { labels }]) => [name, [...labels]]));
});
