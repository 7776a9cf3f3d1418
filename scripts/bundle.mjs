// @ts-check
/**
 * Makes what is published from what tsc has built, in as few files as can be: a hundred modules take twice as long to load
 * as the same in three. A step of `npm run build`.
 *
 * `dist` has the ES modules under the names of their entry points, and what these share in `dist/chunks`. `dist/cjs` is the
 * same library in CommonJS, for tools that cannot load ES modules. Node never loads it, because the condition
 * `module-sync` leads every `require` to the ES modules: a process has one copy. Each file that looks for another one (the
 * live page, the programs of workers and threads) is as deep as its source.
 *
 * `dist/types` has the declarations, once for both. For TypeScript they are CommonJS, which every module may import; the
 * `.d.mts` beside the declarations of an entry point stands for the ES module.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'rolldown';

const FACES = [
  'index',
  'cluster/index',
  'diagrams/index',
  'inspect/index',
  'machines/index',
  'metrics/index',
  'runtime/index',
  'testing/index',
];
const PROGRAMS = ['cli', 'cli/tour-backend', 'cluster/entry', 'diagrams/drawer'];

/** What importing this file loads. @param {string} file @param {Set<string>} [found] */
function reachable(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;=]*?'(\.[^']+)';/gm)) {
    reachable(join(dirname(file), name), found);
  }
  return found;
}

const library = reachable(resolve('build/index.js'));
const machines = reachable(resolve('build/machines/index.js'));

/** The machines need nothing of Node, and so do not load the library. */
const groups = [
  { name: 'vocabulary', test: (/** @type {string} */ id) => library.has(id) && machines.has(id), priority: 1 },
  { name: 'library', test: (/** @type {string} */ id) => library.has(id) },
];

/**
 * V8 keeps ASCII text in one byte per character. One character beyond that (a typographic apostrophe) doubles the whole
 * file: measured, 3 MB and a millisecond of a start. They occur in strings and regular expressions only, since comments are left out.
 *
 * @type {import('rolldown').Plugin}
 */
const ascii = {
  name: 'ascii',
  generateBundle(_, files) {
    for (const file of Object.values(files)) {
      if (file.type === 'chunk') file.code = file.code.replace(/[^\0-\x7f]/g, escaped);
    }
  },
};

/** @param {string} unit one of UTF-16 */
const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** @type {import('rolldown').Plugin} */
const types = {
  name: 'types',
  generateBundle() {
    /** @param {string} fileName @param {string} source */
    const emit = (fileName, source) => this.emitFile({ type: 'asset', fileName, source });
    for (const folder of ['cjs', 'types']) emit(`${folder}/package.json`, '{ "type": "commonjs" }\n');
    for (const path of readdirSync('build', { recursive: true, encoding: 'utf8' })) {
      const file = path.replaceAll('\\', '/');
      if (file.endsWith('.d.ts') && !file.startsWith('cli'))
        emit(`types/${file}`, readFileSync(`build/${file}`, 'utf8'));
    }
    for (const entry of FACES) emit(`types/${entry}.d.mts`, "export * from './index.js';\n");
  },
};

/** @param {'es' | 'cjs'} format @param {Record<string, string>} input @param {string} names @param {string} chunks */
const bundle = (format, input, names, chunks) => {
  /** @type {import('rolldown').OutputOptions} */
  const output = {
    dir: 'dist',
    format,
    entryFileNames: `${names}[name].js`,
    chunkFileNames: `${chunks}[name].js`,
    comments: false,
    codeSplitting: { groups },
  };
  return build({
    input,
    platform: 'node',
    external: /^[^./]/,
    plugins: format === 'cjs' ? [ascii, types] : [ascii],
    output,
  });
};

const built = (/** @type {string} */ entry) => resolve(`build/${entry}.js`);
for (const stale of ['chunks', 'cjs', 'types']) rmSync(`dist/${stale}`, { recursive: true, force: true });
await bundle('es', Object.fromEntries([...FACES, ...PROGRAMS].map((entry) => [entry, built(entry)])), '', 'chunks/');
await bundle(
  'cjs',
  Object.fromEntries(FACES.map((entry) => [entry.replace('/index', ''), built(entry)])),
  'cjs/',
  'cjs/',
);
