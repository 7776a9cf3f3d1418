import { afterAll, beforeAll, test } from 'vitest';
import { backendMachine } from '../../src/machines/index.js';
import { bounded } from '../machines/bounds.js';
import { backendDriver } from './backend.js';
import { expectTaken, pathsOf, takePaths, World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world.dispose());

const taken = new Set<string>();

test.each(bounded.filter(({ machine }) => machine === backendMachine))(
  'the paths of a $name on real sockets',
  { timeout: 40_000 },
  async (bound) => {
    const { persistent, attemptsMax } = bound.options.input.settings;
    await takePaths(bound.name, pathsOf(bound), backendDriver(world, persistent, attemptsMax), taken);
  },
);

test('every transition was made', () => expectTaken(backendMachine, taken));
