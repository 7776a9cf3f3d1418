/** The clock of the tests: it leaves out the time in which the process was kept from running, and nothing else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deadline, ranMs, until, within } from '../support/wait.js';

const LONG_MS = 400;

/** How much of this the clock counts. */
async function counted(keepBusy: () => unknown): Promise<number> {
  await sleep(30);
  const from = ranMs();
  keepBusy();
  await sleep(30);
  return ranMs() - from;
}

test('a process that is kept from running', async () => {
  // As if it was stopped: it uses no CPU time.
  const stopped = (): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LONG_MS);
  expect(await counted(stopped)).toBeLessThan(LONG_MS / 2);
});

test('a process that keeps itself busy', async () => {
  const usedMs = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  };
  const busy = (): void => {
    const end = usedMs() + LONG_MS;
    while (usedMs() < end);
  };
  expect(await counted(busy)).toBeGreaterThan(LONG_MS * 0.9);
});

test('a process that waits', async () => {
  const from = ranMs();
  await sleep(LONG_MS);
  expect(ranMs() - from).toBeGreaterThan(LONG_MS / 4);
});

test('a wait ends, and says what it was for', async () => {
  await expect(until('the moon', () => false, 50)).rejects.toThrow('Waited 50 ms in vain: the moon');
  await expect(within(50, 'the sun', new Promise(() => {}))).rejects.toThrow('Waited 50 ms in vain: the sun');
  expect(deadline(10_000)()).toBe(false);
});
