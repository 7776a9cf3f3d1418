// @ts-check
/** Links that go down and come up again, short enough not to be noticed or too long for that. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './actor.mjs';
import { ADDRESS } from './lab.mjs';
import { named, startPersistent, startProxied, startServer, took } from './scene.mjs';

/** @typedef {import('./scene.mjs').Scenario} Scenario */
/** @typedef {import('./lab.mjs').Host} Host */

const SHORT_MS = 1_500;

/** Outages in the middle of a transfer, of each link in turn: TCP goes on afterwards. @type {Scenario} */
export const short = {
  async play(lab) {
    const { proxy, client, at } = await startProxied(lab, { keepAlive: 2_000 });
    // Slow enough to be under way all the time.
    await lab.filter('limit rate over 400 kbytes/second burst 64 kbytes drop');
    const bytes = 1_000_000;
    const exchange = client.ask('exchange', { ...at, bytes });
    exchange.catch(() => {});
    for (const [index, host] of /** @type {const} */ (['one', 'client', 'proxy']).entries()) {
      await client.event('received', ({ tenths }) => tenths > 2 * index);
      await lab.link(host, 'down');
      await sleep(SHORT_MS);
      assert.deepEqual(client.lines('received').includes('received 10'), false, 'the transfer is over already');
      await lab.link(host, 'up');
    }
    const { end, received, equal } = await exchange;
    assert.deepEqual({ end, received, equal }, { end: 'end', received: bytes, equal: true }, 'the exchange');
    assert.deepEqual(proxy.lines('dropped', 'retry', 'failover', 'warning'), [], 'what the proxy noticed');
    return `three links down for ${SHORT_MS / 1_000} s each during a transfer: SHA-256 equal, nothing noticed`;
  },
};

/**
 * A router that says for a while that there is no way is not believed, for it may be wrong; a reset is, whoever sent it.
 *
 * @type {Scenario}
 */
export const said = {
  async play(lab) {
    const { proxy, client, at } = await startProxied(lab, { keepAlive: 2_000 });
    for (const name of ['a', 'b']) {
      await client.ask('dial', { name, ...at });
      await client.ask('ping', { name });
    }
    await lab.reject('one', 'icmp host-unreachable');
    const exchange = client.ask('exchange', { name: 'a', bytes: 200_000 });
    exchange.catch(() => {});
    await sleep(SHORT_MS);
    await lab.heal();
    const { end, equal } = await exchange;
    assert.deepEqual({ end, equal }, { end: 'end', equal: true }, 'the exchange');
    assert.deepEqual(proxy.lines('dropped'), [], 'drops by what a router said');
    await lab.reject('one', 'tcp reset');
    await client.ask('write', { name: 'b', bytes: 1 });
    const { leg, why } = await proxy.event('dropped');
    assert.deepEqual([leg, why], ['backend', 'peer/reset/established/ECONNRESET'], 'the drop');
    assert.equal((await client.event('left', ({ name }) => name === 'b')).end, 'ECONNRESET', 'what the client got');
    return `host-unreachable for ${SHORT_MS / 1_000} s: SHA-256 equal, nothing noticed; a firewall's reset: ${why}, passed on`;
  },
};

/**
 * The link of the only server is down for longer than its keep-alive waits: the connection is dropped, attempts fail at the
 * pace of the backoff, and the first after the link is back succeeds.
 *
 * @type {Scenario}
 */
