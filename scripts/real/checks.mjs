// @ts-check
/**
 * HAProxy and the library check servers that follow the same plan: what a server does at each check comes from a seed. Both
 * have to count alike after each check, and within one interval of each other.
 *
 * Nothing here is told by one of the two to the other, and a server sees no refused check: it knows when one is due, from
 * the end of the check before and HAProxy's rule. Where the rule were another one, the counters would be others.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, connect as netConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from './random.mjs';
import { freePort, until } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {'accept' | 'refuse' | 'hang' | 'reset'} Deed */
/** @typedef {{ atMs: number, health: number, isUp: boolean }} Change */

const HOST = '127.0.0.1';
const HISTORIES = 20;
const CHECKS = 14;
const RISE = 2;
const FALL = 3;
const FULL = RISE + FALL - 1;
const INTERVAL = 400;
const FAST = 200;
const DOWN = 600;
const POLL_MS = 10;

/** States in which a server is chosen. */
const UP = ['serving.up', 'serving.suspect', 'serving.recovering'];

/** HAProxy's rule: check.c, `set_server_check_status`. @param {number} health @param {Deed} deed */
function counted(health, deed) {
  if (deed === 'accept') return health + 1 >= RISE ? FULL : health + 1;
  return health <= RISE ? 0 : health - 1;
}

/** @param {number} health */
const waitAt = (health) => (health === FULL ? INTERVAL : health === 0 ? DOWN : FAST);

/** The first check is answered: from then on both are at full credit. @param {number} seed @returns {Deed[]} */
function planOf(seed) {
  const random = randomOf(seed);
  /** @type {readonly Deed[]} */
  const deeds = ['accept', 'accept', 'accept', 'refuse', 'hang', 'reset'];
  return ['accept', ...Array.from({ length: CHECKS }, () => /** @type {Deed} */ (deeds[random() % deeds.length]))];
}

/** A server that follows a plan. */
class Scripted {
  /** When its first check was over. */
  beganAt = 0;
  #health = RISE;
  #done = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #server = createServer((socket) => this.#accept(socket));

  /** @param {number} port @param {readonly Deed[]} plan */
  constructor(port, plan) {
    this.port = port;
    this.plan = plan;
  }

