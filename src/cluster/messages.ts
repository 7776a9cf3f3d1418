/** What a primary and its workers say to each other over the channel that Node opens between them. */
import { type Cause, type Ending, NEVER_MS, type Outcome, type Report } from '../machines/vocabulary.js';
import {
  checkedCause,
  checkedError,
  checkedReport,
  type Fields,
  fieldsOf,
  isCount,
  isText,
  packCause,
} from './fields.js';
import {
  SHARE_VERSION,
  type ShareToPrimary,
  type ShareToWorker,
  shareToPrimary,
  shareToWorker,
} from './share-messages.js';

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
  /** How the primary speaks of what is shared: another version of the library shares nothing. */
  readonly shareVersion: number;
}

export type ToWorker =
  | StartMessage
  | { readonly type: 'drain'; readonly timeoutMs: number }
  | { readonly type: 'abort'; readonly cause: Cause }
  /** It has said its last word, and nothing is on its way to it any more: it may exit. */
  | { readonly type: 'release' }
  | { readonly type: 'inspect'; readonly id: number }
  | ShareMessage<ShareToWorker>;

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
  | { readonly type: 'left' }
  | ShareMessage<ShareToPrimary>;

/** About what workers share. Another version of the library may be on the disk when a worker is forked. */
interface ShareMessage<M> {
  readonly type: 'share';
  readonly version: number;
  readonly message: M;
}

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

function unwrap<M extends { readonly type: string }>(received: unknown, checks: Checks<M>): M | undefined {
  const ours = fieldsOf(fieldsOf(received)?.[KEY]);
  if (ours === undefined) return undefined;
  const { type } = ours;
  if (!isText(type) || !Object.hasOwn(checks, type)) return undefined;
  const said = checks[type as M['type']](ours);
  return said === undefined ? undefined : ({ type, ...said } as unknown as M);
}

const isWait = (value: unknown): value is number => typeof value === 'number' && value > 0 && value <= NEVER_MS;
const ENDINGS: ReadonlySet<unknown> = new Set<Ending>([
  ...(['ended', 'closed', 'aborted', 'dropped', 'handedOver', 'refused', 'failed'] as const),
]);

/** Where a part says that it listens, if it says so rightly. */
export function checkedAddress(value: unknown): PartAddress | undefined {
  const { host, port, path } = fieldsOf(value) ?? {};
  if (isText(path)) return { path };
  return isText(host) && isCount(port) && port <= 65_535 ? { host, port } : undefined;
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
  share: (fields) => shared(fields, shareToPrimary),
};

const TO_WORKER: Checks<ToWorker> = {
  start({ module, exportName, data, worker, workers, incarnation, drainTimeoutMs, abortTimeoutMs, ...more }) {
    if (!isText(module) || !isText(exportName) || !isWait(drainTimeoutMs) || !isWait(abortTimeoutMs)) return undefined;
    if (!isCount(worker) || !isCount(workers) || !isCount(incarnation)) return undefined;
    const { shareVersion } = more;
    return {
      module,
      exportName,
      data,
      worker,
      workers,
      incarnation,
      drainTimeoutMs,
      abortTimeoutMs,
      shareVersion: isCount(shareVersion) ? shareVersion : 0,
    };
  },
  drain: ({ timeoutMs }) => (isWait(timeoutMs) ? { timeoutMs } : undefined),
  abort({ cause }) {
    const checked = checkedReport(cause);
    return checked && { cause: { ...checked, phase: checked.phase ?? 'closing' } };
  },
  release: () => ({}),
  inspect: ({ id }) => (isCount(id) ? { id } : undefined),
  share: (fields) => shared(fields, shareToWorker),
};

function shared<M>({ version, message }: Fields, check: (value: unknown) => M | undefined) {
  const checked = version === SHARE_VERSION ? check(message) : undefined;
  return checked && { version: SHARE_VERSION, message: checked };
}
