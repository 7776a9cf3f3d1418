import { afterAll, beforeAll, test } from 'vitest';
import { clientMachine } from '../../src/machines/index.js';
import { type Bounded, bounded } from '../machines/bounds.js';
import { clientDriver } from './client.js';
import { expectTaken, pathsOf, takePaths, World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world.dispose());

const taken = new Set<string>();
const bound = bounded.find(({ machine }) => machine === clientMachine) as Bounded;

test.each([
  ['of a proxy', true],
  ['adopted by hand', false],
])('the paths on real sockets, %s', { timeout: 40_000 }, async (name, owned) => {
  await takePaths(`client ${name}`, pathsOf(bound), clientDriver(world, owned), taken);
});

test('every transition was made', () => expectTaken(clientMachine, taken));
