import { afterAll, beforeAll, describe, test } from 'vitest';
import { listenerMachine } from '../../src/machines/index.js';
import { type Bounded, bounded, graphOf, pathsOf } from '../machines/bounds.js';
import { listenerDriver } from './listener.js';
import { expectTaken, Loopback, type Over, SlowName, takePaths } from './loopback.js';

const name = new SlowName('slow.test');
afterAll(() => name.dispose());

const bound = bounded.find(({ machine }) => machine === listenerMachine) as Bounded;

describe.each<Over>(['TCP', 'TLS'])('its clients over %s', (over) => {
  let loopback: Loopback;
  beforeAll(async () => {
    loopback = await Loopback.create(over);
  });
  afterAll(() => loopback.dispose());

  const taken = new Set<string>();

  test('the paths on real sockets', { timeout: 600_000 }, async () => {
    // A listener does not see what its clients speak: over TLS the shortest path to each edge will do.
    const paths = over === 'TCP' ? pathsOf(bound) : graphOf(bound).edgePaths();
    await takePaths(`listener, over ${over}`, paths, listenerDriver(loopback, name), taken);
  });

  test('every transition was made', () => expectTaken(listenerMachine, taken));
});
