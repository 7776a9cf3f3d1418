import { afterAll, beforeAll, test } from 'vitest';
import { listenerMachine } from '../../src/machines/index.js';
import { type Bounded, bounded } from '../machines/bounds.js';
import { listenerDriver } from './listener.js';
import { expectTaken, pathsOf, SlowName, takePaths, World } from './world.js';

const name = new SlowName('slow.test');
let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => {
  name.dispose();
  await world.dispose();
});

const taken = new Set<string>();
const bound = bounded.find(({ machine }) => machine === listenerMachine) as Bounded;

test('the paths on real sockets', { timeout: 60_000 }, async () => {
  await takePaths('listener', pathsOf(bound), listenerDriver(world, name), taken);
});

test('every transition was made', () => expectTaken(listenerMachine, taken));
