/** What a cluster can be told, and the checks of that. */

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { OptionError } from '../errors.js';
import { HANDLE_OPTIONS, type HandleOptions } from '../handle.js';
import { namesOf, WORKER_LIMITS } from '../machines/limits.js';
import type { WorkerSettings } from '../machines/worker.js';
import { everyOption, integer, limits, onlyKnown, type Timeout, text } from '../options.js';
import { Backoff, type BackoffOptions } from '../upstream/backoff.js';

/** What gives a connection to a worker: the primary, in turn; or the system, to the first worker that accepts. */
export type Scheduling = 'roundRobin' | 'system';

/** What `createCluster` takes. */
export interface ClusterOptions extends HandleOptions {
  /**
   * The module that each worker runs, as a file URL or an absolute path. It exports a function: see `ClusterModule`.
   * `new URL('./worker.mjs', import.meta.url)` finds it beside the primary's own file.
   */
  readonly module: URL | string;
  /** The name of the module's export. Default `default`. */
  readonly exportName?: string | undefined;
  /** How many workers. Default: `availableParallelism()` of `node:os`. */
  readonly workers?: number | undefined;
  /**
   * What the module gets as `data`: anything that `node:v8` can serialize, so no functions. It is copied at the call.
   * Default: nothing.
   */
  readonly data?: unknown;
  /**
   * What gives connections to workers. It holds for the whole process, and cannot be changed after the first fork.
   * Default: Node's own, which is `roundRobin` except on Windows, or what `NODE_CLUSTER_SCHED_POLICY` says.
   */
  readonly scheduling?: Scheduling | undefined;
  /** Environment variables of the workers, besides the primary's own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Arguments for Node in the workers, such as `--max-old-space-size=512`. Default: the primary's own. */
  readonly execArgv?: readonly string[] | undefined;
  /** Time for a process to load the module and start what it makes, in milliseconds. Default 30 000. */
  readonly startTimeout?: Timeout | undefined;
  /** Time that a close waits for the connections until they are cut, in milliseconds. Default 30 000. */
  readonly drainTimeout?: Timeout | undefined;
  /** Time for a process to cut its connections and exit, until it is killed, in milliseconds. Default 5 000. */
  readonly abortTimeout?: Timeout | undefined;
  /** How long a process must serve until the deaths before it are forgotten, in milliseconds. Default 10 000. */
  readonly stableAfter?: Timeout | undefined;
  /**
   * Processes in a row that a worker may lose without one of them being stable; then it is given up. 0 replaces none,
   * `Infinity` gives up none. Default 10.
   */
  readonly attemptsMax?: number | undefined;
  /** Waits before a dead process is replaced. Default: 100 ms, doubled up to 10 s, less up to half at random. */
  readonly backoff?: BackoffOptions | undefined;
}

const CLUSTER_OPTIONS = everyOption<ClusterOptions>()(
  'module',
  'exportName',
  'workers',
  'data',
  'scheduling',
  'env',
  'execArgv',
  'backoff',
  ...namesOf(WORKER_LIMITS),
  ...HANDLE_OPTIONS,
);

/** What all workers of a cluster share. */
export interface ClusterConfig {
  /** A URL. */
  readonly module: string;
  readonly exportName: string;
  readonly workers: number;
  readonly scheduling: Scheduling | undefined;
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly settings: WorkerSettings;
  readonly backoff: Backoff;
}

/** @throws OptionError */
export function checkedCluster(options: ClusterOptions): ClusterConfig {
  onlyKnown('createCluster', options, CLUSTER_OPTIONS);
  const { scheduling, env, execArgv } = options;
  if (scheduling !== undefined && scheduling !== 'roundRobin' && scheduling !== 'system') {
    throw new OptionError('scheduling', scheduling, '"roundRobin" or "system"');
  }
  if (env !== undefined) {
    if (env === null || typeof env !== 'object') throw new OptionError('env', env, 'an object of strings');
    for (const [name, value] of Object.entries(env)) {
      if (typeof value !== 'string') throw new OptionError(`env.${name}`, value, 'a string');
    }
  }
  if (execArgv !== undefined && !(Array.isArray(execArgv) && execArgv.every((value) => typeof value === 'string'))) {
    throw new OptionError('execArgv', execArgv, 'a list of strings');
  }
  return {
    module: checkedModule(options.module),
    exportName: options.exportName === undefined ? 'default' : text('exportName', options.exportName),
    workers: integer('workers', options.workers, availableParallelism(), 1, 1_024),
    scheduling,
    env,
    execArgv,
    settings: limits(WORKER_LIMITS, options),
    backoff: new Backoff(options.backoff),
  };
}

function checkedModule(module: unknown): string {
  const expected = "a file URL or an absolute path, such as new URL('./worker.mjs', import.meta.url)";
  let file: string;
  try {
    if (typeof module === 'string' && isAbsolute(module)) file = module;
    else if (module instanceof URL || typeof module === 'string') file = fileURLToPath(module);
    else throw new TypeError();
  } catch {
    throw new OptionError('module', module instanceof URL ? module.href : module, expected);
  }
  if (!existsSync(file)) throw new OptionError('module', file, 'a file that exists');
  return typeof module === 'string' && isAbsolute(module) ? pathToFileURL(module).href : new URL(module as string).href;
}

/** A copy of what workers get, as they will get it: what changes later, or cannot be sent, is found now. */
export function checkedData(data: unknown): unknown {
  try {
    return deserialize(serialize(data));
  } catch (error) {
    throw new OptionError('data', data, `what can be sent to another process (${(error as Error).message})`);
  }
}
