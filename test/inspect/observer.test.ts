import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { type Cause, createProxy, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import { type ConnectionsQuery, connectionDetail, connectionsPage } from '../../src/inspect/connections.js';
import { Observer, type ObserverOptions } from '../../src/inspect/observer.js';
import type { ConnectionDetail, MachineInfo, Sort, StepInfo } from '../../src/inspect/protocol.js';
import type { Registry } from '../../src/inspect/registry.js';
import { windowOf } from '../../src/inspect/select.js';
import { causeText, causeWords, durationText, stepWords } from '../../src/inspect/words.js';
import { Random } from '../runtime/random.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { turns, until } from '../support/wait.js';

const bench = useBench();
const { makeProxy, makeBackend } = makers(bench);

const transitions = channel(TRANSITION_CHANNEL);

function observe(options: Partial<ObserverOptions> = {}): Observer {
  const observer = new Observer({
    registries: [],
    stepsPerConnectionMax: 64,
    stepsMax: 100_000,
    endedMax: 100,
    ...options,
  });
  observer.watch();
  bench.later(() => observer.stop());
  return observer;
}

const query = (more: Partial<ConnectionsQuery> = {}): ConnectionsQuery => ({
  of: 'alive',
  machine: '',
  sort: 'age',
  descending: false,
  filter: '',
  state: '',
  offset: 0,
  limit: 100,
  ...more,
});

/** How many are in which state, of those that are over or not. */
function statesOf(observer: Observer, machine: string): Record<string, number> {
  const found = observer.machines().find((info) => info.machine === machine) as MachineInfo;
  return Object.fromEntries(Object.entries(found?.states ?? {}).filter(([, count]) => count > 0));
}

const tally = (states: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
};

const ENDS = new Set(['ended', 'closed', 'aborted', 'dropped', 'refused', 'failed']);
const living = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).filter(([state]) => !ENDS.has(state)));
const over = (counts: Record<string, number>) =>
  Object.entries(counts).reduce((sum, [state, count]) => sum + (ENDS.has(state) ? count : 0), 0);

/** The handles of instances that are only told of. */
const handles = new Map<string, { id: string }>();

/** The handle of this name: a new one where the instance begins. */
function handleOf(id: string, isNew = false): { id: string } {
  const handle = isNew ? { id } : (handles.get(id) ?? { id });
  handles.set(id, handle);
  return handle;
}

type Told = Partial<Transition> &
  Pick<Transition, 'who' | 'machine' | 'to'> & { client?: string; server?: string; peer?: string };

/** A transition of no instance. */
function tell({ client, server, peer, ...more }: Told): void {
  const { who, parent, event = 'xstate.init' } = more;
  const isNew = event === 'xstate.init' && more.machine !== 'session';
  const handle = Object.assign(handleOf(who, isNew), {
    ...(client !== undefined && { client: handleOf(client) }),
    ...(parent !== undefined && { parent: handleOf(parent) }),
  });
  transitions.publish({
    parent: undefined,
    incarnation: undefined,
    handle,
    about: { server, peer },
    means: undefined,
    eventObject: { type: event },
    commands: [],
    instance: {} as never,
    from: '',
    event: 'xstate.init',
    cause: undefined,
    isFinal: ENDS.has(more.to),
    at: 0,
    ...more,
  } satisfies Transition);
}

/** A client with its session and its backend, as they are heard of. */
function tellConnection(number: number): void {
  const [client, session, backend] = [`client#t${number}`, `session#t${number}`, `backend#t${number}`];
  tell({ who: client, machine: 'client', to: 'live.accepted', means: 'accept' });
  tell({ who: session, machine: 'session', client, to: 'connecting.open' });
  tell({ who: backend, machine: 'backend', parent: session, server: 'a:1', to: 'active.established.open' });
}

