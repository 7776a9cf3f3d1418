/** What the life of a machine costs without any socket: time, memory allocated on the way, and memory at rest. */
import { fileURLToPath } from 'node:url';
import { jsonLines, start } from './children.mjs';
import { layout } from './machine.mjs';
import { Figures, labelOf } from './results.mjs';
import { ratios, short, spread, table } from './stats.mjs';

/** @typedef {import('./run.mjs').Settings} Settings */

const child = fileURLToPath(new URL('./lives/child.mjs', import.meta.url));

/** Large enough that what a thousand lives allocate is not collected while they are counted. */
const YOUNG_MB = 512;

const LIBRARY = ['sockchart, compiled', 'sockchart on XState'];

/** @type {{ machine: string, title: string, waits: boolean, names: string[] }[]} */
const TABLES = [
  {
    machine: 'client',
    title: 'client: 4 events to its end, no timers',
    waits: false,
    names: ['by hand', ...LIBRARY, 'robot3', 'javascript-state-machine'],
  },
  { machine: 'client', title: 'client, with the timers of its waits', waits: true, names: LIBRARY },
  { machine: 'backend', title: 'backend: 8 events to its end, no timers', waits: false, names: LIBRARY },
  { machine: 'backend', title: 'backend, with the timers of its waits', waits: true, names: LIBRARY },
  { machine: 'listener', title: 'listener: 4 events, a client came and went; no timers', waits: false, names: LIBRARY },
];

/** @param {string} name @param {string} machine @param {boolean} waits @param {'time' | 'memory'} measure @param {number} scale @param {string} node */
async function run(name, machine, waits, measure, scale, node) {
  const flags = ['--expose-gc'];
  if (measure === 'memory') flags.push(`--min-semi-space-size=${YOUNG_MB}`, `--max-semi-space-size=${YOUNG_MB}`);
  const args = [...flags, child, name, machine, waits ? 'waits' : 'none', measure, String(scale)];
  const process_ = start(layout().pinned ? layout().proxy : undefined, node, args, ['ignore', 'pipe', 'inherit']);
  const measured = await jsonLines(process_)();
  if (measured === undefined) throw new Error(`${name} failed: ${machine}`);
  return measured;
}

class LifeTable {
  /** @type {Map<string, { figures: Figures, baseline: string }>} */
  #contenders = new Map();
  /** @type {object[]} */
  #raw = [];
  #missing = new Set();

  /** @param {string} title @param {readonly string[]} names the others are compared with the first, on the same Node */
  constructor(title, names) {
    this.title = title;
    this.baseline = names[0] ?? '';
  }

  /** @param {number} round @param {import('./results.mjs').Entrant} entrant @param {Record<string, any>} measured */
  add(round, { name, on }, measured) {
    if (measured.missing) return void this.#missing.add(name);
    const contender = labelOf({ name, on });
    const baseline = labelOf({ name: this.baseline, on });
    const { figures } = this.#contenders.get(contender) ?? { figures: new Figures() };
    this.#contenders.set(contender, { figures, baseline });
    this.#raw.push({ round, contender, measured });
    for (const [figure, value] of Object.entries(measured)) figures.add(figure, round, value);
  }

  /** @param {Figures} figures @param {string} baseline */
  #ratio(figures, baseline) {
    return ratios(figures.rounds('ns'), this.#contenders.get(baseline)?.figures.rounds('ns') ?? new Map());
  }

  print() {
    const rows = [...this.#contenders].map(([name, { figures, baseline }]) => [
      name,
      spread(figures.summary('ns')),
      spread(this.#ratio(figures, baseline)),
      short(figures.summary('allocatedBytes').median),
      short(figures.summary('idleBytes').median),
    ]);
    const lines = [`life: ${this.title}`, ''];
    lines.push(table(['', 'CPU ns per life', `× ${this.baseline}`, 'bytes allocated', 'bytes at rest'], rows));
    for (const name of this.#missing) lines.push(`without ${name}: the library has no such runtime yet`);
    return `${lines.join('\n')}\n`;
  }

  toJSON() {
    const summaries = Object.fromEntries(
      [...this.#contenders].map(([name, { figures, baseline }]) => [
        name,
        {
          ...Object.fromEntries(figures.names.map((figure) => [figure, figures.summary(figure)])),
          ratio: this.#ratio(figures, baseline),
        },
      ]),
    );
    return { name: 'life', title: this.title, summaries, raw: this.#raw };
  }
}

/** @param {Settings} settings */
async function life(settings) {
  const tables = TABLES.map(({ title, names }) => new LifeTable(title, names));
  for (let round = 0; round < settings.rounds; round++) {
    for (const [index, { machine, waits, names }] of TABLES.entries()) {
      for (const { path, version } of settings.nodes) {
        const on = settings.nodes.length > 1 ? version : undefined;
        for (const name of names) {
          const time = await run(name, machine, waits, 'time', settings.quick ? 0.1 : 0.4, path);
          const memory = time.missing || round > 0 ? {} : await run(name, machine, waits, 'memory', 1, path);
          tables[index]?.add(round, { name, on }, { ...time, ...memory });
        }
      }
    }
    settings.progress('life', round);
  }
  return tables;
}

/** @type {Record<string, (settings: Settings) => Promise<LifeTable[]>>} */
export const lifeBenchmark = { life };
