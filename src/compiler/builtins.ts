/** Actions and guards as XState's creators make them: what they leave on the functions that they return, and what these say. */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  assign,
  cancel,
  emit,
  raise,
  sendParent,
  sendTo,
  spawnChild,
  stopChild,
} from 'xstate';
import type { Event } from '../runtime/machine-instance.js';

/** What XState's action creators leave on the functions that they return. */
export interface Builtin {
  readonly type?: string;
  readonly assignment?: unknown;
  readonly event?: unknown;
  readonly delay?: unknown;
  readonly id?: string;
  readonly sendId?: unknown;
  readonly value?: unknown;
  readonly label?: string;
  readonly to?: unknown;
  readonly src?: unknown;
  readonly systemId?: string;
  readonly input?: unknown;
  readonly syncSnapshot?: boolean;
  readonly actorRef?: unknown;
  readonly collect?: unknown;
}

const CREATORS = { assign, cancel, emit, raise, sendParent, sendTo, spawnChild, stopChild };

/** What a function may enqueue by name: `enqueue.assign(…)`. */
export const enqueuers = (queue: unknown[]): object =>
  Object.fromEntries(
    Object.entries(CREATORS).map(([name, create]) => [
      name,
      (...given: never[]) => void queue.push((create as (...given: never[]) => unknown)(...given)),
    ]),
  );

/** A value, or what a function says. */
export const valueFor = (given: unknown, args: object, params?: unknown): unknown =>
  typeof given === 'function' ? given(args, params) : given;

export function eventOf(given: unknown, args: object, params: unknown): Event {
  if (typeof given === 'string') throw new Error(`Only event objects may be sent; send { type: "${given}" } instead.`);
  return valueFor(given, args, params) as Event;
}

interface GuardCheck {
  check?(snapshot: AnyMachineSnapshot, args: object, guard: unknown): boolean;
}

/** What a guard says that a function asks for by name, or makes. */
export function evaluate(
  guard: unknown,
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  args: object,
): boolean {
  if (typeof guard === 'function') {
    const { check } = guard as GuardCheck;
    return check === undefined ? guard(args) : check(snapshot, args, guard);
  }
  const { type, params } = (typeof guard === 'string' ? { type: guard } : guard) as { type: string; params?: unknown };
  const named = machine.implementations.guards[type] as unknown;
  if (named === undefined) throw new Error(`Guard '${type}' is not implemented.`);
  if (typeof named !== 'function' || 'check' in named) return evaluate(named, machine, snapshot, args);
  return named(args, valueFor(params, args));
}
