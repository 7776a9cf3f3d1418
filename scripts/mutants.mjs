/**
 * Makes every machine and every table of the adapters wrong in one place after the other, and looks who finds out: the
 * models and paths of a machine, without sockets, then the tests that take the transition in question. What nobody finds
 * has to be listed in test/mutants/survivors.json, with the reason; what is listed and found is an error as well.
 *
 *     npm run mutants -- [--part backend] [--only 'closing: '] [--list] [--lanes 2] [--pure] [--report file.json [--resume]]
 */
import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/**
 * @typedef {{ id: string, part: string, machines: string[], state?: string, event?: string, isLine?: boolean }} Mutant
 * @typedef {{ file: string, id: string, name: string, passes: boolean, ms: number, taken: string[], reached: string[] }} Test
 * @typedef {[order: string, what: { file?: string, testIds?: string[], ms?: number, thorough?: boolean }]} Order
 * @typedef {{ by?: string, test?: string, why?: string, ms?: number }} Result
 */

const SURVIVORS = new URL('../test/mutants/survivors.json', import.meta.url);
const LANE = new URL('mutants/lane.mjs', import.meta.url);

const files = (/** @type {string} */ names) => names.split(' ').map((name) => `test/${name}.test.ts`);

/** Who may find out about each machine and its adapter. Tests of `dist` see no mutant. @type {Record<string, string[]>} */
const SUITES = {
  backend: files(
    'session/ends backend/on-demand backend/hooks backend/prepare backend/streams backend/scenarios client/scenarios proxy/scenarios backend/failover handles/known-failures handles/edges proxy/stop handles/contract tls/tls proxy/proxy relay/relay paths/backend paths/session',
  ),
  client: files(
    'session/ends session/refuse client/peer client/peek client/hand-over client/streams client/scenarios backend/scenarios listener/listener handles/edges proxy/stop handles/contract tls/tls proxy/proxy relay/relay paths/client paths/session',
  ),
  listener: files(
    'listener/listener listener/drain proxy/stop handles/contract listener/scenarios client/scenarios tls/tls proxy/start handles/edges paths/listener',
  ),
  session: files(
    'session/refuse session/route session/adopt session/transform session/half-close proxy/proxy backend/failover proxy/scenarios backend/scenarios proxy/stop relay/relay handles/edges handles/contract tls/tls paths/session',
  ),
  proxy: files(
    'proxy/stop proxy/start proxy/prepare proxy/proxy handles/contract listener/listener proxy/scenarios backend/scenarios tls/tls paths/proxy',
  ),
  relay: files(
    'relay/parts relay/relay client/peek client/hand-over session/transform session/ends session/half-close options/times proxy/proxy handles/edges backend/failover backend/scenarios',
  ),
  upstream: files(
    'upstream/servers upstream/histories upstream/lookup upstream/addresses upstream/choosing options/options backend/failover backend/scenarios',
  ),
  balance: files('upstream/balance upstream/weights upstream/hash upstream/peak-ewma upstream/servers options/options'),
  inspect: files('inspect/observer inspect/server inspect/record inspect/words inspect/page-parts cli/cli'),
  check: files('checks/life checks/checks paths/check'),
  checks: files('checks/checks checks/life upstream/check-options paths/check'),
  name: files('names/names names/histories'),
  names: files('names/dns names/names names/proxy'),
  processes: files('cluster/messages cluster/cluster'),
  server: files(
    'upstream/server upstream/servers upstream/choosing upstream/changes upstream/histories upstream/queue paths/server',
  ),
  worker: files('cluster/cluster'),
  cluster: files('cluster/cluster'),
};
const PARTS = [...Object.keys(SUITES), 'socket'];
const machinesOf = (/** @type {string} */ part) => (part === 'socket' ? ['backend', 'client'] : [part]);

/** These count what gets through in some time: on a busy machine they fail by themselves. */
const DEPENDS_ON_LOAD = /1,000 live connections/;

/** What takes longer than a file of tests ever does hangs, or the machine is busy: see `outcome`. */
const LIMIT_MS = 600_000;

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        part: { type: 'string', multiple: true, default: PARTS },
        only: { type: 'string', default: '' },
        list: { type: 'boolean', default: false },
        lanes: { type: 'string', default: '2' },
        pure: { type: 'boolean', default: false },
        report: { type: 'string' },
        resume: { type: 'boolean', default: false },
      },
    });
    for (const part of values.part) {
      if (!PARTS.includes(part)) fail(`--part: there is no ${part}, but ${PARTS.join(', ')}`);
    }
    const lanes = Number(values.lanes);
    if (values.resume && values.report === undefined) fail('--resume: goes on with a --report');
    if (!Number.isInteger(lanes) || lanes < 1) fail('--lanes: how many at once, such as 2');
    return { ...values, lanes };
  } catch (error) {
    return fail(/** @type {Error} */ (error).message);
  }
}

