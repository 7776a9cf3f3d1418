// @ts-check
/**
 * HAProxy and the library, one after the other before the same three servers, under the same load, while the first server
 * fails and comes back: what clients get, and how soon the server gets no more clients, and gets them again.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { now } from '../net/actor.mjs';
import { freePort, until } from '../real/stage.mjs';

/** @typedef {import('../real/stage.mjs').Stage} Stage */
/** @typedef {import('../real/stage.mjs').Running} Running */
/** @typedef {import('./load.mjs').Served} Served */

/** Starts a program where proxies, or clients, are. @typedef {(file: string, args: readonly string[]) => Running} Launch */

/**
 * A server that fails, and what stands around it.
 *
 * @typedef {object} Fault
 * @property {string} name
 * @property {{ host: string, port: number }[]} servers the first one fails
 * @property {string} request
 * @property {string} host where proxies listen
 * @property {Launch} launchProxy
 * @property {Launch} launchClients
 * @property {boolean} byCheck whether only a check can find it, for each connect succeeds
 * @property {() => Promise<unknown>} fail
 * @property {() => Promise<unknown>} heal
 */

/**
 * A proxy under test.
 *
 * @typedef {object} Side
 * @property {string} name
 * @property {(fault: Fault, port: number, admin: string, haproxy: string) => Running} start
 * @property {(answer: string) => number} chosen how often the first server was chosen, of what the proxy answers
 */

/** @typedef {{ clients: number, failed: number, p50: number, p99: number, max: number, gone: number, back: number }} Row */

/** A quarter of the defaults, so that a run is over soon. */
const INTERVAL = 500;
const FAST = 200;
const CONNECT = 500;
const DOWN_FOR = 2_500;
const RISE = 2;
const FALL = 3;

const GAP_MS = 10;
/** Longer than HAProxy needs for all its attempts at one server. */
const PATIENCE_MS = 2_000;
const BEFORE_MS = 1_000;
/** Longer than checks need to see it, and the last clients to give up. */
const FAULT_MS = 5_000;
const AFTER_MS = 2_000;
const ROUNDS = 3;
const POLL_MS = 20;

/** A wait that is longer than HAProxy's by the shortest timer of the settings is no chance: a timer of ours made it. */
const LATE_MS = FAST;
/** Half of the clients meet no fault: what they wait for is the machine, which others may use, too. */
const LATE_P50_MS = 50;
/** When a check comes, within its interval, is chance. */
const CHECK_MS = INTERVAL + LATE_MS;
/** Clients whose connections were up at the moment of the fault: nothing can save them. */
const UNDER_WAY = 2;

const here = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));

/** @param {string} name @param {string} redispatch @param {string} observe @returns {Side} */
function haproxySide(name, redispatch, observe) {
  return {
    name,
    start({ servers, host, launchProxy }, port, admin, haproxy) {
      const lines = servers.map((at, index) => `  server s${index} ${at.host}:${at.port}`);
      const file = `${admin}.cfg`;
      writeFileSync(
        file,
        `global
  nbthread 1
  stats socket ${admin} level admin
defaults
  mode tcp
  timeout connect ${CONNECT}
  timeout client 10s
  timeout server 10s
  timeout check ${INTERVAL}
  retries 3
  option redispatch ${redispatch}
listen front
  bind ${host}:${port}
  balance roundrobin
  option tcp-check
  tcp-check send PING\\r\\n
  tcp-check expect string +PONG
  default-server check inter ${INTERVAL} fastinter ${FAST} downinter ${INTERVAL} fall ${FALL} rise ${RISE} ${observe}
${lines.join('\n')}
`,
      );
      return launchProxy(haproxy, ['-db', '-f', file]);
    },
    chosen(answer) {
      const [head = [], ...rows] = answer.split('\n').map((line) => line.split(','));
      const row = rows.find(([, server]) => server === 's0');
      return Number(row?.[head.indexOf('lbtot')]);
    },
  };
}

/** @param {string} name @param {object} options @returns {Side} */
function ownSide(name, options) {
  return {
    name,
    start({ servers, host, launchProxy }, port, admin) {
      const all = {
        admin,
        listen: { host, port },
        servers,
        connectTimeout: CONNECT,
        idleTimeout: 10_000,
        downFor: DOWN_FOR,
        checks: {
          by: { send: 'PING\r\n', expect: '+PONG' },
          interval: INTERVAL,
          fastInterval: FAST,
          timeout: INTERVAL,
          rise: RISE,
          fall: FALL,
        },
        ...options,
      };
      return launchProxy(process.execPath, [here('proxy.mjs'), JSON.stringify(all)]);
    },
    chosen: (answer) => JSON.parse(answer)[0],
  };
}

