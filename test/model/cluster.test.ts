/** Every interleaving of the machines of a cluster and their models: see explore.ts. Prints how much there was. */
import { expect, test } from 'vitest';
import { clusterMachine } from '../../src/machines/cluster.js';
import { workerMachine } from '../../src/machines/worker.js';
import { clusterRules } from './cluster.js';
import { explore } from './explore.js';
import { workerRules } from './worker.js';

const settings = (attemptsMax: number) => ({
  attemptsMax,
  startTimeout: 1,
  stableAfter: 1,
  drainTimeout: 1,
  abortTimeout: 1,
});

test.each([0, 1, 2])('a worker: %i attempts', { timeout: 60_000 }, (attemptsMax) => {
  const { states, transitions } = explore(workerMachine, { settings: settings(attemptsMax) }, workerRules(attemptsMax));
  console.log(`worker, ${attemptsMax} attempts: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(100);
});

test('a cluster', { timeout: 60_000 }, () => {
  const { states, transitions } = explore(clusterMachine, undefined, clusterRules);
  console.log(`cluster: ${states} states, ${transitions} transitions`);
  expect(states).toBeGreaterThan(1_000);
});
