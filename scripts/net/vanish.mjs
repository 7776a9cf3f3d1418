// @ts-check
/** Peers that are gone without a FIN or a reset: no event tells, only a probe, a write or a timer of ours does. */
import assert from 'node:assert/strict';
import { now } from './actor.mjs';
import { named, startPersistent, startProxied, took } from './scene.mjs';

/** @typedef {import('./scene.mjs').Scenario} Scenario */
/** @typedef {import('./lab.mjs').Lab} Lab */
/** @typedef {import('./actor.mjs').Actor} Actor */

const KEEP_ALIVE_MS = 2_000;
/** Node sets these itself (ten probes, one second apart), whatever the system's settings are. */
const PROBES_MS = 10_000;

/** Settings under which a probe of the system's own would take an hour. @param {Lab} lab */
async function slowProbes(lab) {
  await lab.set('proxy', 'net/ipv4/tcp_keepalive_intvl', 600);
  await lab.set('proxy', 'net/ipv4/tcp_keepalive_probes', 6);
}

/** What it is called when only silence tells. */
const SILENCE = 'system/timeout/established/ETIMEDOUT';

/**
 * One idle session; then a host is gone, and the other leg has to hear of it.
 *
 * @param {'client' | 'one'} host
 * @param {'client' | 'backend'} leg
 * @returns {Scenario}
 */
const idleRelay = (host, leg) => ({
  async play(lab) {
    await slowProbes(lab);
    const { one, proxy, client, at } = await startProxied(lab, { keepAlive: KEEP_ALIVE_MS, idleTimeout: 600_000 });
    await client.ask('dial', { name: 'a', ...at });
    await client.ask('ping', { name: 'a' });
    await lab.cut(host);
    const from = now();
    const { why, at: droppedAt } = await proxy.event('dropped');
    // The last byte was a little earlier than the cut.
    const seen = took('seen after', droppedAt - from, KEEP_ALIVE_MS + PROBES_MS - 1_500, KEEP_ALIVE_MS + PROBES_MS);
    assert.equal(why, SILENCE, 'cause of the drop');
    await proxy.event('session');
    assert.deepEqual(proxy.lines('dropped', 'session'), [`dropped ${leg} ${why}`, `session dropped ${why}`]);
    const survivor = host === 'client' ? one.actor : client;
    const { end, at: endedAt } = await survivor.event('left');
    assert.equal(end, 'ECONNRESET', 'what the other side got');
    took('the reset of the other side', endedAt - droppedAt, 0, 1_000);
    assert.deepEqual(await lab.connections('proxy'), [], 'connections that the kernel still has');
    return `keepAlive ${KEEP_ALIVE_MS / 1_000} s: ${seen} as ${why}, the other side reset`;
  },
});

export const idleServer = idleRelay('one', 'backend');
export const idleClient = idleRelay('client', 'client');

/** A connection that is meant to last fails over. @type {Scenario} */
export const idlePersistent = {
  async play(lab) {
    await slowProbes(lab);
    const { one, two, backend } = await startPersistent(lab, { keepAlive: KEEP_ALIVE_MS });
    await backend.ask('connect');
    await backend.event('established');
    await backend.ask('ping');
    await lab.cut('one');
    const from = now();
    const { at, why } = await backend.event('dropped');
    const seen = took('seen after', at - from, KEEP_ALIVE_MS + PROBES_MS - 1_500, KEEP_ALIVE_MS + PROBES_MS);
    assert.equal(why, SILENCE, 'cause of the drop');
    const { at: againAt } = await backend.event('established', ({ server }) => server === named(two.at));
    const again = took('elsewhere after', againAt - at, 0, 1_000);
    await backend.ask('ping');
    assert.deepEqual(backend.lines('dropped', 'failover', 'established'), [
      `established ${named(one.at)}`,
      `dropped ${why}`,
      `failover ${named(one.at)} ${named(two.at)} ${why}`,
      `established ${named(two.at)}`,
    ]);
    return `keepAlive ${KEEP_ALIVE_MS / 1_000} s: ${seen} as ${why}, ${again}`;
  },
};

/**
 * Without probes nothing tells of an idle peer's end: a relay is cut by its idle timeout, and a connection that is meant to
 * last stays as it is until somebody writes.
 *
 * @type {Scenario}
 */
export const noKeepAlive = {
  async play(lab) {
    const idleMs = 4_000;
    const { proxy, client, at, one } = await startProxied(lab, { idleTimeout: idleMs });
    const backend = await lab.actor('proxy', 'backend', { servers: [one.at] });
    await backend.ask('connect');
    await backend.event('established');
    await client.ask('dial', { name: 'a', ...at });
    await client.ask('ping', { name: 'a' });
    await lab.cut('one');
    const from = now();
    const { how, at: cutAt } = await proxy.event('session');
    assert.equal(how, 'aborted library/timeout/established/idleTimeout', 'end of the session');
    const cut = took('cut after', cutAt - from, idleMs - 500, 1.25 * idleMs);
    assert.equal((await client.event('left')).end, 'ECONNRESET', 'what the client got');
    assert.deepEqual(proxy.lines('dropped'), [], 'drops: a cut of ours is none');
    assert.equal(await backend.ask('state'), 'active.established.open', 'state of what has no timer');
    return `idleTimeout ${idleMs / 1_000} s: ${cut}, both reset; a persistent backend with neither is still "established"`;
  },
};

