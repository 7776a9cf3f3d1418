/** What a worker takes for a message of its primary. */
import { describe, expect, test } from 'vitest';
import { type StartMessage, type ToWorker, unwrapToWorker, wrap } from '../../src/cluster/messages.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';

const START: StartMessage = {
  type: 'start',
  module: 'file:///worker.mjs',
  exportName: 'default',
  data: { servers: [{ port: 1 }] },
  worker: 1,
  workers: 2,
  incarnation: 1,
  drainTimeoutMs: 30_000,
  abortTimeoutMs: 1_000,
};

/** A message of each kind that carries a wait. */
const WITH: [string, (ms: number) => ToWorker][] = [
  ['drainTimeoutMs of a start', (ms) => ({ ...START, drainTimeoutMs: ms })],
  ['abortTimeoutMs of a start', (ms) => ({ ...START, abortTimeoutMs: ms })],
  ['timeoutMs of a drain', (ms) => ({ type: 'drain', timeoutMs: ms })],
];

describe.each(WITH)('the %s', (_name, message) => {
  test.each([1, 30_000, NEVER_MS])('%d is taken', (ms) => {
    expect(unwrapToWorker(wrap(message(ms)))).toEqual(message(ms));
  });

  test.each([0, -1, Number.NaN, NEVER_MS + 1, Number.POSITIVE_INFINITY, '30000', null, undefined])(
    '%s makes it none of the library',
    (ms) => {
      expect(unwrapToWorker(wrap(message(ms as number)))).toBeUndefined();
    },
  );
});
