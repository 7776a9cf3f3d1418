import nodeCluster from 'node:cluster';
import { type Environment, environmentOf, Handle, type Kind } from '../adapters/handle.js';
import { ClosedError, NotSupportedError } from '../errors.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { signal as checkSignal, onlyKnown, type Timeout, timeout } from '../options.js';
import { type ClusterCommand, clusterMachine } from './cluster-machine.js';
import { WorkerError } from './error.js';
import type { PartAddress } from './messages.js';
import { type ClusterConfig, type ClusterOptions, checkedCluster, checkedData, type Scheduling } from './options.js';
import { type Exit, Worker, type WorkerInfo, type WorkerOwner } from './worker.js';

export type ClusterEvents = {
  /** Every worker serves, for the first time. */
  running: [];
  /** A worker's first process serves: at the start, or in a reload. */
  started: [WorkerInfo];
  /** A process died without being told to. `cause.error` is the exception that it died of, if it was one. */
  exited: [{ worker: WorkerInfo; pid: number | undefined; code: number | null; signal: string | null; cause: Cause }];
  /** It is replaced after `delayMs`. */
  retry: [{ worker: WorkerInfo; attempt: number; delayMs: number; cause: Cause }];
  /** The process that replaces it serves. */
  replaced: [WorkerInfo];
  /** A worker lost too many processes in a row, and gets no other before the next reload. */
  gaveUp: [{ worker: WorkerInfo; cause: Cause }];
  /** Every worker has a new process. */
  reloaded: [];
  closed: [Outcome];
};

/** What a worker says of itself: see `Cluster.inspect`. */
export interface WorkerReport extends WorkerInfo {
  /** Memory that its process holds, in bytes; like the rest of these, nothing if it did not answer. */
  readonly memory: number | undefined;
  /** Clients that live in it. */
  readonly clients: number | undefined;
  /** Newcomers that its present process turned away. */
  readonly refused: number | undefined;
  /** What the part's `toJSON()` says. */
  readonly snapshot: unknown;
}

/** Options of `Cluster.reload`. */
export interface ReloadOptions {
  /** Replaces what the module gets as `data`, from now on. Default: what it got before. */
  readonly data?: unknown;
  /** Replaces `drainTimeout` for the old processes, in milliseconds; `false` for no limit. */
  readonly timeoutMs?: Timeout | undefined;
}

/** One number, and who has it. */
interface Slot {
  readonly number: number;
  current: Worker | undefined;
  /** Its successor in a reload, until it serves. */
  next: Worker | undefined;
}

interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

interface Reload extends Deferred {
  timeoutMs: number | undefined;
}

const RELOAD_OPTIONS = ['data', 'timeoutMs'] as const;
const INSPECT_OPTIONS = ['timeoutMs'] as const;

/** From best to worst. One that could not start, or was given up, had nothing left to lose. */
const SEVERITY: readonly string[] = ['failed', 'closed', 'aborted', 'dropped'];

const POLICIES: Record<Scheduling, number> = { roundRobin: nodeCluster.SCHED_RR, system: nodeCluster.SCHED_NONE };

const KIND: Kind<Cluster, ClusterCommand, ClusterEvents> = {
  name: 'cluster',
  made: 0,
  events: {
    running: true,
    started: true,
    exited: true,
    retry: true,
    replaced: true,
    gaveUp: true,
    reloaded: true,
    closed: true,
  },
  commands: {
    'workers.start': (cluster) => cluster.startWorkers(),
    'workers.reload': (cluster) => cluster.reloadWorkers(),
    'workers.close': (cluster, { timeoutMs }) => cluster.closeWorkers(timeoutMs),
    'workers.abort': (cluster, { cause }) => cluster.abortWorkers(cause),
    'workers.await': (cluster) => cluster.awaitWorkers(),
    'owner.running': (cluster) => cluster.announceRunning(),
  },
};

/** Several processes that serve as one. Made by {@link createCluster}. */
export class Cluster extends Handle<typeof clusterMachine, ClusterEvents> implements WorkerOwner {
  readonly #config: ClusterConfig;
  readonly #environment: Environment;
  readonly #slots: readonly Slot[];
  /** Every worker that has not ended, those that a reload has replaced included. */
  readonly #lives = new Set<Worker>();
  readonly #served = new Set<Worker>();
  readonly #ended: Outcome[] = [];
  /** Who waits for the successor of a reload to serve, or to end without having served. */
  readonly #successors = new Map<Worker, (outcome: Outcome | undefined) => void>();
  #data: unknown;
  #isAwaited = false;
  #started: Deferred | undefined;
  #startError: Error | undefined;
  #reload: Reload | undefined;
  #reloadAgain: Reload | undefined;

