/** A program in TypeScript that uses every entry point, and types of each. It ends by itself with what it relayed. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import {
  type Backend,
  type Cause,
  createBackend,
  createProxy,
  type Hold,
  OptionError,
  type ProxyOptions,
  SockchartError,
  type TcpProxy,
} from 'sockchart';
import { type ClusterModule, type ClusterOptions, createCluster } from 'sockchart/cluster';
import { createInspectorServer, type InspectorServer } from 'sockchart/inspect';
import { clientMachine, NEVER_MS } from 'sockchart/machines';
import { exploreMachine, type MachineGraph, ManualClock } from 'sockchart/testing';
import { createMachine } from 'xstate';

const part: ClusterModule<{ port: number }> = ({ data }) => createProxy({ listen: { port: 0 }, servers: [data] });
const clusterOf = (options: ClusterOptions) => createCluster(options);

async function main(): Promise<void> {
  const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const { port } = echo.address() as AddressInfo;

  const causes: Cause[] = [];
  const options: ProxyOptions = {
    listen: [{ host: '127.0.0.1', port: 0 }],
    servers: [{ host: '127.0.0.1', port }],
    admit: async ({ socket }, { signal }) => !signal.aborted && socket.readable,
    idleTimeout: false,
  };
  const proxy: TcpProxy = createProxy(options);
  proxy.on('failover', ({ from, to, cause }) => console.log(`${from} ${to} ${cause.manner}`));
  proxy.on('dropped', ({ leg, cause }) => causes.push(cause) && console.log(leg));
  await proxy.start();
  const [address] = proxy.addresses;
  if (address === undefined || typeof address === 'string') throw new Error('It has no port.');
  const client = connect({ host: '127.0.0.1', ...(address as { port: number }) }).setEncoding('utf8');
  client.end('relayed');
  let answer = '';
  for await (const chunk of client) answer += chunk;
  await proxy.close({ timeoutMs: 1_000 });
  const { ending } = await proxy.closed;

  const backend: Backend = createBackend({ servers: [{ host: '127.0.0.1', port }] });
  await backend.connect();
  const hold: Hold = backend.hold();
  hold.release();
  await backend.close();
  echo.close();

  const page: InspectorServer = await createInspectorServer({ port: 0 });
  await page.close();

  const graph: MachineGraph = exploreMachine(createMachine({ initial: 'only', states: { only: {} } }), {
    input: undefined,
  });
  new ManualClock().advance(1);
  let refused = false;
  try {
    clusterOf({ module: 'relative.js' });
  } catch (error) {
    refused = error instanceof OptionError && error instanceof SockchartError;
  }
  const all = [answer, ending, causes.length, graph.states, clientMachine.id, refused, typeof part, NEVER_MS > 0];
  console.log(all.join());
}

main();
