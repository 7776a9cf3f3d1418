/** `sockchart compile`: writes the code of a user's machine as a module, for where none may be made at run time. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import type { AnyStateMachine } from 'xstate';
import { codeOf, markOf } from '../compiler/compile.js';
import { type CompileArgs, printable, StartError, UsageError } from './args.js';
import { findMachine } from './machine.js';

const HEAD = '// Written by sockchart compile';

/** @returns the exit code */
export async function compileFile(args: CompileArgs): Promise<number> {
  const { file, out } = args;
  const to = out ?? file.replace(/(\.\w+)?$/, '.compiled.mjs');
  if (existsSync(to) && (!statSync(to).isFile() || !readFileSync(to, 'utf8').startsWith(HEAD))) {
    throw new UsageError(`${to} is a file that "sockchart compile" has not written. Give another one.`);
  }
  const { machine, name } = await findMachine(args);
  try {
    writeFileSync(to, textOf(machine, name, pathFrom(to, file)));
  } catch (error) {
    throw new StartError(error instanceof Error ? error.message : String(error));
  }
  console.log(`written: ${printable(to)}`);
  return 0;
}

function textOf(machine: AnyStateMachine, name: string, from: string): string {
  const { body } = codeOf(machine, true);
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
