import nodeCluster from 'node:cluster';
import { ClosedError, NotSupportedError } from '../errors.js';
import { clusterInstance } from '../generated/cluster.js';
import { type Environment, environmentOf, Handle, type HandleKind, kindOf } from '../handle.js';
import type { ClusterCommand, ClusterEvent } from '../machines/cluster.js';
import type { Cause, Outcome } from '../machines/vocabulary.js';
import { signal as checkSignal, onlyKnown, type Timeout, timeout } from '../options.js';
import { type Deferred, optionalDeferred } from '../promise.js';
import { Coordinator, type Member } from './coordinator.js';
import { WorkerError } from './error.js';
import type { PartAddress } from './messages.js';
import { type ClusterConfig, type ClusterOptions, checkedCluster, checkedData } from './options.js';
import { outcomeOf } from './outcome.js';
import { reportsOf, type WorkerReport } from './reports.js';
import { setScheduling } from './scheduling.js';
import { ClusterServers } from './servers.js';
import type { ShareToPrimary } from './share-messages.js';
import { type Exit, Worker, type WorkerInfo, workerProgram } from './worker.js';

/** Events of a cluster. */
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
  /** It has ended: every worker is gone. */
  closed: [Outcome];
};

/** Options of `Cluster.reload`. */
export interface ReloadOptions {
  /**
   * Replaces what the module gets as `data`, from now on; not if the reload fails. Default: what it got before.
   */
  readonly data?: unknown;
  /**
   * Replaces `drainTimeout` for the processes that go, in milliseconds; `false` for no limit. These are the old ones; or
   * the new ones, if one of them cannot start.
   */
  readonly timeoutMs?: Timeout | undefined;
}

/** A worker's number, and which worker has it. */
interface Slot {
  readonly number: number;
  current: Worker | undefined;
  /** Its successor in a reload, until all of them serve. */
  next: Worker | undefined;
}

const RELOAD_OPTIONS = ['data', 'timeoutMs'] as const;
const INSPECT_OPTIONS = ['timeoutMs'] as const;

