/** A stop lets clients that are being admitted finish that, and does not wait for those that never do. */

import { createSecureContext, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { Client, Outcome } from '../../src/index.js';
import { compiledRuntime, xstateRuntime } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { CERTIFICATE, Reader } from '../support/peers.js';
import { gate, turns, until } from '../support/wait.js';

const bench = useBench();
const { makeListener, makeProxy } = makers(bench);

describe.each([compiledRuntime, xstateRuntime])('on the runtime $name', (runtime) => {
  test('a client in its admission when the proxy drains is served', async () => {
    const server = await bench.echo();
    const decision = gate<boolean>();
    const { proxy, at } = await makeProxy({ servers: [server.at], runtime, admit: () => decision.promise });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    client.end('hello');
    await until('a client', () => proxy.listeners[0]?.clients.size === 1);
    const closed = proxy.close();
    expect([proxy.state, proxy.listeners[0]?.state]).toEqual(['draining', 'draining']);
    await turns();
    decision.open(true);
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello');
    expect(await closed).toMatchObject({ ending: 'closed' });
  });

  test('a client in its TLS handshake when the proxy drains is served', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({
      listen: { ...LOOPBACK, tls: { key: CERTIFICATE.key, cert: CERTIFICATE.cert } },
      servers: [server.at],
      runtime,
    });
    const raw = await bench.dial(at);
    await until('a client', () => proxy.listeners[0]?.clients.size === 1);
    const closed = proxy.close();
    await turns();
    const secureContext = createSecureContext({ ca: CERTIFICATE.cert });
    const client = bench.own(tlsConnect({ socket: raw, secureContext, servername: 'localhost' }));
    client.allowHalfOpen = true;
    const reader = new Reader(client);
    client.end('hello');
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello');
    expect(await closed).toMatchObject({ ending: 'closed' });
  });

  test('a client in its admission when a listener of its own drains becomes a client', async () => {
    const decision = gate<boolean>();
    const listener = makeListener({ runtime, admit: () => decision.promise });
    const at = (await listener.start()) as { port: number };
    listener.on('client', ({ socket }: Client) => socket.resume().end('hello'));
    const client = await bench.dial(at);
    const reader = new Reader(client);
    await until('a client', () => listener.clients.size === 1);
    const closed = listener.close();
    decision.open(true);
    expect(await reader.ends()).toBe('end');
    client.end();
    expect(reader.text).toBe('hello');
    expect(await closed).toMatchObject({ ending: 'closed' });
  });

  describe('a client that is never admitted', () => {
    const settings = { acceptTimeout: false, admit: () => new Promise<never>(() => {}), runtime } as const;

    test('is turned away after acceptTimeout, whatever a drain may take', async () => {
      const clock = new ManualClock();
      const { proxy, at } = await makeProxy({ ...settings, servers: [{ port: 1 }], clock, drainTimeout: false });
      const outcomes: Outcome[] = [];
      proxy.on('clientClosed', ({ outcome }) => outcomes.push(outcome));
      const reader = new Reader(await bench.dial(at));
      await until('a client', () => proxy.listeners[0]?.clients.size === 1);
      const closed = proxy.close();
      clock.advance(9_999);
      expect(proxy.state).toBe('draining');
      clock.advance(1);
      expect(await closed).toMatchObject({ ending: 'closed', cause: { initiator: 'owner', manner: 'close' } });
      expect(await reader.ends()).toBe('reset');
      const cause = { initiator: 'library', manner: 'timeout', phase: 'accepted', code: 'admissionTimeout' };
      expect(outcomes).toMatchObject([{ ending: 'refused', cause }]);
      expect(clock.pending).toBe(0);
    });

    test('is turned away at the deadline of the drain, and does not make it an abort', async () => {
      const clock = new ManualClock();
      const { proxy, at } = await makeProxy({ ...settings, servers: [{ port: 1 }], clock, drainTimeout: 500 });
      const outcomes: Outcome[] = [];
      proxy.on('clientClosed', ({ outcome }) => outcomes.push(outcome));
      const reader = new Reader(await bench.dial(at));
      await until('a client', () => proxy.listeners[0]?.clients.size === 1);
      const closed = proxy.close();
      clock.advance(500);
      expect(await closed).toMatchObject({ ending: 'closed', cause: { initiator: 'owner', manner: 'close' } });
      expect(await reader.ends()).toBe('reset');
      expect(outcomes).toMatchObject([{ ending: 'refused', cause: { manner: 'timeout', code: 'drainTimeout' } }]);
      expect(clock.pending).toBe(0);
    });

    test('beside a session that goes on: the deadline cuts that, and the drain was aborted', async () => {
      const clock = new ManualClock();
      const server = await bench.silent();
      let asked = 0;
      const { proxy, at } = await makeProxy({
        ...settings,
        admit: () => (asked++ === 0 ? true : new Promise(() => {})),
        servers: [server.at],
        clock,
        drainTimeout: 500,
      });
      const outcomes: Outcome[] = [];
      proxy.on('clientClosed', ({ outcome }) => outcomes.push(outcome));
      await bench.dial(at);
      await until('a session', () => proxy.sessions[0]?.matches('relaying') === true);
      await bench.dial(at);
      await until('two clients', () => proxy.listeners[0]?.clients.size === 2);
      const closed = proxy.close();
      clock.advance(500);
      expect(await closed).toMatchObject({ ending: 'aborted', cause: { manner: 'timeout', code: 'drainTimeout' } });
      expect(outcomes.map(({ ending }) => ending).sort()).toEqual(['aborted', 'refused']);
    });

    test('of a listener of its own is turned away at the deadline, and the listener was closed', async () => {
      const clock = new ManualClock();
      const listener = makeListener({ ...settings, clock });
      const at = (await listener.start()) as { port: number };
      const reader = new Reader(await bench.dial(at));
      await until('a client', () => listener.clients.size === 1);
      const closed = listener.close({ timeoutMs: 500 });
      clock.advance(500);
      expect(listener.state).toBe('refusing');
      expect(await closed).toMatchObject({ ending: 'closed', cause: { initiator: 'owner', manner: 'close' } });
      expect(await reader.ends()).toBe('reset');
    });

    test('of a listener of its own, which is aborted, is reset at once', async () => {
      const listener = makeListener({ ...settings });
      const at = (await listener.start()) as { port: number };
      const reader = new Reader(await bench.dial(at));
      await until('a client', () => listener.clients.size === 1);
      expect(await listener.abort()).toMatchObject({ ending: 'aborted' });
      expect(await reader.ends()).toBe('reset');
    });
  });
});
