// @ts-check
/**
 * Writes a picture, its Mermaid text and the state × event table of every machine into diagrams/.
 * With `--check` it writes nothing and fails if what is there is not what it would write.
 * Either way it fails if a state neither handles an event nor says why it ignores it.
 *
 * To lay out a picture takes seconds: so it ends with the hash of what it was drawn from, and that is what is compared.
 *
 * Run it after the build: it reads the machines from build/.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { machines } from '../build/machines/index.js';
import { mermaid } from './diagrams/mermaid.mjs';
import { readModel } from './diagrams/model.mjs';
import { svg } from './diagrams/svg.mjs';
import { gaps, table } from './diagrams/table.mjs';

const directory = new URL('../diagrams/', import.meta.url);

const models = machines.map(readModel);

const sources = new URL('diagrams/', import.meta.url);
const drawing = readdirSync(sources).map((name) => readFileSync(new URL(name, sources), 'utf8'));

/** What a picture ends with: it changes with what the picture is drawn from, how, and with the picture itself. @param {string[]} texts */
const mark = (texts) =>
  `<!-- ${createHash('sha256')
    .update([...texts, ...drawing].join('\0'))
    .digest('hex')} -->\n`;

const checks = process.argv.includes('--check');

/** @type {Map<string, string>} */
const files = new Map();
for (const model of models) {
  const texts = [mermaid(model), table(model)];
  const picture = `${model.id}.svg`;
  const drawn = checks ? await drawnIn(picture) : await svg(model);
  files.set(picture, `${drawn}${mark([...texts, drawn])}`);
  files.set(`${model.id}.mmd`, /** @type {string} */ (texts[0]));
  files.set(`${model.id}.md`, /** @type {string} */ (texts[1]));
}

/** The picture that is there, without its mark. @param {string} name */
async function drawnIn(name) {
  const there = await readFile(new URL(name, directory), 'utf8').catch(() => '');
  return there.slice(0, there.lastIndexOf('<!-- '));
}

const names = existsSync(directory) ? await readdir(directory) : [];
const leftOver = names.filter((name) => /\.(svg|mmd|md)$/.test(name) && !files.has(name));
const problems = [...models.flatMap(gaps), ...leftOver.map((name) => `left over, remove it: diagrams/${name}`)];

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
