// @ts-check
/**
 * Writes the API reference into docs/reference/: a page for each file of scripts/reference/topics/, from the comments of
 * the published declarations. With `--check` it writes nothing, and fails if what is there is stale, or an export is on no page.
 *
 * TypeDoc takes some ten seconds: so the first page ends with the hash of what the pages were written from and of the
 * pages themselves, and that is what is compared.
 *
 * Run it after the build: it reads dist/.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { api, sources } from './api/declarations.mjs';

/** The pages, in the order of the list of pages. */
const TOPICS = [
  ...['proxy', 'session', 'listener', 'client', 'backend', 'servers', 'tls', 'first-bytes', 'handle', 'causes'],
  ...['errors', 'cluster', 'inspect', 'testing', 'runtime', 'diagrams', 'metrics', 'machines'],
];

const pages = new URL('../docs/reference/', import.meta.url);
const index = new URL('README.md', pages);
const tools = new URL('reference/', import.meta.url);

/** @param {URL} folder @param {string[]} names */
const read = (folder, names) => names.map((name) => readFileSync(new URL(name, folder), 'utf8'));

const topics = read(
  new URL('topics/', tools),
  TOPICS.map((topic) => `${topic}.ts`),
);

const MARK = /<!-- \w{64} -->\n/;

/** It changes with what the pages are written from, how, and with the pages themselves. */
function mark() {
  const written = existsSync(pages) ? read(pages, readdirSync(pages).sort()) : [];
  const texts = [...sources, ...topics, ...read(tools, ['package.json', 'write.mjs']), ...written];
  const hash = createHash('sha256').update(texts.join('\0').replace(MARK, ''));
  return `<!-- ${hash.digest('hex')} -->\n`;
}

const named = new Set(topics.join('').match(/\w+/g));
for (const { name, exported } of api) {
  const missing = exported.filter((word) => !named.has(word));
  if (missing.length > 0 && !topics.some((topic) => topic.includes(`export * from '${name}'`))) {
    fail(`scripts/reference/topics/ lacks ${missing.join(', ')} of ${name}`);
  }
}

if (!process.argv.includes('--check')) {
  const write = fileURLToPath(new URL('write.mjs', tools));
  const { status } = spawnSync(process.execPath, [write, fileURLToPath(pages), ...TOPICS], { stdio: 'inherit' });
  if (status === 0) appendFileSync(index, mark());
  else process.exitCode = 1;
} else if (!existsSync(index) || !readFileSync(index, 'utf8').endsWith(mark())) {
  fail('docs/reference/ is stale. Run: npm run reference');
}

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
