/** The program of a cluster's workers, which runs in processes of its own, with a choice in every place: see lines.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transformWithOxc } from 'vite';
import { withLines } from './lines.js';

const FILE = 'src/cluster/entry.ts';

/** Beside the other one, for what it imports; as it is resolved by the file that forks it. */
export const ENTRY_MUTANTS: string = new URL('../../dist/cluster/entry.mutants.js', import.meta.url).href;

/** Builds it; `dist` must be there. */
export async function buildEntry(): Promise<void> {
  const { code } = await transformWithOxc(withLines('processes', FILE, readFileSync(FILE, 'utf8')), FILE);
  writeFileSync(fileURLToPath(ENTRY_MUTANTS), code);
}
