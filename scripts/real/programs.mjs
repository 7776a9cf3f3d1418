// @ts-check
/** The programs that are needed, where they are, and which Debian packages bring them. */
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const POSTGRES = ['initdb', 'postgres', 'createdb', 'psql', 'pgbench'];

/** @type {Record<string, string>} */
const PACKAGES = {
  curl: 'curl',
  nginx: 'nginx-light',
  openssl: 'openssl',
  haproxy: 'haproxy',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  'redis-benchmark': 'redis-tools',
  ...Object.fromEntries(POSTGRES.map((name) => [name, 'postgresql'])),
};

/** Servers are often out of an ordinary user's PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * Debian keeps each version of PostgreSQL in a folder of its own, and puts wrappers that look for its clusters into
 * the PATH. All programs come from one folder: the newest version that has them.
 *
 * @returns {string[]}
 */
function postgresFolders() {
  try {
    return readdirSync('/usr/lib/postgresql')
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join('/usr/lib/postgresql', version, 'bin'));
  } catch {
    return [];
  }
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} name
 * @param {readonly string[]} folders
 * @returns {string | undefined}
 */
function findIn(name, folders) {
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/**
 * Where a program is, also one that ordinary users have no need of.
 *
 * @param {string} name
 */
export function findProgram(name) {
  return findIn(name, FOLDERS);
}

/** @typedef {(name: string) => string} Programs Answers where a program is. */

/**
 * @returns {{ programs: Programs, missing: string[], packages: string[] }}
 */
export function findPrograms() {
  const versioned = postgresFolders().find((folder) => POSTGRES.every((name) => isProgram(join(folder, name))));
  const postgres = versioned === undefined ? FOLDERS : [versioned];
  /** @type {Map<string, string>} */
  const found = new Map();
  /** @type {string[]} */
  const missing = [];
  for (const name of Object.keys(PACKAGES)) {
    const path = findIn(name, POSTGRES.includes(name) ? postgres : FOLDERS);
    if (path === undefined) missing.push(name);
    else found.set(name, path);
  }
  const packages = [...new Set(missing.map((name) => /** @type {string} */ (PACKAGES[name])))];
  return { programs: (name) => /** @type {string} */ (found.get(name)), missing, packages };
}
