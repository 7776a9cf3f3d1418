/** What the numbers were measured on: without that they say nothing. */
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** @param {string} path */
function text(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * The cores that this process may use: a container may have fewer than the machine.
 *
 * @returns {number[]}
 */
export function cores() {
  const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(text('/proc/self/status'))?.[1] ?? '';
  if (list === '') return [];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/**
 * Who runs where. The proxy has a core to itself; the load generator and the backend share the next one, for most
 * proxies cost more than both together (each run prints whether that held), or have one each where there are three.
 * Several workers have as many cores to themselves; where none is left for the load, all share all.
 */
export function layout(workers = 1) {
  const allowed = cores();
  // Elsewhere than on Linux there is no list, and nothing to pin with.
  const pinned = allowed.length > 0;
  if (workers === 1) {
    const [proxy = 0, load = proxy, server = load] = allowed;
    return { proxy: String(proxy), load: String(load), server: String(server), pinned, shared: false };
  }
  const all = allowed.join(',');
  const [load, server = load] = allowed.slice(workers);
  const shared = load === undefined;
  const proxy = shared ? all : allowed.slice(0, workers).join(',');
  return { proxy, load: shared ? all : String(load), server: shared ? all : String(server), pinned, shared };
}

/** How many files a process may open. Node has raised its own limit to the hard one, and children inherit that. */
export function openFilesMax() {
  const soft = /^Max open files\s+(\S+)/m.exec(text('/proc/self/limits'))?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

export function describeMachine() {
  const { proxy, load, server } = layout();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: cores().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    node: process.version,
    kernel: `${os.type()} ${os.release()} ${os.machine()}`,
    openFiles: openFilesMax(),
    layout: `proxy on core ${proxy}, load generator on ${load}, backend on ${server}`,
    loadAverage: os.loadavg().map((load) => Math.round(load * 100) / 100),
    at: new Date().toISOString(),
  };
}
