/** What arrives from another process, checked field by field; and causes, whose errors travel as data. */
import type { Cause, Initiator, Manner, Phase, Report } from '../machines/vocabulary.js';

export type Fields = Readonly<Record<string, unknown>>;

export const fieldsOf = (value: unknown): Fields | undefined =>
  value !== null && typeof value === 'object' ? (value as Fields) : undefined;

export const isText = (value: unknown): value is string => typeof value === 'string';
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isMaybeText = (value: unknown): value is string | undefined => value === undefined || isText(value);

const INITIATORS: ReadonlySet<unknown> = new Set<Initiator>(['peer', 'owner', 'library', 'system']);
const MANNERS: ReadonlySet<unknown> = new Set<Manner>([
  ...(['end', 'reset', 'refusal', 'timeout', 'error', 'close', 'abort', 'destroy', 'handOver', 'limit'] as const),
  ...(['answer', 'command'] as const),
]);
const PHASES: ReadonlySet<unknown> = new Set<Phase>([
  ...(['idle', 'routing', 'choosing', 'waiting', 'connecting', 'preparing', 'disposing', 'binding'] as const),
  ...(['listening', 'accepted', 'established', 'starting', 'serving', 'closing', 'command', 'checking'] as const),
]);
const LEGS: ReadonlySet<unknown> = new Set<NonNullable<Cause['leg']>>(['client', 'backend']);

export function checkedError(value: unknown): PackedError | undefined {
  const { name, message, stack, code } = fieldsOf(value) ?? {};
  return isText(name) && isText(message) && isMaybeText(stack) && isMaybeText(code)
    ? { name, message, stack, code }
    : undefined;
}

/** A report whose error is packed; nothing if it is none. */
export function checkedReport(value: unknown): Report | undefined {
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

export function checkedCause(value: unknown): Cause | undefined {
  const report = checkedReport(value);
  return report?.phase === undefined ? undefined : (report as Cause);
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
