/**
 * Makes every machine wrong in one place after the other, and looks which test finds out. What nobody finds is listed in
 * test/mutants/survivors.json with the reason; anything else that nobody finds is an error, and so is a reason for what is found.
 *
 *     npm run mutants -- [--machine backend] [--only 'closing: '] [--list] [--lanes 2] [--report file.json]
 */
import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const SURVIVORS = new URL('../test/mutants/survivors.json', import.meta.url);
const LANE = new URL('mutants/lane.mjs', import.meta.url);

/** Who may find out about each machine: whoever is quick, or likely to, first. Tests of `dist` see no mutant. */
const SUITES = {
  backend: files('scenarios failover edges stop contract tls proxy relay sockets/backend sockets/session'),
  client: files('scenarios listener edges stop contract tls proxy relay sockets/client sockets/session'),
  listener: files('listener stop contract scenarios tls proxy start sockets/listener'),
  session: files('proxy failover scenarios stop relay edges contract tls sockets/session'),
  proxy: files('stop start proxy contract listener scenarios tls sockets/proxy'),
};
function files(names) {
  return names.split(' ').map((name) => `test/${name}.test.ts`);
}


/** What takes longer than a file of tests ever does hangs. */
const LIMIT_MS = 300_000;

function fail(message) {
  console.error(message);
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        machine: { type: 'string', multiple: true },
        only: { type: 'string' },
        list: { type: 'boolean' },
        lanes: { type: 'string', default: '2' },
        report: { type: 'string' },
        pure: { type: 'boolean' },
      },
    });
    for (const machine of values.machine ?? []) {
      if (!(machine in SUITES)) fail(`--machine: there is no ${machine}, but ${Object.keys(SUITES).join(', ')}`);
    }
    const lanes = Number(values.lanes);
    if (!Number.isInteger(lanes) || lanes < 1) fail('--lanes: how many at once, such as 2');
    return { ...values, lanes };
  } catch (error) {
    return fail(error.message);
  }
}

/** A process that does one thing after the other; one that hangs is ended, with what it has started. */
class Lane {
  #child;
  #mutants;
  #settle;

  /** Resolves with all mutants. */
  start() {
    this.#child = fork(LANE, { detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', ({ mutants, done }) => (mutants === undefined ? this.#settle(done) : this.#mutants(mutants)));
    return new Promise((resolve, reject) => {
      this.#mutants = resolve;
      this.#child.once('exit', (code) => reject(new Error(`A lane has ended by itself: ${code}`)));
    });
  }

  /** Resolves with what became of it; undefined if it hangs. */
  async give(order, what) {
    let limit;
    const hangs = new Promise((resolve) => {
      limit = setTimeout(resolve, LIMIT_MS);
    });
    const done = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#child.send({ order, ...what });
    const result = await Promise.race([done, hangs]);
    clearTimeout(limit);
    if (result === undefined) {
      this.stop();
      await this.start();
    }
    return result;
  }

  stop() {
    this.#child.removeAllListeners();
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}

/** Does it with each item, as soon as a lane is free. */
async function each(items, work) {
  const queue = [...items];
  await Promise.all(
    lanes.map(async (lane) => {
      while (queue.length > 0) await work(lane, queue.shift());
    }),
  );
}

/** The tests that can tell a mutant from the machine as it is, file by file, the quickest first. */
function testsFor({ machine, state, event }, tests) {
  const within = (path) => path === state || path.startsWith(`${state}.`) || state === '';
  const concerns = (taken) => {
    const [name, from, type, to] = taken.split(' ');
    if (name !== machine) return false;
    if (event === 'always') return true;
    return event === undefined ? within(to) : type === event && within(from);
  };
  const files = new Map();
  for (const test of tests) {
    if (!SUITES[machine].includes(test.file) || !test.taken.some(concerns)) continue;
    const of = files.get(test.file) ?? { file: test.file, testIds: [], ms: 0 };
    files.set(test.file, of);
    of.testIds.push(test.id);
    of.ms += test.ms;
  }
  return [...files.values()].sort((one, other) => one.ms - other.ms);
}

/** Who finds out about one mutant. */
async function hunt(lane, mutant, tests) {
  const { id } = mutant;
  const orders = [
    ['judge', { id }],
    ...testsFor(mutant, tests).map(({ file, testIds }) => ['test', { id, file, testIds }]),
    ['judge', { id, thorough: true }],
  ];
  for (const [order, what] of orders) {
    const result = await lane.give(order, what);
    if (result === undefined) return { by: 'timeout', why: what.file ?? 'without sockets' };
    if (result.by !== undefined) return result;
  }
  return {};
}

const { machine: machines = Object.keys(SUITES), only = '', list, lanes: count, report, pure } = options();
const lanes = Array.from({ length: count }, () => new Lane());
process.on('exit', () => {
  for (const lane of lanes) lane.stop();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const [all] = await Promise.all(lanes.map((lane) => lane.start()));
const wanted = all.filter(({ id, machine }) => machines.includes(machine) && id.includes(only));
if (wanted.length === 0) fail(`--only: no mutant is called ${only}`);
if (list) {
  console.log(wanted.map(({ id }) => id).join('\n'));
  process.exit();
}

const began = performance.now();
const tests = [];
await each(new Set(pure ? [] : machines.flatMap((machine) => SUITES[machine])), async (lane, file) => {
  const { tests: observed, failure } = (await lane.give('observe', { file })) ?? fail(`Without a mutant, ${file} hangs`);
  if (failure !== undefined) fail(`Without a mutant, ${failure.test} fails: ${failure.why}`);
  tests.push(...observed);
});
console.log(`${tests.length} tests pass without a mutant; ${Math.round((performance.now() - began) / 1000)} s`);

const results = new Map();
await each(wanted, async (lane, mutant) => {
  const started = performance.now();
  const result = await hunt(lane, mutant, tests);
  results.set(mutant.id, { ...result, ms: Math.round(performance.now() - started) });
  if (report !== undefined) writeFileSync(report, JSON.stringify(Object.fromEntries(results), null, 1));
  console.log(`${results.size}/${wanted.length} ${mutant.id}: ${result.by ?? 'SURVIVES'}${result.test ? ` (${result.test})` : ''}`);
});
console.log(`${Math.round((performance.now() - began) / 1000)} s`);
process.exit();