/**
 * What was written and is not acknowledged is sent again and again: the system gives up after `tcp_retries2`, which Node
 * cannot set for one socket (there is no TCP_USER_TIMEOUT), and while it does so there are no probes. What a router says
 * meanwhile is not believed, but remembered.
 *
 * @param {(lab: Lab) => Promise<void>} vanish
 * @param {string} cause
 * @returns {Scenario}
 */
const writtenTo = (vanish, cause) => ({
  async play(lab) {
    const retries = 4;
    await lab.set('proxy', 'net/ipv4/tcp_retries2', retries);
    const { one, two, backend } = await startPersistent(lab, { keepAlive: 60_000 });
    await backend.ask('connect');
    await backend.event('established');
    await backend.ask('ping');
    await vanish(lab);
    const from = now();
    await backend.ask('write', { bytes: 1_000 });
    const { at, why } = await backend.event('dropped');
    assert.equal(why, cause, 'cause of the drop');
    // The first wait is 200 ms at least, and each is twice the last.
    const leastMs = 200 * (2 ** (retries + 1) - 1);
    const seen = took('seen after', at - from, 0.9 * leastMs, 3 * leastMs);
    await backend.event('established', ({ server }) => server === named(two.at));
    assert.equal(backend.lines('dropped').length, 1, 'drops');
    assert.equal(one.actor.lines('accepted').length, 1, 'connections to the dead server');
    return `tcp_retries2 ${retries}: ${seen} as ${why}, then failover`;
  },
});

export const written = writtenTo((lab) => lab.cut('one'), SILENCE);
export const writtenSaid = writtenTo(
  (lab) => lab.reject('one', 'icmp host-unreachable'),
  'system/error/established/EHOSTUNREACH',
);

/**
 * A relay does not depend on the system's patience (15 minutes, by its defaults): bytes that go nowhere are idleness.
 *
 * @type {Scenario}
 */
export const stuck = {
  async play(lab) {
    const idleMs = 4_000;
    const { one, proxy, client, at } = await startProxied(lab, { idleTimeout: idleMs, keepAlive: 60_000 });
    await client.ask('dial', { name: 'a', ...at });
    await client.ask('ping', { name: 'a' });
    // The answer fills all buffers on the way to a client that is gone.
    const answer = client.ask('exchange', { name: 'a', bytes: 100_000_000 });
    answer.catch(() => {});
    await client.event('received');
    await lab.cut('client');
    const from = now();
    const { how, at: cutAt } = await proxy.event('session');
    assert.equal(how, 'aborted library/timeout/established/idleTimeout', 'end of the session');
    const cut = took('cut after', cutAt - from, idleMs - 500, 1.25 * idleMs + 1_000);
    assert.equal((await one.actor.event('left')).end, 'ECONNRESET', 'what the server got');
    assert.deepEqual(await lab.connections('proxy'), [], 'connections that the kernel still has');
    return `idleTimeout ${idleMs / 1_000} s: ${cut} with full buffers, the server reset, nothing left in the kernel`;
  },
};

/** A machine that lost its power and is back knows nothing of its connections, and says so when asked. @type {Scenario} */
export const rebooted = {
  async play(lab) {
    const { one, backend } = await startPersistent(lab, { keepAlive: KEEP_ALIVE_MS });
    await backend.ask('connect');
    await backend.event('established');
    await backend.ask('ping');
    const from = now();
    await lab.reboot('one', one.actor);
    const again = await lab.actor('one', 'server', one.at);
    const { at, why } = await backend.event('dropped');
    assert.equal(why, 'peer/reset/established/ECONNRESET', 'cause of the drop');
    const seen = took('seen after', at - from, 0, KEEP_ALIVE_MS + 6_000);
    await backend.event('failover');
    assert.equal(again.lines('accepted').length, 0);
    return `keepAlive ${KEEP_ALIVE_MS / 1_000} s: ${seen} as ${why}`;
  },
};

/** A stop does not depend on peers that are gone, whichever they are. @type {Scenario} */
export const stop = {
  async play(lab) {
    const { one, proxy, client, at } = await startProxied(lab);
    const backend = await lab.actor('proxy', 'backend', {
      servers: [one.at],
      closeTimeout: 1_000,
      abortTimeout: 500,
    });
    await backend.ask('connect');
    await backend.event('established');
    for (const name of ['a', 'b']) {
      await client.ask('dial', { name, ...at });
      await client.ask('ping', { name });
    }
    // One direction has bytes under way that nobody will ever acknowledge.
    await lab.cut('one');
    await lab.cut('client');
    await client.ask('write', { name: 'a', bytes: 100_000 });
    await backend.ask('write', { bytes: 100_000 });
    const [stopped, closed] = await Promise.all([proxy.ask('close'), backend.ask('close')]);
    const drained = took('the proxy', stopped.tookMs, 1_000, 1_000 + 500 + 500);
    assert.equal(stopped.how, 'aborted library/timeout/closing/drainTimeout', 'end of the proxy');
    const flushed = took('the backend', closed.tookMs, 1_000, 1_000 + 500);
    assert.equal(closed.how, 'aborted library/timeout/closing/closeTimeout', 'end of the backend');
    assert.deepEqual(await lab.connections('proxy'), [], 'connections that the kernel still has');
    return `drainTimeout 1 s, closeTimeout 1 s: ${drained}, ${flushed}, and nothing is left in the kernel`;
  },
};
