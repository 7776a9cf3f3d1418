import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../vitest.config.js';
import { withChoices } from './rows.js';

const MACHINES = /\/src\/machines\/[^/]+\.ts$/;

/** The tests as they are, but for what `SOCKCHART_MUTANT` names: see operators.ts and rows.ts. */
export default mergeConfig(
  base,
  defineConfig({
    plugins: [
      {
        name: 'mutants',
        enforce: 'pre',
        resolveId(source, importer) {
          if (source !== 'xstate' || !MACHINES.test(importer ?? '')) return undefined;
          return new URL('xstate.ts', import.meta.url).pathname;
        },
        transform: (source, id) => withChoices(id, source),
      },
    ],
    test: {
      setupFiles: ['test/mutants/taken.ts'],
      maxWorkers: 1,
      bail: 1,
      // What hangs is found out as well, but sooner.
      testTimeout: 10_000,
      silent: true,
    },
  }),
);
