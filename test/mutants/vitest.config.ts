import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../vitest.config.js';

const MACHINES = /\/src\/machines\/[^/]+\.ts$/;

/** The tests as they are, but the machines come from an XState that makes one of them wrong. */
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