describe('counts', () => {
  test('equal what is there, after traffic of every kind', async () => {
    const seed = Number(process.env.SOCKCHART_SEED ?? Date.now() % 1_000_000);
    const random = new Random(seed);
    const [echo, resetter] = [await bench.echo(), await bench.resetter()];
    const dead = await bench.refusing();
    let decided = 0;
    const { proxy, at } = await makeProxy({
      servers: [echo.at, { port: dead }, resetter.at],
      downFor: false,
      admit: () => ++decided % 7 !== 0,
    });
    const dial = async (): Promise<Socket> => {
      const socket = bench.dialing(at);
      // One that is refused may be reset before it is told that it is connected.
      await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {});
      return socket;
    };
    const early = await Promise.all(Array.from({ length: 5 }, dial));
    await until('the early ones to be admitted or not', () => decided === 5);
    const observer = observe({ registries: [proxy] });
    const earlyOnes = observer.connections.size;
    const sockets = [...early];
    for (let number = 0; number < 60; number++) {
      const socket = await dial();
      sockets.push(socket);
      new Reader(socket);
      if (random.below(3) > 0) socket.write('x'.repeat(1 + random.below(5_000)));
      const victim = sockets[random.below(sockets.length)];
      if (random.below(3) === 0) victim?.end();
      else if (random.below(4) === 0) victim?.resetAndDestroy();
    }
    await until('every client to be heard of', () => observer.totals().accepted === 60);
    await turns(20);
    const compare = (): void => {
      const clients = proxy.listeners.flatMap((listener) => [...listener.clients]);
      const { sessions } = proxy;
      const seen = { client: statesOf(observer, 'client'), session: statesOf(observer, 'session') };
      expect(living(seen.client), `seed ${seed}`).toEqual(tally(clients.map(({ state }) => state)));
      expect(living(seen.session), `seed ${seed}`).toEqual(tally(sessions.map(({ state }) => state)));
      const backends = sessions.map(({ backend }) => backend.state).filter((state) => !ENDS.has(state));
      expect(living(statesOf(observer, 'backend')), `seed ${seed}`).toEqual(tally(backends));
      expect(observer.totals().closed).toBe(over(seen.client));
      expect(observer.connections.size).toBe(new Set([...clients, ...sessions.map(({ client }) => client)]).size);
    };
    compare();
    for (const [index, socket] of sockets.entries()) {
      if (index % 2 === 0) socket.end();
    }
    await turns(20);
    compare();
    // A server that says nothing would never end by itself, and a client that is reset after its end is not noticed.
    for (const socket of [...sockets, ...echo.live, ...resetter.live]) socket.resetAndDestroy();
    await until('every session to be over', () => proxy.connections().length === 0, 10_000);
    compare();
    expect(observer.connections.size).toBe(0);
    const totals = observer.totals();
    expect(totals.accepted + earlyOnes, `seed ${seed}`).toBe(totals.closed);
    expect(Object.values(totals.endings).reduce((sum, count) => sum + count, 0)).toBe(
      over(statesOf(observer, 'session')),
    );
  });

  test('tell retries, failovers, drops by their causes, and bytes of those that live and those that ended', async () => {
    const dead = await bench.refusing();
    const [echo, resetter] = [await bench.echo(), await bench.resetter()];
    const first = await makeProxy({ servers: [{ port: dead }, echo.at], balance: 'inOrder' });
    const second = await makeProxy({ servers: [resetter.at] });
    const observer = observe({ registries: [first.proxy, second.proxy] });
    const socket = await bench.dial(first.at);
    const reader = new Reader(socket);
    socket.write('hello');
    await reader.has(5);
    expect(observer.totals()).toMatchObject({ accepted: 1, established: 1, retried: 1, failedOver: 1, closed: 0 });
    expect(observer.totals()).toMatchObject({ bytesFromClients: 5, bytesFromBackends: 5 });
    socket.end();
    await reader.ends();
    await until('the session to be over', () => first.proxy.sessions.length === 0);
    expect(observer.totals()).toMatchObject({ bytesFromClients: 5, bytesFromBackends: 5, endings: { ended: 1 } });
    const victim = await bench.dial(second.at);
    victim.write('x');
    await until('the drop', () => observer.totals().endings.dropped === 1);
    expect(observer.totals().dropped).toEqual({ 'backend ECONNRESET': 1 });
  });

  test('learn lives of persistent backends, listeners and proxies that began before', async () => {
    const echo = await bench.echo();
    const { backend } = makeBackend({ servers: [echo.at], persistent: true });
    const { proxy } = await makeProxy({ servers: [echo.at], backends: [backend] });
    const observer = observe({ registries: [proxy] });
    expect(statesOf(observer, 'proxy')).toEqual({ running: 1 });
    expect(statesOf(observer, 'listener')).toEqual({ 'serving.listening.accepting': 1 });
    expect(statesOf(observer, 'backend')).toEqual({ 'active.established.open': 1 });
    const page = connectionsPage(observer, query());
    expect(page.rows).toMatchObject([{ id: backend.id, server: `127.0.0.1:${echo.port}` }]);
    expect(connectionDetail(observer, [proxy], proxy.id)?.instances).toMatchObject([
      { id: proxy.id, machine: 'proxy', state: 'running' },
    ]);
  });

  test('nobody is subscribed before it watches, nor after it stops', () => {
    expect(transitions.hasSubscribers).toBe(false);
    const observer = observe();
    expect(transitions.hasSubscribers).toBe(true);
    tellConnection(1);
    observer.stop();
    expect(transitions.hasSubscribers).toBe(false);
    expect([observer.connections.size, observer.transitions]).toEqual([0, 0]);
  });
});

test('a rate is what happened in the last seconds, by the second', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  bench.later(() => vi.useRealTimers());
  const observer = observe();
  const rates = (): (number | undefined)[] => [
    observer.transitionRate,
    observer.machines().find(({ machine }) => machine === 'client')?.edges[0]?.rate,
  ];
  for (let second = 1; second <= 7; second++) {
    for (let count = 0; count < 10; count++) tell({ who: `client#${second}.${count}`, machine: 'client', to: 'live' });
    vi.advanceTimersByTime(999);
    // Since the beginning, or the oldest of the last three seconds.
    const perSecond = Math.round((Math.min(second, 3) * 10_000 * 10) / (Math.min(second, 3) * 1_000 - 1)) / 10;
    expect(rates(), `second ${second}`).toEqual([perSecond, perSecond]);
    vi.advanceTimersByTime(1);
  }
  observer.stop();
});

