import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../vitest.config.js';
import { forking } from './entry.js';
import { partOf, withLines } from './lines.js';
import { withChoices } from './tables.js';

/** As the tests are, but for the mutants in it. */
function changed(source: string, id: string): string | undefined {
  const [part, file] = partOf(id) ?? [];
  if (part === undefined || file === undefined) return withChoices(id, source);
  const own = file === 'src/cluster/worker.ts' ? forking(source) : source;
  const lined = withLines(part, file, own);
  // An adapter of a part that has mutants of its lines has rows as well.
  return withChoices(id, lined ?? own) ?? lined;
}

const MACHINES = /\/src\/machines\/[^/]+\.ts$/;

/** The tests as they are, but for what `SOCKCHART_MUTANT` names: see operators.ts and tables.ts. */
// A mutant is chosen when its module is loaded, and coverage.ts stays subscribed: each file runs in a process of its own,
// as it does where nothing else is said.
export default mergeConfig(
  { ...base, test: { ...base.test, projects: undefined } },
  defineConfig({
    plugins: [
      {
        name: 'mutants',
        enforce: 'pre',
        resolveId(source, importer) {
          // The tests of the cluster take the built library, for their workers do.
          const [, built] = /^(?:\.\.\/)+dist\/(.+)\.js$/.exec(source) ?? [];
          if (built !== undefined) return new URL(`../../src/${built}.ts`, import.meta.url).pathname;
          if (source !== 'xstate' || !MACHINES.test(importer ?? '')) return undefined;
          return new URL('xstate.ts', import.meta.url).pathname;
        },
        transform: changed,
      },
    ],
    test: {
      setupFiles: ['test/mutants/coverage.ts'],
      maxWorkers: 1,
      bail: 1,
      // What hangs is found out as well, but sooner.
      testTimeout: 10_000,
      silent: true,
    },
  }),
);