  /** @internal */
  constructor(options: ClusterOptions) {
    if (!nodeCluster.isPrimary) {
      throw new NotSupportedError('A worker cannot have workers: createCluster() is for the primary process.');
    }
    const config = checkedCluster(options);
    const data = checkedData(options.data);
    const environment = environmentOf(options);
    const signal = checkSignal('signal', options.signal);
    super(KIND, clusterMachine, undefined, environment, undefined);
    this.#environment = environment;
    this.#config = config;
    this.#data = data;
    this.#slots = Array.from({ length: config.workers }, (_, index) => ({
      number: index + 1,
      current: undefined,
      next: undefined,
    }));
    this.begin(signal);
  }

  /** Where its workers listen, with the real ports; empty while none of them serves. */
  get addresses(): PartAddress[] {
    const all = new Map<string, PartAddress>();
    for (const { current } of this.#slots) {
      for (const address of current?.addresses ?? []) all.set(JSON.stringify(address), address);
    }
    return [...all.values()];
  }

  /** The workers that live, in the order of their numbers; in a reload the old one and the new one. */
  get workers(): WorkerInfo[] {
    return [...this.#lives].map(({ info }) => info).sort((a, b) => a.number - b.number);
  }

  /**
   * Forks the workers, and waits until every one of them serves.
   *
   * @throws WorkerError when one of them cannot; the others are ended
   * @throws NotSupportedError where `node:cluster` was told another scheduling before
   * @throws ClosedError when its life is over
   */
  start(): Promise<void> {
    if (!this.matches('idle', 'starting', 'running')) {
      return Promise.reject(new ClosedError(this.id, this.outcome?.cause));
    }
    if (this.#started === undefined) {
      try {
        setScheduling(this.#config.scheduling);
      } catch (error) {
        return Promise.reject(error);
      }
      this.#started = deferred();
      this.life.send({ type: 'cluster.start' });
    }
    return this.#started.promise;
  }

  /**
   * Replaces every process by a new one, which loads the module anew: one worker after the other, each new process before
   * the old one drains, so that no capacity is lost. A worker that was given up is started again. Asked for during a
   * reload, it follows that one.
   *
   * @returns a promise that resolves when the last old process has gone
   * @throws OptionError
   * @throws WorkerError when a new process cannot start: the old one serves on, and so do those that were not replaced
   * @throws NotSupportedError while it does not run yet
   * @throws ClosedError when its life is over, or about to be
   */
  async reload(options: ReloadOptions = {}): Promise<void> {
    onlyKnown('reload', options, RELOAD_OPTIONS);
    const timeoutMs = options.timeoutMs === undefined ? undefined : timeout('timeoutMs', options.timeoutMs, 0);
    const data = 'data' in options ? checkedData(options.data) : this.#data;
    if (this.matches('idle', 'starting')) {
      throw new NotSupportedError(`${this.id} does not run yet: there is nothing to reload.`);
    }
    if (!this.matches('running')) throw new ClosedError(this.id, this.outcome?.cause);
    this.#data = data;
    if (this.matches('running.reloading')) {
      this.#reloadAgain ??= { ...deferred(), timeoutMs };
      this.#reloadAgain.timeoutMs = timeoutMs;
      return this.#reloadAgain.promise;
    }
    return this.#beginReload({ ...deferred(), timeoutMs });
  }

  /**
   * Asks every worker how it is. One that does not answer in time, or has no process, is told of without what only its
   * process knows.
   *
   * @param options `timeoutMs`: how long to wait for answers, in milliseconds. Default 1 000
   * @throws OptionError
   */
  async inspect(options: { readonly timeoutMs?: Timeout | undefined } = {}): Promise<WorkerReport[]> {
    onlyKnown('inspect', options, INSPECT_OPTIONS);
    const timeoutMs = timeout('timeoutMs', options.timeoutMs, 1_000);
    const lives = [...this.#lives].sort((a, b) => a.number - b.number);
    let timer: ReturnType<typeof this.clock.setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = this.clock.setTimeout(() => resolve(undefined), timeoutMs);
    });
    const answers = await Promise.all(lives.map((worker) => Promise.race([worker.inspect(), late])));
    if (timer !== undefined) this.clock.clearTimeout(timer);
    return lives.map(({ info }, index) => {
      const { memory, snapshot } = answers[index] ?? { memory: undefined, snapshot: undefined };
      return { ...info, memory, clients: total(snapshot, 'clients'), refused: total(snapshot, 'refused'), snapshot };
    });
  }

  /**
   * Not for a cluster: `node:cluster` holds the process as long as workers listen. Close it.
   *
   * @throws NotSupportedError
   */
  override unref(): this {
    throw new NotSupportedError('A cluster cannot be unref’d: node:cluster holds the process while workers listen.');
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), addresses: this.addresses, workers: this.workers };
  }

  workerRunning(worker: Worker, incarnation: number): void {
    this.#served.add(worker);
    this.notify(incarnation === 1 ? 'started' : 'replaced', worker.info);
    if (this.#slots.every(({ current }) => current !== undefined && this.#served.has(current))) {
      this.life.send({ type: 'workers.running' });
    }
    this.#successors.get(worker)?.(undefined);
  }

  workerExited(worker: Worker, { pid, code, signal }: Exit, cause: Cause): void {
    this.notify('exited', { worker: worker.info, pid, code, signal, cause });
  }

  workerRetry(worker: Worker, attempt: number, delayMs: number, cause: Cause): void {
    this.notify('retry', { worker: worker.info, attempt, delayMs, cause });
  }

  workerClosed(worker: Worker, outcome: Outcome): void {
    const { cause } = outcome;
    const hasServed = this.#served.delete(worker);
    const slot = this.#slots[worker.number - 1] as Slot;
    this.#lives.delete(worker);
    this.#ended.push(outcome);
    if (slot.current === worker) slot.current = undefined;
    if (slot.next === worker) slot.next = undefined;
    if (outcome.ending === 'failed') {
      if (hasServed) this.notify('gaveUp', { worker: worker.info, cause });
      this.#startError ??= new WorkerError(worker.number, cause);
      const isLast = this.#slots.every(({ current, next }) => current === undefined && next === undefined);
      if (this.matches('starting') || isLast) this.life.send({ type: 'workers.failed', cause });
    }
    this.#successors.get(worker)?.(outcome);
    this.#reportClosed();
  }

  protected override requestClose(timeoutMs: number | undefined): void {
    this.life.send({ type: 'cluster.close', ...(timeoutMs !== undefined && { timeoutMs }) });
  }

  protected override requestAbort(cause: Report | undefined): void {
    this.life.send({ type: 'cluster.abort', ...(cause !== undefined && { cause }) });
  }

  /** @internal */
  override commandFailed(_command: string, error: unknown): void {
    this.life.send({
      type: 'cluster.abort',
      cause: { initiator: 'library', manner: 'error', phase: 'command', code: 'command', error },
    });
  }

  protected override finished(outcome: Outcome): void {
    const error = new ClosedError(this.id, outcome.cause);
    this.#started?.reject(outcome.ending === 'failed' ? (this.#startError ?? error) : error);
    this.#reload?.reject(error);
    this.#reloadAgain?.reject(error);
  }

  /** @internal */
  startWorkers(): void {
    for (const slot of this.#slots) {
      slot.current = this.#makeWorker(slot.number);
      slot.current.start();
    }
  }

  /** @internal */
  closeWorkers(timeoutMs: number | undefined): void {
    this.#ended.length = 0;
    for (const worker of this.#lives) void worker.close(timeoutMs === undefined ? {} : { timeoutMs });
  }

  /** @internal */
  abortWorkers(cause: Cause): void {
    if (!this.#isAwaited) this.#ended.length = 0;
    for (const worker of this.#lives) void worker.abort(cause);
  }

  /** @internal */
  awaitWorkers(): void {
    this.#isAwaited = true;
    this.#reportClosed();
  }

  /** @internal */
  announceRunning(): void {
    this.#started?.resolve();
    this.notify('running');
  }

  /** @internal */
  reloadWorkers(): void {
    const reload = this.#reload as Reload;
    this.#replaceAll(reload.timeoutMs).then(
      () => {
        this.notify('reloaded');
        this.#endReload();
        reload.resolve();
      },
      (error) => {
        this.#endReload();
        reload.reject(error);
      },
    );
  }

  #makeWorker(number: number): Worker {
    const worker = new Worker(number, this.#data, this.#config, this, this.#environment);
    this.#lives.add(worker);
    return worker;
  }

  #beginReload(reload: Reload): Promise<void> {
    this.#reload = reload;
    this.life.send({ type: 'cluster.reload' });
    return reload.promise;
  }

  #endReload(): void {
    const again = this.#reloadAgain;
    this.#reloadAgain = undefined;
    this.#reload = undefined;
    this.life.send({ type: 'workers.reloaded' });
    if (again !== undefined && this.matches('running')) void this.#beginReload(again);
  }

  async #replaceAll(timeoutMs: number | undefined): Promise<void> {
    for (const slot of this.#slots) {
      const next = this.#makeWorker(slot.number);
      slot.next = next;
      const served = new Promise<Outcome | undefined>((resolve) => this.#successors.set(next, resolve));
      next.start();
      const outcome = await served;
      this.#successors.delete(next);
      this.#refuseWhenOver();
      if (outcome !== undefined) throw new WorkerError(slot.number, outcome.cause);
      const old = slot.current;
      slot.current = next;
      slot.next = undefined;
      await old?.close(timeoutMs === undefined ? {} : { timeoutMs });
      // Nothing is forked after a close or an abort.
      this.#refuseWhenOver();
    }
  }

  #refuseWhenOver(): void {
    if (!this.matches('running')) throw new ClosedError(this.id, this.outcome?.cause);
  }

  #reportClosed(): void {
    if (!this.#isAwaited || this.#lives.size > 0) return;
    const outcomes = this.#ended.filter(({ ending }) => ending !== 'failed');
    const worst = outcomes.reduce<Outcome | undefined>(
      (a, b) => (a !== undefined && SEVERITY.indexOf(a.ending) >= SEVERITY.indexOf(b.ending) ? a : b),
      undefined,
    );
    this.life.send({
      type: 'workers.closed',
      outcome: {
        ending: worst?.ending ?? 'closed',
        cause: worst?.cause ?? { initiator: 'owner', manner: 'close', phase: 'idle' },
        flushed: outcomes.every(({ flushed }) => flushed),
        ...(outcomes.some(({ truncated }) => truncated === true) && { truncated: true }),
      },
    });
  }
}

