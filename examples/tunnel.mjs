// A tunnel to a service that cannot be dialled from outside, for it is behind a firewall. Its agent dials both ends:
// node examples/tunnel.mjs edge 8080 7000       on a public machine: clients come to 8080, the agent to 7000
// node examples/tunnel.mjs agent 7000 5432 4    next to the service at 5432, with four connections in reserve
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { closeOnSignals, createProxy } from 'sockchart';

const [role, ...numbers] = process.argv.slice(2);
const host = '127.0.0.1';

/** The edge sends this to wake the agent, also where the client waits for the service to speak first. */
const START = '!';
const REDIAL_MS = 1_000;

function startEdge(clientPort, agentPort) {
  const reserve = new Set();
  const agents = createServer({ allowHalfOpen: true }, (socket) => {
    const drop = () => socket.destroy();
    reserve.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => reserve.delete(socket));
    socket.on('readable', drop); // the agent has ended it, for it does not speak first
    socket.take = () => {
      reserve.delete(socket);
      socket.off('readable', drop).write(START);
      return socket;
    };
  });
  const proxy = createProxy({
    listen: { host, port: clientPort },
    async route(_client, { signal }) {
      while (reserve.size === 0) await once(agents, 'connection', { signal });
      const [socket] = reserve;
      return socket.take();
    },
  });
  closeOnSignals(proxy, {
    timeoutMs: 5_000,
    onSignal() {
      agents.close();
      for (const socket of reserve) socket.destroy();
    },
  });
  agents.listen(agentPort, host, () => console.log(`agents at ${host}:${agents.address().port}`));
  return proxy;
}

function startAgent(edgePort, servicePort, size = 1) {
  const reserve = new Set();
  const proxy = createProxy({
    servers: [{ host, port: servicePort }],
    attemptsMax: 1,
    acceptTimeout: false, // a connection in reserve may wait for days
    async admit(client, { signal }) {
      while (client.socket.read(1) === null) {
        await once(client.socket, 'readable', { signal });
        if (client.socket.readableEnded) return false;
      }
      reserve.delete(client);
      fill();
    },
  });
  proxy.on('clientClosed', ({ client }) => {
    // One that is lost before it was used is replaced, but not in a hot loop.
    if (reserve.delete(client)) setTimeout(fill, REDIAL_MS);
  });
  function fill() {
    while (reserve.size < size && proxy.matches('running')) reserve.add(proxy.adopt(connect(edgePort, host)));
  }
  closeOnSignals(proxy, {
    timeoutMs: 5_000,
    onSignal() {
      for (const client of reserve) client.abort();
    },
  });
  proxy.on('running', fill);
  return proxy;
}

const proxy = (role === 'edge' ? startEdge : startAgent)(...numbers.map(Number));
await proxy.start();
console.log(role === 'edge' ? `listening on ${host}:${proxy.addresses[0].port}` : 'listening on no port');
console.log((await proxy.closed).ending);
