/** The state of everything at a glance: what an open page is sent again and again. */
import { hostAndPort } from '../text.js';
import type { Observer } from './observer.js';
import { now } from './plain.js';
import type { ListenerInfo, Overview } from './protocol.js';
import type { Recorder } from './record.js';
import type { LiveListener, Registry } from './registry.js';

export function overviewOf(observer: Observer, proxies: readonly Registry[], recorder: Recorder | undefined): Overview {
  return {
    at: now(),
    since: observer.since,
    transitions: observer.transitions,
    transitionRate: observer.transitionRate,
    machines: observer.machines(),
    totals: observer.totals(),
    seconds: observer.seconds(),
    live: observer.connections.size,
    ...(recorder?.error !== undefined && { recordingError: recorder.error.message }),
    proxies: proxies.map(({ id, state }) => ({ id, state })),
    listeners: proxies.flatMap(({ listeners }) => listeners.map(listenerInfo)),
  };
}

function listenerInfo(listener: LiveListener): ListenerInfo {
  const { id, state } = listener;
  const accepted = listener.accepts();
  return {
    id,
    state,
    address: addressOf(listener),
    canSuspend: accepted.includes('listener.suspend'),
    canResume: accepted.includes('listener.resume'),
  };
}

function addressOf({ address }: LiveListener): string {
  if (address === undefined) return '';
  if ('path' in address) return address.path;
  return hostAndPort(address.host, address.port);
}
