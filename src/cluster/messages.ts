/** What a primary and its workers say to each other over the channel that Node opens between them. */
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';

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
  | { readonly type: 'inspect'; readonly id: number };

export type ToPrimary =
  /** It listens to messages now: what was sent before would be lost. */
  | { readonly type: 'hello' }
  | { readonly type: 'ready'; readonly addresses: readonly PartAddress[] }
  | { readonly type: 'failed'; readonly cause: Report }
  | { readonly type: 'closed'; readonly outcome: Outcome }
  /** An exception that nobody caught: the process is about to die of it. */
  | { readonly type: 'crashed'; readonly error: unknown }
  | { readonly type: 'inspected'; readonly id: number; readonly memory: number; readonly snapshot: unknown };

/** The modules of a user may send messages of their own: ours are wrapped. */
const KEY = 'sockchart:cluster';

export function wrap(message: ToWorker | ToPrimary): Record<string, unknown> {
  return { [KEY]: message };
}

/** Ours, and one that is answered; or nothing. */
export function unwrap<M extends ToWorker | ToPrimary>(
  message: unknown,
  answered: Readonly<Record<M['type'], unknown>>,
): M | undefined {
  if (message === null || typeof message !== 'object') return undefined;
  const ours = (message as Record<string, M | null | undefined>)[KEY];
  return ours !== undefined && ours !== null && Object.hasOwn(answered, ours.type) ? ours : undefined;
}

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

/** A cause whose error can travel. */
export function packCause<C extends Report>(cause: C): C {
  const { initiator, manner, phase, code, error, leg } = cause;
  return {
    initiator,
    manner,
    ...(phase !== undefined && { phase }),
    ...(code !== undefined && { code }),
    ...(leg !== undefined && { leg }),
    ...(error !== undefined && { error: packError(error) }),
  } as C;
}

export function unpackCause<C extends Report>(cause: C): C {
  return cause.error === undefined ? cause : { ...cause, error: unpackError(cause.error) };
}
