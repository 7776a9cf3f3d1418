import { afterAll, beforeAll, describe, test } from 'vitest';
import { sessionMachine } from '../../src/machines/index.js';
import { type Bounded, bounded, graphOf, pathsOf } from '../machines/bounds.js';
import { sessionDriver } from './session.js';
import { expectTaken, type Over, takePaths, World } from './world.js';

const bound = bounded.find(({ machine }) => machine === sessionMachine) as Bounded;

/** Where the legs differ, the shortest path to each edge; where they are alike, every simple one too. */
describe.each<[Over, Over]>([
  ['TCP', 'TCP'],
  ['TLS', 'TLS'],
  ['TLS', 'TCP'],
  ['TCP', 'TLS'],
])('its client over %s, its backend over %s', (front, back) => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(front, back);
  });
  afterAll(() => world.dispose());

  const taken = new Set<string>();
  const paths = front === back ? pathsOf(bound) : graphOf(bound).edgePaths();

  test('the paths on real sockets', { timeout: 600_000 }, async () => {
    await takePaths(`session, ${front} to ${back}`, paths, sessionDriver(world), taken);
  });

  test('every transition was made', () => expectTaken(sessionMachine, taken));
});