test('a connection has one backend: a second one below its session stands for itself', () => {
  const observer = observe();
  tellConnection(1);
  tell({ who: 'backend#t2', machine: 'backend', parent: 'session#t1', to: 'active.choosing' });
  expect(observer.connections.size).toBe(2);
  expect(observer.find('client#t1')?.backend?.id).toBe('backend#t1');
  expect(observer.find('backend#t2')?.client).toBeUndefined();
});

test('a cause says of which leg it is, if it is one of the two', () => {
  const observer = observe();
  const kept = ['client', 'backend', 'table'].map((leg) => {
    const cause = { initiator: 'peer', manner: 'reset', phase: 'established', leg } as Cause;
    tell({ who: `session#${leg}`, machine: 'session', to: 'dropped', cause });
    return observer.find(`session#${leg}`)?.main.cause?.leg;
  });
  expect(kept).toEqual(['client', 'backend', undefined]);
});

test('a failover is an attempt at another server than the one before', () => {
  const observer = observe();
  const counted = ['a:1', 'a:1', 'b:1', 'b:1', 'a:1'].map((server) => {
    const backend = { who: 'backend#t1', machine: 'backend', about: { server } };
    const dialled = {
      from: 'active.choosing',
      event: 'server.chosen',
      to: 'active.connecting',
      means: 'connect',
    } as const;
    tell({ ...backend, ...dialled });
    const { failedOver } = observer.totals();
    tell({ ...backend, from: 'active.connecting', event: 'socket.closed', to: 'active.choosing' });
    return failedOver;
  });
  expect(counted).toEqual([0, 0, 1, 1, 2]);
});

test('a connection that no registry knows has moved no bytes, and says why its backend is where it is', () => {
  const observer = observe();
  const cause: Cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' };
  tellConnection(1);
  tell({ who: 'backend#t1', machine: 'backend', from: 'active', event: 'socket.failed', to: 'dropping', cause });
  const [connection] = observer.connections;
  expect(connection).toMatchObject({ bytesFromClient: 0, bytesFromBackend: 0, lastCause: causeText(cause) });
});

describe('what is remembered', () => {
  test('is bounded for each connection, and what was forgotten is counted', () => {
    const observer = observe({ stepsPerConnectionMax: 8 });
    tellConnection(1);
    for (let step = 0; step < 100; step++) {
      const [from, to] = step % 2 === 0 ? ['both', 'clientEnded'] : ['clientEnded', 'both'];
      tell({ who: 'session#t1', machine: 'session', from: `relaying.${from}`, event: 'x', to: `relaying.${to}` });
    }
    const detail = connectionDetail(observer, [], 'client#t1');
    expect(detail?.steps.length).toBeLessThanOrEqual(8);
    expect(detail?.steps.length).toBeGreaterThan(3);
    expect((detail?.steps.length ?? 0) + (detail?.stepsForgotten ?? 0)).toBe(103);
    expect(detail?.steps.at(-1)).toMatchObject({ who: 'session#t1', event: 'x', to: 'relaying.both' });
  });

  test('is never less than half of what may be', () => {
    const observer = observe({ stepsPerConnectionMax: 64 });
    tell({ who: 'client#t1', machine: 'client', to: 'live.accepted.open' });
    for (let step = 2; step < 300; step++) {
      tell({
        who: 'client#t1',
        machine: 'client',
        from: 'live.accepted.open',
        event: `e${step}`,
        to: 'live.accepted.open',
      });
      const { steps, stepsForgotten } = connectionDetail(observer, [], 'client#t1') as ConnectionDetail;
      expect(steps.length).toBeGreaterThanOrEqual(Math.min(step, 33));
      expect(steps.length + stepsForgotten).toBe(step);
      expect(steps.at(-1)?.event).toBe(`e${step}`);
    }
  });

  test('of the time line are the last five minutes', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    bench.later(() => vi.useRealTimers());
    const observer = observe();
    const first = { accepted: 1, established: 0, retried: 0, failedOver: 0, dropped: 0, closed: 0 };
    for (let second = 1; second <= 320; second++) {
      tell({ who: `client#t${second}`, machine: 'client', to: 'live.accepted.open', means: 'accept' });
      vi.advanceTimersByTime(1_000);
      expect(observer.seconds()).toHaveLength(Math.min(second, 300));
      if (second === 1) expect(observer.seconds()[0]).toMatchObject(first);
    }
    expect(observer.seconds().map(({ accepted }) => accepted)).toEqual(new Array(300).fill(1));
    expect(observer.seconds().at(-1)?.live).toBe(320);
    observer.stop();
  });

  test('is bounded for all together', () => {
    const observer = observe({ stepsMax: 1_000 });
    for (let number = 0; number < 1_000; number++) tellConnection(number);
    for (let round = 0; round < 10; round++) {
      for (let number = 0; number < 100; number++) {
        tell({ who: `session#t${number}`, machine: 'session', from: 'a', event: `e${round}`, to: 'relaying.both' });
      }
    }
    const steps = observer.lastSteps(Number.MAX_SAFE_INTEGER);
    expect(steps.length).toBeLessThanOrEqual(1_000);
    expect(steps.length).toBeGreaterThan(500);
    expect(observer.lastSteps(10).map(({ event }) => event)).toContain('e9');
  });

  test('includes those that ended last, and no others', () => {
    const observer = observe({ endedMax: 3 });
    for (let number = 0; number < 10; number++) {
      const who = `client#t${number}`;
      tell({ who, machine: 'client', to: 'live.accepted' });
      tell({ who, machine: 'client', from: 'live.accepted', event: 'owner.refused', to: 'refused' });
    }
    const found = Array.from({ length: 10 }, (_, number) => observer.find(`client#t${number}`) !== undefined);
    expect(found).toEqual([...new Array(7).fill(false), true, true, true]);
    expect(connectionDetail(observer, [], 'client#t9')).toMatchObject({ row: { state: 'refused' } });
    expect(connectionDetail(observer, [], 'client#t9')?.endedAt).toBeGreaterThan(0);
  });

  test('machines that make up events and states without end are counted, and fill nothing', () => {
    const observer = observe();
    for (let number = 0; number < 5_000; number++) {
      tell({ who: 'door#1', machine: 'door', from: 'a', event: `knock ${number}`, to: `open ${number}` });
      tell({ who: `x#${number}`, machine: `machine ${number}`, to: 'a' });
    }
    const machines = observer.machines();
    // 64 by their names, and all others together.
    expect(machines.length).toBe(65);
    const door = machines.find(({ machine }) => machine === 'door');
    expect(door?.edges.length).toBeLessThanOrEqual(2_001);
    expect(Object.keys(door?.states ?? {}).length).toBeLessThanOrEqual(2_001);
    expect(observer.transitions).toBe(10_000);
  });
});