function deferred(): Deferred {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever does not look at it must not be ended by it.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** The sum of a number over the listeners of a proxy's snapshot, or the one of a listener's. */
function total(snapshot: unknown, name: 'clients' | 'refused'): number | undefined {
  if (snapshot === null || typeof snapshot !== 'object') return undefined;
  const { listeners, [name]: own } = snapshot as { listeners?: Record<string, unknown>[]; [more: string]: unknown };
  if (!Array.isArray(listeners)) return typeof own === 'number' ? own : undefined;
  return listeners.reduce((sum, listener) => sum + Number(listener[name] ?? 0), 0);
}

/** Node reads the policy once, when the first worker of the process is prepared. */
function setScheduling(scheduling: Scheduling | undefined): void {
  if (scheduling === undefined || nodeCluster.schedulingPolicy === POLICIES[scheduling]) return;
  if (Object.keys(nodeCluster.settings).length > 0) {
    throw new NotSupportedError(
      `This process has forked workers with another scheduling than "${scheduling}" already; node:cluster knows only one.`,
    );
  }
  nodeCluster.schedulingPolicy = POLICIES[scheduling];
}

/**
 * Makes a cluster: several processes that run the same module and serve the same addresses. It does nothing until
 * {@link Cluster.start} is called. A process that dies is replaced, while the connections of the others go on; a close
 * drains all of them at once.
 *
 * @throws OptionError
 * @throws NotSupportedError in a worker
 * @example
 * ```ts
 * // primary.mjs
 * import { createCluster } from 'sockchart/cluster';
 *
 * const cluster = createCluster({
 *   module: new URL('./worker.mjs', import.meta.url),
 *   data: { servers: [{ host: '127.0.0.1', port: 5432 }], clientsMax: 1_000 },
 * });
 * cluster.on('exited', ({ worker, cause }) => console.log(`worker ${worker.number} died`, cause));
 * await cluster.start();
 * console.log(cluster.addresses);
 * process.once('SIGTERM', () => cluster.close({ timeoutMs: 5_000 }));
 * process.on('SIGHUP', () => cluster.reload().catch(console.error));
 * ```
 */
export function createCluster(options: ClusterOptions): Cluster {
  return new Cluster(options);
}
