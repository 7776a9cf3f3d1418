/** What a user's module and the program that runs it in a worker agree on. */
import type { CloseOptions } from '../handle.js';
import type { Outcome, Report } from '../machines/vocabulary.js';
import type { PartAddress } from './messages.js';

/** What a module gets to know in its worker. */
export interface ModuleContext<D = unknown> {
  /** A copy of what `createCluster`, or the latest `reload`, was given. */
  readonly data: D;
  /** The worker's number, from 1. The process that replaces a dead one has the same. */
  readonly worker: number;
  /** How many workers there are: divide by it what all of them may have together. */
  readonly workers: number;
  /** How often this worker had to be started: 1 for its first process. */
  readonly incarnation: number;
}

/**
 * What a module makes: a `TcpProxy`, a `Listener`, or anything else with such an instance. It is not started yet; the worker
 * does that.
 */
export interface ClusterPart {
  /** Resolves once it serves. */
  start(): Promise<unknown>;
  /** Ends it gracefully; resolves no earlier than `closed`. */
  close(options?: CloseOptions): Promise<unknown>;
  /** Ends it at once. */
  abort(cause?: Report): Promise<unknown>;
  /** How it ended. The worker exits then. */
  readonly closed: Promise<Outcome>;
  /** Where it listens, of a proxy. */
  readonly addresses?: readonly PartAddress[] | undefined;
  /** Where it listens, of a listener. */
  readonly address?: PartAddress | undefined;
}

/**
 * The function that a worker's module exports.
 *
 * @example
 * ```ts
 * // worker.mjs
 * import { createProxy } from 'sockchart';
 *
 * export default ({ data, workers }) =>
 *   createProxy({
 *     listen: { host: '127.0.0.1', port: 8080 },
 *     servers: data.servers,
 *     clientsMax: Math.ceil(data.clientsMax / workers),
 *   });
 * ```
 */
export type ClusterModule<D = unknown> = (context: ModuleContext<D>) => ClusterPart | Promise<ClusterPart>;
