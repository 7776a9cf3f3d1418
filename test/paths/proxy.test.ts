import { afterAll, beforeAll, describe, test } from 'vitest';
import { proxyMachine } from '../../src/machines/index.js';
import { type Bounded, bounded, pathsOf } from '../machines/bounds.js';
import { expectTaken, Loopback, type Over, SlowName, takePaths } from './loopback.js';
import { proxyDriver } from './proxy.js';

const name = new SlowName('slow.test');
afterAll(() => name.dispose());

const bound = bounded.find(({ machine }) => machine === proxyMachine) as Bounded;

/** The listeners end in the same moment as the last session: nothing that the path may do comes in between. */
const paths = pathsOf(bound).map((path) => path.filter(({ event }) => event.type !== 'listeners.closed'));

describe.each<Over>(['TCP', 'TLS'])('all its sockets over %s', (over) => {
  let loopback: Loopback;
  beforeAll(async () => {
    loopback = await Loopback.create(over);
  });
  afterAll(() => loopback.dispose());

  const taken = new Set<string>();

  test('the paths on real sockets', { timeout: 600_000 }, async () => {
    await takePaths(`proxy, over ${over}`, paths, proxyDriver(loopback, name), taken);
  });

  test('every transition that a real socket can make was made', () =>
    expectTaken(proxyMachine, taken, {
      'proxy.stopping.cutting cutTimeout #0':
        'What is cut ends within the same abortTimeout, begun just before: of a client, of a session’s backend, even held.',
      'proxy.stopping.refusing abortTimeout #0':
        'A client that is turned away is reset, and closes in the next turn; its own abortTimeout began just before.',
      'proxy.stopping.listeners abortTimeout #0':
        'A listener is over with its last client, and all are gone by then; one that was cut had the same abortTimeout.',
    }));
});
