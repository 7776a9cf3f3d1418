/** What the user's own code throws must reach the user. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { adoptClient, createBackend, createListener, OptionError } from '../../src/index.js';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listen(): Promise<number> {
  const server = createServer((socket) => sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('prepare throws: its error is the cause of the attempt’s failure', async () => {
  const error = new Error('not welcome');
  const backend = createBackend({
    servers: [{ port: await listen() }],
    persistent: false,
    attemptsMax: 1,
    prepare: () => {
      throw error;
    },
  });
  await expect(backend.connect()).rejects.toMatchObject({
    code: 'ERR_CONNECT',
    message: expect.stringContaining('not welcome'),
    cause: { initiator: 'owner', phase: 'preparing', error },
  });
});

test('admit throws: the listener says which client was refused, and why', async () => {
  const error = new Error('not on the list');
  const listener = createListener({
    host: '127.0.0.1',
    port: 0,
    admit: () => {
      throw error;
    },
  });
  const { port } = (await listener.start()) as { port: number };
  const refused = new Promise((resolve) => listener.once('clientClosed', resolve));
  sockets.push(connect(port, '127.0.0.1').on('error', () => {}));
  expect(await refused).toMatchObject({ outcome: { ending: 'refused', cause: { phase: 'accepted', error } } });
  await listener.close();
});

test.each([
  ['throws', () => assertNever()],
  ['chooses what is no server', () => 1 as never],
])('a balancer that %s fails the connection at once', async (_what, choose) => {
  const backend = createBackend({ servers: [{ port: 1 }], persistent: false, balance: { choose } });
  await expect(backend.connect()).rejects.toMatchObject({
    code: 'ERR_CONNECT',
    cause: { initiator: 'owner', phase: 'choosing', error: expect.any(Error) },
  });
});

test('a socket is adopted once', async () => {
  const port = await listen();
  sockets.push(connect(port, '127.0.0.1').on('error', () => {}));
  await once(servers[0] as Server, 'connection');
  const [socket] = sockets.filter(({ remotePort }) => remotePort !== port) as [Socket];
  const client = adoptClient(socket);
  expect(() => adoptClient(socket)).toThrow(OptionError);
  await client.abort();
});

function assertNever(): never {
  throw new Error('no balance');
}
