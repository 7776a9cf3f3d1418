/** One server of the page: what it is in, why, what it may do next, and what can be asked of it. */
import { shortState } from '../machines/words.js';
import { detailOf } from './connections.js';
import type { Observer } from './observer.js';
import { now } from './plain.js';
import type { InstanceDetail, ServerDetail } from './protocol.js';
import type { LiveHandle, LiveServer, LiveServers, Registry } from './registry.js';
import { actionsOf } from './server-actions.js';
import { rowOf, setInfo, setsOf, shiftOf, whyOf } from './servers.js';

/** A server, its set, and the place of the set. */
export interface FoundServer {
  readonly server: LiveServer;
  readonly set: LiveServers;
  readonly index: number;
}

/** The server of this id. */
export function findServer(registries: readonly Registry[], id: string): FoundServer | undefined {
  for (const [index, set] of setsOf(registries).entries()) {
    const server = set.list.find((one) => one.id === id);
    if (server !== undefined) return { server, set, index };
  }
  return undefined;
}

/** @param mayAct whether the page may ask for anything */
export function serverDetail(observer: Observer, found: FoundServer, mayAct: boolean): ServerDetail {
  const { server, set, index } = found;
  const row = rowOf(server, index, set);
  const shiftMs = shiftOf(set.clock);
  const own = instanceOf(observer, server.id, server);
  const { checking } = server;
  const checks = instanceOf(observer, checking?.id, checking);
  const changes = server.info?.().changes ?? [];
  return {
    server: row,
    set: setInfo(set),
    instances: [own && { ...own, inStateMs: now() - (row.since ?? observer.since) }, checks].filter(
      (instance) => instance !== undefined,
    ),
    changes: changes.map(({ at, from = '', to, cause }) => ({
      at: Math.round(at + shiftMs),
      from: shortState(from),
      to: shortState(to),
      why: whyOf(cause),
    })),
    actions: mayAct ? actionsOf(server, observer.charts) : [],
  };
}

function instanceOf(
  observer: Observer,
  id: string | undefined,
  handle: object | undefined,
): InstanceDetail | undefined {
  const connection = id === undefined ? undefined : observer.find(id);
  const { other } = connection ?? {};
  return other === undefined ? undefined : { ...detailOf(observer, other, handle as LiveHandle, [], now()), why: '' };
}
