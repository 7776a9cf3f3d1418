/** `sockchart compile`: writes the code of a user's machine as a module, for where none may be made at run time. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyStateMachine } from 'xstate';
import { codeOf, markOf } from '../runtime/compile.js';
import { type CompileArgs, printable, StartError, UsageError } from './args.js';

const HEAD = '// Written by sockchart compile';

/** @returns the exit code */
export async function compileFile({ file, exported, out }: CompileArgs): Promise<number> {
  const to = out ?? file.replace(/(\.\w+)?$/, '.compiled.mjs');
  if (existsSync(to) && !readFileSync(to, 'utf8').startsWith(HEAD)) {
    throw new UsageError(`${to} is a file that "sockchart compile" has not written. Give another one.`);
  }
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
  writeFileSync(to, textOf(machine, name, pathFrom(to, file)));
  console.log(`written: ${printable(to)}`);
  return 0;
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

function textOf(machine: AnyStateMachine, name: string, from: string): string {
  let body: string;
  try {
    ({ body } = codeOf(machine, true));
  } catch (error) {
    throw new StartError(error instanceof Error ? error.message : String(error));
  }
  const imported = name === 'default' ? 'machine' : `{ ${name} as machine }`;
  return `${HEAD} from the machine "${printable(machine.id)}". Change that, and write this again.
import { compiled } from 'sockchart/runtime';
import ${imported} from ${JSON.stringify(from)};

export default compiled(machine, '${markOf(body)}', (common, values) => {
${body}
});
`;
}

function pathFrom(to: string, file: string): string {
  const path = relative(dirname(resolve(to)), resolve(file))
    .split(sep)
    .join('/');
  return path.startsWith('../') ? path : `./${path}`;
}
