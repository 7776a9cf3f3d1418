// @ts-check
/**
 * Writes a picture, its Mermaid text and the state × event table of every machine into diagrams/.
 * With `--check` it writes nothing and fails if what is there is not what it would write.
 * Either way it fails if a state neither handles an event nor says why it ignores it.
 *
 * Run it after the build: it reads the machines from dist/.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { machines } from '../dist/machines/index.js';
import { mermaid } from './diagrams/mermaid.mjs';
import { readModel } from './diagrams/model.mjs';
import { svg } from './diagrams/svg.mjs';
import { gaps, table } from './diagrams/table.mjs';

const directory = new URL('../diagrams/', import.meta.url);

const models = machines.map(readModel);

/** @type {Map<string, string>} */
const files = new Map();
for (const model of models) {
  files.set(`${model.id}.svg`, await svg(model));
  files.set(`${model.id}.mmd`, mermaid(model));
  files.set(`${model.id}.md`, table(model));
}

const names = existsSync(directory) ? await readdir(directory) : [];
const leftOver = names.filter((name) => /\.(svg|mmd|md)$/.test(name) && !files.has(name));
const problems = [...models.flatMap(gaps), ...leftOver.map((name) => `left over, remove it: diagrams/${name}`)];

const checks = process.argv.includes('--check');
if (checks) {
  for (const [name, text] of files) {
    if (!names.includes(name)) problems.push(`missing: diagrams/${name}`);
    else if ((await readFile(new URL(name, directory), 'utf8')) !== text) problems.push(`stale: diagrams/${name}`);
  }
} else {
  await mkdir(directory, { recursive: true });
  for (const [name, text] of files) await writeFile(new URL(name, directory), text);
}

for (const problem of problems) console.error(problem);
if (problems.length === 0)
  console.log(`diagrams: ${files.size} files of ${models.length} machines ${checks ? 'are fresh' : 'written'}`);
else process.exitCode = 1;
