/** What a primary and its workers say to each other over the channel that Node opens between them. */
import {
  type Cause,
  type Ending,
  type Initiator,
  type Manner,
  NEVER_MS,
  type Outcome,
  type Phase,
  type Report,
} from '../machines/vocabulary.js';

/** Where a part listens, as it reports it. */
export type PartAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** What a worker needs to know to begin. */
export interface StartMessage {
  readonly type: 'start';
  /** A URL. */
  readonly module: string;
  readonly exportName: string;
  readonly data: unknown;
  readonly worker: number;
  readonly workers: number;
  readonly incarnation: number;
  /** What an orphan gives its connections. */
  readonly drainTimeoutMs: number;
  readonly abortTimeoutMs: number;
}

export type ToWorker =
  | StartMessage
  | { readonly type: 'drain'; readonly timeoutMs: number }
  | { readonly type: 'abort'; readonly cause: Cause }
  /** It has said its last word, and nothing is on its way to it any more: it may exit. */
  | { readonly type: 'release' }
  | { readonly type: 'inspect'; readonly id: number };

export type ToPrimary =
  /** It listens to messages now: what was sent before would be lost. */
  | { readonly type: 'hello' }
  | { readonly type: 'ready'; readonly addresses: readonly PartAddress[] }
  | { readonly type: 'failed'; readonly cause: Report }
  | { readonly type: 'closed'; readonly outcome: Outcome }
  /** An uncaught exception: the process is about to die of it. */
  | { readonly type: 'crashed'; readonly error: unknown }
  | { readonly type: 'inspected'; readonly id: number; readonly memory: number; readonly snapshot: unknown }
  /** The end of all that it sends: once this is written, everything before it is, and the process exits. */
  | { readonly type: 'left' };

/** The modules of a user may send messages of their own: ours are wrapped. */
const KEY = 'sockchart:cluster';

export function wrap(message: ToWorker | ToPrimary): Record<string, unknown> {
  return { [KEY]: message };
}

/** A message of ours from a worker, made of what is checked; nothing for any other, such as one of the user's module. */
export const unwrapToPrimary = (received: unknown): ToPrimary | undefined => unwrap(received, TO_PRIMARY);

/** The same, from the primary. */
export const unwrapToWorker = (received: unknown): ToWorker | undefined => unwrap(received, TO_WORKER);

/** For each type what such a message says, or nothing if it is malformed. */
type Checks<M extends { readonly type: string }> = {
  readonly [K in M['type']]: (fields: Fields) => Omit<Extract<M, { type: K }>, 'type'> | undefined;
};

type Fields = Readonly<Record<string, unknown>>;

function unwrap<M extends { readonly type: string }>(received: unknown, checks: Checks<M>): M | undefined {
  const ours = fieldsOf(fieldsOf(received)?.[KEY]);
  if (ours === undefined) return undefined;
  const { type } = ours;
  if (!isText(type) || !Object.hasOwn(checks, type)) return undefined;
  const said = checks[type as M['type']](ours);
  return said === undefined ? undefined : ({ type, ...said } as unknown as M);
}

const fieldsOf = (value: unknown): Fields | undefined =>
  value !== null && typeof value === 'object' ? (value as Fields) : undefined;

const isText = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isWait = (value: unknown): value is number => typeof value === 'number' && value > 0 && value <= NEVER_MS;
const isMaybeText = (value: unknown): value is string | undefined => value === undefined || isText(value);

const INITIATORS: ReadonlySet<unknown> = new Set<Initiator>(['peer', 'owner', 'library', 'system']);
const MANNERS: ReadonlySet<unknown> = new Set<Manner>([
  ...(['end', 'reset', 'refusal', 'timeout', 'error', 'close', 'abort', 'destroy', 'handOver', 'limit'] as const),
]);
const PHASES: ReadonlySet<unknown> = new Set<Phase>([
  ...(['idle', 'routing', 'choosing', 'waiting', 'connecting', 'preparing', 'disposing', 'binding'] as const),
  ...(['listening', 'accepted', 'established', 'starting', 'serving', 'closing', 'command'] as const),
]);
const LEGS: ReadonlySet<unknown> = new Set<NonNullable<Cause['leg']>>(['client', 'backend']);
const ENDINGS: ReadonlySet<unknown> = new Set<Ending>([
  ...(['ended', 'closed', 'aborted', 'dropped', 'handedOver', 'refused', 'failed'] as const),
]);

/** Where a part says that it listens, if it says so rightly. */
export function checkedAddress(value: unknown): PartAddress | undefined {
  const { host, port, path } = fieldsOf(value) ?? {};
  if (isText(path)) return { path };
  return isText(host) && isCount(port) && port <= 65_535 ? { host, port } : undefined;
}

function checkedError(value: unknown): PackedError | undefined {
  const { name, message, stack, code } = fieldsOf(value) ?? {};
  return isText(name) && isText(message) && isMaybeText(stack) && isMaybeText(code)
    ? { name, message, stack, code }
    : undefined;
}

