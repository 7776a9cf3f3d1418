/** What the Stately inspector gets of contexts and events: through the package's own inspector, as it would send it on. */
import { once } from 'node:events';
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach, expect, test } from 'vitest';
import { OptionError } from '../../src/index.js';
import { type InspectOptions, inspectWith, type Redact } from '../../src/inspect/index.js';
import { xstateRuntime } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { echo } from '../support/peers.js';
import { until } from '../support/wait.js';
import { link, linkMachine } from './own-machine.js';

const SECRET = 'correct horse battery staple';

const bench = useBench();
const { makeProxy } = makers(bench);
const running: { stop(): void }[] = [];
afterEach(() => {
  for (const one of running.splice(0)) one.stop();
});

/** What the inspector of the package sends on, from now on. */
function inspect(options: InspectOptions = {}) {
  const sent: StatelyInspectionEvent[] = [];
  const inspector = createInspector({ send: (event) => void sent.push(event), start() {}, stop() {} });
  const inspection = inspectWith(inspector, options);
  running.push(inspection);
  return {
    inspection,
    sent,
    text: () => JSON.stringify(sent),
    /** The snapshots of one instance, its first one included. */
    snapshotsOf: (id: string) =>
      sent.flatMap((message) => {
        if (message.sessionId !== id || message.type === '@xstate.event') return [];
        const { status, value, context } = message.snapshot as { status: string; value?: unknown; context?: unknown };
        return [{ status, value, context }];
      }),
    eventsOf: (id: string) =>
      sent.flatMap((message) => (message.sessionId === id && message.type === '@xstate.event' ? [message.event] : [])),
  };
}

const start = (...given: Parameters<typeof link>): ReturnType<typeof link> => {
  const instance = link(...given);
  running.push(instance);
  return instance;
};

test.each(['compiled', 'interpreted'] as const)(
  'a listed machine, %s: whole contexts and events, as they were then',
  async (how) => {
    const { snapshotsOf, eventsOf } = inspect({ machines: [linkMachine] });
    const instance = start(how, {}, { socket: Buffer.from(SECRET) });
    instance.send({ type: 'link.open', password: 'x' });
    instance.send({ type: 'link.lost' });
    instance.send({ type: 'link.close' });
    await until('the end', () => snapshotsOf(instance.id).length === 4);
    const bytes = `[Buffer, ${SECRET.length} bytes]`;
    expect(snapshotsOf(instance.id)).toEqual([
      { status: 'active', value: 'idle', context: { attempts: 0, password: 'hunter2', socket: bytes } },
      { status: 'active', value: { up: 'dialling' }, context: { attempts: 1, password: 'x', socket: bytes } },
      { status: 'active', value: { up: 'dialling' }, context: { attempts: 2, password: 'x', socket: bytes } },
      { status: 'done', value: 'closed', context: { attempts: 2, password: 'x', socket: bytes } },
    ]);
    expect(eventsOf(instance.id)).toEqual([
      { type: 'link.open', password: 'x' },
      { type: 'link.lost' },
      { type: 'link.close' },
    ]);
  },
);

test('one that is stopped, or fails, ends in the inspector', async () => {
  const { snapshotsOf } = inspect({ machines: [linkMachine] });
  const [stopped, failed] = [start(), start('compiled', { failed() {} })];
  // Instances are told of after the turn in which they move.
  await until('the starts', () => snapshotsOf(failed.id).length === 1);
  stopped.stop();
  failed.send({ type: 'link.break' });
  await until('the ends', () => snapshotsOf(failed.id).length === 2);
  expect([stopped, failed].map(({ id }) => snapshotsOf(id).at(-1)?.status)).toEqual(['stopped', 'error']);
});

test('one that began before is shown, if another inspector knew of it', async () => {
  inspect({ machines: [linkMachine] });
  const instance = start();
  const { snapshotsOf } = inspect({ machines: [linkMachine] });
  await until('the actor', () => snapshotsOf(instance.id).length === 1);
  expect(snapshotsOf(instance.id)).toMatchObject([
    { status: 'active', value: 'idle', context: { password: 'hunter2' } },
  ]);
});

