import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Sockets of one file must not wait for another file's event loop.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: process.env.CI ? ['./test/support/no-skips.ts', 'default'] : ['default'],
    // A rejection or an error that nobody hears is a failure of the library.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