describe('a machine of a user’s', () => {
  test('ends where it says so, once, whatever its states are called', () => {
    const observer = observe({ endedMax: 2 });
    const door = (who: string, to: string, isFinal = false): void =>
      tell({ who, machine: 'door', from: 'open', event: 'shut', to, isFinal });
    for (let round = 0; round < 3; round++) {
      door('door#1', 'closed');
      door('door#1', 'open');
    }
    const [connection] = [observer.find('door#1')];
    expect(connection).toMatchObject({ living: 1, endedAt: undefined });
    door('door#1', 'walled up', true);
    door('door#1', 'walled up', true);
    expect(connection).toMatchObject({ living: 0, endedAt: expect.any(Number) });
    // It fills one place of those that have ended: there is another.
    door('door#2', 'walled up', true);
    expect(observer.find('door#1')).toBe(connection);
    door('door#3', 'walled up', true);
    expect(observer.find('door#1')).toBeUndefined();
  });

  test('may have the name of one that is over: who is forgotten does not take the other along', () => {
    const observer = observe({ endedMax: 1 });
    const begin = () => tell({ who: 'door#1', machine: 'door', to: 'open' });
    const end = (who: string) =>
      tell({ who, machine: 'door', from: 'open', event: 'shut', to: 'shut for good', isFinal: true });
    begin();
    end('door#1');
    const first = observer.find('door#1');
    begin();
    const second = observer.find('door#1');
    expect(second).not.toBe(first);
    end('door#2');
    expect(observer.find('door#1')).toBe(second);
    expect(statesOf(observer, 'door')).toEqual({ open: 1, 'shut for good': 2 });
  });
});

describe('many machines of a user’s', () => {
  test('that never end are forgotten, the oldest first, and those that end are over', () => {
    const observer = observe({ endedMax: 10 });
    for (let number = 0; number < 10_100; number++) tell({ who: `door#${number}`, machine: 'door', to: 'open' });
    tell({ who: 'proxy#t1', machine: 'proxy', to: 'running' });
    expect(observer.find('door#99')).toBeUndefined();
    expect(observer.find('door#100')).toBeDefined();
    expect(statesOf(observer, 'door')).toEqual({ open: 10_000 });
    // One that is heard of again is met again.
    tell({ who: 'door#0', machine: 'door', from: 'open', event: 'knock', to: 'open' });
    expect(observer.find('door#0')).toBeDefined();
    expect(observer.find('door#100')).toBeUndefined();
    for (let number = 101; number < 10_100; number++) {
      tell({ who: `door#${number}`, machine: 'door', from: 'open', event: 'shut', to: 'gone', isFinal: true });
    }
    expect(statesOf(observer, 'door')).toEqual({ open: 1, gone: 9_999 });
    expect(observer.find('door#10089')).toBeUndefined();
    expect(observer.find('proxy#t1')).toBeDefined();
  });
});

