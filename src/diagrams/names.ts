/** Names for actions and guards as they are written in a machine: by name, with parameters, or inline. */

/** Nothing, one thing, or several. */
export const list = (one: unknown): unknown[] => (one === undefined ? [] : Array.isArray(one) ? one : [one]);

interface BuiltIn {
  readonly type?: string;
  readonly event?: unknown;
  readonly assignment?: unknown;
}

interface Named {
  readonly type: string;
  readonly params?: unknown;
}

export const isInline = (one: unknown): boolean => typeof one === 'function';

/** Stands for any context and any event: enough to ask a command for its type. */
const anything: unknown = new Proxy(() => 0, {
  get: (_, key) => (key === Symbol.toPrimitive ? (hint: string) => (hint === 'string' ? '…' : 0) : anything),
  apply: () => anything,
});

/** The type of the event that an `emit` or a `raise` makes; undefined for other actions, and where it cannot be known. */
export function madeEvent(action: unknown, kind: string): string | undefined {
  const { type, event } = (action ?? {}) as BuiltIn;
  if (type !== kind) return undefined;
  try {
    const made: unknown = typeof event === 'function' ? event({ context: anything, event: anything }, {}) : event;
    const name = (made as { type?: unknown } | undefined)?.type;
    return typeof name === 'string' ? name : undefined;
  } catch {
    // The function of a user needs a real context.
    return undefined;
  }
}

/** `openSocket`, `noteCause(idle)`, `assign(retries)`, or `inline` for a function without a name. */
export function actionName(action: unknown): string {
  if (typeof action === 'string') return action;
  if (typeof action === 'function') return builtInName(action as BuiltIn) ?? ownName(action.name) ?? 'inline';
  const { type, params } = action as Named;
  const values = Object.values(typeof params === 'object' ? (params ?? {}) : {}).map(valueText);
  return values.length === 0 ? type : `${type}(${values.join(', ')})`;
}

const valueText = (value: unknown): string =>
  typeof value === 'object' ? (JSON.stringify(value) ?? '') : String(value);

function builtInName(action: BuiltIn): string | undefined {
  const { type, assignment } = action;
  if (typeof type !== 'string' || !type.startsWith('xstate.')) return undefined;
  const name = type.slice('xstate.'.length);
  const of =
    typeof assignment === 'object' && assignment !== null
      ? Object.keys(assignment).join(', ')
      : (madeEvent(action, 'xstate.raise') ?? madeEvent(action, 'xstate.emit'));
  return of === undefined ? name : `${name}(${of})`;
}

/** The names that JavaScript gives to functions by the place where they are written say nothing. */
const ownName = (name: string): string | undefined =>
  ['', 'actions', 'entry', 'exit', 'guard'].includes(name) ? undefined : name;

/** What `and`, `or`, `not` and `stateIn` return. */
interface Combined {
  readonly name: string;
  readonly check?: unknown;
  readonly guards?: readonly unknown[];
  readonly stateValue?: unknown;
}

const CONDITION_LENGTH_MAX = 40;

/** `isFull`, `not(isFull)`, the condition itself where it is short and inline, or `condition`. */
export function guardName(guard: unknown): string | undefined {
  if (guard === undefined || typeof guard === 'string') return guard;
  if (typeof guard !== 'function') return (guard as Named).type;
  const { name, check, guards, stateValue } = guard as Combined;
  if (check !== undefined && guards !== undefined) return `${name}(${guards.map(guardName).join(', ')})`;
  if (check !== undefined)
    return `${name}(${typeof stateValue === 'string' ? stateValue : JSON.stringify(stateValue)})`;
  return ownName(name) ?? conditionOf(String(guard)) ?? 'condition';
}

/** `context.tries < 3` of `({ context }) => context.tries < 3`. */
function conditionOf(source: string): string | undefined {
  const [, body = ''] = /^(?:\w+|\([^()]*\))\s*=>\s*(?![\s{])(.*)$/s.exec(source) ?? [];
  const text = body.replace(/\s+/g, ' ').trim();
  return text !== '' && text.length <= CONDITION_LENGTH_MAX ? text : undefined;
}
