/** What was measured, by contender and round, and the tables made of it. */
import { ratios, short, spread, summarise, table } from './stats.mjs';

/** @typedef {import('./load/load.mjs').Measured} Measured */

/** A proxy that was idle more than this was not what limited the rate. */
const BUSY = 0.95;

/** What others may take of a core until the numbers say more of them than of the proxies. */
const DISTURBED = 0.2;

/** What was measured, and the version of the Node that ran it where there are several. @typedef {{ name: string, on?: string | undefined }} Entrant */

/** @param {Entrant} entrant */
export const labelOf = ({ name, on }) => (on === undefined ? name : `${name} on ${on}`);

/** The figures of one contender, by name and round. */
export class Figures {
  /** @type {Map<string, Map<number, number>>} */
  #byName = new Map();

  /** @param {string} name @param {number} round @param {number} value */
  add(name, round, value) {
    const rounds = this.#byName.get(name) ?? new Map();
    rounds.set(round, value);
    this.#byName.set(name, rounds);
  }

  /** @param {string} name @returns {Map<number, number>} */
  rounds(name) {
    return this.#byName.get(name) ?? new Map();
  }

  /** @param {string} name */
  summary(name) {
    return summarise([...this.rounds(name).values()]);
  }

  get names() {
    return [...this.#byName.keys()];
  }
}

/** All rounds of one table. */
export class Collected {
  /** @type {Map<string, Figures>} */
  #contenders = new Map();
  /** @type {{ round: number, contender: string, measured: object }[]} */
  #raw = [];
  /** @type {Map<string, { count: number, first: string }>} */
  #errors = new Map();
  /** By contender, with what it is compared. @type {Map<string, string>} */
  #baselines = new Map();
  /** The first Node: what is no JavaScript is compared with the baseline there. @type {string | undefined} */
  #first;
  /** @type {string[]} */
  #notes = [];
  /** @type {{ unit: string, rate: string, latencies: boolean } | undefined} */
  #kind;

  /** @param {string} name @param {string} title @param {string} baseline what each is compared with, on the same Node */
  constructor(name, title, baseline = 'by-hand') {
    this.name = name;
    this.title = title;
    this.baseline = baseline;
  }

  /** What has to be said below the table. @param {...string} lines */
  note(...lines) {
    this.#notes.push(...lines);
  }

  /** @param {Entrant} entrant */
  #labelOf({ name, on }) {
    const label = labelOf({ name, on });
    this.#first ??= on;
    this.#baselines.set(label, labelOf({ name: this.baseline, on: on ?? this.#first }));
    return label;
  }

  /** @param {string} contender */
  figures(contender) {
    let figures = this.#contenders.get(contender);
    if (figures === undefined) {
      figures = new Figures();
      this.#contenders.set(contender, figures);
    }
    return figures;
  }

