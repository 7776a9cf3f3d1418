/** The proxy stops: within its time, with no reconnect, and with nothing left open. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createProxy } from '../../src/index.js';
import { openSockets, useBench } from '../support/bench.js';
import { LOOPBACK, makers } from '../support/make.js';
import { plainServer, Reader } from '../support/peers.js';
import { how, recordTransitions, times } from '../support/record.js';
import { gate, ranMs, turns, until, within } from '../support/wait.js';

const bench = useBench();
const { makeBackend, makeProxy } = makers(bench);

/** Clients and servers in a process of their own: see crowd.mjs. */
class Crowd {
  readonly #child: ChildProcess = fork(fileURLToPath(new URL('../support/crowd.mjs', import.meta.url)));
  #id = 0;

  ask(command: string, details: object = {}): Promise<unknown> {
    const id = ++this.#id;
    const answer = new Promise((resolve) => {
      const onMessage = (message: unknown): void => {
        const { id: answered, answer: value } = message as { id: number; answer: unknown };
        if (answered !== id) return;
        this.#child.off('message', onMessage);
        resolve(value);
      };
      this.#child.on('message', onMessage);
    });
    this.#child.send({ id, command, ...details });
    return within(15_000, command, answer);
  }

  async leave(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}

interface Report {
  readonly ends: Record<string, number>;
  readonly accepted: number;
}

const repeat = (kinds: string, count: number): string => kinds.repeat(Math.ceil(count / kinds.length)).slice(0, count);

/** Long enough for a hundred clients to end in, on a machine that has much else to do. */
const DRAIN_MS = 3_000;

describe('with 1,000 live connections', () => {
  test('Stopping the proxy with 1,000 live connections, half of them with data in flight and some whose peers never answer, ends within the timeouts, with no reconnect, and nothing left open (handles counted)', async () => {
    const crowd = new Crowd();
    bench.later(() => crowd.leave());
    const port = (await crowd.ask('serve')) as number;
    const before = openSockets();
    const { proxy, seen, at } = await makeProxy({
      servers: [{ host: '127.0.0.1', port }],
      listen: { ...LOOPBACK, backlog: 4_096 },
      abortTimeout: 1_000,
      sessionConnectTimeout: 15_000,
      connectTimeout: 10_000,
    });
    // 250 stream to a client that reads, 250 to one that does not; 250 are silent; 150 idle, 100 end when told.
    const kinds = repeat('f', 250) + repeat('p', 250) + repeat('s', 250) + repeat('i', 150) + repeat('e', 100);
    await crowd.ask('dial', { port: at.port, kinds });
    await until(
      '1,000 sessions',
      () => proxy.sessions.filter((session) => session.matches('relaying')).length === 1_000,
    );
    expect(openSockets() - before).toBeGreaterThanOrEqual(2_000);
    await crowd.ask('begin');
    const streaming = (): number => proxy.sessions.filter(({ bytes }) => bytes.fromBackend > 0).length;
    await until('500 streams', () => streaming() === 500);

    const endings = new Map<string, number>();
    proxy.on('sessionClosed', ({ outcome }) => {
      endings.set(outcome.ending, (endings.get(outcome.ending) ?? 0) + 1);
    });
    const { transitions, stop } = recordTransitions();
    bench.later(stop);
    const startedAt = performance.now();
    const from = ranMs();
    const cpuBefore = process.cpuUsage();
    const closing = proxy.close({ timeoutMs: DRAIN_MS });
    await crowd.ask('finish');
    const outcome = await within(30_000, 'the stop', closing);
    const took = performance.now() - startedAt;
    const ran = ranMs() - from;
    const cpu = process.cpuUsage(cpuBefore);

    expect(how(outcome)).toBe('aborted library/timeout/closing/drainTimeout');
    // The deadline, and then the time to cut; a machine that is busy with something else may be late, but idling is not.
    expect(took).toBeGreaterThanOrEqual(DRAIN_MS - 10);
    expect(ran).toBeLessThan(DRAIN_MS + 2 * 1_000);
    expect((cpu.user + cpu.system) / 1_000).toBeLessThan(5_000);
    // No reconnect: nothing was opened after the close, and the server saw as many as there were clients.
    expect(transitions.filter(({ machine, to }) => machine === 'backend' && to.startsWith('active.c'))).toEqual([]);
    expect(times(seen, 'retry') + times(seen, 'failover')).toBe(0);
    // Nothing left open.
    expect(proxy.sessions).toEqual([]);
    expect(proxy.listeners[0]?.clients.size).toBe(0);
    expect(proxy.servers.list[0]?.connections).toBe(0);
    expect(bench.clock.pending.size).toBe(0);
    await until('the last socket to be closed', () => openSockets() <= before, 2_000);
    // Those that ended in time ended; the rest was cut.
    expect(Object.fromEntries(endings)).toEqual({ ended: 100, aborted: 900 });
    const report = (await crowd.ask('report')) as Report;
    expect(report.accepted).toBe(1_000);
    // A cut never looks like an end, to anybody.
    expect(report.ends).toEqual({
      'client e end': 100,
      'server e end': 100,
      'client f reset': 250,
      'server f reset': 250,
      'client p reset': 250,
      'server p reset': 250,
      'client s reset': 250,
      'server s reset': 250,
      'client i reset': 150,
      'server i reset': 150,
    });
  }, 60_000);

  test('an abort of the same is at once', async () => {
    const crowd = new Crowd();
    bench.later(() => crowd.leave());
    const port = (await crowd.ask('serve')) as number;
    const before = openSockets();
    const { proxy, at } = await makeProxy({
      servers: [{ host: '127.0.0.1', port }],
      listen: { ...LOOPBACK, backlog: 4_096 },
      abortTimeout: 1_000,
      connectTimeout: 10_000,
      sessionConnectTimeout: 15_000,
    });
    await crowd.ask('dial', { port: at.port, kinds: repeat('fpsi', 1_000) });
    await until(
      '1,000 sessions',
      () => proxy.sessions.filter((session) => session.matches('relaying')).length === 1_000,
    );
    await crowd.ask('begin');
    const from = ranMs();
    const outcome = await within(30_000, 'the abort', proxy.abort());
    expect(ranMs() - from).toBeLessThan(1_500);
    expect(how(outcome)).toBe('aborted owner/abort/serving');
    expect(bench.clock.pending.size).toBe(0);
    await until('the last socket to be closed', () => openSockets() <= before, 2_000);
    const report = (await crowd.ask('report')) as Report;
    expect(Object.keys(report.ends).filter((key) => !key.endsWith(' reset'))).toEqual([]);
  }, 60_000);
});

describe('stop', () => {
  test('while sessions are still connecting', async () => {
    const port = await bench.blackhole();
    const { proxy, at, seen } = await makeProxy({
      servers: [{ port }],
      connectTimeout: 30_000,
      sessionConnectTimeout: 30_000,
    });
    const readers = [new Reader(await bench.dial(at)), new Reader(await bench.dial(at))];
    await until('both sessions', () => proxy.sessions.length === 2);
    const outcome = await within(2_000, 'the stop', proxy.close({ timeoutMs: 60 }));
    expect(how(outcome)).toBe('aborted library/timeout/closing/drainTimeout');
    for (const reader of readers) expect(await reader.ends()).toBe('reset');
    expect(times(seen, 'dropped')).toBe(0);
    expect(proxy.servers.list[0]?.connections).toBe(0);
  });

  test('while sessions connect, and they come up: they are served to their end', async () => {
    const port = await bench.refusing();
    const { proxy, at, seen } = await makeProxy({ servers: [{ port }], attemptsMax: 1_000 });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    client.end('late');
    await until('a retry', () => times(seen, 'retry') > 0);
    const closing = proxy.close({ timeoutMs: 5_000 });
    await bench.echo({ port });
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('late');
    expect(how(await closing)).toBe('closed owner/close/serving');
  });

  test('while a listener is suspended', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const client = await bench.dial(at);
    const reader = new Reader(client);
    await until('the session', () => proxy.sessions.length === 1);
    proxy.suspend();
    const closing = proxy.close({ timeoutMs: 5_000 });
    expect(() => proxy.resume()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    expect(() => proxy.suspend()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    expect(proxy.state).toBe('draining');
    client.end('x');
    expect(await reader.ends()).toBe('end');
    expect((await closing).ending).toBe('closed');
    // And with nobody connected.
    const { proxy: empty } = await makeProxy({ servers: [server.at] });
    empty.suspend();
    expect((await within(1_000, 'the stop', empty.close())).ending).toBe('closed');
  });

  test('right after a resume', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    proxy.suspend();
    proxy.resume();
    expect((await within(1_000, 'the stop', proxy.close())).ending).toBe('closed');
    await turns();
    const probe = bench.dialing(at);
    const [error] = (await once(probe, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('an abort during the drain', async () => {
    const server = await bench.silent();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const reader = new Reader(await bench.dial(at));
    await until('the session', () => proxy.sessions.some((session) => session.matches('relaying')));
    const closing = proxy.close({ timeoutMs: false });
    await turns();
    expect(proxy.state).toBe('draining');
    const from = ranMs();
    const outcome = await proxy.abort();
    expect(ranMs() - from).toBeLessThan(600);
    expect(await closing).toBe(outcome);
    expect(how(outcome)).toBe('aborted owner/abort/closing');
    expect(await reader.ends()).toBe('reset');
  });

  test('during the start, while it binds', async () => {
    const server = await bench.echo();
    for (const listen of [LOOPBACK, { host: 'localhost', port: 0 }, { path: bench.path() }]) {
      const before = openSockets();
      const proxy = bench.keep(createProxy({ listen, servers: [server.at], clock: bench.clock }));
      const starting = proxy.start();
      const outcome = await within(2_000, 'the stop', proxy.close());
      expect(outcome.ending).toBe('closed');
      await expect(starting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
      // A name is looked up meanwhile: nothing may listen afterwards.
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(openSockets()).toBe(before);
    }
  });

  test('during the start, while a backend connects', async () => {
    const port = await bench.blackhole();
    const { backend } = makeBackend({ servers: [{ port }], connectTimeout: 30_000 });
    const proxy = bench.keep(
      createProxy({ listen: LOOPBACK, servers: [{ port }], backends: [backend], clock: bench.clock }),
    );
    const starting = proxy.start();
    await turns();
    expect(proxy.state).toBe('starting.connecting');
    const outcome = await within(1_000, 'the stop', proxy.close());
    expect(outcome.ending).toBe('closed');
    await expect(starting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(backend.outcome?.ending).toBe('closed');
    expect(proxy.addresses).toEqual([]);
  });

  test('during the start, while it waits to bind again', async () => {
    const blocker = await bench.echo();
    const proxy = bench.keep(
      createProxy({
        listen: { host: '127.0.0.1', port: blocker.port },
        servers: [blocker.at],
        bindAttempts: 10,
        bindBackoff: 60_000,
        clock: bench.clock,
      }),
    );
    const starting = proxy.start();
    await until('the first attempt to fail', () => proxy.listeners[0]?.state === 'serving.waiting');
    expect((await within(1_000, 'the stop', proxy.close())).ending).toBe('closed');
    await expect(starting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('start after close', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const client = await bench.dial(at);
    await until('the session', () => proxy.sessions.length === 1);
    const closing = proxy.close({ timeoutMs: 5_000 });
    // Also while it drains.
    await expect(proxy.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    client.destroy();
    await closing;
    await expect(proxy.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('a newcomer during the drain', async () => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const client = await bench.dial(at);
    await until('the session', () => proxy.sessions.length === 1);
    const closing = proxy.close({ timeoutMs: 5_000 });
    const late = new Reader(bench.dialing(at));
    expect(await late.ends()).not.toBe('end');
    client.destroy();
    await closing;
    expect(server.accepted).toBe(1);
  });

  test('while a client is being admitted by a hook that never answers', async () => {
    const server = await bench.echo();
    const signals: AbortSignal[] = [];
    const { proxy, at } = await makeProxy({
      servers: [server.at],
      admit: (_client, { signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    const reader = new Reader(await bench.dial(at));
    await until('admission', () => signals.length === 1);
    const outcome = await within(2_000, 'the stop', proxy.close({ timeoutMs: 60 }));
    expect(outcome.ending).toBe('closed');
    expect(signals[0]?.aborted).toBe(true);
    expect(await reader.ends()).toBe('reset');
    expect(server.accepted).toBe(0);
  });

  test('with a persistent backend that has a holder', async () => {
    const server = await bench.echo();
    const { backend, seen } = makeBackend({ servers: [server.at], closeTimeout: 5_000 });
    const { proxy } = await makeProxy({ servers: [server.at], backends: [backend] });
    const hold = backend.hold();
    const closing = proxy.close();
    await until('the backend to close', () => backend.matches('closing'));
    hold.release();
    expect((await within(1_000, 'the stop', closing)).ending).toBe('closed');
    expect(seen).toEqual(['established 1', 'released 1', 'closed closed']);
  });

  test('two closes at once, and one from a listener of its own end', async () => {
    const server = await bench.echo();
    const { proxy } = await makeProxy({ servers: [server.at] });
    const again = gate<unknown>();
    proxy.on('closed', () => again.open(proxy.close()));
    const first = proxy.close();
    expect(proxy.close()).toBe(first);
    expect(await again.promise).toBe(await first);
  });

  test('a session that is stopped by hand leaves the others alone', async () => {
    const server = await bench.peer(plainServer((socket) => void socket.pipe(socket)));
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    const first = await bench.dial(at);
    await until('one session', () => proxy.sessions.some((session) => session.matches('relaying')));
    const [session] = proxy.sessions;
    const second = await bench.dial(at);
    const other = new Reader(second);
    const cut = new Reader(first);
    await session?.abort();
    expect(await cut.ends()).toBe('reset');
    second.end('fine');
    expect(await other.ends()).toBe('end');
    expect(other.text).toBe('fine');
  });
});
