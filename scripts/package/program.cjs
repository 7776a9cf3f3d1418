// @ts-check
/**
 * What a program does with the package, however it was loaded: the entry points are given. It bundles, and needs no build.
 * Resolves to what it saw; `EXPECTED` in scripts/test-package.mjs says what that should be.
 */
const { once } = require('node:events');
const net = require('node:net');

/** @param {number} port @param {string} text */
async function exchange(port, text) {
  const socket = net.connect(port, '127.0.0.1').setEncoding('utf8');
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

/**
 * @typedef {object} Entries
 * @property {typeof import('sockchart')} library
 * @property {typeof import('sockchart/cluster')} cluster
 * @property {typeof import('sockchart/inspect')} inspect
 * @property {typeof import('sockchart/machines')} machines
 * @property {typeof import('sockchart/runtime')} runtime
 * @property {typeof import('sockchart/testing')} testing
 * @property {typeof import('xstate')} xstate
 */

/** @param {Entries} entries @param {string} worker the module of a cluster's workers: an absolute path */
module.exports = async function program({ library, cluster, inspect, machines, runtime, testing, xstate }, worker) {
  const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (echo.address());

  const servers = [{ host: '127.0.0.1', port }];
  const proxy = library.createProxy({ listen: { host: '127.0.0.1', port: 0 }, servers });
  await proxy.start();
  const relayed = await exchange(/** @type {any} */ (proxy.addresses[0]).port, 'by the proxy');
  await proxy.close();
  const { ending } = await proxy.closed;

  // A dead server: an error that Node makes, and a cause that the library tells.
  const dead = net.createServer().listen(0, '127.0.0.1');
  await once(dead, 'listening');
  const backend = library.createBackend({
    servers: [{ host: '127.0.0.1', port: /** @type {net.AddressInfo} */ (dead.address()).port }],
    attemptsMax: 1,
  });
  dead.close();
  const refused = await backend.connect().catch((/** @type {any} */ error) => error);
  await backend.close();

  const server = await inspect.createInspectorServer();
  const entrance = await fetch(server.url, { redirect: 'manual' });
  const [cookie = ''] = (entrance.headers.get('set-cookie') ?? '').split(';');
  const page = await fetch(new URL('/', server.url), { headers: { cookie } });
  await page.arrayBuffer();
  await server.close();

  const states = { shut: { on: { open: 'open' } }, open: { on: { shut: 'shut' } } };
  const door = xstate.createMachine({ id: 'door', initial: 'shut', states });

  const host = { id: 'door#1', clock: runtime.systemClock, perform() {}, finish() {} };
  const doors = [runtime.compile(door), runtime.interpret(door)].map((runnable) => {
    const instance = runnable.run(undefined, host);
    instance.start();
    instance.send({ type: 'open' });
    return instance.state;
  });

  const clustered = await clusterOf(cluster, worker, port);
  echo.close();
  return {
    relayed,
    ending,
    refused: refused instanceof library.ConnectError && refused.cause.code,
    page: page.status,
    clustered,
    machine: machines.clientMachine.id,
    doors: doors.join(),
    edges: testing.exploreMachine(door, { input: undefined }).edges,
  };
};

/** @param {Entries['cluster']} library @param {string} module @param {number} port */
async function clusterOf({ createCluster }, module, port) {
  try {
    const cluster = createCluster({ module, workers: 2, data: { port } });
    await cluster.start();
    const answer = await exchange(/** @type {any} */ (cluster.addresses[0]).port, 'by a worker');
    await cluster.close();
    return answer;
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}