test('what is no transition is skipped, and what is none of its parts is left out', async () => {
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown): void => void uncaught.push(error);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', onUncaught);
  const observer = observe();
  transitions.publish(null as never);
  tell({ who: 7n as never, machine: 'x', to: 'a' });
  const cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: Symbol('s') as never } as const;
  tell({ who: 'backend#t1', machine: 'backend', to: 'active.established.open', server: {} as never });
  tell({
    who: 'backend#t1',
    machine: 'backend',
    from: 'active.established.open',
    event: 'x',
    to: 'dropping',
    means: 'drop',
    cause,
  });
  const thrower = {
    get initiator() {
      throw new Error('not even this');
    },
  };
  tell({ who: 'backend#t2', machine: 'backend', to: 'active.established.open', cause: thrower as never });
  await turns(2);
  process.off('uncaughtException', onUncaught);
  for (const other of others) process.on('uncaughtException', other);
  expect(uncaught).toEqual([]);
  expect(observer.transitions).toBe(3);
  expect(observer.totals().dropped).toEqual({ 'backend Symbol(s)': 1 });
  expect(connectionsPage(observer, query({ sort: 'id' })).rows).toMatchObject([
    { id: 'backend#t1', server: '', lastCause: 'peer reset while established, Symbol(s)' },
    { id: 'backend#t2', server: '', lastCause: '' },
  ]);
  expect(() => JSON.stringify(observer.lastSteps(10))).not.toThrow();
});

test('the address of a client is known from its transitions, also when nobody could be asked in time', () => {
  const observer = observe();
  const more = { peer: '10.0.0.7:50123' };
  tell({ who: 'client#t1', machine: 'client', to: 'live.accepted.open', ...more });
  tell({
    who: 'client#t1',
    machine: 'client',
    from: 'live.accepted.open',
    to: 'refused',
    event: 'socket.closed',
    ...more,
  });
  expect(connectionDetail(observer, [], 'client#t1')).toMatchObject({
    row: { peer: '10.0.0.7:50123' },
    steps: [{ peer: '10.0.0.7:50123' }, { peer: '10.0.0.7:50123' }],
  });
});

describe('connections that are over', () => {
  const reset = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' } as const;
  function end(number: number, isDrop: boolean): void {
    tellConnection(number);
    const instances = [`client#t${number}`, `session#t${number}`, `backend#t${number}`];
    const [client, session, backend] = instances as [string, string, string];
    tell({
      who: session,
      machine: 'session',
      client,
      from: 'connecting.open',
      event: 'backend.established',
      to: 'relaying.both',
    });
    tell({
      who: client,
      machine: 'client',
      from: 'live.accepted',
      event: 'owner.admitted',
      to: 'live.established.open',
    });
    if (isDrop) {
      tell({
        who: client,
        machine: 'client',
        from: 'live.established.open',
        event: 'socket.failed',
        to: 'dropping',
        means: 'drop',
        cause: reset,
      });
    }
    const to = isDrop ? 'dropped' : 'ended';
    tell({
      who: client,
      machine: 'client',
      event: 'socket.closed',
      from: isDrop ? 'dropping' : 'live.established.bothEnded',
      to,
      ...(isDrop && { cause: reset }),
    });
    tell({
      who: backend,
      machine: 'backend',
      event: 'socket.closed',
      from: 'ending',
      to: isDrop ? 'aborted' : 'ended',
    });
    tell({
      who: session,
      machine: 'session',
      event: 'backend.closed',
      from: 'finishing.both',
      to,
      ...(isDrop && { cause: { ...reset, leg: 'client' } }),
    });
  }
  const idsOf = (observer: Observer, more: Partial<ConnectionsQuery>): string[] =>
    connectionsPage(observer, query({ sort: 'id', ...more })).rows.map(({ id }) => id);

  test('can be listed and searched, those that were dropped apart', () => {
    const observer = observe();
    end(1, false);
    end(2, true);
    tellConnection(3);
    expect(idsOf(observer, {})).toEqual(['session#t3']);
    expect(idsOf(observer, { of: 'ended' }).sort()).toEqual(['session#t1', 'session#t2']);
    expect(idsOf(observer, { of: 'dropped' })).toEqual(['session#t2']);
    expect(idsOf(observer, { of: 'ended', filter: 'econnreset' })).toEqual(['session#t2']);
    expect(idsOf(observer, { of: 'ended', state: 'session:ended' })).toEqual(['session#t1']);
    const { rows, total } = connectionsPage(observer, query({ of: 'dropped' }));
    expect(total).toBe(1);
    expect(rows[0]).toMatchObject({ state: 'dropped', lastCause: 'client reset while established, ECONNRESET' });
    expect(rows[0]?.endedAt).toBeGreaterThan(0);
    // As many as the overview counts.
    expect(observer.totals().dropped).toEqual({ 'client ECONNRESET': 1 });
  });

  test('are remembered within bounds, and routine does not push out what was dropped', () => {
    const observer = observe({ endedMax: 3 });
    end(1, true);
    for (let number = 2; number < 10; number++) end(number, false);
    expect(idsOf(observer, { of: 'dropped' })).toEqual(['session#t1']);
    expect(idsOf(observer, { of: 'ended' })).toHaveLength(4);
    for (let number = 10; number < 20; number++) end(number, true);
    expect(idsOf(observer, { of: 'dropped' }).sort()).toEqual(['session#t17', 'session#t18', 'session#t19']);
    expect(observer.find('client#t1')).toBeUndefined();
    expect(observer.find('client#t2')).toBeUndefined();
    expect(observer.find('client#t9')).toBeDefined();
  });

  test('one that fails over has dropped, and lives', () => {
    const observer = observe();
    tell({
      who: 'backend#t1',
      machine: 'backend',
      server: 'a:1',
      from: 'active.preparing',
      event: 'owner.prepared',
      to: 'active.established.open',
    });
    tell({
      who: 'backend#t1',
      machine: 'backend',
      server: 'a:1',
      from: 'active.established.open',
      event: 'socket.failed',
      to: 'active.failover',
      means: 'drop',
      cause: reset,
    });
    expect(observer.totals().dropped).toEqual({ 'backend ECONNRESET': 1 });
    expect(idsOf(observer, { of: 'dropped' })).toEqual(['backend#t1']);
    expect(idsOf(observer, { of: 'alive' })).toEqual(['backend#t1']);
  });
});

