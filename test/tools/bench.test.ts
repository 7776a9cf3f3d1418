/** The benchmarks say what they lack. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const nothing = mkdtempSync(join(tmpdir(), 'sc-path-'));
afterAll(() => rmSync(nothing, { recursive: true }));

test.runIf(process.platform === 'linux').each([
  ['life', /need taskset, which is not installed: on Debian, apt-get install util-linux/],
  ['failover', /need cc: on Debian, apt-get install gcc libc6-dev/],
])('without any tool, %s says what to install', (only, message) => {
  const { status, stderr } = spawnSync(process.execPath, ['bench/run.mjs', '--only', only, '--quick'], {
    env: { ...process.env, PATH: nothing },
    encoding: 'utf8',
  });
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('    at ');
  expect(status).toBe(1);
});
