/** Which server a client comes to: by weights, and by its address. */
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { encodeProxyHeader } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { within } from '../support/wait.js';
import { killPrograms, Program } from './recipes.js';

const bench = useBench();

afterEach(killPrograms);

async function balanced(...weights: string[]) {
  const names = ['a', 'b'];
  const servers = await Promise.all(names.map((name) => bench.greeter(name, 'stay')));
  const addresses = servers.map(({ port }, index) => `${port}${weights[index] ?? ''}`);
  const program = new Program('balanced-proxy.mjs', [0, ...addresses, ...weights.slice(servers.length)]);
  const port = await program.port();
  /** The name of the server that a client of this address gets. */
  return async (address: string): Promise<string> => {
    const socket = await bench.dial({ port });
    const destination = { address: '192.0.2.255', port: 80 };
    socket.write(encodeProxyHeader({ version: 2, source: { address, port: 1_024 }, destination }));
    const [name] = await within(5_000, 'a greeting', once(socket, 'data'));
    return String(name);
  };
}

test('balanced-proxy.mjs gives a server of three times the weight three times the connections', async () => {
  const serverOf = await balanced('*3', '*1');
  const names: string[] = [];
  for (let client = 0; client < 8; client++) names.push(await serverOf('192.0.2.1'));
  expect(names.toSorted()).toEqual(['a', 'a', 'a', 'a', 'a', 'a', 'b', 'b']);
});

test('balanced-proxy.mjs --affinity leads an address to the same server each time', async () => {
  const serverOf = await balanced('', '', '--affinity');
  const addresses = Array.from({ length: 12 }, (_, index) => `192.0.2.${index + 1}`);
  const names: string[] = [];
  for (const address of addresses) names.push(await serverOf(address));
  for (const [index, address] of addresses.entries()) expect(await serverOf(address)).toBe(names[index]);
});
