// @ts-check
/**
 * Real programs talk to each other through the proxy: `npm run test:real`, or `npm run test:real -- redis drain` for
 * the scenarios with these words in their names.
 *
 * Each scenario has its own servers on loopback, in a temporary folder, and removes all of it whatever happens.
 * Exit codes: 0 all passed, 1 some failed, 2 a program is missing, or no scenario has such a name.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { argumentsOf } from './arguments.mjs';
import { balance } from './real/balance.mjs';
import { checks } from './real/checks.mjs';
import { failover } from './real/failover.mjs';
import { download, drain, upload } from './real/http.mjs';
import { pgbench } from './real/postgres.mjs';
import { findPrograms } from './real/programs.mjs';
import { proxyProtocol } from './real/proxy-protocol.mjs';
import * as recipes from './real/recipes.mjs';
import { benchmark, commands } from './real/redis.mjs';
import { side } from './real/side.mjs';
import { Stage, told } from './real/stage.mjs';

/**
 * What a scenario is given.
 *
 * @typedef {object} Scene
 * @property {Stage} stage
 * @property {import('./real/programs.mjs').Programs} programs
 * @property {string} cli the proxy's program
 */

/** @typedef {(scene: Scene) => Promise<string>} Scenario Resolves to what was compared and measured. */

/** @type {Record<string, Scenario>} */
const SCENARIOS = {
  'curl download': download,
  'curl upload': upload,
  'redis-cli': commands,
  'redis-benchmark': benchmark,
  'postgres pgbench': pgbench,
  'nginx killed': failover('kill'),
  'nginx quits': failover('quit'),
  'curl drain': drain,
  'balance as HAProxy': balance,
  'proxy protocol of HAProxy and nginx': proxyProtocol,
  'checks of HAProxy': checks,
  'side by side with HAProxy': side,
  'recipe connect-proxy': recipes.connectProxy,
  'recipe socks-proxy': recipes.socks,
  'recipe sni-router': recipes.sni,
  'recipe postgres-proxy': recipes.postgres,
  'recipe demultiplexer': recipes.demultiplexer,
  'recipe balanced-proxy': recipes.balanced,
  'recipe websocket-bridge': recipes.webSocket,
  'recipe tunnel': recipes.tunnel,
  'recipe pool': recipes.pool,
};

const { values, positionals } = argumentsOf(
  { options: { cli: { type: 'string', default: fileURLToPath(new URL('../dist/cli.js', import.meta.url)) } } },
  'npm run test:real [-- words of the names of scenarios] [--cli dist/cli.js]',
);
const { programs, missing, packages } = findPrograms();
if (missing.length > 0) {
  console.error(`Missing: ${missing.join(', ')}. On Debian and Ubuntu:\n`);
  console.error(`  apt-get install ${packages.join(' ')}\n`);
  console.error('The servers that these packages start by themselves are not needed and may be stopped.');
  process.exit(2);
}
const cli = resolve(values.cli);
if (!existsSync(cli)) {
  console.error(`There is no ${cli}: run npm run build.`);
  process.exit(2);
}

/** @type {Stage | undefined} */
let current;
let interrupted = false;
process.on('exit', () => current?.destroy());
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, async () => {
    console.error(`${signal}: cleaning up`);
    interrupted = true;
    await current?.close();
    process.exit(130);
  });
}

/**
 * @param {string} name
 * @param {Scenario} scenario
 */
async function play(name, scenario) {
  const stage = new Stage();
  current = stage;
  try {
    return await told(
      name,
      stage,
      () => interrupted,
      () => scenario({ stage, programs, cli }),
    );
  } finally {
    await stage.close();
    current = undefined;
  }
}

const chosen = Object.entries(SCENARIOS).filter(
  ([name]) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
if (chosen.length === 0) {
  console.error(`No scenario has any of these words in its name: ${Object.keys(SCENARIOS).join(', ')}.`);
  process.exit(2);
}
let passed = 0;
for (const [name, scenario] of chosen) if (!interrupted && (await play(name, scenario))) passed++;
const failed = chosen.length - passed;
console.log(`${passed} passed, ${failed} failed`);
if (!interrupted) process.exit(failed > 0 ? 1 : 0);
