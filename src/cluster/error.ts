import { SockchartError } from '../errors.js';
import type { Cause } from '../machines/vocabulary.js';

/**
 * A worker could not start: its module is missing, exports no function or threw, what it made could not bind, or it took
 * too long. `cause.error` is what was thrown there (a copy, with its name, message, stack and code).
 */
export class WorkerError extends SockchartError {
  /** Why it could not start. */
  declare readonly cause: Cause;
  /** Always `ERR_WORKER`. */
  readonly code = 'ERR_WORKER';
  constructor(
    /** The worker's number, from 1. */
    readonly worker: number,
    cause: Cause,
  ) {
    const why =
      cause.error instanceof Error ? cause.error.message : `${cause.code ?? cause.manner} while ${cause.phase}.`;
    super(`Worker ${worker} could not start: ${why}`, { cause });
  }
}
