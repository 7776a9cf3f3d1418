// @ts-check
/** What nearly every scenario begins with: two servers that send everything back, a proxy before them, a client. */
import assert from 'node:assert/strict';
import { ADDRESS } from './lab.mjs';

/** @typedef {import('./actor.mjs').Actor} Actor */
/** @typedef {import('./lab.mjs').Lab} Lab */

/**
 * A scenario resolves to what was seen and measured.
 *
 * @typedef {object} Scenario
 * @property {(lab: Lab) => Promise<string>} play
 * @property {import('./needs.mjs').Discipline} [needs] what not every kernel has
 */

/** How late a timer, a process or a message may be on a machine that is busy with something else. */
export const LATE_MS = 2_500;

/** Waits of the library that are long enough to be told apart from what is to be seen. */
const BACKEND = {
  connectTimeout: 8_000,
  closeTimeout: 1_000,
  abortTimeout: 500,
  balance: 'inOrder',
  backoff: { initialMs: 100, maxMs: 1_000, jitter: 0 },
};
const { closeTimeout: _, ...SHARED } = BACKEND;
const PROXY = { ...SHARED, sessionConnectTimeout: 30_000, drainTimeout: 1_000 };

/**
 * @param {Lab} lab
 * @param {'one' | 'two'} host
 */
export async function startServer(lab, host) {
  const actor = await lab.actor(host, 'server', { host: ADDRESS[host] });
  return { actor, at: { host: ADDRESS[host], port: /** @type {number} */ (await actor.ask('port')) } };
}

/**
 * @param {Lab} lab
 * @param {object} [options]
 * @param {{ host: string, port: number }[]} [servers] default: both
 */
export async function startProxied(lab, options = {}, servers = undefined) {
  const [one, two] = [await startServer(lab, 'one'), await startServer(lab, 'two')];
  const proxy = await lab.actor('proxy', 'proxy', {
    listen: { host: ADDRESS.proxy, port: 0 },
    servers: servers ?? [one.at, two.at],
    ...PROXY,
    ...options,
  });
  const client = await lab.actor('client', 'client');
  const at = { host: ADDRESS.proxy, port: /** @type {number} */ (await proxy.ask('port')) };
  return { one, two, proxy, client, at };
}

/**
 * @param {Lab} lab
 * @param {object} [options]
 */
export async function startPersistent(lab, options = {}) {
  const [one, two] = [await startServer(lab, 'one'), await startServer(lab, 'two')];
  const backend = await lab.actor('proxy', 'backend', { servers: [one.at, two.at], ...BACKEND, ...options });
  return { one, two, backend };
}

/** @param {{ host: string, port: number }} at */
export const named = ({ host, port }) => `${host}:${port}`;

/**
 * Sees that something took as long as it should.
 *
 * @param {string} what
 * @param {number} tookMs
 * @param {number} leastMs
 * @param {number} mostMs what it may take on a machine that is not late at all
 */
export function took(what, tookMs, leastMs, mostMs) {
  assert.ok(
    tookMs >= leastMs - 20 && tookMs <= mostMs + LATE_MS,
    `${what} took ${tookMs.toFixed(0)} ms, and should take from ${leastMs} to ${mostMs} (and up to ${LATE_MS} if late)`,
  );
  return `${what} ${(tookMs / 1_000).toFixed(1)} s`;
}
