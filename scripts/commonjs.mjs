// @ts-check
/**
 * Makes what the package needs for tools that cannot load ES modules, from what tsc has built. A step of `npm run build`.
 *
 * `dist/cjs` is the same library in CommonJS. Node never loads it, because the condition `module-sync` leads every
 * `require` to the ES modules: a process has one copy. Its files are in one folder, as deep as `dist/inspect`, so that the
 * paths to the live page and to the workers' program are the same.
 *
 * `dist/types` has the published declarations, once for both. For TypeScript they are CommonJS, which every module may
 * import; the `.d.mts` beside the declarations of an entry point stands for the ES module.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { build } from 'rolldown';

const ENTRIES = ['index', 'cluster/index', 'inspect/index', 'machines/index', 'testing/index'];

const declarations = readdirSync('dist', { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.d.ts') && !/^(?:types\/|cli\b)/.test(file));

/** @type {import('rolldown').Plugin} */
const types = {
  name: 'types',
  generateBundle() {
    /** @param {string} fileName @param {string} source */
    const emit = (fileName, source) => this.emitFile({ type: 'asset', fileName, source });
    for (const folder of ['cjs', 'types']) emit(`${folder}/package.json`, '{ "type": "commonjs" }\n');
    for (const file of declarations) emit(`types/${file}`, readFileSync(`dist/${file}`, 'utf8'));
    for (const entry of ENTRIES) emit(`types/${entry}.d.mts`, "export * from './index.js';\n");
  },
};

await build({
  input: Object.fromEntries(ENTRIES.map((entry) => [entry.replace('/index', ''), `dist/${entry}.js`])),
  platform: 'node',
  external: /^[^./]/,
  plugins: [types],
  output: {
    dir: 'dist',
    format: 'cjs',
    entryFileNames: 'cjs/[name].js',
    chunkFileNames: 'cjs/[name].js',
    comments: false,
  },
});
