// @ts-check
/**
 * Writes src/generated/: a class for each machine of src/machines/, so that no program has to load XState, nor to compile a
 * machine, before it can run one. With `--check` it writes nothing, and fails if what is there is stale.
 *
 * Run it after the build: it reads build/. What it has changed is built once more.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { planOf } from '../build/compiler/plan.js';
import { sourceOf } from '../build/compiler/source.js';
import { machines } from '../build/machines/index.js';

const FUNCTIONS = new URL('../build/machines/functions/', import.meta.url);
const TO = new URL('../src/generated/', import.meta.url);

/** @type {Map<string, Record<string, unknown>>} */
const modules = new Map();
for (const file of readdirSync(FUNCTIONS).sort()) {
  if (file.endsWith('.js')) modules.set(file.slice(0, -3), await import(new URL(file, FUNCTIONS).href));
}

/** The words of a value, as a name: `{ phase: 'closing', timeout: 'closeTimeout' }` is `closingCloseTimeout`. @param {unknown} value */
function nameFor(value) {
  const words = [...JSON.stringify(value).matchAll(/:"(\w+)"/g)].map(([, word = '']) => word);
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('') || 'Value';
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** The name under which a module is imported: `server-guards` as `serverGuards`. @param {string} module */
const aliasOf = (module) => module.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

/** @param {unknown} value @returns {string} */
function literal(value) {
  if (value === undefined) return 'undefined';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  const entries = Object.entries(value).map(([key, part]) => `${JSON.stringify(key)}: ${literal(part)}`);
  return `{ ${entries.join(', ')} }`;
}

/** @param {import('xstate').AnyStateMachine} machine */
function moduleOf(machine) {
  const { id } = machine;
  /** @type {Set<string>} */
  const imported = new Set();
  /** @type {Map<string, string>} */
  const constants = new Map();
  // A function of the machine's own module comes first: it may hand on one of another.
  const known = [...modules].sort(([a], [b]) => Number(b === id) - Number(a === id));

  /** @param {unknown} run */
  function nameOf(run) {
    for (const [module, exported] of known) {
      const [name] = Object.entries(exported).find(([, value]) => value === run) ?? [];
      if (name === undefined) continue;
      imported.add(module);
      return `${aliasOf(module)}.${name}`;
    }
    throw new Error(`${id}: no module of src/machines/functions/ exports this function. Give it a name there:\n${run}`);
  }

  /** @param {unknown} value */
  function textOf(value) {
    if (typeof value !== 'object' || value === null || 'type' in value) return literal(value);
    const text = literal(value);
    const name = constants.get(text) ?? nameFor(value);
    constants.set(text, name);
    return name;
  }

  const name = `${id.charAt(0).toUpperCase()}${id.slice(1)}Instance`;
  // The machines of the library are pure: no function of theirs asks for more than the context and the event.
  const plan = planOf(machine, () => false);
  const source = sourceOf(plan, name, {
    nameOf,
    valueOf: textOf,
    delaysAreNumbers: true,
    isCommented: true,
  });
  const text = `// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "${id}" runs. Written by scripts/generate.mjs from src/machines/${id}.ts: change that, and build.
 *
 * \`take\` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
${[...imported]
  .sort()
  .map((module) => `import * as ${aliasOf(module)} from '../machines/functions/${module}.js';`)
  .join('\n')}
import {
  BOUND,
  BUSY,
  contextOf,
  factsOf,
  MachineInstance,
  OVER,
  place,
  STARTED,
  transitions,
  UNRESTED,
} from '../runtime/machine-instance.js';

let Made;

/** Its class is made for the first one: a program pays for the machines that it runs. */
export const ${id}Instance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
${[...constants].map(([value, constant]) => `const ${constant} = ${value};`).join('\n')}
${source.replace(`class ${name}`, `return class ${name}`)}
}
`;
  return execFileSync('node_modules/.bin/biome', ['format', `--stdin-file-path=src/generated/${id}.ts`], {
    input: text,
    encoding: 'utf8',
  });
}

const isCheck = process.argv.includes('--check');
mkdirSync(TO, { recursive: true });
const stale = machines
  .map((machine) => ({ file: new URL(`${machine.id}.ts`, TO), text: moduleOf(/** @type {any} */ (machine)) }))
  .filter(({ file, text }) => !existsSync(file) || readFileSync(file, 'utf8') !== text);
if (isCheck && stale.length > 0) {
  console.error('src/generated/ is stale. Run: npm run build');
  process.exit(1);
}
for (const { file, text } of stale) writeFileSync(file, text);
if (stale.length > 0) execFileSync('node_modules/.bin/tsc', ['-p', '.'], { stdio: 'inherit' });