/** Each of ours stands beside the one of HAProxy's with the same number. */
const THEIRS = [
  haproxySide('HAProxy, check', '', ''),
  haproxySide(
    'HAProxy, check, observe layer4, on-error mark-down',
    '1',
    'observe layer4 error-limit 1 on-error mark-down',
  ),
];
const OURS = [
  ownSide('sockchart, checks', {}),
  ownSide("sockchart, checks, onError: 'markDown'", { ejection: { onError: 'markDown' } }),
];

/**
 * A server of ours; the function that resolves tells it what to do with connections.
 *
 * @param {(file: string, args: readonly string[], options: { ipc: true }) => Running} launch
 * @param {string} host
 * @param {number} port
 * @returns {Promise<(deed: 'accept' | 'refuse' | 'reset') => Promise<void>>}
 */
export async function startLineServer(launch, host, port) {
  const { child, exited } = launch(process.execPath, [here('server.mjs'), host, String(port)], { ipc: true });
  const ended = exited.then(({ code }) => assert.fail(`server ${host}:${port} ended with ${code}`));
  ended.catch(() => {});
  await Promise.race([once(child, 'message'), ended]);
  return async (deed) => {
    child.send(deed);
    await Promise.race([once(child, 'message'), ended]);
  };
}

/** @param {string} admin */
async function ask(admin) {
  const socket = connect(admin);
  socket.write('show stat\n');
  return await text(socket);
}

/**
 * One fault before one proxy.
 *
 * @param {Stage} stage
 * @param {Fault} fault
 * @param {Side} side
 * @param {number} round
 * @param {string} haproxy
 * @returns {Promise<Row>}
 */
async function run(stage, fault, side, round, haproxy) {
  const port = await freePort();
  const admin = stage.path(`${fault.name.replaceAll(/\W/g, '-')}-${port}`);
  const proxy = side.start(fault, port, admin, haproxy);
  stage.servers.push(proxy);
  try {
    await until(`${side.name} to begin`, 15_000, () => {
      assert.equal(proxy.exit, undefined, `${side.name} ended: ${proxy.output}`);
      return ask(admin).then(
        () => true,
        () => false,
      );
    });
    const beginAt = now() + 500;
    const failAt = beginAt + BEFORE_MS;
    const healAt = failAt + FAULT_MS;
    const endAt = healAt + AFTER_MS;
    const load = {
      host: fault.host,
      port,
      request: fault.request,
      beginAt,
      count: Math.floor((endAt - beginAt) / GAP_MS),
      gapMs: GAP_MS,
      patienceMs: PATIENCE_MS,
      seed: round,
    };
    const clients = fault.launchClients(process.execPath, [here('load.mjs'), JSON.stringify(load)]);
    const watched = watch(admin, side, endAt);
    watched.catch(() => {});
    await sleep(failAt - now());
    const failedAt = now();
    await fault.fail();
    await sleep(healAt - now());
    await fault.heal();
    const healedAt = now();
    const choices = await watched;
    const { code } = await clients.exited;
    assert.equal(code, 0, `clients: ${clients.stderr}`);
    assert.equal(proxy.exit, undefined, `${side.name} ended: ${proxy.output}`);
    return rowOf(JSON.parse(clients.stdout.toString()), choices, failedAt, healedAt);
  } finally {
    await proxy.stop();
    stage.servers.splice(stage.servers.indexOf(proxy), 1);
  }
}

/**
 * When the first server was chosen, once more than at the look before.
 *
 * @param {string} admin
 * @param {Side} side
 * @param {number} endAt
 */
async function watch(admin, side, endAt) {
  /** @type {number[]} */
  const times = [];
  let known = side.chosen(await ask(admin));
  while (now() < endAt) {
    const count = side.chosen(await ask(admin));
    if (count > known) times.push(now());
    known = count;
    await sleep(POLL_MS);
  }
  return times;
}

/**
 * @param {readonly Served[]} clients
 * @param {readonly number[]} choices
 * @param {number} failedAt
 * @param {number} healedAt
 * @returns {Row}
 */
