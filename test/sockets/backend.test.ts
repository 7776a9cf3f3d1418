import { afterAll, beforeAll, expect, test } from 'vitest';
import { backendMachine } from '../../src/machines/index.js';
import { drivePath, transitionsOf } from '../../src/testing/index.js';
import { bounded, graphOf } from '../machines/bounds.js';
import { backendDriver, World } from './backend.js';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world.dispose());

const taken = new Set<string>();

test.each([
  [true, 1],
  [false, 1],
  [true, 2],
  [false, 2],
])(
  'the paths on real sockets (persistent: %s, attempts: %i)',
  { timeout: 40_000 },
  async (persistent, attemptsMax) => {
    const bound = bounded.find(
      ({ machine, options }) =>
        machine === backendMachine &&
        options.input.settings.persistent === persistent &&
        options.input.settings.attemptsMax === attemptsMax,
    ) as (typeof bounded)[number];
    const graph = graphOf(bound);
    const paths = bound.simple ? [...graph.edgePaths(), ...graph.simplePaths()] : graph.edgePaths();
    const stops = new Map<string, number>();
    let steps = 0;
    for (const path of paths) {
      const driven = await drivePath(path, backendDriver(world, persistent, attemptsMax), 1_000);
      steps += driven.steps;
      for (const name of driven.taken) taken.add(name);
      if (driven.stopped !== undefined) stops.set(driven.stopped, (stops.get(driven.stopped) ?? 0) + 1);
    }
    console.log(`${bound.name}: ${paths.length} paths, ${steps} steps on real sockets`, stops);
  },
);

test('every transition that a real socket can make was made', () => {
  const missing = [...transitionsOf(backendMachine).values()].filter((name) => !taken.has(name));
  expect(missing).toEqual([]);
});
