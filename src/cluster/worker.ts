import cluster, { type Worker as NodeWorker } from 'node:cluster';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { workerInstance } from '../generated/worker.js';
import { type Environment, Handle, type HandleKind, kindOf } from '../handle.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import type { WorkerCommand, WorkerEvent } from '../machines/worker.js';
import type { Member } from './coordinator.js';
import { packCause, unpackCause, unpackError } from './fields.js';
import { type PartAddress, type ToPrimary, type ToWorker, unwrapToPrimary, wrap } from './messages.js';
import type { ClusterConfig } from './options.js';
import { SHARE_VERSION, type ShareToPrimary } from './share-messages.js';

/**
 * The program of a worker: as far from the sources as from what is built. A bundle has no such file, may have no URL of
 * its own, and must be imported all the same.
 */
export function workerProgram(): string | undefined {
  const relative = '../../dist/cluster/entry.js';
  if (!URL.canParse(relative, import.meta.url)) return undefined;
  const file = fileURLToPath(new URL(relative, import.meta.url));
  return existsSync(file) ? file : undefined;
}

/** How a process ended: with a code, or by a signal. */
export interface Exit {
  readonly pid: number | undefined;
  readonly code: number | null;
  readonly signal: string | null;
}

/** The cluster of a worker. */
export interface WorkerOwner {
  /** A process of it serves. */
  workerRunning(worker: Worker, incarnation: number): void;
  /** A process of it is gone that was not told to go. */
  workerExited(worker: Worker, exit: Exit, cause: Cause): void;
  workerRetry(worker: Worker, attempt: number, delayMs: number, cause: Cause): void;
  workerClosed(worker: Worker, outcome: Outcome): void;
  /** A process of it has something to share. */
  workerShares(member: Member, message: ShareToPrimary): void;
  /** That process is gone. */
  workerLeft(member: Member): void;
}

/** What a process says of itself when asked. */
export interface Inspection {
  readonly memory: number;
  readonly snapshot: unknown;
}

/** What can be seen of a worker. */
export interface WorkerInfo {
  /** Its name on the transition channel: `worker#3`. A reload makes another one with the same number. */
  readonly id: string;
  /** From 1. */
  readonly number: number;
  /** Of the running process, if one does. */
  readonly pid: number | undefined;
  /** Where it is, such as `serving.running`, `serving.waiting` or `draining`. */
  readonly state: string;
  /** Counts its processes: 1 until the first was replaced. */
  readonly incarnation: number;
  /** Where it listens; empty while it does not serve. */
  readonly addresses: readonly PartAddress[];
}

const KIND: HandleKind<Worker, WorkerCommand> = {
  ...kindOf('worker', workerInstance),
  events: { closed: true },
  commands: {
    'process.fork': (worker, { incarnation }) => worker.fork(incarnation),
    'process.drain': (worker, { timeoutMs }) => worker.tell({ type: 'drain', timeoutMs }),
    'process.abort': (worker, { cause }) => worker.tell({ type: 'abort', cause: packCause(cause) }),
    'process.release': (worker) => worker.tell({ type: 'release' }),
    'process.kill': (worker) => worker.kill(),
    'restart.choose': (worker, { attempts }) => worker.chooseRestart(attempts),
    'owner.running': (worker, { incarnation }) => worker.announceRunning(incarnation),
    'owner.exited': (worker, { cause }) => worker.announceExit(cause),
    'owner.retry': (worker, { attempt, delayMs, cause }) => worker.announceRetry(attempt, delayMs, cause),
  },
};

const REPORTS: {
  readonly [K in ToPrimary['type']]: (worker: Worker, message: Extract<ToPrimary, { type: K }>) => void;
} = {
  hello: (worker) => worker.processListens(),
  ready: (worker, { addresses }) => worker.processReady(addresses),
  failed: (worker, { cause }) => worker.report({ type: 'process.failed', cause: unpackCause(cause) }),
  closed: (worker, { outcome }) =>
    worker.report({ type: 'process.closed', outcome: { ...outcome, cause: unpackCause(outcome.cause) } }),
  crashed: (worker, { error }) => worker.processCrashed(unpackError(error)),
  inspected: (worker, { id, memory, snapshot }) => worker.processInspected(id, { memory, snapshot }),
  share: (worker, { message }) => worker.processShares(message),
  // Its exit follows.
  left: () => {},
};

/** One place in a cluster. */
export class Worker extends Handle<WorkerEvent, { closed: [Outcome] }> {
  #addresses: readonly PartAddress[] = [];
  #incarnation = 0;
  #process: NodeWorker | undefined;
  /** The process, as it shares. */
  #member: Member | undefined;
  /** What waits for the process to listen; nothing once it does. */
  #unsaid: ToWorker[] | undefined;
  #crash: Error | undefined;
  #exit: Exit = { pid: undefined, code: null, signal: null };
  #inspections = 0;
  readonly #asked = new Map<number, (inspection: Inspection | undefined) => void>();

  constructor(
    readonly number: number,
    readonly data: unknown,
    readonly config: ClusterConfig,
    readonly owner: WorkerOwner & { readonly id: string },
    environment: Environment,
    /** Counts what modules get as `data`. */
    readonly generation = 1,
  ) {
    super(KIND, { settings: config.settings }, environment, owner);
    this.begin();
  }

