/** The stream of what there is to see: only while somebody looks. Overviews are shown one per frame at most. */
import type { About, Overview, ServersNews } from '../../src/inspect/protocol.js';
import { api, Refused } from './api.js';
import { noteTime } from './elapsed.js';
import { type KnownServers, merged } from './servers-news.js';
import { Store } from './store.js';

export type Link = 'connecting' | 'live' | 'silent' | 'paused' | 'lost' | 'denied';

export const link = new Store<Link>('connecting');
export const overview = new Store<Overview | undefined>(undefined);
export const about = new Store<About | undefined>(undefined);
export const servers = new Store<KnownServers | undefined>(undefined);

/** The listed machines of the user's, if there is nothing else to show: no proxy, and no instance of the library's machines. */
export function ownOnly(known: About | undefined, whole: Overview | undefined): readonly string[] {
  if (known === undefined || whole === undefined || known.own.length === 0) return [];
  const isLibrary = ({ machine }: { readonly machine: string }): boolean =>
    known.machines.includes(machine) && !known.own.includes(machine);
  return whole.proxies.length > 0 || whole.machines.some(isLibrary) ? [] : known.own;
}

const RETRY_MS = 2_000;
/** Two overviews come each second: a process that has sent none for so long hangs, or cannot be reached. */
const SILENT_MS = 3_000;

let source: EventSource | undefined;
let retry: number | undefined;
let latest: string | undefined;
let silence: number | undefined;

function listen(): void {
  window.clearTimeout(silence);
  silence = window.setTimeout(() => {
    if (link.value === 'live' || link.value === 'connecting') link.value = 'silent';
  }, SILENT_MS);
}

/** Of several that came since the last frame only the last is even parsed: each is the whole. */
function show(): void {
  const text = latest;
  latest = undefined;
  if (text === undefined) return;
  const whole = JSON.parse(text) as Overview;
  noteTime(whole.at);
  overview.value = whole;
}

function open(): void {
  close();
  if (document.visibilityState === 'hidden') {
    link.value = 'paused';
    return;
  }
  source = new EventSource('/api/stream');
  listen();
  source.addEventListener('overview', ({ data }) => {
    if (latest === undefined) requestAnimationFrame(show);
    latest = data;
    link.value = 'live';
    listen();
  });
  // Only what has changed is told: none may be left out.
  source.addEventListener('servers', ({ data }) => {
    servers.value = merged(servers.value, JSON.parse(data) as ServersNews);
  });
  source.addEventListener('error', () => {
    link.value = 'lost';
    // It tries again by itself unless it was refused; then the page asks why.
    if (source?.readyState === EventSource.CLOSED) retry = window.setTimeout(greet, RETRY_MS);
  });
}

function close(): void {
  window.clearTimeout(retry);
  window.clearTimeout(silence);
  source?.close();
  source = undefined;
  latest = undefined;
}

async function greet(): Promise<void> {
  try {
    about.value = await api.about();
    open();
  } catch (error) {
    const isDenied = error instanceof Refused && (error.status === 401 || error.status === 403);
    link.value = isDenied ? 'denied' : 'lost';
    if (!isDenied) retry = window.setTimeout(greet, RETRY_MS);
  }
}

export function goLive(): void {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') {
      close();
      if (link.value !== 'denied') link.value = 'paused';
    } else if (link.value !== 'denied') {
      link.value = 'connecting';
      void greet();
    }
  });
  void greet();
}
