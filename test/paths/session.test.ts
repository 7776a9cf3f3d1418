import { afterAll, beforeAll, describe, test } from 'vitest';
import { sessionMachine } from '../../src/machines/index.js';
import type { Path } from '../../src/testing/index.js';
import { bounded, graphOf, pathsOf } from '../machines/bounds.js';
import { expectTaken, Loopback, type Over, takePaths } from './loopback.js';
import { sessionDriver, standsStill } from './session.js';

const bounds = bounded.filter(({ machine }) => machine === sessionMachine);

/**
 * Where the legs differ, the shortest path to each edge; where they are alike, every simple one too. A leg that takes
 * nothing any more is lost over TLS as it is without: there, each transition of it is taken, but not from every past.
 */
describe.each<[Over, Over]>([
  ['TCP', 'TCP'],
  ['TLS', 'TLS'],
  ['TLS', 'TCP'],
  ['TCP', 'TLS'],
])('its client over %s, its backend over %s', (front, back) => {
  let loopback: Loopback;
  beforeAll(async () => {
    loopback = await Loopback.create(front, back);
  });
  afterAll(() => loopback.dispose());

  const taken = new Set<string>();
  const isWorth = (path: Path): boolean => front === 'TCP' || !standsStill(path);
  const paths = bounds.flatMap((bound) => (front === back ? pathsOf(bound, isWorth) : graphOf(bound).edgePaths()));

  test('the paths on real sockets', { timeout: 600_000 }, async () => {
    await takePaths(`session, ${front} to ${back}`, paths, sessionDriver(loopback), taken);
  });

  test('every transition was made', () => expectTaken(sessionMachine, taken));
});