  get info(): WorkerInfo {
    const { id, number, pid, state, addresses } = this;
    return { id, number, pid, state, incarnation: this.#incarnation, addresses };
  }

  /** Where its process listens; empty unless it serves. */
  get addresses(): readonly PartAddress[] {
    return this.hasTag('running') ? this.#addresses : [];
  }

  get pid(): number | undefined {
    return this.#process?.process.pid;
  }

  start(): void {
    this.instance.send({ type: 'worker.start' });
  }

  /** Asks the process what it has; nothing where there is none, or it goes without an answer. */
  inspect(): Promise<Inspection | undefined> {
    if (!this.hasTag('answers')) return Promise.resolve(undefined);
    const id = ++this.#inspections;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.tell({ type: 'inspect', id });
    });
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), ...this.info };
  }

  report(event: { type: 'process.failed'; cause: Report } | { type: 'process.closed'; outcome: Outcome }): void {
    this.instance.send(event);
  }

  processReady(addresses: readonly PartAddress[]): void {
    this.#addresses = addresses;
    this.instance.send({ type: 'process.ready' });
  }

  processCrashed(error: Error): void {
    this.#crash = error;
  }

  processInspected(id: number, inspection: Inspection | undefined): void {
    this.#asked.get(id)?.(inspection);
    this.#asked.delete(id);
  }

  fork(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#crash = undefined;
    const worker = this.inContext(forkEntry, this.config);
    this.#process = worker;
    this.#member = {
      generation: this.generation,
      say: (message) => {
        if (this.#process === worker) this.tell({ type: 'share', version: SHARE_VERSION, message });
      },
    };
    this.#unsaid = [];
    const child = worker.process;
    let exit: Exit | undefined;
    const gone = (): void => {
      // What it said last may be read only after its exit is known: the channel's end comes after every message.
      if (exit !== undefined && !child.connected) this.#exited(exit);
    };
    worker.on('message', (received: unknown) => {
      const message = unwrapToPrimary(received);
      if (message !== undefined) (REPORTS[message.type] as (worker: Worker, message: ToPrimary) => void)(this, message);
    });
    worker.once('exit', (code: number | null, signal: string | null) => {
      exit = { pid: child.pid, code, signal };
      gone();
    });
    worker.once('disconnect', gone);
    worker.on('error', (error: NodeJS.ErrnoException) => {
      // One that was never spawned does not exit. Of any other this is a message that did not reach it: it is leaving.
      if (child.pid === undefined)
        this.#lost({ initiator: 'system', manner: 'error', code: error.code ?? 'fork', error });
    });
    const { module, exportName, workers, settings } = this.config;
    this.tell({
      type: 'start',
      module,
      exportName,
      data: this.data,
      worker: this.number,
      workers,
      incarnation,
      drainTimeoutMs: settings.drainTimeout,
      abortTimeoutMs: settings.abortTimeout,
      shareVersion: SHARE_VERSION,
    });
  }

  processShares(message: ShareToPrimary): void {
    if (this.#member !== undefined) this.owner.workerShares(this.#member, message);
  }

  processListens(): void {
    const unsaid = this.#unsaid ?? [];
    this.#unsaid = undefined;
    for (const message of unsaid) this.tell(message);
  }

  tell(message: ToWorker): void {
    if (this.#unsaid !== undefined) {
      this.#unsaid.push(message);
      return;
    }
    // A channel that is closed says so to the callback; the exit that follows is what matters.
    this.#process?.process.send(wrap(message), undefined, undefined, () => {});
  }

  kill(): void {
    this.#process?.process.kill('SIGKILL');
  }

  chooseRestart(attempts: number): void {
    const delayMs = this.config.backoff.delayMs(Math.max(0, attempts - 1), Math.random());
    this.instance.send({ type: 'restart.deferred', delayMs });
  }

  announceRunning(incarnation: number): void {
    this.owner.workerRunning(this, incarnation);
  }

  announceExit(cause: Cause): void {
    this.owner.workerExited(this, this.#exit, cause);
  }

  announceRetry(attempt: number, delayMs: number, cause: Cause): void {
    this.owner.workerRetry(this, attempt, delayMs, cause);
  }

  #exited(exit: Exit): void {
    this.#exit = exit;
    const error = this.#crash;
    const code = exit.signal ?? `EXIT_${exit.code}`;
    this.#lost({ initiator: 'system', manner: 'error', code, ...(error !== undefined && { error }) });
  }

  #lost(cause: Report): void {
    const member = this.#member;
    this.#process = undefined;
    this.#member = undefined;
    if (member !== undefined) this.owner.workerLeft(member);
    for (const id of [...this.#asked.keys()]) this.processInspected(id, undefined);
    this.instance.send({ type: 'process.exited', cause });
  }

  /** @internal */
  override commandFailed(command: string, error: unknown): void {
    // A process that cannot be told must not live on unseen; its exit follows.
    if (command !== 'process.fork' && this.#process !== undefined) {
      this.kill();
      return;
    }
    const { code } = error as NodeJS.ErrnoException;
    this.#lost({ initiator: 'system', manner: 'error', phase: 'command', code: code ?? 'fork', error });
  }

  protected override finished(outcome: Outcome): void {
    // One that not even SIGKILL has ended must not hold the primary.
    this.#process?.process.unref();
    this.#process?.process.channel?.unref();
    this.owner.workerClosed(this, outcome);
  }
}

/** Forks the program of a worker, and leaves `node:cluster` as it was for other code in this process. */
function forkEntry({ env, execArgv }: ClusterConfig): NodeWorker {
  const before = {
    exec: process.argv[1] as string,
    args: process.argv.slice(2),
    execArgv: process.execArgv,
    serialization: 'json' as const,
    ...cluster.settings,
  };
  cluster.setupPrimary({
    exec: workerProgram() as string,
    args: [],
    // Maps, dates and the like arrive as what they are.
    serialization: 'advanced',
    ...(execArgv !== undefined && { execArgv: [...execArgv] }),
  });
  try {
    return cluster.fork(env);
  } finally {
    cluster.setupPrimary(before);
  }
}