  /** @param {string} contender @param {{ errors: number, first_error: string }} measured */
  #noteErrors(contender, { errors, first_error }) {
    const noted = this.#errors.get(contender) ?? { count: 0, first: first_error };
    if (noted.first === '') noted.first = first_error;
    noted.count += errors;
    this.#errors.set(contender, noted);
  }

  /**
   * @param {number} round
   * @param {Entrant} entrant
   * @param {Measured} measured
   * @param {{ unit: string, rate: string, latencies?: boolean, count(measured: Measured): number }} probe
   */
  add(round, entrant, measured, probe) {
    const contender = this.#labelOf(entrant);
    this.#kind = { unit: probe.unit, rate: probe.rate, latencies: probe.latencies ?? false };
    this.#raw.push({ round, contender, measured });
    this.#noteErrors(contender, measured);
    const {
      wall_ns: wall,
      proxy_cpu_ns: proxy,
      proxy_user_ns: user,
      server_cpu_ns: server,
      load_cpu_ns: load,
    } = measured;
    const count = probe.count(measured);
    const figures = this.figures(contender);
    if (contender !== 'direct') {
      figures.add('cpu', round, proxy / 1e3 / count);
      figures.add('user', round, user / 1e3 / count);
      figures.add('busy', round, proxy / wall);
      figures.add('warmUp', round, (measured.warmup_ns ?? Number.NaN) / 1e9);
    }
    figures.add('rate', round, count / (wall / 1e9));
    figures.add('generator', round, (server + load) / wall);
    figures.add('generatorCost', round, (server + load) / 1e3 / count);
    figures.add('others', round, Math.max(0, (measured.machine_busy_ns - proxy - server - load) / wall));
    if (probe.latencies) {
      figures.add('p50', round, (measured.p50_us ?? Number.NaN) / 1e3);
      figures.add('p99', round, (measured.p99_us ?? Number.NaN) / 1e3);
    }
  }

  /**
   * @param {number} round
   * @param {Entrant} entrant
   * @param {{ bytesPerPair: number, beforeBytes: number, afterBytes: number, errors: number, first_error: string }} measured
   */
  addMemory(round, entrant, measured) {
    const contender = this.#labelOf(entrant);
    this.#raw.push({ round, contender, measured });
    this.#noteErrors(contender, measured);
    const figures = this.figures(contender);
    figures.add('memory', round, measured.bytesPerPair / 1024);
    figures.add('before', round, measured.beforeBytes / 2 ** 20);
  }

  /** Of each round, to the baseline. @param {string} figure @param {string} contender */
  #ratios(figure, contender) {
    const baseline = this.#contenders.get(this.#baselines.get(contender) ?? '');
    return ratios(this.figures(contender).rounds(figure), baseline?.rounds(figure) ?? new Map());
  }

  /** A figure with its spread, and its ratios with theirs. @param {string} figure @param {string} contender */
  #compared(figure, contender) {
    return [spread(this.figures(contender).summary(figure)), spread(this.#ratios(figure, contender))];
  }

  #names() {
    // Those that were begun with in the first round come first; the one without a proxy comes last.
    const names = [...this.#contenders.keys()];
    return [...names.filter((name) => name !== 'direct'), ...names.filter((name) => name === 'direct')];
  }

  #errorLines() {
    return [...this.#errors]
      .filter(([, { count }]) => count > 0)
      .map(([name, { count, first }]) => `!! ${name}: ${count} errors; the first: ${first}. Its numbers do not count.`);
  }

  /** The table as text, with what has to be said about it. */
  print() {
    const lines = [`${this.name}: ${this.title}`, ''];
    lines.push(this.#kind === undefined ? this.#memoryTable() : this.#rateTable(this.#kind));
    lines.push(...this.#notes, ...this.#errorLines());
    return `${lines.join('\n')}\n`;
  }

  /** @param {{ unit: string, rate: string, latencies: boolean }} kind */
  #rateTable({ unit, rate, latencies }) {
    let bound = false;
    const rows = this.#names().map((name) => {
      const figures = this.figures(name);
      const busy = figures.summary('busy').median;
      const idle = name !== 'direct' && busy < BUSY;
      bound ||= idle;
      return [
        name,
        ...this.#compared('cpu', name),
        ...this.#compared('user', name),
        `${spread(figures.summary('rate'))}${idle ? ' *' : ''}`,
        ...(latencies ? [spread(figures.summary('p50')), ...this.#compared('p99', name)] : []),
        name === 'direct' ? '–' : `${short(busy * 100)} %`,
        short(figures.summary('generatorCost').median),
      ];
    });
    const head = [
      '',
      `CPU µs/${unit}`,
      `× ${this.baseline}`,
      'of it user µs',
      `× ${this.baseline}`,
      rate,
      ...(latencies ? ['p50 ms', 'p99 ms', `× ${this.baseline}`] : []),
      'proxy busy',
      'load + backend µs',
    ];
    const lines = [table(head, rows), ''];
    const warmUps = summarise(this.#names().flatMap((name) => [...this.figures(name).rounds('warmUp').values()]));
    if (warmUps.count > 0) lines.push(`Load before the window: ${short(warmUps.min)} to ${short(warmUps.max)} s.`);
    if (bound)
      lines.push(`* The proxy was busy for less than ${BUSY * 100} %: its rate was bound by load, backend or others.`);
    if (this.#contenders.has('direct')) lines.push(this.#headroom());
    lines.push(...this.#disturbance());
    return lines.join('\n');
  }

  #disturbance() {
    const others = summarise(this.#names().flatMap((name) => [...this.figures(name).rounds('others').values()]));
    const said = `Others took ${short(others.median * 100)} % of a core (at most ${short(others.max * 100)} %)`;
    return others.median > DISTURBED ? [`!! ${said}: measure again when the machine is quiet.`] : [`${said}.`];
  }

  #headroom() {
    const direct = this.figures('direct').summary('rate').median;
    const proxies = this.#names().filter((name) => name !== 'direct');
    const fastest = Math.max(...proxies.map((name) => this.figures(name).summary('rate').median));
    return `Without a proxy, load and backend do ${short(direct)}: ${short(direct / fastest)} times the fastest proxy.`;
  }

  #memoryTable() {
    const rows = this.#names().map((name) => {
      const figures = this.figures(name);
      return [name, ...this.#compared('memory', name), short(figures.summary('before').median)];
    });
    return table(['', 'KB per pair', `× ${this.baseline}`, 'MB without'], rows);
  }

  toJSON() {
    const summaries = Object.fromEntries(
      this.#names().map((contender) => {
        const figures = this.figures(contender);
        return [
          contender,
          Object.fromEntries(
            figures.names.map((name) => [
              name,
              {
                ...figures.summary(name),
                ratio: this.#ratios(name, contender),
              },
            ]),
          ),
        ];
      }),
    );
    return { name: this.name, title: this.title, summaries, errors: Object.fromEntries(this.#errors), raw: this.#raw };
  }
}
