import { afterAll, beforeAll, describe, test } from 'vitest';
import { backendMachine } from '../../src/machines/index.js';
import { bounded } from '../machines/bounds.js';
import { backendDriver } from './backend.js';
import { expectTaken, type Over, pathsOf, takePaths, World } from './world.js';

describe.each<Over>(['TCP', 'TLS'])('over %s', (over) => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(over);
  });
  afterAll(() => world.dispose());

  const taken = new Set<string>();

  test.each(bounded.filter(({ machine }) => machine === backendMachine))(
    'the paths of a $name on real sockets',
    { timeout: 600_000 },
    async (bound) => {
      const { persistent, attemptsMax } = bound.options.input.settings;
      const driver = backendDriver(world, persistent, attemptsMax);
      await takePaths(`${bound.name}, over ${over}`, pathsOf(bound), driver, taken);
    },
  );

  test('every transition was made', () => expectTaken(backendMachine, taken));
});
