/** Takes orders of scripts/mutants.mjs: what needs no sockets is done here, each file of tests in a process of its own. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createVitest } from 'vitest/node';

/** @typedef {import('vitest/node').TestRunResult} TestRunResult */

const vitest = await createVitest('test', { config: 'test/mutants/vitest.config.ts', watch: false, reporters: [{}] });
const [project] = vitest.projects;
if (project === undefined) throw new Error('There is no project');
/** @type {typeof import('../../test/mutants/pure.js')} */
const { mutants, judge } = await vitest.import('/test/mutants/pure.ts');
/** @type {typeof import('../../test/mutants/tables.js')} */
const { rows } = await vitest.import('/test/mutants/tables.ts');
/** @type {typeof import('../../test/mutants/lines.js')} */
const { lines } = await vitest.import('/test/mutants/lines.ts');
/** @type {typeof import('../../test/mutants/entry.js')} */
const { buildEntry } = await vitest.import('/test/mutants/entry.ts');
await buildEntry();
/** Where processes that a test has started note what they reach. */
const REACHED = join(tmpdir(), `sockchart-reached-${process.pid}`);

/** These open no socket and wait for nothing: a busy machine does not make them fail. */
const NEEDS_NO_TIME =
  /^test\/(relay\/parts|upstream\/(servers|balance|weights|hash|peak-ewma|histories)|inspect\/words|cluster\/messages)\.test\.ts$/;

/** Runs one file, or some of its tests. @param {string} file @param {string[] | undefined} testIds @param {number} bail */
async function run(file, testIds, bail) {
  /** @type {import('vitest/node').TestProject} */ (project).config.bail = bail;
  const specification = /** @type {import('vitest/node').TestProject} */ (project).createSpecification(
    resolve(file),
    testIds && { testIds },
  );
  const result = await vitest.runTestSpecifications([specification]);
  // It would keep what became of the files before, and tell it again.
  vitest.state.filesMap.clear();
  vitest.state.idMap.clear();
  return result;
}

/** What has failed first, if anything. @param {string} file @param {TestRunResult} result @returns {{ id?: string, test: string, why: string } | undefined} */
function failureOf(file, { testModules, unhandledErrors }) {
  for (const module of testModules) {
    for (const test of module.children.allTests('failed')) {
      return { id: test.id, test: test.fullName, why: test.result().errors?.[0]?.message ?? '' };
    }
    for (const suite of module.children.allSuites()) {
      const [error] = suite.errors();
      if (error !== undefined) return { test: suite.fullName, why: error.message };
    }
    if (module.state() === 'failed') return { test: file, why: module.errors()[0]?.message ?? '' };
  }
  const [error] = /** @type {Error[]} */ (unhandledErrors);
  return error === undefined ? undefined : { test: file, why: error.message };
}

/** Whether it passes without a mutant. @param {string} file @param {string[] | undefined} testIds */
async function passes(file, testIds) {
  delete process.env.SOCKCHART_MUTANT;
  return failureOf(file, await run(file, testIds, 1)) === undefined;
}

/** @type {Record<string, (what: any) => unknown>} */
const orders = {
  /** Without a mutant: which transitions the tests of a file take, and how long that lasts. */
  async observe({ file, isAboutMachines }) {
    delete process.env.SOCKCHART_MUTANT;
    if (isAboutMachines) process.env.SOCKCHART_TAKEN = 'yes';
    else delete process.env.SOCKCHART_TAKEN;
    writeFileSync(REACHED, '');
    process.env.SOCKCHART_REACHED = REACHED;
    const { testModules } = await run(file, undefined, 0);
    delete process.env.SOCKCHART_REACHED;
    const tests = testModules.flatMap((module) => [...module.children.allTests()]);
    return {
      tests: tests
        .filter((test) => test.result().state !== 'skipped')
        .map((test) => ({
          file,
          id: test.id,
          name: test.fullName,
          passes: test.ok(),
          ms: test.diagnostic()?.duration ?? 0,
          taken: test.meta().taken ?? [],
          reached: test.meta().reached ?? [],
        })),
    };
  },

  /** Without sockets. */
  judge: ({ id, thorough }) => judge(id, thorough) ?? {},

  async test({ id, file, testIds }) {
    process.env.SOCKCHART_MUTANT = id;
    const failure = failureOf(file, await run(file, testIds, 1));
    if (failure === undefined) return {};
    // On a busy machine a test may fail by itself: it has found something only if it passes without that.
    const ids = failure.id === undefined ? testIds : [failure.id];
    if (!NEEDS_NO_TIME.test(file) && !(await passes(file, ids))) return {};
    return { by: file.replace('.test.ts', ''), test: failure.test, why: failure.why.split('\n')[0] };
  },

  /** Without a mutant, for one under which it was late. */
  compare: async ({ file, testIds }) => ({ passes: await passes(file, testIds) }),
};

process.on('message', async (/** @type {any} */ { order, ...what }) =>
  process.send?.({ done: await orders[order]?.(what) }),
);
process.on('disconnect', () => process.exit());
process.send?.({
  mutants: [
    ...mutants.map(({ id, machine, state, event }) => ({ id, part: machine, machines: [machine], state, event })),
    ...rows().map(({ id, part }) => ({ id, part, machines: part === 'socket' ? ['backend', 'client'] : [part] })),
    ...lines().map(({ id, part }) => ({ id, part, machines: [part], isLine: true })),
  ],
});
