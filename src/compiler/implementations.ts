/**
 * What the names and functions of a machine stand for: its actions, guards, delays and actors. What is not defined, or cannot be
 * compiled, is refused here.
 */
import {
  type AnyActorLogic,
  type AnyStateMachine,
  type AnyStateNode,
  and,
  matchesState,
  not,
  or,
  pathToStateValue,
  type StateValue,
  stateIn,
} from 'xstate';
import type { Builtin } from './builtins.js';
import type { Call, Callable, Expression, Guard, Invocation, Op } from './plan.js';
import { refuse, type Transition, toArray, withAncestors } from './states.js';

type Action = AnyStateNode['entry'][number];

export const USE_ACTOR = 'or run it on an XState actor (interpret(machine))';
const EMIT = `Emit a command instead, which the host performs (emit({ type: '…' })), ${USE_ACTOR}`;

/** Whether a function of the machine may read more than the context and the event. */
export type Asks = (run: Callable) => boolean;

export class Implementations {
  /** A function action of the user's was met, or an action that is worked out only in a step. */
  acts = false;
  /** Something was met that may have actors. */
  hasActors: boolean;
  /** The leaf whose steps are worked out. */
  at: AnyStateNode | undefined;
  readonly asks: Asks;
  readonly #machine: AnyStateMachine;

  constructor(machine: AnyStateMachine, hasActors: boolean, asks: Asks) {
    this.#machine = machine;
    this.hasActors = hasActors;
    this.asks = asks;
  }

  readonly #invocations = new Map<unknown, Invocation>();

  invocation(node: AnyStateNode, invoke: AnyStateNode['invoke'][number]): Invocation {
    const before = this.#invocations.get(invoke);
    if (before !== undefined) return before;
    const { id, src, systemId, input, onSnapshot } = invoke as typeof invoke & { onSnapshot?: unknown };
    const given = toArray(node.config.invoke as { src: string | AnyActorLogic } | undefined)[
      node.invoke.indexOf(invoke)
    ]?.src;
    const logic = typeof given === 'string' ? this.#machine.implementations.actors[given] : given;
    if (logic === undefined) {
      refuse(node, `its actor "${src}" is not defined`, `Define it in setup({ actors: { ${src}: … } })`);
    }
    this.hasActors = true;
    const invocation = {
      id,
      src,
      logic: logic as AnyActorLogic,
      systemId,
      input,
      syncSnapshot: onSnapshot !== undefined,
    };
    this.#invocations.set(invoke, invocation);
    return invocation;
  }

  delay(node: AnyStateNode, name: string): Expression {
    const delay: unknown = this.#machine.implementations.delays[name];
    if (typeof delay === 'number' || typeof delay === 'function') return this.expression(delay) as Expression;
    return refuse(node, `its delay "${name}" is not defined`, `Define it in setup({ delays: { ${name}: … } })`);
  }

  action(node: AnyStateNode, action: Action): Op[] {
    if (typeof action === 'function') return this.#builtin(node, action as Builtin, undefined, 'an action');
    const { type: name, params } = typeof action === 'string' ? { type: action, params: undefined } : action;
    const implementation = this.#machine.implementations.actions[name] as Builtin | undefined;
    if (implementation === undefined) {
      return refuse(
        node,
        `its action "${name}" is not defined`,
        `Define it in setup({ actions: { ${name}: emit(…) } })`,
      );
    }
    return this.#builtin(node, implementation, params, `its action "${name}"`);
  }

