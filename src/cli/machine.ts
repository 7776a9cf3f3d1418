/** Finds a machine of the user's in a module. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyStateMachine } from 'xstate';
import { type MachineArgs, StartError, UsageError } from './args.js';

/**
 * The machine that the arguments name, and the name of its export.
 *
 * @throws StartError, UsageError
 */
export async function findMachine({
  file,
  exported,
}: MachineArgs): Promise<{ machine: AnyStateMachine; name: string }> {
  const machines = await machinesOf(file);
  const names = [...machines.keys()];
  if (names.length === 0) throw new StartError(`${file} exports no machine that XState's createMachine() has made.`);
  const name = exported ?? (names.length === 1 ? names[0] : undefined);
  const machine = name === undefined ? undefined : machines.get(name);
  if (name === undefined || machine === undefined) {
    const choice = names.map((one) => `${file}#${one}`).join(', ');
    throw new UsageError(
      exported === undefined ? `Which machine? ${choice}.` : `There is no machine "${exported}" in it, but ${choice}.`,
    );
  }
  return { machine, name };
}

async function machinesOf(file: string): Promise<Map<string, AnyStateMachine>> {
  let exports: Record<string, unknown>;
  try {
    exports = await import(pathToFileURL(resolve(file)).href);
  } catch (error) {
    throw new StartError(`${file} cannot be loaded: ${error instanceof Error ? error.message : error}`);
  }
  const isMachine = (value: unknown): value is AnyStateMachine =>
    typeof (value as AnyStateMachine | null)?.root?.transitions?.keys === 'function';
  return new Map(Object.entries(exports).filter((entry): entry is [string, AnyStateMachine] => isMachine(entry[1])));
}
