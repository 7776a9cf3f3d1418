// @ts-check
/**
 * Clients and servers that mean no good. Each scenario has a proxy process of its own, says what must follow, and sees
 * that whoever behaves is served meanwhile; in the end nobody is left, everybody is counted, and nothing went unheard.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect as netConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { CERTIFICATE, TRUST } from './certificates.mjs';
import { Child } from './child.mjs';
import { Crowd } from './crowd.mjs';
import { Random } from './random.mjs';

/** @typedef {import('node:net').Socket} Socket */
/** @typedef {import('./crowd.mjs').Address} Address */
/** @typedef {import('./proxy.mjs').Usage} Usage */
/** @typedef {(scene: Scene) => Promise<string>} Scenario */

const KIB = 1_024;
const HOST = '127.0.0.1';
const WAIT_MS = 60_000;
/** For a scenario, and a millisecond more for each short connection that it is scaled by. */
const PART_MS = 120_000;

class Scene {
  proxy = new Child('proxy.mjs');
  crowd;
  random;
  size;
  /** @type {Set<Socket>} */
  #sockets = new Set();
  /** @type {import('node:net').Server[]} */
  #servers = [];

  /** @param {number} seed @param {number} size how many short connections the soak is asked for */
  constructor(seed, size) {
    this.random = new Random(seed);
    this.crowd = new Crowd(seed, 0);
    this.size = size;
  }

  /** @param {Partial<import('./proxy.mjs').Wanted>} wanted @returns {Promise<Address>} */
  async start(wanted) {
    const servers = wanted.servers ?? (await this.crowd.serve([HOST], wanted.back === true));
    const [address] = await this.proxy.call('start', { ...wanted, servers, hosts: [HOST] });
    return address;
  }

  /** @param {(socket: Socket) => void} handler @param {boolean} [isTls] @returns {Promise<Address>} */
  async serve(handler, isTls = false) {
    const server = isTls ? createTlsServer(CERTIFICATE) : createServer();
    server.on(isTls ? 'secureConnection' : 'connection', (socket) => handler(this.own(socket)));
    server.on('connection', (raw) => this.own(raw));
    server.on('tlsClientError', () => {});
    this.#servers.push(server);
    await once(server.listen({ host: HOST, port: 0 }), 'listening');
    return { host: HOST, port: /** @type {import('node:net').AddressInfo} */ (server.address()).port };
  }

  /** @template {Socket} S @param {S} socket */
  own(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** @param {Address} address */
  dial(address) {
    return this.own(netConnect({ ...address, allowHalfOpen: true }));
  }

  /** Whoever behaves is served. @param {Address} address @param {boolean} [isTls] */
  async behave(address, isTls = false) {
    assert.equal(await this.crowd.talk('source', address, isTls), 'intact', 'what somebody got who behaved');
  }

  /** @returns {Promise<any>} */
  counts() {
    return this.proxy.call('counts');
  }

  /** @param {string} what @param {(counts: any) => boolean} holds */
  async until(what, holds) {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      const counts = await this.counts();
      if (holds(counts)) return counts;
      if (performance.now() > deadline) assert.fail(`waited in vain for ${what}: ${JSON.stringify(counts)}`);
      await sleep(20);
    }
  }

  /** Nobody is left, and everybody counted. */
  async over() {
    const counts = await this.until('nobody to be left', ({ live }) => live === 0);
    assert.deepEqual(counts.errors, [], 'errors that nobody heard');
    assert.equal(counts.twice, 0, 'clients that ended twice');
    const ends = Object.values(counts.endings).reduce((sum, count) => sum + count, 0);
    assert.equal(ends + counts.refused, counts.accepted, 'every client that was accepted has ended, once');
    return counts;
  }

  close() {
    this.proxy.kill();
    this.crowd.close();
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Sends one byte after the other, for ever. @param {Socket} socket @param {Buffer} bytes @param {number} pauseMs */
function drip(socket, bytes, pauseMs) {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.writable) socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1));
  }, pauseMs);
  socket.on('close', () => clearInterval(timer));
}

