import { afterAll, beforeAll, describe, test } from 'vitest';
import { listenerMachine } from '../../src/machines/index.js';
import { type Bounded, bounded } from '../machines/bounds.js';
import { listenerDriver } from './listener.js';
import { expectTaken, type Over, pathsOf, SlowName, takePaths, World } from './world.js';

const name = new SlowName('slow.test');
afterAll(() => name.dispose());

const bound = bounded.find(({ machine }) => machine === listenerMachine) as Bounded;

describe.each<Over>(['TCP', 'TLS'])('its clients over %s', (over) => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(over);
  });
  afterAll(() => world.dispose());

  const taken = new Set<string>();

  test('the paths on real sockets', { timeout: 600_000 }, async () => {
    await takePaths(`listener, over ${over}`, pathsOf(bound), listenerDriver(world, name), taken);
  });

  test('every transition was made', () => expectTaken(listenerMachine, taken));
});