export const long = {
  async play(lab) {
    const one = await startServer(lab, 'one');
    const maxMs = 1_000;
    const connectTimeout = 1_000;
    const backend = await lab.actor('proxy', 'backend', {
      servers: [one.at],
      keepAlive: 1_000,
      connectTimeout,
      backoff: { initialMs: 100, maxMs, jitter: 0 },
      retryBudget: { burst: 1_000, perSecond: 100, ratio: 1 },
    });
    await backend.ask('connect');
    await backend.event('established');
    await backend.ask('ping');
    await lab.link('one', 'down');
    const from = now();
    const { at, why } = await backend.event('dropped');
    // A router that has no way there says so; the system believes it only when the probes are over, too.
    assert.match(
      why,
      /^system\/(timeout|error)\/established\/(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/,
      'cause of the drop',
    );
    const seen = took('dropped after', at - from, 9_000, 11_000);
    const fails = () => backend.told.filter(({ event }) => event === 'retry').slice(1);
    await backend.event('retry', () => fails().length >= 6);
    for (const { why: cause } of fails()) {
      assert.match(
        cause,
        /\/connecting\/(ENETUNREACH|EHOSTUNREACH|connectTimeout)$/,
        'cause of an attempt that failed',
      );
    }
    const longest = Math.max(...fails().map(({ delayMs }) => delayMs));
    assert.equal(longest, maxMs, 'the longest wait');
    await lab.link('one', 'up');
    const upAt = now();
    const { at: backAt } = await backend.event('established', (told) => told.at > upAt);
    const back = took('back', backAt - upAt, 0, maxMs + connectTimeout);
    await backend.ask('ping');
    assert.equal(backend.lines('dropped').length, 1, 'drops');
    const causes = [...new Set(fails().map(({ why: cause }) => cause))].join(', ');
    return `${seen} as ${why}; ${fails().length} attempts failed (${causes}); ${back} after the link`;
  },
};

/** The same with a second server: it is not waited for. @type {Scenario} */
export const failover = {
  async play(lab) {
    const { one, two, backend } = await startPersistent(lab, {
      keepAlive: 1_000,
      connectTimeout: 1_000,
      downFor: 2_000,
    });
    await backend.ask('connect');
    await backend.event('established');
    await lab.link('one', 'down');
    const { at } = await backend.event('dropped');
    const { at: elsewhereAt } = await backend.event('established', ({ server }) => server === named(two.at));
    const elsewhere = took('elsewhere after', elsewhereAt - at, 0, 500);
    await lab.link('one', 'up');
    await backend.ask('ping');
    // It stays where it is until it has to leave; and then the first server serves again.
    assert.deepEqual(backend.lines('established'), [`established ${named(one.at)}`, `established ${named(two.at)}`]);
    await sleep(2_000);
    await lab.reboot('two', two.actor);
    await backend.event('established', ({ server, at: time }) => server === named(one.at) && time > elsewhereAt);
    await backend.ask('ping');
    return `${elsewhere}; back again when the other was rebooted`;
  },
};

/**
 * What happens to a host's own card: routes are gone and come back, its addresses stay.
 *
 * @type {Scenario}
 */
export const card = {
  async play(lab) {
    const { proxy, client, at } = await startProxied(lab, { keepAlive: 2_000 });
    await client.ask('dial', { name: 'before', ...at });
    await client.ask('ping', { name: 'before' });
    await lab.card('proxy', 'down');
    const meanwhile = client.ask('exchange', { ...at, bytes: 1_000 }).then(
      ({ end }) => end,
      (error) => error.message,
    );
    await sleep(SHORT_MS);
    assert.equal((await proxy.ask('state')).listener, 'serving.listening.accepting', 'state of the listener meanwhile');
    await lab.card('proxy', 'up');
    const from = now();
    const { equal } = await client.ask('exchange', { ...at, bytes: 100_000 });
    assert.ok(equal, 'bytes of a client that came afterwards');
    const served = took('a newcomer was served', now() - from, 0, 2_000);
    await client.ask('ping', { name: 'before' });
    await meanwhile;
    assert.deepEqual(proxy.lines('dropped', 'warning', 'closed'), [], 'what the proxy noticed');
    return `down for ${SHORT_MS / 1_000} s: the listener stays, ${served} after it, and who was there before goes on`;
  },
};

/** An address that is not there can be listened on when it is back, and not before. @type {Scenario} */
export const address = {
  async play(lab) {
    const further = ADDRESS.proxy.replace(/2$/, '77');
    await lab.address('proxy', 'add', further);
    const one = await startServer(lab, 'one');
    const proxy = await lab.actor('proxy', 'proxy', {
      listen: { host: further, port: 0 },
      servers: [one.at],
      bindAttempts: 100,
      bindBackoff: 200,
    });
    const client = await lab.actor('client', 'client');
    const at = { host: further, port: await proxy.ask('port') };
    const exchange = async () => {
      const { equal } = await client.ask('exchange', { ...at, bytes: 1_000 });
      assert.ok(equal, 'bytes of an exchange');
    };
    await exchange();
    // Taken away under it: who listens is not told, and serves again when it is back.
    await lab.address('proxy', 'delete', further);
    assert.equal((await proxy.ask('state')).listener, 'serving.listening.accepting', 'state without its address');
    await lab.address('proxy', 'add', further);
    await exchange();
    // Gone when it wants to listen again: it tries on.
    await proxy.ask('suspend');
    await lab.address('proxy', 'delete', further);
    await proxy.ask('resume');
    const { why } = await proxy.event('binding');
    assert.equal(why, 'system/error/binding/EADDRNOTAVAIL', 'why it cannot bind');
    await lab.address('proxy', 'add', further);
    const from = now();
    const { port, at: boundAt } = await proxy.event('listening', (told) => told.at > from);
    assert.equal(port, at.port, 'the port that it had');
    const bound = took('bound again', boundAt - from, 0, 200);
    await exchange();
    return `taken away and given back while it listens: served again; while suspended: ${why}, ${bound} after it was back`;
  },
};
