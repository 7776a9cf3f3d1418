import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Backend } from '../../src/adapters/backend.js';
import { backendMachine } from '../../src/machines/index.js';
import { bounded, pathsOf } from '../machines/bounds.js';
import { backendDriver } from './backend.js';
import { expectTaken, Loopback, type Over, takePaths } from './loopback.js';
import { Traces } from './traces.js';

describe.each<Over>(['TCP', 'TLS'])('over %s', (over) => {
  let loopback: Loopback;
  let traces: Traces;
  beforeAll(async () => {
    loopback = await Loopback.create(over);
    traces = new Traces(Backend);
  });
  afterAll(() => {
    traces.stop();
    return loopback.dispose();
  });

  const taken = new Set<string>();

  test.each(bounded.filter(({ machine }) => machine === backendMachine))(
    'the paths of a $name on real sockets',
    { timeout: 600_000 },
    async (bound) => {
      const { persistent, attemptsMax, onDemand } = bound.options.input.settings;
      const driver = backendDriver(loopback, persistent, attemptsMax, onDemand);
      // A handshake costs ten times what a path does. How a socket lingers is the same over TLS: there, each transition of
      // it is taken, but not from every past.
      const paths = pathsOf(bound, (path) => over === 'TCP' || !path.some(({ from }) => from.startsWith('lingering')));
      await takePaths(`${bound.name}, over ${over}`, paths, driver, taken);
    },
  );

  test('every transition was made', () => expectTaken(backendMachine, taken));

  test('the model allows what their sockets reported', () => {
    const { instances, happenings } = traces.accept();
    console.log(`backend, over ${over}: ${instances} instances, ${happenings} reports and calls`);
    expect(instances).toBeGreaterThanOrEqual(3000);
  });
});
