/** Files share a process, and with it what the process has one of: each leaves that as it found it. */
import { channel } from 'node:diagnostics_channel';
import { afterAll, beforeAll, expect } from 'vitest';
import { TRANSITION_CHANNEL } from '../../src/index.js';

/** Node's own, once it has forked a worker of a cluster: it stays. */
const STAYS = 'internalMessage';

const listenersOf = (): Record<string, number> =>
  Object.fromEntries(
    process
      .eventNames()
      .filter((name) => name !== STAYS)
      .map((name) => [String(name), process.listenerCount(name)]),
  );

let before: Record<string, number>;

beforeAll(() => {
  before = listenersOf();
});

afterAll(() => {
  expect(channel(TRANSITION_CHANNEL).hasSubscribers, 'somebody still follows the transitions').toBe(false);
  expect(listenersOf(), 'listeners of the process').toEqual(before);
});
