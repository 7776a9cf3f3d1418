/**
 * What a short connection costs, counted instead of timed: instructions in user space, and how often they miss the first
 * cache, by callgrind of valgrind. Other programs on the machine change it a little: on a slow machine more timers fire per connection.
 * V8 changes it more: it compiles on the one thread that there is, so that one count differs from the next by up to a tenth. The
 * kernel's part, most of the time of a connection, is not counted.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { found, nodeProxy } from './contenders.mjs';
import { freshNumbers } from './load/addresses.mjs';
import { buildLoad, measure, startServer } from './load/load.mjs';
import { Figures, labelOf } from './results.mjs';
import { ratios, short, spread, table } from './stats.mjs';

/** @typedef {import('./run.mjs').Settings} Settings */

const CONTENDERS = ['by-hand', 'sockchart'];

/** Why it cannot run here, if so. @returns {string | undefined} */
export function instructionsMissing() {
  if (found('valgrind') === undefined) return 'valgrind is not installed (on Debian: apt-get install valgrind)';
  try {
    buildLoad();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * @typedef {object} Count
 * @property {number} warmup how many connections come before
 * @property {number} connections how many are counted
 * @property {number} [concurrency] how many at once. Default 16
 * @property {boolean} [caches] the first cache, too, at four times the time. Default true
 * @property {readonly string[]} [flags] for Node
 */

/**
 * @param {string} name of the program in `proxies/`
 * @param {import('./nodes.mjs').Node} node
 * @param {Count} count
 * @returns {Promise<{ instructions: number, misses: number }>} of one connection
 */
export async function countInstructions(
  name,
  node,
  { warmup, connections, concurrency = 16, caches = true, flags = [] },
) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'sockchart-bench-callgrind-'));
  const clear = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', clear);
  const options = [
    '--instr-atstart=no',
    `--cache-sim=${caches ? 'yes' : 'no'}`,
    `--callgrind-out-file=${directory}/out`,
  ];
  const under = ['valgrind', '-q', '--tool=callgrind', ...options];
  const server = await startServer();
  const proxy = await nodeProxy(name, name, node, { under, flags: ['--single-threaded', ...flags] })({
    port: server.port,
    first: freshNumbers(),
  });
  try {
    const [pid] = proxy.pids();
    /** @param {number} count @param {number} longestMs */
    const load = (count, longestMs) =>
      measure('connections', {
        to: proxy.to,
        server: server.pid,
        concurrency,
        warmup: count,
        warmup_ms: longestMs,
        ms: 0,
      });
    /** @param {...string} what */
    const control = (...what) => execFileSync('callgrind_control', [...what, String(pid)], { stdio: 'ignore' });
    const before = await load(warmup, 600_000);
    control('-i', 'on');
    const counted = await load(connections, 60_000);
    control('-d');
    const errors = before.errors + counted.errors;
    if (errors > 0) throw new Error(`${name}: ${errors} errors: ${before.first_error || counted.first_error}`);
    return perConnection(directory, counted.total ?? 0);
  } finally {
    await proxy.end();
    await server.end();
    process.removeListener('exit', clear);
    clear();
  }
}

/** @param {string} directory @param {number} connections */
function perConnection(directory, connections) {
  for (const file of readdirSync(directory)) {
    const dumped = readFileSync(path.join(directory, file), 'utf8');
    const events = /^events: (.+)$/m.exec(dumped)?.[1]?.split(' ') ?? [];
    const totals = /^(?:totals|summary): (.+)$/m.exec(dumped)?.[1]?.split(' ').map(Number) ?? [];
    /** @param {string} event */
    const of = (event) => (totals[events.indexOf(event)] ?? Number.NaN) / connections;
    if (of('Ir') > 0) return { instructions: of('Ir'), misses: of('I1mr') + of('D1mr') + of('D1mw') };
  }
  throw new Error('callgrind has written no counts');
}

class InstructionsTable {
  /** @type {Map<string, { figures: Figures, baseline: string }>} */
  #contenders = new Map();
  /** @type {object[]} */
  #raw = [];

  /** @param {string} title */
  constructor(title) {
    this.title = title;
  }

  /** @param {number} round @param {import('./results.mjs').Entrant} entrant @param {Record<string, number>} counted */
  add(round, { name, on }, counted) {
    const contender = labelOf({ name, on });
    const { figures } = this.#contenders.get(contender) ?? { figures: new Figures() };
    this.#contenders.set(contender, { figures, baseline: labelOf({ name: 'by-hand', on }) });
    this.#raw.push({ round, contender, counted });
    for (const [figure, value] of Object.entries(counted)) figures.add(figure, round, value);
  }

  /** @param {string} figure @param {string} contender */
  #ratio(figure, contender) {
    const one = this.#contenders.get(contender);
    const base = this.#contenders.get(one?.baseline ?? '');
    return ratios(one?.figures.rounds(figure) ?? new Map(), base?.figures.rounds(figure) ?? new Map());
  }

  print() {
    const rows = [...this.#contenders].map(([name, { figures }]) => [
      name,
      short(figures.summary('instructions').median),
      spread(this.#ratio('instructions', name)),
      short(figures.summary('misses').median),
      spread(this.#ratio('misses', name)),
    ]);
    const head = ['', 'instructions', '× by-hand', 'misses of the first cache', '× by-hand'];
    return `instructions: ${this.title}\n\n${table(head, rows)}\n`;
  }

  toJSON() {
    const summaries = Object.fromEntries(
      [...this.#contenders].map(([name, { figures }]) => [
        name,
        Object.fromEntries(
          figures.names.map((figure) => [figure, { ...figures.summary(figure), ratio: this.#ratio(figure, name) }]),
        ),
      ]),
    );
    return { name: 'instructions', title: this.title, summaries, raw: this.#raw };
  }
}

/** @param {Settings} settings */
async function instructions({ rounds, quick, nodes, progress }) {
  const reason = instructionsMissing();
  if (reason !== undefined) {
    console.log(`without instructions: ${reason}\n`);
    return [];
  }
  const warmup = quick ? 30_000 : 60_000;
  const collected = new InstructionsTable(
    `short connections in user space, counted by callgrind; warm: after ${warmup.toLocaleString('en-US')} of them`,
  );
  for (let round = 0; round < rounds; round++) {
    for (const node of nodes) {
      const on = nodes.length > 1 ? node.version : undefined;
      for (const name of CONTENDERS) {
        collected.add(
          round,
          { name, on },
          await countInstructions(name, node, { warmup, connections: quick ? 500 : 2_000 }),
        );
      }
    }
    progress('instructions', round);
  }
  return [collected];
}

/** @type {Record<string, (settings: Settings) => Promise<import('./run.mjs').Printed[]>>} */
export const instructionsBenchmark = { instructions };
