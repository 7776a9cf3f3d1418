/** The benchmarks say what they lack, and what they cannot use. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { nodesAt } from '../../bench/nodes.mjs';
import { Collected } from '../../bench/results.mjs';

const folder = mkdtempSync(join(tmpdir(), 'sc-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

function refusal(args: string[], env = process.env): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bench/run.mjs', '--quick', ...args], {
    env,
    encoding: 'utf8',
  });
  expect(stderr).not.toContain('    at ');
  expect(stdout).not.toContain('rounds');
  expect(status).toBe(1);
  return stderr;
}

/** A program that says which Node it is. */
function fakeNode(name: string, version: string): string {
  const file = join(folder, name, 'bin', 'node');
  mkdirSync(join(folder, name, 'bin'), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nprintf ${version}\n`);
  chmodSync(file, 0o755);
  return file;
}

test.runIf(process.platform === 'linux').each([
  ['failover', /need cc: on Debian, apt-get install gcc libc6-dev/],
  ['proxy.tls.stream', /need cc: on Debian, apt-get install gcc libc6-dev/],
])('without any tool, %s says what to install', (only, message) => {
  expect(refusal(['--only', only], { ...process.env, PATH: folder })).toMatch(message);
});

test.runIf(process.platform === 'linux')('without taskset, life says what to install', () => {
  const { status, stderr } = spawnSync(process.execPath, ['bench/run.mjs', '--only', 'life', '--quick'], {
    env: { ...process.env, PATH: folder },
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/need taskset, which is not installed: on Debian, apt-get install util-linux/);
  expect(stderr).not.toContain('    at ');
  expect(status).toBe(1);
});

test.runIf(process.platform === 'linux')('what cannot be used is refused before anything starts', () => {
  expect(refusal(['--node', '/bin/true'])).toContain('--node /bin/true: this is no Node program');
  expect(refusal(['--proxies', 'sockchart,apache'])).toContain('--proxies apache: there is no such contender');
});

test.runIf(process.platform === 'linux')(
  'a Node is a program or a directory that holds one, new enough, given once',
  () => {
    const old = fakeNode('old', '20.18.3');
    const one = fakeNode('one', '20.19.0');
    const two = fakeNode('two', '20.19.0');
    const newer = fakeNode('newer', '26.1.0');
    expect(nodesAt([one, join(folder, 'newer')])).toEqual([
      { path: one, version: '20.19.0' },
      { path: newer, version: '26.1.0' },
    ]);
    const none = join(folder, 'none');
    expect(() => nodesAt([none])).toThrow(`--node ${none}: there is no ${none}; give a Node program, or a directory`);
    expect(() => nodesAt([folder])).toThrow(`there is no ${join(folder, 'bin', 'node')}`);
    expect(() => nodesAt([old])).toThrow(`--node ${old}: this is Node 20.18.3; sockchart needs 20.19 or later`);
    expect(() => nodesAt([one, two])).toThrow(`--node ${two}: this is Node 20.19.0, as ${one} is`);
  },
);

test('a ratio is taken within each round, against the baseline on the same Node, and has its spread', () => {
  const table = new Collected('t', 'A table');
  const probe = { unit: 'connection', rate: 'connections/s', count: () => 1_000 };
  const costs = { 'by-hand': { 24: [100, 200], 26: [50, 50] }, sockchart: { 24: [110, 180], 26: [60, 55] } };
  for (const [name, byNode] of Object.entries(costs)) {
    for (const [on, rounds] of Object.entries(byNode)) {
      for (const [round, us] of rounds.entries()) {
        const cpu = us * 1e6;
        const rest = { server_cpu_ns: 0, load_cpu_ns: 0, machine_busy_ns: cpu, machine_stolen_ns: 0 };
        const measured = {
          errors: 0,
          first_error: '',
          wall_ns: cpu,
          proxy_cpu_ns: cpu,
          proxy_user_ns: cpu / 2,
          ...rest,
        };
        table.add(round, { name, on }, measured, probe);
      }
    }
  }
  const rows = Object.fromEntries(
    table
      .print()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
      .map(([name, ...cells]) => [name, cells]),
  );
  expect(rows['sockchart on 24']?.slice(0, 4)).toEqual([
    '145 (110–180)',
    '1.00 (0.90–1.10)',
    '72.5 (55.0–90.0)',
    '1.00 (0.90–1.10)',
  ]);
  expect(rows['sockchart on 26']?.slice(0, 2)).toEqual(['57.5 (55.0–60.0)', '1.15 (1.10–1.20)']);
});
