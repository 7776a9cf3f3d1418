/** The parts of a transition that are kept. A user's machine, or any code, may have published it: it must do no harm. */
import type { Means } from '../machines/means.js';
import type { Cause } from '../machines/vocabulary.js';
import type { Transition } from '../runtime/instance.js';

/** The server that a backend went to, and its socket. */
export interface Place {
  readonly server: string | undefined;
  readonly incarnation: number | undefined;
}

/** The parts of a transition that are kept: JSON can hold all of them. */
export interface Plain {
  readonly who: string;
  readonly machine: string;
  readonly from: string;
  readonly event: string;
  readonly to: string;
  readonly cause: Cause | undefined;
  readonly means: Means | undefined;
  readonly server: string | undefined;
  readonly incarnation: number | undefined;
  readonly peer: string | undefined;
}

/** @throws TypeError when it is no transition */
export function plain(message: unknown): Plain {
  const { who, machine, from, event, to, cause, means, about, incarnation } = message as Transition;
  const { server, peer } = about ?? {};
  for (const name of [who, machine, from, event, to]) {
    if (typeof name !== 'string') throw new TypeError('A transition is told in strings.');
  }
  return {
    who,
    machine,
    from,
    event,
    to,
    cause: plainCause(cause),
    means: typeof means === 'string' ? means : undefined,
    ...placeOf(server, incarnation),
    peer: typeof peer === 'string' ? peer : undefined,
  };
}

export function placeOf(server: unknown, incarnation: unknown): Place {
  return {
    server: typeof server === 'string' ? server : undefined,
    incarnation: typeof incarnation === 'number' ? incarnation : undefined,
  };
}

/** Many instances share a cause: each is copied once. */
const causes = new WeakMap<object, Cause>();

/** The context of a user's machine may have a `cause` that is none; and an error that a hook threw becomes text. */
function plainCause(cause: unknown): Cause | undefined {
  if (typeof cause !== 'object' || cause === null) return undefined;
  const known = causes.get(cause);
  if (known !== undefined) return known;
  try {
    const { initiator, manner, phase, code, error, leg } = cause as Cause;
    if (typeof initiator !== 'string' || typeof manner !== 'string' || typeof phase !== 'string') return undefined;
    const copy: Cause = {
      initiator,
      manner,
      phase,
      ...(code !== undefined && { code: asText(code) }),
      ...((leg === 'client' || leg === 'backend') && { leg }),
      ...(error !== undefined && { error: asText(error) }),
    };
    causes.set(cause, copy);
    return copy;
  } catch {
    return undefined;
  }
}

function asText(value: unknown): string {
  try {
    return String(value).slice(0, 500);
  } catch {
    return 'something that has no text';
  }
}

/** The lists of commands that machines emit in one step are few: each is kept once. */
const lists = new Map<string, readonly string[]>();
const LISTS_MAX = 1_000;
const NONE: readonly string[] = [];

/** The types of what an instance has emitted in one step. */
export function commandTypes(commands: Transition['commands']): readonly string[] {
  if (commands.length === 0) return NONE;
  const types = commands.map(({ type }) => asText(type));
  const key = types.join('\n');
  const known = lists.get(key);
  if (known !== undefined) return known;
  if (lists.size < LISTS_MAX) lists.set(key, types);
  return types;
}

/** Milliseconds since the epoch, that never go back. */
export const now = (): number => performance.timeOrigin + performance.now();
