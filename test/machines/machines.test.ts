import { describe, expect, test } from 'vitest';
import { type AnyStateNode, assign, setup } from 'xstate';
import { describePath, exploreMachine, transitionsOf } from '../../src/testing/index.js';
import { replayPath } from '../../src/testing/replay.js';
import { all } from './all.js';
import { bounded, graphOf, pathsOf } from './bounds.js';
import { properties } from './properties.js';

const covered = new Map<string, Set<string>>(all.map(({ id }) => [id, new Set()]));

describe.each(bounded)('$name', (bound) => {
  const { machine, options } = bound;
  const graph = graphOf(bound);
  const paths = pathsOf(bound);

  test('every path does what must hold', { timeout: 120_000 }, () => {
    let steps = 0;
    for (const path of paths) {
      const events = path.map(({ event }) => event);
      const model = replayPath(machine, options.input, path);
      steps += path.length;
      for (const step of model.steps) for (const name of step.taken) covered.get(machine.id)?.add(name);
      try {
        for (const check of properties[machine.id] ?? []) check(model as never, events);
      } catch (error) {
        throw new Error(`${describePath(path)}\n${(error as Error).message}`, { cause: error });
      }
    }
    console.log(
      `${bound.name}: ${graph.states} states, ${graph.edges} edges, ${paths.length} paths, ${steps} steps replayed`,
    );
  });
});

describe.each(all.map((machine) => ({ name: machine.id, machine })))('$name', ({ machine }) => {
  test('the paths take every transition', () => {
    const missing = [...transitionsOf(machine).values()].filter((name) => !covered.get(machine.id)?.has(name));
    expect(missing).toEqual([]);
  });

  test('every state answers every event', () => {
    const holes: string[] = [];
    const visit = (node: AnyStateNode, known: ReadonlySet<string>): void => {
      const here = new Set([...known, ...(node.transitions.keys() as Iterable<string>)]);
      const children = Object.values(node.states) as AnyStateNode[];
      for (const child of children) visit(child, here);
      if (children.length > 0 || node.type === 'final' || node.always !== undefined) return;
      for (const event of machine.events) {
        if (!event.startsWith('xstate.') && !here.has(event)) holes.push(`${node.id}: ${event}`);
      }
    };
    visit(machine.root, new Set());
    expect(holes).toEqual([]);
  });

  test('what is ignored has a reason, and what is named exists', () => {
    const implementations = machine.implementations;
    const visit = (node: AnyStateNode): void => {
      expect(node.description, `${node.id} is described`).toBeTruthy();
      for (const transition of [...node.transitions.values()].flat()) {
        if (transition.target === undefined && transition.actions.length === 0) {
          expect(transition.description, `${node.id} ignores ${transition.eventType}`).toBeTruthy();
        }
        for (const action of transition.actions) expectNamed(implementations.actions, action);
        const { guard } = transition;
        if (guard !== undefined) expect(Object.keys(implementations.guards)).toContain(guard);
      }
      for (const action of [...node.entry, ...node.exit]) {
        if (!isTimer(action)) expectNamed(implementations.actions, action);
      }
      for (const { delay } of node.after) expect(Object.keys(implementations.delays), node.id).toContain(delay);
      for (const child of Object.values(node.states) as AnyStateNode[]) visit(child);
    };
    visit(machine.root);
  });

  test('nothing that is named goes unused', () => {
    const text = JSON.stringify(machine.config);
    for (const kind of ['actions', 'guards', 'delays'] as const) {
      for (const name of Object.keys(machine.implementations[kind])) {
        expect(text, `${kind}.${name}`).toContain(`"${name}"`);
      }
    }
  });
});

/** XState sets and cancels timers by entry and exit actions of its own. */
function isTimer(action: unknown): boolean {
  return typeof action === 'function' || String((action as { type?: string }).type).startsWith('xstate.');
}

function expectNamed(actions: object, action: unknown): void {
  const name = typeof action === 'string' ? action : (action as { type: string }).type;
  expect(Object.keys(actions)).toContain(name);
}

test('a machine that is not bounded is given up', () => {
  const counter = setup({ types: { context: {} as { count: number } } }).createMachine({
    id: 'counter',
    context: { count: 0 },
    on: { more: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  });
  const options = { input: undefined, key: ({ context }: { context: { count: number } }) => context.count };
  expect(() => exploreMachine(counter, { ...options, stepsMax: 1_000 })).toThrow(
    /^counter: 1000 steps .*context\.count had/,
  );
});
