/** Files share a process, and with it what the process has one of: each leaves that as it found it. */
import { channel } from 'node:diagnostics_channel';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { TRANSITION_CHANNEL } from '../../src/index.js';
import { armedTimers, type TimerOwner } from '../../src/runtime/timers.js';

/** Node's own, once it has forked a worker of a cluster: it stays. */
const STAYS = 'internalMessage';

const listenersOf = (): Record<string, number> =>
  Object.fromEntries(
    process
      .eventNames()
      .filter((name) => name !== STAYS)
      .map((name) => [String(name), process.listenerCount(name)]),
  );

/** What a file before this one was told of. */
const known = new WeakSet<TimerOwner>();
let before: Record<string, number>;

beforeAll(() => {
  before = listenersOf();
});

afterAll(async () => {
  // Sockets that were aborted are closed by the next turn.
  await turn();
  await turn();
  expect(channel(TRANSITION_CHANNEL).hasSubscribers, 'somebody still follows the transitions').toBe(false);
  expect(listenersOf(), 'listeners of the process').toEqual(before);
  // What lives on acts in the middle of another file's tests.
  const left = [...armedTimers()].filter(({ owner }) => !known.has(owner as TimerOwner));
  for (const { owner } of left) known.add(owner as TimerOwner);
  expect(
    left.map(({ owner, definition }) => `${(owner as { facts?: { id: string } }).facts?.id} ${definition.name}`),
    'timers of handles or sets that nobody has ended',
  ).toEqual([]);
});