describe('what began before anybody watched', () => {
  const session = (number: number, states: readonly [session: string, client: string, backend: string]) => {
    const instance = (machine: string, state: string) => ({
      id: `${machine}#t${number}`,
      state,
      timers: () => [],
      accepts: () => [],
    });
    const client = { ...instance('client', states[1]), since: 0, clock: { now: () => 5 } };
    const backend = { ...instance('backend', states[2]), server: 'a:1', incarnation: 1 };
    return { ...instance('session', states[0]), client, backend, bytes: { fromClient: 1, fromBackend: 2 } };
  };
  const registry = (more: Partial<Registry> = {}): Registry => ({
    id: 'proxy#t',
    state: 'running',
    timers: () => [],
    accepts: () => [],
    listeners: [],
    sessions: [],
    backends: [],
    servers: { list: [], clock: { now: () => 0 } },
    ...more,
  });

  test('does not end again, and is not shown if nothing of it lives', () => {
    const sessions = [
      session(1, ['finishing.clientOnly', 'ended', 'active.established.open']),
      session(2, ['ended', 'ended', 'ended']),
    ];
    const observer = observe({ registries: [registry({ sessions })] });
    expect(observer.totals()).toMatchObject({ closed: 0, endings: {} });
    expect(connectionsPage(observer, query()).rows.map(({ id }) => id)).toEqual(['session#t1']);
    expect(observer.find('client#t1')).toMatchObject({ living: 2, client: { state: { path: 'ended' } } });
    expect(observer.find('client#t2')).toBeUndefined();
    tell({ who: 'backend#t1', machine: 'backend', from: 'ending', event: 'socket.closed', to: 'ended' });
    expect(observer.connections.size).toBe(1);
    tell({ who: 'session#t1', machine: 'session', from: 'finishing.clientOnly', event: 'backend.ended', to: 'ended' });
    expect(observer.connections.size).toBe(0);
    expect(observer.totals()).toMatchObject({ closed: 0, endings: { ended: 1 } });
  });

  test('those that came soon after each other keep their order, however long it takes to learn of them', () => {
    let time = 1_000;
    const clock = { now: () => (time += 50) };
    const numbers = [1, 2, 3, 4];
    const sessions = numbers.map((number) => {
      const made = session(number, ['relaying.both', 'live.established.open', 'active.established.open']);
      return { ...made, client: { ...made.client, since: number, clock } };
    });
    const observer = observe({
      registries: [
        registry({ sessions: sessions.slice(0, 2) }),
        registry({ id: 'proxy#u', sessions: sessions.slice(2) }),
      ],
    });
    const page = connectionsPage(observer, query({ sort: 'age', descending: true }));
    expect(page.rows.map(({ id }) => id)).toEqual(numbers.map((number) => `session#t${number}`));
    expect(observer.find('session#t1')?.since).toBe(observer.since - 1_049);
  });

  test('a client that has no session yet is shown, with its address and its age', () => {
    const { client } = session(1, ['connecting.open', 'live.accepted.open', 'active.connecting']);
    const listener = {
      id: 'listener#t',
      state: 'serving.listening.accepting',
      timers: () => [],
      accepts: () => [],
      address: undefined,
      clients: [{ ...client, peer: '192.0.2.1:5000' }],
    };
    const observer = observe({ registries: [registry({ listeners: [listener] })] });
    expect(connectionsPage(observer, query()).rows).toMatchObject([{ id: 'client#t1', peer: '192.0.2.1:5000' }]);
    expect(observer.find('client#t1')?.since).toBe(observer.since - 5);
    expect(statesOf(observer, 'client')).toEqual({ 'live.accepted.open': 1 });
  });

  test('a backend that is over is not taken for that of a session which is heard of later', () => {
    const observer = observe();
    tell({ who: 'backend#t1', machine: 'backend', parent: 'session#t1', to: 'ended', event: 'socket.closed' });
    tell({ who: 'session#t1', machine: 'session', to: 'finishing.backendOnly', event: 'backend.ended' });
    tell({ who: 'session#t1', machine: 'session', to: 'ended', event: 'client.ended' });
    expect(observer.connections.size).toBe(0);
    expect(observer.find('session#t1')).toMatchObject({ living: 0, backend: undefined });
  });

  test('a registry is asked once, however often it is named', () => {
    const one = registry({
      sessions: [session(1, ['relaying.both', 'live.established.open', 'active.established.open'])],
    });
    const observer = observe({ registries: [one, one] });
    expect(observer.connections.size).toBe(1);
    expect(statesOf(observer, 'session')).toEqual({ 'relaying.both': 1 });
  });

  test('a registry that throws is told of at once, and leaves nothing behind', () => {
    let isBroken = true;
    const broken = registry();
    Object.defineProperty(broken, 'sessions', {
      get: () => {
        if (isBroken) throw new Error('no sessions');
        return [];
      },
    });
    const observer = new Observer({ registries: [broken], stepsPerConnectionMax: 8, stepsMax: 8, endedMax: 8 });
    expect(() => observer.watch()).toThrow('no sessions');
    expect([observer.isWatching, transitions.hasSubscribers]).toEqual([false, false]);
    isBroken = false;
    observer.watch();
    bench.later(() => observer.stop());
  });
});

