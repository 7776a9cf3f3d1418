/** What `npm run soak` does, in small: so that neither the library nor the tool gets worse unnoticed. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../scripts/soak.mjs', import.meta.url));
const SMALL = ['--short', '1000', '--long', '40', '--tls', '0.05', '--seconds', '3', '--reloads', '1'];

function run(args: readonly string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out })));
}

// It uses all addresses of loopback, which others have but one of, and /proc.
test
  .runIf(process.platform === 'linux')
  .each([
    'slow loris',
    'flood',
    'clients that never read',
    'servers that never read',
    'RST storm',
    'random bytes',
    'stress of TLS',
    'reloads',
    'soak',
  ])(
  '%s',
  async (part) => {
    const { code, out } = await run([...SMALL, part]);
    expect(out).toMatch(/^ok .*\d passed, 0 failed\n$/ms);
    expect(code).toBe(0);
  },
  240_000,
);

test.runIf(process.platform === 'linux')('arguments that are wrong', async () => {
  expect(await run(['--short', 'many'])).toEqual({ code: 2, out: '--short must be a number, not "many".\n' });
  expect((await run(['nosuch'])).out).toMatch(/^No part has any of these words in its name: slow loris, /);
});