test('nothing of the context and the events of a machine that is not listed', async () => {
  const { text, eventsOf } = inspect();
  const instance = start('compiled', {}, { password: SECRET });
  instance.send({ type: 'link.open', password: SECRET });
  await until('the event', () => eventsOf(instance.id).length === 1);
  expect(eventsOf(instance.id)).toEqual([{ type: 'link.open' }]);
  expect(text()).not.toContain(SECRET);
});

test.each<[string, Redact, unknown, unknown]>([
  ['what redact leaves', ({ password, ...rest }) => rest, { attempts: 1 }, { type: 'link.open' }],
  [
    'why there is none, where redact throws',
    ({ password }) => {
      throw new Error(String(password));
    },
    { '[not shown]': 'redact has thrown an error' },
    { '[not shown]': 'redact has thrown an error', type: 'link.open' },
  ],
  [
    'by what it is',
    (_value, { what }) => (what === 'event' ? undefined : { what }),
    { what: 'context' },
    { '[not shown]': 'redact has returned nothing', type: 'link.open' },
  ],
])('of contexts and events: %s', async (_what, redact, context, event) => {
  const { text, snapshotsOf, eventsOf } = inspect({ machines: [linkMachine], redact });
  const instance = start('compiled', {}, { password: SECRET });
  instance.send({ type: 'link.open', password: SECRET });
  await until('the event', () => eventsOf(instance.id).length === 1 && snapshotsOf(instance.id).length === 2);
  expect(snapshotsOf(instance.id).at(-1)?.context).toEqual(context);
  expect(eventsOf(instance.id)).toEqual([event]);
  expect(text()).not.toContain(SECRET);
});

test.each([
  ['compiled', undefined],
  ['xstate', xstateRuntime],
] as const)(
  'the library’s own machines have contexts and whole events too, redacted by the same function: %s',
  async (_how, runtime) => {
    const asked = new Set<string>();
    const redact: Redact = (value, { what, machine }) => {
      asked.add(`${machine} ${what}`);
      return value;
    };
    const { snapshotsOf, eventsOf } = inspect({ redact });
    const server = await bench.server(echo);
    const { proxy, at } = await makeProxy({ servers: [server.at], ...(runtime !== undefined && { runtime }) });
    const client = await bench.dial(at);
    client.write('hello');
    await once(client, 'data');
    const [session] = proxy.sessions;
    const { backend } = session as NonNullable<typeof session>;
    const told = () => snapshotsOf(backend.id).at(-1);
    await until('the backend', () => JSON.stringify(told()?.value) === '{"active":{"established":"open"}}');
    expect(told()?.context).toMatchObject({
      incarnation: 1,
      server: `127.0.0.1:${server.port}`,
      settings: { connectTimeout: expect.any(Number) },
    });
    expect([...asked]).toEqual(
      expect.arrayContaining([
        'session context',
        'session event',
        'client context',
        'backend event',
        'listener context',
      ]),
    );
    (await server.connection()).resetAndDestroy();
    const lost = () => eventsOf(backend.id).find(({ type }) => type === 'socket.failed');
    await until('the loss', () => lost() !== undefined);
    expect(lost()).toMatchObject({ type: 'socket.failed', cause: { manner: 'reset', code: 'ECONNRESET' } });
  },
);

test.each<[string, unknown, RegExp]>([
  ['a machine without an id', { machines: [{ root: { transitions: new Map() }, id: '(machine)' }] }, /with an id/],
  ['one of ours', { machines: [{ root: { transitions: new Map() }, id: 'session' }] }, /an id of its own/],
  ['a redact that is none', { redact: {} }, /"redact" must be a function/],
])('bad input: %s', (_what, options, expected) => {
  const act = () => inspect(options as never);
  expect(act).toThrow(OptionError);
  expect(act).toThrow(expected);
});