describe('the table', () => {
  test('a window is what sorting everything would show there', () => {
    const random = new Random(7);
    for (let round = 0; round < 200; round++) {
      const length = random.below(60);
      const numbers = Array.from({ length }, () => random.below(10));
      const keys = round % 2 === 0 ? Float64Array.from(numbers) : numbers.map(String);
      const descending = random.below(2) === 1;
      const sorted = [...numbers.keys()].sort((a, b) => {
        const order = (numbers[a] as number) - (numbers[b] as number);
        return (descending ? -order : order) || a - b;
      });
      const [offset, limit] = [random.below(70), random.below(20)];
      expect([...windowOf(keys, descending, offset, limit)]).toEqual(sorted.slice(offset, offset + limit));
    }
  });

  test('no order of the rows makes a window slow', () => {
    // Each pivot in the middle would be the greatest that is left.
    const length = 3_000;
    const places = Array.from({ length }, (_, index) => index);
    const order = new Array<string>(length).fill('');
    for (let right = length - 1; right >= 0; right--) {
      const middle = right >> 1;
      order[places[middle] as number] = String(right).padStart(5, '0');
      places[middle] = places[right] as number;
    }
    let looks = 0;
    const keys = new Proxy(order, {
      get: (target, name) => {
        looks++;
        return Reflect.get(target, name);
      },
    });
    expect([...windowOf(keys, false, 0, 1)]).toEqual([order.indexOf('00000')]);
    expect(looks).toBeLessThan(length * 200);
  });

  test('pages are disjoint, complete and sorted, whatever they are sorted by', () => {
    const observer = observe();
    for (let number = 0; number < 250; number++) tellConnection(number);
    for (const sort of ['id', 'peer', 'server', 'state', 'age', 'bytes', 'cause'] satisfies Sort[]) {
      for (const descending of [false, true]) {
        const ids = [0, 100, 200].flatMap((offset) =>
          connectionsPage(observer, query({ sort, descending, offset })).rows.map(({ id }) => id),
        );
        expect(new Set(ids).size, sort).toBe(250);
      }
    }
    const [first] = connectionsPage(observer, query({ sort: 'id', descending: true })).rows;
    expect(first?.id).toBe('session#t249');
  });

  test('is searched by what its rows show, and by the state of any life', () => {
    const observer = observe();
    for (let number = 0; number < 20; number++) tellConnection(number);
    tell({ who: 'session#t3', machine: 'session', from: 'x', event: 'y', to: 'relaying.clientEnded' });
    const cause: Cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' };
    tell({ who: 'session#t4', machine: 'session', from: 'x', event: 'y', to: 'finishing.both', cause });
    const ids = (more: Partial<ConnectionsQuery>) => connectionsPage(observer, query(more)).rows.map(({ id }) => id);
    expect(ids({ filter: 'clientended' })).toEqual(['session#t3']);
    expect(ids({ filter: 'econnreset' })).toEqual(['session#t4']);
    expect(ids({ filter: 't17' })).toEqual(['session#t17']);
    expect(ids({ state: 'session:relaying' })).toEqual(['session#t3']);
    expect(ids({ state: 'backend:active.established' })).toHaveLength(20);
    expect(ids({ state: 'backend:active.est' })).toEqual([]);
    expect(connectionsPage(observer, query({ filter: 'a:1', limit: 2 }))).toMatchObject({ total: 20, matching: 20 });
  });

  test('one connection says why it is where it is, and what can happen next', async () => {
    const silent = await bench.silent();
    const { proxy, at } = await makeProxy({ servers: [silent.at], sessionConnectTimeout: 3_000 });
    const observer = observe({ registries: [proxy] });
    const socket = await bench.dial(at);
    await until('the session', () => proxy.sessions[0]?.matches('relaying') === true);
    const [session] = proxy.sessions;
    expect(connectionsPage(observer, query()).total).toBe(1);
    const detail = connectionDetail(observer, [proxy], session?.client.id ?? '');
    expect(detail?.row).toMatchObject({ peer: `127.0.0.1:${socket.localPort}`, server: `127.0.0.1:${silent.port}` });
    const [instance] = detail?.instances ?? [];
    expect(instance).toMatchObject({
      id: session?.id,
      state: 'relaying.both',
      why: 'client and server are joined: bytes flow both ways',
      description: 'Bytes are relayed. Bytes flow both ways.',
    });
    expect(instance?.accepts.map(({ event }) => event).sort()).toEqual([...(session?.accepts() ?? [])].sort());
    expect(instance?.accepts).toContainEqual({
      event: 'client.ended',
      leadsTo: 'relaying.clientEnded',
      description: '',
    });
    expect(instance?.timers.map(({ name, leadsTo }) => [name, leadsTo])).toEqual([['idleProbe', 'relaying.both']]);
  });
});

