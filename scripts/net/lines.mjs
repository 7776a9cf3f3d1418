// @ts-check
/** Lines that lose and delay: TCP repeats what was lost, and nobody may notice. */
import assert from 'node:assert/strict';
import { startProxied } from './scene.mjs';

/** @typedef {import('./scene.mjs').Scenario} Scenario */
/** @typedef {import('./lab.mjs').Lab} Lab */

/**
 * Clients that send random bytes to a server which sends them back, so that all four directions carry all of them; and
 * one that asks for single answers meanwhile, to see how long they take.
 *
 * @param {Lab} lab
 * @param {number} clients
 * @param {number} bytes of each
 * @param {() => Promise<void>} spoil
 */
async function exchanges(lab, clients, bytes, spoil) {
  const { proxy, client, at } = await startProxied(lab);
  const names = Array.from({ length: clients }, (_, index) => `client ${index}`);
  for (const name of [...names, 'asking']) {
    await client.ask('dial', { name, ...at });
    await client.ask('ping', { name });
  }
  await spoil();
  const sent = Promise.all(names.map((name) => client.ask('exchange', { name, bytes })));
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  sent.then(over, over);
  let slowestMs = 0;
  while (!isOver) slowestMs = Math.max(slowestMs, await client.ask('ping', { name: 'asking' }));
  const results = await sent;
  for (const { end, received, equal } of results) {
    assert.deepEqual({ end, received, equal }, { end: 'end', received: bytes, equal: true }, 'one exchange');
  }
  assert.deepEqual(proxy.lines('dropped', 'retry', 'failover'), [], 'what the proxy noticed');
  const ends = 'session ended peer/end/established/-';
  await proxy.event('session', () => proxy.lines('session').length === clients);
  assert.deepEqual(proxy.lines('session'), Array(clients).fill(ends), 'how the sessions ended');
  const longest = Math.max(...results.map(({ tookMs }) => tookMs));
  const text = `${clients} × ${bytes / 1_000} KB there and back: SHA-256 equal, no drop, ${(longest / 1_000).toFixed(1)} s`;
  return { text, slowestMs };
}

/**
 * The router throws some of all packets away.
 *
 * @param {number} percent
 * @param {number} bytes
 * @returns {Scenario}
 */
const lossy = (percent, bytes) => ({
  async play(lab) {
    const { text } = await exchanges(lab, 4, bytes, async () => {
      await lab.splitPackets();
      await lab.filter(`numgen random mod 100 < ${percent} counter drop`);
    });
    const lost = await lab.filtered();
    assert.ok(lost >= (percent * bytes) / 100_000, `${lost} packets were lost: too few to prove anything`);
    return `${percent} % lost on each link, ${lost} packets: ${text}`;
  },
});

export const loss10 = lossy(10, 500_000);
export const loss20 = lossy(20, 30_000);

/**
 * A line so slow that its queue is full: bytes wait in it for up to 200 ms, and what does not fit is lost.
 *
 * @type {Scenario}
 */
export const slow = {
  needs: 'tbf',
  async play(lab) {
    const spoil = () => lab.shape(['client', 'one'], 'tbf rate 8mbit burst 16kb latency 200ms');
    const { text, slowestMs } = await exchanges(lab, 4, 500_000, spoil);
    assert.ok(slowestMs > 50, `the slowest answer took ${slowestMs} ms: too little to prove anything`);
    return `8 Mbit/s with a queue of 200 ms, an answer took up to ${slowestMs.toFixed(0)} ms: ${text}`;
  },
};

/**
 * Every packet takes its time, and some come twice, out of order, or never.
 *
 * @param {number} delayMs
 * @param {number} percent
 * @returns {Scenario}
 */
const delayed = (delayMs, percent) => ({
  needs: 'netem',
  async play(lab) {
    const rest = `loss ${percent}% duplicate 1% reorder 10%`;
    const { text, slowestMs } = await exchanges(lab, 4, 100_000, async () => {
      await lab.splitPackets();
      await lab.shape(['client', 'one'], `netem delay ${delayMs}ms ${delayMs / 5}ms ${rest}`);
    });
    // There and back again, over two links; some packets are sent at once, which is how netem makes disorder.
    assert.ok(slowestMs > 2 * delayMs, `the slowest answer took ${slowestMs} ms: too little to prove anything`);
    return `${delayMs} ms each way, ${rest}, an answer took up to ${slowestMs.toFixed(0)} ms: ${text}`;
  },
});

export const delay50 = delayed(50, 10);
export const delay200 = delayed(200, 2);
