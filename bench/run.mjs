/**
 * Measures what the library costs, next to others: `npm run bench`, with `--help` after `--` for what can be chosen.
 *
 * Each round measures every contender in turn, so that what disturbs the machine disturbs all alike; a ratio is taken
 * within a round, and its median over the rounds is told.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { clusterBenchmark } from './cluster.mjs';
import { checkContenders } from './contenders.mjs';
import { failoverBenchmark } from './failover.mjs';
import { growthBenchmarks } from './growth.mjs';
import { instructionsBenchmark } from './instructions.mjs';
import { lifeBenchmark } from './life.mjs';
import { buildLoad } from './load/load.mjs';
import { describeMachine } from './machine.mjs';
import { nodesAt } from './nodes.mjs';
import { proxyBenchmarks } from './proxy.mjs';
import { tlsBenchmarks } from './tls.mjs';
import { variantBenchmarks } from './variants.mjs';

/**
 * @typedef {object} Settings
 * @property {number} rounds
 * @property {boolean} quick
 * @property {readonly import('./nodes.mjs').Node[]} nodes each contender in JavaScript runs on all of them
 * @property {readonly string[]} proxies only these contenders; all where it is empty
 * @property {(name: string, round: number) => void} progress
 */

/** @typedef {{ print(): string }} Printed */

/** @type {Record<string, (settings: Settings) => Promise<Printed[]>>} */
const benchmarks = {
  ...lifeBenchmark,
  ...instructionsBenchmark,
  ...proxyBenchmarks,
  ...tlsBenchmarks,
  ...clusterBenchmark,
  ...failoverBenchmark,
  ...growthBenchmarks,
  ...variantBenchmarks,
};

const HELP = `npm run bench -- [--only NAME[,NAME …]] [--node PATH …] [--proxies NAME[,NAME …]]
                 [--rounds N] [--quick] [--json FILE]

  --only NAME    only these, by their names or what their names begin with:
                 ${Object.keys(benchmarks).join(', ')}
  --node PATH    a Node to run the contenders in JavaScript on, or a directory that holds bin/node; may be repeated
                 (default: the one that runs this)
  --proxies NAME only these contenders, and the one by hand that they are compared with: sockchart, nginx, …
  --rounds N     rounds (default 5; with --quick 1)
  --quick        shorter: for a first look, not for a decision
  --json FILE    everything that was measured, raw and summarised`;

/** @param {string} why @returns {never} */
function refuse(why) {
  console.error(why);
  process.exit(1);
}

function parse() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        node: { type: 'string', multiple: true, default: [process.execPath] },
        proxies: { type: 'string', multiple: true, default: [] },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

const { only, node, proxies: some, rounds: wanted, quick, json, help } = parse();
if (help) {
  console.log(HELP);
  process.exit();
}
const rounds = Number(wanted ?? (quick ? 1 : 5));
if (!Number.isInteger(rounds) || rounds < 1) refuse(`--rounds ${wanted}: a whole number from 1 on`);
const names = only.flatMap((list) => list.split(','));
for (const name of names) {
  if (!Object.keys(benchmarks).some((known) => known === name || known.startsWith(`${name}.`))) {
    refuse(`--only ${name}: there is no such benchmark\n\n${HELP}`);
  }
}
const chosen = Object.entries(benchmarks).filter(
  ([known]) => names.length === 0 || names.some((name) => known === name || known.startsWith(`${name}.`)),
);

/** @type {import('./nodes.mjs').Node[]} */
let nodes = [];
/** @type {string[]} */
const proxies = some.flatMap((list) => list.split(','));
try {
  checkContenders(proxies);
  nodes = nodesAt(node);
  if (chosen.some(([name]) => name !== 'life')) buildLoad();
} catch (error) {
  refuse(error instanceof Error ? error.message : String(error));
}

const machine = { ...describeMachine(), node: nodes.map(({ version }) => version).join(', ') };
for (const [name, value] of Object.entries(machine)) console.log(`${name.padEnd(12)} ${value}`);
console.log(`${'rounds'.padEnd(12)} ${rounds}, interleaved; medians, with the least and the most\n`);

const began = performance.now();
const results = [];
for (const [, run] of chosen) {
  const collected = await run({
    rounds,
    quick,
    nodes,
    proxies,
    progress: (name, round) => {
      // Only for somebody who watches.
      if (process.stderr.isTTY) process.stderr.write(`\r${name}: round ${round + 1} of ${rounds}\x1b[K`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  for (const table of collected) console.log(table.print());
  results.push(...collected);
}
const seconds = (performance.now() - began) / 1_000;
console.log(`${Math.round(seconds)} seconds`);
if (json !== undefined) {
  writeFileSync(json, `${JSON.stringify({ machine, rounds, quick, seconds, results }, null, 2)}\n`);
}
process.exit();
