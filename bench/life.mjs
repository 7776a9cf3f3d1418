/** What the life of a machine costs without any socket: time, memory allocated on the way, and memory at rest. */
import { fileURLToPath } from 'node:url';
import { jsonLines, start } from './children.mjs';
import { layout } from './machine.mjs';
import { Figures } from './results.mjs';
import { medianRatio, short, spread, table } from './stats.mjs';

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

/** @param {string} name @param {string} machine @param {boolean} waits @param {'time' | 'memory'} measure @param {number} scale */
async function run(name, machine, waits, measure, scale) {
  const flags = ['--expose-gc'];
  if (measure === 'memory') flags.push(`--min-semi-space-size=${YOUNG_MB}`, `--max-semi-space-size=${YOUNG_MB}`);
  const args = [...flags, child, name, machine, waits ? 'waits' : 'none', measure, String(scale)];
  const process_ = start(layout().pinned ? layout().proxy : undefined, process.execPath, args, [
    'ignore',
    'pipe',
    'inherit',
  ]);
  const measured = await jsonLines(process_)();
  if (measured === undefined) throw new Error(`${name} failed: ${machine}`);
  return measured;
}

class LifeTable {
  /** @type {Map<string, Figures>} */
  #contenders = new Map();
  /** @type {object[]} */
  #raw = [];
  #missing = new Set();

  /** @param {string} title @param {readonly string[]} names */
  constructor(title, names) {
    this.title = title;
    for (const name of names) this.#contenders.set(name, new Figures());
  }

  /** @param {number} round @param {string} name @param {Record<string, any>} measured */
  add(round, name, measured) {
    if (measured.missing) return void this.#missing.add(name);
    this.#raw.push({ round, contender: name, measured });
    for (const [figure, value] of Object.entries(measured)) this.#contenders.get(name)?.add(figure, round, value);
  }

  #present() {
    return [...this.#contenders].filter(([name]) => !this.#missing.has(name));
  }

  print() {
    const present = this.#present();
    const [baseline = '', first] = present[0] ?? [];
    const rows = present.map(([name, figures]) => [
      name,
      spread(figures.summary('ns')),
      first === undefined ? '' : short(medianRatio(figures.rounds('ns'), first.rounds('ns'))),
      short(figures.summary('allocatedBytes').median),
      short(figures.summary('idleBytes').median),
    ]);
    const lines = [`life: ${this.title}`, ''];
    lines.push(table(['', 'CPU ns per life', `× ${baseline}`, 'bytes allocated', 'bytes at rest'], rows));
    for (const name of this.#missing) lines.push(`without ${name}: the library has no such runtime yet`);
    return `${lines.join('\n')}\n`;
  }

  toJSON() {
    const summaries = Object.fromEntries(
      this.#present().map(([name, figures]) => [
        name,
        Object.fromEntries(figures.names.map((figure) => [figure, figures.summary(figure)])),
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
      for (const name of names) {
        const time = await run(name, machine, waits, 'time', settings.quick ? 0.1 : 0.4);
        const memory = time.missing || round > 0 ? {} : await run(name, machine, waits, 'memory', 1);
        tables[index]?.add(round, name, { ...time, ...memory });
      }
    }
    settings.progress('life', round);
  }
  return tables;
}

/** @type {Record<string, (settings: Settings) => Promise<LifeTable[]>>} */
export const lifeBenchmark = { life };
