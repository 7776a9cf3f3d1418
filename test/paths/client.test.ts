import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/adapters/client.js';
import { clientMachine } from '../../src/machines/index.js';
import { type Bounded, bounded, graphOf, pathsOf } from '../machines/bounds.js';
import { clientDriver } from './client.js';
import { expectTaken, Loopback, type Over, takePaths } from './loopback.js';
import { Traces } from './traces.js';

const boundedClients = bounded.filter(({ machine }) => machine === clientMachine);

/** Over TCP a client has no handshake. */
const HANDSHAKE = 'it comes over TLS alone';
const NOT_OVER_TLS = {
  'client.live.accepted.arrived always #2': 'the handshake comes first',
  'client.live.accepted.identifying header.done #1': 'the handshake comes next',
  'client.live.accepted client.refuse #0': 'the shortest path ends our side in the handshake, which then fails',
};
const NOT_OVER_TCP = {
  'client.live.accepted.arrived always #1': HANDSHAKE,
  'client.alerting abortTimeout #0': HANDSHAKE,
  'client.alerting socket.closed #0': HANDSHAKE,
  'client.live.accepted.identifying header.done #0': HANDSHAKE,
  'client.live.accepted.handshaking client.refuse #0': HANDSHAKE,
  'client.live.accepted.handshaking client.refuse #1': HANDSHAKE,
  'client.live.accepted.handshaking handshake.done #0': HANDSHAKE,
  'client.live.accepted.handshaking handshake.failed #0': HANDSHAKE,
};

describe.each<Over>(['TCP', 'TLS'])('over %s', (over) => {
  const [bound, hurried, proxied] = boundedClients.filter(({ name }) => name.includes('TLS') === (over === 'TLS')) as [
    Bounded,
    Bounded,
    Bounded,
  ];
  let loopback: Loopback;
  let traces: Traces;
  beforeAll(async () => {
    loopback = await Loopback.create(over);
    traces = new Traces(Client);
  });
  afterAll(() => {
    traces.stop();
    return loopback.dispose();
  });

  const taken = new Set<string>();

  test('the paths on real sockets, of a proxy', { timeout: 600_000 }, async () => {
    await takePaths(`client of a proxy, over ${over}`, pathsOf(bound), clientDriver(loopback, true), taken);
  });

  // What differs is who unlinks the socket: the shortest path to each edge shows that.
  test('the paths on real sockets, adopted by hand', { timeout: 600_000 }, async () => {
    const paths = graphOf(bound).edgePaths();
    await takePaths(`client adopted by hand, over ${over}`, paths, clientDriver(loopback, false), taken);
  });

  test('the paths of one that is closed in a hurry', { timeout: 600_000 }, async () => {
    const { settings } = hurried.options.input as { settings: { lingerTimeout: number } };
    const driver = clientDriver(loopback, false, settings);
    await takePaths(`${hurried.name}, over ${over}`, pathsOf(hurried), driver, taken);
  });

  test('the paths of one behind a proxy', { timeout: 600_000 }, async () => {
    const driver = clientDriver(loopback, true, { isProxied: true });
    await takePaths(`${proxied.name}, over ${over}`, pathsOf(proxied), driver, taken);
  });

  test('every transition was made', () =>
    expectTaken(clientMachine, taken, over === 'TCP' ? NOT_OVER_TCP : NOT_OVER_TLS));

  test('the model allows what their sockets reported', () => {
    const { instances, happenings } = traces.accept();
    console.log(`client, over ${over}: ${instances} instances, ${happenings} reports and calls`);
    expect(instances).toBeGreaterThanOrEqual(200);
  });
});
