/** The Stately inspector: what its own receiver is told of a proxy, message by message. */

import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  createWebSocketInspector,
  createWebSocketReceiver,
  type StatelyActorEvent,
  type StatelyInspectionEvent,
} from '@statelyai/inspect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { type Address, type TcpProxy, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import { type Inspection, type InspectOptions, inspectWith } from '../../src/inspect/index.js';
import { xstateRuntime } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { echo } from '../support/peers.js';
import { until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

/** What the receiver of the package has heard, over a relay that passes on to all others what one says. */
class Heard {
  readonly messages: StatelyInspectionEvent[] = [];
  #relay!: WebSocketServer;
  #inspector!: ReturnType<typeof createWebSocketInspector>;
  #inspection: Inspection | undefined;

  async open(): Promise<void> {
    this.#relay = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(this.#relay, 'listening');
    this.#relay.on('connection', (socket) => {
      socket.on('message', (data) => {
        for (const other of this.#relay.clients) if (other !== socket) other.send(data.toString());
      });
    });
    const url = `ws://127.0.0.1:${(this.#relay.address() as AddressInfo).port}`;
    createWebSocketReceiver({ server: url }).subscribe((message) => this.messages.push(message));
    await until('the receiver', () => this.#relay.clients.size === 1);
    this.#inspector = createWebSocketInspector({ url });
    await until('the inspector', () => this.#relay.clients.size === 2);
  }

  inspect(options?: InspectOptions): Inspection {
    this.#inspection = inspectWith(this.#inspector, options);
    return this.#inspection;
  }

  close(): void {
    this.#inspection?.stop();
    this.#inspector.stop();
    for (const client of this.#relay.clients) client.terminate();
    this.#relay.close();
  }

  get actors(): StatelyActorEvent[] {
    return this.messages.filter((message) => message.type === '@xstate.actor');
  }

  /** One line per message: `backend#3 ← server.chosen`, `backend#3 = active.connecting`. */
  of(machine: string): string[] {
    return this.messages.flatMap((message) => {
      if (!message.sessionId.startsWith(`${machine}#`)) return [];
      if (message.type === '@xstate.actor') return `actor below ${kindOf(message.parentId)}`;
      if (message.type === '@xstate.event') {
        const from = message.sourceId === undefined ? '' : ` from ${kindOf(message.sourceId)}`;
        return `${message.event.type}${from}`;
      }
      const { status, value } = message.snapshot as unknown as { status: string; value: unknown };
      return `${status} ${JSON.stringify(value)}`;
    });
  }
}

const kindOf = (id: string | undefined): string => id?.split('#')[0] ?? 'nothing';

let heard: Heard;
beforeEach(async () => {
  handles.clear();
  heard = new Heard();
  await heard.open();
});
afterEach(() => heard.close());

async function converse(proxy: TcpProxy, at: Address): Promise<void> {
  const ended = new Promise((resolve) => proxy.once('sessionClosed', resolve));
  const client = await bench.dial(at);
  client.write('hello');
  await once(client, 'data');
  client.end();
  await ended;
}

test('a conversation, message by message', async () => {
  heard.inspect();
  const server = await bench.server(echo);
  const { proxy, at } = await makeProxy({ servers: [server.at] });
  await converse(proxy, at as Address);
  await proxy.close();
  await until('the end of the proxy', () => heard.of('proxy').includes('done "closed"'));
  expect(heard.of('proxy')).toMatchInlineSnapshot(`
    [
      "actor below nothing",
      "proxy.start",
      "active {"starting":"connecting"}",
      "backends.established",
      "active {"starting":"binding"}",
      "listeners.bound",
      "active "running"",
      "proxy.close",
      "active "draining"",
      "sessions.emptied",
      "active {"stopping":"listeners"}",
      "listeners.closed",
      "active {"stopping":"backends"}",
      "backends.closed",
      "done "closed"",
    ]
  `);
  expect(heard.of('listener')).toMatchInlineSnapshot(`
    [
      "actor below proxy",
      "listener.start",
      "active {"serving":"binding"}",
      "server.listening",
      "active {"serving":{"listening":"accepting"}}",
      "client.arrived",
      "active {"serving":{"listening":"accepting"}}",
      "client.closed",
      "active {"serving":{"listening":"accepting"}}",
      "listener.close",
      "done "closed"",
    ]
  `);
  expect(heard.of('client')).toMatchInlineSnapshot(`
    [
      "actor below session",
      "owner.admitted",
      "active {"live":{"established":"open"}}",
      "socket.ended",
      "active {"live":{"established":"peerEnded"}}",
      "socket.finished",
      "active {"live":{"established":"bothEnded"}}",
      "socket.closed",
      "done "ended"",
    ]
  `);
  expect(heard.of('session')).toMatchInlineSnapshot(`
    [
      "actor below listener",
      "backend.established from backend",
      "active {"relaying":"both"}",
      "client.ended from client",
      "active {"relaying":"clientEnded"}",
      "backend.ended from backend",
      "active {"finishing":"both"}",
      "backend.closed from backend",
      "active {"finishing":"clientOnly"}",
      "client.closed from client",
      "active "gone"",
      "done "ended"",
    ]
  `);
  expect(heard.of('backend')).toMatchInlineSnapshot(`
    [
      "actor below session",
      "backend.connect",
      "active {"active":"choosing"}",
      "server.chosen",
      "active {"active":"connecting"}",
      "socket.connected",
      "active {"active":"preparing"}",
      "owner.prepared",
      "active {"active":{"established":"open"}}",
      "socket.finished",
      "active {"active":{"established":"localEnded"}}",
      "socket.ended",
      "active {"active":{"established":"bothEnded"}}",
      "socket.closed",
      "active "releasing"",
      "holds.emptied",
      "done "ended"",
    ]
  `);
});

test('on actors of XState it is the same', async () => {
  heard.inspect();
  const server = await bench.server(echo);
  const { proxy, at } = await makeProxy({ servers: [server.at], runtime: xstateRuntime });
  await converse(proxy, at as Address);
  await until('the end of the session', () => heard.of('session').includes('done "ended"'));
  expect(heard.of('session')).toEqual([
    'actor below listener',
    'backend.established from backend',
    'active {"relaying":"both"}',
    'client.ended from client',
    'active {"relaying":"clientEnded"}',
    'backend.ended from backend',
    'active {"finishing":"both"}',
    'backend.closed from backend',
    'active {"finishing":"clientOnly"}',
    'client.closed from client',
    'active "gone"',
    'done "ended"',
  ]);
});

test('what runs already is shown from the start, with its definition and its place', async () => {
  const server = await bench.server(echo);
  const { proxy, at } = await makeProxy({ servers: [server.at] });
  const client = await bench.dial(at);
  client.write('hello');
  await once(client, 'data');
  const inspection = heard.inspect({ proxies: [proxy] });
  expect(inspection.connections).toBe(1);
  await until('six actors', () => heard.actors.length >= 6);
  const session = proxy.sessions[0];
  const [listener] = proxy.listeners;
  expect(heard.actors.map(({ sessionId, parentId, rootId }) => [sessionId, parentId, rootId])).toEqual([
    [proxy.id, undefined, proxy.id],
    [listener?.id, proxy.id, proxy.id],
    [session?.client.id, listener?.id, proxy.id],
    [session?.id, listener?.id, proxy.id],
    [session?.client.id, session?.id, proxy.id],
    [session?.backend.id, session?.id, proxy.id],
  ]);
  const definition = JSON.parse(heard.actors[3]?.definition ?? '') as { id: string; states: object };
  expect(definition.id).toBe('session');
  expect(Object.keys(definition.states)).toContain('relaying');
  expect(heard.actors[3]?.snapshot).toMatchObject({ status: 'active', value: { relaying: 'both' } });
  client.destroy();
});

test('no more connections than asked for, and whole ones', async () => {
  const inspection = heard.inspect({ connectionsMax: 1 });
  const server = await bench.server(echo);
  const { proxy, at } = await makeProxy({ servers: [server.at] });
  const first = await bench.dial(at);
  await until('one session', () => proxy.sessions.length === 1);
  const shown = proxy.sessions[0]?.id;
  await bench.dial(at);
  await until('two sessions', () => proxy.sessions.length === 2);
  expect(inspection.connections).toBe(1);
  expect(inspection.leftOut).toBe(1);
  first.destroy();
  await until('the end of the first', () => heard.messages.some(({ sessionId }) => sessionId === shown));
  await until('one session', () => proxy.sessions.length === 1);
  // There is room again.
  await bench.dial(at);
  await until('another session', () => inspection.connections === 1 && proxy.sessions.length === 2);
  await until('its actor', () => heard.actors.filter(({ name }) => name === 'session').length === 2);
  const hidden = proxy.sessions[0];
  for (const part of [hidden, hidden?.client, hidden?.backend]) {
    expect(heard.messages.some(({ sessionId }) => sessionId === part?.id)).toBe(false);
  }
});

test('a sample is a share of the connections; a filter sees each instance once', async () => {
  const asked: string[] = [];
  const inspection = heard.inspect({ sample: 0.5, filter: ({ who }) => asked.push(who) > 0 });
  const server = await bench.server(echo);
  const { proxy, at } = await makeProxy({ servers: [server.at] });
  for (let count = 1; count <= 10; count++) {
    await bench.dial(at);
    await until('one session more', () => proxy.sessions.length === count);
  }
  expect(inspection.connections).toBe(5);
  expect(inspection.leftOut).toBe(5);
  expect(new Set(asked).size).toBe(asked.length);
  inspection.stop();
  const before = heard.messages.length;
  await proxy.abort();
  await until('the messages before the stop', () => heard.messages.length >= before);
  expect(heard.messages.some(({ type, sessionId }) => type === '@xstate.event' && sessionId === proxy.id)).toBe(true);
  expect(heard.of('proxy')).not.toContain('done "aborted"');
});

const transitions = channel(TRANSITION_CHANNEL);

const INIT = { event: 'xstate.init', from: '', to: 'a', isFinal: false };
const STEP = { event: 'e', from: 'a', to: 'b', isFinal: false };
const END = { event: 'e', from: 'a', to: 'z', isFinal: true };

const handles = new Map<string, { id: string }>();
function handleOf(id: string): { id: string } {
  const handle = handles.get(id) ?? { id };
  handles.set(id, handle);
  return handle;
}

/** Says that these lives have made a step, in one go; what was heard of it is told when this returns. */
async function say(...steps: (Pick<Transition, 'who'> & Partial<Transition> & { client?: string })[]): Promise<void> {
  for (const { client, ...step } of steps) {
    const handle = Object.assign(handleOf(step.who), client !== undefined && { client: handleOf(client) });
    transitions.publish({ machine: step.who.split('#')[0], at: 0, handle, about: {}, ...step });
  }
  await Promise.resolve();
}

/** Inspects with one that throws when `isBad` says so, and hears as `message type, who`. */
function listen(options: InspectOptions = {}, isBad = (_told: string): boolean => false) {
  const told: string[] = [];
  const next = ({ type, actorRef }: { type: string; actorRef: { sessionId: string } }): void => {
    const one = `${type.slice('@xstate.'.length)} ${actorRef.sessionId}`;
    if (isBad(one)) throw new Error('The inspector is gone.');
    told.push(one);
  };
  const inspection = inspectWith({ inspect: { next } } as never, options);
  bench.later(() => inspection.stop());
  return { inspection, told };
}

test('what an inspector throws is counted, costs no other message, and no place', async () => {
  const { inspection, told } = listen({ connectionsMax: 1 }, (one) => one.endsWith('client#1'));
  await say({ who: 'client#1', ...INIT }, { who: 'client#1', ...END }, { who: 'other#1', ...STEP });
  expect(told).toEqual(['actor other#1', 'event other#1', 'snapshot other#1']);
  // One actor, one event and one snapshot did not get through.
  expect([inspection.failures, inspection.connections]).toEqual([3, 0]);
  await say({ who: 'client#2', ...INIT });
  expect([inspection.connections, inspection.leftOut]).toEqual([1, 0]);
});

test('an instance that the filter throws at is left out, for good', async () => {
  const filter = ({ who }: Transition): boolean => {
    if (who === 'client#1') throw new Error('a mistake');
    return true;
  };
  const { inspection, told } = listen({ filter });
  await say({ who: 'client#1', ...INIT }, { who: 'other#1', ...INIT });
  await say({ who: 'client#1', ...STEP });
  expect(told).toEqual(['actor other#1']);
  expect([inspection.failures, inspection.leftOut]).toEqual([1, 1]);
});

test('who is only known to have parts is forgotten with the last of them', async () => {
  const { told } = listen();
  const parent = 'session#1';
  await say({ who: 'session#1', ...END });
  await say({ who: 'backend#1', parent, ...STEP }, { who: 'backend#2', parent, ...STEP });
  await say({ who: 'backend#1', parent, ...END });
  told.length = 0;
  await say({ who: 'backend#3', parent, ...STEP });
  // It is known as long as it has a part,
  expect(told).toEqual(['actor backend#3', 'event backend#3', 'snapshot backend#3']);
  await say({ who: 'backend#3', parent, ...END }, { who: 'backend#2', parent, ...END });
  told.length = 0;
  await say({ who: 'backend#4', parent, ...STEP });
  // and is news to the inspector after that.
  expect(told).toEqual(['actor session#1', 'actor backend#4', 'event backend#4', 'snapshot backend#4']);
});

test('a session that is first heard of after its hidden client has ended is hidden too', async () => {
  const { inspection, told } = listen({ sample: 0 });
  await say({ who: 'client#1', ...STEP });
  await say({ who: 'client#1', ...END });
  const session = { who: 'session#1', client: 'client#1' };
  await say({ ...session, ...STEP });
  await say({ who: 'backend#1', parent: 'session#1', ...STEP }, { ...session, ...END });
  expect(told).toEqual([]);
  expect(inspection.leftOut).toBe(1);
});

test('nothing is told after stop(), whatever was heard before it, and nothing is kept', async () => {
  const { inspection, told } = listen();
  await say({ who: 'client#1', ...INIT });
  expect(inspection.connections).toBe(1);
  const said = say({ who: 'client#1', ...STEP }, { who: 'client#2', ...INIT });
  inspection.stop();
  await said;
  expect(told).toEqual(['actor client#1']);
  expect(inspection.connections).toBe(0);
});

test('an inspector may stop it while it is told', async () => {
  const { inspection, told } = listen({}, (one) => {
    if (one === 'snapshot other#1') inspection.stop();
    return false;
  });
  await say({ who: 'other#1', ...STEP }, { who: 'other#2', ...STEP });
  expect(told).toEqual(['actor other#1', 'event other#1', 'snapshot other#1']);
});

test.each<[string, unknown, unknown, RegExp]>([
  ['no inspector', {}, undefined, /inspector/],
  ['a misspelt option', undefined, { samples: 1 }, /spelt "sample"/],
  ['a sample of 2', undefined, { sample: 2 }, /a number from 0 to 1/],
  ['a proxy that is none', undefined, { proxies: [{}] }, /createProxy/],
  ['a machine that is none', undefined, { machines: ['backend'] }, /machines\[0\]/],
])('bad input: %s', (_what, inspector, options, expected) => {
  const observer = { inspect: { next() {} } };
  expect(() => inspectWith((inspector ?? observer) as never, options as never)).toThrow(expected);
});
