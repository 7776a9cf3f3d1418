/** The admission hook that the README shows: what a client that only probes does to the places of the others. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';

const bench = useBench();
const { makeProxy } = makers(bench);

test('20 probes that end without a byte are refused, and keep no place from a client', async () => {
  const server = await bench.echo();
  const { at, proxy } = await makeProxy({
    servers: [server.at],
    clientsMax: 20,
    acceptTimeout: 60_000,
    admit: async (client) => (await client.peek()).length > 0,
  });
  const probes = Array.from({ length: 20 }, () => new Reader(bench.own(connect(at).end())));
  expect(new Set(await Promise.all(probes.map((probe) => probe.ends())))).toEqual(new Set(['reset']));
  const reader = new Reader(bench.own(connect(at).end('hello')));
  expect(await reader.ends()).toBe('end');
  expect(reader.text).toBe('hello');
  expect(proxy.refused).toBe(0);
});