  #builtin(node: AnyStateNode, action: Builtin, params: unknown, what: string): Op[] {
    if (!('resolve' in action)) {
      this.acts = true;
      return [{ do: 'call', call: this.#call(action as Callable, params) }];
    }
    switch (action.type) {
      case 'xstate.assign':
        return [this.#assignment(action.assignment, params)];
      case 'xstate.emit':
        return [{ do: 'emit', command: this.#valueOr(action.event, params) }];
      case 'xstate.raise':
        if (typeof action.event === 'string') {
          return refuse(node, `${what} raises a string`, `Raise { type: '${action.event}' }`);
        }
        if (action.delay === undefined) return [{ do: 'raise', event: this.#valueOr(action.event, params) }];
        this.#delayOf(node, action.delay);
        break;
      case 'xstate.sendTo':
        if (action.to === '#_parent') {
          return refuse(node, `${what} sends to a parent, which it has not`, EMIT);
        }
        if (typeof action.event === 'string') {
          return refuse(node, `${what} sends a string`, `Send { type: '${action.event}' }`);
        }
        this.#delayOf(node, action.delay);
        break;
      case 'xstate.spawnChild':
        if (typeof action.src === 'string' && this.#machine.implementations.actors[action.src] === undefined) {
          return refuse(
            node,
            `its actor "${action.src}" is not defined`,
            `Define it in setup({ actors: { ${action.src}: … } })`,
          );
        }
        break;
      case 'xstate.log':
        this.acts = true;
        return [this.#actOp(action, params)];
      case 'xstate.cancel':
      case 'xstate.stopChild':
      case 'xstate.enqueueActions':
        break;
      default:
        return refuse(node, `${what} is ${action.type?.slice(7)}`, EMIT);
    }
    this.hasActors = true;
    return [this.#actOp(action, params)];
  }

  #actOp(action: Builtin, params: unknown): Op {
    return { do: 'act', action: action as Callable, params: paramsOf(params) };
  }

  /** A delay of its own that has a name must be defined. */
  #delayOf(node: AnyStateNode, delay: unknown): void {
    if (typeof delay === 'string') this.delay(node, delay);
  }

  /** Params that are a function are asked for when they are needed. */
  #call(run: Callable, params?: unknown): Call {
    const asks = this.asks(run);
    if (asks) this.hasActors = true;
    const given = paramsOf(params);
    return { run, ...(asks && { asks }), ...(given !== undefined && { params: given }) };
  }

  #valueOr(given: unknown, params?: unknown): Expression {
    return typeof given === 'function' ? { call: this.#call(given, params) } : { value: given };
  }

  expression(given: unknown): Expression | undefined {
    return given === undefined ? undefined : this.#valueOr(given);
  }

  /** Each part is computed from the context before all of them. */
  #assignment(parts: unknown, params: unknown): Op {
    if (typeof parts === 'function') return { do: 'merge', call: this.#call(parts, params) };
    const entries = Object.entries(parts as Record<string, unknown>);
    return { do: 'assign', parts: entries.map(([key, value]) => [key, this.#valueOr(value, params)]) };
  }

  guard(node: AnyStateNode, guard: unknown): Guard {
    let resolved = guard;
    let params: unknown;
    if (typeof guard !== 'function') {
      const { type: name, params: given } =
        typeof guard === 'string' ? { type: guard, params: undefined } : (guard as { type: string; params?: unknown });
      params = given;
      resolved = this.#machine.implementations.guards[name];
      if (resolved === undefined) {
        return refuse(node, `its guard "${name}" is not defined`, `Define it in setup({ guards: { ${name}: … } })`);
      }
      // A name may stand for another one.
      if (typeof resolved !== 'function') return this.guard(node, resolved);
    }
    const combinator = resolved as Combinator;
    if (combinator.check !== undefined) return this.#combined(node, combinator);
    // XState gives a guard the context and the event, and nothing else.
    const given = paramsOf(params);
    return { call: { run: resolved as Callable, ...(given !== undefined && { params: given }) } };
  }

  #combined(node: AnyStateNode, { check, guards = [], stateValue }: Combinator): Guard {
    const parts = guards.map((part) => this.guard(node, part));
    const [first] = parts;
    if (check === NOT && first !== undefined) return { not: first };
    if (check === AND) return { and: parts };
    if (check === OR) return { or: parts };
    if (check === IN && stateValue !== undefined) return this.#isIn(stateValue) ? { and: [] } : { or: [] };
    return refuse(node, 'it has a guard that is not known', `Write it as a function, ${USE_ACTOR}`);
  }

  /** In each leaf it is known beforehand which states it is in. */
  #isIn(value: StateValue): boolean {
    const leaf = this.at;
    if (leaf === undefined) return true;
    if (typeof value === 'string' && value.startsWith('#')) {
      return withAncestors(leaf).includes(this.#machine.getStateNodeById(value));
    }
    return leaf.path.length > 0 && matchesState(value, pathToStateValue(leaf.path));
  }
}

/** The name that the machine gives a guard; a function, and what `and` returns, has none. */
export const nameOf = (guard: Transition['guard']): string | undefined =>
  typeof guard === 'object' ? guard.type : typeof guard === 'string' ? guard : undefined;

/** What `and`, `or`, `not` and `stateIn` return: only `check` tells them apart. */
interface Combinator {
  readonly check?: unknown;
  readonly guards?: readonly unknown[];
  readonly stateValue?: StateValue;
}

const checkOf = (guard: unknown): unknown => (guard as Combinator).check;
const NOT = checkOf(not(() => true));
const AND = checkOf(and([]));
const OR = checkOf(or([]));
const IN = checkOf(stateIn(''));

/** A value, or a function that gives one. XState gives it the context and the event. */
function paramsOf(params: unknown): Expression | undefined {
  if (params === undefined) return undefined;
  return typeof params === 'function' ? { call: { run: params } } : { value: params };
}

/**
 * Whether a function may read more of its argument than the context and the event, as far as its text tells: where it may,
 * an instance makes an object that stands for it.
 */
export function mayAsk(run: Callable): boolean {
  const text = Function.prototype.toString.call(run);
  if (text.includes('[native code]') || text.includes('arguments')) return true;
  const [, first = ''] = /^[^(=]*\(\s*([\s\S]*)/.exec(text) ?? [text, text];
  if (first.startsWith('{')) return !keysOf(first).every((key) => PLAIN.has(key));
  const [name] = /^[\w$]*/.exec(first) as unknown as [string];
  if (name === '') return !first.startsWith(')');
  const word = `(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`;
  const count = (pattern: string): number => text.match(new RegExp(pattern, 'g'))?.length ?? 0;
  return count(word) > count(`${word}\\.(?:context|event|input)(?![\\w$])`) + 1;
}

const PLAIN = new Set(['context', 'event', 'input']);

/** The keys that a parameter is taken apart by: `{ context: { n }, event }` has two. */
function keysOf(text: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  let key = '';
  for (const char of text) {
    if (depth === 1 && (char === ',' || char === '}')) {
      const [name] = /^[^\s:=]*/.exec(key.trim()) as unknown as [string];
      if (name !== '') keys.push(name);
      key = '';
    } else if (depth === 1) {
      key += char;
    }
    if ('{[('.includes(char)) depth++;
    else if ('}])'.includes(char)) depth--;
    if (depth === 0) break;
  }
  return keys;
}
