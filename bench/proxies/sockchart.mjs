/** This library, with every timeout on. */
import { subscribe } from 'node:diagnostics_channel';
import { createProxy, TRANSITION_CHANNEL } from 'sockchart';
import { observers } from './observers.mjs';
import { optionsOf } from './options.mjs';
import { listening, task } from './report.mjs';

const observer = observers[task.observer ?? ''];
if (observer !== undefined) subscribe(TRANSITION_CHANNEL, observer);

const proxy = createProxy(optionsOf(task));
await proxy.start();
const [address] = proxy.addresses;
if (address === undefined || !('port' in address)) throw new Error('it has no port');
listening(Number(address.port));