/** A process that does one thing after the other; one that hangs is ended, with what it has started. */
class Lane {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  /** @type {(done: any) => void} */
  #settle = () => {};

  /** @returns {Promise<Mutant[]>} all of them, once it is ready */
  start() {
    const child = fork(LANE, { detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child = child;
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`A lane has ended by itself: ${code}`)));
      child.on('message', (/** @type {any} */ { mutants, done }) => {
        if (mutants === undefined) this.#settle(done);
        else resolve(mutants);
      });
    });
  }

  /** What became of an order; nothing if it hangs. @param {string} order @param {object} what @returns {Promise<any>} */
  async give(order, what, limitMs = LIMIT_MS) {
    let limit;
    const hangs = new Promise((resolve) => {
      limit = setTimeout(resolve, limitMs);
    });
    const done = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#child?.send({ order, ...what });
    const result = await Promise.race([done, hangs]);
    clearTimeout(limit);
    if (result === undefined) {
      this.stop();
      await this.start();
    }
    return result;
  }

  stop() {
    this.#child?.removeAllListeners();
    try {
      process.kill(-(/** @type {number} */ (this.#child?.pid)), 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}

/** Does it with each item, as soon as a lane is free. @template T @param {Iterable<T>} items @param {(lane: Lane, item: T) => Promise<void>} work */
async function each(items, work) {
  const queue = [...items];
  await Promise.all(
    lanes.map(async (lane) => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(lane, item);
    }),
  );
}

/** Whether a test takes the transition that is wrong in a mutant, or is about the machine at all where that is not known. */
function concerns(/** @type {Mutant} */ { machines, state, event }, /** @type {string} */ taken) {
  const [machine = '', from = '', type, to = ''] = taken.split(' ');
  if (!machines.includes(machine)) return false;
  if (state === undefined || event === 'always') return true;
  const within = (/** @type {string} */ path) => state === '' || path === state || path.startsWith(`${state}.`);
  return event === undefined ? within(to) : type === event && within(from);
}

/** The tests that can tell a mutant from what is right, file by file, the quickest first. */
function testsFor(/** @type {Mutant} */ mutant, /** @type {Test[]} */ tests) {
  /** @type {Map<string, { file: string, testIds: string[], ms: number }>} */
  const found = new Map();
  const suites = mutant.machines.flatMap((machine) => SUITES[machine]);
  for (const { file, id, ms, taken, reached } of tests) {
    if (!suites.includes(file)) continue;
    if (!(mutant.isLine ? reached.includes(mutant.id) : taken.some((transition) => concerns(mutant, transition))))
      continue;
    const known = found.get(file) ?? { file, testIds: [], ms: 0 };
    found.set(file, { file, testIds: [...known.testIds, id], ms: known.ms + ms });
  }
  return [...found.values()].sort((one, other) => one.ms - other.ms);
}

/** What is right, first: which transitions its tests take. @returns {Promise<Test[]>} */
async function observe(/** @type {string[]} */ parts) {
  const suites = new Set(parts.flatMap(machinesOf).flatMap((machine) => SUITES[machine] ?? []));
  /** @type {Test[]} */
  const tests = [];
  await each(suites, async (lane, file) => {
    const isAboutMachines = wanted.some(
      ({ isLine, machines }) => isLine !== true && machines.some((machine) => SUITES[machine]?.includes(file)),
    );
    const observed = (await lane.give('observe', { file, isAboutMachines })) ?? fail(`Without a mutant, ${file} hangs`);
    if (observed.tests.length === 0) fail(`Without a mutant, ${file} cannot be run`);
    for (const test of observed.tests) {
      if (!test.passes) console.error(`Without a mutant this fails, and is left out: ${test.name}`);
      else if (!DEPENDS_ON_LOAD.test(test.name)) tests.push(test);
    }
  });
  return tests;
}

/** How many there were of each part, and who has found them. */
function summary(/** @type {Map<Mutant, Result>} */ results) {
  /** @type {Map<string, Record<string, number>>} */
  const table = new Map();
  for (const [{ id }, { by = 'nobody' }] of results) {
    const name = id.slice(0, id.indexOf(':'));
    const row = table.get(name) ?? { mutants: 0 };
    table.set(name, row);
    row.mutants = (row.mutants ?? 0) + 1;
    row[by] = (row[by] ?? 0) + 1;
  }
  return [...table].map(([name, { mutants, ...by }]) => {
    const finders = Object.entries(by).sort(([, one], [, other]) => other - one);
    return `${name}: ${mutants} mutants; ${finders.map(([finder, count]) => `${finder} ${count}`).join(', ')}`;
  });
}

/** What does not agree with the list of survivors. */
function complaints(/** @type {Map<Mutant, Result>} */ results, /** @type {Mutant[]} */ all) {
  const known = new Set(all.map(({ id }) => id));
  const found = [];
  for (const [{ id }, { by, test }] of results) {
    if (by === undefined && !excused.has(id)) found.push(`Nobody finds out: ${id}`);
    if (by !== undefined && excused.has(id)) found.push(`Listed as a survivor, and found by ${test ?? by}: ${id}`);
  }
  for (const id of excused) if (!known.has(id)) found.push(`Listed as a survivor, and there is none: ${id}`);
  return found;
}

/** @type {{ why: string, mutants: string[] }[]} */
const listed = JSON.parse(readFileSync(SURVIVORS, 'utf8'));
const excused = new Set(listed.flatMap(({ mutants }) => mutants));

const { part: parts, only, list, lanes: count, pure, report, resume } = options();
const lanes = Array.from({ length: list ? 1 : count }, () => new Lane());
process.on('exit', () => {
  for (const lane of lanes) lane.stop();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const [all = []] = await Promise.all(lanes.map((lane) => lane.start()));
const wanted = all.filter(
  ({ id, part, state }) => parts.includes(part) && id.includes(only) && !(pure && state === undefined),
);
if (wanted.length === 0) fail(`--only: no mutant is called ${only}`);
if (list) {
  process.stdout.write(`${wanted.map(({ id }) => id).join('\n')}\n`, () => process.exit());
  await new Promise(() => {});
}

const began = performance.now();
const seconds = () => Math.round((performance.now() - began) / 1000);
/** @type {Map<Mutant, Result>} */
const results = new Map();

/**
 * What an order has come to. A busy machine is as late as one that hangs: what hangs was found only if the same tests pass
 * in time without the mutant. Without sockets there is nothing to compare with, and whoever is late has found nothing.
 *
 * @param {Lane} lane @param {Mutant} mutant @param {Order} order @returns {Promise<Result>}
 */
async function outcome(lane, { id }, [order, what]) {
  // Without the mutant these tests took this long.
  const limitMs = Math.min(LIMIT_MS, 20_000 + 10 * (what.ms ?? LIMIT_MS));
  const result = await lane.give(order, { id, ...what }, limitMs);
  if (result !== undefined) return result;
  if (order !== 'test') return { why: 'late, without sockets' };
  const right = await lane.give('compare', what, limitMs);
  return right?.passes === true
    ? { by: 'a timeout', why: `${what.file}` }
    : { why: `late, as without a mutant: ${what.file}` };
}

/** Notes who has found a mutant: the orders are given one after the other, until somebody does. */
async function hunt(/** @type {Lane} */ lane, /** @type {Mutant} */ mutant, /** @type {Order[]} */ orders) {
  /** @type {Result} */
  let result = {};
  for (const order of orders) {
    result = await outcome(lane, mutant, order);
    if (result.by !== undefined) break;
  }
  results.set(mutant, result);
  console.log(`${seconds()} s: ${mutant.id} – ${result.by ?? 'nobody yet'}: ${result.test ?? result.why ?? ''}`);
  if (report !== undefined) {
    writeFileSync(
      report,
      JSON.stringify(Object.fromEntries([...results].map(([{ id }, found]) => [id, found])), null, 1),
    );
  }
}

/** Those that nobody has found yet; last the listed ones, for which all tests are run. */
const left = () => {
  const unfound = wanted.filter((mutant) => results.get(mutant)?.by === undefined);
  return [...unfound.filter(({ id }) => !excused.has(id)), ...unfound.filter(({ id }) => excused.has(id))];
};

if (resume && report !== undefined) {
  const before = JSON.parse(readFileSync(report, 'utf8'));
  for (const mutant of wanted) if (before[mutant.id]?.by !== undefined) results.set(mutant, before[mutant.id]);
}
for (const mutant of left()) if (mutant.state === undefined) results.set(mutant, {});
await each(
  left().filter(({ state }) => state !== undefined),
  (lane, mutant) => hunt(lane, mutant, [['judge', { thorough: false }]]),
);
if (!pure && left().length > 0) {
  const tests = await observe([...new Set(left().map(({ part }) => part))]);
  console.log(`${seconds()} s: ${left().length} of ${wanted.length} are left for ${tests.length} tests`);
  await each(left(), (lane, mutant) =>
    hunt(lane, mutant, [
      ...testsFor(mutant, tests).map((what) => /** @type {Order} */ (['test', what])),
      ...(mutant.state === undefined ? [] : [/** @type {Order} */ (['judge', { thorough: true }])]),
    ]),
  );
}
console.log(`\n${summary(results).join('\n')}\nafter ${seconds()} s`);
const wrong = complaints(results, all);
if (wrong.length > 0) console.error(`\n${wrong.join('\n')}`);
process.exitCode = wrong.length > 0 ? 1 : 0;
for (const lane of lanes) lane.stop();
