import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take longest, the longest first: a long one that comes last has the other workers wait for it.
 * Their sizes do not show how long they take.
 */
const LONG = [
  'paths/backend',
  'cluster/cluster',
  'paths/server',
  'cluster/shared',
  'inspect/own-page',
  'model/systems',
  'model/machines',
  'tools/soak',
  'simulation/seeds-odd',
  'simulation/seeds-even',
  'paths/session',
  'inspect/page',
  'runtime/schedules-backend-proxy',
  'runtime/schedules-client-listener-session',
  'paths/client',
  'tools/costs',
  'runtime/equivalence',
  'cli/cli',
  'recipes/contract',
  'paths/listener',
  'inspect/server',
  'machines/machines',
  'runtime/machines',
  'simulation/mutants',
  'simulation/servers',
  'model/servers',
  'model/server',
  'inspect/own',
  'runtime/wrong-code',
].map((name) => `/test/${name}.test.ts`);

const SIMULATION = 'test/simulation/*.test.ts';

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const index = LONG.findIndex((name) => moduleId.endsWith(name));
      return index === -1 ? LONG.length : index;
    };
    return files.toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    // Sockets of one file must not wait for another file's event loop.
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: [SIMULATION],
          // A process for each file would load the library a hundred times: tidy.ts sees that none disturbs the next.
          isolate: false,
          setupFiles: ['test/support/tidy.ts'],
        },
      },
      // It puts every socket of its process on a network of its own.
      { extends: true, test: { name: 'simulation', include: [SIMULATION], isolate: true } },
    ],
    // One more than the two cores that CI has: while a browser, a process or a timer is waited for, the others go on.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: process.env.CI ? ['./test/support/no-skips.ts', 'default'] : ['default'],
    // A rejection or an error that nobody hears is a failure of the library.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