/** What a TLS client says first. @returns {Promise<Buffer>} */
async function hello() {
  const server = createServer();
  await once(server.listen({ host: HOST, port: 0 }), 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const client = tlsConnect({ host: HOST, port, servername: 'localhost' });
  client.on('error', () => {});
  const [socket] = await once(server, 'connection');
  socket.on('error', () => {});
  const [bytes] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

/** @param {number} number @param {() => Socket} make */
const many = (number, make) => Array.from({ length: number }, make);

/** @type {Scenario} */
async function loris(scene) {
  const EACH = 20;
  const secure = await scene.start({ options: { acceptTimeout: 500 }, front: true });
  const head = await scene.start({ options: { acceptTimeout: 500 }, headBytes: 64 });
  const idle = await scene.start({ options: { idleTimeout: 500 } });
  // Its servers have ended by then, so its clients are let go of, until their time for that is up as well.
  const lasting = await scene.start({ options: { idleTimeout: 2_000, durationMax: 4_000, lingerMax: 2_000 } });
  const bytes = await hello();
  many(EACH, () => scene.dial(secure));
  for (const socket of many(EACH, () => scene.dial(secure))) drip(socket, bytes, 50);
  for (const socket of many(EACH, () => scene.dial(head))) drip(socket, Buffer.alloc(64, 'h'), 50);
  many(EACH, () => scene.dial(idle));
  // Whoever says something now and then is not idle: the longest life of a session ends that.
  for (const socket of many(EACH, () => scene.dial(lasting))) drip(socket, Buffer.alloc(64, 1), 100);
  await Promise.all([scene.behave(idle), scene.behave(lasting), scene.behave(secure, true)]);
  const { endings, refusals } = await scene.over();
  assert.deepEqual(refusals, { 'library/timeout/acceptTimeout': 3 * EACH }, 'why they were refused');
  assert.deepEqual(endings, { refused: 3 * EACH, aborted: 2 * EACH, ended: 3 }, 'how they ended');
  return `${3 * EACH} refused at acceptTimeout, ${EACH} cut at idleTimeout, ${EACH} at durationMax`;
}

/** @type {Scenario} */
async function flood(scene) {
  const LIMIT = 50;
  const NEWCOMERS = Math.min(2_000, Math.max(200, scene.size / 100));
  const address = await scene.start({ options: { clientsMax: LIMIT } });
  const inside = Array.from({ length: LIMIT }, () => scene.crowd.stay(address, false, 50));
  await Promise.all(inside.map(({ answered }) => answered));
  let highest = 0;
  for (let come = 0; come < NEWCOMERS; come += 100) {
    const sockets = many(100, () => scene.dial(address));
    const closed = sockets.map((socket) => once(socket, 'close').catch(() => {}));
    highest = Math.max(highest, (await scene.counts()).live);
    await Promise.all(closed);
  }
  const { refused, live } = await scene.counts();
  assert.equal(refused, Math.ceil(NEWCOMERS / 100) * 100, 'newcomers that were turned away');
  assert.equal(live, LIMIT, 'those inside');
  assert.ok(highest <= LIMIT, `${highest} at the same time`);
  for (const one of inside.slice(0, 10)) one.end();
  await Promise.all(inside.slice(0, 10).map(({ over }) => over));
  await scene.until('places to be free', (counts) => counts.live === LIMIT - 10);
  await scene.behave(address);
  for (const one of inside) one.end();
  const verdicts = await Promise.all(inside.map(({ over }) => over));
  assert.ok(
    verdicts.every((verdict) => verdict === 'intact'),
    `those inside: ${verdicts}`,
  );
  await scene.over();
  return `${LIMIT} inside all the while (${scene.crowd.messages} messages), ${refused} turned away`;
}

/**
 * A stream that nobody reads stands still: its proxy keeps no more of it than one read and what the socket takes ahead.
 *
 * @param {'client' | 'server'} reader who does not read
 * @param {boolean} isTls
 * @param {number} keptMax bytes for each
 * @returns {Scenario}
 */
const unread = (reader, isTls, keptMax) => async (scene) => {
  const READERS = scene.size < 100_000 ? 16 : 60;
  const chunk = Buffer.alloc(64 * KIB, 'u');
  const pour = (/** @type {Socket} */ socket) => {
    const more = () => {
      while (socket.writable && socket.write(chunk));
    };
    socket.on('drain', more);
    more();
  };
  const stare = (/** @type {Socket} */ socket) => void socket.pause();
  /** @type {Socket[]} */
  const answering = [];
  const server = await scene.serve((socket) => {
    answering.push(socket);
    if (reader === 'client') pour(socket);
    else stare(socket);
  }, isTls);
  const address = await scene.start({ servers: [server], front: isTls, back: isTls });
  // Before the first one all code is there.
  const warm = await connected(scene, address, isTls);
  warm.destroy();
  await scene.over();
  /** @type {Usage} */
  const before = await scene.proxy.call('settled');
  const sockets = await Promise.all(Array.from({ length: READERS }, () => connected(scene, address, isTls)));
  for (const socket of sockets) (reader === 'client' ? stare : pour)(socket);
  let relayed = -1;
  for (let same = 0; same < 5; await sleep(100)) {
    const counts = await scene.counts();
    same = counts.relayed === relayed ? same + 1 : 0;
    relayed = counts.relayed;
  }
  assert.equal((await scene.counts()).live, READERS, 'those who do not read are still there');
  /** @type {Usage} */
  const meanwhile = await scene.proxy.call('settled');
  const kept = (meanwhile.heapUsed + meanwhile.external - before.heapUsed - before.external) / READERS;
  assert.ok(relayed > READERS * keptMax, `only ${relayed} bytes went through: nothing had to be held back`);
  assert.ok(kept < keptMax, `${Math.round(kept / KIB)} KiB are kept for each`);
  // Whoever has gone while nothing is read is noticed only by what is written: both go.
  for (const socket of [...sockets, ...answering]) socket.destroy();
  await scene.over();
  /** @type {Usage} */
  const after = await scene.proxy.call('settled');
  const left = after.external - before.external;
  assert.ok(left < SPARE_BYTES, `${left} bytes are kept of those who are gone`);
  return `${READERS} streams stand still after ${Math.round(relayed / READERS / KIB)} KiB each, ${Math.round(kept / KIB)} KiB kept for each`;
};

/** The pool of spare buffers, and a MiB. */
const SPARE_BYTES = 5 * KIB * KIB;

/** @param {Scene} scene @param {Address} address @param {boolean} isTls */
async function connected(scene, address, isTls) {
  const raw = scene.dial(address);
  const socket = isTls ? scene.own(tlsConnect({ socket: raw, ...TRUST })) : raw;
  await once(socket, isTls ? 'secureConnect' : 'connect');
  return socket;
}

/** @type {Scenario} */
async function storm(scene) {
  const RESETS = Math.max(300, scene.size / 20);
  const plain = await scene.start({});
  const secure = await scene.start({ front: true, back: true });
  let begun = 0;
  const worker = async () => {
    while (begun < RESETS) {
      begun++;
      const isTls = scene.random.chance(0.1);
      const socket = scene.dial(isTls ? secure : plain);
      const closed = once(socket, 'close').catch(() => {});
      socket.once('connect', () => socket.resetAndDestroy());
      await closed;
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  // Each in the middle of what it gets, or sends.
  let cut = 0;
  const cutter = async () => {
    while (cut < RESETS / 4) {
      cut++;
      const isTls = scene.random.chance(0.1);
      await scene.crowd.talk(scene.random.pick(['clientResets', 'serverResets']), isTls ? secure : plain, isTls);
    }
  };
  await Promise.all(Array.from({ length: 64 }, cutter));
  await scene.behave(plain);
  await scene.behave(secure, true);
  const { endings } = await scene.over();
  assert.deepEqual(scene.crowd.wrong, []);
  return `${begun} resets at once, ${cut} in the middle; endings ${JSON.stringify(endings)}`;
}

/** @type {Scenario} */
async function bytes(scene) {
  const { random } = scene;
  const EACH = Math.max(50, scene.size / 1_000);
  const secure = await scene.start({ options: { acceptTimeout: 500 }, front: true });
  const first = await hello();
  const answers = [
    () => random.bytes(random.between(1, 3_000)),
    // A record of TLS, as far as the first five bytes go.
    () =>
      Buffer.concat([
        Buffer.of(random.between(20, 24), 3, random.below(5), random.below(256), random.below(256)),
        random.bytes(random.between(0, 600)),
      ]),
    // A hello with some bytes that are others, or that ends before its end, or goes on after it.
    () => {
      const other = Buffer.from(first);
      for (let times = random.between(1, 8); times > 0; times--) other[random.below(other.length)] = random.below(256);
      return other;
    },
    () => first.subarray(0, random.below(first.length)),
    // Whoever is asked for is chosen by name: any bytes in its place.
    () => {
      const other = Buffer.from(first);
      random.bytes(9).copy(other, other.indexOf('localhost'));
      return other;
    },
    () => Buffer.concat([first, random.bytes(random.between(1, 2_000))]),
  ];
  const throwAt = async (/** @type {Address} */ address) => {
    const socket = scene.dial(address);
    const closed = once(socket, 'close').catch(() => {});
    socket.resume();
    socket.write(random.pick(answers)());
    if (random.chance(0.5)) socket.end();
    socket.on('end', () => socket.end());
    await closed;
  };
  let begun = 0;
  const worker = async (/** @type {Address} */ address, /** @type {number} */ most) => {
    while (begun < most) {
      begun++;
      await throwAt(address);
    }
  };
  await Promise.all(Array.from({ length: 32 }, () => worker(secure, EACH * answers.length)));
  await scene.behave(secure, true);
  const { endings } = await scene.over();
  assert.equal(endings.refused, EACH * answers.length, 'those who said anything but a hello were refused');
  assert.equal(endings.ended, 1);

  // The same from a server that is expected to speak TLS.
  const server = await scene.serve((socket) => {
    socket.once('data', () => {
      socket.write(random.pick(answers)());
      if (random.chance(0.7)) socket.end();
    });
  });
  const address = await scene.start({
    servers: [server],
    back: true,
    options: { connectTimeout: 300, attemptsMax: 1, downFor: 1 },
  });
  for (let time = 0; time < EACH; time += 32) {
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        const socket = scene.dial(address);
        socket.resume();
        await once(socket, 'close').catch(() => {});
      }),
    );
  }
  const all = await scene.over();
  return `${EACH * answers.length} as clients, ${all.accepted - EACH * answers.length - 1} times as a server; endings ${JSON.stringify(all.endings)}`;
}

/** @type {Record<string, Scenario>} */
const SCENARIOS = {
  'slow loris': loris,
  'flood beyond clientsMax': flood,
  'clients that never read': unread('client', false, 700 * KIB),
  'servers that never read': unread('server', false, 700 * KIB),
  'clients that never read, TLS': unread('client', true, 700 * KIB),
  'servers that never read, TLS': unread('server', true, 700 * KIB),
  'RST storm': storm,
  'random bytes': bytes,
};

/** As functions of what they are scaled by. @type {Record<string, (options: { seed: number, short: number }) => Promise<string>>} */
export const ABUSE = Object.fromEntries(
  Object.entries(SCENARIOS).map(([name, scenario]) => [
    name,
    async ({ seed, short }) => {
      const scene = new Scene(seed, short);
      const deadline = new AbortController();
      const late = sleep(PART_MS + short, undefined, deadline).then(async () => {
        throw new Error(`still not over: ${JSON.stringify(await scene.counts())}`);
      });
      try {
        return await Promise.race([scenario(scene), late]);
      } finally {
        late.catch(() => {});
        deadline.abort();
        scene.close();
      }
    },
  ]),
);
