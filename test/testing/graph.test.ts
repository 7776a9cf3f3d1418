/** The walk of a machine, held against `@xstate/graph`, which knows nothing of it. */
import { getAdjacencyMap, getSimplePaths } from '@xstate/graph';
import { describe, expect, test } from 'vitest';
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import { statePath } from '../../src/runtime/xstate.js';
import { exploreMachine, type Path } from '../../src/testing/index.js';
import { bounded } from '../machines/bounds.js';

interface Edge {
  readonly event: EventObject;
  readonly state: AnyMachineSnapshot;
}

const lineOf = (path: Path): string => path.map(({ event, to }) => `${JSON.stringify(event)} → ${to}`).join(', ');

/** Those that no other path begins with. */
function longest(lines: string[]): string[] {
  const sorted = [...new Set(lines)].sort();
  return sorted.filter((line, index) => line !== '' && sorted[index + 1]?.startsWith(`${line}, `) !== true);
}

const edgeOf = (from: string, event: object, to: string): string => `${from} ${JSON.stringify(event)} ${to}`;

describe.each(bounded)('$name', ({ machine, options, simple }) => {
  const {
    input,
    key = () => '',
    events = (type: string) => [{ type }],
  } = options as unknown as {
    input: unknown;
    key?: (snapshot: unknown) => string | number;
    events?: (type: string, snapshot: unknown) => readonly EventObject[];
  };
  const traversal = {
    input,
    limit: 100_000,
    serializeState: (snapshot: AnyMachineSnapshot) => `${statePath(snapshot.value)} ${key(snapshot)}`,
    events: (snapshot: AnyMachineSnapshot) =>
      (machine.events as string[])
        .flatMap((type) => [...events(type, snapshot)])
        .filter((event) => snapshot.can(event)),
  } as never;
  const graph = exploreMachine(machine, options);

  test('has the same places, and the same ways between them', () => {
    const places = Object.values(
      getAdjacencyMap(machine, traversal) as unknown as Record<
        string,
        { state: AnyMachineSnapshot; transitions: Record<string, Edge> }
      >,
    );
    expect(graph.states).toBe(places.length);
    const theirs = places.flatMap(({ state, transitions }) =>
      Object.values(transitions).map(({ event, state: next }) =>
        edgeOf(statePath(state.value), event, statePath(next.value)),
      ),
    );
    expect(graph.edges).toBe(theirs.length);
    const ours = graph.edgePaths().flatMap((path) => path.map(({ event, from, to }) => edgeOf(from, event, to)));
    expect([...new Set(ours)].sort()).toEqual([...new Set(theirs)].sort());
  });

  // Where counters make them too many, the ways are enough.
  if (!simple) return;
  test('has the same simple paths', { timeout: 60_000 }, () => {
    const theirs = getSimplePaths(machine, traversal).map(({ steps }) =>
      (steps as unknown as Edge[])
        .filter(({ event }) => event.type !== 'xstate.init')
        .map(({ event, state }) => `${JSON.stringify(event)} → ${statePath(state.value)}`)
        .join(', '),
    );
    expect(longest(graph.simplePaths().map(lineOf))).toEqual(longest(theirs));
  });
});