/** A report whose error is packed; nothing if it is none. */
function checkedReport(value: unknown): Report | undefined {
  const { initiator, manner, phase, code, error, leg } = fieldsOf(value) ?? {};
  if (!INITIATORS.has(initiator) || !MANNERS.has(manner)) return undefined;
  if ((phase !== undefined && !PHASES.has(phase)) || !isMaybeText(code)) return undefined;
  if (leg !== undefined && !LEGS.has(leg)) return undefined;
  const packed = error === undefined ? undefined : checkedError(error);
  if (error !== undefined && packed === undefined) return undefined;
  return {
    initiator: initiator as Initiator,
    manner: manner as Manner,
    ...(phase !== undefined && { phase: phase as Phase }),
    ...(code !== undefined && { code }),
    ...(leg !== undefined && { leg: leg as 'client' | 'backend' }),
    ...(packed !== undefined && { error: packed }),
  };
}

function checkedCause(value: unknown): Cause | undefined {
  const report = checkedReport(value);
  return report?.phase === undefined ? undefined : (report as Cause);
}

/** How a part has ended, as data; nothing if that is no outcome. */
export function packOutcome(value: unknown): Outcome | undefined {
  const { ending, cause, flushed, truncated } = fieldsOf(value) ?? {};
  return checkedOutcome({ ending, flushed, truncated, cause: fieldsOf(cause) && packCause(cause as Cause) });
}

function checkedOutcome(value: unknown): Outcome | undefined {
  const { ending, cause, flushed, truncated } = fieldsOf(value) ?? {};
  const checked = checkedCause(cause);
  if (!ENDINGS.has(ending) || checked === undefined || typeof flushed !== 'boolean') return undefined;
  return { ending: ending as Ending, cause: checked, flushed, ...(truncated === true && { truncated }) };
}

const TO_PRIMARY: Checks<ToPrimary> = {
  hello: () => ({}),
  ready({ addresses }) {
    const checked = Array.isArray(addresses) ? Array.from(addresses, checkedAddress) : [undefined];
    return checked.every((address) => address !== undefined) ? { addresses: checked } : undefined;
  },
  failed({ cause }) {
    const checked = checkedReport(cause);
    return checked && { cause: checked };
  },
  closed({ outcome }) {
    const checked = checkedOutcome(outcome);
    return checked && { outcome: checked };
  },
  crashed({ error }) {
    const checked = checkedError(error);
    return checked && { error: checked };
  },
  inspected: ({ id, memory, snapshot }) =>
    isCount(id) && typeof memory === 'number' ? { id, memory, snapshot } : undefined,
  left: () => ({}),
};

const TO_WORKER: Checks<ToWorker> = {
  start({ module, exportName, data, worker, workers, incarnation, drainTimeoutMs, abortTimeoutMs }) {
    if (!isText(module) || !isText(exportName) || !isWait(drainTimeoutMs) || !isWait(abortTimeoutMs)) return undefined;
    if (!isCount(worker) || !isCount(workers) || !isCount(incarnation)) return undefined;
    return { module, exportName, data, worker, workers, incarnation, drainTimeoutMs, abortTimeoutMs };
  },
  drain: ({ timeoutMs }) => (isWait(timeoutMs) ? { timeoutMs } : undefined),
  abort({ cause }) {
    const checked = checkedReport(cause);
    return checked && { cause: { ...checked, phase: checked.phase ?? 'closing' } };
  },
  release: () => ({}),
  inspect: ({ id }) => (isCount(id) ? { id } : undefined),
};

/** An error as data: the channel would lose its code, and could not carry everything that people attach. */
interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
}

export function packError(error: unknown): PackedError {
  try {
    if (error instanceof Error) {
      const { name, message, stack, code } = error as NodeJS.ErrnoException;
      return {
        name: String(name),
        message: String(message),
        stack: typeof stack === 'string' ? stack : undefined,
        code: typeof code === 'string' ? code : undefined,
      };
    }
  } catch {
    // An error that throws when it is read has only a text, if it has one.
  }
  return { name: 'Error', message: textOf(error), stack: undefined, code: undefined };
}

/** Anything can be thrown, also what has no text. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'Something was thrown that has no text.';
  }
}

export function unpackError(packed: unknown): Error {
  const { name, message, stack, code } = packed as PackedError;
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}

/** A cause whose error can travel. Words that are none of the library's, such as those of a user's abort, become ones. */
export function packCause<C extends Report>(cause: C): C {
  const { initiator, manner, phase, code, error, leg } = cause;
  return {
    initiator: INITIATORS.has(initiator) ? initiator : 'owner',
    manner: MANNERS.has(manner) ? manner : 'error',
    ...(PHASES.has(phase) && { phase }),
    ...(isText(code) && { code }),
    ...(LEGS.has(leg) && { leg }),
    ...(error !== undefined && { error: packError(error) }),
  } as C;
}

export function unpackCause<C extends Report>(cause: C): C {
  return cause.error === undefined ? cause : { ...cause, error: unpackError(cause.error) };
}
