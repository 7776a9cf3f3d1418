// @ts-check
/** The order in which servers are chosen is that of HAProxy: the same steps are taken with both, connection by connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { freePort, until } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {import('../test-real.mjs').Scene} Scene */
/** @typedef {{ weight?: number, connectionsMax?: number }} ServerOptions */

const HOST = '127.0.0.1';

/**
 * A step: so many connections are opened and held; so many are opened, and each is closed before the next; so many of the
 * held ones are closed, the oldest first; or a server gets another weight.
 *
 * @typedef {{ open: number } | { pass: number } | { close: number } | { weigh: string, weight: number }} Step
 */

/** @typedef {{ balance: string, servers: ServerOptions[], steps: Step[], chosen: string }} Game */

/** Recorded from HAProxy, and held against the balancers without sockets, too. @type {Game[]} */
const GAMES = JSON.parse(readFileSync(new URL('../../test/fixtures/haproxy-balance.json', import.meta.url), 'utf8'));

/** HAProxy's word for each balancer. @type {Record<string, string>} */
const NAMES = { roundrobin: 'roundRobin', leastconn: 'leastConnections', first: 'inOrder' };

/**
 * What chooses among the servers.
 *
 * @typedef {object} Player
 * @property {number} port
 * @property {(server: string, weight: number) => Promise<void>} weigh
 * @property {() => Promise<number>} connections that it counts
 * @property {() => Promise<void>} close
 */

/** @type {Scenario} */
export async function balance(scene) {
  const shown = [];
  for (const game of GAMES) {
    const theirs = await play(game, (ports) => startHaproxy(scene, game, ports));
    const ours = await play(game, (ports) => startOurs(scene, game, ports));
    const what = `${game.balance} ${JSON.stringify(game.servers)}`;
    assert.equal(theirs, game.chosen, `${what}: HAProxy, and what was recorded`);
    assert.equal(ours, theirs, `${what}: the proxy, and HAProxy`);
    shown.push(`${game.balance} ${theirs.slice(0, 12)}`);
  }
  return `${GAMES.length} sequences are those of HAProxy: ${shown.join(', ')}`;
}

/**
 * @param {Game} game
 * @param {(ports: number[]) => Promise<Player>} start
 * @returns {Promise<string>} the names of the servers that were chosen
 */
async function play({ servers, steps }, start) {
  const named = await Promise.all(servers.map((_server, index) => nameServer(letter(index))));
  const player = await start(named.map(({ port }) => port));
  /** @type {import('node:net').Socket[]} */
  const held = [];
  let chosen = '';
  const open = async () => {
    const socket = connect({ host: HOST, port: player.port });
    held.push(socket);
    const [name] = await once(socket, 'data');
    chosen += name;
  };
  const close = async () => {
    const socket = /** @type {import('node:net').Socket} */ (held.shift());
    socket.end();
    await text(socket);
    await until('the connection to be over', 5_000, async () => (await player.connections()) === held.length);
  };
  try {
    for (const step of steps) {
      if ('open' in step) for (let count = 0; count < step.open; count++) await open();
      if ('close' in step) for (let count = 0; count < step.close; count++) await close();
      if ('weigh' in step) await player.weigh(step.weigh, step.weight);
      if (!('pass' in step)) continue;
      for (let count = 0; count < step.pass; count++) {
        await open();
        await close();
      }
    }
  } finally {
    for (const socket of held) socket.destroy();
    await player.close();
    for (const { server } of named) server.close();
  }
  return chosen;
}

/** @param {number} index */
const letter = (index) => String.fromCharCode('a'.charCodeAt(0) + index);

/**
 * A server that says its name to each client.
 *
 * @param {string} name
 */
async function nameServer(name) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.resume().write(name);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return { server, port: /** @type {import('node:net').AddressInfo} */ (server.address()).port };
}

/**
 * @param {Scene} scene
 * @param {Game} game
 * @param {number[]} ports
 * @returns {Promise<Player>}
 */
async function startHaproxy({ stage, programs }, { balance, servers }, ports) {
  const [port, ready] = [await freePort(), await freePort()];
  const admin = stage.path(`${port}.sock`);
  const lines = servers.map(({ weight = 1, connectionsMax = 0 }, index) => {
    return `  server ${letter(index)} ${HOST}:${ports[index]} weight ${weight} maxconn ${connectionsMax}`;
  });
  // Whether it is ready is asked at a port of its own: each connection at the other one is a turn.
  const config = `global
  nbthread 1
  stats socket ${admin} level admin
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend ready
  bind ${HOST}:${ready}
listen front
  bind ${HOST}:${port}
  balance ${balance}
${lines.join('\n')}
`;
  const file = stage.path(`${port}.cfg`);
  writeFileSync(file, config);
  const running = await stage.serve(`haproxy ${balance}`, ready, programs('haproxy'), ['-db', '-f', file]);
  /** @param {string} command */
  const ask = async (command) => {
    const socket = connect(admin);
    socket.write(`${command}\n`);
    return await text(socket);
  };
  return {
    port,
    weigh: async (server, weight) =>
      assert.equal((await ask(`set server front/${server} weight ${weight}`)).trim(), ''),
    connections: async () => {
      const rows = (await ask('show stat')).split('\n').map((row) => row.split(','));
      const own = rows.filter(([front, name]) => front === 'front' && name?.length === 1);
      return own.reduce((sum, row) => sum + Number(row[4]), 0);
    },
    close: () => running.stop(),
  };
}

/**
 * @param {Scene} scene
 * @param {Game} game
 * @param {number[]} ports
 * @returns {Promise<Player>}
 */
async function startOurs({ cli }, { balance, servers }, ports) {
  const { createProxy } = await import(new URL('./index.js', pathToFileURL(cli)).href);
  const proxy = createProxy({
    listen: { host: HOST, port: 0 },
    servers: servers.map((options, index) => ({ ...options, port: ports[index], name: letter(index) })),
    balance: NAMES[balance],
  });
  await proxy.start();
  const { list } = proxy.servers;
  return {
    port: proxy.addresses[0].port,
    weigh: async (name, weight) => {
      list.find((/** @type {{ name: string }} */ server) => server.name === name).weight = weight;
    },
    connections: async () =>
      list.reduce((/** @type {number} */ sum, /** @type {{ connections: number }} */ one) => sum + one.connections, 0),
    close: () => proxy.abort(),
  };
}
