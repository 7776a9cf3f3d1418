/**
 * P9: a check and traffic that agree lead to the same, whichever of them comes first. Where they contradict each other, the order may
 * decide: a check that passes after a failure says that the server works again, and a failure after that says that it does not.
 */
import { expect, test } from 'vitest';
import { transition } from 'xstate';
import { serverMachine } from '../../src/machines/index.js';
import type { ServerContext, ServerEvent, ServerSettings } from '../../src/machines/server.js';
import { statePath } from '../../src/runtime/xstate.js';
import { Model } from '../../src/testing/index.js';
import { bounded, pathsOf } from './bounds.js';

const cause = { initiator: 'system', manner: 'error', code: 'ECONNRESET' } as const;
const failed = { type: 'traffic.failed', cause, mayEject: true, random: 0 } as const;
const AGREE: readonly (readonly [check: ServerEvent, traffic: ServerEvent])[] = [
  ...[{ type: 'traffic.connected' } as const, { type: 'traffic.lasted' } as const].map(
    (good) => [{ type: 'check.passed' }, good] as const,
  ),
  ...[
    failed,
    { ...failed, mayEject: false },
    { ...failed, mends: 1_000 },
    { ...failed, type: 'traffic.dropped' } as const,
    { ...failed, type: 'traffic.dropped', mayEject: false } as const,
  ].map((bad) => [{ type: 'check.failed', cause }, bad] as const),
];
/** HAProxy's own arithmetic: a sudden death leaves the last check, which then counts. */
const bounds = bounded.filter(
  ({ machine, options: { input } }) =>
    machine === serverMachine && (input as { settings: ServerSettings }).settings.onError !== 'suddenDeath',
);

test.each(bounds)('$name', { timeout: 60_000 }, (bound) => {
  const seen = new Set<string>();
  const different = new Set<string>();
  for (const path of pathsOf(bound)) {
    const model = new Model(serverMachine, bound.options.input as never);
    for (const { event } of path) model.send(event);
    for (const { snapshot } of model.steps) {
      const { health, failures, losses, ejections, loses, isDoubted } = snapshot.context as unknown as ServerContext;
      const key = JSON.stringify([snapshot.value, health, failures, losses, ejections > 0, loses, isDoubted]);
      if (snapshot.status !== 'active' || seen.has(key)) continue;
      seen.add(key);
      const after = (...events: readonly ServerEvent[]): string => {
        let next = snapshot;
        for (const event of events) next = transition(serverMachine, next as never, event)[0] as typeof snapshot;
        return statePath(next.value);
      };
      for (const [check, traffic] of AGREE) {
        const [one, other] = [after(check, traffic), after(traffic, check)];
        if (one !== other)
          different.add(`${statePath(snapshot.value)}: ${check.type}, ${traffic.type}: ${one}, or ${other}`);
      }
    }
  }
  expect(seen.size).toBeGreaterThan(3);
  expect([...different]).toEqual([]);
});
