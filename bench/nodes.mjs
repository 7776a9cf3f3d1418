/** The Nodes that run the contenders in JavaScript. */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';

/** @typedef {{ path: string, version: string }} Node */

const OLDEST = /** @type {const} */ ([20, 19]);

/**
 * @param {string} given a program, or a directory that holds `bin/node`
 * @returns {Node}
 * @throws with a sentence for the user when that is no Node, or one that is too old
 */
function nodeAt(given) {
  const isDirectory = statSync(given, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const program = path.resolve(isDirectory ? path.join(given, 'bin', 'node') : given);
  if (!existsSync(program)) {
    throw new Error(`--node ${given}: there is no ${program}; give a Node program, or a directory that holds bin/node`);
  }
  let version;
  try {
    const code = 'process.stdout.write(process.versions.node)';
    version = execFileSync(program, ['-e', code], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {}
  const [major = 0, minor = 0] = /^\d+\.\d+\.\d/.test(version ?? '') ? (version ?? '').split('.').map(Number) : [];
  if (version === undefined || major === 0) throw new Error(`--node ${given}: this is no Node program`);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new Error(`--node ${given}: this is Node ${version}; sockchart needs ${OLDEST.join('.')} or later`);
  }
  return { path: program, version };
}

/** @param {readonly string[]} given @returns {Node[]} */
export function nodesAt(given) {
  const nodes = given.map(nodeAt);
  for (const [index, { version }] of nodes.entries()) {
    const before = nodes.findIndex((node) => node.version === version);
    if (before < index) throw new Error(`--node ${given[index]}: this is Node ${version}, as ${given[before]} is`);
  }
  return nodes;
}
