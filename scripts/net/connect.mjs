// @ts-check
/** Servers that cannot be reached: nothing answers, or the network says no. */
import assert from 'node:assert/strict';
import { until } from '../real/stage.mjs';
import { ADDRESS } from './lab.mjs';
import { LATE_MS, named, startProxied, took } from './scene.mjs';

/** @typedef {import('./scene.mjs').Scenario} Scenario */

const CONNECT_MS = 1_000;

/** Nothing comes back: only a timer of ours ends such an attempt. @type {Scenario} */
export const blackhole = {
  async play(lab) {
    const { one, two, proxy, client, at } = await startProxied(lab, { connectTimeout: CONNECT_MS });
    await lab.cut('one');
    const first = await client.ask('exchange', { ...at, bytes: 100_000 });
    assert.deepEqual({ end: first.end, equal: first.equal }, { end: 'end', equal: true }, 'the first exchange');
    const why = 'library/timeout/connecting/connectTimeout';
    assert.deepEqual(
      proxy.lines('retry', 'failover', 'established', 'dropped'),
      [`retry 2 ${why}`, `failover ${named(one.at)} ${named(two.at)} ${why}`, `established ${named(two.at)}`],
      'what the proxy told',
    );
    const failover = took('failover', first.tookMs, CONNECT_MS, CONNECT_MS);
    const second = await client.ask('exchange', { ...at, bytes: 1 });
    assert.ok(second.equal, 'bytes of the second exchange');
    assert.ok(second.tookMs < CONNECT_MS, `${second.tookMs} ms: the next client is not sent there again`);
    assert.deepEqual(one.actor.told.slice(1), [], 'what the server in the black hole saw');
    return `connectTimeout ${CONNECT_MS / 1_000} s: ${failover}; the next client went elsewhere at once`;
  },
};

/** An end does not wait for what never answers, and the kernel does not go on trying. @type {Scenario} */
export const closeWhileDialling = {
  async play(lab) {
    const { one, proxy, client, at } = await startProxied(lab);
    const backend = await lab.actor('proxy', 'backend', { servers: [one.at], connectTimeout: 8_000 });
    await lab.cut('one');
    await client.ask('dial', { name: 'a', ...at });
    await backend.ask('connect');
    const dialling = async () => (await lab.connections('proxy')).filter((line) => line.includes(named(one.at)));
    await until('two SYNs under way', 10_000, async () => (await dialling()).length === 2);
    const closed = await backend.ask('close');
    assert.equal(closed.how, 'closed owner/close/connecting/-', 'end of the backend');
    const aborted = await proxy.ask('abort');
    assert.equal(aborted.how, 'aborted owner/abort/serving/-', 'end of the proxy');
    assert.equal((await client.event('left')).end, 'ECONNRESET', 'end of the client');
    assert.deepEqual(await lab.connections('proxy'), [], 'connections that its kernel still has');
    for (const { tookMs } of [closed, aborted]) assert.ok(tookMs < LATE_MS, `${tookMs} ms: it is done at once`);
    const ms = (/** @type {number} */ tookMs) => `${tookMs.toFixed(0)} ms`;
    return `close took ${ms(closed.tookMs)}, abort ${ms(aborted.tookMs)}; client reset, no SYN goes on`;
  },
};

/**
 * A name with two addresses, of which the first is in a black hole: each gets half of `connectTimeout`, within one attempt
 * of ours. The last address has no such timer: there `connectTimeout` counts.
 *
 * @type {Scenario}
 */
