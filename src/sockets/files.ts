/** How many files, and so sockets, this process may open. */
import { builtin } from '../builtin.js';

/** The soft limit on open files, or nothing where the system does not say. */
export function openFilesMax(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(builtin.fs.readFileSync('/proc/self/limits', 'latin1')) ?? [];
    if (soft === 'unlimited') return Number.POSITIVE_INFINITY;
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
