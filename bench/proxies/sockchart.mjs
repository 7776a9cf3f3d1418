/** This library, with every timeout on. */
import { subscribe } from 'node:diagnostics_channel';
import { createProxy, Servers, TRANSITION_CHANNEL } from 'sockchart';
import { observers } from './observers.mjs';
import { listening, servers, task } from './report.mjs';

const observer = observers[task.observer ?? ''];
if (observer !== undefined) subscribe(TRANSITION_CHANNEL, observer);

const balance = task.inOrder ? 'inOrder' : 'roundRobin';
const chosen = new Servers(servers, { balance });

const proxy = createProxy({
  listen: { host: '127.0.0.1', port: 0, backlog: 4096 },
  ...(task.route ? { route: () => chosen } : { servers, balance }),
  // The defaults have the others on; these are named because proxies differ in them.
  sessionConnectTimeout: 15_000,
  idleTimeout: 60_000,
  halfCloseTimeout: 30_000,
  durationMax: 3_600_000,
});
await proxy.start();
const [address] = proxy.addresses;
if (address === undefined || !('port' in address)) throw new Error('it has no port');
listening(Number(address.port));
