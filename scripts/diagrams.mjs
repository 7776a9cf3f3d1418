// @ts-check
/**
 * Writes a picture, its Mermaid text and the state × event table of every machine into diagrams/.
 * With `--check` it writes nothing and fails if what is there is not what it would write.
 * Either way it fails if a state neither handles an event nor says why it ignores it.
 *
 * Run it after the build: it reads the machines from build/.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkDiagrams, gapsOf, tableOf, writeDiagrams } from '../build/diagrams/index.js';
import { machines } from '../build/machines/index.js';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const options = { command: 'npm run diagrams' };
const checks = process.argv.includes('--check');

/** @type {string[]} */
const problems = [];
for (const machine of machines) {
  problems.push(...gapsOf(machine));
  if (/`(?:[^`\s]+\.)?\*`/.test(tableOf(machine)))
    problems.push(`${machine.id}: a wildcard hides gaps; name the events`);
  if (!checks) await writeDiagrams(machine, 'diagrams', options);
  for (const { file, why } of await checkDiagrams(machine, 'diagrams', options)) problems.push(`${why}: ${file}`);
}

const known = machines.flatMap(({ id }) => [`${id}.svg`, `${id}.mmd`, `${id}.md`]);
const leftOver = readdirSync('diagrams').filter((name) => /\.(svg|mmd|md)$/.test(name) && !known.includes(name));
problems.push(...leftOver.map((name) => `left over, remove it: diagrams/${name}`));

for (const problem of problems) console.error(problem);
if (problems.length === 0)
  console.log(`diagrams: ${known.length} files of ${machines.length} machines ${checks ? 'are fresh' : 'written'}`);
else process.exitCode = 1;
