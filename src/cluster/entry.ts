/**
 * The program of a worker: loads the user's module, starts what that makes, and does what the primary says. It is no
 * part of the library's face; a primary forks it.
 */
import cluster from 'node:cluster';
import { ignoreOutputErrors } from '../adapters/process-signals.js';
import { BindError } from '../errors.js';
import { type Cause, NEVER_MS, type Outcome, type Report } from '../machines/vocabulary.js';
import { shareBy } from '../upstream/sharing.js';
import { packCause, packError, unpackCause } from './fields.js';
import {
  checkedAddress,
  type PartAddress,
  packOutcome,
  type StartMessage,
  type ToPrimary,
  type ToWorker,
  unwrapToWorker,
  wrap,
} from './messages.js';
import type { ClusterModule, ClusterPart } from './module.js';
import { SHARE_VERSION } from './share-messages.js';
import { WorkerSharing } from './sharing.js';

/** What its sets of servers share with those of the other workers. */
const sharing = new WorkerSharing((message) => say({ type: 'share', version: SHARE_VERSION, message }));

/** A terminal and a service manager send these to the whole group, and the primary decides what they mean. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const;

const METHODS = ['start', 'close', 'abort'] as const;

const NOTHING_STARTED: Outcome = {
  ending: 'closed',
  cause: { initiator: 'owner', manner: 'close', phase: 'idle' },
  flushed: true,
};

/** What the module has made, from the moment that it is being started. */
let part: ClusterPart | undefined;
let begun: StartMessage | undefined;
/** True once the end was asked for: by the primary, or by its loss. */
let isEnding = false;
/** True once the last word is on its way. */
let isDone = false;
let exitCode = 0;
let isOrphan = false;
/** Signals to stop that came since the primary is gone. */
let signals = 0;

function say(message: ToPrimary, then: () => void = () => {}): void {
  // Without a primary there is no channel; an error of the channel means the same.
  if (process.send === undefined || !process.connected) then();
  else process.send(wrap(message), undefined, undefined, then);
}

/**
 * The last word. The primary answers with `release`; connections that it had sent before that arrive first, and Node
 * gives them back, since nothing listens any more. Then the process ends, also if the module has left something running.
 */
function leave(message: ToPrimary, code: number): void {
  if (isDone) return;
  isDone = true;
  exitCode = code;
  say(message);
  if (!process.connected) process.exit(code);
}

/** Released: what Node has written before, such as the connections that go back, is written when this is. */
function exit(): void {
  if (isDone) say({ type: 'left' }, () => process.exit(exitCode));
}

function leaveWith(outcome: Outcome | undefined): void {
  // A part of the user's own making may resolve with anything.
  leave({ type: 'closed', outcome: packOutcome({ ...NOTHING_STARTED, ...outcome }) ?? NOTHING_STARTED }, 0);
}

function fail(error: unknown): void {
  leave({ type: 'failed', cause: packCause(reportOf(error)) }, 1);
}

/** Why there is nothing to serve: the library's own cause where there is one, such as that of a bind. */
function reportOf(error: unknown): Report {
  try {
    return readReport(error);
  } catch {
    // A field of it throws when it is read.
    return { initiator: 'owner', manner: 'error', code: 'UNKNOWN', error };
  }
}

function readReport(error: unknown): Report {
  const { cause, code, name } = (error ?? {}) as { cause?: Partial<Cause>; code?: unknown; name?: unknown };
  // Every address but a path ends in its port.
  if (error instanceof BindError && cause?.code === 'EADDRINUSE' && !/:\d+: /.test(error.message)) {
    error.message += ' A path is bound by one process for itself: let the workers share one, with sharedServer().';
  }
  const known = [cause?.code, code, name].find((candidate) => typeof candidate === 'string') as string | undefined;
  const { initiator = 'owner', manner = 'error', phase } = cause ?? {};
  return { initiator, manner, ...(phase !== undefined && { phase }), code: known ?? 'UNKNOWN', error };
}

async function make({ module: url, exportName, ...context }: StartMessage): Promise<ClusterPart> {
  const module = (await import(url)) as Record<string, unknown>;
  const factory = module[exportName];
  if (typeof factory !== 'function') {
    throw new TypeError(
      `${url} must export a function as "${exportName}"; it exports: ${Object.keys(module).join(', ')}.`,
    );
  }
  const { data, worker, workers, incarnation } = context;
  const made: unknown = await (factory as ClusterModule)({ data, worker, workers, incarnation });
  if (!isPart(made)) {
    throw new TypeError(
      `The function "${exportName}" of ${url} must return what has start(), close(), abort() and closed, such as createProxy() does.`,
    );
  }
  return made;
}

