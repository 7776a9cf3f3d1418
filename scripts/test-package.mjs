// @ts-check
/**
 * The packed package in the programs of others: `npm run test:package`, or `npm run test:package -- --only "jest 29"` for
 * the cases whose names begin so. It packs `dist/`, installs the tarball and the tools from the npm registry into a temporary
 * folder, and removes the folder at the end.
 *
 * One line a case. Exit codes: 0 all passed, 1 some failed, 2 no case has such a name.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { argumentsOf } from './arguments.mjs';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ENTRIES = ['cluster', 'diagrams', 'inspect', 'machines', 'metrics', 'runtime', 'testing'];

/** What scripts/package/program.cjs sees. */
const EXPECTED = {
  relayed: 'by the proxy',
  ending: 'closed',
  refused: 'ECONNREFUSED',
  page: 200,
  clustered: 'by a worker',
  machine: 'client',
  doors: 'open,open',
  edges: 2,
};
/** The same in a bundle that has the library in it: it has no live page, and a cluster says why it cannot be. */
const BUNDLED = { ...EXPECTED, page: 503, clustered: 'The program of the workers is not found beside the library.' };

const { values } = argumentsOf(
  { options: { only: { type: 'string', default: '' } } },
  'npm run test:package [-- --only NAME]',
);
const folder = mkdtempSync(join(tmpdir(), 'sockchart-package-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** @param {string} command @param {string[]} args @param {string} cwd @param {Record<string, string>} [env] */
async function execute(command, args, cwd, env = {}) {
  try {
    const { stdout } = await run(command, args, {
      cwd,
      env: { ...process.env, ...env },
      maxBuffer: 2 ** 26,
      timeout: 120_000,
    });
    return stdout.trim();
  } catch (error) {
    const { stdout = '', stderr = '', message } = /** @type {Error & { stdout?: string, stderr?: string }} */ (error);
    throw new Error(`${stdout}${stderr}`.trim() || message);
  }
}

/** @type {Promise<string> | undefined} */
let packed;
/** The path of the tarball. */
const tarball = () => {
  packed ??= execute('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], ROOT).then((name) =>
    join(folder, name),
  );
  return packed;
};

/** @type {Map<string, Promise<string>>} */
const projects = new Map();
/** A folder where the package and these tools are installed. @param {...string} tools */
function project(...tools) {
  const name = tools.join(' ').replace(/[^\w.-]+/g, '_') || 'none';
  let made = projects.get(name);
  if (made === undefined) {
    made = install(join(folder, name), tools);
    projects.set(name, made);
  }
  return made;
}

/** @param {string} at @param {string[]} tools */
async function install(at, tools) {
  mkdirSync(at);
  writeFileSync(join(at, 'package.json'), '{ "private": true }\n');
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  await execute('npm', ['install', ...options, await tarball(), 'xstate', ...tools], at);
  cpSync(join(ROOT, 'scripts/package'), at, { recursive: true });
  return at;
}

/** @param {string} text a line of JSON @param {Record<string, unknown>} expected */
function compare(text, expected) {
  const seen = JSON.parse(text);
  for (const [key, value] of Object.entries(expected)) {
    const same = key === 'clustered' ? seen[key].startsWith(value) : isDeepStrictEqual(seen[key], value);
    if (!same) throw new Error(`${key} is ${JSON.stringify(seen[key])}, and should be ${JSON.stringify(value)}`);
  }
}

const names = {
  library: 'sockchart',
  ...Object.fromEntries(ENTRIES.map((name) => [name, `sockchart/${name}`])),
  xstate: 'xstate',
};
const required = `{ ${Object.entries(names)
  .map(([key, name]) => `${key}: require('${name}')`)
  .join(', ')} }`;
const imported = Object.entries(names)
  .map(([key, name]) => `import * as ${key} from '${name}';`)
  .join('\n');
const entries = `{ ${Object.keys(names).join(', ')} }`;

/** @param {'cjs' | 'es'} format @param {string} worker an expression */
const mainOf = (format, worker) =>
  format === 'cjs'
    ? `const program = require('./program.cjs');\nprogram(${required}, ${worker}).then((seen) => console.log(JSON.stringify(seen)));\n`
    : `${imported}\nimport program from './program.cjs';\nprogram(${entries}, ${worker}).then((seen) => console.log(JSON.stringify(seen)));\n`;

/** @param {'cjs' | 'es'} format */
const node = (format) => async () => {
  const at = await project();
  const file = join(at, format === 'cjs' ? 'main.cjs' : 'main.mjs');
  writeFileSync(file, mainOf(format, JSON.stringify(join(at, 'worker.cjs'))));
  compare(await execute(process.execPath, [file], at), EXPECTED);
};

const oneCopy = async () => {
  const at = await project();
  const script = `import('sockchart').then((one) => console.log(one.createProxy === require('sockchart').createProxy))`;
  const same = await execute(process.execPath, ['--eval', script], at);
  if (same !== 'true') throw new Error('import and require() have a copy each');
};

/** @param {string} version @param {'cjs' | 'es'} format */
const jest = (version, format) => async () => {
  const at = await project(`jest@${version}`);
  const worker = JSON.stringify(join(at, 'worker.cjs'));
  const program = `test('the program', async () => expect(await program(${format === 'cjs' ? required : entries}, ${worker})).toEqual(${JSON.stringify(EXPECTED)}), 60_000);\n`;
  const states = { shut: { on: { open: 'open' } }, open: { on: { shut: 'shut' } } };
  const door = JSON.stringify({ id: 'door', initial: 'shut', states });
  const [testing, xstate] =
    format === 'cjs' ? ["require('sockchart/testing')", "require('xstate')"] : ['testing', 'xstate'];
  const own = `${testing}.testMachine(${xstate}.createMachine(${door}), { test, input: undefined });\n`;
  const head =
    format === 'cjs'
      ? `const program = require('./program.cjs');`
      : `${imported}\nimport program from './program.cjs';`;
  const name = `program.test.${format === 'cjs' ? 'cjs' : 'mjs'}`;
  writeFileSync(join(at, name), `${head}\n${program}${own}`);
  const config = JSON.stringify({ testMatch: [`**/${name}`], testEnvironment: 'node', transform: {} });
  const env = format === 'cjs' ? {} : { NODE_OPTIONS: '--experimental-vm-modules' };
  const seen = await execute(
    process.execPath,
    [join(at, 'node_modules/jest/bin/jest.js'), '--config', config, '--rootDir', at, '--json'],
    at,
    env,
  );
  const titles = JSON.parse(seen).testResults[0].assertionResults.map(
    (/** @type {{ title: string }} */ one) => one.title,
  );
  const tests = ['the program', 'door: shut –open→ open –shut→ shut', 'door: transitions 2/2'];
  if (!isDeepStrictEqual(titles, tests)) throw new Error(`it ran ${titles.join(', ')}`);
};

/** Bundles a program, with the library or without it. @type {Record<string, (main: string, out: string, format: 'cjs' | 'es', external: boolean) => string[]>} */
const BUNDLERS = {
  esbuild: (main, out, format, external) => [
    ...[
      main,
      '--bundle',
      '--platform=node',
      `--format=${format === 'es' ? 'esm' : 'cjs'}`,
      `--outfile=${out}`,
      '--log-level=error',
    ],
    ...(external ? ['--external:sockchart'] : []),
    // What esbuild's own documentation says for CommonJS code in an ES module.
    ...(format === 'es'
      ? [`--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`]
      : []),
  ],
  rolldown: (main, out, format, external) => [
    ...[main, '--platform=node', `--format=${format}`, `--file=${out}`],
    ...(external
      ? ['sockchart', ...ENTRIES.map((name) => `sockchart/${name}`)].map((name) => `--external=${name}`)
      : []),
  ],
};

/** @param {string} bundler @param {'cjs' | 'es'} format @param {boolean} external */
const bundle = (bundler, format, external) => async () => {
  const at = await project(bundler);
  const main = join(at, `main.${format === 'cjs' ? 'cjs' : 'mjs'}`);
  writeFileSync(main, mainOf(format, 'process.argv[2]'));
  // A bundle runs where the package is not installed, unless it leaves the package out.
  const there = external ? at : mkdtempSync(join(folder, 'bundle-'));
  const out = join(there, `bundle.${format === 'cjs' ? 'cjs' : 'mjs'}`);
  const args = /** @type {(typeof BUNDLERS)[string]} */ (BUNDLERS[bundler])(main, out, format, external);
  await execute(join(at, 'node_modules/.bin', bundler), args, at);
  compare(await execute(process.execPath, [out, join(at, 'worker.cjs')], there), external ? EXPECTED : BUNDLED);
};

/** The versions of TypeScript, each with the types of Node that its users have. */
const TYPESCRIPTS = {
  '5.0': '22.13.10',
  5.1: '22.13.10',
  5.2: '22.19.0',
  5.3: '22.19.0',
  5.4: '22.19.0',
  5.5: '22.19.0',
  5.6: '22',
  5.7: '24',
  5.8: '24',
  5.9: '26',
  '6.0': '26',
  '7.0': '26',
};

/** For each way of resolution: the module format, the files, and how each is named when it is built. */
const RESOLUTIONS = {
  node10: { module: 'commonjs', files: { 'program.ts': 'program.js' } },
  node16: { module: 'node16', files: { 'program.cts': 'program.cjs', 'program.mts': 'program.mjs' } },
  nodenext: { module: 'nodenext', files: { 'program.cts': 'program.cjs', 'program.mts': 'program.mjs' } },
  bundler: { module: 'esnext', files: { 'program.mts': 'program.mjs' } },
};

/** @param {keyof typeof TYPESCRIPTS} version @param {keyof typeof RESOLUTIONS} moduleResolution */
const typescript = (version, moduleResolution) => async () => {
  const at = await project(`typescript@~${version}.0`, `@types/node@${TYPESCRIPTS[version]}`);
  const { module, files } = RESOLUTIONS[moduleResolution];
  const here = join(at, moduleResolution);
  mkdirSync(here);
  for (const file of Object.keys(files)) cpSync(join(at, 'program.ts'), join(here, file));
  for (const skipLibCheck of [true, false]) {
    const deprecated = version === '6.0' && moduleResolution === 'node10' ? { ignoreDeprecations: '6.0' } : {};
    const compilerOptions = {
      ...{ module, moduleResolution, skipLibCheck, ...deprecated },
      ...{ target: 'es2022', lib: ['es2022'], types: ['node'], strict: true, outDir: 'out', rootDir: '.' },
    };
    writeFileSync(join(here, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: Object.keys(files) }));
    await execute(process.execPath, [join(at, 'node_modules/typescript/bin/tsc'), '-p', here], here);
  }
  for (const file of Object.values(files)) {
    const seen = await execute(process.execPath, [join(here, 'out', file)], here);
    if (seen !== 'relayed,closed,0,1,client,true,function,true') throw new Error(`${file}: ${seen}`);
  }
};

/** @type {Record<string, () => Promise<void>>} */
const CASES = {
  'node import': node('es'),
  'node require()': node('cjs'),
  'node one copy': oneCopy,
};
for (const version of ['29', '30']) {
  CASES[`jest ${version} require()`] = jest(version, 'cjs');
  CASES[`jest ${version} import`] = jest(version, 'es');
}
for (const bundler of Object.keys(BUNDLERS)) {
  for (const format of /** @type {const} */ (['es', 'cjs'])) {
    CASES[`${bundler} ${format}`] = bundle(bundler, format, false);
    CASES[`${bundler} ${format}, sockchart external`] = bundle(bundler, format, true);
  }
}
for (const version of /** @type {(keyof typeof TYPESCRIPTS)[]} */ (Object.keys(TYPESCRIPTS).sort())) {
  for (const resolution of /** @type {(keyof typeof RESOLUTIONS)[]} */ (Object.keys(RESOLUTIONS))) {
    // TypeScript 7 has no node10.
    if (version === '7.0' && resolution === 'node10') continue;
    CASES[`typescript ${version} ${resolution}`] = typescript(version, resolution);
  }
}

const chosen = Object.entries(CASES).filter(([name]) => name.startsWith(values.only));
if (chosen.length === 0) {
  console.error(`No case begins with "${values.only}". There are: ${Object.keys(CASES).join('; ')}`);
  process.exitCode = 2;
}
for (const [name, test] of chosen) {
  try {
    await test();
    console.log(`ok      ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`failed  ${name}\n${/** @type {Error} */ (error).message.replace(/^/gm, '        ')}`);
  }
}
