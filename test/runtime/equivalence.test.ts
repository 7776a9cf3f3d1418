import { describe, expect, test } from 'vitest';
import type { EventObject } from 'xstate';
import { describePath, type Path, shortName } from '../../src/testing/index.js';
import { type Bounded, bounded, pathsOf as walksOf } from '../machines/bounds.js';
import { compiledRuntime, xstateRuntime } from '../support/runtimes.js';
import { difference, type Probes, pathsOf, Side, tagsOf, watchTransitions } from './compare.js';

const AFTER = 'xstate.after.';
/** The paths send events with no more than their type; here they carry what can be told apart in the end. */
const CAUSE = { initiator: 'peer', manner: 'reset', code: 'ECONNRESET' };

function enrich(event: EventObject, index: number): EventObject {
  if (event.type.startsWith('xstate.') || 'cause' in event) return event;
  const more = { timeoutMs: 500 + index, ...(index % 2 === 0 && { cause: CAUSE }) };
  return { ...event, ...more };
}

/** Takes a path on both runtimes, and says where they begin to differ. */
function takeBoth({ machine, options }: Bounded, path: Path, probes: Probes): string | undefined {
  const one = new Side(xstateRuntime, machine, options.input);
  const other = new Side(compiledRuntime, machine, options.input);
  one.start();
  other.start();
  let found = difference(one, other, probes);
  for (const [index, step] of path.entries()) {
    if (found !== undefined) return `before step ${index + 1}: ${found}`;
    for (const side of [one, other]) {
      // Time goes on, but never so far that anything is due.
      side.advance(1);
      if (step.event.type.startsWith(AFTER)) side.fire(shortName(step.event.type), step.event);
      else side.send(enrich(step.event, index));
    }
    found = difference(one, other, probes);
    if (found === undefined && one.instance.state !== step.to)
      found = `it is in ${one.instance.state}, not in ${step.to}`;
  }
  return found;
}

describe.each(bounded)('$name', (bound) => {
  const { machine } = bound;
  const paths = walksOf(bound);
  const types = machine.events.filter((type: string) => !type.startsWith('xstate.'));
  const events = types.flatMap((type: string) => [{ type }, { type, cause: CAUSE, delayMs: 5, ending: 'dropped' }]);
  const probes = { tags: [...tagsOf(machine), 'none'], paths: [...pathsOf(machine), 'none'], events, accepts: true };

  test('every path does the same on both runtimes', { timeout: 60_000 }, () => {
    watchTransitions(true);
    let steps = 0;
    for (const path of paths) {
      steps += path.length;
      const found = takeBoth(bound, path, probes);
      if (found !== undefined) expect.fail(`${describePath(path)}\n${found}`);
    }
    watchTransitions(false);
    console.log(`${bound.name}: ${paths.length} paths, ${steps} steps on both runtimes`);
  });
});
