import { afterAll, beforeAll, describe, test } from 'vitest';
import { sessionMachine } from '../../src/machines/index.js';
import { type Bounded, bounded } from '../machines/bounds.js';
import { sessionDriver } from './session.js';
import { expectTaken, type Over, pathsOf, takePaths, World } from './world.js';

const bound = bounded.find(({ machine }) => machine === sessionMachine) as Bounded;

describe.each<[Over, Over]>([
  ['TCP', 'TCP'],
  ['TLS', 'TCP'],
  ['TCP', 'TLS'],
  ['TLS', 'TLS'],
])('its client over %s, its backend over %s', (front, back) => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(front, back);
  });
  afterAll(() => world.dispose());

  const taken = new Set<string>();

  test('the paths on real sockets', { timeout: 60_000 }, async () => {
    await takePaths(`session, ${front} to ${back}`, pathsOf(bound), sessionDriver(world), taken);
  });

  test('every transition was made', () => expectTaken(sessionMachine, taken));
});
