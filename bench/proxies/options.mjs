/** What sockchart is told for a task: every timeout on. */
import { Servers } from 'sockchart';
import { serversOf } from '../load/addresses.mjs';

/** @param {import('./report.mjs').Task} task @returns {import('sockchart').ProxyOptions} */
export function optionsOf({ listenTls, serverTls, ...task }) {
  const balance = task.inOrder ? 'inOrder' : 'roundRobin';
  const tls = serverTls && { ca: serverTls.cert, servername: 'localhost', resume: false };
  const servers = serversOf(task).map((server) => ({ ...server, ...(tls && { tls }) }));
  const chosen = new Servers(servers, { balance });
  return {
    listen: {
      host: '127.0.0.1',
      port: 0,
      backlog: 4096,
      ...(listenTls && { tls: { key: listenTls.key, cert: listenTls.cert } }),
    },
    ...(task.route ? { route: () => chosen } : { servers, balance }),
    // The defaults have the others on; these are named because proxies differ in them.
    sessionConnectTimeout: 15_000,
    idleTimeout: 60_000,
    halfCloseTimeout: 30_000,
    durationMax: 3_600_000,
  };
}