describe('words', () => {
  const cause: Cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' };
  const step = (from: string, to: string, more: Partial<StepInfo> = {}): StepInfo => ({
    at: 0,
    who: 'backend#1',
    machine: 'backend',
    from,
    event: 'socket.failed',
    to,
    ...more,
  });

  test('a loss says who, how, when, and where it goes on', () => {
    const steps = [
      step('active.choosing', 'active.connecting', { means: 'connect', server: 'a:1' }),
      step('active.preparing', 'active.established.open', { means: 'establish', at: 10 }),
      step('active.established.open', 'active.failover', { means: 'drop', at: 13, cause }),
      step('active.failover', 'active.disposing.destroying', { at: 13, cause }),
      step('active.choosing', 'active.connecting', { means: 'connect', at: 13, server: 'b:2' }),
    ];
    expect(steps.map((_, index) => stepWords(steps, index))).toEqual([
      'connecting to a:1',
      'the connection to the server is established',
      'the backend reset the connection 3 ms after it was established (ECONNRESET); failing over to b:2',
      'the failed attempt is being cleared away',
      'connecting to b:2',
    ]);
  });

  test('names that every object has are names like others', () => {
    const strange = { initiator: 'peer', manner: 'constructor', phase: 'toString' } as never;
    expect(causeWords(strange, 'backend')).toBe('the connection to the backend failed while toString');
    expect(causeWords({ ...cause, initiator: 'owner', manner: 'valueOf' as never }, 'x')).toMatch(
      /^the owner decided so/,
    );
    expect(causeWords({ ...cause, initiator: 'constructor' as never }, 'x')).toMatch(/^constructor reset while/);
    const steps = [
      step('a', 'constructor', { machine: 'constructor' }),
      step('a', 'a', { machine: 'constructor', event: 'constructor' }),
    ];
    expect(steps.map((_, index) => stepWords(steps, index))).toEqual([
      'on socket.failed: constructor is constructor',
      'on constructor: it stays as it is',
    ]);
  });

  test('every initiator and manner is a sentence', () => {
    for (const initiator of ['peer', 'owner', 'library', 'system'] as const) {
      for (const manner of [
        'end',
        'reset',
        'refusal',
        'timeout',
        'error',
        'close',
        'abort',
        'destroy',
        'limit',
      ] as const) {
        const words = causeWords({ initiator, manner, phase: 'connecting', code: 'X' }, 'backend');
        expect(words).toMatch(/^[a-zX].* while it was connecting(?: \(X\))?$/);
        expect(words).not.toMatch(/undefined|X.*X/);
      }
    }
    expect(
      causeWords({ initiator: 'library', manner: 'timeout', phase: 'connecting', code: 'connectTimeout' }, 'backend'),
    ).toBe('connectTimeout ran out while it was connecting');
    expect([0.2, 5, 1_500, 65_000, 7_800_000].map(durationText)).toEqual([
      'less than 1 ms',
      '5 ms',
      '1.5 s',
      '1 min 5 s',
      '2 h 10 min',
    ]);
  });
});

test('a proxy is asked as it is', () => {
  const proxy = bench.keep(createProxy({ listen: { port: 0 }, servers: [{ port: 1 }] }));
  expect(observe({ registries: [proxy] }).connections.size).toBe(0);
});
