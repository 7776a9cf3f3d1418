// @ts-check
/**
 * Many short connections and some long ones, under faults; afterwards the process that proxied them must be what it was.
 *
 * The first part is the same as the second, only shorter: what a process keeps of its first connections (compiled code,
 * spare buffers and timers, tables that have grown) is there before anything is compared.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.mjs';
import { Crowd, isSound } from './crowd.mjs';
import { Random } from './random.mjs';

/** @typedef {import('./crowd.mjs').Address} Address */
/** @typedef {import('./proxy.mjs').Usage} Usage */

const MIB = 1_048_576;
/**
 * What may be left: of the heap, what V8 keeps for code and feedback of its own; of buffers, the pool of spare ones (eight
 * of 512 KiB). After a million connections 2 MiB are two bytes for each: an object that stays would be a hundred.
 */
const HEAP_MAX = 2 * MIB;
const BUFFERS_MAX = 5 * MIB;
/** What the allocator keeps of its peak is not ours; what is lost for good, such as handles of TLS, shows here, too. */
const RSS_MAX = 96 * MIB;
const SETTLE_MS = 30_000;
/** Short ones at the same time. */
const CONCURRENCY = 128;
/** Between two messages of a long one, on average. */
const PAUSE_MS = 20_000;
/** Long ones that come together. */
const RAMP = 250;
/** Each address of loopback has ports of its own, so that a minute of closed connections never uses them up. */
const ADDRESSES = 12;
const PROGRESS_MS = 10_000;

/** @param {number} block */
const hosts = (block) => Array.from({ length: ADDRESSES }, (_, index) => `127.${block}.0.${index + 1}`);

