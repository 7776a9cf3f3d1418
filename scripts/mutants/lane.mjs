/** One mutant after the other: first without sockets, in this process; then by tests, each file in a process of its own. */
import { resolve } from 'node:path';
import { createVitest } from 'vitest/node';

const CONFIG = 'test/mutants/vitest.config.ts';

const vitest = await createVitest('test', { config: CONFIG, watch: false, reporters: [{}] });
const { mutants, judge } = await vitest.import('/test/mutants/pure.ts');

const [project] = vitest.projects;

/** Runs one file, or some of its tests. */
async function run(file, testIds) {
  const specification = project.createSpecification(resolve(file), testIds && { testIds });
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  // It would keep what became of the files before, and tell it again.
  vitest.state.filesMap.clear();
  vitest.state.idMap.clear();
  return { modules: testModules, unhandledErrors };
}

/** What has failed first, if anything. */
function failureOf(file, { modules, unhandledErrors }) {
  for (const module of modules) {
    for (const test of module.children.allTests('failed')) {
      return { test: test.fullName, why: test.result().errors?.[0]?.message ?? '' };
    }
    for (const suite of module.children.allSuites()) {
      const [error] = suite.errors();
      if (error !== undefined) return { test: suite.fullName, why: error.message };
    }
    if (module.state() === 'failed') return { test: file, why: module.errors()[0]?.message ?? '' };
  }
  if (unhandledErrors.length > 0) return { test: file, why: unhandledErrors[0].message };
  return undefined;
}

const orders = {
  /** Without a mutant: which transitions the tests of a file take, and how long that lasts. */
  async observe({ file }) {
    delete process.env.SOCKCHART_MUTANT;
    const result = await run(file);
    const failure = failureOf(file, result);
    if (failure !== undefined) return { failure };
    const tests = result.modules.flatMap((module) => [...module.children.allTests('passed')]);
    return {
      tests: tests.map((test) => ({
        file,
        id: test.id,
        name: test.fullName,
        ms: test.diagnostic()?.duration ?? 0,
        taken: test.meta().taken ?? [],
      })),
    };
  },

  /** Without sockets. */
  judge: ({ id, thorough }) => judge(mutants.find((mutant) => mutant.id === id), thorough) ?? {},

  async test({ id, file, testIds }) {
    process.env.SOCKCHART_MUTANT = id;
    const failure = failureOf(file, await run(file, testIds));
    if (failure === undefined) return {};
    return { by: file.replace('.test.ts', ''), test: failure.test, why: failure.why.split('\n')[0] };
  },
};

process.on('message', async ({ order, ...what }) => process.send({ done: await orders[order](what) }));
process.on('disconnect', () => process.exit());
process.send({ mutants: mutants.map(({ id, machine, state, event }) => ({ id, machine, state, event })) });
