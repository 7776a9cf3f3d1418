// @ts-check
/**
 * The whole proxy on a simulated network, clock and randomness: `npm run simulate -- --seeds 10000`, or `--seed 7` for the
 * story of one run; `--help` says more. The program is TypeScript, which the tests' own compiler translates.
 */
import { createViteServer } from 'vitest/node';

const server = await createViteServer({
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
});
try {
  /** @type {{ main(args: readonly string[], print: (text: string) => void): Promise<number> }} */
  const { main } = /** @type {any} */ (await server.ssrLoadModule('/test/simulation/main.ts'));
  process.exitCode = await main(process.argv.slice(2), (text) => console.log(text));
} finally {
  await server.close();
}