/** Several processes that serve as one. Made by {@link createCluster}. */
export class Cluster extends Handle<ClusterEvent, ClusterEvents> {
  /** @internal */
  static readonly kind: HandleKind<Cluster, ClusterCommand, ClusterEvents> = {
    ...kindOf('cluster', clusterInstance),
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
      'workers.start': (cluster) => cluster.#startWorkers(),
      'newWorkers.start': (cluster) => cluster.#startNewWorkers(),
      'newWorkers.close': (cluster, { timeoutMs }) => cluster.#closeNewWorkers(timeoutMs),
      'oldWorkers.close': (cluster, { timeoutMs }) => cluster.#closeOldWorkers(timeoutMs),
      'workers.close': (cluster, { timeoutMs }) => cluster.#closeWorkers(timeoutMs),
      'workers.abort': (cluster, { cause }) => cluster.#abortWorkers(cause),
      'workers.await': (cluster) => cluster.#awaitWorkers(),
      'owner.running': (cluster) => cluster.#announceRunning(),
      'owner.reloaded': (cluster) => cluster.#announceReloaded(),
      'owner.reloadFailed': (cluster) => cluster.#announceReloadFailed(),
    },
  };

  readonly #config: ClusterConfig;
  readonly #environment: Environment;
  readonly #slots: readonly Slot[];
  /** Every worker that has not ended, those that a reload has replaced included. */
  readonly #living = new Set<Worker>();
  readonly #served = new Set<Worker>();
  readonly #ended: Outcome[] = [];
  /** Those of a reload that were told to go: the old ones, or the new ones if one of these cannot start. */
  readonly #leaving = new Set<Worker>();
  /** What the module gets, as those got it that serve. */
  #data: unknown;
  /** What it gets in the reload that begins next; nothing if that one brings no other. */
  #dataNext: { readonly data: unknown } | undefined;
  #reloadData: unknown;
  /** Counts what modules get. */
  #generation = 1;
  #generationData: unknown;
  /** What workers share. */
  readonly #coordinator: Coordinator;
  #isAwaited = false;
  #started: Deferred<void> | undefined;
  #startError: Error | undefined;
  #reload: Deferred<void> | undefined;
  #reloadAgain: Deferred<void> | undefined;
  #reloadError: Error | undefined;
  /** Why a worker failed last. */
  #failure: Cause | undefined;

  /** @internal */
  constructor(options: ClusterOptions) {
    if (!nodeCluster.isPrimary) {
      throw new NotSupportedError('A worker cannot have workers: createCluster() is for the primary process.');
    }
    if (workerProgram() === undefined) {
      throw new NotSupportedError(
        'The program of the workers is not found beside the library. In a clone "npm run build" makes it; a bundled program must leave the package sockchart out of its bundle (external).',
      );
    }
    const config = checkedCluster(options);
    const data = checkedData(options.data);
    const environment = environmentOf(options);
    const signal = checkSignal('signal', options.signal);
    super(Cluster.kind, undefined, environment, undefined);
    this.#environment = environment;
    this.#config = config;
    this.#data = data;
    this.#generationData = data;
    this.#coordinator = new Coordinator(config.workers, environment.clock);
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

  /** The sets of servers that its workers share; empty while none of them serves. See docs/cluster.md. */
  get servers(): ClusterServers[] {
    return this.#coordinator.names.map((name) => new ClusterServers(this.#coordinator, name));
  }

  /** The workers that live, in the order of their numbers; in a reload the old one and the new one. */
  get workers(): WorkerInfo[] {
    return [...this.#living].map(({ info }) => info).sort((a, b) => a.number - b.number);
  }

  /**
   * Forks the workers, and waits until every one of them serves.
   *
   * @throws WorkerError when one of them cannot; the others are ended
   * @throws NotSupportedError where `node:cluster` was told another scheduling before
   * @throws ClosedError when it has ended
   */
  start(): Promise<void> {
    if (this.hasTag('ending')) {
      return Promise.reject(new ClosedError(this.id, this.outcome?.cause));
    }
    if (this.#started === undefined) {
      try {
        setScheduling(this.#config.scheduling);
      } catch (error) {
        return Promise.reject(error);
      }
      this.#started = optionalDeferred();
      this.instance.send({ type: 'cluster.start' });
    }
    return this.#started.promise;
  }

  /**
   * Replaces every process by a new one, which loads the module anew. All new processes start beside the old ones; when every
   * new one serves, the old ones accept no connection any more, and drain. No connection is lost by it, and capacity is
   * never less; for that time there are twice the processes. A worker that was given up is started again. Asked for during
   * a reload, it follows that one, once for all that were asked for, with the latest `data`.
   *
   * @returns a promise that resolves when the last old process has gone
   * @throws OptionError
   * @throws WorkerError when a new process cannot start: all old ones serve on, and the new ones have gone
   * @throws NotSupportedError while it does not run yet
   * @throws ClosedError when it has ended, or is about to end
   * @example
   * ```ts
   * // From the moment that all new workers serve, no new connection reaches the server that was left out.
   * await cluster.reload({ data: { servers: [{ host: '127.0.0.1', port: 5433 }] }, timeoutMs: 10_000 });
   * ```
   */
  async reload(options: ReloadOptions = {}): Promise<void> {
    onlyKnown('reload', options, RELOAD_OPTIONS);
    const timeoutMs = options.timeoutMs === undefined ? undefined : timeout('timeoutMs', options.timeoutMs, 0);
    const dataNext = 'data' in options ? { data: checkedData(options.data) } : this.#dataNext;
    if (this.hasTag('ending')) throw new ClosedError(this.id, this.outcome?.cause);
    if (!this.hasTag('running')) {
      throw new NotSupportedError(`${this.id} does not run yet: there is nothing to reload.`);
    }
    this.#dataNext = dataNext;
    this.#reloadAgain ??= optionalDeferred();
    const { promise } = this.#reloadAgain;
    this.instance.send({ type: 'cluster.reload', ...(timeoutMs !== undefined && { timeoutMs }) });
    return promise;
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
    return reportsOf(
      [...this.#living].sort((a, b) => a.number - b.number),
      this.clock,
      timeoutMs,
    );
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
    return { ...super.toJSON(), addresses: this.addresses, workers: this.workers, servers: this.servers };
  }

  /** @internal */
  workerRunning(worker: Worker, incarnation: number): void {
    this.#served.add(worker);
    this.notify(incarnation === 1 ? 'started' : 'replaced', worker.info);
    const slots = this.#slots;
    if (slots.every(({ next }) => isServing(next))) this.instance.send({ type: 'newWorkers.running' });
    else if (slots.every(({ current }) => isServing(current))) this.instance.send({ type: 'workers.running' });
  }

  /** @internal */
  workerExited(worker: Worker, { pid, code, signal }: Exit, cause: Cause): void {
    this.notify('exited', { worker: worker.info, pid, code, signal, cause });
  }

  /** @internal */
  workerRetry(worker: Worker, attempt: number, delayMs: number, cause: Cause): void {
    this.notify('retry', { worker: worker.info, attempt, delayMs, cause });
  }

  /** @internal */
  workerClosed(worker: Worker, outcome: Outcome): void {
    const { cause } = outcome;
    const hasServed = this.#served.delete(worker);
    const slot = this.#slots[worker.number - 1] as Slot;
    const isNew = slot.next === worker;
    this.#living.delete(worker);
    this.#ended.push(outcome);
    if (slot.current === worker) slot.current = undefined;
    if (isNew) slot.next = undefined;
    if (outcome.ending === 'failed') {
      this.#failure = cause;
      if (hasServed) this.notify('gaveUp', { worker: worker.info, cause });
      this.#startError ??= new WorkerError(worker.number, cause);
      if (this.hasTag('starting')) this.instance.send({ type: 'workers.failed', cause });
      if (isNew && this.hasTag('startsNew')) {
        this.#reloadError ??= new WorkerError(worker.number, cause);
        this.instance.send({ type: 'newWorkers.failed', cause });
      }
    }
    this.#reportGone();
    if (this.#leaving.delete(worker)) this.#reportLeft();
    this.#reportClosed();
  }

  /** @internal */
  workerShares(member: Member, message: ShareToPrimary): void {
    this.#coordinator.heard(member, message);
  }

  /** @internal */
  workerLeft(member: Member): void {
    this.#coordinator.left(member);
  }

  /** @internal */
  override commandFailed(_command: string, error: unknown): void {
    this.instance.send({
      type: 'cluster.abort',
      cause: { initiator: 'library', manner: 'error', phase: 'command', code: 'command', error },
    });
  }

  /** @internal */
  protected override finished(outcome: Outcome): void {
    this.#coordinator.end();
    const error = new ClosedError(this.id, outcome.cause);
    this.#started?.reject(outcome.ending === 'failed' ? (this.#startError ?? error) : error);
    this.#reload?.reject(this.#reloadError ?? error);
    this.#reloadAgain?.reject(error);
  }

  #startWorkers(): void {
    for (const slot of this.#slots) {
      slot.current = this.#makeWorker(slot.number, this.#data);
      slot.current.start();
    }
  }

  #closeWorkers(timeoutMs: number | undefined): void {
    this.#ended.length = 0;
    for (const worker of this.#living) void worker.close(timeoutMs === undefined ? {} : { timeoutMs });
  }

  #abortWorkers(cause: Cause): void {
    if (!this.#isAwaited) this.#ended.length = 0;
    for (const worker of this.#living) void worker.abort(cause);
  }

  #awaitWorkers(): void {
    this.#isAwaited = true;
    this.#reportClosed();
  }

  #announceRunning(): void {
    this.#started?.resolve();
    this.notify('running');
  }

  #startNewWorkers(): void {
    this.#reload = this.#reloadAgain;
    this.#reloadAgain = undefined;
    this.#reloadError = undefined;
    this.#reloadData = this.#dataNext === undefined ? this.#data : this.#dataNext.data;
    this.#dataNext = undefined;
    for (const slot of this.#slots) slot.next = this.#makeWorker(slot.number, this.#reloadData);
    // The first that cannot start withdraws the others, started or not.
    for (const { next } of this.#slots) next?.start();
  }

  #closeNewWorkers(timeoutMs: number | undefined): void {
    this.#closeSome(
      this.#slots.map(({ next }) => next),
      timeoutMs,
    );
  }

  #closeOldWorkers(timeoutMs: number | undefined): void {
    this.#data = this.#reloadData;
    const old = this.#slots.map(({ current }) => current);
    for (const slot of this.#slots) {
      slot.current = slot.next;
      slot.next = undefined;
    }
    this.#closeSome(old, timeoutMs);
  }

  #announceReloaded(): void {
    this.notify('reloaded');
    this.#reload?.resolve();
  }

  #announceReloadFailed(): void {
    this.#reload?.reject(this.#reloadError);
  }

  #makeWorker(number: number, data: unknown): Worker {
    if (data !== this.#generationData) {
      this.#generationData = data;
      this.#generation++;
    }
    const worker = new Worker(number, data, this.#config, this, this.#environment, this.#generation);
    this.#living.add(worker);
    return worker;
  }

  #closeSome(workers: readonly (Worker | undefined)[], timeoutMs: number | undefined): void {
    const some = workers.filter((worker) => worker !== undefined);
    for (const worker of some) this.#leaving.add(worker);
    for (const worker of some) void worker.close(timeoutMs === undefined ? {} : { timeoutMs });
    if (some.length === 0) this.#reportLeft();
  }

  /** The last one of those that leave has gone. */
  #reportLeft(): void {
    if (this.#leaving.size > 0) return;
    const isWithdrawn = this.hasTag('withdrawsNew');
    this.instance.send({ type: isWithdrawn ? 'newWorkers.closed' : 'oldWorkers.closed' });
  }

  /** No worker serves, and none will. */
  #reportGone(): void {
    if (this.#failure === undefined || !this.hasTag('running')) return;
    if (this.#slots.some(({ current, next }) => current !== undefined || next !== undefined)) return;
    this.instance.send({ type: 'workers.failed', cause: this.#failure });
  }

  #reportClosed(): void {
    if (!this.#isAwaited || this.#living.size > 0) return;
    this.instance.send({ type: 'workers.closed', outcome: outcomeOf(this.#ended) });
  }
}

const isServing = (worker: Worker | undefined): boolean => worker?.hasTag('running') === true;

/**
 * Makes a cluster: several processes that run the same module and serve the same addresses. It does nothing until
 * {@link Cluster.start} is called. A process that dies is replaced, while the connections of the others go on; a close
 * drains all of them at once.
 *
 * @throws OptionError
 * @throws NotSupportedError in a worker, and in a bundle that has the library in it
 * @example
 * ```ts
 * // primary.mjs
 * import { closeOnSignals } from 'sockchart';
 * import { createCluster } from 'sockchart/cluster';
 *
 * const cluster = createCluster({
 *   module: new URL('./worker.mjs', import.meta.url),
 *   data: { servers: [{ host: '127.0.0.1', port: 5432 }], clientsMax: 1_000 },
 * });
 * cluster.on('exited', ({ worker, cause }) => console.log(`worker ${worker.number} died`, cause));
 * closeOnSignals(cluster, { signals: ['SIGTERM', 'SIGINT', 'SIGQUIT'], timeoutMs: 5_000 });
 * await cluster.start();
 * console.log(cluster.addresses);
 * process.on('SIGHUP', () => cluster.reload().catch(console.error));
 * ```
 */
export function createCluster(options: ClusterOptions): Cluster {
  return new Cluster(options);
}
