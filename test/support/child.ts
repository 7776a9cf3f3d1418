/** Programs that use the built library in a process of their own: `npm run build` comes first. */
import { spawn } from 'node:child_process';
import { within } from './wait.js';

/** Where a program imports the library from. */
export const LIBRARY = new URL('../../dist/index.js', import.meta.url).href;

/** Runs a module, with these descriptors from 3 on; gives its exit code and what it printed. */
export async function runModule(
  source: string,
  descriptors: readonly number[] = [],
): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  try {
    return { code: await within(8_000, 'a program to exit', exited), out };
  } finally {
    child.kill('SIGKILL');
  }
}
