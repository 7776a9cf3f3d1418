/** `sockchart diagram`: draws a user's machine, or says which of its diagrams are stale. */
import { basename, dirname, extname } from 'node:path';
import { checkDiagrams, writeDiagrams } from '../diagrams/index.js';
import { NotSupportedError, OptionError } from '../errors.js';
import { type DiagramArgs, printable, StartError, UsageError } from './args.js';
import { findMachine } from './machine.js';

/** The id of a machine that was given none. */
const NO_ID = '(machine)';

/** @returns the exit code */
export async function diagramFile(args: DiagramArgs): Promise<number> {
  const { file, kinds, check, out = dirname(file) } = args;
  const { machine, name: exported } = await findMachine(args);
  const name = machine.id === NO_ID ? (exported === 'default' ? basename(file, extname(file)) : exported) : machine.id;
  if (!check) {
    const files = await writeDiagrams(machine, out, { name, kinds }).catch(asUsual);
    console.log(files.map((one) => `written: ${printable(one)}`).join('\n'));
    return 0;
  }
  const stale = await checkDiagrams(machine, out, { name, kinds }).catch(asUsual);
  for (const { file, why } of stale) console.error(`${why}: ${printable(file)}`);
  if (stale.length === 0) console.log(`fresh: ${printable(name)}`);
  return stale.length === 0 ? 0 : 1;
}

function asUsual(error: unknown): never {
  if (error instanceof OptionError) throw new UsageError(error.message);
  const isSystem = error instanceof Error && 'syscall' in error;
  if (isSystem || error instanceof NotSupportedError) throw new StartError(error.message);
  throw error;
}
