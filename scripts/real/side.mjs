// @ts-check
/** A server killed, hung, refusing, or resetting: what clients of HAProxy and of the library get. */
import assert from 'node:assert/strict';
import { duel, startLineServer } from '../side/duel.mjs';
import { freePort } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {import('../test-real.mjs').Scene} Scene */
/** @typedef {import('../side/duel.mjs').Fault} Fault */
/** @typedef {import('./stage.mjs').Running} Running */

const HOST = '127.0.0.1';
const SERVERS = 3;

/** @type {Scenario} */
export async function side({ stage, programs }) {
  /** @param {string} file @param {readonly string[]} args */
  const launch = (file, args) => stage.spawn(file, file, args);
  const around = { host: HOST, launchProxy: launch, launchClients: launch };

  const redis = (/** @type {number} */ port) =>
    stage.serve(`redis ${port}`, port, programs('redis-server'), [
      ...['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
    ]);
  const redisServers = async () => {
    const ports = await Promise.all(Array.from({ length: SERVERS }, freePort));
    const running = await Promise.all(ports.map(redis));
    const [port, first] = /** @type {[number, Running]} */ ([ports[0], running[0]]);
    return { port, first, servers: ports.map((one) => ({ host: HOST, port: one })), request: 'CONFIG GET port\r\n' };
  };
  const nodeServers = async () => {
    const ports = await Promise.all(Array.from({ length: SERVERS }, freePort));
    const [tell] = await Promise.all(
      ports.map((port) => startLineServer((...how) => stage.spawn(`server ${port}`, ...how), HOST, port)),
    );
    assert.ok(tell);
    return { tell, servers: ports.map((port) => ({ host: HOST, port })), request: 'NAME\r\n' };
  };

  const killed = await redisServers();
  const hung = await redisServers();
  const refusing = await nodeServers();
  const resetting = await nodeServers();
  let dying = killed.first;
  /** @type {Fault[]} */
  const faults = [
    {
      ...around,
      ...killed,
      name: 'killed (Redis)',
      byCheck: false,
      async fail() {
        dying.kill('SIGKILL');
        await dying.exited;
        stage.servers.splice(stage.servers.indexOf(dying), 1);
      },
      async heal() {
        dying = await redis(killed.port);
      },
    },
    {
      ...around,
      ...hung,
      name: 'hung (Redis, SIGSTOP)',
      byCheck: true,
      fail: async () => hung.first.kill('SIGSTOP'),
      heal: async () => hung.first.kill('SIGCONT'),
    },
    {
      ...around,
      ...refusing,
      name: 'refuses',
      byCheck: false,
      fail: () => refusing.tell('refuse'),
      heal: () => refusing.tell('accept'),
    },
    {
      ...around,
      ...resetting,
      name: 'accepts and resets',
      byCheck: false,
      fail: () => resetting.tell('reset'),
      heal: () => resetting.tell('accept'),
    },
  ];
  try {
    return await duel(stage, programs('haproxy'), faults);
  } finally {
    hung.first.kill('SIGCONT');
  }
}