/** A port where nobody listens: on an address that nobody else uses. */
async function refusing() {
  const server = createServer();
  await once(server.listen({ host: '127.93.0.1', port: 0 }), 'listening');
  const { address, port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return { host: address, port };
}

/** @param {{ seed: number, short: number, long: number, tls: number }} options */
export async function soak({ seed, short, long, tls }) {
  const random = new Random(seed);
  const crowd = new Crowd(seed);
  const proxy = new Child('proxy.mjs');
  try {
    // Whatever bounds those who behave leaves room for a machine that is busy with something else.
    const options = {
      acceptTimeout: 60_000,
      connectTimeout: 30_000,
      sessionConnectTimeout: 120_000,
      halfCloseTimeout: 120_000,
      idleTimeout: 300_000,
      drainTimeout: 5_000,
      downFor: 500,
    };
    const start = async (/** @type {boolean} */ isTls, /** @type {number} */ block) => {
      const servers = await crowd.serve(hosts(block), isTls);
      const wanted = {
        options,
        servers: [...servers, await refusing()],
        hosts: hosts(block + 1),
        front: isTls,
        back: isTls,
      };
      return /** @type {Promise<Address[]>} */ (proxy.call('start', wanted));
    };
    const plain = await start(false, 90);
    const secure = await start(true, 94);

    const run = async (/** @type {number} */ shorts, /** @type {number} */ longs, /** @type {string} */ what) => {
      let begun = 0;
      let done = 0;
      const began = performance.now();
      const progress = setInterval(() => {
        const rate = Math.round((done * 1_000) / (performance.now() - began));
        console.log(`        ${what}: ${done} of ${shorts} short ones, ${rate} a second`);
      }, PROGRESS_MS);
      /** Each keeps one long one going, whatever happens to it. @type {Set<ReturnType<Crowd['stay']>>} */
      const staying = new Set();
      let isOver = false;
      let replaced = 0;
      const verdicts = { intact: 0, cut: 0, short: 0 };
      const keep = async () => {
        for (;;) {
          const isTls = random.chance(tls);
          const one = crowd.stay(random.pick(isTls ? secure : plain), isTls, PAUSE_MS);
          staying.add(one);
          const verdict = await one.over;
          staying.delete(one);
          verdicts[/** @type {'intact'} */ (verdict)]++;
          if (isOver) return;
          replaced++;
        }
      };
      const worker = async () => {
        while (begun < shorts) {
          begun++;
          const isTls = random.chance(tls);
          await crowd.talk(crowd.kind(isTls), random.pick(isTls ? secure : plain), isTls);
          done++;
          // A long one is lost now and then.
          if (random.chance(0.001)) random.pick([...staying])?.cut();
        }
      };
      const keepers = [];
      // A few at a time: the queues of those who accept are not what is tested.
      while (keepers.length < longs) {
        for (let few = 0; few < RAMP && keepers.length < longs; few++) keepers.push(keep());
        await Promise.all([...staying].slice(-RAMP).map(({ answered }) => answered));
      }
      await Promise.all(Array.from({ length: CONCURRENCY }, worker));
      const seconds = (performance.now() - began) / 1_000;
      /** @type {Usage} */
      const peak = await proxy.call('usage');
      clearInterval(progress);
      isOver = true;
      for (const one of staying) one.end();
      await Promise.all(keepers);
      return { seconds, verdicts, replaced, peak };
    };

    await run(Math.max(300, Math.ceil(short / 50)), long, 'warm-up');
    const before = await settled(proxy);
    const countsBefore = await proxy.call('counts');
    const { seconds, verdicts, replaced, peak } = await run(short, long, 'soak');
    const after = await settled(proxy, before);
    const counts = await proxy.call('counts');

    assert.deepEqual(counts.errors, [], 'errors that nobody heard, and warnings');
    assert.equal(counts.live, 0, 'connections that are left');
    assert.equal(counts.twice, 0, 'clients that ended twice');
    const ends = Object.values(counts.endings).reduce((sum, count) => sum + count, 0);
    assert.equal(ends + counts.refused, counts.accepted, 'every client that was accepted has ended, once');
    checkVerdicts(crowd, verdicts);
    assert.deepEqual(after.resources, before.resources, 'handles, requests and timers');
    assert.equal(after.files, before.files, 'open files');
    const grown = (/** @type {'heapUsed' | 'arrayBuffers' | 'rss'} */ what) => after[what] - before[what];
    assert.ok(grown('heapUsed') < HEAP_MAX, `the heap has grown by ${grown('heapUsed')} bytes`);
    assert.ok(grown('arrayBuffers') < BUFFERS_MAX, `buffers have grown by ${grown('arrayBuffers')} bytes`);
    assert.ok(grown('rss') < RSS_MAX, `the process has grown by ${grown('rss')} bytes`);

    const closed = await proxy.call('close');
    assert.deepEqual(closed, ['closed', 'closed']);
    void proxy.call('release');
    const exit = await Promise.race([proxy.exited, sleep(5_000)]);
    assert.deepEqual(exit, { code: 0, signal: null }, 'what the process does when nothing is left to do');

    const mib = (/** @type {Usage} */ { heapUsed, arrayBuffers, rss }) =>
      `${[heapUsed, arrayBuffers, rss].map((bytes) => (bytes / MIB).toFixed(1)).join(' / ')} MiB`;
    const accepted = counts.accepted - countsBefore.accepted;
    return [
      `${accepted} accepted in ${seconds.toFixed(0)} s, ${Math.round(accepted / seconds)} a second, ${long} long ones beside them (${crowd.messages} messages, ${replaced} cut and replaced)`,
      `endings ${list(counts.endings)}; clients saw ${list(summary(crowd))}`,
      `heap / buffers / process ${mib(before)} before, ${mib(peak)} at the end of the load, ${mib(after)} after`,
      `handles and timers ${list(after.resources)}; files ${before.files} before, ${peak.files} at the end of the load, ${after.files} after`,
      `faults ${list(faults(crowd))}, by servers on accept ${crowd.resetOnAccept}`,
    ].join('\n        ');
  } finally {
    proxy.kill();
    crowd.close();
  }
}

/** @param {Record<string, unknown>} counts */
const list = (counts) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

/** @param {Crowd} crowd */
function summary({ verdicts }) {
  /** @type {Record<string, number>} */
  const sum = {};
  for (const counts of Object.values(verdicts)) {
    for (const [verdict, count] of Object.entries(counts)) sum[verdict] = (sum[verdict] ?? 0) + count;
  }
  return sum;
}

/** @param {Crowd} crowd */
function faults({ verdicts }) {
  return Object.fromEntries(
    Object.entries(verdicts)
      .filter(([kind]) => !isSound(kind))
      .map(([kind, counts]) => [kind, Object.values(counts).reduce((sum, count) => sum + count, 0)]),
  );
}

/**
 * Nobody got other bytes. Who did nothing wrong got all of them and the end, unless its server had reset it; and nobody
 * got an end in the place of a reset, where Node can tell.
 *
 * @param {Crowd} crowd @param {{ short: number }} long
 */
function checkVerdicts({ verdicts, wrong, resetOnAccept }, long) {
  assert.deepEqual(wrong, [], 'conversations that went wrong');
  const sound = Object.entries(verdicts).filter(([kind]) => isSound(kind));
  const cut = sound.reduce((sum, [, counts]) => sum + (counts.cut ?? 0), 0);
  const short = sound.reduce((sum, [, counts]) => sum + (counts.short ?? 0), long.short);
  assert.equal(short, 0, `ends before the last byte: ${JSON.stringify(verdicts)}`);
  assert.ok(cut <= resetOnAccept, `${cut} were cut, but only ${resetOnAccept} by servers: ${JSON.stringify(verdicts)}`);
  assert.ok(sound.every(([, { intact = 0 }]) => intact > 0));
}

/**
 * Waits until nobody is left, and what is used is what it was.
 *
 * @param {Child} proxy @param {Usage} [before] @returns {Promise<Usage>}
 */
async function settled(proxy, before) {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const { live } = await proxy.call('counts');
    /** @type {Usage} */
    const usage = await proxy.call('settled');
    const isSettled =
      before === undefined
        ? usage.resources.Timeout === undefined
        : usage.files === before.files && same(usage, before);
    if ((live === 0 && isSettled) || performance.now() > deadline) return usage;
    await sleep(100);
  }
}

/** @param {Usage} a @param {Usage} b */
const same = (a, b) =>
  JSON.stringify(Object.entries(a.resources).sort()) === JSON.stringify(Object.entries(b.resources).sort());
