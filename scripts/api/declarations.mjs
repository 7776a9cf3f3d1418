// @ts-check
/**
 * The public API as the published declarations say it. It relies on the form that tsc gives to declarations: each begins
 * at the start of a line.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @typedef {{ from: string, name: string }} Import where a name comes from, and what it is called there */
/** @typedef {{ declarations: Map<string, string>, imports: Map<string, Import>, exported: Map<string, Import> }} Module */

/** @type {Map<string, Module>} */
const modules = new Map();

/** @param {string} file @returns {Module} */
function moduleOf(file) {
  let module = modules.get(file);
  if (module === undefined) {
    module = read(file);
    modules.set(file, module);
  }
  return module;
}

/** @param {string} file @returns {Module} */
function read(file) {
  const text = readFileSync(file, 'utf8').replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '');
  /** @type {Module} */
  const module = { declarations: new Map(), imports: new Map(), exported: new Map() };
  for (const statement of text.split(/\n(?=(?:export|import|declare|type|interface)\b)/)) {
    const list = /^(import|export)(?: type)? \{([^}]*)\}(?: from '(.+)')?;/.exec(statement);
    const star = /^export (?:type )?\* from '(.+)';/.exec(statement);
    const declared =
      /^(?:export )?(?:declare )?(?:abstract )?(?:class|const|function|interface|type|namespace) (\w+)/.exec(statement);
    if (list !== null) {
      for (const [, name = '', as = name] of (list[2] ?? '').matchAll(/(?:type )?(\w+)(?: as (\w+))?/g)) {
        const from = list[3] === undefined ? file : fileOf(file, list[3]);
        if (from !== undefined) (list[1] === 'import' ? module.imports : module.exported).set(as, { from, name });
      }
    } else if (star !== null) {
      const from = /** @type {string} */ (fileOf(file, /** @type {string} */ (star[1])));
      for (const name of moduleOf(from).exported.keys()) module.exported.set(name, { from, name });
    } else {
      const space = /^import (?:type )?\* as (\w+) from '(.+)';/.exec(statement);
      if (space !== null) continue;
      if (declared === null) continue;
      const name = /** @type {string} */ (declared[1]);
      const before = module.declarations.get(name);
      module.declarations.set(name, [before, statement.trim()].filter(Boolean).join('\n'));
      if (statement.startsWith('export ')) module.exported.set(name, { from: file, name });
    }
  }
  return module;
}

/** Of a module of this package, its declarations. @param {string} file @param {string} specifier */
function fileOf(file, specifier) {
  return specifier.startsWith('.') ? join(dirname(file), specifier.replace(/\.js$/, '.d.ts')) : undefined;
}

/** What earlier entry points have shown. @type {Set<string>} */
const shown = new Set();

/** The files that declare something public. @type {Set<string>} */
const files = new Set();

/** All that an entry point declares, by name, and no earlier one. @param {string} entry */
function declarationsOf(entry) {
  /** @type {Map<string, string>} */
  const found = new Map();
  /** @param {Import} wanted */
  const add = ({ from, name }) => {
    const module = moduleOf(from);
    const declaration = module.declarations.get(name);
    if (declaration === undefined) {
      const next = module.exported.get(name) ?? module.imports.get(name);
      if (next !== undefined && (next.from !== from || next.name !== name)) add(next);
      return;
    }
    const key = `${name} ${relative(ROOT, from)}`;
    if (shown.has(key)) return;
    shown.add(key);
    files.add(from);
    // The type of a machine says all its states: diagrams/ does that better.
    found.set(key, declaration.replace(/(Machine: import\("xstate"\)\.StateMachine<)[\s\S]*/, '$1…>;'));
    for (const [word] of declaration.matchAll(/\b[A-Z]\w+|\b\w+Machine\b/g)) {
      const next = module.declarations.has(word) ? { from, name: word } : module.imports.get(word);
      if (next !== undefined) add(next);
    }
  };
  for (const wanted of moduleOf(entry).exported.values()) add(wanted);
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, declaration]) => declaration);
}

const { exports: entries } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** Of each entry point, its name, the names that it exports, and all that it declares and no earlier one does. */
export const api = Object.entries(/** @type {Record<string, any>} */ (entries))
  .filter(([, { types }]) => types !== undefined)
  .map(([name, entry]) => {
    const file = join(ROOT, entry.types.default);
    files.add(file);
    return {
      name: join('sockchart', name),
      exported: [...moduleOf(file).exported.keys()],
      declarations: declarationsOf(file),
    };
  });

/** The text of every file that declares something public, with its comments. */
export const sources = [...files].sort().map((file) => readFileSync(file, 'utf8'));
