import { afterAll, beforeAll, test } from 'vitest';
import { sessionMachine } from '../../src/machines/index.js';
import { type Bounded, bounded } from '../machines/bounds.js';
import { sessionDriver } from './session.js';
import { expectTaken, pathsOf, takePaths, World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world.dispose());

const taken = new Set<string>();
const bound = bounded.find(({ machine }) => machine === sessionMachine) as Bounded;

test('the paths on real sockets', { timeout: 60_000 }, async () => {
  await takePaths('session', pathsOf(bound), sessionDriver(world), taken);
});

test('every transition was made', () => expectTaken(sessionMachine, taken));