function isPart(made: unknown): made is ClusterPart {
  const candidate = (made ?? {}) as Partial<ClusterPart>;
  return (
    METHODS.every((method) => typeof candidate[method] === 'function') && typeof candidate.closed?.then === 'function'
  );
}

function addressesOf({ addresses, address }: ClusterPart): PartAddress[] {
  return [...(addresses ?? (address === undefined ? [] : [address]))].map((given) => {
    const checked = checkedAddress(given);
    if (checked === undefined) throw new TypeError('What the module made has an address that is none.');
    return checked;
  });
}

async function begin(message: StartMessage): Promise<void> {
  if (begun !== undefined) return;
  begun = message;
  if (message.shareVersion !== SHARE_VERSION) sharing.alone();
  try {
    const made = await make(message);
    if (isEnding) return;
    // A server that the others know to be down must get no client of this worker.
    await sharing.settled();
    if (isEnding) return;
    part = made;
    await made.start();
    // Told to end meanwhile: what comes of it is awaited already.
    if (isEnding) return;
    made.closed.then(leaveWith, fail);
    say({ type: 'ready', addresses: addressesOf(made) });
  } catch (error) {
    if (!isEnding) fail(error);
  }
}

/** Ends what was started, in the given way, and then the process. */
function end(how: (part: ClusterPart) => Promise<unknown>, nothing: Outcome): void {
  isEnding = true;
  if (part === undefined) {
    leaveWith(nothing);
    return;
  }
  part.closed.then(leaveWith, fail);
  try {
    how(part).catch(fail);
  } catch (error) {
    fail(error);
  }
}

function drain(timeoutMs: number): void {
  end((part) => part.close({ timeoutMs: timeoutMs >= NEVER_MS ? false : timeoutMs }), NOTHING_STARTED);
}

function abort(cause: Cause): void {
  end((part) => part.abort(cause), { ...NOTHING_STARTED, ending: 'aborted', cause: packCause(cause) });
}

function inspect(id: number): void {
  say({ type: 'inspected', id, memory: process.memoryUsage.rss(), snapshot: snapshot() });
}

/** What the part says of itself, as far as JSON can carry it. */
function snapshot(): unknown {
  try {
    return part === undefined ? undefined : JSON.parse(JSON.stringify(part));
  } catch {
    return undefined;
  }
}

/** The primary is gone: drain, then exit. */
function onOrphaned(): void {
  // Otherwise Node would exit at once, after the listeners of this event.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  isOrphan = true;
  sharing.alone();
  ignoreOutputErrors();
  if (isDone || begun === undefined) process.exit(exitCode);
  const { drainTimeoutMs } = begun;
  if (!isEnding) drain(drainTimeoutMs);
  exitAfter(drainTimeoutMs);
}

/** A part that does not end, or a process that the module holds, must not stay without a primary. */
function exitAfter(ms: number): void {
  if (ms < NEVER_MS) setTimeout(() => process.exit(1), ms + (begun as StartMessage).abortTimeoutMs).unref();
}

/** The primary decides what a signal means. An orphan drains already, which is what the first one asks for; another cuts. */
function onSignal(signal: string): void {
  if (signal === 'SIGHUP') ignoreOutputErrors();
  if (!isOrphan || ++signals < 2) return;
  abort({ initiator: 'owner', manner: 'abort', phase: 'closing', code: signal });
  exitAfter(0);
}

/** A process that dies must not leave streams behind that look complete: what it still relays is reset. */
function onExit(): void {
  if (isDone) return;
  try {
    void part?.abort({ initiator: 'system', manner: 'error', code: 'EXIT' });
  } catch {
    // It dies anyway.
  }
}

const ACTIONS: { readonly [K in ToWorker['type']]: (message: Extract<ToWorker, { type: K }>) => void } = {
  start: (message) => void begin(message),
  drain: ({ timeoutMs }) => drain(timeoutMs),
  abort: ({ cause }) => abort(unpackCause(cause)),
  release: exit,
  inspect: ({ id }) => inspect(id),
  share: ({ message }) => sharing.hears(message),
};

shareBy(sharing);

for (const signal of SIGNALS) process.on(signal, onSignal);
// Its default would end the process, and with it all streams as if they were complete.
process.on('SIGUSR2', () => {});
process.on('exit', onExit);
process.on('uncaughtExceptionMonitor', (error) => say({ type: 'crashed', error: packError(error) }));
cluster.worker?.on('disconnect', onOrphaned);
process.on('message', (received) => {
  const message = unwrapToWorker(received);
  if (message !== undefined) (ACTIONS[message.type] as (message: ToWorker) => void)(message);
});
say({ type: 'hello' });