  async listen() {
    this.#server.listen(this.port, HOST);
    await once(this.#server, 'listening');
  }

  get isDone() {
    return this.#done >= this.plan.length;
  }

  /** @param {import('node:net').Socket} socket */
  #accept(socket) {
    const deed = this.plan[this.#done];
    socket.on('error', () => {});
    socket.on('data', () => {
      if (deed === 'accept') socket.write('+PONG\r\n');
      if (deed === 'reset') socket.resetAndDestroy();
    });
    socket.on('close', () => this.#over());
  }

  /** A check is over: the next one is due in a known time. */
  #over() {
    if (this.beganAt === 0) this.beganAt = performance.now();
    if (this.isDone) return;
    this.#health = counted(this.#health, /** @type {Deed} */ (this.plan[this.#done++]));
    this.#prepare(waitAt(this.#health));
  }

  /** @param {number} dueMs until the next check */
  #prepare(dueMs) {
    if (this.plan[this.#done] !== 'refuse') {
      if (!this.#server.listening) this.#server.listen(this.port, HOST);
      return;
    }
    if (this.#server.listening) this.#server.close();
    this.#health = counted(this.#health, 'refuse');
    this.#done++;
    const nextMs = waitAt(this.#health);
    // Half way between the check that is refused and the next one, its plan goes on; that one is due by then.
    this.#timer = setTimeout(() => this.#prepare(nextMs / 2), dueMs + nextMs / 2);
  }

  close() {
    clearTimeout(this.#timer);
    this.#server.close();
  }
}

/** What a counter does, from its first full credit on. */
class Record {
  /** @type {Change[]} */
  changes = [];

  /** @param {number} health @param {boolean} isUp */
  note(health, isUp) {
    const last = this.changes.at(-1);
    if (last === undefined && health !== FULL) return;
    if (last?.health !== health) this.changes.push({ atMs: performance.now(), health, isUp });
    // HAProxy counts first and takes the server out next; a look may come between the two.
    else last.isUp = isUp;
  }

  /** `4 up`, `0 down` … */
  get states() {
    return this.changes.map(({ health, isUp }) => `${health} ${isUp ? 'up' : 'down'}`);
  }

  /** Milliseconds from the first check, as its server saw it, to each change after that. @param {Scripted} server */
  timesAfter = ({ beganAt }) => {
    return this.changes.slice(1).map(({ atMs }) => atMs - beganAt);
  };
}

/** Asks HAProxy for all counters, again and again. @param {string} path @param {readonly Record[]} records @param {AbortSignal} signal */
async function watch(path, records, signal) {
  while (!signal.aborted) {
    const socket = netConnect(path);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.end('show servers state\n');
    await once(socket, 'close');
    for (const line of text.split('\n')) {
      const fields = line.split(' ');
      const [, index] = /^s(\d+)$/.exec(fields[3] ?? '') ?? [];
      // Version 1 of the format: srv_op_state is the 6th column (2: up), srv_check_health the 13th.
      if (index !== undefined) records[Number(index)]?.note(Number(fields[12]), fields[5] === '2');
    }
    await sleep(POLL_MS);
  }
}

/** The library checks the servers; their counters are looked at again and again, too. @param {readonly Scripted[]} servers */
async function check(servers) {
  const { Servers } = await import('../../build/index.js');
  const checks = {
    by: { send: 'PING\r\n', expect: '+PONG' },
    interval: INTERVAL,
    fastInterval: FAST,
    downInterval: DOWN,
    rise: RISE,
    fall: FALL,
    spread: 0,
  };
  const set = new Servers(
    servers.map(({ port }) => ({ port })),
    { checks },
  );
  const records = servers.map(() => new Record());
  const timer = setInterval(() => {
    for (const [index, server] of set.list.entries()) {
      records[index]?.note(/** @type {any} */ (server).health, UP.includes(server.state));
    }
  }, POLL_MS);
  return {
    records,
    close: () => {
      clearInterval(timer);
      set.close();
    },
  };
}

/** The changes of a counter that follow from a plan. @param {readonly Deed[]} plan */
function statesOf(plan) {
  let health = RISE;
  const healths = plan.map((deed) => {
    health = counted(health, deed);
    return health;
  });
  return healths
    .filter((one, index) => one !== healths[index - 1])
    .map((one) => `${one} ${one >= RISE ? 'up' : 'down'}`);
}

/** Servers that follow these plans. @param {readonly (readonly Deed[])[]} plans */
async function scripted(plans) {
  const servers = [];
  for (const plan of plans) {
    const server = new Scripted(await freePort(), plan);
    await server.listen();
    servers.push(server);
  }
  return servers;
}

/** @type {Scenario} */
export async function checks({ stage, programs }) {
  const plans = Array.from({ length: HISTORIES }, (_, index) => planOf(index + 1));
  const ofHaproxy = await scripted(plans);
  const own = await scripted(plans);
  const recordsOfHaproxy = plans.map(() => new Record());
  const watching = new AbortController();
  try {
    const front = await freePort();
    const socket = stage.path('haproxy.sock');
    const file = stage.path('haproxy-checks.cfg');
    const list = ofHaproxy.map(({ port }, index) => {
      return `  server s${index} ${HOST}:${port} check inter ${INTERVAL} fastinter ${FAST} downinter ${DOWN} rise ${RISE} fall ${FALL}`;
    });
    writeFileSync(
      file,
      `global
  log stderr local0 emerg
  stats socket ${socket} level admin
defaults
  mode tcp
  timeout connect 10s
  timeout client 10s
  timeout server 10s
frontend front
  bind ${HOST}:${front}
  tcp-request connection reject
backend servers
  option tcp-check
  tcp-check send PING\\r\\n
  tcp-check expect string +PONG
${list.join('\n')}
`,
    );
    await stage.serve('haproxy', front, programs('haproxy'), ['-db', '-f', file]);
    const watched = watch(socket, recordsOfHaproxy, watching.signal);
    const { records, close } = await check(own);
    await until('all plans to be over', 60_000, () => [...ofHaproxy, ...own].every(({ isDone }) => isDone));
    await sleep(DOWN);
    watching.abort();
    await watched;
    close();
    let worst = 0;
    let changes = 0;
    for (const [index, plan] of plans.entries()) {
      const expected = statesOf(plan);
      const times = [ofHaproxy, own].map((servers, which) => {
        const { states, timesAfter } = /** @type {Record} */ ((which === 0 ? recordsOfHaproxy : records)[index]);
        const who = which === 0 ? 'HAProxy' : 'the library';
        assert.deepEqual(states.slice(0, expected.length), expected, `${who}, seed ${index + 1}: ${plan.join(' ')}`);
        return timesAfter(/** @type {Scripted} */ (servers[index])).slice(0, expected.length - 1);
      });
      const [theirs = [], ours = []] = times;
      for (const [at, ms] of ours.entries()) worst = Math.max(worst, Math.abs(ms - /** @type {number} */ (theirs[at])));
      changes += ours.length;
    }
    assert.ok(worst <= INTERVAL, `a change came ${worst.toFixed(0)} ms apart`);
    return `${HISTORIES} histories of ${CHECKS + 1} checks: the same ${changes} changes of counters and states, at most ${worst.toFixed(0)} ms apart`;
  } finally {
    watching.abort();
    for (const server of [...ofHaproxy, ...own]) server.close();
  }
}
