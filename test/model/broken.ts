/** Machines that are wrong in one place, and what is found out about them. */
import { type AnyStateMachine, createMachine } from 'xstate';
import { Violation } from './explore.js';

// biome-ignore lint/suspicious/noExplicitAny: a configuration is taken apart here
export type Loose = any;

/** The same machine with something changed. */
export function broken(machine: AnyStateMachine, change: (config: Loose) => void): AnyStateMachine {
  const config = copyOf(machine.config);
  change(config);
  return createMachine(config as never).provide(machine.implementations as never) as never;
}

/** As structuredClone, which refuses functions; a machine's context is one. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copyOf(part)]));
}

/** What the exploration of a machine that is wrong comes to. */
export function violationOf(run: () => unknown): Violation {
  try {
    run();
  } catch (error) {
    if (error instanceof Violation) return error;
    throw error;
  }
  throw new Error('Nothing was found out.');
}
