import type { CloseOptions } from '../handle.js';
import { integer, onlyKnown, timeout } from '../options.js';

/** Options of a removal. */
export interface RemoveOptions extends CloseOptions {
  /** Over how much time sessions that are cut at the deadline are cut, in milliseconds. Default 0: all at once. */
  readonly spreadMs?: number | undefined;
}

const REMOVE_OPTIONS = ['timeoutMs', 'spreadMs'];

/** @internal @throws OptionError */
export function removalOf(options: RemoveOptions): { spreadMs: number; timeoutMs?: number } {
  onlyKnown('remove', options, REMOVE_OPTIONS);
  const spreadMs = integer('spreadMs', options.spreadMs, 0, 0, 86_400_000);
  const { timeoutMs } = options;
  return timeoutMs === undefined ? { spreadMs } : { spreadMs, timeoutMs: timeout('timeoutMs', timeoutMs, 0) };
}
