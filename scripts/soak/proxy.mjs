// @ts-check
/** The process under test: proxies, and what can be seen of what they use. */
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createProxy } from 'sockchart';
import { CERTIFICATE, TRUST } from './certificates.mjs';
import { serve } from './child.mjs';

/**
 * What a proxy is made of, as far as it can be said over IPC.
 *
 * @typedef {object} Wanted
 * @property {Omit<import('sockchart').ProxyOptions, 'listen' | 'servers'>} [options]
 * @property {readonly { host: string, port: number }[]} servers
 * @property {readonly string[]} hosts where to listen
 * @property {boolean} [front] TLS for clients
 * @property {boolean} [back] TLS to servers
 * @property {number} [headBytes] whoever has not sent so many is not admitted
 */

/**
 * @typedef {object} Usage
 * @property {number} heapUsed
 * @property {number} arrayBuffers
 * @property {number} external
 * @property {number} rss
 * @property {Record<string, number>} resources what keeps the process alive: handles, requests, timers
 * @property {number} files
 */

/** @type {import('sockchart').TcpProxy[]} */
const proxies = [];
/** @type {string[]} */
const errors = [];
/** How the lives of clients ended, and why those were refused that were. @type {Record<string, number>} */
const endings = {};
/** @type {Record<string, number>} */
const refusals = {};
/** @type {WeakSet<object>} */
const ended = new WeakSet();
let accepted = 0;
let twice = 0;

for (const event of /** @type {const} */ (['uncaughtException', 'unhandledRejection', 'warning'])) {
  process.on(event, (/** @type {unknown} */ error) => {
    if (errors.length < 20) errors.push(`${event}: ${error instanceof Error ? error.stack : error}`);
  });
}
// Counted by Node, not by the library.
subscribe('net.server.socket', () => accepted++);

/** @param {number} headBytes */
const hasHead =
  (headBytes) =>
  /** @param {import('sockchart').Client} client @param {{ signal: AbortSignal }} context */
  async ({ socket }, { signal }) => {
    let head = Buffer.alloc(0);
    while (head.length < headBytes) {
      socket.resume();
      const [chunk] = await once(socket, 'data', { signal });
      socket.pause();
      head = Buffer.concat([head, chunk]);
    }
    socket.unshift(head);
  };

/** @param {Record<string, number>} counts @param {string} what */
const count = (counts, what) => {
  counts[what] = (counts[what] ?? 0) + 1;
};

/** @returns {Usage} */
function usage() {
  const { heapUsed, arrayBuffers, external, rss } = process.memoryUsage();
  /** @type {Record<string, number>} */
  const resources = {};
  for (const resource of process.getActiveResourcesInfo()) count(resources, resource);
  return { heapUsed, arrayBuffers, external, rss, resources, files: readdirSync('/proc/self/fd').length };
}

serve({
  /** @param {Wanted} wanted */
  async start({ options, servers, hosts, front = false, back = false, headBytes = 0 }) {
    const proxy = createProxy({
      ...options,
      ...(headBytes > 0 && { admit: hasHead(headBytes) }),
      listen: hosts.map((host) => ({ host, port: 0, ...(front && { tls: CERTIFICATE }) })),
      servers: servers.map((server) => ({ ...server, ...(back && { tls: TRUST }) })),
    });
    proxy.on('clientClosed', ({ client, outcome: { ending, cause } }) => {
      if (ended.has(client)) twice++;
      ended.add(client);
      count(endings, ending);
      if (ending === 'refused') count(refusals, `${cause.initiator}/${cause.manner}/${cause.code ?? ''}`);
    });
    await proxy.start();
    proxies.push(proxy);
    return proxy.addresses;
  },

  counts: () => ({
    accepted,
    twice,
    endings,
    refusals,
    errors,
    refused: proxies.reduce((sum, { refused }) => sum + refused, 0),
    live: proxies.reduce((sum, proxy) => sum + proxy.connections().length, 0),
    relayed: proxies
      .flatMap((proxy) => proxy.connections())
      .reduce((sum, { bytes }) => sum + bytes.fromClient + bytes.fromBackend, 0),
  }),

  usage,

  /** After everything that can be collected is. */
  async settled() {
    for (let turn = 0; turn < 3; turn++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return usage();
  },

  async close() {
    const outcomes = await Promise.all(proxies.map((proxy) => proxy.close()));
    return outcomes.map(({ ending }) => ending);
  },

  /** Nothing is left to live for, unless something was left behind. */
  release() {
    process.removeAllListeners('disconnect');
    setImmediate(() => process.disconnect());
  },
});