export const addresses = {
  async play(lab) {
    lab.names('proxy', 'db.lab', [ADDRESS.one, ADDRESS.two]);
    const port = 7_000;
    for (const host of /** @type {const} */ (['one', 'two'])) {
      await lab.actor(host, 'server', { host: ADDRESS[host], port });
    }
    const where = [{ host: 'db.lab', port }];
    const { proxy, client, at } = await startProxied(lab, { connectTimeout: 3_000, attemptsMax: 1 }, where);
    // Whichever comes first, only the other answers.
    const spans = [];
    for (const dark of /** @type {const} */ (['one', 'two'])) {
      await lab.cut(dark);
      const { equal, end, tookMs } = await client.ask('exchange', { ...at, bytes: 1_000 });
      assert.deepEqual({ equal, end }, { equal: true, end: 'end' }, `exchange while ${dark} is in the dark`);
      spans.push(tookMs);
      await lab.heal();
    }
    assert.deepEqual(proxy.lines('retry', 'failover'), [], 'retries of ours');
    const slower = Math.max(...spans);
    const waited = took('the second address', slower, 1_500, 1_500);
    await lab.cut('one');
    await lab.cut('two');
    await client.ask('dial', { name: 'both', ...at });
    const from = proxy.told.at(-1)?.at ?? 0;
    const { at: endedAt, how } = await proxy.event('session', (told) => told.how.startsWith('refused'));
    assert.equal(how, 'refused library/timeout/connecting/connectTimeout', 'with both in the dark');
    assert.ok(endedAt > from);
    return `${waited}, in one attempt; both in the dark: ${how}`;
  },
};

/** A kernel that gives up before we do says so. @type {Scenario} */
export const kernelTimeout = {
  async play(lab) {
    await lab.set('proxy', 'net/ipv4/tcp_syn_retries', 1);
    const { proxy, client, at } = await startProxied(lab, { connectTimeout: 20_000 });
    await lab.cut('one');
    const { equal, tookMs } = await client.ask('exchange', { ...at, bytes: 1_000 });
    assert.ok(equal, 'bytes that the next server sent back');
    assert.deepEqual(proxy.lines('retry'), ['retry 2 system/timeout/connecting/ETIMEDOUT'], 'retries');
    // One repetition: after 1 s, and then 1 or 2 s more, by the kernel's version.
    return `${took('tcp_syn_retries 1', tookMs, 1_900, 3_500)}: system/timeout/connecting/ETIMEDOUT, then the next server`;
  },
};

/** How a router or a firewall says no, and what that is called. @type {readonly (readonly [string, string])[]} */
const REFUSALS = [
  ['tcp reset', 'peer/refusal/connecting/ECONNREFUSED'],
  ['icmp port-unreachable', 'peer/refusal/connecting/ECONNREFUSED'],
  ['icmp host-unreachable', 'system/error/connecting/EHOSTUNREACH'],
  ['icmp net-unreachable', 'system/error/connecting/ENETUNREACH'],
  ['icmp admin-prohibited', 'system/error/connecting/EHOSTUNREACH'],
];

/** A no is heard at once, whoever says it; none of them excludes a server for good. @type {Scenario} */
export const refusals = {
  async play(lab) {
    // Each client begins with the first server again.
    const { one, two, proxy, client, at } = await startProxied(lab, { downFor: false });
    const seen = [];
    for (const [words, why] of REFUSALS) {
      await lab.reject('one', words);
      const before = proxy.told.length;
      const { equal, tookMs } = await client.ask('exchange', { ...at, bytes: 1_000 });
      assert.ok(equal, `bytes through the next server, after ${words}`);
      assert.ok(tookMs < 1_000 + LATE_MS, `${words} took ${tookMs} ms: it is heard at once`);
      const told = proxy.told.slice(before).filter(({ event }) => event === 'failover' || event === 'established');
      assert.deepEqual(
        told.map(({ event, why: cause, server }) => [event, cause ?? server]),
        [
          ['failover', why],
          ['established', named(two.at)],
        ],
        `after ${words}`,
      );
      await lab.heal();
      seen.push(`${words}: ${why.slice(why.lastIndexOf('/') + 1)}`);
    }
    const { equal } = await client.ask('exchange', { ...at, bytes: 1_000 });
    assert.ok(equal);
    assert.equal(proxy.told.findLast(({ event }) => event === 'established')?.server, named(one.at), 'afterwards');
    return seen.join(', ');
  },
};
