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
 */
export function layout() {
  const allowed = cores();
  const [proxy = 0, load = proxy, server = load] = allowed;
  // Elsewhere than on Linux there is no list, and nothing to pin with.
  return { proxy, load, server, pinned: allowed.length > 0 };
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
    v8: process.versions.v8,
    kernel: `${os.type()} ${os.release()} ${os.machine()}`,
    openFiles: openFilesMax(),
    layout: `proxy on core ${proxy}, load generator on ${load}, backend on ${server}`,
    loadAverage: os.loadavg().map((load) => Math.round(load * 100) / 100),
    at: new Date().toISOString(),
  };
}