function rowOf(clients, choices, failedAt, healedAt) {
  const counted = clients.filter(({ at }) => at >= failedAt);
  const waits = counted.filter(({ why }) => why === undefined).map(({ tookMs }) => tookMs);
  waits.sort((a, b) => a - b);
  const quantile = (/** @type {number} */ part) => /** @type {number} */ (waits[Math.floor(part * (waits.length - 1))]);
  return {
    clients: counted.length,
    failed: counted.length - waits.length,
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: quantile(1),
    gone: Math.max(0, ...choices.filter((at) => at < healedAt).map((at) => at - failedAt)),
    back: (choices.find((at) => at > healedAt) ?? Number.POSITIVE_INFINITY) - healedAt,
  };
}

/** Of each figure its own median. @param {readonly Row[]} rows @returns {Row} */
function median(rows) {
  const middle = (/** @type {keyof Row} */ key) =>
    /** @type {number} */ (rows.map((row) => row[key]).sort((a, b) => a - b)[rows.length >> 1]);
  return {
    clients: middle('clients'),
    failed: middle('failed'),
    p50: middle('p50'),
    p99: middle('p99'),
    max: middle('max'),
    gone: middle('gone'),
    back: middle('back'),
  };
}

/**
 * Holds the library against HAProxy. All faults happen at the same time, each to servers of its own; proxies take turns.
 *
 * @param {Stage} stage
 * @param {string} haproxy the program
 * @param {readonly Fault[]} faults
 * @returns {Promise<string>} the table
 */
export async function duel(stage, haproxy, faults) {
  const sides = [...THEIRS, ...OURS];
  /** @type {Row[][][]} by fault and side */
  const rows = faults.map(() => sides.map(() => []));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const which of sides.keys()) {
      const at = (which + round) % sides.length;
      const side = /** @type {Side} */ (sides[at]);
      const results = await Promise.all(faults.map((fault) => run(stage, fault, side, round, haproxy)));
      for (const [index, row] of results.entries()) rows[index]?.[at]?.push(row);
    }
  }
  const medians = rows.map((ofSides) => ofSides.map(median));
  const rowsOf = (/** @type {number} */ index) => /** @type {Row[]} */ (medians[index]);
  const lines = faults.flatMap(({ name }, index) => rowsOf(index).map((row, at) => lineOf(name, sides[at]?.name, row)));
  const worse = faults.flatMap((fault, index) => {
    const theirs = rowsOf(index).slice(0, THEIRS.length);
    const ours = rowsOf(index).slice(THEIRS.length);
    return ours.flatMap((row, at) => worseThan(fault, OURS[at]?.name, row, /** @type {Row} */ (theirs[at])));
  });
  const table = ['', HEAD, ...lines].join('\n');
  assert.deepEqual(worse, [], `worse than HAProxy: ${worse.join('; ')}${table}`);
  return table;
}

/**
 * The figures that are worse than HAProxy's beyond chance.
 *
 * @param {Fault} fault
 * @param {string | undefined} side
 * @param {Row} ours
 * @param {Row} theirs
 */
function worseThan({ name, servers, byCheck }, side, ours, theirs) {
  /** @type {Record<Exclude<keyof Row, 'clients'>, number>} */
  const chance = {
    failed: byCheck ? Math.ceil(CHECK_MS / GAP_MS / servers.length) : UNDER_WAY,
    p50: LATE_P50_MS,
    p99: LATE_MS,
    max: LATE_MS,
    gone: CHECK_MS,
    back: CHECK_MS,
  };
  return Object.entries(chance).flatMap(([key, by]) => {
    const figure = /** @type {keyof Row} */ (key);
    const [our, their] = [ours[figure], theirs[figure]];
    // Also what is no number is worse.
    return our <= their + by ? [] : [`${name}, ${side}: ${figure} ${our.toFixed(0)}, HAProxy ${their.toFixed(0)}`];
  });
}

const HEAD = `| the first of three servers | proxy | clients | failed | wait p50 | p99 | max | chosen last | chosen again |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |`;

/** @param {string} fault @param {string | undefined} side @param {Row} row */
function lineOf(fault, side, { clients, failed, p50, p99, max, gone, back }) {
  const ms = (/** @type {number} */ value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  return `| ${fault} | ${side} | ${clients} | ${failed} | ${[p50, p99, max, gone, back].map(ms).join(' | ')} |`;
}
