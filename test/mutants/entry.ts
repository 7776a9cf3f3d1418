/** The program of a cluster's workers, which runs in processes of its own, with a choice in every place: see lines.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transformWithOxc } from 'vite';
import { withLines } from './lines.js';

const FILE = 'src/cluster/entry.ts';

/** Beside the other one, for what it imports. */
export const ENTRY_MUTANTS: string = new URL('../../build/cluster/entry.mutants.js', import.meta.url).href;

const PROGRAM = "'../../dist/cluster/entry.js'";

/** The source of the file that forks the program: it forks the one with the choices instead. */
export function forking(source: string): string {
  if (!source.includes(PROGRAM)) throw new Error(`src/cluster/worker.ts no longer forks ${PROGRAM}`);
  return source.replace(PROGRAM, JSON.stringify(ENTRY_MUTANTS));
}

/** Builds it; `build` must be there. */
export async function buildEntry(): Promise<void> {
  const { code } = await transformWithOxc(withLines('processes', FILE, readFileSync(FILE, 'utf8')), FILE);
  writeFileSync(fileURLToPath(ENTRY_MUTANTS), code);
}
